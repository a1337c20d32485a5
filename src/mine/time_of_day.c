/* Habits of the clock: an act at about the same local time on all days, on weekdays, at weekends or
 * on one day of the week. Only training days are looked at. */
#include <stdlib.h>

#include "core/xalloc.h"
#include "mine/miner.h"
#include "mine/time_scan.h"

void *time_of_day_prepare(const struct mine_input *input)
{
    struct dial *dial = xcalloc(1, sizeof *dial);
    dial_init(dial, DIAL_CLOCK, input->history, input->days);
    return dial;
}

void time_of_day_release(void *prepared)
{
    dial_release(prepared);
    free(prepared);
}

void mine_time_of_day(const struct mine_input *input, const void *prepared, size_t actor,
                      struct mined *out)
{
    for (int verb = 0; verb < RULE_VERB_COUNT; verb++)
        time_scan_run(input, prepared, actor, (enum rule_verb)verb, out);
}
