/* Other forms of one habit, each with its own back-test: without a condition, by the clock instead
 * of the sun, on all days, a wider or a narrower window. What a person prefers is theirs to say.
 * Pure. */
#ifndef HA_AI_SUGGEST_VARIANTS_H
#define HA_AI_SUGGEST_VARIANTS_H

#include "suggest/judge.h"

enum {
    VARIANTS_MAX = 2,          /* besides the suggestion's own form */
    VARIANTS_STEP_S = 30 * 60, /* by which a window of time is moved at either end */
};

struct variant {
    struct rule rule;
    struct backtest training, held_out;
    double score, value; /* as in struct candidate */
};

/* The best forms of judged->list[index], which is suggested, into out; returns how many. Only those
 * that matter: they differ from it in a tenth of the fires at least, are right more often than
 * wrong, on held-out days too, and are surer than it or do more; or the days cannot tell yet
 * between clock and sun. The best first. Rules borrow what the candidates' do. */
size_t variants_find(const struct mine_input *input, const struct judged *judged, size_t index,
                     struct variant out[VARIANTS_MAX]);

#endif
