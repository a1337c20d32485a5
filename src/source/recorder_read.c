/* Reading the recorder's rows in one pass by state_id, in short read transactions, so that Home
 * Assistant can always write and checkpoint. Most rows are numbers that nobody keeps: a filter
 * inside the query counts them, and only the others come out of SQLite. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "source/builder.h"
#include "source/exclusion.h"
#include "source/id_map.h"
#include "source/recorder.h"
#include "source/recorder_cause.h"
#include "source/storage.h"

enum {
    CLOCK_EVERY = 64,     /* rows between two looks at the clock */
    PAUSE_MS = 2,         /* between two chunks: room for whoever waits for the lock */
    ENTITY_EXCLUDED = -2, /* in the map of metadata ids; ID_MAP_NONE: malformed */
};

struct scan {
    struct recorder *recorder;
    const struct source_options *options;
    struct source_stats *stats;
    struct builder builder;
    struct id_map entities; /* metadata_id -> index */
    struct recorder_cause causes;
    int64_t since_ms, until_ms;

    int64_t deadline_ms; /* of the running chunk */
    int64_t done_id;     /* it began behind this row, and so will the next one */
    int64_t chunk_rows;  /* that the filter has looked at */
    bool time_is_up;

    bool is_row_pending; /* the filter let the last one pass; the loop has not had it yet */
    bool is_row_kept;    /* it is one to keep: */
    size_t entity;
    int64_t time_ms;
};

static void tell_progress(const struct scan *scan, int percent)
{
    if (scan->options->progress != NULL)
        scan->options->progress(percent, "reading the history", scan->options->progress_ctx);
}

/* --- the small tables --- */

static int add_entity(struct scan *scan, const struct exclusion *exclusion, int64_t metadata_id,
                      const char *entity_id, size_t length, struct error *err)
{
    if (scan->entities.count == HISTORY_ENTITIES_MAX)
        return error_set(err, ERROR_LIMIT, "'%s' has more than %d entities", scan->recorder->path,
                         HISTORY_ENTITIES_MAX);
    int32_t index = ID_MAP_NONE;
    if (entity_id != NULL && strlen(entity_id) == length)
        index = exclusion_matches(exclusion, entity_id)
                    ? ENTITY_EXCLUDED
                    : (int32_t)builder_add_entity(&scan->builder, entity_id, length);
    id_map_put(&scan->entities, metadata_id, index);
    return 0;
}

struct entity_page {
    struct scan *scan;
    struct exclusion exclusion;
};

static int take_entity(sqlite3_stmt *stmt, void *ctx, struct error *err)
{
    const struct entity_page *page = ctx;
    bool is_text = sqlite3_column_type(stmt, 1) == SQLITE_TEXT;
    return add_entity(page->scan, &page->exclusion, sqlite3_column_int64(stmt, 0),
                      is_text ? (const char *)sqlite3_column_text(stmt, 1) : NULL,
                      is_text ? (size_t)sqlite3_column_bytes(stmt, 1) : 0, err);
}

static int read_entities(struct scan *scan, struct error *err)
{
    static const char sql[] = "SELECT metadata_id, entity_id FROM states_meta"
                              " WHERE metadata_id > ?1 ORDER BY metadata_id LIMIT ?2";
    struct entity_page page = {.scan = scan};
    if (exclusion_init(&page.exclusion, scan->options->exclude, err) != 0)
        return -1;
    int result = recorder_read_pages(scan->recorder, sql, 0, take_entity, &page, err);
    exclusion_release(&page.exclusion);
    return result;
}

/* --- the states --- */

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
    struct scan *scan = sqlite3_user_data(context);
    scan->is_row_kept = false;
    if (++scan->chunk_rows % CLOCK_EVERY == 0)
        scan->time_is_up = clock_monotonic_ms() >= scan->deadline_ms;
    int32_t entity = id_map_get(&scan->entities, sqlite3_value_int64(values[0]));
    int64_t time_ms = time_of_value(values[1]);
    if (entity == ENTITY_EXCLUDED) {
        /* not even counted */
    } else if (entity < 0 || time_ms < 0) {
        scan->stats->skipped++;
    } else if (time_ms >= scan->since_ms && time_ms < scan->until_ms) {
        builder_count_row(&scan->builder, (size_t)entity, time_ms);
        scan->entity = (size_t)entity;
        scan->time_ms = time_ms;
        scan->is_row_kept = !scan->builder.series[entity].is_dropped;
    }
    scan->is_row_pending = scan->is_row_kept || scan->time_is_up;
    sqlite3_result_int(context, scan->is_row_pending);
}

enum state_column {
    COLUMN_ID,
    COLUMN_STATE,
    COLUMN_CONTEXT, /* and user and parent */
    COLUMN_USER,
    COLUMN_PARENT,
    COLUMN_ATTRIBUTES
};

static int take_row(struct scan *scan, sqlite3_stmt *stmt, struct error *err)
{
    const char *state = NULL;
    int length = 0;
    switch (sqlite3_column_type(stmt, COLUMN_STATE)) {
    case SQLITE_NULL:
        break;
    case SQLITE_TEXT:
        state = (const char *)sqlite3_column_text(stmt, COLUMN_STATE);
        length = sqlite3_column_bytes(stmt, COLUMN_STATE);
        break;
    default: /* never Home Assistant's doing */
        scan->stats->skipped++;
        return 0;
    }
    if (sqlite3_column_type(stmt, COLUMN_ATTRIBUTES) == SQLITE_INTEGER)
        scan->builder.series[scan->entity].attributes_id =
            sqlite3_column_int64(stmt, COLUMN_ATTRIBUTES);
    return builder_add_state(&scan->builder, scan->entity, scan->time_ms, state, (size_t)length,
                             recorder_cause_of_row(&scan->causes, stmt, COLUMN_CONTEXT), err);
}

/* One read transaction. *result is SQLite's: DONE at the end, ROW when the time was up. */
static int read_chunk(struct scan *scan, sqlite3_stmt *stmt, int *result, struct error *err)
{
    int chunk_ms = scan->options->chunk_ms > 0 ? scan->options->chunk_ms : SOURCE_CHUNK_MS;
    int64_t start_ms = clock_monotonic_ms();
    int rc, status = 0;
    scan->deadline_ms = start_ms + chunk_ms;
    scan->time_is_up = false;
    scan->is_row_pending = false;
    scan->chunk_rows = 0;
    sqlite3_bind_int64(stmt, 1, scan->done_id);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        scan->is_row_pending = false;
        if (scan->is_row_kept)
            status = take_row(scan, stmt, err);
        if (scan->time_is_up || status != 0)
            break;
    }
    if (rc == SQLITE_ROW)
        scan->done_id = sqlite3_column_int64(stmt, COLUMN_ID);
    else if (rc != SQLITE_DONE && rc != SQLITE_TOOBIG)
        status = recorder_error(scan->recorder, err);
    sqlite3_reset(stmt);
    int64_t took_ms = clock_monotonic_ms() - start_ms;
    if (took_ms > scan->stats->longest_read_ms)
        scan->stats->longest_read_ms = took_ms;
    scan->stats->chunks++;
    *result = rc;
    return status;
}

/* The two numbers of a query that is bound to done_id and another number. */
static int query_ids(struct scan *scan, const char *sql, int64_t number, int64_t *first,
                     int64_t *second, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(scan->recorder->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(stmt, 1, scan->done_id);
        sqlite3_bind_int64(stmt, 2, number);
        rc = sqlite3_step(stmt);
    }
    if (rc == SQLITE_ROW) {
        *first = sqlite3_column_int64(stmt, 0);
        *second = sqlite3_column_int64(stmt, 1);
    }
    int result = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : recorder_error(scan->recorder, err);
    sqlite3_finalize(stmt);
    return result;
}

/* A value too large to load: go on behind its row. */
static int skip_huge_row(struct scan *scan, struct error *err)
{
    static const char sql[] = "SELECT state_id, 0 FROM states WHERE state_id > ?1"
                              " ORDER BY state_id LIMIT 1 OFFSET ?2";
    int64_t unused;
    scan->stats->skipped++;
    /* Either the filter has let it pass, or it stumbled over the row after the last one. */
    return query_ids(scan, sql, scan->chunk_rows - scan->is_row_pending, &scan->done_id, &unused,
                     err);
}

static int read_states(struct scan *scan, int64_t first, int64_t last, struct error *err)
{
    static const char sql[] = "SELECT state_id, state, context_id_bin, context_user_id_bin, "
                              "context_parent_id_bin, attributes_id"
                              " FROM states WHERE state_id > ?1 AND state_id <= ?2"
                              " AND keep_row(metadata_id, last_updated_ts) ORDER BY state_id";
    sqlite3 *db = scan->recorder->db;
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_create_function(db, "keep_row", 2, SQLITE_UTF8 | SQLITE_DIRECTONLY, scan, keep_row,
                                NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return recorder_error(scan->recorder, err);
    sqlite3_bind_int64(stmt, 2, last);
    scan->done_id = first - (first > INT64_MIN);
    int result = 0, rc = SQLITE_ROW;
    while (result == 0 && rc != SQLITE_DONE) {
        result = read_chunk(scan, stmt, &rc, err);
        if (result == 0 && rc == SQLITE_TOOBIG)
            result = skip_huge_row(scan, err);
        double span = (double)last - (double)first + 1;
        tell_progress(scan, (int)(((double)scan->done_id - (double)first) / span * 100));
        if (rc == SQLITE_ROW)
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
    }
    sqlite3_finalize(stmt);
    return result;
}

/* --- when the recorder was running --- */

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

static int read_runs(struct scan *scan, struct error *err)
{
    static const char sql[] =
        "SELECT start, \"end\", closed_incorrect FROM recorder_runs ORDER BY start LIMIT ?1";
    struct builder *b = &scan->builder;
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(scan->recorder->db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return recorder_error(scan->recorder, err);
    sqlite3_bind_int(stmt, 1, BUILDER_SPANS_MAX);
    struct run open = {0}, run;
    bool is_open = false, any = false;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (!parse_run(stmt, &run))
            continue;
        if (is_open) /* a crash, of which the next start has not told yet */
            builder_add_span(b, open.from_ms, run.from_ms, true);
        any = true;
        is_open = run.to_ms == 0;
        open = run;
        if (!is_open)
            builder_add_span(b, run.from_ms, run.to_ms, run.is_end_uncertain);
    }
    int result = rc == SQLITE_DONE ? 0 : recorder_error(scan->recorder, err);
    sqlite3_finalize(stmt);
    if (is_open || !any)
        builder_add_span(b, is_open ? open.from_ms : 0, INT64_MAX, false);
    return result;
}

/* --- names --- */

static char *friendly_name(const char *attributes, size_t length)
{
    json_object *object = json_parse(attributes, length, NULL);
    const char *name = json_get_string(object, "friendly_name");
    char *copy = name != NULL && name[0] != '\0' ? storage_copy_name(name) : NULL;
    json_object_put(object);
    return copy;
}

/* Of the entities that are kept only. */
static int read_friendly_names(struct scan *scan, struct error *err)
{
    static const char sql[] = "SELECT shared_attrs FROM state_attributes WHERE attributes_id = ?1";
    struct history *h = scan->builder.history;
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(scan->recorder->db, sql, -1, &stmt, NULL);
    for (size_t i = 0; i < h->entity_count && rc == SQLITE_OK; i++) {
        struct history_entity *e = &h->entities[i];
        if (e->changes == 0 || scan->builder.series[i].attributes_id == 0)
            continue;
        sqlite3_bind_int64(stmt, 1, scan->builder.series[i].attributes_id);
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) == SQLITE_TEXT)
            e->name = friendly_name((const char *)sqlite3_column_text(stmt, 0),
                                    (size_t)sqlite3_column_bytes(stmt, 0));
        if (rc == SQLITE_ROW || rc == SQLITE_DONE || rc == SQLITE_TOOBIG)
            rc = SQLITE_OK;
        sqlite3_reset(stmt);
    }
    int result = rc == SQLITE_OK ? 0 : recorder_error(scan->recorder, err);
    sqlite3_finalize(stmt);
    return result;
}

/* --- all of it --- */

static int read_everything(struct scan *scan, struct error *err)
{
    int64_t first = 0, last = 0;
    /* The bound first: whatever entity comes later is not among the rows up to it. */
    if (query_ids(scan,
                  "SELECT (SELECT min(state_id) FROM states), (SELECT max(state_id) FROM states)",
                  0, &first, &last, err) != 0)
        return -1;
    if (read_entities(scan, err) != 0 ||
        recorder_cause_read(&scan->causes, scan->recorder, INT64_MIN, err) != 0 ||
        read_states(scan, first, last, err) != 0 || read_runs(scan, err) != 0 ||
        read_friendly_names(scan, err) != 0)
        return -1;
    storage_read_names(scan->recorder->path, &scan->builder);
    builder_finish(&scan->builder);
    return 0;
}

int recorder_read(void *recorder, const struct source_options *options, struct history *h,
                  struct source_stats *stats, struct error *err)
{
    struct scan scan = {.recorder = recorder,
                        .options = options,
                        .stats = stats,
                        .since_ms = options->since_ms,
                        .until_ms = options->until_ms > 0 ? options->until_ms : INT64_MAX};
    builder_init(&scan.builder, h);
    id_map_init(&scan.entities);
    recorder_cause_init(&scan.causes);
    int result = read_everything(&scan, err);
    if (result == 0 && stats->skipped > 0)
        log_warn("source", "%llu rows skipped: without a usable time, entity or state",
                 (unsigned long long)stats->skipped);
    builder_release(&scan.builder);
    id_map_release(&scan.entities);
    recorder_cause_release(&scan.causes);
    return result;
}
