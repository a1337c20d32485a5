/* Groups of lights, switches and fans have their members in the attribute `entity_id`. */
#include "source/members.h"

#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "model/history.h"
#include "model/rule.h"

char *members_from_attributes(json_object *attributes)
{
    json_object *list;
    if (attributes == NULL || !json_object_object_get_ex(attributes, "entity_id", &list) ||
        !json_object_is_type(list, json_type_array))
        return NULL;
    size_t count = json_object_array_length(list);
    if (count == 0 || count > HISTORY_MEMBERS_MAX)
        return NULL;
    char *members = xmalloc(count * (RULE_ENTITY_ID_MAX + 1));
    char *end = members;
    for (size_t i = 0; i < count; i++) {
        json_object *one = json_object_array_get_idx(list, i);
        const char *id =
            json_object_is_type(one, json_type_string) ? json_object_get_string(one) : "";
        if (!rule_entity_id_is_valid(id)) {
            free(members);
            return NULL;
        }
        size_t length = strlen(id);
        memcpy(end, id, length);
        end += length;
        *end++ = i + 1 < count ? ' ' : '\0';
    }
    return members;
}
