/* Acts that follow something: "when the hall door opens, within a minute the lamp goes on".
 * docs/miner.md says how such a habit is told from chance; coincidence.c computes it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/order.h"
#include "core/xalloc.h"
#include "mine/coincidence.h"
#include "mine/miner.h"
#include "mine/trigger_gates.h"
#include "mine/triggers.h"
#include "stats/stats.h"

enum {
    EPISODE_MS = 5 * 60 * 1000, /* acts that follow each other this closely are one episode */
    ROUNDS_MAX = 4,             /* rules of one actor and verb */
    CANDIDATES_MAX = 64,   /* triggers of one act that pass every test; more are not compared */
    DIRECTION_WINDOWS = 4, /* so many windows around the act tell what comes first */
    LEARNING_DAYS_MIN = 3,
    PROMPT_MS = 2 * 60 * 1000,
    TIMELY_MS = 75 * 1000, /* half of the lags within so much, a quarter of the reach */
    WAKING_MS = 16 * 3600 * 1000,
    ROUTINE_MS = 400 * 1000, /* two things of one routine lie so far apart, give or take: a box */
    MACHINE_SPREAD_MS = 500, /* half of the lags within so little: a machine's, not a person's */
    TYPICAL_SPREAD_S = 45 * 60, /* wider apart there is no typical time */
};
#define PRECISION_MIN 0.5 /* of the occasions, this share must be followed: else it is no help */
#define PROMPT_MIN 0.75   /* of the lags, within two minutes: a detector that calls for the act */
#define TIMELY_P 0.001    /* when lags anywhere within the reach would be so by chance less often */
#define VISIT_MIN 0.55    /* lower 95 % bound of the precision that shows it as well */
#define SHARP_P 0.01      /* when lags as broad as ROUTINE_MS would lie so close together seldom */
#define ONCE_A_DAY 1.25   /* so many occasions a day of fires, or fewer: perhaps one routine */
#define YOUNG_MAX 0.2     /* share of the occasions followed before a habit began */
#define CHANCE_FACTOR 1.5 /* and so many times what other use would give */
#define BULK_MIN 0.5      /* of the lags within the reach, this share lies in the window */
#define DIRECTION_P 0.13  /* sign test of days, before against after: three can show it */
#define GO_ON_P 0.05      /* above it there is nothing more to find */
#define LEARNING_PRECISION_MIN 0.6
#define SPREAD_TIE 1.25
#define EVIDENCE_TIE 1.0 /* log likelihoods this close do not tell two triggers apart */

/* ---- what all actors share ----------------------------------------------------------------- */

struct shared {
    struct coincidence_days on;
    struct triggers triggers;
};

void *sequence_prepare(const struct mine_input *input)
{
    struct shared *shared = xcalloc(1, sizeof *shared);
    coincidence_days_init(&shared->on, input->history, input->days);
    triggers_init(&shared->triggers, input->history, input->days, input->restarts,
                  shared->on.start_ms, input->gates);
    return shared;
}

void sequence_release(void *prepared)
{
    struct shared *shared = prepared;
    triggers_release(&shared->triggers);
    coincidence_days_release(&shared->on);
    free(shared);
}

/* ---- one actor and verb -------------------------------------------------------------------- */

struct candidate {
    size_t trigger;
    struct gate_choice choice; /* its conditions */
    struct trigger fires; /* with conditions: those at which they hold, owned; else the list's */
    double p_value;       /* all triggers, windows and scores paid for */
    int window;
    int days; /* training days with a followed occasion */
    int fire_days, occasions, followed;
    int late_days, late_occasions, late_followed; /* of these, in the second half of the days */
    double chance;
    int64_t lag_ms, spread_ms; /* median and standard deviation */
    bool is_presence;          /* may only tell that somebody is there */
    bool stays;
    int prompt, lags; /* of the lags, those within two minutes; all */
    int64_t half_ms;  /* their middle half lies within so much */
    double sharp_p;   /* that lags anywhere within the reach lie as close together */
};

struct work {
    const struct mine_input *input;
    const struct shared *shared;
    size_t actor;
    enum rule_verb verb;
    int64_t *act_ms; /* on training days, those that no rule has taken yet */
    struct episode *episodes;
    int64_t *lag_ms;
    size_t act_count, episode_count;
    struct freedom freedom;
    size_t same_area;                   /* triggers that can become a rule, in the actor's area */
    struct candidate rules[ROUNDS_MAX]; /* found so far; own their fires */
    size_t rule_count;
};

static bool is_member(const struct actor *actor, size_t entity)
{
    for (size_t i = 0; i < actor->count; i++)
        if (actor->entities[i] == entity)
            return true;
    return false;
}

/* Whether some member is known to be in another state than the verb's. Times must not go back:
 * next[] moves along. */
static bool is_free(const struct work *work, int64_t time_ms, size_t *next)
{
    const struct actor *actor = &work->input->actors->list[work->actor];
    bool is = false;
    for (size_t i = 0; i < actor->count; i++) {
        const struct history_entity *e = actor_state(actor, work->input->history, i);
        while (next[i] < e->changes && e->time_ms[next[i]] <= time_ms)
            next[i]++;
        is = is || (next[i] > 0 && acts_is_free(e->state[next[i] - 1], work->verb));
    }
    return is;
}

static void find_freedom(struct work *work)
{
    const struct actor *actor = &work->input->actors->list[work->actor];
    int64_t *times = NULL;
    size_t count = 0, capacity = 0;
    for (size_t i = 0; i < actor->count; i++) {
        const struct history_entity *e = actor_state(actor, work->input->history, i);
        for (size_t k = 0; k < e->changes; k++) {
            times = grow_array(times, count, &capacity, sizeof *times);
            times[count++] = e->time_ms[k];
        }
    }
    if (actor->count > 1 && count > 0)
        qsort(times, count, sizeof *times, order_int64);
    size_t *next = xcalloc(actor->count, sizeof *next);
    struct freedom *freedom = &work->freedom;
    for (size_t i = 0; i < count; i++) {
        if (is_free(work, times[i], next) == (freedom->count % 2 == 1))
            continue;
        freedom->toggle_ms = grow_array(freedom->toggle_ms, freedom->count, &freedom->capacity,
                                        sizeof *freedom->toggle_ms);
        freedom->toggle_ms[freedom->count++] = times[i];
    }
    free(next);
    free(times);
    freedom_measure(freedom, &work->shared->on);
}

static bool in_same_area(const struct work *work, size_t trigger)
{
    const struct history *h = work->input->history;
    const char *area = h->entities[work->input->actors->list[work->actor].entities[0]].area;
    const char *other = h->entities[work->shared->triggers.list[trigger].entity].area;
    return area != NULL && other != NULL && strcmp(area, other) == 0;
}

static bool has_domain(const struct work *work, size_t trigger, const char *domain)
{
    size_t entity = work->shared->triggers.list[trigger].entity;
    const char *id = work->input->history->entities[entity].entity_id;
    size_t length = strlen(domain);
    return strncmp(id, domain, length) == 0 && id[length] == '.';
}

/* Whether it is a detector that may see people come into the actor's room. */
static bool may_be_presence(const struct work *work, size_t trigger)
{
    const struct history *h = work->input->history;
    bool is_known = h->entities[work->input->actors->list[work->actor].entities[0]].area != NULL &&
                    h->entities[work->shared->triggers.list[trigger].entity].area != NULL;
    return has_domain(work, trigger, "binary_sensor") && (!is_known || in_same_area(work, trigger));
}

/* What a p-value is multiplied by for being one of many: half of the error budget is for the
 * triggers of the same area, which are few; of each half a share is for rules with conditions. */
static double payment(const struct work *work, const struct candidate *c)
{
    size_t same = work->same_area, all = work->shared->triggers.count;
    double share = c->choice.count > 0          ? c->choice.share
                   : work->input->gates != NULL ? 1 - GATES_ODDS
                                                : 1;
    if (same == 0 || same == all)
        return (double)all / share;
    return 2.0 * (double)(in_same_area(work, c->trigger) ? same : all - same) / share;
}

/* Splits what acts are left into episodes. */
static void find_episodes(struct work *work)
{
    const struct act *list = work->input->actors->list[work->actor].acts[work->verb].list;
    size_t a = 0;
    work->episode_count = 0;
    for (size_t i = 0; i < work->act_count; i++) {
        if (i > 0 && work->act_ms[i] - work->act_ms[i - 1] <= EPISODE_MS)
            continue;
        while (list[a].time_ms < work->act_ms[i])
            a++;
        work->episodes[work->episode_count++] = (struct episode){list[a].time_ms, list[a].day};
    }
}

/* ---- one trigger --------------------------------------------------------------------------- */

static bool any_between(const int64_t *time_ms, size_t count, int64_t from_ms, int64_t to_ms)
{
    size_t i = order_find(time_ms, count, from_ms);
    return i < count && time_ms[i] <= to_ms;
}

/* Whether a rule that was found already speaks for this instant. */
static bool is_explained(const struct work *work, int64_t time_ms)
{
    for (size_t i = 0; i < work->rule_count; i++) {
        const struct trigger *rule = &work->rules[i].fires;
        if (any_between(rule->time_ms, rule->count, time_ms - COINCIDENCE_REACH_MS,
                        time_ms + COINCIDENCE_REACH_MS))
            return true;
    }
    return false;
}

/* The trigger's fires, from one on, at which the target was free; those within the reach are one
 * occasion. At most so many. */
static size_t find_occasions(const struct work *work, const struct trigger *trigger, size_t from,
                             size_t max, struct occasion *out)
{
    const int64_t *start_ms = work->shared->on.start_ms;
    int64_t from_ms = from < trigger->count ? trigger->time_ms[from] : 0;
    size_t count = 0, toggle = order_find(work->freedom.toggle_ms, work->freedom.count, from_ms),
           act = order_find(work->act_ms, work->act_count, from_ms);
    int day = 0;
    for (size_t i = from; i < trigger->count && count < max; i++) {
        int64_t at = trigger->time_ms[i];
        while (toggle < work->freedom.count && work->freedom.toggle_ms[toggle] < at)
            toggle++;
        if (toggle % 2 == 0) { /* to the fire at which it is free again */
            if (toggle == work->freedom.count)
                break;
            i += order_find(trigger->time_ms + i, trigger->count - i,
                            work->freedom.toggle_ms[toggle] + 1);
            i--;
            continue;
        }
        if (count > 0 && at - out[count - 1].from_ms <= COINCIDENCE_REACH_MS) {
            out[count - 1].to_ms = at;
            out[count - 1].fires++;
            continue;
        }
        if (work->rule_count > 0 && is_explained(work, at))
            continue;
        while (day < work->input->days->count - 1 && start_ms[day + 1] <= at)
            day++;
        while (act < work->act_count && work->act_ms[act] < at)
            act++;
        bool followed = act < work->act_count && work->act_ms[act] <= at + COINCIDENCE_REACH_MS;
        out[count++] = (struct occasion){at, at, day, followed, i, 1};
    }
    return count;
}

/* Whether even the second half of the days has so many occasions that not all acts together could
 * make the trigger right often enough: then there is no need to look at each. An act follows one
 * occasion at most, and the half may begin within one. */
static bool is_too_frequent(const struct work *work, const struct trigger *trigger,
                            struct occasion *occasions)
{
    const struct coincidence_days *on = &work->shared->on;
    int64_t late_ms = on->start_ms[on->training[on->training_count / 2]];
    size_t first = order_find(trigger->time_ms, trigger->count, late_ms);
    size_t most = (size_t)((double)work->act_count / PRECISION_MIN) + 1;
    if (trigger->count - first <= most)
        return false;
    return find_occasions(work, trigger, first, most + 1, occasions) > most;
}

static void count_occasions(const struct work *work, struct candidate *c,
                            const struct occasion *occasions, size_t count)
{
    const struct coincidence_days *on = &work->shared->on;
    int late = on->training[on->training_count / 2], day = -1, followed_day = -1;
    for (size_t i = 0; i < count; i++) {
        const struct occasion *o = &occasions[i];
        bool is_late = o->day >= late, is_new = o->followed && o->day != followed_day;
        c->fire_days += o->day != day;
        c->followed += o->followed;
        c->days += is_new;
        c->late_occasions += is_late;
        c->late_followed += is_late && o->followed;
        c->late_days += is_late && is_new;
        day = o->day;
        followed_day = o->followed ? day : followed_day;
    }
    c->occasions = (int)count;
}

/* A habit that began within these days: the second half tells how often it is right. */
static bool is_young(const struct candidate *c)
{
    int occasions = c->occasions - c->late_occasions, followed = c->followed - c->late_followed;
    return c->late_days >= MINE_MATCHING_DAYS_MIN && followed <= YOUNG_MAX * occasions;
}

/* How often the rule would have been right. */
static double precision_of(const struct candidate *c)
{
    int n = is_young(c) ? c->late_occasions : c->occasions;
    return n == 0 ? 0 : (double)(is_young(c) ? c->late_followed : c->followed) / n;
}

/* Within some windows the trigger comes before the act rather than after it, by days. */
static bool is_directed(const struct work *work, const struct trigger *trigger, int window)
{
    int before = 0, after = 0, day_before = -1, day_after = -1;
    int64_t reach = (int64_t)DIRECTION_WINDOWS * coincidence_window_ms[window];
    reach = reach < COINCIDENCE_REACH_MS ? reach : COINCIDENCE_REACH_MS;
    for (size_t i = 0; i < work->episode_count; i++) {
        const struct episode *e = &work->episodes[i];
        if (work->lag_ms[i] <= reach) {
            before += day_before != e->day;
            day_before = e->day;
        } else if (any_between(trigger->time_ms, trigger->count,
                               e->time_ms - COINCIDENCE_LAG_MIN_MS + 1, e->time_ms + reach)) {
            after += day_after != e->day;
            day_after = e->day;
        }
    }
    return before >= 2 * after && stats_binomial_upper(before, before + after, 0.5) <= DIRECTION_P;
}

/* Lags within the reach, sorted; the caller frees. */
static int64_t *sort_lags(const struct work *work, size_t *count)
{
    int64_t *lags = xcalloc(work->episode_count, sizeof *lags);
    *count = 0;
    for (size_t i = 0; i < work->episode_count; i++)
        if (work->lag_ms[i] != INT64_MAX)
            lags[(*count)++] = work->lag_ms[i];
    if (*count > 0)
        qsort(lags, *count, sizeof *lags, order_int64);
    return lags;
}

/* Median and spread of the lags; false when they are not a person's. */
static bool measure_lags(const int64_t *lags, size_t count, struct candidate *c)
{
    if (count > 0)
        c->half_ms = lags[count - 1 - count / 4] - lags[count / 4];
    if (count < LEARNING_DAYS_MIN || c->half_ms < MACHINE_SPREAD_MS)
        return false;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)lags[i];
        squares += (double)lags[i] * (double)lags[i];
        c->prompt += lags[i] <= PROMPT_MS;
    }
    double mean = sum / (double)count;
    c->lags = (int)count;
    c->sharp_p = coincidence_sharp_p(lags, count, COINCIDENCE_REACH_MS);
    c->lag_ms = lags[count / 2];
    c->spread_ms = (int64_t)sqrt(fmax(squares / (double)count - mean * mean, 0));
    return true;
}

/* Whether the acts' times from the nearest fire on are no routine's. Looked at on both sides of the
 * fire and beyond the reach, for within it whatever is broad looks narrow. */
static bool is_sharp(const struct work *work, const struct trigger *trigger)
{
    int64_t *lags = xcalloc(work->episode_count, sizeof *lags);
    size_t count = 0;
    for (size_t i = 0; i < work->episode_count; i++) {
        int64_t at = work->episodes[i].time_ms;
        size_t after = order_find(trigger->time_ms, trigger->count, at);
        if (after > 0 && at - trigger->time_ms[after - 1] <= 2 * COINCIDENCE_REACH_MS)
            lags[count++] = at - trigger->time_ms[after - 1];
        else if (after < trigger->count && trigger->time_ms[after] - at <= COINCIDENCE_REACH_MS)
            lags[count++] = at - trigger->time_ms[after];
    }
    if (count > 0)
        qsort(lags, count, sizeof *lags, order_int64);
    bool is = coincidence_sharp_p(lags, count, ROUTINE_MS) <= SHARP_P;
    free(lags);
    return is;
}

/* Somebody comes home: with that a routine begins, and is no part of it. */
static bool is_arrival(const struct work *work, const struct trigger *trigger, size_t index)
{
    return (has_domain(work, index, "person") || has_domain(work, index, "device_tracker")) &&
           strcmp(work->input->history->states[trigger->state], "home") == 0;
}

/* What happens once a day may be a part of a routine whose hour varies: getting up. */
static bool may_be_routine(const struct work *work, const struct candidate *c)
{
    if (is_arrival(work, &c->fires, c->trigger))
        return false;
    return c->days >= MINE_MATCHING_DAYS_MIN && c->occasions <= ONCE_A_DAY * c->fire_days &&
           !is_sharp(work, &c->fires);
}

/* Takes the window with the smallest p-value of both tests among those that hold the bulk of the
 * lags, and come before rather than after. */
static void test_windows(struct work *work, struct candidate *c, const struct occasion *occasions,
                         size_t count)
{
    const struct trigger *trigger = &c->fires;
    const struct coincidence_days *on = &work->shared->on;
    double pay = payment(work, c), p[COINCIDENCE_WINDOWS], chance;
    coincidence_of_acts(on, trigger->time_ms, trigger->count, work->episodes, work->episode_count,
                        work->lag_ms, GO_ON_P / pay, p);
    size_t lag_count, inside = 0;
    int64_t *lags = sort_lags(work, &lag_count);
    bool is_human = measure_lags(lags, lag_count, c) && !may_be_routine(work, c);
    for (int w = 0; is_human && w < COINCIDENCE_WINDOWS; w++) {
        while (inside < lag_count && lags[inside] <= coincidence_window_ms[w])
            inside++;
        struct candidate at = *c;
        at.window = w;
        if (p[w] * pay > GO_ON_P || p[w] * pay >= c->p_value ||
            (double)inside < BULK_MIN * (double)lag_count || !is_directed(work, trigger, w))
            continue;
        double fires = coincidence_of_fires(on, occasions, count, work->act_ms, work->act_count,
                                            &work->freedom, w, &chance);
        double ages = coincidence_of_ages(on, occasions, count, work->act_ms, work->act_count,
                                          &work->freedom, w);
        at.p_value = fmax(fmax(p[w], fires), ages) * pay;
        at.chance = chance;
        if (at.p_value < c->p_value)
            *c = at;
    }
    free(lags);
}

/* The lags lie together, at their beginning or later, rather than anywhere within the reach. */
static bool is_timely(const struct candidate *c)
{
    double early_p =
        stats_binomial_upper(c->prompt, c->lags, (double)PROMPT_MS / COINCIDENCE_REACH_MS);
    return (c->half_ms <= TIMELY_MS && c->sharp_p <= TIMELY_P) ||
           (c->prompt >= PROMPT_MIN * c->lags && early_p <= TIMELY_P);
}

/* Most of the visits are followed. That conditions were chosen by it, the p-value pays for. */
static bool is_sure(const struct candidate *c)
{
    int n = is_young(c) ? c->late_occasions : c->occasions;
    int followed = is_young(c) ? c->late_followed : c->followed;
    return stats_wilson_low(followed, n, STATS_Z95) >= VISIT_MIN;
}

/* Who does something in a room has come into it: its detectors precede every act there. They call
 * for it only when it comes at once, or after the same time, or surely after most of the visits. */
static bool is_more_than_presence(const struct work *work, const struct candidate *c)
{
    return !may_be_presence(work, c->trigger) || is_timely(c) || is_sure(c);
}

/* Whether the trigger, with the conditions chosen, precedes the acts by more than chance, and is of
 * use. */
static bool judge(struct work *work, struct candidate *c, struct occasion *occasions)
{
    const struct trigger *trigger = &c->fires;
    if (is_too_frequent(work, trigger, occasions))
        return false;
    size_t count = find_occasions(work, trigger, 0, SIZE_MAX, occasions);
    count_occasions(work, c, occasions, count);
    if (c->days < LEARNING_DAYS_MIN || precision_of(c) < PRECISION_MIN)
        return false;
    coincidence_lags(trigger->time_ms, trigger->count, work->episodes, work->episode_count,
                     work->lag_ms);
    test_windows(work, c, occasions, count);
    c->is_presence = !is_more_than_presence(work, c);
    return c->p_value <= GO_ON_P && precision_of(c) >= CHANCE_FACTOR * c->chance;
}

/* ---- conditions ---------------------------------------------------------------------------- */

static struct candidate candidate_of(const struct work *work, size_t trigger)
{
    return (struct candidate){.trigger = trigger,
                              .fires = work->shared->triggers.list[trigger],
                              .choice = {.share = 1},
                              .p_value = 1};
}

static void candidate_release(struct candidate *c)
{
    if (c->choice.count > 0)
        free(c->fires.time_ms);
}

/* The day from which on conditions are chosen. */
static int late_day(const struct work *work)
{
    const struct coincidence_days *on = &work->shared->on;
    int first = on->training_count - TRIGGER_GATES_DAYS;
    return on->training[first > 0 ? first : 0];
}

/* The trigger with the conditions that tell best when it is followed; false without any. */
static bool choose_conditions(const struct work *work, struct candidate *c,
                              struct occasion *occasions)
{
    const struct gates *gates = work->input->gates;
    const struct coincidence_days *on = &work->shared->on;
    const struct trigger *trigger = &work->shared->triggers.list[c->trigger];
    if (gates == NULL)
        return false;
    size_t from = order_find(trigger->time_ms, trigger->count, on->start_ms[late_day(work)]);
    size_t count = find_occasions(work, trigger, from, TRIGGER_GATES_OCCASIONS_MAX, occasions);
    size_t target = work->input->actors->list[work->actor].entities[0];
    if (!trigger_gates_choose(gates, on, trigger, occasions, count, target, PRECISION_MIN,
                              &c->choice))
        return false;
    trigger_gates_filter(gates, on, trigger, &c->choice, &c->fires);
    return true;
}

/* ---- which trigger ------------------------------------------------------------------------- */

/* How well a trigger alone tells when people do it: log of the probability of what followed its
 * occasions (their rate integrated out) and of the acts without it, which are as rare as the
 * device's use. A common cause beats its other effects, and the nearer link of a chain the farther
 * one, for each of them leaves acts or silence unexplained. */
static double evidence_of(const struct work *work, const struct candidate *c)
{
    double a_day = (double)work->episode_count / work->shared->on.training_count;
    double rare = fmin(a_day * COINCIDENCE_REACH_MS / WAKING_MS, 0.5);
    double others = (double)work->episode_count - c->followed;
    return stats_log_beta_evidence(c->followed, c->occasions, 1, 1) + fmax(others, 0) * log(rare) +
           log(c->choice.share);
}

/* Whether a is nearer to the cause than b: a person rather than the device that tracks them; lags
 * that scatter less; as much, but it comes earlier. */
static bool is_nearer(const struct work *work, const struct candidate *a, const struct candidate *b)
{
    if (has_domain(work, a->trigger, "person") && has_domain(work, b->trigger, "device_tracker"))
        return true;
    if (has_domain(work, b->trigger, "person") && has_domain(work, a->trigger, "device_tracker"))
        return false;
    double ratio = (double)a->spread_ms / (double)(b->spread_ms > 0 ? b->spread_ms : 1);
    if (ratio < 1 / SPREAD_TIE || ratio > SPREAD_TIE)
        return ratio < 1;
    return a->lag_ms > b->lag_ms;
}

/* The best of all. What tells nearly the same, and what its own entity does before it (a door that
 * opens before it closes), sees the same event: of these the one nearest to the cause. */
static const struct candidate *choose(const struct work *work, const struct candidate *list,
                                      size_t count)
{
    const struct trigger *triggers = work->shared->triggers.list;
    const struct candidate *most = &list[0];
    for (size_t i = 1; i < count; i++)
        if (evidence_of(work, &list[i]) > evidence_of(work, most))
            most = &list[i];
    const struct candidate *best = most;
    for (const struct candidate *c = list; c < list + count; c++) {
        bool is_same = evidence_of(work, c) >= evidence_of(work, most) - EVIDENCE_TIE ||
                       (triggers[c->trigger].entity == triggers[most->trigger].entity &&
                        c->lag_ms > most->lag_ms);
        if (is_same && is_nearer(work, c, best))
            best = c;
    }
    return best;
}

/* Leaves out what only tells that somebody is there. What calls for the act with one of its states
 * (a door closes) may do so with another (it opens) that is farther from it. */
static size_t drop_presence(const struct work *work, struct candidate *list, size_t count)
{
    const struct trigger *triggers = work->shared->triggers.list;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool stays = !list[i].is_presence;
        for (size_t k = 0; k < count && !stays; k++)
            stays = !list[k].is_presence &&
                    triggers[list[k].trigger].entity == triggers[list[i].trigger].entity;
        list[i].stays = stays;
    }
    for (size_t i = 0; i < count; i++)
        if (list[i].stays)
            list[kept++] = list[i];
        else
            candidate_release(&list[i]);
    return kept;
}

/* ---- rounds -------------------------------------------------------------------------------- */

/* Days on which a trigger preceded an act, however it came: who has too few is not looked at. */
struct counter {
    const struct work *work;
    int64_t at_ms;
    int day, late_day;
    int *last_day, *days, *late_days; /* by trigger; late: from late_day on */
};

static void count_fire(size_t trigger, void *ctx)
{
    struct counter *counter = ctx;
    if (counter->days[trigger] > 0 && counter->last_day[trigger] == counter->day)
        return;
    counter->last_day[trigger] = counter->day;
    counter->days[trigger]++;
    counter->late_days[trigger] += counter->day >= counter->late_day;
}

/* Fills in by how many days each trigger did, and on how many of the late ones. */
static void count_days(const struct work *work, int *days, int *late_days)
{
    const struct triggers *triggers = &work->shared->triggers;
    struct counter counter = {.work = work,
                              .late_day = late_day(work),
                              .last_day = xcalloc(triggers->count, sizeof(int)),
                              .days = days,
                              .late_days = late_days};
    for (size_t i = 0; i < work->episode_count; i++) {
        counter.day = work->episodes[i].day;
        triggers_visit(triggers, work->episodes[i].time_ms - COINCIDENCE_REACH_MS,
                       work->episodes[i].time_ms - COINCIDENCE_LAG_MIN_MS, count_fire, &counter);
    }
    free(counter.last_day);
}

/* The local second around which the followed acts lie, or -1. */
static int typical_second(const struct work *work, const struct candidate *c)
{
    double x = 0, y = 0, n = 0;
    const double turn = 2 * 3.14159265358979323846 / STATS_DAY_S;
    for (size_t i = 0; i < work->episode_count; i++) {
        if (work->lag_ms[i] > coincidence_window_ms[c->window])
            continue;
        const struct episode *e = &work->episodes[i];
        double second = (double)(e->time_ms - work->shared->on.start_ms[e->day]) / 1000;
        x += cos(second * turn);
        y += sin(second * turn);
        n += 1;
    }
    double length = n == 0 ? 0 : hypot(x, y) / n;
    if (length <= 0 || sqrt(-2 * log(fmin(length, 1))) / turn > TYPICAL_SPREAD_S)
        return -1;
    return stats_circular_wrap((int)lround(atan2(y, x) / turn));
}

static void add_habit(struct work *work, const struct candidate *c, size_t hypothesis,
                      struct mined *out)
{
    const struct actor *actor = &work->input->actors->list[work->actor];
    const struct trigger *trigger = &c->fires;
    const struct history *h = work->input->history;
    coincidence_lags(trigger->time_ms, trigger->count, work->episodes, work->episode_count,
                     work->lag_ms);
    struct habit habit = {.rule = {.trigger = {.kind = RULE_TRIGGER_STATE,
                                               .entity_id = h->entities[trigger->entity].entity_id,
                                               .to = h->states[trigger->state]},
                                   .weekdays = RULE_EVERY_DAY,
                                   .entity_ids = actor->entity_ids,
                                   .entity_count = actor->count,
                                   .verb = work->verb,
                                   .values = {actor->value},
                                   .value_count = work->verb == RULE_SET},
                          .actor = work->actor,
                          .hypothesis = hypothesis,
                          .occurrences = c->followed,
                          .matching_days = c->days,
                          .training_days = c->fire_days,
                          .spread_s = (int)((c->spread_ms + 500) / 1000),
                          .lag_s = (int)((c->lag_ms + 500) / 1000),
                          .chance_hits = c->chance,
                          .typical_second = typical_second(work, c)};
    gates_write(&c->choice, &habit.rule);
    mined_add_habit(out, &habit);
}

/* Takes the acts that the rule speaks for, and its fires. */
static void take_acts(struct work *work, const struct candidate *c)
{
    const struct trigger *trigger = &c->fires;
    size_t kept = 0;
    for (size_t i = 0; i < work->act_count; i++)
        if (!any_between(trigger->time_ms, trigger->count, work->act_ms[i] - COINCIDENCE_REACH_MS,
                         work->act_ms[i]))
            work->act_ms[kept++] = work->act_ms[i];
    work->act_count = kept;
    work->rules[work->rule_count++] = *c;
    find_episodes(work);
}

static void add_learning(const struct work *work, const struct candidate *c, struct mined *out)
{
    const struct trigger *trigger = &work->shared->triggers.list[c->trigger];
    const struct history *h = work->input->history;
    const struct days *days = work->input->days;
    double rate = (double)c->days / work->shared->on.training_count;
    int training = (int)ceil(MINE_MATCHING_DAYS_MIN / rate);
    int held_out = (training + DAYS_HELD_OUT_SHARE - 2) / (DAYS_HELD_OUT_SHARE - 1);
    held_out = held_out > DAYS_HELD_OUT_MIN ? held_out : DAYS_HELD_OUT_MIN;
    int missing = training + held_out - days->training - days->held_out;
    mined_add_learning(
        out, &(struct learning){.actor = work->actor,
                                .verb = work->verb,
                                .trigger = {.kind = RULE_TRIGGER_STATE,
                                            .entity_id = h->entities[trigger->entity].entity_id,
                                            .to = h->states[trigger->state]},
                                .weekdays = RULE_EVERY_DAY,
                                .matching_days = c->days,
                                .training_days = c->fire_days,
                                .days_missing = missing > 0 ? missing : 1});
}

/* The trigger as such or, where that tells more, with conditions. */
static bool try_trigger(struct work *work, struct candidate *c, int late_days,
                        struct occasion *occasions)
{
    struct candidate gated = *c;
    bool stands = judge(work, c, occasions);
    if (late_days < MINE_MATCHING_DAYS_MIN || !choose_conditions(work, &gated, occasions))
        return stands;
    if (!judge(work, &gated, occasions) || gated.days < MINE_MATCHING_DAYS_MIN) {
        candidate_release(&gated);
        return stands;
    }
    *c = gated;
    return true;
}

/* One round: false when there is nothing (more) to find. */
static bool sequence_round(struct work *work, struct mined *out)
{
    const struct triggers *triggers = &work->shared->triggers;
    const struct actor *actor = &work->input->actors->list[work->actor];
    struct candidate *list = xcalloc(CANDIDATES_MAX, sizeof *list);
    struct candidate young = {.p_value = 1};
    size_t count = 0, most = 0;
    for (size_t t = 0; t < triggers->count; t++)
        most = triggers->list[t].count > most ? triggers->list[t].count : most;
    struct occasion *occasions = xreallocarray(NULL, most, sizeof *occasions);
    int *days = xcalloc(triggers->count, sizeof *days);
    int *late_days = xcalloc(triggers->count, sizeof *late_days);
    count_days(work, days, late_days);
    for (size_t t = 0; t < triggers->count && count < CANDIDATES_MAX; t++) {
        struct candidate c = candidate_of(work, t);
        if (days[t] < LEARNING_DAYS_MIN || is_member(actor, triggers->list[t].entity) ||
            !try_trigger(work, &c, late_days[t], occasions))
            continue;
        if (c.days >= MINE_MATCHING_DAYS_MIN)
            list[count++] = c;
        else if (!c.is_presence && precision_of(&c) >= LEARNING_PRECISION_MIN &&
                 c.p_value < young.p_value)
            young = c;
    }
    free(days);
    free(late_days);
    count = drop_presence(work, list, count);
    out->hypotheses_tested += work->shared->triggers.count;
    const struct candidate *best = count > 0 ? choose(work, list, count) : NULL;
    size_t hypothesis = mined_add_p_value(out, best != NULL ? best->p_value : 1);
    for (size_t i = 0; i < count; i++)
        if (&list[i] != best)
            candidate_release(&list[i]);
    if (best != NULL) {
        add_habit(work, best, hypothesis, out);
        take_acts(work, best);
    } else if (work->rule_count == 0 && young.p_value < 1) {
        add_learning(work, &young, out);
    }
    free(list);
    free(occasions);
    return best != NULL;
}

static void mine_verb(const struct mine_input *input, const struct shared *shared, size_t actor,
                      enum rule_verb verb, struct mined *out)
{
    const struct acts *acts = &input->actors->list[actor].acts[verb];
    struct work work = {.input = input, .shared = shared, .actor = actor, .verb = verb};
    work.act_ms = xcalloc(acts->count, sizeof *work.act_ms);
    work.episodes = xcalloc(acts->count, sizeof *work.episodes);
    work.lag_ms = xcalloc(acts->count, sizeof *work.lag_ms);
    int act_days = 0, last = -1;
    for (size_t i = 0; i < acts->count; i++) {
        if (days_role(input->days, acts->list[i].day) != DAY_TRAINING)
            continue;
        work.act_ms[work.act_count++] = acts->list[i].time_ms;
        act_days += acts->list[i].day != last;
        last = acts->list[i].day;
    }
    if (act_days >= LEARNING_DAYS_MIN && shared->triggers.count > 0) {
        find_freedom(&work);
        find_episodes(&work);
        for (size_t t = 0; t < shared->triggers.count; t++)
            work.same_area +=
                shared->triggers.list[t].days >= MINE_MATCHING_DAYS_MIN && in_same_area(&work, t);
        while (work.rule_count < ROUNDS_MAX && sequence_round(&work, out))
            ;
    }
    for (size_t i = 0; i < work.rule_count; i++)
        candidate_release(&work.rules[i]);
    freedom_release(&work.freedom);
    free(work.act_ms);
    free(work.episodes);
    free(work.lag_ms);
}

void mine_sequence(const struct mine_input *input, const void *prepared, size_t actor,
                   struct mined *out)
{
    for (int verb = 0; verb < RULE_VERB_COUNT; verb++)
        mine_verb(input, prepared, actor, (enum rule_verb)verb, out);
}
