/* Drawing a home's habits: what its parts share. */
#ifndef HA_AI_HOME_DRAWING_H
#define HA_AI_HOME_DRAWING_H

#include "home/plan.h"
#include "home/rng.h"

enum { DRAWING_TRIES = 50 };

/* What is left to give habits to while they are drawn. */
struct drawing {
    struct home *home;
    const struct home_settings *settings;
    struct rng rng;
    uint32_t *units;             /* devices, or leaders of groups */
    int unit_count, next, spare; /* spare: units that further habits may take besides their own */
};

/* Fills in what the habit's kind needs, from its basics (habits.c); false when this home has
 * nothing to hang it on. Kinds that take no unit choose another entity. */
bool drawing_details(struct drawing *d, struct home_habit *h);

/* Whether habits of that kind take a unit: values that are set, scenes do not. */
bool drawing_takes_unit(const struct drawing *d, const struct home_habit *h);

/* A time of day, far enough from midnight for the habit's jitter. */
void drawing_time(struct drawing *d, struct home_habit *h);

/* An event of the sun; false where it does not rise and set on all days. */
bool drawing_sun(struct drawing *d, struct home_habit *h);

/* A trigger that comes before, and the lag; false: there is none. */
bool drawing_trigger(struct drawing *d, struct home_habit *h);

/* A person whom HA sees, or -1. */
int drawing_person(struct drawing *d);

/* Perhaps something that the habit, at a time or after a trigger, hangs on besides. */
void drawing_gate(struct drawing *d, struct home_habit *h);

/* Monday in bit 0. */
uint8_t drawing_weekdays(struct rng *rng);

/* Whether a habit is about the entity. */
bool drawing_is_taken(const struct home *home, uint32_t entity);

#endif
