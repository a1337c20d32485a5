#include "mine/time_fit.h"

#include <math.h>

enum { ROUNDS = 40, SPREAD_START_S = 15 * 60 };
/* Before looking, acts near a proven window belong to the habit rather than to other use. */
#define PRIOR_MINE 8.0
#define PRIOR_OTHER 0.5
#define SHARE_START 0.8
#define SPREADS_NEAR 2.5
#define SQRT_TWO_PI 2.50662827463100050

static const double floor_density = 1.0 / (2.0 * TIME_FIT_REACH_S);

/* Density of the habit's part. */
static double density_mine(const struct time_fit *fit, double time)
{
    double z = (time - fit->center) / fit->spread;
    return fit->share * exp(-z * z / 2) / (fit->spread * SQRT_TWO_PI);
}

struct time_fit time_fit_run(const double *times, size_t count, double center)
{
    struct time_fit fit = {center, SPREAD_START_S, SHARE_START};
    for (int round = 0; round < ROUNDS; round++) {
        double weight = 0, sum = 0, squares = 0;
        for (size_t i = 0; i < count; i++) {
            double mine = density_mine(&fit, times[i]);
            double belongs = mine / (mine + (1 - fit.share) * floor_density);
            double offset = times[i] - center;
            weight += belongs;
            sum += belongs * offset;
            squares += belongs * offset * offset;
        }
        if (weight < 1e-9)
            break;
        double mean = sum / weight;
        fit.center = center + mean;
        fit.spread = sqrt(fmax(squares / weight - mean * mean, 0));
        fit.spread = fmin(fmax(fit.spread, TIME_FIT_SPREAD_MIN_S), TIME_FIT_SPREAD_MAX_S);
        fit.share = (weight + PRIOR_MINE) / ((double)count + PRIOR_MINE + PRIOR_OTHER);
    }
    return fit;
}

int time_fit_reach(double spread)
{
    return (int)fmin(fmax(SPREADS_NEAR * spread, TIME_FIT_NEAR_MIN_S), TIME_FIT_NEAR_MAX_S);
}

double time_fit_log_density(const struct time_fit *fit, double time)
{
    return log(density_mine(fit, time) + (1 - fit->share) * floor_density);
}

double time_fit_log_floor(void)
{
    return log(floor_density);
}
