#include "suggest/dark.h"

#include <string.h>

#include "mine/watchers.h"

enum { SEEN_MIN = 2, SPELLS_PER_SEEN = 10 };

/* When it first went on within (from_ms, to_ms]; INT64_MAX = it did not. */
static int64_t went_on(const struct history_entity *entity, int64_t from_ms, int64_t to_ms)
{
    for (size_t i = history_find_change(entity, from_ms + 1);
         i < entity->changes && entity->time_ms[i] <= to_ms; i++)
        if (entity->state[i] == HISTORY_STATE_ON)
            return entity->time_ms[i];
    return INT64_MAX;
}

/* When the trigger or a detector of the target's room first saw somebody again. */
static int64_t first_seen(const struct history_entity *trigger, const struct watchers *watchers,
                          int64_t fire_ms)
{
    int64_t until_ms = fire_ms + DARK_LOOK_MS, first = went_on(trigger, fire_ms, until_ms);
    for (size_t i = 0; i < watchers->count; i++) {
        int64_t at_ms = went_on(watchers->list[i], fire_ms, until_ms);
        first = at_ms < first ? at_ms : first;
    }
    return first;
}

/* Whether some target was on just before that time. */
static bool is_on(const struct backtest_input *input, int64_t time_ms)
{
    for (size_t i = 0; i < input->actor->count; i++) {
        const struct history_entity *e = &input->history->entities[input->actor->entities[i]];
        size_t change = history_find_change(e, time_ms);
        if (change > 0 && e->state[change - 1] == HISTORY_STATE_ON)
            return true;
    }
    return false;
}

static bool concerns(const struct rule *rule)
{
    return rule->verb == RULE_TURN_OFF && rule->trigger.kind == RULE_TRIGGER_STATE &&
           strncmp(rule->trigger.entity_id, "binary_sensor.", 14) == 0 &&
           strcmp(rule->trigger.to, "off") == 0;
}

void dark_count(const struct backtest_input *input, const struct rule *rule,
                const struct backtest_fires *fires, struct dark *dark)
{
    const struct history *h = input->history;
    const struct history_entity *trigger =
        concerns(rule) ? history_find_entity(h, rule->trigger.entity_id) : NULL;
    if (trigger == NULL)
        return;
    struct watchers watchers;
    watchers_find(&watchers, h, h->entities[input->actor->entities[0]].area);
    for (size_t f = 0; f < fires->count; f++) {
        int64_t fire_ms = fires->list[f].time_ms;
        if (!is_on(input, fire_ms))
            continue;
        int64_t seen_ms = first_seen(trigger, &watchers, fire_ms);
        dark->spells++;
        dark->seen += seen_ms != INT64_MAX && is_on(input, seen_ms);
    }
    watchers_release(&watchers);
}

bool dark_is_left(const struct dark *dark)
{
    return dark->seen >= SEEN_MIN && dark->seen * SPELLS_PER_SEEN > dark->spells;
}
