/* A path per line of stdin -> the tree of core/yaml as JSON, with {"!": TAG, "text": ...} for what has a tag; or
 * "error ...". */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/yaml.h"

/* In place of values with a tag their objects. Steals nothing; the result is the caller's. */
static json_object *with_tags(json_object *value)
{
    if (json_object_is_type(value, json_type_object)) {
        json_object *copy = json_object_new_object();
        json_object_object_foreach(value, key, member)
            json_object_object_add(copy, key, with_tags(member));
        return copy;
    }
    if (json_object_is_type(value, json_type_array)) {
        json_object *copy = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(value); i++)
            json_object_array_add(copy, with_tags(json_object_array_get_idx(value, i)));
        return copy;
    }
    if (yaml_tag(value) == NULL)
        return json_object_get(value);
    json_object *marked = json_object_new_object();
    json_object_object_add(marked, "!", json_object_new_string(yaml_tag(value)));
    json_object_object_add(marked, "text", json_object_get(value));
    return marked;
}

int main(void)
{
    char path[4096];
    while (fgets(path, sizeof path, stdin) != NULL) {
        path[strcspn(path, "\n")] = '\0';
        json_object *value;
        struct error err = {ERROR_NONE, ""};
        if (yaml_read_file(path, &value, &err) != 0) {
            printf("error %s\n", err.message);
            continue;
        }
        json_object *marked = with_tags(value);
        puts(json_text(marked));
        json_object_put(marked);
        json_object_put(value);
    }
    return 0;
}
