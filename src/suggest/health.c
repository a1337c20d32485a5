#include "suggest/health.h"

#include <stdlib.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "stats/stats.h"

enum { HOUR_MS = 3600 * 1000, FADED_SHARE = 10 };
#define SILENCE_TAIL 0.01

/* Changes between known states, and ms without one, by complete day that is not away, in order;
 * returns how many days. */
static int count_by_day(const struct mine_input *input, const struct history_entity *entity,
                        const bool *away, int *changes, int64_t *absent_ms)
{
    const struct days *days = input->days;
    int count = 0;
    size_t i = 0;
    for (int day = 0; day < days->count; day++) {
        int64_t at = tz_day_start(days->tz, days->first + day) * 1000;
        int64_t end = tz_day_start(days->tz, days->first + day + 1) * 1000;
        int known = 0;
        int64_t absent = 0;
        for (; i < entity->changes && entity->time_ms[i] < end; i++) {
            if (entity->time_ms[i] < at)
                continue;
            if (i > 0 && acts_is_absent(entity->state[i - 1]))
                absent += entity->time_ms[i] - at;
            at = entity->time_ms[i];
            known +=
                i > 0 && !acts_is_absent(entity->state[i]) && !acts_is_absent(entity->state[i - 1]);
        }
        if (i == 0 || acts_is_absent(entity->state[i - 1]))
            absent += end - at;
        if (days_role(days, day) == DAY_INCOMPLETE || away[day])
            continue;
        changes[count] = known;
        absent_ms[count++] = absent;
    }
    return count;
}

bool health_is_dead(const struct mine_input *input, const struct history_entity *entity,
                    const bool *away)
{
    int *changes = xcalloc((size_t)input->days->count, sizeof *changes);
    int64_t *absent_ms = xcalloc((size_t)input->days->count, sizeof *absent_ms);
    int count = count_by_day(input, entity, away, changes, absent_ms);
    int silent = 0, active = 0, recent = count < HEALTH_RECENT_DAYS ? count : HEALTH_RECENT_DAYS;
    while (silent < count && changes[count - 1 - silent] == 0)
        silent++;
    int64_t absent = 0;
    for (int i = 0; i < count - silent; i++)
        active += changes[i] > 0;
    for (int i = count - recent; i < count; i++)
        absent += absent_ms[i];
    bool is_dead = 2 * absent > (int64_t)recent * 24 * HOUR_MS;
    if (silent > 0 && !rule_domain_can(entity->entity_id, RULE_TURN_OFF)) /* else nobody used it */
        is_dead =
            is_dead || stats_beta_binomial_lower(0, silent, active + 1.0,
                                                 count - silent - active + 1.0) < SILENCE_TAIL;
    int lately = stats_median(changes + count - recent, recent);
    int usual = stats_median(changes, count - recent);
    is_dead = is_dead || (usual >= HEALTH_PACE_MIN && lately * FADED_SHARE < usual);
    free(absent_ms);
    free(changes);
    return is_dead;
}

bool health_is_flapping(const struct mine_input *input, const struct history_entity *entity)
{
    const struct days *days = input->days;
    int looked = 0, chatter = 0;
    size_t i = entity->changes;
    for (int day = days->count - 1; day >= 0 && looked < HEALTH_CHATTER_LOOK_DAYS; day--) {
        if (days_role(days, day) == DAY_INCOMPLETE)
            continue;
        looked++;
        int64_t from = tz_day_start(days->tz, days->first + day) * 1000;
        int64_t to = tz_day_start(days->tz, days->first + day + 1) * 1000;
        while (i > 0 && entity->time_ms[i - 1] >= to)
            i--;
        bool found = false;
        for (; i > 0 && entity->time_ms[i - 1] >= from; i--)
            found =
                found || (i > HEALTH_CHATTER_CHANGES &&
                          entity->time_ms[i - 1] - entity->time_ms[i - 1 - HEALTH_CHATTER_CHANGES] <
                              HOUR_MS);
        chatter += found;
    }
    return chatter >= HEALTH_CHATTER_DAYS;
}
