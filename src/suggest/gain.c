/* The log likelihood ratio of two point processes (Daley & Vere-Jones, An Introduction to the
 * Theory of Point Processes, 7.2): the rule's, with offsets from the fire normal but for a share of
 * strays, and the even use of the device. */
#include "suggest/gain.h"

#include <math.h>

enum { OFFSET_SPREAD_MIN_S = 5, WAKING_S = 16 * 3600 };
/* Offsets of acts from their fire: normal, but for a tenth that may lie anywhere within reach. */
#define STRAY_SHARE 0.1
#define SQRT_2_PI 2.50662827463100050
/* ln odds that a rule pays for its choice: a sun's for the event and offset, a state's for the
 * trigger among all that a home has; for some of the days; for each condition, which is one of many
 * too. */
#define DAYS_COST 0.7
#define CONDITION_COST 3.0
static const double kind_costs[] = {
    [RULE_TRIGGER_TIME] = 0.0, [RULE_TRIGGER_SUN] = 0.7, [RULE_TRIGGER_STATE] = 3.0};

double gain_of_rule(const struct rule *rule, const struct backtest_fires *fires,
                    const struct acts *acts, int training_days)
{
    double n = 0, misses = 0, sum = 0, squares = 0;
    for (size_t i = 0; i < fires->count; i++) {
        misses += fires->list[i].outcome == BACKTEST_MISS;
        if (!fires->list[i].is_support)
            continue;
        double s =
            (double)(acts->list[fires->list[i].act].time_ms - fires->list[i].time_ms) / 1000.0;
        n++;
        sum += s;
        squares += s * s;
    }
    if (n == 0)
        return 0;
    double mean = sum / n, spread = sqrt(fmax(squares / n - mean * mean, 0));
    spread = fmax(spread, OFFSET_SPREAD_MIN_S);
    double reach =
        (rule->trigger.kind == RULE_TRIGGER_STATE ? BACKTEST_STATE_MS : BACKTEST_HIT_MS) / 1000.0;
    double rate = n / (n + misses);
    double even = (double)acts->count / (fmax(training_days, 1) * WAKING_S);
    double gain = -n;
    for (size_t i = 0; i < fires->count; i++) {
        if (!fires->list[i].is_support)
            continue;
        double s =
            (double)(acts->list[fires->list[i].act].time_ms - fires->list[i].time_ms) / 1000.0;
        double z = (s - mean) / spread;
        double density =
            (1 - STRAY_SHARE) * exp(-z * z / 2) / (spread * SQRT_2_PI) + STRAY_SHARE / (2 * reach);
        gain += log(rate * density / even + 1);
    }
    double days_cost = rule->weekdays == RULE_EVERY_DAY ? 0.0 : DAYS_COST;
    double conditions = (double)rule->condition_count + (rule->trigger.quiet_s > 0 ? 1 : 0);
    return gain - kind_costs[rule->trigger.kind] - days_cost - conditions * CONDITION_COST;
}
