/* Habits on a dial, in rounds: scan every day class for its best window (scan.h); the smallest
 * p-value, weighted by the class's share of the error budget, is the round's hypothesis. If it is
 * small, the rule's time is the mean of the acts there (robust against other use), the class is the
 * one with the most evidence, the habit's acts are taken out and the next round looks for another.
 */
#include "mine/time_scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "mine/scan.h"
#include "mine/time_fit.h"
#include "stats/stats.h"

/* Day classes, from simple to special. `error_share` splits the error budget of one hypothesis (a
 * habit of few days shows among all days too, so these get most of it); `prior` is how likely a
 * habit is of this class before looking. Each sums to 1. */
static const struct day_class {
    unsigned weekdays;
    double error_share, prior;
} day_classes[] = {
    {RULE_EVERY_DAY, 0.68, 0.5}, {RULE_WEEKDAYS, 0.15, 0.25}, {RULE_WEEKEND, 0.10, 0.11},
    {1U << 0, 0.01, 0.02},       {1U << 1, 0.01, 0.02},       {1U << 2, 0.01, 0.02},
    {1U << 3, 0.01, 0.02},       {1U << 4, 0.01, 0.02},       {1U << 5, 0.01, 0.02},
    {1U << 6, 0.01, 0.02},
};
enum { CLASS_COUNT = sizeof day_classes / sizeof *day_classes };

enum {
    ROUNDS_MAX = 8, /* habits of one entity and state */
    MIDNIGHT_S = 15 * 60,
    EPISODE_GAP_MS = 5 * 60 * 1000, /* acts nearer than this are one use of the device */
    HIT_S = 15 * 60,                /* design 2.2 */
    LEARNING_DAYS_MIN = 3,
    LEARNING_REACH_MAX_S = 15 * 60,
};
/* Beta priors of the day classes: people keep a habit on some 75 % of its days (50-95 %); on other
 * days the same time sees what the use around it gives, known as well as from 8 days. */
#define HABIT_PRIOR_ACTS 9.0
#define HABIT_PRIOR_OMISSIONS 3.0
#define CHANCE_PRIOR_DAYS 8.0
#define CHANCE_MIN 0.09
#define CHANCE_MAX 0.5
#define SURE_P 1e-3
#define GO_ON_P 0.05      /* a round that finds less ends the search */
#define SHARE_MIN 0.33    /* of the days of its class: what is rarer is no habit */
#define PRECISION_MIN 0.5 /* wrong more often than right it is no help */
#define LEARNING_SHARE_MIN 0.6
/* Three Saturdays with an act within a quarter of an hour are no rarity: what chance gives more
 * often than this is not even worth watching (docs/miner.md). */
#define LEARNING_P 0.2

/* Whether a habit found before explains an act. A doubtful one may only be the thick part of a
 * broad bump, whose rest would look narrow without it: its acts stay part of the profile. */
enum taken { TAKEN_NOT, TAKEN_DOUBTFULLY, TAKEN_SURELY };

/* One entity and state under work. */
struct work {
    const struct mine_input *input;
    size_t actor;
    enum rule_verb verb;
    const struct dial *dial;
    struct acts acts;           /* by the dial */
    uint8_t *taken;             /* enum taken, by act */
    struct scan_act *scan_acts; /* room for acts.count */
    bool *eligible;             /* room for days.count */
    uint16_t *free_s;           /* for scan_find */
};

/* Seconds since the act before when they are one episode, else 0. */
static int episode_gap(const struct work *work, size_t i)
{
    if (i == 0 || work->taken[i - 1] == TAKEN_SURELY)
        return 0;
    int64_t gap_ms = work->acts.list[i].time_ms - work->acts.list[i - 1].time_ms;
    return gap_ms < EPISODE_GAP_MS ? (int)(gap_ms / 1000) + 1 : 0;
}

/* Seconds off, by day and quarter of an hour of the dial (a change of the clock shifts its own day
 * a little). */
static uint16_t *count_free(const struct dial *dial, const struct history_entity *entity)
{
    const struct days *days = &dial->days;
    uint16_t *free_s = xcalloc((size_t)days->count * SCAN_STEP_COUNT, sizeof *free_s);
    size_t i = 0;
    for (int day = 0; day < days->count; day++) {
        int64_t at = dial->start_ms[day];
        for (int step = 0; step < SCAN_STEP_COUNT; step++) {
            int64_t end = at + SCAN_STEP_S * 1000, off_ms = 0;
            while (at < end) {
                for (; i < entity->changes && entity->time_ms[i] <= at; i++)
                    ;
                int64_t until =
                    i < entity->changes && entity->time_ms[i] < end ? entity->time_ms[i] : end;
                off_ms += i > 0 && entity->state[i - 1] == HISTORY_STATE_OFF ? until - at : 0;
                at = until;
            }
            free_s[day * SCAN_STEP_COUNT + step] = (uint16_t)(off_ms / 1000);
        }
    }
    return free_s;
}

static struct scan_window work_scan(struct work *work, unsigned weekdays)
{
    const struct days *days = &work->dial->days;
    for (int day = 0; day < days->count; day++)
        work->eligible[day] = days_match(days, day, DAY_TRAINING, weekdays);
    size_t count = 0;
    for (size_t i = 0; i < work->acts.count; i++)
        if (work->taken[i] != TAKEN_SURELY)
            work->scan_acts[count++] = (struct scan_act){.second = work->acts.list[i].second,
                                                         .day = work->acts.list[i].day,
                                                         .taken = work->taken[i] != TAKEN_NOT,
                                                         .gap_s = episode_gap(work, i)};
    struct scan_input input = {.acts = work->scan_acts,
                               .count = count,
                               .eligible = work->eligible,
                               .day_count = days->count,
                               .free_s = work->free_s};
    dial_range(work->dial, &input.from, &input.to);
    return scan_find(&input);
}

/* From the acts around a middle, on the training days of a class. */
static struct time_fit fit_time(const struct work *work, unsigned weekdays, int center)
{
    double *times = xcalloc(work->acts.count, sizeof *times);
    size_t count = 0;
    for (size_t i = 0; i < work->acts.count; i++) {
        int offset;
        int day = acts_day_near(&work->acts.list[i], center, &offset);
        if (!work->taken[i] && abs(offset) <= TIME_FIT_REACH_S &&
            days_match(&work->dial->days, day, DAY_TRAINING, weekdays))
            times[count++] = center + offset;
    }
    struct time_fit fit = time_fit_run(times, count, center);
    free(times);
    return fit;
}

static int fit_second(const struct time_fit *fit)
{
    return stats_circular_wrap((int)lround(fit->center / 60.0) * 60);
}

/* Training days of each day of the week on which there was an act near `second`; *acts counts all
 * of them. */
static void count_matching(const struct work *work, int second, int reach, int days[7], int *acts,
                           unsigned weekdays)
{
    memset(days, 0, 7 * sizeof *days);
    *acts = 0;
    uint8_t *seen = xcalloc((size_t)work->dial->days.count, sizeof *seen);
    for (size_t i = 0; i < work->acts.count; i++) {
        int offset;
        int day = acts_day_near(&work->acts.list[i], second, &offset);
        if (work->taken[i] || abs(offset) > reach ||
            !days_match(&work->dial->days, day, DAY_TRAINING, weekdays))
            continue;
        ++*acts;
        if (!seen[day]++)
            days[days_weekday(&work->dial->days, day)]++;
    }
    free(seen);
}

static bool is_free(const struct work *work, int64_t time_ms)
{
    const struct actor *actor = &work->input->actors->list[work->actor];
    for (size_t i = 0; i < actor->count; i++) {
        const struct history_entity *e = actor_state(actor, work->input->history, i);
        size_t change = history_find_change(e, time_ms);
        if (change > 0 && acts_is_free(e->state[change - 1], work->verb))
            return true;
    }
    return false;
}

/* The training days of a class that speak for or against a time. What is set stays so, often for
 * days: a day on which it had that value already says nothing, unless somebody acted. */
static void count_telling(const struct work *work, int second, int reach, unsigned weekdays,
                          int telling[7])
{
    const struct days *days = &work->dial->days;
    for (int d = 0; d < 7; d++)
        telling[d] = days_count(days, DAY_TRAINING, weekdays & 1U << d);
    if (work->verb != RULE_SET)
        return;
    bool *has_acted = xcalloc((size_t)days->count, sizeof *has_acted);
    for (size_t i = 0; i < work->acts.count; i++) {
        int offset;
        int day = acts_day_near(&work->acts.list[i], second, &offset);
        if (!work->taken[i] && abs(offset) <= reach &&
            days_match(days, day, DAY_TRAINING, weekdays))
            has_acted[day] = true;
    }
    for (int day = 0; day < days->count; day++)
        if (days_match(days, day, DAY_TRAINING, weekdays) && !has_acted[day] &&
            !is_free(work, dial_fire_ms(work->dial, day, second)))
            telling[days_weekday(days, day)]--;
    free(has_acted);
}

static int sum_days(const int days[7])
{
    int sum = 0;
    for (int d = 0; d < 7; d++)
        sum += days[d];
    return sum;
}

/* Hits (within 15 minutes of `second`) a day that the use farther away would give. */
static double chance_hits(const struct work *work, const struct time_fit *fit, unsigned weekdays)
{
    const int from = TIME_FIT_NEAR_MAX_S, to = 5 * 3600 / 2;
    int acts = 0;
    for (size_t i = 0; i < work->acts.count; i++) {
        int offset;
        int day = acts_day_near(&work->acts.list[i], fit_second(fit), &offset);
        acts += !work->taken[i] && abs(offset) > from && abs(offset) <= to &&
                days_match(&work->dial->days, day, DAY_TRAINING, weekdays);
    }
    int days = days_count(&work->dial->days, DAY_TRAINING, weekdays);
    return days == 0 ? 0 : (double)acts / days * (2.0 * HIT_S) / (2.0 * (to - from));
}

/* The class with the highest posterior: within it the act happens at one rate (most days), outside
 * at another (chance); the rates are integrated out, so that a split must earn its place. */
static unsigned choose_class(const struct work *work, const struct time_fit *fit,
                             double *best_score)
{
    int hits[7], telling[7], acts, best = 0;
    int reach = time_fit_reach(fit->spread);
    count_matching(work, fit_second(fit), reach, hits, &acts, RULE_EVERY_DAY);
    count_telling(work, fit_second(fit), reach, RULE_EVERY_DAY, telling);
    *best_score = -INFINITY;
    for (int c = 0; c < CLASS_COUNT; c++) {
        unsigned weekdays = day_classes[c].weekdays;
        int in_hits = 0, in_days = 0, out_hits = 0, out_days = 0;
        for (int d = 0; d < 7; d++) {
            int n = telling[d];
            bool inside = weekdays >> d & 1U;
            *(inside ? &in_hits : &out_hits) += hits[d];
            *(inside ? &in_days : &out_days) += n;
        }
        double chance = chance_hits(work, fit, RULE_EVERY_DAY & ~weekdays) * reach / HIT_S;
        chance = fmin(fmax(chance, CHANCE_MIN), CHANCE_MAX);
        double score =
            log(day_classes[c].prior) +
            stats_log_beta_evidence(in_hits, in_days, HABIT_PRIOR_ACTS, HABIT_PRIOR_OMISSIONS) +
            stats_log_beta_evidence(out_hits, out_days, CHANCE_PRIOR_DAYS * chance,
                                    CHANCE_PRIOR_DAYS * (1 - chance));
        if (score > *best_score) {
            *best_score = score;
            best = c;
        }
    }
    return day_classes[best].weekdays;
}

/* ---- conditions ---------------------------------------------------------------------------- */

/* What the rule met on the training days of a class. */
struct met {
    struct gate_case *cases; /* days on which it could act */
    size_t count;
    int *acts; /* by day: how many near its time */
};

static void met_init(struct met *met, const struct work *work, int second, int reach,
                     unsigned weekdays)
{
    const struct days *days = &work->dial->days;
    const struct gates *gates = work->input->gates;
    *met = (struct met){.cases = xcalloc((size_t)days->count, sizeof *met->cases),
                        .acts = xcalloc((size_t)days->count, sizeof *met->acts)};
    for (size_t i = 0; i < work->acts.count; i++) {
        int offset;
        int day = acts_day_near(&work->acts.list[i], second, &offset);
        if (!work->taken[i] && abs(offset) <= reach &&
            days_match(days, day, DAY_TRAINING, weekdays))
            met->acts[day]++;
    }
    for (int day = 0; day < days->count; day++) {
        if (!days_match(days, day, DAY_TRAINING, weekdays) || gates->away[day])
            continue;
        struct gate_case at = {.time_ms = dial_fire_ms(work->dial, day, second),
                               .day = day,
                               .fires = 1,
                               .followed = met->acts[day] > 0};
        if (!at.followed && !is_free(work, at.time_ms))
            continue;
        gates_mark(gates, &at.time_ms, 1, &at.holds);
        met->cases[met->count++] = at;
    }
}

static void met_release(struct met *met)
{
    free(met->cases);
    free(met->acts);
}

/* How well a class with conditions explains on which days it happened. */
static double met_evidence(const struct work *work, const struct met *met, double chance,
                           unsigned weekdays, const struct gate_choice *choice)
{
    int days[2] = {0, 0}, hits[2] = {0, 0};
    for (size_t i = 0; i < met->count; i++) {
        const struct gate_case *at = &met->cases[i];
        bool in = (weekdays >> days_weekday(&work->dial->days, at->day) & 1U) &&
                  gates_hold(work->input->gates, choice, at);
        days[in]++;
        hits[in] += at->followed;
    }
    double prior = 0;
    for (int c = 0; c < CLASS_COUNT; c++)
        prior = day_classes[c].weekdays == weekdays ? day_classes[c].prior : prior;
    return log(prior) + log(choice->share) +
           stats_log_beta_evidence(hits[1], days[1], HABIT_PRIOR_ACTS, HABIT_PRIOR_OMISSIONS) +
           stats_log_beta_evidence(hits[0], days[0], CHANCE_PRIOR_DAYS * chance,
                                   CHANCE_PRIOR_DAYS * (1 - chance));
}

/* The conditions that tell on which days of the class it happens; on all days when that tells
 * better than the class. Days off and a person who is home then look alike. */
static void choose_gates(const struct work *work, const struct time_fit *fit, unsigned *weekdays,
                         struct gate_choice *choice)
{
    *choice = (struct gate_choice){.share = 1};
    if (work->input->gates == NULL)
        return;
    int reach = time_fit_reach(fit->spread);
    const struct actor *actor = &work->input->actors->list[work->actor];
    double best = -INFINITY;
    unsigned kinds = 1U << GATE_PRESENCE | 1U << GATE_MODE | 1U << GATE_HELPER | 1U << GATE_LIGHT;
    if (work->dial->kind == DIAL_CLOCK)
        kinds |= 1U << GATE_SUN;
    const unsigned classes[] = {*weekdays, RULE_EVERY_DAY};
    struct met all;
    met_init(&all, work, fit_second(fit), reach, RULE_EVERY_DAY);
    for (int c = 0; c < (*weekdays == RULE_EVERY_DAY ? 1 : 2); c++) {
        struct met met;
        struct gate_choice one;
        double chance = chance_hits(work, fit, classes[c]) * reach / HIT_S;
        chance = fmin(fmax(chance, CHANCE_MIN), CHANCE_MAX);
        met_init(&met, work, fit_second(fit), reach, classes[c]);
        const struct gate_question question = {.cases = met.cases,
                                               .count = met.count,
                                               .kinds = kinds,
                                               .trigger = SIZE_MAX,
                                               .target = actor->entities[0],
                                               .usual = chance,
                                               .precision_min = PRECISION_MIN,
                                               .odds = gates_odds};
        gates_choose(work->input->gates, &question, &one);
        double evidence = met_evidence(work, &all, chance, classes[c], &one);
        if (evidence > best && (c == 0 || one.count > 0)) {
            best = evidence;
            *choice = one;
            *weekdays = classes[c];
        }
        met_release(&met);
    }
    met_release(&all);
}

/* The days of a rule with conditions are those on which they hold at its time. */
static void count_met(const struct work *work, int second, int reach,
                      const struct gate_choice *choice, struct habit *habit)
{
    struct met met;
    const struct days *days = &work->dial->days;
    met_init(&met, work, second, reach, habit->rule.weekdays);
    habit->occurrences = habit->matching_days = habit->training_days = 0;
    for (int day = 0; day < days->count; day++) {
        struct gate_case at = {.time_ms = dial_fire_ms(work->dial, day, second), .day = day};
        gates_mark(work->input->gates, &at.time_ms, 1, &at.holds);
        if (!days_match(days, day, DAY_TRAINING, habit->rule.weekdays) ||
            !gates_hold(work->input->gates, choice, &at))
            continue;
        habit->training_days++;
        habit->matching_days += met.acts[day] > 0;
        habit->occurrences += met.acts[day];
    }
    met_release(&met);
}

/* ---- habits -------------------------------------------------------------------------------- */

/* Time and class together. Around midnight the two depend on each other: weekdays at 23:55 are
 * Tuesday to Saturday at 00:05. There, the side of midnight with the more plausible class wins, and
 * the time stops at midnight. */
static unsigned fit_habit(const struct work *work, unsigned weekdays, int center,
                          struct time_fit *fit)
{
    double score, other_score;
    *fit = fit_time(work, weekdays, center);
    unsigned chosen = choose_class(work, fit, &score);
    struct time_fit other = *fit;
    int to_midnight = stats_circular_difference(fit_second(fit), 0);
    if (work->dial->kind != DIAL_CLOCK)
        to_midnight = STATS_DAY_S; /* the sun's circles begin where nothing is looked for */
    if (abs(to_midnight) <= MIDNIGHT_S) {
        other.center = to_midnight < 0 ? 0 : STATS_DAY_S - 60;
        unsigned other_chosen = choose_class(work, &other, &other_score);
        if (other_score > score) {
            *fit = other;
            return other_chosen;
        }
    }
    *fit = fit_time(work, chosen, fit_second(fit));
    if (abs(to_midnight) <= MIDNIGHT_S &&
        to_midnight * stats_circular_difference(fit_second(fit), 0) < 0)
        fit->center = to_midnight < 0 ? STATS_DAY_S - 60 : 0;
    return chosen;
}

/* Takes a found habit's acts, on the days of its class. */
static void work_take(struct work *work, unsigned weekdays, int second, int reach, enum taken how)
{
    for (size_t i = 0; i < work->acts.count; i++) {
        int offset;
        int day = acts_day_near(&work->acts.list[i], second, &offset);
        if (abs(offset) <= reach && (weekdays >> days_weekday(&work->dial->days, day) & 1U))
            work->taken[i] = (uint8_t)how;
    }
}

static bool is_class(unsigned weekdays)
{
    for (int c = 0; c < CLASS_COUNT; c++)
        if (day_classes[c].weekdays == weekdays)
            return true;
    return false;
}

/* The local time at which it happens, on an average training day. */
static int typical_second(const struct dial *dial, int second, unsigned weekdays)
{
    int64_t sum = 0;
    int count = 0, first = 0;
    for (int day = 0; day < dial->days.count; day++) {
        if (!days_match(&dial->days, day, DAY_TRAINING, weekdays))
            continue;
        int local = dial_local_second(dial, day, second);
        first = count++ == 0 ? local : first;
        sum += stats_circular_difference(local, first);
    }
    return count == 0 ? -1 : stats_circular_wrap(first + (int)(sum / count));
}

/* One habit found in two halves, at one time on weekdays and at weekends, is one of all days. */
static bool merge_habit(const struct work *work, struct mined *out, const struct habit *habit)
{
    int own, second;
    dial_of_trigger(&habit->rule.trigger, &own);
    for (size_t i = 0; i < out->habit_count; i++) {
        struct habit *other = &out->habits[i];
        enum dial_kind kind = dial_of_trigger(&other->rule.trigger, &second);
        int apart = stats_circular_difference(own, second);
        if (kind != work->dial->kind || other->actor != habit->actor ||
            other->rule.condition_count + habit->rule.condition_count > 0 ||
            other->rule.verb != habit->rule.verb || abs(apart) > TIME_FIT_NEAR_MIN_S ||
            (other->rule.weekdays & habit->rule.weekdays) != 0 ||
            !is_class(other->rule.weekdays | habit->rule.weekdays))
            continue;
        int days = other->matching_days + habit->matching_days;
        second = stats_circular_wrap((second + apart * habit->matching_days / days + 30) / 60 * 60);
        other->rule.trigger = dial_trigger(work->dial, second);
        other->rule.weekdays |= habit->rule.weekdays;
        other->typical_second = typical_second(work->dial, second, other->rule.weekdays);
        other->occurrences += habit->occurrences;
        other->matching_days = days;
        other->training_days += habit->training_days;
        other->spread_s = other->spread_s > habit->spread_s ? other->spread_s : habit->spread_s;
        other->chance_hits = fmax(other->chance_hits, habit->chance_hits);
        return true;
    }
    return false;
}

/* Turns a window into a habit and takes its acts. */
static void work_found(struct work *work, const struct scan_window *window, unsigned weekdays,
                       size_t hypothesis, struct mined *out)
{
    struct time_fit fit;
    struct gate_choice choice;
    weekdays = fit_habit(work, weekdays, window->center, &fit);
    choose_gates(work, &fit, &weekdays, &choice);
    int days[7], telling[7], acts, reach = time_fit_reach(fit.spread);
    const struct actor *actor = &work->input->actors->list[work->actor];
    count_matching(work, fit_second(&fit), reach, days, &acts, weekdays);
    count_telling(work, fit_second(&fit), reach, weekdays, telling);
    struct habit habit = {
        .rule = {.trigger = dial_trigger(work->dial, fit_second(&fit)),
                 .weekdays = weekdays,
                 .entity_ids = actor->entity_ids,
                 .entity_count = actor->count,
                 .verb = work->verb,
                 .values = {actor->value},
                 .value_count = work->verb == RULE_SET},
        .actor = work->actor,
        .hypothesis = hypothesis,
        .occurrences = acts,
        .matching_days = sum_days(days),
        .training_days = sum_days(telling),
        .spread_s = (int)lround(fit.spread),
        .chance_hits = chance_hits(work, &fit, weekdays),
        .typical_second = typical_second(work->dial, fit_second(&fit), weekdays),
    };
    if (choice.count > 0) {
        count_met(work, fit_second(&fit), reach, &choice, &habit);
        gates_write(&choice, &habit.rule);
    }
    if (habit.matching_days >= SHARE_MIN * habit.training_days &&
        dial_stays_on_day(work->dial, fit_second(&fit), weekdays) &&
        !merge_habit(work, out, &habit))
        mined_add_habit(out, &habit);
    int clear = (int)fmax(3 * fit.spread, TIME_FIT_NEAR_MIN_S * 2);
    work_take(work, weekdays, fit_second(&fit), clear,
              window->p_value <= SURE_P ? TAKEN_SURELY : TAKEN_DOUBTFULLY);
}

/* A class that is too young for proof, but whose acts already lie close together. */
static bool work_is_learning(const struct work *work, const struct scan_window *window,
                             unsigned weekdays, struct learning *out)
{
    int training = days_count(&work->dial->days, DAY_TRAINING, weekdays);
    if (window->p_value > LEARNING_P || window->days < LEARNING_DAYS_MIN ||
        window->reach_s > LEARNING_REACH_MAX_S || window->days >= MINE_MATCHING_DAYS_MIN ||
        window->days < LEARNING_SHARE_MIN * training)
        return false;
    int second = stats_circular_wrap(window->center / 60 * 60);
    *out = (struct learning){.actor = work->actor,
                             .verb = work->verb,
                             .trigger = dial_trigger(work->dial, second),
                             .weekdays = weekdays,
                             .matching_days = window->days,
                             .training_days = training};
    double rate = (double)window->days / training;
    int needed = (int)ceil(MINE_MATCHING_DAYS_MIN / rate); /* training days of its class */
    int of_class = rule_weekday_count(weekdays);
    int all = (needed * 7 + of_class - 1) / of_class; /* training days of any class */
    int held_out = (int)fmax(DAYS_HELD_OUT_MIN, ceil(all / (DAYS_HELD_OUT_SHARE - 1.0)));
    int held_out_class = (MINE_HELD_OUT_DAYS_MIN * 7 + of_class - 1) / of_class;
    held_out = held_out > held_out_class ? held_out : held_out_class;
    int have = work->dial->days.training + work->dial->days.held_out;
    out->days_missing = all + held_out > have ? all + held_out - have : 1;
    return true;
}

/* One round: false when there is nothing (more) to find. */
static bool work_round(struct work *work, struct mined *out, struct learning *learning,
                       bool *is_learning)
{
    struct scan_window best = {.p_value = 1.0};
    unsigned best_weekdays = RULE_EVERY_DAY;
    int tested = 0;
    for (int c = 0; c < CLASS_COUNT; c++) {
        unsigned weekdays = day_classes[c].weekdays;
        if (*is_learning &&
            days_count(&work->dial->days, DAY_TRAINING, weekdays) < MINE_MATCHING_DAYS_MIN)
            continue; /* too young for proof, and nothing more to learn */
        struct scan_window window = work_scan(work, weekdays);
        if (!*is_learning)
            *is_learning = work_is_learning(work, &window, weekdays, learning);
        if (window.days < MINE_MATCHING_DAYS_MIN)
            continue;
        tested++;
        window.p_value = fmin(1.0, window.p_value / day_classes[c].error_share);
        if (window.p_value < best.p_value) {
            best = window;
            best_weekdays = weekdays;
        }
    }
    if (tested == 0)
        return false;
    out->hypotheses_tested += (uint64_t)tested;
    size_t hypothesis = mined_add_p_value(out, best.p_value);
    if (best.p_value > GO_ON_P)
        return false;
    work_found(work, &best, best_weekdays, hypothesis, out);
    return true;
}

void time_scan_run(const struct mine_input *input, const struct dial *dial, size_t actor,
                   enum rule_verb verb, struct mined *out)
{
    const struct actor *who = &input->actors->list[actor];
    struct work work = {.input = input, .actor = actor, .verb = verb, .dial = dial};
    if (who->acts[verb].count == 0)
        return;
    dial_place_acts(dial, &who->acts[verb], &work.acts);
    work.scan_acts = xcalloc(work.acts.count, sizeof *work.scan_acts);
    work.taken = xcalloc(work.acts.count, sizeof *work.taken);
    work.eligible = xcalloc((size_t)dial->days.count, sizeof *work.eligible);
    /* switching off hangs on switching on: the time on is a duration, not an opportunity */
    if (verb != RULE_TURN_OFF)
        work.free_s = count_free(dial, actor_state(who, input->history, 0));
    struct learning learning;
    bool is_learning = dial->kind != DIAL_CLOCK, found = is_learning; /* the clock's shows it */
    for (int round = 0; round < ROUNDS_MAX && work_round(&work, out, &learning, &is_learning);
         round++)
        found = true;
    if (is_learning && !found)
        mined_add_learning(out, &learning);
    acts_release(&work.acts);
    free(work.scan_acts);
    free(work.eligible);
    free(work.taken);
    free(work.free_s);
}
