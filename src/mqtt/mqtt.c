/* The loop's side: what is kept as state, what is in flight, and the sending of both. */
#include "mqtt/mqtt.h"

#include <assert.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "mqtt/link.h"
#include "store/outbox.h"

enum { TICK_MS = 1000, RETRY_MS = 10 * 1000, STOP_LINK_MS = 900 };
enum { PACKET_OVERHEAD = 256 }; /* of a state: header, topic, properties */

struct state {
    char *topic;
    char *payload; /* NULL = delete the retained message */
    size_t len;
    bool dirty;       /* the broker does not have it */
    bool in_flight;   /* never two of a topic */
    int64_t retry_ms; /* monotonic; not before, after a refusal */
};

struct flight {
    int mid;
    int64_t row;         /* of the outbox, or 0: */
    struct state *state; /* NULL = forgotten meanwhile */
};

struct mqtt {
    struct loop *loop;
    struct store *store;
    struct link *link;
    char *host, *client_id;
    int port;
    void (*on_connected)(bool session, void *ctx);
    void (*on_disconnected)(bool taken_over, void *ctx);
    void (*on_inbox)(void *ctx);
    void *ctx;

    bool started, connected, stopping, told_ttl;
    bool pump_wanted;
    bool store_failed; /* said so */
    int64_t epoch;
    int protocol;
    uint32_t packet_max;
    char problem[LINK_PROBLEM_SIZE];
    int timer;

    struct state *states[MQTT_STATES_MAX];
    size_t state_count;
    struct state availability;

    struct flight flights[MQTT_INFLIGHT_MAX + 1]; /* the last one is for mqtt_stop */
    size_t flight_count;
    int64_t last_row;        /* of the outbox, handed over in this connection */
    int64_t outbox_retry_ms; /* monotonic: from the first row again; 0 = no */
};

/* ---- sending ---- */

static void want_pump(struct mqtt *mqtt)
{
    mqtt->pump_wanted = true;
    loop_wake(mqtt->loop);
}

static bool has_room(const struct mqtt *mqtt)
{
    return mqtt->flight_count < MQTT_INFLIGHT_MAX;
}

/* False: not now. A state that can never be sent is as good as sent, and said. */
static bool send_state(struct mqtt *mqtt, struct state *state)
{
    struct error err;
    struct link_message message = {
        .topic = state->topic, .payload = state->payload, .len = state->len, .retain = true};
    int mid = 0;
    int rc = link_publish(mqtt->link, mqtt->epoch, &message, &mid, &err);
    if (rc > 0)
        return false;
    state->dirty = false;
    if (rc < 0) {
        log_error("mqtt", "the state on %s (%zu bytes) cannot be sent: %s", state->topic,
                  state->len, err.message);
        return true;
    }
    state->in_flight = true;
    mqtt->flights[mqtt->flight_count++] = (struct flight){.mid = mid, .state = state};
    return true;
}

static bool is_due(const struct state *state, int64_t now_ms)
{
    return state->dirty && !state->in_flight && state->retry_ms <= now_ms;
}

/* States in their order, "online" after them. False when one could not go yet. */
static bool send_states(struct mqtt *mqtt)
{
    int64_t now = clock_monotonic_ms();
    for (size_t i = 0; i <= mqtt->state_count; i++) {
        struct state *state = i < mqtt->state_count ? mqtt->states[i] : &mqtt->availability;
        if (!is_due(state, now))
            continue;
        if (!has_room(mqtt) || !send_state(mqtt, state))
            return false;
    }
    return true;
}

static bool is_row_in_flight(const struct mqtt *mqtt, int64_t row)
{
    for (size_t i = 0; i < mqtt->flight_count; i++)
        if (mqtt->flights[i].row == row)
            return true;
    return false;
}

/* Not said twice: what cannot be read or written now stays so for a while. */
static void report_store(struct mqtt *mqtt, int rc, const struct error *err)
{
    if (rc < 0 && !mqtt->store_failed)
        log_error("mqtt", "%s", err->message);
    mqtt->store_failed = rc < 0;
}

/* Seconds that are left; never more than there were at first, should the clock have gone back. */
static int64_t remaining_s(const struct outbox_message *message, int64_t now_ms)
{
    int64_t whole = message->expires_ms - message->created_ms;
    int64_t left = message->expires_ms - now_ms;
    return (left < whole ? left : whole) / 1000;
}

static bool send_row(struct mqtt *mqtt, const struct outbox_message *row, int64_t now_ms)
{
    struct error err;
    struct link_message message = {.topic = row->topic,
                                   .payload = row->payload,
                                   .len = row->payload_len,
                                   .expiry_s = remaining_s(row, now_ms),
                                   .json = true};
    int mid = 0;
    int rc = link_publish(mqtt->link, mqtt->epoch, &message, &mid, &err);
    if (rc > 0)
        return false;
    if (rc == 0) {
        mqtt->flights[mqtt->flight_count++] = (struct flight){.mid = mid, .row = row->row};
    } else {
        log_error("mqtt", "a message on %s cannot be sent: %s", row->topic, err.message);
        report_store(mqtt, outbox_fail(mqtt->store, row->row, err.message, &err), &err);
    }
    mqtt->last_row = row->row;
    return true;
}

static void send_outbox(struct mqtt *mqtt)
{
    struct error err = {0};
    int rc = 0;
    bool going = true;
    while (going && has_room(mqtt)) {
        struct outbox_message row;
        int64_t now = clock_wall_ms();
        rc = outbox_next(mqtt->store, mqtt->last_row, now, &row, &err);
        if (rc <= 0)
            break;
        if (is_row_in_flight(mqtt, row.row))
            mqtt->last_row = row.row;
        else
            going = send_row(mqtt, &row, now);
        outbox_message_release(&row);
    }
    report_store(mqtt, rc, &err);
}

/* What waits, as far as it may go now. Within a transaction nothing is sent: what it holds is not
 * a fact yet. */
static void pump(struct mqtt *mqtt)
{
    if (!mqtt->connected || store_in_transaction(mqtt->store))
        return;
    mqtt->pump_wanted = false;
    int64_t now = clock_monotonic_ms();
    if (mqtt->outbox_retry_ms != 0 && mqtt->outbox_retry_ms <= now) {
        mqtt->outbox_retry_ms = 0;
        mqtt->last_row = 0;
    }
    if (send_states(mqtt) && !mqtt->stopping)
        send_outbox(mqtt);
}

/* ---- acknowledgements ---- */

/* Reason codes that will not get better before the TTL ends. */
static bool is_permanent(int reason)
{
    return reason == MQTT_RC_NOT_AUTHORIZED || reason == MQTT_RC_TOPIC_NAME_INVALID ||
           reason == MQTT_RC_PAYLOAD_FORMAT_INVALID;
}

static void remove_state(struct mqtt *mqtt, struct state *state)
{
    size_t i = 0;
    while (i < mqtt->state_count && mqtt->states[i] != state)
        i++;
    if (i == mqtt->state_count)
        return;
    memmove(&mqtt->states[i], &mqtt->states[i + 1],
            (mqtt->state_count - i - 1) * sizeof(mqtt->states[0]));
    mqtt->state_count--;
    for (size_t k = 0; k < mqtt->flight_count; k++)
        if (mqtt->flights[k].state == state)
            mqtt->flights[k].state = NULL;
    free(state->topic);
    free(state->payload);
    free(state);
}

static void state_acknowledged(struct mqtt *mqtt, struct state *state, int reason)
{
    state->in_flight = false;
    if (reason >= 128) {
        log_warn("mqtt", "the broker refused the state on %s: %s", state->topic,
                 mosquitto_reason_string(reason));
        if (!is_permanent(reason)) {
            state->dirty = true;
            state->retry_ms = clock_monotonic_ms() + RETRY_MS;
        }
    } else if (state->payload == NULL && !state->dirty) {
        remove_state(mqtt, state);
    }
}

static int row_acknowledged(struct mqtt *mqtt, int64_t row, int reason, struct error *err)
{
    if (reason < 128) /* 16: nobody is subscribed. The broker has done its part. */
        return outbox_delete(mqtt->store, row, err);
    log_warn("mqtt", "the broker refused a message: %s", mosquitto_reason_string(reason));
    if (is_permanent(reason))
        return outbox_fail(mqtt->store, row, mosquitto_reason_string(reason), err);
    mqtt->outbox_retry_ms = clock_monotonic_ms() + RETRY_MS;
    return 0;
}

/* All rows of one turn in one commit. When it fails they stay, and go out again with the next
 * connection, under the same id. */
static void take_acks(struct mqtt *mqtt, const struct link_status *status)
{
    struct error err = {0};
    bool own = !store_in_transaction(mqtt->store);
    int rc = 0;
    bool begun = false;
    for (size_t i = 0; i < status->ack_count; i++) {
        size_t k = 0;
        while (k < mqtt->flight_count && mqtt->flights[k].mid != status->acks[i].mid)
            k++;
        if (k == mqtt->flight_count)
            continue;
        struct flight flight = mqtt->flights[k];
        mqtt->flights[k] = mqtt->flights[--mqtt->flight_count];
        if (flight.row == 0) {
            if (flight.state != NULL)
                state_acknowledged(mqtt, flight.state, status->acks[i].reason);
            continue;
        }
        if (own && !begun && rc == 0)
            begun = (rc = store_begin(mqtt->store, &err)) == 0;
        if (rc == 0)
            rc = row_acknowledged(mqtt, flight.row, status->acks[i].reason, &err);
    }
    if (begun && rc == 0)
        rc = store_commit(mqtt->store, &err);
    else if (begun)
        store_rollback(mqtt->store);
    if (begun || rc < 0)
        report_store(mqtt, rc, &err);
}

/* ---- connection ---- */

static void forget_flights(struct mqtt *mqtt)
{
    for (size_t i = 0; i < mqtt->flight_count; i++)
        if (mqtt->flights[i].state != NULL)
            mqtt->flights[i].state->in_flight = false;
    mqtt->flight_count = 0;
}

static void went_down(struct mqtt *mqtt, bool taken_over)
{
    mqtt->connected = false;
    forget_flights(mqtt);
    if (mqtt->on_disconnected != NULL && !mqtt->stopping)
        mqtt->on_disconnected(taken_over, mqtt->ctx);
}

static void came_up(struct mqtt *mqtt, const struct link_status *status)
{
    mqtt->connected = true;
    mqtt->epoch = status->epoch;
    mqtt->protocol = status->protocol;
    mqtt->packet_max = status->packet_max;
    mqtt->problem[0] = '\0';
    mqtt->last_row = 0;
    mqtt->outbox_retry_ms = 0;
    log_info("mqtt", "connected to %s port %d as %s (MQTT %s%s)", mqtt->host, mqtt->port,
             mqtt->client_id, status->protocol == 5 ? "5" : "3.1.1",
             status->session ? ", session resumed" : "");
    if (status->protocol != 5 && !mqtt->told_ttl) {
        mqtt->told_ttl = true;
        log_warn("mqtt",
                 "the broker knows no MQTT 5: messages do not expire there, only the 'ttl' in "
                 "them tells their age");
    }
    mqtt_republish_states(mqtt, NULL);
    mqtt->availability.dirty = true;
    mqtt->availability.retry_ms = 0;
    if (mqtt->on_connected != NULL)
        mqtt->on_connected(status->session, mqtt->ctx);
}

static void take_problem(struct mqtt *mqtt, const struct link_status *status)
{
    if (status->connected || status->problem[0] == '\0' ||
        strcmp(mqtt->problem, status->problem) == 0)
        return;
    memcpy(mqtt->problem, status->problem, sizeof(mqtt->problem));
    log_warn("mqtt", "%s; trying again and again", mqtt->problem);
}

static void turn(void *ctx)
{
    struct mqtt *mqtt = ctx;
    struct link_status status;
    link_take(mqtt->link, &status);
    bool other = status.epoch != mqtt->epoch;
    if (!other)
        take_acks(mqtt, &status);
    take_problem(mqtt, &status);
    if (mqtt->connected && (!status.connected || other))
        went_down(mqtt, status.taken_over);
    if (status.connected && !mqtt->connected) {
        came_up(mqtt, &status);
        take_acks(mqtt, &status);
    }
    if (status.inbox && mqtt->on_inbox != NULL)
        mqtt->on_inbox(mqtt->ctx);
    if (mqtt->pump_wanted || status.ack_count > 0)
        pump(mqtt);
}

static int64_t tick(void *ctx)
{
    struct mqtt *mqtt = ctx;
    struct error err = {0};
    link_tick(mqtt->link);
    if (!mqtt->connected && !store_in_transaction(mqtt->store))
        report_store(mqtt, outbox_expire(mqtt->store, clock_wall_ms(), &err), &err);
    mqtt->pump_wanted = true; /* for what was held back */
    return TICK_MS;
}

/* ---- public ---- */

struct mqtt *mqtt_new(struct loop *loop, struct store *store, const struct mqtt_settings *settings,
                      struct error *err)
{
    if (settings->host == NULL || settings->host[0] == '\0' || settings->client_id == NULL ||
        mosquitto_pub_topic_check(settings->will_topic) != MOSQ_ERR_SUCCESS) {
        error_set(err, ERROR_INVALID, "the broker's host, the client id or the topic is missing");
        return NULL;
    }
    if (settings->password != NULL && settings->username == NULL) {
        error_set(err, ERROR_INVALID, "a password without a user name: set MQTT_USERNAME");
        return NULL;
    }
    mosquitto_lib_init();
    struct mqtt *mqtt = xcalloc(1, sizeof(*mqtt));
    mqtt->loop = loop;
    mqtt->store = store;
    mqtt->link = link_new(loop, settings);
    mqtt->host = xstrdup(settings->host);
    mqtt->port = settings->port;
    mqtt->client_id = xstrdup(settings->client_id);
    mqtt->on_connected = settings->on_connected;
    mqtt->on_disconnected = settings->on_disconnected;
    mqtt->on_inbox = settings->on_inbox;
    mqtt->ctx = settings->ctx;
    mqtt->protocol = 5;
    mqtt->availability.topic = xstrdup(settings->will_topic);
    mqtt->availability.payload = xstrdup("online");
    mqtt->availability.len = strlen("online");
    snprintf(mqtt->problem, sizeof(mqtt->problem), "not connected yet");
    return mqtt;
}

void mqtt_add_topic(struct mqtt *mqtt, const char *topic, unsigned flags)
{
    assert(!mqtt->started);
    link_add_topic(mqtt->link, topic, flags);
}

int mqtt_start(struct mqtt *mqtt, struct error *err)
{
    if (link_start(mqtt->link, err) < 0)
        return -1;
    mqtt->started = true;
    loop_add_turn(mqtt->loop, turn, mqtt);
    mqtt->timer = loop_add_timer(mqtt->loop, TICK_MS, tick, mqtt);
    want_pump(mqtt);
    return 0;
}

static struct state *find_state(struct mqtt *mqtt, const char *topic)
{
    for (size_t i = 0; i < mqtt->state_count; i++)
        if (strcmp(mqtt->states[i]->topic, topic) == 0)
            return mqtt->states[i];
    return NULL;
}

void mqtt_set_state(struct mqtt *mqtt, const char *topic, const char *payload, size_t len)
{
    if (payload == NULL)
        len = 0;
    if (len > MQTT_STATE_PAYLOAD_MAX) {
        log_error("mqtt", "the state for %s has %zu bytes; at most %d: not sent", topic, len,
                  MQTT_STATE_PAYLOAD_MAX);
        return;
    }
    struct state *state = find_state(mqtt, topic);
    if (state == NULL) {
        if (mqtt->state_count == MQTT_STATES_MAX) {
            log_error("mqtt", "more than %d states: %s is not sent", MQTT_STATES_MAX, topic);
            return;
        }
        state = xcalloc(1, sizeof(*state));
        state->topic = xstrdup(topic);
        mqtt->states[mqtt->state_count++] = state;
    } else if ((payload == NULL) == (state->payload == NULL) && len == state->len &&
               (len == 0 || memcmp(payload, state->payload, len) == 0)) {
        return;
    }
    free(state->payload);
    state->payload = NULL;
    if (payload != NULL) {
        state->payload = xmalloc(len + 1);
        memcpy(state->payload, payload, len);
        state->payload[len] = '\0';
    }
    state->len = len;
    state->dirty = true;
    state->retry_ms = 0;
    want_pump(mqtt);
}

void mqtt_republish_states(struct mqtt *mqtt, const char *topic_prefix)
{
    for (size_t i = 0; i < mqtt->state_count; i++) {
        struct state *state = mqtt->states[i];
        if (topic_prefix != NULL && strncmp(state->topic, topic_prefix, strlen(topic_prefix)) != 0)
            continue;
        state->dirty = true;
        state->retry_ms = 0;
    }
    want_pump(mqtt);
}

void mqtt_forget_state(struct mqtt *mqtt, const char *topic)
{
    struct state *state = find_state(mqtt, topic);
    if (state != NULL)
        remove_state(mqtt, state);
}

void mqtt_flush_outbox(struct mqtt *mqtt)
{
    want_pump(mqtt);
}

bool mqtt_is_connected(const struct mqtt *mqtt)
{
    return mqtt->connected;
}

const char *mqtt_problem(const struct mqtt *mqtt)
{
    return mqtt->problem;
}

int mqtt_protocol(const struct mqtt *mqtt)
{
    return mqtt->protocol;
}

size_t mqtt_payload_max(const struct mqtt *mqtt)
{
    size_t max = mqtt->packet_max;
    if (max == 0 || max > MQTT_STATE_PAYLOAD_MAX + PACKET_OVERHEAD)
        return MQTT_STATE_PAYLOAD_MAX;
    return max > PACKET_OVERHEAD ? max - PACKET_OVERHEAD : 0;
}

/* Takes what the thread has, as a turn does, but tells nobody. */
static void take_last(struct mqtt *mqtt)
{
    struct link_status status;
    link_take(mqtt->link, &status);
    if (status.epoch == mqtt->epoch)
        take_acks(mqtt, &status);
    if (!status.connected || status.epoch != mqtt->epoch) {
        mqtt->connected = false;
        forget_flights(mqtt);
    }
}

static void say_offline(struct mqtt *mqtt, int64_t until_ms)
{
    free(mqtt->availability.payload);
    mqtt->availability.payload = xstrdup("offline");
    mqtt->availability.len = strlen("offline");
    mqtt->availability.dirty = true;
    mqtt->availability.retry_ms = 0;
    take_last(mqtt);
    pump(mqtt);
    if (mqtt->connected && mqtt->availability.dirty) /* no room: there is one place for it */
        send_state(mqtt, &mqtt->availability);
    while (mqtt->connected && mqtt->flight_count > 0 && clock_monotonic_ms() < until_ms) {
        link_wait(mqtt->link, until_ms);
        take_last(mqtt);
    }
}

void mqtt_stop(struct mqtt *mqtt, int64_t wait_ms)
{
    if (mqtt->link == NULL)
        return;
    mqtt->stopping = true;
    if (mqtt->started) {
        loop_remove_turn(mqtt->loop, turn, mqtt);
        loop_remove_timer(mqtt->loop, mqtt->timer);
    }
    if (mqtt->connected)
        say_offline(mqtt, clock_monotonic_ms() + wait_ms);
    mqtt->connected = false;
    forget_flights(mqtt);
    link_stop(mqtt->link, STOP_LINK_MS);
    mqtt->link = NULL;
}

void mqtt_free(struct mqtt *mqtt)
{
    if (mqtt == NULL)
        return;
    mqtt_stop(mqtt, 0);
    while (mqtt->state_count > 0)
        remove_state(mqtt, mqtt->states[0]);
    free(mqtt->availability.topic);
    free(mqtt->availability.payload);
    free(mqtt->host);
    free(mqtt->client_id);
    free(mqtt);
}
