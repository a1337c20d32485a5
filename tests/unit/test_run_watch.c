/* What becomes of the runs of deployed automations, by live changes alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "app/run_watch.h"
#include "core/json.h"
#include "scratch.h"
#include "store/life.h"

static const int64_t MIN = 60 * 1000;
static const int64_t BEGIN = INT64_C(1000000000000);
static struct run_watch *watch;
static char settled[4096]; /* "context outcome; ..." */
static const char *machine;

static void on_settled(const char *automation_id, const char *context_id, enum run_outcome outcome,
                       void *ctx)
{
    size_t length = strlen(settled);
    (void)ctx, (void)automation_id;
    snprintf(settled + length, sizeof settled - length, "%s %s; ", context_id,
             run_outcome_name(outcome));
}

static bool is_machine(const char *context_id, void *ctx)
{
    (void)ctx;
    return machine != NULL && strcmp(context_id, machine) == 0;
}

static const char *const lamp[] = {"light.a"}, *const two[] = {"light.a", "switch.b"};

static int setup(void **state)
{
    (void)state;
    const struct run_watch_settings settings = {.on_settled = on_settled, .is_machine = is_machine};
    const struct run_watch_rule rules[] = {
        {"ha_ai_on", RULE_TURN_ON, lamp, 1},
        {"ha_ai_off", RULE_TURN_OFF, two, 2},
        {"ha_ai_set", RULE_SET, lamp, 1}, /* left out */
    };
    settled[0] = '\0';
    machine = NULL;
    watch = run_watch_new(&settings);
    run_watch_set_rules(watch, rules, 3);
    run_watch_begin(watch, BEGIN);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    run_watch_free(watch);
    return 0;
}

enum { NOBODY, PERSON, AUTOMATION };

static void change(int64_t at_ms, const char *entity, const char *from, const char *to,
                   const char *context, int by)
{
    const struct ha_change c = {.entity_id = entity,
                                .from = from,
                                .to = to,
                                .context_id = context,
                                .user_id = by == PERSON ? "anna" : NULL,
                                .parent_id = by == AUTOMATION ? "other" : NULL,
                                .at_ms = at_ms};
    run_watch_change(watch, &c);
    run_watch_tick(watch, at_ms);
}

static const int64_t T = INT64_C(1000000000000) + 2 * 60 * 60 * 1000; /* of a run */

static void acted(void)
{
    run_watch_run(watch, "ha_ai_on", "r1", T);
    change(T + 100, "light.a", "off", "on", "r1", NOBODY);
}

static void assert_settled(int64_t now_ms, const char *expected)
{
    run_watch_tick(watch, now_ms);
    assert_string_equal(settled, expected);
}

static void it_stays(void **state)
{
    (void)state;
    acted();
    assert_settled(T + 10 * MIN, "");
    assert_settled(T + 11 * MIN, "r1 kept; ");
    assert_settled(T + 30 * MIN, "r1 kept; ");
}

static void a_person_reverses_it(void **state)
{
    (void)state;
    acted();
    change(T + 3 * MIN, "light.a", "on", "off", "p", PERSON);
    assert_settled(T + 3 * MIN, "r1 undone; ");
}

static void a_hand_at_the_switch_reverses_it(void **state)
{
    (void)state;
    acted();
    change(T + 3 * MIN, "light.a", "on", "off", "s", NOBODY);
    assert_settled(T + 3 * MIN + 1000, ""); /* it might be an automation's */
    assert_settled(T + 4 * MIN, "r1 undone; ");
}

static void an_automation_reverses_it(void **state)
{
    (void)state;
    acted();
    change(T + 3 * MIN, "light.a", "on", "off", "s", NOBODY);
    machine = "s"; /* told after the change */
    assert_settled(T + 4 * MIN, "");
    change(T + 5 * MIN, "light.a", "off", "on", "x", AUTOMATION);
    change(T + 6 * MIN, "light.a", "on", "off", "y", AUTOMATION);
    assert_settled(T + 11 * MIN, "r1 kept; ");
}

static void too_late_or_no_reversal(void **state)
{
    (void)state;
    acted();
    change(T + 2 * MIN, "light.a", "on", "on", "p", PERSON); /* brighter */
    change(T + 3 * MIN, "light.a", "on", "unavailable", "u", NOBODY);
    change(T + 4 * MIN, "light.a", "unavailable", "off", "u", NOBODY);
    change(T + 5 * MIN, "light.c", "on", "off", "p", PERSON);
    change(T + 10 * MIN + 200, "light.a", "on", "off", "p", PERSON);
    assert_settled(T + 12 * MIN, "r1 kept; ");
}

/* HA tells runs and changes on two roads. */
static void the_change_comes_before_the_run(void **state)
{
    (void)state;
    change(T + 100, "light.a", "off", "on", "r1", NOBODY);
    run_watch_run(watch, "ha_ai_on", "r1", T);
    change(T + MIN, "light.a", "on", "off", "p", PERSON);
    assert_settled(T + MIN, "r1 undone; ");
}

static void it_was_so_already(void **state)
{
    (void)state;
    run_watch_run(watch, "ha_ai_on", "r1", T);
    assert_settled(T + MIN, "");
    assert_settled(T + 2 * MIN, "r1 idle; ");
}

static void a_person_was_first(void **state)
{
    (void)state;
    change(T - 20 * MIN, "switch.b", "on", "off", "p", NOBODY);
    run_watch_run(watch, "ha_ai_off", "r1", T);
    assert_settled(T + 2 * MIN, "r1 preempted; ");
    change(T + 60 * MIN, "switch.b", "off", "on", "p", PERSON);
    change(T + 70 * MIN, "switch.b", "on", "off", "m", NOBODY);
    machine = "m"; /* an automation was */
    run_watch_run(watch, "ha_ai_off", "r2", T + 80 * MIN);
    assert_settled(T + 82 * MIN, "r1 preempted; r2 idle; ");
}

/* The last hour was not seen: whether somebody was first is not known. */
static void soon_after_the_beginning(void **state)
{
    (void)state;
    run_watch_begin(watch, T - 10 * MIN);
    run_watch_run(watch, "ha_ai_on", "r1", T);
    assert_settled(T + 2 * MIN, "r1 not known; ");
}

static void what_was_missed_is_not_guessed(void **state)
{
    (void)state;
    acted();
    run_watch_end(watch);
    change(T + MIN, "light.a", "on", "off", "p", PERSON);
    assert_settled(T + 20 * MIN, "");
    run_watch_begin(watch, T + 20 * MIN);
    run_watch_run(watch, "ha_ai_on", "r2", T); /* HA tells it afterwards */
    assert_settled(T + 60 * MIN, "");
}

static void two_targets(void **state)
{
    (void)state;
    run_watch_run(watch, "ha_ai_off", "r1", T);
    change(T + 100, "light.a", "on", "off", "r1", NOBODY);
    change(T + 200, "switch.b", "on", "off", "r1", NOBODY);
    change(T + 2 * MIN, "switch.b", "off", "on", "p", PERSON);
    assert_settled(T + 2 * MIN, "r1 undone; ");
}

static void what_is_deployed_no_more_is_let_go(void **state)
{
    (void)state;
    acted();
    run_watch_set_rules(watch, NULL, 0);
    assert_settled(T + 20 * MIN, "");
}

static void limits(void **state)
{
    (void)state;
    char context[24];
    for (int i = 0; i <= RUN_WATCH_RUNS_MAX; i++) {
        snprintf(context, sizeof context, "r%d", i);
        run_watch_run(watch, "ha_ai_on", context, T);
    }
    run_watch_run(watch, "ha_ai_on", "", T);
    run_watch_run(watch, "ha_ai_on", NULL, T);
    run_watch_run(watch, "ha_ai_nobody", "x", T);
    run_watch_tick(watch, T + 2 * MIN);
    int count = 0;
    for (const char *c = settled; (c = strstr(c, "idle")) != NULL; c++)
        count++;
    assert_int_equal(count, RUN_WATCH_RUNS_MAX);
    struct run_watch_rule *rules = calloc(RUN_WATCH_RULES_MAX + 1, sizeof *rules);
    char(*ids)[24] = calloc(RUN_WATCH_RULES_MAX + 1, sizeof *ids);
    assert_true(rules != NULL && ids != NULL);
    for (int i = 0; i <= RUN_WATCH_RULES_MAX; i++) {
        snprintf(ids[i], sizeof ids[i], "ha_ai_%d", i);
        rules[i] = (struct run_watch_rule){ids[i], RULE_TURN_ON, lamp, 1};
    }
    run_watch_set_rules(watch, rules, RUN_WATCH_RULES_MAX + 1);
    settled[0] = '\0';
    run_watch_run(watch, ids[RUN_WATCH_RULES_MAX], "late", T);
    run_watch_run(watch, ids[RUN_WATCH_RULES_MAX - 1], "last", T);
    assert_settled(T + 2 * MIN, "last idle; ");
    free(ids);
    free(rules);
}

/* ---- in the database ---- */

static void outcomes_are_kept(void **state)
{
    assert_int_equal(scratch_make(state), 0);
    char *path = scratch_path("ha-ai.db");
    struct error err = {0};
    struct store *store = store_open(path, &err);
    assert_non_null(store);
    int64_t counts[RUN_OUTCOME_COUNT];
    static const char *const contexts[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++)
        assert_int_equal(run_record(store, "ha_ai_x", contexts[i], true,
                                    i == 2 ? "failed" : "triggered", T + i * 10 * MIN, &err),
                         0);
    assert_int_equal(run_set_outcome(store, "ha_ai_x", "a", RUN_UNDONE, &err), 0);
    assert_int_equal(run_set_outcome(store, "ha_ai_x", "a", RUN_KEPT, &err), 0); /* known */
    assert_int_equal(run_set_outcome(store, "ha_ai_x", "c", RUN_IDLE, &err), 0);
    assert_int_equal(run_count_outcomes(store, "ha_ai_x", 0, counts, &err), 0);
    assert_int_equal(counts[RUN_UNDONE], 1);
    assert_int_equal(counts[RUN_MISSED], 1);
    assert_int_equal(counts[RUN_NOT_KNOWN], 2);
    assert_int_equal(run_count_outcomes(store, NULL, T + 1, counts, &err), 0);
    assert_int_equal(counts[RUN_UNDONE], 0);
    /* The review fills what nobody watched, of a deployed one. */
    static const char sql[] =
        "{\"suggestions\": [{\"id\": \"x\", \"title\": \"X\", \"automation\": {}}]}";
    json_object *result = json_parse(sql, strlen(sql), &err);
    struct suggestions_merge merge;
    assert_int_equal(suggestions_merge_analysis(store, result, 1, &merge, &err), 0);
    json_object_put(merge.created);
    json_object_put(merge.changed);
    json_object_put(merge.steps);
    json_object_put(result);
    static const char reviews[] =
        "[{\"id\": \"x\", \"log\": [{\"at\": \"2001-09-09T03:46:40Z\", \"outcome\": \"hit\"},"
        " {\"at\": \"2001-09-09T03:57:00Z\", \"outcome\": \"preempted\"},"
        " {\"at\": \"2001-09-09T05:46:40Z\", \"outcome\": \"undone\"}, {\"at\": 7}, 8]}, {}, 9]";
    json_object *list = json_parse(reviews, strlen(reviews), &err);
    assert_int_equal(run_outcomes_from_reviews(store, list, &err), 0);
    assert_int_equal(run_count_outcomes(store, "ha_ai_x", 0, counts, &err), 0);
    assert_int_equal(counts[RUN_NOT_KNOWN], 2); /* it is new */
    suggestion_move(store, "x", SUGGESTION_APPROVED, NULL, "p", 2, NULL);
    suggestion_move(store, "x", SUGGESTION_DEPLOYED, NULL, "p", 2, NULL);
    assert_int_equal(run_outcomes_from_reviews(store, list, &err), 0);
    assert_int_equal(run_count_outcomes(store, "ha_ai_x", 0, counts, &err), 0);
    assert_int_equal(counts[RUN_UNDONE], 1); /* was known: not "hit" */
    assert_int_equal(counts[RUN_PREEMPTED], 1);
    assert_int_equal(counts[RUN_NOT_KNOWN], 1);
    assert_int_equal(run_outcomes_from_reviews(store, NULL, &err), 0);
    json_object_put(list);
    store_close(store);
    free(path);
    scratch_remove(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(a_person_reverses_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hand_at_the_switch_reverses_it, setup, teardown),
        cmocka_unit_test_setup_teardown(an_automation_reverses_it, setup, teardown),
        cmocka_unit_test_setup_teardown(too_late_or_no_reversal, setup, teardown),
        cmocka_unit_test_setup_teardown(the_change_comes_before_the_run, setup, teardown),
        cmocka_unit_test_setup_teardown(it_was_so_already, setup, teardown),
        cmocka_unit_test_setup_teardown(a_person_was_first, setup, teardown),
        cmocka_unit_test_setup_teardown(soon_after_the_beginning, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_missed_is_not_guessed, setup, teardown),
        cmocka_unit_test_setup_teardown(two_targets, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_deployed_no_more_is_let_go, setup, teardown),
        cmocka_unit_test_setup_teardown(limits, setup, teardown),
        cmocka_unit_test(outcomes_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
