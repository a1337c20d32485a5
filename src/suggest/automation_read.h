/* Home Assistant's own syntax -> rule: the way back from suggest/automation.h. Pure. */
#ifndef HA_AI_SUGGEST_AUTOMATION_READ_H
#define HA_AI_SUGGEST_AUTOMATION_READ_H

#include <json-c/json.h>

#include "core/error.h"
#include "model/rule.h"

/* A rule with the room for its lists. Its texts are borrowed from the configuration. */
struct automation_rule {
    struct rule rule;
    const char
        *ids[RULE_STEPS_MAX + 1][RULE_TARGETS_MAX]; /* of each step, the first act at first */
    struct rule_step steps[RULE_STEPS_MAX];
};

/* 0 and *out when the configuration is word for word what automation_from_rule writes (alias,
 * description and mode are free, and the reporting block may be missing); else -1, and *err names
 * what is not of the grammar. *out must not be copied: it points into itself. */
int automation_read_rule(json_object *config, struct automation_rule *out, struct error *err);

#endif
