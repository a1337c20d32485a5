#include "home/ha_config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/xalloc.h"
#include "home/ha_private.h"

enum { COPY_BUFFER = 65536 };

const char *ha_object_id(const struct home_entity *entity)
{
    return strchr(entity->entity_id, '.') + 1;
}

FILE *ha_file_create(const char *folder, const char *name, struct error *err)
{
    char *path = xasprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "wx");
    if (file == NULL)
        error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
    free(path);
    return file;
}

int ha_file_finish(FILE *file, const char *folder, const char *name, struct error *err)
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

static int write_yaml(const struct home *home, const char *folder, const char *name,
                      void (*write)(FILE *out, const struct home *home), struct error *err)
{
    FILE *out = ha_file_create(folder, name, err);
    if (out == NULL)
        return -1;
    write(out, home);
    return ha_file_finish(out, folder, name, err);
}

int ha_config_write(const struct ha_config *config, const char *folder, struct error *err)
{
    char *storage = xasprintf("%s/.storage", folder);
    const bool made = make_folder(folder, err) == 0 && make_folder(storage, err) == 0;
    free(storage);
    if (!made)
        return -1;
    FILE *out = ha_file_create(folder, "configuration.yaml", err);
    if (out == NULL)
        return -1;
    ha_write_configuration(out, config);
    if (ha_file_finish(out, folder, "configuration.yaml", err) != 0 ||
        write_yaml(config->home, folder, "automations.yaml", ha_write_automations, err) != 0 ||
        write_yaml(config->home, folder, "known_devices.yaml", ha_write_phones, err) != 0)
        return -1;
    return ha_storage_write(config, folder, err);
}
