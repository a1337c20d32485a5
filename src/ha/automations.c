/* Reading all automations of the home: HA's list of them, then each one's configuration. REST would
 * see only automations.yaml, not packages or split files, and read that file for each anew. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "ha/private.h"

enum { AHEAD = 8 }; /* so many are asked for at once */

struct item {
    struct ha_reading *reading;
    bool is_asked;
    char entity[HA_ENTITY_MAX];
    bool enabled;
    json_object *config; /* with use_blueprint, while its substitution is asked for */
};

struct ha_reading {
    struct ha *ha;
    struct http_transfer *transfer;
    int timer;
    json_object *list; /* {"all": [object ids], "off": [...]} */
    json_object *off;  /* a set */
    size_t next, under_way, left_out;
    struct item items[AHEAD];
    ha_automation_fn on_automation;
    ha_automations_done_fn on_done;
    void *ctx;
    char error[SESSION_PROBLEM_SIZE];
};

static void ask_next(struct ha_reading *r);

static void free_reading(struct ha_reading *r)
{
    http_cancel(r->transfer);
    loop_remove_timer(r->ha->loop, r->timer);
    for (size_t i = 0; i < AHEAD; i++) {
        session_forget(r->ha->session, &r->items[i]);
        json_object_put(r->items[i].config);
    }
    json_object_put(r->list);
    json_object_put(r->off);
    r->ha->reading = NULL;
    free(r);
}

static void finish(struct ha_reading *r)
{
    ha_automations_done_fn on_done = r->on_done;
    void *ctx = r->ctx;
    size_t left_out = r->left_out;
    char error[sizeof(r->error)];
    memcpy(error, r->error, sizeof(error));
    free_reading(r);
    on_done(error[0] != '\0' ? error : NULL, left_out, ctx);
}

static int64_t finish_later(void *ctx)
{
    struct ha_reading *r = ctx;
    r->timer = 0;
    finish(r);
    return LOOP_TIMER_STOP;
}

/* --- one of them --- */

static void tell(struct item *item, json_object *config)
{
    json_object *automation = json_object_new_object();
    json_add_string(automation, "entity_id", item->entity);
    json_add_bool(automation, "enabled", item->enabled);
    json_object_object_add(automation, "config", json_object_get(config));
    item->reading->on_automation(automation, item->reading->ctx);
    json_object_put(automation);
}

static void end_item(struct item *item)
{
    struct ha_reading *r = item->reading;
    json_object_put(item->config);
    item->config = NULL;
    item->is_asked = false;
    r->under_way--;
    if (!session_is_open(r->ha->session) && r->error[0] == '\0')
        snprintf(r->error, sizeof(r->error), "HA's WebSocket closed meanwhile");
    if (r->error[0] != '\0' && r->timer == 0)
        r->timer = loop_add_timer(r->ha->loop, 0, finish_later, r);
    if (r->error[0] == '\0')
        ask_next(r);
}

/* The blueprint's own fields, and what the automation says beside it (id, alias, ...). */
static void on_substituted(json_object *result, const char *error, void *ctx)
{
    struct item *item = ctx;
    json_object *whole = json_get_object(result, "substituted_config");
    if (whole == NULL) {
        log_debug("ha", "the blueprint of %s: %s", item->entity, error ? error : "no answer");
        item->reading->left_out++;
    } else {
        json_object_object_foreach(item->config, key, value)
        {
            if (strcmp(key, "use_blueprint") != 0)
                json_object_object_add(whole, key, json_object_get(value));
        }
        json_object_object_del(whole, "blueprint");
        tell(item, whole);
    }
    end_item(item);
}

static void on_config(json_object *result, const char *error, void *ctx)
{
    struct item *item = ctx;
    json_object *config = json_get_object(result, "config");
    json_object *blueprint = json_get_object(config, "use_blueprint");
    const char *path = json_get_string(blueprint, "path");
    if (config == NULL) {
        log_debug("ha", "%s cannot be read: %s", item->entity, error ? error : "no configuration");
        item->reading->left_out++;
        end_item(item);
    } else if (path == NULL) {
        tell(item, config);
        end_item(item);
    } else {
        json_object *input = json_get_object(blueprint, "input");
        json_object *command = session_command("blueprint/substitute");
        json_add_string(command, "domain", "automation");
        json_add_string(command, "path", path);
        json_object_object_add(command, "input",
                               input ? json_object_get(input) : json_object_new_object());
        item->config = json_object_get(config);
        session_call(item->reading->ha->session, command, on_substituted, item);
    }
}

static void ask(struct item *item, const char *object_id)
{
    struct ha_reading *r = item->reading;
    snprintf(item->entity, sizeof(item->entity), "automation.%s", object_id);
    item->enabled = !json_object_object_get_ex(r->off, object_id, NULL);
    item->is_asked = true;
    r->under_way++;
    json_object *command = session_command("automation/config");
    json_add_string(command, "entity_id", item->entity);
    session_call(r->ha->session, command, on_config, item);
}

static void ask_next(struct ha_reading *r)
{
    json_object *all = json_get_array(r->list, "all");
    size_t count = json_object_array_length(all);
    for (size_t i = 0; i < AHEAD; i++) {
        while (!r->items[i].is_asked && r->next < count) {
            json_object *id = json_object_array_get_idx(all, r->next++);
            if (json_object_is_type(id, json_type_string))
                ask(&r->items[i], json_object_get_string(id));
        }
    }
    if (r->under_way == 0 && r->timer == 0)
        r->timer = loop_add_timer(r->ha->loop, 0, finish_later, r);
}

/* --- the list --- */

static void on_listed(const struct http_response *response, void *ctx)
{
    struct ha_reading *r = ctx;
    r->transfer = NULL;
    if (response->status == 200)
        r->list = json_parse(response->body, response->body_len, NULL);
    json_object *all = json_get_array(r->list, "all"), *off = json_get_array(r->list, "off");
    if (all == NULL || off == NULL) {
        if (response->status == 200)
            snprintf(r->error, sizeof(r->error), "HA does not list its automations");
        else
            ha_describe_answer(response, r->error, sizeof(r->error));
        finish(r);
        return;
    }
    r->off = json_object_new_object();
    for (size_t i = 0; i < json_object_array_length(off); i++) {
        const char *id = json_object_get_string(json_object_array_get_idx(off, i));
        if (id != NULL)
            json_object_object_add(r->off, id, NULL);
    }
    size_t count = json_object_array_length(all);
    if (count > HA_AUTOMATIONS_MAX) {
        log_warn("ha", "of %zu automations only %d are read", count, HA_AUTOMATIONS_MAX);
        r->left_out = count - HA_AUTOMATIONS_MAX;
        json_object_array_del_idx(all, HA_AUTOMATIONS_MAX, r->left_out);
    }
    ask_next(r);
}

int ha_read_automations(struct ha *ha, ha_automation_fn on_automation,
                        ha_automations_done_fn on_done, void *ctx, struct error *err)
{
    /* Object ids alone: HA ends a template's text at 256 kB. */
    static const char body[] =
        "{\"template\":\"{{ {'all': states.automation | map(attribute='object_id') | list, "
        "'off': states.automation | rejectattr('state', 'eq', 'on') | map(attribute='object_id') "
        "| list} | to_json }}\"}";
    if (ha->reading != NULL)
        return error_set(err, ERROR_BUSY, "HA's automations are being read already");
    if (!session_is_open(ha->session))
        return error_set(err, ERROR_IO, "HA's WebSocket is not open: %.300s",
                         session_problem(ha->session));
    struct ha_reading *r = xcalloc(1, sizeof(*r));
    r->ha = ha;
    r->on_automation = on_automation;
    r->on_done = on_done;
    r->ctx = ctx;
    for (size_t i = 0; i < AHEAD; i++)
        r->items[i].reading = r;
    ha->reading = r;
    r->transfer = ha_request(ha, "POST", "/api/template", body, on_listed, r);
    return 0;
}

void ha_read_automations_cancel(struct ha *ha)
{
    if (ha->reading != NULL)
        free_reading(ha->reading);
}
