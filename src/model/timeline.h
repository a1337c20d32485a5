/* What Home Assistant's state machine held, of a few entities, row by row: the ground on which
 * automations are replayed (replay/). Unlike a history it keeps everything that an automation can
 * see: each state as it was written, numbers too, and the attributes. Pure data; filled by source/
 * (or from a history, for a rule's few entities) through the functions below, then immutable. */
#ifndef HA_AI_MODEL_TIMELINE_H
#define HA_AI_MODEL_TIMELINE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/tz.h"
#include "model/history.h"

enum {
    TIMELINE_WORDS_MAX = 1 << 28,        /* distinct states: an index has 28 bits */
    TIMELINE_ROWS_MAX = 8 * 1024 * 1024, /* of all entities: 128 MB */
    TIMELINE_ENTITIES_MAX = 20000,
    TIMELINE_STATE_BYTES_MAX = 256 * 1024 * 1024,    /* of distinct states */
    TIMELINE_ATTRIBUTE_BYTES_MAX = 64 * 1024 * 1024, /* of distinct attributes, as JSON text */
    TIMELINE_RUNS_MAX = 100000,
    TIMELINE_PLACES_MAX = 100000,
    TIMELINE_REMOVED = 0, /* the word of a row that says that the entity was removed */
};

/* A state_changed event: from then on the entity had this state and these attributes. */
struct timeline_row {
    int64_t time_ms;        /* UTC, last_updated */
    uint32_t word : 28;     /* index into timeline.words, or TIMELINE_REMOVED */
    uint32_t cause : 3;     /* enum cause */
    uint32_t is_forced : 1; /* last_changed is this row's time though the word did not change
                             * (force_update); recorder: last_changed_ts is NULL */
    int32_t attributes;     /* index into timeline.attributes; -1 = not known */
    uint32_t order;         /* of rows of one time, whosesoever; 0 = that of adding */
};

struct timeline_series {
    char *entity_id;
    struct timeline_row *rows; /* by time; equal times in the order in which they were written */
    size_t count, capacity;
    bool is_approximate; /* numbers that are five-minute means */
};

/* Where a purpose-specific trigger's target points (area, floor, label, device), as Home
 * Assistant's registries say now. Entities that no series has may be in it. */
struct timeline_place {
    char *entity_id;
    char *device_id, *area_id, *floor_id; /* NULL = none; the area may be the device's */
    char *labels; /* of the entity: label ids with a space on both sides of each; NULL = none */
    char *device_labels, *area_labels; /* likewise */
    char *registry_id; /* the registry's own name of it, which device triggers and actions have */
    char *parent_device_id; /* of the device: a target's device has its children, too */
    char *device_class;
    int64_t supported_features;             /* 0 = none, or not known */
    bool is_hidden, is_disabled, is_config; /* is_config: entity_category is set */
};

/* One life of Home Assistant's process. Automations listen from started_ms (the event
 * homeassistant_started) to to_ms (homeassistant_stop, or the last sign of life). The first row of
 * an entity after from_ms is a first state: what came before was another process's. */
struct timeline_run {
    int64_t from_ms, started_ms, to_ms; /* UTC; from <= started <= to */
    bool is_clean;                      /* it ended with homeassistant_stop */
};

struct timeline {
    struct timeline_series *series; /* sorted by entity_id */
    size_t series_count, series_capacity;
    char **words;    /* states as they were written; words[TIMELINE_REMOVED] is "" */
    double *numbers; /* parallel to words: timeline_number's; NAN = no number */
    size_t word_count, word_capacity;
    json_object **attributes; /* owned */
    size_t attribute_count, attribute_capacity;
    struct timeline_run *runs; /* sorted, disjoint; at least one */
    size_t run_count, run_capacity;
    struct timeline_place *places; /* sorted by entity_id */
    size_t place_count, place_capacity;
    int64_t from_ms, to_ms; /* what is known: first and last moment */
    int64_t first_row_ms;   /* INT64_MAX: there is none; set by timeline_finish */
    const struct tz *tz;    /* borrowed */
    double latitude, longitude, elevation_m;
    bool has_location;
    bool is_fahrenheit; /* the unit of temperatures in attributes (core.config's unit system) */

    struct timeline_index *index; /* only while it is filled */
    size_t row_count, state_bytes, attribute_bytes;
};

/* The caller sets tz and the location. */
void timeline_init(struct timeline *timeline);
void timeline_release(struct timeline *timeline);

/* --- filling it: one thread; each gives 0, or -1 with *err when a maximum above is reached --- */

/* The series of that id, added when it is new. The index is valid until timeline_finish. */
int timeline_add_series(struct timeline *timeline, const char *entity_id, size_t *series,
                        struct error *err);

/* The word of a state, added when it is new. "" is an empty state (an input_text's), not a removal.
 */
int timeline_add_word(struct timeline *timeline, const char *state, size_t length, uint32_t *word,
                      struct error *err);

/* The index of attributes given as JSON, added when the text is new; -1 when it is no object. */
int timeline_add_attributes(struct timeline *timeline, const char *json, size_t length,
                            int32_t *attributes, struct error *err);

/* Rows may come in any order; those of one time in the order of writing, as far as it is known. */
int timeline_add_row(struct timeline *timeline, size_t series, const struct timeline_row *row,
                     struct error *err);

int timeline_add_run(struct timeline *timeline, const struct timeline_run *run, struct error *err);

/* Copies the place. */
int timeline_add_place(struct timeline *timeline, const struct timeline_place *place,
                       struct error *err);

/* Sorts everything. from_ms and to_ms that the caller left 0 become the first and last row's; with
 * no run at all Home Assistant ran all the time. Nothing may be added afterwards. */
void timeline_finish(struct timeline *timeline);

/* --- reading it: any thread --- */

/* The series of that id; NULL when there is none. */
const struct timeline_series *timeline_find(const struct timeline *timeline, const char *entity_id);

/* Index of the row that holds at a time: the last one at or before it; SIZE_MAX before the first.
 */
size_t timeline_row_at(const struct timeline_series *series, int64_t time_ms);

/* The place of that entity; NULL when the registries do not know it. */
const struct timeline_place *timeline_find_place(const struct timeline *timeline,
                                                 const char *entity_id);

/* A text as Python's float() reads it: spaces around, underscores between digits, inf, nan. False
 * when it is none. */
bool timeline_number(const char *text, double *out);

#endif
