#include <math.h>
#include <string.h>

#include "replay/engine.h"

static bool is_number(json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_boolean: /* Python's True is 1 */
    case json_type_int:
    case json_type_double:
        return true;
    default:
        return false;
    }
}

static bool numbers_equal(json_object *a, json_object *b)
{
    if (!json_object_is_type(a, json_type_double) && !json_object_is_type(b, json_type_double))
        return json_object_get_int64(a) == json_object_get_int64(b);
    double x = json_object_get_double(a), y = json_object_get_double(b);
    return !(x < y) && !(x > y) && !isnan(x) && !isnan(y);
}

static bool arrays_equal(json_object *a, json_object *b)
{
    size_t length = json_object_array_length(a);
    if (length != json_object_array_length(b))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!value_equals(json_object_array_get_idx(a, i), json_object_array_get_idx(b, i)))
            return false;
    return true;
}

static bool objects_equal(json_object *a, json_object *b)
{
    if (json_object_object_length(a) != json_object_object_length(b))
        return false;
    json_object_object_foreach(a, key, value)
    {
        json_object *other;
        if (!json_object_object_get_ex(b, key, &other) || !value_equals(value, other))
            return false;
    }
    return true;
}

/* Depth is bounded by the parser of attributes and configuration. */
bool value_equals(json_object *a, json_object *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (is_number(a) || is_number(b))
        return is_number(a) && is_number(b) && numbers_equal(a, b);
    if (json_object_get_type(a) != json_object_get_type(b))
        return false;
    switch (json_object_get_type(a)) {
    case json_type_string:
        return strcmp(json_object_get_string(a), json_object_get_string(b)) == 0;
    case json_type_array:
        return arrays_equal(a, b);
    case json_type_object:
        return objects_equal(a, b);
    default:
        return false;
    }
}

bool value_number(json_object *value, double *number)
{
    switch (json_object_get_type(value)) {
    case json_type_boolean:
    case json_type_int:
    case json_type_double:
        *number = json_object_get_double(value);
        return true;
    case json_type_string:
        return timeline_number(json_object_get_string(value), number);
    default:
        return false;
    }
}
