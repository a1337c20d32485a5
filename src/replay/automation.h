/* An automation of Home Assistant as the replay understands it: parsed from its configuration
 * (YAML or JSON, every spelling that HA accepts), with a note for each part that it cannot replay.
 * Pure. */
#ifndef HA_AI_REPLAY_AUTOMATION_H
#define HA_AI_REPLAY_AUTOMATION_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "model/timeline.h"

enum {
    AUTOMATION_TRIGGERS_MAX = 256,
    AUTOMATION_CONDITIONS_MAX = 1024,
    AUTOMATION_CONDITION_DEPTH_MAX = 32,
    AUTOMATION_NOTES_MAX = 100,
};

/* What is not replayed, and what the replay does instead. */
struct automation_note {
    char *path;       /* "triggers[0].value_template" */
    int line, column; /* from 1; 0 = not known */
    char *what;       /* "template trigger" */
    char *effect;     /* "never fires", "taken to hold" */
};

struct automation; /* opaque but for replay/ */

/* 0 and *out, or -1 with *err when it is no automation at all (HA itself would refuse it). What HA
 * accepts and the replay cannot do becomes a note. */
int automation_parse(json_object *config, struct automation **out, struct error *err);
void automation_free(struct automation *automation);

const char *automation_id(const struct automation *automation);    /* NULL = none; borrowed */
const char *automation_alias(const struct automation *automation); /* likewise */
const struct automation_note *automation_notes(const struct automation *automation, size_t *count);

/* Calls visit for each entity whose states the automation depends on, sun.sun and zones included.
 * Targets by area, device, floor or label are found in the places of `places`, which need nothing
 * else yet (NULL: those are left out). */
void automation_visit_entities(const struct automation *automation, const struct timeline *places,
                               void (*visit)(const char *entity_id, void *ctx), void *ctx);

/* Whether the sun's position is part of it: without the home's location those triggers never fire,
 * and with those conditions nothing runs. */
bool automation_needs_location(const struct automation *automation);

/* The id of a trigger as HA names it: its own, else its index. Borrowed. */
const char *automation_trigger_id(const struct automation *automation, size_t trigger);

/* Whether that trigger follows a clock (a time, a pattern of times, the sun), not a state. */
bool automation_trigger_is_clock(const struct automation *automation, size_t trigger);

/* Whether that trigger fires when that entity, and no other, has been in that state for some time.
 */
bool automation_trigger_waits(const struct automation *automation, size_t trigger,
                              const char *entity_id, const char *state);

/* A period as configurations write it: 90, "00:01:30", "-00:15", {minutes: 1, seconds: 30}. False
 * when it is none (a template). */
bool automation_read_period(json_object *value, int64_t *us);

#endif
