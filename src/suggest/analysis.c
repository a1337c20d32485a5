/* From a history to the object of `analyze --format json`: who did what, mine, judge, write. */
#include "suggest/analysis.h"

#include "core/json.h"
#include "mine/miner.h"
#include "suggest/anomaly.h"
#include "suggest/judge.h"
#include "suggest/overlap.h"
#include "suggest/safety.h"
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

/* What was read of Home Assistant's own automations. */
static json_object *write_existing(const struct existing_list *list)
{
    json_object *object = json_object_new_object();
    json_add_int(object, "read", (int64_t)list->read);
    json_add_int(object, "disabled", (int64_t)list->disabled);
    json_add_int(object, "replayed", (int64_t)(list->count - list->unreplayable));
    json_add_int(object, "looked_at_only", (int64_t)list->unreplayable);
    json_add_int(object, "invalid", (int64_t)list->invalid);
    if (list->problem[0] != '\0')
        json_add_string(object, "problem", list->problem);
    return object;
}

json_object *analysis_run(const struct history *h, const struct analysis_options *options)
{
    struct days days;
    struct restarts restarts;
    struct actors actors;
    struct daylight daylight;
    struct gates gates;
    struct mined mined;
    struct judged judged;
    struct anomalies anomalies;
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
    mine_run(&input, &mined);
    tell(options, MINING_SHARE, "testing on days not seen");
    judge_run(&input, &mined, &judged);
    struct overlap *overlaps =
        copy.existing != NULL ? overlaps_find(&input, copy.existing, &judged) : NULL;
    json_object *object = json_object_new_object();
    json_object_object_add(object, "schema", json_object_new_int(ANALYSIS_SCHEMA));
    write_result(&input, &mined, &judged, copy.explain, object);
    size_t removed = safety_filter(object); /* whatever the judge let through */
    if (removed > 0)
        json_add_int(json_get_object(object, "dropped"), "unsafe", (int64_t)removed);
    anomalies_find(&input, &judged, &anomalies);
    json_object_object_add(object, "anomalies", anomalies_write(&input, &anomalies));
    if (copy.existing != NULL)
        json_object_object_add(object, "automations", write_existing(copy.existing));
    tell(options, 100, "done");
    overlaps_free(overlaps);
    anomalies_release(&anomalies);
    judged_release(&judged);
    mined_release(&mined);
    gates_release(&gates);
    daylight_release(&daylight);
    actors_release(&actors);
    restarts_release(&restarts);
    days_release(&days);
    return object;
}
