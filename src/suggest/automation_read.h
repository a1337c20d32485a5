/* Home Assistant's own syntax -> rule: the way back from suggest/automation.h. Pure. */
#ifndef HA_AI_SUGGEST_AUTOMATION_READ_H
#define HA_AI_SUGGEST_AUTOMATION_READ_H

#include <json-c/json.h>

#include "core/error.h"
#include "model/rule.h"

enum {
    AUTOMATION_ACTIONS_MAX = (RULE_STEPS_MAX + 1) * RULE_TARGETS_MAX, /* the report among them */
};

/* A rule and the memory behind it. Its texts are borrowed from the automation. Must not be copied:
 * it points into itself. */
struct automation_rule {
    struct rule rule;
    const char *ids[RULE_STEPS_MAX + 1][RULE_TARGETS_MAX];
    struct rule_step steps[RULE_STEPS_MAX + 1]; /* the first act is the first of them */
    size_t step_count;
    const char *done; /* the wait_template of the report: in which order the targets are there, and
                         what of them; NULL = there is no report */
};

/* Reads what makes the rule. What else there is in the automation is not looked at: whoever needs
 * to know compares it with what the rule would be written as. 0, or -1 and *err (may be NULL)
 * names what is not of the grammar. */
int automation_read(json_object *automation, struct automation_rule *out, struct error *err);

/* 0 when both are the same after a way through text (40.0 and 40 are one number then); else -1, and
 * *err names the first place of the automation that differs. */
int automation_compare(json_object *automation, json_object *written, struct error *err);

/* The two together: 0 when triggers, conditions and actions are word for word what
 * automation_from_rule writes. Alias, description and mode are free, and the reporting block may be
 * missing. */
int automation_read_rule(json_object *automation, struct automation_rule *out, struct error *err);

/* Says that an automation is none of ours: where, what is there (NULL = nothing), what belongs
 * there. Always -1. */
int automation_refuse(struct error *err, const char *path, const char *got, const char *takes);
/* The text of a value, for that; NULL without. Borrowed. */
const char *automation_shown(json_object *value);

#endif
