#include "replay/moment.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_S = 86400, YEAR_MAX = 9999 };

#define SECOND_US INT64_C(1000000)

bool moment_is_domain(const struct state *state, const char *domain)
{
    size_t length = strlen(domain);
    const char *id = state->series->entity_id;
    return strncmp(id, domain, length) == 0 && id[length] == '.';
}

/* Exactly that many digits. */
static bool read_digits(const char **p, int count, int *out)
{
    *out = 0;
    for (int i = 0; i < count; i++, (*p)++) {
        if (!isdigit((unsigned char)**p))
            return false;
        *out = *out * 10 + (**p - '0');
    }
    return true;
}

static bool skip(const char **p, char c)
{
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

static bool is_date(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1 || year > YEAR_MAX || month < 1 || month > 12 || day < 1)
        return false;
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= days[month - 1] + (month == 2 && is_leap);
}

static struct moment wall_moment(int year, int month, int day, int second_of_day)
{
    return (struct moment){
        .kind = MOMENT_WALL,
        .second_of_day = second_of_day,
        .wall = {tz_days_from_civil(year, month, day) * DAY_S + second_of_day, 0}};
}

/* "HH:MM", "HH:MM:SS", a fraction behind it; *us of the fraction. */
static bool read_clock(const char **p, int *second_of_day, int64_t *us)
{
    int hour, minute, second = 0;
    *us = 0;
    if (!read_digits(p, 2, &hour) || !skip(p, ':') || !read_digits(p, 2, &minute))
        return false;
    if (skip(p, ':') && !read_digits(p, 2, &second))
        return false;
    if (skip(p, '.')) {
        int64_t unit = SECOND_US;
        if (!isdigit((unsigned char)**p))
            return false;
        for (; isdigit((unsigned char)**p); (*p)++) {
            unit /= 10;
            *us += (**p - '0') * unit;
        }
    }
    *second_of_day = hour * 3600 + minute * 60 + second;
    return hour < 24 && minute < 60 && second < 60;
}

/* "Z", "+01:00", "+0100", "+01"; false when something else is left. */
static bool read_offset(const char *p, int *offset_s)
{
    int hours, minutes = 0, sign = *p == '-' ? -1 : 1;
    *offset_s = 0;
    if ((*p == 'Z' || *p == 'z') && p[1] == '\0')
        return true;
    if (*p != '+' && *p != '-')
        return false;
    p++;
    if (!read_digits(&p, 2, &hours))
        return false;
    bool has_minutes = skip(&p, ':') || *p != '\0';
    if (has_minutes && !read_digits(&p, 2, &minutes))
        return false;
    *offset_s = sign * (hours * 3600 + minutes * 60);
    return *p == '\0' && minutes < 60;
}

struct moment moment_of_text(const char *text)
{
    const struct moment none = {.kind = MOMENT_NONE};
    int year, month, day, second_of_day = 0, offset_s;
    int64_t us = 0;
    const char *p = text;
    if (!read_digits(&p, 4, &year) || !skip(&p, '-') || !read_digits(&p, 2, &month) ||
        !skip(&p, '-') || !read_digits(&p, 2, &day) || !is_date(year, month, day))
        return none;
    if (*p == 'T' || *p == ' ') {
        p++;
        if (!read_clock(&p, &second_of_day, &us))
            return none;
    }
    struct moment moment = wall_moment(year, month, day, second_of_day);
    if (*p == '\0')
        return moment;
    if (!read_offset(p, &offset_s))
        return none;
    moment.kind = MOMENT_UTC;
    moment.utc_us = (moment.wall.s - offset_s) * SECOND_US + us;
    return moment;
}

/* "07:30:00", "2026-01-01", "2026-01-01 07:30:00". */
static struct moment input_by_state(const char *text)
{
    const char *p = text;
    int64_t us;
    struct moment moment = {.kind = MOMENT_CLOCK};
    if (read_clock(&p, &moment.second_of_day, &us) && *p == '\0')
        return moment;
    moment = moment_of_text(text);
    if (moment.kind == MOMENT_UTC)
        moment.kind = MOMENT_NONE;
    return moment;
}

/* A whole number attribute within bounds; false: KeyError, TypeError, ValueError. */
static bool read_attribute(const struct replay *r, struct state state, const char *name, int min,
                           int max, int *out)
{
    json_object *value = state_attribute(r, state, name);
    if (!json_object_is_type(value, json_type_int))
        return false;
    int64_t number = json_object_get_int64(value);
    *out = (int)number;
    return number >= min && number <= max;
}

static bool is_true(json_object *value)
{
    return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

struct moment moment_of_input_datetime(const struct replay *r, struct state state)
{
    struct moment broken = {.kind = MOMENT_BROKEN};
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    /* The recorder leaves has_date and has_time out; the state tells them. */
    if (!state_has_attribute(r, state, "has_date") || !state_has_attribute(r, state, "has_time"))
        return input_by_state(state_text(r, state));
    bool has_date = is_true(state_attribute(r, state, "has_date"));
    bool has_time = is_true(state_attribute(r, state, "has_time"));
    if (has_date && (!read_attribute(r, state, "year", 1, YEAR_MAX, &year) ||
                     !read_attribute(r, state, "month", 1, 12, &month) ||
                     !read_attribute(r, state, "day", 1, 31, &day) || !is_date(year, month, day)))
        return broken;
    if (has_time && (!read_attribute(r, state, "hour", 0, 23, &hour) ||
                     !read_attribute(r, state, "minute", 0, 59, &minute) ||
                     !read_attribute(r, state, "second", 0, 59, &second)))
        return broken;
    int second_of_day = hour * 3600 + minute * 60 + second;
    if (has_date)
        return wall_moment(year, month, day, second_of_day);
    return (struct moment){.kind = has_time ? MOMENT_CLOCK : MOMENT_NONE,
                           .second_of_day = second_of_day};
}

struct moment moment_of_sensor(const struct replay *r, struct state state)
{
    json_object *value = state_attribute(r, state, "device_class");
    const char *device_class =
        json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    const struct timeline_place *place =
        state.row->attributes < 0 ? timeline_find_place(r->timeline, state.series->entity_id)
                                  : NULL;
    if (place != NULL && place->device_class != NULL)
        device_class = place->device_class;
    if ((strcmp(device_class, "timestamp") != 0 && strcmp(device_class, "uptime") != 0) ||
        state_is_unknown(r, state))
        return (struct moment){.kind = MOMENT_NONE};
    return moment_of_text(state_text(r, state));
}
