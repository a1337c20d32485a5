#include "home/truth.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/xalloc.h"
#include "home/sun.h"

/* A restart of HA does not spoil a day, a longer gap does. */
#define GAP_LONG_US (INT64_C(15) * 60 * 1000000)

struct gap {
    int64_t from_us, to_us;
    bool clean;
};

struct act {
    int64_t time_us;
    int16_t habit;
};

struct truth {
    const struct home *home;
    const struct tz *tz;
    int64_t first_day, last_day;
    int64_t from_us, to_us; /* first and last row */
    uint64_t states;
    uint64_t by_cause[HOME_CAUSE_COUNT];
    struct gap *gaps;
    size_t gap_count, gap_capacity;
    struct act *acts;
    size_t act_count, act_capacity;
    struct gap open_gap;
    bool is_open;
};

struct truth *truth_new(const struct home *home, const struct tz *tz, int64_t first_day,
                        int64_t last_day)
{
    struct truth *t = xcalloc(1, sizeof *t);
    t->home = home;
    t->tz = tz;
    t->first_day = first_day;
    t->last_day = last_day;
    return t;
}

void truth_free(struct truth *t)
{
    if (t == NULL)
        return;
    free(t->gaps);
    free(t->acts);
    free(t);
}

void truth_note_change(struct truth *t, const struct home_change *change)
{
    if (t->states++ == 0)
        t->from_us = change->time_us;
    t->to_us = change->time_us;
    t->by_cause[change->cause]++;
    if (change->habit < 0)
        return;
    t->acts = grow_array(t->acts, t->act_count, &t->act_capacity, sizeof *t->acts);
    t->acts[t->act_count++] = (struct act){change->time_us, change->habit};
}

void truth_note_run(struct truth *t, int64_t time_us, bool begins, bool clean)
{
    if (!begins) {
        t->open_gap = (struct gap){time_us, time_us, clean};
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

static bool is_complete(const struct truth *t, int64_t day)
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

/* The first held-out day: the last max(2, complete / 4) complete days are held out. */
static int64_t first_held_out(const struct truth *t)
{
    int complete = 0;
    for (int64_t day = t->first_day; day <= t->last_day; day++)
        complete += is_complete(t, day);
    int left = complete / 4 > 2 ? complete / 4 : 2;
    int64_t day = t->last_day + 1;
    while (left > 0 && day > t->first_day)
        left -= is_complete(t, --day);
    return day;
}

static int64_t local_day_of(const struct truth *t, int64_t time_us)
{
    struct tz_local local;
    tz_to_local(t->tz, time_us / 1000000, &local);
    return local.day;
}

static int weekday_of(int64_t day)
{
    return (int)((day + 3) % 7); /* 1970-01-01 was a Thursday */
}

/* --- JSON
 * -------------------------------------------------------------------------------------------- */

static void add_string(json_object *obj, const char *key, const char *text)
{
    json_object_object_add(obj, key, json_object_new_string(text));
}

static void add_int(json_object *obj, const char *key, int64_t value)
{
    json_object_object_add(obj, key, json_object_new_int64(value));
}

static void add_rounded(json_object *obj, const char *key, double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.3f", value);
    json_object_object_add(obj, key, json_object_new_double_s(value, text));
}

static void add_time(json_object *obj, const char *key, int64_t time_us)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(text, time_us / 1000);
    if (key != NULL)
        add_string(obj, key, text);
    else
        json_object_array_add(obj, json_object_new_string(text));
}

static void add_clock(json_object *obj, const char *key, double second_of_day)
{
    char text[16];
    const int s = (int)lrint(second_of_day) % 86400;
    snprintf(text, sizeof text, "%02d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
    add_string(obj, key, text);
}

static void add_date(json_object *obj, const char *key, int64_t day)
{
    char text[40];
    int year, month, of_month;
    tz_civil_from_days(day, &year, &month, &of_month);
    snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, of_month);
    if (key != NULL)
        add_string(obj, key, text);
    else
        json_object_array_add(obj, json_object_new_string(text));
}

static json_object *recorded_json(const struct truth *t)
{
    static const char *const names[HOME_CAUSE_COUNT] = {"person", "switch", "machine", "automation",
                                                        "system"};
    json_object *recorded = json_object_new_object(), *gaps = json_object_new_array();
    json_object *causes = json_object_new_object();
    add_time(recorded, "from", t->from_us);
    add_time(recorded, "to", t->to_us);
    add_int(recorded, "states", (int64_t)t->states);
    for (int c = 0; c < HOME_CAUSE_COUNT; c++)
        add_int(causes, names[c], (int64_t)t->by_cause[c]);
    json_object_object_add(recorded, "states_by_cause", causes);
    for (size_t g = 0; g < t->gap_count; g++) {
        json_object *gap = json_object_new_object();
        add_time(gap, "from", t->gaps[g].from_us);
        add_time(gap, "to", t->gaps[g].to_us);
        json_object_object_add(gap, "clean", json_object_new_boolean(t->gaps[g].clean));
        json_object_array_add(gaps, gap);
    }
    json_object_object_add(recorded, "gaps", gaps);
    return recorded;
}

static json_object *days_json(const struct truth *t)
{
    const int64_t held_out_from = first_held_out(t);
    json_object *days = json_object_new_object();
    json_object *training = json_object_new_array(), *held_out = json_object_new_array();
    json_object *incomplete = json_object_new_array();
    for (int64_t day = t->first_day; day <= t->last_day; day++)
        add_date(!is_complete(t, day)   ? incomplete
                 : day >= held_out_from ? held_out
                                        : training,
                 NULL, day);
    json_object_object_add(days, "training", training);
    json_object_object_add(days, "held_out", held_out);
    json_object_object_add(days, "incomplete", incomplete);
    return days;
}

/* --- Habits
 * ------------------------------------------------------------------------------------------ */

static bool has_act(const struct truth *t, size_t habit, int64_t day)
{
    for (size_t a = 0; a < t->act_count; a++)
        if (t->acts[a].habit == (int)habit && local_day_of(t, t->acts[a].time_us) == day)
            return true;
    return false;
}

struct coverage {
    int of_class, with_act;
};

static struct coverage coverage_of(const struct truth *t, size_t habit, int64_t from, int64_t to)
{
    struct coverage c = {0};
    for (int64_t day = from; day < to; day++) {
        if (!is_complete(t, day) || !(t->home->habits[habit].weekdays & 1u << weekday_of(day)))
            continue;
        c.of_class++;
        c.with_act += has_act(t, habit, day);
    }
    return c;
}

static json_object *coverage_json(struct coverage c)
{
    json_object *part = json_object_new_object();
    add_int(part, "days_of_class", c.of_class);
    add_int(part, "days_with_act", c.with_act);
    return part;
}

static json_object *half_json(const struct home_entity *entity, int32_t word)
{
    json_object *half = json_object_new_object();
    add_string(half, "entity_id", entity->entity_id);
    add_string(half, "state", home_word_name(entity->domain, word));
    return half;
}

/* By how much the local time of a sun event differs between the days of the history, in seconds. */
static double sun_moved_s(const struct truth *t, bool sunset)
{
    const struct home_settings *s = &t->home->settings;
    double least = INFINITY, most = -INFINITY;
    for (int64_t day = t->first_day; day <= t->last_day; day++) {
        double utc_s;
        struct tz_local local;
        if (!sun_find_event(s->latitude, s->longitude, day, !sunset, &utc_s))
            continue;
        tz_to_local(t->tz, (int64_t)utc_s, &local);
        least = fmin(least, local.second_of_day);
        most = fmax(most, local.second_of_day);
    }
    return most > least ? most - least : 0;
}

/* Of a habit at a time: whether the sun event next to it is sunset. */
static bool is_nearer_sunset(const struct truth *t, double at_s)
{
    const struct home_settings *s = &t->home->settings;
    const int64_t middle = t->first_day + (t->last_day - t->first_day) / 2;
    double apart[2] = {INFINITY, INFINITY};
    for (int sunset = 0; sunset < 2; sunset++) {
        double utc_s;
        struct tz_local local;
        if (!sun_find_event(s->latitude, s->longitude, middle, !sunset, &utc_s))
            continue;
        tz_to_local(t->tz, (int64_t)utc_s, &local);
        apart[sunset] = fabs(local.second_of_day - at_s);
    }
    return apart[1] < apart[0];
}

/* What a perfect miner could tell from this history (docs/truth-format.md). */
static json_object *identifiable_json(const struct truth *t, const struct home_habit *h,
                                      struct coverage training, struct coverage held_out)
{
    json_object *identifiable = json_object_new_object();
    const bool act = training.with_act >= 7 && held_out.with_act >= 2 && h->to_day >= t->last_day;
    const int acts = training.with_act + held_out.with_act;
    const bool sunset = h->kind == HOME_SUN ? h->at_sunset : is_nearer_sunset(t, h->at_s);
    const bool timed = h->kind == HOME_TIME_OF_DAY || h->kind == HOME_SUN;
    const bool sun = act && timed && sun_moved_s(t, sunset) >= 12 * h->sigma_s / sqrt(acts);
    json_object_object_add(identifiable, "act", json_object_new_boolean(act));
    json_object_object_add(identifiable, "day_class", json_object_new_boolean(act && timed));
    json_object_object_add(identifiable, "clock_or_sun", json_object_new_boolean(sun));
    return identifiable;
}

static void add_clocked(json_object *habit, const struct home_habit *h)
{
    add_rounded(habit, "sigma_min", h->sigma_s / 60);
    add_rounded(habit, "drift_min", h->drift_s / 60);
    if (h->kind == HOME_TIME_OF_DAY) {
        add_clock(habit, "at", h->at_s);
        return;
    }
    add_string(habit, "event", h->at_sunset ? "sunset" : "sunrise");
    add_rounded(habit, "offset_min", h->at_s / 60);
}

static void add_following(json_object *habit, const struct home *home, const struct home_habit *h)
{
    const double variance = h->lag_spread * h->lag_spread;
    json_object_object_add(habit, "trigger",
                           half_json(&home->entities[h->trigger], h->trigger_word));
    add_rounded(habit, "lag_s", h->lag_s);
    /* the standard deviation of a lognormal */
    add_rounded(habit, "lag_sigma_s", h->lag_s * exp(variance / 2) * sqrt(exp(variance) - 1));
    add_rounded(habit, "sigma_min", 0);
    add_rounded(habit, "drift_min", 0);
    if (h->kind != HOME_CHAIN)
        return;
    json_object *steps = json_object_new_array();
    for (int i = 0; i < h->step_count; i++) {
        json_object *step = half_json(&home->entities[h->steps[i].entity], h->steps[i].word);
        add_rounded(step, "lag_s", h->steps[i].lag_s);
        json_object_array_add(steps, step);
    }
    json_object_object_add(habit, "steps", steps);
}

/* A volume is 0..1, all else percent. */
static void add_level(json_object *habit, enum home_domain domain, int level)
{
    if (domain == HOME_MEDIA_PLAYER)
        add_rounded(habit, "value", level / 100.0);
    else
        add_int(habit, "value", level);
}

/* What is particular to a kind. */
static void add_details(json_object *habit, const struct home *home, const struct home_habit *h)
{
    switch (h->kind) {
    case HOME_TIME_OF_DAY:
    case HOME_SUN:
        add_clocked(habit, h);
        break;
    case HOME_SEQUENCE:
    case HOME_CHAIN:
        add_following(habit, home, h);
        break;
    case HOME_LEFT_ON:
        add_rounded(habit, "after_s", h->duration_s);
        add_rounded(habit, "after_spread", h->duration_spread);
        break;
    case HOME_VALUE:
        add_clock(habit, "from", h->at_s);
        add_string(habit, "attribute", home_level_name(home->entities[h->entity].domain));
        add_level(habit, home->entities[h->entity].domain, h->level);
        break;
    case HOME_LONG_QUIET:
    case HOME_KIND_COUNT:
        break;
    }
}

static void add_members(json_object *habit, const struct home *home, const struct home_entity *e)
{
    if (e->group < 0)
        return;
    const struct home_group *g = &home->groups[e->group];
    json_object *members = json_object_new_array();
    json_object_array_add(members, json_object_new_string(home->entities[g->leader].entity_id));
    for (uint32_t m = 0; m < g->member_count; m++)
        json_object_array_add(
            members, json_object_new_string(home->entities[g->first_member + m].entity_id));
    if (g->entity >= 0)
        json_object_array_add(members, json_object_new_string(home->entities[g->entity].entity_id));
    json_object_object_add(habit, "members", members);
}

static void add_gate(json_object *habit, const struct home *home, const struct home_habit *h)
{
    if (h->gate == HOME_UNGATED)
        return;
    json_object *gate = json_object_new_object();
    add_string(gate, "kind", home_gate_name(h->gate));
    add_string(gate, "entity_id",
               h->gate == HOME_GATE_DARK
                   ? "sun.sun"
                   : home->entities[home->people[h->gate_person].entity].entity_id);
    add_string(gate, "state", h->gate == HOME_GATE_DARK ? "below_horizon" : "home");
    json_object_object_add(habit, "gate", gate);
}

static void add_active(json_object *habit, const struct truth *t, const struct home_habit *h)
{
    if (h->from_day <= t->first_day && h->to_day >= t->last_day)
        return;
    json_object *active = json_object_new_object();
    add_date(active, "from", h->from_day > t->first_day ? h->from_day : t->first_day);
    add_date(active, "to", h->to_day < t->last_day ? h->to_day : t->last_day);
    json_object_object_add(habit, "active", active);
}

static json_object *habit_json(const struct truth *t, size_t index)
{
    const struct home *home = t->home;
    const struct home_habit *h = &home->habits[index];
    const struct home_entity *e = &home->entities[h->entity];
    const int64_t held_out_from = first_held_out(t);
    const struct coverage training = coverage_of(t, index, t->first_day, held_out_from);
    const struct coverage held_out = coverage_of(t, index, held_out_from, t->last_day + 1);
    json_object *habit = half_json(e, h->word), *acts = json_object_new_array();
    add_string(habit, "kind", home_kind_name(h->kind));
    add_members(habit, home, e);
    add_string(habit, "day_class", home_day_class(h->weekdays));
    add_details(habit, home, h);
    add_gate(habit, home, h);
    add_rounded(habit, "adherence", h->adherence);
    add_active(habit, t, h);
    add_string(habit, "cause",
               e->physical_share <= 0   ? "person"
               : e->physical_share >= 1 ? "physical"
                                        : "mixed");
    json_object_object_add(habit, "other_half",
                           half_json(e, h->word == HOME_ON ? HOME_OFF : HOME_ON));
    json_object_object_add(habit, "identifiable", identifiable_json(t, h, training, held_out));
    json_object_object_add(habit, "training", coverage_json(training));
    json_object_object_add(habit, "held_out", coverage_json(held_out));
    for (size_t a = 0; a < t->act_count; a++)
        if (t->acts[a].habit == (int)index)
            add_time(acts, NULL, t->acts[a].time_us);
    json_object_object_add(habit, "acts", acts);
    return habit;
}

static json_object *habits_json(const struct truth *t)
{
    json_object *habits = json_object_new_array();
    for (size_t h = 0; h < t->home->habit_count; h++)
        json_object_array_add(habits, habit_json(t, h));
    return habits;
}

static json_object *machines_json(const struct home *home)
{
    json_object *machines = json_object_new_array();
    for (size_t m = 0; m < home->machine_count; m++) {
        json_object *machine = json_object_new_object();
        add_string(machine, "entity_id", home->entities[home->machines[m].entity].entity_id);
        if (home->machines[m].off_after_s > 0) {
            add_int(machine, "off_after_s", home->machines[m].off_after_s);
        } else {
            add_clock(machine, "on_at", home->machines[m].on_s);
            add_clock(machine, "off_at", home->machines[m].off_s);
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
        add_string(automation, "entity_id", home->entities[rule->automation].entity_id);
        add_string(automation, "alias", home->entities[rule->automation].name);
        add_string(automation, "target", home->entities[rule->target].entity_id);
        if (rule->trigger >= 0)
            json_object_object_add(automation, "trigger",
                                   half_json(&home->entities[rule->trigger], HOME_ON));
        else
            add_clock(automation, "at", rule->at_s);
        add_int(automation, "off_after_s", rule->off_after_s);
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
        add_string(entity, "entity_id", e->entity_id);
        add_string(entity, "name", e->name);
        add_string(entity, "area", home_area_name(e->area));
        add_string(entity, "role", home_role_name(e->role));
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

static json_object *span_json(const struct truth *t, struct home_span span)
{
    json_object *days = json_object_new_array();
    for (int64_t day = span.from_day; day <= span.to_day; day++)
        if (day >= t->first_day && day <= t->last_day)
            add_date(days, NULL, day);
    return days;
}

int truth_write(const struct truth *t, json_object *arguments, const char *path, struct error *err)
{
    json_object *root = json_object_new_object();
    add_int(root, "schema", 2);
    json_object_object_add(root, "arguments", json_object_get(arguments));
    json_object_object_add(root, "recorded", recorded_json(t));
    json_object_object_add(root, "days", days_json(t));
    json_object_object_add(root, "habits", habits_json(t));
    json_object_object_add(root, "machines", machines_json(t->home));
    json_object_object_add(root, "automations", automations_json(t->home));
    json_object_object_add(root, "distractors", distractors_json(t->home));
    add_int(root, "people", t->home->people_count);
    json_object_object_add(root, "holidays", span_json(t, t->home->holidays));
    json_object_object_add(root, "guests", span_json(t, t->home->guests));
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
