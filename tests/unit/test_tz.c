/* core/tz against glibc, for every zone of this system. */
#define _GNU_SOURCE /* tm_gmtoff */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "seeded.h"

#include "core/tz.h"
#include "core/xalloc.h"

#define ZONEINFO "/usr/share/zoneinfo/"
enum { ZONES_MIN = 400, RANDOM_INSTANTS = 300, RANDOM_WALLS = 30, MUTATIONS = 4000 };
static const int64_t year_2100_s = 4102444800;

static int64_t random_below(int64_t n)
{
    return (int64_t)(next_random() % (uint64_t)n);
}

static char **zones;
static size_t zone_count, zone_capacity;

static int collect_zone(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)walk;
    const char *name = path + strlen(ZONEINFO);
    char magic[4] = "";
    if (type != FTW_F || strncmp(name, "right/", 6) == 0 || strncmp(name, "posix/", 6) == 0)
        return 0;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return 0;
    size_t got = fread(magic, 1, sizeof magic, file);
    fclose(file);
    if (got < sizeof magic || memcmp(magic, "TZif", 4) != 0)
        return 0;
    zones = grow_array(zones, zone_count, &zone_capacity, sizeof *zones);
    zones[zone_count++] = xstrdup(name);
    return 0;
}

static struct tm glibc_local(int64_t utc_s)
{
    struct tm tm = {0};
    time_t t = (time_t)utc_s;
    assert_non_null(localtime_r(&t, &tm));
    return tm;
}

static void check_instant(const struct tz *tz, int64_t utc_s)
{
    struct tm want = glibc_local(utc_s);
    struct tz_local got;
    tz_to_local(tz, utc_s, &got);
    if (got.utc_offset_s != want.tm_gmtoff)
        print_error("%s at %lld: %d, glibc %ld\n", tz_name(tz), (long long)utc_s, got.utc_offset_s,
                    want.tm_gmtoff);
    assert_int_equal(got.utc_offset_s, want.tm_gmtoff);
    assert_int_equal(tz_offset_s(tz, utc_s), want.tm_gmtoff);
    assert_int_equal(got.year, want.tm_year + 1900);
    assert_int_equal(got.month, want.tm_mon + 1);
    assert_int_equal(got.day_of_month, want.tm_mday);
    assert_int_equal(got.hour, want.tm_hour);
    assert_int_equal(got.minute, want.tm_min);
    assert_int_equal(got.second, want.tm_sec);
    assert_int_equal(got.second_of_day, want.tm_hour * 3600 + want.tm_min * 60 + want.tm_sec);
    assert_int_equal(got.weekday, (want.tm_wday + 6) % 7);
    assert_int_equal(got.day, tz_days_from_civil(got.year, got.month, got.day_of_month));
}

/* tz_to_utc must give the first instant whose wall clock is not before the wanted time. Wall time
 * only ever falls at a transition, so looking at every second near it and at coarse steps over the
 * day before is exhaustive. */
static void check_to_utc(const struct tz *tz, int64_t day, int second)
{
    int64_t wall = day * 86400 + second;
    int64_t utc = tz_to_utc(tz, day, second);
    assert_true(utc + glibc_local(utc).tm_gmtoff >= wall);
    for (int64_t back = 1; back <= 4; back++)
        assert_true(utc - back + glibc_local(utc - back).tm_gmtoff < wall);
    for (int64_t back = 60; back <= 26 * 3600; back += 900)
        assert_true(utc - back + glibc_local(utc - back).tm_gmtoff < wall);
}

static void check_around(const struct tz *tz, int64_t transition_s)
{
    for (int64_t delta = -2; delta <= 2; delta++)
        check_instant(tz, transition_s + delta);
    for (int i = 0; i < 2; i++) {
        int64_t wall =
            transition_s + glibc_local(transition_s).tm_gmtoff + random_below(14401) - 7200;
        int64_t day = wall / 86400 - (wall % 86400 < 0);
        check_to_utc(tz, day, (int)(wall - day * 86400));
        assert_int_equal(tz_day_start(tz, day), tz_to_utc(tz, day, 0));
    }
}

/* Finds glibc's own transitions by halving, independent of what tz.c read. */
static size_t check_transitions(const struct tz *tz)
{
    size_t found = 0;
    const int64_t step = 86400 * 7;
    for (int64_t t = 0; t < year_2100_s; t += step) {
        long before = glibc_local(t).tm_gmtoff;
        if (glibc_local(t + step).tm_gmtoff == before)
            continue;
        int64_t low = t, high = t + step;
        while (high - low > 1) {
            int64_t middle = low + (high - low) / 2;
            if (glibc_local(middle).tm_gmtoff == before)
                low = middle;
            else
                high = middle;
        }
        check_around(tz, high);
        found++;
    }
    return found;
}

static void all_zones_agree_with_glibc(void **unused)
{
    (void)unused;
    nftw("/usr/share/zoneinfo", collect_zone, 16, FTW_PHYS);
    print_message("%zu zones\n", zone_count);
    assert_true(zone_count >= ZONES_MIN);
    size_t transitions = 0;
    for (size_t i = 0; i < zone_count; i++) {
        struct error err = {0};
        struct tz *tz = tz_load(zones[i], &err);
        if (tz == NULL)
            print_error("%s\n", err.message);
        assert_non_null(tz);
        assert_string_equal(tz_name(tz), zones[i]);
        setenv("TZ", zones[i], 1);
        tzset();
        for (int n = 0; n < RANDOM_INSTANTS; n++) {
            int64_t t = random_below(year_2100_s);
            check_instant(tz, t);
            if (n < RANDOM_WALLS)
                check_to_utc(tz, t / 86400, (int)random_below(86400));
        }
        transitions += check_transitions(tz);
        tz_free(tz);
        free(zones[i]);
    }
    free(zones);
    print_message("%zu transitions\n", transitions);
    assert_true(transitions > zone_count * 10);
}

/* The days people know, written out. */
static void known_days(void **unused)
{
    (void)unused;
    struct error err = {0};
    struct tz *tz = tz_load("Europe/Berlin", &err);
    int64_t spring = tz_days_from_civil(2026, 3, 29), autumn = tz_days_from_civil(2026, 10, 25);
    assert_int_equal(tz_to_utc(tz, spring, 9000), spring * 86400 + 3600);  /* 02:30 is skipped */
    assert_int_equal(tz_to_utc(tz, spring, 10800), spring * 86400 + 3600); /* 03:00 CEST */
    assert_int_equal(tz_to_utc(tz, autumn, 9000), autumn * 86400 + 1800);  /* 02:30 CEST */
    assert_int_equal(tz_day_start(tz, spring + 1) - tz_day_start(tz, spring), 23 * 3600);
    assert_int_equal(tz_day_start(tz, autumn + 1) - tz_day_start(tz, autumn), 25 * 3600);
    tz_free(tz);
    tz = tz_load("Pacific/Apia", &err); /* had no 30 December 2011 */
    int64_t skipped = tz_days_from_civil(2011, 12, 30);
    assert_int_equal(tz_day_start(tz, skipped), tz_day_start(tz, skipped + 1));
    assert_int_equal(tz_to_utc(tz, skipped, 43200), tz_day_start(tz, skipped + 1));
    tz_free(tz);
}

static void civil_dates_round_trip(void **unused)
{
    (void)unused;
    int year = 0, month = 0, day = 0;
    tz_civil_from_days(0, &year, &month, &day);
    assert_true(year == 1970 && month == 1 && day == 1);
    assert_int_equal(tz_days_from_civil(2000, 3, 1) - tz_days_from_civil(2000, 2, 28), 2);
    assert_int_equal(tz_days_from_civil(1900, 3, 1) - tz_days_from_civil(1900, 2, 28), 1);
    for (int64_t d = -800000; d < 800000; d += 13) {
        tz_civil_from_days(d, &year, &month, &day);
        assert_int_equal(tz_days_from_civil(year, month, day), d);
    }
}

/* --- files of our own, through TZDIR --- */

static char folder[32];

static struct tz *load_bytes(const unsigned char *data, size_t size, struct error *err)
{
    char *path = xasprintf("%s/Test/Zone", folder);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
    free(path);
    return tz_load("Test/Zone", err);
}

static size_t read_zone(const char *name, unsigned char *data, size_t max)
{
    char *path = xasprintf(ZONEINFO "%s", name);
    FILE *file = fopen(path, "rb");
    free(path);
    assert_non_null(file);
    size_t size = fread(data, 1, max, file);
    fclose(file);
    return size;
}

/* A version 2 file with no transitions and only the rule, as a slim one may be. */
static size_t rule_file(unsigned char *out, const char *rule)
{
    static const unsigned char header[44] = {'T', 'Z', 'i', 'f', '2', [39] = 1, [43] = 4};
    static const unsigned char type[10] = {0, 0, 0, 0, 0, 0, 'A', 'B', 'C', 0};
    size_t n = 0;
    for (int block = 0; block < 2; block++) {
        memcpy(out + n, header, sizeof header);
        memcpy(out + n + sizeof header, type, sizeof type);
        n += sizeof header + sizeof type;
    }
    return n + (size_t)sprintf((char *)out + n, "\n%s\n", rule);
}

static void rules_agree_with_glibc(void **unused)
{
    (void)unused;
    static const char *const rules[] = {
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "EST5EDT,M3.2.0,M11.1.0",
        "NZST-12NZDT,M9.5.0,M4.1.0/3",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
        "IST-2IDT,M3.4.4/26,M10.5.0",
        "XXX3YYY,J60/0,J300/0",
        "XXX3YYY,59/0,300/0",
        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
        "UTC0",
        "ABC-5:30:15",
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        unsigned char data[256];
        struct error err = {0};
        struct tz *tz = load_bytes(data, rule_file(data, rules[i]), &err);
        assert_non_null(tz);
        setenv("TZ", rules[i], 1);
        tzset();
        check_transitions(tz);
        for (int n = 0; n < RANDOM_INSTANTS; n++)
            check_instant(tz, random_below(year_2100_s));
        tz_free(tz);
    }
}

static void malformed_files_are_refused(void **unused)
{
    (void)unused;
    static const char *const bad_rules[] = {
        "X",
        "XX1",
        "XXX",
        "XXX25",
        "XXX3YYY",
        "XXX3YYY,",
        "XXX3YYY,M13.1.0,M10.5.0",
        "XXX3YYY,M3.6.0,M10.5.0",
        "XXX3YYY,M3.5.7,M10.5.0",
        "XXX3YYY,J0,J300",
        "XXX3YYY,J60,J366",
        "XXX3YYY,M3.5.0/168,M10.5.0",
        "XXX3YYY,M3.5.0,M10.5.0x",
        "<XXX3",
        "UTC0\nUTC0",
    };
    for (size_t i = 0; i < sizeof bad_rules / sizeof *bad_rules; i++) {
        unsigned char data[256];
        struct error err = {0};
        struct tz *tz = load_bytes(data, rule_file(data, bad_rules[i]), &err);
        if (tz != NULL)
            print_error("accepted %s\n", bad_rules[i]);
        assert_null(tz);
        assert_non_null(strstr(err.message, "Test/Zone"));
    }
    static const char *const bad_names[] = {
        "", "/etc/passwd", "../zoneinfo/UTC", "Europe/Nowhere", "Europe", "A B", "Europe/Berlin\n"};
    for (size_t i = 0; i < sizeof bad_names / sizeof *bad_names; i++) {
        struct error err = {0};
        assert_null(tz_load(bad_names[i], &err));
        assert_int_not_equal(err.code, ERROR_NONE);
    }
    struct error err = {0};
    assert_null(tz_load("right/Europe/Berlin", &err));
}

/* Cut at every length and with bytes changed at random: refused or loaded, never a crash, and
 * lookups in what was loaded end. */
static void damaged_files_do_not_crash(void **unused)
{
    (void)unused;
    unsigned char whole[8192], data[8192];
    size_t size = read_zone("Europe/Berlin", whole, sizeof whole);
    for (size_t cut = 0; cut < size; cut++)
        assert_null(load_bytes(whole, cut, NULL));
    for (int n = 0; n < MUTATIONS; n++) {
        memcpy(data, whole, size);
        for (int64_t changes = 1 + random_below(4); changes > 0; changes--)
            data[random_below((int64_t)size)] = (unsigned char)next_random();
        struct tz *tz = load_bytes(data, size, NULL);
        if (tz == NULL)
            continue;
        struct tz_local local;
        tz_to_local(tz, random_below(year_2100_s), &local);
        tz_to_utc(tz, local.day, local.second_of_day);
        tz_free(tz);
    }
}

static int make_folder(void **unused)
{
    (void)unused;
    strcpy(folder, "/tmp/test_tz_XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    char *sub = xasprintf("%s/Test", folder);
    int result = mkdir(sub, 0700);
    free(sub);
    return result == 0 ? setenv("TZDIR", folder, 1) : -1;
}

static int remove_folder(void **unused)
{
    (void)unused;
    unsetenv("TZDIR");
    char *file = xasprintf("%s/Test/Zone", folder), *sub = xasprintf("%s/Test", folder);
    unlink(file);
    rmdir(sub);
    free(file);
    free(sub);
    return rmdir(folder);
}

int main(void)
{
    seed_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_zones_agree_with_glibc),
        cmocka_unit_test(known_days),
        cmocka_unit_test(civil_dates_round_trip),
        cmocka_unit_test_setup_teardown(rules_agree_with_glibc, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(malformed_files_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(damaged_files_do_not_crash, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
