/* An automation's triggers and conditions, and what HA's pages write for them, spelled out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "suggest/existing.h"
#include "suggest/targets.h"

/* ---- registry ids --------------------------------------------------------------------------- */

/* The entity of a registry id; the text itself when it is none. Borrowed. */
static const char *look_up(const struct existing_home *home, const char *text)
{
    if (strchr(text, '.') != NULL || home->places == NULL)
        return text;
    for (size_t i = 0; i < home->places->place_count; i++) {
        const struct timeline_place *place = &home->places->places[i];
        if (place->registry_id != NULL && strcmp(place->registry_id, text) == 0)
            return place->entity_id;
    }
    return text;
}

static json_object *plain_ids(json_object *value, const struct existing_home *home)
{
    if (json_object_is_type(value, json_type_string))
        return json_object_new_string(look_up(home, json_object_get_string(value)));
    if (!json_object_is_type(value, json_type_array))
        return json_object_get(value);
    json_object *list = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(value); i++)
        json_object_array_add(list, plain_ids(json_object_array_get_idx(value, i), home));
    return list;
}

/* ---- device triggers and conditions --------------------------------------------------------- */

/* What is said of a device's entity, as a state of it. */
static const char *state_of(const char *type)
{
    static const char *const on[] = {
        "turned_on",   "is_on", "motion",   "is_motion", "opened",   "is_open", "occupied",
        "is_occupied", "moist", "is_moist", "smoke",     "is_smoke", "presence"};
    static const char *const off[] = {"turned_off",   "is_off",          "no_motion",
                                      "is_no_motion", "not_opened",      "is_not_open",
                                      "not_occupied", "is_not_occupied", "not_moist",
                                      "is_not_moist", "no_smoke",        "is_no_smoke"};
    static const char *const others[][2] = {
        {"locked", "locked"},        {"is_locked", "locked"}, {"unlocked", "unlocked"},
        {"is_unlocked", "unlocked"}, {"closed", "closed"},    {"is_closed", "closed"},
        {"playing", "playing"},      {"idle", "idle"},        {"paused", "paused"}};
    for (size_t i = 0; i < sizeof on / sizeof *on; i++)
        if (strcmp(type, on[i]) == 0)
            return "on";
    for (size_t i = 0; i < sizeof off / sizeof *off; i++)
        if (strcmp(type, off[i]) == 0)
            return "off";
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(type, others[i][0]) == 0)
            return others[i][1];
    return NULL;
}

/* {trigger: device, type: turned_on, entity_id: …} as {trigger: state, …, to: on}; of a condition
 * likewise. In place. */
static void spell_device(json_object *object)
{
    const char *type = json_get_string(object, "type"), *domain = json_get_string(object, "domain");
    const char *id = json_get_string(object, "entity_id");
    const char *state = type != NULL ? state_of(type) : NULL;
    const char *kind = json_is(object, "condition", "device")  ? "condition"
                       : json_is(object, "trigger", "device")  ? "trigger"
                       : json_is(object, "platform", "device") ? "platform"
                                                               : NULL;
    if (kind == NULL || state == NULL || domain == NULL || id == NULL || strchr(id, '.') == NULL)
        return;
    if (strcmp(domain, "cover") == 0 && strcmp(state, "on") == 0)
        state = "open";
    json_object_object_add(object, kind, json_object_new_string("state"));
    json_object_object_add(object, strcmp(kind, "condition") == 0 ? "state" : "to",
                           json_object_new_string(state));
    static const char *const gone[] = {"type", "domain", "device_id", "metadata"};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        json_object_object_del(object, gone[i]);
}

/* A copy of the whole tree. */
static json_object *copy(json_object *value, const struct existing_home *home)
{
    if (json_object_is_type(value, json_type_array)) {
        json_object *list = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(value); i++)
            json_object_array_add(list, copy(json_object_array_get_idx(value, i), home));
        return list;
    }
    if (!json_object_is_type(value, json_type_object))
        return json_object_get(value);
    json_object *object = json_object_new_object();
    json_object_object_foreach(value, key, member)
    {
        json_object_object_add(object, key,
                               strcmp(key, "entity_id") == 0 ? plain_ids(member, home)
                                                             : copy(member, home));
    }
    spell_device(object);
    return object;
}

json_object *existing_plain(json_object *config, const struct existing_home *home)
{
    const char *text = json_text(config);
    if (strlen(text) > EXISTING_BYTES_MAX)
        return NULL;
    json_object *ours = json_parse(text, strlen(text), NULL); /* no deeper than that takes */
    json_object *plain = ours != NULL ? copy(ours, home) : NULL;
    json_object_put(ours);
    return plain;
}

/* ---- triggers ------------------------------------------------------------------------------- */

/* "07:30", "07:30:15"; -1 = none. */
static int read_clock(json_object *value)
{
    int h, m, s = 0, length = 0;
    const char *text =
        json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    if (strspn(text, "0123456789:") != strlen(text) ||
        sscanf(text, "%2d:%2d%n:%2d%n", &h, &m, &length, &s, &length) < 2 || text[length] != '\0' ||
        h > 23 || m > 59 || s > 59)
        return -1;
    return h * 3600 + m * 60 + s;
}

static struct existing_trigger *add(struct existing *e, enum existing_trigger_kind kind)
{
    if (e->trigger_count == EXISTING_TRIGGERS_MAX)
        return NULL;
    e->triggers =
        grow_array(e->triggers, e->trigger_count, &e->trigger_capacity, sizeof *e->triggers);
    struct existing_trigger *t = &e->triggers[e->trigger_count++];
    *t = (struct existing_trigger){.kind = kind, .weekdays = RULE_EVERY_DAY};
    return t;
}

/* Days of the week that a value names: one name or a list; none = all. */
static unsigned read_weekdays(json_object *value)
{
    unsigned days = 0;
    bool is_list = json_object_is_type(value, json_type_array);
    if (value == NULL)
        return RULE_EVERY_DAY;
    for (size_t i = 0; i < (is_list ? json_object_array_length(value) : 1); i++) {
        json_object *one = is_list ? json_object_array_get_idx(value, i) : value;
        const char *name = json_object_get_string(one);
        for (int day = 0; day < 7; day++)
            if (name != NULL && strcmp(name, rule_weekday_name(day)) == 0)
                days |= 1U << day;
    }
    return days;
}

static void read_time(struct existing *e, json_object *trigger)
{
    json_object *at = json_get(trigger, "at");
    bool is_list = json_object_is_type(at, json_type_array);
    for (size_t i = 0; i < (is_list ? json_object_array_length(at) : 1); i++) {
        int second = read_clock(is_list ? json_object_array_get_idx(at, i) : at);
        struct existing_trigger *t = second >= 0 ? add(e, EXISTING_AT) : NULL;
        if (t == NULL)
            continue;
        t->second = second;
        t->weekdays = read_weekdays(json_get(trigger, "weekday"));
    }
}

static void read_sun(struct existing *e, json_object *trigger)
{
    struct existing_trigger *t = add(e, EXISTING_SUN);
    int64_t us = 0;
    if (t == NULL)
        return;
    t->event = json_is(trigger, "event", "sunset") ? RULE_SUNSET : RULE_SUNRISE;
    if (automation_read_period(json_get(trigger, "offset"), &us))
        t->second = (int)(us / 1000000);
}

struct reading {
    struct existing *e;
    json_object *from; /* or not_from; NULL = any */
    const char *to;
    int for_s;
};

/* Whether the entity can come to that state from there alone. */
static bool is_only_other(const char *entity_id, json_object *from, const char *to)
{
    const char *other = to != NULL ? rule_opposite_state(entity_id, to) : NULL;
    return other != NULL && json_object_is_type(from, json_type_string) &&
           strcmp(json_object_get_string(from), other) == 0;
}

static void add_state(const char *entity_id, void *ctx)
{
    const struct reading *r = ctx;
    struct existing_trigger *t = add(r->e, EXISTING_STATE);
    if (t == NULL)
        return;
    t->entity_id = xstrdup(entity_id);
    t->to = r->to != NULL ? xstrdup(r->to) : NULL;
    t->for_s = r->for_s;
    t->is_narrow = r->from != NULL && !is_only_other(entity_id, r->from, r->to);
}

static void read_state(struct existing *e, json_object *trigger)
{
    json_object *to = json_get(trigger, "to");
    int64_t us = 0;
    if (json_get(trigger, "attribute") != NULL || json_get(trigger, "not_to") != NULL)
        return;
    automation_read_period(json_get(trigger, "for"), &us);
    bool is_list = json_object_is_type(to, json_type_array);
    for (size_t i = 0; i < (is_list ? json_object_array_length(to) : 1); i++) {
        json_object *one = is_list ? json_object_array_get_idx(to, i) : to;
        const char *word = json_object_is_type(one, json_type_boolean)
                               ? (json_object_get_boolean(one) ? "on" : "off")
                               : json_object_get_string(one);
        struct reading r = {e, json_get_either(trigger, "from", "not_from"), word,
                            (int)(us / 1000000)};
        targets_visit_names(json_get(trigger, "entity_id"), add_state, &r);
    }
}

static void read_trigger(struct existing *e, json_object *trigger, int depth)
{
    const char *kind = json_object_is_type(trigger, json_type_object)
                           ? json_object_get_string(json_get_either(trigger, "trigger", "platform"))
                           : NULL;
    json_object *enabled = json_get(trigger, "enabled"), *inner = json_get(trigger, "triggers");
    if (json_object_is_type(enabled, json_type_boolean) && !json_object_get_boolean(enabled))
        return;
    for (size_t i = 0; json_object_is_type(inner, json_type_array) && depth < EXISTING_DEPTH_MAX &&
                       i < json_object_array_length(inner);
         i++)
        read_trigger(e, json_object_array_get_idx(inner, i), depth + 1);
    if (kind == NULL)
        return;
    if (strcmp(kind, "time") == 0)
        read_time(e, trigger);
    else if (strcmp(kind, "sun") == 0)
        read_sun(e, trigger);
    else if (strcmp(kind, "state") == 0)
        read_state(e, trigger);
}

void existing_read_triggers(struct existing *e, json_object *config)
{
    json_object *list = json_get_either(config, "triggers", "trigger");
    bool is_list = json_object_is_type(list, json_type_array);
    for (size_t i = 0; list != NULL && i < (is_list ? json_object_array_length(list) : 1); i++)
        read_trigger(e, is_list ? json_object_array_get_idx(list, i) : list, 0);
}

void existing_read_days(json_object *conditions, unsigned *weekdays, bool *has_more)
{
    for (size_t i = 0; i < json_object_array_length(conditions); i++) {
        json_object *one = json_object_array_get_idx(conditions, i),
                    *enabled = json_get(one, "enabled");
        if (json_object_is_type(enabled, json_type_boolean) && !json_object_get_boolean(enabled))
            continue;
        if (json_is(one, "condition", "time") && json_get(one, "weekday") != NULL) {
            *weekdays &= read_weekdays(json_get(one, "weekday"));
            *has_more =
                *has_more || json_get(one, "after") != NULL || json_get(one, "before") != NULL;
        } else {
            *has_more = true;
        }
    }
}
