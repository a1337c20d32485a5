/* An automation changed by what a person types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "made_timeline.h"
#include "core/json.h"
#include "seeded.h"
#include "suggest/move.h"

/* config and expected with ' for "; NULL: it must not apply. */
static void expect_move(const char *text, const char *config, const char *expected)
{
    struct error err = {.code = ERROR_NONE};
    struct move *move = move_parse(text, &err);
    if (move == NULL)
        fail_msg("%s: %s", text, err.message);
    assert_string_equal(move_text(move), text);
    json_object *before = made_json(config), *untouched = made_json(config);
    json_object *after = move_apply(move, before, &err);
    if (after == NULL && expected != NULL)
        fail_msg("%s: %s", text, err.message);
    if (after != NULL && expected == NULL)
        fail_msg("%s: %s", text, json_text(after));
    if (expected != NULL) {
        json_object *wanted = made_json(expected);
        if (!json_object_equal(after, wanted))
            fail_msg("%s\n  gives    %s\n  expected %s", text, json_text(after), expected);
        json_object_put(wanted);
    } else {
        assert_true(err.message[0] != '\0');
    }
    assert_true(json_object_equal(before, untouched)); /* a copy was changed */
    json_object_put(before);
    json_object_put(untouched);
    json_object_put(after);
    move_free(move);
}

static void test_times(void **state)
{
    (void)state;
    expect_move("at=+15min", "{'triggers':[{'trigger':'time','at':'07:50:00'}]}",
                "{'triggers':[{'trigger':'time','at':'08:05:00'}]}");
    expect_move("at=-1h30min", "{'trigger':{'platform':'time','at':['01:00','23:59:30']}}",
                "{'trigger':{'platform':'time','at':['23:30:00','22:29:30']}}");
    expect_move("at=06:05", "{'triggers':[{'trigger':'time','at':'07:50:00'}]}",
                "{'triggers':[{'trigger':'time','at':'06:05:00'}]}");
    expect_move("at=+00:10", "{'triggers':[{'trigger':'sun','event':'sunset','offset':'-00:15'}]}",
                "{'triggers':[{'trigger':'sun','event':'sunset','offset':'-00:05:00'}]}");
    expect_move("at=-45s", "{'triggers':[{'trigger':'sun','event':'sunset'}]}",
                "{'triggers':[{'trigger':'sun','event':'sunset','offset':'-00:00:45'}]}");
    /* The clock says nothing of these. */
    expect_move("at=07:00", "{'triggers':[{'trigger':'sun','event':'sunset'}]}", NULL);
    expect_move("at=+5min", "{'triggers':[{'trigger':'time','at':'input_datetime.wake'}]}", NULL);
    expect_move("at=+0.7s", "{'triggers':[{'trigger':'time','at':'23:59:59'}]}",
                "{'triggers':[{'trigger':'time','at':'00:00:00'}]}");
    expect_move("at=23:59:59.9", "{'triggers':[{'trigger':'time','at':'07:00:00'}]}",
                "{'triggers':[{'trigger':'time','at':'00:00:00'}]}");
    expect_move("at=+5min", "{'triggers':[{'trigger':'state','entity_id':'a.b'}]}", NULL);
    expect_move("at=+5min", "{'conditions':[{'condition':'time','at':'07:00:00'}]}", NULL);
}

static void test_periods(void **state)
{
    (void)state;
    expect_move("for=10min", "{'triggers':[{'trigger':'state','entity_id':'a.b'}]}",
                "{'triggers':[{'trigger':'state','entity_id':'a.b','for':'00:10:00'}]}");
    expect_move("for=+5min", "{'trigger':[{'platform':'state','entity_id':'a.b','for':90}]}",
                "{'trigger':[{'platform':'state','entity_id':'a.b','for':'00:06:30'}]}");
    expect_move("for=-5min", "{'triggers':[{'trigger':'state','for':{'minutes':2}}]}",
                "{'triggers':[{'trigger':'state','for':'00:00:00'}]}");
    expect_move("for=1d",
                "{'triggers':[{'trigger':'light.turned_on','options':{'for':'00:00:10'}}]}",
                "{'triggers':[{'trigger':'light.turned_on','options':{'for':'24:00:00'}}]}");
    expect_move("for=+1min", "{'triggers':[{'trigger':'state','for':'{{ x }}'}]}", NULL);
    expect_move("for=1min", "{'triggers':[{'trigger':'time','at':'07:00'}]}", NULL);
    /* That of a condition is another matter. */
    expect_move("for=1min", "{'triggers':[],'conditions':[{'condition':'state','for':60}]}", NULL);
}

static void test_limits(void **state)
{
    (void)state;
    expect_move("above=+2", "{'triggers':[{'trigger':'numeric_state','above':20}]}",
                "{'triggers':[{'trigger':'numeric_state','above':22.0}]}");
    expect_move("below=-0.5",
                "{'conditions':[{'or':[{'condition':'numeric_state','below':'20.5'}]}]}",
                "{'conditions':[{'or':[{'condition':'numeric_state','below':20.0}]}]}");
    expect_move("below==-5", "{'condition':{'condition':'numeric_state','below':0}}",
                "{'condition':{'condition':'numeric_state','below':-5.0}}");
    expect_move("above=+1",
                "{'triggers':[{'trigger':'humidity.crossed_threshold','options':{'threshold':"
                "{'type':'between','value_min':{'number':5},'value_max':{'number':9}}}}]}",
                "{'triggers':[{'trigger':'humidity.crossed_threshold','options':{'threshold':"
                "{'type':'between','value_min':{'number':6.0},'value_max':{'number':9}}}}]}");
    expect_move("below=3",
                "{'conditions':{'condition':'light.is_brightness','options':{'threshold':{'type':"
                "'below','value':{'active_choice':'number','number':'40'}}}}}",
                "{'conditions':{'condition':'light.is_brightness','options':{'threshold':{'type':"
                "'below','value':{'active_choice':'number','number':3.0}}}}}");
    expect_move("above=3", "{'triggers':{'threshold':{'type':'below','value':{'number':4}}}}",
                NULL);
    expect_move("above=3", "{'triggers':{'threshold':{'type':'above','value':{'entity':'a.b'}}}}",
                NULL);
    expect_move("above=3", "{'triggers':[{'trigger':'numeric_state','above':'sensor.a'}]}", NULL);
    expect_move("above=3", "{'triggers':[{'trigger':'numeric_state','below':4}]}", NULL);
}

static void test_days(void **state)
{
    (void)state;
    expect_move(
        "weekday=sat-mon", "{'triggers':[],'conditions':[]}",
        "{'triggers':[],'conditions':[{'condition':'time','weekday':['mon','sat','sun']}]}");
    expect_move("weekday=mon,wed", "{'triggers':[],'condition':'{{ true }}'}",
                "{'triggers':[],'condition':['{{ true }}',{'condition':'time','weekday':['mon',"
                "'wed']}]}");
    expect_move("weekday=fri", "{'conditions':{'condition':'time','weekday':'mon'}}",
                "{'conditions':{'condition':'time','weekday':['fri']}}");
    expect_move("weekday=fri", "{'triggers':[{'trigger':'time','at':'07:00','weekday':['mon']}]}",
                "{'triggers':[{'trigger':'time','at':'07:00','weekday':['fri']}]}");
}

static void test_without(void **state)
{
    (void)state;
    static const char config[] =
        "{'triggers':[{'id':'a'},{'id':'b'}],'condition':[{'or':[1,2]},'x'],'actions':{}}";
    expect_move("without=triggers[0]", config,
                "{'triggers':[{'id':'b'}],'condition':[{'or':[1,2]},'x'],'actions':{}}");
    expect_move("without=conditions[1]", config,
                "{'triggers':[{'id':'a'},{'id':'b'}],'condition':[{'or':[1,2]}],'actions':{}}");
    expect_move("without=condition[0].or[1]", config,
                "{'triggers':[{'id':'a'},{'id':'b'}],'condition':[{'or':[1]},'x'],'actions':{}}");
    expect_move("without=triggers[1].id", config,
                "{'triggers':[{'id':'a'},{}],'condition':[{'or':[1,2]},'x'],'actions':{}}");
    expect_move("without=conditions", config, "{'triggers':[{'id':'a'},{'id':'b'}],'actions':{}}");
    expect_move("without=triggers", config, NULL);
    expect_move("without=triggers[0] without=triggers[0]", config, NULL);
    expect_move("without=conditions[2]", config, NULL);
    expect_move("without=conditions[0].and[0]", config, NULL);
    expect_move("without=nothing", config, NULL);
    expect_move("without=triggers[0].id.deep", config, NULL);
    expect_move("without=conditions[0]", "{'triggers':{},'conditions':{'condition':'state'}}",
                "{'triggers':{}}");
}

static void test_several_at_once(void **state)
{
    (void)state;
    expect_move("at=+1h weekday=sun", "{'triggers':[{'trigger':'time','at':'07:00'}]}",
                "{'triggers':[{'trigger':'time','at':'08:00:00'}],'conditions':[{'condition':"
                "'time','weekday':['sun']}]}");
    expect_move("weekday=sun at=+1h", "{'triggers':[{'trigger':'state'}]}", NULL);
}

static void test_what_is_no_move(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        " ",
        "at",
        "at=",
        "at=7",
        "at=24:00",
        "at=07:60",
        "at=+15",
        "at=+15minx",
        "at=+-5min",
        "at=+0x5min",
        "for=",
        "for=5",
        "for==-5min",
        "for=400d",
        "above=",
        "above=x",
        "above=1e3",
        "above=1.2.3",
        "above=inf",
        "weekday=",
        "weekday=Mon",
        "weekday=mon-",
        "weekday=mon,",
        "weekday=mon--fri",
        "without=",
        "without=.",
        "without=a[",
        "without=a[x]",
        "without=a[0]b",
        "without=a.",
        "without=a[99999999999]",
        "with=a",
        "at=07:00;for=5min",
        "at=+5min x",
        "at=+1s at=+1s at=+1s at=+1s at=+1s at=+1s at=+1s at=+1s at=+1s"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error err = {.code = ERROR_NONE};
        struct move *move = move_parse(wrong[i], &err);
        if (move != NULL)
            fail_msg("taken: %s", wrong[i]);
        assert_int_equal(err.code, ERROR_INVALID);
        assert_non_null(strstr(err.message, "takes at=+15min"));
    }
    char *longest = xasprintf("without=%0*d", MOVE_BYTES_MAX - 8, 0);
    struct move *move = move_parse(longest, NULL);
    assert_non_null(move);
    move_free(move);
    char *longer = xasprintf("%s0", longest);
    assert_null(move_parse(longer, NULL));
    free(longest);
    free(longer);
}

/* Whatever is typed, on whatever configuration: no crash, and what was given stays as it was. */
static void test_random_text(void **state)
{
    (void)state;
    static const char *const bits[] = {
        "at=",      "for=", "above=", "below=", "weekday=", "without=", "+",          "-",
        "=",        "5",    "07:30",  "min",    "h",        "mon",      ",",          " ",
        "triggers", "[0]",  "[1]",    ".",      "for",      "1.5",      "conditions", "99999"};
    static const char *const configs[] = {
        "{'triggers':[{'trigger':'time','at':['07:00',null,5]},{'trigger':'sun','offset':'x'}]}",
        "{'trigger':{'platform':'state','for':{}},'condition':[[],{'above':[]},{'above':null}]}",
        "{'triggers':null,'conditions':5}",
        "{'triggers':[{'trigger':'state','options':'x'}],'conditions':'x'}",
        "{}",
        "[]",
        "'text'"};
    seed_init();
    for (int i = 0; i < 20000; i++) {
        char text[300] = "";
        for (uint64_t n = 1 + next_random() % 10; n > 0; n--)
            strcat(text, bits[next_random() % (sizeof bits / sizeof *bits)]);
        struct move *move = move_parse(text, NULL);
        if (move == NULL)
            continue;
        json_object *config =
            made_json(configs[next_random() % (sizeof configs / sizeof *configs)]);
        json_object_put(move_apply(move, config, NULL));
        json_object_put(config);
        move_free(move);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),           cmocka_unit_test(test_periods),
        cmocka_unit_test(test_limits),          cmocka_unit_test(test_days),
        cmocka_unit_test(test_without),         cmocka_unit_test(test_several_at_once),
        cmocka_unit_test(test_what_is_no_move), cmocka_unit_test(test_random_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
