/* The life of a suggestion: one table of what may become of what, and the audit of who did it.
 * docs/life.md tells it to people. */
#ifndef HA_AI_STORE_LIFE_H
#define HA_AI_STORE_LIFE_H

#include "store/suggestions.h"

enum {
    AUDIT_ROWS_MAX = 10000,
    AUDIT_WHO_MAX = 100, /* bytes of who it was; longer ones are cut */
    LIFE_SNOOZE_DAYS = 7,
    LIFE_UNANSWERED_DAYS = 60,   /* then what waits expires */
    LIFE_REVIEW_WAIT_DAYS = 2,   /* after its end a trial waits so long for its record */
    LIFE_NEW_EVIDENCE_DAYS = 14, /* since an undoing, where the back-test does not tell */
    LIFE_KNOWN_MAX = 500,        /* that an analysis reviews */
    LIFE_TICK_STEPS_MAX = 100,   /* that time takes at once; the others the next time */
};

/* Who takes steps by themselves; anybody else is a person, or acts for one. */
#define LIFE_WHO_ANALYSIS "analysis"
#define LIFE_WHO_SCHEDULE "schedule"
#define LIFE_WHO_SERVICE "ha-ai"

struct life_step {
    enum suggestion_state to;
    const char *reason;       /* NULL = none; of a rejection the name of its objection */
    enum objection objection; /* of a rejection */
    int64_t until_ms;         /* of a snooze or a trial, and of these alone */
    const char *who;          /* HA's user id, "mqtt", "api token", "page", or one of those above */
    int64_t now_ms;
};

/* Whether the table allows it. */
bool life_allows(enum suggestion_state from, enum suggestion_state to);

/* Takes a step, with a row in the audit. *told (may be NULL; the caller puts it) becomes the event
 * of it: {"event_type": the state's name, "suggestion_id", "title", "from", "by", "reason",
 * "until"}, to be sent in the same transaction. -1 ERROR_INVALID, naming both states: not from this
 * one; ERROR_NOT_FOUND: no such id. Joins the caller's transaction. */
int life_take(struct store *store, const char *id, const struct life_step *step, json_object **told,
              struct error *err);

/* The same; its event is appended to `told`, an array. */
int life_take_listed(struct store *store, const char *id, const struct life_step *step,
                     json_object *told, struct error *err);

/* The same for what needs no more than a reason. */
int suggestion_move(struct store *store, const char *id, enum suggestion_state to,
                    const char *reason, const char *who, int64_t now_ms, struct error *err);

/* What time alone does: what was snoozed long enough waits again, what nobody answered expires, a
 * trial whose record does not come ends without. Appends the events to `told`, an array. */
int life_tick(struct store *store, int64_t now_ms, json_object *told, struct error *err);

/* The end of a trial: it waits again, with the record (borrowed; NULL = none) as "trial" in its
 * content, or withdraws (retired) and says why. -1 ERROR_INVALID when it is not being tried. */
int suggestion_end_trial(struct store *store, const char *id, json_object *record, bool withdraw,
                         const char *reason, int64_t now_ms, json_object **told, struct error *err);

/* What an analysis is to review (`analyze --known`): {"rules": [{"id", "state": trying, deployed or
 * edited, "since", "until" of a trial, "automation", "rule": its content}]}, at most
 * LIFE_KNOWN_MAX, the best first. The caller puts it; NULL with *err. */
json_object *life_known_rules(struct store *store, struct error *err);

/* The last step of a person that can be taken back: 1 = found, 0 = none, -1. */
struct life_undoable {
    char id[SUGGESTION_ID_MAX + 1];
    /* It is in: rejected, snoozed, trying, approved or deployed; retired: a retirement. */
    enum suggestion_state state;
};
int life_find_undoable(struct store *store, struct life_undoable *out, struct error *err);

/* ---- the audit ---- */

struct audit_row {
    int64_t at_ms;
    char *who, *suggestion;             /* "" = about none */
    char *from, *to, *reason, *command; /* reason, command: NULL = none */
};
/* A row of a command that is no step: what it set, from what. suggestion may be NULL. */
int audit_command(struct store *store, const char *command, const char *from, const char *to,
                  const char *who, int64_t now_ms, struct error *err);
/* The newest `max` rows, of one suggestion or (NULL) of all, newest first. Free with audit_free. */
int audit_list(struct store *store, const char *suggestion, size_t max, struct audit_row **out,
               size_t *count, struct error *err);
void audit_free(struct audit_row *rows, size_t count);

#endif
