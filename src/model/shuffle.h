/* Histories without habits, made of real ones: what the miner finds in them, chance has put there.
 * Seeded; the same history and seed give the same result everywhere. Each entity draws from its id,
 * so that leaving another out changes nothing. Pure. */
#ifndef HA_AI_MODEL_SHUFFLE_H
#define HA_AI_MODEL_SHUFFLE_H

#include <stddef.h>
#include <stdint.h>

#include "model/history.h"

/* Deals each entity's changes of the given local days (since 1970-01-01, ascending) out to these
 * days anew, day by day, each entity in another order: the profile over the day stays, what one
 * entity has to do with another on a day goes. A change keeps its local clock time (on a day that
 * skips it: the next one there is) and its cause; what repeats the state before it is no change any
 * more. What was chosen moves with its day. Other days stay as they are. */
void shuffle_days(struct history *h, const int64_t *days, size_t count, uint64_t seed);

/* Turns each entity's each local day by a random time of its own: how often and in which order
 * things happen on a day stays, when goes. What was chosen turns with its day. */
void shuffle_clock(struct history *h, uint64_t seed);

#endif
