/* What was found as the object of `analyze --format json` (docs/analyze-format.md). Pure: the same
 * in, the same bytes out. */
#ifndef HA_AI_SUGGEST_WRITE_H
#define HA_AI_SUGGEST_WRITE_H

#include <json-c/json.h>

#include "mine/miner.h"
#include "suggest/judge.h"

enum {
    WRITE_SUGGESTIONS_MAX = 1000, /* the best; as many as the store keeps */
    WRITE_SHOWN = 10,             /* suggestions that a person is shown at first */
    WRITE_EXPLAINED_MAX = 10000,  /* the best ones of what is not suggested */
};

/* What was read; caller's. */
json_object *write_history(const struct mine_input *input);

/* Adds "history", "hypotheses_tested", "suggestions", "learning", "dropped" and, when asked for,
 * "explained" to `out`. */
void write_result(const struct mine_input *input, const struct mined *mined,
                  const struct judged *judged, bool explain, json_object *out);

#endif
