/* The names of the entities in another language: a file of discovery/lang/. Pure but for reading
 * the file. */
#ifndef HA_AI_DEVICE_LANGUAGE_H
#define HA_AI_DEVICE_LANGUAGE_H

#include <json-c/json.h>
#include <stddef.h>

#include "core/error.h"
#include "device/entity.h"

enum { LANGUAGE_CODE_MAX = 15, LANGUAGE_NAME_MAX = 60 };

struct language {
    char code[LANGUAGE_CODE_MAX + 1]; /* the file's name: "de" */
    json_object *names;               /* {entity id: name}; what is missing is English */
};

/* Reads LANGUAGE.json; -1 with file, key and what is expected: an object of names, each of an
 * entity that there is, of 1 to LANGUAGE_NAME_MAX bytes, no two entities with the same one.
 * Release what was filled. */
int language_load(struct language *out, const char *path, const struct entity *entities,
                  size_t count, struct error *err);
void language_release(struct language *language);

#endif
