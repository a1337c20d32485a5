/* The time of a habit among other use: a normal distribution on a uniform floor. Pure. */
#ifndef HA_AI_MINE_TIME_FIT_H
#define HA_AI_MINE_TIME_FIT_H

#include <stddef.h>

struct time_fit {
    double center; /* seconds; may leave 0..86399 a little */
    double spread; /* standard deviation */
    double share;  /* of the acts within reach that belong to it */
};

enum {
    TIME_FIT_REACH_S = 90 * 60, /* acts that a fit looks at, on either side of its start */
    TIME_FIT_SPREAD_MIN_S = 60,
    TIME_FIT_SPREAD_MAX_S = 35 * 60,
    TIME_FIT_NEAR_MIN_S = 15 * 60,
    TIME_FIT_NEAR_MAX_S = 60 * 60,
};

/* Expectation-maximisation of a normal distribution on a uniform floor (Dempster, Laird & Rubin
 * 1977; the floor is Banfield & Raftery's 1993 noise component): efficient like a mean, robust like
 * a median. Starts from `center`; times are seconds, all near it. */
struct time_fit time_fit_run(const double *times, size_t count, double center);

/* How near to its center an act of a habit lies: 2.5 spreads, within a quarter of an hour and one.
 */
int time_fit_reach(double spread);

/* ln of the density of one act, per second, on that floor. */
double time_fit_log_density(const struct time_fit *fit, double time);
double time_fit_log_floor(void);

#endif
