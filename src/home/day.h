/* What wants to happen in a home on one local day. Follows from the plan and the day alone: any day
 * can be asked for, again, and after the end of a history (a home that lives on). */
#ifndef HA_AI_HOME_DAY_H
#define HA_AI_HOME_DAY_H

#include <stddef.h>
#include <stdint.h>

#include "core/tz.h"
#include "home/plan.h"

enum home_wish_kind {
    WISH_BEGIN,   /* somebody or something switches an entity on: a use begins */
    WISH_END,     /* that use ends */
    WISH_SET,     /* the entity has this value from now on, whatever it had */
    WISH_RULE,    /* an automation's time has come; value = index of the rule */
    WISH_READING, /* a sensor has a value; of a climate: how warm it is, in tenths of a degree */
    WISH_ADJUST,  /* somebody gives an entity a level; of use `use` only, if it is not 0 */
    WISH_SCENE,   /* somebody activates a scene */
    WISH_NOTE, /* nothing happens: what became of a habit's occasion, value = enum home_outcome */
    WISH_DEPLOYED, /* a deployed automation acts */
    WISH_UNDO,     /* somebody reverses that; value = what it is to be, use = whose it is then */
    WISH_DROPOUT,  /* an entity is unreachable for duration_us */
    WISH_RESTART,  /* HA stops and starts again duration_us later */
    WISH_CRASH,    /* the same, without a clean stop */
};

enum home_cause {
    HOME_BY_PERSON,     /* in HA: context with a user */
    HOME_BY_SWITCH,     /* on the wall: neither user nor parent */
    HOME_BY_MACHINE,    /* a device's own timer: neither */
    HOME_BY_AUTOMATION, /* parent, or the context of an automation_triggered event */
    HOME_BY_SYSTEM,     /* detectors, sensors, starts: neither */
    HOME_CAUSE_COUNT
};

/* What becomes of an occasion for a habit's act: its time, or its trigger. */
enum home_outcome {
    HOME_ACTED,
    HOME_OMITTED, /* not this time */
    HOME_CLOSED,  /* what it hangs on besides did not hold */
    HOME_BUSY,    /* the device was in use already */
    HOME_OUTCOME_COUNT
};

struct home_wish {
    int64_t time_us; /* UTC */
    uint64_t use;    /* which use begins or ends; 0: none */
    uint32_t entity;
    int32_t value;
    uint32_t duration_s;
    int16_t habit;  /* index of the habit whose act this is, or -1 */
    uint8_t kind;   /* enum home_wish_kind */
    uint8_t cause;  /* enum home_cause */
    uint8_t person; /* who, when a person does it in HA */
    uint8_t step;   /* as in home_use */
    uint8_t scene;
    int16_t level;
    int16_t kelvin;
};

struct home_wishes {
    struct home_wish *items;
    size_t count, capacity;
};

enum { HOME_WISHES_MAX = 50 * 1000 * 1000 }; /* a day's; more is a bug */

/* Seconds between two readings of each sensor; NULL: no readings. */
struct home_pace {
    double seconds_per_reading; /* of a sensor with share 1 */
};

/* Adds everything that begins on that local day (ends may lie on the next one), unsorted. */
void home_day_collect(const struct home *home, const struct tz *tz, int64_t local_day,
                      struct home_wishes *wishes);

/* Adds the readings of all sensors of that local day. */
void home_day_collect_readings(const struct home *home, const struct tz *tz, int64_t local_day,
                               const struct home_pace *pace, struct home_wishes *wishes);

void home_wishes_add(struct home_wishes *wishes, const struct home_wish *wish);

/* By time; equal times by entity and kind, so that the order is the same everywhere. */
void home_wishes_sort(struct home_wishes *wishes);
void home_wishes_release(struct home_wishes *wishes);

#endif
