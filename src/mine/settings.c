#include "mine/settings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "mine/spells.h"

static const struct kind {
    double tolerance;
    bool is_of_use;
} kinds[RULE_ATTRIBUTE_COUNT] = {
    [RULE_BRIGHTNESS] = {3, true},  [RULE_COLOR_TEMPERATURE] = {100, true},
    [RULE_PERCENTAGE] = {3, true},  [RULE_VOLUME] = {0.03, true},
    [RULE_SETPOINT] = {0.3, false}, [RULE_POSITION] = {3, false},
};

#define ROUNDING 1e-6

double settings_tolerance(enum rule_attribute attribute)
{
    return kinds[attribute].tolerance;
}

/* ---- choices -------------------------------------------------------------------------------- */

/* A value that somebody chose, or an automation. */
struct choice {
    int64_t time_ms;
    double value;
    int day; /* index into days */
    enum cause cause;
    bool is_training; /* a person's, on a training day */
    bool is_taken;    /* by a setting already */
};

/* One device and attribute under work. */
struct work {
    const struct actor_ground *ground;
    size_t entity;
    enum rule_attribute attribute;
    uint16_t state_of_use;
    struct choice *choices; /* in time order */
    size_t count, capacity;
};

static const struct history_entity *entity_of(const struct work *work)
{
    return &work->ground->history->entities[work->entity];
}

/* Whether the device was absent shortly before: what changes then is restored. */
static bool was_absent(const struct history_entity *e, int64_t time_ms)
{
    size_t i = history_find_change(e, time_ms - ACTS_SETTLE_MS);
    if (i > 0 && acts_is_absent(e->state[i - 1]))
        return true;
    for (; i < e->changes && e->time_ms[i] <= time_ms; i++)
        if (acts_is_absent(e->state[i]))
            return true;
    return false;
}

/* When the use began for which something was chosen at a time; INT64_MIN = it was in use for a
 * while, or is not. */
static int64_t begin_of_use(const struct work *work, int64_t time_ms)
{
    const struct history_entity *e = entity_of(work);
    size_t i = history_find_change(e, time_ms + SETTINGS_BEFORE_MS + 1);
    for (; i > 1 && e->time_ms[i - 1] >= time_ms - SETTINGS_OF_USE_MS; i--)
        if (e->state[i - 1] == work->state_of_use && !acts_is_absent(e->state[i - 2]))
            return e->time_ms[i - 1];
    return INT64_MIN;
}

static void add_choice(struct work *work, int64_t time_ms, double value, enum cause cause)
{
    const struct days *days = work->ground->days;
    struct act act;
    if (!acts_place(&act, time_ms, days))
        return;
    work->choices = grow_array(work->choices, work->count, &work->capacity, sizeof *work->choices);
    work->choices[work->count++] = (struct choice){
        .time_ms = time_ms,
        .value = value,
        .day = act.day,
        .cause = cause,
        .is_training = cause != CAUSE_AUTOMATION && days_role(days, act.day) == DAY_TRAINING};
}

/* Of a device that is used: what was chosen for its uses, the last of each use. Of others: all that
 * was chosen. */
static void list_choices(struct work *work)
{
    const struct history_entity *e = entity_of(work);
    bool of_use = kinds[work->attribute].is_of_use;
    bool is_first = rule_attributes[work->attribute].is_recorded;
    for (size_t i = 0; i < e->value_count; i++) {
        const struct history_value *v = &e->values[i];
        if (v->attribute != work->attribute)
            continue;
        bool was_in_force = is_first && !v->is_told;
        is_first = false;
        int64_t begin_ms = of_use ? begin_of_use(work, v->time_ms) : v->time_ms;
        if (was_in_force || begin_ms == INT64_MIN || was_absent(e, v->time_ms) ||
            restarts_hold(work->ground->restarts, v->time_ms))
            continue;
        int64_t time_ms = v->time_ms > begin_ms ? v->time_ms : begin_ms;
        if (of_use && work->count > 0 && work->choices[work->count - 1].time_ms >= begin_ms)
            work->count--;
        add_choice(work, time_ms, v->value, (enum cause)v->cause);
    }
}

/* ---- values --------------------------------------------------------------------------------- */

static int compare_values(const void *left, const void *right)
{
    const struct choice *a = left, *b = right;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return (a->time_ms > b->time_ms) - (a->time_ms < b->time_ms);
}

/* People's choices of training days that no setting has taken, by value; the caller frees. */
static struct choice *sort_choices(const struct work *work, size_t *count)
{
    struct choice *sorted = xcalloc(work->count, sizeof *sorted);
    *count = 0;
    for (size_t i = 0; i < work->count; i++)
        if (work->choices[i].is_training && !work->choices[i].is_taken)
            sorted[(*count)++] = work->choices[i];
    if (*count > 0)
        qsort(sorted, *count, sizeof *sorted, compare_values);
    return sorted;
}

/* The value about which people chose on the most days; how many days these are. */
static int find_value(const struct work *work, double *value)
{
    size_t count, first = 0, from = 0, to = 0;
    struct choice *sorted = sort_choices(work, &count);
    int *chosen = xcalloc((size_t)work->ground->days->count, sizeof *chosen);
    int days = 0, most = 0;
    double width = 2 * kinds[work->attribute].tolerance + ROUNDING;
    for (size_t i = 0; i < count; i++) {
        days += chosen[sorted[i].day]++ == 0;
        for (; sorted[i].value - sorted[first].value > width; first++)
            days -= --chosen[sorted[first].day] == 0;
        if (days > most) {
            most = days;
            from = first;
            to = i;
        }
    }
    if (most > 0)
        *value = sorted[from + (to - from) / 2].value;
    free(chosen);
    free(sorted);
    return most;
}

static bool is_about(const struct work *work, double chosen, double value)
{
    return fabs(chosen - value) <= kinds[work->attribute].tolerance + ROUNDING;
}

/* ---- settings ------------------------------------------------------------------------------- */

static void add_change(struct history_entity *setting, int64_t time_ms, uint16_t state)
{
    if (setting->changes > 0 && setting->state[setting->changes - 1] == state)
        return;
    size_t capacity = setting->capacity;
    setting->time_ms =
        grow_array(setting->time_ms, setting->changes, &capacity, sizeof *setting->time_ms);
    setting->state =
        grow_array(setting->state, setting->changes, &setting->capacity, sizeof *setting->state);
    setting->time_ms[setting->changes] = time_ms;
    setting->state[setting->changes++] = state;
}

/* Whether the device has about that value, as its attribute tells; unknown while it is absent. */
static struct history_entity *follow_value(const struct work *work, double value)
{
    const struct history_entity *e = entity_of(work);
    struct history_entity *setting = xcalloc(1, sizeof *setting);
    uint16_t state = HISTORY_STATE_UNKNOWN;
    bool is_absent = false;
    for (size_t v = 0, c = 0; v < e->value_count || c < e->changes;) {
        bool is_value =
            c == e->changes || (v < e->value_count && e->values[v].time_ms < e->time_ms[c]);
        int64_t at_ms = is_value ? e->values[v].time_ms : e->time_ms[c];
        if (is_value && e->values[v].attribute == work->attribute)
            state =
                is_about(work, e->values[v].value, value) ? HISTORY_STATE_ON : HISTORY_STATE_OFF;
        if (!is_value)
            is_absent = acts_is_absent(e->state[c]);
        v += is_value;
        c += !is_value;
        add_change(setting, at_ms, is_absent ? HISTORY_STATE_UNKNOWN : state);
    }
    return setting;
}

/* Whether something was to be done when a use began: not where nobody told what they want. */
static struct history_entity *follow_uses(const struct work *work, double value)
{
    const struct history_entity *e = entity_of(work);
    struct history_entity *setting = xcalloc(1, sizeof *setting);
    bool is_recorded = rule_attributes[work->attribute].is_recorded;
    double before = NAN; /* the value in force, as far as it is told */
    size_t next = 0, v = 0;
    for (size_t i = 1; i < e->changes; i++) {
        if (e->state[i] != work->state_of_use)
            continue;
        int64_t begin_ms = e->time_ms[i];
        while (next < work->count && work->choices[next].time_ms < begin_ms)
            next++;
        bool is_chosen =
            next < work->count && work->choices[next].time_ms <= begin_ms + SETTINGS_OF_USE_MS;
        for (; v < e->value_count && e->values[v].time_ms <= begin_ms - SETTINGS_BEFORE_MS; v++)
            if (is_recorded && e->values[v].attribute == work->attribute)
                before = e->values[v].value;
        bool is_done = !is_chosen && (isnan(before) || is_about(work, before, value));
        add_change(setting, begin_ms - 1, is_done ? HISTORY_STATE_ON : HISTORY_STATE_OFF);
    }
    return setting;
}

static void add_setting(struct work *work, double value, struct actors *actors)
{
    const struct actor_ground *ground = work->ground;
    bool of_use = kinds[work->attribute].is_of_use;
    actors->list = grow_array(actors->list, actors->count, &actors->capacity, sizeof *actors->list);
    struct actor *actor = &actors->list[actors->count++];
    *actor = (struct actor){.kind = of_use ? ACTOR_SETTING_OF_USE : ACTOR_SETTING,
                            .entities = xcalloc(1, sizeof(size_t)),
                            .entity_ids = xcalloc(1, sizeof(char *)),
                            .count = 1,
                            .value = {work->attribute, value}};
    actor->entities[0] = work->entity;
    actor->entity_ids[0] = entity_of(work)->entity_id;
    actor->setting = of_use ? follow_uses(work, value) : follow_value(work, value);
    struct acts *acts = &actor->acts[RULE_SET];
    for (size_t i = 0; i < work->count; i++) {
        struct choice *choice = &work->choices[i];
        if (choice->is_taken || !is_about(work, choice->value, value))
            continue;
        choice->is_taken = true;
        acts_add(acts, choice->time_ms, choice->cause, ground->days);
    }
    acts_move_clockwork(acts);
    suns_move_schedules(ground->suns, acts);
}

static void add_settings(struct work *work, struct actors *actors)
{
    double value;
    int least = work->ground->days->training / SETTINGS_DAYS_SHARE;
    least = least > SETTINGS_DAYS_MIN ? least : SETTINGS_DAYS_MIN;
    list_choices(work);
    for (int i = 0; i < SETTINGS_MAX && find_value(work, &value) >= least; i++)
        add_setting(work, value, actors);
    free(work->choices);
}

uint16_t settings_state_of_use(const struct actors *actors, size_t entity, const struct history *h)
{
    for (size_t i = 0; i < actors->count && actors->list[i].kind == ACTOR_SWITCH; i++)
        if (actors->list[i].count == 1 && actors->list[i].entities[0] == entity)
            return spells_state_of_use(h, &actors->list[i]);
    return HISTORY_STATE_ON;
}

void settings_add(struct actors *actors, const struct actor_ground *ground)
{
    const struct history *h = ground->history;
    for (size_t e = 0; e < h->entity_count; e++)
        for (int a = 0; a < RULE_ATTRIBUTE_COUNT && h->entities[e].value_count > 0; a++) {
            enum rule_attribute attribute = (enum rule_attribute)a;
            const char *id = h->entities[e].entity_id;
            if (!rule_has_attribute(id, attribute) || !rule_entity_id_is_valid(id))
                continue;
            struct work work = {.ground = ground,
                                .entity = e,
                                .attribute = attribute,
                                .state_of_use = settings_state_of_use(actors, e, h)};
            add_settings(&work, actors);
        }
}
