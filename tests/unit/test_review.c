/* Each kind of evidence and each verdict, on histories made by hand. */
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
#include "core/clock.h"
#include "core/json.h"
#include "suggest/analysis.h"
#include "suggest/automation_read.h"
#include "suggest/review.h"

enum { BEFORE = 28, AT = 7 * 3600, MINUTE = 60 };

static int setup(void **state)
{
    (void)state;
    return berlin_setup(6, 1); /* a Monday */
}

/* ---- a home --------------------------------------------------------------------------------- */

#define AUTOMATION(conditions, data)                                                               \
    "{'alias':'a','triggers':[{'trigger':'time','at':'07:00:00'}],'conditions':[" conditions       \
    "],'actions':[{'action':'light.turn_on','target':{'entity_id':'light.a'}" data                 \
    ",'continue_on_error':true}]}"
#define LAMP AUTOMATION("", "")

#define WITH_TRIGGER(trigger)                                                                      \
    "{'triggers':[" trigger "],'conditions':[],'actions':[{'action':'light.turn_on','target':{"    \
    "'entity_id':'light.a'},'continue_on_error':true}]}"

static struct history h;
static uint64_t seed;

static int some(int most)
{
    return (int)(made_uniform(&seed) * most);
}

static struct history_entity *find(const char *entity_id)
{
    return (struct history_entity *)history_find_entity(&h, entity_id);
}

static void by(struct history_entity *e, int64_t day, int second, int state, int cause)
{
    made_change(&h, e, day, second, state, cause);
}

/* What happens to the lamp on a day, by a letter; the rule is deployed. */
static void live(char what, int64_t day)
{
    struct history_entity *lamp = find("light.a");
    int off = AT + 3600 + some(1800), early = some(600), undone = 60 + some(400);
    switch (what) {
    case 'k': /* kept */
        by(lamp, day, AT, HISTORY_STATE_ON, CAUSE_AUTOMATION);
        by(lamp, day, off, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        break;
    case 'u': /* undone */
        by(lamp, day, AT, HISTORY_STATE_ON, CAUSE_AUTOMATION);
        by(lamp, day, AT + undone, HISTORY_STATE_OFF, CAUSE_PERSON);
        break;
    case 'r': /* undone, and redone about forty minutes later */
        by(lamp, day, AT, HISTORY_STATE_ON, CAUSE_AUTOMATION);
        by(lamp, day, AT + undone, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        by(lamp, day, AT + 40 * MINUTE + early - 300, HISTORY_STATE_ON, CAUSE_PHYSICAL);
        by(lamp, day, off + 3600, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        break;
    case 'p': /* done by hand, a few minutes before */
        by(lamp, day, AT - 30 - early, HISTORY_STATE_ON, CAUSE_PHYSICAL);
        by(lamp, day, off, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        break;
    case 'e': /* done by hand, about half an hour before */
        by(lamp, day, AT - 35 * MINUTE + early - 300, HISTORY_STATE_ON, CAUSE_PHYSICAL);
        by(lamp, day, off, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        break;
    case 'i': /* on since long ago */
        by(lamp, day, 3 * 3600 + some(3600), HISTORY_STATE_ON, CAUSE_PHYSICAL);
        by(lamp, day, off, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        break;
    case 'l': /* off again, but only after a quarter of an hour */
        by(lamp, day, AT, HISTORY_STATE_ON, CAUSE_AUTOMATION);
        by(lamp, day, AT + 15 * MINUTE + early, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        break;
    case 'v': /* another brightness */
        by(lamp, day, AT, HISTORY_STATE_ON, CAUSE_AUTOMATION);
        made_value_ms(lamp, tz_to_utc(tz, day, AT + undone) * 1000, RULE_BRIGHTNESS, 70 + some(3),
                      CAUSE_PERSON);
        by(lamp, day, off, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        break;
    case 'h': /* by hand, as before it was deployed */
        by(lamp, day, AT - 300 + early, HISTORY_STATE_ON, CAUSE_PHYSICAL);
        by(lamp, day, off, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        break;
    default: /* nothing */
        break;
    }
}

/* Four weeks as before, on six days of seven, then a day for each letter. */
static void make(const char *days)
{
    seed = 20260601;
    made_init(&h, tz, monday, BEFORE + (int)strlen(days));
    made_entity(&h, "light.a");
    made_entity(&h, "person.ada");
    by(find("light.a"), monday, 0, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int i = 0; i < BEFORE; i++)
        live(i % 7 == 3 ? '.' : 'h', monday + i);
    for (size_t i = 0; days[i] != '\0'; i++)
        live(days[i], monday + BEFORE + (int64_t)i);
}

static json_object *known_of(const char *state, int until_days, const char *automation,
                             const char *more)
{
    char since[CLOCK_RFC3339_SIZE], until[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(since, tz_day_start(tz, monday + BEFORE) * 1000);
    clock_format_rfc3339(until, tz_day_start(tz, monday + BEFORE + until_days) * 1000);
    char *text =
        xasprintf("{'rules':[{'id':'x','state':'%s','since':'%s'%s%s%s,'automation':%s%s}]"
                  "}",
                  state, since, until_days > 0 ? ",'until':'" : "", until_days > 0 ? until : "",
                  until_days > 0 ? "'" : "", automation, more);
    json_object *known = made_json(text);
    free(text);
    return known;
}

/* Its review; caller's. */
static json_object *review_of(const char *state, int until_days, const char *automation,
                              const char *more)
{
    struct review_list list;
    struct error err;
    json_object *known = known_of(state, until_days, automation, more);
    if (review_list_parse(known, &list, &err) != 0)
        fail_msg("%s", err.message);
    json_object_put(known);
    json_object *result =
        analysis_run(&h, &(struct analysis_options){.known = &list, .review_only = true});
    json_object *review =
        json_object_get(json_object_array_get_idx(json_get_array(result, "reviews"), 0));
    json_object_put(result);
    review_list_release(&list);
    return review;
}

static json_object *deployed(const char *days)
{
    make(days);
    return review_of("deployed", 0, LAMP, "");
}

static void finish(json_object *review)
{
    json_object_put(review);
    history_release(&h);
}

static void expect_counts(json_object *review, const char *expected)
{
    char text[200];
    snprintf(text, sizeof text,
             "fires %d hits %d idle %d misses %d undone %d preempted %d redone %d",
             (int)json_get_int(review, "fires", -1), (int)json_get_int(review, "hits", -1),
             (int)json_get_int(review, "idle", -1), (int)json_get_int(review, "misses", -1),
             (int)json_get_int(review, "undone", -1), (int)json_get_int(review, "preempted", -1),
             (int)json_get_int(review, "redone", -1));
    assert_string_equal(text, expected);
}

static void expect_verdict(json_object *review, const char *verdict)
{
    if (strcmp(json_get_string(review, "verdict"), verdict) != 0)
        fail_msg("expected %s: %s", verdict, json_object_to_json_string(review));
    assert_true(strlen(json_get_string(review, "why")) > 20);
}

static const char *at_of(json_object *review, const char *path)
{
    json_object *value = json_at(review, path);
    return value != NULL ? json_object_get_string(value) : "";
}

/* ---- evidence ------------------------------------------------------------------------------- */

static void test_evidence(void **state)
{
    (void)state;
    static const struct {
        const char *days, *counts, *did;
    } rows[] = {
        {"k", "fires 1 hits 1 idle 0 misses 0 undone 0 preempted 0 redone 0", "nothing"},
        {"u", "fires 1 hits 0 idle 0 misses 0 undone 1 preempted 0 redone 0",
         "you turned it off at"},
        {"l", "fires 1 hits 1 idle 0 misses 0 undone 0 preempted 0 redone 0", "nothing"},
        {"r", "fires 1 hits 0 idle 0 misses 0 undone 1 preempted 0 redone 1",
         "you turned it off at"},
        {"p", "fires 1 hits 0 idle 0 misses 0 undone 0 preempted 1 redone 0", "you did it at 06:"},
        {"i", "fires 1 hits 0 idle 1 misses 0 undone 0 preempted 0 redone 0", "it was on already"},
        {".", "fires 1 hits 0 idle 0 misses 1 undone 0 preempted 0 redone 0", "nothing"},
        {"kurpi.l", "fires 7 hits 2 idle 1 misses 1 undone 2 preempted 1 redone 1", "nothing"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_object *review = deployed(rows[i].days);
        expect_counts(review, rows[i].counts);
        json_object *log = json_get_array(review, "log");
        assert_int_equal(json_object_array_length(log), strlen(rows[i].days));
        json_object *last = json_object_array_get_idx(log, strlen(rows[i].days) - 1);
        assert_string_equal(json_get_string(last, "would"), "turn on light.a");
        assert_ptr_equal(strstr(json_get_string(last, "did"), rows[i].did),
                         json_get_string(last, "did"));
        assert_int_equal(json_get_int(review, "days", -1), strlen(rows[i].days));
        finish(review);
    }
}

static void test_nobody_home(void **state)
{
    (void)state;
    make("kkkk");
    uint16_t home = made_state(&h, "home"), away = made_state(&h, "not_home");
    struct history_entity *ada = find("person.ada");
    by(ada, monday, 0, home, CAUSE_PHYSICAL);
    by(ada, monday + BEFORE + 1, 0, away, CAUSE_PHYSICAL);
    by(ada, monday + BEFORE + 3, 0, home, CAUSE_PHYSICAL);
    json_object *review = review_of("deployed", 0, LAMP, "");
    assert_int_equal(json_get_int(review, "nobody_home", -1), 2);
    finish(review);
    review = deployed("kkkk"); /* of nobody it is not known */
    assert_int_equal(json_get_int(review, "nobody_home", -1), 0);
    finish(review);
}

/* The newest ones only. */
static void test_log_is_bounded(void **state)
{
    (void)state;
    char days[REVIEW_LOG_MAX + 11] = "";
    memset(days, 'k', REVIEW_LOG_MAX + 10);
    json_object *review = deployed(days);
    json_object *log = json_get_array(review, "log");
    assert_int_equal(json_object_array_length(log), REVIEW_LOG_MAX);
    assert_int_equal(json_get_int(review, "fires", -1), REVIEW_LOG_MAX + 10);
    char first[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(first, tz_to_utc(tz, monday + BEFORE + 10, AT) * 1000);
    assert_string_equal(json_get_string(json_object_array_get_idx(log, 0), "at"), first);
    finish(review);
}

/* ---- verdicts on what is deployed ----------------------------------------------------------- */

static void test_keep(void **state)
{
    (void)state;
    /* as before; one undoing, or two; kept with nobody touching it: no evidence against it */
    static const char *const rows[] = {"kpkkpkkpkp", "kpkkukkpkp", "u", "kkukkkkpku",
                                       "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_object *review = deployed(rows[i]);
        expect_verdict(review, "keep");
        assert_null(json_get_string(review, "found"));
        assert_null(json_get_object(review, "proposal"));
        finish(review);
    }
}

static void test_retire_what_is_undone(void **state)
{
    (void)state;
    json_object *review = deployed("kpkkpkkuuuuuuuu");
    expect_verdict(review, "retire");
    assert_null(json_get_object(review, "proposal"));
    assert_non_null(strstr(json_get_string(review, "why"), "undid that 8 times"));
    char soonest[CLOCK_RFC3339_SIZE], latest[CLOCK_RFC3339_SIZE]; /* within five days */
    clock_format_rfc3339(soonest, tz_day_start(tz, monday + BEFORE + 8) * 1000);
    clock_format_rfc3339(latest, tz_day_start(tz, monday + BEFORE + 12) * 1000);
    assert_true(strcmp(json_get_string(review, "found"), soonest) > 0);
    assert_true(strcmp(json_get_string(review, "found"), latest) < 0);
    finish(review);
}

static void expect_time(json_object *review, int low, int high)
{
    int hour, minute;
    json_object *trigger =
        json_object_array_get_idx(json_at(review, "proposal.automation.triggers"), 0);
    assert_int_equal(sscanf(json_get_string(trigger, "at"), "%d:%d", &hour, &minute), 2);
    if (hour * 60 + minute < low || hour * 60 + minute > high)
        fail_msg("moved to %02d:%02d", hour, minute);
}

static void test_retime_earlier(void **state)
{
    (void)state;
    json_object *review = deployed("kpkkpkkeeeeee");
    expect_verdict(review, "retime");
    expect_time(review, 6 * 60 + 20, 6 * 60 + 30);
    assert_string_equal(at_of(review, "proposal.refines"), "x");
    assert_string_equal(at_of(review, "proposal.kind"), "time_of_day");
    assert_true(json_get_int(json_at(review, "proposal.backtest"), "hits", 0) >= 4);
    finish(review);
}

static void test_retime_later(void **state)
{
    (void)state;
    json_object *review = deployed("kpkkpkkrrrrrr");
    expect_verdict(review, "retime");
    expect_time(review, 7 * 60 + 35, 7 * 60 + 45);
    finish(review);
}

/* Undone on weekdays only: monday + BEFORE is a Monday. */
static void test_refine_days(void **state)
{
    (void)state;
    json_object *review = deployed("kkpkkkpuuuuukkuuuuukk");
    expect_verdict(review, "refine");
    json_object *condition =
        json_object_array_get_idx(json_at(review, "proposal.automation.conditions"), 0);
    assert_string_equal(json_text(json_get_array(condition, "weekday")), "[\"sat\",\"sun\"]");
    json_object *backtest = json_at(review, "proposal.backtest");
    assert_true(json_get_int(backtest, "hits", 0) > json_get_int(backtest, "misses", 9));
    finish(review);
}

/* A machine's context is lost, but it acts at once. */
static void test_effect_without_context(void **state)
{
    (void)state;
    make("k");
    struct history_entity *lamp = find("light.a");
    lamp->cause[lamp->changes - 2] = CAUSE_PHYSICAL;
    json_object *review = review_of("deployed", 0, LAMP, "");
    expect_counts(review, "fires 1 hits 1 idle 0 misses 0 undone 0 preempted 0 redone 0");
    finish(review);
}

/* What switches off is undone by switching on. */
static void test_turn_off(void **state)
{
    (void)state;
    make("");
    history_release(&h);
    made_init(&h, tz, monday, 40);
    struct history_entity *lamp = made_entity(&h, "light.a");
    by(lamp, monday, 0, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int i = 0; i < 40; i++) {
        bool is_deployed = i >= BEFORE, is_moved = i >= BEFORE + 5;
        by(lamp, monday + i, 18 * 3600 + some(3600), HISTORY_STATE_ON, CAUSE_PHYSICAL);
        if (is_deployed) {
            by(lamp, monday + i, 22 * 3600, HISTORY_STATE_OFF, CAUSE_AUTOMATION);
            if (!is_moved)
                continue;
            by(lamp, monday + i, 22 * 3600 + 60 + some(300), HISTORY_STATE_ON, CAUSE_PHYSICAL);
        }
        by(lamp, monday + i, 22 * 3600 + (is_moved ? 45 * MINUTE : 0) + some(600) - 300,
           HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    }
    json_object *review = review_of("deployed", 0,
                                    "{'alias':'a','triggers':[{'trigger':'time','at':'22:00:00'}],"
                                    "'conditions':[],'actions':[{'action':'light.turn_off','target'"
                                    ":{'entity_id':'light.a'},'continue_on_error':true}]}",
                                    "");
    expect_counts(review, "fires 12 hits 5 idle 0 misses 0 undone 7 preempted 0 redone 7");
    expect_verdict(review, "retime");
    expect_time(review, 22 * 60 + 40, 22 * 60 + 50);
    json_object *log = json_object_array_get_idx(json_get_array(review, "log"), 11);
    assert_non_null(strstr(json_get_string(log, "did"), "you turned it on at 22:0"));
    finish(review);
}

/* A detector's rule, undone late in the evening: days are cases, a window of time the condition. */
static void test_refine_window(void **state)
{
    (void)state;
    make("");
    history_release(&h);
    made_init(&h, tz, monday, 50);
    made_entity(&h, "binary_sensor.door");
    made_entity(&h, "light.a");
    struct history_entity *door = find("binary_sensor.door"), *lamp = find("light.a");
    by(door, monday, 0, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    by(lamp, monday, 0, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int i = 0; i < 50; i++) {
        bool is_deployed = i >= BEFORE, is_late = is_deployed && i % 3 != 0;
        int at = (is_late ? 22 * 3600 : 17 * 3600) + some(3 * 1800);
        by(door, monday + i, at, HISTORY_STATE_ON, CAUSE_PHYSICAL);
        by(door, monday + i, at + 5, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
        by(lamp, monday + i, at + (is_deployed ? 0 : 20 + some(40)), HISTORY_STATE_ON,
           is_deployed ? CAUSE_AUTOMATION : CAUSE_PHYSICAL);
        by(lamp, monday + i, at + (is_late ? 60 + some(300) : 1800 + some(1800)),
           HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    }
    json_object *review = review_of(
        "deployed", 0,
        WITH_TRIGGER("{'trigger':'state','entity_id':'binary_sensor.door','from':'off','to':'on'}"),
        "");
    expect_verdict(review, "refine");
    json_object *condition =
        json_object_array_get_idx(json_at(review, "proposal.automation.conditions"), 0);
    assert_string_equal(json_get_string(condition, "condition"), "time");
    const char *before = json_get_string(condition, "before");
    assert_true(strcmp(before, "18:00:00") > 0 && strcmp(before, "22:30:00") <= 0);
    finish(review);
}

/* Undone while Ada is away. */
static void test_refine_presence(void **state)
{
    (void)state;
    static const char days[] = "kukkukuukukukkuukuukkuku";
    make(days);
    uint16_t home = made_state(&h, "home"), away = made_state(&h, "not_home");
    struct history_entity *ada = find("person.ada");
    for (int i = 0; i < BEFORE; i++)
        by(ada, monday + i, 3600, i % 2 ? home : away, CAUSE_PHYSICAL);
    for (size_t i = 0; days[i] != '\0'; i++) {
        uint16_t now = days[i] == 'k' ? home : away;
        if (ada->state[ada->changes - 1] != now)
            by(ada, monday + BEFORE + (int64_t)i, 3600, now, CAUSE_PHYSICAL);
    }
    json_object *review = review_of("deployed", 0, LAMP, "");
    /* somebody else undoes it: she is away */
    expect_verdict(review, "refine");
    json_object *condition =
        json_object_array_get_idx(json_at(review, "proposal.automation.conditions"), 0);
    assert_string_equal(json_get_string(condition, "condition"), "state");
    assert_string_equal(json_get_string(condition, "entity_id"), "person.ada");
    assert_string_equal(json_get_string(condition, "state"), "home");
    finish(review);
}

static void test_refine_value(void **state)
{
    (void)state;
    make("kkvkvvvvvvv");
    json_object *review =
        review_of("deployed", 0, AUTOMATION("", ",'data':{'brightness_pct':30}"), "");
    expect_verdict(review, "refine");
    json_object *action =
        json_object_array_get_idx(json_at(review, "proposal.automation.actions"), 0);
    int level = (int)json_get_double(json_get_object(action, "data"), "brightness_pct", 0);
    assert_in_range(level, 69, 73);
    finish(review);
}

static void test_retire_idle(void **state)
{
    (void)state;
    json_object *review = deployed("kpkkiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii");
    expect_verdict(review, "retire");
    assert_non_null(strstr(json_get_string(review, "why"), "nothing left"));
    finish(review);
}

static void test_retire_gone(void **state)
{
    (void)state;
    make("kpkkk....");
    by(find("light.a"), monday + BEFORE + 5, 0, HISTORY_STATE_UNAVAILABLE, CAUSE_PHYSICAL);
    json_object *review = review_of("deployed", 0, LAMP, "");
    expect_verdict(review, "retire");
    json_object_put(review);
    review = review_of("deployed", 0,
                       "{'alias':'a','triggers':[{'trigger':'time','at':'07:00:00'}],"
                       "'conditions':[],'actions':[{'action':'light.turn_on','target':{"
                       "'entity_id':'light.renamed'},'continue_on_error':true}]}",
                       "");
    expect_verdict(review, "retire");
    assert_non_null(strstr(json_get_string(review, "why"), "light.renamed"));
    finish(review);
}

/* What a person has changed is only watched. */
static void test_edited(void **state)
{
    (void)state;
    make("kpkkpkkuuuuuuuu");
    json_object *review = review_of("edited", 0, LAMP, "");
    expect_verdict(review, "keep");
    expect_counts(review, "fires 15 hits 5 idle 0 misses 0 undone 8 preempted 2 redone 0");
    json_object_put(review);
    review = review_of("edited", 0,
                       "{'triggers':[{'trigger':'time','at':'07:00'}],'actions':[{'delay':1},"
                       "{'action':'light.turn_on','target':{'entity_id':['light.a']}},"
                       "{'action':'notify.me'}]}",
                       "");
    expect_verdict(review, "keep");
    expect_counts(review, "fires 15 hits 5 idle 0 misses 0 undone 8 preempted 2 redone 0");
    finish(review);
}

/* ---- trials --------------------------------------------------------------------------------- */

static void test_trials(void **state)
{
    (void)state;
    static const char well[] = ",'rule':{'backtest':{'fires':7,'hits':6,'misses':1},'score':0.8}";
    static const struct {
        const char *days;
        int until;
        const char *verdict, *counts;
    } rows[] = {
        {"hhh.hhh", 7, "offer", "fires 7 hits 6 idle 0 misses 1 undone 0 preempted 0 redone 0"},
        {"hhh.hhh", 14, "keep", "fires 7 hits 6 idle 0 misses 1 undone 0 preempted 0 redone 0"},
        {"h.....h", 7, "withdraw", "fires 7 hits 2 idle 0 misses 5 undone 0 preempted 0 redone 0"},
        {"h.h.h.h.h.h..h", 14, "withdraw",
         "fires 14 hits 7 idle 0 misses 7 undone 0 preempted 0 redone 0"},
        {"iiiii", 5, "withdraw", "fires 5 hits 0 idle 5 misses 0 undone 0 preempted 0 redone 0"},
        {"hhhhhhhhh.", 4, "offer", "fires 4 hits 4 idle 0 misses 0 undone 0 preempted 0 redone 0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make(rows[i].days);
        json_object *review = review_of("trying", rows[i].until, LAMP, well);
        expect_counts(review, rows[i].counts);
        expect_verdict(review, rows[i].verdict);
        json_object *log = json_object_array_get_idx(json_get_array(review, "log"), 0);
        if (rows[i].days[0] == 'h')
            assert_ptr_equal(strstr(json_get_string(log, "did"), "you did it at 0"),
                             json_get_string(log, "did"));
        finish(review);
    }
}

/* ---- what comes in -------------------------------------------------------------------------- */

static void expect_refused(const char *text, const char *words)
{
    struct review_list list;
    struct error err = {ERROR_NONE, ""};
    json_object *known = made_json(text);
    assert_int_equal(review_list_parse(known, &list, &err), -1);
    if (strstr(err.message, words) == NULL)
        fail_msg("%s\n  says '%s'\n  not '%s'", text, err.message, words);
    review_list_release(&list);
    json_object_put(known);
}

static void test_bad_lists(void **state)
{
    (void)state;
    expect_refused("{}", "\"rules\"");
    expect_refused("{'rules':[5]}", "rules[0].id");
    expect_refused("{'rules':[{'id':'a'}]}", "rules[0].state: got nothing");
    expect_refused("{'rules':[{'id':'a','state':'gone'}]}", "rules[0].state: got 'gone'");
    expect_refused("{'rules':[{'id':'a','state':'trying','since':'monday'}]}",
                   "rules[0].since: got 'monday'");
    expect_refused("{'rules':[{'id':'a','state':'trying','since':'2026-06-02T00:00:00Z','until':"
                   "'2026-06-01T00:00:00Z'}]}",
                   "rules[0].until");
    expect_refused("{'rules':[{'id':'a','state':'trying','since':'2026-06-02T00:00:00Z'}]}",
                   "rules[0].automation");
    expect_refused("{'rules':[{'id':'a','state':'deployed','since':'2026-06-02T00:00:00Z',"
                   "'automation':{}},{'id':'a','state':'deployed','since':'2026-06-02T00:00:00Z',"
                   "'automation':{}}]}",
                   "rules[1].id: 'a' is that of rules[0]");
}

static void test_list_is_bounded(void **state)
{
    (void)state;
    struct review_list list;
    struct error err;
    for (int more = 0; more < 2; more++) {
        json_object *known = made_json("{'rules':[]}");
        for (int i = 0; i < REVIEW_RULES_MAX + more; i++) {
            char *text = xasprintf("{'id':'%d','state':'deployed','since':'2026-06-02T00:00:00Z',"
                                   "'automation':{}}",
                                   i);
            json_object_array_add(json_get_array(known, "rules"), made_json(text));
            free(text);
        }
        assert_int_equal(review_list_parse(known, &list, &err), more == 0 ? 0 : -1);
        if (more > 0)
            assert_non_null(strstr(err.message, "at most 500"));
        review_list_release(&list);
        json_object_put(known);
    }
}

/* ---- automations back to rules -------------------------------------------------------------- */

static void expect_read(const char *text, bool is_read)
{
    struct automation_rule read;
    struct error err = {ERROR_NONE, ""};
    json_object *config = made_json(text);
    if ((automation_read_rule(config, &read, &err) == 0) != is_read)
        fail_msg("%s\n  %s", text, is_read ? err.message : "was read");
    json_object_put(config);
}

static void test_reads_its_own(void **state)
{
    (void)state;
    expect_read(LAMP, true);
    expect_read(AUTOMATION("{'condition':'time','weekday':['mon','fri']}", ""), true);
    expect_read(AUTOMATION("{'condition':'state','entity_id':'person.ada','state':'home'}",
                           ",'data':{'brightness_pct':40}"),
                true);
    expect_read(AUTOMATION("{'condition':'numeric_state','entity_id':'sensor.lux','below':40}", ""),
                true);
    expect_read(AUTOMATION("{'condition':'time','after':'17:00:00','before':'23:00:00'}", ""),
                true);
    expect_read(WITH_TRIGGER("{'trigger':'sun','event':'sunset','offset':'-00:15:00'}"), true);
    expect_read(WITH_TRIGGER("{'trigger':'sun','event':'sunrise'}"), true);
    expect_read(WITH_TRIGGER("{'trigger':'state','entity_id':'binary_sensor.d','from':'off','to':"
                             "'on'}"),
                true);
    expect_read(WITH_TRIGGER("{'trigger':'time','at':'07:00:00'}"), true);
    /* not as the grammar writes it */
    expect_read(WITH_TRIGGER("{'trigger':'time','at':'07:00'}"), false);
    expect_read(WITH_TRIGGER("{'trigger':'time','at':'07:00:00','id':'x'}"), false);
    expect_read(WITH_TRIGGER("{'trigger':'mqtt','topic':'x'}"), false);
    expect_read(WITH_TRIGGER("{'trigger':'state','entity_id':'binary_sensor.d','to':'on'}"), false);
    expect_read(AUTOMATION("{'condition':'template','value_template':'{{ true }}'}", ""), false);
    expect_read(AUTOMATION("", ",'data':{'brightness_pct':40,'transition':3}"), false);
    expect_read("{'triggers':[],'actions':[]}", false);
    expect_read("{}", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_nobody_home),
        cmocka_unit_test(test_log_is_bounded),
        cmocka_unit_test(test_keep),
        cmocka_unit_test(test_retire_what_is_undone),
        cmocka_unit_test(test_retime_earlier),
        cmocka_unit_test(test_retime_later),
        cmocka_unit_test(test_refine_days),
        cmocka_unit_test(test_effect_without_context),
        cmocka_unit_test(test_turn_off),
        cmocka_unit_test(test_refine_window),
        cmocka_unit_test(test_refine_presence),
        cmocka_unit_test(test_refine_value),
        cmocka_unit_test(test_retire_idle),
        cmocka_unit_test(test_retire_gone),
        cmocka_unit_test(test_edited),
        cmocka_unit_test(test_trials),
        cmocka_unit_test(test_bad_lists),
        cmocka_unit_test(test_list_is_bounded),
        cmocka_unit_test(test_reads_its_own),
    };
    return cmocka_run_group_tests(tests, setup, berlin_teardown);
}
