/* Reading a recorder database: who is there, what caused what, the states, when the recorder was
 * running, what things are called. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "source/attributes.h"
#include "source/calls.h"
#include "source/exclusion.h"
#include "source/members.h"
#include "source/recorder_scan.h"
#include "source/storage.h"

/* --- what the parts share --- */

int scan_chunk_ms(const struct scan *scan)
{
    return scan->options->chunk_ms > 0 ? scan->options->chunk_ms : SOURCE_CHUNK_MS;
}

void scan_pause(void)
{
    nanosleep(&(struct timespec){.tv_nsec = SCAN_PAUSE_MS * 1000000}, NULL);
}

void scan_note_transaction(struct scan *scan, int64_t took_ms)
{
    if (took_ms > scan->stats->longest_read_ms)
        scan->stats->longest_read_ms = took_ms;
    scan->stats->chunks++;
}

void scan_tell_progress(const struct scan *scan, double share)
{
    if (scan->options->progress != NULL)
        scan->options->progress((int)(share * 100), "reading the history",
                                scan->options->progress_ctx);
}

int scan_take_state(struct scan *scan, sqlite3_stmt *stmt, int column, size_t entity,
                    int64_t time_ms, uint64_t *skipped, struct error *err)
{
    struct builder_series *series = &scan->builder.series[entity];
    const char *state = NULL;
    int length = 0;
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_NULL:
        break;
    case SQLITE_TEXT:
        state = (const char *)sqlite3_column_text(stmt, column);
        length = sqlite3_column_bytes(stmt, column);
        break;
    default: /* never Home Assistant's doing */
        ++*skipped;
        return 0;
    }
    series->rows++;
    if (sqlite3_column_type(stmt, column + 4) == SQLITE_INTEGER)
        series->attributes_id = sqlite3_column_int64(stmt, column + 4);
    if (!scan->is_by_entity && !series->is_looked_at && state != NULL &&
        isdigit((unsigned char)state[0]) &&
        recorder_lights_look_at(scan, entity, series->attributes_id, err) != 0)
        return -1;
    return builder_add_state(&scan->builder, entity, time_ms, state, (size_t)length,
                             recorder_cause_of_row(&scan->causes, stmt, column + 1), err);
}

int scan_take_value(struct scan *scan, const struct recorder_lookup *lookup, sqlite3_stmt *stmt,
                    int column, size_t entity, int64_t time_ms, struct error *err)
{
    struct builder_series *series = &scan->builder.series[entity];
    struct history_value value = {
        .time_ms = time_ms,
        .attribute = series->recorded,
        .cause = (uint8_t)recorder_cause_of_row(&scan->causes, stmt, column + 1)};
    if (series->recorded == RULE_ATTRIBUTE_COUNT)
        return 0;
    if (recorder_value_of_row(lookup, stmt, column, column + 4,
                              (enum rule_attribute)series->recorded, &series->latest_attributes,
                              &value.value, err) != 0)
        return -1;
    return isnan(value.value) ? 0 : builder_add_reading(&scan->builder, entity, &value, err);
}

/* --- calls --- */

static int take_call(const char *entity_id, const struct history_value *value, void *ctx,
                     struct error *err)
{
    struct scan *scan = ctx;
    int64_t entity = dictionary_find(&scan->builder.entity_ids, entity_id, strlen(entity_id));
    if (entity < 0 || value->time_ms < scan->since_ms || value->time_ms >= scan->until_ms)
        return 0;
    return builder_add_value(&scan->builder, (size_t)entity, value, err);
}

static int read_calls(struct scan *scan, struct error *err)
{
    return calls_read(scan->recorder, -HUGE_VAL, &scan->causes, take_call, scan, err);
}

/* --- the entities --- */

static int add_entity(struct scan *scan, const struct exclusion *exclusion, int64_t metadata_id,
                      const char *entity_id, size_t length, struct error *err)
{
    if (scan->entities.count == HISTORY_ENTITIES_MAX)
        return error_set(err, ERROR_LIMIT, "'%s' has more than %d entities", scan->recorder->path,
                         HISTORY_ENTITIES_MAX);
    int32_t index = ID_MAP_NONE;
    size_t known = scan->builder.history->entity_count;
    if (entity_id != NULL && strlen(entity_id) == length)
        index = exclusion_matches(exclusion, entity_id)
                    ? SCAN_EXCLUDED
                    : (int32_t)builder_add_entity(&scan->builder, entity_id, length);
    id_map_put(&scan->entities, metadata_id, index);
    if (index < 0)
        return 0;
    if ((size_t)index < known) {
        scan->has_twins = true;
        return 0;
    }
    scan->metadata_ids =
        grow_array(scan->metadata_ids, known, &scan->metadata_capacity, sizeof metadata_id);
    scan->metadata_ids[known] = metadata_id;
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

/* --- names and groups --- */

static void take_attributes(struct history_entity *e, const char *attributes, size_t length)
{
    json_object *object = json_parse(attributes, length, NULL);
    const char *name = json_get_string(object, "friendly_name");
    e->name = name != NULL && name[0] != '\0' ? storage_copy_name(name) : NULL;
    e->members = members_from_attributes(object);
    e->device_class = attributes_device_class(object);
    json_object_put(object);
}

/* Of the entities that are kept only. */
static int read_attributes(struct scan *scan, struct error *err)
{
    static const char sql[] = "SELECT shared_attrs FROM state_attributes WHERE attributes_id = ?1";
    struct history *h = scan->builder.history;
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(scan->recorder->db, sql, -1, &stmt, NULL);
    for (size_t i = 0; i < h->entity_count && rc == SQLITE_OK; i++) {
        struct history_entity *e = &h->entities[i];
        const struct builder_series *series = &scan->builder.series[i];
        if ((e->changes == 0 && series->means == NULL) || series->attributes_id == 0)
            continue;
        sqlite3_bind_int64(stmt, 1, series->attributes_id);
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) == SQLITE_TEXT)
            take_attributes(e, (const char *)sqlite3_column_text(stmt, 0),
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

int recorder_read_bounds(struct scan *scan, struct error *err)
{
    static const char sql[] =
        "SELECT (SELECT min(state_id) FROM states), (SELECT max(state_id) FROM states)";
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(scan->recorder->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        scan->first_id = sqlite3_column_int64(stmt, 0);
        scan->last_id = sqlite3_column_int64(stmt, 1);
    }
    int result = rc == SQLITE_ROW ? 0 : recorder_error(scan->recorder, err);
    sqlite3_finalize(stmt);
    return result;
}

static int read_everything(struct scan *scan, bool may_use_index, struct error *err)
{
    int by_entity = 0;
    if (recorder_read_bounds(scan, err) != 0 || read_entities(scan, err) != 0 ||
        recorder_cause_read(&scan->causes, scan->recorder, INT64_MIN, err) != 0)
        return -1;
    if (may_use_index && !scan->has_twins)
        by_entity = recorder_slices_are_possible(scan, err);
    scan->is_by_entity = by_entity > 0;
    if (by_entity < 0 || (by_entity && recorder_lights_find(scan, err) != 0) ||
        (by_entity ? recorder_slices_read(scan, err) : recorder_pass_read(scan, err)) != 0 ||
        read_calls(scan, err) != 0 || recorder_runs_read(scan, by_entity, err) != 0 ||
        read_attributes(scan, err) != 0)
        return -1;
    storage_read_names(scan->recorder->path, &scan->builder);
    builder_finish(&scan->builder);
    return 0;
}

static int read_once(struct recorder *recorder, const struct source_options *options,
                     bool may_use_index, struct history *h, struct source_stats *stats,
                     struct error *err)
{
    struct scan scan = {.recorder = recorder,
                        .options = options,
                        .stats = stats,
                        .since_ms = options->since_ms,
                        .until_ms = options->until_ms > 0 ? options->until_ms : INT64_MAX};
    builder_init(&scan.builder, h);
    id_map_init(&scan.entities);
    recorder_cause_init(&scan.causes);
    recorder_cause_exclude(&scan.causes, options->exclude_users);
    int result = read_everything(&scan, may_use_index, err);
    builder_release(&scan.builder);
    id_map_release(&scan.entities);
    recorder_cause_release(&scan.causes);
    free(scan.metadata_ids);
    return result;
}

static void forget_entities(struct history *h)
{
    struct history gone = {
        .entities = h->entities, .entity_count = h->entity_count, .covered = h->covered};
    history_release(&gone);
    h->entities = NULL;
    h->covered = NULL;
    h->entity_count = h->entity_capacity = h->covered_count = h->covered_capacity = 0;
    h->state_changes = 0;
}

int recorder_read(void *recorder, const struct source_options *options, struct history *h,
                  struct source_stats *stats, struct error *err)
{
    struct recorder *r = recorder;
    int result = read_once(r, options, true, h, stats, err);
    if (result != 0 && err->code == ERROR_INVALID) {
        /* A damaged index, perhaps: without it, there may be nothing wrong. */
        forget_entities(h);
        *stats = (struct source_stats){.skipped = 0};
        result = read_once(r, options, false, h, stats, err);
    }
    if (result == 0 && stats->skipped > 0)
        log_warn("source", "%llu rows skipped: without a usable time, entity or state",
                 (unsigned long long)stats->skipped);
    return result;
}
