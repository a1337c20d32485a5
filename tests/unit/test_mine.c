/* Days, acts, machines, the scan and the miner of times of day, on histories made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "berlin.h"
#include "made_history.h"
#include "seeded.h"
#include "mine/miner.h"
#include "mine/scan.h"

static int setup(void **state)
{
    (void)state;
    seed_init();
    return berlin_setup(6, 1);
}

/* ---- days ---------------------------------------------------------------------------------- */

static void test_days_roles(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 20);
    struct days days;
    days_init(&days, &h);
    assert_int_equal(days.training, 15);
    assert_int_equal(days.held_out, 5);
    assert_int_equal(days_weekday(&days, 0), 0);
    assert_int_equal(days_role(&days, 14), DAY_TRAINING);
    assert_int_equal(days_role(&days, 15), DAY_HELD_OUT);
    assert_int_equal(days_role(&days, 20), DAY_INCOMPLETE);
    assert_int_equal(days_role(&days, -1), DAY_INCOMPLETE);
    assert_int_equal(days_count(&days, DAY_TRAINING, RULE_WEEKEND), 4);
    assert_true(days_match(&days, 5, DAY_TRAINING, RULE_WEEKEND));
    assert_false(days_match(&days, 5, DAY_TRAINING, RULE_WEEKDAYS));
    days_release(&days);
    history_release(&h);
}

/* A restart of minutes leaves a day complete, an outage of half an hour does not; the two days of a
 * change of the clock are days like others. */
static void test_days_gaps_and_dst(void **state)
{
    (void)state;
    struct history h;
    int64_t first = tz_days_from_civil(2026, 3, 27); /* the clock changes on the 29th */
    made_init(&h, tz, first, 6);
    int64_t end = h.covered[0].to_ms;
    int64_t restart = tz_to_utc(tz, first + 1, 43200) * 1000;
    int64_t outage = tz_to_utc(tz, first + 4, 43200) * 1000;
    h.covered = xreallocarray(h.covered, 3, sizeof *h.covered);
    h.covered_count = h.covered_capacity = 3;
    h.covered[0].to_ms = restart;
    h.covered[1] = (struct history_span){restart + 120 * 1000, outage};
    h.covered[2] = (struct history_span){outage + 1800 * 1000, end};
    struct days days;
    days_init(&days, &h);
    for (int i = 0; i < 6; i++)
        assert_int_equal(days_role(&days, i) == DAY_INCOMPLETE, i == 4);
    assert_int_equal(days.held_out, 2);
    days_release(&days);
    history_release(&h);
}

static void test_days_short_and_empty(void **state)
{
    (void)state;
    struct history h;
    struct days days;
    made_init(&h, tz, monday, 1);
    days_init(&days, &h);
    assert_int_equal(days.training, 0);
    assert_int_equal(days.held_out, 1);
    days_release(&days);
    h.covered_count = 0;
    days_init(&days, &h);
    assert_int_equal(days.count, 0);
    days_release(&days);
    history_release(&h);
}

/* ---- acts ---------------------------------------------------------------------------------- */

static size_t count_acts(const struct history *h, size_t entity, enum rule_verb verb,
                         size_t *machine)
{
    struct days days;
    struct restarts restarts;
    struct acts acts;
    days_init(&days, h);
    restarts_init(&restarts, h);
    acts_collect(&acts, &h->entities[entity], verb, &days, &restarts);
    size_t count = acts.count;
    if (machine != NULL)
        *machine = acts.machine;
    acts_release(&acts);
    restarts_release(&restarts);
    days_release(&days);
    return count;
}

static void test_acts_causes(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 10);
    struct history_entity *e = made_entity(&h, "light.a");
    made_change(&h, e, monday, 3600, HISTORY_STATE_ON, CAUSE_PERSON); /* the first row: no change */
    made_change(&h, e, monday, 7200, HISTORY_STATE_OFF, CAUSE_PERSON);
    made_change(&h, e, monday, 10800, HISTORY_STATE_ON, CAUSE_PERSON);
    made_change(&h, e, monday, 14400, HISTORY_STATE_OFF, CAUSE_AUTOMATION);
    made_change(&h, e, monday, 18000, HISTORY_STATE_ON, CAUSE_PHYSICAL);
    assert_int_equal(count_acts(&h, 0, RULE_TURN_ON, NULL), 2);
    assert_int_equal(count_acts(&h, 0, RULE_TURN_OFF, NULL), 1);
    history_release(&h);
}

static void test_acts_unavailable(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 10);
    struct history_entity *e = made_entity(&h, "light.a");
    made_change(&h, e, monday, 3600, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_change(&h, e, monday, 7200, HISTORY_STATE_UNAVAILABLE, CAUSE_PHYSICAL);
    made_change(&h, e, monday, 7300, HISTORY_STATE_ON, CAUSE_PHYSICAL);  /* restored */
    made_change(&h, e, monday, 7360, HISTORY_STATE_OFF, CAUSE_PHYSICAL); /* 60 s after */
    made_change(&h, e, monday, 7421, HISTORY_STATE_ON, CAUSE_PHYSICAL);
    made_change(&h, e, monday, 7500, HISTORY_STATE_UNKNOWN, CAUSE_PHYSICAL);
    made_change(&h, e, monday, 7501, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_change(&h, e, monday, 7562, HISTORY_STATE_ON, CAUSE_PHYSICAL); /* as it was before */
    made_change(&h, e, monday, 7600, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_change(&h, e, monday, 7700, HISTORY_STATE_ON, CAUSE_PHYSICAL);
    made_change(&h, e, monday, 9000, HISTORY_STATE_UNAVAILABLE, CAUSE_PHYSICAL);
    made_change(&h, e, monday, 9100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_change(&h, e, monday, 9701, HISTORY_STATE_ON, CAUSE_PHYSICAL); /* ten minutes later */
    assert_int_equal(count_acts(&h, 0, RULE_TURN_ON, NULL), 3);
    assert_int_equal(count_acts(&h, 0, RULE_TURN_OFF, NULL), 1);
    history_release(&h);
}

/* When a third of the home comes back at once, the others did not act either. */
static void test_acts_restart_is_home_wide(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 10);
    const char *ids[] = {"light.a", "light.b", "light.c", "light.d"};
    for (int i = 0; i < 4; i++) {
        struct history_entity *e = made_entity(&h, ids[i]);
        made_change(&h, e, monday, 3600, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        if (i < 3) {
            made_change(&h, e, monday, 7200 + i, HISTORY_STATE_UNAVAILABLE, CAUSE_PHYSICAL);
            made_change(&h, e, monday, 7210 + i, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        }
    }
    made_change(&h, &h.entities[3], monday, 7205, HISTORY_STATE_ON, CAUSE_PHYSICAL);
    made_change(&h, &h.entities[3], monday, 7300, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    assert_int_equal(count_acts(&h, 3, RULE_TURN_ON, NULL), 0);
    assert_int_equal(count_acts(&h, 3, RULE_TURN_OFF, NULL), 1);
    history_release(&h);
}

/* One entity that drops out is no restart, and the first minute of a recording is one. */
static void test_acts_gap_and_single_dropout(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 10);
    struct history_entity *a = made_entity(&h, "light.a");
    made_change(&h, a, monday, 0, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_change(&h, a, monday, 30, HISTORY_STATE_ON, CAUSE_PHYSICAL); /* just started */
    made_change(&h, a, monday, 3000, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_change(&h, a, monday, 7205, HISTORY_STATE_ON, CAUSE_PHYSICAL);
    struct history_entity *b = made_entity(&h, "light.b");
    made_change(&h, b, monday, 3600, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_change(&h, b, monday, 7200, HISTORY_STATE_UNAVAILABLE, CAUSE_PHYSICAL);
    assert_int_equal(count_acts(&h, 0, RULE_TURN_ON, NULL), 1);
    history_release(&h);
}

/* A timer of the device itself: dropped, across midnight too; the person's acts stay. */
static void test_acts_machine(void **state)
{
    (void)state;
    const int seconds[] = {7 * 3600, 0, 86399};
    for (int k = 0; k < 3; k++) {
        struct history h;
        made_init(&h, tz, monday, 20);
        struct history_entity *e = made_entity(&h, "switch.pump");
        made_change(&h, e, monday, 60, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        for (int d = 1; d < 19; d++) {
            made_use(&h, e, monday + d, seconds[k] + d % 5 - 2, 1200);
            if (d % 3 == 0)
                made_use(&h, e, monday + d, 43200 + d * 100, 60);
        }
        size_t machine;
        assert_int_equal(count_acts(&h, 0, RULE_TURN_ON, &machine), 6);
        assert_int_equal(machine, 18);
        history_release(&h);
    }
}

/* Four days are no schedule, nor is every other of eleven days. */
static void test_acts_machine_needs_days_and_share(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 30);
    struct history_entity *e = made_entity(&h, "switch.a");
    made_change(&h, e, monday, 0, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int d = 1; d < 5; d++)
        made_use(&h, e, monday + d, 7 * 3600, 3600);
    struct history_entity *f = made_entity(&h, "switch.b");
    made_change(&h, f, monday, 0, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int d = 1; d < 12; d++)
        made_use(&h, f, monday + d, 7 * 3600 + (d % 2 == 0 ? 0 : (d - 8) * 50 + 25), 3600);
    size_t machine;
    assert_int_equal(count_acts(&h, 0, RULE_TURN_ON, &machine), 4);
    assert_int_equal(machine, 0);
    assert_int_equal(count_acts(&h, 1, RULE_TURN_ON, &machine), 11);
    assert_int_equal(machine, 0);
    history_release(&h);
}

/* People as punctual as two minutes are not taken for machines (random; SEED replays). */
static void test_acts_punctual_person_is_no_machine(void **state)
{
    (void)state;
    int taken = 0;
    for (int home = 0; home < 200; home++) {
        struct history h;
        made_init(&h, tz, monday, 30);
        struct history_entity *e = made_entity(&h, "light.a");
        made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        for (int d = 1; d < 30; d++)
            made_use(&h, e, monday + d, 30000 + (int)(made_normal(&seed) * 120), 3600);
        size_t machine;
        count_acts(&h, 0, RULE_TURN_ON, &machine);
        taken += machine > 0;
        history_release(&h);
    }
    assert_true(taken <= 2);
}

static void test_acts_day_near(void **state)
{
    (void)state;
    int offset;
    const struct act late = {0, 5, 86280}, early = {0, 6, 120}, noon = {0, 5, 43200};
    assert_int_equal(acts_day_near(&late, 180, &offset), 6);
    assert_int_equal(offset, -300);
    assert_int_equal(acts_day_near(&early, 86340, &offset), 5);
    assert_int_equal(offset, 180);
    assert_int_equal(acts_day_near(&noon, 43000, &offset), 5);
    assert_int_equal(offset, 200);
}

/* ---- scan ---------------------------------------------------------------------------------- */

static const bool all_days[24] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static struct scan_window scan(const struct scan_act *acts, size_t count, int days)
{
    return scan_find(&(struct scan_input){
        .acts = acts, .count = count, .eligible = all_days, .day_count = days, .to = 86400});
}

static void test_scan_finds_and_rotates(void **state)
{
    (void)state;
    struct scan_act acts[20];
    double p = 0;
    for (int shift = 0; shift < 86400; shift += 4321) {
        for (int d = 0; d < 20; d++) {
            int at = 40000 + (d * 37 % 20 - 10) * 60 + shift;
            acts[d] = (struct scan_act){.second = at % 86400, .day = d + 1 + at / 86400};
        }
        struct scan_window w = scan(acts, 20, 23);
        assert_int_equal(w.days, 20);
        assert_true(w.p_value < 1e-6);
        int apart = abs(w.center - (40000 + shift) % 86400);
        assert_true(apart < 600 || apart > 86400 - 600);
        if (shift > 0 && fabs(w.p_value - p) > 0.2 * p)
            fail_msg("p %g became %g at shift %d", p, w.p_value, shift);
        p = w.p_value;
    }
}

/* The null model's promise, on its worst case: use spread evenly over three hours (random). */
static void test_scan_is_honest(void **state)
{
    (void)state;
    int below = 0;
    for (int trial = 0; trial < 2000; trial++) {
        struct scan_act acts[22];
        for (int d = 0; d < 22; d++)
            acts[d] =
                (struct scan_act){.second = 30000 + (int)(made_uniform(&seed) * 10800), .day = d};
        below += scan(acts, 22, 22).p_value <= 0.05;
    }
    assert_true(below <= 135); /* 100 expected at most; 3.5 standard deviations more */
}

/* Much use that begins an hour later (random) does not hide what stands alone. */
static void test_scan_looks_beside(void **state)
{
    (void)state;
    struct scan_act acts[120];
    for (int d = 0; d < 20; d++) {
        acts[6 * d] = (struct scan_act){.second = 43200 + (d * 7 % 11 - 5) * 90, .day = d};
        for (int i = 1; i < 6; i++) {
            int later = 5400 + (int)(made_uniform(&seed) * 10800);
            acts[6 * d + i] = (struct scan_act){.second = 43200 + later, .day = d};
        }
    }
    struct scan_window w = scan(acts, 120, 20);
    assert_true(w.p_value < 1e-4);
    assert_in_range(w.center, 43200 - 450, 43200 + 450);
}

/* And is as honest where the use is a box of three hours with several acts a day (random). */
static void test_scan_is_honest_with_much_use(void **state)
{
    (void)state;
    int below = 0;
    for (int trial = 0; trial < 1000; trial++) {
        struct scan_act acts[44];
        for (int i = 0; i < 44; i++)
            acts[i] = (struct scan_act){.second = 30000 + (int)(made_uniform(&seed) * 10800),
                                        .day = i / 2};
        below += scan(acts, 44, 22).p_value <= 0.05;
    }
    assert_true(below <= 75); /* 50 expected at most; 3.5 standard deviations more */
}

/* Times fall on whole seconds: two days that agree to the second prove nothing by that. */
static void test_scan_same_second(void **state)
{
    (void)state;
    struct scan_act acts[12];
    for (int i = 0; i < 12; i++) /* on 3 days at noon sharp, on others all over the afternoon */
        acts[i] = (struct scan_act){.second = i < 3 ? 43200 : 43200 + i * 800, .day = i};
    double p = scan(acts, 12, 20).p_value;
    assert_true(p > 0.01);
}

static void test_scan_bursts_count_once(void **state)
{
    (void)state;
    struct scan_act acts[60];
    for (int i = 0; i < 60; i++) /* two busy evenings */
        acts[i] = (struct scan_act){.second = 70000 + i * 10, .day = i % 2};
    assert_true(scan(acts, 60, 20).p_value > 0.5);
    assert_true(scan(acts, 0, 20).p_value >= 1.0);
}

/* ---- times of day -------------------------------------------------------------------------- */

struct run {
    struct days days;
    struct restarts restarts;
    struct actors actors;
    struct mined mined;
};

static void run_init(struct run *run, const struct history *h)
{
    days_init(&run->days, h);
    restarts_init(&run->restarts, h);
    actors_init(&run->actors, h, &run->days, &run->restarts);
    mine_run(
        &(struct mine_input){
            .history = h, .days = &run->days, .restarts = &run->restarts, .actors = &run->actors},
        &run->mined);
}

static void run_release(struct run *run)
{
    mined_release(&run->mined);
    actors_release(&run->actors);
    restarts_release(&run->restarts);
    days_release(&run->days);
}

/* A use each day of the class (one in `skip` days left out), 4 minutes of jitter without chance. */
static void plant(struct history *h, struct history_entity *e, int64_t first, int count,
                  unsigned weekdays, int second, int skip)
{
    for (int d = 0; d < count; d++)
        if ((weekdays >> made_weekday(first + d) & 1U) && (skip == 0 || d % skip != 1))
            made_use(h, e, first + d, second + (d * 7 % 9 - 4) * 60, 1800);
}

static const struct habit *find_habit(const struct run *run, enum rule_verb verb, int second)
{
    for (size_t i = 0; i < run->mined.habit_count; i++) {
        const struct habit *habit = &run->mined.habits[i];
        int apart = abs(habit->rule.trigger.second - second);
        if (habit->rule.verb == verb && (apart <= 300 || apart >= 86400 - 300))
            return habit;
    }
    static const struct habit none = {.q_value = 1}; /* spares the tests a check for NULL */
    return &none;
}

static void test_miner_classes(void **state)
{
    (void)state;
    const unsigned classes[] = {RULE_EVERY_DAY, RULE_WEEKDAYS, RULE_WEEKEND, 1U << 2};
    const int lengths[] = {30, 30, 42, 70};
    const int seconds[] = {7 * 3600, 23 * 3600 + 3540, 120, 0};
    for (int c = 0; c < 4; c++)
        for (int s = 0; s < 4; s++) {
            struct history h;
            made_init(&h, tz, monday, lengths[c]);
            struct history_entity *e = made_entity(&h, "light.a");
            made_change(&h, e, monday, 7000, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
            plant(&h, e, monday + 1, lengths[c] - 2, classes[c], seconds[s], 6);
            struct run run;
            run_init(&run, &h);
            const struct habit *habit = find_habit(&run, RULE_TURN_ON, seconds[s]);
            if (habit->rule.weekdays != classes[c])
                fail_msg("class %x at %d: %zu habits, first %x at %d", classes[c], seconds[s],
                         run.mined.habit_count, run.mined.habits[0].rule.weekdays,
                         run.mined.habits[0].rule.trigger.second);
            assert_true(habit->q_value < 0.01);
            run_release(&run);
            history_release(&h);
        }
}

/* A device used again and again for three hours of every evening, at any moment of them (random):
 * while it is on nobody can switch it on, so the first use of the evening is narrow; it is no
 * habit. */
static void test_miner_is_not_fooled_by_busy_evenings(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 30);
    for (int i = 0; i < 60; i++) {
        char id[32];
        snprintf(id, sizeof id, "light.l%02d", i);
        struct history_entity *e = made_entity(&h, id);
        made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        for (int d = 0; d < 29; d++) { /* three uses an hour, when it is off */
            int from = 18 * 3600, free = from;
            for (int at = from; at < from + 10800; at += 60) {
                if (at < free || made_uniform(&seed) > 0.05)
                    continue;
                int length = 1500 + (int)(made_uniform(&seed) * 1800);
                made_use(&h, e, monday + d, at, length);
                free = at + length;
            }
        }
    }
    struct run run;
    run_init(&run, &h);
    int found = 0;
    for (size_t i = 0; i < run.mined.habit_count; i++)
        found += run.mined.habits[i].rule.verb == RULE_TURN_ON &&
                 run.mined.habits[i].q_value <= MINE_Q_MAX;
    if (found > 3)
        fail_msg("%d of 60 busy devices have a habit", found);
    run_release(&run);
    history_release(&h);
}

/* Pressing twice or three times is one act, and hides nothing. */
static void test_miner_bursts(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 30);
    struct history_entity *e = made_entity(&h, "light.a");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int d = 1; d < 29; d++) {
        int at = 7 * 3600 + (d * 11 % 29 - 14) * 60;
        for (int press = 0; press < 3; press++)
            made_use(&h, e, monday + d, at + press * 40, press == 2 ? 1800 : 20);
    }
    struct run run;
    run_init(&run, &h);
    const struct habit *habit = find_habit(&run, RULE_TURN_ON, 7 * 3600);
    assert_true(habit->q_value < 1e-4);
    run_release(&run);
    history_release(&h);
}

/* Local time: the habit stays at 07:00 on the wall when the clock changes. */
static void test_miner_dst(void **state)
{
    (void)state;
    struct history h;
    int64_t first = tz_days_from_civil(2026, 3, 15);
    made_init(&h, tz, first, 40);
    struct history_entity *e = made_entity(&h, "light.a");
    made_change(&h, e, first, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    plant(&h, e, first, 40, RULE_EVERY_DAY, 7 * 3600, 0);
    struct run run;
    run_init(&run, &h);
    assert_int_equal(run.mined.habit_count, 2); /* on and, half an hour later, off */
    const struct habit *habit = find_habit(&run, RULE_TURN_ON, 7 * 3600);
    assert_true(habit->spread_s < 300);
    assert_int_equal(habit->matching_days, 30);
    run_release(&run);
    history_release(&h);
}

static void test_miner_two_times(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 40);
    struct history_entity *e = made_entity(&h, "light.a");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int d = 1; d < 39; d++) {
        bool weekend = made_weekday(monday + d) >= 5;
        made_use(&h, e, monday + d, (weekend ? 9 : 7) * 3600 + d * 5 % 11 * 30, 600);
        made_use(&h, e, monday + d, 19 * 3600 + d * 7 % 13 * 60, 600);
    }
    struct run run;
    run_init(&run, &h);
    assert_int_equal(find_habit(&run, RULE_TURN_ON, 7 * 3600 + 150)->rule.weekdays, RULE_WEEKDAYS);
    assert_int_equal(find_habit(&run, RULE_TURN_ON, 9 * 3600 + 150)->rule.weekdays, RULE_WEEKEND);
    assert_int_equal(find_habit(&run, RULE_TURN_ON, 19 * 3600 + 360)->rule.weekdays,
                     RULE_EVERY_DAY);
    assert_int_equal(run.mined.habit_count, 6);
    run_release(&run);
    history_release(&h);
}

/* Held-out days do not teach: what happens only there is not seen. */
static void test_miner_ignores_held_out(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 28);
    struct history_entity *e = made_entity(&h, "light.a");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    plant(&h, e, monday + 21, 7, RULE_EVERY_DAY, 7 * 3600, 0);
    struct run run;
    run_init(&run, &h);
    assert_int_equal(run.mined.habit_count, 0);
    assert_int_equal(run.mined.p_count, 0);
    run_release(&run);
    history_release(&h);
}

/* What must not be mined at all: other domains, ids that HA would refuse, automations, machines. */
static void test_miner_leaves_out(void **state)
{
    (void)state;
    const char *const ids[] = {"lock.front", "light.bad__id", "binary_sensor.door", "light.auto"};
    struct history h;
    made_init(&h, tz, monday, 30);
    for (int i = 0; i < 4; i++) {
        struct history_entity *e = made_entity(&h, ids[i]);
        made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        plant(&h, e, monday + 1, 28, RULE_EVERY_DAY, 7 * 3600, 0);
        for (size_t k = 0; i == 3 && k < e->changes; k++)
            e->cause[k] = CAUSE_AUTOMATION;
    }
    struct run run;
    run_init(&run, &h);
    assert_int_equal(run.mined.p_count, 0);
    run_release(&run);
    history_release(&h);
}

/* A media player goes off from whatever it does; to switch it on would not make it play. */
static void test_miner_media_player(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 30);
    int playing = made_state(&h, "playing"), paused = made_state(&h, "paused");
    struct history_entity *e = made_entity(&h, "media_player.tv");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int d = 1; d < 29; d++) {
        made_change(&h, e, monday + d, 20 * 3600 + d * 7 % 9 * 60, playing, CAUSE_PHYSICAL);
        made_change(&h, e, monday + d, 22 * 3600 + d * 5 % 7 * 60, paused, CAUSE_PHYSICAL);
        made_change(&h, e, monday + d, 23 * 3600 + d * 11 % 13 * 60, HISTORY_STATE_OFF,
                    CAUSE_PHYSICAL);
    }
    struct run run;
    run_init(&run, &h);
    assert_int_equal(run.mined.habit_count, 1);
    assert_true(find_habit(&run, RULE_TURN_OFF, 23 * 3600 + 360)->q_value < 1e-4);
    assert_true(rule_is_valid(&run.mined.habits[0].rule));
    run_release(&run);
    history_release(&h);
}

static void test_miner_learning(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 6);
    struct history_entity *e = made_entity(&h, "light.a");
    made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    plant(&h, e, monday, 6, RULE_EVERY_DAY, 7 * 3600, 0);
    struct run run;
    run_init(&run, &h);
    assert_int_equal(run.mined.habit_count, 0);
    assert_int_equal(run.mined.learning_count, 2);
    assert_int_equal(run.mined.learning[0].matching_days, 4);
    assert_int_equal(run.mined.learning[0].training_days, 4);
    assert_int_equal(run.mined.learning[0].days_missing, 1); /* 5 + 2 days, 6 are there */
    run_release(&run);
    history_release(&h);
}

/* Of what is used several times a day some acts of three Saturdays always lie near each other. */
static void test_miner_learns_no_chance(void **state)
{
    (void)state;
    enum { DEVICES = 50, USES = 5, LEARNED_MAX = 50 };
    struct history h;
    made_init(&h, tz, monday, 28);
    for (int i = 0; i < DEVICES; i++) {
        char id[24];
        snprintf(id, sizeof id, "light.lamp%03d", i);
        struct history_entity *e = made_entity(&h, id);
        made_change(&h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        for (int use = 0; use < 28 * USES; use++)
            made_use(&h, e, monday + use / USES,
                     (8 + 3 * (use % USES)) * 3600 + (int)(made_uniform(&seed) * 7200),
                     600 + (int)(made_uniform(&seed) * 1800));
    }
    struct run run;
    run_init(&run, &h);
    print_message("%zu learned of %d devices\n", run.mined.learning_count, DEVICES);
    assert_true(run.mined.learning_count <= LEARNED_MAX);
    run_release(&run);
    history_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_days_roles),
        cmocka_unit_test(test_days_gaps_and_dst),
        cmocka_unit_test(test_days_short_and_empty),
        cmocka_unit_test(test_acts_causes),
        cmocka_unit_test(test_acts_unavailable),
        cmocka_unit_test(test_acts_restart_is_home_wide),
        cmocka_unit_test(test_acts_gap_and_single_dropout),
        cmocka_unit_test(test_acts_machine),
        cmocka_unit_test(test_acts_machine_needs_days_and_share),
        cmocka_unit_test(test_acts_punctual_person_is_no_machine),
        cmocka_unit_test(test_acts_day_near),
        cmocka_unit_test(test_scan_finds_and_rotates),
        cmocka_unit_test(test_scan_is_honest),
        cmocka_unit_test(test_scan_looks_beside),
        cmocka_unit_test(test_scan_is_honest_with_much_use),
        cmocka_unit_test(test_scan_same_second),
        cmocka_unit_test(test_scan_bursts_count_once),
        cmocka_unit_test(test_miner_classes),
        cmocka_unit_test(test_miner_is_not_fooled_by_busy_evenings),
        cmocka_unit_test(test_miner_bursts),
        cmocka_unit_test(test_miner_dst),
        cmocka_unit_test(test_miner_two_times),
        cmocka_unit_test(test_miner_ignores_held_out),
        cmocka_unit_test(test_miner_leaves_out),
        cmocka_unit_test(test_miner_media_player),
        cmocka_unit_test(test_miner_learning),
        cmocka_unit_test(test_miner_learns_no_chance),
    };
    return cmocka_run_group_tests(tests, setup, berlin_teardown);
}
