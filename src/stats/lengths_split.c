/* Whether the lengths of uses are of one distribution or of two: a likelihood ratio. The lower
 * lengths are only counted, for what ends a use early says nothing of what ends it late. */
#include <math.h>
#include <stdlib.h>

#include "core/xalloc.h"
#include "stats/lengths.h"

enum {
    UPPER_SHARE = 4, /* all but one in so many of the lengths count as they are, */
    UPPER_MAX = 40,  /* but no more than so many, nor less than half: the rest is only counted */
    SCAN_STEPS = 1000,
    PARAMETERS_MAX = 5,
};
#define USUAL_SPREAD_MIN 0.05              /* people are no timers */
#define OTHER_SPREAD_MIN 0.25              /* what is noticed by chance is noticed at any time */
#define APART_MIN 2.5                      /* the others' middle, in spreads of the usual ones */
#define QUARTILES_APART 2.1972245773362196 /* of the logistic distribution, in its scale */
/* What the free parameters cost, measured (docs/miner.md): this, but the less the further the least
 * middle of the others lies from the usual ones, in their spreads. */
#define COST_MOST 2.0
#define COST_FALLS 2.5
/* A guard against sharp peaks with an exponential tail, such as Pareto's: ln of odds. */
#define BEYOND_EXPONENTIAL 2
#define STEP_MOST 0.5
#define STEP_LEAST 2e-3
#define BIN 0.02 /* lengths that differ by less are one */
#define SQRT_HALF 0.7071067811865476
#define LOG_SQRT_2_PI 0.9189385332046727
#define TINY 1e-300

/* ---- what was ended ------------------------------------------------------------------------- */

/* Logarithms of lengths, sorted, and their days. */
struct ended {
    double *log_s;
    int *day;
    size_t count;
};

static void ended_init(struct ended *ended, const struct lengths *lengths)
{
    *ended = (struct ended){.log_s = xcalloc(lengths->count, sizeof(double)),
                            .day = xcalloc(lengths->count, sizeof(int))};
    for (size_t i = 0; i < lengths->count; i++) {
        if (lengths->list[i].is_cut)
            continue;
        ended->log_s[ended->count] = lengths->list[i].log_s;
        ended->day[ended->count++] = lengths->list[i].day;
    }
}

static void ended_release(struct ended *ended)
{
    free(ended->log_s);
    free(ended->day);
}

static bool has_day(const struct ended *ended, size_t from, size_t to, int day)
{
    for (size_t i = from; i < to; i++)
        if (ended->day[i] == day)
            return true;
    return false;
}

/* Of what is longer than the first `usual`, of each day the shortest alone stays: uses of one day
 * may hang together. */
static void keep_one_a_day(struct ended *ended, size_t usual)
{
    size_t kept = usual;
    for (size_t i = usual; i < ended->count; i++) {
        if (has_day(ended, usual, kept, ended->day[i]))
            continue;
        ended->log_s[kept] = ended->log_s[i];
        ended->day[kept++] = ended->day[i];
    }
    ended->count = kept;
}

/* ---- a first split -------------------------------------------------------------------------- */

struct sums {
    double n, sum, squares;
};

static double mean_of(const struct sums *s)
{
    return s->sum / s->n;
}

static double spread_of(const struct sums *s, double least)
{
    return fmax(sqrt(fmax(s->squares / s->n - mean_of(s) * mean_of(s), 0)), least);
}

/* The log likelihood of a normal distribution with the sums' mean and this spread, and of the share
 * that it has of `all`. */
static double normal_likelihood(const struct sums *s, double spread, double all)
{
    double squares = s->squares - s->n * mean_of(s) * mean_of(s);
    return s->n * (log(s->n / all) - log(spread)) - squares / (2 * spread * spread);
}

static void sums_add(struct sums *s, double x)
{
    s->n += 1;
    s->sum += x;
    s->squares += x * x;
}

/* How many are usual where two normal distributions, of the shorter and of the longer ones, fit
 * best; 0 = none that lie apart. At most one in LENGTHS_OTHERS_SHARE is one of the others. */
static size_t best_split(const struct ended *ended)
{
    struct sums all = {0, 0, 0}, usual = {0, 0, 0};
    for (size_t i = 0; i < ended->count; i++)
        sums_add(&all, ended->log_s[i]);
    double best = -HUGE_VAL;
    size_t split = 0;
    for (size_t i = 0; i + 1 < ended->count; i++) {
        sums_add(&usual, ended->log_s[i]);
        const struct sums others = {all.n - usual.n, all.sum - usual.sum,
                                    all.squares - usual.squares};
        double spread = spread_of(&usual, USUAL_SPREAD_MIN);
        if (others.n * LENGTHS_OTHERS_SHARE > all.n ||
            mean_of(&others) < mean_of(&usual) + APART_MIN * spread)
            continue;
        double found = normal_likelihood(&usual, spread, all.n) +
                       normal_likelihood(&others, spread_of(&others, OTHER_SPREAD_MIN), all.n);
        split = found > best ? i + 1 : split;
        best = fmax(best, found);
    }
    return split;
}

/* ---- likelihoods ---------------------------------------------------------------------------- */

/* The upper lengths, in bins; how many more there are, all below the limit. */
struct upper {
    double *log_s, *weight;
    size_t count;
    double n, below, limit, longest;
    double others_least; /* their middle */
};

static void upper_init(struct upper *upper, const struct ended *ended)
{
    size_t n = ended->count, most = n - n / UPPER_SHARE;
    size_t half = n - n / 2, kept = most < UPPER_MAX ? most : half > UPPER_MAX ? half : UPPER_MAX;
    *upper = (struct upper){.log_s = xcalloc(kept, sizeof(double)),
                            .weight = xcalloc(kept, sizeof(double)),
                            .n = (double)kept,
                            .below = (double)(n - kept),
                            .limit = ended->log_s[n - kept],
                            .longest = ended->log_s[n - 1]};
    for (size_t i = n - kept; i < n; i++) {
        bool is_new = upper->count == 0 || ended->log_s[i] - upper->log_s[upper->count - 1] >= BIN;
        if (is_new)
            upper->log_s[upper->count++] = ended->log_s[i];
        upper->weight[upper->count - 1] += 1;
    }
}

static void upper_release(struct upper *upper)
{
    free(upper->log_s);
    free(upper->weight);
}

/* Log likelihood at parameters: middle, ln of the spread, and what the pair has besides. */
typedef double (*likelihood_fn)(const struct upper *upper, const double *at);

static double normal_lower(double z)
{
    return 0.5 * erfc(-z * SQRT_HALF);
}

static double density(double x, double middle, double spread)
{
    double z = (x - middle) / spread;
    return exp(-z * z / 2 - LOG_SQRT_2_PI) / spread;
}

static double log_normal(const struct upper *upper, const double *at)
{
    double spread = exp(at[1]);
    double sum = upper->below * log(normal_lower((upper->limit - at[0]) / spread) + TINY);
    for (size_t i = 0; i < upper->count; i++) {
        double z = (upper->log_s[i] - at[0]) / spread;
        sum -= upper->weight[i] * (z * z / 2 + at[1] + LOG_SQRT_2_PI);
    }
    return spread < USUAL_SPREAD_MIN ? -HUGE_VAL : sum;
}

static double log_logistic(const struct upper *upper, const double *at)
{
    double scale = exp(at[1]);
    double sum = -upper->below * log1p(exp(-(upper->limit - at[0]) / scale));
    for (size_t i = 0; i < upper->count; i++) {
        double z = fabs(upper->log_s[i] - at[0]) / scale;
        sum -= upper->weight[i] * (z + 2 * log1p(exp(-z)) + at[1]);
    }
    return scale < USUAL_SPREAD_MIN / 2 ? -HUGE_VAL : sum;
}

static double weibull(const struct upper *upper, const double *at)
{
    double scale = exp(at[1]);
    double sum = upper->below * log(-expm1(-exp((upper->limit - at[0]) / scale)) + TINY);
    for (size_t i = 0; i < upper->count; i++) {
        double z = (upper->log_s[i] - at[0]) / scale;
        sum += upper->weight[i] * (z - exp(z) - at[1]);
    }
    return scale < USUAL_SPREAD_MIN / 2 ? -HUGE_VAL : sum;
}

/* Of those above the limit; that they are above it included. */
static double share_likelihood(const struct upper *upper)
{
    double all = upper->n + upper->below;
    return upper->n * log(upper->n / all) +
           (upper->below > 0 ? upper->below * log(upper->below / all) : 0);
}

static double even(const struct upper *upper)
{
    return share_likelihood(upper) - upper->n * log(fmax(upper->longest - upper->limit, BIN));
}

static double exponential(const struct upper *upper)
{
    double more = 0;
    for (size_t i = 0; i < upper->count; i++)
        more += upper->weight[i] * (upper->log_s[i] - upper->limit);
    return share_likelihood(upper) - upper->n * (log(fmax(more / upper->n, BIN)) + 1);
}

/* Two normal distributions, the others' share as its log odds. */
struct pair {
    double usual_mean, usual_spread, other_mean, other_spread, others;
};

static struct pair pair_of(const double *at)
{
    return (struct pair){at[0], exp(at[1]), at[2], exp(at[3]), 1 / (1 + exp(-at[4]))};
}

static double pair_likelihood(const struct upper *upper, const double *at)
{
    struct pair p = pair_of(at);
    if (p.usual_spread < USUAL_SPREAD_MIN || p.other_spread < OTHER_SPREAD_MIN ||
        p.other_mean < p.usual_mean + APART_MIN * p.usual_spread ||
        p.other_mean < upper->others_least || p.others * LENGTHS_OTHERS_SHARE > 1)
        return -HUGE_VAL;
    double sum =
        upper->below *
        log((1 - p.others) * normal_lower((upper->limit - p.usual_mean) / p.usual_spread) +
            p.others * normal_lower((upper->limit - p.other_mean) / p.other_spread) + TINY);
    for (size_t i = 0; i < upper->count; i++)
        sum += upper->weight[i] *
               log((1 - p.others) * density(upper->log_s[i], p.usual_mean, p.usual_spread) +
                   p.others * density(upper->log_s[i], p.other_mean, p.other_spread) + TINY);
    return sum;
}

/* The nearest maximum; `at` moves there. */
static double climb(likelihood_fn likelihood, const struct upper *upper, double *at, int count)
{
    double best = likelihood(upper, at);
    for (double step = STEP_MOST; step > STEP_LEAST;) {
        bool is_better = false;
        for (int i = 0; i < 2 * count; i++) {
            double before = at[i / 2];
            at[i / 2] += i % 2 == 0 ? step : -step;
            double found = likelihood(upper, at);
            if (found > best) {
                best = found;
                is_better = true;
            } else {
                at[i / 2] = before;
            }
        }
        step = is_better ? step : step / 2;
    }
    return best;
}

/* ---- one or two ----------------------------------------------------------------------------- */

/* The best of what a single way of use may look like. */
static double best_single(const struct upper *upper, double middle, double spread)
{
    static const likelihood_fn families[] = {log_normal, log_logistic, weibull};
    double best = even(upper);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        double at[] = {middle, log(spread)};
        best = fmax(best, climb(families[i], upper, at, 2));
    }
    return best;
}

/* ln of the odds that a use of this length is usual. */
static double log_odds(const struct pair *pair, double x)
{
    return log((1 - pair->others) * density(x, pair->usual_mean, pair->usual_spread) + TINY) -
           log(pair->others * density(x, pair->other_mean, pair->other_spread) + TINY);
}

/* Where the odds are even. */
static double find_limit(const struct pair *pair)
{
    double step = (pair->other_mean - pair->usual_mean) / SCAN_STEPS, x = pair->usual_mean;
    for (int i = 0; i < SCAN_STEPS && log_odds(pair, x) > 0; i++)
        x += step;
    return x;
}

static double cost_of(double spreads)
{
    return spreads > COST_FALLS / COST_MOST ? COST_FALLS / spreads : COST_MOST;
}

static void compare(struct ended *ended, size_t split, double others_least,
                    struct lengths_split *out)
{
    struct sums usual = {0, 0, 0}, others = {0, 0, 0};
    keep_one_a_day(ended, split);
    for (size_t i = 0; i < ended->count; i++)
        sums_add(i < split ? &usual : &others, ended->log_s[i]);
    double spread = spread_of(&usual, 1.1 * USUAL_SPREAD_MIN);
    double at[PARAMETERS_MAX] = {
        mean_of(&usual), log(spread), fmax(mean_of(&others), mean_of(&usual) + APART_MIN * spread),
        log(spread_of(&others, 1.1 * OTHER_SPREAD_MIN)), log(others.n / usual.n)};
    struct upper upper;
    upper_init(&upper, ended);
    upper.others_least = others_least;
    double two = climb(pair_likelihood, &upper, at, PARAMETERS_MAX);
    const struct pair pair = pair_of(at);
    out->limit = find_limit(&pair);
    double cost = cost_of((others_least - mean_of(&usual)) / spread);
    if (two - exponential(&upper) >= BEYOND_EXPONENTIAL)
        out->p_value = fmin(cost * exp(best_single(&upper, at[0], spread) - two), 1);
    upper_release(&upper);
}

bool lengths_split(const struct lengths *lengths, double others_least, struct lengths_split *out)
{
    *out = (struct lengths_split){.p_value = 1};
    struct ended ended;
    ended_init(&ended, lengths);
    size_t split = ended.count < LENGTHS_ENDED_MIN ? 0 : best_split(&ended);
    if (split > 0)
        compare(&ended, split, others_least, out);
    ended_release(&ended);
    return split > 0;
}
