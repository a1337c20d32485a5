#include "source/storage.h"

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "source/attributes.h"

enum {
    NAME_MAX_BYTES = 255,
    TIMEZONE_MAX_BYTES = 64,
    LABELS_MAX = 1000, /* of one entity, device or area */
};

json_object *storage_read_data(const char *database_path, const char *name)
{
    const char *slash = strrchr(database_path, '/');
    int length = slash != NULL ? (int)(slash - database_path) : 0;
    char *path = slash != NULL ? xasprintf("%.*s/.storage/%s", length, database_path, name)
                               : xasprintf(".storage/%s", name);
    struct error err = {ERROR_NONE, ""};
    json_object *file = json_read_file(path, STORAGE_FILE_MAX, &err);
    free(path);
    if (file == NULL) {
        if (err.code != ERROR_NOT_FOUND)
            log_warn("source", "names or place are incomplete: %s", err.message);
        return NULL;
    }
    json_object *data = json_object_get(json_get_object(file, "data"));
    json_object_put(file);
    return data;
}

static double get_number(json_object *obj, const char *key)
{
    return json_get_double(obj, key, NAN);
}

void storage_read_place(const char *database_path, struct source_place *out)
{
    json_object *data = storage_read_data(database_path, "core.config");
    if (data == NULL)
        return;
    const char *zone = json_get_string(data, "time_zone");
    if (zone != NULL && zone[0] != '\0' && strlen(zone) <= TIMEZONE_MAX_BYTES)
        out->timezone = xstrdup(zone);
    out->latitude = get_number(data, "latitude");
    out->longitude = get_number(data, "longitude");
    out->has_location = fabs(out->latitude) <= 90 && fabs(out->longitude) <= 180;
    out->elevation_m = json_get_double(data, "elevation", 0);
    json_object_put(data);
}

static void add_by_id(json_object *index, json_object *data, const char *list)
{
    json_object *array = json_get_array(data, list);
    size_t count = array != NULL ? json_object_array_length(array) : 0;
    for (size_t i = 0; i < count; i++) {
        json_object *element = json_object_array_get_idx(array, i);
        const char *id = json_get_string(element, "id");
        if (id != NULL)
            json_object_object_add(index, id, json_object_get(element));
    }
}

json_object *storage_index_by_id(json_object *data, const char *list)
{
    json_object *index = json_object_new_object();
    add_by_id(index, data, list);
    return index;
}

/* Borrowed element, or NULL. */
static json_object *look_up(json_object *index, const char *id)
{
    return id != NULL ? json_get_object(index, id) : NULL;
}

char *storage_copy_name(const char *text)
{
    size_t length = strlen(text);
    if (length > NAME_MAX_BYTES) {
        length = NAME_MAX_BYTES;
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--; /* not inside a character */
    }
    return xstrndup(text, length);
}

/* As Home Assistant makes it: the device's name first when the entity says so. */
static char *registered_name(json_object *entity, json_object *device)
{
    const char *own = json_get_string(entity, "name");
    if (own == NULL)
        own = json_get_string(entity, "original_name");
    const char *of_device = json_get_string(device, "name_by_user");
    if (of_device == NULL)
        of_device = json_get_string(device, "name");
    if (!json_get_bool(entity, "has_entity_name", false) || of_device == NULL)
        return own != NULL ? storage_copy_name(own) : NULL;
    if (own == NULL || json_get_string(entity, "name") != NULL)
        return storage_copy_name(own != NULL ? own : of_device);
    char *both = xasprintf("%s %s", of_device, own);
    char *name = storage_copy_name(both);
    free(both);
    return name;
}

static void apply_entity(struct history_entity *e, json_object *entity, json_object *devices,
                         json_object *areas)
{
    json_object *device = look_up(devices, json_get_string(entity, "device_id"));
    const char *area_id = json_get_string(entity, "area_id");
    if (area_id == NULL)
        area_id = json_get_string(device, "area_id");
    const char *area = json_get_string(look_up(areas, area_id), "name");
    if (area != NULL && e->area == NULL)
        e->area = storage_copy_name(area);
    if (e->name == NULL)
        e->name = registered_name(entity, device);
    if (e->device_class == NULL)
        e->device_class = attributes_device_class(entity);
}

void storage_read_names(const char *database_path, struct builder *builder)
{
    json_object *data = storage_read_data(database_path, "core.entity_registry");
    json_object *array = json_get_array(data, "entities");
    size_t count = array != NULL ? json_object_array_length(array) : 0;
    if (count > 0) {
        json_object *device_data = storage_read_data(database_path, "core.device_registry");
        json_object *area_data = storage_read_data(database_path, "core.area_registry");
        json_object *devices = storage_index_by_id(device_data, "devices");
        json_object *areas = storage_index_by_id(area_data, "areas");
        for (size_t i = 0; i < count; i++) {
            json_object *entity = json_object_array_get_idx(array, i);
            const char *id = json_get_string(entity, "entity_id");
            int64_t index = id != NULL ? dictionary_find(&builder->entity_ids, id, strlen(id)) : -1;
            if (index >= 0)
                apply_entity(&builder->history->entities[index], entity, devices, areas);
        }
        json_object_put(devices);
        json_object_put(areas);
        json_object_put(device_data);
        json_object_put(area_data);
    }
    json_object_put(data);
}

/* --- places --- */

/* "label_id" of a list of strings with a space on both sides of each; NULL when there is none. What
 * has a space in it is no label id. Caller frees. */
static char *join_labels(json_object *owner)
{
    json_object *list = json_get_array(owner, "labels");
    size_t count = list != NULL ? json_object_array_length(list) : 0, length = 0;
    char *text = NULL;
    FILE *out = count > 0 ? open_memstream(&text, &length) : NULL;
    for (size_t i = 0; i < count && i < LABELS_MAX; i++) {
        json_object *one = json_object_array_get_idx(list, i);
        const char *label =
            json_object_is_type(one, json_type_string) ? json_object_get_string(one) : NULL;
        if (label != NULL && label[0] != '\0' && strlen(label) <= NAME_MAX_BYTES &&
            strchr(label, ' ') == NULL)
            fprintf(out, "%s%s ", ftell(out) == 0 ? " " : "", label);
    }
    if (out == NULL)
        return NULL;
    if (fclose(out) != 0)
        abort();
    if (length > 0)
        return text;
    free(text);
    return NULL;
}

static bool is_set(json_object *entity, const char *key)
{
    return json_get_string(entity, key) != NULL;
}

static int add_place(struct timeline *timeline, json_object *entity, json_object *devices,
                     json_object *areas, struct error *err)
{
    json_object *device = look_up(devices, json_get_string(entity, "device_id"));
    const char *area_id = json_get_string(entity, "area_id");
    const char *device_class = json_get_string(entity, "device_class");
    if (area_id == NULL)
        area_id = json_get_string(device, "area_id");
    if (device_class == NULL)
        device_class = json_get_string(entity, "original_device_class");
    json_object *area = look_up(areas, area_id);
    struct timeline_place place = {
        .entity_id = (char *)json_get_string(entity, "entity_id"),
        .device_id = (char *)json_get_string(entity, "device_id"),
        .area_id = (char *)area_id,
        .floor_id = (char *)json_get_string(area, "floor_id"),
        .labels = join_labels(entity),
        .device_labels = join_labels(device),
        .area_labels = join_labels(area),
        .parent_device_id = (char *)json_get_string(device, "parent_device_id"),
        .registry_id = (char *)json_get_string(entity, "id"),
        .device_class = (char *)device_class,
        .supported_features = json_get_int(entity, "supported_features", 0),
        .is_hidden = is_set(entity, "hidden_by"),
        .is_disabled = is_set(entity, "disabled_by"),
        .is_config = is_set(entity, "entity_category")};
    int result = place.entity_id != NULL ? timeline_add_place(timeline, &place, err) : 0;
    free(place.labels);
    free(place.device_labels);
    free(place.area_labels);
    return result;
}

int storage_read_places(const char *database_path, struct timeline *timeline, struct error *err)
{
    json_object *config = storage_read_data(database_path, "core.config");
    const char *units = json_get_string(config, "unit_system_v2");
    timeline->is_fahrenheit = units != NULL && strcmp(units, "us_customary") == 0;
    json_object_put(config);
    json_object *data = storage_read_data(database_path, "core.entity_registry");
    json_object *array = json_get_array(data, "entities");
    size_t count = array != NULL ? json_object_array_length(array) : 0;
    int result = 0;
    if (count > 0) {
        json_object *device_data = storage_read_data(database_path, "core.device_registry");
        json_object *area_data = storage_read_data(database_path, "core.area_registry");
        json_object *devices = storage_index_by_id(device_data, "devices");
        add_by_id(devices, device_data, "child_devices");
        json_object *areas = storage_index_by_id(area_data, "areas");
        for (size_t i = 0; i < count && result == 0; i++)
            result = add_place(timeline, json_object_array_get_idx(array, i), devices, areas, err);
        json_object_put(devices);
        json_object_put(areas);
        json_object_put(device_data);
        json_object_put(area_data);
    }
    json_object_put(data);
    return result;
}
