/* Live watching of what deployed automations switch: what becomes of each run (run_watch.h). Over
 * HA's WebSocket, for an admin's token; without it, and for what was missed, the review of the next
 * analysis tells. */
#include <stdlib.h>
#include <string.h>

#include "app/run_watch.h"
#include "app/state.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "suggest/hindsight.h"

struct watching {
    struct run_watch *watch;
    bool is_open, told_limit;
};

static void on_settled(const char *automation_id, const char *context_id, enum run_outcome outcome,
                       void *ctx)
{
    struct app *app = ctx;
    struct error err = {0};
    if (outcome == RUN_NOT_KNOWN)
        return;
    char *title = deploy_title_of(app, automation_id);
    log_info("app", "what '%s' did: %s", title != NULL ? title : automation_id,
             run_outcome_name(outcome));
    free(title);
    if (run_set_outcome(app->store, automation_id, context_id, outcome, &err) < 0)
        log_error("app", "what became of a run of %s could not be kept: %s", automation_id,
                  err.message);
    health_refresh(app);
}

static bool is_machine(const char *context_id, void *ctx)
{
    struct app *app = ctx;
    return app->ha != NULL && ha_is_run(app->ha, context_id);
}

static void on_change(const struct ha_change *change, void *ctx)
{
    struct app *app = ctx;
    run_watch_change(app->watching->watch, change);
    run_watch_tick(app->watching->watch, app_ha_now_ms(app));
}

void watching_setup(struct app *app)
{
    const struct run_watch_settings settings = {on_settled, is_machine, app};
    app->watching = xcalloc(1, sizeof(*app->watching));
    app->watching->watch = run_watch_new(&settings);
}

void watching_teardown(struct app *app)
{
    if (app->watching == NULL)
        return;
    run_watch_free(app->watching->watch);
    free(app->watching);
    app->watching = NULL;
}

/* ---- what is watched ---- */

struct list {
    struct run_watch_rule *rules; /* their memory is below */
    char (*automation_ids)[SUGGESTION_AUTOMATION_ID_SIZE];
    struct hindsight_act *acts;
    const char **entity_ids; /* of all of them, each once */
    size_t count, entity_count;
};

static bool has_entity(const struct list *list, const char *entity_id)
{
    for (size_t i = 0; i < list->entity_count; i++)
        if (strcmp(list->entity_ids[i], entity_id) == 0)
            return true;
    return false;
}

/* False: it cannot be watched, or there is no room for what it switches. */
static bool add_entities(struct list *list, const struct hindsight_act *act, bool *is_full)
{
    size_t before = list->entity_count;
    for (size_t i = 0; i < act->count; i++) {
        const char *id = act->entity_ids[i];
        bool can = run_watch_can(act->verb, id);
        *is_full = *is_full || (can && list->entity_count == HA_LIVE_ENTITIES_MAX);
        if (!can || list->entity_count == HA_LIVE_ENTITIES_MAX) {
            list->entity_count = before;
            return false;
        }
        if (!has_entity(list, id))
            list->entity_ids[list->entity_count++] = id;
    }
    return true;
}

static void add_rule(struct list *list, const struct suggestion *s, bool *is_full)
{
    struct timeline nowhere;
    struct hindsight_act *act = &list->acts[list->count];
    timeline_init(&nowhere);
    *act = (struct hindsight_act){0};
    bool has_act = hindsight_find_act(json_get_object(s->content, "automation"), &nowhere, act);
    timeline_release(&nowhere);
    if (!has_act || act->delay_ms > 0 || list->count == RUN_WATCH_RULES_MAX ||
        !add_entities(list, act, is_full)) {
        hindsight_act_release(act);
        return;
    }
    suggestion_automation_id(s, list->automation_ids[list->count]);
    list->rules[list->count] =
        (struct run_watch_rule){.automation_id = list->automation_ids[list->count],
                                .verb = act->verb,
                                .entity_ids = (const char *const *)act->entity_ids,
                                .count = act->count};
    list->count++;
}

void watching_set(struct app *app, const struct suggestion *deployed, size_t count)
{
    struct watching *w = app->watching;
    struct list list = {.rules = xcalloc(count + 1, sizeof(*list.rules)),
                        .automation_ids = xcalloc(count + 1, sizeof(*list.automation_ids)),
                        .acts = xcalloc(count + 1, sizeof(*list.acts)),
                        .entity_ids = xcalloc(HA_LIVE_ENTITIES_MAX, sizeof(*list.entity_ids))};
    struct error err = {0};
    bool is_full = false;
    for (size_t i = 0; i < count; i++)
        add_rule(&list, &deployed[i], &is_full);
    run_watch_set_rules(w->watch, list.rules, list.count);
    if (is_full && !w->told_limit)
        log_info("app",
                 "deployed automations switch more than %d entities: what becomes of the runs of "
                 "the others is told by the analyses alone",
                 HA_LIVE_ENTITIES_MAX);
    w->told_limit = is_full;
    if (ha_watch_entities(app->ha, list.entity_ids, list.entity_count, on_change, app, &err) < 0)
        log_warn("app", "what deployed automations switch is not watched: %s", err.message);
    for (size_t i = 0; i < list.count; i++)
        hindsight_act_release(&list.acts[i]);
    free(list.rules);
    free(list.automation_ids);
    free(list.acts);
    free(list.entity_ids);
}

/* ---- what happens ---- */

void watching_on_websocket(struct app *app)
{
    struct watching *w = app->watching;
    bool is_open = app->ha != NULL && ha_websocket_is_open(app->ha);
    if (is_open && !w->is_open)
        run_watch_begin(w->watch, app_ha_now_ms(app));
    else if (!is_open && w->is_open)
        run_watch_end(w->watch);
    w->is_open = is_open;
}

void watching_on_run(struct app *app, const char *automation_id, const char *context_id,
                     int64_t at_ms)
{
    run_watch_run(app->watching->watch, automation_id, context_id, at_ms);
}

void watching_tick(struct app *app)
{
    run_watch_tick(app->watching->watch, app_ha_now_ms(app));
}
