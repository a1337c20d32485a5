/* The simulated home: random numbers, the plan, the days, and a home in motion.
 * SEED=n replays a run. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/tz.h"
#include "core/xalloc.h"
#include "home/day.h"
#include "home/plan.h"
#include "home/play.h"
#include "home/rng.h"
#include "home/world.h"

#define SECOND_US INT64_C(1000000)

static uint64_t seed;

static struct tz *berlin(void)
{
    struct error err = {0};
    struct tz *tz = tz_load("Europe/Berlin", &err);
    if (tz == NULL)
        fail_msg("%s", err.message);
    return tz;
}

/* Sixty days around the autumn's change of the clock. */
static struct home_settings settings_of(uint64_t home_seed, int entities, int habits)
{
    const int64_t first = tz_days_from_civil(2026, 10, 1);
    struct home_settings s = home_settings_default(home_seed, entities, first, first + 59);
    s.habits = habits;
    return s;
}

static void make_home(struct home *home, uint64_t home_seed, int entities, int habits)
{
    struct error err = {0};
    const struct home_settings settings = settings_of(home_seed, entities, habits);
    if (home_init(home, &settings, &err) != 0)
        fail_msg("%d entities, %d habits: %s", entities, habits, err.message);
}

/* --- Random numbers -------------------------------------------------------------------------- */

static void test_rng_is_xoshiro(void **state)
{
    (void)state;
    /* The first outputs of the reference implementation for the state 1, 2, 3, 4. */
    const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    struct rng rng = {{1, 2, 3, 4}};
    for (size_t i = 0; i < 4; i++)
        assert_true(rng_next(&rng) == expected[i]);
}

static void test_rng_streams_differ(void **state)
{
    (void)state;
    struct rng same[2], other[4];
    rng_init(&same[0], seed, 1, 2, 3);
    rng_init(&same[1], seed, 1, 2, 3);
    assert_true(rng_next(&same[0]) == rng_next(&same[1]));
    rng_init(&other[0], seed, 2, 1, 3);
    rng_init(&other[1], seed, 1, 3, 2);
    rng_init(&other[2], seed + 1, 1, 2, 3);
    rng_init(&other[3], seed, 1, 2, -3);
    const uint64_t next = rng_next(&same[0]);
    for (int i = 0; i < 4; i++) {
        rng_next(&other[i]);
        assert_true(rng_next(&other[i]) != next);
    }
}

/* Moments within six standard errors: a right generator fails once in 10^8 runs. */
static void test_rng_distributions(void **state)
{
    (void)state;
    enum { N = 100000 };
    struct rng rng;
    rng_init(&rng, seed, 9, 9, 9);
    double sum = 0, normal = 0, squares = 0, logs = 0, counts = 0;
    int ones = 0;
    for (int i = 0; i < N; i++) {
        const double u = rng_uniform(&rng), z = rng_normal(&rng, 5, 2);
        assert_true(u >= 0 && u < 1);
        assert_true(rng_below(&rng, 7) < 7);
        sum += u;
        normal += z;
        squares += (z - 5) * (z - 5);
        logs += log(rng_lognormal(&rng, 60, .5));
        counts += rng_poisson(&rng, 3.5);
        ones += rng_chance(&rng, .2);
    }
    const double root = sqrt(N);
    assert_true(fabs(sum / N - .5) < 6 * .289 / root);
    assert_true(fabs(normal / N - 5) < 6 * 2 / root);
    assert_true(fabs(squares / N - 4) < 6 * 4 * sqrt(2) / root);
    assert_true(fabs(logs / N - log(60)) < 6 * .5 / root);
    assert_true(fabs(counts / N - 3.5) < 6 * sqrt(3.5) / root);
    assert_true(fabs((double)ones / N - .2) < 6 * .4 / root);
}

/* --- The plan ----------------------------------------------------------------------------------
 */

static void check_profiles(const struct home *home)
{
    for (size_t i = 0; i < home->entity_count; i++) {
        const struct home_profile *p = &home->entities[i].profile;
        for (int b = 0; b < p->bump_count; b++) /* three hours at half its height */
            assert_true(p->sigma_s[b] * 2.3548 >= 3 * 3600);
    }
}

static void check_habits(const struct home *home)
{
    for (size_t i = 0; i < home->habit_count; i++) {
        const struct home_habit *h = &home->habits[i];
        assert_true(h->adherence >= .60 && h->adherence <= .95);
        assert_true(h->sigma_s >= 120 && h->sigma_s <= 1800);
        if (h->kind == HOME_TIME_OF_DAY)
            assert_true(h->at_s - 3 * h->sigma_s >= 0 && h->at_s + 3 * h->sigma_s < 86400);
        assert_non_null(home_day_class(h->weekdays));
        assert_int_equal(home->entities[h->entity].role,
                         h->kind == HOME_LONG_QUIET ? HOME_ROLE_DETECTOR : HOME_ROLE_HABITUAL);
        if (h->kind == HOME_SEQUENCE || h->kind == HOME_CHAIN)
            assert_true(h->trigger < home->entity_count && h->trigger != h->entity);
        for (size_t j = 0; j < i; j++)
            if (home->habits[j].entity == h->entity)
                assert_true(fabs(home->habits[j].at_s - h->at_s) >= 5 * 3600);
    }
}

static void test_plan(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, seed, 1, 0, 0);
    for (int round = 0; round < 200; round++) {
        struct home home;
        const int n = HOME_ENTITIES_MIN + (int)rng_below(&rng, 300);
        int habitual = 0, distractors = 0;
        make_home(&home, rng_next(&rng), n, -1);
        assert_int_equal((int)home.entity_count, n);
        for (size_t i = 0; i < home.entity_count; i++) {
            habitual += home.entities[i].role == HOME_ROLE_HABITUAL;
            distractors += home.entities[i].role == HOME_ROLE_DISTRACTOR;
            for (size_t j = 0; j < i; j++)
                assert_string_not_equal(home.entities[i].entity_id, home.entities[j].entity_id);
        }
        assert_true(distractors >= habitual && habitual > 0);
        check_profiles(&home);
        check_habits(&home);
        home_release(&home);
    }
}

static void test_plan_refuses(void **state)
{
    (void)state;
    struct home home;
    struct error err = {0};
    const struct home_settings few = settings_of(1, HOME_ENTITIES_MIN - 1, -1),
                               many = settings_of(1, HOME_ENTITIES_MAX + 1, -1),
                               crowded = settings_of(1, 40, 21);
    assert_int_equal(home_init(&home, &few, &err), -1);
    home_release(&home);
    assert_int_equal(home_init(&home, &many, &err), -1);
    home_release(&home);
    assert_int_equal(home_init(&home, &crowded, &err), -1);
    assert_non_null(strstr(err.message, "at most"));
    home_release(&home);
    make_home(&home, 1, 40, 0);
    assert_int_equal((int)home.habit_count, 0);
    home_release(&home);
    make_home(&home, 1, HOME_ENTITIES_MAX, -1);
    home_release(&home);
}

/* --- Days ----------------------------------------------------------------------------------------
 */

static void test_day_is_repeatable(void **state)
{
    (void)state;
    struct home home;
    struct home_wishes a = {0}, b = {0};
    struct tz *tz = berlin();
    make_home(&home, seed, 60, -1);
    const struct home_pace pace = {900};
    home_day_collect(&home, tz, 20000, &a);
    home_day_collect_readings(&home, tz, 20000, &pace, &a);
    home_day_collect(&home, tz, 20000, &b);
    home_day_collect_readings(&home, tz, 20000, &pace, &b);
    home_wishes_sort(&a);
    home_wishes_sort(&b);
    assert_true(a.count > 60 && a.count == b.count);
    for (size_t i = 0; i < a.count; i++) {
        assert_true(a.items[i].time_us == b.items[i].time_us);
        assert_true(a.items[i].entity == b.items[i].entity);
        assert_true(a.items[i].value == b.items[i].value);
        assert_true(i == 0 || a.items[i - 1].time_us <= a.items[i].time_us);
    }
    home_wishes_release(&a);
    home_wishes_release(&b);
    home_release(&home);
    tz_free(tz);
}

/* Acts of habits and timers keep their local time over both changes of the clock. */
static void test_day_lives_in_local_time(void **state)
{
    (void)state;
    struct home home;
    struct tz *tz = berlin();
    make_home(&home, seed, 60, -1);
    const int64_t changes[] = {tz_days_from_civil(2026, 3, 29), tz_days_from_civil(2026, 10, 25)};
    int acts = 0;
    for (int64_t k = 0; k < 14; k++) {
        struct home_wishes wishes = {0};
        home_day_collect(&home, tz, changes[k % 2] - 3 + k / 2, &wishes);
        for (size_t i = 0; i < wishes.count; i++) {
            const struct home_wish *w = &wishes.items[i];
            struct tz_local local;
            tz_to_local(tz, w->time_us / SECOND_US, &local);
            if (w->cause == HOME_BY_MACHINE)
                assert_in_range(local.second_of_day % 900, 0, 2);
            if (w->habit < 0)
                continue;
            const struct home_habit *h = &home.habits[w->habit];
            if (h->kind != HOME_TIME_OF_DAY)
                continue;
            assert_true(fabs(local.second_of_day - h->at_s) <
                        6 * h->sigma_s + fabs(h->drift_s) / 2 + 1);
            assert_true(h->weekdays & 1u << local.weekday);
            assert_int_equal(w->value, h->word);
            acts++;
        }
        home_wishes_release(&wishes);
    }
    assert_true(acts > 0);
    home_release(&home);
    tz_free(tz);
}

/* --- A home in motion
 * ------------------------------------------------------------------------------ */

struct listener {
    const struct home *home;
    int32_t *shown;
    int64_t changes, last_us, habit_acts, persons, without_parent, with_parent, attributes_only;
    bool up;
};

static void hear_change(void *data, const struct home_change *c)
{
    struct listener *l = data;
    assert_true(l->up);
    assert_true(c->time_us >= l->last_us - 2000); /* rows are nearly, not surely, in time order */
    l->last_us = c->time_us;
    assert_int_equal(c->attributes_only, l->shown[c->entity] == c->value);
    l->shown[c->entity] = c->value;
    l->changes++;
    l->attributes_only += c->attributes_only;
    l->habit_acts += c->habit >= 0;
    l->persons += c->cause == HOME_BY_PERSON;
    assert_int_equal(c->context.has_user, c->cause == HOME_BY_PERSON);
    if (c->cause == HOME_BY_AUTOMATION) {
        l->with_parent += c->context.has_parent;
        l->without_parent += !c->context.has_parent;
    } else {
        assert_false(c->context.has_parent);
    }
    if (c->habit >= 0)
        assert_true(c->cause == HOME_BY_PERSON || c->cause == HOME_BY_SWITCH);
}

static void hear_begin(void *data, int64_t time_us)
{
    struct listener *l = data;
    assert_false(l->up);
    assert_true(time_us >= l->last_us);
    l->up = true;
    for (size_t i = 0; i < l->home->entity_count; i++)
        l->shown[i] = HOME_ABSENT;
}

static void hear_end(void *data, int64_t time_us, bool clean)
{
    struct listener *l = data;
    (void)clean;
    assert_true(l->up && time_us >= l->last_us);
    l->up = false;
}

static void test_world(void **state)
{
    (void)state;
    struct home home;
    struct tz *tz = berlin();
    make_home(&home, seed, 50, -1);
    struct listener l = {.home = &home, .shown = xcalloc(home.entity_count, sizeof(int32_t))};
    const struct home_sink sink = {
        .data = &l, .change = hear_change, .run_begins = hear_begin, .run_ends = hear_end};
    const struct home_pace pace = {1800};
    const int64_t first = tz_days_from_civil(2026, 10, 1);
    const struct play play = {.home = &home,
                              .tz = tz,
                              .first_day = first,
                              .end_us = (tz_day_start(tz, first + 40) + 43200) * SECOND_US,
                              .pace = &pace};
    home_play(&play, &sink);
    assert_false(l.up);
    assert_true(l.habit_acts > 20);
    assert_true(l.persons > 0);
    assert_true(l.with_parent > 0);
    assert_true(l.without_parent > 0);
    assert_true(l.attributes_only > 0);
    free(l.shown);
    home_release(&home);
    tz_free(tz);
}

int main(void)
{
    const char *given = getenv("SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)clock_wall_ms();
    printf("test_home: seed %llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rng_is_xoshiro),
        cmocka_unit_test(test_rng_streams_differ),
        cmocka_unit_test(test_rng_distributions),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_plan_refuses),
        cmocka_unit_test(test_day_is_repeatable),
        cmocka_unit_test(test_day_lives_in_local_time),
        cmocka_unit_test(test_world),
    };
    return cmocka_run_group_tests_name("home", tests, NULL, NULL);
}
