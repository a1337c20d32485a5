/* The cursor is the last row that was read: its id, and by what it is known again. If it is still
 * there, what follows it is new. If it is not, but all ids are larger and the recorder's run is the
 * one of last time, a purge has passed over it. Else this is another database, or an older state of
 * it: then all of it is read, and what counts is what lies in no time that was imported before. */
#include "source/import.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/dictionary.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "model/rule.h"
#include "source/attributes.h"
#include "source/builder.h"
#include "source/calls.h"
#include "source/exclusion.h"
#include "source/id_map.h"
#include "source/members.h"
#include "source/recorder.h"
#include "source/recorder_cause.h"
#include "source/recorder_values.h"
#include "source/scene.h"
#include "source/storage.h"

enum {
    AGAIN = 1,        /* another process has written to the archive: begin anew */
    CLOCK_EVERY = 64, /* rows between two looks at the clock */
    PAUSE_MS = 2,     /* between two chunks: room for whoever waits for the lock */
    WORD_MAX = 255,   /* bytes; Home Assistant's own limit */
    RUNS_MAX = BUILDER_SPANS_MAX,
    VALUES_MAX = 1000000, /* of one transaction; more are left out */
    DAY_SLOT_MS = ARCHIVE_DAY_MS / ARCHIVE_SLOTS,
};

/* An entity of the recorder. */
struct meta {
    int64_t metadata_id;
    char *entity_id; /* NULL: malformed */
    bool is_excluded;
    int64_t entity;               /* in the archive; -1 = not there yet */
    int64_t attributes_id;        /* of its latest row in this import; 0 = none */
    int64_t forgotten_ms;         /* its rows up to then are not imported */
    enum rule_attribute recorded; /* that its rows tell; RULE_ATTRIBUTE_COUNT = none */
    struct attributes_latest latest;
};

struct pending {
    struct archive_row row;
    int64_t day;
    uint32_t entity, order;
};

struct pending_value {
    struct history_value value;
    uint32_t entity;
};

struct import {
    struct recorder *recorder;
    struct archive *archive;
    const struct import_options *options;
    struct import_stats *stats;
    int64_t now_ms, oldest_ms;

    struct meta *metas;
    size_t meta_count, meta_capacity;
    struct id_map by_metadata; /* metadata_id -> index in metas */
    struct dictionary ids;     /* of the archive's entities, with its indices */
    struct recorder_cause causes;
    struct archive_range *ranges; /* imported before; not the one that grows */
    size_t range_count;

    int64_t first_id, last_id; /* of what there is to read */
    bool is_same;              /* the timeline of last time: ids and metadata ids go on */
    bool needs_range;

    struct archive_run *runs;            /* of the recorder, in order of time */
    size_t run_count, run_capacity, run; /* run: the one of the latest row */
    int64_t run_id;                      /* of the last one */

    struct pending *rows; /* of the next transaction */
    size_t row_count, row_max;
    struct pending_value *values; /* likewise */
    size_t value_count, value_capacity;
    struct recorder_lookup lookup;
    int64_t *calls_from_ms;   /* by the archive's entity: services called later are looked at */
    struct archive_day *days; /* they touch these */
    size_t day_count, day_capacity;
    struct archive_cursor cursor; /* as it will be then */
};

/* --- the small tables --- */

struct meta_page {
    struct import *im;
    struct exclusion exclusion;
};

static bool is_entity_id(const char *id)
{
    const char *dot = strchr(id, '.');
    size_t length = strlen(id);
    return dot != NULL && dot != id && dot[1] != '\0' && length <= WORD_MAX &&
           strchr(dot + 1, '.') == NULL &&
           strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_.") == length;
}

static int take_meta(sqlite3_stmt *stmt, void *ctx, struct error *err)
{
    struct meta_page *page = ctx;
    struct import *im = page->im;
    if (im->meta_count == HISTORY_ENTITIES_MAX)
        return error_set(err, ERROR_LIMIT, "'%s' has more than %d entities", im->recorder->path,
                         HISTORY_ENTITIES_MAX);
    const char *id = sqlite3_column_type(stmt, 1) == SQLITE_TEXT
                         ? (const char *)sqlite3_column_text(stmt, 1)
                         : NULL;
    struct meta meta = {.metadata_id = sqlite3_column_int64(stmt, 0), .entity = -1};
    meta.recorded = RULE_ATTRIBUTE_COUNT;
    if (id != NULL && strlen(id) == (size_t)sqlite3_column_bytes(stmt, 1) && is_entity_id(id)) {
        meta.entity_id = xstrdup(id);
        meta.recorded = attributes_recorded(id);
        meta.is_excluded = exclusion_matches(&page->exclusion, id);
    }
    id_map_put(&im->by_metadata, meta.metadata_id, (int32_t)im->meta_count);
    im->metas = grow_array(im->metas, im->meta_count, &im->meta_capacity, sizeof *im->metas);
    im->metas[im->meta_count++] = meta;
    return 0;
}

static int read_metas(struct import *im, struct error *err)
{
    static const char sql[] = "SELECT metadata_id, entity_id FROM states_meta"
                              " WHERE metadata_id > ?1 ORDER BY metadata_id LIMIT ?2";
    struct meta_page page = {.im = im};
    if (exclusion_init(&page.exclusion, im->options->exclude, err) != 0)
        return -1;
    int result = recorder_read_pages(im->recorder, sql, 0, take_meta, &page, err);
    exclusion_release(&page.exclusion);
    return result;
}

static int read_runs(struct import *im, struct error *err)
{
    static const char sql[] =
        "SELECT start, \"end\", closed_incorrect, run_id FROM recorder_runs ORDER BY start"
        " LIMIT ?1";
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(im->recorder->db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return recorder_error(im->recorder, err);
    sqlite3_bind_int(stmt, 1, RUNS_MAX);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *start = (const char *)sqlite3_column_text(stmt, 0);
        const char *end = (const char *)sqlite3_column_text(stmt, 1);
        struct archive_run run = {.is_uncertain = sqlite3_column_int(stmt, 2) != 0};
        if (start == NULL || recorder_parse_time(start, &run.from_ms) != 0 || run.from_ms < 0 ||
            (end != NULL && recorder_parse_time(end, &run.to_ms) != 0))
            continue;
        im->runs = grow_array(im->runs, im->run_count, &im->run_capacity, sizeof *im->runs);
        im->runs[im->run_count++] = run;
        im->run_id = sqlite3_column_int64(stmt, 3);
    }
    int result = rc == SQLITE_DONE ? 0 : recorder_error(im->recorder, err);
    sqlite3_finalize(stmt);
    return result;
}

/* Entities that were renamed in Home Assistant keep their past: same metadata_id, a name that is
 * new to us, and an old one that the recorder no longer has. */
static void follow_renames(struct import *im, const struct dictionary *current)
{
    struct archive *a = im->archive;
    for (size_t i = 0; i < a->entity_count; i++) {
        struct archive_entity *e = &a->entities[i];
        int32_t index = id_map_get(&im->by_metadata, e->metadata_id);
        const struct meta *meta = index >= 0 ? &im->metas[index] : NULL;
        if (meta == NULL || meta->entity_id == NULL || meta->is_excluded ||
            dictionary_find(current, e->entity_id, strlen(e->entity_id)) >= 0 ||
            archive_find_entity(a, meta->entity_id) >= 0)
            continue;
        log_info("source", "%s is now %s", e->entity_id, meta->entity_id);
        free(e->entity_id);
        e->entity_id = xstrdup(meta->entity_id);
        e->is_changed = true;
    }
}

static int match_entities(struct import *im, struct error *err)
{
    struct archive *a = im->archive;
    struct dictionary current;
    dictionary_init(&current);
    for (size_t i = 0; i < im->meta_count; i++)
        if (im->metas[i].entity_id != NULL)
            dictionary_add(&current, im->metas[i].entity_id, strlen(im->metas[i].entity_id),
                           HISTORY_ENTITIES_MAX);
    if (im->is_same)
        follow_renames(im, &current);
    dictionary_release(&current);
    for (size_t i = 0; i < a->entity_count; i++)
        dictionary_add(&im->ids, a->entities[i].entity_id, strlen(a->entities[i].entity_id),
                       ARCHIVE_ENTITIES_MAX);
    for (size_t i = 0; i < im->meta_count; i++) {
        struct meta *meta = &im->metas[i];
        if (meta->entity_id == NULL || meta->is_excluded)
            continue;
        meta->entity = dictionary_find(&im->ids, meta->entity_id, strlen(meta->entity_id));
        if (archive_forgotten_until(a, meta->entity_id, &meta->forgotten_ms, err) < 0)
            return -1;
    }
    return 0;
}

/* Its first row in the archive. */
static int add_entity(struct import *im, struct meta *meta, struct error *err)
{
    size_t length = strlen(meta->entity_id);
    meta->entity = dictionary_find(&im->ids, meta->entity_id, length);
    if (meta->entity >= 0) /* it has several metadata ids */
        return 0;
    meta->entity = archive_add_entity(im->archive, meta->entity_id, err);
    dictionary_add(&im->ids, meta->entity_id, length, ARCHIVE_ENTITIES_MAX);
    return meta->entity < 0 ? -1 : 0;
}

/* --- where to begin --- */

/* The numbers of the first row of a query with one parameter; 1, 0 = no row, -1. */
static int query_row(struct import *im, const char *sql, int64_t value, int64_t *first,
                     double *second, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(im->recorder->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(stmt, 1, value);
        rc = sqlite3_step(stmt);
    }
    if (rc == SQLITE_ROW) {
        *first = sqlite3_column_int64(stmt, 0);
        *second = sqlite3_column_double(stmt, 1);
    }
    int result = rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : recorder_error(im->recorder, err);
    sqlite3_finalize(stmt);
    return result;
}

/* 1 = the cursor's row is there, 0 = it is not, or is another, -1. */
static int find_cursor_row(struct import *im, struct error *err)
{
    int64_t metadata_id;
    double time_s;
    int rc = query_row(im, "SELECT metadata_id, last_updated_ts FROM states WHERE state_id = ?1",
                       im->cursor.last_id, &metadata_id, &time_s, err);
    return rc <= 0 ? rc
                   : metadata_id == im->cursor.last_metadata_id &&
                         !(time_s < im->cursor.last_time_s) && !(time_s > im->cursor.last_time_s);
}

/* 1 = a purge has passed over the cursor's row: the recorder's newest run of last time is there,
 * and what is left begins no earlier than what was read last. */
static int find_purge(struct import *im, int64_t min_id, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int64_t start_ms = 0, unused;
    double first_s = 0;
    if (min_id <= im->cursor.last_id)
        return 0;
    if (query_row(im, "SELECT state_id, last_updated_ts FROM states WHERE state_id = ?1", min_id,
                  &unused, &first_s, err) < 0)
        return -1;
    if (first_s < im->cursor.last_time_s - IMPORT_LATE_MS / 1000.0)
        return 0;
    int rc = sqlite3_prepare_v2(
        im->recorder->db, "SELECT start FROM recorder_runs WHERE run_id = ?1", -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(stmt, 1, im->cursor.run_id);
        rc = sqlite3_step(stmt);
    }
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    bool found = im->cursor.run_id != 0 && text != NULL &&
                 recorder_parse_time(text, &start_ms) == 0 && start_ms == im->cursor.run_start_ms;
    int result = rc == SQLITE_ROW || rc == SQLITE_DONE ? found : recorder_error(im->recorder, err);
    sqlite3_finalize(stmt);
    return result;
}

static int read_ranges(struct import *im, struct error *err)
{
    size_t count, used = 0;
    if (archive_read_ranges(im->archive, &im->ranges, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (im->needs_range || im->ranges[i].id != im->cursor.range)
            im->ranges[used++] = im->ranges[i];
    im->range_count = used;
    return 0;
}

/* Sets first_id (what precedes it is known), last_id, and what the cursor must forget. */
static int choose_start(struct import *im, struct error *err)
{
    struct archive_cursor *c = &im->cursor;
    int64_t min_id = 0, max_id = 0;
    double unused;
    if (query_row(im, "SELECT min(state_id), ?1 FROM states", 0, &min_id, &unused, err) < 0 ||
        query_row(im, "SELECT max(state_id), ?1 FROM states", 0, &max_id, &unused, err) < 0)
        return -1;
    im->first_id = 1;
    if (c->stream_ms > im->now_ms) /* our clock was wrong then: no day ends early for that */
        c->stream_ms = im->now_ms;
    if (c->calls_ms > im->now_ms) /* likewise: all of them once more, for each is kept once */
        c->calls_ms = 0;
    if (max_id == 0) /* not a single row */
        return 0;
    int found = c->last_id != 0 ? find_cursor_row(im, err) : 0;
    int purged = found == 0 && c->last_id != 0 ? find_purge(im, min_id, err) : 0;
    if (found < 0 || purged < 0)
        return -1;
    im->first_id = found ? c->last_id + 1 : min_id;
    im->last_id = max_id;
    im->is_same = found == 1 || purged == 1;
    im->needs_range = !found && !(purged && min_id == c->last_id + 1);
    if (im->is_same)
        return 0;
    im->stats->is_other = c->last_id != 0;
    c->filter_id = c->last_id != 0 ? max_id : 0;
    c->stream_ms = c->calls_ms = 0; /* what was asked for is kept once */
    if (im->stats->is_other)
        log_info("source",
                 "'%s' is not the database of last time, or an older state of it: only "
                 "what lies in times that were not imported yet is new",
                 im->recorder->path);
    return 0;
}

/* --- rows --- */

static bool is_imported(const struct import *im, int64_t time_ms)
{
    for (size_t i = 0; i < im->range_count; i++)
        if (time_ms >= im->ranges[i].from_ms && time_ms <= im->ranges[i].known_ms)
            return true;
    return false;
}

enum state_column {
    COLUMN_ID,
    COLUMN_METADATA,
    COLUMN_TIME,
    COLUMN_STATE,
    COLUMN_CONTEXT,
    COLUMN_USER,
    COLUMN_PARENT,
    COLUMN_ATTRIBUTES
};

static int64_t time_of_row(sqlite3_stmt *stmt)
{
    double ms = sqlite3_column_double(stmt, COLUMN_TIME) * 1000 + 0.5;
    return ms >= (double)BUILDER_TIME_MIN_MS && ms < (double)BUILDER_TIME_MAX_MS ? (int64_t)ms : -1;
}

static struct archive_day *find_day(struct import *im, int64_t day)
{
    for (size_t i = im->day_count; i-- > 0;)
        if (im->days[i].day == day)
            return &im->days[i];
    im->days = grow_array(im->days, im->day_count, &im->day_capacity, sizeof *im->days);
    struct archive_day *added = &im->days[im->day_count++];
    *added = (struct archive_day){.day = day, .from_ms = INT64_MAX, .to_ms = INT64_MIN};
    return added;
}

/* Where the run ended, if nothing better is known. */
static int64_t end_of_run(const struct import *im, size_t run)
{
    if (im->runs[run].to_ms != 0)
        return im->runs[run].to_ms;
    return run + 1 < im->run_count ? im->runs[run + 1].from_ms : INT64_MAX;
}

static void note_run(struct import *im, int64_t time_ms)
{
    size_t i = im->run;
    if (im->run_count == 0)
        return;
    while (i > 0 && time_ms < im->runs[i].from_ms)
        i--;
    while (i + 1 < im->run_count && time_ms >= im->runs[i + 1].from_ms)
        i++;
    im->run = i;
    if (time_ms >= im->runs[i].from_ms && time_ms < end_of_run(im, i) &&
        time_ms > im->runs[i].last_ms)
        im->runs[i].last_ms = time_ms;
}

static void note_time(struct import *im, int64_t time_ms)
{
    note_run(im, time_ms);
    struct archive_day *day = find_day(im, time_ms / ARCHIVE_DAY_MS);
    int64_t offset_ms = time_ms % ARCHIVE_DAY_MS;
    uint8_t unit = (uint8_t)(offset_ms % DAY_SLOT_MS / BUILDER_UNIT_MS + 1);
    uint8_t *slot = &day->slots[offset_ms / DAY_SLOT_MS];
    *slot = unit > *slot ? unit : *slot;
    day->from_ms = time_ms < day->from_ms ? time_ms : day->from_ms;
    day->to_ms = time_ms > day->to_ms ? time_ms : day->to_ms;
    int64_t reached_ms = time_ms < im->now_ms ? time_ms : im->now_ms;
    if (reached_ms > im->cursor.stream_ms)
        im->cursor.stream_ms = reached_ms;
}

/* A scene's row: `on` for the moment at which it is activated, else `off`, or not there. */
static void parse_scene(const char *text, size_t length, struct archive_row *row)
{
    row->kind = ARCHIVE_WORD;
    row->word = HISTORY_STATE_OFF;
    if (text == NULL || strcmp(text, "unavailable") == 0)
        row->word = HISTORY_STATE_UNAVAILABLE;
    if (text == NULL || !scene_was_activated(text, length, row->time_ms))
        return;
    row->word = HISTORY_STATE_ON;
    row->cause |= ARCHIVE_MOMENT;
}

/* The state as the archive has it; false when it is none. */
static bool parse_state(struct archive_entity *e, sqlite3_stmt *stmt, struct archive_row *row)
{
    int type = sqlite3_column_type(stmt, COLUMN_STATE);
    if (type != SQLITE_NULL && type != SQLITE_TEXT) /* never Home Assistant's doing */
        return false;
    const char *text = (const char *)sqlite3_column_text(stmt, COLUMN_STATE);
    if (rule_is_scene(e->entity_id)) {
        parse_scene(text, (size_t)sqlite3_column_bytes(stmt, COLUMN_STATE), row);
        return true;
    }
    if (archive_parse_state(text, (size_t)sqlite3_column_bytes(stmt, COLUMN_STATE), row))
        return true;
    row->word = strlen(text) <= WORD_MAX ? archive_word(e, text) : HISTORY_STATE_OTHER;
    return true;
}

static void add_value(struct import *im, int64_t entity, const struct history_value *value)
{
    if (im->value_count == VALUES_MAX)
        return;
    im->values = grow_array(im->values, im->value_count, &im->value_capacity, sizeof *im->values);
    im->values[im->value_count++] = (struct pending_value){*value, (uint32_t)entity};
}

/* What the row tells of the attribute that is recorded of its entity. */
static int take_value(struct import *im, struct meta *meta, sqlite3_stmt *stmt,
                      const struct archive_row *row, struct error *err)
{
    struct history_value value = {
        .time_ms = row->time_ms, .attribute = (uint8_t)meta->recorded, .cause = row->cause};
    if (meta->recorded == RULE_ATTRIBUTE_COUNT)
        return 0;
    if (recorder_value_of_row(&im->lookup, stmt, COLUMN_STATE, COLUMN_ATTRIBUTES, meta->recorded,
                              &meta->latest, &value.value, err) != 0)
        return -1;
    if (!isnan(value.value))
        add_value(im, meta->entity, &value);
    return 0;
}

static int take_row(struct import *im, sqlite3_stmt *stmt, struct error *err)
{
    int64_t id = sqlite3_column_int64(stmt, COLUMN_ID);
    int64_t metadata_id = sqlite3_column_int64(stmt, COLUMN_METADATA);
    int64_t time_ms = time_of_row(stmt);
    int32_t index = id_map_get(&im->by_metadata, metadata_id);
    struct meta *meta = index >= 0 ? &im->metas[index] : NULL;
    im->cursor.last_id = id;
    im->cursor.last_metadata_id = metadata_id;
    im->cursor.last_time_s = sqlite3_column_double(stmt, COLUMN_TIME);
    if (meta != NULL && meta->is_excluded)
        return 0;
    im->stats->read++;
    if (meta == NULL || meta->entity_id == NULL || time_ms < 0) {
        im->stats->skipped++;
        return 0;
    }
    if (time_ms < im->oldest_ms || time_ms <= meta->forgotten_ms)
        return 0;
    if (id <= im->cursor.filter_id && is_imported(im, time_ms)) {
        im->stats->known++;
        return 0;
    }
    if (meta->entity < 0 && add_entity(im, meta, err) < 0)
        return -1;
    struct archive_entity *e = &im->archive->entities[meta->entity];
    struct archive_row row = {
        .time_ms = time_ms,
        .cause = (uint8_t)recorder_cause_of_row(&im->causes, stmt, COLUMN_CONTEXT)};
    note_time(im, time_ms);
    if (!parse_state(e, stmt, &row)) {
        im->stats->skipped++;
        return 0;
    }
    e->is_changed = e->is_changed || e->metadata_id != metadata_id;
    e->metadata_id = metadata_id;
    if (sqlite3_column_type(stmt, COLUMN_ATTRIBUTES) == SQLITE_INTEGER)
        meta->attributes_id = sqlite3_column_int64(stmt, COLUMN_ATTRIBUTES);
    im->rows[im->row_count] = (struct pending){row, time_ms / ARCHIVE_DAY_MS,
                                               (uint32_t)meta->entity, (uint32_t)im->row_count};
    im->row_count++;
    return take_value(im, meta, stmt, &row, err);
}

/* --- transactions --- */

static int compare_pending(const void *a, const void *b)
{
    const struct pending *x = a, *y = b;
    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    if (x->entity != y->entity)
        return x->entity < y->entity ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static int write_rows(struct import *im, struct error *err)
{
    struct archive_rows group = {.items = NULL};
    int rc = 0;
    if (im->row_count > 0)
        qsort(im->rows, im->row_count, sizeof *im->rows, compare_pending);
    for (size_t i = 0; i < im->row_count && rc == 0;) {
        const struct pending *first = &im->rows[i];
        group.count = 0;
        for (; i < im->row_count && im->rows[i].day == first->day &&
               im->rows[i].entity == first->entity;
             i++)
            archive_rows_add(&group, &im->rows[i].row);
        rc = archive_append(im->archive, first->entity, first->day, &group, err);
    }
    archive_rows_release(&group);
    return rc;
}

static int compare_values(const void *a, const void *b)
{
    const struct pending_value *x = a, *y = b;
    int64_t day = x->value.time_ms / ARCHIVE_DAY_MS - y->value.time_ms / ARCHIVE_DAY_MS;
    if (day != 0)
        return day < 0 ? -1 : 1;
    return (x->entity > y->entity) - (x->entity < y->entity);
}

static int write_values(struct import *im, struct error *err)
{
    struct archive_settings group = {.items = NULL};
    int rc = 0;
    if (im->value_count > 0)
        qsort(im->values, im->value_count, sizeof *im->values, compare_values);
    for (size_t i = 0; i < im->value_count && rc == 0;) {
        const struct pending_value *first = &im->values[i];
        group.count = 0;
        for (; i < im->value_count && compare_values(first, &im->values[i]) == 0; i++)
            archive_settings_add(&group, &im->values[i].value);
        rc = archive_append_settings(im->archive, first->entity,
                                     first->value.time_ms / ARCHIVE_DAY_MS, group.items,
                                     group.count, err);
    }
    archive_settings_release(&group);
    return rc;
}

static int write_days(struct import *im, struct error *err)
{
    int64_t from_ms = INT64_MAX, to_ms = INT64_MIN;
    for (size_t i = 0; i < im->day_count; i++) {
        const struct archive_day *day = &im->days[i];
        if (archive_add_day(im->archive, day, err) < 0)
            return -1;
        from_ms = day->from_ms < from_ms ? day->from_ms : from_ms;
        to_ms = day->to_ms > to_ms ? day->to_ms : to_ms;
    }
    if (im->day_count == 0)
        return 0;
    return archive_extend_range(im->archive, from_ms, to_ms,
                                to_ms < im->now_ms ? to_ms : im->now_ms, err);
}

/* Those that ended before what is kept, or was erased, are of no use. */
static int write_runs(struct import *im, struct error *err)
{
    struct archive_cursor *c = &im->archive->cursor;
    int64_t oldest_ms = im->oldest_ms > c->forgotten_ms ? im->oldest_ms : c->forgotten_ms;
    for (size_t i = 0; i < im->run_count; i++)
        if ((im->runs[i].to_ms == 0 || im->runs[i].to_ms > oldest_ms) &&
            archive_add_run(im->archive, &im->runs[i], err) < 0)
            return -1;
    if (im->run_count > 0) {
        c->run_id = im->run_id;
        c->run_start_ms = im->runs[im->run_count - 1].from_ms;
    }
    return 0;
}

static int write_batch(struct import *im, struct error *err)
{
    struct archive *a = im->archive;
    int64_t sealed = (im->cursor.stream_ms - IMPORT_LATE_MS) / ARCHIVE_DAY_MS;
    if (im->needs_range) {
        if (archive_new_range(a, err) < 0)
            return -1;
        im->cursor.range = a->cursor.range;
        im->needs_range = false;
    }
    a->cursor = im->cursor;
    if (write_rows(im, err) < 0 || write_values(im, err) < 0 || write_days(im, err) < 0 ||
        write_runs(im, err) < 0)
        return -1;
    return archive_seal_settings(a, sealed, err) < 0 ? -1 : archive_seal(a, sealed, err);
}

/* Steals the value; NULL leaves what was. */
static void take_text(struct archive_entity *e, char **field, char *value)
{
    if (value == NULL || (*field != NULL && strcmp(*field, value) == 0)) {
        free(value);
        return;
    }
    free(*field);
    *field = value;
    e->is_changed = true;
}

static void take_attributes(struct archive_entity *e, sqlite3_stmt *stmt)
{
    json_object *object = json_parse((const char *)sqlite3_column_text(stmt, 0),
                                     (size_t)sqlite3_column_bytes(stmt, 0), NULL);
    const char *name = json_get_string(object, "friendly_name");
    if (name != NULL && name[0] != '\0')
        take_text(e, &e->name, storage_copy_name(name));
    take_text(e, &e->members, members_from_attributes(object));
    take_text(e, &e->device_class, attributes_device_class(object));
    json_object_put(object);
}

/* Of the rows at hand: names go into the transaction of their rows, or another import may have the
 * last rows, and neither the names. */
static int read_attributes(struct import *im, struct error *err)
{
    static const char sql[] = "SELECT shared_attrs FROM state_attributes WHERE attributes_id = ?1";
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(im->recorder->db, sql, -1, &stmt, NULL);
    for (size_t i = 0; i < im->meta_count && rc == SQLITE_OK; i++) {
        struct meta *meta = &im->metas[i];
        if (meta->entity < 0 || meta->attributes_id == 0)
            continue;
        sqlite3_bind_int64(stmt, 1, meta->attributes_id);
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) == SQLITE_TEXT)
            take_attributes(&im->archive->entities[meta->entity], stmt);
        meta->attributes_id = 0;
        if (rc == SQLITE_ROW || rc == SQLITE_DONE || rc == SQLITE_TOOBIG)
            rc = SQLITE_OK;
        sqlite3_reset(stmt);
    }
    int result = rc == SQLITE_OK ? 0 : recorder_error(im->recorder, err);
    sqlite3_finalize(stmt);
    return result;
}

/* 0, AGAIN, -1. */
static int commit_batch(struct import *im, struct error *err)
{
    if (read_attributes(im, err) < 0)
        return -1;
    int rc = archive_begin(im->archive, err);
    if (rc != 0)
        return rc;
    if (write_batch(im, err) < 0) {
        archive_rollback(im->archive);
        return -1;
    }
    if (archive_commit(im->archive, err) < 0)
        return -1;
    im->stats->imported += im->row_count;
    im->row_count = im->value_count = 0;
    im->day_count = 0;
    return 0;
}

/* --- reading --- */

/* A value too large to load: go on behind its row. */
static int skip_huge_row(struct import *im, int64_t *done_id, struct error *err)
{
    double unused;
    im->stats->skipped++;
    return query_row(im, "SELECT state_id, 0 FROM states WHERE state_id > ?1 ORDER BY 1 LIMIT 1",
                     *done_id, done_id, &unused, err) < 0
               ? -1
               : 0;
}

/* One read transaction. 1 = there is more, 0 = all is read, -1. */
static int read_chunk(struct import *im, sqlite3_stmt *stmt, int64_t *done_id, struct error *err)
{
    int chunk_ms = im->options->chunk_ms > 0 ? im->options->chunk_ms : SOURCE_CHUNK_MS;
    int64_t deadline_ms = clock_monotonic_ms() + chunk_ms;
    int rc = SQLITE_ROW, status = 0;
    sqlite3_bind_int64(stmt, 1, *done_id);
    for (int n = 1; status == 0 && im->row_count < im->row_max; n++) {
        if ((rc = sqlite3_step(stmt)) != SQLITE_ROW)
            break;
        *done_id = sqlite3_column_int64(stmt, COLUMN_ID);
        status = take_row(im, stmt, err);
        if (n % CLOCK_EVERY == 0 && clock_monotonic_ms() >= deadline_ms)
            break;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE && rc != SQLITE_TOOBIG)
        status = recorder_error(im->recorder, err);
    sqlite3_reset(stmt);
    if (status == 0 && rc == SQLITE_TOOBIG)
        status = skip_huge_row(im, done_id, err);
    return status < 0 ? -1 : rc != SQLITE_DONE;
}

static void tell_progress(const struct import *im, int64_t done_id)
{
    double span = (double)im->last_id - (double)im->first_id + 1;
    if (im->options->progress != NULL)
        im->options->progress((int)(((double)done_id - (double)im->first_id + 1) / span * 100),
                              "importing the history", im->options->progress_ctx);
}

/* 0, AGAIN, -1. */
static int read_states(struct import *im, struct error *err)
{
    static const char sql[] =
        "SELECT state_id, metadata_id, last_updated_ts, state, context_id_bin,"
        " context_user_id_bin, context_parent_id_bin, attributes_id"
        " FROM states WHERE state_id > ?1 AND state_id <= ?2 ORDER BY state_id";
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(im->recorder->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return recorder_error(im->recorder, err);
    sqlite3_bind_int64(stmt, 2, im->last_id);
    int64_t done_id = im->first_id - (im->first_id > INT64_MIN);
    int rc = 0, more = 1;
    while (rc == 0 && more > 0) {
        more = read_chunk(im, stmt, &done_id, err);
        if (more < 0)
            rc = -1;
        else if (im->row_count == im->row_max)
            rc = commit_batch(im, err);
        tell_progress(im, done_id);
        if (more > 0 && rc == 0 && im->row_count > 0)
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* --- what is not rows --- */

/* Areas, and names and device classes of those that have none of their own. */
static void read_registry(struct import *im)
{
    struct archive *a = im->archive;
    struct history h;
    struct builder b;
    history_init(&h);
    builder_init(&b, &h);
    for (size_t i = 0; i < a->entity_count; i++)
        builder_add_entity(&b, a->entities[i].entity_id, strlen(a->entities[i].entity_id));
    storage_read_names(im->recorder->path, &b);
    for (size_t i = 0; i < a->entity_count; i++) {
        struct archive_entity *e = &a->entities[i];
        int64_t index = dictionary_find(&b.entity_ids, e->entity_id, strlen(e->entity_id));
        if (index < 0)
            continue;
        struct history_entity *found = &h.entities[index];
        take_text(e, &e->area, found->area);
        if (e->name == NULL)
            take_text(e, &e->name, found->name);
        else
            free(found->name);
        if (e->device_class == NULL)
            take_text(e, &e->device_class, found->device_class);
        else
            free(found->device_class);
        found->area = found->name = found->device_class = NULL;
    }
    builder_release(&b);
    history_release(&h);
}

/* Which lights' calls are taken, and from when on. */
static void find_callees(struct import *im)
{
    im->calls_from_ms = xcalloc(im->archive->entity_count + 1, sizeof *im->calls_from_ms);
    for (size_t i = 0; i < im->archive->entity_count; i++)
        im->calls_from_ms[i] = INT64_MAX;
    for (size_t i = 0; i < im->meta_count; i++) {
        const struct meta *meta = &im->metas[i];
        if (meta->entity >= 0)
            im->calls_from_ms[meta->entity] =
                meta->forgotten_ms >= im->oldest_ms ? meta->forgotten_ms + 1 : im->oldest_ms;
    }
}

static int take_call(const char *entity_id, const struct history_value *value, void *ctx,
                     struct error *err)
{
    struct import *im = ctx;
    int64_t entity = dictionary_find(&im->ids, entity_id, strlen(entity_id));
    (void)err;
    if (entity < 0 || value->time_ms < im->calls_from_ms[entity] || value->time_ms > im->now_ms)
        return 0;
    add_value(im, entity, value);
    if (value->time_ms > im->cursor.calls_ms)
        im->cursor.calls_ms = value->time_ms;
    return 0;
}

/* How lights were asked to shine; a while before what is known already once more, for events may
 * come late. Without rows there are none. */
static int read_calls(struct import *im, struct error *err)
{
    double since_s = (double)(im->cursor.calls_ms - IMPORT_LATE_MS) / 1000;
    if (im->last_id < im->first_id)
        return 0;
    find_callees(im);
    return calls_read(im->recorder, im->cursor.calls_ms > 0 ? since_s : -HUGE_VAL, &im->causes,
                      take_call, im, err);
}

static void take_place(struct import *im)
{
    const struct source_place *place = &im->recorder->place;
    struct archive_home *home = &im->archive->home;
    if (place->timezone != NULL) {
        free(home->timezone);
        home->timezone = xstrdup(place->timezone);
    }
    if (place->has_location) {
        home->has_location = true;
        home->latitude = place->latitude;
        home->longitude = place->longitude;
        home->elevation_m = place->elevation_m;
    }
}

/* The last transaction: what remains of the rows, and everything that is not rows. 0, AGAIN, -1. */
static int finish(struct import *im, struct error *err)
{
    struct archive *a = im->archive;
    if (read_attributes(im, err) < 0 || read_calls(im, err) < 0)
        return -1;
    read_registry(im);
    take_place(im);
    int rc = archive_begin(a, err);
    if (rc != 0)
        return rc;
    if (write_batch(im, err) < 0 ||
        (im->oldest_ms > 0 && archive_prune(a, im->oldest_ms / ARCHIVE_DAY_MS, err) < 0)) {
        archive_rollback(a);
        return -1;
    }
    if (archive_commit(a, err) < 0)
        return -1;
    im->stats->imported += im->row_count;
    return im->oldest_ms > 0 ? archive_reload(a, err) : 0;
}

/* --- all of it --- */

/* What is older than the days to keep, by UTC days. */
static int find_oldest(struct import *im, struct error *err)
{
    int64_t unused;
    double last_s = 0;
    if (im->options->days <= 0)
        return 0;
    if (query_row(im, "SELECT state_id, last_updated_ts FROM states WHERE state_id = ?1",
                  im->last_id, &unused, &last_s, err) < 0)
        return -1;
    double last_ms = fmin(last_s * 1000, (double)im->now_ms);
    if (last_ms > (double)BUILDER_TIME_MIN_MS)
        im->oldest_ms =
            ((int64_t)last_ms / ARCHIVE_DAY_MS - im->options->days) * (int64_t)ARCHIVE_DAY_MS;
    return 0;
}

/* 0, AGAIN, -1. */
static int run_import(struct import *im, struct error *err)
{
    if (choose_start(im, err) < 0 || find_oldest(im, err) < 0 || read_ranges(im, err) < 0 ||
        read_metas(im, err) < 0 || match_entities(im, err) < 0 || read_runs(im, err) < 0)
        return -1;
    if (im->last_id >= im->first_id &&
        recorder_cause_read(&im->causes, im->recorder, INT64_MIN, err) < 0)
        return -1;
    int rc = im->last_id >= im->first_id && im->last_id != 0 ? read_states(im, err) : 0;
    return rc == 0 ? finish(im, err) : rc;
}

static int try_import(struct recorder *recorder, struct archive *archive,
                      const struct import_options *options, struct import_stats *stats,
                      struct error *err)
{
    struct import im = {.recorder = recorder,
                        .archive = archive,
                        .options = options,
                        .stats = stats,
                        .now_ms = options->now_ms > 0 ? options->now_ms : clock_wall_ms(),
                        .row_max = options->rows > 0 ? (size_t)options->rows : IMPORT_ROWS,
                        .cursor = archive->cursor};
    id_map_init(&im.by_metadata);
    dictionary_init(&im.ids);
    recorder_cause_init(&im.causes);
    recorder_cause_exclude(&im.causes, options->exclude_users);
    im.rows = xreallocarray(NULL, im.row_max, sizeof *im.rows);
    int rc = recorder_lookup_init(&im.lookup, recorder, err);
    if (rc == 0)
        rc = run_import(&im, err);
    for (size_t i = 0; i < im.meta_count; i++)
        free(im.metas[i].entity_id);
    free(im.metas);
    free(im.ranges);
    free(im.runs);
    free(im.rows);
    free(im.values);
    free(im.calls_from_ms);
    free(im.days);
    recorder_lookup_release(&im.lookup);
    id_map_release(&im.by_metadata);
    dictionary_release(&im.ids);
    recorder_cause_release(&im.causes);
    return rc;
}

int import_history(const char *path, struct archive *archive, const struct import_options *options,
                   struct import_stats *stats, struct error *err)
{
    struct recorder *recorder = recorder_open(path, err);
    if (recorder == NULL)
        return -1;
    *stats = (struct import_stats){.read = 0};
    int rc = AGAIN;
    for (int i = 0; i < IMPORT_TRIES && rc == AGAIN; i++) {
        rc = try_import(recorder, archive, options, stats, err);
        /* What is in memory is not what is in the file. */
        struct error unreadable;
        if (rc != 0 && archive_reload(archive, rc < 0 ? &unreadable : err) < 0)
            rc = -1;
    }
    if (rc == AGAIN)
        rc = error_set(err, ERROR_BUSY, "the archive is being written by others");
    if (stats->skipped > 0)
        log_warn("source", "%llu rows skipped: without a usable time, entity or state",
                 (unsigned long long)stats->skipped);
    recorder_close(recorder);
    return rc;
}
