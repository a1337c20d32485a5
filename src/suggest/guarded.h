/* What guards the home: locks, garage doors, gates, doors, valves, alarms, sirens. Such a thing is
 * only ever switched towards the safe side. Pure; any thread. */
#ifndef HA_AI_SUGGEST_GUARDED_H
#define HA_AI_SUGGEST_GUARDED_H

#include <stdbool.h>

#include "model/history.h"
#include "model/rule.h"

/* Whether a step does nothing but what is safe. h (may be NULL) knows device classes, names and the
 * members of scenes and groups; where it does not, the entity's id has to do, and what is called
 * like a guard is one. */
bool guarded_allows(const struct rule_step *step, const struct history *h);

/* Whether an entity guards the home, whatever is done to it. */
bool guarded_is_kept(const char *entity_id, const struct history *h);

#endif
