/* Names in other languages, device triggers made of event types, the availability as a state: what
 * the files say, and what the message becomes. */
#define _GNU_SOURCE /* mkdtemp */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "device/discovery.h"
#include "scratch.h"

static const char sensor[] = "{\"platform\":\"sensor\",\"name\":\"Rooms\",\"icon\":\"mdi:x\","
                             "\"ha_ai\":{\"id\":\"rooms\",\"state\":\"a.b\"}}";
static const char event[] = "{\"platform\":\"event\",\"name\":\"Alarm\",\"icon\":\"mdi:x\","
                            "\"event_types\":[\"on\",\"off\"],"
                            "\"ha_ai\":{\"id\":\"alarm\",\"triggers\":true}}";

/* With one language, NAME.json; NULL = none. */
static int load(struct discovery *out, const char *name, const char *words, struct error *err)
{
    write_text("rooms.json", sensor);
    write_text("alarm.json", event);
    if (name != NULL)
        write_text(name, words);
    int result = discovery_load(out, folder, NULL, NULL, err);
    if (name != NULL)
        remove_file(name);
    remove_file("rooms.json");
    remove_file("alarm.json");
    return result;
}

static const char *name_in(const struct discovery *discovery, const char *language, const char *id)
{
    static char name[100];
    json_object *facts = json_object_new_object(), *ha = json_object_new_object();
    json_add_string(ha, "language", language);
    json_object_object_add(facts, "ha", ha);
    json_object *m = discovery_message(discovery, "ha_ai", facts, NULL, HA_OLDEST, NULL);
    struct error err;
    assert_int_equal(discovery_check(m, HA_OLDEST, &err), 0);
    char *path = xasprintf("components.%s.name", id);
    snprintf(name, sizeof(name), "%s", json_object_get_string(json_at(m, path)));
    free(path);
    json_object_put(m);
    json_object_put(facts);
    return name;
}

static void names_are_of_the_home(void **state)
{
    (void)state;
    struct discovery discovery;
    struct error err;
    assert_int_equal(load(&discovery, "lang/de.json", "{\"rooms\":\"Räume\"}", &err), 0);
    assert_string_equal(name_in(&discovery, "de", "rooms"), "Räume");
    assert_string_equal(name_in(&discovery, "de-CH", "rooms"), "Räume");
    assert_string_equal(name_in(&discovery, "DE", "rooms"), "Räume");
    assert_string_equal(name_in(&discovery, "den", "rooms"), "Rooms");
    assert_string_equal(name_in(&discovery, "d", "rooms"), "Rooms");
    assert_string_equal(name_in(&discovery, "-de", "rooms"), "Rooms");
    assert_string_equal(name_in(&discovery, "", "rooms"), "Rooms");
    assert_string_equal(name_in(&discovery, NULL, "rooms"), "Rooms");
    assert_string_equal(name_in(&discovery, "de", "alarm"), "Alarm"); /* no word: English */
    assert_null(discovery_name(&discovery, "de", "no_such"));
    discovery_release(&discovery);
}

static void bad_languages_say_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *name, *words, *says;
    } bad[] = {
        {"lang/de.json", "{", "not JSON"},
        {"lang/de.json", "[]", "expected a JSON object of names"},
        {"lang/de.json", "{\"room\":\"Raum\"}", "there is no entity 'room'"},
        {"lang/de.json", "{\"rooms\":7}", "rooms: expected a name"},
        {"lang/de.json", "{\"rooms\":null}", "rooms: expected a name"},
        {"lang/de.json", "{\"rooms\":\"\"}", "rooms: expected a name"},
        {"lang/de.json",
         "{\"rooms\":\"0123456789012345678901234567890123456789012345678901234567890\"}",
         "1 to 60 bytes"},
        {"lang/de.json", "{\"rooms\":\"Alarm\"}", "have the same name 'Alarm'"},
        {"lang/x.json", "{}", "expected a file LANGUAGE.json"},
        {"lang/de_DE.json", "{}", "expected a file LANGUAGE.json"},
        {"lang/abcdefghijklmnop.json", "{}", "expected a file LANGUAGE.json"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct discovery discovery;
        struct error err = {0};
        assert_int_equal(load(&discovery, bad[i].name, bad[i].words, &err), -1);
        if (strstr(err.message, bad[i].says) == NULL || strstr(err.message, bad[i].name) == NULL)
            fail_msg("'%s': expected '%s' in '%s'", bad[i].words, bad[i].says, err.message);
        discovery_release(&discovery);
    }
}

static void count_problem(const struct error *problem, void *ctx)
{
    (void)problem;
    ++*(int *)ctx;
}

static void there_are_not_too_many(void **state)
{
    (void)state;
    struct discovery discovery;
    struct error err = {0};
    int problems = 0;
    char name[40];
    for (int i = 0; i <= DISCOVERY_LANGUAGES_MAX; i++) {
        snprintf(name, sizeof(name), "lang/%c%c.json", 'a' + i / 26, 'a' + i % 26);
        write_text(name, "{}");
    }
    assert_int_equal(load(&discovery, NULL, NULL, &err), -1);
    assert_non_null(strstr(err.message, "more than 32 files"));
    discovery_release(&discovery);
    write_text("rooms.json", sensor);
    assert_int_equal(discovery_load(&discovery, folder, count_problem, &problems, &err), -1);
    assert_int_equal(problems, 1);
    assert_int_equal(discovery.language_count, DISCOVERY_LANGUAGES_MAX);
    discovery_release(&discovery);
    for (int i = 0; i <= DISCOVERY_LANGUAGES_MAX; i++) {
        snprintf(name, sizeof(name), "lang/%c%c.json", 'a' + i / 26, 'a' + i % 26);
        remove_file(name);
    }
    remove_file("rooms.json");
}

static void events_are_triggers_too(void **state)
{
    (void)state;
    struct discovery discovery;
    struct error err;
    assert_int_equal(load(&discovery, "lang/de.json", "{\"alarm\":\"Wecker\"}", &err), 0);
    json_object *facts = json_tokener_parse("{\"ha\":{\"language\":\"de\"}}");
    json_object *before =
        json_tokener_parse("{\"components\":{\"alarm-on\":{\"platform\":\"device_automation\"},"
                           "\"alarm-gone\":{\"platform\":\"device_automation\"}}}");
    json_object *m = discovery_message(&discovery, "ha_ai", facts, NULL, HA_OLDEST, before);
    assert_string_equal(json_text(json_at(m, "components.alarm-on")),
                        "{\"platform\":\"device_automation\",\"automation_type\":\"trigger\","
                        "\"type\":\"on\",\"subtype\":\"Alarm\","
                        "\"topic\":\"ha-ai/device/ha_ai/alarm/event\","
                        "\"value_template\":\"{{ value_json.event_type }}\","
                        "\"payload\":\"on\",\"qos\":1}");
    assert_non_null(json_at(m, "components.alarm-off"));
    assert_string_equal(json_text(json_at(m, "components.alarm-gone")),
                        "{\"platform\":\"device_automation\"}");
    assert_int_equal(json_object_object_length(json_at(m, "components")), 5);
    assert_string_equal(json_object_get_string(json_at(m, "components.alarm.name")), "Wecker");
    assert_int_equal(discovery_check(m, HA_OLDEST, &err), 0);
    json_object_object_add(json_at(m, "components.alarm-on"), "topic",
                           json_object_new_string("a/#"));
    json_object_object_add(json_at(m, "components.alarm-on"), "x_topic",
                           json_object_new_string("a/#"));
    assert_int_equal(discovery_check(m, HA_OLDEST, &err), -1);
    json_object_put(m);
    json_object_put(before);
    json_object_put(facts);
    discovery_release(&discovery);
}

static void bad_links_say_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"{\"platform\":\"sensor\",\"name\":\"X\",\"icon\":\"mdi:x\","
         "\"ha_ai\":{\"id\":\"x\",\"state\":\"a\",\"triggers\":true}}",
         "ha_ai.triggers: expected true or false, on an event"},
        {"{\"platform\":\"event\",\"name\":\"X\",\"icon\":\"mdi:x\",\"event_types\":[\"a\"],"
         "\"ha_ai\":{\"id\":\"x\",\"triggers\":\"yes\"}}",
         "ha_ai.triggers: expected true or false, on an event"},
        {"{\"platform\":\"event\",\"name\":\"X\",\"icon\":\"mdi:x\",\"event_types\":[\"a b\"],"
         "\"ha_ai\":{\"id\":\"x\",\"triggers\":true}}",
         "event_types has 'a b'"},
        {"{\"platform\":\"sensor\",\"name\":\"X\",\"icon\":\"mdi:x\","
         "\"ha_ai\":{\"id\":\"x\",\"state\":\"availability\"}}",
         "only a binary_sensor shows availability"},
        {"{\"platform\":\"device_automation\",\"name\":\"X\",\"ha_ai\":{\"id\":\"x\"}}",
         "platform is 'device_automation', expected one of"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct discovery discovery;
        struct error err = {0};
        write_text("x.json", bad[i].text);
        assert_int_equal(discovery_load(&discovery, folder, NULL, NULL, &err), -1);
        if (strstr(err.message, bad[i].says) == NULL)
            fail_msg("expected '%s' in '%s'", bad[i].says, err.message);
        discovery_release(&discovery);
        remove_file("x.json");
    }
}

static void the_availability_is_a_state(void **state)
{
    (void)state;
    struct discovery discovery;
    struct error err;
    write_text("x.json", "{\"platform\":\"binary_sensor\",\"name\":\"X\","
                         "\"device_class\":\"connectivity\","
                         "\"ha_ai\":{\"id\":\"x\",\"state\":\"availability\"}}");
    assert_int_equal(discovery_load(&discovery, folder, NULL, NULL, &err), 0);
    json_object *m = discovery_message(&discovery, "ha_ai", NULL, NULL, HA_OLDEST, NULL);
    json_object *x = json_at(m, "components.x");
    assert_string_equal(json_get_string(x, "state_topic"), "ha-ai/device/ha_ai/availability");
    assert_string_equal(json_get_string(x, "payload_on"), "online");
    assert_string_equal(json_get_string(x, "payload_off"), "offline");
    assert_int_equal(json_object_array_length(json_get_array(x, "availability")), 0);
    json_object *facts = json_tokener_parse("{\"availability\":\"x\"}");
    assert_null(entity_state_text(&discovery.entities[0], facts)); /* the will says it */
    json_object_put(facts);
    json_object_put(m);
    discovery_release(&discovery);
    remove_file("x.json");
}

static int make_folder(void **state)
{
    if (scratch_make(state) < 0)
        return -1;
    char *path = scratch_path("lang");
    int result = mkdir(path, 0700);
    free(path);
    return result;
}

static int remove_folder(void **state)
{
    (void)state;
    char *path = scratch_path("lang");
    int result = rmdir(path);
    free(path);
    return result + rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_of_the_home),
        cmocka_unit_test(bad_languages_say_what_is_wrong),
        cmocka_unit_test(there_are_not_too_many),
        cmocka_unit_test(events_are_triggers_too),
        cmocka_unit_test(bad_links_say_what_is_wrong),
        cmocka_unit_test(the_availability_is_a_state),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
