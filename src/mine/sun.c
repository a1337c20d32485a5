/* Habits of the sun: an act some time before or after sunrise or sunset. They are looked for as the
 * clock's are, on dials that the sun turns; where the home is not known there are none. */
#include <stdlib.h>

#include "core/xalloc.h"
#include "mine/miner.h"
#include "mine/time_scan.h"

struct sun_dials {
    struct dial sunrise, sunset;
};

void *sun_prepare(const struct mine_input *input)
{
    if (!input->history->has_location)
        return NULL;
    struct sun_dials *dials = xcalloc(1, sizeof *dials);
    dial_init(&dials->sunrise, DIAL_SUNRISE, input->history, input->days);
    dial_init(&dials->sunset, DIAL_SUNSET, input->history, input->days);
    return dials;
}

void sun_release(void *prepared)
{
    struct sun_dials *dials = prepared;
    if (dials == NULL)
        return;
    dial_release(&dials->sunrise);
    dial_release(&dials->sunset);
    free(dials);
}

void mine_sun(const struct mine_input *input, const void *prepared, size_t actor, struct mined *out)
{
    const struct sun_dials *dials = prepared;
    for (int verb = 0; dials != NULL && verb < RULE_VERB_COUNT; verb++) {
        time_scan_run(input, &dials->sunset, actor, (enum rule_verb)verb, out);
        time_scan_run(input, &dials->sunrise, actor, (enum rule_verb)verb, out);
    }
}
