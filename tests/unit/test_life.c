/* The life of a suggestion: the table of steps, what a rejection bars, what time does, the audit.
 */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "scratch_store.h"
#include "seeded.h"
#include "store/life.h"
#include "store/run_outcome.h"

static const int64_t DAY_MS = INT64_C(86400000);

/* ---- what an analysis finds ---- */

/* "HH:MM", "sunset HH:MM", or the entity of a state trigger; targets are separated by blanks. */
struct habit {
    const char *id, *when, *service, *targets;
};

static json_object *targets_of(const char *names)
{
    json_object *ids = json_object_new_array();
    while (*names != '\0') {
        size_t n = strcspn(names, " ");
        json_object_array_add(ids, json_object_new_string_len(names, (int)n));
        names += n + (names[n] == ' ');
    }
    return ids;
}

static json_object *suggestion_of(const struct habit *h)
{
    json_object *all = json_object_new_object(), *automation = json_object_new_object();
    json_object *trigger = json_object_new_object(), *triggers = json_object_new_array();
    json_object *action = json_object_new_object(), *actions = json_object_new_array();
    json_object *target = json_object_new_object(), *rule = json_object_new_object();
    json_object *backtest = json_object_new_object();
    bool sun = strncmp(h->when, "sunset ", 7) == 0, entity = strchr(h->when, '.') != NULL;
    json_add_string(trigger, "trigger", sun ? "sun" : entity ? "state" : "time");
    if (!sun)
        json_add_string(trigger, entity ? "entity_id" : "at", h->when);
    if (sun)
        json_add_string(rule, "time", h->when + 7);
    json_object_array_add(triggers, trigger);
    json_object_object_add(target, "entity_id", targets_of(h->targets));
    json_add_string(action, "action", h->service);
    json_object_object_add(action, "target", target);
    json_object_array_add(actions, action);
    json_object_object_add(automation, "triggers", triggers);
    json_object_object_add(automation, "actions", actions);
    json_add_int(backtest, "held_out_days", 7);
    json_add_string(all, "id", h->id);
    json_add_string(all, "kind", "time_of_day");
    json_add_text(all, "title", xasprintf("%s %s", h->id, h->when));
    json_object_object_add(all, "rule", rule);
    json_object_object_add(all, "backtest", backtest);
    json_object_object_add(all, "automation", automation);
    return all;
}

static struct suggestions_merge last; /* without its arrays */
static json_object *steps;            /* of the last merge or tick: an array, put by the next one */

static void merge_at(const struct habit *habits, size_t count, int64_t now_ms)
{
    struct error err = {0};
    json_object *result = json_object_new_object(), *list = json_object_new_array();
    for (size_t i = 0; i < count; i++)
        json_object_array_add(list, suggestion_of(&habits[i]));
    json_object_object_add(result, "suggestions", list);
    if (suggestions_merge_analysis(store, result, now_ms, &last, &err) < 0)
        fail_msg("%s", err.message);
    json_object_put(result);
    json_object_put(last.created);
    json_object_put(last.changed);
    json_object_put(steps);
    steps = last.steps;
}

#define MERGE_AT(now_ms, ...)                                                                      \
    merge_at((struct habit[]){__VA_ARGS__},                                                        \
             sizeof((struct habit[]){__VA_ARGS__}) / sizeof(struct habit), now_ms)
#define MERGE(...) MERGE_AT(1000, __VA_ARGS__)

#define LAMP "light.turn_on", "light.lamp"

static struct suggestion find(const char *id)
{
    struct suggestion s = {0};
    if (suggestion_find(store, id, &s, NULL) != 1)
        fail_msg("there is no %s", id);
    return s;
}

static void check(const char *id, const char *state)
{
    struct suggestion s = find(id);
    assert_string_equal(suggestion_state_name(s.state), state);
    suggestion_release(&s);
}

static void check_none(const char *id)
{
    struct suggestion s;
    assert_int_equal(suggestion_find(store, id, &s, NULL), 0);
}

static struct life_step to(enum suggestion_state state, int64_t now_ms)
{
    bool ends = state == SUGGESTION_TRYING || state == SUGGESTION_SNOOZED;
    return (struct life_step){
        .to = state, .who = "anna", .now_ms = now_ms, .until_ms = ends ? now_ms + DAY_MS : 0};
}

static void must_take(const char *id, struct life_step step)
{
    struct error err = {0};
    if (life_take(store, id, &step, NULL, &err) < 0)
        fail_msg("%s", err.message);
}

static void reject(const char *id, enum objection objection)
{
    struct life_step step = to(SUGGESTION_REJECTED, 2000);
    step.objection = objection;
    step.reason = objection_name(objection);
    must_take(id, step);
}

static void check_step_told(size_t index, const char *id, const char *from, const char *state)
{
    assert_true(index < json_object_array_length(steps));
    json_object *event = json_object_array_get_idx(steps, index);
    assert_string_equal(json_get_string(event, "suggestion_id"), id);
    assert_string_equal(json_get_string(event, "from"), from);
    assert_string_equal(json_get_string(event, "event_type"), state);
    assert_non_null(json_get_string(event, "title"));
}

/* ---- the table ---- */

static const char *const state_names[SUGGESTION_STATE_COUNT] = {
    "new",    "approved", "deployed", "failed", "rejected", "retired",
    "trying", "snoozed",  "expired",  "undone", "edited",   "refined"};

/* As the issue says it, in words; nothing else is allowed. */
static const char *const allowed[][2] = {
    {"new", "trying"},        {"new", "approved"},     {"new", "rejected"},
    {"new", "snoozed"},       {"new", "expired"},      {"trying", "approved"},
    {"trying", "rejected"},   {"trying", "new"},       {"trying", "retired"},
    {"approved", "deployed"}, {"approved", "failed"},  {"approved", "new"},
    {"failed", "approved"},   {"failed", "rejected"},  {"deployed", "retired"},
    {"deployed", "undone"},   {"deployed", "edited"},  {"deployed", "refined"},
    {"snoozed", "new"},       {"snoozed", "expired"},  {"rejected", "new"},
    {"undone", "new"},        {"retired", "new"},      {"expired", "new"},
    {"edited", "retired"},    {"approved", "retired"}, {"refined", "deployed"}};

static bool is_allowed(const char *from, const char *state)
{
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
        if (strcmp(allowed[i][0], from) == 0 && strcmp(allowed[i][1], state) == 0)
            return true;
    return false;
}

static void bring_to(enum suggestion_state state)
{
    MERGE({"a", "07:00", LAMP});
    switch (state) {
    case SUGGESTION_NEW:
        return;
    case SUGGESTION_DEPLOYED:
    case SUGGESTION_FAILED:
        must_take("a", to(SUGGESTION_APPROVED, 2000));
        break;
    case SUGGESTION_RETIRED:
        must_take("a", to(SUGGESTION_TRYING, 2000));
        break;
    case SUGGESTION_UNDONE:
    case SUGGESTION_EDITED:
    case SUGGESTION_REFINED:
        must_take("a", to(SUGGESTION_APPROVED, 2000));
        must_take("a", to(SUGGESTION_DEPLOYED, 2000));
        break;
    default:
        break;
    }
    must_take("a", to(state, 2000));
}

static void test_every_pair_of_states(void **state)
{
    (void)state;
    for (int from = 0; from < SUGGESTION_STATE_COUNT; from++)
        for (int next = 0; next < SUGGESTION_STATE_COUNT; next++) {
            struct error err = {0};
            const enum suggestion_state a = (enum suggestion_state)from,
                                        b = (enum suggestion_state)next;
            const struct life_step step = to(b, 3000);
            json_object *told;
            assert_string_equal(suggestion_state_name(a), state_names[a]);
            assert_int_equal(store_begin(store, NULL), 0);
            bring_to(a);
            int rc = life_take(store, "a", &step, &told, &err);
            assert_int_equal(rc, is_allowed(state_names[a], state_names[b]) ? 0 : -1);
            assert_int_equal(life_allows(a, b), rc == 0);
            check("a", state_names[rc == 0 ? b : a]);
            if (rc < 0) {
                assert_null(told);
                assert_int_equal(err.code, ERROR_INVALID);
                char *both =
                    xasprintf("is %s and cannot become %s", state_names[a], state_names[b]);
                assert_non_null(strstr(err.message, both));
                free(both);
            } else {
                assert_string_equal(json_get_string(told, "event_type"), state_names[b]);
                assert_string_equal(json_get_string(told, "from"), state_names[a]);
                assert_string_equal(json_get_string(told, "by"), "anna");
            }
            json_object_put(told);
            store_rollback(store);
        }
}

static void test_numbers_of_states_stay(void **state)
{
    (void)state;
    assert_string_equal(suggestion_state_name((enum suggestion_state)5), "retired");
    assert_string_equal(suggestion_state_name((enum suggestion_state)11), "refined");
    assert_string_equal(suggestion_state_name((enum suggestion_state)12), "unknown");
    assert_false(life_allows((enum suggestion_state)12, SUGGESTION_NEW));
    assert_false(life_allows(SUGGESTION_NEW, (enum suggestion_state) - 1));
}

static void test_wrong_steps(void **state)
{
    (void)state;
    struct error err = {0};
    MERGE({"a", "07:00", LAMP});
    struct life_step step = to(SUGGESTION_SNOOZED, 3000);
    assert_int_equal(life_take(store, "nobody", &step, NULL, &err), -1);
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    step.until_ms = 0;
    assert_int_equal(life_take(store, "a", &step, NULL, &err), -1);
    assert_non_null(strstr(err.message, "needs an end"));
    step.until_ms = 3000;
    assert_int_equal(life_take(store, "a", &step, NULL, &err), -1);
    step = to(SUGGESTION_APPROVED, 3000);
    step.until_ms = 4000;
    assert_int_equal(life_take(store, "a", &step, NULL, &err), -1);
    check("a", "new");
}

/* ---- what a rejection bars ---- */

static void test_this_habit(void **state)
{
    (void)state;
    MERGE({"a", "07:00", LAMP});
    reject("a", OBJECTION_HABIT);
    MERGE({"a", "07:30", LAMP}, {"a#2", "22:00", LAMP},
          {"b", "07:30", "light.turn_off", "light.lamp"});
    check("a", "rejected");
    check("a#2", "new");
    check("b", "new");
    assert_int_equal(last.rejected, 1);
}

static void test_never(void **state)
{
    (void)state;
    MERGE({"a", "07:00", LAMP});
    reject("a", OBJECTION_NEVER);
    /* Any time, any trigger, any id, alone or among others. */
    MERGE({"a", "22:00", LAMP}, {"a#2", "binary_sensor.door", LAMP}, {"x", "12:00", LAMP},
          {"y", "13:00", "light.turn_on", "light.hall light.lamp"},
          {"b", "07:00", "light.turn_off", "light.lamp"},
          {"c", "07:00", "light.turn_on", "light.hall"});
    assert_int_equal(last.rejected, 4);
    check("a", "rejected");
    check_none("a#2");
    check_none("x");
    check_none("y");
    check("b", "new"); /* another act */
    check("c", "new"); /* another entity */
    /* What was rejected as one may come in part. */
    reject("b", OBJECTION_HABIT);
    MERGE({"g", "09:00", "fan.turn_on", "fan.a fan.b"});
    reject("g", OBJECTION_NEVER);
    MERGE({"h", "09:00", "fan.turn_on", "fan.a"}, {"i", "18:00", "fan.turn_on", "fan.b fan.a"});
    check("h", "new");
    check_none("i");
}

static void test_wrong_time(void **state)
{
    (void)state;
    MERGE({"a", "23:50", LAMP});
    reject("a", OBJECTION_TIME);
    MERGE({"x", "00:30", LAMP}, {"y", "sunset 23:10", LAMP}, {"z", "22:55", LAMP},
          {"d", "binary_sensor.door", LAMP});
    assert_int_equal(last.rejected, 2);
    check_none("x"); /* 40 minutes later, over midnight */
    check_none("y");
    check("z", "new"); /* 55 minutes before */
    check("d", "new");
    /* It does not wander with the habit: what is far from what was rejected comes. */
    MERGE({"a", "00:20", LAMP}, {"d", "binary_sensor.door", LAMP});
    MERGE({"a", "00:40", LAMP}, {"d", "binary_sensor.door", LAMP});
    check("a", "rejected");
    check("a#2", "new");
    struct suggestion s = find("a");
    assert_string_equal(s.reason, "wrong time");
    assert_int_equal(s.objection, OBJECTION_TIME);
    suggestion_release(&s);
}

static void test_wrong_trigger(void **state)
{
    (void)state;
    MERGE({"a", "binary_sensor.door", LAMP});
    reject("a", OBJECTION_TRIGGER);
    MERGE({"a", "binary_sensor.motion", LAMP}, {"a#2", "07:00", LAMP}, {"x", "switch.tv", LAMP},
          {"y", "sunset 18:00", LAMP});
    assert_int_equal(last.rejected, 2);
    check_none("x");
    check("a#2", "new"); /* of the clock */
    check("y", "new");   /* of the sun */
    struct suggestion *list;
    size_t count;
    assert_int_equal(suggestions_list(store, ~0u, &list, &count, NULL), 0);
    assert_int_equal(count, 3);
    suggestions_free(list, count);
    /* The clock's is no answer to the sun's, though they may be one habit. */
    MERGE({"c", "18:00", "fan.turn_on", "fan.a"});
    reject("c", OBJECTION_TRIGGER);
    MERGE({"c", "sunset 18:05", "fan.turn_on", "fan.a"});
    check("c", "rejected");
    check("c#2", "new");
}

/* What waits and is like what was rejected goes with the next analysis, and comes back with an
 * undo. */
static void test_rejection_of_what_waits(void **state)
{
    (void)state;
    MERGE({"a", "07:00", LAMP}, {"a#2", "22:00", LAMP}, {"d", "12:00", LAMP});
    must_take("d", to(SUGGESTION_APPROVED, 1500));
    must_take("d", to(SUGGESTION_DEPLOYED, 1500));
    reject("a", OBJECTION_NEVER);
    MERGE({"a", "07:00", LAMP}, {"a#2", "22:00", LAMP}, {"d", "12:00", LAMP});
    check("a#2", "expired");
    check("d", "deployed");
    check_step_told(0, "a#2", "new", "expired");
    assert_string_equal(json_get_string(json_object_array_get_idx(steps, 0), "reason"),
                        "like one that was rejected");
    MERGE({"a", "07:00", LAMP}, {"a#2", "22:00", LAMP}, {"d", "12:00", LAMP});
    check("a#2", "expired");
    must_take("a", to(SUGGESTION_NEW, 3000));
    MERGE({"a", "07:00", LAMP}, {"a#2", "22:00", LAMP}, {"d", "12:00", LAMP});
    check("a", "new");
    check("a#2", "new");
    assert_int_equal(last.rejected, 0);
}

static void test_acts(void **state)
{
    (void)state;
    struct objection_acts acts;
    char many[OBJECTION_ACTS_MAX * 8 + 16] = "";
    for (int i = 0; i < OBJECTION_ACTS_MAX; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many), "a.%03d ", i);
    json_object *content = suggestion_of(&(struct habit){"a", "07:00", "light.turn_on", many});
    objection_acts_of(content, &acts);
    assert_int_equal(acts.count, OBJECTION_ACTS_MAX);
    assert_string_equal(acts.items[0], "light.turn_on a.000");
    objection_acts_release(&acts);
    json_object_put(content);
    strcat(many, "b.one");
    content = suggestion_of(&(struct habit){"a", "07:00", "light.turn_on", many});
    objection_acts_of(content, &acts);
    assert_int_equal(acts.count, 0); /* too many: it is known by its family alone */
    json_object_put(content);
    assert_int_equal(objection_from_name("never"), OBJECTION_NEVER);
    assert_int_equal(objection_from_name("perhaps"), -1);
}

/* ---- time ---- */

static void tick(int64_t now_ms)
{
    struct error err = {0};
    json_object_put(steps);
    steps = json_object_new_array();
    if (life_tick(store, now_ms, steps, &err) < 0)
        fail_msg("%s", err.message);
}

static void test_snooze_ends(void **state)
{
    (void)state;
    MERGE({"a", "07:00", LAMP}, {"b", "08:00", "fan.turn_on", "fan.a"});
    struct life_step step = to(SUGGESTION_SNOOZED, 5000);
    step.until_ms = 5000 + LIFE_SNOOZE_DAYS * DAY_MS;
    must_take("a", step);
    MERGE_AT(6000, {"a", "07:10", LAMP}, {"b", "08:00", "fan.turn_on", "fan.a"});
    check("a", "snoozed");
    assert_int_equal(last.waiting, 1);
    struct suggestion s = find("a");
    assert_int_equal(s.until_ms, step.until_ms); /* an analysis does not move it */
    suggestion_release(&s);
    tick(step.until_ms - 1);
    assert_int_equal(json_object_array_length(steps), 0);
    tick(step.until_ms);
    check("a", "new");
    check_step_told(0, "a", "snoozed", "new");
    assert_string_equal(json_get_string(json_object_array_get_idx(steps, 0), "by"), "schedule");
    s = find("a");
    assert_int_equal(s.until_ms, 0);
    suggestion_release(&s);
    /* A habit that ends while it sleeps does not wake. */
    must_take("a", to(SUGGESTION_SNOOZED, 7000));
    MERGE_AT(8000, {"b", "08:00", "fan.turn_on", "fan.a"});
    check("a", "expired");
    tick(step.until_ms * 2);
    check("a", "expired");
}

static void test_unanswered_expires(void **state)
{
    (void)state;
    MERGE({"a", "07:00", LAMP}, {"b", "08:00", "fan.turn_on", "fan.a"});
    reject("b", OBJECTION_HABIT);
    for (int day = 1; day <= 60; day++) { /* found each day: that is no answer */
        tick(1000 + day * DAY_MS - 1);
        check("a", "new");
        MERGE_AT(1000 + day * DAY_MS - 1, {"a", "07:00", LAMP});
    }
    tick(1000 + LIFE_UNANSWERED_DAYS * DAY_MS);
    check("a", "expired");
    check("b", "rejected");
    check_step_told(0, "a", "new", "expired");
    /* Found the next day it is the same one that nobody wanted; away and back it is news. */
    MERGE_AT(2000 + 61 * DAY_MS, {"a", "07:00", LAMP});
    check("a", "expired");
    merge_at(NULL, 0, 2000 + 62 * DAY_MS);
    check("a", "expired");
    MERGE_AT(2000 + 63 * DAY_MS, {"a", "07:00", LAMP});
    check("a", "new");
    check_step_told(0, "a", "expired", "new");
    tick(2000 + 63 * DAY_MS);
    check("a", "new"); /* its sixty days begin anew */
}

static void test_tick_limit(void **state)
{
    (void)state;
    static struct habit habits[LIFE_TICK_STEPS_MAX + 5];
    static char ids[LIFE_TICK_STEPS_MAX + 5][8];
    for (size_t i = 0; i < LIFE_TICK_STEPS_MAX + 5; i++) {
        snprintf(ids[i], sizeof(ids[i]), "h%zu", i);
        habits[i] = (struct habit){ids[i], "07:00", "light.turn_on", ids[i]};
    }
    merge_at(habits, LIFE_TICK_STEPS_MAX + 5, 1000);
    tick(1000 + 61 * DAY_MS);
    assert_int_equal(json_object_array_length(steps), LIFE_TICK_STEPS_MAX);
    tick(1000 + 61 * DAY_MS);
    assert_int_equal(json_object_array_length(steps), 5);
}

static void test_undone_needs_new_evidence(void **state)
{
    (void)state;
    bring_to(SUGGESTION_UNDONE);
    MERGE_AT(2000 + 7 * DAY_MS, {"a", "07:00", LAMP});
    check("a", "undone"); /* held-out days from before */
    MERGE_AT(2001 + 7 * DAY_MS, {"a", "07:00", LAMP});
    check("a", "new");
    check_step_told(0, "a", "undone", "new");
    must_take("a", to(SUGGESTION_APPROVED, 3000));
    must_take("a", to(SUGGESTION_DEPLOYED, 3000));
    must_take("a", to(SUGGESTION_UNDONE, 3000));
    merge_at(NULL, 0, 4000);
    check("a", "undone");
    MERGE_AT(5000, {"a", "07:00", LAMP});
    check("a", "new"); /* it was away, and came back */
}

/* ---- trials ---- */

static void test_trial(void **state)
{
    (void)state;
    struct error err = {0};
    json_object *told, *record = json_parse("{\"fires\":5,\"hits\":4}", 20, NULL);
    MERGE({"a", "07:00", LAMP}, {"b", "08:00", "fan.turn_on", "fan.a"});
    assert_int_equal(suggestion_end_trial(store, "a", record, false, "over", 3000, &told, &err),
                     -1);
    assert_non_null(strstr(err.message, "is new and not being tried"));
    must_take("a", to(SUGGESTION_TRYING, 2000));
    must_take("b", to(SUGGESTION_TRYING, 2000));
    MERGE_AT(3000, {"a", "07:30", LAMP}); /* what is tried stays, found or not */
    check("b", "trying");
    struct suggestion s = find("a");
    assert_int_equal(s.since_ms, 2000);
    assert_int_equal(s.until_ms, 2000 + DAY_MS);
    assert_string_equal(s.title, "a 07:00");
    suggestion_release(&s);
    assert_int_equal(suggestion_end_trial(store, "a", record, false, "over", 4000, &told, &err), 0);
    assert_string_equal(json_get_string(told, "event_type"), "new");
    json_object_put(told);
    check("a", "new");
    assert_int_equal(suggestion_end_trial(store, "b", record, true, "it would have been wrong",
                                          4000, &told, &err),
                     0);
    assert_string_equal(json_get_string(told, "event_type"), "retired");
    assert_string_equal(json_get_string(told, "reason"), "it would have been wrong");
    json_object_put(told);
    /* The record stays with it, whatever is found; what withdrew does not come back by itself. */
    MERGE_AT(5000, {"a", "07:30", LAMP}, {"b", "08:00", "fan.turn_on", "fan.a"});
    s = find("a");
    assert_int_equal(json_get_int(json_get_object(s.content, "trial"), "hits", 0), 4);
    suggestion_release(&s);
    check("b", "retired");
    json_object_put(record);
}

static void test_trial_without_a_record(void **state)
{
    (void)state;
    struct error err = {0};
    bring_to(SUGGESTION_TRYING);
    tick(2000 + (1 + LIFE_REVIEW_WAIT_DAYS) * DAY_MS - 1);
    check("a", "trying");
    char *large = xcalloc(1, SUGGESTION_CONTENT_MAX + 1);
    memset(large, 'x', SUGGESTION_CONTENT_MAX);
    json_object *record = json_object_new_object();
    json_add_text(record, "note", large);
    assert_int_equal(suggestion_end_trial(store, "a", record, false, NULL, 3000, NULL, &err), -1);
    assert_int_equal(err.code, ERROR_LIMIT);
    check("a", "trying");
    json_object_put(record);
    tick(2000 + (1 + LIFE_REVIEW_WAIT_DAYS) * DAY_MS);
    check("a", "new");
}

static void test_what_is_reviewed(void **state)
{
    (void)state;
    struct error err = {0};
    MERGE({"a", "07:00", LAMP}, {"b", "08:00", "fan.turn_on", "fan.a"},
          {"c", "09:00", "fan.turn_off", "fan.a"}, {"d", "10:00", "switch.turn_on", "switch.a"});
    must_take("a", to(SUGGESTION_TRYING, 2000));
    must_take("b", to(SUGGESTION_APPROVED, 3000));
    must_take("b", to(SUGGESTION_DEPLOYED, 4000));
    must_take("c", to(SUGGESTION_SNOOZED, 4000));
    json_object *known = life_known_rules(store, &err), *rules = json_get_array(known, "rules");
    assert_int_equal(json_object_array_length(rules), 2);
    json_object *b = json_object_array_get_idx(rules, 0), *a = json_object_array_get_idx(rules, 1);
    assert_string_equal(json_get_string(a, "id"), "a"); /* those on trial last */
    assert_string_equal(json_get_string(a, "state"), "trying");
    assert_string_equal(json_get_string(a, "since"), "1970-01-01T00:00:02.000Z");
    assert_string_equal(json_get_string(a, "until"), "1970-01-02T00:00:02.000Z");
    assert_non_null(json_at(a, "automation.triggers"));
    assert_int_equal(json_get_int(json_at(a, "rule.backtest"), "held_out_days", 0), 7);
    assert_string_equal(json_get_string(b, "state"), "deployed");
    assert_string_equal(json_get_string(b, "since"), "1970-01-01T00:00:04.000Z");
    assert_null(json_get_string(b, "until"));
    json_object_put(known);
}

static void test_reviewed_limit(void **state)
{
    (void)state;
    static struct habit habits[LIFE_KNOWN_MAX + 1];
    static char ids[LIFE_KNOWN_MAX + 1][8];
    struct error err = {0};
    for (size_t i = 0; i <= LIFE_KNOWN_MAX; i++) {
        snprintf(ids[i], sizeof(ids[i]), "h%zu", i);
        habits[i] = (struct habit){ids[i], "07:00", "light.turn_on", ids[i]};
    }
    assert_int_equal(store_begin(store, NULL), 0);
    merge_at(habits, LIFE_KNOWN_MAX + 1, 1000);
    for (size_t i = 0; i <= LIFE_KNOWN_MAX; i++)
        must_take(ids[i], to(SUGGESTION_TRYING, 2000));
    assert_int_equal(store_commit(store, NULL), 0);
    json_object *known = life_known_rules(store, &err);
    assert_int_equal(json_object_array_length(json_get_array(known, "rules")), LIFE_KNOWN_MAX);
    json_object_put(known);
}

/* ---- undo and audit ---- */

static const char *undoable(enum suggestion_state *state)
{
    static struct life_undoable found;
    struct error err = {0};
    int rc = life_find_undoable(store, &found, &err);
    if (rc < 0)
        fail_msg("%s", err.message);
    *state = found.state;
    return rc > 0 ? found.id : "";
}

static void test_undo_finds_the_last_step(void **state)
{
    (void)state;
    enum suggestion_state was;
    MERGE({"a", "07:00", LAMP}, {"b", "08:00", "fan.turn_on", "fan.a"},
          {"c", "09:00", "fan.turn_off", "fan.a"}, {"d", "10:00", "switch.turn_on", "switch.a"});
    assert_string_equal(undoable(&was), "");
    must_take("a", to(SUGGESTION_APPROVED, 2000));
    suggestion_move(store, "a", SUGGESTION_DEPLOYED, NULL, LIFE_WHO_SERVICE, 2000, NULL);
    must_take("b", to(SUGGESTION_SNOOZED, 2000));
    reject("c", OBJECTION_NEVER);
    must_take("d", to(SUGGESTION_TRYING, 2000));
    assert_string_equal(undoable(&was), "d");
    must_take("d", to(SUGGESTION_NEW, 2000));
    assert_string_equal(undoable(&was), "c");
    assert_int_equal(was, SUGGESTION_REJECTED);
    must_take("c", to(SUGGESTION_NEW, 2000));
    assert_string_equal(undoable(&was), "b");
    tick(2000 + DAY_MS); /* its snooze ends by itself: nothing to take back */
    assert_string_equal(undoable(&was), "a");
    assert_int_equal(was, SUGGESTION_DEPLOYED);
    must_take("a", to(SUGGESTION_UNDONE, 2000));
    assert_string_equal(undoable(&was), "");
    must_take("b", to(SUGGESTION_APPROVED, 2000));
    suggestion_move(store, "b", SUGGESTION_FAILED, "no", LIFE_WHO_SERVICE, 2000, NULL);
    assert_string_equal(undoable(&was), ""); /* it waits already */
}

static void test_audit(void **state)
{
    (void)state;
    struct error err = {0};
    struct audit_row *rows;
    size_t count;
    char who[AUDIT_WHO_MAX + 50];
    memset(who, 'w', sizeof(who));
    who[sizeof(who) - 1] = '\0';
    MERGE({"a", "07:00", LAMP});
    reject("a", OBJECTION_TIME);
    struct life_step step = to(SUGGESTION_NEW, 3000);
    step.who = who;
    must_take("a", step);
    assert_int_equal(audit_command(store, "reason", NULL, "never", "anna", 4000, &err), 0);
    assert_int_equal(
        life_take(store, "a", &(struct life_step){.to = SUGGESTION_DEPLOYED}, NULL, &err),
        -1); /* leaves no row */
    assert_int_equal(audit_list(store, NULL, 10, &rows, &count, &err), 0);
    assert_int_equal(count, 3);
    assert_string_equal(rows[0].command, "reason");
    assert_string_equal(rows[0].to, "never");
    assert_string_equal(rows[0].suggestion, "");
    assert_int_equal(strlen(rows[1].who), AUDIT_WHO_MAX);
    assert_string_equal(rows[2].who, "anna");
    assert_string_equal(rows[2].from, "new");
    assert_string_equal(rows[2].to, "rejected");
    assert_string_equal(rows[2].reason, "wrong time");
    assert_int_equal(rows[2].at_ms, 2000);
    audit_free(rows, count);
    assert_int_equal(audit_list(store, "a", 1, &rows, &count, &err), 0);
    assert_int_equal(count, 1);
    audit_free(rows, count);
    assert_int_equal(store_begin(store, NULL), 0);
    for (int i = 0; i < AUDIT_ROWS_MAX + 5; i++)
        assert_int_equal(audit_command(store, "analyze", NULL, NULL, "anna", i, &err), 0);
    assert_int_equal(store_commit(store, NULL), 0);
    assert_int_equal(audit_list(store, NULL, AUDIT_ROWS_MAX * 2, &rows, &count, &err), 0);
    assert_int_equal(count, AUDIT_ROWS_MAX);
    audit_free(rows, count);
}

/* ---- whatever happens ---- */

/* Each suggestion's rows are one walk through the table, from `new` to the state that it has. */
static void check_walks(void)
{
    struct suggestion *list;
    size_t count, n;
    struct audit_row *rows;
    assert_int_equal(suggestions_list(store, ~0u, &list, &count, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(audit_list(store, list[i].id, AUDIT_ROWS_MAX, &rows, &n, NULL), 0);
        const char *at = "new";
        for (size_t k = n; k-- > 0;) {
            assert_string_equal(rows[k].from, at);
            assert_true(is_allowed(rows[k].from, rows[k].to));
            at = rows[k].to;
        }
        assert_string_equal(at, suggestion_state_name(list[i].state));
        bool ends = list[i].state == SUGGESTION_SNOOZED || list[i].state == SUGGESTION_TRYING;
        assert_int_equal(list[i].until_ms != 0, ends);
        audit_free(rows, n);
    }
    suggestions_free(list, count);
}

static bool is_rejected_for_good(const struct suggestion *found)
{
    struct suggestion *list;
    struct objection_acts acts, barred;
    size_t count;
    bool result = false;
    objection_acts_of(found->content, &acts);
    assert_int_equal(suggestions_list(store, 1u << SUGGESTION_REJECTED, &list, &count, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        objection_acts_of(list[i].content, &barred);
        result |=
            list[i].objection == OBJECTION_NEVER && strcmp(barred.items[0], acts.items[0]) == 0;
        objection_acts_release(&barred);
    }
    suggestions_free(list, count);
    objection_acts_release(&acts);
    return result;
}

/* What was rejected for good is not offered by an analysis, whatever else happened. */
static void check_nothing_barred(int64_t now_ms)
{
    struct suggestion *list;
    size_t count;
    assert_int_equal(suggestions_list(store, 1u << SUGGESTION_NEW, &list, &count, NULL), 0);
    for (size_t i = 0; i < count; i++)
        assert_false(list[i].updated_ms == now_ms && is_rejected_for_good(&list[i]));
    suggestions_free(list, count);
}

static size_t random_below(size_t limit)
{
    return (size_t)(next_random() % limit);
}

static void one_thing(int64_t now_ms)
{
    static const char *const targets[] = {"light.a", "light.b", "light.c"};
    static const char *const times[] = {"07:00", "07:20",        "12:00",
                                        "22:00", "sunset 18:00", "binary_sensor.door"};
    struct habit habits[6];
    char ids[6][8];
    size_t count = 3 + random_below(4), listed;
    struct suggestion *list;
    struct error err = {0};
    switch (random_below(8)) {
    case 0:
    case 1:
        for (size_t i = 0; i < count; i++) {
            size_t target = random_below(3);
            snprintf(ids[i], sizeof(ids[i]), "%zu#%zu", target, i + 2);
            habits[i] =
                (struct habit){ids[i], times[random_below(6)], "light.turn_on", targets[target]};
        }
        merge_at(habits, count, now_ms);
        check_nothing_barred(now_ms);
        break;
    case 2:
        tick(now_ms);
        break;
    default:
        assert_int_equal(suggestions_list(store, ~(1u << SUGGESTION_EXPIRED), &list, &listed, NULL),
                         0);
        if (listed > 0) {
            struct life_step step =
                to((enum suggestion_state)random_below(SUGGESTION_STATE_COUNT), now_ms);
            const struct suggestion *s = &list[random_below(listed)];
            step.objection = (enum objection)random_below(OBJECTION_COUNT);
            int rc = life_take(store, s->id, &step, NULL, &err);
            assert_int_equal(rc == 0, life_allows(s->state, step.to));
        }
        suggestions_free(list, listed);
    }
}

static void test_a_random_life(void **state)
{
    (void)state;
    seed_init();
    assert_int_equal(store_begin(store, NULL), 0); /* no wait for the disk */
    for (int day = 1; day <= 3000; day++) {
        one_thing(day * DAY_MS);
        if (day % 50 == 0)
            check_walks();
    }
    assert_int_equal(store_commit(store, NULL), 0);
}

/* ---- databases of before ---- */

static void sql(const char *text)
{
    char *path = scratch_path(SCRATCH_STORE), *message = NULL;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", text, message);
    sqlite3_close(db);
    free(path);
}

/* As version 1 left it: states keep their numbers, and what was retired comes back when found. */
static void test_an_old_database(void **state)
{
    (void)state;
    struct error err = {0};
    MERGE({"a", "07:00", LAMP}, {"b", "08:00", "fan.turn_on", "fan.a"});
    store_close(store);
    sql("DROP INDEX suggestion_until; DROP INDEX audit_suggestion;"
        "ALTER TABLE suggestion DROP COLUMN since_ms; ALTER TABLE suggestion DROP COLUMN until_ms;"
        "ALTER TABLE suggestion DROP COLUMN objection; ALTER TABLE suggestion DROP COLUMN is_gone;"
        "ALTER TABLE audit DROP COLUMN command; DROP TABLE written; DROP TABLE undo;"
        "DROP INDEX run_untold;"
        "ALTER TABLE run DROP COLUMN told; ALTER TABLE run DROP COLUMN reason;"
        "DROP INDEX run_unsettled; ALTER TABLE run DROP COLUMN outcome;"
        "ALTER TABLE run DROP COLUMN act_ms; ALTER TABLE run DROP COLUMN redone;"
        "ALTER TABLE run DROP COLUMN nobody_home; ALTER TABLE run DROP COLUMN theirs;"
        "INSERT INTO run VALUES ('ha_ai_a', 'c', 1, 1, 0, 0);"
        "UPDATE suggestion SET state = 5, updated_ms = 7000 WHERE id = 'a';"
        "UPDATE suggestion SET state = 4, updated_ms = 8000 WHERE id = 'b';"
        "PRAGMA user_version = 1");
    scratch_store_open();
    struct suggestion s = find("b");
    assert_int_equal(s.state, SUGGESTION_REJECTED);
    assert_int_equal(s.objection, OBJECTION_HABIT);
    assert_int_equal(s.since_ms, 8000);
    suggestion_release(&s);
    check("a", "retired");
    json_object *counts;
    assert_int_equal(run_count_outcomes(store, "ha_ai_a", &counts, &err), 0);
    assert_string_equal(json_text(counts), "{\"unknown\":1}"); /* nobody looked */
    json_object_put(counts);
    MERGE_AT(9000, {"a", "07:00", LAMP}, {"b", "08:00", "fan.turn_on", "fan.a"});
    check("a", "new");
    check("b", "rejected");
}

static int put_steps(void **state)
{
    (void)state;
    json_object_put(steps);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_every_pair_of_states),
        STORE_TEST(test_numbers_of_states_stay),
        STORE_TEST(test_wrong_steps),
        STORE_TEST(test_this_habit),
        STORE_TEST(test_never),
        STORE_TEST(test_wrong_time),
        STORE_TEST(test_wrong_trigger),
        STORE_TEST(test_rejection_of_what_waits),
        STORE_TEST(test_acts),
        STORE_TEST(test_snooze_ends),
        STORE_TEST(test_unanswered_expires),
        STORE_TEST(test_tick_limit),
        STORE_TEST(test_undone_needs_new_evidence),
        STORE_TEST(test_trial),
        STORE_TEST(test_trial_without_a_record),
        STORE_TEST(test_what_is_reviewed),
        STORE_TEST(test_reviewed_limit),
        STORE_TEST(test_undo_finds_the_last_step),
        STORE_TEST(test_audit),
        STORE_TEST(test_a_random_life),
        STORE_TEST(test_an_old_database),
    };
    return cmocka_run_group_tests(tests, NULL, put_steps);
}
