/* All windows are compared by sums over half hours, at fixed rates: their gains differ as these do,
 * more or less, so that only the chosen one's need be computed. */
#include "mine/gate_windows.h"

#include <math.h>
#include <string.h>

enum {
    HALF = GATES_BIN_COUNT / 2,
    /* Those that begin or end at midnight. */
    ONE_SIDED = 2 * (GATE_WINDOW_BINS_MAX - GATE_WINDOW_BINS_MIN + 1),
};
/* Half of what a window has before looking is for those of one number: "after eight", "until noon".
 */
#define ONE_SIDED_SHARE 0.5

int gate_median(const double *weights, int count)
{
    double sum = 0, half = 0;
    for (int i = 0; i < count; i++)
        half += weights[i] / 2;
    int at = 0;
    while (at < count - 1 && (sum += weights[at]) < half)
        at++;
    return at;
}

/* By half hour: ln of how what happened there speaks for a window that holds it, at the rates of a
 * habit that is kept and of other use; each day counts once. */
static void profile_hours(const struct gate_view *view, double score[GATES_BIN_COUNT])
{
    const struct gate_question *q = view->question;
    double usual = gate_usual(q),
           kept = GATE_KEPT_FOLLOWED / (GATE_KEPT_FOLLOWED + GATE_KEPT_IGNORED);
    double for_it = log(kept / usual), against = log((1 - kept) / (1 - usual));
    memset(score, 0, GATES_BIN_COUNT * sizeof *score);
    for (size_t i = 0; i < q->count;) {
        double n = 0, followed = 0;
        int day = q->cases[i].day, bin = q->cases[i].bin;
        for (; i < q->count && q->cases[i].day == day && q->cases[i].bin == bin; i++) {
            n += view->active[i];
            followed += view->active[i] && q->cases[i].followed;
        }
        if (n > 0)
            score[bin] += (followed * for_it + (n - followed) * against) / n;
    }
}

static int wrap(int bin)
{
    return (bin % GATES_BIN_COUNT + GATES_BIN_COUNT) % GATES_BIN_COUNT;
}

/* Bins begin..begin+length-1, round the clock. */
struct window {
    int begin, length;
    double prior; /* ln, over an even share of what all have before looking */
    double score; /* ln, with the prior */
};

static void visit_windows(const double score[GATES_BIN_COUNT],
                          void (*visit)(const struct window *window, void *ctx), void *ctx)
{
    const double two_sided = log(1 - ONE_SIDED_SHARE);
    const double one_sided = log(1 - ONE_SIDED_SHARE + ONE_SIDED_SHARE * GATE_WINDOWS / ONE_SIDED);
    for (int begin = 0; begin < GATES_BIN_COUNT; begin++) {
        double sum = 0;
        for (int length = 1; length <= GATE_WINDOW_BINS_MAX; length++) {
            sum += score[wrap(begin + length - 1)];
            if (length < GATE_WINDOW_BINS_MIN)
                continue;
            bool is_one_sided = begin == 0 || begin + length == GATES_BIN_COUNT;
            double prior = is_one_sided ? one_sided : two_sided;
            visit(&(struct window){begin, length, prior, sum + prior}, ctx);
        }
    }
}

/* What all windows say of begin and end, as they lie from the best one's on. */
struct window_sums {
    struct window best;
    double begin[GATES_BIN_COUNT], end[GATES_BIN_COUNT], all;
};

static void find_best(const struct window *window, void *ctx)
{
    struct window_sums *sums = ctx;
    if (window->score > sums->best.score)
        sums->best = *window;
}

static void add_window(const struct window *window, void *ctx)
{
    struct window_sums *sums = ctx;
    double weight = exp(window->score - sums->best.score);
    int begin = window->begin - sums->best.begin;
    int end = begin + window->length - sums->best.length;
    sums->begin[wrap(begin + HALF)] += weight;
    sums->end[wrap(end + HALF)] += weight;
    sums->all += weight;
}

bool gate_window_find(const struct gate_view *view, struct rule_condition *window, double *log_sum)
{
    double score[GATES_BIN_COUNT];
    struct window_sums sums = {.all = 0};
    profile_hours(view, score);
    visit_windows(score, find_best, &sums);
    if (sums.best.length == 0)
        return false;
    visit_windows(score, add_window, &sums);
    int begin = sums.best.begin + gate_median(sums.begin, GATES_BIN_COUNT) - HALF;
    int end = sums.best.begin + sums.best.length + gate_median(sums.end, GATES_BIN_COUNT) - HALF;
    *window = (struct rule_condition){.kind = RULE_WHEN_TIME,
                                      .from_s = wrap(begin) * GATES_BIN_S,
                                      .to_s = wrap(end) * GATES_BIN_S};
    *log_sum = log(sums.all) + sums.best.prior;
    return window->from_s != window->to_s;
}
