#include "device/language.h"

#include <stdbool.h>
#include <string.h>

#include "core/json.h"

static const char *english(const struct entity *entity)
{
    return json_get_string(entity->component, "name");
}

static const char *name_of(const struct language *language, const struct entity *entity)
{
    const char *name = json_get_string(language->names, entity->id);
    return name != NULL ? name : english(entity);
}

static bool is_known(const struct entity *entities, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(entities[i].id, id) == 0)
            return true;
    return false;
}

static int check_names(const struct language *language, const struct entity *entities, size_t count,
                       struct error *err)
{
    json_object_object_foreach(language->names, id, value)
    {
        const char *name =
            json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
        if (!is_known(entities, count, id))
            return error_set(err, ERROR_INVALID, "there is no entity '%.60s'", id);
        if (*name == '\0' || strlen(name) > LANGUAGE_NAME_MAX)
            return error_set(err, ERROR_INVALID, "%s: expected a name of 1 to %d bytes", id,
                             LANGUAGE_NAME_MAX);
    }
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(name_of(language, &entities[i]), name_of(language, &entities[k])) == 0)
                return error_set(err, ERROR_INVALID, "%s and %s have the same name '%s'",
                                 entities[k].id, entities[i].id, name_of(language, &entities[i]));
    return 0;
}

/* "de.json" -> "de" */
static int read_code(struct language *out, const char *path, struct error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-";
    const char *slash = strrchr(path, '/');
    const char *file = slash != NULL ? slash + 1 : path;
    size_t len = strspn(file, allowed);
    if (len < 2 || len > LANGUAGE_CODE_MAX || strcmp(file + len, ".json") != 0)
        return error_set(err, ERROR_INVALID, "expected a file LANGUAGE.json, as de.json");
    memcpy(out->code, file, len);
    out->code[len] = '\0';
    return 0;
}

int language_load(struct language *out, const char *path, const struct entity *entities,
                  size_t count, struct error *err)
{
    *out = (struct language){.names = NULL};
    if (read_code(out, path, err) < 0)
        return error_prefix(err, "%s", path);
    out->names = json_read_file(path, ENTITY_FILE_MAX, err);
    if (out->names == NULL) /* its message names the path */
        return -1;
    int result = 0;
    if (!json_object_is_type(out->names, json_type_object))
        result = error_set(err, ERROR_INVALID, "expected a JSON object of names");
    else
        result = check_names(out, entities, count, err);
    if (result < 0) {
        error_prefix(err, "%s", path);
        language_release(out);
    }
    return result;
}

void language_release(struct language *language)
{
    json_object_put(language->names);
    *language = (struct language){.names = NULL};
}
