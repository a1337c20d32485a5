/* A history in the making: rows go in one by one, in nearly any order; columns come out. Shared by
 * all sources. What it keeps is bounded, whatever the rows hold. */
#ifndef HA_AI_SOURCE_BUILDER_H
#define HA_AI_SOURCE_BUILDER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "model/history.h"
#include "source/dictionary.h"

enum {
    BUILDER_ENTITY_WORDS_MAX = 64, /* more distinct ones: free text, not kept */
    BUILDER_NUMBERS_MIN = 16,      /* numbers seen before a series is called numeric */
    BUILDER_SPANS_MAX = 100000,
    BUILDER_SLOT_MS = 900000, /* every zone's days begin at a quarter hour */
    BUILDER_UNIT_MS = 3600,
};

/* Times that a row may have: 2000-01-01 to 2100-01-01, UTC. */
static const int64_t BUILDER_TIME_MIN_MS = 946684800000;
static const int64_t BUILDER_TIME_MAX_MS = 4102444800000;

/* What is known of an entity besides its columns, while reading. */
struct builder_series {
    uint64_t rows;
    uint64_t numbers, words;
    uint16_t *seen; /* its distinct words */
    uint8_t seen_count;
    bool is_dropped;     /* only counted from now on */
    bool is_latest_kept; /* the latest row is in the columns: not if it repeats the last state */
    int64_t latest_ms;   /* its time */
    enum cause latest_cause;
    int64_t attributes_id; /* of its latest row; 0 = unknown. The source's own use */
};

struct builder {
    struct history *history;       /* borrowed */
    struct builder_series *series; /* parallel to history->entities */
    size_t series_capacity;
    struct dictionary entity_ids; /* its indices are those of history->entities */
    struct dictionary states;     /* its indices are those of history->states */
    uint8_t *slots;        /* per quarter hour: when its last row was, in BUILDER_UNITs, from 1 */
    uint8_t *slot;         /* of the latest row, */
    int64_t slot_begin_ms; /* and when it begins */
    size_t changes;        /* kept in all */
};

void builder_init(struct builder *b, struct history *h);
void builder_release(struct builder *b);

/* The entity's index, adding it; -1 when the id is malformed or there are too many. */
int64_t builder_add_entity(struct builder *b, const char *entity_id, size_t length);

/* A row of any kind; the time must be within the bounds above. */
static inline void builder_count_row(struct builder *b, size_t entity, int64_t time_ms)
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
    b->series[entity].rows++;
    h->state_changes++;
    if (time_ms < h->from_ms)
        h->from_ms = time_ms;
    if (time_ms > h->to_ms)
        h->to_ms = time_ms;
}

/* The state of a counted row, of an entity that is not dropped. state NULL = removed. 0, or -1
 * with *err when SOURCE_CHANGES_MAX is reached. */
int builder_add_state(struct builder *b, size_t entity, int64_t time_ms, const char *state,
                      size_t length, enum cause cause, struct error *err);

/* The recorder was recording from..to. An uncertain end (a crash) is taken back to the last row. */
void builder_add_span(struct builder *b, int64_t from_ms, int64_t to_ms, bool is_end_uncertain);

/* Sorts, drops what is not kept and cuts the coverage to [first row, last row], without local days
 * that have no row at all. Entity indices are invalid afterwards. */
void builder_finish(struct builder *b);

#endif
