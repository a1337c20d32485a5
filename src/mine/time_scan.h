/* Looks for habits on a dial: what the miners of times of day and of the sun share. Pure. */
#ifndef HA_AI_MINE_TIME_SCAN_H
#define HA_AI_MINE_TIME_SCAN_H

#include "mine/dial.h"
#include "mine/miner.h"

/* Adds to out the habits of one actor and verb on a dial (of input->days). Any thread. */
void time_scan_run(const struct mine_input *input, const struct dial *dial, size_t actor,
                   enum rule_verb verb, struct mined *out);

#endif
