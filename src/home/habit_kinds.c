/* What is particular to each kind of habit. */
#include <math.h>
#include <stdlib.h>

#include "home/drawing.h"
#include "home/sun.h"

enum { HOUR = 3600, SET_TRIES = 2000 };

/* People choose round times: whole five minutes. Far enough from midnight that the jitter does not
 * leave the day; what ends at its time began the same day. */
void drawing_time(struct drawing *d, struct home_habit *h)
{
    const double spare = 3.2 * h->sigma_s / HOUR;
    const double first = h->word == HOME_ON ? 5.75 : 11,
                 last = 24 - spare < 22.75 ? 24 - spare : 22.75;
    h->begin = HOME_AT_TIME;
    h->at_s = floor(rng_between(&d->rng, first, last) * 12) * 300;
}

bool drawing_sun(struct drawing *d, struct home_habit *h)
{
    const struct home_settings *s = d->settings;
    double ignored;
    for (int64_t day = s->first_day - 1; day <= s->last_day + 1; day++)
        if (!sun_find_event(s->latitude, s->longitude, day, true, &ignored))
            return false;
    h->begin = HOME_AT_SUN;
    h->at_sunset = rng_chance(&d->rng, .7);
    h->at_s = h->at_sunset ? (double)((int)rng_below(&d->rng, 25) - 12) * 300
                           : (double)((int)rng_below(&d->rng, 19) - 6) * 300;
    if (!h->at_sunset)
        h->word = rng_chance(&d->rng, .5) ? HOME_ON : HOME_OFF;
    return true;
}

/* --- Triggers */

static bool is_used_as_trigger(const struct home *home, uint32_t entity)
{
    for (size_t h = 0; h < home->habit_count; h++)
        if (home->habits[h].trigger == entity)
            return true;
    return false;
}

static bool is_in_scene(const struct home *home, uint32_t entity)
{
    for (size_t s = 0; s < home->scene_count; s++)
        for (int m = 0; m < home->scenes[s].member_count; m++)
            if (home->scenes[s].members[m] == entity)
                return true;
    return false;
}

/* A detector that does not go on all the time: doors, and motion in rooms few people go to. */
static bool is_seldom(const struct home_entity *e)
{
    return e->role == HOME_ROLE_DETECTOR &&
           (e->device_class[0] == 'd' || home_is_seldom_visited(e->area));
}

static bool fits_trigger(const struct drawing *d, uint32_t entity, enum home_role role)
{
    const struct home_entity *e = &d->home->entities[entity];
    if (e->role != role || is_used_as_trigger(d->home, entity))
        return false;
    if (role == HOME_ROLE_DETECTOR)
        return is_seldom(e) && !drawing_is_taken(d->home, entity);
    return role != HOME_ROLE_DISTRACTOR ||
           (e->profile.per_day >= .8 && !is_in_scene(d->home, entity));
}

static bool draw_trigger_of_role(struct drawing *d, struct home_habit *h, enum home_role role)
{
    for (int i = 0; i < DRAWING_TRIES; i++) {
        const uint32_t e = rng_below(&d->rng, (uint32_t)d->home->entity_count);
        if (e == h->entity || !fits_trigger(d, e, role))
            continue;
        h->trigger = e;
        return true;
    }
    return false;
}

int drawing_person(struct drawing *d)
{
    const struct home *home = d->home;
    const int p = home->people_count == 0 ? -1 : (int)rng_below(&d->rng, HOME_PEOPLE_MAX);
    return p >= 0 && p < home->people_count && home->people[p].entity >= 0 ? p : -1;
}

/* Something that a person does and HA sees: comes in, comes home, switches something else. Devices
 * come from the second half of the units, which never get a habit. */
static bool draw_trigger(struct drawing *d, struct home_habit *h)
{
    const double u = rng_uniform(&d->rng);
    const int p = drawing_person(d);
    h->trigger_word = HOME_ON;
    if (u < .2 && p >= 0 && !is_used_as_trigger(d->home, (uint32_t)d->home->people[p].entity)) {
        h->trigger = (uint32_t)d->home->people[p].entity;
        return true;
    }
    if (u < .55 && draw_trigger_of_role(d, h, HOME_ROLE_DETECTOR))
        return true;
    for (int i = 0; i < DRAWING_TRIES; i++) {
        const int first = (d->unit_count + 1) / 2;
        const int unit = first + (int)rng_below(&d->rng, (uint32_t)(d->unit_count - first));
        if (!fits_trigger(d, d->units[unit], HOME_ROLE_DISTRACTOR))
            continue;
        h->trigger = d->units[unit];
        h->trigger_word = rng_chance(&d->rng, .75) ? HOME_ON : HOME_OFF;
        return true;
    }
    return draw_trigger_of_role(d, h, HOME_ROLE_DETECTOR);
}

bool drawing_trigger(struct drawing *d, struct home_habit *h)
{
    if (d->unit_count < 3 || !draw_trigger(d, h))
        return false;
    struct rng *rng = &d->rng;
    h->begin = HOME_AFTER_TRIGGER;
    h->weekdays = HOME_ALL_DAYS;
    h->lag_s = exp(rng_between(rng, log(6), log(240)));
    h->lag_spread = rng_between(rng, .15, .6);
    h->word = rng_chance(rng, .85) ? HOME_ON : HOME_OFF;
    h->duration_s = rng_between(rng, 10, 60) * 60;
    return true;
}

/* --- Levels */

/* Whether HA hears how its level is chosen: a switch on the wall tells nobody how bright. */
static bool tells_level(const struct home_entity *e)
{
    return e->has_level && (e->domain != HOME_LIGHT || e->physical_share < .5);
}

/* What is switched on by habit may always get the same level. */
static void draw_level(struct drawing *d, struct home_habit *h)
{
    const struct home_entity *e = &d->home->entities[h->entity];
    const bool allowed = (d->settings->kinds & 1u << HOME_VALUE) != 0;
    if (!allowed || h->word != HOME_ON || !tells_level(e) || !rng_chance(&d->rng, .5))
        return;
    h->level = 5 + 5 * (int)rng_below(&d->rng, e->domain == HOME_MEDIA_PLAYER ? 12 : 20);
    h->level_adherence = rng_between(&d->rng, .85, 1);
    if (e->has_kelvin && rng_chance(&d->rng, .5))
        h->kelvin = 2200 + 100 * (int)rng_below(&d->rng, 40);
}

static double latest_bump_s(const struct home_entity *e)
{
    double latest_s = 0;
    for (int b = 0; b < e->profile.bump_count; b++)
        latest_s = fmax(latest_s, e->profile.center_s[b]);
    return latest_s;
}

/* Brings the next unit that tells its level, and is used late, to the front of those that are left.
 */
static bool find_levelled_unit(struct drawing *d)
{
    const int last =
        d->next + d->spare < d->unit_count / 2 ? d->next + d->spare : d->unit_count / 2;
    for (int u = d->next; u <= last && u < d->unit_count; u++) {
        const uint32_t unit = d->units[u];
        const struct home_entity *e = &d->home->entities[unit];
        if (!tells_level(e) || latest_bump_s(e) < 17 * HOUR)
            continue;
        d->units[u] = d->units[d->next];
        d->units[d->next] = unit;
        return true;
    }
    return false;
}

/* What is switched on late, as it often is, gets its level. */
static bool draw_value_in_use(struct drawing *d, struct home_habit *h)
{
    if (!find_levelled_unit(d))
        return false;
    h->entity = d->units[d->next];
    const struct home_entity *e = &d->home->entities[h->entity];
    const double latest_s = latest_bump_s(e);
    h->begin = HOME_IN_USE;
    h->word = HOME_ON;
    h->weekdays = HOME_ALL_DAYS;
    h->at_s = floor((latest_s - rng_between(&d->rng, 0, 2.5) * HOUR) / 1800) * 1800;
    h->level = 10 + 5 * (int)rng_below(&d->rng, 10);
    h->level_adherence = 1;
    if (e->has_kelvin && rng_chance(&d->rng, .5))
        h->kelvin = 2200 + 100 * (int)rng_below(&d->rng, 15);
    return h->at_s >= 15 * HOUR && h->at_s < 22 * HOUR;
}

/* How near, in seconds or levels, another habit of that entity may be. */
static bool lies_apart(const struct drawing *d, const struct home_habit *h)
{
    int others = 0;
    for (size_t i = 0; i < d->home->habit_count; i++) {
        const struct home_habit *other = &d->home->habits[i];
        if (other->entity != h->entity)
            continue;
        others++;
        /* when the sun sets, no clock knows */
        if (other->begin != h->begin || abs(other->level - h->level) < 15 ||
            (h->begin == HOME_AT_TIME ? fabs(other->at_s - h->at_s) < 4 * HOUR
                                      : other->at_sunset == h->at_sunset))
            return false;
    }
    return others < HOME_HABITS_PER_ENTITY;
}

static int draw_position(struct rng *rng)
{
    const double u = rng_uniform(rng);
    return u < .3 ? 0 : u < .55 ? 100 : 15 + 5 * (int)rng_below(rng, 15);
}

/* A climate gets a setpoint at its time, a cover a position at its time or by the sun. */
static bool draw_value_set(struct drawing *d, struct home_habit *h)
{
    struct rng *rng = &d->rng;
    const bool with_others = rng_chance(rng, .7);
    for (int i = 0; i < SET_TRIES; i++) {
        const uint32_t e = rng_below(rng, (uint32_t)d->home->entity_count);
        const struct home_entity *entity = &d->home->entities[e];
        const bool fits = entity->domain == HOME_CLIMATE || entity->domain == HOME_COVER;
        if (!fits || entity->role == HOME_ROLE_MACHINE)
            continue;
        /* who has set times for one thing, has several of them */
        if (i < SET_TRIES / 2 && with_others && !drawing_is_taken(d->home, e))
            continue;
        h->entity = e;
        h->level_adherence = 1;
        h->word = HOME_ON; /* of these there is no other half */
        drawing_time(d, h);
        if (entity->domain == HOME_CLIMATE)
            h->level = 160 + 5 * (int)rng_below(rng, 14);
        else
            h->level = draw_position(rng);
        if (entity->domain == HOME_COVER && rng_chance(rng, .5) && !drawing_sun(d, h))
            return false;
        h->word = h->level > 0 ? HOME_ON : HOME_OFF;
        if (lies_apart(d, h))
            return true;
    }
    return false;
}

static bool draw_value(struct drawing *d, struct home_habit *h)
{
    return rng_chance(&d->rng, .5) ? draw_value_in_use(d, h) : draw_value_set(d, h);
}

/* --- Other kinds */

static bool draw_left_on(struct drawing *d, struct home_habit *h)
{
    h->begin = HOME_IN_USE;
    h->word = HOME_OFF;
    h->weekdays = HOME_ALL_DAYS;
    h->duration_s = rng_between(&d->rng, 5, 40) * 60;
    h->duration_spread = rng_between(&d->rng, .3, .65);
    h->long_share = rng_chance(&d->rng, .5) ? rng_between(&d->rng, .01, .06) : 0;
    return d->home->entities[h->entity].group < 0;
}

/* Its begin: a trigger, a time, or the sun. */
static bool draw_begin(struct drawing *d, struct home_habit *h, double timed, double by_sun)
{
    const double u = rng_uniform(&d->rng);
    if (u < timed) {
        drawing_time(d, h);
        return true;
    }
    return u < timed + by_sun ? drawing_sun(d, h) : drawing_trigger(d, h);
}

/* The steps take the units after the habit's own. */
static bool draw_chain(struct drawing *d, struct home_habit *h)
{
    const int steps = d->spare < HOME_STEPS_MAX - 1 ? d->spare : 1 + (int)rng_below(&d->rng, 2);
    h->word = HOME_ON;
    if (steps < 1 || !draw_begin(d, h, .35, .15))
        return false;
    h->word = HOME_ON;
    h->lag_spread = h->begin == HOME_AFTER_TRIGGER ? h->lag_spread : rng_between(&d->rng, .15, .6);
    h->step_count = steps;
    for (int i = 0; i < steps; i++)
        h->steps[i] = (struct home_step){.entity = d->units[d->next + 1 + i],
                                         .word = rng_chance(&d->rng, .8) ? HOME_ON : HOME_OFF,
                                         .lag_s = exp(rng_between(&d->rng, log(5), log(90))),
                                         .chance = rng_between(&d->rng, .92, 1)};
    draw_level(d, h);
    return true;
}

/* The first who comes into a room, or through a door, after hours in which nobody did. */
static bool draw_long_quiet(struct drawing *d, struct home_habit *h)
{
    for (int i = 0; i < DRAWING_TRIES; i++) {
        const uint32_t e = rng_below(&d->rng, (uint32_t)d->home->entity_count);
        if (d->home->entities[e].role != HOME_ROLE_DETECTOR || is_used_as_trigger(d->home, e) ||
            drawing_is_taken(d->home, e))
            continue;
        h->begin = HOME_AFTER_TRIGGER;
        h->weekdays = HOME_ALL_DAYS;
        h->trigger = e;
        h->trigger_word = HOME_ON;
        h->quiet_s = 1800 * (int)(3 + rng_below(&d->rng, 8)); /* 1.5 to 5 hours */
        h->lag_s = exp(rng_between(&d->rng, log(6), log(180)));
        h->lag_spread = rng_between(&d->rng, .15, .5);
        h->word = HOME_ON;
        h->duration_s = rng_between(&d->rng, 10, 60) * 60;
        draw_level(d, h);
        return true;
    }
    return false;
}

static bool draw_scene(struct drawing *d, struct home_habit *h)
{
    const struct home *home = d->home;
    if (home->scene_count == 0)
        return false;
    const struct home_scene *scene = &home->scenes[rng_below(&d->rng, (uint32_t)home->scene_count)];
    if (scene->member_count < 2 || drawing_is_taken(home, scene->entity))
        return false;
    h->entity = scene->entity;
    h->word = HOME_ON;
    if (!draw_begin(d, h, .5, .15))
        return false;
    h->word = HOME_ON;
    return true;
}

bool drawing_takes_unit(const struct drawing *d, const struct home_habit *h)
{
    return !home_is_set(d->home->entities[h->entity].domain);
}

bool drawing_details(struct drawing *d, struct home_habit *h)
{
    switch (h->kind) {
    case HOME_SUN:
        if (!drawing_sun(d, h))
            return false;
        break;
    case HOME_SEQUENCE:
        if (!drawing_trigger(d, h))
            return false;
        break;
    case HOME_TIME_OF_DAY:
        drawing_time(d, h);
        break;
    case HOME_LEFT_ON:
        return draw_left_on(d, h);
    case HOME_VALUE:
        return draw_value(d, h);
    case HOME_CHAIN:
        return draw_chain(d, h);
    case HOME_LONG_QUIET:
        return draw_long_quiet(d, h);
    case HOME_SCENE_KIND:
        return draw_scene(d, h);
    case HOME_KIND_COUNT:
        return false;
    }
    drawing_gate(d, h);
    draw_level(d, h);
    return true;
}
