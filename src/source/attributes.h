/* What a row's attributes tell, besides names (docs of Home Assistant's entity model). Pure. */
#ifndef HA_AI_SOURCE_ATTRIBUTES_H
#define HA_AI_SOURCE_ATTRIBUTES_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/rule.h"

#define ATTRIBUTES_ILLUMINANCE "illuminance"

/* The device class in a row's attributes or in an entry of the entity registry (object or NULL);
 * where only the unit tells, a light sensor's. NULL = none. Caller frees. */
char *attributes_device_class(json_object *object);

/* Whether attributes (JSON text) may be those of a light sensor: what fails this is none. */
bool attributes_may_be_light(const char *text, size_t length);

/* The attribute of rule_attributes that the rows of that entity tell; RULE_ATTRIBUTE_COUNT = none.
 * Lights': none, for Home Assistant leaves out of the rows how they shine. */
enum rule_attribute attributes_recorded(const char *entity_id);

/* The attributes of an entity's latest row: most rows share them with the one before. Zeroed at
 * first. */
struct attributes_latest {
    int64_t id;    /* attributes_id; 0 = none */
    double number; /* attributes_number() */
};

/* What a row's attributes (JSON text) have there; NAN = no number. */
double attributes_number(enum rule_attribute attribute, const char *text, size_t length);

/* The value by a row: its state (NULL = removed) and its attributes_number(), in the unit of the
 * service that sets it. Of a cover that knows no positions, what its state says. NAN = none: also
 * of what is off, or absent. */
double attributes_value(enum rule_attribute attribute, const char *state, double number);

/* A value as its service takes it, from what Home Assistant has in the attribute; NAN when no such
 * service takes it. */
double attributes_field(enum rule_attribute attribute, double value);

#endif
