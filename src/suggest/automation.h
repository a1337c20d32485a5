/* A rule as the automation that HA takes (POST /api/config/automation/config/<id>). Pure. */
#ifndef HA_AI_SUGGEST_AUTOMATION_H
#define HA_AI_SUGGEST_AUTOMATION_H

#include <json-c/json.h>

#include "model/rule.h"

/* The automation, with the constant reporting block. The rule must be valid (rule_is_valid): its
 * entity ids go into a template. Every part of it has a form in HA's visual editor.
 *
 * A state trigger never fires when its entity comes back from `unavailable` or `unknown`. Where
 * the entity has but two states, "from" says so; else a condition does, for the editor of 2025.4
 * knows no "not_from". Caller puts the result. */
json_object *automation_from_rule(const struct rule *rule, const char *alias,
                                  const char *description);

#endif
