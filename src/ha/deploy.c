/* Deploying one automation: what it names must exist, nobody else's may stand under its id, HA must
 * save it, have it and run it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/xalloc.h"
#include "ha/private.h"

enum {
    NAMES_MAX = 64, /* entities, and services, of one automation */
    SEEN_WITHIN_MS = 10 * 1000,
    POLL_MS = 500,
};

struct names {
    const char *name[NAMES_MAX]; /* borrowed from the automation */
    size_t count;
};

struct ha_deployment {
    struct ha_deployment *next;
    struct ha *ha;
    char *path; /* /api/config/automation/config/<id> */
    char *id;
    json_object *automation;
    json_object *before; /* what we wrote under this id last, NULL = nothing */
    json_object *got;    /* as HA reads it back */
    ha_deploy_fn on_done;
    void *ctx;
    struct http_transfer *transfer;
    int timer;
    struct names entities, services;
    size_t next_entity;
    bool is_saved, is_theirs;
    int64_t deadline_ms;
    char post_error[512]; /* the save was not acknowledged */
    char entity[HA_ENTITY_MAX];
    char last_state[64]; /* of the automation's entity, "" = not seen */
    char error[768];
};

void ha_deployment_free(struct ha_deployment *d)
{
    if (d == NULL)
        return;
    http_cancel(d->transfer);
    loop_remove_timer(d->ha->loop, d->timer);
    for (struct ha_deployment **at = &d->ha->deployments; *at != NULL; at = &(*at)->next)
        if (*at == d) {
            *at = d->next;
            break;
        }
    json_object_put(d->automation);
    json_object_put(d->before);
    json_object_put(d->got);
    free(d->path);
    free(d->id);
    free(d);
}

static void finish(struct ha_deployment *d, const char *error)
{
    ha_deploy_fn on_done = d->on_done;
    void *ctx = d->ctx;
    char text[sizeof(d->error)], entity[sizeof(d->entity)];
    snprintf(text, sizeof(text), "%s", error != NULL ? error : "");
    snprintf(entity, sizeof(entity), "%s", d->entity);
    struct ha_deployed result = {.error = error != NULL ? text : NULL,
                                 .is_theirs = d->is_theirs,
                                 .saved = d->is_saved ? json_object_get(d->got) : NULL,
                                 .entity_id = entity};
    ha_deployment_free(d); /* first, so that the call-back may deploy again */
    on_done(&result, ctx);
    json_object_put(result.saved);
}

static int64_t fail_later(void *ctx)
{
    struct ha_deployment *d = ctx;
    d->timer = 0;
    finish(d, d->error);
    return LOOP_TIMER_STOP;
}

/* --- what it names --- */

/* "domain.name" of HA's alphabet: it becomes part of a URL. */
bool ha_is_dotted_name(const char *name)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    size_t domain = strspn(name, alphabet);
    if (domain == 0 || name[domain] != '.' || strlen(name) >= HA_ENTITY_MAX)
        return false;
    const char *rest = name + domain + 1;
    return *rest != '\0' && rest[strspn(rest, alphabet)] == '\0';
}

static int add_name(struct names *names, const char *name, const char *what, char *error,
                    size_t size)
{
    if (name == NULL || !ha_is_dotted_name(name)) {
        snprintf(error, size, "'%.100s' is no %s (expected domain.name)",
                 name != NULL ? name : "null", what);
        return -1;
    }
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->name[i], name) == 0)
            return 0;
    if (names->count == NAMES_MAX) {
        snprintf(error, size, "the automation names more than %d of them: %s", NAMES_MAX, what);
        return -1;
    }
    names->name[names->count++] = name;
    return 0;
}

static int collect(struct ha_deployment *d, json_object *value);

static int collect_field(struct ha_deployment *d, const char *key, json_object *value)
{
    bool is_string = json_object_is_type(value, json_type_string);
    if (strcmp(key, "entity_id") == 0) {
        if (!json_object_is_type(value, json_type_array))
            return add_name(&d->entities, json_object_get_string(value), "entity id", d->error,
                            sizeof(d->error));
        for (size_t i = 0; i < json_object_array_length(value); i++)
            if (add_name(&d->entities, json_object_get_string(json_object_array_get_idx(value, i)),
                         "entity id", d->error, sizeof(d->error)) != 0)
                return -1;
        return 0;
    }
    if (is_string && (strcmp(key, "action") == 0 || strcmp(key, "service") == 0))
        return add_name(&d->services, json_object_get_string(value), "action", d->error,
                        sizeof(d->error));
    return collect(d, value);
}

static int collect(struct ha_deployment *d, json_object *value)
{
    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            if (collect(d, json_object_array_get_idx(value, i)) != 0)
                return -1;
    } else if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, field)
        {
            if (collect_field(d, key, field) != 0)
                return -1;
        }
    }
    return 0;
}

/* --- the steps, last first --- */

static int64_t poll_now(void *ctx);

static void finish_unseen(struct ha_deployment *d)
{
    static const char saved[] = "HA saved it but does not run it";
    if (strcmp(d->last_state, "off") == 0)
        snprintf(d->error, sizeof(d->error), "%s: the automation is switched off in HA", saved);
    else if (d->last_state[0] == '\0')
        snprintf(
            d->error, sizeof(d->error),
            "%s: no automation with this id appeared within %d s (does configuration.yaml have "
            "`automation: !include automations.yaml`, and is the entity not disabled?)",
            saved, SEEN_WITHIN_MS / 1000);
    else
        snprintf(d->error, sizeof(d->error),
                 "%s: its entity is %s (HA's log and Settings > System > Repairs tell why)", saved,
                 d->last_state);
    finish(d, d->error);
}

static void on_polled(const struct http_response *response, void *ctx)
{
    struct ha_deployment *d = ctx;
    char text[512];
    d->transfer = NULL;
    json_object *list = ha_parse_automations(response, text, sizeof(text));
    if (list != NULL)
        d->last_state[0] = '\0';
    for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
        json_object *row = json_object_array_get_idx(list, i);
        if (!json_object_is_type(row, json_type_array))
            continue;
        const char *id = json_object_get_string(json_object_array_get_idx(row, 1));
        const char *state = json_object_get_string(json_object_array_get_idx(row, 2));
        const char *entity = json_object_get_string(json_object_array_get_idx(row, 0));
        if (id == NULL || state == NULL || entity == NULL || strcmp(id, d->id) != 0)
            continue;
        snprintf(d->last_state, sizeof(d->last_state), "%s", state);
        snprintf(d->entity, sizeof(d->entity), "%s", entity);
    }
    json_object_put(list);
    if (strcmp(d->last_state, "on") == 0)
        finish(d, NULL);
    else if (clock_monotonic_ms() < d->deadline_ms)
        d->timer = loop_add_timer(d->ha->loop, POLL_MS, poll_now, d);
    else
        finish_unseen(d);
}

static int64_t poll_now(void *ctx)
{
    struct ha_deployment *d = ctx;
    d->timer = 0;
    d->transfer = ha_request_automations(d->ha, on_polled, d);
    return LOOP_TIMER_STOP;
}

/* HA has it: now its entity must appear. Steals the reference of got. */
static void look_for_entity(struct ha_deployment *d, json_object *got)
{
    json_object_put(d->got);
    d->got = got;
    d->is_saved = true;
    d->deadline_ms = clock_monotonic_ms() + SEEN_WITHIN_MS;
    poll_now(d); /* answers later */
}

static void on_read_back(const struct http_response *response, void *ctx)
{
    struct ha_deployment *d = ctx;
    char text[512], field[HA_FIELD_SIZE] = "";
    d->transfer = NULL;
    json_object *got = NULL;
    if (response->status == 200)
        got = json_parse(response->body, response->body_len, NULL);
    if (got != NULL && ha_is_same_automation(d->automation, got, field, sizeof(field))) {
        look_for_entity(d, got);
        return;
    }
    if (d->post_error[0] != '\0') {
        snprintf(d->error, sizeof(d->error), "%s", d->post_error);
        d->is_saved = response->status == 0; /* for all that we know */
        d->got = d->is_saved ? json_object_get(d->automation) : NULL;
    } else if (response->status == 404) {
        snprintf(d->error, sizeof(d->error), "HA said that it saved the automation, but has none");
    } else if (got != NULL) {
        d->is_saved = true;
        d->got = json_object_get(got);
        snprintf(d->error, sizeof(d->error),
                 "HA saved another automation than it was given: %.100s differs", field);
    } else {
        d->is_saved = true;
        d->got = json_object_get(d->automation);
        ha_describe_answer(response, text, sizeof(text));
        snprintf(d->error, sizeof(d->error), "HA saved it, but it cannot be read back: %s", text);
    }
    json_object_put(got);
    finish(d, d->error);
}

void ha_describe_refusal(const struct http_response *response, char *out, size_t size)
{
    char text[512];
    if (response->status == 401)
        snprintf(out, size,
                 "HA does not let this token save automations (401): HA_TOKEN must be an admin's");
    else if (response->status == 404)
        snprintf(
            out, size,
            "HA has no automation editor (404): configuration.yaml needs `automation: !include "
            "automations.yaml` and `config:` (or `default_config:`)");
    else if (response->status == 500)
        snprintf(
            out, size,
            "HA failed to save it (500): it cannot edit an automations.yaml that is broken or uses "
            "!secret; HA's log says which");
    else {
        ha_describe_answer(response, text, sizeof(text));
        snprintf(out, size, "%s%s",
                 response->status == 0 ? "" : "HA refuses the automation: ", text);
    }
}

static void on_posted(const struct http_response *response, void *ctx)
{
    struct ha_deployment *d = ctx;
    d->transfer = NULL;
    if (response->status == 0) /* it may have arrived all the same */
        ha_describe_answer(response, d->post_error, sizeof(d->post_error));
    else if (response->status != 200)
        ha_describe_refusal(response, d->error, sizeof(d->error));
    if (d->error[0] != '\0')
        finish(d, d->error);
    else
        d->transfer = ha_request(d->ha, "GET", d->path, NULL, on_read_back, d);
}

bool ha_says_not_found(const struct http_response *response)
{
    json_object *body =
        response->status == 404 ? json_parse(response->body, response->body_len, NULL) : NULL;
    bool is_view = body != NULL; /* the view's own 404; one without JSON is the web server's */
    json_object_put(body);
    return is_view;
}

/* What stands under our id before we write: nothing, what we wrote last, or what we are about to
 * write (the answer was lost). Anything else is a person's. */
static void on_looked(const struct http_response *response, void *ctx)
{
    struct ha_deployment *d = ctx;
    d->transfer = NULL;
    json_object *got = NULL;
    if (response->status == 200)
        got = json_parse(response->body, response->body_len, NULL);
    if (got != NULL && ha_is_same_automation(d->automation, got, NULL, 0)) {
        look_for_entity(d, got);
        return;
    }
    bool is_ours =
        got != NULL && d->before != NULL && ha_is_same_automation(d->before, got, NULL, 0);
    json_object_put(got);
    if (is_ours || ha_says_not_found(response)) {
        d->transfer = ha_request(d->ha, "POST", d->path, json_text(d->automation), on_posted, d);
        return;
    }
    d->is_theirs = got != NULL;
    if (d->is_theirs)
        snprintf(d->error, sizeof(d->error),
                 "HA already has an automation with the id %s that %s: it is left alone", d->id,
                 d->before != NULL ? "somebody has changed" : "we did not write");
    else
        ha_describe_refusal(response, d->error, sizeof(d->error));
    finish(d, d->error);
}

static bool has_service(json_object *list, const char *service)
{
    size_t domain_len = strcspn(service, ".");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        json_object *entry = json_object_array_get_idx(list, i);
        const char *domain = json_get_string(entry, "domain");
        if (domain != NULL && strlen(domain) == domain_len &&
            memcmp(domain, service, domain_len) == 0)
            return json_object_object_get_ex(json_get_object(entry, "services"),
                                             service + domain_len + 1, NULL);
    }
    return false;
}

static void on_services(const struct http_response *response, void *ctx)
{
    struct ha_deployment *d = ctx;
    d->transfer = NULL;
    json_object *list = NULL;
    if (response->status == 200)
        list = json_parse(response->body, response->body_len, NULL);
    if (!json_object_is_type(list, json_type_array)) {
        json_object_put(list);
        ha_describe_answer(response, d->error, sizeof(d->error));
        finish(d, d->error);
        return;
    }
    for (size_t i = 0; i < d->services.count && d->error[0] == '\0'; i++)
        if (!has_service(list, d->services.name[i]))
            snprintf(d->error, sizeof(d->error), "HA has no action %s%s", d->services.name[i],
                     strcmp(d->services.name[i], "mqtt.publish") == 0
                         ? " (is the MQTT integration set up?)"
                         : "");
    json_object_put(list);
    if (d->error[0] != '\0')
        finish(d, d->error);
    else
        d->transfer = ha_request(d->ha, "GET", d->path, NULL, on_looked, d);
}

static void check_next_entity(struct ha_deployment *d);

static void on_entity(const struct http_response *response, void *ctx)
{
    struct ha_deployment *d = ctx;
    d->transfer = NULL;
    if (response->status == 200) {
        d->next_entity++;
        check_next_entity(d);
        return;
    }
    if (response->status == 404)
        snprintf(d->error, sizeof(d->error), "HA has no entity %s",
                 d->entities.name[d->next_entity]);
    else
        ha_describe_answer(response, d->error, sizeof(d->error));
    finish(d, d->error);
}

static void check_next_entity(struct ha_deployment *d)
{
    if (d->next_entity == d->entities.count) {
        d->transfer = ha_request(d->ha, "GET", "/api/services", NULL, on_services, d);
        return;
    }
    char *path = xasprintf("/api/states/%s", d->entities.name[d->next_entity]);
    d->transfer = ha_request(d->ha, "GET", path, NULL, on_entity, d);
    free(path);
}

/* Becomes part of a URL: printable, no blanks. */
bool ha_is_automation_id(const char *id)
{
    for (const char *p = id; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    return id[0] != '\0' && strlen(id) < HA_ID_MAX;
}

char *ha_config_path(const char *id)
{
    char *escaped = curl_easy_escape(NULL, id, 0);
    if (escaped == NULL)
        abort();
    char *path = xasprintf("/api/config/automation/config/%s", escaped);
    curl_free(escaped);
    return path;
}

void ha_deploy(struct ha *ha, const char *automation_id, json_object *automation,
               json_object *before, ha_deploy_fn on_done, void *ctx)
{
    size_t under_way = 0;
    for (struct ha_deployment *other = ha->deployments; other != NULL; other = other->next)
        under_way++;
    struct ha_deployment *d = xcalloc(1, sizeof(*d));
    *d = (struct ha_deployment){.next = ha->deployments,
                                .ha = ha,
                                .id = xstrdup(automation_id),
                                .path = ha_config_path(automation_id),
                                .automation = json_object_get(automation),
                                .before = json_object_get(before),
                                .on_done = on_done,
                                .ctx = ctx};
    ha->deployments = d;
    if (under_way >= HA_DEPLOYS_MAX)
        snprintf(d->error, sizeof(d->error), "%d automations are being deployed already",
                 HA_DEPLOYS_MAX);
    else if (!ha_is_automation_id(automation_id))
        snprintf(d->error, sizeof(d->error), "'%.100s' is no automation id", automation_id);
    else if (!json_object_is_type(automation, json_type_object))
        snprintf(d->error, sizeof(d->error), "the automation is no object");
    else
        collect(d, automation);
    if (d->error[0] != '\0')
        d->timer = loop_add_timer(ha->loop, 0, fail_later, d);
    else
        check_next_entity(d);
}
