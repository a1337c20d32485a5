/* When would an automation have run? A replay of Home Assistant's own semantics over recorded
 * states: triggers, conditions, modes. Pure; any thread.
 *
 * What the automation's own actions would have changed is not simulated: the states are those that
 * were recorded. Its runs take as long as their delays say; modes depend on it. */
#ifndef HA_AI_REPLAY_REPLAY_H
#define HA_AI_REPLAY_REPLAY_H

#include <stddef.h>
#include <stdint.h>

#include "model/timeline.h"
#include "replay/automation.h"

enum {
    REPLAY_FIRES_MAX = 4000000,           /* of one call */
    REPLAY_AUTOMATION_FIRES_MAX = 600000, /* of one automation: one a minute for a year */
};

struct replay_input {
    const struct timeline *timeline;
    int64_t from_ms, to_ms; /* fires in [from_ms, to_ms) count; what was before is known */
};

/* Home Assistant's automation_triggered: a trigger fired, the conditions held, the mode let it run.
 */
struct replay_fire {
    int64_t time_ms;     /* UTC */
    uint32_t automation; /* index into the list replayed */
    uint32_t trigger;    /* index into its triggers */
    bool is_approximate; /* it rests on a number that is a five-minute mean */
};

struct replay_fires {
    struct replay_fire *list; /* by time, then automation */
    size_t count, capacity;
    bool is_cut; /* a maximum was reached: later ones of that automation, or of all that come after
                  * it in the list, are missing */
};

/* Notes in an automation the attributes that it looks at and the timeline does not have; changes
 * nothing else of it. */
void replay_run(const struct replay_input *input, struct automation *const *automations,
                size_t count, struct replay_fires *out);
void replay_fires_release(struct replay_fires *fires);

#endif
