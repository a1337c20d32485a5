/* Messages that came in: committed before they are acknowledged, executed once. */
#ifndef HA_AI_STORE_INBOX_H
#define HA_AI_STORE_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

enum {
    INBOX_ROWS_MAX = 1000, /* that wait */
    INBOX_PAYLOAD_MAX = 64 * 1024,
    INBOX_ID_MAX = 128, /* bytes; a longer "id" counts as none */
    INBOX_KEEP_DAYS = 7,
    INBOX_REDELIVERY_MS = 60 * 1000, /* a broker redelivers at once when a session goes on */
    INBOX_KEEP_ROWS = 5000, /* executed ones that are remembered at most, without payload */
};

/* What is wrong with it at the door; the handler refuses it and says so. */
enum inbox_flag {
    INBOX_RETAINED = 1 << 0,
    INBOX_REPEATED = 1 << 1,  /* its id was seen before and it is no broker redelivery */
    INBOX_TOO_LARGE = 1 << 2, /* payload is cut to nothing; payload_len tells its size */
    INBOX_NOT_TEXT = 1 << 3,  /* NUL or invalid UTF-8; payload is empty */
};

struct inbox_message {
    int64_t row;
    char *id; /* from the payload's "id" (a text or a number), else made up */
    char *topic;
    char *payload;       /* NUL-terminated */
    size_t payload_len;  /* of what was received */
    int64_t received_ms; /* UTC, ours */
    unsigned flags;      /* enum inbox_flag */
};

/* How a message arrived. */
struct inbox_arrival {
    const char *topic;
    const void *payload; /* borrowed; NULL when len is 0 */
    size_t len;
    bool retained;
    int mid;              /* MQTT packet id; 0 with QoS 0 */
    int64_t session;      /* counts the broker's sessions: a redelivery is of the same one */
    int64_t epoch;        /* counts the connections: a redelivery is of a later one */
    int64_t connected_ms; /* when this epoch began; UTC */
    int64_t now_ms;
};

/* Any thread with its own store: inserts and commits (in a transaction of its own).
 *   - the same content under the same packet id of the same session, at the beginning of a later
 *     epoch, is the broker's redelivery (it never saw our PUBACK): ignored, executed or not.
 *   - the same id on the same topic that still waits from an earlier epoch: ignored as well.
 *   - the same id otherwise: kept with INBOX_REPEATED.
 * 1 = inserted, 0 = ignored, -1 = error and not to be acknowledged: ERROR_LIMIT when
 * INBOX_ROWS_MAX rows wait. */
int inbox_insert(struct store *store, const struct inbox_arrival *arrival, struct error *err);

/* The oldest that waits: 1 = filled (release it), 0 = none, -1 = error. */
int inbox_next(struct store *store, struct inbox_message *out, struct error *err);
void inbox_message_release(struct inbox_message *message);

/* In the transaction of what it caused. Old rows are pruned. */
int inbox_done(struct store *store, int64_t row, const char *result, struct error *err);

/* How many wait. */
int inbox_count(struct store *store, int64_t *waiting, struct error *err);

#endif
