#include "mine/scan.h"

#include <math.h>
#include <stdlib.h>

#include "core/xalloc.h"
#include "stats/stats.h"

static const int scan_widths_s[] = {15 * 60, 30 * 60, 60 * 60};
enum {
    WIDTH_COUNT = sizeof scan_widths_s / sizeof *scan_widths_s,
    PROFILE_WIDTH_S = 3 * 3600, /* the narrowest bump of a profile without a habit */
    AROUND_S = 5 * 3600,        /* the neighbourhood that a window is compared with */
    STEP_S = 900,               /* of the neighbourhood's position */
    STEP_COUNT = STATS_DAY_S / STEP_S,
    SCAN_DAYS_MIN = 3, /* fewer days in a window say nothing */
};

/* Everything sorted by second, half a day on either side repeated: windows over midnight are
 * ordinary ones, and belong to the day in which their middle lies. */
struct scan {
    struct scan_act *sorted;
    size_t count;
    int *per_day; /* acts inside the moving window, by day + 1 */
    int day_slots;
    int around_acts[STEP_COUNT]; /* acts and days in the five hours that begin at a step */
    int around_days[STEP_COUNT];
};

static int compare_scan_acts(const void *left, const void *right)
{
    const struct scan_act *a = left, *b = right;
    if (a->second != b->second)
        return a->second < b->second ? -1 : 1;
    return (a->day > b->day) - (a->day < b->day);
}

static void scan_init(struct scan *scan, const struct scan_act *acts, size_t count, int day_count)
{
    *scan = (struct scan){.day_slots = day_count + 2};
    scan->sorted = xcalloc(2 * count, sizeof *scan->sorted);
    scan->per_day = xcalloc((size_t)scan->day_slots, sizeof *scan->per_day);
    for (size_t i = 0; i < count; i++) {
        struct scan_act act = acts[i];
        scan->sorted[scan->count++] = act;
        if (act.second < STATS_DAY_S / 2)
            scan->sorted[scan->count++] = (struct scan_act){act.second + STATS_DAY_S, act.day - 1};
        else
            scan->sorted[scan->count++] = (struct scan_act){act.second - STATS_DAY_S, act.day + 1};
    }
    qsort(scan->sorted, scan->count, sizeof *scan->sorted, compare_scan_acts);
}

static void scan_release(struct scan *scan)
{
    free(scan->sorted);
    free(scan->per_day);
}

/* A window that moves over the sorted acts: [first, end), and how many days it holds. */
struct window {
    size_t first, end;
    int days;
};

static void window_move(struct scan *scan, struct window *w, int from, int to)
{
    for (; w->end < scan->count && scan->sorted[w->end].second < to; w->end++)
        w->days += scan->per_day[scan->sorted[w->end].day + 1]++ == 0;
    for (; w->first < w->end && scan->sorted[w->first].second < from; w->first++)
        w->days -= --scan->per_day[scan->sorted[w->first].day + 1] == 0;
}

static void window_clear(struct scan *scan, struct window *w)
{
    for (; w->first < w->end; w->first++)
        scan->per_day[scan->sorted[w->first].day + 1]--;
}

static void scan_count_around(struct scan *scan)
{
    struct window w = {.first = 0};
    for (int i = 0; i < STEP_COUNT; i++) {
        /* from the one whose middle is the first at or after midnight */
        int from = -AROUND_S / 2 + i * STEP_S;
        window_move(scan, &w, from, from + AROUND_S);
        int step = stats_circular_wrap(from) / STEP_S;
        scan->around_acts[step] = (int)(w.end - w.first);
        scan->around_days[step] = w.days;
    }
    window_clear(scan, &w);
}

/* The fullest five hours that hold [from, to). */
static void scan_look_around(const struct scan *scan, int from, int to, int *acts, int *days)
{
    *acts = 0;
    *days = 0;
    int last = (int)floor((double)from / STEP_S);
    int first = (int)ceil((double)(to - AROUND_S) / STEP_S);
    for (int i = first; i <= last; i++) {
        int step = stats_circular_wrap(i * STEP_S) / STEP_S;
        if (scan->around_acts[step] <= *acts)
            continue;
        *acts = scan->around_acts[step];
        *days = scan->around_days[step];
    }
}

/* P(a window that begins at an act has `hit_days`), by the other days. */
static double scan_tail(int acts, int days, int width_s, int hit_days)
{
    double p = (double)acts / days * width_s / PROFILE_WIDTH_S;
    return stats_binomial_upper(hit_days - 1, days - 1, fmin(p, 1.0));
}

/* A window under judgement, with what surrounds it. */
struct judged {
    double tail;
    int from, width_s, hit_days;
    int around_acts, around_days;
};

static void scan_width(struct scan *scan, int width_s, struct judged *best)
{
    struct window w = {.first = 0};
    for (size_t i = 0; i < scan->count; i++) {
        struct judged here = {.from = scan->sorted[i].second, .width_s = width_s};
        if (here.from < -width_s / 2 || here.from >= STATS_DAY_S - width_s / 2)
            continue;
        window_move(scan, &w, here.from, here.from + width_s);
        here.hit_days = w.days;
        if (w.days < SCAN_DAYS_MIN)
            continue;
        scan_look_around(scan, here.from, here.from + width_s, &here.around_acts,
                         &here.around_days);
        if (here.around_days < w.days)
            here.around_days = w.days;
        here.tail = scan_tail(here.around_acts, here.around_days, width_s, w.days);
        if (here.tail < best->tail)
            *best = here;
    }
    window_clear(scan, &w);
}

/* The price of having tried every width at one start: for each, the largest probability that it can
 * attain without exceeding the best one's (its own is that itself; Tarone 1990, Biometrics 46:515).
 */
static double scan_pay_for_widths(const struct judged *best)
{
    double sum = 0;
    for (int i = 0; i < WIDTH_COUNT; i++) {
        double tail = 1.0;
        for (int k = 1; k <= best->around_days && tail > best->tail; k++)
            tail = scan_tail(best->around_acts, best->around_days, scan_widths_s[i], k);
        sum += tail <= best->tail ? tail : 0;
    }
    return sum;
}

struct scan_window scan_find(const struct scan_act *acts, size_t count, int day_count)
{
    struct scan scan;
    scan_init(&scan, acts, count, day_count);
    scan_count_around(&scan);
    struct judged best = {.tail = 1.0};
    for (int i = 0; i < WIDTH_COUNT; i++)
        scan_width(&scan, scan_widths_s[i], &best);
    scan_release(&scan);
    if (best.tail >= 1.0)
        return (struct scan_window){.p_value = 1.0};
    return (struct scan_window){
        .p_value = fmin(1.0, scan_pay_for_widths(&best) * (double)count),
        .center = stats_circular_wrap(best.from + best.width_s / 2),
        .width_s = best.width_s,
        .days = best.hit_days,
    };
}
