/* The grammar's tables. */
#include "model/rule.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

const struct rule_verb_row rule_verbs[RULE_VERB_COUNT] = {
    [RULE_TURN_ON] = {"turn_on", "on", "turn on", "turned on"},
    [RULE_TURN_OFF] = {"turn_off", "off", "turn off", "turned off"},
    [RULE_SET] = {"set", NULL, "set", "set"},
};

const struct rule_attribute_row rule_attributes[RULE_ATTRIBUTE_COUNT] = {
    [RULE_BRIGHTNESS] = {"light", "brightness", "brightness_pct", "turn_on", true, false,
                         100.0 / 255, 1, 1, 100, "brightness", " %", 1},
    [RULE_COLOR_TEMPERATURE] = {"light", "color_temp_kelvin", "color_temp_kelvin", "turn_on", true,
                                false, 1, 10, 1000, 10000, "colour temperature", " K", 1},
    [RULE_PERCENTAGE] = {"fan", "percentage", "percentage", "set_percentage", true, true, 1, 1, 0,
                         100, "speed", " %", 1},
    [RULE_VOLUME] = {"media_player", "volume_level", "volume_level", "volume_set", false, true, 1,
                     0.01, 0, 1, "volume", " %", 100},
    [RULE_SETPOINT] = {"climate", "temperature", "temperature", "set_temperature", false, true, 1,
                       0.1, -50, 150, "temperature", "°", 1},
    [RULE_POSITION] = {"cover", "current_position", "position", "set_cover_position", false, true,
                       1, 1, 0, 100, "position", " %", 1},
};

static const char SCENE[] = "scene", LOCK[] = "lock";
static const char *const switchable_domains[] = {"light", "switch", "fan", "input_boolean"};

static bool has_domain(const char *entity_id, const char *domain)
{
    size_t length = strcspn(entity_id, ".");
    return strlen(domain) == length && memcmp(domain, entity_id, length) == 0;
}

bool rule_domain_is_switchable(const char *entity_id)
{
    for (size_t i = 0; i < sizeof switchable_domains / sizeof *switchable_domains; i++)
        if (has_domain(entity_id, switchable_domains[i]))
            return true;
    return false;
}

bool rule_is_scene(const char *entity_id)
{
    return has_domain(entity_id, SCENE);
}

bool rule_is_lock(const char *entity_id)
{
    return has_domain(entity_id, LOCK);
}

const char *rule_service_of(enum rule_verb verb, const char *entity_id)
{
    return verb == RULE_TURN_ON && rule_is_lock(entity_id) ? "lock" : rule_verbs[verb].service;
}

const char *rule_state_of(enum rule_verb verb, const char *entity_id)
{
    return verb == RULE_TURN_ON && rule_is_lock(entity_id) ? "locked" : rule_verbs[verb].state;
}

/* What a media player does when it is switched on, it decides itself. */
bool rule_domain_can(const char *entity_id, enum rule_verb verb)
{
    return (verb == RULE_TURN_ON && (rule_is_scene(entity_id) || rule_is_lock(entity_id))) ||
           (verb == RULE_TURN_OFF && has_domain(entity_id, "media_player")) ||
           (verb < RULE_SWITCHING_COUNT && rule_domain_is_switchable(entity_id));
}

const char *rule_opposite_state(const char *entity_id, const char *state)
{
    if (!rule_domain_is_switchable(entity_id) && !has_domain(entity_id, "binary_sensor"))
        return NULL;
    if (strcmp(state, "on") == 0)
        return "off";
    return strcmp(state, "off") == 0 ? "on" : NULL;
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

/* Length of the UTF-8 character that begins here; 0 when it is none (RFC 3629), or a control. */
static size_t character_length(const unsigned char *text)
{
    static const uint32_t smallest[] = {0, 0x20, 0x80, 0x800, 0x10000};
    unsigned char lead = text[0];
    size_t length = lead < 0x80             ? 1
                    : (lead & 0xe0) == 0xc0 ? 2
                    : (lead & 0xf0) == 0xe0 ? 3
                    : (lead & 0xf8) == 0xf0 ? 4
                                            : 0;
    if (length == 0)
        return 0;
    uint32_t code = length == 1 ? lead : lead & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3fU);
    }
    bool is_control = code == 0x7f || (code >= 0x80 && code < 0xa0);
    bool is_surrogate = code >= 0xd800 && code < 0xe000;
    return code < smallest[length] || code > 0x10ffff || is_surrogate || is_control ? 0 : length;
}

bool rule_state_is_valid(const char *state)
{
    size_t total = strnlen(state, RULE_STATE_MAX + 1);
    if (total == 0 || total > RULE_STATE_MAX || strpbrk(state, "{}") != NULL ||
        strcmp(state, "unavailable") == 0 || strcmp(state, "unknown") == 0)
        return false;
    for (size_t at = 0, length; at < total; at += length) {
        length = character_length((const unsigned char *)state + at);
        if (length == 0)
            return false;
    }
    return true;
}

bool rule_has_attribute(const char *entity_id, enum rule_attribute attribute)
{
    return has_domain(entity_id, rule_attributes[attribute].domain);
}

double rule_field_of_attribute(enum rule_attribute attribute, double value)
{
    const struct rule_attribute_row *row = &rule_attributes[attribute];
    double field = round(value * row->scale / row->step) * row->step;
    return fmin(fmax(field, row->low), row->high);
}

static bool duration_is_valid(int seconds)
{
    return seconds >= 0 && seconds <= RULE_DURATION_MAX_S;
}

static bool trigger_is_valid(const struct rule_trigger *trigger)
{
    return trigger->kind != RULE_TRIGGER_STATE ||
           (rule_entity_id_is_valid(trigger->entity_id) && rule_state_is_valid(trigger->to) &&
            duration_is_valid(trigger->for_s) && duration_is_valid(trigger->quiet_s));
}

static bool second_is_valid(int second)
{
    return second >= 0 && second < 86400;
}

static bool condition_is_valid(const struct rule_condition *condition)
{
    switch (condition->kind) {
    case RULE_WHEN_STATE:
        return rule_entity_id_is_valid(condition->entity_id) &&
               rule_state_is_valid(condition->state);
    case RULE_WHEN_BELOW:
    case RULE_WHEN_ABOVE:
        return rule_entity_id_is_valid(condition->entity_id) && isfinite(condition->limit);
    case RULE_WHEN_TIME:
        return second_is_valid(condition->from_s) && second_is_valid(condition->to_s) &&
               condition->from_s != condition->to_s;
    }
    return false;
}

static bool value_is_valid(const struct rule_value *value, enum rule_verb verb,
                           const char *entity_id)
{
    const struct rule_attribute_row *row = &rule_attributes[value->attribute];
    return rule_has_attribute(entity_id, value->attribute) && value->value >= row->low &&
           value->value <= row->high &&
           (verb == RULE_SET || (verb == RULE_TURN_ON && row->with_turn_on));
}

static bool step_is_valid(const struct rule_step *step)
{
    if (step->entity_count == 0 || step->entity_count > RULE_TARGETS_MAX ||
        step->value_count > RULE_VALUES_MAX || !duration_is_valid(step->delay_s) ||
        (step->verb == RULE_SET && step->value_count != 1))
        return false;
    for (size_t i = 0; i < step->entity_count; i++) {
        const char *id = step->entity_ids[i];
        if (!rule_entity_id_is_valid(id) ||
            (step->verb != RULE_SET && !rule_domain_can(id, step->verb)))
            return false;
        for (size_t v = 0; v < step->value_count; v++)
            if (!value_is_valid(&step->values[v], step->verb, id))
                return false;
    }
    return true;
}

bool rule_has_target(const struct rule *rule, const char *entity_id)
{
    for (size_t i = 0; i < rule->entity_count; i++)
        if (strcmp(rule->entity_ids[i], entity_id) == 0)
            return true;
    return false;
}

struct rule_step rule_first_step(const struct rule *rule)
{
    struct rule_step step = {.entity_ids = rule->entity_ids,
                             .entity_count = rule->entity_count,
                             .verb = rule->verb,
                             .value_count = rule->value_count};
    memcpy(step.values, rule->values, sizeof step.values);
    return step;
}

bool rule_is_valid(const struct rule *rule)
{
    const struct rule_step first = rule_first_step(rule);
    bool is_valid = trigger_is_valid(&rule->trigger) &&
                    rule->condition_count <= RULE_CONDITIONS_MAX &&
                    rule->step_count <= RULE_STEPS_MAX && step_is_valid(&first);
    for (size_t i = 0; is_valid && i < rule->condition_count; i++)
        is_valid = condition_is_valid(&rule->conditions[i]);
    for (size_t i = 0; is_valid && i < rule->step_count; i++)
        is_valid = step_is_valid(&rule->steps[i]);
    return is_valid;
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
