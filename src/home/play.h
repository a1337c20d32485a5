/* Plays the days of a home in order into a sink. */
#ifndef HA_AI_HOME_PLAY_H
#define HA_AI_HOME_PLAY_H

#include <stdint.h>

#include "core/tz.h"
#include "home/day.h"
#include "home/plan.h"
#include "home/world.h"

struct play {
    const struct home *home;
    const struct tz *tz;
    int64_t first_day;            /* local; HA starts ten minutes before it */
    int64_t end_us;               /* HA stops */
    const struct home_pace *pace; /* NULL: no readings */
};

void home_play(const struct play *play, const struct home_sink *sink);

#endif
