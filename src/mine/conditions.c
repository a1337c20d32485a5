#include "mine/conditions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/order.h"
#include "core/tz.h"
#include "core/xalloc.h"
#include "stats/stats.h"
#include "stats/sun.h"

/* ---- daylight ------------------------------------------------------------------------------ */

void daylight_init(struct daylight *daylight, const struct history *h)
{
    *daylight = (struct daylight){.is_known = h->has_location && h->from_ms <= h->to_ms};
    if (!daylight->is_known)
        return;
    const struct sun_place place = {h->latitude, h->longitude, h->elevation_m};
    size_t capacity = 0;
    int64_t next[2], at = h->from_ms;
    bool has[2];
    for (int sets = 0; sets < 2; sets++)
        has[sets] = sun_event_after(&place, h->tz, sets, 0, at, &next[sets]);
    if (!has[0] && !has[1]) { /* a pole: half a year cannot be told from the other */
        daylight->is_known = false;
        return;
    }
    daylight->begins_up = has[1] && (!has[0] || next[1] < next[0]);
    for (bool sets = daylight->begins_up; has[sets] && next[sets] <= h->to_ms; sets = !sets) {
        daylight->toggle_ms = grow_array(daylight->toggle_ms, daylight->count, &capacity,
                                         sizeof *daylight->toggle_ms);
        daylight->toggle_ms[daylight->count++] = at = next[sets];
        has[!sets] = sun_event_after(&place, h->tz, !sets, 0, at, &next[!sets]);
    }
}

void daylight_release(struct daylight *daylight)
{
    free(daylight->toggle_ms);
    *daylight = (struct daylight){.toggle_ms = NULL};
}

bool daylight_at(const struct daylight *daylight, int64_t time_ms)
{
    size_t toggles = order_find(daylight->toggle_ms, daylight->count, time_ms + 1);
    return (toggles % 2 == 1) != daylight->begins_up;
}

/* ---- conditions ---------------------------------------------------------------------------- */

static bool state_holds(const struct history *h, const struct daylight *daylight,
                        const struct rule_condition *condition, int64_t time_ms)
{
    if (strcmp(condition->entity_id, RULE_SUN_ENTITY) == 0 && daylight->is_known)
        return daylight_at(daylight, time_ms) == (strcmp(condition->state, RULE_DAYLIGHT) == 0);
    const struct history_entity *entity = history_find_entity(h, condition->entity_id);
    size_t change = entity != NULL ? history_find_change(entity, time_ms + 1) : 0;
    return change > 0 && strcmp(h->states[entity->state[change - 1]], condition->state) == 0;
}

double conditions_people_home(const struct history *h, int64_t time_ms)
{
    static const char domain[] = "person.";
    int people = 0, home = 0;
    for (size_t i = 0; i < h->entity_count; i++) {
        const struct history_entity *e = &h->entities[i];
        int order = strncmp(e->entity_id, domain, sizeof domain - 1);
        if (order > 0)
            break;
        if (order < 0 || e->changes == 0)
            continue;
        size_t change = history_find_change(e, time_ms + 1);
        people++;
        home += change > 0 && strcmp(h->states[e->state[change - 1]], "home") == 0;
    }
    return people > 0 ? (double)home : (double)NAN;
}

static bool number_holds(const struct history *h, const struct rule_condition *condition,
                         int64_t time_ms)
{
    double number = NAN; /* compares false */
    const struct history_entity *entity = history_find_entity(h, condition->entity_id);
    if (strcmp(condition->entity_id, RULE_HOME_ENTITY) == 0)
        number = conditions_people_home(h, time_ms);
    else if (entity != NULL)
        number = history_number_at(entity, time_ms);
    return condition->kind == RULE_WHEN_BELOW ? number < condition->limit
                                              : number > condition->limit;
}

static bool time_holds(const struct history *h, const struct rule_condition *condition,
                       int64_t time_ms)
{
    struct tz_local local;
    tz_to_local(h->tz, time_ms / 1000, &local);
    int s = local.second_of_day, from = condition->from_s, to = condition->to_s;
    return from < to ? s >= from && s < to : s >= from || s < to;
}

bool condition_holds(const struct history *h, const struct daylight *daylight,
                     const struct rule_condition *condition, int64_t time_ms)
{
    switch (condition->kind) {
    case RULE_WHEN_STATE:
        return state_holds(h, daylight, condition, time_ms);
    case RULE_WHEN_BELOW:
    case RULE_WHEN_ABOVE:
        return number_holds(h, condition, time_ms);
    case RULE_WHEN_TIME:
        return time_holds(h, condition, time_ms);
    }
    return false;
}

bool conditions_hold(const struct history *h, const struct daylight *daylight,
                     const struct rule *rule, int64_t time_ms)
{
    for (size_t i = 0; i < rule->condition_count; i++)
        if (!condition_holds(h, daylight, &rule->conditions[i], time_ms))
            return false;
    return true;
}

/* Whether from..to and from..to, either perhaps over midnight, have no second in common. */
static bool times_exclude(const struct rule_condition *a, const struct rule_condition *b)
{
    int length_a = (a->to_s - a->from_s + STATS_DAY_S) % STATS_DAY_S;
    int length_b = (b->to_s - b->from_s + STATS_DAY_S) % STATS_DAY_S;
    int after = (b->from_s - a->from_s + STATS_DAY_S) % STATS_DAY_S;
    return after >= length_a && after + length_b <= STATS_DAY_S;
}

static bool exclude(const struct rule_condition *a, const struct rule_condition *b)
{
    if (a->kind == RULE_WHEN_TIME || b->kind == RULE_WHEN_TIME)
        return a->kind == b->kind && times_exclude(a, b);
    if (strcmp(a->entity_id, b->entity_id) != 0)
        return false;
    if (a->kind == RULE_WHEN_STATE || b->kind == RULE_WHEN_STATE)
        return a->kind == b->kind && strcmp(a->state, b->state) != 0;
    return a->kind == RULE_WHEN_BELOW ? b->kind == RULE_WHEN_ABOVE && b->limit >= a->limit
                                      : b->kind == RULE_WHEN_BELOW && a->limit >= b->limit;
}

bool conditions_exclude(const struct rule *a, const struct rule *b)
{
    for (size_t i = 0; i < a->condition_count; i++)
        for (size_t k = 0; k < b->condition_count; k++)
            if (exclude(&a->conditions[i], &b->conditions[k]))
                return true;
    return false;
}
