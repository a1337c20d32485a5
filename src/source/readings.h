/* Thins out what the rows tell of an attribute while they are read: most only repeat its value.
 * Pure.
 */
#ifndef HA_AI_SOURCE_READINGS_H
#define HA_AI_SOURCE_READINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "model/history.h"

/* Zeroed at first. */
struct readings {
    struct history_value latest; /* by its time */
    double kept;                 /* the last value that was kept */
    bool has_any, is_latest_kept;
};

enum { READINGS_KEPT_MAX = 2 };

/* One more row of that attribute. Writes what is to be kept now; returns how many. When rows come
 * late, what repeated a value is not known exactly. */
size_t readings_take(struct readings *readings, const struct history_value *value,
                     struct history_value kept[READINGS_KEPT_MAX]);

#endif
