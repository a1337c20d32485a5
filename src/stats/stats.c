/* Statistics without a library: a few formulas, each tested against reference values. */
#define _DEFAULT_SOURCE /* lgamma_r */
#include "stats/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/order.h"
#include "core/xalloc.h"

/* lgamma itself writes a global. */
static double log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

static double log_choose(int n, int k)
{
    return log_gamma(n + 1.0) - log_gamma(k + 1.0) - log_gamma(n - k + 1.0);
}

/* Terms beyond this share of the sum no longer change a double. */
#define NEGLIGIBLE 1e-17

double stats_binomial_upper(int k, int n, double p)
{
    if (k <= 0)
        return 1.0;
    if (k > n || p <= 0.0)
        return 0.0;
    if (p >= 1.0)
        return 1.0;
    if (k <= n * p) /* the smaller tail is the exact one */
        return 1.0 - stats_binomial_lower(k - 1, n, p);
    double odds = p / (1.0 - p);
    double term = exp(log_choose(n, k) + k * log(p) + (n - k) * log1p(-p));
    double sum = term;
    for (int i = k; i < n && term > sum * NEGLIGIBLE; i++) {
        term *= odds * (n - i) / (i + 1);
        sum += term;
    }
    return fmin(sum, 1.0);
}

double stats_binomial_lower(int k, int n, double p)
{
    if (k < 0)
        return 0.0;
    if (k >= n || p <= 0.0)
        return 1.0;
    if (p >= 1.0)
        return 0.0;
    if (k + 1 <= n * p) /* seen from the other side it is an upper tail of failures */
        return stats_binomial_upper(n - k, n, 1.0 - p);
    if (k > n * p)
        return 1.0 - stats_binomial_upper(k + 1, n, p);
    double odds = (1.0 - p) / p;
    double term = exp(log_choose(n, k) + k * log(p) + (n - k) * log1p(-p));
    double sum = term;
    for (int i = k; i > 0 && term > sum * NEGLIGIBLE; i--) {
        term *= odds * i / (n - i + 1);
        sum += term;
    }
    return fmin(sum, 1.0);
}

double stats_poisson_binomial_upper(int k, const double *p, size_t n)
{
    if (k <= 0)
        return 1.0;
    if ((size_t)k > n)
        return 0.0;
    size_t last = (size_t)k; /* at[last]: k or more so far */
    double *at = xcalloc(last + 1, sizeof *at);
    at[0] = 1.0;
    for (size_t i = 0; i < n; i++) {
        at[last] += at[last - 1] * p[i];
        for (size_t j = last - 1; j > 0; j--)
            at[j] = at[j] * (1.0 - p[i]) + at[j - 1] * p[i];
        at[0] *= 1.0 - p[i];
    }
    double tail = at[last];
    free(at);
    return fmin(tail, 1.0);
}

double stats_wilson_low(int hits, int n, double z)
{
    if (n <= 0 || hits <= 0)
        return 0.0;
    double share = (double)hits / n, zz = z * z;
    double middle = share + zz / (2.0 * n);
    double spread = z * sqrt(share * (1.0 - share) / n + zz / (4.0 * n * n));
    return (middle - spread) / (1.0 + zz / n);
}

double stats_log_beta(double a, double b)
{
    return log_gamma(a) + log_gamma(b) - log_gamma(a + b);
}

double stats_log_beta_evidence(int hits, int n, double a, double b)
{
    return stats_log_beta(a + hits, b + n - hits) - stats_log_beta(a, b);
}

double stats_beta_binomial_lower(int k, int n, double a, double b)
{
    if (k >= n)
        return 1.0;
    double sum = 0;
    for (int i = 0; i <= k; i++)
        sum += exp(log_choose(n, i) + stats_log_beta_evidence(i, n, a, b));
    return fmin(sum, 1.0);
}

double stats_beta_mean(int hits, int n, double a, double b)
{
    return (a + hits) / (a + b + n);
}

struct ranked {
    double p;
    size_t index;
};

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->p != b->p)
        return a->p < b->p ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

void stats_benjamini_hochberg(const double *p, double *q, size_t n)
{
    if (n == 0)
        return;
    struct ranked *ranked = xcalloc(n, sizeof *ranked);
    for (size_t i = 0; i < n; i++)
        ranked[i] = (struct ranked){p[i], i};
    qsort(ranked, n, sizeof *ranked, compare_ranked);
    double smallest = 1.0;
    for (size_t i = n; i > 0; i--) {
        smallest = fmin(smallest, ranked[i - 1].p * (double)n / (double)i);
        q[ranked[i - 1].index] = smallest;
    }
    free(ranked);
}

int stats_median(int *values, int count)
{
    if (count == 0)
        return 0;
    qsort(values, (size_t)count, sizeof *values, order_int);
    return values[count / 2];
}

int stats_circular_wrap(int second)
{
    int wrapped = second % STATS_DAY_S;
    return wrapped < 0 ? wrapped + STATS_DAY_S : wrapped;
}

int stats_circular_difference(int to, int from)
{
    return stats_circular_wrap(to - from + STATS_DAY_S / 2) - STATS_DAY_S / 2;
}
