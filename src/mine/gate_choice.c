/* Which conditions a rule has, if any: Bayes' rule for two rates of being followed instead of one.
 * A condition says that the act follows at some rate where it holds, and as seldom as the device's
 * other use gives where it does not. It stands against one rate everywhere, whatever that is, and
 * against a habit that began, ended or paused. Days are what is independent: what happens on a day
 * where the condition holds counts as one, and so does what happens where it does not. */
#include "mine/gates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "mine/miner.h"
#include "stats/stats.h"

/* How GATES_ODDS are split among the kinds; a kind's share is split among all that is looked at of
 * it. */
static const double kind_shares[GATE_KIND_COUNT] = {
    [GATE_SUN] = 0.2,  [GATE_DAYS] = 0.15, [GATE_PRESENCE] = 0.2, [GATE_MODE] = 0.15,
    [GATE_REST] = 0.1, [GATE_LIGHT] = 0.1, [GATE_WINDOW] = 0.1};
/* That a habit began, ended or paused is as likely: half of it for one change, half for two. */
#define ERA_ODDS 0.05

/* Where a condition holds: any rate, or that of a habit that is kept (as the day classes' prior);
 * where it does not: the other use, known as well as from eight occasions. */
#define KEPT_FOLLOWED 9.0
#define KEPT_IGNORED 3.0
#define USUAL_WEIGHT 8.0
#define USUAL_MIN 0.09
#define USUAL_MAX 0.5
#define TIE 1.0 /* ln of odds: so near, the simpler kind stays */
#define FAIR_SHARE 0.25
#define OUTSIDE_MAX 0.33 /* of the rate where it holds */

enum {
    VISIT_MS = 30 * 60 * 1000,
    WITHIN_DAY_MIN = 5, /* days with both sides: then it is no matter of when the habit lived */
    ERA_STEPS_MAX = 64,
    WINDOW_BINS_MIN = 2,
    WINDOW_BINS_MAX = 40,
    WINDOWS_COUNT = GATES_BIN_COUNT * (WINDOW_BINS_MAX - WINDOW_BINS_MIN + 1),
    LIMITS_COUNT = 41,
    LEVEL_NONE = 255, /* no number */
};
/* lx: ten to a decade, of round numbers (ISO 3, R10) */
static const double limits[LIMITS_COUNT] = {
    1,   1.2, 1.6,  2,    2.5,  3,    4,    5,    6,    8,    10,   12,   16,   20,
    25,  30,  40,   50,   60,   80,   100,  120,  160,  200,  250,  300,  400,  500,
    600, 800, 1000, 1200, 1600, 2000, 2500, 3000, 4000, 5000, 6000, 8000, 10000};

struct chooser {
    const struct gates *gates;
    const struct gate_question *question;
    const struct gate_choice *chosen; /* so far */
    bool *active;                     /* by case: all of that holds */
    bool is_poor;                     /* of these, too few are followed */
    size_t lights[GATES_LIGHTS_MAX];
    size_t light_count;
    uint8_t *levels; /* by case: how many of the limits the sensor looked at was not below */
};

/* ---- prices -------------------------------------------------------------------------------- */

static double share_of(const struct chooser *c, const struct gate *gate)
{
    size_t looked_at[GATE_KIND_COUNT] = {[GATE_REST] = GATES_REST_COUNT,
                                         [GATE_LIGHT] = c->light_count * LIMITS_COUNT * 2,
                                         [GATE_WINDOW] = WINDOWS_COUNT};
    size_t count = gate->kind <= GATE_MODE ? c->gates->of_kind[gate->kind] : looked_at[gate->kind];
    return GATES_ODDS * kind_shares[gate->kind] / (double)(count > 0 ? count : 1);
}

/* ---- one predicate ------------------------------------------------------------------------- */

/* What happened where it holds (1) and where it does not (0). */
struct split {
    double units[2], followed[2];
    int followed_days; /* where it holds */
    int both;          /* days with cases on both sides */
};

static bool condition_of_light(const struct gates *gates, const struct gate *gate, int64_t time_ms)
{
    double number = history_number_at(&gates->history->entities[gate->entity], time_ms);
    return gate->condition.kind == RULE_WHEN_BELOW ? number < gate->condition.limit
                                                   : number > gate->condition.limit;
}

static bool holds(const struct gates *gates, const struct gate *gate, const struct gate_case *at)
{
    int bin = at->bin, from = gate->condition.from_s / GATES_BIN_S,
        to = gate->condition.to_s / GATES_BIN_S;
    switch (gate->kind) {
    case GATE_REST:
        return at->rest > gate->rest;
    case GATE_LIGHT:
        return condition_of_light(gates, gate, at->time_ms);
    case GATE_WINDOW:
        return from < to ? bin >= from && bin < to : bin >= from || bin < to;
    default:
        return at->holds >> gate->bit & 1U;
    }
}

static double evidence(double followed, double n, double a, double b)
{
    return stats_log_beta(a + followed, b + n - followed) - stats_log_beta(a, b);
}

/* ln of how much better two rates tell than any one. */
static double gain_of(const struct chooser *c, const struct split *s)
{
    double usual = fmin(fmax(c->question->usual, USUAL_MIN), USUAL_MAX) * USUAL_WEIGHT;
    double n = s->units[0] + s->units[1], followed = s->followed[0] + s->followed[1];
    double in = fmax(evidence(s->followed[1], s->units[1], 1, 1),
                     evidence(s->followed[1], s->units[1], KEPT_FOLLOWED, KEPT_IGNORED)) -
                log(2);
    double out = evidence(s->followed[0], s->units[0], usual, USUAL_WEIGHT - usual);
    double one =
        fmax(evidence(followed, n, 1, 1), fmax(evidence(followed, n, KEPT_FOLLOWED, KEPT_IGNORED),
                                               evidence(followed, n, usual, USUAL_WEIGHT - usual)));
    return in + out - one;
}

/* A motion that nobody followed is not followed again minutes later: what comes so soon is the same
 * visit, and no witness for a longer rest, as long as the rule is of use with it. */
static bool is_same_visit(const struct chooser *c, const struct gate *gate,
                          const struct gate_case *at)
{
    return gate->kind == GATE_REST && !c->is_poor && at->rest == 0;
}

/* What one side of a day's cases amounts to. */
struct side {
    double units, followed; /* by visit: what lies within half an hour is one */
    double n, sum;          /* of the visit that goes on */
    int64_t latest_ms;
};

static void side_close(struct side *side)
{
    if (side->n == 0)
        return;
    side->units++;
    side->followed += side->sum / side->n;
    side->n = side->sum = 0;
}

static void side_add(struct side *side, const struct gate_case *at)
{
    if (side->n > 0 && at->time_ms - side->latest_ms > VISIT_MS)
        side_close(side);
    side->latest_ms = at->time_ms;
    side->n++;
    side->sum += at->followed;
}

/* Adds a day. Where both sides can be compared within it, visits count one by one; else it may have
 * been a lazy day or a busy one, and counts once. */
static void split_add(struct split *split, struct side sides[2])
{
    side_close(&sides[0]);
    side_close(&sides[1]);
    bool is_both = sides[0].units > 0 && sides[1].units > 0;
    for (int in = 0; in < 2; in++) {
        if (sides[in].units == 0)
            continue;
        double weight = is_both ? 1 : 1 / sides[in].units;
        split->units[in] += sides[in].units * weight;
        split->followed[in] += sides[in].followed * weight;
    }
    split->followed_days += sides[1].followed > 0;
    split->both += is_both;
}

/* The case by its index, of the light sensor that is looked at by its level. */
static bool holds_at(const struct chooser *c, const struct gate *gate, size_t i)
{
    if (gate->kind != GATE_LIGHT || c->levels == NULL)
        return holds(c->gates, gate, &c->question->cases[i]);
    return c->levels[i] != LEVEL_NONE &&
           (gate->condition.kind == RULE_WHEN_BELOW ? c->levels[i] <= gate->rest
                                                    : c->levels[i] > gate->rest);
}

static struct split split_by(const struct chooser *c, const struct gate *gate)
{
    const struct gate_question *q = c->question;
    struct split out = {.both = 0};
    for (size_t i = 0; i < q->count;) {
        struct side sides[2] = {{.n = 0}, {.n = 0}};
        int day = q->cases[i].day;
        for (; i < q->count && q->cases[i].day == day; i++)
            if (c->active[i] && !is_same_visit(c, gate, &q->cases[i]))
                side_add(&sides[holds_at(c, gate, i)], &q->cases[i]);
        split_add(&out, sides);
    }
    return out;
}

/* The best predicate of each kind. */
struct best {
    struct gate gate;
    double odds; /* ln, prior and all; -INFINITY = none */
    int both;
};

/* Two of a kind say no more than one, but of people and modes. */
static bool may_join(const struct chooser *c, enum gate_kind kind)
{
    for (size_t i = 0; i < c->chosen->count; i++)
        if (c->chosen->gates[i].kind == kind && kind != GATE_PRESENCE && kind != GATE_MODE)
            return false;
    return c->question->kinds >> kind & 1U;
}

/* A habit that is only kept less often where the condition does not hold does not hang on it. */
static bool is_barred_outside(const struct split *s)
{
    return s->units[0] > 0 &&
           s->followed[0] / s->units[0] <= OUTSIDE_MAX * s->followed[1] / s->units[1];
}

/* ln of how much better it tells; -INFINITY when it says nothing. */
static double weigh(const struct chooser *c, const struct gate *gate, int *both)
{
    struct split split = split_by(c, gate);
    *both = split.both;
    return split.followed_days < MINE_MATCHING_DAYS_MIN || !is_barred_outside(&split)
               ? -INFINITY
               : gain_of(c, &split);
}

static void keep_best(struct best *best, const struct gate *gate, double odds, int both)
{
    if (odds > best[gate->kind].odds)
        best[gate->kind] = (struct best){*gate, odds, both};
}

static void consider(const struct chooser *c, const struct gate *gate, struct best *best)
{
    int both;
    double gain = weigh(c, gate, &both);
    keep_best(best, gate, gain + log(share_of(c, gate)), both);
}

/* Where the sums of weights reach a half. */
static int median_of(const double *weights, int count)
{
    double sum = 0, half = 0;
    for (int i = 0; i < count; i++)
        half += weights[i] / 2;
    int at = 0;
    while (at < count - 1 && (sum += weights[at]) < half)
        at++;
    return at;
}

enum { FAMILY_MAX = LIMITS_COUNT };

/* Predicates that differ by a number alone: what they tell counts together (their number is
 * integrated out), and the number is the median of its posterior. */
static void consider_family(const struct chooser *c, const struct gate *list, int count,
                            struct best *best)
{
    double gains[FAMILY_MAX], weights[FAMILY_MAX], most = -INFINITY, sum = 0;
    int both[FAMILY_MAX];
    for (int i = 0; i < count; i++) {
        gains[i] = weigh(c, &list[i], &both[i]);
        most = fmax(most, gains[i]);
    }
    if (most == -INFINITY)
        return;
    for (int i = 0; i < count; i++)
        sum += weights[i] = exp(gains[i] - most);
    int chosen = median_of(weights, count);
    if (gains[chosen] > -INFINITY)
        keep_best(best, &list[chosen], most + log(sum) + log(share_of(c, &list[chosen])),
                  both[chosen]);
}

/* ---- kinds --------------------------------------------------------------------------------- */

static bool is_own(const struct gate_question *q, const struct gate *gate)
{
    if (gate->entity != SIZE_MAX)
        return gate->entity == q->own[0] || gate->entity == q->own[1];
    return false;
}

/* A number that follows what a person does is not sure to be the new one at that moment. */
static bool follows_trigger(const struct gates *gates, const struct gate_question *q,
                            const struct gate *gate)
{
    return gate->kind == GATE_PRESENCE && gate->entity == SIZE_MAX && q->own[0] != SIZE_MAX &&
           strncmp(gates->history->entities[q->own[0]].entity_id, "person.", 7) == 0;
}

static void consider_states(const struct chooser *c, struct best *best)
{
    const struct gate_question *q = c->question;
    for (size_t g = 0; g < c->gates->count; g++) {
        const struct gate *gate = &c->gates->list[g];
        if (may_join(c, gate->kind) && !is_own(q, gate) && !follows_trigger(c->gates, q, gate))
            consider(c, gate, best);
    }
}

static void consider_rest(const struct chooser *c, struct best *best)
{
    struct gate list[GATES_REST_COUNT];
    int count = 0;
    for (int level = c->is_poor ? 0 : 1; level < GATES_REST_COUNT; level++)
        list[count++] = (struct gate){.kind = GATE_REST, .rest = level, .entity = SIZE_MAX};
    if (may_join(c, GATE_REST))
        consider_family(c, list, count, best);
}

static uint8_t level_of(double number)
{
    uint8_t level = 0;
    if (isnan(number))
        return LEVEL_NONE;
    while (level < LIMITS_COUNT && number >= limits[level])
        level++;
    return level;
}

static void consider_sensor(struct chooser *c, size_t light, struct best *best)
{
    static const enum rule_condition_kind sides[] = {RULE_WHEN_BELOW, RULE_WHEN_ABOVE};
    const struct history_entity *e = &c->gates->history->entities[light];
    struct gate list[LIMITS_COUNT];
    for (size_t i = 0; i < c->question->count; i++)
        c->levels[i] = level_of(history_number_at(e, c->question->cases[i].time_ms));
    for (size_t s = 0; s < sizeof sides / sizeof *sides; s++) {
        for (int k = 0; k < LIMITS_COUNT; k++)
            list[k] = (struct gate){
                .kind = GATE_LIGHT,
                .rest = k,
                .entity = light,
                .condition = {.kind = sides[s], .entity_id = e->entity_id, .limit = limits[k]}};
        consider_family(c, list, LIMITS_COUNT, best);
    }
}

static void consider_light(struct chooser *c, struct best *best)
{
    if (c->light_count == 0 || !may_join(c, GATE_LIGHT))
        return;
    c->levels = xcalloc(c->question->count, sizeof *c->levels);
    for (size_t i = 0; i < c->light_count; i++)
        consider_sensor(c, c->lights[i], best);
    free(c->levels);
    c->levels = NULL;
}

/* ---- windows ------------------------------------------------------------------------------- */

/* By half hour: ln of how what happened there speaks for a window that holds it, at the rates of a
 * habit that is kept and of other use; each day counts once. */
static void profile_hours(const struct chooser *c, double score[GATES_BIN_COUNT])
{
    const struct gate_question *q = c->question;
    double usual = fmin(fmax(q->usual, USUAL_MIN), USUAL_MAX);
    double kept = KEPT_FOLLOWED / (KEPT_FOLLOWED + KEPT_IGNORED);
    double for_it = log(kept / usual), against = log((1 - kept) / (1 - usual));
    memset(score, 0, GATES_BIN_COUNT * sizeof *score);
    for (size_t i = 0; i < q->count;) {
        double n = 0, followed = 0;
        int day = q->cases[i].day, bin = q->cases[i].bin;
        for (; i < q->count && q->cases[i].day == day && q->cases[i].bin == bin; i++) {
            n += c->active[i];
            followed += c->active[i] && q->cases[i].followed;
        }
        if (n > 0)
            score[bin] += (followed * for_it + (n - followed) * against) / n;
    }
}

static int wrap(int bin)
{
    return (bin + GATES_BIN_COUNT) % GATES_BIN_COUNT;
}

/* A window: bins begin..begin+length-1, round the clock. */
struct window {
    int begin, length;
    double score;
};

/* Calls visit for every window. */
static void visit_windows(const double score[GATES_BIN_COUNT],
                          void (*visit)(const struct window *window, void *ctx), void *ctx)
{
    for (int begin = 0; begin < GATES_BIN_COUNT; begin++) {
        struct window window = {.begin = begin};
        for (window.length = 1; window.length <= WINDOW_BINS_MAX; window.length++) {
            window.score += score[wrap(begin + window.length - 1)];
            if (window.length >= WINDOW_BINS_MIN)
                visit(&window, ctx);
        }
    }
}

/* What all windows say of one's begin and end, which lie around the best one's. */
struct window_sums {
    struct window best;
    double begin[GATES_BIN_COUNT], end[GATES_BIN_COUNT], all;
};

static void find_best_window(const struct window *window, void *ctx)
{
    struct window_sums *sums = ctx;
    if (window->score > sums->best.score)
        sums->best = *window;
}

static void add_window(const struct window *window, void *ctx)
{
    struct window_sums *sums = ctx;
    const int half = GATES_BIN_COUNT / 2;
    double weight = exp(window->score - sums->best.score);
    int begin = window->begin - sums->best.begin;
    int end = begin + window->length - sums->best.length;
    sums->begin[wrap(begin + half)] += weight;
    sums->end[wrap(end + half)] += weight;
    sums->all += weight;
}

/* The windows' scores differ as their gains do, more or less: so these need not all be computed. */
static void consider_window(const struct chooser *c, struct best *best)
{
    double score[GATES_BIN_COUNT];
    struct window_sums sums = {.all = 0};
    if (!may_join(c, GATE_WINDOW))
        return;
    profile_hours(c, score);
    visit_windows(score, find_best_window, &sums);
    if (sums.best.length == 0)
        return;
    visit_windows(score, add_window, &sums);
    const int half = GATES_BIN_COUNT / 2;
    int begin = sums.best.begin + median_of(sums.begin, GATES_BIN_COUNT) - half;
    int end = sums.best.begin + sums.best.length + median_of(sums.end, GATES_BIN_COUNT) - half;
    const struct gate gate = {.kind = GATE_WINDOW,
                              .entity = SIZE_MAX,
                              .condition = {.kind = RULE_WHEN_TIME,
                                            .from_s = wrap(begin) * GATES_BIN_S,
                                            .to_s = wrap(end % GATES_BIN_COUNT) * GATES_BIN_S}};
    int both;
    double gain = weigh(c, &gate, &both);
    if (gate.condition.from_s != gate.condition.to_s)
        keep_best(best, &gate, gain + log(sums.all) + log(share_of(c, &gate)), both);
}

/* ---- eras ---------------------------------------------------------------------------------- */

/* The ln odds that the habit only lived in a part of the days, or in all but a part. */
static double era_odds(const struct chooser *c)
{
    const struct gate_question *q = c->question;
    double *n = xcalloc(q->count + 1, sizeof *n), *followed = xcalloc(q->count + 1, sizeof *n);
    size_t days = 0; /* sums of the days before */
    for (size_t i = 0; i < q->count;) {
        double cases = 0, sum = 0;
        int day = q->cases[i].day;
        for (; i < q->count && q->cases[i].day == day; i++) {
            cases += c->active[i];
            sum += c->active[i] && q->cases[i].followed;
        }
        if (cases == 0)
            continue;
        n[days + 1] = n[days] + 1;
        followed[days + 1] = followed[days] + sum / cases;
        days++;
    }
    double best = -INFINITY, count = (double)days;
    size_t step = days / ERA_STEPS_MAX + 1;
    for (size_t from = 0; from < days; from += step)
        for (size_t to = from + step; to <= days + step - 1; to += step) {
            size_t end = to < days ? to : days;
            bool is_one = from == 0 || end == days; /* change */
            double price = log(ERA_ODDS / 2 / (is_one ? 2 * count : count * count));
            double part = n[end] - n[from], kept = followed[end] - followed[from];
            struct split inside = {.units = {n[days] - part, part},
                                   .followed = {followed[days] - kept, kept}};
            struct split outside = {.units = {part, n[days] - part},
                                    .followed = {kept, followed[days] - kept}};
            if (end - from < days)
                best = fmax(best, price + fmax(gain_of(c, &inside), gain_of(c, &outside)));
        }
    free(n);
    free(followed);
    return best;
}

/* ---- the choice ---------------------------------------------------------------------------- */

static bool is_in_area(const struct gates *gates, size_t entity, size_t other)
{
    const char *area = gates->history->entities[entity].area;
    const char *where = other == SIZE_MAX ? NULL : gates->history->entities[other].area;
    return area != NULL && where != NULL && strcmp(area, where) == 0;
}

/* Light sensors of the target's area, of the trigger's, of none, then the others. */
static void find_lights(struct chooser *c)
{
    const struct gates *gates = c->gates;
    const struct gate_question *q = c->question;
    for (int rank = 0; rank < 4; rank++)
        for (size_t i = 0; i < gates->light_count; i++) {
            size_t light = gates->lights[i];
            int own = is_in_area(gates, light, q->own[1])            ? 0
                      : is_in_area(gates, light, q->own[0])          ? 1
                      : gates->history->entities[light].area == NULL ? 2
                                                                     : 3;
            if (own == rank && light != q->own[0] && c->light_count < GATES_LIGHTS_MAX &&
                (q->kinds >> GATE_LIGHT & 1U))
                c->lights[c->light_count++] = light;
        }
}

/* Of those that stand, the most probable; or a simpler kind that is nearly so. */
static const struct best *find_best(const struct best *list)
{
    const struct best *most = &list[0];
    for (int kind = 1; kind < GATE_KIND_COUNT; kind++)
        if (list[kind].odds > most->odds)
            most = &list[kind];
    if (most->odds <= 0)
        return NULL;
    for (int kind = 0; kind < GATE_KIND_COUNT; kind++)
        if (list[kind].odds > 0 && list[kind].odds >= most->odds - TIE)
            return &list[kind];
    return most;
}

/* The best condition on top of those chosen so far. */
static bool choose_one(struct chooser *c, struct best *out)
{
    struct best best[GATE_KIND_COUNT];
    for (int kind = 0; kind < GATE_KIND_COUNT; kind++)
        best[kind] = (struct best){.odds = -INFINITY};
    consider_states(c, best);
    consider_rest(c, best);
    consider_light(c, best);
    consider_window(c, best);
    const struct best *found = find_best(best);
    if (found == NULL || (found->both < WITHIN_DAY_MIN && found->odds < era_odds(c) + TIE))
        return false;
    *out = *found;
    return true;
}

static void set_chosen(struct chooser *c, const struct gate_choice *choice)
{
    c->chosen = choice;
    double n = 0, followed = 0;
    for (size_t i = 0; i < c->question->count; i++) {
        c->active[i] = gates_hold(c->gates, choice, &c->question->cases[i]);
        n += c->active[i] ? c->question->cases[i].fires : 0;
        followed += c->active[i] && c->question->cases[i].followed;
    }
    c->is_poor = followed < c->question->precision_min * n;
}

/* A first condition that does not pay any more beside the second goes. */
static void drop_first(struct chooser *c, struct gate_choice *choice, const double *odds)
{
    struct gate_choice second = {.gates = {choice->gates[1]}, .count = 1};
    struct best best[GATE_KIND_COUNT];
    const struct gate_choice nothing = {.count = 0};
    set_chosen(c, &nothing);
    for (int kind = 0; kind < GATE_KIND_COUNT; kind++)
        best[kind] = (struct best){.odds = -INFINITY};
    consider(c, &choice->gates[1], best);
    double alone = best[choice->gates[1].kind].odds;
    if (alone < odds[0] + odds[1])
        return;
    *choice = second;
    choice->gain = alone;
    choice->share = share_of(c, &second.gates[0]);
}

void gates_choose(const struct gates *gates, const struct gate_question *question,
                  struct gate_choice *out)
{
    struct chooser c = {
        .gates = gates, .question = question, .active = xcalloc(question->count, sizeof *c.active)};
    double odds[GATES_CHOSEN_MAX];
    *out = (struct gate_choice){.share = 1};
    find_lights(&c);
    while (out->count < GATES_CHOSEN_MAX) {
        struct best best;
        set_chosen(&c, out);
        if (!choose_one(&c, &best))
            break;
        best.gate.toggle_ms = NULL;
        best.gate.toggle_count = best.gate.toggle_capacity = 0;
        odds[out->count] = best.odds;
        out->gates[out->count++] = best.gate;
        out->gain += best.odds;
        out->share *= share_of(&c, &best.gate);
    }
    if (out->count == 2)
        drop_first(&c, out, odds);
    free(c.active);
}

/* ---- before and after ---------------------------------------------------------------------- */

struct tally {
    int n, followed;
};

static bool is_fair(const struct tally *tally, int least)
{
    return tally->followed >= least && tally->followed >= FAIR_SHARE * tally->n;
}

/* Light is seldom told by anything else: where there is a sensor, all is looked at. */
bool gates_are_worth_it(const struct gates *gates, const struct gate_question *question)
{
    struct tally states[GATES_MAX] = {{0, 0}}, rest[GATES_REST_COUNT + 1] = {{0, 0}};
    struct tally hours[GATES_BIN_COUNT / 4] = {{0, 0}};
    int followed = 0;
    for (size_t i = 0; i < question->count; i++) {
        const struct gate_case *at = &question->cases[i];
        followed += at->followed;
        for (uint32_t left = at->holds; left != 0; left &= left - 1) {
            struct tally *tally = &states[__builtin_ctz(left)];
            tally->n++;
            tally->followed += at->followed;
        }
        rest[at->rest].n++;
        rest[at->rest].followed += at->followed;
        hours[at->bin / 4].n++;
        hours[at->bin / 4].followed += at->followed;
    }
    if (followed < MINE_MATCHING_DAYS_MIN)
        return false;
    bool is = gates->light_count > 0;
    for (size_t g = 0; g < gates->count && !is; g++)
        is = is_fair(&states[g], MINE_MATCHING_DAYS_MIN);
    for (size_t b = 0; b < GATES_BIN_COUNT / 4 && !is; b++)
        is = is_fair(&hours[b], MINE_MATCHING_DAYS_MIN / 2);
    for (int level = GATES_REST_COUNT; level > 0 && !is; level--) {
        is = is_fair(&rest[level], MINE_MATCHING_DAYS_MIN);
        rest[level - 1].n += rest[level].n;
        rest[level - 1].followed += rest[level].followed;
    }
    return is;
}

bool gates_hold(const struct gates *gates, const struct gate_choice *choice,
                const struct gate_case *at)
{
    for (size_t i = 0; i < choice->count; i++)
        if (!holds(gates, &choice->gates[i], at))
            return false;
    return true;
}

void gates_write(const struct gate_choice *choice, struct rule *rule)
{
    for (size_t i = 0; i < choice->count; i++) {
        const struct gate *gate = &choice->gates[i];
        if (gate->kind == GATE_DAYS)
            rule->weekdays &= gate->weekdays;
        else if (gate->kind == GATE_REST)
            rule->trigger.quiet_s = gates_rest_s[gate->rest];
        else
            rule->conditions[rule->condition_count++] = gate->condition;
    }
}
