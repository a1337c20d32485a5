/* Which of the habits found are suggested, and why the others are not: the proof's last part.
 * Training days choose, held-out days may only refute. Pure and deterministic. */
#ifndef HA_AI_SUGGEST_JUDGE_H
#define HA_AI_SUGGEST_JUDGE_H

#include "mine/miner.h"
#include "suggest/backtest.h"
#include "suggest/chain.h"

enum {
    JUDGE_YOUNG_DAYS = 7,        /* with fewer matching days what is not sure may still become so */
    JUDGE_SAME_TIME_S = 45 * 60, /* habits of one action nearer than this are the same one */
};

/* In the order in which they are looked for: the first that holds is the reason told. */
enum verdict {
    VERDICT_SUGGESTED,
    VERDICT_LEARNING,        /* too few days yet */
    VERDICT_NOT_SIGNIFICANT, /* from here on: reasons, by judge_reasons */
    VERDICT_NOT_EXPRESSIBLE,
    VERDICT_UNSAFE, /* unlocks, opens, disarms: never, whatever people do */
    VERDICT_CLOCK_OR_SUN,
    VERDICT_SENSOR_DEAD,
    VERDICT_SENSOR_FLAPPING,
    VERDICT_DARK,
    VERDICT_SELDOM,
    VERDICT_AUTOMATED,
    VERDICT_NOT_CONFIRMED,
    VERDICT_FADED,
    VERDICT_STOPPED,
    VERDICT_UNCONDITIONAL,
    VERDICT_CHANCE,
    VERDICT_MEANT,
    VERDICT_LONGER,
    VERDICT_TOO_OFTEN,
    VERDICT_EXPLAINED,
    VERDICT_DUPLICATE,
    VERDICT_CONTRADICTED,
    VERDICT_PART, /* of a chain, which stands in its place */
    VERDICT_COUNT,
};
/* "held_out_faded": the keys of "dropped". */
extern const char *const judge_reasons[VERDICT_COUNT];

struct overlap; /* suggest/overlap.h */

struct candidate {
    struct habit habit;
    size_t order; /* index into mined.habits; of a chain: beyond them */
    enum verdict verdict;
    bool is_open; /* the days cannot tell yet whether it follows the clock or the sun */
    size_t rival; /* of the last five and CLOCK_OR_SUN: `order` of what is better; SIZE_MAX */
    const struct chain *chain; /* judged.chains'; its acts' parts are `order`s. NULL = one act */
    struct backtest training, held_out;
    double score; /* probability that the next fire is a hit, of those that are not idle */
    double value; /* acts saved x score - wrong fires, over all complete days: the rank */
    const struct overlap *overlap; /* what Home Assistant's own automations do; NULL = not asked */
    int number;                    /* of the suggestions with the same targets and action, from 1 */
};

struct judged {
    struct candidate *list; /* best first */
    size_t count;
    struct fires_book *fires; /* what was replayed */
    struct chains chains;
};

/* Probability that a rule's next fire is a hit, and its rank, as in struct candidate. */
void judge_score(const struct backtest *training, const struct backtest *held_out, double *score,
                 double *value);

/* Judges all habits of mined, which is what mine_run gave for input. Release `out`. */
void judge_run(const struct mine_input *input, const struct mined *mined, struct judged *out);
void judged_release(struct judged *judged);

#endif
