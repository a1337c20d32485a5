#include "mine/dial.h"

#include <stdlib.h>
#include <string.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "stats/stats.h"
#include "stats/sun.h"

enum { NO_DAY = -1000 }; /* a day that no history has */
static const int64_t second_ms = 1000;

static void dial_find_sun(struct dial *dial, const struct history *h)
{
    const struct sun_place place = {h->latitude, h->longitude, h->elevation_m};
    struct days *days = &dial->days;
    for (int i = 0; i < days->count; i++) {
        int64_t event_ms;
        if (sun_fire_on_day(&place, h->tz, dial->kind == DIAL_SUNSET, 0, days->first + i,
                            &event_ms))
            dial->start_ms[i] = event_ms - DIAL_EVENT_S * second_ms;
        else
            days_forget(days, i);
    }
}

void dial_init(struct dial *dial, enum dial_kind kind, const struct history *h,
               const struct days *days)
{
    *dial = (struct dial){.kind = kind, .days = *days};
    size_t count = (size_t)days->count;
    dial->days.role = xcalloc(count, sizeof *days->role);
    if (count > 0)
        memcpy(dial->days.role, days->role, count * sizeof *days->role);
    dial->start_ms = xcalloc(count, sizeof *dial->start_ms);
    if (kind != DIAL_CLOCK) {
        dial_find_sun(dial, h);
        return;
    }
    for (int i = 0; i < days->count; i++)
        dial->start_ms[i] = tz_day_start(days->tz, days->first + i) * second_ms;
}

void dial_release(struct dial *dial)
{
    days_release(&dial->days);
    free(dial->start_ms);
    *dial = (struct dial){.start_ms = NULL};
}

/* Goes to the neighbouring day when the act lies on its circle. The sun's circles are a few minutes
 * longer or shorter than a day: what falls between two is half a day away from both events. */
static void place_by_sun(const struct dial *dial, struct act *act)
{
    const struct days *days = &dial->days;
    int day = act->day;
    for (int step = 0; step < 2; step++) {
        if (day < 0 || day >= days->count || dial->start_ms[day] == 0)
            break;
        int64_t second = (act->time_ms - dial->start_ms[day]) / second_ms;
        if (second >= 0 && second < STATS_DAY_S) {
            act->day = day;
            act->second = (int)second;
            return;
        }
        day += second < 0 ? -1 : 1;
    }
    act->day = NO_DAY;
    act->second = 0;
}

void dial_place_acts(const struct dial *dial, const struct acts *acts, struct acts *out)
{
    *out = (struct acts){.count = acts->count, .capacity = acts->count};
    out->list = xcalloc(acts->count, sizeof *out->list);
    for (size_t i = 0; i < acts->count; i++) {
        out->list[i] = acts->list[i];
        if (dial->kind != DIAL_CLOCK)
            place_by_sun(dial, &out->list[i]);
    }
}

void dial_range(const struct dial *dial, int *from, int *to)
{
    bool is_clock = dial->kind == DIAL_CLOCK;
    *from = is_clock ? 0 : DIAL_EVENT_S - DIAL_OFFSET_MAX_S;
    *to = is_clock ? STATS_DAY_S : DIAL_EVENT_S + DIAL_OFFSET_MAX_S + 1;
}

struct rule_trigger dial_trigger(const struct dial *dial, int second)
{
    if (dial->kind == DIAL_CLOCK)
        return (struct rule_trigger){.kind = RULE_TRIGGER_TIME, .second = second};
    return (struct rule_trigger){.kind = RULE_TRIGGER_SUN,
                                 .second = second - DIAL_EVENT_S,
                                 .event = dial->kind == DIAL_SUNRISE ? RULE_SUNRISE : RULE_SUNSET};
}

enum dial_kind dial_of_trigger(const struct rule_trigger *trigger, int *second)
{
    *second = trigger->second + (trigger->kind == RULE_TRIGGER_SUN ? DIAL_EVENT_S : 0);
    if (trigger->kind == RULE_TRIGGER_TIME)
        return DIAL_CLOCK;
    if (trigger->kind == RULE_TRIGGER_SUN)
        return trigger->event == RULE_SUNRISE ? DIAL_SUNRISE : DIAL_SUNSET;
    return DIAL_COUNT;
}

int64_t dial_fire_ms(const struct dial *dial, int day, int second)
{
    if (dial->kind == DIAL_CLOCK)
        return tz_to_utc(dial->days.tz, dial->days.first + day, second) * second_ms;
    return dial->start_ms[day] + second * second_ms;
}

static void dial_local(const struct dial *dial, int day, int second, struct tz_local *local)
{
    tz_to_local(dial->days.tz, dial->start_ms[day] / second_ms + second, local);
}

int dial_local_second(const struct dial *dial, int day, int second)
{
    if (dial->kind == DIAL_CLOCK)
        return second;
    struct tz_local local;
    dial_local(dial, day, second, &local);
    return local.second_of_day;
}

bool dial_stays_on_day(const struct dial *dial, int second, unsigned weekdays)
{
    for (int day = 0; dial->kind != DIAL_CLOCK && day < dial->days.count; day++) {
        struct tz_local local;
        if (!days_match(&dial->days, day, DAY_TRAINING, weekdays))
            continue;
        dial_local(dial, day, second, &local);
        if (local.day != dial->days.first + day)
            return false;
    }
    return true;
}
