#include "app/known_automations.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/dictionary.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "core/yaml.h"
#include "source/storage.h"

/* --- files --- */

/* A file in the folder of the database; NULL where there is no folder. Caller frees. */
static char *beside(const char *history, const char *name)
{
    const char *slash = strrchr(history, '/');
    if (strstr(history, "://") != NULL)
        return NULL;
    return slash != NULL ? xasprintf("%.*s/%s", (int)(slash - history), history, name)
                         : xstrdup(name);
}

/* What Home Assistant told is JSON, what it keeps is YAML: by the first sign of it. */
static bool is_json(const char *path)
{
    FILE *file = fopen(path, "re");
    int c = file != NULL ? fgetc(file) : EOF;
    while (c != EOF && isspace(c))
        c = fgetc(file);
    if (file != NULL)
        fclose(file);
    return c == '[' || c == '{';
}

/* NULL in *out: it is empty. */
static int read_file(const char *path, json_object **out, struct error *err)
{
    *out = NULL;
    if (strcmp(path, "-") != 0 && is_json(path)) {
        *out = json_read_file(path, KNOWN_BYTES_MAX, err);
        return *out != NULL ? 0 : -1;
    }
    return yaml_read_file(path, out, err) == 0 ? 0 : error_prefix(err, "%s", path);
}

/* --- automations --- */

static int add_all(struct known_automations *known, json_object *value,
                   const struct existing_home *home, struct error *err)
{
    if (!json_object_is_type(value, json_type_array))
        return existing_add(&known->list, value, home, err);
    for (size_t i = 0; i < json_object_array_length(value); i++)
        if (existing_add(&known->list, json_object_array_get_idx(value, i), home, err) != 0)
            return -1;
    return 0;
}

/* A list, one automation, or what a package or configuration.yaml has under `automation`. */
static int add_file(struct known_automations *known, json_object *value,
                    const struct existing_home *home, struct error *err)
{
    static const char key_begin[] = "automation";
    bool is_packaged = false;
    int result = 0;
    if (value == NULL)
        return 0;
    if (!json_object_is_type(value, json_type_object) &&
        !json_object_is_type(value, json_type_array))
        return error_set(err, ERROR_INVALID, "it holds no list of automations");
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, member)
        {
            char end = strncmp(key, key_begin, sizeof key_begin - 1) == 0
                           ? key[sizeof key_begin - 1]
                           : 'x';
            if ((end != '\0' && end != ' ') || result != 0)
                continue;
            is_packaged = true;
            result = add_all(known, member, home, err);
        }
    }
    return is_packaged ? result : add_all(known, value, home, err);
}

/* --- scenes --- */

/* "scene.movie_night" of "Movie night", as Home Assistant names it unless a person renames it. */
static char *scene_id(const char *name)
{
    char *id = xasprintf("scene.%s", name);
    size_t length = strlen("scene.");
    for (const char *p = name; *p != '\0'; p++) {
        if (isalnum((unsigned char)*p))
            id[length++] = (char)tolower((unsigned char)*p);
        else if (length > strlen("scene.") && id[length - 1] != '_')
            id[length++] = '_';
    }
    while (length > strlen("scene.") && id[length - 1] == '_')
        length--;
    id[length] = '\0';
    return id;
}

/* scenes.yaml beside the database: what its scenes set. A file that cannot be read is none. */
static json_object *read_scenes(const char *history)
{
    struct error err;
    json_object *file = NULL, *scenes = json_object_new_object();
    char *path = beside(history, "scenes.yaml");
    if (path != NULL && access(path, R_OK) == 0 && yaml_read_file(path, &file, &err) != 0)
        log_warn("analyze", "scenes are not known: %s: %s", path, err.message);
    size_t count = json_object_is_type(file, json_type_array) ? json_object_array_length(file) : 0;
    for (size_t i = 0; i < count; i++) {
        json_object *scene = json_object_array_get_idx(file, i);
        const char *name = json_get_string(scene, "name");
        json_object *entities = json_get_object(scene, "entities");
        char *id = name != NULL ? scene_id(name) : NULL;
        if (id != NULL && entities != NULL)
            json_object_object_add(scenes, id, json_object_get(entities));
        free(id);
    }
    json_object_put(file);
    free(path);
    return scenes;
}

/* --- what a replay needs --- */

static void want(const char *entity_id, void *ctx)
{
    dictionary_add(ctx, entity_id, strlen(entity_id), TIMELINE_ENTITIES_MAX);
}

/* Where it cannot be had, they are only looked at. */
static void read_timeline(struct known_automations *known, struct source *source,
                          const struct source_options *options, const struct history *h)
{
    struct timeline *t = &known->timeline;
    struct dictionary wanted;
    struct error err = {ERROR_NONE, ""};
    struct source_options quiet = *options;
    quiet.progress = NULL;
    dictionary_init(&wanted);
    existing_visit_entities(&known->list, t, want, &wanted);
    const struct source_wanted rows = {.entity_ids = (const char *const *)wanted.keys,
                                       .entity_count = wanted.count};
    if (source_read_timeline(source, &quiet, &rows, t, NULL, &err) == 0) {
        offline_add_derived(t, h, &wanted);
        t->from_ms = h->from_ms;
        t->to_ms = h->to_ms;
        timeline_finish(t);
        known->list.timeline = t;
    } else if (known->list.problem[0] == '\0') {
        snprintf(known->list.problem, sizeof known->list.problem, "none is replayed: %.200s",
                 err.message);
    }
    dictionary_release(&wanted);
}

static int read_all(struct known_automations *known, const char *path, const char *history,
                    const struct history *h, struct error *err)
{
    json_object *value = NULL;
    const struct existing_home home = {.history = h, .places = &known->timeline};
    known->list.scenes = read_scenes(history);
    if (storage_read_places(history, &known->timeline, err) != 0 ||
        read_file(path, &value, err) != 0)
        return -1;
    int result = add_file(known, value, &home, err);
    json_object_put(value);
    return result == 0 ? 0 : error_prefix(err, "%s", path);
}

int known_automations_read(struct known_automations *known, const char *path, const char *history,
                           struct source *source, const struct source_options *options,
                           const struct history *h, struct error *err)
{
    struct error problem = {ERROR_NONE, ""};
    char *found = path == NULL ? beside(history, "automations.yaml") : NULL;
    const char *file = path != NULL ? path : found;
    struct timeline *t = &known->timeline;
    int result = 0;
    existing_init(&known->list);
    timeline_init(t);
    t->tz = h->tz;
    t->has_location = h->has_location;
    t->latitude = h->latitude;
    t->longitude = h->longitude;
    t->elevation_m = h->elevation_m;
    known->is_known = path != NULL || (file != NULL && access(file, F_OK) == 0);
    if (known->is_known && read_all(known, file, history, h, &problem) != 0) {
        if (path != NULL)
            result = error_set(err, problem.code, "--automations: %s", problem.message);
        else
            snprintf(known->list.problem, sizeof known->list.problem, "%.250s", problem.message);
    }
    if (result == 0 && known->list.count > 0)
        read_timeline(known, source, options, h);
    free(found);
    return result;
}

void known_automations_release(struct known_automations *known)
{
    existing_release(&known->list);
    timeline_release(&known->timeline);
}
