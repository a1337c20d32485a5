/* What an automation is made of: the parser's result, the replay's input. Private to replay/. */
#ifndef HA_AI_REPLAY_PARTS_H
#define HA_AI_REPLAY_PARTS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dictionary.h"
#include "replay/automation.h"
#include "replay/wall.h"

#define DURATION_NONE INT64_MIN /* no `for` at all */

/* What a state or an attribute is compared with (helpers/event.py, process_state_match). */
struct matcher {
    bool is_any;        /* nothing was given, or null */
    bool is_inverted;   /* not_from, not_to */
    bool is_list;       /* a list was given: Python compares by a set */
    json_object **list; /* owned references; NULL in it is None */
    size_t count;
};

/* above, below: a number, or the state of an entity. */
struct limit {
    bool is_given, is_entity;
    double number;
    size_t entity;
};

struct clock_at {
    bool is_entity;
    int second_of_day;
    size_t entity; /* an input_datetime or a timestamp sensor */
    int64_t offset_us;
};

struct trigger {
    const struct trigger_type *type; /* NULL: it never fires in the replay */
    char *id;                        /* its own, else its index */
    size_t *entities;                /* indices into automation.entities */
    size_t entity_count;
    char *attribute;
    int64_t for_us; /* DURATION_NONE, or what it waits for */
    struct matcher from, to;
    bool has_from, has_to, is_match_all; /* which keys were there */
    struct limit above, below;
    struct clock_at *at;
    size_t at_count;
    size_t first_slot; /* in the replay's slots: one for each of `at` */
    struct wall_pattern pattern;
    bool is_every_second; /* a time_pattern of '*' alone: no pattern, but an interval */
    unsigned weekdays;    /* a bit each from Monday on */
    bool is_set;          /* sunset, leave, shutdown: the second of the two events */
    int64_t offset_us;
    size_t zone;             /* entity */
    struct purpose_use *use; /* of a purpose-specific one; borrowed from the automation */
};

struct condition {
    const struct condition_type *type;
    bool is_disabled;
    struct condition *children; /* of and, or, not */
    size_t child_count;
    size_t *entities;
    size_t entity_count;
    char *attribute;
    bool is_any;            /* match: any */
    json_object **states;   /* owned references */
    size_t *state_entities; /* parallel: an input_ entity whose state is meant; SIZE_MAX = none */
    size_t state_count;
    int64_t for_us;
    struct limit above, below;
    size_t *zones;
    size_t zone_count;
    char **ids; /* of triggers */
    size_t id_count;
    struct clock_at after, before;
    bool has_after, has_before, is_after_set, is_before_set; /* ..set: sunset */
    int64_t after_offset_us, before_offset_us;
    bool has_weekdays;
    unsigned weekdays;
    int64_t quiet_us;        /* of our own template: the from_state had lasted that long */
    bool is_taken_to_hold;   /* what cannot be replayed */
    struct purpose_use *use; /* of a purpose-specific one; borrowed from the automation */
};

/* An attribute that something of the automation looks at. */
struct attribute_use {
    char *path; /* where; with line and column */
    int line, column;
    char *name;
    const size_t *entities; /* borrowed */
    size_t entity_count;
    const struct purpose_use *purpose; /* or what its target points at; borrowed; or NULL */
    bool is_noted;
};

enum automation_mode { MODE_SINGLE, MODE_RESTART, MODE_QUEUED, MODE_PARALLEL };

struct automation {
    char *id, *alias;
    struct trigger *triggers;
    size_t trigger_count, trigger_capacity;
    size_t slot_count;
    struct condition *conditions;
    size_t condition_count;
    struct step *steps;
    size_t step_count;
    enum automation_mode mode;
    int64_t max_runs;
    bool is_off;                /* initial_state: false */
    bool needs_location;        /* something of it is the sun's */
    struct dictionary entities; /* keys: ids */
    struct purpose_use **uses;  /* of triggers and conditions, nested ones and actions' too */
    size_t use_count, use_capacity;
    struct attribute_use *attributes;
    size_t attribute_count, attribute_capacity;
    struct automation_note *notes;
    size_t note_count, note_capacity;
};

/* Nothing more than AUTOMATION_NOTES_MAX. Copies the texts. */
void automation_add_note(struct automation *automation, const char *path, int line, int column,
                         const char *what, const char *effect);

/* Notes the attributes that the history does not have. */
void attributes_note_missing(struct automation *automation, const struct timeline *timeline);

void matcher_release(struct matcher *matcher);
void trigger_release(struct trigger *trigger);
void conditions_free(struct condition *conditions, size_t count);

#endif
