/* Which acts are a machine's schedule: a timer of the device, a heating programme, a script outside
 * Home Assistant. They carry no context that would tell, only their punctuality does. Pure. */
#ifndef HA_AI_MINE_MACHINES_H
#define HA_AI_MINE_MACHINES_H

#include "mine/acts.h"

/* Sets is_machine[i] of each act of the list (in time order) that belongs to a schedule, on local
 * time or on UTC; returns how many. */
size_t machines_mark(const struct act *list, size_t count, bool *is_machine);

/* The same on the one clock by which `day` and `second` count, such as the time from sunset
 * (mine/dial.h). */
size_t machines_mark_on_dial(const struct act *list, size_t count, bool *is_machine);

/* The same for timers that end a use by themselves, always the same time after it began:
 * after_ms[i] is how long the device had been in its last state. */
size_t machines_mark_timers(const struct act *list, const int64_t *after_ms, size_t count,
                            bool *is_machine);

#endif
