/* A configuration folder of HA: what its parts share. */
#ifndef HA_AI_HOME_HA_PRIVATE_H
#define HA_AI_HOME_HA_PRIVATE_H

#include <stdio.h>

#include "home/ha_config.h"

enum { HA_SCHEMA_MODERN = 53 }; /* from then on all template entities have the modern form */

/* "kitchen_lamp" of light.kitchen_lamp. */
const char *ha_object_id(const struct home_entity *entity);

/* Opens folder/name for writing; it must not exist. NULL with *err. */
FILE *ha_file_create(const char *folder, const char *name, struct error *err);
int ha_file_finish(FILE *file, const char *folder, const char *name, struct error *err);

void ha_write_configuration(FILE *out, const struct ha_config *config);
void ha_write_automations(FILE *out, const struct home *home);
void ha_write_phones(FILE *out, const struct home *home); /* known_devices.yaml */

/* .storage, in the form of 2025.4; later releases migrate it. */
int ha_storage_write(const struct ha_config *config, const char *folder, struct error *err);

#endif
