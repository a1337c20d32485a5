#include "source/id_map.h"

#include <stdlib.h>

#include "core/xalloc.h"

enum { ID_MAP_SLOTS_FIRST = 1024 };

void id_map_init(struct id_map *map)
{
    *map = (struct id_map){.slot_count = ID_MAP_SLOTS_FIRST};
    map->slots = xcalloc(map->slot_count, sizeof *map->slots);
}

void id_map_release(struct id_map *map)
{
    free(map->slots);
    *map = (struct id_map){.slots = NULL};
}

void id_map_put(struct id_map *map, int64_t id, int32_t value)
{
    if (map->count * 2 >= map->slot_count) {
        struct id_map old = *map;
        map->slot_count *= 2;
        map->slots = xcalloc(map->slot_count, sizeof *map->slots);
        for (size_t i = 0; i < old.slot_count; i++)
            if (old.slots[i].is_used)
                *id_map_slot(map, old.slots[i].id) = old.slots[i];
        free(old.slots);
    }
    struct id_map_slot *slot = id_map_slot(map, id);
    map->count += !slot->is_used;
    *slot = (struct id_map_slot){id, value, 1};
}
