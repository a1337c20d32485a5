/* Whether lengths of use show that their end is forgotten now and then. */
#ifndef HA_AI_HOME_TRUTH_LENGTHS_H
#define HA_AI_HOME_TRUTH_LENGTHS_H

#include <stddef.h>

#include "home/plan.h"

/* Log likelihood of the lengths (seconds, > 0) as planted, of which so many were forgotten, over
 * the best single way of use that has a long tail of its own: lognormal or log-logistic, whichever
 * explains them better. 0 for less than two lengths. */
double truth_gain_of_forgetting(const struct home_habit *habit, const double *lengths_s,
                                size_t count, size_t forgotten);

#endif
