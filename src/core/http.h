/* An asynchronous HTTP(S) client on the loop. Loop thread only. Certificates are checked against
 * the system's CAs; redirects are not followed, so the token goes nowhere else. */
#ifndef HA_AI_CORE_HTTP_H
#define HA_AI_CORE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/loop.h"

enum {
    HTTP_BODY_MAX = 32 * 1024 * 1024, /* a larger answer is an error */
    HTTP_HEADERS_MAX = 64 * 1024,     /* also */
    HTTP_CONNECT_TIMEOUT_MS = 5000,
    HTTP_TIMEOUT_MS = 30000,
};

struct http_response {
    int status;        /* HTTP status; 0 = no (whole) answer, then error says why */
    const char *error; /* "could not connect to ..."; "" with a status; never holds the token */
    const char *body;  /* NUL-terminated, borrowed for the call */
    size_t body_len;
    int64_t date_ms;      /* the server's Date header in UTC ms, 0 = none */
    const char *redirect; /* where a 3xx answer points to, NULL otherwise */
};

struct http_request {
    const char *method;    /* "GET", "POST", "DELETE" */
    const char *url;       /* http or https only */
    const char *bearer;    /* token or NULL */
    const char *json_body; /* or NULL */
    bool once;             /* libcurl repeats what a kept connection lost, but not this */
    int64_t timeout_ms;    /* 0 = HTTP_TIMEOUT_MS; -1 = none (a stream) */
    /* A stream: called with the pieces of a 2xx answer as they come (then response.body stays
     * empty; the body of any other answer is in response.body). */
    void (*on_data)(const char *data, size_t len, void *ctx);
    void (*on_done)(const struct http_response *response, void *ctx);
    void *ctx;
};

struct http_transfer;

/* Strings are copied. on_done comes exactly once, never from inside this call, unless cancelled;
 * the transfer is gone when it returns. Any call-back may start and cancel transfers. */
struct http_transfer *http_start(struct loop *loop, const struct http_request *request);
/* Ends it without on_done. NULL is fine, so is its own on_done (does nothing there). */
void http_cancel(struct http_transfer *transfer);

#endif
