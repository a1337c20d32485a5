/* For mqtt.c alone: one connection to the broker and the thread that keeps it, for ever.
 *
 * The thread makes a new libmosquitto instance for every attempt and drives it itself (threaded
 * mode, so that a PUBACK leaves only after on_message returned). So there is one road for all kinds
 * of failure, nothing of the library's in-memory queue survives a connection (it would resend with
 * the old message expiry), and the back-off is ours. Every function is for the loop's thread. */
#ifndef HA_AI_MQTT_LINK_H
#define HA_AI_MQTT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/loop.h"
#include "mqtt/mqtt.h"

enum {
    LINK_KEEPALIVE_S = 10,
    LINK_CONNECT_MS = 4000, /* TCP, an address */
    LINK_CONNACK_MS = 5000, /* TLS and MQTT */
    LINK_BACKOFF_MIN_MS = 250,
    LINK_BACKOFF_MAX_MS = 5000, /* and up to a quarter more, at random */
    LINK_STABLE_MS = 30 * 1000, /* a connection that lasted so long forgets earlier failures */
    LINK_SHORT_LIFE_MS = 10 * 1000,
    LINK_SHORT_LIVES = 3, /* so many in a row look like another client with our id */
    LINK_SESSION_EXPIRY_S = 24 * 3600,
    LINK_WILL_DELAY_S = 10,
    LINK_ACKS_MAX = MQTT_INFLIGHT_MAX + 4,
    LINK_PROBLEM_SIZE = 256,
};

struct link;

/* Copies everything it is given. */
struct link *link_new(struct loop *loop, const struct mqtt_settings *settings);
void link_add_topic(struct link *link, const char *topic, unsigned flags);
int link_start(struct link *link, struct error *err);

struct link_ack {
    int mid;
    int reason; /* MQTT 5 reason code; 0 over 3.1.1 */
};

struct link_status {
    bool connected, session;
    bool taken_over;     /* the last connection: by another client with our id, as it seems */
    int64_t epoch;       /* of the present or last connection */
    int protocol;        /* 5 or 4 */
    uint32_t packet_max; /* bytes that the broker takes at once; 0 = it told none */
    bool inbox;          /* something was inserted since the last call */
    char problem[LINK_PROBLEM_SIZE];
    struct link_ack acks[LINK_ACKS_MAX]; /* of this epoch, since the last call */
    size_t ack_count;
};
void link_take(struct link *link, struct link_status *out);

struct link_message {
    const char *topic, *payload;
    size_t len;
    bool retain;
    int64_t expiry_s; /* 0 = none */
    bool json;
};
/* QoS 1. 0 = handed over, *mid is set; 1 = not now (the connection is gone); -1 = never, with *err.
 */
int link_publish(struct link *link, int64_t epoch, const struct link_message *message, int *mid,
                 struct error *err);

/* About once a second: ends a TCP connect that hangs. */
void link_tick(struct link *link);

/* Waits until an acknowledgement came, the connection ended, or the monotonic time. */
void link_wait(struct link *link, int64_t until_ms);

/* Disconnects, ends the thread within about timeout_ms or leaves it behind, frees. NULL is fine. */
void link_stop(struct link *link, int64_t timeout_ms);

#endif
