#include "home/truth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "home/anomalies.h"
#include "home/truth_json.h"
#include "home/truth_private.h"

/* A restart of HA does not spoil a day, a longer gap does. */
#define GAP_LONG_US (INT64_C(15) * 60 * 1000000)

#define SECOND_US INT64_C(1000000)
#define ACTED_NEAR_US (3600 * SECOND_US)  /* as good as the act that was due */
#define KEPT_ON_LEAST_US (60 * SECOND_US) /* a run's end may come a moment late */
#define SAME_ACT_US (5 * SECOND_US)

struct truth *truth_new(const struct home *home, const struct tz *tz, int64_t first_day,
                        int64_t last_day)
{
    struct truth *t = xcalloc(1, sizeof *t);
    t->home = home;
    t->tz = tz;
    t->first_day = first_day;
    t->last_day = last_day;
    t->seen = xcalloc(home->entity_count, sizeof *t->seen);
    return t;
}

void truth_free(struct truth *t)
{
    if (t == NULL)
        return;
    free(t->gaps);
    free(t->acts);
    free(t->notes);
    free(t->uses);
    free(t->kept_on);
    free(t->seen);
    free(t);
}

/* --- What is noted
 * ---------------------------------------------------------------------------------- */

static void note_act(struct truth *t, const struct truth_act *act)
{
    t->acts = grow_array(t->acts, t->act_count, &t->act_capacity, sizeof *t->acts);
    t->acts[t->act_count++] = *act;
}

/* The habit about how long an entity is used, or -1. */
static int find_left_on(const struct truth *t, uint32_t entity)
{
    for (size_t h = 0; h < t->home->habit_count; h++)
        if (t->home->habits[h].kind == HOME_LEFT_ON && t->home->habits[h].entity == entity)
            return (int)h;
    return -1;
}

static void note_use(struct truth *t, const struct home_change *change)
{
    const struct truth_seen *seen = &t->seen[change->entity];
    const bool by_people = change->cause == HOME_BY_PERSON || change->cause == HOME_BY_SWITCH;
    const int habit = find_left_on(t, change->entity);
    if (habit < 0 || !by_people || !seen->began_by_act)
        return;
    t->uses = grow_array(t->uses, t->use_count, &t->use_capacity, sizeof *t->uses);
    t->uses[t->use_count++] = (struct truth_use){.begin_us = seen->on_us,
                                                 .end_us = change->time_us,
                                                 .habit = (int16_t)habit,
                                                 .forgotten = change->habit != habit};
}

static bool is_anomaly(const struct truth *t, uint32_t entity, int64_t begin_us)
{
    for (size_t a = 0; a < t->home->anomaly_count; a++) {
        const struct home_anomaly *anomaly = &t->home->anomalies[a];
        if (anomaly->entity == entity && llabs(anomaly->from_us - begin_us) < 5000000)
            return true;
    }
    return false;
}

bool truth_is_kept_on(const struct truth_seen *seen, int64_t time_us)
{
    const bool overdue =
        seen->off_due_us > seen->on_us && time_us > seen->off_due_us + KEPT_ON_LEAST_US;
    return seen->on_us != 0 && (seen->is_kept_on || overdue);
}

static void note_kept_on(struct truth *t, const struct home_change *change)
{
    struct truth_seen *seen = &t->seen[change->entity];
    if (truth_is_kept_on(seen, change->time_us)) {
        t->kept_on =
            grow_array(t->kept_on, t->kept_on_count, &t->kept_on_capacity, sizeof *t->kept_on);
        t->kept_on[t->kept_on_count++] = (struct truth_kept_on){
            .from_us = seen->on_us, .to_us = change->time_us, .entity = change->entity};
    }
    seen->is_kept_on = false;
}

/* A new run puts off the end of the one before, if that is still to come. */
static void note_rule(struct truth *t, int64_t time_us, const struct home_rule *rule)
{
    struct truth_seen *seen = &t->seen[rule->target];
    seen->is_kept_on = truth_is_kept_on(seen, time_us);
    seen->off_due_us = time_us + rule->off_after_s * SECOND_US;
}

/* What is on while HA is away, or it while HA cannot see it, is on still. */
static void note_seen(struct truth *t, const struct home_change *change)
{
    struct truth_seen *seen = &t->seen[change->entity];
    const bool known = change->value == HOME_ON || change->value == HOME_OFF;
    if (known && seen->last_us != 0 && change->time_us - seen->last_us > seen->rest_us)
        seen->rest_us = change->time_us - seen->last_us;
    seen->last_us = known ? change->time_us : seen->last_us;
    if (change->value == HOME_ON && seen->on_us == 0) {
        seen->on_us = change->time_us;
        seen->ons++;
        seen->began_by_act = change->cause == HOME_BY_PERSON || change->cause == HOME_BY_SWITCH;
    } else if (change->value == HOME_OFF && seen->on_us != 0) {
        const int64_t length_us = change->time_us - seen->on_us;
        note_use(t, change);
        note_kept_on(t, change);
        if (length_us > seen->longest_us && !is_anomaly(t, change->entity, seen->on_us))
            seen->longest_us = length_us;
        seen->on_us = 0;
    }
}

/* People do what a habit was due to do, that is planned to be missed. */
static void note_act_near(struct truth *t, const struct home_change *change)
{
    const bool by_people = change->cause == HOME_BY_PERSON || change->cause == HOME_BY_SWITCH;
    for (size_t a = 0; a < t->home->anomaly_count; a++) {
        const struct home_anomaly *anomaly = &t->home->anomalies[a];
        if (anomaly->kind == HOME_MISSED && anomaly->entity == change->entity && by_people &&
            !change->attributes_only && change->value == t->home->habits[anomaly->habit].word &&
            llabs(change->time_us - anomaly->from_us) <= ACTED_NEAR_US)
            t->acted_near[a] = true;
    }
}

void truth_note_change(struct truth *t, const struct home_change *change)
{
    const struct home_entity *e = &t->home->entities[change->entity];
    if (t->states++ == 0)
        t->from_us = change->time_us;
    t->to_us = change->time_us;
    t->by_cause[change->cause]++;
    if (e->quantity == NULL && !home_is_set(e->domain))
        note_seen(t, change);
    note_act_near(t, change);
    if (change->habit >= 0)
        note_act(t, &(struct truth_act){
                        .time_us = change->time_us,
                        .habit = change->habit,
                        .step = change->step,
                        .told = e->domain != HOME_LIGHT || change->cause == HOME_BY_PERSON,
                    });
}

void truth_note_event(struct truth *t, const struct home_event *event)
{
    if (event->kind == HOME_EVENT_AUTOMATION)
        note_rule(t, event->time_us, &t->home->rules[event->rule]);
    if (event->kind == HOME_EVENT_CALL_SERVICE && event->habit >= 0)
        note_act(
            t, &(struct truth_act){.time_us = event->time_us, .habit = event->habit, .told = true});
}

/* Of a habit at a time or by the sun: its occasion is noted right after its act. */
static bool was_recorded(const struct truth *t, const struct home_wish *note)
{
    for (size_t a = t->act_count; a > 0; a--) {
        const struct truth_act *act = &t->acts[a - 1];
        if (act->time_us < note->time_us - SAME_ACT_US)
            break;
        if (act->habit == note->habit && act->step == 0)
            return true;
    }
    return false;
}

void truth_note_occasion(struct truth *t, const struct home_wish *note)
{
    const struct home_habit *habit = &t->home->habits[note->habit];
    const struct truth_seen *seen = &t->seen[habit->entity];
    const bool recorded = note->value == HOME_ACTED && was_recorded(t, note);
    t->notes = grow_array(t->notes, t->note_count, &t->note_capacity, sizeof *t->notes);
    t->notes[t->note_count++] = (struct truth_note){
        .time_us = note->time_us,
        .habit = note->habit,
        .outcome = (uint8_t)note->value,
        .was_open = note->step != 0,
        .recorded = recorded,
        .was_done = !recorded && habit->word == HOME_ON && seen->on_us != 0,
    };
}

void truth_note_run(struct truth *t, int64_t time_us, bool begins, bool clean)
{
    if (!begins) {
        t->open_gap = (struct truth_gap){time_us, time_us, clean};
        t->is_open = true;
    } else if (t->is_open) {
        t->open_gap.to_us = time_us;
        t->is_open = false;
        t->gaps = grow_array(t->gaps, t->gap_count, &t->gap_capacity, sizeof *t->gaps);
        t->gaps[t->gap_count++] = t->open_gap;
    }
}

/* --- Days
 * ------------------------------------------------------------------------------------------ */

bool truth_is_complete(const struct truth *t, int64_t day)
{
    const int64_t begin = tz_day_start(t->tz, day) * 1000000;
    const int64_t end = tz_day_start(t->tz, day + 1) * 1000000;
    if (day < t->first_day || day > t->last_day)
        return false;
    for (size_t g = 0; g < t->gap_count; g++)
        if (t->gaps[g].from_us < end && t->gaps[g].to_us > begin &&
            t->gaps[g].to_us - t->gaps[g].from_us > GAP_LONG_US)
            return false;
    return true;
}

int64_t truth_first_held_out(const struct truth *t)
{
    int complete = 0;
    for (int64_t day = t->first_day; day <= t->last_day; day++)
        complete += truth_is_complete(t, day);
    int left = complete / 4 > 2 ? complete / 4 : 2;
    int64_t day = t->last_day + 1;
    while (left > 0 && day > t->first_day)
        left -= truth_is_complete(t, --day);
    return day;
}

int64_t truth_local_day(const struct truth *t, int64_t time_us)
{
    struct tz_local local;
    tz_to_local(t->tz, time_us / 1000000, &local);
    return local.day;
}

/* --- JSON
 * -------------------------------------------------------------------------------------------- */

static json_object *recorded_json(const struct truth *t)
{
    static const char *const names[HOME_CAUSE_COUNT] = {"person", "switch", "machine", "automation",
                                                        "system"};
    json_object *recorded = json_object_new_object(), *gaps = json_object_new_array();
    json_object *causes = json_object_new_object();
    truth_add_time(recorded, "from", t->from_us);
    truth_add_time(recorded, "to", t->to_us);
    json_add_int(recorded, "states", (int64_t)t->states);
    for (int c = 0; c < HOME_CAUSE_COUNT; c++)
        json_add_int(causes, names[c], (int64_t)t->by_cause[c]);
    json_object_object_add(recorded, "states_by_cause", causes);
    for (size_t g = 0; g < t->gap_count; g++) {
        json_object *gap = json_object_new_object();
        truth_add_time(gap, "from", t->gaps[g].from_us);
        truth_add_time(gap, "to", t->gaps[g].to_us);
        json_object_object_add(gap, "clean", json_object_new_boolean(t->gaps[g].clean));
        json_object_array_add(gaps, gap);
    }
    json_object_object_add(recorded, "gaps", gaps);
    return recorded;
}

static json_object *days_json(const struct truth *t)
{
    const int64_t held_out_from = truth_first_held_out(t);
    json_object *days = json_object_new_object();
    json_object *training = json_object_new_array(), *held_out = json_object_new_array();
    json_object *incomplete = json_object_new_array();
    for (int64_t day = t->first_day; day <= t->last_day; day++)
        truth_add_date(!truth_is_complete(t, day) ? incomplete
                       : day >= held_out_from     ? held_out
                                                  : training,
                       NULL, day);
    json_object_object_add(days, "training", training);
    json_object_object_add(days, "held_out", held_out);
    json_object_object_add(days, "incomplete", incomplete);
    return days;
}

static json_object *habits_json(const struct truth *t)
{
    json_object *habits = json_object_new_array();
    for (size_t h = 0; h < t->home->habit_count; h++)
        json_object_array_add(habits, truth_habit(t, h));
    return habits;
}

static json_object *machines_json(const struct home *home)
{
    json_object *machines = json_object_new_array();
    for (size_t m = 0; m < home->machine_count; m++) {
        json_object *machine = json_object_new_object();
        json_add_string(machine, "entity_id", home->entities[home->machines[m].entity].entity_id);
        if (home->machines[m].off_after_s > 0) {
            json_add_int(machine, "off_after_s", home->machines[m].off_after_s);
        } else {
            truth_add_clock(machine, "on_at", home->machines[m].on_s);
            truth_add_clock(machine, "off_at", home->machines[m].off_s);
        }
        if (home->machines[m].on_level > 0) {
            json_add_fixed(machine, "on_temperature", home->machines[m].on_level / 10.0, 3);
            json_add_fixed(machine, "off_temperature", home->machines[m].off_level / 10.0, 3);
        }
        json_object_array_add(machines, machine);
    }
    return machines;
}

static json_object *automations_json(const struct home *home)
{
    json_object *automations = json_object_new_array();
    for (size_t r = 0; r < home->rule_count; r++) {
        const struct home_rule *rule = &home->rules[r];
        json_object *automation = json_object_new_object();
        json_add_string(automation, "entity_id", home->entities[rule->automation].entity_id);
        json_add_string(automation, "alias", home->entities[rule->automation].name);
        json_add_string(automation, "target", home->entities[rule->target].entity_id);
        if (rule->trigger >= 0)
            json_object_object_add(automation, "trigger",
                                   truth_half(&home->entities[rule->trigger], HOME_ON));
        else
            truth_add_clock(automation, "at", rule->at_s);
        json_add_int(automation, "off_after_s", rule->off_after_s);
        json_object_array_add(automations, automation);
    }
    return automations;
}

static json_object *entities_json(const struct home *home)
{
    json_object *entities = json_object_new_array();
    for (size_t i = 0; i < home->entity_count; i++) {
        const struct home_entity *e = &home->entities[i];
        json_object *entity = json_object_new_object();
        json_add_string(entity, "entity_id", e->entity_id);
        json_add_string(entity, "name", e->name);
        json_add_string(entity, "area", home_area_name(e->area));
        json_add_string(entity, "role", home_role_name(e->role));
        json_object_array_add(entities, entity);
    }
    return entities;
}

static json_object *distractors_json(const struct home *home)
{
    json_object *ids = json_object_new_array();
    for (size_t i = 0; i < home->entity_count; i++)
        if (home->entities[i].role == HOME_ROLE_DISTRACTOR)
            json_object_array_add(ids, json_object_new_string(home->entities[i].entity_id));
    return ids;
}

static json_object *scenes_json(const struct home *home)
{
    json_object *scenes = json_object_new_array();
    for (size_t s = 0; s < home->scene_count; s++) {
        const struct home_scene *known = &home->scenes[s];
        json_object *scene = json_object_new_object(), *members = json_object_new_array();
        json_add_string(scene, "entity_id", home->entities[known->entity].entity_id);
        for (int m = 0; m < known->member_count; m++)
            json_object_array_add(
                members, json_object_new_string(home->entities[known->members[m]].entity_id));
        json_object_object_add(scene, "members", members);
        json_object_array_add(scenes, scene);
    }
    return scenes;
}

static json_object *modes_json(const struct home *home)
{
    json_object *modes = json_object_new_array();
    for (size_t m = 0; m < home->mode_count; m++) {
        const struct home_entity *e = &home->entities[home->modes[m].entity];
        json_object *mode = truth_half(e, home->modes[m].usual);
        json_add_string(mode, "special", home_word_name(e->domain, home->modes[m].special));
        json_object_array_add(modes, mode);
    }
    return modes;
}

/* Sensors of light that follow the sun, and report it. */
static json_object *light_sensors_json(const struct home *home)
{
    json_object *ids = json_object_new_array();
    for (size_t i = 0; i < home->entity_count; i++)
        if (home->entities[i].report_s > 0)
            json_object_array_add(ids, json_object_new_string(home->entities[i].entity_id));
    return ids;
}

/* Entities that died within the history, or that flap. */
static json_object *troubled_json(const struct truth *t, bool dead)
{
    json_object *ids = json_object_new_array();
    for (size_t i = 0; i < t->home->entity_count; i++) {
        const struct home_entity *e = &t->home->entities[i];
        if (dead ? e->dies_on <= t->last_day : e->flapping_share > 0)
            json_object_array_add(ids, json_object_new_string(e->entity_id));
    }
    return ids;
}

static json_object *kept_on_json(const struct truth *t)
{
    json_object *list = json_object_new_array();
    for (size_t k = 0; k < t->kept_on_count; k++) {
        const struct truth_kept_on *kept = &t->kept_on[k];
        json_object *lamp = json_object_new_object();
        json_add_string(lamp, "entity_id", t->home->entities[kept->entity].entity_id);
        truth_add_time(lamp, "from", kept->from_us);
        truth_add_time(lamp, "to", kept->to_us);
        json_object_array_add(list, lamp);
    }
    return list;
}

static json_object *span_json(const struct truth *t, struct home_span span)
{
    json_object *days = json_object_new_array();
    for (int64_t day = span.from_day; day <= span.to_day; day++)
        if (day >= t->first_day && day <= t->last_day)
            truth_add_date(days, NULL, day);
    return days;
}

int truth_write(const struct truth *t, json_object *arguments, const char *path, struct error *err)
{
    json_object *root = json_object_new_object();
    json_add_int(root, "schema", 3);
    json_object_object_add(root, "arguments", json_object_get(arguments));
    json_object_object_add(root, "recorded", recorded_json(t));
    json_object_object_add(root, "days", days_json(t));
    json_object_object_add(root, "habits", habits_json(t));
    json_object_object_add(root, "machines", machines_json(t->home));
    json_object_object_add(root, "scenes", scenes_json(t->home));
    json_object_object_add(root, "modes", modes_json(t->home));
    json_object_object_add(root, "light_sensors", light_sensors_json(t->home));
    json_object_object_add(root, "automations", automations_json(t->home));
    json_object_object_add(root, "kept_on", kept_on_json(t));
    json_object_object_add(root, "distractors", distractors_json(t->home));
    json_add_int(root, "people", t->home->people_count);
    json_object_object_add(root, "holidays", span_json(t, t->home->holidays));
    json_object_object_add(root, "guests", span_json(t, t->home->guests));
    json_object_object_add(root, "anomalies", truth_anomalies(t));
    json_object_object_add(root, "dead", troubled_json(t, true));
    json_object_object_add(root, "flapping", troubled_json(t, false));
    json_object_object_add(root, "entities", entities_json(t->home));
    const int flags =
        JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE;
    int result = 0;
    if (json_object_to_file_ext(path, root, flags) != 0)
        result = error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
    json_object_put(root);
    return result;
}
