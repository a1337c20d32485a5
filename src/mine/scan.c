#include "mine/scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "stats/stats.h"

static const int scan_reaches_s[] = {15 * 60, 30 * 60, 50 * 60};
enum {
    REACH_COUNT = sizeof scan_reaches_s / sizeof *scan_reaches_s,
    PROFILE_WIDTH_S = 3 * 3600, /* the narrowest bump of a profile without a habit */
    AROUND_S = 5 * 3600,        /* the neighbourhood that a window is compared with */
    FLANK_S = 75 * 60,          /* on either side of it: the near neighbourhood */
    STEP_S = SCAN_STEP_S,       /* of the neighbourhood's position */
    STEP_COUNT = SCAN_STEP_COUNT,
    FREE_PRIOR_S =
        20 * 60,       /* time without an act added to what was seen: an instant proves no rate */
    LEVELS = 16,       /* a day's score is 0..LEVELS */
    SCAN_DAYS_MIN = 3, /* fewer days in a window say nothing */
};
/* Acts near each other see the same days, and one reach sees what another does: what exceeds a
 * threshold does so in clumps (Aldous 1989), and counting each overstates the price; on the worst
 * profile, the box of three hours, by at least 5 for 6 to 200 days (docs/miner.md). */
#define CLUMP 4.0
/* The two neighbourhoods share the error budget; most habits have nothing else around them. */
enum { WIDE, NEAR, NEIGHBOURHOOD_COUNT };
static const double neighbourhood_shares[NEIGHBOURHOOD_COUNT] = {0.8, 0.2};
/* Where even chance puts an act within this share of the reach on nearly every day, nothing can be
 * seen, and looking would be slow. */
#define HOPELESS 0.9
/* Fewer standard deviations than this are never worth an exact probability. */
#define Z_MIN 2.0

/* What lies in the stretches of one width that begin at each step. */
struct around {
    int acts[STEP_COUNT]; /* episodes, and days with one */
    int days[STEP_COUNT];
    double gaps_s[STEP_COUNT]; /* sum of the lengths of those episodes */
};

/* Everything sorted by second, half a day on either side repeated: what crosses midnight is
 * ordinary, and belongs to the day in which the middle lies. */
struct scan {
    struct scan_act *sorted;
    size_t count;
    size_t centers; /* acts that may be a middle: those not repeated */
    int *nearest;   /* by day: distance + 1 to the middle under work, 0 = none */
    const bool *eligible;
    int day_count, from, to;
    struct around wide;              /* five hours */
    struct around near[REACH_COUNT]; /* a reach and its flanks */
    int begun[STEP_COUNT];           /* episodes that begin in a step, and seconds free in it */
    double free_s[STEP_COUNT];
    bool has_free;
    double level_s[REACH_COUNT][LEVELS + 1];
};

/* A middle under judgement. */
struct candidate {
    int center, reach_s;
    const double *level_s; /* of that reach */
    int score, days;       /* of the other days */
    int other_days;        /* those that have acts around */
    double density;        /* bound: episodes per day and second */
    double length;         /* what their lengths add to a day's probability */
    double rate;           /* bound: acts per free second */
    double z;
};

static int compare_scan_acts(const void *left, const void *right)
{
    const struct scan_act *a = left, *b = right;
    if (a->second != b->second)
        return a->second < b->second ? -1 : 1;
    return (a->day > b->day) - (a->day < b->day);
}

static void scan_add(struct scan *scan, struct scan_act act)
{
    if (act.day >= 0 && act.day < scan->day_count && scan->eligible[act.day])
        scan->sorted[scan->count++] = act;
}

static void scan_init(struct scan *scan, const struct scan_input *input)
{
    *scan = (struct scan){.eligible = input->eligible,
                          .day_count = input->day_count,
                          .from = input->from,
                          .to = input->to,
                          .has_free = input->free_s != NULL};
    scan->sorted = xcalloc(2 * input->count, sizeof *scan->sorted);
    scan->nearest = xcalloc((size_t)input->day_count, sizeof *scan->nearest);
    for (size_t i = 0; i < input->count; i++) {
        struct scan_act act = input->acts[i];
        size_t before = scan->count;
        scan_add(scan, act);
        if (!act.taken && act.second >= input->from && act.second < input->to)
            scan->centers += scan->count - before;
        scan->begun[act.second / STEP_S] += act.gap_s == 0 && scan->count > before;
        bool early = act.second < STATS_DAY_S / 2; /* belongs to the evening before, too */
        act.second += early ? STATS_DAY_S : -STATS_DAY_S;
        act.day += early ? -1 : 1;
        scan_add(scan, act);
    }
    if (scan->count > 0)
        qsort(scan->sorted, scan->count, sizeof *scan->sorted, compare_scan_acts);
    for (int day = 0; input->free_s != NULL && day < input->day_count; day++)
        for (int step = 0; input->eligible[day] && step < STEP_COUNT; step++)
            scan->free_s[step] += input->free_s[day * STEP_COUNT + step];
}

static void scan_release(struct scan *scan)
{
    free(scan->sorted);
    free(scan->nearest);
}

/* From the middle to the end of its near neighbourhood: whole steps. */
static int near_half(int reach_s)
{
    return (reach_s + FLANK_S + STEP_S - 1) / STEP_S * STEP_S;
}

static int near_width(int reach_s)
{
    return 2 * near_half(reach_s) + STEP_S; /* wherever between two steps its middle lies */
}

/* Counts by a window that moves over the sorted acts; its middle goes from midnight to midnight. */
static void scan_count_around(struct scan *scan, struct around *around, int width_s)
{
    int *per_day = scan->nearest;
    size_t first = 0, end = 0;
    int days = 0, episodes = 0;
    double gaps_s = 0;
    for (int i = 0; i < STEP_COUNT; i++) {
        int from = (i - width_s / 2 / STEP_S) * STEP_S;
        for (; end < scan->count && scan->sorted[end].second < from + width_s; end++) {
            days += per_day[scan->sorted[end].day]++ == 0;
            episodes += scan->sorted[end].gap_s == 0;
            gaps_s += scan->sorted[end].gap_s;
        }
        for (; first < end && scan->sorted[first].second < from; first++) {
            days -= --per_day[scan->sorted[first].day] == 0;
            episodes -= scan->sorted[first].gap_s == 0;
            gaps_s -= scan->sorted[first].gap_s;
        }
        int step = stats_circular_wrap(from) / STEP_S;
        around->acts[step] = episodes;
        around->days[step] = days;
        around->gaps_s[step] = gaps_s;
    }
    memset(per_day, 0, (size_t)scan->day_count * sizeof *per_day);
}

/* The densest neighbourhood of that kind, of the steps first..last, bounds the null model; all that
 * is in it may lie within bump_s. */
static void candidate_look_around(struct candidate *c, const struct around *around, int first,
                                  int last, int bump_s)
{
    int acts = 0, days = 1;
    double gaps_s = 0;
    for (int i = first; i <= last; i++) {
        int step = stats_circular_wrap(i * STEP_S) / STEP_S;
        if (around->acts[step] <= acts)
            continue;
        acts = around->acts[step];
        days = around->days[step];
        gaps_s = around->gaps_s[step];
    }
    c->other_days = days - 1 > c->days ? days - 1 : c->days;
    c->density = (double)acts / days / bump_s;
    c->length = gaps_s / days / bump_s;
}

/* The fullest five hours that hold the reach. */
static void candidate_look_wide(struct candidate *c, const struct scan *scan)
{
    int first = (int)ceil((double)(c->center + c->reach_s - AROUND_S) / STEP_S);
    int last = (int)floor((double)(c->center - c->reach_s) / STEP_S);
    candidate_look_around(c, &scan->wide, first, last, PROFILE_WIDTH_S);
}

/* The reach and a flank on either side: what covers the reach and is three hours wide covers one of
 * them, too, or parts of both. */
static void candidate_look_near(struct candidate *c, const struct scan *scan, int reach)
{
    int step = (int)floor((double)(c->center - near_half(c->reach_s)) / STEP_S);
    candidate_look_around(c, &scan->near[reach], step, step, 2 * c->reach_s + FLANK_S);
}

/* The rate at which it is switched in the rest of the three hours that begin with the window, while
 * it can be. */
static void candidate_look_after(struct candidate *c, const struct scan *scan)
{
    int first = (int)ceil((double)(c->center + c->reach_s) / STEP_S);
    int end = (int)floor((double)(c->center - c->reach_s + PROFILE_WIDTH_S) / STEP_S);
    double begun = 0, free_s = FREE_PRIOR_S;
    for (int i = first; i < end; i++) {
        begun += scan->begun[i % STEP_COUNT];
        free_s += scan->free_s[i % STEP_COUNT];
    }
    c->rate = begun / free_s;
}

/* How many seconds of the clock score at least that level: those as near as this on either side,
 * and the middle itself. */
static void scan_fill_levels(struct scan *scan)
{
    for (int reach = 0; reach < REACH_COUNT; reach++)
        for (int level = 0; level <= LEVELS; level++)
            scan->level_s[reach][level] =
                2 * scan_reaches_s[reach] * sqrt(1.0 - (double)level / LEVELS) + 1;
}

/* Bound of the probability that a day scores at least that level, 1 or more. */
static double candidate_bound(const struct candidate *c, int level)
{
    double seconds = c->level_s[level];
    double by_density = c->density * seconds + c->length, by_rate = c->rate * seconds;
    double bound = by_density > by_rate ? by_density : by_rate;
    return bound < 1.0 ? bound : 1.0;
}

/* Null probabilities of each level of one day. */
static void candidate_levels(const struct candidate *c, double p[LEVELS + 1])
{
    double above = 0;
    for (int level = LEVELS; level >= 0; level--) {
        double at_least = level == 0 ? 1.0 : candidate_bound(c, level);
        p[level] = at_least - above;
        above = at_least;
    }
}

/* Scores the other days by their act nearest to the middle; position i is the middle's own. */
static void candidate_score(struct candidate *c, struct scan *scan, size_t i)
{
    const struct scan_act *sorted = scan->sorted;
    int own_day = sorted[i].day;
    size_t first = i, end = i;
    while (first > 0 && c->center - sorted[first - 1].second < c->reach_s)
        first--;
    for (; end < scan->count && sorted[end].second - c->center < c->reach_s; end++)
        ;
    for (size_t k = first; k < end; k++) {
        int distance = abs(sorted[k].second - c->center) + 1;
        int *nearest = &scan->nearest[sorted[k].day];
        if (sorted[k].day != own_day && !sorted[k].taken && (*nearest == 0 || distance < *nearest))
            *nearest = distance;
    }
    for (size_t k = first; k < end; k++) {
        int *nearest = &scan->nearest[sorted[k].day];
        if (*nearest == 0)
            continue;
        double share = (*nearest - 1.0) / c->reach_s;
        c->score += (int)floor((1.0 - share * share) * LEVELS);
        c->days++;
        *nearest = 0;
    }
}

/* Keeps the better one. */
static void candidate_compare(const struct candidate *candidate, struct candidate *best)
{
    struct candidate c = *candidate;
    if (candidate_bound(&c, LEVELS / 2) > HOPELESS)
        return;
    double mean = 0, squares = 0; /* each level adds what is at least that */
    for (int level = 1; level <= LEVELS; level++) {
        double at_least = candidate_bound(&c, level);
        mean += at_least;
        squares += (2 * level - 1) * at_least;
    }
    double deviation = sqrt(fmax(squares - mean * mean, 1e-9) * c.other_days);
    c.z = (c.score - mean * c.other_days) / deviation;
    if (c.z > best->z)
        *best = c;
}

/* The best candidates of one reach, by neighbourhood. */
static void scan_reach(struct scan *scan, int reach, struct candidate best[NEIGHBOURHOOD_COUNT])
{
    for (size_t i = 0; i < scan->count; i++) {
        struct candidate c = {.center = scan->sorted[i].second,
                              .reach_s = scan_reaches_s[reach],
                              .level_s = scan->level_s[reach]};
        if (c.center < scan->from || c.center >= scan->to || scan->sorted[i].taken)
            continue; /* a repeated one, or explained */
        candidate_score(&c, scan, i);
        if (c.days + 1 < SCAN_DAYS_MIN)
            continue;
        if (scan->has_free)
            candidate_look_after(&c, scan);
        candidate_look_wide(&c, scan);
        candidate_compare(&c, &best[WIDE]);
        candidate_look_near(&c, scan, reach);
        candidate_compare(&c, &best[NEAR]);
    }
}

/* out = a * b, coefficient-wise (the distribution of a sum). out has na + nb - 1 places. */
static void convolve(double *out, const double *a, size_t na, const double *b, size_t nb)
{
    memset(out, 0, (na + nb - 1) * sizeof *out);
    for (size_t i = 0; i < na; i++)
        for (size_t k = 0; k < nb; k++)
            out[i + k] += a[i] * b[k];
}

/* P(sum of other_days independent scores >= score): exact, by repeated squaring. */
static double candidate_tail(const struct candidate *c)
{
    size_t room = (size_t)c->other_days * LEVELS + 1, sum_size = 1, power_size = LEVELS + 1;
    double *sum = xcalloc(room, sizeof *sum), *power = xcalloc(2 * room + LEVELS, sizeof *power);
    double *scratch = xcalloc(2 * room + LEVELS, sizeof *scratch);
    sum[0] = 1.0;
    candidate_levels(c, power);
    for (int left = c->other_days; left > 0; left >>= 1) {
        if (left & 1) {
            convolve(scratch, sum, sum_size, power, power_size);
            sum_size += power_size - 1;
            memcpy(sum, scratch, sum_size * sizeof *sum);
        }
        if (left > 1) {
            convolve(scratch, power, power_size, power, power_size);
            power_size += power_size - 1;
            memcpy(power, scratch, power_size * sizeof *power);
        }
    }
    double tail = 0;
    for (size_t i = sum_size; i-- > (size_t)c->score;)
        tail += sum[i];
    free(sum);
    free(power);
    free(scratch);
    return tail;
}

struct scan_window scan_find(const struct scan_input *input)
{
    struct scan_window found = {.p_value = 1.0};
    struct scan scan;
    scan_init(&scan, input);
    scan_fill_levels(&scan);
    scan_count_around(&scan, &scan.wide, AROUND_S);
    double choices = fmax(1.0, (double)scan.centers * REACH_COUNT / CLUMP);
    for (int reach = 0; reach < REACH_COUNT; reach++) {
        struct candidate best[NEIGHBOURHOOD_COUNT] = {{.z = -INFINITY}, {.z = -INFINITY}};
        scan_count_around(&scan, &scan.near[reach], near_width(scan_reaches_s[reach]));
        scan_reach(&scan, reach, best);
        for (int k = 0; k < NEIGHBOURHOOD_COUNT; k++) {
            if (best[k].days == 0)
                continue;
            double tail = best[k].z < Z_MIN ? 1.0 : candidate_tail(&best[k]);
            double paid = fmin(1.0, tail * choices / neighbourhood_shares[k]);
            if (found.days == 0 || paid < found.p_value)
                found =
                    (struct scan_window){paid, best[k].center, best[k].reach_s, best[k].days + 1};
        }
    }
    scan_release(&scan);
    return found;
}
