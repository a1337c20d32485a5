/* The simulated home's kinds of habits, what they hang on, and what is out of the ordinary at the
 * end. SEED=n replays a run. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "home/anomalies.h"
#include "home/day.h"
#include "home/plan.h"
#include "home/play.h"
#include "home/recorder_json.h"
#include "home/sun.h"
#include "home/today.h"
#include "home/weather.h"
#include "home/world.h"
#include "seeded.h"

enum { DAYS = 100, ALL = -1 };

static struct tz *tz;
static uint64_t home_seed;

static int set_up(void **state)
{
    struct error err = {0};
    (void)state;
    tz = tz_load("Europe/Berlin", &err);
    return tz != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tz_free(tz);
    return 0;
}

/* A home with habits of these kinds and gates alone, over an autumn in which the clock changes. */
static void make_home(struct home *home, unsigned kinds, unsigned gates)
{
    struct error err = {0};
    const int64_t first = tz_days_from_civil(2026, 9, 1);
    home_seed = next_random();
    struct home_settings s = home_settings_default(home_seed, 120, first, first + DAYS - 1);
    s.kinds = kinds;
    s.gates = gates;
    s.trouble = 0;
    s.anomalies = 0;
    s.tz = tz;
    if (home_init(home, &s, &err) != 0)
        fail_msg("%s", err.message);
}

/* All wishes of the home's days, in order. */
static struct home_wishes collect(const struct home *home)
{
    struct home_wishes wishes = {0};
    for (int64_t day = home->settings.first_day; day <= home->settings.last_day; day++)
        home_day_collect(home, tz, day, &wishes);
    home_wishes_sort(&wishes);
    return wishes;
}

/* Homes differ, and some kinds need what not every home has: tries until there is one. */
static size_t make_home_with(struct home *home, enum home_habit_kind kind, unsigned gates,
                             bool (*fits)(const struct home_habit *))
{
    for (int i = 0; i < 200; i++) {
        make_home(home, 1u << kind, gates);
        for (size_t h = 0; h < home->habit_count; h++)
            if (home->habits[h].kind == kind && (fits == NULL || fits(&home->habits[h])))
                return h;
        home_release(home);
    }
    fail_msg("no habit of kind %s", home_kind_name(kind));
    return 0;
}

static bool is_act(const struct home_wish *w, size_t habit)
{
    return w->habit == (int)habit && w->kind != WISH_NOTE && w->step == 0;
}

/* --- Gates */

static enum home_gate_kind wanted_gate;

static bool has_gate(const struct home_habit *h)
{
    return h->gate.kind == wanted_gate;
}

/* The word that a mode has at a time, from what people told before. */
static int32_t told_word(const struct home *home, const struct home_wishes *wishes, uint32_t mode,
                         int64_t time_us)
{
    int32_t word = HOME_OFF;
    for (size_t i = 0; i < wishes->count && wishes->items[i].time_us <= time_us; i++)
        if (wishes->items[i].entity == mode && wishes->items[i].kind == WISH_SET)
            word = wishes->items[i].value;
    (void)home;
    return word;
}

static bool holds(const struct home *home, const struct home_wishes *wishes,
                  const struct home_gate *g, int64_t time_us)
{
    const struct home_settings *s = &home->settings;
    struct tz_local local;
    tz_to_local(tz, time_us / SECOND_US, &local);
    const double second = local.second_of_day;
    switch (g->kind) {
    case HOME_GATE_DARK:
        return sun_is_down(s->latitude, s->longitude, (double)time_us / 1e6);
    case HOME_GATE_LUX:
        return weather_lux(home, g->entity, time_us) < g->lux;
    case HOME_GATE_MODE:
        return told_word(home, wishes, g->entity, time_us) == g->word;
    case HOME_GATE_WINDOW:
        return g->from_s < g->to_s ? second >= g->from_s && second < g->to_s
                                   : second >= g->from_s || second < g->to_s;
    default:
        return true;
    }
}

/* What the sensor of a habit's gate told last before a note of that habit. */
static double told_lux(const struct home *home, const struct home_wishes *wishes,
                       const struct home_wish *note)
{
    const uint32_t sensor = home->habits[note->habit].gate.entity;
    double value = 0;
    for (const struct home_wish *w = wishes->items; w < note && w->time_us < note->time_us; w++)
        if (w->entity == sensor && w->kind == WISH_READING)
            value = w->value;
    return value / pow(10, home->entities[sensor].quantity->decimals);
}

/* Acts come only while what they hang on holds: of sequences, at the trigger; noted is besides
 * whether HA saw so. */
static void check_gated(const struct home *home, const struct home_wishes *wishes, size_t habit)
{
    const struct home_habit *h = &home->habits[habit];
    int acts = 0, noted[HOME_OUTCOME_COUNT] = {0};
    for (size_t i = 0; i < wishes->count; i++) {
        const struct home_wish *w = &wishes->items[i];
        if (w->kind == WISH_NOTE && w->habit == (int)habit) {
            noted[w->value]++;
            if (h->kind == HOME_SEQUENCE && h->gate.kind != HOME_GATE_LUX)
                assert_int_equal(w->step != 0, w->value != HOME_CLOSED);
            else if (h->kind == HOME_SEQUENCE && w->value != HOME_CLOSED)
                assert_int_equal(w->step != 0, told_lux(home, wishes, w) < h->gate.lux);
            if (w->value == HOME_ACTED || w->value == HOME_OMITTED)
                assert_true(holds(home, wishes, &h->gate, w->time_us));
            if (w->value == HOME_CLOSED)
                assert_false(holds(home, wishes, &h->gate, w->time_us));
        }
        if (is_act(w, habit))
            acts++;
    }
    assert_int_equal(acts, noted[HOME_ACTED]);
    const int tried = noted[HOME_ACTED] + noted[HOME_OMITTED];
    const double error = sqrt(h->adherence * (1 - h->adherence) / (tried + 1));
    assert_true(fabs((double)noted[HOME_ACTED] - h->adherence * tried) <= 6 * error * tried + 1);
}

static void test_gates(void **state)
{
    (void)state;
    static const enum home_gate_kind gates[] = {HOME_GATE_DARK, HOME_GATE_LUX, HOME_GATE_MODE,
                                                HOME_GATE_WINDOW};
    for (size_t g = 0; g < sizeof gates / sizeof gates[0]; g++) {
        for (int timed = 0; timed < (gates[g] == HOME_GATE_WINDOW ? 1 : 2); timed++) {
            struct home home;
            wanted_gate = gates[g];
            const size_t habit = make_home_with(&home, timed ? HOME_TIME_OF_DAY : HOME_SEQUENCE,
                                                1u << gates[g], has_gate);
            struct home_wishes wishes = collect(&home);
            check_gated(&home, &wishes, habit);
            home_wishes_release(&wishes);
            home_release(&home);
        }
    }
}

static bool is_of_weekdays(const struct home_habit *h)
{
    return h->weekdays == HOME_WEEKDAYS;
}

/* A sequence of weekdays is none at weekends; returns how many of the trigger's occasions there are
 * noted. */
static int count_closed(void)
{
    struct home home;
    const size_t habit = make_home_with(&home, HOME_SEQUENCE, 1u << HOME_GATE_DAYS, is_of_weekdays);
    struct home_wishes wishes = collect(&home);
    int closed = 0;
    for (size_t i = 0; i < wishes.count; i++) {
        const struct home_wish *w = &wishes.items[i];
        struct tz_local local;
        tz_to_local(tz, w->time_us / SECOND_US, &local);
        if (w->habit != (int)habit)
            continue;
        if (w->kind != WISH_NOTE && w->time_us % (86400 * SECOND_US) > 4 * HOUR_S * SECOND_US)
            assert_true(local.weekday < 5); /* what follows by minutes may come after midnight */
        closed += w->kind == WISH_NOTE && w->value == HOME_CLOSED;
        if (w->kind == WISH_NOTE && w->value == HOME_CLOSED)
            assert_true(local.weekday >= 5);
    }
    home_wishes_release(&wishes);
    home_release(&home);
    return closed;
}

static void test_days_of_sequences(void **state)
{
    (void)state;
    int closed = 0;
    for (int i = 0; i < 6; i++) /* some triggers are a habit of weekdays themselves */
        closed += count_closed();
    assert_true(closed > 0);
}

/* --- After hours of rest */

/* How long the trigger had been off, as HA sees it, when an act's trigger came. */
static double rest_before(const struct home_wishes *wishes, uint32_t detector, int64_t time_us)
{
    bool on = false;
    uint64_t use = 0;
    int64_t off_us = INT64_MIN;
    for (size_t i = 0; i < wishes->count && wishes->items[i].time_us < time_us; i++) {
        const struct home_wish *w = &wishes->items[i];
        if (w->entity != detector)
            continue;
        if (w->kind == WISH_BEGIN && !on) {
            on = true;
            use = w->use;
        } else if (w->kind == WISH_END && on && w->use == use) {
            on = false;
            off_us = w->time_us;
        }
    }
    return on ? 0 : off_us == INT64_MIN ? 1e9 : (double)(time_us - off_us) / 1e6;
}

static void check_rests(const struct home *home, size_t habit, int *acted, int *closed)
{
    const struct home_habit *h = &home->habits[habit];
    struct home_wishes wishes = collect(home);
    int notes = 0; /* of this home: one whose room never rests leaves the others theirs */
    for (size_t i = 0; i < wishes.count && notes < 200; i++) {
        const struct home_wish *w = &wishes.items[i];
        if (w->kind != WISH_NOTE || w->habit != (int)habit)
            continue;
        notes++;
        /* The first day does not know the day before it; ends within a second are one. */
        const double rest_s = rest_before(&wishes, h->trigger, w->time_us);
        if (w->value == HOME_ACTED)
            assert_true(rest_s >= h->quiet_s - 1);
        if (w->value == HOME_CLOSED && rest_s < 1e9)
            assert_true(rest_s < h->quiet_s + 1);
        *acted += w->value == HOME_ACTED;
        *closed += w->value == HOME_CLOSED;
    }
    home_wishes_release(&wishes);
}

static void test_long_quiet(void **state)
{
    (void)state;
    int acted = 0, closed = 0;
    for (int i = 0; i < 20 && (acted == 0 || closed == 0); i++) { /* some rooms never rest */
        struct home home;
        const size_t habit = make_home_with(&home, HOME_LONG_QUIET, 1, NULL);
        check_rests(&home, habit, &acted, &closed);
        home_release(&home);
    }
    assert_true(acted > 0 && closed > 0);
}

/* --- Left on */

static void test_left_on(void **state)
{
    (void)state;
    struct home home;
    const size_t habit = make_home_with(&home, HOME_LEFT_ON, 1, NULL);
    const struct home_habit *h = &home.habits[habit];
    struct home_wishes wishes = collect(&home);
    int kept = 0, forgotten = 0, below = 0, near = 0;
    for (size_t i = 0; i < wishes.count; i++) {
        const struct home_wish *begin = &wishes.items[i];
        if (begin->entity != h->entity || begin->kind != WISH_BEGIN)
            continue;
        size_t k = i + 1;
        while (k < wishes.count &&
               (wishes.items[k].use != begin->use || wishes.items[k].kind != WISH_END))
            k++;
        assert_true(k < wishes.count);
        const double length_s = (double)(wishes.items[k].time_us - begin->time_us) / 1e6;
        const bool is_kept = wishes.items[k].habit == (int)habit;
        assert_true(is_kept ? length_s < 3 * HOUR_S
                            : length_s >= 3 * HOUR_S && length_s <= 8 * HOUR_S);
        kept += is_kept;
        forgotten += !is_kept;
        below += is_kept && length_s < h->duration_s;
        near += is_kept && fabs(log(length_s / h->duration_s)) < h->duration_spread;
    }
    assert_true(kept > 10);
    const int all = kept + forgotten;
    /* Long uses push others out: some of the share may be lost, six standard errors besides. */
    assert_true(fabs(kept - h->adherence * all) < 6 * sqrt(all) / 2 + .05 * all);
    assert_true(fabs(below - kept / 2.0) < 3 * sqrt(kept) + .06 * kept);
    assert_true(fabs(near - .68 * kept) < 3 * sqrt(kept) + .08 * kept);
    home_wishes_release(&wishes);
    home_release(&home);
}

/* --- Values, chains, scenes: as HA records them */

/* What HA's recorder would have of one entity. */
struct row {
    int64_t time_us;
    uint32_t entity;
    int32_t value;
    int16_t level, habit;
    uint8_t step;
    bool attributes_only, has_user;
    uint8_t context[HOME_ID_SIZE];
};

struct tape {
    struct row *rows;
    size_t count, capacity;
    struct home_event *events;
    size_t event_count, event_capacity;
};

static void tape_change(void *data, const struct home_change *c)
{
    struct tape *t = data;
    struct row row = {.time_us = c->time_us,
                      .entity = c->entity,
                      .value = c->value,
                      .level = c->level,
                      .habit = c->habit,
                      .step = c->step,
                      .attributes_only = c->attributes_only,
                      .has_user = c->context.has_user};
    memcpy(row.context, c->context.id, HOME_ID_SIZE);
    t->rows = grow_array(t->rows, t->count, &t->capacity, sizeof row);
    t->rows[t->count++] = row;
}

static void tape_event(void *data, const struct home_event *e)
{
    struct tape *t = data;
    t->events = grow_array(t->events, t->event_count, &t->event_capacity, sizeof *e);
    t->events[t->event_count++] = *e;
}

static void record(const struct home *home, struct tape *tape)
{
    const struct home_settings *s = &home->settings;
    const struct home_sink sink = {.data = tape, .change = tape_change, .event = tape_event};
    const int64_t end_s = tz_day_start(tz, s->last_day + 1) + 12 * HOUR_S;
    const struct play play = {.home = home,
                              .tz = tz,
                              .first_day = s->first_day,
                              .end_us = s->end_us > 0 ? s->end_us : end_s * SECOND_US};
    *tape = (struct tape){0};
    home_play(&play, &sink);
}

static void tape_release(struct tape *tape)
{
    free(tape->rows);
    free(tape->events);
}

static bool is_set_value(const struct home_habit *h)
{
    return h->begin != HOME_IN_USE;
}

static bool is_value_in_use(const struct home_habit *h)
{
    return h->begin == HOME_IN_USE;
}

/* Whether a level is what the habit gives, as far as a slider goes. */
static bool is_level(const struct home *home, const struct home_habit *h, int level)
{
    return abs(level - h->level) <= (home->entities[h->entity].slides ? 8 : 0);
}

/* What is set by habit has its level in the end, told by a row or by the call. */
static void test_values_set(void **state)
{
    (void)state;
    struct home home;
    struct tape tape;
    const size_t habit = make_home_with(&home, HOME_VALUE, 1, is_set_value);
    const struct home_habit *h = &home.habits[habit];
    const bool is_cover = home.entities[h->entity].domain == HOME_COVER;
    int acts = 0, other_rows = 0;
    record(&home, &tape);
    for (size_t i = 0; i < tape.count; i++) {
        const struct row *row = &tape.rows[i];
        if (row->entity != h->entity || row->value < 0)
            continue;
        other_rows += row->habit < 0;
        if (row->habit != (int)habit)
            continue;
        acts++;
        size_t end = i; /* a cover may be on its way */
        while (row->value == HOME_OPENING || row->value == HOME_CLOSING) {
            do
                end++;
            while (end < tape.count && tape.rows[end].entity != h->entity);
            if (end == tape.count || tape.rows[end].value < HOME_OPENING)
                break;
        }
        if (end < tape.count && tape.rows[end].value >= 0)
            assert_true(is_level(&home, h, tape.rows[end].level) || end != i);
        assert_true(is_cover || row->attributes_only);
    }
    for (size_t i = 0; i < tape.event_count; i++)
        acts += tape.events[i].habit == (int)habit;
    assert_true(acts > 0 && other_rows > 0);
    tape_release(&tape);
    home_release(&home);
}

/* After its time a device gets its level, before it another one, as it comes. */
static void test_values_in_use(void **state)
{
    (void)state;
    struct home home;
    const size_t habit = make_home_with(&home, HOME_VALUE, 1, is_value_in_use);
    const struct home_habit *h = &home.habits[habit];
    struct home_wishes wishes = collect(&home);
    int late = 0;
    for (size_t i = 0; i < wishes.count; i++) {
        const struct home_wish *w = &wishes.items[i];
        struct tz_local local;
        tz_to_local(tz, w->time_us / SECOND_US, &local);
        if (!is_act(w, habit))
            continue;
        assert_true(local.second_of_day >= h->at_s - 1);
        assert_true(is_level(&home, h, w->level));
        assert_int_equal(w->kelvin, h->kelvin);
        late++;
    }
    assert_true(late > 0);
    home_wishes_release(&wishes);
    home_release(&home);
}

static bool has_level(const struct home_habit *h)
{
    return h->level != HOME_NO_LEVEL;
}

/* Habits that switch on may give a level, most of the time. */
static void test_values_of_acts(void **state)
{
    (void)state;
    struct home home;
    struct error err = {0};
    size_t habit = 0;
    for (int i = 0; i < 200; i++) {
        struct home_settings s = home_settings_default(next_random(), 120, 20700, 20700 + DAYS);
        s.kinds = 1u << HOME_TIME_OF_DAY | 1u << HOME_VALUE;
        s.gates = 1;
        s.trouble = s.anomalies = 0;
        assert_int_equal(home_init(&home, &s, &err), 0);
        habit = 0;
        while (habit < home.habit_count &&
               (home.habits[habit].kind != HOME_TIME_OF_DAY || !has_level(&home.habits[habit])))
            habit++;
        if (habit < home.habit_count)
            break;
        home_release(&home);
    }
    assert_true(habit < home.habit_count);
    const struct home_habit *h = &home.habits[habit];
    struct home_wishes wishes = collect(&home);
    int acts = 0, levelled = 0;
    for (size_t i = 0; i < wishes.count; i++) {
        acts += is_act(&wishes.items[i], habit);
        levelled += is_act(&wishes.items[i], habit) && is_level(&home, h, wishes.items[i].level);
    }
    assert_true(acts == 0 || levelled >= h->level_adherence * acts - 3 * sqrt(acts));
    home_wishes_release(&wishes);
    home_release(&home);
}

/* Each step of a chain comes after the one before, and never without it. */
static void test_chains(void **state)
{
    (void)state;
    struct home home;
    const size_t habit = make_home_with(&home, HOME_CHAIN, 1, NULL);
    const struct home_habit *h = &home.habits[habit];
    struct home_wishes wishes = collect(&home);
    int64_t last_us[HOME_STEPS_MAX + 1] = {0};
    int acts[HOME_STEPS_MAX + 1] = {0};
    for (size_t i = 0; i < wishes.count; i++) {
        const struct home_wish *w = &wishes.items[i];
        if (w->habit != (int)habit || w->kind == WISH_NOTE)
            continue;
        assert_int_equal(w->entity, w->step == 0 ? h->entity : h->steps[w->step - 1].entity);
        assert_int_equal(w->value, w->step == 0 ? h->word : h->steps[w->step - 1].word);
        if (w->step > 0)
            assert_true(w->time_us - last_us[0] < 45 * 60 * SECOND_US);
        last_us[w->step] = w->time_us;
        acts[w->step]++;
    }
    assert_true(acts[0] > 0 && acts[1] <= acts[0] && acts[1] > acts[0] / 3);
    home_wishes_release(&wishes);
    home_release(&home);
}

/* A scene's row tells when; its members follow within a second, in its context. */
static void test_scenes(void **state)
{
    (void)state;
    struct home home;
    struct tape tape;
    const size_t habit = make_home_with(&home, HOME_SCENE_KIND, 1, NULL);
    const uint32_t entity = home.habits[habit].entity;
    int activations = 0, members = 0, calls = 0;
    record(&home, &tape);
    for (size_t i = 0; i < tape.count; i++) {
        const struct row *scene = &tape.rows[i];
        if (scene->entity != entity || !scene->has_user)
            continue;
        activations++;
        for (size_t k = i + 1; k < tape.count && tape.rows[k].time_us < scene->time_us + SECOND_US;
             k++) {
            const bool same = memcmp(tape.rows[k].context, scene->context, HOME_ID_SIZE) == 0;
            members += same;
            if (same)
                assert_int_equal(tape.rows[k].value, HOME_ON);
        }
    }
    for (size_t i = 0; i < tape.event_count; i++)
        calls += tape.events[i].entity == entity && tape.events[i].service == HOME_ACTIVATES &&
                 tape.events[i].kind == HOME_EVENT_CALL_SERVICE;
    assert_true(activations > 0 && calls == activations);
    assert_true(members >= activations && members <= 4 * activations);
    tape_release(&tape);
    home_release(&home);
}

/* --- The light */

static void test_weather(void **state)
{
    (void)state;
    struct home home;
    make_home(&home, 1, 1);
    uint32_t sensor = 0;
    while (home.entities[sensor].report_s == 0)
        sensor++;
    double noons[DAYS], least = INFINITY, most = 0;
    for (int d = 0; d < DAYS; d++) {
        const int64_t noon_us = ((home.settings.first_day + d) * DAY_S + 11 * HOUR_S) * SECOND_US;
        assert_true(weather_lux(&home, sensor, noon_us - 12 * HOUR_S * SECOND_US) <= 0);
        noons[d] = weather_lux(&home, sensor, noon_us) / home.entities[sensor].daylight;
        assert_true(noons[d] > 1000 && noons[d] < 120000);
        least = fmin(least, noons[d]);
        most = fmax(most, noons[d]);
        /* clouds come in hours, not in minutes */
        const double soon = weather_lux(&home, sensor, noon_us + 60 * SECOND_US);
        assert_true(fabs(soon / home.entities[sensor].daylight / noons[d] - 1) < .05);
    }
    assert_true(most > 2 * least); /* grey days and bright ones */
    home_release(&home);
}

/* --- Anomalies */

static void make_odd_home(struct home *home, enum home_anomaly_kind kind)
{
    struct error err = {0};
    const int64_t first = tz_days_from_civil(2026, 9, 1);
    for (int i = 0; i < 400; i++) {
        home_seed = next_random();
        struct home_settings s = home_settings_default(home_seed, 80, first, first + 29);
        s.trouble = 0;
        s.anomalies = 1u << kind;
        s.tz = tz;
        s.end_us = (tz_day_start(tz, first + 30) + 15 * HOUR_S) * SECOND_US;
        assert_int_equal(home_init(home, &s, &err), 0);
        if (home->anomaly_count > 0)
            return;
        home_release(home);
    }
    fail_msg("no anomaly of kind %s", home_anomaly_name(kind));
}

/* For how long an entity is on at the end, and how long it was at most before; in seconds. */
static void measure(const struct tape *tape, uint32_t entity, int64_t end_us, double *now,
                    double *before)
{
    int64_t on_us = 0;
    *now = *before = 0;
    for (size_t i = 0; i < tape->count; i++) {
        const struct row *row = &tape->rows[i];
        if (row->entity != entity || row->value < 0)
            continue;
        if (row->value == HOME_OFF && on_us != 0)
            *before = fmax(*before, (double)(row->time_us - on_us) / 1e6);
        if (row->value == HOME_OFF)
            on_us = 0;
        else if (on_us == 0)
            on_us = row->time_us;
    }
    if (on_us != 0)
        *now = (double)(end_us - on_us) / 1e6;
}

static void test_still_on(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        const enum home_anomaly_kind kind = k == 0 ? HOME_STILL_ON : HOME_UNLOCKED;
        struct home home;
        struct tape tape;
        double now, before;
        make_odd_home(&home, kind);
        record(&home, &tape);
        measure(&tape, home.anomalies[0].entity, home.settings.end_us, &now, &before);
        assert_true(now > 9.5 * HOUR_S && now > before);
        tape_release(&tape);
        home_release(&home);
    }
}

static void test_open_at_night(void **state)
{
    (void)state;
    struct home home;
    struct tape tape;
    double now, before;
    make_odd_home(&home, HOME_OPEN_AT_NIGHT);
    const struct home_anomaly *a = &home.anomalies[0];
    assert_int_equal(home.entities[a->entity].role, HOME_ROLE_DETECTOR);
    record(&home, &tape);
    measure(&tape, a->entity, home.settings.end_us, &now, &before);
    assert_true(before > 6 * HOUR_S && before < 12 * HOUR_S);
    tape_release(&tape);
    home_release(&home);
}

static void test_silent(void **state)
{
    (void)state;
    struct home home;
    make_odd_home(&home, HOME_SILENT);
    const struct home_anomaly *a = &home.anomalies[0];
    struct home_wishes wishes = collect(&home);
    int events = 0;
    for (size_t i = 0; i < wishes.count; i++) {
        const struct home_wish *w = &wishes.items[i];
        if (w->entity != a->entity || w->kind != WISH_BEGIN)
            continue;
        assert_true(w->time_us < a->from_us);
        events++;
    }
    assert_true(events > 20);
    home_wishes_release(&wishes);
    home_release(&home);
}

/* It came nearly always, but not the last time. */
static void test_missed(void **state)
{
    (void)state;
    struct home home;
    make_odd_home(&home, HOME_MISSED);
    const struct home_anomaly *a = &home.anomalies[0];
    struct home_wishes wishes = collect(&home);
    home_day_collect(&home, tz, home.settings.last_day + 1, &wishes);
    int acts = 0, omitted = 0;
    for (size_t i = 0; i < wishes.count; i++) {
        const struct home_wish *w = &wishes.items[i];
        struct tz_local local;
        tz_to_local(tz, w->time_us / SECOND_US, &local);
        if (is_act(w, (size_t)a->habit))
            assert_true(local.day != a->day);
        acts += is_act(w, (size_t)a->habit);
        omitted += w->kind == WISH_NOTE && w->habit == a->habit && w->value == HOME_OMITTED;
    }
    assert_true(omitted >= 1 && omitted <= 8 && acts > 0);
    home_wishes_release(&wishes);
    home_release(&home);
}

int main(void)
{
    seed_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gates),          cmocka_unit_test(test_days_of_sequences),
        cmocka_unit_test(test_long_quiet),     cmocka_unit_test(test_left_on),
        cmocka_unit_test(test_values_set),     cmocka_unit_test(test_values_in_use),
        cmocka_unit_test(test_values_of_acts), cmocka_unit_test(test_chains),
        cmocka_unit_test(test_scenes),         cmocka_unit_test(test_weather),
        cmocka_unit_test(test_still_on),       cmocka_unit_test(test_open_at_night),
        cmocka_unit_test(test_silent),         cmocka_unit_test(test_missed),
    };
    return cmocka_run_group_tests_name("home_kinds", tests, set_up, tear_down);
}
