/* Deployed automations are taken back, and what is left of those that failed: the wish is kept in
 * the database, so that it outlives a restart and a HA that is away; it ends together with what
 * became of it. */
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
    bool is_remains;    /* of a deployment that failed: no step of anybody's */
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
    char automation_id[SUGGESTION_AUTOMATION_ID_SIZE];
    struct error err = {0};
    json_object *written = NULL;
    suggestion_automation_id(s, automation_id);
    int found = written_get(app->store, automation_id, depth, &written, &err);
    if (found < 0)
        log_error("app", "what was written to HA cannot be read: %s", err.message);
    if (found == 0 && depth == 0)
        written = json_object_get(json_get_object(s->content, "automation"));
    return written;
}

bool undo_is_under_way(const struct app *app, const char *id)
{
    return app->undo != NULL && strcmp(app->undo->id, id) == 0;
}

static int has_remains(struct app *app, const struct suggestion *s, struct error *err)
{
    char automation_id[SUGGESTION_AUTOMATION_ID_SIZE];
    suggestion_automation_id(s, automation_id);
    return written_has_remains(app->store, automation_id, err);
}

/* 1 = yes, 0 = no, for the reason in *err, -1 = it cannot be read. */
static int may_undo(struct app *app, const struct suggestion *s, struct error *err)
{
    int remains = has_remains(app, s, err);
    if (remains < 0)
        return -1;
    if (s->state != SUGGESTION_DEPLOYED && remains == 0)
        error_set(err, ERROR_INVALID, "suggestion %s is %s: there is nothing to take back", s->id,
                  suggestion_state_name(s->state));
    else if (s->via_mqtt || app->ha == NULL)
        error_set(err, ERROR_UNSUPPORTED,
                  "suggestion %s was deployed over MQTT: whoever deployed it must take it back",
                  s->id);
    else
        return 1;
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
    int rc = may_undo(app, &s, err) <= 0 ? -1 : undo_ask(app->store, id, who, clock_wall_ms(), err);
    suggestion_release(&s);
    return rc;
}

int undo_ask_remains(struct app *app, const struct suggestion *s, const char *who,
                     struct error *err)
{
    int remains = has_remains(app, s, err);
    return remains <= 0 ? remains : undo_ask(app->store, s->id, who, clock_wall_ms(), err);
}

static int take_step(struct app *app, const char *id, enum suggestion_state to, const char *reason,
                     const char *who, struct error *err)
{
    const struct life_step step = {
        .to = to, .reason = reason, .who = who, .now_ms = clock_wall_ms()};
    return decide_step(app, id, &step, err);
}

/* Of what is no step: its state stays. */
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

/* The version before it is back: of a refinement, the one whose place it took. */
static int take_restored(struct app *app, const struct suggestion *s, struct error *err)
{
    static const char reason[] = "the version before it is back";
    const char *base = proposal_base(s);
    struct suggestion earlier;
    int found = base != NULL ? suggestion_find(app->store, base, &earlier, err) : 0;
    if (found < 0)
        return -1;
    bool is_refined = found > 0 && earlier.state == SUGGESTION_REFINED;
    if (found > 0)
        suggestion_release(&earlier);
    if (!is_refined) {
        send_event(app, s, "undone", reason);
        return 0;
    }
    return take_step(app, s->id, SUGGESTION_UNDONE, reason, app->undo->who, err) < 0
               ? -1
               : take_step(app, base, SUGGESTION_DEPLOYED, "it is back", app->undo->who, err);
}

/* Changed by a person: theirs_look sees what that is about. */
static int take_remains(struct app *app, const struct suggestion *s, struct error *err)
{
    const struct undo *u = app->undo;
    char automation_id[SUGGESTION_AUTOMATION_ID_SIZE], reason[sizeof(u->failure) + 64];
    if (u->failure[0] != '\0' && !u->is_theirs) {
        snprintf(reason, sizeof(reason), "what it left in Home Assistant is not taken back: %s",
                 u->failure);
        send_event(app, s, "failed", reason);
        return 0;
    }
    suggestion_automation_id(s, automation_id);
    return written_drop(app->store, automation_id, err);
}

/* What HA answered becomes the suggestion's, and its retirement's, if that is what it was. */
static int take_answer(struct app *app, const struct suggestion *s,
                       const struct suggestion *retirement, struct error *err)
{
    struct undo *u = app->undo;
    char automation_id[SUGGESTION_AUTOMATION_ID_SIZE], reason[sizeof(u->failure) + 64];
    suggestion_automation_id(s, automation_id);
    if (u->is_theirs) {
        if (written_erase(app->store, automation_id, err) < 0 ||
            take_step(app, s->id, SUGGESTION_EDITED, u->failure, LIFE_WHO_SERVICE, err) < 0)
            return -1;
    } else if (u->failure[0] != '\0') {
        snprintf(reason, sizeof(reason), "it is not taken back: %s", u->failure);
        if (retirement == NULL)
            send_event(app, s, "failed", reason);
    } else if (u->is_restored) {
        if (written_drop(app->store, automation_id, err) < 0 || take_restored(app, s, err) < 0)
            return -1;
    } else {
        enum suggestion_state to = retirement != NULL ? SUGGESTION_RETIRED : SUGGESTION_UNDONE;
        const char *why = retirement != NULL ? "removed, as it was suggested" : NULL;
        if (written_erase(app->store, automation_id, err) < 0 ||
            take_step(app, s->id, to, why, u->who, err) < 0)
            return -1;
    }
    if (retirement == NULL)
        return 0;
    bool is_failed = u->failure[0] != '\0';
    return take_step(app, retirement->id, is_failed ? SUGGESTION_FAILED : SUGGESTION_RETIRED,
                     is_failed ? u->failure : "it is done", LIFE_WHO_SERVICE, err);
}

static int keep_outcome(struct app *app)
{
    struct undo *u = app->undo;
    struct suggestion s = {0}, retirement = {0};
    struct error err = {0};
    const char *what = u->is_remains ? "what is left of " : "";
    int rc = -1;
    if (store_begin(app->store, &err) == 0) {
        int found = suggestion_find(app->store, u->id, &s, &err);
        int retires =
            found > 0 ? proposal_find_approved(app->store, s.id, true, &retirement, &err) : 0;
        bool is_due = found > 0 && s.state == SUGGESTION_DEPLOYED;
        bool goes_on = is_due && u->is_remains && u->failure[0] == '\0'; /* now itself */
        if (found >= 0 && retires >= 0 &&
            (u->is_remains && found > 0 ? take_remains(app, &s, &err)
             : is_due ? take_answer(app, &s, retires > 0 ? &retirement : NULL, &err)
                      : 0) == 0 &&
            (goes_on || undo_end(app->store, u->id, &err) == 0))
            rc = store_commit(app->store, &err);
        if (rc < 0)
            store_rollback(app->store);
    }
    if (rc < 0)
        log_error("app", "the undoing of %s could not be kept: %s", u->id, err.message);
    else if (u->failure[0] != '\0')
        log_error("app", "%s'%s' is not taken back: %s", what, s.title ? s.title : u->id,
                  u->failure);
    else
        log_info("app", "%s'%s' is taken back", what, s.title ? s.title : u->id);
    suggestion_release(&s);
    suggestion_release(&retirement);
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
    deploy_continue(app);
}

static int start(struct app *app, const struct suggestion *s, const char *who, struct error *err)
{
    struct undo *u = app->undo;
    char automation_id[SUGGESTION_AUTOMATION_ID_SIZE];
    suggestion_automation_id(s, automation_id);
    int retires = proposal_find_approved(app->store, s->id, true, NULL, err);
    int remains = has_remains(app, s, err);
    if (retires < 0 || remains < 0)
        return -1;
    json_object *written = undo_written(app, s, 0);
    json_object *earlier = retires > 0 && remains == 0 ? NULL : undo_written(app, s, 1);
    *u = (struct undo){.is_restored = earlier != NULL, .is_remains = remains > 0};
    snprintf(u->id, sizeof(u->id), "%s", s->id);
    snprintf(u->who, sizeof(u->who), "%s", who);
    if (deploy_keep_copy(app, err) < 0) {
        u->ended = true;
        snprintf(u->failure, sizeof(u->failure), "%s", err->message);
    } else {
        ha_undeploy(app->ha, automation_id, written, earlier, on_undeployed, app);
    }
    json_object_put(written);
    json_object_put(earlier);
    return 0;
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
        int may = found > 0 ? may_undo(app, &s, &err) : found;
        if (may > 0)
            rc = start(app, &s, who, &err) < 0 ? -1 : rc;
        else if (may < 0 || undo_end(app->store, id, &err) < 0)
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

bool undo_continue(struct app *app)
{
    if (app->undo == NULL)
        app->undo = xcalloc(1, sizeof(*app->undo));
    struct undo *u = app->undo;
    for (;;) {
        if (u->id[0] != '\0') {
            if (!u->ended || keep_outcome(app) < 0)
                return true;
            u->id[0] = '\0';
            u->ended = false;
            facts_refresh_suggestions(app);
            deploy_watch_runs(app);
            mqtt_flush_outbox(app->mqtt);
            if (u->is_theirs)
                theirs_look(app);
        }
        if (app->ha == NULL || !ha_is_running(app->ha) || clock_monotonic_ms() < u->not_before_ms ||
            start_next(app) <= 0)
            return false;
    }
}
