/* Taking an automation back: only what we wrote, and only while nobody has changed it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "ha/private.h"

struct ha_undeployment {
    struct ha_undeployment *next;
    struct ha *ha;
    char *id, *path;
    json_object *written, *earlier;
    ha_undeploy_fn on_done;
    void *ctx;
    struct http_transfer *transfer;
    int timer;
    bool is_sent; /* DELETE or POST; what is read back afterwards decides */
    bool is_theirs, is_transient;
    char error[768];
};

void ha_undeployment_free(struct ha_undeployment *u)
{
    http_cancel(u->transfer);
    loop_remove_timer(u->ha->loop, u->timer);
    for (struct ha_undeployment **at = &u->ha->undeployments; *at != NULL; at = &(*at)->next)
        if (*at == u) {
            *at = u->next;
            break;
        }
    json_object_put(u->written);
    json_object_put(u->earlier);
    free(u->id);
    free(u->path);
    free(u);
}

static void finish(struct ha_undeployment *u)
{
    ha_undeploy_fn on_done = u->on_done;
    void *ctx = u->ctx;
    char text[sizeof(u->error)];
    memcpy(text, u->error, sizeof(text));
    struct ha_undeployed result = {.error = text[0] != '\0' ? text : NULL,
                                   .is_theirs = u->is_theirs,
                                   .is_transient = u->is_transient};
    ha_undeployment_free(u);
    on_done(&result, ctx);
}

static int64_t finish_later(void *ctx)
{
    struct ha_undeployment *u = ctx;
    u->timer = 0;
    finish(u);
    return LOOP_TIMER_STOP;
}

static void fail(struct ha_undeployment *u, const struct http_response *response)
{
    u->is_transient = response->status == 0;
    ha_describe_refusal(response, u->error, sizeof(u->error));
    finish(u);
}

static void on_sent(const struct http_response *response, void *ctx);

/* It is not in automations.yaml: deleted is taken back, too; it is not ours to bring anything back.
 */
static void on_listed(const struct http_response *response, void *ctx)
{
    struct ha_undeployment *u = ctx;
    char entity[HA_ENTITY_MAX];
    u->transfer = NULL;
    json_object *list = ha_parse_automations(response, u->error, sizeof(u->error));
    u->is_transient = list == NULL && response->status == 0;
    if (list != NULL) {
        ha_find_entity(list, u->id, entity);
        u->is_theirs = entity[0] != '\0';
        if (u->is_theirs)
            snprintf(u->error, sizeof(u->error),
                     "somebody has moved it to another file in HA: it is left alone");
    }
    json_object_put(list);
    finish(u);
}

static void on_looked(const struct http_response *response, void *ctx)
{
    struct ha_undeployment *u = ctx;
    char field[HA_FIELD_SIZE] = "";
    u->transfer = NULL;
    json_object *got = NULL;
    if (response->status == 200)
        got = json_parse(response->body, response->body_len, NULL);
    bool is_gone = ha_says_not_found(response);
    bool is_back = got != NULL && u->earlier != NULL &&
                   ha_is_same_automation(u->earlier, got, field, sizeof(field));
    bool is_ours = got != NULL && ha_is_same_automation(u->written, got, field, sizeof(field));
    json_object_put(got);
    if (is_gone && !u->is_sent) { /* a person deleted it, or moved it to another file */
        u->transfer = ha_request_automations(u->ha, on_listed, u);
    } else if (is_back || is_gone) {
        finish(u);
    } else if (is_ours && u->is_sent) {
        snprintf(u->error, sizeof(u->error), "HA still has the automation that was taken back");
        finish(u);
    } else if (is_ours) {
        u->is_sent = true;
        u->transfer = u->earlier != NULL
                          ? ha_request(u->ha, "POST", u->path, json_text(u->earlier), on_sent, u)
                          : ha_request(u->ha, "DELETE", u->path, NULL, on_sent, u);
    } else if (got != NULL) {
        u->is_theirs = true;
        snprintf(u->error, sizeof(u->error), "somebody has changed it in HA (%s): it is left alone",
                 field);
        finish(u);
    } else {
        fail(u, response);
    }
}

static void on_sent(const struct http_response *response, void *ctx)
{
    struct ha_undeployment *u = ctx;
    u->transfer = NULL;
    /* 0: it may have arrived; 400 of a DELETE: it is gone already. */
    bool may_be_done = response->status == 200 || response->status == 0 ||
                       (response->status == 400 && u->earlier == NULL);
    if (may_be_done)
        u->transfer = ha_request(u->ha, "GET", u->path, NULL, on_looked, u);
    else
        fail(u, response);
}

void ha_undeploy(struct ha *ha, const char *automation_id, json_object *written,
                 json_object *earlier, ha_undeploy_fn on_done, void *ctx)
{
    size_t under_way = 0;
    for (struct ha_undeployment *other = ha->undeployments; other != NULL; other = other->next)
        under_way++;
    struct ha_undeployment *u = xcalloc(1, sizeof(*u));
    *u = (struct ha_undeployment){.next = ha->undeployments,
                                  .ha = ha,
                                  .id = xstrdup(automation_id),
                                  .path = ha_config_path(automation_id),
                                  .written = json_object_get(written),
                                  .earlier = json_object_get(earlier),
                                  .on_done = on_done,
                                  .ctx = ctx};
    ha->undeployments = u;
    if (under_way >= HA_DEPLOYS_MAX)
        snprintf(u->error, sizeof(u->error), "%d automations are being taken back already",
                 HA_DEPLOYS_MAX);
    else if (!ha_is_automation_id(automation_id))
        snprintf(u->error, sizeof(u->error), "'%.100s' is no automation id", automation_id);
    if (u->error[0] != '\0')
        u->timer = loop_add_timer(ha->loop, 0, finish_later, u);
    else
        u->transfer = ha_request(ha, "GET", u->path, NULL, on_looked, u);
}
