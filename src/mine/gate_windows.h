/* Between which times of day cases are followed. Pure; any thread. */
#ifndef HA_AI_MINE_GATE_WINDOWS_H
#define HA_AI_MINE_GATE_WINDOWS_H

#include "mine/gate_weights.h"

enum {
    GATE_WINDOW_BINS_MIN = 2, /* an hour */
    GATE_WINDOW_BINS_MAX = 40,
    GATE_WINDOWS = GATES_BIN_COUNT * (GATE_WINDOW_BINS_MAX - GATE_WINDOW_BINS_MIN + 1),
};

/* The median of a distribution over 0..count-1, given by weights of any sum. */
int gate_median(const double *weights, int count);

/* The window around which all lie that tell: its ends are the medians of theirs. *log_sum is the ln
 * of how many windows tell as well as the best, each weighed by its odds before looking over an
 * even share of all; it may be negative. False when there is none. */
bool gate_window_find(const struct gate_view *view, struct rule_condition *window, double *log_sum);

#endif
