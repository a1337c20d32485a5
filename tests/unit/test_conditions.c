/* Rules with conditions, from a history to what is suggested: worlds with and without them. */
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
#include "tracks.h"
#include "gated_home.h"
#include "mine/conditions.h"
#include "mine/miner.h"
#include "suggest/judge.h"

/* How many worlds are drawn; WORLDS=N draws more. */
static int worlds_of(int usual)
{
    const char *given = getenv("WORLDS");
    return given != NULL ? atoi(given) : usual;
}

static struct track tracks[8];

/* ---- what was done ------------------------------------------------------------------------- */

/* A condition of the grammar, drawn. */
static void draw_condition(const struct home *home, enum gate_kind kind, struct rule *rule)
{
    static const char *const people[] = {"person.anna", "person.ben"};
    struct rule_condition *c = &rule->conditions[0];
    rule->condition_count = kind != GATE_DAYS && kind != GATE_REST;
    *c = (struct rule_condition){.kind = RULE_WHEN_STATE};
    switch (kind) {
    case GATE_SUN:
        c->entity_id = RULE_SUN_ENTITY;
        c->state = chance(0.7) ? RULE_DARK : RULE_DAYLIGHT;
        break;
    case GATE_DAYS:
        rule->weekdays = chance(0.6) ? RULE_WEEKDAYS : RULE_WEEKEND;
        break;
    case GATE_PRESENCE:
        c->entity_id = people[chance(0.5)];
        c->state = chance(0.8) ? "home" : "not_home";
        if (chance(0.3))
            *c = (struct rule_condition){
                .kind = RULE_WHEN_BELOW, .entity_id = RULE_HOME_ENTITY, .limit = 1};
        break;
    case GATE_MODE:
    case GATE_HELPER:
        c->entity_id = "input_select.mode";
        c->state = home->h.states[chance(0.5) ? home->party_state : home->quiet_state];
        break;
    case GATE_REST:
        rule->trigger.quiet_s = gates_rest_s((int)uniform(1, 12));
        break;
    case GATE_LIGHT:
        c->kind = RULE_WHEN_BELOW;
        c->entity_id = "sensor.light";
        c->limit = floor(exp(uniform(log(8), log(200))));
        break;
    case GATE_WINDOW:
    default:
        c->kind = RULE_WHEN_TIME;
        c->from_s = (int)uniform(12, 40) * GATES_BIN_S;
        c->to_s = (c->from_s + (int)uniform(6, 16) * GATES_BIN_S) % STATS_DAY_S;
        break;
    }
}

static int64_t ms_of(double second)
{
    return tz_day_start(tz, monday + (int64_t)(second / STATS_DAY_S)) * 1000 +
           (int64_t)(fmod(second, STATS_DAY_S) * 1000);
}

static bool rule_holds(const struct home *home, const struct rule *rule, int64_t ms, int64_t rest_s)
{
    struct tz_local local;
    tz_to_local(tz, ms / 1000, &local);
    return (rule->weekdays >> made_weekday(local.day) & 1U) && rest_s >= rule->trigger.quiet_s &&
           conditions_hold(&home->h, &home->daylight, rule, ms);
}

/* Visits all over the day: the detector fires once or some times. */
static void add_visits(struct track *track, int days, double a_day)
{
    for (int d = 0; d < days; d++)
        for (int n = poisson(a_day); n > 0; n--) {
            double at = d * 86400.0 + uniform(6.5, 23.5) * HOUR;
            for (int k = chance(0.6) ? 1 : 1 + (int)uniform(0, 4); k > 0; k--) {
                track_use(track, at, uniform(20, 40));
                at += uniform(45, 110);
            }
        }
}

/* After most of the fires at which the rule's conditions hold, while the target is off, it is
 * switched on by who comes. */
static void add_gated(const struct home *home, const struct rule *rule, struct track *trigger,
                      struct track *target, double adherence)
{
    qsort(trigger->list, trigger->count, sizeof *trigger->list, compare_changes);
    double off_since = 0, lag_s = exp(uniform(log(5), log(60))), length_s = uniform(300, 2400);
    double refused = -HOUR; /* who did not want it does not a minute later */
    for (size_t i = 0; i < trigger->count; i++) {
        double at = trigger->list[i].second, rest = at - off_since;
        if (trigger->list[i].state != HISTORY_STATE_ON) {
            off_since = at;
            continue;
        }
        if (track_is_on(target, at) || at - refused < 1200 ||
            !rule_holds(home, rule, ms_of(at), (int64_t)rest))
            continue;
        if (chance(adherence))
            track_use(target, at + fmax(2, lag_s * exp(0.3 * made_normal(&seed))),
                      length_s * uniform(0.5, 1.5));
        else
            refused = at;
    }
}

/* ---- worlds -------------------------------------------------------------------------------- */

static const struct rule plain = {.weekdays = RULE_EVERY_DAY};

/* Two detectors, each with a lamp: one hangs on a condition (of GATE_KIND_COUNT: on none), the
 * other does not. */
static void world_of_triggers(struct home *home, int days, enum gate_kind kind,
                              struct rule *planted)
{
    static const char *const ids[] = {"binary_sensor.hall", "binary_sensor.cellar", "light.hall",
                                      "light.cellar",       "light.porch",          "switch.radio"};
    home_begin(home, days, true);
    *planted = plain;
    if (kind != GATE_KIND_COUNT)
        draw_condition(home, kind, planted);
    add_visits(&tracks[0], days, kind == GATE_REST ? 10 : exp(uniform(log(2), log(12))));
    add_visits(&tracks[1], days, exp(uniform(log(1.5), log(8))));
    for (int i = 2; i < 6; i++)
        add_uses(&tracks[i], days, i < 4 ? 0.4 : 2, 1200);
    add_gated(home, planted, &tracks[0], &tracks[2], uniform(0.75, 0.95));
    add_gated(home, &plain, &tracks[1], &tracks[3], uniform(0.75, 0.95));
    for (int i = 0; i < 6; i++)
        track_write(&tracks[i], &home->h, ids[i]);
    home_end(home);
    planted->trigger.kind = RULE_TRIGGER_STATE;
}

/* Two lamps, each at its time: one hangs on a condition, the other does not. */
static void world_of_times(struct home *home, int days, enum gate_kind kind, struct rule *planted)
{
    static const char *const ids[] = {"light.hall", "light.cellar", "light.porch", "switch.radio"};
    home_begin(home, days, true);
    *planted = plain;
    if (kind != GATE_KIND_COUNT)
        draw_condition(home, kind, planted);
    double adherence[2] = {uniform(0.8, 0.95), uniform(0.8, 0.95)};
    double sigma_s = uniform(2, 10) * 60;
    int at[2] = {(int)uniform(16.5 * 4, 18.5 * 4) * 900, (int)uniform(8 * 4, 22 * 4) * 900};
    for (int d = 0; d < days; d++)
        for (int k = 0; k < 2; k++) {
            double second = d * 86400.0 + at[k] + sigma_s * made_normal(&seed);
            if (rule_holds(home, k == 0 ? planted : &plain, ms_of(d * 86400.0 + at[k]), 0) &&
                chance(adherence[k]))
                track_use(&tracks[k], second, uniform(1200, 7200));
        }
    for (int i = 0; i < 4; i++)
        add_uses(&tracks[i], days, i < 2 ? 0.2 : 2, 1200);
    for (int i = 0; i < 4; i++)
        track_write(&tracks[i], &home->h, ids[i]);
    home_end(home);
    planted->trigger = (struct rule_trigger){.kind = RULE_TRIGGER_TIME, .second = at[0]};
}

/* Calls visit for each time at which the planted rule could act, were it without its conditions:
 * with how long its trigger was at rest before. */
static void visit_cases(const struct home *home, const struct rule *planted,
                        void (*visit)(int day, int64_t ms, int64_t rest_s, void *ctx), void *ctx)
{
    const struct history_entity *e = history_find_entity(&home->h, "binary_sensor.hall");
    const struct history_entity *target = history_find_entity(&home->h, "light.hall");
    for (int d = 0; d < home->days.count; d++) {
        int64_t from = tz_day_start(tz, home->days.first + d) * 1000;
        int64_t to = tz_day_start(tz, home->days.first + d + 1) * 1000;
        if (planted->trigger.kind == RULE_TRIGGER_TIME) {
            visit(d, tz_to_utc(tz, home->days.first + d, planted->trigger.second) * 1000, 0, ctx);
            continue;
        }
        for (size_t i = history_find_change(e, from); i < e->changes && e->time_ms[i] < to; i++) {
            size_t t = history_find_change(target, e->time_ms[i]);
            if (i > 0 && e->state[i] == HISTORY_STATE_ON && t > 0 &&
                target->state[t - 1] == HISTORY_STATE_OFF)
                visit(d, e->time_ms[i], (e->time_ms[i] - e->time_ms[i - 1]) / 1000, ctx);
        }
    }
}

/* Two rules compared day by day; and how often the planted one's conditions barred it. */
struct comparison {
    const struct home *home;
    const struct rule *a, *b;
    int day, days, same, barred;
    bool agree;
};

static void compare_case(int day, int64_t ms, int64_t rest_s, void *ctx)
{
    struct comparison *c = ctx;
    bool a = rule_holds(c->home, c->a, ms, rest_s);
    if (c->day != day) {
        c->same += c->days > 0 && c->agree;
        c->days++;
        c->day = day;
        c->agree = true;
    }
    c->agree = c->agree && a == rule_holds(c->home, c->b, ms, rest_s);
    c->barred += !a && days_role(&c->home->days, day) == DAY_TRAINING;
}

static struct comparison compare(const struct home *home, const struct rule *planted,
                                 const struct rule *rule)
{
    struct comparison c = {.home = home, .a = planted, .b = rule, .day = -1};
    visit_cases(home, planted, compare_case, &c);
    c.same += c.days > 0 && c.agree;
    return c;
}

/* ---- what is suggested --------------------------------------------------------------------- */

struct outcome {
    int worlds, clear; /* clear: the conditions barred it ten times on training days */
    int found, clear_found, right, bare; /* bare: a clear one without any condition */
    int plain_found, plain_bound;        /* the other lamp's rule; with conditions all the same */
    int others, others_bound;            /* what is not planted; with conditions */
};

static bool is_bound(const struct rule *rule)
{
    return rule->condition_count > 0 || rule->trigger.quiet_s > 0 ||
           rule->weekdays != RULE_EVERY_DAY;
}

/* Whether it is the planted rule, or the other one, but for its conditions. */
static bool is_of(const struct rule *rule, const struct rule *planted, const char *room)
{
    char id[64];
    snprintf(id, sizeof id, "light.%s", room);
    if (rule->trigger.kind != planted->trigger.kind || rule->verb != RULE_TURN_ON ||
        strcmp(rule->entity_ids[0], id) != 0)
        return false;
    snprintf(id, sizeof id, "binary_sensor.%s", room);
    return rule->trigger.kind != RULE_TRIGGER_STATE ||
           (strcmp(rule->trigger.entity_id, id) == 0 && strcmp(rule->trigger.to, "on") == 0);
}

static void count_rule(const struct home *home, const struct rule *planted, const struct rule *rule,
                       bool is_clear, struct outcome *out)
{
    if (is_of(rule, planted, "hall")) {
        struct comparison c = compare(home, planted, rule);
        out->found++;
        out->clear_found += is_clear;
        out->right += is_clear && c.same >= 0.95 * c.days;
        out->bare += is_clear && !is_bound(rule);
    } else if (is_of(rule, planted, "cellar")) {
        out->plain_found++;
        out->plain_bound += is_bound(rule);
    } else {
        out->others++;
        out->others_bound += is_bound(rule);
    }
}

static void suggest(const struct home *home, const struct rule *planted, struct outcome *out)
{
    const struct mine_input input = {.history = &home->h,
                                     .daylight = &home->daylight,
                                     .days = &home->days,
                                     .restarts = &home->restarts,
                                     .actors = &home->actors,
                                     .gates = &home->gates,
                                     .threads = 1};
    struct mined mined;
    struct judged judged;
    mine_run(&input, &mined);
    judge_run(&input, &mined, &judged);
    bool is_clear = compare(home, planted, &plain).barred >= 10;
    out->worlds++;
    out->clear += is_clear;
    for (size_t i = 0; i < judged.count; i++)
        if (judged.list[i].verdict == VERDICT_SUGGESTED)
            count_rule(home, planted, &judged.list[i].habit.rule, is_clear, out);
    judged_release(&judged);
    mined_release(&mined);
}

static void print_outcome(const char *name, int days, const struct outcome *o)
{
    double clear = o->clear > 0 ? o->clear : 1, found = o->clear_found > 0 ? o->clear_found : 1;
    print_message("%-9s %d days: clear %d of %d, found %.3f, of these right %.3f, bare %.3f; "
                  "the plain one found %.3f, bound %.3f; others %.3f, bound %.3f\n",
                  name, days, o->clear, o->worlds, o->clear_found / clear, o->right / found,
                  o->bare / found, (double)o->plain_found / o->worlds,
                  (double)o->plain_bound / (o->plain_found > 0 ? o->plain_found : 1),
                  (double)o->others / o->worlds, (double)o->others_bound / o->worlds);
}

static void add_outcome(struct outcome *all, const struct outcome *one)
{
    all->worlds += one->worlds;
    all->clear += one->clear;
    all->clear_found += one->clear_found;
    all->right += one->right;
    all->bare += one->bare;
    all->plain_found += one->plain_found;
    all->plain_bound += one->plain_bound;
    all->others_bound += one->others_bound;
}

static const char *const kind_names[] = {"sun",  "days",  "presence", "mode", "helper",
                                         "rest", "light", "window",   "none"};

static struct outcome draw_worlds(void (*world)(struct home *, int, enum gate_kind, struct rule *),
                                  int kind, int days, int worlds)
{
    struct outcome out = {0};
    for (int i = 0; i < worlds; i++) {
        struct home home;
        struct rule planted;
        world(&home, days, (enum gate_kind)kind, &planted);
        suggest(&home, &planted, &out);
        home_release(&home);
    }
    return out;
}

/* Of what is drawn of all kinds, docs/miner.md has the shares. */
static void test_triggers(void **state)
{
    (void)state;
    static const int lengths[] = {14, 30, 90};
    struct outcome all = {0};
    for (int kind = 0; kind <= GATE_KIND_COUNT; kind++)
        for (int l = 0; l < 3 && kind != GATE_HELPER; l++) {
            struct outcome one = draw_worlds(world_of_triggers, kind, lengths[l], worlds_of(6));
            print_outcome(kind_names[kind], lengths[l], &one);
            if (lengths[l] > 14)
                add_outcome(&all, &one);
        }
    assert_true(all.clear_found >= 0.9 * all.clear - 4 * sqrt(0.09 * all.clear));
    assert_true(all.right >= 0.93 * all.clear_found - 4 * sqrt(0.07 * all.clear_found));
    assert_true(all.plain_bound <= 0.01 * all.plain_found + 4 * sqrt(0.01 * all.plain_found));
    assert_true(all.others_bound <= 0.02 * all.worlds + 4 * sqrt(0.02 * all.worlds));
}

static void test_times(void **state)
{
    (void)state;
    static const enum gate_kind kinds[] = {GATE_SUN, GATE_PRESENCE, GATE_MODE, GATE_LIGHT,
                                           GATE_KIND_COUNT};
    static const int lengths[] = {30, 90};
    struct outcome all = {0};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int l = 0; l < 2; l++) {
            struct outcome one = draw_worlds(world_of_times, kinds[k], lengths[l], worlds_of(10));
            print_outcome(kind_names[kinds[k]], lengths[l], &one);
            add_outcome(&all, &one);
        }
    assert_true(all.right >= 0.95 * all.clear_found - 4 * sqrt(0.05 * all.clear_found));
    assert_true(all.plain_bound <= 0.01 * all.plain_found + 4 * sqrt(0.01 * all.plain_found));
}

/* ---- nothing there ------------------------------------------------------------------------- */

/* People walk through rooms with detectors; who is in a dark room may switch on its lamp, at any
 * time of the visit, and hardly ever when it is light; two devices are used only while Anna is
 * home. No act follows anything. */
static void lived_world(struct home *home, int days, bool has_areas)
{
    static const char *const ids[] = {"binary_sensor.hall_motion",
                                      "binary_sensor.kitchen_motion",
                                      "binary_sensor.cellar_motion",
                                      "light.hall",
                                      "light.kitchen",
                                      "light.cellar",
                                      "switch.heater",
                                      "switch.radio"};
    static const char *const areas[] = {"Hall",    "Kitchen", "Cellar", "Hall",
                                        "Kitchen", "Cellar",  "Hall",   "Kitchen"};
    struct rule dark = plain, anna = plain;
    dark.condition_count = anna.condition_count = 1;
    dark.conditions[0] = (struct rule_condition){
        .kind = RULE_WHEN_STATE, .entity_id = RULE_SUN_ENTITY, .state = RULE_DARK};
    anna.conditions[0] = (struct rule_condition){
        .kind = RULE_WHEN_STATE, .entity_id = "person.anna", .state = "home"};
    home_begin(home, days, true);
    const double dark_use = uniform(0.3, 0.7), use = uniform(0, 0.1);
    for (int d = 0; d < days; d++) {
        double midnight = d * 86400.0, at = uniform(6.3, 7.7) * HOUR, bed = uniform(22, 24) * HOUR;
        while (at < bed) {
            int room = chance(0.1) ? 2 : (int)uniform(0, 2);
            double leave = at + uniform(3, 40) * 60, second = midnight + uniform(at + 5, leave);
            for (double t = at; t < leave; t += uniform(60, 400))
                track_use(&tracks[room], midnight + t, uniform(20, 50));
            if (chance(rule_holds(home, &dark, ms_of(second), 0) ? dark_use : use) &&
                !track_is_on(&tracks[3 + room], second))
                track_use(&tracks[3 + room], second, uniform(200, 3000));
            if (room < 2 && chance(0.1) && rule_holds(home, &anna, ms_of(second), 0))
                track_use(&tracks[6 + room], midnight + uniform(at, leave), uniform(200, 1000));
            at = leave;
        }
    }
    for (int i = 0; i < 8; i++) {
        track_write(&tracks[i], &home->h, ids[i]);
        if (has_areas)
            home->h.entities[home->h.entity_count - 1].area = xstrdup(areas[i]);
    }
    home_end(home);
}

/* Of 1,200 homes none has a rule with conditions, 0.008 a home one of the clock. */
static void test_living_has_no_conditions(void **state)
{
    (void)state;
    static const int lengths[] = {14, 30, 90};
    int homes = 0, bound = 0, all = 0;
    for (int l = 0; l < 3; l++) {
        struct outcome out = {0};
        for (int i = 0; i < worlds_of(8); i++) {
            struct home home;
            lived_world(&home, lengths[l], i % 2 == 0);
            suggest(&home, &plain, &out);
            home_release(&home);
        }
        print_message("%d days: %d suggestions in %d homes, %d with conditions\n", lengths[l],
                      out.others + out.found + out.plain_found, out.worlds,
                      out.others_bound + out.plain_bound);
        homes += out.worlds;
        bound += out.others_bound + out.plain_bound;
        all += out.others + out.found + out.plain_found;
    }
    assert_true(bound <= 0.005 * homes + 4 * sqrt(0.005 * homes));
    assert_true(all <= 0.02 * homes + 4 * sqrt(0.02 * homes));
}

/* ---- held-out days ------------------------------------------------------------------------- */

/* What a candidate about the hall's lamp came to. */
static enum verdict verdict_of(const struct home *home, bool *is_conditional)
{
    const struct mine_input input = {.history = &home->h,
                                     .daylight = &home->daylight,
                                     .days = &home->days,
                                     .restarts = &home->restarts,
                                     .actors = &home->actors,
                                     .gates = &home->gates,
                                     .threads = 1};
    enum verdict verdict = VERDICT_COUNT;
    struct mined mined;
    struct judged judged;
    mine_run(&input, &mined);
    judge_run(&input, &mined, &judged);
    const struct rule of_trigger = {.trigger = {.kind = RULE_TRIGGER_STATE}};
    for (size_t i = 0; i < judged.count; i++)
        if (is_of(&judged.list[i].habit.rule, &of_trigger, "hall")) {
            verdict = judged.list[i].verdict;
            *is_conditional = judged.list[i].habit.rule.condition_count > 0;
        }
    judged_release(&judged);
    mined_release(&mined);
    return verdict;
}

/* On the last days the lamp is switched on by day as well: it does not hang on the dark any more.
 */
static void test_held_out_days_refute_conditions(void **state)
{
    (void)state;
    for (int changes = 0; changes < 2; changes++) {
        struct home home;
        const int days = 60, training = 45;
        bool is_conditional = false;
        struct rule dark = plain;
        dark.condition_count = 1;
        dark.conditions[0] = (struct rule_condition){
            .kind = RULE_WHEN_STATE, .entity_id = RULE_SUN_ENTITY, .state = RULE_DARK};
        home_begin(&home, days, false);
        for (int d = 0; d < days; d++)
            for (int n = 0; n < 4; n++) {
                double at = d * 86400.0 + uniform(7.5 + 4 * n, 10 + 4 * n) * HOUR;
                bool all_day = changes && d >= training;
                track_use(&tracks[0], at, 30);
                if (all_day || rule_holds(&home, &dark, ms_of(at), 0))
                    track_use(&tracks[1], at + uniform(5, 20), uniform(600, 1200));
            }
        track_write(&tracks[0], &home.h, "binary_sensor.hall");
        track_write(&tracks[1], &home.h, "light.hall");
        home_end(&home);
        enum verdict verdict = verdict_of(&home, &is_conditional);
        assert_true(is_conditional);
        assert_int_equal(verdict, changes ? VERDICT_UNCONDITIONAL : VERDICT_SUGGESTED);
        home_release(&home);
    }
}

/* ---- conditions ---------------------------------------------------------------------------- */

static void test_what_excludes_what(void **state)
{
    (void)state;
    const struct rule_condition when[] = {
        {.kind = RULE_WHEN_STATE, .entity_id = "person.anna", .state = "home"},
        {.kind = RULE_WHEN_STATE, .entity_id = "person.anna", .state = "not_home"},
        {.kind = RULE_WHEN_STATE, .entity_id = "person.ben", .state = "not_home"},
        {.kind = RULE_WHEN_BELOW, .entity_id = "sensor.light", .limit = 20},
        {.kind = RULE_WHEN_ABOVE, .entity_id = "sensor.light", .limit = 20},
        {.kind = RULE_WHEN_ABOVE, .entity_id = "sensor.light", .limit = 10},
        {.kind = RULE_WHEN_TIME, .from_s = 22 * HOUR, .to_s = 6 * HOUR},
        {.kind = RULE_WHEN_TIME, .from_s = 6 * HOUR, .to_s = 9 * HOUR},
        {.kind = RULE_WHEN_TIME, .from_s = 5 * HOUR, .to_s = 9 * HOUR},
    };
    enum { COUNT = sizeof when / sizeof *when };
    static const int pairs[][2] = {{0, 1}, {3, 4}, {6, 7}};
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < COUNT; k++) {
            bool expected = false;
            for (size_t p = 0; p < sizeof pairs / sizeof *pairs; p++)
                expected = expected || (pairs[p][0] == i && pairs[p][1] == k) ||
                           (pairs[p][0] == k && pairs[p][1] == i);
            const struct rule a = {.conditions = {when[i]}, .condition_count = 1};
            const struct rule b = {.conditions = {when[k]}, .condition_count = 1};
            assert_int_equal(conditions_exclude(&a, &b), expected);
        }
    assert_false(conditions_exclude(&plain, &plain));
}

static void test_how_many_are_home(void **state)
{
    (void)state;
    struct home home;
    const struct rule_condition some = {
        .kind = RULE_WHEN_ABOVE, .entity_id = RULE_HOME_ENTITY, .limit = 0};
    const struct rule_condition none = {
        .kind = RULE_WHEN_BELOW, .entity_id = RULE_HOME_ENTITY, .limit = 1};
    home_init(&home, 20, false);
    const struct history_entity *anna = history_find_entity(&home.h, "person.anna");
    const struct history_entity *ben = history_find_entity(&home.h, "person.ben");
    int seen[2] = {0, 0};
    for (int64_t at = home.h.from_ms; at < home.h.to_ms; at += 600 * 1000) {
        size_t a = history_find_change(anna, at + 1), b = history_find_change(ben, at + 1);
        bool is = (a > 0 && anna->state[a - 1] == home.home_state) ||
                  (b > 0 && ben->state[b - 1] == home.home_state);
        assert_int_equal(condition_holds(&home.h, &home.daylight, &some, at), is);
        assert_int_equal(condition_holds(&home.h, &home.daylight, &none, at), !is);
        seen[is]++;
    }
    assert_true(seen[0] > 0 && seen[1] > 0);
    home_release(&home);
    struct history h; /* without people nothing is known of them */
    made_init(&h, tz, monday, 2);
    made_entity(&h, "light.a");
    const struct daylight unknown = {.is_known = false};
    assert_false(condition_holds(&h, &unknown, &some, h.from_ms));
    assert_false(condition_holds(&h, &unknown, &none, h.from_ms));
    history_release(&h);
}

/* What comes after a rest has a kind of its own. */
static void test_kind_of_rest(void **state)
{
    (void)state;
    struct habit habit = {.miner = 2};
    assert_string_equal(habit_kind(&habit), miners[2].kind);
    habit.rule.trigger.quiet_s = 3600;
    assert_string_equal(habit_kind(&habit), "long_quiet");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_triggers),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_living_has_no_conditions),
        cmocka_unit_test(test_held_out_days_refute_conditions),
        cmocka_unit_test(test_what_excludes_what),
        cmocka_unit_test(test_how_many_are_home),
        cmocka_unit_test(test_kind_of_rest),
    };
    return cmocka_run_group_tests(tests, tracks_setup, berlin_teardown);
}
