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

struct lengths_split {
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
 * The null model is any distribution of the logarithm whose hazard rate, as a multiple of a
 * logistic one's with the same quartiles, does not fall: lognormal, gamma, Weibull and log-logistic
 * lengths, whose tails are a power law. So if y is the logistic's cumulative hazard, what has
 * lasted long ends, by each further unit of y, at least as readily as before. From the lower
 * quartile to the last usual one d uses ended in an exposure of T1 (units at risk, summed). Were
 * the rate the same, the exposure T of the m others after that would be such that T / (T1 + T) is
 * Beta(m, d), and the exposure G until the first of them ended would be at least so large with
 * probability (T1 / (T1 + G)) ^ d; an increasing rate makes both smaller (normalised spacings:
 * Barlow & Proschan 1975, Statistical Theory of Reliability, 3.5). Of each day only one use counts
 * on either side. p_value is the smallest of these over all limits, paid for. The same must be
 * improbable (0.01) without a logistic, for any density that is log-concave in the logarithm, even
 * Pareto's.
 *
 * The limit is where the odds of two normal distributions of the logarithms are even. */
bool lengths_split(const struct lengths *lengths, struct lengths_split *out);

/* Probability that one more use lasts longer than exp(log_s[i]), for each of `count`; 1 when fewer
 * than LENGTHS_ENDED_MIN were ended. Longer ones than the limit are left out (HUGE_VAL = none).
 *
 * The model is a normal distribution of the logarithms; with a prior probability of second_way
 * there is a second, rarer way of use besides: a share of the uses, of Beta(1, 20), takes two to
 * eight times as long, evenly in the logarithm. All that is not known is integrated out (prior
 * 1 / spread). Only what is longer than the median tells (shorter ones only that they are), for
 * what ends a use early says nothing of what ends it late; cut ones tell that they lasted at least
 * so long. */
void lengths_predict(const struct lengths *lengths, double limit, double second_way,
                     const double *log_s, double *out, size_t count);

#endif
