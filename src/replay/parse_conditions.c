/* Conditions in all their spellings (helpers/config_validation.py, CONDITION_SCHEMA). */
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "replay/engine.h"
#include "replay/parse.h"
#include "replay/purpose.h"

static const struct condition_type *const types[] = {
    &condition_and,  &condition_or,  &condition_not,  &condition_state,   &condition_numeric_state,
    &condition_time, &condition_sun, &condition_zone, &condition_trigger, &condition_template,
};

static const struct condition_type *find_type(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}

/* {and: [...]}, {condition: [...]} as {condition: and, conditions: [...]}; a new reference. */
static json_object *expand_shorthand(json_object *config)
{
    static const char *const keys[] = {"and", "or", "not", "condition"};
    json_object *value = NULL;
    const char *name = NULL;
    for (size_t i = 0; i < 4 && name == NULL && !parse_has(config, "conditions"); i++) {
        value = parse_get(config, keys[i]);
        if (value != NULL && (i < 3 || json_object_is_type(value, json_type_array)))
            name = keys[i];
    }
    if (name == NULL)
        return json_object_get(config);
    json_object *expanded = json_object_new_object();
    json_object_object_foreach(config, key, part)
    {
        if (strcmp(key, name) != 0)
            json_object_object_add(expanded, key, json_object_get(part));
    }
    bool is_list = strcmp(name, "condition") == 0;
    json_object_object_add(expanded, "condition", json_object_new_string(is_list ? "and" : name));
    json_object_object_add(expanded, "conditions", json_object_get(value));
    return expanded;
}

/* A template alone is a condition, too. */
static json_object *expand_template(json_object *config)
{
    json_object *expanded = json_object_new_object();
    json_object_object_add(expanded, "condition", json_object_new_string("template"));
    json_object_object_add(expanded, "value_template", json_object_get(config));
    return expanded;
}

static int parse_known(struct parser *p, json_object *config, struct condition *c)
{
    static const char expected[] = "a kind of condition such as state, time or numeric_state";
    json_object *kind = parse_get(config, "condition");
    bool is_enabled;
    if (!json_object_is_type(kind, json_type_string))
        return parse_fail_key(p, config, "condition", expected);
    if (parse_enabled(p, config, &is_enabled) != 0)
        return -1;
    c->is_disabled = !is_enabled;
    const struct purpose *purpose = purpose_find(purpose_conditions, json_object_get_string(kind));
    if (purpose != NULL) {
        c->type = &condition_purpose;
        return purpose_parse(p, config, purpose, false, &c->for_us, &c->use);
    }
    c->type = find_type(json_object_get_string(kind));
    if (c->type != NULL) {
        json_object *plain = parse_options_up(config, false);
        int result = c->type->parse(p, plain, c);
        json_object_put(plain);
        return result;
    }
    c->type = &condition_template;
    c->is_taken_to_hold = true;
    parse_note_named(p, config, json_object_get_string(kind), "condition", "taken to hold");
    return 0;
}

static int parse_one(struct parser *p, json_object *config, struct condition *c)
{
    c->for_us = DURATION_NONE;
    if (++p->conditions > AUTOMATION_CONDITIONS_MAX)
        return error_set(p->err, ERROR_LIMIT, "%s: more than %d conditions", p->path,
                         AUTOMATION_CONDITIONS_MAX);
    if (p->depth >= AUTOMATION_CONDITION_DEPTH_MAX)
        return error_set(p->err, ERROR_LIMIT, "%s: conditions more than %d deep", p->path,
                         AUTOMATION_CONDITION_DEPTH_MAX);
    json_object *expanded;
    if (parse_is_template(config))
        expanded = expand_template(config);
    else if (json_object_is_type(config, json_type_object))
        expanded = expand_shorthand(config);
    else
        return parse_fail(p, config, "a condition");
    p->depth++;
    json_object *before = parse_stand_at(p, config);
    int result = parse_known(p, expanded, c);
    p->at = before;
    p->depth--;
    json_object_put(expanded);
    return result;
}

int parse_conditions(struct parser *p, json_object *list, struct condition **out, size_t *count)
{
    size_t length = parse_list_length(list);
    if (length > AUTOMATION_CONDITIONS_MAX)
        return error_set(p->err, ERROR_LIMIT, "%s: more than %d conditions", p->path,
                         AUTOMATION_CONDITIONS_MAX);
    *out = xcalloc(length, sizeof **out);
    for (size_t i = 0; i < length; i++) {
        size_t mark =
            json_object_is_type(list, json_type_array) ? parse_enter_index(p, i) : strlen(p->path);
        (*count)++;
        int result = parse_one(p, parse_list_at(list, i), &(*out)[i]);
        parse_leave(p, mark);
        if (result != 0)
            return -1;
    }
    return 0;
}

void conditions_free(struct condition *conditions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct condition *c = &conditions[i];
        conditions_free(c->children, c->child_count);
        for (size_t j = 0; j < c->state_count; j++)
            json_object_put(c->states[j]);
        for (size_t j = 0; j < c->id_count; j++)
            free(c->ids[j]);
        free(c->states);
        free(c->state_entities);
        free(c->ids);
        free(c->entities);
        free(c->zones);
        free(c->attribute);
    }
    free(conditions);
}
