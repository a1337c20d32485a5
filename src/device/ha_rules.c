#include "device/ha_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"

enum { NAME_MAX_CHARS = 60, LIST_MAX = 100, TEXT_MAX = 255 };

enum type { TYPE_TEXT, TYPE_ICON, TYPE_BOOL, TYPE_COUNT, TYPE_NUMBER, TYPE_CHOICE, TYPE_LIST };

struct rule {
    const char *key;
    const char *platforms; /* "sensor|number"; NULL = all */
    enum type type;
    bool required;
    int since;
    const char *choices; /* TYPE_CHOICE: "a|b" */
};

static const struct ha_platform platforms[] = {
    {"binary_sensor", 0, HA_MUST, HA_NEVER, "state_topic", false},
    {"button", 0, HA_NEVER, HA_MUST, NULL, false},
    {"date", 202611, HA_MAY, HA_MUST, "state_topic", true},
    {"datetime", 202611, HA_MAY, HA_MUST, "state_topic", true},
    {"event", 0, HA_NEVER, HA_NEVER, "state_topic", false},
    {"image", 0, HA_MUST, HA_NEVER, "image_topic", false},
    {"notify", 0, HA_NEVER, HA_MUST, NULL, true},
    {"number", 0, HA_MAY, HA_MUST, "state_topic", true},
    {"select", 0, HA_MUST, HA_MUST, "state_topic", true},
    {"sensor", 0, HA_MUST, HA_NEVER, "state_topic", false},
    {"switch", 0, HA_MUST, HA_MUST, "state_topic", true},
    {"text", 0, HA_MAY, HA_MUST, "state_topic", true},
    {"time", 202611, HA_MAY, HA_MUST, "state_topic", true},
    {"update", 0, HA_MUST, HA_NEVER, "state_topic", false},
};

/* Made out of an event's types (entity.h), so no file names it. */
static const struct ha_platform device_automation = {
    "device_automation", 0, HA_NEVER, HA_NEVER, "topic", false};

/* The device classes that a program has something to say about; HA has more (voltages, gases). */
static const struct {
    const char *name, *units; /* units NULL = no number, so no unit and no state class */
} sensor_classes[] = {
    {"data_rate", "bit/s|kbit/s|Mbit/s|Gbit/s|B/s|kB/s|MB/s|GB/s"},
    {"data_size", "bit|kbit|Mbit|Gbit|B|kB|MB|GB|TB|KiB|MiB|GiB|TiB"},
    {"date", NULL},
    {"duration", "d|h|min|s|ms"},
    {"energy", "Wh|kWh|MWh"},
    {"enum", NULL},
    {"humidity", "%"},
    {"power", "W|kW"},
    {"temperature", "°C|°F|K"},
    {"timestamp", NULL},
};

static const struct rule rules[] = {
    {"name", NULL, TYPE_TEXT, .required = true},
    {"icon", NULL, TYPE_ICON, .since = 0},
    {"entity_category", NULL, TYPE_CHOICE, .choices = "config|diagnostic"},
    {"enabled_by_default", NULL, TYPE_BOOL, .since = 0},
    {"visible_by_default", NULL, TYPE_BOOL, .since = 202611},
    {"device_class", "sensor", TYPE_CHOICE,
     .choices = "data_rate|data_size|date|duration|energy|enum|humidity|power|temperature|"
                "timestamp"},
    {"device_class", "binary_sensor", TYPE_CHOICE,
     .choices = "battery|battery_charging|carbon_monoxide|cold|connectivity|door|garage_door|gas|"
                "heat|light|lock|moisture|motion|moving|occupancy|opening|plug|power|presence|"
                "problem|running|safety|smoke|sound|tamper|update|vibration|window"},
    {"device_class", "button", TYPE_CHOICE, .choices = "identify|restart|update"},
    {"device_class", "event", TYPE_CHOICE, .choices = "button|doorbell|motion"},
    {"device_class", "number", TYPE_CHOICE, .choices = "data_size|duration"},
    {"device_class", "switch", TYPE_CHOICE, .choices = "outlet|switch"},
    {"device_class", "update", TYPE_CHOICE, .choices = "firmware"},
    {"unit_of_measurement", "sensor|number", TYPE_TEXT, .since = 0},
    {"state_class", "sensor", TYPE_CHOICE, .choices = "measurement|total|total_increasing"},
    {"suggested_display_precision", "sensor", TYPE_COUNT, .since = 0},
    {"expire_after", "sensor|binary_sensor", TYPE_COUNT, .since = 0},
    {"force_update", "sensor|binary_sensor", TYPE_BOOL, .since = 0},
    {"off_delay", "binary_sensor", TYPE_COUNT, .since = 0},
    {"options", "sensor|select", TYPE_LIST, .since = 0},
    {"event_types", "event", TYPE_LIST, .required = true},
    {"min", "number|text", TYPE_NUMBER, .since = 0},
    {"max", "number|text", TYPE_NUMBER, .since = 0},
    {"step", "number", TYPE_NUMBER, .since = 0},
    {"mode", "number", TYPE_CHOICE, .choices = "auto|box|slider"},
    {"mode", "text", TYPE_CHOICE, .choices = "password|text"},
    {"pattern", "text", TYPE_TEXT, .since = 0},
    {"content_type", "image", TYPE_CHOICE, .choices = "image/jpeg|image/png|image/svg+xml"},
    {"title", "update", TYPE_TEXT, .since = 0},
    {"release_url", "update", TYPE_TEXT, .since = 0},
};

static const size_t platform_count = sizeof(platforms) / sizeof(platforms[0]);
static const size_t rule_count = sizeof(rules) / sizeof(rules[0]);

/* Whether word is one of "a|b|c". */
static bool is_one_of(const char *list, const char *word)
{
    size_t len = strlen(word);
    while (list != NULL) {
        size_t item = strcspn(list, "|");
        if (item == len && strncmp(list, word, len) == 0)
            return true;
        list = list[item] == '|' ? list + item + 1 : NULL;
    }
    return false;
}

int ha_rules_release(const char *version)
{
    char *end;
    long year = version != NULL ? strtol(version, &end, 10) : 0;
    if (year < 2025 || year > 9999 || *end != '.')
        return HA_OLDEST;
    long month = strtol(end + 1, NULL, 10);
    return month >= 1 && month <= 12 ? (int)(year * 100 + month) : HA_OLDEST;
}

const struct ha_platform *ha_rules_platform(const char *name)
{
    for (size_t i = 0; i < platform_count; i++)
        if (strcmp(platforms[i].name, name) == 0)
            return &platforms[i];
    return NULL;
}

const struct ha_platform *ha_rules_component(const char *name)
{
    return strcmp(name, device_automation.name) == 0 ? &device_automation : ha_rules_platform(name);
}

char *ha_rules_platform_names(void)
{
    char *all = xstrdup(platforms[0].name);
    for (size_t i = 1; i < platform_count; i++) {
        char *longer = xasprintf("%s, %s", all, platforms[i].name);
        free(all);
        all = longer;
    }
    return all;
}

static const struct rule *find_rule(const struct ha_platform *platform, const char *key)
{
    for (size_t i = 0; i < rule_count; i++)
        if (strcmp(rules[i].key, key) == 0 &&
            (rules[i].platforms == NULL || is_one_of(rules[i].platforms, platform->name)))
            return &rules[i];
    return NULL;
}

int ha_rules_key_since(const struct ha_platform *platform, const char *key)
{
    const struct rule *rule = find_rule(platform, key);
    return rule != NULL ? rule->since : 0;
}

static int unknown_key(const struct ha_platform *platform, const char *key, struct error *err)
{
    char takes[400] = "";
    size_t len = 0;
    for (size_t i = 0; i < rule_count && len < sizeof(takes) - 1; i++)
        if (find_rule(platform, rules[i].key) == &rules[i])
            len += (size_t)snprintf(takes + len, sizeof(takes) - len, "%s%s", len ? ", " : "",
                                    rules[i].key);
    return error_set(err, ERROR_INVALID, "unknown key '%.60s'; a %s takes %s, ha_ai", key,
                     platform->name, takes);
}

static bool is_icon(const char *text)
{
    const char *allowed = "abcdefghijklmnopqrstuvwxyz0123456789-";
    return strncmp(text, "mdi:", 4) == 0 && text[4] != '\0' &&
           strspn(text + 4, allowed) == strlen(text + 4);
}

static bool is_list(json_object *value)
{
    if (!json_object_is_type(value, json_type_array))
        return false;
    size_t count = json_object_array_length(value);
    for (size_t i = 0; i < count; i++) {
        json_object *item = json_object_array_get_idx(value, i);
        if (!json_object_is_type(item, json_type_string) || json_object_get_string_len(item) == 0)
            return false;
        for (size_t j = 0; j < i; j++)
            if (json_object_equal(item, json_object_array_get_idx(value, j)))
                return false;
    }
    return count >= 1 && count <= LIST_MAX;
}

/* What the value should have been; NULL when it is that. */
static const char *wrong_type(const struct rule *rule, json_object *value)
{
    enum json_type type = json_object_get_type(value);
    const char *text = type == json_type_string ? json_object_get_string(value) : "";
    switch (rule->type) {
    case TYPE_TEXT:
        return *text != '\0' && strlen(text) <= TEXT_MAX ? NULL : "a text of 1 to 255 bytes";
    case TYPE_ICON:
        return is_icon(text) ? NULL : "mdi:NAME of lower-case letters, digits and hyphens";
    case TYPE_BOOL:
        return type == json_type_boolean ? NULL : "true or false";
    case TYPE_COUNT:
        return type == json_type_int && json_object_get_int64(value) >= 0
                   ? NULL
                   : "a whole number from 0 on";
    case TYPE_NUMBER:
        return type == json_type_int || type == json_type_double ? NULL : "a number";
    case TYPE_CHOICE:
        return is_one_of(rule->choices, text) ? NULL : rule->choices;
    case TYPE_LIST:
        return is_list(value) ? NULL : "a list of 1 to 100 different texts";
    }
    return NULL;
}

/* Units, classes and options of a sensor: HA refuses or warns otherwise. */
static int check_sensor(json_object *component, struct error *err)
{
    const char *class = json_get_string(component, "device_class");
    const char *unit = json_get_string(component, "unit_of_measurement");
    const char *state_class = json_get_string(component, "state_class");
    const char *units = class != NULL ? "" : NULL;
    for (size_t i = 0; class != NULL && i < sizeof(sensor_classes) / sizeof(*sensor_classes); i++)
        if (strcmp(sensor_classes[i].name, class) == 0)
            units = sensor_classes[i].units;
    bool number = class == NULL || units != NULL;
    if (!number && (unit != NULL || state_class != NULL))
        return error_set(err, ERROR_INVALID,
                         "a sensor of device_class %s is no number: expected neither "
                         "unit_of_measurement nor state_class",
                         class);
    if (class != NULL && units != NULL && (unit == NULL || !is_one_of(units, unit)))
        return error_set(err, ERROR_INVALID,
                         "unit_of_measurement is '%.20s', expected one of %s for device_class %s",
                         unit ? unit : "", units, class);
    if ((unit == NULL) != (state_class == NULL))
        return error_set(err, ERROR_INVALID,
                         "%s is missing: a sensor that is a number has unit_of_measurement and "
                         "state_class, any other has neither",
                         unit == NULL ? "unit_of_measurement" : "state_class");
    bool is_enum = class != NULL && strcmp(class, "enum") == 0;
    if (is_enum != (json_get_array(component, "options") != NULL))
        return error_set(err, ERROR_INVALID,
                         "options and device_class enum go together: expected both or neither");
    return 0;
}

static int check_range(const struct ha_platform *platform, json_object *component,
                       struct error *err)
{
    bool text = strcmp(platform->name, "text") == 0;
    double min = json_get_double(component, "min", text ? 0 : 1);
    double max = json_get_double(component, "max", text ? 255 : 100);
    if (min > max)
        return error_set(err, ERROR_INVALID, "min is %g, expected at most max, %g", min, max);
    if (text && (min < 0 || max > 255))
        return error_set(err, ERROR_INVALID, "min and max are %g and %g, expected 0 to 255", min,
                         max);
    if (json_get_double(component, "step", 1) < 0.001)
        return error_set(err, ERROR_INVALID, "step is below 0.001");
    return 0;
}

static int check_between_keys(const struct ha_platform *platform, json_object *component,
                              bool dynamic_options, struct error *err)
{
    const char *category = json_get_string(component, "entity_category");
    bool reads = platform->command == HA_NEVER;
    if (reads && category != NULL && strcmp(category, "config") == 0)
        return error_set(err, ERROR_INVALID,
                         "entity_category is 'config', expected 'diagnostic' or none for a %s, "
                         "which takes no command",
                         platform->name);
    if (json_get_string(component, "icon") == NULL &&
        json_get_string(component, "device_class") == NULL)
        return error_set(err, ERROR_INVALID, "expected an icon or a device_class");
    if (strcmp(platform->name, "select") == 0 &&
        dynamic_options == (json_get_array(component, "options") != NULL))
        return error_set(err, ERROR_INVALID, "expected either options or ha_ai.options");
    if (strcmp(platform->name, "sensor") == 0)
        return check_sensor(component, err);
    return check_range(platform, component, err);
}

int ha_rules_check(const struct ha_platform *platform, json_object *component, bool dynamic_options,
                   struct error *err)
{
    json_object_object_foreach(component, key, value)
    {
        const struct rule *rule = find_rule(platform, key);
        if (rule == NULL)
            return unknown_key(platform, key, err);
        const char *expected = wrong_type(rule, value);
        if (expected != NULL)
            return error_set(err, ERROR_INVALID, "%s is %.80s, expected %s%s", key,
                             value != NULL ? json_text(value) : "null",
                             rule->type == TYPE_CHOICE ? "one of " : "", expected);
    }
    for (size_t i = 0; i < rule_count; i++)
        if (rules[i].required && find_rule(platform, rules[i].key) == &rules[i] &&
            !json_object_object_get_ex(component, rules[i].key, NULL))
            return error_set(err, ERROR_INVALID, "%s is missing", rules[i].key);
    if (strlen(json_get_string(component, "name")) > NAME_MAX_CHARS)
        return error_set(err, ERROR_INVALID, "name is longer than %d bytes", NAME_MAX_CHARS);
    return check_between_keys(platform, component, dynamic_options, err);
}
