#include "device/ask.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/uuid.h"

struct client {
    struct mosquitto *mosquitto;
    const struct ask *ask;
    bool connected, subscribed, asked, answered;
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
        mosquitto_subscribe(mosquitto, NULL, client->ask->answer_topic, 1);
}

static void on_subscribe(struct mosquitto *mosquitto, void *ctx, int mid, int count,
                         const int *granted)
{
    (void)mosquitto;
    (void)mid;
    struct client *client = ctx;
    client->subscribed = count == 1 && granted[0] <= 2;
}

static void on_message(struct mosquitto *mosquitto, void *ctx,
                       const struct mosquitto_message *message)
{
    (void)mosquitto;
    struct client *client = ctx;
    const struct ask *ask = client->ask;
    size_t len = (size_t)message->payloadlen;
    if (message->retain || len == 0 || !client->asked)
        return;
    client->answered = client->answered || ask->is_answer == NULL ||
                       ask->is_answer(message->payload, len, ask->ctx);
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
    if (code == MOSQ_ERR_SUCCESS && wait_for(client, &client->subscribed, ASK_CONNECT_MS) == 0)
        return 0;
    const char *why = client->refused ? mosquitto_reason_string(client->refused)
                      : code          ? mosquitto_strerror(code)
                                      : "no answer";
    return error_set(err, ERROR_IO, "the broker %s:%d: %s", host, port, why);
}

static int publish(struct client *client, struct error *err)
{
    char id[UUID_SIZE], now[CLOCK_RFC3339_SIZE];
    json_object *body = client->ask->body;
    uuid_v7(id);
    clock_format_rfc3339(now, clock_wall_ms());
    json_add_string(body, "id", id);
    json_add_string(body, "ts", now);
    json_add_string(body, "by", ASK_BY);
    const char *text = json_text(body);
    mosquitto_property *properties = NULL;
    mosquitto_property_add_int32(&properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
                                 ASK_ANSWER_MS / 1000);
    client->asked = true;
    int code = mosquitto_publish_v5(client->mosquitto, NULL, client->ask->topic, (int)strlen(text),
                                    text, 1, false, properties);
    mosquitto_property_free_all(&properties);
    return code == MOSQ_ERR_SUCCESS
               ? 0
               : error_set(err, ERROR_IO, "publish: %s", mosquitto_strerror(code));
}

static int ask_connected(struct client *client, const struct options *options, struct error *err)
{
    if (connect_client(client, options, err) < 0 || publish(client, err) < 0)
        return -1;
    if (wait_for(client, &client->answered, ASK_ANSWER_MS) < 0)
        return error_set(err, ERROR_NOT_FOUND, "no service answered within %d s",
                         ASK_ANSWER_MS / 1000);
    mosquitto_disconnect(client->mosquitto);
    return 0;
}

int ask_service(const struct ask *ask, const struct options *options, struct error *err)
{
    struct client client = {.ask = ask};
    mosquitto_lib_init();
    client.mosquitto = mosquitto_new(NULL, true, &client);
    if (client.mosquitto == NULL)
        abort();
    int result = ask_connected(&client, options, err);
    mosquitto_destroy(client.mosquitto);
    mosquitto_lib_cleanup();
    return result;
}
