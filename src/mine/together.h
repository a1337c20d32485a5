/* Whether what people do with one device comes with what they do with another. Pure. */
#ifndef HA_AI_MINE_TOGETHER_H
#define HA_AI_MINE_TOGETHER_H

#include "mine/acts.h"
#include "mine/coincidence.h"

enum { TOGETHER_MS = 15 * 1000 }; /* acts this near to each other are done at once, in any order */

/* P-value of "the second acts come with the first ones": from TOGETHER_MS before them to
 * COINCIDENCE_REACH_MS less that after, against every kind of chance that a sequence is held
 * against on the side of its acts (mine/coincidence.h): two habits at about one time are no link.
 * Of acts on training days. When it cannot be below `enough` it is not computed to the end. Any
 * thread. */
double together_p_value(const struct coincidence_days *on, const struct acts *first,
                        const struct acts *second, double enough);

#endif
