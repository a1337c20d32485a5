/* Conditions: a home's predicates, and which of them tells when a rule is followed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "made_history.h"
#include "seeded.h"
#include "mine/gates.h"
#include "mine/miner.h"

enum { HOUR = 3600, CASES_MAX = 6000 };

static struct tz *tz;
static int64_t monday; /* 2026-02-02 */

static int setup(void **state)
{
    (void)state;
    struct error err;
    tz = tz_load("Europe/Berlin", &err);
    monday = tz_days_from_civil(2026, 2, 2);
    seed_init();
    return tz == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    tz_free(tz);
    return 0;
}

static double uniform(double from, double to)
{
    return from + (to - from) * made_uniform(&seed);
}

static bool chance(double p)
{
    return made_uniform(&seed) < p;
}

/* ---- a home -------------------------------------------------------------------------------- */

struct home {
    struct history h;
    struct days days;
    struct daylight daylight;
    struct actors actors;
    struct gates gates;
    uint16_t home_state, not_home_state, party_state, quiet_state;
};

static uint16_t add_word(struct history *h, const char *word)
{
    h->states = grow_array(h->states, h->state_count, &h->state_capacity, sizeof *h->states);
    h->states[h->state_count] = xstrdup(word);
    return (uint16_t)h->state_count++;
}

static void add_person(struct home *home, const char *id, int days)
{
    struct history_entity *e = made_entity(&home->h, id);
    made_change(&home->h, e, monday, 0, home->home_state, CAUSE_PHYSICAL);
    for (int d = 0; d < days; d++) {
        if (made_weekday(monday + d) >= 5 ? chance(0.4) : chance(0.1))
            continue;
        made_change(&home->h, e, monday + d, (int)uniform(7.5 * HOUR, 9 * HOUR),
                    home->not_home_state, CAUSE_PHYSICAL);
        made_change(&home->h, e, monday + d, (int)uniform(15.5 * HOUR, 19 * HOUR), home->home_state,
                    CAUSE_PHYSICAL);
    }
}

/* Changes every few days. */
static void add_select(struct home *home, const char *id, int days)
{
    struct history_entity *e = made_entity(&home->h, id);
    const int words[] = {home->party_state, home->quiet_state, HISTORY_STATE_OFF};
    int now = 2;
    made_change(&home->h, e, monday, 0, words[now], CAUSE_PHYSICAL);
    for (int d = 0; d < days; d++) {
        if (!chance(0.5))
            continue;
        now = (now + (chance(0.5) ? 1 : 2)) % 3;
        made_change(&home->h, e, monday + d, (int)uniform(8 * HOUR, 23 * HOUR), words[now],
                    CAUSE_PHYSICAL);
    }
}

/* As bright as the sun is high, more or less by the day's clouds. */
static void add_light(struct home *home, const char *id, int days)
{
    struct history_entity *e = made_entity(&home->h, id);
    e->device_class = xstrdup("illuminance");
    e->means_from_ms = home->h.from_ms;
    e->mean_count = (size_t)days * 288;
    e->means = xcalloc(e->mean_count, sizeof *e->means);
    for (int d = 0; d < days; d++) {
        double clouds = exp(uniform(-1.2, 0.7));
        for (int k = 0; k < 288; k++) {
            double hour = k / 12.0, height = sin((hour - 7) / 11 * 3.14159);
            e->means[d * 288 + k] =
                (float)(hour > 7 && hour < 18 ? 3 + 400 * clouds * height * uniform(0.9, 1.1) : 3);
        }
    }
}

static void home_init(struct home *home, int days, bool has_light)
{
    *home = (struct home){.gates = {.count = 0}};
    made_init(&home->h, tz, monday, days);
    home->h.has_location = true;
    home->h.latitude = 52.5;
    home->h.longitude = 13.4;
    home->home_state = add_word(&home->h, "home");
    home->not_home_state = add_word(&home->h, "not_home");
    home->party_state = add_word(&home->h, "party");
    home->quiet_state = add_word(&home->h, "quiet");
    add_select(home, "input_select.mode", days);
    if (has_light)
        add_light(home, "sensor.light", days);
    add_person(home, "person.anna", days);
    add_person(home, "person.ben", days);
    days_init(&home->days, &home->h);
    daylight_init(&home->daylight, &home->h);
    gates_init(&home->gates, &home->h, &home->daylight, &home->days, &home->actors);
}

static void home_release(struct home *home)
{
    gates_release(&home->gates);
    daylight_release(&home->daylight);
    days_release(&home->days);
    history_release(&home->h);
}

/* ---- cases --------------------------------------------------------------------------------- */

static struct gate_case cases[CASES_MAX];
static size_t case_count;

static struct gate_question question_of(unsigned kinds)
{
    return (struct gate_question){.cases = cases,
                                  .count = case_count,
                                  .kinds = kinds,
                                  .own = {SIZE_MAX, SIZE_MAX},
                                  .usual = 0.1,
                                  .precision_min = 0.5};
}

static int compare_times(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Fires of training days, some a day, all over the waking hours. */
static void draw_cases(const struct home *home, double a_day)
{
    case_count = 0;
    for (int d = 0; d < home->days.count; d++) {
        double at[64];
        int count = 0;
        if (days_role(&home->days, d) != DAY_TRAINING)
            continue;
        for (double left = exp(-a_day), p = made_uniform(&seed); p > left && count < 64; count++) {
            at[count] = uniform(6.5, 23.5) * HOUR;
            p *= made_uniform(&seed);
        }
        if (count > 0)
            qsort(at, (size_t)count, sizeof *at, compare_times);
        for (int i = 0; i < count && case_count < CASES_MAX; i++) {
            int64_t ms = tz_to_utc(tz, home->days.first + d, (int)at[i]) * 1000;
            struct gate_case *c = &cases[case_count];
            *c = (struct gate_case){
                .time_ms = ms, .day = d, .fires = 1, .bin = (uint8_t)((int)at[i] / GATES_BIN_S)};
            gates_mark(&home->gates, &ms, 1, &c->holds);
            int64_t rest_ms = case_count == 0 ? 0 : ms - cases[case_count - 1].time_ms;
            c->rest = gates_rest_level(rest_ms);
            case_count++;
        }
    }
}

/* ---- without any ---------------------------------------------------------------------------- */

/* How a habit without conditions may vary all the same. */
struct mood {
    double rate, low, from, to; /* an era, in days */
    int low_hour;
};

static double even(const struct mood *mood, const struct gate_case *at)
{
    (void)at;
    return mood->rate;
}

/* Some days are lazy: hardly anything is done. */
static double lazy_days(const struct mood *mood, const struct gate_case *at)
{
    uint64_t own = (uint64_t)at->day * 7919 + (uint64_t)(mood->rate * 1e9);
    made_uniform(&own);
    return made_uniform(&own) < 0.25 ? mood->low : mood->rate;
}

static double by_the_hour(const struct mood *mood, const struct gate_case *at)
{
    return (at->bin / 2 + 24 - mood->low_hour) % 24 < 8 ? mood->rate - 0.3 : mood->rate;
}

static double began_late(const struct mood *mood, const struct gate_case *at)
{
    return at->day < mood->from ? 0.05 : mood->rate;
}

static double paused(const struct mood *mood, const struct gate_case *at)
{
    return at->day >= mood->from && at->day < mood->to ? 0.05 : mood->rate;
}

static const struct shape {
    const char *name;
    double (*rate)(const struct mood *mood, const struct gate_case *at);
} shapes[] = {{"one rate", even},
              {"lazy days", lazy_days},
              {"by the hour", by_the_hour},
              {"began late", began_late},
              {"paused", paused}};

static int count_spurious(const struct shape *shape, int days, int worlds,
                          int kinds[GATE_KIND_COUNT])
{
    int any = 0;
    for (int i = 0; i < worlds; i++) {
        struct home home;
        struct gate_choice choice;
        home_init(&home, days, i % 2 == 0);
        draw_cases(&home, exp(uniform(log(0.8), log(8))));
        double from = uniform(0.2, 0.6) * days * 0.75;
        const struct mood mood = {.rate = uniform(0.6, 0.95),
                                  .low = 0.1,
                                  .from = from,
                                  .to = from + uniform(0.1, 0.4) * days,
                                  .low_hour = (int)uniform(0, 24)};
        for (size_t k = 0; k < case_count; k++)
            cases[k].followed = chance(shape->rate(&mood, &cases[k]));
        struct gate_question q = question_of(~0U);
        gates_choose(&home.gates, &q, &choice);
        any += choice.count > 0;
        for (size_t k = 0; k < choice.count; k++)
            kinds[choice.gates[k].kind]++;
        home_release(&home);
    }
    return any;
}

static void test_spurious(void **state)
{
    (void)state;
    const char *given = getenv("PAIRS");
    int worlds = given != NULL ? atoi(given) : 100;
    static const int lengths[] = {14, 30, 90};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int l = 0; l < 3; l++) {
            int kinds[GATE_KIND_COUNT] = {0};
            int any = count_spurious(&shapes[s], lengths[l], worlds, kinds);
            print_message("%-12s %d days: %.4f (", shapes[s].name, lengths[l],
                          (double)any / worlds);
            for (int k = 0; k < GATE_KIND_COUNT; k++)
                print_message(" %d", kinds[k]);
            print_message(" )\n");
        }
}

/* ---- with one ------------------------------------------------------------------------------ */

/* What is planted: a predicate of the home, or made for it. */
static struct gate draw_gate(const struct home *home, enum gate_kind kind)
{
    if (kind == GATE_REST)
        return (struct gate){.kind = kind, .rest = (int)uniform(1, 5)};
    if (kind == GATE_LIGHT) {
        struct gate gate = {.kind = kind, .entity = home->gates.lights[0]};
        gate.condition =
            (struct rule_condition){.kind = chance(0.7) ? RULE_WHEN_BELOW : RULE_WHEN_ABOVE,
                                    .entity_id = "sensor.light",
                                    .limit = floor(exp(uniform(log(8), log(200))))};
        return gate;
    }
    if (kind == GATE_WINDOW) {
        int from = (int)uniform(0, 48), length = (int)uniform(4, 16);
        return (struct gate){.kind = kind,
                             .condition = {.kind = RULE_WHEN_TIME,
                                           .from_s = from * GATES_BIN_S,
                                           .to_s = (from + length) % 48 * GATES_BIN_S}};
    }
    size_t first = 0;
    while (home->gates.list[first].kind != kind)
        first++;
    return home->gates.list[first + (size_t)uniform(0, (double)home->gates.of_kind[kind])];
}

static bool agree(const struct home *home, const struct gate_choice *a, const struct gate_choice *b)
{
    int days = 0, right = 0;
    for (size_t i = 0; i < case_count;) {
        bool same = true;
        int day = cases[i].day;
        for (; i < case_count && cases[i].day == day; i++)
            same = same &&
                   gates_hold(&home->gates, a, &cases[i]) == gates_hold(&home->gates, b, &cases[i]);
        days++;
        right += same;
    }
    return right >= 0.95 * days;
}

static void test_planted(void **state)
{
    (void)state;
    static const char *const names[] = {"sun",  "days",  "presence", "mode",
                                        "rest", "light", "window"};
    const char *given = getenv("PAIRS");
    int worlds = given != NULL ? atoi(given) : 100;
    static const int lengths[] = {14, 30, 90};
    for (int kind = 0; kind < GATE_KIND_COUNT; kind++)
        for (int l = 0; l < 3; l++) {
            int clear = 0, found = 0, right = 0, same = 0, kinds[GATE_KIND_COUNT] = {0}, two = 0;
            for (int i = 0; i < worlds; i++) {
                struct home home;
                struct gate_choice choice;
                home_init(&home, lengths[l], kind == GATE_LIGHT || i % 2 == 0);
                if (kind <= GATE_MODE && home.gates.of_kind[kind] == 0) {
                    home_release(&home);
                    continue;
                }
                draw_cases(&home, exp(uniform(log(1), log(10))));
                struct gate_choice planted = {.gates = {draw_gate(&home, (enum gate_kind)kind)},
                                              .count = 1};
                double rate = uniform(0.6, 0.95), other = uniform(0, 0.1);
                int in = 0, out = 0;
                for (size_t k = 0; k < case_count; k++) {
                    bool holds = gates_hold(&home.gates, &planted, &cases[k]);
                    cases[k].followed = chance(holds ? rate : other);
                    in += holds;
                    out += !holds;
                }
                struct gate_question q = question_of(~0U);
                gates_choose(&home.gates, &q, &choice);
                if (in >= 12 && out >= 8) {
                    clear++;
                    found += choice.count > 0;
                    right += choice.count > 0 && agree(&home, &choice, &planted);
                    for (size_t k = 0; k < choice.count; k++)
                        kinds[choice.gates[k].kind]++;
                    two += choice.count == 2;
                    same += choice.count == 1 && (int)choice.gates[0].kind == kind;
                }
                home_release(&home);
            }
            print_message(
                "%-8s %d days: of %d found %.3f, right of these %.3f, same kind %.3f two %d (",
                names[kind], lengths[l], clear, (double)found / clear, (double)right / found,
                (double)same / found, two);
            for (int k = 0; k < GATE_KIND_COUNT; k++)
                print_message(" %d", kinds[k]);
            print_message(" )\n");
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spurious),
        cmocka_unit_test(test_planted),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
