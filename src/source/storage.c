#include "source/storage.h"

#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "source/attributes.h"

enum { NAME_MAX_BYTES = 255, TIMEZONE_MAX_BYTES = 64 };

/* NULL when it is not there; a file that cannot be used is told once. */
static json_object *read_data(const char *database_path, const char *name)
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
    json_object *data = read_data(database_path, "core.config");
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

/* An object that maps the id of each element of data.<list> to the element. */
static json_object *index_by_id(json_object *data, const char *list)
{
    json_object *index = json_object_new_object();
    json_object *array = json_get_array(data, list);
    size_t count = array != NULL ? json_object_array_length(array) : 0;
    for (size_t i = 0; i < count; i++) {
        json_object *element = json_object_array_get_idx(array, i);
        const char *id = json_get_string(element, "id");
        if (id != NULL)
            json_object_object_add(index, id, json_object_get(element));
    }
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
    json_object *data = read_data(database_path, "core.entity_registry");
    json_object *array = json_get_array(data, "entities");
    size_t count = array != NULL ? json_object_array_length(array) : 0;
    if (count > 0) {
        json_object *device_data = read_data(database_path, "core.device_registry");
        json_object *area_data = read_data(database_path, "core.area_registry");
        json_object *devices = index_by_id(device_data, "devices");
        json_object *areas = index_by_id(area_data, "areas");
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
