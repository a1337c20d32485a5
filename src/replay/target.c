/* What a target points at (helpers/target.py): what it names itself, and what the devices, areas,
 * floors and labels that it names have. */
#include <stdio.h>
#include <string.h>

#include "replay/purpose.h"

static bool has_id(const struct target_ids *ids, enum target_kind kind, const char *id)
{
    for (size_t i = 0; id != NULL && i < ids->counts[kind]; i++)
        if (strcmp(ids->ids[kind][i], id) == 0)
            return true;
    return false;
}

/* labels has a space on both sides of each. */
static bool has_label(const struct target_ids *ids, const char *labels)
{
    for (size_t i = 0; labels != NULL && i < ids->counts[TARGET_LABEL]; i++) {
        const char *label = ids->ids[TARGET_LABEL][i];
        size_t length = strlen(label);
        const char *at = length > 0 ? strstr(labels, label) : NULL;
        for (; at != NULL; at = strstr(at + 1, label))
            if (at > labels && at[-1] == ' ' && at[length] == ' ')
                return true;
    }
    return false;
}

static bool has_entity(const struct target_ids *ids, const struct automation *a,
                       const char *entity_id)
{
    for (size_t i = 0; i < ids->entity_count; i++)
        if (strcmp(a->entities.keys[ids->entities[i]], entity_id) == 0)
            return true;
    return false;
}

/* Whether the target's devices, areas, floors and labels have it. An exclusion finds hidden
 * entities and those with a category, too. */
static bool has_place(const struct target_ids *ids, const struct timeline_place *place,
                      bool is_exclusion, bool with_config)
{
    bool is_shown = is_exclusion || !place->is_hidden;
    if (is_shown && has_label(ids, place->labels))
        return true;
    return is_shown && (is_exclusion || with_config || !place->is_config) &&
           (has_id(ids, TARGET_DEVICE, place->device_id) ||
            has_id(ids, TARGET_DEVICE, place->parent_device_id) ||
            has_id(ids, TARGET_AREA, place->area_id) ||
            has_id(ids, TARGET_FLOOR, place->floor_id) || has_label(ids, place->device_labels) ||
            has_label(ids, place->area_labels));
}

static bool is_excluded(const struct automation *a, const struct purpose_use *use,
                        const char *entity_id, const struct timeline_place *place)
{
    return has_entity(&use->exclude, a, entity_id) ||
           (place != NULL && has_place(&use->exclude, place, true, true));
}

void target_visit(const struct automation *a, const struct purpose_use *use,
                  const struct timeline *places, void (*visit)(const char *entity_id, void *ctx),
                  void *ctx)
{
    size_t ids = 0;
    for (size_t i = 0; i < TARGET_KINDS; i++)
        ids += use->target.counts[i];
    for (size_t i = 0; i < use->target.entity_count; i++) {
        const char *id = a->entities.keys[use->target.entities[i]];
        if (purpose_spec(use, id) != NULL &&
            !is_excluded(a, use, id, places != NULL ? timeline_find_place(places, id) : NULL))
            visit(id, ctx);
    }
    for (size_t i = 0; ids > 0 && places != NULL && i < places->place_count; i++) {
        const struct timeline_place *place = &places->places[i];
        if (purpose_spec(use, place->entity_id) != NULL &&
            has_place(&use->target, place, false, use->purpose->flags & PURPOSE_CONFIG) &&
            !is_excluded(a, use, place->entity_id, place))
            visit(place->entity_id, ctx);
    }
}
