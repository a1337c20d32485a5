#include "store/written.h"

#include <string.h>

#include "core/json.h"
#include "store/statement.h"

int written_get(struct store *store, const char *automation_id, int depth, json_object **out,
                struct error *err)
{
    sqlite3_stmt *stmt = statement(store,
                                   "SELECT content FROM written WHERE automation = ?1"
                                   " ORDER BY version DESC LIMIT 1 OFFSET ?2",
                                   err);
    *out = NULL;
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    bind_int(stmt, 2, depth);
    int rc = statement_step(store, stmt, err);
    if (rc > 0) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        *out = text != NULL ? json_parse(text, strlen(text), err) : NULL;
        if (*out == NULL)
            rc = error_set(err, ERROR_INVALID, "what was written to HA is damaged");
    }
    statement_done(stmt);
    return rc;
}

static int run_on(struct store *store, const char *sql, const char *id, struct error *err)
{
    sqlite3_stmt *stmt = statement(store, sql, err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, id);
    return statement_run(store, stmt, err);
}

static int put(struct store *store, const char *automation_id, json_object *content, bool is_live,
               int64_t now_ms, struct error *err)
{
    /* The one before goes when it never ran, or is the same. */
    sqlite3_stmt *stmt = statement(store,
                                   "DELETE FROM written WHERE automation = ?1 AND version ="
                                   " (SELECT max(version) FROM written WHERE automation = ?1)"
                                   " AND (live = 0 OR content = ?2)",
                                   err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    bind_text(stmt, 2, json_text(content));
    if (statement_run(store, stmt, err) < 0)
        return -1;
    stmt = statement(store,
                     "INSERT INTO written (automation, version, content, live, labelled, at_ms)"
                     " SELECT ?1, coalesce(max(version), 0) + 1, ?2, ?3,"
                     " coalesce(max(labelled), 0), ?4 FROM written WHERE automation = ?1",
                     err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    bind_text(stmt, 2, json_text(content));
    bind_int(stmt, 3, is_live);
    bind_int(stmt, 4, now_ms);
    if (statement_run(store, stmt, err) < 0)
        return -1;
    stmt = statement(store,
                     "DELETE FROM written WHERE automation = ?1 AND version NOT IN"
                     " (SELECT version FROM written WHERE automation = ?1"
                     " ORDER BY version DESC LIMIT ?2)",
                     err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    bind_int(stmt, 2, WRITTEN_VERSIONS_MAX);
    return statement_run(store, stmt, err);
}

int written_put(struct store *store, const char *automation_id, json_object *content, bool is_live,
                int64_t now_ms, struct error *err)
{
    int scope = scope_begin(store, err);
    return scope < 0 ? -1
                     : scope_end(store, scope,
                                 put(store, automation_id, content, is_live, now_ms, err), err);
}

int written_has_remains(struct store *store, const char *automation_id, struct error *err)
{
    sqlite3_stmt *stmt = statement(store,
                                   "SELECT live = 0 FROM written WHERE automation = ?1"
                                   " ORDER BY version DESC LIMIT 1",
                                   err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    int rc = statement_step(store, stmt, err);
    if (rc > 0)
        rc = sqlite3_column_int(stmt, 0);
    statement_done(stmt);
    return rc;
}

int written_drop(struct store *store, const char *automation_id, struct error *err)
{
    return run_on(store,
                  "DELETE FROM written WHERE automation = ?1 AND version ="
                  " (SELECT max(version) FROM written WHERE automation = ?1)",
                  automation_id, err);
}

int written_erase(struct store *store, const char *automation_id, struct error *err)
{
    return run_on(store, "DELETE FROM written WHERE automation = ?1", automation_id, err);
}

int written_next_unlabelled(struct store *store, char **automation_id, struct error *err)
{
    sqlite3_stmt *stmt = statement(
        store, "SELECT automation FROM written WHERE live = 1 AND labelled = 0 LIMIT 1", err);
    *automation_id = NULL;
    if (stmt == NULL)
        return -1;
    int rc = statement_step(store, stmt, err);
    if (rc > 0)
        *automation_id = column_text(stmt, 0);
    statement_done(stmt);
    return rc;
}

int written_set_labelled(struct store *store, const char *automation_id, struct error *err)
{
    return run_on(store, "UPDATE written SET labelled = 1 WHERE automation = ?1", automation_id,
                  err);
}

int undo_ask(struct store *store, const char *suggestion_id, const char *who, int64_t now_ms,
             struct error *err)
{
    sqlite3_stmt *stmt = statement(
        store, "INSERT OR IGNORE INTO undo (suggestion, who, at_ms) VALUES (?1, ?2, ?3)", err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, suggestion_id);
    bind_text(stmt, 2, who != NULL ? who : "");
    bind_int(stmt, 3, now_ms);
    return statement_run(store, stmt, err);
}

int undo_next(struct store *store, char **suggestion_id, char **who, struct error *err)
{
    sqlite3_stmt *stmt = statement(
        store, "SELECT suggestion, who FROM undo ORDER BY at_ms, suggestion LIMIT 1", err);
    *suggestion_id = *who = NULL;
    if (stmt == NULL)
        return -1;
    int rc = statement_step(store, stmt, err);
    if (rc > 0) {
        *suggestion_id = column_text(stmt, 0);
        *who = column_text(stmt, 1);
    }
    statement_done(stmt);
    return rc;
}

bool undo_is_asked(struct store *store, const char *suggestion_id)
{
    sqlite3_stmt *stmt = statement(store,
                                   "SELECT 1 FROM undo LEFT JOIN suggestion ON id = suggestion"
                                   " WHERE suggestion = ?1"
                                   " OR json_extract(content, '$.refines') = ?1",
                                   NULL);
    if (stmt == NULL)
        return false;
    bind_text(stmt, 1, suggestion_id);
    bool is_asked = statement_step(store, stmt, NULL) > 0;
    statement_done(stmt);
    return is_asked;
}

int undo_end(struct store *store, const char *suggestion_id, struct error *err)
{
    return run_on(store, "DELETE FROM undo WHERE suggestion = ?1", suggestion_id, err);
}
