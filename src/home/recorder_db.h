/* Writes what a simulated home does as HA's recorder would have: a genuine recorder database. */
#ifndef HA_AI_HOME_RECORDER_DB_H
#define HA_AI_HOME_RECORDER_DB_H

#include <stdint.h>

#include "core/error.h"
#include "home/plan.h"
#include "home/world.h"

struct recorder_db;

/* Creates a database; the file must not exist yet. Borrows home. The result's sink goes into a
 * world. NULL with *err. */
struct recorder_db *recorder_db_create(const char *path, const struct home *home, int schema,
                                       struct error *err);
/* As if HA had purged what lies before: such rows take their ids, but are not there. To be said
 * before the first row. */
void recorder_db_purge_before(struct recorder_db *db, int64_t time_us);

void recorder_db_bind(struct recorder_db *db, struct home_sink *sink);

/* Indexes, bookkeeping, WAL mode. The first error of any write comes out here. Ends with the
 * recorder closed at time_us. */
int recorder_db_finish(struct recorder_db *db, int64_t time_us, struct error *err);

/* After recorder_db_finish of a home that lives on: rows may follow, each batch between a begin and
 * a commit. -1 with the first error of a write. */
void recorder_db_begin(struct recorder_db *db);
int recorder_db_commit(struct recorder_db *db, struct error *err);

/* Closes; an unfinished file is removed. */
void recorder_db_free(struct recorder_db *db);

#endif
