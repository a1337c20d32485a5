#include "store/suggestion_row.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "store/statement.h"

static int is_taken(struct store *store, const char *sql, const char *text, const char *id,
                    struct error *err)
{
    sqlite3_stmt *stmt = statement(store, sql, err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, text);
    bind_text(stmt, 2, id);
    int rc = statement_step(store, stmt, err);
    statement_done(stmt);
    return rc;
}

int suggestion_row_has_id(struct store *store, const char *id, struct error *err)
{
    return is_taken(store, "SELECT 1 FROM suggestion WHERE id = ?1 OR id = ?2", id, id, err);
}

static char *cut_title(const char *title)
{
    size_t n = strlen(title);
    if (n > SUGGESTION_TITLE_MAX)
        for (n = SUGGESTION_TITLE_MAX; n > 0 && ((unsigned char)title[n] & 0xc0) == 0x80;)
            n--;
    return xstrndup(title, n);
}

char *suggestion_row_title(struct store *store, const char *wanted, const char *id,
                           struct error *err)
{
    char *title = cut_title(wanted);
    int taken =
        is_taken(store, "SELECT 1 FROM suggestion WHERE title = ?1 AND id <> ?2", title, id, err);
    if (taken == 0)
        return title;
    char *unique = taken < 0 ? NULL : xasprintf("%s (%s)", title, id);
    free(title);
    return unique;
}

static void bind_when(sqlite3_stmt *stmt, int second, int days, const struct when *when)
{
    if (when->second != WHEN_NO_TIME)
        bind_int(stmt, second, when->second);
    bind_int(stmt, days, when->days);
}

int suggestion_row_write(struct store *store, const struct suggestion_row *row, int64_t now_ms,
                         struct error *err)
{
    sqlite3_stmt *stmt =
        statement(store,
                  "INSERT INTO suggestion (id, family, state, title, content, rank, second, days,"
                  " said_second, said_days, created_ms, updated_ms, deployed_ms, since_ms)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, 0, ?11)"
                  " ON CONFLICT (id) DO UPDATE SET state = ?3, title = ?4, content = ?5, rank = ?6,"
                  " second = ?7, days = ?8, said_second = ?9, said_days = ?10, updated_ms = ?11,"
                  " is_gone = 0",
                  err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, row->id);
    bind_text(stmt, 2, row->family);
    bind_int(stmt, 3, row->state);
    bind_text(stmt, 4, row->title);
    bind_text(stmt, 5, json_text(row->content));
    bind_int(stmt, 6, row->rank);
    bind_when(stmt, 7, 8, row->when);
    bind_when(stmt, 9, 10, row->said);
    bind_int(stmt, 11, now_ms);
    return statement_run(store, stmt, err);
}

static int count_rows(struct store *store, int64_t *out, struct error *err)
{
    sqlite3_stmt *stmt = statement(store, "SELECT count(*) FROM suggestion", err);
    if (stmt == NULL)
        return -1;
    int rc = statement_step(store, stmt, err);
    *out = rc > 0 ? sqlite3_column_int64(stmt, 0) : 0;
    statement_done(stmt);
    return rc < 0 ? -1 : 0;
}

int suggestion_row_make_room(struct store *store, struct error *err)
{
    int64_t rows = 0;
    if (count_rows(store, &rows, err) < 0)
        return -1;
    if (rows < SUGGESTIONS_MAX)
        return 1;
    sqlite3_stmt *stmt = statement(store,
                                   "DELETE FROM suggestion WHERE id = (SELECT id FROM suggestion"
                                   " WHERE state IN (?1, ?2) AND is_gone = 1 AND deployed_ms = 0"
                                   " ORDER BY since_ms, id LIMIT 1) RETURNING id",
                                   err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, SUGGESTION_RETIRED);
    bind_int(stmt, 2, SUGGESTION_EXPIRED);
    int rc = statement_step(store, stmt, err);
    statement_done(stmt);
    return rc;
}
