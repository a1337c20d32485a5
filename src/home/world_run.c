/* What runs in a home by itself: automations, covers on their way, outages, groups. */
#include "home/world_private.h"

enum { LOADING_US = 110 }; /* of an entity, when HA starts */

/* --- Automations
 * ----------------------------------------------------------------------------------- */

/* HA rewrites the automation's own state when a run begins and ends: new attributes, same state. */
static void touch_automation(struct home_world *w, int64_t time_us, uint32_t entity,
                             const struct home_context *context)
{
    if (w->states[entity].shown == HOME_ON)
        world_touch(w, time_us, entity, HOME_BY_AUTOMATION, context);
}

void world_trigger_rule(struct home_world *w, int64_t time_us, uint32_t rule_index,
                        const struct home_context *trigger)
{
    const struct home_rule *rule = &w->home->rules[rule_index];
    if (!w->up || w->states[rule->automation].shown != HOME_ON)
        return;
    const struct home_context context = world_child_context(w, time_us, trigger);
    world_emit_event(w, &(struct home_event){.time_us = time_us + 300,
                                             .kind = HOME_EVENT_AUTOMATION,
                                             .entity = rule->automation,
                                             .rule = rule_index,
                                             .level = HOME_NO_LEVEL,
                                             .habit = -1,
                                             .context = context});
    touch_automation(w, time_us + 500, rule->automation, &context);
    const int64_t delay_us = 2000 + (int64_t)rng_below(&w->rng, 120000);
    world_push(w, (struct pending){.time_us = time_us + delay_us,
                                   .kind = PENDING_ACT,
                                   .entity = rule->target,
                                   .rule = rule_index,
                                   .run = ++w->runs[rule_index],
                                   .context = context});
}

static void begin_rule_act(struct home_world *w, const struct pending *item)
{
    struct entity_state *s = &w->states[item->entity];
    const struct home_rule *rule = &w->home->rules[item->rule];
    const bool was_on = s->actual == HOME_ON;
    if (!w->up || s->outages > 0)
        return;
    if (!was_on) {
        s->actual = HOME_ON;
        s->level = HOME_NO_LEVEL;
        s->use = USE_OF_RULE;
        world_show(w, item->time_us, item->entity, HOME_ON, HOME_BY_AUTOMATION, &item->context);
    }
    struct pending off = *item;
    off.kind = PENDING_RULE_OFF;
    off.time_us += rule->off_after_s * SECOND_US;
    world_push(w, off);
}

static void end_rule_act(struct home_world *w, const struct pending *item)
{
    struct entity_state *s = &w->states[item->entity];
    if (item->run != w->runs[item->rule]) /* triggered again: that run goes on instead */
        return;
    if (s->actual == HOME_ON && s->outages == 0) {
        s->actual = HOME_OFF;
        s->use = 0;
        world_show(w, item->time_us, item->entity, HOME_OFF, HOME_BY_AUTOMATION, &item->context);
    }
    touch_automation(w, item->time_us + 400, w->home->rules[item->rule].automation, &item->context);
}

void world_trigger_by_change(struct home_world *w, int64_t time_us, uint32_t entity,
                             const struct home_context *context)
{
    for (size_t r = 0; r < w->home->rule_count; r++)
        if (w->home->rules[r].trigger == (int64_t)entity)
            world_trigger_rule(w, time_us + 1500, (uint32_t)r, context);
}

/* --- Covers
 * ----------------------------------------------------------------------------------------- */

void world_take_position(struct home_world *w, const struct pending *item)
{
    struct entity_state *s = &w->states[item->entity];
    if (item->run != s->move) /* it was sent elsewhere meanwhile */
        return;
    s->actual = item->level > 0 ? HOME_ON : HOME_OFF;
    s->level = item->level;
}

/* HA forgets who moved it within five seconds: most covers take longer. */
static void arrive(struct home_world *w, const struct pending *item)
{
    struct entity_state *s = &w->states[item->entity];
    world_take_position(w, item);
    if (item->run == s->move && w->up && s->outages == 0)
        world_show(w, item->time_us, item->entity, s->actual, HOME_BY_SYSTEM, NULL);
}

/* --- Outages
 * ------------------------------------------------------------------------------------------ */

/* An entity of HA itself is there at once; a device takes seconds, and may be unknown first. */
static void load_entity(struct home_world *w, int64_t time_us, uint32_t entity)
{
    const enum home_domain domain = w->home->entities[entity].domain;
    struct entity_state *s = &w->states[entity];
    if (home_lives_in_ha(domain)) {
        world_show(w, time_us, entity, s->actual, HOME_BY_SYSTEM, NULL);
        return;
    }
    s->outages++;
    world_show(w, time_us, entity, HOME_UNAVAILABLE, HOME_BY_SYSTEM, NULL);
    if (rng_chance(&w->rng, .15))
        world_push(w, (struct pending){
                          .time_us = time_us + 1500000, .kind = PENDING_UNKNOWN, .entity = entity});
    const double delay_s = rng_between(&w->rng, 2, 40);
    world_push(w, (struct pending){.time_us = time_us + (int64_t)(delay_s * 1e6),
                                   .kind = PENDING_RECOVER,
                                   .entity = entity});
}

void world_come_up(struct home_world *w, int64_t time_us)
{
    const int64_t loaded_us = time_us + 300000 + (int64_t)w->home->entity_count * LOADING_US;
    w->starts = true;
    if (w->sink->run_begins != NULL)
        w->sink->run_begins(w->sink->data, time_us);
    world_emit_start_or_stop(w, time_us + 200000, HOME_EVENT_START);
    world_push(w, (struct pending){.time_us = loaded_us, .kind = PENDING_LOAD});
    world_push(w, (struct pending){.time_us = time_us + 2 * SECOND_US, .kind = PENDING_STARTED});
}

/* One after the other; only then HA sees what happens: rows stand in the order of their times. */
static void load(struct home_world *w, int64_t loaded_us)
{
    w->up = true;
    w->starts = false;
    for (size_t e = 0; e < w->home->entity_count; e++) {
        const int64_t left = (int64_t)(w->home->entity_count - e);
        w->states[e].shown = HOME_ABSENT;
        w->states[e].outages = 0;
        load_entity(w, loaded_us - left * LOADING_US, (uint32_t)e);
    }
}

void world_go_down(struct home_world *w, int64_t time_us, bool clean)
{
    if (clean)
        world_emit_start_or_stop(w, time_us, HOME_EVENT_STOP);
    if (w->sink->run_ends != NULL)
        w->sink->run_ends(w->sink->data, time_us + 10000, clean);
    w->up = w->starts = false;
    for (size_t i = 0; i < w->heap_count; i++) /* lamps and covers act without HA, too */
        if (w->heap[i].kind == PENDING_FOLLOW)
            w->states[w->heap[i].entity].actual = w->heap[i].value;
        else if (w->heap[i].kind == PENDING_ARRIVE)
            world_take_position(w, &w->heap[i]);
    w->heap_count = 0; /* runs and recoveries end with HA */
}

static void recover(struct home_world *w, int64_t time_us, uint32_t entity)
{
    struct entity_state *s = &w->states[entity];
    if (s->outages > 0 && --s->outages == 0)
        world_show(w, time_us, entity, s->actual, HOME_BY_SYSTEM, NULL);
}

/* --- Groups
 * ----------------------------------------------------------------------------------------- */

static void follow(struct home_world *w, const struct pending *item)
{
    struct entity_state *s = &w->states[item->entity];
    s->actual = item->value;
    if (w->up && s->outages == 0)
        world_show(w, item->time_us, item->entity, item->value, item->cause, &item->context);
}

/* The others of a group act within its time, as what did it in HA does with all of them in one
 * context; a switch on the wall tells HA nothing about that. HA's own group of them is on while
 * one of them is. */
void world_lead(struct home_world *w, int64_t time_us, uint32_t entity, uint8_t cause,
                const struct home_context *context)
{
    const int index = w->home->entities[entity].group;
    if (index < 0 || w->home->groups[index].leader != entity)
        return;
    const struct home_group *g = &w->home->groups[index];
    struct pending item = {.kind = PENDING_FOLLOW,
                           .value = w->states[entity].actual,
                           .cause = cause,
                           .context = *context};
    double latest = 0;
    for (uint32_t m = 0; m < g->member_count; m++) {
        const double delay_s = rng_between(&w->rng, .05, g->latest_s);
        latest = delay_s > latest ? delay_s : latest;
        item.entity = g->first_member + m;
        item.time_us = time_us + (int64_t)(delay_s * 1e6);
        if (cause == HOME_BY_SWITCH)
            item.context = world_new_context(w, item.time_us);
        world_push(w, item);
    }
    if (g->entity < 0)
        return;
    item.entity = (uint32_t)g->entity;
    item.time_us = time_us + 1000 + (item.value == HOME_ON ? 0 : (int64_t)(latest * 1e6));
    world_push(w, item);
}

void world_happen(struct home_world *w, const struct pending *item)
{
    switch (item->kind) {
    case PENDING_UP:
        world_come_up(w, item->time_us);
        break;
    case PENDING_LOAD:
        load(w, item->time_us);
        break;
    case PENDING_STARTED:
        world_emit_start_or_stop(w, item->time_us, HOME_EVENT_STARTED);
        break;
    case PENDING_UNKNOWN:
        world_show(w, item->time_us, item->entity, HOME_UNKNOWN, HOME_BY_SYSTEM, NULL);
        break;
    case PENDING_RECOVER:
        recover(w, item->time_us, item->entity);
        break;
    case PENDING_ACT:
        begin_rule_act(w, item);
        break;
    case PENDING_RULE_OFF:
        end_rule_act(w, item);
        break;
    case PENDING_FOLLOW:
        follow(w, item);
        break;
    case PENDING_ARRIVE:
        arrive(w, item);
        break;
    }
}
