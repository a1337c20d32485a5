/* A home whose rules may hang on something: two people, a mode, the sun, perhaps a light sensor.
 * For tests that include tracks.h. */
#ifndef GATED_HOME_H
#define GATED_HOME_H

#include <string.h>

#include "tracks.h"
#include "mine/gates.h"

struct home {
    struct history h;
    struct days days;
    struct daylight daylight;
    struct restarts restarts;
    struct actors actors;
    struct gates gates;
    uint16_t home_state, not_home_state, party_state, quiet_state;
};

static inline void add_person(struct home *home, const char *id, int days)
{
    struct history_entity *e = made_entity(&home->h, id);
    made_change(&home->h, e, monday, 0, home->home_state, CAUSE_PHYSICAL);
    for (int d = 0; d < days; d++) {
        if (made_weekday(monday + d) >= 5 ? chance(0.4) : chance(0.1))
            continue;
        made_change(&home->h, e, monday + d, (int)uniform(7.5 * HOUR, 9 * HOUR),
                    home->not_home_state, CAUSE_PHYSICAL);
        made_change(&home->h, e, monday + d, (int)uniform(15.5 * HOUR, 19 * HOUR), home->home_state,
                    CAUSE_PHYSICAL);
    }
}

/* Changes every few days. */
static inline void add_select(struct home *home, const char *id, int days)
{
    struct history_entity *e = made_entity(&home->h, id);
    const int words[] = {home->party_state, home->quiet_state, HISTORY_STATE_OFF};
    int now = 2;
    made_change(&home->h, e, monday, 0, words[now], CAUSE_PHYSICAL);
    for (int d = 0; d < days; d++) {
        if (!chance(0.5))
            continue;
        now = (now + (chance(0.5) ? 1 : 2)) % 3;
        made_change(&home->h, e, monday + d, (int)uniform(8 * HOUR, 23 * HOUR), words[now],
                    CAUSE_PHYSICAL);
    }
}

/* As bright as the sun is high, more or less by the day's clouds. */
static inline void add_light(struct home *home, const char *id, int days)
{
    struct history_entity *e = made_entity(&home->h, id);
    e->device_class = xstrdup("illuminance");
    e->means_from_ms = home->h.from_ms;
    e->mean_count = (size_t)days * 288;
    e->means = xcalloc(e->mean_count, sizeof *e->means);
    for (int d = 0; d < days; d++) {
        double clouds = exp(uniform(-1.2, 0.7));
        for (int k = 0; k < 288; k++) {
            double hour = k / 12.0, height = sin((hour - 7) / 11 * 3.14159);
            e->means[d * 288 + k] =
                (float)(hour > 7 && hour < 18 ? 3 + 400 * clouds * height * uniform(0.9, 1.1) : 3);
        }
    }
}

static inline int compare_entities(const void *left, const void *right)
{
    const struct history_entity *a = left, *b = right;
    return strcmp(a->entity_id, b->entity_id);
}

/* People who go to work, a mode, perhaps a light sensor: sorted, as a history has to be. */
static inline void home_begin(struct home *home, int days, bool has_light)
{
    *home = (struct home){.gates = {.count = 0}};
    made_init(&home->h, tz, monday, days);
    home->h.has_location = true;
    home->h.latitude = 52.5;
    home->h.longitude = 13.4;
    home->home_state = made_state(&home->h, "home");
    home->not_home_state = made_state(&home->h, "not_home");
    home->party_state = made_state(&home->h, "party");
    home->quiet_state = made_state(&home->h, "quiet");
    add_select(home, "input_select.mode", days);
    add_person(home, "person.anna", days);
    add_person(home, "person.ben", days);
    if (has_light)
        add_light(home, "sensor.light", days);
    daylight_init(&home->daylight, &home->h);
}

static inline void home_end(struct home *home)
{
    qsort(home->h.entities, home->h.entity_count, sizeof *home->h.entities, compare_entities);
    days_init(&home->days, &home->h);
    restarts_init(&home->restarts, &home->h);
    actors_init(&home->actors, &home->h, &home->days, &home->restarts);
    gates_init(&home->gates, &home->h, &home->daylight, &home->days, &home->actors);
}

static inline void home_init(struct home *home, int days, bool has_light)
{
    home_begin(home, days, has_light);
    home_end(home);
}

static inline void home_release(struct home *home)
{
    gates_release(&home->gates);
    actors_release(&home->actors);
    restarts_release(&home->restarts);
    daylight_release(&home->daylight);
    days_release(&home->days);
    history_release(&home->h);
}

#endif
