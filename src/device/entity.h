/* One announced entity: a file of discovery/, checked, and what it becomes on the wire: its
 * component in the discovery message, its state and its attributes. Pure but for reading the file.
 * The format is described in docs/discovery-format.md. */
#ifndef HA_AI_DEVICE_ENTITY_H
#define HA_AI_DEVICE_ENTITY_H

#include <json-c/json.h>
#include <stdbool.h>

#include "core/error.h"
#include "device/ha_rules.h"

enum {
    ENTITY_FILE_MAX = 64 * 1024,
    ENTITY_ID_MAX = 40,
    ENTITY_STATE_MAX = 255,            /* characters: HA's limit of a state */
    ENTITY_ATTRIBUTES_MAX = 15 * 1024, /* bytes: HA's recorder takes 16 kB with its own share */
    ENTITY_OPTIONS_MAX = 100,
};

/* The only option of a select that has nothing to choose from. */
#define ENTITY_NO_OPTION "–"

struct entity {
    char *file; /* its name without folder, for messages */
    char *id;
    const struct ha_platform *platform;
    json_object *component; /* HA's keys, as in the file */
    const char *state;      /* paths into the facts, borrowed from `source`; NULL = none */
    const char *attributes;
    const char *options;
    const char *command; /* of the app; NULL = none */
    bool triggers;       /* an event that is offered as device triggers, too */
    json_object *source; /* the whole file */
};

/* Reads and checks one file; -1 with file, key and what is expected. Release what was filled. */
int entity_load(struct entity *out, const char *path, struct error *err);
void entity_release(struct entity *entity);

bool entity_is(const struct entity *entity, const char *platform);

/* The component for a release of HA; NULL when that release does not know the platform.
 * `options` (borrowed) for a select with options of a fact, else NULL. Caller puts it. */
json_object *entity_component(const struct entity *entity, const char *instance, int release,
                              json_object *options);

/* Whether its state is the device's availability itself, which HA hears of by the last will: it
 * alone is never unavailable. */
bool entity_is_availability(const struct entity *entity);

/* An event's types as device triggers of HA, one component `<id>-<type>` each. They listen where
 * the event entity does. HA finds a trigger that an automation uses by its type and subtype: these
 * are the event's type and the English name, whatever the language. */
void entity_add_triggers(const struct entity *entity, const char *instance,
                         json_object *components);

/* A select's options out of the facts: what HA can show, each once, ENTITY_NO_OPTION when there is
 * none; then those of `keep` (an array, may be NULL). NULL for an entity without options of a fact.
 * Caller puts it. */
json_object *entity_options(const struct entity *entity, json_object *facts, json_object *keep);
bool entity_has_option(json_object *options, json_object *option);

/* The payload of the state ("None" = unknown), or of the attributes; NULL when it has none.
 * Caller frees. */
char *entity_state_text(const struct entity *entity, json_object *facts);
char *entity_attributes_text(const struct entity *entity, json_object *facts);

/* Whether HA could have sent this value in a command: a switch ON or OFF, a select one of
 * `options`, a number within its range. value may be NULL. -1 says what is expected. */
int entity_check_value(const struct entity *entity, json_object *value, json_object *options,
                       struct error *err);

#endif
