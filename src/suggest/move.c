#include "suggest/move.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "core/yaml.h"
#include "model/rule.h"
#include "replay/automation.h"

enum { DAY_S = 86400, DEPTH_MAX = YAML_DEPTH_MAX + 2 };
#define SECONDS_MAX (366.0 * DAY_S)
#define NUMBER_MAX 1e9
static const double second_us = 1000000;

/* What each key's value is read as. */
enum value_kind { VALUE_CLOCK, VALUE_PERIOD, VALUE_NUMBER, VALUE_DAYS, VALUE_PATH };

struct part;

/* A row for each key. */
struct kind {
    const char *key;
    enum value_kind value;
    /* Changes the copy; false when nothing of it is meant. */
    bool (*apply)(const struct part *part, json_object *config);
    const char *lacking; /* why, then */
};

struct part {
    const struct kind *kind;
    bool is_relative;
    double number; /* seconds, or the number */
    unsigned days; /* as model/rule.h has them */
    char path[MOVE_BYTES_MAX + 1];
};

struct move {
    char *text;
    struct part parts[MOVE_PARTS_MAX];
    size_t count;
};

/* --- json --- */

/* The key that is there, of a new and an old name. */
static const char *key_of(json_object *object, const char *key, const char *old)
{
    return json_get(object, key) == NULL && json_get(object, old) != NULL ? old : key;
}

/* Calls visit for each object below a value, itself first. */
static bool visit_below(json_object *value, bool (*visit)(const struct part *, json_object *),
                        const struct part *part, int depth)
{
    bool is_done = false;
    if (depth > DEPTH_MAX)
        return false;
    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            is_done =
                visit_below(json_object_array_get_idx(value, i), visit, part, depth + 1) || is_done;
    } else if (json_object_is_type(value, json_type_object)) {
        is_done = visit(part, value);
        json_object_object_foreach(value, key, member)
        {
            (void)key;
            is_done = visit_below(member, visit, part, depth + 1) || is_done;
        }
    }
    return is_done;
}

/* --- the triggers --- */

static json_object *triggers_of(json_object *config)
{
    return json_get(config, key_of(config, "triggers", "trigger"));
}

static bool is_trigger(json_object *trigger, const char *kind)
{
    return json_is_text(json_get(trigger, key_of(trigger, "trigger", "platform")), kind);
}

static json_object *clock_text(double seconds, bool is_signed)
{
    char text[40];
    long long whole = llround(fabs(seconds));
    snprintf(text, sizeof text, "%s%02lld:%02lld:%02lld", is_signed && seconds < 0 ? "-" : "",
             whole / 3600, whole / 60 % 60, whole % 60);
    return json_object_new_string(text);
}

/* A new time for one of `at`: NULL when it is an entity or a template. */
static json_object *move_clock(const struct part *part, json_object *at)
{
    int64_t us;
    double seconds = part->number;
    if (!json_object_is_type(at, json_type_string) || !automation_read_period(at, &us) || us < 0)
        return NULL;
    if (part->is_relative)
        seconds = (double)us / second_us + part->number + SECONDS_MAX;
    return clock_text(fmod(round(seconds), DAY_S), false); /* there is no 24:00:00 */
}

static bool move_time(const struct part *part, json_object *trigger)
{
    json_object *at = json_get(trigger, "at"), *moved;
    if (!json_object_is_type(at, json_type_array)) {
        moved = move_clock(part, at);
        if (moved != NULL)
            json_object_object_add(trigger, "at", moved);
        return moved != NULL;
    }
    bool is_done = false;
    for (size_t i = 0; i < json_object_array_length(at); i++) {
        moved = move_clock(part, json_object_array_get_idx(at, i));
        if (moved != NULL)
            json_object_array_put_idx(at, i, moved);
        is_done = is_done || moved != NULL;
    }
    return is_done;
}

static bool move_sun(const struct part *part, json_object *trigger)
{
    int64_t us = 0;
    if (!part->is_relative || (json_get(trigger, "offset") != NULL &&
                               !automation_read_period(json_get(trigger, "offset"), &us)))
        return false;
    json_object_object_add(trigger, "offset",
                           clock_text((double)us / second_us + part->number, true));
    return true;
}

static bool move_at(const struct part *part, json_object *trigger)
{
    if (is_trigger(trigger, "time"))
        return move_time(part, trigger);
    return is_trigger(trigger, "sun") && move_sun(part, trigger);
}

static bool apply_at(const struct part *part, json_object *config)
{
    return visit_below(triggers_of(config), move_at, part, 0);
}

/* Where a trigger of 2026.11 keeps its fields there. */
static bool move_for(const struct part *part, json_object *trigger)
{
    json_object *options = json_get(trigger, "options");
    json_object *owner = json_get(options, "for") != NULL ? options : trigger;
    json_object *present = json_get(owner, "for");
    bool may_have = is_trigger(trigger, "state") || is_trigger(trigger, "numeric_state");
    int64_t us = 0;
    if (json_get(trigger, key_of(trigger, "trigger", "platform")) == NULL ||
        (present == NULL && !may_have) ||
        (present != NULL && !automation_read_period(present, &us) && part->is_relative))
        return false;
    if (present == NULL && json_object_is_type(options, json_type_object) &&
        json_get(trigger, "entity_id") == NULL)
        owner = options;
    double seconds = part->number + (part->is_relative ? (double)us / second_us : 0);
    json_object_object_add(owner, "for", clock_text(seconds > 0 ? seconds : 0, false));
    return true;
}

static bool apply_for(const struct part *part, json_object *config)
{
    return visit_below(triggers_of(config), move_for, part, 0);
}

/* --- triggers and conditions --- */

/* The end of a threshold of 2026.11, {type: between, value_min: {number: 5}, ...}, that is above or
 * below; NULL when the object is none. */
static json_object *threshold_end(json_object *object, const char *key)
{
    json_object *type = json_get(object, "type");
    if (json_is_text(type, key))
        return json_get(object, "value");
    if (json_is_text(type, "between") || json_is_text(type, "outside"))
        return json_get(object, strcmp(key, "above") == 0 ? "value_min" : "value_max");
    return NULL;
}

static bool move_limit(const struct part *part, json_object *object)
{
    const char *key = part->kind->key;
    json_object *end = threshold_end(object, key);
    if (end != NULL) {
        object = end;
        key = "number";
    }
    json_object *limit = json_get(object, key);
    double present;
    if (json_object_is_type(limit, json_type_int) || json_object_is_type(limit, json_type_double))
        present = json_object_get_double(limit);
    else if (!json_object_is_type(limit, json_type_string) ||
             !timeline_number(json_object_get_string(limit), &present))
        return false;
    json_object_object_add(
        object, key, json_object_new_double(part->number + (part->is_relative ? present : 0)));
    return true;
}

static bool apply_limit(const struct part *part, json_object *config)
{
    bool is_done = visit_below(triggers_of(config), move_limit, part, 0);
    return visit_below(json_get(config, key_of(config, "conditions", "condition")), move_limit,
                       part, 0) ||
           is_done;
}

static json_object *days_list(unsigned days)
{
    json_object *list = json_object_new_array();
    for (int day = 0; day < 7; day++)
        if ((days >> day & 1) != 0)
            json_object_array_add(list, json_object_new_string(rule_weekday_name(day)));
    return list;
}

static bool move_days(const struct part *part, json_object *object)
{
    if (json_get(object, "weekday") == NULL)
        return false;
    json_object_object_add(object, "weekday", days_list(part->days));
    return true;
}

static bool apply_days(const struct part *part, json_object *config)
{
    const char *key = key_of(config, "conditions", "condition");
    json_object *conditions = json_get(config, key);
    bool is_done = visit_below(triggers_of(config), move_days, part, 0);
    if (visit_below(conditions, move_days, part, 0) || is_done)
        return true;
    json_object *condition = json_object_new_object(), *list = json_object_new_array();
    json_object_object_add(condition, "condition", json_object_new_string("time"));
    json_object_object_add(condition, "weekday", days_list(part->days));
    if (json_object_is_type(conditions, json_type_array))
        for (size_t i = 0; i < json_object_array_length(conditions); i++)
            json_object_array_add(list, json_object_get(json_object_array_get_idx(conditions, i)));
    else if (conditions != NULL)
        json_object_array_add(list, json_object_get(conditions));
    json_object_array_add(list, condition);
    json_object_object_add(config, key, list);
    return true;
}

/* --- a path --- */

/* "conditions[1]" in front of the text: the name and the index, -1 without one. */
static bool read_step(const char **text, char *name, size_t size, int *index)
{
    size_t length = strcspn(*text, ".[");
    if (length == 0 || length >= size)
        return false;
    memcpy(name, *text, length);
    name[length] = '\0';
    *text += length;
    *index = -1;
    if (**text == '[') {
        char *end;
        long number = isdigit((unsigned char)(*text)[1]) ? strtol(*text + 1, &end, 10) : -1;
        if (number < 0 || number > 100000 || *end != ']')
            return false;
        *index = (int)number;
        *text = end + 1;
    }
    if (**text == '.' && (*text)[1] != '\0')
        (*text)++;
    else if (**text != '\0')
        return false;
    return true;
}

/* The plural or the old name, whichever is there. */
static const char *find_key(json_object *object, const char *name)
{
    static const char *const names[][2] = {
        {"triggers", "trigger"}, {"conditions", "condition"}, {"actions", "action"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int j = 0; j < 2; j++)
            if (json_get(object, name) == NULL && strcmp(names[i][j], name) == 0 &&
                json_get(object, names[i][1 - j]) != NULL)
                return names[i][1 - j];
    return name;
}

/* The last trigger may not go. */
static bool take_out(json_object *owner, const char *key, int index)
{
    json_object *list = json_get(owner, key);
    bool is_list = json_object_is_type(list, json_type_array);
    if (index >= 0 && is_list && (size_t)index < json_object_array_length(list))
        return json_object_array_del_idx(list, (size_t)index, 1) == 0;
    if (list == NULL || index > 0 || (index == 0 && is_list))
        return false;
    json_object_object_del(owner, key);
    return true;
}

static bool apply_without(const struct part *part, json_object *config)
{
    const char *path = part->path;
    char name[MOVE_BYTES_MAX + 1];
    json_object *owner = config;
    int index;
    while (read_step(&path, name, sizeof name, &index)) {
        const char *key = find_key(owner, name);
        if (*path == '\0') {
            bool is_done = take_out(owner, key, index);
            json_object *triggers = triggers_of(config);
            return is_done && triggers != NULL &&
                   (!json_object_is_type(triggers, json_type_array) ||
                    json_object_array_length(triggers) > 0);
        }
        json_object *next = json_get(owner, key);
        if (index >= 0 && json_object_is_type(next, json_type_array))
            next = json_object_array_get_idx(next, (size_t)index);
        else if (index > 0)
            return false;
        owner = next;
    }
    return false;
}

/* --- what a person types --- */

static const struct kind kinds[] = {
    {"at", VALUE_CLOCK, apply_at, "no trigger follows the clock (or the sun, for a sign)"},
    {"for", VALUE_PERIOD, apply_for, "no trigger has a 'for' that is known"},
    {"above", VALUE_NUMBER, apply_limit, "nothing has a number 'above'"},
    {"below", VALUE_NUMBER, apply_limit, "nothing has a number 'below'"},
    {"weekday", VALUE_DAYS, apply_days, NULL},
    {"without", VALUE_PATH, apply_without, "there is no such part, or it is the last trigger"},
};

static bool read_number(const char **text, double *out)
{
    char *end;
    size_t length = strspn(*text, "0123456789.");
    if (!isdigit((unsigned char)**text) || length > 15)
        return false;
    *out = strtod(*text, &end);
    if (end != *text + length)
        return false;
    *text = end;
    return true;
}

/* HH:MM or HH:MM:SS. */
static bool read_clock(const char *text, double *seconds)
{
    double hours, minutes, rest = 0;
    if (!read_number(&text, &hours) || *text++ != ':' || !read_number(&text, &minutes))
        return false;
    if (*text == ':') {
        text++;
        if (!read_number(&text, &rest))
            return false;
    }
    *seconds = hours * 3600 + minutes * 60 + rest;
    return *text == '\0' && minutes < 60 && rest < 60;
}

/* 90s, 15min, 1h30min, 2d, 00:15. A number needs its unit. */
static bool read_period(const char *text, double *seconds)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"s", 1},        {"sec", 1},     {"second", 1},   {"seconds", 1}, {"m", 60},
                 {"min", 60},     {"minute", 60}, {"minutes", 60}, {"h", 3600},    {"hour", 3600},
                 {"hours", 3600}, {"d", DAY_S},   {"day", DAY_S},  {"days", DAY_S}};
    enum { UNITS = sizeof units / sizeof *units };
    if (strchr(text, ':') != NULL)
        return read_clock(text, seconds) && *seconds <= SECONDS_MAX;
    *seconds = 0;
    do {
        double number;
        size_t u = 0, length = 0;
        if (!read_number(&text, &number))
            return false;
        while (isalpha((unsigned char)text[length]))
            length++;
        while (u < UNITS &&
               (strlen(units[u].name) != length || strncmp(units[u].name, text, length) != 0))
            u++;
        if (u == UNITS)
            return false;
        *seconds += number * units[u].seconds;
        text += length;
    } while (*text != '\0');
    return *seconds <= SECONDS_MAX;
}

static int read_day(const char *text, size_t length)
{
    for (int day = 0; day < 7; day++)
        if (strlen(rule_weekday_name(day)) == length &&
            strncmp(rule_weekday_name(day), text, length) == 0)
            return day;
    return -1;
}

/* mon-fri, mon,wed, sat-mon. */
static bool read_days(const char *text, unsigned *days)
{
    *days = 0;
    do {
        size_t length = strcspn(text, ",-");
        int from = read_day(text, length), to = from;
        text += length;
        if (*text == '-') {
            length = strcspn(++text, ",-");
            to = read_day(text, length);
            text += length;
        }
        if (from < 0 || to < 0)
            return false;
        for (int day = from; day != to; day = (day + 1) % 7)
            *days |= 1U << day;
        *days |= 1U << to;
        if (*text == '\0')
            return true;
    } while (*text++ == ',');
    return false;
}

static bool read_path(const char *text, char *path)
{
    char name[MOVE_BYTES_MAX + 1];
    int index;
    memcpy(path, text, strlen(text) + 1);
    do {
        if (!read_step(&text, name, sizeof name, &index))
            return false;
    } while (*text != '\0');
    return true;
}

/* A sign makes it relative, but behind a second '='. */
static bool read_value(struct part *part, const char *text)
{
    bool is_set = *text == '=';
    double sign = 1;
    text += is_set;
    if ((*text == '+' || *text == '-') && part->kind->value <= VALUE_NUMBER) {
        part->is_relative = !is_set;
        sign = *text++ == '-' ? -1 : 1;
    }
    bool is_right = false;
    switch (part->kind->value) {
    case VALUE_CLOCK:
        is_right = part->is_relative ? read_period(text, &part->number)
                                     : read_clock(text, &part->number) && part->number < DAY_S;
        break;
    case VALUE_PERIOD:
        is_right = read_period(text, &part->number);
        break;
    case VALUE_NUMBER:
        is_right = read_number(&text, &part->number) && *text == '\0' && part->number <= NUMBER_MAX;
        break;
    case VALUE_DAYS:
        is_right = read_days(text, &part->days);
        break;
    case VALUE_PATH:
        is_right = read_path(text, part->path);
        break;
    }
    part->number *= sign;
    return is_right &&
           (part->number >= 0 || part->is_relative || part->kind->value == VALUE_NUMBER);
}

static bool read_part(const char *text, struct part *part)
{
    size_t length = strcspn(text, "=");
    *part = (struct part){.kind = NULL};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strlen(kinds[i].key) == length && strncmp(kinds[i].key, text, length) == 0)
            part->kind = &kinds[i];
    return part->kind != NULL && text[length] == '=' && read_value(part, text + length + 1);
}

struct move *move_parse(const char *text, struct error *err)
{
    char copy[MOVE_BYTES_MAX + 1], *rest = NULL;
    struct move *move = xcalloc(1, sizeof *move);
    bool is_right = strlen(text) <= MOVE_BYTES_MAX;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *part = strtok_r(copy, " ", &rest); part != NULL && is_right;
         part = strtok_r(NULL, " ", &rest))
        is_right = move->count < MOVE_PARTS_MAX && read_part(part, &move->parts[move->count++]);
    if (!is_right || move->count == 0) {
        error_set(err, ERROR_INVALID, "got '%.*s', takes " MOVE_TAKES, MOVE_BYTES_MAX, text);
        free(move);
        return NULL;
    }
    move->text = xstrdup(text);
    return move;
}

void move_free(struct move *move)
{
    if (move == NULL)
        return;
    free(move->text);
    free(move);
}

const char *move_text(const struct move *move)
{
    return move->text;
}

json_object *move_apply(const struct move *move, json_object *config, struct error *err)
{
    if (!json_object_is_type(config, json_type_object)) {
        error_set(err, ERROR_NOT_FOUND, "there is no automation that could be changed");
        return NULL;
    }
    json_object *copy = yaml_copy(config);
    for (size_t i = 0; i < move->count; i++) {
        const struct part *part = &move->parts[i];
        if (part->kind->apply(part, copy))
            continue;
        error_set(err, ERROR_NOT_FOUND, "%s: %s", part->kind->key, part->kind->lacking);
        json_object_put(copy);
        return NULL;
    }
    return copy;
}
