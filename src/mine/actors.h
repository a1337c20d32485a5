/* What people operate: single devices, and groups of devices that always act as one. Pure. */
#ifndef HA_AI_MINE_ACTORS_H
#define HA_AI_MINE_ACTORS_H

#include "mine/acts.h"
#include "mine/days.h"
#include "model/history.h"
#include "model/rule.h"

enum { ACTORS_SCENE_MS = 10 * 1000 }; /* within so much a scene's members have followed it */

enum actor_kind {
    ACTOR_SWITCH,  /* is switched, or activated */
    ACTOR_SETTING, /* one device that people set to about one value; its only verb is RULE_SET */
    ACTOR_SETTING_OF_USE, /* likewise, what they choose when they switch it on (settings.h) */
    ACTOR_LOCK,           /* is locked: its only verb is RULE_TURN_ON */
};

struct actor {
    enum actor_kind kind;
    size_t *entities;        /* indices into history.entities, sorted; at least one */
    const char **entity_ids; /* of these; the strings are the history's */
    size_t count;
    struct acts acts[RULE_VERB_COUNT]; /* by verb; of a group: one for all members, the first's */
    struct rule_value value;           /* of a setting */
    /* Of a setting, owned: `on` while it has about that value, `off` while it has another. Of a
     * lock likewise: `on` while it is locked. */
    struct history_entity *setting;
};

/* Whose states tell whether something can be done to a member, and whether it is done already. */
const struct history_entity *actor_state(const struct actor *actor, const struct history *h,
                                         size_t member);

/* Each switchable entity with a valid id is an actor, and each scene, by entity_id; behind them
 * each group is one more, with its living members, or with the entity that Home Assistant has for
 * exactly these. Each act belongs to one actor: what a member did with its group is the group's,
 * the rest its own. What a group's entity of Home Assistant reports of its members is nobody's act,
 * and neither is what a scene's members do when it is activated; where these are not known,
 * whatever comes within GROUPS_TOGETHER_MS. Then come the locks, by entity_id, and last the
 * settings, by entity and attribute. */
struct actors {
    struct actor *list;
    size_t count, capacity;
};

void actors_init(struct actors *actors, const struct history *h, const struct days *days,
                 const struct restarts *restarts);
void actors_release(struct actors *actors);

enum { ACTORS_TOGETHER_MS = 5 * 60 * 1000 };

/* The dials of the sun on which a machine may be punctual besides the clock. */
struct suns;
struct suns *suns_new(const struct history *h, const struct days *days);
void suns_free(struct suns *suns);
/* Takes what a machine did by the sun out of the acts. */
void suns_move_schedules(const struct suns *suns, struct acts *acts);

/* What acts are found in; borrowed. */
struct actor_ground {
    const struct history *history;
    const struct days *days;
    const struct restarts *restarts;
    const struct suns *suns;
};

/* One actor of these entities (indices into history.entities, at least one), whoever else acts with
 * them. Of several, what people did to at least half of those that were not in that state already,
 * within ACTORS_TOGETHER_MS from the first, is one act, at the first one's time. */
void actor_init(struct actor *actor, const size_t *entities, size_t count,
                const struct actor_ground *ground);
void actor_release(struct actor *actor);

#endif
