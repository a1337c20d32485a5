#include "mine/gate_lights.h"

#include <math.h>
#include <string.h>

#include "core/xalloc.h"
#include "mine/gate_weights.h"

static const double mantissas[GATE_LIMITS_DECADE] = {
    1, 1.1, 1.2, 1.4, 1.6, 1.8, 2, 2.2, 2.5, 2.8, 3.2, 3.6, 4, 4.5, 5, 5.6, 6.3, 7.1, 8, 9};

double gate_limit(int index)
{
    static const double decades[] = {1, 10, 100, 1000, 10000};
    return mantissas[index % GATE_LIMITS_DECADE] * decades[index / GATE_LIMITS_DECADE];
}

bool gate_limit_is_round(int index)
{
    double first = mantissas[index % GATE_LIMITS_DECADE];
    return first == 1 || first == 2 || first == 5;
}

static uint8_t level_of(double number)
{
    int low = 0, high = GATE_LIMITS;
    if (isnan(number))
        return GATE_LEVEL_NONE;
    while (low < high) {
        int middle = (low + high) / 2;
        if (gate_limit(middle) <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return (uint8_t)low;
}

uint8_t *gate_light_levels(const struct history_entity *sensor)
{
    uint8_t *levels = xcalloc(sensor->mean_count + 1, sizeof *levels);
    for (size_t i = 0; i < sensor->mean_count; i++)
        levels[i] = level_of(sensor->means[i]);
    return levels;
}

void gate_light_look(const struct gates *gates, size_t light, const struct gate_question *question,
                     uint8_t *levels)
{
    const struct history_entity *e = &gates->history->entities[light];
    size_t own = 0;
    while (gates->lights[own] != light)
        own++;
    for (size_t i = 0; i < question->count; i++) {
        size_t mean = history_mean_at(e, question->cases[i].time_ms);
        levels[i] = mean == SIZE_MAX ? GATE_LEVEL_NONE : gates->levels[own][mean];
    }
}

static bool is_in_area(const struct gates *gates, size_t light, size_t other)
{
    const char *area = gates->history->entities[light].area;
    const char *where = other == SIZE_MAX ? NULL : gates->history->entities[other].area;
    return area != NULL && where != NULL && strcmp(area, where) == 0;
}

static int rank_of(const struct gates *gates, const struct gate_question *question, size_t light)
{
    if (is_in_area(gates, light, question->target))
        return 0;
    if (is_in_area(gates, light, question->trigger))
        return 1;
    return gates->history->entities[light].area == NULL ? 2 : 3;
}

size_t gate_lights_find(const struct gates *gates, const struct gate_question *question,
                        size_t lights[GATES_LIGHTS_MAX])
{
    size_t count = 0;
    if (!(question->kinds >> GATE_LIGHT & 1U))
        return 0;
    for (int rank = 0; rank < 4; rank++)
        for (size_t i = 0; i < gates->light_count && count < GATES_LIGHTS_MAX; i++)
            if (rank_of(gates, question, gates->lights[i]) == rank &&
                gates->lights[i] != question->trigger)
                lights[count++] = gates->lights[i];
    return count;
}
