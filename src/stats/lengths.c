/* A predictive tail, on a grid of all that is not known. */
#include "stats/lengths.h"

#include <math.h>
#include <stdlib.h>

#include "core/xalloc.h"

enum { GRID = 21 };           /* of mean and of spread */
#define USUAL_SPREAD_MIN 0.05 /* people are no timers */
#define SQRT_HALF 0.7071067811865476
#define LOG_SQRT_2_PI 0.9189385332046727
#define TINY 1e-300

static double normal_upper(double z)
{
    return 0.5 * erfc(z * SQRT_HALF);
}

static double log_density(double x, double mean, double spread)
{
    double z = (x - mean) / spread;
    return -z * z / 2 - log(spread) - LOG_SQRT_2_PI;
}

/* What a second way of use takes: so many times the usual median, as logarithms. */
#define SECOND_LEAST 0.6931471805599453
#define SECOND_MOST 2.0794415416798357
#define SECOND_PRIOR 20.0 /* Beta(1, this) of its share */
#define BIN 0.02          /* lengths that differ by less are one */
#define MEAN_REACH 1.5    /* of the first grid, in spreads of all that is known, */
#define SPREAD_LEAST -1.6 /* and in logarithms */
#define SPREAD_MOST 1.2
#define FINE_REACH 6.0 /* of the second, in standard errors */

/* Shares of a second way of use, each for those up to half way to the next. */
static const double shares[] = {0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15};
enum { SHARE_COUNT = sizeof shares / sizeof *shares };

/* What is longer than the median, in bins; how many are shorter. */
struct upper {
    double median, below, n;
    double *log_s, *weight;
    size_t count;
    double *cut; /* at least so long */
    size_t cut_count;
    double mean, spread; /* of all */
    double log_prior[SHARE_COUNT];
};

static size_t count_ended(const struct lengths *lengths, double limit)
{
    size_t count = 0;
    for (size_t i = 0; i < lengths->count; i++)
        count += !lengths->list[i].is_cut && lengths->list[i].log_s <= limit;
    return count;
}

static void upper_add(struct upper *upper, double log_s)
{
    size_t last = upper->count - 1;
    if (upper->count > 0 && log_s - upper->log_s[last] < BIN) {
        upper->weight[last] += 1;
    } else {
        upper->log_s[upper->count] = log_s;
        upper->weight[upper->count++] = 1;
    }
    upper->n += 1;
}

static void set_prior(struct upper *upper, double second_way)
{
    for (int i = 0; i < SHARE_COUNT; i++) {
        double low = i <= 1 ? 0 : (shares[i - 1] + shares[i]) / 2;
        double high = i + 1 == SHARE_COUNT ? 1 : (shares[i] + shares[i + 1]) / 2;
        double mass = pow(1 - low, SECOND_PRIOR) - pow(1 - high, SECOND_PRIOR);
        upper->log_prior[i] = log(fmax(i == 0 ? 1 - second_way : second_way * mass, TINY));
    }
}

static void upper_init(struct upper *upper, const struct lengths *lengths, double limit)
{
    size_t ended = count_ended(lengths, limit), passed = 0;
    *upper = (struct upper){.log_s = xcalloc(lengths->count, sizeof(double)),
                            .weight = xcalloc(lengths->count, sizeof(double)),
                            .cut = xcalloc(lengths->count, sizeof(double))};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < lengths->count && lengths->list[i].log_s <= limit; i++) {
        double x = lengths->list[i].log_s;
        if (lengths->list[i].is_cut) {
            upper->cut[upper->cut_count++] = x;
            continue;
        }
        sum += x;
        squares += x * x;
        if (passed++ < ended / 2) {
            upper->below += 1;
        } else {
            upper->median = upper->n > 0 ? upper->median : x;
            upper_add(upper, x);
        }
    }
    upper->mean = sum / (double)ended;
    upper->spread =
        fmax(sqrt(fmax(squares / (double)ended - upper->mean * upper->mean, 0)), USUAL_SPREAD_MIN);
}

static void upper_release(struct upper *upper)
{
    free(upper->log_s);
    free(upper->weight);
    free(upper->cut);
}

/* Of the second way of use: the density at, and the probability beyond, so much more than the mean.
 */
static double second_density(double more)
{
    return more > SECOND_LEAST && more < SECOND_MOST ? 1 / (SECOND_MOST - SECOND_LEAST) : 0;
}

static double second_upper(double more)
{
    return fmin(fmax((SECOND_MOST - more) / (SECOND_MOST - SECOND_LEAST), 0), 1);
}

/* ln of the likelihood and prior of each share, given mean and spread. */
static void weigh(const struct upper *upper, double mean, double spread, double *out)
{
    double below = upper->below * log(fmax(normal_upper((mean - upper->median) / spread), TINY));
    for (int k = 0; k < SHARE_COUNT; k++)
        out[k] = upper->log_prior[k] + below + upper->below * log1p(-shares[k]);
    for (size_t i = 0; i < upper->count; i++) {
        double normal = exp(log_density(upper->log_s[i], mean, spread));
        double second = second_density(upper->log_s[i] - mean);
        for (int k = 0; k < SHARE_COUNT; k++)
            out[k] +=
                upper->weight[i] * log(fmax((1 - shares[k]) * normal + shares[k] * second, TINY));
    }
    for (size_t i = 0; i < upper->cut_count; i++) {
        double normal = normal_upper((upper->cut[i] - mean) / spread);
        double second = second_upper(upper->cut[i] - mean);
        for (int k = 0; k < SHARE_COUNT; k++)
            out[k] += log(fmax((1 - shares[k]) * normal + shares[k] * second, TINY));
    }
}

/* Means and spreads on an even grid, of logarithms for the spread: that is the prior. */
struct grid {
    double mean, mean_reach, log_spread, spread_reach;
    double *weights; /* GRID x GRID x SHARE_COUNT, of logarithms */
    double best;
    double best_mean, best_log_spread;
};

static double step_of(double middle, double reach, int i)
{
    return middle + reach * (2.0 * i / (GRID - 1) - 1);
}

static void grid_fill(struct grid *grid, const struct upper *upper)
{
    grid->best = -HUGE_VAL;
    for (int i = 0; i < GRID * GRID; i++) {
        double mean = step_of(grid->mean, grid->mean_reach, i / GRID);
        double log_spread = step_of(grid->log_spread, grid->spread_reach, i % GRID);
        double *weights = &grid->weights[i * SHARE_COUNT];
        weigh(upper, mean, exp(log_spread), weights);
        for (int k = 0; k < SHARE_COUNT; k++) {
            if (weights[k] <= grid->best)
                continue;
            grid->best = weights[k];
            grid->best_mean = mean;
            grid->best_log_spread = log_spread;
        }
    }
}

/* Where the first grid found most, in steps that suit how much is known. */
static void grid_refine(struct grid *grid, const struct upper *upper)
{
    double error = FINE_REACH / sqrt(fmax(upper->n, 1)), spread = exp(grid->best_log_spread);
    grid->mean = grid->best_mean;
    grid->mean_reach = fmin(grid->mean_reach, spread * error);
    grid->log_spread = grid->best_log_spread;
    grid->spread_reach = fmin(grid->spread_reach, error);
    grid_fill(grid, upper);
}

static void grid_predict(const struct grid *grid, const double *log_s, double *out, size_t count)
{
    double sum = 0;
    for (size_t n = 0; n < count; n++)
        out[n] = 0;
    for (int i = 0; i < GRID * GRID; i++) {
        double mean = step_of(grid->mean, grid->mean_reach, i / GRID);
        double spread = exp(step_of(grid->log_spread, grid->spread_reach, i % GRID));
        double all = 0, second = 0;
        for (int k = 0; k < SHARE_COUNT; k++) {
            double weight = exp(grid->weights[i * SHARE_COUNT + k] - grid->best);
            all += weight;
            second += weight * shares[k];
        }
        sum += all;
        for (size_t n = 0; n < count; n++)
            out[n] += (all - second) * normal_upper((log_s[n] - mean) / spread) +
                      second * second_upper(log_s[n] - mean);
    }
    for (size_t n = 0; n < count; n++)
        out[n] /= sum;
}

void lengths_predict(const struct lengths *lengths, double limit, double second_way,
                     const double *log_s, double *out, size_t count)
{
    for (size_t n = 0; n < count; n++)
        out[n] = 1;
    if (count_ended(lengths, limit) < LENGTHS_ENDED_MIN)
        return;
    struct upper upper;
    upper_init(&upper, lengths, limit);
    set_prior(&upper, second_way);
    struct grid grid = {.mean = upper.mean,
                        .mean_reach = upper.spread * MEAN_REACH,
                        .log_spread = log(upper.spread) + (SPREAD_LEAST + SPREAD_MOST) / 2,
                        .spread_reach = (SPREAD_MOST - SPREAD_LEAST) / 2,
                        .weights = xcalloc((size_t)GRID * GRID * SHARE_COUNT, sizeof(double))};
    grid_fill(&grid, &upper);
    grid_refine(&grid, &upper);
    grid_predict(&grid, log_s, out, count);
    free(grid.weights);
    upper_release(&upper);
}
