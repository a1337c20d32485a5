#include "core/cron.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum {
    CRON_DAY_S = 86400,
    CRON_DAYS_MAX = 8 * 366 + 1, /* from one 29 February to the next over a year like 2100 */
    CRON_NUMBER_MAX = 9999,
};

struct field {
    const char *name;
    int low, high;
    const char *const *words; /* from `low` on, NULL = numbers only */
    const char *takes;
};

static const char *const month_words[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_words[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELD_COUNT };

static const struct field fields[FIELD_COUNT] = {
    [MINUTE] = {"minute", 0, 59, NULL, "0-59"},
    [HOUR] = {"hour", 0, 23, NULL, "0-23"},
    [DAY] = {"day", 1, 31, NULL, "1-31"},
    [MONTH] = {"month", 1, 12, month_words, "1-12 or jan-dec"},
    [WEEKDAY] = {"weekday", 0, 6, weekday_words, "0-7 or sun-sat"},
};

/* One part of a list while it is read. */
struct part {
    const struct field *field;
    const char *text, *at, *end;
    struct error *err;
};

static int refuse(const struct part *part)
{
    return error_set(part->err, ERROR_INVALID,
                     "%s: '%.*s' is not understood (expected %s, as '*', 'a', 'a-b' or with a step "
                     "'/n', separated by commas)",
                     part->field->name,
                     (int)(part->end - part->text > 40 ? 40 : part->end - part->text), part->text,
                     part->field->takes);
}

static int parse_number(struct part *part, int *out)
{
    if (part->at == part->end || !isdigit((unsigned char)*part->at))
        return refuse(part);
    for (*out = 0; part->at < part->end && isdigit((unsigned char)*part->at); part->at++) {
        *out = *out * 10 + (*part->at - '0');
        if (*out > CRON_NUMBER_MAX)
            return refuse(part);
    }
    return 0;
}

static int parse_value(struct part *part, int *out)
{
    const struct field *field = part->field;
    for (size_t i = 0; field->words != NULL && field->words[i] != NULL; i++) {
        if (part->end - part->at >= 3 && strncasecmp(part->at, field->words[i], 3) == 0) {
            part->at += 3;
            *out = field->low + (int)i;
            return 0;
        }
    }
    if (parse_number(part, out) != 0)
        return -1;
    int high = field == &fields[WEEKDAY] ? 7 : field->high;
    return *out >= field->low && *out <= high ? 0 : refuse(part);
}

/* "*", "a", "a-b", each with or without "/n": sets bits of *mask. */
static int parse_part(struct part *part, uint64_t *mask)
{
    const struct field *field = part->field;
    int low = field->low, high = field->high, step = 1;
    bool is_single = false;
    if (part->at < part->end && *part->at == '*') {
        part->at++;
    } else {
        if (parse_value(part, &low) != 0)
            return -1;
        low = field == &fields[WEEKDAY] ? low % 7 : low;
        if (part->at < part->end && *part->at == '-') {
            part->at++;
            if (parse_value(part, &high) != 0)
                return -1;
            if (field == &fields[WEEKDAY] && high == 0 && low > 0)
                high = 7; /* sat-sun */
        } else {
            is_single = true;
        }
    }
    if (part->at < part->end && *part->at == '/') {
        part->at++;
        if (parse_number(part, &step) != 0)
            return -1;
        if (step == 0)
            return refuse(part);
    } else if (is_single) {
        high = low;
    }
    if (part->at != part->end)
        return refuse(part);
    if (low > high)
        return error_set(part->err, ERROR_INVALID,
                         "%s: '%.*s' runs backwards (expected a-b with a <= b)", field->name,
                         (int)(part->end - part->text), part->text);
    for (int value = low; value <= high; value += step)
        *mask |= UINT64_C(1) << (field == &fields[WEEKDAY] ? value % 7 : value);
    return 0;
}

static int parse_field(const struct field *field, const char *text, size_t len, uint64_t *mask,
                       bool *is_any, struct error *err)
{
    const char *end = text + len;
    *mask = 0;
    *is_any = false;
    for (;;) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        struct part part = {field, text, text, comma != NULL ? comma : end, err};
        if (parse_part(&part, mask) != 0)
            return -1;
        if (part.end - part.text == 1 && *part.text == '*')
            *is_any = true;
        if (comma == NULL)
            return 0;
        text = comma + 1;
    }
}

/* 30 February never comes. */
static int check_date_exists(const struct cron *cron, struct error *err)
{
    static const int longest[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (!cron->any_weekday && !cron->any_day)
        return 0;
    for (int month = 1; month <= 12; month++)
        for (int day = 1; day <= longest[month]; day++)
            if ((cron->months >> month & 1) && (cron->days >> day & 1))
                return 0;
    return error_set(err, ERROR_INVALID, "day: no month that is named has such a day");
}

int cron_parse(const char *line, struct cron *out, struct error *err)
{
    uint64_t masks[FIELD_COUNT];
    bool any[FIELD_COUNT];
    bool elapsed_hours = false;
    const char *at = line;
    for (int i = 0; i < FIELD_COUNT; i++) {
        at += strspn(at, " \t");
        size_t len = strcspn(at, " \t");
        if (len == 0)
            return error_set(
                err, ERROR_INVALID,
                "the %s is missing (expected five fields: minute hour day month weekday)",
                fields[i].name);
        if (parse_field(&fields[i], at, len, &masks[i], &any[i], err) != 0)
            return -1;
        if (i == HOUR)
            elapsed_hours = *at == '*';
        at += len;
    }
    at += strspn(at, " \t");
    if (*at != '\0')
        return error_set(err, ERROR_INVALID,
                         "'%.40s' follows the weekday (expected five fields: minute hour day month "
                         "weekday)",
                         at);
    *out = (struct cron){.minutes = masks[MINUTE],
                         .hours = (uint32_t)masks[HOUR],
                         .days = (uint32_t)masks[DAY],
                         .months = (uint16_t)masks[MONTH],
                         .weekdays = (uint8_t)masks[WEEKDAY],
                         .any_day = any[DAY],
                         .any_weekday = any[WEEKDAY],
                         .elapsed_hours = elapsed_hours};
    return check_date_exists(out, err);
}

static bool matches_day(const struct cron *cron, int64_t local_day)
{
    int year, month, day;
    tz_civil_from_days(local_day, &year, &month, &day);
    if (!(cron->months >> month & 1))
        return false;
    int64_t weekday = ((local_day + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    bool day_matches = cron->days >> day & 1;
    bool weekday_matches = cron->weekdays >> weekday & 1;
    return cron->any_day || cron->any_weekday ? day_matches && weekday_matches
                                              : day_matches || weekday_matches;
}

/* Up to the next full minute of the wall clock (a gap could end between two). */
static int64_t round_up_to_minute(const struct tz *tz, int64_t utc_s)
{
    struct tz_local local;
    tz_to_local(tz, utc_s, &local);
    return utc_s + (60 - local.second) % 60;
}

/* Wall-clock times in their order; tz_to_utc gives the gap's end for skipped ones and the first of
 * two for doubled ones, and keeps the order. */
static int64_t next_fixed(const struct cron *cron, const struct tz *tz, int64_t utc_s)
{
    struct tz_local now;
    tz_to_local(tz, utc_s, &now);
    /* A zone can skip a whole day: what it skipped runs on the day after. */
    for (int64_t day = now.day - 1; day <= now.day + CRON_DAYS_MAX; day++) {
        if (!matches_day(cron, day))
            continue;
        for (int minute = 0; minute < 24 * 60; minute++) {
            if (!(cron->hours >> (minute / 60) & 1) || !(cron->minutes >> (minute % 60) & 1))
                continue;
            int64_t run_s = round_up_to_minute(tz, tz_to_utc(tz, day, minute * 60));
            if (run_s > utc_s)
                return run_s;
        }
    }
    return INT64_MAX;
}

/* The end of the stretch [utc_s, +length_s) if the clock does not change in it, else one minute. */
static int64_t skip(const struct tz *tz, int64_t utc_s, int64_t length_s,
                    const struct tz_local *local)
{
    int64_t to_s = utc_s + length_s;
    return tz_offset_s(tz, to_s) == local->utc_offset_s ? to_s : utc_s + 60;
}

/* The wall clock in every minute that passes. */
static int64_t next_elapsed(const struct cron *cron, const struct tz *tz, int64_t utc_s)
{
    int64_t end_s = utc_s + (int64_t)CRON_DAYS_MAX * CRON_DAY_S;
    for (int64_t run_s = utc_s + 1; run_s <= end_s;) {
        struct tz_local local;
        run_s = round_up_to_minute(tz, run_s);
        tz_to_local(tz, run_s, &local);
        if (!matches_day(cron, local.day))
            run_s = skip(tz, run_s, CRON_DAY_S - local.second_of_day, &local);
        else if (!(cron->hours >> local.hour & 1))
            run_s = skip(tz, run_s, 3600 - local.second_of_day % 3600, &local);
        else if (!(cron->minutes >> local.minute & 1))
            run_s += 60;
        else
            return run_s;
    }
    return INT64_MAX;
}

int64_t cron_next(const struct cron *cron, const struct tz *tz, int64_t utc_s)
{
    return cron->elapsed_hours ? next_elapsed(cron, tz, utc_s) : next_fixed(cron, tz, utc_s);
}
