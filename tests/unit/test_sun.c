/* The sun as Home Assistant has it: a table made by Home Assistant itself, and what must hold on
 * any day. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stats/sun.h"
#include "sun_table.h"

enum { ROW_COUNT = sizeof sun_rows / sizeof *sun_rows, TOLERANCE_MS = 1000 };

static struct sun_place place_of(const struct sun_row *row)
{
    return (struct sun_place){row->latitude, row->longitude, row->elevation_m};
}

static void assert_near(size_t i, const char *what, bool found, int64_t got, int64_t expected)
{
    if (found != (expected != INT64_MIN))
        fail_msg("row %zu: %s %s", i, what, found ? "should not be" : "is missing");
    if (found && llabs(got - expected) > TOLERANCE_MS)
        fail_msg("row %zu: %s is %lld ms off", i, what, (long long)(got - expected));
}

static void test_events_are_home_assistants(void **state)
{
    (void)state;
    size_t never = 0;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        struct sun_place place = place_of(&sun_rows[i]);
        int64_t got = 0;
        bool found = sun_event_of_date(&place, sun_rows[i].sets, sun_rows[i].date, &got);
        assert_near(i, "event", found, got, sun_rows[i].event_ms);
        never += !found;
    }
    assert_true(never > 0 && never < ROW_COUNT / 4); /* polar days are among them */
}

static void test_next_fires_are_home_assistants(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        struct error err;
        struct tz *tz = tz_load(sun_rows[i].zone, &err);
        assert_non_null(tz);
        struct sun_place place = place_of(&sun_rows[i]);
        int64_t got = 0;
        bool found = sun_event_after(&place, tz, sun_rows[i].sets, sun_rows[i].offset_s,
                                     sun_rows[i].after_ms, &got);
        assert_near(i, "next fire", found, got, sun_rows[i].next_ms);
        tz_free(tz);
    }
}

/* A chain of next fires visits each local day's fire once, and nothing else. */
static void test_days_and_chain_agree(void **state)
{
    (void)state;
    struct error err;
    struct tz *tz = tz_load("Europe/Berlin", &err);
    assert_non_null(tz);
    const struct sun_place berlin = {52.52, 13.4, 0};
    int64_t day = tz_days_from_civil(2026, 1, 1);
    int64_t at = tz_day_start(tz, day) * 1000 - 1;
    for (int i = 0; i < 365; i++, day++) {
        int64_t fire = 0, next = 0;
        assert_true(sun_fire_on_day(&berlin, tz, true, -5400, day, &fire));
        assert_true(sun_event_after(&berlin, tz, true, -5400, at, &next));
        assert_int_equal(fire, next);
        struct tz_local local;
        tz_to_local(tz, fire / 1000, &local);
        assert_int_equal(local.day, day);
        at = fire;
    }
    tz_free(tz);
}

static void test_polar_days_have_none(void **state)
{
    (void)state;
    struct error err;
    struct tz *tz = tz_load("Europe/Oslo", &err);
    assert_non_null(tz);
    const struct sun_place north = {69.65, 18.96, 0};
    int64_t fire = 0, midsummer = tz_days_from_civil(2026, 6, 21);
    assert_false(sun_event_of_date(&north, true, midsummer, &fire));
    assert_false(sun_fire_on_day(&north, tz, true, 0, midsummer, &fire));
    assert_true(sun_event_after(&north, tz, true, 0, tz_day_start(tz, midsummer) * 1000, &fire));
    struct tz_local local; /* the midnight sun of Tromsø ends in late July */
    tz_to_local(tz, fire / 1000, &local);
    assert_int_equal(local.month, 7);
    assert_in_range(local.day_of_month, 20, 31);
    tz_free(tz);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_are_home_assistants),
        cmocka_unit_test(test_next_fires_are_home_assistants),
        cmocka_unit_test(test_days_and_chain_agree),
        cmocka_unit_test(test_polar_days_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
