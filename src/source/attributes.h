/* What a row's attributes tell, besides names (docs of Home Assistant's entity model). Pure. */
#ifndef HA_AI_SOURCE_ATTRIBUTES_H
#define HA_AI_SOURCE_ATTRIBUTES_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#define ATTRIBUTES_ILLUMINANCE "illuminance"

/* The device class in a row's attributes or in an entry of the entity registry (object or NULL);
 * where only the unit tells, a light sensor's. NULL = none. Caller frees. */
char *attributes_device_class(json_object *object);

/* Whether attributes (JSON text) may be those of a light sensor: what fails this is none. */
bool attributes_may_be_light(const char *text, size_t length);

#endif
