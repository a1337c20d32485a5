#include "mine/gate_lights.h"

#include <math.h>
#include <string.h>

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

uint8_t gate_light_level(const struct gates *gates, size_t light, const struct gate_case *at)
{
    double number = history_number_at(&gates->history->entities[light], at->time_ms);
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
