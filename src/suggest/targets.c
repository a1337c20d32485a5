#include "suggest/targets.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"

void targets_visit_names(json_object *names, void (*visit)(const char *name, void *ctx), void *ctx)
{
    bool is_list = json_object_is_type(names, json_type_array);
    size_t count = is_list ? json_object_array_length(names) : 1;
    for (size_t i = 0; i < count; i++) {
        json_object *one = is_list ? json_object_array_get_idx(names, i) : names;
        if (!json_object_is_type(one, json_type_string))
            continue;
        for (const char *p = json_object_get_string(one); *p != '\0';) {
            size_t length = strcspn(p, ", ");
            char *name = xstrndup(p, length);
            if (length > 0)
                visit(name, ctx);
            free(name);
            p += length + strspn(p + length, ", ");
        }
    }
}

struct search {
    const struct timeline *places;
    const char *kind; /* "area_id" */
    void (*visit)(const char *entity_id, void *ctx);
    void *ctx;
};

static bool has_label(const char *labels, const char *name)
{
    size_t length = strlen(name);
    for (const char *p = labels; p != NULL && (p = strstr(p, name)) != NULL; p += length)
        if (p > labels && p[-1] == ' ' && p[length] == ' ')
            return true;
    return false;
}

static bool is_same(const char *value, const char *name)
{
    return value != NULL && strcmp(value, name) == 0;
}

static bool is_at(const struct timeline_place *place, const char *kind, const char *name)
{
    if (strcmp(kind, "device_id") == 0)
        return is_same(place->device_id, name);
    if (strcmp(kind, "area_id") == 0)
        return is_same(place->area_id, name);
    if (strcmp(kind, "floor_id") == 0)
        return is_same(place->floor_id, name);
    return has_label(place->labels, name) || has_label(place->device_labels, name) ||
           has_label(place->area_labels, name);
}

/* What Home Assistant leaves out of an area: hidden, and settings of a device. */
static void visit_place(const char *name, void *ctx)
{
    const struct search *search = ctx;
    for (size_t i = 0; i < search->places->place_count; i++) {
        const struct timeline_place *place = &search->places->places[i];
        if (!place->is_disabled && !place->is_hidden && !place->is_config &&
            is_at(place, search->kind, name))
            search->visit(place->entity_id, search->ctx);
    }
}

void targets_visit(json_object *step, const struct timeline *places,
                   void (*visit)(const char *entity_id, void *ctx), void *ctx)
{
    static const char *const kinds[] = {"device_id", "area_id", "floor_id", "label_id"};
    json_object *const from[] = {json_get(step, "target"), step, json_get(step, "data"),
                                 json_get(step, "data_template")};
    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        struct search search = {places, NULL, visit, ctx};
        targets_visit_names(json_get(from[i], "entity_id"), visit, ctx);
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds && from[i] != step && places != NULL;
             k++) {
            search.kind = kinds[k];
            targets_visit_names(json_get(from[i], kinds[k]), visit_place, &search);
        }
    }
}
