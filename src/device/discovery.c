#include "device/discovery.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "mqtt/topics.h"

static const char default_instance[] = "ha_ai";

/* --- files ----------------------------------------------------------------------------------- */

char *discovery_folder(const struct options *options)
{
    const char *given = options_string(options, OPTION_DISCOVERY_DIR);
    if (given != NULL)
        return xstrdup(given);
    char exe[4096];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    exe[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(exe, '/');
    /* build/ha-ai and build/MODE/ha-ai */
    static const char *const near[] = {"../discovery", "../../discovery"};
    for (size_t i = 0; slash != NULL && i < sizeof(near) / sizeof(near[0]); i++) {
        *slash = '\0';
        char *beside = xasprintf("%s/%s", exe, near[i]);
        if (access(beside, R_OK | X_OK) == 0)
            return beside;
        free(beside);
    }
    return xstrdup(HA_AI_DATADIR "/discovery");
}

static int is_json_file(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

/* An id or name that another file has already taken: HA would refuse or confuse the second. */
static int check_unique(const struct discovery *discovery, const struct entity *entity,
                        const char *folder, struct error *err)
{
    for (size_t i = 0; i < discovery->count; i++) {
        const struct entity *other = &discovery->entities[i];
        const char *name = json_get_string(entity->component, "name");
        if (strcmp(other->id, entity->id) == 0)
            return error_set(err, ERROR_INVALID,
                             "%s/%s: ha_ai.id '%s' is taken by %s; expected one of its own", folder,
                             entity->file, entity->id, other->file);
        if (strcmp(json_get_string(other->component, "name"), name) == 0)
            return error_set(err, ERROR_INVALID,
                             "%s/%s: name '%s' is taken by %s; expected one of its own", folder,
                             entity->file, name, other->file);
    }
    return 0;
}

static int load_file(struct discovery *out, const char *folder, const char *name, struct error *err)
{
    if (out->count == DISCOVERY_FILES_MAX)
        return error_set(err, ERROR_LIMIT, "%s: more than %d files", folder, DISCOVERY_FILES_MAX);
    char *path = xasprintf("%s/%s", folder, name);
    struct entity entity;
    int result = entity_load(&entity, path, err);
    free(path);
    if (result < 0)
        return -1;
    if (check_unique(out, &entity, folder, err) < 0) {
        entity_release(&entity);
        return -1;
    }
    out->entities[out->count++] = entity;
    return 0;
}

/* NAME.json of lang/, if there is such a folder; each is checked against the entities. */
static int load_languages(struct discovery *out, const char *folder, discovery_problem_fn report,
                          void *ctx, struct error *err)
{
    struct dirent **names;
    char *path = xasprintf("%s/lang", folder);
    int count = scandir(path, &names, is_json_file, alphasort);
    int result = 0;
    for (int i = 0; i < count; i++) {
        struct language *language = &out->languages[out->language_count];
        char *file = xasprintf("%s/%s", path, names[i]->d_name);
        if (result < 0 && report == NULL) {
            /* told already */
        } else if (out->language_count == DISCOVERY_LANGUAGES_MAX) {
            result = error_set(err, ERROR_LIMIT, "%s: more than %d files", path,
                               DISCOVERY_LANGUAGES_MAX);
            if (report != NULL)
                report(err, ctx);
        } else if (language_load(language, file, out->entities, out->count, err) < 0) {
            result = -1;
            if (report != NULL)
                report(err, ctx);
        } else {
            out->language_count++;
        }
        free(file);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    free(path);
    return result;
}

int discovery_load(struct discovery *out, const char *folder, discovery_problem_fn report,
                   void *ctx, struct error *err)
{
    *out = (struct discovery){.count = 0};
    struct dirent **names;
    int count = scandir(folder, &names, is_json_file, alphasort);
    int result = 0;
    if (count < 0)
        result = error_set(err, ERROR_IO, "the entities' folder %s: %s", folder, strerror(errno));
    else if (count == 0)
        result =
            error_set(err, ERROR_NOT_FOUND, "%s: expected files NAME.json, found none", folder);
    if (result < 0 && report != NULL)
        report(err, ctx);
    for (int i = 0; i < count; i++) {
        if ((result == 0 || report != NULL) && load_file(out, folder, names[i]->d_name, err) < 0) {
            result = -1;
            if (report != NULL)
                report(err, ctx);
        }
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    if (result == 0 || report != NULL)
        result |= load_languages(out, folder, report, ctx, err);
    return result;
}

void discovery_release(struct discovery *discovery)
{
    for (size_t i = 0; i < discovery->count; i++)
        entity_release(&discovery->entities[i]);
    discovery->count = 0;
    for (size_t i = 0; i < discovery->language_count; i++)
        language_release(&discovery->languages[i]);
    discovery->language_count = 0;
}

const struct entity *discovery_find(const struct discovery *discovery, const char *id)
{
    for (size_t i = 0; i < discovery->count; i++)
        if (strcmp(discovery->entities[i].id, id) == 0)
            return &discovery->entities[i];
    return NULL;
}

const char *discovery_name(const struct discovery *discovery, const char *language, const char *id)
{
    size_t len = language != NULL ? strlen(language) : 0;
    while (len > 0) { /* "de-CH", then "de" */
        for (size_t i = 0; i < discovery->language_count; i++) {
            const struct language *one = &discovery->languages[i];
            if (strlen(one->code) == len && strncasecmp(one->code, language, len) == 0)
                return json_get_string(one->names, id);
        }
        while (len > 0 && language[--len] != '-')
            ;
    }
    return NULL;
}

/* --- the message ----------------------------------------------------------------------------- */

static json_object *device_block(const char *instance)
{
    json_object *device = json_object_new_object();
    json_object *identifiers = json_object_new_array();
    json_object_array_add(identifiers, json_object_new_string(instance));
    json_object_object_add(device, "identifiers", identifiers);
    bool first = strcmp(instance, default_instance) == 0;
    char *name = first ? xstrdup("HA AI") : xasprintf("HA AI %s", instance);
    json_add_string(device, "name", name);
    free(name);
    json_add_string(device, "manufacturer", "ha-ai");
    json_add_string(device, "model", "Learns habits, suggests automations");
    json_add_string(device, "sw_version", HA_AI_VERSION);
    return device;
}

/* {"platform": P} for what `before` had and `components` has no more. */
static void add_removals(json_object *components, json_object *before, int release)
{
    json_object *old = before != NULL ? json_get_object(before, "components") : NULL;
    if (old == NULL)
        return;
    json_object_object_foreach(old, id, component)
    {
        const char *name = json_get_string(component, "platform");
        const struct ha_platform *platform = name != NULL ? ha_rules_component(name) : NULL;
        if (platform == NULL || platform->since > release ||
            json_object_object_get_ex(components, id, NULL))
            continue;
        json_object *removal = json_object_new_object();
        json_add_string(removal, "platform", platform->name);
        json_object_object_add(components, id, removal);
    }
}

json_object *discovery_message(const struct discovery *discovery, const char *instance,
                               json_object *facts, json_object *keep, int release,
                               json_object *before)
{
    json_object *told = json_at(facts, "ha.language");
    const char *language = told != NULL ? json_object_get_string(told) : NULL;
    json_object *message = json_object_new_object();
    json_object_object_add(message, "device", device_block(instance));

    json_object *origin = json_object_new_object();
    json_add_string(origin, "name", "ha-ai");
    json_add_string(origin, "sw_version", HA_AI_VERSION);
    json_object_object_add(message, "origin", origin);

    char *topic = topics_availability(instance);
    json_object *availability = json_object_new_object();
    json_add_string(availability, "topic", topic);
    free(topic);
    json_object *list = json_object_new_array();
    json_object_array_add(list, availability);
    json_object_object_add(message, "availability", list);

    json_object *components = json_object_new_object();
    for (size_t i = 0; i < discovery->count; i++) {
        const struct entity *entity = &discovery->entities[i];
        json_object *options =
            entity_options(entity, facts, keep != NULL ? json_get_array(keep, entity->id) : NULL);
        json_object *component = entity_component(entity, instance, release, options);
        json_object_put(options);
        if (component == NULL)
            continue;
        const char *name = discovery_name(discovery, language, entity->id);
        if (name != NULL)
            json_add_string(component, "name", name);
        json_object_object_add(components, entity->id, component);
        entity_add_triggers(entity, instance, components);
    }
    add_removals(components, before, release);
    json_object_object_add(message, "components", components);
    return message;
}

/* --- what HA will say to it ------------------------------------------------------------------ */

static int check_no_null(json_object *value, const char *where, struct error *err)
{
    if (value == NULL)
        return error_set(err, ERROR_INVALID, "%s is null: HA refuses the whole message", where);
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, member)
        {
            if (check_no_null(member, key, err) < 0)
                return -1;
        }
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            if (check_no_null(json_object_array_get_idx(value, i), where, err) < 0)
                return -1;
    }
    return 0;
}

static int check_topics(json_object *component, struct error *err)
{
    json_object_object_foreach(component, key, value)
    {
        size_t len = strlen(key);
        bool topic = len > 6 && strcmp(key + len - 6, "_topic") == 0;
        const char *text = topic ? json_object_get_string(value) : "";
        if (strpbrk(text, "+#") != NULL || strlen(text) > 1024)
            return error_set(err, ERROR_INVALID, "%s is '%.80s', expected a topic without + or #",
                             key, text);
    }
    return 0;
}

static int check_component(json_object *component, int release, struct error *err)
{
    const char *name = json_get_string(component, "platform");
    const struct ha_platform *platform = name != NULL ? ha_rules_component(name) : NULL;
    if (platform == NULL || platform->since > release)
        return error_set(err, ERROR_INVALID, "HA %d.%d does not know the platform '%.40s'",
                         release / 100, release % 100, name != NULL ? name : "");
    if (json_object_object_length(component) == 1)
        return 0; /* a removal */
    if (platform->state_topic != NULL && strcmp(platform->state_topic, "topic") == 0)
        return check_topics(component, err); /* a trigger is no entity */
    if (json_get_string(component, "unique_id") == NULL)
        return error_set(err, ERROR_INVALID, "unique_id is missing");
    json_object_object_foreach(component, key, value)
    {
        (void)value;
        if (ha_rules_key_since(platform, key) > release)
            return error_set(err, ERROR_INVALID, "HA %d.%d does not know %s", release / 100,
                             release % 100, key);
    }
    if (strcmp(name, "select") == 0 && json_get_array(component, "options") == NULL)
        return error_set(err, ERROR_INVALID, "options are missing");
    return check_topics(component, err);
}

int discovery_check(json_object *message, int release, struct error *err)
{
    static const char *const roots[] = {"device", "origin", "availability", "components"};
    json_object_object_foreach(message, key, value)
    {
        (void)value;
        size_t i = 0;
        while (i < 4 && strcmp(roots[i], key) != 0)
            i++;
        if (i == 4)
            return error_set(err, ERROR_INVALID,
                             "unknown key '%.40s': HA refuses the whole message", key);
    }
    if (check_no_null(message, "the message", err) < 0)
        return -1;
    json_object *components = json_get_object(message, "components");
    if (components == NULL || json_get_object(message, "device") == NULL ||
        json_get_object(message, "origin") == NULL)
        return error_set(err, ERROR_INVALID, "expected device, origin and components");
    json_object_object_foreach(components, id, component)
    {
        if (check_component(component, release, err) < 0)
            return error_prefix(err, "%s", id);
    }
    size_t size = strlen(json_text(message));
    if (size > DISCOVERY_MESSAGE_MAX)
        return error_set(err, ERROR_LIMIT, "the message has %zu bytes, expected at most %d", size,
                         DISCOVERY_MESSAGE_MAX);
    return 0;
}
