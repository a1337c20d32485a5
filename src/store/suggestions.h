/* Habits and suggestions with their life, and the audit. */
#ifndef HA_AI_STORE_SUGGESTIONS_H
#define HA_AI_STORE_SUGGESTIONS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

enum suggestion_state {
    SUGGESTION_NEW,      /* waits for the person */
    SUGGESTION_APPROVED, /* being deployed */
    SUGGESTION_DEPLOYED,
    SUGGESTION_FAILED, /* deploying failed; may be approved again */
    SUGGESTION_REJECTED,
    SUGGESTION_RETIRED, /* waits no more: the habit is gone from the analysis (was new) */
    SUGGESTION_TRYING,
    SUGGESTION_SNOOZED,
    SUGGESTION_EXPIRED,
    SUGGESTION_UNDONE, /* was deployed, and taken back */
    SUGGESTION_EDITED, /* was deployed, and a person changed it in HA: theirs */
    SUGGESTION_REFINED,
    SUGGESTION_STATE_COUNT
};
const char *suggestion_state_name(enum suggestion_state state); /* "new", "approved", ... */

enum {
    SUGGESTIONS_MAX = 1000, /* in all states; retired ones make room, oldest first */
    SUGGESTIONS_SHOWN = 10, /* offered to a person at once, best first; the others wait */
    SUGGESTION_MATCH_MINUTES = 45,
    SUGGESTION_CHANGED_MINUTES = 5, /* a move that is told */
    SUGGESTION_ID_MAX = 64,
    SUGGESTION_TITLE_MAX = 200, /* bytes */
    SUGGESTION_CONTENT_MAX = 64 * 1024,
    SUGGESTION_PARTS_MAX = 8, /* of a chain */
    AUDIT_ROWS_MAX = 10000,
    RUN_ROWS_MAX = 20000, /* the oldest go; the counts are of what is kept */
    RUN_REPORT_MS = 60 * 1000,
    RUN_CLOCKS_MS = 5 * 1000, /* how far a report may seem to lie before its run */
};

struct suggestion {
    char *id; /* stable for ever; the automation's id is "ha_ai_<id>" */
    enum suggestion_state state;
    char *title;          /* unique among all suggestions */
    json_object *content; /* the object of `analyze`: kind, title, explanation, automation, ... */
    char *reason;         /* why failed or rejected; NULL */
    bool via_mqtt;        /* deployed over MQTT by somebody else */
    int rank;             /* 0 = best, of the last analysis */
    int64_t created_ms, updated_ms, deployed_ms;
};
void suggestion_release(struct suggestion *suggestion);

/* All with a state in the mask (bits 1 << state), best first. *out is freed by suggestions_free. */
int suggestions_list(struct store *store, unsigned state_mask, struct suggestion **out,
                     size_t *count, struct error *err);
void suggestions_free(struct suggestion *list, size_t count);
/* 1 = filled (release it), 0 = unknown id, -1 = error. */
int suggestion_find(struct store *store, const char *id, struct suggestion *out, struct error *err);

/* Merges the result of an analysis (design 2.2): a result belongs to a known habit when entities
 * and action agree (ids agree up to their "#n") and their times lie within
 * SUGGESTION_MATCH_MINUTES, of state triggers when entity and state are the same; it keeps that
 * habit's id. Nearest first, where days of the week that
 * do not overlap count like SUGGESTION_MATCH_MINUTES. Time and days come from the automation's
 * triggers and conditions; a sun trigger's time of day from "rule": {"time": "HH:MM"}.
 * New ones are inserted as `new`; what waits is updated; what waited and is no longer found is
 * retired; rejected and deployed ones keep their state (their evidence is refreshed, not
 * the deployed automation). Retired ones found again become new. Ids already taken get the next
 * free
 * "#n"; equal titles get the id appended. A chain ("parts") is what its first part was, and its
 * parts are retired; where a person decided on one of these, they stand in its place. Joins the
 * caller's transaction. A result that is not of the form is refused whole. The two arrays (caller
 * puts them) hold content objects, id and title corrected, for the events: what is new, and what is
 * new, back or changed (time moved >= 5 min since it was last told, or other days; nothing of
 * rejected ones). */
struct suggestions_merge {
    json_object *created;
    json_object *changed;
    int waiting; /* suggestions that wait for the person afterwards, new or failed */
};
int suggestions_merge_analysis(struct store *store, json_object *result, int64_t now_ms,
                               struct suggestions_merge *out, struct error *err);

/* A step of its life, checked against the one table of transitions, with a row in the audit
 * (who: a HA user id, "mqtt", "analysis", ...). -1 ERROR_INVALID: not from this state;
 * ERROR_NOT_FOUND: no such id. */
int suggestion_move(struct store *store, const char *id, enum suggestion_state to,
                    const char *reason, const char *who, int64_t now_ms, struct error *err);
int suggestion_set_via_mqtt(struct store *store, const char *id, bool via_mqtt, struct error *err);

/* Runs of deployed automations. A run is counted from HA (context id) or reported by MQTT; the
 * same context id is one run. context_id NULL = not known (HA told after a gap that it ran): it and
 * a report of about that time are one run too. at_ms is HA's clock. */
int run_record(struct store *store, const char *automation_id, const char *context_id, bool from_ha,
               const char *status /* "triggered", "executed", "failed" */, int64_t at_ms,
               struct error *err);
struct run_counts {
    int64_t runs, confirmed, failed, unconfirmed; /* unconfirmed: no report within 60 s */
    int64_t last_ms;
};
/* automation_id NULL = of all. */
int run_count(struct store *store, const char *automation_id, int64_t now_ms,
              struct run_counts *out, struct error *err);

/* Erases the suggestions that mention the entity (NULL = all), with their audit, and the messages
 * about them and about anomalies of it that wait: whatever their state, but not those that are
 * deployed or about to be; how many were erased and how many stay is told. */
int suggestions_forget(struct store *store, const char *entity_id, int *erased, int *kept,
                       struct error *err);

#endif
