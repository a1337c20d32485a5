/* The back-test: what Home Assistant would have run, against what people did. */
#include "suggest/backtest.h"

#include <stdlib.h>
#include <string.h>

#include "core/tz.h"
#include "core/xalloc.h"

/* ---- fires --------------------------------------------------------------------------------- */

void backtest_add_fire(struct backtest_fires *fires, int64_t time_ms, int day, size_t rule)
{
    fires->list = grow_array(fires->list, fires->count, &fires->capacity, sizeof *fires->list);
    fires->list[fires->count++] = (struct backtest_fire){
        .time_ms = time_ms, .day = day, .rule = rule, .act = SIZE_MAX, .outcome = BACKTEST_MISS};
}

/* Those of the replay that lie on days of the role. */
static void add_fires(const struct backtest_input *input, const struct rule *rule, size_t index,
                      enum day_role role, struct backtest_fires *out)
{
    const struct days *days = input->days;
    struct fires fires = fires_of_rule(input->fires, rule);
    int64_t next_ms = INT64_MIN; /* when the day after `day` begins */
    int day = -1;
    for (size_t i = 0; i < fires.count; i++) {
        if (fires.time_ms[i] >= next_ms) {
            struct tz_local local;
            tz_to_local(days->tz, fires.time_ms[i] / 1000, &local);
            day = (int)(local.day - days->first);
            next_ms = tz_day_start(days->tz, local.day + 1) * 1000;
        }
        if (days_role(days, day) == role)
            backtest_add_fire(out, fires.time_ms[i], day, index);
    }
}

static int compare_fires(const void *left, const void *right)
{
    const struct backtest_fire *a = left, *b = right;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    return (a->rule > b->rule) - (a->rule < b->rule);
}

/* ---- fires and acts ------------------------------------------------------------------------ */

/* A fire and an act near it. */
struct pair {
    int64_t distance_ms;
    size_t fire, act;
};

static int compare_pairs(const void *left, const void *right)
{
    const struct pair *a = left, *b = right;
    if (a->distance_ms != b->distance_ms)
        return a->distance_ms < b->distance_ms ? -1 : 1;
    if (a->fire != b->fire)
        return a->fire < b->fire ? -1 : 1;
    return (a->act > b->act) - (a->act < b->act);
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

static bool is_of_state(const struct rule *rule)
{
    return rule->trigger.kind == RULE_TRIGGER_STATE;
}

struct pairs {
    struct pair *list;
    size_t count, capacity;
};

/* False when the act is too far away. */
static bool add_pair(struct pairs *pairs, const struct backtest_fires *fires, size_t f,
                     const struct acts *acts, size_t a, int64_t reach_ms)
{
    int64_t apart = distance(acts->list[a].time_ms, fires->list[f].time_ms);
    if (apart > reach_ms)
        return false;
    pairs->list = grow_array(pairs->list, pairs->count, &pairs->capacity, sizeof *pairs->list);
    pairs->list[pairs->count++] = (struct pair){apart, f, a};
    return true;
}

/* Gives each act to at most one fire and each fire at most one act, nearest pairs first. */
static void match_fires(struct backtest_fires *fires, const struct rule *const *rules,
                        const struct acts *acts)
{
    struct pairs pairs = {.list = NULL};
    for (size_t f = 0; f < fires->count; f++) {
        int64_t reach_ms =
            is_of_state(rules[fires->list[f].rule]) ? BACKTEST_STATE_MS : BACKTEST_HIT_MS;
        size_t first = acts_find(acts->list, acts->count, fires->list[f].time_ms);
        for (size_t k = 1; k <= BACKTEST_NEIGHBOURS && k <= first; k++)
            if (!add_pair(&pairs, fires, f, acts, first - k, reach_ms))
                break;
        for (size_t a = first; a < acts->count && a < first + BACKTEST_NEIGHBOURS; a++)
            if (!add_pair(&pairs, fires, f, acts, a, reach_ms))
                break;
    }
    if (pairs.count > 0)
        qsort(pairs.list, pairs.count, sizeof *pairs.list, compare_pairs);
    bool *used = xcalloc(acts->count, sizeof *used);
    for (size_t i = 0; i < pairs.count; i++) {
        struct backtest_fire *fire = &fires->list[pairs.list[i].fire];
        if (used[pairs.list[i].act] || fire->act != SIZE_MAX)
            continue;
        used[pairs.list[i].act] = true;
        fire->act = pairs.list[i].act;
        fire->outcome = BACKTEST_HIT;
    }
    free(used);
    free(pairs.list);
}

/* Of a state's rule an act speaks only when it came after a fire, be it an earlier one than the
 * nearest. */
static void mark_support(struct backtest_fires *fires, const struct rule *const *rules,
                         const struct acts *acts)
{
    for (size_t f = 0; f < fires->count; f++) {
        struct backtest_fire *fire = &fires->list[f];
        if (fire->outcome != BACKTEST_HIT)
            continue;
        fire->is_support = !is_of_state(rules[fire->rule]);
        int64_t act_ms = acts->list[fire->act].time_ms;
        for (size_t i = f + 1; !fire->is_support && i-- > 0;) {
            const struct backtest_fire *earlier = &fires->list[i];
            if (earlier->time_ms < act_ms - BACKTEST_STATE_MS)
                break;
            fire->is_support = earlier->rule == fire->rule && earlier->time_ms <= act_ms;
        }
    }
}

/* The fire, among those listed (sorted), that is nearest to a time and within reach; NULL = none.
 */
static struct backtest_fire *find_nearest(struct backtest_fire *const *list, size_t count,
                                          int64_t time_ms, int64_t reach_ms)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list[middle]->time_ms < time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    struct backtest_fire *best = NULL;
    for (size_t i = low > 0 ? low - 1 : 0; i < count && i <= low; i++)
        if (distance(list[i]->time_ms, time_ms) <=
            (best != NULL ? distance(best->time_ms, time_ms) - 1 : reach_ms))
            best = list[i];
    return best;
}

/* Marks the fire to which each act belongs. The two kinds of reach are looked at apart. */
static void mark_wanted(struct backtest_fires *fires, const struct rule *const *rules,
                        const struct acts *acts)
{
    static const int64_t reach_ms[2] = {BACKTEST_RECALL_MS, BACKTEST_STATE_MS};
    struct backtest_fire **by_reach[2];
    size_t count[2] = {0, 0};
    for (int k = 0; k < 2; k++)
        by_reach[k] = xcalloc(fires->count, sizeof(struct backtest_fire *));
    for (size_t f = 0; f < fires->count; f++) {
        int k = is_of_state(rules[fires->list[f].rule]) ? 1 : 0;
        by_reach[k][count[k]++] = &fires->list[f];
        fires->list[f].is_wanted = fires->list[f].outcome == BACKTEST_HIT;
    }
    for (size_t a = 0; a < acts->count; a++) {
        int64_t at = acts->list[a].time_ms;
        struct backtest_fire *nearest = NULL;
        for (int k = 0; k < 2; k++) {
            struct backtest_fire *fire = find_nearest(by_reach[k], count[k], at, reach_ms[k]);
            if (fire != NULL &&
                (nearest == NULL || distance(fire->time_ms, at) < distance(nearest->time_ms, at)))
                nearest = fire;
        }
        if (nearest != NULL)
            nearest->is_wanted = true;
    }
    for (int k = 0; k < 2; k++)
        free(by_reach[k]);
}

bool backtest_was_in_state(const struct backtest_input *input, enum rule_verb verb, int64_t time_ms)
{
    uint16_t target = verb == RULE_TURN_OFF ? HISTORY_STATE_OFF : HISTORY_STATE_ON;
    size_t present = 0;
    for (size_t i = 0; i < input->actor->count; i++) {
        const struct history_entity *entity = actor_state(input->actor, input->history, i);
        size_t change = history_find_change(entity, time_ms);
        if (change == 0 || acts_is_absent(entity->state[change - 1]))
            continue;
        if (entity->state[change - 1] != target)
            return false;
        present++;
    }
    return present > 0;
}

void backtest_judge(const struct backtest_input *input, const struct rule *const *rules,
                    struct backtest_fires *fires)
{
    if (fires->count == 0)
        return;
    qsort(fires->list, fires->count, sizeof *fires->list, compare_fires);
    const struct acts *acts = &input->actor->acts[rules[0]->verb];
    match_fires(fires, rules, acts);
    mark_support(fires, rules, acts);
    mark_wanted(fires, rules, acts);
    for (size_t f = 0; f < fires->count; f++)
        if (fires->list[f].outcome != BACKTEST_HIT &&
            backtest_was_in_state(input, rules[0]->verb, fires->list[f].time_ms))
            fires->list[f].outcome = BACKTEST_IDLE;
}

void backtest_replay(const struct backtest_input *input, const struct rule *const *rules,
                     size_t count, enum day_role role, struct backtest_fires *out)
{
    *out = (struct backtest_fires){.list = NULL};
    for (size_t r = 0; r < count; r++)
        add_fires(input, rules[r], r, role, out);
    backtest_judge(input, rules, out);
}

void backtest_fires_release(struct backtest_fires *fires)
{
    free(fires->list);
    *fires = (struct backtest_fires){.list = NULL};
}

/* ---- numbers ------------------------------------------------------------------------------- */

/* What is counted rule by rule while the fires are walked through. */
struct counter {
    int fire_day, act_day, hit_day; /* the last day counted */
    bool is_open, is_hit;           /* an occasion */
    int64_t begin_ms;               /* of it */
};

static void close_occasion(struct counter *counter, struct backtest *b)
{
    b->right += counter->is_open && counter->is_hit;
    b->wrong += counter->is_open && !counter->is_hit;
    counter->is_open = false;
}

static void count_occasion(struct counter *counter, const struct backtest_fire *fire, bool of_state,
                           struct backtest *b)
{
    bool hit = fire->is_support;
    if (of_state && counter->is_open && fire->time_ms - counter->begin_ms < BACKTEST_STATE_MS) {
        counter->is_hit = counter->is_hit || hit;
        return;
    }
    close_occasion(counter, b);
    counter->is_open = fire->outcome != BACKTEST_IDLE;
    counter->is_hit = hit;
    counter->begin_ms = fire->time_ms;
}

static void count_days(struct counter *counter, const struct backtest_fire *fire,
                       bool is_conditional, struct backtest *b)
{
    b->days += is_conditional && counter->fire_day != fire->day;
    counter->fire_day = fire->day;
    if (fire->is_wanted && counter->act_day != fire->day) {
        counter->act_day = fire->day;
        b->act_days++;
    }
    if (fire->outcome == BACKTEST_HIT && counter->hit_day != fire->day) {
        counter->hit_day = fire->day;
        b->hit_days++;
    }
}

void backtest_count(const struct backtest_fires *fires, const struct rule *const *rules,
                    size_t count, const struct days *days, enum day_role role, struct backtest *out)
{
    struct counter *counters = xcalloc(count, sizeof *counters);
    for (size_t r = 0; r < count; r++) {
        out[r] = (struct backtest){.days = 0};
        if (rules[r]->condition_count == 0)
            out[r].days = days_count(days, role, rules[r]->weekdays);
        counters[r] = (struct counter){.fire_day = -1, .act_day = -1, .hit_day = -1};
    }
    for (size_t f = 0; f < fires->count; f++) {
        const struct backtest_fire *fire = &fires->list[f];
        struct backtest *b = &out[fire->rule];
        b->fires++;
        b->hits += fire->outcome == BACKTEST_HIT;
        b->idle += fire->outcome == BACKTEST_IDLE;
        b->misses += fire->outcome == BACKTEST_MISS;
        count_days(&counters[fire->rule], fire, rules[fire->rule]->condition_count > 0, b);
        count_occasion(&counters[fire->rule], fire, is_of_state(rules[fire->rule]), b);
    }
    for (size_t r = 0; r < count; r++)
        close_occasion(&counters[r], &out[r]);
    free(counters);
}

void backtest_run(const struct backtest_input *input, const struct rule *const *rules, size_t count,
                  enum day_role role, struct backtest *out)
{
    struct backtest_fires fires;
    backtest_replay(input, rules, count, role, &fires);
    backtest_count(&fires, rules, count, input->days, role, out);
    backtest_fires_release(&fires);
}

double backtest_precision(const struct backtest *b)
{
    return b->hits + b->misses == 0 ? 0 : (double)b->hits / (b->hits + b->misses);
}

double backtest_recall(const struct backtest *b)
{
    return b->act_days == 0 ? 0 : (double)b->hit_days / b->act_days;
}
