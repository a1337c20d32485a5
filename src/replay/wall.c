#include "replay/wall.h"

#include <assert.h>

enum { DAY_S = 86400, HOUR_S = 3600, MINUTE_S = 60 };

static int64_t to_wall_s(const struct tz *tz, int64_t utc_s)
{
    return utc_s + tz_offset_s(tz, utc_s);
}

/* CPython's datetime._mktime. */
int64_t wall_to_utc(const struct tz *tz, struct wall wall)
{
    int64_t offset = to_wall_s(tz, wall.s) - wall.s;
    int64_t first = wall.s - offset;
    bool is_first_right = to_wall_s(tz, first) == wall.s;
    int64_t other;
    if (is_first_right) {
        int64_t beside = first + (wall.fold ? DAY_S : -DAY_S);
        other = to_wall_s(tz, beside) - beside;
        if (other == offset)
            return first;
    } else {
        other = to_wall_s(tz, first) - first;
    }
    int64_t second = wall.s - other;
    if (to_wall_s(tz, second) == wall.s)
        return second;
    if (is_first_right)
        return first;
    return (first > second) == (wall.fold == 0) ? first : second;
}

struct wall wall_from_utc(const struct tz *tz, int64_t utc_s)
{
    struct wall wall = {.s = to_wall_s(tz, utc_s)};
    wall.fold = wall_to_utc(tz, wall) != utc_s;
    return wall;
}

bool wall_exists(const struct tz *tz, struct wall wall)
{
    return to_wall_s(tz, wall_to_utc(tz, wall)) == wall.s;
}

bool wall_is_ambiguous(const struct tz *tz, struct wall wall)
{
    struct wall opposite = {wall.s, !wall.fold};
    return wall_exists(tz, wall) && wall_to_utc(tz, wall) != wall_to_utc(tz, opposite);
}

/* The lowest bit at or above from; -1 when there is none. */
static int lowest_bit(uint64_t bits, int from)
{
    bits = from > 63 ? 0 : bits >> from << from;
    return bits == 0 ? -1 : __builtin_ctzll(bits);
}

/* The first match at or after a wall time, as if no clock were ever changed. */
static int64_t next_plain(int64_t s, const struct wall_pattern *p)
{
    int64_t day = s >= 0 ? s / DAY_S : -((-s + DAY_S - 1) / DAY_S);
    int clock = (int)(s - day * DAY_S);
    int hour = clock / HOUR_S, minute = clock / MINUTE_S % 60, second = clock % 60;
    int second_0 = lowest_bit(p->seconds, 0), minute_0 = lowest_bit(p->minutes, 0);

    second = lowest_bit(p->seconds, second);
    if (second < 0)
        minute++;
    int next = lowest_bit(p->minutes, minute);
    if (second < 0 || next != minute)
        second = second_0;
    if (next < 0)
        hour++;
    minute = next < 0 ? minute_0 : next;
    next = lowest_bit(p->hours, hour);
    if (next != hour) {
        minute = minute_0;
        second = second_0;
    }
    if (next < 0) {
        day++;
        next = lowest_bit(p->hours, 0);
    }
    return day * DAY_S + next * HOUR_S + minute * MINUTE_S + second;
}

/* Where the second of the two equal hours begins, one of which the ambiguous time lies in. */
static struct wall second_fold_start(const struct tz *tz, int64_t s)
{
    int64_t low = wall_to_utc(tz, (struct wall){s, 0});
    int64_t high = wall_to_utc(tz, (struct wall){s, 1});
    int first_offset_s = tz_offset_s(tz, low);
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (tz_offset_s(tz, middle) == first_offset_s)
            low = middle;
        else
            high = middle;
    }
    return (struct wall){to_wall_s(tz, high), 1};
}

struct wall wall_next_match(const struct tz *tz, struct wall now,
                            const struct wall_pattern *pattern)
{
    assert(pattern->seconds != 0 && pattern->minutes != 0 && pattern->hours != 0);
    for (;;) {
        struct wall result = {next_plain(now.s, pattern), 0};
        if (!wall_exists(tz, result)) {
            now = (struct wall){result.s + 1, 0};
            continue;
        }
        if (!wall_is_ambiguous(tz, now))
            return result;
        if (wall_is_ambiguous(tz, result)) {
            result.fold = now.fold;
            return result;
        }
        if (now.fold == 0) {
            struct wall again = wall_next_match(tz, second_fold_start(tz, now.s), pattern);
            if (wall_is_ambiguous(tz, again))
                return (struct wall){again.s, 1};
        }
        return result;
    }
}
