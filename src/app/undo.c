/* Deployed automations are taken back: the wish is kept in the database, so that it outlives a
 * restart and a HA that is away; it ends together with what became of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/state.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "store/written.h"

enum { AGAIN_MS = 15 * 1000 }; /* when HA did not answer */

struct undo {
    char id[APP_ID_SIZE]; /* suggestion that HA is asked about, "" = none */
    char who[APP_ID_SIZE];
    bool ended; /* HA answered; kept as soon as our database takes it: */
    bool is_theirs, is_restored;
    char failure[1024]; /* "" = taken back */
    int64_t not_before_ms;
};

void undo_teardown(struct app *app)
{
    free(app->undo);
    app->undo = NULL;
}

json_object *undo_written(struct app *app, const struct suggestion *s, int depth)
{
    char automation_id[APP_ID_SIZE + 8];
    struct error err = {0};
    json_object *written = NULL;
    app_automation_id(automation_id, sizeof(automation_id), s->id);
    int found = written_get(app->store, automation_id, depth, &written, &err);
    if (found < 0)
        log_error("app", "what was written to HA cannot be read: %s", err.message);
    if (found == 0 && depth == 0)
        written = json_object_get(json_get_object(s->content, "automation"));
    return written;
}

static int check(struct app *app, const struct suggestion *s, struct error *err)
{
    if (s->state != SUGGESTION_DEPLOYED)
        return error_set(err, ERROR_INVALID, "suggestion %s is %s: there is nothing to take back",
                         s->id, suggestion_state_name(s->state));
    if (s->via_mqtt || app->ha == NULL)
        return error_set(err, ERROR_UNSUPPORTED,
                         "suggestion %s was deployed over MQTT: whoever deployed it must take it "
                         "back",
                         s->id);
    return 0;
}

int deploy_undo(struct app *app, const char *id, const char *who, struct error *err)
{
    struct suggestion s;
    int found = suggestion_find(app->store, id, &s, err);
    if (found == 0)
        return error_set(err, ERROR_NOT_FOUND, "there is no suggestion %.80s", id);
    if (found < 0)
        return -1;
    int rc = check(app, &s, err);
    if (rc == 0)
        rc = undo_ask(app->store, id, who, clock_wall_ms(), err);
    suggestion_release(&s);
    return rc;
}

static void send_event(struct app *app, const struct suggestion *s, const char *type,
                       const char *reason)
{
    const struct undo *u = app->undo;
    json_object *event = json_object_new_object();
    json_add_string(event, "event_type", type);
    json_add_string(event, "suggestion_id", s->id);
    json_add_string(event, "title", s->title);
    json_object_object_add(event, "by", u->who[0] ? json_object_new_string(u->who) : NULL);
    if (reason != NULL)
        json_add_string(event, "reason", reason);
    app_send_event(app, "suggestion", event);
}

/* What HA answered becomes the suggestion's. */
static int take_answer(struct app *app, const struct suggestion *s, struct error *err)
{
    struct undo *u = app->undo;
    char automation_id[APP_ID_SIZE + 8], reason[sizeof(u->failure) + 64];
    int64_t now = clock_wall_ms();
    app_automation_id(automation_id, sizeof(automation_id), s->id);
    if (u->is_theirs) {
        if (written_erase(app->store, automation_id, err) < 0 ||
            suggestion_move(app->store, s->id, SUGGESTION_EDITED, u->failure, "ha-ai", now, err) <
                0)
            return -1;
        send_event(app, s, "edited", u->failure);
    } else if (u->failure[0] != '\0') {
        snprintf(reason, sizeof(reason), "it is not taken back: %s", u->failure);
        send_event(app, s, "failed", reason);
    } else if (u->is_restored) {
        if (written_drop(app->store, automation_id, err) < 0)
            return -1;
        send_event(app, s, "undone", "the version before it is back");
    } else {
        if (written_erase(app->store, automation_id, err) < 0 ||
            suggestion_move(app->store, s->id, SUGGESTION_UNDONE, NULL, u->who, now, err) < 0)
            return -1;
        send_event(app, s, "undone", NULL);
    }
    return 0;
}

static int keep_outcome(struct app *app)
{
    struct undo *u = app->undo;
    struct suggestion s = {0};
    struct error err = {0};
    int rc = -1;
    if (store_begin(app->store, &err) == 0) {
        int found = suggestion_find(app->store, u->id, &s, &err);
        bool is_due = found > 0 && s.state == SUGGESTION_DEPLOYED;
        if (found >= 0 && (!is_due || take_answer(app, &s, &err) == 0) &&
            undo_end(app->store, u->id, &err) == 0)
            rc = store_commit(app->store, &err);
        if (rc < 0)
            store_rollback(app->store);
    }
    if (rc < 0)
        log_error("app", "the undoing of %s could not be kept: %s", u->id, err.message);
    else if (u->failure[0] != '\0')
        log_error("app", "'%s' is not taken back: %s", s.title ? s.title : u->id, u->failure);
    else
        log_info("app", "'%s' is taken back", s.title ? s.title : u->id);
    if (s.id != NULL)
        suggestion_release(&s);
    return rc;
}

static void on_undeployed(const struct ha_undeployed *result, void *ctx)
{
    struct app *app = ctx;
    struct undo *u = app->undo;
    if (result->is_transient) {
        log_info("app", "%s is taken back later: %s", u->id, result->error);
        u->id[0] = '\0';
        u->not_before_ms = clock_monotonic_ms() + AGAIN_MS;
        return;
    }
    u->ended = true;
    u->is_theirs = result->is_theirs;
    snprintf(u->failure, sizeof(u->failure), "%s", result->error ? result->error : "");
    undo_continue(app);
}

static void start(struct app *app, const struct suggestion *s, const char *who)
{
    struct undo *u = app->undo;
    struct error err = {0};
    char automation_id[APP_ID_SIZE + 8];
    app_automation_id(automation_id, sizeof(automation_id), s->id);
    json_object *written = undo_written(app, s, 0), *earlier = undo_written(app, s, 1);
    *u = (struct undo){.is_restored = earlier != NULL};
    snprintf(u->id, sizeof(u->id), "%s", s->id);
    snprintf(u->who, sizeof(u->who), "%s", who);
    if (deploy_keep_copy(app, &err) < 0) {
        u->ended = true;
        snprintf(u->failure, sizeof(u->failure), "%s", err.message);
    } else {
        ha_undeploy(app->ha, automation_id, written, earlier, on_undeployed, app);
    }
    json_object_put(written);
    json_object_put(earlier);
}

/* 1 = HA is asked about one, 0 = none is left, -1 = not now. */
static int start_next(struct app *app)
{
    char *id = NULL, *who = NULL;
    struct suggestion s = {0};
    struct error err = {0};
    int rc = undo_next(app->store, &id, &who, &err);
    if (rc > 0) {
        int found = suggestion_find(app->store, id, &s, &err);
        if (found > 0 && check(app, &s, &err) == 0)
            start(app, &s, who);
        else if (found < 0 || undo_end(app->store, id, &err) < 0)
            rc = -1; /* else it was settled otherwise meanwhile */
    }
    if (rc < 0)
        log_error("app", "what is to be taken back cannot be read: %s", err.message);
    if (s.id != NULL)
        suggestion_release(&s);
    free(id);
    free(who);
    return rc;
}

void undo_continue(struct app *app)
{
    if (app->undo == NULL)
        app->undo = xcalloc(1, sizeof(*app->undo));
    struct undo *u = app->undo;
    for (;;) {
        if (u->id[0] != '\0') {
            if (!u->ended || keep_outcome(app) < 0)
                return;
            u->id[0] = '\0';
            u->ended = false;
            facts_refresh_suggestions(app);
            deploy_watch_runs(app);
            mqtt_flush_outbox(app->mqtt);
        }
        if (app->ha == NULL || !ha_is_running(app->ha) || clock_monotonic_ms() < u->not_before_ms ||
            start_next(app) <= 0)
            return;
    }
}
