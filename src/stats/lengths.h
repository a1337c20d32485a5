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

/* Whether the lengths are of two distributions rather than of one: false when no two lie apart.
 *
 * A likelihood ratio. Two normal distributions of the logarithms, the others' mean 2.5 of the usual
 * spreads beyond the usual one and at others_least at least (-HUGE_VAL = anywhere), stand against
 * the best of the lognormal, log-logistic, Weibull's and one that is even in the logarithm. Of the
 * shorter lengths, a quarter to a half, only the number counts; of each day the shortest of the
 * others. p_value is 1 / ratio times what the free parameters cost, measured by simulation for all
 * of these (docs/miner.md); 1 unless the two are also e^2 times as likely as an exponential tail.
 *
 * The limit is where the odds of the two are even. */
bool lengths_split(const struct lengths *lengths, double others_least, struct lengths_split *out);

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
