/* Whom and what an analysis leaves alone, by what Home Assistant's registries beside the database
 * say: areas, people, and whatever has the label `ha-ai-ignore`. */
#ifndef HA_AI_SOURCE_IGNORED_H
#define HA_AI_SOURCE_IGNORED_H

#include "core/error.h"

#define IGNORED_LABEL "ha-ai-ignore"

enum { IGNORED_NAMES_MAX = 100 /* areas, or people, that a list may name */ };

struct ignored {
    char *
        entities; /* for source_options.exclude: what was there already, and what was found; NULL */
    char *users;  /* ids of users with a comma between; NULL = none */
};

/* database_path: a path whose folder has .storage (a URL has none). exclude: a list as EXCLUDE has
 * it; areas: names or ids; people: entity ids, names, or ids of users; all with commas between,
 * NULL = none. 0, or -1 with *err: a name that the registries do not know, or they cannot be read.
 * Release it. */
int ignored_read(const char *database_path, const char *exclude, const char *areas,
                 const char *people, struct ignored *out, struct error *err);
void ignored_release(struct ignored *ignored);

#endif
