#include "store/activity.h"

#include <assert.h>
#include <unistd.h>

#include "store/archive_schema.h"
#include "store/statement.h"
#include "store/suggestions.h"

/* The one number of a statement. */
static int read_number(struct store *store, sqlite3_stmt *stmt, int64_t *out, struct error *err)
{
    int rc = statement_step(store, stmt, err);
    if (rc > 0)
        *out = sqlite3_column_int64(stmt, 0);
    statement_done(stmt);
    return rc > 0 ? 0 : -1;
}

int activity_run_count(struct store *store, int64_t since_ms, int64_t *out, struct error *err)
{
    sqlite3_stmt *stmt = statement(store, "SELECT count(*) FROM run WHERE at_ms >= ?1", err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, since_ms);
    return read_number(store, stmt, out, err);
}

int activity_undo_count(struct store *store, int64_t since_ms, int64_t *out, struct error *err)
{
    sqlite3_stmt *stmt = statement(
        store, "SELECT count(*) FROM audit WHERE to_state = 'undone' AND at_ms >= ?1", err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, since_ms);
    return read_number(store, stmt, out, err);
}

int activity_habit_count(struct store *store, int64_t *out, struct error *err)
{
    sqlite3_stmt *stmt =
        statement(store,
                  "SELECT count(*) FROM suggestion WHERE is_gone = 0"
                  " AND state <> 11 AND coalesce(json_extract(content, '$.retires'),"
                  " CASE WHEN state NOT IN (2, 10)"
                  " THEN json_extract(content, '$.refines') END) IS NULL",
                  err);
    static_assert(SUGGESTION_DEPLOYED == 2 && SUGGESTION_EDITED == 10 && SUGGESTION_REFINED == 11,
                  "written above");
    if (stmt == NULL)
        return -1;
    return read_number(store, stmt, out, err);
}

int activity_archive_days(const char *path, int64_t *out, struct error *err)
{
    *out = 0;
    if (access(path, F_OK) < 0)
        return 0;
    struct store *store = store_open_schema(path, &schema_archive, true, err);
    if (store == NULL)
        return -1;
    sqlite3_stmt *stmt = statement(store, "SELECT count(*) FROM day", err);
    int rc = stmt != NULL ? read_number(store, stmt, out, err) : -1;
    store_close(store);
    return rc;
}
