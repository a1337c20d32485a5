/* Messages on their way out: written in the transaction of the fact they report, deleted on PUBACK,
 * marked expired and counted when older than their TTL, never sent late. What is in flight is known
 * only to the sender, in memory: after a restart every row that still waits is sent (again), with
 * what is left of its TTL. */
#ifndef HA_AI_STORE_OUTBOX_H
#define HA_AI_STORE_OUTBOX_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

enum {
    OUTBOX_ROWS_MAX = 1000,              /* that wait */
    OUTBOX_BYTES_MAX = 16 * 1024 * 1024, /* of their payloads */
    OUTBOX_PAYLOAD_MAX = 256 * 1024,
    OUTBOX_TTL_MAX_S = 30 * 24 * 3600,
    OUTBOX_ENDED_MAX = 1000, /* kept without payload as a record of what was not sent */
};

struct outbox_message {
    int64_t row; /* grows; order of sending */
    char *topic;
    char *payload; /* JSON text */
    size_t payload_len;
    int64_t created_ms;
    int64_t expires_ms; /* UTC */
};

/* Queues payload for topic, QoS 1, not retained. Adds the envelope that is missing: id (UUIDv7),
 * timestamp, ttl, schema: 1. `payload` is borrowed and changed. When OUTBOX_ROWS_MAX or
 * OUTBOX_BYTES_MAX is reached the oldest row is marked dropped and counted. */
int outbox_append(struct store *store, const char *topic, json_object *payload, int64_t ttl_s,
                  int64_t now_ms, struct error *err);

/* The oldest waiting row above after_row (0 = of all): 1 = filled (release it), 0 = none, -1 =
 * error. Rows past their TTL are marked expired first. */
int outbox_next(struct store *store, int64_t after_row, int64_t now_ms, struct outbox_message *out,
                struct error *err);
void outbox_message_release(struct outbox_message *message);

/* Marks what is past its TTL (less than a second left: MQTT counts in seconds) as expired. */
int outbox_expire(struct store *store, int64_t now_ms, struct error *err);
int outbox_delete(struct store *store, int64_t row, struct error *err); /* on PUBACK */
/* Refused for good. */
int outbox_fail(struct store *store, int64_t row, const char *reason, struct error *err);

struct outbox_counts {
    int64_t waiting;                  /* now; in flight or not */
    int64_t expired, dropped, failed; /* since the database was made */
    int64_t oldest_ms;                /* created_ms of the oldest waiting row, 0 = none */
};
int outbox_count(struct store *store, struct outbox_counts *out, struct error *err);

#endif
