#include "home/plan.h"

#include <math.h>
#include <stdlib.h>

#include "core/xalloc.h"
#include "home/anomalies.h"
#include "home/furnish.h"
#include "home/habits.h"
#include "home/people.h"
#include "home/rng.h"
#include "home/streams.h"

/* A stretch of days within the history, drawn by chance; none in short ones. */
static struct home_span draw_span(struct rng *rng, const struct home_settings *s, double chance,
                                  int shortest, int longest)
{
    const int64_t days = s->last_day - s->first_day + 1;
    const bool happens = rng_chance(rng, chance);
    const int length = shortest + (int)rng_below(rng, (uint32_t)(longest - shortest + 1));
    if (!happens || days < 7 * (int64_t)length)
        return (struct home_span){1, 0};
    const int64_t from = s->first_day + (int64_t)(rng_uniform(rng) * (double)(days - length));
    return (struct home_span){from, from + length - 1};
}

/* One detector in ten dies within the history, one in ten flaps; none that a habit hangs on. */
static void draw_sensor_trouble(struct home *home)
{
    const struct home_settings *s = &home->settings;
    const double days = (double)(s->last_day - s->first_day + 1);
    for (size_t e = 0; e < home->entity_count; e++) {
        struct home_entity *entity = &home->entities[e];
        struct rng rng;
        rng_init(&rng, home->seed, STREAM_SENSORS, e, 0);
        const double u = rng_uniform(&rng);
        const bool may = entity->role == HOME_ROLE_DETECTOR || entity->role == HOME_ROLE_MEASURED;
        if (!may || habits_hang_on(home, (uint32_t)e))
            continue;
        if (u < .1)
            entity->dies_on = s->first_day + (int64_t)(rng_between(&rng, .2, .9) * days);
        else if (u < .2 && entity->role == HOME_ROLE_DETECTOR)
            entity->flapping_share = rng_between(&rng, .05, .2);
    }
}

static void draw_trouble(struct home *home)
{
    const struct home_settings *s = &home->settings;
    struct rng rng;
    rng_init(&rng, home->seed, STREAM_TROUBLE, 0, 0);
    home->holidays = draw_span(&rng, s, s->trouble & HOME_HOLIDAYS ? .25 : 0, 2, 8);
    home->guests = draw_span(&rng, s, s->trouble & HOME_GUESTS ? .3 : 0, 1, 4);
    if (s->trouble & HOME_SENSORS)
        draw_sensor_trouble(home);
}

struct home_settings home_settings_default(uint64_t seed, int entities, int64_t first_day,
                                           int64_t last_day)
{
    return (struct home_settings){
        .seed = seed,
        .entities = entities,
        .habits = -1,
        .kinds = (1u << HOME_KIND_COUNT) - 1,
        .gates = (1u << HOME_GATE_COUNT) - 1,
        .trouble = HOME_TROUBLES_ALL,
        .anomalies = (1u << HOME_ANOMALY_COUNT) - 1,
        .adherence_low = .60,
        .adherence_high = .95,
        .sigma_low_min = 2,
        .sigma_high_min = 30,
        .first_day = first_day,
        .last_day = last_day,
        .latitude = 52.52,
        .longitude = 13.405,
    };
}

int64_t home_settings_us(const struct home_settings *s, int64_t local_day, double second)
{
    enum { SECONDS_PER_DEGREE = 240 };
    const double days = floor(second / DAY_S), within = second - days * DAY_S;
    if (s->tz != NULL)
        return tz_to_utc(s->tz, local_day + (int64_t)days, (int)within) * 1000000;
    const double mean_s = second - s->longitude * SECONDS_PER_DEGREE;
    return (local_day * DAY_S + (int64_t)mean_s) * 1000000;
}

static void allocate(struct home *home, const struct home_shape *shape)
{
    home->entities = xcalloc((size_t)home->settings.entities, sizeof *home->entities);
    home->groups = xcalloc((size_t)shape->groups + 1, sizeof *home->groups);
    home->rules = xcalloc((size_t)shape->automations, sizeof *home->rules);
    home->machines = xcalloc((size_t)shape->machines + 2, sizeof *home->machines);
    home->scenes = xcalloc((size_t)shape->scenes + 1, sizeof *home->scenes);
    home->modes = xcalloc((size_t)shape->modes + 1, sizeof *home->modes);
}

int home_init(struct home *home, const struct home_settings *settings, struct error *err)
{
    *home = (struct home){.settings = *settings, .seed = settings->seed};
    const int entities = settings->entities;
    if (entities < HOME_ENTITIES_MIN || entities > HOME_ENTITIES_MAX)
        return error_set(err, ERROR_INVALID, "entities: %d is not in %d..%d", entities,
                         (int)HOME_ENTITIES_MIN, (int)HOME_ENTITIES_MAX);
    const struct home_shape shape = furnish_shape(entities);
    allocate(home, &shape);
    furnish(home, &shape);
    if (habits_draw(home, err) < 0)
        return -1;
    people_weigh_areas(home);
    draw_trouble(home);
    anomalies_draw(home);
    home->settings.tz = NULL; /* it was borrowed for the drawing alone */
    return 0;
}

void home_release(struct home *home)
{
    for (size_t i = 0; i < home->entity_count; i++) {
        free(home->entities[i].entity_id);
        free(home->entities[i].name);
    }
    free(home->entities);
    free(home->habits);
    free(home->groups);
    free(home->rules);
    free(home->machines);
    free(home->deployed);
    free(home->scenes);
    free(home->modes);
    *home = (struct home){0};
}
