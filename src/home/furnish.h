/* What stands in a home: makes its entities, their names, and who lives there. */
#ifndef HA_AI_HOME_FURNISH_H
#define HA_AI_HOME_FURNISH_H

#include "home/plan.h"
#include "home/rng.h"

/* How many entities of each role a home has. */
struct home_shape {
    int automations, machines, measured, detectors, people, trackers, groups, used;
    int climates, covers, locks, modes, scenes, light_sensors;
};

/* Of a home with so many entities. */
struct home_shape furnish_shape(int entities);

/* Entities are named by running counters, area by area. */
struct furnisher {
    struct home *home; /* its lists are allocated for the shape */
    struct rng rng;
    int named[HOME_DOMAIN_COUNT];
};

/* Fills the home's entities, people, groups, rules, machines, modes and scenes. */
void furnish(struct home *home, const struct home_shape *shape);

/* --- For the parts of it */

/* A new entity; takes over the name, whose slug becomes its id. */
struct home_entity *furnish_add(struct furnisher *f, enum home_domain domain, enum home_role role,
                                int area, char *name);

/* A profile of uses: so many a day, of that median length. */
struct home_profile furnish_profile(struct rng *rng, double per_day, double duration_s);

/* Climates, covers, locks, modes, scenes (without members yet) and sensors of light. */
void furnish_things(struct furnisher *f, const struct home_shape *shape);

/* The share of the light outside that reaches a sensor there. */
double furnish_daylight(struct furnisher *f, int area);

uint32_t furnish_index(const struct furnisher *f, const struct home_entity *e);

#endif
