/* Rules that put out the light when a detector sees nobody any more, and leave somebody in the dark
 * who only sat still. Pure; any thread. */
#ifndef HA_AI_SUGGEST_DARK_H
#define HA_AI_SUGGEST_DARK_H

#include "suggest/backtest.h"

enum { DARK_LOOK_MS = 5 * 60 * 1000 }; /* who is seen again within this was there all along */

/* Of a rule that turns off when a binary sensor goes off. */
struct dark {
    int spells; /* fires at which a target was on */
    int seen;   /* of these, with somebody seen soon after, and it was on then still */
};

/* Adds the fires of a replay of this rule alone. Does nothing for other rules. */
void dark_count(const struct backtest_input *input, const struct rule *rule,
                const struct backtest_fires *fires, struct dark *dark);

/* Whether it would be wrong too often: in more than one of ten quiet spells, and twice at least. */
bool dark_is_left(const struct dark *dark);

#endif
