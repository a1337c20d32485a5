/* Habits and suggestions, and the runs of what was deployed. Their life is in store/life.h. */
#ifndef HA_AI_STORE_SUGGESTIONS_H
#define HA_AI_STORE_SUGGESTIONS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/objection.h"
#include "store/store.h"

enum suggestion_state {                      /* the numbers stand in databases */
                        SUGGESTION_NEW,      /* waits for the person */
                        SUGGESTION_APPROVED, /* being deployed */
                        SUGGESTION_DEPLOYED,
                        SUGGESTION_FAILED, /* deploying failed; may be approved again */
                        SUGGESTION_REJECTED,
                        SUGGESTION_RETIRED, /* not needed any more, or withdrawn after its trial */
                        SUGGESTION_TRYING,  /* runs in shadow until until_ms */
                        SUGGESTION_SNOOZED, /* waits again at until_ms */
                        SUGGESTION_EXPIRED, /* unanswered for too long, or its habit ended */
                        SUGGESTION_UNDONE,  /* was deployed, and taken back */
                        SUGGESTION_EDITED,  /* a person changed the automation in HA: it is theirs,
                                               we only watch */
                        SUGGESTION_REFINED, /* another one that is better took its place */
                        SUGGESTION_STATE_COUNT
};
/* Bits of those that wait for a person, and of those that a person may decide on. */
enum {
    SUGGESTION_WAITING = 1 << SUGGESTION_NEW | 1 << SUGGESTION_FAILED,
    SUGGESTION_OFFERED = SUGGESTION_WAITING | 1 << SUGGESTION_TRYING,
};
const char *suggestion_state_name(enum suggestion_state state); /* "new", "approved", ... */

enum {
    SUGGESTIONS_MAX = 1000, /* in all states; those whose habit is gone make room, oldest first */
    SUGGESTIONS_SHOWN = 10, /* offered to a person at once, best first; the others wait */
    SUGGESTION_MATCH_MINUTES = 45,
    SUGGESTION_CHANGED_MINUTES = 5, /* a move that is told */
    SUGGESTION_ID_MAX = 64,
    SUGGESTION_TITLE_MAX = 200,         /* bytes */
    SUGGESTION_CONTENT_MAX = 64 * 1024, /* a picture that has no room is left out */
    SUGGESTION_PARTS_MAX = 8,           /* of a chain */
    RUN_ROWS_MAX = 20000,               /* the oldest go; the counts are of what is kept */
    RUN_REPORT_MS = 60 * 1000,
    RUN_CLOCKS_MS = 5 * 1000, /* how far a report may seem to lie before its run */
};

struct suggestion {
    char *id; /* stable for ever; the automation's id is "ha_ai_<id>" */
    enum suggestion_state state;
    char *family;         /* of the habit: an id without "#n" */
    bool is_gone;         /* an analysis did not find it, since it is in its state */
    char *title;          /* unique among all suggestions */
    json_object *content; /* the object of `analyze`: kind, title, explanation, automation, ... */
    char *reason;         /* why it is in its state; NULL */
    enum objection objection; /* what a rejection bars */
    bool via_mqtt;            /* deployed over MQTT by somebody else */
    int rank;                 /* 0 = best, of the last analysis */
    int64_t created_ms, updated_ms, deployed_ms;
    int64_t since_ms; /* when it came into its state */
    int64_t until_ms; /* when a snooze or a trial ends; 0 = neither */
};
void suggestion_release(struct suggestion *suggestion);

/* The id of its automation in Home Assistant: "ha_ai_<id>", '#' of a "#n" made '_'; of one that
 * took another's place, that one's ("automation_id" in its content). */
enum { SUGGESTION_AUTOMATION_ID_SIZE = SUGGESTION_ID_MAX + 8 };
void suggestion_automation_id(const struct suggestion *suggestion,
                              char out[SUGGESTION_AUTOMATION_ID_SIZE]);

/* Puts a field (value: borrowed) into its content. -1 ERROR_LIMIT: it would have more than
 * SUGGESTION_CONTENT_MAX; ERROR_NOT_FOUND. */
int suggestion_keep(struct store *store, const char *id, const char *key, json_object *value,
                    struct error *err);

/* All with a state in the mask (bits 1 << state), best first, those on trial last. *out is freed by
 * suggestions_free. */
int suggestions_list(struct store *store, unsigned state_mask, struct suggestion **out,
                     size_t *count, struct error *err);
void suggestions_free(struct suggestion *list, size_t count);
/* How many there are in each state. */
int suggestions_count(struct store *store, int64_t counts[SUGGESTION_STATE_COUNT],
                      struct error *err);
/* 1 = filled (release it), 0 = unknown id, -1 = error. */
int suggestion_find(struct store *store, const char *id, struct suggestion *out, struct error *err);

/* Merges the result of an analysis (design 2.2): a result belongs to a known habit when entities
 * and action agree (ids agree up to their "#n") and their times lie within
 * SUGGESTION_MATCH_MINUTES, of state triggers when entity and state are the same; it keeps that
 * habit's id. Nearest first, where days of the week that
 * do not overlap count like SUGGESTION_MATCH_MINUTES. Time and days come from the automation's
 * triggers and conditions; a sun trigger's time of day from "rule": {"time": "HH:MM"}.
 * New ones are inserted as `new`, unless a rejection bars them (store/objection.h); what waits is
 * updated; what is new or snoozed and no longer found expires; the others keep their state, and
 * what a person decided on its automation (only the evidence is refreshed). Expired and retired
 * ones that were gone and are found again become new; undone ones also when all held-out days lie
 * after the undoing. Ids already taken get the next free "#n"; equal titles get the id appended. A
 * chain
 * ("parts") is what its first part was, and its parts expire; where a person decided on one of
 * these, or a rejection bars the chain, they stand in its place. Joins the caller's transaction. A
 * result that is not of the form is refused whole. What its "reviews" propose is taken in first
 * (store/proposal.h), and is among `created`. `created` and `changed` (caller puts all three
 * arrays) hold content objects, id and title corrected, for the events: what is new, and what is
 * new, back or changed (time moved >= 5 min since it was last told, or other days; nothing of
 * rejected ones). `steps` holds the events of life_take. */
struct suggestions_merge {
    json_object *created;
    json_object *changed;
    json_object *steps;
    int waiting;  /* suggestions that wait for the person afterwards, new or failed */
    int rejected; /* results that are not offered because of a rejection */
};
int suggestions_merge_analysis(struct store *store, json_object *result, int64_t now_ms,
                               struct suggestions_merge *out, struct error *err);

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
