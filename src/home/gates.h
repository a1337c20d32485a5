/* What habits hang on besides their time or trigger. */
#ifndef HA_AI_HOME_GATES_H
#define HA_AI_HOME_GATES_H

#include "home/today.h"

/* Whether a habit's act may happen at a time. Presence needs people_draw() before. */
bool gate_is_open(const struct today *today, const struct home_habit *habit, int64_t time_us);

/* The same as HA sees it. */
bool gate_is_seen_open(const struct today *today, const struct home_habit *habit, int64_t time_us);

/* Modes of a day: when people tell HA so, at most GATES_SPANS_MAX a day, in order, apart, over by
 * two in the night. */
enum { GATES_SPANS_MAX = 2 };
struct mode_span {
    int64_t from_us, to_us;
    int32_t word;
};
int gates_find_spans(const struct today *today, size_t mode, struct mode_span *out);

/* Adds what people tell HA about this day. */
void gates_collect_modes(struct today *today);

#endif
