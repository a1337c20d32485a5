/* Purpose-specific conditions (helpers/condition/entity_condition.py of 2026.11). */
#include "replay/purpose.h"

static bool is_valid(const struct replay *r, const struct purpose_use *use, struct state state,
                     int64_t now_us)
{
    return purpose_includes(r, use, state) && purpose_is_valid(r, use, state, now_us);
}

/* Home Assistant follows the state only where last_changed cannot tell since when it is valid. */
static bool is_tracked(const struct purpose_use *use)
{
    if (use->purpose->flags & PURPOSE_TEXT)
        return false;
    bool has_attribute = false;
    for (size_t i = 0; i < use->spec_count; i++)
        has_attribute = has_attribute || use->specs[i].attribute[0] != '\0';
    return has_attribute || use->word_count != 1 || (use->purpose->flags & PURPOSE_TRACKED);
}

/* Home Assistant looks which entities it has to follow when it makes the automations, in general
 * before there are states: at the registry, where that is known. */
static bool is_followed(const struct replay *r, const struct purpose_use *use, size_t entity)
{
    struct state state = {.series = r->entities[entity].series};
    if (r->timeline->place_count == 0)
        state = engine_first_state(r, entity);
    return purpose_fits(r, use, state);
}

/* Whether it has been valid since that time or longer. What was before this life of Home Assistant
 * is forgotten: it asks the recorder for up to six hours more. */
static bool is_valid_since(const struct replay *r, const struct purpose_use *use, size_t entity,
                           struct state state, int64_t since_us)
{
    if (!is_tracked(use))
        return state_is_since(r, state, since_us);
    if (!is_followed(r, use, entity))
        return false;
    const struct domain_spec *spec = purpose_spec(use, state.series->entity_id);
    bool is_updated =
        (spec != NULL && spec->attribute[0] != '\0') || (use->purpose->flags & PURPOSE_UPDATED);
    /* Each is looked at when it is written, which a limit that is an entity's may change later. */
    struct state first = {.row = NULL};
    for (; state.row != NULL && is_valid(r, use, state, state.row->time_ms * 1000);
         state = state_before(r, state)) {
        if (state.row->time_ms * 1000 <= since_us)
            return true;
        first = state;
    }
    return first.row != NULL && !is_updated && state_is_since(r, first, since_us);
}

static enum verdict check_purpose(const struct replay *r, const struct condition *c,
                                  const struct occasion *o, int64_t now_us)
{
    (void)o;
    const struct purpose_use *use = c->use;
    const struct index_list *target = &r->targets[use->index];
    bool is_any = use->behavior == BEHAVIOR_ANY;
    for (size_t i = 0; i < target->count; i++) {
        struct state state = engine_state(r, target->list[i], now_us);
        if (state.row == NULL || !purpose_fits(r, use, state) || !purpose_includes(r, use, state))
            continue;
        bool holds =
            purpose_is_valid(r, use, state, now_us) &&
            (c->for_us <= 0 || is_valid_since(r, use, target->list[i], state, now_us - c->for_us));
        if (holds == is_any)
            return is_any ? VERDICT_TRUE : VERDICT_FALSE;
    }
    return is_any ? VERDICT_FALSE : VERDICT_TRUE;
}

const struct condition_type condition_purpose = {.name = "", .check = check_purpose};
