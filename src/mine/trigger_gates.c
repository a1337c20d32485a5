#include "mine/trigger_gates.h"

#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"

#define USUAL 0.1 /* share of any occasions that other use follows, before looking */

/* The half hour is counted from midnight on: on the two days a year on which the clock changes it
 * may be another one. */
static struct gate_case case_of(const struct coincidence_days *on, const struct trigger *trigger,
                                size_t fire, int day)
{
    int64_t bin = (trigger->time_ms[fire] - on->start_ms[day]) / (GATES_BIN_S * 1000);
    return (struct gate_case){.time_ms = trigger->time_ms[fire],
                              .day = day,
                              .holds = trigger->holds[fire],
                              .rest = trigger->rest[fire],
                              .bin = (uint8_t)(bin < GATES_BIN_COUNT ? bin : GATES_BIN_COUNT - 1)};
}

/* Whether that state is one to which an entity comes from a rest. */
static bool ends_rest(const char *state)
{
    static const char *const words[] = {"on", "open", "home"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(state, words[i]) == 0)
            return true;
    return false;
}

bool trigger_gates_choose(const struct gates *gates, const struct coincidence_days *on,
                          const struct trigger *trigger, const struct occasion *occasions,
                          size_t count, size_t target, double precision_min,
                          struct gate_choice *out)
{
    struct gate_case *cases = xcalloc(count, sizeof *cases);
    struct gate_question question = {.cases = cases,
                                     .kinds = (1U << GATE_KIND_COUNT) - 1,
                                     .trigger = trigger->entity,
                                     .target = target,
                                     .usual = USUAL,
                                     .precision_min = precision_min,
                                     .odds = gates_odds};
    if (!ends_rest(gates->history->states[trigger->state]))
        question.kinds &= ~(1U << GATE_REST);
    for (size_t i = 0; i < count; i++) {
        if (gates->away[occasions[i].day])
            continue;
        struct gate_case *at = &cases[question.count++];
        *at = case_of(on, trigger, occasions[i].fire, occasions[i].day);
        at->fires = occasions[i].fires;
        at->followed = occasions[i].followed;
    }
    *out = (struct gate_choice){.share = 1};
    if (gates_are_worth_it(gates, &question))
        gates_choose(gates, &question, out);
    free(cases);
    return out->count > 0;
}

void trigger_gates_filter(const struct gates *gates, const struct coincidence_days *on,
                          const struct trigger *trigger, const struct gate_choice *choice,
                          struct trigger *out)
{
    *out = (struct trigger){.entity = trigger->entity,
                            .state = trigger->state,
                            .days = trigger->days,
                            .time_ms = xcalloc(trigger->count, sizeof *out->time_ms)};
    int day = 0;
    for (size_t i = 0; i < trigger->count; i++) {
        while (day < on->days->count - 1 && on->start_ms[day + 1] <= trigger->time_ms[i])
            day++;
        const struct gate_case at = case_of(on, trigger, i, day);
        if (gates_hold(gates, choice, &at))
            out->time_ms[out->count++] = trigger->time_ms[i];
    }
}
