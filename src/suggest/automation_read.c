/* Reads leniently, then writes what was read and compares: so whatever it overlooked shows. */
#include "suggest/automation_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "suggest/automation.h"

/* "HH:MM" or "HH:MM:SS", with a minus sign where it may be negative. */
static bool read_clock(const char *text, int *second)
{
    int hours, minutes, seconds = 0, length = 0;
    bool is_negative = text != NULL && text[0] == '-';
    if (text == NULL)
        return false;
    text += is_negative;
    if (sscanf(text, "%2d:%2d%n", &hours, &minutes, &length) != 2 || hours < 0 || minutes < 0)
        return false;
    if (text[length] == ':' && sscanf(text + length + 1, "%2d", &seconds) != 1)
        return false;
    *second = hours * 3600 + minutes * 60 + seconds;
    *second = is_negative ? -*second : *second;
    return true;
}

static int read_trigger(json_object *trigger, struct rule_trigger *out, struct error *err)
{
    const char *kind = json_get_string(trigger, "trigger");
    if (kind != NULL && strcmp(kind, "time") == 0) {
        out->kind = RULE_TRIGGER_TIME;
        if (read_clock(json_get_string(trigger, "at"), &out->second))
            return 0;
    } else if (kind != NULL && strcmp(kind, "sun") == 0) {
        const char *event = json_get_string(trigger, "event");
        const char *offset = json_get_string(trigger, "offset");
        out->kind = RULE_TRIGGER_SUN;
        out->event = event != NULL && strcmp(event, "sunset") == 0 ? RULE_SUNSET : RULE_SUNRISE;
        if (offset == NULL || read_clock(offset, &out->second))
            return 0;
    } else if (kind != NULL && strcmp(kind, "state") == 0) {
        const char *waits = json_get_string(trigger, "for");
        out->kind = RULE_TRIGGER_STATE;
        out->entity_id = json_get_string(trigger, "entity_id");
        out->to = json_get_string(trigger, "to");
        if (out->entity_id != NULL && out->to != NULL &&
            (waits == NULL || read_clock(waits, &out->for_s)))
            return 0;
    }
    return error_set(err, ERROR_UNSUPPORTED, "a trigger that is none of the grammar");
}

static unsigned read_weekdays(json_object *list)
{
    unsigned days = 0;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(list, i));
        for (int day = 0; name != NULL && day < 7; day++)
            if (strcmp(name, rule_weekday_name(day)) == 0)
                days |= 1u << day;
    }
    return days;
}

/* The template's own words are compared afterwards; here only its number. */
static void read_template(const char *text, struct rule *rule)
{
    const char *number = text != NULL ? strstr(text, "total_seconds() >= ") : NULL;
    if (number != NULL)
        rule->trigger.quiet_s = (int)strtol(number + strlen("total_seconds() >= "), NULL, 10);
}

static void read_limit(json_object *condition, struct rule_condition *out)
{
    json_object *below = NULL;
    out->entity_id = json_get_string(condition, "entity_id");
    out->kind =
        json_object_object_get_ex(condition, "below", &below) ? RULE_WHEN_BELOW : RULE_WHEN_ABOVE;
    out->limit = json_get_double(condition, out->kind == RULE_WHEN_BELOW ? "below" : "above", 0);
}

static int read_condition(json_object *condition, struct rule *rule, struct error *err)
{
    const char *kind = json_get_string(condition, "condition");
    json_object *days = json_get_array(condition, "weekday");
    if (kind != NULL && strcmp(kind, "template") == 0) {
        read_template(json_get_string(condition, "value_template"), rule);
        return 0;
    }
    if (kind != NULL && strcmp(kind, "time") == 0 && days != NULL) {
        rule->weekdays = read_weekdays(days);
        return 0;
    }
    if (rule->condition_count == RULE_CONDITIONS_MAX)
        return error_set(err, ERROR_LIMIT, "more than %d conditions", RULE_CONDITIONS_MAX);
    struct rule_condition out = {.kind = RULE_WHEN_STATE};
    bool is_known = kind != NULL;
    if (is_known && strcmp(kind, "state") == 0) {
        out.entity_id = json_get_string(condition, "entity_id");
        out.state = json_get_string(condition, "state");
        is_known = out.state != NULL;
    } else if (is_known && strcmp(kind, "time") == 0) {
        out.kind = RULE_WHEN_TIME;
        is_known = read_clock(json_get_string(condition, "after"), &out.from_s) &&
                   read_clock(json_get_string(condition, "before"), &out.to_s);
    } else if (is_known && strcmp(kind, "numeric_state") == 0) {
        read_limit(condition, &out);
    } else {
        is_known = false;
    }
    if (!is_known || (out.kind != RULE_WHEN_TIME && out.entity_id == NULL))
        return error_set(err, ERROR_UNSUPPORTED, "a condition that is none of the grammar");
    rule->conditions[rule->condition_count++] = out;
    return 0;
}

/* --- actions --- */

static int add_id(struct automation_rule *out, size_t step, size_t *count, json_object *id,
                  struct error *err)
{
    const char *text =
        json_object_is_type(id, json_type_string) ? json_object_get_string(id) : NULL;
    if (text == NULL || *count == RULE_TARGETS_MAX)
        return error_set(err, ERROR_UNSUPPORTED, "targets that are none of the grammar");
    out->ids[step][(*count)++] = text;
    return 0;
}

static int add_ids(struct automation_rule *out, size_t step, size_t *count, json_object *action,
                   struct error *err)
{
    json_object *ids = NULL;
    json_object_object_get_ex(json_get_object(action, "target"), "entity_id", &ids);
    if (!json_object_is_type(ids, json_type_array))
        return add_id(out, step, count, ids, err);
    for (size_t i = 0; i < json_object_array_length(ids); i++)
        if (add_id(out, step, count, json_object_array_get_idx(ids, i), err) != 0)
            return -1;
    return 0;
}

static bool is_domain_of(const char *entity_id, const char *service)
{
    size_t length = strcspn(service, ".") + 1;
    return strncmp(entity_id, service, length) == 0;
}

static void read_values(json_object *data, const char *service, const char *entity_id,
                        struct rule_step *step)
{
    for (int a = 0; a < RULE_ATTRIBUTE_COUNT && step->value_count < RULE_VALUES_MAX; a++) {
        json_object *value = NULL;
        const char *name = strchr(service, '.') + 1;
        if (!rule_has_attribute(entity_id, (enum rule_attribute)a) ||
            !json_object_object_get_ex(data, rule_attributes[a].field, &value))
            continue;
        step->verb = strcmp(name, rule_verbs[RULE_TURN_ON].service) == 0 ? RULE_TURN_ON : RULE_SET;
        step->values[step->value_count++] =
            (struct rule_value){(enum rule_attribute)a, json_object_get_double(value)};
    }
}

/* One service of a step: of the first act, or of a further domain of the same. */
static int read_act(struct automation_rule *out, json_object *action, size_t index,
                    struct rule_step *step, struct error *err)
{
    const char *service = json_get_string(action, "action");
    const char *name = service != NULL ? strchr(service, '.') : NULL;
    size_t first = step->entity_count;
    if (name == NULL || json_get_object(action, "target") == NULL)
        return error_set(err, ERROR_UNSUPPORTED, "an action that is none of the grammar");
    if (add_ids(out, index, &step->entity_count, action, err) != 0)
        return -1;
    step->entity_ids = out->ids[index];
    if (step->entity_count == first || !is_domain_of(out->ids[index][first], service))
        return error_set(err, ERROR_UNSUPPORTED, "%s on something else", service);
    if (first > 0) /* what it does is known; that this does the same shows when it is compared */
        return 0;
    step->verb =
        strcmp(name + 1, rule_verbs[RULE_TURN_OFF].service) == 0 ? RULE_TURN_OFF : RULE_TURN_ON;
    read_values(json_get_object(action, "data"), service, out->ids[index][0], step);
    return 0;
}

static bool is_report(json_object *action)
{
    return json_get_array(action, "sequence") != NULL && json_get_string(action, "alias") != NULL;
}

static bool starts_step(const struct rule_step *step, json_object *action)
{
    const char *service = json_get_string(action, "action");
    return step->entity_count > 0 && service != NULL &&
           is_domain_of(step->entity_ids[step->entity_count - 1], service);
}

static int read_actions(json_object *actions, struct automation_rule *out, struct error *err)
{
    struct rule_step all[RULE_STEPS_MAX + 1] = {{.delay_s = 0}};
    size_t count = 0;
    int delay_s = 0;
    for (size_t i = 0; i < json_object_array_length(actions); i++) {
        json_object *action = json_object_array_get_idx(actions, i);
        const char *delay = json_get_string(action, "delay");
        if (is_report(action))
            continue;
        if (delay != NULL && read_clock(delay, &delay_s))
            continue;
        if (count == 0 || delay_s > 0 || starts_step(&all[count - 1], action)) {
            if (count > RULE_STEPS_MAX)
                return error_set(err, ERROR_LIMIT, "more than %d steps", RULE_STEPS_MAX + 1);
            all[count++].delay_s = delay_s;
            delay_s = 0;
        }
        if (read_act(out, action, count - 1, &all[count - 1], err) != 0)
            return -1;
    }
    if (count == 0)
        return error_set(err, ERROR_UNSUPPORTED, "no action");
    struct rule *rule = &out->rule;
    rule->entity_ids = all[0].entity_ids;
    rule->entity_count = all[0].entity_count;
    rule->verb = all[0].verb;
    rule->value_count = all[0].value_count;
    memcpy(rule->values, all[0].values, sizeof rule->values);
    rule->step_count = count - 1;
    memcpy(out->steps, all + 1, rule->step_count * sizeof *out->steps);
    rule->steps = rule->step_count > 0 ? out->steps : NULL;
    return 0;
}

/* --- the comparison --- */

static json_object *without_report(json_object *actions)
{
    json_object *copy = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(actions); i++)
        if (!is_report(json_object_array_get_idx(actions, i)))
            json_object_array_add(copy, json_object_get(json_object_array_get_idx(actions, i)));
    return copy;
}

/* As text that was parsed: 40 and 40.0 are written alike, but are of two types. */
static bool is_same(json_object *left, json_object *right)
{
    struct error err;
    const char *text = json_text(left);
    json_object *a = json_parse(text, strlen(text), &err);
    text = json_text(right);
    json_object *b = json_parse(text, strlen(text), &err);
    bool same = a != NULL && b != NULL && json_object_equal(a, b);
    json_object_put(a);
    json_object_put(b);
    return same;
}

static bool is_written_so(json_object *config, const struct rule *rule)
{
    json_object *written = automation_from_rule(rule, "", "");
    bool same = true;
    static const char *const keys[] = {"triggers", "conditions"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_object *given = json_get_array(config, keys[i]), *none = json_object_new_array();
        same = same && is_same(given != NULL ? given : none, json_get_array(written, keys[i]));
        json_object_put(none);
    }
    json_object *given = without_report(json_get_array(config, "actions"));
    json_object *mine = without_report(json_get_array(written, "actions"));
    same = same && is_same(given, mine);
    json_object_put(given);
    json_object_put(mine);
    json_object_put(written);
    return same;
}

int automation_read_rule(json_object *config, struct automation_rule *out, struct error *err)
{
    json_object *triggers = json_get_array(config, "triggers");
    json_object *conditions = json_get_array(config, "conditions");
    json_object *actions = json_get_array(config, "actions");
    memset(out, 0, sizeof *out);
    out->rule.weekdays = RULE_EVERY_DAY;
    if (triggers == NULL || json_object_array_length(triggers) != 1)
        return error_set(err, ERROR_UNSUPPORTED, "not exactly one trigger");
    if (actions == NULL)
        return error_set(err, ERROR_UNSUPPORTED, "no actions");
    if (read_trigger(json_object_array_get_idx(triggers, 0), &out->rule.trigger, err) != 0)
        return -1;
    for (size_t i = 0; conditions != NULL && i < json_object_array_length(conditions); i++)
        if (read_condition(json_object_array_get_idx(conditions, i), &out->rule, err) != 0)
            return -1;
    if (read_actions(actions, out, err) != 0)
        return -1;
    if (!rule_is_valid(&out->rule) || !is_written_so(config, &out->rule))
        return error_set(err, ERROR_UNSUPPORTED, "not as the grammar writes it");
    return 0;
}
