/* The connection to the broker, on a thread of its own (link.h). What comes in is committed to the
 * inbox there, before it is acknowledged; everything below happens on the loop's thread. */
#ifndef HA_AI_MQTT_MQTT_H
#define HA_AI_MQTT_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/loop.h"
#include "store/store.h"

enum {
    MQTT_TOPICS_MAX = 64,
    MQTT_INFLIGHT_MAX = 20,
    MQTT_STATES_MAX = 256,
    MQTT_STATE_PAYLOAD_MAX = 256 * 1024,
    MQTT_PACKET_MAX = 1024 * 1024, /* what a MQTT 5 broker may send us at once */
};

struct mqtt;

struct mqtt_settings {
    const char *host;
    int port;
    const char *username, *password; /* NULL = none */
    bool tls;
    const char *ca_file;   /* NULL with tls = the system's CAs */
    const char *client_id; /* fixed: the session persists */
    /* Availability, retained, QoS 1: the broker publishes "offline" when we vanish for 10 s;
     * "online" comes from here, at every connect, after all kept states; mqtt_stop says "offline".
     */
    const char *will_topic;
    const char *database_path; /* the thread opens its own store on it */
    /* Loop thread. `session` tells whether the broker kept our session. on_inbox comes once after
     * mqtt_start too, for what an earlier process left. */
    void (*on_connected)(bool session, void *ctx);
    /* taken_over: another client came with our id, as it seems. */
    void (*on_disconnected)(bool taken_over, void *ctx);
    void (*on_inbox)(void *ctx); /* the inbox has something */
    void *ctx;
};

/* Starts nothing yet. Strings are copied; store (borrowed) is the loop thread's, for the outbox. */
struct mqtt *mqtt_new(struct loop *loop, struct store *store, const struct mqtt_settings *settings,
                      struct error *err);

/* Exact topics, QoS 1; (re)subscribed at every connect. What was published with the retain flag
 * comes in as such (INBOX_RETAINED), what the broker keeps only at a new subscription (both MQTT
 * 5). MQTT_OWN: we publish there ourselves, retained; only what others publish from now on is
 * wanted. Before mqtt_start. */
enum mqtt_subscribe_flag { MQTT_OWN = 1 << 0 };
void mqtt_add_topic(struct mqtt *mqtt, const char *topic, unsigned flags);

int mqtt_start(struct mqtt *mqtt, struct error *err);

/* A retained state, QoS 1, last value wins: kept in memory, sent when connected, until it is
 * acknowledged; the value that the broker has already is not sent again. All are sent again at
 * every connect: a broker that crashed has older ones than it acknowledged. payload NULL = delete
 * the retained message. Order of topics is the order of the first call: configuration before
 * states. */
void mqtt_set_state(struct mqtt *mqtt, const char *topic, const char *payload, size_t len);
/* Sends all kept states again (after HA's birth); only those whose topic begins with topic_prefix
 * when it is not NULL. */
void mqtt_republish_states(struct mqtt *mqtt, const char *topic_prefix);
/* Forgets a kept state without touching the broker. */
void mqtt_forget_state(struct mqtt *mqtt, const char *topic);

/* Call after outbox_append's transaction: sends what waits, at the next turn of the loop (QoS 1,
 * message expiry = remaining TTL, content type application/json) while connected, at most
 * MQTT_INFLIGHT_MAX in flight. */
void mqtt_flush_outbox(struct mqtt *mqtt);

bool mqtt_is_connected(const struct mqtt *mqtt);
/* Why not: one line ("the broker refused user 'x': bad user name or password"), borrowed; "" while
 * connected. */
const char *mqtt_problem(const struct mqtt *mqtt);
/* 5 or 4 (3.1.1). */
int mqtt_protocol(const struct mqtt *mqtt);
/* Bytes of payload that the broker takes in one state, as it said when we last connected; never
 * more than MQTT_STATE_PAYLOAD_MAX. */
size_t mqtt_payload_max(const struct mqtt *mqtt);

/* Publishes offline, waits up to wait_ms for the PUBACK of it and of what is in flight,
 * disconnects, joins the thread. Never blocks longer than about wait_ms + 1 s, whatever the broker
 * does; a thread that hangs in the resolver is left behind and ends by itself. */
void mqtt_stop(struct mqtt *mqtt, int64_t wait_ms);
void mqtt_free(struct mqtt *mqtt);

#endif
