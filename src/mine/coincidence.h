/* Whether acts follow a trigger more often than chance lets them: the statistics of one pair.
 *
 * Chance is given four kinds of structure, each of which must fail to explain the pair: what hangs
 * on the hour of the day (or the sun), what people do close together on the same day without order,
 * what the device is used for anyway while it can be, and how long its uses last. docs/miner.md
 * says how. Pure. */
#ifndef HA_AI_MINE_COINCIDENCE_H
#define HA_AI_MINE_COINCIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mine/days.h"

enum {
    COINCIDENCE_WINDOWS = 4,
    COINCIDENCE_LAG_MIN_MS = 1000,        /* what is closer is one event, not two */
    COINCIDENCE_REACH_MS = 5 * 60 * 1000, /* the widest window */
};
extern const int coincidence_window_ms[COINCIDENCE_WINDOWS];

/* The days against which a day is compared: all training days. */
struct coincidence_days {
    const struct days *days;
    int64_t *start_ms;  /* days->count + 1: when each local day begins, UTC */
    int64_t *sun_ms[2]; /* sunrise and sunset of each day; NULL where unknown or hardly moving */
    int *training;      /* indices of the training days */
    int training_count;
};
/* Borrows the days. */
void coincidence_days_init(struct coincidence_days *on, const struct history *h,
                           const struct days *days);
void coincidence_days_release(struct coincidence_days *on);

/* One thing that people did: an act, or several in quick succession. */
struct episode {
    int64_t time_ms; /* of the first */
    int day;         /* index into days; a training day */
};

/* Fires of a trigger that could have acted: the target was free. */
struct occasion {
    int64_t from_ms, to_ms; /* first and last of fires that lie closer than the reach */
    int day;
    bool followed; /* by an act within the reach of the first fire */
    size_t fire;   /* index of the first, among the trigger's */
    int fires;
};

/* When the target could be switched: each instant at which that changes, from "no" on. A span in
 * which it could is a use, for acts to off; a pause, for acts to on. */
struct freedom {
    int64_t *toggle_ms;
    size_t count, capacity;
    int64_t *length_ms; /* of the spans that begin and end on training days, sorted */
    int64_t *total_ms;  /* length_count + 1: sums of as many of the shortest */
    size_t length_count;
};
bool freedom_at(const struct freedom *freedom, int64_t time_ms);
/* Fills in the lengths, once the toggles are complete. */
void freedom_measure(struct freedom *freedom, const struct coincidence_days *on);
void freedom_release(struct freedom *freedom);

/* How long before each episode the latest fire was, into lag_ms; INT64_MAX beyond the reach. */
void coincidence_lags(const int64_t *fires, size_t fire_count, const struct episode *episodes,
                      size_t count, int64_t *lag_ms);

/* P-value of times between two things, sorted: as close together as their middle half, or their
 * middle three quarters, are those of two things of one routine, which lie so far apart as a box is
 * wide, by that chance; that there are two of these is paid for. Of n draws from a box, k
 * neighbours lie within a share x of it with the probability that k of n coins of that chance show
 * heads. */
double coincidence_sharp_p(const int64_t *lag_ms, size_t count, int64_t box_ms);

/* P-values of "the episodes follow the fires", one for each window, into p; all choices paid for.
 * When none can be below `enough` they are not computed to the end. */
void coincidence_of_acts(const struct coincidence_days *on, const int64_t *fires, size_t fire_count,
                         const struct episode *episodes, size_t count, const int64_t *lag_ms,
                         double enough, double p[COINCIDENCE_WINDOWS]);

/* P-value of "the occasions are followed by acts", for that window; *chance is the share of them
 * that the device's other use would follow within the reach. act_ms: all acts on training days. */
double coincidence_of_fires(const struct coincidence_days *on, const struct occasion *occasions,
                            size_t count, const int64_t *act_ms, size_t act_count,
                            const struct freedom *freedom, int window, double *chance);

/* P-value of "the first occasion of a use is followed by its end", for that window, against how
 * often the other days' uses ended at about that age. */
double coincidence_of_ages(const struct coincidence_days *on, const struct occasion *occasions,
                           size_t count, const int64_t *act_ms, size_t act_count,
                           const struct freedom *freedom, int window);

#endif
