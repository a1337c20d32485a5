/* Light sensors, and the limits that a rule may set to them. Pure; any thread. */
#ifndef HA_AI_MINE_GATE_LIGHTS_H
#define HA_AI_MINE_GATE_LIGHTS_H

#include "mine/gates.h"

enum {
    GATE_LIMITS_DECADE = 20,
    GATE_LIMITS = 4 * GATE_LIMITS_DECADE + 1, /* 1 to 10,000 lx */
};

/* Twenty to a decade, of two digits. */
double gate_limit(int index);

/* Whether people would say that number of their own: 1, 2 or 5, and zeros. */
bool gate_limit_is_round(int index);

/* Of each of a sensor's means, how many of the limits are not above it: its level; GATE_LEVEL_NONE
 * when there is none. The caller frees it. */
uint8_t *gate_light_levels(const struct history_entity *sensor);

/* The level that a sensor (index into history.entities, one of the gates' lights) shows at each
 * case of the question. */
void gate_light_look(const struct gates *gates, size_t light, const struct gate_question *question,
                     uint8_t *levels);

/* The sensors looked at for one rule: those of the target's area, of the trigger's, of none, then
 * the others. Returns how many. */
size_t gate_lights_find(const struct gates *gates, const struct gate_question *question,
                        size_t lights[GATES_LIGHTS_MAX]);

#endif
