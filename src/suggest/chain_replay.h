/* Several acts on one trigger: what of them a person did at each fire. Pure; any thread. */
#ifndef HA_AI_SUGGEST_CHAIN_REPLAY_H
#define HA_AI_SUGGEST_CHAIN_REPLAY_H

#include "suggest/backtest.h"

enum { CHAIN_ACTS_MAX = 1 + RULE_STEPS_MAX };

/* What is done after the first act. */
struct chain_step {
    const struct actor *actor;
    enum rule_verb verb;
    bool is_of_fire; /* it follows the fire, beside the acts before it; else the act before it */
};

/* One act at one fire. */
struct chain_outcome {
    enum backtest_outcome outcome; /* of this act alone */
    int64_t time_ms;               /* of a hit */
    size_t act;                    /* of a hit: index into the actor's acts of that verb */
};

struct chain_replay {
    const struct backtest_input *input; /* of the first act's actor; borrowed */
    const struct rule *rule;            /* of the trigger and the first act; borrowed */
    struct backtest_fires fires;        /* what chain_replay_judge says of the whole */
    int64_t *begin_ms; /* by fire: the first of its occasion (fires of a state that lie closer) */
    bool *first_supports;           /* by fire: the first act speaks for the rule */
    struct chain_outcome *outcomes; /* by fire and act: CHAIN_ACTS_MAX each */
    size_t count;                   /* acts */
};

/* Replays the first act, as backtest_replay does. Borrows input and rule. */
void chain_replay_init(struct chain_replay *replay, const struct backtest_input *input,
                       const struct rule *rule, enum day_role role);
void chain_replay_release(struct chain_replay *replay);

const struct chain_outcome *chain_replay_at(const struct chain_replay *replay, size_t fire,
                                            size_t act);

/* Adds a step, at most RULE_STEPS_MAX. It is a hit when a person did it up to BACKTEST_STATE_MS
 * after the last act before it that was done, or TOGETHER_MS before that; where none was, or the
 * step follows the fire itself, when it was done as near to the fire as a first act may be, but not
 * before a state's. Each act serves one fire, sooner one at which an act before it was done. */
void chain_replay_push(struct chain_replay *replay, const struct chain_step *step);
void chain_replay_pop(struct chain_replay *replay);

/* Says in fires what became of the whole: a hit when some act was done and each other one was done
 * too, or its targets were in that state already; idle when that is so of all of them; else a
 * miss. What backtest_count then counts. */
void chain_replay_judge(struct chain_replay *replay);

#endif
