#include "replay/automation.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/xalloc.h"
#include "core/yaml.h"
#include "replay/purpose.h"
#include "replay/steps.h"

enum { MAX_RUNS_DEFAULT = 10 };

/* The key that is there, of a new and an old name; "" on both with *err. */
static const char *one_of(struct parser *p, json_object *config, const char *key, const char *old)
{
    if (!parse_has(config, old))
        return key;
    if (!parse_has(config, key))
        return old;
    parse_fail_key(p, config, old, "only one of the two names");
    return NULL;
}

static int parse_max_exceeded(struct parser *p, json_object *config)
{
    static const char *const names[] = {"silent", "critical", "fatal", "error", "warning",
                                        "warn",   "info",     "debug", "notset"};
    json_object *value = parse_get(config, "max_exceeded");
    const char *text =
        json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(names[i], text) == 0)
            return 0;
    return parse_has(config, "max_exceeded")
               ? parse_fail_key(p, config, "max_exceeded", "silent, or a severity such as warning")
               : 0;
}

static int parse_mode(struct parser *p, json_object *config)
{
    static const char *const names[] = {[MODE_SINGLE] = "single",
                                        [MODE_RESTART] = "restart",
                                        [MODE_QUEUED] = "queued",
                                        [MODE_PARALLEL] = "parallel"};
    struct automation *a = p->automation;
    json_object *mode = parse_get(config, "mode");
    if (parse_has(config, "mode")) {
        const char *text =
            json_object_is_type(mode, json_type_string) ? json_object_get_string(mode) : "";
        size_t i = 0;
        while (i < sizeof names / sizeof *names && strcmp(names[i], text) != 0)
            i++;
        if (i == sizeof names / sizeof *names)
            return parse_fail_key(p, config, "mode", "single, restart, queued or parallel");
        a->mode = (enum automation_mode)i;
    }
    a->max_runs = MAX_RUNS_DEFAULT;
    if (parse_has(config, "max"))
        a->max_runs = json_object_get_int64(parse_get(config, "max"));
    if (a->max_runs < 2)
        return parse_fail_key(p, config, "max", "a whole number of at least 2");
    return parse_max_exceeded(p, config);
}

static int parse_config(struct parser *p, json_object *config)
{
    static const char *const keys[] = {
        "id",      "alias",    "description", "trace",      "initial_state", "hide_entity",
        "trigger", "triggers", "condition",   "conditions", "variables",     "trigger_variables",
        "action",  "actions",  "mode",        "max",        "max_exceeded",  NULL};
    struct automation *a = p->automation;
    bool is_on = true;
    if (!json_object_is_type(config, json_type_object))
        return parse_fail(p, config, "an automation");
    if (parse_id(p, config, &a->id) != 0 || parse_text(p, config, "alias", &a->alias) != 0)
        return -1;
    if (parse_has(config, "use_blueprint")) {
        parse_note(p, config, "use_blueprint", "blueprint", "never fires");
        return 0;
    }
    const char *triggers = one_of(p, config, "triggers", "trigger");
    const char *conditions = one_of(p, config, "conditions", "condition");
    const char *actions = one_of(p, config, "actions", "action");
    if (triggers == NULL || conditions == NULL || actions == NULL ||
        parse_keys(p, config, keys) != 0 || parse_mode(p, config) != 0 ||
        parse_boolean(p, config, "initial_state", &is_on) != 0)
        return -1;
    if (!parse_has(config, triggers))
        return parse_fail_key(p, config, triggers, "a trigger or a list of them");
    if (!parse_has(config, actions))
        return parse_fail_key(p, config, actions, "an action or a list of them");
    a->is_off = !is_on;
    if (!is_on)
        parse_note(p, config, "initial_state", "turned off at each start", "never fires");
    size_t mark = parse_enter_key(p, triggers);
    if (parse_triggers(p, parse_get(config, triggers)) != 0)
        return -1;
    parse_leave(p, mark);
    parse_enter_key(p, conditions);
    if (parse_conditions(p, parse_get(config, conditions), &a->conditions, &a->condition_count) !=
        0)
        return -1;
    parse_leave(p, mark);
    parse_enter_key(p, actions);
    return steps_parse(p, parse_get(config, actions), &a->steps, &a->step_count);
}

void automation_add_note(struct automation *a, const char *path, int line, int column,
                         const char *what, const char *effect)
{
    if (a->note_count >= AUTOMATION_NOTES_MAX)
        return;
    a->notes = grow_array(a->notes, a->note_count, &a->note_capacity, sizeof *a->notes);
    a->notes[a->note_count++] = (struct automation_note){.path = xstrdup(path),
                                                         .line = line,
                                                         .column = column,
                                                         .what = xstrdup(what),
                                                         .effect = xstrdup(effect)};
}

int automation_parse(json_object *config, struct automation **out, struct error *err)
{
    struct error ignored;
    struct automation *a = xcalloc(1, sizeof *a);
    dictionary_init(&a->entities);
    struct parser p = {.automation = a, .err = err != NULL ? err : &ignored, .at = config};
    if (parse_config(&p, config) != 0) {
        if (p.err->code == ERROR_LIMIT && yaml_line(config) > 0)
            error_prefix(p.err, "line %d, column %d", yaml_line(config), yaml_column(config));
        automation_free(a);
        return -1;
    }
    *out = a;
    return 0;
}

void automation_free(struct automation *a)
{
    if (a == NULL)
        return;
    for (size_t i = 0; i < a->trigger_count; i++)
        trigger_release(&a->triggers[i]);
    conditions_free(a->conditions, a->condition_count);
    steps_free(a->steps, a->step_count);
    for (size_t i = 0; i < a->note_count; i++) {
        free(a->notes[i].path);
        free(a->notes[i].what);
        free(a->notes[i].effect);
    }
    for (size_t i = 0; i < a->use_count; i++)
        purpose_use_free(a->uses[i]);
    for (size_t i = 0; i < a->attribute_count; i++) {
        free(a->attributes[i].path);
        free(a->attributes[i].name);
    }
    free(a->attributes);
    dictionary_release(&a->entities);
    free(a->uses);
    free(a->triggers);
    free(a->notes);
    free(a->id);
    free(a->alias);
    free(a);
}

const char *automation_id(const struct automation *a)
{
    return a->id;
}

const char *automation_alias(const struct automation *a)
{
    return a->alias;
}

const struct automation_note *automation_notes(const struct automation *a, size_t *count)
{
    *count = a->note_count;
    return a->notes;
}

void automation_visit_entities(const struct automation *a, const struct timeline *places,
                               void (*visit)(const char *entity_id, void *ctx), void *ctx)
{
    for (size_t i = 0; i < a->entities.count; i++)
        visit(a->entities.keys[i], ctx);
    for (size_t i = 0; places != NULL && i < a->use_count; i++)
        target_visit(a, a->uses[i], places, visit, ctx);
}

bool automation_needs_location(const struct automation *a)
{
    return a->needs_location;
}

const char *automation_trigger_id(const struct automation *a, size_t trigger)
{
    return a->triggers[trigger].id;
}

bool automation_trigger_is_clock(const struct automation *a, size_t trigger)
{
    const struct trigger_type *type = a->triggers[trigger].type;
    return type == &trigger_time || type == &trigger_time_pattern || type == &trigger_sun;
}

bool automation_trigger_waits(const struct automation *a, size_t trigger, const char *entity_id,
                              const char *state)
{
    const struct trigger *t = &a->triggers[trigger];
    return t->type == &trigger_state && t->for_us > 0 && t->attribute == NULL &&
           t->entity_count == 1 && strcmp(a->entities.keys[t->entities[0]], entity_id) == 0 &&
           !t->to.is_any && !t->to.is_inverted && t->to.count == 1 &&
           json_object_is_type(t->to.list[0], json_type_string) &&
           strcmp(json_object_get_string(t->to.list[0]), state) == 0;
}
