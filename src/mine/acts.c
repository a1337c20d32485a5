/* Separates what people did from what automations, machines and restarts did. */
#include "mine/acts.h"

#include <stdlib.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "mine/dial.h"
#include "mine/machines.h"
#include "stats/stats.h"

bool acts_is_absent(uint16_t state)
{
    return state == HISTORY_STATE_UNAVAILABLE || state == HISTORY_STATE_UNKNOWN;
}

bool acts_is_free(uint16_t state, enum rule_verb verb)
{
    return verb == RULE_TURN_OFF ? state != HISTORY_STATE_OFF && !acts_is_absent(state)
                                 : state == HISTORY_STATE_OFF;
}

/* ---- restarts ------------------------------------------------------------------------------ */

enum { RESTART_ENTITIES_MIN = 3, RESTART_SHARE = 3 };

struct absence {
    int64_t time_ms;
    size_t entity;
};

static int compare_absences(const void *left, const void *right)
{
    const struct absence *a = left, *b = right;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    return (a->entity > b->entity) - (a->entity < b->entity);
}

static int compare_spans(const void *left, const void *right)
{
    const struct history_span *a = left, *b = right;
    return (a->from_ms > b->from_ms) - (a->from_ms < b->from_ms);
}

static void restarts_add(struct restarts *restarts, int64_t from_ms, int64_t to_ms)
{
    restarts->spans =
        grow_array(restarts->spans, restarts->count, &restarts->capacity, sizeof *restarts->spans);
    restarts->spans[restarts->count++] = (struct history_span){from_ms, to_ms};
}

static void restarts_merge(struct restarts *restarts)
{
    if (restarts->count == 0)
        return;
    qsort(restarts->spans, restarts->count, sizeof *restarts->spans, compare_spans);
    size_t kept = 0;
    for (size_t i = 1; i < restarts->count; i++) {
        if (restarts->spans[i].from_ms > restarts->spans[kept].to_ms)
            restarts->spans[++kept] = restarts->spans[i];
        else if (restarts->spans[i].to_ms > restarts->spans[kept].to_ms)
            restarts->spans[kept].to_ms = restarts->spans[i].to_ms;
    }
    restarts->count = kept + 1;
}

/* Slides one minute over the absences and adds each minute that concerns `enough` entities. */
static void restarts_add_bursts(struct restarts *restarts, const struct absence *absences,
                                size_t count, size_t entity_count, size_t enough)
{
    uint32_t *inside = xcalloc(entity_count, sizeof *inside);
    size_t first = 0, distinct = 0;
    for (size_t i = 0; i < count; i++) {
        distinct += inside[absences[i].entity]++ == 0;
        for (; absences[first].time_ms < absences[i].time_ms - ACTS_SETTLE_MS; first++)
            distinct -= --inside[absences[first].entity] == 0;
        if (distinct >= enough)
            restarts_add(restarts, absences[first].time_ms, absences[i].time_ms + ACTS_SETTLE_MS);
    }
    free(inside);
}

void restarts_init(struct restarts *restarts, const struct history *h)
{
    *restarts = (struct restarts){.spans = NULL};
    for (size_t i = 0; i < h->covered_count; i++)
        restarts_add(restarts, h->covered[i].from_ms, h->covered[i].from_ms + ACTS_SETTLE_MS);
    struct absence *absences = NULL;
    size_t count = 0, capacity = 0, followed = 0;
    for (size_t i = 0; i < h->entity_count; i++) {
        const struct history_entity *e = &h->entities[i];
        followed += e->changes > 0;
        for (size_t k = 1; k < e->changes; k++) {
            if (acts_is_absent(e->state[k]) == acts_is_absent(e->state[k - 1]))
                continue;
            absences = grow_array(absences, count, &capacity, sizeof *absences);
            absences[count++] = (struct absence){e->time_ms[k], i};
        }
    }
    size_t enough = followed / RESTART_SHARE;
    if (enough < RESTART_ENTITIES_MIN)
        enough = RESTART_ENTITIES_MIN;
    if (count > 0) {
        qsort(absences, count, sizeof *absences, compare_absences);
        restarts_add_bursts(restarts, absences, count, h->entity_count, enough);
    }
    free(absences);
    restarts_merge(restarts);
}

void restarts_release(struct restarts *restarts)
{
    free(restarts->spans);
    *restarts = (struct restarts){.spans = NULL};
}

bool restarts_hold(const struct restarts *restarts, int64_t time_ms)
{
    size_t low = 0, high = restarts->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (restarts->spans[middle].to_ms < time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low < restarts->count && restarts->spans[low].from_ms <= time_ms;
}

/* ---- acts ---------------------------------------------------------------------------------- */

static int compare_acts(const void *left, const void *right)
{
    const struct act *a = left, *b = right;
    return (a->time_ms > b->time_ms) - (a->time_ms < b->time_ms);
}

static void automatic_add(struct acts *acts, const struct act *act)
{
    acts->automatic = grow_array(acts->automatic, acts->automatic_count, &acts->automatic_capacity,
                                 sizeof *acts->automatic);
    acts->automatic[acts->automatic_count++] = *act;
}

bool acts_place(struct act *act, int64_t time_ms, const struct days *days)
{
    struct tz_local local;
    tz_to_local(days->tz, time_ms / 1000, &local);
    int64_t day = local.day - days->first;
    *act = (struct act){time_ms, (int)day, local.second_of_day};
    return day >= 0 && day < days->count;
}

void acts_add(struct acts *acts, int64_t time_ms, enum cause cause, const struct days *days)
{
    struct act act;
    if (!acts_place(&act, time_ms, days))
        return;
    if (cause == CAUSE_AUTOMATION) {
        automatic_add(acts, &act);
        return;
    }
    acts->list = grow_array(acts->list, acts->count, &acts->capacity, sizeof *acts->list);
    acts->list[acts->count++] = act;
}

/* How long the entity had been in its last state at each act. */
static int64_t *acts_lengths(const struct acts *acts, const struct history_entity *entity)
{
    int64_t *after_ms = xcalloc(acts->count, sizeof *after_ms);
    for (size_t i = 0, change = 1; i < acts->count; i++) {
        while (entity->time_ms[change] < acts->list[i].time_ms)
            change++;
        after_ms[i] = acts->list[i].time_ms - entity->time_ms[change - 1];
    }
    return after_ms;
}

/* Moves the marked acts over to the automatic ones. */
static void acts_move_marked(struct acts *acts, const bool *is_machine)
{
    size_t kept = 0, count = acts->count;
    for (size_t i = 0; i < count; i++) {
        if (is_machine[i])
            automatic_add(acts, &acts->list[i]);
        else
            acts->list[kept++] = acts->list[i];
    }
    acts->machine += count - kept;
    acts->count = kept;
    if (kept < count)
        qsort(acts->automatic, acts->automatic_count, sizeof *acts->automatic, compare_acts);
}

void acts_move_schedule(struct acts *acts, const struct dial *dial)
{
    if (acts->count == 0)
        return;
    struct acts placed;
    dial_place_acts(dial, acts, &placed);
    bool *is_machine = xcalloc(acts->count, sizeof *is_machine);
    if (machines_mark_on_dial(placed.list, placed.count, is_machine) > 0)
        acts_move_marked(acts, is_machine);
    free(is_machine);
    acts_release(&placed);
}

void acts_move_clockwork(struct acts *acts)
{
    if (acts->count == 0)
        return;
    bool *by_clock = xcalloc(acts->count, sizeof *by_clock);
    machines_mark(acts->list, acts->count, by_clock);
    acts_move_marked(acts, by_clock);
    free(by_clock);
}

static void acts_move_machines(struct acts *acts, const struct history_entity *entity,
                               enum rule_verb verb)
{
    if (acts->count == 0)
        return;
    int64_t *after_ms = acts_lengths(acts, entity);
    bool *by_clock = xcalloc(acts->count, sizeof *by_clock);
    bool *by_timer = xcalloc(acts->count, sizeof *by_timer);
    machines_mark(acts->list, acts->count, by_clock);
    if (verb == RULE_TURN_OFF)
        machines_mark_timers(acts->list, after_ms, acts->count, by_timer);
    for (size_t i = 0; i < acts->count; i++)
        by_clock[i] = by_clock[i] || by_timer[i];
    acts_move_marked(acts, by_clock);
    free(after_ms);
    free(by_clock);
    free(by_timer);
}

void acts_collect(struct acts *acts, const struct history_entity *entity, enum rule_verb verb,
                  const struct days *days, const struct restarts *restarts)
{
    *acts = (struct acts){.list = NULL};
    uint16_t target = verb == RULE_TURN_ON ? HISTORY_STATE_ON : HISTORY_STATE_OFF;
    int64_t quiet_until = INT64_MIN, back_ms = INT64_MIN;
    uint16_t lost = HISTORY_STATE_UNKNOWN; /* the state before the last absence */
    for (size_t i = 1; i < entity->changes; i++) {
        uint16_t before = entity->state[i - 1], after = entity->state[i];
        int64_t time_ms = entity->time_ms[i];
        if (acts_is_absent(before) || acts_is_absent(after)) {
            quiet_until = time_ms + ACTS_SETTLE_MS;
            back_ms = time_ms;
            lost = acts_is_absent(before) ? lost : before;
            continue;
        }
        bool is_restored = after == lost && time_ms <= back_ms + ACTS_RESTORE_MS;
        back_ms = is_restored ? back_ms : INT64_MIN; /* only the first change may be one */
        if (after == target && before != after && time_ms > quiet_until && !is_restored &&
            !restarts_hold(restarts, time_ms))
            acts_add(acts, time_ms, (enum cause)entity->cause[i], days);
    }
    acts_move_machines(acts, entity, verb);
}

void acts_release(struct acts *acts)
{
    free(acts->list);
    free(acts->automatic);
    *acts = (struct acts){.list = NULL};
}

size_t acts_find(const struct act *list, size_t count, int64_t time_ms)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list[middle].time_ms < time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int acts_day_near(const struct act *act, int second, int *offset_s)
{
    int offset = stats_circular_difference(act->second, second);
    if (offset_s != NULL)
        *offset_s = offset;
    return act->day + (act->second - offset - second) / STATS_DAY_S;
}
