/* Live changes of chosen entities. A state trigger names them, so that the changes of all others
 * never leave HA. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/xalloc.h"
#include "ha/private.h"

struct ha_watch {
    struct ha *ha;
    json_object *command;
    struct session_subscription *subscription;
    ha_change_fn on_change;
    void *ctx;
};

static const char *state_of(json_object *state)
{
    return json_get_string(state, "state");
}

static void on_event(json_object *event, void *ctx)
{
    struct ha_watch *watch = ctx;
    json_object *trigger = json_at(event, "variables.trigger");
    json_object *from = json_get_object(trigger, "from_state");
    json_object *to = json_get_object(trigger, "to_state");
    const char *entity = json_get_string(trigger, "entity_id");
    json_object *context = json_get_object(to, "context");
    const char *at = json_get_string(to, "last_updated");
    if (entity == NULL)
        return;
    struct ha_change change = {
        .entity_id = entity,
        .from = state_of(from),
        .to = state_of(to),
        .from_attributes = json_get_object(from, "attributes"),
        .to_attributes = json_get_object(to, "attributes"),
        .context_id = json_get_string(context, "id"),
        .parent_id = json_get_string(context, "parent_id"),
        .user_id = json_get_string(context, "user_id"),
        .at_ms = clock_wall_ms() + ha_clock_offset_ms(watch->ha),
    };
    if (at != NULL)
        clock_parse_rfc3339(at, &change.at_ms);
    watch->on_change(&change, watch->ctx);
}

void ha_watch_free(struct ha_watch *watch)
{
    if (watch == NULL)
        return;
    session_unsubscribe(watch->ha->session, watch->subscription);
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
    json_object *trigger = json_object_new_object();
    json_add_string(trigger, "platform", "state");
    json_object_object_add(trigger, "entity_id", list);
    json_object *command = session_command("subscribe_trigger");
    json_object_object_add(command, "trigger", trigger);
    return command;
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
    if (count == 0) {
        json_object_put(command);
        return 0;
    }
    struct ha_watch *watch = xcalloc(1, sizeof(*watch));
    *watch = (struct ha_watch){.ha = ha, .command = command, .on_change = on_change, .ctx = ctx};
    watch->subscription = session_subscribe(ha->session, json_object_get(command), on_event, watch);
    ha->watch = watch;
    return 0;
}
