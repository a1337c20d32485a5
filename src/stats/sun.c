/* astral 2.2 (astral/sun.py), which HA 2025.4 to 2026.11 pin. The formulas are NOAA's (Meeus,
 * Astronomical Algorithms, chapters 22, 25, 28); the order of steps is astral's. */
#include "stats/sun.h"

#include <math.h>

#define PI 3.14159265358979323846
#define SUN_RADIUS_DEG (32.0 / 120.0) /* 32 minutes of arc across */
#define EARTH_RADIUS_M 6356900.0
#define LATITUDE_MAX 89.8

enum {
    DAY_MS = 86400 * 1000,
    J2000_DATE = 10957, /* 2000-01-01, whose noon is the epoch */
    SEARCH_DAYS = 367,
};

static double radians(double degrees)
{
    return degrees * PI / 180.0;
}

static double degrees(double radians)
{
    return radians * 180.0 / PI;
}

/* Where the sun stands at a time in Julian centuries since J2000. */
struct position {
    double declination;      /* radians */
    double equation_of_time; /* minutes */
};

static struct position position_at(double t)
{
    double mean_longitude = radians(fmod(280.46646 + t * (36000.76983 + 0.0003032 * t), 360.0));
    double anomaly = radians(357.52911 + t * (35999.05029 - 0.0001537 * t));
    double eccentricity = 0.016708634 - t * (0.000042037 + 0.0000001267 * t);
    double center = sin(anomaly) * (1.914602 - t * (0.004817 + 0.000014 * t)) +
                    sin(2 * anomaly) * (0.019993 - 0.000101 * t) + sin(3 * anomaly) * 0.000289;
    double node = radians(125.04 - 1934.136 * t);
    double longitude = mean_longitude + radians(center - 0.00569 - 0.00478 * sin(node));
    double arc_seconds = 21.448 - t * (46.815 + t * (0.00059 - t * 0.001813));
    double obliquity = radians(23.0 + (26.0 + arc_seconds / 60.0) / 60.0 + 0.00256 * cos(node));
    double y = tan(obliquity / 2) * tan(obliquity / 2);
    double equation = y * sin(2 * mean_longitude) - 2 * eccentricity * sin(anomaly) +
                      4 * eccentricity * y * sin(anomaly) * cos(2 * mean_longitude) -
                      0.5 * y * y * sin(4 * mean_longitude) -
                      1.25 * eccentricity * eccentricity * sin(2 * anomaly);
    return (struct position){asin(sin(obliquity) * sin(longitude)), 4 * degrees(equation)};
}

/* How much farther one sees from up there, in degrees. */
static double horizon_dip(double elevation_m)
{
    return elevation_m <= 0 ? 0 : degrees(acos(EARTH_RADIUS_M / (EARTH_RADIUS_M + elevation_m)));
}

/* Refraction near the horizon, in degrees; the branch of heights up to 5 degrees is enough here. */
static double refraction(double zenith)
{
    double height = 90 - zenith;
    if (height > -0.575)
        return (1735.0 +
                height * (-518.2 + height * (103.4 + height * (-12.79 + height * 0.711)))) /
               3600.0;
    return -20.774 / tan(radians(height)) / 3600.0;
}

/* Minutes after 00:00 UTC of the date at which the sun crosses that zenith; NAN = it does not. */
static double transit_minutes(const struct sun_place *place, bool sets, double t, double zenith)
{
    double latitude = radians(fmin(fmax(place->latitude, -LATITUDE_MAX), LATITUDE_MAX));
    struct position sun = position_at(t);
    double cosine = (cos(radians(zenith)) - sin(latitude) * sin(sun.declination)) /
                    (cos(latitude) * cos(sun.declination));
    if (!(fabs(cosine) <= 1))
        return NAN;
    double hour_angle = degrees(acos(cosine)) * (sets ? -1 : 1);
    return 720.0 - 4.0 * (place->longitude + hour_angle) - sun.equation_of_time;
}

bool sun_event_of_date(const struct sun_place *place, bool sets, int64_t date, int64_t *utc_ms)
{
    double zenith = 90.0 + SUN_RADIUS_DEG + horizon_dip(place->elevation_m);
    double bend = refraction(zenith);
    double days = (double)(date - J2000_DATE) - 0.5;
    /* The first pass takes refraction away, the second adds it: so does astral. */
    double minutes = transit_minutes(place, sets, days / 36525.0, zenith - bend);
    if (isnan(minutes))
        return false;
    minutes = transit_minutes(place, sets, (days + minutes / 1440.0) / 36525.0, zenith + bend);
    if (isnan(minutes))
        return false;
    *utc_ms = date * DAY_MS + (int64_t)floor(minutes * 60000.0);
    return true;
}

bool sun_event_after(const struct sun_place *place, const struct tz *tz, bool sets, int offset_s,
                     int64_t after_ms, int64_t *utc_ms)
{
    struct tz_local local;
    tz_to_local(tz, after_ms / 1000 - (after_ms % 1000 < 0), &local);
    for (int64_t date = local.day - 1; date < local.day + SEARCH_DAYS; date++) {
        if (!sun_event_of_date(place, sets, date, utc_ms))
            continue;
        *utc_ms += (int64_t)offset_s * 1000;
        if (*utc_ms > after_ms)
            return true;
    }
    return false;
}

bool sun_fire_on_day(const struct sun_place *place, const struct tz *tz, bool sets, int offset_s,
                     int64_t local_day, int64_t *utc_ms)
{
    int64_t from = tz_day_start(tz, local_day) * 1000, to = tz_day_start(tz, local_day + 1) * 1000;
    for (int64_t date = local_day - 2; date <= local_day + 2; date++) {
        if (!sun_event_of_date(place, sets, date, utc_ms))
            continue;
        *utc_ms += (int64_t)offset_s * 1000;
        if (*utc_ms >= from && *utc_ms < to)
            return true;
    }
    return false;
}
