/* What an automation does: a walk through its actions. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "suggest/existing.h"
#include "suggest/targets.h"

#define SCENE_AGREES 0.8 /* of a scene's past activations that left a member in one state */
enum { SCENE_SETTLES_MS = 10 * 1000 };

/* Where the walk is. */
struct walk {
    struct existing_list *list;
    struct existing *e;
    const struct existing_home *home;
    json_object *conditions; /* on the way here: a list that nobody changes */
    int64_t delay_ms;
    bool is_late, is_ended;
    int depth;
};

/* ---- ways ----------------------------------------------------------------------------------- */

/* The branch of these conditions; SIZE_MAX when there are too many. */
static size_t find_branch(struct existing *e, json_object *conditions)
{
    for (size_t i = 0; i < e->branch_count; i++)
        if (json_object_equal(e->branches[i].conditions, conditions))
            return i;
    if (e->branch_count == EXISTING_BRANCHES_MAX)
        return SIZE_MAX;
    e->branches =
        grow_array(e->branches, e->branch_count, &e->branch_capacity, sizeof *e->branches);
    e->branches[e->branch_count] =
        (struct existing_branch){.conditions = json_object_get(conditions)};
    return e->branch_count++;
}

static json_object *copy_list(json_object *list)
{
    json_object *copy = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(list); i++)
        json_object_array_add(copy, json_object_get(json_object_array_get_idx(list, i)));
    return copy;
}

/* The list with what must hold besides: one condition, or several. A new list. */
static json_object *with(json_object *list, json_object *more)
{
    json_object *copy = copy_list(list);
    if (json_object_is_type(more, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(more); i++)
            json_object_array_add(copy, json_object_get(json_object_array_get_idx(more, i)));
    } else if (more != NULL) {
        json_object_array_add(copy, json_object_get(more));
    }
    return copy;
}

/* The list, and that not all of these hold. A new list. */
static json_object *without(json_object *list, json_object *all)
{
    json_object *copy = copy_list(list), *none = json_object_new_object();
    json_object *every = json_object_new_object(), *inner = json_object_new_array();
    json_object *parts = with(inner, all);
    json_object_put(inner);
    json_object_object_add(every, "condition", json_object_new_string("and"));
    json_object_object_add(every, "conditions", parts);
    json_object *outer = json_object_new_array();
    json_object_array_add(outer, every);
    json_object_object_add(none, "condition", json_object_new_string("not"));
    json_object_object_add(none, "conditions", outer);
    json_object_array_add(copy, none);
    return copy;
}

/* ---- acts ----------------------------------------------------------------------------------- */

struct deed {
    struct walk *walk;
    const char *domain; /* of the service, "homeassistant" = any; NULL = any */
    enum existing_effect effect;
    struct rule_value values[RULE_VALUES_MAX];
    size_t value_count;
    int depth;
};

static bool has_domain(const char *entity_id, const char *domain)
{
    size_t length = strcspn(entity_id, ".");
    return strlen(domain) == length && memcmp(domain, entity_id, length) == 0;
}

static void add_act(const struct deed *deed, const char *entity_id)
{
    struct existing *e = deed->walk->e;
    size_t branch = find_branch(e, deed->walk->conditions);
    if (e->act_count == EXISTING_ACTS_MAX || branch == SIZE_MAX)
        return;
    e->acts = grow_array(e->acts, e->act_count, &e->act_capacity, sizeof *e->acts);
    struct existing_act *act = &e->acts[e->act_count++];
    *act = (struct existing_act){.entity_id = xstrdup(entity_id),
                                 .effect = deed->effect,
                                 .value_count = deed->value_count,
                                 .delay_ms = deed->walk->delay_ms,
                                 .branch = branch,
                                 .is_late = deed->walk->is_late};
    memcpy(act->values, deed->values, sizeof act->values);
}

static void visit_target(const char *entity_id, void *ctx);

/* What a scene leaves a member in, by its past; false when it was not activated, or that differs.
 */
static bool scene_effect(const struct history *h, const struct history_entity *scene,
                         const struct history_entity *member, enum existing_effect *effect)
{
    int on = 0, off = 0;
    for (size_t i = 0; i < scene->changes; i++) {
        if (scene->state[i] != HISTORY_STATE_ON)
            continue;
        size_t change = history_find_change(member, scene->time_ms[i] + SCENE_SETTLES_MS);
        if (change == 0)
            continue;
        on += member->state[change - 1] == HISTORY_STATE_ON;
        off += member->state[change - 1] == HISTORY_STATE_OFF;
    }
    (void)h;
    *effect = on >= off ? EXISTING_ON : EXISTING_OFF;
    return on + off > 0 && (on >= off ? on : off) >= SCENE_AGREES * (on + off);
}

static bool read_scene_state(json_object *value, enum existing_effect *effect)
{
    if (json_object_is_type(value, json_type_object))
        value = json_get(value, "state");
    if (json_object_is_type(value, json_type_boolean)) {
        *effect = json_object_get_boolean(value) ? EXISTING_ON : EXISTING_OFF;
        return true;
    }
    const char *text =
        json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    bool is_on = strcmp(text, "on") == 0 || strcmp(text, "locked") == 0;
    *effect = is_on ? EXISTING_ON : EXISTING_OFF;
    return is_on || strcmp(text, "off") == 0 || strcmp(text, "unlocked") == 0;
}

static void add_scene_states(const struct deed *deed, json_object *states)
{
    if (!json_object_is_type(states, json_type_object))
        return;
    json_object_object_foreach(states, entity_id, value)
    {
        struct deed one = {.walk = deed->walk, .depth = deed->depth + 1};
        if (read_scene_state(value, &one.effect))
            visit_target(entity_id, &one);
    }
}

/* Its members, by its configuration, else by its past. */
static void add_scene(const struct deed *deed, const char *entity_id)
{
    const struct history *h = deed->walk->home->history;
    json_object *known = json_get(deed->walk->list->scenes, entity_id);
    const struct history_entity *scene = history_find_entity(h, entity_id);
    if (known != NULL) {
        add_scene_states(deed, known);
        return;
    }
    for (const char *p = scene != NULL && scene->members != NULL ? scene->members : "";
         *p != '\0';) {
        p += strspn(p, " ");
        size_t length = strcspn(p, " ");
        char *id = xstrndup(p, length);
        const struct history_entity *member = history_find_entity(h, id);
        struct deed one = {.walk = deed->walk, .depth = deed->depth + 1};
        if (member != NULL && scene_effect(h, scene, member, &one.effect))
            visit_target(id, &one);
        free(id);
        p += length;
    }
}

/* An entity, and what is behind a group or a scene. */
static void visit_target(const char *entity_id, void *ctx)
{
    const struct deed *deed = ctx;
    const struct history *h = deed->walk->home->history;
    bool is_group = has_domain(entity_id, "group");
    bool is_any = deed->domain == NULL || strcmp(deed->domain, "homeassistant") == 0;
    if (deed->depth > EXISTING_DEPTH_MAX || !rule_entity_id_is_valid(entity_id) ||
        (!is_any && !is_group && !has_domain(entity_id, deed->domain)))
        return;
    if (!is_group)
        add_act(deed, entity_id);
    if (rule_is_scene(entity_id)) {
        if (deed->effect == EXISTING_ON)
            add_scene(deed, entity_id);
        return;
    }
    const struct history_entity *e = history_find_entity(h, entity_id);
    struct deed one = *deed;
    one.depth++;
    for (const char *p = e != NULL && e->members != NULL ? e->members : ""; *p != '\0';) {
        p += strspn(p, " ");
        size_t length = strcspn(p, " ");
        char *id = xstrndup(p, length);
        if (length > 0)
            visit_target(id, &one);
        free(id);
        p += length;
    }
}

/* ---- services ------------------------------------------------------------------------------- */

/* The values of a service's data, in the grammar's units. */
static void read_values(struct deed *deed, json_object *data)
{
    static const struct {
        const char *field;
        enum rule_attribute attribute;
        double scale; /* 0: a mired, which is a million over it */
    } fields[] = {
        {"brightness_pct", RULE_BRIGHTNESS, 1},
        {"brightness", RULE_BRIGHTNESS, 100.0 / 255},
        {"color_temp_kelvin", RULE_COLOR_TEMPERATURE, 1},
        {"kelvin", RULE_COLOR_TEMPERATURE, 1},
        {"color_temp", RULE_COLOR_TEMPERATURE, 0},
        {"percentage", RULE_PERCENTAGE, 1},
        {"volume_level", RULE_VOLUME, 1},
        {"temperature", RULE_SETPOINT, 1},
        {"position", RULE_POSITION, 1},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        json_object *value = json_get(data, fields[i].field);
        if (deed->value_count == RULE_VALUES_MAX || value == NULL ||
            (!json_object_is_type(value, json_type_int) &&
             !json_object_is_type(value, json_type_double)))
            continue;
        double number = json_object_get_double(value);
        number = fields[i].scale > 0 ? number * fields[i].scale : 1e6 / fmax(number, 1);
        deed->values[deed->value_count++] = (struct rule_value){fields[i].attribute, number};
    }
}

static void set_position(struct deed *deed, double position)
{
    deed->effect = EXISTING_SET;
    deed->values[0] = (struct rule_value){RULE_POSITION, position};
    deed->value_count = 1;
}

/* What a service does; false when that is nothing that a suggestion could. */
static bool read_service(const char *domain, const char *name, json_object *data, struct deed *deed)
{
    static const struct {
        const char *name;
        enum existing_effect effect;
    } rows[] = {
        {"turn_on", EXISTING_ON},          {"turn_off", EXISTING_OFF},
        {"toggle", EXISTING_TOGGLE},       {"lock", EXISTING_ON},
        {"unlock", EXISTING_OFF},          {"open", EXISTING_OFF}, /* of a lock */
        {"set_percentage", EXISTING_SET},  {"volume_set", EXISTING_SET},
        {"set_temperature", EXISTING_SET}, {"set_cover_position", EXISTING_SET},
        {"set_position", EXISTING_SET},    {"alarm_arm_away", EXISTING_ON},
        {"alarm_arm_home", EXISTING_ON},   {"alarm_disarm", EXISTING_OFF},
        {"open_cover", EXISTING_SET},      {"close_cover", EXISTING_SET},
    };
    (void)domain;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, name) != 0)
            continue;
        deed->effect = rows[i].effect;
        read_values(deed, data);
        if (strcmp(name, "open_cover") == 0)
            set_position(deed, 100);
        else if (strcmp(name, "close_cover") == 0)
            set_position(deed, 0);
        return deed->effect != EXISTING_SET || deed->value_count > 0;
    }
    return false;
}

static void walk_service(struct walk *w, json_object *step, const char *service)
{
    const char *dot = strchr(service, '.');
    if (dot == NULL || strchr(service, '{') != NULL)
        return;
    char *domain = xstrndup(service, (size_t)(dot - service));
    struct deed deed = {.walk = w, .domain = domain};
    json_object *data = json_get_either(step, "data", "data_template");
    if (strcmp(service, "scene.apply") == 0) {
        add_scene_states(&deed, json_get(data, "entities"));
    } else if (read_service(domain, dot + 1, data, &deed)) {
        targets_visit(step, w->home->places, visit_target, &deed);
    }
    free(domain);
}

/* What HA's page writes for a device: {type: turn_on, domain: light, entity_id: …}. */
static void walk_device(struct walk *w, json_object *step)
{
    const char *type = json_get_string(step, "type"), *domain = json_get_string(step, "domain");
    struct deed deed = {.walk = w, .domain = domain};
    static const char *const covers[][2] = {{"open", "open_cover"}, {"close", "close_cover"}};
    if (type == NULL || domain == NULL)
        return;
    for (size_t i = 0; i < 2 && strcmp(domain, "cover") == 0; i++)
        if (strcmp(type, covers[i][0]) == 0)
            type = covers[i][1];
    if (read_service(domain, type, step, &deed))
        targets_visit_names(json_get(step, "entity_id"), visit_target, &deed);
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void walk_steps(struct walk *w, json_object *steps);

/* A sequence under a way's own conditions; steals them. What comes after it goes on as before, but
 * nobody knows when. */
static void walk_way(struct walk *w, json_object *steals, json_object *sequence)
{
    struct walk inner = *w;
    inner.conditions = steals;
    inner.is_ended = false;
    walk_steps(&inner, sequence);
    w->is_late = w->is_late || inner.is_late || inner.delay_ms != w->delay_ms;
    json_object_put(inner.conditions);
}

static void walk_choose(struct walk *w, json_object *step)
{
    json_object *options = json_get(step, "choose"), *rest = copy_list(w->conditions);
    bool is_list = json_object_is_type(options, json_type_array);
    struct walk before = *w;
    for (size_t i = 0; i < (is_list ? json_object_array_length(options) : 1); i++) {
        json_object *option = is_list ? json_object_array_get_idx(options, i) : options;
        json_object *own = json_get_either(option, "conditions", "condition");
        struct walk each = before;
        walk_way(&each, with(rest, own), json_get(option, "sequence"));
        w->is_late = w->is_late || each.is_late;
        json_object *next = without(rest, own);
        json_object_put(rest);
        rest = next;
    }
    struct walk each = before;
    walk_way(&each, json_object_get(rest), json_get(step, "default"));
    w->is_late = w->is_late || each.is_late;
    json_object_put(rest);
}

static void walk_if(struct walk *w, json_object *step)
{
    json_object *own = json_get(step, "if");
    struct walk before = *w, other = *w;
    walk_way(&before, with(w->conditions, own), json_get(step, "then"));
    walk_way(&other, without(w->conditions, own), json_get(step, "else"));
    w->is_late = before.is_late || other.is_late;
}

static void walk_parallel(struct walk *w, json_object *branches)
{
    bool is_list = json_object_is_type(branches, json_type_array);
    struct walk before = *w;
    for (size_t i = 0; i < (is_list ? json_object_array_length(branches) : 1); i++) {
        struct walk each = before;
        json_object *one = is_list ? json_object_array_get_idx(branches, i) : branches;
        walk_way(&each, json_object_get(w->conditions), one);
        w->is_late = w->is_late || each.is_late;
    }
}

static void walk_repeat(struct walk *w, json_object *repeat)
{
    walk_way(w, with(w->conditions, json_get(repeat, "while")), json_get(repeat, "sequence"));
}

static bool is_condition(json_object *step)
{
    return json_object_is_type(step, json_type_string) || json_get(step, "condition") != NULL ||
           json_get(step, "and") != NULL || json_get(step, "or") != NULL ||
           json_get(step, "not") != NULL;
}

/* What follows it in this sequence hangs on it. */
static void walk_condition(struct walk *w, json_object *step)
{
    json_object *narrower = with(w->conditions, step);
    json_object_put(w->conditions);
    w->conditions = narrower;
}

static void walk_delay(struct walk *w, json_object *delay)
{
    int64_t us;
    if (automation_read_period(delay, &us) && us >= 0)
        w->delay_ms += us / 1000;
    else
        w->is_late = true;
}

static void walk_step(struct walk *w, json_object *step)
{
    json_object *enabled = json_get(step, "enabled");
    json_object *service = json_get_either(step, "action", "service");
    if (json_object_is_type(enabled, json_type_boolean) && !json_object_get_boolean(enabled))
        return;
    if (json_object_is_type(service, json_type_string))
        walk_service(w, step, json_object_get_string(service));
    else if (json_get(step, "choose") != NULL)
        walk_choose(w, step);
    else if (json_get(step, "if") != NULL)
        walk_if(w, step);
    else if (json_get(step, "parallel") != NULL)
        walk_parallel(w, json_get(step, "parallel"));
    else if (json_get(step, "repeat") != NULL)
        walk_repeat(w, json_get(step, "repeat"));
    else if (json_get(step, "sequence") != NULL)
        walk_way(w, json_object_get(w->conditions), json_get(step, "sequence"));
    else if (json_get(step, "delay") != NULL)
        walk_delay(w, json_get(step, "delay"));
    else if (json_get(step, "wait_template") != NULL || json_get(step, "wait_for_trigger") != NULL)
        w->is_late = true;
    else if (json_get(step, "scene") != NULL) {
        struct deed deed = {.walk = w, .domain = "scene", .effect = EXISTING_ON};
        targets_visit_names(json_get(step, "scene"), visit_target, &deed);
    } else if (json_get(step, "stop") != NULL)
        w->is_ended = true;
    else if (json_get(step, "type") != NULL && json_get(step, "domain") != NULL &&
             json_get(step, "condition") == NULL)
        walk_device(w, step);
    else if (is_condition(step))
        walk_condition(w, step);
}

static void walk_steps(struct walk *w, json_object *steps)
{
    bool is_list = json_object_is_type(steps, json_type_array);
    if (steps == NULL || w->depth > EXISTING_DEPTH_MAX)
        return;
    w->depth++;
    for (size_t i = 0; i < (is_list ? json_object_array_length(steps) : 1) && !w->is_ended; i++)
        walk_step(w, is_list ? json_object_array_get_idx(steps, i) : steps);
    w->depth--;
}

void existing_read_acts(struct existing_list *list, struct existing *e, json_object *config,
                        const struct existing_home *home)
{
    struct walk w = {.list = list, .e = e, .home = home, .conditions = json_object_new_array()};
    find_branch(e, w.conditions); /* the first one: whatever its conditions */
    walk_steps(&w, json_get_either(config, "actions", "action"));
    json_object_put(w.conditions);
}
