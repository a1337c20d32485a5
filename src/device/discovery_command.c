/* print and check need no broker; announce asks the running service over the broker, as a client
 * of its own, and believes only an announcement that it sees. */
#include "device/discovery_command.h"

#include <getopt.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/options.h"
#include "core/uuid.h"
#include "core/xalloc.h"
#include "device/device.h"
#include "device/discovery.h"
#include "mqtt/topics.h"
#include "store/store.h"

/* The service may wait 5 s between two announcements. */
enum { CONNECT_TIMEOUT_MS = 10000, ANSWER_TIMEOUT_MS = 10000 };

static const char usage_text[] =
    "Usage: ha-ai discovery print|check|announce [--env-file FILE] [--ha-version VERSION]\n"
    "The device as Home Assistant gets it.\n\n"
    "  print     the message that is announced\n"
    "  check     the files of the folder against Home Assistant's rules: one line for each fault\n"
    "  announce  come back after the device was removed in Home Assistant\n\n"
    "  --env-file FILE       the configuration, as for `ha-ai run`\n"
    "  --ha-version VERSION  for that release, as 2026.11 (print; default 2025.4)\n";

/* --- print, check ---------------------------------------------------------------------------- */

static void print_problem(const struct error *problem, void *ctx)
{
    (void)ctx;
    fprintf(stderr, "ha-ai: %s\n", problem->message);
}

static int fail(const struct error *err)
{
    print_problem(err, NULL);
    return 1;
}

static int print_message(const struct options *options, const char *folder, int release)
{
    struct discovery discovery;
    struct error err;
    int result = discovery_load(&discovery, folder, NULL, NULL, &err);
    json_object *message = NULL;
    if (result == 0) {
        message = discovery_message(&discovery, options_string(options, OPTION_INSTANCE), NULL,
                                    NULL, release, NULL);
        result = discovery_check(message, release, &err);
    }
    if (result == 0)
        puts(json_object_to_json_string_ext(message, JSON_C_TO_STRING_PRETTY |
                                                         JSON_C_TO_STRING_SPACED |
                                                         JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(message);
    discovery_release(&discovery);
    return result < 0 ? fail(&err) : 0;
}

static void print_valid(json_object *message, int release)
{
    int entities = 0, triggers = 0;
    json_object_object_foreach(json_get_object(message, "components"), id, component)
    {
        (void)id;
        if (json_get_string(component, "unique_id") != NULL)
            entities++;
        else
            triggers++;
    }
    printf("Home Assistant %d.%d: %d entities, %d device triggers, %zu bytes, valid\n",
           release / 100, release % 100, entities, triggers, strlen(json_text(message)));
}

static int check_files(const struct options *options, const char *folder)
{
    static const int releases[] = {HA_OLDEST, HA_NEWEST};
    struct discovery discovery;
    struct error err;
    int result = discovery_load(&discovery, folder, print_problem, NULL, &err);
    for (size_t i = 0; i < 2 && result == 0; i++) {
        json_object *message = discovery_message(
            &discovery, options_string(options, OPTION_INSTANCE), NULL, NULL, releases[i], NULL);
        result = discovery_check(message, releases[i], &err);
        if (result < 0)
            print_problem(&err, NULL);
        else
            print_valid(message, releases[i]);
        json_object_put(message);
    }
    discovery_release(&discovery);
    return result < 0 ? 1 : 0;
}

/* --- announce -------------------------------------------------------------------------------- */

struct client {
    struct mosquitto *mosquitto;
    const char *config_topic;
    bool connected, subscribed, answered;
    int refused; /* CONNACK's code */
};

static void on_connect(struct mosquitto *mosquitto, void *ctx, int code, int flags,
                       const mosquitto_property *properties)
{
    struct client *client = ctx;
    (void)flags;
    (void)properties;
    client->refused = code;
    client->connected = code == 0;
    if (client->connected)
        mosquitto_subscribe(mosquitto, NULL, client->config_topic, 1);
}

static void on_subscribe(struct mosquitto *mosquitto, void *ctx, int mid, int count,
                         const int *granted)
{
    (void)mosquitto;
    (void)mid;
    struct client *client = ctx;
    client->subscribed = count == 1 && granted[0] <= 2;
}

/* A retained announcement is an old one: only what is sent now answers. */
static void on_message(struct mosquitto *mosquitto, void *ctx,
                       const struct mosquitto_message *message)
{
    (void)mosquitto;
    struct client *client = ctx;
    client->answered = client->answered || (!message->retain && message->payloadlen > 0);
}

/* Runs the client until *done, or for at most timeout_ms. */
static int wait_for(struct client *client, const bool *done, int64_t timeout_ms)
{
    int64_t end = clock_monotonic_ms() + timeout_ms;
    while (!*done && clock_monotonic_ms() < end && client->refused == 0)
        if (mosquitto_loop(client->mosquitto, 100, 1) != MOSQ_ERR_SUCCESS && client->refused == 0)
            return -1;
    return *done ? 0 : -1;
}

static int connect_client(struct client *client, const struct options *options, struct error *err)
{
    struct mosquitto *m = client->mosquitto;
    const char *host = options_string(options, OPTION_MQTT_BROKER);
    const char *ca_file = options_string(options, OPTION_MQTT_CA_FILE);
    int port = (int)options_int(options, OPTION_MQTT_PORT);
    if (host == NULL)
        return error_set(err, ERROR_INVALID, "MQTT_BROKER is not set");
    mosquitto_int_option(m, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_username_pw_set(m, options_string(options, OPTION_MQTT_USERNAME),
                              options_string(options, OPTION_MQTT_PASSWORD));
    if (ca_file != NULL)
        mosquitto_tls_set(m, ca_file, NULL, NULL, NULL, NULL);
    else if (strcmp(options_string(options, OPTION_MQTT_TLS), "on") == 0)
        mosquitto_int_option(m, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
    mosquitto_connect_v5_callback_set(m, on_connect);
    mosquitto_subscribe_callback_set(m, on_subscribe);
    mosquitto_message_callback_set(m, on_message);
    int code = mosquitto_connect(m, host, port, 30);
    if (code == MOSQ_ERR_SUCCESS && wait_for(client, &client->subscribed, CONNECT_TIMEOUT_MS) == 0)
        return 0;
    const char *why = client->refused ? mosquitto_reason_string(client->refused)
                      : code          ? mosquitto_strerror(code)
                                      : "no answer";
    return error_set(err, ERROR_IO, "the broker %s:%d: %s", host, port, why);
}

/* The command to the running service; 0 when it has announced. */
static int ask_service(struct client *client, const struct options *options, struct error *err)
{
    if (connect_client(client, options, err) < 0)
        return -1;
    char id[UUID_SIZE], now[CLOCK_RFC3339_SIZE];
    uuid_v7(id);
    clock_format_rfc3339(now, clock_wall_ms());
    char *payload = xasprintf("{\"id\":\"%s\",\"ts\":\"%s\",\"by\":\"command line\"}", id, now);
    char *topic = topics_announce(options_string(options, OPTION_INSTANCE));
    /* A service that is off must not find it later: the flag in the store is for that. */
    mosquitto_property *properties = NULL;
    mosquitto_property_add_int32(&properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
                                 ANSWER_TIMEOUT_MS / 1000);
    int code = mosquitto_publish_v5(client->mosquitto, NULL, topic, (int)strlen(payload), payload,
                                    1, false, properties);
    mosquitto_property_free_all(&properties);
    free(payload);
    free(topic);
    if (code != MOSQ_ERR_SUCCESS)
        return error_set(err, ERROR_IO, "publish: %s", mosquitto_strerror(code));
    if (wait_for(client, &client->answered, ANSWER_TIMEOUT_MS) < 0)
        return error_set(err, ERROR_NOT_FOUND, "no service announced itself within %d s",
                         ANSWER_TIMEOUT_MS / 1000);
    mosquitto_disconnect(client->mosquitto);
    return 0;
}

/* 1 = the flag was there and is gone, 0 = there was none. */
static int clear_removed(const struct options *options, struct error *err)
{
    char *path = app_database_path(options);
    struct store *store = access(path, F_OK) == 0 ? store_open(path, err) : NULL;
    int result = 0;
    if (store != NULL) {
        char *removed = store_get(store, DEVICE_KEY_REMOVED);
        result = removed == NULL                                        ? 0
                 : store_set(store, DEVICE_KEY_REMOVED, NULL, err) == 0 ? 1
                                                                        : -1;
        free(removed);
        store_close(store);
    }
    free(path);
    return result;
}

static int announce(const struct options *options)
{
    struct error err = {0};
    char *config_topic = topics_discovery(options_string(options, OPTION_DISCOVERY_PREFIX),
                                          options_string(options, OPTION_INSTANCE));
    struct client client = {.config_topic = config_topic};
    mosquitto_lib_init();
    client.mosquitto = mosquitto_new(NULL, true, &client);
    if (client.mosquitto == NULL)
        abort();
    int result = ask_service(&client, options, &err);
    mosquitto_destroy(client.mosquitto);
    mosquitto_lib_cleanup();
    free(config_topic);
    if (result == 0) {
        puts("announced");
        return 0;
    }
    struct error why = err;
    if (clear_removed(options, &err) == 1) {
        printf("%s; it will announce itself when it starts\n", why.message);
        return 0;
    }
    return fail(&why);
}

/* --- the command ----------------------------------------------------------------------------- */

struct arguments {
    const char *env_file, *ha_version;
};

static int run(const char *verb, const struct arguments *arguments)
{
    struct options options;
    struct error err;
    if (options_load(&options, arguments->env_file, &err) < 0) {
        fail(&err);
        return 2;
    }
    char *folder = discovery_folder(&options);
    int result = 2;
    if (strcmp(verb, "print") == 0)
        result = print_message(&options, folder, ha_rules_release(arguments->ha_version));
    else if (strcmp(verb, "check") == 0)
        result = check_files(&options, folder);
    else
        result = announce(&options);
    free(folder);
    options_release(&options);
    return result;
}

int discovery_main(int argc, char **argv)
{
    static const struct option long_options[] = {{"env-file", required_argument, NULL, 'e'},
                                                 {"ha-version", required_argument, NULL, 'v'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    struct arguments arguments = {.env_file = NULL};
    int c;
    while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (c == 'h') {
            fputs(usage_text, stdout);
            return 0;
        }
        if (c == 'e')
            arguments.env_file = optarg;
        else if (c == 'v')
            arguments.ha_version = optarg;
        else
            return 2; /* getopt has said why */
    }
    const char *verb = optind + 1 == argc ? argv[optind] : "";
    if (strcmp(verb, "print") != 0 && strcmp(verb, "check") != 0 && strcmp(verb, "announce") != 0) {
        fputs(usage_text, stderr);
        return 2;
    }
    return run(verb, &arguments);
}
