/* What a home did, kept for longer than Home Assistant keeps it: one SQLite file beside our
 * database, packed as archive_codec.h says; the tables are in archive_schema.c, all of it with its
 * reasons in docs/archive-format.md. source/import.c fills it, source/archive.c reads it.
 *
 * A struct archive belongs to one thread. Several processes may have the same file open: each
 * writing transaction notices when another has written since. */
#ifndef HA_AI_STORE_ARCHIVE_H
#define HA_AI_STORE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "store/archive_codec.h"

enum {
    ARCHIVE_SLOTS = 96, /* quarter hours of a day */
    ARCHIVE_ENTITIES_MAX = 100000,
    ARCHIVE_RANGES_MAX = 10000, /* more restored backups than anyone has; the newest count */
    ARCHIVE_RUNS_MAX = 100000,  /* starts of Home Assistant; the newest count */
    ARCHIVE_WARNINGS_MAX = 20,  /* damaged blobs that are named; the others are counted */
};

struct archive_entity {
    uint32_t number; /* in the file; never 0 */
    char *entity_id;
    char *name, *area;   /* last seen; NULL = never */
    char *members;       /* of a group: ids with a space between, last seen; NULL = none */
    char *device_class;  /* last seen; NULL = none */
    int64_t metadata_id; /* of the recorder, last seen */
    bool is_text;        /* too many distinct words: its rows are counted only */
    char **words;        /* its own, the first has the number HISTORY_STATE_FIXED_COUNT */
    size_t word_count, word_capacity, words_stored;
    double value;      /* in force at the end of value_day; NAN = none */
    int64_t value_day; /* the last day that was sealed; -1 = none */
    bool is_changed;   /* to be written by the next commit */
};

/* Where the import stands. */
struct archive_cursor {
    int64_t last_id; /* the last row that was read, 0 = none, and how it is known again: */
    int64_t last_metadata_id;
    double last_time_s;
    int64_t filter_id; /* rows up to it count only when they lie in none of the older ranges */
    int64_t range;     /* the id of the range that grows; 0 = none */
    int64_t stream_ms; /* the latest time that this stream of rows has reached */
    int64_t run_id, run_start_ms; /* the recorder's newest run then */
    int64_t forgotten_ms;         /* what is not later was erased for ever */
    int64_t calls_ms;             /* up to when services that were called are known */
};

struct archive_home {
    char *timezone; /* NULL = not known */
    bool has_location;
    double latitude, longitude; /* degrees */
    double elevation_m;         /* 0 = not known */
};

struct store;

struct archive {
    struct store *store;
    struct archive_entity *entities;
    size_t entity_count, entity_capacity;
    int32_t *index_of_number;     /* -1 = no such entity */
    uint32_t numbers;             /* its length: numbers are below */
    struct archive_cursor cursor; /* changed in memory, written by archive_commit */
    struct archive_home home;     /* likewise */
    int64_t revision;             /* of the file when it was read last */
    unsigned damaged;             /* blobs that were left out */
};

/* True when the file exists and is an archive of ours, readable or not. */
bool archive_is_file(const char *path);

/* Opens the archive and reads its small tables. Writable: makes it if it is not there (0600), and
 * refuses what store_open refuses. readonly: nothing is touched. NULL with *err. */
struct archive *archive_open(const char *path, bool readonly, struct error *err);
void archive_close(struct archive *archive);

/* ---- writing: all of it between begin and commit ---- */

/* 0, 1 = another process has written since: archive_reload and think anew; -1 with *err. */
int archive_begin(struct archive *archive, struct error *err);
/* Rolls back by itself when it fails; what is in memory is then not what is in the file. */
int archive_commit(struct archive *archive, struct error *err);
void archive_rollback(struct archive *archive);
int archive_reload(struct archive *archive, struct error *err);

/* The index in entities, -1 = not there. */
int64_t archive_find_entity(const struct archive *archive, const char *entity_id);
/* Adds one in memory, the next commit writes it; -1 with *err when there are too many. */
int64_t archive_add_entity(struct archive *archive, const char *entity_id, struct error *err);
/* The number of one of the entity's words, adding it. One too many turns it into a text. */
uint16_t archive_word(struct archive_entity *entity, const char *word);

/* Rows of one entity and one UTC day (days since 1970), in order of arrival, that were not added
 * before. */
int archive_append(struct archive *archive, size_t entity, int64_t day,
                   const struct archive_rows *rows, struct error *err);
/* What an entity's attributes took on one UTC day; in any order, also what is there already. Beyond
 * ARCHIVE_DAY_SETTINGS_MAX the latest are left out. */
int archive_append_settings(struct archive *archive, size_t entity, int64_t day,
                            const struct history_value *values, size_t count, struct error *err);
/* Seals the days before this one. */
int archive_seal_settings(struct archive *archive, int64_t before_day, struct error *err);
int archive_seal(struct archive *archive, int64_t before_day, struct error *err);

/* When rows of any entity came on a day: first and last, and per quarter hour when the last one
 * was (in units of 3.6 s, from 1; 0 = none). Joined with what is known. */
struct archive_day {
    int64_t day, from_ms, to_ms;
    uint8_t slots[ARCHIVE_SLOTS];
};
int archive_add_day(struct archive *archive, const struct archive_day *day, struct error *err);

/* When Home Assistant was recording. Once it has an end that stays (a backup that is restored tells
 * another); the last row grows. */
struct archive_run {
    int64_t from_ms, to_ms; /* to_ms 0: still */
    int64_t last_ms;        /* of its rows; 0 = none. Where it ended if the end is uncertain: */
    bool is_uncertain;      /* it crashed, and its end was written at the next start */
};
int archive_add_run(struct archive *archive, const struct archive_run *run, struct error *err);

/* Times of which every row was imported. known_ms: what of it was no clock's dream of a future. */
struct archive_range {
    int64_t id, from_ms, to_ms, known_ms;
};
int archive_new_range(struct archive *archive, struct error *err); /* it becomes cursor.range */
int archive_extend_range(struct archive *archive, int64_t from_ms, int64_t to_ms, int64_t known_ms,
                         struct error *err);

/* Deletes what is older than this day, and entities of which nothing is left; archive_reload after
 * the commit. The ranges stay: what lies in them does not come back. */
int archive_prune(struct archive *archive, int64_t before_day, struct error *err);

/* ---- forgetting: a transaction of its own, then the file is rewritten ---- */

/* Erases an entity (NULL = all); what has a time up to now_ms will never be imported again.
 * 1 = erased, 0 = nothing was kept of it (the mark is set all the same), -1 = *err. */
int archive_forget(struct archive *archive, const char *entity_id, int64_t now_ms, int wait_ms,
                   struct error *err);
/* The time up to which the entity's rows are not to be imported; 0 = none. -1 with *err. */
int archive_forgotten_until(struct archive *archive, const char *entity_id, int64_t *until_ms,
                            struct error *err);

/* ---- reading ---- */

/* A day of an entity, sealed or not: changes of words in time order, the first as it was. Damaged
 * ones are left out and told once. The function returns 0, or -1 with *err to end. */
typedef int (*archive_changes_fn)(size_t entity, int64_t day, const struct archive_rows *changes,
                                  const struct archive_counts *counts, void *ctx,
                                  struct error *err);
int archive_read_changes(struct archive *archive, int64_t from_day, int64_t to_day,
                         const bool *is_excluded /* by entity index; may be NULL */,
                         archive_changes_fn fn, void *ctx, struct error *err);

/* The five-minute means of one entity and day; 1, 0 = no numbers then, -1. Of a day that may still
 * grow they are those of what is known. ARCHIVE_SILENT: it told nothing at all, and what was in
 * force still is; the means are that, of a sealed day's NAN. */
enum { ARCHIVE_SILENT = 2 };
int archive_read_means(struct archive *archive, size_t entity, int64_t day,
                       double means[ARCHIVE_BUCKETS], int *decimals, struct error *err);

/* Values of attributes, in time order of each entity, the first of each day among them, from_day <=
 * day < to_day. The function returns 0, or -1 with *err to end. */
typedef int (*archive_settings_fn)(size_t entity, const struct history_value *value, void *ctx,
                                   struct error *err);
int archive_read_settings(struct archive *archive, int64_t from_day, int64_t to_day,
                          const bool *is_excluded /* by entity index; may be NULL */,
                          archive_settings_fn fn, void *ctx, struct error *err);

int archive_read_days(struct archive *archive,
                      int (*fn)(const struct archive_day *day, void *ctx, struct error *err),
                      void *ctx, struct error *err);
/* In order of time, of ids; the newest where there are too many. The lists are the caller's to
 * free. */
int archive_read_runs(struct archive *archive, struct archive_run **out, size_t *count,
                      struct error *err);
int archive_read_ranges(struct archive *archive, struct archive_range **out, size_t *count,
                        struct error *err);

/* True when anything was ever imported or forgotten. */
bool archive_was_written(const struct archive *archive);

#endif
