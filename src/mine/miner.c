/* The table of miners, and the correction over all that they looked at. */
#include "mine/miner.h"

#include <math.h>
#include <stdlib.h>

#include "core/parallel.h"
#include "core/xalloc.h"
#include "stats/stats.h"

enum { BATCH_MAX = 512 }; /* actors between two looks at the progress */
/* One question of each device, beside many times and triggers: an even share of the five miners. */
#define LEFT_ON_BUDGET 0.2

enum { OF_ACTS = 1 << ACTOR_SWITCH | 1 << ACTOR_SETTING | 1 << ACTOR_LOCK };

const struct miner miners[] = {
    {"time_of_day", "looking at times of day", OF_ACTS, time_of_day_prepare, time_of_day_release,
     mine_time_of_day, 0},
    {"sun", "looking at the sun", OF_ACTS, sun_prepare, sun_release, mine_sun, 0},
    {"sequence", "looking at what follows what", OF_ACTS, sequence_prepare, sequence_release,
     mine_sequence, 0},
    {"value", "looking at what is chosen", 1 << ACTOR_SETTING_OF_USE, value_of_use_prepare,
     value_of_use_release, mine_value_of_use, 0},
    {"left_on", "looking at what is left on", 1 << ACTOR_SWITCH, NULL, NULL, mine_left_on,
     LEFT_ON_BUDGET},
};
const size_t miner_count = sizeof miners / sizeof *miners;

const char *habit_kind(const struct habit *habit)
{
    if (habit->rule.verb == RULE_SET)
        return "value";
    return habit->rule.trigger.quiet_s > 0 ? "long_quiet" : miners[habit->miner].kind;
}

/* Moves what one actor showed to the end of all. */
static void mined_append(struct mined *all, struct mined *one, size_t miner)
{
    size_t first = all->p_count;
    for (size_t i = 0; i < one->p_count; i++)
        mined_add_p_value(all, one->p_values[i]);
    for (size_t i = 0; i < one->habit_count; i++) {
        one->habits[i].miner = miner;
        one->habits[i].hypothesis += first;
        mined_add_habit(all, &one->habits[i]);
    }
    for (size_t i = 0; i < one->learning_count; i++)
        mined_add_learning(all, &one->learning[i]);
    all->hypotheses_tested += one->hypotheses_tested;
    mined_release(one);
}

/* Some actors of one miner, each on whatever thread is free. */
struct batch {
    const struct mine_input *input;
    const struct miner *miner;
    const void *prepared;
    size_t first; /* actor */
    struct mined mined[BATCH_MAX];
};

static void mine_one(size_t index, void *ctx)
{
    struct batch *batch = ctx;
    size_t actor = batch->first + index;
    if (batch->miner->actors >> batch->input->actors->list[actor].kind & 1U)
        batch->miner->mine(batch->input, batch->prepared, actor, &batch->mined[index]);
}

static void run_miner(const struct mine_input *input, size_t miner, struct mined *out)
{
    const struct miner *row = &miners[miner];
    size_t actors = input->actors->count;
    void *prepared = row->prepare != NULL ? row->prepare(input) : NULL;
    for (size_t done = 0; done < actors;) {
        struct batch batch = {.input = input, .miner = row, .prepared = prepared, .first = done};
        size_t count = actors - done < BATCH_MAX ? actors - done : BATCH_MAX;
        parallel_for(count, mine_one, &batch, input->threads);
        for (size_t i = 0; i < count; i++)
            mined_append(out, &batch.mined[i], miner);
        done += count;
        if (input->progress != NULL)
            input->progress((int)((miner * actors + done) * 100 / (miner_count * actors)),
                            input->progress_ctx);
    }
    if (row->release != NULL)
        row->release(prepared);
}

static bool has_budget(size_t miner, double count, double all)
{
    return count > 0 && miners[miner].budget * all > count;
}

/* Each p-value by its weight: what its share of the budget is over an even one. */
static double *weigh(const struct mined *mined, const size_t *first)
{
    double all = (double)mined->p_count, rest = all, left = 1;
    double *weighted = xcalloc(mined->p_count, sizeof *weighted);
    for (size_t i = 0; i < miner_count; i++) {
        double count = (double)(first[i + 1] - first[i]);
        if (has_budget(i, count, all)) {
            rest -= count;
            left -= miners[i].budget;
        }
    }
    for (size_t i = 0; i < miner_count; i++) {
        double count = (double)(first[i + 1] - first[i]);
        double weight =
            has_budget(i, count, all) ? miners[i].budget * all / count : left * all / fmax(rest, 1);
        for (size_t k = first[i]; k < first[i + 1]; k++)
            weighted[k] = fmin(mined->p_values[k] / weight, 1);
    }
    return weighted;
}

/* The hypotheses from..to-1 are those of one miner. */
static void correct(struct mined *mined, const size_t *first)
{
    double *all = xcalloc(mined->p_count, sizeof *all), *own = xcalloc(mined->p_count, sizeof *own);
    double *weighted = weigh(mined, first);
    stats_benjamini_hochberg(weighted, all, mined->p_count);
    for (size_t i = 0; i < miner_count; i++)
        stats_benjamini_hochberg(mined->p_values + first[i], own + first[i],
                                 first[i + 1] - first[i]);
    for (size_t i = 0; i < mined->habit_count; i++) {
        struct habit *habit = &mined->habits[i];
        habit->q_value = fmax(all[habit->hypothesis], own[habit->hypothesis]);
    }
    free(weighted);
    free(all);
    free(own);
}

void mine_run(const struct mine_input *input, struct mined *out)
{
    *out = (struct mined){.habits = NULL};
    size_t *first = xcalloc(miner_count + 1, sizeof *first);
    for (size_t i = 0; i < miner_count; i++) {
        run_miner(input, i, out);
        first[i + 1] = out->p_count;
    }
    correct(out, first);
    free(first);
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
