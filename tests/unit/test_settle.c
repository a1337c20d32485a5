/* What became of a run, from the changes of its targets. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "suggest/review_parts.h"
#include "suggest/settle.h"

enum {
    MINUTE = 60 * 1000,
    HOUR = 60 * MINUTE,
    AT = 100 * HOUR, /* the run */
    LATE = AT + HOUR,
};

#define PERSON SETTLE_BY_PERSON
#define DEVICE SETTLE_BY_DEVICE
#define RUN SETTLE_BY_AUTOMATION
#define ON SETTLE_ON
#define OFF SETTLE_OFF
#define ABSENT SETTLE_ABSENT

static const struct settle_run lamp = {.at_ms = AT, .verb = RULE_TURN_ON, .target_count = 1};

/* A target was like that when the watch began, and is like that from a moment on. */
#define FIRST(target, at, state, by) {at, target, state, NAN, by, true}
#define THEN(target, at, state, by) {at, target, state, NAN, by, false}

static void check_at(const struct settle_run *run, const struct settle_change *changes,
                     size_t count, int64_t now_ms, enum settle_outcome outcome, int64_t act_ms)
{
    struct settled got = settle_run(run, changes, count, now_ms);
    assert_string_equal(settle_outcome_name(got.outcome), settle_outcome_name(outcome));
    assert_int_equal(got.act_ms, act_ms);
}
#define CHECK(run, now, outcome, act, ...)                                                         \
    do {                                                                                           \
        const struct settle_change changes_[] = {__VA_ARGS__};                                     \
        check_at(run, changes_, sizeof changes_ / sizeof *changes_, now, outcome, act);            \
    } while (0)

static void undone_by_a_person(void **state)
{
    (void)state;
    CHECK(&lamp, AT + 6 * MINUTE, SETTLE_UNDONE, AT + 5 * MINUTE, FIRST(0, 1, OFF, DEVICE),
          THEN(0, AT + 9, ON, RUN), THEN(0, AT + 5 * MINUTE, OFF, PERSON));
    CHECK(&lamp, LATE, SETTLE_UNDONE, AT + 5 * MINUTE, FIRST(0, 1, OFF, DEVICE),
          THEN(0, AT + 9, ON, RUN), THEN(0, AT + 5 * MINUTE, OFF, DEVICE)); /* a wall switch */
    const struct settle_run off = {.at_ms = AT, .verb = RULE_TURN_OFF, .target_count = 1};
    CHECK(&off, LATE, SETTLE_UNDONE, AT + MINUTE, FIRST(0, 1, ON, DEVICE),
          THEN(0, AT + 9, OFF, RUN), THEN(0, AT + MINUTE, ON, PERSON));
}

static void at_the_border_of_its_time(void **state)
{
    (void)state;
    const int64_t effect = AT + 9, last = effect + REVIEW_UNDONE_MS;
    CHECK(&lamp, LATE, SETTLE_UNDONE, last, FIRST(0, 1, OFF, DEVICE), THEN(0, effect, ON, RUN),
          THEN(0, last, OFF, PERSON));
    CHECK(&lamp, LATE, SETTLE_KEPT, 0, FIRST(0, 1, OFF, DEVICE), THEN(0, effect, ON, RUN),
          THEN(0, last + 1, OFF, PERSON));
    CHECK(&lamp, last + SETTLE_MARGIN_MS - 1, SETTLE_PENDING, 0, FIRST(0, 1, OFF, DEVICE),
          THEN(0, effect, ON, RUN));
    CHECK(&lamp, last + SETTLE_MARGIN_MS, SETTLE_KEPT, 0, FIRST(0, 1, OFF, DEVICE),
          THEN(0, effect, ON, RUN));
    CHECK(&lamp, AT + SETTLE_FIRST_MS - 1, SETTLE_PENDING, 0, FIRST(0, 1, ON, DEVICE));
}

static void another_automation_undoes_nothing(void **state)
{
    (void)state;
    CHECK(&lamp, LATE, SETTLE_KEPT, 0, FIRST(0, 1, OFF, DEVICE), THEN(0, AT + 9, ON, RUN),
          THEN(0, AT + MINUTE, OFF, RUN));
}

static void so_already(void **state)
{
    (void)state;
    const int64_t now = AT + SETTLE_FIRST_MS;
    CHECK(&lamp, now, SETTLE_IDLE, 0, FIRST(0, AT - 2 * HOUR, ON, DEVICE));
    CHECK(&lamp, now, SETTLE_IDLE, 0, FIRST(0, 1, OFF, DEVICE), THEN(0, AT - MINUTE, ON, RUN));
    CHECK(&lamp, now, SETTLE_PREEMPTED, AT - HOUR, FIRST(0, 1, OFF, DEVICE),
          THEN(0, AT - HOUR, ON, PERSON));
    CHECK(&lamp, now, SETTLE_IDLE, 0, FIRST(0, 1, OFF, DEVICE), THEN(0, AT - HOUR - 1, ON, PERSON));
    CHECK(&lamp, now, SETTLE_PREEMPTED, AT - MINUTE, FIRST(0, AT - MINUTE, ON, PERSON));
    /* an automation was the last one to do it */
    CHECK(&lamp, now, SETTLE_IDLE, 0, FIRST(0, 1, OFF, DEVICE),
          THEN(0, AT - 9 * MINUTE, ON, PERSON), THEN(0, AT - 8 * MINUTE, OFF, PERSON),
          THEN(0, AT - 7 * MINUTE, ON, RUN));
    /* who did it was not seen, and it may have been within the hour */
    CHECK(&lamp, now, SETTLE_UNKNOWN, 0, FIRST(0, AT - MINUTE, ON, DEVICE));
}

static void nothing_is_seen_of_it(void **state)
{
    (void)state;
    CHECK(&lamp, LATE, SETTLE_UNSEEN, 0, FIRST(0, 1, OFF, DEVICE));
    CHECK(&lamp, LATE, SETTLE_UNSEEN, 0, FIRST(0, 1, ABSENT, DEVICE));
    /* a person's, not its effect; and one by a switch so late */
    CHECK(&lamp, LATE, SETTLE_UNSEEN, 0, FIRST(0, 1, OFF, DEVICE), THEN(0, AT + 9, ON, PERSON));
    CHECK(&lamp, LATE, SETTLE_UNSEEN, 0, FIRST(0, 1, OFF, DEVICE),
          THEN(0, AT + REVIEW_AT_ONCE_MS + 1, ON, DEVICE));
    CHECK(&lamp, LATE, SETTLE_KEPT, 0, FIRST(0, 1, OFF, DEVICE),
          THEN(0, AT + REVIEW_AT_ONCE_MS, ON, DEVICE));
    CHECK(&lamp, AT + REVIEW_EFFECT_MS, SETTLE_PENDING, 0, FIRST(0, 1, OFF, DEVICE));
}

static void not_seen_is_unknown(void **state)
{
    (void)state;
    check_at(&lamp, NULL, 0, LATE, SETTLE_UNKNOWN, 0);
    /* the watch began after the run; it was interrupted; before its effect, too */
    CHECK(&lamp, LATE, SETTLE_UNKNOWN, 0, FIRST(0, AT + MINUTE, OFF, PERSON));
    CHECK(&lamp, LATE, SETTLE_UNKNOWN, 0, FIRST(0, 1, OFF, DEVICE), THEN(0, AT + 9, ON, RUN),
          FIRST(0, AT + 2 * MINUTE, OFF, PERSON));
    CHECK(&lamp, LATE, SETTLE_UNKNOWN, 0, FIRST(0, 1, OFF, DEVICE), THEN(0, AT + 9, ON, RUN),
          FIRST(0, AT + 2 * MINUTE, ON, DEVICE), THEN(0, AT + 3 * MINUTE, OFF, PERSON));
    CHECK(&lamp, LATE, SETTLE_UNKNOWN, 0, FIRST(0, 1, OFF, DEVICE), FIRST(0, AT + 9, ON, DEVICE));
    /* what was seen before the interruption stands; what comes after its time does not matter */
    CHECK(&lamp, LATE, SETTLE_UNDONE, AT + MINUTE, FIRST(0, 1, OFF, DEVICE),
          THEN(0, AT + 9, ON, RUN), THEN(0, AT + MINUTE, OFF, PERSON),
          FIRST(0, AT + 2 * MINUTE, ON, DEVICE));
    CHECK(&lamp, LATE, SETTLE_KEPT, 0, FIRST(0, 1, OFF, DEVICE), THEN(0, AT + 9, ON, RUN),
          FIRST(0, AT + 20 * MINUTE, OFF, PERSON));
}

static void its_own_context_tells_what_was_before(void **state)
{
    (void)state;
    CHECK(&lamp, LATE, SETTLE_KEPT, 0, FIRST(0, AT + 9, ON, RUN));
    CHECK(&lamp, LATE, SETTLE_UNDONE, AT + 2 * MINUTE, FIRST(0, AT + 9, ON, RUN),
          THEN(0, AT + 2 * MINUTE, OFF, PERSON));
    CHECK(&lamp, LATE, SETTLE_UNKNOWN, 0, FIRST(0, AT + 2 * MINUTE, ON, RUN));
    CHECK(&lamp, LATE, SETTLE_UNKNOWN, 0, FIRST(0, AT + 9, OFF, RUN));
    const struct settle_run two = {.at_ms = AT, .verb = RULE_TURN_ON, .target_count = 2};
    CHECK(&two, LATE, SETTLE_UNKNOWN, 0, FIRST(0, AT + 9, ON, RUN));
    CHECK(&two, LATE, SETTLE_KEPT, 0, FIRST(0, AT + 9, ON, RUN), FIRST(1, AT + 12, ON, RUN));
}

static void what_is_restored_undoes_nothing(void **state)
{
    (void)state;
    /* unavailable, and back as it was, or otherwise, within the minute */
    CHECK(&lamp, LATE, SETTLE_KEPT, 0, FIRST(0, 1, OFF, DEVICE), THEN(0, AT + 9, ON, RUN),
          THEN(0, AT + MINUTE, ABSENT, DEVICE), THEN(0, AT + 2 * MINUTE, OFF, DEVICE),
          THEN(0, AT + 2 * MINUTE + 9, ON, DEVICE), THEN(0, AT + 2 * MINUTE + 99, OFF, DEVICE));
    /* the state from before the absence comes late */
    CHECK(&lamp, LATE, SETTLE_KEPT, 0, FIRST(0, 1, OFF, DEVICE),
          THEN(0, AT - 3 * MINUTE, ABSENT, DEVICE), THEN(0, AT - 2 * MINUTE, OFF, DEVICE),
          THEN(0, AT + 9, ON, RUN));
    /* long after it is a person's */
    CHECK(&lamp, LATE, SETTLE_UNDONE, AT + 4 * MINUTE, FIRST(0, 1, OFF, DEVICE),
          THEN(0, AT + 9, ON, RUN), THEN(0, AT + MINUTE, ABSENT, DEVICE),
          THEN(0, AT + 2 * MINUTE, ON, DEVICE), THEN(0, AT + 4 * MINUTE, OFF, PERSON));
}

static void of_a_group(void **state)
{
    (void)state;
    const struct settle_run three = {.at_ms = AT, .verb = RULE_TURN_ON, .target_count = 3};
#define ALL                                                                                        \
    FIRST(0, 1, OFF, DEVICE), FIRST(1, 1, OFF, DEVICE), FIRST(2, 1, ON, DEVICE),                   \
        THEN(0, AT + 9, ON, RUN), THEN(1, AT + 9, ON, RUN)
    CHECK(&three, LATE, SETTLE_KEPT, 0, ALL, THEN(1, AT + MINUTE, OFF, PERSON));
    CHECK(&three, LATE, SETTLE_UNDONE, AT + MINUTE + 9, ALL, THEN(1, AT + MINUTE, OFF, PERSON),
          THEN(0, AT + MINUTE + 9, OFF, PERSON));
    CHECK(&three, LATE, SETTLE_UNKNOWN, 0, FIRST(0, 1, OFF, DEVICE), FIRST(1, 1, OFF, DEVICE));
}

static const struct settle_run heater = {.at_ms = AT,
                                         .verb = RULE_SET,
                                         .has_value = true,
                                         .value = {RULE_SETPOINT, 21},
                                         .target_count = 1};
static const struct settle_run dimmed = {.at_ms = AT,
                                         .verb = RULE_TURN_ON,
                                         .has_value = true,
                                         .value = {RULE_BRIGHTNESS, 40},
                                         .target_count = 1};
#define VALUE(at, value, by) {at, 0, SETTLE_OTHER, value, by, false}
#define VALUE_FIRST(at, value) {at, 0, SETTLE_OTHER, value, DEVICE, true}
#define LIGHT(at, state, value, by) {at, 0, state, value, by, false}

static void by_another_value(void **state)
{
    (void)state;
    CHECK(&heater, LATE, SETTLE_UNDONE, AT + MINUTE, VALUE_FIRST(1, 18), VALUE(AT + 9, 21, RUN),
          VALUE(AT + MINUTE, 19, PERSON));
    CHECK(&heater, LATE, SETTLE_KEPT, 0, VALUE_FIRST(1, 18), VALUE(AT + 9, 21, RUN),
          VALUE(AT + MINUTE, 21.2, PERSON)); /* the same, by a dial */
    CHECK(&heater, LATE, SETTLE_KEPT, 0, VALUE_FIRST(1, 18), VALUE(AT + 9, 21, RUN),
          VALUE(AT + MINUTE, 19, RUN));
    CHECK(&heater, LATE, SETTLE_UNDONE, AT + MINUTE, VALUE_FIRST(1, 21),
          VALUE(AT + MINUTE, 19, PERSON)); /* it was so already */
    CHECK(&heater, LATE, SETTLE_PREEMPTED, AT - MINUTE, VALUE_FIRST(1, 18),
          VALUE(AT - MINUTE, 21, PERSON));
    CHECK(&dimmed, LATE, SETTLE_UNDONE, AT + MINUTE, FIRST(0, 1, OFF, DEVICE),
          LIGHT(AT + 9, ON, 40, RUN), LIGHT(AT + MINUTE, ON, 90, PERSON));
    CHECK(&dimmed, LATE, SETTLE_UNDONE, AT + MINUTE, FIRST(0, 1, OFF, DEVICE),
          LIGHT(AT + 9, ON, 40, RUN), LIGHT(AT + MINUTE, OFF, NAN, PERSON));
    CHECK(&dimmed, LATE, SETTLE_KEPT, 0, FIRST(0, 1, OFF, DEVICE), LIGHT(AT + 9, ON, 10, RUN),
          LIGHT(AT + 600, ON, 40, DEVICE)); /* it fades in */
}

static void the_same_act(void **state)
{
    (void)state;
    const struct settle_change off = FIRST(0, 1, OFF, DEVICE), by_run = THEN(0, 2, ON, RUN),
                               on = THEN(0, 2, ON, PERSON), away = THEN(0, 1, ABSENT, DEVICE);
    assert_true(settle_is_same_act(&lamp, &off, &on));
    assert_false(settle_is_same_act(&lamp, &off, &by_run));
    assert_false(settle_is_same_act(&lamp, &on, &off));
    assert_false(settle_is_same_act(&lamp, &away, &on));
}

static void states_of_entities(void **state)
{
    (void)state;
    assert_int_equal(settle_state_of("light.a", "on"), SETTLE_ON);
    assert_int_equal(settle_state_of("light.a", "unavailable"), SETTLE_ABSENT);
    assert_int_equal(settle_state_of("light.a", NULL), SETTLE_ABSENT);
    assert_int_equal(settle_state_of("media_player.a", "playing"), SETTLE_OTHER);
    assert_int_equal(settle_state_of("lock.a", "locked"), SETTLE_ON);
    assert_int_equal(settle_state_of("lock.a", "unlocked"), SETTLE_OFF);
    assert_int_equal(settle_state_of("lock.a", "locking"), SETTLE_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(undone_by_a_person),
        cmocka_unit_test(at_the_border_of_its_time),
        cmocka_unit_test(another_automation_undoes_nothing),
        cmocka_unit_test(so_already),
        cmocka_unit_test(nothing_is_seen_of_it),
        cmocka_unit_test(not_seen_is_unknown),
        cmocka_unit_test(its_own_context_tells_what_was_before),
        cmocka_unit_test(what_is_restored_undoes_nothing),
        cmocka_unit_test(of_a_group),
        cmocka_unit_test(by_another_value),
        cmocka_unit_test(the_same_act),
        cmocka_unit_test(states_of_entities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
