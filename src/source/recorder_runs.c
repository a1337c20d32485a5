/* When the recorder was running: what its runs say. The end of one that crashed is uncertain, and
 * taken back to the last row before it. */
#include <stdlib.h>

#include "core/xalloc.h"
#include "source/recorder_scan.h"

enum { EXACT_ENDS_MAX = 1000 }; /* uncertain ends that are looked up; seldom more than a few */

static bool parse_run(sqlite3_stmt *stmt, struct recorder_run *run)
{
    const char *start = (const char *)sqlite3_column_text(stmt, 0);
    const char *end = (const char *)sqlite3_column_text(stmt, 1);
    *run = (struct recorder_run){.is_end_uncertain = sqlite3_column_int(stmt, 2) != 0};
    if (start == NULL || recorder_parse_time(start, &run->from_ms) != 0)
        return false;
    return end == NULL || recorder_parse_time(end, &run->to_ms) == 0;
}

int recorder_runs_list(struct recorder *recorder, struct recorder_run **out, size_t *count,
                       struct error *err)
{
    static const char sql[] =
        "SELECT start, \"end\", closed_incorrect FROM recorder_runs ORDER BY start LIMIT ?1";
    struct recorder_run *list = NULL, run;
    size_t capacity = 0;
    sqlite3_stmt *stmt = NULL;
    *out = NULL;
    *count = 0;
    int rc = sqlite3_prepare_v2(recorder->db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return recorder_error(recorder, err);
    sqlite3_bind_int(stmt, 1, BUILDER_SPANS_MAX);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (!parse_run(stmt, &run))
            continue;
        struct recorder_run *previous = *count > 0 ? &list[*count - 1] : NULL;
        if (previous != NULL && previous->to_ms == 0) {
            /* A crash, of which the next start has not told yet. */
            previous->to_ms = run.from_ms;
            previous->is_end_uncertain = true;
        }
        list = grow_array(list, *count, &capacity, sizeof *list);
        list[(*count)++] = run;
    }
    int result = rc == SQLITE_DONE ? 0 : recorder_error(recorder, err);
    sqlite3_finalize(stmt);
    if (*count == 0) {
        list = grow_array(list, 0, &capacity, sizeof *list);
        list[(*count)++] = (struct recorder_run){.from_ms = 0};
    }
    struct recorder_run *last = &list[*count - 1];
    if (last->to_ms == 0) /* is running */
        *last = (struct recorder_run){.from_ms = last->from_ms, .to_ms = INT64_MAX};
    *out = list;
    return result;
}

int recorder_runs_read(struct scan *scan, bool by_entity, struct error *err)
{
    struct recorder_run *list;
    size_t count;
    int result = recorder_runs_list(scan->recorder, &list, &count, err), exact = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        struct recorder_run *run = &list[i];
        if (run->is_end_uncertain && by_entity && exact++ < EXACT_ENDS_MAX)
            result = recorder_slices_last_row(scan, run->from_ms, run->to_ms, &run->to_ms, err);
        else if (run->is_end_uncertain)
            run->to_ms = builder_last_noted(&scan->builder, run->from_ms, run->to_ms);
        builder_add_span(&scan->builder, run->from_ms, run->to_ms);
    }
    free(list);
    return result;
}
