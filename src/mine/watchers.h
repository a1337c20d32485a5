/* Who is in a room, as far as its detectors see. Pure; any thread. */
#ifndef HA_AI_MINE_WATCHERS_H
#define HA_AI_MINE_WATCHERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/history.h"

/* What sees people in a device's room. */
struct watchers {
    const struct history_entity **list; /* borrowed from the history */
    size_t count, capacity;
};

/* The detectors of motion, occupancy and presence in an area; none when area is NULL. Release. */
void watchers_find(struct watchers *watchers, const struct history *h, const char *area);
void watchers_release(struct watchers *watchers);

/* Whether one of them saw somebody within [from_ms, to_ms]: was on, or went on. */
bool watchers_saw(const struct watchers *watchers, int64_t from_ms, int64_t to_ms);

/* Whether somebody was there all the time: seen in more than three of four stretches of ten
 * minutes. False when there are fewer than three of these, or nobody watches. */
bool watchers_saw_all_along(const struct watchers *watchers, int64_t from_ms, int64_t to_ms);

/* Whether an entity is of one of these classes (a list that NULL ends): by its device class, or
 * where that is not known by a word of its id. */
bool watchers_has_class(const struct history_entity *entity, const char *const *classes);

#endif
