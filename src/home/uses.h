/* What people do with the things of a home on one day: by habit, and without. */
#ifndef HA_AI_HOME_USES_H
#define HA_AI_HOME_USES_H

#include "home/rng.h"
#include "home/today.h"

/* How long something is on of which people forget the end: a use of usual length is shorter than
 * LONG_MAX, also where it lasts LONG_FROM to LONG_TO times that; forgotten, it ends before
 * FORGOTTEN_MAX. */
enum {
    USES_LONG_FROM = 2,
    USES_LONG_TO = 5,
    USES_LONG_MAX_S = 3 * HOUR_S,
    USES_FORGOTTEN_MAX_S = 8 * HOUR_S,
};

/* A local second of the day at which something with that profile may be used. */
double uses_draw_second(struct rng *rng, const struct home_profile *profile);

/* Adds what comes at its own time: habits at a time or by the sun, and use without habit. */
void uses_collect(struct today *today);

/* After people_draw(): adds use in the hours after somebody came home. */
void uses_collect_after_coming(struct today *today);

/* Whether a use hangs on who is home, so that nobody may be called home for it. */
bool uses_needs_presence(const struct today *today, const struct home_use *use);

/* After people_draw(): removes acts of habits for which their person had to be home. */
void uses_drop_absent(struct today *today);

/* --- For what comes in other ways */

/* An act of a habit at its own time today. */
struct habit_point {
    int64_t time_us, planned_us; /* with and without jitter */
    size_t habit;
    bool keeps;     /* the habit is kept to today */
    struct rng rng; /* for what else there is to draw about it */
};

/* The acts of an entity's habits at a time or by the sun; their occasions are noted. */
int uses_draw_points(struct today *today, uint32_t entity, struct habit_point *out);

/* A habit's act at time_us, and the other half of that use, so long after or before. */
struct home_use *uses_add_by_habit(struct today *today, size_t habit, int64_t time_us,
                                   double duration_s, struct rng *rng);

/* A habit's use, shorter than `reach` seconds. */
double uses_draw_duration(struct rng *rng, const struct home_habit *habit, double reach);
enum { USES_DURATION_MAX_S = 6 * HOUR_S };

/* Whether the habit is alive on this day, and it is one of its days. */
bool uses_lives_today(const struct today *today, const struct home_habit *habit);

/* Who does it, how, and to which level. */
void uses_draw_hands(const struct today *today, struct rng *rng, struct home_use *use);

/* The level that a habit's act gives: mostly the habit's. */
void uses_choose_level(const struct today *today, const struct home_habit *habit, struct rng *rng,
                       struct home_use *use);

/* Notes what became of an occasion for a habit's act, and whether it was open: by what the habit
 * hangs on at its planned time, or at its trigger's. */
void uses_note(struct today *today, size_t habit, int64_t time_us, enum home_outcome outcome,
               bool was_open);

#endif
