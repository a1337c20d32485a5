#include "mqtt/link.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <pthread.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "store/inbox.h"

enum { ECHOES = 4, LOOP_MS = 1000, HANDSHAKE_LOOP_MS = 100 };

struct topic {
    char *name;
    unsigned flags;
    uint64_t
        echoes[ECHOES]; /* what we published there last; for MQTT 3.1.1, which has no no-local */
    unsigned next_echo;
};

struct link {
    /* Set before the thread starts. */
    char *host, *username, *password, *ca_file, *client_id, *will_topic, *database_path;
    int port;
    bool tls;
    struct topic topics[MQTT_TOPICS_MAX]; /* the echoes under the lock */
    size_t topic_count;
    pthread_t thread;
    bool started;

    /* Under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t changed;     /* monotonic */
    struct loop *loop;          /* NULL once the owner is gone */
    struct mosquitto *instance; /* while connected */
    struct link_status status;
    int64_t connecting_since_ms; /* 0 = not in connect() */
    bool stopping, ended, abandoned;
    int64_t stop_by_ms;

    /* The thread's alone. */
    struct store *store;
    int protocol;    /* of the next attempt */
    int64_t session; /* counts the broker's sessions */
    int64_t epoch;
    int64_t connected_ms; /* wall clock */
    bool answered;        /* CONNACK came, with: */
    int connack;
    uint32_t packet_max; /* 0 = the broker told none */
    bool resumed;
    int disconnect_reason;
    int short_lives;   /* connections in a row that were lost soon */
    bool inbox_failed; /* this connection must end without further acknowledgements */
    char library_error[160];
    unsigned random;
};

/* ---- small things ---- */

static void wake(struct link *link)
{
    if (link->loop != NULL)
        loop_wake(link->loop);
    pthread_cond_broadcast(&link->changed);
}

static void set_problem(struct link *link, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void set_problem(struct link *link, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    pthread_mutex_lock(&link->lock);
    vsnprintf(link->status.problem, sizeof(link->status.problem), fmt, ap);
    wake(link);
    pthread_mutex_unlock(&link->lock);
    va_end(ap);
}

static bool is_stopping(struct link *link)
{
    pthread_mutex_lock(&link->lock);
    bool stopping = link->stopping;
    pthread_mutex_unlock(&link->lock);
    return stopping;
}

/* Under the lock. */
static void wait_until(struct link *link, int64_t until_ms)
{
    struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
    pthread_cond_timedwait(&link->changed, &link->lock, &until);
}

static uint64_t digest(const void *payload, size_t len)
{
    return hash_bytes(HASH_START + len, payload, len) | 1; /* 0 = none */
}

static struct topic *find_topic(struct link *link, const char *name)
{
    for (size_t i = 0; i < link->topic_count; i++)
        if (strcmp(link->topics[i].name, name) == 0)
            return &link->topics[i];
    return NULL;
}

/* ---- the library's callbacks, in the thread ---- */

static void remember_session(struct link *link, bool resumed)
{
    char text[32];
    struct error err;
    link->epoch++;
    link->session += !resumed;
    snprintf(text, sizeof(text), "%lld %lld", (long long)link->epoch, (long long)link->session);
    if (store_set(link->store, "mqtt_epoch", text, &err) < 0)
        log_error("mqtt", "%s", err.message);
}

static void recall_session(struct link *link)
{
    char *text = store_get(link->store, "mqtt_epoch");
    long long epoch = 0, session = 0;
    if (text != NULL && sscanf(text, "%19lld %19lld", &epoch, &session) == 2) {
        link->epoch = epoch;
        link->session = session;
    }
    free(text);
}

static void on_connect(struct mosquitto *instance, void *ctx, int reason, int flags,
                       const mosquitto_property *properties)
{
    struct link *link = ctx;
    link->answered = true;
    link->connack = reason;
    if (reason != 0)
        return;
    link->packet_max = 0;
    mosquitto_property_read_int32(properties, MQTT_PROP_MAXIMUM_PACKET_SIZE, &link->packet_max,
                                  false);
    link->resumed = flags & 1;
    link->connected_ms = clock_wall_ms();
    remember_session(link, link->resumed);
    for (size_t i = 0; i < link->topic_count; i++) {
        int options = 0;
        if (link->protocol == 5)
            options = link->topics[i].flags & MQTT_OWN
                          ? MQTT_SUB_OPT_NO_LOCAL | MQTT_SUB_OPT_SEND_RETAIN_NEVER
                          : MQTT_SUB_OPT_RETAIN_AS_PUBLISHED | MQTT_SUB_OPT_SEND_RETAIN_NEW;
        int rc = mosquitto_subscribe_v5(instance, NULL, link->topics[i].name, 1, options, NULL);
        if (rc != MOSQ_ERR_SUCCESS)
            log_error("mqtt", "cannot subscribe to %s: %s", link->topics[i].name,
                      mosquitto_strerror(rc));
    }
}

static void on_subscribe(struct mosquitto *instance, void *ctx, int mid, int count,
                         const int *granted, const mosquitto_property *properties)
{
    (void)instance, (void)ctx, (void)mid, (void)properties;
    for (int i = 0; i < count; i++)
        if (granted[i] >= 128)
            log_warn("mqtt", "the broker refuses one of our subscriptions: %s (its access list?)",
                     mosquitto_reason_string(granted[i]));
}

static void on_disconnect(struct mosquitto *instance, void *ctx, int reason,
                          const mosquitto_property *properties)
{
    struct link *link = ctx;
    (void)instance, (void)properties;
    if (link->disconnect_reason < 128) /* the library calls again for the closed socket */
        link->disconnect_reason = reason;
}

static void on_publish(struct mosquitto *instance, void *ctx, int mid, int reason,
                       const mosquitto_property *properties)
{
    struct link *link = ctx;
    (void)instance, (void)properties;
    pthread_mutex_lock(&link->lock);
    if (link->status.ack_count < LINK_ACKS_MAX) /* no more are ever in flight */
        link->status.acks[link->status.ack_count++] = (struct link_ack){mid, reason};
    wake(link);
    pthread_mutex_unlock(&link->lock);
}

/* Over 3.1.1 the broker sends us our own messages, and what it kept, again. */
static bool is_own_echo(struct link *link, const struct mosquitto_message *message)
{
    struct topic *topic = find_topic(link, message->topic);
    if (link->protocol == 5 || topic == NULL || !(topic->flags & MQTT_OWN))
        return false;
    if (message->retain)
        return true;
    uint64_t hash = digest(message->payload, (size_t)message->payloadlen);
    bool own = false;
    pthread_mutex_lock(&link->lock);
    for (int i = 0; i < ECHOES; i++)
        own |= topic->echoes[i] == hash;
    pthread_mutex_unlock(&link->lock);
    return own;
}

/* The library has queued the PUBACK already, but only this thread writes, and only after we
 * return. So when we could not commit, the socket is shut: nothing is acknowledged, and the
 * broker delivers again when we are back. */
static void on_message(struct mosquitto *instance, void *ctx,
                       const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
    struct link *link = ctx;
    struct error err;
    (void)properties;
    if (link->inbox_failed || is_own_echo(link, message))
        return;
    struct inbox_arrival arrival = {
        .topic = message->topic,
        .payload = message->payload,
        .len = (size_t)message->payloadlen,
        .retained = message->retain,
        .mid = message->qos > 0 ? message->mid : 0,
        .session = link->session,
        .epoch = link->epoch,
        .connected_ms = link->connected_ms,
        .now_ms = clock_wall_ms(),
    };
    int rc = inbox_insert(link->store, &arrival, &err);
    if (rc < 0 && message->qos > 0) {
        link->inbox_failed = true;
        shutdown(mosquitto_socket(instance), SHUT_RDWR);
        set_problem(link, "a message could not be stored and stays with the broker: %.180s",
                    err.message);
    } else if (rc < 0) {
        log_error("mqtt", "a message on %s is lost (it came with QoS 0): %s", message->topic,
                  err.message);
    } else if (rc > 0) {
        pthread_mutex_lock(&link->lock);
        link->status.inbox = true;
        wake(link);
        pthread_mutex_unlock(&link->lock);
    }
}

static void on_log(struct mosquitto *instance, void *ctx, int level, const char *text)
{
    struct link *link = ctx;
    (void)instance;
    if (level == MOSQ_LOG_ERR || level == MOSQ_LOG_WARNING)
        snprintf(link->library_error, sizeof(link->library_error), "%s", text);
}

/* ---- one attempt ---- */

static int set_will(struct link *link, struct mosquitto *instance)
{
    mosquitto_property *properties = NULL;
    if (link->protocol == 5)
        mosquitto_property_add_int32(&properties, MQTT_PROP_WILL_DELAY_INTERVAL, LINK_WILL_DELAY_S);
    int rc = mosquitto_will_set_v5(instance, link->will_topic, 7, "offline", 1, true, properties);
    if (rc != MOSQ_ERR_SUCCESS) /* else the library owns them */
        mosquitto_property_free_all(&properties);
    return rc;
}

static int set_tls(struct link *link, struct mosquitto *instance)
{
    if (!link->tls)
        return MOSQ_ERR_SUCCESS;
    int rc = mosquitto_tls_opts_set(instance, 1, NULL, NULL);
    if (rc != MOSQ_ERR_SUCCESS)
        return rc;
    return link->ca_file ? mosquitto_tls_set(instance, link->ca_file, NULL, NULL, NULL, NULL)
                         : mosquitto_int_option(instance, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
}

static struct mosquitto *make_instance(struct link *link)
{
    if (link->ca_file != NULL && access(link->ca_file, R_OK) < 0) {
        set_problem(link, "the CA file %s cannot be read: %s", link->ca_file, strerror(errno));
        return NULL;
    }
    struct mosquitto *instance = mosquitto_new(link->client_id, false, link);
    if (instance == NULL) {
        set_problem(link, "cannot connect as '%s': %s", link->client_id, strerror(errno));
        return NULL;
    }
    mosquitto_threaded_set(instance, true); /* or the library acknowledges before on_message */
    mosquitto_connect_v5_callback_set(instance, on_connect);
    mosquitto_disconnect_v5_callback_set(instance, on_disconnect);
    mosquitto_subscribe_v5_callback_set(instance, on_subscribe);
    mosquitto_publish_v5_callback_set(instance, on_publish);
    mosquitto_message_v5_callback_set(instance, on_message);
    mosquitto_log_callback_set(instance, on_log);
    int version = link->protocol == 5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311;
    int rc = mosquitto_int_option(instance, MOSQ_OPT_PROTOCOL_VERSION, version);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_username_pw_set(instance, link->username, link->password);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = set_will(link, instance);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = set_tls(link, instance);
    if (rc == MOSQ_ERR_SUCCESS)
        return instance;
    set_problem(link, "cannot set up the connection: %s", mosquitto_strerror(rc));
    mosquitto_destroy(instance);
    return NULL;
}

static void explain_tls(struct link *link)
{
    set_problem(link, "TLS with %.100s port %d failed: %s", link->host, link->port,
                link->library_error[0] ? link->library_error : "no reason given");
}

static int connect_instance(struct link *link, struct mosquitto *instance)
{
    mosquitto_property *properties = NULL;
    if (link->protocol == 5) {
        mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL,
                                     LINK_SESSION_EXPIRY_S);
        mosquitto_property_add_int32(&properties, MQTT_PROP_MAXIMUM_PACKET_SIZE, MQTT_PACKET_MAX);
    }
    pthread_mutex_lock(&link->lock);
    link->connecting_since_ms = clock_monotonic_ms();
    pthread_mutex_unlock(&link->lock);
    int rc = mosquitto_connect_bind_v5(instance, link->host, link->port, LINK_KEEPALIVE_S, NULL,
                                       properties);
    int why = errno;
    mosquitto_property_free_all(&properties);
    pthread_mutex_lock(&link->lock);
    link->connecting_since_ms = 0;
    pthread_mutex_unlock(&link->lock);
    if (rc == MOSQ_ERR_SUCCESS)
        return 0;
    if (rc == MOSQ_ERR_EAI)
        set_problem(link, "the broker's name '%.100s' cannot be resolved", link->host);
    else if (rc == MOSQ_ERR_ERRNO && why == EINTR /* link_tick */)
        set_problem(link, "%.100s port %d does not answer", link->host, link->port);
    else if (rc == MOSQ_ERR_TLS) /* a peer that is quick ends the handshake in here */
        explain_tls(link);
    else
        set_problem(link, "cannot connect to %.100s port %d: %s", link->host, link->port,
                    rc == MOSQ_ERR_ERRNO     ? strerror(why)
                    : link->library_error[0] ? link->library_error
                                             : mosquitto_strerror(rc));
    return -1;
}

static void explain_refusal(struct link *link)
{
    switch (link->connack) {
    case CONNACK_REFUSED_BAD_USERNAME_PASSWORD: /* 3.1.1 */
    case CONNACK_REFUSED_NOT_AUTHORIZED:
    case MQTT_RC_BAD_USERNAME_OR_PASSWORD:
    case MQTT_RC_NOT_AUTHORIZED:
        if (link->username != NULL)
            set_problem(link, "the broker refused user '%.100s': bad user name or password",
                        link->username);
        else
            set_problem(link, "the broker refused us: it wants a user name and password");
        return;
    case CONNACK_REFUSED_IDENTIFIER_REJECTED:
    case MQTT_RC_CLIENTID_NOT_VALID:
        set_problem(link, "the broker refused the client id '%.100s'", link->client_id);
        return;
    default:
        set_problem(link, "the broker refused the connection: %s",
                    link->connack < 128 ? mosquitto_connack_string(link->connack)
                                        : mosquitto_reason_string(link->connack));
    }
}

static bool wants_other_protocol(const struct link *link)
{
    return link->protocol == 5 && link->answered &&
           (link->connack == MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION ||
            link->connack == CONNACK_REFUSED_PROTOCOL_VERSION);
}

/* rc: of the last mosquitto_loop, or MOSQ_ERR_SUCCESS when no CONNACK came in time. */
static void explain_end(struct link *link, int rc, bool was_connected)
{
    if (link->inbox_failed || wants_other_protocol(link)) /* said already, or no failure */
        return;
    if (link->answered && link->connack != 0)
        explain_refusal(link);
    else if (rc == MOSQ_ERR_TLS)
        explain_tls(link);
    else if (!was_connected && rc == MOSQ_ERR_SUCCESS)
        set_problem(link, "%.100s port %d accepts the connection but does not answer", link->host,
                    link->port);
    else if (!was_connected)
        set_problem(link,
                    "%.100s port %d closed the connection before it answered (is it a %sbroker?)",
                    link->host, link->port, link->tls ? "TLS " : "");
    else if (link->disconnect_reason == MQTT_RC_SESSION_TAKEN_OVER)
        set_problem(link,
                    "another client took over our id '%.100s': two ha-ai on one broker need "
                    "different INSTANCE",
                    link->client_id);
    else if (link->disconnect_reason >= 128)
        set_problem(link, "the broker ended the connection: %s",
                    mosquitto_reason_string(link->disconnect_reason));
    else if (link->short_lives >= LINK_SHORT_LIVES)
        set_problem(link,
                    "the connection to %.100s port %d is lost again and again: does another client "
                    "use the id '%.60s'? Two ha-ai on one broker need different INSTANCE",
                    link->host, link->port, link->client_id);
    else
        set_problem(link, "the connection to %.100s port %d was lost%s", link->host, link->port,
                    rc == MOSQ_ERR_KEEPALIVE ? ": no answer any more" : "");
}

static void announce(struct link *link, struct mosquitto *instance)
{
    pthread_mutex_lock(&link->lock);
    link->instance = instance;
    link->status.connected = true;
    link->status.session = link->resumed;
    link->status.epoch = link->epoch;
    link->status.protocol = link->protocol;
    link->status.packet_max = link->packet_max;
    link->status.problem[0] = '\0';
    link->status.ack_count = 0;
    wake(link);
    pthread_mutex_unlock(&link->lock);
}

static void withdraw(struct link *link)
{
    pthread_mutex_lock(&link->lock);
    link->instance = NULL;
    link->status.connected = false;
    /* Not every broker tells (mosquitto 2.0.11 does not): being thrown out again and again counts
     * as well. */
    link->status.taken_over = link->disconnect_reason == MQTT_RC_SESSION_TAKEN_OVER ||
                              link->short_lives >= LINK_SHORT_LIVES;
    wake(link);
    pthread_mutex_unlock(&link->lock);
}

static bool must_end(struct link *link, bool connected)
{
    pthread_mutex_lock(&link->lock);
    bool end = link->stopping && (!connected || clock_monotonic_ms() > link->stop_by_ms);
    pthread_mutex_unlock(&link->lock);
    return end;
}

/* Drives a connected socket until it ends. The new connection is announced only after
 * mosquitto_loop has returned: after on_connect the library would send a second time what another
 * thread already published. */
static void drive(struct link *link, struct mosquitto *instance, bool *connected)
{
    int64_t deadline = clock_monotonic_ms() + LINK_CONNACK_MS, announced_ms = 0;
    int rc = MOSQ_ERR_SUCCESS;
    while (!must_end(link, *connected)) {
        rc = mosquitto_loop(instance, *connected ? LOOP_MS : HANDSHAKE_LOOP_MS, 1);
        if (rc != MOSQ_ERR_SUCCESS || link->inbox_failed)
            break;
        if (!*connected && link->answered && link->connack == 0) {
            *connected = true;
            announced_ms = clock_monotonic_ms();
            announce(link, instance);
        }
        if (!*connected && clock_monotonic_ms() > deadline)
            break;
    }
    /* A 3.1.1 broker refuses MQTT 5 in its own words; libmosquitto 2.0.21 takes them for
     * a malformed CONNACK and does not call on_connect. */
    if (rc == MOSQ_ERR_MALFORMED_PACKET && link->protocol == 5 && !link->answered) {
        link->answered = true;
        link->connack = MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION;
    }
    if (*connected)
        link->short_lives =
            clock_monotonic_ms() - announced_ms < LINK_SHORT_LIFE_MS ? link->short_lives + 1 : 0;
    if (!is_stopping(link))
        explain_end(link, rc, *connected);
    withdraw(link);
}

enum outcome { FAILED, WAS_CONNECTED, OTHER_PROTOCOL };

static enum outcome attempt(struct link *link)
{
    bool connected = false;
    link->answered = link->inbox_failed = false;
    link->connack = link->disconnect_reason = 0;
    link->library_error[0] = '\0';
    struct mosquitto *instance = make_instance(link);
    if (instance == NULL)
        return FAILED;
    if (connect_instance(link, instance) == 0)
        drive(link, instance, &connected);
    mosquitto_destroy(instance);
    bool other = wants_other_protocol(link);
    link->protocol = other ? 4 : 5; /* the broker may be another one next time */
    return connected ? WAS_CONNECTED : other ? OTHER_PROTOCOL : FAILED;
}

/* ---- the thread ---- */

static void release(struct link *link)
{
    for (size_t i = 0; i < link->topic_count; i++)
        free(link->topics[i].name);
    free(link->host);
    free(link->username);
    free(link->password);
    free(link->ca_file);
    free(link->client_id);
    free(link->will_topic);
    free(link->database_path);
    pthread_cond_destroy(&link->changed);
    pthread_mutex_destroy(&link->lock);
    free(link);
}

static void back_off(struct link *link, int64_t delay_ms)
{
    int64_t until = clock_monotonic_ms() + delay_ms + rand_r(&link->random) % (delay_ms / 4 + 1);
    pthread_mutex_lock(&link->lock);
    while (!link->stopping && clock_monotonic_ms() < until)
        wait_until(link, until);
    pthread_mutex_unlock(&link->lock);
}

static bool open_own_store(struct link *link)
{
    struct error err;
    if (link->store != NULL)
        return true;
    link->store = store_open(link->database_path, &err);
    if (link->store == NULL) {
        set_problem(link, "%.200s", err.message);
        return false;
    }
    recall_session(link);
    return true;
}

static void *run(void *ctx)
{
    struct link *link = ctx;
    int64_t delay_ms = LINK_BACKOFF_MIN_MS;
    while (!is_stopping(link)) {
        int64_t start_ms = clock_monotonic_ms();
        enum outcome outcome = open_own_store(link) ? attempt(link) : FAILED;
        if (outcome == OTHER_PROTOCOL)
            continue;
        if (outcome == WAS_CONNECTED && clock_monotonic_ms() - start_ms > LINK_STABLE_MS)
            delay_ms = LINK_BACKOFF_MIN_MS;
        back_off(link, delay_ms);
        delay_ms = delay_ms * 2 < LINK_BACKOFF_MAX_MS ? delay_ms * 2 : LINK_BACKOFF_MAX_MS;
    }
    store_close(link->store);
    pthread_mutex_lock(&link->lock);
    link->ended = true;
    bool abandoned = link->abandoned;
    wake(link);
    pthread_mutex_unlock(&link->lock);
    if (abandoned)
        release(link);
    return NULL;
}

/* ---- for the loop's thread ---- */

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

struct link *link_new(struct loop *loop, const struct mqtt_settings *settings)
{
    struct link *link = xcalloc(1, sizeof(*link));
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&link->lock, NULL);
    pthread_cond_init(&link->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    link->loop = loop;
    link->host = copy(settings->host);
    link->port = settings->port;
    link->username = copy(settings->username);
    link->password = copy(settings->password);
    link->tls = settings->tls;
    link->ca_file = copy(settings->ca_file);
    link->client_id = copy(settings->client_id);
    link->will_topic = copy(settings->will_topic);
    link->database_path = copy(settings->database_path);
    link->protocol = link->status.protocol = 5;
    link->random = (unsigned)(clock_wall_ms() ^ getpid());
    link->status.inbox = true; /* what an earlier process left */
    return link;
}

void link_add_topic(struct link *link, const char *topic, unsigned flags)
{
    if (link->topic_count == MQTT_TOPICS_MAX) {
        log_error("mqtt", "more than %d topics: %s is not subscribed", MQTT_TOPICS_MAX, topic);
        return;
    }
    link->topics[link->topic_count++] = (struct topic){.name = xstrdup(topic), .flags = flags};
}

/* A signal that does nothing but end a system call: connect() waits two minutes for a host that is
 * off, and the library offers no limit. SIGURG: nobody uses it, and by default it is ignored. */
static void on_signal(int number)
{
    (void)number;
}

int link_start(struct link *link, struct error *err)
{
    struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */
    static const int open[] = {SIGURG, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    sigset_t all, old;
    sigaction(SIGURG, &action, NULL);
    sigfillset(&all);
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        sigdelset(&all, open[i]);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* inherited: SIGPIPE of the library's writes too */
    int rc = pthread_create(&link->thread, NULL, run, link);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return error_set(err, ERROR_IO, "cannot start a thread: %s", strerror(rc));
    link->started = true;
    return 0;
}

void link_take(struct link *link, struct link_status *out)
{
    pthread_mutex_lock(&link->lock);
    *out = link->status;
    link->status.inbox = false;
    link->status.ack_count = 0;
    pthread_mutex_unlock(&link->lock);
}

static int publish(struct link *link, const struct link_message *message, int *mid)
{
    mosquitto_property *properties = NULL;
    if (link->status.protocol == 5 && message->expiry_s > 0)
        mosquitto_property_add_int32(&properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
                                     (uint32_t)message->expiry_s);
    if (link->status.protocol == 5 && message->json)
        mosquitto_property_add_string(&properties, MQTT_PROP_CONTENT_TYPE, "application/json");
    int rc = mosquitto_publish_v5(link->instance, mid, message->topic, (int)message->len,
                                  message->payload, 1, message->retain, properties);
    mosquitto_property_free_all(&properties);
    struct topic *topic = find_topic(link, message->topic);
    if (topic != NULL && topic->flags & MQTT_OWN)
        topic->echoes[topic->next_echo++ % ECHOES] = digest(message->payload, message->len);
    return rc;
}

int link_publish(struct link *link, int64_t epoch, const struct link_message *message, int *mid,
                 struct error *err)
{
    int rc = MOSQ_ERR_NO_CONN;
    pthread_mutex_lock(&link->lock);
    if (link->instance != NULL && link->status.epoch == epoch)
        rc = publish(link, message, mid);
    pthread_mutex_unlock(&link->lock);
    if (rc == MOSQ_ERR_SUCCESS)
        return 0;
    if (rc == MOSQ_ERR_NO_CONN || rc == MOSQ_ERR_CONN_LOST || rc == MOSQ_ERR_NOMEM)
        return 1; /* the library may have queued it, but its queue ends with the connection */
    return error_set(err, ERROR_INVALID, "%s", mosquitto_strerror(rc));
}

void link_tick(struct link *link)
{
    int64_t now = clock_monotonic_ms();
    pthread_mutex_lock(&link->lock);
    if (link->started && !link->ended && link->connecting_since_ms != 0 &&
        (link->stopping || now - link->connecting_since_ms > LINK_CONNECT_MS)) {
        link->connecting_since_ms = now; /* the next address has as long */
        pthread_kill(link->thread, SIGURG);
    }
    pthread_mutex_unlock(&link->lock);
}

void link_wait(struct link *link, int64_t until_ms)
{
    pthread_mutex_lock(&link->lock);
    while (link->status.connected && link->status.ack_count == 0 && clock_monotonic_ms() < until_ms)
        wait_until(link, until_ms);
    pthread_mutex_unlock(&link->lock);
}

void link_stop(struct link *link, int64_t timeout_ms)
{
    if (link == NULL)
        return;
    int64_t deadline = clock_monotonic_ms() + timeout_ms;
    pthread_mutex_lock(&link->lock);
    link->loop = NULL;
    link->stopping = true;
    link->stop_by_ms = deadline - timeout_ms / 2;
    if (link->instance != NULL)
        mosquitto_disconnect_v5(link->instance, 0, NULL);
    wake(link);
    while (link->started && !link->ended && clock_monotonic_ms() < deadline) {
        wait_until(link, clock_monotonic_ms() + 20);
        pthread_mutex_unlock(&link->lock);
        link_tick(link);
        pthread_mutex_lock(&link->lock);
    }
    bool ended = !link->started || link->ended;
    link->abandoned = !ended;
    pthread_mutex_unlock(&link->lock);
    if (!ended) {
        log_warn("mqtt", "the connection's thread hangs and is left behind");
        pthread_detach(link->thread);
        return;
    }
    if (link->started)
        pthread_join(link->thread, NULL);
    release(link);
}
