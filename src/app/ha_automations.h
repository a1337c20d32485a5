/* HA's own automations as a file for the analysis: a JSON array of {"entity_id", "enabled",
 * "config"}, 0600, beside our database, until it is removed. Loop thread only. */
#ifndef HA_AI_APP_HA_AUTOMATIONS_H
#define HA_AI_APP_HA_AUTOMATIONS_H

#include "core/error.h"
#include "core/loop.h"
#include "ha/ha.h"

enum {
    HA_AUTOMATIONS_WAIT_MS = 20 * 1000, /* then the analysis goes on without them */
    HA_AUTOMATIONS_BYTES_MAX = 32 * 1024 * 1024,
};

struct ha_automations;

/* Removes what a service that was killed left behind. */
struct ha_automations *ha_automations_new(struct loop *loop, const char *database_path);
/* After ha_free. */
void ha_automations_free(struct ha_automations *automations);

/* Begins to collect. on_done comes once, never from inside this call: the file's path (borrowed),
 * or NULL, which is logged. -1 with *err when HA cannot be asked now. */
typedef void (*ha_automations_fn)(const char *path, void *ctx);
int ha_automations_collect(struct ha_automations *automations, struct ha *ha,
                           ha_automations_fn on_done, void *ctx, struct error *err);
/* Removes the file. */
void ha_automations_remove(struct ha_automations *automations);

#endif
