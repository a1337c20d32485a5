#include "home/day.h"

#include <stdbool.h>
#include <stdlib.h>

#include "core/xalloc.h"
#include "home/anomalies.h"
#include "home/deployed.h"
#include "home/follow.h"
#include "home/gates.h"
#include "home/readings.h"
#include "home/rng.h"
#include "home/streams.h"
#include "home/today.h"

static struct home_use *add_machine_use(struct today *today, uint32_t entity, int64_t begin_us)
{
    struct home_use *use = today_add_use(today, entity);
    use->begin_us = use->end_us = begin_us;
    use->begin_cause = use->end_cause = HOME_BY_MACHINE;
    return use;
}

static void add_programmed(struct today *today, uint32_t climate, int64_t time_us, int level)
{
    struct home_use *use = add_machine_use(today, climate, time_us);
    use->is_setting = true;
    use->level = (int16_t)level;
}

/* A timer's relay follows its clock within a second and a half. */
static void collect_machines(struct today *today)
{
    for (size_t m = 0; m < today->home->machine_count; m++) {
        const struct home_machine *machine = &today->home->machines[m];
        if (machine->off_after_s > 0)
            continue;
        struct rng rng;
        rng_init(&rng, today->home->seed, STREAM_MACHINE, m, today->local_day);
        const int64_t on_us = today_us(today, machine->on_s + rng_between(&rng, 0, 1.5));
        const int64_t off_us = today_us(today, machine->off_s + rng_between(&rng, 0, 1.5));
        if (machine->on_level > 0) {
            add_programmed(today, machine->entity, on_us, machine->on_level);
            add_programmed(today, machine->entity, off_us, machine->off_level);
        } else {
            add_machine_use(today, machine->entity, on_us)->end_us = off_us;
        }
    }
}

static struct home_wish wish_of(const struct home_use *use, uint64_t id)
{
    return (struct home_wish){
        .time_us = use->begin_us,
        .use = id,
        .entity = use->entity,
        .value = HOME_ON,
        .habit = use->begin_habit,
        .kind = WISH_BEGIN,
        .cause = use->begin_cause,
        .person = use->person,
        .step = use->step,
        .scene = use->scene,
        .level = use->level,
        .kelvin = use->kelvin,
    };
}

static void add_setting_wish(struct today *today, const struct home_use *use)
{
    struct home_wish wish = wish_of(use, 0);
    const bool is_scene = today->home->entities[use->entity].domain == HOME_SCENE;
    wish.kind = is_scene ? WISH_SCENE : WISH_ADJUST;
    today_add_wish(today, &wish);
}

/* Somebody turns it up or down while it is on. */
static void add_adjustments(struct today *today, const struct home_use *use, uint64_t id)
{
    const struct home_entity *e = &today->home->entities[use->entity];
    struct rng rng;
    if (!e->has_level || use->begin_cause == HOME_BY_MACHINE)
        return;
    rng_init(&rng, today->home->seed, STREAM_ADJUST, use->entity, use->begin_us);
    for (int n = rng_poisson(&rng, e->domain == HOME_MEDIA_PLAYER ? .8 : .25); n > 0; n--) {
        struct home_wish wish = wish_of(use, id);
        const double length_s = (double)(use->end_us - use->begin_us) / 1e6;
        wish.time_us += (int64_t)(rng_uniform(&rng) * length_s * 1e6);
        wish.kind = WISH_ADJUST;
        wish.habit = -1;
        wish.scene = 0;
        wish.cause = rng_chance(&rng, e->physical_share) ? HOME_BY_SWITCH : HOME_BY_PERSON;
        wish.level = (int16_t)(5 + 5 * rng_below(&rng, 20));
        wish.kelvin = 0;
        today_add_wish(today, &wish);
    }
}

static void add_use_wishes(struct today *today, const struct home_use *use, uint64_t id)
{
    if (use->is_setting) {
        add_setting_wish(today, use);
        return;
    }
    struct home_wish wish = wish_of(use, id);
    today_add_wish(today, &wish);
    if (use->end_us == INT64_MAX)
        return;
    wish.time_us = use->end_us;
    wish.value = HOME_OFF;
    wish.habit = use->end_habit;
    wish.kind = WISH_END;
    wish.cause = use->end_cause;
    wish.scene = 0;
    today_add_wish(today, &wish);
    add_adjustments(today, use, id);
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

/* What died says nothing any more, not even of what began on the day before. */
static bool is_dead(const struct today *today, const struct home_use *use)
{
    const int64_t dies_on = today->home->entities[use->entity].dies_on;
    return dies_on != INT64_MAX && use->begin_us >= tz_day_start(today->tz, dies_on) * SECOND_US;
}

void home_day_collect(const struct home *home, const struct tz *tz, int64_t local_day,
                      struct home_wishes *wishes)
{
    struct today today = today_of(home, tz, local_day, wishes);
    follow_prepare(&today);
    follow_collect(&today);
    collect_machines(&today);
    anomalies_apply(&today);
    for (size_t i = 0; i < today.use_count; i++)
        if (!is_dead(&today, &today.uses[i]))
            add_use_wishes(&today, &today.uses[i], home_use_id(&today, i));
    deployed_collect(&today);
    gates_collect_modes(&today);
    collect_rules(&today);
    readings_collect_changes(&today);
    collect_outages(&today);
    today_release(&today);
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
