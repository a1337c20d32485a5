/* The light of the day over a simulated home: the sun's height, and clouds that come and go. */
#ifndef HA_AI_HOME_WEATHER_H
#define HA_AI_HOME_WEATHER_H

#include "home/plan.h"

/* Lux at a sensor of light (its `daylight` of what falls outside); nothing else shines on it. */
double weather_lux(const struct home *home, uint32_t sensor, int64_t time_us);

#endif
