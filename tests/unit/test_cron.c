/* Cron lines: what they accept, and when they run over changes of the clock.
 * (tests/e2e/test_cron.py compares ordinary days with croniter.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/cron.h"

/* The runs after `from`, joined by blanks, as local wall-clock times and UTC offset in minutes. */
static void check_runs(const char *zone, const char *line, const char *from, const char *expected)
{
    struct error err = {0};
    struct tz *tz = tz_load(zone, &err);
    struct cron cron;
    char got[1024] = "";
    size_t len = 0;
    int64_t at_ms = 0;
    assert_non_null(tz);
    if (cron_parse(line, &cron, &err) != 0)
        fail_msg("%s: %s", line, err.message);
    assert_int_equal(clock_parse_rfc3339(from, &at_ms), 0);
    int64_t at_s = at_ms / 1000;
    while (len < strlen(expected)) {
        struct tz_local local;
        at_s = cron_next(&cron, tz, at_s);
        assert_true(at_s != INT64_MAX);
        tz_to_local(tz, at_s, &local);
        assert_int_equal(local.second, 0);
        len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%02d-%02dT%02d:%02d%+d",
                                len > 0 ? " " : "", local.month, local.day_of_month, local.hour,
                                local.minute, local.utc_offset_s / 60);
    }
    if (strcmp(got, expected) != 0)
        fail_msg("%s in %s:\n  expected %s\n  got      %s", line, zone, expected, got);
    tz_free(tz);
}

static void test_fixed_times(void **state)
{
    (void)state;
    check_runs("Europe/Berlin", "0 3 * * *", "2026-11-23T01:59:59Z",
               "11-23T03:00+60 11-24T03:00+60");
    check_runs("Europe/Berlin", "0 3 * * *", "2026-11-23T02:00:00Z", "11-24T03:00+60");
    check_runs("UTC", "30 4 1,15 * fri", "2026-11-12T00:00:00Z",
               "11-13T04:30+0 11-15T04:30+0 11-20T04:30+0 11-27T04:30+0 12-01T04:30+0");
    check_runs("UTC", "0 0 29 2 *", "2096-03-01T00:00:00Z", "02-29T00:00+0");
    check_runs("UTC", "0 0 * * 7", "2026-11-23T00:00:00Z", "11-29T00:00+0 12-06T00:00+0");
    check_runs("UTC", "0 12 * * SAT-sun", "2026-11-23T00:00:00Z", "11-28T12:00+0 11-29T12:00+0");
    check_runs("Asia/Kathmandu", "15 3 * jan *", "2026-12-31T00:00:00Z",
               "01-01T03:15+345 01-02T03:15+345");
    check_runs("Asia/Kathmandu", "0 */6 * * *", "2026-11-23T00:00:00Z",
               "11-23T06:00+345 11-23T12:00+345 11-23T18:00+345 11-24T00:00+345");
}

static void test_gaps_run_at_their_end(void **state)
{
    (void)state;
    check_runs("Europe/Berlin", "30 2 * * *", "2026-03-28T00:00:00Z",
               "03-28T02:30+60 03-29T03:00+120 03-30T02:30+120");
    check_runs("Europe/Berlin", "*/10 2 * * *", "2026-03-29T00:00:00Z",
               "03-29T03:00+120 03-30T02:00+120");
    check_runs("Europe/Berlin", "30 2,3 * * *", "2026-03-29T00:00:00Z",
               "03-29T03:00+120 03-29T03:30+120 03-30T02:30+120");
    check_runs("America/New_York", "30 2 * * *", "2026-03-08T00:00:00Z",
               "03-08T03:00-240 03-09T02:30-240");
    /* Half an hour is skipped from 02:00, doubled from 01:30. */
    check_runs("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T03:00:00Z",
               "10-04T02:30+660 10-05T02:15+660");
    check_runs("Australia/Lord_Howe", "45 2 * * *", "2026-10-03T03:00:00Z",
               "10-04T02:45+660 10-05T02:45+660");
    /* The 30th of December 2011 never was. */
    check_runs("Pacific/Apia", "0 8 * * *", "2011-12-29T12:00:00Z",
               "12-29T08:00-600 12-31T00:00+840 12-31T08:00+840");
    /* The gap begins at midnight. */
    check_runs("America/Havana", "0 0 * * *", "2026-03-07T06:00:00Z",
               "03-08T01:00-240 03-09T00:00-240");
}

static void test_doubled_times_run_once(void **state)
{
    (void)state;
    check_runs("Europe/Berlin", "30 2 * * *", "2026-10-24T10:00:00Z",
               "10-25T02:30+120 10-26T02:30+60");
    check_runs("Europe/Berlin", "30 2 * * *", "2026-10-25T00:30:00Z", "10-26T02:30+60");
    check_runs("America/New_York", "15,45 1 * * *", "2026-11-01T04:00:00Z",
               "11-01T01:15-240 11-01T01:45-240 11-02T01:15-300");
    check_runs("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T10:00:00Z",
               "04-05T01:45+660 04-06T01:45+630");
}

static void test_star_hours_run_in_elapsed_time(void **state)
{
    (void)state;
    check_runs("Europe/Berlin", "0 * * * *", "2026-03-29T00:00:00Z",
               "03-29T03:00+120 03-29T04:00+120");
    check_runs("Europe/Berlin", "0 * * * *", "2026-10-24T23:00:00Z",
               "10-25T02:00+120 10-25T02:00+60 10-25T03:00+60");
    check_runs("Europe/Berlin", "30 */2 * * *", "2026-10-24T22:00:00Z",
               "10-25T00:30+120 10-25T02:30+120 10-25T02:30+60 10-25T04:30+60");
    check_runs("Europe/Berlin", "30 */2 * * *", "2026-03-28T22:00:00Z",
               "03-29T00:30+60 03-29T04:30+120");
    check_runs("America/New_York", "*/30 * * * *", "2026-11-01T05:00:00Z",
               "11-01T01:30-240 11-01T01:00-300 11-01T01:30-300 11-01T02:00-300");
    check_runs("Australia/Lord_Howe", "*/30 * * * *", "2026-04-04T14:00:00Z",
               "04-05T01:30+660 04-05T01:30+630 04-05T02:00+630");
    check_runs("Australia/Lord_Howe", "*/30 * * * *", "2026-10-03T15:00:00Z",
               "10-04T02:30+660 10-04T03:00+660");
    check_runs("Pacific/Apia", "0 */12 * * *", "2011-12-30T00:00:00Z",
               "12-31T00:00+840 12-31T12:00+840");
    /* At 00:01 the clock goes back into the day before, whose weekday is the one that is asked for.
     */
    check_runs("America/Goose_Bay", "59 * * * sat", "2007-11-04T02:00:00Z",
               "11-03T23:59-180 11-03T23:59-240 11-10T00:59-240");
}

/* Elapsed hours: the runs of a year are exactly the minutes whose wall clock matches. */
static void test_elapsed_agrees_with_a_walk_over_all_minutes(void **state)
{
    (void)state;
    static const char *const zones[] = {"Europe/Berlin", "Australia/Lord_Howe", "America/New_York"};
    for (size_t z = 0; z < sizeof(zones) / sizeof(*zones); z++) {
        struct tz *tz = tz_load(zones[z], NULL);
        struct cron cron;
        assert_int_equal(cron_parse("17,40 */3 2-30/2 * mon,wed,sun", &cron, NULL), 0);
        int64_t begin_s = 1767225600; /* 2026-01-01 */
        int64_t next_s = cron_next(&cron, tz, begin_s - 1);
        for (int64_t at_s = begin_s; at_s < begin_s + 366 * 86400; at_s += 60) {
            struct tz_local local;
            tz_to_local(tz, at_s, &local);
            bool day = (local.day_of_month % 2 == 0) || local.weekday == 0 || local.weekday == 2 ||
                       local.weekday == 6;
            bool matches = day && local.hour % 3 == 0 && (local.minute == 17 || local.minute == 40);
            assert_int_equal(matches, at_s == next_s);
            if (matches)
                next_s = cron_next(&cron, tz, at_s);
        }
        tz_free(tz);
    }
}

static void check_refused(const char *line, const char *part)
{
    struct cron cron;
    struct error err = {0};
    assert_int_equal(cron_parse(line, &cron, &err), -1);
    assert_int_equal(err.code, ERROR_INVALID);
    if (strstr(err.message, part) == NULL || strchr(err.message, '\n') != NULL)
        fail_msg("'%s': '%s' does not say '%s'", line, err.message, part);
}

static void test_refuses(void **state)
{
    (void)state;
    check_refused("", "the minute is missing");
    check_refused("0 3 * *", "the weekday is missing");
    check_refused("0 3 * * * *", "'*' follows the weekday");
    check_refused("60 3 * * *", "minute: '60'");
    check_refused("0 24 * * *", "hour: '24' is not understood (expected 0-23");
    check_refused("0 3 0 * *", "day: '0'");
    check_refused("0 3 32 * *", "day: '32'");
    check_refused("0 3 * 13 *", "month: '13'");
    check_refused("0 3 * * 8", "weekday: '8'");
    check_refused("0 3 * * monday", "weekday: 'monday'");
    check_refused("0 mon * * *", "hour: 'mon'");
    check_refused("*/0 3 * * *", "minute: '*/0'");
    check_refused("*/ 3 * * *", "minute: '*/'");
    check_refused("1, 3 * * *", "minute: ''");
    check_refused(",1 3 * * *", "minute: ''");
    check_refused("1-5-7 3 * * *", "minute: '1-5-7'");
    check_refused("-1 3 * * *", "minute: '-1'");
    check_refused("99999999999999999999 3 * * *", "minute: '9999");
    check_refused("0 22-2 * * *", "hour: '22-2' runs backwards");
    check_refused("0 3 * * fri-mon", "weekday: 'fri-mon' runs backwards");
    check_refused("0 3 30 2 *", "day: no month");
    check_refused("0 3 31 4,jun,9,11 *", "day: no month");
    check_refused("@daily", "minute: '@daily'");
    check_refused("0 3 * * ?", "weekday: '?'");
}

static void test_no_run_within_eight_years(void **state)
{
    (void)state;
    struct tz *tz = tz_load("UTC", NULL);
    struct cron cron;
    assert_int_equal(cron_parse("0 * 29 2 *", &cron, NULL), 0);
    assert_true(cron_next(&cron, tz, 1772323200) < INT64_MAX);
    cron.days = UINT32_C(1) << 30;
    assert_true(cron_next(&cron, tz, 1772323200) == INT64_MAX);
    cron.elapsed_hours = false;
    assert_true(cron_next(&cron, tz, 1772323200) == INT64_MAX);
    tz_free(tz);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed_times),
        cmocka_unit_test(test_gaps_run_at_their_end),
        cmocka_unit_test(test_doubled_times_run_once),
        cmocka_unit_test(test_star_hours_run_in_elapsed_time),
        cmocka_unit_test(test_elapsed_agrees_with_a_walk_over_all_minutes),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_no_run_within_eight_years),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
