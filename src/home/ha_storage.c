#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/xalloc.h"
#include "home/ha_private.h"
#include "home/rng.h"
#include "home/streams.h"

static void add_nulls(json_object *obj, const char *const *keys)
{
    for (; *keys != NULL; keys++)
        json_object_object_add(obj, *keys, NULL);
}

static void add_times(json_object *obj, const struct ha_config *config)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(text, config->time_us / 1000);
    text[strlen(text) - 1] = '\0'; /* Python writes +00:00 for Z */
    char *iso = xasprintf("%s+00:00", text);
    json_add_string(obj, "created_at", iso);
    json_add_string(obj, "modified_at", iso);
    free(iso);
}

static char *area_id(int area)
{
    char *id = xstrdup(home_area_name(area));
    for (char *c = id; *c != '\0'; c++)
        *c = *c == ' ' ? '_' : (char)(*c >= 'A' && *c <= 'Z' ? *c + 'a' - 'A' : *c);
    return id;
}

static json_object *areas_json(const struct ha_config *config)
{
    static const char *const nulls[] = {"floor_id", "humidity_entity_id",    "icon",
                                        "picture",  "temperature_entity_id", NULL};
    json_object *data = json_object_new_object(), *areas = json_object_new_array();
    bool used[HOME_AREA_COUNT] = {false};
    for (size_t i = 0; i < config->home->entity_count; i++)
        used[config->home->entities[i].area] = true;
    for (int a = 0; a < HOME_AREA_COUNT; a++) {
        if (!used[a])
            continue;
        json_object *area = json_object_new_object();
        char *id = area_id(a);
        json_add_string(area, "id", id);
        json_add_string(area, "name", home_area_name(a));
        json_object_object_add(area, "aliases", json_object_new_array());
        json_object_object_add(area, "labels", json_object_new_array());
        add_nulls(area, nulls);
        add_times(area, config);
        json_object_array_add(areas, area);
        free(id);
    }
    json_object_object_add(data, "areas", areas);
    return data;
}

/* The integration that an entity comes from. */
static const char *platform_of(enum home_domain domain)
{
    if (domain == HOME_SCENE)
        return "homeassistant";
    if (home_lives_in_ha(domain))
        return home_domain_name(domain);
    return domain == HOME_MEDIA_PLAYER ? "universal"
           : domain == HOME_CLIMATE    ? "generic_thermostat"
                                       : "template";
}

static json_object *entity_json(const struct ha_config *config, size_t index)
{
    static const char *const nulls[] = {
        "capabilities",  "config_entry_id",    "config_subentry_id", "device_class", "device_id",
        "disabled_by",   "entity_category",    "hidden_by",          "icon",         "name",
        "original_icon", "previous_unique_id", "translation_key",    NULL,
    };
    const struct home_entity *e = &config->home->entities[index];
    const char *platform = platform_of(e->domain);
    const bool is_template = strcmp(platform, "template") == 0 || e->domain == HOME_MEDIA_PLAYER ||
                             e->domain == HOME_CLIMATE;
    json_object *entity = json_object_new_object();
    struct rng rng;
    rng_init(&rng, config->home->seed, STREAM_REGISTRY, index, 0);
    char *id = xasprintf("%016llx%016llx", (unsigned long long)rng_next(&rng),
                         (unsigned long long)rng_next(&rng));
    char *unique_id = is_template
                          ? xasprintf("home_%s_%s", home_domain_name(e->domain), ha_object_id(e))
                          : xstrdup(ha_object_id(e));
    char *area = area_id(e->area);
    json_add_string(entity, "entity_id", e->entity_id);
    json_add_string(entity, "id", id);
    json_add_string(entity, "unique_id", unique_id);
    json_add_string(entity, "platform", platform);
    json_add_string(entity, "area_id", area);
    json_add_string(entity, "original_name", e->name);
    json_add_string(entity, "original_device_class",
                    e->quantity != NULL ? e->quantity->device_class : e->device_class);
    json_add_string(entity, "unit_of_measurement", e->quantity != NULL ? e->quantity->unit : NULL);
    add_nulls(entity, nulls);
    json_object_object_add(entity, "aliases", json_object_new_array());
    json_object_object_add(entity, "labels", json_object_new_array());
    json_object_object_add(entity, "categories", json_object_new_object());
    json_object_object_add(entity, "options", json_object_new_object());
    json_object_object_add(entity, "has_entity_name", json_object_new_boolean(false));
    json_object_object_add(entity, "supported_features", json_object_new_int(0));
    add_times(entity, config);
    free(area);
    free(unique_id);
    free(id);
    return entity;
}

static json_object *entities_json(const struct ha_config *config)
{
    json_object *data = json_object_new_object(), *entities = json_object_new_array();
    for (size_t i = 0; i < config->home->entity_count; i++)
        json_object_array_add(entities, entity_json(config, i));
    json_object_object_add(data, "entities", entities);
    json_object_object_add(data, "deleted_entities", json_object_new_array());
    return data;
}

static json_object *core_json(const struct ha_config *config)
{
    json_object *data = json_object_new_object();
    json_object_object_add(data, "latitude", json_object_new_double(config->latitude));
    json_object_object_add(data, "longitude", json_object_new_double(config->longitude));
    json_object_object_add(data, "elevation", json_object_new_int(0));
    json_object_object_add(data, "radius", json_object_new_int(100));
    json_add_string(data, "unit_system_v2", "metric");
    json_add_string(data, "location_name", "Simulated home");
    json_add_string(data, "time_zone", config->timezone);
    json_add_string(data, "external_url", NULL);
    json_add_string(data, "internal_url", NULL);
    json_add_string(data, "currency", "EUR");
    json_add_string(data, "country", "DE");
    json_add_string(data, "language", "en");
    return data;
}

/* What HA remembers of climates from before it stopped: without it a thermostat warns. */
static json_object *remembered_json(const struct ha_config *config)
{
    json_object *states = json_object_new_array();
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(text, config->time_us / 1000);
    for (size_t i = 0; i < config->home->entity_count; i++) {
        const struct home_entity *e = &config->home->entities[i];
        if (e->domain != HOME_CLIMATE)
            continue;
        json_object *stored = json_object_new_object(), *state = json_object_new_object();
        json_object *attributes = json_object_new_object();
        json_object_object_add(attributes, "temperature", json_object_new_double(20));
        json_add_string(state, "entity_id", e->entity_id);
        json_add_string(state, "state", home_word_name(e->domain, HOME_ON));
        json_object_object_add(state, "attributes", attributes);
        json_object_object_add(stored, "state", state);
        json_object_object_add(stored, "extra_data", NULL);
        json_add_string(stored, "last_seen", text);
        json_object_array_add(states, stored);
    }
    return states;
}

/* Writes a file of .storage; takes over data. */
static int write_store(const char *folder, const char *key, int minor, json_object *data,
                       struct error *err)
{
    json_object *store = json_object_new_object();
    json_object_object_add(store, "version", json_object_new_int(1));
    json_object_object_add(store, "minor_version", json_object_new_int(minor));
    json_add_string(store, "key", key);
    json_object_object_add(store, "data", data);
    char *name = xasprintf(".storage/%s", key);
    FILE *out = ha_file_create(folder, name, err);
    int result = -1;
    if (out != NULL) {
        fputs(json_object_to_json_string_ext(store, JSON_C_TO_STRING_PRETTY |
                                                        JSON_C_TO_STRING_SPACED |
                                                        JSON_C_TO_STRING_NOSLASHESCAPE),
              out);
        result = ha_file_finish(out, folder, name, err);
    }
    free(name);
    json_object_put(store);
    return result;
}

int ha_storage_write(const struct ha_config *config, const char *folder, struct error *err)
{
    if (write_store(folder, "core.config", 4, core_json(config), err) != 0 ||
        write_store(folder, "core.area_registry", 8, areas_json(config), err) != 0)
        return -1;
    if (write_store(folder, "core.restore_state", 1, remembered_json(config), err) != 0)
        return -1;
    return write_store(folder, "core.entity_registry", 16, entities_json(config), err);
}
