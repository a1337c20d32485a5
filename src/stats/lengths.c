/* Expectation maximisation for two normal distributions (Dempster, Laird & Rubin 1977, JRSS B
 * 39:1-38), a test whether there are two at all, and a predictive tail on a grid. */
#include "stats/lengths.h"

#include <math.h>
#include <stdlib.h>

#include "core/xalloc.h"
#include "stats/stats.h"

enum {
    ROUNDS_MAX = 200, /* of expectation maximisation */
    BASE_SHARE = 4,   /* the rate of ends is taken from the lower quartile on */
    DEATHS_MIN = 3,   /* ends from there to the limit, on so many days */
    CHOICES = 6,      /* what the choice of limit and test costs at least, */
    CHOICES_PER = 4,  /* or one for so many uses; measured in docs/miner.md */
    SCAN_STEPS = 1000,
    GRID = 21, /* of mean and of spread */
};
#define USUAL_SPREAD_MIN 0.05              /* people are no timers */
#define OTHER_SPREAD_MIN 0.25              /* what is noticed by chance is noticed at any time */
#define QUARTILES_APART 2.1972245773362196 /* of the logistic distribution, in its scale */
#define SCALE_MIN 0.02
#define LOG_CONCAVE_P 0.01 /* not paid for: a guard against distributions of one sharp peak */
#define CONVERGED 1e-7
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

/* ---- the test ------------------------------------------------------------------------------ */

/* What was ended, sorted, and room for one pass over days. */
struct ended {
    double *log_s;
    int *day;
    size_t count;
    int *seen; /* by day: the last pass that saw it */
    int first_day, pass;
};

static void ended_init(struct ended *ended, const struct lengths *lengths)
{
    *ended = (struct ended){.log_s = xcalloc(lengths->count, sizeof(double)),
                            .day = xcalloc(lengths->count, sizeof(int))};
    int first = 0, last = 0;
    for (size_t i = 0; i < lengths->count; i++) {
        const struct length *one = &lengths->list[i];
        first = i == 0 || one->day < first ? one->day : first;
        last = i == 0 || one->day > last ? one->day : last;
        if (one->is_cut)
            continue;
        ended->log_s[ended->count] = one->log_s;
        ended->day[ended->count++] = one->day;
    }
    ended->first_day = first;
    ended->seen = xcalloc((size_t)(last - first) + 1, sizeof(int));
}

static void ended_release(struct ended *ended)
{
    free(ended->log_s);
    free(ended->day);
    free(ended->seen);
}

/* Whether the pass sees that day for the first time. */
static bool is_new_day(struct ended *ended, int day)
{
    int *seen = &ended->seen[day - ended->first_day];
    bool is_new = *seen != ended->pass;
    *seen = ended->pass;
    return is_new;
}

/* The p-value of "the first `usual` of what was ended are all of one kind, and what lasts longer is
 * of it as well", not paid for; 1 when there is nothing to tell. */
static double split_p(struct ended *ended, const struct lengths *lengths, size_t usual)
{
    size_t first = ended->count / BASE_SHARE;
    double base = ended->log_s[first], limit = ended->log_s[usual - 1];
    double before = 0, behind = 0, next = ended->log_s[usual];
    int deaths = 0, death_days = 0, others = 0;
    ended->pass++;
    for (size_t i = first + 1; i < usual; i++) {
        before += ended->log_s[i] - base;
        deaths++;
        death_days += is_new_day(ended, ended->day[i]);
    }
    ended->pass++;
    for (size_t i = 0; i < lengths->count; i++) { /* sorted: of a day the shortest counts */
        const struct length *one = &lengths->list[i];
        if (one->is_cut) {
            before += fmax(fmin(one->log_s, limit) - base, 0);
        } else if (one->log_s > limit && is_new_day(ended, one->day)) {
            before += limit - base;
            behind += one->log_s - limit;
            others++;
        }
    }
    if (death_days < DEATHS_MIN || others == 0)
        return 1;
    before *= (double)death_days / deaths;
    double share = behind / (before + behind), gap = others * (next - limit);
    return fmin(stats_binomial_lower(others - 1, others + death_days - 1, share),
                pow(before / (before + gap), death_days));
}

/* How many of what was ended are usual at least. */
static size_t least_usual(size_t ended)
{
    return ended - ended / LENGTHS_OTHERS_SHARE;
}

/* The split that chance explains least; 0 = none. */
static size_t best_split(struct ended *ended, const struct lengths *lengths, double *best_p)
{
    size_t best = 0;
    *best_p = 1;
    for (size_t usual = least_usual(ended->count); usual < ended->count; usual++) {
        double p = split_p(ended, lengths, usual);
        if (p < *best_p) {
            *best_p = p;
            best = usual;
        }
    }
    return best;
}

/* ---- two distributions ---------------------------------------------------------------------- */

struct pair {
    double usual_mean, usual_spread;
    double other_mean, other_spread;
    double usual; /* how many are usual: the sum of their probabilities */
};

/* Means, spreads and number from the probabilities of being usual. */
static void maximise(const struct ended *ended, const double *usual, struct pair *pair)
{
    double sum[2] = {0, 0}, mean[2] = {0, 0}, squares[2] = {0, 0};
    for (size_t i = 0; i < ended->count; i++)
        for (int k = 0; k < 2; k++) {
            double weight = k == 0 ? usual[i] : 1 - usual[i];
            sum[k] += weight;
            mean[k] += weight * ended->log_s[i];
        }
    for (int k = 0; k < 2; k++)
        mean[k] /= fmax(sum[k], TINY);
    for (size_t i = 0; i < ended->count; i++)
        for (int k = 0; k < 2; k++) {
            double apart = ended->log_s[i] - mean[k];
            squares[k] += (k == 0 ? usual[i] : 1 - usual[i]) * apart * apart;
        }
    pair->usual = sum[0];
    pair->usual_mean = mean[0];
    pair->usual_spread = fmax(sqrt(squares[0] / fmax(sum[0], TINY)), USUAL_SPREAD_MIN);
    pair->other_mean = mean[1];
    /* as if one more were as far off as the least spread */
    pair->other_spread = fmax(
        sqrt((squares[1] + OTHER_SPREAD_MIN * OTHER_SPREAD_MIN) / (sum[1] + 1)), OTHER_SPREAD_MIN);
}

/* ln of the odds that a use of this length is usual. */
static double log_odds(const struct pair *pair, size_t count, double x)
{
    if (x <= pair->usual_mean)
        return HUGE_VAL;
    if (x >= pair->other_mean)
        return -HUGE_VAL;
    return log(pair->usual) - log(fmax((double)count - pair->usual, TINY)) +
           log_density(x, pair->usual_mean, pair->usual_spread) -
           log_density(x, pair->other_mean, pair->other_spread);
}

static bool fit_pair(const struct ended *ended, size_t split, struct pair *pair)
{
    double *usual = xcalloc(ended->count, sizeof *usual);
    for (size_t i = 0; i < split; i++)
        usual[i] = 1;
    double moved = 1;
    for (int round = 0; round < ROUNDS_MAX && moved > CONVERGED; round++) {
        maximise(ended, usual, pair);
        moved = 0;
        for (size_t i = 0; i < ended->count; i++) {
            double probability = 1 / (1 + exp(-log_odds(pair, ended->count, ended->log_s[i])));
            moved = fmax(moved, fabs(probability - usual[i]));
            usual[i] = probability;
        }
    }
    free(usual);
    return pair->other_mean > pair->usual_mean && (double)ended->count - pair->usual >= 0.5;
}

/* Where the odds are even. */
static double find_limit(const struct pair *pair, size_t count)
{
    double step = (pair->other_mean - pair->usual_mean) / SCAN_STEPS, x = pair->usual_mean;
    for (int i = 0; i < SCAN_STEPS && log_odds(pair, count, x) > 0; i++)
        x += step;
    return x;
}

/* ln of 1 / the survival of a logistic distribution with the quartiles of what was ended, at each
 * length: there it has a hazard rate of one. Caller frees. */
static struct length *even_out(const struct lengths *lengths, const struct ended *ended)
{
    size_t quarter = ended->count / 4;
    double middle = ended->log_s[ended->count / 2];
    double between = ended->log_s[ended->count - 1 - quarter] - ended->log_s[quarter];
    double scale = fmax(between / QUARTILES_APART, SCALE_MIN);
    struct length *list = xcalloc(lengths->count, sizeof *list);
    for (size_t i = 0; i < lengths->count; i++) {
        double z = (lengths->list[i].log_s - middle) / scale;
        list[i] = lengths->list[i];
        list[i].log_s = fmax(z, 0) + log1p(exp(-fabs(z)));
    }
    return list;
}

/* The best split under either null model; 0 = none. */
static size_t find_split(struct ended *ended, const struct lengths *lengths, double *p)
{
    double log_concave;
    if (ended->count < LENGTHS_ENDED_MIN || best_split(ended, lengths, &log_concave) == 0 ||
        log_concave > LOG_CONCAVE_P)
        return 0;
    struct length *list = even_out(lengths, ended);
    struct lengths evened = {list, lengths->count};
    struct ended even;
    ended_init(&even, &evened);
    size_t split = best_split(&even, &evened, p);
    ended_release(&even);
    free(list);
    return split;
}

bool lengths_split(const struct lengths *lengths, struct lengths_split *out)
{
    *out = (struct lengths_split){.p_value = 1};
    struct ended ended;
    struct pair pair;
    double p = 1;
    ended_init(&ended, lengths);
    size_t split = find_split(&ended, lengths, &p);
    bool found = split > 0 && fit_pair(&ended, split, &pair);
    if (found) {
        double choices = fmax(CHOICES, (double)ended.count / CHOICES_PER);
        out->p_value = fmin(p * choices, 1);
        out->limit = find_limit(&pair, ended.count);
    }
    ended_release(&ended);
    return found;
}

/* ---- prediction ----------------------------------------------------------------------------- */

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
