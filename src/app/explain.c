/* A run that failed, or of which no report came, is told once, with HA's own words where its trace
 * has some. A run without a report and without an error is none: the person may have deleted the
 * report block. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/state.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "store/run_problem.h"

enum {
    SOON_MS = 500,       /* HA ends the run, and its trace, just after the report */
    WAIT_MS = 10 * 1000, /* for the WebSocket, which may be about to open */
};

struct explain {
    struct run_problem problem; /* HA is asked about; automation NULL = none */
    int timer;
    int64_t waits_since_ms; /* monotonic; 0 = not for the WebSocket */
};

void explain_teardown(struct app *app)
{
    if (app->explain == NULL)
        return;
    loop_remove_timer(app->loop, app->explain->timer);
    run_problem_release(&app->explain->problem);
    free(app->explain);
    app->explain = NULL;
}

static void send_event(struct app *app, const struct run_problem *problem, const char *title,
                       const char *reason)
{
    json_object *event = json_object_new_object();
    json_add_string(event, "event_type", "failed");
    json_add_string(event, "automation_id", problem->automation);
    json_add_string(event, "title", title);
    json_add_string(event, "reason", reason);
    app_send_event(app, "suggestion", event);
}

static int tell(struct app *app, const char *words, struct error *err)
{
    const struct run_problem *problem = &app->explain->problem;
    char *title = deploy_title_of(app, problem->automation);
    const char *reason = words;
    if (reason == NULL && problem->failed)
        reason = problem->reason != NULL ? problem->reason : "its action had no effect within 10 s";
    if (store_begin(app->store, err) < 0) {
        free(title);
        return -1;
    }
    if (title != NULL && reason != NULL) {
        send_event(app, problem, title, reason);
        log_warn("app", "'%s' failed: %s", title, reason);
    }
    free(title);
    if (run_set_told(app->store, problem->automation, problem->context, err) < 0 ||
        store_commit(app->store, err) < 0) {
        store_rollback(app->store);
        return -1;
    }
    return 0;
}

static void on_explained(const char *words, void *ctx)
{
    struct app *app = ctx;
    struct error err = {0};
    int rc = tell(app, words, &err);
    run_problem_release(&app->explain->problem);
    if (rc < 0) {
        log_error("app", "that a run failed could not be kept: %s", err.message);
        return; /* it comes again */
    }
    mqtt_flush_outbox(app->mqtt);
    explain_continue(app);
}

/* Whether HA may yet be asked. */
static bool waits_for_websocket(struct app *app)
{
    struct explain *e = app->explain;
    int64_t now_ms = clock_monotonic_ms();
    if (app->ha == NULL || (ha_is_admin_known(app->ha) && !ha_is_admin(app->ha)))
        return false;
    if (e->waits_since_ms == 0)
        e->waits_since_ms = now_ms;
    return now_ms - e->waits_since_ms < WAIT_MS;
}

void explain_continue(struct app *app)
{
    struct error err = {0};
    if (app->explain == NULL)
        app->explain = xcalloc(1, sizeof(*app->explain));
    struct run_problem *problem = &app->explain->problem;
    while (problem->automation == NULL) {
        int found = run_next_problem(app->store, app_ha_now_ms(app), problem, &err);
        if (found < 0)
            log_error("app", "runs cannot be read: %s", err.message);
        if (found <= 0)
            return;
        bool is_known = strncmp(problem->context, "missed-", 7) != 0;
        if (app->ha != NULL && ha_websocket_is_open(app->ha)) {
            app->explain->waits_since_ms = 0;
            ha_explain_run(app->ha, problem->automation, is_known ? problem->context : "",
                           problem->at_ms, on_explained, app);
            return;
        }
        if (waits_for_websocket(app)) { /* the refresh timer comes back */
            run_problem_release(problem);
            return;
        }
        int rc = tell(app, NULL, &err);
        run_problem_release(problem);
        if (rc < 0) {
            log_error("app", "that a run failed could not be kept: %s", err.message);
            return;
        }
        mqtt_flush_outbox(app->mqtt);
    }
}

static int64_t continue_now(void *ctx)
{
    struct app *app = ctx;
    app->explain->timer = 0;
    explain_continue(app);
    return LOOP_TIMER_STOP;
}

void explain_soon(struct app *app)
{
    if (app->explain == NULL)
        app->explain = xcalloc(1, sizeof(*app->explain));
    if (app->explain->timer == 0)
        app->explain->timer = loop_add_timer(app->loop, SOON_MS, continue_now, app);
}
