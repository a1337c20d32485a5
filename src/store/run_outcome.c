#include "store/run_outcome.h"

#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "store/statement.h"
#include "store/suggestions.h"

static const char *const names[RUN_OUTCOME_COUNT] = {
    [RUN_NOT_KNOWN] = "not known", [RUN_KEPT] = "kept",     [RUN_IDLE] = "idle",
    [RUN_MISSED] = "missed",       [RUN_UNDONE] = "undone", [RUN_PREEMPTED] = "preempted"};

const char *run_outcome_name(enum run_outcome outcome)
{
    return (unsigned)outcome < RUN_OUTCOME_COUNT ? names[outcome] : "not known";
}

/* As a review names them (docs/analyze-format.md). */
static enum run_outcome of_review(const char *name)
{
    static const struct {
        const char *name;
        enum run_outcome outcome;
    } said[] = {{"hit", RUN_KEPT},
                {"idle", RUN_IDLE},
                {"miss", RUN_MISSED},
                {"undone", RUN_UNDONE},
                {"preempted", RUN_PREEMPTED}};
    for (size_t i = 0; name != NULL && i < sizeof(said) / sizeof(said[0]); i++)
        if (strcmp(name, said[i].name) == 0)
            return said[i].outcome;
    return RUN_NOT_KNOWN;
}

int run_set_outcome(struct store *store, const char *automation_id, const char *context_id,
                    enum run_outcome outcome, struct error *err)
{
    sqlite3_stmt *stmt =
        statement(store,
                  "UPDATE run SET outcome = CASE WHEN failed AND ?3 = ?4 THEN ?5 ELSE ?3 END"
                  " WHERE automation = ?1 AND context = ?2 AND outcome = 0",
                  err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    bind_text(stmt, 2, context_id);
    bind_int(stmt, 3, outcome);
    bind_int(stmt, 4, RUN_IDLE);
    bind_int(stmt, 5, RUN_MISSED);
    return statement_run(store, stmt, err);
}

static int fill(struct store *store, const char *automation_id, int64_t at_ms,
                enum run_outcome outcome, struct error *err)
{
    sqlite3_stmt *stmt =
        statement(store,
                  "UPDATE run SET outcome = ?3 WHERE automation = ?1 AND outcome = 0"
                  " AND context = (SELECT context FROM run WHERE automation = ?1"
                  " AND at_ms BETWEEN ?2 - ?4 AND ?2 + ?4 ORDER BY abs(at_ms - ?2) LIMIT 1)",
                  err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    bind_int(stmt, 2, at_ms);
    bind_int(stmt, 3, outcome);
    bind_int(stmt, 4, RUN_SAME_MS);
    return statement_run(store, stmt, err);
}

static int take_log(struct store *store, const char *automation_id, json_object *log,
                    struct error *err)
{
    size_t count = log != NULL ? json_object_array_length(log) : 0;
    for (size_t i = 0; i < count; i++) {
        json_object *entry = json_object_array_get_idx(log, i);
        enum run_outcome outcome = of_review(json_get_string(entry, "outcome"));
        const char *at = json_get_string(entry, "at");
        int64_t at_ms;
        if (outcome != RUN_NOT_KNOWN && at != NULL && clock_parse_rfc3339(at, &at_ms) == 0 &&
            fill(store, automation_id, at_ms, outcome, err) < 0)
            return -1;
    }
    return 0;
}

static int take_reviews(struct store *store, json_object *reviews, struct error *err)
{
    static const unsigned watched = 1u << SUGGESTION_DEPLOYED | 1u << SUGGESTION_EDITED;
    size_t count = reviews != NULL ? json_object_array_length(reviews) : 0;
    for (size_t i = 0; i < count; i++) {
        json_object *review = json_object_array_get_idx(reviews, i);
        const char *id = json_get_string(review, "id");
        char automation_id[SUGGESTION_AUTOMATION_ID_SIZE];
        struct suggestion s;
        int found = id != NULL ? suggestion_find(store, id, &s, err) : 0;
        if (found < 0)
            return -1;
        if (found == 0)
            continue;
        bool is_watched = (1u << s.state & watched) != 0;
        suggestion_automation_id(&s, automation_id);
        suggestion_release(&s);
        if (is_watched && take_log(store, automation_id, json_get_array(review, "log"), err) < 0)
            return -1;
    }
    return 0;
}

int run_outcomes_from_reviews(struct store *store, json_object *reviews, struct error *err)
{
    int scope = scope_begin(store, err);
    return scope < 0 ? -1 : scope_end(store, scope, take_reviews(store, reviews, err), err);
}

int run_count_outcomes(struct store *store, const char *automation_id, int64_t since_ms,
                       int64_t counts[RUN_OUTCOME_COUNT], struct error *err)
{
    memset(counts, 0, RUN_OUTCOME_COUNT * sizeof(counts[0]));
    sqlite3_stmt *stmt = statement(store,
                                   "SELECT outcome, count(*) FROM run WHERE at_ms >= ?2"
                                   " AND (?1 IS NULL OR automation = ?1) GROUP BY outcome",
                                   err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, automation_id);
    bind_int(stmt, 2, since_ms);
    int rc;
    while ((rc = statement_step(store, stmt, err)) > 0) {
        int outcome = sqlite3_column_int(stmt, 0);
        if (outcome >= 0 && outcome < RUN_OUTCOME_COUNT)
            counts[outcome] = sqlite3_column_int64(stmt, 1);
    }
    statement_done(stmt);
    return rc;
}
