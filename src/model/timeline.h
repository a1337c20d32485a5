/* What Home Assistant's state machine held, of a few entities, row by row: the ground on which
 * automations are replayed (replay/). Unlike a history it keeps everything that an automation can
 * see: each state as it was written, numbers too, and the attributes. Pure data; filled by source/
 * (or from a history, for a rule's few entities), then immutable. */
#ifndef HA_AI_MODEL_TIMELINE_H
#define HA_AI_MODEL_TIMELINE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/history.h"

enum {
    TIMELINE_WORDS_MAX = 1 << 28,         /* distinct states: an index has 28 bits */
    TIMELINE_ROWS_MAX = 8 * 1024 * 1024,  /* of all entities: 128 MB */
    TIMELINE_ENTITIES_MAX = 20000,
    TIMELINE_BYTES_MAX = 256 * 1024 * 1024, /* of distinct states and attributes */
};

/* A state_changed event: from then on the entity had this state and these attributes. */
struct timeline_row {
    int64_t time_ms;     /* UTC, last_updated */
    uint32_t word : 28;  /* index into timeline.words; the empty word: the entity was removed */
    uint32_t cause : 4;  /* enum cause */
    int32_t attributes;  /* index into timeline.attributes; -1 = not known */
};

struct timeline_series {
    char *entity_id;
    char *device_class; /* registry's or attributes'; NULL = none */
    struct timeline_row *rows; /* by time; equal times in the order in which they were written */
    size_t count, capacity;
    bool is_approximate; /* numbers that are five-minute means */
};

/* Where a purpose-specific trigger's target points (area, floor, label, device), as Home Assistant's
 * registries say now. Entities that no series has may be in it. */
struct timeline_place {
    char *entity_id;
    char *device_id, *area_id, *floor_id; /* NULL = none; the area may be the device's */
    char *labels; /* of the entity: label ids with a space on both sides of each; NULL = none */
    char *device_labels, *area_labels; /* likewise */
    char *device_class;
    bool is_hidden, is_disabled, is_config; /* is_config: entity_category is set */
};

struct timeline {
    struct timeline_series *series; /* sorted by entity_id */
    size_t series_count, series_capacity;
    char **words;    /* states as they were written; words[0] is "" */
    double *numbers; /* parallel to words: as HA's float() reads them; NAN = no number */
    size_t word_count, word_capacity;
    json_object **attributes; /* owned */
    size_t attribute_count, attribute_capacity;
    struct history_span *running; /* when Home Assistant ran; sorted, disjoint */
    size_t running_count, running_capacity;
    struct timeline_place *places; /* sorted by entity_id */
    size_t place_count, place_capacity;
    int64_t from_ms, to_ms; /* what is known: first and last moment */
    const struct tz *tz;    /* borrowed */
    double latitude, longitude, elevation_m;
    bool has_location;
};

void timeline_init(struct timeline *timeline);
void timeline_release(struct timeline *timeline);

/* The series of that id; NULL when there is none. Any thread. */
const struct timeline_series *timeline_find(const struct timeline *timeline, const char *entity_id);

/* Index of the row that holds at a time: the last one at or before it; SIZE_MAX before the first.
 * Any thread. */
size_t timeline_row_at(const struct timeline_series *series, int64_t time_ms);

#endif
