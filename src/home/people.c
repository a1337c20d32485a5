#include "home/people.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "home/rng.h"
#include "home/streams.h"
#include "home/uses.h"

enum {
    MINUTE_S = 60,
    HALLWAY = 4,
    BEDROOM = 2,
    VISITS_PER_USE = 4,     /* to a room, besides the use itself */
    LOOK_AFTER_S = 25 * 60, /* between two looks after something that is on */
    LEAST_OUT_S = 10 * 60,
    DETECTORS_MAX = HOME_ENTITIES_MAX,
};

static double shorter(double a, double b)
{
    return a < b ? a : b;
}

/* --- Rooms
 * ------------------------------------------------------------------------------------------- */

static bool sees_motion(const struct home_entity *e)
{
    return e->role == HOME_ROLE_DETECTOR &&
           (strcmp(e->device_class, "motion") == 0 || strcmp(e->device_class, "occupancy") == 0);
}

void people_weigh_areas(struct home *home)
{
    static const double usual[HOME_AREA_COUNT] = {5,   4,   1.5, 2,  1,  1.5, 1.2, .4,
                                                  1.5, .25, .3,  .1, .4, .3,  .8,  .6};
    for (size_t i = 0; i < home->entity_count; i++)
        home->area_weights[home->entities[i].area] = usual[home->entities[i].area];
    home->area_weights[HALLWAY] = usual[HALLWAY];
    home->area_weights[BEDROOM] = usual[BEDROOM];
}

static int draw_area(const struct home *home, struct rng *rng)
{
    double total = 0;
    for (int a = 0; a < HOME_AREA_COUNT; a++)
        total += home->area_weights[a];
    double u = rng_uniform(rng) * total;
    for (int a = 0; a < HOME_AREA_COUNT; a++) {
        u -= home->area_weights[a];
        if (u < 0)
            return a;
    }
    return HALLWAY;
}

/* --- Who is out
 * -------------------------------------------------------------------------------------- */

/* Adds an absence, in order of time; what touches another one becomes one with it. */
static void add_absence(struct presence *p, int64_t from_us, int64_t to_us)
{
    const int64_t apart_us = 15 * MINUTE_S * SECOND_US;
    struct absence *away = p->away;
    int i = 0, end = 0;
    while (i < p->away_count && away[i].to_us + apart_us < from_us)
        i++;
    for (end = i; end < p->away_count && away[end].from_us <= to_us + apart_us; end++) {
        from_us = away[end].from_us < from_us ? away[end].from_us : from_us;
        to_us = away[end].to_us > to_us ? away[end].to_us : to_us;
    }
    if (p->away_count - (end - i) + 1 > ABSENCES_MAX)
        return;
    memmove(&away[i + 1], &away[end], (size_t)(p->away_count - end) * sizeof *away);
    p->away_count += 1 - (end - i);
    away[i] = (struct absence){.from_us = from_us, .to_us = to_us};
}

/* Local hours, kept within what the person is up and the day lasts. */
static void go_out(const struct today *today, struct presence *p, double from_s, double to_s)
{
    const int64_t least_us = LEAST_OUT_S * SECOND_US;
    int64_t from_us = today_us(today, from_s);
    int64_t to_us = today_us(today, shorter(to_s, 23.8 * HOUR_S));
    if (from_us < p->wake_us + least_us)
        from_us = p->wake_us + least_us;
    if (to_us - from_us >= least_us)
        add_absence(p, from_us, to_us);
}

static void draw_absences(const struct today *today, const struct home_person *person,
                          struct rng *rng, struct presence *p)
{
    const bool works = (person->workdays & 1u << today->weekday) != 0 && rng_chance(rng, .93);
    const double leave_s = rng_normal(rng, person->leave_s, person->jitter_s);
    const double return_s = rng_normal(rng, person->return_s, person->jitter_s);
    if (works && return_s - leave_s > HOUR_S)
        go_out(today, p, leave_s, return_s);
    const double errands = person->errands * (today->weekday >= 5 ? 1.3 : 1);
    for (int n = rng_poisson(rng, errands); n > 0; n--) {
        const double from_s = rng_normal(rng, 14.5 * HOUR_S, 3 * HOUR_S);
        go_out(today, p, from_s, from_s + rng_lognormal(rng, 75 * MINUTE_S, .6));
    }
    const double evening_s = rng_normal(rng, 19.5 * HOUR_S, 50 * MINUTE_S);
    if (rng_chance(rng, .1))
        go_out(today, p, evening_s, evening_s + rng_lognormal(rng, 3 * HOUR_S, .3));
}

/* On holidays everybody leaves on the first morning and is back on the last evening. */
static void draw_holiday(const struct today *today, struct rng *rng, struct presence *p)
{
    const struct home_span *h = &today->home->holidays;
    struct absence *away = &p->away[0];
    p->away_count = 1;
    *away = (struct absence){.from_us = today->begin_us,
                             .to_us = today->end_us,
                             .goes = today->local_day == h->from_day,
                             .comes = today->local_day == h->to_day};
    if (away->goes)
        away->from_us = today_us(today, rng_between(rng, 6, 9) * HOUR_S);
    if (away->comes)
        away->to_us = today_us(today, rng_between(rng, 18, 22) * HOUR_S);
}

/* Somebody is home around a use: the absence is left out for a while. */
static void stay_home_around(struct presence *p, int64_t time_us, struct rng *rng)
{
    const int64_t least_us = LEAST_OUT_S * SECOND_US;
    int i = 0;
    while (i < p->away_count && !(time_us >= p->away[i].from_us && time_us < p->away[i].to_us))
        i++;
    if (i == p->away_count)
        return;
    const double before_s = 240 + rng_lognormal(rng, 35 * MINUTE_S, .6);
    const double after_s = 240 + rng_lognormal(rng, 35 * MINUTE_S, .6);
    const struct absence whole = p->away[i];
    const struct absence first = {.from_us = whole.from_us,
                                  .to_us = time_us - (int64_t)(before_s * 1e6)};
    const struct absence second = {.from_us = time_us + (int64_t)(after_s * 1e6),
                                   .to_us = whole.to_us};
    memmove(&p->away[i], &p->away[i + 1], (size_t)(--p->away_count - i) * sizeof whole);
    if (first.to_us - first.from_us >= least_us)
        add_absence(p, first.from_us, first.to_us);
    if (second.to_us - second.from_us >= least_us)
        add_absence(p, second.from_us, second.to_us);
}

/* Of those at home the one who wants to; nobody: -1. */
static int who_is_home(const struct today *today, int wanted, int64_t time_us)
{
    for (int k = 0; k < today->home->people_count; k++) {
        const int p = (wanted + k) % today->home->people_count;
        if (today_is_home(today, p, time_us))
            return p;
    }
    return -1;
}

static void follow_use(struct today *today)
{
    struct rng rng;
    rng_init(&rng, today->home->seed, STREAM_LIFE, HOME_PEOPLE_MAX, today->local_day);
    for (size_t i = 0; i < today->use_count; i++) {
        struct home_use *use = &today->uses[i];
        if (uses_needs_presence(today, use))
            continue;
        const int who = who_is_home(today, use->person, use->begin_us);
        if (who < 0)
            stay_home_around(&today->people[use->person], use->begin_us, &rng);
        else
            use->person = (uint8_t)who;
        /* A habit's end takes somebody too; other ends may come from afar. */
        if (use->end_habit >= 0 && who_is_home(today, use->person, use->end_us) < 0)
            stay_home_around(&today->people[use->person], use->end_us, &rng);
    }
}

/* What is left on when all are out, they switch off from there. */
static void end_from_afar(struct today *today)
{
    for (size_t i = 0; i < today->use_count; i++) {
        struct home_use *use = &today->uses[i];
        if (use->end_cause == HOME_BY_SWITCH && who_is_home(today, 0, use->end_us) < 0)
            use->end_cause = HOME_BY_PERSON;
    }
}

/* Phones tell HA: some when they come near, some when they have joined the network or lost it. */
static void draw_sightings(struct rng *rng, int person, struct presence *p)
{
    for (int i = 0; i < p->away_count; i++) {
        struct absence *a = &p->away[i];
        const double gone_s = rng_lognormal(rng, person == 0 ? 150 : 240, .4);
        const double near_s = rng_lognormal(rng, 40, .5);
        a->seen_from_us = a->from_us + (int64_t)(gone_s * 1e6);
        a->seen_to_us = a->to_us + (int64_t)((person == 0 ? -near_s : near_s) * 1e6);
    }
}

void people_draw(struct today *today)
{
    const struct home *home = today->home;
    struct rng rngs[HOME_PEOPLE_MAX];
    for (int p = 0; p < home->people_count; p++) {
        const struct home_person *person = &home->people[p];
        struct presence *presence = &today->people[p];
        struct rng *rng = &rngs[p];
        rng_init(rng, home->seed, STREAM_LIFE, (uint64_t)p, today->local_day);
        const double late_s = today->weekday >= 5 ? 45 * MINUTE_S : 0;
        const double wake_s = rng_normal(rng, person->wake_s + late_s, 40 * MINUTE_S);
        const double bed_s = rng_normal(rng, person->bed_s + late_s, 40 * MINUTE_S);
        presence->wake_us = today_us(today, wake_s > 3 * HOUR_S ? wake_s : 3 * HOUR_S);
        presence->bed_us = today_us(today, shorter(bed_s, 26 * HOUR_S));
        if (today->is_holiday)
            draw_holiday(today, rng, presence);
        else
            draw_absences(today, person, rng, presence);
    }
    follow_use(today);
    end_from_afar(today);
    for (int p = 0; p < home->people_count; p++) {
        for (int i = 0; i < today->people[p].away_count && !today->is_holiday; i++)
            today->people[p].away[i].goes = today->people[p].away[i].comes = true;
        draw_sightings(&rngs[p], p, &today->people[p]);
    }
}

/* --- Walking
 * ----------------------------------------------------------------------------------------- */

/* A person has to be in a room at a time. */
struct appointment {
    int64_t time_us;
    int area;
};

struct walk {
    struct today *today;
    struct rng rng;
    uint32_t *detectors; /* of motion */
    int detector_count;
    int64_t front_door; /* its entity, or -1 */
    struct appointment *appointments;
    size_t appointment_count, appointment_capacity, next;
};

static void pulse(struct walk *w, uint32_t detector, int64_t begin_us)
{
    struct today *today = w->today;
    const double hold_s = rng_between(&w->rng, 60, 200);
    if (today->local_day >= today->home->entities[detector].dies_on || begin_us < today->begin_us)
        return;
    struct home_use *use = today_add_use(today, detector);
    use->begin_us = begin_us;
    use->end_us = begin_us + (int64_t)(hold_s * 1e6);
    use->begin_cause = use->end_cause = HOME_BY_SYSTEM;
}

/* Somebody is in a room: seen on coming in, and when moving again. */
static void visit(struct walk *w, int area, int64_t from_us, int64_t to_us)
{
    for (int i = 0; i < w->detector_count; i++) {
        const uint32_t detector = w->detectors[i];
        if (w->today->home->entities[detector].area != area)
            continue;
        int64_t t = from_us + (int64_t)(rng_between(&w->rng, .3, 2.5) * 1e6);
        pulse(w, detector, t);
        for (;;) {
            t += (int64_t)((200 - 35 * MINUTE_S * log(1 - rng_uniform(&w->rng))) * 1e6);
            if (t >= to_us)
                break;
            pulse(w, detector, t);
        }
    }
}

/* From one room to another, often past the hallway's detector. */
static void change_room(struct walk *w, int *area, int to, int64_t time_us)
{
    if (*area != to && to != HALLWAY && *area != HALLWAY && rng_chance(&w->rng, .05))
        visit(w, HALLWAY, time_us - 6 * SECOND_US, time_us - SECOND_US);
    *area = to;
}

static void open_front_door(struct walk *w, int64_t time_us)
{
    const double open_s = rng_between(&w->rng, 6, 40);
    if (w->front_door < 0 || w->today->local_day >= w->today->home->entities[w->front_door].dies_on)
        return;
    struct home_use *use = today_add_use(w->today, (uint32_t)w->front_door);
    use->begin_us = time_us;
    use->end_us = time_us + (int64_t)(open_s * 1e6);
    use->begin_cause = use->end_cause = HOME_BY_SYSTEM;
}

static void go_and_come(struct walk *w, const struct absence *a)
{
    if (a->goes) {
        visit(w, HALLWAY, a->from_us - (int64_t)(rng_between(&w->rng, 15, 90) * 1e6), a->from_us);
        open_front_door(w, a->from_us);
    }
    if (a->comes) {
        open_front_door(w, a->to_us);
        visit(w, HALLWAY, a->to_us + 2 * SECOND_US, a->to_us + 40 * SECOND_US);
    }
}

static int compare_appointments(const void *a, const void *b)
{
    const struct appointment *x = a, *y = b;
    if (x->time_us != y->time_us)
        return x->time_us < y->time_us ? -1 : 1;
    return x->area - y->area;
}

static void add_appointment(struct walk *w, int64_t time_us, int area)
{
    w->appointments = grow_array(w->appointments, w->appointment_count, &w->appointment_capacity,
                                 sizeof *w->appointments);
    w->appointments[w->appointment_count++] = (struct appointment){time_us, area};
}

static bool is_watched(const struct walk *w, int area)
{
    for (int i = 0; i < w->detector_count; i++)
        if (w->today->home->entities[w->detectors[i]].area == area)
            return true;
    return false;
}

/* While something is on, its room is lived in: else whoever comes there would come to switch it
 * off. */
static void look_after(struct walk *w, int person, const struct home_use *use, int area)
{
    const struct today *today = w->today;
    const int64_t end_us = use->end_us < today->end_us ? use->end_us : today->end_us;
    const double length_s = (double)(end_us - use->begin_us) / 1e6;
    if (today->home->entities[use->entity].role == HOME_ROLE_DETECTOR || length_s <= 0 ||
        !is_watched(w, area))
        return;
    for (int n = 1 + rng_poisson(&w->rng, length_s / LOOK_AFTER_S); n > 0; n--) {
        const int64_t t = use->begin_us + (int64_t)(rng_uniform(&w->rng) * length_s * 1e6);
        if (today_is_home(today, person, t))
            add_appointment(w, t, area);
    }
}

/* People go to a room at the same hours for other reasons, too. */
static void look_in(struct walk *w, int person)
{
    const struct today *today = w->today;
    const struct home *home = today->home;
    int used[HOME_AREA_COUNT] = {0}; /* visits to one thing are visits to all of a room */
    for (size_t e = 0; e < home->entity_count; e++)
        used[home->entities[e].area] += home->entities[e].profile.bump_count > 0;
    for (size_t e = 0; e < home->entity_count && !today->is_holiday; e++) {
        const struct home_profile *p = &home->entities[e].profile;
        const int area = home->entities[e].area;
        if (p->bump_count == 0 || !is_watched(w, area))
            continue;
        const double visits =
            VISITS_PER_USE * p->per_day * today->busyness / (home->people_count * sqrt(used[area]));
        for (int n = rng_poisson(&w->rng, visits); n > 0; n--) {
            const int64_t t = today_us(today, uses_draw_second(&w->rng, p));
            if (today_is_home(today, person, t))
                add_appointment(w, t, area);
        }
    }
}

/* Where a person has to be: at what they switch, and at the doors and windows that they open. */
static void collect_appointments(struct walk *w, int person)
{
    const struct today *today = w->today;
    w->appointment_count = w->next = 0;
    look_in(w, person);
    for (size_t i = 0; i < today->use_count; i++) {
        const struct home_use *use = &today->uses[i];
        const int area = today->home->entities[use->entity].area;
        if (use->person != person)
            continue;
        add_appointment(w, use->begin_us, area);
        look_after(w, person, use, area);
        if (use->end_cause == HOME_BY_SWITCH && use->end_us < today->end_us &&
            today_is_home(today, person, use->end_us))
            add_appointment(w, use->end_us, area);
    }
    if (w->appointment_count > 1)
        qsort(w->appointments, w->appointment_count, sizeof *w->appointments, compare_appointments);
}

static int64_t draw_lead_us(struct walk *w)
{
    const double s = rng_lognormal(&w->rng, 130, .9);
    return (int64_t)(shorter(s < 8 ? 8 : s, 15 * MINUTE_S) * 1e6);
}

/* At night, or from where somebody is thought to be out, there is just the walk to the room. */
static void keep_lone_appointments(struct walk *w, int64_t until_us)
{
    for (; w->next < w->appointment_count && w->appointments[w->next].time_us < until_us;
         w->next++) {
        const struct appointment *a = &w->appointments[w->next];
        visit(w, a->area, a->time_us - draw_lead_us(w), a->time_us + 60 * SECOND_US);
    }
}

/* A resident's way through the rooms from getting up, or coming home, until going out or to bed:
 * some minutes here and there, and in time wherever something is to be done. */
static void wander(struct walk *w, int area, int64_t from_us, int64_t to_us)
{
    int64_t busy_until = from_us;
    keep_lone_appointments(w, from_us);
    for (int64_t t = from_us; t < to_us;) {
        const int64_t lead_us = draw_lead_us(w);
        int64_t until = t + (int64_t)(rng_lognormal(&w->rng, 14 * MINUTE_S, .9) * 1e6);
        int next_area = draw_area(w->today->home, &w->rng);
        until = until < busy_until ? busy_until : until;
        if (w->next < w->appointment_count && w->appointments[w->next].time_us - lead_us < until) {
            const struct appointment *a = &w->appointments[w->next++];
            until = a->time_us - lead_us;
            busy_until = a->time_us + (int64_t)(rng_between(&w->rng, 10, 120) * 1e6);
            next_area = a->area;
        }
        until = until > to_us ? to_us : until;
        if (until > t) {
            visit(w, area, t, until);
            t = until;
        }
        change_room(w, &area, next_area, t);
    }
}

static void walk_person(struct walk *w, int person)
{
    const struct presence *p = &w->today->people[person];
    int64_t t = p->wake_us;
    int area = BEDROOM;
    collect_appointments(w, person);
    for (int i = 0; i < p->away_count; i++) {
        const struct absence *a = &p->away[i];
        if (a->from_us > t)
            wander(w, area, t, a->from_us);
        go_and_come(w, a);
        keep_lone_appointments(w, a->to_us);
        t = a->to_us > t ? a->to_us : t;
        if (a->comes)
            area = HALLWAY;
    }
    if (p->bed_us > t && (!w->today->is_holiday || area == HALLWAY))
        wander(w, area, t, p->bed_us);
    keep_lone_appointments(w, INT64_MAX);
}

/* --- What HA sees
 * ------------------------------------------------------------------------------------ */

static void tell_presence(struct today *today, int64_t time_us, int64_t entity, int32_t word)
{
    if (entity >= 0)
        today_add_wish(today, &(struct home_wish){.time_us = time_us,
                                                  .entity = (uint32_t)entity,
                                                  .value = word,
                                                  .habit = -1,
                                                  .kind = WISH_SET,
                                                  .cause = HOME_BY_SYSTEM});
}

static void tell_absences(struct today *today, int person)
{
    const struct home_person *home_person = &today->home->people[person];
    const struct presence *p = &today->people[person];
    for (int i = 0; i < p->away_count; i++) {
        const struct absence *a = &p->away[i];
        for (int end = 0; end < 2; end++) {
            const int64_t time_us = end ? a->seen_to_us : a->seen_from_us;
            if (!(end ? a->comes : a->goes))
                continue;
            tell_presence(today, time_us, home_person->tracker, end ? HOME_ON : HOME_OFF);
            tell_presence(today, time_us + 3000, home_person->entity, end ? HOME_ON : HOME_OFF);
        }
    }
}

/* On its bad days a detector goes on and off for hours. */
static void flap(struct walk *w, uint32_t entity)
{
    enum { FLAPS_MAX = 80 };
    const struct today *today = w->today;
    struct rng rng;
    rng_init(&rng, today->home->seed, STREAM_FLAPPING, entity, today->local_day);
    if (!rng_chance(&rng, today->home->entities[entity].flapping_share))
        return;
    double s = rng_between(&rng, 0, 20 * HOUR_S);
    const double end_s = s + rng_between(&rng, .3, 3) * HOUR_S;
    for (int i = 0; i < FLAPS_MAX && s < end_s; i++) {
        const double on_s = rng_between(&rng, 2, 30);
        struct home_use *use = today_add_use(w->today, entity);
        use->begin_us = today_us(today, s);
        use->end_us = today_us(today, s + on_s);
        use->begin_cause = use->end_cause = HOME_BY_SYSTEM;
        s += on_s + rng_between(&rng, 2, 60);
    }
}

void people_walk(struct today *today)
{
    const struct home *home = today->home;
    struct walk w = {.today = today, .front_door = -1};
    rng_init(&w.rng, home->seed, STREAM_WALK, 0, today->local_day);
    w.detectors = xcalloc(home->entity_count, sizeof *w.detectors);
    for (size_t e = 0; e < home->entity_count; e++) {
        if (sees_motion(&home->entities[e]))
            w.detectors[w.detector_count++] = (uint32_t)e;
        else if (home->entities[e].is_front_door)
            w.front_door = (int64_t)e;
    }
    for (int p = 0; p < home->people_count; p++) {
        walk_person(&w, p);
        tell_absences(today, p);
    }
    for (size_t e = 0; e < home->entity_count; e++)
        if (home->entities[e].flapping_share > 0)
            flap(&w, (uint32_t)e);
    free(w.detectors);
    free(w.appointments);
}
