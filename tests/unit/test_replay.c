/* replay/: each trigger, condition and mode on cases derived by hand from Home Assistant's source
 * (named with each; 2025.4.4 where nothing else is said). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_fires_each_day_and_on_its_weekdays),
        cmocka_unit_test(test_time_on_the_days_of_dst),
        cmocka_unit_test(test_sun_fires_at_its_offset),
        cmocka_unit_test(test_state_from_and_to),
        cmocka_unit_test(test_state_for),
        cmocka_unit_test(test_conditions_of_time_and_state),
    };
    return cmocka_run_group_tests(tests, load_zone, free_zone);
}
