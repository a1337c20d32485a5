/* Brings what is new in Home Assistant's recorder database into the archive: nothing twice, nothing
 * missed, also when the database was purged, migrated, restored from a backup or replaced. */
#ifndef HA_AI_SOURCE_IMPORT_H
#define HA_AI_SOURCE_IMPORT_H

#include <stdint.h>

#include "core/error.h"
#include "store/archive.h"

enum {
    IMPORT_ROWS = 100000,             /* held in memory, and written in one transaction */
    IMPORT_LATE_MS = 2 * 3600 * 1000, /* a day is sealed so long after it has ended */
    IMPORT_TRIES = 10, /* how often it begins anew because others wrote to the archive */
};

struct import_options {
    const char *exclude;       /* entity ids and globs; NULL = none */
    const char *exclude_users; /* as in struct source_options */
    int days;                  /* to keep before the newest row; 0 = all */
    int64_t now_ms;            /* UTC; 0 = the clock's */
    int rows;                  /* a transaction; 0 = IMPORT_ROWS. For tests */
    int chunk_ms;              /* the longest read transaction; 0 = SOURCE_CHUNK_MS */
    void (*progress)(int percent, const char *phase, void *ctx); /* may be NULL */
    void *progress_ctx;
};

struct import_stats {
    uint64_t read, imported;
    uint64_t known;   /* rows of another database that lie in a time that was imported before */
    uint64_t skipped; /* rows without a usable time, entity or state */
    bool is_other;    /* the database is not the one of last time */
};

/* The path of a recorder database (that Home Assistant may be writing), an archive open for
 * writing, outside of a transaction. What was imported before an error stays, and the next import
 * goes on from there. 0, or -1 with *err (ERROR_BUSY: later). */
int import_history(const char *path, struct archive *archive, const struct import_options *options,
                   struct import_stats *stats, struct error *err);

#endif
