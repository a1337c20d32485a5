/* The replay of one automation: time, states, timers, runs. Private to replay/.
 *
 * Its clock has microseconds. Whoever asks for the time is told a hair more than the event's own
 * (REPLAY_LATE_US), as on any real machine: no timer comes early, and `for: 5 min` has passed when
 * its timer says so. At equal times states come before timers. */
#ifndef HA_AI_REPLAY_ENGINE_H
#define HA_AI_REPLAY_ENGINE_H

#include "replay/parts.h"
#include "replay/replay.h"

enum {
    REPLAY_LATE_US = 20,
    /* Home Assistant spreads clock triggers over 50 to 500 ms after the full second at random, anew
     * at each start; the middle. */
    REPLAY_SPREAD_US = 275000,
};

/* A state of an entity: row NULL = None (it was removed, or nothing is known yet). */
struct state {
    const struct timeline_series *series;
    const struct timeline_row *row;
};

/* A state_changed event of an entity. */
struct change {
    size_t entity;
    struct state from, to;
};

/* What a trigger listens to: one of its entities. */
struct watch {
    size_t trigger, entity;
    bool is_armed; /* numeric_state: it was outside of the range */
    bool is_out;   /* in this life it is not one that is meant, or that is heard */
    struct waiting *waiting, *newest; /* from the oldest on, which comes first */
};

/* A `for` that has not ended yet. */
struct waiting {
    struct waiting *next;
    struct change change;
    uint64_t timer;
};

struct timer {
    int64_t due_us;
    uint64_t order; /* of setting; names it */
    size_t trigger;
    size_t detail; /* a watch, an index into `at`: the trigger's own */
};

/* A timer of a time trigger: one for each of its times. */
struct slot {
    uint64_t timer;    /* name of the timer that counts */
    int second_of_day; /* of a clock that goes on; -1 = once */
};

#define TIMER_NONE UINT64_MAX

/* Indices of entities, or of watches. */
struct index_list {
    size_t *list; /* NULL: those from `first` on */
    size_t first, count;
};

struct entity_run {
    const struct timeline_series *series; /* NULL: never recorded */
    size_t next;                          /* row to come, while is_watched */
    size_t first_watch, watch_count;      /* in replay.watch_order */
    bool is_watched;
};

struct replay {
    const struct timeline *timeline;
    const struct automation *automation;
    const struct replay_input *input;
    struct replay_fires *out;
    uint32_t index; /* of the automation */

    int64_t now_us;
    int64_t event_ms;     /* when the event began, as it is told */
    uint32_t event_order; /* of its row; UINT32_MAX: rows of that time are all behind us */
    bool *is_approximate; /* set when something five-minute means says was looked at */
    size_t fire_count;
    bool is_cut;
    const struct timeline_run *run; /* the life of Home Assistant that we are in */
    struct entity_run *entities;    /* the automation's, then those that only targets point at */
    size_t entity_count;
    struct dictionary found;       /* keys: ids of the latter */
    struct index_list *targets;    /* by automation.uses: entities; each once */
    struct index_list *of_trigger; /* by trigger: watches */
    struct watch *watches;         /* by trigger, then entity */
    size_t watch_count;
    size_t *watch_order; /* by entity, then trigger */
    size_t *rows;        /* heap of watched entities by their next row */
    size_t row_count;
    struct timer *timers; /* heap */
    size_t timer_count, timer_capacity;
    uint64_t timer_order;
    int64_t instant_ms;     /* of the row that was served last */
    uint64_t instant_order; /* timers from this one on were set since its first row */
    struct slot *slots;     /* of all time triggers */
    int64_t *ends_us;       /* of the runs that may still be running, sorted */
    size_t end_first, end_count, end_capacity;
};

/* Where a trigger is: what conditions may ask about it. */
struct occasion {
    size_t trigger;
    const struct change *change; /* NULL: not of an entity */
};

/* The trigger fired: conditions, mode, and the run that follows. */
void engine_fire(struct replay *r, size_t trigger, const struct change *change);

/* Calls trigger_type.on_timer then; a time that has passed comes at once. Its name. */
uint64_t engine_set_timer(struct replay *r, int64_t due_us, size_t trigger, size_t detail);

/* The slot of that element of `at`. */
struct slot *engine_slot(struct replay *r, size_t trigger, size_t index);

/* Starts a `for` of that watch (helpers/event.py, async_track_same_state). */
void engine_wait(struct replay *r, struct watch *watch, const struct change *change,
                 int64_t for_us);

/* Forgets every `for` of that watch. */
void engine_end_waits(struct watch *watch);

/* The trigger's watches. */
struct watch *engine_watches(struct replay *r, size_t trigger, size_t *count);

/* An entity's state at a time, now or later. */
struct state engine_state(const struct replay *r, size_t entity, int64_t at_us);

/* The state when Home Assistant had started. Where the history begins later than that (the recorder
 * has forgotten the beginning): the first known in that life. Where it is not told when that was:
 * the first within a minute of the life. */
struct state engine_first_state(const struct replay *r, size_t entity);

const char *state_text(const struct replay *r, struct state state);
/* As Python's float() reads it; false when it is no number. */
bool state_number(const struct replay *r, struct state state, double *number);
/* Unavailable or unknown. */
bool state_is_unknown(const struct replay *r, struct state state);
/* Borrowed; NULL also when the attribute is null. */
json_object *state_attribute(const struct replay *r, struct state state, const char *name);
bool state_has_attribute(const struct replay *r, struct state state, const char *name);

/* Its last_changed. */
int64_t state_last_changed_ms(const struct replay *r, struct state state);

/* The one before it, of the same life; row NULL when there is none, or it was removed. */
struct state state_before(const struct replay *r, struct state state);

/* Whether its last_changed is at or before a time: as the one above, but looks no farther. */
bool state_is_since(const struct replay *r, struct state state, int64_t us);

/* --- triggers: a row for each kind --- */

struct parser;

struct trigger_type {
    const char *name;
    /* 0, or -1 with *err. */
    int (*parse)(struct parser *p, json_object *config, struct trigger *trigger);
    void (*attach)(struct replay *r, size_t trigger);                             /* or NULL */
    void (*on_change)(struct replay *r, struct watch *w, const struct change *c); /* or NULL */
    /* Whether a `for` goes on after another change. */
    bool (*is_same)(struct replay *r, const struct trigger *t, const struct change *began,
                    const struct change *now);
    void (*on_timer)(struct replay *r, const struct timer *timer); /* or NULL */
    void (*on_shutdown)(struct replay *r, size_t trigger);         /* or NULL */
};

extern const struct trigger_type trigger_state, trigger_numeric_state, trigger_time,
    trigger_time_pattern, trigger_sun, trigger_sunrise, trigger_sunset, trigger_zone,
    trigger_homeassistant, trigger_purpose;

/* --- conditions --- */

enum verdict {
    VERDICT_FALSE,
    VERDICT_TRUE,
    VERDICT_NONE,     /* disabled: as if it were not there */
    VERDICT_ERROR,    /* ConditionError: neither; and, or, not know what to do with it */
    VERDICT_EXCEPTION /* any other error: goes through everything, nothing runs */
};

struct condition_type {
    const char *name;
    int (*parse)(struct parser *p, json_object *config, struct condition *condition);
    enum verdict (*check)(const struct replay *r, const struct condition *c,
                          const struct occasion *o, int64_t now_us);
};

extern const struct condition_type condition_and, condition_or, condition_not, condition_state,
    condition_numeric_state, condition_time, condition_sun, condition_zone, condition_trigger,
    condition_template, condition_purpose;

enum verdict condition_check(const struct replay *r, const struct condition *c,
                             const struct occasion *o, int64_t now_us);

/* All must hold (an automation's own list). */
bool conditions_pass(const struct replay *r, const struct condition *list, size_t count,
                     const struct occasion *o, int64_t now_us);

/* Shared by trigger and condition: numeric_state of a state; its verdict. */
enum verdict numeric_check(const struct replay *r, struct state state, const char *attribute,
                           const struct limit *above, const struct limit *below, int64_t now_us);

/* Python's ==, of JSON values. */
bool value_equals(json_object *a, json_object *b);

/* Python's float(); false: it is no number. */
bool value_number(json_object *value, double *number);

#endif
