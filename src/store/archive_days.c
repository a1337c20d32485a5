/* The days of the archive: growing, sealed, read. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "model/history.h"
#include "store/archive.h"
#include "store/archive_private.h"

static_assert(ARCHIVE_WORDS_MAX - ARCHIVE_OWN_WORDS_MAX == HISTORY_STATE_FIXED_COUNT,
              "the fixed words are history's");

/* --- blobs --- */

/* Steps to the blob of this key: 1 (read column 0, then statement_done), 0 = none, -1. */
static int find_blob(struct archive *a, const char *sql, int64_t key, sqlite3_stmt **stmt,
                     struct error *err)
{
    *stmt = statement(a->store, sql, err);
    if (*stmt == NULL)
        return -1;
    bind_int(*stmt, 1, key);
    int rc = statement_step(a->store, *stmt, err);
    if (rc <= 0)
        statement_done(*stmt);
    return rc;
}

static int write_blob(struct archive *a, const char *sql, int64_t key,
                      const struct archive_blob *blob, struct error *err)
{
    sqlite3_stmt *stmt = statement(a->store, sql, err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, key);
    bind_blob(stmt, 2, blob->data, blob->size);
    return statement_run(a->store, stmt, err);
}

static const void *blob_of(sqlite3_stmt *stmt, int column, size_t *size)
{
    const void *data = sqlite3_column_blob(stmt, column);
    *size = (size_t)sqlite3_column_bytes(stmt, column);
    return data;
}

static const char SELECT_ROWS[] = "SELECT data FROM rows WHERE key = ?1";
static const char SELECT_CHANGES[] = "SELECT data FROM changes WHERE key = ?1";
static const char SELECT_MEANS[] = "SELECT data FROM means WHERE key = ?1";
static const char WRITE_ROWS[] = "INSERT OR REPLACE INTO rows (key, data) VALUES (?1, ?2)";
static const char WRITE_CHANGES[] = "INSERT OR REPLACE INTO changes (key, data) VALUES (?1, ?2)";
static const char WRITE_MEANS[] = "INSERT OR REPLACE INTO means (key, data) VALUES (?1, ?2)";

/* --- sealing --- */

/* A value that was in force from yesterday needs its own decimals today. */
static int decimals_of_value(double value)
{
    int decimals = 0;
    for (double scaled = value; decimals < ARCHIVE_DECIMALS_MAX; decimals++, scaled *= 10)
        if (fabs(scaled - round(scaled)) < 1e-6 * fmax(1, fabs(value) / 1e6))
            break;
    return decimals;
}

static int seal_numbers(struct archive *a, struct archive_entity *e, int64_t day,
                        const struct archive_rows *sorted, struct error *err)
{
    double means[ARCHIVE_BUCKETS], value = e->value_day < day ? e->value : NAN;
    int decimals = archive_decimals(sorted);
    if (!isnan(value) && fabs(value) < 1e9 && decimals_of_value(value) > decimals)
        decimals = decimals_of_value(value);
    bool any = archive_means(sorted, day * ARCHIVE_DAY_MS, &value, means);
    if (day > e->value_day) {
        e->is_changed = e->is_changed || any || !isnan(e->value);
        e->value = value;
        e->value_day = day;
    }
    if (!any)
        return 0;
    struct archive_blob blob = {.data = NULL};
    archive_pack_means(means, decimals, archive_key(day, e->number), &blob);
    int rc = write_blob(a, WRITE_MEANS, archive_key(day, e->number), &blob, err);
    archive_blob_release(&blob);
    return rc;
}

static int write_changes(struct archive *a, const struct archive_entity *e, int64_t day,
                         struct archive_rows *changes, const struct archive_counts *counts,
                         struct error *err)
{
    struct archive_blob blob = {.data = NULL};
    int64_t key = archive_key(day, e->number);
    if (e->is_text)
        changes->count = 0;
    archive_pack_changes(changes, counts, key, day * ARCHIVE_DAY_MS, &blob);
    int rc = write_blob(a, WRITE_CHANGES, key, &blob, err);
    archive_blob_release(&blob);
    return rc;
}

/* Consumes the rows. */
static int seal_day(struct archive *a, struct archive_entity *e, int64_t day,
                    struct archive_rows *rows, struct error *err)
{
    struct archive_counts counts = {0};
    int64_t key = archive_key(day, e->number);
    archive_sort(rows);
    if (seal_numbers(a, e, day, rows, err) < 0)
        return -1;
    archive_collapse(rows, &counts);
    return write_changes(a, e, day, rows, &counts, err) < 0
               ? -1
               : archive_run_ints(a, "DELETE FROM rows WHERE key = ?1", &key, 1, err);
}

/* Rows that came after their day was sealed: words still find their place, numbers are counted. */
static int append_late(struct archive *a, const struct archive_entity *e, int64_t day,
                       struct archive_rows *changes, struct archive_counts *counts,
                       const struct archive_rows *late, struct error *err)
{
    struct archive_counts of_merged = {0}, of_late = {0};
    for (size_t i = 0; i < late->count; i++)
        archive_rows_add(changes, &late->items[i]);
    struct archive_rows copy = {.items = NULL};
    for (size_t i = 0; i < late->count; i++)
        archive_rows_add(&copy, &late->items[i]);
    archive_collapse(&copy, &of_late);
    archive_rows_release(&copy);
    counts->rows += of_late.rows;
    counts->numbers += of_late.numbers;
    counts->words += of_late.words;
    archive_sort(changes);
    archive_collapse(changes, &of_merged);
    return write_changes(a, e, day, changes, counts, err);
}

/* 1 = the day was sealed before and has the rows now, 0 = it was not, -1. */
static int append_to_sealed(struct archive *a, const struct archive_entity *e, int64_t day,
                            const struct archive_rows *rows, struct error *err)
{
    struct archive_rows changes = {.items = NULL};
    struct archive_counts counts = {0};
    sqlite3_stmt *stmt;
    size_t size;
    int64_t key = archive_key(day, e->number);
    int rc = find_blob(a, SELECT_CHANGES, key, &stmt, err);
    if (rc <= 0)
        return rc;
    const void *data = blob_of(stmt, 0, &size);
    if (archive_unpack_changes(data, size, key, day * ARCHIVE_DAY_MS, &changes, &counts) < 0)
        archive_tell_damaged(a, key);
    statement_done(stmt);
    rc = append_late(a, e, day, &changes, &counts, rows, err);
    archive_rows_release(&changes);
    return rc < 0 ? -1 : 1;
}

static int read_rows(struct archive *a, int64_t day, uint32_t number, struct archive_rows *rows,
                     struct error *err)
{
    sqlite3_stmt *stmt;
    size_t size;
    int64_t key = archive_key(day, number);
    int rc = find_blob(a, SELECT_ROWS, key, &stmt, err);
    if (rc <= 0)
        return rc;
    const void *data = blob_of(stmt, 0, &size);
    if (archive_unpack_rows(data, size, key, day * ARCHIVE_DAY_MS, rows) < 0)
        archive_tell_damaged(a, key);
    statement_done(stmt);
    return 1;
}

/* A day that was not sealed yet. */
static int append_to_open(struct archive *a, struct archive_entity *e, int64_t day,
                          const struct archive_rows *rows, struct error *err)
{
    struct archive_rows all = {.items = NULL};
    struct archive_blob blob = {.data = NULL};
    int64_t key = archive_key(day, e->number);
    int rc = read_rows(a, day, e->number, &all, err);
    size_t room = ARCHIVE_DAY_ROWS_MAX - all.count;
    size_t taken = rows->count < room ? rows->count : room;
    for (size_t i = 0; i < taken && rc >= 0; i++)
        archive_rows_add(&all, &rows->items[i]);
    if (rc >= 0 && taken < rows->count) { /* no device of a home: its day ends here */
        const struct archive_rows rest = {rows->items + taken, rows->count - taken, 0};
        rc = seal_day(a, e, day, &all, err);
        rc = rc < 0 ? -1 : append_to_sealed(a, e, day, &rest, err);
    } else if (rc >= 0) {
        archive_pack_rows(&all, key, day * ARCHIVE_DAY_MS, &blob);
        rc = write_blob(a, WRITE_ROWS, key, &blob, err);
    }
    archive_blob_release(&blob);
    archive_rows_release(&all);
    return rc < 0 ? -1 : 0;
}

int archive_append(struct archive *a, size_t entity, int64_t day, const struct archive_rows *rows,
                   struct error *err)
{
    struct archive_entity *e = &a->entities[entity];
    int rc = append_to_sealed(a, e, day, rows, err);
    return rc == 0 ? append_to_open(a, e, day, rows, err) : rc < 0 ? -1 : 0;
}

int archive_seal(struct archive *a, int64_t before_day, struct error *err)
{
    struct archive_rows rows = {.items = NULL};
    int rc = 1;
    for (int64_t last = -1; rc > 0;) {
        sqlite3_stmt *stmt = statement(
            a->store, "SELECT key FROM rows WHERE key > ?1 AND key < ?2 ORDER BY key LIMIT 1", err);
        if (stmt == NULL)
            return -1;
        bind_int(stmt, 1, last);
        bind_int(stmt, 2, archive_key(before_day, 0));
        rc = statement_step(a->store, stmt, err);
        last = rc > 0 ? sqlite3_column_int64(stmt, 0) : last;
        statement_done(stmt);
        if (rc <= 0)
            break;
        int64_t day = last >> ARCHIVE_ENTITY_BITS, number = last & ((1 << ARCHIVE_ENTITY_BITS) - 1);
        int32_t index = number < a->numbers ? a->index_of_number[number] : -1;
        if (index < 0) { /* of no entity: never ours */
            archive_tell_damaged(a, last);
            if (archive_run_ints(a, "DELETE FROM rows WHERE key = ?1", &last, 1, err) < 0)
                rc = -1;
            continue;
        }
        rows.count = 0;
        if (read_rows(a, day, (uint32_t)number, &rows, err) < 0 ||
            seal_day(a, &a->entities[index], day, &rows, err) < 0)
            rc = -1;
    }
    archive_rows_release(&rows);
    return rc < 0 ? -1 : 0;
}

/* --- when anything came --- */

int archive_add_day(struct archive *a, const struct archive_day *day, struct error *err)
{
    struct archive_day all = *day;
    sqlite3_stmt *stmt;
    size_t size;
    int rc =
        find_blob(a, "SELECT slots, from_ms, to_ms FROM day WHERE day = ?1", day->day, &stmt, err);
    if (rc < 0)
        return -1;
    if (rc > 0) {
        const uint8_t *slots = blob_of(stmt, 0, &size);
        for (size_t i = 0; i < ARCHIVE_SLOTS && i < size; i++)
            all.slots[i] = slots[i] > all.slots[i] ? slots[i] : all.slots[i];
        int64_t from_ms = sqlite3_column_int64(stmt, 1), to_ms = sqlite3_column_int64(stmt, 2);
        all.from_ms = from_ms < all.from_ms ? from_ms : all.from_ms;
        all.to_ms = to_ms > all.to_ms ? to_ms : all.to_ms;
        statement_done(stmt);
    }
    stmt = statement(a->store,
                     "INSERT OR REPLACE INTO day (day, from_ms, to_ms, slots)"
                     " VALUES (?1, ?2, ?3, ?4)",
                     err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, all.day);
    bind_int(stmt, 2, all.from_ms);
    bind_int(stmt, 3, all.to_ms);
    bind_blob(stmt, 4, all.slots, sizeof all.slots);
    return statement_run(a->store, stmt, err);
}

int archive_read_days(struct archive *a,
                      int (*fn)(const struct archive_day *day, void *ctx, struct error *err),
                      void *ctx, struct error *err)
{
    sqlite3_stmt *stmt =
        statement(a->store, "SELECT slots, day, from_ms, to_ms FROM day ORDER BY day", err);
    int rc = stmt != NULL ? 0 : -1;
    while (rc == 0 && (rc = statement_step(a->store, stmt, err)) > 0) {
        struct archive_day day = {.day = sqlite3_column_int64(stmt, 1),
                                  .from_ms = sqlite3_column_int64(stmt, 2),
                                  .to_ms = sqlite3_column_int64(stmt, 3)};
        size_t size;
        const void *slots = blob_of(stmt, 0, &size);
        if (size != sizeof day.slots) {
            archive_tell_damaged(a, archive_key(day.day, 0));
            rc = 0;
            continue;
        }
        memcpy(day.slots, slots, sizeof day.slots);
        rc = fn(&day, ctx, err);
    }
    if (stmt != NULL)
        statement_done(stmt);
    return rc < 0 ? -1 : 0;
}

/* --- reading --- */

struct reading {
    struct archive *archive;
    int64_t from_day, to_day;
    const bool *is_excluded;
    archive_changes_fn fn;
    void *ctx;
    struct archive_rows rows; /* of the present day */
};

/* One blob of either table. */
static int take_blob(struct reading *r, sqlite3_stmt *stmt, bool is_open, struct error *err)
{
    struct archive *a = r->archive;
    size_t size;
    int64_t key = sqlite3_column_int64(stmt, 0), day = key >> ARCHIVE_ENTITY_BITS;
    int64_t number = key & ((1 << ARCHIVE_ENTITY_BITS) - 1);
    int32_t index = number < a->numbers ? a->index_of_number[number] : -1;
    if (index >= 0 && r->is_excluded != NULL && r->is_excluded[index])
        return 0;
    const void *data = blob_of(stmt, 1, &size);
    struct archive_counts counts = {0};
    r->rows.count = 0;
    int rc = -1;
    if (index >= 0)
        rc = is_open
                 ? archive_unpack_rows(data, size, key, day * ARCHIVE_DAY_MS, &r->rows)
                 : archive_unpack_changes(data, size, key, day * ARCHIVE_DAY_MS, &r->rows, &counts);
    if (rc < 0) {
        archive_tell_damaged(a, key);
        return 0;
    }
    if (is_open) {
        archive_sort(&r->rows);
        archive_collapse(&r->rows, &counts);
    }
    if (a->entities[index].is_text)
        r->rows.count = 0;
    return r->fn((size_t)index, day, &r->rows, &counts, r->ctx, err);
}

static int read_table(struct reading *r, const char *sql, bool is_open, struct error *err)
{
    sqlite3_stmt *stmt = statement(r->archive->store, sql, err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, archive_key(r->from_day, 0));
    bind_int(stmt, 2, archive_key(r->to_day, 0));
    int rc = 0;
    while (rc == 0 && (rc = statement_step(r->archive->store, stmt, err)) > 0)
        rc = take_blob(r, stmt, is_open, err);
    statement_done(stmt);
    return rc;
}

int archive_read_changes(struct archive *a, int64_t from_day, int64_t to_day,
                         const bool *is_excluded, archive_changes_fn fn, void *ctx,
                         struct error *err)
{
    static const char sealed[] =
        "SELECT key, data FROM changes WHERE key >= ?1 AND key < ?2 ORDER BY key";
    static const char open[] =
        "SELECT key, data FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key";
    struct reading r = {a,
                        from_day < 0 ? 0 : from_day,
                        to_day > ARCHIVE_DAY_MAX ? ARCHIVE_DAY_MAX : to_day,
                        is_excluded,
                        fn,
                        ctx,
                        {.items = NULL}};
    int rc = read_table(&r, sealed, false, err);
    if (rc == 0)
        rc = read_table(&r, open, true, err);
    archive_rows_release(&r.rows);
    return rc;
}

/* The value in force when a day begins that is not sealed: days before it may be open too. */
static int value_before(struct archive *a, const struct archive_entity *e, int64_t day,
                        double *value, struct error *err)
{
    static const char sql[] = "SELECT key, data FROM rows WHERE (key & 1048575) = ?1"
                              " AND key < ?2 AND key > ?3 ORDER BY key";
    struct archive_rows rows = {.items = NULL};
    double unused[ARCHIVE_BUCKETS];
    *value = e->value_day < day ? e->value : NAN;
    sqlite3_stmt *stmt = statement(a->store, sql, err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, e->number);
    bind_int(stmt, 2, archive_key(day, 0));
    bind_int(stmt, 3, archive_key(e->value_day + 1, 0));
    int rc;
    while ((rc = statement_step(a->store, stmt, err)) > 0) {
        size_t size;
        const void *data = blob_of(stmt, 1, &size);
        int64_t key = sqlite3_column_int64(stmt, 0);
        int64_t day_ms = (key >> ARCHIVE_ENTITY_BITS) * ARCHIVE_DAY_MS;
        rows.count = 0;
        if (archive_unpack_rows(data, size, key, day_ms, &rows) < 0)
            archive_tell_damaged(a, key);
        archive_sort(&rows);
        archive_means(&rows, day_ms, value, unused);
    }
    statement_done(stmt);
    archive_rows_release(&rows);
    return rc;
}

/* Of a day without means or changes: one that may still grow, or a silent one. */
static int read_open_means(struct archive *a, const struct archive_entity *e, int64_t day,
                           double means[ARCHIVE_BUCKETS], int *decimals, struct error *err)
{
    struct archive_rows rows = {.items = NULL};
    double value;
    int rc = value_before(a, e, day, &value, err);
    if (rc == 0)
        rc = read_rows(a, day, e->number, &rows, err);
    archive_sort(&rows);
    *decimals = archive_decimals(&rows);
    bool any = archive_means(&rows, day * ARCHIVE_DAY_MS, &value, means);
    archive_rows_release(&rows);
    return rc < 0 ? -1 : rc == 0 ? ARCHIVE_SILENT : any;
}

int archive_read_means(struct archive *a, size_t entity, int64_t day, double means[ARCHIVE_BUCKETS],
                       int *decimals, struct error *err)
{
    const struct archive_entity *e = &a->entities[entity];
    int64_t key = archive_key(day, e->number);
    sqlite3_stmt *stmt;
    size_t size;
    int rc = find_blob(a, SELECT_MEANS, key, &stmt, err);
    if (rc > 0) {
        const void *data = blob_of(stmt, 0, &size);
        bool ok = archive_unpack_means(data, size, key, means, decimals) == 0;
        statement_done(stmt);
        if (!ok)
            archive_tell_damaged(a, key);
        return ok;
    }
    if (rc == 0)
        rc = find_blob(a, SELECT_CHANGES, key, &stmt, err);
    if (rc > 0)
        statement_done(stmt);
    return rc != 0 ? -(rc < 0) : read_open_means(a, e, day, means, decimals, err);
}
