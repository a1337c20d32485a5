/* A rule in our small closed grammar: what may be suggested, back-tested and deployed, and nothing
 * else. Each trigger, condition and action kind is a row added here. */
#ifndef HA_AI_MODEL_RULE_H
#define HA_AI_MODEL_RULE_H

#include <stdbool.h>
#include <stddef.h>

enum { RULE_ENTITY_ID_MAX = 255, RULE_STATE_MAX = 255 }; /* HA's own limits */
enum {
    RULE_TARGETS_MAX = 50,
    RULE_CONDITIONS_MAX = 3, /* besides the days of the week */
    RULE_VALUES_MAX = 2,     /* of one step */
    RULE_STEPS_MAX = 4,      /* after the first one */
    RULE_DURATION_MAX_S = 7 * 86400,
};

enum rule_trigger_kind {
    RULE_TRIGGER_TIME,  /* every day at a local wall-clock time */
    RULE_TRIGGER_SUN,   /* every day at sunrise or sunset, or some time before or after */
    RULE_TRIGGER_STATE, /* an entity goes into a state */
};

enum rule_sun_event { RULE_SUNRISE, RULE_SUNSET, RULE_SUN_EVENT_COUNT };

struct rule_trigger {
    enum rule_trigger_kind kind;
    int second;                /* TIME: local, 0..86399. SUN: offset, negative = before the event */
    enum rule_sun_event event; /* SUN */
    const char *entity_id;     /* STATE: borrowed */
    const char *to;            /* STATE: the state's word, borrowed */
    int for_s;                 /* STATE: and stays there so long; 0 = at once */
    int quiet_s;               /* STATE: after it was in the state before for at least so long */
};

enum rule_condition_kind {
    RULE_WHEN_STATE, /* an entity is in a state */
    RULE_WHEN_BELOW, /* an entity's number is below the limit */
    RULE_WHEN_ABOVE,
    RULE_WHEN_TIME, /* local time of day from..to, over midnight when to <= from */
};

/* All of a rule's conditions must hold at its fire. "It is dark" is the state `below_horizon` of
 * RULE_SUN_ENTITY, "nobody is home" that the number of RULE_HOME_ENTITY is below 1: every HA has
 * both. */
struct rule_condition {
    enum rule_condition_kind kind;
    const char *entity_id; /* STATE, BELOW, ABOVE: borrowed */
    const char *state;     /* STATE: borrowed */
    double limit;          /* BELOW, ABOVE */
    int from_s, to_s;      /* TIME: 0..86399 */
};
#define RULE_SUN_ENTITY "sun.sun"
#define RULE_DARK "below_horizon"
#define RULE_DAYLIGHT "above_horizon"
#define RULE_HOME_ENTITY "zone.home"
/* The block of a deployed automation that reports each run; deleting it changes nothing else. */
#define RULE_REPORT_ALIAS "ha-ai: report (may be deleted)"

/* Days of the week as bits: 1 << 0 is Monday. */
enum { RULE_WEEKDAYS = 0x1f, RULE_WEEKEND = 0x60, RULE_EVERY_DAY = 0x7f };

/* What the action does, as an index of rule_verbs. */
enum rule_verb {
    RULE_TURN_ON,
    RULE_TURN_OFF,
    RULE_SET, /* an attribute to a value, whatever the entity's state */
    RULE_VERB_COUNT,
    RULE_SWITCHING_COUNT = RULE_SET, /* those before it lead to a state */
};

struct rule_verb_row {
    const char *service; /* "turn_on": the service within the entity's own domain; of SET "set",
                            and the attribute's row has the service */
    const char *state;   /* the state that it leads to; NULL = none */
    const char *phrase;  /* "turn on", for people */
    const char *past;    /* "turned on" */
};
extern const struct rule_verb_row rule_verbs[RULE_VERB_COUNT];

/* What people choose besides on and off, as an index of rule_attributes. */
enum rule_attribute {
    RULE_BRIGHTNESS,
    RULE_COLOR_TEMPERATURE,
    RULE_PERCENTAGE, /* a fan's speed */
    RULE_VOLUME,
    RULE_SETPOINT,
    RULE_POSITION, /* a cover's */
    RULE_ATTRIBUTE_COUNT,
};

struct rule_attribute_row {
    const char *domain;
    const char *attribute; /* "brightness": in the entity's attributes */
    const char *field;     /* "brightness_pct": in the service's data */
    const char *service;   /* "turn_on": sets it, within the domain */
    bool with_turn_on;     /* turn_on takes it as well */
    bool is_recorded;      /* the recorder keeps the attribute; else it only knows the calls */
    double scale;          /* field = attribute x scale, */
    double step;           /* rounded to a multiple of this */
    double low, high;      /* what the field may be */
    const char *noun;      /* "brightness", for people */
    const char *unit;      /* " %"; "" = none */
    double shown;          /* for people: field x shown */
};
extern const struct rule_attribute_row rule_attributes[RULE_ATTRIBUTE_COUNT];

struct rule_value {
    enum rule_attribute attribute;
    double value; /* of the service's field */
};

/* What one step does: one service on all targets. */
struct rule_step {
    int delay_s;                   /* before it, after the step before */
    const char *const *entity_ids; /* borrowed */
    size_t entity_count;
    enum rule_verb verb;
    struct rule_value values[RULE_VALUES_MAX]; /* TURN_ON: none or some; SET: exactly one */
    size_t value_count;
};

struct rule {
    struct rule_trigger trigger;
    unsigned weekdays;             /* condition: bits, RULE_EVERY_DAY = no condition */
    const char *const *entity_ids; /* borrowed: the targets, one or a group that acts as one */
    size_t entity_count;
    enum rule_verb verb;
    struct rule_value values[RULE_VALUES_MAX];
    size_t value_count;
    struct rule_condition conditions[RULE_CONDITIONS_MAX];
    size_t condition_count;
    const struct rule_step *steps; /* borrowed: what follows the first act; NULL = nothing */
    size_t step_count;
};

/* Whether the entity's domain is one that we may switch on and off, by way of rule_verbs. */
bool rule_domain_is_switchable(const char *entity_id);

/* Whether the domain knows that verb: what may be switched, TURN_OFF of a media player, TURN_ON of
 * a scene, which activates it, and of a lock, which locks it. */
bool rule_domain_can(const char *entity_id, enum rule_verb verb);

/* A lock is only ever locked: its TURN_ON. */
bool rule_is_lock(const char *entity_id);

/* The verb's service within the entity's domain ("turn_on", of a lock "lock"), and the state that
 * it leads to ("on", "locked"; NULL = none). Static. */
const char *rule_service_of(enum rule_verb verb, const char *entity_id);
const char *rule_state_of(enum rule_verb verb, const char *entity_id);

/* A scene's state is the time at which it was activated last; in a history it is `on` at that
 * moment and else `off`. */
bool rule_is_scene(const char *entity_id);

/* Whether the entity's domain has that attribute. */
bool rule_has_attribute(const char *entity_id, enum rule_attribute attribute);

/* A value as the service takes it: scaled from the attribute's, rounded to the step, within low and
 * high. */
double rule_field_of_attribute(enum rule_attribute attribute, double value);

/* HA's form of an entity id: lower-case letters, digits and single inner underscores on both sides
 * of one dot. What fails this never reaches a template or an action. */
bool rule_entity_id_is_valid(const char *entity_id);

/* A state that a trigger may wait for: 1 to 255 bytes of valid UTF-8 without control characters and
 * template brackets, and neither `unavailable` nor `unknown`. */
bool rule_state_is_valid(const char *state);

/* The rule's own act as a step. Borrows the rule's targets. */
struct rule_step rule_first_step(const struct rule *rule);

/* Whether the first act is for that entity. */
bool rule_has_target(const struct rule *rule, const char *entity_id);

/* Whether every id, word and number of a rule is one that may go into an automation, every target's
 * domain one that we may switch or set, and there are 1 to RULE_TARGETS_MAX of them in each step.
 */
bool rule_is_valid(const struct rule *rule);

/* "off" for "on" and the reverse, of an entity whose domain knows only these two; NULL for any
 * other. Static. */
const char *rule_opposite_state(const char *entity_id, const char *state);

/* "mon".."sun", HA's names; weekday 0 = Monday. */
const char *rule_weekday_name(int weekday);

/* Number of days of the week in a set. */
int rule_weekday_count(unsigned weekdays);

#endif
