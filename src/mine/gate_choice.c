/* Which conditions a rule has, if any. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "mine/gate_lights.h"
#include "mine/gate_weights.h"
#include "mine/gate_windows.h"
#include "mine/gates.h"
#include "mine/miner.h"

enum {
    WITHIN_DAY_MIN = 5, /* days with both sides: then it is no matter of when the habit lived */
    ROUTINE_MS = 30 * 60 * 1000, /* what people do in one go, and how far an act is from its time */
};
#define ENDS_MAX 0.5 /* of the days with acts while a mode holds, it may end so soon on so many */
#define TIE 1.0      /* ln of odds: so near, the simpler one stays */

const double gates_odds[GATE_KIND_COUNT] = {
    [GATE_SUN] = 0.2 * GATES_ODDS,      [GATE_DAYS] = 0.15 * GATES_ODDS,
    [GATE_PRESENCE] = 0.2 * GATES_ODDS, [GATE_MODE] = 0.1 * GATES_ODDS,
    [GATE_HELPER] = 0.05 * GATES_ODDS,  [GATE_REST] = 0.1 * GATES_ODDS,
    [GATE_LIGHT] = 0.1 * GATES_ODDS,    [GATE_WINDOW] = 0.1 * GATES_ODDS,
};

/* The best predicate of a kind. */
struct best {
    struct gate gate;
    double odds; /* ln, prior and all; -INFINITY = none */
    int both;
};

struct chooser {
    struct gate_view view;
    const struct gate_choice *chosen; /* so far */
    size_t lights[GATES_LIGHTS_MAX];
    size_t light_count;
    struct best best[GATE_KIND_COUNT];
};

static double share_of(const struct chooser *c, const struct gate *gate)
{
    const size_t looked_at[GATE_KIND_COUNT] = {[GATE_REST] = GATES_REST_COUNT,
                                               [GATE_LIGHT] = c->light_count * GATE_LIMITS * 2,
                                               [GATE_WINDOW] = GATE_WINDOWS};
    size_t count =
        gate->kind <= GATE_HELPER ? c->view.gates->of_kind[gate->kind] : looked_at[gate->kind];
    return c->view.question->odds[gate->kind] / (double)(count > 0 ? count : 1);
}

/* Two of a kind say no more than one, but of people and modes. */
static bool may_join(const struct chooser *c, enum gate_kind kind)
{
    for (size_t i = 0; i < c->chosen->count; i++)
        if (c->chosen->gates[i].kind == kind && kind != GATE_PRESENCE && kind != GATE_MODE &&
            kind != GATE_HELPER)
            return false;
    return c->view.question->kinds >> kind & 1U;
}

static void keep_best(struct chooser *c, const struct gate *gate, double gain, int both)
{
    struct best *best = &c->best[gate->kind];
    double odds = gain + log(share_of(c, gate));
    if (odds > best->odds)
        *best = (struct best){*gate, odds, both};
}

static void consider(struct chooser *c, const struct gate *gate)
{
    int both;
    double gain = gate_weigh(&c->view, gate, &both);
    keep_best(c, gate, gain, both);
}

/* ---- kinds --------------------------------------------------------------------------------- */

/* A number that follows what a person does is not sure to be the new one at that moment. */
static bool follows_trigger(const struct chooser *c, const struct gate *gate)
{
    size_t trigger = c->view.question->trigger;
    return gate->kind == GATE_PRESENCE && gate->entity == SIZE_MAX && trigger != SIZE_MAX &&
           strncmp(c->view.gates->history->entities[trigger].entity_id, "person.", 7) == 0;
}

static bool is_own(const struct gate_question *q, const struct gate *gate)
{
    return gate->entity != SIZE_MAX && (gate->entity == q->trigger || gate->entity == q->target);
}

/* What on most days ends when people act is done in one routine with it: it says that they will. */
static bool ends_with_act(const struct gate_question *q, const struct gate *gate)
{
    size_t next = 0;
    double days = 0, ended_days = 0; /* each day counts once */
    if (gate->kind != GATE_MODE && gate->kind != GATE_HELPER)
        return false;
    for (size_t i = 0; i < q->count;) {
        double held = 0, ended = 0;
        for (int day = q->cases[i].day; i < q->count && q->cases[i].day == day; i++) {
            const struct gate_case *at = &q->cases[i];
            if (!at->followed || !(at->holds >> gate->bit & 1U))
                continue;
            while (next < gate->toggle_count && gate->toggle_ms[next] <= at->time_ms)
                next++;
            held++;
            ended += next < gate->toggle_count && gate->toggle_ms[next] <= at->time_ms + ROUTINE_MS;
        }
        days += held > 0;
        ended_days += held > 0 ? ended / held : 0;
    }
    return ended_days > ENDS_MAX * days;
}

static void consider_states(struct chooser *c)
{
    const struct gate_question *q = c->view.question;
    for (size_t g = 0; g < c->view.gates->count; g++) {
        const struct gate *gate = &c->view.gates->list[g];
        if (may_join(c, gate->kind) && !is_own(q, gate) && !follows_trigger(c, gate) &&
            !ends_with_act(q, gate))
            consider(c, gate);
    }
}

/* The nearest round limit that tells as well as the chosen one; that, if there is none. */
static int find_round(const double *gains, int count, int chosen)
{
    for (int away = 0; away < count; away++)
        for (int side = -1; side <= 1; side += 2) {
            int other = chosen + side * away;
            if (other >= 0 && other < count && gate_limit_is_round(other) &&
                gains[other] >= gains[chosen] - TIE)
                return other;
        }
    return chosen;
}

/* Predicates that differ by a number alone, weighed: what they tell counts together (the number is
 * integrated out), and the number is the median of its posterior. */
static void consider_family(struct chooser *c, const struct gate *list, int count,
                            const double *gains, const int *both)
{
    double weights[GATE_LIMITS], most = -INFINITY, sum = 0;
    for (int i = 0; i < count; i++)
        most = fmax(most, gains[i]);
    if (most == -INFINITY)
        return;
    for (int i = 0; i < count; i++)
        sum += weights[i] = exp(gains[i] - most);
    int chosen = gate_median(weights, count);
    if (list->kind == GATE_LIGHT)
        chosen = find_round(gains, count, chosen);
    if (gains[chosen] > -INFINITY)
        keep_best(c, &list[chosen], most + log(sum), both[chosen]);
}

static void consider_rest(struct chooser *c)
{
    struct gate list[GATES_REST_COUNT];
    double gains[GATES_REST_COUNT];
    int both[GATES_REST_COUNT], count = 0;
    if (!may_join(c, GATE_REST))
        return;
    for (int level = c->view.is_poor ? 0 : 1; level < GATES_REST_COUNT; level++) {
        list[count] = (struct gate){.kind = GATE_REST, .level = level, .entity = SIZE_MAX};
        gains[count] = gate_weigh(&c->view, &list[count], &both[count]);
        count++;
    }
    consider_family(c, list, count, gains, both);
}

/* How many of the cases are followed at each level, and whether there are any. */
struct level_counts {
    int followed[GATE_LIMITS + 1], all_followed;
    bool has_any[GATE_LIMITS + 1];
};

static struct level_counts count_levels(const struct gate_view *view)
{
    struct level_counts out = {.all_followed = 0};
    for (size_t i = 0; i < view->question->count; i++) {
        uint8_t level = view->levels[i];
        if (!view->active[i] || level == GATE_LEVEL_NONE)
            continue;
        bool followed = view->question->cases[i].followed;
        out.has_any[level] = true;
        out.followed[level] += followed;
        out.all_followed += followed;
    }
    return out;
}

/* As gate_weigh() does, but where nothing lies between two limits they tell the same, and where too
 * few are followed there is nothing to tell. */
static void weigh_limits(const struct chooser *c, const struct gate *list, double *gains, int *both)
{
    const struct level_counts counts = count_levels(&c->view);
    int below = 0;
    for (int k = 0; k < GATE_LIMITS; k++) {
        below += counts.followed[k];
        bool is_below = list->condition.kind == RULE_WHEN_BELOW;
        int followed = is_below ? below : counts.all_followed - below;
        gains[k] = -INFINITY;
        both[k] = 0;
        if (k > 0 && !counts.has_any[k]) {
            gains[k] = gains[k - 1];
            both[k] = both[k - 1];
        } else if (followed >= MINE_MATCHING_DAYS_MIN) {
            gains[k] = gate_weigh(&c->view, &list[k], &both[k]);
        }
    }
}

static void consider_limits(struct chooser *c, size_t light, enum rule_condition_kind kind)
{
    struct gate list[GATE_LIMITS];
    double gains[GATE_LIMITS];
    int both[GATE_LIMITS];
    for (int k = 0; k < GATE_LIMITS; k++)
        list[k] = (struct gate){
            .kind = GATE_LIGHT,
            .level = k,
            .entity = light,
            .condition = {.kind = kind,
                          .entity_id = c->view.gates->history->entities[light].entity_id,
                          .limit = gate_limit(k)}};
    weigh_limits(c, list, gains, both);
    consider_family(c, list, GATE_LIMITS, gains, both);
}

static void consider_light(struct chooser *c)
{
    const struct gate_question *q = c->view.question;
    if (c->light_count == 0 || !may_join(c, GATE_LIGHT))
        return;
    uint8_t *levels = xcalloc(q->count, sizeof *levels);
    c->view.levels = levels;
    for (size_t l = 0; l < c->light_count; l++) {
        gate_light_look(c->view.gates, c->lights[l], q, levels);
        consider_limits(c, c->lights[l], RULE_WHEN_BELOW);
        consider_limits(c, c->lights[l], RULE_WHEN_ABOVE);
    }
    c->view.levels = NULL;
    free(levels);
}

static void consider_window(struct chooser *c)
{
    struct gate gate = {.kind = GATE_WINDOW, .entity = SIZE_MAX};
    double log_sum;
    int both;
    if (!may_join(c, GATE_WINDOW) || !gate_window_find(&c->view, &gate.condition, &log_sum))
        return;
    double gain = gate_weigh(&c->view, &gate, &both);
    keep_best(c, &gate, gain + log_sum, both);
}

/* ---- the choice ---------------------------------------------------------------------------- */

/* From here on only what lies within the chosen conditions is looked at. */
static void begin(struct chooser *c, const struct gate_choice *chosen)
{
    const struct gate_question *q = c->view.question;
    double fires = 0, followed = 0;
    c->chosen = chosen;
    for (size_t i = 0; i < q->count; i++) {
        bool active = gates_hold(c->view.gates, chosen, &q->cases[i]);
        c->view.active[i] = active;
        fires += active ? q->cases[i].fires : 0;
        followed += active && q->cases[i].followed;
    }
    c->view.is_poor = followed < q->precision_min * fires;
    for (int kind = 0; kind < GATE_KIND_COUNT; kind++)
        c->best[kind] = (struct best){.odds = -INFINITY};
}

/* The best of each kind on top of those chosen so far. */
static void consider_all(struct chooser *c, const struct gate_choice *chosen)
{
    begin(c, chosen);
    consider_states(c);
    consider_rest(c);
    consider_light(c);
    consider_window(c);
}

/* Of those that stand, the most probable; or a simpler kind that is nearly so. */
static const struct best *find_best(const struct chooser *c)
{
    const struct best *most = &c->best[0];
    for (int kind = 1; kind < GATE_KIND_COUNT; kind++)
        if (c->best[kind].odds > most->odds)
            most = &c->best[kind];
    for (int kind = 0; kind < GATE_KIND_COUNT && most->odds > 0; kind++)
        if (c->best[kind].odds > 0 && c->best[kind].odds >= most->odds - TIE)
            return &c->best[kind];
    return NULL;
}

/* The best condition on top of those chosen so far; NULL = none. */
static const struct best *choose_one(struct chooser *c, const struct gate_choice *chosen)
{
    consider_all(c, chosen);
    const struct best *found = find_best(c);
    bool may_be_era = found != NULL && found->both < WITHIN_DAY_MIN;
    return may_be_era && found->odds < gate_era_odds(&c->view) + TIE ? NULL : found;
}

static void add_gate(struct chooser *c, const struct best *best, struct gate_choice *choice)
{
    struct gate *gate = &choice->gates[choice->count++];
    *gate = best->gate;
    gate->toggle_ms = NULL;
    gate->toggle_count = gate->toggle_capacity = 0;
    choice->gain += best->odds;
    choice->share *= share_of(c, gate);
}

/* A first condition goes that does not pay any more where the second's kind could stand alone. */
static void drop_first(struct chooser *c, struct gate_choice *choice)
{
    const struct gate_choice nothing = {.share = 1};
    enum gate_kind kind = choice->gates[1].kind;
    consider_all(c, &nothing);
    if (c->best[kind].odds < choice->gain)
        return;
    *choice = nothing;
    add_gate(c, &c->best[kind], choice);
}

void gates_choose(const struct gates *gates, const struct gate_question *question,
                  struct gate_choice *out)
{
    struct chooser c = {.view = {.gates = gates,
                                 .question = question,
                                 .active = xcalloc(question->count, sizeof *c.view.active)}};
    const struct best *best;
    *out = (struct gate_choice){.share = 1};
    c.light_count = gate_lights_find(gates, question, c.lights);
    while (out->count < GATES_CHOSEN_MAX && (best = choose_one(&c, out)) != NULL)
        add_gate(&c, best, out);
    if (out->count > 1)
        drop_first(&c, out);
    free(c.view.active);
}

bool gates_hold(const struct gates *gates, const struct gate_choice *choice,
                const struct gate_case *at)
{
    for (size_t i = 0; i < choice->count; i++)
        if (!gate_holds(gates, &choice->gates[i], at))
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
            rule->trigger.quiet_s = gates_rest_s(gate->level);
        else
            rule->conditions[rule->condition_count++] = gate->condition;
    }
}
