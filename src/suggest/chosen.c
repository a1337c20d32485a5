#include "suggest/chosen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/order.h"
#include "core/xalloc.h"
#include "mine/settings.h"
#include "stats/stats.h"

#define STABLE_MIN 0.5 /* on more of the days than that, surely: */
#define STABLE_P 0.01
#define REFUTED_TAIL 0.02
#define ROUNDING 1e-6

/* What was chosen on the days of a role: one value a day, the first. */
struct chosen {
    double *list;
    int count;
};

/* The value that a device got with an act; NAN = nobody told. Where the recorder keeps the
 * attribute, what was left as it was is chosen as well. */
static double value_with_act(const struct history_entity *e, enum rule_attribute attribute,
                             int64_t act_ms)
{
    double value = NAN;
    bool is_recorded = rule_attributes[attribute].is_recorded;
    for (size_t i = 0; i < e->value_count; i++) {
        const struct history_value *v = &e->values[i];
        if (v->time_ms > act_ms + SETTINGS_OF_USE_MS)
            break;
        if (v->attribute == attribute &&
            (is_recorded ||
             (v->time_ms >= act_ms - SETTINGS_BEFORE_MS && v->cause != CAUSE_AUTOMATION)))
            value = v->value;
    }
    return value;
}

/* Of several members, what they all got; a member that nobody told anything says nothing. INFINITY
 * = they got different ones. */
static double value_of_members(const struct backtest_input *input, enum rule_attribute attribute,
                               int64_t act_ms)
{
    double value = NAN;
    for (size_t i = 0; i < input->actor->count; i++) {
        const struct history_entity *e = &input->history->entities[input->actor->entities[i]];
        double own = value_with_act(e, attribute, act_ms);
        if (isnan(own))
            continue;
        if (!isnan(value) && fabs(own - value) > settings_tolerance(attribute) + ROUNDING)
            return INFINITY;
        value = isnan(value) ? own : value;
    }
    return value;
}

static void collect(const struct backtest_input *input, const struct backtest_fires *fires,
                    enum rule_verb verb, enum rule_attribute attribute, struct chosen *out)
{
    const struct acts *acts = &input->actor->acts[verb];
    int day = -1;
    *out = (struct chosen){.list = xcalloc(fires->count, sizeof *out->list)};
    for (size_t f = 0; f < fires->count; f++) {
        const struct backtest_fire *fire = &fires->list[f];
        if (!fire->is_support || fire->day == day)
            continue;
        double value = value_of_members(input, attribute, acts->list[fire->act].time_ms);
        if (isnan(value))
            continue;
        day = fire->day;
        out->list[out->count++] = value;
    }
}

/* About so much was chosen on so many days. */
static int count_near(const struct chosen *chosen, double value, enum rule_attribute attribute)
{
    int near = 0;
    for (int i = 0; i < chosen->count; i++)
        near += fabs(chosen->list[i] - value) <= settings_tolerance(attribute) + ROUNDING;
    return near;
}

/* Mean deviation of what was chosen about a value from it. */
static double spread_of(const struct chosen *chosen, double value, enum rule_attribute attribute)
{
    double sum = 0;
    int near = 0;
    for (int i = 0; i < chosen->count; i++) {
        double off = fabs(chosen->list[i] - value);
        if (off > settings_tolerance(attribute) + ROUNDING)
            continue;
        sum += off;
        near++;
    }
    return near == 0 ? 0 : sum / near;
}

/* Whether it is chosen on most of all days, and held-out days agree. */
static bool is_stable(const struct habit_value *value)
{
    int days = value->days + value->held_out_days;
    int of_days = value->of_days + value->held_out_of_days;
    return stats_binomial_upper(days, of_days, STABLE_MIN) <= STABLE_P &&
           value->held_out_days > 0 &&
           stats_beta_binomial_lower(value->held_out_days, value->held_out_of_days,
                                     value->days + 1.0,
                                     value->of_days - value->days + 1.0) >= REFUTED_TAIL;
}

/* The median, where most lie about it. */
static void measure(struct chosen *training, const struct chosen *held_out,
                    enum rule_attribute attribute, double *value, struct habit_value *out)
{
    *out = (struct habit_value){.of_days = training->count, .held_out_of_days = held_out->count};
    if (training->count == 0)
        return;
    qsort(training->list, (size_t)training->count, sizeof *training->list, order_double);
    *value = training->list[(training->count - 1) / 2];
    if (isinf(*value))
        return;
    out->days = count_near(training, *value, attribute);
    out->spread = spread_of(training, *value, attribute);
    out->held_out_days = count_near(held_out, *value, attribute);
}

static void add_attribute(const struct backtest_input *input, const struct backtest_fires *training,
                          const struct backtest_fires *held_out, enum rule_attribute attribute,
                          struct habit *habit)
{
    struct rule *rule = &habit->rule;
    struct rule_value value = {.attribute = attribute};
    struct habit_value found;
    struct chosen seen, tested;
    collect(input, training, rule->verb, attribute, &seen);
    collect(input, held_out, rule->verb, attribute, &tested);
    measure(&seen, &tested, attribute, &value.value, &found);
    if (rule->verb == RULE_SET && found.days > 0) {
        rule->values[0] = value;
        habit->chosen[0] = found;
    } else if (rule->verb == RULE_TURN_ON && is_stable(&found)) {
        rule->values[rule->value_count] = value;
        habit->chosen[rule->value_count++] = found;
    }
    free(seen.list);
    free(tested.list);
}

/* Whether the rule could say it of all its targets. */
static bool may_have(const struct rule *rule, enum rule_attribute attribute)
{
    if (rule->verb == RULE_SET)
        return rule->values[0].attribute == attribute;
    bool is = rule->verb == RULE_TURN_ON && rule_attributes[attribute].with_turn_on;
    for (size_t i = 0; i < rule->entity_count; i++)
        is = is && rule_has_attribute(rule->entity_ids[i], attribute);
    return is;
}

void chosen_find(const struct backtest_input *input, const struct backtest_fires *training,
                 const struct backtest_fires *held_out, struct habit *habit)
{
    for (int a = 0; a < RULE_ATTRIBUTE_COUNT; a++)
        if (may_have(&habit->rule, (enum rule_attribute)a) &&
            (habit->rule.verb == RULE_SET || habit->rule.value_count < RULE_VALUES_MAX))
            add_attribute(input, training, held_out, (enum rule_attribute)a, habit);
}

/* ---- what another rule says ----------------------------------------------------------------- */

#define SAME_ACTS_SHARE 0.5

static bool has_value(const struct rule *rule, const struct rule_value *value)
{
    for (size_t i = 0; i < rule->value_count; i++)
        if (rule->values[i].attribute == value->attribute &&
            fabs(rule->values[i].value - value->value) <=
                settings_tolerance(value->attribute) + ROUNDING)
            return true;
    return false;
}

bool chosen_is_explained(const struct rule *rule, const struct chosen_acts *by_rule,
                         const struct rule *other, const struct chosen_acts *by_other)
{
    if (rule->verb != RULE_SET || other->verb != RULE_TURN_ON ||
        !rule_has_target(other, rule->entity_ids[0]) || !has_value(other, &rule->values[0]))
        return false;
    size_t k = 0, together = 0;
    for (size_t i = 0; i < by_rule->count; i++) {
        int64_t at = by_rule->acts->list[by_rule->list[i]].time_ms;
        while (k < by_other->count &&
               by_other->acts->list[by_other->list[k]].time_ms < at - SETTINGS_OF_USE_MS)
            k++;
        together += k < by_other->count &&
                    by_other->acts->list[by_other->list[k]].time_ms <= at + SETTINGS_OF_USE_MS;
    }
    return by_rule->count > 0 && (double)together >= SAME_ACTS_SHARE * (double)by_rule->count;
}
