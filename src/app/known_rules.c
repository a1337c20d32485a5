#include "app/known_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "store/life.h"

static char *path_of(const char *database_path)
{
    return xasprintf("%s-known.json", database_path);
}

void known_rules_remove(const char *database_path)
{
    char *path = path_of(database_path);
    if (unlink(path) < 0 && errno != ENOENT)
        log_warn("app", "%s cannot be removed: %s", path, strerror(errno));
    free(path);
}

static int write_file(const char *path, const char *text, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file == NULL && fd >= 0)
        close(fd);
    bool written = file != NULL && fputs(text, file) >= 0;
    if (file != NULL && fclose(file) != 0)
        written = false;
    return written ? 0 : error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
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
