/* numeric_state as a trigger and as a condition
 * (components/homeassistant/triggers/numeric_state.py, helpers/condition.py). */
#include <math.h>
#include <string.h>

#include "replay/engine.h"
#include "replay/parse.h"

static bool is_unknown_text(const char *text)
{
    return strcmp(text, "unavailable") == 0 || strcmp(text, "unknown") == 0;
}

/* The number that is compared; VERDICT_TRUE when there is one. */
static enum verdict read_value(const struct replay *r, struct state state, const char *attribute,
                               double *number)
{
    if (attribute == NULL) {
        if (state_is_unknown(r, state))
            return VERDICT_FALSE;
        return state_number(r, state, number) ? VERDICT_TRUE : VERDICT_ERROR;
    }
    json_object *value = state_attribute(r, state, attribute);
    if (value == NULL || (json_object_is_type(value, json_type_string) &&
                          is_unknown_text(json_object_get_string(value))))
        return VERDICT_FALSE;
    return value_number(value, number) ? VERDICT_TRUE : VERDICT_ERROR;
}

/* VERDICT_TRUE and the number, or what the comparison ends with. */
static enum verdict read_limit(const struct replay *r, const struct limit *limit, double *number,
                               int64_t now_us)
{
    *number = limit->number;
    if (!limit->is_entity)
        return VERDICT_TRUE;
    struct state state = engine_state(r, limit->entity, now_us);
    if (state.row == NULL)
        return VERDICT_ERROR;
    if (state_is_unknown(r, state))
        return VERDICT_FALSE;
    return state_number(r, state, number) ? VERDICT_TRUE : VERDICT_ERROR;
}

/* Written so that a NaN lies within every range, as in Python. */
enum verdict numeric_check(const struct replay *r, struct state state, const char *attribute,
                           const struct limit *above, const struct limit *below, int64_t now_us)
{
    double value, number;
    enum verdict verdict = read_value(r, state, attribute, &value);
    if (verdict != VERDICT_TRUE)
        return verdict;
    if (below->is_given) {
        verdict = read_limit(r, below, &number, now_us);
        if (verdict != VERDICT_TRUE || value >= number)
            return verdict == VERDICT_TRUE ? VERDICT_FALSE : verdict;
    }
    if (above->is_given) {
        verdict = read_limit(r, above, &number, now_us);
        if (verdict != VERDICT_TRUE || value <= number)
            return verdict == VERDICT_TRUE ? VERDICT_FALSE : verdict;
    }
    return VERDICT_TRUE;
}

static int parse_limits(struct parser *p, json_object *config, struct limit *above,
                        struct limit *below)
{
    if (parse_limit(p, config, "above", above) != 0 || parse_limit(p, config, "below", below) != 0)
        return -1;
    if (!above->is_given && !below->is_given)
        return parse_fail(p, config, "above or below");
    return 0;
}

/* --- the trigger --- */

/* An entity that is named twice is armed once. */
static void drop_duplicates(struct trigger *t)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->entity_count; i++) {
        size_t j = 0;
        while (j < kept && t->entities[j] != t->entities[i])
            j++;
        if (j == kept)
            t->entities[kept++] = t->entities[i];
    }
    t->entity_count = kept;
}

static int parse_trigger(struct parser *p, json_object *config, struct trigger *t)
{
    static const char *const keys[] = {"entity_id", "attribute",      "for", "above",
                                       "below",     "value_template", NULL};
    bool is_template = false;
    if (parse_trigger_keys(p, config, keys) != 0 ||
        parse_entities(p, config, "entity_id", &t->entities, &t->entity_count) != 0 ||
        parse_text(p, config, "attribute", &t->attribute) != 0 ||
        parse_limits(p, config, &t->above, &t->below) != 0 ||
        parse_period(p, config, "for", false, &t->for_us, &is_template) != 0)
        return -1;
    if (!t->above.is_entity && !t->below.is_entity && t->above.is_given && t->below.is_given &&
        t->above.number > t->below.number)
        return parse_fail_key(p, config, "above", "a number that is not greater than below");
    drop_duplicates(t);
    if (t->attribute != NULL)
        parse_attribute_use(p, config, "attribute", t->attribute, t->entities, t->entity_count,
                            NULL);
    const char *template_key = is_template ? "for" : "value_template";
    if (is_template || parse_has(config, "value_template")) {
        parse_note(p, config, template_key, "template", "never fires");
        t->type = NULL;
    }
    return 0;
}

static enum verdict check_trigger(const struct replay *r, const struct trigger *t,
                                  struct state state)
{
    return numeric_check(r, state, t->attribute, &t->above, &t->below, r->now_us);
}

static void attach(struct replay *r, size_t trigger)
{
    const struct trigger *t = &r->automation->triggers[trigger];
    size_t count;
    struct watch *watches = engine_watches(r, trigger, &count);
    for (struct watch *w = watches; w < watches + count; w++) {
        struct state state = engine_state(r, w->entity, r->now_us);
        w->is_armed = state.row != NULL && check_trigger(r, t, state) == VERDICT_FALSE;
    }
}

static void on_change(struct replay *r, struct watch *w, const struct change *c)
{
    const struct trigger *t = &r->automation->triggers[w->trigger];
    if (c->to.row == NULL)
        return;
    enum verdict verdict = check_trigger(r, t, c->to);
    if (verdict == VERDICT_FALSE)
        w->is_armed = true;
    if (verdict != VERDICT_TRUE || !w->is_armed)
        return;
    w->is_armed = false;
    if (t->for_us > 0)
        engine_wait(r, w, c, t->for_us);
    else
        engine_fire(r, w->trigger, c);
}

static bool is_same(struct replay *r, const struct trigger *t, const struct change *began,
                    const struct change *now)
{
    (void)began;
    return now->to.row != NULL && check_trigger(r, t, now->to) == VERDICT_TRUE;
}

const struct trigger_type trigger_numeric_state = {.name = "numeric_state",
                                                   .parse = parse_trigger,
                                                   .attach = attach,
                                                   .on_change = on_change,
                                                   .is_same = is_same};

/* --- the condition --- */

static int parse_condition(struct parser *p, json_object *config, struct condition *c)
{
    static const char *const keys[] = {"entity_id", "attribute",      "above",
                                       "below",     "value_template", NULL};
    if (parse_condition_keys(p, config, keys) != 0 ||
        parse_entities(p, config, "entity_id", &c->entities, &c->entity_count) != 0 ||
        parse_text(p, config, "attribute", &c->attribute) != 0 ||
        parse_limits(p, config, &c->above, &c->below) != 0)
        return -1;
    if (c->attribute != NULL)
        parse_attribute_use(p, config, "attribute", c->attribute, c->entities, c->entity_count,
                            NULL);
    c->is_taken_to_hold = parse_has(config, "value_template");
    if (c->is_taken_to_hold)
        parse_note(p, config, "value_template", "template", "taken to hold");
    return 0;
}

static enum verdict check_condition(const struct replay *r, const struct condition *c,
                                    const struct occasion *o, int64_t now_us)
{
    (void)o;
    bool has_error = false;
    for (size_t i = 0; i < c->entity_count && !c->is_taken_to_hold; i++) {
        struct state state = engine_state(r, c->entities[i], now_us);
        enum verdict verdict = VERDICT_ERROR;
        if (state.row != NULL)
            verdict = numeric_check(r, state, c->attribute, &c->above, &c->below, now_us);
        if (verdict == VERDICT_FALSE)
            return verdict;
        has_error = has_error || verdict == VERDICT_ERROR;
    }
    return has_error ? VERDICT_ERROR : VERDICT_TRUE;
}

const struct condition_type condition_numeric_state = {"numeric_state", parse_condition,
                                                       check_condition};
