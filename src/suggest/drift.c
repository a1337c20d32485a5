#include "suggest/drift.h"

#include <math.h>
#include <stdint.h>

#define SUM_MAX 1e12 /* beyond any threshold: it stays a number */

void drift_init(struct drift *drift, double threshold, size_t forms)
{
    *drift = (struct drift){.threshold = threshold, .forms = forms, .found = SIZE_MAX};
}

void drift_add(struct drift *drift, const double *log_ratios)
{
    double mean = 0;
    for (size_t i = 0; i < drift->forms; i++) {
        drift->sums[i] = fmin((1 + drift->sums[i]) * exp(log_ratios[i]), SUM_MAX);
        mean += drift->sums[i] / (double)drift->forms;
        if (drift->weights[i] <= 0) {
            drift->weights[i] = 0;
            drift->starts[i] = drift->cases;
        }
        drift->weights[i] += log_ratios[i];
    }
    if (mean >= drift->threshold) {
        drift->latest = drift->cases;
        if (drift->found == SIZE_MAX)
            drift->found = drift->cases;
    }
    drift->cases++;
}

void drift_skip(struct drift *drift)
{
    drift->cases++;
}

bool drift_stands(const struct drift *drift)
{
    return drift->found != SIZE_MAX && drift->cases - 1 - drift->latest < DRIFT_RECENT;
}

size_t drift_start(const struct drift *drift)
{
    size_t best = 0;
    for (size_t i = 1; i < drift->forms; i++)
        if (drift->weights[i] > drift->weights[best])
            best = i;
    return drift->starts[best];
}

void drift_add_rate(struct drift *drift, bool is_so, double usual)
{
    static const double higher[DRIFT_RATES] = {.5, .7, .95};
    double ratios[DRIFT_RATES];
    for (int i = 0; i < DRIFT_RATES; i++) {
        double rate = usual + (1 - usual) * higher[i];
        ratios[i] = is_so ? log(rate / usual) : log((1 - rate) / (1 - usual));
    }
    drift_add(drift, ratios);
}
