/* Five-minute means of a number in the making, weighted by time: each value counts as long as it
 * was in force, as archive_means does for a day. Rows go in one by one. Pure. */
#ifndef HA_AI_SOURCE_MEANS_H
#define HA_AI_SOURCE_MEANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/history.h"

struct means {
    float *list; /* of the five minutes that are over; NAN = no value then */
    size_t count, capacity;
    int64_t from_ms; /* where the first of them begins, UTC */
    int64_t at_ms;   /* up to where all is weighed */
    double value;    /* in force from there; NAN = none */
    double sum, weight;
    int step; /* of means_due_ms */
};

void means_init(struct means *means, int step);
void means_release(struct means *means);

/* From that time (UTC ms, not negative) on the number has this value; NAN = none. What is earlier
 * than the last one is left out; they begin with the first number. */
void means_add(struct means *means, int64_t time_ms, double value);

/* From when on a row counts: the first one of each `step` times five minutes does. */
static inline int64_t means_due_ms(const struct means *means)
{
    const int64_t step_ms = (int64_t)means->step * HISTORY_MEAN_MS;
    return means->from_ms < 0 ? 0 : (means->at_ms / step_ms + 1) * step_ms;
}

/* Appends the means of a time that begins at from_ms, a multiple of HISTORY_MEAN_MS, not before the
 * end of the last ones; what lies between has none. */
void means_append(struct means *means, int64_t from_ms, const double *list, size_t count);

/* The newest HISTORY_MEANS_MAX means of the five minutes that were over at to_ms and began at
 * from_ms or later become the entity's; the means are empty then. */
void means_finish(struct means *means, int64_t from_ms, int64_t to_ms,
                  struct history_entity *entity);

#endif
