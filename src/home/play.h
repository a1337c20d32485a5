/* Plays the days of a home in order into a sink: a history at once, or a home that lives on. */
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
    int64_t end_us;               /* of the history: HA stops */
    const struct home_pace *pace; /* NULL: no readings */
};

/* From the start to the orderly stop of HA at end_us. */
void home_play(const struct play *play, const struct home_sink *sink);

/* The same in steps, without an end. Borrows play and sink; HA starts at once. */
struct home_player *home_player_new(const struct play *play, const struct home_sink *sink);
void home_player_free(struct home_player *player);

/* Lets everything happen that comes before time_us (which only grows). */
void home_player_advance(struct home_player *player, int64_t time_us);

struct home_world *home_player_world(struct home_player *player); /* borrowed */

#endif
