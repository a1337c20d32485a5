/* The WebSocket client against a server thread that does each kind of wrong. */
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
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/xalloc.h"
#include "ha/websocket.h"

enum { MANY = 200000 }; /* messages of "many" */

static struct {
    int listener, port;
    pthread_t thread;
} server;

/* --- the server: what it does stands in the path --- */

static void send_bytes(int fd, const void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = send(fd, (const char *)data + done, len - done, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        done += (size_t)n;
    }
}

static void send_frame(int fd, int opcode, bool is_masked, const char *data, size_t len)
{
    unsigned char head[14] = {(unsigned char)(0x80 | opcode)};
    size_t n = 2;
    if (len < 126) {
        head[1] = (unsigned char)len;
    } else {
        head[1] = 127;
        for (int i = 0; i < 8; i++)
            head[n++] = (unsigned char)((uint64_t)len >> (56 - 8 * i));
    }
    if (is_masked) {
        head[1] |= 0x80;
        n += 4; /* the mask 0 changes nothing */
    }
    send_bytes(fd, head, n);
    send_bytes(fd, data, len);
}

/* One text of a client, unmasked; false at the end. */
static bool read_text(int fd, char *out, size_t size)
{
    unsigned char head[8], byte;
    if (recv(fd, head, 2, MSG_WAITALL) != 2 || (head[0] & 15) != 1)
        return false;
    size_t len = head[1] & 127;
    if (len == 126) {
        if (recv(fd, head + 2, 2, MSG_WAITALL) != 2)
            return false;
        len = (size_t)head[2] << 8 | head[3];
    }
    unsigned char mask[4];
    if (!(head[1] & 128) || recv(fd, mask, 4, MSG_WAITALL) != 4 || len >= size)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (recv(fd, &byte, 1, MSG_WAITALL) != 1)
            return false;
        out[i] = (char)(byte ^ mask[i % 4]);
    }
    out[len] = '\0';
    return true;
}

static void upgrade(int fd, const char *request, const char *accept, const char *extra)
{
    char key[WEBSOCKET_KEY_SIZE] = "", right[WEBSOCKET_ACCEPT_SIZE], head[512];
    const char *at = strstr(request, "Sec-WebSocket-Key: ");
    if (at != NULL)
        snprintf(key, sizeof(key), "%.24s", at + 19);
    websocket_accept_of(key, right);
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n"
                     "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
                     accept != NULL ? accept : right, extra);
    send_bytes(fd, head, (size_t)n);
}

static void serve(int fd, const char *request)
{
    char path[64] = "", text[4096];
    sscanf(request, "GET /%63s", path);
    if (strcmp(path, "refused") == 0) {
        send_bytes(fd, "HTTP/1.1 404 Not Found\r\n\r\n", 26);
        return;
    }
    if (strcmp(path, "endless") == 0) {
        send_bytes(fd, "HTTP/1.1 101 X\r\n", 16);
        for (int i = 0; i < WEBSOCKET_HEAD_MAX; i++)
            send_bytes(fd, "a", 1);
        return;
    }
    if (strcmp(path, "half") == 0) {
        send_bytes(fd, "HTTP/1.1 101 Swi", 16);
        return;
    }
    if (strcmp(path, "nothing") == 0)
        return;
    if (strcmp(path, "foreign") == 0) {
        upgrade(fd, request, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "");
        poll(NULL, 0, 100);
        return;
    }
    upgrade(fd, request, NULL,
            strcmp(path, "extension") == 0 ? "Sec-WebSocket-Extensions: permessage-deflate\r\n"
                                           : "");
    if (strcmp(path, "echo") == 0) {
        while (read_text(fd, text, sizeof(text)))
            send_frame(fd, 1, false, text, strlen(text));
    } else if (strcmp(path, "large") == 0 || strcmp(path, "too-large") == 0) {
        size_t len = WEBSOCKET_MESSAGE_MAX + (strcmp(path, "too-large") == 0);
        char *data = xcalloc(1, len);
        memset(data, 'x', len);
        send_frame(fd, 1, false, data, len);
        free(data);
        poll(NULL, 0, 500);
    } else if (strcmp(path, "masked") == 0) {
        send_frame(fd, 1, true, "hello", 5);
        poll(NULL, 0, 500);
    } else if (strcmp(path, "not-utf8") == 0) {
        send_frame(fd, 1, false, "\xff\xfe", 2);
        poll(NULL, 0, 500);
    } else if (strcmp(path, "goodbye") == 0) {
        send_frame(fd, 8, false, "\x03\xe9", 2); /* 1001 */
        poll(NULL, 0, 500);
    } else if (strcmp(path, "half-frame") == 0) {
        send_bytes(fd, "\x81\x05he", 4);
    } else if (strcmp(path, "ping") == 0) {
        send_frame(fd, 9, false, "p", 1);
        unsigned char pong[7];
        if (recv(fd, pong, sizeof(pong), MSG_WAITALL) == 7 && pong[0] == 0x8a)
            send_frame(fd, 1, false, "pong seen", 9);
        poll(NULL, 0, 500);
    } else if (strcmp(path, "many") == 0) {
        for (int i = 0; i < MANY; i++)
            send_frame(fd, 1, false, "0123456789", 10);
        poll(NULL, 0, 2000);
    } else if (strcmp(path, "deaf") == 0) {
        poll(NULL, 0, 3000);
    }
}

static void *run_one(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char request[4096] = "";
    size_t len = 0;
    while (len < sizeof(request) - 1 && strstr(request, "\r\n\r\n") == NULL) {
        ssize_t n = recv(fd, request + len, 1, 0);
        if (n <= 0)
            break;
        request[++len] = '\0';
    }
    serve(fd, request);
    shutdown(fd, SHUT_RDWR);
    close(fd);
    return NULL;
}

static void *run_server(void *arg)
{
    (void)arg;
    int fd;
    while ((fd = accept(server.listener, NULL, NULL)) >= 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, run_one, (void *)(intptr_t)fd);
        pthread_detach(thread);
    }
    return NULL;
}

static int start_server(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    (void)state;
    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server.listener, (struct sockaddr *)&address, size) != 0 ||
        listen(server.listener, 8) != 0 ||
        getsockname(server.listener, (struct sockaddr *)&address, &size) != 0)
        return -1;
    server.port = ntohs(address.sin_port);
    return pthread_create(&server.thread, NULL, run_server, NULL);
}

static int stop_server(void **state)
{
    (void)state;
    shutdown(server.listener, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.listener);
    return 0;
}

/* --- the client --- */

static struct loop *loop;
static struct websocket *ws;
static char why[600], last[128];
static size_t messages, last_len;
static bool is_open, closes_itself;
static const char *greeting;

static void on_open(void *ctx)
{
    (void)ctx;
    is_open = true;
    if (greeting != NULL)
        assert_int_equal(websocket_send(ws, greeting), 0);
}

static void on_message(const char *text, size_t len, void *ctx)
{
    (void)ctx;
    messages++;
    last_len = len;
    snprintf(last, sizeof(last), "%.*s", (int)(len < sizeof(last) ? len : sizeof(last) - 1), text);
    if (closes_itself) {
        websocket_close(ws);
        ws = NULL;
    }
}

static void on_closed(const char *reason, void *ctx)
{
    (void)ctx;
    ws = NULL;
    snprintf(why, sizeof(why), "%s", reason);
}

static void begin(const char *url)
{
    struct websocket_settings settings = {
        .url = url, .on_open = on_open, .on_message = on_message, .on_closed = on_closed};
    why[0] = last[0] = '\0';
    messages = last_len = 0;
    is_open = closes_itself = false;
    greeting = NULL;
    loop = loop_new();
    ws = websocket_open(loop, &settings);
    assert_non_null(ws);
    assert_true(why[0] == '\0' && !is_open); /* nothing from inside */
}

static void begin_path(const char *path)
{
    char url[128];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/%s", server.port, path);
    begin(url);
}

static void end(void)
{
    websocket_close(ws);
    ws = NULL;
    loop_free(loop);
}

static void turn_until(const bool *done, int64_t ms)
{
    for (int64_t until = clock_monotonic_ms() + ms; clock_monotonic_ms() < until && !*done;)
        loop_turn(loop, 20);
}

static void expect_end(const char *path, const char *words)
{
    begin_path(path);
    for (int64_t until = clock_monotonic_ms() + 10000;
         clock_monotonic_ms() < until && why[0] == '\0';)
        loop_turn(loop, 20);
    if (strstr(why, words) == NULL)
        fail_msg("%s: expected '%s', got '%s'", path, words, why);
    end();
}

static void test_handshake(void **state)
{
    (void)state;
    char accept[WEBSOCKET_ACCEPT_SIZE], key[WEBSOCKET_KEY_SIZE], other[WEBSOCKET_KEY_SIZE];
    websocket_accept_of("dGhlIHNhbXBsZSBub25jZQ==", accept); /* RFC 6455, 1.3 */
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    websocket_make_key(key);
    websocket_make_key(other);
    assert_int_equal(strlen(key), 24);
    assert_string_not_equal(key, other);
}

static void test_wrong_answers(void **state)
{
    (void)state;
    expect_end("refused", "it answers 404 instead of 101");
    expect_end("endless", "more than 16 kB");
    expect_end("half", "closed the WebSocket");
    expect_end("nothing", "closed the WebSocket");
    expect_end("foreign", "does not belong to our key");
    expect_end("extension", "not offered");
}

static void test_wrong_frames(void **state)
{
    (void)state;
    expect_end("too-large", "larger than 4 MB");
    expect_end("masked", "no WebSocket");
    expect_end("not-utf8", "no WebSocket");
    expect_end("goodbye", "code 1001");
    expect_end("half-frame", "closed the WebSocket");
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"ftp://127.0.0.1/", "not supported"},
        {"nonsense", "http://"},
        {"http://127.0.0.1:1/", "no WebSocket to 127.0.0.1:1"},
    };
    for (size_t i = 0; i < 3; i++) {
        begin(wrong[i][0]);
        for (int64_t until = clock_monotonic_ms() + 8000;
             clock_monotonic_ms() < until && why[0] == '\0';)
            loop_turn(loop, 20);
        if (strstr(why, wrong[i][1]) == NULL)
            fail_msg("%s: %s", wrong[i][0], why);
        end();
    }
}

static void test_echo_and_large(void **state)
{
    (void)state;
    begin_path("echo");
    assert_int_equal(websocket_send(ws, "too early"), -1);
    greeting = "grüße";
    for (int i = 0; i < 300 && messages == 0; i++)
        loop_turn(loop, 20);
    assert_string_equal(last, "grüße");
    assert_int_equal(websocket_send(ws, "again"), 0);
    for (int i = 0; i < 300 && messages == 1; i++)
        loop_turn(loop, 20);
    assert_string_equal(last, "again");
    end();

    begin_path("large");
    for (int i = 0; i < 500 && messages == 0; i++)
        loop_turn(loop, 20);
    assert_int_equal(last_len, WEBSOCKET_MESSAGE_MAX);
    end();

    begin_path("ping");
    for (int i = 0; i < 300 && messages == 0; i++)
        loop_turn(loop, 20);
    assert_string_equal(last, "pong seen");
    end();
}

/* A server that tells much takes not the whole of a turn. */
static void test_many_messages(void **state)
{
    (void)state;
    begin_path("many");
    size_t most = 0;
    /* The server may be slow: then a turn finds a few of them only. */
    int64_t until = clock_monotonic_ms() + 60000;
    while (messages < MANY && why[0] == '\0' && clock_monotonic_ms() < until) {
        size_t before = messages;
        loop_turn(loop, 20);
        most = messages - before > most ? messages - before : most;
    }
    assert_int_equal(messages, MANY);
    assert_true(most <= 2 * 256 * 1024 / 12 + 1);
    end();
}

static void test_full_queue(void **state)
{
    (void)state;
    begin_path("deaf");
    turn_until(&is_open, 3000);
    assert_true(is_open);
    char *text = xcalloc(1, 64 * 1024 + 1);
    memset(text, 'x', 64 * 1024);
    int sent = 0;
    while (sent < 1000 && websocket_send(ws, text) == 0)
        sent++;
    assert_int_equal(sent, WEBSOCKET_QUEUE_MAX / (64 * 1024));
    free(text);
    end();
}

static void test_closing_from_inside(void **state)
{
    (void)state;
    begin_path("many");
    closes_itself = true;
    for (int i = 0; i < 200 && messages == 0; i++)
        loop_turn(loop, 20);
    loop_turn(loop, 20);
    assert_int_equal(messages, 1);
    assert_true(why[0] == '\0');
    end();

    begin_path("echo"); /* before it is connected */
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake),      cmocka_unit_test(test_wrong_answers),
        cmocka_unit_test(test_wrong_frames),   cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_echo_and_large), cmocka_unit_test(test_many_messages),
        cmocka_unit_test(test_full_queue),     cmocka_unit_test(test_closing_from_inside),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
