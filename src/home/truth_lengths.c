#include "home/truth_lengths.h"

#include <math.h>

#include "home/uses.h"

/* All densities are of the length's logarithm. */

static const double pi = 3.14159265358979323846;

static double log_normal(double x, double middle, double spread)
{
    const double z = (x - middle) / spread;
    return -z * z / 2 - log(spread * sqrt(2 * pi));
}

static double log_logistic(double x, double middle, double scale)
{
    const double z = fabs(x - middle) / scale;
    return -z - 2 * log1p(exp(-z)) - log(scale);
}

/* A usual length; or, in a share of the uses, a multiple of one. */
static double planted_density(const struct home_habit *h, double x)
{
    enum { STEPS = 30 };
    const double middle = log(h->duration_s);
    double multiple = 0;
    for (int i = 0; i < STEPS; i++) {
        const double factor = USES_LONG_FROM + (USES_LONG_TO - USES_LONG_FROM) * (i + .5) / STEPS;
        multiple += exp(log_normal(x, middle + log(factor), h->duration_spread)) / STEPS;
    }
    return (1 - h->long_share) * exp(log_normal(x, middle, h->duration_spread)) +
           h->long_share * multiple;
}

static double planted_likelihood(const struct home_habit *h, const double *lengths_s, size_t count,
                                 size_t forgotten)
{
    const double share = (double)forgotten / (double)count;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        const double s = lengths_s[i];
        const bool may_be_forgotten = s >= USES_LONG_MAX_S && s <= USES_FORGOTTEN_MAX_S;
        const double uniform = may_be_forgotten ? s / (USES_FORGOTTEN_MAX_S - USES_LONG_MAX_S) : 0;
        sum += log((1 - share) * planted_density(h, log(s)) + share * uniform);
    }
    return sum;
}

static double sum_of(double (*density)(double, double, double), const double *lengths_s,
                     size_t count, double middle, double spread)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += density(log(lengths_s[i]), middle, spread);
    return sum;
}

/* The best of a family: a search that halves its steps. */
static double best_of(double (*density)(double, double, double), const double *lengths_s,
                      size_t count, double middle, double spread)
{
    double best = sum_of(density, lengths_s, count, middle, spread);
    for (double step = .5; step > 1e-3;) {
        const double middles[] = {middle - step * spread, middle + step * spread, middle, middle};
        const double spreads[] = {spread, spread, spread * exp(-step), spread * exp(step)};
        bool better = false;
        for (int i = 0; i < 4 && !better; i++) {
            const double found = sum_of(density, lengths_s, count, middles[i], spreads[i]);
            if (found > best + 1e-9) {
                best = found;
                middle = middles[i];
                spread = spreads[i];
                better = true;
            }
        }
        if (!better)
            step /= 2;
    }
    return best;
}

double truth_gain_of_forgetting(const struct home_habit *habit, const double *lengths_s,
                                size_t count, size_t forgotten)
{
    if (count < 2)
        return 0;
    const double middle = log(habit->duration_s), spread = habit->duration_spread;
    const double one = fmax(best_of(log_normal, lengths_s, count, middle, spread),
                            best_of(log_logistic, lengths_s, count, middle, spread / 2));
    return planted_likelihood(habit, lengths_s, count, forgotten) - one;
}
