/* Time zones from TZif files (RFC 8536). The POSIX rule at a file's end is expanded into plain
 * transitions when the file is loaded, so that every lookup is one binary search. */
#include "core/tz.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"

enum {
    TZ_NAME_MAX = 64,
    TZ_FILE_MAX = 256 * 1024, /* the largest real one is under 4 kB */
    TZ_TRANSITIONS_MAX = 20000,
    TZ_TYPES_MAX = 256,
    TZ_OFFSET_MAX = 93599, /* s either way: RFC 8536's bound, rounded outwards */
    TZ_RULE_FIRST_YEAR = 1900,
    TZ_RULE_LAST_YEAR = 2500, /* from then on the last offset stays */
    TZ_HEADER_SIZE = 44,
    TZ_DAY_S = 86400,
};

struct transition {
    int64_t at_s; /* the first second of the new offset */
    int32_t offset_s;
};

struct tz {
    char *name;
    int32_t first_offset_s; /* before the first transition */
    struct transition *transitions;
    size_t count, capacity;
};

/* One end of a POSIX rule's summer time. */
struct rule_date {
    char kind; /* 'M' month.week.day, 'J' day 1-365 without 29 February, 'D' day 0-365 */
    int month, week, day;
    int second; /* of that day, by the clock before the change; may be negative or over a day */
};

struct posix_rule {
    bool has_dst;
    int standard_s, dst_s; /* offsets east of UTC */
    struct rule_date start, end;
};

/* --- civil dates --- */

int64_t tz_days_from_civil(int64_t year, int month, int day)
{
    /* Years begin in March, so that the leap day is the last day of one. */
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void tz_civil_from_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    *month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static int weekday_of_day(int64_t day) /* 0 = Monday; 1970-01-01 was a Thursday */
{
    return (int)(((day + 3) % 7 + 7) % 7);
}

/* --- the POSIX rule --- */

static bool parse_number(const char **p, int max, int *out)
{
    if (!isdigit((unsigned char)**p))
        return false;
    int value = 0;
    for (; isdigit((unsigned char)**p); (*p)++) {
        value = value * 10 + (**p - '0');
        if (value > max)
            return false;
    }
    *out = value;
    return true;
}

/* [+-]h[h[h]][:mm[:ss]] in seconds. */
static bool parse_clock(const char **p, int max_hours, int *out)
{
    int sign = 1, hours = 0, minutes = 0, seconds = 0;
    if (**p == '+' || **p == '-')
        sign = *(*p)++ == '-' ? -1 : 1;
    if (!parse_number(p, max_hours, &hours))
        return false;
    if (**p == ':') {
        (*p)++;
        if (!parse_number(p, 59, &minutes))
            return false;
        if (**p == ':') {
            (*p)++;
            if (!parse_number(p, 59, &seconds))
                return false;
        }
    }
    *out = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

static bool parse_abbreviation(const char **p)
{
    const char *begin = *p;
    if (*begin == '<') {
        const char *end = strchr(begin, '>');
        if (end == NULL)
            return false;
        *p = end + 1;
        return end > begin + 1;
    }
    while (isalpha((unsigned char)**p))
        (*p)++;
    return *p - begin >= 3;
}

static bool parse_rule_date(const char **p, struct rule_date *out)
{
    *out = (struct rule_date){.kind = 'D', .second = 2 * 3600};
    if (**p == 'M') {
        out->kind = *(*p)++;
        if (!parse_number(p, 12, &out->month) || out->month < 1 || *(*p)++ != '.')
            return false;
        if (!parse_number(p, 5, &out->week) || out->week < 1 || *(*p)++ != '.')
            return false;
        if (!parse_number(p, 6, &out->day))
            return false;
    } else {
        if (**p == 'J')
            out->kind = *(*p)++;
        if (!parse_number(p, 365, &out->day) || (out->kind == 'J' && out->day < 1))
            return false;
    }
    if (**p == '/') {
        (*p)++;
        return parse_clock(p, 167, &out->second);
    }
    return true;
}

static bool parse_rule(const char *p, struct posix_rule *out)
{
    *out = (struct posix_rule){.has_dst = false};
    int west = 0;
    if (!parse_abbreviation(&p) || !parse_clock(&p, 24, &west))
        return false;
    out->standard_s = -west;
    if (*p == '\0')
        return true;
    if (!parse_abbreviation(&p))
        return false;
    out->has_dst = true;
    out->dst_s = out->standard_s + 3600;
    if (*p != ',') {
        if (!parse_clock(&p, 24, &west))
            return false;
        out->dst_s = -west;
    }
    /* The dates may be missing in POSIX, but not in a TZif file. */
    if (*p++ != ',' || !parse_rule_date(&p, &out->start))
        return false;
    return *p++ == ',' && parse_rule_date(&p, &out->end) && *p == '\0';
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Seconds since 1970 by the wall clock. */
static int64_t rule_date_in_year(const struct rule_date *d, int year)
{
    int64_t day = 0;
    if (d->kind == 'M') {
        int64_t first = tz_days_from_civil(year, d->month, 1);
        int64_t next = d->month == 12 ? tz_days_from_civil(year + 1, 1, 1)
                                      : tz_days_from_civil(year, d->month + 1, 1);
        int wanted = (d->day + 6) % 7; /* POSIX counts from Sunday */
        day = first + (wanted - weekday_of_day(first) + 7) % 7 + 7 * (d->week - 1);
        if (day >= next)
            day -= 7;
    } else {
        day = tz_days_from_civil(year, 1, 1) + d->day;
        if (d->kind == 'J')
            day += (is_leap(year) && d->day >= 60) ? 0 : -1;
    }
    return day * TZ_DAY_S + d->second;
}

/* --- building --- */

static void add_transition(struct tz *tz, int64_t at_s, int32_t offset_s)
{
    tz->transitions =
        grow_array(tz->transitions, tz->count, &tz->capacity, sizeof *tz->transitions);
    tz->transitions[tz->count++] = (struct transition){at_s, offset_s};
}

static int compare_transitions(const void *a, const void *b)
{
    const struct transition *x = a, *y = b;
    return (x->at_s > y->at_s) - (x->at_s < y->at_s);
}

static void expand_rule(struct tz *tz, const struct posix_rule *rule)
{
    if (!rule->has_dst) {
        if (tz->count == 0)
            tz->first_offset_s = rule->standard_s;
        return;
    }
    size_t before = tz->count;
    int64_t after_s = before > 0 ? tz->transitions[before - 1].at_s : INT64_MIN;
    int64_t first_s = tz_days_from_civil(TZ_RULE_FIRST_YEAR, 1, 1) * TZ_DAY_S;
    int64_t last_s = tz_days_from_civil(TZ_RULE_LAST_YEAR, 1, 1) * TZ_DAY_S;
    int year = TZ_RULE_FIRST_YEAR;
    if (before == 0)
        tz->first_offset_s = rule->standard_s;
    if (after_s > last_s)
        return;
    if (after_s > first_s) {
        int month = 0, day = 0;
        tz_civil_from_days(after_s / TZ_DAY_S, &year, &month, &day);
        year--; /* the local year may still be the old one */
    }
    for (; year <= TZ_RULE_LAST_YEAR; year++) {
        int64_t start_s = rule_date_in_year(&rule->start, year) - rule->standard_s;
        int64_t end_s = rule_date_in_year(&rule->end, year) - rule->dst_s;
        int64_t next_start_s = rule_date_in_year(&rule->start, year + 1) - rule->standard_s;
        if (start_s > after_s)
            add_transition(tz, start_s, rule->dst_s);
        if (end_s > after_s && end_s != next_start_s) /* equal: summer time all year */
            add_transition(tz, end_s, rule->standard_s);
    }
    /* In the southern half a year's end comes before its start. */
    qsort(tz->transitions + before, tz->count - before, sizeof *tz->transitions,
          compare_transitions);
}

/* --- the file --- */

struct reader {
    const unsigned char *data;
    size_t size;
};

struct tzif_header {
    char version;
    uint32_t is_utc, is_standard, leaps, times, types, characters;
};

static uint32_t read_u32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t read_i64(const unsigned char *p)
{
    return (int64_t)((uint64_t)read_u32(p) << 32 | read_u32(p + 4));
}

static bool parse_header(const struct reader *in, size_t at, struct tzif_header *h)
{
    if (in->size < at + TZ_HEADER_SIZE || memcmp(in->data + at, "TZif", 4) != 0)
        return false;
    const unsigned char *p = in->data + at;
    *h = (struct tzif_header){.version = (char)p[4],
                              .is_utc = read_u32(p + 20),
                              .is_standard = read_u32(p + 24),
                              .leaps = read_u32(p + 28),
                              .times = read_u32(p + 32),
                              .types = read_u32(p + 36),
                              .characters = read_u32(p + 40)};
    return h->times <= TZ_TRANSITIONS_MAX && h->types >= 1 && h->types <= TZ_TYPES_MAX &&
           h->is_utc <= TZ_TYPES_MAX && h->is_standard <= TZ_TYPES_MAX &&
           h->leaps <= TZ_TRANSITIONS_MAX && h->characters <= TZ_TRANSITIONS_MAX;
}

static size_t block_size(const struct tzif_header *h, size_t time_size)
{
    return h->times * (time_size + 1) + h->types * 6 + h->characters + h->leaps * (time_size + 4) +
           h->is_standard + h->is_utc;
}

static bool parse_block(struct tz *tz, const unsigned char *p, const struct tzif_header *h,
                        size_t time_size)
{
    const unsigned char *indices = p + h->times * time_size;
    const unsigned char *types = indices + h->times;
    for (uint32_t i = 0; i < h->types; i++) {
        int32_t offset = (int32_t)read_u32(types + (size_t)i * 6);
        if (offset < -TZ_OFFSET_MAX || offset > TZ_OFFSET_MAX)
            return false;
    }
    tz->first_offset_s = (int32_t)read_u32(types);
    for (uint32_t i = 0; i < h->times; i++) {
        const unsigned char *at = p + i * time_size;
        int64_t at_s = time_size == 8 ? read_i64(at) : (int32_t)read_u32(at);
        if (indices[i] >= h->types)
            return false;
        if (tz->count > 0 && at_s <= tz->transitions[tz->count - 1].at_s)
            return false;
        add_transition(tz, at_s, (int32_t)read_u32(types + (size_t)indices[i] * 6));
    }
    return true;
}

/* "\n<rule>\n"; an empty rule says nothing about the time after the last transition. */
static bool parse_footer(struct tz *tz, const unsigned char *p, size_t size)
{
    char text[128];
    if (size < 2 || size > sizeof text || p[0] != '\n' || p[size - 1] != '\n')
        return false;
    memcpy(text, p + 1, size - 2);
    text[size - 2] = '\0';
    if (strlen(text) != size - 2)
        return false;
    struct posix_rule rule;
    if (text[0] == '\0')
        return true;
    if (!parse_rule(text, &rule))
        return false;
    expand_rule(tz, &rule);
    return true;
}

static int parse_tzif(struct tz *tz, const struct reader *in, struct error *err)
{
    struct tzif_header h;
    size_t at = 0, time_size = 4;
    if (!parse_header(in, 0, &h))
        return error_set(err, ERROR_INVALID, "not a time zone file (TZif)");
    if (h.version != '\0') { /* since version 2 a second block has 64-bit times */
        at = TZ_HEADER_SIZE + block_size(&h, 4);
        time_size = 8;
        if (!parse_header(in, at, &h))
            return error_set(err, ERROR_INVALID, "malformed time zone file: bad second header");
    }
    at += TZ_HEADER_SIZE;
    size_t size = block_size(&h, time_size);
    if (in->size < at + size)
        return error_set(err, ERROR_INVALID, "malformed time zone file: cut short");
    if (h.leaps > 0)
        return error_set(err, ERROR_UNSUPPORTED, "a time zone that counts leap seconds");
    if (!parse_block(tz, in->data + at, &h, time_size))
        return error_set(err, ERROR_INVALID, "malformed time zone file: bad transitions");
    if (time_size == 8 && !parse_footer(tz, in->data + at + size, in->size - at - size))
        return error_set(err, ERROR_INVALID, "malformed time zone file: bad rule at its end");
    return 0;
}

static bool is_valid_name(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > TZ_NAME_MAX || name[0] == '/' || strstr(name, "..") != NULL)
        return false;
    for (const char *p = name; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr("_+-/", *p) == NULL)
            return false;
    return true;
}

static FILE *open_zone(const char *name)
{
    const char *const folders[] = {getenv("TZDIR"), "/usr/share/zoneinfo", "/usr/lib/zoneinfo",
                                   "/usr/share/lib/zoneinfo", "/etc/zoneinfo"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (folders[i] == NULL || folders[i][0] == '\0')
            continue;
        char *path = xasprintf("%s/%s", folders[i], name);
        FILE *file = fopen(path, "rb");
        free(path);
        if (file != NULL)
            return file;
    }
    return NULL;
}

struct tz *tz_load(const char *name, struct error *err)
{
    if (!is_valid_name(name)) {
        error_set(err, ERROR_INVALID, "time zone: expected a name like Europe/Berlin");
        return NULL;
    }
    struct tz *tz = xcalloc(1, sizeof *tz);
    tz->name = xstrdup(name);
    if (strcmp(name, "UTC") == 0)
        return tz;
    unsigned char *data = NULL;
    int result = -1;
    FILE *file = open_zone(name);
    if (file == NULL) {
        error_set(err, ERROR_NOT_FOUND,
                  "unknown (expected a name like Europe/Berlin; needs the package tzdata)");
        goto out;
    }
    data = xmalloc(TZ_FILE_MAX);
    size_t size = fread(data, 1, TZ_FILE_MAX, file);
    if (size == TZ_FILE_MAX || ferror(file)) /* a folder's name fails in reading */
        error_set(err, ERROR_INVALID, "not a time zone file (TZif)");
    else
        result = parse_tzif(tz, &(struct reader){data, size}, err);
out:
    if (file != NULL)
        fclose(file);
    free(data);
    if (result != 0) {
        error_prefix(err, "time zone '%s'", name);
        tz_free(tz);
        return NULL;
    }
    return tz;
}

void tz_free(struct tz *tz)
{
    if (tz == NULL)
        return;
    free(tz->name);
    free(tz->transitions);
    free(tz);
}

const char *tz_name(const struct tz *tz)
{
    return tz->name;
}

/* --- looking up --- */

/* How many transitions have happened by utc_s. */
static size_t find_segment(const struct tz *tz, int64_t utc_s)
{
    size_t low = 0, high = tz->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tz->transitions[middle].at_s <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int segment_offset_s(const struct tz *tz, size_t segment)
{
    return segment == 0 ? tz->first_offset_s : tz->transitions[segment - 1].offset_s;
}

int tz_offset_s(const struct tz *tz, int64_t utc_s)
{
    return segment_offset_s(tz, find_segment(tz, utc_s));
}

void tz_to_local(const struct tz *tz, int64_t utc_s, struct tz_local *out)
{
    int offset_s = tz_offset_s(tz, utc_s);
    int64_t wall_s = utc_s + offset_s;
    int64_t day = wall_s / TZ_DAY_S - (wall_s % TZ_DAY_S < 0);
    int second = (int)(wall_s - day * TZ_DAY_S);
    *out = (struct tz_local){.day = day,
                             .hour = second / 3600,
                             .minute = second / 60 % 60,
                             .second = second % 60,
                             .second_of_day = second,
                             .weekday = weekday_of_day(day),
                             .utc_offset_s = offset_s};
    tz_civil_from_days(day, &out->year, &out->month, &out->day_of_month);
}

/* The first instant whose wall clock shows the wanted time or a later one: in a gap that is the
 * gap's end, in a doubled hour the first of the two. */
int64_t tz_to_utc(const struct tz *tz, int64_t local_day, int second_of_day)
{
    int64_t wall_s = local_day * TZ_DAY_S + second_of_day;
    int64_t utc_s = wall_s - TZ_OFFSET_MAX - 1; /* before the wanted time whatever the offset */
    for (size_t segment = find_segment(tz, utc_s);; segment++) {
        int64_t candidate = wall_s - segment_offset_s(tz, segment);
        if (candidate < utc_s)
            candidate = utc_s;
        if (segment == tz->count || candidate < tz->transitions[segment].at_s)
            return candidate;
        utc_s = tz->transitions[segment].at_s;
    }
}

int64_t tz_day_start(const struct tz *tz, int64_t local_day)
{
    return tz_to_utc(tz, local_day, 0);
}
