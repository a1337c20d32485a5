#define _GNU_SOURCE /* memmem */
#include "source/attributes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"

enum {
    CLASS_MAX = 64,  /* bytes; Home Assistant's longest has 32 */
    NUMBER_MAX = 32, /* likewise, of a number's digits */
};

char *attributes_device_class(json_object *object)
{
    const char *name = json_get_string(object, "device_class");
    const char *unit = json_get_string(object, "unit_of_measurement");
    if (name == NULL)
        name = json_get_string(object, "original_device_class"); /* the registry's */
    if (name != NULL && name[0] != '\0' && strlen(name) <= CLASS_MAX)
        return xstrdup(name);
    return unit != NULL && strcmp(unit, "lx") == 0 ? xstrdup(ATTRIBUTES_ILLUMINANCE) : NULL;
}

bool attributes_may_be_light(const char *text, size_t length)
{
    static const char *const words[] = {"\"" ATTRIBUTES_ILLUMINANCE "\"", "\"lx\""};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (memmem(text, length, words[i], strlen(words[i])) != NULL)
            return true;
    return false;
}

/* ---- values -------------------------------------------------------------------------------- */

enum rule_attribute attributes_recorded(const char *entity_id)
{
    int attribute = 0;
    while (attribute < RULE_ATTRIBUTE_COUNT &&
           !(rule_attributes[attribute].is_recorded &&
             rule_has_attribute(entity_id, (enum rule_attribute)attribute)))
        attribute++;
    return (enum rule_attribute)attribute;
}

double attributes_field(enum rule_attribute attribute, double value)
{
    const struct rule_attribute_row *row = &rule_attributes[attribute];
    double field = value * row->scale;
    if (!(field >= row->low - row->step / 2 && field <= row->high + row->step / 2))
        return NAN;
    return rule_field_of_attribute(attribute, value);
}

static size_t skip_blanks(const char *text, size_t length, size_t at)
{
    while (at < length && strchr(" \t\r\n", text[at]) != NULL)
        at++;
    return at;
}

/* The number that begins there; NAN = another value does. */
static double number_at(const char *text, size_t length, size_t at)
{
    char digits[NUMBER_MAX + 1], *end;
    size_t count = 0;
    while (at + count < length && count < NUMBER_MAX && text[at + count] != '\0' &&
           strchr("+-.0123456789eE", text[at + count]) != NULL)
        count++;
    memcpy(digits, text + at, count);
    digits[count] = '\0';
    double number = strtod(digits, &end);
    return count > 0 && *end == '\0' && isfinite(number) ? number : NAN;
}

/* The end of the string whose first character is at `at`: its closing quote, or the text's end. */
static size_t end_of_string(const char *text, size_t length, size_t at)
{
    while (at < length && text[at] != '"')
        at += text[at] == '\\' ? 2 : 1;
    return at < length ? at : length;
}

/* A number of the outermost object: without a parser's tree, for there are many rows. What is no
 * JSON gives anything, or NAN. */
static double find_number(const char *text, size_t length, const char *key)
{
    size_t key_length = strlen(key);
    int depth = 0;
    for (size_t i = 0; i < length; i++) {
        depth += text[i] == '{' || text[i] == '[';
        depth -= text[i] == '}' || text[i] == ']';
        if (text[i] != '"')
            continue;
        size_t begin = i + 1;
        i = end_of_string(text, length, begin);
        if (depth != 1 || i - begin != key_length || memcmp(text + begin, key, key_length) != 0)
            continue;
        size_t colon = skip_blanks(text, length, i + 1);
        if (colon < length && text[colon] == ':')
            return number_at(text, length, skip_blanks(text, length, colon + 1));
    }
    return NAN;
}

static bool is_one_of(const char *state, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(state, words[i]) == 0)
            return true;
    return false;
}

double attributes_number(enum rule_attribute attribute, const char *text, size_t length)
{
    return find_number(text, length, rule_attributes[attribute].attribute);
}

double attributes_value(enum rule_attribute attribute, const char *state, double value)
{
    static const char *const absent[] = {"", "unavailable", "unknown"};
    const struct rule_attribute_row *row = &rule_attributes[attribute];
    bool goes_with_on = attribute == RULE_PERCENTAGE || attribute == RULE_VOLUME;
    if (state == NULL || is_one_of(state, absent, sizeof absent / sizeof *absent) ||
        (goes_with_on && strcmp(state, "off") == 0))
        return NAN;
    if (attribute == RULE_POSITION && isnan(value))
        value = strcmp(state, "open") == 0     ? row->high
                : strcmp(state, "closed") == 0 ? row->low
                                               : NAN;
    return isnan(value) ? NAN : attributes_field(attribute, value);
}
