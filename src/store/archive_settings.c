/* What attributes were seen to take, day by day: row for row while a day may still grow, so that
 * what comes late finds its place; then without what only repeats. */
#include "store/archive_private.h"

static const char SELECT_ONE[] = "SELECT data FROM setting WHERE key = ?1";
static const char WRITE[] =
    "INSERT OR REPLACE INTO setting (key, data, is_open) VALUES (?1, ?2, ?3)";

static int64_t day_ms_of(int64_t key)
{
    return (key >> ARCHIVE_ENTITY_BITS) * ARCHIVE_DAY_MS;
}

/* Appends what is kept of a day. 0 or -1. */
static int read_day(struct archive *a, int64_t key, struct archive_settings *settings,
                    struct error *err)
{
    sqlite3_stmt *stmt = statement(a->store, SELECT_ONE, err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, key);
    int rc = statement_step(a->store, stmt, err);
    if (rc > 0 &&
        archive_unpack_settings(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0),
                                key, day_ms_of(key), settings) < 0)
        archive_tell_damaged(a, key);
    statement_done(stmt);
    return rc < 0 ? -1 : 0;
}

static int write_day(struct archive *a, int64_t key, const struct archive_settings *sorted,
                     bool is_open, struct error *err)
{
    struct archive_blob blob = {.data = NULL};
    sqlite3_stmt *stmt = statement(a->store, WRITE, err);
    if (stmt == NULL)
        return -1;
    archive_pack_settings(sorted, key, day_ms_of(key), &blob);
    bind_int(stmt, 1, key);
    bind_blob(stmt, 2, blob.data, blob.size);
    bind_int(stmt, 3, is_open);
    int rc = statement_run(a->store, stmt, err);
    archive_blob_release(&blob);
    return rc;
}

int archive_append_settings(struct archive *a, size_t entity, int64_t day,
                            const struct history_value *values, size_t count, struct error *err)
{
    struct archive_settings all = {.items = NULL};
    int64_t key = archive_key(day, a->entities[entity].number);
    int rc = read_day(a, key, &all, err);
    for (size_t i = 0; i < count && rc == 0; i++)
        archive_settings_add(&all, &values[i]);
    archive_settings_sort(&all);
    if (all.count > ARCHIVE_DAY_SETTINGS_MAX)
        archive_settings_thin(&all);
    if (all.count > ARCHIVE_DAY_SETTINGS_MAX)
        all.count = ARCHIVE_DAY_SETTINGS_MAX;
    if (rc == 0)
        rc = write_day(a, key, &all, true, err);
    archive_settings_release(&all);
    return rc < 0 ? -1 : 0;
}

int archive_seal_settings(struct archive *a, int64_t before_day, struct error *err)
{
    static const char next[] =
        "SELECT key FROM setting WHERE is_open AND key >= 0 AND key < ?1 LIMIT 1";
    struct archive_settings settings = {.items = NULL};
    int rc = 1;
    while (rc > 0) {
        sqlite3_stmt *stmt = statement(a->store, next, err);
        if (stmt == NULL)
            return -1;
        bind_int(stmt, 1, archive_key(before_day, 0));
        rc = statement_step(a->store, stmt, err);
        int64_t key = rc > 0 ? sqlite3_column_int64(stmt, 0) : 0;
        statement_done(stmt);
        settings.count = 0;
        if (rc > 0 && read_day(a, key, &settings, err) < 0)
            rc = -1;
        archive_settings_thin(&settings);
        if (rc > 0 && write_day(a, key, &settings, false, err) < 0)
            rc = -1;
    }
    archive_settings_release(&settings);
    return rc < 0 ? -1 : 0;
}

int archive_read_settings(struct archive *a, int64_t from_day, int64_t to_day,
                          const bool *is_excluded, archive_settings_fn fn, void *ctx,
                          struct error *err)
{
    struct archive_settings settings = {.items = NULL};
    sqlite3_stmt *stmt = statement(
        a->store, "SELECT key, data FROM setting WHERE key >= ?1 AND key < ?2 ORDER BY key", err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, archive_key(from_day < 0 ? 0 : from_day, 0));
    bind_int(stmt, 2, archive_key(to_day > ARCHIVE_DAY_MAX ? ARCHIVE_DAY_MAX : to_day, 0));
    int rc = 0;
    while (rc == 0 && (rc = statement_step(a->store, stmt, err)) > 0) {
        int64_t key = sqlite3_column_int64(stmt, 0);
        int64_t number = key & ((1 << ARCHIVE_ENTITY_BITS) - 1);
        int32_t index = number < a->numbers ? a->index_of_number[number] : -1;
        rc = 0;
        if (index >= 0 && is_excluded != NULL && is_excluded[index])
            continue;
        settings.count = 0;
        if (index < 0 || archive_unpack_settings(sqlite3_column_blob(stmt, 1),
                                                 (size_t)sqlite3_column_bytes(stmt, 1), key,
                                                 day_ms_of(key), &settings) < 0) {
            archive_tell_damaged(a, key);
            continue;
        }
        for (size_t i = 0; i < settings.count && rc == 0; i++)
            rc = fn((size_t)index, &settings.items[i], ctx, err);
    }
    statement_done(stmt);
    archive_settings_release(&settings);
    return rc < 0 ? -1 : 0;
}
