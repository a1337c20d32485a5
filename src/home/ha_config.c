#include "home/ha_config.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/clock.h"
#include "core/xalloc.h"
#include "home/rng.h"
#include "home/streams.h"

enum { COPY_BUFFER = 65536, SCHEMA_MODERN_FAN = 53 };

static const char *object_id(const struct home_entity *entity)
{
    return strchr(entity->entity_id, '.') + 1;
}

/* --- Files
 * ----------------------------------------------------------------------------------------- */

/* Opens folder/name for writing; it must not exist. */
static FILE *create(const char *folder, const char *name, struct error *err)
{
    char *path = xasprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "wx");
    if (file == NULL)
        error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
    free(path);
    return file;
}

static int finish(FILE *file, const char *folder, const char *name, struct error *err)
{
    const bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad)
        return error_set(err, ERROR_IO, "%s/%s: cannot be written", folder, name);
    return 0;
}

int ha_config_copy_file(const char *from, const char *to, struct error *err)
{
    FILE *in = fopen(from, "rb"), *out = in != NULL ? fopen(to, "wbx") : NULL;
    char *buffer = xmalloc(COPY_BUFFER);
    bool ok = in != NULL && out != NULL;
    size_t n;
    while (ok && (n = fread(buffer, 1, COPY_BUFFER, in)) > 0)
        ok = fwrite(buffer, 1, n, out) == n;
    ok = ok && ferror(in) == 0;
    if (out != NULL && fclose(out) != 0)
        ok = false;
    if (!ok)
        error_set(err, ERROR_IO, "copying %s to %s: %s", from, to, strerror(errno));
    if (in != NULL)
        fclose(in);
    free(buffer);
    return ok ? 0 : -1;
}

static int make_folder(const char *path, struct error *err)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
    return 0;
}

/* --- configuration.yaml
 * ------------------------------------------------------------------------------ */

static const char configuration_head[] = "# A simulated home: every light, switch, fan and sensor "
                                         "is a template over a helper named sim_….\n"
                                         "api:\n"
                                         "config:\n"
                                         "frontend:\n"
                                         "history:\n"
                                         "logbook:\n"
                                         "script:\n"
                                         "sun:\n"
                                         "zone:\n"
                                         "recorder:\n"
                                         "  purge_keep_days: 400\n"
                                         "  exclude:\n"
                                         "    entity_globs:\n"
                                         "      - input_boolean.sim_*\n"
                                         "      - input_number.sim_*\n"
                                         "automation: !include automations.yaml\n";

static bool has_helper(const struct home_entity *e)
{
    return e->domain <= HOME_BINARY_SENSOR && e->domain != HOME_INPUT_BOOLEAN;
}

static void write_helpers(FILE *out, const struct home *home)
{
    fputs("\ninput_boolean:\n", out);
    for (size_t i = 0; i < home->entity_count; i++) {
        const struct home_entity *e = &home->entities[i];
        if (e->domain == HOME_INPUT_BOOLEAN)
            fprintf(out, "  %s:\n    name: %s\n", object_id(e), e->name);
        else if (has_helper(e))
            fprintf(out, "  sim_%s_%s:\n", home_domain_name(e->domain), object_id(e));
    }
    bool any = false;
    for (size_t i = 0; i < home->entity_count; i++) {
        const struct home_entity *e = &home->entities[i];
        if (e->quantity == NULL)
            continue;
        fprintf(out, "%s  sim_%s: {min: %g, max: %g, initial: %g, step: %g, mode: box}\n",
                any ? "" : "\ninput_number:\n", object_id(e), e->quantity->low, e->quantity->high,
                e->quantity->base, pow(10, -e->quantity->decimals));
        any = true;
    }
}

static void write_switching(FILE *out, const char *indent, const struct home_entity *e)
{
    const char *domain = home_domain_name(e->domain);
    for (int on = 1; on >= 0; on--)
        fprintf(out,
                "%sturn_%s: {action: input_boolean.turn_%s, target: {entity_id: "
                "input_boolean.sim_%s_%s}}\n",
                indent, on ? "on" : "off", on ? "on" : "off", domain, object_id(e));
}

static void write_template(FILE *out, const struct home_entity *e)
{
    static const char indent[] = "        ";
    const char *domain = home_domain_name(e->domain);
    fprintf(out, "      - name: %s\n%sunique_id: home_%s_%s\n", e->name, indent, domain,
            object_id(e));
    if (e->quantity != NULL) {
        fprintf(out,
                "%sstate: \"{{ states('input_number.sim_%s') }}\"\n%sunit_of_measurement: \"%s\"\n"
                "%sdevice_class: %s\n%sstate_class: measurement\n",
                indent, object_id(e), indent, e->quantity->unit, indent, e->quantity->device_class,
                indent);
        return;
    }
    fprintf(out, "%sstate: \"{{ is_state('input_boolean.sim_%s_%s', 'on') }}\"\n", indent, domain,
            object_id(e));
    if (e->device_class != NULL)
        fprintf(out, "%sdevice_class: %s\n", indent, e->device_class);
    else
        write_switching(out, indent, e);
}

/* Before 2025.5 a template fan exists only in the old form, which later releases dropped. */
static void write_old_fans(FILE *out, const struct home *home)
{
    bool any = false;
    for (size_t i = 0; i < home->entity_count; i++) {
        const struct home_entity *e = &home->entities[i];
        if (e->domain != HOME_FAN)
            continue;
        fprintf(out,
                "%s      %s:\n        friendly_name: %s\n        unique_id: home_fan_%s\n"
                "        value_template: \"{{ states('input_boolean.sim_fan_%s') }}\"\n",
                any ? "" : "\nfan:\n  - platform: template\n    fans:\n", object_id(e), e->name,
                object_id(e), object_id(e));
        write_switching(out, "        ", e);
        any = true;
    }
}

static void write_players(FILE *out, const struct home *home)
{
    bool any = false;
    for (size_t i = 0; i < home->entity_count; i++) {
        const struct home_entity *e = &home->entities[i];
        if (e->domain != HOME_MEDIA_PLAYER)
            continue;
        fprintf(
            out,
            "%s  - platform: universal\n    name: %s\n    unique_id: home_media_player_%s\n"
            "    state_template: \"{{ 'playing' if is_state('input_boolean.sim_media_player_%s',"
            " 'on') else 'off' }}\"\n    commands:\n",
            any ? "" : "\nmedia_player:\n", e->name, object_id(e), object_id(e));
        write_switching(out, "      ", e);
        any = true;
    }
}

static const char *person_id(const struct home *home, int p)
{
    return object_id(&home->entities[home->people[p].entity]);
}

/* Each person has a phone; its tracker's state is restored by HA, or set by device_tracker.see. */
static void write_people(FILE *out, const struct home *home)
{
    bool any = false;
    for (int p = 0; p < home->people_count; p++) {
        if (home->people[p].entity < 0)
            continue;
        const char *id = person_id(home, p);
        fprintf(out, "%s  - id: %s\n    name: %s\n    device_trackers: [device_tracker.%s_phone]\n",
                any ? "" : "\ndevice_tracker:\nperson:\n", id, home->people[p].name, id);
        any = true;
    }
}

static void write_phones(FILE *out, const struct home *home)
{
    for (int p = 0; p < home->people_count; p++)
        if (home->people[p].entity >= 0)
            fprintf(out, "%s_phone:\n  name: %s phone\n  track: true\n", person_id(home, p),
                    home->people[p].name);
}

static void write_configuration(FILE *out, const struct ha_config *config)
{
    const struct home *home = config->home;
    fputs(configuration_head, out);
    write_helpers(out, home);
    fputs("\ntemplate:\n", out);
    for (int d = 0; d <= HOME_SENSOR; d++) {
        bool any = false;
        if (d == HOME_INPUT_BOOLEAN || d == HOME_MEDIA_PLAYER ||
            (d == HOME_FAN && config->schema < SCHEMA_MODERN_FAN))
            continue;
        for (size_t i = 0; i < home->entity_count; i++) {
            if ((int)home->entities[i].domain != d)
                continue;
            if (!any)
                fprintf(out, "  - %s:\n", home_domain_name((enum home_domain)d));
            write_template(out, &home->entities[i]);
            any = true;
        }
    }
    if (config->schema < SCHEMA_MODERN_FAN)
        write_old_fans(out, home);
    write_players(out, home);
    write_people(out, home);
}

/* --- automations.yaml
 * -------------------------------------------------------------------------------- */

static void write_automations(FILE *out, const struct home *home)
{
    if (home->rule_count == 0)
        fputs("[]\n", out);
    for (size_t r = 0; r < home->rule_count; r++) {
        const struct home_rule *rule = &home->rules[r];
        const char *target = home->entities[rule->target].entity_id;
        fprintf(out, "- id: %s\n  alias: %s\n  description: ''\n  triggers:\n",
                object_id(&home->entities[rule->automation]),
                home->entities[rule->automation].name);
        if (rule->trigger >= 0)
            fprintf(out, "  - trigger: state\n    entity_id:\n    - %s\n    to: 'on'\n",
                    home->entities[rule->trigger].entity_id);
        else
            fprintf(out, "  - trigger: time\n    at: '%02d:%02d:%02d'\n", rule->at_s / 3600,
                    rule->at_s / 60 % 60, rule->at_s % 60);
        fprintf(out,
                "  conditions: []\n"
                "  actions:\n"
                "  - action: light.turn_on\n    target:\n      entity_id: %s\n"
                "  - delay: '%02d:%02d:%02d'\n"
                "  - action: light.turn_off\n    target:\n      entity_id: %s\n"
                "  mode: restart\n",
                target, rule->off_after_s / 3600, rule->off_after_s / 60 % 60,
                rule->off_after_s % 60, target);
    }
}

/* --- .storage: in the form of 2025.4; later releases migrate it
 * ---------------------------------------- */

static void add_string(json_object *obj, const char *key, const char *value)
{
    json_object_object_add(obj, key, value != NULL ? json_object_new_string(value) : NULL);
}

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
    add_string(obj, "created_at", iso);
    add_string(obj, "modified_at", iso);
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
        add_string(area, "id", id);
        add_string(area, "name", home_area_name(a));
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

static json_object *entity_json(const struct ha_config *config, size_t index)
{
    static const char *const nulls[] = {
        "capabilities",  "config_entry_id",    "config_subentry_id", "device_class", "device_id",
        "disabled_by",   "entity_category",    "hidden_by",          "icon",         "name",
        "original_icon", "previous_unique_id", "translation_key",    NULL,
    };
    const struct home_entity *e = &config->home->entities[index];
    const bool own =
        e->domain == HOME_INPUT_BOOLEAN || e->domain == HOME_AUTOMATION || e->domain == HOME_PERSON;
    const bool universal = e->domain == HOME_MEDIA_PLAYER;
    json_object *entity = json_object_new_object();
    struct rng rng;
    rng_init(&rng, config->home->seed, STREAM_REGISTRY, index, 0);
    char *id = xasprintf("%016llx%016llx", (unsigned long long)rng_next(&rng),
                         (unsigned long long)rng_next(&rng));
    char *unique_id = own ? xstrdup(object_id(e))
                          : xasprintf("home_%s_%s", home_domain_name(e->domain), object_id(e));
    char *area = area_id(e->area);
    add_string(entity, "entity_id", e->entity_id);
    add_string(entity, "id", id);
    add_string(entity, "unique_id", unique_id);
    add_string(entity, "platform",
               own         ? home_domain_name(e->domain)
               : universal ? "universal"
                           : "template");
    add_string(entity, "area_id", area);
    add_string(entity, "original_name", e->name);
    add_string(entity, "original_device_class",
               e->quantity != NULL ? e->quantity->device_class : e->device_class);
    add_string(entity, "unit_of_measurement", e->quantity != NULL ? e->quantity->unit : NULL);
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
    add_string(data, "unit_system_v2", "metric");
    add_string(data, "location_name", "Simulated home");
    add_string(data, "time_zone", config->timezone);
    add_string(data, "external_url", NULL);
    add_string(data, "internal_url", NULL);
    add_string(data, "currency", "EUR");
    add_string(data, "country", "DE");
    add_string(data, "language", "en");
    return data;
}

/* Writes a file of .storage; takes over data. */
static int write_store(const char *folder, const char *key, int minor, json_object *data,
                       struct error *err)
{
    json_object *store = json_object_new_object();
    json_object_object_add(store, "version", json_object_new_int(1));
    json_object_object_add(store, "minor_version", json_object_new_int(minor));
    add_string(store, "key", key);
    json_object_object_add(store, "data", data);
    char *name = xasprintf(".storage/%s", key);
    FILE *out = create(folder, name, err);
    int result = -1;
    if (out != NULL) {
        fputs(json_object_to_json_string_ext(store, JSON_C_TO_STRING_PRETTY |
                                                        JSON_C_TO_STRING_SPACED |
                                                        JSON_C_TO_STRING_NOSLASHESCAPE),
              out);
        result = finish(out, folder, name, err);
    }
    free(name);
    json_object_put(store);
    return result;
}

static int write_yaml(const struct home *home, const char *folder, const char *name,
                      void (*write)(FILE *out, const struct home *home), struct error *err)
{
    FILE *out = create(folder, name, err);
    if (out == NULL)
        return -1;
    write(out, home);
    return finish(out, folder, name, err);
}

int ha_config_write(const struct ha_config *config, const char *folder, struct error *err)
{
    char *storage = xasprintf("%s/.storage", folder);
    const bool made = make_folder(folder, err) == 0 && make_folder(storage, err) == 0;
    free(storage);
    if (!made)
        return -1;
    FILE *out = create(folder, "configuration.yaml", err);
    if (out == NULL)
        return -1;
    write_configuration(out, config);
    if (finish(out, folder, "configuration.yaml", err) != 0 ||
        write_yaml(config->home, folder, "automations.yaml", write_automations, err) != 0 ||
        write_yaml(config->home, folder, "known_devices.yaml", write_phones, err) != 0)
        return -1;
    if (write_store(folder, "core.config", 4, core_json(config), err) != 0 ||
        write_store(folder, "core.area_registry", 8, areas_json(config), err) != 0)
        return -1;
    return write_store(folder, "core.entity_registry", 16, entities_json(config), err);
}
