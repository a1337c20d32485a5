/* What becomes of each run of what is deployed: its targets are watched live, and once the ten
 * minutes are over, or a person undid it, that is kept with the run. What was not seen is unknown,
 * and filled in from the history by the next analysis. */
#include "app/watch_runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/state.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/tz.h"
#include "core/xalloc.h"
#include "ha/ha.h"
#include "store/run_outcome.h"
#include "suggest/automation_read.h"
#include "suggest/hindsight.h"
#include "suggest/settle.h"

enum {
    CHANGES_MAX = 64,           /* of one entity; what changes more often than that is not known */
    KEPT_MS = 80 * 60 * 1000,   /* an hour before a run, and all of its time */
    LATEST_MS = 15 * 60 * 1000, /* then what is not settled will not be */
    SOON_MS = 200,              /* several changes come at once */
    CONTEXT_SIZE = 40,
};

struct seen {
    int64_t at_ms; /* HA's clock */
    enum settle_state state;
    enum settle_by by;
    bool is_first;
    bool is_turn; /* the state changed then, not only an attribute */
    char context[CONTEXT_SIZE];
    double values[RULE_ATTRIBUTE_COUNT]; /* as services' fields take them; NAN = none */
};

struct entity {
    char *id;
    bool is_current; /* HA tells its changes now */
    struct seen changes[CHANGES_MAX];
    size_t count;
};

/* What an automation does first. */
struct watched {
    char *automation;
    struct settle_run act;
    size_t targets[RULE_TARGETS_MAX]; /* of entities */
};

struct watch_runs {
    struct entity **entities;
    size_t entity_count;
    struct watched *list;
    size_t count, capacity;
    int timer; /* 0 = none */
    bool is_limit_told;
};

/* --- what is watched --- */

static void free_entity(struct entity *e)
{
    free(e->id);
    free(e);
}

static void forget_list(struct watch_runs *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->list[i].automation);
    w->count = 0;
}

static struct entity *find_entity(const struct watch_runs *w, const char *id)
{
    for (size_t i = 0; i < w->entity_count; i++)
        if (strcmp(w->entities[i]->id, id) == 0)
            return w->entities[i];
    return NULL;
}

/* Index of the entity in what will be watched; it keeps what is known of it. */
static size_t take_entity(struct watch_runs *w, struct watch_runs *next, const char *id)
{
    for (size_t i = 0; i < next->entity_count; i++)
        if (strcmp(next->entities[i]->id, id) == 0)
            return i;
    struct entity *e = find_entity(w, id);
    if (e == NULL) {
        e = xcalloc(1, sizeof(*e));
        e->id = xstrdup(id);
    }
    next->entities[next->entity_count] = e;
    return next->entity_count++;
}

static size_t count_new(const struct watch_runs *next, const char *const *ids, size_t count)
{
    size_t new = 0;
    for (size_t i = 0; i < count; i++)
        new += find_entity(next, ids[i]) == NULL;
    return new;
}

/* The act of an automation of ours, by its rule, else its first step. False: there is none that is
 * understood, or its targets are too many. ids: borrowed from what `hold` and the automation hold.
 */
static bool read_act(json_object *automation, struct automation_rule *read,
                     struct hindsight_act *hold, struct settle_run *out, const char *ids[])
{
    struct error err;
    struct timeline places;
    size_t count = 0;
    *out = (struct settle_run){.at_ms = 0};
    if (automation_read(automation, read, &err) == 0) {
        out->verb = read->rule.verb;
        out->has_value = read->rule.value_count > 0;
        out->value = read->rule.values[0];
        for (; count < read->rule.entity_count; count++)
            ids[count] = read->rule.entity_ids[count];
    } else {
        timeline_init(&places);
        if (hindsight_find_act(automation, &places, hold))
            out->verb = hold->verb;
        timeline_release(&places);
        for (; count < hold->count && count < RULE_TARGETS_MAX; count++)
            ids[count] = hold->entity_ids[count];
        if (count < hold->count)
            count = 0;
    }
    for (size_t i = 0; i < count; i++)
        if (rule_is_scene(ids[i])) /* of a scene no state tells that it is undone */
            count = 0;
    out->target_count = count;
    return count > 0;
}

/* False: there is no room for its targets. */
static bool add_watched(struct watch_runs *w, struct watch_runs *next, const struct suggestion *s)
{
    struct automation_rule *read = xcalloc(1, sizeof(*read));
    struct hindsight_act hold = {.entity_ids = NULL};
    const char *ids[RULE_TARGETS_MAX];
    struct watched one = {.automation = NULL};
    bool is_act = read_act(json_get_object(s->content, "automation"), read, &hold, &one.act, ids);
    bool has_room = !is_act || next->entity_count + count_new(next, ids, one.act.target_count) <=
                                   HA_LIVE_ENTITIES_MAX;
    if (is_act && has_room) {
        char automation_id[SUGGESTION_AUTOMATION_ID_SIZE];
        suggestion_automation_id(s, automation_id);
        one.automation = xstrdup(automation_id);
        for (size_t i = 0; i < one.act.target_count; i++)
            one.targets[i] = take_entity(w, next, ids[i]);
        next->list = grow_array(next->list, next->count, &next->capacity, sizeof(*next->list));
        next->list[next->count++] = one;
    }
    hindsight_act_release(&hold);
    free(read);
    return has_room;
}

static void on_change(const struct ha_change *change, void *ctx);

static void watch(struct app *app)
{
    struct watch_runs *w = app->watch_runs;
    const char *ids[HA_LIVE_ENTITIES_MAX];
    struct error err = {0};
    for (size_t i = 0; i < w->entity_count; i++) {
        ids[i] = w->entities[i]->id;
        w->entities[i]->is_current = w->entities[i]->is_current && ha_websocket_is_open(app->ha);
    }
    if (ha_watch_entities(app->ha, ids, w->entity_count, on_change, app, &err) < 0)
        log_error("app", "what becomes of runs is not watched live: %s", err.message);
}

/* Replaces what is watched; what is known of an entity that stays is kept. */
static void replace(struct watch_runs *w, struct watch_runs *next)
{
    for (size_t i = 0; i < w->entity_count; i++)
        if (find_entity(next, w->entities[i]->id) == NULL)
            free_entity(w->entities[i]);
    forget_list(w);
    free(w->entities);
    free(w->list);
    w->entities = next->entities;
    w->entity_count = next->entity_count;
    w->list = next->list;
    w->count = next->count;
    w->capacity = next->capacity;
}

void watch_runs_set(struct app *app, const struct suggestion *deployed, size_t count)
{
    size_t left_out = 0;
    struct watch_runs *w = app->watch_runs;
    struct watch_runs next = {.entities = xcalloc(HA_LIVE_ENTITIES_MAX, sizeof(*next.entities))};
    for (size_t i = 0; i < count; i++)
        left_out += !add_watched(w, &next, &deployed[i]);
    replace(w, &next);
    if (left_out > 0 && !w->is_limit_told)
        log_warn(
            "app",
            "%zu automations have targets beyond the %d that are watched live: what becomes of "
            "their runs is told by the next analysis",
            left_out, HA_LIVE_ENTITIES_MAX);
    w->is_limit_told = left_out > 0;
    watch(app);
}

void watch_runs_on_websocket(struct app *app)
{
    struct watch_runs *w = app->watch_runs;
    for (size_t i = 0; i < w->entity_count && !ha_websocket_is_open(app->ha); i++)
        w->entities[i]->is_current = false; /* HA says how they are when it is back */
}

/* --- what happens --- */

static void read_values(const struct ha_change *change, double values[RULE_ATTRIBUTE_COUNT])
{
    for (int a = 0; a < RULE_ATTRIBUTE_COUNT; a++) {
        const struct rule_attribute_row *row = &rule_attributes[a];
        double value = rule_has_attribute(change->entity_id, (enum rule_attribute)a)
                           ? json_get_double(change->to_attributes, row->attribute, NAN)
                           : NAN;
        values[a] = round(value * row->scale / row->step) * row->step;
    }
}

static enum settle_by by_of(const struct ha_change *change)
{
    if (change->is_first && change->changed_ms != change->at_ms)
        return SETTLE_BY_DEVICE; /* whoever brought it into its state */
    return change->is_by_automation  ? SETTLE_BY_AUTOMATION
           : change->user_id != NULL ? SETTLE_BY_PERSON
                                     : SETTLE_BY_DEVICE;
}

/* Makes room, and drops what is too old to matter but for the last one: that is how it was. */
static void drop_old(struct entity *e, int64_t now_ms)
{
    size_t drop = 0;
    while (drop + 1 < e->count && e->changes[drop + 1].at_ms < now_ms - KEPT_MS)
        drop++;
    if (drop == 0 && e->count == CHANGES_MAX)
        drop = 1;
    memmove(e->changes, e->changes + drop, (e->count - drop) * sizeof(*e->changes));
    e->count -= drop;
}

static struct settle_change change_of(const struct seen *seen, size_t target,
                                      const struct settle_run *act)
{
    return (struct settle_change){
        .at_ms = seen->at_ms,
        .target = target,
        .state = seen->state,
        .value = act->has_value ? seen->values[act->value.attribute] : NAN,
        .by = seen->by,
        .is_first = seen->is_first,
    };
}

/* Whether a person did by hand what a run had done that was undone on that day. */
static void look_for_redone(struct app *app, const struct entity *e)
{
    struct watch_runs *w = app->watch_runs;
    struct error err = {0};
    const struct seen *now = &e->changes[e->count - 1], *before = now - 1;
    for (size_t i = 0; i < w->count; i++)
        for (size_t t = 0; t < w->list[i].act.target_count; t++) {
            const struct watched *one = &w->list[i];
            const struct settle_change was = change_of(before, t, &one->act);
            const struct settle_change is = change_of(now, t, &one->act);
            if (w->entities[one->targets[t]] != e || !settle_is_same_act(&one->act, &was, &is))
                continue;
            struct tz_local local;
            tz_to_local(app->tz, now->at_ms / 1000, &local);
            if (run_set_redone(app->store, one->automation, tz_day_start(app->tz, local.day) * 1000,
                               now->at_ms, &err) < 0)
                log_error("app", "that a run was redone could not be kept: %s", err.message);
        }
}

static int64_t settle_soon(void *ctx)
{
    struct app *app = ctx;
    app->watch_runs->timer = 0;
    watch_runs_continue(app);
    return LOOP_TIMER_STOP;
}

static void on_change(const struct ha_change *change, void *ctx)
{
    struct app *app = ctx;
    struct watch_runs *w = app->watch_runs;
    struct entity *e = find_entity(w, change->entity_id);
    if (e == NULL)
        return;
    struct seen seen = {.at_ms = change->at_ms,
                        .state = settle_state_of(change->entity_id, change->to),
                        .by = by_of(change),
                        .is_first = change->is_first,
                        .is_turn = change->changed_ms == change->at_ms};
    if (change->context_id != NULL && strlen(change->context_id) < CONTEXT_SIZE)
        memcpy(seen.context, change->context_id, strlen(change->context_id) + 1);
    read_values(change, seen.values);
    e->is_current = true;
    const struct seen *last = e->count > 0 ? &e->changes[e->count - 1] : NULL;
    if (change->is_first && last != NULL && last->at_ms == seen.at_ms && last->state == seen.state)
        return; /* nothing happened while it was not watched */
    drop_old(e, app_ha_now_ms(app));
    e->changes[e->count++] = seen;
    if (!seen.is_first && e->count > 1)
        look_for_redone(app, e);
    if (w->timer == 0)
        w->timer = loop_add_timer(app->loop, SOON_MS, settle_soon, app);
}

/* --- what became of it --- */

static int compare_changes(const void *left, const void *right)
{
    const struct settle_change *a = left, *b = right;
    return a->at_ms != b->at_ms ? (a->at_ms > b->at_ms) - (a->at_ms < b->at_ms)
                                : (a->target > b->target) - (a->target < b->target);
}

/* The one that shows the run's own context was brought about by it, whatever was seen before. */
static bool is_of_run(const struct seen *seen, const struct run_unsettled *run)
{
    return seen->is_first && seen->is_turn && seen->context[0] != '\0' &&
           strcmp(seen->context, run->context) == 0;
}

static struct settled judge(struct app *app, const struct watched *one,
                            const struct run_unsettled *run, int64_t now_ms)
{
    struct watch_runs *w = app->watch_runs;
    struct settle_run act = one->act;
    struct settle_change *changes = xcalloc(act.target_count * CHANGES_MAX + 1, sizeof(*changes));
    bool is_current = true;
    size_t count = 0;
    act.at_ms = run->at_ms;
    for (size_t t = 0; t < act.target_count; t++) {
        const struct entity *e = w->entities[one->targets[t]];
        is_current = is_current && e->is_current;
        for (size_t i = 0; i < e->count; i++) {
            changes[count] = change_of(&e->changes[i], t, &act);
            if (is_of_run(&e->changes[i], run))
                changes[count].by = SETTLE_BY_AUTOMATION;
            count++;
        }
    }
    qsort(changes, count, sizeof(*changes), compare_changes);
    struct settled settled = settle_run(&act, changes, count, now_ms);
    free(changes);
    if (!is_current && settled.outcome != SETTLE_UNDONE) /* what comes next may say otherwise */
        settled = (struct settled){SETTLE_PENDING, 0};
    return settled;
}

static const struct watched *find_watched(const struct watch_runs *w, const char *automation)
{
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->list[i].automation, automation) == 0)
            return &w->list[i];
    return NULL;
}

static bool settle_one(struct app *app, const struct run_unsettled *run, int64_t now_ms)
{
    const struct watched *one = find_watched(app->watch_runs, run->automation);
    struct settled settled = {one != NULL ? SETTLE_PENDING : SETTLE_UNKNOWN, 0};
    struct error err = {0};
    if (one != NULL)
        settled = judge(app, one, run, now_ms);
    if (settled.outcome == SETTLE_PENDING && now_ms > run->at_ms + LATEST_MS)
        settled.outcome = SETTLE_UNKNOWN;
    if (settled.outcome == SETTLE_PENDING)
        return false;
    const char *word = settle_outcome_name(settled.outcome);
    if (run_set_outcome(app->store, run->automation, run->context, word, settled.act_ms, &err) <
        0) {
        log_error("app", "what became of a run could not be kept: %s", err.message);
        return false;
    }
    char *title = deploy_title_of(app, run->automation);
    log_info("app", "what became of a run of '%s': %s", title ? title : run->automation, word);
    free(title);
    return true;
}

void watch_runs_continue(struct app *app)
{
    struct run_unsettled *runs;
    size_t count, settled = 0;
    struct error err = {0};
    if (run_list_unsettled(app->store, &runs, &count, &err) < 0) {
        log_error("app", "runs cannot be read: %s", err.message);
        return;
    }
    for (size_t i = 0; i < count; i++)
        settled += settle_one(app, &runs[i], app_ha_now_ms(app));
    run_unsettled_free(runs, count);
    if (settled > 0)
        facts_refresh_connections(app);
}

void watch_runs_on_theirs(struct app *app, const char *automation_id, const char *context_id,
                          int64_t at_ms)
{
    struct suggestion *theirs;
    size_t count;
    struct error err = {0};
    if (suggestions_list(app->store, 1u << SUGGESTION_EDITED, &theirs, &count, &err) < 0)
        return;
    for (size_t i = 0; i < count; i++) {
        char id[SUGGESTION_AUTOMATION_ID_SIZE];
        suggestion_automation_id(&theirs[i], id);
        if (strcmp(id, automation_id) == 0 &&
            (run_record(app->store, id, *context_id ? context_id : NULL, true, "triggered", at_ms,
                        &err) < 0 ||
             run_set_theirs(app->store, id, theirs[i].since_ms, &err) < 0))
            log_error("app", "a run of %s could not be kept: %s", id, err.message);
    }
    suggestions_free(theirs, count);
}

struct filling {
    struct app *app;
    int filled;
};

static int take_review(const struct suggestion *s, json_object *review, void *ctx,
                       struct error *err)
{
    struct filling *f = ctx;
    char automation_id[SUGGESTION_AUTOMATION_ID_SIZE];
    suggestion_automation_id(s, automation_id);
    return run_merge_review(f->app->store, automation_id, review, app_ha_now_ms(f->app), &f->filled,
                            err);
}

int watch_runs_merge(struct app *app, json_object *reviews, struct error *err)
{
    struct filling filling = {.app = app};
    if (reviews_each(app->store, reviews, take_review, &filling, err) < 0)
        return -1;
    if (filling.filled > 0)
        log_info("app", "what became of %d runs is known from the history", filling.filled);
    return 0;
}

/* --- its life --- */

void watch_runs_setup(struct app *app)
{
    app->watch_runs = xcalloc(1, sizeof(*app->watch_runs));
}

void watch_runs_teardown(struct app *app)
{
    struct watch_runs *w = app->watch_runs;
    if (w == NULL)
        return;
    loop_remove_timer(app->loop, w->timer);
    for (size_t i = 0; i < w->entity_count; i++)
        free_entity(w->entities[i]);
    forget_list(w);
    free(w->entities);
    free(w->list);
    free(w);
    app->watch_runs = NULL;
}
