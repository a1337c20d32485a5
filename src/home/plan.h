/* The plan of a simulated home: its entities, what people do with them, and what runs by itself.
 * A plan follows from (seed, number of entities, number of habits) alone and is immutable. */
#ifndef HA_AI_HOME_PLAN_H
#define HA_AI_HOME_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

enum {
    HOME_ENTITIES_MIN = 8,
    HOME_ENTITIES_MAX = 5000,
    HOME_BUMPS_MAX = 3,
    HOME_HABITS_PER_ENTITY = 2,
    HOME_AREA_COUNT = 16,
};

/* States of everything that is not a number; a number's value is an integer in units of its last
 * digit. */
enum home_word {
    HOME_OFF = 0,
    HOME_ON = 1,
    HOME_UNAVAILABLE = INT32_MIN,
    HOME_UNKNOWN = INT32_MIN + 1,
    HOME_ABSENT = INT32_MIN + 2, /* HA has no such state yet */
};

enum home_domain {
    HOME_LIGHT,
    HOME_SWITCH,
    HOME_FAN,
    HOME_INPUT_BOOLEAN,
    HOME_BINARY_SENSOR,
    HOME_SENSOR,
    HOME_AUTOMATION,
    HOME_DOMAIN_COUNT
};

enum home_role {
    HOME_ROLE_HABITUAL,   /* people use it, by habit too */
    HOME_ROLE_DISTRACTOR, /* people use it, without any habit */
    HOME_ROLE_AUTOMATED,  /* an existing automation works it, people now and then */
    HOME_ROLE_MACHINE,    /* its own timer works it, people now and then */
    HOME_ROLE_DETECTOR,   /* motion, doors */
    HOME_ROLE_MEASURED,   /* numbers */
    HOME_ROLE_AUTOMATION, /* the automation entity itself */
    HOME_ROLE_COUNT
};

/* What a numeric sensor measures. */
struct home_quantity {
    const char *noun; /* "temperature": last word of the name */
    const char *device_class;
    const char *unit;
    int decimals;
    double base, wave, drift, noise; /* level, daily wave, wander from day to day, white noise */
    double low, high;                /* range of the values */
    double share;                    /* of the readings: a chatty sensor has more */
};

/* When people use something: a mixture of bumps over the day, none narrower than three hours at
 * half its height, over an even background. */
struct home_profile {
    double per_day;
    double weekend_factor;
    double background; /* share of the uses that come at any time */
    int bump_count;
    double center_s[HOME_BUMPS_MAX], sigma_s[HOME_BUMPS_MAX];
    double duration_s, duration_spread; /* median and spread (lognormal) of a use */
};

struct home_entity {
    char *entity_id;
    char *name; /* its slug is the object id */
    int area;   /* index, home_area_name() */
    enum home_domain domain;
    enum home_role role;
    const struct home_quantity *quantity; /* sensors */
    const char *device_class;             /* detectors */
    struct home_profile profile;
    double physical_share; /* of people's acts: by a switch on the wall instead of in HA */
    double phase;          /* [0, 1): where a sensor's wave starts, where its readings fall */
};

struct home_habit {
    uint32_t entity;
    int32_t word;      /* HOME_ON or HOME_OFF: the half that has its time */
    uint8_t weekdays;  /* bit 0 = Monday */
    double at_s;       /* local second of the day */
    double sigma_s;    /* jitter, of a normal */
    double adherence;  /* probability on a day of its class */
    double duration_s; /* median time between the two halves */
    double duration_spread;
};

/* An automation that exists already: at a time or on a detector, switches something on, and off
 * again after a delay. */
struct home_rule {
    uint32_t automation; /* its entity */
    uint32_t target;
    int64_t trigger; /* a detector's entity that goes on, or -1: at a time */
    int at_s;
    int off_after_s;
};

/* A device with a timer of its own: to the second, every day. */
struct home_machine {
    uint32_t entity;
    int on_s, off_s;
};

struct home {
    uint64_t seed;
    struct home_entity *entities;
    size_t entity_count;
    struct home_habit *habits;
    size_t habit_count;
    struct home_rule *rules;
    size_t rule_count;
    struct home_machine *machines;
    size_t machine_count;
};

/* Makes a plan. habits < 0: as many as suit the size. -1 with *err when the home cannot have that
 * many entities or habits (at least half of the used devices must be without). */
int home_init(struct home *home, uint64_t seed, int entities, int habits, struct error *err);
void home_release(struct home *home);

const char *home_area_name(int area);
const char *home_domain_name(enum home_domain domain);
const char *home_role_name(enum home_role role);

/* "all", "weekdays", "weekend" or "mon" … "sun". */
const char *home_day_class(uint8_t weekdays);

#endif
