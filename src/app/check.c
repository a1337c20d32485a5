#include "app/check.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "app/app.h"
#include "app/check_job.h"
#include "core/clock.h"
#include "core/http.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "ha/ha.h"
#include "source/source.h"

enum {
    ROWS_MAX = 8, /* of one part */
    PART_TIMEOUT_MS = 15 * 1000,
    HA_TIMEOUT_MS = 13 * 1000, /* says more than the part's */
    HEALTH_TIMEOUT_MS = 4 * 1000,
    DISK_FREE_MIN_MB = 100,
};

struct row {
    const char *part;
    enum check_result result;
    char text[600];
};

struct check_job {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* monotonic */
    check_fn run;
    const struct options *options;
    struct row rows[ROWS_MAX];
    size_t count;
    bool done;
};

/* --- parts on threads --- */

void check_add(struct check_job *job, const char *part, enum check_result result, const char *fmt,
               ...)
{
    va_list ap;
    pthread_mutex_lock(&job->lock);
    if (job->count < ROWS_MAX) {
        struct row *row = &job->rows[job->count++];
        row->part = part;
        row->result = result;
        va_start(ap, fmt);
        vsnprintf(row->text, sizeof(row->text), fmt, ap);
        va_end(ap);
    }
    pthread_mutex_unlock(&job->lock);
}

static void *run_job(void *ctx)
{
    struct check_job *job = ctx;
    job->run(job, job->options);
    pthread_mutex_lock(&job->lock);
    job->done = true;
    pthread_cond_signal(&job->changed);
    pthread_mutex_unlock(&job->lock);
    return NULL;
}

static struct check_job *start_job(check_fn run, const struct options *options, pthread_t *thread)
{
    struct check_job *job = xcalloc(1, sizeof(*job));
    pthread_condattr_t attributes;
    pthread_mutex_init(&job->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&job->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    job->run = run;
    job->options = options;
    if (pthread_create(thread, NULL, run_job, job) != 0)
        abort();
    return job;
}

static void print_row(const struct row *row)
{
    static const char *const names[] = {"ok", "failed", "off"};
    printf("%-14s  %-6s  %s\n", row->part, names[row->result], row->text);
    fflush(stdout);
}

/* What the check found so far. */
struct summary {
    int failed;
    bool left_behind; /* a part still hangs: its thread may look at anything */
};

static void run_part(struct summary *summary, const char *name, check_fn run,
                     const struct options *options)
{
    pthread_t thread;
    struct check_job *job = start_job(run, options, &thread);
    int64_t until_ms = clock_monotonic_ms() + PART_TIMEOUT_MS;
    struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
    pthread_mutex_lock(&job->lock);
    while (!job->done && pthread_cond_timedwait(&job->changed, &job->lock, &until) == 0)
        ;
    bool done = job->done;
    for (size_t i = 0; i < job->count; i++) {
        print_row(&job->rows[i]);
        summary->failed += job->rows[i].result == CHECK_FAILED;
    }
    pthread_mutex_unlock(&job->lock);
    if (done) {
        pthread_join(thread, NULL);
        pthread_mutex_destroy(&job->lock);
        pthread_cond_destroy(&job->changed);
        free(job);
        return;
    }
    struct row row = {.part = name, .result = CHECK_FAILED};
    snprintf(row.text, sizeof(row.text), "no end after %d s: is its host, or its disk, there?",
             PART_TIMEOUT_MS / 1000);
    print_row(&row);
    pthread_detach(thread);
    summary->failed++;
    summary->left_behind = true;
}

/* --- Home Assistant --- */

static void tell_ha(struct check_job *job, struct ha *ha, const char *url)
{
    int status = ha_last_status(ha);
    if (ha_is_reachable(ha)) {
        int64_t offset_s = ha_clock_offset_ms(ha) / 1000;
        char clock[64] = "";
        if (offset_s > 5 || offset_s < -5)
            snprintf(clock, sizeof(clock), "; its clock is %lld s %s ours",
                     (long long)llabs(offset_s), offset_s > 0 ? "ahead of" : "behind");
        check_add(job, "HA", CHECK_OK, "Home Assistant %s at %s%s",
                  json_get_string(ha_config(ha), "version"), url, clock);
        check_add(job, "HA token", CHECK_OK, "accepted");
        if (ha_is_admin(ha))
            check_add(job, "HA admin", CHECK_OK, "the token is an admin's");
        else
            check_add(job, "HA admin", CHECK_FAILED, "%s",
                      ha_problem(ha)[0] != '\0' ? ha_problem(ha) : "HA did not tell in time");
    } else if (status == 401) {
        check_add(job, "HA", CHECK_OK, "answers at %s", url);
        check_add(job, "HA token", CHECK_FAILED, "%s", ha_problem(ha));
    } else {
        check_add(job, "HA", CHECK_FAILED, "%s", ha_problem(ha));
    }
}

static void check_ha(struct check_job *job, const struct options *options)
{
    const char *url = options_string(options, OPTION_HA_URL);
    const char *token = options_string(options, OPTION_HA_TOKEN);
    struct error err;
    if (url == NULL && token == NULL) {
        check_add(
            job, "HA", CHECK_OFF,
            "HA_URL and HA_TOKEN are not set: approved automations are only published on MQTT");
        return;
    }
    if (url == NULL || token == NULL) {
        check_add(job, "HA", CHECK_FAILED, "%s is not set: set both HA_URL and HA_TOKEN, or none",
                  url == NULL ? "HA_URL" : "HA_TOKEN");
        return;
    }
    struct loop *loop = loop_new();
    struct ha_settings settings = {.url = url, .token = token};
    struct ha *ha = ha_new(loop, &settings, &err);
    if (ha == NULL) {
        check_add(job, "HA", CHECK_FAILED, "%s", err.message);
    } else {
        int64_t until_ms = clock_monotonic_ms() + HA_TIMEOUT_MS;
        bool answered = false;
        while (!answered && clock_monotonic_ms() < until_ms) {
            loop_turn(loop, 100);
            answered = ha_last_status(ha) >= 0 &&
                       (!ha_is_reachable(ha) || ha_is_admin_known(ha) || ha_problem(ha)[0] != '\0');
        }
        tell_ha(job, ha, url);
    }
    ha_free(ha);
    loop_free(loop);
}

/* --- history and disk --- */

static void check_history(struct check_job *job, const struct options *options)
{
    struct error err = {0};
    char *where = app_history(options);
    if (where == NULL) {
        check_add(job, "history", CHECK_OFF,
                  "HISTORY is not set: give the path of Home Assistant's home-assistant_v2.db");
        return;
    }
    struct source *source = source_open(where, &err);
    if (source == NULL) {
        check_add(job, "history", CHECK_FAILED, "%s", err.message);
    } else {
        const char *zone = source_place(source)->timezone;
        check_add(job, "history", CHECK_OK, "%s can be read%s%s", where,
                  zone != NULL ? "; time zone " : "", zone != NULL ? zone : "");
    }
    source_close(source);
    free(where);
}

/* The folder of a path, or the nearest one above it that exists. */
static char *existing_folder(const char *path, bool *is_direct)
{
    char *folder = xstrdup(path);
    *is_direct = true;
    for (;;) {
        char *slash = strrchr(folder, '/');
        if (slash == NULL) {
            free(folder);
            return xstrdup(".");
        }
        slash[slash == folder ? 1 : 0] = '\0';
        if (access(folder, F_OK) == 0 || strcmp(folder, "/") == 0)
            return folder;
        *is_direct = false;
    }
}

/* Opening it would make or migrate it, perhaps as another user than the service's. */
static void check_database(struct check_job *job, const struct options *options)
{
    bool is_direct;
    struct statvfs disk;
    char *path = app_database_path(options);
    char *folder = existing_folder(path, &is_direct);
    bool exists = access(path, F_OK) == 0;
    if (access(folder, W_OK | X_OK) != 0)
        check_add(job, "database", CHECK_FAILED,
                  "%s: %s (DATABASE_PATH must lie in a folder that this user may write)", folder,
                  strerror(errno));
    else if (exists && access(path, R_OK | W_OK) != 0)
        check_add(job, "database", CHECK_FAILED, "%s: %s (it must belong to this user)", path,
                  strerror(errno));
    else if (statvfs(folder, &disk) != 0)
        check_add(job, "database", CHECK_FAILED, "%s: %s", folder, strerror(errno));
    else {
        long long free_mb = (long long)(disk.f_bavail * (unsigned long long)disk.f_frsize >> 20);
        check_add(job, "database", CHECK_OK, "%s%s", path,
                  exists      ? ""
                  : is_direct ? " (not made yet)"
                              : " (neither file nor folder made yet)");
        check_add(job, "disk", free_mb < DISK_FREE_MIN_MB ? CHECK_FAILED : CHECK_OK,
                  "%lld MB free in %s%s", free_mb, folder,
                  free_mb < DISK_FREE_MIN_MB ? ": make room, 100 MB at least" : "");
    }
    free(folder);
    free(path);
}

/* --- the running service's own word --- */

struct health {
    int status; /* -1 = no answer yet */
};

static void on_health(const struct http_response *response, void *ctx)
{
    struct health *health = ctx;
    health->status = response->status;
    if (response->status != 0)
        printf("%s\n", response->body);
    else
        fprintf(stderr, "ha-ai: check: %s\n", response->error);
}

static int ask_health(const struct options *options)
{
    const char *bind = options_string(options, OPTION_HTTP_BIND);
    bool is_any = bind == NULL || strcmp(bind, "0.0.0.0") == 0;
    bool is_v6 = !is_any && strchr(bind, ':') != NULL;
    const char *host = is_any ? "127.0.0.1" : strcmp(bind, "::") == 0 ? "::1" : bind;
    char *url = xasprintf("http://%s%s%s:%ld/health", is_v6 ? "[" : "", host, is_v6 ? "]" : "",
                          options_int(options, OPTION_HTTP_PORT));
    struct health health = {-1};
    struct loop *loop = loop_new();
    struct http_request request = {.method = "GET",
                                   .url = url,
                                   .timeout_ms = HEALTH_TIMEOUT_MS,
                                   .on_done = on_health,
                                   .ctx = &health};
    unsetenv("http_proxy"); /* it would not reach our own loopback */
    http_start(loop, &request);
    while (health.status < 0)
        loop_turn(loop, 1000);
    loop_free(loop);
    free(url);
    return health.status == 200 ? 0 : 1;
}

/* --- the command --- */

static void usage(FILE *out)
{
    fputs(
        "Usage: ha-ai check [--env-file FILE] [--health]\n"
        "Tries every part of the configuration and prints a table: ok, failed or off, and what to\n"
        "do. Disturbs no running service.\n\n"
        "  --env-file FILE  the configuration, as for `ha-ai run`\n"
        "  --health         ask the running service how it is instead\n"
        "  --help           this text\n\n"
        "Exit code: 0 nothing failed, 1 something failed, 2 wrong use.\n",
        out);
}

static int check_all(const struct options *options)
{
    struct summary summary = {0};
    log_set_level(LOG_LEVEL_ERROR); /* the table says it */
    run_part(&summary, "broker", check_mqtt, options);
    run_part(&summary, "HA", check_ha, options);
    run_part(&summary, "history", check_history, options);
    run_part(&summary, "database", check_database, options);
    if (summary.left_behind) {
        fflush(NULL);
        _exit(1); /* the options must stay for the thread that hangs */
    }
    return summary.failed > 0 ? 1 : 0;
}

int check_main(int argc, char **argv)
{
    const char *env_file = NULL;
    bool health = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            usage(stdout);
            return 0;
        }
        if (strcmp(argv[i], "--env-file") == 0 && i + 1 < argc) {
            env_file = argv[++i];
        } else if (strcmp(argv[i], "--health") == 0) {
            health = true;
        } else {
            fprintf(stderr, "ha-ai: check: unexpected '%s'; see 'ha-ai check --help'\n", argv[i]);
            return 2;
        }
    }
    struct options options;
    struct error err = {0};
    if (health)
        log_set_level(LOG_LEVEL_ERROR);
    if (options_load(&options, env_file, &err) < 0) {
        fprintf(stderr, "ha-ai: %s\n", err.message);
        return 2;
    }
    int result = health ? ask_health(&options) : check_all(&options);
    options_release(&options);
    return result;
}
