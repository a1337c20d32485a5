/* A condition says that the act follows at some rate where it holds, and as seldom as the device's
 * other use gives where it does not. It stands against one rate everywhere, whatever that is: each
 * by its probability with the rates integrated out (Jeffreys, Theory of Probability, 5.1). */
#include "mine/gate_weights.h"

#include <math.h>
#include <stdlib.h>

#include "core/xalloc.h"
#include "mine/miner.h"
#include "stats/stats.h"

enum {
    VISIT_MS = 30 * 60 * 1000,
    CHANGES_MIN = 2,
    ERA_STEPS_MAX = 64, /* a long history's days are looked at in so many steps */
};
/* That a habit began, ended or paused: half of it for one change, half for two. */
#define ERA_ODDS 0.05
#define USUAL_MIN 0.09
#define USUAL_MAX 0.5
#define OUTSIDE_MAX 0.33 /* of the rate where it holds */

/* What happened where the condition holds (1) and where it does not (0). */
struct split {
    double units[2], followed[2];
    int followed_days; /* where it holds */
    int both;          /* days with cases on both sides */
    int changes;       /* how often it began or ceased to hold, from case to case */
    int side;          /* of the last case: 1 + index; 0 = none yet */
};

double gate_usual(const struct gate_question *question)
{
    return fmin(fmax(question->usual, USUAL_MIN), USUAL_MAX);
}

bool gate_holds(const struct gates *gates, const struct gate *gate, const struct gate_case *at)
{
    const struct rule_condition *c = &gate->condition;
    int bin = at->bin, from = c->from_s / GATES_BIN_S, to = c->to_s / GATES_BIN_S;
    double number;
    switch (gate->kind) {
    case GATE_REST:
        return at->rest > gate->level;
    case GATE_LIGHT:
        number = history_number_at(&gates->history->entities[gate->entity], at->time_ms);
        return c->kind == RULE_WHEN_BELOW ? number < c->limit : number > c->limit;
    case GATE_WINDOW:
        return from < to ? bin >= from && bin < to : bin >= from || bin < to;
    default:
        return at->holds >> gate->bit & 1U;
    }
}

/* ---- two rates or one ---------------------------------------------------------------------- */

static double evidence(double followed, double n, double a, double b)
{
    return stats_log_beta(a + followed, b + n - followed) - stats_log_beta(a, b);
}

/* Where a condition holds, either any rate or that of a habit that is kept; so for one rate
 * everywhere, which may be that of other use as well. */
static double gain_of(const struct gate_view *view, const struct split *s)
{
    double a = gate_usual(view->question) * GATE_USUAL_WEIGHT, b = GATE_USUAL_WEIGHT - a;
    double n = s->units[0] + s->units[1], followed = s->followed[0] + s->followed[1];
    double in = fmax(evidence(s->followed[1], s->units[1], 1, 1),
                     evidence(s->followed[1], s->units[1], GATE_KEPT_FOLLOWED, GATE_KEPT_IGNORED)) -
                log(2);
    double out = evidence(s->followed[0], s->units[0], a, b);
    double one = fmax(evidence(followed, n, 1, 1),
                      fmax(evidence(followed, n, GATE_KEPT_FOLLOWED, GATE_KEPT_IGNORED),
                           evidence(followed, n, a, b)));
    return in + out - one;
}

/* ---- days ---------------------------------------------------------------------------------- */

/* A motion that nobody followed is not followed again minutes later: what comes so soon is the same
 * visit, and no witness for a longer rest, as long as the rule is of use with it. */
static bool is_same_visit(const struct gate_view *view, const struct gate *gate,
                          const struct gate_case *at)
{
    return gate->kind == GATE_REST && !view->is_poor && at->rest == 0;
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
static bool holds_at(const struct gate_view *view, const struct gate *gate, size_t i)
{
    if (gate->kind != GATE_LIGHT || view->levels == NULL)
        return gate_holds(view->gates, gate, &view->question->cases[i]);
    uint8_t level = view->levels[i];
    bool is_below = level <= gate->level;
    return level != GATE_LEVEL_NONE && is_below == (gate->condition.kind == RULE_WHEN_BELOW);
}

static struct split split_by(const struct gate_view *view, const struct gate *gate)
{
    const struct gate_question *q = view->question;
    struct split out = {.both = 0};
    for (size_t i = 0; i < q->count;) {
        struct side sides[2] = {{.n = 0}, {.n = 0}};
        int day = q->cases[i].day;
        for (; i < q->count && q->cases[i].day == day; i++) {
            if (!view->active[i] || is_same_visit(view, gate, &q->cases[i]))
                continue;
            int side = holds_at(view, gate, i);
            side_add(&sides[side], &q->cases[i]);
            out.changes += out.side == 2 - side;
            out.side = 1 + side;
        }
        split_add(&out, sides);
    }
    return out;
}

/* What changed but once may have done so by chance when the habit began or ended. Of the sun it is
 * known when it does. */
static bool is_told_by_changes(const struct gate *gate, const struct split *s)
{
    return s->changes >= (gate->kind == GATE_SUN ? 1 : CHANGES_MIN);
}

/* A habit that is only kept less often where the condition does not hold does not hang on it. */
static bool is_barred_outside(const struct split *s)
{
    return s->units[0] > 0 &&
           s->followed[0] / s->units[0] <= OUTSIDE_MAX * s->followed[1] / s->units[1];
}

double gate_weigh(const struct gate_view *view, const struct gate *gate, int *both)
{
    struct split split = split_by(view, gate);
    *both = split.both;
    if (split.followed_days < MINE_MATCHING_DAYS_MIN || !is_told_by_changes(gate, &split) ||
        !is_barred_outside(&split))
        return -INFINITY;
    return gain_of(view, &split);
}

/* ---- eras ---------------------------------------------------------------------------------- */

/* Sums over the days before each one with cases. */
struct days_sums {
    double *units, *followed;
    size_t count;
};

static void sum_days(struct days_sums *sums, const struct gate_view *view)
{
    const struct gate_question *q = view->question;
    *sums = (struct days_sums){xcalloc(q->count + 1, sizeof(double)),
                               xcalloc(q->count + 1, sizeof(double)), 0};
    for (size_t i = 0; i < q->count;) {
        double cases = 0, followed = 0;
        int day = q->cases[i].day;
        for (; i < q->count && q->cases[i].day == day; i++) {
            cases += view->active[i];
            followed += view->active[i] && q->cases[i].followed;
        }
        if (cases == 0)
            continue;
        sums->units[sums->count + 1] = sums->units[sums->count] + 1;
        sums->followed[sums->count + 1] = sums->followed[sums->count] + followed / cases;
        sums->count++;
    }
}

/* That it lived on the days from..to-1 alone, or on all others. */
static double part_odds(const struct gate_view *view, const struct days_sums *sums, size_t from,
                        size_t to)
{
    double days = (double)sums->count, all = sums->units[sums->count];
    double units = sums->units[to] - sums->units[from];
    double followed = sums->followed[to] - sums->followed[from];
    double others = sums->followed[sums->count] - followed;
    bool is_one_change = from == 0 || to == sums->count;
    const struct split inside = {.units = {all - units, units}, .followed = {others, followed}};
    const struct split outside = {.units = {units, all - units}, .followed = {followed, others}};
    return log(ERA_ODDS / 2 / (is_one_change ? 2 * days : days * days)) +
           fmax(gain_of(view, &inside), gain_of(view, &outside));
}

double gate_era_odds(const struct gate_view *view)
{
    struct days_sums sums;
    sum_days(&sums, view);
    double best = -INFINITY;
    size_t step = sums.count / ERA_STEPS_MAX + 1;
    for (size_t from = 0; from < sums.count; from += step)
        for (size_t to = from + step; to < sums.count + step; to += step) {
            size_t end = to < sums.count ? to : sums.count;
            if (end - from < sums.count)
                best = fmax(best, part_odds(view, &sums, from, end));
        }
    free(sums.units);
    free(sums.followed);
    return best;
}
