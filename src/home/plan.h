/* The plan of a simulated home: its entities, its people, what they do, and what runs by itself.
 * A plan follows from its settings alone and is immutable. */
#ifndef HA_AI_HOME_PLAN_H
#define HA_AI_HOME_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/tz.h"

enum {
    HOME_ENTITIES_MIN = 8,
    HOME_ENTITIES_MAX = 5000,
    HOME_HABITS_MAX = 2500,
    HOME_BUMPS_MAX = 3,
    HOME_HABITS_PER_ENTITY = 3,
    HOME_STEPS_MAX = 3,
    HOME_SCENE_MEMBERS_MAX = 4,
    HOME_ANOMALIES_MAX = 8,
    HOME_AREA_COUNT = 16,
    HOME_PEOPLE_MAX = 2,
    HOME_ID_SIZE = 16,
    HOME_NO_LEVEL = -1,
    HOME_ALL_DAYS = 0x7f,
    HOME_WEEKDAYS = 0x1f,
    HOME_WEEKEND = 0x60,
};

/* States of everything that is not a number; a number's value is an integer in units of its last
 * digit, a selection's the option's index, a scene's how often it was activated. A person or
 * tracker that is on is home, a media player plays, a cover is open, a lock unlocked, a climate
 * heats. */
enum home_word {
    HOME_OFF = 0,
    HOME_ON = 1,
    HOME_OPENING = 2, /* a cover on its way */
    HOME_CLOSING = 3,
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
    HOME_USED_DOMAINS, /* those before it are what people switch on and off */
    HOME_BINARY_SENSOR = HOME_USED_DOMAINS,
    HOME_SENSOR,
    HOME_AUTOMATION,
    HOME_PERSON,
    HOME_TRACKER,
    HOME_CLIMATE,
    HOME_COVER,
    HOME_LOCK,
    HOME_SCENE,
    HOME_INPUT_SELECT,
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
    HOME_ROLE_MODE,       /* what people tell HA about the day: a selection or a helper */
    HOME_ROLE_SCENE,
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
    bool has_level;        /* brightness, speed, volume, setpoint or position */
    bool has_kelvin;       /* colour temperature, of a lamp with a level */
    bool slides;           /* its level is chosen with a slider: a point or two off */
    bool tells_moving;     /* a cover that says that it is on its way */
    double daylight;       /* light sensors: the share of the light outside that reaches it */
    int report_s;          /* reports changes at this step, whatever the pace; 0: at the pace */
    int64_t dies_on;       /* local day from which it says nothing any more; INT64_MAX: never */
    double flapping_share; /* of its days: on and off and on for hours */
};

/* Kinds of habits; a set of them is a bit mask. */
enum home_habit_kind {
    HOME_TIME_OF_DAY,
    HOME_SUN,
    HOME_SEQUENCE,
    HOME_LEFT_ON,    /* a use has a usual length; now and then the end is forgotten */
    HOME_VALUE,      /* what is chosen: on what is switched on late, or at its own time */
    HOME_CHAIN,      /* one thing after another, on whatever began it */
    HOME_LONG_QUIET, /* on a detector that goes on after hours of rest, and only then */
    HOME_SCENE_KIND, /* people activate a scene */
    HOME_KIND_COUNT
};

/* What brings a habit's act about. */
enum home_begin {
    HOME_AT_TIME,
    HOME_AT_SUN,
    HOME_AFTER_TRIGGER,
    HOME_IN_USE, /* it is about how something is used: how long, how bright */
};

/* What a habit hangs on besides; a set of them is a bit mask. */
enum home_gate_kind {
    HOME_UNGATED,
    HOME_GATE_PRESENCE, /* a person is home */
    HOME_GATE_DARK,     /* the sun is below the horizon */
    HOME_GATE_LUX,      /* a light sensor shows less */
    HOME_GATE_MODE,     /* a mode has a state */
    HOME_GATE_WINDOW,   /* local time of day */
    HOME_GATE_DAYS,     /* days of the week, of what follows a trigger; in settings alone */
    HOME_GATE_COUNT
};

struct home_gate {
    enum home_gate_kind kind;
    int person;
    uint32_t entity;     /* of the light sensor, of the mode */
    int32_t word;        /* the mode's */
    double lux;          /* less than this */
    double from_s, to_s; /* window; from > to: over midnight */
};

/* What kinds of trouble a home may have; a bit mask. */
enum home_trouble {
    HOME_DRIFT = 1,    /* habits that move by some minutes a month */
    HOME_CHANGE = 2,   /* habits that begin late or stop early */
    HOME_HOLIDAYS = 4, /* nobody home for days */
    HOME_GUESTS = 8,   /* days with more use of everything */
    HOME_SENSORS = 16, /* detectors that die or flap */
    HOME_TROUBLES_ALL = 31,
};

/* What is out of the ordinary when the history ends; a set of them is a bit mask. */
enum home_anomaly_kind {
    HOME_OPEN_AT_NIGHT, /* a door or window, all the last night */
    HOME_STILL_ON,      /* something, for much longer than ever */
    HOME_UNLOCKED,      /* a lock, likewise */
    HOME_MISSED,        /* a habit that hardly ever failed */
    HOME_SILENT,        /* a detector that was never silent so long */
    HOME_ANOMALY_COUNT
};

struct home_anomaly {
    enum home_anomaly_kind kind;
    uint32_t entity;
    int habit;              /* of what was missed, or -1 */
    int64_t day;            /* of what was missed; local */
    int64_t from_us, to_us; /* INT64_MAX: beyond the end */
};

struct home_step {
    uint32_t entity;
    int32_t word;
    double lag_s;  /* median, after the step before */
    double chance; /* that it follows, when the step before was done */
};

struct home_habit {
    enum home_habit_kind kind;
    enum home_begin begin;
    uint32_t entity;
    int32_t word;     /* HOME_ON or HOME_OFF: the half that has its time */
    uint8_t weekdays; /* bit 0 = Monday */
    double at_s;      /* time of day: local second. Sun: seconds after the event */
    bool at_sunset;   /* sun: else sunrise */
    uint32_t trigger; /* sequence: whose change to trigger_word comes before */
    int32_t trigger_word;
    double lag_s, lag_spread; /* sequence: median and spread (lognormal) from trigger to act */
    double quiet_s;           /* long quiet: the trigger's rest before */
    struct home_gate gate;
    double sigma_s;           /* jitter, of a normal */
    double adherence;         /* probability on a day of its class, or after a trigger */
    double drift_s;           /* over the whole history; `at_s` is reached in its middle */
    int64_t from_day, to_day; /* local days between which it lives */
    double duration_s;        /* median time between the two halves */
    double duration_spread;
    double long_share; /* left on: of the uses that are not forgotten, these last several times */
    int level;  /* percent, or tenths of a degree. Of HOME_IN_USE: of what is switched on after at_s
                 */
    int kelvin; /* 0: none */
    double level_adherence;                 /* share of its acts that get the level */
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

/* An automation that came later, at a time or by the sun. */
struct home_deployed {
    int64_t since_us;
    int at_s; /* local second of the day, or after the sun's event */
    bool by_sun, at_sunset;
    uint8_t weekdays;
    uint32_t entity;
    int32_t value; /* HOME_ON or HOME_OFF */
    int16_t level; /* percent, or HOME_NO_LEVEL */
};

/* A device with a timer of its own: to the second, every day; or off so long after it went on. A
 * climate has a setpoint at each time instead, in tenths of a degree. */
struct home_machine {
    uint32_t entity;
    int on_s, off_s; /* local seconds of the day */
    int off_after_s; /* else 0 */
    int on_level, off_level;
};

/* A scene of HA's: what it switches on, and how. */
struct home_scene {
    uint32_t entity;
    uint32_t members[HOME_SCENE_MEMBERS_MAX];
    int levels[HOME_SCENE_MEMBERS_MAX]; /* percent, of those that have one */
    int member_count;
};

/* On some days people tell HA for some hours that this is another sort of day. */
struct home_mode {
    uint32_t entity;
    int32_t usual;   /* the word outside of these hours */
    int32_t special; /* the word that they mostly choose */
    double chance;   /* on a day */
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
    int habits;         /* < 0: as many as suit the size */
    unsigned kinds;     /* set of 1 << enum home_habit_kind */
    unsigned gates;     /* set of 1 << enum home_gate_kind, for time and sequence habits */
    unsigned trouble;   /* set of enum home_trouble */
    unsigned anomalies; /* set of 1 << enum home_anomaly_kind */
    double adherence_low, adherence_high;
    double sigma_low_min, sigma_high_min;
    int64_t first_day, last_day; /* complete local days of the history */
    int64_t end_us;              /* of the history, on the day after; 0: that day's beginning */
    double latitude, longitude;
    const struct tz *tz; /* borrowed while the plan is made; NULL: the local mean time */
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
    struct home_deployed *deployed; /* none in a plan by itself: deployed.h */
    size_t deployed_count;
    struct home_scene *scenes;
    size_t scene_count;
    struct home_mode *modes;
    size_t mode_count;
    struct home_anomaly anomalies[HOME_ANOMALIES_MAX];
    size_t anomaly_count;
    struct home_person people[HOME_PEOPLE_MAX];
    int people_count;
    double area_weights[HOME_AREA_COUNT]; /* how often people go there; 0: not in this home */
    struct home_span holidays, guests;
};

/* Everything a benchmark has: all kinds, gates, trouble and anomalies, adherence 0.60..0.95, sigma
 * 2..30 min, in Berlin. */
struct home_settings home_settings_default(uint64_t seed, int entities, int64_t first_day,
                                           int64_t last_day);

/* Makes a plan. -1 with *err when the home cannot have that many entities or habits (at least half
 * of the used devices must be without). */
int home_init(struct home *home, const struct home_settings *settings, struct error *err);
void home_release(struct home *home);

/* Entities of HA itself: there at once when it starts, never unreachable. */
bool home_lives_in_ha(enum home_domain domain);

/* What is set to a level at once instead of being on for a while: climates, covers, scenes. */
bool home_is_set(enum home_domain domain);

const char *home_area_name(int area);

/* Cellar and the like: people go there now and then. */
bool home_is_seldom_visited(int area);

/* Terrace and garden. */
bool home_is_outside(int area);

/* UTC microseconds of a local second of a day, by the settings' zone. */
int64_t home_settings_us(const struct home_settings *settings, int64_t local_day, double second);

const char *home_domain_name(enum home_domain domain);
const char *home_role_name(enum home_role role);
const char *home_kind_name(enum home_habit_kind kind);
const char *home_gate_name(enum home_gate_kind gate);
const char *home_anomaly_name(enum home_anomaly_kind kind);

/* HA's name for the level of a domain's entities in the service that sets it; NULL: they have none.
 * A lamp's is in the service call alone, for HA's recorder leaves it out of the rows. */
const char *home_level_name(enum home_domain domain);

/* A level as that service takes it: percent, a volume in 0..1, degrees. */
double home_level_value(enum home_domain domain, int level);

/* HA's word for HOME_ON and HOME_OFF in a domain, for a cover's movements, and for a selection's
 * option. */
const char *home_word_name(enum home_domain domain, int32_t word);
enum { HOME_OPTION_COUNT = 4 }; /* of a selection: words 0..3 */

/* "all", "weekdays", "weekend" or "mon" … "sun"; NULL: none of these. */
const char *home_day_class(uint8_t weekdays);

#endif
