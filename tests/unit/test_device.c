/* Entities as data: good and bad files, the message they make, commands and their refusals. */
#define _GNU_SOURCE /* mkdtemp, strcasestr */
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
#include "device/command.h"
#include "device/discovery.h"
#include "scratch.h"

/* Loads a folder that holds text as x.json alone. */
static int load_text(struct discovery *out, const char *text, struct error *err)
{
    write_file("x.json", text, strlen(text));
    int result = discovery_load(out, folder, NULL, NULL, err);
    remove_file("x.json");
    return result;
}

#define LINKS ",\"ha_ai\":{\"id\":\"x\",\"state\":\"a.b\"}}"
#define SENSOR "{\"platform\":\"sensor\",\"name\":\"X\",\"icon\":\"mdi:x\""
#define BUTTON "{\"platform\":\"button\",\"name\":\"X\",\"icon\":\"mdi:x\""
#define SELECT "{\"platform\":\"select\",\"name\":\"X\",\"icon\":\"mdi:x\""

static void bad_files_say_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says; /* says: parts of the message, separated by '&' */
    } bad[] = {
        {"", "not JSON"},
        {"{", "not JSON"},
        {"[]", "expected a JSON object"},
        {"null", "x.json"},
        {"{\"name\":\"X\"}", "platform is missing&binary_sensor"},
        {"{\"platform\":\"lamp\"" LINKS, "platform is 'lamp'&expected one of&sensor"},
        {"{\"platform\":7" LINKS, "platform is missing"},
        {SENSOR "}", "ha_ai is missing"},
        {SENSOR ",\"ha_ai\":[]}", "ha_ai is missing"},
        {SENSOR ",\"colour\":\"red\"" LINKS, "unknown key 'colour'&a sensor takes&icon"},
        {SENSOR ",\"unique_id\":\"u\"" LINKS, "unknown key 'unique_id'"},
        {SENSOR ",\"min\":1" LINKS, "unknown key 'min'"},
        {SENSOR ",\"~\":\"t\"" LINKS, "unknown key '~'"},
        {SENSOR ",\"ha_ai\":{\"id\":\"x\",\"state\":\"a\",\"topic\":\"t\"}}",
         "unknown key 'ha_ai.topic'&expected id"},
        {SENSOR ",\"ha_ai\":{\"state\":\"a\"}}", "ha_ai.id is missing"},
        {SENSOR ",\"ha_ai\":{\"id\":\"a b\",\"state\":\"a\"}}", "ha_ai.id is a b&a-z"},
        {SENSOR ",\"ha_ai\":{\"id\":\"x\"}}", "ha_ai.state is missing: a sensor needs one"},
        {SENSOR ",\"ha_ai\":{\"id\":\"x\",\"state\":7}}", "ha_ai.state is 7&path of a fact"},
        {SENSOR ",\"ha_ai\":{\"id\":\"x\",\"state\":null}}", "ha_ai.state is null"},
        {SENSOR ",\"ha_ai\":{\"id\":\"x\",\"state\":\"a\",\"command\":\"c\"}}",
         "ha_ai.command: a sensor takes none"},
        {BUTTON LINKS, "ha_ai.state: a button takes none"},
        {BUTTON ",\"ha_ai\":{\"id\":\"x\"}}", "ha_ai.command is missing"},
        {"{\"platform\":\"sensor\",\"icon\":\"mdi:x\"" LINKS, "name is missing"},
        {"{\"platform\":\"sensor\",\"name\":null,\"icon\":\"mdi:x\"" LINKS, "name is null"},
        {"{\"platform\":\"sensor\",\"name\":\"X\"" LINKS, "expected an icon or a device_class"},
        {"{\"platform\":\"sensor\",\"name\":\"X\",\"icon\":\"bulb\"" LINKS,
         "icon is \"bulb\", expected mdi:NAME"},
        {"{\"platform\":\"sensor\",\"name\":\"X\",\"icon\":\"mdi:\"" LINKS, "expected mdi:NAME"},
        {SENSOR ",\"enabled_by_default\":\"yes\"" LINKS, "expected true or false"},
        {SENSOR ",\"entity_category\":\"config\"" LINKS, "entity_category is 'config'&diagnostic"},
        {SENSOR ",\"entity_category\":\"main\"" LINKS, "expected one of config|diagnostic"},
        {SENSOR ",\"device_class\":\"warmth\"" LINKS,
         "device_class is \"warmth\", expected one of"},
        {SENSOR ",\"unit_of_measurement\":\"d\"" LINKS, "state_class is missing"},
        {SENSOR ",\"state_class\":\"measurement\"" LINKS, "unit_of_measurement is missing"},
        {SENSOR ",\"device_class\":\"timestamp\",\"unit_of_measurement\":\"s\"" LINKS,
         "is no number&neither unit_of_measurement nor state_class"},
        {SENSOR ",\"device_class\":\"duration\",\"unit_of_measurement\":\"kg\"" LINKS,
         "unit_of_measurement is 'kg', expected one of d|h|min"},
        {SENSOR ",\"device_class\":\"enum\"" LINKS, "options and device_class enum"},
        {SENSOR ",\"options\":[\"a\"]" LINKS, "options and device_class enum"},
        {SENSOR ",\"device_class\":\"enum\",\"options\":[\"a\",\"a\"]" LINKS, "different texts"},
        {SENSOR ",\"device_class\":\"enum\",\"options\":[]" LINKS, "a list of 1 to 100"},
        {SENSOR ",\"suggested_display_precision\":-1" LINKS, "a whole number from 0 on"},
        {SELECT ",\"ha_ai\":{\"id\":\"x\",\"state\":\"a\",\"command\":\"c\"}}",
         "expected either options or ha_ai.options"},
        {"{\"platform\":\"event\",\"name\":\"X\",\"icon\":\"mdi:x\",\"ha_ai\":{\"id\":\"x\"}}",
         "event_types is missing"},
        {"{\"platform\":\"number\",\"name\":\"X\",\"icon\":\"mdi:x\",\"min\":9,\"max\":3,"
         "\"ha_ai\":{\"id\":\"x\",\"command\":\"c\"}}",
         "min is 9, expected at most max, 3"},
        {"{\"platform\":\"text\",\"name\":\"X\",\"icon\":\"mdi:x\",\"max\":300,"
         "\"ha_ai\":{\"id\":\"x\",\"command\":\"c\"}}",
         "expected 0 to 255"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct discovery discovery;
        struct error err = {0};
        if (load_text(&discovery, bad[i].text, &err) == 0)
            fail_msg("accepted: %s", bad[i].text);
        if (strstr(err.message, "x.json") == NULL)
            fail_msg("names no file: %s", err.message);
        char *says = xstrdup(bad[i].says), *rest = says, *part;
        while ((part = strsep(&rest, "&")) != NULL)
            if (strstr(err.message, part) == NULL)
                fail_msg("'%s' does not say '%s'", err.message, part);
        free(says);
        discovery_release(&discovery);
    }
}

static void good_files_load(void **state)
{
    (void)state;
    static const char *const good[] = {
        SENSOR LINKS,
        SENSOR ",\"state_class\":\"measurement\",\"unit_of_measurement\":\"habits\"" LINKS,
        "{\"platform\":\"sensor\",\"name\":\"X\",\"device_class\":\"timestamp\"" LINKS,
        BUTTON ",\"ha_ai\":{\"id\":\"x\",\"command\":\"c\",\"attributes\":\"a\"}}",
        SELECT
        ",\"options\":[\"a\",\"b\"],\"ha_ai\":{\"id\":\"x\",\"state\":\"a\",\"command\":\"c\"}}",
        "{\"platform\":\"time\",\"name\":\"X\",\"icon\":\"mdi:clock\","
        "\"ha_ai\":{\"id\":\"x\",\"command\":\"c\"}}",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct discovery discovery;
        struct error err = {0};
        if (load_text(&discovery, good[i], &err) < 0)
            fail_msg("%s: %s", good[i], err.message);
        assert_int_equal(discovery.count, 1);
        discovery_release(&discovery);
    }
}

static void count_problem(const struct error *problem, void *ctx)
{
    (void)problem;
    ++*(int *)ctx;
}

static void ids_and_names_are_unique(void **state)
{
    (void)state;
    struct discovery discovery;
    struct error err;
    const char *b = "{\"platform\":\"sensor\",\"name\":\"Y\",\"icon\":\"mdi:x\"" LINKS;
    write_file("b.json", b, strlen(b));
    write_file("a.json", SENSOR LINKS, strlen(SENSOR LINKS));
    assert_int_equal(discovery_load(&discovery, folder, NULL, NULL, &err), -1);
    assert_non_null(strstr(err.message, "b.json: ha_ai.id 'x' is taken by a.json"));
    discovery_release(&discovery);

    b = SENSOR ",\"ha_ai\":{\"id\":\"y\",\"state\":\"a\"}}";
    write_file("b.json", b, strlen(b));
    assert_int_equal(discovery_load(&discovery, folder, NULL, NULL, &err), -1);
    assert_non_null(strstr(err.message, "b.json: name 'X' is taken by a.json"));
    discovery_release(&discovery);

    int problems = 0;
    write_file("c.json", "{", 1);
    assert_int_equal(discovery_load(&discovery, folder, count_problem, &problems, &err), -1);
    assert_int_equal(problems, 2);
    assert_int_equal(discovery.count, 1);
    discovery_release(&discovery);
    remove_file("a.json");
    remove_file("b.json");
    remove_file("c.json");
}

static void limits_hold(void **state)
{
    (void)state;
    struct discovery discovery;
    struct error err;
    char *large = xmalloc(ENTITY_FILE_MAX + 10);
    memset(large, ' ', ENTITY_FILE_MAX + 10);
    write_file("x.json", large, ENTITY_FILE_MAX + 10);
    assert_int_equal(discovery_load(&discovery, folder, NULL, NULL, &err), -1);
    assert_int_equal(err.code, ERROR_LIMIT);
    discovery_release(&discovery);
    remove_file("x.json");
    free(large);

    for (int i = 0; i <= DISCOVERY_FILES_MAX; i++) {
        char name[32], text[200];
        snprintf(name, sizeof(name), "f%03d.json", i);
        snprintf(text, sizeof(text),
                 "{\"platform\":\"sensor\",\"name\":\"N%d\",\"icon\":\"mdi:x\","
                 "\"ha_ai\":{\"id\":\"i%d\",\"state\":\"a\"}}",
                 i, i);
        write_file(name, text, strlen(text));
    }
    assert_int_equal(discovery_load(&discovery, folder, NULL, NULL, &err), -1);
    assert_non_null(strstr(err.message, "more than 64 files"));
    discovery_release(&discovery);
    for (int i = 0; i <= DISCOVERY_FILES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof(name), "f%03d.json", i);
        remove_file(name);
    }
    assert_int_equal(discovery_load(&discovery, folder, NULL, NULL, &err), -1);
    assert_non_null(strstr(err.message, "found none"));
    assert_int_equal(discovery_load(&discovery, "/nonexistent/x", NULL, NULL, &err), -1);
    assert_non_null(strstr(err.message, "/nonexistent/x"));
}

/* --- the message ----------------------------------------------------------------------------- */

static const char select_text[] =
    "{\"platform\":\"select\",\"name\":\"X\",\"icon\":\"mdi:x\",\"visible_by_default\":false,"
    "\"ha_ai\":{\"id\":\"x\",\"state\":\"s.now\",\"options\":\"s.all\",\"attributes\":\"s\","
    "\"command\":\"select\"}}";

static json_object *parse(const char *text)
{
    json_object *obj = json_tokener_parse(text);
    assert_non_null(obj);
    return obj;
}

static void a_component_is_complete(void **state)
{
    (void)state;
    struct discovery discovery;
    struct error err;
    assert_int_equal(load_text(&discovery, select_text, &err), 0);
    json_object *facts =
        parse("{\"s\":{\"now\":\"A\",\"all\":[\"A\",\"A\",\"B\",7,\"\",\"None\"]}}");
    json_object *keep = parse("{\"x\":[\"C\",\"A\"]}");
    json_object *m = discovery_message(&discovery, "ha_ai_2", facts, keep, HA_OLDEST, NULL);
    assert_int_equal(discovery_check(m, HA_OLDEST, &err), 0);
    json_object *c = json_at(m, "components.x");
    assert_string_equal(json_get_string(c, "unique_id"), "ha_ai_2_x");
    assert_string_equal(json_get_string(c, "object_id"), "ha_ai_2_x");
    assert_string_equal(json_get_string(c, "default_entity_id"), "select.ha_ai_2_x");
    assert_string_equal(json_get_string(c, "state_topic"), "ha-ai/device/ha_ai_2/x/state");
    assert_string_equal(json_get_string(c, "command_topic"), "ha-ai/device/ha_ai_2/x/set");
    assert_string_equal(json_get_string(c, "json_attributes_topic"),
                        "ha-ai/device/ha_ai_2/x/attributes");
    assert_int_equal(json_get_int(c, "qos", 0), 1);
    assert_non_null(strstr(json_get_string(c, "command_template"), "{{ value | tojson }}"));
    assert_string_equal(json_text(json_get_array(c, "options")), "[\"A\",\"B\",\"C\"]");
    assert_null(json_object_object_get(c, "ha_ai"));
    assert_null(json_object_object_get(c, "visible_by_default")); /* 2025.4 does not know it */
    json_object_put(m);

    m = discovery_message(&discovery, "ha_ai", NULL, NULL, HA_NEWEST, NULL);
    c = json_at(m, "components.x");
    assert_true(json_object_object_get_ex(c, "visible_by_default", NULL));
    assert_string_equal(json_text(json_get_array(c, "options")), "[\"–\"]");
    assert_int_equal(discovery_check(m, HA_OLDEST, &err), -1);
    json_object_put(m);
    json_object_put(keep);
    json_object_put(facts);
    discovery_release(&discovery);
}

static void what_is_gone_is_removed(void **state)
{
    (void)state;
    struct discovery discovery;
    struct error err;
    assert_int_equal(load_text(&discovery, select_text, &err), 0);
    json_object *before =
        parse("{\"components\":{\"x\":{\"platform\":\"select\"},"
              "\"old\":{\"platform\":\"button\"},\"t\":{\"platform\":\"time\"}}}");
    json_object *m = discovery_message(&discovery, "ha_ai", NULL, NULL, HA_OLDEST, before);
    assert_string_equal(json_text(json_at(m, "components.old")), "{\"platform\":\"button\"}");
    assert_null(json_at(m, "components.t")); /* would make 2025.4 refuse everything */
    assert_int_equal(discovery_check(m, HA_OLDEST, &err), 0);
    json_object_put(m);
    json_object_put(before);
    discovery_release(&discovery);
}

static void newer_platforms_wait_for_a_newer_release(void **state)
{
    (void)state;
    struct discovery discovery;
    struct error err;
    assert_int_equal(load_text(&discovery,
                               "{\"platform\":\"time\",\"name\":\"X\",\"icon\":\"mdi:x\","
                               "\"ha_ai\":{\"id\":\"x\",\"command\":\"c\"}}",
                               &err),
                     0);
    json_object *m = discovery_message(&discovery, "ha_ai", NULL, NULL, HA_OLDEST, NULL);
    assert_null(json_at(m, "components.x"));
    json_object_put(m);
    m = discovery_message(&discovery, "ha_ai", NULL, NULL, HA_NEWEST, NULL);
    assert_non_null(json_at(m, "components.x"));
    assert_int_equal(discovery_check(m, HA_NEWEST, &err), 0);
    assert_int_equal(discovery_check(m, HA_OLDEST, &err), -1);
    json_object_put(m);
    discovery_release(&discovery);
    assert_int_equal(ha_rules_release("2026.11.0b3"), 202611);
    assert_int_equal(ha_rules_release("2025.4.4"), 202504);
    assert_int_equal(ha_rules_release(NULL), HA_OLDEST);
    assert_int_equal(ha_rules_release("unknown"), HA_OLDEST);
    assert_int_equal(ha_rules_release("2026"), HA_OLDEST);
}

static void refused_messages(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"{\"device\":{},\"origin\":{},\"components\":{},\"~\":\"t\"}", "unknown key '~'"},
        {"{\"device\":{\"sw\":null},\"origin\":{},\"components\":{}}", "sw is null"},
        {"{\"device\":{},\"origin\":{}}", "expected device, origin and components"},
        {"{\"device\":{},\"origin\":{},\"components\":{\"a\":{}}}", "a: HA"},
        {"{\"device\":{},\"origin\":{},\"components\":{\"a\":{\"platform\":\"sensor\",\"x\":1}}}",
         "a: unique_id is missing"},
        {"{\"device\":{},\"origin\":{},\"components\":{\"a\":{\"platform\":\"sensor\","
         "\"unique_id\":\"u\",\"state_topic\":\"a/#\"}}}",
         "state_topic is 'a/#'"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_object *m = parse(bad[i].text);
        struct error err = {0};
        assert_int_equal(discovery_check(m, HA_OLDEST, &err), -1);
        if (strstr(err.message, bad[i].says) == NULL)
            fail_msg("'%s' does not say '%s'", err.message, bad[i].says);
        json_object_put(m);
    }
}

/* --- values ---------------------------------------------------------------------------------- */

static void states_are_what_ha_takes(void **state)
{
    (void)state;
    static const struct {
        const char *fact, *text;
    } cases[] = {
        {"{\"a\":{\"b\":3}}", "3"},
        {"{\"a\":{\"b\":0.5}}", "0.5"},
        {"{\"a\":{\"b\":true}}", "ON"},
        {"{\"a\":{\"b\":false}}", "OFF"},
        {"{\"a\":{\"b\":null}}", "None"},
        {"{\"a\":{}}", "None"},
        {"{}", "None"},
        {"{\"a\":{\"b\":\"\"}}", "None"},
        {"{\"a\":{\"b\":\"idle\"}}", "idle"},
    };
    struct discovery discovery;
    struct error err;
    assert_int_equal(load_text(&discovery, SENSOR LINKS, &err), 0);
    const struct entity *entity = &discovery.entities[0];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_object *facts = parse(cases[i].fact);
        char *text = entity_state_text(entity, facts);
        assert_string_equal(text, cases[i].text);
        free(text);
        json_object_put(facts);
    }
    /* 300 characters of two bytes each become 255 characters, none of them cut. */
    json_object *facts = parse("{\"a\":{}}");
    char umlauts[601];
    for (int i = 0; i < 600; i += 2) {
        umlauts[i] = '\xC3';
        umlauts[i + 1] = '\xA4';
    }
    umlauts[600] = '\0';
    json_object_object_add(json_get_object(facts, "a"), "b", json_object_new_string(umlauts));
    char *text = entity_state_text(entity, facts);
    assert_int_equal(strlen(text), 510);
    free(text);
    json_object_put(facts);
    discovery_release(&discovery);
}

static void attributes_stay_small(void **state)
{
    (void)state;
    struct discovery discovery;
    struct error err;
    assert_int_equal(load_text(&discovery, select_text, &err), 0);
    char *large = xmalloc(20001);
    memset(large, 'x', 20000);
    large[20000] = '\0';
    json_object *facts = parse("{\"s\":{\"why\":\"because\"}}");
    json_object_object_add(json_get_object(facts, "s"), "all", json_object_new_string(large));
    char *text = entity_attributes_text(&discovery.entities[0], facts);
    assert_string_equal(text, "{\"why\":\"because\",\"shortened\":true}");
    free(text);
    assert_int_equal(strlen(json_get_string(json_get_object(facts, "s"), "all")), 20000);
    json_object_put(facts);
    text = entity_attributes_text(&discovery.entities[0], NULL);
    assert_string_equal(text, "{}");
    free(text);
    free(large);
    discovery_release(&discovery);
}

/* --- commands -------------------------------------------------------------------------------- */

enum { NOW_S = 1795436513 }; /* 2026-11-23T12:21:53Z */

static int try_command(const char *payload, unsigned flags, struct command *out, struct error *err)
{
    char *copy = xstrdup(payload);
    struct inbox_message message = {.payload = copy, .payload_len = strlen(copy), .flags = flags};
    int result = command_parse(out, &message, NOW_S * INT64_C(1000), 300000, err);
    free(copy);
    return result;
}

static void commands_are_read_or_refused(void **state)
{
    (void)state;
    struct command command;
    struct error err;
    assert_int_equal(try_command("{\"id\":\"1\",\"ts\":\"2026-11-23T13:20:53.5+01:00\","
                                 "\"value\":\"A\",\"by\":\"me\"}",
                                 0, &command, &err),
                     0);
    assert_string_equal(json_object_get_string(command.value), "A");
    assert_string_equal(command.by, "me");
    assert_int_equal(command.ts_ms, (NOW_S - 60) * INT64_C(1000) + 500);
    command_release(&command);
    assert_int_equal(try_command("{\"by\":null}", 0, &command, &err), 0);
    assert_string_equal(command.by, "mqtt");
    assert_null(command.value);
    assert_int_equal(command.ts_ms, NOW_S * INT64_C(1000));
    command_release(&command);

    static const struct {
        const char *payload;
        unsigned flags;
        const char *says;
    } bad[] = {
        {"{}", INBOX_RETAINED, "retained"},
        {"{}", INBOX_REPEATED, "received before"},
        {"", INBOX_TOO_LARGE, "expected at most 65536"},
        {"", INBOX_NOT_TEXT, "not JSON"},
        {"", 0, "not JSON"},
        {"ON", 0, "not JSON"},
        {"{\"id\":", 0, "not JSON"},
        {"\"ON\"", 0, "expected a JSON object"},
        {"{\"ts\":5}", 0, "its ts is 5"},
        {"{\"ts\":\"yesterday\"}", 0, "its ts is \"yesterday\""},
        {"{\"ts\":\"2026-11-23T12:16:52Z\"}", 0, "it is 301 s old, expected at most 300 s"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (try_command(bad[i].payload, bad[i].flags, &command, &err) == 0)
            fail_msg("obeyed: %s", bad[i].payload);
        if (strstr(err.message, bad[i].says) == NULL)
            fail_msg("'%s' does not say '%s'", err.message, bad[i].says);
    }
}

static void values_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *file, *value;
        int result;
    } cases[] = {
        {"switch.json", "\"ON\"", 0}, {"switch.json", "\"on\"", -1}, {"switch.json", "true", -1},
        {"switch.json", NULL, -1},    {"select.json", "\"A\"", 0},   {"select.json", "\"Z\"", -1},
        {"number.json", "5", 0},      {"number.json", "5.5", 0},     {"number.json", "11", -1},
        {"number.json", "\"5\"", -1}, {"button.json", NULL, 0},      {"button.json", "\"x\"", 0},
    };
    static const char *const files[][2] = {
        {"switch.json", "{\"platform\":\"switch\",\"name\":\"W\",\"icon\":\"mdi:x\","
                        "\"ha_ai\":{\"id\":\"w\",\"state\":\"a\",\"command\":\"c\"}}"},
        {"select.json", "{\"platform\":\"select\",\"name\":\"S\",\"icon\":\"mdi:x\","
                        "\"options\":[\"A\",\"B\"],"
                        "\"ha_ai\":{\"id\":\"s\",\"state\":\"a\",\"command\":\"c\"}}"},
        {"number.json", "{\"platform\":\"number\",\"name\":\"N\",\"icon\":\"mdi:x\",\"max\":10,"
                        "\"ha_ai\":{\"id\":\"n\",\"command\":\"c\"}}"},
        {"button.json", "{\"platform\":\"button\",\"name\":\"B\",\"icon\":\"mdi:x\","
                        "\"ha_ai\":{\"id\":\"b\",\"command\":\"c\"}}"},
    };
    struct discovery discovery;
    struct error err;
    for (size_t i = 0; i < 4; i++)
        write_file(files[i][0], files[i][1], strlen(files[i][1]));
    assert_int_equal(discovery_load(&discovery, folder, NULL, NULL, &err), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_object *value = cases[i].value ? json_tokener_parse(cases[i].value) : NULL;
        for (size_t j = 0; j < discovery.count; j++)
            if (strcmp(discovery.entities[j].file, cases[i].file) == 0 &&
                entity_check_value(&discovery.entities[j], value, NULL, &err) != cases[i].result)
                fail_msg("%s with %s", cases[i].file, cases[i].value);
        json_object_put(value);
    }
    discovery_release(&discovery);
    for (size_t i = 0; i < 4; i++)
        remove_file(files[i][0]);
}

/* Any cut or changed byte of a good file or command is accepted or refused, never more. */
static void damaged_input_is_survived(void **state)
{
    (void)state;
    const char *seed_text = getenv("SEED");
    unsigned seed = seed_text ? (unsigned)strtoul(seed_text, NULL, 10) : (unsigned)getpid();
    print_message("SEED=%u\n", seed);
    srand(seed);
    static const char order[] = "{\"id\":\"1\",\"ts\":\"2026-11-23T12:20:53Z\",\"value\":\"A\"}";
    for (int round = 0; round < 1500; round++) {
        char text[sizeof(select_text)];
        const char *from = round % 2 ? select_text : order;
        size_t len = strlen(from);
        memcpy(text, from, len);
        for (int i = 0; i < 3; i++)
            text[(size_t)rand() % len] = (char)(rand() % 255 + 1);
        text[(size_t)rand() % 4 == 0 ? (size_t)rand() % len : len] = '\0';
        struct error err = {0};
        if (round % 2) {
            struct discovery discovery;
            if (load_text(&discovery, text, &err) < 0)
                assert_true(err.message[0] != '\0');
            discovery_release(&discovery);
        } else {
            struct command command;
            if (try_command(text, 0, &command, &err) == 0)
                command_release(&command);
            else
                assert_true(err.message[0] != '\0');
        }
    }
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_files_say_what_is_wrong),
        cmocka_unit_test(good_files_load),
        cmocka_unit_test(ids_and_names_are_unique),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(a_component_is_complete),
        cmocka_unit_test(what_is_gone_is_removed),
        cmocka_unit_test(newer_platforms_wait_for_a_newer_release),
        cmocka_unit_test(refused_messages),
        cmocka_unit_test(states_are_what_ha_takes),
        cmocka_unit_test(attributes_stay_small),
        cmocka_unit_test(commands_are_read_or_refused),
        cmocka_unit_test(values_are_checked),
        cmocka_unit_test(damaged_input_is_survived),
    };
    return cmocka_run_group_tests(tests, scratch_make, remove_folder);
}
