#include "home/weather.h"

#include <math.h>

#include "home/rng.h"
#include "home/streams.h"
#include "home/sun.h"

enum { KNOT_S = 3 * 3600, KNOTS_PER_DAY = 8 };

/* Clear sky's horizontal illuminance by the sun's height: decimal logarithm of lux, as tables of
 * daylight and twilight have it. */
static const struct {
    double height_deg, log_lux;
} clear[] = {{-18, -3}, {-12, -2}, {-6, .53},  {-3, 1.6},  {0, 2.6},  {5, 3.85},
             {10, 4.2}, {20, 4.6}, {40, 4.85}, {60, 4.97}, {90, 5.03}};
enum { CLEAR_COUNT = sizeof clear / sizeof clear[0] };

static double clear_lux(double height_deg)
{
    if (height_deg <= clear[0].height_deg)
        return 0;
    int i = 1;
    while (i < CLEAR_COUNT - 1 && height_deg > clear[i].height_deg)
        i++;
    const double part =
        (height_deg - clear[i - 1].height_deg) / (clear[i].height_deg - clear[i - 1].height_deg);
    return pow(10, clear[i - 1].log_lux + part * (clear[i].log_lux - clear[i - 1].log_lux));
}

/* A day is bright or grey, and within it clouds pass. */
static double knot(uint64_t seed, int64_t index)
{
    struct rng day, hours;
    rng_init(&day, seed, STREAM_WEATHER, 0, index / KNOTS_PER_DAY);
    rng_init(&hours, seed, STREAM_CLOUDS, 0, index);
    return rng_normal(&day, 0, 1) + rng_normal(&hours, 0, .6);
}

/* 0: clear, 1: the thickest clouds. */
static double cloudiness(uint64_t seed, double utc_s)
{
    const double at = utc_s / KNOT_S, below = floor(at);
    const double first = knot(seed, (int64_t)below), second = knot(seed, (int64_t)below + 1);
    return 1 / (1 + exp(-1.5 * (first + (second - first) * (at - below))));
}

double weather_lux(const struct home *home, uint32_t sensor, int64_t time_us)
{
    const struct home_settings *s = &home->settings;
    const double utc_s = (double)time_us / 1e6;
    const double cloud = cloudiness(home->seed, utc_s);
    return clear_lux(sun_height_deg(s->latitude, s->longitude, utc_s)) * (1 - .85 * cloud) *
           home->entities[sensor].daylight;
}
