#include "store/run_outcome.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/xalloc.h"
#include "store/statement.h"

/* --- live --- */

int run_list_unsettled(struct store *store, struct run_unsettled **out, size_t *count,
                       struct error *err)
{
    *out = NULL;
    *count = 0;
    sqlite3_stmt *stmt = statement(store,
                                   "SELECT automation, context, at_ms FROM run"
                                   " WHERE outcome IS NULL ORDER BY at_ms LIMIT ?1",
                                   err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, RUN_UNSETTLED_MAX);
    size_t capacity = 0;
    int rc;
    while ((rc = statement_step(store, stmt, err)) > 0) {
        *out = grow_array(*out, *count, &capacity, sizeof(**out));
        (*out)[(*count)++] = (struct run_unsettled){.automation = column_text(stmt, 0),
                                                    .context = column_text(stmt, 1),
                                                    .at_ms = sqlite3_column_int64(stmt, 2)};
    }
    statement_done(stmt);
    if (rc < 0) {
        run_unsettled_free(*out, *count);
        *out = NULL;
        *count = 0;
    }
    return rc;
}

void run_unsettled_free(struct run_unsettled *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(list[i].automation);
        free(list[i].context);
    }
    free(list);
}

int run_set_outcome(struct store *store, const char *automation_id, const char *context_id,
                    const char *outcome, int64_t act_ms, struct error *err)
{
    sqlite3_stmt *stmt = statement(store,
                                   "UPDATE run SET outcome = ?3, act_ms = ?4"
                                   " WHERE automation = ?1 AND context = ?2",
                                   err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    bind_text(stmt, 2, context_id);
    bind_text(stmt, 3, outcome);
    bind_int(stmt, 4, act_ms);
    return statement_run(store, stmt, err);
}

int run_set_redone(struct store *store, const char *automation_id, int64_t since_ms, int64_t at_ms,
                   struct error *err)
{
    sqlite3_stmt *stmt = statement(store,
                                   "UPDATE run SET redone = 1 WHERE automation = ?1"
                                   " AND outcome = 'undone' AND at_ms >= ?2 AND act_ms < ?3",
                                   err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    bind_int(stmt, 2, since_ms);
    bind_int(stmt, 3, at_ms);
    return statement_run(store, stmt, err);
}

int run_set_theirs(struct store *store, const char *automation_id, int64_t since_ms,
                   struct error *err)
{
    sqlite3_stmt *stmt = statement(
        store, "UPDATE run SET theirs = 1, told = 1 WHERE automation = ?1 AND at_ms >= ?2", err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    bind_int(stmt, 2, since_ms);
    return statement_run(store, stmt, err);
}

/* --- from the history --- */

/* The fire of the log that lies nearest; NULL = none is near. */
static json_object *find_fire(json_object *log, int64_t at_ms)
{
    json_object *best = NULL;
    int64_t nearest_ms = RUN_REVIEWED_MS + 1;
    for (size_t i = 0; i < json_object_array_length(log); i++) {
        json_object *fire = json_object_array_get_idx(log, i);
        const char *text = json_get_string(fire, "at");
        int64_t fire_ms;
        if (text == NULL || clock_parse_rfc3339(text, &fire_ms) < 0)
            continue;
        int64_t off_ms = llabs(fire_ms - at_ms);
        if (off_ms < nearest_ms) {
            nearest_ms = off_ms;
            best = fire;
        }
    }
    return best;
}

static bool is_outcome(const char *word)
{
    static const char *const words[] = {"kept", "idle", "unseen", "undone", "preempted"};
    for (size_t i = 0; word != NULL && i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false; /* of a trial, nothing ran */
}

static int merge_fire(struct store *store, const char *automation_id, const char *context,
                      json_object *fire, struct error *err)
{
    const char *word = json_get_string(fire, "outcome"), *acted = json_get_string(fire, "acted");
    int64_t act_ms = 0;
    if (acted != NULL && clock_parse_rfc3339(acted, &act_ms) < 0)
        act_ms = 0;
    sqlite3_stmt *stmt = statement(
        store,
        "UPDATE run SET act_ms = CASE WHEN coalesce(outcome, 'unknown') = 'unknown' THEN ?4"
        " ELSE act_ms END, outcome = CASE WHEN coalesce(outcome, 'unknown') = 'unknown' THEN ?3"
        " ELSE outcome END, redone = max(redone, ?5), nobody_home = ?6"
        " WHERE automation = ?1 AND context = ?2",
        err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    bind_text(stmt, 2, context);
    bind_text(stmt, 3, word);
    bind_int(stmt, 4, act_ms);
    bind_int(stmt, 5, json_get_string(fire, "redone") != NULL);
    bind_int(stmt, 6, json_get_bool(fire, "nobody_home", false));
    return statement_run(store, stmt, err);
}

struct reviewable {
    char *context;
    int64_t at_ms;
    bool is_open;
};

static int list_reviewable(struct store *store, const char *automation_id, int64_t from_ms,
                           int64_t to_ms, struct reviewable **out, size_t *count, struct error *err)
{
    sqlite3_stmt *stmt =
        statement(store,
                  "SELECT context, at_ms, coalesce(outcome, 'unknown') = 'unknown' FROM run"
                  " WHERE automation = ?1 AND at_ms BETWEEN ?2 AND ?3",
                  err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    bind_int(stmt, 2, from_ms);
    bind_int(stmt, 3, to_ms);
    size_t capacity = 0;
    int rc;
    while ((rc = statement_step(store, stmt, err)) > 0) {
        *out = grow_array(*out, *count, &capacity, sizeof(**out));
        (*out)[(*count)++] = (struct reviewable){
            column_text(stmt, 0), sqlite3_column_int64(stmt, 1), sqlite3_column_int(stmt, 2) != 0};
    }
    statement_done(stmt);
    return rc;
}

int run_merge_review(struct store *store, const char *automation_id, json_object *review,
                     int64_t now_ms, int *filled, struct error *err)
{
    json_object *log = json_get_array(review, "log");
    struct reviewable *runs = NULL;
    size_t count = 0;
    int64_t from_ms;
    const char *first = log != NULL && json_object_array_length(log) > 0
                            ? json_get_string(json_object_array_get_idx(log, 0), "at")
                            : NULL;
    if (first == NULL || clock_parse_rfc3339(first, &from_ms) < 0)
        return 0;
    int rc = list_reviewable(store, automation_id, from_ms - RUN_REVIEWED_MS,
                             now_ms - RUN_REVIEWABLE_MS, &runs, &count, err);
    for (size_t i = 0; i < count; i++) {
        json_object *fire = rc == 0 ? find_fire(log, runs[i].at_ms) : NULL;
        if (fire != NULL && is_outcome(json_get_string(fire, "outcome"))) {
            rc = merge_fire(store, automation_id, runs[i].context, fire, err);
            *filled += rc == 0 && runs[i].is_open;
        }
        free(runs[i].context);
    }
    free(runs);
    return rc;
}

/* --- counts --- */

int run_count_outcomes(struct store *store, const char *automation_id, json_object **out,
                       struct error *err)
{
    *out = NULL;
    sqlite3_stmt *stmt =
        statement(store,
                  "SELECT coalesce(outcome, 'pending'), count(*), sum(redone), sum(nobody_home)"
                  " FROM run WHERE automation = ?1 GROUP BY 1 ORDER BY 2 DESC, 1",
                  err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    int64_t redone = 0, nobody_home = 0;
    int rc;
    while ((rc = statement_step(store, stmt, err)) > 0) {
        if (*out == NULL)
            *out = json_object_new_object();
        json_add_int(*out, (const char *)sqlite3_column_text(stmt, 0),
                     sqlite3_column_int64(stmt, 1));
        redone += sqlite3_column_int64(stmt, 2);
        nobody_home += sqlite3_column_int64(stmt, 3);
    }
    statement_done(stmt);
    if (*out != NULL && redone > 0)
        json_add_int(*out, "redone", redone);
    if (*out != NULL && nobody_home > 0)
        json_add_int(*out, "nobody_home", nobody_home);
    return rc;
}
