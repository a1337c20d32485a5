/* What the parts of a review share. Private to suggest/review*.c, and settle.c, which goes by the
 * same times. */
#ifndef HA_AI_SUGGEST_REVIEW_PARTS_H
#define HA_AI_SUGGEST_REVIEW_PARTS_H

#include <stdbool.h>

#include "suggest/automation_read.h"
#include "suggest/backtest.h"
#include "suggest/drift.h"
#include "suggest/hindsight.h"
#include "suggest/review.h"

enum {
    REVIEW_UNDONE_MS = 10 * 60 * 1000,     /* who reverses it so soon did not want it */
    REVIEW_PREEMPTED_MS = 60 * 60 * 1000,  /* who did it so shortly before did it instead */
    REVIEW_OFFSET_MS = 2 * 60 * 60 * 1000, /* an act that far off still tells where a habit is */
    REVIEW_EFFECT_MS = 60 * 1000,          /* within so much an automation has acted */
    REVIEW_AT_ONCE_MS = 10 * 1000,         /* within so much it was no person */
};

enum review_outcome {
    REVIEW_HIT,       /* on trial: the person's act near it. Deployed: it acted, and it stayed */
    REVIEW_IDLE,      /* it was so already */
    REVIEW_MISS,      /* on trial: nobody wanted it. Deployed: nothing is seen of it */
    REVIEW_UNDONE,    /* a person reversed it, or chose another value */
    REVIEW_PREEMPTED, /* a person had done it by hand */
    REVIEW_OUTCOME_COUNT,
};

struct review_fire {
    int64_t time_ms; /* UTC */
    int day;         /* index into days */
    enum review_outcome outcome;
    int64_t act_ms;    /* hit on trial: the act; preempted: when; undone: when; else 0 */
    int64_t redone_ms; /* the same act, later on that day, after it was undone; else 0 */
    int64_t offset_ms; /* from the fire to the same act by hand, if has_offset */
    double value;      /* that a person chose, another one than the rule's; if has_value */
    bool has_offset, has_value, nobody_home;
};

/* How it was before the rule began to act. */
struct review_usual {
    double kept;     /* how often the act follows the rule */
    double undone;   /* how often a fire was not wanted */
    double idle;     /* how often it was so already */
    double stray;    /* how often it had been done by hand anyway, at no time in particular */
    double spread_s; /* of the acts about the rule's time */
};

/* One rule under review. */
struct review {
    const struct mine_input *input;
    const struct review_rule *known;
    const struct suns *suns;
    struct fires_book *book;
    struct automation_rule read; /* if is_read */
    bool is_read;                /* it is a rule of the grammar */
    struct hindsight_act act;    /* its targets; if has_act */
    bool has_act;
    enum rule_verb verb;
    struct actor actor;           /* if has_actor: of its targets that the history has */
    bool has_actor, is_own_actor; /* own: to be released */
    struct review_fire *fires;
    size_t count;
    struct review_usual usual;
    int days;                         /* complete ones */
    int counts[REVIEW_OUTCOME_COUNT]; /* of the fires */
    int redone, nobody_home;
    int fire_days; /* on which it fired, or would have, in all the history */
    struct drift undone, earlier, later, idle,
        value; /* each told all fires: a case is a fire's index */
};

/* --- review_evidence.c: fires and what became of them */

/* Fills in the fires, the counts and what was usual. */
void review_look(struct review *review);

struct backtest_input review_backtest_of(const struct review *review);

/* Index into days. */
int review_day_of(const struct review *review, int64_t time_ms);

bool review_is_of_state(const struct review *review);

/* The last act by hand that brought it about, at most REVIEW_OFFSET_MS before; 0 = none. */
int64_t review_find_hand_before(const struct acts *acts, int64_t time_ms);

/* --- review_usual.c */

/* Fills in what was usual. fires: all that the rule would have had in the history. */
void review_find_usual(struct review *review, struct fires fires);

/* --- review_refine.c: forms that would have done better */

struct review_proposal {
    struct rule rule;
    int days, fires, hits, misses; /* each day judged by what the others say */
    int of_days;
    int spread_s; /* of another time; else 0 */
};

/* Another condition, by the fires from index `from` on. False: none holds up. */
bool review_refine_condition(const struct review *review, size_t from, struct review_proposal *out);

/* Another value. */
bool review_refine_value(const struct review *review, size_t from, struct review_proposal *out);

/* Another time. */
bool review_retime(const struct review *review, size_t from, struct review_proposal *out);

/* --- review_drift.c: has something changed? */

/* Tells the detectors all fires of a deployed rule. */
void review_detect(struct review *review);

/* --- review_write.c */

enum review_verdict {
    REVIEW_KEEP,
    REVIEW_RETIME,
    REVIEW_REFINE,
    REVIEW_RETIRE,
    REVIEW_OFFER,
    REVIEW_WITHDRAW,
    REVIEW_VERDICT_COUNT
};

struct review_finding {
    enum review_verdict verdict;
    char *why;        /* owned */
    int64_t found_ms; /* when the evidence first was enough; 0 = it was not */
    bool has_proposal;
    struct review_proposal proposal;
};

json_object *review_write(const struct review *review, const struct review_finding *finding);

#endif
