/* `ha-ai run`: builds the service, runs its loop, takes it down in reverse order. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app/owner.h"
#include "app/settings.h"
#include "app/state.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "mqtt/topics.h"

enum {
    REFRESH_MS = 5000,   /* how old the counts in the facts may be */
    INBOX_SLICE_MS = 20, /* then others have their turn: /health waits for none */
    STOP_WAIT_MS = 1500, /* for the broker's word that we are offline */
};

struct loop *app_loop(struct app *app)
{
    return app->loop;
}

struct store *app_store(struct app *app)
{
    return app->store;
}

struct mqtt *app_mqtt(struct app *app)
{
    return app->mqtt;
}

const struct options *app_options(struct app *app)
{
    return &app->options;
}

json_object *app_facts(struct app *app)
{
    return app->facts;
}

int64_t app_ha_now_ms(struct app *app)
{
    return clock_wall_ms() + (app->ha ? ha_clock_offset_ms(app->ha) : 0);
}

/* One message: its effect and its end are one transaction. */
static bool run_message(struct app *app, const struct inbox_message *message)
{
    struct error err = {0};
    const struct app_choice choice = app->choice;
    if (store_begin(app->store, &err) < 0)
        goto failed;
    bool known = owner_on_message(app, message) || commands_on_message(app, message);
    for (size_t i = 0; i < app->face_count && !known; i++)
        if (app->faces[i]->message != NULL)
            known = app->faces[i]->message(app->face_states[i], message);
    if (!known)
        log_debug("app", "a message on %s is nobody's", message->topic);
    if (inbox_done(app->store, message->row, known ? "done" : "unknown", &err) == 0 &&
        store_commit(app->store, &err) == 0) {
        analysis_stop_if_paused(app);
        analysis_start_requested(app);
        if (app->restart_requested)
            loop_stop(app->loop);
        return true;
    }
    store_rollback(app->store);
    app->choice = choice; /* the message comes again, and must find what it found */
    app->analysis_requested = app->restart_requested = false;
    settings_init(app);
    facts_refresh_suggestions(app);
failed:
    log_error("app", "a message on %s waits: %s", message->topic, err.message);
    return false;
}

static void on_inbox(void *ctx);

static int64_t go_on(void *ctx)
{
    struct app *app = ctx;
    app->inbox_timer = 0;
    on_inbox(app);
    return LOOP_TIMER_STOP;
}

static void on_inbox(void *ctx)
{
    struct app *app = ctx;
    struct inbox_message message;
    struct error err = {0};
    int64_t until_ms = clock_monotonic_ms() + INBOX_SLICE_MS;
    bool ran = true;
    int got = 0;
    while (ran && clock_monotonic_ms() < until_ms &&
           (got = inbox_next(app->store, &message, &err)) == 1) {
        ran = run_message(app, &message);
        inbox_message_release(&message);
    }
    if (got < 0)
        log_error("app", "the inbox cannot be read: %s", err.message);
    else if (got == 1 && ran && app->inbox_timer == 0) /* else the refresh timer tries again */
        app->inbox_timer = loop_add_timer(app->loop, 0, go_on, app);
    deploy_continue(app);
    mqtt_flush_outbox(app->mqtt);
}

/* After everything else of a turn: the faces pull what changed. */
static void tell_faces(void *ctx)
{
    struct app *app = ctx;
    unsigned changes = app->changes;
    app->changes = 0;
    for (size_t i = 0; changes != 0 && i < app->face_count; i++)
        if (app->faces[i]->changed != NULL)
            app->faces[i]->changed(app->face_states[i], changes);
}

static void on_connected(bool session, void *ctx)
{
    struct app *app = ctx;
    (void)session;
    app->changes |= APP_CHANGED_CONNECTED;
    facts_refresh_connections(app);
    facts_refresh_suggestions(app); /* the picture is one that this broker takes */
    tell_faces(app);                /* before what was kept for it is sent */
}

static void on_disconnected(bool taken_over, void *ctx)
{
    if (taken_over)
        owner_ask_again(ctx);
    facts_refresh_connections(ctx);
}

static void on_ha_changed(void *ctx)
{
    struct app *app = ctx;
    app->changes |= APP_CHANGED_HA;
    facts_refresh_connections(app);
    analysis_home_changed(app);
    deploy_continue(app);
    theirs_look(app);
}

static void on_websocket(void *ctx)
{
    struct app *app = ctx;
    facts_refresh_connections(app);
    theirs_label(app);
}

static int64_t refresh(void *ctx)
{
    struct app *app = ctx;
    facts_refresh_connections(app);
    analysis_notice_forgotten(app);
    decide_let_time_pass(app);
    on_inbox(app);
    explain_continue(app);
    return REFRESH_MS;
}

static void on_signal(int fd, short events, void *ctx)
{
    struct app *app = ctx;
    struct signalfd_siginfo info;
    (void)events;
    if (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        log_info("app", "stopping (signal %u)", info.ssi_signo);
        loop_stop(app->loop);
    }
}

/* Before any thread starts, so that all of them leave the signals to the loop. */
static int take_signals(struct app *app, struct error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP); /* the terminal went away */
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    app->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (app->signal_fd < 0)
        return error_set(err, ERROR_IO, "signalfd: %s", strerror(errno));
    loop_add_fd(app->loop, app->signal_fd, POLLIN, on_signal, app);
    return 0;
}

char *app_database_path(const struct options *options)
{
    const char *set = options_string(options, OPTION_DATABASE_PATH);
    const char *state = getenv("STATE_DIRECTORY"), *home = getenv("HOME");
    if (set != NULL)
        return xstrdup(set);
    if (state != NULL && *state != '\0') /* systemd may give several, separated by ':' */
        return xasprintf("%.*s/ha-ai.db", (int)strcspn(state, ":"), state);
    return xasprintf("%s/.local/state/ha-ai/ha-ai.db", home && *home ? home : "/var/lib/ha-ai");
}

static int open_store(struct app *app, struct error *err)
{
    app->database_path = app_database_path(&app->options);
    app->lock_fd = store_lock(app->database_path, err);
    if (app->lock_fd >= 0)
        app->store = store_open(app->database_path, err);
    return app->store != NULL ? 0 : error_prefix(err, "DATABASE_PATH");
}

static int open_mqtt(struct app *app, struct error *err)
{
    const struct options *o = &app->options;
    const char *instance = options_string(o, OPTION_INSTANCE);
    const char *tls = options_string(o, OPTION_MQTT_TLS);
    const char *ca_file = options_string(o, OPTION_MQTT_CA_FILE);
    char *will = topics_availability(instance);
    struct mqtt_settings settings = {
        .host = options_string(o, OPTION_MQTT_BROKER),
        .port = (int)options_int(o, OPTION_MQTT_PORT),
        .username = options_string(o, OPTION_MQTT_USERNAME),
        .password = options_string(o, OPTION_MQTT_PASSWORD),
        .tls = strcmp(tls, "on") == 0 || ca_file != NULL,
        .ca_file = ca_file,
        .client_id = instance,
        .will_topic = will,
        .database_path = app->database_path,
        .on_connected = on_connected,
        .on_disconnected = on_disconnected,
        .on_inbox = on_inbox,
        .ctx = app,
    };
    app->mqtt = mqtt_new(app->loop, app->store, &settings, err);
    free(will);
    if (app->mqtt == NULL)
        return -1;
    commands_subscribe(app);
    return 0;
}

static int open_ha(struct app *app, struct error *err)
{
    const char *url = options_string(&app->options, OPTION_HA_URL);
    const char *token = options_string(&app->options, OPTION_HA_TOKEN);
    if (url == NULL || token == NULL) {
        log_info("app",
                 "Home Assistant's API is off (%s is not set): approved automations go out over "
                 "MQTT only",
                 url ? "HA_TOKEN" : "HA_URL");
        return 0;
    }
    struct ha_settings settings = {
        .url = url,
        .token = token,
        .on_changed = on_ha_changed,
        .on_run = deploy_on_run,
        .on_websocket = on_websocket,
        .on_automations = theirs_look,
        .ctx = app,
    };
    app->ha = ha_new(app->loop, &settings, err);
    return app->ha ? 0 : -1;
}

static int start_faces(struct app *app, const struct face *const *faces, struct error *err)
{
    for (size_t i = 0; faces[i] != NULL && i < APP_FACES_MAX; i++) {
        void *state = faces[i]->start(app, err);
        if (state == NULL)
            return -1;
        app->faces[i] = faces[i];
        app->face_states[i] = state;
        app->face_count = i + 1;
    }
    return 0;
}

static int start(struct app *app, const struct face *const *faces, struct error *err)
{
    settings_set_log_level(options_string(&app->options, OPTION_LOG_LEVEL));
    if (options_string(&app->options, OPTION_MQTT_BROKER) == NULL)
        return error_set(err, ERROR_INVALID,
                         "MQTT_BROKER is not set: it takes the host of Home Assistant's broker");
    for (enum option_id o = OPTION_DATA_API_URL; o <= OPTION_OPENAI_API_KEY; o++)
        if (options_string(&app->options, o) != NULL)
            log_info("app", "%s is accepted, but nothing uses it yet", options_name(o));
    app->loop = loop_new();
    if (take_signals(app, err) < 0 || open_store(app, err) < 0 || open_mqtt(app, err) < 0)
        return -1;
    if (analysis_setup(app, err) < 0)
        return -1;
    theirs_setup(app);
    facts_init(app);
    if (open_ha(app, err) < 0 || start_faces(app, faces, err) < 0)
        return -1;
    facts_refresh_connections(app);
    analysis_resume(app);
    deploy_watch_runs(app);
    loop_add_timer(app->loop, 0, refresh, app);
    loop_add_turn(app->loop, tell_faces, app);
    return owner_start(app, err);
}

static void stop(struct app *app)
{
    for (size_t i = app->face_count; i-- > 0;)
        app->faces[i]->stop(app->face_states[i]);
    if (app->mqtt != NULL)
        mqtt_stop(app->mqtt, STOP_WAIT_MS);
    owner_stop(app);
    ha_free(app->ha);
    undo_teardown(app);
    explain_teardown(app);
    theirs_teardown(app);
    json_object_put(app->deploy_saved);
    if (app->loop != NULL)
        analysis_teardown(app);
    mqtt_free(app->mqtt);
    store_close(app->store);
    json_object_put(app->facts);
    if (app->signal_fd >= 0)
        close(app->signal_fd);
    if (app->lock_fd >= 0)
        close(app->lock_fd);
    loop_free(app->loop);
    free(app->language);
    free(app->database_path);
    options_release(&app->options);
}

/* Becomes the program anew, in the same process: whoever started it (systemd, docker, an add-on's
 * supervisor, a terminal) need not know how to, and sees no end. The file that lies there now is
 * run, which an update may have replaced; the environment stays, an --env-file is read again. Comes
 * back only when that failed. */
static void run_again(int argc, char **argv)
{
    char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[len > 0 ? len : 0] = '\0';
    char *deleted = strstr(path, " (deleted)");
    if (deleted != NULL)
        *deleted = '\0';
    char **arguments = xcalloc((size_t)argc + 2, sizeof(*arguments));
    char name[] = "ha-ai";
    arguments[0] = name;
    memcpy(arguments + 1, argv, (size_t)argc * sizeof(*argv));
    for (int fd = STDERR_FILENO + 1; fd < 1024; fd++) /* what hangs in a thread left behind */
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    execv(path, arguments);
    execv("/proc/self/exe", arguments);
    log_error("app", "cannot start again: %s", strerror(errno));
    free(arguments);
}

static void usage(FILE *out)
{
    fputs("Usage: ha-ai run [--env-file FILE]\n"
          "The service: a device in Home Assistant that finds habits and suggests automations.\n"
          "It is configured by environment variables, or by FILE with lines NAME=value:\n\n",
          out);
    options_print_help(out);
}

int app_main(int argc, char **argv, const struct face *const *faces)
{
    const char *env_file = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            usage(stdout);
            return 0;
        }
        if (strcmp(argv[i], "--env-file") == 0 && i + 1 < argc) {
            env_file = argv[++i];
        } else {
            fprintf(stderr, "ha-ai: run: unexpected '%s'; see 'ha-ai run --help'\n", argv[i]);
            return 2;
        }
    }
    struct app app = {.signal_fd = -1, .lock_fd = -1};
    struct error err = {0};
    if (options_load(&app.options, env_file, &err) < 0) {
        fprintf(stderr, "ha-ai: %s\n", err.message);
        return 2;
    }
    int result = start(&app, faces, &err);
    if (result == 0)
        loop_run(app.loop);
    bool again = result == 0 && app.restart_requested;
    stop(&app);
    if (again) {
        run_again(argc, argv);
        return 1; /* who restarts what fails may do better */
    }
    if (result < 0)
        fprintf(stderr, "ha-ai: %s\n", err.message);
    return result == 0 ? app.exit_code : err.code == ERROR_INVALID ? 2 : 1;
}
