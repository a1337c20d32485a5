/* The gate before HA: an automation is read back into a rule of the grammar, the rule is written
 * anew, and both must be equal. So nothing else can be in it, whatever it is. */
#include "suggest/safety.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/text.h"
#include "core/xalloc.h"
#include "suggest/automation.h"
#include "suggest/guarded.h"

enum { PATH_SIZE = 200, SHOWN_SIZE = 81, DEPTH_MAX = 16 };

/* A rule and the memory behind it. */
struct parsed {
    struct rule rule;
    const char *ids[RULE_STEPS_MAX + 1][RULE_TARGETS_MAX];
    struct rule_step steps[RULE_STEPS_MAX + 1];
    size_t step_count;
    const char *done; /* the wait_template of the report: in which order the targets are there */
};

static int refuse(struct error *err, const char *path, const char *got, const char *takes)
{
    char shown[SHOWN_SIZE];
    text_copy_shown(shown, sizeof shown, got != NULL ? got : "nothing");
    return error_set(err, ERROR_DENIED, "the automation is not one of ours: %s: got '%s', takes %s",
                     path, shown, takes);
}

/* The text of a value, to be shown. */
static const char *shown(json_object *value)
{
    return value != NULL ? json_text(value) : NULL;
}

static json_object *field(json_object *object, const char *key)
{
    json_object *value = NULL;
    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, key, &value);
    return value;
}

static bool is_text(json_object *object, const char *key, const char *wanted)
{
    const char *text = json_get_string(object, key);
    return text != NULL && strcmp(text, wanted) == 0;
}

/* ---- times ---------------------------------------------------------------------------------- */

/* "07:05:00", "-00:15:00" where a sign is allowed, "168:00:00". */
static bool read_clock(const char *text, bool is_signed, int *second)
{
    int h, m, s, length = 0, sign = 1;
    if (text == NULL || strlen(text) > 10)
        return false;
    if (is_signed && text[0] == '-') {
        sign = -1;
        text++;
    }
    if (strspn(text, "0123456789:") != strlen(text) ||
        sscanf(text, "%3d:%2d:%2d%n", &h, &m, &s, &length) != 3 || text[length] != '\0' || m > 59 ||
        s > 59 || h > RULE_DURATION_MAX_S / 3600)
        return false;
    *second = sign * (h * 3600 + m * 60 + s);
    return true;
}

/* ---- trigger and conditions ----------------------------------------------------------------- */

static int read_trigger(json_object *trigger, struct rule_trigger *out, struct error *err)
{
    const char *kind = json_get_string(trigger, "trigger");
    if (is_text(trigger, "trigger", "time")) {
        out->kind = RULE_TRIGGER_TIME;
        if (!read_clock(json_get_string(trigger, "at"), false, &out->second) || out->second > 86399)
            return refuse(err, "triggers[0].at", shown(field(trigger, "at")), "HH:MM:SS");
    } else if (is_text(trigger, "trigger", "sun")) {
        out->kind = RULE_TRIGGER_SUN;
        out->event = is_text(trigger, "event", "sunset") ? RULE_SUNSET : RULE_SUNRISE;
        if (field(trigger, "offset") != NULL &&
            !read_clock(json_get_string(trigger, "offset"), true, &out->second))
            return refuse(err, "triggers[0].offset", shown(field(trigger, "offset")), "HH:MM:SS");
    } else if (is_text(trigger, "trigger", "state")) {
        out->kind = RULE_TRIGGER_STATE;
        out->entity_id = json_get_string(trigger, "entity_id");
        out->to = json_get_string(trigger, "to");
        if (out->entity_id == NULL || !rule_entity_id_is_valid(out->entity_id))
            return refuse(err, "triggers[0].entity_id", shown(field(trigger, "entity_id")),
                          "an entity id");
        if (out->to == NULL || !rule_state_is_valid(out->to))
            return refuse(err, "triggers[0].to", shown(field(trigger, "to")), "a state");
        if (field(trigger, "for") != NULL &&
            !read_clock(json_get_string(trigger, "for"), false, &out->for_s))
            return refuse(err, "triggers[0].for", shown(field(trigger, "for")), "HH:MM:SS");
    } else {
        return refuse(err, "triggers[0].trigger", kind, "time, sun or state");
    }
    return 0;
}

/* Days of the week; 0 = none of them. */
static unsigned read_weekdays(json_object *list)
{
    unsigned days = 0;
    size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(list, i));
        for (int day = 0; day < 7; day++)
            if (name != NULL && strcmp(name, rule_weekday_name(day)) == 0)
                days |= 1U << day;
    }
    return days;
}

/* Our own fixed template: with or without how long it was quiet. The rule is written anew and
 * compared, so that only the number is taken from it. */
static void read_template(json_object *condition, struct rule_trigger *trigger)
{
    const char *text = json_get_string(condition, "value_template");
    const char *number = text != NULL ? strstr(text, "total_seconds() >= ") : NULL;
    if (number != NULL)
        trigger->quiet_s = (int)strtol(strrchr(number, '=') + 1, NULL, 10);
}

static int read_condition(json_object *condition, struct rule *rule, const char *path,
                          struct error *err)
{
    if (is_text(condition, "condition", "template")) {
        read_template(condition, &rule->trigger);
        return 0;
    }
    if (is_text(condition, "condition", "time") && field(condition, "weekday") != NULL) {
        rule->weekdays = read_weekdays(field(condition, "weekday"));
        return rule->weekdays != 0
                   ? 0
                   : refuse(err, path, shown(field(condition, "weekday")), "days of the week");
    }
    if (rule->condition_count == RULE_CONDITIONS_MAX)
        return refuse(err, path, "more", "at most 3 conditions besides the days");
    struct rule_condition *out = &rule->conditions[rule->condition_count++];
    *out = (struct rule_condition){.kind = RULE_WHEN_TIME};
    if (is_text(condition, "condition", "time"))
        return read_clock(json_get_string(condition, "after"), false, &out->from_s) &&
                       read_clock(json_get_string(condition, "before"), false, &out->to_s)
                   ? 0
                   : refuse(err, path, shown(condition), "after and before, HH:MM:SS");
    out->entity_id = json_get_string(condition, "entity_id");
    if (out->entity_id == NULL || !rule_entity_id_is_valid(out->entity_id))
        return refuse(err, path, shown(condition), "a condition with one entity id");
    if (is_text(condition, "condition", "state")) {
        out->kind = RULE_WHEN_STATE;
        out->state = json_get_string(condition, "state");
        return out->state != NULL && rule_state_is_valid(out->state)
                   ? 0
                   : refuse(err, path, shown(field(condition, "state")), "a state");
    }
    if (!is_text(condition, "condition", "numeric_state"))
        return refuse(err, path, json_get_string(condition, "condition"),
                      "time, state or numeric_state");
    bool is_below = field(condition, "below") != NULL;
    out->kind = is_below ? RULE_WHEN_BELOW : RULE_WHEN_ABOVE;
    out->limit = json_get_double(condition, is_below ? "below" : "above", NAN);
    return isfinite(out->limit) ? 0
                                : refuse(err, path, shown(condition), "below or above a number");
}

/* ---- actions -------------------------------------------------------------------------------- */

static bool has_domain(const char *service, const char *entity_id)
{
    size_t length = strcspn(service, ".");
    return strcspn(entity_id, ".") == length && strncmp(service, entity_id, length) == 0;
}

static bool sets_attribute(const char *service, enum rule_attribute attribute)
{
    const struct rule_attribute_row *row = &rule_attributes[attribute];
    return strcmp(service, row->service) == 0 ||
           (row->with_turn_on && strcmp(service, rule_verbs[RULE_TURN_ON].service) == 0);
}

/* What the service does to what it is for; false when it is no service that we call. */
static bool read_service(const struct parsed *p, const char *service, json_object *data,
                         const char *entity_id, struct rule_step *step)
{
    const char *name = strchr(service, '.');
    char done[RULE_ENTITY_ID_MAX + 16];
    bool is_set = false;
    if (name == NULL || !has_domain(service, entity_id))
        return false;
    step->value_count = 0;
    for (int a = 0; a < RULE_ATTRIBUTE_COUNT && data != NULL; a++) {
        json_object *value = field(data, rule_attributes[a].field);
        if (value == NULL || !rule_has_attribute(entity_id, (enum rule_attribute)a) ||
            !sets_attribute(name + 1, (enum rule_attribute)a) ||
            step->value_count == RULE_VALUES_MAX)
            continue;
        is_set = strcmp(name + 1, rule_attributes[a].service) == 0;
        step->values[step->value_count++] =
            (struct rule_value){(enum rule_attribute)a, json_object_get_double(value)};
    }
    snprintf(done, sizeof done, "is_state('%s'", entity_id);
    if (is_set && step->value_count == 1 && strstr(p->done, done) == NULL) {
        step->verb = RULE_SET;
        return true;
    }
    for (int verb = 0; verb < RULE_SWITCHING_COUNT; verb++)
        if (strcmp(name + 1, rule_service_of((enum rule_verb)verb, entity_id)) == 0 &&
            rule_domain_can(entity_id, (enum rule_verb)verb)) {
            step->verb = (enum rule_verb)verb;
            return true;
        }
    return false;
}

/* Whether what comes next belongs to one step with it: the same act, on another domain. */
static bool continues(const struct rule_step *step, const struct rule_step *next)
{
    if (step->verb != next->verb || step->value_count > 0 || next->value_count > 0)
        return false;
    for (size_t i = 0; i < step->entity_count; i++)
        if (has_domain(step->entity_ids[i], next->entity_ids[0]))
            return false;
    return true;
}

static int add_target(struct rule_step *step, const char **ids, const char *id, const char *path,
                      struct error *err)
{
    if (id == NULL || !rule_entity_id_is_valid(id))
        return refuse(err, path, id, "entity ids alone as the target");
    if (step->entity_count == RULE_TARGETS_MAX)
        return refuse(err, path, id, "at most 50 entity ids");
    ids[step->entity_count++] = id;
    return 0;
}

static int read_targets(json_object *targets, struct rule_step *step, const char **ids,
                        const char *path, struct error *err)
{
    if (json_object_is_type(targets, json_type_string))
        return add_target(step, ids, json_object_get_string(targets), path, err);
    size_t count =
        json_object_is_type(targets, json_type_array) ? json_object_array_length(targets) : 0;
    if (count == 0)
        return refuse(err, path, shown(targets), "entity ids alone as the target");
    for (size_t i = 0; i < count; i++) {
        json_object *one = json_object_array_get_idx(targets, i);
        const char *id =
            json_object_is_type(one, json_type_string) ? json_object_get_string(one) : NULL;
        if (add_target(step, ids, id, path, err) != 0)
            return -1;
    }
    return 0;
}

static int read_action(struct parsed *p, json_object *action, int delay_s, const char *path,
                       struct error *err)
{
    const char *service = json_get_string(action, "action");
    const char *ids[RULE_TARGETS_MAX];
    struct rule_step next = {.entity_ids = ids, .delay_s = delay_s};
    if (service == NULL)
        return refuse(err, path, shown(action), "an action of the grammar, a delay, or the report");
    if (json_at(action, "target.entity_id") == NULL)
        return refuse(err, path, service, "a service that ha-ai may call, on entity ids");
    if (read_targets(json_at(action, "target.entity_id"), &next, ids, path, err) != 0)
        return -1;
    if (!read_service(p, service, field(action, "data"), ids[0], &next))
        return refuse(err, path, service, "a service that ha-ai may call on such an entity");
    struct rule_step *step = p->step_count > 0 ? &p->steps[p->step_count - 1] : NULL;
    size_t at = step != NULL ? step->entity_count : 0;
    if (step == NULL || delay_s > 0 || !continues(step, &next)) {
        if (p->step_count == RULE_STEPS_MAX + 1)
            return refuse(err, path, service, "at most 5 steps");
        step = &p->steps[p->step_count];
        *step = next;
        step->entity_ids = p->ids[p->step_count++];
        step->entity_count = at = 0;
    }
    const char **own = p->ids[p->step_count - 1];
    if (at + next.entity_count > RULE_TARGETS_MAX)
        return refuse(err, path, service, "at most 50 entity ids");
    for (size_t i = 0; i < next.entity_count; i++)
        own[at + i] = ids[i];
    step->entity_count += next.entity_count;
    return 0;
}

/* Where the report asks about it; the end when it does not. */
static size_t place_in(const char *done, const char *entity_id)
{
    char quoted[RULE_ENTITY_ID_MAX + 4];
    snprintf(quoted, sizeof quoted, "'%s'", entity_id);
    const char *found = strstr(done, quoted);
    return found != NULL ? (size_t)(found - done) : strlen(done);
}

/* Targets of several domains stand together in the actions, in the report as they came. */
static void sort_targets(struct parsed *p, size_t step)
{
    const char **ids = p->ids[step];
    for (size_t i = 1; i < p->steps[step].entity_count; i++)
        for (size_t k = i; k > 0 && place_in(p->done, ids[k]) < place_in(p->done, ids[k - 1]);
             k--) {
            const char *spare = ids[k];
            ids[k] = ids[k - 1];
            ids[k - 1] = spare;
        }
}

static int read_actions(struct parsed *p, json_object *actions, struct error *err)
{
    size_t count = json_object_array_length(actions);
    int delay_s = 0;
    for (size_t i = 0; i + 1 < count; i++) { /* the last one is the report */
        json_object *action = json_object_array_get_idx(actions, i);
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "actions[%zu]", i);
        if (field(action, "delay") != NULL) {
            if (delay_s != 0 || i == 0 ||
                !read_clock(json_get_string(action, "delay"), false, &delay_s))
                return refuse(err, path, shown(action), "one delay between two actions, HH:MM:SS");
            continue;
        }
        if (read_action(p, action, delay_s, path, err) != 0)
            return -1;
        delay_s = 0;
    }
    if (p->step_count == 0)
        return refuse(err, "actions", shown(actions), "an action and the report");
    for (size_t i = 0; i < p->step_count; i++)
        sort_targets(p, i);
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static json_object *list_of(json_object *automation, const char *key, size_t least, size_t most,
                            struct error *err)
{
    json_object *list = field(automation, key);
    size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    if (!json_object_is_type(list, json_type_array) || count < least || count > most) {
        refuse(err, key, shown(list), "the list that the grammar has there");
        return NULL;
    }
    return list;
}

static int read_rule(json_object *automation, struct parsed *p, struct error *err)
{
    json_object *triggers = list_of(automation, "triggers", 1, 1, err);
    json_object *conditions =
        triggers != NULL ? list_of(automation, "conditions", 0, RULE_CONDITIONS_MAX + 2, err)
                         : NULL;
    json_object *actions =
        conditions != NULL ? list_of(automation, "actions", 2, SAFETY_ACTIONS_MAX, err) : NULL;
    if (actions == NULL)
        return -1;
    *p = (struct parsed){.rule.weekdays = RULE_EVERY_DAY, .done = ""};
    json_object *report = json_object_array_get_idx(actions, json_object_array_length(actions) - 1);
    json_object *sequence = json_get_array(report, "sequence");
    if (sequence != NULL && json_object_array_length(sequence) > 0) {
        const char *done = json_get_string(json_object_array_get_idx(sequence, 0), "wait_template");
        p->done = done != NULL ? done : "";
    }
    if (read_trigger(json_object_array_get_idx(triggers, 0), &p->rule.trigger, err) != 0)
        return -1;
    for (size_t i = 0; i < json_object_array_length(conditions); i++) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "conditions[%zu]", i);
        if (read_condition(json_object_array_get_idx(conditions, i), &p->rule, path, err) != 0)
            return -1;
    }
    if (read_actions(p, actions, err) != 0)
        return -1;
    p->rule.entity_ids = p->steps[0].entity_ids;
    p->rule.entity_count = p->steps[0].entity_count;
    p->rule.verb = p->steps[0].verb;
    p->rule.value_count = p->steps[0].value_count;
    memcpy(p->rule.values, p->steps[0].values, sizeof p->rule.values);
    p->rule.steps = p->step_count > 1 ? p->steps + 1 : NULL;
    p->rule.step_count = p->step_count - 1;
    if (!rule_is_valid(&p->rule))
        return refuse(err, "the rule", shown(automation), "ids, states and values of the grammar");
    return 0;
}

/* Alias and description: Home Assistant renders no template there, but nobody shall try. */
static int check_text(json_object *automation, const char *key, struct error *err)
{
    const char *text = json_get_string(automation, key);
    if (text == NULL || strlen(text) > SAFETY_TEXT_MAX)
        return refuse(err, key, shown(field(automation, key)), "at most 4096 bytes of text");
    if (strstr(text, "{{") != NULL || strstr(text, "{%") != NULL || strstr(text, "{#") != NULL)
        return refuse(err, key, text, "text without template brackets");
    return 0;
}

/* Tells the first place where they differ. path has PATH_SIZE bytes. False: they are equal. */
static bool find_difference(json_object *a, json_object *b, char *path, int depth,
                            json_object **where)
{
    size_t length = strlen(path);
    *where = a;
    if (json_object_get_type(a) != json_object_get_type(b) || depth > DEPTH_MAX)
        return true;
    if (json_object_is_type(a, json_type_object)) {
        json_object_object_foreach(a, key, value)
        {
            char name[SHOWN_SIZE];
            text_copy_shown(name, sizeof name, key);
            snprintf(path + length, PATH_SIZE - length, "%s%s", length > 0 ? "." : "", name);
            json_object *other = NULL;
            *where = value;
            if (!json_object_object_get_ex(b, key, &other) ||
                find_difference(value, other, path, depth + 1, where))
                return true;
        }
        path[length] = '\0';
        *where = a;
        return json_object_object_length(a) != json_object_object_length(b);
    }
    if (json_object_is_type(a, json_type_array)) {
        size_t count = json_object_array_length(a);
        for (size_t i = 0; i < count && i < json_object_array_length(b); i++) {
            snprintf(path + length, PATH_SIZE - length, "[%zu]", i);
            if (find_difference(json_object_array_get_idx(a, i), json_object_array_get_idx(b, i),
                                path, depth + 1, where))
                return true;
        }
        path[length] = '\0';
        *where = a;
        return count != json_object_array_length(b);
    }
    return !json_object_equal(a, b);
}

/* As it is after a way through text: 40.0 and 40 are one number then. */
static json_object *through_text(json_object *value)
{
    const char *text = json_text(value);
    return json_parse(text, strlen(text), NULL);
}

static int check_equal(json_object *automation, const struct rule *rule, struct error *err)
{
    json_object *anew = automation_from_rule(rule, json_get_string(automation, "alias"),
                                             json_get_string(automation, "description"));
    json_object *ours = through_text(anew), *theirs = through_text(automation), *where = NULL;
    char path[PATH_SIZE] = "";
    int result = 0;
    if (ours == NULL || theirs == NULL)
        result = refuse(err, "the whole", NULL, "JSON that can be read");
    else if (find_difference(theirs, ours, path, 0, &where))
        result = refuse(err, path[0] != '\0' ? path : "the whole", shown(where),
                        "only what ha-ai itself writes there");
    json_object_put(ours);
    json_object_put(theirs);
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

static int check(json_object *automation, struct parsed *p, struct error *err)
{
    if (!json_object_is_type(automation, json_type_object))
        return refuse(err, "the whole", shown(automation), "an object");
    if (check_text(automation, "alias", err) != 0 ||
        check_text(automation, "description", err) != 0 || read_rule(automation, p, err) != 0 ||
        check_equal(automation, &p->rule, err) != 0)
        return -1;
    return check_guarded(&p->rule, err);
}

int safety_check(json_object *automation, struct error *err)
{
    struct parsed parsed;
    return check(automation, &parsed, err);
}

bool safety_needs_second_press(json_object *automation)
{
    struct parsed p;
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
    if (safety_check(field(suggestion, "automation"), err) != 0)
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
    return 0;
}
