/* Who acts: every switchable entity, with what people did to it; then the groups among them. */
#include "mine/actors.h"

#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "mine/dial.h"
#include "mine/groups.h"

/* ---- entities that stand for others --------------------------------------------------------- */

/* One id of history_entity.members, not terminated. */
struct member {
    const char *id;
    size_t length; /* 0: behind the last one */
};

static struct member next_member(const char *list)
{
    list += strspn(list, " ");
    return (struct member){list, strcspn(list, " ")};
}

static bool is_member(const struct member *member, const char *entity_id)
{
    return strncmp(member->id, entity_id, member->length) == 0 && entity_id[member->length] == '\0';
}

static int compare_entity_id(const void *key, const void *entity)
{
    const struct member *member = key;
    const char *id = ((const struct history_entity *)entity)->entity_id;
    int order = strncmp(member->id, id, member->length);
    return order == 0 && id[member->length] != '\0' ? -1 : order;
}

static const struct history_entity *find_entity(const struct history *h,
                                                const struct member *member)
{
    return bsearch(member, h->entities, h->entity_count, sizeof *h->entities, compare_entity_id);
}

/* Whether it went to that state within the time in which groups act. */
static bool changed_to(const struct history_entity *e, int64_t time_ms, uint16_t state)
{
    for (size_t i = history_find_change(e, time_ms - GROUPS_TOGETHER_MS);
         i < e->changes && e->time_ms[i] <= time_ms + GROUPS_TOGETHER_MS; i++)
        if (e->state[i] == state)
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
        for (struct member m = next_member(group->members); m.length > 0 && !is_echo;
             m = next_member(m.id + m.length)) {
            const struct history_entity *member = find_entity(h, &m);
            is_echo = member != NULL && changed_to(member, acts->list[i].time_ms, state);
        }
        if (!is_echo)
            acts->list[kept++] = acts->list[i];
    }
    acts->count = kept;
}

/* Whether Home Assistant's group holds exactly these. */
static bool stands_for(const struct history_entity *group, const struct actor *actor)
{
    size_t members = 0;
    for (struct member m = next_member(group->members); m.length > 0;
         m = next_member(m.id + m.length)) {
        bool is_target = false;
        for (size_t i = 0; i < actor->count; i++)
            is_target = is_target || is_member(&m, actor->entity_ids[i]);
        if (!is_target)
            return false;
        members++;
    }
    return members == actor->count;
}

/* One entity that stands for all of them is simpler to read and to switch. */
static void replace_by_group_entity(struct actor *actor, const struct history *h)
{
    for (size_t i = 0; i < h->entity_count; i++) {
        const char *id = h->entities[i].entity_id;
        if (h->entities[i].members == NULL || !rule_domain_is_switchable(id) ||
            !rule_entity_id_is_valid(id) || !stands_for(&h->entities[i], actor))
            continue;
        actor->entities[0] = i;
        actor->entity_ids[0] = id;
        actor->count = 1;
        return;
    }
}

/* ---- actors --------------------------------------------------------------------------------- */

/* The dials on which a machine may be punctual besides the clock. */
struct suns {
    struct dial dials[2];
    int count; /* 0 without a location */
};

static void actors_add(struct actors *actors, const struct history *h, size_t entity,
                       const struct days *days, const struct restarts *restarts,
                       const struct suns *suns)
{
    actors->list = grow_array(actors->list, actors->count, &actors->capacity, sizeof *actors->list);
    struct actor *actor = &actors->list[actors->count++];
    *actor = (struct actor){.entities = xcalloc(1, sizeof(size_t)),
                            .entity_ids = xcalloc(1, sizeof(char *)),
                            .count = 1};
    const struct history_entity *e = &h->entities[entity];
    actor->entities[0] = entity;
    actor->entity_ids[0] = e->entity_id;
    for (int verb = 0; verb < RULE_SWITCHING_COUNT; verb++) {
        if (!rule_domain_can(e->entity_id, (enum rule_verb)verb))
            continue;
        acts_collect(&actor->acts[verb], e, (enum rule_verb)verb, days, restarts);
        for (int s = 0; s < suns->count; s++)
            acts_move_schedule(&actor->acts[verb], &suns->dials[s]);
        if (e->members != NULL)
            drop_echoes(&actor->acts[verb], h, e,
                        verb == RULE_TURN_ON ? HISTORY_STATE_ON : HISTORY_STATE_OFF);
    }
}

void actors_init(struct actors *actors, const struct history *h, const struct days *days,
                 const struct restarts *restarts)
{
    *actors = (struct actors){.list = NULL};
    struct suns suns = {.count = 0};
    if (h->has_location) {
        dial_init(&suns.dials[suns.count++], DIAL_SUNRISE, h, days);
        dial_init(&suns.dials[suns.count++], DIAL_SUNSET, h, days);
    }
    for (size_t i = 0; i < h->entity_count; i++) {
        const char *id = h->entities[i].entity_id;
        if (rule_domain_can(id, RULE_TURN_OFF) && rule_entity_id_is_valid(id))
            actors_add(actors, h, i, days, restarts, &suns);
    }
    for (int s = 0; s < suns.count; s++)
        dial_release(&suns.dials[s]);
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
