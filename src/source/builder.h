/* A history in the making: rows go in one by one, in nearly any order; columns come out. Shared by
 * all sources. What it keeps is bounded, whatever the rows hold.
 *
 * Once all entities are added, rows of different entities may be added by different threads; the
 * result depends on the order of each entity's own rows alone. */
#ifndef HA_AI_SOURCE_BUILDER_H
#define HA_AI_SOURCE_BUILDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/dictionary.h"
#include "core/error.h"
#include "model/history.h"
#include "source/attributes.h"
#include "source/means.h"
#include "source/readings.h"

enum {
    BUILDER_ENTITY_WORDS_MAX = 64,             /* more distinct ones: free text, not kept */
    BUILDER_NUMBERS_MIN = 16,                  /* numbers seen before a series is called numeric */
    BUILDER_WORD_BYTES_MAX = 32 * 1024 * 1024, /* of all entities' distinct words */
    BUILDER_SPANS_MAX = 100000,
    BUILDER_SLOT_MS = 900000, /* every zone's days begin at a quarter hour */
    BUILDER_UNIT_MS = 3600,
};

/* Times that a row may have: 2000-01-01 to 2100-01-01, UTC. */
static const int64_t BUILDER_TIME_MIN_MS = 946684800000;
static const int64_t BUILDER_TIME_MAX_MS = 4102444800000;

/* What is known of an entity besides its columns, while reading. Its column of states holds the
 * fixed states and, from HISTORY_STATE_FIXED_COUNT on, its own words, until builder_finish. */
struct builder_series {
    uint64_t rows;
    uint64_t numbers, words;
    char **own_words; /* distinct ones */
    uint8_t own_count;
    uint8_t fixed_seen;  /* a bit for each fixed state that is a word of it */
    bool is_dropped;     /* only counted from now on, but for its means: */
    struct means *means; /* of a number that is followed; NULL = it is not */
    bool is_looked_at;   /* whether it is to be followed. The source's own use */
    uint8_t recorded;    /* enum rule_attribute that its rows tell; RULE_ATTRIBUTE_COUNT = none */
    bool has_too_many;   /* values */
    struct readings readings;
    struct attributes_latest latest_attributes; /* the source's own use */
    bool is_latest_kept; /* the latest row is in the columns: not if it repeats the last state */
    int64_t latest_ms;   /* its time */
    enum cause latest_cause;
    int64_t attributes_id; /* of its latest row; 0 = unknown. The source's own use */
    bool is_scene;         /* its activations are kept */
};

struct builder {
    struct history *history;       /* borrowed */
    struct builder_series *series; /* parallel to history->entities */
    size_t series_count, series_capacity;
    struct dictionary entity_ids; /* its indices are those of history->entities */
    uint8_t *slots;        /* per quarter hour: when its last row was, in BUILDER_UNITs, from 1 */
    uint8_t *slot;         /* of the latest row, */
    int64_t slot_begin_ms; /* and when it begins */
    size_t followed;       /* series with means */
    atomic_size_t changes; /* that were ever kept */
    atomic_size_t word_bytes;
};

void builder_init(struct builder *b, struct history *h);
void builder_release(struct builder *b);

/* The entity's index, adding it; -1 when the id is malformed or there are too many. */
int64_t builder_add_entity(struct builder *b, const char *entity_id, size_t length);

/* The entity's numbers become five-minute means from here on, also when it is dropped: of each
 * `step` times five minutes the first row counts, and holds until the next one. One thread; does
 * nothing beyond HISTORY_LIGHT_SENSORS_MAX. */
void builder_follow(struct builder *b, size_t entity, int step);

/* The state of a row of an entity that is followed, and is dropped but for that. */
void builder_add_number(struct builder_series *series, int64_t time_ms, const char *state,
                        size_t length);

/* Whether rows of the entity change nothing any more. */
static inline bool builder_is_done(const struct builder_series *series)
{
    return series->is_dropped && series->means == NULL;
}

/* Whether a row of that time may change anything. */
static inline bool builder_wants(const struct builder_series *series, int64_t time_ms)
{
    return !series->is_dropped || (series->means != NULL && time_ms >= means_due_ms(series->means));
}

/* Something was recorded at that time, which must be within the bounds above. One thread. */
static inline void builder_note_time(struct builder *b, int64_t time_ms)
{
    struct history *h = b->history;
    uint64_t offset_ms = (uint64_t)(time_ms - b->slot_begin_ms);
    if (offset_ms >= BUILDER_SLOT_MS) { /* seldom: rows come nearly in time order */
        b->slot = &b->slots[(time_ms - BUILDER_TIME_MIN_MS) / BUILDER_SLOT_MS];
        b->slot_begin_ms = time_ms - (time_ms - BUILDER_TIME_MIN_MS) % BUILDER_SLOT_MS;
        offset_ms = (uint64_t)(time_ms - b->slot_begin_ms);
    }
    uint8_t unit = (uint8_t)((uint32_t)offset_ms / BUILDER_UNIT_MS + 1);
    if (unit > *b->slot)
        *b->slot = unit;
    if (time_ms < h->from_ms)
        h->from_ms = time_ms;
    if (time_ms > h->to_ms)
        h->to_ms = time_ms;
}

/* The state of a row of an entity that is not done; the caller counts the row in series.rows.
 * state NULL = removed. A scene is `on` for a millisecond when it is activated: when its state says
 * so, or is `on`, as the archive has it. 0, or -1 with *err when SOURCE_CHANGES_MAX or
 * BUILDER_WORD_BYTES_MAX is reached. */
int builder_add_state(struct builder *b, size_t entity, int64_t time_ms, const char *state,
                      size_t length, enum cause cause, struct error *err);

/* What a row tells of the attribute that is recorded. 0, or -1 with *err when SOURCE_CHANGES_MAX is
 * reached; an entity with more than HISTORY_VALUES_MAX loses them. */
int builder_add_reading(struct builder *b, size_t entity, const struct history_value *value,
                        struct error *err);

/* What an entity's attribute was set to: each is kept. Likewise. */
int builder_add_value(struct builder *b, size_t entity, const struct history_value *value,
                      struct error *err);

/* When the last row that was noted within [from, to) was, rounded up to the next BUILDER_UNIT;
 * from_ms when there is none. */
int64_t builder_last_noted(const struct builder *b, int64_t from_ms, int64_t to_ms);

/* The recorder was recording from..to. */
void builder_add_span(struct builder *b, int64_t from_ms, int64_t to_ms);

/* Sorts, drops what is not kept and cuts the coverage to [first, last noted time], without local
 * days of which no time was noted. Entity indices are invalid afterwards. */
void builder_finish(struct builder *b);

#endif
