/* What the picture of a suggestion holds: the days and marks that its back-test counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "berlin.h"
#include "core/json.h"
#include "made_history.h"
#include "suggest/picture.h"

static int setup(void **state)
{
    (void)state;
    return berlin_setup(6, 1);
}

/* The picture of the first of some rules for the home's lamp, as if all were suggested; what that
 * rule's back-test counts on each role's days. */
static json_object *draw(struct history *h, const struct rule *rules, size_t count,
                         struct backtest results[DAY_HELD_OUT + 1])
{
    struct days days;
    struct restarts restarts;
    struct actors actors;
    days_init(&days, h);
    restarts_init(&restarts, h);
    actors_init(&actors, h, &days, &restarts);
    const struct mine_input input = {
        .history = h, .days = &days, .restarts = &restarts, .actors = &actors};
    struct candidate list[4] = {{.order = 0}};
    const struct rule *pointers[4];
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct candidate){.habit = {.rule = rules[i]}, .order = i};
        while (strcmp(actors.list[list[i].habit.actor].entity_ids[0], "light.a") != 0)
            list[i].habit.actor++;
        pointers[i] = &list[i].habit.rule;
    }
    const struct judged judged = {.list = list, .count = count, .fires = fires_book_new(h, NULL)};
    const struct backtest_input replay = {h, &days, &actors.list[list[0].habit.actor],
                                          judged.fires};
    for (int role = DAY_TRAINING; results != NULL && role <= DAY_HELD_OUT; role++) {
        struct backtest all[4];
        backtest_run(&replay, pointers, count, (enum day_role)role, all);
        results[role] = all[0];
    }
    json_object *picture = picture_write(&input, &judged, 0);
    fires_book_free(judged.fires);
    actors_release(&actors);
    restarts_release(&restarts);
    days_release(&days);
    return picture;
}

static int count_marks(json_object *picture, const char *kind)
{
    const char *text = json_get_string(picture, kind);
    assert_non_null(text);
    int count = *text != '\0';
    for (; *text != '\0'; text++)
        count += *text == ' ';
    return count;
}

static void assert_text(json_object *picture, const char *key, const char *expected)
{
    assert_string_equal(json_get_string(picture, key), expected);
}

/* Minutes after the hour, for who is more punctual is a machine. */
static int minute_of(int d)
{
    return d * 37 % 9;
}

static void use_at(struct history *h, struct history_entity *e, int64_t first, int d, int hour)
{
    made_use(h, e, first + d, (hour * 60 + minute_of(d)) * 60, 3601);
}

/* Marks of these days at that hour, with the minutes of the acts or without. */
static void assert_days(json_object *picture, const char *kind, int hour, bool is_act,
                        const char *days)
{
    char expected[1024] = "";
    for (int d = 0; days[d] != '\0'; d++)
        if (days[d] == 'x')
            snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "%s%d",
                     expected[0] != '\0' ? " " : "",
                     d * 1440 + hour * 60 + (is_act ? minute_of(d) : 0));
    assert_text(picture, kind, expected);
}

static struct history_entity *add_lamp(struct history *h)
{
    struct history_entity *e = made_entity(h, "light.a");
    made_change(h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    return e;
}

/* On after 07:00 on weekdays, on the first day at 20:00 too; on the second Thursday not at all, on
 * the Friday after it is on already. */
static void test_each_kind(void **state)
{
    (void)state;
    struct history h;
    struct backtest results[DAY_HELD_OUT + 1];
    made_init(&h, tz, monday, 14);
    struct history_entity *e = add_lamp(&h);
    for (int d = 0; d < 12; d++) {
        if (made_weekday(monday + d) < 5 && d < 10)
            use_at(&h, e, monday, d, 7);
        if (d == 0)
            made_use(&h, e, monday, 20 * 3600, 1801);
        if (d == 11)
            made_use(&h, e, monday + d, 5 * 3600, 4 * 3600 + 1);
    }
    struct rule rule = made_lamp_rule(7 * 3600, RULE_WEEKDAYS);
    json_object *picture = draw(&h, &rule, 1, results);
    assert_text(picture, "of", "acts");
    assert_text(picture, "from", "2026-06-01");
    assert_text(picture, "days", "ttttt..tttth..");
    assert_days(picture, "acts_hit", 7, true, "xxxxx..xxx....");
    assert_text(picture, "acts_other", "1200 16140");
    assert_days(picture, "fires_hit", 7, false, "xxxxx..xxx....");
    assert_days(picture, "fires_wrong", 7, false, "..........x...");
    assert_days(picture, "fires_idle", 7, false, "...........x..");
    assert_int_equal(results[DAY_TRAINING].hits + results[DAY_HELD_OUT].hits,
                     count_marks(picture, "fires_hit"));
    assert_int_equal(results[DAY_TRAINING].misses + results[DAY_HELD_OUT].misses, 1);
    assert_int_equal(results[DAY_TRAINING].idle + results[DAY_HELD_OUT].idle, 1);
    json_object_put(picture);
    history_release(&h);
}

/* What another suggestion takes is not shown as something that this one lacks. */
static void test_beside_another(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 12);
    struct history_entity *e = add_lamp(&h);
    for (int d = 0; d < 12; d++) {
        use_at(&h, e, monday, d, 7);
        use_at(&h, e, monday, d, 19);
    }
    const struct rule rules[] = {made_lamp_rule(7 * 3600, RULE_EVERY_DAY),
                                 made_lamp_rule(19 * 3600, RULE_EVERY_DAY)};
    json_object *picture = draw(&h, rules, 1, NULL);
    assert_int_equal(count_marks(picture, "acts_other"), 12);
    json_object_put(picture);
    picture = draw(&h, rules, 2, NULL);
    assert_int_equal(count_marks(picture, "acts_other"), 0);
    assert_int_equal(count_marks(picture, "acts_hit"), 12);
    assert_int_equal(count_marks(picture, "fires_hit"), 12);
    json_object_put(picture);
    history_release(&h);
}

/* A day that was not recorded is told, and nothing of it is drawn; those at the ends are left out.
 */
static void test_gaps(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 12);
    struct history_entity *e = add_lamp(&h);
    for (int d = 0; d < 12; d++)
        use_at(&h, e, monday, d, 7);
    int64_t gap = tz_to_utc(tz, monday + 4, 12 * 3600) * 1000;
    h.covered = xrealloc(h.covered, 2 * sizeof *h.covered);
    h.covered_count = h.covered_capacity = 2;
    h.covered[0].from_ms += 3600 * 1000;
    h.covered[1] = (struct history_span){gap + 3600 * 1000, h.covered[0].to_ms - 3600 * 1000};
    h.covered[0].to_ms = gap;
    struct rule rule = made_lamp_rule(7 * 3600, RULE_EVERY_DAY);
    json_object *picture = draw(&h, &rule, 1, NULL);
    assert_text(picture, "from", "2026-06-02");
    assert_text(picture, "days", "ttt-tttthh");
    json_object_put(picture);
    history_release(&h);
}

/* The newest days, at most so many. */
static void test_most_days(void **state)
{
    (void)state;
    struct history h;
    enum { DAYS = PICTURE_DAYS_MAX + 10 };
    made_init(&h, tz, monday, DAYS);
    struct history_entity *e = add_lamp(&h);
    for (int d = 0; d < DAYS; d++)
        use_at(&h, e, monday, d, 7);
    struct rule rule = made_lamp_rule(7 * 3600, RULE_EVERY_DAY);
    json_object *picture = draw(&h, &rule, 1, NULL);
    assert_text(picture, "from", "2026-06-11");
    assert_int_equal(strlen(json_get_string(picture, "days")), PICTURE_DAYS_MAX);
    assert_int_equal(count_marks(picture, "fires_hit"), PICTURE_DAYS_MAX);
    assert_int_equal(strncmp(json_get_string(picture, "fires_hit"), "420 ", 4), 0);
    json_object_put(picture);
    history_release(&h);
}

/* A door that opens `each` times a day, every ten minutes or more. */
static json_object *draw_door(int days, int each, int apart_s)
{
    struct history h;
    made_init(&h, tz, monday, days);
    struct history_entity *door = made_entity(&h, "binary_sensor.door");
    made_change(&h, door, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    struct history_entity *e = add_lamp(&h);
    door = &h.entities[0]; /* the list has grown */
    for (int d = 0; d < days; d++)
        for (int k = 0; k < each; k++) {
            int second = 600 + k * apart_s;
            made_change(&h, door, monday + d, second, HISTORY_STATE_ON, CAUSE_PHYSICAL);
            made_change(&h, door, monday + d, second + apart_s / 4, HISTORY_STATE_OFF,
                        CAUSE_PHYSICAL);
        }
    (void)e;
    struct rule rule = made_lamp_rule(0, RULE_EVERY_DAY);
    rule.trigger = (struct rule_trigger){
        .kind = RULE_TRIGGER_STATE, .entity_id = "binary_sensor.door", .to = "on"};
    json_object *picture = draw(&h, &rule, 1, NULL);
    history_release(&h);
    return picture;
}

/* More marks than have room: fewer days, each of them whole. */
static void test_most_marks(void **state)
{
    (void)state;
    json_object *picture = draw_door(20, 72, 1200);
    size_t days = strlen(json_get_string(picture, "days"));
    assert_int_equal(days, PICTURE_MARKS_MAX / 72);
    assert_int_equal(count_marks(picture, "fires_wrong"), 72 * days);
    assert_int_equal(strncmp(json_get_string(picture, "fires_wrong"), "10 30 ", 6), 0);
    assert_in_range(strlen(json_text(picture)), 4000, 8 * 1024);
    json_object_put(picture);
    /* the last day is there even when it alone has more */
    picture = draw_door(9, 1300, 64);
    assert_int_equal(strlen(json_get_string(picture, "days")), 1);
    assert_int_equal(count_marks(picture, "fires_wrong"), PICTURE_MARKS_MAX);
    json_object_put(picture);
}

/* The clock goes back on 2026-10-25: minutes are those of the wall's. */
static void test_clock_change(void **state)
{
    (void)state;
    struct history h;
    int64_t first = tz_days_from_civil(2026, 10, 19);
    made_init(&h, tz, first, 12);
    struct history_entity *e = made_entity(&h, "light.a");
    made_change(&h, e, first, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int d = 0; d < 12; d++)
        use_at(&h, e, first, d, 22);
    struct rule rule = made_lamp_rule(22 * 3600, RULE_EVERY_DAY);
    json_object *picture = draw(&h, &rule, 1, NULL);
    assert_days(picture, "fires_hit", 22, false, "xxxxxxxxxxxx");
    assert_days(picture, "acts_hit", 22, true, "xxxxxxxxxxxx");
    json_object_put(picture);
    history_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind),  cmocka_unit_test(test_beside_another),
        cmocka_unit_test(test_gaps),       cmocka_unit_test(test_most_days),
        cmocka_unit_test(test_most_marks), cmocka_unit_test(test_clock_change),
    };
    return cmocka_run_group_tests(tests, setup, berlin_teardown);
}
