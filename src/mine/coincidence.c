/* Days are what is independent; each scores between 0 and 1, and the sum's tail is that of as many
 * coins with the same expectations (nothing between 0 and 1 spreads wider, Hoeffding 1963). */
#include "mine/coincidence.h"

#include <math.h>
#include <stdlib.h>

#include "core/order.h"
#include "core/tz.h"
#include "core/xalloc.h"
#include "mine/triggers.h"
#include "model/rule.h"
#include "stats/stats.h"
#include "stats/sun.h"

const int coincidence_window_ms[COINCIDENCE_WINDOWS] = {15 * 1000, 60 * 1000, 120 * 1000,
                                                        COINCIDENCE_REACH_MS};

enum {
    JITTER_MS =
        30 * 60 * 1000,        /* on either side: what people do within it has no order by itself */
    BROAD_MS = 60 * 60 * 1000, /* likewise, of the same hours of other days */
    COMPARED_DAYS_MAX = 100,   /* the nearest training days; bounds the work */
    COMPARED_FIRE_DAYS_MAX = 16,
    KIND_DAYS_MIN = 3,    /* fewer other weekdays (weekend days): all days are compared */
    WEEKDAY_DAYS_MIN = 2, /* from so many on the same day of the week is a comparison of its own */
    NEAR_DAYS = 10,       /* so are the nearest days, once there are more */
    SUN_SHIFT_MIN_MS = 5 * 60 * 1000, /* less does not tell the sun from the clock */
};
/* What choosing the best of four windows and two scores costs: they see the same acts, so that it
 * is less than eight; docs/miner.md shows that it is enough. */
#define CHOICES 4.0
#define BROAD_DAYS 1.0 /* how many days the broad intensity counts as */
#define AGE_FACTOR 1.5 /* uses of so similar an age are as likely to end */

enum score { SCORE_ANY, SCORE_SHARE, SCORE_COUNT };
enum model {
    MODEL_KIND,    /* the other weekdays, or weekend days, at the same local time */
    MODEL_WEEKDAY, /* the same day of the week */
    MODEL_NEAR,    /* the days before and after: what changes with the season or the years */
    MODEL_SUNRISE, /* as MODEL_KIND, at the same time from the sunrise */
    MODEL_SUNSET,
    MODEL_COUNT
};

static int64_t *sun_days(const struct history *h, const struct days *days, bool sets)
{
    if (!h->has_location)
        return NULL;
    struct sun_place place = {h->latitude, h->longitude, h->elevation_m};
    int64_t *ms = xcalloc((size_t)days->count, sizeof *ms), low = INT64_MAX, high = INT64_MIN;
    for (int i = 0; i < days->count; i++) {
        if (!sun_fire_on_day(&place, days->tz, sets, 0, days->first + i, &ms[i])) {
            ms[i] = INT64_MIN;
            continue;
        }
        int64_t in_day = ms[i] - tz_day_start(days->tz, days->first + i) * 1000;
        low = in_day < low ? in_day : low;
        high = in_day > high ? in_day : high;
    }
    if (low <= high && high - low >= SUN_SHIFT_MIN_MS)
        return ms;
    free(ms);
    return NULL;
}

void coincidence_days_init(struct coincidence_days *on, const struct history *h,
                           const struct days *days)
{
    *on = (struct coincidence_days){.days = days};
    on->start_ms = xcalloc((size_t)days->count + 1, sizeof *on->start_ms);
    on->training = xcalloc((size_t)days->count, sizeof *on->training);
    for (int i = 0; i <= days->count; i++) {
        on->start_ms[i] = tz_day_start(days->tz, days->first + i) * 1000;
        if (days_role(days, i) == DAY_TRAINING)
            on->training[on->training_count++] = i;
    }
    if (days->count > 0)
        for (int sets = 0; sets < 2; sets++)
            on->sun_ms[sets] = sun_days(h, days, sets);
}

void coincidence_days_release(struct coincidence_days *on)
{
    free(on->start_ms);
    free(on->sun_ms[0]);
    free(on->sun_ms[1]);
    free(on->training);
    *on = (struct coincidence_days){.days = NULL};
}

bool freedom_at(const struct freedom *freedom, int64_t time_ms)
{
    return order_find(freedom->toggle_ms, freedom->count, time_ms) % 2 == 1;
}

void freedom_measure(struct freedom *freedom, const struct coincidence_days *on)
{
    if (on->training_count == 0 || freedom->count < 2)
        return;
    int64_t end_ms = on->start_ms[on->training[on->training_count - 1] + 1];
    freedom->length_ms = xcalloc(freedom->count / 2, sizeof *freedom->length_ms);
    for (size_t i = 0; i + 1 < freedom->count && freedom->toggle_ms[i + 1] < end_ms; i += 2)
        freedom->length_ms[freedom->length_count++] =
            freedom->toggle_ms[i + 1] - freedom->toggle_ms[i];
    if (freedom->length_count > 0)
        qsort(freedom->length_ms, freedom->length_count, sizeof *freedom->length_ms, order_int64);
    freedom->total_ms = xcalloc(freedom->length_count + 1, sizeof *freedom->total_ms);
    for (size_t i = 0; i < freedom->length_count; i++)
        freedom->total_ms[i + 1] = freedom->total_ms[i] + freedom->length_ms[i];
}

void freedom_release(struct freedom *freedom)
{
    free(freedom->toggle_ms);
    free(freedom->length_ms);
    free(freedom->total_ms);
    *freedom = (struct freedom){.toggle_ms = NULL};
}

void coincidence_lags(const int64_t *fires, size_t fire_count, const struct episode *episodes,
                      size_t count, int64_t *lag_ms)
{
    for (size_t i = 0; i < count; i++) {
        size_t after =
            order_find(fires, fire_count, episodes[i].time_ms - COINCIDENCE_LAG_MIN_MS + 1);
        int64_t lag = after == 0 ? INT64_MAX : episodes[i].time_ms - fires[after - 1];
        lag_ms[i] = lag <= COINCIDENCE_REACH_MS ? lag : INT64_MAX;
    }
}

double coincidence_sharp_p(const int64_t *lag_ms, size_t count, int64_t box_ms)
{
    static const size_t cuts[] = {4, 8}; /* of so many parts one is left out at either end */
    enum { CUTS = sizeof cuts / sizeof *cuts };
    double least = 1;
    for (size_t i = 0; count > 0 && i < CUTS; i++) {
        size_t low = count / cuts[i], high = count - 1 - low;
        double share = (double)(lag_ms[high] - lag_ms[low]) / (double)box_ms;
        double p = stats_binomial_upper((int)(high - low), (int)count, fmin(share, 1));
        least = fmin(least, CUTS * p);
    }
    return least;
}

/* P(sum >= score) for a score that need not be whole: between the whole ones, geometrically. */
static double tail(double score, const double *expected, size_t count)
{
    int below = (int)floor(score + 1e-9);
    double share = fmax(score - below, 0);
    double low = stats_poisson_binomial_upper(below, expected, count);
    if (share < 1e-9 || low <= 0)
        return low;
    double high = stats_poisson_binomial_upper(below + 1, expected, count);
    return high <= 0 ? low : exp((1 - share) * log(low) + share * log(high));
}

/* ---- acts ---------------------------------------------------------------------------------- */

/* One trigger and the episodes of one actor. Days here are those that have episodes. */
struct pair {
    const struct coincidence_days *on;
    const int64_t *fires;
    size_t fire_count;
    const struct episode *episodes;
    const int64_t *lag_ms;
    size_t *day_first; /* day_count + 1: which episodes are a day's */
    size_t day_count;
    double *chance;  /* of MODEL, window, score and day: see chance_at */
    double everyday; /* fires a ms, over all training days: the least that is assumed */
};

static double *chance_at(const struct pair *pair, int model, int window, int score)
{
    size_t row = (size_t)((model * COINCIDENCE_WINDOWS + window) * SCORE_COUNT + score);
    return &pair->chance[row * pair->day_count];
}

static double observed(const struct pair *pair, int window, int score)
{
    double sum = 0;
    for (size_t d = 0; d < pair->day_count; d++) {
        int matched = 0;
        for (size_t i = pair->day_first[d]; i < pair->day_first[d + 1]; i++)
            matched += pair->lag_ms[i] <= coincidence_window_ms[window];
        size_t all = pair->day_first[d + 1] - pair->day_first[d];
        sum += score == SCORE_ANY ? matched > 0 : (double)matched / (double)all;
    }
    return sum;
}

/* Chance when the fires within half an hour of the act could as well lie anywhere in that hour. */
static double jitter_chance(const struct pair *pair, size_t day, int window, int score)
{
    size_t from = pair->day_first[day], to = pair->day_first[day + 1];
    double sum = 0;
    double inside =
        (double)(coincidence_window_ms[window] - COINCIDENCE_LAG_MIN_MS) / (2.0 * JITTER_MS);
    for (size_t i = from; i < to; i++) {
        int64_t at = pair->episodes[i].time_ms;
        size_t fires = order_find(pair->fires, pair->fire_count, at + JITTER_MS) -
                       order_find(pair->fires, pair->fire_count, at - JITTER_MS);
        sum += 1 - pow(1 - inside, (double)fires);
    }
    return score == SCORE_ANY ? fmin(sum, 1) : sum / (double)(to - from);
}

static double jitter_p_value(const struct pair *pair, int window, int score)
{
    double *chance = chance_at(pair, MODEL_KIND, window, score);
    for (size_t d = 0; d < pair->day_count; d++)
        chance[d] = jitter_chance(pair, d, window, score);
    return tail(observed(pair, window, score), chance, pair->day_count);
}

/* What the other days of one model gave. */
struct tally {
    double days, score[COINCIDENCE_WINDOWS][SCORE_COUNT];
};

/* What day d's episodes would have met on another day, at times moved by shift_ms. *around adds the
 * fires within the hour before and after. */
static void meet_day(const struct pair *pair, size_t d, int64_t shift_ms, struct tally *met,
                     double *around)
{
    int matched[COINCIDENCE_WINDOWS] = {0};
    size_t from = pair->day_first[d], to = pair->day_first[d + 1];
    for (size_t i = from; i < to; i++) {
        int64_t at = pair->episodes[i].time_ms + shift_ms, lag = INT64_MAX;
        size_t f = order_find(pair->fires, pair->fire_count, at - BROAD_MS);
        for (; f < pair->fire_count && pair->fires[f] <= at + BROAD_MS; f++) {
            *around += 1;
            if (pair->fires[f] <= at - COINCIDENCE_LAG_MIN_MS)
                lag = at - pair->fires[f];
        }
        for (int w = 0; w < COINCIDENCE_WINDOWS; w++)
            matched[w] += lag <= coincidence_window_ms[w];
    }
    met->days = 1;
    for (int w = 0; w < COINCIDENCE_WINDOWS; w++) {
        met->score[w][SCORE_ANY] = matched[w] > 0;
        met->score[w][SCORE_SHARE] = (double)matched[w] / (double)(to - from);
    }
}

static void tally_add(struct tally *sum, const struct tally *met)
{
    sum->days += met->days;
    for (int w = 0; w < COINCIDENCE_WINDOWS; w++)
        for (int s = 0; s < SCORE_COUNT; s++)
            sum->score[w][s] += met->score[w][s];
}

static bool is_weekend(const struct days *days, int day)
{
    return days_weekday(days, day) >= 5;
}

/* Whether the day is one of the nearest of its kind: at most half of them on either side. */
static bool is_near(int distance, bool weekend)
{
    return distance <= (weekend ? NEAR_DAYS * 7 / 4 : NEAR_DAYS * 7 / 10);
}

/* The expectation of a day's score: what the model's days gave, with the broad intensity as one
 * more day, and at least that. */
static void expect(const struct pair *pair, size_t d, int model, const struct tally *tally,
                   double intensity)
{
    size_t episodes = pair->day_first[d + 1] - pair->day_first[d];
    for (int w = 0; w < COINCIDENCE_WINDOWS; w++)
        for (int s = 0; s < SCORE_COUNT; s++) {
            double broad = 1 - exp(-intensity * coincidence_window_ms[w] *
                                   (s == SCORE_ANY ? (double)episodes : 1));
            double here = (tally->score[w][s] + BROAD_DAYS * broad) / (tally->days + BROAD_DAYS);
            chance_at(pair, model, w, s)[d] = fmax(here, broad);
        }
}

/* Compares day d with the other training days, for every model. */
static void compare_day(const struct pair *pair, size_t d)
{
    const struct coincidence_days *on = pair->on;
    const struct days *days = on->days;
    int day = pair->episodes[pair->day_first[d]].day, here = 0;
    while (here < on->training_count - 1 && on->training[here] < day)
        here++;
    int from = here - COMPARED_DAYS_MAX / 2 > 0 ? here - COMPARED_DAYS_MAX / 2 : 0;
    struct tally all = {0}, sums[MODEL_COUNT] = {{0}};
    double around = 0, ignored = 0;
    for (int k = from; k < on->training_count && k <= from + COMPARED_DAYS_MAX; k++) {
        int other = on->training[k];
        bool weekend = is_weekend(days, day);
        if (other == day)
            continue;
        struct tally met;
        meet_day(pair, d, on->start_ms[other] - on->start_ms[day], &met, &around);
        tally_add(&all, &met);
        if (is_weekend(days, other) != weekend)
            continue;
        tally_add(&sums[MODEL_KIND], &met);
        if (days_weekday(days, other) == days_weekday(days, day))
            tally_add(&sums[MODEL_WEEKDAY], &met);
        if (is_near(abs(other - day), weekend))
            tally_add(&sums[MODEL_NEAR], &met);
        for (int s = 0; s < 2; s++) {
            const int64_t *sun = on->sun_ms[s];
            if (sun == NULL || sun[other] == INT64_MIN || sun[day] == INT64_MIN)
                continue;
            meet_day(pair, d, sun[other] - sun[day], &met, &ignored);
            tally_add(&sums[MODEL_SUNRISE + s], &met);
        }
    }
    size_t episodes = pair->day_first[d + 1] - pair->day_first[d];
    double intensity = all.days == 0 ? 0 : around / (all.days * (double)episodes * 2.0 * BROAD_MS);
    intensity = fmax(intensity, pair->everyday);
    if (sums[MODEL_KIND].days < KIND_DAYS_MIN)
        sums[MODEL_KIND] = all;
    for (int m = 0; m < MODEL_COUNT; m++) {
        bool usable = sums[m].days >= (m == MODEL_WEEKDAY ? WEEKDAY_DAYS_MIN : KIND_DAYS_MIN);
        expect(pair, d, m, usable ? &sums[m] : &sums[MODEL_KIND], intensity);
    }
}

static void pair_split_days(struct pair *pair, size_t count)
{
    pair->day_first = xcalloc(count + 1, sizeof *pair->day_first);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || pair->episodes[i].day != pair->episodes[i - 1].day)
            pair->day_first[pair->day_count++] = i;
    pair->day_first[pair->day_count] = count;
    pair->chance =
        xcalloc((size_t)MODEL_COUNT * COINCIDENCE_WINDOWS * SCORE_COUNT * pair->day_count,
                sizeof *pair->chance);
}

/* The worst of the models, for the better score. */
static double worst_p_value(const struct pair *pair, int window)
{
    double best = 1;
    for (int s = 0; s < SCORE_COUNT; s++) {
        double worst = 0, score = observed(pair, window, s);
        for (int m = 0; m < MODEL_COUNT && worst < best; m++)
            worst = fmax(worst, tail(score, chance_at(pair, m, window, s), pair->day_count));
        best = fmin(best, worst);
    }
    return best;
}

void coincidence_of_acts(const struct coincidence_days *on, const int64_t *fires, size_t fire_count,
                         const struct episode *episodes, size_t count, const int64_t *lag_ms,
                         double enough, double p[COINCIDENCE_WINDOWS])
{
    struct pair pair = {.on = on,
                        .fires = fires,
                        .fire_count = fire_count,
                        .episodes = episodes,
                        .lag_ms = lag_ms,
                        .everyday = ((double)fire_count + 1) /
                                    ((double)on->training_count * STATS_DAY_S * 1000.0)};
    pair_split_days(&pair, count);
    double best = 1;
    for (int w = 0; w < COINCIDENCE_WINDOWS; w++) {
        double any = jitter_p_value(&pair, w, SCORE_ANY);
        double share = jitter_p_value(&pair, w, SCORE_SHARE);
        p[w] = fmin(1, fmin(any, share) * CHOICES);
        best = fmin(best, p[w]);
    }
    if (best <= enough) {
        for (size_t d = 0; d < pair.day_count; d++)
            compare_day(&pair, d);
        for (int w = 0; w < COINCIDENCE_WINDOWS; w++)
            p[w] = fmin(1, fmax(p[w], worst_p_value(&pair, w) * CHOICES));
    }
    free(pair.day_first);
    free(pair.chance);
}

/* ---- fires --------------------------------------------------------------------------------- */

static bool acts_between(const int64_t *act_ms, size_t count, int64_t from_ms, int64_t to_ms)
{
    size_t i = order_find(act_ms, count, from_ms);
    return i < count && act_ms[i] <= to_ms;
}

/* How an occasion's chance is reckoned: expectations of a follow-up within the window, under either
 * model, and within the reach. */
struct occasion_chance {
    double jitter, clock, reach;
};

static struct occasion_chance occasion_chance(const struct coincidence_days *on,
                                              const struct occasion *o, const int64_t *act_ms,
                                              size_t act_count, const struct freedom *freedom,
                                              int64_t window_ms)
{
    int64_t span = o->to_ms - o->from_ms + window_ms, reach = COINCIDENCE_REACH_MS;
    double near = (double)(order_find(act_ms, act_count, o->from_ms + JITTER_MS) -
                           order_find(act_ms, act_count, o->from_ms - JITTER_MS));
    struct occasion_chance out = {.jitter =
                                      1 - pow(1 - fmin(1, (double)span / (2.0 * JITTER_MS)), near)};
    int here = 0;
    while (here < on->training_count - 1 && on->training[here] < o->day)
        here++;
    double days = 0, hits = 0, reached = 0, around = 0, looked = 0;
    for (int step = 1; step < on->training_count && looked < COMPARED_FIRE_DAYS_MAX; step++)
        for (int side = -1; side <= 1; side += 2) {
            int k = here + side * step;
            if (k < 0 || k >= on->training_count ||
                is_weekend(on->days, on->training[k]) != is_weekend(on->days, o->day))
                continue;
            int64_t at = o->from_ms + on->start_ms[on->training[k]] - on->start_ms[o->day];
            around += (double)(order_find(act_ms, act_count, at + BROAD_MS) -
                               order_find(act_ms, act_count, at - BROAD_MS));
            looked++;
            if (!freedom_at(freedom, at))
                continue;
            days++;
            hits += acts_between(act_ms, act_count, at + COINCIDENCE_LAG_MIN_MS, at + span);
            reached += acts_between(act_ms, act_count, at, at + reach);
        }
    double intensity = fmax(around / fmax(looked, 1), (double)act_count / on->training_count / 12) /
                       (2.0 * BROAD_MS);
    double broad = 1 - exp(-intensity * (double)span);
    out.clock = fmax(broad, (hits + BROAD_DAYS * broad) / (days + BROAD_DAYS));
    out.reach =
        (reached + BROAD_DAYS * (1 - exp(-intensity * (double)reach))) / (days + BROAD_DAYS);
    return out;
}

double coincidence_of_fires(const struct coincidence_days *on, const struct occasion *occasions,
                            size_t count, const int64_t *act_ms, size_t act_count,
                            const struct freedom *freedom, int window, double *chance)
{
    double *jitter = xcalloc(count, sizeof *jitter), *clock = xcalloc(count, sizeof *clock);
    double score = 0, reach = 0;
    size_t days = 0;
    int64_t window_ms = coincidence_window_ms[window];
    for (size_t from = 0, to; from < count; from = to, days++) {
        double followed = 0;
        for (to = from; to < count && occasions[to].day == occasions[from].day; to++) {
            const struct occasion *o = &occasions[to];
            struct occasion_chance one =
                occasion_chance(on, o, act_ms, act_count, freedom, window_ms);
            jitter[days] += one.jitter;
            clock[days] += one.clock;
            reach += one.reach;
            followed += acts_between(act_ms, act_count, o->from_ms + COINCIDENCE_LAG_MIN_MS,
                                     o->to_ms + window_ms);
        }
        double all = (double)(to - from);
        jitter[days] /= all;
        clock[days] /= all;
        score += followed / all;
    }
    double p = fmax(tail(score, jitter, days), tail(score, clock, days)) * CHOICES;
    *chance = count == 0 ? 0 : reach / (double)count;
    free(jitter);
    free(clock);
    return fmin(p, 1);
}

/* ---- ages ---------------------------------------------------------------------------------- */

/* Uses between two ages: how many ended there, and for how long they were seen there. */
struct between {
    int64_t from_ms, to_ms;
    double ended, seen_ms;
};

/* Counts every use of the training days but those of this day. */
static void count_uses(struct between *out, const struct coincidence_days *on,
                       const struct freedom *freedom, int day)
{
    size_t from = order_find(freedom->length_ms, freedom->length_count, out->from_ms + 1);
    size_t to = order_find(freedom->length_ms, freedom->length_count, out->to_ms + 1);
    int64_t span_ms = out->to_ms - out->from_ms;
    out->ended = (double)(to - from);
    out->seen_ms =
        (double)(freedom->length_count - to) * (double)span_ms - out->ended * (double)out->from_ms;
    if (freedom->length_count > 0)
        out->seen_ms += (double)(freedom->total_ms[to] - freedom->total_ms[from]);
    size_t i = order_find(freedom->toggle_ms, freedom->count, on->start_ms[day]);
    for (i += i % 2; i + 1 < freedom->count && freedom->toggle_ms[i] < on->start_ms[day + 1];
         i += 2) {
        int64_t length = freedom->toggle_ms[i + 1] - freedom->toggle_ms[i];
        if (length <= out->from_ms)
            continue;
        out->ended -= length <= out->to_ms;
        out->seen_ms -= (double)((length < out->to_ms ? length : out->to_ms) - out->from_ms);
    }
}

/* The chance that a use which is age_ms old ends within the window, by the rate at which those of
 * other days ended about that age. One more counts whose length has no scale: of its kind the
 * share 1 / x lasts x times as long. */
static double age_chance(const struct coincidence_days *on, const struct freedom *freedom, int day,
                         int64_t age_ms, int64_t window_ms)
{
    double age = fmax((double)age_ms, COINCIDENCE_LAG_MIN_MS);
    struct between uses = {.from_ms = (int64_t)(age / AGE_FACTOR),
                           .to_ms = (int64_t)((age + (double)window_ms) * AGE_FACTOR)};
    count_uses(&uses, on, freedom, day);
    double ratio = (double)uses.to_ms / (double)uses.from_ms;
    double ended = fmax(uses.ended, 0) + 1 - 1 / ratio;
    double seen_ms = fmax(uses.seen_ms, 0) + (double)uses.from_ms * log(ratio);
    return 1 - exp(-ended / seen_ms * (double)window_ms);
}

/* Only the first occasion of each use counts: how many there are depends on when it ends. */
double coincidence_of_ages(const struct coincidence_days *on, const struct occasion *occasions,
                           size_t count, const int64_t *act_ms, size_t act_count,
                           const struct freedom *freedom, int window)
{
    double *chance = xcalloc(count, sizeof *chance), score = 0;
    size_t days = 0, latest = SIZE_MAX;
    int64_t window_ms = coincidence_window_ms[window];
    for (size_t i = 0; i < count;) {
        double uses = 0, followed = 0;
        int day = occasions[i].day;
        for (; i < count && occasions[i].day == day; i++) {
            int64_t at = occasions[i].from_ms;
            size_t toggle = order_find(freedom->toggle_ms, freedom->count, at);
            if (toggle == latest || toggle % 2 == 0)
                continue;
            latest = toggle;
            uses++;
            followed +=
                acts_between(act_ms, act_count, at + COINCIDENCE_LAG_MIN_MS, at + window_ms);
            chance[days] +=
                age_chance(on, freedom, day, at - freedom->toggle_ms[toggle - 1], window_ms);
        }
        if (uses == 0)
            continue;
        score += followed / uses;
        chance[days++] /= uses;
    }
    double p = tail(score, chance, days) * CHOICES;
    free(chance);
    return fmin(p, 1);
}
