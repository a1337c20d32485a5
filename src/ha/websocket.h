/* A WebSocket client (RFC 6455) on the loop: libwslay's frames over a connection that libcurl made,
 * so that certificates and proxies are treated as in core/http. Loop thread only. */
#ifndef HA_AI_HA_WEBSOCKET_H
#define HA_AI_HA_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>

#include "core/loop.h"

enum {
    WEBSOCKET_MESSAGE_MAX = 4 * 1024 * 1024, /* a larger one ends the connection */
    WEBSOCKET_QUEUE_MAX = 1024 * 1024,       /* bytes that wait to be sent */
    WEBSOCKET_HEAD_MAX = 16 * 1024,          /* of the answer to the upgrade */
    WEBSOCKET_OPEN_TIMEOUT_MS = 15 * 1000,   /* connection, TLS and upgrade together */
    WEBSOCKET_KEY_SIZE = 25,                 /* base64 of 16 bytes */
    WEBSOCKET_ACCEPT_SIZE = 29,              /* base64 of a SHA-1 */
};

struct websocket;

struct websocket_settings {
    const char *url; /* http(s)://host:port/path; copied */
    void (*on_open)(void *ctx);
    void (*on_message)(const char *text, size_t len, void *ctx); /* borrowed */
    /* Ended, or never began: one line why. Comes once, the connection is gone when it returns. */
    void (*on_closed)(const char *why, void *ctx);
    void *ctx;
};

/* Never blocks; no call-back comes from inside this call. */
struct websocket *websocket_open(struct loop *loop, const struct websocket_settings *settings);
/* Queues a text message. -1: not open, or WEBSOCKET_QUEUE_MAX bytes wait already. */
int websocket_send(struct websocket *ws, const char *text);
/* Says goodbye and ends it without on_closed. NULL is fine; so are its own call-backs. */
void websocket_close(struct websocket *ws);

/* The handshake's two halves. accept: what a server must answer to this key. */
void websocket_make_key(char key[WEBSOCKET_KEY_SIZE]);
void websocket_accept_of(const char *key, char accept[WEBSOCKET_ACCEPT_SIZE]);
/* The head of an answer, up to and with the empty line; -1 with one line why it is no upgrade. */
int websocket_check_upgrade(const char *head, const char *key, char *why, size_t size);

#endif
