/* The plan of a simulated home: its entities, its people, what they do, and what runs by itself.
 * A plan follows from its settings alone and is immutable. */
#ifndef HA_AI_HOME_PLAN_H
#define HA_AI_HOME_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

enum {
    HOME_ENTITIES_MIN = 8,
    HOME_ENTITIES_MAX = 5000,
    HOME_HABITS_MAX = 2500,
    HOME_BUMPS_MAX = 3,
    HOME_HABITS_PER_ENTITY = 2,
    HOME_STEPS_MAX = 3,
    HOME_AREA_COUNT = 16,
    HOME_PEOPLE_MAX = 2,
    HOME_ID_SIZE = 16,
    HOME_ALL_DAYS = 0x7f,
    HOME_WEEKDAYS = 0x1f,
    HOME_WEEKEND = 0x60,
};

/* States of everything that is not a number; a number's value is an integer in units of its last
 * digit. A person or tracker that is on is home, a media player plays. */
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
    HOME_MEDIA_PLAYER,
    HOME_USED_DOMAINS, /* those before it are what people operate */
    HOME_BINARY_SENSOR = HOME_USED_DOMAINS,
    HOME_SENSOR,
    HOME_AUTOMATION,
    HOME_PERSON,
    HOME_TRACKER,
    HOME_DOMAIN_COUNT
};

enum home_role {
    HOME_ROLE_HABITUAL,   /* people use it, by habit too */
    HOME_ROLE_DISTRACTOR, /* people use it, without any habit */
    HOME_ROLE_MEMBER,     /* acts as its group's leader does */
    HOME_ROLE_AUTOMATED,  /* an existing automation works it, people now and then */
    HOME_ROLE_MACHINE,    /* its own timer works it, people now and then */
    HOME_ROLE_DETECTOR,   /* motion, doors */
    HOME_ROLE_MEASURED,   /* numbers */
    HOME_ROLE_AUTOMATION, /* the automation entity itself */
    HOME_ROLE_PRESENCE,   /* persons and their trackers */
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
    int group;                            /* index into groups, or -1 */
    const struct home_quantity *quantity; /* sensors */
    const char *device_class;             /* detectors */
    bool is_front_door;
    struct home_profile profile;
    double physical_share; /* of people's acts: by a switch on the wall instead of in HA */
    double phase;          /* [0, 1): where a sensor's wave starts, where its readings fall */
    int auto_off_s;        /* its own timer ends each use; else 0 */
    double after_coming;   /* chance of a use in the hours after somebody came home */
    bool has_level;        /* brightness, speed or volume */
    int64_t dies_on;       /* local day from which it says nothing any more; INT64_MAX: never */
    double flapping_share; /* of its days: on and off and on for hours */
};

/* Kinds of habits; the values are stable, a set of them is a bit mask. */
enum home_habit_kind {
    HOME_TIME_OF_DAY,
    HOME_SUN,
    HOME_SEQUENCE,
    HOME_LEFT_ON,    /* a use has a usual length; now and then the end is forgotten */
    HOME_VALUE,      /* what is switched on late gets the same level */
    HOME_CHAIN,      /* one thing after another, on whatever began it */
    HOME_LONG_QUIET, /* a detector that never rested so long as it does near the end */
    HOME_KIND_COUNT
};

enum home_gate { HOME_UNGATED, HOME_GATE_PRESENCE, HOME_GATE_DARK, HOME_GATE_COUNT };

/* What kinds of trouble a home may have; a bit mask. */
enum home_trouble {
    HOME_DRIFT = 1,    /* habits that move by some minutes a month */
    HOME_CHANGE = 2,   /* habits that begin late or stop early */
    HOME_HOLIDAYS = 4, /* nobody home for days */
    HOME_GUESTS = 8,   /* days with more use of everything */
    HOME_SENSORS = 16, /* detectors that die or flap */
    HOME_TROUBLES_ALL = 31,
};

struct home_step {
    uint32_t entity;
    int32_t word;
    double lag_s; /* median, after the step before */
};

struct home_habit {
    enum home_habit_kind kind;
    uint32_t entity;
    int32_t word;     /* HOME_ON or HOME_OFF: the half that has its time */
    uint8_t weekdays; /* bit 0 = Monday */
    double at_s;      /* time of day: local second. Sun: seconds after the event */
    bool at_sunset;   /* sun: else sunrise */
    uint32_t trigger; /* sequence: whose change to trigger_word comes before */
    int32_t trigger_word;
    double lag_s, lag_spread; /* sequence: median and spread (lognormal) from trigger to act */
    enum home_gate gate;
    int gate_person;          /* presence: index of the person */
    double sigma_s;           /* jitter, of a normal */
    double adherence;         /* probability on a day of its class, or after a trigger */
    double drift_s;           /* over the whole history; `at_s` is reached in its middle */
    int64_t from_day, to_day; /* local days between which it lives */
    double duration_s;        /* median time between the two halves */
    double duration_spread;
    int level;                              /* value: percent, of what is switched on after at_s */
    struct home_step steps[HOME_STEPS_MAX]; /* chain: what follows the act */
    int step_count;
};

/* Devices that always act together: a use of the leader is a use of all. */
struct home_group {
    uint32_t leader;
    uint32_t first_member;
    uint32_t member_count; /* besides the leader, neighbours in the list of entities */
    int64_t entity;        /* HA's own light group of them, or -1 */
    double latest_s;       /* the last one acts so long after the first, at most */
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

/* A device with a timer of its own: to the second, every day; or off so long after it went on. */
struct home_machine {
    uint32_t entity;
    int on_s, off_s; /* local seconds of the day */
    int off_after_s; /* else 0 */
};

/* A resident's usual day, in local seconds; each is the middle of what days really have. */
struct home_person {
    const char *name;
    uint8_t user[HOME_ID_SIZE]; /* HA's id of the user */
    int64_t entity, tracker;    /* or -1 */
    uint8_t workdays;           /* bit 0 = Monday */
    double wake_s, leave_s, return_s, bed_s;
    double jitter_s; /* of leaving and returning */
    double errands;  /* a day */
};

struct home_span {
    int64_t from_day, to_day; /* local days, both included; from > to: never */
};

struct home_settings {
    uint64_t seed;
    int entities;
    int habits;       /* < 0: as many as suit the size */
    unsigned kinds;   /* set of 1 << enum home_habit_kind */
    unsigned gates;   /* set of 1 << enum home_gate, for time, sun and sequence habits */
    unsigned trouble; /* set of enum home_trouble */
    double adherence_low, adherence_high;
    double sigma_low_min, sigma_high_min;
    int64_t first_day, last_day; /* complete local days of the history */
    double latitude, longitude;
};

struct home {
    struct home_settings settings;
    uint64_t seed;
    struct home_entity *entities;
    size_t entity_count;
    struct home_habit *habits;
    size_t habit_count;
    struct home_group *groups;
    size_t group_count;
    struct home_rule *rules;
    size_t rule_count;
    struct home_machine *machines;
    size_t machine_count;
    struct home_person people[HOME_PEOPLE_MAX];
    int people_count;
    double area_weights[HOME_AREA_COUNT]; /* how often people go there; 0: not in this home */
    struct home_span holidays, guests;
};

/* Everything a benchmark has: all kinds, gates and trouble, adherence 0.60..0.95, sigma 2..30 min,
 * in Berlin. */
struct home_settings home_settings_default(uint64_t seed, int entities, int64_t first_day,
                                           int64_t last_day);

/* Makes a plan. -1 with *err when the home cannot have that many entities or habits (at least half
 * of the used devices must be without). */
int home_init(struct home *home, const struct home_settings *settings, struct error *err);
void home_release(struct home *home);

/* Entities of HA itself: there at once when it starts, never unreachable. */
bool home_lives_in_ha(enum home_domain domain);

const char *home_area_name(int area);

/* Cellar and the like: people go there now and then. */
bool home_is_seldom_visited(int area);

const char *home_domain_name(enum home_domain domain);
const char *home_role_name(enum home_role role);
const char *home_kind_name(enum home_habit_kind kind);
const char *home_gate_name(enum home_gate gate);

/* HA's name for the level of a domain's entities; NULL: they have none. A lamp's is in the service
 * call alone, for HA's recorder leaves it out of the rows. */
const char *home_level_name(enum home_domain domain);

/* HA's word for HOME_ON and HOME_OFF in a domain. */
const char *home_word_name(enum home_domain domain, int32_t word);

/* "all", "weekdays", "weekend" or "mon" … "sun". */
const char *home_day_class(uint8_t weekdays);

#endif
