#include "home/recorder_db.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "home/recorder_json.h"
#include "home/recorder_schema.h"
#include "source/id_map.h"

enum { ROWS_PER_TRANSACTION = 500000, DATETIME_SIZE = 40 };

struct entity_row {
    int64_t last_state_id; /* of this run of HA, 0: none */
    int64_t last_changed_us;
    int64_t attributes_id; /* of those without a level */
};

struct recorder_db {
    const struct home *home;
    const struct recorder_schema *schema;
    char *path;
    sqlite3 *db;
    sqlite3_stmt *insert_state, *insert_event, *insert_data;
    struct entity_row *entities;
    int64_t state_id, event_id, data_id, attributes_id;
    int64_t run_id;
    int64_t keep_from_us;            /* what lies before was purged */
    struct id_map attributes, calls; /* shared JSON by what it says */
    int64_t *data_of_rule;
    uint64_t rows;
    bool finished;
    bool failed;
    struct error error; /* the first one */
};

static const char *const event_types[HOME_EVENT_COUNT] = {
    "homeassistant_start", "homeassistant_started", "homeassistant_stop",
    "call_service",        "automation_triggered",
};

/* --- Errors: kept until recorder_db_finish() ----------------------------------------------------
 */

static void fail(struct recorder_db *db)
{
    if (!db->failed)
        error_set(&db->error, ERROR_IO, "%s: %s", db->path, sqlite3_errmsg(db->db));
    db->failed = true;
}

static void exec(struct recorder_db *db, const char *sql)
{
    if (!db->failed && sqlite3_exec(db->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail(db);
}

static void step(struct recorder_db *db, sqlite3_stmt *statement)
{
    if (!db->failed && sqlite3_step(statement) != SQLITE_DONE)
        fail(db);
    sqlite3_reset(statement);
}

static void exec_text(struct recorder_db *db, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *sql = sqlite3_vmprintf(format, args);
    va_end(args);
    exec(db, sql);
    sqlite3_free(sql);
}

static void count_row(struct recorder_db *db)
{
    if (++db->rows % ROWS_PER_TRANSACTION == 0)
        exec(db, "COMMIT; BEGIN");
}

/* --- Values
 * ---------------------------------------------------------------------------------------- */

/* HA's hash of shared JSON: FNV-1a, 32 bits. */
static uint32_t fnv1a_32(const char *text)
{
    uint32_t hash = 0x811c9dc5u;
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 0x01000193u;
    return hash;
}

/* Microseconds as HA's float seconds. */
static double seconds(int64_t time_us)
{
    return (double)time_us / 1e6;
}

/* SQLAlchemy's DATETIME: "2026-11-23 12:03:24.910662", UTC. */
static void format_datetime(char out[DATETIME_SIZE], int64_t time_us)
{
    const int64_t day_us = INT64_C(86400) * 1000000;
    int year, month, day;
    const int64_t within_s = time_us % day_us / 1000000;
    tz_civil_from_days(time_us / day_us, &year, &month, &day);
    snprintf(out, DATETIME_SIZE, "%04d-%02d-%02d %02d:%02d:%02d.%06d", year, month, day,
             (int)(within_s / 3600), (int)(within_s / 60 % 60), (int)(within_s % 60),
             (int)(time_us % 1000000));
}

/* --- Rows
 * -------------------------------------------------------------------------------------------- */

static void bind_context(sqlite3_stmt *s, int first, const struct home_context *context)
{
    sqlite3_bind_blob(s, first, context->id, HOME_ID_SIZE, SQLITE_STATIC);
    if (context->has_user)
        sqlite3_bind_blob(s, first + 1, context->user, HOME_ID_SIZE, SQLITE_STATIC);
    else
        sqlite3_bind_null(s, first + 1);
    if (context->has_parent)
        sqlite3_bind_blob(s, first + 2, context->parent, HOME_ID_SIZE, SQLITE_STATIC);
    else
        sqlite3_bind_null(s, first + 2);
}

/* Equal levels and readings of an entity share their attributes. */
static int64_t attributes_of(struct recorder_db *db, const struct home_change *change)
{
    if (change->level == HOME_NO_LEVEL ||
        !recorder_tells_level(&db->home->entities[change->entity]))
        return db->entities[change->entity].attributes_id;
    const int64_t key = (int64_t)change->entity << 40 | (int64_t)(uint16_t)change->level << 24 |
                        (int64_t)(change->reading & 0xffffff);
    const int32_t known = id_map_get(&db->attributes, key);
    if (known != ID_MAP_NONE)
        return known;
    char json[RECORDER_JSON_SIZE];
    recorder_format_attributes(json, db->home, change->entity, change->level, change->reading);
    exec_text(db, "INSERT INTO state_attributes VALUES (%lld, %lld, %Q)",
              (long long)++db->attributes_id, (long long)fnv1a_32(json), json);
    id_map_put(&db->attributes, key, (int32_t)db->attributes_id);
    return db->attributes_id;
}

static void write_change(void *data, const struct home_change *change)
{
    struct recorder_db *db = data;
    struct entity_row *row = &db->entities[change->entity];
    if (change->time_us < db->keep_from_us) {
        db->state_id++;
        row->last_changed_us = change->time_us;
        return;
    }
    sqlite3_stmt *s = db->insert_state;
    char state[RECORDER_STATE_SIZE];
    const int length = recorder_format_state(state, &db->home->entities[change->entity], change);

    sqlite3_bind_int64(s, 1, ++db->state_id);
    sqlite3_bind_text(s, 2, state, length, SQLITE_STATIC);
    if (change->attributes_only)
        sqlite3_bind_double(s, 3, seconds(row->last_changed_us));
    else
        sqlite3_bind_null(s, 3);
    sqlite3_bind_double(s, 4, seconds(change->time_us));
    if (row->last_state_id != 0)
        sqlite3_bind_int64(s, 5, row->last_state_id);
    else
        sqlite3_bind_null(s, 5);
    sqlite3_bind_int64(s, 6, attributes_of(db, change));
    bind_context(s, 7, &change->context);
    sqlite3_bind_int64(s, 10, (int64_t)change->entity + 1);
    step(db, s);
    row->last_state_id = db->state_id;
    if (!change->attributes_only)
        row->last_changed_us = change->time_us;
    count_row(db);
}

static int64_t write_data(struct recorder_db *db, const char *json)
{
    sqlite3_bind_int64(db->insert_data, 1, ++db->data_id);
    sqlite3_bind_int64(db->insert_data, 2, fnv1a_32(json));
    sqlite3_bind_text(db->insert_data, 3, json, -1, SQLITE_TRANSIENT);
    step(db, db->insert_data);
    return db->data_id;
}

static int64_t call_data(struct recorder_db *db, const struct home_event *event)
{
    const int64_t key = (int64_t)event->entity << 40 | (int64_t)event->service << 38 |
                        (int64_t)(event->value & 3) << 36 |
                        (int64_t)(uint16_t)(event->level + 1) << 20 | (int64_t)event->kelvin;
    const int32_t known = id_map_get(&db->calls, key);
    if (known != ID_MAP_NONE)
        return known;
    char json[RECORDER_JSON_SIZE];
    recorder_format_call(json, db->home, event);
    const int64_t id = write_data(db, json);
    id_map_put(&db->calls, key, (int32_t)id);
    return id;
}

static int64_t rule_data(struct recorder_db *db, const struct home_event *event)
{
    int64_t *id = &db->data_of_rule[event->rule];
    if (*id == 0) {
        char json[RECORDER_JSON_SIZE];
        recorder_format_triggered(json, db->home, event);
        *id = write_data(db, json);
    }
    return *id;
}

static void write_event(void *data, const struct home_event *event)
{
    struct recorder_db *db = data;
    if (event->time_us < db->keep_from_us) {
        db->event_id++;
        return;
    }
    sqlite3_stmt *s = db->insert_event;
    int64_t data_id = 0;
    if (event->kind == HOME_EVENT_CALL_SERVICE)
        data_id = call_data(db, event);
    else if (event->kind == HOME_EVENT_AUTOMATION)
        data_id = rule_data(db, event);

    sqlite3_bind_int64(s, 1, ++db->event_id);
    sqlite3_bind_double(s, 2, seconds(event->time_us));
    if (data_id != 0)
        sqlite3_bind_int64(s, 3, data_id);
    else
        sqlite3_bind_null(s, 3);
    bind_context(s, 4, &event->context);
    sqlite3_bind_int64(s, 7, (int64_t)event->kind + 1);
    step(db, s);
}

static void begin_run(void *data, int64_t time_us)
{
    struct recorder_db *db = data;
    char start[DATETIME_SIZE];
    format_datetime(start, time_us);
    /* A run that did not end is closed by the next start, as incorrect. */
    exec_text(db,
              "UPDATE recorder_runs SET \"end\" = '%s', closed_incorrect = 1 WHERE \"end\" IS NULL;"
              "INSERT INTO recorder_runs VALUES (%lld, '%s', NULL, 0, '%s')",
              start, (long long)++db->run_id, start, start);
    for (size_t e = 0; e < db->home->entity_count; e++)
        db->entities[e].last_state_id = 0;
}

static void end_run(void *data, int64_t time_us, bool clean)
{
    struct recorder_db *db = data;
    char end[DATETIME_SIZE];
    format_datetime(end, time_us);
    if (clean)
        exec_text(db, "UPDATE recorder_runs SET \"end\" = '%s' WHERE run_id = %lld", end,
                  (long long)db->run_id);
}

/* --- The file
 * -------------------------------------------------------------------------------------- */

static void prepare(struct recorder_db *db, sqlite3_stmt **statement, const char *sql)
{
    if (!db->failed && sqlite3_prepare_v2(db->db, sql, -1, statement, NULL) != SQLITE_OK)
        fail(db);
}

static void write_meta(struct recorder_db *db)
{
    for (size_t e = 0; e < db->home->entity_count; e++) {
        char json[RECORDER_JSON_SIZE];
        recorder_format_attributes(json, db->home, (uint32_t)e, HOME_NO_LEVEL, 0);
        const int64_t id = db->entities[e].attributes_id = (int64_t)e + 1;
        exec_text(db,
                  "INSERT INTO states_meta VALUES (%lld, %Q);"
                  "INSERT INTO state_attributes VALUES (%lld, %lld, %Q)",
                  (long long)id, db->home->entities[e].entity_id, (long long)id,
                  (long long)fnv1a_32(json), json);
    }
    db->attributes_id = (int64_t)db->home->entity_count;
    for (int k = 0; k < HOME_EVENT_COUNT; k++)
        exec_text(db, "INSERT INTO event_types VALUES (%d, %Q)", k + 1, event_types[k]);
}

static void open_database(struct recorder_db *db)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (sqlite3_open_v2(db->path, &db->db, flags, NULL) != SQLITE_OK)
        fail(db);
    /* Nobody else sees the file before it is finished, and a half-written one is removed. */
    exec(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; "
             "PRAGMA locking_mode = EXCLUSIVE");
    exec(db, db->schema->tables);
    exec(db, db->schema->statistics_meta);
    exec(db, "BEGIN");
    prepare(db, &db->insert_state,
            "INSERT INTO states (state_id, state, last_changed_ts, last_updated_ts, old_state_id, "
            "attributes_id, origin_idx, context_id_bin, context_user_id_bin, "
            "context_parent_id_bin, metadata_id) VALUES (?1,?2,?3,?4,?5,?6,0,?7,?8,?9,?10)");
    prepare(db, &db->insert_event,
            "INSERT INTO events (event_id, origin_idx, time_fired_ts, data_id, context_id_bin, "
            "context_user_id_bin, context_parent_id_bin, event_type_id) "
            "VALUES (?1,0,?2,?3,?4,?5,?6,?7)");
    prepare(db, &db->insert_data, "INSERT INTO event_data VALUES (?1,?2,?3)");
    write_meta(db);
}

struct recorder_db *recorder_db_create(const char *path, const struct home *home, int schema,
                                       struct error *err)
{
    const struct recorder_schema *found = recorder_schema_find(schema);
    if (found == NULL) {
        error_set(err, ERROR_UNSUPPORTED, "schema %d is not known", schema);
        return NULL;
    }
    if (access(path, F_OK) == 0) {
        error_set(err, ERROR_IO, "%s exists already", path);
        return NULL;
    }
    struct recorder_db *db = xcalloc(1, sizeof *db);
    db->home = home;
    db->schema = found;
    db->path = xstrdup(path);
    db->entities = xcalloc(home->entity_count, sizeof *db->entities);
    id_map_init(&db->attributes);
    id_map_init(&db->calls);
    db->data_of_rule = xcalloc(home->rule_count + 1, sizeof(int64_t));
    open_database(db);
    if (db->failed) {
        *err = db->error;
        recorder_db_free(db);
        return NULL;
    }
    return db;
}

void recorder_db_purge_before(struct recorder_db *db, int64_t time_us)
{
    db->keep_from_us = time_us;
}

/* HA keeps the run under way, however long ago it began. */
static void purge_runs(struct recorder_db *db)
{
    char from[DATETIME_SIZE];
    format_datetime(from, db->keep_from_us);
    exec_text(db, "DELETE FROM recorder_runs WHERE start < '%s' AND run_id <> %lld", from,
              (long long)db->run_id);
}

void recorder_db_bind(struct recorder_db *db, struct home_sink *sink)
{
    *sink = (struct home_sink){.data = db,
                               .change = write_change,
                               .event = write_event,
                               .run_begins = begin_run,
                               .run_ends = end_run};
}

/* HA compiles statistics from the last run's period on: with none it would go through all days. */
static void write_bookkeeping(struct recorder_db *db, int64_t time_us)
{
    const int64_t period_us = INT64_C(300) * 1000000;
    char now[DATETIME_SIZE], period[DATETIME_SIZE];
    format_datetime(now, time_us);
    format_datetime(period, time_us / period_us * period_us - period_us);
    exec_text(db, "INSERT INTO schema_changes VALUES (1, %d, '%s')", db->schema->version, now);
    exec_text(db, "INSERT INTO statistics_runs VALUES (1, '%s')", period);
}

int recorder_db_finish(struct recorder_db *db, int64_t time_us, struct error *err)
{
    write_bookkeeping(db, time_us);
    purge_runs(db);
    exec(db, "COMMIT");
    /* SQLite's small default cache stays: lists that fit the processor's are sorted twice as fast
     */
    exec(db, db->schema->indexes);
    exec(db, "PRAGMA locking_mode = NORMAL; PRAGMA journal_mode = WAL");
    db->finished = !db->failed;
    if (db->failed)
        *err = db->error;
    return db->failed ? -1 : 0;
}

void recorder_db_begin(struct recorder_db *db)
{
    exec(db, "BEGIN IMMEDIATE");
}

int recorder_db_commit(struct recorder_db *db, struct error *err)
{
    exec(db, "COMMIT");
    if (db->failed)
        *err = db->error;
    return db->failed ? -1 : 0;
}

void recorder_db_free(struct recorder_db *db)
{
    if (db == NULL)
        return;
    sqlite3_finalize(db->insert_state);
    sqlite3_finalize(db->insert_event);
    sqlite3_finalize(db->insert_data);
    sqlite3_close(db->db);
    if (!db->finished)
        unlink(db->path);
    id_map_release(&db->attributes);
    id_map_release(&db->calls);
    free(db->data_of_rule);
    free(db->entities);
    free(db->path);
    free(db);
}
