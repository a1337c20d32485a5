/* What the store knows, as it comes in: checked here once. */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/xalloc.h"
#include "suggest/review.h"

static const char *const state_names[REVIEW_STATE_COUNT] = {
    [REVIEW_TRYING] = "trying", [REVIEW_DEPLOYED] = "deployed", [REVIEW_EDITED] = "edited"};

static int wrong(struct error *err, size_t index, const char *key, const char *got,
                 const char *takes)
{
    return error_set(err, ERROR_INVALID, "rules[%zu].%s: got %s%.80s%s, takes %s", index, key,
                     got != NULL ? "'" : "", got != NULL ? got : "nothing", got != NULL ? "'" : "",
                     takes);
}

static int read_state(json_object *object, size_t index, struct review_rule *rule,
                      struct error *err)
{
    const char *name = json_get_string(object, "state");
    for (int s = 0; name != NULL && s < REVIEW_STATE_COUNT; s++) {
        if (strcmp(name, state_names[s]) == 0) {
            rule->state = (enum review_state)s;
            return 0;
        }
    }
    return wrong(err, index, "state", name, "trying, deployed or edited");
}

static int read_time(json_object *object, size_t index, const char *key, int64_t *out,
                     struct error *err)
{
    const char *text = json_get_string(object, key);
    if (text == NULL || clock_parse_rfc3339(text, out) != 0)
        return wrong(err, index, key, text, "a time such as 2026-11-23T12:00:00Z");
    return 0;
}

static int read_rule(json_object *object, size_t index, struct review_rule *rule, struct error *err)
{
    *rule = (struct review_rule){.id = json_get_string(object, "id"),
                                 .until_ms = INT64_MAX,
                                 .automation = json_get_object(object, "automation"),
                                 .suggestion = json_get_object(object, "rule")};
    if (rule->id == NULL || rule->id[0] == '\0' || strlen(rule->id) > REVIEW_ID_MAX)
        return wrong(err, index, "id", rule->id, "a text of 1 to 255 bytes");
    if (read_state(object, index, rule, err) != 0 ||
        read_time(object, index, "since", &rule->since_ms, err) != 0)
        return -1;
    json_object *until = NULL;
    if (json_object_object_get_ex(object, "until", &until) && until != NULL &&
        read_time(object, index, "until", &rule->until_ms, err) != 0)
        return -1;
    if (rule->until_ms <= rule->since_ms)
        return wrong(err, index, "until", json_get_string(object, "until"), "a time after 'since'");
    if (rule->automation == NULL)
        return wrong(err, index, "automation", NULL, "an automation in Home Assistant's form");
    return 0;
}

static int check_ids(const struct review_list *list, struct error *err)
{
    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(list->list[i].id, list->list[k].id) == 0)
                return error_set(err, ERROR_INVALID, "rules[%zu].id: '%.80s' is that of rules[%zu]",
                                 i, list->list[i].id, k);
    return 0;
}

int review_list_parse(json_object *known, struct review_list *out, struct error *err)
{
    json_object *rules = json_get_array(known, "rules");
    *out = (struct review_list){.known = json_object_get(known)};
    if (rules == NULL)
        return error_set(err, ERROR_INVALID, "no list \"rules\" in it");
    size_t count = json_object_array_length(rules);
    if (count > REVIEW_RULES_MAX)
        return error_set(err, ERROR_LIMIT, "%zu rules, at most %d are reviewed", count,
                         REVIEW_RULES_MAX);
    out->list = xcalloc(count + 1, sizeof *out->list);
    for (; out->count < count; out->count++)
        if (read_rule(json_object_array_get_idx(rules, out->count), out->count,
                      &out->list[out->count], err) != 0)
            return -1;
    return check_ids(out, err);
}

void review_list_release(struct review_list *list)
{
    json_object_put(list->known);
    free(list->list);
    *list = (struct review_list){.known = NULL};
}
