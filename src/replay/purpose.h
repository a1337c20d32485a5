/* The purpose-specific triggers and conditions of Home Assistant 2026.11 (`light.turned_on`,
 * `motion.is_detected`): a row of a table says what each means; what follows from it is the same
 * for all (helpers/trigger/entity_trigger.py, helpers/condition/entity_condition.py,
 * helpers/target.py). Private to replay/. */
#ifndef HA_AI_REPLAY_PURPOSE_H
#define HA_AI_REPLAY_PURPOSE_H

#include "replay/engine.h"
#include "replay/units.h"

enum {
    PURPOSE_DOMAINS_MAX = 4,
    PURPOSE_WORD_MAX = 40, /* of a domain, device class or attribute in the tables */
    TARGET_IDS_MAX = 1000, /* of each kind */
};

/* When a state is one that is meant. */
enum purpose_valid {
    VALID_IN,          /* its value is one of the words */
    VALID_NOT_IN,      /* ... is none of them */
    VALID_COVER,       /* its value is its domain's own word */
    VALID_NUMBER,      /* its number meets the threshold */
    VALID_ANY,         /* any but unavailable, unknown */
    VALID_INTEGER,     /* a whole number */
    VALID_LIMIT,       /* the state is what the attribute named by the word says */
    VALID_MUTED,       /* media players */
    VALID_UNMUTED,     /* likewise */
    VALID_IN_ZONE,     /* in_zones has the zone */
    VALID_NOT_IN_ZONE, /* ... has not */
    VALID_OCCUPIED,    /* a zone with somebody in it */
    VALID_EMPTY,       /* ... with nobody */
};

/* When a change to such a state is one that is meant. */
enum purpose_change {
    CHANGE_STATE,      /* the state differs */
    CHANGE_TARGET,     /* the value differs and was none of the words */
    CHANGE_TRANSITION, /* ... and was one of `from` */
    CHANGE_ORIGIN,     /* the value was the word and is it no more */
    CHANGE_COVER,      /* the value was known and differs */
    CHANGE_NUMBER,     /* the number differs */
    CHANGE_ENTERED,    /* the old state was not valid */
    CHANGE_CLEARED,    /* somebody was in the zone */
    CHANGE_LESS,       /* whole numbers */
    CHANGE_MORE,       /* likewise */
    CHANGE_MUTED,      /* muted before and not after, or the other way round */
    CHANGE_NEXT_BLOCK, /* a schedule's next event differs */
};

enum purpose_flags {
    PURPOSE_PLAIN = 1 << 0,         /* neither `behavior` nor `for` */
    PURPOSE_NEEDS_VALUE = 1 << 1,   /* an entity without the attribute does not count */
    PURPOSE_SYSTEM_UNIT = 1 << 2,   /* attributes of climates, water heaters, weathers */
    PURPOSE_CONFIG = 1 << 3,        /* a target finds config and diagnostic entities, too */
    PURPOSE_AFTER_UNKNOWN = 1 << 4, /* the old state may be unknown */
    PURPOSE_OF_255 = 1 << 5,        /* the number is a part of 255 */
    PURPOSE_OF_1 = 1 << 6,          /* the number is a part of 1 */
    PURPOSE_VOLUME = 1 << 7,        /* one without volume does not count */
    PURPOSE_SUN = 1 << 8,           /* sun.sun instead of a target */
    PURPOSE_ONE_ZONE = 1 << 9,      /* the zone instead of a target */
    PURPOSE_TRACKED = 1 << 10,      /* `for`: since when it is valid, not since last_changed */
    PURPOSE_UPDATED = 1 << 11,      /* ... counted from last_updated */
    PURPOSE_TEXT = 1 << 12,         /* the option is one text */
};

struct purpose {
    const char *key;
    /* "domain[:device_class][/attribute][=word] ..."; without an attribute the state is the value
     */
    const char *domains;
    enum purpose_valid valid;
    enum purpose_change change;    /* of triggers */
    const char *to, *from;         /* words with spaces between; NULL = the option's, none */
    const char *option;            /* which has to be there, besides behavior and for */
    const char *unit;              /* that a state's number must have; NULL = any */
    const struct units *converter; /* numbers are compared in its first unit; NULL = as they are */
    int64_t features;              /* one of these bits must be in supported_features */
    unsigned flags;
};

/* Each ends with a key of NULL. */
extern const struct purpose purpose_triggers[], purpose_conditions[];

/* A domain that a purpose is for. */
struct domain_spec {
    char domain[PURPOSE_WORD_MAX], device_class[PURPOSE_WORD_MAX], attribute[PURPOSE_WORD_MAX];
    char word[PURPOSE_WORD_MAX];
};

enum target_kind { TARGET_DEVICE, TARGET_AREA, TARGET_FLOOR, TARGET_LABEL, TARGET_KINDS };

struct target_ids {
    size_t *entities; /* indices into automation.entities */
    size_t entity_count;
    char **ids[TARGET_KINDS];
    size_t counts[TARGET_KINDS];
};

enum threshold_type {
    THRESHOLD_ANY,
    THRESHOLD_ABOVE,
    THRESHOLD_BELOW,
    THRESHOLD_BETWEEN,
    THRESHOLD_OUTSIDE
};

enum behavior { BEHAVIOR_EACH, BEHAVIOR_FIRST, BEHAVIOR_ALL, BEHAVIOR_ANY };

/* A purpose as an automation uses it. */
struct purpose_use {
    const struct purpose *purpose;
    size_t index; /* in automation.uses */
    struct domain_spec specs[PURPOSE_DOMAINS_MAX];
    size_t spec_count;
    struct target_ids target, exclude;
    enum behavior behavior;
    char **words, **from; /* `to` or the option; `from` */
    size_t word_count, from_count;
    enum threshold_type threshold;
    struct limit low, high; /* low is the one of above, high of below; in the converter's unit */
};

/* The row of that key; NULL = there is none. */
const struct purpose *purpose_find(const struct purpose *table, const char *key);

/* Reads target and options. *use is made even on errors; it is the automation's. */
int purpose_parse(struct parser *p, json_object *config, const struct purpose *purpose,
                  bool is_trigger, int64_t *for_us, struct purpose_use **use);
void purpose_use_free(struct purpose_use *use);

/* --- targets --- */

/* Calls visit for each entity that the target names or that its devices, areas, floors and labels
 * have, if its domain is one that is meant. In no order; one may come twice. */
void target_visit(const struct automation *automation, const struct purpose_use *use,
                  const struct timeline *places, void (*visit)(const char *entity_id, void *ctx),
                  void *ctx);

/* --- states --- */

/* The domain's row; NULL when it is not meant. */
const struct domain_spec *purpose_spec(const struct purpose_use *use, const char *entity_id);

/* Whether device class and supported features are those that are meant, of that entity in that
 * state (row NULL: as the registries say). */
bool purpose_fits(const struct replay *r, const struct purpose_use *use, struct state state);

/* The three of HA's classes: _should_include, is_valid_state, is_valid_transition; the states have
 * rows. */
bool purpose_includes(const struct replay *r, const struct purpose_use *use, struct state state);
bool purpose_is_valid(const struct replay *r, const struct purpose_use *use, struct state state,
                      int64_t now_us);
bool purpose_is_change(const struct replay *r, const struct purpose_use *use,
                       const struct change *change, int64_t now_us);

#endif
