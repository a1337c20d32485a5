/* Five-field cron lines ("0 3 * * *") in the home's local time. Pure. */
#ifndef HA_AI_CORE_CRON_H
#define HA_AI_CORE_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "core/tz.h"

struct cron {
    uint64_t minutes;          /* bit m */
    uint32_t hours;            /* bit h */
    uint32_t days;             /* bit 1-31 */
    uint16_t months;           /* bit 1-12 */
    uint8_t weekdays;          /* bit 0 = Sunday */
    bool any_day, any_weekday; /* the field is '*'; when neither is, a day needs only one of them */
    bool elapsed_hours;        /* the hour field is '*' or '*' with a step: see cron_next */
};

/* Fields: minute hour day month weekday; '*', lists, ranges, steps, names (mon, jan), 7 = Sunday.
 * 0, or -1 with *err naming the field, what it got and what it takes. */
int cron_parse(const char *line, struct cron *out, struct error *err);

/* The first run strictly after utc_s. A fixed time that DST skips runs at the first minute after
 * the gap; one that DST doubles runs once. Lines with elapsed_hours look at the wall clock in every
 * minute that really passes: nothing is made up for a gap, a doubled hour counts twice, so that
 * "0 * * * *" runs every 60 minutes over both. INT64_MAX when there is none within eight years. */
int64_t cron_next(const struct cron *cron, const struct tz *tz, int64_t utc_s);

#endif
