/* What we wrote into HA, what is to be taken back, and which runs are still to be told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "scratch_store.h"
#include "store/run_problem.h"
#include "store/suggestions.h"
#include "store/written.h"

static void put(const char *id, const char *text, bool is_live)
{
    json_object *content = json_parse(text, strlen(text), NULL);
    assert_int_equal(written_put(store, id, content, is_live, 1, NULL), 0);
    json_object_put(content);
}

/* expected NULL = nothing there. */
static void check(const char *id, int depth, const char *expected)
{
    json_object *content;
    int found = written_get(store, id, depth, &content, NULL);
    assert_int_equal(found, expected != NULL);
    if (expected != NULL)
        assert_string_equal(json_text(content), expected);
    json_object_put(content);
}

static void test_versions(void **state)
{
    (void)state;
    check("x", 0, NULL);
    assert_int_equal(written_has_remains(store, "x", NULL), 0);
    put("x", "{\"v\":1}", true);
    put("y", "{\"v\":7}", true);
    put("x", "{\"v\":1}", true); /* the same once more */
    check("x", 1, NULL);
    put("x", "{\"v\":2}", false); /* saved, but does not run */
    check("x", 0, "{\"v\":2}");
    check("x", 1, "{\"v\":1}");
    assert_int_equal(written_has_remains(store, "x", NULL), 1);
    assert_int_equal(written_has_remains(store, "y", NULL), 0);
    put("x", "{\"v\":3}", true); /* what never ran is not brought back */
    check("x", 0, "{\"v\":3}");
    assert_int_equal(written_has_remains(store, "x", NULL), 0);
    check("x", 1, "{\"v\":1}");
    assert_int_equal(written_drop(store, "x", NULL), 0);
    check("x", 0, "{\"v\":1}");
    assert_int_equal(written_erase(store, "x", NULL), 0);
    check("x", 0, NULL);
    check("y", 0, "{\"v\":7}");
}

static void test_the_most_versions(void **state)
{
    (void)state;
    for (int i = 0; i < WRITTEN_VERSIONS_MAX + 3; i++) {
        char text[32];
        snprintf(text, sizeof(text), "{\"v\":%d}", i);
        put("x", text, true);
    }
    check("x", WRITTEN_VERSIONS_MAX, NULL);
    check("x", WRITTEN_VERSIONS_MAX - 1, "{\"v\":3}");
    check("x", 0, "{\"v\":7}");
}

static void test_labels(void **state)
{
    (void)state;
    char *id;
    put("failed", "{}", false);
    assert_int_equal(written_next_unlabelled(store, &id, NULL), 0);
    put("x", "{\"v\":1}", true);
    assert_int_equal(written_next_unlabelled(store, &id, NULL), 1);
    assert_string_equal(id, "x");
    free(id);
    assert_int_equal(written_set_labelled(store, "x", NULL), 0);
    put("x", "{\"v\":2}", true); /* a newer version has it already */
    assert_int_equal(written_next_unlabelled(store, &id, NULL), 0);
}

static void test_wishes(void **state)
{
    (void)state;
    char *id, *who;
    assert_int_equal(undo_next(store, &id, &who, NULL), 0);
    assert_int_equal(undo_ask(store, "b", "anna", 2, NULL), 0);
    assert_int_equal(undo_ask(store, "b", "ben", 3, NULL), 0);
    assert_int_equal(undo_ask(store, "a", NULL, 1, NULL), 0);
    assert_int_equal(undo_next(store, &id, &who, NULL), 1);
    assert_string_equal(id, "a");
    assert_string_equal(who, "");
    assert_true(undo_is_asked(store, "a"));
    assert_int_equal(undo_end(store, id, NULL), 0);
    free(id);
    free(who);
    assert_false(undo_is_asked(store, "a"));
    assert_int_equal(undo_next(store, &id, &who, NULL), 1);
    assert_string_equal(id, "b");
    assert_string_equal(who, "anna");
    free(id);
    free(who);
}

static void record(const char *context, bool from_ha, const char *status, int64_t at_ms)
{
    assert_int_equal(run_record(store, "x", context, from_ha, status, at_ms, NULL), 0);
}

/* Tells the next problem; "" = there is none. */
static void expect_problem(int64_t now_ms, const char *context, const char *reason, bool failed)
{
    struct run_problem problem = {0};
    assert_int_equal(run_next_problem(store, now_ms, &problem, NULL), *context != '\0');
    if (*context == '\0')
        return;
    assert_string_equal(problem.automation, "x");
    assert_string_equal(problem.context, context);
    assert_int_equal(problem.failed, failed);
    if (reason != NULL)
        assert_string_equal(problem.reason, reason);
    else
        assert_null(problem.reason);
    assert_int_equal(run_set_told(store, "x", context, NULL), 0);
    run_problem_release(&problem);
}

static void test_runs_to_tell(void **state)
{
    (void)state;
    record("fine", true, "triggered", 1000);
    record("fine", false, "executed", 2000);
    record("silent", true, "triggered", 3000);
    expect_problem(3000 + RUN_REPORT_MS, "", NULL, false);
    expect_problem(3001 + RUN_REPORT_MS, "silent", NULL, false);
    expect_problem(3001 + RUN_REPORT_MS, "", NULL, false);
    record("silent", false, "failed", 90000); /* it said so at last */
    expect_problem(90000, "silent", NULL, true);
    record("silent", false, "failed", 90000); /* and once more */
    expect_problem(90000, "", NULL, false);

    char longest[RUN_REASON_MAX + 3];
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + RUN_REASON_MAX - 1, "ü", 3); /* cut before it, not within */
    record("failed", false, "failed", 100000);
    assert_int_equal(run_set_reason(store, "x", "failed", longest, NULL), 0);
    longest[RUN_REASON_MAX - 1] = '\0';
    expect_problem(100000, "failed", longest, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_versions), STORE_TEST(test_the_most_versions), STORE_TEST(test_labels),
        STORE_TEST(test_wishes),   STORE_TEST(test_runs_to_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
