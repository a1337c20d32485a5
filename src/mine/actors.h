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
    struct acts acts[RULE_VERB_COUNT]; /* of people, by verb; of a group: one for all members */
};

struct actors {
    struct actor *list; /* by their first entity */
    size_t count, capacity;
};

/* All switchable entities with valid ids, each in exactly one actor. */
void actors_init(struct actors *actors, const struct history *h, const struct days *days,
                 const struct restarts *restarts);
void actors_release(struct actors *actors);

#endif
