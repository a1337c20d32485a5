#include "store/objection.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"

static const char *const names[OBJECTION_COUNT] = {
    [OBJECTION_HABIT] = "this habit",
    [OBJECTION_TIME] = "wrong time",
    [OBJECTION_TRIGGER] = "wrong trigger",
    [OBJECTION_NEVER] = "never",
};

const char *objection_name(enum objection objection)
{
    return (unsigned)objection < OBJECTION_COUNT ? names[objection] : "unknown";
}

int objection_from_name(const char *name)
{
    for (int i = 0; i < OBJECTION_COUNT; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

/* ---- acts ---- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_act(struct objection_acts *acts, size_t *capacity, const char *service,
                    json_object *entity)
{
    if (acts->count > OBJECTION_ACTS_MAX || !json_object_is_type(entity, json_type_string))
        return;
    acts->items = grow_array(acts->items, acts->count, capacity, sizeof(*acts->items));
    acts->items[acts->count++] = xasprintf("%s %s", service, json_object_get_string(entity));
}

void objection_acts_of(json_object *content, struct objection_acts *out)
{
    *out = (struct objection_acts){NULL, 0};
    size_t capacity = 0;
    json_object *actions = json_get_array(json_get_object(content, "automation"), "actions");
    size_t count = actions != NULL ? json_object_array_length(actions) : 0;
    for (size_t i = 0; i < count; i++) {
        json_object *action = json_object_array_get_idx(actions, i);
        const char *service = json_get_string(action, "action");
        json_object *target = json_get_object(action, "target");
        json_object *ids = target ? json_object_object_get(target, "entity_id") : NULL;
        if (service == NULL || ids == NULL)
            continue;
        if (!json_object_is_type(ids, json_type_array))
            add_act(out, &capacity, service, ids);
        else
            for (size_t k = 0; k < json_object_array_length(ids); k++)
                add_act(out, &capacity, service, json_object_array_get_idx(ids, k));
    }
    if (out->count > OBJECTION_ACTS_MAX)
        objection_acts_release(out);
    else if (out->count > 0)
        qsort(out->items, out->count, sizeof(*out->items), compare_texts);
}

void objection_acts_release(struct objection_acts *acts)
{
    for (size_t i = 0; i < acts->count; i++)
        free(acts->items[i]);
    free(acts->items);
    *acts = (struct objection_acts){NULL, 0};
}

static bool has_all(const struct objection_acts *all, const struct objection_acts *of)
{
    size_t i = 0;
    for (size_t k = 0; k < of->count; k++) {
        while (i < all->count && strcmp(all->items[i], of->items[k]) < 0)
            i++;
        if (i == all->count || strcmp(all->items[i], of->items[k]) != 0)
            return false;
    }
    return of->count > 0;
}

/* ---- what is barred ---- */

static const char *trigger_of(json_object *content)
{
    json_object *triggers = json_get_array(json_get_object(content, "automation"), "triggers");
    json_object *first = triggers != NULL && json_object_array_length(triggers) > 0
                             ? json_object_array_get_idx(triggers, 0)
                             : NULL;
    const char *kind = json_get_string(first, "trigger");
    return kind != NULL ? kind : "";
}

bool objection_bars(enum objection objection, const struct objection_subject *rejected,
                    const struct objection_subject *found)
{
    bool same_family = rejected->family_len == found->family_len &&
                       memcmp(rejected->family, found->family, found->family_len) == 0;
    if (!same_family && !has_all(found->acts, rejected->acts))
        return false;
    switch (objection) {
    case OBJECTION_NEVER:
        return true;
    case OBJECTION_TIME:
        return when_distance(rejected->when, found->when) >= 0;
    case OBJECTION_TRIGGER:
        return strcmp(trigger_of(rejected->content), trigger_of(found->content)) == 0;
    case OBJECTION_HABIT:
    case OBJECTION_COUNT:
        break;
    }
    return false;
}
