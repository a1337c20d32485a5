/* What is left on: lengths of uses, the rule that ends them, and what people want to be long. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <json-c/json.h>

#include "berlin.h"
#include "made_history.h"
#include "seeded.h"
#include "stats/lengths.h"
#include "suggest/analysis.h"

static int setup(void **state)
{
    (void)state;
    seed_init();
    return berlin_setup(6, 1);
}

static int poisson(double mean)
{
    int count = 0;
    for (double sum = made_exponential(&seed); sum < mean; sum += made_exponential(&seed))
        count++;
    return count;
}

/* ---- lengths ------------------------------------------------------------------------------- */

enum { LENGTHS_MAX = 400 };

static int compare_lengths(const void *left, const void *right)
{
    const struct length *a = left, *b = right;
    return (a->log_s > b->log_s) - (a->log_s < b->log_s);
}

static bool split(struct length *list, size_t count, double least, struct lengths_split *out)
{
    qsort(list, count, sizeof *list, compare_lengths);
    return lengths_split(&(struct lengths){list, count}, least, out);
}

/* One distribution each. The null model holds for the first four, up to the heavy tail of the
 * log-logistic; the others have sharper peaks. */
static double draw_lognormal(void)
{
    return 6 + 0.8 * made_normal(&seed);
}
static double draw_weibull(void)
{
    return 6 + log(made_exponential(&seed)) / 1.5;
}
static double draw_even(void)
{
    return 4 + 4 * made_uniform(&seed);
}
static double draw_log_logistic(void)
{
    double u = made_uniform(&seed);
    return 6 + 0.4 * log(u / (1 - u));
}
static double draw_student(void)
{
    double squares = 0;
    for (int i = 0; i < 5; i++)
        squares += pow(made_normal(&seed), 2);
    return 6 + 0.6 * made_normal(&seed) / sqrt(squares / 5);
}
static double draw_laplace(void)
{
    return 6 + 0.6 * (made_uniform(&seed) < 0.5 ? -1 : 1) * made_exponential(&seed);
}
static double draw_pareto(void)
{
    return 4 + made_exponential(&seed);
}

static const struct {
    const char *name;
    double (*draw)(void);
    double most; /* so many times the nominal share; measured */
} singles[] = {
    {"lognormal", draw_lognormal, 1},
    {"Weibull", draw_weibull, 1},
    {"even", draw_even, 1},
    {"log-logistic", draw_log_logistic, 1.2},
    {"Student's t, 5", draw_student, 12},
    {"Laplace", draw_laplace, 24},
    {"Pareto", draw_pareto, 24},
};

/* Shares of null lists at or below 0.05 and 0.005, which may exceed these by four standard
 * deviations of the count. */
static void assert_rare(int single, size_t count, double least)
{
    int lists = getenv("LISTS") != NULL ? atoi(getenv("LISTS")) : 300, low = 0, lower = 0;
    for (int i = 0; i < lists; i++) {
        struct length list[LENGTHS_MAX];
        struct lengths_split fit;
        for (size_t n = 0; n < count; n++)
            list[n] =
                (struct length){singles[single].draw(), (int)n / 2, made_uniform(&seed) < 0.05};
        split(list, count, least, &fit);
        low += fit.p_value <= 0.05;
        lower += fit.p_value <= 0.005;
    }
    double most = singles[single].most * lists;
    printf(" %5.2f %5.2f", 100.0 * low / lists, 100.0 * lower / lists);
    assert_true(low <= most * 0.05 + 4 * sqrt(most * 0.05));
    assert_true(lower <= most * 0.005 + 4 * sqrt(most * 0.005));
}

/* With the others anywhere, and two and a half standard deviations off and more. LISTS=2000 for the
 * table of docs/miner.md. */
static void test_one_distribution(void **state)
{
    (void)state;
    static const double leasts[] = {-HUGE_VAL, 8};
    for (int k = 0; k < (int)(sizeof singles / sizeof *singles); k++) {
        printf("%-16s", singles[k].name);
        for (int i = 0; i < 2; i++) {
            assert_rare(k, 15, leasts[i]);
            assert_rare(k, 40, leasts[i]);
            assert_rare(k, 120, leasts[i]);
        }
        printf("\n");
    }
}

/* Uses of a day that hang together are one witness: a week of long days proves nothing. */
static void test_one_day_is_one_witness(void **state)
{
    (void)state;
    struct length list[60];
    struct lengths_split fit;
    for (int i = 0; i < 60; i++)
        list[i] =
            (struct length){i < 50 ? 6 + 0.2 * made_normal(&seed) : 9 + 0.3 * made_normal(&seed),
                            i < 50 ? i / 2 : 30 + i % 10, false};
    split(list, 60, -HUGE_VAL, &fit);
    double ten_days = fit.p_value;
    assert_true(ten_days < 1e-4);
    for (int i = 0; i < 60; i++)
        list[i].day = list[i].log_s > 7.5 ? 30 : list[i].day;
    split(list, 60, -HUGE_VAL, &fit);
    assert_true(fit.p_value > 1000 * ten_days);
}

/* A device with usual uses of any median and spread, now and then left on; so many days. Half of
 * them are used in a second way now and then. */
struct lapses {
    double median_log_s, spread, a_day, left_share, second_share;
};

static struct lapses draw_lapses(void)
{
    return (struct lapses){.median_log_s = log(180) + log(12) * made_uniform(&seed),
                           .spread = 0.15 + 0.4 * made_uniform(&seed),
                           .a_day = 0.7 + 3 * made_uniform(&seed),
                           .left_share = 0.05 + 0.15 * made_uniform(&seed),
                           .second_share =
                               made_uniform(&seed) < 0.5 ? 0.05 * made_exponential(&seed) : 0};
}

/* Of what is wanted. */
static double draw_wanted(const struct lapses *lapses)
{
    double more =
        made_uniform(&seed) < lapses->second_share ? log(2) + log(4) * made_uniform(&seed) : 0;
    return lapses->median_log_s + lapses->spread * made_normal(&seed) + more;
}

static size_t draw_lengths(const struct lapses *lapses, int days, struct length *list)
{
    size_t count = 0;
    for (int day = 0; day < days; day++)
        for (int n = poisson(lapses->a_day); n > 0 && count < LENGTHS_MAX; n--) {
            bool left = made_uniform(&seed) < lapses->left_share,
                 is_cut = made_uniform(&seed) < 0.03;
            double log_s = left ? log(3600 * (3 + 7 * made_uniform(&seed))) : draw_wanted(lapses);
            list[count++] =
                (struct length){log_s + (is_cut ? log(made_uniform(&seed)) : 0), day, is_cut};
        }
    return count;
}

/* How many wanted uses a week last longer. */
static double count_wrong(const struct lapses *lapses, double log_s)
{
    enum { DRAWS = 5000 };
    int longer = 0;
    for (int i = 0; i < DRAWS; i++)
        longer += draw_wanted(lapses) > log_s;
    return 7 * lapses->a_day * (1 - lapses->left_share) * longer / DRAWS;
}

/* In the mean over devices, what is predicted of a wait that is chosen by the prediction is true
 * within 30 %: the smallest round one that would be wrong less than once in ten weeks, and never
 * was. */
static void test_prediction_is_true(void **state)
{
    (void)state;
    enum { DEVICES = 400, WAITS = 12, DAYS = 22 };
    static const int minutes[WAITS] = {5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300};
    double log_s[WAITS], tail[WAITS], stated = 0, truly = 0, squares = 0, limit = log(7200);
    int devices = 0;
    for (int i = 0; i < WAITS; i++)
        log_s[i] = log(minutes[i] * 60);
    for (int device = 0; device < DEVICES; device++) {
        struct length list[LENGTHS_MAX];
        struct lengths_split fit;
        struct lapses lapses = draw_lapses();
        size_t count = draw_lengths(&lapses, DAYS, list), wanted = 0;
        if (!split(list, count, limit, &fit) || fit.p_value > 0.005)
            continue;
        lengths_predict(&(struct lengths){list, count}, limit, 0.5, log_s, tail, WAITS);
        while (wanted < count && list[wanted].log_s <= limit)
            wanted++;
        for (int i = 0; i < WAITS; i++) {
            double wrong = (double)wanted / (DAYS / 7.0) * tail[i];
            if (wrong > 0.1 || (log_s[i] < limit && list[wanted - 1].log_s > log_s[i]))
                continue;
            double real = count_wrong(&lapses, log_s[i]);
            stated += wrong;
            truly += real;
            squares += (real - wrong) * (real - wrong);
            devices++;
            break;
        }
    }
    printf("%d devices: stated %.4f a week, true %.4f (standard error %.4f)\n", devices,
           stated / devices, truly / devices, sqrt(squares) / devices);
    assert_true(devices > 100);
    assert_true(fabs(truly - stated) < 0.3 * stated + 4 * sqrt(squares));
}

static void test_too_little(void **state)
{
    (void)state;
    struct lengths_split fit;
    assert_false(lengths_split(&(struct lengths){NULL, 0}, -HUGE_VAL, &fit));
    assert_true(fit.p_value == 1);
    struct length list[30];
    for (int i = 0; i < 30; i++)
        list[i] = (struct length){6, i, i >= 9};
    assert_false(split(list, 30, -HUGE_VAL, &fit)); /* nine ended */
    for (int i = 0; i < 30; i++)
        list[i].is_cut = false;
    split(list, 30, -HUGE_VAL, &fit); /* all alike */
    assert_true(fit.p_value > 0.05);
    double long_s = log(7200), tail = 0;
    lengths_predict(&(struct lengths){list, 9}, HUGE_VAL, 0, &long_s, &tail, 1);
    assert_true(tail == 1);
    lengths_predict(&(struct lengths){list, 30}, HUGE_VAL, 0, &long_s, &tail, 1);
    assert_true(tail < 1e-6);
    lengths_predict(&(struct lengths){list, 30}, 5, 0, &long_s, &tail, 1);
    assert_true(tail == 1); /* none is below the limit */
}

/* ---- whole histories ------------------------------------------------------------------------ */

/* How a lamp is used. */
struct manner {
    int days;
    double median_s, spread, a_day;
    double left_share;    /* of the uses, for hours */
    int evening_s;        /* 0, or the length of a use every day at 19:00 or so */
    double machine_share; /* of the uses left on: an automation ends them after two hours */
    int longer_from;      /* from that day on uses last 1.7 times as long; 0 = never */
};

static const struct manner usual = {
    .days = 40, .median_s = 720, .spread = 0.25, .a_day = 3, .left_share = 0.1};

static double use_length(const struct manner *manner, int day, bool left)
{
    if (left)
        return 3600 * (3 + 5 * made_uniform(&seed));
    double longer = manner->longer_from > 0 && day >= manner->longer_from ? 1.7 : 1;
    return longer * manner->median_s * exp(manner->spread * made_normal(&seed));
}

/* Uses one after another from 7:00 on; returns those left on. */
static int use_lamp(struct history *h, const struct manner *manner)
{
    struct history_entity *e = made_entity(h, "light.cellar");
    free(e->area);
    e->area = xstrdup("Cellar");
    made_change(h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    int lapses = 0;
    for (int day = 0; day < manner->days; day++) {
        double at = 7 * 3600, end_of_day = manner->evening_s > 0 ? 18.5 * 3600 : 23.5 * 3600;
        for (;;) {
            at += made_exponential(&seed) * 15 * 3600 / manner->a_day;
            bool left = made_uniform(&seed) < manner->left_share;
            double length = use_length(manner, day, left);
            if (at + length > end_of_day)
                break;
            bool by_machine = left && made_uniform(&seed) < manner->machine_share;
            lapses += left;
            length = by_machine ? 7200 : length;
            made_change(h, e, monday + day, (int)at, HISTORY_STATE_ON, CAUSE_PHYSICAL);
            made_change(h, e, monday + day, (int)(at + length), HISTORY_STATE_OFF,
                        by_machine ? CAUSE_AUTOMATION : CAUSE_PHYSICAL);
            at += length;
        }
        if (manner->evening_s == 0)
            continue;
        at = 19 * 3600 + 1500 * made_normal(&seed);
        made_change(h, e, monday + day, (int)at, HISTORY_STATE_ON, CAUSE_PHYSICAL);
        made_change(h, e, monday + day,
                    (int)(at + manner->evening_s * exp(0.1 * made_normal(&seed))),
                    HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    }
    return lapses;
}

/* The JSON pointer's value; NULL when there is none. Borrowed. */
static json_object *at(json_object *result, const char *path)
{
    json_object *found = NULL;
    return json_pointer_get(result, path, &found) == 0 ? found : NULL;
}

static json_object *analyse(const struct history *h)
{
    return analysis_run(h, &(struct analysis_options){.explain = true, .threads = 1});
}

/* The entry of that kind in a list; NULL = none. Borrowed. */
static json_object *find_kind(json_object *result, const char *list, const char *kind)
{
    json_object *array = at(result, list);
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        json_object *one = json_object_array_get_idx(array, i);
        if (strcmp(json_object_get_string(at(one, "/kind")), kind) == 0)
            return one;
    }
    return NULL;
}

static const char *reason_of(json_object *result)
{
    json_object *one = find_kind(result, "/explained", "left_on");
    return one == NULL ? "" : json_object_get_string(at(one, "/reason"));
}

static double number(json_object *object, const char *path)
{
    return json_object_get_double(at(object, path));
}

static void test_planted(void **state)
{
    (void)state;
    int found = 0, half_hour = 0;
    for (int world = 0; world < 20; world++) {
        struct history h;
        made_init(&h, tz, monday, usual.days);
        use_lamp(&h, &usual);
        json_object *result = analyse(&h), *one = find_kind(result, "/suggestions", "left_on");
        if (one != NULL) {
            found++;
            assert_string_equal(json_object_get_string(at(one, "/automation/triggers/0/entity_id")),
                                "light.cellar");
            assert_string_equal(json_object_get_string(at(one, "/automation/triggers/0/to")), "on");
            const char *wait = json_object_get_string(at(one, "/automation/triggers/0/for"));
            half_hour += strcmp(wait, "00:30:00") == 0;
            assert_string_equal(json_object_get_string(at(one, "/automation/actions/0/action")),
                                "light.turn_off");
            assert_true(strncmp(json_object_get_string(at(one, "/title")), "Turn off light.cellar",
                                21) == 0);
            assert_true(number(one, "/expected/wrong_offs_per_week") <= 0.1);
            assert_true(number(one, "/expected/saved_minutes_per_week") > 50);
            assert_true(number(one, "/backtest/misses") <= 1);
            assert_true(number(one, "/score") > 0.5);
        }
        json_object_put(result);
        history_release(&h);
    }
    /* 20 minutes are 2 standard deviations, 30 are 3.7 */
    printf("planted: %d of 20 found, %d to be ended after 30 minutes\n", found, half_hour);
    assert_true(found >= 12 && half_hour >= found * 2 / 3);
}

/* No rule, for the reason given ("" = nothing was even thought of). At most one of so many. */
static void assert_none(const struct manner *manner, int worlds, const char *reason)
{
    int suggested = 0, told = 0;
    for (int world = 0; world < worlds; world++) {
        struct history h;
        made_init(&h, tz, monday, manner->days);
        use_lamp(&h, manner);
        json_object *result = analyse(&h);
        suggested += find_kind(result, "/suggestions", "left_on") != NULL;
        told += strcmp(reason_of(result), reason) == 0;
        json_object_put(result);
        history_release(&h);
    }
    assert_true(suggested <= worlds / 20);
    assert_true(2 * told > worlds);
}

/* Broad lengths, and none of hours. */
static void test_null_worlds(void **state)
{
    (void)state;
    struct manner manner = usual;
    manner.left_share = 0;
    assert_none(&manner, 20, "");
    manner.median_s = 1800;
    manner.spread = 1;
    assert_none(&manner, 20, "");
}

static void test_evenings_are_meant(void **state)
{
    (void)state;
    struct manner manner = usual;
    manner.left_share = 0;
    manner.a_day = 9; /* so that one long use a day is no large share */
    manner.evening_s = 3 * 3600;
    assert_none(&manner, 20, "long_on_purpose");
    struct history h;
    made_init(&h, tz, monday, 40);
    struct history_entity *e = made_entity(&h, "light.desk");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int day = 0; day < 40; day++) { /* long on every third evening, short all day */
        for (int n = 0; n < 4; n++)
            made_use(&h, e, monday + day, 25200 + n * 9000 + (int)(3600 * made_uniform(&seed)),
                     (int)(600 * exp(0.2 * made_normal(&seed))));
        if (day % 3 == 0)
            made_use(&h, e, monday + day, 66600 + (int)(1200 * made_normal(&seed)),
                     (int)(14400 * exp(0.2 * made_normal(&seed))));
    }
    json_object *result = analyse(&h);
    assert_null(find_kind(result, "/suggestions", "left_on"));
    assert_string_equal(reason_of(result), "long_on_purpose");
    json_object_put(result);
    history_release(&h);
}

/* Somebody moves in the room all the time while it is long on, or hardly. */
static void watch(struct history *h, double seen_a_minute)
{
    struct history_entity *e = made_entity(h, "binary_sensor.cellar_motion");
    e->area = xstrdup("Cellar");
    e->device_class = xstrdup("motion");
    const struct history_entity *lamp = &h->entities[h->entity_count - 2];
    made_change(h, e, monday, 50, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (size_t i = 1; i + 1 < lamp->changes; i++) {
        if (lamp->state[i] != HISTORY_STATE_ON)
            continue;
        int64_t ms = lamp->time_ms[i] + 1000;
        while (ms + 30000 < lamp->time_ms[i + 1]) {
            made_change_ms(h, e, ms, HISTORY_STATE_ON, CAUSE_PHYSICAL);
            made_change_ms(h, e, ms + 20000, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
            ms += 30000 + (int64_t)(60000 * made_exponential(&seed) / seen_a_minute);
        }
    }
}

static int compare_entities(const void *left, const void *right)
{
    const struct history_entity *a = left, *b = right;
    return strcmp(a->entity_id, b->entity_id);
}

static void test_somebody_is_there(void **state)
{
    (void)state;
    int there = 0, suggested = 0;
    for (int world = 0; world < 10; world++)
        for (int busy = 0; busy < 2; busy++) {
            struct history h;
            made_init(&h, tz, monday, usual.days);
            use_lamp(&h, &usual);
            watch(&h, busy ? 0.5 : 1 / 60.0);
            qsort(h.entities, h.entity_count, sizeof *h.entities, compare_entities);
            json_object *result = analyse(&h);
            bool is_suggested = find_kind(result, "/suggestions", "left_on") != NULL;
            assert_true(!busy || !is_suggested);
            suggested += is_suggested;
            there += busy && strcmp(reason_of(result), "long_on_purpose") == 0;
            json_object_put(result);
            history_release(&h);
        }
    assert_true(suggested >= 7);
    assert_true(there >= 7);
}

static void test_automated_already(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 40);
    struct history_entity *e = made_entity(&h, "light.a");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int day = 0; day < 40; day++)
        for (int n = 0; n < 4; n++) {
            bool left = day % 4 == 0 && n == day / 4 % 4, by_machine = !left && (n + day) % 4 != 0;
            double length =
                left ? 9000 * (1 + 0.5 * made_uniform(&seed)) : 600 * exp(0.2 * made_normal(&seed));
            int begin = 28800 + n * 13000 + (int)(3600 * made_uniform(&seed));
            length = by_machine ? 500 + 5 * day : length;
            made_change(&h, e, monday + day, begin, HISTORY_STATE_ON, CAUSE_PHYSICAL);
            made_change(&h, e, monday + day, begin + (int)length, HISTORY_STATE_OFF,
                        by_machine ? CAUSE_AUTOMATION : CAUSE_PHYSICAL);
        }
    json_object *result = analyse(&h);
    assert_null(find_kind(result, "/suggestions", "left_on"));
    assert_string_equal(reason_of(result), "automated_already");
    json_object_put(result);
    history_release(&h);
}

/* The held-out days refute: uses last 1.7 times as long there. */
static void test_longer_lately(void **state)
{
    (void)state;
    struct manner manner = usual;
    manner.longer_from = 30;
    assert_none(&manner, 20, "held_out_longer");
}

/* A use that `unavailable` interrupts has no length, and does not end the rule's waiting early. */
static void test_cut_uses(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 40);
    struct history_entity *e = made_entity(&h, "light.a");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int day = 0; day < 40; day++) {
        for (int n = 0; n < 3; n++)
            made_use(&h, e, monday + day, 28800 + n * 9000 + (int)(3600 * made_uniform(&seed)),
                     (int)(600 * exp(0.2 * made_normal(&seed))));
        if (day % 3 != 0)
            continue; /* on for five hours, but for a minute of which nothing is known */
        made_change(&h, e, monday + day, 61200, HISTORY_STATE_ON, CAUSE_PHYSICAL);
        made_change(&h, e, monday + day, 61800, HISTORY_STATE_UNAVAILABLE, CAUSE_PHYSICAL);
        made_change(&h, e, monday + day, 61860, HISTORY_STATE_ON, CAUSE_PHYSICAL);
        made_change(&h, e, monday + day, 79200, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    }
    json_object *result = analyse(&h);
    assert_null(find_kind(result, "/suggestions", "left_on"));
    assert_string_equal(reason_of(result), "");
    json_object_put(result);
    history_release(&h);
}

/* ---- in the dark ---------------------------------------------------------------------------- */

/* Who leaves the bath puts out the light seconds after the detector fell quiet. On some days
 * somebody lies in the tub meanwhile. */
static json_object *use_bath(int still_every)
{
    struct history h;
    made_init(&h, tz, monday, 40);
    struct history_entity *motion = made_entity(&h, "binary_sensor.bath_motion");
    motion->area = xstrdup("Bath");
    struct history_entity *lamp = made_entity(&h, "light.bath");
    lamp->area = xstrdup("Bath");
    motion = &h.entities[0];
    made_change(&h, motion, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_change(&h, lamp, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    int visit = 0;
    for (int day = 0; day < 40; day++)
        for (int n = 0; n < 4; n++, visit++) {
            int begin = 25200 + n * 13000 + (int)(7000 * made_uniform(&seed));
            made_change(&h, lamp, monday + day, begin + 3, HISTORY_STATE_ON, CAUSE_PHYSICAL);
            int spells = still_every > 0 && visit % still_every == 0 ? 2 : 1, end = begin;
            for (int k = 0; k < spells; k++) {
                made_change(&h, motion, monday + day, end, HISTORY_STATE_ON, CAUSE_PHYSICAL);
                end += 200 + (int)(100 * made_uniform(&seed));
                made_change(&h, motion, monday + day, end, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
                end += 220;
            }
            made_change(&h, lamp, monday + day, end - 215 + (int)(20 * made_uniform(&seed)),
                        HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        }
    json_object *result = analyse(&h);
    history_release(&h);
    return result;
}

static bool has_reason(json_object *result, const char *reason)
{
    json_object *list = at(result, "/explained");
    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (strcmp(json_object_get_string(at(json_object_array_get_idx(list, i), "/reason")),
                   reason) == 0)
            return true;
    return false;
}

static bool suggests_off(json_object *result)
{
    json_object *list = at(result, "/suggestions");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        json_object *one = json_object_array_get_idx(list, i);
        if (strcmp(json_object_get_string(at(one, "/kind")), "sequence") == 0 &&
            strncmp(json_object_get_string(at(one, "/title")), "Turn off", 8) == 0)
            return true;
    }
    return false;
}

static void test_in_the_dark(void **state)
{
    (void)state;
    int suggested = 0, dark = 0; /* by chance the hours may tell as much as the detector */
    for (int world = 0; world < 6; world++) {
        json_object *result = use_bath(0);
        suggested += suggests_off(result);
        assert_false(has_reason(result, "left_in_the_dark"));
        json_object_put(result);
        result = use_bath(3); /* at any hour: else a window would do */
        assert_false(suggests_off(result));
        dark += has_reason(result, "left_in_the_dark");
        json_object_put(result);
    }
    assert_true(suggested >= 3);
    assert_true(dark >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_distribution),
        cmocka_unit_test(test_one_day_is_one_witness),
        cmocka_unit_test(test_prediction_is_true),
        cmocka_unit_test(test_too_little),
        cmocka_unit_test(test_planted),
        cmocka_unit_test(test_null_worlds),
        cmocka_unit_test(test_evenings_are_meant),
        cmocka_unit_test(test_somebody_is_there),
        cmocka_unit_test(test_automated_already),
        cmocka_unit_test(test_longer_lately),
        cmocka_unit_test(test_cut_uses),
        cmocka_unit_test(test_in_the_dark),
    };
    return cmocka_run_group_tests(tests, setup, berlin_teardown);
}
