/* What states and changes mean to a purpose-specific trigger or condition. */
#include <string.h>

#include "core/json.h"
#include "replay/parse.h"
#include "replay/purpose.h"

const struct domain_spec *purpose_spec(const struct purpose_use *use, const char *entity_id)
{
    for (size_t i = 0; i < use->spec_count; i++) {
        size_t length = strlen(use->specs[i].domain);
        if (strncmp(entity_id, use->specs[i].domain, length) == 0 && entity_id[length] == '.')
            return &use->specs[i];
    }
    return NULL;
}

/* Only entities of its domains ever get here. */
static const struct domain_spec *spec_of(const struct purpose_use *use, struct state state)
{
    const struct domain_spec *spec = purpose_spec(use, state.series->entity_id);
    return spec != NULL ? spec : &use->specs[0];
}

/* The state tells first; the recorder leaves the supported features out of it. Where nothing is
 * known of them they are assumed, except of an entity that is neither in the state machine nor in
 * the registry: Home Assistant does not know that one. */
bool purpose_fits(const struct replay *r, const struct purpose_use *use, struct state state)
{
    const char *id = state.series->entity_id;
    const struct domain_spec *spec = spec_of(use, state);
    const struct timeline_place *place = timeline_find_place(r->timeline, id);
    bool is_told = state.row != NULL && state.row->attributes >= 0;
    if (spec->device_class[0] != '\0') {
        const char *found = place != NULL ? place->device_class : NULL;
        if (is_told && !json_is_text(state_attribute(r, state, "device_class"), spec->device_class))
            return false;
        if (!is_told && (found == NULL || strcmp(found, spec->device_class) != 0))
            return false;
    }
    if (use->purpose->features == 0)
        return true;
    if (state.row == NULL && place == NULL && r->timeline->place_count > 0)
        return false;
    int64_t features = place != NULL ? place->supported_features : use->purpose->features;
    if (is_told && state_has_attribute(r, state, "supported_features"))
        features = json_object_get_int64(state_attribute(r, state, "supported_features"));
    return (features & use->purpose->features) != 0;
}

/* --- values: a state's text, or an attribute --- */

struct value {
    const char *text;  /* NULL: it is an attribute */
    json_object *json; /* NULL: None */
};

static struct value value_of(const struct replay *r, const struct domain_spec *spec,
                             struct state state)
{
    if (spec->attribute[0] == '\0')
        return (struct value){state_text(r, state), NULL};
    return (struct value){NULL, state_attribute(r, state, spec->attribute)};
}

/* A word of the table may be true or false. */
static bool is_word(const struct value *value, const char *word)
{
    if (value->text != NULL)
        return strcmp(value->text, word) == 0;
    if (json_object_is_type(value->json, json_type_boolean))
        return strcmp(json_object_get_boolean(value->json) ? "true" : "false", word) == 0;
    return json_is_text(value->json, word);
}

static bool is_among(const struct value *value, char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_word(value, words[i]))
            return true;
    return false;
}

static bool values_equal(const struct value *a, const struct value *b)
{
    if (a->text != NULL && b->text != NULL)
        return strcmp(a->text, b->text) == 0;
    return a->text == NULL && b->text == NULL && value_equals(a->json, b->json);
}

/* --- numbers --- */

static const char *unit_of(const struct replay *r, struct state state, const char *attribute)
{
    json_object *unit = state_attribute(r, state, attribute);
    return json_object_is_type(unit, json_type_string) ? json_object_get_string(unit) : "";
}

static const char *unit_of_value(const struct replay *r, const struct purpose_use *use,
                                 struct state state)
{
    const char *id = state.series->entity_id;
    if ((use->purpose->flags & PURPOSE_SYSTEM_UNIT) == 0 || strncmp(id, "sensor.", 7) == 0)
        return unit_of(r, state, "unit_of_measurement");
    if (strncmp(id, "weather.", 8) == 0)
        return unit_of(r, state, "temperature_unit");
    return r->timeline->is_fahrenheit ? "°F" : "°C";
}

/* _get_tracked_value; false: None. */
static bool read_number(const struct replay *r, const struct purpose_use *use, struct state state,
                        double *number)
{
    const struct purpose *purpose = use->purpose;
    const struct domain_spec *spec = spec_of(use, state);
    struct value value = value_of(r, spec, state);
    if (value.text != NULL && purpose->unit != NULL &&
        strcmp(unit_of(r, state, "unit_of_measurement"), purpose->unit) != 0)
        return false;
    if (value.text != NULL ? !state_number(r, state, number) : !value_number(value.json, number))
        return false;
    if (purpose->flags & PURPOSE_OF_255)
        *number = (*number / 255.0) * 100.0;
    if (purpose->flags & PURPOSE_OF_1)
        *number *= 100.0;
    return purpose->converter == NULL ||
           units_convert(purpose->converter, *number, unit_of_value(r, use, state), number);
}

static bool read_limit(const struct replay *r, const struct purpose *purpose,
                       const struct limit *limit, int64_t now_us, double *number)
{
    *number = limit->number;
    if (!limit->is_entity)
        return true;
    struct state state = engine_state(r, limit->entity, now_us);
    if (state.row == NULL)
        return false;
    const char *unit = unit_of(r, state, "unit_of_measurement");
    if (purpose->unit != NULL && strcmp(unit, purpose->unit) != 0)
        return false;
    return state_number(r, state, number) &&
           (purpose->converter == NULL || units_convert(purpose->converter, *number, unit, number));
}

static bool meets_threshold(const struct replay *r, const struct purpose_use *use,
                            struct state state, int64_t now_us)
{
    double number, low, high;
    if (!read_number(r, use, state, &number))
        return false;
    if (use->threshold == THRESHOLD_ANY)
        return true;
    if (use->threshold == THRESHOLD_ABOVE)
        return read_limit(r, use->purpose, &use->low, now_us, &low) && number > low;
    if (use->threshold == THRESHOLD_BELOW)
        return read_limit(r, use->purpose, &use->high, now_us, &high) && number < high;
    if (!read_limit(r, use->purpose, &use->low, now_us, &low) ||
        !read_limit(r, use->purpose, &use->high, now_us, &high))
        return false;
    bool is_between = low <= number && number <= high;
    return is_between == (use->threshold == THRESHOLD_BETWEEN);
}

static bool is_whole(const struct replay *r, struct state state, double *number)
{
    return parse_whole_number(state_text(r, state), number);
}

/* --- media players, zones --- */

static bool has_volume(const struct replay *r, struct state state)
{
    return state_attribute(r, state, "is_volume_muted") != NULL ||
           state_attribute(r, state, "volume_level") != NULL;
}

static bool is_muted(const struct replay *r, struct state state)
{
    json_object *muted = state_attribute(r, state, "is_volume_muted");
    json_object *level = state_attribute(r, state, "volume_level");
    double number;
    if (json_object_is_type(muted, json_type_boolean) && json_object_get_boolean(muted))
        return true;
    return !json_object_is_type(level, json_type_string) && value_number(level, &number) &&
           !(number < 0) && !(number > 0);
}

static bool is_in_zone(const struct replay *r, const struct purpose_use *use, struct state state)
{
    json_object *zones = state_attribute(r, state, "in_zones");
    for (size_t i = 0; i < parse_list_length(zones); i++)
        if (json_is_text(parse_list_at(zones, i), use->words[0]))
            return true;
    return false;
}

static bool is_occupied(const struct replay *r, struct state state)
{
    double number;
    return is_whole(r, state, &number) && number >= 1;
}

/* --- the three questions --- */

bool purpose_includes(const struct replay *r, const struct purpose_use *use, struct state state)
{
    if (state_is_unknown(r, state))
        return false;
    if ((use->purpose->flags & PURPOSE_VOLUME) && !has_volume(r, state))
        return false;
    const struct domain_spec *spec = spec_of(use, state);
    return (use->purpose->flags & PURPOSE_NEEDS_VALUE) == 0 || spec->attribute[0] == '\0' ||
           state_attribute(r, state, spec->attribute) != NULL;
}

bool purpose_is_valid(const struct replay *r, const struct purpose_use *use, struct state state,
                      int64_t now_us)
{
    const struct domain_spec *spec = spec_of(use, state);
    struct value value = value_of(r, spec, state);
    double number;
    switch (use->purpose->valid) {
    case VALID_IN:
        return is_among(&value, use->words, use->word_count);
    case VALID_NOT_IN:
        return !is_among(&value, use->words, use->word_count);
    case VALID_COVER:
        return is_word(&value, spec->word);
    case VALID_NUMBER:
        return meets_threshold(r, use, state, now_us);
    case VALID_ANY:
        return true;
    case VALID_INTEGER:
        return is_whole(r, state, &number);
    case VALID_LIMIT:
        value.json = state_attribute(r, state, use->words[0]);
        return value.json != NULL && strcmp(json_object_get_string(value.json), value.text) == 0;
    case VALID_MUTED:
    case VALID_UNMUTED:
        return has_volume(r, state) && is_muted(r, state) == (use->purpose->valid == VALID_MUTED);
    case VALID_IN_ZONE:
        return is_in_zone(r, use, state);
    case VALID_NOT_IN_ZONE:
        return !is_in_zone(r, use, state);
    case VALID_OCCUPIED:
        return is_occupied(r, state);
    case VALID_EMPTY:
        return is_whole(r, state, &number) && !(number < 0) && !(number > 0);
    }
    return false;
}

/* Where the recorder leaves next_event out a block begins when the schedule turns on. */
static bool is_next_block(const struct replay *r, const struct change *c)
{
    const char *from = state_text(r, c->from);
    if (strcmp(from, "off") != 0 && strcmp(from, "on") != 0)
        return false;
    if (!state_has_attribute(r, c->from, "next_event") &&
        !state_has_attribute(r, c->to, "next_event"))
        return strcmp(from, "off") == 0;
    return !value_equals(state_attribute(r, c->from, "next_event"),
                         state_attribute(r, c->to, "next_event"));
}

static bool numbers_differ(const struct replay *r, const struct purpose_use *use,
                           const struct change *c)
{
    double from, to;
    bool has_from = read_number(r, use, c->from, &from), has_to = read_number(r, use, c->to, &to);
    return has_from && has_to ? !(from <= to && from >= to) : has_from != has_to;
}

bool purpose_is_change(const struct replay *r, const struct purpose_use *use,
                       const struct change *c, int64_t now_us)
{
    const struct domain_spec *spec = spec_of(use, c->to);
    struct value from = value_of(r, spec, c->from), to = value_of(r, spec, c->to);
    bool differs = !values_equal(&from, &to);
    double old, new;
    switch (use->purpose->change) {
    case CHANGE_STATE:
        return c->from.row->word != c->to.row->word;
    case CHANGE_TARGET:
        return differs && !is_among(&from, use->words, use->word_count);
    case CHANGE_TRANSITION:
        return differs && is_among(&from, use->from, use->from_count);
    case CHANGE_ORIGIN:
        return is_among(&from, use->words, use->word_count);
    case CHANGE_COVER:
        return differs && (from.text != NULL || from.json != NULL);
    case CHANGE_NUMBER:
        return numbers_differ(r, use, c);
    case CHANGE_ENTERED:
        return !purpose_is_valid(r, use, c->from, now_us);
    case CHANGE_CLEARED:
        return is_occupied(r, c->from);
    case CHANGE_LESS:
    case CHANGE_MORE:
        if (!is_whole(r, c->from, &old) || !is_whole(r, c->to, &new))
            return false;
        return use->purpose->change == CHANGE_LESS ? old > new : old < new;
    case CHANGE_MUTED:
        return has_volume(r, c->to) && is_muted(r, c->from) != is_muted(r, c->to);
    case CHANGE_NEXT_BLOCK:
        return is_next_block(r, c);
    }
    return false;
}
