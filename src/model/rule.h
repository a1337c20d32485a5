/* A rule in our small closed grammar: what may be suggested, back-tested and deployed, and nothing
 * else. Each trigger, condition and action kind is a row added here. */
#ifndef HA_AI_MODEL_RULE_H
#define HA_AI_MODEL_RULE_H

#include <stdbool.h>
#include <stddef.h>

enum { RULE_ENTITY_ID_MAX = 255, RULE_STATE_MAX = 255 }; /* HA's own limits */
enum { RULE_TARGETS_MAX = 50 };

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
};

/* Days of the week as bits: 1 << 0 is Monday. */
enum { RULE_WEEKDAYS = 0x1f, RULE_WEEKEND = 0x60, RULE_EVERY_DAY = 0x7f };

/* What the action does, as an index of rule_verbs. */
enum rule_verb {
    RULE_TURN_ON,
    RULE_TURN_OFF,
    RULE_VERB_COUNT,
};

struct rule_verb_row {
    const char *service; /* "turn_on": the service within the entity's own domain */
    const char *state;   /* the state that it leads to */
    const char *phrase;  /* "turn on", for people */
    const char *past;    /* "turned on" */
};
extern const struct rule_verb_row rule_verbs[RULE_VERB_COUNT];

struct rule {
    struct rule_trigger trigger;
    unsigned weekdays;             /* condition: bits, RULE_EVERY_DAY = no condition */
    const char *const *entity_ids; /* borrowed: the targets, one or a group that acts as one */
    size_t entity_count;
    enum rule_verb verb;
};

/* Whether the entity's domain is one that we may switch, by way of rule_verbs. */
bool rule_domain_is_switchable(const char *entity_id);

/* HA's form of an entity id: lower-case letters, digits and single inner underscores on both sides
 * of one dot. What fails this never reaches a template or an action. */
bool rule_entity_id_is_valid(const char *entity_id);

/* A state that a trigger may wait for: 1 to 255 bytes of valid UTF-8 without control characters and
 * template brackets, and neither `unavailable` nor `unknown`. */
bool rule_state_is_valid(const char *state);

/* Whether every id and word of a rule is one that may go into an automation, every target's domain
 * one that we may switch, and there are 1 to RULE_TARGETS_MAX of them. */
bool rule_is_valid(const struct rule *rule);

/* "off" for "on" and the reverse, of an entity whose domain knows only these two; NULL for any
 * other. Static. */
const char *rule_opposite_state(const char *entity_id, const char *state);

/* "mon".."sun", HA's names; weekday 0 = Monday. */
const char *rule_weekday_name(int weekday);

/* Number of days of the week in a set. */
int rule_weekday_count(unsigned weekdays);

#endif
