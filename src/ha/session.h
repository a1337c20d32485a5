/* HA's WebSocket API: logged in, with numbered commands and their answers, subscriptions that
 * survive a new connection, pings, and a new connection after each loss. For the files of ha/
 * alone. Loop thread only. */
#ifndef HA_AI_HA_SESSION_H
#define HA_AI_HA_SESSION_H

#include <json-c/json.h>
#include <stdbool.h>

#include "core/loop.h"

enum {
    SESSION_CALLS_MAX = 64,        /* commands that wait for their answer */
    SESSION_SUBSCRIPTIONS_MAX = 8, /* at once */
    SESSION_CALL_MS = 30 * 1000,   /* then a command has failed */
    SESSION_PING_MS = 30 * 1000,
    SESSION_PONG_MS = 20 * 1000, /* without an answer to a ping the connection is dead */
    SESSION_FIRST_DELAY_MS = 5 * 1000,
    SESSION_LAST_DELAY_MS = 5 * 60 * 1000,
    SESSION_STEADY_MS = 60 * 1000, /* what held so long is tried again after the first delay */
    SESSION_PROBLEM_SIZE = 512,
};

struct session;

struct session_settings {
    const char *url; /* http(s)://host:port of HA; borrowed for the session's life, as the token */
    const char *token;
    void (*on_changed)(void *ctx); /* open or not, or the problem, changed */
    void *ctx;
};

struct session *session_new(struct loop *loop, const struct session_settings *settings);
void session_free(struct session *session); /* calls that wait end without their call-back */

/* Starts to connect; does nothing while it does. Stopped, it says `why` as its problem. */
void session_start(struct session *session);
void session_stop(struct session *session, const char *why);

bool session_is_open(const struct session *session);
const char *session_problem(const struct session *session); /* borrowed; "" when open */

/* Sends a command {"type": ...}, whose reference it steals. on_result comes once, never from inside
 * this call: the borrowed result (NULL for null), or one line with HA's own words in error. */
typedef void (*session_result_fn)(json_object *result, const char *error, void *ctx);
void session_call(struct session *session, json_object *command, session_result_fn on_result,
                  void *ctx);
/* Forgets all calls of this ctx, without their call-back. */
void session_forget(struct session *session, const void *ctx);

/* Subscribes with this command (steals it), now and on each later connection. on_event gets the
 * borrowed event. NULL when SESSION_SUBSCRIPTIONS_MAX are there. */
struct session_subscription;
typedef void (*session_event_fn)(json_object *event, void *ctx);
struct session_subscription *session_subscribe(struct session *session, json_object *command,
                                               session_event_fn on_event, void *ctx);
void session_unsubscribe(struct session *session, struct session_subscription *subscription);

/* {"type": type} */
json_object *session_command(const char *type);

#endif
