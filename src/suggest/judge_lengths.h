/* The judge of rules that end what was left on (mine/left_on.c): for these a person's act near the
 * fire says nothing, the length of the whole use does. Pure and deterministic. */
#ifndef HA_AI_SUGGEST_JUDGE_LENGTHS_H
#define HA_AI_SUGGEST_JUDGE_LENGTHS_H

#include "suggest/judge.h"

/* Replays the candidate's rule alone, fills its two back-tests by the words of
 * docs/analyze-format.md, and says whether it stands. away: by day, health_find_away_days(). */
enum verdict judge_lengths(const struct mine_input *input, const bool *away, struct candidate *c);

#endif
