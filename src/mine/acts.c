/* Separates what people did from what automations, machines and restarts did. */
#include "mine/acts.h"

#include <stdlib.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "stats/stats.h"

static bool is_absent(uint16_t state)
{
    return state == HISTORY_STATE_UNAVAILABLE || state == HISTORY_STATE_UNKNOWN;
}

/* ---- restarts ------------------------------------------------------------------------------ */

enum { RESTART_ENTITIES_MIN = 3, RESTART_SHARE = 3 };

struct absence {
    int64_t time_ms;
    size_t entity;
};

static int compare_absences(const void *left, const void *right)
{
    const struct absence *a = left, *b = right;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    return (a->entity > b->entity) - (a->entity < b->entity);
}

static int compare_spans(const void *left, const void *right)
{
    const struct history_span *a = left, *b = right;
    return (a->from_ms > b->from_ms) - (a->from_ms < b->from_ms);
}

static void restarts_add(struct restarts *restarts, int64_t from_ms, int64_t to_ms)
{
    restarts->spans =
        grow_array(restarts->spans, restarts->count, &restarts->capacity, sizeof *restarts->spans);
    restarts->spans[restarts->count++] = (struct history_span){from_ms, to_ms};
}

static void restarts_merge(struct restarts *restarts)
{
    if (restarts->count == 0)
        return;
    qsort(restarts->spans, restarts->count, sizeof *restarts->spans, compare_spans);
    size_t kept = 0;
    for (size_t i = 1; i < restarts->count; i++) {
        if (restarts->spans[i].from_ms > restarts->spans[kept].to_ms)
            restarts->spans[++kept] = restarts->spans[i];
        else if (restarts->spans[i].to_ms > restarts->spans[kept].to_ms)
            restarts->spans[kept].to_ms = restarts->spans[i].to_ms;
    }
    restarts->count = kept + 1;
}

/* Slides one minute over the absences and adds each minute that concerns `enough` entities. */
static void restarts_add_bursts(struct restarts *restarts, const struct absence *absences,
                                size_t count, size_t entity_count, size_t enough)
{
    uint32_t *inside = xcalloc(entity_count, sizeof *inside);
    size_t first = 0, distinct = 0;
    for (size_t i = 0; i < count; i++) {
        distinct += inside[absences[i].entity]++ == 0;
        for (; absences[first].time_ms < absences[i].time_ms - ACTS_SETTLE_MS; first++)
            distinct -= --inside[absences[first].entity] == 0;
        if (distinct >= enough)
            restarts_add(restarts, absences[first].time_ms, absences[i].time_ms + ACTS_SETTLE_MS);
    }
    free(inside);
}

void restarts_init(struct restarts *restarts, const struct history *h)
{
    *restarts = (struct restarts){.spans = NULL};
    for (size_t i = 0; i < h->covered_count; i++)
        restarts_add(restarts, h->covered[i].from_ms, h->covered[i].from_ms + ACTS_SETTLE_MS);
    struct absence *absences = NULL;
    size_t count = 0, capacity = 0, followed = 0;
    for (size_t i = 0; i < h->entity_count; i++) {
        const struct history_entity *e = &h->entities[i];
        followed += e->changes > 0;
        for (size_t k = 1; k < e->changes; k++) {
            if (is_absent(e->state[k]) == is_absent(e->state[k - 1]))
                continue;
            absences = grow_array(absences, count, &capacity, sizeof *absences);
            absences[count++] = (struct absence){e->time_ms[k], i};
        }
    }
    size_t enough = followed / RESTART_SHARE;
    if (enough < RESTART_ENTITIES_MIN)
        enough = RESTART_ENTITIES_MIN;
    if (count > 0) {
        qsort(absences, count, sizeof *absences, compare_absences);
        restarts_add_bursts(restarts, absences, count, h->entity_count, enough);
    }
    free(absences);
    restarts_merge(restarts);
}

void restarts_release(struct restarts *restarts)
{
    free(restarts->spans);
    *restarts = (struct restarts){.spans = NULL};
}

bool restarts_hold(const struct restarts *restarts, int64_t time_ms)
{
    size_t low = 0, high = restarts->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (restarts->spans[middle].to_ms < time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low < restarts->count && restarts->spans[low].from_ms <= time_ms;
}

/* ---- machines ------------------------------------------------------------------------------ */

/* A schedule shows as acts on many days at the same second, give or take its own jitter. The first
 * row is the definition; the others are the same with a sloppier clock, where fewer exceptions are
 * allowed since a punctual person comes nearer to it. */
static const struct machine_row {
    int tolerance_s;
    int days;
    int share_percent; /* of its acts in the quarter hour around */
} machine_rows[] = {
    {2, 5, 50},
    {5, 5, 75},
    {15, 7, 90},
};
enum { QUARTER_HOUR_S = 900 };

/* An act by its time of day, for going round the clock. */
struct clock_act {
    int second;
    int day;
    size_t index; /* in acts.list */
};

static int compare_clock_acts(const void *left, const void *right)
{
    const struct clock_act *a = left, *b = right;
    if (a->second != b->second)
        return a->second < b->second ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* First position whose second is >= `second`. */
static size_t clock_find(const struct clock_act *sorted, size_t count, int second)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sorted[middle].second < second)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int compare_ints(const void *left, const void *right)
{
    int a = *(const int *)left, b = *(const int *)right;
    return (a > b) - (a < b);
}

static int count_distinct_days(const struct clock_act *sorted, size_t from, size_t to)
{
    int *days = xcalloc(to - from, sizeof *days);
    for (size_t i = from; i < to; i++)
        days[i - from] = sorted[i].day;
    qsort(days, to - from, sizeof *days, compare_ints);
    int distinct = to > from;
    for (size_t i = 1; i < to - from; i++)
        distinct += days[i] != days[i - 1];
    free(days);
    return distinct;
}

/* Marks the acts of every schedule of this row; returns whether it found one. */
static bool machine_mark(const struct machine_row *row, const struct clock_act *sorted,
                         size_t count, bool *dropped)
{
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        int from = sorted[i].second, to = from + 2 * row->tolerance_s;
        if (from < 0 || from >= STATS_DAY_S)
            continue;
        size_t end = clock_find(sorted, count, to + 1);
        if (end - i < (size_t)row->days)
            continue;
        int middle = from + row->tolerance_s;
        size_t around = clock_find(sorted, count, middle + QUARTER_HOUR_S / 2 + 1) -
                        clock_find(sorted, count, middle - QUARTER_HOUR_S / 2);
        if ((end - i) * 100 < around * (size_t)row->share_percent)
            continue;
        if (count_distinct_days(sorted, i, end) < row->days)
            continue;
        for (size_t k = i; k < end; k++)
            dropped[sorted[k].index] = true;
        found = true;
    }
    return found;
}

/* The acts that are still kept, sorted round the clock, with half a day on either side repeated. */
static size_t clock_fill(const struct acts *acts, const bool *dropped, struct clock_act *sorted)
{
    size_t count = 0;
    for (size_t i = 0; i < acts->count; i++) {
        if (dropped[i])
            continue;
        const struct act *act = &acts->list[i];
        sorted[count++] = (struct clock_act){act->second, act->day, i};
        if (act->second < STATS_DAY_S / 2)
            sorted[count++] = (struct clock_act){act->second + STATS_DAY_S, act->day - 1, i};
        else
            sorted[count++] = (struct clock_act){act->second - STATS_DAY_S, act->day + 1, i};
    }
    qsort(sorted, count, sizeof *sorted, compare_clock_acts);
    return count;
}

/* Drops a machine's acts. What a schedule leaves behind (its latest acts) may be one again. */
static void acts_drop_machines(struct acts *acts)
{
    if (acts->count < 5)
        return;
    bool *dropped = xcalloc(acts->count, sizeof *dropped);
    struct clock_act *sorted = xcalloc(2 * acts->count, sizeof *sorted);
    for (bool found = true; found;) {
        found = false;
        for (size_t row = 0; row < sizeof machine_rows / sizeof *machine_rows; row++) {
            size_t count = clock_fill(acts, dropped, sorted);
            found = machine_mark(&machine_rows[row], sorted, count, dropped) || found;
        }
    }
    free(sorted);
    size_t kept = 0;
    for (size_t i = 0; i < acts->count; i++)
        if (!dropped[i])
            acts->list[kept++] = acts->list[i];
    acts->machine = acts->count - kept;
    acts->count = kept;
    free(dropped);
}

/* ---- acts ---------------------------------------------------------------------------------- */

static void acts_add(struct acts *acts, int64_t time_ms, const struct days *days)
{
    struct tz_local local;
    tz_to_local(days->tz, time_ms / 1000, &local);
    int64_t day = local.day - days->first;
    if (day < 0 || day >= days->count)
        return;
    acts->list = grow_array(acts->list, acts->count, &acts->capacity, sizeof *acts->list);
    acts->list[acts->count++] = (struct act){time_ms, (int)day, local.second_of_day};
}

void acts_collect(struct acts *acts, const struct history_entity *entity, enum rule_verb verb,
                  const struct days *days, const struct restarts *restarts)
{
    *acts = (struct acts){.list = NULL};
    uint16_t target = verb == RULE_TURN_ON ? HISTORY_STATE_ON : HISTORY_STATE_OFF;
    int64_t quiet_until = INT64_MIN;
    for (size_t i = 1; i < entity->changes; i++) {
        uint16_t before = entity->state[i - 1], after = entity->state[i];
        int64_t time_ms = entity->time_ms[i];
        if (is_absent(before) || is_absent(after)) {
            quiet_until = time_ms + ACTS_SETTLE_MS;
            continue;
        }
        if (after != target || before == after || time_ms <= quiet_until ||
            entity->cause[i] == CAUSE_AUTOMATION || restarts_hold(restarts, time_ms))
            continue;
        acts_add(acts, time_ms, days);
    }
    acts_drop_machines(acts);
}

void acts_release(struct acts *acts)
{
    free(acts->list);
    *acts = (struct acts){.list = NULL};
}

int acts_day_near(const struct act *act, int second, int *offset_s)
{
    int offset = stats_circular_difference(act->second, second);
    if (offset_s != NULL)
        *offset_s = offset;
    return act->day + (act->second - offset - second) / STATS_DAY_S;
}
