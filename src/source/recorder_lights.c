/* Which numbers are light sensors: the only ones whose values are read, for whether it is dark
 * decides what people do. */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "source/attributes.h"
#include "source/recorder_scan.h"

enum { ROWS_MAX = 3 }; /* of all sensors in five minutes: each costs a microsecond */

static bool is_sensor(const struct scan *scan, size_t entity)
{
    return strncmp(scan->builder.history->entities[entity].entity_id, "sensor.", 7) == 0;
}

static bool is_light(const char *text, size_t length)
{
    if (!attributes_may_be_light(text, length))
        return false;
    json_object *object = json_parse(text, length, NULL);
    char *class = attributes_device_class(object);
    bool is = class != NULL && strcmp(class, ATTRIBUTES_ILLUMINANCE) == 0;
    free(class);
    json_object_put(object);
    return is;
}

/* The attributes that the statement gives: 1 = a light sensor's, 0 = others or none, -1 = *err. */
static int step(const struct scan *scan, sqlite3_stmt *stmt, struct error *err)
{
    int rc = sqlite3_step(stmt), result = 0;
    if (rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) == SQLITE_TEXT)
        result = is_light((const char *)sqlite3_column_text(stmt, 0),
                          (size_t)sqlite3_column_bytes(stmt, 0));
    else if (rc != SQLITE_ROW && rc != SQLITE_DONE && rc != SQLITE_TOOBIG)
        result = recorder_error(scan->recorder, err);
    sqlite3_reset(stmt);
    return result;
}

int recorder_lights_look_at(struct scan *scan, size_t entity, int64_t attributes_id,
                            struct error *err)
{
    static const char sql[] = "SELECT shared_attrs FROM state_attributes WHERE attributes_id = ?1";
    sqlite3_stmt *stmt = NULL;
    scan->builder.series[entity].is_looked_at = true;
    if (!is_sensor(scan, entity))
        return 0;
    if (sqlite3_prepare_v2(scan->recorder->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return recorder_error(scan->recorder, err);
    sqlite3_bind_int64(stmt, 1, attributes_id);
    int result = step(scan, stmt, err);
    sqlite3_finalize(stmt);
    if (result > 0)
        builder_follow(&scan->builder, entity, 1);
    return result < 0 ? -1 : 0;
}

/* Keeps the first ones by entity_id: the result is the same whatever their order in the file. */
static void add_first(const struct history *h, size_t *list, size_t *count, size_t entity)
{
    size_t at = *count;
    while (at > 0 && strcmp(h->entities[entity].entity_id, h->entities[list[at - 1]].entity_id) < 0)
        at--;
    if (at == HISTORY_LIGHT_SENSORS_MAX)
        return;
    *count += *count < HISTORY_LIGHT_SENSORS_MAX;
    memmove(list + at + 1, list + at, (*count - at - 1) * sizeof *list);
    list[at] = entity;
}

int recorder_lights_find(struct scan *scan, struct error *err)
{
    static const char sql[] =
        "SELECT shared_attrs FROM state_attributes WHERE attributes_id = (SELECT attributes_id"
        " FROM states INDEXED BY ix_states_metadata_id_last_updated_ts WHERE metadata_id = ?1"
        " AND last_updated_ts < ?2 AND state_id <= ?3 ORDER BY last_updated_ts DESC LIMIT 1)";
    const struct history *h = scan->builder.history;
    size_t list[HISTORY_LIGHT_SENSORS_MAX], count = 0;
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(scan->recorder->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return recorder_error(scan->recorder, err);
    sqlite3_bind_double(stmt, 2, (double)scan->until_ms / 1000);
    sqlite3_bind_int64(stmt, 3, scan->last_id);
    int result = 0;
    for (size_t i = 0; i < h->entity_count && result >= 0; i++) {
        if (!is_sensor(scan, i))
            continue;
        sqlite3_bind_int64(stmt, 1, scan->metadata_ids[i]);
        result = step(scan, stmt, err);
        if (result > 0)
            add_first(h, list, &count, i);
    }
    sqlite3_finalize(stmt);
    int step_buckets = ((int)count + ROWS_MAX - 1) / ROWS_MAX;
    for (size_t i = 0; i < count; i++)
        builder_follow(&scan->builder, list[i], step_buckets);
    return result < 0 ? -1 : 0;
}
