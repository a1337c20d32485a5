/* Who acts: every switchable entity, with what people did to it. */
#include "mine/actors.h"

#include <stdlib.h>

#include "core/xalloc.h"

static void actors_add(struct actors *actors, const struct history *h, size_t entity,
                       const struct days *days, const struct restarts *restarts)
{
    actors->list = grow_array(actors->list, actors->count, &actors->capacity, sizeof *actors->list);
    struct actor *actor = &actors->list[actors->count++];
    *actor = (struct actor){.entities = xcalloc(1, sizeof(size_t)),
                            .entity_ids = xcalloc(1, sizeof(char *)),
                            .count = 1};
    actor->entities[0] = entity;
    actor->entity_ids[0] = h->entities[entity].entity_id;
    for (int verb = 0; verb < RULE_VERB_COUNT; verb++)
        acts_collect(&actor->acts[verb], &h->entities[entity], (enum rule_verb)verb, days,
                     restarts);
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
