/* Other forms of one habit: which are offered, which are not worth it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "core/tz.h"
#include "berlin.h"
#include "made_history.h"
#include "suggest/variants.h"

static int setup(void **state)
{
    (void)state;
    return berlin_setup(6, 1);
}

/* The forms of a rule for the home's first actor, as if it were suggested. */
static size_t find(struct history *h, const struct rule *rule, bool is_open, int typical_second,
                   struct variant *out)
{
    struct days days;
    struct restarts restarts;
    struct actors actors;
    struct daylight daylight;
    days_init(&days, h);
    restarts_init(&restarts, h);
    actors_init(&actors, h, &days, &restarts);
    daylight_init(&daylight, h);
    const struct mine_input input = {
        .history = h, .daylight = &daylight, .days = &days, .actors = &actors};
    struct candidate candidate = {.habit = {.rule = *rule, .typical_second = typical_second},
                                  .is_open = is_open};
    const struct judged judged = {.list = &candidate, .count = 1, .fires = fires_book_new(h, NULL)};
    size_t count = variants_find(&input, &judged, 0, out);
    fires_book_free(judged.fires);
    daylight_release(&daylight);
    actors_release(&actors);
    restarts_release(&restarts);
    days_release(&days);
    return count;
}

static struct history_entity *add_lamp(struct history *h)
{
    struct history_entity *e = made_entity(h, "light.a");
    made_change(h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    return e;
}

/* Every weekday and every third day of a weekend: fewer days are surer, more days do more. */
static void test_days(void **state)
{
    (void)state;
    struct history h;
    struct variant forms[VARIANTS_MAX];
    made_init(&h, tz, monday, 42);
    struct history_entity *e = add_lamp(&h);
    for (int d = 0; d < 42; d++)
        if (made_weekday(monday + d) < 5 || d % 3 == 0)
            made_use(&h, e, monday + d, 7 * 3600 + d % 5 * 60, 3600);
    struct rule rule = made_lamp_rule(7 * 3600 + 120, RULE_EVERY_DAY);
    assert_int_equal(find(&h, &rule, false, -1, forms), 1);
    assert_int_equal(forms[0].rule.weekdays, RULE_WEEKDAYS);
    assert_int_equal(forms[0].training.misses + forms[0].held_out.misses, 0);
    assert_true(forms[0].score > 0.9);
    /* the other way round, what is done at weekends is not worth the wrong fires */
    rule.weekdays = RULE_WEEKDAYS;
    assert_int_equal(find(&h, &rule, false, -1, forms), 0);
    history_release(&h);
}

/* Where each form fires alike, there is nothing to choose. */
static void test_nothing_to_choose(void **state)
{
    (void)state;
    struct history h;
    struct variant forms[VARIANTS_MAX];
    made_init(&h, tz, monday, 28);
    struct history_entity *e = add_lamp(&h);
    for (int d = 0; d < 28; d++)
        made_use(&h, e, monday + d, 7 * 3600 + d % 5 * 60, 3600);
    const struct rule rule = made_lamp_rule(7 * 3600 + 120, RULE_EVERY_DAY);
    assert_int_equal(find(&h, &rule, false, -1, forms), 0);
    history_release(&h);
}

/* A door opens three times a day; the lamp follows between 17:00 and 20:00, at 20:15 often. */
static void test_condition_and_window(void **state)
{
    (void)state;
    struct history h;
    struct variant forms[VARIANTS_MAX];
    static const int hours[] = {9 * 3600, 18 * 3600, 20 * 3600 + 900};
    made_init(&h, tz, monday, 40);
    struct history_entity *door = made_entity(&h, "binary_sensor.door");
    made_change(&h, door, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    struct history_entity *e = add_lamp(&h);
    door = &h.entities[0]; /* the list has grown */
    for (int d = 0; d < 40; d++)
        for (int k = 0; k < 3; k++) {
            int second = hours[k] + d * 7 % 11 * 60;
            made_change(&h, door, monday + d, second, HISTORY_STATE_ON, CAUSE_PHYSICAL);
            made_change(&h, door, monday + d, second + 20, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
            if (k == 1 || (k == 2 && d % 5 != 0))
                made_use(&h, e, monday + d, second + 30 + d % 13, 1200);
        }
    struct rule rule = made_lamp_rule(0, RULE_EVERY_DAY);
    rule.trigger = (struct rule_trigger){
        .kind = RULE_TRIGGER_STATE, .entity_id = "binary_sensor.door", .to = "on"};
    rule.conditions[0] = (struct rule_condition){
        .kind = RULE_WHEN_TIME, .from_s = 17 * 3600, .to_s = 20 * 3600 + 600};
    rule.condition_count = 1;
    /* The wider window does twice as much; without any, the mornings would be wrong. */
    assert_int_equal(find(&h, &rule, false, -1, forms), 1);
    assert_true(forms[0].training.hits > 40);
    assert_int_equal(forms[0].rule.conditions[0].from_s, 16 * 3600 + 1800);
    assert_int_equal(forms[0].rule.conditions[0].to_s, 20 * 3600 + 2400);
    history_release(&h);
}

/* As long as the days cannot tell clock from sun, both are shown. */
static void test_clock_beside_sun(void **state)
{
    (void)state;
    struct history h;
    struct variant forms[VARIANTS_MAX];
    made_init(&h, tz, monday, 28);
    h.has_location = true;
    h.latitude = 52.5;
    h.longitude = 13.4;
    struct history_entity *e = add_lamp(&h);
    for (int d = 0; d < 28; d++)
        made_use(&h, e, monday + d, 21 * 3600 + 24 * 60 + d * d * 37 % 541, 3600);
    struct rule rule = made_lamp_rule(0, RULE_EVERY_DAY);
    rule.trigger = (struct rule_trigger){.kind = RULE_TRIGGER_SUN, .event = RULE_SUNSET};
    const int usual = 21 * 3600 + 28 * 60 + 30;
    assert_int_equal(find(&h, &rule, false, usual, forms), 0);
    assert_int_equal(find(&h, &rule, true, usual, forms), 1);
    assert_int_equal(forms[0].rule.trigger.kind, RULE_TRIGGER_TIME);
    assert_int_equal(forms[0].rule.trigger.second, 21 * 3600 + 28 * 60);
    history_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_nothing_to_choose),
        cmocka_unit_test(test_condition_and_window),
        cmocka_unit_test(test_clock_beside_sun),
    };
    return cmocka_run_group_tests(tests, setup, berlin_teardown);
}
