/* replay/: each trigger, condition and mode on cases derived by hand from Home Assistant's source
 * (named with each; 2025.4.4 where nothing else is said). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "made_timeline.h"

static struct tz *berlin;

static int load_zone(void **state)
{
    (void)state;
    struct error err;
    berlin = tz_load("Europe/Berlin", &err);
    return berlin == NULL;
}

static int free_zone(void **state)
{
    (void)state;
    tz_free(berlin);
    return 0;
}

/* Berlin, from..to. */
static struct timeline begin(const char *from, const char *to)
{
    struct timeline t;
    timeline_init(&t);
    t.tz = berlin;
    t.from_ms = at_ms(berlin, from);
    t.to_ms = at_ms(berlin, to);
    t.latitude = 52.52;
    t.longitude = 13.405;
    t.has_location = true;
    return t;
}

/* --- time: components/homeassistant/triggers/time.py, util/dt.py --- */

static void test_time_fires_each_day_and_on_its_weekdays(void **state)
{
    (void)state;
    struct timeline t = begin("2026-01-01 00:00", "2026-01-04 00:00");
    timeline_finish(&t);
    expect_fires(&t, "{'trigger': {'platform': 'time', 'at': ['07:30', '23:59:59']}, 'action': []}",
                 "0@01-01 07:30:00 0@01-01 23:59:59 0@01-02 07:30:00 0@01-02 23:59:59 "
                 "0@01-03 07:30:00 0@01-03 23:59:59");
    expect_fires(&t,
                 "{'triggers': [{'trigger': 'time', 'at': '07:30', 'weekday': ['thu', 'sat']}], "
                 "'actions': []}",
                 "0@01-01 07:30:00 0@01-03 07:30:00");
    timeline_release(&t);
}

/* find_next_time_expression_time: a time that is skipped does not come that day, one that is
 * doubled comes twice. */
static void test_time_on_the_days_of_dst(void **state)
{
    (void)state;
    struct timeline t = begin("2026-03-28 00:00", "2026-03-31 00:00");
    timeline_finish(&t);
    static const char half_past_two[] =
        "{'triggers': [{'trigger': 'time', 'at': '02:30'}], 'actions': []}";
    expect_fires(&t, half_past_two, "0@03-28 02:30:00 0@03-30 02:30:00");
    timeline_release(&t);
    t = begin("2026-10-25 00:00", "2026-10-26 12:00");
    timeline_finish(&t);
    expect_fires(&t, half_past_two, "0@10-25 02:30:00 0@10-25 02:30:00 0@10-26 02:30:00");
    timeline_release(&t);
}

/* --- sun: components/sun/trigger.py --- */

static void test_sun_fires_at_its_offset(void **state)
{
    (void)state;
    struct timeline t = begin("2026-06-01 00:00", "2026-06-02 00:00");
    timeline_finish(&t);
    char *exact = fires_of(&t, "{'triggers': [{'trigger': 'sun', 'event': 'sunset'}], "
                               "'actions': []}");
    char *earlier = fires_of(&t, "{'triggers': [{'trigger': 'sun', 'event': 'sunset', "
                                 "'offset': '-01:00:00'}], 'actions': []}");
    assert_memory_equal(exact, "0@06-01 21:1", 12);
    assert_memory_equal(earlier, "0@06-01 20:1", 12);
    /* 2^32 seconds: not none. */
    expect_fires(&t,
                 "{'triggers': [{'trigger': 'sun', 'event': 'sunset', 'offset': {'seconds': "
                 "4294967296}}], 'actions': []}",
                 "");
    free(exact);
    free(earlier);
    timeline_release(&t);
}

/* --- state: components/homeassistant/triggers/state.py --- */

static struct timeline light_of_a_morning(void)
{
    struct timeline t = begin("2026-01-01 00:00", "2026-01-02 00:00");
    put_row(&t, "2025-12-31 20:00", "light.a", "off", NULL);
    put_row(&t, "2026-01-01 07:00", "light.a", "on", NULL);
    put_row(&t, "2026-01-01 07:05", "light.a", "on", "{'brightness': 5}");
    put_row(&t, "2026-01-01 07:10", "light.a", "unavailable", NULL);
    put_row(&t, "2026-01-01 07:11", "light.a", "on", NULL);
    put_row(&t, "2026-01-01 07:20", "light.a", "off", NULL);
    put_row(&t, "2026-01-01 08:00", "light.a", NULL, NULL);
    put_row(&t, "2026-01-01 09:00", "light.a", "on", NULL);
    timeline_finish(&t);
    return t;
}

#define STATE(more)                                                                                \
    "{'triggers': [{'trigger': 'state', 'entity_id': 'light.a'" more "}], 'actions': []}"

static void test_state_from_and_to(void **state)
{
    (void)state;
    struct timeline t = light_of_a_morning();
    expect_fires(&t, STATE(", 'to': 'on'"), "0@01-01 07:00:00 0@01-01 07:11:00 0@01-01 09:00:00");
    expect_fires(&t, STATE(", 'from': 'off', 'to': 'on'"), "0@01-01 07:00:00");
    expect_fires(&t, STATE(", 'from': ['off', 'unavailable']"),
                 "0@01-01 07:00:00 0@01-01 07:11:00 0@01-01 08:00:00");
    expect_fires(&t, STATE(", 'not_from': ['unavailable'], 'to': 'on'"),
                 "0@01-01 07:00:00 0@01-01 09:00:00");
    expect_fires(&t, STATE(", 'not_to': ['on', 'unavailable']"),
                 "0@01-01 07:20:00 0@01-01 08:00:00");
    /* Every write; with `to: null` every change of the state. */
    expect_fires(&t, STATE(""),
                 "0@01-01 07:00:00 0@01-01 07:05:00 0@01-01 07:10:00 0@01-01 07:11:00 "
                 "0@01-01 07:20:00 0@01-01 08:00:00 0@01-01 09:00:00");
    expect_fires(&t, STATE(", 'to': null"),
                 "0@01-01 07:00:00 0@01-01 07:10:00 0@01-01 07:11:00 0@01-01 07:20:00 "
                 "0@01-01 08:00:00 0@01-01 09:00:00");
    expect_fires(&t, STATE(", 'attribute': 'brightness'"), "0@01-01 07:05:00 0@01-01 07:10:00");
    expect_fires(&t, STATE(", 'attribute': 'brightness', 'to': 5"), "0@01-01 07:05:00");
    timeline_release(&t);
}

static void test_state_for(void **state)
{
    (void)state;
    struct timeline t = light_of_a_morning();
    expect_fires(&t, STATE(", 'to': 'on', 'for': '00:09:00'"),
                 "0@01-01 07:09:00 0@01-01 09:09:00"); /* not 07:20: what comes then comes first */
    expect_fires(&t, STATE(", 'to': 'on', 'for': {'minutes': 10}"), "0@01-01 09:10:00");
    expect_fires(&t, STATE(", 'to': 'on', 'for': 599.999"),
                 "0@01-01 07:09:59.999 "
                 "0@01-01 09:09:59.999");
    /* from without to: spoiled only by the old state, or a removal that comes later. */
    expect_fires(&t, STATE(", 'from': ['off', 'unavailable'], 'for': '00:15:00'"),
                 "0@01-01 07:15:00 0@01-01 07:26:00 0@01-01 08:15:00");
    /* A change of attributes alone begins another one, if nothing is asked for. */
    expect_fires(&t, STATE(", 'for': '00:04:00'"),
                 "0@01-01 07:04:00 0@01-01 07:09:00 0@01-01 07:15:00 0@01-01 07:24:00 "
                 "0@01-01 08:04:00 0@01-01 09:04:00");
    timeline_release(&t);
}

/* --- conditions: helpers/condition.py --- */

static void test_conditions_of_time_and_state(void **state)
{
    (void)state;
    struct timeline t = light_of_a_morning();
    expect_fires(&t,
                 "{'triggers': [{'trigger': 'time', 'at': ['07:02', '07:30', '12:00']}], "
                 "'conditions': [{'condition': 'state', 'entity_id': 'light.a', 'state': 'on'}], "
                 "'actions': []}",
                 "0@01-01 07:02:00 0@01-01 12:00:00");
    expect_fires(&t,
                 "{'triggers': [{'trigger': 'time', 'at': ['07:06', '07:12', '12:00']}], "
                 "'conditions': [{'condition': 'state', 'entity_id': 'light.a', 'state': 'on', "
                 "'for': 300}], 'actions': []}",
                 "0@01-01 07:06:00 0@01-01 12:00:00");
    expect_fires(&t,
                 "{'triggers': [{'trigger': 'time', 'at': ['06:00', '12:00', '23:00']}], "
                 "'conditions': [{'condition': 'time', 'after': '23:00', 'before': '06:00:01'}], "
                 "'actions': []}",
                 "0@01-01 06:00:00 0@01-01 23:00:00");
    timeline_release(&t);
}

/* Attributes: a new value is a change, and "null" is none. */
static void test_state_condition_of_attributes_and_lists(void **state)
{
    (void)state;
    struct timeline t = begin("2026-01-01 00:00", "2026-01-02 00:00");
    put_row(&t, "2026-01-01 00:00", "input_text.wanted", "on", NULL);
    put_row(&t, "2026-01-01 00:00", "light.a", "on", "{'brightness': 5}");
    put_row(&t, "2026-01-01 00:00", "light.b", "off", "{'brightness': null}");
    put_row(&t, "2026-01-01 12:00", "light.b", "on", "{'brightness': 5.0}");
    timeline_finish(&t);
#define NOON_AND_ONE(condition)                                                                    \
    "{'triggers': [{'trigger': 'time', 'at': ['11:00', '13:00']}], 'conditions': [" condition      \
    "], 'actions': []}"
    static const char both[] = "0@01-01 11:00:00 0@01-01 13:00:00", later[] = "0@01-01 13:00:00";
    static const char *const cases[][2] = {
        {NOON_AND_ONE("{'condition': 'state', 'entity_id': ['light.a', 'light.b'], 'state': 'on'}"),
         later},
        {NOON_AND_ONE("{'condition': 'state', 'entity_id': ['light.a', 'light.b'], 'state': 'on', "
                      "'match': 'ANY'}"),
         both},
        {NOON_AND_ONE("{'condition': 'state', 'entity_id': 'light.b', 'state': ['on', 'x']}"),
         later},
        {NOON_AND_ONE("{'condition': 'state', 'entity_id': 'light.b', 'attribute': 'brightness', "
                      "'state': 5}"),
         later},
        {NOON_AND_ONE("{'condition': 'state', 'entity_id': 'light.a', 'attribute': 'none', "
                      "'state': 5}"),
         ""},
        {NOON_AND_ONE("{'condition': 'state', 'entity_id': 'light.b', 'state': "
                      "'input_text.wanted'}"),
         later},
        {NOON_AND_ONE("{'condition': 'state', 'entity_id': 'light.none', 'state': 'on'}"), ""},
        {NOON_AND_ONE("{'not': {'condition': 'state', 'entity_id': 'light.none', 'state': 'on'}}"),
         ""}, /* an error is not false */
        {NOON_AND_ONE("{'or': [{'condition': 'state', 'entity_id': 'light.none', 'state': 'on'}, "
                      "{'condition': 'state', 'entity_id': 'light.b', 'state': 'on'}]}"),
         later},
        {NOON_AND_ONE("{'not': {'condition': 'state', 'entity_id': 'light.b', 'state': 'on'}}"),
         "0@01-01 11:00:00"},
        {NOON_AND_ONE("{'condition': 'state', 'entity_id': 'light.b', 'state': 'on', "
                      "'enabled': false}"),
         both},
        {NOON_AND_ONE("{'and': []}, {'condition': 'and', 'conditions': null}"), both},
        {NOON_AND_ONE("{'or': []}"), ""},
        {NOON_AND_ONE("{'condition': 'trigger', 'id': ['0', 'x']}"), both},
        {NOON_AND_ONE("{'condition': 'trigger', 'id': 1}"), ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_fires(&t, cases[i][0], cases[i][1]);
    timeline_release(&t);
}

/* --- numeric_state: components/homeassistant/triggers/numeric_state.py --- */

static struct timeline temperatures(void)
{
    static const char *const rows[][2] = {
        {"00:00", "18"},   {"01:00", "19"},          {"02:00", "21"},    {"03:00", "25"},
        {"04:00", "20"},   {"05:00", "unavailable"}, {"06:00", "21"},    {"07:00", "19"},
        {"08:00", "cold"}, {"09:00", "22.5"},        {"09:30", "20.0"},  {"10:00", "1_00"},
        {"11:00", "nan"},  {"12:00", "20.5"},        {"12:00:30", "30"}, {"13:00", "20"}};
    struct timeline t = begin("2026-01-01 00:00", "2026-01-02 00:00");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *time = xasprintf("2026-01-01 %s", rows[i][0]);
        put_row(&t, time, "sensor.t", rows[i][1], "{'x': '3', 'y': [1]}");
        free(time);
    }
    put_row(&t, "2026-01-01 00:00", "input_number.limit", "20", NULL);
    put_row(&t, "2026-01-01 07:30", "input_number.limit", "10", NULL);
    timeline_finish(&t);
    return t;
}

#define NUMBER(more)                                                                               \
    "{'triggers': [{'trigger': 'numeric_state', 'entity_id': 'sensor.t', " more "}], "             \
    "'actions': []}"

static void test_numeric_state_fires_when_it_comes_into_range(void **state)
{
    (void)state;
    struct timeline t = temperatures();
    /* Neither unavailable nor a text arms it; 09:30 is not above 20; a nan is within. */
    expect_fires(&t, NUMBER("'above': 20"),
                 "0@01-01 02:00:00 0@01-01 06:00:00 0@01-01 09:00:00 0@01-01 10:00:00");
    expect_fires(&t, NUMBER("'above': 20, 'below': 25"),
                 "0@01-01 02:00:00 0@01-01 06:00:00 0@01-01 09:00:00 0@01-01 11:00:00");
    expect_fires(&t, NUMBER("'above': 20, 'for': '01:00:01'"), "0@01-01 03:00:01 0@01-01 11:00:01");
    expect_fires(&t, NUMBER("'below': 19.5"), "0@01-01 07:00:00 0@01-01 11:00:00");
    /* The limit is that of the moment; it does not fire by itself. */
    expect_fires(&t, NUMBER("'above': 'input_number.limit'"),
                 "0@01-01 02:00:00 0@01-01 06:00:00 0@01-01 09:00:00");
    expect_fires(&t, NUMBER("'above': 2, 'attribute': 'x'"), "");
    expect_fires(&t, NUMBER("'above': 2, 'attribute': 'y'"), "");
    expect_fires(&t, NUMBER("'above': 20, 'enabled': 'no'"), "");
    expect_fires(&t,
                 "{'triggers': [{'trigger': 'time_pattern', 'hours': '/3'}], 'conditions': "
                 "[{'condition': 'numeric_state', 'entity_id': 'sensor.t', 'below': 21}], "
                 "'actions': []}",
                 "0@01-01 00:00:00 0@01-01 12:00:00 0@01-01 15:00:00 0@01-01 18:00:00 "
                 "0@01-01 21:00:00");
    timeline_release(&t);
}

/* --- time_pattern, homeassistant --- */

static void test_time_pattern(void **state)
{
    (void)state;
    struct timeline t = begin("2026-03-29 00:30", "2026-03-29 04:30");
    timeline_finish(&t);
#define PATTERN(more) "{'triggers': [{'trigger': 'time_pattern', " more "}], 'actions': []}"
    expect_fires(&t, PATTERN("'hours': '*'"), "0@03-29 01:00:00 0@03-29 03:00:00 0@03-29 04:00:00");
    expect_fires(&t, PATTERN("'hours': '/2', 'minutes': 15"), "0@03-29 04:15:00");
    expect_fires(&t, PATTERN("'hours': 3, 'minutes': '/20', 'seconds': '30'"),
                 "0@03-29 03:00:30 0@03-29 03:20:30 0@03-29 03:40:30");
    timeline_release(&t);
    t = begin("2026-03-29 00:30", "2026-03-29 00:30:05");
    timeline_finish(&t);
    /* Home Assistant is a little late: the second in which it starts counts. */
    expect_fires(&t, PATTERN("'seconds': '/2'"),
                 "0@03-29 00:30:00 0@03-29 00:30:02 0@03-29 00:30:04");
    timeline_release(&t);
}

static void put_run(struct timeline *t, const char *from, const char *started, const char *to,
                    bool is_clean)
{
    struct error err;
    struct timeline_run run = {at_ms(berlin, from), at_ms(berlin, started), at_ms(berlin, to),
                               is_clean};
    assert_int_equal(timeline_add_run(t, &run, &err), 0);
}

/* What was begun in one life of Home Assistant does not go on in the next; what is written before
 * it has started triggers nothing. */
static void test_lives_of_home_assistant(void **state)
{
    (void)state;
    struct timeline t = begin("2026-01-01 00:00", "2026-01-02 00:00");
    put_run(&t, "2026-01-01 00:00", "2026-01-01 00:01", "2026-01-01 10:00", true);
    put_run(&t, "2026-01-01 10:01", "2026-01-01 10:02", "2026-01-01 12:00", false);
    put_run(&t, "2026-01-01 13:00", "2026-01-01 13:02", "2026-01-02 00:00", true);
    put_row(&t, "2026-01-01 00:00", "light.a", "off", NULL);
    put_row(&t, "2026-01-01 09:58", "light.a", "on", NULL);
    put_row(&t, "2026-01-01 10:01:30", "light.a", "on", NULL);
    put_row(&t, "2026-01-01 13:01", "light.b", "on", NULL);
    put_row(&t, "2026-01-01 14:00", "light.a", "on", NULL);
    timeline_finish(&t);
    expect_fires(&t, STATE(", 'to': 'on', 'for': 300"), "0@01-01 14:05:00");
    expect_fires(&t, STATE(", 'to': 'on', 'for': 60"), "0@01-01 09:59:00 0@01-01 14:01:00");
    expect_fires(&t, STATE(", 'from': 'off'"), "0@01-01 09:58:00");
    expect_fires(&t,
                 "{'triggers': [{'trigger': 'homeassistant', 'event': 'start'}, "
                 "{'trigger': 'homeassistant', 'event': 'shutdown'}], 'actions': []}",
                 "0@01-01 00:01:00 1@01-01 10:00:00 0@01-01 10:02:00 0@01-01 13:02:00");
    expect_fires(&t,
                 "{'triggers': [{'trigger': 'time', 'at': ['10:01', '12:30', '13:30']}], "
                 "'actions': []}",
                 "0@01-01 13:30:00");
    /* Nobody has said what light.a is in the last life, until 14:00. */
    expect_fires(&t,
                 "{'triggers': [{'trigger': 'time', 'at': ['09:59', '13:30', '15:00']}], "
                 "'conditions': [{'condition': 'state', 'entity_id': 'light.a', 'state': 'on'}], "
                 "'actions': []}",
                 "0@01-01 09:59:00 0@01-01 15:00:00");
    timeline_release(&t);
}

/* What happened before the time asked for is known, but does not count. */
static void test_only_fires_in_the_time_asked_for_count(void **state)
{
    (void)state;
    struct timeline t = light_of_a_morning();
    struct automation *automation = made_automation(STATE(", 'to': 'on', 'for': '00:09:00'"));
    struct replay_input input = {&t, at_ms(berlin, "2026-01-01 07:09"),
                                 at_ms(berlin, "2026-01-01 09:09")};
    struct replay_fires fires;
    replay_run(&input, &automation, 1, &fires);
    assert_int_equal(fires.count, 1); /* begun at 07:00; that of 09:09 is not before the end */
    assert_int_equal(fires.list[0].time_ms, input.from_ms);
    assert_false(fires.is_cut);
    replay_fires_release(&fires);
    automation_free(automation);
    timeline_release(&t);
}

/* --- times that entities hold --- */

static void test_times_of_entities(void **state)
{
    (void)state;
    struct timeline t = begin("2026-01-01 00:00", "2026-01-04 00:00");
    put_row(&t, "2026-01-01 00:00", "input_datetime.clock", "07:30:00", NULL);
    put_row(&t, "2026-01-02 07:00", "input_datetime.clock", "06:00:00",
            "{'has_date': false, 'has_time': true, 'hour': 6, 'minute': 0, 'second': 0}");
    put_row(&t, "2026-01-01 00:00", "input_datetime.day", "2026-01-02 10:00:00", NULL);
    put_row(&t, "2026-01-02 09:00", "input_datetime.day", "2026-01-01 10:00:00", NULL);
    put_row(&t, "2026-01-02 12:00", "input_datetime.day", "2026-01-03 10:00:00", NULL);
    put_row(&t, "2026-01-01 00:00", "sensor.next", "2026-01-01T11:00:00+00:00",
            "{'device_class': 'timestamp'}");
    put_row(&t, "2026-01-01 00:00", "sensor.text", "2026-01-01T11:00:00+00:00", "{}");
    timeline_finish(&t);
#define AT(at) "{'triggers': [{'trigger': 'time', 'at': " at "}], 'actions': []}"
    expect_fires(&t, AT("'input_datetime.clock'"), "0@01-01 07:30:00 0@01-03 06:00:00");
    expect_fires(&t, AT("{'entity_id': 'input_datetime.clock', 'offset': '-00:30'}"),
                 "0@01-01 07:00:00 0@01-03 05:30:00");
    expect_fires(&t, AT("'input_datetime.day'"), "0@01-03 10:00:00");
    expect_fires(&t,
                 AT("['sensor.next', 'sensor.text', {'entity_id': 'sensor.next', 'offset': "
                    "90}]"),
                 "0@01-01 12:00:00 0@01-01 12:01:30");
    expect_fires(&t,
                 "{'triggers': [{'trigger': 'time', 'at': ['06:30', '07:45']}], 'conditions': "
                 "[{'condition': 'time', 'after': 'input_datetime.clock', 'weekday': ['thu', "
                 "'fri']}], 'actions': []}",
                 "0@01-01 07:45:00 0@01-02 07:45:00");
    timeline_release(&t);
}

/* --- sun: components/sun/condition.py --- */

static void test_sun_conditions(void **state)
{
    (void)state;
    struct timeline t = begin("2026-06-21 00:00", "2026-06-22 00:00"); /* 04:43 to 21:33 */
    timeline_finish(&t);
#define HOURLY(condition)                                                                          \
    "{'triggers': [{'trigger': 'time', 'at': ['04:00', '05:00', '21:00', '22:00']}], "             \
    "'conditions': [{'condition': 'sun', " condition "}], 'actions': []}"
    expect_fires(&t, HOURLY("'after': 'sunset'"), "0@06-21 22:00:00");
    expect_fires(&t, HOURLY("'after': 'sunset', 'after_offset': '-01:00'"),
                 "0@06-21 21:00:00 0@06-21 22:00:00");
    expect_fires(&t, HOURLY("'before': 'sunrise'"), "0@06-21 04:00:00");
    expect_fires(&t, HOURLY("'after': 'sunrise', 'before': 'sunset'"),
                 "0@06-21 05:00:00 0@06-21 21:00:00");
    expect_fires(&t, HOURLY("'before': 'sunrise', 'after': 'sunset'"),
                 "0@06-21 04:00:00 0@06-21 22:00:00");
    t.latitude = 78; /* the sun does not set: 2026.11 says false */
    expect_fires(&t, HOURLY("'after': 'sunset'"), "");
    t.has_location = false;
    expect_fires(&t, HOURLY("'after': 'sunset'"), "");
    expect_fires(&t, "{'triggers': [{'trigger': 'sun', 'event': 'sunset'}], 'actions': []}", "");
    timeline_release(&t);
}

/* --- zone: components/zone/trigger.py, condition.py --- */

static void test_zones(void **state)
{
    (void)state;
    static const char zone[] =
        "{'latitude': 52.0, 'longitude': 13.0, 'radius': 100, 'friendly_name': 'Home'}";
    struct timeline t = begin("2026-01-01 00:00", "2026-01-02 00:00");
    put_row(&t, "2026-01-01 00:00", "zone.home", "0", zone);
    put_row(&t, "2026-01-01 00:00", "person.a", "not_home", "{'latitude': 52.1, 'longitude': 13}");
    put_row(&t, "2026-01-01 01:00", "person.a", "home", "{'latitude': 52.0005, 'longitude': 13}");
    put_row(&t, "2026-01-01 02:00", "person.a", "unknown", "{'source': 'x'}"); /* no place */
    put_row(&t, "2026-01-01 03:00", "person.a", "home", "{'latitude': 52, 'longitude': 13}");
    /* 111 m away, known to 20 m. */
    put_row(&t, "2026-01-01 04:00", "person.a", "home",
            "{'latitude': 52.001, 'longitude': 13, 'gps_accuracy': 20}");
    put_row(&t, "2026-01-01 05:00", "person.a", "not_home",
            "{'latitude': 52.001, 'longitude': 13}");
    put_row(&t, "2026-01-01 06:00", "person.a", "home",
            "{'latitude': 53, 'longitude': 13, 'in_zones': ['zone.home']}");
    put_row(&t, "2026-01-01 07:00", "person.a", "x",
            "{'latitude': 52, 'longitude': 13, 'in_zones': []}");
    timeline_finish(&t);
#define ZONE(more)                                                                                 \
    "{'triggers': [{'trigger': 'zone', 'entity_id': 'person.a', 'zone': 'zone.home'" more "}], "   \
    "'actions': []}"
    expect_fires(&t, ZONE(""), "0@01-01 01:00:00 0@01-01 06:00:00");
    expect_fires(&t, ZONE(", 'event': 'leave'"), "0@01-01 05:00:00 0@01-01 07:00:00");
    expect_fires(&t,
                 "{'triggers': [{'trigger': 'time_pattern', 'minutes': 30}], 'conditions': "
                 "[{'condition': 'zone', 'entity_id': 'person.a', 'zone': 'zone.home'}, "
                 "{'condition': 'time', 'before': '08:00'}], 'actions': []}",
                 "0@01-01 01:30:00 0@01-01 03:30:00 0@01-01 04:30:00 0@01-01 06:30:00");
    timeline_release(&t);
}

/* --- modes and how long a run takes: helpers/script.py --- */

#define EVERY_MINUTE(more) "{'triggers': [{'trigger': 'time_pattern', 'minutes': '*'}], " more "}"

static void test_modes(void **state)
{
    (void)state;
    struct timeline t = begin("2026-01-01 00:00", "2026-01-01 00:08");
    timeline_finish(&t);
    static const char all[] = "0@01-01 00:00:00 0@01-01 00:01:00 0@01-01 00:02:00 0@01-01 00:03:00 "
                              "0@01-01 00:04:00 0@01-01 00:05:00 0@01-01 00:06:00 "
                              "0@01-01 00:07:00";
    static const char *const cases[][2] = {
        {EVERY_MINUTE("'actions': []"), all},
        {EVERY_MINUTE("'actions': [{'delay': 150}]"),
         "0@01-01 00:00:00 0@01-01 00:03:00 0@01-01 00:06:00"},
        {EVERY_MINUTE("'actions': [{'delay': '00:02:30'}], 'mode': 'restart'"), all},
        {EVERY_MINUTE("'actions': [{'delay': {'minutes': 2.5}}], 'mode': 'parallel', 'max': 2"),
         "0@01-01 00:00:00 0@01-01 00:01:00 0@01-01 00:03:00 0@01-01 00:04:00 "
         "0@01-01 00:06:00 0@01-01 00:07:00"},
        /* Ends at 2:30, 5:00, 7:30. */
        {EVERY_MINUTE("'actions': [{'delay': 150}], 'mode': 'queued', 'max': 2"),
         "0@01-01 00:00:00 0@01-01 00:01:00 0@01-01 00:03:00 0@01-01 00:06:00"},
        {EVERY_MINUTE("'actions': [{'repeat': {'count': 3, 'sequence': [{'delay': 50}]}}]"),
         "0@01-01 00:00:00 0@01-01 00:03:00 0@01-01 00:06:00"},
        {EVERY_MINUTE("'actions': [{'repeat': {'for_each': ['a', 'b'], 'sequence': {'delay': "
                      "75}}}]"),
         "0@01-01 00:00:00 0@01-01 00:03:00 0@01-01 00:06:00"},
        {EVERY_MINUTE("'actions': [{'parallel': [{'delay': 10}, {'sequence': [{'delay': 100}, "
                      "{'delay': 50}]}]}]"),
         "0@01-01 00:00:00 0@01-01 00:03:00 0@01-01 00:06:00"},
        {EVERY_MINUTE("'actions': [{'choose': [{'conditions': {'condition': 'time', 'before': "
                      "'00:03'}, 'sequence': {'delay': 150}}], 'default': []}]"),
         "0@01-01 00:00:00 0@01-01 00:03:00 0@01-01 00:04:00 0@01-01 00:05:00 "
         "0@01-01 00:06:00 0@01-01 00:07:00"},
        {EVERY_MINUTE("'actions': [{'if': [{'condition': 'time', 'after': '00:04'}], 'then': "
                      "{'delay': 600}, 'else': {'stop': 'x'}}, {'delay': 600}]"),
         "0@01-01 00:00:00 0@01-01 00:01:00 0@01-01 00:02:00 0@01-01 00:03:00 "
         "0@01-01 00:04:00"},
        {EVERY_MINUTE("'actions': [{'condition': 'time', 'after': '00:04'}, {'delay': 600}]"),
         "0@01-01 00:00:00 0@01-01 00:01:00 0@01-01 00:02:00 0@01-01 00:03:00 "
         "0@01-01 00:04:00"},
        {EVERY_MINUTE("'actions': [{'repeat': {'while': {'condition': 'time', 'before': '00:05'}, "
                      "'sequence': {'delay': 100}}}]"),
         "0@01-01 00:00:00 0@01-01 00:06:00 0@01-01 00:07:00"}, /* at 00:05 it is just ending */
        {EVERY_MINUTE("'actions': [{'repeat': {'until': {'condition': 'time', 'after': '00:05'}, "
                      "'sequence': {'delay': 100}}}]"),
         "0@01-01 00:00:00 0@01-01 00:06:00"},
        {EVERY_MINUTE("'actions': [{'delay': 600, 'enabled': false}]"), all},
        /* A loop that takes no time ends. */
        {EVERY_MINUTE("'actions': [{'repeat': {'while': [], 'sequence': []}}]"), all},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_fires(&t, cases[i][0], cases[i][1]);
    timeline_release(&t);
}

/* --- what happens within one instant --- */

static void test_order_within_a_millisecond(void **state)
{
    (void)state;
    struct timeline t = begin("2026-01-01 00:00", "2026-01-01 02:00");
    put_row(&t, "2026-01-01 00:00", "light.a", "off", NULL);
    put_row(&t, "2026-01-01 00:00", "light.b", "off", NULL);
    put_row(&t, "2026-01-01 01:00", "light.a", "on", NULL);
    put_row(&t, "2026-01-01 01:00", "light.b", "on", NULL);
    timeline_finish(&t);
#define WHEN(one, other)                                                                           \
    "{'triggers': [{'trigger': 'state', 'entity_id': '" one "', 'to': 'on'}], 'conditions': "      \
    "[{'condition': 'state', 'entity_id': '" other "', 'state': 'on'}], 'actions': []}"
    expect_fires(&t, WHEN("light.a", "light.b"), ""); /* it was written later */
    expect_fires(&t, WHEN("light.b", "light.a"), "0@01-01 01:00:00");
    /* A run that takes no time has ended for the second one. */
    expect_fires(&t,
                 "{'triggers': [{'trigger': 'state', 'entity_id': ['light.a', 'light.b'], 'to': "
                 "'on'}], 'actions': []}",
                 "0@01-01 01:00:00 0@01-01 01:00:00");
    timeline_release(&t);
}

/* A write that leaves the state as it was and one that changes it, just when a `for` ends: all rows
 * of a millisecond come before its timers. */
static void test_for_ends_with_two_rows(void **state)
{
    (void)state;
    struct timeline t = begin("2026-01-01 00:00", "2026-01-01 02:00");
    put_row(&t, "2026-01-01 00:00", "light.a", "off", "{}");
    put_row(&t, "2026-01-01 01:00", "light.a", "on", "{}");
    put_row(&t, "2026-01-01 01:10", "light.a", "on", "{'brightness': 9}");
    put_row(&t, "2026-01-01 01:10", "light.a", "off", "{}");
    timeline_finish(&t);
    expect_fires(&t, STATE(", 'for': '00:10:00'"), "0@01-01 01:20:00");
    expect_fires(&t, STATE(", 'for': '00:09:59'"), "0@01-01 01:09:59 0@01-01 01:19:59");
    timeline_release(&t);
}

/* --- our own templates (suggest/automation.c) --- */

static void test_own_templates(void **state)
{
    (void)state;
    struct timeline t = light_of_a_morning();
    json_object *config = made_json(STATE(", 'to': 'on'"));
    json_object_object_add(
        config, "conditions",
        json_object_new_string("{{ trigger.from_state is not none and trigger.from_state.state "
                               "not in ['unavailable', 'unknown'] }}"));
    struct automation *automation = NULL;
    struct error err;
    size_t notes;
    assert_int_equal(automation_parse(config, &automation, &err), 0);
    automation_notes(automation, &notes);
    assert_int_equal(notes, 0);
    struct replay_input input = {&t, t.from_ms, t.to_ms};
    struct replay_fires fires;
    replay_run(&input, &automation, 1, &fires);
    assert_int_equal(fires.count, 1); /* only 07:00 comes from a known state */
    replay_fires_release(&fires);
    automation_free(automation);
    json_object_put(config);
    timeline_release(&t);
}

/* --- numbers of five minutes, missing attributes, maxima --- */

static void test_means_are_approximate(void **state)
{
    (void)state;
    struct timeline t = begin("2026-01-01 00:00", "2026-01-02 00:00");
    put_row(&t, "2026-01-01 00:00", "sensor.t", "5", NULL);
    put_row(&t, "2026-01-01 01:00", "sensor.t", "15", NULL);
    timeline_finish(&t);
    t.series[0].is_approximate = true;
    struct automation *automations[] = {made_automation(NUMBER("'above': 10")),
                                        made_automation(AT("'03:00'"))};
    struct replay_input input = {&t, t.from_ms, t.to_ms};
    struct replay_fires fires;
    replay_run(&input, automations, 2, &fires);
    assert_int_equal(fires.count, 2);
    assert_true(fires.list[0].is_approximate);
    assert_int_equal(fires.list[1].automation, 1);
    assert_false(fires.list[1].is_approximate);
    replay_fires_release(&fires);
    automation_free(automations[0]);
    automation_free(automations[1]);
    timeline_release(&t);
}

static size_t notes_after(const struct timeline *t, const char *text, const char *what)
{
    struct automation *automation = made_automation(text);
    struct replay_input input = {t, t->from_ms, t->to_ms};
    size_t count;
    for (int i = 0; i < 2; i++) { /* told once */
        struct replay_fires fires;
        replay_run(&input, &automation, 1, &fires);
        replay_fires_release(&fires);
    }
    const struct automation_note *notes = automation_notes(automation, &count);
    if (count > 0) {
        assert_string_equal(notes[0].what, what);
        assert_string_equal(notes[0].effect, "taken to be absent");
    }
    automation_free(automation);
    return count;
}

/* Home Assistant's recorder leaves a light's brightness out. */
static void test_attributes_that_a_history_lacks_are_noted(void **state)
{
    (void)state;
    static const char told[] = "attribute brightness, which this history does not have";
    struct timeline t = begin("2026-01-01 00:00", "2026-01-02 00:00");
    put_row(&t, "2026-01-01 00:00", "light.a", "on", "{'friendly_name': 'A'}");
    put_row(&t, "2026-01-01 00:00", "light.b", "on", "{'brightness': null}");
    put_row(&t, "2026-01-01 00:00", "light.c", "on", NULL);
    timeline_finish(&t);
    assert_int_equal(notes_after(&t, STATE(", 'attribute': 'brightness'"), told), 1);
    assert_int_equal(notes_after(&t,
                                 "{'triggers': [{'trigger': 'light.brightness_changed', 'target': "
                                 "{'entity_id': 'light.a'}, 'options': {'threshold': {'type': "
                                 "'any'}}}], 'actions': []}",
                                 told),
                     1);
    assert_int_equal(notes_after(&t, STATE(", 'attribute': 'colour'"), ""), 0);
    assert_int_equal(
        notes_after(&t,
                    "{'triggers': [{'trigger': 'state', 'entity_id': 'light.b', 'attribute': "
                    "'brightness'}], 'actions': []}",
                    ""),
        0);
    assert_int_equal(
        notes_after(&t,
                    "{'triggers': [{'trigger': 'state', 'entity_id': 'light.c', 'attribute': "
                    "'colour'}], 'actions': []}",
                    "attribute colour, which this history does not have"),
        1);
    timeline_release(&t);
}

static void test_maxima_of_fires(void **state)
{
    (void)state;
    enum { COUNT = 8 };
    struct timeline t = begin("2026-01-01 00:00", "2026-01-08 00:00");
    timeline_finish(&t);
    struct automation *automations[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        automations[i] = made_automation(PATTERN("'seconds': '*'"));
    struct replay_input input = {&t, t.from_ms, t.to_ms}; /* 604,800 seconds */
    struct replay_fires fires;
    replay_run(&input, automations, 1, &fires);
    assert_true(fires.is_cut);
    assert_int_equal(fires.count, REPLAY_AUTOMATION_FIRES_MAX);
    replay_fires_release(&fires);
    replay_run(&input, automations, COUNT, &fires);
    assert_true(fires.is_cut);
    assert_int_equal(fires.count, REPLAY_FIRES_MAX);
    for (size_t i = 1; i < fires.count; i++)
        assert_true(fires.list[i - 1].time_ms <= fires.list[i].time_ms);
    replay_fires_release(&fires);
    for (size_t i = 0; i < COUNT; i++)
        automation_free(automations[i]);
    timeline_release(&t);
}

/* A loop of 5,000 steps and more ends the run. */
static void test_maximum_of_steps_of_a_run(void **state)
{
    (void)state;
    struct timeline t = begin("2026-01-01 00:00", "2026-01-01 12:00");
    timeline_finish(&t);
    expect_fires(&t,
                 "{'triggers': [{'trigger': 'time', 'at': ['00:01', '01:00', '03:00']}], "
                 "'actions': [{'repeat': {'count': 1000000, 'sequence': {'delay': 1}}}]}",
                 "0@01-01 00:01:00 0@01-01 03:00:00");
    timeline_release(&t);
}

/* Each write begins a `for` of its own, as in Home Assistant: tens of thousands wait at a time. */
static void test_many_waits_take_no_more_time(void **state)
{
    (void)state;
    enum { ROWS = 100000, EVERY_MS = 10000, CPU_S_MAX = 15 };
    struct timeline t = begin("2026-01-01 00:00", "2026-01-13 00:00");
    struct error err;
    size_t series;
    uint32_t word;
    assert_int_equal(timeline_add_series(&t, "person.a", &series, &err), 0);
    assert_int_equal(timeline_add_word(&t, "home", 4, &word, &err), 0);
    for (int64_t i = 0; i < ROWS; i++) {
        const struct timeline_row row = {
            .time_ms = t.from_ms + i * EVERY_MS, .word = word & 0xfffffffU, .attributes = -1};
        assert_int_equal(timeline_add_row(&t, series, &row, &err), 0);
    }
    timeline_finish(&t);
    struct automation *automation =
        made_automation("{'triggers': [{'trigger': 'state', 'entity_id': 'person.a', 'for': "
                        "{'days': 5}}], 'actions': []}");
    struct replay_input input = {&t, t.from_ms, t.to_ms};
    struct replay_fires fires;
    clock_t began = clock();
    replay_run(&input, &automation, 1, &fires);
    assert_true((clock() - began) / CLOCKS_PER_SEC < CPU_S_MAX);
    /* All but the first row, which was there at once, and those of the last five days. */
    assert_int_equal(fires.count, (int64_t)(t.to_ms - t.from_ms) / EVERY_MS - 5 * 8640 - 1);
    replay_fires_release(&fires);
    automation_free(automation);
    timeline_release(&t);
}

/* Runs of centuries, one behind the other: no time runs over. */
static void test_maximum_of_a_runs_time(void **state)
{
    (void)state;
    enum { MAX = 1500 };
    static const char *const cases[] = {
        "{'triggers': [{'trigger': 'time_pattern', 'seconds': '/10'}], 'mode': 'queued', 'max': "
        "1500, 'actions': [{'delay': {'days': 73200}}]}",
        "{'triggers': [{'trigger': 'time_pattern', 'seconds': '/10'}], 'mode': 'parallel', 'max': "
        "1500, 'actions': [{'repeat': {'count': 9000000000000000000, 'sequence': {'delay': "
        "{'days': 73200}}}}]}"};
    struct timeline t = begin("2026-01-01 00:00", "2026-01-01 12:00");
    timeline_finish(&t);
    struct replay_input input = {&t, t.from_ms, t.to_ms};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct automation *automation = made_automation(cases[i]);
        struct replay_fires fires;
        replay_run(&input, &automation, 1, &fires);
        assert_int_equal(fires.count, MAX);
        replay_fires_release(&fires);
        automation_free(automation);
    }
    timeline_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_fires_each_day_and_on_its_weekdays),
        cmocka_unit_test(test_time_on_the_days_of_dst),
        cmocka_unit_test(test_sun_fires_at_its_offset),
        cmocka_unit_test(test_state_from_and_to),
        cmocka_unit_test(test_state_for),
        cmocka_unit_test(test_conditions_of_time_and_state),
        cmocka_unit_test(test_state_condition_of_attributes_and_lists),
        cmocka_unit_test(test_numeric_state_fires_when_it_comes_into_range),
        cmocka_unit_test(test_time_pattern),
        cmocka_unit_test(test_lives_of_home_assistant),
        cmocka_unit_test(test_only_fires_in_the_time_asked_for_count),
        cmocka_unit_test(test_times_of_entities),
        cmocka_unit_test(test_sun_conditions),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_order_within_a_millisecond),
        cmocka_unit_test(test_for_ends_with_two_rows),
        cmocka_unit_test(test_own_templates),
        cmocka_unit_test(test_means_are_approximate),
        cmocka_unit_test(test_attributes_that_a_history_lacks_are_noted),
        cmocka_unit_test(test_maxima_of_fires),
        cmocka_unit_test(test_maximum_of_steps_of_a_run),
        cmocka_unit_test(test_many_waits_take_no_more_time),
        cmocka_unit_test(test_maximum_of_a_runs_time),
    };
    return cmocka_run_group_tests(tests, load_zone, free_zone);
}
