/* What is out of the ordinary: planted, and homes in which nothing is. */
#include <math.h>
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
#include "seeded.h"
#include "stats/sun.h"
#include "suggest/analysis.h"
#include "suggest/anomaly.h"

static int setup(void **state)
{
    (void)state;
    seed_init();
    return berlin_setup(6, 1);
}

/* ---- a home ---------------------------------------------------------------------------------- */

enum { DAYS = 40, END_S = 3 * 3600 }; /* complete days; then the night until three */

/* What is planted. */
struct plan {
    int days;         /* complete ones; 0 = DAYS */
    int away_from;    /* the first of three days on which nobody is home, from 1; 0 = none */
    int silent_from;  /* a day from which the motion detector tells nothing; 0 = never */
    int missed_from;  /* likewise, from which the lamp of the morning stays off */
    int skips;        /* so many earlier mornings without it */
    bool night_owl;   /* the window is opened at night now and then */
    int window_night; /* the window is open on the last night from 23:30 on: 1, to the end; 2, until
                         one o'clock; 3, for ten minutes */
    int lamp_since_s; /* the lamp is on since so many seconds before the end */
    int lock_since_s; /* the door is unlocked since */
    bool unavailable; /* the lamp that is on too long was `unavailable` an hour before the end */
    bool dusk; /* the lamp of the morning follows the sunset, in a home whose place is known */
};

static int64_t end_ms(const struct plan *plan)
{
    return tz_to_utc(tz, monday + (plan->days > 0 ? plan->days : DAYS), END_S) * 1000;
}

static bool is_away(const struct plan *plan, int day)
{
    return plan->away_from > 0 && day >= plan->away_from && day < plan->away_from + 3;
}

/* From seven to eleven in the evening, a_day times, for about so long; nothing near the end. */
static void use(struct history *h, struct history_entity *e, const struct plan *plan, double a_day,
                double median_s, double spread, int on, int off, int until_day)
{
    int days = plan->days > 0 ? plan->days : DAYS;
    made_change(h, e, monday, 100, off, CAUSE_PHYSICAL);
    for (int day = 0; day < days && (until_day == 0 || day < until_day); day++) {
        if (is_away(plan, day))
            continue;
        double at = 7 * 3600 + made_exponential(&seed) * 16 * 3600 / a_day;
        while (at < 22.5 * 3600) {
            double end = at + median_s * exp(spread * made_normal(&seed));
            if (end > 22.9 * 3600)
                break;
            made_change(h, e, monday + day, (int)at, on, CAUSE_PHYSICAL);
            made_change(h, e, monday + day, (int)end, off, CAUSE_PHYSICAL);
            at = end + 60 + made_exponential(&seed) * 16 * 3600 / a_day;
        }
    }
}

static int word(struct history *h, const char *text)
{
    h->states = grow_array(h->states, h->state_count, &h->state_capacity, sizeof *h->states);
    h->states[h->state_count] = xstrdup(text);
    return (int)h->state_count++;
}

static void add_window(struct history *h, const struct plan *plan)
{
    struct history_entity *e = made_entity(h, "binary_sensor.bath_window");
    int days = plan->days > 0 ? plan->days : DAYS;
    int64_t last = monday + days - 1;
    e->device_class = xstrdup("window");
    use(h, e, plan, 6, 600, 0.7, HISTORY_STATE_ON, HISTORY_STATE_OFF, 0);
    if (plan->night_owl) { /* anew, with an hour of the night on every fourth day */
        e->changes = 1;
        for (int day = 0; day < days; day++) {
            made_use(h, e, monday + day, 36000 + (int)(20000 * made_uniform(&seed)), 700);
            if (day % 4 == 1)
                made_use(h, e, monday + day, 86000 + (int)(600 * made_uniform(&seed)), 5400);
        }
    }
    if (plan->window_night > 0)
        made_change(h, e, last, 84600, HISTORY_STATE_ON, CAUSE_PHYSICAL);
    if (plan->window_night == 3)
        made_change(h, e, last, 85200, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    if (plan->window_night == 2)
        made_change(h, e, last + 1, 3600, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
}

static void add_lamp(struct history *h, const struct plan *plan)
{
    struct history_entity *e = made_entity(h, "light.hall");
    use(h, e, plan, 3, 1500, 0.6, HISTORY_STATE_ON, HISTORY_STATE_OFF, 0);
    if (plan->lamp_since_s == 0)
        return;
    int64_t since_ms = end_ms(plan) - plan->lamp_since_s * 1000LL;
    while (e->changes > 1 && e->time_ms[e->changes - 1] >= since_ms - 60000)
        e->changes--;
    if (e->state[e->changes - 1] == HISTORY_STATE_ON)
        e->changes--;
    made_change_ms(h, e, since_ms, HISTORY_STATE_ON, CAUSE_PHYSICAL);
    if (!plan->unavailable)
        return;
    made_change_ms(h, e, end_ms(plan) - 3600000, HISTORY_STATE_UNAVAILABLE, CAUSE_PHYSICAL);
    made_change_ms(h, e, end_ms(plan) - 3590000, HISTORY_STATE_ON, CAUSE_PHYSICAL);
}

static void add_lock(struct history *h, const struct plan *plan)
{
    struct history_entity *e = made_entity(h, "lock.front_door");
    int unlocked = word(h, "unlocked"), locked = word(h, "locked");
    use(h, e, plan, 4, 120, 0.8, unlocked, locked, 0);
    if (plan->lock_since_s == 0)
        return;
    int64_t since_ms = end_ms(plan) - plan->lock_since_s * 1000LL;
    while (e->changes > 1 && e->time_ms[e->changes - 1] >= since_ms - 60000)
        e->changes--;
    if (e->state[e->changes - 1] == unlocked)
        e->changes--;
    made_change_ms(h, e, since_ms, unlocked, CAUSE_PHYSICAL);
}

static const struct sun_place place = {52.52, 13.405, 34};

/* On around seven every morning, for half an hour or so; or at dusk. */
static void add_morning_lamp(struct history *h, const struct plan *plan)
{
    struct history_entity *e = made_entity(h, "light.kitchen");
    int days = plan->days > 0 ? plan->days : DAYS;
    made_change(h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int day = 0; day < days; day++) {
        int at_s = 25200;
        int64_t utc_ms;
        if (is_away(plan, day) || (plan->missed_from > 0 && day >= plan->missed_from) ||
            (plan->skips > 0 && day % (DAYS / plan->skips) == 3))
            continue;
        if (plan->dusk) {
            struct tz_local local;
            assert_true(sun_fire_on_day(&place, tz, true, 1200, monday + day, &utc_ms));
            tz_to_local(tz, utc_ms / 1000, &local);
            at_s = local.second_of_day;
        }
        made_use(h, e, monday + day, at_s + (int)(300 * made_normal(&seed)),
                 1800 + (int)(600 * made_uniform(&seed)));
    }
}

/* Somebody is always doing something. */
static void add_other_lamp(struct history *h, const struct plan *plan)
{
    struct history_entity *e = made_entity(h, "light.living_room");
    use(h, e, plan, 12, 1200, 0.8, HISTORY_STATE_ON, HISTORY_STATE_OFF, 0);
}

static void add_motion(struct history *h, const struct plan *plan)
{
    struct history_entity *e = made_entity(h, "binary_sensor.hall_motion");
    e->device_class = xstrdup("motion");
    use(h, e, plan, 20, 60, 0.4, HISTORY_STATE_ON, HISTORY_STATE_OFF, plan->silent_from);
}

static int compare_entities(const void *left, const void *right)
{
    const struct history_entity *a = left, *b = right;
    return strcmp(a->entity_id, b->entity_id);
}

/* The anomalies of such a home. Caller puts it. */
static json_object *find(const struct plan *plan)
{
    struct history h;
    made_init(&h, tz, monday, plan->days > 0 ? plan->days : DAYS);
    h.covered[0].to_ms = h.to_ms = end_ms(plan);
    h.has_location = plan->dusk;
    h.latitude = place.latitude;
    h.longitude = place.longitude;
    h.elevation_m = place.elevation_m;
    add_window(&h, plan);
    add_lamp(&h, plan);
    add_lock(&h, plan);
    add_morning_lamp(&h, plan);
    add_other_lamp(&h, plan);
    add_motion(&h, plan);
    qsort(h.entities, h.entity_count, sizeof *h.entities, compare_entities);
    json_object *result = analysis_run(&h, &(struct analysis_options){.threads = 1});
    json_object *anomalies = json_object_get(json_object_object_get(result, "anomalies"));
    json_object_put(result);
    history_release(&h);
    return anomalies;
}

static const char *text(json_object *anomalies, size_t index, const char *path)
{
    json_object *found = NULL;
    json_pointer_get(json_object_array_get_idx(anomalies, index), path, &found);
    return json_object_get_string(found);
}

static double number(json_object *anomalies, size_t index, const char *path)
{
    json_object *found = NULL;
    json_pointer_get(json_object_array_get_idx(anomalies, index), path, &found);
    return json_object_get_double(found);
}

static void assert_nothing(json_object *anomalies)
{
    if (json_object_array_length(anomalies) > 0)
        print_error("%s\n", json_object_to_json_string(anomalies));
    assert_int_equal(json_object_array_length(anomalies), 0);
}

/* Exactly this one, with numbers that bear it out. */
static void assert_one(json_object *anomalies, const char *kind, const char *entity_id,
                       const char *title)
{
    if (json_object_array_length(anomalies) != 1)
        print_error("%s\n", json_object_to_json_string(anomalies));
    assert_int_equal(json_object_array_length(anomalies), 1);
    assert_string_equal(text(anomalies, 0, "/kind"), kind);
    assert_string_equal(text(anomalies, 0, "/entity_id"), entity_id);
    assert_string_equal(text(anomalies, 0, "/title"), title);
    assert_int_equal(strlen(text(anomalies, 0, "/id")), 16);
    assert_true(number(anomalies, 0, "/evidence/probability") <=
                number(anomalies, 0, "/evidence/threshold"));
}

/* ---- planted ----------------------------------------------------------------------------------
 */

static void test_open_at_night(void **state)
{
    (void)state;
    struct plan plan = {.window_night = 1};
    json_object *anomalies = find(&plan);
    assert_one(anomalies, "open_at_night", "binary_sensor.bath_window",
               "binary_sensor.bath_window is open at night, as it never was before");
    assert_string_equal(text(anomalies, 0, "/since"), "2026-07-10T21:30:00.000Z");
    assert_non_null(strstr(text(anomalies, 0, "/explanation"), "23:30 on 10 July 2026"));
    assert_true(number(anomalies, 0, "/evidence/lasted_minutes") == 210);
    json_object_put(anomalies);
    plan.window_night = 2;
    anomalies = find(&plan);
    assert_one(anomalies, "open_at_night", "binary_sensor.bath_window",
               "binary_sensor.bath_window was open at night, as it never was before");
    json_object_put(anomalies);
    plan.window_night = 3; /* a moment is not left open */
    anomalies = find(&plan);
    assert_nothing(anomalies);
    json_object_put(anomalies);
    plan.window_night = 2;
    plan.night_owl = true; /* it was open as long before */
    anomalies = find(&plan);
    assert_nothing(anomalies);
    json_object_put(anomalies);
}

static void test_left_on(void **state)
{
    (void)state;
    struct plan plan = {.lamp_since_s = 17 * 3600};
    json_object *anomalies = find(&plan);
    assert_one(anomalies, "left_on", "light.hall", "light.hall is on for longer than ever");
    assert_string_equal(text(anomalies, 0, "/since"), "2026-07-10T08:00:00.000Z");
    char *id = xstrdup(text(anomalies, 0, "/id"));
    json_object_put(anomalies);
    plan.lamp_since_s = 16 * 3600;
    anomalies = find(&plan);
    assert_string_not_equal(text(anomalies, 0, "/id"), id);
    free(id);
    json_object_put(anomalies);
    plan.lamp_since_s = 3600; /* that happens */
    anomalies = find(&plan);
    assert_nothing(anomalies);
    json_object_put(anomalies);
    plan.lamp_since_s = 17 * 3600; /* on before and after a restart is on all the time */
    plan.unavailable = true;
    anomalies = find(&plan);
    assert_one(anomalies, "left_on", "light.hall", "light.hall is on for longer than ever");
    assert_string_equal(text(anomalies, 0, "/since"), "2026-07-10T08:00:00.000Z");
    json_object_put(anomalies);
    plan.lamp_since_s = 3600 + 1800; /* that happens, in two parts too */
    anomalies = find(&plan);
    assert_nothing(anomalies);
    json_object_put(anomalies);
}

static void test_unlocked(void **state)
{
    (void)state;
    struct plan plan = {.lock_since_s = 5 * 3600};
    json_object *anomalies = find(&plan);
    assert_one(anomalies, "unlocked", "lock.front_door",
               "lock.front_door is unlocked for longer than ever");
    json_object_put(anomalies);
}

static void test_habit_missed(void **state)
{
    (void)state;
    struct plan plan = {.missed_from = DAYS - 3};
    json_object *anomalies = find(&plan);
    assert_one(anomalies, "habit_missed", "light.kitchen",
               "Nobody did what is usual with light.kitchen");
    assert_true(number(anomalies, 0, "/evidence/days_missed") == 3);
    assert_true(number(anomalies, 0, "/evidence/days_with") == DAYS - 3);
    json_object_put(anomalies);
    plan.missed_from = DAYS - 1; /* once is enough where it never was before */
    anomalies = find(&plan);
    assert_one(anomalies, "habit_missed", "light.kitchen",
               "Nobody did what is usual with light.kitchen");
    assert_true(number(anomalies, 0, "/evidence/days_missed") == 1);
    assert_true(number(anomalies, 0, "/evidence/probability") > 0.02);
    assert_true(number(anomalies, 0, "/evidence/threshold") == 0.05);
    assert_string_equal(text(anomalies, 0, "/since"), "2026-07-09T22:00:00.000Z");
    json_object_put(anomalies);
    plan.skips = 5; /* that happens */
    anomalies = find(&plan);
    assert_nothing(anomalies);
    json_object_put(anomalies);
}

/* When the clocks change what follows the sun leaves its hour; the days before did not tell. */
static void test_clocks_change(void **state)
{
    (void)state;
    int64_t summer = monday;
    monday = tz_days_from_civil(2026, 3, 9);
    for (int after = 1; after <= 7; after++) {
        struct plan plan = {.days = 20 + after, .dusk = true}; /* on 29 March, day 20 */
        json_object *anomalies = find(&plan);
        assert_nothing(anomalies);
        json_object_put(anomalies);
    }
    struct plan plan = {.days = 27, .dusk = true, .missed_from = 24};
    json_object *anomalies = find(&plan);
    assert_one(anomalies, "habit_missed", "light.kitchen",
               "Nobody did what is usual with light.kitchen");
    json_object_put(anomalies);
    monday = summer;
}

static void test_sensor_silent(void **state)
{
    (void)state;
    struct plan plan = {.silent_from = DAYS - 3};
    json_object *anomalies = find(&plan);
    assert_one(anomalies, "sensor_silent", "binary_sensor.hall_motion",
               "binary_sensor.hall_motion says nothing any more");
    assert_true(number(anomalies, 0, "/evidence/lasted_minutes") > 3 * 1440);
    assert_true(number(anomalies, 0, "/evidence/usual_times") > 20);
    json_object_put(anomalies);
    plan.silent_from = DAYS - 1; /* a day is enough for one that tells forty changes a day */
    anomalies = find(&plan);
    assert_one(anomalies, "sensor_silent", "binary_sensor.hall_motion",
               "binary_sensor.hall_motion says nothing any more");
    json_object_put(anomalies);
    plan.silent_from = DAYS; /* a night is usual */
    anomalies = find(&plan);
    assert_nothing(anomalies);
    json_object_put(anomalies);
    /* Three days of silence: of whole ones there were too few before, of its first day enough. */
    plan = (struct plan){.days = 14, .silent_from = 11};
    anomalies = find(&plan);
    assert_one(anomalies, "sensor_silent", "binary_sensor.hall_motion",
               "binary_sensor.hall_motion says nothing any more");
    assert_true(number(anomalies, 0, "/evidence/days") >= 10);
    json_object_put(anomalies);
}

/* A window that was open at night, and whose contact then flickers: all that it told lately are
 * moments of one day. */
static void test_flickering(void **state)
{
    (void)state;
    const struct plan plan = {.window_night = 2};
    struct history h;
    made_init(&h, tz, monday, DAYS);
    h.covered[0].to_ms = h.to_ms = end_ms(&plan);
    add_window(&h, &plan);
    add_other_lamp(&h, &plan);
    for (int i = 0; i < 1100; i++)
        made_use(&h, &h.entities[0], monday + DAYS, 3660 + 5 * i, 2);
    json_object *result = analysis_run(&h, NULL);
    json_object *anomalies = json_object_object_get(result, "anomalies");
    for (size_t i = 0; i < json_object_array_length(anomalies); i++)
        assert_true(number(anomalies, i, "/evidence/threshold") <= ANOMALY_A_DAY);
    json_object_put(result);
    history_release(&h);
}

static void test_told_max(void **state)
{
    (void)state;
    const struct plan plan = {.lamp_since_s = 17 * 3600};
    struct history h;
    made_init(&h, tz, monday, DAYS);
    h.covered[0].to_ms = h.to_ms = end_ms(&plan);
    for (int i = 0; i < ANOMALY_TOLD_MAX + 5; i++) {
        char id[32];
        add_lamp(&h, &plan);
        struct history_entity *e = &h.entities[h.entity_count - 1];
        snprintf(id, sizeof id, "light.hall_%02d", i);
        free(e->entity_id);
        e->entity_id = xstrdup(id);
    }
    json_object *result = analysis_run(&h, NULL);
    json_object *anomalies = json_object_object_get(result, "anomalies");
    assert_int_equal(json_object_array_length(anomalies), ANOMALY_TOLD_MAX);
    json_object_put(result);
    history_release(&h);
}

/* ---- nothing ----------------------------------------------------------------------------------
 */

/* Nobody is home for the last days: then nothing is to be expected of detectors and habits. */
static void test_away(void **state)
{
    (void)state;
    struct plan plan = {.away_from = DAYS - 3};
    json_object *anomalies = find(&plan);
    assert_nothing(anomalies);
    json_object_put(anomalies);
}

/* With less than ten days nothing is usual yet. */
static void test_young_home(void **state)
{
    (void)state;
    struct plan plan = {.days = 9, .window_night = 1, .lamp_since_s = 17 * 3600};
    json_object *anomalies = find(&plan);
    assert_nothing(anomalies);
    json_object_put(anomalies);
    plan.days = 13;
    anomalies = find(&plan);
    assert_int_equal(json_object_array_length(anomalies), 2);
    json_object_put(anomalies);
}

/* Each looked at once: 0.1 a home-week are 2.9 of 200. */
static void test_ordinary_homes(void **state)
{
    (void)state;
    int false_ones = 0;
    for (int home = 0; home < 200; home++) {
        struct plan plan = {.days = 20 + home % 40, .away_from = home % 3 == 0 ? 10 : 0};
        json_object *anomalies = find(&plan);
        false_ones += (int)json_object_array_length(anomalies);
        json_object_put(anomalies);
    }
    printf("%d false anomalies in 200 homes\n", false_ones);
    assert_true(false_ones <= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_at_night),  cmocka_unit_test(test_left_on),
        cmocka_unit_test(test_unlocked),       cmocka_unit_test(test_habit_missed),
        cmocka_unit_test(test_clocks_change),  cmocka_unit_test(test_sensor_silent),
        cmocka_unit_test(test_flickering),     cmocka_unit_test(test_told_max),
        cmocka_unit_test(test_away),           cmocka_unit_test(test_young_home),
        cmocka_unit_test(test_ordinary_homes),
    };
    return cmocka_run_group_tests(tests, setup, berlin_teardown);
}
