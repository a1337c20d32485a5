/* The connection on its own, driven by lines: tests/e2e/test_mqtt_connection.py tells how.
 *
 *   mqtt HOST PORT DATABASE [TOPIC|=OWN_TOPIC]...      environment: MQTT_USER, MQTT_PASS, TLS,
 * CA_FILE
 *
 * stdin:  state TOPIC [PAYLOAD] · append TTL_S TEXT (on ha-ai/events/x) · hold (do not execute what
 *         comes in) · counts · stop
 * stdout: up SESSION PROTOCOL · down · problem TEXT · queued ID · inbox FLAGS TOPIC PAYLOAD ·
 *         counts WAITING EXPIRED DROPPED FAILED · gap MS (the longest turn of the loop) · stopped
 * MS
 *
 * CRASH_AFTER_INBOX: the process dies when the thread has committed a message, before the PUBACK.
 * FAIL_COMMITS=FILE: while the file exists, commits of the thread fail. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/xalloc.h"
#include "mqtt/mqtt.h"
#include "store/inbox.h"
#include "store/outbox.h"

static struct loop *loop;
static struct store *store;
static struct mqtt *mqtt;
static pthread_t main_thread;
static bool holding;
static char told[512];
static int64_t last_beat_ms, gap_ms;

/* ---- faults ---- */

/* A statement has ended: of the thread's commits, the one after which a message waits is the last.
 */
static int after_statement(unsigned type, void *db, void *stmt, void *unused)
{
    sqlite3_stmt *query;
    (void)type, (void)unused;
    const char *sql = sqlite3_sql(stmt);
    if (pthread_equal(pthread_self(), main_thread) || sql == NULL || strcmp(sql, "COMMIT") != 0)
        return 0;
    if (sqlite3_prepare_v2(db, "SELECT 1 FROM inbox WHERE done_ms IS NULL", -1, &query, NULL) ==
            SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW)
        raise(SIGKILL);
    sqlite3_finalize(query);
    return 0;
}

static int before_commit(void *ctx)
{
    const char *file = getenv("FAIL_COMMITS");
    (void)ctx;
    return file != NULL && !pthread_equal(pthread_self(), main_thread) && access(file, F_OK) == 0;
}

static int hook(sqlite3 *db, char **message, const void *api)
{
    (void)message, (void)api;
    if (getenv("CRASH_AFTER_INBOX") != NULL)
        sqlite3_trace_v2(db, SQLITE_TRACE_PROFILE, after_statement, db);
    sqlite3_commit_hook(db, before_commit, NULL);
    return SQLITE_OK;
}

/* ---- call-backs ---- */

static void on_connected(bool session, void *ctx)
{
    (void)ctx;
    printf("up %d %d\n", session, mqtt_protocol(mqtt));
}

static void on_disconnected(bool taken_over, void *ctx)
{
    (void)taken_over, (void)ctx;
    puts("down");
}

static void on_inbox(void *ctx)
{
    struct inbox_message m;
    struct error err;
    (void)ctx;
    while (!holding && inbox_next(store, &m, &err) == 1) {
        if (inbox_done(store, m.row, "done", &err) < 0) {
            printf("error %s\n", err.message);
            return;
        }
        printf("inbox %u %s %s\n", m.flags, m.topic, m.payload);
        inbox_message_release(&m);
    }
}

static void append(int64_t ttl_s, const char *text)
{
    struct error err;
    json_object *payload = json_object_new_object();
    json_object_object_add(payload, "text", json_object_new_string(text));
    if (outbox_append(store, "ha-ai/events/x", payload, ttl_s, clock_wall_ms(), &err) < 0)
        printf("error %s\n", err.message);
    else
        printf("queued %s\n", json_get_string(payload, "id"));
    json_object_put(payload);
    mqtt_flush_outbox(mqtt);
}

static void stop(void)
{
    int64_t start = clock_monotonic_ms();
    printf("gap %lld\n", (long long)gap_ms);
    mqtt_stop(mqtt, 2000);
    printf("stopped %lld\n", (long long)(clock_monotonic_ms() - start));
    loop_stop(loop);
}

static void command(char *line)
{
    char *rest = NULL;
    const char *word = strtok_r(line, " ", &rest);
    if (word == NULL)
        return;
    if (strcmp(word, "state") == 0) {
        const char *topic = strtok_r(NULL, " ", &rest);
        mqtt_set_state(mqtt, topic, *rest ? rest : NULL, strlen(rest));
    } else if (strcmp(word, "append") == 0) {
        int64_t ttl = strtoll(strtok_r(NULL, " ", &rest), NULL, 10);
        append(ttl, rest);
    } else if (strcmp(word, "hold") == 0) {
        holding = true;
    } else if (strcmp(word, "counts") == 0) {
        struct outbox_counts c;
        if (outbox_count(store, &c, NULL) == 0)
            printf("counts %lld %lld %lld %lld\n", (long long)c.waiting, (long long)c.expired,
                   (long long)c.dropped, (long long)c.failed);
    } else if (strcmp(word, "stop") == 0) {
        stop();
    }
}

static void on_stdin(int fd, short events, void *ctx)
{
    static char buffer[65536];
    static size_t len;
    (void)events, (void)ctx;
    ssize_t n = read(fd, buffer + len, sizeof(buffer) - len);
    if (n <= 0) {
        loop_remove_fd(loop, fd);
        stop();
        return;
    }
    len += (size_t)n;
    for (char *end; (end = memchr(buffer, '\n', len)) != NULL;) {
        size_t used = (size_t)(end - buffer) + 1;
        *end = '\0';
        command(buffer);
        len -= used;
        memmove(buffer, buffer + used, len);
    }
}

static int64_t beat(void *ctx)
{
    (void)ctx;
    int64_t now = clock_monotonic_ms();
    if (last_beat_ms != 0 && now - last_beat_ms - 10 > gap_ms)
        gap_ms = now - last_beat_ms - 10;
    last_beat_ms = now;
    if (strcmp(mqtt_problem(mqtt), told) != 0) {
        snprintf(told, sizeof(told), "%s", mqtt_problem(mqtt));
        if (told[0] != '\0')
            printf("problem %s\n", told);
    }
    return 10;
}

int main(int argc, char **argv)
{
    struct error err;
    if (argc < 4)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    main_thread = pthread_self();
    sqlite3_auto_extension((void (*)(void))hook);
    loop = loop_new();
    store = store_open(argv[3], &err);
    if (store == NULL) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    struct mqtt_settings settings = {
        .host = argv[1],
        .port = (int)strtol(argv[2], NULL, 10),
        .username = getenv("MQTT_USER"),
        .password = getenv("MQTT_PASS"),
        .tls = getenv("TLS") != NULL,
        .ca_file = getenv("CA_FILE"),
        .client_id = "driver",
        .will_topic = "ha-ai/device/driver/availability",
        .database_path = argv[3],
        .on_connected = on_connected,
        .on_disconnected = on_disconnected,
        .on_inbox = on_inbox,
    };
    mqtt = mqtt_new(loop, store, &settings, &err);
    if (mqtt == NULL) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    for (int i = 4; i < argc; i++)
        mqtt_add_topic(mqtt, argv[i] + (argv[i][0] == '='), argv[i][0] == '=' ? MQTT_OWN : 0);
    loop_add_fd(loop, STDIN_FILENO, POLLIN, on_stdin, NULL);
    loop_add_timer(loop, 10, beat, NULL);
    if (mqtt_start(mqtt, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    loop_run(loop);
    mqtt_free(mqtt);
    store_close(store);
    loop_free(loop);
    return 0;
}
