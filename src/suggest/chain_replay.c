#include "suggest/chain_replay.h"

#include <stdlib.h>

#include "core/xalloc.h"
#include "mine/together.h"

static bool is_of_state(const struct chain_replay *replay)
{
    return replay->rule->trigger.kind == RULE_TRIGGER_STATE;
}

static struct chain_outcome *outcome_at(const struct chain_replay *replay, size_t fire, size_t act)
{
    return &replay->outcomes[fire * CHAIN_ACTS_MAX + act];
}

const struct chain_outcome *chain_replay_at(const struct chain_replay *replay, size_t fire,
                                            size_t act)
{
    return outcome_at(replay, fire, act);
}

void chain_replay_init(struct chain_replay *replay, const struct backtest_input *input,
                       const struct rule *rule, enum day_role role)
{
    *replay = (struct chain_replay){.input = input, .rule = rule, .count = 1};
    backtest_replay(input, &rule, 1, role, &replay->fires);
    size_t count = replay->fires.count;
    replay->begin_ms = xcalloc(count, sizeof *replay->begin_ms);
    replay->first_supports = xcalloc(count, sizeof *replay->first_supports);
    replay->outcomes = xcalloc(count * CHAIN_ACTS_MAX, sizeof *replay->outcomes);
    for (size_t f = 0; f < count; f++) {
        const struct backtest_fire *fire = &replay->fires.list[f];
        replay->begin_ms[f] = fire->time_ms;
        replay->first_supports[f] = fire->is_support;
        if (is_of_state(replay) && f > 0 &&
            fire->time_ms - replay->begin_ms[f - 1] < BACKTEST_STATE_MS)
            replay->begin_ms[f] = replay->begin_ms[f - 1];
        struct chain_outcome *out = outcome_at(replay, f, 0);
        *out = (struct chain_outcome){.outcome = fire->outcome, .act = fire->act};
        if (fire->outcome == BACKTEST_HIT)
            out->time_ms = input->actor->acts[rule->verb].list[fire->act].time_ms;
    }
}

void chain_replay_release(struct chain_replay *replay)
{
    backtest_fires_release(&replay->fires);
    free(replay->begin_ms);
    free(replay->first_supports);
    free(replay->outcomes);
    *replay = (struct chain_replay){.outcomes = NULL};
}

/* The last act that was done at a fire; NULL = none. */
static const struct chain_outcome *last_done(const struct chain_replay *replay, size_t fire)
{
    for (size_t act = replay->count; act-- > 0;)
        if (outcome_at(replay, fire, act)->outcome == BACKTEST_HIT)
            return outcome_at(replay, fire, act);
    return NULL;
}

/* When a step may be done, from..to, and from when on it is looked whether it need be. */
struct window {
    int64_t from_ms, to_ms, at_ms;
};

static struct window window_of(const struct chain_replay *replay, const struct chain_step *step,
                               size_t fire)
{
    const struct chain_outcome *done = step->is_of_fire ? NULL : last_done(replay, fire);
    int64_t fire_ms = replay->fires.list[fire].time_ms;
    if (done != NULL)
        return (struct window){done->time_ms - TOGETHER_MS, done->time_ms + BACKTEST_STATE_MS,
                               done->time_ms - TOGETHER_MS};
    if (is_of_state(replay))
        return (struct window){replay->begin_ms[fire], fire_ms + BACKTEST_STATE_MS, fire_ms};
    return (struct window){fire_ms - BACKTEST_HIT_MS, fire_ms + BACKTEST_HIT_MS, fire_ms};
}

/* What became of the step at one fire. */
static void take_step(struct chain_replay *replay, const struct chain_step *step, size_t fire,
                      bool *used)
{
    const struct acts *acts = &step->actor->acts[step->verb];
    struct chain_outcome *out = outcome_at(replay, fire, replay->count);
    struct window window = window_of(replay, step, fire);
    size_t a = acts_find(acts->list, acts->count, window.from_ms);
    while (a < acts->count && used[a])
        a++;
    if (a < acts->count && acts->list[a].time_ms <= window.to_ms) {
        used[a] = true;
        *out = (struct chain_outcome){BACKTEST_HIT, acts->list[a].time_ms, a};
        return;
    }
    struct backtest_input input = *replay->input;
    input.actor = step->actor;
    out->outcome =
        backtest_was_in_state(&input, step->verb, window.at_ms) ? BACKTEST_IDLE : BACKTEST_MISS;
}

void chain_replay_push(struct chain_replay *replay, const struct chain_step *step)
{
    bool *used = xcalloc(step->actor->acts[step->verb].count, sizeof *used);
    for (int round = 0; round < 2; round++)
        for (size_t f = 0; f < replay->fires.count; f++)
            if ((last_done(replay, f) != NULL) == (round == 0))
                take_step(replay, step, f, used);
    free(used);
    replay->count++;
}

void chain_replay_pop(struct chain_replay *replay)
{
    replay->count--;
}

void chain_replay_judge(struct chain_replay *replay)
{
    for (size_t f = 0; f < replay->fires.count; f++) {
        struct backtest_fire *fire = &replay->fires.list[f];
        const struct chain_outcome *first = outcome_at(replay, f, 0);
        size_t hits = 0, misses = 0;
        for (size_t act = 0; act < replay->count; act++) {
            hits += outcome_at(replay, f, act)->outcome == BACKTEST_HIT;
            misses += outcome_at(replay, f, act)->outcome == BACKTEST_MISS;
        }
        bool speaks = first->outcome != BACKTEST_HIT || replay->first_supports[f];
        fire->outcome = misses > 0 ? BACKTEST_MISS : hits > 0 ? BACKTEST_HIT : BACKTEST_IDLE;
        fire->is_support = fire->outcome == BACKTEST_HIT && speaks;
        fire->is_wanted = fire->is_wanted || fire->outcome == BACKTEST_HIT;
    }
}
