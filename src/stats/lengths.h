/* How long uses last: the usual ones, which people end themselves, and the others, which were
 * forgotten. All on natural logarithms of seconds. Pure; any thread. */
#ifndef HA_AI_STATS_LENGTHS_H
#define HA_AI_STATS_LENGTHS_H

#include <stdbool.h>
#include <stddef.h>

struct length {
    double log_s;
    int day;     /* of its begin: uses of one day may hang together */
    bool is_cut; /* it lasted at least so long: nobody saw its end */
};

/* Sorted by log_s; those that are cut lie among the others. */
struct lengths {
    const struct length *list;
    size_t count;
};

/* Two normal distributions of the logarithms of what was ended. */
struct lengths_fit {
    double usual_mean, usual_spread;
    double other_mean, other_spread;
    double usual;   /* how many uses are usual ones: the sum of their probabilities */
    double limit;   /* what lasts longer is rather one of the others */
    double p_value; /* of there being one distribution only */
};

enum {
    LENGTHS_ENDED_MIN = 10,   /* with fewer ended uses there is no fit */
    LENGTHS_OTHERS_SHARE = 3, /* the others are one in so many at most */
};

/* Whether some uses last longer than one single distribution lets expect, and which: false when
 * there are no such.
 *
 * The null model is any distribution whose density is log-concave in the logarithm: lognormal,
 * gamma, Weibull, log-logistic, even Pareto; what has lasted long then ends, by each further
 * doubling of its length, at least as readily as before (an increasing hazard rate). From the lower
 * quartile to the last usual one d uses ended in an exposure of T1 (logarithms at risk, summed).
 * Were the rate the same, the exposure T of the m others after that would be such that
 * T / (T1 + T) is Beta(m, d), and the exposure G until the first of them ended would be at least so
 * large with probability (T1 / (T1 + G)) ^ d; an increasing rate makes both smaller (normalised
 * spacings: Barlow & Proschan 1975, Statistical Theory of Reliability, 3.5). Of each day only one
 * use counts on either side. p_value is the smaller one of the two, paid for the choices. */
bool lengths_split(const struct lengths *lengths, struct lengths_fit *fit);

/* Takes all of them for usual ones. False when there are too few. */
bool lengths_fit_all(const struct lengths *lengths, struct lengths_fit *fit);

/* Probability that a usual use lasts longer than exp(log_s[i]), for each of `count`: predicted,
 * with what is not known of mean and spread integrated out (prior 1 / spread). Only what is longer
 * than the usual median tells (shorter ones only that they are), for what ends a use early says
 * nothing of what ends it late; cut ones tell that they lasted at least so long. */
void lengths_predict(const struct lengths *lengths, const struct lengths_fit *fit,
                     const double *log_s, double *out, size_t count);

#endif
