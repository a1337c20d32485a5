/* A schedule returns at the same second; people do not. Each act is linked to the nearest one of
 * the next day on which there is any within some minutes (up to a week later: programmes differ by
 * the day), which makes paths through the days. A link is good when it is punctual to a few
 * seconds. So the clock of the machine may be wrong, drift, or jump now and then.
 *
 * Along a path a sum grows by the log likelihood ratio of "machine" (nine links of ten are good)
 * against the most punctual person that we allow for. Given the past, such a person's next act hits
 * any given span of w seconds with probability w x the peak of that person's density at most; so
 * the ratio is a supermartingale, and by Ville's inequality a sum that began at a given act ever
 * reaches s with probability <= exp(-s). Every link may be the beginning: a factor.
 *
 * A controller without summer time is punctual on its own clock only, so UTC is tried as well; one
 * that switches by the sun is so on the sun's dials. */
#include "mine/machines.h"

#include <math.h>
#include <stdlib.h>

#include "core/xalloc.h"
#include "stats/stats.h"

enum {
    ACTS_MIN = 5,
    NEAR_S = 450,  /* acts further apart are of different switchings */
    NEAR_MAX = 32, /* of so many the nearest says nothing */
    DAYS_BETWEEN_MAX = 7,
    PERSON_SPREAD_S = 90, /* standard deviation of the most punctual person */
};
/* How punctual: relays and timers; gateways that ask their devices every half minute. */
static const int widths_s[] = {4, 10, 20, 40};
#define MACHINE_GOOD 0.9
#define MACHINE_P 1e-4
#define MACHINE_MORE_P 1e-2 /* of further switchings of a device that has a schedule */
#define PERSON_PEAK (0.3989422804014327 / PERSON_SPREAD_S)
#define DROP 15.0 /* a sum that fell so far below its best one ends the schedule there */

enum { NO_LINK = -1 };

/* The nearest act of the last or next day that has any near that time of day. */
struct neighbour {
    int64_t mark;   /* or NO_LINK */
    size_t choices; /* how many were near */
};

/* An act on the clock that is tried. */
struct mark {
    int64_t at; /* seconds, days x 86400 + second of the day */
    size_t index;
    struct neighbour before, after;
    int64_t next; /* of the same switching, a later day; or NO_LINK */
    bool has_previous;
    int late_s;     /* how much later than a whole number of days the next one is */
    size_t choices; /* pairs among which the nearest was taken */
};

static int compare_marks(const void *left, const void *right)
{
    const struct mark *a = left, *b = right;
    if (a->at != b->at)
        return a->at < b->at ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* The marks near a moment, from *first on, which only ever moves on. */
static struct neighbour find_nearest(const struct mark *marks, size_t count, int64_t moment,
                                     size_t *first)
{
    while (*first < count && marks[*first].at < moment - NEAR_S)
        ++*first;
    struct neighbour found = {NO_LINK, 0};
    for (size_t i = *first; i < count && marks[i].at <= moment + NEAR_S && found.choices < NEAR_MAX;
         i++, found.choices++)
        if (found.mark == NO_LINK ||
            llabs(marks[i].at - moment) < llabs(marks[found.mark].at - moment))
            found.mark = (int64_t)i;
    return found;
}

static void find_neighbours(struct mark *marks, size_t count)
{
    size_t before[DAYS_BETWEEN_MAX] = {0}, after[DAYS_BETWEEN_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        struct mark *mark = &marks[i];
        mark->before = mark->after = (struct neighbour){NO_LINK, 0};
        for (int k = 0; k < DAYS_BETWEEN_MAX; k++) {
            int64_t apart = (k + 1) * (int64_t)STATS_DAY_S;
            if (mark->before.mark == NO_LINK)
                mark->before = find_nearest(marks, count, mark->at - apart, &before[k]);
            if (mark->after.mark == NO_LINK)
                mark->after = find_nearest(marks, count, mark->at + apart, &after[k]);
        }
    }
}

/* Links each act to its successor when either is the other's nearest. */
static void link_marks(struct mark *marks, size_t count)
{
    find_neighbours(marks, count);
    for (size_t i = 0; i < count; i++) {
        int64_t next = marks[i].after.mark;
        if (next == NO_LINK || marks[next].before.mark != (int64_t)i)
            continue;
        int64_t apart = marks[next].at - marks[i].at;
        int64_t days = (apart + STATS_DAY_S / 2) / STATS_DAY_S;
        marks[i].next = next;
        marks[i].late_s = (int)(apart - days * STATS_DAY_S);
        marks[i].choices = marks[i].after.choices * marks[next].before.choices;
        marks[next].has_previous = true;
    }
}

static bool is_good(const struct mark *mark, int width_s)
{
    return abs(mark->late_s) <= width_s;
}

static double link_score(const struct mark *mark, int width_s)
{
    double chance = (2 * width_s + 1) * PERSON_PEAK * (double)mark->choices;
    if (chance > MACHINE_GOOD)
        chance = MACHINE_GOOD;
    return is_good(mark, width_s) ? log(MACHINE_GOOD / chance)
                                  : log((1 - MACHINE_GOOD) / (1 - chance));
}

/* Both ends of the good links from one mark of a path to another. */
static void mark_schedule(const struct mark *marks, int64_t from, int64_t to, int width_s,
                          bool *is_machine)
{
    for (int64_t i = from; i != to; i = marks[i].next) {
        if (!is_good(&marks[i], width_s))
            continue;
        is_machine[marks[i].index] = true;
        is_machine[marks[marks[i].next].index] = true;
    }
}

/* Returns whether there is a schedule on the path that begins with head. */
static bool search_path(const struct mark *marks, int64_t head, int width_s, double enough,
                        bool *is_machine)
{
    double sum = 0, best = 0;
    bool found = false;
    int64_t begin = head, best_end = head;
    for (int64_t i = head; marks[i].next != NO_LINK; i = marks[i].next) {
        if (sum <= 0 || sum < best - DROP) {
            if (best >= enough) {
                mark_schedule(marks, begin, best_end, width_s, is_machine);
                found = true;
            }
            sum = best = 0;
            begin = best_end = i;
        }
        sum += link_score(&marks[i], width_s);
        if (sum > best) {
            best = sum;
            best_end = marks[i].next;
        }
    }
    if (best >= enough) {
        mark_schedule(marks, begin, best_end, width_s, is_machine);
        found = true;
    }
    return found;
}

static bool search_paths(const struct mark *marks, size_t count, double p, bool *is_machine)
{
    bool found = false;
    size_t links = 0;
    for (size_t i = 0; i < count; i++)
        links += marks[i].next != NO_LINK;
    double enough = log((double)links / p);
    for (size_t i = 0; i < count; i++)
        for (size_t w = 0; !marks[i].has_previous && w < sizeof widths_s / sizeof *widths_s; w++)
            found = search_path(marks, (int64_t)i, widths_s[w], enough, is_machine) || found;
    return found;
}

static void search_clock(const struct act *list, size_t count, bool utc, struct mark *marks,
                         bool *is_machine)
{
    for (size_t i = 0; i < count; i++)
        marks[i] = (struct mark){.at = utc ? list[i].time_ms / 1000
                                           : list[i].day * (int64_t)STATS_DAY_S + list[i].second,
                                 .index = i,
                                 .next = NO_LINK};
    qsort(marks, count, sizeof *marks, compare_marks);
    link_marks(marks, count);
    if (search_paths(marks, count, MACHINE_P, is_machine))
        search_paths(marks, count, MACHINE_MORE_P, is_machine);
}

/* Whether the two clocks differ by more than a constant. */
static bool clock_changes(const struct act *list, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        int64_t local =
            (list[i].day - list[0].day) * (int64_t)STATS_DAY_S + (list[i].second - list[0].second);
        if (llabs((list[i].time_ms - list[0].time_ms) / 1000 - local) > 1)
            return true;
    }
    return false;
}

static size_t mark_schedules(const struct act *list, size_t count, bool utc_too, bool *is_machine)
{
    for (size_t i = 0; i < count; i++)
        is_machine[i] = false;
    if (count < ACTS_MIN)
        return 0;
    struct mark *marks = xcalloc(count, sizeof *marks);
    search_clock(list, count, false, marks, is_machine);
    if (utc_too)
        search_clock(list, count, true, marks, is_machine);
    free(marks);
    size_t machine = 0;
    for (size_t i = 0; i < count; i++)
        machine += is_machine[i];
    return machine;
}

size_t machines_mark(const struct act *list, size_t count, bool *is_machine)
{
    return mark_schedules(list, count, clock_changes(list, count), is_machine);
}

size_t machines_mark_on_dial(const struct act *list, size_t count, bool *is_machine)
{
    return mark_schedules(list, count, false, is_machine);
}

/* ---- timers -------------------------------------------------------------------------------- */

/* A timer ends each use after the same seconds, give or take its report's way. People's uses of one
 * kind differ in length: their logarithms have a standard deviation of 0.3, or both ends are habits
 * as punctual as above. */
enum { TIMER_ACTS_MIN = 5, TIMER_DAYS_MIN = 3, TIMER_WIDTH_MS = 3000 };
#define PERSON_LENGTH_PEAK (0.3989422804014327 / 0.3)
#define SQRT_2 1.4142135623730951
#define TIMER_CHANCE_MAX 0.1 /* so short uses may well be alike */

struct length {
    int64_t ms;
    size_t index;
};

static int compare_lengths(const void *left, const void *right)
{
    const struct length *a = left, *b = right;
    if (a->ms != b->ms)
        return a->ms < b->ms ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static bool have_days(const struct act *list, const struct length *lengths, size_t count)
{
    int days[TIMER_DAYS_MIN], found = 0;
    for (size_t i = 0; i < count && found < TIMER_DAYS_MIN; i++) {
        bool is_new = true;
        for (int k = 0; k < found; k++)
            is_new = is_new && days[k] != list[lengths[i].index].day;
        if (is_new)
            days[found++] = list[lengths[i].index].day;
    }
    return found == TIMER_DAYS_MIN;
}

size_t machines_mark_timers(const struct act *list, const int64_t *after_ms, size_t count,
                            bool *is_machine)
{
    for (size_t i = 0; i < count; i++)
        is_machine[i] = false;
    if (count < TIMER_ACTS_MIN)
        return 0;
    struct length *lengths = xcalloc(count, sizeof *lengths);
    for (size_t i = 0; i < count; i++)
        lengths[i] = (struct length){after_ms[i], i};
    qsort(lengths, count, sizeof *lengths, compare_lengths);
    size_t half = 0, end = 0, twice = 0; /* around lengths[i] */
    for (size_t i = 0; i < count; i++) {
        int64_t ms = lengths[i].ms;
        for (; lengths[half].ms < ms / 2; half++)
            ;
        for (; end < count && lengths[end].ms - ms <= TIMER_WIDTH_MS; end++)
            ;
        for (; twice < count && lengths[twice].ms <= 2 * ms; twice++)
            ;
        double chance = TIMER_WIDTH_MS *
                        fmax(PERSON_LENGTH_PEAK / fmax((double)ms, 1), PERSON_PEAK / SQRT_2 / 1000);
        if (end - i < TIMER_ACTS_MIN || chance > TIMER_CHANCE_MAX ||
            !have_days(list, lengths + i, end - i))
            continue;
        int others = (int)(twice - half) - 1;
        if (stats_binomial_upper((int)(end - i) - 1, others, chance) * (others + 1) > MACHINE_P)
            continue;
        for (size_t k = i; k < end; k++)
            is_machine[lengths[k].index] = true;
    }
    free(lengths);
    size_t machine = 0;
    for (size_t i = 0; i < count; i++)
        machine += is_machine[i];
    return machine;
}
