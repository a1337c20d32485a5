/* 64-bit ids to numbers. */
#ifndef HA_AI_SOURCE_ID_MAP_H
#define HA_AI_SOURCE_ID_MAP_H

#include <stddef.h>
#include <stdint.h>

enum { ID_MAP_NONE = -1 };

struct id_map_slot {
    int64_t id;
    int32_t value;
    int32_t is_used;
};

struct id_map {
    struct id_map_slot *slots;
    size_t slot_count, count;
};

void id_map_init(struct id_map *map);
void id_map_release(struct id_map *map);
void id_map_put(struct id_map *map, int64_t id, int32_t value); /* replaces */

static inline struct id_map_slot *id_map_slot(const struct id_map *map, int64_t id)
{
    size_t mask = map->slot_count - 1;
    uint64_t hash = (uint64_t)id * 0x9E3779B97F4A7C15u;
    size_t i = (size_t)(hash >> 32) & mask;
    while (map->slots[i].is_used && map->slots[i].id != id)
        i = (i + 1) & mask;
    return &map->slots[i];
}

/* The value, or ID_MAP_NONE. */
static inline int32_t id_map_get(const struct id_map *map, int64_t id)
{
    const struct id_map_slot *slot = id_map_slot(map, id);
    return slot->is_used ? slot->value : ID_MAP_NONE;
}

#endif
