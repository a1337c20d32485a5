/* Live changes of chosen entities. HA tells how they are when the watch begins, on each connection,
 * and then what differs; the changes of all others never leave HA. Which contexts are automations'
 * comes over the same connection, before what they did: one that a clock set off has no parent, and
 * looks like a switch's otherwise. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/xalloc.h"
#include "ha/private.h"

enum {
    CONTEXTS_MAX = 256, /* of the last automations that ran */
    CONTEXT_SIZE = 64,  /* HA's have 26 characters */
};

/* As HA said it last. */
struct entity {
    char *id, *state; /* NULL: it is not there */
    json_object *attributes;
    char context_id[CONTEXT_SIZE], parent_id[CONTEXT_SIZE], user_id[CONTEXT_SIZE]; /* "" = none */
    int64_t changed_ms, updated_ms;
};

struct ha_watch {
    struct ha *ha;
    json_object *command;
    struct session_subscription *runs, *subscription;
    struct entity *entities;
    size_t count;
    char contexts[CONTEXTS_MAX][CONTEXT_SIZE];
    size_t next_context;
    ha_change_fn on_change;
    void *ctx;
};

static struct entity *find_entity(struct ha_watch *watch, const char *id)
{
    for (size_t i = 0; i < watch->count; i++)
        if (strcmp(watch->entities[i].id, id) == 0)
            return &watch->entities[i];
    return NULL;
}

/* --- who did it --- */

static void on_triggered(json_object *event, void *ctx)
{
    struct ha_watch *watch = ctx;
    const char *id = json_get_string(json_get_object(event, "context"), "id");
    if (id == NULL || strlen(id) >= CONTEXT_SIZE)
        return;
    snprintf(watch->contexts[watch->next_context], CONTEXT_SIZE, "%s", id);
    watch->next_context = (watch->next_context + 1) % CONTEXTS_MAX;
}

static bool is_by_automation(const struct ha_watch *watch, const struct entity *e)
{
    if (e->user_id[0] != '\0')
        return false;
    for (size_t i = 0; i < CONTEXTS_MAX && e->context_id[0] != '\0'; i++)
        if (strcmp(watch->contexts[i], e->context_id) == 0)
            return true;
    return e->parent_id[0] != '\0';
}

static void take_text(json_object *object, const char *key, char out[CONTEXT_SIZE])
{
    json_object *value;
    if (!json_object_object_get_ex(object, key, &value))
        return; /* as before */
    const char *text =
        json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    snprintf(out, CONTEXT_SIZE, "%.*s", CONTEXT_SIZE - 1, text);
}

static void take_context(struct entity *e, json_object *context)
{
    if (json_object_is_type(context, json_type_string)) {
        snprintf(e->context_id, CONTEXT_SIZE, "%.*s", CONTEXT_SIZE - 1,
                 json_object_get_string(context));
        return;
    }
    take_text(context, "id", e->context_id);
    take_text(context, "parent_id", e->parent_id);
    take_text(context, "user_id", e->user_id);
}

/* --- what differs --- */

static json_object *merge_attributes(json_object *before, json_object *added, json_object *removed)
{
    json_object *after = json_object_new_object();
    if (before != NULL) {
        json_object_object_foreach(before, key, value)
        {
            json_object_object_add(after, key, json_object_get(value));
        }
    }
    if (added != NULL) {
        json_object_object_foreach(added, key, value)
        {
            json_object_object_add(after, key, json_object_get(value));
        }
    }
    size_t count = removed != NULL ? json_object_array_length(removed) : 0;
    for (size_t i = 0; i < count; i++) {
        const char *key = json_object_get_string(json_object_array_get_idx(removed, i));
        if (key != NULL)
            json_object_object_del(after, key);
    }
    return after;
}

/* False where it is not told. */
static bool take_time(json_object *object, const char *key, int64_t *out)
{
    double s = json_get_double(object, key, -1);
    if (!(s > 0 && s < 1e11))
        return false;
    *out = llround(s * 1000);
    return true;
}

static void take_times(struct entity *e, json_object *told)
{
    if (take_time(told, "lc", &e->changed_ms))
        e->updated_ms = e->changed_ms;
    take_time(told, "lu", &e->updated_ms);
}

static void tell(struct ha_watch *watch, const struct entity *before, const struct entity *e,
                 bool is_first)
{
    const struct ha_change change = {
        .entity_id = e->id,
        .from = before != NULL ? before->state : NULL,
        .to = e->state,
        .from_attributes = before != NULL ? before->attributes : NULL,
        .to_attributes = e->attributes,
        .context_id = e->context_id[0] != '\0' ? e->context_id : NULL,
        .parent_id = e->parent_id[0] != '\0' ? e->parent_id : NULL,
        .user_id = e->user_id[0] != '\0' ? e->user_id : NULL,
        .is_by_automation = is_by_automation(watch, e),
        .is_first = is_first,
        .changed_ms = e->changed_ms,
        .at_ms = e->updated_ms,
    };
    watch->on_change(&change, watch->ctx);
}

static void clear_state(struct entity *e)
{
    free(e->state);
    json_object_put(e->attributes);
    e->state = NULL;
    e->attributes = NULL;
}

/* How it is: when the watch begins, or when it came into being. */
static void take_first(struct ha_watch *watch, struct entity *e, json_object *told)
{
    const char *state = json_get_string(told, "s");
    if (state == NULL)
        return;
    clear_state(e);
    e->state = xstrdup(state);
    e->attributes = merge_attributes(json_get_object(told, "a"), NULL, NULL);
    e->context_id[0] = e->parent_id[0] = e->user_id[0] = '\0';
    take_context(e, json_object_object_get(told, "c"));
    take_times(e, told);
    tell(watch, NULL, e, true);
}

static void take_difference(struct ha_watch *watch, struct entity *e, json_object *told)
{
    json_object *more = json_get_object(told, "+");
    const char *state = json_get_string(more, "s");
    struct entity before = *e;
    if (before.state == NULL)
        return; /* what it differs from was not told */
    e->state = xstrdup(state != NULL ? state : before.state);
    e->attributes = merge_attributes(before.attributes, json_get_object(more, "a"),
                                     json_get_array(json_get_object(told, "-"), "a"));
    take_context(e, json_object_object_get(more, "c"));
    take_times(e, more);
    tell(watch, &before, e, false);
    clear_state(&before);
}

static void take_end(struct ha_watch *watch, struct entity *e)
{
    struct entity before = *e;
    if (before.state == NULL)
        return;
    e->state = NULL;
    e->attributes = NULL;
    e->context_id[0] = e->parent_id[0] = e->user_id[0] = '\0';
    e->changed_ms = e->updated_ms = clock_wall_ms() + ha_clock_offset_ms(watch->ha);
    tell(watch, &before, e, false);
    clear_state(&before);
}

static void on_event(json_object *event, void *ctx)
{
    struct ha_watch *watch = ctx;
    json_object *first = json_get_object(event, "a"), *differ = json_get_object(event, "c");
    json_object *ended = json_get_array(event, "r");
    struct entity *e;
    if (first != NULL) {
        json_object_object_foreach(first, id, told)
        {
            if ((e = find_entity(watch, id)) != NULL)
                take_first(watch, e, told);
        }
    }
    if (differ != NULL) {
        json_object_object_foreach(differ, id, told)
        {
            if ((e = find_entity(watch, id)) != NULL)
                take_difference(watch, e, told);
        }
    }
    for (size_t i = 0; ended != NULL && i < json_object_array_length(ended); i++) {
        const char *id = json_object_get_string(json_object_array_get_idx(ended, i));
        if (id != NULL && (e = find_entity(watch, id)) != NULL)
            take_end(watch, e);
    }
}

/* --- its life --- */

void ha_watch_free(struct ha_watch *watch)
{
    if (watch == NULL)
        return;
    session_unsubscribe(watch->ha->session, watch->subscription);
    session_unsubscribe(watch->ha->session, watch->runs);
    for (size_t i = 0; i < watch->count; i++) {
        clear_state(&watch->entities[i]);
        free(watch->entities[i].id);
    }
    free(watch->entities);
    json_object_put(watch->command);
    free(watch);
}

static json_object *make_command(const char *const *ids, size_t count, struct error *err)
{
    json_object *list = json_object_new_array();
    for (size_t i = 0; i < count; i++) {
        if (!ha_is_dotted_name(ids[i])) { /* HA would refuse them all */
            json_object_put(list);
            error_set(err, ERROR_INVALID, "'%.100s' is no entity id (expected domain.name)",
                      ids[i]);
            return NULL;
        }
        json_object_array_add(list, json_object_new_string(ids[i]));
    }
    json_object *command = session_command("subscribe_entities");
    json_object_object_add(command, "entity_ids", list);
    return command;
}

static struct session_subscription *subscribe_runs(struct ha_watch *watch)
{
    json_object *command = session_command("subscribe_events");
    json_add_string(command, "event_type", "automation_triggered");
    return session_subscribe(watch->ha->session, command, on_triggered, watch);
}

int ha_watch_entities(struct ha *ha, const char *const *ids, size_t count, ha_change_fn on_change,
                      void *ctx, struct error *err)
{
    if (count > HA_LIVE_ENTITIES_MAX)
        return error_set(err, ERROR_LIMIT, "%zu entities are to be watched; expected at most %d",
                         count, HA_LIVE_ENTITIES_MAX);
    json_object *command = make_command(ids, count, err);
    if (command == NULL)
        return -1;
    bool is_same = ha->watch != NULL && json_object_equal(ha->watch->command, command) &&
                   ha->watch->on_change == on_change && ha->watch->ctx == ctx;
    if (is_same) {
        json_object_put(command);
        return 0;
    }
    ha_watch_free(ha->watch);
    ha->watch = NULL;
    if (count == 0) { /* HA would tell of all */
        json_object_put(command);
        return 0;
    }
    struct ha_watch *watch = xcalloc(1, sizeof(*watch));
    *watch = (struct ha_watch){.ha = ha,
                               .command = command,
                               .entities = xcalloc(count, sizeof(*watch->entities)),
                               .count = count,
                               .on_change = on_change,
                               .ctx = ctx};
    for (size_t i = 0; i < count; i++)
        watch->entities[i].id = xstrdup(ids[i]);
    watch->runs = subscribe_runs(watch); /* first: a run is told before what it does */
    watch->subscription = session_subscribe(ha->session, json_object_get(command), on_event, watch);
    ha->watch = watch;
    return 0;
}
