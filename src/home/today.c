#include "home/today.h"

#include <math.h>
#include <stdlib.h>

#include "core/xalloc.h"
#include "home/rng.h"
#include "home/streams.h"
#include "home/sun.h"

/* Two uses of a device lie so far apart at least, in seconds. */
enum { MARGIN_S = 300 };

struct today today_of(const struct home *home, const struct tz *tz, int64_t local_day,
                      struct home_wishes *wishes)
{
    struct tz_local local;
    /* Noon exists on every day; local midnight may not. */
    tz_to_local(tz, tz_to_utc(tz, local_day, DAY_S / 2), &local);
    const struct home_span *guests = &home->guests, *holidays = &home->holidays;
    const bool guest = local_day >= guests->from_day && local_day <= guests->to_day;
    struct rng rng;
    rng_init(&rng, home->seed, STREAM_MOOD, 0, local_day);
    return (struct today){
        .home = home,
        .tz = tz,
        .local_day = local_day,
        .begin_us = tz_day_start(tz, local_day) * SECOND_US,
        .end_us = tz_day_start(tz, local_day + 1) * SECOND_US,
        .weekday = local.weekday,
        .is_holiday = local_day >= holidays->from_day && local_day <= holidays->to_day,
        .busyness = rng_lognormal(&rng, guest ? 1.8 : 1, .3),
        .wishes = wishes,
    };
}

void today_release(struct today *today)
{
    free(today->uses);
    today->uses = NULL;
}

int64_t today_us(const struct today *today, double second_of_day)
{
    const double days = floor(second_of_day / DAY_S);
    const double within = second_of_day - days * DAY_S;
    const double whole = floor(within);
    const int64_t utc_s = tz_to_utc(today->tz, today->local_day + (int64_t)days, (int)whole);
    return utc_s * SECOND_US + (int64_t)((within - whole) * 1e6);
}

struct home_use *today_add_use(struct today *today, uint32_t entity)
{
    today->uses =
        grow_array(today->uses, today->use_count, &today->use_capacity, sizeof *today->uses);
    struct home_use *use = &today->uses[today->use_count++];
    *use = (struct home_use){
        .entity = entity, .begin_habit = -1, .end_habit = -1, .level = HOME_NO_LEVEL};
    return use;
}

bool today_overlaps(const struct today *today, size_t first, const struct home_use *candidate)
{
    for (size_t i = first; i < today->use_count; i++) {
        const struct home_use *use = &today->uses[i];
        if (use->entity == candidate->entity && use != candidate &&
            candidate->begin_us < use->end_us + MARGIN_S * SECOND_US &&
            use->begin_us < candidate->end_us + MARGIN_S * SECOND_US)
            return true;
    }
    return false;
}

uint64_t home_use_id(const struct today *today, size_t index)
{
    return ((uint64_t)today->local_day << 20 | index) + 1;
}

void today_add_wish(struct today *today, const struct home_wish *wish)
{
    home_wishes_add(today->wishes, wish);
}

bool today_is_home(const struct today *today, int person, int64_t time_us)
{
    const struct presence *p = &today->people[person];
    for (int i = 0; i < p->away_count; i++)
        if (time_us >= p->away[i].from_us && time_us < p->away[i].to_us)
            return false;
    return true;
}

bool today_is_seen_home(const struct today *today, int person, int64_t time_us)
{
    const struct presence *p = &today->people[person];
    for (int i = 0; i < p->away_count; i++)
        if (time_us >= p->away[i].seen_from_us && time_us < p->away[i].seen_to_us)
            return false;
    return true;
}

bool today_is_dark(const struct today *today, int64_t time_us)
{
    const struct home_settings *s = &today->home->settings;
    return sun_is_down(s->latitude, s->longitude, (double)time_us / 1e6);
}

bool today_find_sun(const struct today *today, bool sunset, double *second)
{
    const struct home_settings *s = &today->home->settings;
    /* Far from its zone's meridian a place has the event on another civil day. */
    for (int k = -1; k <= 1; k++) {
        double utc_s;
        struct tz_local local;
        if (!sun_find_event(s->latitude, s->longitude, today->local_day + k, !sunset, &utc_s))
            continue;
        tz_to_local(today->tz, (int64_t)utc_s, &local);
        if (local.day != today->local_day)
            continue;
        *second = local.second_of_day;
        return true;
    }
    return false;
}
