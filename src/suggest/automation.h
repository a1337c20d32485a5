/* A rule as the automation that HA takes (POST /api/config/automation/config/<id>). Pure. */
#ifndef HA_AI_SUGGEST_AUTOMATION_H
#define HA_AI_SUGGEST_AUTOMATION_H

#include <json-c/json.h>

#include "model/rule.h"

/* The automation, with the constant reporting block. The rule's entity id must be valid
 * (rule_entity_id_is_valid): it goes into a template. Caller puts the result. */
json_object *automation_from_rule(const struct rule *rule, const char *alias,
                                  const char *description);

#endif
