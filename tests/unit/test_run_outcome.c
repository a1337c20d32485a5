/* What became of runs: kept with them, counted, and filled in from a review. */
#define _GNU_SOURCE /* mkdtemp */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/json.h"
#include "scratch_store.h"
#include "store/activity.h"
#include "store/run_outcome.h"
#include "store/statement.h"
#include "store/suggestions.h"

static const char *const id = "ha_ai_x";

enum { MINUTE = 60 * 1000 };
static const int64_t at0 = INT64_C(1795436513000);

static void add_run(const char *context, int64_t at_ms)
{
    struct error err;
    assert_int_equal(run_record(store, id, context, true, "triggered", at_ms, &err), 0);
}

static void check_counts(const char *expected)
{
    struct error err;
    json_object *counts;
    assert_int_equal(run_count_outcomes(store, id, &counts, &err), 0);
    assert_string_equal(counts != NULL ? json_text(counts) : "", expected);
    json_object_put(counts);
}

static int clear(void **state)
{
    struct error err;
    (void)state;
    sqlite3_stmt *stmt = statement(store, "DELETE FROM run", &err);
    return stmt != NULL ? statement_run(store, stmt, &err) : -1;
}

static void settled_once(void **state)
{
    (void)state;
    struct error err;
    struct run_unsettled *list;
    size_t count;
    check_counts("");
    add_run("b", at0 + MINUTE);
    add_run("a", at0);
    assert_int_equal(run_list_unsettled(store, &list, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].context, "a");
    assert_int_equal(list[1].at_ms, at0 + MINUTE);
    run_unsettled_free(list, count);
    check_counts("{\"pending\":2}");
    assert_int_equal(run_set_outcome(store, id, "a", "undone", at0 + 5, &err), 0);
    assert_int_equal(run_list_unsettled(store, &list, &count, &err), 0);
    assert_int_equal(count, 1);
    run_unsettled_free(list, count);
    check_counts("{\"pending\":1,\"undone\":1}");
    /* a report that comes late changes nothing of it */
    assert_int_equal(run_record(store, id, "a", false, "executed", at0 + 1, &err), 0);
    check_counts("{\"pending\":1,\"undone\":1}");
}

static void as_many_at_once(void **state)
{
    (void)state;
    struct error err;
    struct run_unsettled *list;
    size_t count;
    assert_int_equal(store_begin(store, &err), 0);
    for (int i = 0; i < RUN_UNSETTLED_MAX + 1; i++) {
        char context[24];
        snprintf(context, sizeof context, "c%d", i);
        add_run(context, at0 + i);
    }
    assert_int_equal(store_commit(store, &err), 0);
    assert_int_equal(run_list_unsettled(store, &list, &count, &err), 0);
    assert_int_equal(count, RUN_UNSETTLED_MAX);
    assert_string_equal(list[0].context, "c0");
    run_unsettled_free(list, count);
}

static void undone_by_a_person_is_counted(void **state)
{
    (void)state;
    struct error err;
    int64_t count;
    struct run_counts runs;
    const char *const contexts[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++)
        add_run(contexts[i], at0 + i * MINUTE);
    assert_int_equal(run_set_outcome(store, id, "a", "undone", at0 + 5, &err), 0);
    assert_int_equal(run_set_outcome(store, id, "b", "kept", 0, &err), 0);
    assert_int_equal(run_set_outcome(store, id, "c", "undone", at0 + 3 * MINUTE, &err), 0);
    assert_int_equal(activity_undone_run_count(store, at0, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_int_equal(activity_undone_run_count(store, at0 + 1, &count, &err), 0);
    assert_int_equal(count, 1);
    /* from the third on it was a person's: watched, but not ours */
    assert_int_equal(run_set_theirs(store, id, at0 + 2 * MINUTE, &err), 0);
    assert_int_equal(activity_undone_run_count(store, at0, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_int_equal(activity_run_count(store, at0, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_int_equal(run_count(store, id, at0 + 100 * MINUTE, &runs, &err), 0);
    assert_int_equal(runs.runs, 2);
    assert_int_equal(runs.unconfirmed, 2);
    assert_int_equal(runs.last_ms, at0 + 3 * MINUTE);
    check_counts("{\"undone\":2,\"kept\":1,\"pending\":1}");
}

static void redone_on_that_day(void **state)
{
    (void)state;
    struct error err;
    add_run("before", at0);
    add_run("a", at0 + MINUTE);
    add_run("kept", at0 + 2 * MINUTE);
    add_run("later", at0 + 9 * MINUTE);
    assert_int_equal(run_set_outcome(store, id, "before", "undone", at0 + 5, &err), 0);
    assert_int_equal(run_set_outcome(store, id, "a", "undone", at0 + 2 * MINUTE, &err), 0);
    assert_int_equal(run_set_outcome(store, id, "kept", "kept", 0, &err), 0);
    assert_int_equal(run_set_outcome(store, id, "later", "undone", at0 + 10 * MINUTE, &err), 0);
    assert_int_equal(run_set_redone(store, id, at0 + 1, at0 + 5 * MINUTE, &err), 0);
    check_counts("{\"undone\":3,\"kept\":1,\"redone\":1}");
}

static void add_fire(json_object *log, int64_t at_ms, const char *outcome, int64_t act_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    json_object *fire = json_object_new_object();
    clock_format_rfc3339(text, at_ms);
    json_add_string(fire, "at", text);
    json_add_string(fire, "outcome", outcome);
    if (act_ms != 0) {
        clock_format_rfc3339(text, act_ms);
        json_add_string(fire, "acted", text);
        json_add_string(fire, "redone", text);
    }
    json_object_object_add(fire, "nobody_home", json_object_new_boolean(act_ms == 0));
    json_object_array_add(log, fire);
}

static void filled_in_from_a_review(void **state)
{
    (void)state;
    struct error err;
    int filled = 0;
    add_run("unknown", at0);
    add_run("undone", at0 + 30 * MINUTE);
    add_run("too far", at0 + 60 * MINUTE);
    add_run("missed", at0 + 90 * MINUTE);
    add_run("young", at0 + 120 * MINUTE);
    assert_int_equal(run_set_outcome(store, id, "unknown", RUN_UNKNOWN, 0, &err), 0);
    assert_int_equal(run_set_outcome(store, id, "undone", "undone", at0 + 31 * MINUTE, &err), 0);
    json_object *review = json_object_new_object(), *log = json_object_new_array();
    json_object_object_add(review, "log", log);
    add_fire(log, at0 - 2000, "undone", at0 + 3 * MINUTE);
    add_fire(log, at0 + 30 * MINUTE, "kept", 0); /* what was seen live stands */
    add_fire(log, at0 + 61 * MINUTE + 1, "kept", 0);
    add_fire(log, at0 + 89 * MINUTE + 30000, "preempted", at0 + 80 * MINUTE);
    add_fire(log, at0 + 90 * MINUTE + 1000, "idle", 0); /* nearer */
    add_fire(log, at0 + 120 * MINUTE, "kept", 0);
    const int64_t now = at0 + 120 * MINUTE + RUN_REVIEWABLE_MS - 1;
    assert_int_equal(run_merge_review(store, id, review, now, &filled, &err), 0);
    assert_int_equal(filled, 2);
    check_counts("{\"pending\":2,\"undone\":2,\"idle\":1,\"redone\":1,\"nobody_home\":2}");
    assert_int_equal(run_merge_review(store, id, review, now, &filled, &err), 0);
    assert_int_equal(filled, 2);
    assert_int_equal(run_merge_review(store, id, review, now + 1, &filled, &err), 0);
    assert_int_equal(filled, 3);
    json_object_put(review);
}

static void a_trials_review_tells_of_no_run(void **state)
{
    (void)state;
    struct error err;
    int filled = 0;
    add_run("a", at0);
    json_object *review = json_object_new_object(), *log = json_object_new_array();
    assert_int_equal(run_merge_review(store, id, review, at0 * 2, &filled, &err), 0);
    json_object_object_add(review, "log", log);
    assert_int_equal(run_merge_review(store, id, review, at0 * 2, &filled, &err), 0);
    add_fire(log, at0, "hit", at0);
    assert_int_equal(run_merge_review(store, id, review, at0 * 2, &filled, &err), 0);
    assert_int_equal(filled, 0);
    check_counts("{\"pending\":1}");
    json_object_put(review);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(settled_once, clear),
        cmocka_unit_test_setup(as_many_at_once, clear),
        cmocka_unit_test_setup(undone_by_a_person_is_counted, clear),
        cmocka_unit_test_setup(redone_on_that_day, clear),
        cmocka_unit_test_setup(filled_in_from_a_review, clear),
        cmocka_unit_test_setup(a_trials_review_tells_of_no_run, clear),
    };
    return cmocka_run_group_tests(tests, scratch_store_make, scratch_store_remove);
}
