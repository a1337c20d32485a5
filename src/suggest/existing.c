#include "suggest/existing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/text.h"
#include "core/xalloc.h"
#include "core/yaml.h"

enum { NAME_SHOWN = 80 };

/* ---- the list ------------------------------------------------------------------------------- */

void existing_init(struct existing_list *list)
{
    *list = (struct existing_list){.list = NULL};
}

static void release_one(struct existing *e)
{
    for (size_t i = 0; i < e->act_count; i++)
        free(e->acts[i].entity_id);
    for (size_t i = 0; i < e->branch_count; i++) {
        json_object_put(e->branches[i].conditions);
        if (i > 0)
            automation_free(e->branches[i].automation);
    }
    for (size_t i = 0; i < e->trigger_count; i++) {
        free(e->triggers[i].entity_id);
        free(e->triggers[i].to);
    }
    automation_free(e->automation);
    json_object_put(e->conditions);
    free(e->acts);
    free(e->branches);
    free(e->triggers);
    free(e->id);
    free(e->entity_id);
    free(e->alias);
}

void existing_release(struct existing_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        release_one(&list->list[i]);
    free(list->list);
    json_object_put(list->scenes);
    *list = (struct existing_list){.list = NULL};
}

const char *existing_id(const struct existing *e)
{
    return e->entity_id != NULL ? e->entity_id : e->id != NULL ? e->id : e->alias;
}

char *existing_name(const struct existing *e)
{
    char shown[NAME_SHOWN + 1];
    const char *name = e->alias != NULL ? e->alias : existing_id(e);
    text_copy_shown(shown, sizeof shown, name != NULL ? name : "an automation without a name");
    for (char *p = shown; *p != '\0'; p++) { /* it stands in a description: no template there */
        *p = *p == '{' ? '(' : *p;
        *p = *p == '}' ? ')' : *p;
    }
    return xasprintf("\"%s\"", shown);
}

/* ---- one automation ------------------------------------------------------------------------- */

/* Whether something of it is kept elsewhere (!secret, !input). */
static bool has_tag(json_object *value, int depth)
{
    if (yaml_tag(value) != NULL || depth > JSON_DEPTH_MAX)
        return true;
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, member)
        {
            (void)key;
            if (has_tag(member, depth + 1))
                return true;
        }
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            if (has_tag(json_object_array_get_idx(value, i), depth + 1))
                return true;
    }
    return false;
}

static bool is_sure(const struct automation *automation)
{
    size_t count;
    const struct automation_note *notes = automation_notes(automation, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(notes[i].effect, "taken to hold") == 0)
            return false;
    return true;
}

/* Its own conditions and those of the way, behind its own triggers; without actions, which take no
 * part in when it fires. */
static struct automation *parse_way(json_object *config, json_object *own, json_object *way)
{
    static const char *const kept[] = {"triggers", "trigger", "trigger_variables", "variables"};
    struct error err;
    struct automation *automation = NULL;
    json_object *object = json_object_new_object(), *conditions = json_object_new_array();
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (json_get(config, kept[i]) != NULL)
            json_object_object_add(object, kept[i], json_object_get(json_get(config, kept[i])));
    for (size_t i = 0; i < json_object_array_length(own); i++)
        json_object_array_add(conditions, json_object_get(json_object_array_get_idx(own, i)));
    for (size_t i = 0; i < json_object_array_length(way); i++)
        json_object_array_add(conditions, json_object_get(json_object_array_get_idx(way, i)));
    json_object_object_add(object, "conditions", conditions);
    json_object_object_add(object, "actions", json_object_new_array());
    json_object_object_add(object, "mode", json_object_new_string("parallel"));
    if (automation_parse(object, &automation, &err) != 0)
        automation = NULL;
    json_object_put(object);
    return automation;
}

static void parse_branches(struct existing *e, json_object *config)
{
    for (size_t i = 0; i < e->branch_count; i++) {
        struct existing_branch *b = &e->branches[i];
        b->weekdays = RULE_EVERY_DAY;
        existing_read_days(e->conditions, &b->weekdays, &b->has_more);
        existing_read_days(b->conditions, &b->weekdays, &b->has_more);
        if (e->automation == NULL)
            continue;
        b->automation = i == 0 ? e->automation : parse_way(config, e->conditions, b->conditions);
        b->is_sure = b->automation != NULL && is_sure(b->automation);
    }
}

static json_object *as_list(json_object *value)
{
    if (json_object_is_type(value, json_type_array))
        return json_object_get(value);
    json_object *list = json_object_new_array();
    if (value != NULL)
        json_object_array_add(list, json_object_get(value));
    return list;
}

static char *copy_name(json_object *config, const char *key)
{
    json_object *value = json_get(config, key);
    if (value == NULL || json_object_is_type(value, json_type_object) ||
        json_object_is_type(value, json_type_array))
        return NULL;
    return xstrdup(json_object_get_string(value));
}

static void tell_problem(struct existing_list *list, const char *name, const char *what)
{
    char shown[NAME_SHOWN + 1];
    if (list->problem[0] != '\0')
        return;
    text_copy_shown(shown, sizeof shown, name != NULL ? name : "one without a name");
    snprintf(list->problem, sizeof list->problem, "%s: %.150s", shown, what);
}

/* What there is to replay of it; else it is counted, and only looked at. */
static void parse(struct existing_list *list, struct existing *e, json_object *plain,
                  json_object *config)
{
    struct error err = {ERROR_NONE, ""};
    if (has_tag(config, 0))
        error_set(&err, ERROR_UNSUPPORTED, "something of it is kept elsewhere");
    else if (json_get(plain, "use_blueprint") != NULL)
        error_set(&err, ERROR_UNSUPPORTED, "a blueprint, whose automation is not told");
    else if (automation_parse(plain, &e->automation, &err) != 0)
        e->automation = NULL;
    if (e->automation != NULL)
        return;
    list->unreplayable++;
    tell_problem(list, existing_id(e), err.message);
}

static bool looks_like_one(json_object *config)
{
    return json_object_is_type(config, json_type_object) &&
           (json_get_either(config, "triggers", "trigger") != NULL ||
            json_get(config, "use_blueprint") != NULL);
}

static bool is_off(json_object *element, json_object *config)
{
    json_object *initial = json_get(config, "initial_state");
    return (element != config && !json_get_bool(element, "enabled", true)) ||
           (json_object_is_type(initial, json_type_boolean) && !json_object_get_boolean(initial));
}

int existing_add(struct existing_list *list, json_object *element, const struct existing_home *home,
                 struct error *err)
{
    json_object *config = json_get(element, "config");
    config = json_object_is_type(config, json_type_object) ? config : element;
    if (list->read == EXISTING_MAX)
        return error_set(err, ERROR_LIMIT, "more than %d automations", EXISTING_MAX);
    list->read++;
    if (is_off(element, config)) {
        list->disabled++;
        return 0;
    }
    json_object *plain = looks_like_one(config) ? existing_plain(config, home) : NULL;
    if (plain == NULL) {
        list->invalid++;
        tell_problem(list, json_get_string(element, "entity_id"),
                     looks_like_one(config) ? "it is larger than is looked at" : "no automation");
        return 0;
    }
    list->list = grow_array(list->list, list->count, &list->capacity, sizeof *list->list);
    struct existing *e = &list->list[list->count++];
    *e = (struct existing){
        .id = copy_name(config, "id"),
        .alias = copy_name(config, "alias"),
        .entity_id = element != config ? copy_name(element, "entity_id") : NULL,
        .restarts = json_get_string(plain, "mode") != NULL && json_is(plain, "mode", "restart"),
        .conditions = as_list(json_get_either(plain, "conditions", "condition"))};
    parse(list, e, plain, config);
    existing_read_acts(list, e, plain, home);
    existing_read_triggers(e, plain);
    parse_branches(e, plain);
    json_object_put(plain);
    return 0;
}

void existing_visit_entities(const struct existing_list *list, const struct timeline *places,
                             void (*visit)(const char *entity_id, void *ctx), void *ctx)
{
    for (size_t i = 0; i < list->count; i++)
        for (size_t b = 0; b < list->list[i].branch_count; b++)
            if (list->list[i].branches[b].automation != NULL)
                automation_visit_entities(list->list[i].branches[b].automation, places, visit, ctx);
}
