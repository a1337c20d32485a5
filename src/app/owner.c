#include "app/owner.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/uuid.h"
#include "core/xalloc.h"
#include "mqtt/topics.h"

enum { POLL_MS = 5, KEEPALIVE_S = 30, LOOP_MS = 50, HOST_SIZE = 65 };

static const char *const KEY = "owner"; /* the boot id of our last run */

/* What the thread needs, and what it finds. It may outlive the app: everything is a copy. */
struct owner_check {
    char *host, *username, *password, *ca_file, *client_id, *topic, *availability, *ask, *boot;
    int port;
    bool tls;
    bool is_running; /* our own connection lives: we may hear ourselves, and there is an owner */

    pthread_mutex_t lock;
    bool ended, abandoned;

    /* The thread's, until it has ended. */
    bool connected, subscribed, acknowledged;
    int refused;       /* CONNACK's code */
    char *owner;       /* the retained claim; NULL = none */
    bool seems_online; /* by its availability */
    char *last_boot;   /* of our last run: that one is dead, we have its database */
    bool answered;
};

struct owner {
    struct owner_check *check; /* NULL = over */
    char boot[UUID_SIZE];
    char *topic;
    int timer;
    int64_t give_up_ms; /* monotonic */
};

static char *copy(const char *text)
{
    return text != NULL ? xstrdup(text) : NULL;
}

static void release(struct owner_check *check)
{
    char *texts[] = {check->host,      check->username, check->password,     check->ca_file,
                     check->client_id, check->topic,    check->availability, check->ask,
                     check->boot,      check->owner,    check->last_boot};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        free(texts[i]);
    pthread_mutex_destroy(&check->lock);
    free(check);
}

/* --- the library's call-backs, inside mosquitto_loop --- */

static void on_connect(struct mosquitto *instance, void *ctx, int code)
{
    struct owner_check *check = ctx;
    (void)instance;
    check->connected = code == 0;
    check->refused = code;
}

static void on_subscribe(struct mosquitto *instance, void *ctx, int mid, int count,
                         const int *granted)
{
    struct owner_check *check = ctx;
    (void)instance, (void)mid, (void)count, (void)granted;
    check->subscribed = true;
}

static void on_publish(struct mosquitto *instance, void *ctx, int mid)
{
    struct owner_check *check = ctx;
    (void)instance, (void)mid;
    check->acknowledged = true;
}

static void on_message(struct mosquitto *instance, void *ctx,
                       const struct mosquitto_message *message)
{
    struct owner_check *check = ctx;
    (void)instance;
    size_t len = (size_t)message->payloadlen;
    if (strcmp(message->topic, check->availability) == 0) {
        check->seems_online = len == 6 && memcmp(message->payload, "online", 6) == 0;
        return;
    }
    json_object *claim =
        len > 0 && len <= OWNER_PAYLOAD_MAX ? json_parse(message->payload, len, NULL) : NULL;
    const char *boot = json_get_string(claim, "boot");
    if (boot != NULL && strcmp(boot, check->boot) != 0) { /* no question, and not our own */
        free(check->owner);
        check->owner = xstrndup(message->payload, len);
        check->answered |= !message->retain; /* not what the broker kept: somebody sends it now */
    }
    json_object_put(claim);
}

/* --- the conversation, in the thread --- */

static bool drive(struct mosquitto *instance, const bool *done, int64_t timeout_ms)
{
    int64_t until_ms = clock_monotonic_ms() + timeout_ms;
    int rc = MOSQ_ERR_SUCCESS;
    while (rc == MOSQ_ERR_SUCCESS && !*done && clock_monotonic_ms() < until_ms)
        rc = mosquitto_loop(instance, LOOP_MS, 1);
    return *done;
}

static int set_up(struct owner_check *check, struct mosquitto *instance)
{
    mosquitto_connect_callback_set(instance, on_connect);
    mosquitto_subscribe_callback_set(instance, on_subscribe);
    mosquitto_publish_callback_set(instance, on_publish);
    mosquitto_message_callback_set(instance, on_message);
    int rc = mosquitto_username_pw_set(instance, check->username, check->password);
    if (rc == MOSQ_ERR_SUCCESS && check->tls)
        rc = mosquitto_tls_opts_set(instance, 1, NULL, NULL);
    if (rc == MOSQ_ERR_SUCCESS && check->tls)
        rc = check->ca_file != NULL
                 ? mosquitto_tls_set(instance, check->ca_file, NULL, NULL, NULL, NULL)
                 : mosquitto_int_option(instance, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
    return rc;
}

static bool is_ours(const struct owner_check *check)
{
    json_object *claim = json_parse(check->owner, strlen(check->owner), NULL);
    const char *boot = json_get_string(claim, "boot");
    bool ours = boot != NULL && check->last_boot != NULL && strcmp(boot, check->last_boot) == 0;
    json_object_put(claim);
    return ours;
}

/* The broker sends what it kept before it acknowledges the question, so that no wait is needed
 * where there is no owner, where it is off, or where it was us. */
static void ask(struct owner_check *check, struct mosquitto *instance)
{
    if (mosquitto_connect(instance, check->host, check->port, KEEPALIVE_S) != MOSQ_ERR_SUCCESS ||
        !drive(instance, &check->connected, OWNER_STEP_MS))
        return;
    char *topics[] = {check->topic, check->availability};
    if (mosquitto_subscribe_multiple(instance, NULL, 2, topics, 1, 0, NULL) != MOSQ_ERR_SUCCESS ||
        !drive(instance, &check->subscribed, OWNER_STEP_MS))
        return;
    if (mosquitto_publish(instance, NULL, check->topic, (int)strlen(check->ask), check->ask, 1,
                          false) != MOSQ_ERR_SUCCESS ||
        !drive(instance, &check->acknowledged, OWNER_STEP_MS))
        return;
    if (check->is_running || (check->owner != NULL && check->seems_online && !is_ours(check)))
        drive(instance, &check->answered, OWNER_ANSWER_MS);
    mosquitto_disconnect(instance);
    mosquitto_loop(instance, LOOP_MS, 1);
}

static void *run(void *ctx)
{
    struct owner_check *check = ctx;
    struct mosquitto *instance = mosquitto_new(check->client_id, true, check);
    if (instance != NULL && set_up(check, instance) == MOSQ_ERR_SUCCESS)
        ask(check, instance);
    mosquitto_destroy(instance);
    pthread_mutex_lock(&check->lock);
    check->ended = true;
    bool abandoned = check->abandoned;
    pthread_mutex_unlock(&check->lock);
    if (abandoned)
        release(check);
    return NULL;
}

/* --- for the loop's thread --- */

static struct owner_check *make_check(struct app *app, const struct owner *owner)
{
    const struct options *o = &app->options;
    const char *instance = options_string(o, OPTION_INSTANCE);
    struct owner_check *check = xcalloc(1, sizeof(*check));
    pthread_mutex_init(&check->lock, NULL);
    check->host = copy(options_string(o, OPTION_MQTT_BROKER));
    check->port = (int)options_int(o, OPTION_MQTT_PORT);
    check->username = copy(options_string(o, OPTION_MQTT_USERNAME));
    check->password = copy(options_string(o, OPTION_MQTT_PASSWORD));
    check->ca_file = copy(options_string(o, OPTION_MQTT_CA_FILE));
    check->tls = strcmp(options_string(o, OPTION_MQTT_TLS), "on") == 0 || check->ca_file != NULL;
    check->client_id = xasprintf("%s-owner-%.8s", instance, owner->boot + UUID_SIZE - 9);
    check->topic = copy(owner->topic);
    check->availability = topics_availability(instance);
    check->ask = xasprintf("{\"ask\":\"%s\"}", owner->boot);
    check->boot = copy(owner->boot);
    check->last_boot = store_get(app->store, KEY);
    return check;
}

static int start_thread(struct owner_check *check, struct error *err)
{
    sigset_t all, old;
    pthread_t thread;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&thread, &attributes, run, check);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    return rc == 0 ? 0 : error_set(err, ERROR_IO, "cannot start a thread: %s", strerror(rc));
}

static bool has_ended(struct owner_check *check)
{
    pthread_mutex_lock(&check->lock);
    bool ended = check->ended;
    pthread_mutex_unlock(&check->lock);
    return ended;
}

/* The thread frees what it still uses. */
static void let_go(struct owner *owner)
{
    struct owner_check *check = owner->check;
    owner->check = NULL;
    if (check == NULL)
        return;
    pthread_mutex_lock(&check->lock);
    bool ended = check->ended;
    check->abandoned = true;
    pthread_mutex_unlock(&check->lock);
    if (ended)
        release(check);
}

static void claim(struct app *app)
{
    char host[HOST_SIZE] = "", started[CLOCK_RFC3339_SIZE];
    struct error err;
    gethostname(host, sizeof(host) - 1);
    clock_format_rfc3339(started, clock_wall_ms());
    json_object *body = json_object_new_object();
    json_add_string(body, "boot", app->owner->boot);
    json_add_string(body, "host", host);
    json_add_string(body, "started", started);
    const char *text = json_text(body);
    mqtt_set_state(app->mqtt, app->owner->topic, text, strlen(text));
    json_object_put(body);
    if (store_set(app->store, KEY, app->owner->boot, &err) < 0)
        log_warn("app", "who owns the device is not kept: %s", err.message);
}

static void refuse(struct app *app, const struct owner_check *check)
{
    json_object *other = json_parse(check->owner, strlen(check->owner), NULL);
    const char *host = json_get_string(other, "host"), *since = json_get_string(other, "started");
    log_error("app",
              "INSTANCE '%s' is taken: another ha-ai (on '%.64s', since %.40s) serves it at this "
              "broker; give this one an INSTANCE of its own",
              options_string(&app->options, OPTION_INSTANCE), host != NULL ? host : "?",
              since != NULL ? since : "?");
    json_object_put(other);
    app->exit_code = 2;
    loop_stop(app->loop);
}

static int64_t poll_check(void *ctx)
{
    struct app *app = ctx;
    struct owner *owner = app->owner;
    struct error err;
    bool ended = has_ended(owner->check);
    if (!ended && clock_monotonic_ms() < owner->give_up_ms)
        return POLL_MS;
    owner->timer = 0;
    if (ended && owner->check->answered) {
        refuse(app, owner->check);
    } else if (!owner->check->is_running) {
        claim(app);
        if (mqtt_start(app->mqtt, &err) < 0) {
            log_error("app", "%s", err.message);
            app->exit_code = 1;
            loop_stop(app->loop);
        }
    }
    let_go(owner);
    return LOOP_TIMER_STOP;
}

static int start_check(struct app *app, bool is_running, struct error *err)
{
    struct owner *owner = app->owner;
    owner->check = make_check(app, owner);
    owner->check->is_running = is_running;
    owner->give_up_ms = clock_monotonic_ms() + OWNER_GIVE_UP_MS;
    if (start_thread(owner->check, err) < 0) {
        owner->check->ended = true;
        let_go(owner);
        return -1;
    }
    owner->timer = loop_add_timer(app->loop, POLL_MS, poll_check, app);
    return 0;
}

int owner_start(struct app *app, struct error *err)
{
    struct owner *owner = app->owner = xcalloc(1, sizeof(*owner));
    uuid_v7(owner->boot);
    owner->topic = topics_owner(options_string(&app->options, OPTION_INSTANCE));
    mqtt_add_topic(app->mqtt, owner->topic, MQTT_OWN);
    return start_check(app, false, err);
}

void owner_ask_again(struct app *app)
{
    struct error err;
    if (app->owner != NULL && app->owner->check == NULL && start_check(app, true, &err) < 0)
        log_warn("app", "who took over our id is not known: %s", err.message);
}

void owner_stop(struct app *app)
{
    if (app->owner == NULL)
        return;
    loop_remove_timer(app->loop, app->owner->timer);
    let_go(app->owner);
    free(app->owner->topic);
    free(app->owner);
    app->owner = NULL;
}

bool owner_on_message(struct app *app, const struct inbox_message *message)
{
    if (app->owner == NULL || strcmp(message->topic, app->owner->topic) != 0)
        return false;
    json_object *body = json_parse(message->payload, strlen(message->payload), NULL);
    if (json_get_string(body, "ask") != NULL)
        mqtt_republish_states(app->mqtt, app->owner->topic);
    json_object_put(body);
    return true;
}
