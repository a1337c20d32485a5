/* Reading the recorder's rows in one pass by state_id, in short read transactions, so that Home
 * Assistant can always write and checkpoint. Most rows are numbers that nobody keeps: a filter
 * inside the query counts them, and only the others come out of SQLite. For databases without the
 * index that recorder_slices.c needs. */
#include "core/clock.h"
#include "source/recorder_scan.h"

struct pass {
    struct scan *scan;
    struct recorder_lookup lookup;
    int64_t deadline_ms; /* of the running chunk */
    int64_t done_id;     /* it began behind this row, and so will the next one */
    int64_t chunk_rows;  /* that the filter has looked at */
    bool time_is_up;

    bool is_row_pending; /* the filter let the last one pass; the loop has not had it yet */
    bool is_row_kept;    /* it is one to keep: */
    size_t entity;
    int64_t time_ms;
};

enum { COLUMN_ID, COLUMN_STATE };

/* Seconds since 1970 to ms; -1 when it is no time that a row may have, as NULL. */
static int64_t time_of_value(sqlite3_value *value)
{
    double ms = sqlite3_value_double(value) * 1000 + 0.5;
    if (!(ms >= (double)BUILDER_TIME_MIN_MS && ms < (double)BUILDER_TIME_MAX_MS))
        return -1;
    return (int64_t)ms;
}

/* The filter keep_row(metadata_id, last_updated_ts): counts the row and says whether it shall come
 * out. The last row of a chunk always does, so that the loop can end it. */
static void keep_row(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    struct pass *pass = sqlite3_user_data(context);
    struct scan *scan = pass->scan;
    pass->is_row_kept = false;
    if (++pass->chunk_rows % SCAN_CLOCK_EVERY == 0)
        pass->time_is_up = clock_monotonic_ms() >= pass->deadline_ms;
    int32_t entity = id_map_get(&scan->entities, sqlite3_value_int64(values[0]));
    int64_t time_ms = time_of_value(values[1]);
    if (entity == SCAN_EXCLUDED) {
        /* not even counted */
    } else if (entity < 0 || time_ms < 0) {
        scan->stats->skipped++;
    } else if (time_ms >= scan->since_ms && time_ms < scan->until_ms) {
        builder_note_time(&scan->builder, time_ms);
        pass->entity = (size_t)entity;
        pass->time_ms = time_ms;
        pass->is_row_kept = builder_wants(&scan->builder.series[entity], time_ms);
    }
    pass->is_row_pending = pass->is_row_kept || pass->time_is_up;
    sqlite3_result_int(context, pass->is_row_pending);
}

static int take_row(struct pass *pass, sqlite3_stmt *stmt, struct error *err)
{
    struct scan *scan = pass->scan;
    if (scan_take_state(scan, stmt, COLUMN_STATE, pass->entity, pass->time_ms,
                        &scan->stats->skipped, err) != 0)
        return -1;
    return scan_take_value(scan, &pass->lookup, stmt, COLUMN_STATE, pass->entity, pass->time_ms,
                           err);
}

/* One read transaction. *result is SQLite's: DONE at the end, ROW when the time was up. */
static int read_chunk(struct pass *pass, sqlite3_stmt *stmt, int *result, struct error *err)
{
    struct scan *scan = pass->scan;
    int64_t start_ms = clock_monotonic_ms();
    int rc, status = 0;
    pass->deadline_ms = start_ms + scan_chunk_ms(scan);
    pass->time_is_up = false;
    pass->is_row_pending = false;
    pass->chunk_rows = 0;
    sqlite3_bind_int64(stmt, 1, pass->done_id);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        pass->is_row_pending = false;
        if (pass->is_row_kept)
            status = take_row(pass, stmt, err);
        if (pass->time_is_up || status != 0)
            break;
    }
    if (rc == SQLITE_ROW)
        pass->done_id = sqlite3_column_int64(stmt, COLUMN_ID);
    else if (rc != SQLITE_DONE && rc != SQLITE_TOOBIG)
        status = recorder_error(scan->recorder, err);
    sqlite3_reset(stmt);
    scan_note_transaction(scan, clock_monotonic_ms() - start_ms);
    *result = rc;
    return status;
}

/* A value too large to load: go on behind its row. */
static int skip_huge_row(struct pass *pass, struct error *err)
{
    static const char sql[] = "SELECT state_id FROM states WHERE state_id > ?1"
                              " ORDER BY state_id LIMIT 1 OFFSET ?2";
    struct recorder *recorder = pass->scan->recorder;
    sqlite3_stmt *stmt = NULL;
    pass->scan->stats->skipped++;
    int rc = sqlite3_prepare_v2(recorder->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(stmt, 1, pass->done_id);
        /* Either the filter has let it pass, or it stumbled over the row after the last one. */
        sqlite3_bind_int64(stmt, 2, pass->chunk_rows - pass->is_row_pending);
        rc = sqlite3_step(stmt);
    }
    if (rc == SQLITE_ROW)
        pass->done_id = sqlite3_column_int64(stmt, COLUMN_ID);
    int result = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : recorder_error(recorder, err);
    sqlite3_finalize(stmt);
    return result;
}

int recorder_pass_read(struct scan *scan, struct error *err)
{
    static const char sql[] =
        "SELECT state_id, " SCAN_COLUMNS " FROM states WHERE state_id > ?1 AND state_id <= ?2"
        " AND keep_row(metadata_id, last_updated_ts) ORDER BY state_id";
    int64_t first = scan->first_id, last = scan->last_id;
    struct pass pass = {.scan = scan, .done_id = first - (first > INT64_MIN)};
    sqlite3 *db = scan->recorder->db;
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_create_function(db, "keep_row", 2, SQLITE_UTF8 | SQLITE_DIRECTONLY, &pass, keep_row,
                                NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return recorder_error(scan->recorder, err);
    sqlite3_bind_int64(stmt, 2, last);
    int result = recorder_lookup_init(&pass.lookup, scan->recorder, err), rc = SQLITE_ROW;
    while (result == 0 && rc != SQLITE_DONE) {
        result = read_chunk(&pass, stmt, &rc, err);
        if (result == 0 && rc == SQLITE_TOOBIG)
            result = skip_huge_row(&pass, err);
        double span = (double)last - (double)first + 1;
        scan_tell_progress(scan, ((double)pass.done_id - (double)first) / span);
        if (rc == SQLITE_ROW)
            scan_pause();
    }
    recorder_lookup_release(&pass.lookup);
    sqlite3_finalize(stmt);
    return result;
}
