/* What may be suggested and deployed, whoever made it: an automation that is exactly what
 * automation_from_rule would write for a rule of the grammar, and that only ever goes to the safe
 * side (docs/safety.md). Pure; any thread. */
#ifndef HA_AI_SUGGEST_SAFETY_H
#define HA_AI_SUGGEST_SAFETY_H

#include <json-c/json.h>
#include <stdbool.h>

#include "core/error.h"
#include "model/history.h"
#include "model/rule.h"

enum {
    SAFETY_TEXT_MAX = 4096,      /* bytes of an alias or a description */
    SAFETY_FIRES_A_DAY_MAX = 50, /* of what is suggested, on any day of the back-test */
};

/* 0, or -1 with *err, which names what is not in the grammar, or not allowed. */
int safety_check(json_object *automation, struct error *err);

/* Whether it goes towards the safe side of something that guards the home (locks, closes, arms), so
 * that a person must say so twice. False also of what safety_check refuses. */
bool safety_needs_second_press(json_object *automation);

/* Whether a rule may be suggested: no target is unlocked, opened, disarmed or silenced by it. h
 * (may be NULL) knows classes, names, and the members of scenes and groups; without it only the
 * entity ids tell. */
bool safety_allows_rule(const struct rule *rule, const struct history *h);

/* The same of all that an analysis suggests, its variants and parts: removes what safety_check
 * refuses. How many it removed. */
size_t safety_filter(json_object *analysis);

/* All of an analysis's automations: 0, or -1 with *err at the first one that safety_check refuses.
 */
int safety_check_analysis(json_object *analysis, struct error *err);

#endif
