/* Writes a whole HA configuration folder, so that a real HA on it has the simulated home: every
 * entity exists there under the same id, and what can be switched can be switched. */
#ifndef HA_AI_HOME_HA_CONFIG_H
#define HA_AI_HOME_HA_CONFIG_H

#include <stdint.h>

#include "core/error.h"
#include "home/plan.h"

struct ha_config {
    const struct home *home;
    int schema; /* which HA: 50 = 2025.4, 53 = 2026.11 */
    const char *timezone;
    double latitude, longitude;
    int64_t time_us; /* creation time of what is registered */
};

/* Makes the folder if need be and writes its files, but not the database; existing files are an
 * error. */
int ha_config_write(const struct ha_config *config, const char *folder, struct error *err);

/* Copies a file; the target must not exist. */
int ha_config_copy_file(const char *from, const char *to, struct error *err);

#endif
