/* What became of the runs of deployed automations. An outcome is a word (docs/analyze-format.md,
 * `log[].outcome`); a run has none yet while its ten minutes last. */
#ifndef HA_AI_STORE_RUN_OUTCOME_H
#define HA_AI_STORE_RUN_OUTCOME_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

enum {
    RUN_UNSETTLED_MAX = 500,            /* that are looked at at once, oldest first */
    RUN_REVIEWED_MS = 60 * 1000,        /* so near a review's fire it is that run */
    RUN_REVIEWABLE_MS = 11 * 60 * 1000, /* younger ones are still watched live */
};
#define RUN_UNKNOWN "unknown"

struct run_unsettled {
    char *automation, *context;
    int64_t at_ms; /* HA's clock */
};
/* The runs without an outcome. Freed by run_unsettled_free. */
int run_list_unsettled(struct store *store, struct run_unsettled **out, size_t *count,
                       struct error *err);
void run_unsettled_free(struct run_unsettled *list, size_t count);

/* outcome: the word. act_ms: when a person undid it, or had done it before; 0 = neither. */
int run_set_outcome(struct store *store, const char *automation_id, const char *context_id,
                    const char *outcome, int64_t act_ms, struct error *err);
/* A person did the same as the runs that were undone from since_ms on, and before at_ms. */
int run_set_redone(struct store *store, const char *automation_id, int64_t since_ms, int64_t at_ms,
                   struct error *err);
/* The runs from since_ms on are of an automation that a person has changed: watched, but not
 * counted as ours, and what goes wrong in them is not told. */
int run_set_theirs(struct store *store, const char *automation_id, int64_t since_ms,
                   struct error *err);

/* Fills in from a review of that automation what was not seen live: the outcome of a run of which
 * none is known, and for all whether it was redone and nobody was home. Adds to *filled how many
 * outcomes. Joins the caller's transaction. */
int run_merge_review(struct store *store, const char *automation_id, json_object *review,
                     int64_t now_ms, int *filled, struct error *err);

/* {"kept": 3, "undone": 1, ...}: of each outcome that there is, how many runs have it; "pending",
 * "redone", "nobody_home" likewise. NULL = none ran; the caller puts it. -1 with *err. */
int run_count_outcomes(struct store *store, const char *automation_id, json_object **out,
                       struct error *err);

#endif
