/* Who acts: machines' schedules, reloads, and groups of devices that act as one. Homes are random
 * (SEED replays); what is asked is how often the answer is right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "made_history.h"
#include "mine/actors.h"
#include "mine/machines.h"

enum { DAY_S = 86400 };

static struct tz *tz;
static int64_t spring; /* 2026-03-09, a Monday: the clock changes 20 days later */
static uint64_t seed;

static int setup(void **state)
{
    (void)state;
    struct error err;
    tz = tz_load("Europe/Berlin", &err);
    spring = tz_days_from_civil(2026, 3, 9);
    const char *given = getenv("SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    print_message("SEED=%llu\n", (unsigned long long)seed);
    return tz == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    tz_free(tz);
    return 0;
}

static int draw(int from, int to)
{
    return from + (int)(made_uniform(&seed) * (to - from + 1));
}

/* ---- machines ------------------------------------------------------------------------------ */

enum { ACTS_MAX = 2000 };

/* Acts of one device, and which of them are a machine's. */
struct planted {
    struct act list[ACTS_MAX];
    bool is_machine[ACTS_MAX];
    size_t count;
};

static void plant_act(struct planted *p, int64_t utc_s, bool is_machine)
{
    struct tz_local local;
    tz_to_local(tz, utc_s, &local);
    size_t at = p->count++;
    assert_true(p->count <= ACTS_MAX);
    for (; at > 0 && p->list[at - 1].time_ms > utc_s * 1000; at--) {
        p->list[at] = p->list[at - 1];
        p->is_machine[at] = p->is_machine[at - 1];
    }
    p->list[at] = (struct act){utc_s * 1000, (int)(local.day - spring), local.second_of_day};
    p->is_machine[at] = is_machine;
}

static void plant_people(struct planted *p, int days, double per_day)
{
    for (int d = 0; d < days; d++)
        for (double n = per_day; made_uniform(&seed) < n; n -= 1)
            plant_act(p, tz_to_utc(tz, spring + d, draw(6 * 3600, DAY_S - 3600)), false);
}

/* A schedule's clock. */
struct programme {
    const char *name;
    int jitter_s;       /* each switching is up to so much later */
    double drift_s;     /* a day, at most, either way */
    double overruled;   /* share of the days on which somebody was faster */
    bool standard_time; /* knows no summer time */
    bool weekend_differs;
    double expected; /* share of its acts that must be seen; */
    int days;        /* in a history so long */
};

static void plant_programme(struct planted *p, const struct programme *programme, int at)
{
    double drift = programme->drift_s * (2 * made_uniform(&seed) - 1);
    int weekend = at + (at < DAY_S / 2 ? 5400 : -5400);
    for (int d = 0; d < programme->days; d++) {
        if (made_uniform(&seed) < programme->overruled)
            continue;
        bool is_weekend = programme->weekend_differs && made_weekday(spring + d) >= 5;
        int second = (is_weekend ? weekend : at) + (int)(drift * d) + draw(0, programme->jitter_s);
        int64_t utc_s = programme->standard_time ? (spring + d) * DAY_S + second - 3600
                                                 : tz_to_utc(tz, spring + d, second);
        plant_act(p, utc_s, true);
    }
}

static void test_machines_are_seen(void **state)
{
    (void)state;
    static const struct programme programmes[] = {
        {"a relay's timer", 3, 0, 0, false, false, 0.99, 10},
        {"a relay's timer, a month", 3, 0, 0.1, false, false, 0.98, 30},
        {"a weekday and a weekend programme", 3, 0, 0, false, true, 0.97, 40},
        {"a clock that drifts", 3, 6, 0, false, false, 0.98, 40},
        {"a clock without summer time", 5, 0, 0.1, true, false, 0.98, 60},
        {"a gateway that asks every half minute", 37, 0, 0, false, false, 0.97, 60},
        {"the same, often overruled", 37, 0, 0.3, true, true, 0.75, 90},
    };
    for (size_t k = 0; k < sizeof programmes / sizeof *programmes; k++) {
        const struct programme *programme = &programmes[k];
        size_t machine = 0, seen = 0, people = 0, wrong = 0;
        for (int home = 0; home < 200; home++) {
            static struct planted p;
            p.count = 0;
            plant_programme(&p, programme, draw(5, 11) * 3600 + draw(0, 5) * 600);
            plant_programme(&p, programme, draw(16, 21) * 3600 + draw(0, 5) * 600);
            plant_people(&p, programme->days, 1);
            bool is_machine[ACTS_MAX];
            machines_mark(p.list, p.count, is_machine);
            for (size_t i = 0; i < p.count; i++) {
                machine += p.is_machine[i];
                seen += p.is_machine[i] && is_machine[i];
                people += !p.is_machine[i];
                wrong += !p.is_machine[i] && is_machine[i];
            }
        }
        print_message("%-40s seen %.3f, people taken for it %.4f\n", programme->name,
                      (double)seen / (double)machine, (double)wrong / (double)people);
        if ((double)seen < programme->expected * (double)machine ||
            (double)wrong > 0.01 * (double)people)
            fail_msg("%s: %zu of %zu seen, %zu of %zu people", programme->name, seen, machine,
                     wrong, people);
    }
}

/* People who get up by the clock: one in 10,000 may look like a machine at each of the four widths;
 * the acts themselves may come in bursts. */
static void test_punctual_people_are_no_machines(void **state)
{
    (void)state;
    static const int spreads_s[] = {60, 90, 120, 600};
    int taken[4] = {0};
    for (int home = 0; home < 8000; home++) {
        static struct planted p;
        p.count = 0;
        int days = draw(7, 120), spread_s = spreads_s[home % 4];
        for (int d = 0; d < days; d++) {
            int64_t at = tz_to_utc(tz, spring + d, 7 * 3600 + (int)(spread_s * made_normal(&seed)));
            for (int presses = home % 3 == 0 ? draw(1, 4) : 1; presses > 0; presses--)
                plant_act(&p, at += draw(2, 20), false);
        }
        bool is_machine[ACTS_MAX];
        taken[home % 4] += machines_mark(p.list, p.count, is_machine) > 0;
    }
    print_message(
        "taken for machines, of 2000 each: %d (1 min) %d (1.5 min) %d (2 min) %d (10 min)\n",
        taken[0], taken[1], taken[2], taken[3]);
    assert_true(taken[1] + taken[2] + taken[3] <= 8); /* 2.4 expected at most: 6000 x 4 x 1e-4 */
    assert_true(taken[0] <= 40);                      /* more punctual than we allow for */
}

static void test_machine_needs_five_days(void **state)
{
    (void)state;
    for (int days = 1; days <= 6; days++) {
        static struct planted p;
        p.count = 0;
        for (int d = 0; d < days; d++)
            plant_act(&p, tz_to_utc(tz, spring + d, 7 * 3600 + d % 2), true);
        bool is_machine[ACTS_MAX];
        assert_int_equal(machines_mark(p.list, p.count, is_machine), days >= 5 ? days : 0);
    }
    assert_int_equal(machines_mark(NULL, 0, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machines_are_seen),
        cmocka_unit_test(test_punctual_people_are_no_machines),
        cmocka_unit_test(test_machine_needs_five_days),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
