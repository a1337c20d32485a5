#include "store/inbox.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/uuid.h"
#include "core/xalloc.h"
#include "store/statement.h"

/* Over topic, a NUL and payload: finds a redelivery; ids decide on everything else. */
static int64_t digest(const struct inbox_arrival *arrival)
{
    uint64_t topic = hash_bytes(HASH_START, arrival->topic, strlen(arrival->topic) + 1);
    return (int64_t)hash_bytes(topic, arrival->payload, arrival->len);
}

/* Well-formed UTF-8 without NUL (RFC 3629: no overlong forms, no surrogates). */
static bool is_text(const uint8_t *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint8_t c = s[i];
        if (c == 0)
            return false;
        if (c < 0x80) {
            i++;
            continue;
        }
        size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0xc2 || c > 0xf4 || more >= len - i)
            return false;
        for (size_t k = 1; k <= more; k++)
            if ((s[i + k] & 0xc0) != 0x80)
                return false;
        if ((c == 0xe0 && s[i + 1] < 0xa0) || (c == 0xed && s[i + 1] > 0x9f) ||
            (c == 0xf0 && s[i + 1] < 0x90) || (c == 0xf4 && s[i + 1] > 0x8f))
            return false;
        i += more + 1;
    }
    return true;
}

/* The payload's "id", or NULL. Caller frees. */
static char *payload_id(const char *payload, size_t len)
{
    json_object *obj = len > 0 ? json_parse(payload, len, NULL) : NULL;
    json_object *value;
    char *id = NULL;
    if (json_object_is_type(obj, json_type_object) &&
        json_object_object_get_ex(obj, "id", &value) &&
        (json_object_is_type(value, json_type_string) ||
         json_object_is_type(value, json_type_int) ||
         json_object_is_type(value, json_type_double))) {
        const char *text = json_object_get_string(value);
        size_t n = strlen(text);
        if (n > 0 && n <= INBOX_ID_MAX)
            id = xstrdup(text);
    }
    json_object_put(obj);
    return id;
}

/* 1 = there is such a row, 0 = none, -1 = error. */
static int exists(struct store *store, sqlite3_stmt *stmt, struct error *err)
{
    int rc = statement_step(store, stmt, err);
    statement_done(stmt);
    return rc;
}

static int is_redelivery(struct store *store, const struct inbox_arrival *arrival, int64_t hash,
                         struct error *err)
{
    if (arrival->mid == 0 || arrival->now_ms - arrival->connected_ms > INBOX_REDELIVERY_MS)
        return 0;
    sqlite3_stmt *stmt = statement(store,
                                   "SELECT 1 FROM inbox WHERE digest = ?1 AND mid = ?2"
                                   " AND session = ?3 AND epoch < ?4",
                                   err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, hash);
    bind_int(stmt, 2, arrival->mid);
    bind_int(stmt, 3, arrival->session);
    bind_int(stmt, 4, arrival->epoch);
    return exists(store, stmt, err);
}

/* Was the id seen? Waiting from an earlier epoch: *waits too. */
static int is_known(struct store *store, const struct inbox_arrival *arrival, const char *id,
                    bool *waits, struct error *err)
{
    sqlite3_stmt *stmt = statement(store,
                                   "SELECT max(done_ms IS NULL AND epoch < ?3) FROM inbox"
                                   " WHERE id = ?1 AND topic = ?2",
                                   err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, id);
    bind_text(stmt, 2, arrival->topic);
    bind_int(stmt, 3, arrival->epoch);
    int rc = statement_step(store, stmt, err);
    bool known = rc > 0 && sqlite3_column_type(stmt, 0) != SQLITE_NULL;
    *waits = known && sqlite3_column_int(stmt, 0) != 0;
    statement_done(stmt);
    return rc < 0 ? -1 : known;
}

static int insert(struct store *store, const struct inbox_arrival *arrival, const char *id,
                  const char *payload, int64_t hash, unsigned flags, struct error *err)
{
    int64_t waiting = 0;
    if (inbox_count(store, &waiting, err) < 0)
        return -1;
    if (waiting >= INBOX_ROWS_MAX)
        return error_set(err, ERROR_LIMIT, "%d messages wait to be handled", INBOX_ROWS_MAX);
    sqlite3_stmt *stmt =
        statement(store,
                  "INSERT INTO inbox (id, topic, payload, payload_len, digest, mid, session,"
                  " epoch, flags, received_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                  err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, id);
    bind_text(stmt, 2, arrival->topic);
    bind_text(stmt, 3, payload);
    bind_int(stmt, 4, (int64_t)arrival->len);
    bind_int(stmt, 5, hash);
    bind_int(stmt, 6, arrival->mid);
    bind_int(stmt, 7, arrival->session);
    bind_int(stmt, 8, arrival->epoch);
    bind_int(stmt, 9, flags);
    bind_int(stmt, 10, arrival->now_ms);
    return statement_run(store, stmt, err) < 0 ? -1 : 1;
}

static int take(struct store *store, const struct inbox_arrival *arrival, const char *payload,
                unsigned flags, struct error *err)
{
    int64_t hash = digest(arrival);
    int rc = is_redelivery(store, arrival, hash, err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    char *id = payload_id(payload, strlen(payload));
    if (id == NULL) {
        id = xmalloc(UUID_SIZE);
        uuid_v7(id);
    } else {
        bool waits = false;
        rc = is_known(store, arrival, id, &waits, err);
        if (rc > 0)
            flags |= INBOX_REPEATED;
        if (rc < 0 || waits)
            goto out;
    }
    rc = insert(store, arrival, id, payload, hash, flags, err);
    free(id);
    return rc;
out:
    free(id);
    return rc < 0 ? -1 : 0;
}

int inbox_insert(struct store *store, const struct inbox_arrival *arrival, struct error *err)
{
    unsigned flags = arrival->retained ? INBOX_RETAINED : 0;
    char *payload = NULL;
    if (arrival->len > INBOX_PAYLOAD_MAX)
        flags |= INBOX_TOO_LARGE;
    else if (!is_text(arrival->payload, arrival->len))
        flags |= INBOX_NOT_TEXT;
    else if (arrival->len > 0)
        payload = xstrndup(arrival->payload, arrival->len);
    int scope = scope_begin(store, err);
    int rc = scope < 0 ? -1
                       : scope_end(store, scope,
                                   take(store, arrival, payload ? payload : "", flags, err), err);
    free(payload);
    return rc;
}

int inbox_next(struct store *store, struct inbox_message *out, struct error *err)
{
    sqlite3_stmt *stmt = statement(store,
                                   "SELECT row, id, topic, payload, payload_len, received_ms, flags"
                                   " FROM inbox WHERE done_ms IS NULL ORDER BY row LIMIT 1",
                                   err);
    if (stmt == NULL)
        return -1;
    int rc = statement_step(store, stmt, err);
    if (rc > 0)
        *out = (struct inbox_message){
            .row = sqlite3_column_int64(stmt, 0),
            .id = column_text(stmt, 1),
            .topic = column_text(stmt, 2),
            .payload = column_text(stmt, 3),
            .payload_len = (size_t)sqlite3_column_int64(stmt, 4),
            .received_ms = sqlite3_column_int64(stmt, 5),
            .flags = (unsigned)sqlite3_column_int(stmt, 6),
        };
    statement_done(stmt);
    return rc;
}

void inbox_message_release(struct inbox_message *message)
{
    free(message->id);
    free(message->topic);
    free(message->payload);
    *message = (struct inbox_message){0};
}

/* By age and by number. */
static int prune(struct store *store, int64_t now_ms, struct error *err)
{
    sqlite3_stmt *stmt =
        statement(store, "DELETE FROM inbox WHERE done_ms IS NOT NULL AND received_ms < ?1", err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, now_ms - (int64_t)INBOX_KEEP_DAYS * 24 * 3600 * 1000);
    if (statement_run(store, stmt, err) < 0)
        return -1;
    stmt = statement(store,
                     "DELETE FROM inbox WHERE done_ms IS NOT NULL AND row <="
                     " (SELECT max(row) FROM inbox) - ?1",
                     err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, INBOX_KEEP_ROWS);
    return statement_run(store, stmt, err);
}

static int finish(struct store *store, int64_t row, const char *result, int64_t now_ms,
                  struct error *err)
{
    sqlite3_stmt *stmt = statement(store,
                                   "UPDATE inbox SET done_ms = ?2, result = ?3, payload = ''"
                                   " WHERE row = ?1 AND done_ms IS NULL",
                                   err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, row);
    bind_int(stmt, 2, now_ms);
    bind_text(stmt, 3, result);
    return statement_run(store, stmt, err) < 0 ? -1 : prune(store, now_ms, err);
}

int inbox_done(struct store *store, int64_t row, const char *result, struct error *err)
{
    int scope = scope_begin(store, err);
    return scope < 0
               ? -1
               : scope_end(store, scope, finish(store, row, result, clock_wall_ms(), err), err);
}

int inbox_count(struct store *store, int64_t *waiting, struct error *err)
{
    sqlite3_stmt *stmt = statement(store, "SELECT count(*) FROM inbox WHERE done_ms IS NULL", err);
    if (stmt == NULL)
        return -1;
    int rc = statement_step(store, stmt, err);
    *waiting = rc > 0 ? sqlite3_column_int64(stmt, 0) : 0;
    statement_done(stmt);
    return rc < 0 ? -1 : 0;
}
