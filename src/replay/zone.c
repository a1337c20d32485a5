/* zone as a trigger and as a condition (components/zone/trigger.py, condition.py, __init__.py). As
 * 2026.11: what a person or device_tracker itself says in in_zones goes before its coordinates;
 * 2025.4 has no such attribute. */
#include <math.h>
#include <string.h>

#include "replay/distance.h"
#include "replay/engine.h"
#include "replay/parse.h"

static bool is_number(json_object *value)
{
    return json_object_is_type(value, json_type_double) ||
           json_object_is_type(value, json_type_int);
}

static bool reports_zones(const struct state *state)
{
    return strncmp(state->series->entity_id, "person.", 7) == 0 ||
           strncmp(state->series->entity_id, "device_tracker.", 15) == 0;
}

static bool contains(json_object *list, const char *text)
{
    for (size_t i = 0; i < parse_list_length(list); i++) {
        json_object *element = parse_list_at(list, i);
        if (json_object_is_type(element, json_type_string) &&
            strcmp(json_object_get_string(element), text) == 0)
            return true;
    }
    return false;
}

/* in_zone(); what is missing in the attributes is a KeyError. */
static enum verdict check_place(const struct replay *r, struct state zone, json_object *latitude,
                                json_object *longitude, json_object *accuracy)
{
    if (strcmp(state_text(r, zone), "unavailable") == 0)
        return VERDICT_FALSE;
    json_object *zone_latitude = state_attribute(r, zone, "latitude");
    json_object *zone_longitude = state_attribute(r, zone, "longitude");
    json_object *radius = state_attribute(r, zone, "radius");
    if (!is_number(zone_latitude) || !is_number(zone_longitude) || !is_number(latitude) ||
        !is_number(longitude) || (accuracy != NULL && !is_number(accuracy)))
        return VERDICT_EXCEPTION;
    if (!is_number(radius))
        return state_has_attribute(r, zone, "radius") && radius == NULL ? VERDICT_FALSE
                                                                        : VERDICT_EXCEPTION;
    double meters =
        distance_m(json_object_get_double(latitude), json_object_get_double(longitude),
                   json_object_get_double(zone_latitude), json_object_get_double(zone_longitude));
    if (isnan(meters))
        return VERDICT_FALSE;
    double blur = accuracy != NULL ? json_object_get_double(accuracy) : 0;
    return meters - blur < json_object_get_double(radius) ? VERDICT_TRUE : VERDICT_FALSE;
}

/* Whether the entity is in the zone; both are there. */
static enum verdict check_zone(const struct replay *r, struct state zone, struct state entity)
{
    if (state_is_unknown(r, entity))
        return VERDICT_FALSE;
    json_object *in_zones = state_attribute(r, entity, "in_zones");
    if (in_zones != NULL && reports_zones(&entity))
        return contains(in_zones, zone.series->entity_id) ? VERDICT_TRUE : VERDICT_FALSE;
    json_object *latitude = state_attribute(r, entity, "latitude");
    json_object *longitude = state_attribute(r, entity, "longitude");
    if (latitude == NULL || longitude == NULL)
        return VERDICT_ERROR;
    json_object *accuracy = state_attribute(r, entity, "gps_accuracy");
    if (accuracy == NULL && state_has_attribute(r, entity, "gps_accuracy"))
        return VERDICT_EXCEPTION;
    return check_place(r, zone, latitude, longitude, accuracy);
}

/* --- the trigger --- */

static int parse_trigger(struct parser *p, json_object *config, struct trigger *t)
{
    static const char *const keys[] = {"entity_id", "zone", "event", NULL};
    if (parse_trigger_keys(p, config, keys) != 0 ||
        parse_entities(p, config, "entity_id", &t->entities, &t->entity_count) != 0 ||
        parse_entity(p, config, "zone", &t->zone) != 0)
        return -1;
    json_object *event = parse_get(config, "event");
    const char *text =
        json_object_is_type(event, json_type_string) ? json_object_get_string(event) : "";
    t->is_set = strcmp(text, "leave") == 0;
    parse_attribute_use(p, config, "entity_id", "latitude", t->entities, t->entity_count, NULL);
    if (parse_has(config, "event") && !t->is_set && strcmp(text, "enter") != 0)
        return parse_fail_key(p, config, "event", "enter or leave");
    return 0;
}

static bool has_zone_info(const struct replay *r, struct state state)
{
    if (is_number(state_attribute(r, state, "latitude")) &&
        is_number(state_attribute(r, state, "longitude")))
        return true;
    return reports_zones(&state) && state_has_attribute(r, state, "in_zones");
}

static void on_change(struct replay *r, struct watch *w, const struct change *c)
{
    const struct trigger *t = &r->automation->triggers[w->trigger];
    if ((c->from.row != NULL && !has_zone_info(r, c->from)) ||
        (c->to.row != NULL && !has_zone_info(r, c->to)))
        return;
    struct state zone = engine_state(r, t->zone, r->now_us);
    if (zone.row == NULL)
        return;
    enum verdict from = c->from.row != NULL ? check_zone(r, zone, c->from) : VERDICT_FALSE;
    enum verdict to = c->to.row != NULL ? check_zone(r, zone, c->to) : VERDICT_FALSE;
    enum verdict before = t->is_set ? VERDICT_TRUE : VERDICT_FALSE;
    enum verdict after = t->is_set ? VERDICT_FALSE : VERDICT_TRUE;
    /* It tells the zone's name: without one Home Assistant stumbles. */
    if (from == before && to == after && state_has_attribute(r, zone, "friendly_name"))
        engine_fire(r, w->trigger, c);
}

const struct trigger_type trigger_zone = {
    .name = "zone", .parse = parse_trigger, .on_change = on_change};

/* --- the condition --- */

static int parse_condition(struct parser *p, json_object *config, struct condition *c)
{
    static const char *const keys[] = {"entity_id", "zone", "event", NULL};
    if (parse_condition_keys(p, config, keys) != 0 ||
        parse_entities(p, config, "entity_id", &c->entities, &c->entity_count) != 0 ||
        parse_entities(p, config, "zone", &c->zones, &c->zone_count) != 0)
        return -1;
    parse_attribute_use(p, config, "entity_id", "latitude", c->entities, c->entity_count, NULL);
    return 0;
}

/* Each entity must be in one of the zones. */
static enum verdict check_condition(const struct replay *r, const struct condition *c,
                                    const struct occasion *o, int64_t now_us)
{
    (void)o;
    bool has_error = false, all_ok = true;
    for (size_t i = 0; i < c->entity_count; i++) {
        bool is_ok = false;
        for (size_t j = 0; j < c->zone_count; j++) {
            struct state zone = engine_state(r, c->zones[j], now_us);
            struct state entity = engine_state(r, c->entities[i], now_us);
            enum verdict verdict = VERDICT_ERROR;
            if (zone.row != NULL && entity.row != NULL)
                verdict = check_zone(r, zone, entity);
            if (verdict == VERDICT_EXCEPTION)
                return verdict;
            is_ok = is_ok || verdict == VERDICT_TRUE;
            has_error = has_error || verdict == VERDICT_ERROR;
        }
        all_ok = all_ok && is_ok;
    }
    if (all_ok)
        return VERDICT_TRUE;
    return has_error ? VERDICT_ERROR : VERDICT_FALSE;
}

const struct condition_type condition_zone = {"zone", parse_condition, check_condition};
