#include "home/sun.h"

#include <math.h>

#define PI 3.14159265358979323846
#define DEGREE (PI / 180)

enum { DAY_S = 86400, HALF_DAY_S = 43200, SECONDS_PER_DEGREE = 240 };

/* 16' of radius and the 31' of refraction that HA reckons with at that height. */
static const double horizon_deg = -0.783;

double sun_height_deg(double latitude, double longitude, double utc_s)
{
    /* Days since 2000-01-01 12:00 UTC, and the sun's place after the Astronomical Almanac's low
     * precision formulas (0.01 degrees). */
    const double n = (utc_s - 946728000.0) / DAY_S;
    const double mean_longitude = 280.460 + 0.9856474 * n;
    const double anomaly = (357.528 + 0.9856003 * n) * DEGREE;
    const double ecliptic =
        (mean_longitude + 1.915 * sin(anomaly) + 0.020 * sin(2 * anomaly)) * DEGREE;
    const double tilt = (23.439 - 0.0000004 * n) * DEGREE;
    const double ascension = atan2(cos(tilt) * sin(ecliptic), cos(ecliptic));
    const double declination = asin(sin(tilt) * sin(ecliptic));
    const double sidereal = (280.46062 + 360.98564737 * n + longitude) * DEGREE;
    const double hour_angle = sidereal - ascension;
    return asin(sin(latitude * DEGREE) * sin(declination) +
                cos(latitude * DEGREE) * cos(declination) * cos(hour_angle)) /
           DEGREE;
}

bool sun_is_down(double latitude, double longitude, double utc_s)
{
    return sun_height_deg(latitude, longitude, utc_s) < horizon_deg;
}

bool sun_find_event(double latitude, double longitude, int64_t civil_day, bool rises, double *utc_s)
{
    const double noon = (double)(civil_day * DAY_S + HALF_DAY_S) - longitude * SECONDS_PER_DEGREE;
    /* Between noon and the midnight beside it the height falls steadily. */
    double high = noon, low = noon + (rises ? -HALF_DAY_S : HALF_DAY_S);
    if (sun_height_deg(latitude, longitude, high) < horizon_deg ||
        sun_height_deg(latitude, longitude, low) > horizon_deg)
        return false;
    while (fabs(high - low) > 0.5) {
        const double middle = (high + low) / 2;
        if (sun_height_deg(latitude, longitude, middle) > horizon_deg)
            high = middle;
        else
            low = middle;
    }
    *utc_s = (high + low) / 2;
    return true;
}
