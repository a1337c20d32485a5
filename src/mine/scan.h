/* The scan statistic: is there a narrow time of day at which acts happen on more days than any
 * broad daily profile explains? Pure.
 *
 * The null model. Use without a habit follows a daily profile whose bumps are at least three hours
 * wide (full width at half height), whatever their shape, with days independent. No such bump puts
 * more than width / 3 h of what it has within five hours around into a window: a box of three hours
 * reaches exactly that, a Gaussian, a raised cosine, a triangle and an exponential of that width
 * stay below it (docs/miner.md). So a day that saw acts in those five hours hits the window with
 * probability <= p = acts / days x width / 3 h (the union bound: no assumption on how the acts of
 * one day hang together), and the days with a hit are at most Binomial(days, p).
 *
 * Choosing the window is paid for: every candidate begins at an act and is judged by the days other
 * than that act's own; the smallest probability counts once per act, and per width by what that
 * width can attain. */
#ifndef HA_AI_MINE_SCAN_H
#define HA_AI_MINE_SCAN_H

#include <stddef.h>

/* An act by its time of day, on an eligible day. */
struct scan_act {
    int second; /* 0..86399 */
    int day;    /* 0..day_count-1 */
};

struct scan_window {
    double p_value; /* paid for; 1 when there is nothing */
    int center;     /* second of the day */
    int width_s;
    int days; /* with an act inside */
};

/* Scans acts (any order). day_count bounds the day indices. */
struct scan_window scan_find(const struct scan_act *acts, size_t count, int day_count);

#endif
