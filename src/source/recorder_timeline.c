/* Reading what automations are replayed on: every row of a few entities, attributes and all,
 * through the index of (metadata_id, last_updated_ts), in short read transactions. Without that
 * index the whole table is passed through once, by state_id. */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "source/exclusion.h"
#include "source/recorder_scan.h"
#include "source/storage.h"

enum {
    ATTRIBUTES_UNKNOWN = -2, /* in the map of attributes ids; ID_MAP_NONE: not looked up yet */
    NO_WORD = -1,            /* of an entity that had no row yet */
    STARTS_MAX = 100000,     /* of Home Assistant, that are looked at */
    ATTRIBUTES_KNOWN_MAX = 1 << 20, /* ids in the map; then it begins anew */
};

/* An entity that is wanted, or one of several metadata ids of it. */
struct series {
    int64_t metadata_id;
    size_t index;      /* in the timeline */
    int64_t last_word; /* of its latest row, or NO_WORD */
};

struct reader {
    struct scan scan; /* its options, statistics, causes, times; no builder */
    const struct source_wanted *wanted;
    struct timeline *timeline;
    struct series *series;
    size_t count, capacity;
    struct id_map of_metadata; /* metadata id -> index into series */
    struct id_map attributes;  /* attributes id -> the timeline's index, or ATTRIBUTES_UNKNOWN */
    sqlite3_stmt *rows, *before, *skip, *text;
    int64_t start_ms; /* of the present read transaction */
    unsigned ticks;
    int64_t *starts; /* when Home Assistant had started, in time order */
    size_t start_count, start_capacity;
};

/* Columns of every query for rows. */
enum { COLUMN_TIME, COLUMN_ID, COLUMN_CHANGED, COLUMN_STATE, COLUMN_METADATA = 8 };
#define COLUMNS "last_updated_ts, state_id, last_changed_ts, " SCAN_COLUMNS ", metadata_id"
enum { COLUMN_CONTEXT = COLUMN_STATE + 1, COLUMN_ATTRIBUTES = COLUMN_STATE + 4 };

static double seconds(int64_t ms)
{
    return ((double)ms - 0.5) / 1000;
}

static int64_t milliseconds(double s)
{
    return (int64_t)(s * 1000 + 0.5);
}

/* --- transactions --- */

static int begin_reading(struct reader *r, struct error *err)
{
    r->start_ms = clock_monotonic_ms();
    if (sqlite3_exec(r->scan.recorder->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        return recorder_error(r->scan.recorder, err);
    return 0;
}

static void end_reading(struct reader *r)
{
    if (!sqlite3_get_autocommit(r->scan.recorder->db))
        sqlite3_exec(r->scan.recorder->db, "COMMIT", NULL, NULL, NULL);
    scan_note_transaction(&r->scan, clock_monotonic_ms() - r->start_ms);
}

static bool time_is_up(struct reader *r)
{
    return ++r->ticks % SCAN_CLOCK_EVERY == 0 &&
           clock_monotonic_ms() - r->start_ms >= scan_chunk_ms(&r->scan);
}

static int pause_reading(struct reader *r, struct error *err)
{
    end_reading(r);
    scan_pause();
    return begin_reading(r, err);
}

/* --- one row --- */

/* Of the attributes those that are wanted; the text may be anything. */
static int keep_attributes(struct reader *r, const char *text, size_t length, int32_t *index,
                           struct error *err)
{
    if (r->wanted->attributes == NULL)
        return timeline_add_attributes(r->timeline, text, length, index, err);
    json_object *all = json_parse(text, length, NULL), *value;
    *index = -1;
    if (!json_object_is_type(all, json_type_object)) {
        json_object_put(all);
        return 0;
    }
    json_object *kept = json_object_new_object();
    for (size_t i = 0; i < r->wanted->attribute_count; i++)
        if (json_object_object_get_ex(all, r->wanted->attributes[i], &value))
            json_object_object_add(kept, r->wanted->attributes[i], json_object_get(value));
    const char *part = json_text(kept);
    int result = timeline_add_attributes(r->timeline, part, strlen(part), index, err);
    json_object_put(kept);
    json_object_put(all);
    return result;
}

static int find_attributes(struct reader *r, sqlite3_stmt *row, int32_t *index, struct error *err)
{
    bool none_is_wanted = r->wanted->attributes != NULL && r->wanted->attribute_count == 0;
    *index = -1;
    if (none_is_wanted || sqlite3_column_type(row, COLUMN_ATTRIBUTES) != SQLITE_INTEGER)
        return 0;
    int64_t id = sqlite3_column_int64(row, COLUMN_ATTRIBUTES);
    int32_t known = id_map_get(&r->attributes, id);
    if (known != ID_MAP_NONE) {
        *index = known == ATTRIBUTES_UNKNOWN ? -1 : known;
        return 0;
    }
    sqlite3_bind_int64(r->text, 1, id);
    int result = 0, rc = sqlite3_step(r->text);
    if (rc == SQLITE_ROW && sqlite3_column_type(r->text, 0) == SQLITE_TEXT)
        result = keep_attributes(r, (const char *)sqlite3_column_text(r->text, 0),
                                 (size_t)sqlite3_column_bytes(r->text, 0), index, err);
    else if (rc != SQLITE_ROW && rc != SQLITE_DONE && rc != SQLITE_TOOBIG)
        result = recorder_error(r->scan.recorder, err);
    sqlite3_reset(r->text);
    if (r->attributes.count == ATTRIBUTES_KNOWN_MAX) {
        id_map_release(&r->attributes);
        id_map_init(&r->attributes);
    }
    id_map_put(&r->attributes, id, *index < 0 ? ATTRIBUTES_UNKNOWN : *index);
    return result;
}

/* Only the first row read of an entity may be one whose state is older than itself: then the state
 * has a row of its own. */
static int add_older_state(struct reader *r, sqlite3_stmt *stmt, const struct series *s,
                           struct timeline_row row, struct error *err)
{
    if (sqlite3_column_type(stmt, COLUMN_CHANGED) != SQLITE_FLOAT)
        return 0;
    double changed_s = sqlite3_column_double(stmt, COLUMN_CHANGED);
    if (!(changed_s >= seconds(BUILDER_TIME_MIN_MS) && changed_s < seconds(row.time_ms)))
        return 0;
    row.time_ms = milliseconds(changed_s);
    return timeline_add_row(r->timeline, s->index, &row, err);
}

/* The statement's present row. 0, or -1 with *err; what is no row is counted as skipped. */
static int take_row(struct reader *r, sqlite3_stmt *stmt, struct series *s, struct error *err)
{
    int type = sqlite3_column_type(stmt, COLUMN_STATE);
    double time_s = sqlite3_column_double(stmt, COLUMN_TIME);
    if (type != SQLITE_NULL && type != SQLITE_TEXT) {
        r->scan.stats->skipped++;
        return 0;
    }
    struct timeline_row row = {
        .time_ms = milliseconds(time_s),
        .word = TIMELINE_REMOVED,
        .cause = (uint32_t)recorder_cause_of_row(&r->scan.causes, stmt, COLUMN_CONTEXT) & 7,
        /* Who saw whom within a millisecond: ids are given in the order of writing. */
        .order = (uint32_t)(sqlite3_column_int64(stmt, COLUMN_ID) & INT32_MAX),
        .attributes = -1};
    uint32_t word = TIMELINE_REMOVED;
    if (type == SQLITE_TEXT) {
        const char *state = (const char *)sqlite3_column_text(stmt, COLUMN_STATE);
        size_t length = (size_t)sqlite3_column_bytes(stmt, COLUMN_STATE);
        if (timeline_add_word(r->timeline, state, length, &word, err) != 0 ||
            find_attributes(r, stmt, &row.attributes, err) != 0)
            return -1;
    }
    row.word = word & (TIMELINE_WORDS_MAX - 1);
    row.is_forced = sqlite3_column_type(stmt, COLUMN_CHANGED) == SQLITE_NULL &&
                    s->last_word == (int64_t)word && word != TIMELINE_REMOVED;
    if (s->last_word == NO_WORD && add_older_state(r, stmt, s, row, err) != 0)
        return -1;
    s->last_word = (int64_t)word;
    return timeline_add_row(r->timeline, s->index, &row, err);
}

/* --- by the index --- */

struct position {
    double time_s;
    int64_t state_id;
};

static void bind_position(sqlite3_stmt *stmt, const struct series *s, const struct position *at)
{
    sqlite3_bind_int64(stmt, 1, s->metadata_id);
    sqlite3_bind_double(stmt, 2, at->time_s);
    sqlite3_bind_int64(stmt, 3, at->state_id);
}

static void move_to(struct position *at, sqlite3_stmt *stmt)
{
    at->time_s = sqlite3_column_double(stmt, COLUMN_TIME);
    at->state_id = sqlite3_column_int64(stmt, COLUMN_ID);
}

static int prepare(struct reader *r, const char *sql, sqlite3_stmt **stmt, struct error *err)
{
    if (sqlite3_prepare_v2(r->scan.recorder->db, sql, -1, stmt, NULL) != SQLITE_OK)
        return recorder_error(r->scan.recorder, err);
    return 0;
}

static int prepare_by_index(struct reader *r, struct error *err)
{
#define BY_INDEX                                                                                   \
    " FROM states INDEXED BY ix_states_metadata_id_last_updated_ts WHERE metadata_id = ?1"
#define BEHIND                                                                                     \
    " AND (last_updated_ts, state_id) > (?2, ?3) AND last_updated_ts < ?4 AND state_id <= ?5"      \
    " ORDER BY last_updated_ts, state_id"
    if (prepare(r, "SELECT " COLUMNS BY_INDEX BEHIND, &r->rows, err) != 0 ||
        prepare(r, "SELECT last_updated_ts, state_id" BY_INDEX BEHIND " LIMIT 1", &r->skip, err) !=
            0 ||
        prepare(r,
                "SELECT " COLUMNS BY_INDEX
                " AND last_updated_ts < ?2 AND last_updated_ts >= ?4 AND state_id <= ?5"
                " ORDER BY last_updated_ts DESC, state_id DESC LIMIT 1",
                &r->before, err) != 0)
        return -1;
    sqlite3_bind_double(r->rows, 4, seconds(r->scan.until_ms));
    sqlite3_bind_double(r->skip, 4, seconds(r->scan.until_ms));
    sqlite3_bind_double(r->before, 4, seconds(BUILDER_TIME_MIN_MS));
    sqlite3_bind_int64(r->rows, 5, r->scan.last_id);
    sqlite3_bind_int64(r->skip, 5, r->scan.last_id);
    sqlite3_bind_int64(r->before, 5, r->scan.last_id);
    return 0;
}

/* The last row before the time that is asked for. */
static int read_before(struct reader *r, struct series *s, struct error *err)
{
    sqlite3_bind_int64(r->before, 1, s->metadata_id);
    sqlite3_bind_double(r->before, 2, seconds(r->scan.since_ms));
    int result = 0, rc = sqlite3_step(r->before);
    if (rc == SQLITE_ROW)
        result = take_row(r, r->before, s, err);
    else if (rc != SQLITE_DONE && rc != SQLITE_TOOBIG)
        result = recorder_error(r->scan.recorder, err);
    sqlite3_reset(r->before);
    return result;
}

/* A value too large to load: go on behind its row. */
static int skip_huge_row(struct reader *r, const struct series *s, struct position *at,
                         struct error *err)
{
    bind_position(r->skip, s, at);
    int rc = sqlite3_step(r->skip);
    if (rc == SQLITE_ROW)
        move_to(at, r->skip);
    sqlite3_reset(r->skip);
    r->scan.stats->skipped++;
    return rc == SQLITE_ROW ? 0 : recorder_error(r->scan.recorder, err);
}

static int read_series(struct reader *r, struct series *s, struct error *err)
{
    struct position at = {seconds(r->scan.since_ms), INT64_MIN};
    int rc = SQLITE_ROW, result = read_before(r, s, err);
    while (result == 0 && rc != SQLITE_DONE) {
        bool is_up = false;
        bind_position(r->rows, s, &at);
        while (result == 0 && !is_up && (rc = sqlite3_step(r->rows)) == SQLITE_ROW) {
            result = take_row(r, r->rows, s, err);
            move_to(&at, r->rows);
            is_up = time_is_up(r);
        }
        if (result == 0 && rc != SQLITE_ROW && rc != SQLITE_DONE && rc != SQLITE_TOOBIG)
            result = recorder_error(r->scan.recorder, err);
        sqlite3_reset(r->rows);
        if (result == 0 && rc == SQLITE_TOOBIG)
            result = skip_huge_row(r, s, &at, err);
        if (result == 0 && is_up)
            result = pause_reading(r, err);
    }
    return result;
}

static int read_by_index(struct reader *r, struct error *err)
{
    if (prepare_by_index(r, err) != 0)
        return -1;
    for (size_t i = 0; i < r->count; i++) {
        if (read_series(r, &r->series[i], err) != 0 ||
            (time_is_up(r) && pause_reading(r, err) != 0))
            return -1;
        scan_tell_progress(&r->scan, (double)(i + 1) / (double)r->count);
    }
    return 0;
}

/* --- in one pass --- */

static int take_passed(struct reader *r, struct error *err)
{
    int32_t index = id_map_get(&r->of_metadata, sqlite3_column_int64(r->rows, COLUMN_METADATA));
    double time_s = sqlite3_column_double(r->rows, COLUMN_TIME);
    if (index < 0 ||
        !(time_s >= seconds(BUILDER_TIME_MIN_MS) && time_s < seconds(r->scan.until_ms)))
        return 0;
    return take_row(r, r->rows, &r->series[index], err);
}

/* Everything up to the end: what is before the time asked for does not disturb. */
static int read_in_a_pass(struct reader *r, struct error *err)
{
    if (prepare(r,
                "SELECT " COLUMNS " FROM states WHERE state_id > ?1 AND state_id <= ?2"
                " ORDER BY state_id",
                &r->rows, err) != 0 ||
        prepare(r, "SELECT state_id FROM states WHERE state_id > ?1 ORDER BY state_id LIMIT 1",
                &r->skip, err) != 0)
        return -1;
    int64_t done_id = r->scan.first_id - (r->scan.first_id > INT64_MIN);
    double span = (double)r->scan.last_id - (double)done_id + 1;
    sqlite3_bind_int64(r->rows, 2, r->scan.last_id);
    int rc = SQLITE_ROW, result = 0;
    while (result == 0 && rc != SQLITE_DONE) {
        bool is_up = false;
        sqlite3_bind_int64(r->rows, 1, done_id);
        while (result == 0 && !is_up && (rc = sqlite3_step(r->rows)) == SQLITE_ROW) {
            result = take_passed(r, err);
            done_id = sqlite3_column_int64(r->rows, COLUMN_ID);
            is_up = time_is_up(r);
        }
        if (result == 0 && rc != SQLITE_ROW && rc != SQLITE_DONE && rc != SQLITE_TOOBIG)
            result = recorder_error(r->scan.recorder, err);
        sqlite3_reset(r->rows);
        if (result == 0 && rc == SQLITE_TOOBIG) {
            sqlite3_bind_int64(r->skip, 1, done_id);
            if (sqlite3_step(r->skip) == SQLITE_ROW)
                done_id = sqlite3_column_int64(r->skip, 0);
            else
                result = recorder_error(r->scan.recorder, err);
            sqlite3_reset(r->skip);
            r->scan.stats->skipped++;
        }
        if (result == 0 && is_up)
            result = pause_reading(r, err);
        scan_tell_progress(&r->scan, ((double)done_id - (double)r->scan.first_id) / span);
    }
    return result;
}

/* --- who is wanted --- */

static int add_metadata(struct reader *r, int64_t metadata_id, size_t index, struct error *err)
{
    if (r->count == TIMELINE_ENTITIES_MAX)
        return error_set(err, ERROR_LIMIT, "'%s' has more than %d of the entities asked for",
                         r->scan.recorder->path, TIMELINE_ENTITIES_MAX);
    r->series = grow_array(r->series, r->count, &r->capacity, sizeof *r->series);
    id_map_put(&r->of_metadata, metadata_id, (int32_t)r->count);
    r->series[r->count++] =
        (struct series){.metadata_id = metadata_id, .index = index, .last_word = NO_WORD};
    return 0;
}

static int find_entity(struct reader *r, sqlite3_stmt *stmt, const char *entity_id,
                       struct error *err)
{
    size_t index = 0;
    int result = 0, rc = SQLITE_DONE;
    sqlite3_bind_text(stmt, 1, entity_id, -1, SQLITE_STATIC);
    while (result == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        result = timeline_add_series(r->timeline, entity_id, &index, err);
        if (result == 0)
            result = add_metadata(r, sqlite3_column_int64(stmt, 0), index, err);
    }
    if (result == 0 && rc != SQLITE_DONE)
        result = recorder_error(r->scan.recorder, err);
    sqlite3_reset(stmt);
    return result;
}

static int find_entities(struct reader *r, struct error *err)
{
    struct exclusion exclusion;
    sqlite3_stmt *stmt = NULL;
    if (exclusion_init(&exclusion, r->scan.options->exclude, err) != 0)
        return -1;
    int result = prepare(r, "SELECT metadata_id FROM states_meta WHERE entity_id = ?1", &stmt, err);
    for (size_t i = 0; i < r->wanted->entity_count && result == 0; i++)
        if (!exclusion_matches(&exclusion, r->wanted->entity_ids[i]))
            result = find_entity(r, stmt, r->wanted->entity_ids[i], err);
    sqlite3_finalize(stmt);
    exclusion_release(&exclusion);
    return result;
}

/* --- when Home Assistant ran --- */

static int take_start(sqlite3_stmt *stmt, void *ctx, struct error *err)
{
    struct reader *r = ctx;
    double time_s = sqlite3_column_double(stmt, 2);
    (void)err;
    if (r->start_count == STARTS_MAX || !(time_s >= 0 && time_s < seconds(BUILDER_TIME_MAX_MS)))
        return 0;
    r->starts = grow_array(r->starts, r->start_count, &r->start_capacity, sizeof *r->starts);
    r->starts[r->start_count++] = milliseconds(time_s);
    return 0;
}

static int read_starts(struct reader *r, struct error *err)
{
    static const char sql[] =
        "SELECT event_id, NULL, time_fired_ts FROM events WHERE event_type_id ="
        " (SELECT event_type_id FROM event_types WHERE event_type = 'homeassistant_started')"
        " AND (time_fired_ts, event_id) > (?3, ?1) ORDER BY time_fired_ts, event_id LIMIT ?2";
    if (!r->scan.recorder->has_triggers)
        return 0;
    return recorder_read_pages(r->scan.recorder, sql, 0, take_start, r, err);
}

/* The end of a run that crashed, or has none yet: the last row of any entity. */
static int find_end(struct reader *r, sqlite3_stmt *stmt, struct recorder_run *run,
                    struct error *err)
{
    if (stmt == NULL) {
        if (run->to_ms == INT64_MAX && r->timeline->to_ms > 0)
            run->to_ms = r->timeline->to_ms + 1;
        return 0;
    }
    sqlite3_bind_double(stmt, 1, seconds(run->from_ms));
    sqlite3_bind_double(
        stmt, 2, seconds(run->to_ms < BUILDER_TIME_MAX_MS ? run->to_ms : BUILDER_TIME_MAX_MS));
    int rc = sqlite3_step(stmt);
    run->to_ms = run->from_ms;
    if (rc == SQLITE_ROW)
        run->to_ms = milliseconds(sqlite3_column_double(stmt, 0)) + 1;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : recorder_error(r->scan.recorder, err);
}

/* NULL when there is no index for it. */
static int prepare_end(struct reader *r, sqlite3_stmt **stmt, struct error *err)
{
    static const char sql[] =
        "SELECT last_updated_ts FROM states INDEXED BY ix_states_last_updated_ts"
        " WHERE last_updated_ts >= ?1 AND last_updated_ts < ?2"
        " ORDER BY last_updated_ts DESC LIMIT 1";
    if (sqlite3_prepare_v2(r->scan.recorder->db, sql, -1, stmt, NULL) == SQLITE_OK)
        return 0;
    *stmt = NULL;
    return (sqlite3_errcode(r->scan.recorder->db) & 0xFF) == SQLITE_ERROR
               ? 0
               : recorder_error(r->scan.recorder, err);
}

static int add_runs(struct reader *r, struct error *err)
{
    struct recorder_run *list = NULL;
    sqlite3_stmt *stmt = NULL;
    size_t count = 0, start = 0;
    int result = prepare_end(r, &stmt, err);
    if (result == 0)
        result = recorder_runs_list(r->scan.recorder, &list, &count, err);
    if (result == 0)
        result = read_starts(r, err);
    for (size_t i = 0; i < count && result == 0; i++) {
        struct recorder_run *run = &list[i];
        int64_t next_ms = run->to_ms;
        bool is_clean = !run->is_end_uncertain && run->to_ms != INT64_MAX;
        if (!is_clean)
            result = find_end(r, stmt, run, err);
        while (start < r->start_count && r->starts[start] < run->from_ms)
            start++;
        bool is_known = start < r->start_count && r->starts[start] < next_ms;
        struct timeline_run out = {.from_ms = run->from_ms,
                                   .started_ms = is_known ? r->starts[start] : run->from_ms,
                                   .to_ms = run->to_ms,
                                   .is_clean = is_clean};
        if (result == 0)
            result = timeline_add_run(r->timeline, &out, err);
    }
    sqlite3_finalize(stmt);
    free(list);
    return result;
}

/* --- all of it --- */

static int read_rows(struct reader *r, struct error *err)
{
    int has_index = recorder_slices_are_possible(&r->scan, err);
    if (has_index < 0 ||
        prepare(r, "SELECT shared_attrs FROM state_attributes WHERE attributes_id = ?1", &r->text,
                err) != 0 ||
        begin_reading(r, err) != 0)
        return -1;
    int result = has_index ? read_by_index(r, err) : read_in_a_pass(r, err);
    sqlite3_finalize(r->rows);
    sqlite3_finalize(r->skip);
    sqlite3_finalize(r->before);
    end_reading(r);
    return result;
}

static int read_everything(struct reader *r, struct error *err)
{
    if (recorder_read_bounds(&r->scan, err) != 0 || find_entities(r, err) != 0 ||
        add_runs(r, err) != 0)
        return -1;
    if (r->count == 0)
        return 0;
    if (recorder_cause_read(&r->scan.causes, r->scan.recorder, r->scan.since_ms, err) != 0)
        return -1;
    return read_rows(r, err);
}

int recorder_read_timeline(void *recorder, const struct source_options *options,
                           const struct source_wanted *wanted, struct timeline *timeline,
                           struct source_stats *stats, struct error *err)
{
    int64_t since_ms = options->since_ms - SOURCE_TIMELINE_LEAD_MS;
    int64_t until_ms = options->until_ms > 0 ? options->until_ms : BUILDER_TIME_MAX_MS;
    struct reader r = {
        .scan = {.recorder = recorder,
                 .options = options,
                 .stats = stats,
                 .since_ms = since_ms > BUILDER_TIME_MIN_MS ? since_ms : BUILDER_TIME_MIN_MS,
                 .until_ms = until_ms < BUILDER_TIME_MAX_MS ? until_ms : BUILDER_TIME_MAX_MS},
        .wanted = wanted,
        .timeline = timeline};
    id_map_init(&r.of_metadata);
    id_map_init(&r.attributes);
    recorder_cause_init(&r.scan.causes);
    int result = read_everything(&r, err);
    sqlite3_finalize(r.text);
    recorder_cause_release(&r.scan.causes);
    id_map_release(&r.of_metadata);
    id_map_release(&r.attributes);
    free(r.series);
    free(r.starts);
    if (result == 0 && stats->skipped > 0)
        log_warn("source", "%llu rows skipped: without a usable time or state",
                 (unsigned long long)stats->skipped);
    return result;
}

int recorder_read_places(void *recorder, struct timeline *timeline, struct error *err)
{
    return storage_read_places(((struct recorder *)recorder)->path, timeline, err);
}
