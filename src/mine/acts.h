/* What people did: the changes of an entity into a state that no automation, machine or restart
 * explains. Pure. */
#ifndef HA_AI_MINE_ACTS_H
#define HA_AI_MINE_ACTS_H

#include "mine/days.h"
#include "model/history.h"
#include "model/rule.h"

enum {
    ACTS_SETTLE_MS = 60 * 1000,       /* after `unavailable`, what changes is restored, not done */
    ACTS_RESTORE_MS = 10 * 60 * 1000, /* so is a first change back to the state before it */
};

struct dial; /* mine/dial.h */

struct act {
    int64_t time_ms; /* UTC */
    int day;         /* index into struct days; may lie outside */
    int second;      /* local wall clock, 0..86399 */
};

struct acts {
    struct act *list; /* what people did, in time order */
    size_t count, capacity;
    struct act *automatic; /* what automations, scripts and machines did, in time order */
    size_t automatic_count, automatic_capacity;
    size_t machine; /* how many of `automatic` are a machine's schedule */
};

/* When the whole home restarted: nothing that changed then was done by a person. */
struct restarts {
    struct history_span *spans; /* sorted, disjoint */
    size_t count, capacity;
};

/* Restarts are the first minute of each covered span, and the minutes in which at least a third of
 * the entities (and three) left or entered `unavailable` or `unknown`. */
void restarts_init(struct restarts *restarts, const struct history *h);
void restarts_release(struct restarts *restarts);
/* Whether that moment (UTC ms) lies in one. */
bool restarts_hold(const struct restarts *restarts, int64_t time_ms);

/* Whether a state is `unavailable` or `unknown`. */
bool acts_is_absent(uint16_t state);

/* Whether somebody could do that to a device in this state: it is known, and not the verb's. Who
 * may only be switched off is in use in any other state. */
bool acts_is_free(uint16_t state, enum rule_verb verb);

/* The acts that took the entity to the verb's state. */
void acts_collect(struct acts *acts, const struct history_entity *entity, enum rule_verb verb,
                  const struct days *days, const struct restarts *restarts);
void acts_release(struct acts *acts);

/* What is done at a time (UTC ms): the day and second that it falls on. False outside of the days.
 */
bool acts_place(struct act *act, int64_t time_ms, const struct days *days);

/* Adds what was done at a time (UTC ms), if that lies on one of the days. To be called in time
 * order.
 */
void acts_add(struct acts *acts, int64_t time_ms, enum cause cause, const struct days *days);

/* Takes what a machine did by the clock out of the list. */
void acts_move_clockwork(struct acts *acts);

/* Takes what a machine did that is punctual on that dial (by the sun) out of the list. */
void acts_move_schedule(struct acts *acts, const struct dial *dial);

/* Index of the first act of a list in time order at or after a time (UTC ms); `count` when there is
 * none. */
size_t acts_find(const struct act *list, size_t count, int64_t time_ms);

/* The day to whose `second` an act belongs: the nearest one round the clock, so an act at 23:58
 * belongs to the next day's 00:03. *offset_s (may be NULL) is how much later than that it was. */
int acts_day_near(const struct act *act, int second, int *offset_s);

#endif
