/* When the recorder was running: what its runs say. The end of one that crashed is uncertain, and
 * taken back to the last row before it. */
#include <stdlib.h>

#include "core/xalloc.h"
#include "source/recorder_scan.h"

enum { EXACT_ENDS_MAX = 1000 }; /* uncertain ends that are looked up; seldom more than a few */

struct run {
    int64_t from_ms, to_ms; /* to_ms 0: still open */
    bool is_end_uncertain;  /* it was written at the next start */
};

static bool parse_run(sqlite3_stmt *stmt, struct run *run)
{
    const char *start = (const char *)sqlite3_column_text(stmt, 0);
    const char *end = (const char *)sqlite3_column_text(stmt, 1);
    *run = (struct run){.is_end_uncertain = sqlite3_column_int(stmt, 2) != 0};
    if (start == NULL || recorder_parse_time(start, &run->from_ms) != 0)
        return false;
    return end == NULL || recorder_parse_time(end, &run->to_ms) == 0;
}

struct runs {
    struct run *list;
    size_t count, capacity;
};

static void add_run(struct runs *runs, struct run run)
{
    runs->list = grow_array(runs->list, runs->count, &runs->capacity, sizeof *runs->list);
    runs->list[runs->count++] = run;
}

static int list_runs(struct scan *scan, struct runs *runs, struct error *err)
{
    static const char sql[] =
        "SELECT start, \"end\", closed_incorrect FROM recorder_runs ORDER BY start LIMIT ?1";
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(scan->recorder->db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return recorder_error(scan->recorder, err);
    sqlite3_bind_int(stmt, 1, BUILDER_SPANS_MAX);
    struct run run;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (!parse_run(stmt, &run))
            continue;
        struct run *previous = runs->count > 0 ? &runs->list[runs->count - 1] : NULL;
        if (previous != NULL && previous->to_ms == 0) {
            /* A crash, of which the next start has not told yet. */
            previous->to_ms = run.from_ms;
            previous->is_end_uncertain = true;
        }
        add_run(runs, run);
    }
    int result = rc == SQLITE_DONE ? 0 : recorder_error(scan->recorder, err);
    sqlite3_finalize(stmt);
    if (runs->count == 0)
        add_run(runs, (struct run){.from_ms = 0});
    struct run *last = &runs->list[runs->count - 1];
    if (last->to_ms == 0) /* is running */
        *last = (struct run){.from_ms = last->from_ms, .to_ms = INT64_MAX};
    return result;
}

int recorder_runs_read(struct scan *scan, bool by_entity, struct error *err)
{
    struct runs runs = {.list = NULL};
    int result = list_runs(scan, &runs, err), exact = 0;
    for (size_t i = 0; i < runs.count && result == 0; i++) {
        struct run *run = &runs.list[i];
        if (run->is_end_uncertain && by_entity && exact++ < EXACT_ENDS_MAX)
            result = recorder_slices_last_row(scan, run->from_ms, run->to_ms, &run->to_ms, err);
        else if (run->is_end_uncertain)
            run->to_ms = builder_last_noted(&scan->builder, run->from_ms, run->to_ms);
        builder_add_span(&scan->builder, run->from_ms, run->to_ms);
    }
    free(runs.list);
    return result;
}
