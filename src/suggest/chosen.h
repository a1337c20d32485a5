/* What people choose when they do what a rule does: "turn on Lamp" becomes "at 40 %" where they
 * mostly choose that. Training days tell the value, held-out days may only refute it. Pure. */
#ifndef HA_AI_SUGGEST_CHOSEN_H
#define HA_AI_SUGGEST_CHOSEN_H

#include "mine/miner.h"
#include "suggest/backtest.h"

/* Fills in habit->chosen, and the values of its rule: of one that turns on, those that are stable;
 * of a setting, what was chosen at its hits. The fires are those of its replays. */
void chosen_find(const struct backtest_input *input, const struct backtest_fires *training,
                 const struct backtest_fires *held_out, struct habit *habit);

/* Some acts of an actor, by their indices. */
struct chosen_acts {
    const struct acts *acts;
    const size_t *list; /* sorted */
    size_t count;
};

/* Whether a rule that sets its targets when they are switched on says what another one does that
 * switches them on with that value: half of its acts come with the other's. */
bool chosen_is_explained(const struct rule *rule, const struct chosen_acts *by_rule,
                         const struct rule *other, const struct chosen_acts *by_other);

#endif
