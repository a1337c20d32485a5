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

static json_object *(*const trigger_rows[])(const struct rule_trigger *) = {
    [RULE_TRIGGER_TIME] = trigger_time,
};

static json_object *conditions(unsigned weekdays)
{
    if (weekdays == RULE_EVERY_DAY)
        return json_object_new_array();
    json_object *days = json_object_new_array();
    for (int day = 0; day < 7; day++)
        if (weekdays >> day & 1U)
            json_object_array_add(days, json_object_new_string(rule_weekday_name(day)));
    json_object *condition = object_of_string("condition", "time");
    json_object_object_add(condition, "weekday", days);
    return array_of(condition);
}

static json_object *act(const struct rule *rule)
{
    char *action = xasprintf("%.*s.%s", (int)strcspn(rule->entity_ids[0], "."), rule->entity_ids[0],
                             rule_verbs[rule->verb].service);
    json_object *object = object_of_string("action", action);
    json_object_object_add(object, "target", object_of_string("entity_id", rule->entity_ids[0]));
    add_true(object, "continue_on_error");
    free(action);
    return object;
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

/* Waits until the target shows it, then tells which it was. One block, so that a person can delete
 * it in one go; every step has a form in HA's visual editor (a template in the topic has none,
 * hence the two branches). */
static json_object *report(const struct rule *rule)
{
    char *is_done =
        xasprintf("{{ is_state('%s', '%s') }}", rule->entity_ids[0], rule_verbs[rule->verb].state);
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
    assert(rule_entity_id_is_valid(rule->entity_ids[0]));
    json_object *automation = object_of_string("alias", alias);
    add_string(automation, "description", description);
    json_object_object_add(automation, "triggers",
                           array_of(trigger_rows[rule->trigger.kind](&rule->trigger)));
    json_object_object_add(automation, "conditions", conditions(rule->weekdays));
    json_object *actions = array_of(act(rule));
    json_object_array_add(actions, report(rule));
    json_object_object_add(automation, "actions", actions);
    add_string(automation, "mode", "single");
    add_string(automation, "max_exceeded", "silent");
    return automation;
}
