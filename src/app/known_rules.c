#include "app/known_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/private_file.h"
#include "core/xalloc.h"
#include "store/life.h"

static char *path_of(const char *database_path)
{
    return xasprintf("%s-known.json", database_path);
}

void known_rules_remove(const char *database_path)
{
    char *path = path_of(database_path);
    private_file_remove(path);
    free(path);
}

static int write_file(const char *path, const char *text, struct error *err)
{
    FILE *file = private_file_create(path, err);
    if (file == NULL)
        return -1;
    bool is_written = fputs(text, file) >= 0;
    is_written = fclose(file) == 0 && is_written;
    return is_written ? 0 : error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
}

char *known_rules_write(struct store *store, const char *database_path, struct error *err)
{
    *err = (struct error){0};
    known_rules_remove(database_path);
    json_object *known = life_known_rules(store, err);
    if (known == NULL)
        return NULL;
    char *path = NULL;
    if (json_object_array_length(json_get_array(known, "rules")) > 0) {
        path = path_of(database_path);
        if (write_file(path, json_text(known), err) < 0) {
            known_rules_remove(database_path);
            free(path);
            path = NULL;
        }
    }
    json_object_put(known);
    return path;
}
