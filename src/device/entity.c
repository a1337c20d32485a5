#include "device/entity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "mqtt/topics.h"

/* HA stamps every command, so that a late or repeated one can be told from a new one. Only a
 * button's `this` already carries the context of the person who acts. */
static const char command_template[] =
    "{\"id\":\"{{ now().timestamp() }}-{{ range(100000) | random }}{{ range(100000) | random }}\","
    "\"ts\":\"{{ now().isoformat() }}\"%s}";
static const char value_part[] = ",\"value\":{{ value | tojson }}";
static const char person_part[] = ",\"by\":{{ this.context.user_id | tojson }}";

static const char availability_path[] = "availability"; /* instead of a fact */

static const char unknown_state[] = "None"; /* what HA takes as "unknown" on every platform */

/* --- loading --------------------------------------------------------------------------------- */

static bool is_word(const char *text, const char *also, size_t max)
{
    size_t len = strlen(text), i = 0;
    for (; i < len; i++) {
        char c = text[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || strchr(also, c)))
            break;
    }
    return len > 0 && len <= max && i == len;
}

struct link {
    const char *key;
    const char **target;
    enum ha_use use;
};

static int read_link(const struct link *link, json_object *value, const struct entity *entity,
                     struct error *err)
{
    const char *text =
        json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    if (link->use == HA_NEVER)
        return error_set(err, ERROR_INVALID, "ha_ai.%s: a %s takes none", link->key,
                         entity->platform->name);
    if (!is_word(text, ".", 100))
        return error_set(err, ERROR_INVALID, "ha_ai.%s is %.80s, expected %s", link->key,
                         value != NULL ? json_text(value) : "null",
                         link->target == &entity->command ? "the name of a command"
                                                          : "the path of a fact, as a.b");
    *link->target = text;
    return 0;
}

/* The "ha_ai" block: id, where state, attributes and options come from, which command it sends. */
static int read_links(struct entity *entity, json_object *block, struct error *err)
{
    bool select = entity_is(entity, "select");
    const struct link links[] = {
        {"state", &entity->state, entity->platform->state},
        {"attributes", &entity->attributes, HA_MAY},
        {"options", &entity->options, select ? HA_MAY : HA_NEVER},
        {"command", &entity->command, entity->platform->command},
    };
    const size_t count = sizeof(links) / sizeof(links[0]);
    json_object_object_foreach(block, key, value)
    {
        size_t i = 0;
        while (i < count && strcmp(links[i].key, key) != 0)
            i++;
        if (strcmp(key, "triggers") == 0) {
            if (!entity_is(entity, "event") || !json_object_is_type(value, json_type_boolean))
                return error_set(err, ERROR_INVALID,
                                 "ha_ai.triggers: expected true or false, on an event");
            entity->triggers = json_object_get_boolean(value);
            continue;
        }
        if (i == count && strcmp(key, "id") != 0)
            return error_set(err, ERROR_INVALID,
                             "unknown key 'ha_ai.%.60s'; expected id, state, attributes, options, "
                             "command or triggers",
                             key);
        if (i < count && read_link(&links[i], value, entity, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < count; i++)
        if (links[i].use == HA_MUST && *links[i].target == NULL)
            return error_set(err, ERROR_INVALID, "ha_ai.%s is missing: a %s needs one",
                             links[i].key, entity->platform->name);
    if (entity_is_availability(entity) && !entity_is(entity, "binary_sensor"))
        return error_set(err, ERROR_INVALID, "ha_ai.state: only a binary_sensor shows %s",
                         availability_path);
    const char *id = json_get_string(block, "id");
    if (id == NULL || !is_word(id, "", ENTITY_ID_MAX))
        return error_set(err, ERROR_INVALID,
                         "ha_ai.id is %.60s, expected 1 to %d of a-z, 0-9 and _",
                         id != NULL ? id : "missing", ENTITY_ID_MAX);
    entity->id = xstrdup(id);
    return 0;
}

/* The types of triggers become ids in the message. */
static int check_triggers(const struct entity *entity, struct error *err)
{
    json_object *types = json_get_array(entity->component, "event_types");
    for (size_t i = 0; entity->triggers && i < json_object_array_length(types); i++) {
        const char *type = json_object_get_string(json_object_array_get_idx(types, i));
        if (!is_word(type, "", ENTITY_ID_MAX))
            return error_set(err, ERROR_INVALID,
                             "event_types has '%.60s', expected 1 to %d of a-z, 0-9 and _ where "
                             "ha_ai.triggers is true",
                             type, ENTITY_ID_MAX);
    }
    return 0;
}

static int read_source(struct entity *entity, struct error *err)
{
    if (!json_object_is_type(entity->source, json_type_object))
        return error_set(err, ERROR_INVALID, "expected a JSON object");
    const char *platform = json_get_string(entity->source, "platform");
    entity->platform = platform != NULL ? ha_rules_platform(platform) : NULL;
    if (entity->platform == NULL) {
        char *names = ha_rules_platform_names();
        error_set(err, ERROR_INVALID, "platform is %s%.40s%s, expected one of %s",
                  platform ? "'" : "", platform ? platform : "missing", platform ? "'" : "", names);
        free(names);
        return -1;
    }
    json_object *block = json_get_object(entity->source, "ha_ai");
    if (block == NULL)
        return error_set(err, ERROR_INVALID,
                         "ha_ai is missing: expected an object with id, state, attributes, "
                         "options, command");
    entity->component = json_object_new_object();
    json_object_object_foreach(entity->source, key, value)
    {
        if (strcmp(key, "platform") != 0 && strcmp(key, "ha_ai") != 0)
            json_object_object_add(entity->component, key, json_object_get(value));
    }
    if (read_links(entity, block, err) < 0 ||
        ha_rules_check(entity->platform, entity->component, entity->options != NULL, err) < 0)
        return -1;
    return check_triggers(entity, err);
}

int entity_load(struct entity *out, const char *path, struct error *err)
{
    *out = (struct entity){.file = NULL};
    const char *slash = strrchr(path, '/');
    out->file = xstrdup(slash != NULL ? slash + 1 : path);
    out->source = json_read_file(path, ENTITY_FILE_MAX, err);
    if (out->source == NULL) { /* its message names the path */
        entity_release(out);
        return -1;
    }
    if (read_source(out, err) < 0) {
        error_prefix(err, "%s", path);
        entity_release(out);
        return -1;
    }
    return 0;
}

void entity_release(struct entity *entity)
{
    free(entity->file);
    free(entity->id);
    json_object_put(entity->component);
    json_object_put(entity->source);
    *entity = (struct entity){.file = NULL};
}

bool entity_is_availability(const struct entity *entity)
{
    return entity->state != NULL && strcmp(entity->state, availability_path) == 0;
}

bool entity_is(const struct entity *entity, const char *platform)
{
    return strcmp(entity->platform->name, platform) == 0;
}

/* --- its component --------------------------------------------------------------------------- */

json_object *entity_component(const struct entity *entity, const char *instance, int release,
                              json_object *options)
{
    const struct ha_platform *platform = entity->platform;
    if (platform->since > release)
        return NULL;
    json_object *out = json_object_new_object();
    json_object_object_add(out, "platform", json_object_new_string(platform->name));
    json_object_object_foreach(entity->component, key, value)
    {
        if (ha_rules_key_since(platform, key) <= release)
            json_object_object_add(out, key, json_object_get(value));
    }
    if (options != NULL)
        json_object_object_add(out, "options", json_object_get(options));
    json_add_text(out, "unique_id", xasprintf("%s_%s", instance, entity->id));
    /* 2025.4 knows object_id alone, 2026.4 and later default_entity_id alone; each drops the
     * other without a word, and between them the latter wins. Both give the same entity id. */
    json_add_text(out, "object_id", xasprintf("%s_%s", instance, entity->id));
    json_add_text(out, "default_entity_id",
                  xasprintf("%s.%s_%s", platform->name, instance, entity->id));
    json_object_object_add(out, "qos", json_object_new_int(1));
    bool event = entity_is(entity, "event");
    if (entity->state != NULL || event)
        json_add_text(out, platform->state_topic,
                      topics_entity(instance, entity->id, event ? "event" : "state"));
    if (entity_is_availability(entity)) {
        json_add_text(out, "state_topic", topics_availability(instance));
        json_add_string(out, "payload_on", "online");
        json_add_string(out, "payload_off", "offline");
        json_object_object_add(out, "availability", json_object_new_array());
    }
    if (entity->attributes != NULL)
        json_add_text(out, "json_attributes_topic",
                      topics_entity(instance, entity->id, "attributes"));
    if (entity->command != NULL) {
        json_add_text(out, "command_topic", topics_entity(instance, entity->id, "set"));
        char text[sizeof(command_template) + sizeof(value_part) + sizeof(person_part)];
        snprintf(text, sizeof(text), command_template, platform->value ? value_part : person_part);
        json_object_object_add(out, "command_template", json_object_new_string(text));
    }
    return out;
}

void entity_add_triggers(const struct entity *entity, const char *instance, json_object *components)
{
    json_object *types = json_get_array(entity->component, "event_types");
    for (size_t i = 0; entity->triggers && i < json_object_array_length(types); i++) {
        const char *type = json_object_get_string(json_object_array_get_idx(types, i));
        json_object *trigger = json_object_new_object();
        json_add_string(trigger, "platform", "device_automation");
        json_add_string(trigger, "automation_type", "trigger");
        json_add_string(trigger, "type", type);
        json_add_string(trigger, "subtype", json_get_string(entity->component, "name"));
        json_add_text(trigger, "topic", topics_entity(instance, entity->id, "event"));
        json_add_string(trigger, "value_template", "{{ value_json.event_type }}");
        json_add_string(trigger, "payload", type);
        json_object_object_add(trigger, "qos", json_object_new_int(1));
        char *key = xasprintf("%s-%s", entity->id, type);
        json_object_object_add(components, key, trigger);
        free(key);
    }
}

/* --- its values ------------------------------------------------------------------------------ */

/* Bytes of the first max characters of UTF-8 text. */
static size_t bytes_of_chars(const char *text, size_t max)
{
    size_t i = 0;
    for (size_t chars = 0; text[i] != '\0'; i++)
        if (((unsigned char)text[i] & 0xC0) != 0x80 && chars++ == max)
            break;
    return i;
}

static bool is_option(json_object *item)
{
    if (!json_object_is_type(item, json_type_string))
        return false;
    const char *text = json_object_get_string(item);
    return *text != '\0' && text[bytes_of_chars(text, ENTITY_STATE_MAX)] == '\0' &&
           strcmp(text, unknown_state) != 0 && strcmp(text, "none") != 0;
}

bool entity_has_option(json_object *list, json_object *item)
{
    size_t count = list != NULL ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < count; i++)
        if (json_object_equal(json_object_array_get_idx(list, i), item))
            return true;
    return false;
}

static void add_options(json_object *out, json_object *list)
{
    size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < count && json_object_array_length(out) < ENTITY_OPTIONS_MAX; i++) {
        json_object *item = json_object_array_get_idx(list, i);
        if (is_option(item) && !entity_has_option(out, item))
            json_object_array_add(out, json_object_get(item));
    }
}

json_object *entity_options(const struct entity *entity, json_object *facts, json_object *keep)
{
    if (entity->options == NULL)
        return NULL;
    json_object *out = json_object_new_array();
    add_options(out, json_at(facts, entity->options));
    if (json_object_array_length(out) == 0)
        json_object_array_add(out, json_object_new_string(ENTITY_NO_OPTION));
    add_options(out, keep);
    return out;
}

static char *number_text(double number)
{
    return number == number ? xasprintf("%.10g", number) : xstrdup(unknown_state);
}

char *entity_state_text(const struct entity *entity, json_object *facts)
{
    if (entity->state == NULL || entity_is_availability(entity))
        return NULL;
    json_object *fact = json_at(facts, entity->state);
    switch (json_object_get_type(fact)) {
    case json_type_boolean:
        return xstrdup(json_object_get_boolean(fact) ? "ON" : "OFF");
    case json_type_double:
        return number_text(json_object_get_double(fact));
    case json_type_string: {
        const char *text = json_object_get_string(fact);
        if (*text == '\0')
            return xstrdup(unknown_state);
        return entity_is(entity, "image") ? xstrdup(text)
                                          : xstrndup(text, bytes_of_chars(text, ENTITY_STATE_MAX));
    }
    case json_type_null:
        return xstrdup(unknown_state);
    default:
        return xstrdup(json_text(fact));
    }
}

/* Without its largest members until it fits. */
static void shrink(json_object *obj)
{
    while (strlen(json_text(obj)) > ENTITY_ATTRIBUTES_MAX) {
        const char *largest = NULL;
        size_t size = 0;
        json_object_object_foreach(obj, key, value)
        {
            size_t len = value != NULL ? strlen(json_text(value)) : 4;
            if (len > size) {
                size = len;
                largest = key;
            }
        }
        json_object_object_del(obj, largest);
        json_object_object_add(obj, "shortened", json_object_new_boolean(true));
    }
}

char *entity_attributes_text(const struct entity *entity, json_object *facts)
{
    if (entity->attributes == NULL)
        return NULL;
    json_object *fact = json_at(facts, entity->attributes);
    if (!json_object_is_type(fact, json_type_object))
        return xstrdup("{}");
    json_object *copy = NULL;
    if (json_object_deep_copy(fact, &copy, NULL) < 0)
        abort();
    shrink(copy);
    char *text = xstrdup(json_text(copy));
    json_object_put(copy);
    return text;
}

int entity_check_value(const struct entity *entity, json_object *value, json_object *options,
                       struct error *err)
{
    if (!entity->platform->value)
        return 0;
    const char *text =
        json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    if (entity_is(entity, "number")) {
        double min = json_get_double(entity->component, "min", 1);
        double max = json_get_double(entity->component, "max", 100);
        double n = json_object_get_double(value);
        if (!(json_object_is_type(value, json_type_double) ||
              json_object_is_type(value, json_type_int)) ||
            n < min || n > max)
            return error_set(err, ERROR_INVALID, "expected a value from %g to %g", min, max);
        return 0;
    }
    if (value == NULL || !json_object_is_type(value, json_type_string))
        return error_set(err, ERROR_INVALID, "expected a value that is a text");
    if (entity_is(entity, "switch") && strcmp(text, "ON") != 0 && strcmp(text, "OFF") != 0)
        return error_set(err, ERROR_INVALID, "'%.40s' is neither ON nor OFF", text);
    if (options == NULL && entity_is(entity, "select"))
        options = json_get_array(entity->component, "options");
    if (options != NULL && !entity_has_option(options, value))
        return error_set(err, ERROR_INVALID, "there is no '%.200s' to choose", text);
    return 0;
}
