/* A home in motion: what its parts share. */
#ifndef HA_AI_HOME_WORLD_PRIVATE_H
#define HA_AI_HOME_WORLD_PRIVATE_H

#include "home/rng.h"
#include "home/world.h"

#define SECOND_US INT64_C(1000000)

/* What an automation has switched on is in no use. */
#define USE_OF_RULE UINT64_MAX
#define USE_OF_DEPLOYED (UINT64_MAX - 1) /* until somebody uses it */

/* What is under way: ends of automation runs, entities coming back, HA coming up. */
enum pending_kind {
    PENDING_UP,
    PENDING_LOAD,
    PENDING_STARTED,
    PENDING_UNKNOWN,
    PENDING_RECOVER,
    PENDING_ACT,
    PENDING_RULE_OFF,
    PENDING_FOLLOW, /* a member of a group does what its leader did */
    PENDING_ARRIVE, /* a cover has reached its position */
};

struct pending {
    int64_t time_us;
    uint64_t order; /* first come, first served at equal times */
    enum pending_kind kind;
    uint32_t entity;
    uint32_t rule;
    uint64_t run; /* of the rule, or of a cover's move */
    int32_t value;
    int16_t level;
    uint8_t cause;
    struct home_context context;
};

struct entity_state {
    uint64_t use;     /* that holds it on */
    int32_t actual;   /* what the thing itself does */
    int32_t shown;    /* what HA believes */
    uint32_t outages; /* under way: shown unavailable until all have ended */
    int32_t reading;  /* of a climate */
    int16_t level, kelvin;
    int64_t stamp_us;  /* of a scene */
    uint64_t undoable; /* use that a deployed automation ended */
    uint64_t move;     /* of a cover: a new one ends the one before */
};

struct home_world {
    const struct home *home;
    const struct home_sink *sink;
    struct entity_state *states;
    uint64_t *runs;                   /* of each rule: a new trigger restarts it */
    struct home_context *activations; /* of each scene: the last one's */
    struct pending *heap;
    size_t heap_count, heap_capacity;
    uint64_t order;
    struct rng rng;
    int64_t now_us;
    bool up;     /* takes what happens */
    bool starts; /* will in a moment */
};

/* --- world_tell.c: contexts, what is under way, what HA is told */

struct home_context world_new_context(struct home_world *w, int64_t time_us);
struct home_context world_child_context(struct home_world *w, int64_t time_us,
                                        const struct home_context *parent);

void world_push(struct home_world *w, struct pending item);
struct pending world_pop(struct home_world *w); /* of a heap that is not empty */

void world_emit_event(struct home_world *w, const struct home_event *event);
void world_emit_start_or_stop(struct home_world *w, int64_t time_us, enum home_event_kind kind);

/* HA sees a state; nothing happens when it knows it already. A context of its own for NULL. */
void world_show(struct home_world *w, int64_t time_us, uint32_t entity, int32_t value,
                uint8_t cause, const struct home_context *context);

/* HA writes a row about a wish's entity, the state being `value`: the same or another one. */
void world_show_act(struct home_world *w, const struct home_wish *wish, int32_t value,
                    const struct home_context *context);

/* HA writes a row in which only attributes are new. */
void world_touch(struct home_world *w, int64_t time_us, uint32_t entity, uint8_t cause,
                 const struct home_context *context);

/* --- world_run.c: automations, covers, outages, groups */

void world_trigger_rule(struct home_world *w, int64_t time_us, uint32_t rule,
                        const struct home_context *trigger);
void world_trigger_by_change(struct home_world *w, int64_t time_us, uint32_t entity,
                             const struct home_context *context);
void world_come_up(struct home_world *w, int64_t time_us);
void world_go_down(struct home_world *w, int64_t time_us, bool clean);
void world_take_position(struct home_world *w, const struct pending *item);

/* The others of a group follow its leader, whose state is new. */
void world_lead(struct home_world *w, int64_t time_us, uint32_t entity, uint8_t cause,
                const struct home_context *context);

/* Something that was under way happens. */
void world_happen(struct home_world *w, const struct pending *item);

#endif
