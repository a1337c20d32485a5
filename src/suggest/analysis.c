/* From a history to the object of `analyze --format json`: who did what, mine, judge, write. */
#include "suggest/analysis.h"

#include "mine/miner.h"
#include "suggest/anomaly.h"
#include "suggest/judge.h"
#include "suggest/write.h"

enum { ANALYSIS_SCHEMA = 1, MINING_SHARE = 90 /* percent of the progress */ };

static void tell(const struct analysis_options *options, int percent, const char *phase)
{
    if (options != NULL && options->progress != NULL)
        options->progress(percent, phase, options->progress_ctx);
}

static void tell_mining(int percent, void *ctx)
{
    size_t miner = (size_t)percent * miner_count / 100;
    if (miner >= miner_count)
        miner = miner_count - 1;
    tell(ctx, percent * MINING_SHARE / 100, miners[miner].phase);
}

static void mine_and_judge(const struct mine_input *input, const struct analysis_options *options,
                           json_object *object)
{
    struct mined mined;
    struct judged judged;
    struct anomalies anomalies;
    mine_run(input, &mined);
    tell(options, MINING_SHARE, "testing on days not seen");
    judge_run(input, &mined, &judged);
    write_result(input, &mined, &judged, options->explain, object);
    anomalies_find(input, &judged, &anomalies);
    json_object_object_add(object, "anomalies", anomalies_write(input, &anomalies));
    anomalies_release(&anomalies);
    judged_release(&judged);
    mined_release(&mined);
}

json_object *analysis_run(const struct history *h, const struct analysis_options *options)
{
    struct days days;
    struct restarts restarts;
    struct actors actors;
    struct daylight daylight;
    struct gates gates;
    tell(options, 0, miners[0].phase);
    days_init(&days, h);
    restarts_init(&restarts, h);
    actors_init(&actors, h, &days, &restarts);
    daylight_init(&daylight, h);
    gates_init(&gates, h, &daylight, &days, &actors);
    struct analysis_options copy = {.progress = NULL};
    if (options != NULL)
        copy = *options;
    const struct mine_input input = {.history = h,
                                     .daylight = &daylight,
                                     .days = &days,
                                     .restarts = &restarts,
                                     .actors = &actors,
                                     .gates = &gates,
                                     .progress = tell_mining,
                                     .progress_ctx = &copy,
                                     .threads = copy.threads};
    json_object *object = json_object_new_object();
    json_object_object_add(object, "schema", json_object_new_int(ANALYSIS_SCHEMA));
    if (copy.known == NULL || !copy.review_only)
        mine_and_judge(&input, &copy, object);
    else
        json_object_object_add(object, "history", write_history(&input));
    if (copy.known != NULL)
        json_object_object_add(object, "reviews", review_run(&input, copy.known));
    tell(options, 100, "done");
    gates_release(&gates);
    daylight_release(&daylight);
    actors_release(&actors);
    restarts_release(&restarts);
    days_release(&days);
    return object;
}
