/* What people do with the things of a home on one day: by habit, and without. */
#ifndef HA_AI_HOME_USES_H
#define HA_AI_HOME_USES_H

#include "home/rng.h"
#include "home/today.h"

/* A local second of the day at which something with that profile may be used. */
double uses_draw_second(struct rng *rng, const struct home_profile *profile);

/* Adds what comes at its own time: habits at a time or by the sun, and use without habit. */
void uses_collect(struct today *today);

/* After people_draw(): adds use in the hours after somebody came home. */
void uses_collect_after_coming(struct today *today);

/* Whether a use is the act of a habit that hangs on something besides. */
bool uses_is_gated(const struct today *today, const struct home_use *use);

/* After people_draw(): removes acts whose gate is closed. */
void uses_drop_closed(struct today *today);

/* After people_walk(): adds what follows on something else. */
void uses_follow(struct today *today);

#endif
