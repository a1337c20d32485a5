/* A time zone and a first day: for tests that include cmocka.h. */
#ifndef BERLIN_H
#define BERLIN_H

#include <stdint.h>

#include "core/tz.h"

static struct tz *tz;
static int64_t monday; /* the first day */

static inline int berlin_setup(int month, int day_of_month)
{
    struct error err;
    tz = tz_load("Europe/Berlin", &err);
    monday = tz_days_from_civil(2026, month, day_of_month);
    return tz == NULL ? -1 : 0;
}

static inline int berlin_teardown(void **state)
{
    (void)state;
    tz_free(tz);
    return 0;
}

#endif
