/* EXCLUDE: entity ids and globs that are never read into memory. */
#ifndef HA_AI_SOURCE_EXCLUSION_H
#define HA_AI_SOURCE_EXCLUSION_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

struct exclusion {
    char **patterns;
    size_t count, capacity;
};

/* From a list separated by commas or white space; NULL = none. -1 with *err beyond
 * SOURCE_EXCLUSIONS_MAX. */
int exclusion_init(struct exclusion *exclusion, const char *list, struct error *err);
void exclusion_release(struct exclusion *exclusion);
bool exclusion_matches(const struct exclusion *exclusion, const char *entity_id);

#endif
