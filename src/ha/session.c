#include "ha/session.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "ha/websocket.h"

enum { SWEEP_MS = 1000, REFUSED_DELAY_MS = 5 * 60 * 1000 };

struct call {
    struct call *next;
    int64_t id, deadline_ms;
    const char *failed; /* delivered at the next sweep */
    session_result_fn on_result;
    void *ctx;
};

struct session_subscription {
    struct session_subscription *next;
    int64_t id; /* 0 = not on this connection */
    json_object *command;
    session_event_fn on_event;
    void *ctx;
};

struct session {
    struct loop *loop;
    struct session_settings settings;
    char *url;
    struct websocket *ws;
    bool is_started, is_open;
    int64_t next_id, delay_ms, opened_ms;
    int connect_timer, sweep_timer, ping_timer;
    struct call *calls;
    size_t call_count; /* of those that were sent */
    struct session_subscription *subscriptions;
    char problem[SESSION_PROBLEM_SIZE];
};

static int64_t connect_now(void *ctx);
static int64_t sweep(void *ctx);
static int64_t ping(void *ctx);
static void on_pong(json_object *result, const char *error, void *ctx);

json_object *session_command(const char *type)
{
    json_object *command = json_object_new_object();
    json_add_string(command, "type", type);
    return command;
}

/* --- calls --- */

static void plan_sweep(struct session *s, int64_t delay_ms)
{
    loop_remove_timer(s->loop, s->sweep_timer);
    s->sweep_timer = loop_add_timer(s->loop, delay_ms, sweep, s);
}

/* Takes it out of the list; the caller frees it. */
static void unlink_call(struct session *s, struct call **at)
{
    struct call *call = *at;
    *at = call->next;
    if (call->failed == NULL)
        s->call_count--;
}

static void finish_call(struct session *s, struct call **at, json_object *result, const char *error)
{
    struct call *call = *at;
    unlink_call(s, at);
    call->on_result(result, error, call->ctx);
    free(call);
}

/* Ends what failed or waits for too long. */
static int64_t sweep(void *ctx)
{
    struct session *s = ctx;
    s->sweep_timer = 0;
    int64_t now = clock_monotonic_ms();
    for (struct call **at = &s->calls; *at != NULL;) {
        if ((*at)->failed == NULL && (*at)->deadline_ms > now) {
            at = &(*at)->next;
            continue;
        }
        finish_call(s, at, NULL,
                    (*at)->failed != NULL ? (*at)->failed : "HA did not answer in time");
        at = &s->calls; /* the call-back may have changed the list */
    }
    if (s->calls != NULL && s->sweep_timer == 0)
        plan_sweep(s, SWEEP_MS);
    return LOOP_TIMER_STOP;
}

static void fail_calls(struct session *s)
{
    for (struct call *call = s->calls; call != NULL; call = call->next)
        call->failed = "the WebSocket to HA broke";
    s->call_count = 0;
    if (s->calls != NULL)
        plan_sweep(s, 0);
}

void session_call(struct session *s, json_object *command, session_result_fn on_result, void *ctx)
{
    struct call *call = xcalloc(1, sizeof(*call));
    *call = (struct call){.id = ++s->next_id,
                          .deadline_ms = clock_monotonic_ms() + SESSION_CALL_MS,
                          .on_result = on_result,
                          .ctx = ctx};
    json_add_int(command, "id", call->id);
    if (!s->is_open)
        call->failed = "HA's WebSocket is not open";
    else if (s->call_count >= SESSION_CALLS_MAX && on_result != on_pong)
        call->failed = "too many commands wait for HA";
    else if (websocket_send(s->ws, json_text(command)) < 0)
        call->failed = "the command does not fit into the queue to HA";
    else
        s->call_count++;
    json_object_put(command);
    struct call **last = &s->calls;
    while (*last != NULL)
        last = &(*last)->next;
    *last = call;
    if (call->failed != NULL || s->sweep_timer == 0)
        plan_sweep(s, call->failed != NULL ? 0 : SWEEP_MS);
}

void session_forget(struct session *s, const void *ctx)
{
    for (struct call **at = &s->calls; *at != NULL;) {
        struct call *call = *at;
        if (call->ctx != ctx) {
            at = &call->next;
            continue;
        }
        unlink_call(s, at);
        free(call);
    }
}

static void take_result(struct session *s, json_object *message)
{
    int64_t id = json_get_int(message, "id", 0);
    struct call **at = &s->calls;
    while (*at != NULL && (*at)->id != id)
        at = &(*at)->next;
    if (*at == NULL || (*at)->failed != NULL)
        return;
    bool is_pong = json_is(message, "type", "pong");
    if (is_pong || json_get_bool(message, "success", false)) {
        finish_call(s, at, json_object_object_get(message, "result"), NULL);
        return;
    }
    char text[SESSION_PROBLEM_SIZE];
    const char *words = json_get_string(json_get_object(message, "error"), "message");
    snprintf(text, sizeof(text), "%s", words != NULL ? words : "HA refuses the command");
    for (char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    finish_call(s, at, NULL, text);
}

/* --- subscriptions --- */

static void on_subscribed(json_object *result, const char *error, void *ctx)
{
    struct session_subscription *subscription = ctx;
    (void)result;
    if (error != NULL) {
        subscription->id = 0;
        log_warn("ha", "HA refuses to tell of changes: %s", error);
    }
}

static void send_subscription(struct session *s, struct session_subscription *subscription)
{
    subscription->id = s->next_id + 1; /* its events may come with its answer */
    /* A copy, for the command is sent again on the next connection. */
    json_object *command = json_parse(json_text(subscription->command),
                                      strlen(json_text(subscription->command)), NULL);
    session_call(s, command, on_subscribed, subscription);
}

struct session_subscription *session_subscribe(struct session *s, json_object *command,
                                               session_event_fn on_event, void *ctx)
{
    size_t count = 0;
    struct session_subscription **at = &s->subscriptions;
    for (; *at != NULL; at = &(*at)->next)
        count++;
    if (count >= SESSION_SUBSCRIPTIONS_MAX) {
        json_object_put(command);
        return NULL;
    }
    struct session_subscription *subscription = xcalloc(1, sizeof(*subscription));
    *subscription =
        (struct session_subscription){.command = command, .on_event = on_event, .ctx = ctx};
    *at = subscription;
    if (s->is_open)
        send_subscription(s, subscription);
    return subscription;
}

static void on_unsubscribed(json_object *result, const char *error, void *ctx)
{
    (void)result, (void)error, (void)ctx;
}

void session_unsubscribe(struct session *s, struct session_subscription *subscription)
{
    if (subscription == NULL)
        return;
    for (struct session_subscription **at = &s->subscriptions; *at != NULL; at = &(*at)->next)
        if (*at == subscription) {
            *at = subscription->next;
            break;
        }
    session_forget(s, subscription);
    if (s->is_open && subscription->id != 0) {
        json_object *command = session_command("unsubscribe_events");
        json_add_int(command, "subscription", subscription->id);
        session_call(s, command, on_unsubscribed, NULL);
    }
    json_object_put(subscription->command);
    free(subscription);
}

static void take_event(struct session *s, json_object *message)
{
    int64_t id = json_get_int(message, "id", 0);
    for (struct session_subscription *sub = s->subscriptions; sub != NULL; sub = sub->next)
        if (sub->id == id) {
            sub->on_event(json_object_object_get(message, "event"), sub->ctx);
            return;
        }
}

/* --- the connection --- */

static void tell_changed(struct session *s)
{
    if (s->settings.on_changed != NULL)
        s->settings.on_changed(s->settings.ctx);
}

/* Ends the connection, if there is one; `why` becomes the problem. */
static void drop(struct session *s, const char *why)
{
    bool was_open = s->is_open;
    bool is_news = strcmp(s->problem, why) != 0;
    websocket_close(s->ws);
    s->ws = NULL;
    s->is_open = false;
    loop_remove_timer(s->loop, s->ping_timer);
    s->ping_timer = 0;
    for (struct session_subscription *sub = s->subscriptions; sub != NULL; sub = sub->next)
        sub->id = 0;
    fail_calls(s);
    snprintf(s->problem, sizeof(s->problem), "%s", why);
    if (was_open || is_news)
        tell_changed(s);
}

static void connect_later(struct session *s, int64_t delay_ms)
{
    loop_remove_timer(s->loop, s->connect_timer);
    s->connect_timer = loop_add_timer(s->loop, delay_ms, connect_now, s);
}

static void lose(struct session *s, const char *why)
{
    if (s->is_open && clock_monotonic_ms() - s->opened_ms >= SESSION_STEADY_MS)
        s->delay_ms = SESSION_FIRST_DELAY_MS;
    if (s->is_open)
        log_info("ha", "%s", why);
    else if (strcmp(s->problem, why) != 0)
        log_warn("ha", "%s", why);
    drop(s, why);
    connect_later(s, s->delay_ms);
    s->delay_ms = s->delay_ms * 2 < SESSION_LAST_DELAY_MS ? s->delay_ms * 2 : SESSION_LAST_DELAY_MS;
}

static void become_open(struct session *s)
{
    s->is_open = true;
    s->opened_ms = clock_monotonic_ms();
    s->problem[0] = '\0';
    loop_remove_timer(s->loop, s->ping_timer);
    s->ping_timer = loop_add_timer(s->loop, SESSION_PING_MS, ping, s);
    log_info("ha", "HA's WebSocket is open");
    for (struct session_subscription *sub = s->subscriptions; sub != NULL; sub = sub->next)
        send_subscription(s, sub);
    tell_changed(s);
}

static void log_in(struct session *s)
{
    json_object *auth = session_command("auth");
    json_add_string(auth, "access_token", s->settings.token);
    bool sent = websocket_send(s->ws, json_text(auth)) == 0;
    json_object_put(auth);
    if (!sent)
        lose(s, "the login does not fit into the queue to HA");
}

static void on_message(const char *text, size_t len, void *ctx)
{
    struct session *s = ctx;
    struct error err;
    json_object *message = json_parse(text, len, &err);
    const char *type = json_get_string(message, "type");
    if (type == NULL) {
        lose(s, "HA's WebSocket sends what is no message of HA's");
    } else if (s->is_open) {
        if (strcmp(type, "event") == 0)
            take_event(s, message);
        else if (strcmp(type, "result") == 0 || strcmp(type, "pong") == 0)
            take_result(s, message);
    } else if (strcmp(type, "auth_required") == 0) {
        log_in(s);
    } else if (strcmp(type, "auth_ok") == 0) {
        become_open(s);
    } else if (strcmp(type, "auth_invalid") == 0) {
        s->delay_ms = REFUSED_DELAY_MS; /* HA logs and counts these */
        lose(s, "HA's WebSocket rejects HA_TOKEN");
    }
    json_object_put(message);
}

static void on_open(void *ctx)
{
    (void)ctx; /* HA speaks first */
}

static void on_closed(const char *why, void *ctx)
{
    struct session *s = ctx;
    s->ws = NULL;
    lose(s, why);
}

static int64_t connect_now(void *ctx)
{
    struct session *s = ctx;
    s->connect_timer = 0;
    struct websocket_settings settings = {.url = s->url,
                                          .on_open = on_open,
                                          .on_message = on_message,
                                          .on_closed = on_closed,
                                          .ctx = s};
    s->ws = websocket_open(s->loop, &settings);
    /* The login's time; a ping watches it later. */
    loop_remove_timer(s->loop, s->ping_timer);
    s->ping_timer = loop_add_timer(s->loop, WEBSOCKET_OPEN_TIMEOUT_MS + SESSION_PONG_MS, ping, s);
    return LOOP_TIMER_STOP;
}

static int64_t on_no_pong(void *ctx)
{
    struct session *s = ctx;
    s->ping_timer = 0;
    lose(s, "HA's WebSocket does not answer a ping");
    return LOOP_TIMER_STOP;
}

static void on_pong(json_object *result, const char *error, void *ctx)
{
    struct session *s = ctx;
    (void)result;
    if (error != NULL)
        return; /* the connection is gone, or the queue full: on_no_pong decides */
    loop_remove_timer(s->loop, s->ping_timer);
    s->ping_timer = loop_add_timer(s->loop, SESSION_PING_MS, ping, s);
}

static int64_t ping(void *ctx)
{
    struct session *s = ctx;
    s->ping_timer = 0;
    if (!s->is_open) {
        lose(s, "HA's WebSocket does not answer the login");
        return LOOP_TIMER_STOP;
    }
    s->ping_timer = loop_add_timer(s->loop, SESSION_PONG_MS, on_no_pong, s);
    session_call(s, session_command("ping"), on_pong, s);
    return LOOP_TIMER_STOP;
}

/* --- its life --- */

struct session *session_new(struct loop *loop, const struct session_settings *settings)
{
    struct session *s = xcalloc(1, sizeof(*s));
    s->loop = loop;
    s->settings = *settings;
    s->url = xasprintf("%s/api/websocket", settings->url);
    s->delay_ms = SESSION_FIRST_DELAY_MS;
    snprintf(s->problem, sizeof(s->problem), "not connected yet");
    return s;
}

void session_start(struct session *s)
{
    if (s->is_started)
        return;
    s->is_started = true;
    s->delay_ms = SESSION_FIRST_DELAY_MS;
    connect_later(s, 0);
}

void session_stop(struct session *s, const char *why)
{
    s->is_started = false;
    loop_remove_timer(s->loop, s->connect_timer);
    s->connect_timer = 0;
    drop(s, why);
}

void session_free(struct session *s)
{
    if (s == NULL)
        return;
    s->settings.on_changed = NULL;
    session_stop(s, "");
    loop_remove_timer(s->loop, s->sweep_timer);
    while (s->calls != NULL) {
        struct call *call = s->calls;
        s->calls = call->next;
        free(call);
    }
    while (s->subscriptions != NULL) {
        struct session_subscription *subscription = s->subscriptions;
        s->subscriptions = subscription->next;
        json_object_put(subscription->command);
        free(subscription);
    }
    free(s->url);
    free(s);
}

bool session_is_open(const struct session *s)
{
    return s->is_open;
}

const char *session_problem(const struct session *s)
{
    return s->problem;
}
