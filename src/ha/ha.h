/* Home Assistant over its HTTP API: reachability, versions, automations, runs. Loop thread only. */
#ifndef HA_AI_HA_HA_H
#define HA_AI_HA_HA_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/loop.h"

enum {
    HA_DEPLOYS_MAX = 16,
    HA_WATCHED_MAX = 1000,
    HA_LIVE_ENTITIES_MAX = 500, /* whose changes are told */
    HA_AUTOMATIONS_MAX = 2000,  /* of the home that are read, as many as an analysis takes */
};

struct ha;

struct ha_settings {
    const char *url; /* http(s)://host:port */
    const char *token;
    /* Reachability, problem, admin or configuration changed. */
    void (*on_changed)(void *ctx);
    /* An automation with an id that begins with "ha_ai_" ran (GET /api/stream), or HA says after a
     * gap that it did (last_triggered; context_id "" then). at_ms is HA's clock. */
    void (*on_run)(const char *automation_id, const char *context_id, int64_t at_ms, void *ctx);
    void (*on_websocket)(void *ctx); /* it opened or closed, or its problem changed */
    /* Automations were reloaded, or one was renamed or removed, or that may have been missed. */
    void (*on_automations)(void *ctx);
    void *ctx;
};

/* Starts probing GET /api/config at once, then every 30 s (5 s while down, 5 minutes after HA
 * rejected the token: HA counts and logs every such try), and the stream. Strings are copied. NULL
 * with *err for a URL or token that cannot be one. */
struct ha *ha_new(struct loop *loop, const struct ha_settings *settings, struct error *err);
/* What is under way ends without its call-back. NULL is fine. */
void ha_free(struct ha *ha);

bool ha_is_reachable(const struct ha *ha);
/* Reachable and started: while it starts, entities and services are missing. */
bool ha_is_running(const struct ha *ha);
/* One line, borrowed, "" when fine: "HA rejects HA_TOKEN (401) ...", "the token is no admin's ...",
 * "could not connect ...". */
const char *ha_problem(const struct ha *ha);
/* The HTTP status of the last answer to GET /api/config: 0 = it did not answer, -1 = not asked yet.
 */
int ha_last_status(const struct ha *ha);
/* How long the last answer to it took, in ms; -1 while HA does not answer. */
int64_t ha_latency_ms(const struct ha *ha);
/* Whether the answer to "is the token an admin's" is known yet, and yes. */
bool ha_is_admin_known(const struct ha *ha);
bool ha_is_admin(const struct ha *ha);
/* HA's /api/config object ("version", "time_zone", "latitude", "language"), borrowed until the next
 * turn of the loop, NULL before the first answer. */
json_object *ha_config(const struct ha *ha);
/* HA's clock minus ours in ms, by its Date header; 0 when unknown or not told apart from 0. */
int64_t ha_clock_offset_ms(const struct ha *ha);

/* HA's WebSocket API, which only an admin's token gets: what needs it is off while it is not open.
 * The problem is one line, borrowed, "" when open. */
bool ha_websocket_is_open(const struct ha *ha);
const char *ha_websocket_problem(const struct ha *ha);

/* Reads all automations of the home, wherever they are written, by the WebSocket; a blueprint's
 * with its inputs put in. on_automation gets each as {"entity_id", "enabled", "config"} (borrowed)
 * as it comes, so that nobody has to hold them all. on_done comes once, never from inside this
 * call, with NULL or one line why; left_out counts those that HA could not give. -1 with *err when
 * they are being read already, or the WebSocket is not open. */
typedef void (*ha_automation_fn)(json_object *automation, void *ctx);
typedef void (*ha_automations_done_fn)(const char *error, size_t left_out, void *ctx);
int ha_read_automations(struct ha *ha, ha_automation_fn on_automation,
                        ha_automations_done_fn on_done, void *ctx, struct error *err);
/* Ends it without on_done. */
void ha_read_automations_cancel(struct ha *ha);

/* The ids (prefix not stripped: "ha_ai_...") whose last_triggered is watched for runs that the
 * stream missed. Replaces the former list; what is known about those that stay is kept. The first
 * last_triggered seen is the base line, unless ha_set_last_run says more. */
void ha_watch_automations(struct ha *ha, const char *const *ids, size_t count);
/* The last run on record of a watched automation (HA's clock; 0 = it never ran): a later
 * last_triggered is a run that happened while we were away. */
void ha_set_last_run(struct ha *ha, const char *automation_id, int64_t at_ms);

/* Tells how these entities are, and each change of the state or of an attribute, live by the
 * WebSocket: both anew on each later connection; what changes while it is closed is not told.
 * Replaces the former list; none ends it. Strings are copied. -1 with *err: more than
 * HA_LIVE_ENTITIES_MAX, or one that is no entity id; then the former list stays. */
struct ha_change {
    const char *entity_id;
    const char *from, *to;                        /* NULL: not known, or not there */
    json_object *from_attributes, *to_attributes; /* likewise */
    const char *context_id;                       /* of the change; NULL where HA gives none */
    const char *parent_id; /* an automation or script did it, because of another change */
    const char *user_id;   /* a person did it in HA; neither: a switch in the home, or a device */
    bool is_by_automation; /* also one that a clock set off, if it ran since the watch began */
    bool is_first;         /* no change: how it is now; what was before was not seen */
    int64_t changed_ms;    /* HA's clock; since when the state is that */
    int64_t at_ms;         /* HA's clock; since when it is like that, attributes and all */
};
typedef void (*ha_change_fn)(const struct ha_change *change, void *ctx); /* all borrowed */
int ha_watch_entities(struct ha *ha, const char *const *ids, size_t count, ha_change_fn on_change,
                      void *ctx, struct error *err);

/* Deploys an automation: checks that its entities and services exist (/api/states, /api/services)
 * and what stands under its id: nothing, or `before` (what we wrote there last; NULL = nothing), or
 * this very automation (the answer was lost: it is not saved twice); anything else is a person's
 * and left alone. POST /api/config/automation/config/<id>, reads it back equal, and sees an
 * automation.* entity with that id and state on within 10 s. on_done comes once, never from inside
 * this call. Keeps references to the automations. */
struct ha_deployed {
    const char *error;  /* NULL = deployed, else one line with HA's own words */
    bool is_theirs;     /* there is another automation under this id: nothing was done */
    json_object *saved; /* as HA's file holds it, or may (borrowed); also after some errors; NULL */
    const char *entity_id; /* "automation.x", "" = not seen */
};
typedef void (*ha_deploy_fn)(const struct ha_deployed *result, void *ctx);
void ha_deploy(struct ha *ha, const char *automation_id, json_object *automation,
               json_object *before, ha_deploy_fn on_done, void *ctx);

/* Takes one back: only when HA has `written` (what we wrote last) under this id, `earlier` is put
 * in its place (an older version of ours), or it is deleted (NULL). on_done as above; is_theirs: it
 * was changed since, nothing was done; is_transient: HA did not answer, ask again later. One that
 * is not there (any more) is taken back. */
struct ha_undeployed {
    const char *error;
    bool is_theirs, is_transient;
};
typedef void (*ha_undeploy_fn)(const struct ha_undeployed *result, void *ctx);
void ha_undeploy(struct ha *ha, const char *automation_id, json_object *written,
                 json_object *earlier, ha_undeploy_fn on_done, void *ctx);

/* Compares one with what we wrote. on_compared comes once, never from inside this call; field: the
 * first that differs, or where it is now. */
enum ha_verdict {
    HA_UNKNOWN, /* HA did not say */
    HA_SAME,    /* but for HA's ways to write, and the report block, which may be deleted */
    HA_DIFFERS,
    HA_MISSING,
};
typedef void (*ha_compare_fn)(enum ha_verdict verdict, const char *field, void *ctx);
void ha_compare(struct ha *ha, const char *automation_id, json_object *written,
                ha_compare_fn on_compared, void *ctx);

/* Puts the label "ha-ai" on one, beside those that it has, by the WebSocket. on_done comes once,
 * never from inside this call, with NULL or one line why not. */
typedef void (*ha_label_fn)(const char *error, void *ctx);
void ha_label(struct ha *ha, const char *automation_id, ha_label_fn on_done, void *ctx);

/* What HA itself says about a run that went wrong, from its trace, by the WebSocket. context_id may
 * be
 * "" (not known), then the run nearest to at_ms (HA's clock) is meant. on_done comes once, never
 * from inside this call, with one line, or NULL: HA knows of no error, or of no such run, or was
 * not to be asked. HA keeps the traces of the last five runs. */
typedef void (*ha_explain_fn)(const char *words, void *ctx);
void ha_explain_run(struct ha *ha, const char *automation_id, const char *context_id, int64_t at_ms,
                    ha_explain_fn on_done, void *ctx);

/* Two configurations are one automation. Else `field` (may be NULL) gets the first that differs. */
enum { HA_FIELD_SIZE = 64 };
bool ha_is_same_automation(json_object *a, json_object *b, char *field, size_t size);

/* What a save by HA would lose in this automations.yaml (comments, !include) or refuse (!secret):
 * true with one line in why; false when it is safe, or not there, or not ours to read. */
bool ha_automations_file_risk(const char *path, char *why, size_t size);

#endif
