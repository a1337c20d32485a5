/* and, or, not, trigger, template (helpers/condition.py). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "replay/engine.h"
#include "replay/parse.h"

static int parse_children(struct parser *p, json_object *config, struct condition *c)
{
    static const char *const keys[] = {"conditions", NULL};
    if (parse_condition_keys(p, config, keys) != 0)
        return -1;
    if (!parse_has(config, "conditions"))
        return parse_fail_key(p, config, "conditions", "a list of conditions");
    size_t mark = parse_enter_key(p, "conditions");
    int result =
        parse_conditions(p, parse_get(config, "conditions"), &c->children, &c->child_count);
    parse_leave(p, mark);
    return result;
}

/* Checks all until one gives `decides`, which becomes `decided`. */
static enum verdict check_children(const struct replay *r, const struct condition *c,
                                   const struct occasion *o, int64_t now_us, enum verdict decides,
                                   enum verdict decided)
{
    bool has_error = false;
    for (size_t i = 0; i < c->child_count; i++) {
        enum verdict verdict = condition_check(r, &c->children[i], o, now_us);
        if (verdict == VERDICT_EXCEPTION)
            return verdict;
        if (verdict == decides)
            return decided;
        has_error = has_error || verdict == VERDICT_ERROR;
    }
    if (has_error)
        return VERDICT_ERROR;
    return decided == VERDICT_TRUE ? VERDICT_FALSE : VERDICT_TRUE;
}

static enum verdict check_and(const struct replay *r, const struct condition *c,
                              const struct occasion *o, int64_t now_us)
{
    return check_children(r, c, o, now_us, VERDICT_FALSE, VERDICT_FALSE);
}

static enum verdict check_or(const struct replay *r, const struct condition *c,
                             const struct occasion *o, int64_t now_us)
{
    return check_children(r, c, o, now_us, VERDICT_TRUE, VERDICT_TRUE);
}

static enum verdict check_not(const struct replay *r, const struct condition *c,
                              const struct occasion *o, int64_t now_us)
{
    return check_children(r, c, o, now_us, VERDICT_TRUE, VERDICT_FALSE);
}

static int parse_trigger(struct parser *p, json_object *config, struct condition *c)
{
    static const char *const keys[] = {"id", NULL};
    json_object *value = parse_get(config, "id");
    size_t count = parse_list_length(value);
    if (parse_condition_keys(p, config, keys) != 0)
        return -1;
    if (!parse_has(config, "id"))
        return parse_fail_key(p, config, "id", "the id of a trigger, or a list of them");
    if (count > PARSE_LIST_MAX)
        return error_set(p->err, ERROR_LIMIT, "%s.id: more than %d ids", p->path, PARSE_LIST_MAX);
    c->ids = xcalloc(count, sizeof *c->ids);
    for (; c->id_count < count; c->id_count++) {
        json_object *id = parse_list_at(value, c->id_count);
        if (id == NULL || json_object_is_type(id, json_type_object) ||
            json_object_is_type(id, json_type_array))
            return parse_fail_key(p, config, "id", "the id of a trigger, or a list of them");
        c->ids[c->id_count] = xstrdup(json_object_get_string(id));
    }
    return 0;
}

static enum verdict check_trigger(const struct replay *r, const struct condition *c,
                                  const struct occasion *o, int64_t now_us)
{
    (void)now_us;
    for (size_t i = 0; i < c->id_count; i++)
        if (strcmp(c->ids[i], r->automation->triggers[o->trigger].id) == 0)
            return VERDICT_TRUE;
    return VERDICT_FALSE;
}

/* --- templates: only the two that we write ourselves --- */

#define WAS_THERE                                                                                  \
    "trigger.from_state is not none and "                                                          \
    "trigger.from_state.state not in ['unavailable', 'unknown']"

static bool read_own_template(const char *text, struct condition *c)
{
    static const char was_there[] = "{{ " WAS_THERE " }}";
    static const char was_quiet[] = "{{ " WAS_THERE " and (trigger.to_state.last_changed - "
                                    "trigger.from_state.last_changed).total_seconds() >= ";
    c->quiet_us = 0;
    if (strcmp(text, was_there) == 0)
        return true;
    if (strncmp(text, was_quiet, strlen(was_quiet)) != 0)
        return false;
    const char *digits = text + strlen(was_quiet);
    size_t length = strspn(digits, "0123456789");
    if (length == 0 || length > 9 || strcmp(digits + length, " }}") != 0)
        return false;
    c->quiet_us = strtoll(digits, NULL, 10) * 1000000;
    return true;
}

static int parse_template(struct parser *p, json_object *config, struct condition *c)
{
    static const char *const keys[] = {"value_template", NULL};
    json_object *value = parse_get(config, "value_template");
    if (parse_condition_keys(p, config, keys) != 0)
        return -1;
    if (value == NULL || json_object_is_type(value, json_type_object) ||
        json_object_is_type(value, json_type_array))
        return parse_fail_key(p, config, "value_template", "a template");
    if (read_own_template(json_object_get_string(value), c))
        return 0;
    c->is_taken_to_hold = true;
    parse_note(p, config, "value_template", "template condition", "taken to hold");
    return 0;
}

static enum verdict check_template(const struct replay *r, const struct condition *c,
                                   const struct occasion *o, int64_t now_us)
{
    (void)now_us;
    if (c->is_taken_to_hold)
        return VERDICT_TRUE;
    if (o->change == NULL || o->change->from.row == NULL || state_is_unknown(r, o->change->from))
        return VERDICT_FALSE;
    if (c->quiet_us == 0)
        return VERDICT_TRUE;
    if (o->change->to.row == NULL)
        return VERDICT_ERROR; /* None has no last_changed */
    int64_t to_us = state_last_changed_ms(r, o->change->to) * 1000;
    return state_is_since(r, o->change->from, to_us - c->quiet_us) ? VERDICT_TRUE : VERDICT_FALSE;
}

const struct condition_type condition_and = {"and", parse_children, check_and};
const struct condition_type condition_or = {"or", parse_children, check_or};
const struct condition_type condition_not = {"not", parse_children, check_not};
const struct condition_type condition_trigger = {"trigger", parse_trigger, check_trigger};
const struct condition_type condition_template = {"template", parse_template, check_template};
