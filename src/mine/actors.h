/* What people operate: single devices, and groups of devices that always act as one. Pure. */
#ifndef HA_AI_MINE_ACTORS_H
#define HA_AI_MINE_ACTORS_H

#include "mine/acts.h"
#include "mine/days.h"
#include "model/history.h"
#include "model/rule.h"

struct actor {
    size_t *entities;        /* indices into history.entities, sorted; at least one */
    const char **entity_ids; /* of these; the strings are the history's */
    size_t count;
    struct acts acts[RULE_VERB_COUNT]; /* by verb; of a group: one for all members, the first's */
};

/* Each entity with a valid id that can be switched, on or off, is an actor, by entity_id; behind
 * them each group is one more, with its living members, or with the entity that Home Assistant has
 * for exactly these. Each act belongs to one actor: what a member did with its group is the
 * group's, the rest its own. What a group's entity of Home Assistant reports of its members is
 * nobody's act. */
struct actors {
    struct actor *list;
    size_t count, capacity;
};

void actors_init(struct actors *actors, const struct history *h, const struct days *days,
                 const struct restarts *restarts);
void actors_release(struct actors *actors);

#endif
