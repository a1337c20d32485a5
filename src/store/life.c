#include "store/life.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/text.h"
#include "core/xalloc.h"
#include "store/statement.h"

static const int64_t DAY_MS = INT64_C(24) * 3600 * 1000;

static const char *const state_names[SUGGESTION_STATE_COUNT] = {
    [SUGGESTION_NEW] = "new",           [SUGGESTION_APPROVED] = "approved",
    [SUGGESTION_DEPLOYED] = "deployed", [SUGGESTION_FAILED] = "failed",
    [SUGGESTION_REJECTED] = "rejected", [SUGGESTION_RETIRED] = "retired",
    [SUGGESTION_TRYING] = "trying",     [SUGGESTION_SNOOZED] = "snoozed",
    [SUGGESTION_EXPIRED] = "expired",   [SUGGESTION_UNDONE] = "undone",
    [SUGGESTION_EDITED] = "edited",     [SUGGESTION_REFINED] = "refined",
};

#define TO(state) (1u << SUGGESTION_##state)

/* [from] = where it may go. */
static const unsigned transitions[SUGGESTION_STATE_COUNT] = {
    [SUGGESTION_NEW] = TO(TRYING) | TO(APPROVED) | TO(REJECTED) | TO(SNOOZED) | TO(EXPIRED),
    [SUGGESTION_TRYING] = TO(APPROVED) | TO(REJECTED) | TO(NEW) | TO(RETIRED),
    /* new: taken back in time; retired: a retirement that is done */
    [SUGGESTION_APPROVED] = TO(DEPLOYED) | TO(FAILED) | TO(NEW) | TO(RETIRED),
    [SUGGESTION_DEPLOYED] = TO(RETIRED) | TO(UNDONE) | TO(EDITED) | TO(REFINED),
    [SUGGESTION_FAILED] = TO(APPROVED) | TO(REJECTED),
    [SUGGESTION_SNOOZED] = TO(NEW) | TO(EXPIRED),
    [SUGGESTION_REJECTED] = TO(NEW),
    [SUGGESTION_UNDONE] = TO(NEW),
    [SUGGESTION_RETIRED] = TO(NEW),
    [SUGGESTION_EXPIRED] = TO(NEW),
    [SUGGESTION_EDITED] = TO(RETIRED),   /* who made it theirs deleted it */
    [SUGGESTION_REFINED] = TO(DEPLOYED), /* what took its place was taken back */
};

const char *suggestion_state_name(enum suggestion_state state)
{
    return (unsigned)state < SUGGESTION_STATE_COUNT ? state_names[state] : "unknown";
}

bool life_allows(enum suggestion_state from, enum suggestion_state to)
{
    return (unsigned)from < SUGGESTION_STATE_COUNT && (unsigned)to < SUGGESTION_STATE_COUNT &&
           (transitions[from] >> to & 1u) != 0;
}

/* ---- the audit ---- */

static int add_row(struct store *store, const struct audit_row *row, struct error *err)
{
    char who[AUDIT_WHO_MAX + 1];
    text_copy_shown(who, sizeof(who), row->who ? row->who : "");
    sqlite3_stmt *stmt = statement(store,
                                   "INSERT INTO audit (at_ms, who, suggestion, from_state,"
                                   " to_state, reason, command)"
                                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                                   err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, row->at_ms);
    bind_text(stmt, 2, who);
    bind_text(stmt, 3, row->suggestion ? row->suggestion : "");
    bind_text(stmt, 4, row->from ? row->from : "");
    bind_text(stmt, 5, row->to ? row->to : "");
    bind_text(stmt, 6, row->reason);
    bind_text(stmt, 7, row->command);
    if (statement_run(store, stmt, err) < 0)
        return -1;
    stmt =
        statement(store, "DELETE FROM audit WHERE row <= (SELECT max(row) FROM audit) - ?1", err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, AUDIT_ROWS_MAX);
    return statement_run(store, stmt, err);
}

int audit_command(struct store *store, const char *command, const char *from, const char *to,
                  const char *who, int64_t now_ms, struct error *err)
{
    struct audit_row row = {
        .at_ms = now_ms,
        .who = (char *)who,
        .from = (char *)from,
        .to = (char *)to,
        .command = (char *)command,
    };
    int scope = scope_begin(store, err);
    return scope < 0 ? -1 : scope_end(store, scope, add_row(store, &row, err), err);
}

void audit_free(struct audit_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(rows[i].who);
        free(rows[i].suggestion);
        free(rows[i].from);
        free(rows[i].to);
        free(rows[i].reason);
        free(rows[i].command);
    }
    free(rows);
}

int audit_list(struct store *store, const char *suggestion, size_t max, struct audit_row **out,
               size_t *count, struct error *err)
{
    struct audit_row *list = NULL;
    size_t n = 0, capacity = 0;
    *out = NULL;
    *count = 0;
    sqlite3_stmt *stmt = statement(store,
                                   "SELECT at_ms, who, suggestion, from_state, to_state, reason,"
                                   " command FROM audit WHERE ?1 IS NULL OR suggestion = ?1"
                                   " ORDER BY row DESC LIMIT ?2",
                                   err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, suggestion);
    bind_int(stmt, 2, (int64_t)max);
    int rc;
    while ((rc = statement_step(store, stmt, err)) > 0) {
        list = grow_array(list, n, &capacity, sizeof(*list));
        list[n++] = (struct audit_row){
            .at_ms = sqlite3_column_int64(stmt, 0),
            .who = column_text(stmt, 1),
            .suggestion = column_text(stmt, 2),
            .from = column_text(stmt, 3),
            .to = column_text(stmt, 4),
            .reason = column_text(stmt, 5),
            .command = column_text(stmt, 6),
        };
    }
    statement_done(stmt);
    if (rc < 0) {
        audit_free(list, n);
        return -1;
    }
    *out = list;
    *count = n;
    return 0;
}

/* ---- steps ---- */

static void add_time(json_object *obj, const char *key, int64_t utc_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(text, utc_ms);
    json_add_string(obj, key, text);
}

static json_object *event_of(const char *id, const char *title, enum suggestion_state from,
                             const struct life_step *step)
{
    json_object *event = json_object_new_object();
    json_add_string(event, "event_type", suggestion_state_name(step->to));
    json_add_string(event, "suggestion_id", id);
    json_add_string(event, "title", title);
    json_add_string(event, "from", suggestion_state_name(from));
    json_add_string(event, "by", step->who != NULL && *step->who != '\0' ? step->who : NULL);
    if (step->reason != NULL)
        json_add_string(event, "reason", step->reason);
    if (step->until_ms != 0)
        add_time(event, "until", step->until_ms);
    return event;
}

static int check_step(const char *id, unsigned from, const struct life_step *step,
                      struct error *err)
{
    if (!life_allows((enum suggestion_state)from, step->to))
        return error_set(err, ERROR_INVALID, "suggestion %s is %s and cannot become %s", id,
                         suggestion_state_name((enum suggestion_state)from),
                         suggestion_state_name(step->to));
    bool ends = step->to == SUGGESTION_SNOOZED || step->to == SUGGESTION_TRYING;
    if (ends != (step->until_ms != 0) || (ends && step->until_ms <= step->now_ms))
        return error_set(err, ERROR_INVALID, "suggestion %s: %s %s", id,
                         suggestion_state_name(step->to),
                         ends ? "needs an end that is to come" : "has no end");
    return 0;
}

static int write_step(struct store *store, const char *id, const struct life_step *step,
                      struct error *err)
{
    sqlite3_stmt *stmt =
        statement(store,
                  "UPDATE suggestion SET state = ?2, reason = ?3, updated_ms = ?4, since_ms = ?4,"
                  " until_ms = ?6, objection = ?7, is_gone = 0,"
                  " deployed_ms = CASE WHEN ?2 = ?5 THEN ?4 ELSE deployed_ms END"
                  " WHERE id = ?1",
                  err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, id);
    bind_int(stmt, 2, step->to);
    bind_text(stmt, 3, step->reason);
    bind_int(stmt, 4, step->now_ms);
    bind_int(stmt, 5, SUGGESTION_DEPLOYED);
    bind_int(stmt, 6, step->until_ms);
    bind_int(stmt, 7, step->to == SUGGESTION_REJECTED ? step->objection : OBJECTION_HABIT);
    return statement_run(store, stmt, err);
}

static int take(struct store *store, const char *id, const struct life_step *step,
                json_object **told, struct error *err)
{
    sqlite3_stmt *stmt = statement(store, "SELECT state, title FROM suggestion WHERE id = ?1", err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, id);
    int rc = statement_step(store, stmt, err);
    unsigned from = rc > 0 ? (unsigned)sqlite3_column_int(stmt, 0) : 0;
    char *title = rc > 0 ? column_text(stmt, 1) : NULL;
    statement_done(stmt);
    if (rc == 0)
        return error_set(err, ERROR_NOT_FOUND, "there is no suggestion %.80s", id);
    struct audit_row row = {
        .at_ms = step->now_ms,
        .who = (char *)step->who,
        .suggestion = (char *)id,
        .from = (char *)suggestion_state_name((enum suggestion_state)from),
        .to = (char *)suggestion_state_name(step->to),
        .reason = (char *)step->reason,
    };
    if (rc < 0 || check_step(id, from, step, err) < 0 || write_step(store, id, step, err) < 0 ||
        add_row(store, &row, err) < 0) {
        free(title);
        return -1;
    }
    if (told != NULL)
        *told = event_of(id, title, (enum suggestion_state)from, step);
    free(title);
    return 0;
}

int life_take(struct store *store, const char *id, const struct life_step *step, json_object **told,
              struct error *err)
{
    if (told != NULL)
        *told = NULL;
    int scope = scope_begin(store, err);
    if (scope < 0)
        return -1;
    int rc = scope_end(store, scope, take(store, id, step, told, err), err);
    if (rc < 0 && told != NULL) {
        json_object_put(*told);
        *told = NULL;
    }
    return rc;
}

int life_take_listed(struct store *store, const char *id, const struct life_step *step,
                     json_object *told, struct error *err)
{
    json_object *event;
    if (life_take(store, id, step, &event, err) < 0)
        return -1;
    json_object_array_add(told, event);
    return 0;
}

int suggestion_move(struct store *store, const char *id, enum suggestion_state to,
                    const char *reason, const char *who, int64_t now_ms, struct error *err)
{
    const struct life_step step = {.to = to, .reason = reason, .who = who, .now_ms = now_ms};
    return life_take(store, id, &step, NULL, err);
}

/* ---- time ---- */

/* Ids of one state whose time has come; the caller frees them. The count, -1 = error. */
static int list_due(struct store *store, const char *sql, enum suggestion_state state,
                    int64_t before_ms, char *ids[LIFE_TICK_STEPS_MAX], struct error *err)
{
    int count = 0, rc;
    sqlite3_stmt *stmt = statement(store, sql, err);
    if (stmt == NULL)
        return -1;
    bind_int(stmt, 1, state);
    bind_int(stmt, 2, before_ms);
    bind_int(stmt, 3, LIFE_TICK_STEPS_MAX);
    while ((rc = statement_step(store, stmt, err)) > 0 && count < LIFE_TICK_STEPS_MAX)
        ids[count++] = column_text(stmt, 0);
    statement_done(stmt);
    if (rc >= 0)
        return count;
    while (count > 0)
        free(ids[--count]);
    return -1;
}

struct due {
    enum suggestion_state from, to;
    int64_t after_ms; /* since it came into the state, or since until_ms */
    const char *reason;
};

static int pass(struct store *store, const struct due *due, bool is_until, int64_t now_ms,
                json_object *told, struct error *err)
{
    static const char until[] = "SELECT id FROM suggestion WHERE state = ?1 AND until_ms > 0"
                                " AND until_ms <= ?2 ORDER BY until_ms, id LIMIT ?3";
    static const char since[] = "SELECT id FROM suggestion WHERE state = ?1 AND since_ms <= ?2"
                                " ORDER BY since_ms, id LIMIT ?3";
    char *ids[LIFE_TICK_STEPS_MAX];
    int rc = 0, count = list_due(store, is_until ? until : since, due->from, now_ms - due->after_ms,
                                 ids, err);
    for (int i = 0; i < count; i++) {
        const struct life_step step = {
            .to = due->to, .reason = due->reason, .who = LIFE_WHO_SCHEDULE, .now_ms = now_ms};
        if (rc == 0)
            rc = life_take_listed(store, ids[i], &step, told, err);
        free(ids[i]);
    }
    return count < 0 ? -1 : rc;
}

int life_tick(struct store *store, int64_t now_ms, json_object *told, struct error *err)
{
    const struct due snoozed = {SUGGESTION_SNOOZED, SUGGESTION_NEW, 0, "its snooze is over"};
    const struct due tried = {SUGGESTION_TRYING, SUGGESTION_NEW, LIFE_REVIEW_WAIT_DAYS * DAY_MS,
                              "its trial is over, without a record"};
    const struct due waiting = {SUGGESTION_NEW, SUGGESTION_EXPIRED, LIFE_UNANSWERED_DAYS * DAY_MS,
                                "unanswered for 60 days"};
    static_assert(LIFE_UNANSWERED_DAYS == 60, "told above");
    int scope = scope_begin(store, err);
    if (scope < 0)
        return -1;
    int rc = pass(store, &snoozed, true, now_ms, told, err) < 0 ||
                     pass(store, &tried, true, now_ms, told, err) < 0 ||
                     pass(store, &waiting, false, now_ms, told, err) < 0
                 ? -1
                 : 0;
    return scope_end(store, scope, rc, err);
}

/* ---- trials ---- */

static int end_trial(struct store *store, const char *id, json_object *record,
                     const struct life_step *step, json_object **told, struct error *err)
{
    struct suggestion s;
    int found = suggestion_find(store, id, &s, err);
    if (found < 0)
        return -1;
    enum suggestion_state state = found > 0 ? s.state : SUGGESTION_TRYING;
    if (found > 0)
        suggestion_release(&s);
    if (state != SUGGESTION_TRYING)
        return error_set(err, ERROR_INVALID, "suggestion %s is %s and not being tried", id,
                         suggestion_state_name(state));
    if (life_take(store, id, step, told, err) < 0)
        return -1;
    return record != NULL ? suggestion_keep(store, id, "trial", record, err) : 0;
}

int suggestion_end_trial(struct store *store, const char *id, json_object *record, bool withdraw,
                         const char *reason, int64_t now_ms, json_object **told, struct error *err)
{
    const struct life_step step = {.to = withdraw ? SUGGESTION_RETIRED : SUGGESTION_NEW,
                                   .reason = reason,
                                   .who = LIFE_WHO_ANALYSIS,
                                   .now_ms = now_ms};
    json_object *event = NULL;
    int scope = scope_begin(store, err);
    int rc = scope < 0
                 ? -1
                 : scope_end(store, scope, end_trial(store, id, record, &step, &event, err), err);
    if (rc == 0 && told != NULL)
        *told = event;
    else
        json_object_put(event);
    return rc;
}

json_object *life_known_rules(struct store *store, struct error *err)
{
    const unsigned watched =
        1u << SUGGESTION_TRYING | 1u << SUGGESTION_DEPLOYED | 1u << SUGGESTION_EDITED;
    struct suggestion *list;
    size_t count;
    if (suggestions_list(store, watched, &list, &count, err) < 0)
        return NULL;
    json_object *known = json_object_new_object(), *rules = json_object_new_array();
    json_object_object_add(known, "rules", rules);
    for (size_t i = 0; i < count && i < LIFE_KNOWN_MAX; i++) {
        json_object *rule = json_object_new_object();
        json_add_string(rule, "id", list[i].id);
        json_add_string(rule, "state", suggestion_state_name(list[i].state));
        add_time(rule, "since", list[i].since_ms);
        if (list[i].until_ms != 0)
            add_time(rule, "until", list[i].until_ms);
        json_object_object_add(rule, "automation",
                               json_object_get(json_get_object(list[i].content, "automation")));
        json_object_object_add(rule, "rule", json_object_get(list[i].content));
        json_object_array_add(rules, rule);
    }
    suggestions_free(list, count);
    return known;
}

/* ---- undo ---- */

int life_find_undoable(struct store *store, struct life_undoable *out, struct error *err)
{
    /* The last step that a person took with the suggestion, where it still is as that left it. */
    sqlite3_stmt *stmt = statement(
        store,
        "SELECT s.id, s.state FROM audit a JOIN suggestion s ON s.id = a.suggestion"
        " WHERE a.who NOT IN (?1, ?2, ?3)"
        " AND (a.to_state = 'rejected' AND s.state = 4 OR a.to_state = 'snoozed' AND s.state = 7"
        " OR a.to_state = 'trying' AND s.state = 6"
        " OR a.to_state = 'approved' AND (s.state IN (1, 2)"
        " OR s.state = 5 AND json_extract(s.content, '$.retires') IS NOT NULL))"
        " AND a.row = (SELECT max(row) FROM audit b WHERE b.suggestion = a.suggestion"
        " AND b.who NOT IN (?1, ?2, ?3))"
        " ORDER BY a.row DESC LIMIT 1",
        err);
    static_assert(SUGGESTION_APPROVED == 1 && SUGGESTION_DEPLOYED == 2 &&
                      SUGGESTION_REJECTED == 4 && SUGGESTION_RETIRED == 5 &&
                      SUGGESTION_TRYING == 6 && SUGGESTION_SNOOZED == 7,
                  "written above");
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, LIFE_WHO_ANALYSIS);
    bind_text(stmt, 2, LIFE_WHO_SCHEDULE);
    bind_text(stmt, 3, LIFE_WHO_SERVICE);
    int rc = statement_step(store, stmt, err);
    if (rc > 0) {
        snprintf(out->id, sizeof(out->id), "%s", (const char *)sqlite3_column_text(stmt, 0));
        out->state = (enum suggestion_state)sqlite3_column_int(stmt, 1);
    }
    statement_done(stmt);
    return rc;
}
