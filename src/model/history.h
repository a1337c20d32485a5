/* What a home did: state changes in columns, entity by entity, plus when the recorder was looking.
 * Pure data. A history is filled once (by source/) and read by the miners; it is immutable then. */
#ifndef HA_AI_MODEL_HISTORY_H
#define HA_AI_MODEL_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who caused a change, as far as the row's context tells. */
enum cause {
    CAUSE_PERSON,    /* context has a user and no parent: someone in HA */
    CAUSE_PHYSICAL,  /* neither user nor parent: a wall switch, a device, or a machine's schedule */
    CAUSE_AUTOMATION /* context has a parent, or is that of an automation's own run */
};

/* Indices into history.states that every history has. */
enum history_state {
    HISTORY_STATE_UNAVAILABLE,
    HISTORY_STATE_UNKNOWN,
    HISTORY_STATE_ON,
    HISTORY_STATE_OFF,
    HISTORY_STATE_OTHER, /* not a word: a number among words, or beyond the maximum below */
    HISTORY_STATE_FIXED_COUNT
};

/* A value that an entity's attribute took, in the unit of the service that sets it. */
struct history_value {
    int64_t time_ms;   /* UTC */
    double value;      /* rule_field_of_attribute() */
    uint8_t attribute; /* enum rule_attribute */
    uint8_t cause;     /* enum cause: who chose it */
    bool is_told;      /* by a call: it was chosen, also where it was so already */
};

/* One entity's state *changes* (rows that only touch attributes are left out), in time order; two
 * neighbours always differ in state. Numbers, time stamps and free text are counted, not kept:
 * changes == 0 while rows > 0. An entity that was removed is unavailable from then on. */
struct history_entity {
    char *entity_id;
    char *name;     /* friendly name: attributes, else registry, else the id made readable */
    char *area;     /* area's name, or NULL */
    char *members;  /* of a group of Home Assistant's: ids with a space between; else NULL */
    uint64_t rows;  /* rows read of it */
    size_t changes; /* length of the three columns */
    size_t capacity;
    int64_t *time_ms; /* UTC */
    uint16_t *state;  /* index into history.states */
    uint8_t *cause;   /* enum cause */

    char *device_class; /* "illuminance"; NULL = none or not known */
    /* Five-minute means of a number, NAN where there was none; kept of light sensors alone. */
    float *means;
    size_t mean_count;
    int64_t means_from_ms; /* where the first one begins; a multiple of HISTORY_MEAN_MS */
    /* What was chosen of what its domain has of rule_attributes, in time order; neighbours of one
     * attribute may be equal: it was chosen again. */
    struct history_value *values;
    size_t value_count, value_capacity;
};

struct history_span {
    int64_t from_ms, to_ms; /* UTC, [from, to) */
};

struct history {
    struct history_entity *entities; /* sorted by entity_id */
    size_t entity_count, entity_capacity;
    char **states;
    size_t state_count, state_capacity;
    struct history_span *covered; /* when the recorder was recording; sorted, disjoint */
    size_t covered_count, covered_capacity;
    uint64_t state_changes; /* rows read in all, numeric ones included */
    int64_t from_ms, to_ms; /* first and last row */
    const struct tz *tz;    /* borrowed from the caller; the home's zone */
    double latitude, longitude;
    double elevation_m; /* HA's own setting; 0 = not known */
    bool has_location;
};

enum {
    HISTORY_STATES_MAX = 65535, /* distinct state words kept; more are HISTORY_STATE_OTHER */
    HISTORY_ENTITIES_MAX = 100000,
    HISTORY_MEAN_MS = 5 * 60 * 1000,
    HISTORY_MEANS_MAX = 128 * 1024, /* of one sensor: 455 days; older ones are left out */
    HISTORY_LIGHT_SENSORS_MAX = 6,  /* that have means; the first ones by entity_id */
    HISTORY_VALUES_MAX = 64 * 1024, /* of one entity; one with more has none: nobody chose them */
    HISTORY_MEMBERS_MAX = 64,       /* of one group; one with more is taken for a device */
};

void history_init(struct history *h);
void history_release(struct history *h);

/* The entity of that id; NULL when there is none. Any thread. */
const struct history_entity *history_find_entity(const struct history *h, const char *entity_id);

/* Index of an entity's first change at or after a time (UTC ms); `changes` when there is none. Any
 * thread. */
size_t history_find_change(const struct history_entity *entity, int64_t time_ms);

/* Index of the mean that holds at a time (UTC ms): of the five minutes before those that it lies
 * in, for theirs is not over yet. SIZE_MAX when there is none. Any thread. */
size_t history_mean_at(const struct history_entity *entity, int64_t time_ms);

/* That mean; NAN when there is none. Any thread. */
double history_number_at(const struct history_entity *entity, int64_t time_ms);

#endif
