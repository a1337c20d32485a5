#include "home/demo.h"

#include <dirent.h>
#include <errno.h>
#include <mosquitto.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/tz.h"
#include "core/uuid.h"
#include "core/xalloc.h"
#include "home/child.h"
#include "home/live.h"

enum {
    DEMO_ENTITIES = 40,
    DEMO_DAYS_MAX = 400,
    DEMO_SPEED_MAX = 3600,
    DEMO_SHOWN_MAX = 10,   /* suggestions printed */
    DEMO_START_MS = 20000, /* for the broker and the service to come up */
    DEMO_STOP_MS = 5000,
    DEMO_STEP_S = 60, /* home time between two looks at the broker, at most */
};

struct demo {
    /* arguments */
    long days, seed, speed, port;
    /* what runs */
    char folder[256];
    int mqtt_port, websocket_port, http_port;
    pid_t broker, service;
    struct mosquitto *mosq;
    struct tz *tz;
    struct live *live;
    int64_t home_start_us, real_start_ms; /* home time = start + (real - start) * speed */
    /* what was heard */
    bool service_online, analysed, failed;
    int shown, suggestions, percent;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* --- What the home hears over MQTT --------------------------------------------------------------
 */

static void print_home_time(const struct demo *demo, int64_t home_us)
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    struct tz_local t;
    tz_to_local(demo->tz, home_us / 1000000, &t);
    printf("  [%s %02d:%02d:%02d] ", days[t.weekday], t.hour, t.minute, t.second);
}

static int64_t home_now_us(const struct demo *demo)
{
    return demo->home_start_us + (clock_wall_ms() - demo->real_start_ms) * 1000 * demo->speed;
}

static void publish(struct demo *demo, const char *topic, json_object *payload)
{
    const char *text = json_text(payload);
    mosquitto_publish(demo->mosq, NULL, topic, (int)strlen(text), text, 1, false);
    json_object_put(payload);
}

/* The home answers as HA does when an automation that was deployed to it ran. */
static void on_ran(const char *automation_id, const char *entity_id, const char *state,
                   int64_t at_us, void *ctx)
{
    struct demo *demo = ctx;
    char id[UUID_SIZE], now[CLOCK_RFC3339_SIZE];
    uuid_v7(id);
    clock_format_rfc3339(now, clock_wall_ms());
    json_object *answer = json_object_new_object();
    json_object_object_add(answer, "automation_id", json_object_new_string(automation_id));
    json_object_object_add(answer, "id", json_object_new_string(id));
    json_object_object_add(answer, "status", json_object_new_string("success"));
    json_object_object_add(answer, "timestamp", json_object_new_string(now));
    publish(demo, "ha-ai/responses/automation/executed", answer);
    print_home_time(demo, at_us);
    printf("%s switched %s %s\n", automation_id, entity_id, state);
}

static void on_progress(struct demo *demo, json_object *body)
{
    int percent = (int)json_get_int(body, "progress", 0);
    const char *phase = json_get_string(body, "phase");
    if (demo->analysed || percent == demo->percent || phase == NULL)
        return;
    demo->percent = percent;
    if (isatty(STDOUT_FILENO)) {
        printf("\r  analysis %3d %%  %-40s", percent, phase);
        fflush(stdout);
    } else {
        printf("  analysis %3d %%  %s\n", percent, phase);
    }
}

static void on_suggestion(struct demo *demo, json_object *body)
{
    const char *title = json_get_string(body, "title");
    const char *why = json_get_string(body, "description");
    demo->suggestions++;
    if (demo->shown++ >= DEMO_SHOWN_MAX || title == NULL)
        return;
    printf("%s  * %s\n      %s\n", demo->shown == 1 ? "\n\nFound:\n" : "", title, why ? why : "");
}

static void on_complete(struct demo *demo, json_object *body)
{
    demo->failed = !json_get_bool(body, "success", false);
    const char *error = json_get_string(body, "error");
    if (demo->failed)
        printf("\nThe analysis failed: %s\n", error ? error : "no reason given");
    else if (demo->analysed)
        printf("  another analysis: %d new suggestions\n",
               (int)json_get_int(body, "suggestions_generated", 0));
    demo->analysed = true;
}

static void on_deploy(struct demo *demo, json_object *body)
{
    struct error err = {0};
    const char *id = json_get_string(body, "automation_id");
    const char *via = json_get_string(body, "via");
    json_object *automation = json_get_object(body, "automation");
    if (id == NULL || automation == NULL || via == NULL || strcmp(via, "mqtt") != 0)
        return;
    print_home_time(demo, home_now_us(demo));
    if (live_deploy(demo->live, id, automation, &err) < 0)
        printf("the home does not understand %s: %s\n", id, err.message);
    else
        printf("approved: the home obeys \"%s\" from now on\n",
               json_get_string(automation, "alias"));
}

static void on_event(struct demo *demo, json_object *body)
{
    const char *type = json_get_string(body, "event_type"), *why = json_get_string(body, "reason");
    (void)demo;
    if (type != NULL && why != NULL)
        printf("  %s: %s\n", type, why);
}

static const struct {
    const char *topic;
    void (*heard)(struct demo *demo, json_object *body);
} topics[] = {
    {"ha-ai/device/ha_ai/analysis/attributes", on_progress},
    {"ha-ai/events/suggestion/generated", on_suggestion},
    {"ha-ai/status/analysis_complete", on_complete},
    {"ha-ai/commands/automation/deploy", on_deploy},
    {"ha-ai/device/ha_ai/suggestion/event", on_event},
};
static const char *const availability = "ha-ai/device/ha_ai/availability";

static void on_message(struct mosquitto *mosq, void *ctx, const struct mosquitto_message *message)
{
    struct demo *demo = ctx;
    (void)mosq;
    if (strcmp(message->topic, availability) == 0)
        demo->service_online = message->payloadlen == 6; /* "online", not "offline" */
    json_object *body = json_parse(message->payload, (size_t)message->payloadlen, NULL);
    for (size_t i = 0; body != NULL && i < sizeof(topics) / sizeof(topics[0]); i++)
        if (strcmp(message->topic, topics[i].topic) == 0)
            topics[i].heard(demo, body);
    json_object_put(body);
}

/* --- Starting ------------------------------------------------------------------------------------
 */

static char *in_folder(const struct demo *demo, const char *name)
{
    return xasprintf("%s/%s", demo->folder, name);
}

static int write_broker_conf(const struct demo *demo, const char *path, struct error *err)
{
    FILE *conf = fopen(path, "we");
    struct passwd *me = getpwuid(geteuid());
    if (conf == NULL)
        return error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
    fprintf(conf, "listener %d 127.0.0.1\nallow_anonymous true\npersistence false\n",
            demo->mqtt_port);
    if (me != NULL && geteuid() == 0) /* else it would become a user that may not read the folder */
        fprintf(conf, "user %s\n", me->pw_name);
    fprintf(conf, "listener %d 127.0.0.1\nprotocol websockets\n", demo->websocket_port);
    return fclose(conf) == 0 ? 0 : error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
}

/* The last line of a child's log. */
static void read_last_line(const char *path, char *out, size_t size)
{
    FILE *log = fopen(path, "re");
    out[0] = '\0';
    char line[512];
    while (log != NULL && fgets(line, sizeof(line), log) != NULL)
        if (line[0] != '\n')
            snprintf(out, size, "%.*s", (int)strcspn(line, "\n"), line);
    if (log != NULL)
        fclose(log);
}

static int child_died(const struct demo *demo, const char *what, const char *log, struct error *err)
{
    char *path = in_folder(demo, log), line[512];
    read_last_line(path, line, sizeof(line));
    free(path);
    return error_set(err, ERROR_IO, "%s ended: %s", what, line);
}

static int start_broker(struct demo *demo, struct error *err)
{
    char *program = child_find_program("mosquitto");
    char *conf = in_folder(demo, "mosquitto.conf"), *log = in_folder(demo, "mosquitto.log");
    int result = -1;
    if (program == NULL) {
        error_set(err, ERROR_NOT_FOUND, "mosquitto is not installed (Debian: mosquitto)");
    } else if (write_broker_conf(demo, conf, err) == 0) {
        char *argv[] = {"mosquitto", "-c", conf, NULL};
        demo->broker = child_start(program, argv, NULL, log, err);
        result = demo->broker > 0 ? 0 : -1;
    }
    free(program);
    free(conf);
    free(log);
    return result;
}

static int connect_home(struct demo *demo, struct error *err)
{
    int64_t deadline = clock_monotonic_ms() + DEMO_START_MS;
    demo->mosq = mosquitto_new("ha-ai-demo-home", true, demo);
    if (demo->mosq == NULL)
        return error_set(err, ERROR_IO, "libmosquitto: %s", strerror(errno));
    mosquitto_message_callback_set(demo->mosq, on_message);
    while (mosquitto_connect(demo->mosq, "127.0.0.1", demo->mqtt_port, 60) != MOSQ_ERR_SUCCESS) {
        if (!child_is_alive(&demo->broker))
            return child_died(demo, "mosquitto", "mosquitto.log", err);
        if (interrupted || clock_monotonic_ms() > deadline)
            return error_set(err, ERROR_IO, "the broker does not answer");
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    mosquitto_subscribe(demo->mosq, NULL, availability, 1);
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
        mosquitto_subscribe(demo->mosq, NULL, topics[i].topic, 1);
    return 0;
}

static int start_service(struct demo *demo, struct error *err)
{
    char *log = in_folder(demo, "ha-ai.log");
    char *argv[] = {"ha-ai", "run", NULL};
    char *envp[] = {xasprintf("MQTT_BROKER=127.0.0.1"),
                    xasprintf("MQTT_PORT=%d", demo->mqtt_port),
                    xasprintf("HISTORY=%s/home-assistant_v2.db", demo->folder),
                    xasprintf("DATABASE_PATH=%s/ha-ai.db", demo->folder),
                    xasprintf("HTTP_PORT=%d", demo->http_port),
                    xasprintf("TZ=%s", tz_name(demo->tz)),
                    NULL};
    demo->service = child_start("/proc/self/exe", argv, envp, log, err);
    for (size_t i = 0; envp[i] != NULL; i++)
        free(envp[i]);
    free(log);
    return demo->service > 0 ? 0 : -1;
}

/* The zone of this machine; UTC when it tells none. */
static struct tz *local_zone(void)
{
    char link[256] = "";
    struct error err = {0};
    const char *name = getenv("TZ");
    struct tz *tz = name && *name && *name != ':' ? tz_load(name, &err) : NULL;
    ssize_t n = readlink("/etc/localtime", link, sizeof(link) - 1);
    link[n > 0 ? n : 0] = '\0';
    const char *zone = strstr(link, "zoneinfo/");
    if (tz == NULL && zone != NULL)
        tz = tz_load(zone + strlen("zoneinfo/"), &err);
    return tz ? tz : tz_load("UTC", &err);
}

static int make_home(struct demo *demo, struct error *err)
{
    char *path = in_folder(demo, "home-assistant_v2.db");
    demo->real_start_ms = clock_wall_ms();
    demo->home_start_us = demo->real_start_ms * 1000;
    struct live_settings settings = {.seed = (uint64_t)demo->seed,
                                     .entities = DEMO_ENTITIES,
                                     .days = (int)demo->days,
                                     .end_us = demo->home_start_us,
                                     .tz = demo->tz,
                                     .stop = &interrupted,
                                     .ran = on_ran,
                                     .ctx = demo};
    demo->live = live_new(path, &settings, err);
    free(path);
    return demo->live ? 0 : -1;
}

/* --- Living --------------------------------------------------------------------------------------
 */

/* One look at the broker and one step of the home. */
static int turn(struct demo *demo, struct error *err)
{
    if (!child_is_alive(&demo->broker))
        return child_died(demo, "mosquitto", "mosquitto.log", err);
    if (!child_is_alive(&demo->service))
        return child_died(demo, "ha-ai run", "ha-ai.log", err);
    int rc = mosquitto_loop(demo->mosq, 100, 1);
    if (rc != MOSQ_ERR_SUCCESS && !interrupted)
        return error_set(err, ERROR_IO, "the broker is gone: %s", mosquitto_strerror(rc));
    return live_advance(demo->live, home_now_us(demo), err);
}

static int wait_for(struct demo *demo, const bool *what, int64_t wait_ms, const char *name,
                    struct error *err)
{
    int64_t deadline = clock_monotonic_ms() + wait_ms;
    while (!*what && !interrupted) {
        if (turn(demo, err) < 0)
            return -1;
        if (clock_monotonic_ms() > deadline)
            return error_set(err, ERROR_IO, "waited %d s for %s", (int)(wait_ms / 1000), name);
    }
    return 0;
}

static void tell_what_now(const struct demo *demo)
{
    int p = demo->mqtt_port;
    if (demo->suggestions > DEMO_SHOWN_MAX)
        printf("  and %d more\n", demo->suggestions - DEMO_SHOWN_MAX);
    printf("\nWatch everything:\n"
           "  mosquitto_sub -p %d -v -t 'homeassistant/#' -t 'ha-ai/#'\n"
           "Approve the selected suggestion, or select another one first:\n"
           "  mosquitto_pub -p %d -q 1 -t ha-ai/device/ha_ai/approve/set -m '{}'\n"
           "  mosquitto_pub -p %d -q 1 -t ha-ai/device/ha_ai/selected_suggestion/set -m "
           "'{\"value\": \"TITLE\"}'\n"
           "In Home Assistant: add the MQTT integration with the broker 127.0.0.1 port %d; the "
           "device is \"HA AI\".\n"
           "Health: http://127.0.0.1:%d/health   MQTT over WebSocket: port %d\n"
           "\nThe home lives on at %ld times real time and obeys what you approve"
           "%s. Ctrl-C ends everything.\n\n",
           p, p, p, p, demo->http_port, demo->websocket_port, demo->speed,
           demo->speed == 1 ? " (`make demo ARGS='--speed 600'` for ten minutes a second)" : "");
}

static int choose_ports(struct demo *demo, struct error *err)
{
    demo->mqtt_port = child_free_port((int)demo->port);
    demo->websocket_port = child_free_port(demo->mqtt_port == 9001 ? 9002 : 9001);
    demo->http_port = child_free_port(8011);
    if (demo->mqtt_port == 0 || demo->websocket_port == 0 || demo->http_port == 0)
        return error_set(err, ERROR_IO, "no free port near %ld, 9001 or 8011", demo->port);
    if (demo->mqtt_port != demo->port)
        printf("Port %ld is taken: the broker gets %d.\n", demo->port, demo->mqtt_port);
    printf("A broker on 127.0.0.1 port %d (WebSocket %d), the service beside it …\n",
           demo->mqtt_port, demo->websocket_port);
    return 0;
}

/* Broker and service, until both listen on their ports. */
static int start_all(struct demo *demo, struct error *err)
{
    int lock = child_lock_ports(DEMO_START_MS); /* without it, it may still go well */
    int result = -1;
    if (!interrupted && choose_ports(demo, err) == 0 && start_broker(demo, err) == 0 &&
        connect_home(demo, err) == 0 && start_service(demo, err) == 0)
        result = wait_for(demo, &demo->service_online, DEMO_START_MS, "the service", err);
    if (lock >= 0)
        close(lock);
    return result;
}

static int run(struct demo *demo, struct error *err)
{
    printf("A simulated home: %d entities, %ld days of history (seed %ld, %s) …\n", DEMO_ENTITIES,
           demo->days, demo->seed, tz_name(demo->tz));
    if (make_home(demo, err) < 0 || start_all(demo, err) < 0)
        return interrupted ? 0 : -1;
    if (!interrupted)
        publish(demo, "ha-ai/commands/analysis/run", json_object_new_object());
    if (wait_for(demo, &demo->analysed, 10L * 60 * 1000, "the analysis", err) < 0)
        return -1;
    if (interrupted)
        return 0;
    if (demo->failed)
        return error_set(err, ERROR_IO, "the analysis of the simulated home failed");
    if (demo->suggestions == 0)
        printf("\n\nNothing was found: another --seed gives another home.\n");
    tell_what_now(demo);
    while (!interrupted)
        if (turn(demo, err) < 0)
            return -1;
    return 0;
}

static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *path = xasprintf("%s/%s", folder, entry->d_name);
        unlink(path);
        free(path);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(folder);
}

static void clean_up(struct demo *demo)
{
    child_stop(&demo->service, DEMO_STOP_MS);
    if (demo->mosq != NULL)
        mosquitto_destroy(demo->mosq);
    mosquitto_lib_cleanup();
    child_stop(&demo->broker, DEMO_STOP_MS);
    live_free(demo->live);
    tz_free(demo->tz);
    remove_folder(demo->folder);
}

/* --- Arguments ----------------------------------------------------------------------------------
 */

static void usage(FILE *out)
{
    fputs("Usage: ha-ai demo [OPTIONS]\n"
          "A broker on loopback, the service and a simulated home that lives on and obeys what is\n"
          "approved; until Ctrl-C, when everything that it started is gone.\n\n"
          "  --speed N   home time runs N times as fast as real time, 1..3600 [1]\n"
          "  --days N    days of history, 10..400 [30]\n"
          "  --seed N    which home [1]\n"
          "  --port N    port of the broker, or the next free one [1883]\n"
          "  --help      this text\n",
          out);
}

static int parse_arguments(int argc, char **argv, struct demo *demo)
{
    const struct {
        const char *name;
        long *value, least, most;
    } table[] = {{"speed", &demo->speed, 1, DEMO_SPEED_MAX},
                 {"days", &demo->days, 10, DEMO_DAYS_MAX},
                 {"seed", &demo->seed, 0, 2147483647},
                 {"port", &demo->port, 1, 65535}};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return 1;
        size_t k = 0;
        while (k < 4 && (strncmp(argv[i], "--", 2) != 0 || strcmp(argv[i] + 2, table[k].name) != 0))
            k++;
        if (k == 4 || i + 1 == argc) {
            fprintf(stderr, "ha-ai demo: unexpected '%s'; see 'ha-ai demo --help'\n", argv[i]);
            return -1;
        }
        char *end;
        errno = 0;
        *table[k].value = strtol(argv[++i], &end, 10);
        if (errno != 0 || end == argv[i] || *end != '\0' || *table[k].value < table[k].least ||
            *table[k].value > table[k].most) {
            fprintf(stderr, "ha-ai demo: --%s is '%s', expected %ld to %ld\n", table[k].name,
                    argv[i], table[k].least, table[k].most);
            return -1;
        }
    }
    return 0;
}

int demo_main(int argc, char **argv)
{
    struct demo demo = {.days = 30, .seed = 1, .speed = 1, .port = 1883};
    struct error err = {0};
    int parsed = parse_arguments(argc, argv, &demo);
    if (parsed != 0) {
        if (parsed > 0)
            usage(stdout);
        return parsed > 0 ? 0 : 2;
    }
    const char *tmp = getenv("TMPDIR");
    snprintf(demo.folder, sizeof(demo.folder), "%s/ha-ai-demo-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (mkdtemp(demo.folder) == NULL) {
        fprintf(stderr, "ha-ai demo: %s: %s\n", demo.folder, strerror(errno));
        return 1;
    }
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0); /* what happens is read when it happens, in a pipe too */
    mosquitto_lib_init();
    demo.tz = local_zone();
    int result = run(&demo, &err);
    if (interrupted)
        printf("\nStopping …\n");
    clean_up(&demo);
    if (result < 0)
        fprintf(stderr, "ha-ai demo: %s\n", err.message);
    return result < 0 ? 1 : 0;
}
