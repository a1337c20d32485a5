/* Silence: how much a detector tells in such a time, by the same hours of the days before, is held
 * against nothing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/order.h"
#include "core/tz.h"
#include "core/xalloc.h"
#include "suggest/anomaly_parts.h"

enum {
    TOLD_MIN = 10,                     /* times on before its silence means anything */
    WINDOW_MAX_MS = 3 * ANOMALY_DAY_MS /* what has been silent longer is silent enough */
};

/* What people did, all of it, sorted: it tells whether anybody is home to be seen. */
struct home_acts {
    int64_t *time_ms;
    size_t count, capacity;
};

static void collect_acts(struct home_acts *home, const struct actors *actors)
{
    *home = (struct home_acts){.time_ms = NULL};
    for (size_t i = 0; i < actors->count; i++)
        for (int verb = 0; verb < RULE_VERB_COUNT; verb++) {
            const struct acts *acts = &actors->list[i].acts[verb];
            for (size_t k = 0; k < acts->count; k++) {
                home->time_ms =
                    grow_array(home->time_ms, home->count, &home->capacity, sizeof *home->time_ms);
                home->time_ms[home->count++] = acts->list[k].time_ms;
            }
        }
    if (home->count > 0)
        qsort(home->time_ms, home->count, sizeof *home->time_ms, order_int64);
}

static double count_between(const int64_t *list, size_t count, int64_t from_ms, int64_t to_ms)
{
    return (double)(order_find(list, count, to_ms) - order_find(list, count, from_ms));
}

static int day_of(const struct days *days, int64_t time_ms)
{
    struct tz_local local;
    tz_to_local(days->tz, time_ms / 1000, &local);
    return (int)(local.day - days->first);
}

/* Whether HA was up and somebody home, on all days of a time; the last one may go on. */
static bool is_usual_time(const struct anomaly_search *search, int64_t from_ms, int64_t to_ms)
{
    const struct days *days = search->input->days;
    int first = day_of(days, from_ms), last = day_of(days, to_ms - 1);
    for (int day = first; day <= last; day++) {
        bool goes_on = day == days->count - 1 && day == last;
        if (day < 0 || day >= days->count || search->away[day] ||
            (days_role(days, day) == DAY_INCOMPLETE && !goes_on))
            return false;
    }
    return true;
}

/* When a detector went on, known to have been off; going off follows from it and tells nothing
 * more.
 */
struct told {
    int64_t *time_ms;
    size_t count;
    int64_t last_ms;    /* any change between states that are known */
    int64_t longest_ms; /* pause on usual days */
};

static void collect_told(struct told *told, const struct anomaly_search *search,
                         const struct history_entity *e)
{
    *told = (struct told){.time_ms = xcalloc(e->changes, sizeof *told->time_ms)};
    for (size_t i = 1; i < e->changes; i++)
        if (!acts_is_absent(e->state[i]) && !acts_is_absent(e->state[i - 1])) {
            told->last_ms = e->time_ms[i];
            if (e->state[i] == HISTORY_STATE_ON)
                told->time_ms[told->count++] = e->time_ms[i];
        }
    for (size_t i = 1; i < told->count; i++) {
        int64_t pause_ms = told->time_ms[i] - told->time_ms[i - 1];
        if (pause_ms > told->longest_ms &&
            is_usual_time(search, told->time_ms[i - 1], told->time_ms[i]))
            told->longest_ms = pause_ms;
    }
}

/* Counts over the same hours of earlier days. */
struct counted {
    int windows, silent;
    double sum, squares, acts;
};

static struct counted count_windows(const struct anomaly_search *search, const struct told *told,
                                    const struct home_acts *home, int64_t from_ms, int64_t to_ms)
{
    struct counted counted = {0};
    int64_t first_ms = told->time_ms[0];
    for (int64_t shift_ms = ANOMALY_DAY_MS; from_ms - shift_ms >= first_ms;
         shift_ms += ANOMALY_DAY_MS) {
        int64_t from = from_ms - shift_ms, to = to_ms - shift_ms;
        if (to > told->last_ms || !is_usual_time(search, from, to))
            continue;
        double n = count_between(told->time_ms, told->count, from, to);
        counted.windows++;
        counted.silent += n == 0;
        counted.sum += n;
        counted.squares += n * n;
        counted.acts += count_between(home->time_ms, home->count, from, to);
    }
    return counted;
}

/* P of nothing at all: of a negative binomial distribution with mean and variance of the windows,
 * the mean in proportion to what people do now; at least what the windows show. */
static double silence_p(const struct counted *c, double acts, double *expected)
{
    double n = c->windows, mean = c->sum / n;
    double variance = fmax((c->squares / n - mean * mean) * n / (n - 1), 0);
    double share = c->acts > 0 ? fmin(acts * n / c->acts, 1) : 1;
    double more = variance - mean; /* than Poisson's */
    *expected = mean * share;
    double none = exp(-*expected);
    if (more > 0) {
        double size = mean * mean / more;
        none = pow(size / (size + *expected), size);
    }
    return c->silent > 0 ? fmax(none, (c->silent + 1) / (n + 2)) : none;
}

/* The day after the last one in a time on which nobody was home; else its beginning. */
static int64_t after_away(const struct anomaly_search *search, int64_t from_ms, int64_t to_ms)
{
    const struct days *days = search->input->days;
    int64_t begin_ms = from_ms;
    for (int day = day_of(days, from_ms); day <= day_of(days, to_ms); day++)
        if (day >= 0 && day < days->count &&
            (search->away[day] ||
             (days_role(days, day) == DAY_INCOMPLETE && day < days->count - 1)))
            begin_ms = tz_day_start(days->tz, days->first + day + 1) * 1000;
    return begin_ms > from_ms ? begin_ms : from_ms;
}

static void look_at_silence(struct anomaly_search *search, const struct home_acts *home,
                            size_t entity, const struct told *told)
{
    int64_t until_ms = search->input->history->to_ms, told_ms = told->last_ms;
    int64_t from_ms = after_away(search, told_ms, until_ms);
    int64_t to_ms = until_ms - from_ms > WINDOW_MAX_MS ? from_ms + WINDOW_MAX_MS : until_ms;
    search->looked[ANOMALY_SENSOR_SILENT]++;
    if (to_ms <= from_ms || (double)(to_ms - from_ms) <= ANOMALY_LONGER * (double)told->longest_ms)
        return;
    struct counted counted = count_windows(search, told, home, from_ms, to_ms);
    /* A part of it has more days to be compared with. */
    for (int days = 2; days > 0 && counted.windows < ANOMALY_DAYS_MIN; days--)
        if (to_ms - from_ms > days * (int64_t)ANOMALY_DAY_MS) {
            to_ms = from_ms + days * (int64_t)ANOMALY_DAY_MS;
            counted = count_windows(search, told, home, from_ms, to_ms);
        }
    if (counted.windows < ANOMALY_DAYS_MIN)
        return;
    struct anomaly anomaly = {.kind = ANOMALY_SENSOR_SILENT,
                              .entity = entity,
                              .since_ms = told_ms,
                              .lasted_ms = until_ms - told_ms,
                              .longest_s = (double)told->longest_ms / 1000,
                              .days = counted.windows,
                              .hits = counted.windows - counted.silent};
    double acts = count_between(home->time_ms, home->count, from_ms, to_ms);
    anomaly.probability = silence_p(&counted, acts, &anomaly.usual_count);
    anomaly_add(search, &anomaly);
}

void anomaly_look_at_sensors(struct anomaly_search *search)
{
    const struct history *h = search->input->history;
    struct home_acts home;
    collect_acts(&home, search->input->actors);
    for (size_t i = 0; i < h->entity_count; i++) {
        if (strncmp(h->entities[i].entity_id, "binary_sensor.", 14) != 0)
            continue;
        struct told told;
        collect_told(&told, search, &h->entities[i]);
        if (told.count >= TOLD_MIN)
            look_at_silence(search, &home, i, &told);
        free(told.time_ms);
    }
    free(home.time_ms);
}
