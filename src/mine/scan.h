/* The scan statistic: is there a narrow time of day at which acts happen on more days than any
 * broad daily profile explains? Pure.
 *
 * The null model. Use without a habit follows a daily profile whose bumps are at least three hours
 * wide (full width at half height), whatever their shape, with days independent. At no instant is
 * such a bump denser than one third of its acts within the five hours around, per hour: a box of
 * three hours reaches exactly that; a Gaussian, a raised cosine, a triangle and an exponential of
 * that width stay below (docs/miner.md). So on a day with acts in those five hours, the nearest act
 * lies within r of a given time with probability <= 2 r x acts / days / 3 h (the union bound: no
 * assumption on how the acts of one day hang together). Acts that follow each other within minutes
 * are one episode: it counts once, and its length widens r.
 *
 * What a device's state hides. While it is on, nobody can switch it on: of many uses in an evening
 * only the first may show, and that is narrower than the uses. So the density is also at least what
 * is seen in the three hours after, per hour in which the device was free to be switched.
 *
 * The statistic. Each day scores 1 - (distance / reach)^2 for its nearest act, 0 beyond the reach:
 * a window with soft edges, near the likelihood ratio for a normal distribution and blind to
 * outliers. The sum over days has an exact distribution under the bound above.
 *
 * Choosing is paid for: every candidate is centred on an act and judged by the other days alone;
 * the smallest probability counts once per clump of acts and per reach. */
#ifndef HA_AI_MINE_SCAN_H
#define HA_AI_MINE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An act by its time of day. */
struct scan_act {
    int second; /* 0..86399 */
    int day;    /* any */
    bool taken; /* explained already: not looked for, but part of the profile around */
    int gap_s;  /* since the act before it in the same episode; 0 = begins one */
};

enum { SCAN_STEP_S = 900, SCAN_STEP_COUNT = 86400 / SCAN_STEP_S };

struct scan_window {
    double p_value; /* paid for; 1 when there is nothing */
    int center;     /* second of the day */
    int reach_s;    /* on either side */
    int days;       /* with an act inside */
};

struct scan_input {
    const struct scan_act *acts; /* any order */
    size_t count;
    const bool *eligible; /* by day, 0..day_count-1 */
    int day_count;
    /* By day and step: how many seconds of each quarter of an hour the device was in the other
     * state; NULL = not looked at. */
    const uint16_t *free_s;
    int from, to; /* only what lies from..to-1 can be the middle of a window */
};

/* An act near midnight counts for the day of the time that it is compared with. */
struct scan_window scan_find(const struct scan_input *input);

#endif
