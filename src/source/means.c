#include "source/means.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"

enum { KEPT_MAX = 2 * HISTORY_MEANS_MAX }; /* so that old ones leave seldom */

void means_init(struct means *means, int step)
{
    *means = (struct means){.from_ms = -1, .value = NAN, .step = step};
}

void means_release(struct means *means)
{
    free(means->list);
    means_init(means, means->step);
}

static int64_t floor_bucket(int64_t time_ms)
{
    return time_ms - time_ms % HISTORY_MEAN_MS;
}

static int64_t end_ms(const struct means *means)
{
    return means->from_ms + (int64_t)means->count * HISTORY_MEAN_MS;
}

static void drop_first(struct means *means, size_t count)
{
    if (count == 0)
        return;
    means->count -= count;
    means->from_ms += (int64_t)count * HISTORY_MEAN_MS;
    memmove(means->list, means->list + count, means->count * sizeof *means->list);
}

static void push(struct means *means, double mean)
{
    if (means->count == KEPT_MAX)
        drop_first(means, HISTORY_MEANS_MAX);
    means->list = grow_array(means->list, means->count, &means->capacity, sizeof *means->list);
    means->list[means->count++] = (float)mean;
}

/* The value was in force up to that time. */
static void weigh(struct means *means, int64_t to_ms)
{
    const int64_t longest_ms = (int64_t)HISTORY_MEANS_MAX * HISTORY_MEAN_MS;
    if (to_ms - means->at_ms > longest_ms) { /* all before is too old in any case */
        means->count = 0;
        means->sum = means->weight = 0;
        means->from_ms = means->at_ms = floor_bucket(to_ms) - longest_ms;
    }
    while (means->at_ms < to_ms) {
        int64_t end = end_ms(means) + HISTORY_MEAN_MS, until = end < to_ms ? end : to_ms;
        if (!isnan(means->value)) {
            means->sum += means->value * (double)(until - means->at_ms);
            means->weight += (double)(until - means->at_ms);
        }
        means->at_ms = until;
        if (until < end)
            break;
        push(means, means->weight > 0 ? means->sum / means->weight : NAN);
        means->sum = means->weight = 0;
    }
}

void means_add(struct means *means, int64_t time_ms, double value)
{
    if (means->from_ms < 0) {
        if (isnan(value)) /* nothing is known yet: they begin with the first number */
            return;
        means->from_ms = floor_bucket(time_ms);
        means->at_ms = time_ms;
    }
    if (time_ms < means->at_ms)
        return;
    weigh(means, time_ms);
    means->value = value;
}

void means_append(struct means *means, int64_t from_ms, const double *list, size_t count)
{
    if (means->from_ms < 0)
        means->from_ms = means->at_ms = from_ms;
    means->value = NAN;
    weigh(means, from_ms);
    for (size_t i = 0; i < count; i++)
        push(means, list[i]);
    means->at_ms = end_ms(means);
}

void means_finish(struct means *means, int64_t from_ms, int64_t to_ms,
                  struct history_entity *entity)
{
    if (means->from_ms >= 0 && to_ms > means->at_ms)
        weigh(means, floor_bucket(to_ms));
    while (means->count > 0 && end_ms(means) > to_ms)
        means->count--;
    size_t early = 0;
    while (early < means->count &&
           (means->count - early > HISTORY_MEANS_MAX ||
            means->from_ms + (int64_t)early * HISTORY_MEAN_MS < floor_bucket(from_ms)))
        early++;
    drop_first(means, early);
    if (means->count > 0) {
        entity->means = xreallocarray(means->list, means->count, sizeof *means->list);
        entity->mean_count = means->count;
        entity->means_from_ms = means->from_ms;
        means->list = NULL;
    }
    means_release(means);
}
