/* The rule's fires since then, and what people did about each. Of a rule on trial the history has
 * no effects: hindsight judges it. What a deployed one did is told by the changes that an
 * automation made at its fires; whose they are, a history does not keep. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/order.h"
#include "core/tz.h"
#include "core/xalloc.h"
#include "mine/settings.h"
#include "stats/stats.h"
#include "suggest/review_parts.h"

enum {
    USUAL_FIRES_MIN = 7,  /* before it was deployed: with fewer the back-test is asked */
    USUAL_FIRES_MAX = 90, /* the last ones */
    SPREAD_LEAST_S = 180,
    SPREAD_MOST_S = 30 * 60,
    SPREAD_UNKNOWN_S = 10 * 60,
};
#define UNDONE_LEAST 0.05
#define UNDONE_MOST 0.40

static struct backtest_input backtest_of(const struct review *review)
{
    return (struct backtest_input){.history = review->input->history,
                                   .days = review->input->days,
                                   .actor = &review->actor,
                                   .fires = review->book};
}

static int day_of(const struct review *review, int64_t time_ms)
{
    struct tz_local local;
    tz_to_local(review->input->days->tz, time_ms / 1000, &local);
    return (int)(local.day - review->input->days->first);
}

static bool is_of_state(const struct review *review)
{
    return review->is_read && review->read.rule.trigger.kind == RULE_TRIGGER_STATE;
}

static struct fires fires_of(const struct review *review)
{
    return review->is_read ? fires_of_rule(review->book, &review->read.rule)
                           : fires_of_automation(review->book, review->known->automation);
}

/* --- who is home --- */

static bool is_tracked(const char *entity_id)
{
    return strncmp(entity_id, "person.", strlen("person.")) == 0 ||
           strncmp(entity_id, "device_tracker.", strlen("device_tracker.")) == 0;
}

/* That all whom the home knows of are away; false where it knows of nobody. */
static bool nobody_is_home(const struct history *h, int64_t time_ms)
{
    bool is_known = false;
    for (size_t i = 0; i < h->entity_count; i++) {
        const struct history_entity *e = &h->entities[i];
        size_t change = is_tracked(e->entity_id) ? history_find_change(e, time_ms) : 0;
        if (change == 0 || acts_is_absent(e->state[change - 1]))
            continue;
        if (strcmp(h->states[e->state[change - 1]], "home") == 0)
            return false;
        is_known = true;
    }
    return is_known;
}

/* --- what became of a fire of a deployed rule --- */

/* The last act by hand that brought it about, at most REVIEW_OFFSET_MS before; 0 = none. */
static int64_t find_hand_before(const struct acts *acts, int64_t time_ms)
{
    size_t next = acts_find(acts->list, acts->count, time_ms);
    size_t other = acts_find(acts->automatic, acts->automatic_count, time_ms);
    if (next == 0 || acts->list[next - 1].time_ms < time_ms - REVIEW_OFFSET_MS)
        return 0;
    int64_t hand_ms = acts->list[next - 1].time_ms;
    bool is_last = other == 0 || acts->automatic[other - 1].time_ms <= hand_ms;
    return is_last ? hand_ms : 0;
}

/* When an automation brought one of the targets into the state, at that fire; 0 = none did. Slow
 * devices lose the context of what made them act, and some recorders keep no events: then it shows
 * as a switch's, but at once. */
static int64_t find_effect(const struct review *review, int64_t time_ms)
{
    uint16_t state = review->verb == RULE_TURN_OFF ? HISTORY_STATE_OFF : HISTORY_STATE_ON;
    for (size_t m = 0; m < review->actor.count; m++) {
        const struct history_entity *e = actor_state(&review->actor, review->input->history, m);
        for (size_t c = history_find_change(e, time_ms - 1000);
             c < e->changes && e->time_ms[c] <= time_ms + REVIEW_EFFECT_MS; c++)
            if (e->state[c] == state &&
                (e->cause[c] == CAUSE_AUTOMATION ||
                 (e->cause[c] == CAUSE_PHYSICAL && e->time_ms[c] <= time_ms + REVIEW_AT_ONCE_MS)))
                return e->time_ms[c];
    }
    return 0;
}

/* When a person reversed it; 0 = nobody did. */
static int64_t find_reversal(const struct review *review, int64_t effect_ms)
{
    int64_t until_ms = effect_ms + REVIEW_UNDONE_MS;
    if (review->verb == RULE_SET) { /* a setting is `off` while it has another value */
        const struct history_entity *e = actor_state(&review->actor, review->input->history, 0);
        size_t c = history_find_change(e, effect_ms + 1);
        for (; c < e->changes && e->time_ms[c] <= until_ms; c++)
            if (e->state[c] == HISTORY_STATE_OFF && e->cause[c] != CAUSE_AUTOMATION)
                return e->time_ms[c];
        return 0;
    }
    const struct acts *acts =
        &review->actor.acts[review->verb == RULE_TURN_ON ? RULE_TURN_OFF : RULE_TURN_ON];
    size_t next = acts_find(acts->list, acts->count, effect_ms + 1);
    return next < acts->count && acts->list[next].time_ms <= until_ms ? acts->list[next].time_ms
                                                                      : 0;
}

/* When a person chose another value in that time; 0 = nobody did. The last choice counts. */
static int64_t find_other_value(const struct review *review, int64_t from_ms, int64_t to_ms,
                                double *value)
{
    int64_t at_ms = 0;
    if (!review->is_read || review->read.rule.value_count == 0)
        return 0;
    const struct rule_value *set = &review->read.rule.values[0];
    for (size_t m = 0; m < review->actor.count; m++) {
        const struct history_entity *e =
            &review->input->history->entities[review->actor.entities[m]];
        for (size_t i = 0; i < e->value_count; i++) {
            const struct history_value *v = &e->values[i];
            if (v->attribute == set->attribute && v->time_ms >= from_ms && v->time_ms <= to_ms &&
                v->cause != CAUSE_AUTOMATION &&
                fabs(v->value - set->value) > settings_tolerance(set->attribute)) {
                *value = v->value;
                at_ms = v->time_ms;
            }
        }
    }
    return at_ms;
}

static void find_redone(const struct review *review, struct review_fire *fire)
{
    const struct acts *acts = &review->actor.acts[review->verb];
    int64_t day_end_ms =
        tz_day_start(review->input->days->tz, review->input->days->first + fire->day + 1) * 1000;
    size_t next = acts_find(acts->list, acts->count, fire->act_ms + 1);
    if (next == acts->count || acts->list[next].time_ms >= day_end_ms)
        return;
    fire->redone_ms = acts->list[next].time_ms;
    fire->offset_ms = fire->redone_ms - fire->time_ms;
    fire->has_offset = fire->offset_ms <= REVIEW_OFFSET_MS;
}

/* Whether another value was chosen after the rule's had been set; that undoes it. */
static bool take_other_value(const struct review *review, int64_t effect_ms,
                             struct review_fire *fire)
{
    double value;
    int64_t at_ms =
        find_other_value(review, effect_ms + 1000, effect_ms + REVIEW_UNDONE_MS, &value);
    if (at_ms == 0)
        return false;
    fire->outcome = REVIEW_UNDONE;
    fire->has_value = true;
    fire->value = value;
    fire->act_ms = at_ms;
    return true;
}

static void judge_deployed(const struct review *review, struct review_fire *fire)
{
    const struct backtest_input on = backtest_of(review);
    if (backtest_was_in_state(&on, review->verb, fire->time_ms)) {
        int64_t hand_ms = find_hand_before(&review->actor.acts[review->verb], fire->time_ms);
        fire->outcome = REVIEW_IDLE;
        if (take_other_value(review, fire->time_ms, fire) || hand_ms == 0)
            return;
        fire->has_offset = true;
        fire->offset_ms = hand_ms - fire->time_ms;
        if (-fire->offset_ms <= REVIEW_PREEMPTED_MS) {
            fire->outcome = REVIEW_PREEMPTED;
            fire->act_ms = hand_ms;
            fire->has_value = find_other_value(review, hand_ms - SETTINGS_BEFORE_MS, fire->time_ms,
                                               &fire->value) != 0;
        }
        return;
    }
    int64_t effect_ms = find_effect(review, fire->time_ms);
    fire->outcome = effect_ms == 0 ? REVIEW_MISS : REVIEW_HIT;
    if (effect_ms == 0)
        return;
    fire->act_ms = find_reversal(review, effect_ms);
    if (fire->act_ms == 0 || review->verb == RULE_SET) {
        take_other_value(review, effect_ms, fire);
    }
    if (fire->act_ms == 0)
        return;
    fire->outcome = REVIEW_UNDONE;
    if (!fire->has_value)
        find_redone(review, fire);
    int64_t hand_ms = find_hand_before(&review->actor.acts[review->verb], fire->time_ms);
    if (fire->redone_ms == 0 && !fire->has_value && hand_ms != 0) { /* and it was over by then */
        fire->offset_ms = hand_ms - fire->time_ms;
        fire->has_offset = true;
    }
}

/* --- on trial --- */

static enum review_outcome outcome_of(enum backtest_outcome outcome)
{
    static const enum review_outcome outcomes[] = {
        [BACKTEST_HIT] = REVIEW_HIT, [BACKTEST_IDLE] = REVIEW_IDLE, [BACKTEST_MISS] = REVIEW_MISS};
    return outcomes[outcome];
}

static void take_act(struct review *review, const struct backtest_fire *judged,
                     struct review_fire *fire)
{
    const struct acts *acts = &review->actor.acts[review->verb];
    fire->outcome = outcome_of(judged->outcome);
    if (judged->outcome != BACKTEST_HIT || judged->act >= acts->count)
        return;
    fire->act_ms = acts->list[judged->act].time_ms;
    fire->offset_ms = fire->act_ms - fire->time_ms;
    fire->has_offset = true;
}

/* By the back-test: which act is whose. */
static void judge_trial(struct review *review)
{
    const struct backtest_input on = backtest_of(review);
    const struct rule *rule = &review->read.rule;
    const struct rule kind = {.trigger.kind =
                                  is_of_state(review) ? RULE_TRIGGER_STATE : RULE_TRIGGER_TIME,
                              .verb = review->verb};
    const struct rule *const rules[] = {review->is_read ? rule : &kind};
    struct backtest_fires judged = {.list = NULL};
    for (size_t i = 0; i < review->count; i++)
        backtest_add_fire(&judged, review->fires[i].time_ms, review->fires[i].day, 0);
    backtest_judge(&on, rules, &judged);
    for (size_t i = 0; i < review->count; i++)
        take_act(review, &judged.list[i], &review->fires[i]);
    backtest_fires_release(&judged);
}

/* What switches something off after some time is judged by what became of the use, and any other
 * automation as the back-test does. */
static void judge_by_hindsight(struct review *review)
{
    struct error err;
    struct automation *automation;
    if (automation_parse(review->known->automation, &automation, &err) != 0)
        return;
    struct replay_fire *fires = xcalloc(review->count + 1, sizeof *fires);
    for (size_t i = 0; i < review->count; i++)
        fires[i].time_ms = review->fires[i].time_ms;
    const struct mine_input *input = review->input;
    const struct hindsight_input against = {
        .ground = {input->history, input->days, input->restarts, review->suns},
        .from_ms = review->known->since_ms,
        .to_ms = input->history->to_ms + 1};
    struct hindsight result;
    hindsight_judge(&against, automation, fires, review->count, &review->act, &result);
    for (size_t i = 0; i < result.fire_count && result.is_judged; i++)
        review->fires[i].outcome = outcome_of(result.fires[i].outcome);
    hindsight_release(&result);
    free(fires);
    automation_free(automation);
}

static bool ends_use(const struct review *review)
{
    return review->is_read && review->read.rule.trigger.kind == RULE_TRIGGER_STATE &&
           review->read.rule.trigger.for_s > 0;
}

/* --- what was usual --- */

struct before {
    int fires, hits, idle, strays, near_count;
    int near_s[USUAL_FIRES_MAX]; /* how far from the fire the act was, either way */
};

/* The act nearest to a fire, within the hour. */
static bool find_nearest(const struct acts *acts, int64_t time_ms, int64_t *offset_ms)
{
    size_t next = acts_find(acts->list, acts->count, time_ms);
    int64_t best_ms = INT64_MAX;
    if (next < acts->count)
        best_ms = acts->list[next].time_ms - time_ms;
    if (next > 0 && time_ms - acts->list[next - 1].time_ms < best_ms)
        best_ms = acts->list[next - 1].time_ms - time_ms;
    *offset_ms = best_ms;
    return llabs(best_ms) <= BACKTEST_RECALL_MS;
}

static void look_before(const struct review *review, int64_t time_ms, struct before *before)
{
    const struct backtest_input on = backtest_of(review);
    int64_t reach_ms = is_of_state(review) ? BACKTEST_STATE_MS : BACKTEST_HIT_MS, offset_ms;
    bool is_near = find_nearest(&review->actor.acts[review->verb], time_ms, &offset_ms);
    bool is_hit = is_near && llabs(offset_ms) <= reach_ms;
    bool was_so = backtest_was_in_state(&on, review->verb, time_ms);
    before->fires++;
    before->hits += is_hit;
    before->idle += !is_hit && was_so;
    before->strays += !is_hit && find_hand_before(&review->actor.acts[review->verb], time_ms) != 0;
    if (is_near)
        before->near_s[before->near_count++] = (int)(llabs(offset_ms) / 1000);
}

/* What analyze said of it. */
static void take_backtest(const struct review *review, struct before *before, double *spread_s)
{
    json_object *suggestion = review->known->suggestion;
    json_object *backtest = json_get_object(suggestion, "backtest");
    *spread_s = 60 * json_get_double(json_get_object(suggestion, "evidence"), "spread_minutes", 0);
    if (backtest == NULL || before->fires >= USUAL_FIRES_MIN)
        return;
    before->hits += (int)json_get_int(backtest, "hits", 0);
    before->idle += (int)json_get_int(backtest, "idle", 0);
    before->fires += (int)json_get_int(backtest, "fires", 0);
}

static double clamp(double value, double low, double high)
{
    return fmin(fmax(value, low), high);
}

static void find_usual(struct review *review, struct fires fires)
{
    struct before before = {0};
    double spread_s;
    size_t end = order_find(fires.time_ms, fires.count, review->known->since_ms);
    for (size_t i = end > USUAL_FIRES_MAX ? end - USUAL_FIRES_MAX : 0; i < end; i++)
        if (days_role(review->input->days, day_of(review, fires.time_ms[i])) != DAY_INCOMPLETE)
            look_before(review, fires.time_ms[i], &before);
    bool is_seen = before.near_count >= USUAL_FIRES_MIN;
    take_backtest(review, &before, &spread_s);
    int tries = before.fires - before.idle, wrong = tries - before.hits;
    if (is_seen) /* of a normal distribution, from the median distance */
        spread_s = 1.4826 * stats_median(before.near_s, before.near_count);
    else if (spread_s <= 0)
        spread_s = SPREAD_UNKNOWN_S;
    review->usual = (struct review_usual){
        .kept = clamp(stats_beta_mean(before.hits, tries, 2, 1), .3, .97),
        .undone = clamp(stats_beta_mean(wrong, tries, 1, 2), UNDONE_LEAST, UNDONE_MOST),
        .idle = clamp(stats_beta_mean(before.idle, before.fires, 1, 2) + .2, .5, .85),
        .stray = clamp(stats_beta_mean(before.strays, before.fires, 1, 9), .03, .3),
        .spread_s = clamp(spread_s, SPREAD_LEAST_S, SPREAD_MOST_S),
    };
}

/* --- all of it --- */

static int count_days(const struct review *review)
{
    const struct days *days = review->input->days;
    int count = 0, last = day_of(review, review->known->until_ms < review->input->history->to_ms
                                             ? review->known->until_ms
                                             : review->input->history->to_ms);
    for (int day = 0; day < days->count && day <= last; day++)
        count += days_role(days, day) != DAY_INCOMPLETE &&
                 tz_day_start(days->tz, days->first + day) * 1000 >= review->known->since_ms;
    return count;
}

/* The last ones since then of which the ten minutes after are known. */
static void take_fires(struct review *review, struct fires fires)
{
    int64_t end_ms = review->input->history->to_ms - REVIEW_UNDONE_MS;
    if (review->known->until_ms < end_ms)
        end_ms = review->known->until_ms;
    size_t from = order_find(fires.time_ms, fires.count, review->known->since_ms);
    size_t to = order_find(fires.time_ms, fires.count, end_ms);
    if (to > from && to - from > REVIEW_FIRES_MAX)
        from = to - REVIEW_FIRES_MAX;
    review->count = to > from ? to - from : 0;
    review->fires = xcalloc(review->count + 1, sizeof *review->fires);
    for (size_t i = 0; i < review->count; i++) {
        struct review_fire *fire = &review->fires[i];
        fire->time_ms = fires.time_ms[from + i];
        fire->day = day_of(review, fire->time_ms);
        fire->outcome = REVIEW_IDLE;
        fire->nobody_home = nobody_is_home(review->input->history, fire->time_ms);
    }
}

static int count_fire_days(const struct review *review, struct fires fires)
{
    int count = 0, last = INT_MIN;
    for (size_t i = 0; i < fires.count; i++) {
        int day = day_of(review, fires.time_ms[i]);
        count += day != last;
        last = day;
    }
    return count;
}

void review_look(struct review *review)
{
    struct fires fires = fires_of(review);
    review->fire_days = count_fire_days(review, fires);
    take_fires(review, fires);
    review->days = count_days(review);
    find_usual(review, fires);
    bool is_trial = review->known->state == REVIEW_TRYING;
    bool by_uses = ends_use(review) || !review->is_read;
    if (is_trial && by_uses && review->has_act)
        judge_by_hindsight(review);
    else if (is_trial)
        judge_trial(review);
    for (size_t i = 0; i < review->count; i++) {
        struct review_fire *fire = &review->fires[i];
        if (!is_trial)
            judge_deployed(review, fire);
        review->counts[fire->outcome]++;
        review->redone += fire->redone_ms != 0;
        review->nobody_home += fire->nobody_home;
    }
}
