/* The sun over the simulated home: its height, and when it rises and sets as HA sees it (upper edge
 * at the horizon, refraction included). From the sun's ecliptic longitude and sidereal time, with a
 * search for the crossing; within 30 seconds of HA's own times at inhabited latitudes. */
#ifndef HA_AI_HOME_SUN_H
#define HA_AI_HOME_SUN_H

#include <stdbool.h>
#include <stdint.h>

/* Height of the sun's centre over the horizon in degrees, without refraction. Degrees north and
 * east. */
double sun_height_deg(double latitude, double longitude, double utc_s);

/* Whether HA's sun is below the horizon. */
bool sun_is_down(double latitude, double longitude, double utc_s);

/* UTC seconds of the sunrise (rises) or sunset of the solar day whose noon is nearest to 12:00
 * local mean time of the civil day (days since 1970-01-01). False: it does not happen on that day.
 */
bool sun_find_event(double latitude, double longitude, int64_t civil_day, bool rises,
                    double *utc_s);

#endif
