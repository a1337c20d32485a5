/* A home in motion: takes wishes in time order, knows the state of everything, follows the existing
 * automations, and tells what HA's recorder would write down: to a database, or to a live show. */
#ifndef HA_AI_HOME_WORLD_H
#define HA_AI_HOME_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "home/day.h"
#include "home/plan.h"

/* HA's context of a change. */
struct home_context {
    uint8_t id[HOME_ID_SIZE]; /* ULID */
    uint8_t parent[HOME_ID_SIZE];
    uint8_t user[HOME_ID_SIZE];
    bool has_parent, has_user;
};

/* One state_changed of HA. */
struct home_change {
    int64_t time_us;
    uint32_t entity;
    int32_t value;
    bool attributes_only; /* the state stayed the same */
    int16_t habit;        /* whose act, or -1 */
    uint8_t step;         /* which of a chain's: 0 = the act itself */
    uint8_t cause;        /* enum home_cause */
    int16_t level;        /* of what is on, or is set; else HOME_NO_LEVEL */
    int16_t kelvin;       /* 0: none, or the recorder does not see it */
    int32_t reading;      /* of a climate: how warm it is, in tenths of a degree */
    int64_t stamp_us;     /* of a scene: when it was activated */
    struct home_context context;
};

enum home_event_kind {
    HOME_EVENT_START,
    HOME_EVENT_STARTED,
    HOME_EVENT_STOP,
    HOME_EVENT_CALL_SERVICE, /* a person had `entity` do `service` */
    HOME_EVENT_AUTOMATION,   /* rule `rule` was triggered */
    HOME_EVENT_COUNT
};

enum home_service {
    HOME_SWITCHES,  /* to value */
    HOME_SETS,      /* a level, whatever the state */
    HOME_ACTIVATES, /* a scene */
    HOME_IN_SCENE,  /* a scene switches a member on */
};

struct home_event {
    int64_t time_us;
    enum home_event_kind kind;
    enum home_service service;
    uint32_t entity;
    int32_t value;
    uint32_t rule;
    int16_t level; /* that the person asked for, or HOME_NO_LEVEL */
    int16_t kelvin;
    int16_t habit; /* whose act it is, when no row tells of it; else -1 */
    struct home_context context;
};

/* Where everything goes; each may be NULL. */
struct home_sink {
    void *data;
    void (*change)(void *data, const struct home_change *change);
    void (*event)(void *data, const struct home_event *event);
    void (*note)(void *data, const struct home_wish *note); /* while HA is up: a WISH_NOTE */
    void (*run_begins)(void *data, int64_t time_us);
    void (*run_ends)(void *data, int64_t time_us, bool clean);
};

struct home_world;

/* Borrows home and sink. HA is not running yet. */
struct home_world *home_world_new(const struct home *home, const struct home_sink *sink);
void home_world_free(struct home_world *world);

/* HA starts and loads its entities; HA stops in an orderly way. */
void home_world_start(struct home_world *world, int64_t time_us);
void home_world_stop(struct home_world *world, int64_t time_us);

/* Lets time pass until a wish and fulfils it. Wishes come in time order. */
void home_world_apply(struct home_world *world, const struct home_wish *wish);

/* Lets time pass: what is under way until time_us happens. */
void home_world_advance(struct home_world *world, int64_t time_us);

/* An automation that came later switches `entity` (value HOME_ON or HOME_OFF). False when it cannot
 * be reached now. */
bool home_world_command(struct home_world *world, int64_t time_us, uint32_t entity, int32_t value);

#endif
