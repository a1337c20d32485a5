/* For the files of the archive alone. */
#ifndef HA_AI_STORE_ARCHIVE_PRIVATE_H
#define HA_AI_STORE_ARCHIVE_PRIVATE_H

#include "store/archive.h"
#include "store/statement.h"

enum { ARCHIVE_ENTITY_BITS = 20, ARCHIVE_DAY_MAX = 50000 /* in the year 2106 */ };

static inline int64_t archive_key(int64_t day, uint32_t entity)
{
    return (int64_t)((uint64_t)day << ARCHIVE_ENTITY_BITS) | entity; /* a damaged day as well */
}

/* Runs a statement whose parameters are integers. */
int archive_run_ints(struct archive *archive, const char *sql, const int64_t *values, int count,
                     struct error *err);

/* A bound blob lives until the statement is done. */
void bind_blob(sqlite3_stmt *stmt, int index, const void *data, size_t size);

/* Tells once which blob is left out, and counts it. */
void archive_tell_damaged(struct archive *archive, int64_t key);

#endif
