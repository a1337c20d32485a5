/* Scenes as people activate them: what is an act, what is found, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "made_history.h"
#include "seeded.h"
#include "suggested.h"
#include "tracks.h"
#include "mine/actors.h"
#include "suggest/automation.h"
#include "suggest/wording.h"

/* ---- whose acts ---------------------------------------------------------------------------- */

static const struct actor *actor_named(const struct actors *actors, const char *id)
{
    for (size_t i = 0; i < actors->count; i++)
        if (strcmp(actors->list[i].entity_ids[0], id) == 0)
            return &actors->list[i];
    fail_msg("no actor %s", id);
    return NULL;
}

/* A lamp is switched on some seconds after (or before) the scene was activated: whose act is it? */
static void test_echoes(void **state)
{
    (void)state;
    static const char *const ids[] = {"light.group", "light.in_group", "light.member",
                                      "light.other"};
    static const char *const members[] = {"light.group light.member", NULL};
    static const struct {
        double after_s;
        bool own[2][4]; /* by members known or not, and lamp */
    } rows[] = {
        {-0.5, {{true, true, true, true}, {true, true, true, true}}},
        {0.1, {{false, false, false, true}, {false, false, false, false}}},
        {4.9, {{false, false, false, true}, {false, false, false, false}}},
        {9.9, {{false, false, false, true}, {true, true, true, true}}},
        {10.2, {{true, true, true, true}, {true, true, true, true}}},
    };
    enum { ROWS = sizeof rows / sizeof *rows };
    for (int is_unknown = 0; is_unknown < 2; is_unknown++)
        for (int row = 0; row < ROWS; row++) {
            static struct track lamp, scene;
            struct history h;
            made_init(&h, tz, monday, 10);
            for (int i = 0; i < 4; i++) {
                track_use(&lamp, 3 * 86400.0 + 50000 + rows[row].after_s, 3600 + 61 * i);
                track_write(&lamp, &h, ids[i]);
            }
            h.entities[0].members = xstrdup("light.in_group");
            track_use(&scene, 3 * 86400.0 + 50000, 0.002);
            track_write(&scene, &h, "scene.movie");
            if (members[is_unknown] != NULL)
                h.entities[4].members = xstrdup(members[is_unknown]);
            struct days days;
            struct restarts restarts;
            struct actors actors;
            days_init(&days, &h);
            restarts_init(&restarts, &h);
            actors_init(&actors, &h, &days, &restarts);
            const struct actor *movie = actor_named(&actors, "scene.movie");
            assert_int_equal(movie->acts[RULE_TURN_ON].count, 1);
            assert_int_equal(movie->acts[RULE_TURN_OFF].count, 0);
            for (int i = 1; i < 4; i++) { /* what the group reports is nobody's act anyway */
                const struct actor *one = actor_named(&actors, ids[i]);
                assert_int_equal(one->acts[RULE_TURN_ON].count, rows[row].own[is_unknown][i]);
                assert_int_equal(one->acts[RULE_TURN_OFF].count, 1);
            }
            actors_release(&actors);
            restarts_release(&restarts);
            days_release(&days);
            history_release(&h);
        }
}

/* ---- homes --------------------------------------------------------------------------------- */

enum { LAMPS = 3 };
static struct track tv, scene, lamps[LAMPS], popcorn;
static const char *const lamp_ids[LAMPS] = {"light.a", "light.b", "light.c"};

static void home_begin(struct history *h, int days)
{
    made_init(h, tz, monday, days);
    for (int i = 0; i < LAMPS; i++)
        add_uses(&lamps[i], days, 0.4, 1200);
    add_uses(&popcorn, days, 0.2, 1200);
}

static void home_end(struct history *h, bool are_known)
{
    for (int i = 0; i < LAMPS; i++)
        track_write(&lamps[i], h, lamp_ids[i]);
    track_write(&tv, h, "media_player.tv");
    track_write(&scene, h, "scene.movie");
    if (are_known)
        h->entities[h->entity_count - 1].members = xstrdup("light.a light.b light.c");
    track_write(&popcorn, h, "switch.popcorn");
}

/* a and b go on, c goes off. */
static void activate(double at)
{
    track_use(&scene, at, 0.002);
    for (int i = 0; i < LAMPS; i++) {
        double then = at + uniform(0.05, 3);
        if (track_is_on(&lamps[i], at) == (i == 2))
            track_add(&lamps[i], then, i == 2 ? HISTORY_STATE_OFF : HISTORY_STATE_ON);
        if (i < 2)
            track_add(&lamps[i], at + uniform(0.5, 5) * HOUR, HISTORY_STATE_OFF);
    }
}

/* At about a quarter past eight, and now and then. */
static void in_the_evening(struct history *h, int days, bool are_known)
{
    home_begin(h, days);
    for (int d = 0; d < days; d++) {
        if (chance(0.9))
            activate(d * 86400.0 + 20.25 * HOUR + 480 * made_normal(&seed));
        if (chance(0.2))
            activate(d * 86400.0 + uniform(9, 19) * HOUR);
    }
    home_end(h, are_known);
}

static void make_evening(struct history *h, int days)
{
    in_the_evening(h, days, true);
}

static void make_unknown(struct history *h, int days)
{
    in_the_evening(h, days, false);
}

/* Someone switches the TV on once or twice a day, `share` of the times for a film. */
static void watch(struct history *h, int days, double share, bool with_popcorn)
{
    home_begin(h, days);
    for (int d = 0; d < days; d++)
        for (int n = 0; n < 2; n++) {
            double at = d * 86400.0 + uniform(9 + 6 * n, 14 + 6 * n) * HOUR;
            if (n == 1 && chance(0.4))
                continue;
            track_use(&tv, at, uniform(0.5, 2) * HOUR);
            if (!chance(share))
                continue;
            at += fmax(18 * exp(0.3 * made_normal(&seed)), 1.5);
            activate(at);
            if (with_popcorn && chance(0.95) && !track_is_on(&popcorn, at))
                track_use(&popcorn, at + fmax(15 * exp(0.3 * made_normal(&seed)), 1.5),
                          uniform(300, 700));
        }
    home_end(h, true);
}

static void make_film(struct history *h, int days)
{
    watch(h, days, 0.9, false);
}

static void make_popcorn(struct history *h, int days)
{
    watch(h, days, 0.9, true);
}

/* Of 300 homes each 295, 294, 299 and 299 are right. */
static void test_scenes_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *name, *wanted;
        void (*make)(struct history *h, int days);
        int right; /* of 20: fewer are chance once in 10,000 */
    } rows[] = {
        {"in the evening", "time scene.movie", make_evening, 16},
        {"its members are not known", "time scene.movie", make_unknown, 16},
        {"with the TV", "media_player.tv scene.movie", make_film, 16},
        {"with the TV, and then popcorn", "media_player.tv scene.movie switch.popcorn",
         make_popcorn, 16},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int homes = homes_of(20);
        struct counts counts =
            look_at_homes(rows[i].name, homes, rows[i].wanted, false, rows[i].make);
        assert_true(counts.right * 20 >= rows[i].right * homes);
        assert_true((counts.all - counts.right) * 20 <= 4 * homes); /* no echo, nothing else */
    }
}

/* At any hour; the TV as well. */
static void make_chance(struct history *h, int days)
{
    home_begin(h, days);
    for (int d = 0; d < days; d++) {
        for (int n = poisson(1.5); n > 0; n--)
            activate(d * 86400.0 + uniform(15, 23) * HOUR);
        for (int n = poisson(1.5); n > 0; n--)
            track_use(&tv, d * 86400.0 + uniform(15, 23) * HOUR, uniform(0.5, 2) * HOUR);
    }
    home_end(h, chance(0.5));
}

/* A timer or an automation does it, at the same second every day. */
static void make_timer(struct history *h, int days)
{
    home_begin(h, days);
    for (int d = 0; d < days; d++)
        activate(d * 86400.0 + 20.25 * HOUR + uniform(0, 3));
    home_end(h, true);
}

/* Of 300 homes each none has a suggestion. */
static void test_no_habits(void **state)
{
    (void)state;
    int homes = homes_of(40);
    assert_true(look_at_homes("chance", homes, NULL, false, make_chance).all * 20 <= 3 * homes);
    assert_true(look_at_homes("timer", homes, NULL, false, make_timer).all * 20 <= 3 * homes);
}

/* ---- what is told -------------------------------------------------------------------------- */

static const char *text_at(json_object *object, const char *path)
{
    const char *text = json_object_get_string(at(object, path));
    return text != NULL ? text : "";
}

static void test_what_is_told(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 28);
    for (int d = 0; d < 28; d++)
        activate(d * 86400.0 + 20 * HOUR + 100 * (d * 7 % 9 - 4));
    home_end(&h, true);
    json_object *result = analysis_run(&h, NULL);
    assert_int_equal(json_object_array_length(at(result, "/suggestions")), 1);
    json_object *one = at(result, "/suggestions/0");
    assert_string_equal(text_at(one, "/title"), "Activate scene scene.movie at 20:00 every day");
    assert_string_equal(text_at(one, "/automation/actions/0/action"), "scene.turn_on");
    assert_string_equal(text_at(one, "/automation/actions/0/target/entity_id"), "scene.movie");
    assert_string_equal(text_at(one, "/automation/actions/1/sequence/0/wait_template"),
                        "{{ has_value('scene.movie') }}");
    const char *explanation = text_at(one, "/explanation");
    assert_non_null(strstr(explanation, "Someone activated scene scene.movie around 20:00"));
    assert_non_null(strstr(explanation, "within 15 minutes anyway, 0 were not wanted."));
    assert_int_equal(json_object_get_int(at(one, "/backtest/idle")), 0);
    json_object_put(result);
    history_release(&h);
}

static void test_rules(void **state)
{
    (void)state;
    static const char *const targets[] = {"scene.movie"};
    struct rule rule = {
        .weekdays = RULE_EVERY_DAY, .entity_ids = targets, .entity_count = 1, .verb = RULE_TURN_ON};
    assert_true(rule_is_valid(&rule));
    rule.verb = RULE_TURN_OFF;
    assert_false(rule_is_valid(&rule));
    rule.verb = RULE_SET;
    rule.value_count = 1;
    rule.values[0] = (struct rule_value){RULE_BRIGHTNESS, 50};
    assert_false(rule_is_valid(&rule));
    assert_false(rule_domain_is_switchable("scene.movie"));
    assert_false(rule_is_scene("scenes.movie"));
    assert_false(rule_is_scene("script.scene"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echoes),    cmocka_unit_test(test_scenes_are_found),
        cmocka_unit_test(test_no_habits), cmocka_unit_test(test_what_is_told),
        cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests(tests, tracks_setup, berlin_teardown);
}
