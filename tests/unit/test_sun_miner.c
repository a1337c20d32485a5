/* Habits of the sun: found on its dials, told from the clock's, and not found where there are none.
 * Random parts print their seed; SEED replays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "made_history.h"
#include "seeded.h"
#include "mine/choose.h"
#include "mine/dial.h"
#include "mine/miner.h"
#include "stats/stats.h"
#include "stats/sun.h"

static const struct sun_place berlin = {52.52, 13.4, 0};
static struct tz *tz;

static int setup(void **state)
{
    (void)state;
    struct error err;
    tz = tz_load("Europe/Berlin", &err);
    seed_init();
    return tz == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    tz_free(tz);
    return 0;
}

/* ---- dials --------------------------------------------------------------------------------- */

static void init_home(struct history *h, int64_t first, int count)
{
    made_init(h, tz, first, count);
    h->latitude = berlin.latitude;
    h->longitude = berlin.longitude;
    h->has_location = true;
}

static void test_dial_counts_from_the_event(void **state)
{
    (void)state;
    struct history h;
    int64_t first = tz_days_from_civil(2026, 3, 1); /* across the change of the clock */
    init_home(&h, first, 40);
    struct days days;
    days_init(&days, &h);
    for (int sets = 0; sets < 2; sets++) {
        struct dial dial;
        dial_init(&dial, sets ? DIAL_SUNSET : DIAL_SUNRISE, &h, &days);
        for (int day = 1; day < 39; day++) {
            int offset = (int)(made_uniform(&seed) * 20000) - 10000;
            int64_t event_ms;
            assert_true(sun_fire_on_day(&berlin, tz, sets, 0, first + day, &event_ms));
            struct act one = {.time_ms = event_ms + offset * INT64_C(1000)};
            struct tz_local local;
            tz_to_local(tz, one.time_ms / 1000, &local);
            one.day = (int)(local.day - first);
            one.second = local.second_of_day;
            struct acts acts = {.list = &one, .count = 1}, placed;
            dial_place_acts(&dial, &acts, &placed);
            assert_int_equal(placed.list[0].day, day);
            assert_int_equal(placed.list[0].second, DIAL_EVENT_S + offset);
            acts_release(&placed);
        }
        dial_release(&dial);
    }
    days_release(&days);
    history_release(&h);
}

static void test_dial_forgets_polar_days(void **state)
{
    (void)state;
    struct history h;
    int64_t first = tz_days_from_civil(2026, 6, 1);
    init_home(&h, first, 30);
    h.latitude = 69.65; /* Tromsø: the sun does not set */
    h.longitude = 18.96;
    struct days days;
    days_init(&days, &h);
    struct dial dial;
    dial_init(&dial, DIAL_SUNSET, &h, &days);
    assert_int_equal(dial.days.training + dial.days.held_out, 0);
    assert_int_equal(days.training + days.held_out, 30);
    struct act one = {.time_ms = tz_to_utc(tz, first + 9, 43200) * 1000, .day = 9, .second = 43200};
    struct acts acts = {.list = &one, .count = 1}, placed;
    dial_place_acts(&dial, &acts, &placed);
    assert_int_equal(days_role(&dial.days, placed.list[0].day), DAY_INCOMPLETE);
    acts_release(&placed);
    dial_release(&dial);
    days_release(&days);
    history_release(&h);
}

/* ---- habits -------------------------------------------------------------------------------- */

struct run {
    struct history h;
    struct days days;
    struct restarts restarts;
    struct actors actors;
    struct mined mined;
    struct choice *choices;
};

static void run_begin(struct run *run, int64_t first, int count)
{
    *run = (struct run){.choices = NULL};
    init_home(&run->h, first, count);
}

static void run_mine(struct run *run)
{
    struct history *h = &run->h;
    days_init(&run->days, h);
    restarts_init(&run->restarts, h);
    actors_init(&run->actors, h, &run->days, &run->restarts);
    struct mine_input input = {
        .history = h, .days = &run->days, .restarts = &run->restarts, .actors = &run->actors};
    mine_run(&input, &run->mined);
    run->choices = xcalloc(run->mined.habit_count, sizeof *run->choices);
    choose_clock_or_sun(&input, &run->mined, run->choices);
}

static void run_release(struct run *run)
{
    free(run->choices);
    mined_release(&run->mined);
    actors_release(&run->actors);
    restarts_release(&run->restarts);
    days_release(&run->days);
    history_release(&run->h);
}

/* Those that are proven and chosen, of turning on, by kind of trigger; *last is one of them. */
static int count_standing(const struct run *run, enum rule_trigger_kind kind, size_t *last)
{
    int count = 0;
    for (size_t i = 0; i < run->mined.habit_count; i++) {
        const struct habit *habit = &run->mined.habits[i];
        if (habit->rule.verb != RULE_TURN_ON || habit->rule.trigger.kind != kind ||
            habit->q_value > MINE_Q_MAX || run->choices[i].dropped)
            continue;
        *last = i;
        count++;
    }
    return count;
}

/* One light and a use of it each day, some minutes around offset_s from the event. */
static void plant_sun(struct run *run, int64_t first, int count, bool sets, int offset_s)
{
    struct history_entity *e = made_entity(&run->h, "light.a");
    made_change(&run->h, e, first, 5, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int d = 0; d < count; d++) {
        int64_t at;
        if (!sun_fire_on_day(&berlin, tz, sets, offset_s, first + d, &at))
            continue;
        at += (d * 7 % 9 - 4) * INT64_C(60000);
        made_change_ms(&run->h, e, at, HISTORY_STATE_ON, CAUSE_PHYSICAL);
        made_change_ms(&run->h, e, at + 1800000, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    }
}

static void plant_clock(struct run *run, int64_t first, int count, int second)
{
    struct history_entity *e = made_entity(&run->h, "light.a");
    made_change(&run->h, e, first, 5, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int d = 0; d < count; d++)
        made_use(&run->h, e, first + d, second + (d * 7 % 9 - 4) * 60, 1800);
}

/* Over 90 days sunset moves by hours: one rule of the sun, and no pieces of it by the clock. */
static void test_sun_habit_is_one_rule_of_the_sun(void **state)
{
    (void)state;
    const int offsets[] = {-5400, 0, 1800, 9000};
    for (int i = 0; i < 8; i++) {
        struct run run;
        int64_t first = tz_days_from_civil(2026, 1, 20);
        run_begin(&run, first, 90);
        plant_sun(&run, first, 90, i % 2 == 1, offsets[i / 2]);
        run_mine(&run);
        size_t which = 0;
        assert_int_equal(count_standing(&run, RULE_TRIGGER_TIME, &which), 0);
        assert_int_equal(count_standing(&run, RULE_TRIGGER_SUN, &which), 1);
        const struct habit *habit = &run.mined.habits[which];
        assert_int_equal(habit->rule.trigger.event, i % 2 == 1 ? RULE_SUNSET : RULE_SUNRISE);
        assert_in_range(habit->rule.trigger.second + 43200, offsets[i / 2] + 43200 - 120,
                        offsets[i / 2] + 43200 + 120);
        assert_int_equal(habit->rule.weekdays, RULE_EVERY_DAY);
        assert_false(choice_is_open(&run.choices[which]));
        assert_true(run.choices[which].posterior > 0.999);
        run_release(&run);
    }
}

/* The reverse, with the change of the clock in it: no rules of the sun beside the clock's. */
static void test_clock_habit_is_no_rule_of_the_sun(void **state)
{
    (void)state;
    const int seconds[] = {7 * 3600, 17 * 3600 + 1800, 19 * 3600, 21 * 3600};
    for (int i = 0; i < 4; i++) {
        struct run run;
        int64_t first = tz_days_from_civil(2026, 2, 10);
        run_begin(&run, first, 90);
        plant_clock(&run, first, 90, seconds[i]);
        run_mine(&run);
        size_t which = 0;
        assert_int_equal(count_standing(&run, RULE_TRIGGER_SUN, &which), 0);
        assert_int_equal(count_standing(&run, RULE_TRIGGER_TIME, &which), 1);
        assert_in_range(run.mined.habits[which].rule.trigger.second, seconds[i] - 120,
                        seconds[i] + 120);
        assert_true(run.choices[which].posterior > 0.99);
        run_release(&run);
    }
}

/* In December sunset stands still: the clock, and it says that the days cannot tell. */
static void test_solstice_cannot_tell(void **state)
{
    (void)state;
    struct run run;
    int64_t first = tz_days_from_civil(2026, 12, 4);
    run_begin(&run, first, 18);
    plant_sun(&run, first, 18, true, 0);
    run_mine(&run);
    size_t which = 0;
    assert_int_equal(count_standing(&run, RULE_TRIGGER_SUN, &which), 0);
    assert_int_equal(count_standing(&run, RULE_TRIGGER_TIME, &which), 1);
    assert_true(choice_is_open(&run.choices[which]));
    const struct choice *choice = &run.choices[which];
    assert_true(choice->rival != SIZE_MAX && run.choices[choice->rival].dropped);
    run_release(&run);
}

/* The training days stand still, the held-out days do not: those tell. */
static void test_held_out_days_tell(void **state)
{
    (void)state;
    for (int sun = 0; sun < 2; sun++) {
        struct run run;
        int64_t first = tz_days_from_civil(2026, 6, 7);
        run_begin(&run, first, 64); /* until the 9th of August, when sunset is 45 minutes earlier */
        if (sun)
            plant_sun(&run, first, 64, true, -3600);
        else
            plant_clock(&run, first, 64, 20 * 3600 + 1500);
        run_mine(&run);
        size_t which = 0;
        assert_int_equal(count_standing(&run, RULE_TRIGGER_SUN, &which), sun);
        assert_int_equal(count_standing(&run, RULE_TRIGGER_TIME, &which), 1 - sun);
        assert_false(choice_is_open(&run.choices[which]));
        run_release(&run);
    }
}

static void test_no_place_no_sun(void **state)
{
    (void)state;
    struct run run;
    int64_t first = tz_days_from_civil(2026, 1, 20);
    run_begin(&run, first, 60);
    run.h.has_location = false;
    plant_sun(&run, first, 60, true, 0);
    run_mine(&run);
    for (size_t i = 0; i < run.mined.habit_count; i++)
        assert_int_equal(run.mined.habits[i].rule.trigger.kind, RULE_TRIGGER_TIME);
    run_release(&run);
}

/* Three hours after sunset is tomorrow in June: HA would check the wrong day of the week. */
static void test_no_rule_across_midnight(void **state)
{
    (void)state;
    struct run run;
    int64_t first = tz_days_from_civil(2026, 6, 1);
    run_begin(&run, first, 30);
    plant_sun(&run, first, 30, true, 9900);
    run_mine(&run);
    for (size_t i = 0; i < run.mined.habit_count; i++)
        assert_false(run.mined.habits[i].rule.trigger.kind == RULE_TRIGGER_SUN &&
                     run.mined.habits[i].rule.trigger.event == RULE_SUNSET);
    run_release(&run);
}

/* Use that is spread over three hours around sunset (random) is no habit of the sun either. */
static void test_broad_use_stays_broad(void **state)
{
    (void)state;
    struct run run;
    int64_t first = tz_days_from_civil(2026, 2, 1);
    run_begin(&run, first, 60);
    for (int i = 0; i < 60; i++) {
        char id[32];
        snprintf(id, sizeof id, "light.l%02d", i);
        struct history_entity *e = made_entity(&run.h, id);
        made_change(&run.h, e, first, 5, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        for (int d = 0; d < 60; d++) {
            int64_t at;
            int offset = (int)((made_uniform(&seed) - 0.5) * 10800);
            assert_true(sun_fire_on_day(&berlin, tz, true, offset, first + d, &at));
            made_change_ms(&run.h, e, at, HISTORY_STATE_ON, CAUSE_PHYSICAL);
            made_change_ms(&run.h, e, at + 300000, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        }
    }
    run_mine(&run);
    int found = 0;
    for (size_t i = 0; i < run.mined.habit_count; i++)
        found += run.mined.habits[i].q_value <= MINE_Q_MAX;
    if (found > 3) /* of 360 hypotheses; one is expected once in twenty such homes at most */
        fail_msg("%d habits of 60 lights without any", found);
    run_release(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dial_counts_from_the_event),
        cmocka_unit_test(test_dial_forgets_polar_days),
        cmocka_unit_test(test_sun_habit_is_one_rule_of_the_sun),
        cmocka_unit_test(test_clock_habit_is_no_rule_of_the_sun),
        cmocka_unit_test(test_solstice_cannot_tell),
        cmocka_unit_test(test_held_out_days_tell),
        cmocka_unit_test(test_no_place_no_sun),
        cmocka_unit_test(test_no_rule_across_midnight),
        cmocka_unit_test(test_broad_use_stays_broad),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
