/* Days on which nobody was home, as far as what people do shows it. Pure. */
#ifndef HA_AI_MINE_AWAY_H
#define HA_AI_MINE_AWAY_H

#include <stdbool.h>

#include "mine/actors.h"
#include "mine/days.h"

enum { AWAY_USUAL_ACTS = 3 }; /* acts of a median day, below which a day without any is usual */

/* Complete days on which nobody did anything although somebody usually does: days->count flags, the
 * caller's to free. They say nothing about a habit's end, nor about its conditions. */
bool *away_find_days(const struct actors *actors, const struct days *days);

#endif
