#include "store/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "store/suggestions.h"

enum { DAY_S = 24 * 3600 };

static int parse_time(const char *text)
{
    int h, m, s = 0;
    char rest;
    int n = text ? sscanf(text, "%2d:%2d:%2d%c", &h, &m, &s, &rest) : 0;
    if ((n != 2 && n != 3) || h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 59)
        return WHEN_NO_TIME;
    return h * 3600 + m * 60 + s;
}

static unsigned day_bit(json_object *name)
{
    static const char names[7][4] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    for (unsigned i = 0; i < 7; i++)
        if (json_object_is_type(name, json_type_string) &&
            strcmp(json_object_get_string(name), names[i]) == 0)
            return 1u << i;
    return 0;
}

/* The "weekday" of a trigger or a condition: a name or a list; without one every day. */
static unsigned days_of(json_object *clause)
{
    json_object *value;
    if (!json_object_object_get_ex(clause, "weekday", &value))
        return WHEN_EVERY_DAY;
    if (!json_object_is_type(value, json_type_array))
        return day_bit(value);
    unsigned days = 0;
    for (size_t i = 0; i < json_object_array_length(value); i++)
        days |= day_bit(json_object_array_get_idx(value, i));
    return days;
}

struct when when_of(json_object *content)
{
    struct when when = {.second = WHEN_NO_TIME, .days = WHEN_EVERY_DAY};
    json_object *automation = json_get_object(content, "automation");
    json_object *triggers = json_get_array(automation, "triggers");
    json_object *conditions = json_get_array(automation, "conditions");
    json_object *rule = json_get_object(content, "rule");

    json_object *trigger = triggers && json_object_array_length(triggers) > 0
                               ? json_object_array_get_idx(triggers, 0)
                               : NULL;
    const char *kind = json_get_string(trigger, "trigger");
    if (kind != NULL && strcmp(kind, "time") == 0) {
        when.second = parse_time(json_get_string(trigger, "at"));
        when.days &= days_of(trigger);
    } else if (kind != NULL && strcmp(kind, "sun") == 0) {
        when.is_sun = true;
        when.second = parse_time(json_get_string(rule, "time"));
    } else if (kind != NULL && strcmp(kind, "state") == 0) {
        when.entity = json_get_string(trigger, "entity_id");
        when.to = json_get_string(trigger, "to");
    }
    for (size_t i = 0; conditions && i < json_object_array_length(conditions); i++) {
        json_object *condition = json_object_array_get_idx(conditions, i);
        const char *what = json_get_string(condition, "condition");
        if (what != NULL && strcmp(what, "time") == 0)
            when.days &= days_of(condition);
    }
    if (when.days == 0)
        when.days = WHEN_EVERY_DAY;
    return when;
}

static int bit_count(unsigned bits)
{
    int n = 0;
    for (; bits != 0; bits &= bits - 1)
        n++;
    return n;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

int when_distance(const struct when *a, const struct when *b)
{
    const int limit = SUGGESTION_MATCH_MINUTES * 60;
    int apart = 0;
    if (!same_text(a->entity, b->entity) || !same_text(a->to, b->to))
        return -1;
    if (a->second != WHEN_NO_TIME && b->second != WHEN_NO_TIME) {
        apart = abs(a->second - b->second);
        if (apart > DAY_S / 2)
            apart = DAY_S - apart;
        if (apart > limit)
            return -1;
    } else if (a->is_sun || b->is_sun) {
        apart = limit; /* the sun's time is not known: the last choice */
    } else if (a->second != b->second) {
        return -1;
    }
    unsigned both = a->days & b->days, either = a->days | b->days;
    return apart + limit * (bit_count(either) - bit_count(both)) / bit_count(either);
}

bool when_has_changed(const struct when *now, const struct when *said)
{
    if (now->days != said->days || (now->second == WHEN_NO_TIME) != (said->second == WHEN_NO_TIME))
        return true;
    int apart = abs(now->second - said->second);
    if (apart > DAY_S / 2)
        apart = DAY_S - apart;
    return apart >= SUGGESTION_CHANGED_MINUTES * 60;
}
