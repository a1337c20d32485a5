/* What was out of the ordinary at the end, and whether it can be told from what went before. */
#include <math.h>
#include <stdlib.h>

#include "core/json.h"
#include "home/truth_json.h"
#include "home/truth_private.h"

#define HOUR_US (INT64_C(3600) * 1000000)
#define DAY_US (24 * HOUR_US)

enum { USES_MIN = 10 }; /* before */

/* So probable on a day by chance: thirty things with exponential lengths tell one a month, with
 * lognormal ones (of the spreads that people's uses have here) one in two weeks. */
static const double chance_max = .001;
/* All things together: so often, a day, as people use them. */
static const double home_chance_max = .03;
static const double missed_max = .05; /* share of the occasions at which a habit is missed */
static const double silent_min = 10;  /* usual pauses */

/* Whether a spell that is so many times as long as the longest of count before, in so many days, is
 * as rare when all are of one kind. The longest of n exponential lengths is outdone by that factor
 * with the probability n B(n, factor + 1). */
static bool is_rare(double count, double days, double factor)
{
    const double outdone = exp(lgamma(count + 1) + lgamma(factor + 1) - lgamma(count + factor + 1));
    return count / days * outdone <= chance_max;
}

/* Since when an entity is on as HA sees it, if that is the anomaly. */
static bool is_on_since(const struct truth *t, const struct home_anomaly *a)
{
    const struct truth_seen *seen = &t->seen[a->entity];
    return seen->on_us != 0 && llabs(seen->on_us - a->from_us) < 5000000;
}

/* At night nobody opened it for long, now it is open for hours. */
static bool is_open_told(const struct truth *t, const struct home_anomaly *a)
{
    const struct truth_seen *seen = &t->seen[a->entity];
    const bool open = a->to_us > t->to_us ? is_on_since(t, a) : true;
    return open && seen->ons > USES_MIN && seen->longest_us < HOUR_US;
}

/* What people forget to end, or to lock again. */
static int count_watched(const struct home *home)
{
    int count = 0;
    for (size_t e = 0; e < home->entity_count; e++) {
        const enum home_domain domain = home->entities[e].domain;
        count += (domain < HOME_USED_DOMAINS || domain == HOME_LOCK) &&
                 home->entities[e].profile.bump_count > 0;
    }
    return count;
}

/* Whether a use of that length is rare in a home by the way of use itself: that none is longer than
 * six hours, nobody can know from uses of an hour. */
static bool is_rare_use(const struct truth *t, uint32_t entity, double per_day, double length_s)
{
    const struct home_profile *p = &t->home->entities[entity].profile;
    const double longer = erfc(log(length_s / p->duration_s) / p->duration_spread / sqrt(2)) / 2;
    return per_day * longer * count_watched(t->home) <= home_chance_max;
}

static bool is_still_on_told(const struct truth *t, const struct home_anomaly *a)
{
    const struct truth_seen *seen = &t->seen[a->entity];
    const double before = (double)(a->from_us - t->from_us) / DAY_US;
    const double lasts_us = (double)(t->to_us - a->from_us), uses = (double)(seen->ons - 1);
    return is_on_since(t, a) && seen->ons > USES_MIN &&
           is_rare(uses, before, lasts_us / (double)seen->longest_us) &&
           is_rare_use(t, a->entity, uses / before, lasts_us / 1e6);
}

static bool is_up(const struct truth *t, int64_t from_us, int64_t to_us)
{
    for (size_t g = 0; g < t->gap_count; g++)
        if (t->gaps[g].from_us < to_us && t->gaps[g].to_us > from_us)
            return false;
    return true;
}

/* Of all times that the habit was due before and HA would have seen it; and whether it would have
 * now, and nobody did the same. */
static bool is_missed_told(const struct truth *t, size_t anomaly)
{
    const struct home_anomaly *a = &t->home->anomalies[anomaly];
    int acted = 0, omitted = 0;
    for (size_t n = 0; n < t->note_count; n++) {
        const struct truth_note *note = &t->notes[n];
        if (note->habit != a->habit || note->time_us > a->from_us + 6 * HOUR_US)
            continue;
        const bool is_before = note->time_us < a->from_us - 6 * HOUR_US;
        if (!is_before && note->was_done)
            return false;
        acted += is_before && note->recorded;
        omitted += is_before && note->outcome == HOME_OMITTED && !note->was_done;
    }
    /* Laplace's rule of succession */
    return omitted + 1 <= missed_max * (acted + omitted + 2) && !t->acted_near[anomaly] &&
           is_up(t, a->from_us - HOUR_US, a->from_us + HOUR_US);
}

/* Nobody is home to be seen on a holiday. */
static bool is_silent_told(const struct truth *t, const struct home_anomaly *a)
{
    const struct truth_seen *seen = &t->seen[a->entity];
    const double before = (double)(a->from_us - t->from_us) / DAY_US;
    const double silent = (double)(t->to_us - a->from_us) / DAY_US;
    const bool away =
        t->home->holidays.from_day <= t->last_day && t->home->holidays.to_day >= a->day;
    return before > 0 && !away && (double)seen->ons / before * silent >= silent_min &&
           is_rare(before, before, silent * DAY_US / (double)seen->rest_us);
}

static bool is_told(const struct truth *t, size_t anomaly)
{
    const struct home_anomaly *a = &t->home->anomalies[anomaly];
    switch (a->kind) {
    case HOME_OPEN_AT_NIGHT:
        return is_open_told(t, a);
    case HOME_STILL_ON:
    case HOME_UNLOCKED:
        return is_still_on_told(t, a);
    case HOME_MISSED:
        return is_missed_told(t, anomaly);
    case HOME_SILENT:
        return is_silent_told(t, a);
    case HOME_ANOMALY_COUNT:
        break;
    }
    return false;
}

static void add(json_object *list, const struct home *home, enum home_anomaly_kind kind,
                uint32_t entity, int64_t since_us, bool planted, bool told)
{
    json_object *anomaly = json_object_new_object();
    json_add_string(anomaly, "kind", home_anomaly_name(kind));
    json_add_string(anomaly, "entity_id", home->entities[entity].entity_id);
    truth_add_time(anomaly, "since", since_us);
    json_add_bool(anomaly, "planted", planted);
    json_add_bool(anomaly, "identifiable", told);
    json_object_array_add(list, anomaly);
}

/* A habit that was not kept the last time, for no reason. */
static void add_omissions(json_object *list, const struct truth *t)
{
    for (size_t h = 0; h < t->home->habit_count; h++) {
        const struct truth_note *last = NULL;
        const struct home_habit *habit = &t->home->habits[h];
        for (size_t n = 0; n < t->note_count; n++)
            if (t->notes[n].habit == (int)h)
                last = &t->notes[n];
        bool is_planted = false;
        for (size_t a = 0; a < t->home->anomaly_count; a++)
            is_planted = is_planted || t->home->anomalies[a].habit == (int)h;
        if (last == NULL || last->outcome != HOME_OMITTED || last->was_done || is_planted ||
            (habit->begin != HOME_AT_TIME && habit->begin != HOME_AT_SUN))
            continue;
        add(list, t->home, HOME_MISSED, habit->entity, last->time_us, false, false);
    }
}

/* What happens to be so without having been planted: to say it is neither right nor wrong. */
static void add_accidents(json_object *list, const struct truth *t)
{
    const struct home *home = t->home;
    for (size_t e = 0; e < home->entity_count; e++) {
        bool is_planted = false;
        for (size_t a = 0; a < home->anomaly_count; a++)
            is_planted = is_planted || home->anomalies[a].entity == e;
        if (home->entities[e].dies_on <= t->last_day && !is_planted)
            add(list, home, HOME_SILENT, (uint32_t)e,
                tz_day_start(t->tz, home->entities[e].dies_on) * 1000000, false, false);
        if (truth_is_kept_on(&t->seen[e], t->to_us) && !is_planted)
            add(list, home, HOME_STILL_ON, (uint32_t)e, t->seen[e].on_us, false, false);
    }
    for (size_t h = 0; h < home->habit_count; h++) {
        const struct truth_seen *seen = &t->seen[home->habits[h].entity];
        if (home->habits[h].kind == HOME_LEFT_ON && seen->on_us != 0 &&
            t->to_us - seen->on_us > HOUR_US)
            add(list, home, HOME_STILL_ON, home->habits[h].entity, seen->on_us, false, false);
    }
    add_omissions(list, t);
}

json_object *truth_anomalies(const struct truth *t)
{
    json_object *list = json_object_new_array();
    for (size_t i = 0; i < t->home->anomaly_count; i++) {
        const struct home_anomaly *a = &t->home->anomalies[i];
        add(list, t->home, a->kind, a->entity, a->from_us, true, is_told(t, i));
    }
    add_accidents(list, t);
    return list;
}
