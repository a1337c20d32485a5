/* Runs that went wrong and were not told yet: a report of a failure, or none within 60 s. */
#ifndef HA_AI_STORE_RUN_PROBLEM_H
#define HA_AI_STORE_RUN_PROBLEM_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

enum { RUN_REASON_MAX = 400 }; /* bytes of a report's own reason; the rest is cut */

struct run_problem {
    char *automation, *context; /* "missed-..." when HA told only its time */
    char *reason;               /* the report's own, NULL */
    int64_t at_ms;              /* HA's clock */
    bool failed;                /* else nothing was reported */
};
void run_problem_release(struct run_problem *problem);

/* The oldest: 1 = filled (release it), 0 = none, -1. now_ms: HA's clock. */
int run_next_problem(struct store *store, int64_t now_ms, struct run_problem *out,
                     struct error *err);
int run_set_told(struct store *store, const char *automation_id, const char *context_id,
                 struct error *err);
int run_set_reason(struct store *store, const char *automation_id, const char *context_id,
                   const char *reason, struct error *err);

#endif
