/* What sensors read on one day. */
#ifndef HA_AI_HOME_READINGS_H
#define HA_AI_HOME_READINGS_H

#include "home/today.h"

/* Adds the readings that come whatever the pace: of sensors of light that report changes, and how
 * warm it is at the climates. */
void readings_collect_changes(struct today *today);

#endif
