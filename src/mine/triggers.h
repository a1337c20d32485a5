/* What may set something off: each state that an entity enters, with the times at which it did.
 * Pure. */
#ifndef HA_AI_MINE_TRIGGERS_H
#define HA_AI_MINE_TRIGGERS_H

#include "mine/acts.h"
#include "mine/days.h"
#include "mine/gates.h"
#include "model/history.h"

enum {
    TRIGGERS_MAX = 4096,         /* entities and states; more are not looked at */
    TRIGGER_DAYS_MIN = 3,        /* training days on which it must happen at all */
    TRIGGER_DAY_FIRES_MAX = 200, /* mean of those days; what fires more often only chatters */
};

struct trigger {
    size_t entity; /* index into history.entities */
    uint16_t state;
    int64_t *time_ms; /* when it was entered, on training days; UTC, sorted */
    uint8_t *rest;    /* gates_rest_level() of the state before; parallel */
    uint64_t *holds;  /* of gates_mark(); parallel; NULL without gates */
    size_t count;
    int days; /* training days with an entry */
};

struct triggers {
    struct trigger *list; /* by entity, then by first entry */
    size_t count, capacity;
    uint32_t *fires;   /* all of them, bin by bin: trigger << 20 | ms since the bin began */
    size_t *bin_first; /* bin_count + 1 */
    size_t bin_count;
    int64_t origin_ms; /* where bin 0 begins */
};

/* Entries into word states of every entity but automations, scenes, scripts and the sun; not states
 * to which automations bring it most of the time; neither from nor to `unavailable` and `unknown`,
 * and not during restarts. day_start_ms has days->count + 1 elements; gates may be NULL. Release.
 */
void triggers_init(struct triggers *triggers, const struct history *h, const struct days *days,
                   const struct restarts *restarts, const int64_t *day_start_ms,
                   const struct gates *gates);
void triggers_release(struct triggers *triggers);

/* Calls visit with the trigger (index into list) of each fire in [from_ms, to_ms], in no certain
 * order. */
void triggers_visit(const struct triggers *triggers, int64_t from_ms, int64_t to_ms,
                    void (*visit)(size_t trigger, void *ctx), void *ctx);

#endif
