/* Rule -> Home Assistant's own syntax. Nothing but the grammar and the reporting block comes out.
 */
#include "suggest/automation.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"

#define REPORT_ALIAS "ha-ai: report (may be deleted)"
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

static void add_string(json_object *object, const char *key, const char *value)
{
    json_object_object_add(object, key, json_object_new_string(value));
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

static json_object *trigger_time(const struct rule_trigger *trigger)
{
    char at[16];
    int s = trigger->second;
    snprintf(at, sizeof at, "%02d:%02d:%02d", s / 3600 % 24, s / 60 % 60, s % 60);
    json_object *object = object_of_string("trigger", "time");
    add_string(object, "at", at);
    return object;
}

static json_object *trigger_sun(const struct rule_trigger *trigger)
{
    static const char *const events[RULE_SUN_EVENT_COUNT] = {
        [RULE_SUNRISE] = "sunrise", [RULE_SUNSET] = "sunset"};
    json_object *object = object_of_string("trigger", "sun");
    add_string(object, "event", events[trigger->event]);
    int s = abs(trigger->second);
    if (s != 0) {
        char offset[20];
        snprintf(offset, sizeof offset, "%s%02d:%02d:%02d", trigger->second < 0 ? "-" : "",
                 s / 3600 % 24, s / 60 % 60, s % 60);
        add_string(object, "offset", offset);
    }
    return object;
}

static json_object *trigger_state(const struct rule_trigger *trigger)
{
    const char *from = rule_opposite_state(trigger->entity_id, trigger->to);
    json_object *object = object_of_string("trigger", "state");
    add_string(object, "entity_id", trigger->entity_id);
    if (from != NULL)
        add_string(object, "from", from);
    add_string(object, "to", trigger->to);
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
static json_object *condition_was_there(void)
{
    json_object *condition = object_of_string("condition", "template");
    add_string(condition, "value_template",
               "{{ trigger.from_state is not none and "
               "trigger.from_state.state not in ['unavailable', 'unknown'] }}");
    return condition;
}

static json_object *conditions(const struct rule *rule)
{
    json_object *array = json_object_new_array();
    const struct rule_trigger *trigger = &rule->trigger;
    if (trigger->kind == RULE_TRIGGER_STATE &&
        rule_opposite_state(trigger->entity_id, trigger->to) == NULL)
        json_object_array_add(array, condition_was_there());
    if (rule->weekdays != RULE_EVERY_DAY)
        json_object_array_add(array, condition_weekdays(rule->weekdays));
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

/* The act on the targets that share the domain of targets[first]; NULL when an earlier one does. */
static json_object *act_on_domain(const struct rule *rule, size_t first)
{
    const char *const *ids = rule->entity_ids;
    for (size_t i = 0; i < first; i++)
        if (same_domain(ids[i], ids[first]))
            return NULL;
    json_object *targets = json_object_new_array();
    for (size_t i = first; i < rule->entity_count; i++)
        if (same_domain(ids[i], ids[first]))
            json_object_array_add(targets, json_object_new_string(ids[i]));
    if (json_object_array_length(targets) == 1) {
        json_object_put(targets);
        targets = json_object_new_string(ids[first]);
    }
    char *action = xasprintf("%.*s.%s", (int)domain_length(ids[first]), ids[first],
                             rule_verbs[rule->verb].service);
    json_object *object = object_of_string("action", action);
    free(action);
    json_object *target = json_object_new_object();
    json_object_object_add(target, "entity_id", targets);
    json_object_object_add(object, "target", target);
    add_true(object, "continue_on_error");
    return object;
}

/* "{{ is_state('light.a', 'on') and is_state('light.b', 'on') }}". Caller frees. */
static char *is_done_template(const struct rule *rule)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        abort(); /* out of memory, as in xalloc */
    fputs("{{ ", stream);
    for (size_t i = 0; i < rule->entity_count; i++)
        fprintf(stream, "%sis_state('%s', '%s')", i > 0 ? " and " : "", rule->entity_ids[i],
                rule_verbs[rule->verb].state);
    fputs(" }}", stream);
    fclose(stream);
    return text;
}

static json_object *publish(const char *topic, const char *payload)
{
    json_object *data = object_of_string("topic", topic);
    add_string(data, "payload", payload);
    add_string(data, "qos", "1");
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
    add_string(wait, "timeout", "00:00:10");
    add_true(wait, "continue_on_timeout");
    free(is_done);

    json_object *completed = object_of_string("condition", "template");
    add_string(completed, "value_template", "{{ wait.completed }}");
    json_object *tell = json_object_new_object();
    json_object_object_add(tell, "if", array_of(completed));
    json_object_object_add(
        tell, "then", publish("ha-ai/responses/automation/executed", REPORT_PAYLOAD("success")));
    json_object_object_add(tell, "else",
                           publish("ha-ai/responses/automation/failed", REPORT_PAYLOAD("failed")));

    json_object *sequence = array_of(wait);
    json_object_array_add(sequence, tell);
    json_object *block = object_of_string("alias", REPORT_ALIAS);
    json_object_object_add(block, "sequence", sequence);
    return block;
}

json_object *automation_from_rule(const struct rule *rule, const char *alias,
                                  const char *description)
{
    assert(rule_is_valid(rule));
    json_object *automation = object_of_string("alias", alias);
    add_string(automation, "description", description);
    json_object_object_add(automation, "triggers",
                           array_of(trigger_rows[rule->trigger.kind](&rule->trigger)));
    json_object_object_add(automation, "conditions", conditions(rule));
    json_object *actions = json_object_new_array();
    for (size_t i = 0; i < rule->entity_count; i++) {
        json_object *act = act_on_domain(rule, i);
        if (act != NULL)
            json_object_array_add(actions, act);
    }
    json_object_array_add(actions, report(rule));
    json_object_object_add(automation, "actions", actions);
    add_string(automation, "mode", "single");
    add_string(automation, "max_exceeded", "silent");
    return automation;
}
