/* What Home Assistant keeps in .storage beside its database: zone and place, names, areas, labels.
 * All of it is optional: a file that is missing or cannot be read is no error. */
#ifndef HA_AI_SOURCE_STORAGE_H
#define HA_AI_SOURCE_STORAGE_H

#include <json-c/json.h>

#include "source/builder.h"
#include "source/source.h"

enum { STORAGE_FILE_MAX = 16 * 1024 * 1024 };

/* `data` of that file in .storage beside the database, of which only the folder is looked at. NULL
 * when it is not there; a file that cannot be used is told once. Caller puts it. */
json_object *storage_read_data(const char *database_path, const char *name);

/* An object that maps the id of each element of data.<list> to the element. Caller puts it. */
json_object *storage_index_by_id(json_object *data, const char *list);

/* Reads core.config beside the database. *out must be zeroed; its strings belong to the caller. */
void storage_read_place(const char *database_path, struct source_place *out);

/* Gives the entities their areas and, where they have none yet, their registered names and device
 * classes. */
void storage_read_names(const char *database_path, struct builder *builder);

/* Adds the entities of the registry to timeline.places. 0, or -1 with *err when there are too many.
 */
int storage_read_places(const char *database_path, struct timeline *timeline, struct error *err);

/* A copy of at most 255 bytes of UTF-8, cut between characters. Caller frees. */
char *storage_copy_name(const char *name);

#endif
