/* The grammar's tables. */
#include "model/rule.h"

#include <string.h>

const struct rule_verb_row rule_verbs[RULE_VERB_COUNT] = {
    [RULE_TURN_ON] = {"turn_on", "on", "turn on", "turned on"},
    [RULE_TURN_OFF] = {"turn_off", "off", "turn off", "turned off"},
};

static const char *const switchable_domains[] = {"light", "switch", "fan", "input_boolean"};

bool rule_domain_is_switchable(const char *entity_id)
{
    size_t length = strcspn(entity_id, ".");
    for (size_t i = 0; i < sizeof switchable_domains / sizeof *switchable_domains; i++)
        if (strlen(switchable_domains[i]) == length &&
            memcmp(switchable_domains[i], entity_id, length) == 0)
            return true;
    return false;
}

/* One side of the dot: [a-z0-9_]+ without an underscore at its ends or two in a row
 * (homeassistant/core.py, VALID_ENTITY_ID). */
static bool slug_is_valid(const char *text, size_t length)
{
    if (length == 0 || text[0] == '_' || text[length - 1] == '_')
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        if (!allowed || (c == '_' && text[i + 1] == '_'))
            return false;
    }
    return true;
}

bool rule_entity_id_is_valid(const char *entity_id)
{
    size_t total = strnlen(entity_id, RULE_ENTITY_ID_MAX + 1);
    size_t dot = strcspn(entity_id, ".");
    if (total > RULE_ENTITY_ID_MAX || dot >= total)
        return false;
    return slug_is_valid(entity_id, dot) && slug_is_valid(entity_id + dot + 1, total - dot - 1);
}

const char *rule_weekday_name(int weekday)
{
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    return names[weekday];
}

int rule_weekday_count(unsigned weekdays)
{
    int count = 0;
    for (int day = 0; day < 7; day++)
        count += weekdays >> day & 1U ? 1 : 0;
    return count;
}
