#include <string.h>

#include "core/xalloc.h"
#include "home/world_private.h"

/* --- Contexts ----------------------------------------------------------------------------------
 */

struct home_context world_new_context(struct home_world *w, int64_t time_us)
{
    struct home_context context = {.has_parent = false};
    const uint64_t ms = (uint64_t)(time_us / 1000);
    const uint64_t a = rng_next(&w->rng), b = rng_next(&w->rng);
    for (int i = 0; i < 6; i++)
        context.id[i] = (uint8_t)(ms >> (40 - 8 * i));
    memcpy(context.id + 6, &a, 8);
    memcpy(context.id + 14, &b, 2);
    return context;
}

struct home_context world_child_context(struct home_world *w, int64_t time_us,
                                        const struct home_context *parent)
{
    struct home_context context = world_new_context(w, time_us);
    if (parent != NULL) {
        context.has_parent = true;
        memcpy(context.parent, parent->id, HOME_ID_SIZE);
    }
    return context;
}

/* --- What is under way ---------------------------------------------------------------------------
 */

static bool comes_before(const struct pending *a, const struct pending *b)
{
    return a->time_us != b->time_us ? a->time_us < b->time_us : a->order < b->order;
}

void world_push(struct home_world *w, struct pending item)
{
    item.order = w->order++;
    w->heap = grow_array(w->heap, w->heap_count, &w->heap_capacity, sizeof *w->heap);
    size_t i = w->heap_count++;
    for (; i > 0 && comes_before(&item, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = item;
}

struct pending world_pop(struct home_world *w)
{
    const struct pending first = w->heap[0], last = w->heap[--w->heap_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= w->heap_count)
            break;
        if (child + 1 < w->heap_count && comes_before(&w->heap[child + 1], &w->heap[child]))
            child++;
        if (!comes_before(&w->heap[child], &last))
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return first;
}

/* --- Telling
 * --------------------------------------------------------------------------------------- */

static void emit_change(struct home_world *w, const struct home_change *change)
{
    if (w->sink->change != NULL)
        w->sink->change(w->sink->data, change);
}

void world_emit_event(struct home_world *w, const struct home_event *event)
{
    if (w->sink->event != NULL)
        w->sink->event(w->sink->data, event);
}

void world_emit_start_or_stop(struct home_world *w, int64_t time_us, enum home_event_kind kind)
{
    world_emit_event(w, &(struct home_event){.time_us = time_us,
                                             .kind = kind,
                                             .level = HOME_NO_LEVEL,
                                             .habit = -1,
                                             .context = world_new_context(w, time_us)});
}

/* The row that HA writes about an entity as it is. */
static struct home_change change_of(const struct home_world *w, int64_t time_us, uint32_t entity,
                                    uint8_t cause, const struct home_context *context)
{
    const struct entity_state *s = &w->states[entity];
    const bool is_set = home_is_set(w->home->entities[entity].domain);
    const bool told = s->shown == HOME_ON || (is_set && s->shown >= 0); /* of what is there */
    return (struct home_change){
        .time_us = time_us,
        .entity = entity,
        .value = s->shown,
        .habit = -1,
        .cause = cause,
        .level = told ? s->level : HOME_NO_LEVEL,
        .kelvin = s->kelvin,
        .reading = s->reading,
        .stamp_us = s->stamp_us,
        .context = *context,
    };
}

void world_show_act(struct home_world *w, const struct home_wish *wish, int32_t value,
                    const struct home_context *context)
{
    struct entity_state *s = &w->states[wish->entity];
    const bool same = s->shown == value;
    s->shown = value;
    struct home_change change = change_of(w, wish->time_us, wish->entity, wish->cause, context);
    change.attributes_only = same;
    change.habit = wish->habit;
    change.step = wish->step;
    emit_change(w, &change);
}

void world_show(struct home_world *w, int64_t time_us, uint32_t entity, int32_t value,
                uint8_t cause, const struct home_context *context)
{
    struct entity_state *s = &w->states[entity];
    if (s->shown == value)
        return;
    s->shown = value;
    const struct home_context own = context != NULL ? *context : world_new_context(w, time_us);
    const struct home_change change = change_of(w, time_us, entity, cause, &own);
    emit_change(w, &change);
}

void world_touch(struct home_world *w, int64_t time_us, uint32_t entity, uint8_t cause,
                 const struct home_context *context)
{
    struct home_change change = change_of(w, time_us, entity, cause, context);
    change.attributes_only = true;
    emit_change(w, &change);
}
