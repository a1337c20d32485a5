#include "suggest/barred.h"

#include "stats/stats.h"

/* Days with a barred fire that could have acted; of these, with the act. */
struct barred {
    int fired, hit;
};

/* Of a state's rule the days are a condition as well; those of a time are a part of when it is. */
static bool is_of_some_days(const struct rule *rule)
{
    return rule->trigger.kind == RULE_TRIGGER_STATE && rule->weekdays != RULE_EVERY_DAY;
}

/* Whether the fire at that time is one that the rule lets pass; *next moves along. */
static bool passes(const struct backtest_fires *with, size_t *next, int64_t time_ms)
{
    while (*next < with->count && with->list[*next].time_ms < time_ms)
        ++*next;
    return *next < with->count && with->list[*next].time_ms == time_ms;
}

static struct barred count_barred(const struct backtest_input *input, const struct rule *rule,
                                  const bool *away, enum day_role role)
{
    struct rule bare = *rule;
    bare.condition_count = 0;
    bare.trigger.quiet_s = 0;
    if (is_of_some_days(rule))
        bare.weekdays = RULE_EVERY_DAY;
    const struct rule *const rules[] = {&bare, rule};
    struct backtest_fires all, with;
    struct barred out = {0, 0};
    backtest_replay(input, &rules[0], 1, role, &all);
    backtest_replay(input, &rules[1], 1, role, &with);
    size_t next = 0;
    for (size_t from = 0, to; from < all.count; from = to) {
        bool fired = false, hit = false;
        int day = all.list[from].day;
        for (to = from; to < all.count && all.list[to].day == day; to++) {
            const struct backtest_fire *fire = &all.list[to];
            if (passes(&with, &next, fire->time_ms) || fire->outcome == BACKTEST_IDLE)
                continue;
            fired = true;
            hit = hit || fire->is_support;
        }
        out.fired += fired && !away[day];
        out.hit += hit && !away[day];
    }
    backtest_fires_release(&all);
    backtest_fires_release(&with);
    return out;
}

bool barred_is_wanted(const struct backtest_input *input, const struct rule *rule, const bool *away,
                      double tail)
{
    if (rule->condition_count == 0 && rule->trigger.quiet_s == 0 && !is_of_some_days(rule))
        return false;
    const struct barred before = count_barred(input, rule, away, DAY_TRAINING);
    const struct barred seen = count_barred(input, rule, away, DAY_HELD_OUT);
    return seen.hit > 0 && 1 - stats_beta_binomial_lower(seen.hit - 1, seen.fired, before.hit + 1.0,
                                                         before.fired - before.hit + 1.0) <
                               tail;
}
