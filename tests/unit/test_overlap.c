/* Suggestions and the automations that there are already: what is read of these, what covers, what
 * is in the way, and every maximum. How often it is right: tests/accuracy/overlap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "berlin.h"
#include "core/json.h"
#include "made_history.h"
#include "suggest/analysis.h"
#include "suggest/existing.h"
#include "suggest/fires.h"
#include "suggest/overlap.h"
#include "suggest/safety.h"

static int setup(void **state)
{
    (void)state;
    return berlin_setup(6, 1);
}

static json_object *parsed(const char *json)
{
    struct error err = {ERROR_NONE, ""};
    json_object *value = json_parse(json, strlen(json), &err);
    if (value == NULL)
        fail_msg("%s: %s", err.message, json);
    return value;
}

static void add(struct existing_list *list, const struct history *h, const char *json)
{
    struct error err;
    json_object *value = parsed(json);
    const struct existing_home home = {.history = h, .places = NULL};
    assert_int_equal(existing_add(list, value, &home, &err), 0);
    json_object_put(value);
}

/* ---- what is read --------------------------------------------------------------------------- */

static void tell_acts(const struct existing *e, char *out, size_t size)
{
    static const char *const effects[] = {"on", "off", "toggle", "set"};
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < e->act_count; i++) {
        const struct existing_act *a = &e->acts[i];
        n += (size_t)snprintf(out + n, size - n, "%s%s %s", i > 0 ? "; " : "", a->entity_id,
                              effects[a->effect]);
        for (size_t v = 0; v < a->value_count; v++)
            n +=
                (size_t)snprintf(out + n, size - n, " %s=%.4g",
                                 rule_attributes[a->values[v].attribute].field, a->values[v].value);
        if (a->delay_ms > 0)
            n += (size_t)snprintf(out + n, size - n, " +%d", (int)(a->delay_ms / 1000));
        if (a->branch > 0)
            n += (size_t)snprintf(out + n, size - n, " ?%zu", a->branch);
        if (a->is_late)
            n += (size_t)snprintf(out + n, size - n, " late");
    }
}

static void test_reads_what_actions_do(void **state)
{
    (void)state;
    static const struct {
        const char *actions, *acts;
    } rows[] = {
        {"[{\"action\":\"light.turn_on\",\"target\":{\"entity_id\":\"light.a\"}}]", "light.a on"},
        {"{\"service\":\"light.turn_off\",\"entity_id\":\"light.a, light.b\"}",
         "light.a off; light.b off"},
        {"[{\"service\":\"light.turn_on\",\"data\":{\"entity_id\":[\"light.a\"],"
         "\"brightness\":51}}]",
         "light.a on brightness_pct=20"},
        {"[{\"service\":\"light.turn_on\",\"data_template\":{\"entity_id\":\"light.a\","
         "\"color_temp\":400}}]",
         "light.a on color_temp_kelvin=2500"},
        {"[{\"action\":\"light.turn_on\",\"target\":{\"entity_id\":\"switch.a\"}}]", ""},
        {"[{\"action\":\"homeassistant.toggle\",\"target\":{\"entity_id\":\"switch.a\"}}]",
         "switch.a toggle"},
        {"[{\"action\":\"lock.unlock\",\"target\":{\"entity_id\":\"lock.a\"}}]", "lock.a off"},
        {"[{\"action\":\"cover.close_cover\",\"target\":{\"entity_id\":\"cover.a\"}}]",
         "cover.a set position=0"},
        {"[{\"action\":\"climate.set_temperature\",\"target\":{\"entity_id\":\"climate.a\"},"
         "\"data\":{\"temperature\":\"{{ 1 }}\"}}]",
         ""},
        {"[{\"action\":\"{{ x }}\",\"target\":{\"entity_id\":\"light.a\"}}]", ""},
        {"[{\"action\":\"light.turn_on\",\"target\":{\"entity_id\":\"{{ x }}\"}}]", ""},
        {"[{\"delay\":\"00:05:00\"},{\"action\":\"light.turn_on\",\"entity_id\":\"light.a\"}]",
         "light.a on +300"},
        {"[{\"wait_template\":\"{{ x }}\"},{\"action\":\"light.turn_on\",\"entity_id\":"
         "\"light.a\"}]",
         "light.a on late"},
        {"[{\"condition\":\"state\",\"entity_id\":\"light.b\",\"state\":\"on\"},"
         "{\"action\":\"light.turn_on\",\"entity_id\":\"light.a\"}]",
         "light.a on ?1"},
        {"[{\"if\":[{\"condition\":\"state\",\"entity_id\":\"light.b\",\"state\":\"on\"}],"
         "\"then\":[{\"action\":\"light.turn_on\",\"entity_id\":\"light.a\"}],"
         "\"else\":[{\"action\":\"light.turn_off\",\"entity_id\":\"light.a\"}]}]",
         "light.a on ?1; light.a off ?2"},
        {"[{\"choose\":[{\"conditions\":\"{{ x }}\",\"sequence\":{\"action\":\"light.turn_on\","
         "\"entity_id\":\"light.a\"}}],\"default\":[{\"stop\":\"\"},{\"action\":"
         "\"light.turn_off\",\"entity_id\":\"light.a\"}]}]",
         "light.a on ?1"},
        {"[{\"parallel\":[{\"action\":\"light.turn_on\",\"entity_id\":\"light.a\"},{\"sequence\":"
         "[{\"delay\":5},{\"action\":\"light.turn_off\",\"entity_id\":\"light.a\"}]}]}]",
         "light.a on; light.a off +5"},
        {"[{\"repeat\":{\"count\":3,\"sequence\":[{\"action\":\"light.toggle\",\"entity_id\":"
         "\"light.a\"}]}}]",
         "light.a toggle"},
        {"[{\"scene\":\"scene.b\"}]", "scene.b on"},
        {"[{\"action\":\"scene.apply\",\"data\":{\"entities\":{\"light.a\":\"on\",\"light.b\":"
         "{\"state\":\"off\"},\"light.c\":5}}}]",
         "light.a on; light.b off"},
        {"[{\"type\":\"turn_on\",\"domain\":\"light\",\"device_id\":\"x\",\"entity_id\":"
         "\"light.a\"}]",
         "light.a on"},
        {"[{\"action\":\"light.turn_on\",\"entity_id\":\"light.a\",\"enabled\":false}]", ""},
        {"[{\"action\":\"light.turn_on\",\"target\":{\"entity_id\":\"group.x\"}}]", "light.m on"},
    };
    struct history h;
    history_init(&h);
    made_entity(&h, "group.x")->members = xstrdup("light.m switch.n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char told[400];
        struct existing_list list;
        existing_init(&list);
        char *json = xasprintf("{\"triggers\":[{\"trigger\":\"time\",\"at\":\"07:00\"}],"
                               "\"actions\":%s}",
                               rows[i].actions);
        add(&list, &h, json);
        tell_acts(&list.list[0], told, sizeof told);
        assert_string_equal(told, rows[i].acts);
        free(json);
        existing_release(&list);
    }
    history_release(&h);
}

static void test_reads_triggers(void **state)
{
    (void)state;
    struct history h;
    struct existing_list list;
    history_init(&h);
    existing_init(&list);
    add(&list, &h,
        "{\"trigger\":[{\"platform\":\"time\",\"at\":[\"07:30\",\"08:00:05\",\"sensor.x\"]},"
        "{\"trigger\":\"sun\",\"event\":\"sunset\",\"offset\":\"-00:20:00\"},"
        "{\"trigger\":\"state\",\"entity_id\":[\"light.a\",\"light.b\"],\"to\":[\"on\",\"off\"],"
        "\"for\":60},{\"triggers\":[{\"trigger\":\"state\",\"entity_id\":\"light.c\"}]},"
        "{\"trigger\":\"state\",\"entity_id\":\"light.d\",\"enabled\":false},"
        "{\"trigger\":\"device\",\"domain\":\"light\",\"type\":\"turned_off\",\"device_id\":\"x\","
        "\"entity_id\":\"light.e\"}],\"action\":[]}");
    const struct existing *e = &list.list[0];
    assert_int_equal(e->trigger_count, 9);
    assert_int_equal(e->triggers[0].second, 7 * 3600 + 1800);
    assert_int_equal(e->triggers[1].second, 8 * 3600 + 5);
    assert_int_equal(e->triggers[2].second, -1200);
    assert_int_equal(e->triggers[3].for_s, 60);
    assert_string_equal(e->triggers[6].entity_id, "light.b");
    assert_string_equal(e->triggers[6].to, "off");
    assert_null(e->triggers[7].to);
    assert_string_equal(e->triggers[8].entity_id, "light.e");
    assert_string_equal(e->triggers[8].to, "off");
    existing_release(&list);
    history_release(&h);
}

static void test_counts_what_it_cannot_use(void **state)
{
    (void)state;
    struct history h;
    struct existing_list list;
    history_init(&h);
    existing_init(&list);
    add(&list, &h,
        "{\"entity_id\":\"automation.a\",\"enabled\":false,\"config\":"
        "{\"triggers\":[],\"actions\":[]}}");
    add(&list, &h, "{\"initial_state\":false,\"triggers\":[],\"actions\":[]}");
    add(&list, &h,
        "{\"entity_id\":\"automation.b\",\"config\":{\"alias\":\"B\","
        "\"use_blueprint\":{\"path\":\"x\"}}}");
    add(&list, &h, "{\"triggers\":5,\"actions\":[]}");
    add(&list, &h, "{\"alias\":\"no automation\"}");
    add(&list, &h, "[]");
    add(&list, &h, "{\"triggers\":[],\"actions\":[]}");
    assert_int_equal(list.read, 7);
    assert_int_equal(list.disabled, 2);
    assert_int_equal(list.unreplayable, 2);
    assert_int_equal(list.invalid, 2);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.problem, "automation.b: a blueprint, whose automation is not told");
    char *name = existing_name(&list.list[0]);
    assert_string_equal(name, "\"B\"");
    free(name);
    existing_release(&list);
    history_release(&h);
}

/* ---- maxima --------------------------------------------------------------------------------- */

/* A JSON list of so many of the same; # is its number. */
static char *repeated(const char *one, int count)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fputc('[', out);
    for (int i = 0; i < count; i++) {
        fputs(i > 0 ? "," : "", out);
        for (const char *p = one; *p != '\0'; p++)
            if (*p == '#')
                fprintf(out, "%d", i);
            else
                fputc(*p, out);
    }
    fputc(']', out);
    fclose(out);
    return text;
}

#define AUTOMATION "{\"triggers\":[{\"trigger\":\"time\",\"at\":\"07:00\"}],\"actions\":%s}"

static void test_maxima(void **state)
{
    (void)state;
    static const struct {
        const char *one;
        int count;
        size_t acts, branches;
    } rows[] = {
        {"{\"action\":\"light.turn_on\",\"entity_id\":\"light.a#\"}", EXISTING_ACTS_MAX + 5,
         EXISTING_ACTS_MAX, 1},
        {"{\"choose\":{\"conditions\":\"{{#}}\",\"sequence\":{\"action\":\"light.turn_on\","
         "\"entity_id\":\"light.a#\"}}}",
         EXISTING_BRANCHES_MAX + 5, EXISTING_BRANCHES_MAX - 1, EXISTING_BRANCHES_MAX},
    };
    struct error err;
    struct history h;
    struct existing_list list;
    history_init(&h);
    existing_init(&list);
    const struct existing_home home = {.history = &h};
    for (size_t i = 0; i < 2; i++) {
        char *actions = repeated(rows[i].one, rows[i].count);
        char *json = xasprintf(AUTOMATION, actions);
        add(&list, &h, json);
        assert_int_equal(list.list[i].act_count, rows[i].acts);
        assert_int_equal(list.list[i].branch_count, rows[i].branches);
        free(actions);
        free(json);
    }
    char *triggers =
        repeated("{\"trigger\":\"state\",\"entity_id\":\"light.a#\"}", EXISTING_TRIGGERS_MAX + 5);
    char *json = xasprintf("{\"triggers\":%s,\"actions\":[]}", triggers);
    add(&list, &h, json);
    assert_int_equal(list.list[2].trigger_count, EXISTING_TRIGGERS_MAX);
    free(triggers);
    free(json);
    /* Too deep, and too long. */
    char deep[600] = "";
    for (int i = 0; i < EXISTING_DEPTH_MAX + 1; i++)
        strcat(deep, "{\"sequence\":[");
    strcat(deep, "{\"action\":\"light.turn_on\",\"entity_id\":\"light.a\"}");
    for (int i = 0; i < EXISTING_DEPTH_MAX + 1; i++)
        strcat(deep, "]}");
    json = xasprintf(AUTOMATION, deep);
    add(&list, &h, json);
    if (list.count == 4) /* else it is deeper than JSON may be here, and counted */
        assert_int_equal(list.list[3].act_count, 0);
    free(json);
    size_t invalid = list.invalid;
    char *longer = xcalloc(EXISTING_BYTES_MAX + 10, 1);
    memset(longer, 'x', EXISTING_BYTES_MAX + 5);
    json = xasprintf("{\"alias\":\"%s\",\"triggers\":[],\"actions\":[]}", longer);
    add(&list, &h, json);
    assert_int_equal(list.invalid, invalid + 1);
    free(longer);
    free(json);
    json_object *one = parsed("{\"triggers\":[],\"actions\":[]}");
    while (list.read < EXISTING_MAX)
        assert_int_equal(existing_add(&list, one, &home, &err), 0);
    assert_int_equal(existing_add(&list, one, &home, &err), -1);
    assert_int_equal(err.code, ERROR_LIMIT);
    json_object_put(one);
    existing_release(&list);
    history_release(&h);
}

/* ---- analyses ------------------------------------------------------------------------------- */

/* The light is switched on at about seven, off at nine. */
static void make_morning(struct history *h, int days)
{
    uint64_t seed = 5;
    made_init(h, tz, monday, days);
    struct history_entity *e = made_entity(h, "light.a");
    made_change(h, e, monday, 100, HISTORY_STATE_OFF, CAUSE_PERSON);
    for (int day = 0; day < days; day++) {
        made_change(h, e, monday + day, 7 * 3600 + (int)(200 * made_normal(&seed)),
                    HISTORY_STATE_ON, CAUSE_PERSON);
        made_change(h, e, monday + day, 11 * 3600 + (int)(6000 * made_uniform(&seed)),
                    HISTORY_STATE_OFF, CAUSE_PERSON);
    }
}

/* For clocks: Home Assistant ran all the time. */
static void make_timeline(struct timeline *t, const struct history *h)
{
    struct error err;
    const struct timeline_run run = {h->from_ms, h->from_ms + 1, h->to_ms, false};
    timeline_init(t);
    t->tz = tz;
    t->from_ms = h->from_ms;
    t->to_ms = h->to_ms;
    assert_int_equal(timeline_add_run(t, &run, &err), 0);
    timeline_finish(t);
}

static json_object *analyse(const struct history *h, const struct existing_list *list)
{
    return analysis_run(h, &(struct analysis_options){.existing = list, .explain = true});
}

static json_object *first_suggestion(json_object *result)
{
    json_object *list = json_get_array(result, "suggestions");
    return json_object_array_length(list) > 0 ? json_object_array_get_idx(list, 0) : NULL;
}

/* By a replay and by the trigger alone: the same. */
static void test_covered(void **state)
{
    (void)state;
    struct history h;
    struct timeline t;
    make_morning(&h, 28);
    make_timeline(&t, &h);
    for (int replayed = 0; replayed < 2; replayed++) {
        struct existing_list list;
        existing_init(&list);
        json_object *without = analyse(&h, &list);
        assert_non_null(first_suggestion(without));
        assert_null(json_get_string(
            json_object_array_get_idx(json_get_array(without, "explained"), 0), "automation"));
        json_object_put(without);
        list.timeline = replayed ? &t : NULL;
        add(&list, &h,
            "{\"alias\":\"Other\",\"triggers\":[{\"trigger\":\"time\",\"at\":"
            "\"12:00\"}],\"actions\":[{\"action\":\"light.turn_on\",\"entity_id\":"
            "\"light.a\"}]}");
        add(&list, &h,
            "{\"entity_id\":\"automation.m\",\"config\":{\"alias\":\"My {{morning}}\","
            "\"triggers\":[{\"trigger\":\"time\",\"at\":\"07:02\"}],\"actions\":"
            "[{\"action\":\"light.turn_on\",\"entity_id\":\"light.a\"}]}}");
        json_object *result = analyse(&h, &list);
        json_object *explained = NULL, *all = json_get_array(result, "explained");
        for (size_t i = 0; i < json_object_array_length(all) && explained == NULL; i++)
            if (json_get_string(json_object_array_get_idx(all, i), "automation") != NULL)
                explained = json_object_array_get_idx(all, i);
        assert_non_null(explained);
        assert_string_equal(json_get_string(explained, "reason"), "duplicate");
        assert_string_equal(json_get_string(explained, "automation"), "automation.m");
        assert_string_equal(json_get_string(explained, "better"), "\"My ((morning))\"");
        json_object_put(result);
        existing_release(&list);
    }
    timeline_release(&t);
    history_release(&h);
}

static void test_conflicts_have_a_maximum(void **state)
{
    (void)state;
    struct history h;
    struct timeline t;
    struct existing_list list;
    make_morning(&h, 28);
    make_timeline(&t, &h);
    existing_init(&list);
    list.timeline = &t;
    for (int i = 0; i < OVERLAP_CONFLICTS_MAX + 2; i++)
        add(&list, &h,
            "{\"alias\":\"{{ evil }}\",\"triggers\":[{\"trigger\":\"time\",\"at\":"
            "\"07:05\"}],\"actions\":[{\"action\":\"light.turn_off\",\"entity_id\":"
            "\"light.a\"}]}");
    json_object *result = analyse(&h, &list), *one = first_suggestion(result);
    assert_non_null(one);
    json_object *conflicts = json_get_array(one, "conflicts");
    assert_int_equal(json_object_array_length(conflicts), OVERLAP_CONFLICTS_MAX);
    json_object *conflict = json_object_array_get_idx(conflicts, 0);
    assert_string_equal(json_get_string(conflict, "kind"), "opposes");
    assert_int_equal(json_object_array_length(json_get_array(conflict, "examples")),
                     OVERLAP_EXAMPLES_MAX);
    const char *why = json_get_string(conflict, "why");
    assert_non_null(strstr(why, "does the opposite within 10 minutes of it, at 28 of its 28"));
    assert_non_null(strstr(json_get_string(one, "explanation"), why));
    assert_int_equal(safety_check(json_get_object(one, "automation"), NULL), 0);
    json_object_put(result);
    existing_release(&list);
    timeline_release(&t);
    history_release(&h);
}

/* More acts than are kept: the rest is lost, and that is all. */
static void test_events_have_a_maximum(void **state)
{
    (void)state;
    struct history h;
    struct timeline t;
    struct existing_list list;
    make_morning(&h, 28);
    make_timeline(&t, &h);
    existing_init(&list);
    list.timeline = &t;
    char *acts = repeated("{\"action\":\"light.turn_off\",\"entity_id\":\"light.a\"}", 20);
    char *json = xasprintf("{\"triggers\":[{\"trigger\":\"time_pattern\",\"minutes\":\"/1\"}],"
                           "\"actions\":%s}",
                           acts);
    assert_true(28 * 1440 * 20 > OVERLAP_EVENTS_MAX);
    add(&list, &h, json);
    json_object *result = analyse(&h, &list);
    json_object *conflicts = json_get_array(first_suggestion(result), "conflicts");
    assert_int_equal(json_object_array_length(conflicts), 1);
    json_object_put(result);
    existing_release(&list);
    timeline_release(&t);
    history_release(&h);
    free(acts);
    free(json);
}

/* ---- too often ------------------------------------------------------------------------------ */

/* About so many times a day somebody comes, and switches on the light. */
static json_object *analyse_motion(int times_a_day)
{
    struct history h;
    uint64_t seed = 9;
    made_init(&h, tz, monday, 28);
    struct history_entity *motion = made_entity(&h, "binary_sensor.m");
    struct history_entity *light = made_entity(&h, "light.a");
    made_change(&h, motion, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    made_change(&h, light, monday, 100, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    for (int day = 0; day < 28; day++) {
        int at = (int)(600 * made_uniform(&seed));
        for (int i = 0; i < times_a_day; i++) {
            int lag = 5 + (int)(20 * made_uniform(&seed));
            motion = &h.entities[0];
            light = &h.entities[1];
            made_change(&h, motion, monday + day, at, HISTORY_STATE_ON, CAUSE_PHYSICAL);
            made_change(&h, motion, monday + day, at + 90, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
            made_change(&h, light, monday + day, at + lag, HISTORY_STATE_ON, CAUSE_PERSON);
            made_change(&h, light, monday + day, at + 200 + (int)(200 * made_uniform(&seed)),
                        HISTORY_STATE_OFF, CAUSE_PERSON);
            at += 500 + (int)(2 * (86400.0 / times_a_day - 550) * made_uniform(&seed));
            if (at > 86000 - 400)
                break;
        }
    }
    json_object *result = analyse(&h, NULL);
    history_release(&h);
    return result;
}

static bool suggests_light_by_motion(json_object *result)
{
    json_object *list = json_get_array(result, "suggestions");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        const char *text = json_text(json_get_array(
            json_get_object(json_object_array_get_idx(list, i), "automation"), "triggers"));
        if (strstr(text, "binary_sensor.m") != NULL)
            return true;
    }
    return false;
}

static void test_fires_too_often(void **state)
{
    (void)state;
    json_object *seldom = analyse_motion(SAFETY_FIRES_A_DAY_MAX / 2);
    if (!suggests_light_by_motion(seldom))
        print_message("%s\n", json_text(seldom));
    assert_true(suggests_light_by_motion(seldom));
    json_object_put(seldom);
    json_object *often = analyse_motion(SAFETY_FIRES_A_DAY_MAX * 3 / 2);
    assert_false(suggests_light_by_motion(often));
    assert_true(json_get_int(json_get_object(often, "dropped"), "fires_too_often", 0) > 0);
    json_object_put(often);
    const int64_t times[] = {monday * 86400000, monday * 86400000 + 1, (monday + 1) * 86400000};
    assert_int_equal(fires_most_a_day(&(struct fires){times, 3}, tz), 2);
    assert_int_equal(fires_most_a_day(&(struct fires){times, 0}, tz), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_actions_do),
        cmocka_unit_test(test_reads_triggers),
        cmocka_unit_test(test_counts_what_it_cannot_use),
        cmocka_unit_test(test_maxima),
        cmocka_unit_test(test_covered),
        cmocka_unit_test(test_conflicts_have_a_maximum),
        cmocka_unit_test(test_events_have_a_maximum),
        cmocka_unit_test(test_fires_too_often),
    };
    return cmocka_run_group_tests(tests, setup, berlin_teardown);
}
