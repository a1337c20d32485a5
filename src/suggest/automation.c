/* Rule -> Home Assistant's own syntax. Nothing but the grammar and the reporting block comes out.
 */
#include "suggest/automation.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"

/* HA parses a rendered mapping and gives mqtt.publish the text back (ResultWrapper). */
#define REPORT_PAYLOAD(status)                                                                     \
    "{{ {'automation_id': this.attributes.id, 'id': context.id, 'status': '" status "', "          \
    "'timestamp': utcnow().isoformat()} | to_json }}"

static json_object *object_of_string(const char *key, const char *value)
{
    json_object *object = json_object_new_object();
    json_object_object_add(object, key, json_object_new_string(value));
    return object;
}

static void add_true(json_object *object, const char *key)
{
    json_object_object_add(object, key, json_object_new_boolean(1));
}

static json_object *array_of(json_object *steals)
{
    json_object *array = json_object_new_array();
    json_object_array_add(array, steals);
    return array;
}

static char *format_clock(int s)
{
    return xasprintf("%02d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
}

static void add_clock(json_object *object, const char *key, int seconds)
{
    char *text = format_clock(seconds);
    json_add_string(object, key, text);
    free(text);
}

static json_object *trigger_time(const struct rule_trigger *trigger)
{
    json_object *object = object_of_string("trigger", "time");
    add_clock(object, "at", trigger->second);
    return object;
}

static json_object *trigger_sun(const struct rule_trigger *trigger)
{
    static const char *const events[RULE_SUN_EVENT_COUNT] = {
        [RULE_SUNRISE] = "sunrise", [RULE_SUNSET] = "sunset"};
    json_object *object = object_of_string("trigger", "sun");
    json_add_string(object, "event", events[trigger->event]);
    int s = abs(trigger->second);
    if (s != 0) {
        char offset[20];
        snprintf(offset, sizeof offset, "%s%02d:%02d:%02d", trigger->second < 0 ? "-" : "",
                 s / 3600 % 24, s / 60 % 60, s % 60);
        json_add_string(object, "offset", offset);
    }
    return object;
}

static json_object *trigger_state(const struct rule_trigger *trigger)
{
    const char *from = rule_opposite_state(trigger->entity_id, trigger->to);
    json_object *object = object_of_string("trigger", "state");
    json_add_string(object, "entity_id", trigger->entity_id);
    if (from != NULL && trigger->for_s == 0)
        json_add_string(object, "from", from);
    json_add_string(object, "to", trigger->to);
    /* Without `from`: what comes back after a restart of HA begins to wait anew. */
    if (trigger->for_s > 0)
        add_clock(object, "for", trigger->for_s);
    return object;
}

static json_object *(*const trigger_rows[])(const struct rule_trigger *) = {
    [RULE_TRIGGER_TIME] = trigger_time,
    [RULE_TRIGGER_SUN] = trigger_sun,
    [RULE_TRIGGER_STATE] = trigger_state,
};

static json_object *condition_weekdays(unsigned weekdays)
{
    json_object *days = json_object_new_array();
    for (int day = 0; day < 7; day++)
        if (weekdays >> day & 1U)
            json_object_array_add(days, json_object_new_string(rule_weekday_name(day)));
    json_object *condition = object_of_string("condition", "time");
    json_object_object_add(condition, "weekday", days);
    return condition;
}

/* That the trigger does not just come back. Fixed text. */
#define WAS_THERE                                                                                  \
    "trigger.from_state is not none and "                                                          \
    "trigger.from_state.state not in ['unavailable', 'unknown']"

static json_object *condition_template(const char *template)
{
    json_object *condition = object_of_string("condition", "template");
    json_add_string(condition, "value_template", template);
    return condition;
}

/* And that it comes after so long a quiet. Fixed text but for the number. */
static json_object *condition_was_quiet(int quiet_s)
{
    char *template = xasprintf("{{ " WAS_THERE " and (trigger.to_state.last_changed - "
                               "trigger.from_state.last_changed).total_seconds() >= %d }}",
                               quiet_s);
    json_object *condition = condition_template(template);
    free(template);
    return condition;
}

static json_object *condition_of_rule(const struct rule_condition *rule)
{
    json_object *condition;
    switch (rule->kind) {
    case RULE_WHEN_STATE:
        condition = object_of_string("condition", "state");
        json_add_string(condition, "entity_id", rule->entity_id);
        json_add_string(condition, "state", rule->state);
        return condition;
    case RULE_WHEN_TIME:
        condition = object_of_string("condition", "time");
        add_clock(condition, "after", rule->from_s);
        add_clock(condition, "before", rule->to_s);
        return condition;
    case RULE_WHEN_BELOW:
    case RULE_WHEN_ABOVE:
    default:
        condition = object_of_string("condition", "numeric_state");
        json_add_string(condition, "entity_id", rule->entity_id);
        json_add_short(condition, rule->kind == RULE_WHEN_BELOW ? "below" : "above", rule->limit);
        return condition;
    }
}

static json_object *conditions(const struct rule *rule)
{
    json_object *array = json_object_new_array();
    const struct rule_trigger *trigger = &rule->trigger;
    bool is_of_state = trigger->kind == RULE_TRIGGER_STATE && trigger->for_s == 0;
    if (is_of_state && trigger->quiet_s > 0)
        json_object_array_add(array, condition_was_quiet(trigger->quiet_s));
    else if (is_of_state && rule_opposite_state(trigger->entity_id, trigger->to) == NULL)
        json_object_array_add(array, condition_template("{{ " WAS_THERE " }}"));
    if (rule->weekdays != RULE_EVERY_DAY)
        json_object_array_add(array, condition_weekdays(rule->weekdays));
    for (size_t i = 0; i < rule->condition_count; i++)
        json_object_array_add(array, condition_of_rule(&rule->conditions[i]));
    return array;
}

static size_t domain_length(const char *entity_id)
{
    return strcspn(entity_id, ".");
}

static bool same_domain(const char *a, const char *b)
{
    return domain_length(a) == domain_length(b) && memcmp(a, b, domain_length(a)) == 0;
}

/* "light.turn_on", "climate.set_temperature". Caller frees. */
static char *format_service(const struct rule_step *step, const char *entity_id)
{
    const char *service = step->verb == RULE_SET
                              ? rule_attributes[step->values[0].attribute].service
                              : rule_service_of(step->verb, entity_id);
    return xasprintf("%.*s.%s", (int)domain_length(entity_id), entity_id, service);
}

/* The act on the targets that share the domain of targets[first]; NULL when an earlier one does. */
static json_object *act_on_domain(const struct rule_step *step, size_t first)
{
    const char *const *ids = step->entity_ids;
    for (size_t i = 0; i < first; i++)
        if (same_domain(ids[i], ids[first]))
            return NULL;
    json_object *targets = json_object_new_array();
    for (size_t i = first; i < step->entity_count; i++)
        if (same_domain(ids[i], ids[first]))
            json_object_array_add(targets, json_object_new_string(ids[i]));
    if (json_object_array_length(targets) == 1) {
        json_object_put(targets);
        targets = json_object_new_string(ids[first]);
    }
    char *action = format_service(step, ids[first]);
    json_object *object = object_of_string("action", action);
    free(action);
    json_object *target = json_object_new_object();
    json_object_object_add(target, "entity_id", targets);
    json_object_object_add(object, "target", target);
    if (step->value_count > 0) {
        json_object *data = json_object_new_object();
        for (size_t v = 0; v < step->value_count; v++)
            json_add_short(data, rule_attributes[step->values[v].attribute].field,
                           step->values[v].value);
        json_object_object_add(object, "data", data);
    }
    add_true(object, "continue_on_error");
    return object;
}

static void add_step(json_object *actions, const struct rule_step *step)
{
    if (step->delay_s > 0) {
        json_object *delay = json_object_new_object();
        add_clock(delay, "delay", step->delay_s);
        json_object_array_add(actions, delay);
    }
    for (size_t i = 0; i < step->entity_count; i++) {
        json_object *act = act_on_domain(step, i);
        if (act != NULL)
            json_object_array_add(actions, act);
    }
}

/* Writes "is_state('light.a', 'on')" for each target; of what is set, and of scenes, that it is
 * there at all. */
static void write_is_done(FILE *stream, const struct rule_step *step, const char **joint)
{
    for (size_t i = 0; i < step->entity_count; i++) {
        const char *state = rule_state_of(step->verb, step->entity_ids[i]);
        if (state != NULL && !rule_is_scene(step->entity_ids[i]))
            fprintf(stream, "%sis_state('%s', '%s')", *joint, step->entity_ids[i], state);
        else
            fprintf(stream, "%shas_value('%s')", *joint, step->entity_ids[i]);
        *joint = " and ";
    }
}

/* "{{ is_state('light.a', 'on') and is_state('light.b', 'on') }}". Caller frees. */
static char *is_done_template(const struct rule *rule)
{
    char *text = NULL;
    size_t size;
    const char *joint = "";
    const struct rule_step first = rule_first_step(rule);
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        abort(); /* out of memory, as in xalloc */
    fputs("{{ ", stream);
    write_is_done(stream, &first, &joint);
    for (size_t i = 0; i < rule->step_count; i++)
        write_is_done(stream, &rule->steps[i], &joint);
    fputs(" }}", stream);
    fclose(stream);
    return text;
}

static json_object *publish(const char *topic, const char *payload)
{
    json_object *data = object_of_string("topic", topic);
    json_add_string(data, "payload", payload);
    json_add_string(data, "qos", "1");
    json_object *action = object_of_string("action", "mqtt.publish");
    json_object_object_add(action, "data", data);
    add_true(action, "continue_on_error");
    return array_of(action);
}

/* Waits until all targets show it, then tells which it was. One block, so that a person can delete
 * it in one go; every step has a form in HA's visual editor (a template in the topic has none,
 * hence the two branches). */
static json_object *report(const struct rule *rule)
{
    char *is_done = is_done_template(rule);
    json_object *wait = object_of_string("wait_template", is_done);
    json_add_string(wait, "timeout", "00:00:10");
    add_true(wait, "continue_on_timeout");
    free(is_done);

    json_object *completed = object_of_string("condition", "template");
    json_add_string(completed, "value_template", "{{ wait.completed }}");
    json_object *tell = json_object_new_object();
    json_object_object_add(tell, "if", array_of(completed));
    json_object_object_add(
        tell, "then", publish("ha-ai/responses/automation/executed", REPORT_PAYLOAD("success")));
    json_object_object_add(tell, "else",
                           publish("ha-ai/responses/automation/failed", REPORT_PAYLOAD("failed")));

    json_object *sequence = array_of(wait);
    json_object_array_add(sequence, tell);
    json_object *block = object_of_string("alias", RULE_REPORT_ALIAS);
    json_object_object_add(block, "sequence", sequence);
    return block;
}

json_object *automation_from_rule(const struct rule *rule, const char *alias,
                                  const char *description)
{
    assert(rule_is_valid(rule));
    json_object *automation = object_of_string("alias", alias);
    json_add_string(automation, "description", description);
    json_object_object_add(automation, "triggers",
                           array_of(trigger_rows[rule->trigger.kind](&rule->trigger)));
    json_object_object_add(automation, "conditions", conditions(rule));
    json_object *actions = json_object_new_array();
    const struct rule_step first = rule_first_step(rule);
    add_step(actions, &first);
    for (size_t i = 0; i < rule->step_count; i++)
        add_step(actions, &rule->steps[i]);
    json_object_array_add(actions, report(rule));
    json_object_object_add(automation, "actions", actions);
    json_add_string(automation, "mode", "single");
    json_add_string(automation, "max_exceeded", "silent");
    return automation;
}
