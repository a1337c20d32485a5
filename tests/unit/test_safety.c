/* What is never suggested nor deployed: hostile automations, one for each way in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "made_history.h"
#include "seeded.h"
#include "suggest/automation.h"
#include "suggest/guarded.h"
#include "suggest/safety.h"

static const char *const light[] = {"light.a"};

static struct rule plain_rule(void)
{
    return (struct rule){.trigger = {.kind = RULE_TRIGGER_TIME, .second = 7 * 3600},
                         .weekdays = RULE_EVERY_DAY,
                         .entity_ids = light,
                         .entity_count = 1,
                         .verb = RULE_TURN_ON};
}

static json_object *written(const struct rule *rule)
{
    return automation_from_rule(rule, "Turn on A", "Someone did it on 20 of 21 days.");
}

static void assert_passes(json_object *automation)
{
    struct error err = {ERROR_NONE, ""};
    if (safety_check(automation, &err) != 0)
        fail_msg("%s\n%s", err.message, json_text(automation));
}

static void assert_refused(json_object *automation, const char *what)
{
    struct error err = {ERROR_NONE, ""};
    if (safety_check(automation, &err) == 0)
        fail_msg("let through: %s\n%s", what, json_text(automation));
    assert_int_equal(err.code, ERROR_DENIED);
    assert_true(err.message[0] != '\0');
    assert_false(safety_needs_second_press(automation));
}

/* ---- everything that the program writes passes ---------------------------------------------- */

static const char *pick(const char *const *list, size_t count)
{
    return list[next_random() % count];
}

static int below(int most)
{
    return (int)(next_random() % (uint64_t)most);
}

static void draw_trigger(struct rule_trigger *t)
{
    static const char *const ids[] = {"binary_sensor.hall", "person.ada", "media_player.tv",
                                      "lock.front_door"};
    static const char *const states[] = {"on", "off", "home", "playing", "Gäste"};
    t->kind = (enum rule_trigger_kind)below(3);
    t->second = t->kind == RULE_TRIGGER_SUN ? below(14400) - 7200 : below(86400);
    t->event = below(2) ? RULE_SUNRISE : RULE_SUNSET;
    if (t->kind != RULE_TRIGGER_STATE)
        return;
    t->entity_id = pick(ids, 4);
    t->to = pick(states, 5);
    t->for_s = below(2) ? below(RULE_DURATION_MAX_S) : 0;
    t->quiet_s = t->for_s == 0 && below(2) ? 1 + below(86400) : 0;
}

static void draw_condition(struct rule_condition *c)
{
    *c = (struct rule_condition){.kind = (enum rule_condition_kind)below(4),
                                 .entity_id = "sensor.lux",
                                 .state = "below_horizon",
                                 .limit = below(400) / 10.0,
                                 .from_s = below(40000),
                                 .to_s = 40000 + below(40000)};
}

static void draw_step(struct rule_step *step)
{
    static const char *const mixed[] = {"light.a", "switch.b", "light.c",
                                        "fan.d",   "switch.e", "input_boolean.f"};
    static const char *const scene[] = {"scene.evening"}, *const lock[] = {"lock.front_door"};
    static const char *const climate[] = {"climate.hall"}, *const blind[] = {"cover.blind"};
    static const char *const player[] = {"media_player.tv"}, *const fan[] = {"fan.d"};
    *step = (struct rule_step){.entity_ids = mixed,
                               .entity_count = 1 + (size_t)below(6),
                               .verb = below(2) ? RULE_TURN_ON : RULE_TURN_OFF};
    switch (below(9)) {
    case 0:
        *step = (struct rule_step){.entity_ids = scene, .entity_count = 1, .verb = RULE_TURN_ON};
        break;
    case 1:
        *step = (struct rule_step){.entity_ids = lock, .entity_count = 1, .verb = RULE_TURN_ON};
        break;
    case 2:
        *step = (struct rule_step){.entity_ids = climate,
                                   .entity_count = 1,
                                   .verb = RULE_SET,
                                   .values = {{RULE_SETPOINT, 170 / 10.0 + below(60) / 10.0}},
                                   .value_count = 1};
        break;
    case 3:
        *step = (struct rule_step){.entity_ids = blind,
                                   .entity_count = 1,
                                   .verb = RULE_SET,
                                   .values = {{RULE_POSITION, below(101)}},
                                   .value_count = 1};
        break;
    case 4:
        *step = (struct rule_step){.entity_ids = player, .entity_count = 1, .verb = RULE_TURN_OFF};
        break;
    case 5:
        *step = (struct rule_step){.entity_ids = light,
                                   .entity_count = 1,
                                   .verb = below(2) ? RULE_SET : RULE_TURN_ON,
                                   .values = {{RULE_BRIGHTNESS, 1 + below(100)}},
                                   .value_count = 1};
        break;
    case 6:
        *step = (struct rule_step){.entity_ids = light,
                                   .entity_count = 1,
                                   .verb = RULE_TURN_ON,
                                   .values = {{RULE_BRIGHTNESS, 1 + below(100)},
                                              {RULE_COLOR_TEMPERATURE, 1000 + 10 * below(500)}},
                                   .value_count = 2};
        break;
    case 7:
        *step = (struct rule_step){.entity_ids = fan,
                                   .entity_count = 1,
                                   .verb = below(2) ? RULE_SET : RULE_TURN_ON,
                                   .values = {{RULE_PERCENTAGE, below(101)}},
                                   .value_count = 1};
        break;
    default:
        break;
    }
}

/* Nothing is done twice to one thing. */
static bool shares_target(const struct rule_step *steps, size_t count)
{
    for (size_t s = 0; s < count; s++)
        for (size_t i = 0; i < steps[s].entity_count; i++)
            for (size_t k = 0; k < steps[count].entity_count; k++)
                if (strcmp(steps[s].entity_ids[i], steps[count].entity_ids[k]) == 0)
                    return true;
    return false;
}

static void test_what_we_write_passes(void **state)
{
    (void)state;
    struct error err = {ERROR_NONE, ""};
    for (int i = 0; i < 3000; i++) {
        struct rule_step steps[RULE_STEPS_MAX + 1];
        struct rule rule = {.weekdays = (unsigned)(1 + below(127)),
                            .condition_count = (size_t)below(RULE_CONDITIONS_MAX + 1),
                            .steps = steps + 1,
                            .step_count = (size_t)below(RULE_STEPS_MAX + 1)};
        draw_trigger(&rule.trigger);
        for (size_t c = 0; c < rule.condition_count; c++)
            draw_condition(&rule.conditions[c]);
        for (size_t s = 0; s <= rule.step_count; s++) {
            do
                draw_step(&steps[s]);
            while (shares_target(steps, s));
            steps[s].delay_s = s > 0 ? 1 + below(600) : 0;
        }
        rule.entity_ids = steps[0].entity_ids;
        rule.entity_count = steps[0].entity_count;
        rule.verb = steps[0].verb;
        rule.value_count = steps[0].value_count;
        memcpy(rule.values, steps[0].values, sizeof rule.values);
        assert_true(rule_is_valid(&rule));
        json_object *fresh = written(&rule);
        assert_passes(fresh);
        const char *text = json_text(fresh);
        json_object *read = json_parse(text, strlen(text), &err); /* as from the database */
        assert_non_null(read);
        assert_passes(read);
        json_object_put(read);
        json_object_put(fresh);
    }
}

/* ---- one change anywhere, and it is refused ------------------------------------------------- */

/* Calls fn with each node below, its parent, and its key or index. */
static void visit(json_object *node, json_object *parent, const char *key, size_t index,
                  void (*fn)(json_object *node, json_object *parent, const char *key, size_t index,
                             void *ctx),
                  void *ctx)
{
    fn(node, parent, key, index, ctx);
    if (json_object_is_type(node, json_type_object)) {
        json_object_object_foreach(node, name, value) visit(value, node, name, 0, fn, ctx);
    } else if (json_object_is_type(node, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(node); i++)
            visit(json_object_array_get_idx(node, i), node, NULL, i, fn, ctx);
    }
}

struct walk {
    int at, target; /* nodes seen; the one to change */
    int what;
    bool is_done;
    char changed[64];
};

enum { ADD_KEY, ADD_ELEMENT, TEMPLATE, BLOCK_TEMPLATE, COMMENT_TEMPLATE, APPEND, DROP, CHANGES };

static void put(json_object *parent, const char *key, size_t index, json_object *value)
{
    if (key != NULL)
        json_object_object_add(parent, key, value);
    else
        json_object_array_put_idx(parent, index, value);
}

static void change(json_object *node, json_object *parent, const char *key, size_t index, void *ctx)
{
    static const char *const added[CHANGES] = {[TEMPLATE] = "{{ states('sensor.x') }}",
                                               [BLOCK_TEMPLATE] = "{% if true %}x{% endif %}",
                                               [COMMENT_TEMPLATE] = "{# x #}"};
    struct walk *w = ctx;
    if (w->at++ != w->target || w->is_done)
        return;
    w->is_done = true;
    snprintf(w->changed, sizeof w->changed, "change %d at %s", w->what, key != NULL ? key : "[]");
    bool is_string = json_object_is_type(node, json_type_string);
    if (w->what == ADD_KEY && json_object_is_type(node, json_type_object)) {
        json_object_object_add(node, "variables", json_object_new_object());
    } else if (w->what == ADD_ELEMENT && json_object_is_type(node, json_type_array)) {
        struct error err;
        static const char one[] = "{\"action\":\"shell_command.x\"}";
        json_object_array_add(node, json_parse(one, sizeof one - 1, &err));
    } else if (added[w->what] != NULL && is_string && parent != NULL) {
        put(parent, key, index, json_object_new_string(added[w->what]));
    } else if (w->what == APPEND && is_string && parent != NULL &&
               (key == NULL || (strcmp(key, "alias") != 0 && strcmp(key, "description") != 0) ||
                json_object_object_get_ex(parent, "sequence", NULL))) {
        char *longer = xasprintf("%s{{", json_object_get_string(node));
        put(parent, key, index, json_object_new_string(longer));
        free(longer);
    } else if (w->what == DROP && key != NULL && parent != NULL) {
        json_object_object_del(parent, key);
    } else {
        w->is_done = false;
    }
}

/* Every node of an automation with everything in it, changed in every way. */
static void test_no_change_passes(void **state)
{
    (void)state;
    static const char *const group[] = {"light.a", "switch.b"};
    const struct rule_step step = {
        .entity_ids = light, .entity_count = 1, .verb = RULE_TURN_OFF, .delay_s = 60};
    struct rule rule = plain_rule();
    rule.trigger = (struct rule_trigger){
        .kind = RULE_TRIGGER_STATE, .entity_id = "binary_sensor.hall", .to = "on"};
    rule.weekdays = RULE_WEEKDAYS;
    rule.entity_ids = group;
    rule.entity_count = 2;
    rule.conditions[0] = (struct rule_condition){
        .kind = RULE_WHEN_STATE, .entity_id = "sun.sun", .state = "below_horizon"};
    rule.conditions[1] =
        (struct rule_condition){.kind = RULE_WHEN_BELOW, .entity_id = "sensor.lux", .limit = 40};
    rule.condition_count = 2;
    rule.steps = &step;
    rule.step_count = 1;
    int changed = 0;
    for (int what = 0; what < CHANGES; what++) {
        for (int target = 0;; target++) {
            struct walk w = {.target = target, .what = what};
            json_object *automation = written(&rule);
            assert_passes(automation);
            visit(automation, NULL, NULL, 0, change, &w);
            if (w.is_done)
                assert_refused(automation, w.changed);
            changed += w.is_done;
            int seen = w.at;
            json_object_put(automation);
            if (target > seen)
                break;
        }
    }
    print_message("%d changes refused\n", changed);
    assert_true(changed > 200);
}

/* ---- each forbidden thing ------------------------------------------------------------------- */

/* json-c 0.16 has no insertion. */
static void insert_second(json_object *list, json_object *value)
{
    size_t count = json_object_array_length(list);
    json_object_array_add(list, json_object_get(json_object_array_get_idx(list, count - 1)));
    for (size_t i = count - 1; i > 1; i--)
        json_object_array_put_idx(list, i, json_object_get(json_object_array_get_idx(list, i - 1)));
    json_object_array_put_idx(list, 1, value);
}

/* The plain automation with its action, or all of one list, in its place. */
static json_object *with(const char *key, const char *json)
{
    struct error err = {ERROR_NONE, ""};
    const struct rule rule = plain_rule();
    json_object *automation = written(&rule), *value = json_parse(json, strlen(json), &err);
    if (value == NULL)
        fail_msg("%s: %s", err.message, json);
    json_object *actions = json_get_array(automation, "actions");
    if (strcmp(key, "action") == 0)
        json_object_array_put_idx(actions, 0, value);
    else if (strcmp(key, "more") == 0)
        insert_second(actions, value);
    else
        json_object_object_add(automation, key, value);
    return automation;
}

static void test_each_forbidden_thing(void **state)
{
    (void)state;
    static const struct {
        const char *key, *json;
    } rows[] = {
        /* services */
        {"action", "{\"action\":\"shell_command.rm\",\"continue_on_error\":true}"},
        {"action", "{\"action\":\"homeassistant.restart\",\"continue_on_error\":true}"},
        {"action", "{\"action\":\"homeassistant.turn_off\",\"target\":{\"entity_id\":\"light.a\"},"
                   "\"continue_on_error\":true}"},
        {"action", "{\"action\":\"script.turn_on\",\"target\":{\"entity_id\":\"script.x\"},"
                   "\"continue_on_error\":true}"},
        {"action", "{\"action\":\"python_script.x\",\"continue_on_error\":true}"},
        {"action", "{\"action\":\"rest_command.x\",\"continue_on_error\":true}"},
        {"action", "{\"action\":\"notify.all\",\"data\":{\"message\":\"x\"}}"},
        {"action", "{\"action\":\"mqtt.publish\",\"data\":{\"topic\":\"x\",\"payload\":\"y\"}}"},
        {"action", "{\"action\":\"hassio.host_shutdown\"}"},
        {"action", "{\"action\":\"automation.turn_off\",\"target\":{\"entity_id\":"
                   "\"automation.x\"},\"continue_on_error\":true}"},
        {"action", "{\"action\":\"light.toggle\",\"target\":{\"entity_id\":\"light.a\"},"
                   "\"continue_on_error\":true}"},
        {"action", "{\"action\":\"input_boolean.turn_on\",\"target\":{\"entity_id\":\"light.a\"},"
                   "\"continue_on_error\":true}"}, /* another domain's service */
        {"action", "{\"action\":\"light.turn_on\",\"target\":{\"area_id\":\"hall\"},"
                   "\"continue_on_error\":true}"},
        {"action", "{\"action\":\"light.turn_on\",\"target\":{\"entity_id\":\"all\"},"
                   "\"continue_on_error\":true}"},
        {"action", "{\"action\":\"light.turn_on\",\"target\":{\"entity_id\":\"light.a, light.b\"},"
                   "\"continue_on_error\":true}"},
        {"action", "{\"action\":\"light.turn_on\",\"target\":{\"entity_id\":[]},"
                   "\"continue_on_error\":true}"},
        {"action", "{\"action\":\"light.turn_on\",\"target\":{\"entity_id\":[1]},"
                   "\"continue_on_error\":true}"},
        {"action", "{\"action\":\"light.turn_on\",\"target\":{\"entity_id\":\"light.a\"},"
                   "\"data\":{\"flash\":\"long\"},\"continue_on_error\":true}"},
        {"action", "{\"action\":\"light.turn_on\",\"target\":{\"entity_id\":\"light.a\"},"
                   "\"data\":{\"brightness_pct\":1000},\"continue_on_error\":true}"},
        {"action", "{\"action\":\"light.turn_on\",\"target\":{\"entity_id\":\"light.a\"},"
                   "\"data\":{\"brightness_pct\":\"{{ 5 }}\"},\"continue_on_error\":true}"},
        {"action", "{\"event\":\"x\"}"},
        {"action", "{\"choose\":[]}"},
        {"action", "{\"repeat\":{\"count\":5,\"sequence\":[]}}"},
        {"action", "{\"type\":\"turn_on\",\"device_id\":\"x\",\"domain\":\"light\"}"},
        {"action", "\"light.turn_on\""},
        {"action", "{}"},
        {"more", "{\"delay\":\"400:00:00\"}"},
        {"more", "{\"delay\":\"{{ 5 }}\"}"},
        {"more", "{\"wait_template\":\"{{ true }}\"}"},
        {"more", "{\"stop\":\"x\"}"},
        /* towards the unsafe side */
        {"action", "{\"action\":\"lock.unlock\",\"target\":{\"entity_id\":\"lock.front_door\"},"
                   "\"continue_on_error\":true}"},
        {"action", "{\"action\":\"lock.open\",\"target\":{\"entity_id\":\"lock.front_door\"},"
                   "\"continue_on_error\":true}"},
        {"action", "{\"action\":\"cover.open_cover\",\"target\":{\"entity_id\":\"cover.garage\"},"
                   "\"continue_on_error\":true}"},
        {"action", "{\"action\":\"valve.open_valve\",\"target\":{\"entity_id\":\"valve.water\"},"
                   "\"continue_on_error\":true}"},
        {"action", "{\"action\":\"alarm_control_panel.alarm_disarm\",\"target\":{\"entity_id\":"
                   "\"alarm_control_panel.home\"},\"continue_on_error\":true}"},
        {"action", "{\"action\":\"siren.turn_off\",\"target\":{\"entity_id\":\"siren.hall\"},"
                   "\"continue_on_error\":true}"},
        /* triggers */
        {"triggers", "[]"},
        {"triggers", "{\"trigger\":\"time\",\"at\":\"07:00:00\"}"},
        {"triggers", "[{\"trigger\":\"time\",\"at\":\"7:00\"}]"},
        {"triggers", "[{\"trigger\":\"time\",\"at\":\"25:00:00\"}]"},
        {"triggers", "[{\"trigger\":\"time\",\"at\":\"sensor.next_alarm\"}]"},
        {"triggers", "[{\"trigger\":\"template\",\"value_template\":\"{{ true }}\"}]"},
        {"triggers", "[{\"trigger\":\"webhook\",\"webhook_id\":\"x\"}]"},
        {"triggers", "[{\"trigger\":\"event\",\"event_type\":\"x\"}]"},
        {"triggers", "[{\"trigger\":\"mqtt\",\"topic\":\"x\"}]"},
        {"triggers", "[{\"trigger\":\"homeassistant\",\"event\":\"start\"}]"},
        {"triggers", "[{\"trigger\":\"state\",\"entity_id\":\"binary_sensor.a\"}]"},
        {"triggers", "[{\"trigger\":\"state\",\"entity_id\":\"A.b\",\"to\":\"on\"}]"},
        {"triggers", "[{\"trigger\":\"state\",\"entity_id\":\"sensor.a\",\"to\":\"{{ 1 }}\"}]"},
        {"triggers", "[{\"trigger\":\"sun\",\"event\":\"noon\"}]"},
        {"triggers", "[{\"trigger\":\"sun\",\"event\":\"sunset\",\"offset\":\"{{ 1 }}\"}]"},
        {"triggers", "[{\"trigger\":\"time\",\"at\":\"07:00:00\",\"variables\":{\"a\":1}}]"},
        /* conditions */
        {"conditions", "[{\"condition\":\"template\",\"value_template\":\"{{ true }}\"}]"},
        {"conditions", "[\"{{ true }}\"]"},
        {"conditions", "[{\"condition\":\"template\",\"value_template\":\"{{ x.total_seconds() >= "
                       "5 }}\"}]"},
        {"conditions", "[{\"condition\":\"device\",\"device_id\":\"x\"}]"},
        {"conditions",
         "[{\"condition\":\"state\",\"entity_id\":\"light.a\",\"state\":\"{{ 1 }}\"}]"},
        {"conditions", "[{\"condition\":\"numeric_state\",\"entity_id\":\"sensor.a\",\"below\":"
                       "\"sensor.b\"}]"},
        {"conditions", "[{\"condition\":\"time\",\"weekday\":[]}]"},
        {"conditions", "[{\"condition\":\"time\",\"weekday\":[\"xyz\"]}]"},
        {"conditions", "[{\"condition\":\"or\",\"conditions\":[]}]"},
        /* around it */
        {"mode", "\"parallel\""},
        {"max_exceeded", "\"warning\""},
        {"use_blueprint", "{\"path\":\"x.yaml\"}"},
        {"trigger_variables", "{\"a\":1}"},
        {"alias", "\"{{ states('x') }}\""},
        {"alias", "5"},
        {"description", "\"{% set x = 1 %}\""},
        {"actions", "[]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_object *automation = with(rows[i].key, rows[i].json);
        assert_refused(automation, rows[i].json);
        json_object_put(automation);
    }
    struct error err;
    assert_int_equal(safety_check(NULL, &err), -1);
    char *longer = xasprintf("\"%*s\"", SAFETY_TEXT_MAX + 1, "x");
    json_object *automation = with("alias", longer);
    assert_refused(automation, "a long alias");
    json_object_put(automation);
    free(longer);
}

/* Ids and states of the grammar, but a guard behind them: with the whole automation well formed. */
static void test_guards_by_their_names(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        enum rule_verb verb;
        bool is_allowed, needs_two;
    } rows[] = {
        {"switch.garage_door", RULE_TURN_ON, false, false},
        {"switch.garage_door", RULE_TURN_OFF, false, false},
        {"switch.garage_light", RULE_TURN_ON, true, false},
        {"light.garage", RULE_TURN_ON, true, false},
        {"switch.gate_2", RULE_TURN_ON, false, false},
        {"switch.siren", RULE_TURN_OFF, false, false},
        {"input_boolean.alarm_armed", RULE_TURN_OFF, false, false},
        {"switch.water_valve", RULE_TURN_ON, false, false},
        {"switch.garagentor", RULE_TURN_ON, false, false},
        {"switch.investigate", RULE_TURN_ON, true, false}, /* "gate" is no word of it */
        {"scene.unlock_house", RULE_TURN_ON, false, false},
        {"scene.evening", RULE_TURN_ON, true, false},
        {"lock.front_door", RULE_TURN_ON, true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const target[] = {rows[i].id};
        struct rule rule = plain_rule();
        rule.entity_ids = target;
        rule.verb = rows[i].verb;
        json_object *automation = written(&rule);
        if (rows[i].is_allowed)
            assert_passes(automation);
        else
            assert_refused(automation, rows[i].id);
        assert_int_equal(safety_needs_second_press(automation), rows[i].needs_two);
        json_object_put(automation);
    }
    /* A cover: by its position, and its class where it is known. */
    for (int position = 0; position <= 100; position += 50) {
        const char *const garage[] = {"cover.garage_door"}, *const relay[] = {"cover.relay"};
        struct rule rule = plain_rule();
        rule.entity_ids = garage;
        rule.verb = RULE_SET;
        rule.values[0] = (struct rule_value){RULE_POSITION, position};
        rule.value_count = 1;
        json_object *automation = written(&rule);
        if (position == 0)
            assert_passes(automation);
        else
            assert_refused(automation, "an open garage");
        assert_int_equal(safety_needs_second_press(automation), position == 0);
        json_object_put(automation);
        struct history h;
        history_init(&h);
        struct history_entity *e = made_entity(&h, "cover.relay");
        static const char *const kept[] = {"garage", "gate", "door", "something_new"};
        rule.entity_ids = relay;
        for (size_t k = 0; k < sizeof kept / sizeof *kept; k++) {
            e->device_class = xstrdup(kept[k]);
            assert_int_equal(safety_allows_rule(&rule, &h), position == 0);
            free(e->device_class);
        }
        e->device_class = NULL; /* it may be a gate's drive, unless it is called otherwise */
        assert_int_equal(safety_allows_rule(&rule, &h), position == 0);
        static const char *const names[] = {"Kitchen blinds", "Küchenrollo", "Volet salon",
                                            "Blackout", "Verdunkelung"};
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            free(e->name);
            e->name = xstrdup(names[k]);
            assert_true(safety_allows_rule(&rule, &h));
        }
        free(e->name);
        e->name = xstrdup("Garage blind"); /* the gate's word wins */
        assert_int_equal(safety_allows_rule(&rule, &h), position == 0);
        e->device_class = xstrdup("blind");
        assert_true(safety_allows_rule(&rule, &h));
        history_release(&h);
    }
}

/* What it is called and what it holds, where the history tells. */
static void test_guards_by_history(void **state)
{
    (void)state;
    static const char *const target[] = {"scene.night"};
    struct history h;
    history_init(&h);
    made_entity(&h, "group.doors")->members = xstrdup("lock.back");
    struct history_entity *scene = made_entity(&h, "scene.night");
    struct history_entity *relay = made_entity(&h, "switch.relay");
    struct rule rule = plain_rule();
    rule.entity_ids = target;
    assert_true(safety_allows_rule(&rule, &h));
    scene->members = xstrdup("light.a group.doors");
    assert_false(safety_allows_rule(&rule, &h)); /* by way of the group */
    static const char *const switched[] = {"switch.relay"};
    rule.entity_ids = switched;
    assert_true(safety_allows_rule(&rule, &h));
    free(relay->name);
    relay->name = xstrdup("Front door");
    assert_false(safety_allows_rule(&rule, &h));
    /* A chain's later step counts as well. */
    const struct rule_step step = {
        .entity_ids = switched, .entity_count = 1, .verb = RULE_TURN_ON, .delay_s = 5};
    rule = plain_rule();
    rule.steps = &step;
    rule.step_count = 1;
    assert_false(safety_allows_rule(&rule, &h));
    history_release(&h);
}

static json_object *analysis_of(json_object *automation)
{
    json_object *analysis = json_object_new_object(), *list = json_object_new_array();
    json_object *one = json_object_new_object();
    json_add_string(one, "id", "0123456789abcdef");
    json_object_object_add(one, "automation", automation);
    json_object_array_add(list, one);
    json_object_object_add(analysis, "suggestions", list);
    return analysis;
}

/* Of a result: its parts and variants, too. */
static void test_analysis(void **state)
{
    (void)state;
    struct error err;
    const struct rule rule = plain_rule();
    static const char *const lists[] = {"parts", "variants"};
    json_object *good = analysis_of(written(&rule));
    assert_int_equal(safety_check_analysis(good, &err), 0);
    assert_int_equal(safety_filter(good), 0);
    for (size_t k = 0; k < 2; k++) {
        json_object *one = json_object_array_get_idx(json_get_array(good, "suggestions"), 0);
        json_object *list = json_object_new_array(), *part = json_object_new_object();
        json_object_object_add(part, "automation", with("mode", "\"queued\""));
        json_object_array_add(list, part);
        json_object_object_add(one, lists[k], list);
        assert_int_equal(safety_check_analysis(good, &err), -1);
        assert_non_null(strstr(err.message, "suggestion 0123456789abcdef"));
        assert_non_null(strstr(err.message, "mode"));
        json_object_object_del(one, lists[k]);
    }
    json_object_put(good);
    json_object *bad = analysis_of(with("action", "{\"action\":\"shell_command.rm\"}"));
    assert_int_equal(safety_check_analysis(bad, &err), -1);
    assert_int_equal(safety_filter(bad), 1);
    assert_int_equal(safety_check_analysis(bad, &err), 0);
    assert_int_equal(json_object_array_length(json_get_array(bad, "suggestions")), 0);
    json_object_put(bad);
}

int main(void)
{
    seed_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_we_write_passes), cmocka_unit_test(test_no_change_passes),
        cmocka_unit_test(test_each_forbidden_thing), cmocka_unit_test(test_guards_by_their_names),
        cmocka_unit_test(test_guards_by_history),    cmocka_unit_test(test_analysis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
