/* Back-test, automation and the whole analysis, on histories made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <json-c/json.h>

#include "berlin.h"
#include "made_history.h"
#include "mine/miner.h"
#include "suggest/analysis.h"
#include "suggest/automation.h"
#include "suggest/backtest.h"
#include "suggest/judge.h"
#include "suggest/wording.h"

static int setup(void **state)
{
    (void)state;
    return berlin_setup(6, 1);
}

/* ---- back-test ----------------------------------------------------------------------------- */

static const char *const target_a[] = {"light.a"};

static void run_backtest(const struct history *h, const struct rule *const *rules, size_t count,
                         enum day_role role, struct backtest *out)
{
    struct days days;
    struct restarts restarts;
    struct actors actors;
    days_init(&days, h);
    restarts_init(&restarts, h);
    actors_init(&actors, h, &days, &restarts);
    const struct actor *actor = NULL;
    for (size_t i = 0; i < actors.count && actor == NULL; i++)
        if (strcmp(actors.list[i].entity_ids[0], rules[0]->entity_ids[0]) == 0)
            actor = &actors.list[i];
    assert_non_null(actor);
    struct fires_book *fires = fires_book_new(h, NULL);
    backtest_run(
        &(struct backtest_input){.history = h, .days = &days, .actor = actor, .fires = fires},
        rules, count, role, out);
    fires_book_free(fires);
    actors_release(&actors);
    restarts_release(&restarts);
    days_release(&days);
}

/* Held out: 5 days. A hit before, a hit after, an idle fire, a miss with an act in the hour, a
 * miss. */
static void test_backtest_definitions(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 20);
    struct history_entity *e = made_entity(&h, "light.a");
    const int at = 7 * 3600;
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_use(&h, e, monday + 15, at - 900, 3600); /* exactly 15 minutes before: a hit, though on */
    made_use(&h, e, monday + 16, at + 600, 600);
    made_use(&h, e, monday + 17, at - 7200, 10800); /* on since 5: idle */
    made_use(&h, e, monday + 18, at + 1800, 600);   /* too late for a hit */
    const struct rule rule = {.trigger = {.second = at},
                              .weekdays = RULE_EVERY_DAY,
                              .entity_ids = target_a,
                              .entity_count = 1,
                              .verb = RULE_TURN_ON};
    const struct rule *rules[] = {&rule};
    struct backtest b;
    run_backtest(&h, rules, 1, DAY_HELD_OUT, &b);
    assert_int_equal(b.days, 5);
    assert_int_equal(b.fires, 5);
    assert_int_equal(b.hits, 2);
    assert_int_equal(b.idle, 1);
    assert_int_equal(b.misses, 2);
    assert_int_equal(b.act_days, 3);
    assert_int_equal(b.hit_days, 2);
    assert_true(backtest_precision(&b) == 0.5);
    history_release(&h);
}

/* An act serves one fire, the nearest; and belongs to the nearest rule where recall is counted. */
static void test_backtest_one_to_one(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 8);
    struct history_entity *e = made_entity(&h, "light.a");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_use(&h, e, monday + 6, 7 * 3600 + 300, 60); /* 5 minutes after one, 7 before the other */
    const struct rule early = {.trigger = {.second = 7 * 3600},
                               .weekdays = RULE_EVERY_DAY,
                               .entity_ids = target_a,
                               .entity_count = 1};
    const struct rule late = {.trigger = {.second = 7 * 3600 + 720},
                              .weekdays = RULE_EVERY_DAY,
                              .entity_ids = target_a,
                              .entity_count = 1};
    const struct rule *rules[] = {&late, &early};
    struct backtest b[2];
    run_backtest(&h, rules, 2, DAY_HELD_OUT, b);
    assert_int_equal(b[1].hits, 1);
    assert_int_equal(b[1].act_days, 1);
    assert_int_equal(b[0].hits, 0);
    assert_int_equal(b[0].act_days, 0);
    assert_int_equal(b[0].misses, 2);
    history_release(&h);
}

/* Only the class's days fire; over midnight the act counts for the fire that it is near to. */
static void test_backtest_class_and_midnight(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 28);
    struct history_entity *e = made_entity(&h, "light.a");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int d = 21; d < 28; d++)
        made_use(&h, e, monday + d, -300 + d % 4 * 30, 600); /* 23:55 of the day before */
    const struct rule rule = {.trigger = {.second = 0},
                              .weekdays = RULE_WEEKDAYS,
                              .entity_ids = target_a,
                              .entity_count = 1,
                              .verb = RULE_TURN_ON};
    const struct rule *rules[] = {&rule};
    struct backtest b;
    run_backtest(&h, rules, 1, DAY_HELD_OUT, &b);
    assert_int_equal(b.days, 5);
    assert_int_equal(b.hits, 5);
    assert_int_equal(b.misses, 0);
    history_release(&h);
}

/* An act shortly before a state's fire is a hit by the letter, and speaks for nothing. */
static void test_backtest_act_before_trigger(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 20);
    struct history_entity *e = made_entity(&h, "binary_sensor.hall");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_use(&h, e, monday + 15, 36000, 60);
    made_use(&h, e, monday + 16, 36000, 60);
    e = made_entity(&h, "light.a");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_use(&h, e, monday + 15, 35900, 50);
    made_use(&h, e, monday + 16, 36100, 70);
    struct days days;
    struct restarts restarts;
    days_init(&days, &h);
    restarts_init(&restarts, &h);
    static size_t entities[] = {1};
    struct actor actor = {.entities = entities, .count = 1};
    acts_collect(&actor.acts[RULE_TURN_ON], &h.entities[1], RULE_TURN_ON, &days, &restarts);
    const struct rule rule = {
        .trigger = {.kind = RULE_TRIGGER_STATE, .entity_id = h.entities[0].entity_id, .to = "on"},
        .weekdays = RULE_EVERY_DAY,
        .entity_ids = target_a,
        .entity_count = 1,
        .verb = RULE_TURN_ON};
    const struct rule *rules[] = {&rule};
    struct backtest b;
    struct fires_book *fires = fires_book_new(&h, NULL);
    backtest_run(
        &(struct backtest_input){.history = &h, .days = &days, .actor = &actor, .fires = fires},
        rules, 1, DAY_HELD_OUT, &b);
    fires_book_free(fires);
    assert_int_equal(b.hits, 2);
    assert_int_equal(b.right, 1);
    assert_int_equal(b.wrong, 1);
    acts_release(&actor.acts[RULE_TURN_ON]);
    restarts_release(&restarts);
    days_release(&days);
    history_release(&h);
}

/* A state's fire: a hit within five minutes, either side; no fire from `unavailable`, at a restart,
 * or on another day of the week; idle only when every target is in that state. */
static void test_backtest_state(void **state)
{
    (void)state;
    static const char *const targets[] = {"light.a", "light.b"};
    struct history h;
    made_init(&h, tz, monday, 20); /* held out: 5 days from the 16th day on, a Tuesday */
    struct history_entity *e = made_entity(&h, "binary_sensor.hall");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_use(&h, e, monday + 14, 36000, 60); /* a training day */
    made_use(&h, e, monday + 15, 36000, 60);
    made_use(&h, e, monday + 15, 43200, 60);
    made_change(&h, e, monday + 16, 100, HISTORY_STATE_UNAVAILABLE, CAUSE_PHYSICAL);
    made_change(&h, e, monday + 16, 200, HISTORY_STATE_ON, CAUSE_PHYSICAL);
    made_change(&h, e, monday + 16, 300, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_use(&h, e, monday + 16, 36000, 60);
    made_use(&h, e, monday + 16, 36100, 60);
    made_use(&h, e, monday + 17, 36000, 60);
    made_use(&h, e, monday + 18, 36000, 60);
    made_use(&h, e, monday + 19, 36000, 60); /* a Saturday */
    for (int i = 0; i < 2; i++) {
        e = made_entity(&h, targets[i]);
        made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        made_use(&h, e, monday + 15, 36000 + 299, 60);
        made_use(&h, e, monday + 15, 43200 - 301, i == 0 ? 60 : 600); /* too early; one stays on */
        made_use(&h, e, monday + 16, 36000 + 90, 600); /* serves the second fire, nearer */
        made_use(&h, e, monday + 17, 35000, 3600);     /* both are on */
        if (i == 0) {                                  /* one is on, the other is not there */
            made_use(&h, e, monday + 18, 35000, 3600);
        } else {
            made_change(&h, e, monday + 18, 35000, HISTORY_STATE_UNAVAILABLE, CAUSE_PHYSICAL);
            made_change(&h, e, monday + 18, 50000, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        }
    }
    struct days days;
    struct restarts restarts;
    days_init(&days, &h);
    restarts_init(&restarts, &h);
    static size_t entities[] = {1, 2};
    struct actor actor = {.entities = entities, .count = 2};
    acts_collect(&actor.acts[RULE_TURN_ON], &h.entities[1], RULE_TURN_ON, &days, &restarts);
    const struct rule rule = {
        .trigger = {.kind = RULE_TRIGGER_STATE, .entity_id = h.entities[0].entity_id, .to = "on"},
        .weekdays = RULE_WEEKDAYS,
        .entity_ids = targets,
        .entity_count = 2,
        .verb = RULE_TURN_ON};
    const struct rule *rules[] = {&rule};
    struct fires_book *fires = fires_book_new(&h, NULL);
    const struct backtest_input input = {
        .history = &h, .days = &days, .actor = &actor, .fires = fires};
    struct backtest b;
    backtest_run(&input, rules, 1, DAY_HELD_OUT, &b);
    assert_int_equal(b.days, 4);
    assert_int_equal(b.fires, 6);
    assert_int_equal(b.hits, 2);
    assert_int_equal(b.idle, 2);
    assert_int_equal(b.misses, 2);
    assert_int_equal(b.act_days, 2);
    assert_int_equal(b.right, 2); /* the second fire on the 17th is the occasion of the first */
    assert_int_equal(b.wrong, 1);
    struct backtest_fires training;
    backtest_replay(&input, rules, 1, DAY_TRAINING, &training);
    assert_int_equal(training.count, 1);
    backtest_fires_release(&training);
    fires_book_free(fires);
    acts_release(&actor.acts[RULE_TURN_ON]);
    restarts_release(&restarts);
    days_release(&days);
    history_release(&h);
}

/* The sun's fire moves with it; without a place there is none. */
static void test_backtest_sun(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 8);
    h.latitude = 52.52;
    h.longitude = 13.405;
    h.has_location = true;
    struct history_entity *e = made_entity(&h, "light.a");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    /* Berlin's sun sets at 21:21 on 7 June 2026, 21:22 on the 8th */
    made_use(&h, e, monday + 6, 21 * 3600 + 6 * 60 + 14 * 60, 600);
    made_use(&h, e, monday + 7, 21 * 3600 + 7 * 60 - 17 * 60, 60);
    const struct rule rule = {
        .trigger = {.kind = RULE_TRIGGER_SUN, .second = -15 * 60, .event = RULE_SUNSET},
        .weekdays = RULE_EVERY_DAY,
        .entity_ids = target_a,
        .entity_count = 1,
        .verb = RULE_TURN_ON};
    const struct rule *rules[] = {&rule};
    struct backtest b;
    run_backtest(&h, rules, 1, DAY_HELD_OUT, &b);
    assert_int_equal(b.fires, 2);
    assert_int_equal(b.hits, 1);
    assert_int_equal(b.act_days, 2);
    h.has_location = false;
    run_backtest(&h, rules, 1, DAY_HELD_OUT, &b);
    assert_int_equal(b.fires, 0);
    history_release(&h);
}

/* ---- automation ---------------------------------------------------------------------------- */

static void test_automation_text(void **state)
{
    (void)state;
    const char *const target[] = {"light.kitchen"};
    const struct rule rule = {.trigger = {.second = 7 * 3600 + 5 * 60},
                              .weekdays = RULE_WEEKDAYS,
                              .entity_ids = target,
                              .entity_count = 1,
                              .verb = RULE_TURN_ON};
    json_object *automation = automation_from_rule(&rule, "Title \"x\"", "Why");
    assert_string_equal(
        json_object_to_json_string_ext(automation,
                                       JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
        "{\"alias\":\"Title \\\"x\\\"\",\"description\":\"Why\","
        "\"triggers\":[{\"trigger\":\"time\",\"at\":\"07:05:00\"}],"
        "\"conditions\":[{\"condition\":\"time\",\"weekday\":[\"mon\",\"tue\",\"wed\",\"thu\","
        "\"fri\"]}],"
        "\"actions\":[{\"action\":\"light.turn_on\",\"target\":{\"entity_id\":\"light.kitchen\"},"
        "\"continue_on_error\":true},"
        "{\"alias\":\"ha-ai: report (may be deleted)\",\"sequence\":["
        "{\"wait_template\":\"{{ is_state('light.kitchen', 'on') }}\",\"timeout\":\"00:00:10\","
        "\"continue_on_timeout\":true},"
        "{\"if\":[{\"condition\":\"template\",\"value_template\":\"{{ wait.completed }}\"}],"
        "\"then\":[{\"action\":\"mqtt.publish\",\"data\":{"
        "\"topic\":\"ha-ai/responses/automation/executed\",\"payload\":"
        "\"{{ {'automation_id': this.attributes.id, 'id': context.id, 'status': 'success', "
        "'timestamp': utcnow().isoformat()} | to_json }}\",\"qos\":\"1\"},"
        "\"continue_on_error\":true}],"
        "\"else\":[{\"action\":\"mqtt.publish\",\"data\":{"
        "\"topic\":\"ha-ai/responses/automation/failed\",\"payload\":"
        "\"{{ {'automation_id': this.attributes.id, 'id': context.id, 'status': 'failed', "
        "'timestamp': utcnow().isoformat()} | to_json }}\",\"qos\":\"1\"},"
        "\"continue_on_error\":true}]}]}],"
        "\"mode\":\"single\",\"max_exceeded\":\"silent\"}");
    json_object_put(automation);
}

static json_object *parts_of(const struct rule *rule, const char *path)
{
    json_object *automation = automation_from_rule(rule, "Title", "Why"), *found = NULL;
    assert_int_equal(json_pointer_get(automation, path, &found), 0);
    json_object_get(found);
    json_object_put(automation);
    return found;
}

static void assert_part(const struct rule *rule, const char *path, const char *expected)
{
    json_object *part = parts_of(rule, path);
    assert_string_equal(json_object_to_json_string_ext(part, JSON_C_TO_STRING_PLAIN |
                                                                 JSON_C_TO_STRING_NOSLASHESCAPE),
                        expected);
    json_object_put(part);
}

static void test_automation_triggers_and_targets(void **state)
{
    (void)state;
    static const char *const targets[] = {"light.a", "switch.b", "light.c"};
    struct rule rule = {.trigger = {.kind = RULE_TRIGGER_SUN, .second = -900, .event = RULE_SUNSET},
                        .weekdays = RULE_EVERY_DAY,
                        .entity_ids = targets,
                        .entity_count = 3,
                        .verb = RULE_TURN_OFF};
    assert_part(&rule, "/triggers",
                "[{\"trigger\":\"sun\",\"event\":\"sunset\",\"offset\":\"-00:15:00\"}]");
    assert_part(&rule, "/actions/0",
                "{\"action\":\"light.turn_off\",\"target\":{\"entity_id\":[\"light.a\","
                "\"light.c\"]},\"continue_on_error\":true}");
    assert_part(&rule, "/actions/1",
                "{\"action\":\"switch.turn_off\",\"target\":{\"entity_id\":\"switch.b\"},"
                "\"continue_on_error\":true}");
    assert_part(&rule, "/actions/2/sequence/0/wait_template",
                "\"{{ is_state('light.a', 'off') and is_state('switch.b', 'off') and "
                "is_state('light.c', 'off') }}\"");
    rule.trigger = (struct rule_trigger){.kind = RULE_TRIGGER_SUN, .event = RULE_SUNRISE};
    assert_part(&rule, "/triggers", "[{\"trigger\":\"sun\",\"event\":\"sunrise\"}]");
    rule.trigger.second = 5400;
    assert_part(&rule, "/triggers/0/offset", "\"01:30:00\"");

    rule.trigger = (struct rule_trigger){
        .kind = RULE_TRIGGER_STATE, .entity_id = "binary_sensor.door", .to = "off"};
    assert_part(&rule, "/triggers",
                "[{\"trigger\":\"state\",\"entity_id\":\"binary_sensor.door\","
                "\"from\":\"on\",\"to\":\"off\"}]");
    assert_part(&rule, "/conditions", "[]");
    rule.trigger.entity_id = "person.ada";
    rule.trigger.to = "home";
    rule.weekdays = RULE_WEEKEND;
    assert_part(&rule, "/triggers",
                "[{\"trigger\":\"state\",\"entity_id\":\"person.ada\",\"to\":\"home\"}]");
    assert_part(
        &rule, "/conditions",
        "[{\"condition\":\"template\",\"value_template\":\"{{ trigger.from_state is not none "
        "and trigger.from_state.state not in ['unavailable', 'unknown'] }}\"},"
        "{\"condition\":\"time\",\"weekday\":[\"sat\",\"sun\"]}]");
}

static void test_rule_states(void **state)
{
    (void)state;
    const char *const good[] = {"on", "not_home",
                                "K\xc3\xbc"
                                "che",
                                "Movie night", "\xf0\x9f\x8c\x99"};
    const char *const bad[] = {"",         "unavailable", "unknown",  "{{ 1 }}",
                               "a\nb",     "\xc3",        "\xc0\xaf", "\xed\xa0\x80",
                               "\xc2\x85", "\x7f",        "a\xffz",   "\xf4\x90\x80\x80"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(rule_state_is_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(rule_state_is_valid(bad[i]));
    char long_word[RULE_STATE_MAX + 2];
    memset(long_word, 'x', sizeof long_word);
    long_word[RULE_STATE_MAX + 1] = '\0';
    assert_false(rule_state_is_valid(long_word));
    long_word[RULE_STATE_MAX] = '\0';
    assert_true(rule_state_is_valid(long_word));
    static const char *const targets[] = {"light.a", "sensor.b"};
    struct rule rule = {.trigger = {.kind = RULE_TRIGGER_STATE, .entity_id = "a.b", .to = "x"},
                        .weekdays = RULE_EVERY_DAY,
                        .entity_ids = targets,
                        .entity_count = 1,
                        .verb = RULE_TURN_ON};
    assert_true(rule_is_valid(&rule));
    rule.entity_count = 2;
    assert_false(rule_is_valid(&rule));
    rule.entity_count = 0;
    assert_false(rule_is_valid(&rule));
    rule.entity_count = 1;
    rule.trigger.to = "unknown";
    assert_false(rule_is_valid(&rule));
    assert_null(rule_opposite_state("person.ada", "on"));
    assert_null(rule_opposite_state("light.a", "dim"));
    assert_string_equal(rule_opposite_state("fan.a", "off"), "on");
}

static void test_rule_entity_ids(void **state)
{
    (void)state;
    const char *const good[] = {"light.a", "input_boolean.x_1", "switch.0"};
    const char *const bad[] = {"",         "light",    "light.",        ".a",       "light.A",
                               "light._a", "light.a_", "light.a__b",    "li ght.a", "light.a.b",
                               "light.a'", "_light.a", "light.\xc3\xa4"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(rule_entity_id_is_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(rule_entity_id_is_valid(bad[i]));
    char *longest = xcalloc(300, 1);
    memset(longest, 'a', 299);
    longest[5] = '.';
    assert_false(rule_entity_id_is_valid(longest));
    longest[255] = '\0';
    assert_true(rule_entity_id_is_valid(longest));
    free(longest);
    assert_true(rule_domain_is_switchable("fan.x"));
    assert_false(rule_domain_is_switchable("fans.x"));
    assert_false(rule_domain_is_switchable("lock.x"));
}

static char *title_of(struct history_entity *entities, size_t count, struct rule_trigger trigger,
                      unsigned weekdays)
{
    size_t indices[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct history h = {.entities = entities, .entity_count = 8};
    struct actor actor = {.entities = indices, .count = count};
    struct rule rule = {.trigger = trigger, .weekdays = weekdays, .verb = RULE_TURN_OFF};
    return wording_title(&h, &actor, &rule);
}

static void assert_title(struct history_entity *entities, size_t count, struct rule_trigger trigger,
                         unsigned weekdays, const char *expected)
{
    char *title = title_of(entities, count, trigger, weekdays);
    assert_string_equal(title, expected);
    free(title);
}

static void test_wording(void **state)
{
    (void)state;
    char ids[8][24], names[8][24], area[] = "Kitchen", both[] = "kitchen lamp";
    struct history_entity e[8];
    for (int i = 0; i < 8; i++) {
        snprintf(ids[i], sizeof ids[i], "light.%c", 'a' + i);
        snprintf(names[i], sizeof names[i], "Lamp %c", 'A' + i);
        e[i] = (struct history_entity){.entity_id = ids[i], .name = names[i]};
    }
    const struct rule_trigger time = {.second = 7 * 3600 + 5 * 60};
    e[0].area = area;
    assert_title(e, 1, time, RULE_WEEKDAYS, "Turn off Lamp A (Kitchen) at 07:05 on weekdays");
    e[0].name = both;
    assert_title(e, 1, (struct rule_trigger){.second = 0}, 1U << 6,
                 "Turn off kitchen lamp at 00:00 on Sundays");
    assert_title(e, 3, time, RULE_EVERY_DAY,
                 "Turn off kitchen lamp, Lamp B and Lamp C at 07:05 every day");
    assert_title(e, 8, time, RULE_EVERY_DAY,
                 "Turn off kitchen lamp, Lamp B, Lamp C and 5 more at 07:05 every day");
    struct rule_trigger sun = {.kind = RULE_TRIGGER_SUN, .event = RULE_SUNSET, .second = -1200};
    assert_title(e, 1, sun, RULE_EVERY_DAY,
                 "Turn off kitchen lamp 20 minutes before sunset every day");
    sun = (struct rule_trigger){.kind = RULE_TRIGGER_SUN, .event = RULE_SUNRISE, .second = 3660};
    assert_title(e, 1, sun, RULE_WEEKEND,
                 "Turn off kitchen lamp 1 hour and 1 minute after sunrise at weekends");
    sun.second = 0;
    assert_title(e, 1, sun, RULE_WEEKEND, "Turn off kitchen lamp at sunrise at weekends");
    const struct rule_trigger on = {.kind = RULE_TRIGGER_STATE, .entity_id = "light.c", .to = "on"};
    assert_title(e, 1, on, RULE_EVERY_DAY, "Turn off kitchen lamp when Lamp C turns on");
    assert_title(e, 1, on, RULE_WEEKDAYS, "Turn off kitchen lamp when Lamp C turns on on weekdays");
    const struct rule_trigger home = {
        .kind = RULE_TRIGGER_STATE, .entity_id = "person.ada", .to = "home"};
    assert_title(e, 1, home, RULE_EVERY_DAY, "Turn off kitchen lamp when person.ada comes home");
    const struct rule_trigger other = {
        .kind = RULE_TRIGGER_STATE, .entity_id = "select.mode", .to = "Movie"};
    assert_title(e, 1, other, RULE_EVERY_DAY,
                 "Turn off kitchen lamp when select.mode changes to \"Movie\"");

    char *many = xcalloc(400, 1); /* never cut within a character */
    memset(many, 'x', 79);
    for (int i = 79; i + 1 < 399; i += 2)
        memcpy(many + i, "\xc3\xa4", 2);
    for (int i = 0; i < 8; i++)
        e[i] = (struct history_entity){.entity_id = ids[i], .name = many};
    char *device = wording_device(&e[0]);
    assert_int_equal(strlen(device), 79);
    free(device);
    e[0].area = area;
    char *title = title_of(e, 8, on, RULE_EVERY_DAY);
    assert_true(strlen(title) <= WORDING_TITLE_MAX);
    char *unique = wording_unique_title(title, "0123456789abcdef#12");
    assert_true(strlen(unique) <= WORDING_TITLE_MAX);
    assert_non_null(strstr(unique, "[0123456789abcdef#12]"));
    free(title);
    free(unique);
    title = title_of(e, 4, time, RULE_WEEKDAYS); /* when it happens is what a title must say */
    assert_true(strlen(title) <= WORDING_TITLE_MAX);
    assert_non_null(strstr(title, " at 07:05 on weekdays"));
    free(title);
    free(many);
}

/* A name is whatever somebody typed. */
static void test_wording_names(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"  Lamp\n\x1b[31m\tA ", NULL, "Lamp [31m A"},
        {"K\xc3\xbc"
         "che\xc2\x9b\xc2\xa0Lampe\x7f",
         "\t",
         "K\xc3\xbc"
         "che Lampe"},
        {" \n ", "Hall\r\n2", "light.a (Hall 2)"},
        {"", NULL, "light.a"},
        {NULL, NULL, "light.a"},
        {"{{ x }} %s \"q\"", "kitchen", "(( x )) %s \"q\" (kitchen)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char id[] = "light.a", *name = rows[i][0] != NULL ? xstrdup(rows[i][0]) : NULL;
        char *area = rows[i][1] != NULL ? xstrdup(rows[i][1]) : NULL;
        struct history_entity e = {.entity_id = id, .name = name, .area = area};
        char *device = wording_device(&e);
        assert_string_equal(device, rows[i][2]);
        free(device);
        free(name);
        free(area);
    }
}

/* ---- the whole ----------------------------------------------------------------------------- */

static json_object *at(json_object *object, const char *path)
{
    json_object *found = NULL;
    return json_pointer_get(object, path, &found) == 0 ? found : NULL;
}

static int int_at(json_object *object, const char *path)
{
    json_object *found = at(object, path);
    return found == NULL ? -1 : json_object_get_int(found);
}

static int count_at(json_object *object, const char *path)
{
    return (int)json_object_array_length(at(object, path));
}

/* On around 07:00 (minutes -4..4), off an hour and some minutes later, on days from..to-1. */
static void plant(struct history *h, struct history_entity *e, int from, int to)
{
    for (int d = from; d < to; d++)
        made_use(h, e, monday + d, 7 * 3600 + (d * 7 % 9 - 4) * 60, 3600 + d * 11 % 13 * 60);
}

static void test_analysis_suggests(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 28);
    struct history_entity *e = made_entity(&h, "light.a");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    plant(&h, e, 0, 28);
    json_object *first = analysis_run(&h, NULL), *second = analysis_run(&h, NULL);
    assert_string_equal(json_object_to_json_string(first), json_object_to_json_string(second));
    json_object_put(second);
    assert_int_equal(int_at(first, "/schema"), 1);
    assert_int_equal(int_at(first, "/history/days"), 28);
    assert_int_equal(count_at(first, "/suggestions"), 2);
    json_object *on = at(first, "/suggestions/0");
    if (strstr(json_object_get_string(at(on, "/title")), "Turn on") == NULL)
        on = at(first, "/suggestions/1");
    assert_string_equal(json_object_get_string(at(on, "/title")),
                        "Turn on light.a at 07:00 every day");
    assert_string_equal(json_object_get_string(at(on, "/kind")), "time_of_day");
    assert_string_equal(json_object_get_string(at(on, "/entity_ids/0")), "light.a");
    assert_string_equal(json_object_get_string(at(on, "/id")), "397f157a6bb4eb43");
    assert_int_equal(int_at(on, "/evidence/days"), 21);
    assert_int_equal(int_at(on, "/backtest/held_out_days"), 7);
    assert_int_equal(int_at(on, "/backtest/hits"), 7);
    assert_int_equal(int_at(on, "/backtest/idle"), 0);
    assert_int_equal(int_at(on, "/backtest/misses"), 0);
    assert_true(json_object_get_double(at(on, "/score")) > 0.9);
    assert_true(json_object_get_double(at(on, "/score")) < 1.0);
    json_object_put(first);
    history_release(&h);
}

/* A habit that stopped before the held-out days is refuted by them; so is one that became rare. */
static void test_analysis_held_out_refutes(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 40);
    struct history_entity *e = made_entity(&h, "light.a");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    plant(&h, e, 0, 30);
    e = made_entity(&h, "light.b");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int d = 0; d < 32; d++) /* not at the same times, or the two were one */
        made_use(&h, e, monday + d, 9 * 3600 + (d * 5 % 9 - 4) * 60, 3600 + d * 7 % 13 * 60);
    e = made_entity(&h, "light.c"); /* somebody is at home all the time */
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    uint64_t seed = 1;
    for (int d = 0; d < 40; d++)
        made_use(&h, e, monday + d, 36000 + (int)(made_uniform(&seed) * 36000), 600);
    json_object *result = analysis_run(&h, NULL);
    assert_int_equal(int_at(result, "/dropped/held_out_without_hit"), 2);
    /* both its halves: that light.b is off on the other days anyway must not hide it */
    assert_int_equal(int_at(result, "/dropped/held_out_faded"), 2);
    assert_int_equal(count_at(result, "/suggestions"), 0);
    json_object_put(result);
    history_release(&h);
}

static void test_analysis_learns(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 5);
    struct history_entity *e = made_entity(&h, "light.a");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    plant(&h, e, 0, 5);
    json_object *result = analysis_run(&h, NULL);
    assert_int_equal(count_at(result, "/suggestions"), 0);
    assert_int_equal(count_at(result, "/learning"), 2);
    assert_int_equal(int_at(result, "/learning/0/days"), 3);
    assert_int_equal(int_at(result, "/learning/0/days_missing"), 2);
    json_object_put(result);
    history_release(&h);
}

/* Two uses a day are two suggestions with two ids; two devices of one name have two titles. */
static void test_analysis_ids_and_titles(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 28);
    for (int i = 0; i < 2; i++) {
        struct history_entity *e = made_entity(&h, i == 0 ? "light.a" : "light.b");
        free(e->name);
        e->name = xstrdup("Lamp");
        made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        for (int d = 0; d < 28; d++) {
            made_use(&h, e, monday + d, (7 + i) * 3600 + (d * 7 % 9 - 4) * 60, 60);
            made_use(&h, e, monday + d, (19 + i) * 3600 + (d * 7 % 9 - 4) * 60, 60);
        }
    }
    json_object *result = analysis_run(&h, NULL);
    json_object *list = at(result, "/suggestions");
    assert_int_equal(json_object_array_length(list), 8);
    int numbered = 0;
    for (size_t i = 0; i < 8; i++) {
        json_object *a = json_object_array_get_idx(list, i);
        numbered += strstr(json_object_get_string(at(a, "/id")), "#2") != NULL;
        for (size_t k = 0; k < i; k++) {
            json_object *b = json_object_array_get_idx(list, k);
            assert_string_not_equal(json_object_get_string(at(a, "/id")),
                                    json_object_get_string(at(b, "/id")));
            assert_string_not_equal(json_object_get_string(at(a, "/title")),
                                    json_object_get_string(at(b, "/title")));
        }
    }
    assert_int_equal(numbered, 4);
    json_object_put(result);
    history_release(&h);
}

/* ---- the judge ----------------------------------------------------------------------------- */

static bool has_suggestion(json_object *result, const char *title)
{
    json_object *list = at(result, "/suggestions");
    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (strcmp(json_object_get_string(at(json_object_array_get_idx(list, i), "/title")),
                   title) == 0)
            return true;
    return false;
}

/* The reason why what has this title is not suggested, from "explained"; "" = it is not there. */
static const char *reason_of(json_object *result, const char *title)
{
    json_object *list = at(result, "/explained");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        json_object *item = json_object_array_get_idx(list, i);
        if (strcmp(json_object_get_string(at(item, "/title")), title) == 0)
            return json_object_get_string(at(item, "/reason"));
    }
    return "";
}

static json_object *explain(const struct history *h)
{
    return analysis_run(h, &(struct analysis_options){.explain = true});
}

/* Somebody is at home and uses this at any time of the day. */
static void live(struct history *h, const char *id, int days, uint64_t *seed)
{
    struct history_entity *e = made_entity(h, id);
    made_change(h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int d = 0; d < days; d++) {
        int second = 30000;
        for (int k = 0; k < 2; k++) {
            second += (int)(made_uniform(seed) * 20000);
            made_use(h, e, monday + d, second, 300);
            second += 600;
        }
    }
}

/* A door, then the lamp 20 seconds later, at about 18:00 on most days; the lamp is off again an
 * hour later. The same at another time too, seldom. `silent` days at the end the door does not
 * open.
 */
static void plant_follower(struct history *h, const char *id, int days, int silent, uint64_t *seed)
{
    struct history_entity *door = made_entity(h, id);
    made_change(h, door, monday, 50, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_entity(h, "light.hall");
    door = &h->entities[0];
    struct history_entity *lamp = &h->entities[1];
    made_change(h, lamp, monday, 50, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int d = 0; d < days; d++) {
        int second = 18 * 3600 + (int)(made_normal(seed) * 300);
        int length = 3600 + (int)(made_uniform(seed) * 3600);
        if (d < days - silent) {
            if (made_uniform(seed) < 0.2) {
                made_use(h, door, monday + d, 9 * 3600, 10);
                made_use(h, lamp, monday + d, 9 * 3600 + 15 + (int)(made_uniform(seed) * 10), 1200);
            }
            made_use(h, door, monday + d, second, 10);
        }
        if (made_uniform(seed) < 0.9)
            made_use(h, lamp, monday + d, second + 15 + (int)(made_uniform(seed) * 10), length);
    }
}

static void plant_door(struct history *h, int days, int silent, uint64_t *seed)
{
    plant_follower(h, "binary_sensor.door", days, silent, seed);
}

/* The lamp follows the door, and therefore also the clock: one rule, the better one. */
static void test_judge_common_cause(void **state)
{
    (void)state;
    struct history h;
    uint64_t seed = 5;
    made_init(&h, tz, monday, 40);
    plant_door(&h, 40, 0, &seed);
    live(&h, "light.study", 40, &seed);
    json_object *result = explain(&h);
    assert_true(has_suggestion(result, "Turn on light.hall when binary_sensor.door turns on"));
    int about_hall = 0;
    for (int i = 0; i < count_at(result, "/suggestions"); i++) {
        json_object *one = json_object_array_get_idx(at(result, "/suggestions"), (size_t)i);
        about_hall += strstr(json_object_get_string(at(one, "/title")), "on light.hall") != NULL;
    }
    assert_int_equal(about_hall, 1);
    assert_true(int_at(result, "/dropped/explained_by_another") >= 1);
    json_object_put(result);
    history_release(&h);
}

/* A door sensor that fell silent proves nothing any more; what people switch themselves was not
 * used. */
static void test_judge_dead_sensor(void **state)
{
    (void)state;
    static const char *const triggers[] = {"binary_sensor.door", "switch.door"};
    for (int c = 0; c < 2; c++) {
        struct history h;
        uint64_t seed = 5;
        made_init(&h, tz, monday, 40);
        plant_follower(&h, triggers[c], 40, 4, &seed);
        live(&h, "light.study", 40, &seed);
        json_object *result = explain(&h);
        assert_int_equal(
            strcmp(reason_of(result, "Turn on light.hall when binary_sensor.door turns on"),
                   "sensor_dead") == 0,
            c == 0);
        assert_int_equal(int_at(result, "/dropped/sensor_dead") > 0, c == 0);
        json_object_put(result);
        history_release(&h);
    }
}

/* Nor does one that chatters. */
static void test_judge_flapping_sensor(void **state)
{
    (void)state;
    struct history h;
    uint64_t seed = 5;
    made_init(&h, tz, monday, 40);
    plant_door(&h, 38, 0, &seed);
    for (int d = 38; d < 40; d++)
        for (int k = 0; k < 200; k++)
            made_use(&h, &h.entities[0], monday + d, 50000 + k * 10, 5);
    live(&h, "light.study", 40, &seed);
    json_object *result = explain(&h);
    assert_string_equal(reason_of(result, "Turn on light.hall when binary_sensor.door turns on"),
                        "sensor_flapping");
    json_object_put(result);
    history_release(&h);
}

/* An empty house ends no habit; a habit that ended while somebody is at home does. */
static void test_judge_empty_days(void **state)
{
    (void)state;
    for (int empty = 0; empty < 2; empty++) {
        struct history h;
        uint64_t seed = 9;
        made_init(&h, tz, monday, 40);
        struct history_entity *e = made_entity(&h, "light.a");
        made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        for (int d = 0; d < 36; d++) /* on two days of three */
            if (d % 3 != 2)
                plant(&h, e, d, d + 1);
        live(&h, "light.study", empty ? 36 : 40, &seed);
        json_object *result = explain(&h);
        const char *title = "Turn on light.a at 07:00 every day";
        assert_true(has_suggestion(result, title) == (empty == 1));
        if (!empty)
            assert_string_equal(reason_of(result, title), "stopped");
        json_object_put(result);
        history_release(&h);
    }
}

/* One knob cannot mean on and off. */
static void test_judge_contradiction(void **state)
{
    (void)state;
    struct history h;
    uint64_t seed = 3;
    made_init(&h, tz, monday, 40);
    struct history_entity *e = made_entity(&h, "sensor.knob");
    made_entity(&h, "switch.heater");
    e = &h.entities[0];
    struct history_entity *lamp = &h.entities[1];
    made_change(&h, e, monday, 50, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_change(&h, lamp, monday, 50, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int d = 0; d < 40; d++) {
        int second = 8 * 3600;
        for (int k = 0; k < 3; k++) {
            second += (int)(made_uniform(&seed) * 12000) + 1800;
            int again = second + 900 + (int)(made_uniform(&seed) * 600);
            made_use(&h, e, monday + d, second, 30);
            made_use(&h, e, monday + d, again, 30);
            if (made_uniform(&seed) < 0.85)
                made_use(&h, lamp, monday + d, second + 5 + (int)(made_uniform(&seed) * 20),
                         again - second);
        }
    }
    live(&h, "switch.zone", 40, &seed);
    json_object *result = explain(&h);
    bool on = has_suggestion(result, "Turn on switch.heater when sensor.knob turns on");
    bool off = has_suggestion(result, "Turn off switch.heater when sensor.knob turns on");
    assert_true(on != off);
    assert_int_equal(int_at(result, "/dropped/contradicted_by_another"), 1);
    json_object_put(result);
    history_release(&h);
}

/* Daily: the fan is switched off after the lamp, the lamp after the fan at a less certain lag, and
 * twice the lamp on after the fan is off. */
static void plant_both_ways(struct history *h, uint64_t *seed)
{
    made_entity(h, "fan.a");
    made_entity(h, "light.a");
    struct history_entity *fan = &h->entities[0], *lamp = &h->entities[1];
    for (int d = 0; d < 40; d++) {
        static const int begin_s[] = {8 * 3600, 12 * 3600, 16 * 3600, 20 * 3600};
        for (int use = 0; use < 4; use++) {
            int on = begin_s[use] + (int)(made_uniform(seed) * 1200);
            int off = on + 3600 + (int)(made_uniform(seed) * 1800);
            int lag = 20 + (int)(made_uniform(seed) * 4), later = use == 0 ? lag : 0;
            made_change(h, fan, monday + d, on, HISTORY_STATE_ON, CAUSE_PHYSICAL);
            if (use >= 2) { /* the fan goes off, then the lamp on */
                made_change(h, fan, monday + d, off, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
                off += 10 + (int)(made_uniform(seed) * 280);
                made_use(h, lamp, monday + d, off, 1200 + (int)(made_uniform(seed) * 900));
                continue;
            }
            /* the fan after the lamp, or the lamp after the fan at a less certain lag */
            int wide = use == 1 ? 20 + (int)(made_uniform(seed) * 40) : 0;
            made_change(h, lamp, monday + d, on + 600, HISTORY_STATE_ON, CAUSE_PHYSICAL);
            made_change(h, fan, monday + d, off + later, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
            made_change(h, lamp, monday + d, off + wide, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        }
    }
}

/* "When the lamp goes off, so does the fan" and the reverse say one thing; that the lamp goes on
 * when the fan goes off contradicts the worse of the two, which is not suggested: so it stays. */
static void test_judge_what_goes_takes_nothing(void **state)
{
    (void)state;
    struct history h;
    uint64_t seed = 11;
    made_init(&h, tz, monday, 40);
    plant_both_ways(&h, &seed);
    struct days days;
    struct restarts restarts;
    struct actors actors;
    days_init(&days, &h);
    restarts_init(&restarts, &h);
    actors_init(&actors, &h, &days, &restarts);
    assert_int_equal(actors.count, 2);
    static const struct {
        size_t actor;
        const char *trigger;
        enum rule_verb verb;
    } rows[] = {
        {1, "fan.a", RULE_TURN_ON}, {1, "fan.a", RULE_TURN_OFF}, {0, "light.a", RULE_TURN_OFF}};
    struct habit habits[3];
    for (size_t i = 0; i < 3; i++)
        habits[i] = (struct habit){.rule = {.trigger = {.kind = RULE_TRIGGER_STATE,
                                                        .entity_id = rows[i].trigger,
                                                        .to = "off"},
                                            .weekdays = RULE_EVERY_DAY,
                                            .entity_ids = actors.list[rows[i].actor].entity_ids,
                                            .entity_count = 1,
                                            .verb = rows[i].verb},
                                   .actor = rows[i].actor,
                                   .miner = 2,
                                   .matching_days = 30,
                                   .training_days = 30,
                                   .typical_second = -1};
    struct mine_input input = {.history = &h, .days = &days, .actors = &actors};
    struct mined mined = {.habits = habits, .habit_count = 3};
    struct judged judged;
    judge_run(&input, &mined, &judged);
    enum verdict verdicts[3];
    for (size_t i = 0; i < 3; i++)
        verdicts[judged.list[i].order] = judged.list[i].verdict;
    assert_int_equal(verdicts[0], VERDICT_SUGGESTED);
    assert_int_equal(verdicts[1], VERDICT_EXPLAINED);
    assert_int_equal(verdicts[2], VERDICT_SUGGESTED);
    judged_release(&judged);
    actors_release(&actors);
    restarts_release(&restarts);
    days_release(&days);
    history_release(&h);
}

/* What an automation does on most days needs no second one. */
static void test_judge_automated(void **state)
{
    (void)state;
    struct history h;
    uint64_t seed = 9;
    made_init(&h, tz, monday, 60);
    struct history_entity *e = made_entity(&h, "light.a");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int d = 0; d < 60; d++) {
        int second = 7 * 3600 + (d * 7 % 9 - 4) * 60, cause = CAUSE_PHYSICAL;
        if (d % 5 > 1) /* an automation was sooner on three of five days */
            cause = CAUSE_AUTOMATION;
        made_change(&h, e, monday + d, second, HISTORY_STATE_ON, cause);
        made_change(&h, e, monday + d, second + 3600 + d * 11 % 13 * 60, HISTORY_STATE_OFF, cause);
    }
    live(&h, "light.study", 60, &seed);
    json_object *result = explain(&h);
    assert_string_equal(reason_of(result, "Turn on light.a at 07:00 every day"),
                        "automated_already");
    json_object_put(result);
    history_release(&h);
}

/* Ten are shown, all are listed, best first. */
static void test_analysis_shows_ten(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 28);
    for (int i = 0; i < 8; i++) {
        char id[] = "light.a";
        id[6] = (char)('a' + i);
        struct history_entity *e = made_entity(&h, id);
        made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        for (int d = 0; d < 28; d++)
            made_use(&h, e, monday + d, (7 + i) * 3600 + (d * (7 + 2 * i) % 9 - 4) * 60,
                     2000 + d * 11 % 13 * 60);
    }
    json_object *result = analysis_run(&h, NULL);
    json_object *list = at(result, "/suggestions");
    int count = count_at(result, "/suggestions");
    assert_true(count > 10);
    for (int i = 0; i < count; i++) {
        json_object *one = json_object_array_get_idx(list, (size_t)i);
        assert_int_equal(json_object_get_boolean(at(one, "/shown")), i < 10);
        assert_int_equal(strlen(json_object_get_string(at(one, "/rule/time"))), 8);
    }
    assert_null(at(result, "/explained"));
    json_object_put(result);
    history_release(&h);
}

static void count_progress(int percent, const char *phase, void *ctx)
{
    int *last = ctx;
    assert_true(percent >= *last && percent <= 100);
    assert_true(phase[0] != '\0');
    *last = percent;
}

static void test_analysis_of_nothing(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 3);
    int last = 0;
    json_object *result = analysis_run(
        &h, &(struct analysis_options){.progress = count_progress, .progress_ctx = &last});
    assert_int_equal(last, 100);
    assert_int_equal(count_at(result, "/suggestions"), 0);
    assert_int_equal(int_at(result, "/hypotheses_tested"), 0);
    json_object_put(result);
    h.covered_count = 0;
    result = analysis_run(&h, NULL);
    assert_int_equal(int_at(result, "/history/days"), 0);
    json_object_put(result);
    history_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backtest_definitions),
        cmocka_unit_test(test_backtest_one_to_one),
        cmocka_unit_test(test_backtest_class_and_midnight),
        cmocka_unit_test(test_backtest_state),
        cmocka_unit_test(test_backtest_act_before_trigger),
        cmocka_unit_test(test_backtest_sun),
        cmocka_unit_test(test_automation_text),
        cmocka_unit_test(test_automation_triggers_and_targets),
        cmocka_unit_test(test_rule_states),
        cmocka_unit_test(test_rule_entity_ids),
        cmocka_unit_test(test_wording),
        cmocka_unit_test(test_wording_names),
        cmocka_unit_test(test_analysis_suggests),
        cmocka_unit_test(test_analysis_held_out_refutes),
        cmocka_unit_test(test_analysis_learns),
        cmocka_unit_test(test_analysis_ids_and_titles),
        cmocka_unit_test(test_judge_common_cause),
        cmocka_unit_test(test_judge_dead_sensor),
        cmocka_unit_test(test_judge_flapping_sensor),
        cmocka_unit_test(test_judge_empty_days),
        cmocka_unit_test(test_judge_contradiction),
        cmocka_unit_test(test_judge_what_goes_takes_nothing),
        cmocka_unit_test(test_judge_automated),
        cmocka_unit_test(test_analysis_shows_ten),
        cmocka_unit_test(test_analysis_of_nothing),
    };
    return cmocka_run_group_tests(tests, setup, berlin_teardown);
}
