/* The broker as `ha-ai check` tries it, with a client id and session of its own: the running
 * service stays connected. Blocking, on the part's thread. */
#include <errno.h>
#include <fcntl.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/check_job.h"
#include "core/clock.h"
#include "core/uuid.h"
#include "core/xalloc.h"

enum {
    TCP_TIMEOUT_MS = 3000,
    STEP_TIMEOUT_MS = 4000, /* for each answer of the broker */
    KEEPALIVE_S = 30,
    MESSAGE_TTL_S = 60,
};

static const char TOPIC[] = "ha-ai/test";

struct session {
    const struct options *options;
    struct mosquitto *instance;
    int protocol;                 /* MQTT_PROTOCOL_V5, or V311 for a broker that knows no other */
    int connack, granted, puback; /* -1 = not yet */
    bool received;
    char payload[256];
    char library_error[160];
};

/* --- TCP --- */

static int connect_address(const struct addrinfo *address)
{
    int result = ECONNREFUSED;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0) {
        result = 0;
    } else if (errno != EINPROGRESS) {
        result = errno;
    } else {
        struct pollfd poller = {.fd = fd, .events = POLLOUT};
        socklen_t size = sizeof(result);
        if (poll(&poller, 1, TCP_TIMEOUT_MS) != 1)
            result = ETIMEDOUT;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &size) != 0)
            result = errno;
    }
    close(fd);
    return result;
}

static bool check_tcp(struct check_job *job, const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int rc = getaddrinfo(host, port, &hints, &list);
    if (rc != 0) {
        check_add(job, "broker", CHECK_FAILED,
                  "the name '%s' cannot be resolved (%s): is MQTT_BROKER right?", host,
                  gai_strerror(rc));
        return false;
    }
    int why = ECONNREFUSED;
    for (const struct addrinfo *at = list; at != NULL && why != 0; at = at->ai_next)
        why = connect_address(at);
    freeaddrinfo(list);
    if (why == 0)
        check_add(job, "broker", CHECK_OK, "%s port %s accepts connections", host, port);
    else
        check_add(job, "broker", CHECK_FAILED,
                  "%s port %s: %s (are MQTT_BROKER and MQTT_PORT right, does it run and listen on "
                  "the network?)",
                  host, port, strerror(why));
    return why == 0;
}

/* --- the library's call-backs, inside mosquitto_loop --- */

static void on_connect(struct mosquitto *instance, void *ctx, int reason, int flags,
                       const mosquitto_property *properties)
{
    struct session *s = ctx;
    (void)instance, (void)flags, (void)properties;
    s->connack = reason;
}

static void on_subscribe(struct mosquitto *instance, void *ctx, int mid, int count,
                         const int *granted, const mosquitto_property *properties)
{
    struct session *s = ctx;
    (void)instance, (void)mid, (void)properties;
    s->granted = count > 0 ? granted[0] : MQTT_RC_UNSPECIFIED;
}

static void on_publish(struct mosquitto *instance, void *ctx, int mid, int reason,
                       const mosquitto_property *properties)
{
    struct session *s = ctx;
    (void)instance, (void)mid, (void)properties;
    s->puback = reason;
}

static void on_message(struct mosquitto *instance, void *ctx,
                       const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
    struct session *s = ctx;
    (void)instance, (void)properties;
    if (strcmp(message->topic, TOPIC) == 0 && (size_t)message->payloadlen == strlen(s->payload) &&
        memcmp(message->payload, s->payload, strlen(s->payload)) == 0)
        s->received = true;
}

static void on_log(struct mosquitto *instance, void *ctx, int level, const char *text)
{
    struct session *s = ctx;
    (void)instance;
    if (level == MOSQ_LOG_ERR || level == MOSQ_LOG_WARNING)
        snprintf(s->library_error, sizeof(s->library_error), "%s", text);
}

/* --- login --- */

static bool wants_tls(const struct options *options)
{
    const char *tls = options_string(options, OPTION_MQTT_TLS);
    return options_string(options, OPTION_MQTT_CA_FILE) != NULL ||
           (tls != NULL && strcmp(tls, "on") == 0);
}

static int set_up(struct session *s)
{
    const struct options *o = s->options;
    const char *ca_file = options_string(o, OPTION_MQTT_CA_FILE);
    mosquitto_connect_v5_callback_set(s->instance, on_connect);
    mosquitto_subscribe_v5_callback_set(s->instance, on_subscribe);
    mosquitto_publish_v5_callback_set(s->instance, on_publish);
    mosquitto_message_v5_callback_set(s->instance, on_message);
    mosquitto_log_callback_set(s->instance, on_log);
    int rc = mosquitto_int_option(s->instance, MOSQ_OPT_PROTOCOL_VERSION, s->protocol);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_username_pw_set(s->instance, options_string(o, OPTION_MQTT_USERNAME),
                                       options_string(o, OPTION_MQTT_PASSWORD));
    if (rc == MOSQ_ERR_SUCCESS && wants_tls(o))
        rc = mosquitto_tls_opts_set(s->instance, 1, NULL, NULL);
    if (rc == MOSQ_ERR_SUCCESS && wants_tls(o))
        rc = ca_file != NULL ? mosquitto_tls_set(s->instance, ca_file, NULL, NULL, NULL, NULL)
                             : mosquitto_int_option(s->instance, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
    return rc;
}

/* Until *value is no longer -1, or the connection or the time ends. */
static int drive(struct session *s, const int *value, const bool *flag)
{
    int rc = MOSQ_ERR_SUCCESS;
    int64_t until_ms = clock_monotonic_ms() + STEP_TIMEOUT_MS;
    while (rc == MOSQ_ERR_SUCCESS && *value == -1 && !(flag != NULL && *flag) &&
           clock_monotonic_ms() < until_ms)
        rc = mosquitto_loop(s->instance, 50, 1);
    return rc;
}

static int log_in(struct session *s, const char *client_id)
{
    s->connack = -1;
    s->library_error[0] = '\0';
    s->instance = mosquitto_new(client_id, true, s);
    if (s->instance == NULL)
        return MOSQ_ERR_INVAL;
    int rc = set_up(s);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_connect_bind_v5(s->instance, options_string(s->options, OPTION_MQTT_BROKER),
                                       (int)options_int(s->options, OPTION_MQTT_PORT), KEEPALIVE_S,
                                       NULL, NULL);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = drive(s, &s->connack, NULL);
    return s->connack >= 0 ? MOSQ_ERR_SUCCESS : rc;
}

static int log_in_by_either_protocol(struct session *s)
{
    char *client_id = xasprintf("%s-check", options_string(s->options, OPTION_INSTANCE));
    s->protocol = MQTT_PROTOCOL_V5;
    int rc = log_in(s, client_id);
    if (s->connack == MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION ||
        s->connack == CONNACK_REFUSED_PROTOCOL_VERSION) {
        mosquitto_destroy(s->instance);
        s->protocol = MQTT_PROTOCOL_V311;
        rc = log_in(s, client_id);
    }
    free(client_id);
    return rc;
}

static void tell_refusal(struct check_job *job, const struct session *s)
{
    const char *user = options_string(s->options, OPTION_MQTT_USERNAME);
    bool credentials = s->connack == CONNACK_REFUSED_BAD_USERNAME_PASSWORD ||
                       s->connack == CONNACK_REFUSED_NOT_AUTHORIZED ||
                       s->connack == MQTT_RC_BAD_USERNAME_OR_PASSWORD ||
                       s->connack == MQTT_RC_NOT_AUTHORIZED;
    if (credentials && user != NULL)
        check_add(
            job, "login", CHECK_FAILED,
            "the broker refused user '%.100s': set MQTT_USERNAME and MQTT_PASSWORD to one that it "
            "knows",
            user);
    else if (credentials)
        check_add(job, "login", CHECK_FAILED,
                  "the broker wants a user: set MQTT_USERNAME and MQTT_PASSWORD");
    else
        check_add(job, "login", CHECK_FAILED, "the broker refused the connection: %s",
                  s->connack < 128 ? mosquitto_connack_string(s->connack)
                                   : mosquitto_reason_string(s->connack));
}

static bool check_login(struct check_job *job, struct session *s)
{
    bool tls = wants_tls(s->options);
    int rc = log_in_by_either_protocol(s);
    if (tls && s->connack < 0) {
        check_add(job, "TLS", CHECK_FAILED,
                  "%s (is MQTT_PORT the broker's TLS port, does MQTT_CA_FILE hold its CA, does the "
                  "certificate name this host?)",
                  s->library_error[0] != '\0' ? s->library_error : mosquitto_strerror(rc));
        return false;
    }
    if (tls)
        check_add(job, "TLS", CHECK_OK, "the broker's certificate is trusted");
    else
        check_add(job, "TLS", CHECK_OFF, "MQTT_TLS is off");
    if (s->connack < 0)
        check_add(
            job, "login", CHECK_FAILED,
            "the broker does not answer as MQTT (%s): is MQTT_PORT right, or is it a TLS port "
            "(MQTT_TLS=on)?",
            rc == MOSQ_ERR_SUCCESS ? "no answer" : mosquitto_strerror(rc));
    else if (s->connack > 0)
        tell_refusal(job, s);
    else
        check_add(job, "login", CHECK_OK, "%s, MQTT %s",
                  options_string(s->options, OPTION_MQTT_USERNAME) != NULL
                      ? options_string(s->options, OPTION_MQTT_USERNAME)
                      : "without a user",
                  s->protocol == MQTT_PROTOCOL_V5 ? "5" : "3.1.1");
    return s->connack == 0;
}

/* --- a message there and back --- */

static int publish(struct session *s)
{
    char id[UUID_SIZE], timestamp[CLOCK_RFC3339_SIZE];
    mosquitto_property *properties = NULL;
    uuid_v7(id);
    clock_format_rfc3339(timestamp, clock_wall_ms());
    snprintf(s->payload, sizeof(s->payload),
             "{\"id\":\"%s\",\"timestamp\":\"%s\",\"ttl\":%d,\"schema\":1,\"message\":\"test\"}",
             id, timestamp, MESSAGE_TTL_S);
    if (s->protocol == MQTT_PROTOCOL_V5)
        mosquitto_property_add_int32(&properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, MESSAGE_TTL_S);
    int rc = mosquitto_publish_v5(s->instance, NULL, TOPIC, (int)strlen(s->payload), s->payload, 1,
                                  false, properties);
    mosquitto_property_free_all(&properties);
    return rc;
}

static void check_round_trip(struct check_job *job, struct session *s)
{
    int64_t begin_ms = clock_monotonic_ms();
    const int never = -1;
    s->granted = s->puback = -1;
    int rc = mosquitto_subscribe_v5(s->instance, NULL, TOPIC, 1, 0, NULL);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = drive(s, &s->granted, NULL);
    if (rc == MOSQ_ERR_SUCCESS && s->granted >= 0 && s->granted < 128) {
        rc = publish(s);
        if (rc == MOSQ_ERR_SUCCESS)
            rc = drive(s, &s->puback, NULL);
        if (rc == MOSQ_ERR_SUCCESS && s->puback >= 0 && s->puback < 128)
            rc = drive(s, &never, &s->received);
    }
    if (s->received)
        check_add(job, TOPIC, CHECK_OK, "published and received in %lld ms",
                  (long long)(clock_monotonic_ms() - begin_ms));
    else if (rc != MOSQ_ERR_SUCCESS)
        check_add(job, TOPIC, CHECK_FAILED, "the broker ended the connection: %s",
                  mosquitto_strerror(rc));
    else if (s->granted >= 128)
        check_add(
            job, TOPIC, CHECK_FAILED,
            "the broker does not let this user subscribe (its access list must allow ha-ai/#)");
    else if (s->puback >= 128)
        check_add(job, TOPIC, CHECK_FAILED,
                  "the broker does not let this user publish (its access list must allow ha-ai/#)");
    else
        check_add(
            job, TOPIC, CHECK_FAILED,
            "what was published did not come back (does the broker's access list allow ha-ai/#?)");
}

void check_mqtt(struct check_job *job, const struct options *options)
{
    struct session s = {.options = options};
    const char *host = options_string(options, OPTION_MQTT_BROKER);
    char port[16];
    if (host == NULL) {
        check_add(job, "broker", CHECK_FAILED,
                  "MQTT_BROKER is not set: the host of HA's MQTT broker");
        return;
    }
    snprintf(port, sizeof(port), "%ld", options_int(options, OPTION_MQTT_PORT));
    if (!check_tcp(job, host, port))
        return;
    mosquitto_lib_init();
    if (check_login(job, &s))
        check_round_trip(job, &s);
    if (s.instance != NULL) {
        mosquitto_disconnect_v5(s.instance, 0, NULL);
        mosquitto_loop(s.instance, 0, 1);
        mosquitto_destroy(s.instance);
    }
    mosquitto_lib_cleanup();
}
