/* The predicates of a home. Which of them tell is chosen in gate_choice.c. */
#include "mine/gate_lights.h"
#include "mine/gates.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "mine/away.h"
#include "mine/miner.h"

enum {
    MODE_STATES_MAX = 8,      /* an entity with more states has no modes */
    MODE_DAY_CHANGES_MAX = 8, /* on average; what changes more often is no mode */
};
static_assert(GATES_MAX <= 64, "a set has 64 bits");

/* What people set, or keep in their calendar: not what a device reports. */
static const struct mode_domain {
    const char *domain;
    enum gate_kind kind;
} mode_domains[] = {
    {"input_select", GATE_MODE}, {"select", GATE_MODE},   {"alarm_control_panel", GATE_MODE},
    {"calendar", GATE_MODE},     {"schedule", GATE_MODE}, {"input_boolean", GATE_HELPER},
};
enum { MODE_DOMAINS = sizeof mode_domains / sizeof *mode_domains };

static bool has_domain(const char *entity_id, const char *domain)
{
    size_t length = strlen(domain);
    return strncmp(entity_id, domain, length) == 0 && entity_id[length] == '.';
}

static bool is_person(const struct history_entity *e)
{
    return has_domain(e->entity_id, "person") && e->changes > 0 &&
           rule_entity_id_is_valid(e->entity_id);
}

/* ---- when they hold ------------------------------------------------------------------------ */

/* From that time on it holds, or it does not. Times must not go back. */
static void gate_set(struct gate *gate, int64_t time_ms, bool holds)
{
    if (holds == (gate->toggle_count % 2 == 1))
        return;
    if (gate->toggle_count > 0 && gate->toggle_ms[gate->toggle_count - 1] == time_ms) {
        gate->toggle_count--;
        return;
    }
    gate->toggle_ms = grow_array(gate->toggle_ms, gate->toggle_count, &gate->toggle_capacity,
                                 sizeof *gate->toggle_ms);
    gate->toggle_ms[gate->toggle_count++] = time_ms;
}

/* On how many training days it held at some time, and on how many it did not at some time. */
static void count_days(const struct gate *gate, const struct days *days, int *held, int *not_held)
{
    size_t next = 0;
    *held = *not_held = 0;
    for (int day = 0; day < days->count; day++) {
        int64_t from = tz_day_start(days->tz, days->first + day) * 1000;
        int64_t to = tz_day_start(days->tz, days->first + day + 1) * 1000;
        while (next < gate->toggle_count && gate->toggle_ms[next] <= from)
            next++;
        bool at_first = next % 2 == 1,
             changes = next < gate->toggle_count && gate->toggle_ms[next] < to;
        if (days_role(days, day) != DAY_TRAINING)
            continue;
        *held += at_first || changes;
        *not_held += !at_first || changes;
    }
}

/* Keeps the gate when there is room and both are seen often enough; else releases it. */
static void gates_add(struct gates *gates, struct gate *gate)
{
    int held, not_held;
    count_days(gate, gates->days, &held, &not_held);
    if (held < MINE_MATCHING_DAYS_MIN || not_held < MINE_MATCHING_DAYS_MIN ||
        gates->count == GATES_MAX) {
        free(gate->toggle_ms);
        return;
    }
    gate->bit = (int)gates->count;
    gates->of_kind[gate->kind]++;
    gates->list[gates->count++] = *gate;
}

static void add_sun(struct gates *gates, const struct daylight *daylight)
{
    if (daylight == NULL || !daylight->is_known)
        return;
    for (int dark = 1; dark >= 0; dark--) {
        struct gate gate = {.kind = GATE_SUN,
                            .condition = {.kind = RULE_WHEN_STATE,
                                          .entity_id = RULE_SUN_ENTITY,
                                          .state = dark ? RULE_DARK : RULE_DAYLIGHT},
                            .entity = SIZE_MAX};
        bool up = daylight->begins_up;
        gate_set(&gate, INT64_MIN, up == !dark);
        for (size_t i = 0; i < daylight->count; i++) {
            up = !up;
            gate_set(&gate, daylight->toggle_ms[i], up == !dark);
        }
        gates_add(gates, &gate);
    }
}

static void add_days(struct gates *gates)
{
    static const unsigned classes[] = {RULE_WEEKDAYS, RULE_WEEKEND};
    const struct days *days = gates->days;
    for (size_t c = 0; c < sizeof classes / sizeof *classes; c++) {
        struct gate gate = {.kind = GATE_DAYS, .weekdays = classes[c], .entity = SIZE_MAX};
        for (int day = 0; day < days->count; day++)
            gate_set(&gate, tz_day_start(days->tz, days->first + day) * 1000,
                     classes[c] >> days_weekday(days, day) & 1U);
        gates_add(gates, &gate);
    }
}

static void add_state(struct gates *gates, enum gate_kind kind, size_t entity, uint16_t state)
{
    const struct history *h = gates->history;
    const struct history_entity *e = &h->entities[entity];
    struct gate gate = {.kind = kind,
                        .condition = {.kind = RULE_WHEN_STATE,
                                      .entity_id = e->entity_id,
                                      .state = h->states[state]},
                        .entity = entity};
    if (!rule_state_is_valid(h->states[state]))
        return;
    for (size_t i = 0; i < e->changes; i++)
        gate_set(&gate, e->time_ms[i], e->state[i] == state);
    gates_add(gates, &gate);
}

/* ---- people -------------------------------------------------------------------------------- */

/* Each one's next change. */
struct crowd {
    const struct history_entity *persons[GATES_PERSONS_MAX];
    size_t entities[GATES_PERSONS_MAX], next[GATES_PERSONS_MAX], count;
};

/* Moves to the next change of any; false behind the last. */
static bool crowd_step(struct crowd *crowd, int64_t *time_ms)
{
    *time_ms = INT64_MAX;
    for (size_t p = 0; p < crowd->count; p++)
        if (crowd->next[p] < crowd->persons[p]->changes &&
            crowd->persons[p]->time_ms[crowd->next[p]] < *time_ms)
            *time_ms = crowd->persons[p]->time_ms[crowd->next[p]];
    for (size_t p = 0; p < crowd->count; p++)
        while (crowd->next[p] < crowd->persons[p]->changes &&
               crowd->persons[p]->time_ms[crowd->next[p]] == *time_ms)
            crowd->next[p]++;
    return *time_ms != INT64_MAX;
}

static int crowd_home(const struct crowd *crowd, uint16_t home)
{
    int count = 0;
    for (size_t p = 0; p < crowd->count; p++)
        count += crowd->next[p] > 0 && crowd->persons[p]->state[crowd->next[p] - 1] == home;
    return count;
}

static bool find_state(const struct history *h, const char *word, uint16_t *state)
{
    for (size_t i = 0; i < h->state_count; i++)
        if (strcmp(h->states[i], word) == 0) {
            *state = (uint16_t)i;
            return true;
        }
    return false;
}

static void add_somebody(struct gates *gates, struct crowd crowd, uint16_t home)
{
    struct gate some = {
        .kind = GATE_PRESENCE,
        .condition = {.kind = RULE_WHEN_ABOVE, .entity_id = RULE_HOME_ENTITY, .limit = 0},
        .entity = SIZE_MAX};
    struct gate none = some;
    none.condition.kind = RULE_WHEN_BELOW;
    none.condition.limit = 1;
    for (int64_t at; crowd_step(&crowd, &at);) {
        gate_set(&some, at, crowd_home(&crowd, home) > 0);
        gate_set(&none, at, crowd_home(&crowd, home) == 0);
    }
    gates_add(gates, &some);
    gates_add(gates, &none);
}

static void add_presence(struct gates *gates)
{
    const struct history *h = gates->history;
    struct crowd crowd = {.count = 0};
    uint16_t home, not_home;
    for (size_t i = 0; i < h->entity_count && crowd.count < GATES_PERSONS_MAX; i++)
        if (is_person(&h->entities[i])) {
            crowd.entities[crowd.count] = i;
            crowd.persons[crowd.count++] = &h->entities[i];
        }
    if (!find_state(h, "home", &home) || !find_state(h, "not_home", &not_home))
        return;
    for (size_t p = 0; p < crowd.count; p++) {
        add_state(gates, GATE_PRESENCE, crowd.entities[p], home);
        add_state(gates, GATE_PRESENCE, crowd.entities[p], not_home);
    }
    if (crowd.count > 1)
        add_somebody(gates, crowd, home);
}

/* ---- modes, light -------------------------------------------------------------------------- */

static bool may_be_mode(const struct gates *gates, const struct history_entity *e)
{
    return e->changes > 0 && rule_entity_id_is_valid(e->entity_id) &&
           e->changes <= (size_t)gates->days->count * MODE_DAY_CHANGES_MAX;
}

static void add_modes(struct gates *gates, enum gate_kind kind, size_t entity)
{
    const struct history_entity *e = &gates->history->entities[entity];
    uint16_t seen[MODE_STATES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < e->changes; i++) {
        bool is_new = !acts_is_absent(e->state[i]);
        for (size_t k = 0; k < count; k++)
            is_new = is_new && seen[k] != e->state[i];
        if (is_new && count == MODE_STATES_MAX)
            return;
        if (is_new)
            seen[count++] = e->state[i];
    }
    for (size_t k = 0; k < count; k++)
        if (seen[k] != HISTORY_STATE_OTHER)
            add_state(gates, kind, entity, seen[k]);
}

static bool is_light_sensor(const struct history_entity *e)
{
    return e->device_class != NULL && strcmp(e->device_class, "illuminance") == 0 &&
           e->mean_count > 0 && rule_entity_id_is_valid(e->entity_id);
}

void gates_init(struct gates *gates, const struct history *h, const struct daylight *daylight,
                const struct days *days, const struct actors *actors)
{
    *gates = (struct gates){.history = h, .days = days, .away = away_find_days(actors, days)};
    add_sun(gates, daylight);
    add_days(gates);
    add_presence(gates);
    for (size_t m = 0; m < MODE_DOMAINS; m++)
        for (size_t i = 0; i < h->entity_count; i++)
            if (has_domain(h->entities[i].entity_id, mode_domains[m].domain) &&
                may_be_mode(gates, &h->entities[i]))
                add_modes(gates, mode_domains[m].kind, i);
    for (size_t i = 0; i < h->entity_count; i++) {
        if (!is_light_sensor(&h->entities[i]))
            continue;
        gates->lights = grow_array(gates->lights, gates->light_count, &gates->light_capacity,
                                   sizeof *gates->lights);
        gates->lights[gates->light_count++] = i;
    }
    gates->levels = xcalloc(gates->light_count + 1, sizeof *gates->levels);
    for (size_t i = 0; i < gates->light_count; i++)
        gates->levels[i] = gate_light_levels(&h->entities[gates->lights[i]]);
}

void gates_release(struct gates *gates)
{
    for (size_t i = 0; i < gates->count; i++)
        free(gates->list[i].toggle_ms);
    for (size_t i = 0; i < gates->light_count; i++)
        free(gates->levels[i]);
    free(gates->levels);
    free(gates->lights);
    free(gates->away);
    *gates = (struct gates){.lights = NULL};
}

void gates_mark(const struct gates *gates, const int64_t *time_ms, size_t count, uint64_t *holds)
{
    for (size_t i = 0; i < count; i++)
        holds[i] = 0;
    for (size_t g = 0; g < gates->count; g++) {
        const struct gate *gate = &gates->list[g];
        for (size_t i = 0, next = 0; i < count; i++) {
            while (next < gate->toggle_count && gate->toggle_ms[next] <= time_ms[i])
                next++;
            holds[i] |= (uint64_t)(next % 2) << g;
        }
    }
}

int gates_rest_s(int level)
{
    return (level + 1) * GATES_REST_STEP_S;
}

uint8_t gates_rest_level(int64_t rest_ms)
{
    int64_t level = rest_ms / 1000 / GATES_REST_STEP_S;
    return (uint8_t)(level < 0 ? 0 : level > GATES_REST_COUNT ? GATES_REST_COUNT : level);
}
