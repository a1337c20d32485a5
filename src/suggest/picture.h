/* What a person did and what the rule would have done, day by day and minute by minute: what the
 * picture of a suggestion's evidence is drawn from (docs/analyze-format.md). Pure; deterministic.
 */
#ifndef HA_AI_SUGGEST_PICTURE_H
#define HA_AI_SUGGEST_PICTURE_H

#include <json-c/json.h>

#include "mine/miner.h"
#include "suggest/judge.h"

enum {
    PICTURE_DAYS_MAX = 90,    /* the newest; fewer where the marks are more than */
    PICTURE_MARKS_MAX = 1000, /* about 7 kB */
};

/* The picture of judged->list[index], which stands; replayed beside the other rules of its action,
 * as its back-test was. Caller puts it. */
json_object *picture_write(const struct mine_input *input, const struct judged *judged,
                           size_t index);

#endif
