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
#include "home/sun.h"
#include "home/today.h"
#include "home/world.h"

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

/* --- The sun --------------------------------------------------------------------------------- */

/* Sunrise and sunset as HA computes them (astral 2.2). */
static const struct {
    double latitude, longitude;
    int64_t civil_day;
    double sunrise_s, sunset_s;
} suns[] = {
    {52.52, 13.405, 19782, 1709186071, 1709225039},  /* Berlin, 2024-02-29 */
    {52.52, 13.405, 20532, 1773983371, 1774027149},  /* Berlin, 2026-03-20 */
    {52.52, 13.405, 20625, 1782009809, 1782070375},  /* Berlin, 2026-06-21 */
    {52.52, 13.405, 20719, 1790139246, 1790182948},  /* Berlin, 2026-09-23 */
    {52.52, 13.405, 20808, 1797837317, 1797864815},  /* Berlin, 2026-12-21 */
    {52.52, 13.405, 22588, 1951625383, 1951658965},  /* Berlin, 2031-11-05 */
    {-0.18, -78.47, 19782, 1709205781, 1709249369},  /* Quito, 2024-02-29 */
    {-0.18, -78.47, 20532, 1774005490, 1774049060},  /* Quito, 2026-03-20 */
    {-0.18, -78.47, 20625, 1782040354, 1782083936},  /* Quito, 2026-06-21 */
    {-0.18, -78.47, 20719, 1790161387, 1790204956},  /* Quito, 2026-09-23 */
    {-0.18, -78.47, 20808, 1797851291, 1797894956},  /* Quito, 2026-12-21 */
    {-0.18, -78.47, 22588, 1951642436, 1951686055},  /* Quito, 2031-11-05 */
    {-33.87, 151.21, 19782, 1709149344, 1709195542}, /* Sydney, 2024-02-29 */
    {-33.87, 151.21, 20532, 1773950290, 1773994004}, /* Sydney, 2026-03-20 */
    {-33.87, 151.21, 20625, 1781989212, 1782024815}, /* Sydney, 2026-06-21 */
    {-33.87, 151.21, 20719, 1790106250, 1790149905}, /* Sydney, 2026-09-23 */
    {-33.87, 151.21, 20808, 1797792053, 1797843911}, /* Sydney, 2026-12-21 */
    {-33.87, 151.21, 22588, 1951584708, 1951633564}, /* Sydney, 2031-11-05 */
    {64.15, -21.94, 19782, 1709195858, 1709232241},  /* Reykjavik, 2024-02-29 */
    {64.15, -21.94, 20532, 1773991737, 1774035780},  /* Reykjavik, 2026-03-20 */
    {64.15, -21.94, 20625, 1782010575, 1782086575},  /* Reykjavik, 2026-06-21 */
    {64.15, -21.94, 20719, 1790147636, 1790191483},  /* Reykjavik, 2026-09-23 */
    {64.15, -21.94, 20808, 1797852195, 1797866908},  /* Reykjavik, 2026-12-21 */
    {64.15, -21.94, 22588, 1951637021, 1951664276},  /* Reykjavik, 2031-11-05 */
    {21.31, -157.86, 19782, 1709225539, 1709267731}, /* Honolulu, 2024-02-29 */
    {21.31, -157.86, 20532, 1774024522, 1774068145}, /* Honolulu, 2026-03-20 */
    {21.31, -157.86, 20625, 1782057036, 1782105367}, /* Honolulu, 2026-06-21 */
    {21.31, -157.86, 20719, 1790180447, 1790223976}, /* Honolulu, 2026-09-23 */
    {21.31, -157.86, 20808, 1797872690, 1797911678}, /* Honolulu, 2026-12-21 */
    {21.31, -157.86, 22588, 1951663003, 1951703581}, /* Honolulu, 2031-11-05 */
    {-36.85, 174.76, 19782, 1709143528, 1709190050}, /* Auckland, 2024-02-29 */
    {-36.85, 174.76, 20532, 1773944620, 1773988369}, /* Auckland, 2026-03-20 */
    {-36.85, 174.76, 20625, 1781984037, 1782018685}, /* Auckland, 2026-06-21 */
    {-36.85, 174.76, 20719, 1790100597, 1790144260}, /* Auckland, 2026-09-23 */
    {-36.85, 174.76, 20808, 1797785896, 1797838761}, /* Auckland, 2026-12-21 */
    {-36.85, 174.76, 22588, 1951578746, 1951628226}, /* Auckland, 2031-11-05 */
};

static void test_sun_agrees_with_ha(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof suns / sizeof suns[0]; i++) {
        double rise = 0, set = 0;
        assert_true(
            sun_find_event(suns[i].latitude, suns[i].longitude, suns[i].civil_day, true, &rise));
        assert_true(
            sun_find_event(suns[i].latitude, suns[i].longitude, suns[i].civil_day, false, &set));
        assert_true(fabs(rise - suns[i].sunrise_s) < 60);
        assert_true(fabs(set - suns[i].sunset_s) < 60);
        assert_true(sun_is_down(suns[i].latitude, suns[i].longitude, rise - 5));
        assert_false(sun_is_down(suns[i].latitude, suns[i].longitude, rise + 5));
    }
}

static void test_sun_may_not_set(void **state)
{
    (void)state;
    double ignored;
    for (int month = 6; month <= 12; month += 6) /* Tromso: all day, all night */
        assert_false(
            sun_find_event(69.65, 18.96, tz_days_from_civil(2026, month, 21), true, &ignored));
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
        /* what was missed at the end hardly ever failed before */
        assert_true(h->adherence >= .60 && (h->adherence <= .95 || h->adherence == .98));
        assert_true(h->sigma_s >= 120 && h->sigma_s <= 1800);
        if (h->kind == HOME_TIME_OF_DAY)
            assert_true(h->at_s - 3 * h->sigma_s >= 0 && h->at_s + 3 * h->sigma_s < 86400);
        assert_non_null(home_day_class(h->weekdays));
        assert_int_equal(home->entities[h->entity].role,
                         h->kind == HOME_SCENE_KIND ? HOME_ROLE_SCENE : HOME_ROLE_HABITUAL);
        assert_int_equal(h->begin == HOME_AFTER_TRIGGER, h->trigger != UINT32_MAX);
        if (h->begin == HOME_AFTER_TRIGGER)
            assert_true(h->trigger < home->entity_count && h->trigger != h->entity);
        for (size_t j = 0; j < i; j++)
            if (home->habits[j].entity == h->entity && h->begin == HOME_AT_TIME)
                assert_true(fabs(home->habits[j].at_s - h->at_s) >= 4 * 3600);
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
            habitual += home.entities[i].role == HOME_ROLE_HABITUAL &&
                        home.entities[i].domain < HOME_USED_DOMAINS;
            distractors += home.entities[i].role == HOME_ROLE_DISTRACTOR &&
                           home.entities[i].domain < HOME_USED_DOMAINS;
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
    struct error err = {0};
    struct tz *tz = berlin();
    struct home_settings s = settings_of(seed, 60, -1);
    s.kinds = 1u << HOME_TIME_OF_DAY;
    if (home_init(&home, &s, &err) != 0)
        fail_msg("%s", err.message);
    const int64_t changes[] = {tz_days_from_civil(2026, 3, 29), tz_days_from_civil(2026, 10, 25)};
    int acts = 0;
    for (int64_t k = 0; k < 14; k++) {
        struct home_wishes wishes = {0};
        home_day_collect(&home, tz, changes[k % 2] - 3 + k / 2, &wishes);
        for (size_t i = 0; i < wishes.count; i++) {
            const struct home_wish *w = &wishes.items[i];
            struct tz_local local;
            tz_to_local(tz, w->time_us / SECOND_US, &local);
            if (w->cause == HOME_BY_MACHINE && home.entities[w->entity].auto_off_s == 0 &&
                w->kind != WISH_NOTE)
                assert_in_range(local.second_of_day % 900, 0, 2);
            if (w->habit < 0 || w->kind == WISH_NOTE)
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

/* What lies on one day in wishes of an entity that begin something. */
static int collect_begins(const struct home_wishes *wishes, uint32_t entity, int64_t *out, int most)
{
    int count = 0;
    for (size_t i = 0; i < wishes->count && count < most; i++)
        if (wishes->items[i].entity == entity && wishes->items[i].kind == WISH_BEGIN)
            out[count++] = wishes->items[i].time_us;
    return count;
}

/* Use without habit crowds nowhere more than a bump of three hours does, although people follow
 * it, have days of their own and guests: within an hour lies at most a third of the fullest five
 * hours around it. */
static void test_use_is_broad(void **state)
{
    (void)state;
    enum { DAYS = 1500, BINS = 288, HOUR_BINS = 12, MOST = 64 };
    struct home home;
    struct tz *tz = berlin();
    make_home(&home, seed, 60, 0);
    int(*bins)[BINS] = xcalloc(home.entity_count, sizeof *bins);
    for (int64_t day = 20000; day < 20000 + DAYS; day++) {
        struct home_wishes wishes = {0};
        home_day_collect(&home, tz, day, &wishes);
        for (size_t e = 0; e < home.entity_count; e++) {
            int64_t times[MOST];
            if (home.entities[e].role != HOME_ROLE_DISTRACTOR)
                continue;
            for (int n = collect_begins(&wishes, (uint32_t)e, times, MOST); n > 0; n--) {
                struct tz_local local;
                tz_to_local(tz, times[n - 1] / SECOND_US, &local);
                bins[e][local.second_of_day / 300]++;
            }
        }
        home_wishes_release(&wishes);
    }
    for (size_t e = 0; e < home.entity_count; e++) {
        for (int b = 0; b < BINS; b++) {
            int hour = 0, fullest = 0;
            for (int k = 0; k < HOUR_BINS; k++)
                hour += bins[e][(b + k) % BINS];
            for (int start = b - 4 * HOUR_BINS; start <= b; start++) {
                int five = 0;
                for (int k = 0; k < 5 * HOUR_BINS; k++)
                    five += bins[e][(start + k + BINS) % BINS];
                fullest = five > fullest ? five : fullest;
            }
            const double most = fullest / 3.0;
            assert_true(hour <= most + 6 * sqrt(most + 1));
        }
    }
    free(bins);
    home_release(&home);
    tz_free(tz);
}

/* The moments of one habit's acts around where they should be. */
struct moments {
    int days, acts;
    double sum, squares;
};

static void check_moments(const struct home_habit *h, const struct moments *m)
{
    const double n = m->acts, mean = m->sum / n;
    const double rate = n / m->days, error = sqrt(h->adherence * (1 - h->adherence) / m->days);
    assert_true(fabs(rate - h->adherence) < 6 * error);
    assert_true(fabs(mean) < 6 * h->sigma_s / sqrt(n) + 1);
    assert_true(fabs(sqrt(m->squares / n - mean * mean) / h->sigma_s - 1) < 6 / sqrt(2 * n));
}

/* Ungated habits at a time or by the sun happen as often, when and as scattered as the plan says.
 */
static void test_habits_are_as_planned(void **state)
{
    (void)state;
    enum { DAYS = 400, HABITS = 8 };
    struct home home;
    struct error err = {0};
    struct tz *tz = berlin();
    struct home_settings s = settings_of(seed, 60, HABITS);
    s.kinds = 1u << HOME_TIME_OF_DAY | 1u << HOME_SUN;
    s.gates = 1u << HOME_UNGATED;
    s.trouble = 0;
    s.anomalies = 0;
    assert_int_equal(home_init(&home, &s, &err), 0);
    struct moments moments[HABITS] = {0};
    for (int64_t day = s.first_day; day < s.first_day + DAYS; day++) {
        struct home_wishes wishes = {0};
        struct today today = today_of(&home, tz, day, &wishes);
        home_day_collect(&home, tz, day, &wishes);
        for (size_t h = 0; h < HABITS; h++)
            moments[h].days += home.habits[h].weekdays >> today.weekday & 1;
        for (size_t i = 0; i < wishes.count; i++) {
            const struct home_wish *w = &wishes.items[i];
            if (w->habit < 0 || w->kind == WISH_NOTE)
                continue;
            const struct home_habit *h = &home.habits[w->habit];
            struct tz_local local;
            double base = 0;
            tz_to_local(tz, w->time_us / SECOND_US, &local);
            assert_int_equal(w->value, h->word);
            if (h->kind == HOME_SUN)
                assert_true(today_find_sun(&today, h->at_sunset, &base));
            const double apart = local.second_of_day - base - h->at_s;
            moments[w->habit].acts++;
            moments[w->habit].sum += apart;
            moments[w->habit].squares += apart * apart;
        }
        home_wishes_release(&wishes);
    }
    for (size_t h = 0; h < HABITS; h++)
        check_moments(&home.habits[h], &moments[h]);
    home_release(&home);
    tz_free(tz);
}

/* The time of the trigger's last change before an act of a sequence; 0: none within ten minutes. */
static int64_t find_cause(const struct home_wishes *wishes, const struct home_habit *h,
                          int64_t act_us)
{
    int64_t last = 0;
    for (size_t i = 0; i < wishes->count; i++) {
        const struct home_wish *w = &wishes->items[i];
        if (w->entity == h->trigger && w->value == h->trigger_word && w->time_us < act_us &&
            w->time_us > last && act_us - w->time_us < 600 * SECOND_US)
            last = w->time_us;
    }
    return last;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Acts of sequences follow their trigger after the planned time, in the dark where they want it;
 * those with a lag long against the trigger's own repeats are left out. */
static void test_sequences_follow(void **state)
{
    (void)state;
    enum { DAYS = 120, HABITS = 8, ACTS = 2000 };
    struct home home;
    struct error err = {0};
    struct tz *tz = berlin();
    struct home_settings s = settings_of(seed, 60, HABITS);
    s.kinds = 1u << HOME_SEQUENCE;
    s.trouble = 0;
    assert_int_equal(home_init(&home, &s, &err), 0);
    static double lags[HABITS][ACTS];
    int acts[HABITS] = {0};
    for (int64_t day = s.first_day; day < s.first_day + DAYS; day++) {
        struct home_wishes wishes = {0};
        home_day_collect(&home, tz, day, &wishes);
        for (size_t i = 0; i < wishes.count; i++) {
            const struct home_wish *w = &wishes.items[i];
            if (w->habit < 0 || w->kind == WISH_NOTE || home.habits[w->habit].lag_s > 60 ||
                acts[w->habit] == ACTS)
                continue;
            const struct home_habit *h = &home.habits[w->habit];
            const int64_t cause_us = find_cause(&wishes, h, w->time_us);
            assert_true(cause_us > 0);
            if (h->gate.kind == HOME_GATE_DARK)
                assert_true(sun_is_down(s.latitude, s.longitude, (double)cause_us / 1e6));
            lags[w->habit][acts[w->habit]++] = (double)(w->time_us - cause_us) / 1e6;
        }
        home_wishes_release(&wishes);
    }
    for (size_t h = 0; h < HABITS; h++) {
        if (acts[h] < 30)
            continue;
        qsort(lags[h], (size_t)acts[h], sizeof(double), compare_doubles);
        const double median = lags[h][acts[h] / 2];
        /* a median's error is 1.25 of the mean's */
        const double error = 6 * 1.25 * home.habits[h].lag_spread / sqrt(acts[h]);
        assert_true(fabs(log(median / home.habits[h].lag_s)) < error + .05);
    }
    home_release(&home);
    tz_free(tz);
}

/* Nobody acts while all are away; people are away from its first morning to its last evening. */
static void test_holidays(void **state)
{
    (void)state;
    struct home home;
    struct tz *tz = berlin();
    make_home(&home, seed, 60, -1);
    home.holidays = (struct home_span){20010, 20013};
    for (int64_t day = 20010; day <= 20013; day++) {
        struct home_wishes wishes = {0};
        int goes = 0, comes = 0;
        home_day_collect(&home, tz, day, &wishes);
        for (size_t i = 0; i < wishes.count; i++) {
            const struct home_wish *w = &wishes.items[i];
            const bool person = home.entities[w->entity].domain == HOME_PERSON;
            /* what follows on leaving or coming home may happen on the outer days */
            if (w->kind == WISH_BEGIN && day > 20010 && day < 20013)
                assert_true(w->cause != HOME_BY_PERSON && w->cause != HOME_BY_SWITCH);
            goes += person && w->kind == WISH_SET && w->value == HOME_OFF;
            comes += person && w->kind == WISH_SET && w->value == HOME_ON;
        }
        assert_int_equal(goes, day == 20010 ? home.people_count : 0);
        assert_int_equal(comes, day == 20013 ? home.people_count : 0);
        home_wishes_release(&wishes);
    }
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
        cmocka_unit_test(test_sun_agrees_with_ha),
        cmocka_unit_test(test_sun_may_not_set),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_plan_refuses),
        cmocka_unit_test(test_day_is_repeatable),
        cmocka_unit_test(test_day_lives_in_local_time),
        cmocka_unit_test(test_use_is_broad),
        cmocka_unit_test(test_habits_are_as_planned),
        cmocka_unit_test(test_sequences_follow),
        cmocka_unit_test(test_holidays),
        cmocka_unit_test(test_world),
    };
    return cmocka_run_group_tests_name("home", tests, NULL, NULL);
}
