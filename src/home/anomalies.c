#include "home/anomalies.h"

#include <string.h>

#include "home/habits.h"
#include "home/rng.h"
#include "home/streams.h"
#include "home/sun.h"

enum { TRIES = 60, DAYS_LEAST = 10, NIGHT_FROM_H = 22, NIGHT_OVER_H = 4 };

static const double chance = .3; /* of each kind, in a home */

/* What is drawn for one home. */
struct odd {
    struct home *home;
    struct rng rng;
    int64_t end_us;
};

static int64_t end_of(const struct home_settings *s)
{
    return s->end_us > 0 ? s->end_us : home_settings_us(s, s->last_day + 1, 0);
}

/* An entity that fits and that nothing else is about; -1: none. */
static int64_t draw_entity(struct odd *o, bool (*fits)(const struct home *, uint32_t))
{
    for (int i = 0; i < TRIES; i++) {
        const uint32_t e = rng_below(&o->rng, (uint32_t)o->home->entity_count);
        const struct home_entity *entity = &o->home->entities[e];
        if (fits(o->home, e) && !habits_hang_on(o->home, e) && entity->dies_on == INT64_MAX &&
            entity->flapping_share <= 0)
            return e;
    }
    return -1;
}

static bool is_door(const struct home *home, uint32_t entity)
{
    const struct home_entity *e = &home->entities[entity];
    return e->role == HOME_ROLE_DETECTOR && e->profile.bump_count > 0 && !e->is_front_door;
}

/* All the last night; perhaps it is open still. */
static bool draw_open(struct odd *o, struct home_anomaly *a)
{
    const struct home_settings *s = &o->home->settings;
    const int64_t entity = draw_entity(o, is_door);
    const double from_h = rng_between(&o->rng, NIGHT_FROM_H, 24);
    const double to_h = 24 + rng_between(&o->rng, 6.5, 9);
    if (entity < 0 || home_settings_us(s, s->last_day + 1, NIGHT_OVER_H * 3600) > o->end_us)
        return false;
    a->entity = (uint32_t)entity;
    a->from_us = home_settings_us(s, s->last_day, from_h * 3600);
    a->to_us = home_settings_us(s, s->last_day, to_h * 3600);
    return true;
}

static bool is_switched(const struct home *home, uint32_t entity)
{
    const struct home_entity *e = &home->entities[entity];
    for (size_t s = 0; s < home->scene_count; s++)
        for (int m = 0; m < home->scenes[s].member_count; m++)
            if (home->scenes[s].members[m] == entity)
                return false;
    return e->role == HOME_ROLE_DISTRACTOR && e->domain < HOME_INPUT_BOOLEAN && e->group < 0 &&
           e->profile.per_day >= .8 && e->profile.duration_s <= 3600;
}

static bool draw_still_on(struct odd *o, struct home_anomaly *a)
{
    const int64_t entity = draw_entity(o, is_switched);
    a->entity = (uint32_t)entity;
    a->from_us = o->end_us - (int64_t)(rng_between(&o->rng, 14, 30) * HOUR_S * 1e6);
    return entity >= 0;
}

static bool is_lock(const struct home *home, uint32_t entity)
{
    return home->entities[entity].domain == HOME_LOCK;
}

static bool draw_unlocked(struct odd *o, struct home_anomaly *a)
{
    const int64_t entity = draw_entity(o, is_lock);
    a->entity = (uint32_t)entity;
    a->from_us = o->end_us - (int64_t)(rng_between(&o->rng, 10, 24) * HOUR_S * 1e6);
    return entity >= 0;
}

/* When a habit is due on a day, without jitter; false: it is not. */
static bool find_due(const struct home *home, const struct home_habit *h, int64_t day,
                     int64_t *due_us)
{
    const struct home_settings *s = &home->settings;
    double utc_s;
    const int weekday = (int)((day + 3) % 7); /* 1970-01-01 was a Thursday */
    if (!(h->weekdays & 1u << weekday))
        return false;
    if (h->begin == HOME_AT_TIME) {
        *due_us = home_settings_us(s, day, h->at_s);
        return true;
    }
    if (!sun_find_event(s->latitude, s->longitude, day, !h->at_sunset, &utc_s))
        return false;
    *due_us = (int64_t)((utc_s + h->at_s) * 1e6);
    return true;
}

/* Whether it may be missed: it stands out, and nothing else does away with it. */
static bool may_be_missed(const struct home_settings *s, const struct home_habit *h)
{
    const bool plain = h->kind == HOME_TIME_OF_DAY || h->kind == HOME_SUN;
    return plain && h->gate.kind == HOME_UNGATED && h->drift_s == 0 && h->to_day > s->last_day &&
           h->from_day <= s->first_day && h->sigma_s <= 20 * 60;
}

/* The last time that the habit was due, today or yesterday, and that nobody had a reason to miss.
 */
static bool find_last_due(const struct odd *o, const struct home_habit *h, struct home_anomaly *a)
{
    const struct home *home = o->home;
    const int64_t late_us = (int64_t)((3 * h->sigma_s + HOUR_S) * 1e6);
    for (int64_t day = home->settings.last_day + 1; day >= home->settings.last_day; day--) {
        const bool away = day >= home->holidays.from_day && day <= home->holidays.to_day;
        if (away || !find_due(home, h, day, &a->from_us) || a->from_us + late_us > o->end_us)
            continue;
        a->day = day;
        return true;
    }
    return false;
}

/* A habit that hardly ever fails, but did the last time. */
static bool draw_missed(struct odd *o, struct home_anomaly *a)
{
    struct home *home = o->home;
    for (int i = 0; i < TRIES && home->habit_count > 0; i++) {
        const int index = (int)rng_below(&o->rng, (uint32_t)home->habit_count);
        struct home_habit *h = &home->habits[index];
        if (home->settings.adherence_high < .9 || !may_be_missed(&home->settings, h) ||
            !find_last_due(o, h, a))
            continue;
        h->adherence = .98;
        a->entity = h->entity;
        a->habit = index;
        return true;
    }
    return false;
}

static bool is_lively(const struct home *home, uint32_t entity)
{
    const struct home_entity *e = &home->entities[entity];
    if (e->role != HOME_ROLE_DETECTOR || home_is_seldom_visited(e->area))
        return false;
    return e->profile.bump_count == 0 || e->is_front_door || e->profile.per_day >= 2;
}

/* It says nothing any more for one to three whole days. */
static bool draw_silent(struct odd *o, struct home_anomaly *a)
{
    const struct home_settings *s = &o->home->settings;
    const int64_t entity = draw_entity(o, is_lively);
    if (entity < 0)
        return false;
    a->entity = (uint32_t)entity;
    a->day = s->last_day - (int)rng_below(&o->rng, 3);
    a->from_us = home_settings_us(s, a->day, 0);
    o->home->entities[entity].dies_on = a->day;
    return true;
}

void anomalies_draw(struct home *home)
{
    static bool (*const draw[HOME_ANOMALY_COUNT])(struct odd *, struct home_anomaly *) = {
        [HOME_OPEN_AT_NIGHT] = draw_open, [HOME_STILL_ON] = draw_still_on,
        [HOME_UNLOCKED] = draw_unlocked,  [HOME_MISSED] = draw_missed,
        [HOME_SILENT] = draw_silent,
    };
    const struct home_settings *s = &home->settings;
    for (int k = 0; k < HOME_ANOMALY_COUNT && s->last_day - s->first_day + 1 >= DAYS_LEAST; k++) {
        struct odd o = {.home = home, .end_us = end_of(s)};
        rng_init(&o.rng, home->seed, STREAM_ANOMALIES, (uint64_t)k, 0);
        struct home_anomaly a = {
            .kind = (enum home_anomaly_kind)k, .habit = -1, .day = -1, .to_us = INT64_MAX};
        if ((s->anomalies & 1u << k) && rng_chance(&o.rng, chance) && draw[k](&o, &a))
            home->anomalies[home->anomaly_count++] = a;
    }
}

/* What else it is used for does not end it, nor keep it from beginning. */
static void make_room(struct today *today, const struct home_anomaly *a)
{
    size_t kept = 0;
    for (size_t u = 0; u < today->use_count; u++)
        if (today->uses[u].entity != a->entity || today->uses[u].end_us < a->from_us)
            today->uses[kept++] = today->uses[u];
    today->use_count = kept;
}

void anomalies_apply(struct today *today)
{
    for (size_t i = 0; i < today->home->anomaly_count; i++) {
        const struct home_anomaly *a = &today->home->anomalies[i];
        if (a->kind == HOME_MISSED || a->kind == HOME_SILENT || a->to_us < today->begin_us)
            continue;
        make_room(today, a);
        if (a->from_us < today->begin_us || a->from_us >= today->end_us)
            continue;
        struct home_use *use = today_add_use(today, a->entity);
        const bool is_detector = today->home->entities[a->entity].role == HOME_ROLE_DETECTOR;
        use->begin_us = a->from_us;
        use->end_us = a->to_us;
        use->begin_cause = use->end_cause = is_detector ? HOME_BY_SYSTEM : HOME_BY_SWITCH;
    }
}
