/* What makes sensors unfit as witnesses: one died or chatters. Pure. */
#ifndef HA_AI_SUGGEST_HEALTH_H
#define HA_AI_SUGGEST_HEALTH_H

#include <stdbool.h>

#include "mine/miner.h"

enum {
    HEALTH_PACE_MIN = 20,   /* changes of a median day, from which on a tenth of it is a failing */
    HEALTH_RECENT_DAYS = 3, /* complete days that count as lately */
    HEALTH_CHATTER_CHANGES = 120, /* changes within an hour: one in thirty seconds */
    HEALTH_CHATTER_LOOK_DAYS = 7, /* last complete days in which they are looked for */
    HEALTH_CHATTER_DAYS = 2,      /* days with such an hour that make a sensor one that chatters */
};

/* Silent on more of the last days (others than those away) than its usual pace lets expect
 * (probability below 1 %), at less than a tenth of a lively pace, or absent most of the time
 * lately.
 */
bool health_is_dead(const struct mine_input *input, const struct history_entity *entity,
                    const bool *away);

bool health_is_flapping(const struct mine_input *input, const struct history_entity *entity);

#endif
