/* The gate before HA: an automation is read back into a rule of the grammar, the rule is written
 * anew, and both must be equal. So nothing else can be in it, whatever it is. */
#include "suggest/safety.h"

#include <string.h>

#include "core/json.h"
#include "suggest/automation.h"
#include "suggest/automation_read.h"
#include "suggest/guarded.h"

/* Alias and description: Home Assistant renders no template there, but nobody shall try. */
static int check_text(json_object *automation, const char *key, struct error *err)
{
    const char *text = json_get_string(automation, key);
    if (text == NULL || strlen(text) > SAFETY_TEXT_MAX)
        return automation_refuse(err, key, automation_shown(json_get(automation, key)),
                                 "at most 4096 bytes of text");
    if (strstr(text, "{{") != NULL || strstr(text, "{%") != NULL || strstr(text, "{#") != NULL)
        return automation_refuse(err, key, text, "text without template brackets");
    return 0;
}

static int check_equal(json_object *automation, const struct rule *rule, struct error *err)
{
    json_object *anew = automation_from_rule(rule, json_get_string(automation, "alias"),
                                             json_get_string(automation, "description"));
    int result = automation_compare(automation, anew, err);
    json_object_put(anew);
    return result;
}

static int check_guarded(const struct rule *rule, struct error *err)
{
    if (safety_allows_rule(rule, NULL))
        return 0;
    return error_set(err, ERROR_DENIED,
                     "the automation is not allowed: ha-ai never unlocks, opens, disarms or "
                     "silences what guards the home (%.100s)",
                     rule->entity_ids[0]);
}

static int check(json_object *automation, struct automation_rule *p, struct error *err)
{
    if (!json_object_is_type(automation, json_type_object))
        return automation_refuse(err, "the whole", automation_shown(automation), "an object");
    if (check_text(automation, "alias", err) != 0 ||
        check_text(automation, "description", err) != 0 ||
        automation_read(automation, p, err) != 0 || check_equal(automation, &p->rule, err) != 0)
        return -1;
    return check_guarded(&p->rule, err);
}

int safety_check(json_object *automation, struct error *err)
{
    struct automation_rule parsed;
    return check(automation, &parsed, err);
}

bool safety_needs_second_press(json_object *automation)
{
    struct automation_rule p;
    if (check(automation, &p, NULL) != 0)
        return false;
    for (size_t s = 0; s < p.step_count; s++)
        for (size_t i = 0; i < p.steps[s].entity_count; i++)
            if (guarded_is_kept(p.steps[s].entity_ids[i], NULL))
                return true;
    return false;
}

bool safety_allows_rule(const struct rule *rule, const struct history *h)
{
    const struct rule_step first = rule_first_step(rule);
    if (!guarded_allows(&first, h))
        return false;
    for (size_t i = 0; i < rule->step_count; i++)
        if (!guarded_allows(&rule->steps[i], h))
            return false;
    return true;
}

/* ---- all of an analysis --------------------------------------------------------------------- */

/* A suggestion's own automation, those of its parts and its other forms. */
static int check_suggestion(json_object *suggestion, int depth, struct error *err)
{
    static const char *const lists[] = {"parts", "variants"};
    if (safety_check(json_get(suggestion, "automation"), err) != 0)
        return -1;
    for (size_t k = 0; k < sizeof lists / sizeof *lists && depth < 2; k++) {
        json_object *list = json_get_array(suggestion, lists[k]);
        for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++)
            if (check_suggestion(json_object_array_get_idx(list, i), depth + 1, err) != 0)
                return -1;
    }
    return 0;
}

size_t safety_filter(json_object *analysis)
{
    json_object *list = json_get_array(analysis, "suggestions");
    size_t removed = 0;
    for (size_t i = list != NULL ? json_object_array_length(list) : 0; i-- > 0;)
        if (check_suggestion(json_object_array_get_idx(list, i), 0, NULL) != 0)
            removed += json_object_array_del_idx(list, i, 1) == 0;
    return removed;
}

int safety_check_analysis(json_object *analysis, struct error *err)
{
    json_object *list = json_get_array(analysis, "suggestions");
    for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
        json_object *suggestion = json_object_array_get_idx(list, i);
        if (check_suggestion(suggestion, 0, err) != 0) {
            const char *id = json_get_string(suggestion, "id");
            return error_prefix(err, "suggestion %.80s", id != NULL ? id : "without an id");
        }
    }
    list = json_get_array(analysis, "reviews");
    for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
        json_object *review = json_object_array_get_idx(list, i);
        json_object *proposal = json_get_object(review, "proposal");
        if (proposal != NULL && check_suggestion(proposal, 0, err) != 0) {
            const char *id = json_get_string(review, "id");
            return error_prefix(err, "the review of %.80s", id != NULL ? id : "one without an id");
        }
    }
    return 0;
}
