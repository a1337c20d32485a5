/* The home's time zone: reads TZif files (and the POSIX rule at their end) without touching the
 * process's own TZ. A struct tz is immutable after loading: any thread may read it. */
#ifndef HA_AI_CORE_TZ_H
#define HA_AI_CORE_TZ_H

#include <stdint.h>

#include "core/error.h"

struct tz;

/* A broken-down local time. day = days since 1970-01-01 of the local date; weekday 0 = Monday. */
struct tz_local {
    int64_t day;
    int year, month, day_of_month;
    int hour, minute, second;
    int second_of_day; /* by the wall clock: hour*3600 + minute*60 + second */
    int weekday;
    int utc_offset_s;
};

/* Loads an IANA name ("Europe/Berlin") from the system's zoneinfo; "UTC" always works.
 * NULL with *err set when unknown or malformed. Caller frees. */
struct tz *tz_load(const char *name, struct error *err);
void tz_free(struct tz *tz);
const char *tz_name(const struct tz *tz); /* borrowed */

int tz_offset_s(const struct tz *tz, int64_t utc_s);
void tz_to_local(const struct tz *tz, int64_t utc_s, struct tz_local *out);

/* UTC seconds of a wall-clock time on a local day. A time that DST skips gives the first instant
 * after the gap; a time that DST doubles gives the first of the two. */
int64_t tz_to_utc(const struct tz *tz, int64_t local_day, int second_of_day);

/* UTC seconds at which the local day begins. */
int64_t tz_day_start(const struct tz *tz, int64_t local_day);

/* Days since 1970-01-01 of a civil date and back (proleptic Gregorian). */
int64_t tz_days_from_civil(int64_t year, int month, int day);
void tz_civil_from_days(int64_t days, int *year, int *month, int *day);

#endif
