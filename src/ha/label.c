/* The label "ha-ai" on an automation, so that HA's lists can be filtered by it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "ha/private.h"

static const char LABEL[] = "ha-ai";

struct ha_labelling {
    struct ha_labelling *next;
    struct ha *ha;
    char *id;
    char entity[HA_ENTITY_MAX];
    char label_id[64]; /* HA's own id of the label, "" = not known yet */
    struct http_transfer *transfer;
    ha_label_fn on_done;
    void *ctx;
};

void ha_labelling_free(struct ha_labelling *l)
{
    http_cancel(l->transfer);
    session_forget(l->ha->session, l);
    for (struct ha_labelling **at = &l->ha->labellings; *at != NULL; at = &(*at)->next)
        if (*at == l) {
            *at = l->next;
            break;
        }
    free(l->id);
    free(l);
}

static void finish(struct ha_labelling *l, const char *error)
{
    ha_label_fn on_done = l->on_done;
    void *ctx = l->ctx;
    ha_labelling_free(l);
    on_done(error, ctx);
}

static void on_updated(json_object *result, const char *error, void *ctx)
{
    (void)result;
    finish(ctx, error);
}

/* The update replaces all labels: those that are there stay. */
static void on_entry(json_object *result, const char *error, void *ctx)
{
    struct ha_labelling *l = ctx;
    json_object *labels = json_get_array(result, "labels");
    if (labels == NULL) {
        finish(l, error != NULL ? error : "HA's entry of the automation has no labels");
        return;
    }
    json_object *all = json_object_new_array();
    bool is_there = false;
    for (size_t i = 0; i < json_object_array_length(labels); i++) {
        json_object *label = json_object_array_get_idx(labels, i);
        const char *id = json_object_get_string(label);
        is_there = is_there || (id != NULL && strcmp(id, l->label_id) == 0);
        json_object_array_add(all, json_object_get(label));
    }
    if (is_there) {
        json_object_put(all);
        finish(l, NULL);
        return;
    }
    json_object_array_add(all, json_object_new_string(l->label_id));
    json_object *command = session_command("config/entity_registry/update");
    json_add_string(command, "entity_id", l->entity);
    json_object_object_add(command, "labels", all);
    session_call(l->ha->session, command, on_updated, l);
}

static void take_label(struct ha_labelling *l, json_object *label)
{
    const char *id = json_get_string(label, "label_id");
    if (id == NULL || strlen(id) >= sizeof(l->label_id)) {
        finish(l, "HA's label has no id");
        return;
    }
    snprintf(l->label_id, sizeof(l->label_id), "%s", id);
    json_object *command = session_command("config/entity_registry/get");
    json_add_string(command, "entity_id", l->entity);
    session_call(l->ha->session, command, on_entry, l);
}

static void on_created(json_object *result, const char *error, void *ctx)
{
    if (error != NULL)
        finish(ctx, error);
    else
        take_label(ctx, result);
}

static void on_labels(json_object *result, const char *error, void *ctx)
{
    struct ha_labelling *l = ctx;
    if (!json_object_is_type(result, json_type_array)) {
        finish(l, error != NULL ? error : "HA does not list its labels");
        return;
    }
    for (size_t i = 0; i < json_object_array_length(result); i++) {
        json_object *label = json_object_array_get_idx(result, i);
        const char *name = json_get_string(label, "name");
        if (name != NULL && strcmp(name, LABEL) == 0) {
            take_label(l, label);
            return;
        }
    }
    json_object *command = session_command("config/label_registry/create");
    json_add_string(command, "name", LABEL);
    json_add_string(command, "icon", "mdi:lightbulb-auto-outline");
    json_add_string(command, "description", "Automations that HA AI suggested and you approved");
    session_call(l->ha->session, command, on_created, l);
}

static void on_listed(const struct http_response *response, void *ctx)
{
    struct ha_labelling *l = ctx;
    char text[512];
    l->transfer = NULL;
    json_object *list = ha_parse_automations(response, text, sizeof(text));
    if (list == NULL) {
        finish(l, text);
        return;
    }
    ha_find_entity(list, l->id, l->entity);
    json_object_put(list);
    if (l->entity[0] == '\0')
        finish(l, "HA has no such automation now");
    else
        session_call(l->ha->session, session_command("config/label_registry/list"), on_labels, l);
}

void ha_label(struct ha *ha, const char *automation_id, ha_label_fn on_done, void *ctx)
{
    struct ha_labelling *l = xcalloc(1, sizeof(*l));
    *l = (struct ha_labelling){.next = ha->labellings,
                               .ha = ha,
                               .id = xstrdup(automation_id),
                               .on_done = on_done,
                               .ctx = ctx};
    ha->labellings = l;
    l->transfer = ha_request_automations(ha, on_listed, l);
}
