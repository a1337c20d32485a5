/* Reads leniently into a rule; whoever needs to be sure writes the rule anew and compares. */
#include "suggest/automation_read.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/text.h"
#include "suggest/automation.h"

enum { PATH_SIZE = 200, SHOWN_SIZE = 81 };

int automation_refuse(struct error *err, const char *path, const char *got, const char *takes)
{
    char shown[SHOWN_SIZE];
    text_copy_shown(shown, sizeof shown, got != NULL ? got : "nothing");
    return error_set(err, ERROR_DENIED, "the automation is not one of ours: %s: got '%s', takes %s",
                     path, shown, takes);
}

const char *automation_shown(json_object *value)
{
    return value != NULL ? json_text(value) : NULL;
}

/* ---- times ---------------------------------------------------------------------------------- */

/* "07:05:00", "-00:15:00" where a sign is allowed, "168:00:00". */
static bool read_clock(const char *text, bool is_signed, int *second)
{
    int h, m, s, length = 0, sign = 1;
    if (text == NULL || strlen(text) > 10)
        return false;
    if (is_signed && text[0] == '-') {
        sign = -1;
        text++;
    }
    if (strspn(text, "0123456789:") != strlen(text) ||
        sscanf(text, "%3d:%2d:%2d%n", &h, &m, &s, &length) != 3 || text[length] != '\0' || m > 59 ||
        s > 59 || h > RULE_DURATION_MAX_S / 3600)
        return false;
    *second = sign * (h * 3600 + m * 60 + s);
    return true;
}

/* ---- trigger and conditions ----------------------------------------------------------------- */

static int read_trigger(json_object *trigger, struct rule_trigger *out, struct error *err)
{
    const char *kind = json_get_string(trigger, "trigger");
    if (json_is(trigger, "trigger", "time")) {
        out->kind = RULE_TRIGGER_TIME;
        if (!read_clock(json_get_string(trigger, "at"), false, &out->second) || out->second > 86399)
            return automation_refuse(err, "triggers[0].at",
                                     automation_shown(json_get(trigger, "at")), "HH:MM:SS");
    } else if (json_is(trigger, "trigger", "sun")) {
        out->kind = RULE_TRIGGER_SUN;
        out->event = json_is(trigger, "event", "sunset") ? RULE_SUNSET : RULE_SUNRISE;
        if (json_get(trigger, "offset") != NULL &&
            !read_clock(json_get_string(trigger, "offset"), true, &out->second))
            return automation_refuse(err, "triggers[0].offset",
                                     automation_shown(json_get(trigger, "offset")), "HH:MM:SS");
    } else if (json_is(trigger, "trigger", "state")) {
        out->kind = RULE_TRIGGER_STATE;
        out->entity_id = json_get_string(trigger, "entity_id");
        out->to = json_get_string(trigger, "to");
        if (out->entity_id == NULL || !rule_entity_id_is_valid(out->entity_id))
            return automation_refuse(err, "triggers[0].entity_id",
                                     automation_shown(json_get(trigger, "entity_id")),
                                     "an entity id");
        if (out->to == NULL || !rule_state_is_valid(out->to))
            return automation_refuse(err, "triggers[0].to",
                                     automation_shown(json_get(trigger, "to")), "a state");
        if (json_get(trigger, "for") != NULL &&
            !read_clock(json_get_string(trigger, "for"), false, &out->for_s))
            return automation_refuse(err, "triggers[0].for",
                                     automation_shown(json_get(trigger, "for")), "HH:MM:SS");
    } else {
        return automation_refuse(err, "triggers[0].trigger", kind, "time, sun or state");
    }
    return 0;
}

/* Days of the week; 0 = none of them. */
static unsigned read_weekdays(json_object *list)
{
    unsigned days = 0;
    size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(list, i));
        for (int day = 0; day < 7; day++)
            if (name != NULL && strcmp(name, rule_weekday_name(day)) == 0)
                days |= 1U << day;
    }
    return days;
}

/* Our own fixed template: with or without how long it was quiet. The rule is written anew and
 * compared, so that only the number is taken from it. */
static void read_template(json_object *condition, struct rule_trigger *trigger)
{
    const char *text = json_get_string(condition, "value_template");
    const char *number = text != NULL ? strstr(text, "total_seconds() >= ") : NULL;
    if (number != NULL)
        trigger->quiet_s = (int)strtol(strrchr(number, '=') + 1, NULL, 10);
}

static int read_condition(json_object *condition, struct rule *rule, const char *path,
                          struct error *err)
{
    if (json_is(condition, "condition", "template")) {
        read_template(condition, &rule->trigger);
        return 0;
    }
    if (json_is(condition, "condition", "time") && json_get(condition, "weekday") != NULL) {
        rule->weekdays = read_weekdays(json_get(condition, "weekday"));
        return rule->weekdays != 0
                   ? 0
                   : automation_refuse(err, path, automation_shown(json_get(condition, "weekday")),
                                       "days of the week");
    }
    if (rule->condition_count == RULE_CONDITIONS_MAX)
        return automation_refuse(err, path, "more", "at most 3 conditions besides the days");
    struct rule_condition *out = &rule->conditions[rule->condition_count++];
    *out = (struct rule_condition){.kind = RULE_WHEN_TIME};
    if (json_is(condition, "condition", "time"))
        return read_clock(json_get_string(condition, "after"), false, &out->from_s) &&
                       read_clock(json_get_string(condition, "before"), false, &out->to_s)
                   ? 0
                   : automation_refuse(err, path, automation_shown(condition),
                                       "after and before, HH:MM:SS");
    out->entity_id = json_get_string(condition, "entity_id");
    if (out->entity_id == NULL || !rule_entity_id_is_valid(out->entity_id))
        return automation_refuse(err, path, automation_shown(condition),
                                 "a condition with one entity id");
    if (json_is(condition, "condition", "state")) {
        out->kind = RULE_WHEN_STATE;
        out->state = json_get_string(condition, "state");
        return out->state != NULL && rule_state_is_valid(out->state)
                   ? 0
                   : automation_refuse(err, path, automation_shown(json_get(condition, "state")),
                                       "a state");
    }
    if (!json_is(condition, "condition", "numeric_state"))
        return automation_refuse(err, path, json_get_string(condition, "condition"),
                                 "time, state or numeric_state");
    bool is_below = json_get(condition, "below") != NULL;
    out->kind = is_below ? RULE_WHEN_BELOW : RULE_WHEN_ABOVE;
    out->limit = json_get_double(condition, is_below ? "below" : "above", NAN);
    return isfinite(out->limit) ? 0
                                : automation_refuse(err, path, automation_shown(condition),
                                                    "below or above a number");
}

/* ---- actions -------------------------------------------------------------------------------- */

static bool has_domain(const char *service, const char *entity_id)
{
    size_t length = strcspn(service, ".");
    return strcspn(entity_id, ".") == length && strncmp(service, entity_id, length) == 0;
}

static bool sets_attribute(const char *service, enum rule_attribute attribute)
{
    const struct rule_attribute_row *row = &rule_attributes[attribute];
    return strcmp(service, row->service) == 0 ||
           (row->with_turn_on && strcmp(service, rule_verbs[RULE_TURN_ON].service) == 0);
}

/* What the service does to what it is for; false when it is no service that we call. */
static bool read_service(const struct automation_rule *p, const char *service, json_object *data,
                         const char *entity_id, struct rule_step *step)
{
    const char *name = strchr(service, '.');
    char done[RULE_ENTITY_ID_MAX + 16];
    bool is_set = false;
    if (name == NULL || !has_domain(service, entity_id))
        return false;
    step->value_count = 0;
    for (int a = 0; a < RULE_ATTRIBUTE_COUNT && data != NULL; a++) {
        json_object *value = json_get(data, rule_attributes[a].field);
        if (value == NULL || !rule_has_attribute(entity_id, (enum rule_attribute)a) ||
            !sets_attribute(name + 1, (enum rule_attribute)a) ||
            step->value_count == RULE_VALUES_MAX)
            continue;
        is_set = strcmp(name + 1, rule_attributes[a].service) == 0;
        step->values[step->value_count++] =
            (struct rule_value){(enum rule_attribute)a, json_object_get_double(value)};
    }
    snprintf(done, sizeof done, "is_state('%s'", entity_id);
    /* What turns on with a value and what sets it alone call the same: the report knows. */
    bool is_seen = p->done != NULL ? strstr(p->done, done) != NULL
                                   : strcmp(name + 1, rule_verbs[RULE_TURN_ON].service) == 0;
    if (is_set && step->value_count == 1 && !is_seen) {
        step->verb = RULE_SET;
        return true;
    }
    for (int verb = 0; verb < RULE_SWITCHING_COUNT; verb++)
        if (strcmp(name + 1, rule_service_of((enum rule_verb)verb, entity_id)) == 0 &&
            rule_domain_can(entity_id, (enum rule_verb)verb)) {
            step->verb = (enum rule_verb)verb;
            return true;
        }
    return false;
}

/* Whether what comes next belongs to one step with it: the same act, on another domain. */
static bool continues(const struct rule_step *step, const struct rule_step *next)
{
    if (step->verb != next->verb || step->value_count > 0 || next->value_count > 0)
        return false;
    for (size_t i = 0; i < step->entity_count; i++)
        if (has_domain(step->entity_ids[i], next->entity_ids[0]))
            return false;
    return true;
}

static int add_target(struct rule_step *step, const char **ids, const char *id, const char *path,
                      struct error *err)
{
    if (id == NULL || !rule_entity_id_is_valid(id))
        return automation_refuse(err, path, id, "entity ids alone as the target");
    if (step->entity_count == RULE_TARGETS_MAX)
        return automation_refuse(err, path, id, "at most 50 entity ids");
    ids[step->entity_count++] = id;
    return 0;
}

static int read_targets(json_object *targets, struct rule_step *step, const char **ids,
                        const char *path, struct error *err)
{
    if (json_object_is_type(targets, json_type_string))
        return add_target(step, ids, json_object_get_string(targets), path, err);
    size_t count =
        json_object_is_type(targets, json_type_array) ? json_object_array_length(targets) : 0;
    if (count == 0)
        return automation_refuse(err, path, automation_shown(targets),
                                 "entity ids alone as the target");
    for (size_t i = 0; i < count; i++) {
        json_object *one = json_object_array_get_idx(targets, i);
        const char *id =
            json_object_is_type(one, json_type_string) ? json_object_get_string(one) : NULL;
        if (add_target(step, ids, id, path, err) != 0)
            return -1;
    }
    return 0;
}

static int read_action(struct automation_rule *p, json_object *action, int delay_s,
                       const char *path, struct error *err)
{
    const char *service = json_get_string(action, "action");
    const char *ids[RULE_TARGETS_MAX];
    struct rule_step next = {.entity_ids = ids, .delay_s = delay_s};
    if (service == NULL)
        return automation_refuse(err, path, automation_shown(action),
                                 "an action of the grammar, a delay, or the report");
    if (json_at(action, "target.entity_id") == NULL)
        return automation_refuse(err, path, service,
                                 "a service that ha-ai may call, on entity ids");
    if (read_targets(json_at(action, "target.entity_id"), &next, ids, path, err) != 0)
        return -1;
    if (!read_service(p, service, json_get(action, "data"), ids[0], &next))
        return automation_refuse(err, path, service,
                                 "a service that ha-ai may call on such an entity");
    struct rule_step *step = p->step_count > 0 ? &p->steps[p->step_count - 1] : NULL;
    size_t at = step != NULL ? step->entity_count : 0;
    if (step == NULL || delay_s > 0 || !continues(step, &next)) {
        if (p->step_count == RULE_STEPS_MAX + 1)
            return automation_refuse(err, path, service, "at most 5 steps");
        step = &p->steps[p->step_count];
        *step = next;
        step->entity_ids = p->ids[p->step_count++];
        step->entity_count = at = 0;
    }
    const char **own = p->ids[p->step_count - 1];
    if (at + next.entity_count > RULE_TARGETS_MAX)
        return automation_refuse(err, path, service, "at most 50 entity ids");
    for (size_t i = 0; i < next.entity_count; i++)
        own[at + i] = ids[i];
    step->entity_count += next.entity_count;
    return 0;
}

/* Where the report asks about it; the end when it does not. */
static size_t place_in(const char *done, const char *entity_id)
{
    char quoted[RULE_ENTITY_ID_MAX + 4];
    snprintf(quoted, sizeof quoted, "'%s'", entity_id);
    const char *found = strstr(done, quoted);
    return found != NULL ? (size_t)(found - done) : strlen(done);
}

/* Targets of several domains stand together in the actions, in the report as they came. */
static void sort_targets(struct automation_rule *p, size_t step)
{
    const char **ids = p->ids[step];
    for (size_t i = 1; i < p->steps[step].entity_count; i++)
        for (size_t k = i; k > 0 && place_in(p->done, ids[k]) < place_in(p->done, ids[k - 1]);
             k--) {
            const char *spare = ids[k];
            ids[k] = ids[k - 1];
            ids[k - 1] = spare;
        }
}

static bool is_report(json_object *action)
{
    return json_get_array(action, "sequence") != NULL && json_get_string(action, "alias") != NULL;
}

static int read_actions(struct automation_rule *p, json_object *actions, struct error *err)
{
    size_t count = json_object_array_length(actions);
    int delay_s = 0;
    for (size_t i = 0; i < count; i++) {
        json_object *action = json_object_array_get_idx(actions, i);
        if (is_report(action))
            continue;
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "actions[%zu]", i);
        if (json_get(action, "delay") != NULL) {
            if (delay_s != 0 || i == 0 ||
                !read_clock(json_get_string(action, "delay"), false, &delay_s))
                return automation_refuse(err, path, automation_shown(action),
                                         "one delay between two actions, HH:MM:SS");
            continue;
        }
        if (read_action(p, action, delay_s, path, err) != 0)
            return -1;
        delay_s = 0;
    }
    if (p->step_count == 0)
        return automation_refuse(err, "actions", automation_shown(actions),
                                 "an action and the report");
    for (size_t i = 0; p->done != NULL && i < p->step_count; i++)
        sort_targets(p, i);
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static json_object *list_of(json_object *automation, const char *key, size_t least, size_t most,
                            struct error *err)
{
    json_object *list = json_get(automation, key);
    size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    if (!json_object_is_type(list, json_type_array) || count < least || count > most) {
        automation_refuse(err, key, automation_shown(list), "the list that the grammar has there");
        return NULL;
    }
    return list;
}

/* What the report waits for; NULL = there is no report. */
static const char *done_of(json_object *actions)
{
    for (size_t i = 0; i < json_object_array_length(actions); i++) {
        json_object *action = json_object_array_get_idx(actions, i);
        if (!is_report(action))
            continue;
        json_object *sequence = json_get_array(action, "sequence");
        const char *done =
            json_object_array_length(sequence) > 0
                ? json_get_string(json_object_array_get_idx(sequence, 0), "wait_template")
                : NULL;
        return done != NULL ? done : "";
    }
    return NULL;
}

static int read_conditions(json_object *automation, struct rule *rule, struct error *err)
{
    if (json_get(automation, "conditions") == NULL)
        return 0;
    json_object *list = list_of(automation, "conditions", 0, RULE_CONDITIONS_MAX + 2, err);
    if (list == NULL)
        return -1;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "conditions[%zu]", i);
        if (read_condition(json_object_array_get_idx(list, i), rule, path, err) != 0)
            return -1;
    }
    return 0;
}

int automation_read(json_object *automation, struct automation_rule *out, struct error *err)
{
    json_object *triggers = list_of(automation, "triggers", 1, 1, err);
    json_object *actions =
        triggers != NULL ? list_of(automation, "actions", 1, AUTOMATION_ACTIONS_MAX, err) : NULL;
    if (actions == NULL)
        return -1;
    *out = (struct automation_rule){.rule.weekdays = RULE_EVERY_DAY, .done = done_of(actions)};
    struct rule *rule = &out->rule;
    if (read_trigger(json_object_array_get_idx(triggers, 0), &rule->trigger, err) != 0 ||
        read_conditions(automation, rule, err) != 0 || read_actions(out, actions, err) != 0)
        return -1;
    rule->entity_ids = out->steps[0].entity_ids;
    rule->entity_count = out->steps[0].entity_count;
    rule->verb = out->steps[0].verb;
    rule->value_count = out->steps[0].value_count;
    memcpy(rule->values, out->steps[0].values, sizeof rule->values);
    rule->steps = out->step_count > 1 ? out->steps + 1 : NULL;
    rule->step_count = out->step_count - 1;
    if (!rule_is_valid(rule))
        return automation_refuse(err, "the rule", automation_shown(automation),
                                 "ids, states and values of the grammar");
    return 0;
}

/* ---- the comparison ------------------------------------------------------------------------- */

/* What makes the rule: a copy without alias, description, mode and report. */
static json_object *bare(json_object *automation)
{
    json_object *copy = json_object_new_object(), *actions = json_object_new_array();
    json_object *conditions = json_get(automation, "conditions"),
                *all = json_get_array(automation, "actions");
    for (size_t i = 0; i < json_object_array_length(all); i++)
        if (!is_report(json_object_array_get_idx(all, i)))
            json_object_array_add(actions, json_object_get(json_object_array_get_idx(all, i)));
    json_object_object_add(copy, "triggers", json_object_get(json_get(automation, "triggers")));
    json_object_object_add(copy, "conditions",
                           conditions != NULL ? json_object_get(conditions)
                                              : json_object_new_array());
    json_object_object_add(copy, "actions", actions);
    return copy;
}

int automation_read_rule(json_object *automation, struct automation_rule *out, struct error *err)
{
    if (automation_read(automation, out, err) != 0)
        return -1;
    json_object *written = automation_from_rule(&out->rule, "", "");
    json_object *ours = bare(written), *theirs = bare(automation);
    int result = automation_compare(theirs, ours, err);
    json_object_put(written);
    json_object_put(ours);
    json_object_put(theirs);
    return result;
}
