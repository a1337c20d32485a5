/* Clock or sun? A habit at sunset also shows at some times of the clock, and one of the clock at
 * some offsets from the sun. Of two habits that explain the same acts the more probable one stays.
 * Pure. */
#ifndef HA_AI_MINE_CHOOSE_H
#define HA_AI_MINE_CHOOSE_H

#include <stdbool.h>
#include <stddef.h>

#include "mine/miner.h"

struct choice {
    bool dropped;     /* another habit explains its acts, and is more probable */
    size_t rival;     /* index of the most probable habit that it overlaps and that follows the
                         other one (clock, sunrise, sunset); SIZE_MAX = none is proven: then a
                         rule of the sun is compared with the clock as such */
    double posterior; /* probability of this habit against that; 1 without any */
};

/* Below this probability of the winner the days cannot tell yet, and the wording says so. */
#define CHOOSE_SURE 0.95

/* Compares the time and sun habits of each actor and verb, those with q_value <= MINE_Q_MAX: the
 * others, and habits of other kinds, neither drop nor are dropped. mined is what mine_run gave for
 * input; out has room for mined->habit_count, in its order. Any thread. */
void choose_clock_or_sun(const struct mine_input *input, const struct mined *mined,
                         struct choice *out);

/* Whether the habit stands although its rival is nearly as probable. */
static inline bool choice_is_open(const struct choice *choice)
{
    return !choice->dropped && choice->posterior < CHOOSE_SURE;
}

#endif
