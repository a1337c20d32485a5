/* Home Assistant's own SQLite recorder database as a source: read-only, while HA writes it. The
 * functions are those of struct source_backend; the state is a struct recorder. */
#ifndef HA_AI_SOURCE_RECORDER_H
#define HA_AI_SOURCE_RECORDER_H

#include <sqlite3.h>

#include "source/source.h"

enum {
    RECORDER_SCHEMA_MIN = 38,   /* HA 2023.4: states_meta */
    RECORDER_SCHEMA_KNOWN = 53, /* HA 2026.11; later ones are read if the columns are there */
    RECORDER_PAGE_ROWS = 10000, /* of the small tables, in one read transaction */
};

struct recorder {
    char *path;
    sqlite3 *db;
    struct source_place place;
    bool has_triggers; /* tables events and event_types with the columns we need */
    bool has_calls;    /* these and event_data, likewise */
};

void *recorder_open(const char *path, struct error *err);
void recorder_close(void *recorder);
const struct source_place *recorder_place(const void *recorder);
int recorder_read(void *recorder, const struct source_options *options, struct history *h,
                  struct source_stats *stats, struct error *err);

int recorder_read_places(void *recorder, struct timeline *timeline, struct error *err);
int recorder_read_timeline(void *recorder, const struct source_options *options,
                           const struct source_wanted *wanted, struct timeline *timeline,
                           struct source_stats *stats, struct error *err);

/* A further connection to the same file, for another thread: of the struct only path and db are
 * set, path is borrowed. 0, or -1 with *err. recorder_disconnect frees it. */
int recorder_connect(const struct recorder *recorder, struct recorder *other, struct error *err);
void recorder_disconnect(struct recorder *other);

/* Sets *err from SQLite's last error: what is wrong with the file in a person's words, ERROR_BUSY
 * when it may be better later. Always -1. */
int recorder_error(const struct recorder *recorder, struct error *err);

/* Reads a small table page by page, each in its own read transaction. In the statement ?1 is the
 * last row's id (its first column), ?2 the page's size and ?3, if there is one, the last row's time
 * in seconds (its third column), from since_s at first. row returns 0, or -1 with *err to end.
 * 0 or -1. */
int recorder_read_pages(struct recorder *recorder, const char *sql, double since_s,
                        int (*row)(sqlite3_stmt *stmt, void *ctx, struct error *err), void *ctx,
                        struct error *err);

/* Parses "2026-11-23 12:34:56.789012" (UTC) to ms. 0 or -1. */
int recorder_parse_time(const char *text, int64_t *utc_ms);

/* The network file system's name for a statfs type, or NULL for a local one. */
const char *recorder_network_fs(unsigned long type);

#endif
