/* The judge of rules that end what was left on (mine/left_on.c): for these a person's act near the
 * fire says nothing, the length of the whole use does. Pure and deterministic. */
#ifndef HA_AI_SUGGEST_JUDGE_LENGTHS_H
#define HA_AI_SUGGEST_JUDGE_LENGTHS_H

#include "mine/spells.h"
#include "suggest/judge.h"

/* Replays the candidate's rule alone, fills its two back-tests by the words of
 * docs/analyze-format.md, and says whether it stands. away: by day, health_find_away_days(). */
enum verdict judge_lengths(const struct mine_input *input, const bool *away, struct candidate *c);

/* A use, and when the rule would have ended it (UTC ms), with what came of that; INT64_MIN when it
 * had ended before. */
typedef void (*judge_lengths_fn)(const struct spell *use, int64_t fire_ms,
                                 enum backtest_outcome outcome, void *ctx);
/* Tells every use that there was, in time order, on whatever day. */
void judge_lengths_visit(const struct mine_input *input, const struct habit *habit,
                         judge_lengths_fn fn, void *ctx);

#endif
