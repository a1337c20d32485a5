/* Several rules that hang together as one: "when Ada comes home, turn on the hall lamp, then the
 * radio". Each is proven alone; training days say what hangs together, held-out days may cut it
 * off again. docs/miner.md says how. Pure and deterministic. */
#ifndef HA_AI_SUGGEST_CHAIN_H
#define HA_AI_SUGGEST_CHAIN_H

#include "mine/miner.h"
#include "suggest/backtest.h"
#include "suggest/chain_links.h"
#include "suggest/chain_replay.h"

enum { CHAIN_PARTS_MAX = 400 }; /* rules that are looked at: the first ones */

/* What became of one act, over the fires of training and held-out days. */
struct chain_act {
    size_t part;            /* whose act it is */
    bool is_of_fire;        /* it follows the fire, beside the acts before it */
    int pause_s;            /* usual one after the act before; 0 for the first */
    int done, could;        /* training: of so many first acts after which it could follow it did */
    int hits, idle, misses; /* on held-out days */
};

struct chain {
    struct chain_act acts[CHAIN_ACTS_MAX];
    size_t count;
    struct rule_step steps[RULE_STEPS_MAX]; /* count - 1 */
    struct backtest training, held_out;
    int occurrences, matching_days; /* on training days: all of it was done */
    int acts_saved;                 /* over all complete days */
    bool is_ordered;                /* the first act is hardly ever done after another one */
};

struct chains {
    struct chain *list;
    size_t count, capacity;
};

/* Finds the chains among the parts; each part is in one at most. away: days->count flags, days that
 * say nothing. fires: of the same history. The steps' targets are borrowed from the parts. Release
 * `out`. */
void chains_find(const struct mine_input *input, const bool *away, struct fires_book *fires,
                 const struct chain_part *parts, size_t count, struct chains *out);
void chains_release(struct chains *chains);

#endif
