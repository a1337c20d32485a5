/* What people do to our automations in HA. Changed there: theirs from now on, we only watch.
 * Deleted there: retired. Looked at when HA says that automations changed, at each new connection,
 * and daily; what looks different is looked at again before it counts, for HA writes its file and
 * its list one after the other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/state.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "store/written.h"

enum {
    SOON_MS = 2 * 1000, /* a save comes with several events */
    AGAIN_MS = 5 * 1000,
    DAILY_MS = 24 * 60 * 60 * 1000,
};

struct item {
    char id[APP_ID_SIZE];
    enum ha_verdict verdict; /* of the first look */
};

struct theirs {
    int timer;
    int64_t due_ms;            /* monotonic; of the timer */
    bool is_looking, is_stale; /* stale: look once more after this */
    bool is_second;
    struct item *items;
    size_t count, next;
    char labelling[SUGGESTION_AUTOMATION_ID_SIZE]; /* automation id, "" = none */
    char label_problem[256];                       /* said once */
};

static int64_t look_now(void *ctx);

static void plan(struct app *app, int64_t delay_ms)
{
    loop_remove_timer(app->loop, app->theirs->timer);
    app->theirs->timer = loop_add_timer(app->loop, delay_ms, look_now, app);
    app->theirs->due_ms = clock_monotonic_ms() + delay_ms;
}

void theirs_setup(struct app *app)
{
    app->theirs = xcalloc(1, sizeof(*app->theirs));
    plan(app, DAILY_MS);
}

void theirs_teardown(struct app *app)
{
    if (app->theirs == NULL)
        return;
    loop_remove_timer(app->loop, app->theirs->timer);
    free(app->theirs->items);
    free(app->theirs);
    app->theirs = NULL;
}

void theirs_look(void *ctx)
{
    struct app *app = ctx;
    if (app->theirs->is_looking)
        app->theirs->is_stale = true;
    else if (app->theirs->due_ms > clock_monotonic_ms() + SOON_MS && !app->theirs->is_second)
        plan(app, SOON_MS);
}

static int settle(struct app *app, const struct suggestion *s, enum suggestion_state to,
                  const char *reason, struct error *err)
{
    char automation_id[SUGGESTION_AUTOMATION_ID_SIZE];
    suggestion_automation_id(s, automation_id);
    if (store_begin(app->store, err) < 0)
        return -1;
    json_object *event = json_object_new_object();
    json_add_string(event, "event_type", suggestion_state_name(to));
    json_add_string(event, "suggestion_id", s->id);
    json_add_string(event, "title", s->title);
    json_add_string(event, "reason", reason);
    app_send_event(app, "suggestion", event);
    if (suggestion_move(app->store, s->id, to, reason, "home assistant", clock_wall_ms(), err) <
            0 ||
        undo_end(app->store, s->id, err) < 0 || written_erase(app->store, automation_id, err) < 0 ||
        store_commit(app->store, err) < 0) {
        store_rollback(app->store);
        return -1;
    }
    return 0;
}

static void take_verdict(struct app *app, const char *id, enum ha_verdict verdict,
                         const char *field)
{
    struct suggestion s;
    struct error err = {0};
    char reason[APP_REASON_SIZE];
    if (suggestion_find(app->store, id, &s, &err) <= 0)
        return;
    if (s.state == SUGGESTION_DEPLOYED) {
        if (verdict == HA_MISSING)
            snprintf(reason, sizeof(reason), "somebody deleted the automation in Home Assistant");
        else
            snprintf(reason, sizeof(reason),
                     "somebody changed the automation in Home Assistant (%s): it is theirs now",
                     field);
        enum suggestion_state to = verdict == HA_MISSING ? SUGGESTION_RETIRED : SUGGESTION_EDITED;
        if (settle(app, &s, to, reason, &err) < 0)
            log_error("app", "what was done to '%s' could not be kept: %s", s.title, err.message);
        else
            log_info("app", "'%s': %s", s.title, reason);
        facts_refresh_suggestions(app);
        deploy_watch_runs(app);
        mqtt_flush_outbox(app->mqtt);
    }
    suggestion_release(&s);
}

static void look_at_next(struct app *app);

static void on_compared(enum ha_verdict verdict, const char *field, void *ctx)
{
    struct app *app = ctx;
    struct theirs *t = app->theirs;
    struct item *item = &t->items[t->next];
    bool is_other = verdict == HA_DIFFERS || verdict == HA_MISSING;
    if (t->is_second && is_other && verdict == item->verdict)
        take_verdict(app, item->id, verdict, field);
    item->verdict = is_other ? verdict : HA_SAME;
    t->next++;
    look_at_next(app);
}

/* Not one that we are at work on ourselves. */
static bool is_busy(const struct app *app, const char *id)
{
    struct error err = {0};
    return strcmp(app->deploying, id) == 0 || undo_is_asked(app->store, id) ||
           proposal_find_approved(app->store, id, false, NULL, &err) != 0;
}

static void end_look(struct app *app)
{
    struct theirs *t = app->theirs;
    bool has_doubts = false;
    for (size_t i = 0; i < t->count && !t->is_second; i++)
        has_doubts = has_doubts || t->items[i].verdict != HA_SAME;
    t->is_looking = false;
    t->is_second = has_doubts;
    plan(app, has_doubts ? AGAIN_MS : t->is_stale ? SOON_MS : DAILY_MS);
    if (!has_doubts)
        t->is_stale = false;
}

static void look_at_next(struct app *app)
{
    struct theirs *t = app->theirs;
    for (; t->next < t->count; t->next++) {
        struct item *item = &t->items[t->next];
        struct suggestion s;
        struct error err = {0};
        bool is_wanted = !t->is_second || item->verdict != HA_SAME;
        if (!is_wanted || is_busy(app, item->id) ||
            suggestion_find(app->store, item->id, &s, &err) <= 0)
            continue;
        char automation_id[SUGGESTION_AUTOMATION_ID_SIZE];
        suggestion_automation_id(&s, automation_id);
        json_object *written = s.state == SUGGESTION_DEPLOYED ? undo_written(app, &s, 0) : NULL;
        suggestion_release(&s);
        if (written == NULL)
            continue;
        ha_compare(app->ha, automation_id, written, on_compared, app);
        json_object_put(written);
        return;
    }
    end_look(app);
}

static void list_items(struct app *app)
{
    struct theirs *t = app->theirs;
    struct suggestion *deployed;
    size_t count;
    struct error err = {0};
    t->count = 0;
    if (suggestions_list(app->store, 1u << SUGGESTION_DEPLOYED, &deployed, &count, &err) < 0) {
        log_error("app", "suggestions cannot be read: %s", err.message);
        return;
    }
    t->items = xreallocarray(t->items, count + 1, sizeof(*t->items));
    for (size_t i = 0; i < count; i++) {
        if (deployed[i].via_mqtt)
            continue;
        struct item *item = &t->items[t->count++];
        snprintf(item->id, sizeof(item->id), "%s", deployed[i].id);
        item->verdict = HA_SAME;
    }
    suggestions_free(deployed, count);
}

static int64_t look_now(void *ctx)
{
    struct app *app = ctx;
    struct theirs *t = app->theirs;
    t->timer = 0;
    if (app->ha == NULL || !ha_is_running(app->ha) || !ha_is_admin(app->ha)) {
        t->is_second = false;
        plan(app, DAILY_MS); /* on_ha_changed comes earlier */
        return LOOP_TIMER_STOP;
    }
    t->is_looking = true;
    if (!t->is_second) {
        t->is_stale = false;
        list_items(app);
    }
    t->next = 0;
    look_at_next(app);
    return LOOP_TIMER_STOP;
}

/* --- the label --- */

static void on_labelled(const char *error, void *ctx)
{
    struct app *app = ctx;
    struct theirs *t = app->theirs;
    struct error err = {0};
    char id[sizeof(t->labelling)];
    memcpy(id, t->labelling, sizeof(id));
    t->labelling[0] = '\0';
    if (error != NULL) {
        if (strcmp(error, t->label_problem) != 0)
            log_warn("app", "an automation got no label: %s", error);
        snprintf(t->label_problem, sizeof(t->label_problem), "%s", error);
        return; /* at the next connection */
    }
    if (written_set_labelled(app->store, id, &err) < 0)
        log_error("app", "that %s has its label could not be kept: %s", id, err.message);
    else
        theirs_label(app);
}

void theirs_label(struct app *app)
{
    struct theirs *t = app->theirs;
    struct error err = {0};
    char *id = NULL;
    if (app->ha == NULL || t->labelling[0] != '\0' || !ha_websocket_is_open(app->ha))
        return;
    if (written_next_unlabelled(app->store, &id, &err) > 0) {
        snprintf(t->labelling, sizeof(t->labelling), "%s", id);
        ha_label(app->ha, id, on_labelled, app);
    }
    free(id);
}
