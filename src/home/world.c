#include "home/world.h"

#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "home/streams.h"
#include "home/world_private.h"

void home_world_advance(struct home_world *w, int64_t time_us)
{
    while (w->heap_count > 0 && w->heap[0].time_us <= time_us) {
        const struct pending item = world_pop(w);
        world_happen(w, &item);
    }
    w->now_us = time_us;
}

/* --- Wishes
 * --------------------------------------------------------------------------------------- */

/* Who does it in HA is known to HA, and the call of the service is an event. */
static struct home_context begin_act(struct home_world *w, const struct home_wish *wish,
                                     enum home_service service, bool leaves_no_row)
{
    struct home_context context =
        wish->scene > 0 ? w->activations[wish->scene - 1] : world_new_context(w, wish->time_us);
    if (wish->cause != HOME_BY_PERSON)
        return context;
    context.has_user = true;
    memcpy(context.user, w->home->people[wish->person].user, HOME_ID_SIZE);
    world_emit_event(w, &(struct home_event){
                            .time_us = wish->time_us - 1200,
                            .kind = HOME_EVENT_CALL_SERVICE,
                            .service = service,
                            .entity = wish->entity,
                            .value = wish->value,
                            .level = wish->kind == WISH_END ? HOME_NO_LEVEL : wish->level,
                            .kelvin = (int16_t)(wish->kind == WISH_END ? 0 : wish->kelvin),
                            .habit = (int16_t)(leaves_no_row ? wish->habit : -1),
                            .context = context,
                        });
    return context;
}

static void act(struct home_world *w, const struct home_wish *wish)
{
    struct entity_state *s = &w->states[wish->entity];
    const bool reachable = w->up && s->outages == 0;
    /* A deployed automation was first: it is on when it is wanted. */
    if (wish->kind == WISH_BEGIN && s->actual == HOME_ON && s->use == USE_OF_DEPLOYED)
        s->use = wish->use;
    /* On what is on, or by a use that something else has ended: nothing to do. */
    if (wish->kind == WISH_BEGIN ? s->actual == HOME_ON : s->use != wish->use)
        return;
    /* Who cannot begin a use in HA lets it be; who cannot end one there does it by hand. */
    if (!reachable && wish->cause == HOME_BY_PERSON && wish->kind == WISH_BEGIN)
        return;
    s->actual = wish->value;
    s->level = wish->level;
    s->kelvin = wish->kelvin;
    s->use = wish->kind == WISH_BEGIN ? wish->use : 0;
    if (!reachable)
        return;
    const struct home_context context =
        begin_act(w, wish, wish->scene > 0 ? HOME_IN_SCENE : HOME_SWITCHES, false);
    if (s->shown != wish->value)
        world_show_act(w, wish, wish->value, &context);
    world_lead(w, wish->time_us, wish->entity, wish->cause, &context);
    if (wish->value == HOME_ON)
        world_trigger_by_change(w, wish->time_us, wish->entity, &context);
}

static void set(struct home_world *w, const struct home_wish *wish)
{
    struct entity_state *s = &w->states[wish->entity];
    if (wish->cause == HOME_BY_PERSON && !w->up)
        return;
    s->actual = wish->value;
    if (!w->up || s->outages > 0 || s->shown == wish->value)
        return;
    const struct home_context context = begin_act(w, wish, HOME_SWITCHES, false);
    world_show_act(w, wish, wish->value, &context);
}

/* A cover goes to its position: at once as far as HA is told, or on a way of seconds. */
static void move_cover(struct home_world *w, const struct home_wish *wish)
{
    enum { WHOLE_WAY_S = 28 };
    struct entity_state *s = &w->states[wish->entity];
    const int far = wish->level - s->level;
    const bool reachable = w->up && s->outages == 0;
    const bool moves = far != 0 && reachable && w->home->entities[wish->entity].tells_moving;
    struct pending item = {.time_us = wish->time_us + (abs(far) * WHOLE_WAY_S + 100) * 10000,
                           .kind = PENDING_ARRIVE,
                           .entity = wish->entity,
                           .run = ++s->move,
                           .level = wish->level};
    if (!moves)
        world_take_position(w, &item);
    if (!reachable)
        return;
    const struct home_context context = begin_act(w, wish, HOME_SETS, far == 0);
    if (moves)
        world_push(w, item);
    if (far != 0)
        world_show_act(w, wish,
                       !moves    ? s->actual
                       : far > 0 ? HOME_OPENING
                                 : HOME_CLOSING,
                       &context);
}

static void adjust(struct home_world *w, const struct home_wish *wish)
{
    struct entity_state *s = &w->states[wish->entity];
    const bool reachable = w->up && s->outages == 0;
    if ((wish->use != 0 && s->use != wish->use) ||
        (!reachable && wish->cause == HOME_BY_PERSON)) /* who cannot do it in HA lets it be */
        return;
    if (w->home->entities[wish->entity].domain == HOME_COVER) {
        move_cover(w, wish);
        return;
    }
    const bool same = s->level == wish->level && s->kelvin == wish->kelvin;
    s->level = wish->level;
    s->kelvin = wish->kelvin;
    if (!reachable)
        return;
    const struct home_context context = begin_act(w, wish, HOME_SETS, same);
    if (!same)
        world_show_act(w, wish, s->shown, &context);
}

static void activate(struct home_world *w, const struct home_wish *wish)
{
    struct entity_state *s = &w->states[wish->entity];
    if (!w->up)
        return;
    size_t scene = 0;
    while (w->home->scenes[scene].entity != wish->entity)
        scene++;
    s->actual = s->actual == HOME_UNKNOWN ? 1 : s->actual + 1;
    s->stamp_us = wish->time_us;
    w->activations[scene] = begin_act(w, wish, HOME_ACTIVATES, false);
    world_show_act(w, wish, s->actual, &w->activations[scene]);
}

/* Somebody reverses what a deployed automation did, unless it was something else by then. */
static void undo(struct home_world *w, const struct home_wish *wish)
{
    struct entity_state *s = &w->states[wish->entity];
    const bool is_its = wish->value == HOME_OFF ? s->use == USE_OF_DEPLOYED
                                                : s->actual == HOME_OFF && s->undoable == wish->use;
    if (!is_its || !w->up || s->outages > 0)
        return;
    s->actual = wish->value;
    s->level = wish->level;
    s->use = wish->use;
    const struct home_context context = begin_act(w, wish, HOME_SWITCHES, false);
    world_show_act(w, wish, wish->value, &context);
    world_lead(w, wish->time_us, wish->entity, wish->cause, &context);
}

static void read_sensor(struct home_world *w, const struct home_wish *wish)
{
    struct entity_state *s = &w->states[wish->entity];
    const struct home_entity *e = &w->home->entities[wish->entity];
    const bool reachable = w->up && s->outages == 0;
    int32_t value = wish->value;
    if (e->domain == HOME_CLIMATE) {
        const bool same = s->reading == value;
        s->reading = value;
        const struct home_context context = world_new_context(w, wish->time_us);
        if (!same && reachable)
            world_touch(w, wish->time_us, wish->entity, HOME_BY_SYSTEM, &context);
        return;
    }
    /* HA would drop it, and the number of states would not be the one asked */
    if (value == s->shown && e->report_s == 0)
        value++;
    s->actual = value;
    if (reachable)
        world_show(w, wish->time_us, wish->entity, value, HOME_BY_SYSTEM, NULL);
}

static void drop_out(struct home_world *w, const struct home_wish *wish)
{
    struct entity_state *s = &w->states[wish->entity];
    if (!w->up || s->outages > 0)
        return;
    s->outages++;
    world_show(w, wish->time_us, wish->entity, HOME_UNAVAILABLE, HOME_BY_SYSTEM, NULL);
    world_push(w, (struct pending){.time_us = wish->time_us + wish->duration_s * SECOND_US,
                                   .kind = PENDING_RECOVER,
                                   .entity = wish->entity});
}

/* Whose use it is stays as it is where there is nothing to do. */
static bool command(struct home_world *w, int64_t time_us, uint32_t entity, int32_t value,
                    int16_t level)
{
    struct entity_state *s = &w->states[entity];
    if (!w->up || s->outages > 0)
        return false;
    const struct home_context run = world_new_context(w, time_us);
    const struct home_context context = world_child_context(w, time_us, &run);
    const bool is_new = s->actual != value;
    if (level != HOME_NO_LEVEL)
        s->level = level;
    if (!is_new && level != HOME_NO_LEVEL)
        world_touch(w, time_us, entity, HOME_BY_AUTOMATION, &context);
    if (!is_new)
        return true;
    s->actual = value;
    s->undoable = s->use;
    s->use = value == HOME_ON ? USE_OF_DEPLOYED : 0;
    world_show(w, time_us, entity, value, HOME_BY_AUTOMATION, &context);
    world_lead(w, time_us, entity, HOME_BY_AUTOMATION, &context);
    return true;
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
        world_trigger_rule(w, wish->time_us, (uint32_t)wish->value, NULL);
        break;
    case WISH_READING:
        read_sensor(w, wish);
        break;
    case WISH_ADJUST:
        adjust(w, wish);
        break;
    case WISH_SCENE:
        activate(w, wish);
        break;
    case WISH_NOTE:
        if (w->up && w->sink->note != NULL)
            w->sink->note(w->sink->data, wish);
        break;
    case WISH_DEPLOYED:
        command(w, wish->time_us, wish->entity, wish->value, wish->level);
        break;
    case WISH_UNDO:
        undo(w, wish);
        break;
    case WISH_DROPOUT:
        drop_out(w, wish);
        break;
    case WISH_RESTART:
    case WISH_CRASH:
        if (!w->up)
            break;
        world_go_down(w, wish->time_us, wish->kind == WISH_RESTART);
        world_push(w, (struct pending){.time_us = wish->time_us + wish->duration_s * SECOND_US,
                                       .kind = PENDING_UP});
        break;
    }
}

bool home_world_command(struct home_world *w, int64_t time_us, uint32_t entity, int32_t value)
{
    home_world_advance(w, time_us);
    return command(w, time_us, entity, value, HOME_NO_LEVEL);
}

void home_world_start(struct home_world *w, int64_t time_us)
{
    home_world_advance(w, time_us);
    world_come_up(w, time_us);
}

void home_world_stop(struct home_world *w, int64_t time_us)
{
    home_world_advance(w, time_us);
    if (w->up || w->starts)
        world_go_down(w, time_us, true);
}

/* As things are before anybody touches them: open, or at twenty degrees. */
static void begin_with(struct entity_state *s, int16_t level)
{
    s->actual = HOME_ON;
    s->level = level;
    s->reading = 200;
}

struct home_world *home_world_new(const struct home *home, const struct home_sink *sink)
{
    struct home_world *w = xcalloc(1, sizeof *w);
    w->home = home;
    w->sink = sink;
    w->states = xcalloc(home->entity_count, sizeof *w->states);
    w->runs = xcalloc(home->rule_count + 1, sizeof *w->runs);
    w->activations = xcalloc(home->scene_count + 1, sizeof *w->activations);
    rng_init(&w->rng, home->seed, STREAM_WORLD, 0, 0);
    for (size_t e = 0; e < home->entity_count; e++) {
        const struct home_entity *entity = &home->entities[e];
        w->states[e].shown = HOME_ABSENT;
        w->states[e].level = HOME_NO_LEVEL;
        if (entity->domain == HOME_AUTOMATION || entity->role == HOME_ROLE_PRESENCE)
            w->states[e].actual = HOME_ON;
        else if (entity->domain == HOME_CLIMATE || entity->domain == HOME_COVER)
            begin_with(&w->states[e], entity->domain == HOME_COVER ? 100 : 200);
        else if (entity->domain == HOME_SCENE)
            w->states[e].actual = HOME_UNKNOWN;
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
    free(w->activations);
    free(w->heap);
    free(w);
}
