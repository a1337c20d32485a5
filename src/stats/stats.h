/* The statistics that a miner needs, each with the source of its formula. Pure; any thread. */
#ifndef HA_AI_STATS_STATS_H
#define HA_AI_STATS_STATS_H

#include <stddef.h>

/* P(X >= k) and P(X <= k) of X ~ Binomial(n, p), 0 <= p <= 1: the sum of its terms, each from the
 * one before (Abramowitz & Stegun 26.1.20). k outside 0..n is allowed. */
double stats_binomial_upper(int k, int n, double p);
double stats_binomial_lower(int k, int n, double p);

/* P(X >= k) of the number X of successes in n independent trials with their own probabilities p[i]
 * (the Poisson binomial distribution), by convolution: all terms are positive, so that small tails
 * keep their digits (Howard 1972, JRSS B 34:210-211). O(n k). */
double stats_poisson_binomial_upper(int k, const double *p, size_t n);

/* Lower end of the Wilson score interval of a share, z standard deviations wide (Wilson 1927, JASA
 * 22:209-212). n == 0 gives 0. */
double stats_wilson_low(int hits, int n, double z);
#define STATS_Z95 1.959963984540054

/* ln B(a, b), the complete beta function; a, b > 0. */
double stats_log_beta(double a, double b);

/* ln of the probability of one given order of hits among n trials whose rate has a Beta(a, b)
 * prior: ln B(a + hits, b + n - hits) - ln B(a, b). */
double stats_log_beta_evidence(int hits, int n, double a, double b);

/* P(X <= k) of X ~ BetaBinomial(n, a, b): the binomial lower tail when the rate itself is only
 * known as Beta(a, b) (Skellam 1948, JRSS B 10:257-261). */
double stats_beta_binomial_lower(int k, int n, double a, double b);

/* Mean of the Beta(a + hits, b + n - hits) posterior. */
double stats_beta_mean(int hits, int n, double a, double b);

/* Benjamini-Hochberg adjusted p-values (q-values) of n p-values; q may be p (Benjamini & Hochberg
 * 1995, JRSS B 57:289-300). */
void stats_benjamini_hochberg(const double *p, double *q, size_t n);

/* The upper median of some numbers, which it sorts; 0 of none. */
int stats_median(int *values, int count);

/* Times of day in seconds. The signed way from `from` to `to` round the clock, in
 * [-43200, 43200); and a time brought into [0, 86400). */
enum { STATS_DAY_S = 86400 };
int stats_circular_difference(int to, int from);
int stats_circular_wrap(int second);

#endif
