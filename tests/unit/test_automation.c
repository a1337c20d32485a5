/* replay/automation.h: what is read of an automation, what is noted, what Home Assistant would
 * refuse and we refuse too, each maximum, and random input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/yaml.h"
#include "made_timeline.h"
#include "seeded.h"

#define TRIGGER(trigger) "{'triggers': [" trigger "], 'actions': []}"
#define CONDITION(condition) "{'triggers': [], 'conditions': [" condition "], 'actions': []}"
#define ACTION(action) "{'triggers': [], 'actions': [" action "]}"

/* NULL when it is taken; caller frees. */
static char *refusal_of(json_object *config)
{
    struct automation *automation = NULL;
    struct error err = {.code = ERROR_NONE};
    if (automation_parse(config, &automation, &err) == 0) {
        automation_free(automation);
        return NULL;
    }
    assert_null(automation);
    assert_int_not_equal(err.code, ERROR_NONE);
    return xstrdup(err.message);
}

static void expect_refusal(const char *text, const char *begins)
{
    json_object *config = made_json(text);
    char *message = refusal_of(config);
    if (message == NULL)
        fail_msg("taken: %s", text);
    else if (strncmp(message, begins, strlen(begins)) != 0)
        fail_msg("%s\n  told     %s\n  expected %s", text, message, begins);
    free(message);
    json_object_put(config);
}

/* --- what Home Assistant refuses --- */

static void test_what_is_no_automation_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[]", "automation: got []"},
        {"5", "automation: got 5, expected an automation"},
        {"'x'", "automation: got \"x\""},
        {"{'actions': []}", "triggers: got nothing, expected a trigger"},
        {"{'triggers': []}", "actions: got nothing, expected an action"},
        {"{'trigger': [], 'triggers': [], 'actions': []}", "trigger: got []"},
        {"{'condition': [], 'conditions': [], 'triggers': [], 'actions': []}", "condition: got []"},
        {"{'action': [], 'triggers': [], 'actions': []}", "action: got []"},
        {"{'triggers': [], 'actions': [], 'colour': 'red'}",
         "colour: got \"red\", expected no such key here"},
        {"{'triggers': [], 'actions': [], 'mode': 'often'}",
         "mode: got \"often\", expected single, restart, queued or parallel"},
        {"{'triggers': [], 'actions': [], 'mode': 5}", "mode: got 5"},
        {"{'triggers': [], 'actions': [], 'max': 1}", "max: got 1"},
        {"{'triggers': [], 'actions': [], 'max_exceeded': 'loud'}", "max_exceeded: got \"loud\""},
        {"{'triggers': [], 'actions': [], 'alias': {}}", "alias: got {"},
        {"{'triggers': [], 'actions': [], 'id': 7}", "id: got 7, expected a text, in quotes"},
        {"{'triggers': [], 'actions': [], 'initial_state': 'perhaps'}",
         "initial_state: got \"perhaps\", expected true or false"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refusal(cases[i][0], cases[i][1]);
}

static void test_triggers_that_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {TRIGGER("5"), "triggers[0]: got 5, expected a trigger"},
        {TRIGGER("{}"), "triggers[0].trigger: got nothing, expected a kind of trigger"},
        {TRIGGER("{'trigger': 'sun', 'platform': 'sun'}"), "triggers[0].platform: got \"sun\""},
        {TRIGGER("{'trigger': 'sun', 'event': 'noon'}"),
         "triggers[0].event: got \"noon\", expected sunrise or sunset"},
        {TRIGGER("{'trigger': 'sun', 'event': 'sunset', 'enabled': 'x'}"), "triggers[0].enabled"},
        {TRIGGER("{'trigger': 'sun', 'event': 'sunset', 'id': 5}"), "triggers[0].id: got 5"},
        {TRIGGER("{'trigger': 'sun', 'event': 'sunset', 'offset': 'soon'}"),
         "triggers[0].offset: got \"soon\", expected a time such as"},
        {TRIGGER("{'triggers': {'trigger': 'sun', 'event': 'x'}}"),
         "triggers[0].triggers.event: got \"x\""},
        {TRIGGER("{'trigger': 'time'}"), "triggers[0].at: got nothing"},
        {TRIGGER("{'trigger': 'time', 'at': 450}"), "triggers[0].at: got 450, expected a time in"},
        {TRIGGER("{'trigger': 'time', 'at': '24:00'}"), "triggers[0].at: got \"24:00\""},
        {TRIGGER("{'trigger': 'time', 'at': 'light.x'}"), "triggers[0].at: got \"light.x\""},
        {TRIGGER("{'trigger': 'time', 'at': [{'entity_id': 'sensor.a', 'of': 1}]}"),
         "triggers[0].at.of: got 1"},
        {TRIGGER("{'trigger': 'time', 'at': '07:00', 'weekday': 'Monday'}"),
         "triggers[0].weekday: got \"Monday\", expected mon, tue"},
        {TRIGGER("{'trigger': 'time_pattern'}"), "triggers[0]: got {"},
        {TRIGGER("{'trigger': 'time_pattern', 'hours': 24}"), "triggers[0].hours: got 24"},
        {TRIGGER("{'trigger': 'state'}"), "triggers[0].entity_id: got nothing"},
        {TRIGGER("{'trigger': 'state', 'entity_id': 'kitchen'}"),
         "triggers[0].entity_id: got \"kitchen\", expected an entity id such as"},
        {TRIGGER("{'trigger': 'state', 'entity_id': 'light.a', 'to': true}"),
         "triggers[0].to: got true, expected a state as text, in quotes"},
        {TRIGGER("{'trigger': 'state', 'entity_id': 'light.a', 'to': 'a', 'not_to': 'b'}"),
         "triggers[0].not_to: got \"b\", expected only one"},
        {TRIGGER("{'trigger': 'state', 'entity_id': 'light.a', 'for': -5}"), "triggers[0].for"},
        {TRIGGER("{'trigger': 'state', 'entity_id': 'light.a', 'for': {'weeks': 5}}"),
         "triggers[0].for: got {\"weeks\":5}"},
        {TRIGGER("{'trigger': 'state', 'entity_id': 'light.a', 'above': 5}"), "triggers[0].above"},
        {TRIGGER("{'trigger': 'numeric_state', 'entity_id': 'sensor.a'}"), "triggers[0]: got {"},
        {TRIGGER("{'trigger': 'numeric_state', 'entity_id': 'sensor.a', 'above': 'hot'}"),
         "triggers[0].above: got \"hot\", expected a number, or"},
        {TRIGGER("{'trigger': 'numeric_state', 'entity_id': 'sensor.a', 'above': 'light.a'}"),
         "triggers[0].above: got \"light.a\""},
        {TRIGGER("{'trigger': 'numeric_state', 'entity_id': 'sensor.a', 'above': 5, 'below': 4}"),
         "triggers[0].above: got 5"},
        {TRIGGER("{'trigger': 'zone', 'entity_id': 'person.a'}"), "triggers[0].zone: got nothing"},
        {TRIGGER("{'trigger': 'zone', 'entity_id': 'person.a', 'zone': 'zone.a', 'event': 'x'}"),
         "triggers[0].event: got \"x\", expected enter or leave"},
        {TRIGGER("{'trigger': 'homeassistant', 'event': 'stop'}"), "triggers[0].event"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refusal(cases[i][0], cases[i][1]);
}

static void test_conditions_and_actions_that_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {CONDITION("5"), "conditions[0]: got 5, expected a condition"},
        {CONDITION("'no template'"), "conditions[0]: got \"no template\""},
        {CONDITION("{'condition': 'and'}"), "conditions[0].conditions: got nothing"},
        {CONDITION("{'and': [{'or': [{'condition': 'state'}]}]}"),
         "conditions[0].conditions[0].conditions[0].entity_id: got nothing"},
        {CONDITION("{'condition': 'state', 'entity_id': 'light.a'}"), "conditions[0].state"},
        {CONDITION("{'condition': 'state', 'entity_id': 'light.a', 'state': true}"),
         "conditions[0].state: got true, expected a state as text, in quotes"},
        {CONDITION("{'condition': 'state', 'entity_id': 'light.a', 'state': 'on', 'match': 'x'}"),
         "conditions[0].match: got \"x\", expected all or any"},
        {CONDITION("{'condition': 'numeric_state', 'entity_id': 'sensor.a'}"),
         "conditions[0]: got"},
        {CONDITION("{'condition': 'time'}"), "conditions[0]: got {"},
        {CONDITION("{'condition': 'time', 'after': 25200}"), "conditions[0].after: got 25200"},
        {CONDITION("{'condition': 'sun'}"), "conditions[0]: got {"},
        {CONDITION("{'condition': 'sun', 'after': 'dusk'}"), "conditions[0].after: got \"dusk\""},
        {CONDITION("{'condition': 'zone', 'entity_id': 'person.a'}"), "conditions[0].zone"},
        {CONDITION("{'condition': 'trigger'}"), "conditions[0].id: got nothing"},
        {CONDITION("{'condition': 'trigger', 'id': [{}]}"), "conditions[0].id: got [{}]"},
        {CONDITION("{'condition': 'template'}"), "conditions[0].value_template: got nothing"},
        {ACTION("5"), "actions[0]: got 5, expected an action"},
        {ACTION("{'colour': 'red'}"), "actions[0]: got {"},
        {ACTION("{'delay': 'later'}"), "actions[0].delay: got \"later\""},
        {ACTION("{'repeat': 5}"), "actions[0].repeat: got 5, expected count, while"},
        {ACTION("{'choose': [5]}"), "actions[0].choose[0]: got 5, expected conditions and"},
        {ACTION("{'if': [5], 'then': []}"), "actions[0].if[0]: got 5"},
        {ACTION("{'parallel': [{'sequence': [{'delay': {}}]}]}"),
         "actions[0].parallel[0].sequence[0].delay: got {"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refusal(cases[i][0], cases[i][1]);
}

#define TURNED_ON(more) TRIGGER("{'trigger': 'light.turned_on', 'target': " more "}")
#define ABOVE(value)                                                                               \
    TRIGGER("{'trigger': 'illuminance.changed', 'target': {}, 'options': {'threshold': " value "}" \
            "}")
#define WARMER(value)                                                                              \
    TRIGGER("{'trigger': 'temperature.crossed_threshold', 'target': {}, 'options': "               \
            "{'threshold': {'type': 'above', 'value': " value "}}}")

/* helpers/trigger/entity_trigger.py, helpers/condition/entity_condition.py, helpers/selector.py of
 * 2026.11.0. */
static void test_purposes_that_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {TRIGGER("{'trigger': 'light.turned_on'}"), "triggers[0].target: got nothing"},
        {TURNED_ON("{'room_id': 'x'}"), "triggers[0].target.room_id: got \"x\""},
        {TURNED_ON("{'entity_id': 'light.A'}"), "triggers[0].target.entity_id: got \"light.A\""},
        {TURNED_ON("{'entity_id': 'light.a, light.b'}"), "triggers[0].target.entity_id"},
        {TURNED_ON("{'area_id': [5]}"), "triggers[0].target.area_id: got [5], expected an id"},
        {TURNED_ON("{'exclude': 5}"), "triggers[0].target.exclude: got 5"},
        {TURNED_ON("{'exclude': {'exclude': {}}}"), "triggers[0].target.exclude.exclude"},
        {TURNED_ON("{}, 'options': 5"), "triggers[0].options: got 5, expected an object"},
        {TURNED_ON("{}, 'options': {'behavior': 'most'}"),
         "triggers[0].options.behavior: got \"most\", expected each, first or all"},
        {TURNED_ON("{}, 'options': {'threshold': 5}"), "triggers[0].options.threshold"},
        {TURNED_ON("{}, 'entity_id': 'light.a'"), "triggers[0].entity_id"},
        {TURNED_ON("{}, 'options': {'for': '{{ 5 }}'}"), "triggers[0].options.for"},
        {TRIGGER("{'trigger': 'button.pressed', 'target': {}, 'options': {'for': 5}}"),
         "triggers[0].options.for: got 5, expected no such key here"},
        {ABOVE("5"), "triggers[0].options.threshold: got 5"},
        {ABOVE("{'type': 'near'}"), "triggers[0].options.threshold.type: got \"near\""},
        {ABOVE("{'type': 'above'}"), "triggers[0].options.threshold.value: got nothing"},
        {ABOVE("{'type': 'above', 'value': {}}"), "triggers[0].options.threshold.value.entity"},
        {ABOVE("{'type': 'above', 'value': {'number': 'x'}}"),
         "triggers[0].options.threshold.value.number: got \"x\", expected a number"},
        {ABOVE("{'type': 'above', 'value': {'number': 1, 'entity': 'sensor.a'}}"),
         "triggers[0].options.threshold.value.entity: got \"sensor.a\", expected only one"},
        {ABOVE("{'type': 'above', 'value': {'number': 1, 'active_choice': 'entity'}}"),
         "triggers[0].options.threshold.value.entity: got nothing"},
        {ABOVE("{'type': 'between', 'value_min': {'number': 2}, 'value_max': {'number': 1}}"),
         "triggers[0].options.threshold.value_min: got"},
        {ABOVE("{'type': 'any', 'value': {'number': 1}}"), "triggers[0].options.threshold.value"},
        {WARMER("{'number': 20}"), "triggers[0].options.threshold.value.unit_of_measurement: got "
                                   "nothing, expected °C, °F or K"},
        {WARMER("{'number': 20, 'unit_of_measurement': 'hot'}"),
         "triggers[0].options.threshold.value.unit_of_measurement: got \"hot\""},
        {TRIGGER("{'trigger': 'power.crossed_threshold', 'target': {}, 'options': {'threshold': "
                 "{'type': 'any'}}}"),
         "triggers[0].options.threshold.type: got \"any\", expected above, below, between or"},
        {TRIGGER("{'trigger': 'climate.hvac_mode_changed', 'target': {}}"),
         "triggers[0].options.hvac_mode: got nothing"},
        {TRIGGER("{'trigger': 'climate.hvac_mode_changed', 'target': {}, 'options': "
                 "{'hvac_mode': ['heat', 'hot']}}"),
         "triggers[0].options.hvac_mode: got"},
        {TRIGGER("{'trigger': 'climate.hvac_mode_changed', 'target': {}, 'options': "
                 "{'hvac_mode': 'off heat'}}"),
         "triggers[0].options.hvac_mode: got"},
        {TRIGGER("{'trigger': 'event.received', 'target': {}, 'options': {'event_type': []}}"),
         "triggers[0].options.event_type: got []"},
        {TRIGGER("{'trigger': 'zone.entered', 'target': {}, 'options': {'zone': 'light.a'}}"),
         "triggers[0].options.zone: got \"light.a\", expected a zone such as"},
        {TRIGGER("{'trigger': 'zone.occupancy_detected', 'target': {}, 'options': "
                 "{'zone': 'zone.a'}}"),
         "triggers[0].target: got {"},
        {TRIGGER("{'trigger': 'sun.sunset', 'options': {'offset_type': 'near'}}"),
         "triggers[0].offset_type: got \"near\""},
        {CONDITION("{'condition': 'light.is_on'}"), "conditions[0].target: got nothing"},
        {CONDITION("{'condition': 'light.is_on', 'target': {}, 'options': {'behavior': 'each'}}"),
         "conditions[0].options.behavior: got \"each\", expected any or all"},
        {CONDITION("{'condition': 'sun.elevation', 'options': {'threshold': {'type': 'above', "
                   "'value': {'number': 5}}, 'for': 5}}"),
         "conditions[0].options.for: got 5"},
        {CONDITION("{'condition': 'text.is_equal_to', 'target': {}, 'options': {'value': ['a']}}"),
         "conditions[0].options.value: got [\"a\"], expected a text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refusal(cases[i][0], cases[i][1]);
}

/* A wrong value of a megabyte does not make a message of a megabyte. */
static void test_messages_are_short_and_whole(void **state)
{
    (void)state;
    enum { LENGTH = 1 << 20 };
    char *text = xmalloc(LENGTH + 1);
    for (size_t i = 0; i + 1 < LENGTH; i += 2)
        memcpy(text + i, "ä", 2);
    text[LENGTH] = '\0';
    json_object *config = made_json("{'triggers': [], 'actions': []}");
    json_object_object_add(config, "mode", json_object_new_string(text));
    char *message = refusal_of(config);
    assert_non_null(message);
    assert_true(strlen(message) < 200);
    assert_non_null(strstr(message, "ää, expected single"));
    free(message);
    json_object_put(config);
    free(text);
}

/* --- what is noted --- */

#define LETTERS_59 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void expect_notes(const char *text, const char *expected)
{
    struct automation *automation = made_automation(text);
    size_t count;
    const struct automation_note *notes = automation_notes(automation, &count);
    char *told = xstrdup("");
    for (size_t i = 0; i < count; i++) {
        char *more = xasprintf("%s%s%s: %s: %s", told, i > 0 ? "\n" : "", notes[i].path,
                               notes[i].what, notes[i].effect);
        free(told);
        told = more;
    }
    if (strcmp(told, expected) != 0)
        fail_msg("%s\n  notes    %s\n  expected %s", text, told, expected);
    free(told);
    automation_free(automation);
}

static void test_what_cannot_be_replayed_is_noted(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{'use_blueprint': {'path': 'x.yaml'}}", "use_blueprint: blueprint: never fires"},
        {"{'triggers': [], 'actions': [], 'initial_state': false}",
         "initial_state: turned off at each start: never fires"},
        {TRIGGER("{'trigger': 'webhook', 'webhook_id': 'a'}"),
         "triggers[0]: webhook trigger: never fires"},
        {TRIGGER("{'platform': 'device', 'device_id': 'a', 'domain': 'b', 'type': 'c'}"),
         "triggers[0]: device trigger: never fires"},
        {TRIGGER("{'trigger': 'sun.dawn'}"), "triggers[0]: sun.dawn trigger: never fires"},
        {TRIGGER("{'trigger': 'moon.phase_changed', 'options': {}}"),
         "triggers[0]: moon.phase_changed trigger: never fires"},
        {TRIGGER("{'trigger': 'template', 'value_template': '{{ true }}'}"),
         "triggers[0]: template trigger: never fires"},
        {TRIGGER("{'trigger': 'sun', 'event': 'sunset', 'enabled': '{{ true }}'}"),
         "triggers[0].enabled: template that enables: taken to be enabled"},
        {TRIGGER("{'trigger': 'time', 'at': '{{ x }}'}"),
         "triggers[0].at: template for a time: never fires"},
        {TRIGGER("{'trigger': 'state', 'entity_id': 'light.a', 'for': '{{ x }}'}"),
         "triggers[0].for: template for a time: never fires"},
        {TRIGGER("{'trigger': 'state', 'entity_id': '0123456789abcdef0123456789abcdef'}"),
         "triggers[0].entity_id: entity by its registry id: its changes are not seen"},
        {TRIGGER("{'trigger': 'numeric_state', 'entity_id': 'sensor.a', 'above': 5, "
                 "'value_template': '{{ x }}'}"),
         "triggers[0].value_template: template: never fires"},
        {CONDITION("'{{ is_state(x) }}'"),
         "conditions[0].value_template: template condition: taken to hold"},
        {CONDITION("{'condition': 'device', 'device_id': 'a', 'domain': 'b', 'type': 'c'}"),
         "conditions[0]: device condition: taken to hold"},
        /* Whole characters, and none that a terminal would obey. */
        {"{'triggers': [{'trigger': '" LETTERS_59 "ä'}], 'actions': []}",
         "triggers[0]: " LETTERS_59 " trigger: never fires"},
        {CONDITION("{'condition': 'a\\u001b[31m\\nb'}"),
         "conditions[0]: a?[31m?b condition: taken to hold"},
        {CONDITION("{'condition': 'sun.is_up'}"),
         "conditions[0]: sun.is_up condition: taken to hold"},
        {CONDITION("{'condition': 'state', 'entity_id': 'light.a', 'state': 'on', "
                   "'for': {'minutes': '{{ x }}'}}"),
         "conditions[0].for: template for a time: taken to be no time at all"},
        {CONDITION("{'or': [{'not': ['{{ x }}']}]}"),
         "conditions[0].conditions[0].conditions[0].value_template: template condition: taken to "
         "hold"},
        {ACTION("{'delay': '{{ x }}'}"),
         "actions[0].delay: template for a time: taken to take no time"},
        {ACTION("{'wait_template': '{{ x }}'}"), "actions[0]: wait: taken to take no time"},
        {ACTION("{'wait_for_trigger': []}"), "actions[0]: wait: taken to take no time"},
        {ACTION("{'repeat': {'count': '{{ x }}', 'sequence': []}}"),
         "actions[0].repeat.count: repeat by a template: taken to take no time"},
        {"{'triggers': [], 'actions': {'delay': '{{ x }}'}, 'mode': 'restart'}", ""},
        {ACTION("{'action': 'light.turn_on'}, {'service': 'a.b'}, {'scene': 'scene.a'}, "
                "{'event': 'x'}, {'device_id': 'x'}, {'stop': 'x'}, {'variables': {}}, "
                "{'set_conversation_response': 'x'}, {'delay': 5, 'enabled': false}"),
         ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_notes(cases[i][0], cases[i][1]);
}

static void test_notes_say_where(void **state)
{
    (void)state;
    static const char text[] = "triggers:\n"
                               "  - trigger: webhook\n"
                               "    webhook_id: a\n"
                               "conditions:\n"
                               "  or:\n"
                               "    - '{{ a }}'\n"
                               "    - condition: state\n"
                               "      entity_id: light.a\n"
                               "      state: 'on'\n"
                               "      for: '{{ b }}'\n"
                               "actions:\n"
                               "  - repeat: {count: '{{ x }}', sequence: []}\n"
                               "  - wait_for_trigger: []\n";
    static const int places[][2] = {{2, 5}, {6, 7}, {10, 12}, {12, 21}, {13, 5}};
    json_object *config = NULL;
    struct automation *automation = NULL;
    struct error err;
    size_t count;
    assert_int_equal(yaml_parse("a.yaml", text, strlen(text), &config, &err), 0);
    assert_int_equal(automation_parse(config, &automation, &err), 0);
    const struct automation_note *notes = automation_notes(automation, &count);
    assert_int_equal(count, sizeof places / sizeof *places);
    for (size_t i = 0; i < count; i++) {
        if (notes[i].line != places[i][0] || notes[i].column != places[i][1])
            fail_msg("%s is said to be at line %d, column %d", notes[i].path, notes[i].line,
                     notes[i].column);
    }
    automation_free(automation);
    json_object_put(config);
}

static void expect_refusal_of_yaml(const char *text, const char *begins)
{
    json_object *config = NULL;
    struct error err;
    assert_int_equal(yaml_parse("a.yaml", text, strlen(text), &config, &err), 0);
    char *message = refusal_of(config);
    assert_non_null(message);
    if (strncmp(message, begins, strlen(begins)) != 0)
        fail_msg("told     %s\nexpected %s", message, begins);
    free(message);
    json_object_put(config);
}

/* Of what is missing, of null and of floats it is not known: then where they ought to be. */
static void test_refusals_say_where(void **state)
{
    (void)state;
    char many[16 * 1024];
    size_t length = (size_t)snprintf(many, sizeof many, "{actions: [], triggers: [");
    for (int i = 0; i < AUTOMATION_TRIGGERS_MAX + 1; i++)
        length +=
            (size_t)snprintf(many + length, sizeof many - length, "{trigger: sun, event: sunset},");
    snprintf(many + length, sizeof many - length, "]}");
    const char *const cases[][2] = {
        {"triggers:\n  - trigger: state\n    to: 'on'\nactions: []\n",
         "line 2, column 5: triggers[0].entity_id: got nothing"},
        {"triggers:\n  - trigger: numeric_state\n    entity_id: sensor.a\n    above: 5.5\n    "
         "below: 1.5\nactions: []\n",
         "line 2, column 5: triggers[0].above: got 5.5"},
        {"triggers:\n  -\n    trigger: sun\n    event: ~\nactions: []\n",
         "line 3, column 5: triggers[0].event: got nothing"},
        {"id: a\nactions: []\n", "line 1, column 1: triggers: got nothing"},
        {"triggers: []\nactions:\n  - if: []\n    then:\n      - ~\n",
         "line 3, column 5: actions[0].then[0]: got nothing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refusal_of_yaml(cases[i][0], cases[i][1]);
    expect_refusal_of_yaml(many, "line 1, column 1: triggers[256]: more than 256 triggers");
}

/* --- what is told of an automation --- */

struct seen {
    char *text;
};

static void see(const char *entity_id, void *ctx)
{
    struct seen *seen = ctx;
    char *more = xasprintf("%s%s%s", seen->text, seen->text[0] != '\0' ? " " : "", entity_id);
    free(seen->text);
    seen->text = more;
}

static void test_entities_ids_and_location(void **state)
{
    (void)state;
    struct automation *automation = made_automation(
        "{'id': 'a1', 'alias': 'A', 'triggers': ["
        "{'trigger': 'state', 'entity_id': 'Light.A, light.b', 'id': 'mine'},"
        "{'trigger': 'numeric_state', 'entity_id': 'sensor.a', 'above': 'input_number.a'},"
        "{'trigger': 'time', 'at': [{'entity_id': 'input_datetime.a', 'offset': '-1:00'}]},"
        "{'trigger': 'motion.detected', 'target': {'entity_id': 'binary_sensor.a', "
        "'area_id': 'hall'}}], 'conditions': ["
        "{'condition': 'state', 'entity_id': 'light.a', 'state': ['on', 'input_text.a']},"
        "{'condition': 'zone', 'entity_id': 'person.a', 'zone': 'zone.a'}],"
        "'actions': [{'if': {'condition': 'sun', 'after': 'sunset'}, 'then': []},"
        "{'if': {'condition': 'light.is_on', 'target': {'label_id': 'big'}}, 'then': []}]}");
    assert_string_equal(automation_id(automation), "a1");
    assert_string_equal(automation_alias(automation), "A");
    assert_string_equal(automation_trigger_id(automation, 0), "mine");
    assert_string_equal(automation_trigger_id(automation, 1), "1");
    assert_true(automation_needs_location(automation));
    struct seen seen = {xstrdup("")};
    automation_visit_entities(automation, NULL, see, &seen);
    assert_string_equal(seen.text, "light.a light.b sensor.a input_number.a input_datetime.a "
                                   "binary_sensor.a input_text.a person.a zone.a");
    struct timeline places;
    timeline_init(&places);
    struct error err;
    char motion[] = "binary_sensor.b", lamp[] = "light.z", hall[] = "hall", labels[] = " big ";
    struct timeline_place one = {.entity_id = motion, .area_id = hall};
    struct timeline_place other = {.entity_id = lamp, .labels = labels};
    assert_int_equal(timeline_add_place(&places, &one, &err), 0);
    assert_int_equal(timeline_add_place(&places, &other, &err), 0);
    seen.text[0] = '\0';
    automation_visit_entities(automation, &places, see, &seen);
    assert_non_null(strstr(seen.text, "binary_sensor.b"));
    assert_non_null(strstr(seen.text, "light.z"));
    free(seen.text);
    timeline_release(&places);
    automation_free(automation);
}

/* --- maxima --- */

/* An automation whose part at `key` is a list of so many of the same. */
static json_object *many(const char *key, size_t count, const char *element)
{
    json_object *config = made_json("{'triggers': [], 'conditions': [], 'actions': []}");
    json_object *list = json_object_new_array(), *one = made_json(element);
    for (size_t i = 0; i < count; i++)
        json_object_array_add(list, json_object_get(one));
    json_object_object_add(config, key, list);
    json_object_put(one);
    return config;
}

/* It is taken; one more is not. Takes the configurations. */
static void expect_limit(json_object *most, json_object *too_many, const char *message)
{
    char *refusal = refusal_of(most);
    if (refusal != NULL)
        fail_msg("refused: %s", refusal);
    json_object_put(most);
    refusal = refusal_of(too_many);
    json_object_put(too_many);
    assert_non_null(refusal);
    if (strstr(refusal, message) == NULL)
        fail_msg("told %s\nexpected %s", refusal, message);
    free(refusal);
}

static void test_maxima_of_lists(void **state)
{
    (void)state;
    static const char sun[] = "{'trigger': 'sun', 'event': 'sunset'}";
    static const char is_on[] = "{'condition': 'state', 'entity_id': 'light.a', 'state': 'on'}";
    expect_limit(many("triggers", AUTOMATION_TRIGGERS_MAX, sun),
                 many("triggers", AUTOMATION_TRIGGERS_MAX + 1, sun), "more than 256 triggers");
    expect_limit(many("conditions", AUTOMATION_CONDITIONS_MAX, is_on),
                 many("conditions", AUTOMATION_CONDITIONS_MAX + 1, is_on),
                 "more than 1024 conditions");
    expect_limit(many("actions", 4096, "{'delay': 1}"), many("actions", 4097, "{'delay': 1}"),
                 "more than 4096 actions");
    /* Each of them few, together too many. */
    static const char twice[] = "{'and': [{'condition': 'sun', 'after': 'sunset'}]}";
    expect_limit(many("conditions", 512, twice), many("conditions", 513, twice),
                 "more than 1024 conditions");
}

/* Branches without any action are walked, too. */
static void test_maximum_of_branches(void **state)
{
    (void)state;
    json_object *configs[2];
    for (int i = 0; i < 2; i++) {
        json_object *list = json_object_new_array(), *step = json_object_new_object();
        for (int branch = 0; branch < 4095 + i; branch++)
            json_object_array_add(list, json_object_new_array());
        json_object_object_add(step, "parallel", list);
        configs[i] = made_json("{'triggers': []}");
        json_object_object_add(configs[i], "actions", step);
    }
    expect_limit(configs[0], configs[1], "more than 4096 actions");
}

/* A list of so many texts, "<prefix><n>", at a place in an automation. */
static json_object *with_texts(const char *text, const char *place, size_t count,
                               const char *prefix, bool is_numbered)
{
    json_object *config = made_json(text), *holder = NULL, *list = json_object_new_array();
    for (size_t i = 0; i < count; i++) {
        char *one = is_numbered ? xasprintf("%s%zu", prefix, i) : xstrdup(prefix);
        json_object_array_add(list, json_object_new_string(one));
        free(one);
    }
    char *path = xstrdup(place);
    char *key = strrchr(path, '/');
    *key = '\0';
    assert_int_equal(json_pointer_get(config, path, &holder), 0);
    json_object_object_add(holder, key + 1, list);
    free(path);
    return config;
}

static void test_maxima_of_values(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place, *prefix;
        size_t most;
        const char *message;
    } cases[] = {
        {TRIGGER("{'trigger': 'state'}"), "/triggers/0/entity_id", "light.a", 4096,
         "more than 4096 entities"},
        {TRIGGER("{'trigger': 'state', 'entity_id': 'light.a'}"), "/triggers/0/to", "x", 4096,
         "more than 4096 states"},
        {TRIGGER("{'trigger': 'time'}"), "/triggers/0/at", "07:00", 4096, "more than 4096 times"},
        {CONDITION("{'condition': 'state', 'entity_id': 'light.a'}"), "/conditions/0/state", "x",
         4096, "more than 4096 states"},
        {CONDITION("{'condition': 'trigger'}"), "/conditions/0/id", "x", 4096,
         "more than 4096 ids"},
        {TURNED_ON("{}"), "/triggers/0/target/entity_id", "light.a", 1000, "more than 1000 ids"},
        {TURNED_ON("{}"), "/triggers/0/target/label_id", "x", 1000, "more than 1000 ids"},
        {CONDITION("{'condition': 'select.is_option_selected', 'target': {}, 'options': {}}"),
         "/conditions/0/options/option", "x", 1000, "more than 1000 texts"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_limit(
            with_texts(cases[i].text, cases[i].place, cases[i].most, cases[i].prefix, false),
            with_texts(cases[i].text, cases[i].place, cases[i].most + 1, cases[i].prefix, false),
            cases[i].message);
}

/* Five lists of 4,096 different ones. */
static void test_maximum_of_entities(void **state)
{
    (void)state;
    json_object *config = made_json("{'triggers': [], 'actions': []}");
    json_object *triggers = json_object_new_array();
    json_object_object_add(config, "triggers", triggers);
    for (int i = 0; i < 5; i++) {
        char *prefix = xasprintf("light.l%d_", i);
        json_object *one = with_texts(TRIGGER("{'trigger': 'state'}"), "/triggers/0/entity_id",
                                      i < 4 ? 4096 : 20000 - 4 * 4096, prefix, true);
        json_object *trigger = NULL;
        assert_int_equal(json_pointer_get(one, "/triggers/0", &trigger), 0);
        json_object_array_add(triggers, json_object_get(trigger));
        json_object_put(one);
        free(prefix);
    }
    assert_null(refusal_of(config));
    json_object_array_add(triggers, made_json("{'trigger': 'state', 'entity_id': 'light.more'}"));
    char *refusal = refusal_of(config);
    assert_non_null(refusal);
    assert_non_null(strstr(refusal, "more than 20000 entities"));
    free(refusal);
    json_object_put(config);
}

/* One in another, so many deep. */
static json_object *nested(const char *key, size_t depth, const char *around, const char *inner)
{
    json_object *config = made_json("{'triggers': [], 'actions': []}"), *part = made_json(inner);
    for (size_t i = 1; i < depth; i++) {
        json_object *outer = json_object_new_object();
        json_object_object_add(outer, around, part);
        part = outer;
    }
    json_object_object_add(config, key, part);
    return config;
}

static void test_maxima_of_depth(void **state)
{
    (void)state;
    static const char sun[] = "{'condition': 'sun', 'after': 'sunset'}";
    expect_limit(nested("conditions", 32, "not", sun), nested("conditions", 33, "not", sun),
                 "conditions more than 32 deep");
    expect_limit(nested("actions", 32, "sequence", "{'delay': 5}"),
                 nested("actions", 33, "sequence", "{'delay': 5}"), "actions more than 32 deep");
    json_object *deep = nested("conditions", 20000, "or", sun);
    char *refusal = refusal_of(deep);
    assert_non_null(refusal);
    free(refusal);
    json_object_put(deep);
}

static void test_maximum_of_notes(void **state)
{
    (void)state;
    json_object *config = many("triggers", AUTOMATION_NOTES_MAX + 5, "{'trigger': 'webhook'}");
    struct automation *automation = NULL;
    struct error err;
    size_t count;
    assert_int_equal(automation_parse(config, &automation, &err), 0);
    automation_notes(automation, &count);
    assert_int_equal(count, AUTOMATION_NOTES_MAX);
    automation_free(automation);
    json_object_put(config);
}

/* --- random input --- */

static const char *const keys[] = {"triggers",  "trigger",   "platform",  "conditions",
                                   "condition", "actions",   "action",    "entity_id",
                                   "to",        "from",      "not_to",    "for",
                                   "at",        "offset",    "weekday",   "event",
                                   "above",     "below",     "attribute", "zone",
                                   "state",     "match",     "after",     "before",
                                   "id",        "enabled",   "mode",      "max",
                                   "and",       "or",        "not",       "delay",
                                   "choose",    "sequence",  "repeat",    "count",
                                   "if",        "then",      "else",      "parallel",
                                   "target",    "options",   "area_id",   "label_id",
                                   "exclude",   "threshold", "type",      "value",
                                   "number",    "behavior",  "hours",     "value_template",
                                   "minutes",   "value_min", "value_max", "before_offset"};
static const char *const words[] = {"state",
                                    "time",
                                    "sun",
                                    "numeric_state",
                                    "time_pattern",
                                    "zone",
                                    "homeassistant",
                                    "light.a",
                                    "sensor.a",
                                    "person.a",
                                    "zone.a",
                                    "sun.sun",
                                    "input_datetime.a",
                                    "light.turned_on",
                                    "light.is_on",
                                    "illuminance.changed",
                                    "temperature.crossed_threshold",
                                    "temperature.is_value",
                                    "zone.entered",
                                    "counter.incremented",
                                    "media_player.muted",
                                    "schedule.block_started",
                                    "event.received",
                                    "cover.blind_opened",
                                    "valve.opened",
                                    "on",
                                    "off",
                                    "unavailable",
                                    "07:30",
                                    "00:05:00",
                                    "{{ x }}",
                                    "start",
                                    "sunset",
                                    "enter",
                                    "single",
                                    "queued",
                                    "mon",
                                    "any",
                                    "all",
                                    "above",
                                    "between",
                                    "hall",
                                    "",
                                    "5",
                                    "/5",
                                    "*",
                                    "template",
                                    "and",
                                    "trigger",
                                    "°C"};

static json_object *random_value(int depth);

static json_object *random_object(int depth)
{
    json_object *object = json_object_new_object();
    for (uint64_t n = next_random() % 7; n > 0; n--)
        json_object_object_add(object, keys[next_random() % (sizeof keys / sizeof *keys)],
                               random_value(depth - 1));
    return object;
}

static json_object *random_value(int depth)
{
    json_object *array;
    switch (next_random() % (depth > 0 ? 9 : 6)) {
    case 0:
        return json_object_new_int64((int64_t)(next_random() % 100) - 20);
    case 1:
        return json_object_new_double((double)(next_random() % 1000) / 8);
    case 2:
        return next_random() % 2 ? json_object_new_boolean(next_random() % 2 == 0) : NULL;
    case 6:
    case 7:
        return random_object(depth);
    case 8:
        array = json_object_new_array();
        for (uint64_t n = next_random() % 4; n > 0; n--)
            json_object_array_add(array, random_value(depth - 1));
        return array;
    default:
        return json_object_new_string(words[next_random() % (sizeof words / sizeof *words)]);
    }
}

/* Something that is nearly right: a good automation with random changes. */
static void spoil(json_object *value, int depth)
{
    if (json_object_is_type(value, json_type_object)) {
        json_object *changed = json_object_new_object();
        json_object_object_foreach(value, key, part)
        {
            spoil(part, depth + 1);
            if (next_random() % 30 == 0)
                json_object_object_add(changed, key, random_value(3));
        }
        json_object_object_foreach(changed, name, other)
        {
            json_object_object_add(value, name, json_object_get(other));
        }
        if (next_random() % 30 == 0)
            json_object_object_add(value, keys[next_random() % (sizeof keys / sizeof *keys)],
                                   random_value(2));
        json_object_put(changed);
    }
    for (size_t i = 0;
         json_object_is_type(value, json_type_array) && i < json_object_array_length(value); i++)
        spoil(json_object_array_get_idx(value, i), depth + 1);
}

static json_object *nearly_good(void)
{
    static const char *const good[] = {
        "{'triggers': [{'trigger': 'state', 'entity_id': 'light.a', 'to': ['on', 'off'], 'for': "
        "{'minutes': 1}}, {'trigger': 'time', 'at': ['07:30', 'input_datetime.a']}, "
        "{'trigger': 'numeric_state', 'entity_id': 'sensor.a', 'above': 5, 'for': 60}], "
        "'conditions': [{'or': [{'condition': 'state', 'entity_id': 'light.a', 'state': 'on', "
        "'for': 60}, {'not': {'condition': 'time', 'after': '07:00', 'weekday': 'mon'}}]}], "
        "'actions': [{'choose': [{'conditions': [], 'sequence': [{'delay': 5}]}]}, {'repeat': "
        "{'count': 3, 'sequence': {'delay': '00:01'}}}], 'mode': 'queued', 'max': 3}",
        "{'triggers': [{'trigger': 'light.turned_on', 'target': {'area_id': 'hall', 'exclude': "
        "{'entity_id': 'light.b'}}, 'options': {'behavior': 'all', 'for': 60}}, {'trigger': "
        "'temperature.changed', 'target': {'label_id': ['big'], 'entity_id': 'sensor.a'}, "
        "'options': {'threshold': {'type': 'between', 'value_min': {'number': 1, "
        "'unit_of_measurement': 'K'}, 'value_max': {'entity': 'sensor.b'}}}}], 'conditions': "
        "[{'condition': 'light.is_brightness', 'target': {'entity_id': 'light.a'}, 'options': "
        "{'threshold': {'type': 'above', 'value': {'number': 3}}, 'for': 30, 'behavior': 'any'}}],"
        "'actions': [{'parallel': [{'delay': 1}, {'delay': 2}]}], 'mode': 'restart'}",
    };
    json_object *config = made_json(good[next_random() % 2]);
    spoil(config, 0);
    return config;
}

static struct timeline small_home(const struct tz *tz)
{
    static const char *const attributes[] = {
        NULL, "{}", "{'brightness': 5, 'unit_of_measurement': '°C', 'in_zones': ['zone.a']}",
        "{'brightness': null, 'hour': 7, 'minute': [], 'latitude': 1, 'longitude': 2}"};
    static const char *const ids[] = {"light.a",          "sensor.a", "person.a", "zone.a",
                                      "input_datetime.a", "light.b",  "sensor.b", "counter.a"};
    struct timeline t;
    struct error err;
    timeline_init(&t);
    t.tz = tz;
    t.latitude = 52.52;
    t.longitude = 13.405;
    t.has_location = true;
    for (int i = 0; i < 300; i++) {
        char time[32];
        snprintf(time, sizeof time, "2026-03-%02d %02d:%02d:%02d", 27 + i / 100, i / 5 % 24,
                 i * 7 % 60, (int)(next_random() % 60));
        const char *state =
            next_random() % 20 == 0 ? NULL : words[next_random() % (sizeof words / sizeof *words)];
        put_row(&t, time, ids[next_random() % 8], state, attributes[next_random() % 4]);
    }
    char lamp[] = "light.a", other[] = "light.b", hall[] = "hall", big[] = " big ";
    struct timeline_place places[] = {{.entity_id = lamp, .area_id = hall, .labels = big},
                                      {.entity_id = other, .area_id = hall, .is_hidden = true}};
    for (int i = 0; i < 2; i++)
        assert_int_equal(timeline_add_place(&t, &places[i], &err), 0);
    timeline_finish(&t);
    return t;
}

static void test_random_input_is_refused_or_replayed(void **state)
{
    (void)state;
    enum { ROUNDS = 20000 };
    struct error err = {.code = ERROR_NONE};
    struct tz *tz = tz_load("Europe/Berlin", &err);
    struct timeline t = small_home(tz);
    size_t taken = 0, fires = 0;
    for (int i = 0; i < ROUNDS; i++) {
        json_object *config = i % 4 == 0 ? random_object(6) : nearly_good();
        struct automation *automation = NULL;
        err = (struct error){.code = ERROR_NONE};
        if (automation_parse(config, &automation, &err) == 0) {
            struct replay_fires found;
            struct replay_input input = {&t, t.from_ms, t.to_ms};
            replay_run(&input, &automation, 1, &found);
            taken++;
            fires += found.count;
            replay_fires_release(&found);
            automation_free(automation);
        } else {
            assert_int_not_equal(err.code, ERROR_NONE);
            assert_true(err.message[0] != '\0');
        }
        json_object_put(config);
    }
    /* Both happen, or this proves nothing. */
    assert_in_range(taken, ROUNDS / 20, ROUNDS - ROUNDS / 20);
    assert_true(fires > ROUNDS / 10);
    timeline_release(&t);
    tz_free(tz);
}

int main(void)
{
    seed_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_automation_is_refused),
        cmocka_unit_test(test_triggers_that_are_refused),
        cmocka_unit_test(test_conditions_and_actions_that_are_refused),
        cmocka_unit_test(test_purposes_that_are_refused),
        cmocka_unit_test(test_messages_are_short_and_whole),
        cmocka_unit_test(test_what_cannot_be_replayed_is_noted),
        cmocka_unit_test(test_notes_say_where),
        cmocka_unit_test(test_refusals_say_where),
        cmocka_unit_test(test_entities_ids_and_location),
        cmocka_unit_test(test_maxima_of_lists),
        cmocka_unit_test(test_maximum_of_branches),
        cmocka_unit_test(test_maxima_of_values),
        cmocka_unit_test(test_maximum_of_entities),
        cmocka_unit_test(test_maxima_of_depth),
        cmocka_unit_test(test_maximum_of_notes),
        cmocka_unit_test(test_random_input_is_refused_or_replayed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
