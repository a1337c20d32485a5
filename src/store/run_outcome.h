/* What became of a run of a deployed automation: by live watching, else by the review of an
 * analysis. */
#ifndef HA_AI_STORE_RUN_OUTCOME_H
#define HA_AI_STORE_RUN_OUTCOME_H

#include <json-c/json.h>
#include <stdint.h>

#include "store/store.h"

enum run_outcome {                /* the numbers stand in databases */
                   RUN_NOT_KNOWN, /* nobody watched, or not yet */
                   RUN_KEPT,      /* it acted, and nobody reversed it */
                   RUN_IDLE,      /* it was so already */
                   RUN_MISSED,    /* nothing is seen of it */
                   RUN_UNDONE,    /* a person reversed it within ten minutes */
                   RUN_PREEMPTED, /* it was so because a person had just done it */
                   RUN_OUTCOME_COUNT
};
const char *run_outcome_name(enum run_outcome outcome); /* "kept", "idle", ... "not known" */

enum { RUN_SAME_MS = 60 * 1000 }; /* a replayed fire is the run that lies so near */

/* Of one run that nothing was known of; one whose report says that it failed and that would be idle
 * was missed. */
int run_set_outcome(struct store *store, const char *automation_id, const char *context_id,
                    enum run_outcome outcome, struct error *err);

/* The same from the logs of an analysis' "reviews" (may be NULL) of deployed and edited ones, for
 * runs that nobody watched. Joins the caller's transaction. */
int run_outcomes_from_reviews(struct store *store, json_object *reviews, struct error *err);

/* How many runs there are of each; automation_id NULL = of all; since_ms: HA's clock. */
int run_count_outcomes(struct store *store, const char *automation_id, int64_t since_ms,
                       int64_t counts[RUN_OUTCOME_COUNT], struct error *err);

#endif
