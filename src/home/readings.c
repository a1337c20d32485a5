#include "home/readings.h"

#include <math.h>

#include "home/rng.h"
#include "home/streams.h"
#include "home/weather.h"

/* The level to which a sensor wandered by the start of a day: smoothed white noise. */
static double level_of(const struct home *home, uint32_t entity, int64_t local_day)
{
    double level = 0;
    for (int k = 0; k < 3; k++) {
        struct rng rng;
        rng_init(&rng, home->seed, STREAM_LEVEL, entity, local_day - k);
        level += rng_normal(&rng, 0, .58);
    }
    return level;
}

/* What a sensor shows at a time, in its unit. */
static double value_at(const struct home *home, uint32_t entity, struct rng *rng, int64_t time_us,
                       double part_of_day, double wandered)
{
    const struct home_entity *e = &home->entities[entity];
    const struct home_quantity *q = e->quantity;
    if (e->daylight > 0)
        return weather_lux(home, entity, time_us) * rng_lognormal(rng, 1, .03);
    return q->base + q->wave * sin(6.283185307179586 * (part_of_day + e->phase)) +
           q->drift * wandered + q->noise * 3.46 * (rng_uniform(rng) - .5);
}

static void collect_sensor(const struct home *home, uint32_t entity, int64_t local_day,
                           int64_t begin_us, int64_t end_us, double step_s,
                           struct home_wishes *wishes)
{
    const struct home_entity *e = &home->entities[entity];
    const struct home_quantity *q = e->quantity;
    const double today = level_of(home, entity, local_day);
    const double tomorrow = level_of(home, entity, local_day + 1);
    const double scale = pow(10, q->decimals), length = (double)(end_us - begin_us);
    struct rng rng;
    rng_init(&rng, home->seed, STREAM_READINGS, entity, local_day);
    struct home_wish wish = {
        .entity = entity, .habit = -1, .kind = WISH_READING, .cause = HOME_BY_SYSTEM};
    /* The grid of the readings goes on across midnight. */
    const double step_us = step_s * 1e6;
    double grid = ceil((double)begin_us / step_us - e->phase);
    for (;; grid += 1) {
        const int64_t t = (int64_t)((grid + e->phase) * step_us);
        if (t >= end_us)
            break;
        const double day = (double)(t - begin_us) / length;
        const double wandered = today + (tomorrow - today) * day;
        double value = value_at(home, entity, &rng, t, day, wandered);
        value = value < q->low ? q->low : value > q->high ? q->high : value;
        wish.time_us = t + (int64_t)(rng_uniform(&rng) * .9 * step_us);
        wish.value = (int32_t)lrint(value * scale);
        home_wishes_add(wishes, &wish);
    }
}

void home_day_collect_readings(const struct home *home, const struct tz *tz, int64_t local_day,
                               const struct home_pace *pace, struct home_wishes *wishes)
{
    const int64_t begin_us = tz_day_start(tz, local_day) * SECOND_US;
    const int64_t end_us = tz_day_start(tz, local_day + 1) * SECOND_US;
    for (size_t e = 0; e < home->entity_count; e++) {
        const struct home_quantity *q = home->entities[e].quantity;
        if (q != NULL && q->share > 0 && local_day < home->entities[e].dies_on)
            collect_sensor(home, (uint32_t)e, local_day, begin_us, end_us,
                           pace->seconds_per_reading / q->share, wishes);
    }
}

/* A sensor of light on one day. */
struct light_meter {
    uint32_t entity;
    struct rng rng;
    int64_t look_us; /* the next one */
    int64_t told_us;
    double told; /* the last reading, and its time; -1: none yet */
};

static void meter_begin(struct light_meter *m, const struct today *today, uint32_t entity)
{
    const struct home_entity *e = &today->home->entities[entity];
    const double step_us = (double)(e->report_s * SECOND_US);
    *m = (struct light_meter){
        .entity = entity, .look_us = today->begin_us + (int64_t)(e->phase * step_us), .told = -1};
    rng_init(&m->rng, today->home->seed, STREAM_LUX, entity, today->local_day);
}

/* It tells what changed by a tenth, five minutes after the last look at most. False: not again
 * before that time. */
static bool meter_tell(struct light_meter *m, const struct today *today, int64_t before_us)
{
    const int64_t step_us = today->home->entities[m->entity].report_s * SECOND_US;
    for (; m->look_us < before_us; m->look_us += step_us) {
        const double factor = rng_lognormal(&m->rng, 1, .02);
        const double lux = weather_lux(today->home, m->entity, m->look_us) * factor;
        if (fabs(lux - m->told) < fmax(.1 * m->told, .5))
            continue;
        m->told = lux;
        m->told_us = m->look_us;
        m->look_us += step_us;
        return true;
    }
    return false;
}

static void collect_light(struct today *today, uint32_t entity)
{
    const double scale = pow(10, today->home->entities[entity].quantity->decimals);
    struct light_meter meter;
    meter_begin(&meter, today, entity);
    while (meter_tell(&meter, today, today->end_us))
        today_add_wish(today, &(struct home_wish){.time_us = meter.told_us,
                                                  .value = (int32_t)lrint(meter.told * scale),
                                                  .entity = entity,
                                                  .habit = -1,
                                                  .level = HOME_NO_LEVEL,
                                                  .kind = WISH_READING,
                                                  .cause = HOME_BY_SYSTEM});
}

double readings_told_lux(const struct today *today, uint32_t entity, int64_t time_us)
{
    struct light_meter meter;
    meter_begin(&meter, today, entity);
    while (meter_tell(&meter, today, time_us))
        ;
    const double scale = pow(10, today->home->entities[entity].quantity->decimals);
    return meter.told >= 0 ? (double)lrint(meter.told * scale) / scale
                           : weather_lux(today->home, entity, time_us);
}

/* How warm it is at a climate, every half hour or so, in tenths of a degree. */
static void collect_temperature(struct today *today, uint32_t entity)
{
    enum { STEP_S = 2400 };
    struct rng rng;
    rng_init(&rng, today->home->seed, STREAM_TEMPERATURE, entity, today->local_day);
    const double phase = today->home->entities[entity].phase;
    const double level = rng_normal(&rng, 202, 5);
    for (double s = phase * STEP_S; s < DAY_S; s += rng_between(&rng, .6, 1.4) * STEP_S) {
        const double wave = 7 * sin(6.283185307179586 * (s / DAY_S + phase));
        today_add_wish(today, &(struct home_wish){
                                  .time_us = today_us(today, s),
                                  .entity = entity,
                                  .value = (int32_t)lrint(level + wave + rng_normal(&rng, 0, 1)),
                                  .level = HOME_NO_LEVEL,
                                  .habit = -1,
                                  .kind = WISH_READING,
                                  .cause = HOME_BY_SYSTEM,
                              });
    }
}

void readings_collect_changes(struct today *today)
{
    for (size_t e = 0; e < today->home->entity_count; e++) {
        const struct home_entity *entity = &today->home->entities[e];
        if (today->local_day >= entity->dies_on)
            continue;
        if (entity->report_s > 0)
            collect_light(today, (uint32_t)e);
        else if (entity->domain == HOME_CLIMATE)
            collect_temperature(today, (uint32_t)e);
    }
}
