/* The actions, as far as they say how long a run takes. Private to replay/. */
#ifndef HA_AI_REPLAY_STEPS_H
#define HA_AI_REPLAY_STEPS_H

#include "replay/engine.h"
#include "replay/parse.h"

enum {
    STEPS_MAX = 4096,          /* of one automation */
    STEPS_DEPTH_MAX = 32,      /* one in another */
    STEPS_OF_A_RUN_MAX = 5000, /* what would come later takes no time */
};

enum step_kind {
    STEP_DELAY,
    STEP_CALL,      /* takes no time, but more than none */
    STEP_CONDITION, /* ends its sequence when it does not hold */
    STEP_CHOOSE,    /* the first branch that holds; the last one may be without conditions */
    STEP_REPEAT,    /* `count` times its one branch */
    STEP_WHILE,
    STEP_UNTIL,
    STEP_PARALLEL,
    STEP_STOP,
};

struct branch {
    struct condition *conditions;
    size_t condition_count;
    struct step *steps;
    size_t step_count;
};

struct step {
    enum step_kind kind;
    int64_t us;    /* of a delay */
    int64_t count; /* of a repeat */
    struct branch *branches;
    size_t branch_count;
};

/* Reads a sequence of actions: those that take time, or decide about those that do. */
int steps_parse(struct parser *p, json_object *list, struct step **out, size_t *count);
void steps_free(struct step *steps, size_t count);

/* When a run that starts then ends. *is_instant: nothing in it lets anything else happen first, so
 * that it has ended even for a trigger of the same instant. */
int64_t steps_end(const struct replay *r, const struct occasion *o, int64_t start_us,
                  bool *is_instant);

#endif
