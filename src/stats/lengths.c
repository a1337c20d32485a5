/* Expectation maximisation for two normal distributions (Dempster, Laird & Rubin 1977, JRSS B
 * 39:1-38), a test whether there are two at all, and a predictive tail on a grid. */
#include "stats/lengths.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "stats/stats.h"

enum {
    ROUNDS_MAX = 200, /* of expectation maximisation */
    BASE_SHARE = 4,   /* the rate of ends is taken from the lower quartile on */
    DEATHS_MIN = 3,   /* ends from there to the limit, on so many days */
    CHOICES = 5,      /* what the choices of limit and test cost at least, */
    CHOICES_PER = 10, /* and one more for so many uses; measured in docs/miner.md */
    GRID = 61,        /* of mean and of spread */
    SCAN_STEPS = 1000,
};
#define USUAL_SPREAD_MIN 0.05 /* people are no timers */
#define OTHER_SPREAD_MIN 0.25 /* what is noticed by chance is noticed at any time */
#define CONVERGED 1e-7
#define MEAN_REACH 2.0   /* of the grid, in spreads around the fit's mean */
#define SPREAD_REACH 1.6 /* in logarithms around the fit's spread */
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
static size_t best_split(struct ended *ended, const struct lengths *lengths)
{
    size_t best = 0;
    double best_p = 1;
    for (size_t usual = least_usual(ended->count); usual < ended->count; usual++) {
        double p = split_p(ended, lengths, usual);
        if (p < best_p) {
            best_p = p;
            best = usual;
        }
    }
    return best;
}

/* ---- two distributions ---------------------------------------------------------------------- */

/* Means, spreads and number from the probabilities of being usual. */
static void maximise(const struct ended *ended, const double *usual, struct lengths_fit *fit)
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
    fit->usual = sum[0];
    fit->usual_mean = mean[0];
    fit->usual_spread = fmax(sqrt(squares[0] / fmax(sum[0], TINY)), USUAL_SPREAD_MIN);
    fit->other_mean = mean[1];
    /* as if one more were as far off as the least spread */
    fit->other_spread = fmax(
        sqrt((squares[1] + OTHER_SPREAD_MIN * OTHER_SPREAD_MIN) / (sum[1] + 1)), OTHER_SPREAD_MIN);
}

/* ln of the odds that a use of this length is usual. */
static double log_odds(const struct lengths_fit *fit, size_t count, double x)
{
    if (x <= fit->usual_mean)
        return HUGE_VAL;
    if (x >= fit->other_mean)
        return -HUGE_VAL;
    return log(fit->usual) - log(fmax((double)count - fit->usual, TINY)) +
           log_density(x, fit->usual_mean, fit->usual_spread) -
           log_density(x, fit->other_mean, fit->other_spread);
}

static bool fit_two(const struct ended *ended, size_t split, struct lengths_fit *fit)
{
    double *usual = xcalloc(ended->count, sizeof *usual);
    for (size_t i = 0; i < split; i++)
        usual[i] = 1;
    double moved = 1;
    for (int round = 0; round < ROUNDS_MAX && moved > CONVERGED; round++) {
        maximise(ended, usual, fit);
        moved = 0;
        for (size_t i = 0; i < ended->count; i++) {
            double probability = 1 / (1 + exp(-log_odds(fit, ended->count, ended->log_s[i])));
            moved = fmax(moved, fabs(probability - usual[i]));
            usual[i] = probability;
        }
    }
    free(usual);
    return fit->other_mean > fit->usual_mean && (double)ended->count - fit->usual >= 0.5;
}

/* Where the odds are even. */
static double find_limit(const struct lengths_fit *fit, size_t count)
{
    double step = (fit->other_mean - fit->usual_mean) / SCAN_STEPS, x = fit->usual_mean;
    for (int i = 0; i < SCAN_STEPS && log_odds(fit, count, x) > 0; i++)
        x += step;
    return x;
}

bool lengths_split(const struct lengths *lengths, struct lengths_fit *fit)
{
    *fit = (struct lengths_fit){.p_value = 1};
    struct ended ended;
    ended_init(&ended, lengths);
    bool found = false;
    size_t split = ended.count >= LENGTHS_ENDED_MIN ? best_split(&ended, lengths) : 0;
    if (split > 0 && fit_two(&ended, split, fit)) {
        fit->limit = find_limit(fit, ended.count);
        size_t usual = 0;
        while (usual < ended.count && ended.log_s[usual] <= fit->limit)
            usual++;
        found = usual >= least_usual(ended.count) && usual < ended.count;
        if (found) {
            double choices = CHOICES + (double)ended.count / CHOICES_PER;
            fit->p_value = fmin(split_p(&ended, lengths, usual) * choices, 1);
        }
    }
    ended_release(&ended);
    return found;
}

bool lengths_fit_all(const struct lengths *lengths, struct lengths_fit *fit)
{
    double n = 0, sum = 0, squares = 0;
    for (size_t i = 0; i < lengths->count; i++) {
        if (lengths->list[i].is_cut)
            continue;
        n++;
        sum += lengths->list[i].log_s;
        squares += lengths->list[i].log_s * lengths->list[i].log_s;
    }
    double mean = sum / fmax(n, 1);
    *fit = (struct lengths_fit){
        .usual_mean = mean,
        .usual_spread = fmax(sqrt(fmax(squares / fmax(n, 1) - mean * mean, 0)), USUAL_SPREAD_MIN),
        .other_mean = HUGE_VAL,
        .other_spread = OTHER_SPREAD_MIN,
        .usual = n,
        .limit = HUGE_VAL,
        .p_value = 1};
    return n >= LENGTHS_ENDED_MIN;
}

/* ---- prediction ----------------------------------------------------------------------------- */

/* What the usual lengths tell: n, sum and sum of squares of those above the median, weighted by the
 * probability that they are usual, and how many lie below. */
struct upper {
    double median, below, n, sum, squares;
    double *cut; /* at least so long */
    size_t cut_count;
};

static double usual_probability(const struct lengths_fit *fit, double ended, double x)
{
    return 1 / (1 + exp(-log_odds(fit, (size_t)ended, x)));
}

static void upper_init(struct upper *upper, const struct lengths *lengths,
                       const struct lengths_fit *fit)
{
    *upper = (struct upper){.cut = xcalloc(lengths->count, sizeof(double))};
    double ended = 0, passed = 0;
    for (size_t i = 0; i < lengths->count; i++)
        ended += !lengths->list[i].is_cut;
    bool is_above = false;
    for (size_t i = 0; i < lengths->count; i++) {
        double x = lengths->list[i].log_s;
        if (lengths->list[i].is_cut) {
            if (x <= fit->limit)
                upper->cut[upper->cut_count++] = x;
            continue;
        }
        double weight = usual_probability(fit, ended, x);
        if (!is_above && passed + weight >= fit->usual / 2) {
            is_above = true;
            upper->median = x;
        }
        passed += weight;
        if (!is_above) {
            upper->below += weight;
            continue;
        }
        upper->n += weight;
        upper->sum += weight * x;
        upper->squares += weight * x * x;
    }
}

static double log_likelihood(const struct upper *upper, double mean, double spread)
{
    double value = upper->below * log(fmax(normal_upper((mean - upper->median) / spread), TINY));
    value -=
        upper->n * log(spread) +
        (upper->squares - 2 * mean * upper->sum + upper->n * mean * mean) / (2 * spread * spread);
    for (size_t i = 0; i < upper->cut_count; i++)
        value += log(fmax(normal_upper((upper->cut[i] - mean) / spread), TINY));
    return value;
}

static double grid_mean(const struct lengths_fit *fit, int i)
{
    return fit->usual_mean + fit->usual_spread * MEAN_REACH * (2.0 * i / (GRID - 1) - 1);
}

/* Even in the logarithm: that is the prior. */
static double grid_spread(const struct lengths_fit *fit, int i)
{
    return fit->usual_spread * exp(SPREAD_REACH * (2.0 * i / (GRID - 1) - 1));
}

void lengths_predict(const struct lengths *lengths, const struct lengths_fit *fit,
                     const double *log_s, double *out, size_t count)
{
    struct upper upper;
    upper_init(&upper, lengths, fit);
    double *likelihood = xcalloc((size_t)GRID * GRID, sizeof *likelihood), best = -HUGE_VAL,
           sum = 0;
    for (int i = 0; i < GRID * GRID; i++) {
        likelihood[i] =
            log_likelihood(&upper, grid_mean(fit, i / GRID), grid_spread(fit, i % GRID));
        best = fmax(best, likelihood[i]);
    }
    memset(out, 0, count * sizeof *out);
    for (int i = 0; i < GRID * GRID; i++) {
        double weight = exp(likelihood[i] - best);
        double mean = grid_mean(fit, i / GRID), spread = grid_spread(fit, i % GRID);
        sum += weight;
        for (size_t k = 0; k < count; k++)
            out[k] += weight * normal_upper((log_s[k] - mean) / spread);
    }
    for (size_t k = 0; k < count; k++)
        out[k] /= sum;
    free(likelihood);
    free(upper.cut);
}
