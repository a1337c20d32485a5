/* Who acts: every switchable entity, with what people did to it; then the groups among them. */
#include "mine/actors.h"

#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "mine/groups.h"

/* ---- entities that stand for others --------------------------------------------------------- */

static int compare_entity_id(const void *id, const void *entity)
{
    return strcmp(id, ((const struct history_entity *)entity)->entity_id);
}

static const struct history_entity *find_entity(const struct history *h, const char *entity_id)
{
    return h->entity_count == 0 ? NULL
                                : bsearch(entity_id, h->entities, h->entity_count,
                                          sizeof *h->entities, compare_entity_id);
}

/* Whether it went to that state within the time in which groups act. */
static bool changed_to(const struct history_entity *e, int64_t time_ms, uint16_t state)
{
    size_t low = 0, high = e->changes;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (e->time_ms[middle] < time_ms - GROUPS_TOGETHER_MS)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < e->changes && e->time_ms[low] <= time_ms + GROUPS_TOGETHER_MS; low++)
        if (e->state[low] == state)
            return true;
    return false;
}

/* Takes out the acts that only tell what a member did. */
static void drop_echoes(struct acts *acts, const struct history *h,
                        const struct history_entity *group, uint16_t state)
{
    size_t kept = 0;
    for (size_t i = 0; i < acts->count; i++) {
        bool is_echo = false;
        for (size_t k = 0; k < group->member_count && !is_echo; k++) {
            const struct history_entity *member = find_entity(h, group->members[k]);
            is_echo = member != NULL && changed_to(member, acts->list[i].time_ms, state);
        }
        if (!is_echo)
            acts->list[kept++] = acts->list[i];
    }
    acts->count = kept;
}

static bool has_member(const struct history_entity *group, const char *entity_id)
{
    for (size_t i = 0; i < group->member_count; i++)
        if (strcmp(group->members[i], entity_id) == 0)
            return true;
    return false;
}

static bool is_target(const struct actor *actor, const char *entity_id)
{
    for (size_t i = 0; i < actor->count; i++)
        if (strcmp(actor->entity_ids[i], entity_id) == 0)
            return true;
    return false;
}

/* Whether Home Assistant's group holds exactly these. */
static bool stands_for(const struct history_entity *group, const struct actor *actor)
{
    for (size_t i = 0; i < group->member_count; i++)
        if (!is_target(actor, group->members[i]))
            return false;
    for (size_t i = 0; i < actor->count; i++)
        if (!has_member(group, actor->entity_ids[i]))
            return false;
    return group->member_count > 0;
}

/* One entity that stands for all of them is simpler to read and to switch. */
static void replace_by_group_entity(struct actor *actor, const struct history *h)
{
    for (size_t i = 0; i < h->entity_count; i++) {
        const char *id = h->entities[i].entity_id;
        if (!rule_domain_is_switchable(id) || !rule_entity_id_is_valid(id) ||
            !stands_for(&h->entities[i], actor))
            continue;
        actor->entities[0] = i;
        actor->entity_ids[0] = id;
        actor->count = 1;
        return;
    }
}

/* ---- actors --------------------------------------------------------------------------------- */

static void actors_add(struct actors *actors, const struct history *h, size_t entity,
                       const struct days *days, const struct restarts *restarts)
{
    actors->list = grow_array(actors->list, actors->count, &actors->capacity, sizeof *actors->list);
    struct actor *actor = &actors->list[actors->count++];
    *actor = (struct actor){.entities = xcalloc(1, sizeof(size_t)),
                            .entity_ids = xcalloc(1, sizeof(char *)),
                            .count = 1};
    const struct history_entity *e = &h->entities[entity];
    actor->entities[0] = entity;
    actor->entity_ids[0] = e->entity_id;
    for (int verb = 0; verb < RULE_VERB_COUNT; verb++) {
        acts_collect(&actor->acts[verb], e, (enum rule_verb)verb, days, restarts);
        if (e->member_count > 0)
            drop_echoes(&actor->acts[verb], h, e,
                        verb == RULE_TURN_ON ? HISTORY_STATE_ON : HISTORY_STATE_OFF);
    }
}

void actors_init(struct actors *actors, const struct history *h, const struct days *days,
                 const struct restarts *restarts)
{
    *actors = (struct actors){.list = NULL};
    for (size_t i = 0; i < h->entity_count; i++) {
        const char *id = h->entities[i].entity_id;
        if (rule_domain_is_switchable(id) && rule_entity_id_is_valid(id))
            actors_add(actors, h, i, days, restarts);
    }
    size_t devices = actors->count;
    groups_gather(actors, h, days);
    for (size_t i = devices; i < actors->count; i++)
        replace_by_group_entity(&actors->list[i], h);
}

void actors_release(struct actors *actors)
{
    for (size_t i = 0; i < actors->count; i++) {
        for (int verb = 0; verb < RULE_VERB_COUNT; verb++)
            acts_release(&actors->list[i].acts[verb]);
        free(actors->list[i].entities);
        free(actors->list[i].entity_ids);
    }
    free(actors->list);
    *actors = (struct actors){.list = NULL};
}
