/* Approved suggestions become automations; their runs are counted. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/state.h"
#include "app/watch_runs.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "store/outbox.h"
#include "store/run_problem.h"
#include "store/written.h"
#include "suggest/safety.h"

/* automations.yaml beside the history, or NULL. Caller frees. */
static char *automations_path(const struct app *app)
{
    const char *slash = app->history ? strrchr(app->history, '/') : NULL;
    if (slash == NULL || strstr(app->history, "://") != NULL)
        return NULL;
    return xasprintf("%.*s/automations.yaml", (int)(slash - app->history), app->history);
}

/* Whatever made it: a new analysis, an old one, or somebody in our database. */
static int check_safety(const struct suggestion *s, struct error *err)
{
    return safety_check(json_get_object(s->content, "automation"), err);
}

static int check_suggestion(struct app *app, const char *id, struct error *err)
{
    struct suggestion s;
    int found = suggestion_find(app->store, id, &s, err);
    if (found <= 0)
        return found; /* who approves it says so */
    int result = check_safety(&s, err) < 0 ? -1 : proposal_check(app->store, &s, err);
    suggestion_release(&s);
    return result;
}

int deploy_may_approve(struct app *app, const char *id, struct error *err)
{
    char why[APP_REASON_SIZE];
    if (check_suggestion(app, id, err) < 0)
        return -1;
    if (app->ha != NULL && !ha_is_reachable(app->ha))
        return error_set(err, ERROR_IO, "Home Assistant's API takes no automation now: %.300s",
                         ha_problem(app->ha));
    char *path = automations_path(app);
    bool risky =
        app->ha != NULL && path != NULL && ha_automations_file_risk(path, why, sizeof(why));
    free(path);
    if (!risky || strcmp(app->choice.risk_shown, id) == 0)
        return 0;
    snprintf(app->choice.risk_shown, sizeof(app->choice.risk_shown), "%s", id);
    return error_set(err, ERROR_INVALID, "%.400s; press Approve again to do it all the same", why);
}

static int copy_fd(int from, int to)
{
    char buf[16384];
    ssize_t n;
    while ((n = read(from, buf, sizeof(buf))) > 0) {
        for (ssize_t done = 0; done < n;) {
            ssize_t written = write(to, buf + done, (size_t)(n - done));
            if (written < 0)
                return -1;
            done += written;
        }
    }
    return n < 0 ? -1 : fsync(to);
}

/* A copy of automations.yaml beside our database before HA rewrites it. */
int deploy_keep_copy(struct app *app, struct error *err)
{
    char *path = automations_path(app);
    char *copy = NULL;
    int from = -1, to = -1, result = 0;
    char why[APP_REASON_SIZE];
    if (path == NULL || !ha_automations_file_risk(path, why, sizeof(why)))
        goto out;
    char stamp[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(stamp, clock_wall_ms());
    const char *slash = strrchr(app->database_path, '/');
    int folder = slash ? (int)(slash - app->database_path) : 0;
    copy =
        xasprintf("%.*s%sautomations.%s.yaml", folder, app->database_path, slash ? "/" : "", stamp);
    from = open(path, O_RDONLY | O_CLOEXEC);
    if (from >= 0)
        to = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (from < 0 || to < 0 || copy_fd(from, to) < 0) {
        result = error_set(err, ERROR_IO, "no copy of automations.yaml could be made: %s",
                           strerror(errno));
        if (to >= 0)
            unlink(copy); /* half a copy is worse than none */
    } else {
        log_info("app", "a copy of automations.yaml is in %s", copy);
    }
out:
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    free(copy);
    free(path);
    return result;
}

/* What goes to HA: with how to undo it. Always the same for a suggestion, for one whose answer was
 * lost is known again by it. The caller puts it. */
static json_object *automation_of(const struct suggestion *s)
{
    static const char undo[] =
        "Suggested by HA AI from what was done in this home, and approved. To undo it, press "
        "\"Undo "
        "last\" on the device HA AI, or delete this automation. If you change it, it is yours: HA "
        "AI leaves it alone from then on.";
    json_object *automation = NULL;
    json_object_deep_copy(json_get_object(s->content, "automation"), &automation, NULL);
    const char *why = json_get_string(automation, "description");
    if (automation != NULL)
        json_add_text(automation, "description",
                      xasprintf("%s%s%s", why ? why : "", why && *why ? "\n\n" : "", undo));
    return automation;
}

static void append_deploy(struct app *app, const struct suggestion *s, bool via_mqtt)
{
    char automation_id[SUGGESTION_AUTOMATION_ID_SIZE];
    struct error err = {0};
    suggestion_automation_id(s, automation_id);
    json_object *p = json_object_new_object();
    json_object_object_add(p, "automation_id", json_object_new_string(automation_id));
    json_object_object_add(p, "suggestion_id", json_object_new_string(s->id));
    json_object_object_add(p, "title", json_object_new_string(s->title));
    json_object_object_add(p, "automation", automation_of(s));
    json_object_object_add(p, "via", json_object_new_string(via_mqtt ? "mqtt" : "api"));
    if (outbox_append(app->store, "ha-ai/commands/automation/deploy", p,
                      options_int(&app->options, OPTION_TTL), clock_wall_ms(), &err) < 0)
        log_error("app", "the deploy message is lost: %s", err.message);
    json_object_put(p);
}

/* The one whose place it takes, if it still runs as ours. */
static int refine_base(struct app *app, const struct suggestion *s, int64_t now, struct error *err)
{
    const char *base = proposal_base(s);
    if (base == NULL)
        return 0;
    if (proposal_check(app->store, s, err) < 0)
        return err->code == ERROR_INVALID ? 0 : -1;
    char *reason = xasprintf("'%s' took its place", s->title);
    const struct life_step step = {
        .to = SUGGESTION_REFINED, .reason = reason, .who = LIFE_WHO_SERVICE, .now_ms = now};
    int rc = decide_step(app, base, &step, err);
    free(reason);
    return rc;
}

/* The end of a deployment: state, message and event in one transaction. */
static int finish_deploy(struct app *app, const struct suggestion *s, const char *failure,
                         bool via_mqtt, struct error *err)
{
    int64_t now = clock_wall_ms();
    if (store_begin(app->store, err) < 0)
        return -1;
    enum suggestion_state to = failure ? SUGGESTION_FAILED : SUGGESTION_DEPLOYED;
    char automation_id[SUGGESTION_AUTOMATION_ID_SIZE];
    suggestion_automation_id(s, automation_id);
    if (suggestion_move(app->store, s->id, to, failure, "ha-ai", now, err) < 0 ||
        suggestion_set_via_mqtt(app->store, s->id, via_mqtt, err) < 0 ||
        (failure == NULL && refine_base(app, s, now, err) < 0) ||
        (app->deploy_saved != NULL && written_put(app->store, automation_id, app->deploy_saved,
                                                  failure == NULL, now, err) < 0) ||
        (failure ? undo_ask_remains(app, s, LIFE_WHO_SERVICE, err)
                 : undo_end(app->store, s->id, err)) < 0) {
        store_rollback(app->store);
        return -1;
    }
    if (failure == NULL)
        append_deploy(app, s, via_mqtt);
    json_object *event = json_object_new_object();
    json_object_object_add(event, "event_type",
                           json_object_new_string(failure ? "failed" : "deployed"));
    json_object_object_add(event, "suggestion_id", json_object_new_string(s->id));
    json_object_object_add(event, "title", json_object_new_string(s->title));
    if (failure)
        json_object_object_add(event, "reason", json_object_new_string(failure));
    app_send_event(app, "suggestion", event);
    if (store_commit(app->store, err) < 0) {
        store_rollback(app->store);
        return -1;
    }
    return 0;
}

/* -1 when it could not be kept: it is as it was, and the caller comes back. */
static int settle(struct app *app, const struct suggestion *s, const char *failure, bool via_mqtt)
{
    struct error err = {0};
    if (finish_deploy(app, s, failure, via_mqtt, &err) < 0) {
        log_error("app", "the deployment of '%s' could not be kept: %s", s->title, err.message);
        return -1;
    }
    if (failure != NULL)
        log_error("app", "'%s' is not deployed: %s", s->title, failure);
    else
        log_info("app", "'%s' is deployed (%s)", s->title, via_mqtt ? "via mqtt" : "via api");
    facts_refresh_suggestions(app);
    deploy_watch_runs(app);
    theirs_label(app);
    mqtt_flush_outbox(app->mqtt);
    return 0;
}

/* What HA answered, until it is in our database: a full disk is no reason to deploy again. */
static int keep_outcome(struct app *app)
{
    struct suggestion s;
    struct error err = {0};
    int found = suggestion_find(app->store, app->deploying, &s, &err);
    if (found < 0) {
        log_error("app", "suggestions cannot be read: %s", err.message);
        return -1;
    }
    int result = 0;
    if (found > 0) {
        result = settle(app, &s, app->deploy_failure[0] ? app->deploy_failure : NULL, false);
        suggestion_release(&s);
    }
    if (result < 0)
        return -1;
    app->deploying[0] = '\0';
    json_object_put(app->deploy_saved);
    app->deploy_saved = NULL;
    return 0;
}

static void on_deployed(const struct ha_deployed *result, void *ctx)
{
    struct app *app = ctx;
    app->deploy_ended = true;
    app->deploy_saved = json_object_get(result->saved);
    snprintf(app->deploy_failure, sizeof(app->deploy_failure), "%s",
             result->error ? result->error : "");
    deploy_continue(app);
}

/* It ended otherwise meanwhile: nothing is left to do. */
static void end_retirement(struct app *app, const struct suggestion *s, const char *reason)
{
    struct error err = {0};
    const struct life_step step = {.to = SUGGESTION_RETIRED,
                                   .reason = reason,
                                   .who = LIFE_WHO_SERVICE,
                                   .now_ms = clock_wall_ms()};
    if (decide_step(app, s->id, &step, &err) < 0)
        log_error("app", "the end of '%s' could not be kept: %s", s->title, err.message);
}

/* The automation is taken back as by Undo last; then both are retired (undo.c). */
static void start_retirement(struct app *app, const struct suggestion *s)
{
    struct error err = {0};
    if (deploy_undo(app, proposal_base(s), LIFE_WHO_SERVICE, &err) == 0)
        return;
    if (err.code == ERROR_INVALID || err.code == ERROR_NOT_FOUND)
        end_retirement(app, s, err.message);
    else if (err.code == ERROR_UNSUPPORTED)
        settle(app, s, err.message, false);
    else
        log_error("app", "'%s' waits: %s", s->title, err.message);
}

static void start_deploy(struct app *app, const struct suggestion *s)
{
    char automation_id[SUGGESTION_AUTOMATION_ID_SIZE];
    json_object *before = NULL;
    struct error err = {0};
    suggestion_automation_id(s, automation_id);
    if (written_get(app->store, automation_id, 0, &before, &err) < 0) {
        log_error("app", "what was deployed before cannot be read: %s", err.message);
        return; /* it stays approved, and is tried again */
    }
    snprintf(app->deploying, sizeof(app->deploying), "%s", s->id);
    app->deploy_ended = false;
    json_object *automation = automation_of(s);
    ha_deploy(app->ha, automation_id, automation, before, on_deployed, app);
    json_object_put(automation);
    json_object_put(before);
}

/* One at a time: two about one automation never meet at HA. */
void deploy_continue(struct app *app)
{
    struct suggestion *approved;
    size_t count;
    struct error err = {0};
    if (app->deploying[0] != '\0' && (!app->deploy_ended || keep_outcome(app) < 0))
        return;
    if (undo_continue(app))
        return;
    if (suggestions_list(app->store, 1u << SUGGESTION_APPROVED, &approved, &count, &err) < 0) {
        log_error("app", "suggestions cannot be read: %s", err.message);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct suggestion *s = &approved[i];
        if (proposal_retires(s)) {
            start_retirement(app, s);
        } else if (check_safety(s, &err) < 0 || proposal_check(app->store, s, &err) < 0) {
            settle(app, s, err.message, app->ha == NULL);
        } else if (app->ha == NULL) {
            settle(app, s, NULL, true);
        } else if (!ha_is_running(app->ha)) {
            break; /* it stays approved: on_ha_changed comes back here */
        } else if (deploy_keep_copy(app, &err) < 0) {
            settle(app, s, err.message, false);
        } else {
            start_deploy(app, s);
            break;
        }
    }
    suggestions_free(approved, count);
    if (app->deploying[0] == '\0')
        undo_continue(app); /* a retirement asked for it */
}

void deploy_watch_runs(struct app *app)
{
    struct suggestion *deployed;
    size_t count;
    struct error err = {0};
    if (app->ha == NULL ||
        suggestions_list(app->store, WATCH_RUNS_STATES, &deployed, &count, &err) < 0)
        return;
    char **ids = xcalloc(count, sizeof(*ids));
    for (size_t i = 0; i < count; i++) {
        char id[SUGGESTION_AUTOMATION_ID_SIZE];
        suggestion_automation_id(&deployed[i], id);
        ids[i] = xstrdup(id);
    }
    ha_watch_automations(app->ha, (const char *const *)ids, count);
    for (size_t i = 0; i < count; i++) {
        struct run_counts runs = {0};
        if (run_count(app->store, ids[i], app_ha_now_ms(app), &runs, &err) == 0)
            ha_set_last_run(app->ha, ids[i], runs.last_ms); /* what ran while we were down counts */
        free(ids[i]);
    }
    free(ids);
    watch_runs_set(app, deployed, count);
    suggestions_free(deployed, count);
}

char *deploy_title_of(struct app *app, const char *automation_id)
{
    struct suggestion *list;
    size_t count;
    struct error err = {0};
    char *title = NULL;
    if (suggestions_list(app->store, 1u << SUGGESTION_DEPLOYED, &list, &count, &err) < 0)
        return NULL;
    for (size_t i = 0; i < count && title == NULL; i++) {
        char id[SUGGESTION_AUTOMATION_ID_SIZE];
        suggestion_automation_id(&list[i], id);
        if (strcmp(id, automation_id) == 0)
            title = xstrdup(list[i].title);
    }
    suggestions_free(list, count);
    return title;
}

void deploy_on_run(const char *automation_id, const char *context_id, int64_t at_ms, void *ctx)
{
    struct app *app = ctx;
    struct error err = {0};
    char *title = deploy_title_of(app, automation_id);
    if (title == NULL) { /* theirs, of another instance, or of a database that is gone */
        watch_runs_on_theirs(app, automation_id, context_id, at_ms);
        return;
    }
    log_info("app", "'%s' ran", title);
    free(title);
    if (run_record(app->store, automation_id, *context_id ? context_id : NULL, true, "triggered",
                   at_ms, &err) < 0)
        log_error("app", "a run of %s could not be kept: %s", automation_id, err.message);
    facts_refresh_connections(app);
}

/* When the report was made, on HA's clock: it may have waited at the broker while we were off. */
static int64_t reported_ms(struct app *app, const struct inbox_message *message, json_object *body)
{
    const char *timestamp = json_get_string(body, "timestamp");
    int64_t received_ms = message->received_ms + app_ha_now_ms(app) - clock_wall_ms(), at_ms;
    bool is_told = timestamp != NULL && clock_parse_rfc3339(timestamp, &at_ms) == 0;
    return is_told && at_ms < received_ms ? at_ms : received_ms;
}

void deploy_on_response(struct app *app, const struct inbox_message *message, json_object *body,
                        bool executed)
{
    const char *what = executed ? "automation/executed" : "automation/failed";
    const char *id = json_get_string(body, "automation_id");
    if (message->flags & INBOX_RETAINED || id == NULL) {
        app_refuse(app, what, "mqtt",
                   message->flags & INBOX_RETAINED ? "the message is retained"
                                                   : "it has no automation_id");
        return;
    }
    if (message->flags & INBOX_REPEATED)
        return;
    char *title = deploy_title_of(app, id);
    if (title == NULL) { /* another instance's, perhaps: no reason to bother anybody */
        log_info("app", "%s of %.80s: none that is deployed from here", what, id);
        return;
    }
    const char *context = json_get_string(body, "id");
    struct error err = {0};
    if (run_record(app->store, id, context ? context : message->id, false,
                   executed ? "executed" : "failed", reported_ms(app, message, body), &err) < 0)
        log_error("app", "a report of %s could not be kept: %s", id, err.message);
    log_info("app", "'%s' %s", title, executed ? "was executed" : "failed");
    if (!executed) {
        const char *reason = json_get_string(body, "error");
        if (reason != NULL &&
            run_set_reason(app->store, id, context ? context : message->id, reason, &err) < 0)
            log_error("app", "why %s failed could not be kept: %s", id, err.message);
        explain_soon(app);
    }
    free(title);
    facts_refresh_connections(app);
}
