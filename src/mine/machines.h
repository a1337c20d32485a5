/* Which acts are a machine's schedule: a timer of the device, a heating programme, a script outside
 * Home Assistant. They carry no context that would tell, only their punctuality does. Pure. */
#ifndef HA_AI_MINE_MACHINES_H
#define HA_AI_MINE_MACHINES_H

#include "mine/acts.h"

/* Sets is_machine[i] of each act of the list (in time order) that belongs to a schedule; returns
 * how many. */
size_t machines_mark(const struct act *list, size_t count, bool *is_machine);

#endif
