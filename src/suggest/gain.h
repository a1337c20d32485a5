/* How well a rule explains what people did. Pure; any thread. */
#ifndef HA_AI_SUGGEST_GAIN_H
#define HA_AI_SUGGEST_GAIN_H

#include "mine/acts.h"
#include "model/rule.h"
#include "suggest/backtest.h"

/* By how much better the rule explains its supporting acts than the even use of the device does,
 * ln, less what the rule pays for its choice; 0 when no act supports it. fires: of a replay of this
 * rule alone on the training days, of which there are so many; acts: what that replay was held
 * against.
 */
double gain_of_rule(const struct rule *rule, const struct backtest_fires *fires,
                    const struct acts *acts, int training_days);

#endif
