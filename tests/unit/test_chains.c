/* Several steps as one suggestion: homes with routines, and homes whose acts only look like one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <json-c/json.h>

#include "made_history.h"
#include "seeded.h"
#include "suggested.h"
#include "tracks.h"
#include "suggest/analysis.h"
#include "suggest/chain_replay.h"

enum { DEVICES = 6 };

/* ---- homes --------------------------------------------------------------------------------- */

static struct track trigger, devices[DEVICES];
static const char *const ids[DEVICES] = {"light.a",  "light.b",  "light.c",
                                         "switch.d", "switch.e", "switch.f"};

static void write_home(struct history *h)
{
    track_write(&trigger, h, "binary_sensor.t");
    for (int i = 0; i < DEVICES; i++)
        track_write(&devices[i], h, ids[i]);
}

/* How a routine goes. */
struct routine {
    double begins;  /* share of the occasions on which it does */
    double goes_on; /* that each step follows the one before */
    double other;   /* other uses of each device, a day */
    double pause_s; /* usual, between two steps; lognormal by 0.3 */
    int steps;      /* devices that take part: a, b, c … */
};

static double lag(double usual_s)
{
    return fmax(usual_s * exp(0.3 * made_normal(&seed)), 1.5);
}

/* The devices one after the other, as far as it goes. */
static void go_through(const struct routine *r, double at)
{
    for (int i = 0; i < r->steps; i++) {
        if (!chance(i == 0 ? r->begins : r->goes_on))
            return;
        at += lag(i == 0 ? 20 : r->pause_s);
        if (!track_is_on(&devices[i], at))
            track_use(&devices[i], at, uniform(0.5, 1.5) * 1800);
    }
}

static void add_other_uses(int days, double a_day)
{
    for (int i = 0; i < DEVICES; i++)
        add_uses(&devices[i], days, a_day, 1200);
}

/* Whenever somebody comes: one or two times a day, at any hour. */
static void coming_home(struct history *h, int days, const struct routine *r)
{
    made_init(h, tz, monday, days);
    add_other_uses(days, r->other);
    for (int d = 0; d < days; d++)
        for (int n = 0; n < 2; n++) {
            double at = d * 86400.0 + uniform(8 + 7 * n, 13 + 7 * n) * HOUR;
            if (n == 1 && chance(0.4))
                continue;
            track_use(&trigger, at, 20);
            go_through(r, at);
        }
    write_home(h);
}

/* ---- routines ------------------------------------------------------------------------------ */

static const struct routine usual = {
    .begins = 0.9, .goes_on = 0.95, .other = 0.4, .pause_s = 12, .steps = 3};

static void make_usual(struct history *h, int days)
{
    coming_home(h, days, &usual);
}

static void make_slow(struct history *h, int days)
{
    struct routine slow = usual;
    slow.pause_s = 122;
    slow.steps = 2;
    coming_home(h, days, &slow);
}

/* Both at about the same time, in any order. */
static void make_side_by_side(struct history *h, int days)
{
    made_init(h, tz, monday, days);
    add_other_uses(days, 0.4);
    for (int d = 0; d < days; d++)
        for (int n = 0; n < 2; n++) {
            double at = d * 86400.0 + uniform(8 + 7 * n, 13 + 7 * n) * HOUR;
            track_use(&trigger, at, 20);
            if (chance(0.1))
                continue;
            for (int i = 0; i < 2; i++)
                if (chance(0.95) && !track_is_on(&devices[i], at))
                    track_use(&devices[i], at + lag(25 + 5 * i), uniform(900, 2700));
        }
    write_home(h);
}

/* The trigger comes all day; from five in the afternoon on a follows, and b; `always`: a ever. */
static void in_the_evening(struct history *h, int days, bool always)
{
    made_init(h, tz, monday, days);
    add_other_uses(days, 0.2);
    for (int d = 0; d < days; d++)
        for (int n = 0; n < 4; n++) {
            double at = d * 86400.0 + uniform(7 + 4 * n, 9 + 4 * n) * HOUR;
            track_use(&trigger, at, 20);
            for (int i = 0; i < 2; i++)
                if ((n >= 2 || (always && i == 0)) && chance(0.93) && !track_is_on(&devices[i], at))
                    track_use(&devices[i], at + lag(20 + 10 * i), uniform(900, 2700));
        }
    write_home(h);
}

static void make_evening(struct history *h, int days)
{
    in_the_evening(h, days, false);
}

static void make_partly(struct history *h, int days)
{
    in_the_evening(h, days, true);
}

/* At about half past ten: a off, then b on, then c on. */
static void bedtime(struct history *h, int days, double spread_s, double pause_s, bool any_order)
{
    made_init(h, tz, monday, days);
    add_other_uses(days, 0.4);
    for (int d = 0; d < days; d++) {
        double at = d * 86400.0 + 22.5 * HOUR + spread_s * made_normal(&seed);
        if (chance(0.1))
            continue;
        for (int i = 0; i < 3; i++) {
            double on = at - uniform(1, 3) * HOUR;
            if (!chance(0.96))
                continue;
            if (i == 0 && !track_is_on(&devices[0], on))
                track_use(&devices[0], on, at - on);
            else if (i > 0 && !track_is_on(&devices[i], at))
                track_use(&devices[i], any_order ? at + uniform(-6, 6) : at, uniform(900, 1800));
            at += any_order ? 0 : lag(pause_s);
        }
    }
    write_home(h);
}

static void make_bedtime(struct history *h, int days)
{
    bedtime(h, days, 480, 25, false);
}

static void make_scene(struct history *h, int days)
{
    bedtime(h, days, 480, 0, true);
}

/* Of 1,000 homes each 986, 993, 999, 967 and 969 are right. */
static void test_routines(void **state)
{
    (void)state;
    static const struct {
        const char *name, *wanted;
        bool any_order;
        void (*make)(struct history *h, int days);
        int right; /* of 20: fewer are chance once in 10,000 */
    } rows[] = {
        {"coming home", "binary_sensor.t light.a light.b light.c", false, make_usual, 18},
        {"slowly", "binary_sensor.t light.a +00:02:00 light.b", false, make_slow, 15},
        {"side by side", "binary_sensor.t light.a light.b", true, make_side_by_side, 18},
        {"in the evening", "binary_sensor.t light.a light.b", true, make_evening, 14},
        {"bedtime", "time !light.a light.b light.c", false, make_bedtime, 14},
        {"in any order", "time !light.a light.b light.c", true, make_scene, 14},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int homes = homes_of(20);
        struct counts counts =
            look_at_homes(rows[i].name, homes, rows[i].wanted, rows[i].any_order, rows[i].make);
        assert_true(counts.right * 20 >= rows[i].right * homes);
    }
}

/* ---- no routines --------------------------------------------------------------------------- */

/* Two and more habits at about the same time that know nothing of each other. */
static void make_near(struct history *h, int days)
{
    made_init(h, tz, monday, days);
    add_other_uses(days, 0.3);
    double spread = uniform(60, 400);
    for (int d = 0; d < days; d++)
        for (int i = 0; i < 4; i++) {
            double at = d * 86400.0 + 20 * HOUR + 70 * i + spread * made_normal(&seed);
            if (chance(0.92) && !track_is_on(&devices[i], at))
                track_use(&devices[i], at, uniform(900, 3600));
        }
    write_home(h);
}

/* All follow the getting up, each by its own minutes. */
static void make_rising(struct history *h, int days)
{
    double after[4];
    made_init(h, tz, monday, days);
    add_other_uses(days, 0.3);
    for (int i = 0; i < 4; i++)
        after[i] = uniform(0, 600);
    for (int d = 0; d < days; d++) {
        double rise = d * 86400.0 + 7 * HOUR + 600 * made_normal(&seed);
        for (int i = 0; i < 4; i++)
            if (chance(0.9))
                track_use(&devices[i], rise + after[i] + 120 * made_normal(&seed),
                          uniform(900, 3600));
    }
    write_home(h);
}

/* b follows a whenever a is used; a follows the trigger on every third use. */
static void make_wider(struct history *h, int days)
{
    made_init(h, tz, monday, days);
    add_other_uses(days, 0.2);
    for (int d = 0; d < days; d++)
        for (int n = 0; n < 4; n++) {
            double at = d * 86400.0 + uniform(7 + 4 * n, 9 + 4 * n) * HOUR;
            if (n % 2 == 0)
                track_use(&trigger, at, 20);
            if (!chance(0.9) || track_is_on(&devices[0], at))
                continue;
            at += lag(20);
            track_use(&devices[0], at, uniform(900, 2700));
            at += lag(12);
            if (chance(0.95) && !track_is_on(&devices[1], at))
                track_use(&devices[1], at, uniform(900, 2700));
        }
    write_home(h);
}

/* Of 1,000 homes 2, 104 and 0 have one. What follows the getting up by sharp minutes is a sequence
 * for the miner as well. */
static void test_no_routines(void **state)
{
    (void)state;
    int homes = homes_of(20);
    assert_true(look_at_homes("near", homes, NULL, false, make_near).chains * 20 <= homes);
    assert_true(look_at_homes("rising", homes, NULL, false, make_rising).chains * 20 <= 8 * homes);
    assert_true(look_at_homes("partly", homes, NULL, false, make_partly).chains * 20 <= homes);
    assert_true(look_at_homes("wider", homes, NULL, false, make_wider).chains * 20 <= homes);
}

/* ---- what is told -------------------------------------------------------------------------- */

static const char *text_at(json_object *object, const char *path)
{
    const char *text = json_object_get_string(at(object, path));
    return text != NULL ? text : "";
}

static int int_at(json_object *object, const char *path)
{
    return json_object_get_int(at(object, path));
}

/* A routine without exception, once a day at any hour; c comes minutes after b. */
static void make_strict(struct history *h, int days)
{
    made_init(h, tz, monday, days);
    for (int d = 0; d < days; d++) {
        double at = d * 86400.0 + uniform(8, 20) * HOUR;
        track_use(&trigger, at, 20);
        for (int i = 0; i < 3; i++) {
            at += i == 2 ? uniform(150, 210) : uniform(8, 16);
            track_use(&devices[i], at, uniform(900, 2700));
        }
    }
    write_home(h);
}

static void test_what_is_told(void **state)
{
    (void)state;
    struct history h;
    make_strict(&h, 28);
    json_object *result = analysis_run(&h, &(struct analysis_options){.explain = true});
    assert_int_equal(json_object_array_length(at(result, "/suggestions")), 1);
    json_object *chain = at(result, "/suggestions/0");
    static const char title[] = "Turn on light.a, then turn on light.b, then after 3 minutes "
                                "turn on light.c when binary_sensor.t turns on";
    assert_string_equal(text_at(chain, "/kind"), "chain");
    assert_string_equal(text_at(chain, "/title"), title);
    assert_string_equal(text_at(chain, "/id"), "397f157a6bb4eb43"); /* of light.a turn_on */
    assert_string_equal(text_at(chain, "/entity_ids/0"), "light.a");
    assert_string_equal(text_at(chain, "/entity_ids/2"), "light.c");
    assert_string_equal(text_at(chain, "/rule/steps/1/entity_ids/0"), "light.c");
    assert_string_equal(text_at(chain, "/rule/steps/1/action"), "turn_on");
    assert_int_equal(int_at(chain, "/rule/steps/0/delay_seconds"), 0);
    assert_int_equal(int_at(chain, "/rule/steps/1/delay_seconds"), 180);
    assert_int_equal(int_at(chain, "/evidence/days"), 21);
    assert_int_equal(int_at(chain, "/evidence/steps/1/followed"), 21);
    assert_int_equal(int_at(chain, "/evidence/steps/1/of"), 21);
    assert_true(int_at(chain, "/evidence/steps/0/pause_seconds") >= 8);
    assert_int_equal(int_at(chain, "/backtest/fires"), 7);
    assert_int_equal(int_at(chain, "/backtest/hits"), 7);
    assert_int_equal(int_at(chain, "/backtest/acts/2/hits"), 7);
    assert_string_equal(text_at(chain, "/automation/actions/2/delay"), "00:03:00");
    assert_string_equal(text_at(chain, "/automation/actions/3/target/entity_id"), "light.c");
    assert_non_null(strstr(text_at(chain, "/automation/actions/4/sequence/0/wait_template"),
                           "is_state('light.a', 'on') and is_state('light.b', 'on') and "));
    assert_non_null(strstr(text_at(chain, "/explanation"), "Then someone turned on light.b"));
    assert_non_null(strstr(text_at(chain, "/explanation"), "(21 of 21 times)"));
    assert_non_null(strstr(text_at(chain, "/explanation"), "on 7 someone did all of it anyway"));
    assert_int_equal(json_object_array_length(at(chain, "/parts")), 3);
    assert_string_equal(text_at(chain, "/parts/0/id"), "397f157a6bb4eb43");
    assert_string_equal(text_at(chain, "/parts/0/kind"), "sequence");
    assert_int_equal(int_at(result, "/dropped/part_of_a_chain"), 3);
    int explained = 0;
    for (size_t i = 0; i < json_object_array_length(at(result, "/explained")); i++) {
        json_object *one = json_object_array_get_idx(at(result, "/explained"), i);
        explained += strcmp(text_at(one, "/reason"), "part_of_a_chain") == 0 &&
                     strcmp(text_at(one, "/better"), title) == 0;
    }
    assert_int_equal(explained, 3);
    json_object_put(result);
    history_release(&h);
}

/* ---- held-out days ------------------------------------------------------------------------- */

/* Twice a day; on the last seven days b follows only the first time, and c only the second time. */
static void make_parting(struct history *h, int days)
{
    made_init(h, tz, monday, days);
    for (int d = 0; d < days; d++)
        for (int n = 0; n < 2; n++) {
            double at = d * 86400.0 + uniform(8 + 7 * n, 13 + 7 * n) * HOUR;
            track_use(&trigger, at, 20);
            const double after[] = {uniform(4, 20), uniform(8, 30), uniform(38, 42)};
            for (int i = 0; i < 3; i++)
                if (d < days - 7 || n == (i == 2))
                    track_use(&devices[i], at + after[i], uniform(900, 2700));
        }
    write_home(h);
}

/* c holds by itself, and is no step any more. */
static void test_held_out_days_cut_off(void **state)
{
    (void)state;
    struct history h;
    make_parting(&h, 28);
    json_object *result = analysis_run(&h, NULL);
    json_object *list = at(result, "/suggestions");
    bool has_chain = false, has_rest = false;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        char text[512];
        describe(json_object_array_get_idx(list, i), text, sizeof text);
        if (getenv("VERBOSE") != NULL)
            print_message("  %s\n", text);
        has_chain = has_chain || strcmp(text, "binary_sensor.t light.a light.b") == 0;
        has_rest = has_rest || strcmp(text, "binary_sensor.t light.c") == 0;
    }
    assert_true(has_chain);
    assert_true(has_rest);
    json_object_put(result);
    history_release(&h);
}

/* ---- the replay ---------------------------------------------------------------------------- */

static const struct actor *actor_named(const struct actors *actors, const char *id)
{
    for (size_t i = 0; i < actors->count; i++)
        if (strcmp(actors->list[i].entity_ids[0], id) == 0)
            return &actors->list[i];
    fail_msg("no actor %s", id);
    return NULL;
}

/* One held-out day each: all done; the step omitted; the first act idle; all idle; nothing done;
 * the step too late; the step just before the first act. */
static void test_replay_definitions(void **state)
{
    (void)state;
    static const struct {
        int first_s, step_s; /* after the fire; 0 = on all day; -1 = never */
        enum backtest_outcome first, step, whole;
    } rows[] = {
        {20, 30, BACKTEST_HIT, BACKTEST_HIT, BACKTEST_HIT},
        {20, -1, BACKTEST_HIT, BACKTEST_MISS, BACKTEST_MISS},
        {0, 30, BACKTEST_IDLE, BACKTEST_HIT, BACKTEST_HIT},
        {0, 0, BACKTEST_IDLE, BACKTEST_IDLE, BACKTEST_IDLE},
        {-1, -1, BACKTEST_MISS, BACKTEST_MISS, BACKTEST_MISS},
        {20, 20 + 301, BACKTEST_HIT, BACKTEST_MISS, BACKTEST_MISS},
        {20, 6, BACKTEST_HIT, BACKTEST_HIT, BACKTEST_HIT},
    };
    enum { ROWS = sizeof rows / sizeof *rows };
    struct history h;
    made_init(&h, tz, monday, 28);
    for (int i = 0; i < ROWS; i++) {
        double fire = (21 + i) * 86400.0 + 12 * HOUR;
        track_use(&trigger, fire, 20);
        const int after[] = {rows[i].first_s, rows[i].step_s};
        for (int k = 0; k < 2; k++)
            if (after[k] == 0)
                track_use(&devices[k], fire - HOUR, 2 * HOUR);
            else if (after[k] > 0)
                track_use(&devices[k], fire + after[k], 1200 + 60 * i);
    }
    write_home(&h);
    struct days days;
    struct restarts restarts;
    struct actors actors;
    struct chain_replay replay;
    days_init(&days, &h);
    restarts_init(&restarts, &h);
    actors_init(&actors, &h, &days, &restarts);
    const struct rule rule = {
        .trigger = {.kind = RULE_TRIGGER_STATE, .entity_id = "binary_sensor.t", .to = "on"},
        .weekdays = RULE_EVERY_DAY,
        .entity_ids = ids,
        .entity_count = 1};
    struct fires_book *fires = fires_book_new(&h, NULL);
    const struct backtest_input input = {
        .history = &h, .days = &days, .actor = actor_named(&actors, ids[0]), .fires = fires};
    const struct chain_step step = {.actor = actor_named(&actors, ids[1])};
    chain_replay_init(&replay, &input, &rule, DAY_HELD_OUT);
    for (int round = 0; round < 2; round++) { /* what is taken away leaves nothing */
        chain_replay_push(&replay, &step);
        chain_replay_judge(&replay);
        assert_int_equal(replay.fires.count, ROWS);
        for (size_t i = 0; i < ROWS; i++) {
            assert_int_equal(chain_replay_at(&replay, i, 0)->outcome, rows[i].first);
            assert_int_equal(chain_replay_at(&replay, i, 1)->outcome, rows[i].step);
            assert_int_equal(replay.fires.list[i].outcome, rows[i].whole);
            assert_int_equal(replay.fires.list[i].is_support, rows[i].whole == BACKTEST_HIT);
        }
        chain_replay_pop(&replay);
    }
    chain_replay_release(&replay);
    fires_book_free(fires);
    actors_release(&actors);
    restarts_release(&restarts);
    days_release(&days);
    history_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routines),           cmocka_unit_test(test_no_routines),
        cmocka_unit_test(test_what_is_told),       cmocka_unit_test(test_held_out_days_cut_off),
        cmocka_unit_test(test_replay_definitions),
    };
    return cmocka_run_group_tests(tests, tracks_setup, berlin_teardown);
}
