/* The face with an app, a broker and a clock of the test: what is announced when, what is
 * published, what happens to commands and removals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/xalloc.h"

static int64_t now_ms; /* the test's clock */
static int64_t fake_monotonic_ms(void)
{
    return now_ms;
}
#define clock_monotonic_ms fake_monotonic_ms
#include "device/device.c"
#undef clock_monotonic_ms

/* --- the loop: timers that the test fires ---------------------------------------------------- */

static struct {
    int id;
    int64_t at_ms;
    loop_timer_fn fn;
    void *ctx;
} timers[16];
static int last_timer;

int loop_add_timer(struct loop *loop, int64_t delay_ms, loop_timer_fn fn, void *ctx)
{
    (void)loop;
    for (size_t i = 0; i < 16; i++)
        if (timers[i].id == 0) {
            timers[i].id = ++last_timer;
            timers[i].at_ms = now_ms + delay_ms;
            timers[i].fn = fn;
            timers[i].ctx = ctx;
            return timers[i].id;
        }
    fail_msg("too many timers");
    return 0;
}

void loop_remove_timer(struct loop *loop, int id)
{
    (void)loop;
    for (size_t i = 0; i < 16 && id != 0; i++)
        if (timers[i].id == id)
            timers[i].id = 0;
}

static void advance(int64_t ms)
{
    int64_t end = now_ms + ms;
    for (;;) {
        size_t next = 16;
        for (size_t i = 0; i < 16; i++)
            if (timers[i].id != 0 && timers[i].at_ms <= end &&
                (next == 16 || timers[i].at_ms < timers[next].at_ms))
                next = i;
        if (next == 16)
            break;
        now_ms = timers[next].at_ms > now_ms ? timers[next].at_ms : now_ms;
        int id = timers[next].id;
        int64_t again = timers[next].fn(timers[next].ctx);
        if (timers[next].id == id) {
            timers[next].at_ms = now_ms + again;
            if (again == LOOP_TIMER_STOP)
                timers[next].id = 0;
        }
    }
    now_ms = end;
}

/* --- the broker ------------------------------------------------------------------------------ */

enum { RETAINED_MAX = 64, HISTORY_MAX = 4096 };

static struct {
    char *topic, *payload;
} retained[RETAINED_MAX];
static size_t retained_count;
static struct {
    int64_t at_ms;
    json_object *options; /* of the select "pick" */
} configs[HISTORY_MAX];
static size_t config_count, state_count, republished;
static char republished_topic[128];

static const char config_topic[] = "homeassistant/device/ha_ai/config";
static const char pick_topic[] = "ha-ai/device/ha_ai/pick/state";

static const char *broker_get(const char *topic)
{
    for (size_t i = 0; i < retained_count; i++)
        if (strcmp(retained[i].topic, topic) == 0)
            return retained[i].payload;
    return NULL;
}

static void broker_put(const char *topic, const char *payload)
{
    size_t i = 0;
    while (i < retained_count && strcmp(retained[i].topic, topic) != 0)
        i++;
    assert_true(i < RETAINED_MAX);
    if (i == retained_count)
        retained[retained_count++].topic = xstrdup(topic);
    char *copy = payload != NULL ? xstrdup(payload) : NULL;
    free(retained[i].payload);
    retained[i].payload = copy;
}

static json_object *options_of(const char *config)
{
    json_object *message = config != NULL ? json_tokener_parse(config) : NULL;
    json_object *options = json_object_get(json_at(message, "components.pick.options"));
    json_object_put(message);
    return options;
}

static bool has_text(json_object *options, const char *text)
{
    json_object *item = json_object_new_string(text);
    bool has = entity_has_option(options, item);
    json_object_put(item);
    return has;
}

/* HA may still have any configuration of the last second, and has the retained one at its next
 * start: the state must be an option of all of them. */
static void check_select(void)
{
    const char *state = broker_get(pick_topic), *config = broker_get(config_topic);
    if (state == NULL || config == NULL)
        return;
    json_object *options = options_of(config);
    if (!has_text(options, state))
        fail_msg("retained state '%s' is not in %s", state, json_text(options));
    json_object_put(options);
}

static void check_select_with_past(const char *state)
{
    for (size_t i = config_count; i-- > 0;) {
        bool newest = i + 1 == config_count;
        if (!newest && configs[i + 1].at_ms + SETTLE_MS <= now_ms)
            break;
        if (!has_text(configs[i].options, state))
            fail_msg("HA may complain: '%s' is not in %s", state, json_text(configs[i].options));
    }
}

void mqtt_set_state(struct mqtt *mqtt, const char *topic, const char *payload, size_t len)
{
    (void)mqtt;
    assert_true(payload == NULL || strlen(payload) == len);
    if (strcmp(topic, config_topic) == 0) {
        assert_true(config_count < HISTORY_MAX);
        if (config_count > 0)
            assert_true(now_ms - configs[config_count - 1].at_ms >= ANNOUNCE_GAP_MS);
        configs[config_count].at_ms = now_ms;
        configs[config_count++].options = options_of(payload);
    } else {
        state_count++;
        if (strcmp(topic, pick_topic) == 0 && payload != NULL)
            check_select_with_past(payload);
    }
    broker_put(topic, payload);
    check_select();
}

void mqtt_republish_states(struct mqtt *mqtt, const char *topic_prefix)
{
    (void)mqtt;
    republished++;
    snprintf(republished_topic, sizeof(republished_topic), "%s", topic_prefix);
}

void mqtt_forget_state(struct mqtt *mqtt, const char *topic)
{
    (void)mqtt;
    (void)topic;
}

bool mqtt_is_connected(const struct mqtt *mqtt)
{
    (void)mqtt;
    return true;
}

static char topics[256];
void mqtt_add_topic(struct mqtt *mqtt, const char *topic, unsigned flags)
{
    (void)mqtt;
    size_t len = strlen(topics);
    snprintf(topics + len, sizeof(topics) - len, "%s%s\n", topic, flags & MQTT_OWN ? " own" : "");
}

/* --- the store: a few settings --------------------------------------------------------------- */

static struct {
    char *key, *value;
} settings[4];

char *store_get(struct store *store, const char *key)
{
    (void)store;
    for (size_t i = 0; i < 4; i++)
        if (settings[i].key != NULL && strcmp(settings[i].key, key) == 0)
            return settings[i].value != NULL ? xstrdup(settings[i].value) : NULL;
    return NULL;
}

int store_set(struct store *store, const char *key, const char *value, struct error *err)
{
    (void)store;
    (void)err;
    size_t i = 0;
    while (settings[i].key != NULL && strcmp(settings[i].key, key) != 0)
        i++;
    if (settings[i].key == NULL)
        settings[i].key = xstrdup(key);
    free(settings[i].value);
    settings[i].value = value != NULL ? xstrdup(value) : NULL;
    return 0;
}

/* --- the app --------------------------------------------------------------------------------- */

static struct options options;
static json_object *facts;
static char commands[512], events[1024];

struct loop *app_loop(struct app *app)
{
    (void)app;
    return NULL;
}
struct store *app_store(struct app *app)
{
    (void)app;
    return NULL;
}
struct mqtt *app_mqtt(struct app *app)
{
    (void)app;
    return NULL;
}
const struct options *app_options(struct app *app)
{
    (void)app;
    return &options;
}
json_object *app_facts(struct app *app)
{
    (void)app;
    return facts;
}
int64_t app_ha_now_ms(struct app *app)
{
    (void)app;
    return INT64_C(1795436513000); /* 2026-11-23T12:21:53Z */
}
int app_command(struct app *app, const char *command, json_object *arguments, const char *who,
                struct error *err)
{
    (void)app;
    size_t len = strlen(commands);
    json_object *value = json_object_object_get(arguments, "value");
    snprintf(commands + len, sizeof(commands) - len, "%s %s %s\n", command,
             value != NULL ? json_object_get_string(value) : "-", who);
    if (strcmp(command, "approve") == 0)
        return error_set(err, ERROR_INVALID, "nothing to approve");
    return 0;
}
void app_selection_shown(struct app *app, const char *title)
{
    (void)app, (void)title;
}

void app_refuse(struct app *app, const char *command, const char *who, const char *reason)
{
    (void)app;
    size_t len = strlen(events);
    snprintf(events + len, sizeof(events) - len, "%s of %s refused: %s\n", command,
             who != NULL ? who : "-", reason);
}

/* --- a run ----------------------------------------------------------------------------------- */

static char folder[] = "/tmp/ha-ai-face-XXXXXX";
static const char *const files[][2] = {
    {"pick.json", "{\"platform\":\"select\",\"name\":\"Pick\",\"icon\":\"mdi:x\",\"ha_ai\":{"
                  "\"id\":\"pick\",\"state\":\"s.now\",\"options\":\"s.all\","
                  "\"attributes\":\"s.why\",\"command\":\"select\"}}"},
    {"approve.json", "{\"platform\":\"button\",\"name\":\"Approve\",\"icon\":\"mdi:x\","
                     "\"ha_ai\":{\"id\":\"approve\",\"command\":\"approve\"}}"},
    {"suggestion.json", "{\"platform\":\"event\",\"name\":\"Suggestion\",\"icon\":\"mdi:x\","
                        "\"event_types\":[\"refused\"],\"ha_ai\":{\"id\":\"suggestion\"}}"},
};

static void *device;

static void set_facts(const char *text)
{
    json_object_put(facts);
    facts = json_tokener_parse(text);
    assert_non_null(facts);
    if (device != NULL)
        device_face.changed(device, APP_CHANGED_FACTS);
}

static void start_device(void)
{
    struct error err;
    topics[0] = '\0';
    device = device_face.start(NULL, &err);
    assert_non_null(device);
    device_face.changed(device, APP_CHANGED_FACTS);
    device_face.changed(device, APP_CHANGED_CONNECTED);
}

static void stop_device(void)
{
    device_face.stop(device);
    device = NULL;
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(timers[i].id, 0);
}

static void send_message(const char *topic, const char *payload, unsigned flags)
{
    struct inbox_message message = {.topic = xstrdup(topic),
                                    .payload = xstrdup(payload),
                                    .payload_len = strlen(payload),
                                    .flags = flags};
    assert_true(device_face.message(device, &message));
    free(message.topic);
    free(message.payload);
}

static int set_up(void **state)
{
    (void)state;
    struct error err;
    now_ms = 1000000;
    set_facts("{\"s\":{\"now\":\"A\",\"all\":[\"A\",\"B\"],\"why\":{}}}");
    commands[0] = events[0] = '\0';
    state_count = republished = 0;
    if (options_load(&options, NULL, &err) < 0)
        return -1;
    free(options.value[OPTION_DISCOVERY_DIR]);
    options.value[OPTION_DISCOVERY_DIR] = xstrdup(folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (device != NULL)
        stop_device();
    for (size_t i = 0; i < retained_count; i++) {
        free(retained[i].topic);
        free(retained[i].payload);
        retained[i].topic = retained[i].payload = NULL;
    }
    for (size_t i = 0; i < config_count; i++)
        json_object_put(configs[i].options);
    retained_count = config_count = 0;
    for (size_t i = 0; i < 4; i++) {
        free(settings[i].key);
        free(settings[i].value);
        settings[i].key = settings[i].value = NULL;
    }
    json_object_put(facts);
    facts = NULL;
    options_release(&options);
    return 0;
}

static void announces_once_and_states_once(void **state)
{
    (void)state;
    start_device();
    assert_int_equal(config_count, 1);
    assert_string_equal(broker_get(pick_topic), "A");
    assert_string_equal(broker_get("ha-ai/device/ha_ai/pick/attributes"), "{}");
    size_t before = state_count;
    set_facts("{\"s\":{\"now\":\"A\",\"all\":[\"A\",\"B\"],\"why\":{}},\"other\":1}");
    advance(60000);
    assert_int_equal(config_count, 1);
    assert_int_equal(state_count, before);
    assert_non_null(strstr(topics, "homeassistant/device/ha_ai/config own\n"));
    assert_non_null(strstr(topics, "ha-ai/device/ha_ai/pick/set\n"));
    assert_non_null(strstr(topics, "homeassistant/status\n"));
}

static void a_change_waits_for_ha(void **state)
{
    (void)state;
    start_device();
    set_facts("{\"s\":{\"now\":\"C\",\"all\":[\"C\"],\"why\":{}}}");
    assert_string_equal(broker_get(pick_topic), "A"); /* HA does not know C yet */
    advance(ANNOUNCE_GAP_MS);
    assert_int_equal(config_count, 2);
    assert_string_equal(json_text(configs[1].options), "[\"C\",\"A\"]");
    assert_string_equal(broker_get(pick_topic), "A");
    advance(SETTLE_MS);
    assert_string_equal(broker_get(pick_topic), "C");
    advance(ANNOUNCE_GAP_MS);
    assert_string_equal(json_text(configs[2].options), "[\"C\"]");
    advance(60000);
    assert_int_equal(config_count, 3);
}

static void any_course_of_events_is_consistent(void **state)
{
    (void)state;
    const char *seed_text = getenv("SEED");
    unsigned seed = seed_text ? (unsigned)strtoul(seed_text, NULL, 10) : (unsigned)getpid();
    print_message("SEED=%u\n", seed);
    srand(seed);
    start_device();
    for (int round = 0; round < 2000; round++) {
        char all[200] = "", text[400];
        int chosen = -1;
        for (int i = 0; i < 6; i++)
            if (rand() % 3 == 0) {
                size_t len = strlen(all);
                snprintf(all + len, sizeof(all) - len, "%s\"T%d\"", len ? "," : "", i);
                if (chosen < 0 || rand() % 2)
                    chosen = i;
            }
        if (chosen < 0)
            snprintf(text, sizeof(text), "{\"s\":{\"now\":\"–\",\"all\":[\"–\"]}}");
        else
            snprintf(text, sizeof(text), "{\"s\":{\"now\":\"T%d\",\"all\":[%s]}}", chosen, all);
        set_facts(text);
        advance(rand() % 4 ? rand() % 1500 : rand() % 20000);
        if (rand() % 20 == 0) { /* the service restarts; HA and the broker keep what they have */
            stop_device();
            advance(ANNOUNCE_GAP_MS);
            start_device();
        }
    }
    advance(30000); /* at rest, HA shows exactly the facts */
    json_object *last =
        entity_options(discovery_find(&((struct device *)device)->discovery, "pick"), facts, NULL);
    assert_true(json_object_equal(configs[config_count - 1].options, last));
    json_object_put(last);
    assert_string_equal(broker_get(pick_topic), json_get_string(json_at(facts, "s"), "now"));
}

static void commands_reach_the_app_or_are_refused(void **state)
{
    (void)state;
    start_device();
    const char *pick = "ha-ai/device/ha_ai/pick/set", *approve = "ha-ai/device/ha_ai/approve/set";
    send_message(pick, "{\"id\":\"1\",\"value\":\"B\"}", 0);
    assert_string_equal(commands, "select B mqtt\n");
    assert_string_equal(events, "");
    commands[0] = '\0';

    send_message(pick, "{\"id\":\"2\",\"value\":\"Z\"}", 0);
    assert_non_null(strstr(events, "Pick of mqtt refused: there is no 'Z' to choose"));
    assert_int_equal(republished, 1); /* HA's page snaps back */
    send_message(pick, "{\"value\":\"B\"}", INBOX_RETAINED);
    send_message(pick, "{\"value\":\"B\"}", INBOX_REPEATED);
    send_message(pick, "{\"value\":\"B\",\"ts\":\"2026-11-23T12:00:00Z\"}", 0);
    send_message(approve, "PRESS", 0);
    assert_string_equal(commands, "");
    assert_non_null(strstr(events, "retained"));
    assert_non_null(strstr(events, "received before"));
    assert_non_null(strstr(events, "1313 s old"));
    assert_non_null(strstr(events, "not JSON"));
    events[0] = '\0';
    send_message(approve, "{\"by\":\"anna\"}", 0);
    assert_string_equal(commands, "approve - anna\n");
    assert_string_equal(events, "Approve of anna refused: nothing to approve\n");
}

static void birth_is_answered_late_and_once(void **state)
{
    (void)state;
    start_device();
    advance(60000);
    send_message("homeassistant/status", "offline", 0);
    advance(BIRTH_MAX_MS + 1);
    assert_int_equal(republished, 0);
    send_message("homeassistant/status", "online", 0);
    send_message("homeassistant/status", "online", 0);
    advance(BIRTH_MIN_MS - 1);
    assert_int_equal(republished, 0);
    advance(BIRTH_MAX_MS);
    assert_int_equal(republished, 2); /* the message, and all states */
    send_message("homeassistant/status", "online", 0);
    advance(BIRTH_MAX_MS);
    assert_true(republished == 2 || republished == 4);
    advance(ANNOUNCE_GAP_MS);
    assert_int_equal(republished, 4);
}

static void a_removal_is_respected_until_asked_back(void **state)
{
    (void)state;
    start_device();
    broker_put(config_topic, NULL);
    send_message(config_topic, "", 0);
    set_facts("{\"s\":{\"now\":\"B\",\"all\":[\"B\"]}}");
    send_message("homeassistant/status", "online", 0);
    advance(60000);
    assert_int_equal(config_count, 1);
    assert_null(broker_get(config_topic));
    assert_null(broker_get(pick_topic));
    assert_null(broker_get("ha-ai/device/ha_ai/pick/attributes"));

    stop_device(); /* and over a restart */
    start_device();
    advance(60000);
    assert_int_equal(config_count, 1);

    send_message("ha-ai/device/ha_ai/announce/set", "{\"ts\":\"2026-11-23T12:00:00Z\"}", 0);
    advance(60000);
    assert_int_equal(config_count, 1);
    send_message("ha-ai/device/ha_ai/announce/set", "{}", 0);
    advance(0);
    assert_int_equal(config_count, 2);
    assert_non_null(broker_get(config_topic));
    assert_string_equal(broker_get(pick_topic), "B");
    stop_device();
    advance(ANNOUNCE_GAP_MS);
    start_device();
    assert_int_equal(((struct device *)device)->removed, false);
}

/* Our own announcement, echoed by a broker of MQTT 3.1.1, is nobody else's. */
static void own_announcements_are_no_removal(void **state)
{
    (void)state;
    start_device();
    send_message(config_topic, broker_get(config_topic), 0);
    send_message(config_topic, "{\"somebody\":\"else\"}", 0);
    assert_false(((struct device *)device)->removed);
    assert_string_equal(broker_get(pick_topic), "A");
}

/* The very first announcement waits a second for HA's language, no later one does. */
static void the_first_announcement_knows_the_language(void **state)
{
    (void)state;
    set_facts("{\"ha\":{\"configured\":true},\"s\":{\"now\":\"a\",\"all\":[\"a\"]}}");
    start_device();
    assert_null(broker_get(config_topic));
    assert_null(broker_get(pick_topic)); /* configuration before state */
    advance(LANGUAGE_MS - 1);
    assert_null(broker_get(config_topic));
    set_facts("{\"ha\":{\"configured\":true,\"language\":\"de\"},"
              "\"s\":{\"now\":\"a\",\"all\":[\"a\"]}}");
    assert_non_null(broker_get(config_topic));

    stop_device();
    advance(ANNOUNCE_GAP_MS);
    store_set(NULL, DEVICE_KEY_ANNOUNCED, NULL, NULL);
    broker_put(config_topic, NULL);
    set_facts("{\"ha\":{\"configured\":true},\"s\":{\"now\":\"a\",\"all\":[\"a\"]}}");
    start_device();
    advance(LANGUAGE_MS); /* HA says nothing: English */
    assert_non_null(broker_get(config_topic));
}

/* HA would drop a state that does not change. */
static void what_expires_is_kept_fresh(void **state)
{
    (void)state;
    set_facts("{\"s\":{\"now\":\"a\",\"all\":[\"a\"]}}");
    char *path = xasprintf("%s/%s", folder, "fresh.json");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("{\"platform\":\"sensor\",\"name\":\"Fresh\",\"icon\":\"mdi:x\",\"expire_after\":300,"
          "\"ha_ai\":{\"id\":\"fresh\",\"state\":\"s.now\"}}",
          file);
    fclose(file);
    start_device();
    republished = 0;
    advance(300 * 1000 - 1);
    assert_int_equal(republished, 2);
    assert_string_equal(republished_topic, "ha-ai/device/ha_ai/fresh/state");
    unlink(path);
    free(path);
}

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char *path = xasprintf("%s/%s", folder, files[i][0]);
        FILE *file = fopen(path, "w");
        free(path);
        if (file == NULL)
            return -1;
        fputs(files[i][1], file);
        fclose(file);
    }
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char *path = xasprintf("%s/%s", folder, files[i][0]);
        unlink(path);
        free(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(announces_once_and_states_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_change_waits_for_ha, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_course_of_events_is_consistent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(commands_reach_the_app_or_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(birth_is_answered_late_and_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_removal_is_respected_until_asked_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(own_announcements_are_no_removal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_first_announcement_knows_the_language, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_expires_is_kept_fresh, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
