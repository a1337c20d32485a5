/* The state condition (helpers/condition.py, state). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/xalloc.h"
#include "replay/engine.h"
#include "replay/parse.h"

/* Instead of a state the id of an input_ entity may stand, whose state is meant. */
static bool is_input(json_object *state)
{
    static const char *const domains[] = {"input_select.", "input_text.", "input_number.",
                                          "input_boolean.", "input_datetime."};
    const char *text =
        json_object_is_type(state, json_type_string) ? json_object_get_string(state) : "";
    for (size_t i = 0; i < sizeof domains / sizeof *domains; i++)
        if (strncmp(text, domains[i], strlen(domains[i])) == 0)
            return parse_is_entity_id(text);
    return false;
}

static int parse_states(struct parser *p, json_object *config, struct condition *c)
{
    static const char expected[] = "a state as text, in quotes (\"on\"), or a list of them";
    json_object *value = parse_get(config, "state");
    size_t count =
        json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 1;
    if (!parse_has(config, "state"))
        return parse_fail_key(p, config, "state", expected);
    if (count > PARSE_LIST_MAX)
        return error_set(p->err, ERROR_LIMIT, "%s.state: more than %d states", p->path,
                         PARSE_LIST_MAX);
    for (size_t i = 0; c->attribute == NULL && i < count; i++)
        if (!json_object_is_type(parse_list_at(value, i), json_type_string))
            return parse_fail_key(p, config, "state", expected);
    c->states = xcalloc(count, sizeof *c->states);
    c->state_entities = xcalloc(count, sizeof *c->state_entities);
    for (size_t i = 0; i < count; i++) {
        json_object *state = parse_list_at(value, i);
        c->states[c->state_count++] = json_object_get(state);
        c->state_entities[i] = SIZE_MAX;
        if (is_input(state) && parse_entity_of(p, state, &c->state_entities[i]) != 0)
            return -1;
    }
    return 0;
}

static int parse_match(struct parser *p, json_object *config, struct condition *c)
{
    json_object *value = parse_get(config, "match");
    const char *text =
        json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    if (!parse_has(config, "match") || strcasecmp(text, "all") == 0)
        return 0;
    c->is_any = strcasecmp(text, "any") == 0;
    return c->is_any ? 0 : parse_fail_key(p, config, "match", "all or any");
}

static int parse_state(struct parser *p, json_object *config, struct condition *c)
{
    static const char *const keys[] = {"entity_id", "state", "for", "match",
                                       "attribute", "from",  NULL};
    bool is_template = false;
    if (parse_condition_keys(p, config, keys) != 0 ||
        parse_entities(p, config, "entity_id", &c->entities, &c->entity_count) != 0 ||
        parse_text(p, config, "attribute", &c->attribute) != 0 || parse_states(p, config, c) != 0 ||
        parse_match(p, config, c) != 0 ||
        parse_period(p, config, "for", false, &c->for_us, &is_template) != 0)
        return -1;
    if (c->attribute != NULL)
        parse_attribute_use(p, config, "attribute", c->attribute, c->entities, c->entity_count,
                            NULL);
    if (is_template)
        parse_note(p, config, "for", "template for a time", "taken to be no time at all");
    return 0;
}

/* Whether the value is the one wanted: the input's state where there is one. */
static bool is_state(const struct replay *r, const struct condition *c, struct state state,
                     json_object *wanted, struct state input)
{
    json_object *value = c->attribute != NULL ? state_attribute(r, state, c->attribute) : NULL;
    const char *text = c->attribute == NULL ? state_text(r, state) : NULL;
    if (input.row == NULL)
        return text == NULL ? value_equals(value, wanted)
                            : strcmp(text, json_object_get_string(wanted)) == 0;
    if (text == NULL && json_object_is_type(value, json_type_string))
        text = json_object_get_string(value);
    return text != NULL && strcmp(text, state_text(r, input)) == 0;
}

static enum verdict check_entity(const struct replay *r, const struct condition *c, size_t entity,
                                 int64_t now_us)
{
    struct state state = engine_state(r, entity, now_us);
    if (state.row == NULL)
        return VERDICT_ERROR; /* unknown entity */
    if (c->attribute != NULL && !state_has_attribute(r, state, c->attribute))
        return VERDICT_FALSE;
    bool holds = false;
    for (size_t i = 0; i < c->state_count && !holds; i++) {
        struct state input = {.row = NULL};
        if (c->state_entities[i] != SIZE_MAX) {
            input = engine_state(r, c->state_entities[i], now_us);
            if (input.row == NULL)
                return VERDICT_ERROR;
        }
        holds = is_state(r, c, state, c->states[i], input);
    }
    if (!holds || c->for_us == DURATION_NONE)
        return holds ? VERDICT_TRUE : VERDICT_FALSE;
    /* HA: now - for > last_changed */
    return state_is_since(r, state, now_us - c->for_us - 1) ? VERDICT_TRUE : VERDICT_FALSE;
}

static enum verdict check_state(const struct replay *r, const struct condition *c,
                                const struct occasion *o, int64_t now_us)
{
    (void)o;
    bool has_error = false, result = !c->is_any;
    for (size_t i = 0; i < c->entity_count; i++) {
        enum verdict verdict = check_entity(r, c, c->entities[i], now_us);
        if (verdict == VERDICT_ERROR)
            has_error = true;
        else if (verdict == VERDICT_TRUE)
            result = true;
        else if (!c->is_any)
            return VERDICT_FALSE;
    }
    if (has_error)
        return VERDICT_ERROR;
    return result ? VERDICT_TRUE : VERDICT_FALSE;
}

const struct condition_type condition_state = {"state", parse_state, check_state};
