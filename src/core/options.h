/* The configuration: one table gives names, parsing, defaults, limits and help. */
#ifndef HA_AI_CORE_OPTIONS_H
#define HA_AI_CORE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/error.h"

enum option_id {
    OPTION_MQTT_BROKER,
    OPTION_MQTT_PORT,
    OPTION_MQTT_USERNAME,
    OPTION_MQTT_PASSWORD,
    OPTION_MQTT_TLS,     /* off | on */
    OPTION_MQTT_CA_FILE, /* implies TLS; unset with TLS on: the system's CAs */
    OPTION_HA_URL,
    OPTION_HA_TOKEN,
    OPTION_DATA_API_URL,
    OPTION_OPENAI_API_KEY,
    OPTION_ANALYSIS_SCHEDULE,
    OPTION_DATABASE_PATH,
    OPTION_HISTORY,
    OPTION_HTTP_PORT,
    OPTION_HTTP_BIND,
    OPTION_INSTANCE,
    OPTION_DISCOVERY_PREFIX,
    OPTION_DISCOVERY_DIR,
    OPTION_BIRTH_TOPIC,
    OPTION_BIRTH_PAYLOAD,
    OPTION_WILL_PAYLOAD,
    OPTION_TZ,
    OPTION_LOCATION,
    OPTION_EXCLUDE,
    OPTION_EXCLUDE_AREAS,
    OPTION_EXCLUDE_PEOPLE,
    OPTION_ARCHIVE_DAYS,
    OPTION_TRIAL_DAYS,
    OPTION_TTL,
    OPTION_LOG_LEVEL,
    OPTION_COUNT
};

struct options {
    char *value[OPTION_COUNT]; /* NULL = unset and without a default */
};

/* Reads the environment, then (env_file not NULL) the file, which wins. NAME_FILE gives a secret
 * from a file. Checks every value; -1 with one line that names the variable, what it got (never
 * of a secret) and what it takes. Log lines tell placeholders, cut comments, unused values. */
int options_load(struct options *out, const char *env_file, struct error *err);
void options_release(struct options *options);

const char *options_string(const struct options *options, enum option_id id); /* NULL = unset */
long options_int(const struct options *options, enum option_id id);
const char *options_name(enum option_id id);

/* A place on earth: "LAT,LON" in degrees, with ",METRES" above the sea if known (else 0). 0 or -1.
 */
enum { OPTIONS_ELEVATION_MIN_M = -500, OPTIONS_ELEVATION_MAX_M = 9000 };
#define OPTIONS_PLACE_TAKES "LAT,LON or LAT,LON,METRES (degrees, height), as in 52.5,13.4"
int options_parse_place(const char *text, double *latitude, double *longitude, double *elevation_m);

/* All variables with default and meaning, for --help. */
void options_print_help(FILE *out);

#endif
