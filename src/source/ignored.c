#include "source/ignored.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/json.h"
#include "core/text.h"
#include "core/xalloc.h"
#include "model/rule.h"
#include "source/source.h"
#include "source/storage.h"

enum { SHOWN_SIZE = 81 };

/* ---- names of a list ------------------------------------------------------------------------ */

struct name {
    char *text;
    bool is_known;
};

struct names {
    struct name list[IGNORED_NAMES_MAX];
    size_t count;
};

static int names_init(struct names *names, const char *option, const char *list, struct error *err)
{
    names->count = 0;
    for (const char *p = list; p != NULL && *p != '\0';) {
        size_t length = strcspn(p, ","), from = strspn(p, " \t");
        size_t end = length;
        while (end > from && isspace((unsigned char)p[end - 1]))
            end--;
        if (end > from && names->count == IGNORED_NAMES_MAX)
            return error_set(err, ERROR_LIMIT, "%s: more than %d names", option, IGNORED_NAMES_MAX);
        if (end > from)
            names->list[names->count++] = (struct name){xstrndup(p + from, end - from), false};
        p += length + (p[length] == ',');
    }
    return 0;
}

static void names_release(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i].text);
}

/* Whether the list has it; marks it. */
static bool names_have(struct names *names, const char *text)
{
    bool found = false;
    for (size_t i = 0; text != NULL && i < names->count; i++)
        if (strcasecmp(names->list[i].text, text) == 0)
            found = names->list[i].is_known = true;
    return found;
}

static int names_check(const struct names *names, const char *option, const char *what,
                       const char *file, struct error *err)
{
    char shown[SHOWN_SIZE];
    for (size_t i = 0; i < names->count; i++) {
        if (names->list[i].is_known)
            continue;
        text_copy_shown(shown, sizeof shown, names->list[i].text);
        return error_set(err, ERROR_NOT_FOUND, "%s: got '%s', takes %s that .storage/%s has",
                         option, shown, what, file);
    }
    return 0;
}

/* ---- what the registries say ---------------------------------------------------------------- */

struct search {
    const char *path;
    struct names areas, people;
    json_object *area_registry, *device_registry, *entity_registry, *label_registry;
    json_object *devices, *areas_by_id;
    FILE *entities, *users;
    size_t entity_count;
};

static json_object *list_at(json_object *data, const char *key, size_t *count)
{
    json_object *list = json_get_array(data, key);
    *count = list != NULL ? json_object_array_length(list) : 0;
    return list;
}

/* Home Assistant makes the id of a label's name, with underscores. */
static bool is_ignoring_label(const struct search *s, const char *label)
{
    size_t count;
    json_object *labels = list_at(s->label_registry, "labels", &count);
    if (strcmp(label, IGNORED_LABEL) == 0 || strcmp(label, "ha_ai_ignore") == 0)
        return true;
    for (size_t i = 0; i < count; i++) {
        json_object *one = json_object_array_get_idx(labels, i);
        const char *id = json_get_string(one, "label_id"), *name = json_get_string(one, "name");
        if (id != NULL && name != NULL && strcmp(id, label) == 0 &&
            strcasecmp(name, IGNORED_LABEL) == 0)
            return true;
    }
    return false;
}

static bool has_label(const struct search *s, json_object *owner)
{
    size_t count;
    json_object *labels = list_at(owner, "labels", &count);
    for (size_t i = 0; i < count; i++) {
        json_object *one = json_object_array_get_idx(labels, i);
        if (json_object_is_type(one, json_type_string) &&
            is_ignoring_label(s, json_object_get_string(one)))
            return true;
    }
    return false;
}

static json_object *find(json_object *index, const char *id)
{
    return id != NULL ? json_get_object(index, id) : NULL;
}

static void add_entity(struct search *s, const char *entity_id)
{
    if (entity_id == NULL || !rule_entity_id_is_valid(entity_id))
        return; /* nor is it ever suggested */
    fprintf(s->entities, "%s%s", ftell(s->entities) > 0 ? "," : "", entity_id);
    s->entity_count++;
}

/* The areas that are named, by id, name or alias: marks them. */
static bool is_named_area(struct search *s, json_object *area)
{
    size_t count;
    json_object *aliases = list_at(area, "aliases", &count);
    bool found = names_have(&s->areas, json_get_string(area, "id"));
    found = names_have(&s->areas, json_get_string(area, "name")) || found;
    for (size_t i = 0; i < count; i++)
        found =
            names_have(&s->areas, json_object_get_string(json_object_array_get_idx(aliases, i))) ||
            found;
    return found;
}

static bool is_ignored(struct search *s, json_object *entity)
{
    json_object *device = find(s->devices, json_get_string(entity, "device_id"));
    const char *area_id = json_get_string(entity, "area_id");
    if (area_id == NULL)
        area_id = json_get_string(device, "area_id");
    json_object *area = find(s->areas_by_id, area_id);
    return has_label(s, entity) || has_label(s, device) || has_label(s, area) ||
           (area != NULL && is_named_area(s, area));
}

static void find_entities(struct search *s)
{
    size_t count;
    json_object *areas = list_at(s->area_registry, "areas", &count);
    for (size_t i = 0; i < count; i++)
        is_named_area(s, json_object_array_get_idx(areas, i)); /* also those that are empty */
    json_object *entities = list_at(s->entity_registry, "entities", &count);
    for (size_t i = 0; i < count; i++) {
        json_object *entity = json_object_array_get_idx(entities, i);
        if (is_ignored(s, entity))
            add_entity(s, json_get_string(entity, "entity_id"));
    }
}

/* ---- people --------------------------------------------------------------------------------- */

/* person.<id>, unless the registry has another name for it. */
static char *person_entity(const struct search *s, const char *id)
{
    size_t count;
    json_object *entities = list_at(s->entity_registry, "entities", &count);
    for (size_t i = 0; i < count; i++) {
        json_object *one = json_object_array_get_idx(entities, i);
        const char *platform = json_get_string(one, "platform");
        const char *unique = json_get_string(one, "unique_id");
        const char *entity_id = json_get_string(one, "entity_id");
        if (platform != NULL && strcmp(platform, "person") == 0 && unique != NULL &&
            strcmp(unique, id) == 0 && entity_id != NULL)
            return xstrdup(entity_id);
    }
    return xasprintf("person.%s", id);
}

static bool is_user_id(const char *text)
{
    return strlen(text) == 32 && strspn(text, "0123456789abcdefABCDEF") == 32;
}

static void add_user(struct search *s, const char *user_id)
{
    if (user_id != NULL && is_user_id(user_id))
        fprintf(s->users, "%s%s", ftell(s->users) > 0 ? "," : "", user_id);
}

static void look_at_person(struct search *s, json_object *person)
{
    const char *id = json_get_string(person, "id"), *user = json_get_string(person, "user_id");
    char *entity_id = id != NULL ? person_entity(s, id) : NULL;
    bool is_meant = names_have(&s->people, entity_id);
    is_meant = names_have(&s->people, json_get_string(person, "name")) || is_meant;
    is_meant = names_have(&s->people, user) || is_meant;
    if (is_meant) {
        add_entity(s, entity_id);
        add_user(s, user);
    }
    free(entity_id);
}

static void find_people(struct search *s)
{
    size_t count;
    json_object *data = storage_read_data(s->path, "person");
    json_object *items = list_at(data, "items", &count);
    for (size_t i = 0; i < count; i++)
        look_at_person(s, json_object_array_get_idx(items, i));
    json_object_put(data);
    /* Whoever is no person of Home Assistant's has an id of a user all the same. */
    for (size_t i = 0; i < s->people.count; i++) {
        struct name *name = &s->people.list[i];
        if (!name->is_known && is_user_id(name->text)) {
            add_user(s, name->text);
            name->is_known = true;
        }
    }
}

/* ---- all ------------------------------------------------------------------------------------ */

static int check(const struct search *s, struct error *err)
{
    if (s->entity_count > SOURCE_EXCLUSIONS_MAX)
        return error_set(err, ERROR_LIMIT, "more than %d entities are excluded by area or label",
                         SOURCE_EXCLUSIONS_MAX);
    if (names_check(&s->areas, "EXCLUDE_AREAS", "names or ids of areas", "core.area_registry",
                    err) != 0)
        return -1;
    return names_check(&s->people, "EXCLUDE_PEOPLE", "names, entity ids or user ids of people",
                       "person", err);
}

/* The text of a stream that is closed; NULL when it is empty. */
static char *taken(char *text)
{
    if (text != NULL && text[0] != '\0')
        return text;
    free(text);
    return NULL;
}

static FILE *open_text(char **text, size_t *size)
{
    FILE *file = open_memstream(text, size);
    if (file == NULL)
        abort(); /* out of memory, as in xalloc */
    return file;
}

int ignored_read(const char *database_path, const char *exclude, const char *areas,
                 const char *people, struct ignored *out, struct error *err)
{
    size_t entities_size, users_size;
    struct search s = {.path = database_path};
    *out = (struct ignored){.entities = NULL};
    int result = names_init(&s.areas, "EXCLUDE_AREAS", areas, err);
    if (result == 0)
        result = names_init(&s.people, "EXCLUDE_PEOPLE", people, err);
    s.entities = open_text(&out->entities, &entities_size);
    s.users = open_text(&out->users, &users_size);
    if (exclude != NULL)
        fputs(exclude, s.entities);
    if (result == 0 && strstr(database_path, "://") == NULL) {
        s.entity_registry = storage_read_data(database_path, "core.entity_registry");
        s.device_registry = storage_read_data(database_path, "core.device_registry");
        s.area_registry = storage_read_data(database_path, "core.area_registry");
        s.label_registry = storage_read_data(database_path, "core.label_registry");
        s.devices = storage_index_by_id(s.device_registry, "devices");
        s.areas_by_id = storage_index_by_id(s.area_registry, "areas");
        find_entities(&s);
        if (s.people.count > 0)
            find_people(&s);
    }
    if (result == 0)
        result = check(&s, err);
    fclose(s.entities);
    fclose(s.users);
    out->entities = taken(out->entities);
    out->users = taken(out->users);
    json_object_put(s.devices);
    json_object_put(s.areas_by_id);
    json_object_put(s.entity_registry);
    json_object_put(s.device_registry);
    json_object_put(s.area_registry);
    json_object_put(s.label_registry);
    names_release(&s.areas);
    names_release(&s.people);
    return result;
}

void ignored_release(struct ignored *ignored)
{
    free(ignored->entities);
    free(ignored->users);
    *ignored = (struct ignored){.entities = NULL};
}
