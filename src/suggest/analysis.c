/* From a history to the object of `analyze --format json`: mine, refute on held-out days, rank,
 * word. The fields are described in docs/analyze-format.md. */
#include "suggest/analysis.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/tz.h"
#include "core/xalloc.h"
#include "mine/miner.h"
#include "stats/stats.h"
#include "suggest/automation.h"
#include "suggest/backtest.h"
#include "suggest/wording.h"

enum { ANALYSIS_SCHEMA = 1, DUPLICATE_S = 45 * 60 };
#define PRECISION_MIN 0.25 /* real, but wrong three times of four: no help to anyone */
/* Hits and misses added to the training days': choosing the rule by them made them look too good.
 */
#define SHRINK 2.0
#define REFUTED_TAIL 0.01 /* held-out hits this improbable under the training rate refute */

/* Why a candidate is not suggested; the keys of "dropped". */
enum verdict {
    VERDICT_SUGGESTED,
    VERDICT_LEARNING,
    VERDICT_NOT_SIGNIFICANT,
    VERDICT_DUPLICATE,
    VERDICT_SELDOM,
    VERDICT_NOT_CONFIRMED,
    VERDICT_FADED,
    VERDICT_CHANCE,
    VERDICT_COUNT,
};
static const char *const verdict_names[VERDICT_COUNT] = {
    [VERDICT_NOT_SIGNIFICANT] = "not_significant",
    [VERDICT_DUPLICATE] = "duplicate",
    [VERDICT_SELDOM] = "seldom_right",
    [VERDICT_NOT_CONFIRMED] = "held_out_without_hit",
    [VERDICT_FADED] = "held_out_faded",
    [VERDICT_CHANCE] = "held_out_no_better_than_chance",
};

struct candidate {
    struct habit habit;
    enum verdict verdict;
    struct backtest training, held_out;
    double score, value;
    int number; /* of the suggestions with the same entity and action, from 1 */
};

struct analysis {
    const struct history *history;
    const struct analysis_options *options;
    struct days days;
    struct restarts restarts;
    struct actors actors;
    struct mined mined;
    struct candidate *candidates;
    size_t count;
};

static void tell(const struct analysis *a, int percent, const char *phase)
{
    if (a->options != NULL && a->options->progress != NULL)
        a->options->progress(percent, phase, a->options->progress_ctx);
}

static void tell_mining(int percent, void *ctx)
{
    tell(ctx, percent * 9 / 10, "looking at times of day");
}

static const struct history_entity *actor_entity(const struct analysis *a, size_t actor)
{
    return &a->history->entities[a->actors.list[actor].entities[0]];
}

/* ---- judging ------------------------------------------------------------------------------- */

static bool same_action(const struct candidate *a, const struct candidate *b)
{
    return a->habit.actor == b->habit.actor && a->habit.rule.verb == b->habit.rule.verb;
}

/* By entity and action, then by evidence. */
static int compare_by_action(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    if (a->habit.actor != b->habit.actor)
        return a->habit.actor < b->habit.actor ? -1 : 1;
    if (a->habit.rule.verb != b->habit.rule.verb)
        return a->habit.rule.verb < b->habit.rule.verb ? -1 : 1;
    if (a->habit.hypothesis != b->habit.hypothesis)
        return a->habit.hypothesis < b->habit.hypothesis ? -1 : 1;
    return 0;
}

/* A second window of what an earlier candidate covers already. */
static bool is_duplicate(const struct candidate *group, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        int apart = abs(stats_circular_difference(group[i].habit.rule.trigger.second,
                                                  group[index].habit.rule.trigger.second));
        if (group[i].verdict == VERDICT_SUGGESTED && apart < DUPLICATE_S &&
            (group[i].habit.rule.weekdays & group[index].habit.rule.weekdays) != 0)
            return true;
    }
    return false;
}

/* What the training days alone say. */
static enum verdict judge_training(const struct candidate *group, size_t index)
{
    const struct habit *habit = &group[index].habit;
    if (habit->q_value > MINE_Q_MAX)
        return VERDICT_NOT_SIGNIFICANT;
    if (is_duplicate(group, index))
        return VERDICT_DUPLICATE;
    return VERDICT_SUGGESTED;
}

/* Held-out days may only refute. What is right too seldom shows on the training days already. */
static enum verdict judge_held_out(const struct candidate *c)
{
    if (c->held_out.days < MINE_HELD_OUT_DAYS_MIN ||
        c->habit.matching_days < MINE_MATCHING_DAYS_MIN)
        return VERDICT_LEARNING;
    if (backtest_precision(&c->training) < PRECISION_MIN)
        return VERDICT_SELDOM;
    if (c->held_out.hits == 0)
        return VERDICT_NOT_CONFIRMED;
    /* What the training days let expect, with the uncertainty that they leave; of all fires, for
     * idle ones would hide that nobody does it any more. */
    if (stats_beta_binomial_lower(c->held_out.hits, c->held_out.fires, c->training.hits + SHRINK,
                                  c->training.fires - c->training.hits + SHRINK) < REFUTED_TAIL)
        return VERDICT_FADED;
    if (c->held_out.hits <= c->habit.chance_hits * c->held_out.fires)
        return VERDICT_CHANCE;
    return VERDICT_SUGGESTED;
}

/* Back-tests those of a group that stand, together: an act belongs to the nearest rule. */
static void backtest_group(const struct analysis *a, struct candidate *group, size_t count)
{
    const struct rule **rules = xcalloc(count, sizeof(*rules));
    struct backtest *results = xcalloc(count, sizeof *results);
    const struct backtest_input input = {a->history, &a->days, &a->restarts,
                                         &a->actors.list[group[0].habit.actor]};
    for (int held_out = 0; held_out < 2; held_out++) {
        size_t standing = 0;
        for (size_t i = 0; i < count; i++)
            if (group[i].verdict == VERDICT_SUGGESTED)
                rules[standing++] = &group[i].habit.rule;
        backtest_run(&input, rules, standing, held_out ? DAY_HELD_OUT : DAY_TRAINING, results);
        standing = 0;
        for (size_t i = 0; i < count; i++)
            if (group[i].verdict == VERDICT_SUGGESTED)
                *(held_out ? &group[i].held_out : &group[i].training) = results[standing++];
    }
    free(results);
    free(rules);
}

static void score_candidate(struct candidate *c)
{
    int hits = c->training.hits + c->held_out.hits;
    int misses = c->training.misses + c->held_out.misses;
    c->score = stats_beta_mean(hits, hits + misses, 1.0, 1.0);
    c->value = hits * c->score - misses;
}

static void judge_group(const struct analysis *a, struct candidate *group, size_t count)
{
    for (size_t i = 0; i < count; i++)
        group[i].verdict = judge_training(group, i);
    backtest_group(a, group, count);
    for (size_t i = 0; i < count; i++)
        if (group[i].verdict == VERDICT_SUGGESTED)
            group[i].verdict = judge_held_out(&group[i]);
    backtest_group(a, group, count);
}

/* Numbers the suggestions of one action by their time of day. */
static void number_group(struct candidate *group, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int second = group[i].habit.rule.trigger.second;
        group[i].number = 1;
        for (size_t k = 0; k < count; k++) {
            int other = group[k].habit.rule.trigger.second;
            group[i].number += group[k].verdict == VERDICT_SUGGESTED &&
                               (other < second || (other == second && k < i));
        }
    }
}

/* Best first. */
static int compare_by_value(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    if (a->value != b->value)
        return a->value > b->value ? -1 : 1;
    int by_action = compare_by_action(a, b);
    return by_action != 0 ? by_action : (a->number > b->number) - (a->number < b->number);
}

static void judge_all(struct analysis *a)
{
    a->count = a->mined.habit_count;
    a->candidates = xcalloc(a->count, sizeof *a->candidates);
    for (size_t i = 0; i < a->count; i++)
        a->candidates[i].habit = a->mined.habits[i];
    if (a->count == 0)
        return;
    qsort(a->candidates, a->count, sizeof *a->candidates, compare_by_action);
    for (size_t from = 0, to; from < a->count; from = to) {
        for (to = from + 1; to < a->count; to++)
            if (!same_action(&a->candidates[from], &a->candidates[to]))
                break;
        judge_group(a, &a->candidates[from], to - from);
        number_group(&a->candidates[from], to - from);
    }
    for (size_t i = 0; i < a->count; i++)
        score_candidate(&a->candidates[i]);
    qsort(a->candidates, a->count, sizeof *a->candidates, compare_by_value);
}

/* ---- writing ------------------------------------------------------------------------------- */

static void add_string(json_object *object, const char *key, const char *value)
{
    json_object_object_add(object, key, json_object_new_string(value));
}

static void add_int(json_object *object, const char *key, int64_t value)
{
    json_object_object_add(object, key, json_object_new_int64(value));
}

/* A number as text of a fixed form: the same bytes everywhere. */
static void add_number(json_object *object, const char *key, const char *format, double value)
{
    char text[32];
    snprintf(text, sizeof text, strcmp(format, "p") == 0 ? "%.2e" : "%.3f", value);
    json_object_object_add(object, key, json_object_new_double_s(value, text));
}

static json_object *write_history(const struct analysis *a)
{
    const struct history *h = a->history;
    char from[CLOCK_RFC3339_SIZE], to[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(from, h->from_ms);
    clock_format_rfc3339(to, h->to_ms);
    json_object *object = json_object_new_object();
    add_string(object, "from", from);
    add_string(object, "to", to);
    add_int(object, "days", a->days.training + a->days.held_out);
    add_int(object, "state_changes", (int64_t)h->state_changes);
    add_int(object, "entities", (int64_t)h->entity_count);
    add_string(object, "timezone", tz_name(h->tz));
    return object;
}

/* FNV-1a, 64 bits (Fowler, Noll, Vo), of "entity action": the same for ever. */
static char *format_id(const struct candidate *c)
{
    char *key =
        xasprintf("%s %s", c->habit.rule.entity_ids[0], rule_verbs[c->habit.rule.verb].service);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *p = key; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    free(key);
    if (c->number > 1)
        return xasprintf("%016" PRIx64 "#%d", hash, c->number);
    return xasprintf("%016" PRIx64, hash);
}

static json_object *write_evidence(const struct habit *habit)
{
    json_object *object = json_object_new_object();
    add_int(object, "occurrences", habit->occurrences);
    add_int(object, "days", habit->matching_days);
    add_int(object, "of_days", habit->training_days);
    add_number(object, "spread_minutes", "f", habit->spread_s / 60.0);
    add_number(object, "q_value", "p", habit->q_value);
    return object;
}

static json_object *write_backtest(const struct backtest *b)
{
    json_object *object = json_object_new_object();
    add_int(object, "held_out_days", b->days);
    add_int(object, "fires", b->fires);
    add_int(object, "hits", b->hits);
    add_int(object, "idle", b->idle);
    add_int(object, "misses", b->misses);
    add_number(object, "precision", "f", backtest_precision(b));
    add_number(object, "precision_low", "f",
               stats_wilson_low(b->hits, b->hits + b->misses, STATS_Z95));
    add_number(object, "recall", "f", backtest_recall(b));
    return object;
}

static json_object *write_suggestion(const struct analysis *a, const struct candidate *c,
                                     const char *title)
{
    const struct rule *rule = &c->habit.rule;
    const struct history_entity *entity = actor_entity(a, c->habit.actor);
    char *explanation = wording_explanation(entity, &c->habit, &a->days, &c->held_out);
    char *id = format_id(c);
    json_object *object = json_object_new_object();
    add_string(object, "id", id);
    add_string(object, "kind", miners[c->habit.miner].kind);
    add_string(object, "title", title);
    add_string(object, "explanation", explanation);
    json_object_object_add(object, "automation", automation_from_rule(rule, title, explanation));
    json_object_object_add(object, "evidence", write_evidence(&c->habit));
    json_object_object_add(object, "backtest", write_backtest(&c->held_out));
    add_number(object, "score", "f", c->score);
    free(id);
    free(explanation);
    return object;
}

/* The title; with the entity id where another device has the same name. */
static char *unique_title(const struct analysis *a, const struct candidate *c)
{
    const struct rule *rule = &c->habit.rule;
    char *title = wording_title(actor_entity(a, c->habit.actor), rule->verb, rule->trigger.second,
                                rule->weekdays);
    for (size_t i = 0; i < a->count; i++) {
        const struct candidate *o = &a->candidates[i];
        if (o == c || o->verdict != VERDICT_SUGGESTED || o->habit.actor == c->habit.actor)
            continue;
        char *other = wording_title(actor_entity(a, o->habit.actor), o->habit.rule.verb,
                                    o->habit.rule.trigger.second, o->habit.rule.weekdays);
        bool same = strcmp(title, other) == 0;
        free(other);
        if (!same)
            continue;
        char *longer = xasprintf("%s [%s]", title, rule->entity_ids[0]);
        free(title);
        return longer;
    }
    return title;
}

static json_object *write_suggestions(const struct analysis *a)
{
    json_object *array = json_object_new_array();
    for (size_t i = 0; i < a->count; i++) {
        if (a->candidates[i].verdict != VERDICT_SUGGESTED)
            continue;
        char *title = unique_title(a, &a->candidates[i]);
        json_object_array_add(array, write_suggestion(a, &a->candidates[i], title));
        free(title);
    }
    return array;
}

static json_object *write_learning(const struct history_entity *entity,
                                   const struct learning *learning)
{
    char *title =
        wording_title(entity, learning->verb, learning->trigger.second, learning->weekdays);
    char *explanation = wording_learning(entity, learning);
    json_object *object = json_object_new_object();
    add_string(object, "entity_id", entity->entity_id);
    add_string(object, "action", rule_verbs[learning->verb].service);
    add_string(object, "title", title);
    add_string(object, "explanation", explanation);
    add_int(object, "days", learning->matching_days);
    add_int(object, "of_days", learning->training_days);
    add_int(object, "days_missing", learning->days_missing);
    free(title);
    free(explanation);
    return object;
}

/* A proven window whose class has too few held-out days yet. */
static struct learning learning_of(const struct analysis *a, const struct candidate *c)
{
    int of_class = rule_weekday_count(c->habit.rule.weekdays);
    int short_of = MINE_HELD_OUT_DAYS_MIN - c->held_out.days;
    if (short_of < MINE_MATCHING_DAYS_MIN - c->habit.matching_days)
        short_of = MINE_MATCHING_DAYS_MIN - c->habit.matching_days;
    (void)a;
    return (struct learning){.actor = c->habit.actor,
                             .verb = c->habit.rule.verb,
                             .weekdays = c->habit.rule.weekdays,
                             .trigger = c->habit.rule.trigger,
                             .matching_days = c->habit.matching_days,
                             .training_days = c->habit.training_days,
                             .days_missing = short_of * 7 / of_class};
}

static json_object *write_all_learning(const struct analysis *a)
{
    json_object *array = json_object_new_array();
    for (size_t i = 0; i < a->count; i++) {
        if (a->candidates[i].verdict != VERDICT_LEARNING)
            continue;
        struct learning learning = learning_of(a, &a->candidates[i]);
        json_object_array_add(array, write_learning(actor_entity(a, learning.actor), &learning));
    }
    for (size_t i = 0; i < a->mined.learning_count; i++) {
        const struct learning *learning = &a->mined.learning[i];
        json_object_array_add(array, write_learning(actor_entity(a, learning->actor), learning));
    }
    return array;
}

static json_object *write_dropped(const struct analysis *a)
{
    json_object *object = json_object_new_object();
    for (int v = VERDICT_NOT_SIGNIFICANT; v < VERDICT_COUNT; v++) {
        int count = 0;
        for (size_t i = 0; i < a->count; i++)
            count += a->candidates[i].verdict == (enum verdict)v;
        if (count > 0)
            add_int(object, verdict_names[v], count);
    }
    size_t machine = 0;
    for (size_t i = 0; i < a->actors.count; i++)
        for (int verb = 0; verb < RULE_VERB_COUNT; verb++)
            machine += a->actors.list[i].acts[verb].machine;
    if (machine > 0)
        add_int(object, "machine_acts", (int64_t)machine);
    return object;
}

json_object *analysis_run(const struct history *h, const struct analysis_options *options)
{
    struct analysis a = {.history = h, .options = options};
    tell(&a, 0, "looking at times of day");
    days_init(&a.days, h);
    restarts_init(&a.restarts, h);
    actors_init(&a.actors, h, &a.days, &a.restarts);
    mine_run(&(struct mine_input){.history = h,
                                  .days = &a.days,
                                  .restarts = &a.restarts,
                                  .actors = &a.actors,
                                  .progress = tell_mining,
                                  .progress_ctx = &a},
             &a.mined);
    tell(&a, 90, "testing on days not seen");
    judge_all(&a);
    json_object *object = json_object_new_object();
    add_int(object, "schema", ANALYSIS_SCHEMA);
    json_object_object_add(object, "history", write_history(&a));
    add_int(object, "hypotheses_tested", (int64_t)a.mined.hypotheses_tested);
    json_object_object_add(object, "suggestions", write_suggestions(&a));
    json_object_object_add(object, "learning", write_all_learning(&a));
    json_object_object_add(object, "dropped", write_dropped(&a));
    json_object_object_add(object, "anomalies", json_object_new_array());
    tell(&a, 100, "done");
    free(a.candidates);
    mined_release(&a.mined);
    actors_release(&a.actors);
    restarts_release(&a.restarts);
    days_release(&a.days);
    return object;
}
