/* Entities that stand for others: groups of Home Assistant's. */
#ifndef HA_AI_SOURCE_MEMBERS_H
#define HA_AI_SOURCE_MEMBERS_H

#include <json-c/json.h>

/* The ids in the attribute `entity_id` of a row (object or NULL), as history_entity.members holds
 * them; NULL when there is no such list, or one that is no group's. Caller frees. */
char *members_from_attributes(json_object *attributes);

#endif
