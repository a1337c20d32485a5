/* Histories made by hand, in the home's local time. */
#ifndef MADE_HISTORY_H
#define MADE_HISTORY_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "model/history.h"
#include "model/rule.h"

/* A history of one zone; the recorder covers day_count local days from first_day on. */
static inline void made_init(struct history *h, const struct tz *zone, int64_t first_day,
                             int day_count)
{
    history_init(h);
    h->tz = zone;
    h->covered = xcalloc(1, sizeof *h->covered);
    h->covered_count = h->covered_capacity = 1;
    h->covered[0] = (struct history_span){tz_day_start(zone, first_day) * 1000,
                                          tz_day_start(zone, first_day + day_count) * 1000};
    h->from_ms = h->covered[0].from_ms;
    h->to_ms = h->covered[0].to_ms;
}

static inline struct history_entity *made_entity(struct history *h, const char *entity_id)
{
    h->entities =
        grow_array(h->entities, h->entity_count, &h->entity_capacity, sizeof *h->entities);
    struct history_entity *e = &h->entities[h->entity_count++];
    *e = (struct history_entity){.entity_id = xstrdup(entity_id), .name = xstrdup(entity_id)};
    return e;
}

static inline void made_change_ms(struct history *h, struct history_entity *e, int64_t time_ms,
                                  int state, int cause)
{
    size_t capacity = e->capacity;
    e->time_ms = grow_array(e->time_ms, e->changes, &capacity, sizeof *e->time_ms);
    capacity = e->capacity;
    e->state = grow_array(e->state, e->changes, &capacity, sizeof *e->state);
    e->cause = grow_array(e->cause, e->changes, &e->capacity, sizeof *e->cause);
    e->time_ms[e->changes] = time_ms;
    e->state[e->changes] = (uint16_t)state;
    e->cause[e->changes++] = (uint8_t)cause;
    e->rows++;
    h->state_changes++;
}

/* The index of one more state. */
static inline uint16_t made_state(struct history *h, const char *word)
{
    h->states = grow_array(h->states, h->state_count, &h->state_capacity, sizeof *h->states);
    h->states[h->state_count] = xstrdup(word);
    return (uint16_t)h->state_count++;
}

/* A value that an attribute was set to. */
static inline void made_value_ms(struct history_entity *e, int64_t time_ms, int attribute,
                                 double value, int cause)
{
    e->values = grow_array(e->values, e->value_count, &e->value_capacity, sizeof *e->values);
    e->values[e->value_count++] =
        (struct history_value){time_ms, value, (uint8_t)attribute, (uint8_t)cause, false};
}

/* A change at a local wall-clock time; a second outside 0..86399 lies on a neighbouring day. */
static inline void made_change(struct history *h, struct history_entity *e, int64_t day, int second,
                               int state, int cause)
{
    for (; second < 0; day--)
        second += 86400;
    for (; second >= 86400; day++)
        second -= 86400;
    made_change_ms(h, e, tz_to_utc(h->tz, day, second) * 1000, state, cause);
}

/* Someone uses it: on at that time, off `length` seconds later; about so when these are whole
 * minutes, for always the same would be a timer's. */
static inline void made_use(struct history *h, struct history_entity *e, int64_t day, int second,
                            int length)
{
    int more = length % 60 == 0 ? (int)(day * 37 % 41 - 20) * (length < 600 ? 1 : 3) : 0;
    made_change(h, e, day, second, HISTORY_STATE_ON, CAUSE_PHYSICAL);
    made_change(h, e, day, second + length + more, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
}

/* Turns light.a on at a time of those days. */
static inline struct rule made_lamp_rule(int second, unsigned weekdays)
{
    static const char *const targets[] = {"light.a"};
    return (struct rule){.trigger = {.second = second},
                         .weekdays = weekdays,
                         .entity_ids = targets,
                         .entity_count = 1,
                         .verb = RULE_TURN_ON};
}

/* 0 = Monday. */
static inline int made_weekday(int64_t day)
{
    return (int)((day + 3) % 7);
}

static inline double made_uniform(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*seed >> 11) / 9007199254740992.0;
}

static inline double made_normal(uint64_t *seed)
{
    double u = made_uniform(seed), v = made_uniform(seed);
    return sqrt(-2 * log(u + 1e-300)) * cos(6.283185307179586 * v);
}

/* Of mean 1. */
static inline double made_exponential(uint64_t *seed)
{
    return -log(1 - made_uniform(seed));
}

#endif
