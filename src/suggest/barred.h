/* What happened where a rule's conditions did not hold: held-out days may refute them. Pure. */
#ifndef HA_AI_SUGGEST_BARRED_H
#define HA_AI_SUGGEST_BARRED_H

#include <stdbool.h>

#include "suggest/backtest.h"

/* Whether on held-out days the act came at fires that the conditions, the days or the rest bar: on
 * more days than those of the training days let expect (probability below `tail`). away:
 * days->count flags, days that say nothing. Any thread. */
bool barred_is_wanted(const struct backtest_input *input, const struct rule *rule, const bool *away,
                      double tail);

#endif
