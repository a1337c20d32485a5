#include "suggest/variants.h"

#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "suggest/safety.h"

enum { FORMS_MAX = 16, DAY_S = 86400, DIFFERENT_MIN = 3 };
#define DIFFERENT_SHARE 0.1
#define SURER_BY 0.03  /* of the score */
#define MORE_SHARE 0.1 /* of the hits */

/* ---- the forms ------------------------------------------------------------------------------ */

struct forms {
    struct rule list[FORMS_MAX];
    size_t count;
};

static struct rule *forms_add(struct forms *forms, const struct rule *rule)
{
    if (forms->count == FORMS_MAX)
        return NULL;
    forms->list[forms->count] = *rule;
    return &forms->list[forms->count++];
}

static void add_without_condition(struct forms *forms, const struct rule *rule)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        struct rule *form = forms_add(forms, rule);
        if (form == NULL)
            return;
        form->condition_count--;
        memmove(&form->conditions[i], &form->conditions[i + 1],
                (form->condition_count - i) * sizeof *form->conditions);
    }
}

/* A window that begins earlier and ends later, or the reverse. */
static void add_window(struct forms *forms, const struct rule *rule, int by_s)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct rule_condition *window = &rule->conditions[i];
        if (window->kind != RULE_WHEN_TIME)
            continue;
        int length = (window->to_s - window->from_s + DAY_S) % DAY_S + 2 * by_s;
        struct rule *form = length > 0 && length < DAY_S ? forms_add(forms, rule) : NULL;
        if (form == NULL)
            return;
        form->conditions[i].from_s = (window->from_s - by_s + DAY_S) % DAY_S;
        form->conditions[i].to_s = (window->to_s + by_s) % DAY_S;
    }
}

static void add_days(struct forms *forms, const struct rule *rule)
{
    unsigned other = rule->weekdays == RULE_EVERY_DAY ? RULE_WEEKDAYS : RULE_EVERY_DAY;
    struct rule *form = forms_add(forms, rule);
    if (form != NULL)
        form->weekdays = other;
}

/* Where the days cannot tell yet: what the choice between clock and sun dropped, or the clock where
 * it was not even proven. */
static void add_other_dial(struct forms *forms, const struct judged *judged, size_t index)
{
    const struct candidate *own = &judged->list[index];
    if (!own->is_open)
        return;
    for (size_t i = 0; i < judged->count; i++)
        if (judged->list[i].verdict == VERDICT_CLOCK_OR_SUN &&
            judged->list[i].rival == own->order) {
            forms_add(forms, &judged->list[i].habit.rule);
            return;
        }
    if (own->habit.rule.trigger.kind != RULE_TRIGGER_SUN || own->habit.typical_second < 0)
        return;
    struct rule *form = forms_add(forms, &own->habit.rule);
    if (form != NULL)
        form->trigger = (struct rule_trigger){.kind = RULE_TRIGGER_TIME,
                                              .second = own->habit.typical_second / 60 * 60};
}

/* ---- which of them matter ------------------------------------------------------------------- */

/* Fires of both rules at one time, of two lists that are in time order. */
static size_t count_common(const struct backtest_fires *a, const struct backtest_fires *b)
{
    size_t common = 0;
    for (size_t i = 0, k = 0; i < a->count && k < b->count;) {
        int64_t x = a->list[i].time_ms, y = b->list[k].time_ms;
        common += x == y;
        i += x <= y;
        k += y <= x;
    }
    return common;
}

static bool is_different(const struct backtest_fires *own, const struct backtest_fires *other)
{
    size_t different = own->count + other->count - 2 * count_common(own, other);
    return different >= DIFFERENT_MIN && (double)different >= DIFFERENT_SHARE * (double)own->count;
}

static int hits_of(const struct variant *variant)
{
    return variant->training.hits + variant->held_out.hits;
}

static int misses_of(const struct variant *variant)
{
    return variant->training.misses + variant->held_out.misses;
}

/* Whether it has something that the suggestion's own form has not: it is surer, or it does more,
 * and what that costs is not more. */
static bool has_its_good(const struct variant *own, const struct variant *other)
{
    int more = hits_of(other) - hits_of(own);
    return other->score >= own->score + SURER_BY ||
           (more >= MORE_SHARE * hits_of(own) && more >= misses_of(other) - misses_of(own));
}

static bool is_of_use(const struct variant *variant)
{
    int right = variant->training.right + variant->held_out.right;
    int wrong = variant->training.wrong + variant->held_out.wrong;
    return variant->held_out.right > 0 && right > wrong && rule_is_valid(&variant->rule);
}

static int compare_by_value(const void *left, const void *right)
{
    const struct variant *a = left, *b = right;
    return (a->value < b->value) - (a->value > b->value);
}

static void replay(const struct backtest_input *input, const struct rule *rule,
                   struct backtest_fires fires[2], struct variant *out)
{
    *out = (struct variant){.rule = *rule};
    static const enum day_role roles[2] = {DAY_TRAINING, DAY_HELD_OUT};
    struct backtest *results[2] = {&out->training, &out->held_out};
    for (int i = 0; i < 2; i++) {
        backtest_replay(input, &rule, 1, roles[i], &fires[i]);
        backtest_count(&fires[i], &rule, 1, input->days, roles[i], results[i]);
    }
    judge_score(&out->training, &out->held_out, &out->score, &out->value);
}

static void release(struct backtest_fires fires[2])
{
    for (int i = 0; i < 2; i++)
        backtest_fires_release(&fires[i]);
}

size_t variants_find(const struct mine_input *input, const struct judged *judged, size_t index,
                     struct variant out[VARIANTS_MAX])
{
    const struct rule *rule = &judged->list[index].habit.rule;
    if (judged->list[index].habit.lengths.is_of_lengths || judged->list[index].chain != NULL)
        return 0; /* it is not judged by what people do to one actor at its fires */
    const struct backtest_input on = {.history = input->history,
                                      .days = input->days,
                                      .actor =
                                          &input->actors->list[judged->list[index].habit.actor],
                                      .fires = judged->fires};
    struct forms forms = {.count = 0};
    add_other_dial(&forms, judged, index);
    add_without_condition(&forms, rule);
    add_window(&forms, rule, VARIANTS_STEP_S);
    add_window(&forms, rule, -VARIANTS_STEP_S);
    add_days(&forms, rule);
    struct backtest_fires own_fires[2], fires[2];
    struct variant own, found[FORMS_MAX];
    size_t count = 0;
    replay(&on, rule, own_fires, &own);
    for (size_t i = 0; i < forms.count; i++) {
        replay(&on, &forms.list[i], fires, &found[count]);
        bool is_dial = forms.list[i].trigger.kind != rule->trigger.kind;
        const struct fires all = fires_of_rule(judged->fires, &forms.list[i]);
        bool is_rare = fires_most_a_day(&all, input->history->tz) <= SAFETY_FIRES_A_DAY_MAX;
        bool matters = is_rare && is_of_use(&found[count]) &&
                       is_different(&own_fires[0], &fires[0]) &&
                       (is_dial || has_its_good(&own, &found[count]));
        release(fires);
        count += matters;
    }
    release(own_fires);
    if (count > 0)
        qsort(found, count, sizeof *found, compare_by_value);
    count = count < VARIANTS_MAX ? count : VARIANTS_MAX;
    memcpy(out, found, count * sizeof *found);
    return count;
}
