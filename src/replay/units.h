/* Units of measurement that Home Assistant converts between (util/unit_conversion.py). Private to
 * replay/. */
#ifndef HA_AI_REPLAY_UNITS_H
#define HA_AI_REPLAY_UNITS_H

#include <stdbool.h>
#include <stddef.h>

enum { UNITS_MAX = 8 };

struct units {
    /* The first one is what is compared in. */
    struct unit {
        const char *name; /* "" = without a unit */
        double ratio;     /* how many of it are one of the common measure */
    } list[UNITS_MAX];    /* a NULL name ends it */
    bool is_temperature;  /* they do not begin at the same zero */
};

extern const struct units units_temperature, units_power, units_co, units_ozone, units_no,
    units_no2, units_so2, units_density, units_ratio, units_radiation;

/* In the first unit; false when it is none of them. Name "" = without a unit. */
bool units_convert(const struct units *units, double value, const char *name, double *out);

/* "ppb, ppm or μg/m³", for messages; caller frees. */
char *units_names(const struct units *units);

#endif
