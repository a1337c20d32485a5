/* What devices are asked for: how lights shine, Home Assistant keeps out of the rows; and what is
 * asked for again though it is so already, no row tells. Both are in the events of services that
 * were called. */
#ifndef HA_AI_SOURCE_CALLS_H
#define HA_AI_SOURCE_CALLS_H

#include "source/recorder_cause.h"

enum { CALLS_TARGETS_MAX = 256 }; /* of one call; more are not looked at */

typedef int (*calls_fn)(const char *entity_id, const struct history_value *value, void *ctx,
                        struct error *err);

/* What one call_service event (its data as JSON) asks of which devices: calls fn for each, with the
 * value's time and cause. Calls by area, device or label name none. Returns what fn does. */
int calls_parse(const char *data, size_t length, int64_t time_ms, enum cause cause, calls_fn fn,
                void *ctx, struct error *err);

/* All such events after since_s (UTC; -HUGE_VAL = all), in short read transactions; a database
 * without them has none. 0, or -1 with *err. */
int calls_read(struct recorder *recorder, double since_s, const struct recorder_cause *causes,
               calls_fn fn, void *ctx, struct error *err);

#endif
