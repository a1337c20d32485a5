#include "home/uses.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "home/rng.h"
#include "home/streams.h"

enum {
    USES_MAX = 64, /* of an entity on a day without habit */
    APART_S = 300,
    DURATION_MAX_S = 6 * HOUR_S,
    USE_LEAST_S = 20,
    EPISODE_S = 20 * 60,
    EPISODES_MAX = 512,
};

static int64_t draw_duration_us(struct rng *rng, double median_s, double spread)
{
    double s;
    do { /* drawn again instead of cut off: a cut would heap the ends up at one distance */
        s = rng_lognormal(rng, median_s, spread);
    } while (s < USE_LEAST_S || s > DURATION_MAX_S);
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

/* How far the use of point i may reach: half way to the nearest other one. */
static double reach_s(const int64_t *points_us, int count, int i)
{
    double reach = DURATION_MAX_S;
    for (int k = 0; k < count; k++) {
        const double half = (double)llabs(points_us[k] - points_us[i]) / 2e6 - APART_S;
        if (k != i && half < reach)
            reach = half;
    }
    return reach > 2 * USE_LEAST_S ? reach : 2 * USE_LEAST_S;
}

static double draw_reaching_duration(struct rng *rng, const struct home_habit *habit, double reach)
{
    enum { TRIES = 20 };
    for (int i = 0; i < TRIES; i++) {
        const double s = rng_lognormal(rng, habit->duration_s, habit->duration_spread);
        if (s >= USE_LEAST_S && s <= reach)
            return s;
    }
    return rng_between(rng, reach / 2, reach);
}

static uint8_t draw_hand(struct rng *rng, const struct home_entity *entity)
{
    if (entity->role == HOME_ROLE_DETECTOR)
        return HOME_BY_SYSTEM;
    return rng_chance(rng, entity->physical_share) ? HOME_BY_SWITCH : HOME_BY_PERSON;
}

/* Who does it, and how. */
static void draw_hands(const struct today *today, struct rng *rng, struct home_use *use)
{
    const struct home_entity *e = &today->home->entities[use->entity];
    use->begin_cause = draw_hand(rng, e);
    use->end_cause = draw_hand(rng, e);
    use->person = (uint8_t)rng_below(rng, (uint32_t)today->home->people_count);
    if (e->has_level) /* the same, or anything */
        use->level = (uint8_t)(rng_chance(rng, .5) ? 80 : 10 + 5 * rng_below(rng, 19));
}

/* A habit's act at point_us, and the other half of that use. */
static void add_habit_use(struct today *today, size_t index, int64_t point_us, double duration_s,
                          struct rng *rng)
{
    const struct home_habit *habit = &today->home->habits[index];
    int64_t us = (int64_t)(1e6 * duration_s);
    struct home_use *use = today_add_use(today, habit->entity);
    if (habit->word == HOME_OFF) {
        /* The day before is over: what ends today began today. */
        const int64_t past_us = point_us - today->begin_us;
        if (us > past_us)
            us = past_us > 0 ? (int64_t)((double)past_us * rng_between(rng, .3, .9)) : 0;
        use->begin_us = point_us - us;
        use->end_us = point_us;
        use->end_habit = (int16_t)index;
    } else {
        use->begin_us = point_us;
        use->end_us = point_us + us;
        use->begin_habit = (int16_t)index;
    }
    draw_hands(today, rng, use);
    if (habit->gate == HOME_GATE_PRESENCE)
        use->person = (uint8_t)habit->gate_person;
    else if (rng_chance(rng, .8)) /* most of the time the same resident does it */
        use->person = (uint8_t)(index % (size_t)today->home->people_count);
}

static bool lives_today(const struct today *today, const struct home_habit *h)
{
    return today->local_day >= h->from_day && today->local_day <= h->to_day &&
           (h->weekdays & 1u << today->weekday) != 0;
}

/* The habit's second on this day, without jitter; false when the day is none of its days. */
static bool find_habit_second(const struct today *today, const struct home_habit *h, double *second)
{
    const struct home_settings *s = &today->home->settings;
    if ((h->kind != HOME_TIME_OF_DAY && h->kind != HOME_SUN) || !lives_today(today, h))
        return false;
    const double past = (double)(today->local_day - s->first_day) + .5;
    double part = past / (double)(s->last_day - s->first_day + 1);
    part = part < 0 ? 0 : part > 1 ? 1 : part; /* it moves no further after the history */
    double base = 0;
    if (h->kind == HOME_SUN && !today_find_sun(today, h->at_sunset, &base))
        return false;
    *second = base + h->at_s + h->drift_s * (part - .5);
    return true;
}

/* The uses of an entity that its habits make on this day. */
static void collect_habit_uses(struct today *today, uint32_t entity)
{
    int64_t points_us[HOME_HABITS_PER_ENTITY];
    struct rng rngs[HOME_HABITS_PER_ENTITY];
    size_t habits[HOME_HABITS_PER_ENTITY];
    int count = 0;
    for (size_t h = 0; h < today->home->habit_count && count < HOME_HABITS_PER_ENTITY; h++) {
        const struct home_habit *habit = &today->home->habits[h];
        double second;
        if (habit->entity != entity || !find_habit_second(today, habit, &second))
            continue;
        struct rng *rng = &rngs[count];
        rng_init(rng, today->home->seed, STREAM_HABIT, h, today->local_day);
        if (!rng_chance(rng, habit->adherence))
            continue;
        points_us[count] = today_us(today, rng_normal(rng, second, habit->sigma_s));
        habits[count++] = h;
    }
    for (int i = 0; i < count; i++) {
        const struct home_habit *habit = &today->home->habits[habits[i]];
        const double reach = reach_s(points_us, count, i);
        add_habit_use(today, habits[i], points_us[i],
                      draw_reaching_duration(&rngs[i], habit, reach), &rngs[i]);
    }
}

/* The habit of an entity of that kind that lives today, or -1. */
static int find_habit(const struct today *today, uint32_t entity, enum home_habit_kind kind)
{
    for (size_t h = 0; h < today->home->habit_count; h++)
        if (today->home->habits[h].entity == entity && today->home->habits[h].kind == kind &&
            lives_today(today, &today->home->habits[h]))
            return (int)h;
    return -1;
}

/* A use of usual length; now and then the end is forgotten. */
static void apply_left_on(const struct today *today, int index, struct rng *rng,
                          struct home_use *use)
{
    const struct home_habit *h = &today->home->habits[index];
    const bool kept = rng_chance(rng, h->adherence);
    const double s = kept ? rng_lognormal(rng, h->duration_s, h->duration_spread)
                          : rng_between(rng, 3 * HOUR_S, 8 * HOUR_S);
    use->end_us = use->begin_us + (int64_t)(s * 1e6);
    use->end_habit = (int16_t)(kept ? index : -1);
}

/* Late in the day it gets its usual level. */
static void apply_value(const struct today *today, int index, struct rng *rng, struct home_use *use)
{
    const struct home_habit *h = &today->home->habits[index];
    const bool told = use->begin_cause == HOME_BY_PERSON ||
                      today->home->entities[use->entity].domain != HOME_LIGHT;
    if (use->begin_us < today_us(today, h->at_s) || !rng_chance(rng, h->adherence) || !told)
        return;
    use->level = (uint8_t)h->level;
    use->begin_habit = (int16_t)index;
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
    int left_on = -1, value = -1;
    if (e->role == HOME_ROLE_HABITUAL) {
        collect_habit_uses(today, entity);
        left_on = find_habit(today, entity, HOME_LEFT_ON);
        value = find_habit(today, entity, HOME_VALUE);
    }
    struct rng rng;
    rng_init(&rng, today->home->seed, STREAM_USES, entity, today->local_day);
    int wanted = rng_poisson(&rng, uses_per_day(today, entity));
    for (int i = 0; i < wanted && i < USES_MAX; i++) {
        const double second = uses_draw_second(&rng, &e->profile);
        struct home_use use = {.entity = entity,
                               .begin_us = today_us(today, second),
                               .begin_habit = -1,
                               .end_habit = -1};
        use.end_us = use.begin_us +
                     draw_duration_us(&rng, e->profile.duration_s, e->profile.duration_spread);
        draw_hands(today, &rng, &use);
        if (e->auto_off_s > 0) {
            use.end_us = use.begin_us + e->auto_off_s * SECOND_US +
                         (int64_t)(rng_between(&rng, 0, .8) * 1e6);
            use.end_cause = HOME_BY_MACHINE;
        }
        if (left_on >= 0)
            apply_left_on(today, left_on, &rng, &use);
        if (value >= 0)
            apply_value(today, value, &rng, &use);
        if (!today_overlaps(today, first, &use))
            *today_add_use(today, entity) = use;
    }
}

static bool is_quiet(const struct today *today, uint32_t entity)
{
    return today->local_day >= today->home->entities[entity].dies_on ||
           find_habit(today, entity, HOME_LONG_QUIET) >= 0;
}

void uses_collect(struct today *today)
{
    const struct home *home = today->home;
    for (size_t e = 0; e < home->entity_count && !today->is_holiday; e++)
        if (home->entities[e].profile.bump_count > 0 && !is_quiet(today, (uint32_t)e))
            collect_entity_uses(today, (uint32_t)e);
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
                           .begin_habit = -1,
                           .end_habit = -1};
    use.end_us =
        use.begin_us + draw_duration_us(&rng, e->profile.duration_s, e->profile.duration_spread);
    draw_hands(today, &rng, &use);
    use.person = (uint8_t)person;
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

/* --- Gates
 * ------------------------------------------------------------------------------------------- */

static bool gate_is_open(const struct today *today, const struct home_habit *h, int64_t time_us)
{
    switch (h->gate) {
    case HOME_GATE_PRESENCE:
        return today_is_home(today, h->gate_person, time_us);
    case HOME_GATE_DARK:
        return today_is_dark(today, time_us);
    case HOME_UNGATED:
    case HOME_GATE_COUNT:
        break;
    }
    return true;
}

bool uses_is_gated(const struct today *today, const struct home_use *use)
{
    const int index = use->begin_habit >= 0 ? use->begin_habit : use->end_habit;
    return index >= 0 && today->home->habits[index].gate != HOME_UNGATED;
}

void uses_drop_closed(struct today *today)
{
    size_t kept = 0;
    for (size_t i = 0; i < today->use_count; i++) {
        const struct home_use *use = &today->uses[i];
        const int index = use->begin_habit >= 0 ? use->begin_habit : use->end_habit;
        const int64_t time_us = use->begin_habit >= 0 ? use->begin_us : use->end_us;
        if (index < 0 || gate_is_open(today, &today->home->habits[index], time_us))
            today->uses[kept++] = *use;
    }
    today->use_count = kept;
}

/* --- What follows on something else
 * ------------------------------------------------------------------ */

static int compare_times(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* When HA sees a person come or go. */
static int find_person_changes(const struct today *today, uint32_t entity, int32_t word,
                               int64_t *out)
{
    int count = 0;
    for (int p = 0; p < today->home->people_count; p++) {
        if (today->home->people[p].entity != (int64_t)entity)
            continue;
        const struct presence *presence = &today->people[p];
        for (int i = 0; i < presence->away_count; i++)
            if (word == HOME_ON ? presence->away[i].comes : presence->away[i].goes)
                out[count++] =
                    word == HOME_ON ? presence->away[i].seen_to_us : presence->away[i].seen_from_us;
    }
    return count;
}

/* When an entity goes to a word on this day, in order; repeats within EPISODE_S are one episode.
 */
static int find_episodes(const struct today *today, uint32_t entity, int32_t word, int64_t *out)
{
    int count = 0, kept = 0;
    if (today->home->entities[entity].role == HOME_ROLE_PRESENCE)
        count = find_person_changes(today, entity, word, out);
    for (size_t i = 0; i < today->use_count && count < EPISODES_MAX; i++)
        if (today->uses[i].entity == entity)
            out[count++] = word == HOME_ON ? today->uses[i].begin_us : today->uses[i].end_us;
    qsort(out, (size_t)count, sizeof *out, compare_times);
    int64_t last = INT64_MIN;
    for (int i = 0; i < count; i++) {
        if (last == INT64_MIN || out[i] - last > EPISODE_S * SECOND_US)
            out[kept++] = out[i];
        last = out[i];
    }
    return kept;
}

static bool drop_last_if_overlapping(struct today *today)
{
    const bool drop = today_overlaps(today, 0, &today->uses[today->use_count - 1]);
    today->use_count -= drop;
    return drop;
}

/* What follows on a chain's first act. */
static void follow_steps(struct today *today, const struct home_habit *h, int64_t time_us,
                         struct rng *rng)
{
    for (int i = 0; i < h->step_count; i++) {
        const struct home_step *step = &h->steps[i];
        time_us += (int64_t)(rng_lognormal(rng, step->lag_s, h->lag_spread) * 1e6);
        const int64_t us = (int64_t)(draw_reaching_duration(rng, h, DURATION_MAX_S) * 1e6);
        struct home_use *use = today_add_use(today, step->entity);
        draw_hands(today, rng, use);
        use->begin_us = time_us;
        use->end_us = time_us + us;
        drop_last_if_overlapping(today);
    }
}

/* After each episode of its trigger the act follows with the probability of the habit, unless the
 * device is in use already. */
static void collect_sequence(struct today *today, size_t index)
{
    const struct home_habit *h = &today->home->habits[index];
    int64_t episodes[EPISODES_MAX];
    const int count = find_episodes(today, h->trigger, h->trigger_word, episodes);
    struct rng rng;
    rng_init(&rng, today->home->seed, STREAM_SEQUENCE, index, today->local_day);
    for (int i = 0; i < count; i++) {
        const bool follows = rng_chance(&rng, h->adherence);
        const double lag_s = rng_lognormal(&rng, h->lag_s, h->lag_spread);
        const double duration_s = draw_reaching_duration(&rng, h, DURATION_MAX_S);
        const int64_t time_us = episodes[i] + (int64_t)(lag_s * 1e6);
        if (!follows || !gate_is_open(today, h, episodes[i]))
            continue;
        add_habit_use(today, index, time_us, duration_s, &rng);
        if (!drop_last_if_overlapping(today))
            follow_steps(today, h, time_us, &rng);
    }
}

void uses_follow(struct today *today)
{
    for (size_t h = 0; h < today->home->habit_count; h++) {
        const struct home_habit *habit = &today->home->habits[h];
        if ((habit->kind == HOME_SEQUENCE || habit->kind == HOME_CHAIN) &&
            lives_today(today, habit))
            collect_sequence(today, h);
    }
}
