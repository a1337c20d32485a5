/* Whether it was right to end a use of a device that had lasted for some time. Private to
 * suggest/hindsight*.c. */
#ifndef HA_AI_SUGGEST_HINDSIGHT_USE_H
#define HA_AI_SUGGEST_HINDSIGHT_USE_H

#include "mine/actors.h"
#include "mine/spells.h"
#include "mine/watchers.h"
#include "suggest/backtest.h"

/* Every use of one device, and who watches its room. */
struct hindsight_uses {
    struct spells spells;
    struct watchers watchers;
};

/* actor: of one entity. Release. */
void hindsight_uses_init(struct hindsight_uses *uses, const struct actor *actor,
                         const struct actor_ground *ground);
void hindsight_uses_release(struct hindsight_uses *uses);

/* A switching off at that time (UTC ms) as docs/backtest-format.md judges it. *end_ms: when the use
 * ended without it; 0 = it was off. */
enum backtest_outcome hindsight_judge_use(const struct hindsight_uses *uses, int64_t time_ms,
                                          int64_t *end_ms);

#endif
