/* How it was before a rule began to act: what a change is measured by. */
#include <math.h>
#include <stdlib.h>

#include "core/json.h"
#include "core/order.h"
#include "stats/stats.h"
#include "suggest/review_parts.h"

enum {
    USUAL_FIRES_MIN = 7,  /* before it was deployed: with fewer the back-test is asked */
    USUAL_FIRES_MAX = 90, /* the last ones */
    SPREAD_LEAST_S = 180,
    SPREAD_MOST_S = 30 * 60,
    SPREAD_UNKNOWN_S = 10 * 60,
};
#define UNDONE_LEAST 0.05
#define UNDONE_MOST 0.40

struct before {
    int fires, hits, idle, strays, near_count;
    int near_s[USUAL_FIRES_MAX]; /* how far from the fire the act was, either way */
};

/* The act nearest to a fire, within the hour. */
static bool find_nearest(const struct acts *acts, int64_t time_ms, int64_t *offset_ms)
{
    size_t next = acts_find(acts->list, acts->count, time_ms);
    int64_t best_ms = INT64_MAX;
    if (next < acts->count)
        best_ms = acts->list[next].time_ms - time_ms;
    if (next > 0 && time_ms - acts->list[next - 1].time_ms < best_ms)
        best_ms = acts->list[next - 1].time_ms - time_ms;
    *offset_ms = best_ms;
    return llabs(best_ms) <= BACKTEST_RECALL_MS;
}

static void look_before(const struct review *review, int64_t time_ms, struct before *before)
{
    const struct backtest_input on = review_backtest_of(review);
    int64_t reach_ms = review_is_of_state(review) ? BACKTEST_STATE_MS : BACKTEST_HIT_MS, offset_ms;
    bool is_near = find_nearest(&review->actor.acts[review->verb], time_ms, &offset_ms);
    bool is_hit = is_near && llabs(offset_ms) <= reach_ms;
    bool was_so = backtest_was_in_state(&on, review->verb, time_ms);
    before->fires++;
    before->hits += is_hit;
    before->idle += !is_hit && was_so;
    before->strays +=
        !is_hit && review_find_hand_before(&review->actor.acts[review->verb], time_ms) != 0;
    if (is_near)
        before->near_s[before->near_count++] = (int)(llabs(offset_ms) / 1000);
}

/* What analyze said of it. */
static void take_backtest(const struct review *review, struct before *before, double *spread_s)
{
    json_object *suggestion = review->known->suggestion;
    json_object *backtest = json_get_object(suggestion, "backtest");
    *spread_s = 60 * json_get_double(json_get_object(suggestion, "evidence"), "spread_minutes", 0);
    if (backtest == NULL || before->fires >= USUAL_FIRES_MIN)
        return;
    before->hits += (int)json_get_int(backtest, "hits", 0);
    before->idle += (int)json_get_int(backtest, "idle", 0);
    before->fires += (int)json_get_int(backtest, "fires", 0);
}

static double clamp(double value, double low, double high)
{
    return fmin(fmax(value, low), high);
}

void review_find_usual(struct review *review, struct fires fires)
{
    struct before before = {0};
    double spread_s;
    size_t end = order_find(fires.time_ms, fires.count, review->known->since_ms);
    for (size_t i = end > USUAL_FIRES_MAX ? end - USUAL_FIRES_MAX : 0; i < end; i++)
        if (days_role(review->input->days, review_day_of(review, fires.time_ms[i])) !=
            DAY_INCOMPLETE)
            look_before(review, fires.time_ms[i], &before);
    bool is_seen = before.near_count >= USUAL_FIRES_MIN;
    take_backtest(review, &before, &spread_s);
    int tries = before.fires - before.idle, wrong = tries - before.hits;
    if (is_seen) /* of a normal distribution, from the median distance */
        spread_s = 1.4826 * stats_median(before.near_s, before.near_count);
    else if (spread_s <= 0)
        spread_s = SPREAD_UNKNOWN_S;
    review->usual = (struct review_usual){
        .kept = clamp(stats_beta_mean(before.hits, tries, 2, 1), .3, .97),
        .undone = clamp(stats_beta_mean(wrong, tries, 1, 2), UNDONE_LEAST, UNDONE_MOST),
        .idle = clamp(stats_beta_mean(before.idle, before.fires, 1, 2) + .2, .5, .85),
        .stray = clamp(stats_beta_mean(before.strays, before.fires, 1, 9), .03, .3),
        .spread_s = clamp(spread_s, SPREAD_LEAST_S, SPREAD_MOST_S),
    };
}
