/* One habit's truth: what was planted, what of it happened, and what a perfect miner could tell. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/tz.h"
#include "home/sun.h"
#include "core/xalloc.h"
#include "home/truth_json.h"
#include "home/truth_lengths.h"
#include "home/truth_private.h"

enum { TRAINING_DAYS_MIN = 7, HELD_OUT_DAYS_MIN = 2 };
/* Of what is left on: days, too, for an end that is forgotten once may not be so again. */
enum { FORGOTTEN_DAYS_MIN = 2, FORGOTTEN_HELD_OUT_MIN = 1 };

/* Log likelihood of what was planted over what else could be so that tells the two apart,
 * whatever else one might have thought of: e^7 is a thousand to one. */
static const double gain_min = 7;

static int weekday_of(int64_t day)
{
    return (int)((day + 3) % 7); /* 1970-01-01 was a Thursday */
}

/* Days of a stretch of the history, on which something was so. */
struct coverage {
    int of_class, with_act, with_level;
    int open, closed;             /* with an occasion on which its condition held, did not */
    int acted_open, acted_closed; /* and an act */
    int kept, forgotten;          /* uses, not days */
    int days_forgotten;           /* with a forgotten end */
};

/* Whether the act, with all its steps, and perhaps the level, was recorded on a day. */
static bool has_act(const struct truth *t, size_t habit, int64_t day, bool told)
{
    unsigned steps = 0;
    for (size_t a = 0; a < t->act_count; a++)
        if (t->acts[a].habit == (int)habit && truth_local_day(t, t->acts[a].time_us) == day &&
            (t->acts[a].told || !told))
            steps |= 1u << t->acts[a].step;
    const unsigned all = (2u << t->home->habits[habit].step_count) - 1;
    return told ? (steps & 1) != 0 : steps == all;
}

static void count_occasions(const struct truth *t, size_t habit, int64_t day, struct coverage *c)
{
    bool open = false, closed = false, acted_open = false, acted_closed = false;
    for (size_t n = 0; n < t->note_count; n++) {
        const struct truth_note *note = &t->notes[n];
        if (note->habit != (int)habit || note->outcome == HOME_BUSY ||
            truth_local_day(t, note->time_us) != day)
            continue;
        *(note->was_open ? &open : &closed) = true;
        if (note->outcome == HOME_ACTED)
            *(note->was_open ? &acted_open : &acted_closed) = true;
    }
    c->open += open;
    c->closed += closed;
    c->acted_open += acted_open;
    c->acted_closed += acted_closed;
}

static struct coverage coverage_of(const struct truth *t, size_t habit, int64_t from, int64_t to)
{
    struct coverage c = {0};
    for (int64_t day = from; day < to; day++) {
        if (!truth_is_complete(t, day))
            continue;
        count_occasions(t, habit, day, &c);
        if (!(t->home->habits[habit].weekdays & 1u << weekday_of(day)))
            continue;
        c.of_class++;
        c.with_act += has_act(t, habit, day, false);
        c.with_level += has_act(t, habit, day, true);
    }
    int64_t last_day = from - 1;
    for (size_t u = 0; u < t->use_count; u++) {
        const int64_t day = truth_local_day(t, t->uses[u].end_us);
        if (t->uses[u].habit != (int)habit || day < from || day >= to)
            continue;
        c.kept += !t->uses[u].forgotten;
        c.forgotten += t->uses[u].forgotten;
        c.days_forgotten += t->uses[u].forgotten && day != last_day;
        last_day = t->uses[u].forgotten ? day : last_day;
    }
    return c;
}

static json_object *coverage_json(const struct home_habit *h, struct coverage c)
{
    json_object *part = json_object_new_object();
    json_add_int(part, "days_of_class", c.of_class);
    json_add_int(part, "days_with_act", c.with_act);
    if (h->level != HOME_NO_LEVEL)
        json_add_int(part, "days_with_value", c.with_level);
    if (h->begin != HOME_IN_USE) {
        json_add_int(part, "days_open", c.open);
        json_add_int(part, "days_closed", c.closed);
    }
    if (h->kind == HOME_LEFT_ON) {
        json_add_int(part, "uses_ended", c.kept);
        json_add_int(part, "uses_forgotten", c.forgotten);
        json_add_int(part, "days_forgotten", c.days_forgotten);
    }
    return part;
}

/* --- What can be told */

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

/* k heads of n coins, at the rate that explains them best. */
static double log_likelihood(double k, double n)
{
    return (k > 0 ? k * log(k / n) : 0) + (k < n ? (n - k) * log(1 - k / n) : 0);
}

/* A rate of acts on the days on which the condition held and a lower one on those on which it did
 * not, over one rate for all. */
static double gain_of_condition(struct coverage c)
{
    if (c.acted_open * c.closed <= c.acted_closed * c.open)
        return 0;
    return log_likelihood(c.acted_open, c.open) + log_likelihood(c.acted_closed, c.closed) -
           log_likelihood(c.acted_open + c.acted_closed, c.open + c.closed);
}

/* Whether the lengths of the training days' uses show that some were forgotten. */
static bool is_forgetting_told(const struct truth *t, const struct home_habit *h, size_t forgotten)
{
    double *lengths_s = xcalloc(t->use_count + 1, sizeof *lengths_s);
    size_t count = 0;
    for (size_t u = 0; u < t->use_count; u++)
        if (&t->home->habits[t->uses[u].habit] == h &&
            truth_local_day(t, t->uses[u].end_us) < truth_first_held_out(t))
            lengths_s[count++] = (double)(t->uses[u].end_us - t->uses[u].begin_us) / 1e6;
    const double gain = truth_gain_of_forgetting(h, lengths_s, count, forgotten);
    free(lengths_s);
    return gain - log((double)count + 1) >= gain_min; /* two shares more to be learned (Schwarz) */
}

static bool is_act_identifiable(const struct truth *t, const struct home_habit *h,
                                struct coverage training, struct coverage held_out)
{
    if (h->to_day < t->last_day)
        return false;
    if (h->kind == HOME_LEFT_ON)
        return training.days_forgotten >= FORGOTTEN_DAYS_MIN &&
               held_out.days_forgotten >= FORGOTTEN_HELD_OUT_MIN &&
               is_forgetting_told(t, h, (size_t)training.forgotten);
    return training.with_act >= TRAINING_DAYS_MIN && held_out.with_act >= HELD_OUT_DAYS_MIN;
}

static json_object *identifiable_json(const struct truth *t, const struct home_habit *h,
                                      struct coverage training, struct coverage held_out)
{
    json_object *identifiable = json_object_new_object();
    const bool timed = h->begin == HOME_AT_TIME || h->begin == HOME_AT_SUN;
    const bool act = is_act_identifiable(t, h, training, held_out);
    const bool told = gain_of_condition(training) >= gain_min;
    const int acts = training.with_act + held_out.with_act;
    const bool sunset = h->begin == HOME_AT_SUN ? h->at_sunset : is_nearer_sunset(t, h->at_s);
    json_add_bool(identifiable, "act", act);
    json_add_bool(identifiable, "day_class",
                  act && (timed || h->weekdays == HOME_ALL_DAYS || told));
    json_add_bool(identifiable, "clock_or_sun",
                  act && timed &&
                      sun_moved_s(t, sunset) >=
                          12 * h->sigma_s / sqrt(acts) + 2 * fabs(h->drift_s));
    if (h->gate.kind != HOME_UNGATED || h->quiet_s > 0)
        json_add_bool(identifiable, "condition", act && told);
    if (h->level != HOME_NO_LEVEL)
        json_add_bool(identifiable, "value",
                      act && training.with_level >= TRAINING_DAYS_MIN &&
                          held_out.with_level >= HELD_OUT_DAYS_MIN);
    return identifiable;
}

/* --- What was planted */

static void add_begin(json_object *habit, const struct home *home, const struct home_habit *h)
{
    const double variance = h->lag_spread * h->lag_spread;
    const bool timed = h->begin == HOME_AT_TIME || h->begin == HOME_AT_SUN;
    if (h->begin == HOME_AT_TIME)
        truth_add_clock(habit, "at", h->at_s);
    if (h->begin == HOME_AT_SUN) {
        json_add_string(habit, "event", h->at_sunset ? "sunset" : "sunrise");
        json_add_fixed(habit, "offset_min", h->at_s / 60, 3);
    }
    if (h->begin == HOME_AFTER_TRIGGER) {
        json_object_object_add(habit, "trigger",
                               truth_half(&home->entities[h->trigger], h->trigger_word));
        json_add_fixed(habit, "lag_s", h->lag_s, 3);
        /* the standard deviation of a lognormal */
        json_add_fixed(habit, "lag_sigma_s", h->lag_s * exp(variance / 2) * sqrt(exp(variance) - 1),
                       3);
    }
    if (h->quiet_s > 0)
        json_add_fixed(habit, "quiet_s", h->quiet_s, 3);
    if (h->begin != HOME_IN_USE) {
        json_add_fixed(habit, "sigma_min", timed ? h->sigma_s / 60 : 0, 3);
        json_add_fixed(habit, "drift_min", timed ? h->drift_s / 60 : 0, 3);
    }
}

static void add_values(json_object *habit, const struct home *home, const struct home_habit *h)
{
    const enum home_domain domain = home->entities[h->entity].domain;
    if (h->level == HOME_NO_LEVEL)
        return;
    json_object *values = json_object_new_object();
    json_add_fixed(values, home_level_name(domain), home_level_value(domain, h->level), 3);
    if (h->kelvin > 0)
        json_add_int(values, "color_temp_kelvin", h->kelvin);
    json_object_object_add(habit, "values", values);
    json_add_fixed(habit, "value_adherence", h->level_adherence, 3);
    if (h->begin == HOME_IN_USE)
        truth_add_clock(habit, "from", h->at_s);
}

/* Each step with how often it was recorded. */
static void add_steps(json_object *habit, const struct truth *t, size_t index)
{
    const struct home_habit *h = &t->home->habits[index];
    json_object *steps = json_object_new_array();
    for (int i = 0; i < h->step_count; i++) {
        const struct home_entity *e = &t->home->entities[h->steps[i].entity];
        json_object *step = truth_half(e, h->steps[i].word), *members = truth_members(t->home, e);
        int acts = 0;
        for (size_t a = 0; a < t->act_count; a++)
            acts += t->acts[a].habit == (int)index && t->acts[a].step == i + 1;
        if (members != NULL)
            json_object_object_add(step, "members", members);
        json_add_fixed(step, "lag_s", h->steps[i].lag_s, 3);
        json_add_fixed(step, "adherence", h->steps[i].chance, 3);
        json_add_int(step, "acts", acts);
        json_object_array_add(steps, step);
    }
    json_object_object_add(habit, "steps", steps);
}

/* How long it is used, and the detectors that see who uses it, now and then. */
static void add_lengths(json_object *habit, const struct truth *t, size_t index)
{
    const struct home *home = t->home;
    const struct home_habit *h = &home->habits[index];
    json_object *uses = json_object_new_array(), *detectors = json_object_new_array();
    json_add_fixed(habit, "after_s", h->duration_s, 3);
    json_add_fixed(habit, "after_spread", h->duration_spread, 3);
    json_add_fixed(habit, "long_share", h->long_share, 3);
    for (size_t u = 0; u < t->use_count; u++) {
        if (t->uses[u].habit != (int)index)
            continue;
        json_object *use = json_object_new_object();
        truth_add_time(use, "from", t->uses[u].begin_us);
        truth_add_time(use, "to", t->uses[u].end_us);
        json_add_bool(use, "forgotten", t->uses[u].forgotten);
        json_object_array_add(uses, use);
    }
    for (size_t e = 0; e < home->entity_count; e++) {
        const struct home_entity *detector = &home->entities[e];
        if (detector->role == HOME_ROLE_DETECTOR &&
            detector->area == home->entities[h->entity].area && detector->profile.bump_count == 0)
            json_object_array_add(detectors, json_object_new_string(detector->entity_id));
    }
    json_object_object_add(habit, "uses", uses);
    json_object_object_add(habit, "detectors", detectors);
}

static void add_gate(json_object *habit, const struct home *home, const struct home_gate *g)
{
    if (g->kind == HOME_UNGATED)
        return;
    json_object *gate = json_object_new_object();
    json_add_string(gate, "kind", home_gate_name(g->kind));
    if (g->kind == HOME_GATE_PRESENCE) {
        json_add_string(gate, "entity_id",
                        home->entities[home->people[g->person].entity].entity_id);
        json_add_string(gate, "state", "home");
    } else if (g->kind == HOME_GATE_DARK) {
        json_add_string(gate, "entity_id", "sun.sun");
        json_add_string(gate, "state", "below_horizon");
    } else if (g->kind == HOME_GATE_LUX) {
        json_add_string(gate, "entity_id", home->entities[g->entity].entity_id);
        json_add_fixed(gate, "below", g->lux, 3);
    } else if (g->kind == HOME_GATE_MODE) {
        const struct home_entity *mode = &home->entities[g->entity];
        json_add_string(gate, "entity_id", mode->entity_id);
        json_add_string(gate, "state", home_word_name(mode->domain, g->word));
    } else {
        truth_add_clock(gate, "after", g->from_s);
        truth_add_clock(gate, "before", g->to_s);
    }
    json_object_object_add(habit, "gate", gate);
}

static void add_active(json_object *habit, const struct truth *t, const struct home_habit *h)
{
    if (h->from_day <= t->first_day && h->to_day >= t->last_day)
        return;
    json_object *active = json_object_new_object();
    truth_add_date(active, "from", h->from_day > t->first_day ? h->from_day : t->first_day);
    truth_add_date(active, "to", h->to_day < t->last_day ? h->to_day : t->last_day);
    json_object_object_add(habit, "active", active);
}

/* The other half of a use hangs on the planted one: of uses with a time, not of how things are
 * used, nor of what is set. */
static void add_other_half(json_object *habit, const struct home_entity *e,
                           const struct home_habit *h)
{
    if (h->begin != HOME_IN_USE && !home_is_set(e->domain))
        json_object_object_add(habit, "other_half",
                               truth_half(e, h->word == HOME_ON ? HOME_OFF : HOME_ON));
}

/* When it was left out, and HA would have seen it. */
static void add_omitted(json_object *habit, const struct truth *t, size_t index)
{
    json_object *omitted = json_object_new_array();
    for (size_t n = 0; n < t->note_count; n++)
        if (t->notes[n].habit == (int)index && t->notes[n].outcome == HOME_OMITTED &&
            !t->notes[n].was_done)
            truth_add_time(omitted, NULL, t->notes[n].time_us);
    json_object_object_add(habit, "omitted", omitted);
}

json_object *truth_habit(const struct truth *t, size_t index)
{
    static const char *const begins[] = {"time", "sun", "trigger", "use"};
    const struct home *home = t->home;
    const struct home_habit *h = &home->habits[index];
    const struct home_entity *e = &home->entities[h->entity];
    const int64_t held_out_from = truth_first_held_out(t);
    const struct coverage training = coverage_of(t, index, t->first_day, held_out_from);
    const struct coverage held_out = coverage_of(t, index, held_out_from, t->last_day + 1);
    json_object *habit = truth_half(e, h->word), *acts = json_object_new_array();
    json_object *members = truth_members(home, e);
    json_add_string(habit, "kind", home_kind_name(h->kind));
    json_add_string(habit, "begins", begins[h->begin]);
    if (members != NULL)
        json_object_object_add(habit, "members", members);
    json_add_string(habit, "day_class", home_day_class(h->weekdays));
    add_begin(habit, home, h);
    add_values(habit, home, h);
    if (h->kind == HOME_LEFT_ON)
        add_lengths(habit, t, index);
    if (h->step_count > 0)
        add_steps(habit, t, index);
    add_gate(habit, home, &h->gate);
    json_add_fixed(habit, "adherence", h->adherence, 3);
    add_active(habit, t, h);
    json_add_string(habit, "cause",
                    e->physical_share <= 0   ? "person"
                    : e->physical_share >= 1 ? "physical"
                                             : "mixed");
    add_other_half(habit, e, h);
    json_object_object_add(habit, "identifiable", identifiable_json(t, h, training, held_out));
    json_object_object_add(habit, "training", coverage_json(h, training));
    json_object_object_add(habit, "held_out", coverage_json(h, held_out));
    for (size_t a = 0; a < t->act_count; a++)
        if (t->acts[a].habit == (int)index && t->acts[a].step == 0)
            truth_add_time(acts, NULL, t->acts[a].time_us);
    json_object_object_add(habit, "acts", acts);
    if (h->begin == HOME_AT_TIME || h->begin == HOME_AT_SUN)
        add_omitted(habit, t, index);
    return habit;
}
