/* Where an automation is not what we would have written. */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/text.h"
#include "suggest/automation_read.h"

enum { PATH_SIZE = 200, NAME_SIZE = 81, DEPTH_MAX = 16 };

/* Tells the first place where they differ. path has PATH_SIZE bytes. False: they are equal. */
static bool find_difference(json_object *a, json_object *b, char *path, int depth,
                            json_object **where)
{
    size_t length = strlen(path);
    *where = a;
    if (json_object_get_type(a) != json_object_get_type(b) || depth > DEPTH_MAX)
        return true;
    if (json_object_is_type(a, json_type_object)) {
        json_object_object_foreach(a, key, value)
        {
            char name[NAME_SIZE];
            text_copy_shown(name, sizeof name, key);
            snprintf(path + length, PATH_SIZE - length, "%s%s", length > 0 ? "." : "", name);
            json_object *other = NULL;
            *where = value;
            if (!json_object_object_get_ex(b, key, &other) ||
                find_difference(value, other, path, depth + 1, where))
                return true;
        }
        path[length] = '\0';
        *where = a;
        return json_object_object_length(a) != json_object_object_length(b);
    }
    if (json_object_is_type(a, json_type_array)) {
        size_t count = json_object_array_length(a);
        for (size_t i = 0; i < count && i < json_object_array_length(b); i++) {
            snprintf(path + length, PATH_SIZE - length, "[%zu]", i);
            if (find_difference(json_object_array_get_idx(a, i), json_object_array_get_idx(b, i),
                                path, depth + 1, where))
                return true;
        }
        path[length] = '\0';
        *where = a;
        return count != json_object_array_length(b);
    }
    return !json_object_equal(a, b);
}

/* As it is after a way through text: 40.0 and 40 are one number then. */
static json_object *through_text(json_object *value)
{
    const char *text = json_text(value);
    return json_parse(text, strlen(text), NULL);
}

int automation_compare(json_object *automation, json_object *written, struct error *err)
{
    json_object *ours = through_text(written), *theirs = through_text(automation), *where = NULL;
    char path[PATH_SIZE] = "";
    int result = 0;
    if (ours == NULL || theirs == NULL)
        result = automation_refuse(err, "the whole", NULL, "JSON that can be read");
    else if (find_difference(theirs, ours, path, 0, &where))
        result = automation_refuse(err, path[0] != '\0' ? path : "the whole",
                                   automation_shown(where), "only what ha-ai itself writes there");
    json_object_put(ours);
    json_object_put(theirs);
    return result;
}
