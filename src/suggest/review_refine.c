/* Another form is chosen by some days and judged by the one left out, each in turn: a change shows
 * on a handful of days, of which a quarter held back would be one. */
#include <math.h>
#include <stdlib.h>

#include "core/order.h"
#include "core/xalloc.h"
#include "mine/settings.h"
#include "stats/stats.h"
#include "suggest/review_parts.h"

enum {
    CASES_MAX = 120,    /* the newest ones */
    TIMES_MIN = 2,      /* acts by hand that tell another time */
    TIME_STEP_S = 60,   /* a new time is a whole minute */
    TIME_LEAST_S = 300, /* what moves it by less is no other time */
    VALUES_MIN = 3,
    WINDOW_STEP_S = 1800,
    WINDOWS = 86400 / WINDOW_STEP_S,
};
/* Before looking: it was undone, so that a condition is as probable as none. By kind as in
 * docs/miner.md; what a kind has is shared by all of it. */
#define ODDS 0.5
#define WINDOW_SHARE 0.1
#define ONE_DAY_SHARE 0.1
static const double shares[GATE_KIND_COUNT] = {[GATE_SUN] = .2,
                                               [GATE_DAYS] = .15,
                                               [GATE_PRESENCE] = .2,
                                               [GATE_MODE] = .1,
                                               [GATE_HELPER] = .05};

struct refine_case {
    uint64_t holds; /* of gates.list */
    int weekday, bin;
    bool is_good;
};

struct cases {
    const struct review *review;
    struct refine_case list[CASES_MAX];
    size_t count;
};

enum form_kind { FORM_NONE, FORM_GATE, FORM_NOT_ON_DAY, FORM_WINDOW };

struct form {
    enum form_kind kind;
    int a, b; /* bit, or day of the week, or half hours from and to */
};

static bool form_holds(const struct form *form, const struct refine_case *at)
{
    switch (form->kind) {
    case FORM_GATE:
        return at->holds >> form->a & 1;
    case FORM_NOT_ON_DAY:
        return at->weekday != form->a;
    case FORM_WINDOW:
        return form->a < form->b ? at->bin >= form->a && at->bin < form->b
                                 : at->bin >= form->a || at->bin < form->b;
    case FORM_NONE:
    default:
        return true;
    }
}

/* ln of the odds of a form against none: good where it holds, bad elsewhere. */
static double weigh(const struct cases *cases, size_t left_out, const struct form *form,
                    double share)
{
    int good[2] = {0, 0}, all[2] = {0, 0};
    for (size_t i = 0; i < cases->count; i++) {
        if (i == left_out)
            continue;
        bool holds = form_holds(form, &cases->list[i]);
        all[holds]++;
        good[holds] += cases->list[i].is_good;
    }
    if (all[0] == 0 || all[1] == 0)
        return -HUGE_VAL;
    return stats_log_beta_evidence(good[1], all[1], 9, 3) +
           stats_log_beta_evidence(good[0], all[0], 1, 4) -
           stats_log_beta_evidence(good[0] + good[1], all[0] + all[1], 1, 1) + log(ODDS * share);
}

struct choice {
    struct form form;
    double gain; /* above 0: chosen */
};

static void consider(const struct cases *cases, size_t left_out, struct form form, double share,
                     struct choice *best)
{
    double gain = weigh(cases, left_out, &form, share);
    if (gain > best->gain)
        *best = (struct choice){form, gain};
}

static bool is_own(const struct review *review, const struct gate *gate)
{
    const struct rule *rule = &review->read.rule;
    for (size_t i = 0; i < review->actor.count; i++)
        if (gate->entity == review->actor.entities[i])
            return true;
    if (gate->entity == SIZE_MAX || rule->trigger.kind != RULE_TRIGGER_STATE)
        return false;
    return history_find_entity(review->input->history, rule->trigger.entity_id) ==
           &review->input->history->entities[gate->entity];
}

static struct choice choose(const struct cases *cases, size_t left_out)
{
    const struct review *review = cases->review;
    const struct rule *rule = &review->read.rule;
    const struct gates *gates = review->input->gates;
    bool has_room = rule->condition_count < RULE_CONDITIONS_MAX;
    struct choice best = {{FORM_NONE, 0, 0}, 0};
    for (size_t g = 0; gates != NULL && g < gates->count; g++) {
        const struct gate *gate = &gates->list[g];
        if ((has_room || gate->kind == GATE_DAYS) && !is_own(review, gate))
            consider(cases, left_out, (struct form){FORM_GATE, (int)g, 0},
                     shares[gate->kind] / (double)gates->of_kind[gate->kind], &best);
    }
    for (int day = 0; day < 7; day++)
        consider(cases, left_out, (struct form){FORM_NOT_ON_DAY, day, 0}, ONE_DAY_SHARE / 7, &best);
    if (!has_room || rule->trigger.kind != RULE_TRIGGER_STATE)
        return best;
    for (int from = 0; from < WINDOWS; from++)
        for (int length = 2; length <= WINDOWS - 8; length++)
            consider(cases, left_out, (struct form){FORM_WINDOW, from, (from + length) % WINDOWS},
                     WINDOW_SHARE / (WINDOWS * (WINDOWS - 9)), &best);
    return best;
}

static void collect_cases(const struct review *review, size_t from, struct cases *cases)
{
    cases->review = review;
    cases->count = 0;
    size_t wanted = 0;
    for (size_t i = review->count; i > from && wanted < CASES_MAX; i--)
        wanted += review->fires[i - 1].outcome != REVIEW_IDLE &&
                  review->fires[i - 1].outcome != REVIEW_MISS;
    size_t skip = 0;
    for (size_t i = from; i < review->count; i++)
        skip += review->fires[i].outcome != REVIEW_IDLE && review->fires[i].outcome != REVIEW_MISS;
    skip -= wanted;
    for (size_t i = from; i < review->count; i++) {
        const struct review_fire *fire = &review->fires[i];
        if (fire->outcome == REVIEW_IDLE || fire->outcome == REVIEW_MISS)
            continue;
        if (skip > 0) {
            skip--;
            continue;
        }
        struct tz_local local;
        tz_to_local(review->input->days->tz, fire->time_ms / 1000, &local);
        struct refine_case *one = &cases->list[cases->count++];
        *one = (struct refine_case){.weekday = local.weekday,
                                    .bin = local.second_of_day / WINDOW_STEP_S,
                                    .is_good = fire->outcome != REVIEW_UNDONE};
        if (review->input->gates != NULL)
            gates_mark(review->input->gates, &fire->time_ms, 1, &one->holds);
    }
}

static void apply(const struct review *review, const struct form *form, struct rule *rule)
{
    *rule = review->read.rule;
    if (form->kind == FORM_NOT_ON_DAY)
        rule->weekdays &= ~(1u << form->a);
    else if (form->kind == FORM_WINDOW)
        rule->conditions[rule->condition_count++] =
            (struct rule_condition){.kind = RULE_WHEN_TIME,
                                    .from_s = form->a * WINDOW_STEP_S,
                                    .to_s = form->b * WINDOW_STEP_S};
    else if (review->input->gates->list[form->a].kind == GATE_DAYS)
        rule->weekdays &= review->input->gates->list[form->a].weekdays;
    else
        rule->conditions[rule->condition_count++] = review->input->gates->list[form->a].condition;
}

bool review_refine_condition(const struct review *review, size_t from, struct review_proposal *out)
{
    struct cases cases;
    collect_cases(review, from, &cases);
    struct choice chosen = choose(&cases, SIZE_MAX);
    int bad = 0;
    *out = (struct review_proposal){.of_days = (int)cases.count};
    if (chosen.form.kind == FORM_NONE)
        return false;
    for (size_t i = 0; i < cases.count; i++) {
        struct choice without = choose(&cases, i);
        bad += !cases.list[i].is_good;
        out->days++;
        if (!form_holds(&without.form, &cases.list[i]))
            continue;
        out->fires++;
        out->hits += cases.list[i].is_good;
        out->misses += !cases.list[i].is_good;
    }
    apply(review, &chosen.form, &out->rule);
    return out->hits > out->misses && 2 * out->misses <= bad && out->rule.weekdays != 0 &&
           rule_is_valid(&out->rule);
}

/* --- numbers: of each, what the others say --- */

/* The lower of two in the middle. */
static int64_t median_without(const int64_t *sorted, size_t count, size_t left_out)
{
    size_t rest = count - (left_out < count), middle = (rest - 1) / 2;
    return sorted[middle + (left_out < count && middle >= left_out)];
}

bool review_retime(const struct review *review, size_t from, struct review_proposal *out)
{
    struct rule *rule = &out->rule;
    size_t count = 0;
    int64_t *offsets = xcalloc(review->count + 1, sizeof *offsets);
    *out = (struct review_proposal){.rule = review->read.rule};
    for (size_t i = from; i < review->count; i++) {
        const struct review_fire *fire = &review->fires[i];
        out->of_days += fire->outcome != REVIEW_MISS;
        if (fire->has_offset)
            offsets[count++] = fire->offset_ms / 1000;
    }
    if (count >= TIMES_MIN)
        qsort(offsets, count, sizeof *offsets, order_int64);
    int distances_s[CASES_MAX];
    int distance_count = 0;
    for (size_t i = 0; i < count && count >= TIMES_MIN; i++) {
        int64_t off_s = llabs(offsets[i] - median_without(offsets, count, i));
        out->hits += off_s <= BACKTEST_HIT_MS / 1000;
        if (distance_count < CASES_MAX)
            distances_s[distance_count++] = (int)off_s;
    }
    out->days = out->fires = out->of_days;
    out->misses = out->fires - out->hits;
    out->spread_s = (int)(1.4826 * stats_median(distances_s, distance_count));
    int64_t by_s = count >= TIMES_MIN ? median_without(offsets, count, count) : 0;
    free(offsets);
    int step = (int)(by_s < 0 ? by_s - TIME_STEP_S / 2 : by_s + TIME_STEP_S / 2) / TIME_STEP_S;
    int second = rule->trigger.second + step * TIME_STEP_S;
    bool is_clock = rule->trigger.kind == RULE_TRIGGER_TIME;
    if (is_clock && rule->weekdays != RULE_EVERY_DAY && (second < 0 || second >= 86400))
        return false; /* it would move to the next day */
    rule->trigger.second = is_clock ? stats_circular_wrap(second) : second;
    return llabs(by_s) >= TIME_LEAST_S && out->hits >= TIMES_MIN && out->hits > out->misses &&
           rule_is_valid(rule);
}

bool review_refine_value(const struct review *review, size_t from, struct review_proposal *out)
{
    size_t count = 0;
    *out = (struct review_proposal){.rule = review->read.rule};
    if (!review->is_read || review->read.rule.value_count == 0)
        return false;
    double *values = xcalloc(review->count + 1, sizeof *values);
    for (size_t i = from; i < review->count; i++) {
        out->of_days += review->fires[i].outcome != REVIEW_MISS;
        if (review->fires[i].has_value)
            values[count++] = review->fires[i].value;
    }
    if (count > 0)
        qsort(values, count, sizeof *values, order_double);
    enum rule_attribute attribute = review->read.rule.values[0].attribute;
    double tolerance = settings_tolerance(attribute), chosen = 0;
    for (size_t i = 0; i < count && count >= VALUES_MIN; i++) {
        size_t middle = (count - 2) / 2;
        out->hits += fabs(values[i] - values[middle + (middle >= i)]) <= tolerance;
        chosen = values[(count - 1) / 2];
    }
    free(values);
    out->days = out->fires = out->of_days;
    out->misses = out->fires - out->hits;
    out->rule.values[0].value =
        fmin(fmax(round(chosen / rule_attributes[attribute].step) * rule_attributes[attribute].step,
                  rule_attributes[attribute].low),
             rule_attributes[attribute].high);
    return out->hits >= VALUES_MIN && 2 * (size_t)out->hits > count && rule_is_valid(&out->rule);
}
