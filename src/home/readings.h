/* What sensors read on one day. */
#ifndef HA_AI_HOME_READINGS_H
#define HA_AI_HOME_READINGS_H

#include "home/today.h"

/* Adds the readings that come whatever the pace: of sensors of light that report changes, and how
 * warm it is at the climates. */
void readings_collect_changes(struct today *today);

/* What such a sensor of light, had it not died, told last on that day before a time of it; before
 * its first word of the day, the light there. */
double readings_told_lux(const struct today *today, uint32_t entity, int64_t time_us);

#endif
