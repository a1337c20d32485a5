/* The discovery message of the whole device, built from the files of a folder. */
#ifndef HA_AI_DEVICE_DISCOVERY_H
#define HA_AI_DEVICE_DISCOVERY_H

#include <json-c/json.h>
#include <stddef.h>

#include "core/error.h"
#include "core/options.h"
#include "device/entity.h"
#include "device/language.h"

enum { DISCOVERY_FILES_MAX = 64, DISCOVERY_LANGUAGES_MAX = 32, DISCOVERY_MESSAGE_MAX = 256 * 1024 };

struct discovery {
    struct entity entities[DISCOVERY_FILES_MAX]; /* ordered by file name */
    size_t count;
    struct language languages[DISCOVERY_LANGUAGES_MAX]; /* of lang/ */
    size_t language_count;
};

/* Called for every problem instead of ending at the first. */
typedef void (*discovery_problem_fn)(const struct error *problem, void *ctx);

/* Where the files are: DISCOVERY_DIR, else ../discovery beside the program (a build tree), else
 * the installed folder. Caller frees. */
char *discovery_folder(const struct options *options);

/* Loads and checks every *.json of the folder and of its folder lang; -1 names file, key and what
 * is expected. With `report` (may be NULL) it tells every fault there, goes on after it and returns
 * -1 at the end; err is then needed. Release in every case. */
int discovery_load(struct discovery *out, const char *folder, discovery_problem_fn report,
                   void *ctx, struct error *err);
void discovery_release(struct discovery *discovery);

/* NULL when there is none. */
const struct entity *discovery_find(const struct discovery *discovery, const char *id);

/* The entity's name in a language of HA ("de", "de-CH"); NULL = as in its file (English). */
const char *discovery_name(const struct discovery *discovery, const char *language, const char *id);

/* The message for a release of HA (ha_rules_release). `facts` (may be NULL) give the options and
 * the language;
 * `keep` (may be NULL: {entity id: array}) options to offer besides. Components of `before` (the
 * last message, may be NULL) that are no longer there are named once more with their platform
 * alone, which makes HA remove them. Caller puts it. */
json_object *discovery_message(const struct discovery *discovery, const char *instance,
                               json_object *facts, json_object *keep, int release,
                               json_object *before);

/* Checks the finished message as HA of that release would: nothing that makes it refuse the whole
 * or warn. */
int discovery_check(json_object *message, int release, struct error *err);

#endif
