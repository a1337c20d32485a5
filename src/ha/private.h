/* What the files of ha/ share. */
#ifndef HA_AI_HA_PRIVATE_H
#define HA_AI_HA_PRIVATE_H

#include "core/http.h"
#include "ha/ha.h"
#include "ha/session.h"

enum { HA_ID_MAX = 128, HA_ENTITY_MAX = 256 };

struct ha_runs;
struct ha_deployment;
struct ha_reading;
struct ha_undeployment;
struct ha_comparison;
struct ha_labelling;
struct ha_watch;
struct ha_explanation;

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
    struct ha_deployment *deployments;     /* a list */
    struct ha_undeployment *undeployments; /* lists */
    struct ha_comparison *comparisons;
    struct ha_labelling *labellings;
    struct ha_explanation *explanations;
    struct ha_watch *watch;     /* of entities, NULL = none */
    struct session *session;    /* the WebSocket */
    struct ha_reading *reading; /* of all automations, NULL = none */
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

/* The entity of an automation in that array; "" when it is not there. */
void ha_find_entity(json_object *list, const char *automation_id, char entity[HA_ENTITY_MAX]);

/* One line for an answer that is not what was hoped for, with HA's own message when it has one. */
void ha_describe_answer(const struct http_response *response, char *out, size_t size);

/* runs.c: the stream. Started when the token is known to be an admin's, stopped when HA is gone. */
struct ha_runs *ha_runs_new(struct ha *ha);
void ha_runs_free(struct ha_runs *runs);
void ha_runs_start(struct ha_runs *runs); /* does nothing while it runs */
void ha_runs_stop(struct ha_runs *runs);

/* deploy.c */
void ha_deployment_free(struct ha_deployment *deployment);
/* One line for an answer of the automation editor that is no 200. */
void ha_describe_refusal(const struct http_response *response, char *out, size_t size);
/* The editor's own 404: it looked and has none. */
bool ha_says_not_found(const struct http_response *response);
/* "domain.name" of HA's alphabet. */
bool ha_is_dotted_name(const char *name);
/* Printable, without blanks: it becomes part of a URL. */
bool ha_is_automation_id(const char *id);
char *ha_config_path(const char *id); /* "/api/config/automation/config/<id>"; caller frees */

/* undeploy.c, compare.c, label.c */
void ha_undeployment_free(struct ha_undeployment *undeployment);
void ha_comparison_free(struct ha_comparison *comparison);
void ha_labelling_free(struct ha_labelling *labelling);

void ha_explanation_free(struct ha_explanation *explanation); /* trace.c */
void ha_watch_free(struct ha_watch *watch);                   /* watch.c */

#endif
