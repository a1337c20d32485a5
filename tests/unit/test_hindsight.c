/* What an automation switches, and its fires against what people did, on histories made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "berlin.h"
#include "made_history.h"
#include "made_timeline.h"
#include "core/json.h"
#include "suggest/hindsight.h"

static int setup(void **state)
{
    (void)state;
    return berlin_setup(6, 1);
}

/* ---- what it switches ----------------------------------------------------------------------- */

/* actions with ' for "; expected: "turn_on light.a light.b after 60000 ms", or NULL for no act. */
static void expect_act(const struct timeline *places, const char *actions, const char *expected)
{
    char *text = xasprintf("{'actions':%s}", actions);
    json_object *config = made_json(text);
    struct hindsight_act act;
    bool found = hindsight_find_act(config, places, &act);
    char *told = found ? xstrdup(rule_verbs[act.verb].service) : NULL;
    for (size_t i = 0; found && i < act.count; i++) {
        char *more = xasprintf("%s %s", told, act.entity_ids[i]);
        free(told);
        told = more;
    }
    if (found && act.delay_ms > 0) {
        char *more = xasprintf("%s after %" PRId64 " ms", told, act.delay_ms);
        free(told);
        told = more;
    }
    if ((expected == NULL) != (told == NULL) || (told != NULL && strcmp(told, expected) != 0))
        fail_msg("%s\n  switches %s\n  expected %s", actions, told ? told : "nothing",
                 expected ? expected : "nothing");
    if (found)
        hindsight_act_release(&act);
    json_object_put(config);
    free(told);
    free(text);
}

static void test_acts(void **state)
{
    (void)state;
    struct timeline t;
    struct error err;
    timeline_init(&t);
    const struct timeline_place places[] = {
        {.entity_id = (char *)"light.b", .area_id = (char *)"kitchen", .floor_id = (char *)"up"},
        {.entity_id = (char *)"light.a", .area_id = (char *)"kitchen", .device_id = (char *)"d1"},
        {.entity_id = (char *)"switch.c", .area_id = (char *)"kitchen", .labels = (char *)" x y "},
        {.entity_id = (char *)"light.h", .area_id = (char *)"kitchen", .is_hidden = true},
        {.entity_id = (char *)"light.s", .area_id = (char *)"kitchen", .is_config = true},
        {.entity_id = (char *)"light.off", .area_id = (char *)"kitchen", .is_disabled = true},
        {.entity_id = (char *)"light.l", .area_labels = (char *)" xx y "},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        assert_int_equal(timeline_add_place(&t, &places[i], &err), 0);
    timeline_finish(&t);
    static const struct {
        const char *actions, *expected;
    } rows[] = {
        {"[{'action':'light.turn_on','target':{'entity_id':'light.a'}}]", "turn_on light.a"},
        {"{'service':'switch.turn_off','entity_id':'switch.a, switch.b'}",
         "turn_off switch.a switch.b"},
        {"[{'service':'light.turn_on','data':{'entity_id':['light.a','light.a']}}]",
         "turn_on light.a"},
        {"[{'action':'homeassistant.turn_off','target':{'entity_id':['fan.a','sensor.b']}}]",
         "turn_off fan.a"},
        {"[{'action':'notify.me'},{'delay':'00:01:00'},{'delay':{'seconds':2}},{'action':"
         "'light.turn_on','target':{'entity_id':'light.a'}}]",
         "turn_on light.a after 62000 ms"},
        {"[{'action':'light.turn_on','target':{'area_id':'kitchen'}}]", "turn_on light.a light.b"},
        {"[{'action':'light.turn_on','target':{'floor_id':['up']}}]", "turn_on light.b"},
        {"[{'action':'homeassistant.turn_on','target':{'label_id':'y'}}]",
         "turn_on light.l switch.c"},
        {"[{'action':'switch.turn_on','target':{'label_id':'x'}}]", "turn_on switch.c"},
        {"[{'action':'light.turn_on','target':{'device_id':'d1'}}]", "turn_on light.a"},
        {"[{'sequence':[{'delay':1},{'action':'light.turn_on','target':{'entity_id':'light.a'}}]}]",
         "turn_on light.a after 1000 ms"},
        {"[{'parallel':[[{'delay':5},{'action':'notify.me'}],{'action':'light.turn_on','target':"
         "{'entity_id':'light.a'}}]}]",
         "turn_on light.a"},
        {"[{'enabled':false,'action':'light.turn_on','target':{'entity_id':'light.a'}},"
         "{'action':'light.turn_off','target':{'entity_id':'light.b'}}]",
         "turn_off light.b"},
        {"[{'action':'light.toggle','target':{'entity_id':'light.a'}}]", NULL},
        {"[{'action':'light.turn_on','target':{'entity_id':'{{ x }}'}}]", NULL},
        {"[{'action':'light.turn_on','target':{'entity_id':'switch.a'}}]", NULL},
        {"[{'action':'light.turn_on'}]", NULL},
        {"[{'choose':[{'conditions':[],'sequence':[{'action':'light.turn_on','target':{'entity_id':"
         "'light.a'}}]}]}]",
         NULL},
        {"[{'if':[],'then':[{'action':'light.turn_on','target':{'entity_id':'light.a'}}]}]", NULL},
        {"[{'action':5},null,'x',[],{'target':7}]", NULL},
        {"null", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_act(&t, rows[i].actions, rows[i].expected);
    timeline_release(&t);
}

/* A list of more targets than are kept; sequences deeper than are looked into. */
static void test_acts_are_bounded(void **state)
{
    (void)state;
    struct hindsight_act act;
    json_object *config = made_json("{'actions':{'action':'light.turn_on','target':{}}}");
    json_object *list = json_object_new_array();
    for (int i = 0; i < HINDSIGHT_TARGETS_MAX + 10; i++) {
        char *id = xasprintf("light.l%d", i);
        json_object_array_add(list, json_object_new_string(id));
        free(id);
    }
    json_object_object_add(json_at(config, "actions.target"), "entity_id", list);
    assert_true(hindsight_find_act(config, NULL, &act));
    assert_int_equal(act.count, HINDSIGHT_TARGETS_MAX);
    hindsight_act_release(&act);
    json_object_put(config);
    json_object *step = made_json("{'action':'light.turn_on','target':{'entity_id':'light.a'}}");
    for (int depth = 0; depth < 12; depth++) {
        json_object *outer = json_object_new_object(), *steps = json_object_new_array();
        json_object_array_add(steps, step);
        json_object_object_add(outer, "sequence", steps);
        step = outer;
    }
    config = json_object_new_object();
    json_object_object_add(config, "actions", step);
    assert_false(hindsight_find_act(config, NULL, &act));
    json_object_put(config);
}

/* ---- judged --------------------------------------------------------------------------------- */

struct fixture {
    struct history h;
    struct days days;
    struct restarts restarts;
    struct suns *suns;
    struct hindsight_input input;
    struct automation *automation;
    struct hindsight_act act;
    bool has_act;
    struct replay_fire fires[64];
    size_t count;
    struct hindsight result;
};

/* Days of June 2026, whole ones. */
static void make(struct fixture *f, int days, const char *automation)
{
    *f = (struct fixture){.count = 0};
    made_init(&f->h, tz, monday, days);
    json_object *config = made_json(automation);
    f->automation = made_automation(automation);
    f->has_act = hindsight_find_act(config, NULL, &f->act);
    json_object_put(config);
}

static void fire_at(struct fixture *f, int64_t day, int second, uint32_t trigger)
{
    f->fires[f->count++] =
        (struct replay_fire){.time_ms = tz_to_utc(tz, day, second) * 1000, .trigger = trigger};
}

static void judge(struct fixture *f)
{
    days_init(&f->days, &f->h);
    restarts_init(&f->restarts, &f->h);
    f->suns = suns_new(&f->h, &f->days);
    if (f->input.to_ms == 0)
        f->input = (struct hindsight_input){.from_ms = f->h.from_ms, .to_ms = f->h.to_ms};
    f->input.ground = (struct actor_ground){&f->h, &f->days, &f->restarts, f->suns};
    hindsight_judge(&f->input, f->automation, f->fires, f->count, f->has_act ? &f->act : NULL,
                    &f->result);
}

static void finish(struct fixture *f)
{
    hindsight_release(&f->result);
    hindsight_act_release(&f->act);
    automation_free(f->automation);
    suns_free(f->suns);
    restarts_release(&f->restarts);
    days_release(&f->days);
    history_release(&f->h);
}

/* "hit physical, idle person, miss": outcome and who. */
static void expect_outcomes(const struct fixture *f, const char *expected)
{
    static const char *const outcomes[] = {
        [BACKTEST_HIT] = "hit", [BACKTEST_IDLE] = "idle", [BACKTEST_MISS] = "miss"};
    static const char *const causes[] = {[CAUSE_PERSON] = " person",
                                         [CAUSE_PHYSICAL] = " switch",
                                         [CAUSE_AUTOMATION] = " automation"};
    char told[1000] = "";
    for (size_t i = 0; i < f->result.fire_count; i++) {
        const struct hindsight_fire *fire = &f->result.fires[i];
        strcat(told, i > 0 ? ", " : "");
        strcat(told, outcomes[fire->outcome]);
        strcat(told, fire->has_by ? causes[fire->by] : "");
    }
    assert_string_equal(told, expected);
}

static const char clock_on[] =
    "{'triggers':{'trigger':'time','at':'07:00:00'},'actions':{'action':'light.turn_on','target':"
    "{'entity_id':'light.a'}}}";

static void test_who_and_when(void **state)
{
    (void)state;
    struct fixture f;
    make(&f, 9, clock_on);
    struct history_entity *e = made_entity(&f.h, "light.a");
    const int at = 7 * 3600;
    made_change(&f.h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_use(&f.h, e, monday, at - 900, 3600); /* exactly 15 minutes before */
    made_change(&f.h, e, monday + 1, at + 60, HISTORY_STATE_ON, CAUSE_PERSON);
    made_change(&f.h, e, monday + 1, at + 600, HISTORY_STATE_OFF, CAUSE_PERSON);
    made_change(&f.h, e, monday + 2, at - 7200, HISTORY_STATE_ON, CAUSE_PERSON); /* on since 5 */
    made_change(&f.h, e, monday + 2, at + 600, HISTORY_STATE_OFF, CAUSE_PERSON);
    made_change(&f.h, e, monday + 3, at + 1, HISTORY_STATE_ON, CAUSE_AUTOMATION); /* its own run */
    made_change(&f.h, e, monday + 3, at + 900, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_change(&f.h, e, monday + 4, at - 3600, HISTORY_STATE_ON, CAUSE_AUTOMATION);
    made_change(&f.h, e, monday + 4, at + 900, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_use(&f.h, e, monday + 5, at + 901, 600); /* too late */
    made_use(&f.h, e, monday + 6, at - 30, 30);   /* on and off; two acts, one fire */
    made_use(&f.h, e, monday + 6, at + 50, 600);
    for (int day = 0; day < 8; day++)
        fire_at(&f, monday + day, at, 0);
    judge(&f);
    expect_outcomes(&f, "hit switch, hit person, idle person, idle automation, idle automation, "
                        "miss, hit switch, miss");
    const struct hindsight *r = &f.result;
    assert_true(r->is_judged);
    assert_int_equal(r->hits, 3);
    assert_int_equal(r->idle, 3);
    assert_int_equal(r->misses, 2);
    assert_int_equal(r->right, 3);
    assert_int_equal(r->wrong, 2);
    assert_int_equal(r->acts, 6);      /* two of monday + 6 */
    assert_int_equal(r->uncovered, 2); /* five o'clock, and the late one */
    assert_int_equal(r->who[CAUSE_PERSON], 2);
    assert_int_equal(r->who[CAUSE_PHYSICAL], 4);
    assert_int_equal(r->who[CAUSE_AUTOMATION], 2);
    assert_int_equal(r->first_day, monday);
    assert_int_equal(r->day_count, 9);
    for (int day = 0; day < 9; day++) {
        const struct hindsight_day *d = &r->days[day];
        assert_true(d->is_complete);
        assert_int_equal(d->fires, day < 8);
        assert_int_equal(d->hits, day == 0 || day == 1 || day == 6);
        assert_int_equal(d->idle, day >= 2 && day <= 4);
        assert_int_equal(d->misses, day == 5 || day == 7);
        assert_int_equal(d->uncovered, day == 2 || day == 5);
    }
    finish(&f);
}

/* Only what was replayed is counted, though what lies around it is known; a day that it cuts is not
 * complete. */
static void test_part_of_a_history(void **state)
{
    (void)state;
    struct fixture f;
    make(&f, 6, clock_on);
    struct history_entity *e = made_entity(&f.h, "light.a");
    made_change(&f.h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int day = 0; day < 6; day++)
        made_use(&f.h, e, monday + day, 7 * 3600 - 120 - day * 71 % 180, 1800);
    f.input.from_ms = tz_to_utc(tz, monday + 1, 7 * 3600 - 60) * 1000;
    f.input.to_ms = tz_day_start(tz, monday + 4) * 1000;
    for (int day = 1; day < 4; day++)
        fire_at(&f, monday + day, 7 * 3600, 0);
    judge(&f);
    expect_outcomes(&f, "hit switch, hit switch, hit switch"); /* the first one's act lies before */
    assert_int_equal(f.result.acts, 2);
    assert_int_equal(f.result.uncovered, 0);
    assert_int_equal(f.result.first_day, monday + 1);
    assert_int_equal(f.result.day_count, 3);
    assert_false(f.result.days[0].is_complete);
    assert_true(f.result.days[1].is_complete && f.result.days[2].is_complete);
    assert_int_equal(hindsight_complete_days(&f.input), 2);
    finish(&f);
}

/* A state's fires reach five minutes; what comes again within these is one occasion; the delay
 * before the act counts. Clock and state of one instant are told apart. */
static void test_states_and_delays(void **state)
{
    (void)state;
    struct fixture f;
    make(&f, 4,
         "{'triggers':[{'trigger':'state','entity_id':'binary_sensor.m','to':'on'},{'trigger':"
         "'time','at':'20:00'}],'actions':[{'delay':60},{'action':'light.turn_on','target':"
         "{'entity_id':'light.a'}}]}");
    struct history_entity *e = made_entity(&f.h, "light.a");
    made_change(&f.h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_use(&f.h, e, monday, 8 * 3600 + 360, 600); /* 300 s after the act would have been */
    made_use(&f.h, e, monday, 9 * 3600 + 361, 600); /* one more */
    made_use(&f.h, e, monday, 20 * 3600 + 600, 600);
    fire_at(&f, monday, 8 * 3600, 0);
    fire_at(&f, monday, 9 * 3600, 0);
    fire_at(&f, monday, 10 * 3600, 0);
    fire_at(&f, monday, 10 * 3600 + 200, 0); /* the same occasion */
    fire_at(&f, monday, 10 * 3600 + 301, 0); /* the next */
    fire_at(&f, monday, 20 * 3600, 0);       /* too early for a state's, */
    fire_at(&f, monday, 20 * 3600, 1);       /* not for a clock's */
    judge(&f);
    expect_outcomes(&f, "hit switch, miss, miss, miss, miss, hit switch, miss");
    assert_int_equal(f.result.fires[5].trigger, 1);
    assert_int_equal(f.result.right, 2);
    assert_int_equal(f.result.wrong, 4);
    assert_int_equal(f.result.uncovered, 1);
    finish(&f);
}

/* Several targets are one act when most of those that were off are switched; a group of Home
 * Assistant's is its members. */
static void test_several_targets(void **state)
{
    (void)state;
    for (int by_group = 0; by_group < 2; by_group++) {
        struct fixture f;
        make(&f, 5,
             by_group ? "{'triggers':{'trigger':'time','at':'07:00'},'actions':{'action':"
                        "'light.turn_on','target':{'entity_id':'light.all'}}}"
                      : "{'triggers':{'trigger':'time','at':'07:00'},'actions':{'action':"
                        "'light.turn_on','target':{'entity_id':['light.a','light.b','light.c',"
                        "'light.gone']}}}");
        made_entity(&f.h, "light.a");
        made_entity(&f.h, "light.all");
        made_entity(&f.h, "light.b");
        made_entity(&f.h, "light.c");
        struct history_entity *a = &f.h.entities[0], *all = &f.h.entities[1], *b = &f.h.entities[2],
                              *c = &f.h.entities[3];
        all->members = xstrdup("light.a light.b light.c");
        struct history_entity *const list[] = {a, all, b, c};
        for (int i = 0; i < 4; i++)
            made_change(&f.h, list[i], monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        made_use(&f.h, a, monday, 7 * 3600, 600); /* one of three: no act of the automation's */
        made_use(&f.h, all, monday, 7 * 3600, 600);
        made_use(&f.h, a, monday + 1, 7 * 3600, 600); /* two of three */
        made_use(&f.h, b, monday + 1, 7 * 3600 + 100, 600);
        made_change(&f.h, a, monday + 2, 5 * 3600, HISTORY_STATE_ON, CAUSE_PHYSICAL);
        made_change(&f.h, b, monday + 2, 5 * 3600 + 400, HISTORY_STATE_ON, CAUSE_PHYSICAL);
        made_use(&f.h, c, monday + 2, 7 * 3600 + 200, 600); /* the only one that was off */
        made_use(&f.h, c, monday + 3, 6 * 3600, 7200);      /* all are on by then */
        for (int day = 0; day < 4; day++)
            fire_at(&f, monday + day, 7 * 3600, 0);
        judge(&f);
        expect_outcomes(&f, "miss, hit switch, hit switch, idle switch");
        finish(&f);
    }
}

static void test_nothing_to_judge(void **state)
{
    (void)state;
    static const char *const automations[] = {
        clock_on, /* its light is not in the history */
        "{'triggers':{'trigger':'time','at':'07:00'},'actions':[]}",
    };
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        make(&f, 3, automations[i]);
        fire_at(&f, monday + 1, 7 * 3600, 0);
        judge(&f);
        assert_int_equal(f.has_act, i == 0);
        assert_false(f.result.is_judged);
        assert_int_equal(f.result.fire_count, 1);
        assert_int_equal(f.result.days[1].fires, 1);
        assert_int_equal(f.result.days[1].misses + f.result.days[1].hits, 0);
        finish(&f);
    }
}

/* ---- what ends a use ------------------------------------------------------------------------ */

static void test_ends_of_uses(void **state)
{
    (void)state;
    struct fixture f;
    make(&f, 12,
         "{'triggers':{'trigger':'state','entity_id':'light.a','to':'on','for':'01:00:00'},"
         "'actions':{'action':'light.turn_off','target':{'entity_id':'light.a'}}}");
    made_entity(&f.h, "binary_sensor.a_motion");
    struct history_entity *m = made_entity(&f.h, "light.a") - 1, *e = m + 1;
    m->area = xstrdup("Attic");
    m->device_class = xstrdup("motion");
    e->area = xstrdup("Attic");
    made_change(&f.h, m, monday, 90, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_change(&f.h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    const int at = 9 * 3600;
    made_use(&f.h, e, monday, at, 3 * 3600);           /* forgotten */
    made_use(&f.h, e, monday + 1, at, 3600 + 200);     /* somebody needed it until then */
    made_use(&f.h, e, monday + 2, at, 2 * 3600 - 300); /* so too */
    made_use(&f.h, e, monday + 3, at, 2 * 3600 + 300); /* no longer */
    made_change(&f.h, e, monday + 4, at, HISTORY_STATE_ON, CAUSE_PHYSICAL);
    made_change(&f.h, e, monday + 4, at + 4000, HISTORY_STATE_OFF, CAUSE_AUTOMATION);
    made_use(&f.h, e, monday + 5, at, 5 * 3600); /* somebody is there all along */
    for (int i = 0; i < 30; i++) {
        made_change(&f.h, m, monday + 5, at + 600 * i + 10, HISTORY_STATE_ON, CAUSE_PHYSICAL);
        made_change(&f.h, m, monday + 5, at + 600 * i + 70, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    }
    for (int day = 0; day < 7; day++) /* on the last one it is off */
        fire_at(&f, monday + day, at + 3600, 0);
    judge(&f);
    expect_outcomes(&f, "hit switch, miss, miss, hit switch, idle automation, miss, idle switch");
    assert_int_equal(f.result.right, 2);
    assert_int_equal(f.result.wrong, 3);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acts),
        cmocka_unit_test(test_acts_are_bounded),
        cmocka_unit_test(test_who_and_when),
        cmocka_unit_test(test_part_of_a_history),
        cmocka_unit_test(test_states_and_delays),
        cmocka_unit_test(test_several_targets),
        cmocka_unit_test(test_nothing_to_judge),
        cmocka_unit_test(test_ends_of_uses),
    };
    return cmocka_run_group_tests(tests, setup, berlin_teardown);
}
