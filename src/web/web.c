/* libmicrohttpd, driven by the loop through its epoll descriptor. /health answers from the facts
 * in memory: whatever the broker, HA or a disk does, it never waits. */
#include "web/web.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/app.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"

enum {
    WEB_CLIENTS_MAX = 32, /* more than that: the oldest gives way, whatever it is about */
    WEB_CONNECTIONS_MAX = 2 * WEB_CLIENTS_MAX, /* with those that are about to go */
    WEB_TIMEOUT_S = 10,
    WEB_MEMORY_PER_CONNECTION = 16 * 1024, /* bounds the request's line and headers */
};

struct client {
    struct MHD_Connection *connection; /* NULL = free */
    uint64_t number;                   /* counts up */
    bool going;                        /* shut down by us, not yet closed */
};

struct web {
    struct app *app;
    struct MHD_Daemon *daemon;
    int fd;
    struct client clients[WEB_CONNECTIONS_MAX];
    uint64_t client_number;
};

/* One part of /health: ok is true, false, or null for a part that is not configured. */
static json_object *part(json_object *ok, json_object *problem)
{
    json_object *p = json_object_new_object();
    json_object_object_add(p, "ok", ok);
    json_object_object_add(p, "problem", json_object_get(problem));
    return p;
}

static bool is_false(json_object *value)
{
    return json_object_is_type(value, json_type_boolean) && !json_object_get_boolean(value);
}

/* The document of docs/openapi.yaml; *healthy = no configured part fails. */
static json_object *health(json_object *facts, bool *healthy)
{
    json_object *ha_ok = NULL, *history_ok = NULL;
    json_object *ha = json_get_object(facts, "ha"), *history = json_get_object(facts, "history");
    json_object *ha_problem = json_object_object_get(ha, "problem");
    json_object *history_problem = json_object_object_get(history, "problem");
    if (json_get_bool(ha, "configured", false))
        ha_ok =
            json_object_new_boolean(json_get_bool(ha, "reachable", false) && ha_problem == NULL);
    if (json_get_bool(history, "configured", false))
        history_ok = json_object_new_boolean(history_problem == NULL);

    json_object *parts = json_object_new_object();
    json_object_object_add(
        parts, "broker",
        part(json_object_get(json_at(facts, "mqtt.connected")), json_at(facts, "mqtt.problem")));
    json_object_object_add(parts, "home_assistant", part(ha_ok, ha_problem));
    json_object_object_add(parts, "history", part(history_ok, history_problem));
    json_object_object_add(
        parts, "database",
        part(json_object_get(json_at(facts, "database.ok")), json_at(facts, "database.problem")));
    *healthy = true;
    json_object_object_foreach(parts, name, value)
    {
        (void)name;
        if (is_false(json_object_object_get(value, "ok")))
            *healthy = false;
    }
    json_object *doc = json_object_new_object();
    json_object_object_add(doc, "status", json_object_new_string(*healthy ? "ok" : "degraded"));
    json_object_object_add(doc, "version",
                           json_object_get(json_object_object_get(facts, "version")));
    json_object_object_foreach(parts, key, object)
        json_object_object_add(doc, key, json_object_get(object));
    json_object_object_add(doc, "last_analysis",
                           json_object_get(json_object_object_get(facts, "analysis")));
    json_object_object_add(doc, "suggestions_waiting",
                           json_object_get(json_at(facts, "suggestions.waiting")));
    json_object_object_add(doc, "outbox", json_object_get(json_object_object_get(facts, "outbox")));
    json_object_object_add(doc, "runs", json_object_get(json_object_object_get(facts, "runs")));
    json_object_put(parts);
    return doc;
}

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, json_object *body)
{
    const char *text = json_text(body);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = MHD_NO;
    if (response != NULL) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
        if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
            MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
        result = MHD_queue_response(connection, status, response);
        MHD_destroy_response(response);
    }
    json_object_put(body);
    return result;
}

static json_object *error_body(const char *message)
{
    json_object *body = json_object_new_object();
    json_object_object_add(body, "error", json_object_new_string(message));
    return body;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_size, void **state)
{
    static int seen;
    struct web *web = cls;
    (void)version, (void)upload_data;

    if (*state == NULL) { /* the headers are there; answer once the (ignored) body is too */
        *state = &seen;
        return MHD_YES;
    }
    if (*upload_size != 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    if (strcmp(url, "/health") != 0)
        return reply(connection, MHD_HTTP_NOT_FOUND, error_body("not found; there is /health"));
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, error_body("only GET is allowed"));
    bool healthy;
    json_object *doc = health(app_facts(web->app), &healthy);
    return reply(connection, healthy ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, doc);
}

static void shut_down_oldest(struct web *web)
{
    struct client *oldest = NULL;
    size_t staying = 0;
    for (size_t i = 0; i < WEB_CONNECTIONS_MAX; i++) {
        struct client *client = &web->clients[i];
        if (client->connection == NULL || client->going)
            continue;
        staying++;
        if (oldest == NULL || client->number < oldest->number)
            oldest = client;
    }
    if (staying <= WEB_CLIENTS_MAX)
        return;
    oldest->going = true;
    shutdown(
        MHD_get_connection_info(oldest->connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
        SHUT_RDWR); /* libmicrohttpd sees the end and closes it */
}

/* Clients that hold connections open, by malice or neglect, never keep out a new one. */
static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct web *web = cls;
    struct client *client = *context;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (client != NULL)
            client->connection = NULL;
        return;
    }
    for (size_t i = 0; i < WEB_CONNECTIONS_MAX && client == NULL; i++)
        if (web->clients[i].connection == NULL)
            client = &web->clients[i];
    *context = client; /* never NULL: libmicrohttpd has no more connections than we */
    if (client != NULL)
        *client = (struct client){.connection = connection, .number = ++web->client_number};
    shut_down_oldest(web);
}

static void on_turn(void *ctx)
{
    MHD_run(((struct web *)ctx)->daemon);
}

static void on_ready(int fd, short events, void *ctx)
{
    (void)fd, (void)events, (void)ctx; /* on_turn runs after every wait */
}

static int64_t on_tick(void *ctx)
{
    (void)ctx; /* wakes the loop so that idle connections time out */
    return 1000 * WEB_TIMEOUT_S;
}

/* A listening socket of our own: what MHD_start_daemon leaves in errno depends on its version. */
static int open_socket(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* no wait after a restart */
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, address, len) == 0 && listen(fd, WEB_CLIENTS_MAX) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static struct MHD_Daemon *listen_on(struct web *web, const char *address, uint16_t port,
                                    struct error *err)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool is6 = inet_pton(AF_INET6, address, &in6.sin6_addr) == 1;
    if (!is6 && inet_pton(AF_INET, address, &in4.sin_addr) != 1) {
        error_set(err, ERROR_INVALID, "HTTP_BIND is '%.60s', expected an IP address", address);
        return NULL;
    }
    int fd = is6 ? open_socket((const struct sockaddr *)&in6, sizeof(in6))
                 : open_socket((const struct sockaddr *)&in4, sizeof(in4));
    if (fd < 0) {
        error_set(err, ERROR_IO, "%s: cannot listen on %s port %u: %s",
                  errno == EADDRNOTAVAIL ? "HTTP_BIND" : "HTTP_PORT", address, (unsigned)port,
                  strerror(errno));
        return NULL;
    }
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL | (is6 ? MHD_USE_IPv6 : 0U), port, NULL, NULL, on_request, web,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)WEB_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)WEB_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)WEB_MEMORY_PER_CONNECTION, MHD_OPTION_NOTIFY_CONNECTION, on_connection, web,
        MHD_OPTION_END);
    if (daemon == NULL) /* which has closed fd */
        error_set(err, ERROR_IO, "HTTP_PORT: the HTTP server cannot start on %s port %u", address,
                  (unsigned)port);
    return daemon;
}

static void *web_start(struct app *app, struct error *err)
{
    const struct options *options = app_options(app);
    const char *address = options_string(options, OPTION_HTTP_BIND);
    struct web *web = xcalloc(1, sizeof(*web));
    web->app = app;
    web->daemon = listen_on(web, address, (uint16_t)options_int(options, OPTION_HTTP_PORT), err);
    if (web->daemon == NULL) {
        free(web);
        return NULL;
    }
    web->fd = MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    loop_add_fd(app_loop(app), web->fd, POLLIN, on_ready, web);
    loop_add_turn(app_loop(app), on_turn, web);
    loop_add_timer(app_loop(app), 1000 * WEB_TIMEOUT_S, on_tick, web);
    unsigned port = MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    log_info("web", "listening on http://%s:%u/health", address, port);
    return web;
}

static void web_stop(void *face)
{
    struct web *web = face;
    loop_remove_turn(app_loop(web->app), on_turn, web);
    loop_remove_fd(app_loop(web->app), web->fd);
    MHD_stop_daemon(web->daemon);
    free(web);
}

const struct face web_face = {.name = "web", .start = web_start, .stop = web_stop};
