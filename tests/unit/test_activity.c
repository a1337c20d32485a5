/* Counts of what was learned and done. */
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

#include "core/xalloc.h"
#include "scratch_store.h"
#include "store/activity.h"
#include "store/archive.h"
#include "store/statement.h"
#include "store/suggestions.h"

static void runs_of_a_time_are_counted(void **state)
{
    (void)state;
    struct error err;
    int64_t count;
    assert_int_equal(activity_run_count(store, 0, &count, &err), 0);
    assert_int_equal(count, 0);
    static const int64_t at_ms[] = {1000, 2000, 3000};
    for (int i = 0; i < 3; i++) {
        char context[4] = {'c', (char)('0' + i), '\0'};
        assert_int_equal(run_record(store, "ha_ai_x", context, true, "triggered", at_ms[i], &err),
                         0);
    }
    /* a report of one of them is no other run; one that HA did not tell of is */
    assert_int_equal(run_record(store, "ha_ai_x", "c1", false, "executed", 2001, &err), 0);
    assert_int_equal(run_record(store, "ha_ai_y", "d", false, "failed", 900000, &err), 0);
    assert_int_equal(activity_run_count(store, 2000, &count, &err), 0);
    assert_int_equal(count, 3);
    assert_int_equal(activity_run_count(store, 900001, &count, &err), 0);
    assert_int_equal(count, 0);
}

static void what_is_undone_is_counted(void **state)
{
    (void)state;
    struct error err;
    int64_t count;
    static const struct {
        int64_t at_ms;
        const char *to;
    } steps[] = {{1000, "undone"}, {2000, "undone"}, {3000, "deployed"}, {4000, "undone"}};
    for (size_t i = 0; i < 4; i++) {
        sqlite3_stmt *stmt = statement(store,
                                       "INSERT INTO audit (at_ms, who, suggestion, from_state, "
                                       "to_state) VALUES (?1, 'p', 's', 'deployed', ?2)",
                                       &err);
        assert_non_null(stmt);
        bind_int(stmt, 1, steps[i].at_ms);
        bind_text(stmt, 2, steps[i].to);
        assert_int_equal(statement_run(store, stmt, &err), 0);
    }
    assert_int_equal(activity_undo_count(store, 2000, &count, &err), 0);
    assert_int_equal(count, 2);
}

static void habits_that_are_gone_are_not_counted(void **state)
{
    (void)state;
    struct error err;
    int64_t count;
    for (int i = 0; i < SUGGESTION_STATE_COUNT; i++) {
        sqlite3_stmt *stmt =
            statement(store,
                      "INSERT INTO suggestion (id, family, state, title, content, "
                      "rank, days, said_days, created_ms, updated_ms, deployed_ms, is_gone)"
                      " VALUES (?1, 'f', ?2, ?1, '{}', 0, 127, 127, 0, 0, 0, ?2 = 5)",
                      &err);
        assert_non_null(stmt);
        char id[16];
        snprintf(id, sizeof(id), "s%d", i);
        bind_text(stmt, 1, id);
        bind_int(stmt, 2, i);
        assert_int_equal(statement_run(store, stmt, &err), 0);
    }
    assert_int_equal(activity_habit_count(store, &count, &err), 0);
    assert_int_equal(count,
                     SUGGESTION_STATE_COUNT - 2); /* nor the refined one: what took its place is */
}

static void days_of_the_archive(void **state)
{
    (void)state;
    struct error err;
    int64_t count = 7;
    char *path = scratch_path("x-archive.db");
    assert_int_equal(activity_archive_days(path, &count, &err), 0);
    assert_int_equal(count, 0); /* there is none, and none is made */
    assert_int_equal(access(path, F_OK), -1);
    struct archive *archive = archive_open(path, false, &err);
    assert_non_null(archive);
    assert_int_equal(archive_begin(archive, &err), 0);
    for (int64_t day = 20000; day < 20003; day++) {
        struct archive_day one = {.day = day, .from_ms = day * 86400000, .to_ms = day * 86400000};
        assert_int_equal(archive_add_day(archive, &one, &err), 0);
    }
    assert_int_equal(archive_commit(archive, &err), 0);
    assert_int_equal(activity_archive_days(path, &count, &err), 0);
    assert_int_equal(count, 3);
    archive_close(archive);
    FILE *file = fopen(path, "w");
    fputs("no database, but long enough to be looked at", file);
    fclose(file);
    assert_int_equal(activity_archive_days(path, &count, &err), -1);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_of_a_time_are_counted),
        cmocka_unit_test(what_is_undone_is_counted),
        cmocka_unit_test(habits_that_are_gone_are_not_counted),
        cmocka_unit_test(days_of_the_archive),
    };
    return cmocka_run_group_tests(tests, scratch_store_make, scratch_store_remove);
}
