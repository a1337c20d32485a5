/* Whether an automation is still what we wrote. The WebSocket answers from HA's memory; by REST HA
 * reads all of automations.yaml, so only what is missing or differs is asked for there as well. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "ha/private.h"

struct ha_comparison {
    struct ha_comparison *next;
    struct ha *ha;
    char *id;
    json_object *written;
    ha_compare_fn on_compared;
    void *ctx;
    struct http_transfer *transfer;
    bool has_entity;
};

void ha_comparison_free(struct ha_comparison *c)
{
    http_cancel(c->transfer);
    session_forget(c->ha->session, c);
    for (struct ha_comparison **at = &c->ha->comparisons; *at != NULL; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            break;
        }
    json_object_put(c->written);
    free(c->id);
    free(c);
}

static void finish(struct ha_comparison *c, enum ha_verdict verdict, const char *field)
{
    ha_compare_fn on_compared = c->on_compared;
    void *ctx = c->ctx;
    ha_comparison_free(c);
    on_compared(verdict, field, ctx);
}

static void on_read(const struct http_response *response, void *ctx)
{
    struct ha_comparison *c = ctx;
    char field[HA_FIELD_SIZE] = "";
    c->transfer = NULL;
    json_object *got = NULL;
    if (response->status == 200)
        got = json_parse(response->body, response->body_len, NULL);
    bool is_same = got != NULL && ha_is_same_automation(c->written, got, field, sizeof(field));
    json_object_put(got);
    if (is_same)
        finish(c, HA_SAME, "");
    else if (got != NULL)
        finish(c, HA_DIFFERS, field);
    else if (!ha_says_not_found(response))
        finish(c, HA_UNKNOWN, "");
    else if (c->has_entity)
        finish(c, HA_DIFFERS, "it is in another file");
    else
        finish(c, HA_MISSING, "");
}

static void read_file(struct ha_comparison *c)
{
    char *path = ha_config_path(c->id);
    c->transfer = ha_request(c->ha, "GET", path, NULL, on_read, c);
    free(path);
}

static void on_config(json_object *result, const char *error, void *ctx)
{
    struct ha_comparison *c = ctx;
    json_object *config = json_get_object(result, "config");
    (void)error;
    if (config != NULL && ha_is_same_automation(c->written, config, NULL, 0))
        finish(c, HA_SAME, "");
    else
        read_file(c);
}

static void on_listed(const struct http_response *response, void *ctx)
{
    struct ha_comparison *c = ctx;
    char text[512], entity[HA_ENTITY_MAX] = "";
    c->transfer = NULL;
    json_object *list = ha_parse_automations(response, text, sizeof(text));
    if (list == NULL) {
        finish(c, HA_UNKNOWN, "");
        return;
    }
    ha_find_entity(list, c->id, entity);
    json_object_put(list);
    c->has_entity = entity[0] != '\0';
    if (!c->has_entity || !session_is_open(c->ha->session)) {
        read_file(c);
        return;
    }
    json_object *command = session_command("automation/config");
    json_add_string(command, "entity_id", entity);
    session_call(c->ha->session, command, on_config, c);
}

void ha_compare(struct ha *ha, const char *automation_id, json_object *written,
                ha_compare_fn on_compared, void *ctx)
{
    struct ha_comparison *c = xcalloc(1, sizeof(*c));
    *c = (struct ha_comparison){.next = ha->comparisons,
                                .ha = ha,
                                .id = xstrdup(automation_id),
                                .written = json_object_get(written),
                                .on_compared = on_compared,
                                .ctx = ctx};
    ha->comparisons = c;
    c->transfer = ha_request_automations(ha, on_listed, c);
}
