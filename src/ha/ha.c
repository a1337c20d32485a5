#include "ha/ha.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "ha/private.h"

enum {
    PROBE_UP_MS = 30 * 1000,
    PROBE_DOWN_MS = 5 * 1000,
    PROBE_REFUSED_MS = 5 * 60 * 1000,
    ADMIN_AGAIN_MS = 10 * 60 * 1000,
    PROBE_TIMEOUT_MS = 10 * 1000,
    OFFSET_DRIFT_MS = 5, /* how far two clocks part between two probes */
};

static int64_t probe_now(void *ctx);

struct http_transfer *ha_request(struct ha *ha, const char *method, const char *path,
                                 const char *json_body, ha_answer_fn on_done, void *ctx)
{
    char *url = xasprintf("%s%s", ha->url, path);
    bool changes = strcmp(method, "GET") != 0 && strncmp(path, "/api/config/", 12) == 0;
    struct http_request request = {.method = method,
                                   .once = changes,
                                   .url = url,
                                   .bearer = ha->token,
                                   .json_body = json_body,
                                   .on_done = on_done,
                                   .ctx = ctx};
    struct http_transfer *transfer = http_start(ha->loop, &request);
    free(url);
    return transfer;
}

void ha_describe_answer(const struct http_response *response, char *out, size_t size)
{
    if (response->status == 0) {
        snprintf(out, size, "%s", response->error);
        return;
    }
    if (response->status == 401) {
        snprintf(
            out, size,
            "HA rejects HA_TOKEN (401): make a long-lived token of an admin in HA (your profile > "
            "Security) and put it there");
        return;
    }
    if (response->status == 403) {
        snprintf(out, size, "HA refuses us (403): our address stands in its ip_bans.yaml");
        return;
    }
    if (response->redirect != NULL) {
        snprintf(out, size, "HA_URL redirects to %.200s: put the address there into HA_URL",
                 response->redirect);
        return;
    }
    json_object *body = json_parse(response->body, response->body_len, NULL);
    const char *message = json_get_string(body, "message");
    if (message != NULL)
        snprintf(out, size, "HA answers %d: %s", response->status, message);
    else
        snprintf(out, size, "HA answers %d", response->status);
    for (char *p = out; *p != '\0'; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    json_object_put(body);
}

/* --- our automations --- */

struct http_transfer *ha_request_automations(struct ha *ha, ha_answer_fn on_done, void *ctx)
{
    /* Much smaller than /api/states, which has every entity of the home. */
    static const char body[] =
        "{\"template\":\"{% set found = namespace(list=[]) %}{% for s in states.automation %}"
        "{% set id = s.attributes.get('id') | string %}{% if id.startswith('ha_ai_') %}"
        "{% set found.list = found.list + [[s.entity_id, id, s.state, "
        "as_timestamp(s.attributes.get('last_triggered'), 0)]] %}{% endif %}{% endfor %}"
        "{{ found.list | to_json }}\"}";
    return ha_request(ha, "POST", "/api/template", body, on_done, ctx);
}

json_object *ha_parse_automations(const struct http_response *response, char *error, size_t size)
{
    if (response->status != 200) {
        ha_describe_answer(response, error, size);
        return NULL;
    }
    struct error err;
    json_object *list = json_parse(response->body, response->body_len, &err);
    if (json_object_is_type(list, json_type_array))
        return list;
    snprintf(error, size, "HA does not list its automations: %s",
             list == NULL ? err.message : "not an array");
    json_object_put(list);
    return NULL;
}

void ha_find_entity(json_object *list, const char *automation_id, char entity[HA_ENTITY_MAX])
{
    entity[0] = '\0';
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        json_object *row = json_object_array_get_idx(list, i);
        if (!json_object_is_type(row, json_type_array))
            continue;
        const char *name = json_object_get_string(json_object_array_get_idx(row, 0));
        const char *id = json_object_get_string(json_object_array_get_idx(row, 1));
        if (id != NULL && name != NULL && strcmp(id, automation_id) == 0)
            snprintf(entity, HA_ENTITY_MAX, "%s", name);
    }
}

/* --- is it there, and may we --- */

static void tell_changed(struct ha *ha)
{
    if (ha->settings.on_changed != NULL)
        ha->settings.on_changed(ha->settings.ctx);
}

static void probe_again(struct ha *ha, int64_t delay_ms)
{
    loop_remove_timer(ha->loop, ha->probe_timer);
    ha->probe_timer = loop_add_timer(ha->loop, delay_ms, probe_now, ha);
}

/* The Date header has whole seconds: each probe says that the difference lies within one second and
 * the time the probe took; what all probes allow together is much narrower. */
static void learn_offset(struct ha *ha, int64_t date_ms)
{
    if (date_ms == 0)
        return;
    int64_t low = date_ms - clock_wall_ms();
    int64_t high = date_ms + 1000 - ha->probe_sent_ms;
    if (ha->has_offset) {
        ha->offset_low_ms -= OFFSET_DRIFT_MS;
        ha->offset_high_ms += OFFSET_DRIFT_MS;
    }
    if (!ha->has_offset || low > ha->offset_high_ms || high < ha->offset_low_ms) {
        ha->offset_low_ms = low; /* the first, or a clock was set */
        ha->offset_high_ms = high;
    } else {
        ha->offset_low_ms = low > ha->offset_low_ms ? low : ha->offset_low_ms;
        ha->offset_high_ms = high < ha->offset_high_ms ? high : ha->offset_high_ms;
    }
    ha->has_offset = true;
}

static bool has_started(const struct ha *ha)
{
    const char *state = json_get_string(ha->config, "state");
    return state == NULL || strcmp(state, "RUNNING") == 0;
}

static void on_admin_checked(const struct http_response *response, void *ctx)
{
    struct ha *ha = ctx;
    ha->admin_check = NULL;
    ha->admin_checked_ms = clock_monotonic_ms();
    json_object *body = json_parse(response->body, response->body_len, NULL);
    bool was_known = ha->is_admin_known, was_admin = ha->is_admin;
    char before[sizeof(ha->admin_problem)];
    memcpy(before, ha->admin_problem, sizeof(before));
    /* HA answers 404 with JSON when it looked for the automation "x", which takes an admin; a 404
     * without JSON comes from a HA that has no such address (yet). */
    bool is_view = response->status == 200 || (response->status == 404 && body != NULL);
    json_object_put(body);
    ha->admin_problem[0] = '\0';
    if (is_view || response->status == 401) {
        ha->is_admin_known = true;
        ha->is_admin = is_view;
        if (!is_view)
            snprintf(
                ha->admin_problem, sizeof(ha->admin_problem),
                "the token is no admin's: automations can be neither deployed nor watched; make "
                "HA_TOKEN as a user who is an administrator");
    } else if (response->status == 404 && has_started(ha)) {
        snprintf(ha->admin_problem, sizeof(ha->admin_problem),
                 "HA has no automation editor: configuration.yaml needs `automation: !include "
                 "automations.yaml` and `config:` (or `default_config:`)");
    }
    if (ha->is_admin) {
        ha_runs_start(ha->runs);
        session_start(ha->session);
    } else if (ha->is_admin_known) {
        session_stop(ha->session, "off: the token is no admin's");
    }
    if (was_known != ha->is_admin_known || was_admin != ha->is_admin ||
        strcmp(before, ha->admin_problem) != 0) {
        if (ha->admin_problem[0] != '\0')
            log_warn("ha", "%s", ha->admin_problem);
        tell_changed(ha);
    }
}

static void check_admin(struct ha *ha)
{
    if (ha->admin_check != NULL || ha->is_admin)
        return;
    /* HA logs a warning for each of these that it refuses. */
    if (ha->is_admin_known && clock_monotonic_ms() - ha->admin_checked_ms < ADMIN_AGAIN_MS)
        return;
    ha->admin_check =
        ha_request(ha, "GET", "/api/config/automation/config/x", NULL, on_admin_checked, ha);
}

/* 200 from /api/config. */
static void take_config(struct ha *ha, const struct http_response *response)
{
    json_object *config = json_parse(response->body, response->body_len, NULL);
    if (json_get_string(config, "version") == NULL) {
        json_object_put(config);
        snprintf(ha->problem, sizeof(ha->problem),
                 "what answers at HA_URL is not Home Assistant: /api/config has no version");
        return;
    }
    learn_offset(ha, response->date_ms);
    json_object_put(ha->config);
    ha->config = config;
    ha->is_reachable = true;
    ha->problem[0] = '\0';
}

static void lose(struct ha *ha)
{
    ha->is_reachable = ha->is_admin = ha->is_admin_known = false;
    ha->admin_problem[0] = '\0';
    http_cancel(ha->admin_check);
    ha->admin_check = NULL;
    ha_runs_stop(ha->runs);
    session_stop(ha->session, "Home Assistant is not reachable");
}

static void on_probed(const struct http_response *response, void *ctx)
{
    struct ha *ha = ctx;
    ha->probe = NULL;
    ha->last_status = response->status;
    ha->latency_ms = clock_monotonic_ms() - ha->probe_started_ms;
    bool was_reachable = ha->is_reachable;
    char before[sizeof(ha->problem)];
    memcpy(before, ha->problem, sizeof(before));
    json_object *old_config = json_object_get(ha->config);
    ha->is_reachable = false;
    if (response->status == 200)
        take_config(ha, response);
    else
        ha_describe_answer(response, ha->problem, sizeof(ha->problem));
    bool changed = was_reachable != ha->is_reachable || strcmp(before, ha->problem) != 0 ||
                   !json_object_equal(old_config, ha->config);
    json_object_put(old_config);
    if (ha->is_reachable) {
        if (!was_reachable)
            log_info("ha", "Home Assistant %s answers at %s",
                     json_get_string(ha->config, "version"), ha->url);
        check_admin(ha);
        probe_again(ha, has_started(ha) ? PROBE_UP_MS : PROBE_DOWN_MS);
    } else {
        if (was_reachable || strcmp(before, ha->problem) != 0)
            log_warn("ha", "%s", ha->problem);
        lose(ha);
        bool is_refused = response->status == 401 || response->status == 403;
        probe_again(ha, is_refused ? PROBE_REFUSED_MS : PROBE_DOWN_MS);
    }
    if (changed)
        tell_changed(ha);
}

static int64_t probe_now(void *ctx)
{
    struct ha *ha = ctx;
    ha->probe_timer = 0;
    ha->probe_sent_ms = clock_wall_ms();
    ha->probe_started_ms = clock_monotonic_ms();
    char *url = xasprintf("%s/api/config", ha->url);
    struct http_request request = {.method = "GET",
                                   .url = url,
                                   .bearer = ha->token,
                                   .timeout_ms = PROBE_TIMEOUT_MS,
                                   .on_done = on_probed,
                                   .ctx = ha};
    ha->probe = http_start(ha->loop, &request);
    free(url);
    return LOOP_TIMER_STOP;
}

void ha_probe_now(struct ha *ha)
{
    if (ha->probe == NULL)
        probe_again(ha, 0);
}

struct ha *ha_new(struct loop *loop, const struct ha_settings *settings, struct error *err)
{
    if (settings->url == NULL ||
        (strncmp(settings->url, "http://", 7) != 0 && strncmp(settings->url, "https://", 8) != 0)) {
        error_set(err, ERROR_INVALID, "HA_URL: expected http://HOST:8123 or https://...");
        return NULL;
    }
    if (settings->token == NULL || settings->token[0] == '\0') {
        error_set(err, ERROR_INVALID, "HA_TOKEN: expected a long-lived token of HA");
        return NULL;
    }
    struct ha *ha = xcalloc(1, sizeof(*ha));
    ha->loop = loop;
    ha->settings = *settings;
    ha->url = xstrdup(settings->url);
    for (size_t n = strlen(ha->url); n > 0 && ha->url[n - 1] == '/'; n--)
        ha->url[n - 1] = '\0';
    ha->token = xstrdup(settings->token);
    ha->settings.url = ha->url;
    ha->settings.token = ha->token;
    snprintf(ha->problem, sizeof(ha->problem), "Home Assistant has not answered yet");
    ha->last_status = -1;
    ha->runs = ha_runs_new(ha);
    ha->session = session_new(loop, &(struct session_settings){.url = ha->url,
                                                               .token = ha->token,
                                                               .on_changed = settings->on_websocket,
                                                               .ctx = settings->ctx});
    ha->probe_timer = loop_add_timer(loop, 0, probe_now, ha);
    return ha;
}

void ha_free(struct ha *ha)
{
    if (ha == NULL)
        return;
    while (ha->deployments != NULL)
        ha_deployment_free(ha->deployments);
    while (ha->undeployments != NULL)
        ha_undeployment_free(ha->undeployments);
    while (ha->comparisons != NULL)
        ha_comparison_free(ha->comparisons);
    while (ha->labellings != NULL)
        ha_labelling_free(ha->labellings);
    ha_read_automations_cancel(ha);
    while (ha->explanations != NULL)
        ha_explanation_free(ha->explanations);
    ha_watch_free(ha->watch);
    ha_runs_free(ha->runs);
    session_free(ha->session);
    http_cancel(ha->probe);
    http_cancel(ha->admin_check);
    loop_remove_timer(ha->loop, ha->probe_timer);
    json_object_put(ha->config);
    free(ha->url);
    free(ha->token);
    free(ha);
}

bool ha_is_reachable(const struct ha *ha)
{
    return ha->is_reachable;
}

const char *ha_problem(const struct ha *ha)
{
    return ha->problem[0] != '\0' ? ha->problem : ha->admin_problem;
}

bool ha_is_running(const struct ha *ha)
{
    return ha->is_reachable && has_started(ha);
}

int64_t ha_latency_ms(const struct ha *ha)
{
    return ha->is_reachable ? ha->latency_ms : -1;
}

int ha_last_status(const struct ha *ha)
{
    return ha->last_status;
}

bool ha_is_admin_known(const struct ha *ha)
{
    return ha->is_admin_known;
}

bool ha_is_admin(const struct ha *ha)
{
    return ha->is_admin;
}

json_object *ha_config(const struct ha *ha)
{
    return ha->config;
}

int64_t ha_clock_offset_ms(const struct ha *ha)
{
    if (!ha->has_offset || (ha->offset_low_ms <= 0 && ha->offset_high_ms >= 0))
        return 0;
    return (ha->offset_low_ms + ha->offset_high_ms) / 2;
}

bool ha_websocket_is_open(const struct ha *ha)
{
    return session_is_open(ha->session);
}

const char *ha_websocket_problem(const struct ha *ha)
{
    return session_problem(ha->session);
}
