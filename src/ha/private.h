/* What the files of ha/ share. */
#ifndef HA_AI_HA_PRIVATE_H
#define HA_AI_HA_PRIVATE_H

#include "core/http.h"
#include "ha/ha.h"

enum { HA_ID_MAX = 128, HA_ENTITY_MAX = 256 };

struct ha_runs;
struct ha_deployment;

struct ha {
    struct loop *loop;
    char *url, *token;
    struct ha_settings settings;
    struct http_transfer *probe, *admin_check;
    int probe_timer, last_status;
    int64_t probe_sent_ms, probe_started_ms, admin_checked_ms; /* wall clock, monotonic ... */
    int64_t latency_ms;
    bool is_reachable, is_admin, is_admin_known;
    char problem[512], admin_problem[256];
    json_object *config;
    bool has_offset;
    int64_t offset_low_ms, offset_high_ms; /* HA's clock minus ours lies between */
    struct ha_runs *runs;
    struct ha_deployment *deployments; /* a list */
};

typedef void (*ha_answer_fn)(const struct http_response *response, void *ctx);

/* A request with our token; path begins with "/api/". */
struct http_transfer *ha_request(struct ha *ha, const char *method, const char *path,
                                 const char *json_body, ha_answer_fn on_done, void *ctx);

/* Asks now whether HA is there, instead of at the next turn of the probe. */
void ha_probe_now(struct ha *ha);

/* Our automations as HA has them: an array of [entity_id, id, state, last_triggered in s]. */
struct http_transfer *ha_request_automations(struct ha *ha, ha_answer_fn on_done, void *ctx);
/* The answer's array (caller puts it), or NULL with one line in error. */
json_object *ha_parse_automations(const struct http_response *response, char *error, size_t size);

/* One line for an answer that is not what was hoped for, with HA's own message when it has one. */
void ha_describe_answer(const struct http_response *response, char *out, size_t size);

/* runs.c: the stream. Started when the token is known to be an admin's, stopped when HA is gone. */
struct ha_runs *ha_runs_new(struct ha *ha);
void ha_runs_free(struct ha_runs *runs);
void ha_runs_start(struct ha_runs *runs); /* does nothing while it runs */
void ha_runs_stop(struct ha_runs *runs);

/* deploy.c */
void ha_deployment_free(struct ha_deployment *deployment);

#endif
