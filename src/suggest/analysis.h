/* History in, the result object of `analyze --format json` out. Pure and deterministic: the same
 * history gives the same bytes. */
#ifndef HA_AI_SUGGEST_ANALYSIS_H
#define HA_AI_SUGGEST_ANALYSIS_H

#include <json-c/json.h>
#include <stdbool.h>

#include "model/history.h"
#include "suggest/review.h"

/* percent 0-100; phase is a few words ("looking at times of day"). */
typedef void (*analysis_progress_fn)(int percent, const char *phase, void *ctx);

struct analysis_options {
    analysis_progress_fn progress; /* may be NULL */
    void *progress_ctx;
    int threads;  /* 1 to PARALLEL_THREADS_MAX; 0 = the processors. Never another result */
    bool explain; /* add "explained": what is not suggested, each with its reason and numbers */
    const struct review_list *known; /* add "reviews" of these rules; NULL = none */
    bool review_only;                /* with known: nothing is looked for, they are reviewed */
};

/* The object described in docs/analyze-format.md: {"schema", "history", "hypotheses_tested",
 * "suggestions", "learning", "dropped", "anomalies"}, with options->known "reviews" as well; of
 * review_only "schema", "history" and "reviews" alone. Caller puts it. */
json_object *analysis_run(const struct history *h, const struct analysis_options *options);

#endif
