#include "mine/together.h"

#include <math.h>
#include <stdlib.h>

#include "core/xalloc.h"

/* Moved ahead, so that what was done just before an act follows it, too. */
static int64_t *list_fires(const struct coincidence_days *on, const struct acts *acts,
                           size_t *count)
{
    int64_t *fires = xcalloc(acts->count, sizeof *fires);
    *count = 0;
    for (size_t i = 0; i < acts->count; i++)
        if (days_role(on->days, acts->list[i].day) == DAY_TRAINING)
            fires[(*count)++] = acts->list[i].time_ms - TOGETHER_MS;
    return fires;
}

static struct episode *list_episodes(const struct coincidence_days *on, const struct acts *acts,
                                     size_t *count)
{
    struct episode *episodes = xcalloc(acts->count, sizeof *episodes);
    int64_t last_ms = INT64_MIN;
    *count = 0;
    for (size_t i = 0; i < acts->count; i++) {
        const struct act *act = &acts->list[i];
        if (days_role(on->days, act->day) != DAY_TRAINING)
            continue;
        if (last_ms == INT64_MIN || act->time_ms - last_ms > COINCIDENCE_REACH_MS)
            episodes[(*count)++] = (struct episode){act->time_ms, act->day};
        last_ms = act->time_ms;
    }
    return episodes;
}

double together_p_value(const struct coincidence_days *on, const struct acts *first,
                        const struct acts *second, double enough)
{
    size_t fire_count, count;
    int64_t *fires = list_fires(on, first, &fire_count);
    struct episode *episodes = list_episodes(on, second, &count);
    int64_t *lag_ms = xcalloc(count, sizeof *lag_ms);
    double p[COINCIDENCE_WINDOWS], best = 1;
    coincidence_lags(fires, fire_count, episodes, count, lag_ms);
    coincidence_of_acts(on, fires, fire_count, episodes, count, lag_ms, enough, p);
    for (int w = 0; w < COINCIDENCE_WINDOWS; w++)
        best = fmin(best, p[w]);
    free(lag_ms);
    free(episodes);
    free(fires);
    return best;
}
