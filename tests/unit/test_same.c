/* When two configurations are one automation, for HA and its editor write the same in several ways.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "ha/ha.h"
#include "suggest/automation.h"

#define ACT "{\"action\":\"light.turn_on\",\"target\":{\"entity_id\":\"light.a\"}}"
#define REPORT "{\"alias\":\"ha-ai: report (may be deleted)\",\"sequence\":[]}"
#define WHOLE                                                                                      \
    "{\"alias\":\"A\",\"description\":\"D\",\"triggers\":[{\"trigger\":\"time\",\"at\":"           \
    "\"07:00:00\"}],\"conditions\":[],\"actions\":[" ACT "," REPORT "],\"mode\":\"single\","       \
    "\"max_exceeded\":\"silent\"}"

static void check(const char *a, const char *b, const char *field)
{
    char got[HA_FIELD_SIZE];
    json_object *x = json_parse(a, strlen(a), NULL), *y = json_parse(b, strlen(b), NULL);
    for (int turn = 0; turn < 2; turn++) {
        bool is_same = turn == 0 ? ha_is_same_automation(x, y, got, sizeof(got))
                                 : ha_is_same_automation(y, x, NULL, 0);
        if (is_same != (field == NULL) || (turn == 0 && field != NULL && strcmp(got, field) != 0))
            fail_msg("%s\n%s\nexpected to differ in '%s', got '%s'", a, b,
                     field ? field : "nothing", is_same ? "nothing" : got);
    }
    json_object_put(x);
    json_object_put(y);
}

static void test_same(void **state)
{
    (void)state;
    check(WHOLE, WHOLE, NULL);
    check(
        WHOLE,
        "{\"id\":\"ha_ai_x\",\"alias\":\"A\",\"description\":\"D\",\"trigger\":{\"platform\":"
        "\"time\",\"at\":\"07:00:00\"},\"action\":[{\"service\":\"light.turn_on\",\"metadata\":{},"
        "\"data\":{},\"enabled\":true,\"target\":{\"entity_id\":[\"light.a\"]}}],"
        "\"max_exceeded\":\"silent\"}",
        NULL);
    check("{\"a\":1}", "{\"a\":1.0}", NULL);
    check("{\"description\":\"\",\"conditions\":[],\"mode\":\"single\"}", "{}", NULL);
}

static void test_edits(void **state)
{
    (void)state;
    static const struct {
        const char *was, *is, *field;
    } edits[] = {
        {"\"alias\":\"A\"", "\"alias\":\"B\"", "alias"},
        {"\"description\":\"D\"", "\"description\":\"\"", "description"},
        {"07:00:00", "07:05:00", "triggers"},
        {"\"conditions\":[]", "\"conditions\":[{\"condition\":\"time\"}]", "conditions"},
        {"light.turn_on", "light.turn_off", "actions"},
        {"\"light.a\"", "[\"light.a\",\"light.b\"]", "actions"},
        {ACT, "{\"enabled\":false}", "actions"},
        {"\"mode\":\"single\"", "\"mode\":\"restart\"", "mode"},
        {"\"mode\":\"single\"", "\"variables\":{\"x\":1}", "variables"},
        {"\"max_exceeded\":\"silent\"", "\"max\":2", "max_exceeded"},
    };
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        char edited[2048];
        const char *at = strstr(WHOLE, edits[i].was);
        assert_non_null(at);
        snprintf(edited, sizeof(edited), "%.*s%s%s", (int)(at - WHOLE), WHOLE, edits[i].is,
                 at + strlen(edits[i].was));
        check(WHOLE, edited, edits[i].field);
    }
    check(WHOLE, "null", "");
    check(WHOLE, "[]", "");
}

/* What is deployed has the block under the very name that may be missing. */
static void test_the_block_of_a_rule(void **state)
{
    (void)state;
    const char *const targets[] = {"light.a"};
    struct rule rule = {.trigger = {.kind = RULE_TRIGGER_TIME, .second = 3600},
                        .weekdays = RULE_EVERY_DAY,
                        .entity_ids = targets,
                        .entity_count = 1,
                        .verb = RULE_TURN_ON};
    json_object *whole = automation_from_rule(&rule, "A", "D"), *without = NULL;
    json_object_deep_copy(whole, &without, NULL);
    json_object *actions = json_get_array(without, "actions");
    size_t count = json_object_array_length(actions);
    json_object_array_del_idx(actions, count - 1, 1);
    assert_true(ha_is_same_automation(whole, without, NULL, 0));
    json_object_array_del_idx(actions, 0, 1);
    assert_false(ha_is_same_automation(whole, without, NULL, 0));
    json_object_put(whole);
    json_object_put(without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_the_block_of_a_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
