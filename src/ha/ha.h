/* Home Assistant over its HTTP API: reachability, versions, automations, runs. Loop thread only. */
#ifndef HA_AI_HA_HA_H
#define HA_AI_HA_HA_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/loop.h"

enum { HA_DEPLOYS_MAX = 16, HA_WATCHED_MAX = 1000 };

struct ha;

struct ha_settings {
    const char *url; /* http(s)://host:port */
    const char *token;
    /* Reachability, problem, admin or configuration changed. */
    void (*on_changed)(void *ctx);
    /* An automation with an id that begins with "ha_ai_" ran (GET /api/stream), or HA says after a
     * gap that it did (last_triggered; context_id "" then). at_ms is HA's clock. */
    void (*on_run)(const char *automation_id, const char *context_id, int64_t at_ms, void *ctx);
    void *ctx;
};

/* Starts probing GET /api/config at once, then every 30 s (5 s while down, 5 minutes after HA
 * rejected the token: HA counts and logs every such try), and the stream. Strings are copied.
 * NULL with *err for a URL or token that cannot be one. */
struct ha *ha_new(struct loop *loop, const struct ha_settings *settings, struct error *err);
/* Deploys under way end without their on_done. NULL is fine. */
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

/* The ids (prefix not stripped: "ha_ai_...") whose last_triggered is watched for runs that the
 * stream missed. Replaces the former list; what is known about those that stay is kept. The first
 * last_triggered seen is the base line, unless ha_set_last_run says more. */
void ha_watch_automations(struct ha *ha, const char *const *ids, size_t count);
/* The last run on record of a watched automation (HA's clock; 0 = it never ran): a later
 * last_triggered is a run that happened while we were away. */
void ha_set_last_run(struct ha *ha, const char *automation_id, int64_t at_ms);

/* Deploys an automation: checks that its entities and services exist (/api/states,
 * /api/services), POST /api/config/automation/config/<id>, reads it back equal, and sees an
 * automation.* entity with that id and state on within 10 s. on_done comes once, never from inside
 * this call: error NULL = deployed, else one line with HA's own words ("HA saved it but does not
 * run it: ..."). `saved` tells whether HA's file holds it. Keeps a reference to the automation. */
typedef void (*ha_deploy_fn)(const char *error, bool saved, void *ctx);
void ha_deploy(struct ha *ha, const char *automation_id, json_object *automation,
               ha_deploy_fn on_done, void *ctx);

/* What a save by HA would lose in this automations.yaml (comments, !include) or refuse (!secret):
 * true with one line in why; false when it is safe, or not there, or not ours to read. */
bool ha_automations_file_risk(const char *path, char *why, size_t size);

#endif
