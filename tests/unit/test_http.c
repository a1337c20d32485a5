/* The HTTP client against a server thread that answers each path with its own kind of trouble. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/http.h"

enum { REQUEST_MAX = 16384, RUNNING_MAX = 32 };

static struct {
    int listener, port;
    pthread_t thread;
    pthread_mutex_t lock;
    char last_request[REQUEST_MAX];
} server;

/* --- the server --- */

static void send_text(int fd, const char *text)
{
    ssize_t ignored = send(fd, text, strlen(text), MSG_NOSIGNAL);
    (void)ignored;
}

static bool is_gone(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void pause_ms(int ms)
{
    poll(NULL, 0, ms);
}

static void send_endless(int fd, const char *head, const char *piece)
{
    send_text(fd, head);
    for (size_t sent = 0; sent < (size_t)HTTP_BODY_MAX * 2; sent += strlen(piece))
        if (send(fd, piece, strlen(piece), MSG_NOSIGNAL) < 0)
            return;
}

static void answer(int fd, const char *path)
{
    static char large[65537];
    memset(large, 'x', sizeof(large) - 1);
    if (strncmp(path, "/ok", 3) == 0) {
        send_text(fd, "HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\nContent-Length: "
                      "5\r\n\r\nhello");
    } else if (strncmp(path, "/missing", 8) == 0) {
        send_text(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
    } else if (strncmp(path, "/empty", 6) == 0) {
        send_text(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    } else if (strncmp(path, "/elsewhere", 10) == 0) {
        send_text(
            fd,
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:9/x\r\nContent-Length: 0\r\n\r\n");
    } else if (strncmp(path, "/file", 5) == 0) {
        send_text(
            fd, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
    } else if (strncmp(path, "/cut", 4) == 0) {
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nonly this");
    } else if (strncmp(path, "/nothing", 8) == 0) {
    } else if (strncmp(path, "/garbage", 8) == 0) {
        send_text(fd, "\x16\x03\x01 220 mail ready\r\n");
    } else if (strncmp(path, "/headers", 8) == 0) {
        send_endless(fd, "HTTP/1.1 200 OK\r\n",
                     "X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
    } else if (strncmp(path, "/huge", 5) == 0) {
        send_endless(fd, "HTTP/1.1 200 OK\r\n\r\n", large);
    } else if (strncmp(path, "/claims", 7) == 0) {
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9000000000000\r\n\r\nx");
    } else if (strncmp(path, "/silent", 7) == 0) {
        for (int i = 0; i < 300 && !is_gone(fd); i++)
            pause_ms(10);
    } else if (strncmp(path, "/stream", 7) == 0) {
        send_text(fd, "HTTP/1.1 200 OK\r\n\r\n");
        for (int i = 0; i < 300 && !is_gone(fd); i++) {
            send_text(fd, "data: ping\n\n");
            pause_ms(5);
        }
    } else if (strncmp(path, "/refused", 8) == 0) {
        send_text(fd, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 17\r\n\r\n401: Unauthorized");
    }
}

static void *serve_one(void *ctx)
{
    int fd = (int)(intptr_t)ctx;
    char request[REQUEST_MAX] = "";
    size_t len = 0;
    while (len < sizeof(request) - 1 && strstr(request, "\r\n\r\n") == NULL &&
           request[0] != 0x16 /* TLS */) {
        ssize_t n = recv(fd, request + len, sizeof(request) - 1 - len, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
        request[len] = '\0';
    }
    pthread_mutex_lock(&server.lock);
    snprintf(server.last_request, sizeof(server.last_request), "%s", request);
    pthread_mutex_unlock(&server.lock);
    const char *path = strchr(request, '/');
    if (request[0] == 0x16)
        send_text(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
    else if (path != NULL)
        answer(fd, path);
    shutdown(fd, SHUT_RDWR);
    close(fd);
    return NULL;
}

static void *serve(void *ctx)
{
    (void)ctx;
    for (;;) {
        int fd = accept(server.listener, NULL, NULL);
        pthread_t thread;
        if (fd < 0)
            return NULL;
        if (pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd) == 0)
            pthread_detach(thread);
    }
}

static int start_server(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    signal(SIGPIPE, SIG_IGN);
    unsetenv("http_proxy");
    pthread_mutex_init(&server.lock, NULL);
    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server.listener, (struct sockaddr *)&address, size) != 0 ||
        listen(server.listener, 64) != 0 ||
        getsockname(server.listener, (struct sockaddr *)&address, &size) != 0)
        return -1;
    server.port = ntohs(address.sin_port);
    return pthread_create(&server.thread, NULL, serve, NULL);
}

static int stop_server(void **state)
{
    (void)state;
    shutdown(server.listener, SHUT_RDWR);
    close(server.listener);
    pthread_join(server.thread, NULL);
    return 0;
}

/* --- what came of a request --- */

struct outcome {
    int calls, pieces, status;
    size_t body_len, data_len;
    int64_t date_ms;
    char error[512], body[256], redirect[256];
    struct http_transfer *transfer;
    struct loop *loop;
    int cancel_after; /* pieces */
};

static void on_done(const struct http_response *response, void *ctx)
{
    struct outcome *o = ctx;
    o->calls++;
    o->status = response->status;
    o->body_len = response->body_len;
    o->date_ms = response->date_ms;
    assert_int_equal(response->body[response->body_len], '\0');
    assert_int_equal(response->error[0] == '\0', response->status != 0);
    snprintf(o->error, sizeof(o->error), "%s", response->error);
    snprintf(o->body, sizeof(o->body), "%s", response->body);
    snprintf(o->redirect, sizeof(o->redirect), "%s", response->redirect ? response->redirect : "");
    http_cancel(o->transfer); /* must do nothing here */
}

static void on_data(const char *data, size_t len, void *ctx)
{
    struct outcome *o = ctx;
    assert_true(len > 0);
    assert_true(data[0] == 'd' || o->data_len > 0);
    o->pieces++;
    o->data_len += len;
    if (o->pieces == o->cancel_after) {
        http_cancel(o->transfer);
        o->transfer = NULL;
    }
}

static void url_of(char *out, size_t size, const char *path)
{
    if (path[0] == '/')
        snprintf(out, size, "http://127.0.0.1:%d%s", server.port, path);
    else
        snprintf(out, size, "%s", path);
}

static struct http_transfer *start(struct loop *loop, const char *path, struct outcome *o,
                                   int64_t timeout_ms, bool stream)
{
    char url[256];
    url_of(url, sizeof(url), path);
    struct http_request request = {.method = "GET",
                                   .url = url,
                                   .bearer = "s3cret.token",
                                   .timeout_ms = timeout_ms,
                                   .on_data = stream ? on_data : NULL,
                                   .on_done = on_done,
                                   .ctx = o};
    o->loop = loop;
    o->transfer = http_start(loop, &request);
    assert_int_equal(o->calls, 0);
    return o->transfer;
}

static void wait_for(struct loop *loop, const int *value, int wanted)
{
    int64_t end_ms = clock_monotonic_ms() + 20000;
    while (*value < wanted && clock_monotonic_ms() < end_ms)
        loop_turn(loop, 50);
    assert_true(*value >= wanted);
}

static struct outcome get(const char *path, int64_t timeout_ms)
{
    struct outcome o = {0};
    struct loop *loop = loop_new();
    start(loop, path, &o, timeout_ms, false);
    wait_for(loop, &o.calls, 1);
    for (int i = 0; i < 3; i++)
        loop_turn(loop, 1);
    assert_int_equal(o.calls, 1);
    assert_null(strstr(o.error, "s3cret"));
    loop_free(loop);
    return o;
}

static void check_error(const char *path, int64_t timeout_ms, const char *part)
{
    struct outcome o = get(path, timeout_ms);
    assert_int_equal(o.status, 0);
    assert_int_equal(o.body_len, 0);
    if (strstr(o.error, part) == NULL)
        fail_msg("%s: '%s' does not say '%s'", path, o.error, part);
}

/* --- tests --- */

static void test_answers(void **state)
{
    (void)state;
    struct outcome o = get("/ok", 0);
    assert_int_equal(o.status, 200);
    assert_string_equal(o.body, "hello");
    assert_true(o.date_ms == 1795435200000);
    assert_non_null(strstr(server.last_request, "GET /ok HTTP/1.1\r\n"));
    assert_non_null(strstr(server.last_request, "\r\nAuthorization: Bearer s3cret.token\r\n"));
    o = get("/missing", 0);
    assert_int_equal(o.status, 404);
    assert_string_equal(o.body, "none");
    assert_true(o.date_ms == 0);
    o = get("/empty", 0);
    assert_int_equal(o.status, 204);
    assert_string_equal(o.body, "");
}

static void test_posts_json(void **state)
{
    (void)state;
    struct outcome o = {0};
    struct loop *loop = loop_new();
    char url[256], body[64] = "{\"a\":1}";
    url_of(url, sizeof(url), "/ok");
    struct http_request request = {
        .method = "POST", .url = url, .json_body = body, .on_done = on_done, .ctx = &o};
    o.transfer = http_start(loop, &request);
    memset(url, 'x', sizeof(url) - 1); /* they were copied */
    memset(body, 'x', sizeof(body) - 1);
    wait_for(loop, &o.calls, 1);
    assert_int_equal(o.status, 200);
    assert_non_null(strstr(server.last_request, "POST /ok HTTP/1.1\r\n"));
    assert_non_null(strstr(server.last_request, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(server.last_request, "\r\n\r\n{\"a\":1}"));
    assert_null(strstr(server.last_request, "Authorization"));
    loop_free(loop);
}

static void test_does_not_follow_redirects(void **state)
{
    (void)state;
    struct outcome o = get("/elsewhere", 0);
    assert_int_equal(o.status, 302);
    assert_string_equal(o.redirect, "http://127.0.0.2:9/x");
    o = get("/file", 0);
    assert_int_equal(o.status, 302);
}

static void test_troubles_in_plain_words(void **state)
{
    (void)state;
    check_error("/cut", 0, "closed the connection before its answer was complete");
    check_error("/nothing", 0, "closed the connection before its answer was complete");
    check_error("/garbage", 0, "does not answer in HTTP");
    check_error("/silent", 200, "no whole answer from 127.0.0.1:");
    check_error("http://127.0.0.1:1/", 0, "could not connect to 127.0.0.1:1 ");
    check_error("http://no-such-host.invalid/", 0,
                "could not find the host of no-such-host.invalid");
    check_error("https://user:s3cret@127.0.0.1:1/", 0, "could not connect to 127.0.0.1:1 ");
    check_error("ftp://127.0.0.1/", 0, "begins with http:// or https://");
    check_error("file:///etc/passwd", 0, "begins with http:// or https://");
    check_error("homeassistant.local:8123", 0, "begins with http:// or https://");
    check_error("http://", 0, "begins with http:// or https://");
    check_error("x", 0, "begins with http:// or https://");
    char tls[64];
    snprintf(tls, sizeof(tls), "https://127.0.0.1:%d/", server.port);
    check_error(tls, 2000, "is it https there?");
}

static void test_limits(void **state)
{
    (void)state;
    check_error("/huge", 0, "is larger than 32 MB");
    check_error("/headers", 0, "are larger than 64 kB");
    check_error("/claims", 0, "closed the connection");
}

static void test_refuses_a_token_with_a_line_end(void **state)
{
    (void)state;
    struct outcome o = {0};
    struct loop *loop = loop_new();
    struct http_request request = {.method = "GET",
                                   .url = "http://127.0.0.1:1/",
                                   .bearer = "a\r\nX-Evil: s3cret",
                                   .on_done = on_done,
                                   .ctx = &o};
    o.transfer = http_start(loop, &request);
    assert_int_equal(o.calls, 0);
    wait_for(loop, &o.calls, 1);
    assert_non_null(strstr(o.error, "the token holds a blank"));
    loop_free(loop);
}

static void test_streams(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct outcome endless = {.cancel_after = 5}, cut = {0}, refused = {0};
    start(loop, "/stream", &endless, -1, true);
    wait_for(loop, &endless.pieces, 5);
    for (int i = 0; i < 5; i++)
        loop_turn(loop, 10);
    assert_int_equal(endless.pieces, 5);
    assert_int_equal(endless.calls, 0); /* cancelled inside its own call-back */
    start(loop, "/refused", &refused, -1, true);
    wait_for(loop, &refused.calls, 1);
    assert_int_equal(refused.status, 401);
    assert_int_equal(refused.pieces, 0);
    assert_string_equal(refused.body, "401: Unauthorized");
    start(loop, "/nothing", &cut, -1, true);
    wait_for(loop, &cut.calls, 1);
    assert_int_equal(cut.status, 0);
    loop_free(loop);
}

/* One call-back ends all other transfers and starts new ones. */
static struct outcome crowd[RUNNING_MAX];
static int crowd_ended;

static void on_crowd_data(const char *data, size_t len, void *ctx)
{
    struct outcome *first = ctx;
    (void)data;
    (void)len;
    for (int i = 0; i < RUNNING_MAX; i++) {
        http_cancel(crowd[i].transfer);
        crowd[i].transfer = NULL;
    }
    for (int i = 1; i < RUNNING_MAX; i++)
        start(first->loop, i % 2 ? "/ok" : "/missing", &crowd[i], 0, false);
    crowd_ended++;
}

static void test_callbacks_may_start_and_cancel(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    char url[256];
    url_of(url, sizeof(url), "/stream");
    for (int i = 0; i < RUNNING_MAX; i++) {
        struct http_request request = {.method = "GET",
                                       .url = url,
                                       .timeout_ms = -1,
                                       .on_data = on_crowd_data,
                                       .on_done = on_done,
                                       .ctx = &crowd[i]};
        crowd[i].loop = loop;
        crowd[i].transfer = http_start(loop, &request);
    }
    wait_for(loop, &crowd_ended, 1);
    for (int i = 1; i < RUNNING_MAX; i++)
        wait_for(loop, &crowd[i].calls, 1);
    assert_int_equal(crowd_ended, 1);
    assert_int_equal(crowd[1].status, 200);
    loop_free(loop);
}

static void test_cancel_at_any_time(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    static const char *const paths[] = {"/ok",     "/silent",   "/huge",
                                        "/stream", "not a url", "http://no-such-host.invalid/"};
    for (int turns = 0; turns < 12; turns++) {
        for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
            struct outcome o = {0};
            start(loop, paths[i], &o, 0, i == 3);
            for (int t = 0; t < turns; t++)
                loop_turn(loop, 1);
            if (o.calls == 0)
                http_cancel(o.transfer);
            int calls = o.calls;
            loop_turn(loop, 1);
            assert_int_equal(o.calls, calls);
        }
    }
    http_cancel(NULL);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_posts_json),
        cmocka_unit_test(test_does_not_follow_redirects),
        cmocka_unit_test(test_troubles_in_plain_words),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_refuses_a_token_with_a_line_end),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_callbacks_may_start_and_cancel),
        cmocka_unit_test(test_cancel_at_any_time),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
