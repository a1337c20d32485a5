#include "home/play.h"

#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"

#define SECOND_US INT64_C(1000000)

struct home_player {
    const struct play *play;
    struct home_world *world;
    struct home_wishes wishes; /* what is still to come, up to the end of `day` and beyond */
    int64_t day;               /* the last day that was collected */
    int64_t start_us;
};

static void collect(struct home_player *p)
{
    const struct play *play = p->play;
    p->day++;
    home_day_collect(play->home, play->tz, p->day, &p->wishes);
    if (play->pace != NULL)
        home_day_collect_readings(play->home, play->tz, p->day, play->pace, &p->wishes);
    home_wishes_sort(&p->wishes);
}

/* Applies what lies before to_us and keeps what comes later. */
static void apply(struct home_player *p, int64_t to_us)
{
    struct home_wishes *wishes = &p->wishes;
    size_t i = 0;
    for (; i < wishes->count && wishes->items[i].time_us < to_us; i++)
        if (wishes->items[i].time_us >= p->start_us)
            home_world_apply(p->world, &wishes->items[i]);
    wishes->count -= i;
    memmove(wishes->items, wishes->items + i, wishes->count * sizeof *wishes->items);
}

struct home_player *home_player_new(const struct play *play, const struct home_sink *sink)
{
    struct home_player *p = xcalloc(1, sizeof *p);
    p->play = play;
    p->world = home_world_new(play->home, sink);
    p->day = play->first_day - 2;
    p->start_us = (tz_day_start(play->tz, play->first_day) - 600) * SECOND_US;
    home_world_start(p->world, p->start_us);
    collect(p);
    return p;
}

void home_player_free(struct home_player *p)
{
    if (p == NULL)
        return;
    home_wishes_release(&p->wishes);
    home_world_free(p->world);
    free(p);
}

void home_player_advance(struct home_player *p, int64_t time_us)
{
    for (;;) {
        const int64_t midnight_us = tz_day_start(p->play->tz, p->day + 1) * SECOND_US;
        apply(p, midnight_us < time_us ? midnight_us : time_us);
        if (midnight_us >= time_us)
            break;
        collect(p);
    }
    home_world_advance(p->world, time_us);
}

struct home_world *home_player_world(struct home_player *p)
{
    return p->world;
}

void home_play(const struct play *play, const struct home_sink *sink)
{
    struct home_player *player = home_player_new(play, sink);
    home_player_advance(player, play->end_us);
    home_world_stop(player->world, play->end_us);
    home_player_free(player);
}
