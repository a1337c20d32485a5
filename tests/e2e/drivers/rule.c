/* "sun EVENT OFFSET_S TARGET…" or "state ENTITY TO TARGET…" -> the automation that turns the
 * targets on. Prints it as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "suggest/automation.h"

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    struct rule rule = {.weekdays = RULE_EVERY_DAY,
                        .entity_ids = (const char *const *)argv + 4,
                        .entity_count = (size_t)argc - 4,
                        .verb = RULE_TURN_ON};
    if (strcmp(argv[1], "sun") == 0)
        rule.trigger = (struct rule_trigger){.kind = RULE_TRIGGER_SUN,
                                             .event = strcmp(argv[2], "sunset") == 0 ? RULE_SUNSET
                                                                                     : RULE_SUNRISE,
                                             .second = (int)strtol(argv[3], NULL, 10)};
    else
        rule.trigger =
            (struct rule_trigger){.kind = RULE_TRIGGER_STATE, .entity_id = argv[2], .to = argv[3]};
    if (!rule_is_valid(&rule))
        return 1;
    json_object *automation = automation_from_rule(&rule, "Rule", "What for");
    puts(json_text(automation));
    json_object_put(automation);
    return 0;
}
