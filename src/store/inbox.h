/* Messages that came in: committed before they are acknowledged, executed once. */
#ifndef HA_AI_STORE_INBOX_H
#define HA_AI_STORE_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

enum { INBOX_ROWS_MAX = 1000, INBOX_PAYLOAD_MAX = 64 * 1024, INBOX_KEEP_DAYS = 7 };

/* What is wrong with it at the door; the handler refuses it and says so. */
enum inbox_flag {
    INBOX_RETAINED = 1 << 0,
    INBOX_REPEATED = 1 << 1,  /* its id was seen before and it is no broker redelivery */
    INBOX_TOO_LARGE = 1 << 2, /* payload is cut to nothing; payload_len tells its size */
    INBOX_NOT_TEXT = 1 << 3,  /* NUL or invalid UTF-8; payload is empty */
};

struct inbox_message {
    int64_t row;
    char *id;            /* from the payload's "id", else made up */
    char *topic;
    char *payload;       /* NUL-terminated */
    size_t payload_len;  /* of what was received */
    int64_t received_ms; /* UTC, ours */
    unsigned flags;      /* enum inbox_flag */
};

/* Any thread with its own store: inserts and commits. `epoch` counts the connections: the same id
 * in the same epoch, or after it was executed, is repeated; in a later one while it still waits it is the
 * broker's redelivery and is ignored. Payload of len bytes is borrowed. When INBOX_ROWS_MAX rows wait, the
 * newest is refused: -1, ERROR_LIMIT. */
int inbox_insert(struct store *store, const char *topic, const void *payload, size_t len,
                 bool retained, int64_t epoch, int64_t now_ms, struct error *err);

/* The oldest that waits: 1 = filled (release it), 0 = none, -1 = error. */
int inbox_next(struct store *store, struct inbox_message *out, struct error *err);
void inbox_message_release(struct inbox_message *message);

/* In the transaction of what it caused. Old rows are pruned. */
int inbox_done(struct store *store, int64_t row, const char *result, struct error *err);

#endif
