#include "home/habits.h"

#include <math.h>
#include <stdlib.h>

#include "core/xalloc.h"
#include "home/rng.h"
#include "home/streams.h"
#include "home/sun.h"

enum { HOUR = 3600, USED_MAX = HOME_ENTITIES_MAX, TRIES = 50 };

/* What is left to give habits to while they are drawn. */
struct drawing {
    struct home *home;
    const struct home_settings *settings;
    struct rng rng;
    uint32_t *units;             /* devices, or leaders of groups */
    int unit_count, next, spare; /* spare: units that further habits may take besides their own */
};

/* How often each kind is drawn, when it is allowed. */
static const struct {
    enum home_habit_kind kind;
    double weight;
} mix[] = {
    {HOME_TIME_OF_DAY, .42}, {HOME_SUN, .17},   {HOME_SEQUENCE, .25},   {HOME_LEFT_ON, .04},
    {HOME_VALUE, .04},       {HOME_CHAIN, .04}, {HOME_LONG_QUIET, .04},
};
enum { MIX_COUNT = sizeof mix / sizeof mix[0] };

static enum home_habit_kind draw_kind(struct drawing *d)
{
    double total = 0;
    for (int i = 0; i < MIX_COUNT; i++)
        total += d->settings->kinds & 1u << mix[i].kind ? mix[i].weight : 0;
    double u = rng_uniform(&d->rng) * total;
    for (int i = 0; i < MIX_COUNT; i++) {
        if (!(d->settings->kinds & 1u << mix[i].kind))
            continue;
        u -= mix[i].weight;
        if (u < 0)
            return mix[i].kind;
    }
    return HOME_TIME_OF_DAY;
}

static uint8_t draw_weekdays(struct rng *rng)
{
    const double u = rng_uniform(rng);
    if (u < .46)
        return HOME_ALL_DAYS;
    if (u < .78)
        return HOME_WEEKDAYS;
    if (u < .95)
        return HOME_WEEKEND;
    return (uint8_t)(1u << rng_below(rng, 7));
}

/* What all kinds share. */
static struct home_habit draw_basics(struct drawing *d, enum home_habit_kind kind, uint32_t entity)
{
    const struct home_settings *s = d->settings;
    struct rng *rng = &d->rng;
    struct home_habit h = {
        .kind = kind,
        .entity = entity,
        .word = rng_chance(rng, .75) ? HOME_ON : HOME_OFF,
        .weekdays = draw_weekdays(rng),
        .sigma_s = rng_between(rng, s->sigma_low_min, s->sigma_high_min) * 60,
        .adherence = rng_between(rng, s->adherence_low, s->adherence_high),
        .duration_spread = rng_between(rng, .5, .9),
        .trigger = UINT32_MAX,
        .from_day = s->first_day - 1000,
        .to_day = INT64_MAX,
    };
    h.duration_s = h.word == HOME_ON ? rng_between(rng, 30, 240) * 60 : 150 * 60;
    return h;
}

static bool gate_is_allowed(const struct drawing *d, enum home_gate gate)
{
    return (d->settings->gates & 1u << gate) != 0;
}

/* A person whom HA sees, or -1. */
static int draw_seen_person(struct drawing *d)
{
    const struct home *home = d->home;
    const int p = home->people_count == 0 ? -1 : (int)rng_below(&d->rng, HOME_PEOPLE_MAX);
    return p >= 0 && p < home->people_count && home->people[p].entity >= 0 ? p : -1;
}

/* Only when that person is home: at a time at which it may be so or not. */
static void gate_by_presence(struct drawing *d, struct home_habit *h)
{
    const int p = draw_seen_person(d);
    if (p < 0 || d->home->people[p].workdays == 0)
        return;
    const struct home_person *person = &d->home->people[p];
    h->gate = HOME_GATE_PRESENCE;
    h->gate_person = p;
    if (h->kind == HOME_TIME_OF_DAY) {
        const double hour = person->return_s / HOUR + rng_between(&d->rng, -.5, .75);
        h->at_s = floor(hour * 12) * 300;
        h->weekdays = HOME_WEEKDAYS;
    }
}

static void draw_gate(struct drawing *d, struct home_habit *h)
{
    const double u = rng_uniform(&d->rng);
    const bool alone = !gate_is_allowed(d, HOME_UNGATED);
    const bool presence = gate_is_allowed(d, HOME_GATE_PRESENCE);
    const bool dark = gate_is_allowed(d, HOME_GATE_DARK) && h->kind == HOME_SEQUENCE;
    if (presence && h->kind != HOME_SUN && (u < .12 || alone))
        gate_by_presence(d, h);
    else if (dark && (u > .7 || alone))
        h->gate = HOME_GATE_DARK;
}

/* People choose round times: whole five minutes. Far enough from midnight that the jitter does not
 * leave the day; what ends at its time began the same day. */
static void draw_time(struct drawing *d, struct home_habit *h)
{
    const double spare = 3.2 * h->sigma_s / HOUR;
    const double first = h->word == HOME_ON ? 5.75 : 11,
                 last = 24 - spare < 22.75 ? 24 - spare : 22.75;
    h->at_s = floor(rng_between(&d->rng, first, last) * 12) * 300;
}

/* False where the sun does not rise and set on all days. */
static bool draw_sun(struct drawing *d, struct home_habit *h)
{
    const struct home_settings *s = d->settings;
    double ignored;
    for (int64_t day = s->first_day - 1; day <= s->last_day + 1; day++)
        if (!sun_find_event(s->latitude, s->longitude, day, true, &ignored))
            return false;
    h->at_sunset = rng_chance(&d->rng, .7);
    h->at_s = h->at_sunset ? (double)((int)rng_below(&d->rng, 25) - 12) * 300
                           : (double)((int)rng_below(&d->rng, 19) - 6) * 300;
    if (!h->at_sunset)
        h->word = rng_chance(&d->rng, .5) ? HOME_ON : HOME_OFF;
    return true;
}

static bool is_taken(const struct home *home, uint32_t entity)
{
    for (size_t h = 0; h < home->habit_count; h++)
        if (home->habits[h].entity == entity)
            return true;
    return false;
}

static bool is_used_as_trigger(const struct home *home, uint32_t entity)
{
    for (size_t h = 0; h < home->habit_count; h++)
        if (home->habits[h].trigger == entity)
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
        return is_seldom(e) && !is_taken(d->home, entity);
    return role != HOME_ROLE_DISTRACTOR || e->profile.per_day >= .8;
}

static bool draw_trigger_of_role(struct drawing *d, struct home_habit *h, enum home_role role)
{
    for (int i = 0; i < TRIES; i++) {
        const uint32_t e = rng_below(&d->rng, (uint32_t)d->home->entity_count);
        if (e == h->entity || !fits_trigger(d, e, role))
            continue;
        h->trigger = e;
        return true;
    }
    return false;
}

/* Something that a person does and HA sees: comes in, comes home, switches something else. Devices
 * come from the second half of the units, which never get a habit. */
static bool draw_trigger(struct drawing *d, struct home_habit *h)
{
    const double u = rng_uniform(&d->rng);
    const int p = draw_seen_person(d);
    h->trigger_word = HOME_ON;
    if (u < .2 && p >= 0 && !is_used_as_trigger(d->home, (uint32_t)d->home->people[p].entity)) {
        h->trigger = (uint32_t)d->home->people[p].entity;
        return true;
    }
    if (u < .55 && draw_trigger_of_role(d, h, HOME_ROLE_DETECTOR))
        return true;
    for (int i = 0; i < TRIES; i++) {
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

static bool draw_sequence(struct drawing *d, struct home_habit *h)
{
    if (d->unit_count < 3 || !draw_trigger(d, h))
        return false;
    struct rng *rng = &d->rng;
    h->weekdays = HOME_ALL_DAYS;
    h->lag_s = exp(rng_between(rng, log(6), log(240)));
    h->lag_spread = rng_between(rng, .15, .6);
    h->word = rng_chance(rng, .85) ? HOME_ON : HOME_OFF;
    h->duration_s = rng_between(rng, 10, 60) * 60;
    return true;
}

static bool draw_left_on(struct drawing *d, struct home_habit *h)
{
    h->word = HOME_OFF;
    h->weekdays = HOME_ALL_DAYS;
    h->duration_s = rng_between(&d->rng, 5, 40) * 60;
    h->duration_spread = rng_between(&d->rng, .1, .3);
    return d->home->entities[h->entity].group < 0;
}

static bool draw_value(struct drawing *d, struct home_habit *h)
{
    h->word = HOME_ON;
    h->weekdays = HOME_ALL_DAYS;
    h->at_s = 18 * HOUR + 1800 * (int)rng_below(&d->rng, 7);
    h->level = 10 + 5 * (int)rng_below(&d->rng, 10);
    const struct home_entity *e = &d->home->entities[h->entity];
    /* a switch on the wall tells nobody how bright */
    return e->has_level && (e->domain != HOME_LIGHT || e->physical_share < .5);
}

/* The steps take the units after the habit's own. */
static bool draw_chain(struct drawing *d, struct home_habit *h)
{
    const int steps = d->spare < HOME_STEPS_MAX - 1 ? d->spare : 1 + (int)rng_below(&d->rng, 2);
    if (steps < 1 || !draw_sequence(d, h))
        return false;
    h->word = HOME_ON;
    h->step_count = steps;
    for (int i = 0; i < steps; i++)
        h->steps[i] = (struct home_step){.entity = d->units[d->next + 1 + i],
                                         .word = HOME_ON,
                                         .lag_s = exp(rng_between(&d->rng, log(5), log(90)))};
    return true;
}

/* A door or window that is opened every day, but not in the last days. It takes no unit. */
static bool draw_long_quiet(struct drawing *d, struct home_habit *h)
{
    const struct home_settings *s = d->settings;
    if (s->last_day - s->first_day < 13)
        return false;
    for (int i = 0; i < TRIES; i++) {
        const uint32_t e = rng_below(&d->rng, (uint32_t)d->home->entity_count);
        const struct home_entity *entity = &d->home->entities[e];
        if (entity->role != HOME_ROLE_DETECTOR || entity->profile.bump_count == 0 ||
            entity->is_front_door || is_used_as_trigger(d->home, e) || is_taken(d->home, e))
            continue;
        h->entity = e;
        h->word = HOME_ON;
        h->weekdays = HOME_ALL_DAYS;
        h->from_day = s->last_day - 1 - (int)rng_below(&d->rng, 3);
        h->to_day = INT64_MAX;
        return true;
    }
    return false;
}

/* A habit may drift, begin late or stop early. */
static void draw_change(struct drawing *d, struct home_habit *h)
{
    const struct home_settings *s = d->settings;
    const double days = (double)(s->last_day - s->first_day + 1), u = rng_uniform(&d->rng);
    const double far = rng_between(&d->rng, 4, 15) * 60, part = rng_uniform(&d->rng);
    if ((s->trouble & HOME_DRIFT) && u < .08 && h->kind != HOME_SEQUENCE)
        h->drift_s = (u < .04 ? far : -far) * days / 30;
    else if ((s->trouble & HOME_CHANGE) && u >= .08 && u < .13)
        h->to_day = s->first_day + (int64_t)((.35 + .3 * part) * days);
    else if ((s->trouble & HOME_CHANGE) && u >= .13 && u < .17)
        h->from_day = s->first_day + (int64_t)((.1 + .3 * part) * days);
    /* A longer history would carry it too far from where it is said to be. */
    if (fabs(h->drift_s) > 18 * 60)
        h->drift_s = h->drift_s > 0 ? 18 * 60 : -18 * 60;
}

/* Fills in what the kind needs; false when this home has nothing to hang it on. */
static bool draw_details(struct drawing *d, struct home_habit *h)
{
    switch (h->kind) {
    case HOME_SUN:
        return draw_sun(d, h);
    case HOME_SEQUENCE:
        if (!draw_sequence(d, h))
            return false;
        break;
    case HOME_TIME_OF_DAY:
        draw_time(d, h);
        break;
    case HOME_LEFT_ON:
        return draw_left_on(d, h);
    case HOME_VALUE:
        return draw_value(d, h);
    case HOME_CHAIN:
        return draw_chain(d, h);
    case HOME_LONG_QUIET:
        return draw_long_quiet(d, h);
    case HOME_KIND_COUNT:
        return false;
    }
    draw_gate(d, h);
    return true;
}

static struct home_habit draw_habit(struct drawing *d, uint32_t entity)
{
    for (int i = 0; i < TRIES; i++) {
        struct home_habit h = draw_basics(d, draw_kind(d), entity);
        if (!draw_details(d, &h))
            continue;
        if (h.kind <= HOME_SEQUENCE)
            draw_change(d, &h);
        return h;
    }
    struct home_habit h = draw_basics(d, HOME_TIME_OF_DAY, entity);
    draw_time(d, &h);
    return h;
}

/* A second habit of one device lies at least five hours from its first. */
static bool may_share(const struct drawing *d, const struct home_habit *h)
{
    const struct home *home = d->home;
    if (home->habit_count == 0)
        return false;
    const struct home_habit *last = &home->habits[home->habit_count - 1];
    if (home->habit_count > 1 && last[-1].entity == last->entity)
        return false;
    return last->kind == HOME_TIME_OF_DAY && h->kind == HOME_TIME_OF_DAY &&
           fabs(last->at_s - h->at_s) >= 5 * HOUR;
}

static void make_habitual(struct drawing *d, uint32_t entity, double factor)
{
    d->home->entities[entity].role = HOME_ROLE_HABITUAL;
    d->home->entities[entity].profile.per_day *= factor;
}

/* The device gets its habit; what it is used for besides becomes less, unless the habit is about
 * that. */
static void take_units(struct drawing *d, const struct home_habit *h)
{
    const bool about_use = h->kind == HOME_LEFT_ON || h->kind == HOME_VALUE;
    make_habitual(d, h->entity, about_use ? 1 : .3);
    d->next += 1 + h->step_count;
    d->spare -= h->step_count;
    for (int i = 0; i < h->step_count; i++)
        make_habitual(d, h->steps[i].entity, .3);
}

static void add_habits(struct drawing *d, int count)
{
    struct home *home = d->home;
    for (int i = 0; i < count; i++) {
        struct home_habit h = draw_habit(d, d->units[d->next]);
        if (h.kind == HOME_LONG_QUIET)
            d->spare++;
        else if (rng_chance(&d->rng, .2) && may_share(d, &h))
            h.entity = home->habits[home->habit_count - 1].entity;
        else
            take_units(d, &h);
        home->habits[home->habit_count++] = h;
    }
}

int habits_draw(struct home *home, struct error *err)
{
    struct drawing d = {.home = home, .settings = &home->settings};
    d.units = xcalloc(home->entity_count + 1, sizeof *d.units);
    for (size_t e = 0; e < home->entity_count; e++)
        if (home->entities[e].role == HOME_ROLE_DISTRACTOR)
            d.units[d.unit_count++] = (uint32_t)e;
    const int most = d.unit_count / 2;
    const int count = home->settings.habits < 0 ? (most < 8 ? most : 8) : home->settings.habits;
    int result = 0;
    if (count > most) {
        result = error_set(err, ERROR_INVALID,
                           "habits: a home of %zu entities has room for at most %d, not %d",
                           home->entity_count, most, count);
    } else {
        home->habits = xcalloc((size_t)count + 1, sizeof *home->habits);
        rng_init(&d.rng, home->seed, STREAM_HABITS, 0, 0);
        d.spare = most - count;
        add_habits(&d, count);
    }
    free(d.units);
    return result;
}
