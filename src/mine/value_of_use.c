/* What a device is set to when it is switched on: "when the TV is switched on after 20:00, volume
 * 20 %". A value always comes with a use; what must be shown is that it is that one. */
#include <math.h>
#include <stdlib.h>

#include "core/order.h"
#include "core/xalloc.h"
#include "mine/coincidence.h"
#include "mine/miner.h"
#include "mine/settings.h"
#include "mine/trigger_gates.h"
#include "stats/stats.h"

#define USUAL 0.1           /* share of any uses that get one value, before looking */
#define AS_OFTEN_AS_NOT 0.5 /* on more of the days with a use than that it must be chosen, */
#define LIKELY_P 0.25       /* likely: all days together must show it (suggest/judge.c) */
#define GO_ON_P 0.05
#define ROUNDING 1e-9

/* Before looking: what somebody wants at any use the device mostly has by itself, so that a value
 * that is chosen again and again more often than not hangs on something: first of all how late it
 * is, or how dark. */
static const double odds[GATE_KIND_COUNT] = {
    [GATE_SUN] = 0.25,  [GATE_WINDOW] = 0.25, [GATE_DAYS] = 0.05,   [GATE_PRESENCE] = 0.05,
    [GATE_MODE] = 0.10, [GATE_LIGHT] = 0.05,  [GATE_HELPER] = 0.05,
};
#define BARE_ODDS 0.2 /* the rest */

void *value_of_use_prepare(const struct mine_input *input)
{
    struct coincidence_days *on = xcalloc(1, sizeof *on);
    coincidence_days_init(on, input->history, input->days);
    return on;
}

void value_of_use_release(void *prepared)
{
    coincidence_days_release(prepared);
    free(prepared);
}

/* One setting under work. */
struct work {
    const struct mine_input *input;
    const struct coincidence_days *on;
    size_t actor;
    uint16_t state_of_use;
    struct gate_case *cases; /* beginnings of uses, at which something was told */
    int64_t *lag_ms;         /* by case, to the act; of those that are followed */
    size_t count, capacity, lag_capacity;
};

static const struct actor *actor_of(const struct work *work)
{
    return &work->input->actors->list[work->actor];
}

/* Whether the device has another value just before that time. */
static bool is_free(const struct work *work, int64_t time_ms)
{
    const struct history_entity *e = actor_state(actor_of(work), work->input->history, 0);
    size_t i = history_find_change(e, time_ms);
    return i > 0 && acts_is_free(e->state[i - 1], RULE_SET);
}

static void add_case(struct work *work, int64_t begin_ms, int day)
{
    const struct acts *acts = &actor_of(work)->acts[RULE_SET];
    size_t next = acts_find(acts->list, acts->count, begin_ms);
    bool followed = next < acts->count && acts->list[next].time_ms <= begin_ms + SETTINGS_OF_USE_MS;
    if (!followed && !is_free(work, begin_ms))
        return;
    int64_t bin = (begin_ms - work->on->start_ms[day]) / (GATES_BIN_S * 1000);
    work->cases = grow_array(work->cases, work->count, &work->capacity, sizeof *work->cases);
    work->lag_ms = grow_array(work->lag_ms, work->count, &work->lag_capacity, sizeof *work->lag_ms);
    work->lag_ms[work->count] = followed ? acts->list[next].time_ms - begin_ms : 0;
    work->cases[work->count++] = (struct gate_case){
        .time_ms = begin_ms,
        .day = day,
        .bin = (uint8_t)(bin < GATES_BIN_COUNT ? bin : GATES_BIN_COUNT - 1),
        .followed = followed,
        .fires = 1,
    };
}

/* The day from which on uses are looked at. */
static int first_day(const struct work *work)
{
    int first = work->on->training_count - TRIGGER_GATES_DAYS;
    return work->on->training_count > 0 ? work->on->training[first > 0 ? first : 0] : 0;
}

/* The beginnings of uses on the latest training days. */
static void find_cases(struct work *work)
{
    const struct history_entity *e = &work->input->history->entities[actor_of(work)->entities[0]];
    const struct days *days = work->input->days;
    int day = first_day(work);
    for (size_t i = history_find_change(e, work->on->start_ms[day]); i < e->changes; i++) {
        int64_t at = e->time_ms[i];
        while (day < days->count - 1 && work->on->start_ms[day + 1] <= at)
            day++;
        if (i > 0 && e->state[i] == work->state_of_use && !acts_is_absent(e->state[i - 1]) &&
            days_role(days, day) == DAY_TRAINING && work->count < TRIGGER_GATES_OCCASIONS_MAX)
            add_case(work, at, day);
    }
}

static void mark_cases(struct work *work)
{
    int64_t *times = xcalloc(work->count, sizeof *times);
    uint64_t *holds = xcalloc(work->count, sizeof *holds);
    for (size_t i = 0; i < work->count; i++)
        times[i] = work->cases[i].time_ms;
    gates_mark(work->input->gates, times, work->count, holds);
    for (size_t i = 0; i < work->count; i++)
        work->cases[i].holds = holds[i];
    free(holds);
    free(times);
}

/* Days with cases at which the conditions hold, and how many of these got the value: what happens
 * several times a day is one witness. */
struct tally {
    int days, followed_days, acts;
    double followed;
};

static void count_days(const struct work *work, const struct gate_choice *choice,
                       struct tally *tally)
{
    *tally = (struct tally){0};
    for (size_t from = 0, to; from < work->count; from = to) {
        int cases = 0, followed = 0;
        for (to = from; to < work->count && work->cases[to].day == work->cases[from].day; to++) {
            if (choice->count > 0 && !gates_hold(work->input->gates, choice, &work->cases[to]))
                continue;
            cases++;
            followed += work->cases[to].followed;
        }
        tally->days += cases > 0;
        tally->followed += cases > 0 ? (double)followed / cases : 0;
        tally->followed_days += followed > 0;
        tally->acts += followed;
    }
}

/* The conditions that tell when it gets the value; none as well. */
static void choose_gates(struct work *work, struct gate_choice *choice)
{
    size_t entity = actor_of(work)->entities[0];
    *choice = (struct gate_choice){.share = 1};
    if (work->input->gates == NULL)
        return;
    mark_cases(work);
    const struct gate_question question = {
        .cases = work->cases,
        .count = work->count,
        .kinds = ((1U << GATE_KIND_COUNT) - 1) & ~(1U << GATE_REST),
        .odds = odds,
        .trigger = entity,
        .target = entity,
        .usual = USUAL,
        .precision_min = AS_OFTEN_AS_NOT,
    };
    if (gates_are_worth_it(work->input->gates, &question))
        gates_choose(work->input->gates, &question, choice);
}

/* The chance that it is chosen on so many days when it is chosen as often as not. Nothing between
 * no and yes spreads wider than a coin (Hoeffding 1963). */
static double as_often_as_not(const struct tally *tally)
{
    return stats_binomial_upper((int)floor(tally->followed + ROUNDING), tally->days,
                                AS_OFTEN_AS_NOT);
}

/* With conditions the odds against one rate everywhere, all predicates paid for, bound the chance
 * (Markov's inequality); without, it must be surely chosen more often than not. */
static double p_value_of(const struct gate_choice *choice, const struct tally *tally)
{
    return choice->count > 0 ? exp(-choice->gain) : as_often_as_not(tally) / BARE_ODDS;
}

/* From switching on to the choice. */
static void measure_lags(const struct work *work, struct habit *habit)
{
    int64_t *lags = xcalloc(work->count, sizeof *lags);
    size_t count = 0;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < work->count; i++)
        if (work->cases[i].followed) {
            double s = (double)work->lag_ms[i] / 1000;
            lags[count++] = work->lag_ms[i];
            sum += s;
            squares += s * s;
        }
    if (count > 0) {
        qsort(lags, count, sizeof *lags, order_int64);
        double mean = sum / (double)count;
        habit->lag_s = (int)((lags[count / 2] + 500) / 1000);
        habit->spread_s = (int)sqrt(fmax(squares / (double)count - mean * mean, 0));
    }
    free(lags);
}

static void add_habit(const struct work *work, const struct gate_choice *choice,
                      const struct tally *tally, size_t hypothesis, struct mined *out)
{
    const struct actor *actor = actor_of(work);
    const struct history *h = work->input->history;
    struct habit habit = {.rule = {.trigger = {.kind = RULE_TRIGGER_STATE,
                                               .entity_id = actor->entity_ids[0],
                                               .to = h->states[work->state_of_use]},
                                   .weekdays = RULE_EVERY_DAY,
                                   .entity_ids = actor->entity_ids,
                                   .entity_count = actor->count,
                                   .verb = RULE_SET,
                                   .values = {actor->value},
                                   .value_count = 1},
                          .actor = work->actor,
                          .hypothesis = hypothesis,
                          .occurrences = tally->acts,
                          .matching_days = tally->followed_days,
                          .training_days = tally->days,
                          .typical_second = -1};
    measure_lags(work, &habit);
    gates_write(choice, &habit.rule);
    mined_add_habit(out, &habit);
}

void mine_value_of_use(const struct mine_input *input, const void *prepared, size_t actor,
                       struct mined *out)
{
    struct work work = {.input = input, .on = prepared, .actor = actor};
    work.state_of_use =
        settings_state_of_use(input->actors, actor_of(&work)->entities[0], input->history);
    find_cases(&work);
    struct gate_choice bare = {.share = 1}, gated;
    struct tally all, within;
    count_days(&work, &bare, &all);
    if (all.followed_days >= MINE_MATCHING_DAYS_MIN) {
        choose_gates(&work, &gated);
        count_days(&work, &gated, &within);
        double p_all = p_value_of(&bare, &all), p_within = p_value_of(&gated, &within);
        bool is_gated = gated.count > 0 && p_within < p_all;
        out->hypotheses_tested++;
        size_t hypothesis = mined_add_p_value(out, fmin(is_gated ? p_within : p_all, 1));
        const struct tally *tally = is_gated ? &within : &all;
        if (out->p_values[hypothesis] <= GO_ON_P &&
            tally->followed_days >= MINE_MATCHING_DAYS_MIN && as_often_as_not(tally) <= LIKELY_P)
            add_habit(&work, is_gated ? &gated : &bare, tally, hypothesis, out);
    }
    free(work.cases);
    free(work.lag_ms);
}
