#include "store/suggestions.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/uuid.h"
#include "core/xalloc.h"
#include "store/statement.h"

/* ---- reading ---- */

#define COLUMNS                                                                                    \
    "id, state, title, content, reason, via_mqtt, rank, created_ms, updated_ms, deployed_ms,"      \
    " since_ms, until_ms, objection, family, is_gone"

static int read_row(sqlite3_stmt *stmt, struct suggestion *out, struct error *err)
{
    const char *content = (const char *)sqlite3_column_text(stmt, 3);
    int state = sqlite3_column_int(stmt, 1), objection = sqlite3_column_int(stmt, 12);
    *out = (struct suggestion){
        .content = content ? json_parse(content, strlen(content), err) : NULL,
        .state = (enum suggestion_state)state,
        .id = column_text(stmt, 0),
        .title = column_text(stmt, 2),
        .reason = column_text(stmt, 4),
        .via_mqtt = sqlite3_column_int(stmt, 5) != 0,
        .rank = sqlite3_column_int(stmt, 6),
        .created_ms = sqlite3_column_int64(stmt, 7),
        .updated_ms = sqlite3_column_int64(stmt, 8),
        .deployed_ms = sqlite3_column_int64(stmt, 9),
        .since_ms = sqlite3_column_int64(stmt, 10),
        .until_ms = sqlite3_column_int64(stmt, 11),
        .objection = (enum objection)objection,
        .family = column_text(stmt, 13),
        .is_gone = sqlite3_column_int(stmt, 14) != 0,
    };
    if (out->content != NULL && state >= 0 && state < SUGGESTION_STATE_COUNT && objection >= 0 &&
        objection < OBJECTION_COUNT)
        return 0;
    suggestion_release(out);
    return error_set(err, ERROR_INVALID, "a stored suggestion is damaged");
}

void suggestion_release(struct suggestion *suggestion)
{
    free(suggestion->id);
    free(suggestion->family);
    free(suggestion->title);
    free(suggestion->reason);
    json_object_put(suggestion->content);
    *suggestion = (struct suggestion){0};
}

void suggestion_automation_id(const struct suggestion *s, char out[SUGGESTION_AUTOMATION_ID_SIZE])
{
    const char *other = json_get_string(s->content, "automation_id");
    if (other != NULL) {
        snprintf(out, SUGGESTION_AUTOMATION_ID_SIZE, "%s", other);
        return;
    }
    snprintf(out, SUGGESTION_AUTOMATION_ID_SIZE, "ha_ai_%s", s->id);
    for (char *p = out; *p; p++)
        if (*p == '#')
            *p = '_';
}

void suggestions_free(struct suggestion *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        suggestion_release(&list[i]);
    free(list);
}

int suggestions_list(struct store *store, unsigned state_mask, struct suggestion **out,
                     size_t *count, struct error *err)
{
    static_assert(SUGGESTION_TRYING == 6, "last in order below");
    struct suggestion *list = NULL;
    size_t n = 0, capacity = 0;
    *out = NULL;
    *count = 0;
    sqlite3_stmt *stmt = statement(store,
                                   "SELECT " COLUMNS " FROM suggestion"
                                   " WHERE (1 << state) & ?1"
                                   " ORDER BY state = 6, rank, created_ms, id",
                                   err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, state_mask);
    int rc;
    while ((rc = statement_step(store, stmt, err)) > 0) {
        list = grow_array(list, n, &capacity, sizeof(*list));
        if ((rc = read_row(stmt, &list[n], err)) < 0)
            break;
        n++;
    }
    statement_done(stmt);
    if (rc < 0) {
        suggestions_free(list, n);
        return -1;
    }
    *out = list;
    *count = n;
    return 0;
}

int suggestion_find(struct store *store, const char *id, struct suggestion *out, struct error *err)
{
    sqlite3_stmt *stmt = statement(store, "SELECT " COLUMNS " FROM suggestion WHERE id = ?1", err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, id);
    int rc = statement_step(store, stmt, err);
    if (rc > 0 && read_row(stmt, out, err) < 0)
        rc = -1;
    statement_done(stmt);
    return rc;
}

int suggestions_count(struct store *store, int64_t counts[SUGGESTION_STATE_COUNT],
                      struct error *err)
{
    for (int i = 0; i < SUGGESTION_STATE_COUNT; i++)
        counts[i] = 0;
    sqlite3_stmt *stmt =
        statement(store, "SELECT state, count(*) FROM suggestion GROUP BY state", err);
    if (stmt == NULL)
        return -1;
    int rc;
    while ((rc = statement_step(store, stmt, err)) > 0) {
        int state = sqlite3_column_int(stmt, 0);
        if (state >= 0 && state < SUGGESTION_STATE_COUNT)
            counts[state] = sqlite3_column_int64(stmt, 1);
    }
    statement_done(stmt);
    return rc;
}

static int keep(struct store *store, const struct suggestion *s, const char *key,
                json_object *value, struct error *err)
{
    json_object_object_add(s->content, key, json_object_get(value));
    const char *text = json_text(s->content);
    if (strlen(text) > SUGGESTION_CONTENT_MAX)
        return error_set(err, ERROR_LIMIT, "suggestion %s has more than %d bytes with its %s",
                         s->id, SUGGESTION_CONTENT_MAX, key);
    sqlite3_stmt *stmt = statement(store, "UPDATE suggestion SET content = ?2 WHERE id = ?1", err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, s->id);
    bind_text(stmt, 2, text);
    return statement_run(store, stmt, err);
}

int suggestion_keep(struct store *store, const char *id, const char *key, json_object *value,
                    struct error *err)
{
    struct suggestion s;
    int found = suggestion_find(store, id, &s, err);
    if (found < 0)
        return -1;
    if (found == 0)
        return error_set(err, ERROR_NOT_FOUND, "there is no suggestion %.80s", id);
    int rc = keep(store, &s, key, value, err);
    suggestion_release(&s);
    return rc;
}

int suggestion_set_via_mqtt(struct store *store, const char *id, bool via_mqtt, struct error *err)
{
    sqlite3_stmt *stmt =
        statement(store, "UPDATE suggestion SET via_mqtt = ?2 WHERE id = ?1 RETURNING id", err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, id);
    bind_int(stmt, 2, via_mqtt);
    int rc = statement_step(store, stmt, err);
    statement_done(stmt);
    if (rc == 0)
        return error_set(err, ERROR_NOT_FOUND, "there is no suggestion %s", id);
    return rc < 0 ? -1 : 0;
}

/* ---- runs ---- */

/* After a gap HA tells of a run only its time; the report of that run is known by its context. The
 * two find each other by time. 1 = it was one that is on record. */
static int join_missed(struct store *store, const char *automation_id, int64_t at_ms,
                       struct error *err)
{
    sqlite3_stmt *stmt =
        statement(store,
                  "UPDATE run SET from_ha = 1, at_ms = min(at_ms, ?2) WHERE automation = ?1"
                  " AND context = (SELECT context FROM run WHERE automation = ?1 AND from_ha = 0"
                  " AND at_ms BETWEEN ?2 - ?3 AND ?2 + ?4 ORDER BY abs(at_ms - ?2) LIMIT 1)"
                  " RETURNING 1",
                  err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    bind_int(stmt, 2, at_ms);
    bind_int(stmt, 3, RUN_CLOCKS_MS);
    bind_int(stmt, 4, RUN_REPORT_MS);
    int rc = statement_step(store, stmt, err);
    statement_done(stmt);
    return rc;
}

/* The other way round: the report's context replaces the one made up for the run. */
static int name_missed(struct store *store, const char *automation_id, const char *context_id,
                       int64_t at_ms, struct error *err)
{
    sqlite3_stmt *stmt =
        statement(store,
                  "UPDATE run SET context = ?2 WHERE automation = ?1"
                  " AND NOT EXISTS (SELECT 1 FROM run WHERE automation = ?1 AND context = ?2)"
                  " AND context = (SELECT context FROM run WHERE automation = ?1"
                  " AND context GLOB 'missed-*' AND at_ms BETWEEN ?3 - ?4 AND ?3 + ?5"
                  " ORDER BY abs(at_ms - ?3) LIMIT 1)",
                  err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    bind_text(stmt, 2, context_id);
    bind_int(stmt, 3, at_ms);
    bind_int(stmt, 4, RUN_REPORT_MS);
    bind_int(stmt, 5, RUN_CLOCKS_MS);
    return statement_run(store, stmt, err);
}

static int record(struct store *store, const char *automation_id, const char *context_id,
                  bool from_ha, const char *status, int64_t at_ms, struct error *err)
{
    char made_up[UUID_SIZE + 8];
    if (context_id == NULL) {
        int joined = from_ha ? join_missed(store, automation_id, at_ms, err) : 0;
        if (joined != 0)
            return joined < 0 ? -1 : 0;
        char uuid[UUID_SIZE];
        uuid_v7(uuid);
        snprintf(made_up, sizeof(made_up), "missed-%s", uuid);
        context_id = made_up;
    } else if (!from_ha && name_missed(store, automation_id, context_id, at_ms, err) < 0) {
        return -1;
    }
    sqlite3_stmt *stmt =
        statement(store,
                  "INSERT INTO run (automation, context, at_ms, from_ha, executed, failed, told)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?5)"
                  " ON CONFLICT (automation, context) DO UPDATE SET at_ms = min(at_ms, ?3),"
                  " from_ha = max(from_ha, ?4), executed = max(executed, ?5),"
                  " failed = max(failed, ?6), told = CASE WHEN ?6 AND failed = 0 THEN 0"
                  " ELSE max(told, ?5) END",
                  err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    bind_text(stmt, 2, context_id);
    bind_int(stmt, 3, at_ms);
    bind_int(stmt, 4, from_ha);
    bind_int(stmt, 5, strcmp(status, "executed") == 0);
    bind_int(stmt, 6, strcmp(status, "failed") == 0);
    if (statement_run(store, stmt, err) < 0)
        return -1;
    stmt = statement(store,
                     "DELETE FROM run WHERE (automation, context) IN (SELECT automation, context"
                     " FROM run ORDER BY at_ms DESC LIMIT -1 OFFSET ?1)",
                     err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, RUN_ROWS_MAX);
    return statement_run(store, stmt, err);
}

int run_record(struct store *store, const char *automation_id, const char *context_id, bool from_ha,
               const char *status, int64_t at_ms, struct error *err)
{
    if (strcmp(status, "triggered") != 0 && strcmp(status, "executed") != 0 &&
        strcmp(status, "failed") != 0)
        return error_set(err, ERROR_INVALID,
                         "a run's status is '%s'; expected triggered, executed or failed", status);
    int scope = scope_begin(store, err);
    return scope < 0
               ? -1
               : scope_end(store, scope,
                           record(store, automation_id, context_id, from_ha, status, at_ms, err),
                           err);
}

int run_count(struct store *store, const char *automation_id, int64_t now_ms,
              struct run_counts *out, struct error *err)
{
    *out = (struct run_counts){0};
    sqlite3_stmt *stmt =
        statement(store,
                  "SELECT coalesce(sum(theirs = 0), 0), coalesce(sum(executed AND NOT theirs), 0),"
                  " coalesce(sum(failed AND NOT theirs), 0),"
                  " coalesce(sum(executed = 0 AND failed = 0 AND theirs = 0 AND at_ms < ?2), 0),"
                  " coalesce(max(at_ms), 0) FROM run WHERE ?1 IS NULL OR automation = ?1",
                  err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    bind_int(stmt, 2, now_ms - RUN_REPORT_MS);
    int rc = statement_step(store, stmt, err);
    if (rc > 0)
        *out = (struct run_counts){
            .runs = sqlite3_column_int64(stmt, 0),
            .confirmed = sqlite3_column_int64(stmt, 1),
            .failed = sqlite3_column_int64(stmt, 2),
            .unconfirmed = sqlite3_column_int64(stmt, 3),
            .last_ms = sqlite3_column_int64(stmt, 4),
        };
    statement_done(stmt);
    return rc < 0 ? -1 : 0;
}

/* ---- forgetting ---- */

static bool is_id_character(char c)
{
    return c == '_' || c == '.' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* The id itself, not one that begins or ends with it. */
static bool mentions(const char *text, const char *entity_id)
{
    size_t length = strlen(entity_id);
    for (const char *at = text; (at = strstr(at, entity_id)) != NULL; at++)
        if ((at == text || !is_id_character(at[-1])) && !is_id_character(at[length]))
            return true;
    return false;
}

static int run_with(struct store *store, const char *sql, const char *text, struct error *err)
{
    sqlite3_stmt *stmt = statement(store, sql, err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, text);
    return statement_run(store, stmt, err);
}

/* What we wrote under its automation's id, unless that is another one's by now, which took its
 * place, or whose place it would have taken. */
static int erase_written(struct store *store, const struct suggestion *s, struct error *err)
{
    char automation_id[SUGGESTION_AUTOMATION_ID_SIZE];
    static const unsigned live = 1u << SUGGESTION_APPROVED | 1u << SUGGESTION_DEPLOYED;
    struct suggestion *list;
    size_t count;
    bool is_used = false;
    suggestion_automation_id(s, automation_id);
    if (suggestions_list(store, live, &list, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        char other[SUGGESTION_AUTOMATION_ID_SIZE];
        suggestion_automation_id(&list[i], other);
        is_used = is_used || (strcmp(list[i].id, s->id) != 0 && strcmp(other, automation_id) == 0);
    }
    suggestions_free(list, count);
    return is_used
               ? 0
               : run_with(store, "DELETE FROM written WHERE automation = ?1", automation_id, err);
}

static int erase(struct store *store, const struct suggestion *s, struct error *err)
{
    return erase_written(store, s, err) < 0 ||
                   run_with(store, "DELETE FROM suggestion WHERE id = ?1", s->id, err) < 0 ||
                   run_with(store, "DELETE FROM audit WHERE suggestion = ?1", s->id, err) < 0 ||
                   run_with(store, "DELETE FROM undo WHERE suggestion = ?1", s->id, err) < 0 ||
                   run_with(store,
                            "DELETE FROM outbox WHERE instr(payload, '\"' || ?1 || '\"')"
                            " AND topic NOT LIKE '%/commands/%'",
                            s->id, err) < 0
               ? -1
               : 0;
}

/* What waits to be told of an entity (NULL = of any) that is out of the ordinary. */
static int erase_anomalies(struct store *store, const char *entity_id, struct error *err)
{
    return run_with(store,
                    "DELETE FROM outbox WHERE topic LIKE '%/anomaly/%'"
                    " AND (?1 IS NULL OR instr(payload, '\"' || ?1 || '\"'))",
                    entity_id, err);
}

/* Where an automation is, or will be, that this row alone knows. */
static const unsigned in_home_assistant =
    1u << SUGGESTION_APPROVED | 1u << SUGGESTION_DEPLOYED | 1u << SUGGESTION_EDITED;

static int forget(struct store *store, const char *entity_id, int *erased, int *kept,
                  struct error *err)
{
    struct suggestion *list;
    size_t count;
    int rc = suggestions_list(store, ~0u, &list, &count, err);
    if (rc < 0)
        return -1;
    for (size_t i = 0; i < count && rc == 0; i++) {
        bool stays = 1u << list[i].state & in_home_assistant;
        if (entity_id != NULL && !mentions(json_text(list[i].content), entity_id))
            continue;
        *kept += stays;
        *erased += !stays;
        rc = stays ? 0 : erase(store, &list[i], err);
    }
    suggestions_free(list, count);
    return rc < 0 ? -1 : erase_anomalies(store, entity_id, err);
}

int suggestions_forget(struct store *store, const char *entity_id, int *erased, int *kept,
                       struct error *err)
{
    *erased = *kept = 0;
    int scope = scope_begin(store, err);
    return scope < 0 ? -1
                     : scope_end(store, scope, forget(store, entity_id, erased, kept, err), err);
}
