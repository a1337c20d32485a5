/* How the service itself is: what is wrong, what it keeps, how much it needs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/state.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "store/activity.h"

enum {
    WEEK_MS = 7 * 24 * 3600 * 1000,
    HA_AWAY_MS = 60 * 1000, /* longer than this is more than a restart */
    MEASURE_MS = 60 * 1000, /* memory and latency: no faster, or HA's recorder grows */
};

static const char *const LAST_ERROR_KEY = "last_error";

static json_object *rounded(double value, int decimals)
{
    char text[32];
    snprintf(text, sizeof(text), "%.*f", decimals, value);
    return json_object_new_double(strtod(text, NULL));
}

/* Resident memory in MB; NULL when the system does not tell. */
static json_object *memory_mb(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = 0;
    bool is_read = file != NULL && fscanf(file, "%*d %9ld", &pages) == 1;
    if (file != NULL)
        fclose(file);
    return is_read ? rounded((double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6, 1) : NULL;
}

static double file_mb(const char *path, const char *suffix)
{
    struct stat info;
    char *name = xasprintf("%s%s", path, suffix);
    double mb = stat(name, &info) == 0 ? (double)info.st_size / 1e6 : 0;
    free(name);
    return mb;
}

void health_refresh_archive(struct app *app)
{
    char *path = app_archive_path(app->database_path);
    int64_t days = 0;
    struct error err = {0};
    if (activity_archive_days(path, &days, &err) < 0)
        log_debug("app", "the archive's days are not known: %s", err.message);
    else
        facts_set(app, "archive", "days", json_object_new_int64(days));
    facts_set(app, "archive", "size_mb", rounded(file_mb(path, "") + file_mb(path, "-wal"), 1));
    free(path);
}

/* That HA is away counts when it lasts: it restarts now and then, and would find a problem at each
 * return. What it says itself counts at once. */
static const char *ha_trouble(struct app *app)
{
    int64_t now_ms = clock_monotonic_ms();
    int status = app->ha != NULL ? ha_last_status(app->ha) : -1;
    bool is_away = status == 0 || status >= 500;
    if (!is_away)
        app->ha_away_ms = 0;
    else if (app->ha_away_ms == 0)
        app->ha_away_ms = now_ms;
    bool counts = status >= 0 && (!is_away || now_ms - app->ha_away_ms >= HA_AWAY_MS);
    return counts ? ha_problem(app->ha) : NULL;
}

/* What is wrong now, as one text; "" = nothing. The broker is not among it: when it cannot be
 * reached nobody hears of it, and the device is unavailable. */
static void find_problems(struct app *app, char *out, size_t size)
{
    const struct {
        const char *part, *problem;
    } parts[] = {
        {"database", json_get_string(json_get_object(app->facts, "database"), "problem")},
        {"history", json_get_string(json_get_object(app->facts, "history"), "problem")},
        {"analysis", json_get_string(json_get_object(app->facts, "analysis"), "error")},
        {"Home Assistant", ha_trouble(app)},
    };
    const char *before = NULL;
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && len < size; i++) {
        const char *problem = parts[i].problem;
        if (problem == NULL || *problem == '\0' || (before != NULL && strcmp(before, problem) == 0))
            continue; /* a failed analysis is told as the history's problem, too */
        len += (size_t)snprintf(out + len, size - len, "%s%s: %s", len > 0 ? "; " : "",
                                parts[i].part, problem);
        before = problem;
    }
}

static void show_last_error(struct app *app, json_object *last)
{
    facts_set(app, "problem", "last", facts_text(json_get_string(last, "text")));
    json_object *detail = json_object_new_object();
    json_add_string(detail, "since", json_get_string(last, "at"));
    facts_set(app, "problem", "last_detail", detail);
}

static void keep_last_error(struct app *app, const char *text)
{
    char at[CLOCK_RFC3339_SIZE];
    struct error err = {0};
    json_object *last = json_object_new_object();
    clock_format_rfc3339(at, clock_wall_ms());
    json_add_string(last, "text", text);
    json_add_string(last, "at", at);
    if (store_set(app->store, LAST_ERROR_KEY, json_text(last), &err) < 0)
        log_debug("app", "the last error is not kept: %s", err.message);
    show_last_error(app, last);
    json_object_put(last);
}

static void refresh_problem(struct app *app)
{
    char reason[2 * APP_REASON_SIZE];
    find_problems(app, reason, sizeof(reason));
    const char *before = json_get_string(
        json_get_object(json_get_object(app->facts, "problem"), "detail"), "reason");
    if (reason[0] != '\0' && (before == NULL || strcmp(before, reason) != 0))
        keep_last_error(app, reason);
    json_object *detail = json_object_new_object();
    json_add_string(detail, "reason", reason[0] != '\0' ? reason : NULL);
    facts_set(app, "problem", "any", json_object_new_boolean(reason[0] != '\0'));
    facts_set(app, "problem", "detail", detail);
}

static void refresh_activity(struct app *app)
{
    int64_t count, since_ms = app_ha_now_ms(app) - WEEK_MS;
    struct error err = {0};
    if (activity_habit_count(app->store, &count, &err) == 0)
        facts_set(app, "habits", "known", json_object_new_int64(count));
    if (activity_run_count(app->store, since_ms, &count, &err) == 0)
        facts_set(app, "week", "done", json_object_new_int64(count));
    if (activity_undo_count(app->store, since_ms, &count, &err) == 0)
        facts_set(app, "week", "undone", json_object_new_int64(count));
}

static void measure(struct app *app)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t latency_ms = app->ha != NULL ? ha_latency_ms(app->ha) : -1;
    bool is_news = (json_at(app->facts, "latency.ha_ms") == NULL) != (latency_ms < 0);
    if (app->measured_ms != 0 && now_ms - app->measured_ms < MEASURE_MS && !is_news)
        return;
    app->measured_ms = now_ms;
    facts_set(app, "process", "memory_mb", memory_mb());
    facts_set(app, "latency", "ha_ms", latency_ms >= 0 ? json_object_new_int64(latency_ms) : NULL);
}

void health_refresh(struct app *app)
{
    refresh_problem(app);
    refresh_activity(app);
    measure(app);
}

void health_init(struct app *app)
{
    char started[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(started, clock_wall_ms());
    facts_set(app, "process", "started", json_object_new_string(started));
    char *text = store_get(app->store, LAST_ERROR_KEY);
    json_object *last = text != NULL ? json_parse(text, strlen(text), NULL) : NULL;
    show_last_error(app, last);
    json_object_put(last);
    free(text);
    health_refresh_archive(app);
    health_refresh(app);
}
