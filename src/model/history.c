/* The home's past in columns. Filling is source/'s; this is what everyone shares. */
#include "model/history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"

static const char *const fixed_states[HISTORY_STATE_FIXED_COUNT] = {
    [HISTORY_STATE_UNAVAILABLE] = "unavailable",
    [HISTORY_STATE_UNKNOWN] = "unknown",
    [HISTORY_STATE_ON] = "on",
    [HISTORY_STATE_OFF] = "off",
    [HISTORY_STATE_OTHER] = "(other)",
};

void history_init(struct history *h)
{
    *h = (struct history){.state_capacity = HISTORY_STATE_FIXED_COUNT};
    h->states = xcalloc(HISTORY_STATE_FIXED_COUNT, sizeof *h->states);
    for (; h->state_count < HISTORY_STATE_FIXED_COUNT; h->state_count++)
        h->states[h->state_count] = xstrdup(fixed_states[h->state_count]);
}

void history_release(struct history *h)
{
    for (size_t i = 0; i < h->entity_count; i++) {
        struct history_entity *e = &h->entities[i];
        free(e->entity_id);
        free(e->name);
        free(e->area);
        free(e->members);
        free(e->time_ms);
        free(e->state);
        free(e->cause);
        free(e->device_class);
        free(e->means);
        free(e->values);
    }
    for (size_t i = 0; i < h->state_count; i++)
        free(h->states[i]);
    free(h->entities);
    free(h->states);
    free(h->covered);
    *h = (struct history){.entities = NULL};
}

static int compare_entity_id(const void *entity_id, const void *entity)
{
    return strcmp(entity_id, ((const struct history_entity *)entity)->entity_id);
}

const struct history_entity *history_find_entity(const struct history *h, const char *entity_id)
{
    if (h->entity_count == 0)
        return NULL;
    return bsearch(entity_id, h->entities, h->entity_count, sizeof *h->entities, compare_entity_id);
}

size_t history_find_change(const struct history_entity *entity, int64_t time_ms)
{
    size_t low = 0, high = entity->changes;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entity->time_ms[middle] < time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t history_mean_at(const struct history_entity *entity, int64_t time_ms)
{
    int64_t index = (time_ms - entity->means_from_ms) / HISTORY_MEAN_MS - 1;
    if (time_ms < entity->means_from_ms || index < 0 || (size_t)index >= entity->mean_count)
        return SIZE_MAX;
    return (size_t)index;
}

double history_number_at(const struct history_entity *entity, int64_t time_ms)
{
    size_t index = history_mean_at(entity, time_ms);
    return index == SIZE_MAX ? NAN : entity->means[index];
}
