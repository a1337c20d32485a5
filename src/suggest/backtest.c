/* The back-test of time rules. */
#include "suggest/backtest.h"

#include <stdlib.h>

#include "core/tz.h"
#include "core/xalloc.h"

struct fire {
    int64_t time_ms;
    size_t rule;
    bool hit;
};

/* A fire and an act within a quarter of an hour. */
struct pair {
    int64_t distance_ms;
    size_t fire, act;
};

int64_t backtest_fire_ms(const struct days *days, int day, int second_of_day)
{
    int64_t utc_s = tz_to_utc(days->tz, days->first + day, second_of_day);
    struct tz_local local;
    tz_to_local(days->tz, utc_s, &local);
    return local.second_of_day == second_of_day ? utc_s * 1000 : INT64_MIN;
}

static int compare_pairs(const void *left, const void *right)
{
    const struct pair *a = left, *b = right;
    if (a->distance_ms != b->distance_ms)
        return a->distance_ms < b->distance_ms ? -1 : 1;
    if (a->fire != b->fire)
        return a->fire < b->fire ? -1 : 1;
    return (a->act > b->act) - (a->act < b->act);
}

/* First act at or after a time. */
static size_t find_act(const struct acts *acts, int64_t time_ms)
{
    size_t low = 0, high = acts->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (acts->list[middle].time_ms < time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

/* Gives each act to at most one fire and each fire at most one act, nearest pairs first. */
static void match_fires(struct fire *fires, size_t fire_count, const struct acts *acts)
{
    struct pair *pairs = NULL;
    size_t count = 0, capacity = 0;
    for (size_t f = 0; f < fire_count; f++) {
        size_t a = find_act(acts, fires[f].time_ms - BACKTEST_HIT_MS);
        for (; a < acts->count && acts->list[a].time_ms <= fires[f].time_ms + BACKTEST_HIT_MS;
             a++) {
            pairs = grow_array(pairs, count, &capacity, sizeof *pairs);
            pairs[count++] = (struct pair){distance(acts->list[a].time_ms, fires[f].time_ms), f, a};
        }
    }
    if (count > 0)
        qsort(pairs, count, sizeof *pairs, compare_pairs);
    bool *used = xcalloc(acts->count, sizeof *used);
    for (size_t i = 0; i < count; i++) {
        if (used[pairs[i].act] || fires[pairs[i].fire].hit)
            continue;
        used[pairs[i].act] = true;
        fires[pairs[i].fire].hit = true;
    }
    free(used);
    free(pairs);
}

/* Whether the entity was in the verb's state just before that time. */
static bool was_in_state(const struct history_entity *entity, enum rule_verb verb, int64_t time_ms)
{
    size_t low = 0, high = entity->changes;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entity->time_ms[middle] < time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    uint16_t target = verb == RULE_TURN_ON ? HISTORY_STATE_ON : HISTORY_STATE_OFF;
    return low > 0 && entity->state[low - 1] == target;
}

/* Whether an act lies within the hour around the fire, and no other fire is nearer to it. */
static bool fire_was_wanted(const struct fire *fires, size_t fire_count, size_t f,
                            const struct acts *acts)
{
    int64_t at = fires[f].time_ms;
    size_t a = find_act(acts, at - BACKTEST_RECALL_MS);
    for (; a < acts->count && acts->list[a].time_ms <= at + BACKTEST_RECALL_MS; a++) {
        int64_t own = distance(acts->list[a].time_ms, at);
        bool nearest = true;
        for (size_t other = f; other > 0 && fires[other - 1].time_ms > at - 2 * BACKTEST_RECALL_MS;
             other--)
            nearest = nearest && distance(acts->list[a].time_ms, fires[other - 1].time_ms) >= own;
        for (size_t other = f + 1;
             other < fire_count && fires[other].time_ms < at + 2 * BACKTEST_RECALL_MS; other++)
            nearest = nearest && distance(acts->list[a].time_ms, fires[other].time_ms) >= own;
        if (nearest)
            return true;
    }
    return false;
}

static int compare_fires(const void *left, const void *right)
{
    const struct fire *a = left, *b = right;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    return (a->rule > b->rule) - (a->rule < b->rule);
}

void backtest_run(const struct rule *const *rules, size_t count, const struct acts *acts,
                  const struct history_entity *entity, const struct days *days, enum day_role role,
                  struct backtest *out)
{
    struct fire *fires = NULL;
    size_t fire_count = 0, capacity = 0;
    for (size_t r = 0; r < count; r++) {
        out[r] = (struct backtest){.days = days_count(days, role, rules[r]->weekdays)};
        for (int day = 0; day < days->count; day++) {
            if (!days_match(days, day, role, rules[r]->weekdays))
                continue;
            int64_t time_ms = backtest_fire_ms(days, day, rules[r]->trigger.second);
            if (time_ms == INT64_MIN)
                continue;
            fires = grow_array(fires, fire_count, &capacity, sizeof *fires);
            fires[fire_count++] = (struct fire){time_ms, r, false};
        }
    }
    if (fire_count > 0)
        qsort(fires, fire_count, sizeof *fires, compare_fires);
    match_fires(fires, fire_count, acts);
    for (size_t f = 0; f < fire_count; f++) {
        struct backtest *b = &out[fires[f].rule];
        b->fires++;
        if (fires[f].hit)
            b->hits++;
        else if (was_in_state(entity, rules[fires[f].rule]->verb, fires[f].time_ms))
            b->idle++;
        else
            b->misses++;
        if (!fires[f].hit && !fire_was_wanted(fires, fire_count, f, acts))
            continue;
        b->act_days++;
        b->recall_days += fires[f].hit;
    }
    free(fires);
}

double backtest_precision(const struct backtest *b)
{
    return b->hits + b->misses == 0 ? 0 : (double)b->hits / (b->hits + b->misses);
}

double backtest_recall(const struct backtest *b)
{
    return b->act_days == 0 ? 0 : (double)b->recall_days / b->act_days;
}
