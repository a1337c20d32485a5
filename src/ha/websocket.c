/* libcurl connects (through its multi handle, so nothing blocks), we upgrade, libwslay does the
 * frames. The easy handle stays in the multi: outside of it curl_easy_send finds no connection. */
#define _GNU_SOURCE /* getrandom */
#include "ha/websocket.h"

#include <assert.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/random.h>
#include <wslay/wslay.h>

#include "core/http.h"
#include "core/xalloc.h"

enum {
    READ_SLICE = 256 * 1024, /* bytes of one turn: others have theirs */
    WHY_SIZE = 512,
};

enum state { CONNECTING, UPGRADING, OPEN };

struct websocket {
    struct loop_transfer transfer; /* first: the loop knows us by it */
    struct loop *loop;
    struct websocket_settings settings;
    enum state state;
    CURL *easy;
    char *host, *path;  /* "host:port", "/path" */
    const char *failed; /* why it could not even start */
    int fd, timer, deadline;
    wslay_event_context_ptr frames;
    char key[WEBSOCKET_KEY_SIZE];
    char *out; /* the upgrade's request */
    size_t out_len, out_done;
    char *head; /* its answer, and what came behind that; freed when that is read */
    size_t head_len, head_read;
    size_t budget;
    bool ended_by_peer, in_call, is_gone;
    char curl_error[CURL_ERROR_SIZE];
    char recv_error[CURL_ERROR_SIZE];
};

static void drive(struct websocket *ws);

static void release(struct websocket *ws)
{
    loop_remove_timer(ws->loop, ws->timer);
    loop_remove_timer(ws->loop, ws->deadline);
    if (ws->fd >= 0)
        loop_remove_fd(ws->loop, ws->fd);
    wslay_event_context_free(ws->frames);
    if (ws->easy != NULL) {
        curl_multi_remove_handle(loop_multi(ws->loop), ws->easy); /* closes it */
        curl_easy_cleanup(ws->easy);
    }
    free(ws->host);
    free(ws->path);
    free(ws->out);
    free(ws->head);
    free(ws);
}

static void end(struct websocket *ws, const char *why)
{
    char text[WHY_SIZE];
    void (*on_closed)(const char *, void *) = ws->settings.on_closed;
    void *ctx = ws->settings.ctx;
    snprintf(text, sizeof(text), "%s", why);
    release(ws);
    on_closed(text, ctx);
}

void websocket_close(struct websocket *ws)
{
    if (ws == NULL)
        return;
    if (ws->frames != NULL && !ws->is_gone) {
        wslay_event_queue_close(ws->frames, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0);
        if (!ws->in_call)
            wslay_event_send(ws->frames);
    }
    ws->is_gone = true;
    if (!ws->in_call)
        release(ws);
}

static int64_t drive_later(void *ctx)
{
    struct websocket *ws = ctx;
    ws->timer = 0;
    drive(ws);
    return LOOP_TIMER_STOP;
}

static void plan_drive(struct websocket *ws)
{
    if (ws->timer == 0)
        ws->timer = loop_add_timer(ws->loop, 0, drive_later, ws);
}

static void on_ready(int fd, short events, void *ctx)
{
    (void)fd, (void)events;
    drive(ctx);
}

static void watch(struct websocket *ws, bool wants_write)
{
    loop_add_fd(ws->loop, ws->fd, wants_write ? POLLIN | POLLOUT : POLLIN, on_ready, ws);
}

/* --- bytes --- */

/* > 0: so many; 0: nothing now; -1: the connection is broken (recv_error says how). */
static ssize_t receive(struct websocket *ws, void *buf, size_t len)
{
    size_t n = 0;
    CURLcode result = curl_easy_recv(ws->easy, buf, len, &n);
    if (result == CURLE_AGAIN)
        return 0;
    if (result == CURLE_OK && n > 0)
        return (ssize_t)n;
    ws->ended_by_peer = result == CURLE_OK;
    if (result != CURLE_OK)
        snprintf(ws->recv_error, sizeof(ws->recv_error), "%s", curl_easy_strerror(result));
    return -1;
}

static ssize_t transmit(struct websocket *ws, const void *data, size_t len)
{
    size_t n = 0;
    CURLcode result = curl_easy_send(ws->easy, data, len, &n);
    if (result == CURLE_AGAIN)
        return 0;
    if (result == CURLE_OK)
        return (ssize_t)n;
    snprintf(ws->recv_error, sizeof(ws->recv_error), "%s", curl_easy_strerror(result));
    return -1;
}

static void describe_break(const struct websocket *ws, char why[WHY_SIZE])
{
    if (ws->ended_by_peer || ws->recv_error[0] == '\0')
        snprintf(why, WHY_SIZE, "%s closed the WebSocket", ws->host);
    else
        snprintf(why, WHY_SIZE, "the WebSocket to %s broke: %s", ws->host, ws->recv_error);
}

/* --- libwslay's call-backs --- */

static ssize_t on_recv(wslay_event_context_ptr frames, uint8_t *buf, size_t len, int flags,
                       void *ctx)
{
    struct websocket *ws = ctx;
    (void)flags;
    static_assert((int)WEBSOCKET_HEAD_MAX < (int)READ_SLICE, "the first slice takes all of it");
    size_t left = ws->head_len - ws->head_read; /* came with the upgrade */
    len = len < ws->budget ? len : ws->budget;
    if (left > 0) {
        size_t n = left < len ? left : len;
        memcpy(buf, ws->head + ws->head_read, n);
        ws->head_read += n;
        ws->budget -= n;
        return (ssize_t)n;
    }
    free(ws->head);
    ws->head = NULL;
    ssize_t n = ws->is_gone || len == 0 ? 0 : receive(ws, buf, len);
    if (n > 0) {
        ws->budget -= (size_t)n;
        return n;
    }
    wslay_event_set_error(frames, n == 0 ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t on_send(wslay_event_context_ptr frames, const uint8_t *data, size_t len, int flags,
                       void *ctx)
{
    (void)flags;
    ssize_t n = transmit(ctx, data, len);
    if (n > 0)
        return n;
    wslay_event_set_error(frames, n == 0 ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static int on_mask(wslay_event_context_ptr frames, uint8_t *buf, size_t len, void *ctx)
{
    (void)frames, (void)ctx;
    return getrandom(buf, len, 0) == (ssize_t)len ? 0 : -1;
}

static void on_message(wslay_event_context_ptr frames,
                       const struct wslay_event_on_msg_recv_arg *arg, void *ctx)
{
    struct websocket *ws = ctx;
    (void)frames;
    if (ws->is_gone || arg->opcode != WSLAY_TEXT_FRAME)
        return;
    ws->settings.on_message(arg->msg_length > 0 ? (const char *)arg->msg : "", arg->msg_length,
                            ws->settings.ctx);
}

/* --- open --- */

static void describe_end(const struct websocket *ws, char why[WHY_SIZE])
{
    if (wslay_event_get_close_received(ws->frames))
        snprintf(why, WHY_SIZE, "%s closed the WebSocket (code %u)", ws->host,
                 (unsigned)wslay_event_get_status_code_received(ws->frames));
    else if (wslay_event_get_status_code_sent(ws->frames) == WSLAY_CODE_MESSAGE_TOO_BIG)
        snprintf(why, WHY_SIZE, "a message of %s is larger than %d MB", ws->host,
                 WEBSOCKET_MESSAGE_MAX / 1024 / 1024);
    else if (!wslay_event_get_read_enabled(ws->frames) && !ws->ended_by_peer &&
             ws->recv_error[0] == '\0')
        snprintf(why, WHY_SIZE, "%s sends what is no WebSocket", ws->host);
    else
        describe_break(ws, why);
}

static void drive_frames(struct websocket *ws)
{
    char why[WHY_SIZE];
    ws->budget = READ_SLICE;
    ws->in_call = true;
    bool broken = wslay_event_recv(ws->frames) != 0;
    ws->in_call = false;
    broken = wslay_event_send(ws->frames) != 0 || broken; /* at least the goodbye */
    if (ws->is_gone) {
        release(ws);
    } else if (broken || !wslay_event_get_read_enabled(ws->frames)) {
        describe_end(ws, why);
        end(ws, why);
    } else {
        watch(ws, wslay_event_want_write(ws->frames));
        if (ws->budget == 0)
            plan_drive(ws);
    }
}

static void become_open(struct websocket *ws)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_recv,
        .send_callback = on_send,
        .genmask_callback = on_mask,
        .on_msg_recv_callback = on_message,
    };
    loop_remove_timer(ws->loop, ws->deadline);
    ws->deadline = 0;
    ws->state = OPEN;
    if (wslay_event_context_client_init(&ws->frames, &callbacks, ws) != 0)
        abort(); /* out of memory, as in xalloc */
    wslay_event_config_set_max_recv_msg_length(ws->frames, WEBSOCKET_MESSAGE_MAX);
    ws->in_call = true;
    ws->settings.on_open(ws->settings.ctx);
    ws->in_call = false;
    drive_frames(ws);
}

int websocket_send(struct websocket *ws, const char *text)
{
    size_t len = strlen(text);
    if (ws->is_gone || ws->state != OPEN ||
        wslay_event_get_queued_msg_length(ws->frames) + len > WEBSOCKET_QUEUE_MAX)
        return -1;
    struct wslay_event_msg message = {
        .opcode = WSLAY_TEXT_FRAME, .msg = (const uint8_t *)text, .msg_length = len};
    if (wslay_event_queue_msg(ws->frames, &message) != 0)
        return -1;
    if (!ws->in_call)
        plan_drive(ws);
    return 0;
}

/* --- connection and upgrade --- */

static void drive_upgrade(struct websocket *ws)
{
    char why[WHY_SIZE], detail[WHY_SIZE / 2];
    while (ws->out_done < ws->out_len) {
        ssize_t n = transmit(ws, ws->out + ws->out_done, ws->out_len - ws->out_done);
        if (n <= 0) {
            ws->ended_by_peer = false;
            describe_break(ws, why);
            if (n < 0)
                end(ws, why);
            else
                watch(ws, true);
            return;
        }
        ws->out_done += (size_t)n;
    }
    watch(ws, false);
    for (;;) {
        ssize_t n = receive(ws, ws->head + ws->head_len, WEBSOCKET_HEAD_MAX - ws->head_len);
        if (n == 0)
            return;
        if (n < 0) {
            describe_break(ws, why);
            end(ws, why);
            return;
        }
        ws->head_len += (size_t)n;
        ws->head[ws->head_len] = '\0';
        char *end_of_head = strstr(ws->head, "\r\n\r\n");
        if (end_of_head == NULL && ws->head_len < WEBSOCKET_HEAD_MAX)
            continue;
        if (end_of_head == NULL) {
            snprintf(why, sizeof(why), "the answer of %s to our WebSocket has more than %d kB",
                     ws->host, WEBSOCKET_HEAD_MAX / 1024);
            end(ws, why);
            return;
        }
        ws->head_read = (size_t)(end_of_head - ws->head) + 4;
        end_of_head[2] = '\0';
        if (websocket_check_upgrade(ws->head, ws->key, detail, sizeof(detail)) == 0) {
            become_open(ws);
            return;
        }
        snprintf(why, sizeof(why), "%s opens no WebSocket: %s", ws->host, detail);
        end(ws, why);
        return;
    }
}

static void drive(struct websocket *ws)
{
    if (ws->state == OPEN)
        drive_frames(ws);
    else
        drive_upgrade(ws);
}

static void on_connected(struct loop_transfer *transfer, CURLcode result)
{
    struct websocket *ws = (struct websocket *)transfer;
    char why[WHY_SIZE];
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (result == CURLE_OK)
        curl_easy_getinfo(ws->easy, CURLINFO_ACTIVESOCKET, &fd);
    if (fd == CURL_SOCKET_BAD) {
        const char *text = ws->curl_error[0] != '\0' ? ws->curl_error : curl_easy_strerror(result);
        snprintf(why, sizeof(why), "no WebSocket to %s: %s", ws->host, text);
        end(ws, why);
        return;
    }
    ws->fd = fd;
    ws->state = UPGRADING;
    websocket_make_key(ws->key);
    ws->out = xasprintf("GET %s HTTP/1.1\r\n"
                        "Host: %s\r\n"
                        "Upgrade: websocket\r\n"
                        "Connection: Upgrade\r\n"
                        "Sec-WebSocket-Key: %s\r\n"
                        "Sec-WebSocket-Version: 13\r\n"
                        "User-Agent: ha-ai/" HA_AI_VERSION "\r\n\r\n",
                        ws->path, ws->host, ws->key);
    ws->out_len = strlen(ws->out);
    ws->head = xcalloc(1, WEBSOCKET_HEAD_MAX + 1);
    drive_upgrade(ws);
}

static int64_t on_deadline(void *ctx)
{
    struct websocket *ws = ctx;
    char why[WHY_SIZE];
    ws->deadline = 0;
    if (ws->failed != NULL)
        snprintf(why, sizeof(why), "%s", ws->failed);
    else
        snprintf(why, sizeof(why), "%s opened no WebSocket within %d s", ws->host,
                 WEBSOCKET_OPEN_TIMEOUT_MS / 1000);
    end(ws, why);
    return LOOP_TIMER_STOP;
}

static bool parse_url(struct websocket *ws, const char *url)
{
    char *host = NULL, *port = NULL, *path = NULL;
    CURLU *parsed = curl_url();
    bool ok = parsed != NULL && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK && host[0] != '\0' &&
              curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
              curl_url_get(parsed, CURLUPART_PATH, &path, 0) == CURLUE_OK;
    ws->host = ok ? xasprintf("%s:%s", host, port) : xstrdup("the server");
    ws->path = xstrdup(ok ? path : "/");
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_url_cleanup(parsed);
    return ok;
}

struct websocket *websocket_open(struct loop *loop, const struct websocket_settings *settings)
{
    struct websocket *ws = xcalloc(1, sizeof(*ws));
    ws->transfer.done = on_connected;
    ws->loop = loop;
    ws->settings = *settings;
    ws->settings.url = NULL;
    ws->fd = -1;
    ws->easy = curl_easy_init();
    if (ws->easy == NULL)
        abort();
    if (!parse_url(ws, settings->url) ||
        curl_easy_setopt(ws->easy, CURLOPT_URL, settings->url) != CURLE_OK ||
        curl_easy_setopt(ws->easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK)
        ws->failed = "not an address that begins with http:// or https://";
    ws->deadline =
        loop_add_timer(loop, ws->failed != NULL ? 0 : WEBSOCKET_OPEN_TIMEOUT_MS, on_deadline, ws);
    if (ws->failed != NULL)
        return ws;
    curl_easy_setopt(ws->easy, CURLOPT_CONNECT_ONLY, 1L);
    /* HTTP/2 has another upgrade, which a proxy would else choose with TLS. */
    curl_easy_setopt(ws->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(ws->easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    curl_easy_setopt(ws->easy, CURLOPT_BUFFERSIZE, 1024L); /* we read by ourselves */
    curl_easy_setopt(ws->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(ws->easy, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a dead resolver */
    curl_easy_setopt(ws->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_TIMEOUT_MS);
    curl_easy_setopt(ws->easy, CURLOPT_ERRORBUFFER, ws->curl_error);
    curl_easy_setopt(ws->easy, CURLOPT_PRIVATE, &ws->transfer);
    if (curl_multi_add_handle(loop_multi(loop), ws->easy) != CURLM_OK)
        abort();
    return ws;
}
