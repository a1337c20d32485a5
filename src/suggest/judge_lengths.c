#include "suggest/judge_lengths.h"

#include <stdlib.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "mine/watchers.h"
#include "stats/lengths.h"
#include "stats/stats.h"

#define RIGHT_MIN 0.5 /* of the fires that can be told: else it is no help */
#define AUTOMATED_SHARE 0.5
/* As of other rules (judge.c): days with a use left on, days with any use. */
#define REFUTED_TAIL 0.02
enum { LEFT_DAYS_MIN = 3 }; /* on which it was left on, the held-out ones among them */
/* Each of what must not have become more: lengths, uses left on. */
#define MORE_TAIL 0.01

/* What the days of one role show. */
struct seen {
    struct backtest backtest;
    int days;      /* that are not away */
    int use_days;  /* with a use, of these */
    int left_days; /* with a use left on, of these */
    int wanted;    /* uses that people ended and did not leave on */
    int longer;    /* of these, longer than the usual median of the training days */
    int uses, by_machine, left;
};

/* The days are walked through in order: the last ones counted. */
struct walk {
    const struct mine_input *input;
    const bool *away;
    const struct habit *habit;
    struct watchers watchers;
    struct seen seen[DAY_HELD_OUT + 1];
    int use_day, left_day, fire_day;
};

static int day_of(const struct days *days, int64_t time_ms)
{
    struct tz_local local;
    tz_to_local(days->tz, time_ms / 1000, &local);
    return (int)(local.day - days->first);
}

static bool was_left(const struct walk *walk, const struct spell *use)
{
    return use->end_ms - use->begin_ms > (int64_t)walk->habit->lengths.left_s * 1000;
}

static enum backtest_outcome outcome_of(const struct walk *walk, const struct spell *use,
                                        int64_t fire_ms)
{
    if (watchers_saw_all_along(&walk->watchers, fire_ms, use->end_ms))
        return BACKTEST_MISS;
    if (was_left(walk, use))
        return BACKTEST_HIT;
    return use->end == SPELL_BY_PERSON && !use->is_resumed ? BACKTEST_MISS : BACKTEST_IDLE;
}

/* When the rule ends that use; INT64_MIN when it has ended before. */
static int64_t fire_of(const struct walk *walk, const struct spell *use)
{
    int64_t fire_ms = use->begin_ms + (int64_t)walk->habit->rule.trigger.for_s * 1000;
    return use->end_ms > fire_ms ? fire_ms : INT64_MIN;
}

static void count_fire(struct walk *walk, const struct spell *use)
{
    int64_t fire_ms = fire_of(walk, use);
    if (fire_ms == INT64_MIN)
        return;
    int day = day_of(walk->input->days, fire_ms);
    struct backtest *b = &walk->seen[days_role(walk->input->days, day)].backtest;
    enum backtest_outcome outcome = outcome_of(walk, use, fire_ms);
    b->fires++;
    b->hits += outcome == BACKTEST_HIT;
    b->idle += outcome == BACKTEST_IDLE;
    b->misses += outcome == BACKTEST_MISS;
    if (outcome == BACKTEST_HIT && walk->fire_day != day) {
        walk->fire_day = day;
        b->act_days++;
        b->hit_days++;
    }
    b->right = b->hits;
    b->wrong = b->misses;
}

static void count_use(struct walk *walk, const struct spell *use)
{
    enum day_role role = days_role(walk->input->days, use->day);
    struct seen *seen = &walk->seen[role];
    if (role == DAY_INCOMPLETE || walk->away[use->day])
        return;
    bool left = was_left(walk, use);
    seen->uses++;
    seen->left += left;
    seen->by_machine += use->end == SPELL_BY_MACHINE;
    seen->use_days += walk->use_day != use->day;
    seen->left_days += left && walk->left_day != use->day;
    walk->use_day = use->day;
    walk->left_day = left ? use->day : walk->left_day;
    if (left || use->is_resumed || use->end != SPELL_BY_PERSON)
        return;
    seen->wanted++;
    seen->longer += use->end_ms - use->begin_ms > (int64_t)walk->habit->lag_s * 1000;
}

/* The uses of the habit's device, and who watches it. Release both. */
static void find_uses(struct walk *walk, struct spells *uses)
{
    const struct mine_input *input = walk->input;
    const struct actor *actor = &input->actors->list[walk->habit->actor];
    spells_collect(uses, input->history, &input->history->entities[actor->entities[0]],
                   spells_state_of_use(input->history, actor), input->days, input->restarts);
    spells_find_ends(uses, actor);
    watchers_find(&walk->watchers, input->history,
                  input->history->entities[actor->entities[0]].area);
}

static void look_at(struct walk *walk)
{
    const struct mine_input *input = walk->input;
    struct spells uses;
    find_uses(walk, &uses);
    for (size_t i = 0; i < uses.count; i++) {
        count_use(walk, &uses.list[i]);
        count_fire(walk, &uses.list[i]);
    }
    for (int day = 0; day < input->days->count; day++)
        walk->seen[days_role(input->days, day)].days += !walk->away[day];
    for (int role = DAY_TRAINING; role <= DAY_HELD_OUT; role++)
        walk->seen[role].backtest.days =
            days_count(input->days, (enum day_role)role, RULE_EVERY_DAY);
    watchers_release(&walk->watchers);
    spells_release(&uses);
}

void judge_lengths_visit(const struct mine_input *input, const struct habit *habit,
                         judge_lengths_fn fn, void *ctx)
{
    struct walk walk = {.input = input, .habit = habit};
    struct spells uses;
    find_uses(&walk, &uses);
    for (size_t i = 0; i < uses.count; i++) {
        int64_t fire_ms = fire_of(&walk, &uses.list[i]);
        enum backtest_outcome outcome = BACKTEST_IDLE;
        if (fire_ms != INT64_MIN)
            outcome = outcome_of(&walk, &uses.list[i], fire_ms);
        fn(&uses.list[i], fire_ms, outcome, ctx);
    }
    watchers_release(&walk.watchers);
    spells_release(&uses);
}

/* P(at most k of n), when the rate is known from `hit` of `of`. */
static double tail_below(int k, int n, int hit, int of)
{
    return stats_beta_binomial_lower(k, n, hit + 1.0, of - hit + 1.0);
}

static double tail_above(int k, int n, int hit, int of)
{
    return k == 0 ? 1 : 1 - tail_below(k - 1, n, hit, of);
}

/* Whether that is how it is used lately, and was not before. */
static bool is_no_lapse(const struct seen *before, const struct seen *seen)
{
    return seen->left * LENGTHS_OTHERS_SHARE > seen->left + seen->wanted &&
           tail_above(seen->left_days, seen->use_days, before->left_days, before->use_days) <
               MORE_TAIL;
}

/* Whether the held-out days show longer uses than the training days let expect: in their middle, in
 * how often the rule would have been wrong, or in how often it was left on, which then is no lapse
 * any more. */
static bool is_longer(const struct habit *habit, const struct seen *before, const struct seen *seen)
{
    double wrong =
        habit->lengths.wrong_a_week / (habit->lengths.uses_a_week + habit->lengths.wrong_a_week);
    return tail_above(seen->longer, seen->wanted, before->longer, before->wanted) < MORE_TAIL ||
           is_no_lapse(before, seen) ||
           stats_binomial_upper(seen->backtest.misses, seen->wanted, wrong) < REFUTED_TAIL;
}

enum verdict judge_lengths(const struct mine_input *input, const bool *away, struct candidate *c)
{
    struct walk walk = {.input = input,
                        .away = away,
                        .habit = &c->habit,
                        .use_day = -1,
                        .left_day = -1,
                        .fire_day = -1};
    look_at(&walk);
    const struct seen *before = &walk.seen[DAY_TRAINING], *seen = &walk.seen[DAY_HELD_OUT];
    c->training = before->backtest;
    c->held_out = seen->backtest;
    int hits = c->training.hits + c->held_out.hits,
        misses = c->training.misses + c->held_out.misses;
    if (c->habit.lengths.is_meant)
        return VERDICT_MEANT;
    if (hits < RIGHT_MIN * (hits + misses))
        return VERDICT_SELDOM;
    if (before->by_machine + seen->by_machine > AUTOMATED_SHARE * (before->uses + seen->uses))
        return VERDICT_AUTOMATED;
    if (tail_below(seen->use_days, seen->days, before->use_days, before->days) < REFUTED_TAIL)
        return VERDICT_STOPPED;
    if (seen->use_days < MINE_HELD_OUT_DAYS_MIN)
        return VERDICT_LEARNING;
    if (before->left_days + seen->left_days < LEFT_DAYS_MIN)
        return VERDICT_NOT_CONFIRMED;
    if (tail_below(seen->left_days, seen->use_days, before->left_days, before->use_days) <
        REFUTED_TAIL)
        return VERDICT_FADED;
    return is_longer(&c->habit, before, seen) ? VERDICT_LONGER : VERDICT_SUGGESTED;
}
