/* What became of one run of an automation of ours, from the changes of its targets that were seen
 * live. The definitions are those of a review, which finds the same from the history
 * (docs/miner.md, "Reviews"). Pure: time is an argument. Any thread. */
#ifndef HA_AI_SUGGEST_SETTLE_H
#define HA_AI_SUGGEST_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/rule.h"

enum {
    SETTLE_FIRST_MS = 3 * 1000,   /* so much later all that was before a run has been told */
    SETTLE_MARGIN_MS = 60 * 1000, /* within so much a connection that is dead is known to be */
};

enum settle_outcome {
    SETTLE_PENDING,   /* its time is not over */
    SETTLE_UNKNOWN,   /* something was not seen */
    SETTLE_KEPT,      /* it acted, and it stayed */
    SETTLE_IDLE,      /* it was so already */
    SETTLE_UNSEEN,    /* nothing is seen of it */
    SETTLE_UNDONE,    /* a person reversed it, or chose another value */
    SETTLE_PREEMPTED, /* a person had done it by hand within the hour before */
    SETTLE_OUTCOME_COUNT,
};
/* "kept", "preempted", ...; as in the log of a review of what is deployed. "pending" is no word of
 * that. */
const char *settle_outcome_name(enum settle_outcome outcome);

enum settle_state { SETTLE_ABSENT, SETTLE_OFF, SETTLE_ON, SETTLE_OTHER };
/* Of Home Assistant's word for that entity's state; NULL = it is not there. A lock that is locked
 * is on. */
enum settle_state settle_state_of(const char *entity_id, const char *state);

enum settle_by { SETTLE_BY_PERSON, SETTLE_BY_DEVICE, SETTLE_BY_AUTOMATION };

/* A target is like that from a moment on. */
struct settle_change {
    int64_t at_ms; /* UTC */
    size_t target;
    enum settle_state state;
    double value; /* of the run's attribute, as its service's field takes it; NAN = has none */
    enum settle_by by;
    bool is_first; /* the watch began here, or again: what was before was not seen. by: DEVICE when
                      it is not known who brought it into the state */
};

struct settle_run {
    int64_t at_ms; /* UTC */
    enum rule_verb verb;
    bool has_value; /* always with RULE_SET */
    struct rule_value value;
    size_t target_count; /* at most RULE_TARGETS_MAX */
};

struct settled {
    enum settle_outcome outcome;
    int64_t act_ms; /* undone: when; preempted: when it was done by hand; else 0 */
};

/* changes: in time order, of all targets; those before the run as well. */
struct settled settle_run(const struct settle_run *run, const struct settle_change *changes,
                          size_t count, int64_t now_ms);

/* Whether a change is a person's same act as the run's: of a target that was `before`. */
bool settle_is_same_act(const struct settle_run *run, const struct settle_change *before,
                        const struct settle_change *change);

#endif
