/* Sunrise and sunset as Home Assistant computes them: astral 2.2's `time_of_transit` (after NOAA's
 * solar calculator), step by step, its two iterations and its refraction included, so that a rule
 * is replayed at the instant at which HA fires it; within a second of astral. Pure; any thread. */
#ifndef HA_AI_STATS_SUN_H
#define HA_AI_STATS_SUN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tz.h"

struct sun_place {
    double latitude, longitude; /* degrees, north and east positive */
    double elevation_m;         /* HA's own setting: up there the sun sets later */
};

/* astral's event of a civil date (days since 1970-01-01), in UTC ms. It may fall on a neighbouring
 * date of the local calendar (sunset after midnight; zones far from their longitude). False when
 * the sun does not rise (set) then: polar day and night. */
bool sun_event_of_date(const struct sun_place *place, bool sets, int64_t date, int64_t *utc_ms);

/* The next time HA's sun trigger fires: the first event plus offset after an instant, from the
 * local date before it on (homeassistant/helpers/sun.py). False when there is none within a year.
 */
bool sun_event_after(const struct sun_place *place, const struct tz *tz, bool sets, int offset_s,
                     int64_t after_ms, int64_t *utc_ms);

/* The fire of a sun trigger on a local day (its weekday condition is checked at the fire): the
 * first event plus offset within that day. False when there is none. */
bool sun_fire_on_day(const struct sun_place *place, const struct tz *tz, bool sets, int offset_s,
                     int64_t local_day, int64_t *utc_ms);

#endif
