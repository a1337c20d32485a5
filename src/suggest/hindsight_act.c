/* What an automation switches: its first service call that the grammar knows. */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "replay/automation.h"
#include "suggest/hindsight.h"
#include "suggest/targets.h"

enum { DEPTH_MAX = 8 /* of sequences in sequences */ };

/* --- targets --- */

static bool is_there(const struct hindsight_act *act, const char *entity_id)
{
    for (size_t i = 0; i < act->count; i++)
        if (strcmp(act->entity_ids[i], entity_id) == 0)
            return true;
    return false;
}

/* domain: of the service, with its length; "homeassistant" is for all. */
static void add_target(struct hindsight_act *act, const char *service, const char *entity_id)
{
    static const char any[] = "homeassistant.";
    size_t length = strcspn(service, ".") + 1;
    bool is_any = strncmp(service, any, sizeof any - 1) == 0;
    if (!rule_entity_id_is_valid(entity_id) || !rule_domain_is_switchable(entity_id) ||
        (!is_any && strncmp(service, entity_id, length) != 0) ||
        act->count == HINDSIGHT_TARGETS_MAX || is_there(act, entity_id))
        return;
    act->entity_ids =
        grow_array(act->entity_ids, act->count, &act->capacity, sizeof *act->entity_ids);
    act->entity_ids[act->count++] = xstrdup(entity_id);
}

struct search {
    struct hindsight_act *act;
    const char *service;
};

static void add_found(const char *entity_id, void *ctx)
{
    struct search *search = ctx;
    add_target(search->act, search->service, entity_id);
}

static void collect_targets(struct hindsight_act *act, const struct timeline *places,
                            json_object *step, const char *service)
{
    struct search search = {act, service};
    targets_visit(step, places, add_found, &search);
}

/* --- the steps --- */

static bool find_in(json_object *steps, const struct timeline *places, struct hindsight_act *out,
                    int depth);

/* "light.turn_on": false when it is another service. */
static bool read_service(const char *service, enum rule_verb *verb)
{
    const char *name = strchr(service, '.');
    bool is_known = rule_domain_is_switchable(service) ||
                    strncmp(service, "homeassistant.", strlen("homeassistant.")) == 0;
    for (int v = 0; name != NULL && is_known && v < RULE_SWITCHING_COUNT; v++) {
        if (strcmp(name + 1, rule_verbs[v].service) == 0) {
            *verb = (enum rule_verb)v;
            return true;
        }
    }
    return false;
}

static bool find_in_step(json_object *step, const struct timeline *places,
                         struct hindsight_act *out, int depth)
{
    json_object *service = json_get_either(step, "action", "service"),
                *enabled = json_get(step, "enabled");
    if (json_object_is_type(enabled, json_type_boolean) && !json_object_get_boolean(enabled))
        return false;
    int64_t delay_us;
    if (automation_read_period(json_get(step, "delay"), &delay_us) && delay_us > 0)
        out->delay_ms += delay_us / 1000;
    if (json_get(step, "sequence") != NULL &&
        find_in(json_get(step, "sequence"), places, out, depth + 1))
        return true;
    json_object *branches = json_get(step, "parallel");
    if (branches != NULL) {
        int64_t before_ms = out->delay_ms;
        bool is_list = json_object_is_type(branches, json_type_array);
        for (size_t i = 0; i < (is_list ? json_object_array_length(branches) : 1); i++) {
            out->delay_ms = before_ms;
            if (find_in(is_list ? json_object_array_get_idx(branches, i) : branches, places, out,
                        depth + 1))
                return true;
        }
    }
    if (!json_object_is_type(service, json_type_string) ||
        !read_service(json_object_get_string(service), &out->verb))
        return false;
    collect_targets(out, places, step, json_object_get_string(service));
    return out->count > 0;
}

static bool find_in(json_object *steps, const struct timeline *places, struct hindsight_act *out,
                    int depth)
{
    bool is_list = json_object_is_type(steps, json_type_array);
    if (depth > DEPTH_MAX)
        return false;
    for (size_t i = 0; i < (is_list ? json_object_array_length(steps) : 1); i++)
        if (find_in_step(is_list ? json_object_array_get_idx(steps, i) : steps, places, out, depth))
            return true;
    return false;
}

bool hindsight_find_act(json_object *config, const struct timeline *places,
                        struct hindsight_act *out)
{
    *out = (struct hindsight_act){.entity_ids = NULL};
    if (find_in(json_get_either(config, "actions", "action"), places, out, 0))
        return true;
    hindsight_act_release(out);
    return false;
}

void hindsight_act_release(struct hindsight_act *act)
{
    for (size_t i = 0; i < act->count; i++)
        free(act->entity_ids[i]);
    free(act->entity_ids);
    *act = (struct hindsight_act){.entity_ids = NULL};
}
