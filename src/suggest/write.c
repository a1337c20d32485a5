#include "suggest/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/tz.h"
#include "core/xalloc.h"
#include "stats/stats.h"
#include "suggest/automation.h"
#include "suggest/overlap.h"
#include "suggest/safety.h"
#include "suggest/variants.h"
#include "suggest/wording.h"

enum { WARNINGS_MAX = 2 /* conflicts that an explanation tells; the list has more */ };

/* What all writers read. */
struct view {
    const struct mine_input *input;
    const struct mined *mined;
    const struct judged *judged;
    char **titles; /* by position in judged; NULL of what is not suggested */
};

static const struct actor *actor_of(const struct view *view, size_t actor)
{
    return &view->input->actors->list[actor];
}

/* ---- values -------------------------------------------------------------------------------- */

static void add_ids(json_object *array, const char *const *entity_ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        json_object_array_add(array, json_object_new_string(entity_ids[i]));
}

static void add_entity_ids(json_object *object, const struct actor *actor)
{
    json_object *array = json_object_new_array();
    add_ids(array, actor->entity_ids, actor->count);
    json_object_object_add(object, "entity_ids", array);
}

/* What a step does to an entity, and the data of its service. */
static void add_action(json_object *object, const char *entity_id, enum rule_verb verb,
                       const struct rule_value *values, size_t count)
{
    json_add_string(object, "action",
                    verb == RULE_SET ? rule_attributes[values[0].attribute].service
                                     : rule_service_of(verb, entity_id));
    if (count == 0)
        return;
    json_object *data = json_object_new_object();
    for (size_t i = 0; i < count; i++)
        json_add_short(data, rule_attributes[values[i].attribute].field, values[i].value);
    json_object_object_add(object, "data", data);
}

/* Those of all steps, the first act's at first. */
static void add_targets(json_object *object, const struct rule *rule)
{
    json_object *array = json_object_new_array();
    add_ids(array, rule->entity_ids, rule->entity_count);
    for (size_t i = 0; i < rule->step_count; i++)
        add_ids(array, rule->steps[i].entity_ids, rule->steps[i].entity_count);
    json_object_object_add(object, "entity_ids", array);
}

static const char *kind_of(const struct candidate *c)
{
    return c->chain != NULL ? "chain" : habit_kind(&c->habit);
}

/* Of "entity entity … action": the same for ever. */
static char *format_id(const struct candidate *c)
{
    uint64_t hash = HASH_START;
    for (size_t i = 0; i < c->habit.rule.entity_count; i++)
        hash = hash_text(hash_text(hash, c->habit.rule.entity_ids[i]), " ");
    hash = hash_text(hash, rule_service_of(c->habit.rule.verb, c->habit.rule.entity_ids[0]));
    if (c->habit.rule.verb == RULE_SET) /* whatever the value: that may move */
        hash = hash_text(hash_text(hash, " "),
                         rule_attributes[c->habit.rule.values[0].attribute].attribute);
    if (c->number > 1)
        return xasprintf("%016" PRIx64 "#%d", hash, c->number);
    return xasprintf("%016" PRIx64, hash);
}

/* ---- titles -------------------------------------------------------------------------------- */

static bool has_other(char *const *titles, size_t count, size_t index)
{
    for (size_t i = 0; i < count; i++)
        if (i != index && titles[i] != NULL && strcmp(titles[i], titles[index]) == 0)
            return true;
    return false;
}

/* Of a chain the parts are written as well. */
static bool is_written(const struct candidate *c)
{
    return c->verdict == VERDICT_SUGGESTED || c->verdict == VERDICT_PART;
}

/* Titles that differ: with the entity id where two devices have one name, with the suggestion's id
 * where even that is not enough. */
static char **make_titles(const struct view *view)
{
    const struct judged *judged = view->judged;
    char **titles = xcalloc(judged->count, sizeof *titles);
    for (size_t i = 0; i < judged->count; i++) {
        const struct rule *rule = &judged->list[i].habit.rule;
        if (is_written(&judged->list[i]))
            titles[i] = wording_title(view->input->history,
                                      actor_of(view, judged->list[i].habit.actor), rule);
    }
    for (int round = 0; round < 2; round++) {
        char **marked = xcalloc(judged->count, sizeof *marked);
        for (size_t i = 0; i < judged->count; i++) {
            if (titles[i] == NULL || !has_other(titles, judged->count, i))
                continue;
            char *id = format_id(&judged->list[i]);
            marked[i] = wording_unique_title(
                titles[i], round == 0 ? judged->list[i].habit.rule.entity_ids[0] : id);
            free(id);
        }
        for (size_t i = 0; i < judged->count; i++) {
            if (marked[i] == NULL)
                continue;
            free(titles[i]);
            titles[i] = marked[i];
        }
        free(marked);
    }
    return titles;
}

/* ---- existing automations ------------------------------------------------------------------- */

static json_object *write_conflict(const struct overlap_conflict *conflict)
{
    json_object *object = json_object_new_object(), *examples = json_object_new_array();
    json_add_string(object, "automation", existing_id(conflict->existing));
    json_add_string(object, "alias", conflict->existing->alias);
    json_add_string(object, "kind", overlap_kind_name(conflict->kind));
    json_add_text(object, "why", overlap_why(conflict));
    for (size_t i = 0; i < conflict->example_count; i++) {
        char time[CLOCK_RFC3339_SIZE];
        clock_format_rfc3339(time, conflict->examples_ms[i]);
        json_object_array_add(examples, json_object_new_string(time));
    }
    json_object_object_add(object, "examples", examples);
    return object;
}

static json_object *write_conflicts(const struct overlap *overlap)
{
    json_object *array = json_object_new_array();
    for (size_t i = 0; i < overlap->count; i++)
        json_object_array_add(array, write_conflict(&overlap->conflicts[i]));
    return array;
}

/* The explanation, and what existing automations have to do with it. Frees it. */
static char *add_warnings(char *explanation, const struct overlap *overlap)
{
    for (size_t i = 0; overlap != NULL && i < overlap->count && i < WARNINGS_MAX; i++) {
        char *why = overlap_why(&overlap->conflicts[i]);
        char *longer = xasprintf("%s %s", explanation, why);
        free(why);
        free(explanation);
        explanation = longer;
    }
    return explanation;
}

/* ---- suggestions --------------------------------------------------------------------------- */

/* What follows the first act. */
static json_object *write_steps(const struct rule *rule)
{
    json_object *array = json_object_new_array();
    for (size_t i = 0; i < rule->step_count; i++) {
        const struct rule_step *step = &rule->steps[i];
        json_object *object = json_object_new_object(), *ids = json_object_new_array();
        add_ids(ids, step->entity_ids, step->entity_count);
        json_object_object_add(object, "entity_ids", ids);
        add_action(object, step->entity_ids[0], step->verb, step->values, step->value_count);
        json_add_int(object, "delay_seconds", step->delay_s);
        json_object_array_add(array, object);
    }
    return array;
}

static json_object *write_rule(const struct habit *habit)
{
    json_object *object = json_object_new_object();
    if (habit->rule.trigger.kind != RULE_TRIGGER_STATE && habit->typical_second >= 0) {
        int s = habit->typical_second;
        char time[16];
        snprintf(time, sizeof time, "%02d:%02d:%02d", s / 3600 % 24, s / 60 % 60, s % 60);
        json_add_string(object, "time", time);
    }
    if (habit->rule.step_count > 0)
        json_object_object_add(object, "steps", write_steps(&habit->rule));
    return object;
}

/* How surely each step follows the first act, and how each act did on the held-out days. */
static void add_chain(const struct chain *chain, json_object *evidence, json_object *backtest)
{
    json_object *followed = json_object_new_array(), *tried = json_object_new_array();
    for (size_t i = 0; i < chain->count; i++) {
        const struct chain_act *act = &chain->acts[i];
        json_object *object = json_object_new_object();
        json_add_int(object, "hits", act->hits);
        json_add_int(object, "idle", act->idle);
        json_add_int(object, "misses", act->misses);
        json_object_array_add(tried, object);
        if (i == 0)
            continue;
        object = json_object_new_object();
        json_add_int(object, "followed", act->done);
        json_add_int(object, "of", act->could);
        json_add_int(object, "pause_seconds", act->pause_s);
        json_object_array_add(followed, object);
    }
    json_object_object_add(evidence, "steps", followed);
    json_object_object_add(backtest, "acts", tried);
}

/* How surely each value was chosen, in the units of the service. */
static json_object *write_chosen(const struct habit *habit)
{
    json_object *array = json_object_new_array();
    for (size_t i = 0; i < habit->rule.value_count; i++) {
        const struct rule_value *value = &habit->rule.values[i];
        const struct habit_value *chosen = &habit->chosen[i];
        json_object *object = json_object_new_object();
        json_add_string(object, "field", rule_attributes[value->attribute].field);
        json_add_short(object, "value", value->value);
        json_add_fixed(object, "spread", chosen->spread, 3);
        json_add_int(object, "days", chosen->days);
        json_add_int(object, "of_days", chosen->of_days);
        json_add_int(object, "held_out_days", chosen->held_out_days);
        json_add_int(object, "of_held_out_days", chosen->held_out_of_days);
        json_object_array_add(array, object);
    }
    return array;
}

static json_object *write_evidence(const struct habit *habit)
{
    json_object *object = json_object_new_object();
    json_add_int(object, "occurrences", habit->occurrences);
    json_add_int(object, "days", habit->matching_days);
    json_add_int(object, "of_days", habit->training_days);
    json_add_fixed(object, "spread_minutes", habit->spread_s / 60.0, 3);
    if (habit->rule.trigger.kind == RULE_TRIGGER_STATE)
        json_add_int(object, "lag_seconds", habit->lag_s);
    json_add_exponent(object, "q_value", habit->q_value);
    if (habit->rule.value_count > 0)
        json_object_object_add(object, "values", write_chosen(habit));
    return object;
}

/* Of what is left on: how often a week the rule would do good and harm. */
static json_object *write_expected(const struct habit_lengths *lengths)
{
    json_object *object = json_object_new_object();
    json_add_fixed(object, "wrong_offs_per_week", lengths->wrong_a_week, 3);
    json_add_fixed(object, "saved_minutes_per_week", lengths->saved_minutes_a_week, 3);
    json_add_fixed(object, "uses_per_week", lengths->uses_a_week, 3);
    json_add_int(object, "forgotten_after_seconds", lengths->left_s);
    return object;
}

static json_object *write_backtest(const struct backtest *b)
{
    json_object *object = json_object_new_object();
    json_add_int(object, "held_out_days", b->days);
    json_add_int(object, "fires", b->fires);
    json_add_int(object, "hits", b->hits);
    json_add_int(object, "idle", b->idle);
    json_add_int(object, "misses", b->misses);
    json_add_int(object, "right", b->right);
    json_add_int(object, "wrong", b->wrong);
    json_add_fixed(object, "precision", backtest_precision(b), 3);
    json_add_fixed(object, "precision_low",
                   stats_wilson_low(b->hits, b->hits + b->misses, STATS_Z95), 3);
    json_add_fixed(object, "recall", backtest_recall(b), 3);
    return object;
}

static json_object *write_suggestion(const struct view *view, size_t index, bool is_shown);

/* What the chain's parts are as suggestions of their own. */
static json_object *write_parts(const struct view *view, const struct chain *chain)
{
    json_object *array = json_object_new_array();
    for (size_t i = 0; i < chain->count; i++)
        for (size_t k = 0; k < view->judged->count; k++)
            if (view->judged->list[k].order == chain->acts[i].part)
                json_object_array_add(array, write_suggestion(view, k, false));
    return array;
}

/* What the judge says of a habit, by its place among those mined. */
static const struct habit *find_part(const struct view *view, size_t order)
{
    for (size_t i = 0; i < view->judged->count; i++)
        if (view->judged->list[i].order == order)
            return &view->judged->list[i].habit;
    return &view->mined->habits[order];
}

static char *explain(const struct view *view, const struct candidate *c)
{
    const struct history *h = view->input->history;
    const struct actor *actor = actor_of(view, c->habit.actor);
    const struct days *days = view->input->days;
    if (c->chain != NULL)
        return wording_chain(h, actor, find_part(view, c->chain->acts[0].part), &c->habit.rule,
                             days, c->chain, c->is_open);
    return wording_explanation(h, actor, &c->habit, days, &c->held_out, c->is_open);
}

static json_object *write_form(const char *title, const char *explanation, const struct rule *rule,
                               const struct backtest *held_out, double score)
{
    json_object *object = json_object_new_object();
    json_add_string(object, "title", title);
    json_object_object_add(object, "automation", automation_from_rule(rule, title, explanation));
    json_object_object_add(object, "backtest", write_backtest(held_out));
    json_add_fixed(object, "score", score, 3);
    return object;
}

/* The suggestion's own form, then the others; empty when there are none that matter. */
static json_object *write_variants(const struct view *view, size_t index, const char *explanation)
{
    const struct candidate *c = &view->judged->list[index];
    struct variant variants[VARIANTS_MAX];
    size_t count = variants_find(view->input, view->judged, index, variants);
    json_object *array = json_object_new_array();
    if (count > 0)
        json_object_array_add(array, write_form(view->titles[index], explanation, &c->habit.rule,
                                                &c->held_out, c->score));
    for (size_t i = 0; i < count; i++) {
        const struct variant *v = &variants[i];
        const struct actor *actor = actor_of(view, c->habit.actor);
        char *title = wording_title(view->input->history, actor, &v->rule);
        char *form = wording_form(actor, &v->rule, view->input->days, &v->held_out);
        json_object_array_add(array, write_form(title, form, &v->rule, &v->held_out, v->score));
        free(form);
        free(title);
    }
    return array;
}

static json_object *write_suggestion(const struct view *view, size_t index, bool is_shown)
{
    const struct candidate *c = &view->judged->list[index];
    json_object *evidence = write_evidence(&c->habit), *backtest = write_backtest(&c->held_out);
    char *explanation = add_warnings(explain(view, c), c->overlap);
    if (c->chain != NULL)
        add_chain(c->chain, evidence, backtest);
    json_object *object = json_object_new_object();
    json_add_text(object, "id", format_id(c));
    json_add_string(object, "kind", kind_of(c));
    json_add_string(object, "title", view->titles[index]);
    json_add_string(object, "explanation", explanation);
    add_targets(object, &c->habit.rule);
    json_object_object_add(object, "automation",
                           automation_from_rule(&c->habit.rule, view->titles[index], explanation));
    json_object_object_add(object, "rule", write_rule(&c->habit));
    json_object_object_add(object, "evidence", evidence);
    if (c->habit.lengths.is_of_lengths)
        json_object_object_add(object, "expected", write_expected(&c->habit.lengths));
    json_object_object_add(object, "backtest", backtest);
    json_add_fixed(object, "score", c->score, 3);
    if (c->chain != NULL)
        json_object_object_add(object, "parts", write_parts(view, c->chain));
    json_object_object_add(object, "variants", write_variants(view, index, explanation));
    if (c->overlap != NULL)
        json_object_object_add(object, "conflicts", write_conflicts(c->overlap));
    json_object_object_add(object, "shown", json_object_new_boolean(is_shown));
    free(explanation);
    return object;
}

static json_object *write_suggestions(const struct view *view)
{
    json_object *array = json_object_new_array();
    for (size_t i = 0; i < view->judged->count; i++)
        if (view->judged->list[i].verdict == VERDICT_SUGGESTED &&
            json_object_array_length(array) < WRITE_SUGGESTIONS_MAX)
            json_object_array_add(
                array, write_suggestion(view, i, json_object_array_length(array) < WRITE_SHOWN));
    return array;
}

/* ---- what is still learned ----------------------------------------------------------------- */

static json_object *write_learning(const struct view *view, const struct learning *learning)
{
    const struct history *h = view->input->history;
    const struct actor *actor = actor_of(view, learning->actor);
    json_object *object = json_object_new_object();
    json_add_string(object, "entity_id", actor->entity_ids[0]);
    if (actor->count > 1)
        add_entity_ids(object, actor);
    bool is_setting = learning->verb == RULE_SET;
    add_action(object, actor->entity_ids[0], learning->verb, &actor->value, is_setting);
    struct rule rule = {.trigger = learning->trigger,
                        .weekdays = learning->weekdays,
                        .verb = learning->verb,
                        .values = {actor->value},
                        .value_count = is_setting,
                        .condition_count = learning->condition_count};
    memcpy(rule.conditions, learning->conditions, sizeof rule.conditions);
    json_add_text(object, "title", wording_title(h, actor, &rule));
    json_add_text(object, "explanation", wording_learning(h, actor, learning));
    json_add_int(object, "days", learning->matching_days);
    json_add_int(object, "of_days", learning->training_days);
    json_add_int(object, "days_missing", learning->days_missing);
    return object;
}

/* What looks like a habit and has too few days yet: of its class on the training days, or held out.
 */
static struct learning learning_of(const struct candidate *c)
{
    const struct habit *habit = &c->habit;
    int of_class = rule_weekday_count(habit->rule.weekdays);
    int wanted = habit->q_value > MINE_Q_MAX ? JUDGE_YOUNG_DAYS : MINE_MATCHING_DAYS_MIN;
    int short_of = 0;
    if (habit->matching_days < wanted)
        short_of =
            ((wanted - habit->matching_days) * habit->training_days + habit->matching_days - 1) /
            (habit->matching_days > 0 ? habit->matching_days : 1);
    if (short_of < MINE_HELD_OUT_DAYS_MIN - c->held_out.days)
        short_of = MINE_HELD_OUT_DAYS_MIN - c->held_out.days;
    if (short_of < 1)
        short_of = 1;
    struct learning out = {.actor = habit->actor,
                           .verb = habit->rule.verb,
                           .weekdays = habit->rule.weekdays,
                           .trigger = habit->rule.trigger,
                           .condition_count = habit->rule.condition_count,
                           .matching_days = habit->matching_days,
                           .training_days = habit->training_days,
                           .days_missing = (short_of * 7 + of_class - 1) / of_class};
    memcpy(out.conditions, habit->rule.conditions, sizeof out.conditions);
    return out;
}

/* Whether what is learned is a part of what is suggested: the same action at about the same time of
 * a common day. */
static bool is_known(const struct view *view, const struct learning *learning)
{
    if (learning->trigger.kind != RULE_TRIGGER_TIME)
        return false;
    for (size_t i = 0; i < view->judged->count; i++) {
        const struct candidate *c = &view->judged->list[i];
        if (is_written(c) && c->habit.actor == learning->actor &&
            c->habit.rule.verb == learning->verb && c->habit.typical_second >= 0 &&
            (c->habit.rule.weekdays & learning->weekdays) != 0 &&
            abs(stats_circular_difference(c->habit.typical_second, learning->trigger.second)) <
                JUDGE_SAME_TIME_S)
            return true;
    }
    return false;
}

/* Nobody is told that something is learned that is never suggested. */
static bool may_be_learned(const struct view *view, const struct learning *learning)
{
    const struct actor *actor = actor_of(view, learning->actor);
    bool is_setting = learning->verb == RULE_SET;
    const struct rule rule = {.entity_ids = actor->entity_ids,
                              .entity_count = actor->count,
                              .verb = learning->verb,
                              .values = {actor->value},
                              .value_count = is_setting};
    return safety_allows_rule(&rule, view->input->history);
}

static json_object *write_all_learning(const struct view *view)
{
    json_object *array = json_object_new_array();
    for (size_t i = 0; i < view->judged->count; i++) {
        if (view->judged->list[i].verdict != VERDICT_LEARNING ||
            !safety_allows_rule(&view->judged->list[i].habit.rule, view->input->history))
            continue;
        struct learning learning = learning_of(&view->judged->list[i]);
        json_object_array_add(array, write_learning(view, &learning));
    }
    for (size_t i = 0; i < view->mined->learning_count; i++)
        if (!is_known(view, &view->mined->learning[i]) &&
            may_be_learned(view, &view->mined->learning[i]))
            json_object_array_add(array, write_learning(view, &view->mined->learning[i]));
    return array;
}

/* ---- what is not suggested ----------------------------------------------------------------- */

static json_object *write_dropped(const struct view *view)
{
    json_object *object = json_object_new_object();
    for (int v = VERDICT_NOT_SIGNIFICANT; v < VERDICT_COUNT; v++) {
        int count = 0;
        for (size_t i = 0; i < view->judged->count; i++)
            count += view->judged->list[i].verdict == (enum verdict)v;
        if (count > 0)
            json_add_int(object, judge_reasons[v], count);
    }
    size_t machine = 0;
    for (size_t i = 0; i < view->input->actors->count; i++)
        for (int verb = 0; verb < RULE_VERB_COUNT; verb++)
            machine += view->input->actors->list[i].acts[verb].machine;
    if (machine > 0)
        json_add_int(object, "machine_acts", (int64_t)machine);
    return object;
}

/* What is better; of a chain's part that is the chain. */
static const struct candidate *find_rival(const struct view *view, const struct candidate *c)
{
    const struct candidate *rival = NULL;
    for (size_t i = 0; i < view->judged->count && c->rival != SIZE_MAX; i++)
        if (view->judged->list[i].order == c->rival)
            rival = &view->judged->list[i];
    return rival != NULL && rival->verdict == VERDICT_PART ? find_rival(view, rival) : rival;
}

static char *title_of(const struct view *view, const struct candidate *c)
{
    const struct rule *rule = &c->habit.rule;
    return wording_title(view->input->history, actor_of(view, c->habit.actor), rule);
}

static json_object *write_explained(const struct view *view, const struct candidate *c)
{
    const struct candidate *rival = find_rival(view, c);
    json_object *object = json_object_new_object();
    json_add_string(object, "reason", judge_reasons[c->verdict]);
    json_add_string(object, "kind", kind_of(c));
    json_add_text(object, "title", title_of(view, c));
    if (rival != NULL)
        json_add_text(object, "better", title_of(view, rival));
    if (c->overlap != NULL && c->overlap->covered_by != NULL) {
        json_add_text(object, "better", existing_name(c->overlap->covered_by));
        json_add_string(object, "automation", existing_id(c->overlap->covered_by));
    }
    add_entity_ids(object, actor_of(view, c->habit.actor));
    add_action(object, actor_of(view, c->habit.actor)->entity_ids[0], c->habit.rule.verb,
               c->habit.rule.values, c->habit.rule.value_count);
    json_object_object_add(object, "evidence", write_evidence(&c->habit));
    if (c->verdict != VERDICT_NOT_SIGNIFICANT && c->verdict != VERDICT_NOT_EXPRESSIBLE &&
        c->verdict != VERDICT_UNSAFE) {
        json_object_object_add(object, "training", write_backtest(&c->training));
        json_object_object_add(object, "backtest", write_backtest(&c->held_out));
    }
    return object;
}

static json_object *write_all_explained(const struct view *view)
{
    json_object *array = json_object_new_array();
    for (size_t i = 0; i < view->judged->count; i++)
        if (view->judged->list[i].verdict >= VERDICT_NOT_SIGNIFICANT &&
            json_object_array_length(array) < WRITE_EXPLAINED_MAX)
            json_object_array_add(array, write_explained(view, &view->judged->list[i]));
    return array;
}

/* ---- all ----------------------------------------------------------------------------------- */

static json_object *write_history(const struct mine_input *input)
{
    const struct history *h = input->history;
    char from[CLOCK_RFC3339_SIZE], to[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(from, h->from_ms);
    clock_format_rfc3339(to, h->to_ms);
    json_object *object = json_object_new_object();
    json_add_string(object, "from", from);
    json_add_string(object, "to", to);
    json_add_int(object, "days", input->days->training + input->days->held_out);
    json_add_int(object, "state_changes", (int64_t)h->state_changes);
    json_add_int(object, "entities", (int64_t)h->entity_count);
    json_add_string(object, "timezone", tz_name(h->tz));
    return object;
}

void write_result(const struct mine_input *input, const struct mined *mined,
                  const struct judged *judged, bool explain, json_object *out)
{
    struct view view = {.input = input, .mined = mined, .judged = judged};
    view.titles = make_titles(&view);
    json_object_object_add(out, "history", write_history(input));
    json_add_int(out, "hypotheses_tested", (int64_t)mined->hypotheses_tested);
    json_object_object_add(out, "suggestions", write_suggestions(&view));
    json_object_object_add(out, "learning", write_all_learning(&view));
    json_object_object_add(out, "dropped", write_dropped(&view));
    if (explain)
        json_object_object_add(out, "explained", write_all_explained(&view));
    for (size_t i = 0; i < judged->count; i++)
        free(view.titles[i]);
    free(view.titles);
}
