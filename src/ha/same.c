/* Whether two configurations are one automation. HA's editor and HA's file have several ways to say
 * the same, and the report block may be deleted: neither is an edit. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "ha/private.h"
#include "model/rule.h"

/* --- normalising --- */

static bool is_empty(json_object *value)
{
    return (json_object_is_type(value, json_type_object) &&
            json_object_object_length(value) == 0) ||
           (json_object_is_type(value, json_type_array) && json_object_array_length(value) == 0) ||
           (json_object_is_type(value, json_type_string) && json_object_get_string_len(value) == 0);
}

/* What says no more than its absence. */
static bool is_default(const char *key, json_object *value)
{
    static const char *const empty[] = {"description", "conditions", "data", "metadata",
                                        "target",      "variables",  "alias"};
    if (strcmp(key, "enabled") == 0)
        return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
    if (strcmp(key, "mode") == 0)
        return strcmp(json_object_get_string(value), "single") == 0;
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
        if (strcmp(key, empty[i]) == 0)
            return value == NULL || is_empty(value);
    return false;
}

/* Older words. `kind` is the list that the object stands in: 't'rigger, 'c'ondition, 'a'ction. */
static const char *modern_key(const char *key, char kind, json_object *value)
{
    static const char *const lists[][2] = {
        {"trigger", "triggers"}, {"condition", "conditions"}, {"action", "actions"}};
    for (size_t i = 0; kind == '\0' && i < sizeof(lists) / sizeof(lists[0]); i++)
        if (strcmp(key, lists[i][0]) == 0)
            return lists[i][1];
    if (kind == 't' && strcmp(key, "platform") == 0)
        return "trigger";
    if (kind == 'a' && strcmp(key, "service") == 0 && json_object_is_type(value, json_type_string))
        return "action";
    return key;
}

static bool is_report(json_object *action)
{
    const char *alias = json_get_string(action, "alias");
    return alias != NULL && strcmp(alias, RULE_REPORT_ALIAS) == 0;
}

static char kind_below(const char *key, char kind)
{
    if (kind != '\0')
        return kind;
    return strcmp(key, "triggers") == 0     ? 't'
           : strcmp(key, "conditions") == 0 ? 'c'
           : strcmp(key, "actions") == 0    ? 'a'
                                            : 'o';
}

static json_object *normalised(json_object *value, char kind);

static json_object *normalised_array(json_object *array, char kind)
{
    json_object *copy = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        json_object *element = json_object_array_get_idx(array, i);
        if (!is_report(element))
            json_object_array_add(copy, normalised(element, kind));
    }
    return copy;
}

static json_object *normalised_field(const char *key, json_object *value, char kind)
{
    bool is_list = json_object_is_type(value, json_type_array);
    if (strcmp(key, "entity_id") == 0 && is_list && json_object_array_length(value) == 1)
        return json_object_get(json_object_array_get_idx(value, 0));
    char below = kind_below(key, kind);
    if (kind == '\0' && below != 'o' && !is_list) { /* one trigger without a list around it */
        json_object *list = json_object_new_array();
        json_object_array_add(list, normalised(value, below));
        return list;
    }
    return normalised(value, below);
}

/* A new value; kind '\0' = the automation itself. */
static json_object *normalised(json_object *value, char kind)
{
    if (json_object_is_type(value, json_type_array))
        return normalised_array(value, kind);
    if (!json_object_is_type(value, json_type_object))
        return json_object_get(value);
    json_object *copy = json_object_new_object();
    json_object_object_foreach(value, old, field)
    {
        const char *key = modern_key(old, kind, field);
        if ((kind == '\0' && strcmp(key, "id") == 0) || is_default(key, field))
            continue;
        json_object_object_add(copy, key, normalised_field(key, field, kind));
    }
    return copy;
}

/* --- equality --- */

static bool same_value(json_object *a, json_object *b);

static bool same_object(json_object *a, json_object *b)
{
    if (json_object_object_length(a) != json_object_object_length(b))
        return false;
    json_object_object_foreach(a, key, value)
    {
        json_object *other;
        if (!json_object_object_get_ex(b, key, &other) || !same_value(value, other))
            return false;
    }
    return true;
}

/* As YAML keeps it: 1 and 1.0 are one number. */
static bool same_value(json_object *a, json_object *b)
{
    enum json_type type = json_object_get_type(a), other = json_object_get_type(b);
    bool is_number = type == json_type_int || type == json_type_double;
    if (is_number && (other == json_type_int || other == json_type_double)) {
        double x = json_object_get_double(a), y = json_object_get_double(b);
        return fabs(x - y) <= 1e-9 * fmax(fabs(x), fabs(y));
    }
    if (type != other)
        return false;
    if (type == json_type_object)
        return same_object(a, b);
    if (type != json_type_array)
        return json_object_equal(a, b);
    size_t count = json_object_array_length(a);
    if (count != json_object_array_length(b))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!same_value(json_object_array_get_idx(a, i), json_object_array_get_idx(b, i)))
            return false;
    return true;
}

/* The first field of `a` that `b` has not, or has otherwise. */
static bool find_other(json_object *a, json_object *b, char *field, size_t size)
{
    json_object_object_foreach(a, key, value)
    {
        json_object *other;
        if (json_object_object_get_ex(b, key, &other) && same_value(value, other))
            continue;
        snprintf(field, size, "%s", key);
        return true;
    }
    return false;
}

bool ha_is_same_automation(json_object *a, json_object *b, char *field, size_t size)
{
    char ignored[HA_FIELD_SIZE];
    json_object *x = normalised(a, '\0'), *y = normalised(b, '\0');
    if (field == NULL) {
        field = ignored;
        size = sizeof(ignored);
    }
    field[0] = '\0';
    bool is_object =
        json_object_is_type(x, json_type_object) && json_object_is_type(y, json_type_object);
    bool differs = !is_object || find_other(x, y, field, size) || find_other(y, x, field, size);
    json_object_put(x);
    json_object_put(y);
    return !differs;
}
