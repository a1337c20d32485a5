/* What an action of an automation is about: the entities that it names, and those of the devices,
 * areas, floors and labels that it names. Pure; any thread. */
#ifndef HA_AI_SUGGEST_TARGETS_H
#define HA_AI_SUGGEST_TARGETS_H

#include <json-c/json.h>

#include "model/timeline.h"

/* Calls visit with each entity id of a step's `target`, `data` and own `entity_id`, in that order,
 * perhaps twice; of any domain, and as it is written: nobody checked that it is one. Hidden
 * entities and settings of a device are not found by a place, as in Home Assistant. places: those
 * of the registries (NULL = not known). */
void targets_visit(json_object *step, const struct timeline *places,
                   void (*visit)(const char *entity_id, void *ctx), void *ctx);

/* Calls visit for each part of a text with commas, or of a list of such texts. */
void targets_visit_names(json_object *names, void (*visit)(const char *name, void *ctx), void *ctx);

#endif
