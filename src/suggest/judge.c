/* Each habit is examined alone first (what it is, what the held-out days say); then those of one
 * action contend for the acts that they explain; what stands is replayed together. */
#include "suggest/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/order.h"
#include "core/xalloc.h"
#include "mine/away.h"
#include "mine/choose.h"
#include "stats/stats.h"
#include "suggest/barred.h"
#include "suggest/chosen.h"
#include "suggest/dark.h"
#include "suggest/gain.h"
#include "suggest/health.h"
#include "suggest/judge_lengths.h"
#include "suggest/safety.h"

enum { SAME_MOMENT_S = 60 };
#define PRECISION_MIN 0.5 /* real, but wrong more often than right: no help to anyone */
/* What the training days let expect of the held-out ones is a rate that is itself only known as
 * Beta(hits + 1, omissions + 2): the second omission for having chosen the rule by these days. With
 * the plain rate in its place the binomial tail at the same 2 % refutes 2 to 9 % of true habits;
 * this one less than 1 % (docs/miner.md). */
#define REFUTED_TAIL 0.02
#define PRIOR_KEPT 1.0
#define PRIOR_OMITTED 2.0
#define STOPPED_DAYS_MIN 3  /* days off come in twos: a weekend away, a cold */
#define AUTOMATED_SHARE 0.5 /* of a rule's days: an automation did it already */
#define YOUNG_SHARE 0.6     /* of its days: what is rarer would not be sure with more of them */
#define SURE_P 0.05         /* a value that is wrong on half of the days is seen at once */
#define ROUNDING 1e-9
#define SAME_ACTS_SHARE 0.5 /* of a rule's hits: another rule explains them */
/* The rule was chosen by the training days, and habits change: a miss more than one would expect.
 */
#define SCORE_PRIOR_HITS 1.0
#define SCORE_PRIOR_MISSES 2.0

const char *const judge_reasons[VERDICT_COUNT] = {
    [VERDICT_NOT_SIGNIFICANT] = "not_significant",
    [VERDICT_NOT_EXPRESSIBLE] = "not_expressible",
    [VERDICT_UNSAFE] = "unsafe",
    [VERDICT_CLOCK_OR_SUN] = "clock_or_sun",
    [VERDICT_SENSOR_DEAD] = "sensor_dead",
    [VERDICT_SENSOR_FLAPPING] = "sensor_flapping",
    [VERDICT_DARK] = "left_in_the_dark",
    [VERDICT_SELDOM] = "seldom_right",
    [VERDICT_AUTOMATED] = "automated_already",
    [VERDICT_NOT_CONFIRMED] = "held_out_without_hit",
    [VERDICT_FADED] = "held_out_faded",
    [VERDICT_STOPPED] = "stopped",
    [VERDICT_UNCONDITIONAL] = "held_out_without_condition",
    [VERDICT_CHANCE] = "held_out_no_better_than_chance",
    [VERDICT_MEANT] = "long_on_purpose",
    [VERDICT_LONGER] = "held_out_longer",
    [VERDICT_TOO_OFTEN] = "fires_too_often",
    [VERDICT_EXPLAINED] = "explained_by_another",
    [VERDICT_DUPLICATE] = "duplicate",
    [VERDICT_CONTRADICTED] = "contradicted_by_another",
    [VERDICT_PART] = "part_of_a_chain",
};

/* A rule's fires, by day: what happens twice on a day is one witness. Away days are left out; of a
 * state's rule also those on which it only found the target in that state, as it often does. A time
 * that does so all the time is one that nobody keeps any more. */
struct tally {
    int fired, hit; /* days with a fire, with a hit */
    int kept;       /* with a hit, or with the act at least within the recall window */
    int since;      /* days with a fire after the last one kept */
    int looked;     /* days with a fire, whatever it found */
    int automated;  /* of these, days on which an automation did it about then */
    double right;   /* by day with a fire, the share of the fires that are a hit and speak for the
                       rule */
};

static void tally_add(struct tally *tally, const struct tally *day)
{
    tally->since = day->kept ? 0 : tally->since + day->fired;
    tally->kept += day->kept;
    tally->fired += day->fired;
    tally->hit += day->hit;
    tally->looked += day->looked;
    tally->automated += day->automated;
    tally->right += day->right;
}

/* A candidate at work. */
struct trial {
    struct candidate *candidate;
    struct tally training, held_out, all;
    struct dark dark;
    size_t *acts; /* of its hits on training days, alone: indices, sorted */
    size_t act_count;
    bool *kept;  /* by day of tally `all` */
    double gain; /* by how much it explains its acts better than chance, ln */
};

struct court {
    const struct mine_input *input;
    const struct mined *mined;
    const bool *away;
    struct fires_book *fires;
    struct trial *trials;
    size_t count;
};

static const struct actor *actor_of(const struct court *court, const struct candidate *c)
{
    return &court->input->actors->list[c->habit.actor];
}

static struct backtest_input replay_input(const struct court *court, const struct candidate *c)
{
    return (struct backtest_input){court->input->history, court->input->days, actor_of(court, c),
                                   court->fires};
}

static bool is_of_state(const struct candidate *c)
{
    return c->habit.rule.trigger.kind == RULE_TRIGGER_STATE;
}

/* ---- alone --------------------------------------------------------------------------------- */

/* Whether an automation or a machine took the target to the state about when the rule would have.
 */
static bool was_automated(const struct court *court, const struct candidate *c, int64_t fire_ms)
{
    const struct acts *acts = &actor_of(court, c)->acts[c->habit.rule.verb];
    int64_t from = fire_ms - (is_of_state(c) ? 0 : BACKTEST_HIT_MS);
    int64_t to = fire_ms + (is_of_state(c) ? BACKTEST_STATE_MS : BACKTEST_HIT_MS);
    size_t first = acts_find(acts->automatic, acts->automatic_count, from);
    return first < acts->automatic_count && acts->automatic[first].time_ms <= to;
}

/* Adds a role's fires, which are in time order, to the trial's tally of all and to `tally`. */
static void tally_fires(const struct court *court, struct trial *trial,
                        const struct backtest_fires *fires, struct tally *tally)
{
    const struct candidate *c = trial->candidate;
    struct tally *all = &trial->all;
    for (size_t from = 0, to; from < fires->count; from = to) {
        bool automated = false, kept = false;
        int right = 0, told = 0;
        for (to = from; to < fires->count && fires->list[to].day == fires->list[from].day; to++) {
            automated = automated || was_automated(court, c, fires->list[to].time_ms);
            kept = kept || (!is_of_state(c) && fires->list[to].is_wanted);
            right += fires->list[to].is_support;
            told += fires->list[to].outcome != BACKTEST_IDLE;
        }
        if (court->away[fires->list[from].day])
            continue;
        const struct tally day = {.fired = !is_of_state(c) || told > 0,
                                  .hit = right > 0,
                                  .kept = kept || right > 0,
                                  .looked = 1,
                                  .automated = automated,
                                  .right = told > 0 ? (double)right / told : 0};
        if (day.fired)
            trial->kept[all->fired] = day.kept;
        tally_add(tally, &day);
        tally_add(all, &day);
    }
}

void judge_score(const struct backtest *training, const struct backtest *held_out, double *score,
                 double *value)
{
    int hits = training->hits + held_out->hits, misses = training->misses + held_out->misses;
    *score = stats_beta_mean(hits, hits + misses, SCORE_PRIOR_HITS, SCORE_PRIOR_MISSES);
    *value = hits * *score - misses;
}

static void score_candidate(struct candidate *c)
{
    judge_score(&c->training, &c->held_out, &c->score, &c->value);
}

/* Replays the rule alone. */
static void trial_replay(const struct court *court, struct trial *trial)
{
    struct candidate *c = trial->candidate;
    const struct rule *rule = &c->habit.rule;
    const struct backtest_input input = replay_input(court, c);
    struct backtest_fires fires, held_out;
    backtest_replay(&input, &rule, 1, DAY_TRAINING, &fires);
    backtest_replay(&input, &rule, 1, DAY_HELD_OUT, &held_out);
    backtest_count(&fires, &rule, 1, input.days, DAY_TRAINING, &c->training);
    trial->kept = xcalloc((size_t)input.days->count, sizeof *trial->kept);
    tally_fires(court, trial, &fires, &trial->training);
    dark_count(&input, rule, &fires, &trial->dark);
    trial->gain = gain_of_rule(rule, &fires, &input.actor->acts[rule->verb], input.days->training);
    trial->acts = xcalloc(fires.count, sizeof *trial->acts);
    for (size_t i = 0; i < fires.count; i++)
        if (fires.list[i].is_support)
            trial->acts[trial->act_count++] = fires.list[i].act;
    if (trial->act_count > 0)
        qsort(trial->acts, trial->act_count, sizeof *trial->acts, order_size);
    backtest_count(&held_out, &rule, 1, input.days, DAY_HELD_OUT, &c->held_out);
    tally_fires(court, trial, &held_out, &trial->held_out);
    dark_count(&input, rule, &held_out, &trial->dark);
    chosen_find(&input, &fires, &held_out, &c->habit);
    backtest_fires_release(&fires);
    backtest_fires_release(&held_out);
    score_candidate(c);
}

static enum verdict judge_trigger(const struct court *court, const struct candidate *c)
{
    if (!is_of_state(c))
        return VERDICT_SUGGESTED;
    const struct history_entity *entity =
        history_find_entity(court->input->history, c->habit.rule.trigger.entity_id);
    if (entity == NULL)
        return VERDICT_SUGGESTED;
    if (health_is_dead(court->input, entity, court->away))
        return VERDICT_SENSOR_DEAD;
    if (health_is_flapping(court->input, entity))
        return VERDICT_SENSOR_FLAPPING;
    return VERDICT_SUGGESTED;
}

/* P(at most k of n), when the rate is known from `hit` of `fired`. */
static double refuting_tail(int k, int n, int hit, int fired)
{
    return stats_beta_binomial_lower(k, n, hit + PRIOR_KEPT, fired - hit + PRIOR_OMITTED);
}

/* Nobody did it on the last days, or since some day much more seldom than before it: then the
 * choice of that day is paid for. */
static bool has_stopped(const struct trial *trial)
{
    const struct tally *all = &trial->all;
    if (all->since >= STOPPED_DAYS_MIN &&
        refuting_tail(0, all->since, all->kept, all->fired - all->since) < REFUTED_TAIL)
        return true;
    int before = all->kept, after = 0;
    for (int fired = all->fired - 1; fired > 0; fired--) {
        before -= trial->kept[fired];
        after += trial->kept[fired];
        int left = all->fired - fired;
        if (2 * after * fired < before * left &&
            refuting_tail(after, left, before, fired) * all->fired < REFUTED_TAIL)
            return true;
    }
    return false;
}

/* Whether it sets a value of the device whose coming on is its trigger: each time that is chosen,
 * or another. */
static bool is_of_use(const struct rule *rule)
{
    return rule->verb == RULE_SET && rule->trigger.kind == RULE_TRIGGER_STATE &&
           rule_has_target(rule, rule->trigger.entity_id);
}

/* P(the rate <= 1/2), of which nothing was known before and so many of the days are right: of n
 * days, that of more than so many heads of n + 1 coins; between whole numbers on a line. */
static double half_or_less(const struct tally *all)
{
    int right = (int)floor(all->right + ROUNDING);
    double part = fmax(all->right - right, 0);
    return (1 - part) * stats_binomial_upper(right + 1, all->fired + 1, 0.5) +
           part * stats_binomial_upper(right + 2, all->fired + 1, 0.5);
}

/* Held-out days may only refute. Of all fires, for idle ones would hide that nobody does it any
 * more. */
static enum verdict judge_held_out(const struct court *court, const struct trial *trial)
{
    const struct tally *seen = &trial->held_out, *before = &trial->training;
    const struct candidate *c = trial->candidate;
    if (seen->fired < MINE_HELD_OUT_DAYS_MIN || c->habit.matching_days < MINE_MATCHING_DAYS_MIN)
        return VERDICT_LEARNING;
    if (dark_is_left(&trial->dark))
        return VERDICT_DARK;
    int right = c->training.right + c->held_out.right;
    int wrong = c->training.wrong + c->held_out.wrong;
    if (right < PRECISION_MIN * (right + wrong) || (is_of_state(c) && c->score < PRECISION_MIN))
        return VERDICT_SELDOM;
    if (is_of_use(&c->habit.rule) && half_or_less(&trial->all) > SURE_P)
        return VERDICT_SELDOM;
    if (seen->automated > AUTOMATED_SHARE * seen->looked ||
        trial->all.automated > AUTOMATED_SHARE * trial->all.looked)
        return VERDICT_AUTOMATED;
    if (c->held_out.right == 0)
        return VERDICT_NOT_CONFIRMED;
    if (refuting_tail(seen->hit, seen->fired, before->hit, before->fired) < REFUTED_TAIL)
        return VERDICT_FADED;
    if (has_stopped(trial))
        return VERDICT_STOPPED;
    const struct backtest_input input = replay_input(court, c);
    if (barred_is_wanted(&input, &c->habit.rule, court->away, REFUTED_TAIL))
        return VERDICT_UNCONDITIONAL;
    if (is_of_state(c)
            ? c->held_out.right <= c->habit.chance_hits * (c->held_out.right + c->held_out.wrong)
            : c->held_out.hits <= c->habit.chance_hits * c->held_out.fires)
        return VERDICT_CHANCE;
    return VERDICT_SUGGESTED;
}

/* Not sure, for want of days rather than of regularity. */
static bool is_young(const struct habit *habit)
{
    return habit->matching_days < JUDGE_YOUNG_DAYS &&
           habit->matching_days >= YOUNG_SHARE * habit->training_days &&
           rule_is_valid(&habit->rule);
}

static bool fires_too_often(const struct court *court, const struct candidate *c)
{
    const struct fires fires = fires_of_rule(court->fires, &c->habit.rule);
    return fires_most_a_day(&fires, court->input->history->tz) > SAFETY_FIRES_A_DAY_MAX;
}

static void judge_alone(const struct court *court, struct trial *trial)
{
    struct candidate *c = trial->candidate;
    if (c->habit.q_value > MINE_Q_MAX)
        c->verdict = is_young(&c->habit) ? VERDICT_LEARNING : VERDICT_NOT_SIGNIFICANT;
    else if (!rule_is_valid(&c->habit.rule))
        c->verdict = VERDICT_NOT_EXPRESSIBLE;
    else if (!safety_allows_rule(&c->habit.rule, court->input->history))
        c->verdict = VERDICT_UNSAFE;
    else
        c->verdict = judge_trigger(court, c);
    if (c->verdict == VERDICT_NOT_SIGNIFICANT || c->verdict == VERDICT_NOT_EXPRESSIBLE ||
        c->verdict == VERDICT_UNSAFE)
        return;
    if (c->habit.lengths.is_of_lengths) { /* no acts, no gain: it contends with no other rule */
        if (c->verdict == VERDICT_SUGGESTED)
            c->verdict = judge_lengths(court->input, court->away, c);
        score_candidate(c);
    } else {
        trial_replay(court, trial);
        if (c->verdict == VERDICT_SUGGESTED)
            c->verdict = judge_held_out(court, trial);
    }
    if (c->verdict == VERDICT_SUGGESTED && fires_too_often(court, c))
        c->verdict = VERDICT_TOO_OFTEN;
}

/* ---- against each other -------------------------------------------------------------------- */

static bool same_action(const struct candidate *a, const struct candidate *b)
{
    return a->habit.actor == b->habit.actor && a->habit.rule.verb == b->habit.rule.verb;
}

/* By action, then what stands before what learns, then by how well the acts are explained. */
static int compare_trials(const void *left, const void *right)
{
    const struct trial *a = left, *b = right;
    const struct habit *x = &a->candidate->habit, *y = &b->candidate->habit;
    if (x->actor != y->actor)
        return x->actor < y->actor ? -1 : 1;
    if (x->rule.verb != y->rule.verb)
        return x->rule.verb < y->rule.verb ? -1 : 1;
    if (a->candidate->verdict != b->candidate->verdict)
        return a->candidate->verdict < b->candidate->verdict ? -1 : 1;
    if (a->gain != b->gain)
        return a->gain > b->gain ? -1 : 1;
    return a->candidate->order < b->candidate->order ? -1 : 1;
}

static size_t count_common(const struct trial *a, const struct trial *b)
{
    size_t common = 0;
    for (size_t i = 0, k = 0; i < a->act_count && k < b->act_count;) {
        common += a->acts[i] == b->acts[k];
        if (a->acts[i] <= b->acts[k])
            i++;
        else
            k++;
    }
    return common;
}

/* A second window of the same habit: both at about one time of a common day. */
static bool is_same_time(const struct candidate *a, const struct candidate *b)
{
    int x = a->habit.typical_second, y = b->habit.typical_second;
    return !is_of_state(a) && !is_of_state(b) && x >= 0 && y >= 0 &&
           abs(stats_circular_difference(x, y)) < JUDGE_SAME_TIME_S &&
           (a->habit.rule.weekdays & b->habit.rule.weekdays) != 0 &&
           !conditions_exclude(&a->habit.rule, &b->habit.rule);
}

static bool stands(const struct candidate *c)
{
    return c->verdict == VERDICT_SUGGESTED || c->verdict == VERDICT_LEARNING;
}

/* Of clock and sun the less probable one goes, even where the other one does not stand: it would
 * only be what chance let look narrow. */
static void drop_clock_or_sun(struct judged *judged, const struct choice *choices)
{
    for (size_t i = 0; i < judged->count; i++) {
        struct candidate *c = &judged->list[i];
        if (!stands(c))
            continue;
        c->is_open = choice_is_open(&choices[i]);
        if (choices[i].dropped) {
            c->verdict = VERDICT_CLOCK_OR_SUN;
            c->rival = choices[i].rival;
        }
    }
}

/* Lets those of one action contend; they are sorted, so that what is better stands already. */
static void contend(struct trial *group, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct candidate *c = group[i].candidate;
        if (!stands(c))
            continue;
        for (size_t k = 0; k < i; k++) {
            const struct candidate *better = group[k].candidate;
            if (!stands(better))
                continue;
            bool same_acts =
                group[i].act_count > 0 && (double)count_common(&group[k], &group[i]) >=
                                              SAME_ACTS_SHARE * (double)group[i].act_count;
            if (!same_acts && !is_same_time(better, c))
                continue;
            bool same_kind = better->habit.miner == c->habit.miner && !is_of_state(c);
            c->verdict = same_kind ? VERDICT_DUPLICATE : VERDICT_EXPLAINED;
            c->rival = better->order;
            break;
        }
    }
}

/* Whether one rule's act is the other's trigger. */
static bool triggers(const struct court *court, const struct candidate *a,
                     const struct candidate *b)
{
    const struct rule_trigger *trigger = &b->habit.rule.trigger;
    const char *state =
        is_of_state(b) ? rule_state_of(a->habit.rule.verb, trigger->entity_id) : NULL;
    if (!is_of_state(b) || state == NULL || strcmp(trigger->to, state) != 0)
        return false;
    const struct actor *actor = actor_of(court, a);
    for (size_t i = 0; i < actor->count; i++)
        if (strcmp(actor->entity_ids[i], trigger->entity_id) == 0)
            return true;
    return false;
}

/* Whether two rules fire at one moment: from one entry into a state, or at times of a common day
 * that lie less than `within_s` apart. */
static bool same_moment(const struct candidate *a, const struct candidate *b, int within_s)
{
    const struct rule *x = &a->habit.rule, *y = &b->habit.rule;
    if (is_of_state(a) != is_of_state(b) || (x->weekdays & y->weekdays) == 0 ||
        conditions_exclude(x, y))
        return false;
    if (is_of_state(a))
        return strcmp(x->trigger.entity_id, y->trigger.entity_id) == 0 &&
               strcmp(x->trigger.to, y->trigger.to) == 0;
    return a->habit.typical_second >= 0 && b->habit.typical_second >= 0 &&
           abs(stats_circular_difference(a->habit.typical_second, b->habit.typical_second)) <
               within_s;
}

/* How many targets of a are targets of b too. */
static size_t count_shared(const struct candidate *a, const struct candidate *b)
{
    size_t shared = 0;
    for (size_t i = 0; i < a->habit.rule.entity_count; i++)
        shared += rule_has_target(&b->habit.rule, a->habit.rule.entity_ids[i]);
    return shared;
}

/* Why a rule may not be suggested beside a better one of another action or other targets. */
static enum verdict find_conflict(const struct court *court, const struct candidate *a,
                                  const struct candidate *b)
{
    size_t shared = count_shared(a, b);
    bool same_verb = a->habit.rule.verb == b->habit.rule.verb;
    if (same_verb && a->habit.rule.verb == RULE_SET &&
        a->habit.rule.values[0].attribute != b->habit.rule.values[0].attribute)
        return VERDICT_SUGGESTED; /* brightness and colour */
    if (shared > 0 && !same_verb && same_moment(a, b, SAME_MOMENT_S))
        return VERDICT_CONTRADICTED;
    if (shared > 0 && same_verb && a->habit.actor != b->habit.actor &&
        same_moment(a, b, JUDGE_SAME_TIME_S))
        return VERDICT_DUPLICATE;
    if (triggers(court, a, b) && triggers(court, b, a))
        return VERDICT_EXPLAINED;
    return VERDICT_SUGGESTED;
}

static struct chosen_acts acts_of(const struct court *court, const struct trial *trial)
{
    const struct candidate *c = trial->candidate;
    return (struct chosen_acts){&actor_of(court, c)->acts[c->habit.rule.verb], trial->acts,
                                trial->act_count};
}

/* What a device is set to when it is switched on may only be what a habit of switching it on does.
 */
static void drop_values(struct court *court)
{
    for (size_t i = 0; i < court->count; i++)
        for (size_t k = 0; k < court->count; k++) {
            struct candidate *c = court->trials[i].candidate;
            const struct candidate *other = court->trials[k].candidate;
            if (c->verdict != VERDICT_SUGGESTED || other->verdict != VERDICT_SUGGESTED)
                continue;
            const struct chosen_acts own = acts_of(court, &court->trials[i]);
            const struct chosen_acts others = acts_of(court, &court->trials[k]);
            if (!chosen_is_explained(&c->habit.rule, &own, &other->habit.rule, &others))
                continue;
            c->verdict = VERDICT_EXPLAINED;
            c->rival = other->order;
        }
}

/* What explains more first; both lie in one list that is sorted already. */
static int compare_gains(const void *left, const void *right)
{
    const struct trial *a = *(struct trial *const *)left, *b = *(struct trial *const *)right;
    if (a->gain != b->gain)
        return a->gain > b->gain ? -1 : 1;
    return (a > b) - (a < b);
}

/* Of two rules that each start the other, which say one thing, of two that contradict each other,
 * and of a group's and its member's at one moment, what explains more stays; what goes itself takes
 * no other with it. */
static void drop_conflicts(struct court *court)
{
    struct trial **standing = xcalloc(court->count, sizeof(struct trial *));
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < court->count; i++)
        if (court->trials[i].candidate->verdict == VERDICT_SUGGESTED)
            standing[count++] = &court->trials[i];
    if (count > 0)
        qsort(standing, count, sizeof *standing, compare_gains);
    for (size_t i = 0; i < count; i++) {
        struct candidate *a = standing[i]->candidate;
        for (size_t k = 0; k < kept && a->verdict == VERDICT_SUGGESTED; k++) {
            const struct candidate *b = standing[k]->candidate;
            a->verdict = find_conflict(court, a, b);
            a->rival = a->verdict == VERDICT_SUGGESTED ? SIZE_MAX : b->order;
        }
        if (a->verdict == VERDICT_SUGGESTED)
            standing[kept++] = standing[i];
    }
    free(standing);
}

/* ---- together ------------------------------------------------------------------------------ */

/* Sorts what stands of one action: by time of day, then the states' rules by trigger. */
static bool comes_before(const struct candidate *a, const struct candidate *b)
{
    if (is_of_state(a) != is_of_state(b))
        return is_of_state(b);
    const struct rule *x = &a->habit.rule, *y = &b->habit.rule;
    int order = is_of_state(a) ? strcmp(x->trigger.entity_id, y->trigger.entity_id)
                               : a->habit.typical_second - b->habit.typical_second;
    if (order == 0 && is_of_state(a))
        order = strcmp(x->trigger.to, y->trigger.to);
    return order != 0 ? order < 0 : a->order < b->order;
}

/* Whether it has fires that people's acts belong to. */
static bool shares_acts(const struct candidate *c)
{
    return c->verdict == VERDICT_SUGGESTED && !c->habit.lengths.is_of_lengths;
}

/* Replays what stands of one action together: an act belongs to the nearest fire. */
static void replay_together(const struct court *court, struct trial *group, size_t count)
{
    const struct rule **rules = xcalloc(count, sizeof(*rules));
    struct backtest *results = xcalloc(count, sizeof *results);
    const struct backtest_input input = replay_input(court, group[0].candidate);
    for (int held_out = 0; held_out < 2; held_out++) {
        size_t standing = 0;
        for (size_t i = 0; i < count; i++)
            if (shares_acts(group[i].candidate))
                rules[standing++] = &group[i].candidate->habit.rule;
        if (standing < 2)
            break; /* alone it was replayed already */
        backtest_run(&input, rules, standing, held_out ? DAY_HELD_OUT : DAY_TRAINING, results);
        standing = 0;
        for (size_t i = 0; i < count; i++) {
            struct candidate *c = group[i].candidate;
            if (shares_acts(c))
                *(held_out ? &c->held_out : &c->training) = results[standing++];
        }
    }
    free(results);
    free(rules);
}

/* Whether their suggestions have one name but for a number. */
static bool same_name(const struct candidate *a, const struct candidate *b)
{
    const struct rule *x = &a->habit.rule, *y = &b->habit.rule;
    if (same_action(a, b))
        return true;
    return x->verb == RULE_SET && y->verb == RULE_SET && x->entity_ids[0] == y->entity_ids[0] &&
           x->values[0].attribute == y->values[0].attribute;
}

/* What stands of one name; the settings of a device lie side by side. */
static void number_all(struct court *court)
{
    for (size_t from = 0, to; from < court->count; from = to) {
        for (to = from + 1; to < court->count; to++)
            if (!same_name(court->trials[from].candidate, court->trials[to].candidate))
                break;
        for (size_t i = from; i < to; i++) {
            struct candidate *c = court->trials[i].candidate;
            c->number = 1;
            for (size_t k = from; k < to; k++)
                c->number += court->trials[k].candidate->verdict == VERDICT_SUGGESTED &&
                             comes_before(court->trials[k].candidate, c);
        }
    }
}

/* The candidate of a chain; its parts, which trials tell by their place, give way to it. */
static void join_chain(struct trial *const *standing, struct chain *chain, size_t order,
                       struct candidate *out)
{
    *out = *standing[chain->acts[0].part]->candidate;
    out->order = order;
    out->chain = chain;
    out->training = chain->training;
    out->held_out = chain->held_out;
    out->habit.rule.steps = chain->steps;
    out->habit.rule.step_count = chain->count - 1;
    out->habit.occurrences = chain->occurrences;
    out->habit.matching_days = chain->matching_days;
    score_candidate(out);
    out->value = chain->acts_saved * out->score - chain->training.misses - chain->held_out.misses;
    for (size_t i = 0; i < chain->count; i++) {
        struct candidate *part = standing[chain->acts[i].part]->candidate;
        out->habit.q_value = fmax(out->habit.q_value, part->habit.q_value);
        part->verdict = VERDICT_PART;
        part->rival = order;
        chain->acts[i].part = part->order;
    }
}

/* Makes one of what hangs together; the list has room for it. */
static void join_chains(const struct court *court, struct judged *judged)
{
    struct trial **standing = xcalloc(court->count, sizeof(struct trial *));
    struct chain_part *parts = xcalloc(court->count, sizeof *parts);
    size_t count = 0;
    for (size_t i = 0; i < court->count; i++) {
        struct trial *trial = &court->trials[i];
        if (trial->candidate->verdict != VERDICT_SUGGESTED ||
            trial->candidate->habit.lengths.is_of_lengths) /* that hangs on no act */
            continue;
        standing[count] = trial;
        parts[count++] =
            (struct chain_part){&trial->candidate->habit, trial->acts, trial->act_count};
    }
    chains_find(court->input, court->away, court->fires, parts, count, &judged->chains);
    for (size_t i = 0; i < judged->chains.count; i++)
        join_chain(standing, &judged->chains.list[i], court->count + i,
                   &judged->list[judged->count++]);
    free(parts);
    free(standing);
}

/* Best first. */
static int compare_by_value(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    if (a->value != b->value)
        return a->value > b->value ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

/* Calls fn for the trials of each action. */
static void for_each_action(struct court *court, bool together)
{
    for (size_t from = 0, to; from < court->count; from = to) {
        for (to = from + 1; to < court->count; to++)
            if (!same_action(court->trials[from].candidate, court->trials[to].candidate))
                break;
        if (together)
            replay_together(court, &court->trials[from], to - from);
        else
            contend(&court->trials[from], to - from);
    }
}

void judge_run(const struct mine_input *input, const struct mined *mined, struct judged *out)
{
    size_t count = mined->habit_count;
    *out = (struct judged){.list = xcalloc(2 * count, sizeof *out->list),
                           .count = count,
                           .fires = fires_book_new(input->history, input->daylight)};
    bool *away = away_find_days(input->actors, input->days);
    struct choice *choices = xcalloc(count, sizeof *choices);
    choose_clock_or_sun(input, mined, choices);
    struct court court = {.input = input,
                          .mined = mined,
                          .away = away,
                          .fires = out->fires,
                          .trials = xcalloc(count, sizeof *court.trials),
                          .count = count};
    for (size_t i = 0; i < count; i++) {
        out->list[i] = (struct candidate){
            .habit = mined->habits[i], .order = i, .rival = SIZE_MAX, .number = 1};
        court.trials[i].candidate = &out->list[i];
        judge_alone(&court, &court.trials[i]);
    }
    drop_clock_or_sun(out, choices);
    if (count > 0)
        qsort(court.trials, count, sizeof *court.trials, compare_trials);
    for_each_action(&court, false);
    drop_values(&court);
    drop_conflicts(&court);
    for_each_action(&court, true);
    number_all(&court);
    for (size_t i = 0; i < count; i++)
        score_candidate(court.trials[i].candidate);
    join_chains(&court, out);
    for (size_t i = 0; i < count; i++) {
        free(court.trials[i].acts);
        free(court.trials[i].kept);
    }
    if (count > 0)
        qsort(out->list, out->count, sizeof *out->list, compare_by_value);
    free(court.trials);
    free(choices);
    free(away);
}

void judged_release(struct judged *judged)
{
    free(judged->list);
    chains_release(&judged->chains);
    fires_book_free(judged->fires);
    *judged = (struct judged){.list = NULL};
}
