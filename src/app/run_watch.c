#include "app/run_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "store/suggestions.h"

enum {
    CONTEXT_SIZE = 64,
    RECENT_MAX = 64, /* changes that may be of a run that HA is about to tell */
};

struct target {
    char entity_id[RULE_ENTITY_ID_MAX + 1];
    struct {
        int64_t at_ms; /* 0 = not seen */
        char by[CONTEXT_SIZE];
    } hand[RULE_SWITCHING_COUNT]; /* the last time that a person, as it seems, switched it so */
};

struct recent {
    char entity_id[RULE_ENTITY_ID_MAX + 1], context_id[CONTEXT_SIZE];
    enum rule_verb verb;
    int64_t at_ms;
};

struct watched_rule {
    char automation_id[SUGGESTION_AUTOMATION_ID_SIZE];
    enum rule_verb verb;
    struct target *targets;
    size_t count;
};

struct watched_run {
    char automation_id[SUGGESTION_AUTOMATION_ID_SIZE], context_id[CONTEXT_SIZE];
    int64_t at_ms;
    int64_t effect_ms;            /* it acted; 0 = not yet */
    int64_t undone_ms;            /* it was reversed, by */
    char undone_by[CONTEXT_SIZE]; /* this context: perhaps an automation's */
};

struct run_watch {
    struct run_watch_settings settings;
    struct watched_rule *rules;
    size_t rule_count;
    struct watched_run runs[RUN_WATCH_RUNS_MAX];
    size_t run_count;
    struct recent recent[RECENT_MAX]; /* a ring */
    size_t recent_count;
    int64_t since_ms; /* all changes are seen; 0 = not */
};

static void release_rules(struct watched_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(rules[i].targets);
    free(rules);
}

struct run_watch *run_watch_new(const struct run_watch_settings *settings)
{
    struct run_watch *watch = xcalloc(1, sizeof(*watch));
    watch->settings = *settings;
    return watch;
}

void run_watch_free(struct run_watch *watch)
{
    if (watch == NULL)
        return;
    release_rules(watch->rules, watch->rule_count);
    free(watch);
}

/* Its state is "on" or "off", and nothing in between. */
bool run_watch_can(enum rule_verb verb, const char *entity_id)
{
    return verb < RULE_SWITCHING_COUNT && rule_domain_is_switchable(entity_id) &&
           strlen(entity_id) <= RULE_ENTITY_ID_MAX;
}

static struct watched_rule *find_rule(const struct run_watch *watch, const char *automation_id)
{
    for (size_t i = 0; i < watch->rule_count; i++)
        if (strcmp(watch->rules[i].automation_id, automation_id) == 0)
            return &watch->rules[i];
    return NULL;
}

static struct target *find_target(const struct watched_rule *rule, const char *entity_id)
{
    for (size_t i = 0; i < rule->count; i++)
        if (strcmp(rule->targets[i].entity_id, entity_id) == 0)
            return &rule->targets[i];
    return NULL;
}

static bool copy_rule(const struct run_watch_rule *from, const struct watched_rule *former,
                      struct watched_rule *to)
{
    if (from->count == 0 || strlen(from->automation_id) >= sizeof(to->automation_id))
        return false;
    for (size_t i = 0; i < from->count; i++)
        if (!run_watch_can(from->verb, from->entity_ids[i]))
            return false;
    *to = (struct watched_rule){.verb = from->verb, .count = from->count};
    snprintf(to->automation_id, sizeof(to->automation_id), "%s", from->automation_id);
    to->targets = xcalloc(from->count, sizeof(*to->targets));
    for (size_t i = 0; i < from->count; i++) {
        const struct target *before =
            former != NULL ? find_target(former, from->entity_ids[i]) : NULL;
        if (before != NULL)
            to->targets[i] = *before;
        else
            snprintf(to->targets[i].entity_id, sizeof(to->targets[i].entity_id), "%s",
                     from->entity_ids[i]);
    }
    return true;
}

void run_watch_set_rules(struct run_watch *watch, const struct run_watch_rule *rules, size_t count)
{
    struct watched_rule *list = xcalloc(count + 1, sizeof(*list));
    size_t kept = 0;
    for (size_t i = 0; i < count && kept < RUN_WATCH_RULES_MAX; i++)
        kept += copy_rule(&rules[i], find_rule(watch, rules[i].automation_id), &list[kept]);
    release_rules(watch->rules, watch->rule_count);
    watch->rules = list;
    watch->rule_count = kept;
}

static void remove_run(struct run_watch *watch, size_t index)
{
    watch->runs[index] = watch->runs[--watch->run_count];
}

static void settle(struct run_watch *watch, size_t index, enum run_outcome outcome)
{
    const struct watched_run run = watch->runs[index];
    remove_run(watch, index);
    watch->settings.on_settled(run.automation_id, run.context_id, outcome, watch->settings.ctx);
}

/* What it did may have been told before the run. */
static void find_effect(const struct run_watch *watch, struct watched_run *run)
{
    const struct watched_rule *rule = find_rule(watch, run->automation_id);
    for (size_t i = 0; i < RECENT_MAX && i < watch->recent_count; i++) {
        const struct recent *change = &watch->recent[i];
        if (strcmp(change->context_id, run->context_id) == 0 && change->verb == rule->verb &&
            find_target(rule, change->entity_id) != NULL &&
            (run->effect_ms == 0 || change->at_ms < run->effect_ms))
            run->effect_ms = change->at_ms;
    }
}

void run_watch_run(struct run_watch *watch, const char *automation_id, const char *context_id,
                   int64_t at_ms)
{
    if (watch->since_ms == 0 || at_ms < watch->since_ms || context_id == NULL ||
        *context_id == '\0' || strlen(context_id) >= CONTEXT_SIZE ||
        watch->run_count == RUN_WATCH_RUNS_MAX || find_rule(watch, automation_id) == NULL)
        return;
    struct watched_run *run = &watch->runs[watch->run_count++];
    *run = (struct watched_run){.at_ms = at_ms};
    snprintf(run->automation_id, sizeof(run->automation_id), "%s", automation_id);
    snprintf(run->context_id, sizeof(run->context_id), "%s", context_id);
    find_effect(watch, run);
}

/* ---- changes ---- */

static bool is_state(const char *state, enum rule_verb verb)
{
    return state != NULL && strcmp(state, verb == RULE_TURN_ON ? "on" : "off") == 0;
}

static bool is_context(const char *a, const char *b)
{
    return a != NULL && strcmp(a, b) == 0;
}

/* By a hand: in HA, or at the thing itself; of the latter an automation's own context may turn up
 * later. */
static bool may_be_hand(const struct run_watch *watch, const struct ha_change *change)
{
    if (change->user_id != NULL)
        return true;
    return change->parent_id == NULL &&
           (change->context_id == NULL ||
            !watch->settings.is_machine(change->context_id, watch->settings.ctx));
}

static void tell_run(const struct run_watch *watch, const struct ha_change *change,
                     const struct watched_rule *rule, struct watched_run *run)
{
    enum rule_verb verb = rule->verb;
    enum rule_verb opposite = verb == RULE_TURN_ON ? RULE_TURN_OFF : RULE_TURN_ON;
    bool is_own = is_context(change->context_id, run->context_id);
    if (is_own && is_state(change->to, verb) && run->effect_ms == 0)
        run->effect_ms = change->at_ms;
    if (is_own || run->effect_ms == 0 || run->undone_ms != 0 || !is_state(change->from, verb) ||
        !is_state(change->to, opposite) || change->at_ms > run->effect_ms + RUN_WATCH_UNDONE_MS ||
        !may_be_hand(watch, change))
        return;
    run->undone_ms = change->at_ms;
    bool is_certain = change->user_id != NULL || change->context_id == NULL ||
                      strlen(change->context_id) >= sizeof(run->undone_by);
    snprintf(run->undone_by, sizeof(run->undone_by), "%s", is_certain ? "" : change->context_id);
}

static void note_hand(const struct run_watch *watch, const struct ha_change *change,
                      const struct watched_rule *rule)
{
    struct target *target = find_target(rule, change->entity_id);
    if (!may_be_hand(watch, change) || change->from == NULL || change->to == NULL ||
        strcmp(change->from, change->to) == 0)
        return;
    for (enum rule_verb verb = 0; verb < RULE_SWITCHING_COUNT; verb++) {
        if (!is_state(change->to, verb))
            continue;
        bool is_certain = change->user_id != NULL || change->context_id == NULL ||
                          strlen(change->context_id) >= sizeof(target->hand[verb].by);
        target->hand[verb].at_ms = change->at_ms;
        snprintf(target->hand[verb].by, sizeof(target->hand[verb].by), "%s",
                 is_certain ? "" : change->context_id);
    }
}

static void note_recent(struct run_watch *watch, const struct ha_change *change)
{
    struct recent *recent = &watch->recent[watch->recent_count % RECENT_MAX];
    bool is_on = is_state(change->to, RULE_TURN_ON);
    if ((!is_on && !is_state(change->to, RULE_TURN_OFF)) || change->context_id == NULL ||
        strlen(change->context_id) >= sizeof(recent->context_id) ||
        strlen(change->entity_id) >= sizeof(recent->entity_id))
        return;
    snprintf(recent->entity_id, sizeof(recent->entity_id), "%s", change->entity_id);
    snprintf(recent->context_id, sizeof(recent->context_id), "%s", change->context_id);
    recent->verb = is_on ? RULE_TURN_ON : RULE_TURN_OFF;
    recent->at_ms = change->at_ms;
    watch->recent_count++;
}

void run_watch_change(struct run_watch *watch, const struct ha_change *change)
{
    if (watch->since_ms == 0)
        return;
    note_recent(watch, change);
    for (size_t r = 0; r < watch->rule_count; r++) {
        const struct watched_rule *rule = &watch->rules[r];
        if (find_target(rule, change->entity_id) == NULL)
            continue;
        bool is_run = false;
        for (size_t i = 0; i < watch->run_count; i++) {
            is_run = is_run || is_context(change->context_id, watch->runs[i].context_id);
            if (strcmp(watch->runs[i].automation_id, rule->automation_id) == 0)
                tell_run(watch, change, rule, &watch->runs[i]);
        }
        if (!is_run)
            note_hand(watch, change, rule);
    }
}

/* ---- time ---- */

/* It did nothing. Whether a person had done it, or it was so, is known of the last hour alone. */
static enum run_outcome outcome_of_idle(const struct run_watch *watch,
                                        const struct watched_run *run,
                                        const struct watched_rule *rule)
{
    int64_t from_ms = run->at_ms - RUN_WATCH_PREEMPTED_MS;
    for (size_t i = 0; i < rule->count; i++) {
        int64_t hand_ms = rule->targets[i].hand[rule->verb].at_ms;
        const char *by = rule->targets[i].hand[rule->verb].by;
        bool is_hand = *by == '\0' || !watch->settings.is_machine(by, watch->settings.ctx);
        if (is_hand && hand_ms >= from_ms && hand_ms <= run->at_ms)
            return RUN_PREEMPTED;
    }
    return watch->since_ms <= from_ms ? RUN_IDLE : RUN_NOT_KNOWN;
}

void run_watch_tick(struct run_watch *watch, int64_t now_ms)
{
    for (size_t i = watch->run_count; i-- > 0;) {
        struct watched_run *run = &watch->runs[i];
        const struct watched_rule *rule = find_rule(watch, run->automation_id);
        if (run->undone_ms != 0 && run->undone_by[0] != '\0' &&
            watch->settings.is_machine(run->undone_by, watch->settings.ctx))
            run->undone_ms = 0; /* another automation's own */
        bool is_sure = run->undone_by[0] == '\0' || now_ms > run->undone_ms + RUN_WATCH_MACHINE_MS;
        if (rule == NULL)
            remove_run(watch, i); /* it is deployed no more */
        else if (run->undone_ms != 0 && is_sure)
            settle(watch, i, RUN_UNDONE);
        else if (run->undone_ms == 0 && run->effect_ms != 0 &&
                 now_ms > run->effect_ms + RUN_WATCH_UNDONE_MS + RUN_WATCH_MACHINE_MS)
            settle(watch, i, RUN_KEPT);
        else if (run->effect_ms == 0 && now_ms > run->at_ms + RUN_WATCH_EFFECT_MS)
            settle(watch, i, outcome_of_idle(watch, run, rule));
    }
}

void run_watch_begin(struct run_watch *watch, int64_t now_ms)
{
    run_watch_end(watch);
    watch->since_ms = now_ms;
}

void run_watch_end(struct run_watch *watch)
{
    watch->since_ms = 0;
    watch->run_count = watch->recent_count = 0;
    for (size_t r = 0; r < watch->rule_count; r++)
        for (size_t i = 0; i < watch->rules[r].count; i++)
            memset(watch->rules[r].targets[i].hand, 0, sizeof(watch->rules[r].targets[i].hand));
}
