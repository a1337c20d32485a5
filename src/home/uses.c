#include "home/uses.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "home/gates.h"
#include "home/streams.h"

enum {
    USES_MAX = 64, /* of an entity on a day without habit */
    APART_S = 300,
    USE_LEAST_S = 20,
};

static int64_t draw_duration_us(struct rng *rng, double median_s, double spread)
{
    double s;
    do { /* drawn again instead of cut off: a cut would heap the ends up at one distance */
        s = rng_lognormal(rng, median_s, spread);
    } while (s < USE_LEAST_S || s > USES_DURATION_MAX_S);
    return (int64_t)(s * 1e6);
}

double uses_draw_second(struct rng *rng, const struct home_profile *profile)
{
    if (rng_chance(rng, profile->background))
        return rng_between(rng, 0, DAY_S);
    const uint32_t bump = rng_below(rng, (uint32_t)profile->bump_count);
    const double s = rng_normal(rng, profile->center_s[bump], profile->sigma_s[bump]);
    return s - floor(s / DAY_S) * DAY_S; /* round the clock, not cut off at midnight */
}

void uses_note(struct today *today, size_t habit, int64_t time_us, enum home_outcome outcome,
               bool was_open)
{
    today_add_wish(today, &(struct home_wish){.time_us = time_us,
                                              .entity = today->home->habits[habit].entity,
                                              .value = (int32_t)outcome,
                                              .level = HOME_NO_LEVEL,
                                              .habit = (int16_t)habit,
                                              .kind = WISH_NOTE,
                                              .step = was_open,
                                              .cause = HOME_BY_SYSTEM});
}

/* How far the use of point i may reach: half way to the nearest other one. */
static double reach_s(const struct habit_point *points, int count, int i)
{
    double reach = USES_DURATION_MAX_S;
    for (int k = 0; k < count; k++) {
        const double half = (double)llabs(points[k].time_us - points[i].time_us) / 2e6 - APART_S;
        if (k != i && half < reach)
            reach = half;
    }
    return reach > 2 * USE_LEAST_S ? reach : 2 * USE_LEAST_S;
}

double uses_draw_duration(struct rng *rng, const struct home_habit *habit, double reach)
{
    enum { TRIES = 20 };
    for (int i = 0; i < TRIES; i++) {
        const double s = rng_lognormal(rng, habit->duration_s, habit->duration_spread);
        if (s >= USE_LEAST_S && s <= reach)
            return s;
    }
    return rng_between(rng, reach / 2, reach);
}

/* --- Hands and levels */

static uint8_t draw_hand(struct rng *rng, const struct home_entity *entity)
{
    if (entity->role == HOME_ROLE_DETECTOR)
        return HOME_BY_SYSTEM;
    return rng_chance(rng, entity->physical_share) ? HOME_BY_SWITCH : HOME_BY_PERSON;
}

/* Without habit: the same, or anything. */
static int16_t draw_level(struct rng *rng, const struct home_entity *e)
{
    const double u = rng_uniform(rng);
    switch (e->domain) {
    case HOME_CLIMATE:
        return (int16_t)(160 + 5 * rng_below(rng, 16));
    case HOME_COVER:
        return (int16_t)(u < .3 ? 0 : u < .6 ? 100 : 5 + 5 * rng_below(rng, 19));
    default:
        return (int16_t)(u < .5 ? 80 : 10 + 5 * rng_below(rng, 19));
    }
}

void uses_draw_hands(const struct today *today, struct rng *rng, struct home_use *use)
{
    const struct home_entity *e = &today->home->entities[use->entity];
    use->begin_cause = draw_hand(rng, e);
    use->end_cause = draw_hand(rng, e);
    use->person = (uint8_t)rng_below(rng, (uint32_t)today->home->people_count);
    if (e->has_level)
        use->level = draw_level(rng, e);
    if (e->has_kelvin && rng_chance(rng, .4))
        use->kelvin = (int16_t)(2200 + 100 * rng_below(rng, 40));
}

/* A slider is let go near the wanted level, a dial clicks in. */
static int16_t slide(struct rng *rng, const struct home_entity *e, int level)
{
    const double off = rng_normal(rng, 0, 1.2);
    if (!e->slides || e->domain == HOME_CLIMATE || level == 0 || level == 100)
        return (int16_t)level;
    const double slid = round(level + off);
    return (int16_t)(slid < 1 ? 1 : slid > 100 ? 100 : slid);
}

void uses_choose_level(const struct today *today, const struct home_habit *habit, struct rng *rng,
                       struct home_use *use)
{
    const struct home_entity *e = &today->home->entities[use->entity];
    if (habit->level == HOME_NO_LEVEL || !rng_chance(rng, habit->level_adherence))
        return;
    use->level = slide(rng, e, habit->level);
    use->kelvin = (int16_t)habit->kelvin;
}

/* --- Habits at their own time */

bool uses_lives_today(const struct today *today, const struct home_habit *h)
{
    return today->local_day >= h->from_day && today->local_day <= h->to_day &&
           (h->weekdays & 1u << today->weekday) != 0;
}

/* The habit's second on this day, without jitter; false when the day is none of its days. */
static bool find_habit_second(const struct today *today, const struct home_habit *h, double *second)
{
    const struct home_settings *s = &today->home->settings;
    if ((h->begin != HOME_AT_TIME && h->begin != HOME_AT_SUN) || !uses_lives_today(today, h))
        return false;
    const double past = (double)(today->local_day - s->first_day) + .5;
    double part = past / (double)(s->last_day - s->first_day + 1);
    part = part < 0 ? 0 : part > 1 ? 1 : part; /* it moves no further after the history */
    double base = 0;
    if (h->begin == HOME_AT_SUN && !today_find_sun(today, h->at_sunset, &base))
        return false;
    *second = base + h->at_s + h->drift_s * (part - .5);
    return true;
}

static bool is_missed(const struct today *today, size_t habit)
{
    for (size_t a = 0; a < today->home->anomaly_count; a++)
        if (today->home->anomalies[a].habit == (int)habit &&
            today->home->anomalies[a].day == today->local_day)
            return true;
    return false;
}

/* A habit's time today; false: it has none. The same at every call. */
static bool draw_point(const struct today *today, size_t index, struct habit_point *p)
{
    const struct home_habit *h = &today->home->habits[index];
    double second;
    if (!find_habit_second(today, h, &second))
        return false;
    p->habit = index;
    rng_init(&p->rng, today->home->seed, STREAM_HABIT, index, today->local_day);
    p->keeps = rng_chance(&p->rng, h->adherence) && !is_missed(today, index);
    p->planned_us = today_us(today, second);
    p->time_us = today_us(today, rng_normal(&p->rng, second, h->sigma_s));
    return true;
}

/* Whether the act comes, as far as what it hangs on goes; which is noted. */
static bool decide(struct today *today, const struct habit_point *p)
{
    const struct home_habit *h = &today->home->habits[p->habit];
    const bool open = gate_is_open(today, h, p->time_us);
    uses_note(today, p->habit, p->time_us,
              !open      ? HOME_CLOSED
              : p->keeps ? HOME_ACTED
                         : HOME_OMITTED,
              gate_is_seen_open(today, h, p->planned_us));
    return open && p->keeps;
}

int uses_draw_points(struct today *today, uint32_t entity, struct habit_point *out)
{
    int count = 0;
    for (size_t h = 0; h < today->home->habit_count && count < HOME_HABITS_PER_ENTITY; h++) {
        const struct home_habit *habit = &today->home->habits[h];
        if (habit->entity != entity || !draw_point(today, h, &out[count]))
            continue;
        const bool by_presence = habit->gate.kind == HOME_GATE_PRESENCE; /* is known later */
        count += by_presence ? out[count].keeps : decide(today, &out[count]);
    }
    return count;
}

struct home_use *uses_add_by_habit(struct today *today, size_t index, int64_t time_us,
                                   double duration_s, struct rng *rng)
{
    const struct home_habit *habit = &today->home->habits[index];
    int64_t us = (int64_t)(1e6 * duration_s);
    struct home_use *use = today_add_use(today, habit->entity);
    if (habit->word == HOME_OFF) {
        /* The day before is over: what ends today began today. */
        const int64_t past_us = time_us - today->begin_us;
        if (us > past_us)
            us = past_us > 0 ? (int64_t)((double)past_us * rng_between(rng, .3, .9)) : 0;
        use->begin_us = time_us - us;
        use->end_us = time_us;
        use->end_habit = (int16_t)index;
    } else {
        use->begin_us = time_us;
        use->end_us = time_us + us;
        use->begin_habit = (int16_t)index;
    }
    uses_draw_hands(today, rng, use);
    uses_choose_level(today, habit, rng, use);
    if (habit->gate.kind == HOME_GATE_PRESENCE)
        use->person = (uint8_t)habit->gate.person;
    else if (rng_chance(rng, .8)) /* most of the time the same resident does it */
        use->person = (uint8_t)(index % (size_t)today->home->people_count);
    return use;
}

/* The uses of an entity that its habits make on this day. */
static void collect_habit_uses(struct today *today, uint32_t entity)
{
    struct habit_point points[HOME_HABITS_PER_ENTITY];
    const int count = uses_draw_points(today, entity, points);
    for (int i = 0; i < count; i++) {
        const struct home_habit *habit = &today->home->habits[points[i].habit];
        const double reach = reach_s(points, count, i);
        const double duration_s = uses_draw_duration(&points[i].rng, habit, reach);
        uses_add_by_habit(today, points[i].habit, points[i].time_us, duration_s, &points[i].rng);
    }
}

/* --- Use */

/* The habit about how an entity is used that lives today, or -1. */
static int find_habit_in_use(const struct today *today, uint32_t entity)
{
    for (size_t h = 0; h < today->home->habit_count; h++)
        if (today->home->habits[h].entity == entity &&
            today->home->habits[h].begin == HOME_IN_USE &&
            uses_lives_today(today, &today->home->habits[h]))
            return (int)h;
    return -1;
}

/* A use of usual length, or of several times that; now and then the end is forgotten. */
static void apply_left_on(const struct home_habit *h, int index, struct rng *rng,
                          struct home_use *use)
{
    const bool kept = rng_chance(rng, h->adherence);
    const bool is_long = rng_chance(rng, h->long_share);
    double s = rng_between(rng, USES_LONG_MAX_S, USES_FORGOTTEN_MAX_S);
    for (bool fits = !kept; !fits; fits = s >= USE_LEAST_S && s < USES_LONG_MAX_S)
        s = rng_lognormal(rng, h->duration_s, h->duration_spread) *
            (is_long ? rng_between(rng, USES_LONG_FROM, USES_LONG_TO) : 1);
    use->end_us = use->begin_us + (int64_t)(s * 1e6);
    use->end_habit = (int16_t)(kept ? index : -1);
}

/* Late in the day it gets its usual level. */
static void apply_value(const struct today *today, const struct home_habit *h, int index,
                        struct rng *rng, struct home_use *use)
{
    const bool told = use->begin_cause == HOME_BY_PERSON ||
                      today->home->entities[use->entity].domain != HOME_LIGHT;
    if (use->begin_us < today_us(today, h->at_s) || !rng_chance(rng, h->adherence) || !told)
        return;
    uses_choose_level(today, h, rng, use);
    use->begin_habit = (int16_t)index;
}

static void apply_habit_in_use(const struct today *today, int index, struct rng *rng,
                               struct home_use *use)
{
    const struct home_habit *h = &today->home->habits[index];
    if (h->kind == HOME_LEFT_ON)
        apply_left_on(h, index, rng, use);
    else
        apply_value(today, h, index, rng, use);
}

/* How often an entity is used today without habit, on average. */
static double uses_per_day(const struct today *today, uint32_t entity)
{
    const struct home_profile *p = &today->home->entities[entity].profile;
    return p->per_day * today->busyness * (today->weekday >= 5 ? p->weekend_factor : 1);
}

/* Habits come first; a use without habit that would collide with one does not happen. */
static void collect_entity_uses(struct today *today, uint32_t entity)
{
    const struct home_entity *e = &today->home->entities[entity];
    const size_t first = today->use_count;
    int in_use = -1;
    if (e->role == HOME_ROLE_HABITUAL) {
        collect_habit_uses(today, entity);
        in_use = find_habit_in_use(today, entity);
    }
    struct rng rng;
    rng_init(&rng, today->home->seed, STREAM_USES, entity, today->local_day);
    int wanted = rng_poisson(&rng, uses_per_day(today, entity));
    for (int i = 0; i < wanted && i < USES_MAX; i++) {
        const double second = uses_draw_second(&rng, &e->profile);
        struct home_use use = {.entity = entity,
                               .begin_us = today_us(today, second),
                               .level = HOME_NO_LEVEL,
                               .begin_habit = -1,
                               .end_habit = -1};
        use.end_us = use.begin_us +
                     draw_duration_us(&rng, e->profile.duration_s, e->profile.duration_spread);
        uses_draw_hands(today, &rng, &use);
        if (e->auto_off_s > 0) {
            use.end_us = use.begin_us + e->auto_off_s * SECOND_US +
                         (int64_t)(rng_between(&rng, 0, .8) * 1e6);
            use.end_cause = HOME_BY_MACHINE;
        }
        if (in_use >= 0)
            apply_habit_in_use(today, in_use, &rng, &use);
        if (!today_overlaps(today, first, &use))
            *today_add_use(today, entity) = use;
    }
}

/* What is set: by its habits, and by anybody who feels like it. */
static void collect_settings(struct today *today, uint32_t entity)
{
    const struct home_entity *e = &today->home->entities[entity];
    const size_t first = today->use_count;
    struct habit_point points[HOME_HABITS_PER_ENTITY];
    const int count = uses_draw_points(today, entity, points);
    struct rng rng;
    rng_init(&rng, today->home->seed, STREAM_SET, entity, today->local_day);
    const int wanted = rng_poisson(&rng, uses_per_day(today, entity));
    for (int i = 0; i < count + wanted && i < USES_MAX; i++) {
        struct habit_point *p = i < count ? &points[i] : NULL;
        struct home_use use = {.entity = entity,
                               .level = HOME_NO_LEVEL,
                               .is_setting = true,
                               .begin_habit = (int16_t)(p != NULL ? (int)p->habit : -1),
                               .end_habit = -1};
        use.begin_us = use.end_us =
            p != NULL ? p->time_us : today_us(today, uses_draw_second(&rng, &e->profile));
        uses_draw_hands(today, p != NULL ? &p->rng : &rng, &use);
        use.end_cause = HOME_BY_PERSON; /* nobody has to come for an end */
        if (p != NULL)
            uses_choose_level(today, &today->home->habits[p->habit], &p->rng, &use);
        if (!today_overlaps(today, first, &use))
            *today_add_use(today, entity) = use;
    }
}

void uses_collect(struct today *today)
{
    const struct home *home = today->home;
    for (size_t e = 0; e < home->entity_count && !today->is_holiday; e++) {
        const struct home_entity *entity = &home->entities[e];
        if (entity->profile.bump_count == 0 || today->local_day >= entity->dies_on)
            continue;
        if (home_is_set(entity->domain))
            collect_settings(today, (uint32_t)e);
        else
            collect_entity_uses(today, (uint32_t)e);
    }
}

/* Hours rather than minutes after: what two things have in common is the person at home, and what
 * they do in the evening is no narrower than three hours. */
static void use_after_coming(struct today *today, uint32_t entity, int person,
                             const struct absence *absence)
{
    enum { MEDIAN_S = 150 * 60 };
    const struct home_entity *e = &today->home->entities[entity];
    struct rng rng;
    rng_init(&rng, today->home->seed, STREAM_COMING,
             (uint64_t)entity << 8 | (uint64_t)(absence - today->people[person].away),
             today->local_day * HOME_PEOPLE_MAX + person);
    const bool happens = rng_chance(&rng, e->after_coming);
    const double lag_s = rng_lognormal(&rng, MEDIAN_S, .7);
    struct home_use use = {.entity = entity,
                           .begin_us = absence->to_us + (int64_t)(lag_s * 1e6),
                           .level = HOME_NO_LEVEL,
                           .begin_habit = -1,
                           .end_habit = -1};
    use.end_us =
        use.begin_us + draw_duration_us(&rng, e->profile.duration_s, e->profile.duration_spread);
    uses_draw_hands(today, &rng, &use);
    use.person = (uint8_t)person;
    const int in_use = find_habit_in_use(today, entity);
    if (in_use >= 0)
        apply_habit_in_use(today, in_use, &rng, &use);
    if (happens && use.begin_us < today->end_us && today_is_home(today, person, use.begin_us) &&
        !today_overlaps(today, 0, &use))
        *today_add_use(today, entity) = use;
}

void uses_collect_after_coming(struct today *today)
{
    const struct home *home = today->home;
    for (size_t e = 0; e < home->entity_count && !today->is_holiday; e++)
        for (int p = 0; p < home->people_count && home->entities[e].after_coming > 0; p++)
            for (int i = 0; i < today->people[p].away_count; i++)
                if (today->people[p].away[i].comes)
                    use_after_coming(today, (uint32_t)e, p, &today->people[p].away[i]);
}

/* --- Presence */

bool uses_needs_presence(const struct today *today, const struct home_use *use)
{
    const int index = use->begin_habit >= 0 ? use->begin_habit : use->end_habit;
    return index >= 0 && today->home->habits[index].gate.kind == HOME_GATE_PRESENCE;
}

void uses_drop_absent(struct today *today)
{
    size_t kept = 0;
    for (size_t i = 0; i < today->use_count; i++) {
        const struct home_use *use = &today->uses[i];
        const int index = use->begin_habit >= 0 ? use->begin_habit : use->end_habit;
        const int64_t time_us = use->begin_habit >= 0 ? use->begin_us : use->end_us;
        if (!uses_needs_presence(today, use) ||
            gate_is_open(today, &today->home->habits[index], time_us))
            today->uses[kept++] = *use;
    }
    today->use_count = kept;
    for (size_t h = 0; h < today->home->habit_count && !today->is_holiday; h++) {
        struct habit_point p;
        if (today->home->habits[h].gate.kind == HOME_GATE_PRESENCE && draw_point(today, h, &p))
            decide(today, &p);
    }
}
