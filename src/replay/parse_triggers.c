/* Triggers in all their spellings (helpers/config_validation.py, TRIGGER_SCHEMA). */
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "replay/engine.h"
#include "replay/parse.h"
#include "replay/purpose.h"

static const struct trigger_type *const types[] = {
    &trigger_state,   &trigger_numeric_state, &trigger_time, &trigger_time_pattern,  &trigger_sun,
    &trigger_sunrise, &trigger_sunset,        &trigger_zone, &trigger_homeassistant,
};

static const struct trigger_type *find_type(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}

static int parse_known(struct parser *p, json_object *config, const char *kind, struct trigger *t)
{
    const struct purpose *purpose = purpose_find(purpose_triggers, kind);
    bool is_enabled;
    if (parse_enabled(p, config, &is_enabled) != 0 || parse_id(p, config, &t->id) != 0)
        return -1;
    t->type = find_type(kind);
    if (purpose != NULL) {
        t->type = &trigger_purpose;
        if (purpose_parse(p, config, purpose, true, &t->for_us, &t->use) != 0)
            return -1;
    } else if (t->type != NULL) {
        json_object *plain = parse_options_up(config, true);
        int result = t->type->parse(p, plain, t);
        json_object_put(plain);
        if (result != 0)
            return -1;
        t->first_slot = p->automation->slot_count;
        p->automation->slot_count += t->at_count;
    } else {
        parse_note_named(p, config, kind, "trigger", "never fires");
    }
    if (!is_enabled)
        t->type = NULL;
    return 0;
}

static int parse_one(struct parser *p, json_object *config)
{
    static const char expected[] = "a kind of trigger such as state, time or sun";
    struct automation *a = p->automation;
    if (!json_object_is_type(config, json_type_object))
        return parse_fail(p, config, "a trigger");
    if (parse_has(config, "trigger") && parse_has(config, "platform"))
        return parse_fail_key(p, config, "platform", "only one of trigger and platform");
    const char *key = parse_has(config, "platform") ? "platform" : "trigger";
    json_object *kind = parse_get(config, key);
    if (!json_object_is_type(kind, json_type_string))
        return parse_fail_key(p, config, key, expected);
    if (a->trigger_count >= AUTOMATION_TRIGGERS_MAX)
        return error_set(p->err, ERROR_LIMIT, "%s: more than %d triggers", p->path,
                         AUTOMATION_TRIGGERS_MAX);
    a->triggers =
        grow_array(a->triggers, a->trigger_count, &a->trigger_capacity, sizeof *a->triggers);
    size_t index = a->trigger_count++;
    struct trigger *t = &a->triggers[index];
    *t = (struct trigger){.for_us = DURATION_NONE};
    if (parse_known(p, config, json_object_get_string(kind), t) != 0)
        return -1;
    if (t->id == NULL)
        t->id = xasprintf("%zu", index);
    return 0;
}

static int parse_list(struct parser *p, json_object *list, bool is_nested)
{
    for (size_t i = 0; i < parse_list_length(list); i++) {
        json_object *config = parse_list_at(list, i);
        size_t mark =
            json_object_is_type(list, json_type_array) ? parse_enter_index(p, i) : strlen(p->path);
        /* {triggers: [...]}, nothing else in it, stands for its triggers. HA looks one level deep.
         */
        bool is_list =
            !is_nested && parse_has(config, "triggers") && json_object_object_length(config) == 1;
        int result;
        json_object *before = parse_stand_at(p, config);
        if (is_list) {
            parse_enter_key(p, "triggers");
            result = parse_list(p, parse_get(config, "triggers"), true);
        } else {
            result = parse_one(p, config);
        }
        parse_leave(p, mark);
        p->at = before;
        if (result != 0)
            return -1;
    }
    return 0;
}

int parse_triggers(struct parser *p, json_object *config)
{
    return parse_list(p, config, false);
}

void matcher_release(struct matcher *matcher)
{
    for (size_t i = 0; i < matcher->count; i++)
        json_object_put(matcher->list[i]);
    free(matcher->list);
}

void trigger_release(struct trigger *t)
{
    free(t->id);
    free(t->entities);
    free(t->attribute);
    free(t->at);
    matcher_release(&t->from);
    matcher_release(&t->to);
}
