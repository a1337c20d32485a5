/* Local wall time as Python's datetime and Home Assistant's util/dt.py have it, gaps and doubled
 * hours included (PEP 495). Pure. */
#ifndef HA_AI_REPLAY_WALL_H
#define HA_AI_REPLAY_WALL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tz.h"

/* What clock and calendar show: seconds since 1970-01-01T00:00 by the wall clock. */
struct wall {
    int64_t s;
    int fold; /* 1 = the second of two equal wall times */
};

/* Which seconds, minutes and hours match: a bit each. None may be empty. */
struct wall_pattern {
    uint64_t seconds, minutes;
    uint32_t hours;
};

struct wall wall_from_utc(const struct tz *tz, int64_t utc_s);

/* As datetime.timestamp(): a time in a gap is taken with the offset before (fold 0) or after it. */
int64_t wall_to_utc(const struct tz *tz, struct wall wall);

/* Whether the clocks ever show it, and whether they show it twice. */
bool wall_exists(const struct tz *tz, struct wall wall);
bool wall_is_ambiguous(const struct tz *tz, struct wall wall);

/* find_next_time_expression_time: the first match at or after now (its second included). A time
 * that is skipped comes the next day, one that is doubled comes twice. */
struct wall wall_next_match(const struct tz *tz, struct wall now,
                            const struct wall_pattern *pattern);

#endif
