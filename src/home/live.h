/* A simulated home that lives on after its history, and obeys automations that are deployed to it.
 */
#ifndef HA_AI_HOME_LIVE_H
#define HA_AI_HOME_LIVE_H

#include <json-c/json.h>
#include <signal.h>
#include <stdint.h>

#include "core/error.h"
#include "core/tz.h"

enum { LIVE_RULES_MAX = 100 };

struct live;

/* An automation of the home ran at home time `at_us`. */
typedef void (*live_ran_fn)(const char *automation_id, const char *entity_id, const char *state,
                            int64_t at_us, void *ctx);

struct live_settings {
    uint64_t seed;
    int entities;
    int days;
    int64_t end_us;                    /* the history ends, life begins */
    const struct tz *tz;               /* borrowed */
    const volatile sig_atomic_t *stop; /* true ends live_new early, with an error */
    live_ran_fn ran;
    void *ctx;
};

/* Writes the history into a new recorder database at path. */
struct live *live_new(const char *path, const struct live_settings *settings, struct error *err);
void live_free(struct live *live);

/* Lets the home live until home time to_us; what happens is written to its database. */
int live_advance(struct live *live, int64_t to_us, struct error *err);

/* Obeys an automation from now on (the same id replaces the older). Only what the demo's home
 * knows: a time trigger, a weekday condition, turn_on and turn_off of one of its entities. -1 names
 * what it does not. */
int live_deploy(struct live *live, const char *automation_id, json_object *automation,
                struct error *err);

#endif
