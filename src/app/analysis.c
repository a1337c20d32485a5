/* When an analysis runs, and what becomes of its result. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/settings.h"
#include "app/known_rules.h"
#include "app/state.h"
#include "app/watch_runs.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "source/source.h"
#include "source/storage.h"
#include "store/outbox.h"
#include "suggest/safety.h"

enum {
    SCHEDULE_CHECK_MS = 20 * 1000, /* the wall clock may jump: looked at often, not slept to */
    CLOCK_SET_BACK_S = 60,         /* more than this is no slew */
    HA_FIRST_MS = 500,
    MISSED_S = 120,             /* later than this is not on time */
    RETRY_FIRST_MS = 60 * 1000, /* after a failure; doubled up to an hour */
    RETRY_LAST_MS = 60 * 60 * 1000,
};

static const char *const DEFAULT_HISTORY = "/config/home-assistant_v2.db";

char *app_history(const struct options *options)
{
    const char *set = options_string(options, OPTION_HISTORY);
    if (set == NULL && access(DEFAULT_HISTORY, F_OK) == 0)
        set = DEFAULT_HISTORY;
    return set != NULL ? xstrdup(set) : NULL;
}

char *app_archive_path(const char *database_path)
{
    size_t length = strlen(database_path);
    if (length > 3 && strcmp(database_path + length - 3, ".db") == 0)
        length -= 3;
    return xasprintf("%.*s-archive.db", (int)length, database_path);
}

static int analysis_start(struct app *app, const char *who, struct error *err);

static void find_history(struct app *app)
{
    app->history = app_history(&app->options);
    if (app->history == NULL)
        log_info("app", "history is off: HISTORY is not set and %s is not there", DEFAULT_HISTORY);
}

/* The home's zone: HA's own word, else the folder of its database, else TZ, else UTC. */
static void settle_time_zone(struct app *app)
{
    json_object *config = app->ha ? ha_config(app->ha) : NULL;
    const char *name = json_get_string(config, "time_zone");
    struct source_place place = {0};
    struct error err = {0};

    if (name == NULL && app->history != NULL && strstr(app->history, "://") == NULL) {
        storage_read_place(app->history, &place);
        name = place.timezone;
    }
    char *kept = NULL;
    if (name == NULL && app->ha != NULL) /* HA will say: until then what it said before */
        name = kept = store_get(app->store, "timezone");
    if (name == NULL)
        name = options_string(&app->options, OPTION_TZ);
    if (name == NULL)
        name = "UTC";
    if (app->tz == NULL || strcmp(tz_name(app->tz), name) != 0) {
        struct tz *tz = tz_load(name, &err);
        if (tz == NULL) {
            log_error("app", "%s; the schedule runs in UTC", err.message);
            tz = app->tz ? app->tz : tz_load("UTC", &err);
        } else {
            log_info("app", "the home's time zone is %s", name);
        }
        if (tz != app->tz) {
            tz_free(app->tz);
            app->tz = tz;
        }
        app->next_run_s = cron_next(&app->cron, app->tz, app->scheduled_s);
        if (store_set(app->store, "timezone", tz_name(app->tz), &err) < 0)
            log_warn("app", "the time zone is not kept: %s", err.message);
    }
    free(kept);
    free(place.timezone);
}

static bool daily_is_on(const struct app *app)
{
    return json_get_bool(json_get_object(app->facts, "settings"), "daily_analysis", true);
}

/* What was to run up to then is settled, for the next process too: however many runs a downtime or
 * a sleep took, one makes up for all. */
static void reckon_from(struct app *app, int64_t now_s)
{
    char text[24];
    struct error err = {0};
    app->scheduled_s = now_s;
    app->next_run_s = cron_next(&app->cron, app->tz, now_s);
    snprintf(text, sizeof(text), "%lld", (long long)now_s);
    if (store_set(app->store, "scheduled", text, &err) < 0)
        log_warn("app", "when the schedule ran is not kept: %s", err.message);
}

static void recall_schedule(struct app *app)
{
    int64_t now_s = clock_wall_ms() / 1000;
    char *text = store_get(app->store, "scheduled");
    struct error err = {0};
    if (text == NULL) { /* the first start: what is missed from now on is made up for */
        char now[24];
        snprintf(now, sizeof(now), "%lld", (long long)now_s);
        if (store_set(app->store, "scheduled", now, &err) < 0)
            log_warn("app", "when the schedule ran is not kept: %s", err.message);
    }
    app->scheduled_s = text != NULL ? strtoll(text, NULL, 10) : now_s;
    if (app->scheduled_s > now_s)
        app->scheduled_s = now_s; /* the clock was ahead */
    free(text);
}

static int64_t check_schedule(void *ctx)
{
    struct app *app = ctx;
    int64_t now_s = clock_wall_ms() / 1000;
    if (now_s < app->checked_s - CLOCK_SET_BACK_S) { /* what was reckoned from it is far away */
        reckon_from(app, now_s);
        facts_refresh_analysis(app, NULL);
    }
    app->checked_s = now_s;
    if (now_s >= app->next_run_s && app->ha != NULL && ha_last_status(app->ha) < 0)
        return HA_FIRST_MS; /* just started: HA is about to say where the home is */
    if (now_s >= app->next_run_s) {
        if (now_s - app->next_run_s > MISSED_S)
            log_info("app", "a scheduled analysis was missed: it is made up for now");
        reckon_from(app, now_s);
        struct error err = {0};
        bool daily = daily_is_on(app) && !settings_learning_paused(app);
        if (daily && app->history != NULL && analysis_start(app, "schedule", &err) < 0)
            log_warn("app", "the scheduled analysis did not start: %s", err.message);
        facts_refresh_analysis(app, NULL);
    }
    int64_t wait_ms = (app->next_run_s - now_s) * 1000;
    return wait_ms > SCHEDULE_CHECK_MS ? SCHEDULE_CHECK_MS : wait_ms > 0 ? wait_ms : 1000;
}

int analysis_setup(struct app *app, struct error *err)
{
    const char *line = options_string(&app->options, OPTION_ANALYSIS_SCHEDULE);
    if (cron_parse(line, &app->cron, err) < 0)
        return error_prefix(err, "ANALYSIS_SCHEDULE is '%.80s'", line);
    find_history(app);
    if (app->history != NULL && source_check_kind(app->history, err) < 0) {
        err->code = ERROR_INVALID;
        return error_prefix(err, "HISTORY");
    }
    char *forgotten = store_get(app->store, "forgotten");
    app->forgotten = forgotten != NULL ? strtoll(forgotten, NULL, 10) : 0;
    free(forgotten);
    app->next_run_s = INT64_MAX;
    recall_schedule(app);
    settle_time_zone(app);
    app->schedule_timer = loop_add_timer(app->loop, 0, check_schedule, app);
    app->ha_automations = ha_automations_new(app->loop, app->database_path);
    return 0;
}

void analysis_teardown(struct app *app)
{
    loop_remove_timer(app->loop, app->schedule_timer);
    loop_remove_timer(app->loop, app->retry_timer);
    analysis_job_stop(app->job);
    ha_automations_free(app->ha_automations);
    tz_free(app->tz);
    free(app->history);
}

void analysis_home_changed(struct app *app)
{
    settle_time_zone(app);
    facts_refresh_analysis(app, NULL);
}

static void on_progress(int percent, const char *phase, void *ctx)
{
    facts_set_progress(ctx, percent, phase);
}

static void append(struct app *app, const char *topic, json_object *payload, struct error *err)
{
    if (outbox_append(app->store, topic, payload, options_int(&app->options, OPTION_TTL),
                      clock_wall_ms(), err) < 0)
        log_error("app", "%s is lost: %s", topic, err->message);
    json_object_put(payload);
}

static void add_copy(json_object *to, const char *name, json_object *from, const char *key)
{
    json_object_object_add(to, name, json_object_get(json_object_object_get(from, key)));
}

static json_object *entities_of(json_object *content)
{
    json_object *entities = json_get_array(content, "entity_ids");
    return entities ? json_object_get(entities) : json_object_new_array();
}

/* Fields as in the prior art (docs/asyncapi.yaml): both shapes that were ever written down. */
static void report_pattern(struct app *app, json_object *content, const char *change,
                           struct error *err)
{
    json_object *p = json_object_new_object();
    add_copy(p, "pattern_id", content, "id");
    add_copy(p, "pattern_type", content, "kind");
    json_object_object_add(p, "entities", entities_of(content));
    add_copy(p, "title", content, "title");
    add_copy(p, "confidence", content, "score");
    add_copy(p, "evidence", content, "evidence");
    json_object_object_add(p, "change", json_object_new_string(change));
    append(app, "ha-ai/events/pattern/detected", p, err);

    json_object *event = json_object_new_object();
    json_add_string(event, "event_type", change);
    add_copy(event, "pattern_id", content, "id");
    add_copy(event, "pattern_type", content, "kind");
    add_copy(event, "title", content, "title");
    json_object_object_add(event, "entities", entities_of(content));
    app_send_event(app, "pattern", event);
}

static void report_suggestion(struct app *app, json_object *content, int waiting, struct error *err)
{
    json_object *p = json_object_new_object();
    json_object_object_add(p, "event_type", json_object_new_string("suggestions_ready"));
    add_copy(p, "suggestion_id", content, "id");
    add_copy(p, "title", content, "title");
    add_copy(p, "description", content, "explanation");
    add_copy(p, "category", content, "kind");
    add_copy(p, "confidence", content, "score");
    add_copy(p, "backtest", content, "backtest");
    add_copy(p, "automation", content, "automation");
    json_object_object_add(p, "count", json_object_new_int(waiting));
    append(app, "ha-ai/events/suggestion/generated", p, err);
    if (!settings_shows(app, content))
        return; /* the device does not show it either */

    json_object *event = json_object_new_object();
    json_object_object_add(event, "event_type", json_object_new_string("new"));
    add_copy(event, "suggestion_id", content, "id");
    add_copy(event, "title", content, "title");
    add_copy(event, "explanation", content, "explanation");
    add_copy(event, "score", content, "score");
    app_send_event(app, "suggestion", event);
}

/* True when some object of the array has this id. */
static bool has_id(json_object *array, const char *id)
{
    size_t n = json_object_array_length(array);
    for (size_t i = 0; i < n; i++) {
        const char *other = json_get_string(json_object_array_get_idx(array, i), "id");
        if (other != NULL && id != NULL && strcmp(other, id) == 0)
            return true;
    }
    return false;
}

static void report_anomaly(struct app *app, json_object *anomaly, struct error *err)
{
    static const char *const fields[] = {"kind",  "entity_id",   "since",
                                         "title", "explanation", "evidence"};
    json_object *p = json_object_new_object();
    json_object_object_add(p, "event_type", json_object_new_string("anomaly_detected"));
    add_copy(p, "anomaly_id", anomaly, "id");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        add_copy(p, fields[i], anomaly, fields[i]);
    append(app, "ha-ai/events/anomaly/detected", p, err);

    json_object *event = json_object_new_object();
    json_add_string(event, "event_type", "detected");
    add_copy(event, "anomaly_id", anomaly, "id");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(fields[i], "evidence") != 0 && strcmp(fields[i], "entity_id") != 0)
            add_copy(event, fields[i], anomaly, fields[i]);
    add_copy(event, "entity", anomaly, "entity_id"); /* HA drops an attribute "entity_id" */
    app_send_event(app, "anomaly", event);
}

/* Tells what was not in the result before; what went and comes anew is told again. */
static int report_anomalies(struct app *app, json_object *result, struct error *err)
{
    json_object *found = json_get_array(result, "anomalies"), *now = json_object_new_array();
    char *text = store_get(app->store, "anomalies");
    json_object *told = text != NULL ? json_parse(text, strlen(text), NULL) : NULL;
    size_t count = found != NULL ? json_object_array_length(found) : 0;
    for (size_t i = 0; i < count; i++) {
        json_object *anomaly = json_object_array_get_idx(found, i);
        json_object *known = json_object_new_object();
        add_copy(known, "id", anomaly, "id");
        json_object_array_add(now, known);
        if (!json_object_is_type(told, json_type_array) ||
            !has_id(told, json_get_string(anomaly, "id")))
            report_anomaly(app, anomaly, err);
    }
    int rc = store_set(app->store, "anomalies", json_text(now), err);
    json_object_put(told);
    json_object_put(now);
    free(text);
    return rc;
}

/* What is kept of an analysis, in "last_analysis", and shown as facts. */
static json_object *summary_of(json_object *result, const char *error, int64_t duration_ms)
{
    char ended[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(ended, clock_wall_ms());
    json_object *s = json_object_new_object();
    json_object_object_add(s, "last_ended", json_object_new_string(ended));
    json_object_object_add(s, "last_duration_s",
                           json_object_new_double((double)(duration_ms / 100) / 10.0));
    json_object_object_add(s, "error", error ? json_object_new_string(error) : NULL);
    if (result == NULL)
        return s;
    json_object *history = json_get_object(result, "history");
    add_copy(s, "problem", history, "problem"); /* of the history, not of the analysis */
    add_copy(s, "state_changes", history, "state_changes");
    add_copy(s, "days", history, "days");
    add_copy(s, "hypotheses", result, "hypotheses_tested");
    add_copy(s, "dropped", result, "dropped");
    json_object *learning = json_get_array(result, "learning");
    json_object *found = json_get_array(result, "suggestions");
    json_object_object_add(
        s, "learning",
        json_object_new_int64(learning ? (int64_t)json_object_array_length(learning) : 0));
    json_object_object_add(
        s, "found", json_object_new_int64(found ? (int64_t)json_object_array_length(found) : 0));
    return s;
}

static void report_complete(struct app *app, json_object *summary, size_t created,
                            struct error *err)
{
    json_object *error = json_object_object_get(summary, "error");
    json_object *p = json_object_new_object();
    json_object_object_add(p, "event", json_object_new_string("analysis_complete"));
    json_object_object_add(p, "success", json_object_new_boolean(error == NULL));
    json_object_object_add(p, "status", json_object_new_string(error ? "failed" : "success"));
    add_copy(p, "patterns_detected", summary, "found");
    json_object_object_add(p, "suggestions_generated", json_object_new_int64((int64_t)created));
    add_copy(p, "duration_seconds", summary, "last_duration_s");
    add_copy(p, "processing_time_sec", summary, "last_duration_s");
    add_copy(p, "error", summary, error ? "error" : "problem");
    append(app, "ha-ai/status/analysis_complete", p, err);
}

/* A retry that fails for the same reason as before was told then. */
static bool is_old_news(const struct app *app, const char *failure)
{
    const char *before = json_get_string(json_get_object(app->facts, "analysis"), "error");
    return app->retrying && failure != NULL && before != NULL && strcmp(failure, before) == 0;
}

/* What the analysis found and a rejection bars is dropped, too. */
static void count_rejected(json_object *summary, int rejected)
{
    json_object *dropped = json_get_object(summary, "dropped");
    if (rejected == 0)
        return;
    if (dropped == NULL) {
        dropped = json_object_new_object();
        json_object_object_add(summary, "dropped", dropped);
    }
    json_add_int(dropped, "rejected", rejected);
}

/* The result and all messages that report it: one transaction. */
static int store_result(struct app *app, json_object *result, json_object *summary,
                        struct error *err)
{
    struct suggestions_merge merge = {0};
    size_t created = 0;
    if (store_begin(app->store, err) < 0)
        return -1;
    if (result != NULL) {
        if (safety_check_analysis(result, err) < 0 ||
            suggestions_merge_analysis(app->store, result, clock_wall_ms(), &merge, err) < 0)
            goto rollback;
        created = json_object_array_length(merge.created);
        size_t changed = json_object_array_length(merge.changed);
        for (size_t i = 0; i < changed; i++) {
            json_object *content = json_object_array_get_idx(merge.changed, i);
            bool new = has_id(merge.created, json_get_string(content, "id"));
            report_pattern(app, content, new ? "new" : "changed", err);
        }
        for (size_t i = 0; i < created; i++)
            report_suggestion(app, json_object_array_get_idx(merge.created, i), merge.waiting, err);
        decide_tell(app, merge.steps);
        count_rejected(summary, merge.rejected);
        if (watch_runs_merge(app, json_get_array(result, "reviews"), err) < 0)
            goto rollback;
        if (decide_end_trials(app, result, err) < 0)
            goto rollback;
        if (report_anomalies(app, result, err) < 0)
            goto rollback;
    }
    if (!is_old_news(app, json_get_string(summary, "error")))
        report_complete(app, summary, created, err);
    if (store_set(app->store, "last_analysis", json_text(summary), err) < 0 ||
        store_commit(app->store, err) < 0)
        goto rollback;
    json_object_put(merge.created);
    json_object_put(merge.changed);
    json_object_put(merge.steps);
    return (int)created;

rollback:
    store_rollback(app->store);
    json_object_put(merge.created);
    json_object_put(merge.changed);
    json_object_put(merge.steps);
    return -1;
}

static int64_t retry(void *ctx)
{
    struct app *app = ctx;
    struct error err = {0};
    app->retry_timer = 0;
    if (!daily_is_on(app) || app->analysing || settings_learning_paused(app))
        return LOOP_TIMER_STOP;
    app->retrying = analysis_start(app, "retry", &err) == 0;
    if (!app->retrying)
        log_warn("app", "the analysis was not repeated: %s", err.message);
    return LOOP_TIMER_STOP;
}

static void plan_retry(struct app *app, bool failed)
{
    loop_remove_timer(app->loop, app->retry_timer);
    app->retry_timer = 0;
    if (!failed) {
        app->retry_delay_ms = 0;
        return;
    }
    int64_t next = app->retry_delay_ms ? app->retry_delay_ms * 2 : RETRY_FIRST_MS;
    app->retry_delay_ms = next < RETRY_LAST_MS ? next : RETRY_LAST_MS;
    app->retry_timer = loop_add_timer(app->loop, app->retry_delay_ms, retry, app);
}

void analysis_resume(struct app *app)
{
    if (app->history == NULL)
        return;
    if (access(app->history, R_OK) < 0) {
        char problem[APP_REASON_SIZE];
        snprintf(problem, sizeof(problem), "HISTORY: cannot open '%.300s': %s", app->history,
                 strerror(errno));
        log_error("app", "%s", problem);
        facts_set(app, "history", "problem", json_object_new_string(problem));
    }
    plan_retry(app, json_at(app->facts, "history.problem") != NULL);
}

void analysis_notice_forgotten(struct app *app)
{
    char *text = store_get(app->store, "forgotten");
    int64_t forgotten = text != NULL ? strtoll(text, NULL, 10) : 0;
    free(text);
    if (forgotten == app->forgotten)
        return;
    app->forgotten = forgotten;
    log_info("app", "something was forgotten");
    facts_refresh_suggestions(app);
}

static void on_done(json_object *result, const char *error, int64_t duration_ms, void *ctx)
{
    struct app *app = ctx;
    struct error err = {0};
    ha_automations_remove(app->ha_automations);
    known_rules_remove(app->database_path);
    analysis_notice_forgotten(app);
    if (app->forgotten != app->forgotten_before) {
        result = NULL;
        error = "something was forgotten meanwhile";
    }
    json_object *summary = summary_of(result, error, duration_ms);
    int created = store_result(app, result, summary, &err);
    if (created < 0)
        json_object_object_add(summary, "error", json_object_new_string(err.message));
    const char *failed = json_get_string(summary, "error");
    if (is_old_news(app, failed))
        log_debug("app", "the analysis failed again: %s", failed);
    else if (failed != NULL)
        log_error("app", "the analysis failed: %s", failed);
    else
        log_info("app", "the analysis took %.1f s: %d new suggestions",
                 json_get_double(summary, "last_duration_s", 0), created);
    const char *problem = failed ? NULL : json_get_string(summary, "problem");
    if (problem != NULL)
        log_warn("app", "what there was is analysed: %s", problem);
    app->analysing = app->retrying = false;
    facts_set_progress(app, failed ? 0 : 100, NULL);
    facts_refresh_analysis(app, summary);
    facts_refresh_suggestions(app);
    health_refresh_archive(app);
    health_refresh(app);
    plan_retry(app, failed != NULL || problem != NULL);
    json_object_put(summary);
    mqtt_flush_outbox(app->mqtt);
}

static int check_start(const struct app *app, struct error *err)
{
    if (app->history == NULL)
        return error_set(err, ERROR_INVALID,
                         "there is no history: set HISTORY to home-assistant_v2.db");
    if (settings_learning_paused(app))
        return error_set(err, ERROR_INVALID,
                         "learning is paused: switch 'Learning paused' off to analyse");
    if (app->analysing)
        return error_set(err, ERROR_BUSY, "an analysis is already running");
    return 0;
}

/* automations: a file with HA's own, or NULL. */
static int start_job(struct app *app, const char *automations, struct error *err)
{
    json_object *config = app->ha ? ha_config(app->ha) : NULL;
    char location[96] = "";
    if (config != NULL)
        snprintf(location, sizeof(location), "%.6f,%.6f,%.0f",
                 json_get_double(config, "latitude", 0), json_get_double(config, "longitude", 0),
                 json_get_double(config, "elevation", 0));
    char *archive = app_archive_path(app->database_path);
    struct error problem;
    char *known = known_rules_write(app->store, app->database_path, &problem);
    if (known == NULL && problem.code != 0)
        log_warn("app", "the rules on trial are not reviewed: %s", problem.message);
    char since[SETTINGS_DATE_SIZE];
    struct analysis_job_settings settings = {
        .history = app->history,
        .archive = archive,
        .known = known,
        .archive_days = options_string(&app->options, OPTION_ARCHIVE_DAYS),
        .timezone = json_get_string(config, "time_zone"),
        .location = location[0] ? location : NULL,
        .since = settings_since(app, since) ? since : NULL,
        .exclude = options_string(&app->options, OPTION_EXCLUDE),
        .automations = automations,
        .exclude_areas = options_string(&app->options, OPTION_EXCLUDE_AREAS),
        .exclude_people = options_string(&app->options, OPTION_EXCLUDE_PEOPLE),
        .fallback_timezone = options_string(&app->options, OPTION_TZ),
        .fallback_location = options_string(&app->options, OPTION_LOCATION),
        .on_progress = on_progress,
        .on_done = on_done,
        .ctx = app,
    };
    app->job = analysis_job_start(app->loop, &settings, err);
    free(archive);
    free(known);
    return app->job ? 0 : -1;
}

static void on_automations(const char *path, void *ctx)
{
    struct app *app = ctx;
    struct error err = {0};
    if (start_job(app, path, &err) < 0)
        on_done(NULL, err.message, 0, app);
}

static int analysis_start(struct app *app, const char *who, struct error *err)
{
    if (check_start(app, err) < 0)
        return -1;
    analysis_job_stop(app->job);
    app->job = NULL;
    bool waits = false;
    struct error ignored = {0}; /* the facts tell why HA's WebSocket is not open */
    waits =
        app->ha != NULL && ha_websocket_is_open(app->ha) &&
        ha_automations_collect(app->ha_automations, app->ha, on_automations, app, &ignored) == 0;
    if (!waits && start_job(app, NULL, err) < 0)
        return -1;
    app->forgotten_before = app->forgotten;
    log_info("app", "an analysis starts (%s)", who);
    app->analysing = true;
    facts_set_progress(app, 0, waits ? "asking Home Assistant for its automations" : "starting");
    facts_refresh_analysis(app, NULL);
    return 0;
}

int analysis_request(struct app *app, struct error *err)
{
    if (check_start(app, err) < 0)
        return -1;
    app->analysis_requested = true;
    return 0;
}

void analysis_start_requested(struct app *app)
{
    struct error err = {0};
    if (!app->analysis_requested)
        return;
    app->analysis_requested = false;
    if (analysis_start(app, "asked for", &err) < 0)
        log_error("app", "the analysis did not start: %s", err.message);
}

void analysis_stop_if_paused(struct app *app)
{
    struct error err = {0};
    if (!app->analysing || !settings_learning_paused(app))
        return;
    analysis_job_stop(app->job);
    app->job = NULL;
    app->analysing = app->retrying = false;
    log_info("app", "the analysis is stopped: learning was paused");
    json_object *summary = summary_of(NULL, "learning was paused", 0);
    report_complete(app, summary, 0, &err);
    json_object_put(summary);
    facts_set_progress(app, 0, NULL);
    facts_refresh_analysis(app, NULL);
    mqtt_flush_outbox(app->mqtt);
}
