/* Purpose-specific triggers (helpers/trigger/entity_trigger.py of 2026.11). */
#include <string.h>

#include "replay/purpose.h"

/* Which of the target's entities are those that are meant is looked up when the trigger begins to
 * listen, and when a registry changes, which no history tells. */
static void attach(struct replay *r, size_t trigger)
{
    const struct purpose_use *use = r->automation->triggers[trigger].use;
    size_t count;
    struct watch *watches = engine_watches(r, trigger, &count);
    for (struct watch *w = watches; w < watches + count; w++)
        w->is_out = !purpose_fits(r, use, engine_first_state(r, w->entity));
}

/* How many of its entities count at all, and how many of them are in a valid state. */
static size_t count_matches(struct replay *r, size_t trigger, size_t *included)
{
    const struct purpose_use *use = r->automation->triggers[trigger].use;
    size_t count, matches = 0;
    struct watch *watches = engine_watches(r, trigger, &count);
    *included = 0;
    for (struct watch *w = watches; w < watches + count; w++) {
        struct state state = engine_state(r, w->entity, r->now_us);
        if (w->is_out || state.row == NULL || !purpose_includes(r, use, state))
            continue;
        (*included)++;
        matches += purpose_is_valid(r, use, state, r->now_us);
    }
    return matches;
}

static bool is_valid(const struct replay *r, const struct purpose_use *use, struct state state)
{
    return state.row != NULL && !state_is_unknown(r, state) &&
           purpose_is_valid(r, use, state, r->now_us);
}

/* Whether a `for` goes on after that change. */
static bool goes_on(struct replay *r, const struct watch *w, const struct change *c)
{
    const struct purpose_use *use = r->automation->triggers[w->trigger].use;
    size_t included, matches;
    if (use->behavior == BEHAVIOR_EACH)
        return is_valid(r, use, c->to);
    matches = count_matches(r, w->trigger, &included);
    return use->behavior == BEHAVIOR_FIRST ? matches >= 1 : included > 0 && matches == included;
}

static bool is_enough(struct replay *r, const struct watch *w)
{
    const struct purpose_use *use = r->automation->triggers[w->trigger].use;
    if (use->behavior == BEHAVIOR_EACH)
        return true;
    size_t included, matches = count_matches(r, w->trigger, &included);
    return use->behavior == BEHAVIOR_FIRST ? matches == 1 : matches == included;
}

static bool may_come_from(const struct replay *r, const struct purpose_use *use, struct state from)
{
    if (use->purpose->flags & PURPOSE_AFTER_UNKNOWN)
        return strcmp(state_text(r, from), "unavailable") != 0;
    return !state_is_unknown(r, from);
}

static void on_change(struct replay *r, struct watch *w, const struct change *c)
{
    const struct trigger *t = &r->automation->triggers[w->trigger];
    size_t count;
    if (w->is_out)
        return;
    /* first and all wait once for all entities: with the first one. */
    struct watch *keeper =
        t->use->behavior == BEHAVIOR_EACH ? w : engine_watches(r, w->trigger, &count);
    if (keeper->waiting != NULL && !goes_on(r, w, c))
        engine_end_waits(keeper);
    if (c->from.row == NULL || !is_valid(r, t->use, c->to) || !may_come_from(r, t->use, c->from) ||
        !purpose_is_change(r, t->use, c, r->now_us) || !is_enough(r, w))
        return;
    if (t->for_us > 0) {
        engine_end_waits(keeper);
        engine_wait(r, keeper, c, t->for_us);
    } else {
        engine_fire(r, w->trigger, c);
    }
}

static bool is_same(struct replay *r, const struct trigger *t, const struct change *began,
                    const struct change *now)
{
    (void)r;
    (void)t;
    (void)began;
    (void)now;
    return true; /* on_change itself has ended it, if anything has */
}

const struct trigger_type trigger_purpose = {
    .name = "", .attach = attach, .on_change = on_change, .is_same = is_same};
