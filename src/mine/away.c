#include "mine/away.h"

#include <stdlib.h>

#include "core/xalloc.h"
#include "stats/stats.h"

bool *away_find_days(const struct actors *actors, const struct days *days)
{
    bool *away = xcalloc((size_t)days->count, sizeof *away);
    int *acts = xcalloc((size_t)days->count, sizeof *acts);
    int *complete = xcalloc((size_t)days->count, sizeof *complete);
    for (size_t i = 0; i < actors->count; i++)
        for (int verb = 0; verb < RULE_VERB_COUNT; verb++) {
            const struct acts *of = &actors->list[i].acts[verb];
            for (size_t k = 0; k < of->count; k++)
                acts[of->list[k].day]++;
        }
    int count = 0;
    for (int day = 0; day < days->count; day++)
        if (days_role(days, day) != DAY_INCOMPLETE)
            complete[count++] = acts[day];
    if (stats_median(complete, count) >= AWAY_USUAL_ACTS)
        for (int day = 0; day < days->count; day++)
            away[day] = days_role(days, day) != DAY_INCOMPLETE && acts[day] == 0;
    free(complete);
    free(acts);
    return away;
}
