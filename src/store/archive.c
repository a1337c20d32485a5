/* The file and its small tables; the days are in archive_days.c. */
#include "store/archive.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "model/history.h"
#include "store/archive_private.h"
#include "store/archive_schema.h"

enum {
    NUMBERS_MAX = 1 << ARCHIVE_ENTITY_BITS,
    SQLITE_HEADER_BYTES = 72,
    SQLITE_APPLICATION_ID_AT = 68,
};

#define VALUE_MAX 9007199254740992.0 /* 2^53: of a number that archive_parse_state gives */

static const char *const DAMAGED = "the archive %s is damaged: move it away and a new one is made";

/* --- statements --- */

int archive_run_ints(struct archive *archive, const char *sql, const int64_t *values, int count,
                     struct error *err)
{
    sqlite3_stmt *stmt = statement(archive->store, sql, err);
    if (stmt == NULL)
        return -1;
    for (int i = 0; i < count; i++)
        bind_int(stmt, i + 1, values[i]);
    return statement_run(archive->store, stmt, err);
}

void bind_blob(sqlite3_stmt *stmt, int index, const void *data, size_t size)
{
    sqlite3_bind_blob64(stmt, index, data, size, SQLITE_STATIC);
}

void archive_tell_damaged(struct archive *archive, int64_t key)
{
    char time[CLOCK_RFC3339_SIZE];
    int64_t day = key >> ARCHIVE_ENTITY_BITS, number = key & (NUMBERS_MAX - 1);
    int32_t index = number < archive->numbers ? archive->index_of_number[number] : -1;
    if (archive->damaged++ >= ARCHIVE_WARNINGS_MAX)
        return;
    clock_format_rfc3339(time, day >= 0 && day <= ARCHIVE_DAY_MAX ? day * ARCHIVE_DAY_MS : 0);
    log_warn("store", "the archive is damaged: %s on %.10s is left out",
             index >= 0 ? archive->entities[index].entity_id : "an unknown entity", time);
}

/* --- reading the small tables --- */

static void release_entities(struct archive *a)
{
    for (size_t i = 0; i < a->entity_count; i++) {
        struct archive_entity *e = &a->entities[i];
        for (size_t k = 0; k < e->word_count; k++)
            free(e->words[k]);
        free(e->words);
        free(e->entity_id);
        free(e->name);
        free(e->area);
        free(e->members);
        free(e->device_class);
    }
    free(a->entities);
    free(a->index_of_number);
    a->entities = NULL;
    a->index_of_number = NULL;
    a->entity_count = a->entity_capacity = 0;
    a->numbers = 0;
}

static void index_number(struct archive *a, uint32_t number, size_t index)
{
    if (number >= a->numbers) {
        uint32_t wanted = (number + 1) * 2;
        a->index_of_number = xreallocarray(a->index_of_number, wanted, sizeof *a->index_of_number);
        for (uint32_t i = a->numbers; i < wanted; i++)
            a->index_of_number[i] = -1;
        a->numbers = wanted;
    }
    a->index_of_number[number] = (int32_t)index;
}

static struct archive_entity *push_entity(struct archive *a, uint32_t number, char *entity_id)
{
    a->entities =
        grow_array(a->entities, a->entity_count, &a->entity_capacity, sizeof *a->entities);
    struct archive_entity *e = &a->entities[a->entity_count];
    *e = (struct archive_entity){
        .number = number, .entity_id = entity_id, .value = NAN, .value_day = -1};
    index_number(a, number, a->entity_count++);
    return e;
}

/* A time or day out of the file, which may be damaged: so that little may be added to it. */
static int64_t column_time(sqlite3_stmt *stmt, int column)
{
    const int64_t most = INT64_MAX / 4;
    int64_t time = sqlite3_column_int64(stmt, column);
    return time < -most ? -most : time > most ? most : time;
}

static int load_entities(struct archive *a, struct error *err)
{
    sqlite3_stmt *stmt = statement(a->store,
                                   "SELECT number, entity_id, name, area, metadata_id, is_text,"
                                   " value, value_day, members, device_class FROM entity"
                                   " ORDER BY number",
                                   err);
    int rc = stmt != NULL ? 0 : -1;
    while (rc == 0 && (rc = statement_step(a->store, stmt, err)) > 0) {
        int64_t number = sqlite3_column_int64(stmt, 0);
        char *id = column_text(stmt, 1);
        if (id == NULL || number <= 0 || number >= NUMBERS_MAX ||
            a->entity_count == ARCHIVE_ENTITIES_MAX) {
            free(id);
            rc = error_set(err, ERROR_INVALID, DAMAGED, store_path(a->store));
            break;
        }
        struct archive_entity *e = push_entity(a, (uint32_t)number, id);
        e->name = column_text(stmt, 2);
        e->area = column_text(stmt, 3);
        e->metadata_id = sqlite3_column_int64(stmt, 4);
        e->is_text = sqlite3_column_int(stmt, 5) != 0;
        if (sqlite3_column_type(stmt, 6) != SQLITE_NULL)
            e->value = sqlite3_column_double(stmt, 6);
        if (!(fabs(e->value) < VALUE_MAX))
            e->value = NAN;
        e->value_day = column_time(stmt, 7);
        e->members = column_text(stmt, 8);
        e->device_class = column_text(stmt, 9);
        rc = 0;
    }
    if (stmt != NULL)
        statement_done(stmt);
    return rc < 0 ? -1 : 0;
}

static int load_words(struct archive *a, struct error *err)
{
    sqlite3_stmt *stmt =
        statement(a->store, "SELECT entity, number, text FROM word ORDER BY entity, number", err);
    int rc = stmt != NULL ? 0 : -1;
    while (rc == 0 && (rc = statement_step(a->store, stmt, err)) > 0) {
        int64_t entity = sqlite3_column_int64(stmt, 0), number = sqlite3_column_int64(stmt, 1);
        int32_t index = entity > 0 && entity < a->numbers ? a->index_of_number[entity] : -1;
        struct archive_entity *e = index >= 0 ? &a->entities[index] : NULL;
        char *text = column_text(stmt, 2);
        if (e == NULL || text == NULL || e->word_count == ARCHIVE_OWN_WORDS_MAX ||
            number != (int64_t)e->word_count + HISTORY_STATE_FIXED_COUNT) {
            free(text);
            rc = error_set(err, ERROR_INVALID, DAMAGED, store_path(a->store));
            break;
        }
        e->words = grow_array(e->words, e->word_count, &e->word_capacity, sizeof *e->words);
        e->words[e->word_count++] = text;
        e->words_stored = e->word_count;
        rc = 0;
    }
    if (stmt != NULL)
        statement_done(stmt);
    return rc < 0 ? -1 : 0;
}

static int load_cursor(struct archive *a, struct error *err)
{
    sqlite3_stmt *stmt =
        statement(a->store,
                  "SELECT revision, last_id, last_metadata_id, last_time_s, filter_id, range,"
                  " stream_ms, run_id, run_start_ms, forgotten_ms, timezone, latitude, longitude,"
                  " elevation_m, calls_ms"
                  " FROM cursor WHERE id = 1",
                  err);
    if (stmt == NULL)
        return -1;
    int rc = statement_step(a->store, stmt, err);
    if (rc > 0) {
        a->revision = sqlite3_column_int64(stmt, 0);
        a->cursor = (struct archive_cursor){
            .last_id = sqlite3_column_int64(stmt, 1),
            .last_metadata_id = sqlite3_column_int64(stmt, 2),
            .last_time_s = sqlite3_column_double(stmt, 3),
            .filter_id = sqlite3_column_int64(stmt, 4),
            .range = sqlite3_column_int64(stmt, 5),
            .stream_ms = column_time(stmt, 6),
            .run_id = sqlite3_column_int64(stmt, 7),
            .run_start_ms = column_time(stmt, 8),
            .forgotten_ms = column_time(stmt, 9),
            .calls_ms = column_time(stmt, 14),
        };
        free(a->home.timezone);
        a->home = (struct archive_home){
            .timezone = column_text(stmt, 10),
            .latitude = sqlite3_column_double(stmt, 11),
            .longitude = sqlite3_column_double(stmt, 12),
            .elevation_m = sqlite3_column_double(stmt, 13),
        };
        a->home.has_location = sqlite3_column_type(stmt, 11) != SQLITE_NULL &&
                               fabs(a->home.latitude) <= 90 && fabs(a->home.longitude) <= 180;
    }
    statement_done(stmt);
    if (rc == 0)
        rc = error_set(err, ERROR_INVALID, DAMAGED, store_path(a->store));
    return rc < 0 ? -1 : 0;
}

/* In a transaction of the caller's or none: then each table is as it is at that moment. */
static int load(struct archive *a, struct error *err)
{
    release_entities(a);
    return load_cursor(a, err) == 0 && load_entities(a, err) == 0 && load_words(a, err) == 0 ? 0
                                                                                             : -1;
}

/* --- opening --- */

enum owner { OWNER_NONE, OWNER_ARCHIVE, OWNER_OTHER_DATABASE, OWNER_OTHER };

/* Whose file it is, by its first bytes. What a killed first import has left may begin with zeros.
 */
static enum owner owner_of(const char *path)
{
    uint8_t header[SQLITE_HEADER_BYTES] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return OWNER_NONE;
    ssize_t n = pread(fd, header, sizeof header, 0);
    close(fd);
    uint32_t id = 0;
    for (size_t i = 0; i < 4; i++)
        id = id << 8 | header[SQLITE_APPLICATION_ID_AT + i];
    if (n <= 0 || header[0] == 0)
        return OWNER_NONE;
    if (n < (ssize_t)sizeof header || memcmp(header, "SQLite format 3", 16) != 0)
        return OWNER_OTHER;
    return id == ARCHIVE_APPLICATION_ID ? OWNER_ARCHIVE : OWNER_OTHER_DATABASE;
}

bool archive_is_file(const char *path)
{
    return owner_of(path) == OWNER_ARCHIVE;
}

/* Before SQLite or a chmod touches it: it may be Home Assistant's. */
static int refuse_others(const char *path, struct error *err)
{
    enum owner owner = owner_of(path);
    if (owner == OWNER_OTHER_DATABASE)
        return error_set(err, ERROR_INVALID, "%s is the database of another program", path);
    if (owner == OWNER_OTHER)
        return error_set(err, ERROR_INVALID,
                         "%s is not a database; move it away and a new one is made", path);
    return 0;
}

struct archive *archive_open(const char *path, bool readonly, struct error *err)
{
    if (!readonly && refuse_others(path, err) < 0)
        return NULL;
    struct archive *a = xcalloc(1, sizeof *a);
    a->store = store_open_schema(path, &schema_archive, readonly, err);
    if (a->store == NULL || archive_reload(a, err) < 0) {
        archive_close(a);
        return NULL;
    }
    return a;
}

int archive_reload(struct archive *a, struct error *err)
{
    sqlite3_stmt *begin = statement(a->store, "BEGIN", err);
    if (begin == NULL || statement_run(a->store, begin, err) < 0)
        return -1;
    int rc = load(a, err);
    store_rollback(a->store);
    return rc;
}

void archive_close(struct archive *a)
{
    if (a == NULL)
        return;
    release_entities(a);
    free(a->home.timezone);
    store_close(a->store);
    free(a);
}

bool archive_was_written(const struct archive *a)
{
    return a->revision > 0;
}

/* --- transactions --- */

int archive_begin(struct archive *a, struct error *err)
{
    if (store_begin(a->store, err) < 0)
        return -1;
    sqlite3_stmt *stmt = statement(a->store, "SELECT revision FROM cursor WHERE id = 1", err);
    int rc = stmt != NULL ? statement_step(a->store, stmt, err) : -1;
    int64_t revision = rc > 0 ? sqlite3_column_int64(stmt, 0) : 0;
    if (stmt != NULL)
        statement_done(stmt);
    if (rc > 0 && revision == a->revision)
        return 0;
    store_rollback(a->store);
    return rc < 0 ? -1 : 1;
}

static int write_words(struct archive *a, struct archive_entity *e, struct error *err)
{
    if (e->is_text && archive_run_ints(a, "DELETE FROM word WHERE entity = ?1",
                                       &(int64_t){e->number}, 1, err) < 0)
        return -1;
    for (size_t i = e->words_stored; i < e->word_count; i++) {
        sqlite3_stmt *stmt =
            statement(a->store, "INSERT INTO word (entity, number, text) VALUES (?1, ?2, ?3)", err);
        if (stmt == NULL)
            return -1;
        bind_int(stmt, 1, e->number);
        bind_int(stmt, 2, (int64_t)i + HISTORY_STATE_FIXED_COUNT);
        bind_text(stmt, 3, e->words[i]);
        if (statement_run(a->store, stmt, err) < 0)
            return -1;
    }
    e->words_stored = e->word_count;
    return 0;
}

static int write_entity(struct archive *a, struct archive_entity *e, struct error *err)
{
    sqlite3_stmt *stmt =
        statement(a->store,
                  "INSERT INTO entity (number, entity_id, name, area, metadata_id, is_text, value,"
                  " value_day, members, device_class)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
                  " ON CONFLICT (number) DO UPDATE SET entity_id = ?2, name = ?3, area = ?4,"
                  " metadata_id = ?5, is_text = ?6, value = ?7, value_day = ?8, members = ?9,"
                  " device_class = ?10",
                  err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, e->number);
    bind_text(stmt, 2, e->entity_id);
    bind_text(stmt, 3, e->name);
    bind_text(stmt, 4, e->area);
    bind_int(stmt, 5, e->metadata_id);
    bind_int(stmt, 6, e->is_text);
    if (!isnan(e->value))
        sqlite3_bind_double(stmt, 7, e->value);
    bind_int(stmt, 8, e->value_day);
    bind_text(stmt, 9, e->members);
    bind_text(stmt, 10, e->device_class);
    if (statement_run(a->store, stmt, err) < 0 || write_words(a, e, err) < 0)
        return -1;
    e->is_changed = false;
    return 0;
}

static int write_cursor(struct archive *a, struct error *err)
{
    const struct archive_cursor *c = &a->cursor;
    sqlite3_stmt *stmt = statement(
        a->store,
        "UPDATE cursor SET revision = ?1, last_id = ?2, last_metadata_id = ?3, last_time_s = ?4,"
        " filter_id = ?5, range = ?6, stream_ms = ?7, run_id = ?8, run_start_ms = ?9,"
        " forgotten_ms = ?10, timezone = ?11, latitude = ?12, longitude = ?13, elevation_m = ?14,"
        " calls_ms = ?15 WHERE id = 1",
        err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, a->revision + 1);
    bind_int(stmt, 2, c->last_id);
    bind_int(stmt, 3, c->last_metadata_id);
    sqlite3_bind_double(stmt, 4, c->last_time_s);
    bind_int(stmt, 5, c->filter_id);
    bind_int(stmt, 6, c->range);
    bind_int(stmt, 7, c->stream_ms);
    bind_int(stmt, 8, c->run_id);
    bind_int(stmt, 9, c->run_start_ms);
    bind_int(stmt, 10, c->forgotten_ms);
    bind_text(stmt, 11, a->home.timezone);
    bind_int(stmt, 15, c->calls_ms);
    if (a->home.has_location) {
        sqlite3_bind_double(stmt, 12, a->home.latitude);
        sqlite3_bind_double(stmt, 13, a->home.longitude);
        sqlite3_bind_double(stmt, 14, a->home.elevation_m);
    }
    return statement_run(a->store, stmt, err);
}

int archive_commit(struct archive *a, struct error *err)
{
    int rc = write_cursor(a, err);
    for (size_t i = 0; i < a->entity_count && rc == 0; i++)
        if (a->entities[i].is_changed)
            rc = write_entity(a, &a->entities[i], err);
    if (rc == 0)
        rc = store_commit(a->store, err);
    else
        store_rollback(a->store);
    a->revision += rc == 0;
    return rc;
}

void archive_rollback(struct archive *a)
{
    store_rollback(a->store);
}

/* --- entities --- */

int64_t archive_find_entity(const struct archive *a, const char *entity_id)
{
    for (size_t i = 0; i < a->entity_count; i++)
        if (strcmp(a->entities[i].entity_id, entity_id) == 0)
            return (int64_t)i;
    return -1;
}

int64_t archive_add_entity(struct archive *a, const char *entity_id, struct error *err)
{
    uint32_t last = a->entity_count > 0 ? a->entities[a->entity_count - 1].number : 0;
    if (a->entity_count == ARCHIVE_ENTITIES_MAX || last + 1 >= NUMBERS_MAX)
        return error_set(err, ERROR_LIMIT, "the archive has more than %d entities",
                         ARCHIVE_ENTITIES_MAX);
    push_entity(a, last + 1, xstrdup(entity_id))->is_changed = true;
    return (int64_t)a->entity_count - 1;
}

static const char *const fixed_words[] = {[HISTORY_STATE_UNAVAILABLE] = "unavailable",
                                          [HISTORY_STATE_UNKNOWN] = "unknown",
                                          [HISTORY_STATE_ON] = "on",
                                          [HISTORY_STATE_OFF] = "off"};

uint16_t archive_word(struct archive_entity *e, const char *word)
{
    for (size_t i = 0; i < sizeof fixed_words / sizeof *fixed_words; i++)
        if (strcmp(fixed_words[i], word) == 0)
            return (uint16_t)i;
    if (e->is_text)
        return HISTORY_STATE_OTHER;
    for (size_t i = 0; i < e->word_count; i++)
        if (strcmp(e->words[i], word) == 0)
            return (uint16_t)(i + HISTORY_STATE_FIXED_COUNT);
    e->is_changed = true;
    if (e->word_count == ARCHIVE_OWN_WORDS_MAX) {
        for (size_t i = 0; i < e->word_count; i++)
            free(e->words[i]);
        e->word_count = e->words_stored = 0;
        e->is_text = true;
        return HISTORY_STATE_OTHER;
    }
    e->words = grow_array(e->words, e->word_count, &e->word_capacity, sizeof *e->words);
    e->words[e->word_count++] = xstrdup(word);
    return (uint16_t)(e->word_count - 1 + HISTORY_STATE_FIXED_COUNT);
}

/* --- runs and ranges --- */

int archive_add_run(struct archive *a, const struct archive_run *run, struct error *err)
{
    const int64_t values[] = {run->from_ms, run->to_ms, run->is_uncertain, run->last_ms};
    return archive_run_ints(
        a,
        "INSERT INTO run (from_ms, to_ms, is_uncertain, last_ms) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (from_ms) DO UPDATE SET last_ms = max(last_ms, ?4),"
        " to_ms = iif(to_ms = 0, ?2, to_ms), is_uncertain = iif(to_ms = 0, ?3, is_uncertain)",
        values, 4, err);
}

int archive_new_range(struct archive *a, struct error *err)
{
    sqlite3_stmt *stmt = statement(a->store,
                                   "INSERT INTO range (from_ms, to_ms, known_ms)"
                                   " VALUES (9223372036854775807, 0, 0) RETURNING id",
                                   err);
    int rc = stmt != NULL ? statement_step(a->store, stmt, err) : -1;
    if (rc > 0)
        a->cursor.range = sqlite3_column_int64(stmt, 0);
    if (rc > 0)
        rc = statement_step(a->store, stmt, err);
    if (stmt != NULL)
        statement_done(stmt);
    return rc < 0 ? -1 : 0;
}

int archive_extend_range(struct archive *a, int64_t from_ms, int64_t to_ms, int64_t known_ms,
                         struct error *err)
{
    const int64_t values[] = {a->cursor.range, from_ms, to_ms, known_ms};
    return archive_run_ints(a,
                            "UPDATE range SET from_ms = min(from_ms, ?2), to_ms = max(to_ms, ?3),"
                            " known_ms = max(known_ms, ?4) WHERE id = ?1",
                            values, 4, err);
}

int archive_read_runs(struct archive *a, struct archive_run **out, size_t *count, struct error *err)
{
    sqlite3_stmt *stmt = statement(a->store,
                                   "SELECT from_ms, to_ms, last_ms, is_uncertain FROM"
                                   " (SELECT * FROM run ORDER BY from_ms DESC LIMIT ?1)"
                                   " ORDER BY from_ms",
                                   err);
    size_t capacity = 0;
    int rc = stmt != NULL ? 1 : -1;
    *out = NULL;
    *count = 0;
    if (stmt != NULL)
        bind_int(stmt, 1, ARCHIVE_RUNS_MAX);
    while (rc > 0 && (rc = statement_step(a->store, stmt, err)) > 0) {
        *out = grow_array(*out, *count, &capacity, sizeof **out);
        (*out)[(*count)++] =
            (struct archive_run){column_time(stmt, 0), column_time(stmt, 1), column_time(stmt, 2),
                                 sqlite3_column_int(stmt, 3) != 0};
    }
    if (stmt != NULL)
        statement_done(stmt);
    return rc < 0 ? -1 : 0;
}

int archive_read_ranges(struct archive *a, struct archive_range **out, size_t *count,
                        struct error *err)
{
    sqlite3_stmt *stmt = statement(a->store,
                                   "SELECT id, from_ms, to_ms, known_ms FROM"
                                   " (SELECT * FROM range ORDER BY id DESC LIMIT ?1) ORDER BY id",
                                   err);
    size_t capacity = 0;
    int rc = stmt != NULL ? 1 : -1;
    *out = NULL;
    *count = 0;
    if (stmt != NULL)
        bind_int(stmt, 1, ARCHIVE_RANGES_MAX);
    while (rc > 0 && (rc = statement_step(a->store, stmt, err)) > 0) {
        *out = grow_array(*out, *count, &capacity, sizeof **out);
        (*out)[(*count)++] =
            (struct archive_range){sqlite3_column_int64(stmt, 0), column_time(stmt, 1),
                                   column_time(stmt, 2), column_time(stmt, 3)};
    }
    if (stmt != NULL)
        statement_done(stmt);
    return rc < 0 ? -1 : 0;
}

/* --- deleting --- */

static int run_all(struct archive *a, const char *const *sql, size_t count, int64_t value,
                   struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (archive_run_ints(a, sql[i], &value, 1, err) < 0)
            return -1;
    return 0;
}

int archive_prune(struct archive *a, int64_t before_day, struct error *err)
{
    static const char *const by_key[] = {
        "DELETE FROM rows WHERE key < ?1", "DELETE FROM changes WHERE key < ?1",
        "DELETE FROM means WHERE key < ?1", "DELETE FROM setting WHERE key < ?1"};
    const int64_t before_ms = before_day * ARCHIVE_DAY_MS;
    static const char *const without_days[] = {
        "DELETE FROM entity WHERE number NOT IN (SELECT key & 1048575 FROM changes"
        " UNION SELECT key & 1048575 FROM rows)",
        "DELETE FROM word WHERE entity NOT IN (SELECT number FROM entity)",
        "DELETE FROM setting WHERE key & 1048575 NOT IN (SELECT number FROM entity)"};
    int64_t first_day = -1;
    sqlite3_stmt *stmt = statement(a->store, "SELECT min(day) FROM day", err);
    int rc = stmt != NULL ? statement_step(a->store, stmt, err) : -1;
    if (rc > 0 && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
        first_day = sqlite3_column_int64(stmt, 0);
    if (stmt != NULL)
        statement_done(stmt);
    if (rc < 0 || first_day < 0 || first_day >= before_day)
        return rc < 0 ? -1 : 0;
    if (run_all(a, by_key, sizeof by_key / sizeof *by_key, archive_key(before_day, 0), err) < 0 ||
        archive_run_ints(a, "DELETE FROM day WHERE day < ?1", &before_day, 1, err) < 0 ||
        archive_run_ints(a, "DELETE FROM run WHERE to_ms > 0 AND to_ms < ?1", &before_ms, 1, err) <
            0)
        return -1;
    for (size_t i = 0; i < sizeof without_days / sizeof *without_days; i++)
        if (archive_run_ints(a, without_days[i], NULL, 0, err) < 0)
            return -1;
    return 0;
}

static int64_t hash_of(const char *entity_id)
{
    return (int64_t)hash_text(HASH_START, entity_id);
}

int archive_forgotten_until(struct archive *a, const char *entity_id, int64_t *until_ms,
                            struct error *err)
{
    *until_ms = a->cursor.forgotten_ms;
    sqlite3_stmt *stmt =
        statement(a->store, "SELECT until_ms FROM forgotten WHERE entity = ?1", err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, hash_of(entity_id));
    int rc = statement_step(a->store, stmt, err);
    if (rc > 0 && column_time(stmt, 0) > *until_ms)
        *until_ms = column_time(stmt, 0);
    statement_done(stmt);
    return rc < 0 ? -1 : 0;
}

static int forget_all(struct archive *a, int64_t now_ms, struct error *err)
{
    static const char *const sql[] = {
        "DELETE FROM rows", "DELETE FROM changes",   "DELETE FROM means",
        "DELETE FROM word", "DELETE FROM entity",    "DELETE FROM day",
        "DELETE FROM run",  "DELETE FROM forgotten", "DELETE FROM setting"};
    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++)
        if (archive_run_ints(a, sql[i], NULL, 0, err) < 0)
            return -1;
    a->cursor.forgotten_ms = now_ms;
    free(a->home.timezone);
    a->home = (struct archive_home){.timezone = NULL};
    return 0;
}

static int forget_one(struct archive *a, const char *entity_id, int64_t index, int64_t now_ms,
                      struct error *err)
{
    static const char *const sql[] = {"DELETE FROM rows WHERE (key & 1048575) = ?1",
                                      "DELETE FROM changes WHERE (key & 1048575) = ?1",
                                      "DELETE FROM means WHERE (key & 1048575) = ?1",
                                      "DELETE FROM setting WHERE (key & 1048575) = ?1",
                                      "DELETE FROM word WHERE entity = ?1",
                                      "DELETE FROM entity WHERE number = ?1"};
    const int64_t mark[] = {hash_of(entity_id), now_ms};
    sqlite3_stmt *stmt =
        statement(a->store, "UPDATE entity SET members = NULL WHERE instr(members, ?1)", err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, entity_id);
    if (statement_run(a->store, stmt, err) < 0)
        return -1;
    if (index >= 0 && run_all(a, sql, sizeof sql / sizeof *sql, a->entities[index].number, err) < 0)
        return -1;
    return archive_run_ints(a,
                            "INSERT INTO forgotten (entity, until_ms) VALUES (?1, ?2)"
                            " ON CONFLICT (entity) DO UPDATE SET until_ms = ?2",
                            mark, 2, err);
}

int archive_forget(struct archive *a, const char *entity_id, int64_t now_ms, int wait_ms,
                   struct error *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + wait_ms;
    int rc;
    /* An import writes often, but each time for a moment only. */
    while ((rc = archive_begin(a, err)) != 0) {
        if ((rc < 0 && err->code != ERROR_BUSY) || clock_monotonic_ms() > deadline_ms)
            return rc < 0 ? -1 : error_set(err, ERROR_BUSY, "the archive is being written");
        if (rc > 0 && archive_reload(a, err) < 0 && err->code != ERROR_BUSY)
            return -1;
    }
    int64_t index = entity_id != NULL ? archive_find_entity(a, entity_id) : -1;
    bool was_kept = entity_id != NULL ? index >= 0 : a->entity_count > 0;
    rc = entity_id != NULL ? forget_one(a, entity_id, index, now_ms, err)
                           : forget_all(a, now_ms, err);
    if (rc < 0)
        archive_rollback(a);
    else
        rc = archive_commit(a, err);
    if (rc < 0 || archive_reload(a, err) < 0 || store_compact(a->store, wait_ms, err) < 0)
        return -1;
    return was_kept;
}
