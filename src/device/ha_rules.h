/* What Home Assistant accepts in a component of an MQTT device, as tables: the platforms, the keys
 * of each with their types, the device classes with their units. They hold for HA 2025.4 and, where
 * `since` says so, only for newer ones. A new platform or key is one row. */
#ifndef HA_AI_DEVICE_HA_RULES_H
#define HA_AI_DEVICE_HA_RULES_H

#include <json-c/json.h>
#include <stdbool.h>

#include "core/error.h"

/* A release as one number: 2025.4 = 202504. HA_OLDEST is what everything must be valid on. */
enum { HA_OLDEST = 202504, HA_NEWEST = 202611 };

/* "2026.11.0b3" -> 202611; HA_OLDEST when version is NULL or says nothing. */
int ha_rules_release(const char *version);

enum ha_use { HA_NEVER, HA_MAY, HA_MUST };

struct ha_platform {
    const char *name;
    int since;         /* the first release that takes it */
    enum ha_use state; /* a fact as its state */
    enum ha_use command;
    const char *state_topic; /* the key that names the topic of its state */
    bool value;              /* its command carries a value (a button's does not) */
};

/* NULL for a platform that HA does not have or that we do not speak. */
const struct ha_platform *ha_rules_platform(const char *name);

/* The same, and what only the message has: "device_automation". */
const struct ha_platform *ha_rules_component(const char *name);

/* All platforms as one "a, b, c" for error texts; the caller frees. */
char *ha_rules_platform_names(void);

/* Checks the keys that a discovery file gives (all of HA's, without the derived ones): unknown,
 * missing, of a wrong type, or against HA's rules between keys. dynamic_options: the select's
 * options come from a fact. */
int ha_rules_check(const struct ha_platform *platform, json_object *component, bool dynamic_options,
                   struct error *err);

/* The first release that takes this key of this platform; 0 = HA_OLDEST. */
int ha_rules_key_since(const struct ha_platform *platform, const char *key);

#endif
