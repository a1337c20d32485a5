/* From each rule on, whatever hangs on it is added as long as it holds; of all such chains the
 * longest is taken, then those of the rest. */
#include "suggest/chain.h"

#include <stdlib.h>
#include <string.h>

#include "core/order.h"
#include "core/xalloc.h"
#include "mine/coincidence.h"
#include "mine/together.h"
#include "stats/stats.h"

enum {
    DELAY_MIN_S = 60, /* shorter pauses are left out: whoever waits for a lamp need not */
    PAUSES_MIN = 5,   /* fewer tell no usual one */
};
#define FOLLOWED_MIN 0.5 /* of the first act's, another act's come with so many: else no step */
#define TOGETHER_MIN 0.5 /* of the first acts, a step follows so many */
#define COVERED_MIN 0.75 /* of a rule's acts, so many are done in the chain as well */
/* Of the occasions, a step is done before the first act: else in any order. */
#define BEFORE_MAX 0.1
#define PRECISION_MIN 0.5 /* as of any rule: of what it does more is right than wrong */
#define HELD_MIN 0.95     /* at so many first acts a step's conditions hold, or it is done */
#define SHARP_P 0.01      /* pauses of a routine would lie so close together seldom */
#define REFUTED_TAIL 0.02
#define STABLE_PAUSE_MS 60000 /* half of the pauses within so much, or within the usual one */

struct work {
    const struct mine_input *input;
    const bool *away;
    struct fires_book *fires;
    const struct chain_part *parts;
    size_t count;
    uint8_t *links; /* chain_links_find */
    size_t by_acts; /* links that only the acts tell */
    bool *is_taken; /* in a chain already */
};

/* A chain in the making. */
struct making {
    const struct work *work;
    struct backtest_input replay_input;
    struct rule rule; /* of the trigger and the first act, with the steps once they are known */
    struct chain_step steps[RULE_STEPS_MAX];
    struct chain_replay training, held_out;
    struct chain chain;
};

static const struct rule *rule_of(const struct work *work, size_t part)
{
    return &work->parts[part].habit->rule;
}

static const struct actor *actor_of(const struct work *work, size_t part)
{
    return &work->input->actors->list[work->parts[part].habit->actor];
}

static const struct acts *acts_of(const struct work *work, size_t part)
{
    return &actor_of(work, part)->acts[rule_of(work, part)->verb];
}

/* How a part hangs on the acts that the chain has, and on which; on an act rather than on the fire.
 */
static enum chain_link link_to_chain(const struct making *making, size_t part, size_t *by)
{
    const struct work *work = making->work;
    enum chain_link best = CHAIN_LINK_NONE;
    *by = 0;
    for (size_t i = 0; i < making->chain.count; i++) {
        enum chain_link link =
            (enum chain_link)work->links[making->chain.acts[i].part * work->count + part];
        if (link == CHAIN_LINK_OF_FIRE && i > 0)
            link = CHAIN_LINK_NONE; /* the chain's trigger is the first one's */
        if (link == CHAIN_LINK_NONE || (link != CHAIN_LINK_OF_ACT && best != CHAIN_LINK_NONE))
            continue;
        best = link;
        *by = i;
    }
    return best;
}

/* ---- pauses -------------------------------------------------------------------------------- */

/* From one act of the chain to another, wherever both were done on training days, sorted. */
static int64_t *list_pauses(const struct chain_replay *replay, size_t from, size_t to,
                            size_t *count)
{
    int64_t *pauses = xcalloc(replay->fires.count, sizeof *pauses);
    *count = 0;
    for (size_t f = 0; f < replay->fires.count; f++) {
        const struct chain_outcome *a = chain_replay_at(replay, f, from);
        const struct chain_outcome *b = chain_replay_at(replay, f, to);
        if (a->outcome == BACKTEST_HIT && b->outcome == BACKTEST_HIT)
            pauses[(*count)++] = b->time_ms - a->time_ms;
    }
    if (*count > 0)
        qsort(pauses, *count, sizeof *pauses, order_int64);
    return pauses;
}

/* The usual pause from one act to another. */
struct pause {
    int64_t usual_ms;
    bool is_known, is_stable;
    double sharp_p; /* of two things of one routine that come together as the replay asks */
};

static struct pause measure_pause(const struct chain_replay *replay, size_t from, size_t to)
{
    struct pause out = {.is_known = false};
    size_t count;
    int64_t *pauses = list_pauses(replay, from, to, &count);
    if (count >= PAUSES_MIN) {
        int64_t half = pauses[count - 1 - count / 4] - pauses[count / 4];
        out.is_known = true;
        out.usual_ms = pauses[count / 2];
        out.is_stable = half <= STABLE_PAUSE_MS || half <= out.usual_ms;
        out.sharp_p = coincidence_sharp_p(pauses, count, TOGETHER_MS + BACKTEST_STATE_MS);
    }
    free(pauses);
    return out;
}

/* Whether that is a pause as it is between two acts that hang together so. Things of one routine
 * whose hour varies come together as well, each by its own minutes: what begins at some time must
 * lie closer together; what no trigger tells as well, and there all that is tried is paid for. */
static bool is_usual(const struct making *making, const struct pause *pause, enum chain_link link)
{
    bool of_state = making->rule.trigger.kind == RULE_TRIGGER_STATE;
    if (!pause->is_known)
        return false;
    switch (link) {
    case CHAIN_LINK_OF_FIRE:
        return true;
    case CHAIN_LINK_OF_ACT:
        return of_state ? pause->is_stable : pause->sharp_p <= SHARP_P;
    default:
        return pause->sharp_p * (double)making->work->by_acts <= CHAIN_LINK_P;
    }
}

/* Whether an act is hardly ever done before the first one. */
static bool comes_after_first(const struct chain_replay *replay, size_t act)
{
    size_t count, before = 0;
    int64_t *pauses = list_pauses(replay, 0, act, &count);
    while (before < count && pauses[before] < 0)
        before++;
    free(pauses);
    return (double)before <= BEFORE_MAX * (double)count;
}

/* ---- a step -------------------------------------------------------------------------------- */

/* First acts after which a step could follow, and did; and the days with either. */
struct tally {
    int could, done, could_days, done_days;
};

static struct tally tally_step(const struct chain_replay *replay, size_t act)
{
    struct tally out = {0};
    int could_day = -1, done_day = -1;
    for (size_t f = 0; f < replay->fires.count; f++) {
        const struct chain_outcome *first = chain_replay_at(replay, f, 0);
        const struct chain_outcome *step = chain_replay_at(replay, f, act);
        int day = replay->fires.list[f].day;
        bool could = first->outcome == BACKTEST_HIT && replay->first_supports[f] &&
                     step->outcome != BACKTEST_IDLE;
        bool done = could && step->outcome == BACKTEST_HIT;
        out.could += could;
        out.done += done;
        out.could_days += could && could_day != day;
        out.done_days += done && done_day != day;
        could_day = could ? day : could_day;
        done_day = done ? day : done_day;
    }
    return out;
}

static bool is_refuted(int done, int of, int done_before, int of_before)
{
    return stats_beta_binomial_lower(done, of, done_before + 1.0, of_before - done_before + 2.0) <
           REFUTED_TAIL;
}

/* Whether a time's rule is meant by an act: no fire of a state is, unless it is a hit. */
static bool is_near_fire(const struct chain_replay *replay, int64_t time_ms)
{
    if (replay->rule->trigger.kind == RULE_TRIGGER_STATE)
        return false;
    for (size_t f = 0; f < replay->fires.count; f++)
        if (llabs(replay->fires.list[f].time_ms - time_ms) <= BACKTEST_RECALL_MS)
            return true;
    return false;
}

/* Whether most of what the part's own rule would have done is done in the chain. */
static bool is_covered(const struct making *making, const struct chain_part *part, size_t act)
{
    const struct chain_replay *replay = &making->training;
    const struct act *list = acts_of(making->work, (size_t)(part - making->work->parts))->list;
    size_t covered = 0;
    for (size_t i = 0; i < part->act_count; i++)
        covered += is_near_fire(replay, list[part->acts[i]].time_ms);
    for (size_t f = 0; f < replay->fires.count; f++) {
        const struct chain_outcome *step = chain_replay_at(replay, f, act);
        covered += step->outcome == BACKTEST_HIT && part->act_count > 0 &&
                   !is_near_fire(replay, step->time_ms) &&
                   bsearch(&step->act, part->acts, part->act_count, sizeof *part->acts,
                           order_size) != NULL;
    }
    return (double)covered >= COVERED_MIN * (double)part->act_count;
}

/* When the part's own rule would have fired, had the chain done what comes before it. */
static int64_t own_fire(const struct chain_replay *replay, size_t fire, size_t act,
                        enum chain_link link)
{
    if (link != CHAIN_LINK_OF_ACT)
        return replay->fires.list[fire].time_ms;
    while (act > 1 && chain_replay_at(replay, fire, act - 1)->outcome != BACKTEST_HIT)
        act--;
    return chain_replay_at(replay, fire, act - 1)->time_ms;
}

/* Whether the part's own conditions hold whenever the first act is done, or it follows all the
 * same, so that they say nothing: of what follows an act in the evening, those that keep it from
 * following at noon. */
static bool may_always_act(const struct making *making, size_t part, size_t act,
                           enum chain_link link)
{
    const struct mine_input *input = making->work->input;
    const struct chain_replay *replay = &making->training;
    size_t first = 0, held = 0;
    for (size_t f = 0; f < replay->fires.count; f++) {
        if (chain_replay_at(replay, f, 0)->outcome != BACKTEST_HIT)
            continue;
        first++;
        held += chain_replay_at(replay, f, act)->outcome == BACKTEST_HIT ||
                conditions_hold(input->history, input->daylight, rule_of(making->work, part),
                                own_fire(replay, f, act, link));
    }
    return (double)held >= HELD_MIN * (double)first;
}

/* Whether the step, which is the replay's last act, is done with the first one, on most occasions,
 * after a pause that is usual, and so on the held-out days. */
static bool holds(struct making *making, enum chain_link link, size_t by, struct chain_act *out)
{
    size_t act = making->training.count - 1;
    struct tally seen = tally_step(&making->training, act);
    struct tally tested = tally_step(&making->held_out, act);
    struct pause pause = measure_pause(&making->training, act - 1, act);
    struct pause way = measure_pause(&making->training, by, act);
    out->done = seen.done;
    out->could = seen.could;
    out->pause_s = pause.is_stable ? (int)((pause.usual_ms + 500) / 1000) : 0;
    if (seen.done < TOGETHER_MIN * seen.could || seen.done_days < MINE_MATCHING_DAYS_MIN ||
        !is_usual(making, &way, link) ||
        !is_covered(making, &making->work->parts[out->part], act) ||
        !may_always_act(making, out->part, act, link))
        return false;
    return (tested.could == 0 || tested.done > 0) &&
           !is_refuted(tested.done_days, tested.could_days, seen.done_days, seen.could_days);
}

static void write_step(const struct work *work, const struct chain_act *act, struct rule_step *out)
{
    *out = rule_first_step(rule_of(work, act->part));
    if (act->pause_s >= DELAY_MIN_S)
        out->delay_s = (act->pause_s + 30) / 60 * 60;
}

static size_t count_targets(const struct making *making)
{
    size_t targets = 0;
    for (size_t i = 0; i < making->chain.count; i++)
        targets += rule_of(making->work, making->chain.acts[i].part)->entity_count;
    return targets;
}

static bool may_join(const struct making *making, size_t part)
{
    const struct work *work = making->work;
    const struct rule *rule = rule_of(work, part);
    const struct rule *first = rule_of(work, making->chain.acts[0].part);
    if (making->chain.count == CHAIN_ACTS_MAX || work->is_taken[part] ||
        (first->weekdays & ~rule->weekdays) != 0 || chain_is_trigger(rule, &first->trigger) ||
        count_targets(making) + rule->entity_count > RULE_TARGETS_MAX)
        return false;
    for (size_t i = 0; i < making->chain.count; i++)
        if (chain_shares_target(rule, rule_of(work, making->chain.acts[i].part)))
            return false;
    return true;
}

static void begin(struct making *making)
{
    chain_replay_init(&making->training, &making->replay_input, &making->rule, DAY_TRAINING);
    chain_replay_init(&making->held_out, &making->replay_input, &making->rule, DAY_HELD_OUT);
}

static void end(struct making *making)
{
    chain_replay_release(&making->training);
    chain_replay_release(&making->held_out);
}

static void push(struct making *making, const struct chain_step *step)
{
    chain_replay_push(&making->training, step);
    chain_replay_push(&making->held_out, step);
}

static void pop(struct making *making)
{
    chain_replay_pop(&making->training);
    chain_replay_pop(&making->held_out);
}

static void try_step(struct making *making, size_t part)
{
    const struct work *work = making->work;
    struct chain *chain = &making->chain;
    size_t by;
    enum chain_link link = link_to_chain(making, part, &by);
    if (link == CHAIN_LINK_NONE || !may_join(making, part))
        return;
    const struct chain_step step = {actor_of(work, part), rule_of(work, part)->verb,
                                    link == CHAIN_LINK_OF_FIRE};
    struct chain_act act = {.part = part, .is_of_fire = step.is_of_fire};
    push(making, &step);
    if (!holds(making, link, by, &act)) {
        pop(making);
        return;
    }
    chain->is_ordered =
        chain->is_ordered && comes_after_first(&making->training, making->training.count - 1);
    write_step(work, &act, &chain->steps[chain->count - 1]);
    making->steps[chain->count - 1] = step;
    chain->acts[chain->count++] = act;
}

/* ---- the whole ----------------------------------------------------------------------------- */

/* On training days all of it was done so often, and on so many days. */
static void count_hits(struct making *making)
{
    struct chain *chain = &making->chain;
    int hit_day = -1;
    chain->occurrences = chain->matching_days = 0;
    for (size_t f = 0; f < making->training.fires.count; f++) {
        const struct backtest_fire *fire = &making->training.fires.list[f];
        if (making->work->away[fire->day] || !fire->is_support)
            continue;
        chain->occurrences++;
        chain->matching_days += hit_day != fire->day;
        hit_day = fire->day;
    }
}

static void judge_role(struct making *making, struct chain_replay *replay, enum day_role role,
                       struct backtest *out)
{
    chain_replay_judge(replay);
    backtest_count(&replay->fires, &replay->rule, 1, making->work->input->days, role, out);
}

/* Replays the chain as it is, for pauses take time, in which nothing fires anew. */
static void replay_whole(struct making *making)
{
    struct chain *chain = &making->chain;
    end(making);
    making->rule.steps = chain->steps;
    making->rule.step_count = chain->count - 1;
    begin(making);
    for (size_t i = 0; i + 1 < chain->count; i++)
        push(making, &making->steps[i]);
}

/* Counts what became of each act; whether more of all that the chain does is wanted than not. */
static bool count_acts(struct making *making)
{
    struct chain *chain = &making->chain;
    const struct chain_replay *replays[] = {&making->training, &making->held_out};
    int wrong = 0;
    chain->acts_saved = 0;
    for (size_t i = 0; i < chain->count; i++) {
        struct chain_act *act = &chain->acts[i];
        act->hits = act->idle = act->misses = 0;
        for (size_t r = 0; r < 2; r++)
            for (size_t f = 0; f < replays[r]->fires.count; f++) {
                enum backtest_outcome outcome = chain_replay_at(replays[r], f, i)->outcome;
                chain->acts_saved += outcome == BACKTEST_HIT;
                wrong += outcome == BACKTEST_MISS;
                act->hits += r == 1 && outcome == BACKTEST_HIT;
                act->idle += r == 1 && outcome == BACKTEST_IDLE;
                act->misses += r == 1 && outcome == BACKTEST_MISS;
            }
    }
    return chain->acts_saved >= PRECISION_MIN * (chain->acts_saved + wrong);
}

/* Whether the whole is of use, and so on the held-out days. */
static bool whole_holds(struct making *making)
{
    struct chain *chain = &making->chain;
    replay_whole(making);
    judge_role(making, &making->training, DAY_TRAINING, &chain->training);
    judge_role(making, &making->held_out, DAY_HELD_OUT, &chain->held_out);
    count_hits(making);
    return count_acts(making) && chain->matching_days >= MINE_MATCHING_DAYS_MIN &&
           chain->held_out.right > 0;
}

/* ---- from one rule on ---------------------------------------------------------------------- */

/* A part that hangs on the first one, perhaps by others. */
struct reached {
    size_t part;
    int64_t after_ms; /* usually, after the first act */
};

static int compare_reached(const void *left, const void *right)
{
    const struct reached *a = left, *b = right;
    if (a->after_ms != b->after_ms)
        return a->after_ms < b->after_ms ? -1 : 1;
    return (a->part > b->part) - (a->part < b->part);
}

/* How long after the first one's acts another part's usually come; false when they seldom do. */
static bool measure_way(const struct work *work, size_t first, size_t part, int64_t *after_ms)
{
    const struct chain_part *a = &work->parts[first], *b = &work->parts[part];
    const struct act *x = acts_of(work, first)->list, *y = acts_of(work, part)->list;
    int64_t *ways = xcalloc(a->act_count, sizeof *ways);
    size_t k = 0, count = 0;
    for (size_t i = 0; i < a->act_count; i++) {
        int64_t at = x[a->acts[i]].time_ms;
        while (k < b->act_count && y[b->acts[k]].time_ms < at - TOGETHER_MS)
            k++;
        if (k < b->act_count &&
            y[b->acts[k]].time_ms <= at + (int64_t)RULE_STEPS_MAX * BACKTEST_STATE_MS)
            ways[count++] = y[b->acts[k]].time_ms - at;
    }
    bool often = count > 0 && (double)count >= FOLLOWED_MIN * (double)a->act_count;
    if (count > 0)
        qsort(ways, count, sizeof *ways, order_int64);
    *after_ms = often ? ways[count / 2] : 0;
    free(ways);
    return often;
}

/* Whatever hangs on the first part, in the order in which it happens. */
static struct reached *reach(const struct work *work, size_t first, size_t *count)
{
    struct reached *list = xcalloc(work->count, sizeof *list);
    bool *is_reached = xcalloc(work->count, sizeof *is_reached);
    list[0] = (struct reached){.part = first};
    is_reached[first] = true;
    *count = 1;
    for (size_t i = 0; i < *count; i++)
        for (size_t part = 0; part < work->count; part++) {
            struct reached next = {.part = part};
            if (is_reached[part] || work->is_taken[part] ||
                work->links[list[i].part * work->count + part] == CHAIN_LINK_NONE ||
                !measure_way(work, first, part, &next.after_ms))
                continue;
            is_reached[part] = true;
            list[(*count)++] = next;
        }
    qsort(list + 1, *count - 1, sizeof *list, compare_reached);
    free(is_reached);
    return list;
}

/* The chain that begins with that part; count < 2 when there is none. */
static void make_chain(const struct work *work, size_t first, struct chain *out)
{
    struct making making = {.work = work};
    size_t count;
    struct reached *list = reach(work, first, &count);
    making.chain = (struct chain){.acts = {{.part = first}}, .count = 1, .is_ordered = true};
    if (count > 1) {
        making.rule = *rule_of(work, first);
        making.replay_input = (struct backtest_input){work->input->history, work->input->days,
                                                      actor_of(work, first), work->fires};
        begin(&making);
        for (size_t i = 1; i < count; i++)
            try_step(&making, list[i].part);
        while (making.chain.count > 1 && !whole_holds(&making))
            making.chain.count--;
        end(&making);
    }
    free(list);
    *out = making.chain;
}

/* ---- all of them --------------------------------------------------------------------------- */

/* The name of the first act: what a chain of the same acts is known by must not hang on chance. */
static int compare_first(const struct work *work, const struct chain *a, const struct chain *b)
{
    const struct rule *x = rule_of(work, a->acts[0].part), *y = rule_of(work, b->acts[0].part);
    int order = strcmp(x->entity_ids[0], y->entity_ids[0]);
    return order != 0 ? order : (int)x->verb - (int)y->verb;
}

static bool have_same_acts(const struct chain *a, const struct chain *b)
{
    size_t common = 0;
    for (size_t i = 0; i < a->count; i++)
        for (size_t k = 0; k < b->count; k++)
            common += a->acts[i].part == b->acts[k].part;
    return common == a->count && a->count == b->count;
}

static bool is_better(const struct work *work, const struct chain *a, const struct chain *b)
{
    if (a->count != b->count)
        return a->count > b->count;
    if (!have_same_acts(a, b) && a->acts_saved != b->acts_saved)
        return a->acts_saved > b->acts_saved;
    if (a->is_ordered != b->is_ordered)
        return a->is_ordered;
    return compare_first(work, a, b) < 0;
}

static bool has_taken(const struct work *work, const struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        if (work->is_taken[chain->acts[i].part])
            return true;
    return false;
}

static void take_chains(struct work *work, struct chains *out)
{
    struct chain *by_first = xcalloc(work->count, sizeof *by_first);
    for (size_t i = 0; i < work->count; i++)
        make_chain(work, i, &by_first[i]);
    for (;;) {
        const struct chain *best = NULL;
        for (size_t i = 0; i < work->count; i++) {
            if (by_first[i].count > 1 && has_taken(work, &by_first[i])) {
                if (work->is_taken[i])
                    by_first[i].count = 0;
                else
                    make_chain(work, i, &by_first[i]);
            }
            if (by_first[i].count > 1 && (best == NULL || is_better(work, &by_first[i], best)))
                best = &by_first[i];
        }
        if (best == NULL)
            break;
        out->list = grow_array(out->list, out->count, &out->capacity, sizeof *out->list);
        out->list[out->count++] = *best;
        for (size_t i = 0; i < best->count; i++)
            work->is_taken[best->acts[i].part] = true;
    }
    free(by_first);
}

void chains_find(const struct mine_input *input, const bool *away, struct fires_book *fires,
                 const struct chain_part *parts, size_t count, struct chains *out)
{
    *out = (struct chains){.list = NULL};
    count = count < CHAIN_PARTS_MAX ? count : CHAIN_PARTS_MAX;
    if (count < 2)
        return;
    struct work work = {.input = input,
                        .away = away,
                        .fires = fires,
                        .parts = parts,
                        .count = count,
                        .links = xcalloc(count * count, sizeof *work.links),
                        .is_taken = xcalloc(count, sizeof *work.is_taken)};
    chain_links_find(input, parts, count, work.links);
    for (size_t i = 0; i < count * count; i++)
        work.by_acts += work.links[i] == CHAIN_LINK_BY_ACTS;
    take_chains(&work, out);
    free(work.links);
    free(work.is_taken);
}

void chains_release(struct chains *chains)
{
    free(chains->list);
    *chains = (struct chains){.list = NULL};
}
