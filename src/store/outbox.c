#include "store/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/uuid.h"
#include "core/xalloc.h"
#include "store/statement.h"

/* ended = 'expired', 'dropped' or 'failed' for the rows that `where` names; counted by the same
 * word. Afterwards the record of ended rows is cut to its size. */
static int end_rows(struct store *store, const char *ended, const char *reason, const char *sql,
                    int64_t argument, struct error *err)
{
    sqlite3_stmt *stmt = statement(store, sql, err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, ended);
    bind_text(stmt, 2, reason);
    bind_int(stmt, 3, argument);
    int64_t rows = 0;
    int rc;
    while ((rc = statement_step(store, stmt, err)) > 0)
        rows++;
    statement_done(stmt);
    if (rc < 0 || rows == 0)
        return rc;
    if (counter_add(store, ended, rows, err) < 0)
        return -1;
    stmt = statement(store,
                     "DELETE FROM outbox WHERE ended IS NOT NULL AND row <= (SELECT row FROM outbox"
                     " WHERE ended IS NOT NULL ORDER BY row DESC LIMIT 1 OFFSET ?1)",
                     err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, OUTBOX_ENDED_MAX);
    return statement_run(store, stmt, err);
}

static int waiting(struct store *store, int64_t *rows, int64_t *bytes, struct error *err)
{
    sqlite3_stmt *stmt = statement(
        store, "SELECT count(*), coalesce(sum(size), 0) FROM outbox WHERE ended IS NULL", err);
    if (stmt == NULL)
        return -1;
    int rc = statement_step(store, stmt, err);
    if (rc > 0) {
        *rows = sqlite3_column_int64(stmt, 0);
        *bytes = sqlite3_column_int64(stmt, 1);
    }
    statement_done(stmt);
    return rc < 0 ? -1 : 0;
}

static int make_room(struct store *store, size_t size, struct error *err)
{
    for (;;) {
        int64_t rows = 0, bytes = 0;
        if (waiting(store, &rows, &bytes, err) < 0)
            return -1;
        if (rows < OUTBOX_ROWS_MAX && bytes + (int64_t)size <= OUTBOX_BYTES_MAX)
            return 0;
        if (end_rows(store, "dropped", "too many wait",
                     "UPDATE outbox SET ended = ?1, reason = ?2, payload = '' WHERE row ="
                     " (SELECT min(row) FROM outbox WHERE ended IS NULL)"
                     " RETURNING row",
                     0, err) < 0)
            return -1;
    }
}

static void add_envelope(json_object *payload, int64_t ttl_s, int64_t now_ms)
{
    if (json_get_string(payload, "id") == NULL) {
        char id[UUID_SIZE];
        uuid_v7(id);
        json_object_object_add(payload, "id", json_object_new_string(id));
    }
    if (!json_object_object_get_ex(payload, "timestamp", NULL)) {
        char text[CLOCK_RFC3339_SIZE];
        clock_format_rfc3339(text, now_ms);
        json_object_object_add(payload, "timestamp", json_object_new_string(text));
    }
    if (!json_object_object_get_ex(payload, "ttl", NULL))
        json_object_object_add(payload, "ttl", json_object_new_int64(ttl_s));
    if (!json_object_object_get_ex(payload, "schema", NULL))
        json_object_object_add(payload, "schema", json_object_new_int(1));
}

static int insert(struct store *store, const char *topic, json_object *payload, const char *text,
                  int64_t ttl_s, int64_t now_ms, struct error *err)
{
    size_t size = strlen(text);
    if (make_room(store, size, err) < 0)
        return -1;
    sqlite3_stmt *stmt =
        statement(store,
                  "INSERT INTO outbox (id, topic, payload, size, created_ms, expires_ms)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                  err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, json_get_string(payload, "id"));
    bind_text(stmt, 2, topic);
    bind_text(stmt, 3, text);
    bind_int(stmt, 4, (int64_t)size);
    bind_int(stmt, 5, now_ms);
    bind_int(stmt, 6, now_ms + ttl_s * 1000);
    return statement_run(store, stmt, err);
}

int outbox_append(struct store *store, const char *topic, json_object *payload, int64_t ttl_s,
                  int64_t now_ms, struct error *err)
{
    if (!json_object_is_type(payload, json_type_object))
        return error_set(err, ERROR_INVALID, "a message for %s must be a JSON object", topic);
    if (ttl_s < 1 || ttl_s > OUTBOX_TTL_MAX_S)
        return error_set(err, ERROR_INVALID, "TTL %lld s for %s: 1 to %d", (long long)ttl_s, topic,
                         OUTBOX_TTL_MAX_S);
    add_envelope(payload, ttl_s, now_ms);
    const char *text = json_text(payload);
    if (strlen(text) > OUTBOX_PAYLOAD_MAX)
        return error_set(err, ERROR_LIMIT, "a message of %zu bytes for %s: at most %d",
                         strlen(text), topic, OUTBOX_PAYLOAD_MAX);
    int scope = scope_begin(store, err);
    return scope < 0 ? -1
                     : scope_end(store, scope,
                                 insert(store, topic, payload, text, ttl_s, now_ms, err), err);
}

int outbox_expire(struct store *store, int64_t now_ms, struct error *err)
{
    /* Most calls find nothing, and then must not write. */
    sqlite3_stmt *stmt = statement(
        store, "SELECT 1 FROM outbox WHERE ended IS NULL AND expires_ms - 1000 < ?1 LIMIT 1", err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, now_ms);
    int rc = statement_step(store, stmt, err);
    statement_done(stmt);
    if (rc <= 0)
        return rc;
    int scope = scope_begin(store, err);
    if (scope < 0)
        return -1;
    rc = end_rows(store, "expired", NULL,
                  "UPDATE outbox SET ended = ?1, reason = ?2, payload = ''"
                  " WHERE ended IS NULL AND expires_ms - 1000 < ?3 RETURNING row",
                  now_ms, err);
    return scope_end(store, scope, rc, err);
}

int outbox_next(struct store *store, int64_t after_row, int64_t now_ms, struct outbox_message *out,
                struct error *err)
{
    if (outbox_expire(store, now_ms, err) < 0)
        return -1;
    sqlite3_stmt *stmt = statement(store,
                                   "SELECT row, topic, payload, size, created_ms, expires_ms"
                                   " FROM outbox WHERE ended IS NULL AND row > ?1"
                                   " ORDER BY row LIMIT 1",
                                   err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, after_row);
    int rc = statement_step(store, stmt, err);
    if (rc > 0)
        *out = (struct outbox_message){
            .row = sqlite3_column_int64(stmt, 0),
            .topic = column_text(stmt, 1),
            .payload = column_text(stmt, 2),
            .payload_len = (size_t)sqlite3_column_int64(stmt, 3),
            .created_ms = sqlite3_column_int64(stmt, 4),
            .expires_ms = sqlite3_column_int64(stmt, 5),
        };
    statement_done(stmt);
    return rc;
}

void outbox_message_release(struct outbox_message *message)
{
    free(message->topic);
    free(message->payload);
    *message = (struct outbox_message){0};
}

int outbox_delete(struct store *store, int64_t row, struct error *err)
{
    sqlite3_stmt *stmt =
        statement(store, "DELETE FROM outbox WHERE row = ?1 AND ended IS NULL", err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, row);
    return statement_run(store, stmt, err);
}

int outbox_fail(struct store *store, int64_t row, const char *reason, struct error *err)
{
    int scope = scope_begin(store, err);
    if (scope < 0)
        return -1;
    int rc = end_rows(store, "failed", reason,
                      "UPDATE outbox SET ended = ?1, reason = ?2, payload = ''"
                      " WHERE ended IS NULL AND row = ?3 RETURNING row",
                      row, err);
    return scope_end(store, scope, rc, err);
}

int outbox_count(struct store *store, struct outbox_counts *out, struct error *err)
{
    int64_t bytes;
    *out = (struct outbox_counts){0};
    if (waiting(store, &out->waiting, &bytes, err) < 0 ||
        counter_get(store, "expired", &out->expired, err) < 0 ||
        counter_get(store, "dropped", &out->dropped, err) < 0 ||
        counter_get(store, "failed", &out->failed, err) < 0)
        return -1;
    sqlite3_stmt *stmt = statement(
        store, "SELECT created_ms FROM outbox WHERE ended IS NULL ORDER BY row LIMIT 1", err);
    if (stmt == NULL)
        return -1;
    int rc = statement_step(store, stmt, err);
    if (rc > 0)
        out->oldest_ms = sqlite3_column_int64(stmt, 0);
    statement_done(stmt);
    return rc < 0 ? -1 : 0;
}
