#include "home/day.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/xalloc.h"
#include "home/people.h"
#include "home/rng.h"
#include "home/streams.h"
#include "home/today.h"
#include "home/uses.h"

/* A timer's relay follows its clock within a second and a half. */
static void collect_machines(struct today *today)
{
    for (size_t m = 0; m < today->home->machine_count; m++) {
        const struct home_machine *machine = &today->home->machines[m];
        if (machine->off_after_s > 0)
            continue;
        struct rng rng;
        rng_init(&rng, today->home->seed, STREAM_MACHINE, m, today->local_day);
        struct home_use *use = today_add_use(today, machine->entity);
        use->begin_us = today_us(today, machine->on_s + rng_between(&rng, 0, 1.5));
        use->end_us = today_us(today, machine->off_s + rng_between(&rng, 0, 1.5));
        use->begin_cause = use->end_cause = HOME_BY_MACHINE;
    }
}

static void add_use_wishes(struct today *today, const struct home_use *use, uint64_t id)
{
    struct home_wish wish = {
        .time_us = use->begin_us,
        .use = id,
        .entity = use->entity,
        .value = HOME_ON,
        .habit = use->begin_habit,
        .kind = WISH_BEGIN,
        .cause = use->begin_cause,
        .person = use->person,
        .level = use->level,
    };
    today_add_wish(today, &wish);
    wish.time_us = use->end_us;
    wish.value = HOME_OFF;
    wish.habit = use->end_habit;
    wish.kind = WISH_END;
    wish.cause = use->end_cause;
    today_add_wish(today, &wish);
}

static void collect_rules(struct today *today)
{
    for (size_t r = 0; r < today->home->rule_count; r++) {
        const struct home_rule *rule = &today->home->rules[r];
        if (rule->trigger >= 0)
            continue;
        today_add_wish(today, &(struct home_wish){
                                  /* HA's timers fire some milliseconds late */
                                  .time_us = today_us(today, rule->at_s) + 2500,
                                  .entity = rule->automation,
                                  .value = (int32_t)r,
                                  .habit = -1,
                                  .kind = WISH_RULE,
                                  .cause = HOME_BY_SYSTEM,
                              });
    }
}

/* HA is restarted every ten days or so, crashes every sixty; an entity drops out now and then. */
static void collect_outages(struct today *today)
{
    struct rng rng;
    rng_init(&rng, today->home->seed, STREAM_OUTAGES, 0, today->local_day);
    struct home_wish wish = {.habit = -1, .cause = HOME_BY_SYSTEM};
    const double u = rng_uniform(&rng);
    if (u < .12) {
        const bool crash = u < .016;
        wish.kind = crash ? WISH_CRASH : WISH_RESTART;
        wish.time_us = today_us(today, rng_between(&rng, 6, 24) * 3600);
        wish.duration_s =
            (uint32_t)(crash ? rng_between(&rng, 1200, 9000) : rng_between(&rng, 20, 180));
        today_add_wish(today, &wish);
    }
    const double dropouts = (double)today->home->entity_count * .02;
    for (int n = rng_poisson(&rng, dropouts); n > 0; n--) {
        wish.entity = rng_below(&rng, (uint32_t)today->home->entity_count);
        wish.kind = WISH_DROPOUT;
        wish.time_us = today_us(today, rng_between(&rng, 0, DAY_S));
        wish.duration_s = (uint32_t)rng_between(&rng, 20, 900);
        const enum home_domain domain = today->home->entities[wish.entity].domain;
        if (!home_lives_in_ha(domain))
            today_add_wish(today, &wish);
    }
}

void home_day_collect(const struct home *home, const struct tz *tz, int64_t local_day,
                      struct home_wishes *wishes)
{
    struct today today = today_of(home, tz, local_day, wishes);
    uses_collect(&today);
    people_draw(&today);
    uses_collect_after_coming(&today);
    uses_drop_closed(&today);
    people_walk(&today);
    uses_follow(&today);
    collect_machines(&today);
    for (size_t i = 0; i < today.use_count; i++)
        add_use_wishes(&today, &today.uses[i], ((uint64_t)local_day << 20 | i) + 1);
    collect_rules(&today);
    collect_outages(&today);
    today_release(&today);
}

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
        double value = q->base + q->wave * sin(6.283185307179586 * (day + e->phase)) +
                       q->drift * (today + (tomorrow - today) * day) +
                       q->noise * 3.46 * (rng_uniform(&rng) - .5);
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
        if (q != NULL && local_day < home->entities[e].dies_on)
            collect_sensor(home, (uint32_t)e, local_day, begin_us, end_us,
                           pace->seconds_per_reading / q->share, wishes);
    }
}

void home_wishes_add(struct home_wishes *wishes, const struct home_wish *wish)
{
    wishes->items =
        grow_array(wishes->items, wishes->count, &wishes->capacity, sizeof *wishes->items);
    wishes->items[wishes->count++] = *wish;
}

static int compare_wishes(const void *a, const void *b)
{
    const struct home_wish *x = a, *y = b;
    if (x->time_us != y->time_us)
        return x->time_us < y->time_us ? -1 : 1;
    if (x->entity != y->entity)
        return x->entity < y->entity ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

void home_wishes_sort(struct home_wishes *wishes)
{
    if (wishes->count > 1)
        qsort(wishes->items, wishes->count, sizeof *wishes->items, compare_wishes);
}

void home_wishes_release(struct home_wishes *wishes)
{
    free(wishes->items);
    *wishes = (struct home_wishes){0};
}
