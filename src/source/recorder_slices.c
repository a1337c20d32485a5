/* Reading what the miners need alone: entity by entity through the index of (metadata_id,
 * last_updated_ts), so that a numeric sensor costs the few rows that show what it is, not its
 * millions.
 *
 * An entity's rows lie scattered over the table, among those of all others. So the time is cut into
 * slices, each short enough for its part of the table to stay in SQLite's cache until every entity
 * had its turn. The entities of a slice are shared out to several connections, one a thread, that
 * go on to the next slice by themselves; each entity's rows are read in their order, so that the
 * result is the same for any number of threads.
 *
 * All connections begin and end their read transactions together: between two of them no one reads,
 * and Home Assistant can checkpoint. */
#include <math.h>
#include <sched.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/order.h"
#include "core/parallel.h"
#include "core/tz.h"
#include "core/xalloc.h"
#include "source/recorder_scan.h"

enum {
    SLICE_ROWS = 50000,  /* of the table: some 4 MB */
    SLICE_ROWS_MIN = 16, /* of each entity: else looking them up costs more than reading */
    SLICES_MAX = 1000,
    SLICE_CACHE_KB = 4000, /* of each connection */
    CONNECTIONS_MAX = 4,
    ROWS_PER_THREAD = 100000, /* fewer are not worth another one */
};

/* A row that the clock's sums put on the wrong side of a bound is sorted out later, in ms. */
static double seconds(int64_t ms)
{
    return ((double)ms - 0.5) / 1000;
}

static int64_t milliseconds(double s)
{
    return (int64_t)(s * 1000 + 0.5);
}

/* The bounds in time of what is to be read. */
static int64_t begin_ms(const struct scan *scan)
{
    return scan->since_ms > BUILDER_TIME_MIN_MS ? scan->since_ms : BUILDER_TIME_MIN_MS;
}

static int64_t end_ms(const struct scan *scan)
{
    return scan->until_ms < BUILDER_TIME_MAX_MS ? scan->until_ms : BUILDER_TIME_MAX_MS;
}

int recorder_slices_are_possible(const struct scan *scan, struct error *err)
{
    static const char sql[] =
        "SELECT group_concat(name) = 'metadata_id,last_updated_ts' FROM (SELECT name"
        " FROM pragma_index_xinfo('ix_states_metadata_id_last_updated_ts')"
        " WHERE key = 1 AND \"desc\" = 0 ORDER BY seqno) WHERE EXISTS (SELECT 1"
        " FROM pragma_index_list('states')"
        " WHERE name = 'ix_states_metadata_id_last_updated_ts' AND partial = 0)";
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(scan->recorder->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    int result =
        rc == SQLITE_ROW ? sqlite3_column_int(stmt, 0) : recorder_error(scan->recorder, err);
    sqlite3_finalize(stmt);
    return result;
}

/* --- single rows, by the index alone --- */

struct probe {
    struct scan *scan;
    sqlite3_stmt *first, *last; /* of an entity in a time */
    int64_t start_ms;           /* of the transaction */
    unsigned count;
};

static int begin(struct probe *probe, struct error *err)
{
    probe->start_ms = clock_monotonic_ms();
    if (sqlite3_exec(probe->scan->recorder->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        return recorder_error(probe->scan->recorder, err);
    return 0;
}

static void end(struct probe *probe)
{
    sqlite3_exec(probe->scan->recorder->db, "COMMIT", NULL, NULL, NULL);
    int64_t took_ms = clock_monotonic_ms() - probe->start_ms;
    if (took_ms > probe->scan->stats->longest_read_ms)
        probe->scan->stats->longest_read_ms = took_ms;
}

static int probe_open(struct probe *probe, struct scan *scan, struct error *err)
{
    static const char first[] =
        "SELECT last_updated_ts FROM states INDEXED BY ix_states_metadata_id_last_updated_ts"
        " WHERE metadata_id = ?1 AND last_updated_ts >= ?2 AND last_updated_ts < ?3"
        " AND state_id <= ?4 ORDER BY last_updated_ts LIMIT 1";
    static const char last[] =
        "SELECT last_updated_ts FROM states INDEXED BY ix_states_metadata_id_last_updated_ts"
        " WHERE metadata_id = ?1 AND last_updated_ts >= ?2 AND last_updated_ts < ?3"
        " AND state_id <= ?4 ORDER BY last_updated_ts DESC LIMIT 1";
    sqlite3 *db = scan->recorder->db;
    *probe = (struct probe){.scan = scan};
    if (sqlite3_prepare_v2(db, first, -1, &probe->first, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, last, -1, &probe->last, NULL) != SQLITE_OK)
        return recorder_error(scan->recorder, err);
    sqlite3_bind_int64(probe->first, 4, scan->last_id);
    sqlite3_bind_int64(probe->last, 4, scan->last_id);
    return begin(probe, err);
}

static void probe_close(struct probe *probe)
{
    sqlite3_finalize(probe->first);
    sqlite3_finalize(probe->last);
    end(probe);
}

/* The time of the entity's first or last row within [from, to): 1, 0 without one, or -1. */
static int probe_row(struct probe *probe, sqlite3_stmt *stmt, size_t entity, int64_t from_ms,
                     int64_t to_ms, int64_t *row_ms, struct error *err)
{
    struct scan *scan = probe->scan;
    if (++probe->count % SCAN_CLOCK_EVERY == 0 &&
        clock_monotonic_ms() - probe->start_ms >= scan_chunk_ms(scan)) {
        end(probe);
        scan_pause();
        if (begin(probe, err) != 0)
            return -1;
    }
    sqlite3_bind_int64(stmt, 1, scan->metadata_ids[entity]);
    sqlite3_bind_double(stmt, 2, seconds(from_ms));
    sqlite3_bind_double(stmt, 3, seconds(to_ms));
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *row_ms = milliseconds(sqlite3_column_double(stmt, 0));
    sqlite3_reset(stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return recorder_error(scan->recorder, err);
    return rc == SQLITE_ROW && *row_ms >= from_ms && *row_ms < to_ms;
}

/* The last row of any entity within [from, to): 1, 0 without one, or -1. */
static int probe_last(struct probe *probe, int64_t from_ms, int64_t to_ms, int64_t *last_ms,
                      struct error *err)
{
    int found = 0;
    for (size_t i = 0; i < probe->scan->builder.history->entity_count; i++) {
        int64_t row_ms;
        int result = probe_row(probe, probe->last, i, from_ms, to_ms, &row_ms, err);
        if (result < 0)
            return -1;
        if (result > 0 && (!found || row_ms > *last_ms)) {
            *last_ms = from_ms = row_ms; /* what is earlier does not matter any more */
            found = 1;
        }
    }
    return found;
}

/* The first row of any entity within [from, to), or any one before enough_ms: the entity *hint is
 * asked first, and will be the one that had it. 1, 0 without one, or -1. */
static int probe_first(struct probe *probe, int64_t from_ms, int64_t enough_ms, int64_t to_ms,
                       size_t *hint, int64_t *first_ms, struct error *err)
{
    size_t count = probe->scan->builder.history->entity_count, begin_at = *hint;
    int found = 0;
    for (size_t k = 0; k < count; k++) {
        size_t entity = (begin_at + k) % count;
        int64_t row_ms;
        int result = probe_row(probe, probe->first, entity, from_ms, to_ms, &row_ms, err);
        if (result < 0)
            return -1;
        if (result == 0)
            continue;
        found = 1;
        *first_ms = row_ms;
        *hint = entity;
        if (row_ms < enough_ms)
            return 1;
        to_ms = row_ms; /* only earlier ones are of interest */
    }
    return found;
}

int recorder_slices_last_row(struct scan *scan, int64_t from_ms, int64_t to_ms, int64_t *last_ms,
                             struct error *err)
{
    const struct history *h = scan->builder.history;
    struct probe probe;
    if (from_ms < h->from_ms)
        from_ms = h->from_ms;
    if (to_ms > h->to_ms + 1)
        to_ms = h->to_ms + 1;
    *last_ms = from_ms;
    if (from_ms >= to_ms)
        return 0;
    int found = probe_open(&probe, scan, err);
    if (found == 0)
        found = probe_last(&probe, from_ms, to_ms, last_ms, err);
    probe_close(&probe);
    if (found > 0) /* as in builder_last_noted */
        *last_ms += BUILDER_UNIT_MS - (*last_ms - BUILDER_TIME_MIN_MS) % BUILDER_UNIT_MS;
    if (*last_ms > to_ms)
        *last_ms = to_ms;
    return found < 0 ? -1 : 0;
}

/* Notes the first and the last row, and one of each local day between that has any. Rows of
 * entities that are not read for their states count too. */
static int note_days(struct scan *scan, struct probe *probe, struct error *err)
{
    struct builder *b = &scan->builder;
    int64_t row_ms = 0, last_ms = 0;
    size_t hint = 0;
    struct tz_local local;
    int found = probe_first(probe, begin_ms(scan), INT64_MIN, end_ms(scan), &hint, &row_ms, err);
    if (found > 0)
        found = probe_last(probe, row_ms, end_ms(scan), &last_ms, err);
    if (found <= 0)
        return found;
    builder_note_time(b, last_ms);
    while (found > 0 && row_ms <= last_ms) {
        builder_note_time(b, row_ms);
        tz_to_local(b->history->tz, row_ms / 1000, &local);
        int64_t next_ms = tz_day_start(b->history->tz, local.day + 1) * 1000;
        int64_t after_ms = tz_day_start(b->history->tz, local.day + 2) * 1000;
        found = probe_first(probe, next_ms, after_ms, last_ms + 1, &hint, &row_ms, err);
    }
    return found < 0 ? -1 : 0;
}

/* --- the slices --- */

struct connection {
    struct recorder recorder; /* the first one is the scan's own */
    sqlite3_stmt *rows, *skip;
    struct recorder_lookup lookup;
    sqlite3_stmt *due; /* of a number that is followed: the rows that its means need */
    int64_t due_ms;    /* from when on they do */
    unsigned ticks;    /* of work, since it began */
    uint64_t skipped;
    bool is_failed;
    struct error err;
};

/* How far an entity has been read. */
struct position {
    double time_s;
    int64_t state_id;
    atomic_size_t slices; /* that are done: it may be read on by whoever has seen that */
};

struct slices {
    struct scan *scan;
    struct connection connections[CONNECTIONS_MAX];
    size_t connection_count;
    double *bounds; /* of the slices, in seconds: one more than there are slices */
    size_t count;
    size_t done;                /* slices, when the present transactions began */
    struct position *positions; /* of the entities */
    atomic_size_t *next_entity; /* in each slice: the first that nobody has taken */
    int64_t deadline_ms;        /* of the present transactions */
    atomic_bool time_is_up;     /* or somebody has failed */
};

/* Cuts the time where the table has so many rows: at the times of rows with evenly spaced ids. */
static int make_bounds(struct slices *s, struct error *err)
{
    static const char sql[] = "SELECT last_updated_ts FROM states WHERE state_id >= ?1 LIMIT 1";
    const struct scan *scan = s->scan;
    size_t entities = scan->builder.history->entity_count;
    double rows = (double)scan->last_id - (double)scan->first_id + 1;
    double wanted = fmin(rows / SLICE_ROWS, rows / SLICE_ROWS_MIN / (double)(entities + 1));
    size_t inner = wanted < 1 ? 0 : wanted > SLICES_MAX ? SLICES_MAX - 1 : (size_t)wanted - 1;
    double from = seconds(begin_ms(scan)), to = seconds(end_ms(scan));
    s->bounds = xcalloc(inner + 2, sizeof *s->bounds);
    s->bounds[0] = from;
    s->count = 1;
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(scan->recorder->db, sql, -1, &stmt, NULL);
    for (size_t i = 1; i <= inner && rc == SQLITE_OK; i++) {
        double at = (double)scan->first_id + rows / (double)(inner + 1) * (double)i;
        sqlite3_bind_int64(stmt, 1, (int64_t)at);
        rc = sqlite3_step(stmt);
        double time_s = rc == SQLITE_ROW ? sqlite3_column_double(stmt, 0) : 0;
        if (time_s > from && time_s < to)
            s->bounds[s->count++] = time_s;
        if (rc == SQLITE_ROW || rc == SQLITE_DONE || rc == SQLITE_TOOBIG)
            rc = SQLITE_OK;
        sqlite3_reset(stmt);
    }
    qsort(s->bounds, s->count, sizeof *s->bounds, order_double);
    s->bounds[s->count] = to;
    int result = rc == SQLITE_OK ? 0 : recorder_error(scan->recorder, err);
    sqlite3_finalize(stmt);
    return result;
}

/* The filter is_due(last_updated_ts): by the index alone, before a row is looked up. */
static void is_due(sqlite3_context *context, int count, sqlite3_value **values)
{
    const struct connection *c = sqlite3_user_data(context);
    (void)count;
    sqlite3_result_int(context, milliseconds(sqlite3_value_double(values[0])) >= c->due_ms);
}

static int open_connection(struct slices *s, struct connection *c, struct error *err)
{
    static const char rows[] =
        "SELECT last_updated_ts, state_id, " SCAN_COLUMNS
        " FROM states INDEXED BY ix_states_metadata_id_last_updated_ts"
        " WHERE metadata_id = ?1 AND (last_updated_ts, state_id) > (?2, ?3)"
        " AND last_updated_ts < ?4 AND state_id <= ?5 ORDER BY last_updated_ts, state_id";
    static const char due[] =
        "SELECT last_updated_ts, state_id, state"
        " FROM states INDEXED BY ix_states_metadata_id_last_updated_ts"
        " WHERE metadata_id = ?1 AND (last_updated_ts, state_id) > (?2, ?3)"
        " AND last_updated_ts < ?4 AND state_id <= ?5 AND is_due(last_updated_ts)"
        " ORDER BY last_updated_ts, state_id";
    static const char skip[] =
        "SELECT last_updated_ts, state_id"
        " FROM states INDEXED BY ix_states_metadata_id_last_updated_ts"
        " WHERE metadata_id = ?1 AND (last_updated_ts, state_id) > (?2, ?3)"
        " AND last_updated_ts < ?4 AND state_id <= ?5 ORDER BY last_updated_ts, state_id LIMIT 1";
    struct recorder *recorder = s->scan->recorder;
    if (s->connection_count == 0)
        c->recorder = (struct recorder){.path = recorder->path, .db = recorder->db};
    else if (recorder_connect(recorder, &c->recorder, err) != 0)
        return -1;
    s->connection_count++;
    char *pragma = xasprintf("PRAGMA cache_size = -%d", SLICE_CACHE_KB);
    int rc = sqlite3_exec(c->recorder.db, pragma, NULL, NULL, NULL);
    free(pragma);
    if (rc != SQLITE_OK ||
        sqlite3_create_function(c->recorder.db, "is_due", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY, c,
                                is_due, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(c->recorder.db, due, -1, &c->due, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(c->recorder.db, rows, -1, &c->rows, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(c->recorder.db, skip, -1, &c->skip, NULL) != SQLITE_OK)
        return recorder_error(&c->recorder, err);
    sqlite3_bind_int64(c->rows, 5, s->scan->last_id);
    sqlite3_bind_int64(c->due, 5, s->scan->last_id);
    sqlite3_bind_int64(c->skip, 5, s->scan->last_id);
    return recorder_lookup_init(&c->lookup, &c->recorder, err);
}

static void close_connection(struct slices *s, size_t index)
{
    struct connection *c = &s->connections[index];
    sqlite3_finalize(c->rows);
    sqlite3_finalize(c->due);
    sqlite3_finalize(c->skip);
    recorder_lookup_release(&c->lookup);
    s->scan->stats->skipped += c->skipped;
    if (index > 0)
        recorder_disconnect(&c->recorder);
}

static int open_connections(struct slices *s, struct error *err)
{
    double rows = (double)s->scan->last_id - (double)s->scan->first_id + 1;
    int wanted = s->scan->options->threads;
    if (wanted == 0) {
        wanted = parallel_default_threads();
        if (rows / ROWS_PER_THREAD < wanted)
            wanted = (int)(rows / ROWS_PER_THREAD);
    }
    if (wanted > CONNECTIONS_MAX)
        wanted = CONNECTIONS_MAX;
    do {
        if (open_connection(s, &s->connections[s->connection_count], err) != 0)
            return -1;
    } while ((int)s->connection_count < wanted);
    return 0;
}

static void bind_position(sqlite3_stmt *stmt, const struct slices *s, size_t slice, size_t entity)
{
    const struct position *p = &s->positions[entity];
    sqlite3_bind_int64(stmt, 1, s->scan->metadata_ids[entity]);
    sqlite3_bind_double(stmt, 2, p->time_s);
    sqlite3_bind_int64(stmt, 3, p->state_id);
    sqlite3_bind_double(stmt, 4, s->bounds[slice + 1]);
}

/* A value too large to load: go on behind its row. */
static int skip_huge_row(struct slices *s, struct connection *c, size_t slice, size_t entity)
{
    struct position *p = &s->positions[entity];
    bind_position(c->skip, s, slice, entity);
    int rc = sqlite3_step(c->skip);
    if (rc == SQLITE_ROW) {
        p->time_s = sqlite3_column_double(c->skip, 0);
        p->state_id = sqlite3_column_int64(c->skip, 1);
        c->skipped++;
    }
    sqlite3_reset(c->skip);
    return rc == SQLITE_ROW ? SQLITE_TOOBIG : rc;
}

static void check_time(struct slices *s, struct connection *c)
{
    if (++c->ticks % SCAN_CLOCK_EVERY == 0 && clock_monotonic_ms() >= s->deadline_ms)
        s->time_is_up = true;
}

/* Whether the present row lies within what is to be read. */
static bool move_to_row(const struct slices *s, sqlite3_stmt *stmt, size_t entity, int64_t *time_ms)
{
    struct position *p = &s->positions[entity];
    p->time_s = sqlite3_column_double(stmt, 0);
    p->state_id = sqlite3_column_int64(stmt, 1);
    *time_ms = milliseconds(p->time_s);
    return *time_ms >= begin_ms(s->scan) && *time_ms < end_ms(s->scan);
}

/* A row that tells what the entity is, or what somebody did. */
static void take_row(struct slices *s, struct connection *c, size_t entity)
{
    int64_t time_ms;
    if (!move_to_row(s, c->rows, entity, &time_ms))
        return;
    c->is_failed =
        scan_take_state(s->scan, c->rows, 2, entity, time_ms, &c->skipped, &c->err) != 0 ||
        scan_take_value(s->scan, &c->lookup, c->rows, 2, entity, time_ms, &c->err) != 0;
}

/* A row of a number that is followed. */
static void take_due(struct slices *s, struct connection *c, size_t entity)
{
    struct builder_series *series = &s->scan->builder.series[entity];
    bool is_text = sqlite3_column_type(c->due, 2) == SQLITE_TEXT;
    const char *text = is_text ? (const char *)sqlite3_column_text(c->due, 2) : NULL;
    int64_t time_ms;
    if (!move_to_row(s, c->due, entity, &time_ms))
        return;
    series->rows++;
    builder_add_number(series, time_ms, text, (size_t)sqlite3_column_bytes(c->due, 2));
    c->due_ms = means_due_ms(series->means);
}

/* The rest of an entity's rows of a slice, as far as the time allows. */
static void read_entity(struct slices *s, struct connection *c, size_t slice, size_t entity)
{
    const struct builder_series *series = &s->scan->builder.series[entity];
    int rc = builder_is_done(series) ? SQLITE_DONE : SQLITE_TOOBIG;
    while (rc == SQLITE_TOOBIG) {
        const bool is_number = series->is_dropped;
        sqlite3_stmt *stmt = is_number ? c->due : c->rows;
        c->due_ms = is_number ? means_due_ms(series->means) : 0;
        bind_position(stmt, s, slice, entity);
        while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
            (is_number ? take_due : take_row)(s, c, entity);
            check_time(s, c);
            if (c->is_failed || series->is_dropped != is_number || s->time_is_up)
                break;
        }
        sqlite3_reset(stmt);
        if (rc == SQLITE_TOOBIG)
            rc = skip_huge_row(s, c, slice, entity);
        else if (rc == SQLITE_ROW && series->is_dropped != is_number && series->means != NULL &&
                 !s->time_is_up && !c->is_failed)
            rc = SQLITE_TOOBIG; /* it is a number: go on as such */
    }
    if (rc == SQLITE_DONE || builder_is_done(series))
        atomic_store(&s->positions[entity].slices, slice + 1);
    else if (rc != SQLITE_ROW)
        c->is_failed = recorder_error(&c->recorder, &c->err) != 0;
    if (c->is_failed)
        s->time_is_up = true;
}

/* One connection's share of all slices, as far as the time allows. */
static void read_share(size_t index, void *ctx)
{
    struct slices *s = ctx;
    struct connection *c = &s->connections[index];
    size_t count = s->scan->builder.history->entity_count;
    for (size_t slice = s->done; slice < s->count && !s->time_is_up; slice++) {
        size_t entity;
        while (!s->time_is_up && (entity = atomic_fetch_add(&s->next_entity[slice], 1)) < count) {
            /* Seldom: another connection is still at its slice before. */
            while (atomic_load(&s->positions[entity].slices) < slice && !s->time_is_up)
                sched_yield();
            if (s->time_is_up || atomic_load(&s->positions[entity].slices) > slice)
                continue;
            read_entity(s, c, slice, entity);
            check_time(s, c);
        }
    }
}

static int exec_all(struct slices *s, const char *sql, struct error *err)
{
    for (size_t i = 0; i < s->connection_count; i++)
        if (sqlite3_exec(s->connections[i].recorder.db, sql, NULL, NULL, NULL) != SQLITE_OK)
            return recorder_error(&s->connections[i].recorder, err);
    return 0;
}

/* Slices that all entities have behind them. */
static size_t count_done(const struct slices *s)
{
    size_t done = s->count;
    for (size_t i = 0; i < s->scan->builder.history->entity_count; i++) {
        size_t slices = atomic_load(&s->positions[i].slices);
        if (slices < done)
            done = slices;
    }
    return done;
}

/* One read transaction of each connection: as much as its time allows. */
static int read_round(struct slices *s, struct error *err)
{
    int64_t start_ms = clock_monotonic_ms();
    s->deadline_ms = start_ms + scan_chunk_ms(s->scan);
    s->time_is_up = false;
    for (size_t i = s->done; i < s->count; i++)
        s->next_entity[i] = 0;
    if (exec_all(s, "BEGIN", err) != 0)
        return -1;
    parallel_for(s->connection_count, read_share, s, (int)s->connection_count);
    for (size_t i = 0; i < s->connection_count; i++) {
        if (s->connections[i].is_failed) {
            *err = s->connections[i].err;
            return -1;
        }
    }
    s->done = count_done(s);
    int result = exec_all(s, "COMMIT", err);
    scan_note_transaction(s->scan, clock_monotonic_ms() - start_ms);
    return result;
}

static int read_slices(struct slices *s, struct error *err)
{
    size_t entities = s->scan->builder.history->entity_count;
    s->positions = xcalloc(entities + 1, sizeof *s->positions);
    if (make_bounds(s, err) != 0 || open_connections(s, err) != 0)
        return -1;
    s->next_entity = xcalloc(s->count, sizeof *s->next_entity);
    for (size_t i = 0; i < entities; i++) {
        s->positions[i].time_s = s->bounds[0];
        s->positions[i].state_id = INT64_MIN;
    }
    while (s->done < s->count) {
        if (read_round(s, err) != 0)
            return -1;
        scan_tell_progress(s->scan, (double)s->done / (double)s->count);
        if (s->done < s->count)
            scan_pause();
    }
    return 0;
}

int recorder_slices_read(struct scan *scan, struct error *err)
{
    struct slices s = {.scan = scan};
    struct probe probe;
    int result = probe_open(&probe, scan, err);
    if (result == 0)
        result = note_days(scan, &probe, err);
    probe_close(&probe);
    if (result == 0 && scan->builder.history->from_ms <= scan->builder.history->to_ms)
        result = read_slices(&s, err);
    for (size_t i = 0; i < s.connection_count; i++)
        close_connection(&s, i);
    if (!sqlite3_get_autocommit(scan->recorder->db)) /* after an error */
        sqlite3_exec(scan->recorder->db, "ROLLBACK", NULL, NULL, NULL);
    free(s.bounds);
    free(s.next_entity);
    free(s.positions);
    return result;
}
