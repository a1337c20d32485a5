#include "home/habits.h"

#include <math.h>
#include <stdlib.h>

#include "core/xalloc.h"
#include "home/drawing.h"
#include "home/streams.h"

enum { HOUR = 3600, HABITS_USUAL_MAX = 10 };

/* How often each kind is drawn, when it is allowed. */
static const struct {
    enum home_habit_kind kind;
    double weight;
} mix[] = {
    {HOME_TIME_OF_DAY, .29}, {HOME_SUN, .12},   {HOME_SEQUENCE, .22},   {HOME_LEFT_ON, .07},
    {HOME_VALUE, .10},       {HOME_CHAIN, .07}, {HOME_LONG_QUIET, .07}, {HOME_SCENE_KIND, .06},
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

uint8_t drawing_weekdays(struct rng *rng)
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
        .weekdays = drawing_weekdays(rng),
        .sigma_s = rng_between(rng, s->sigma_low_min, s->sigma_high_min) * 60,
        .adherence = rng_between(rng, s->adherence_low, s->adherence_high),
        .duration_spread = rng_between(rng, .5, .9),
        .trigger = UINT32_MAX,
        .level = HOME_NO_LEVEL,
        .from_day = s->first_day - 1000,
        .to_day = INT64_MAX,
    };
    h.duration_s = h.word == HOME_ON ? rng_between(rng, 30, 240) * 60 : 150 * 60;
    return h;
}

bool drawing_is_taken(const struct home *home, uint32_t entity)
{
    for (size_t h = 0; h < home->habit_count; h++)
        if (home->habits[h].entity == entity)
            return true;
    return false;
}

bool habits_hang_on(const struct home *home, uint32_t entity)
{
    for (size_t h = 0; h < home->habit_count; h++) {
        const struct home_habit *habit = &home->habits[h];
        const bool gated = habit->gate.kind == HOME_GATE_LUX || habit->gate.kind == HOME_GATE_MODE;
        if (habit->trigger == entity || habit->entity == entity ||
            (gated && habit->gate.entity == entity))
            return true;
    }
    for (size_t r = 0; r < home->rule_count; r++)
        if (home->rules[r].trigger == (int64_t)entity)
            return true;
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

/* For the next unit, which a try that fails may have exchanged for another. */
static struct home_habit draw_habit(struct drawing *d)
{
    for (int i = 0; i < DRAWING_TRIES; i++) {
        struct home_habit h = draw_basics(d, draw_kind(d), d->units[d->next]);
        if (!drawing_details(d, &h))
            continue;
        if (h.kind <= HOME_SEQUENCE)
            draw_change(d, &h);
        return h;
    }
    struct home_habit h = draw_basics(d, HOME_TIME_OF_DAY, d->units[d->next]);
    drawing_time(d, &h);
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
           h->level == HOME_NO_LEVEL && fabs(last->at_s - h->at_s) >= 5 * HOUR;
}

static void make_habitual(struct drawing *d, uint32_t entity, double factor)
{
    struct home_entity *e = &d->home->entities[entity];
    if (e->role == HOME_ROLE_DISTRACTOR)
        e->role = HOME_ROLE_HABITUAL;
    e->profile.per_day *= factor;
}

/* The device gets its habit; what it is used for besides becomes less, unless the habit is about
 * that: who has a level of their own for something uses it often. */
static void take_units(struct drawing *d, const struct home_habit *h)
{
    make_habitual(d, h->entity, h->begin != HOME_IN_USE ? .3 : h->kind == HOME_VALUE ? 2 : 1);
    if (!drawing_takes_unit(d, h)) {
        d->spare++;
        return;
    }
    d->next += 1 + h->step_count;
    d->spare -= h->step_count;
    for (int i = 0; i < h->step_count; i++)
        make_habitual(d, h->steps[i].entity, .3);
}

static void add_habits(struct drawing *d, int count)
{
    struct home *home = d->home;
    for (int i = 0; i < count; i++) {
        struct home_habit h = draw_habit(d);
        if (rng_chance(&d->rng, .2) && may_share(d, &h))
            h.entity = home->habits[home->habit_count - 1].entity;
        else
            take_units(d, &h);
        home->habits[home->habit_count++] = h;
    }
}

/* --- Scenes: of devices that never get a habit */

static bool is_member_of_scene(const struct home *home, uint32_t entity)
{
    for (size_t s = 0; s < home->scene_count; s++)
        for (int m = 0; m < home->scenes[s].member_count; m++)
            if (home->scenes[s].members[m] == entity)
                return true;
    return false;
}

/* Lamps first; from the end of the units on, which get their habits from the beginning. */
static void choose_members(struct drawing *d, struct home_scene *scene, struct rng *rng)
{
    const struct home *home = d->home;
    const int wanted = 2 + (int)rng_below(rng, HOME_SCENE_MEMBERS_MAX - 1);
    for (int round = 0; round < 2; round++) {
        for (int u = d->unit_count - 1; u >= (d->unit_count + 1) / 2; u--) {
            const struct home_entity *e = &home->entities[d->units[u]];
            const bool fits = round == 0 ? e->domain == HOME_LIGHT : e->domain == HOME_SWITCH;
            if (!fits || e->group >= 0 || is_member_of_scene(home, d->units[u]) ||
                scene->member_count >= (round == 0 ? wanted : 2))
                continue;
            scene->levels[scene->member_count] =
                e->has_level ? 5 + 5 * (int)rng_below(rng, 20) : HOME_NO_LEVEL;
            scene->members[scene->member_count++] = d->units[u];
        }
    }
}

static void draw_scenes(struct drawing *d)
{
    for (size_t s = 0; s < d->home->scene_count; s++) {
        struct rng rng;
        rng_init(&rng, d->home->seed, STREAM_SCENES, s, 0);
        choose_members(d, &d->home->scenes[s], &rng);
    }
}

int habits_draw(struct home *home, struct error *err)
{
    struct drawing d = {.home = home, .settings = &home->settings};
    d.units = xcalloc(home->entity_count + 1, sizeof *d.units);
    for (size_t e = 0; e < home->entity_count; e++)
        if (home->entities[e].role == HOME_ROLE_DISTRACTOR &&
            home->entities[e].domain < HOME_USED_DOMAINS)
            d.units[d.unit_count++] = (uint32_t)e;
    const int most = d.unit_count / 2;
    const int usual = most < HABITS_USUAL_MAX ? most : HABITS_USUAL_MAX;
    const int count = home->settings.habits < 0 ? usual : home->settings.habits;
    int result = 0;
    if (count > most) {
        result = error_set(err, ERROR_INVALID,
                           "habits: a home of %zu entities has room for at most %d, not %d",
                           home->entity_count, most, count);
    } else {
        home->habits = xcalloc((size_t)count + 1, sizeof *home->habits);
        rng_init(&d.rng, home->seed, STREAM_HABITS, 0, 0);
        d.spare = most - count;
        draw_scenes(&d);
        add_habits(&d, count);
    }
    free(d.units);
    return result;
}
