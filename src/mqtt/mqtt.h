/* The connection to the broker: libmosquitto's own thread, supervised. Its on_message commits to
 * the inbox and wakes the loop; everything else happens on the loop's thread. */
#ifndef HA_AI_MQTT_MQTT_H
#define HA_AI_MQTT_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/loop.h"
#include "store/store.h"

enum { MQTT_TOPICS_MAX = 64, MQTT_INFLIGHT_MAX = 20, MQTT_STATES_MAX = 256 };

struct mqtt;

struct mqtt_settings {
    const char *host;
    int port;
    const char *username, *password; /* NULL = none */
    bool tls;
    const char *ca_file;             /* NULL with tls = the system's CAs */
    const char *client_id;           /* fixed: the session persists */
    const char *will_topic;          /* gets "offline" retained, QoS 1 */
    const char *database_path;       /* the thread opens its own store on it */
    /* Loop thread. `session` tells whether the broker kept our session. */
    void (*on_connected)(bool session, void *ctx);
    void (*on_disconnected)(void *ctx);
    void (*on_inbox)(void *ctx);     /* the inbox has something */
    void *ctx;
};

/* Starts nothing yet. Strings are copied; store (borrowed) is the loop thread's, for the outbox. */
struct mqtt *mqtt_new(struct loop *loop, struct store *store, const struct mqtt_settings *settings,
                      struct error *err);

/* Exact topics, QoS 1; (re)subscribed at every connect. MQTT_OWN: our own messages and retained
 * ones are not wanted there (MQTT 5 no-local, retain-handling 2). Before mqtt_start. */
enum mqtt_subscribe_flag { MQTT_OWN = 1 << 0 };
void mqtt_add_topic(struct mqtt *mqtt, const char *topic, unsigned flags);

int mqtt_start(struct mqtt *mqtt, struct error *err);

/* A retained state, QoS 1, last value wins: kept in memory, sent when connected, sent again after
 * a reconnect without session. payload NULL = delete the retained message. Order of topics is the order of
 * the first call: configuration before states. */
void mqtt_set_state(struct mqtt *mqtt, const char *topic, const char *payload, size_t len);
/* Sends all kept states again (after HA's birth, a new session); `first` topics of a prefix only
 * when not NULL. */
void mqtt_republish_states(struct mqtt *mqtt, const char *topic_prefix);
/* Forgets a kept state without touching the broker. */
void mqtt_forget_state(struct mqtt *mqtt, const char *topic);

/* Call after outbox_append's transaction: sends what waits (QoS 1, message expiry = remaining
 * TTL, content type application/json) while connected, at most MQTT_INFLIGHT_MAX in flight. */
void mqtt_flush_outbox(struct mqtt *mqtt);

bool mqtt_is_connected(const struct mqtt *mqtt);
/* Why not: one line ("the broker refused user 'x': bad user name or password"), borrowed; "" while
 * connected. */
const char *mqtt_problem(const struct mqtt *mqtt);
/* 5 or 4 (3.1.1). */
int mqtt_protocol(const struct mqtt *mqtt);

/* Publishes offline, waits up to wait_ms for its PUBACK, disconnects, joins the thread. Never
 * blocks longer than about wait_ms + 1 s, whatever the broker does. */
void mqtt_stop(struct mqtt *mqtt, int64_t wait_ms);
void mqtt_free(struct mqtt *mqtt);

#endif
