#include "store/run_problem.h"

#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "store/statement.h"
#include "store/suggestions.h"

void run_problem_release(struct run_problem *problem)
{
    free(problem->automation);
    free(problem->context);
    free(problem->reason);
    *problem = (struct run_problem){0};
}

int run_next_problem(struct store *store, int64_t now_ms, struct run_problem *out,
                     struct error *err)
{
    sqlite3_stmt *stmt = statement(store,
                                   "SELECT automation, context, reason, at_ms, failed FROM run"
                                   " WHERE told = 0 AND (failed = 1 OR at_ms < ?1)"
                                   " ORDER BY at_ms LIMIT 1",
                                   err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, now_ms - RUN_REPORT_MS);
    int rc = statement_step(store, stmt, err);
    if (rc > 0)
        *out = (struct run_problem){
            .automation = column_text(stmt, 0),
            .context = column_text(stmt, 1),
            .reason = column_text(stmt, 2),
            .at_ms = sqlite3_column_int64(stmt, 3),
            .failed = sqlite3_column_int(stmt, 4) != 0,
        };
    statement_done(stmt);
    return rc;
}

int run_set_told(struct store *store, const char *automation_id, const char *context_id,
                 struct error *err)
{
    sqlite3_stmt *stmt =
        statement(store, "UPDATE run SET told = 1 WHERE automation = ?1 AND context = ?2", err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    bind_text(stmt, 2, context_id);
    return statement_run(store, stmt, err);
}

int run_set_reason(struct store *store, const char *automation_id, const char *context_id,
                   const char *reason, struct error *err)
{
    size_t len = strlen(reason);
    while (len > RUN_REASON_MAX || (len > 0 && ((unsigned char)reason[len] & 0xc0) == 0x80))
        len--; /* not within a character */
    char *cut = xstrndup(reason, len);
    sqlite3_stmt *stmt =
        statement(store, "UPDATE run SET reason = ?3 WHERE automation = ?1 AND context = ?2", err);
    int rc = -1;
    if (stmt != NULL) {
        bind_text(stmt, 1, automation_id);
        bind_text(stmt, 2, context_id);
        bind_text(stmt, 3, cut);
        rc = statement_run(store, stmt, err);
    }
    free(cut);
    return rc;
}
