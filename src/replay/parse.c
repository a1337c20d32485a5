#include "replay/parse.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/json.h"
#include "core/text.h"
#include "core/xalloc.h"
#include "core/yaml.h"
#include "model/timeline.h"

enum {
    PARSE_VALUE_SHOWN = 60, /* bytes of a wrong value in a message */
    PARSE_PLACE_SIZE = 48,
    ENTITIES_MAX = TIMELINE_ENTITIES_MAX,
    ENTITY_ID_MAX = 255,
};

#define SECOND_US 1000000.0
/* timedelta goes further; nothing here ever waits longer than that. */
#define PERIOD_MAX_US (200.0 * 366 * 86400 * SECOND_US)

/* --- where it is --- */

size_t parse_enter_key(struct parser *p, const char *key)
{
    size_t mark = strlen(p->path);
    char shown[PARSE_VALUE_SHOWN + 1];
    text_copy_shown(shown, sizeof shown, key);
    if (mark + 1 + strlen(shown) < sizeof p->path)
        snprintf(p->path + mark, sizeof p->path - mark, "%s%s", mark > 0 ? "." : "", shown);
    return mark;
}

size_t parse_enter_index(struct parser *p, size_t index)
{
    size_t mark = strlen(p->path);
    snprintf(p->path + mark, sizeof p->path - mark, "[%zu]", index);
    return mark;
}

void parse_leave(struct parser *p, size_t mark)
{
    p->path[mark] = '\0';
}

/* Whole characters of at most that many bytes. */
static int shown_length(const char *text)
{
    size_t length = strnlen(text, PARSE_VALUE_SHOWN + 1);
    if (length <= PARSE_VALUE_SHOWN)
        return (int)length;
    while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
        length--;
    return (int)length;
}

/* object: what it stands in, where its own place is not known. */
static int fail_in(struct parser *p, json_object *object, json_object *got, const char *expected)
{
    const char *text = got == NULL ? "nothing" : json_text(got);
    char place[PARSE_PLACE_SIZE] = "";
    int line, column;
    parse_position(p, yaml_line(got) > 0 ? got : object, NULL, &line, &column);
    if (line > 0)
        snprintf(place, sizeof place, "line %d, column %d: ", line, column);
    return error_set(p->err, ERROR_INVALID, "%s%s: got %.*s, expected %s", place,
                     p->path[0] != '\0' ? p->path : "automation", shown_length(text), text,
                     expected);
}

int parse_fail(struct parser *p, json_object *got, const char *expected)
{
    return fail_in(p, NULL, got, expected);
}

int parse_fail_key(struct parser *p, json_object *object, const char *key, const char *expected)
{
    size_t mark = parse_enter_key(p, key);
    fail_in(p, object, parse_get(object, key), expected);
    parse_leave(p, mark);
    return -1;
}

void parse_note(struct parser *p, json_object *object, const char *key, const char *what,
                const char *effect)
{
    int line, column;
    parse_position(p, object, key, &line, &column);
    size_t mark = key != NULL ? parse_enter_key(p, key) : strlen(p->path);
    automation_add_note(p->automation, p->path, line, column, what, effect);
    parse_leave(p, mark);
}

void parse_note_named(struct parser *p, json_object *object, const char *name, const char *what,
                      const char *effect)
{
    char shown[PARSE_VALUE_SHOWN + 1];
    text_copy_shown(shown, sizeof shown, name);
    char *whole = xasprintf("%s %s", shown, what);
    parse_note(p, object, NULL, whole, effect);
    free(whole);
}

/* Of null and of floats it is not known. */
void parse_position(const struct parser *p, json_object *object, const char *key, int *line,
                    int *column)
{
    json_object *value = key != NULL ? parse_get(object, key) : object;
    if (yaml_line(value) == 0)
        value = yaml_line(object) != 0 ? object : p->at;
    *line = yaml_line(value);
    *column = yaml_column(value);
}

json_object *parse_stand_at(struct parser *p, json_object *object)
{
    json_object *before = p->at;
    if (yaml_line(object) != 0)
        p->at = object;
    return before;
}

static const char *const trigger_keys[] = {"platform",  "trigger", "id",   "alias",
                                           "variables", "enabled", "note", NULL};
static const char *const condition_keys[] = {"condition", "alias", "enabled", "note", NULL};
static const char *const no_keys[] = {NULL};

static bool is_among(const char *const *keys, const char *key)
{
    while (*keys != NULL && strcmp(*keys, key) != 0)
        keys++;
    return *keys != NULL;
}

static int check_keys(struct parser *p, json_object *object, const char *const *keys,
                      const char *const *common)
{
    json_object_object_foreach(object, key, value)
    {
        if (is_among(keys, key) || is_among(common, key))
            continue;
        size_t mark = parse_enter_key(p, key);
        parse_fail(p, value, "no such key here");
        parse_leave(p, mark);
        return -1;
    }
    return 0;
}

int parse_keys(struct parser *p, json_object *object, const char *const *keys)
{
    return check_keys(p, object, keys, no_keys);
}

int parse_trigger_keys(struct parser *p, json_object *object, const char *const *keys)
{
    return check_keys(p, object, keys, trigger_keys);
}

int parse_condition_keys(struct parser *p, json_object *object, const char *const *keys)
{
    return check_keys(p, object, keys, condition_keys);
}

json_object *parse_options_up(json_object *config, bool is_trigger)
{
    json_object *options = parse_get(config, "options");
    if (!json_object_is_type(options, json_type_object))
        return json_object_get(config);
    json_object *merged = json_object_new_object();
    json_object_object_foreach(config, key, value)
    {
        bool is_options = strcmp(key, "options") == 0;
        if (!is_options && !is_among(is_trigger ? trigger_keys : condition_keys, key)) {
            json_object_put(merged);
            return json_object_get(config);
        }
        if (!is_options)
            json_object_object_add(merged, key, json_object_get(value));
    }
    json_object_object_foreach(options, option, part)
    {
        json_object_object_add(merged, option, json_object_get(part));
    }
    return merged;
}

bool parse_has(json_object *object, const char *key)
{
    return json_object_object_get_ex(object, key, NULL);
}

json_object *parse_get(json_object *object, const char *key)
{
    json_object *value = NULL;
    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, key, &value);
    return value;
}

bool parse_is_template(json_object *value)
{
    if (!json_object_is_type(value, json_type_string))
        return false;
    const char *text = json_object_get_string(value);
    return strstr(text, "{{") != NULL || strstr(text, "{%") != NULL || strstr(text, "{#") != NULL;
}

size_t parse_list_length(json_object *value)
{
    if (value == NULL)
        return 0;
    return json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 1;
}

json_object *parse_list_at(json_object *value, size_t index)
{
    return json_object_is_type(value, json_type_array) ? json_object_array_get_idx(value, index)
                                                       : value;
}

/* --- values --- */

int parse_boolean(struct parser *p, json_object *object, const char *key, bool *out)
{
    static const char *const words[] = {"1", "true",  "yes", "on",  "enable",
                                        "0", "false", "no",  "off", "disable"};
    enum { WORDS = sizeof words / sizeof *words };
    json_object *value = parse_get(object, key);
    if (!parse_has(object, key))
        return 0;
    switch (json_object_get_type(value)) {
    case json_type_boolean:
        *out = json_object_get_boolean(value);
        return 0;
    case json_type_int:
    case json_type_double:
        *out = fabs(json_object_get_double(value)) > 0;
        return 0;
    case json_type_string:
        for (size_t i = 0; i < WORDS; i++)
            if (strcasecmp(json_object_get_string(value), words[i]) == 0) {
                *out = i < WORDS / 2;
                return 0;
            }
        break;
    default:
        break;
    }
    return parse_fail_key(p, object, key, "true or false");
}

int parse_text(struct parser *p, json_object *object, const char *key, char **out)
{
    if (!parse_has(object, key))
        return 0;
    json_object *value = parse_get(object, key);
    if (value == NULL || json_object_is_type(value, json_type_object) ||
        json_object_is_type(value, json_type_array))
        return parse_fail_key(p, object, key, "a text");
    free(*out);
    *out = xstrdup(json_object_get_string(value));
    return 0;
}

int parse_id(struct parser *p, json_object *object, char **out)
{
    if (parse_has(object, "id") && !json_object_is_type(parse_get(object, "id"), json_type_string))
        return parse_fail_key(p, object, "id", "a text, in quotes");
    return parse_text(p, object, "id", out);
}

int parse_enabled(struct parser *p, json_object *object, bool *is_enabled)
{
    *is_enabled = true;
    if (!parse_is_template(parse_get(object, "enabled")))
        return parse_boolean(p, object, "enabled", is_enabled);
    parse_note(p, object, "enabled", "template that enables", "taken to be enabled");
    return 0;
}

/* As Python's int() reads it, within what a clock needs. */
static bool read_int(const char *text, size_t length, double *out)
{
    char copy[24];
    if (length == 0 || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return strpbrk(copy, ".eEiInN") == NULL && timeline_number(copy, out);
}

bool parse_whole_number(const char *text, double *out)
{
    return read_int(text, strlen(text), out);
}

/* "HH:MM", "HH:MM:SS", "HH:MM:SS.F" with a sign, in microseconds; NAN when it is none. */
static double read_clock_period(const char *text)
{
    double sign = *text == '-' ? -1 : 1, hours, minutes, seconds = 0;
    if (*text == '-' || *text == '+')
        text++;
    size_t length = strcspn(text, ":");
    if (text[length] != ':' || !read_int(text, length, &hours))
        return NAN;
    text += length + 1;
    length = strcspn(text, ":");
    if (!read_int(text, length, &minutes))
        return NAN;
    if (text[length] == ':' && !timeline_number(text + length + 1, &seconds))
        return NAN;
    return sign * (hours * 3600 + minutes * 60 + seconds) * SECOND_US;
}

/* vol.Coerce(float); NAN when it is no number. */
static double read_number(json_object *value)
{
    double number = NAN;
    switch (json_object_get_type(value)) {
    case json_type_int:
    case json_type_double:
    case json_type_boolean:
        return json_object_get_double(value);
    case json_type_string:
        return timeline_number(json_object_get_string(value), &number) ? number : NAN;
    default:
        return NAN;
    }
}

/* {days, hours, minutes, seconds, milliseconds}. */
static double read_period_object(json_object *value, bool *is_template)
{
    static const struct {
        const char *key;
        double us;
    } units[] = {{"days", 86400 * SECOND_US},
                 {"hours", 3600 * SECOND_US},
                 {"minutes", 60 * SECOND_US},
                 {"seconds", SECOND_US},
                 {"milliseconds", 1000}};
    double us = json_object_object_length(value) > 0 ? 0 : (double)NAN;
    json_object_object_foreach(value, key, part)
    {
        size_t i = 0;
        while (i < sizeof units / sizeof *units && strcmp(units[i].key, key) != 0)
            i++;
        if (i == sizeof units / sizeof *units)
            return NAN;
        if (is_template != NULL && parse_is_template(part))
            *is_template = true;
        else
            us += read_number(part) * units[i].us;
    }
    return us;
}

/* In microseconds; NAN when it is none. */
static double read_period(json_object *value, bool *is_template)
{
    double us = NAN;
    if (json_object_is_type(value, json_type_object))
        return read_period_object(value, is_template);
    if (json_object_is_type(value, json_type_string))
        us = read_clock_period(json_object_get_string(value));
    return isnan(us) ? read_number(value) * SECOND_US : us;
}

int parse_period(struct parser *p, json_object *object, const char *key, bool may_be_negative,
                 int64_t *out_us, bool *is_template)
{
    static const char expected[] = "a time such as \"00:05:00\", seconds, or {minutes: 5}";
    json_object *value = parse_get(object, key);
    if (!parse_has(object, key))
        return 0;
    if (is_template != NULL && parse_is_template(value)) {
        *is_template = true;
        return 0;
    }
    double us = read_period(value, is_template);
    if (!isfinite(us) || (us < 0 && !may_be_negative))
        return parse_fail_key(p, object, key, expected);
    *out_us = (int64_t)llrint(fmin(fmax(us, -PERIOD_MAX_US), PERIOD_MAX_US));
    return 0;
}

bool automation_read_period(json_object *value, int64_t *us)
{
    double read = read_period(value, NULL);
    if (!isfinite(read))
        return false;
    *us = (int64_t)llrint(fmin(fmax(read, -PERIOD_MAX_US), PERIOD_MAX_US));
    return true;
}

int parse_clock(const char *text)
{
    int part[3] = {0, 0, 0};
    static const int max[] = {23, 59, 59};
    for (int i = 0; i < 3; i++) {
        double number;
        size_t length = strcspn(text, ":");
        if (!read_int(text, length, &number) || number < 0 || number > max[i])
            return -1;
        part[i] = (int)number;
        text += length;
        if (*text == '\0' && i == 0)
            return -1;
        if (*text == '\0')
            break;
        text++;
    }
    return part[0] * 3600 + part[1] * 60 + part[2]; /* HA does not mind what follows */
}

int parse_weekdays(struct parser *p, json_object *object, const char *key, unsigned *bits)
{
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    json_object *value = parse_get(object, key);
    *bits = 0;
    for (size_t i = 0; i < parse_list_length(value); i++) {
        json_object *day = parse_list_at(value, i);
        int found = -1;
        for (int j = 0; j < 7 && json_object_is_type(day, json_type_string); j++)
            if (strcmp(json_object_get_string(day), names[j]) == 0)
                found = j;
        if (found < 0)
            return parse_fail_key(p, object, key, "mon, tue, wed, thu, fri, sat or sun");
        *bits |= 1U << found;
    }
    return 0;
}

int parse_sun_event(struct parser *p, json_object *object, const char *key, bool *is_set)
{
    json_object *value = parse_get(object, key);
    const char *text =
        json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    *is_set = strcasecmp(text, "sunset") == 0;
    if (*is_set || strcasecmp(text, "sunrise") == 0)
        return 0;
    return parse_fail_key(p, object, key, "sunrise or sunset");
}

/* --- entities --- */

/* core.py's pattern: two slugs, no underscore at their ends, no two in a row in the domain. */
bool parse_is_entity_id(const char *text)
{
    const char *dot = strchr(text, '.');
    size_t length = strlen(text);
    if (dot == NULL || dot == text || dot[1] == '\0' || length > ENTITY_ID_MAX)
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if (c != dot && !(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_'))
            return false;
    return text[0] != '_' && dot[-1] != '_' && dot[1] != '_' && text[length - 1] != '_' &&
           strstr(text, "__") == NULL;
}

const char *parse_entity_id(const struct parser *p, size_t entity)
{
    return p->automation->entities.keys[entity];
}

/* In small letters. */
static int add_entity(struct parser *p, const char *text, size_t length, size_t *entity)
{
    char id[ENTITY_ID_MAX + 1];
    if (length == 0 || length > ENTITY_ID_MAX)
        return -1;
    for (size_t i = 0; i < length; i++)
        id[i] = (char)tolower((unsigned char)text[i]);
    id[length] = '\0';
    if (!parse_is_entity_id(id))
        return -1;
    int64_t index = dictionary_add(&p->automation->entities, id, length, ENTITIES_MAX);
    if (index < 0)
        return error_set(p->err, ERROR_LIMIT, "%s: more than %d entities", p->path, ENTITIES_MAX);
    *entity = (size_t)index;
    return 0;
}

/* An entity's id in its registry: 32 hexadecimal digits. */
static bool is_registry_id(const char *text, size_t length)
{
    return length == 32 && strspn(text, "0123456789abcdef") >= 32;
}

static int append_entities(struct parser *p, const char *text, bool has_commas, size_t **list,
                           size_t *count)
{
    while (text != NULL) {
        size_t entity;
        while (has_commas && isspace((unsigned char)*text))
            text++;
        const char *end = text + (has_commas ? strcspn(text, ",") : strlen(text));
        size_t length = (size_t)(end - text);
        while (has_commas && length > 0 && isspace((unsigned char)text[length - 1]))
            length--;
        if (is_registry_id(text, length)) {
            parse_note(p, NULL, NULL, "entity by its registry id", "its changes are not seen");
        } else if (add_entity(p, text, length, &entity) == 0) {
            if (*count >= PARSE_LIST_MAX)
                return error_set(p->err, ERROR_LIMIT, "%s: more than %d entities", p->path,
                                 PARSE_LIST_MAX);
            *list = xreallocarray(*list, *count + 1, sizeof **list);
            (*list)[(*count)++] = entity;
        } else {
            return -1;
        }
        text = *end == ',' ? end + 1 : NULL;
    }
    return 0;
}

int parse_entities(struct parser *p, json_object *object, const char *key, size_t **list,
                   size_t *count)
{
    static const char expected[] = "an entity id such as light.kitchen, or a list of them";
    json_object *value = parse_get(object, key);
    if (!json_object_is_type(value, json_type_string) &&
        !json_object_is_type(value, json_type_array))
        return parse_fail_key(p, object, key, expected);
    bool is_list = json_object_is_type(value, json_type_array);
    size_t mark = parse_enter_key(p, key);
    int result = 0;
    for (size_t i = 0; result == 0 && i < parse_list_length(value); i++) {
        json_object *id = parse_list_at(value, i);
        p->err->code = ERROR_NONE;
        result = json_object_is_type(id, json_type_string)
                     ? append_entities(p, json_object_get_string(id), !is_list, list, count)
                     : -1;
        if (result != 0 && p->err->code == ERROR_NONE)
            parse_fail(p, id, expected);
    }
    parse_leave(p, mark);
    return result;
}

int parse_entity_of(struct parser *p, json_object *value, size_t *entity)
{
    const char *text =
        json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    p->err->code = ERROR_NONE;
    if (add_entity(p, text, strlen(text), entity) == 0)
        return 0;
    if (p->err->code == ERROR_NONE)
        parse_fail(p, value, "an entity id such as light.kitchen");
    return -1;
}

int parse_entity(struct parser *p, json_object *object, const char *key, size_t *entity)
{
    size_t mark = parse_enter_key(p, key);
    int result = parse_entity_of(p, parse_get(object, key), entity);
    parse_leave(p, mark);
    return result;
}

static bool has_domain(const char *id, const char *const *domains)
{
    size_t length = strcspn(id, ".");
    for (; *domains != NULL; domains++)
        if (strlen(*domains) == length && strncmp(id, *domains, length) == 0)
            return true;
    return false;
}

int parse_limit(struct parser *p, json_object *object, const char *key, struct limit *out)
{
    static const char *const domains[] = {"input_number", "number", "sensor", "zone", NULL};
    static const char expected[] = "a number, or an input_number, number, sensor or zone";
    json_object *value = parse_get(object, key);
    if (!parse_has(object, key))
        return 0;
    double number = read_number(value);
    *out = (struct limit){.is_given = true, .number = number};
    if (!isnan(number))
        return 0;
    if (json_object_is_type(value, json_type_string) &&
        timeline_number(json_object_get_string(value), &number))
        return 0; /* "nan" is a number, too */
    out->is_entity = true;
    if (!json_object_is_type(value, json_type_string))
        return parse_fail_key(p, object, key, expected);
    if (parse_entity(p, object, key, &out->entity) != 0)
        return p->err->code == ERROR_LIMIT ? -1 : parse_fail_key(p, object, key, expected);
    if (!has_domain(parse_entity_id(p, out->entity), domains))
        return parse_fail_key(p, object, key, expected);
    return 0;
}
