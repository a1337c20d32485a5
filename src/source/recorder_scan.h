/* What the parts of reading a recorder database share. Private to recorder_*.c. */
#ifndef HA_AI_SOURCE_RECORDER_SCAN_H
#define HA_AI_SOURCE_RECORDER_SCAN_H

#include "source/builder.h"
#include "source/id_map.h"
#include "source/recorder.h"
#include "source/recorder_cause.h"
#include "source/recorder_values.h"

enum {
    SCAN_CLOCK_EVERY = 64, /* rows between two looks at the clock */
    SCAN_EXCLUDED = -2,    /* in the map of metadata ids; ID_MAP_NONE: malformed */
    SCAN_PAUSE_MS = 2,     /* between two read transactions: room for whoever waits for the lock */
};

struct scan {
    struct recorder *recorder;
    const struct source_options *options;
    struct source_stats *stats;
    struct builder builder;
    struct id_map entities; /* metadata_id -> index, or negative */
    int64_t *metadata_ids;  /* of each entity */
    size_t metadata_capacity;
    bool has_twins; /* an entity has several metadata ids */
    bool is_by_entity;
    struct recorder_cause causes;
    int64_t since_ms, until_ms;
    int64_t first_id, last_id; /* of the rows to read: what comes later is not looked at */
};

/* The columns of struct scan_columns from this one on: state, context_id_bin, context_user_id_bin,
 * context_parent_id_bin, attributes_id. */
#define SCAN_COLUMNS                                                                               \
    "state, context_id_bin, context_user_id_bin, context_parent_id_bin, attributes_id"

/* How long a read transaction may take, in ms. */
int scan_chunk_ms(const struct scan *scan);
void scan_pause(void);
void scan_note_transaction(struct scan *scan, int64_t took_ms);
void scan_tell_progress(const struct scan *scan, double share);

/* Takes the state of the statement's present row, whose column `column` is the first of
 * SCAN_COLUMNS, of an entity that is not dropped. *skipped counts what is no state.
 * 0, or -1 with *err. */
int scan_take_state(struct scan *scan, sqlite3_stmt *stmt, int column, size_t entity,
                    int64_t time_ms, uint64_t *skipped, struct error *err);

/* Takes what the same row tells of the attribute that is recorded of its entity, if there is one.
 * lookup is of the same connection as the row. 0, or -1 with *err. */
int scan_take_value(struct scan *scan, const struct recorder_lookup *lookup, sqlite3_stmt *stmt,
                    int column, size_t entity, int64_t time_ms, struct error *err);

/* Follows the light sensors (builder_follow), by the attributes of each sensor's newest row; needs
 * the index. 0, or -1 with *err. */
int recorder_lights_find(struct scan *scan, struct error *err);

/* The same for one entity, by a row's attributes. */
int recorder_lights_look_at(struct scan *scan, size_t entity, int64_t attributes_id,
                            struct error *err);

/* Fills first_id and last_id: the rows there are now; whatever entity comes later is not among
 * them. 0, or -1 with *err. */
int recorder_read_bounds(struct scan *scan, struct error *err);

/* Reads all states in one pass by state_id. 0, or -1 with *err. */
int recorder_pass_read(struct scan *scan, struct error *err);

/* Whether the database has the index that recorder_slices_read needs. 1, 0, or -1 with *err. */
int recorder_slices_are_possible(const struct scan *scan, struct error *err);

/* Reads entity by entity, in slices of time; of numbers only what tells that they are. Entities
 * must have one metadata id each. 0, or -1 with *err. */
int recorder_slices_read(struct scan *scan, struct error *err);

/* Reads when the recorder was running. by_entity: the states were read by recorder_slices_read. */
int recorder_runs_read(struct scan *scan, bool by_entity, struct error *err);

/* When the last row of any entity within [from, to) was; from_ms when there is none. 0 or -1. */
int recorder_slices_last_row(struct scan *scan, int64_t from_ms, int64_t to_ms, int64_t *last_ms,
                             struct error *err);

/* A run of the recorder as its table says. */
struct recorder_run {
    int64_t from_ms, to_ms; /* to_ms INT64_MAX: still open */
    bool is_end_uncertain;  /* it crashed, and its end was written at the next start */
};

/* All of them, at least one, by time. The list is the caller's to free, on errors too. */
int recorder_runs_list(struct recorder *recorder, struct recorder_run **list, size_t *count,
                       struct error *err);

#endif
