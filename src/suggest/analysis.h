/* History in, the result object of `analyze --format json` out. Pure and deterministic: the same
 * history gives the same bytes. */
#ifndef HA_AI_SUGGEST_ANALYSIS_H
#define HA_AI_SUGGEST_ANALYSIS_H

#include <json-c/json.h>
#include <stdbool.h>

#include "model/history.h"
#include "suggest/existing.h"

/* percent 0-100; phase is a few words ("looking at times of day"). */
typedef void (*analysis_progress_fn)(int percent, const char *phase, void *ctx);

struct analysis_options {
    analysis_progress_fn progress; /* may be NULL */
    void *progress_ctx;
    int threads; /* 1 to PARALLEL_THREADS_MAX; 0 = the processors. Never another result */
    const struct existing_list *existing; /* the automations that there are; NULL = not known */
    bool explain; /* add "explained": what is not suggested, each with its reason and numbers */
};

/* The object described in docs/analyze-format.md: {"schema", "history", "hypotheses_tested",
 * "suggestions", "learning", "dropped", "anomalies"}. Caller puts it. */
json_object *analysis_run(const struct history *h, const struct analysis_options *options);

#endif
