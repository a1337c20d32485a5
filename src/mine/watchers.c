#include "mine/watchers.h"

#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"

enum { STRETCH_MS = 10 * 60 * 1000, STRETCHES_MIN = 3 };

/* Whether the id, between its dot, underscores and end, has that word. */
static bool has_word(const char *entity_id, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = strchr(entity_id, '.'); at != NULL; at = strpbrk(at + 1, "_"))
        if (strncmp(at + 1, word, length) == 0 && (at[1 + length] == '\0' || at[1 + length] == '_'))
            return true;
    return false;
}

bool watchers_has_class(const struct history_entity *entity, const char *const *classes)
{
    for (; *classes != NULL; classes++)
        if (entity->device_class != NULL ? strcmp(entity->device_class, *classes) == 0
                                         : has_word(entity->entity_id, *classes))
            return true;
    return false;
}

void watchers_find(struct watchers *watchers, const struct history *h, const char *area)
{
    static const char *const classes[] = {"motion", "occupancy", "presence", NULL};
    *watchers = (struct watchers){.list = NULL};
    for (size_t i = 0; i < h->entity_count && area != NULL; i++) {
        const struct history_entity *e = &h->entities[i];
        if (strncmp(e->entity_id, "binary_sensor.", 14) != 0 || e->area == NULL ||
            strcmp(e->area, area) != 0 || !watchers_has_class(e, classes))
            continue;
        watchers->list = grow_array(watchers->list, watchers->count, &watchers->capacity,
                                    sizeof(const struct history_entity *));
        watchers->list[watchers->count++] = e;
    }
}

void watchers_release(struct watchers *watchers)
{
    free(watchers->list);
    *watchers = (struct watchers){.list = NULL};
}

bool watchers_saw(const struct watchers *watchers, int64_t from_ms, int64_t to_ms)
{
    for (size_t w = 0; w < watchers->count; w++) {
        const struct history_entity *e = watchers->list[w];
        size_t i = history_find_change(e, from_ms);
        if (i > 0 && e->state[i - 1] == HISTORY_STATE_ON)
            return true;
        for (; i < e->changes && e->time_ms[i] <= to_ms; i++)
            if (e->state[i] == HISTORY_STATE_ON)
                return true;
    }
    return false;
}

bool watchers_saw_all_along(const struct watchers *watchers, int64_t from_ms, int64_t to_ms)
{
    int stretches = 0, seen = 0;
    for (int64_t at = from_ms; at + STRETCH_MS <= to_ms; at += STRETCH_MS) {
        stretches++;
        seen += watchers_saw(watchers, at, at + STRETCH_MS - 1);
    }
    return stretches >= STRETCHES_MIN && 4 * seen > 3 * stretches;
}
