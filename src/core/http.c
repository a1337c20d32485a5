/* Every call-back runs outside of libcurl, whose multi handle must not be changed from inside its
 * own: pieces of a stream are gathered and handed over by a timer of 0 ms. */
#include "core/http.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/xalloc.h"

struct http_transfer {
    struct loop_transfer transfer; /* first: the loop knows us by it */
    struct loop *loop;
    CURL *easy;
    struct curl_slist *headers;
    char *host;         /* "host:port" for messages, without user and password */
    const char *failed; /* why it could not even start, NULL normally */
    int timer;          /* the hand-over, 0 = none */
    bool in_done, body_too_large, headers_too_large;
    bool *gone; /* set by http_cancel while a call-back runs */
    char *body; /* NUL-terminated; of a stream what is not handed over yet */
    size_t len, capacity, headers_len;
    int64_t date_ms, timeout_ms;
    char curl_error[CURL_ERROR_SIZE];
    char message[512];
    void (*on_data)(const char *data, size_t len, void *ctx);
    void (*on_done)(const struct http_response *response, void *ctx);
    void *ctx;
};

static void free_transfer(struct http_transfer *t)
{
    loop_remove_timer(t->loop, t->timer);
    if (t->easy != NULL) {
        curl_multi_remove_handle(loop_multi(t->loop), t->easy);
        curl_easy_cleanup(t->easy);
    }
    curl_slist_free_all(t->headers);
    free(t->host);
    free(t->body);
    free(t);
}

static int transfer_status(const struct http_transfer *t)
{
    long status = 0;
    if (t->easy != NULL)
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

/* --- inside libcurl --- */

static int64_t deliver_later(void *ctx);

static size_t take_body(char *data, size_t size, size_t count, void *ctx)
{
    struct http_transfer *t = ctx;
    size_t n = size * count;
    if (n > HTTP_BODY_MAX - t->len) {
        t->body_too_large = true;
        return 0;
    }
    if (t->capacity - t->len < n + 1) {
        while (t->capacity - t->len < n + 1)
            t->capacity = t->capacity != 0 ? t->capacity * 2 : 4096;
        t->body = xrealloc(t->body, t->capacity);
    }
    memcpy(t->body + t->len, data, n);
    t->len += n;
    t->body[t->len] = '\0';
    if (t->on_data != NULL && t->timer == 0 && transfer_status(t) / 100 == 2)
        t->timer = loop_add_timer(t->loop, 0, deliver_later, t);
    return n;
}

static size_t take_header(char *data, size_t size, size_t count, void *ctx)
{
    struct http_transfer *t = ctx;
    size_t n = size * count;
    t->headers_len += n;
    if (t->headers_len > HTTP_HEADERS_MAX) {
        t->headers_too_large = true;
        return 0;
    }
    if (n > 5 && n < 100 && strncasecmp(data, "date:", 5) == 0) {
        char date[100];
        memcpy(date, data + 5, n - 5);
        date[n - 5] = '\0';
        time_t at = curl_getdate(date, NULL);
        t->date_ms = at > 0 ? (int64_t)at * 1000 : 0;
    }
    return n;
}

/* --- outside libcurl --- */

/* False when the call-back cancelled the transfer. */
static bool deliver(struct http_transfer *t)
{
    bool gone = false;
    char *data = t->body;
    size_t len = t->len;
    t->body = NULL;
    t->len = t->capacity = 0;
    t->gone = &gone;
    t->on_data(data, len, t->ctx);
    free(data);
    if (!gone)
        t->gone = NULL;
    return !gone;
}

static int64_t deliver_later(void *ctx)
{
    struct http_transfer *t = ctx;
    t->timer = 0; /* the loop forgets it when we return */
    if (t->len > 0)
        deliver(t);
    return LOOP_TIMER_STOP;
}

static const char *describe_failure(struct http_transfer *t, CURLcode result)
{
    const char *detail = t->curl_error[0] != '\0' ? t->curl_error : curl_easy_strerror(result);
    double connect_s = 0, total_s = 0;
    curl_easy_getinfo(t->easy, CURLINFO_CONNECT_TIME, &connect_s);
    curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME, &total_s);
    char *out = t->message;
    size_t size = sizeof(t->message);
    if (t->body_too_large)
        snprintf(out, size, "the answer of %s is larger than %d MB", t->host,
                 HTTP_BODY_MAX / 1024 / 1024);
    else if (t->headers_too_large)
        snprintf(out, size, "the headers of %s are larger than %d kB", t->host,
                 HTTP_HEADERS_MAX / 1024);
    else if (result == CURLE_COULDNT_RESOLVE_HOST)
        snprintf(out, size, "could not find the host of %s (is the name right?)", t->host);
    else if (result == CURLE_COULDNT_CONNECT ||
             (result == CURLE_OPERATION_TIMEDOUT && connect_s <= 0))
        snprintf(out, size, "could not connect to %s (is it running, and the port right?)",
                 t->host);
    else if (result == CURLE_OPERATION_TIMEDOUT)
        snprintf(out, size, "no whole answer from %s within %.0f s", t->host, total_s);
    else if (result == CURLE_PEER_FAILED_VERIFICATION)
        snprintf(out, size, "the certificate of %s is not trusted: %s", t->host, detail);
    else if (result == CURLE_SSL_CONNECT_ERROR)
        snprintf(out, size, "no TLS with %s (is it https there?): %s", t->host, detail);
    else if (result == CURLE_GOT_NOTHING || result == CURLE_PARTIAL_FILE ||
             result == CURLE_RECV_ERROR || result == CURLE_SEND_ERROR)
        snprintf(out, size, "%s closed the connection before its answer was complete", t->host);
    else if (result == CURLE_UNSUPPORTED_PROTOCOL || result == CURLE_WEIRD_SERVER_REPLY)
        snprintf(out, size, "%s does not answer in HTTP", t->host);
    else
        snprintf(out, size, "%s: %s", t->host, detail);
    return out;
}

static void finish(struct http_transfer *t, CURLcode result)
{
    struct http_response response = {.error = "", .body = "", .date_ms = t->date_ms};
    char *redirect = NULL;
    if (t->failed != NULL) {
        response.error = t->failed;
    } else if (result != CURLE_OK) {
        response.error = describe_failure(t, result);
    } else {
        response.status = transfer_status(t);
        curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &redirect);
        response.redirect = redirect;
    }
    if (t->on_data != NULL && t->len > 0 && transfer_status(t) / 100 == 2 && !deliver(t))
        return;
    if (response.status != 0 && t->len > 0) {
        response.body = t->body;
        response.body_len = t->len;
    }
    t->in_done = true;
    t->on_done(&response, t->ctx);
    free_transfer(t);
}

static void transfer_done(struct loop_transfer *transfer, CURLcode result)
{
    finish((struct http_transfer *)transfer, result);
}

static int64_t fail_later(void *ctx)
{
    struct http_transfer *t = ctx;
    t->timer = 0;
    finish(t, CURLE_OK);
    return LOOP_TIMER_STOP;
}

/* --- starting --- */

/* "host:port" of an http(s) URL; NULL when it is none. */
static char *url_host(const char *url)
{
    char *result = NULL, *scheme = NULL, *host = NULL, *port = NULL;
    CURLU *parsed = curl_url();
    if (parsed != NULL && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK && host[0] != '\0' &&
        curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
        (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0))
        result = xasprintf("%s:%s", host, port);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parsed);
    return result;
}

static void add_header(struct http_transfer *t, const char *line)
{
    struct curl_slist *longer = curl_slist_append(t->headers, line);
    if (longer == NULL)
        abort();
    t->headers = longer;
}

/* A header must stay one line; NULL when it did. */
static const char *add_bearer(struct http_transfer *t, const char *bearer)
{
    for (const char *p = bearer; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~')
            return "the token holds a blank or another character that no token has";
    char *line = xasprintf("Authorization: Bearer %s", bearer);
    add_header(t, line);
    free(line);
    return NULL;
}

static void set_body(struct http_transfer *t, const struct http_request *request)
{
    if (request->json_body != NULL) {
        add_header(t, "Content-Type: application/json");
        add_header(t, "Expect:"); /* no extra round trip for large bodies */
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)strlen(request->json_body));
        curl_easy_setopt(t->easy, CURLOPT_COPYPOSTFIELDS, request->json_body);
    } else if (strcmp(request->method, "POST") == 0) {
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
        curl_easy_setopt(t->easy, CURLOPT_COPYPOSTFIELDS, "");
    }
    curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_options(struct http_transfer *t, const struct http_request *request)
{
    CURL *easy = t->easy;
    if (curl_easy_setopt(easy, CURLOPT_URL, request->url) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK) {
        t->failed = "not an address that begins with http:// or https://";
        return;
    }
    if (request->bearer != NULL)
        t->failed = add_bearer(t, request->bearer);
    set_body(t, request);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "ha-ai/" HA_AI_VERSION);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a dead resolver */
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_TIMEOUT_MS);
    if (request->once) /* only on a kept connection is it repeated */
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    if (t->timeout_ms > 0)
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)t->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->curl_error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, &t->transfer);
}

struct http_transfer *http_start(struct loop *loop, const struct http_request *request)
{
    struct http_transfer *t = xcalloc(1, sizeof(*t));
    t->transfer.done = transfer_done;
    t->loop = loop;
    t->on_data = request->on_data;
    t->on_done = request->on_done;
    t->ctx = request->ctx;
    t->timeout_ms = request->timeout_ms == 0 ? HTTP_TIMEOUT_MS : request->timeout_ms;
    t->host = url_host(request->url);
    t->easy = curl_easy_init();
    if (t->easy == NULL)
        abort();
    if (t->host == NULL)
        t->failed = "not an address that begins with http:// or https://";
    else
        set_options(t, request);
    if (t->failed != NULL)
        t->timer = loop_add_timer(loop, 0, fail_later, t);
    else if (curl_multi_add_handle(loop_multi(loop), t->easy) != CURLM_OK)
        abort();
    return t;
}

void http_cancel(struct http_transfer *t)
{
    if (t == NULL || t->in_done)
        return;
    if (t->gone != NULL)
        *t->gone = true;
    free_transfer(t);
}
