/* Spells: how long an entity was in a state each time, and who ended it. Pure. */
#ifndef HA_AI_MINE_SPELLS_H
#define HA_AI_MINE_SPELLS_H

#include "mine/actors.h"
#include "mine/acts.h"
#include "mine/days.h"
#include "model/history.h"

enum spell_end {
    SPELL_CUT,   /* `unavailable`, a restart, the end of the history: nobody knows when it ended */
    SPELL_ENDED, /* by whom or what is not known, or not asked */
    SPELL_BY_PERSON,
    SPELL_BY_MACHINE, /* an automation, a script, a timer */
};

struct spell {
    int64_t begin_ms, end_ms; /* UTC */
    int day;                  /* index into days, of its begin; may lie outside */
    int second;               /* local, of its begin */
    enum spell_end end;
    bool is_resumed; /* it came back from `unavailable`: its begin is not known */
};

struct spells {
    struct spell *list; /* in time order */
    size_t count, capacity;
};

/* Every time that the entity was in that state. Release. */
void spells_collect(struct spells *spells, const struct history *h,
                    const struct history_entity *entity, uint16_t state, const struct days *days,
                    const struct restarts *restarts);
void spells_release(struct spells *spells);

/* The state in which an actor's first device is in use: the one that people mostly end. `on`, but
 * for media players. */
uint16_t spells_state_of_use(const struct history *h, const struct actor *actor);

/* Of what was collected of an actor's first device: who ended it. What neither a person nor a
 * machine did is cut. */
void spells_find_ends(struct spells *spells, const struct actor *actor);

#endif
