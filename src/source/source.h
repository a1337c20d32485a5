/* Where a home's past is read from. One table (source.c) names the kinds; a new one is a file and
 * a row. */
#ifndef HA_AI_SOURCE_SOURCE_H
#define HA_AI_SOURCE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "model/history.h"
#include "model/timeline.h"

struct source; /* an opened one; one thread at a time */

/* What the source itself knows of the home's zone and place. */
struct source_place {
    char *timezone; /* IANA name or NULL */
    bool has_location;
    double latitude, longitude; /* degrees */
    double elevation_m;
};

struct source_options {
    const char *exclude;        /* entity ids and globs, comma or space separated; NULL = none */
    const char *exclude_users;  /* ids of users whose acts are no person's; commas; NULL = none */
    int64_t since_ms, until_ms; /* UTC, [since, until); until 0 = no end */
    int chunk_ms;               /* the longest read transaction; 0 = SOURCE_CHUNK_MS */
    int threads;                /* 1 to PARALLEL_THREADS_MAX; 0 = what pays. Never another result */
    void (*progress)(int percent, const char *phase, void *ctx); /* may be NULL */
    void *progress_ctx;
};

/* What source_read_timeline is to read; borrowed. */
struct source_wanted {
    const char *const *entity_ids;
    size_t entity_count;
    const char *const *attributes; /* names of those that are kept; NULL = all */
    size_t attribute_count;
};

struct source_stats {
    uint64_t skipped;        /* rows met without a usable time, entity or state */
    unsigned chunks;         /* read transactions over the states */
    int64_t longest_read_ms; /* of one of them */
};

enum {
    SOURCE_CHUNK_MS = 120,        /* so that one stays under 250 ms on a busy machine */
    SOURCE_CHANGES_MAX = 4000000, /* kept state changes, 11 bytes each */
    SOURCE_EXCLUSIONS_MAX = 4000,
    SOURCE_TIMELINE_LEAD_MS = 24 * 60 * 60 * 1000, /* what a timeline has of before since_ms */
};

/* Whether there is a backend for this path or URL; touches nothing. -1 with *err. */
int source_check_kind(const char *where, struct error *err);

/* Opens a path or a URL and checks that it can be read. NULL with *err: ERROR_BUSY is worth
 * trying again later, anything else needs a person. Caller closes. */
struct source *source_open(const char *where, struct error *err);
void source_close(struct source *source);

/* Borrowed until the source is closed. */
const struct source_place *source_place(const struct source *source);

/* Fills an initialised, empty history; h->tz must be set. The stats (may be NULL) are filled even
 * on errors. 0, or -1 with *err. */
int source_read(struct source *source, const struct source_options *options, struct history *h,
                struct source_stats *stats, struct error *err);

/* Adds what the registries beside the source say to timeline.places; nothing when there are none.
 * timeline_finish sorts them. 0, or -1 with *err when there are too many. */
int source_read_places(struct source *source, struct timeline *timeline, struct error *err);

/* Adds the rows of the entities wanted, but of excluded ones, and Home Assistant's runs. An entity
 * that the source does not know has no series. Before since_ms there are the rows of the last
 * SOURCE_TIMELINE_LEAD_MS, and the last one before those (two, if its state is older than its
 * attributes). A run that has no end yet ends with the last row. The caller calls timeline_finish.
 * 0, or -1 with *err: ERROR_LIMIT when there is more than a timeline takes. */
int source_read_timeline(struct source *source, const struct source_options *options,
                         const struct source_wanted *wanted, struct timeline *timeline,
                         struct source_stats *stats, struct error *err);

/* One row of the table. The functions are those above with the backend's own state. */
struct source_backend {
    const char *scheme; /* "postgresql" of postgresql://…; "" for a path */
    void *(*open)(const char *where, struct error *err); /* NULL: not supported yet */
    void (*close)(void *state);
    const struct source_place *(*place)(const void *state);
    int (*read)(void *state, const struct source_options *options, struct history *h,
                struct source_stats *stats, struct error *err);
    int (*read_places)(void *state, struct timeline *timeline, struct error *err);
    int (*read_timeline)(void *state, const struct source_options *options,
                         const struct source_wanted *wanted, struct timeline *timeline,
                         struct source_stats *stats, struct error *err);
};

#endif
