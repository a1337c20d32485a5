/* The state trigger (components/homeassistant/triggers/state.py). */
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "replay/engine.h"
#include "replay/parse.h"

/* One of from, not_from, to, not_to. Without an attribute states are texts, on purpose: YAML's on
 * and off without quotes are true and false, and HA refuses those. */
static int parse_matcher(struct parser *p, json_object *config, const char *key, bool is_text,
                         struct matcher *out)
{
    static const char expected[] = "a state as text, in quotes (\"on\"), or a list of them";
    json_object *value = parse_get(config, key);
    if (value == NULL)
        return 0;
    bool is_list = out->is_list = json_object_is_type(value, json_type_array);
    size_t count = parse_list_length(value);
    if (count > PARSE_LIST_MAX)
        return error_set(p->err, ERROR_LIMIT, "%s.%s: more than %d states", p->path, key,
                         PARSE_LIST_MAX);
    for (size_t i = 0; is_text && i < count; i++)
        if (!json_object_is_type(parse_list_at(value, i), json_type_string))
            return parse_fail_key(p, config, key, expected);
    if (!is_list && json_object_is_type(value, json_type_string) &&
        strcmp(json_object_get_string(value), "*") == 0)
        return 0; /* MATCH_ALL */
    out->is_any = false;
    out->list = xcalloc(count, sizeof *out->list);
    for (; out->count < count; out->count++)
        out->list[out->count] = json_object_get(parse_list_at(value, out->count));
    return 0;
}

static int parse_pair(struct parser *p, json_object *config, const char *key, const char *not_key,
                      struct trigger *t, struct matcher *out)
{
    *out = (struct matcher){.is_any = true};
    if (parse_has(config, key) && parse_has(config, not_key))
        return parse_fail_key(p, config, not_key, "only one of the two");
    t->is_match_all = t->is_match_all && !parse_has(config, key) && !parse_has(config, not_key);
    bool is_text = t->attribute == NULL;
    if (parse_get(config, key) != NULL)
        return parse_matcher(p, config, key, is_text, out);
    out->is_inverted = parse_get(config, not_key) != NULL;
    return parse_matcher(p, config, not_key, is_text, out);
}

static int parse_state(struct parser *p, json_object *config, struct trigger *t)
{
    static const char *const keys[] = {"entity_id", "attribute", "for",    "from",
                                       "not_from",  "to",        "not_to", NULL};
    bool is_template = false;
    t->is_match_all = true;
    if (parse_trigger_keys(p, config, keys) != 0 ||
        parse_entities(p, config, "entity_id", &t->entities, &t->entity_count) != 0 ||
        parse_text(p, config, "attribute", &t->attribute) != 0 ||
        parse_pair(p, config, "from", "not_from", t, &t->from) != 0 ||
        parse_pair(p, config, "to", "not_to", t, &t->to) != 0 ||
        parse_period(p, config, "for", false, &t->for_us, &is_template) != 0)
        return -1;
    if (t->attribute != NULL)
        parse_attribute_use(p, config, "attribute", t->attribute, t->entities, t->entity_count,
                            NULL);
    t->has_from = parse_has(config, "from");
    t->has_to = parse_has(config, "to");
    if (is_template) {
        parse_note(p, config, "for", "template for a time", "never fires");
        t->type = NULL;
    }
    return 0;
}

/* A side of a change: the state's text, or the attribute's value. */
struct side {
    bool is_none;
    const char *text;
    json_object *value;
};

static struct side side_of(const struct replay *r, const struct trigger *t, struct state state)
{
    struct side side = {.is_none = state.row == NULL};
    if (side.is_none)
        return side;
    if (t->attribute == NULL) {
        side.text = state_text(r, state);
    } else {
        side.value = state_attribute(r, state, t->attribute);
        side.is_none = side.value == NULL;
    }
    return side;
}

static bool sides_equal(const struct side *a, const struct side *b)
{
    if (a->is_none || b->is_none)
        return a->is_none && b->is_none;
    if (a->text != NULL)
        return a->text == b->text; /* words are distinct */
    return value_equals(a->value, b->value);
}

static bool matches(const struct matcher *m, const struct side *side)
{
    if (m->is_any)
        return !m->is_inverted;
    if (m->is_list && (json_object_is_type(side->value, json_type_array) ||
                       json_object_is_type(side->value, json_type_object)))
        return false; /* TypeError: no list can be in a set; not even "not in" comes of it */
    bool is_in = false;
    for (size_t i = 0; i < m->count && !is_in; i++) {
        if (side->is_none)
            is_in = m->list[i] == NULL;
        else if (side->text != NULL)
            is_in = strcmp(json_object_get_string(m->list[i]), side->text) == 0;
        else
            is_in = value_equals(m->list[i], side->value);
    }
    return is_in != m->is_inverted;
}

static void on_change(struct replay *r, struct watch *w, const struct change *c)
{
    const struct trigger *t = &r->automation->triggers[w->trigger];
    struct side from = side_of(r, t, c->from), to = side_of(r, t, c->to);
    bool is_equal = sides_equal(&from, &to);
    if (is_equal && (t->attribute != NULL || !t->is_match_all))
        return;
    if (!matches(&t->from, &from) || !matches(&t->to, &to))
        return;
    if (t->for_us > 0)
        engine_wait(r, w, c, t->for_us);
    else
        engine_fire(r, w->trigger, c);
}

static bool is_same(struct replay *r, const struct trigger *t, const struct change *began,
                    const struct change *now)
{
    if (now->to.row == NULL)
        return false;
    struct side current = side_of(r, t, now->to);
    if (t->has_from && !t->has_to) {
        struct side old = side_of(r, t, began->from);
        return !sides_equal(&current, &old);
    }
    struct side wanted = side_of(r, t, began->to);
    return sides_equal(&current, &wanted);
}

const struct trigger_type trigger_state = {
    .name = "state", .parse = parse_state, .on_change = on_change, .is_same = is_same};
