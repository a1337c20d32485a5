/* Conditions on top of a state's trigger: a trigger of which only the fires count at which they
 * hold. Pure; any thread. */
#ifndef HA_AI_MINE_TRIGGER_GATES_H
#define HA_AI_MINE_TRIGGER_GATES_H

#include "mine/coincidence.h"
#include "mine/gates.h"
#include "mine/triggers.h"

enum {
    TRIGGER_GATES_OCCASIONS_MAX = 4096, /* by which conditions are chosen; more are not looked at */
    TRIGGER_GATES_DAYS = 64,            /* likewise: the latest training days */
};

/* Chooses conditions by the trigger's occasions, which are those of the latest days. target: an
 * index into history.entities; precision_min: of the fires that are followed, what the rule is of
 * use with. False when there are none to choose. */
bool trigger_gates_choose(const struct gates *gates, const struct coincidence_days *on,
                          const struct trigger *trigger, const struct occasion *occasions,
                          size_t count, size_t target, double precision_min,
                          struct gate_choice *out);

/* The trigger with those of its fires alone at which the conditions hold: free out->time_ms. */
void trigger_gates_filter(const struct gates *gates, const struct coincidence_days *on,
                          const struct trigger *trigger, const struct gate_choice *choice,
                          struct trigger *out);

#endif
