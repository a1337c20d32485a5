/* What triggers and actions alone tell of a suggestion and an existing automation. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "mine/settings.h"
#include "stats/stats.h"
#include "suggest/backtest.h"
#include "suggest/overlap_parts.h"

#define VALUE_SLACK 2.0 /* times what settings take for one value */

/* ---- acts ----------------------------------------------------------------------------------- */

static const struct rule_value *value_of(const struct rule_value *values, size_t count,
                                         enum rule_attribute attribute)
{
    for (size_t i = 0; i < count; i++)
        if (values[i].attribute == attribute)
            return &values[i];
    return NULL;
}

/* Whether the act sets each value of the step to about the same. */
static bool has_values(const struct existing_act *act, const struct rule_step *step)
{
    for (size_t i = 0; i < step->value_count; i++) {
        const struct rule_value *wanted = &step->values[i];
        const struct rule_value *found = value_of(act->values, act->value_count, wanted->attribute);
        if (found == NULL || fabs(found->value - wanted->value) >
                                 VALUE_SLACK * settings_tolerance(wanted->attribute))
            return false;
    }
    return true;
}

static bool switches(const struct existing_act *act)
{
    return act->effect != EXISTING_SET;
}

bool overlap_is_same(const struct existing_act *act, bool is_on, const struct rule_step *step)
{
    if (step->verb == RULE_SET)
        return (act->effect == EXISTING_SET || (switches(act) && is_on)) && has_values(act, step);
    return switches(act) && is_on == (step->verb == RULE_TURN_ON) && has_values(act, step);
}

bool overlap_is_opposite(const struct existing_act *act, bool is_on, const struct rule_step *step)
{
    if (step->verb != RULE_SET)
        return switches(act) && is_on != (step->verb == RULE_TURN_ON);
    /* Another value of the same: open and closed, warm and cool. */
    return act->effect == EXISTING_SET && !has_values(act, step) &&
           value_of(act->values, act->value_count, step->values[0].attribute) != NULL;
}

const struct rule_step *overlap_step(const struct rule *rule, size_t index, struct rule_step *first,
                                     int64_t *delay_ms)
{
    if (index == 0) {
        *first = rule_first_step(rule);
        *delay_ms = 0;
        return first;
    }
    if (index > rule->step_count)
        return NULL;
    *delay_ms += rule->steps[index - 1].delay_s * INT64_C(1000);
    return &rule->steps[index - 1];
}

/* ---- triggers ------------------------------------------------------------------------------- */

/* Whether both fire within so much of each other, the act's delay with it, on a common day. */
static bool is_near(const struct existing_trigger *t, unsigned weekdays, int64_t delay_ms,
                    const struct rule *rule, int64_t within_ms)
{
    const struct rule_trigger *own = &rule->trigger;
    int delay_s = (int)(delay_ms / 1000), within_s = (int)(within_ms / 1000);
    if ((t->weekdays & weekdays & rule->weekdays) == 0)
        return false;
    switch (t->kind) {
    case EXISTING_AT:
        return own->kind == RULE_TRIGGER_TIME &&
               abs(stats_circular_difference((t->second + delay_s) % STATS_DAY_S, own->second)) <=
                   within_s;
    case EXISTING_SUN:
        return own->kind == RULE_TRIGGER_SUN && own->event == t->event &&
               abs(t->second + delay_s - own->second) <= within_s;
    case EXISTING_STATE:
    default:
        return own->kind == RULE_TRIGGER_STATE && strcmp(t->entity_id, own->entity_id) == 0 &&
               (t->to == NULL || strcmp(t->to, own->to) == 0) &&
               abs(t->for_s + delay_s - own->for_s) <= within_s;
    }
}

static int64_t hit_window(const struct rule *rule)
{
    return rule->trigger.kind == RULE_TRIGGER_STATE ? BACKTEST_STATE_MS : BACKTEST_HIT_MS;
}

/* Whether the automation is sure to act whenever the rule would. */
static bool covers_days(const struct existing_branch *branch, const struct existing_trigger *t,
                        const struct rule *rule)
{
    return !branch->has_more && (rule->weekdays & ~(branch->weekdays & t->weekdays)) == 0;
}

static bool target_is_covered(const struct existing *e, const char *entity_id,
                              const struct rule_step *step, int64_t delay_ms,
                              const struct rule *rule)
{
    for (size_t i = 0; i < e->act_count; i++) {
        const struct existing_act *act = &e->acts[i];
        if (strcmp(act->entity_id, entity_id) != 0 || act->is_late ||
            act->effect == EXISTING_TOGGLE ||
            !overlap_is_same(act, act->effect == EXISTING_ON, step))
            continue;
        for (size_t k = 0; k < e->trigger_count; k++)
            if (covers_days(&e->branches[act->branch], &e->triggers[k], rule) &&
                is_near(&e->triggers[k], e->branches[act->branch].weekdays,
                        act->delay_ms - delay_ms, rule, hit_window(rule)))
                return true;
    }
    return false;
}

/* Itself, or all its members. */
static bool is_covered_all(const struct history *h, const struct existing *e, const char *entity_id,
                           const struct rule_step *step, int64_t delay_ms, const struct rule *rule)
{
    const struct history_entity *group = history_find_entity(h, entity_id);
    if (target_is_covered(e, entity_id, step, delay_ms, rule))
        return true;
    if (group == NULL || group->members == NULL || rule_is_scene(entity_id))
        return false;
    for (const char *p = group->members + strspn(group->members, " "); *p != '\0';) {
        size_t length = strcspn(p, " ");
        char *id = xstrndup(p, length);
        bool is_covered = target_is_covered(e, id, step, delay_ms, rule);
        free(id);
        if (!is_covered)
            return false;
        p += length + strspn(p + length, " ");
    }
    return true;
}

bool overlap_static_covers(const struct history *h, const struct existing *e,
                           const struct rule *rule)
{
    struct rule_step first;
    int64_t delay_ms = 0;
    const struct rule_step *step;
    for (size_t s = 0; (step = overlap_step(rule, s, &first, &delay_ms)) != NULL; s++)
        for (size_t i = 0; i < step->entity_count; i++)
            if (!is_covered_all(h, e, step->entity_ids[i], step, delay_ms, rule))
                return false;
    return true;
}

static bool has_target(const struct rule_step *step, const char *entity_id)
{
    for (size_t i = 0; i < step->entity_count; i++)
        if (strcmp(step->entity_ids[i], entity_id) == 0)
            return true;
    return false;
}

/* Calls for each act of the automation on a target of the rule that does the opposite. */
static bool any_opposite(const struct existing *e, const struct rule *rule,
                         bool (*is_it)(const struct existing *e, const struct existing_act *act,
                                       const struct rule *rule, int64_t delay_ms))
{
    struct rule_step first;
    int64_t delay_ms = 0;
    const struct rule_step *step;
    for (size_t s = 0; (step = overlap_step(rule, s, &first, &delay_ms)) != NULL; s++)
        for (size_t i = 0; i < e->act_count; i++) {
            const struct existing_act *act = &e->acts[i];
            if (!act->is_late && act->effect != EXISTING_TOGGLE &&
                has_target(step, act->entity_id) &&
                overlap_is_opposite(act, act->effect == EXISTING_ON, step) &&
                is_it(e, act, rule, delay_ms))
                return true;
        }
    return false;
}

static bool fires_near(const struct existing *e, const struct existing_act *act,
                       const struct rule *rule, int64_t delay_ms)
{
    for (size_t k = 0; k < e->trigger_count; k++)
        if (is_near(&e->triggers[k], e->branches[act->branch].weekdays, act->delay_ms - delay_ms,
                    rule, OVERLAP_OPPOSES_MS))
            return true;
    return false;
}

bool overlap_static_opposes(const struct existing *e, const struct rule *rule)
{
    return any_opposite(e, rule, fires_near);
}

/* ---- what sets off what --------------------------------------------------------------------- */

/* The state that an act leads to; NULL = not told. */
static const char *state_after(enum existing_effect effect, const char *entity_id,
                               const struct rule_value *values, size_t count)
{
    const struct rule_value *position = value_of(values, count, RULE_POSITION);
    switch (effect) {
    case EXISTING_ON:
        return rule_is_scene(entity_id) ? NULL : rule_state_of(RULE_TURN_ON, entity_id);
    case EXISTING_OFF:
        return rule_is_lock(entity_id) ? "unlocked" : "off";
    case EXISTING_SET:
        return position == NULL ? NULL : position->value > 0 ? "open" : "closed";
    case EXISTING_TOGGLE:
    default:
        return NULL;
    }
}

/* Whether the automation listens to that: to any change, or to that one. */
static bool listens(const struct existing *e, const char *entity_id, const char *state)
{
    for (size_t k = 0; k < e->trigger_count; k++) {
        const struct existing_trigger *t = &e->triggers[k];
        if (t->kind == EXISTING_STATE && strcmp(t->entity_id, entity_id) == 0 &&
            (t->to == NULL || (state != NULL && strcmp(t->to, state) == 0)))
            return true;
    }
    return false;
}

/* Whether it listens to a group of Home Assistant's that goes to that state with its member. */
static bool listens_to_group(const struct history *h, const struct existing *e,
                             const char *entity_id, const char *state)
{
    size_t length = strlen(entity_id);
    for (size_t k = 0; k < e->trigger_count; k++) {
        const struct existing_trigger *t = &e->triggers[k];
        const struct history_entity *group =
            t->kind == EXISTING_STATE ? history_find_entity(h, t->entity_id) : NULL;
        const char *at = group != NULL && group->members != NULL && !rule_is_scene(t->entity_id)
                             ? strstr(group->members, entity_id)
                             : NULL;
        if (at != NULL && (at == group->members || at[-1] == ' ') &&
            (at[length] == ' ' || at[length] == '\0') &&
            (t->to == NULL || (state != NULL && strcmp(t->to, state) == 0)))
            return true;
    }
    return false;
}

static enum existing_effect effect_of(const struct rule_step *step)
{
    static const enum existing_effect effects[RULE_VERB_COUNT] = {
        [RULE_TURN_ON] = EXISTING_ON, [RULE_TURN_OFF] = EXISTING_OFF, [RULE_SET] = EXISTING_SET};
    return effects[step->verb];
}

bool overlap_sets_off(const struct history *h, const struct rule *rule, const struct existing *e)
{
    struct rule_step first;
    int64_t delay_ms = 0;
    const struct rule_step *step;
    for (size_t s = 0; (step = overlap_step(rule, s, &first, &delay_ms)) != NULL; s++)
        for (size_t i = 0; i < step->entity_count; i++) {
            const char *id = step->entity_ids[i];
            const char *state = state_after(effect_of(step), id, step->values, step->value_count);
            if (state == NULL && !rule_is_scene(id))
                continue; /* a value changes no state that is known */
            if (listens(e, id, state) || listens_to_group(h, e, id, state))
                return true;
        }
    return false;
}

bool overlap_is_set_off(const struct existing *e, const struct rule *rule)
{
    const struct rule_trigger *trigger = &rule->trigger;
    if (trigger->kind != RULE_TRIGGER_STATE)
        return false;
    for (size_t i = 0; i < e->act_count; i++) {
        const struct existing_act *act = &e->acts[i];
        const char *state = state_after(act->effect, act->entity_id, act->values, act->value_count);
        bool is_toggled = act->effect == EXISTING_TOGGLE &&
                          (strcmp(trigger->to, "on") == 0 || strcmp(trigger->to, "off") == 0);
        if (strcmp(act->entity_id, trigger->entity_id) == 0 &&
            (is_toggled || (state != NULL && strcmp(state, trigger->to) == 0)))
            return true;
    }
    return false;
}

bool overlap_sets_off_other(const struct existing *e, const struct existing *other)
{
    for (size_t i = 0; i < e->act_count; i++) {
        const struct existing_act *act = &e->acts[i];
        const char *state = state_after(act->effect, act->entity_id, act->values, act->value_count);
        if (act->effect == EXISTING_TOGGLE
                ? listens(other, act->entity_id, "on") || listens(other, act->entity_id, "off")
                : state != NULL && listens(other, act->entity_id, state))
            return true;
    }
    return false;
}

static bool acts_soon(const struct existing *e, const struct existing_act *act,
                      const struct rule *rule, int64_t delay_ms)
{
    (void)delay_ms;
    (void)rule;
    for (size_t k = 0; k < e->trigger_count; k++)
        if (e->triggers[k].kind == EXISTING_STATE &&
            e->triggers[k].for_s * INT64_C(1000) + act->delay_ms <= OVERLAP_OPPOSES_MS)
            return true;
    return false;
}

bool overlap_undoes(const struct history *h, const struct existing *e, const struct rule *rule)
{
    return overlap_sets_off(h, rule, e) && any_opposite(e, rule, acts_soon);
}
