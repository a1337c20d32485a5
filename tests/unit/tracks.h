/* Entities' changes drawn at random, in any order, and written into a history: for tests that
 * include made_history.h and seeded.h. */
#ifndef TRACKS_H
#define TRACKS_H

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "berlin.h"
#include "made_history.h"
#include "seeded.h"
#include "stats/stats.h"

enum { TRACK_MAX = 40000, HOUR = 3600 };

/* Monday, 2026-02-02: the sun moves quickly then. */
static inline int tracks_setup(void **state)
{
    (void)state;
    seed_init();
    return berlin_setup(2, 2);
}

static inline double uniform(double from, double to)
{
    return from + (to - from) * made_uniform(&seed);
}

static inline bool chance(double p)
{
    return made_uniform(&seed) < p;
}

/* How often something happens whose mean is given. */
static inline int poisson(double mean)
{
    int count = 0;
    for (double left = exp(-mean), p = made_uniform(&seed); p > left; count++)
        p *= made_uniform(&seed);
    return count;
}

/* One entity's changes in any order, local seconds since the first day. */
struct track {
    struct change {
        double second;
        int state, cause;
    } list[TRACK_MAX];
    size_t count;
};

static inline void track_add(struct track *track, double second, int state)
{
    assert_true(track->count < TRACK_MAX);
    track->list[track->count++] = (struct change){second, state, CAUSE_PHYSICAL};
}

/* On at that time, off some seconds later. */
static inline void track_use(struct track *track, double second, double length)
{
    track_add(track, second, HISTORY_STATE_ON);
    track_add(track, second + length, HISTORY_STATE_OFF);
}

static inline int compare_changes(const void *left, const void *right)
{
    const struct change *a = left, *b = right;
    return (a->second > b->second) - (a->second < b->second);
}

/* Whether the track is on at that time. */
static inline bool track_is_on(const struct track *track, double second)
{
    double latest = -1;
    bool on = false;
    for (size_t i = 0; i < track->count; i++)
        if (track->list[i].second <= second && track->list[i].second > latest) {
            latest = track->list[i].second;
            on = track->list[i].state == HISTORY_STATE_ON;
        }
    return on;
}

/* Writes the track as an entity, off before its first change; what changes nothing is left out. */
static inline void track_write(struct track *track, struct history *h, const char *id)
{
    if (track->count > 0)
        qsort(track->list, track->count, sizeof *track->list, compare_changes);
    struct history_entity *e = made_entity(h, id);
    made_change(h, e, monday, 0, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (size_t i = 0; i < track->count; i++) {
        const struct change *c = &track->list[i];
        int64_t day = (int64_t)(c->second / STATS_DAY_S);
        double rest = c->second - (double)day * STATS_DAY_S;
        int64_t ms = (tz_day_start(tz, monday + day)) * 1000 + (int64_t)(rest * 1000);
        if (e->state[e->changes - 1] != c->state && ms > e->time_ms[e->changes - 1] &&
            ms < h->to_ms)
            made_change_ms(h, e, ms, c->state, c->cause);
    }
    track->count = 0;
}

/* Use without habit: some a day, over the waking hours. */
static inline void add_uses(struct track *track, int days, double a_day, double length_s)
{
    for (int d = 0; d < days; d++)
        for (int n = poisson(a_day); n > 0; n--)
            track_use(track, d * 86400.0 + uniform(7, 23) * HOUR, uniform(0.3, 1.7) * length_s);
}

/* Fires of a detector or door: on for half a minute. */
static inline void add_fires(struct track *track, int days, double a_day)
{
    add_uses(track, days, a_day, 30);
}

#endif
