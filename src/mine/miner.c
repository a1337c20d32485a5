/* The table of miners, and the correction over all that they looked at. */
#include "mine/miner.h"

#include <stdlib.h>

#include "core/xalloc.h"
#include "stats/stats.h"

const struct miner miners[] = {
    {"time_of_day", mine_time_of_day},
};
const size_t miner_count = sizeof miners / sizeof *miners;

void mine_run(const struct mine_input *input, struct mined *out)
{
    *out = (struct mined){.habits = NULL};
    for (size_t i = 0; i < miner_count; i++)
        miners[i].mine(input, out);
    double *q_values = xcalloc(out->p_count, sizeof *q_values);
    stats_benjamini_hochberg(out->p_values, q_values, out->p_count);
    for (size_t i = 0; i < out->habit_count; i++)
        out->habits[i].q_value = q_values[out->habits[i].hypothesis];
    free(q_values);
}

void mined_release(struct mined *mined)
{
    free(mined->habits);
    free(mined->learning);
    free(mined->p_values);
    *mined = (struct mined){.habits = NULL};
}

size_t mined_add_p_value(struct mined *mined, double p)
{
    mined->p_values = grow_array(mined->p_values, mined->p_count, &mined->p_capacity, sizeof p);
    mined->p_values[mined->p_count] = p;
    return mined->p_count++;
}

void mined_add_habit(struct mined *mined, const struct habit *habit)
{
    mined->habits =
        grow_array(mined->habits, mined->habit_count, &mined->habit_capacity, sizeof *habit);
    mined->habits[mined->habit_count++] = *habit;
}

void mined_add_learning(struct mined *mined, const struct learning *learning)
{
    mined->learning = grow_array(mined->learning, mined->learning_count, &mined->learning_capacity,
                                 sizeof *learning);
    mined->learning[mined->learning_count++] = *learning;
}
