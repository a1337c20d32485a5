/* How long a run takes (helpers/script.py). All but delays takes no time. */
#include "replay/steps.h"

#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"

/* --- reading --- */

static const char *const report_alias = "ha-ai: report (may be deleted)";

/* The order decides which one it is when there are several (ACTIONS_MAP). */
static const char *const action_keys[] = {
    "delay",
    "wait_template",
    "condition",
    "and",
    "or",
    "not",
    "event",
    "device_id",
    "scene",
    "repeat",
    "choose",
    "wait_for_trigger",
    "variables",
    "if",
    "action",
    "service",
    "service_template",
    "stop",
    "parallel",
    "sequence",
    "set_conversation_response",
};

static const char *action_of(json_object *step)
{
    for (size_t i = 0; i < sizeof action_keys / sizeof *action_keys; i++)
        if (parse_has(step, action_keys[i]))
            return action_keys[i];
    return NULL;
}

/* Only a restarted run may take as long as it likes. */
static void note_unknown_time(struct parser *p, json_object *step, const char *key,
                              const char *what)
{
    if (p->automation->mode != MODE_RESTART)
        parse_note(p, step, key, what, "taken to take no time");
}

static struct branch *add_branch(struct step *step)
{
    step->branches = xreallocarray(step->branches, step->branch_count + 1, sizeof *step->branches);
    struct branch *branch = &step->branches[step->branch_count++];
    *branch = (struct branch){.steps = NULL};
    return branch;
}

static int parse_branch_steps(struct parser *p, json_object *object, const char *key,
                              struct branch *branch)
{
    size_t mark = parse_enter_key(p, key);
    int result = steps_parse(p, parse_get(object, key), &branch->steps, &branch->step_count);
    parse_leave(p, mark);
    return result;
}

static int parse_branch_conditions(struct parser *p, json_object *object, const char *key,
                                   struct branch *branch)
{
    size_t mark = parse_enter_key(p, key);
    int result =
        parse_conditions(p, parse_get(object, key), &branch->conditions, &branch->condition_count);
    parse_leave(p, mark);
    return result;
}

static int parse_delay(struct parser *p, json_object *object, struct step *step)
{
    bool is_template = false;
    step->kind = STEP_DELAY;
    if (parse_period(p, object, "delay", false, &step->us, &is_template) != 0)
        return -1;
    if (is_template)
        note_unknown_time(p, object, "delay", "template for a time");
    return 0;
}

static int parse_condition_step(struct parser *p, json_object *object, struct step *step)
{
    step->kind = STEP_CONDITION;
    struct branch *branch = add_branch(step);
    json_object *shorthand = NULL;
    /* {condition: "{{ ... }}"}: here a template may stand in the kind's place. */
    if (parse_is_template(parse_get(object, "condition")))
        shorthand = json_object_get(parse_get(object, "condition"));
    int result = parse_conditions(p, shorthand != NULL ? shorthand : object, &branch->conditions,
                                  &branch->condition_count);
    json_object_put(shorthand);
    return result;
}

static int parse_if(struct parser *p, json_object *object, struct step *step)
{
    step->kind = STEP_CHOOSE;
    struct branch *then = add_branch(step);
    if (parse_branch_conditions(p, object, "if", then) != 0 ||
        parse_branch_steps(p, object, "then", then) != 0)
        return -1;
    return parse_has(object, "else") ? parse_branch_steps(p, object, "else", add_branch(step)) : 0;
}

static int parse_choose(struct parser *p, json_object *object, struct step *step)
{
    step->kind = STEP_CHOOSE;
    json_object *list = parse_get(object, "choose");
    size_t mark = parse_enter_key(p, "choose");
    for (size_t i = 0; i < parse_list_length(list); i++) {
        json_object *choice = parse_list_at(list, i);
        size_t index = parse_enter_index(p, i);
        if (!json_object_is_type(choice, json_type_object))
            return parse_fail(p, choice, "conditions and a sequence");
        struct branch *branch = add_branch(step);
        if (parse_branch_conditions(p, choice, "conditions", branch) != 0 ||
            parse_branch_steps(p, choice, "sequence", branch) != 0)
            return -1;
        parse_leave(p, index);
    }
    parse_leave(p, mark);
    return parse_has(object, "default") ? parse_branch_steps(p, object, "default", add_branch(step))
                                        : 0;
}

static int parse_repeat(struct parser *p, json_object *object, struct step *step)
{
    json_object *repeat = parse_get(object, "repeat");
    if (!json_object_is_type(repeat, json_type_object))
        return parse_fail_key(p, object, "repeat", "count, while, until or for_each");
    size_t mark = parse_enter_key(p, "repeat");
    struct branch *branch = add_branch(step);
    step->kind = STEP_REPEAT;
    json_object *each = parse_get(repeat, "for_each"), *count = parse_get(repeat, "count");
    int result = parse_branch_steps(p, repeat, "sequence", branch);
    if (result == 0 && parse_has(repeat, "while")) {
        step->kind = STEP_WHILE;
        result = parse_branch_conditions(p, repeat, "while", branch);
    } else if (result == 0 && parse_has(repeat, "until")) {
        step->kind = STEP_UNTIL;
        result = parse_branch_conditions(p, repeat, "until", branch);
    } else if (json_object_is_type(each, json_type_array)) {
        step->count = (int64_t)json_object_array_length(each);
    } else if (count != NULL && !parse_is_template(count)) {
        step->count = json_object_get_int64(count);
    } else if (result == 0) {
        step->count = 1;
        note_unknown_time(p, repeat, "count", "repeat by a template");
    }
    parse_leave(p, mark);
    return result;
}

static int parse_parallel(struct parser *p, json_object *object, struct step *step)
{
    step->kind = STEP_PARALLEL;
    json_object *list = parse_get(object, "parallel");
    size_t mark = parse_enter_key(p, "parallel");
    p->steps += parse_list_length(list); /* empty ones are walked, too */
    if (p->steps > STEPS_MAX)
        return error_set(p->err, ERROR_LIMIT, "%s: more than %d actions", p->path, STEPS_MAX);
    for (size_t i = 0; i < parse_list_length(list); i++) {
        json_object *part = parse_list_at(list, i);
        struct branch *branch = add_branch(step);
        size_t index = parse_enter_index(p, i);
        if (steps_parse(p, part, &branch->steps, &branch->step_count) != 0)
            return -1;
        parse_leave(p, index);
    }
    parse_leave(p, mark);
    return 0;
}

static int parse_sequence(struct parser *p, json_object *object, struct step *step)
{
    step->kind = STEP_PARALLEL; /* of one */
    json_object *alias = parse_get(object, "alias");
    if (json_object_is_type(alias, json_type_string) &&
        strcmp(json_object_get_string(alias), report_alias) == 0)
        return 0; /* our own: waits for what the replay takes to be done at once */
    return parse_branch_steps(p, object, "sequence", add_branch(step));
}

static int parse_stop(struct parser *p, json_object *object, struct step *step)
{
    (void)p;
    (void)object;
    step->kind = STEP_STOP;
    return 0;
}

static int parse_wait(struct parser *p, json_object *object, struct step *step)
{
    note_unknown_time(p, object, NULL, "wait");
    step->kind = STEP_DELAY;
    return 0;
}

static int parse_call(struct parser *p, json_object *object, struct step *step)
{
    (void)p;
    (void)object;
    step->kind = STEP_CALL;
    return 0;
}

static const struct {
    const char *key;
    int (*parse)(struct parser *p, json_object *object, struct step *step);
} kinds[] = {
    {"action", parse_call},
    {"service", parse_call},
    {"service_template", parse_call},
    {"scene", parse_call},
    {"device_id", parse_call},
    {"delay", parse_delay},
    {"wait_template", parse_wait},
    {"wait_for_trigger", parse_wait},
    {"condition", parse_condition_step},
    {"and", parse_condition_step},
    {"or", parse_condition_step},
    {"not", parse_condition_step},
    {"if", parse_if},
    {"choose", parse_choose},
    {"repeat", parse_repeat},
    {"parallel", parse_parallel},
    {"sequence", parse_sequence},
    {"stop", parse_stop},
};

/* *is_step = false: it takes no time. */
static int parse_step(struct parser *p, json_object *object, struct step *step, bool *is_step)
{
    *step = (struct step){.kind = STEP_DELAY};
    *is_step = false;
    const char *action = json_object_is_type(object, json_type_object) ? action_of(object) : NULL;
    if (action == NULL)
        return parse_fail(p, object, "an action");
    bool is_enabled;
    if (parse_enabled(p, object, &is_enabled) != 0)
        return -1;
    for (size_t i = 0; is_enabled && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].key, action) == 0) {
            *is_step = true;
            return kinds[i].parse(p, object, step);
        }
    return 0;
}

int steps_parse(struct parser *p, json_object *list, struct step **out, size_t *count)
{
    size_t length = parse_list_length(list);
    if (p->depth >= STEPS_DEPTH_MAX)
        return error_set(p->err, ERROR_LIMIT, "%s: actions more than %d deep", p->path,
                         STEPS_DEPTH_MAX);
    p->steps += length;
    if (p->steps > STEPS_MAX)
        return error_set(p->err, ERROR_LIMIT, "%s: more than %d actions", p->path, STEPS_MAX);
    *out = xcalloc(length, sizeof **out);
    for (size_t i = 0; i < length; i++) {
        bool is_list = json_object_is_type(list, json_type_array), is_step;
        size_t mark = is_list ? parse_enter_index(p, i) : strlen(p->path);
        struct step *step = &(*out)[*count];
        p->depth++;
        json_object *before = parse_stand_at(p, parse_list_at(list, i));
        int result = parse_step(p, parse_list_at(list, i), step, &is_step);
        p->at = before;
        p->depth--;
        parse_leave(p, mark);
        if (is_step)
            (*count)++;
        if (result != 0)
            return -1;
    }
    return 0;
}

void steps_free(struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < steps[i].branch_count; j++) {
            struct branch *branch = &steps[i].branches[j];
            conditions_free(branch->conditions, branch->condition_count);
            steps_free(branch->steps, branch->step_count);
        }
        free(steps[i].branches);
    }
    free(steps);
}

/* --- walking --- */

/* Two hundred years: a run that goes on for longer than any history ends then. */
#define RUN_MAX_US (INT64_C(200) * 366 * 86400 * 1000000)

enum outcome { GO_ON, END_SEQUENCE, END_RUN };

struct walk {
    const struct replay *r;
    const struct occasion *o;
    int64_t now_us, last_us;
    int left; /* steps that may still be taken */
    bool is_instant;
};

static enum outcome walk_steps(struct walk *w, const struct step *steps, size_t count);

/* As a script of its own: a condition that fails ends no more than it. */
static enum outcome walk_branch(struct walk *w, const struct branch *branch)
{
    return walk_steps(w, branch->steps, branch->step_count) == END_RUN ? END_RUN : GO_ON;
}

/* script.py, _test_conditions: an error decides as soon as it comes. */
static enum verdict test(const struct walk *w, const struct branch *branch)
{
    for (size_t i = 0; i < branch->condition_count; i++) {
        enum verdict verdict = condition_check(w->r, &branch->conditions[i], w->o, w->now_us);
        if (verdict != VERDICT_TRUE && verdict != VERDICT_NONE)
            return verdict;
    }
    return VERDICT_TRUE;
}

static enum outcome walk_choose(struct walk *w, const struct step *step)
{
    for (size_t i = 0; i < step->branch_count; i++) {
        enum verdict verdict = test(w, &step->branches[i]);
        if (verdict == VERDICT_EXCEPTION)
            return END_RUN;
        if (verdict == VERDICT_TRUE)
            return walk_branch(w, &step->branches[i]);
    }
    return GO_ON;
}

static enum outcome walk_repeat(struct walk *w, const struct step *step)
{
    for (int64_t i = 0; i < step->count && w->left > 0; i++) {
        int64_t began_us = w->now_us;
        if (walk_branch(w, &step->branches[0]) == END_RUN)
            return END_RUN;
        if (w->now_us == began_us)
            break; /* nor will the others take time */
    }
    return GO_ON;
}

/* Home Assistant gives up a loop that never ends, which here is one that takes no time. */
static enum outcome walk_loop(struct walk *w, const struct step *step)
{
    const struct branch *branch = &step->branches[0];
    while (w->left > 0) {
        int64_t began_us = w->now_us;
        if (step->kind == STEP_WHILE) {
            enum verdict verdict = test(w, branch);
            if (verdict != VERDICT_TRUE)
                return verdict == VERDICT_EXCEPTION ? END_RUN : GO_ON;
        }
        if (walk_branch(w, branch) == END_RUN)
            return END_RUN;
        if (step->kind == STEP_UNTIL) {
            enum verdict verdict = test(w, branch);
            if (verdict != VERDICT_FALSE)
                return verdict == VERDICT_EXCEPTION ? END_RUN : GO_ON;
        }
        if (w->now_us == began_us)
            return END_RUN;
    }
    return END_RUN;
}

static enum outcome walk_parallel(struct walk *w, const struct step *step)
{
    int64_t began_us = w->now_us, end_us = w->now_us;
    enum outcome outcome = GO_ON;
    for (size_t i = 0; i < step->branch_count; i++) {
        w->now_us = began_us;
        if (walk_branch(w, &step->branches[i]) == END_RUN)
            outcome = END_RUN;
        if (w->now_us > end_us)
            end_us = w->now_us;
    }
    w->now_us = end_us;
    return outcome;
}

static enum outcome walk_step(struct walk *w, const struct step *step)
{
    enum verdict verdict;
    switch (step->kind) {
    case STEP_DELAY:
        if (step->us > 0)
            w->now_us += step->us + REPLAY_LATE_US;
        if (w->now_us > w->last_us)
            w->now_us = w->last_us;
        return GO_ON;
    case STEP_CALL:
        w->is_instant = false;
        return GO_ON;
    case STEP_CONDITION:
        verdict = test(w, &step->branches[0]);
        if (verdict == VERDICT_EXCEPTION)
            return END_RUN;
        return verdict == VERDICT_TRUE ? GO_ON : END_SEQUENCE;
    case STEP_CHOOSE:
        return walk_choose(w, step);
    case STEP_REPEAT:
        return walk_repeat(w, step);
    case STEP_WHILE:
    case STEP_UNTIL:
        return walk_loop(w, step);
    case STEP_PARALLEL:
        return walk_parallel(w, step);
    case STEP_STOP:
        break;
    }
    return END_RUN;
}

static enum outcome walk_steps(struct walk *w, const struct step *steps, size_t count)
{
    for (size_t i = 0; i < count && w->left > 0; i++) {
        w->left--;
        enum outcome outcome = walk_step(w, &steps[i]);
        if (outcome != GO_ON)
            return outcome;
    }
    return GO_ON;
}

int64_t steps_end(const struct replay *r, const struct occasion *o, int64_t start_us,
                  bool *is_instant)
{
    struct walk walk = {r, o, start_us, r->now_us + RUN_MAX_US, STEPS_OF_A_RUN_MAX, true};
    walk_steps(&walk, r->automation->steps, r->automation->step_count);
    *is_instant = walk.is_instant && walk.now_us == start_us;
    return walk.now_us;
}
