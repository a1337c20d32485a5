/* The residents' day: when they are out, through which rooms they walk, what detectors see of it.
 *
 * Use comes first, people follow it. Were use thinned by who is home, it would crowd into the hour
 * between getting up and leaving, and be narrower than the three hours that tell a habit from
 * chance. So a use while everybody is out lets somebody be home around it, and whoever uses
 * something is in its room a while before. A room with a motion detector is also visited at the
 * same hours without use, four times as often: what is switched on at six visits of ten would be a
 * habit by any measure, whether it was planted or not. */
#ifndef HA_AI_HOME_PEOPLE_H
#define HA_AI_HOME_PEOPLE_H

#include "home/plan.h"
#include "home/today.h"

/* How readily people go to each room of a home whose entities are there. */
void people_weigh_areas(struct home *home);

/* Draws when each resident is up and out, and who of those at home does what. */
void people_draw(struct today *today);

/* Adds what motion detectors and the front door see, and tells HA who is home. */
void people_walk(struct today *today);

#endif
