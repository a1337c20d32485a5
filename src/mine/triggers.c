/* Collects what may set something off. */
#include "mine/triggers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"

enum { BIN_MS = 15 * 60 * 1000, BIN_BITS = 20 };
static_assert(BIN_MS <= 1 << BIN_BITS && TRIGGERS_MAX <= 1 << (32 - BIN_BITS), "a fire's 32 bits");

/* Not what happens in a home: what HA does itself, or what follows the clock alone. */
static const char *const excluded_domains[] = {
    "automation", "calendar", "scene", "schedule", "script", "sun", "update", "weather", "zone",
};

static bool is_excluded(const char *entity_id)
{
    const char *dot = strchr(entity_id, '.');
    size_t length = dot == NULL ? 0 : (size_t)(dot - entity_id);
    for (size_t i = 0; i < sizeof excluded_domains / sizeof *excluded_domains; i++)
        if (strlen(excluded_domains[i]) == length &&
            memcmp(excluded_domains[i], entity_id, length) == 0)
            return true;
    return length == 0 || !rule_entity_id_is_valid(entity_id);
}

static bool is_word(uint16_t state)
{
    return state != HISTORY_STATE_UNAVAILABLE && state != HISTORY_STATE_UNKNOWN &&
           state != HISTORY_STATE_OTHER;
}

static bool is_absent(uint16_t state)
{
    return state == HISTORY_STATE_UNAVAILABLE || state == HISTORY_STATE_UNKNOWN;
}

/* What one pass over one entity needs; by_state is all zero between entities. */
struct collector {
    const struct days *days;
    const struct restarts *restarts;
    const int64_t *day_start_ms;
    struct tally {
        size_t count, automatic; /* of these, what an automation did */
        int days, last_day;
        size_t slot; /* index into triggers.list + 1; 0 = none */
    } *by_state;
};

/* An entity goes to a word. */
struct entry {
    int64_t time_ms, rest_ms;
    int day;
    bool is_automatic;
};

/* Calls take for each entry of one entity that counts. */
static void collect(const struct collector *collector, const struct history_entity *e,
                    struct triggers *triggers,
                    void (*take)(struct tally *tally, const struct entry *entry,
                                 struct triggers *triggers))
{
    int day = 0;
    for (size_t i = 1; i < e->changes; i++) {
        if (!is_word(e->state[i]) || is_absent(e->state[i - 1]))
            continue;
        while (day < collector->days->count && collector->day_start_ms[day + 1] <= e->time_ms[i])
            day++;
        if (e->time_ms[i] < collector->day_start_ms[0] ||
            days_role(collector->days, day) != DAY_TRAINING ||
            restarts_hold(collector->restarts, e->time_ms[i]))
            continue;
        const struct entry entry = {e->time_ms[i], e->time_ms[i] - e->time_ms[i - 1], day,
                                    e->cause[i] == CAUSE_AUTOMATION};
        take(&collector->by_state[e->state[i]], &entry, triggers);
    }
}

static void take_count(struct tally *tally, const struct entry *entry, struct triggers *triggers)
{
    (void)triggers;
    tally->days += tally->count++ == 0 || tally->last_day != entry->day;
    tally->last_day = entry->day;
    tally->automatic += entry->is_automatic;
}

static void take_time(struct tally *tally, const struct entry *entry, struct triggers *triggers)
{
    if (tally->slot == 0)
        return;
    struct trigger *trigger = &triggers->list[tally->slot - 1];
    trigger->rest[trigger->count] = gates_rest_level(entry->rest_ms);
    trigger->time_ms[trigger->count++] = entry->time_ms;
}

/* Opens a list for the entry's state when it is the state's first and worth one. What automations
 * do most of the time sets nothing off: what set them off does. */
static void take_slot(struct tally *tally, const struct history *h, uint16_t state, size_t entity,
                      struct triggers *triggers)
{
    if (tally->slot != 0 || !rule_state_is_valid(h->states[state]) ||
        tally->days < TRIGGER_DAYS_MIN || 2 * tally->automatic > tally->count ||
        tally->count > (size_t)tally->days * TRIGGER_DAY_FIRES_MAX ||
        triggers->count >= TRIGGERS_MAX)
        return;
    triggers->list =
        grow_array(triggers->list, triggers->count, &triggers->capacity, sizeof *triggers->list);
    triggers->list[triggers->count++] =
        (struct trigger){.entity = entity,
                         .state = state,
                         .time_ms = xcalloc(tally->count, sizeof(int64_t)),
                         .rest = xcalloc(tally->count, sizeof(uint8_t)),
                         .days = tally->days};
    tally->slot = triggers->count;
}

static void collect_entity(struct triggers *triggers, const struct collector *collector,
                           const struct history *h, size_t entity)
{
    const struct history_entity *e = &h->entities[entity];
    if (e->changes < TRIGGER_DAYS_MIN || is_excluded(e->entity_id))
        return;
    collect(collector, e, triggers, take_count);
    for (size_t i = 1; i < e->changes; i++)
        take_slot(&collector->by_state[e->state[i]], h, e->state[i], entity, triggers);
    collect(collector, e, triggers, take_time);
    for (size_t i = 1; i < e->changes; i++)
        collector->by_state[e->state[i]] = (struct tally){.count = 0};
}

static size_t bin_of(const struct triggers *triggers, int64_t time_ms)
{
    if (time_ms < triggers->origin_ms)
        return 0;
    size_t bin = (size_t)((time_ms - triggers->origin_ms) / BIN_MS);
    return bin < triggers->bin_count ? bin : triggers->bin_count - 1;
}

static int64_t bin_start(const struct triggers *triggers, size_t bin)
{
    return triggers->origin_ms + (int64_t)bin * BIN_MS;
}

/* A counting sort: all fires by their quarter of an hour. */
static void fill_bins(struct triggers *triggers, const struct days *days,
                      const int64_t *day_start_ms)
{
    triggers->origin_ms = day_start_ms[0];
    triggers->bin_count = (size_t)((day_start_ms[days->count] - day_start_ms[0]) / BIN_MS) + 1;
    triggers->bin_first = xcalloc(triggers->bin_count + 1, sizeof *triggers->bin_first);
    size_t total = 0;
    for (size_t t = 0; t < triggers->count; t++) {
        const struct trigger *trigger = &triggers->list[t];
        total += trigger->count;
        for (size_t i = 0; i < trigger->count; i++)
            triggers->bin_first[bin_of(triggers, trigger->time_ms[i]) + 1]++;
    }
    for (size_t b = 0; b < triggers->bin_count; b++)
        triggers->bin_first[b + 1] += triggers->bin_first[b];
    triggers->fires = xcalloc(total, sizeof *triggers->fires);
    size_t *next = xcalloc(triggers->bin_count, sizeof *next);
    memcpy(next, triggers->bin_first, triggers->bin_count * sizeof *next);
    for (size_t t = 0; t < triggers->count; t++) {
        const struct trigger *trigger = &triggers->list[t];
        for (size_t i = 0; i < trigger->count; i++) {
            size_t bin = bin_of(triggers, trigger->time_ms[i]);
            int64_t in_bin = trigger->time_ms[i] - bin_start(triggers, bin);
            triggers->fires[next[bin]++] = (uint32_t)t << BIN_BITS | (uint32_t)in_bin;
        }
    }
    free(next);
}

void triggers_init(struct triggers *triggers, const struct history *h, const struct days *days,
                   const struct restarts *restarts, const int64_t *day_start_ms,
                   const struct gates *gates)
{
    *triggers = (struct triggers){.list = NULL};
    if (days->count == 0)
        return;
    struct collector collector = {days, restarts, day_start_ms,
                                  xcalloc(h->state_count, sizeof(struct tally))};
    for (size_t i = 0; i < h->entity_count; i++)
        collect_entity(triggers, &collector, h, i);
    free(collector.by_state);
    for (size_t t = 0; t < triggers->count && gates != NULL; t++) {
        struct trigger *trigger = &triggers->list[t];
        trigger->holds = xcalloc(trigger->count, sizeof *trigger->holds);
        gates_mark(gates, trigger->time_ms, trigger->count, trigger->holds);
    }
    fill_bins(triggers, days, day_start_ms);
}

void triggers_release(struct triggers *triggers)
{
    for (size_t t = 0; t < triggers->count; t++) {
        free(triggers->list[t].time_ms);
        free(triggers->list[t].rest);
        free(triggers->list[t].holds);
    }
    free(triggers->list);
    free(triggers->fires);
    free(triggers->bin_first);
    *triggers = (struct triggers){.list = NULL};
}

void triggers_visit(const struct triggers *triggers, int64_t from_ms, int64_t to_ms,
                    void (*visit)(size_t trigger, void *ctx), void *ctx)
{
    if (triggers->count == 0)
        return;
    for (size_t bin = bin_of(triggers, from_ms); bin <= bin_of(triggers, to_ms); bin++)
        for (size_t i = triggers->bin_first[bin]; i < triggers->bin_first[bin + 1]; i++) {
            uint32_t fire = triggers->fires[i];
            int64_t at = bin_start(triggers, bin) + (fire & ((1U << BIN_BITS) - 1));
            if (at >= from_ms && at <= to_ms)
                visit(fire >> BIN_BITS, ctx);
        }
}
