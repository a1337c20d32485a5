#include "home/world.h"

#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "home/rng.h"
#include "home/streams.h"

#define SECOND_US INT64_C(1000000)

static const uint64_t use_of_rule = UINT64_MAX;

/* What is under way: ends of automation runs, entities coming back, HA coming up. */
enum pending_kind {
    PENDING_UP,
    PENDING_STARTED,
    PENDING_UNKNOWN,
    PENDING_RECOVER,
    PENDING_ACT,
    PENDING_RULE_OFF,
    PENDING_FOLLOW, /* a member of a group does what its leader did */
};

struct pending {
    int64_t time_us;
    uint64_t order; /* first come, first served at equal times */
    enum pending_kind kind;
    uint32_t entity;
    uint32_t rule;
    uint64_t run; /* of the rule */
    int32_t value;
    uint8_t cause;
    struct home_context context;
};

struct entity_state {
    uint64_t use;     /* that holds it on */
    int32_t actual;   /* what the thing itself does */
    int32_t shown;    /* what HA believes */
    uint32_t outages; /* under way: shown unavailable until all have ended */
    uint8_t level;
};

struct home_world {
    const struct home *home;
    const struct home_sink *sink;
    struct entity_state *states;
    uint64_t *runs; /* of each rule: a new trigger restarts it */
    struct pending *heap;
    size_t heap_count, heap_capacity;
    uint64_t order;
    struct rng rng;
    int64_t now_us;
    bool up;
};

/* --- Contexts ----------------------------------------------------------------------------------
 */

static struct home_context new_context(struct home_world *w, int64_t time_us)
{
    struct home_context context = {.has_parent = false};
    const uint64_t ms = (uint64_t)(time_us / 1000);
    const uint64_t a = rng_next(&w->rng), b = rng_next(&w->rng);
    for (int i = 0; i < 6; i++)
        context.id[i] = (uint8_t)(ms >> (40 - 8 * i));
    memcpy(context.id + 6, &a, 8);
    memcpy(context.id + 14, &b, 2);
    return context;
}

static struct home_context child_context(struct home_world *w, int64_t time_us,
                                         const struct home_context *parent)
{
    struct home_context context = new_context(w, time_us);
    if (parent != NULL) {
        context.has_parent = true;
        memcpy(context.parent, parent->id, HOME_ID_SIZE);
    }
    return context;
}

/* --- What is under way ---------------------------------------------------------------------------
 */

static bool comes_before(const struct pending *a, const struct pending *b)
{
    return a->time_us != b->time_us ? a->time_us < b->time_us : a->order < b->order;
}

static void push(struct home_world *w, struct pending item)
{
    item.order = w->order++;
    w->heap = grow_array(w->heap, w->heap_count, &w->heap_capacity, sizeof *w->heap);
    size_t i = w->heap_count++;
    for (; i > 0 && comes_before(&item, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = item;
}

static struct pending pop(struct home_world *w)
{
    const struct pending first = w->heap[0], last = w->heap[--w->heap_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= w->heap_count)
            break;
        if (child + 1 < w->heap_count && comes_before(&w->heap[child + 1], &w->heap[child]))
            child++;
        if (!comes_before(&w->heap[child], &last))
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return first;
}

/* --- Telling
 * --------------------------------------------------------------------------------------- */

static void emit_change(struct home_world *w, const struct home_change *change)
{
    if (w->sink->change != NULL)
        w->sink->change(w->sink->data, change);
}

static void emit_event(struct home_world *w, int64_t time_us, enum home_event_kind kind,
                       uint32_t entity, int32_t value, uint32_t rule,
                       const struct home_context *context)
{
    if (w->sink->event == NULL)
        return;
    const struct home_event event = {
        .time_us = time_us,
        .kind = kind,
        .entity = entity,
        .value = value,
        .rule = rule,
        .level = kind == HOME_EVENT_CALL_SERVICE && value == HOME_ON ? w->states[entity].level : 0,
        .context = context != NULL ? *context : new_context(w, time_us),
    };
    w->sink->event(w->sink->data, &event);
}

static void show(struct home_world *w, int64_t time_us, uint32_t entity, int32_t value,
                 uint8_t cause, int16_t habit, const struct home_context *context)
{
    struct entity_state *s = &w->states[entity];
    if (s->shown == value)
        return;
    s->shown = value;
    const struct home_change change = {
        .time_us = time_us,
        .entity = entity,
        .value = value,
        .habit = habit,
        .cause = cause,
        .level = value == HOME_ON ? s->level : 0,
        .context = context != NULL ? *context : new_context(w, time_us),
    };
    emit_change(w, &change);
}

/* --- Automations
 * ----------------------------------------------------------------------------------- */

/* HA rewrites the automation's own state when a run begins and ends: new attributes, same state. */
static void touch_automation(struct home_world *w, int64_t time_us, uint32_t entity,
                             const struct home_context *context)
{
    if (w->states[entity].shown != HOME_ON)
        return;
    const struct home_change change = {
        .time_us = time_us,
        .entity = entity,
        .value = HOME_ON,
        .attributes_only = true,
        .habit = -1,
        .cause = HOME_BY_AUTOMATION,
        .context = *context,
    };
    emit_change(w, &change);
}

static void trigger_rule(struct home_world *w, int64_t time_us, uint32_t rule_index,
                         const struct home_context *trigger)
{
    const struct home_rule *rule = &w->home->rules[rule_index];
    if (!w->up || w->states[rule->automation].shown != HOME_ON)
        return;
    const struct home_context context = child_context(w, time_us, trigger);
    emit_event(w, time_us + 300, HOME_EVENT_AUTOMATION, rule->automation, 0, rule_index, &context);
    touch_automation(w, time_us + 500, rule->automation, &context);
    const int64_t delay_us = 2000 + (int64_t)rng_below(&w->rng, 120000);
    push(w, (struct pending){.time_us = time_us + delay_us,
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
        s->use = use_of_rule;
        show(w, item->time_us, item->entity, HOME_ON, HOME_BY_AUTOMATION, -1, &item->context);
    }
    struct pending off = *item;
    off.kind = PENDING_RULE_OFF;
    off.time_us += rule->off_after_s * SECOND_US;
    push(w, off);
}

static void end_rule_act(struct home_world *w, const struct pending *item)
{
    struct entity_state *s = &w->states[item->entity];
    if (item->run != w->runs[item->rule]) /* triggered again: that run goes on instead */
        return;
    if (s->actual == HOME_ON && s->outages == 0) {
        s->actual = HOME_OFF;
        s->use = 0;
        show(w, item->time_us, item->entity, HOME_OFF, HOME_BY_AUTOMATION, -1, &item->context);
    }
    touch_automation(w, item->time_us + 400, w->home->rules[item->rule].automation, &item->context);
}

static void trigger_by_change(struct home_world *w, int64_t time_us, uint32_t entity,
                              const struct home_context *context)
{
    for (size_t r = 0; r < w->home->rule_count; r++)
        if (w->home->rules[r].trigger == (int64_t)entity)
            trigger_rule(w, time_us + 1500, (uint32_t)r, context);
}

/* --- Outages
 * ------------------------------------------------------------------------------------------ */

/* An entity of HA itself is there at once; a device takes seconds, and may be unknown first. */
static void load_entity(struct home_world *w, int64_t time_us, uint32_t entity)
{
    const enum home_domain domain = w->home->entities[entity].domain;
    struct entity_state *s = &w->states[entity];
    if (home_lives_in_ha(domain)) {
        show(w, time_us, entity, s->actual, HOME_BY_SYSTEM, -1, NULL);
        return;
    }
    s->outages++;
    show(w, time_us, entity, HOME_UNAVAILABLE, HOME_BY_SYSTEM, -1, NULL);
    if (rng_chance(&w->rng, .15))
        push(w, (struct pending){
                    .time_us = time_us + 1500000, .kind = PENDING_UNKNOWN, .entity = entity});
    const double delay_s = rng_between(&w->rng, 2, 40);
    push(w, (struct pending){.time_us = time_us + (int64_t)(delay_s * 1e6),
                             .kind = PENDING_RECOVER,
                             .entity = entity});
}

static void come_up(struct home_world *w, int64_t time_us)
{
    w->up = true;
    if (w->sink->run_begins != NULL)
        w->sink->run_begins(w->sink->data, time_us);
    emit_event(w, time_us + 200000, HOME_EVENT_START, 0, 0, 0, NULL);
    for (size_t e = 0; e < w->home->entity_count; e++) {
        w->states[e].shown = HOME_ABSENT;
        w->states[e].outages = 0;
        load_entity(w, time_us + 300000 + (int64_t)e * 110, (uint32_t)e);
    }
    push(w, (struct pending){.time_us = time_us + 2 * SECOND_US, .kind = PENDING_STARTED});
}

static void go_down(struct home_world *w, int64_t time_us, bool clean)
{
    if (clean)
        emit_event(w, time_us, HOME_EVENT_STOP, 0, 0, 0, NULL);
    if (w->sink->run_ends != NULL)
        w->sink->run_ends(w->sink->data, time_us + 10000, clean);
    w->up = false;
    for (size_t i = 0; i < w->heap_count; i++) /* lamps act without HA, too */
        if (w->heap[i].kind == PENDING_FOLLOW)
            w->states[w->heap[i].entity].actual = w->heap[i].value;
    w->heap_count = 0; /* runs and recoveries end with HA */
}

static void recover(struct home_world *w, int64_t time_us, uint32_t entity)
{
    struct entity_state *s = &w->states[entity];
    if (s->outages > 0 && --s->outages == 0)
        show(w, time_us, entity, s->actual, HOME_BY_SYSTEM, -1, NULL);
}

/* --- Groups
 * ----------------------------------------------------------------------------------------- */

static void follow(struct home_world *w, const struct pending *item)
{
    struct entity_state *s = &w->states[item->entity];
    s->actual = item->value;
    if (w->up && s->outages == 0)
        show(w, item->time_us, item->entity, item->value, item->cause, -1, &item->context);
}

/* The others of a group act within its time, as what did it in HA does with all of them in one
 * context; a switch on the wall tells HA nothing about that. HA's own group of them is on while
 * one of them is. */
static void lead(struct home_world *w, int64_t time_us, uint32_t entity, uint8_t cause,
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
            item.context = new_context(w, item.time_us);
        push(w, item);
    }
    if (g->entity < 0)
        return;
    item.entity = (uint32_t)g->entity;
    item.time_us = time_us + 1000 + (item.value == HOME_ON ? 0 : (int64_t)(latest * 1e6));
    push(w, item);
}

static void happen(struct home_world *w, const struct pending *item)
{
    switch (item->kind) {
    case PENDING_UP:
        come_up(w, item->time_us);
        break;
    case PENDING_STARTED:
        emit_event(w, item->time_us, HOME_EVENT_STARTED, 0, 0, 0, NULL);
        break;
    case PENDING_UNKNOWN:
        show(w, item->time_us, item->entity, HOME_UNKNOWN, HOME_BY_SYSTEM, -1, NULL);
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
    }
}

void home_world_advance(struct home_world *w, int64_t time_us)
{
    while (w->heap_count > 0 && w->heap[0].time_us <= time_us) {
        const struct pending item = pop(w);
        happen(w, &item);
    }
    w->now_us = time_us;
}

/* --- Wishes
 * --------------------------------------------------------------------------------------- */

static void act(struct home_world *w, const struct home_wish *wish)
{
    struct entity_state *s = &w->states[wish->entity];
    const bool reachable = w->up && s->outages == 0;
    /* On what is on, or by a use that something else has ended: nothing to do. */
    if (wish->kind == WISH_BEGIN ? s->actual == HOME_ON : s->use != wish->use)
        return;
    /* Who cannot begin a use in HA lets it be; who cannot end one there does it by hand. */
    if (!reachable && wish->cause == HOME_BY_PERSON && wish->kind == WISH_BEGIN)
        return;
    s->actual = wish->value;
    s->level = wish->level;
    s->use = wish->kind == WISH_BEGIN ? wish->use : 0;
    if (!reachable)
        return;
    struct home_context context = new_context(w, wish->time_us);
    if (wish->cause == HOME_BY_PERSON) {
        context.has_user = true;
        memcpy(context.user, w->home->people[wish->person].user, HOME_ID_SIZE);
        emit_event(w, wish->time_us - 1200, HOME_EVENT_CALL_SERVICE, wish->entity, wish->value, 0,
                   &context);
    }
    show(w, wish->time_us, wish->entity, wish->value, wish->cause, wish->habit, &context);
    lead(w, wish->time_us, wish->entity, wish->cause, &context);
    if (wish->value == HOME_ON)
        trigger_by_change(w, wish->time_us, wish->entity, &context);
}

static void set(struct home_world *w, const struct home_wish *wish)
{
    struct entity_state *s = &w->states[wish->entity];
    s->actual = wish->value;
    if (w->up && s->outages == 0)
        show(w, wish->time_us, wish->entity, wish->value, wish->cause, wish->habit, NULL);
}

static void read_sensor(struct home_world *w, const struct home_wish *wish)
{
    struct entity_state *s = &w->states[wish->entity];
    int32_t value = wish->value;
    if (value ==
        s->shown) /* HA would drop it, and the number of states would not be the one asked */
        value++;
    s->actual = value;
    if (w->up && s->outages == 0)
        show(w, wish->time_us, wish->entity, value, HOME_BY_SYSTEM, -1, NULL);
}

static void drop_out(struct home_world *w, const struct home_wish *wish)
{
    struct entity_state *s = &w->states[wish->entity];
    if (!w->up || s->outages > 0)
        return;
    s->outages++;
    show(w, wish->time_us, wish->entity, HOME_UNAVAILABLE, HOME_BY_SYSTEM, -1, NULL);
    push(w, (struct pending){.time_us = wish->time_us + wish->duration_s * SECOND_US,
                             .kind = PENDING_RECOVER,
                             .entity = wish->entity});
}

void home_world_apply(struct home_world *w, const struct home_wish *wish)
{
    home_world_advance(w, wish->time_us);
    switch ((enum home_wish_kind)wish->kind) {
    case WISH_BEGIN:
    case WISH_END:
        act(w, wish);
        break;
    case WISH_SET:
        set(w, wish);
        break;
    case WISH_RULE:
        trigger_rule(w, wish->time_us, (uint32_t)wish->value, NULL);
        break;
    case WISH_READING:
        read_sensor(w, wish);
        break;
    case WISH_DROPOUT:
        drop_out(w, wish);
        break;
    case WISH_RESTART:
    case WISH_CRASH:
        if (!w->up)
            break;
        go_down(w, wish->time_us, wish->kind == WISH_RESTART);
        push(w, (struct pending){.time_us = wish->time_us + wish->duration_s * SECOND_US,
                                 .kind = PENDING_UP});
        break;
    }
}

bool home_world_command(struct home_world *w, int64_t time_us, uint32_t entity, int32_t value)
{
    home_world_advance(w, time_us);
    struct entity_state *s = &w->states[entity];
    if (!w->up || s->outages > 0)
        return false;
    const struct home_context run = new_context(w, time_us);
    const struct home_context context = child_context(w, time_us, &run);
    s->actual = value;
    s->use = value == HOME_ON ? use_of_rule : 0;
    show(w, time_us, entity, value, HOME_BY_AUTOMATION, -1, &context);
    return true;
}

void home_world_start(struct home_world *w, int64_t time_us)
{
    home_world_advance(w, time_us);
    come_up(w, time_us);
}

void home_world_stop(struct home_world *w, int64_t time_us)
{
    home_world_advance(w, time_us);
    if (w->up)
        go_down(w, time_us, true);
}

struct home_world *home_world_new(const struct home *home, const struct home_sink *sink)
{
    struct home_world *w = xcalloc(1, sizeof *w);
    w->home = home;
    w->sink = sink;
    w->states = xcalloc(home->entity_count, sizeof *w->states);
    w->runs = xcalloc(home->rule_count + 1, sizeof *w->runs);
    rng_init(&w->rng, home->seed, STREAM_WORLD, 0, 0);
    for (size_t e = 0; e < home->entity_count; e++) {
        const struct home_entity *entity = &home->entities[e];
        w->states[e].shown = HOME_ABSENT;
        if (entity->domain == HOME_AUTOMATION || entity->role == HOME_ROLE_PRESENCE)
            w->states[e].actual = HOME_ON;
        else if (entity->quantity != NULL)
            w->states[e].actual = (int32_t)entity->quantity->base;
    }
    return w;
}

void home_world_free(struct home_world *w)
{
    if (w == NULL)
        return;
    free(w->states);
    free(w->runs);
    free(w->heap);
    free(w);
}
