#include "home/play.h"

#include <string.h>

#define SECOND_US INT64_C(1000000)

static void collect(const struct play *play, int64_t day, struct home_wishes *wishes)
{
    home_day_collect(play->home, play->tz, day, wishes);
    if (play->pace != NULL)
        home_day_collect_readings(play->home, play->tz, day, play->pace, wishes);
    home_wishes_sort(wishes);
}

/* Applies what lies in [from, to) and keeps what comes later. */
static void apply(struct home_world *world, struct home_wishes *wishes, int64_t from_us,
                  int64_t to_us)
{
    size_t i = 0;
    for (; i < wishes->count && wishes->items[i].time_us < to_us; i++)
        if (wishes->items[i].time_us >= from_us)
            home_world_apply(world, &wishes->items[i]);
    wishes->count -= i;
    memmove(wishes->items, wishes->items + i, wishes->count * sizeof *wishes->items);
}

void home_play(const struct play *play, const struct home_sink *sink)
{
    struct home_world *world = home_world_new(play->home, sink);
    struct home_wishes wishes = {0};
    struct tz_local last;
    tz_to_local(play->tz, play->end_us / SECOND_US, &last);
    const int64_t start_us = (tz_day_start(play->tz, play->first_day) - 600) * SECOND_US;

    home_world_start(world, start_us);
    for (int64_t day = play->first_day - 1; day <= last.day; day++) {
        const int64_t midnight_us = tz_day_start(play->tz, day + 1) * SECOND_US;
        collect(play, day, &wishes);
        apply(world, &wishes, start_us, midnight_us < play->end_us ? midnight_us : play->end_us);
    }
    home_world_advance(world, play->end_us);
    home_world_stop(world, play->end_us);
    home_wishes_release(&wishes);
    home_world_free(world);
}
