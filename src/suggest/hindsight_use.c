#include "suggest/hindsight_use.h"

enum { LEFT_MS = 60 * 60 * 1000 /* what goes on for longer was left on */ };

void hindsight_uses_init(struct hindsight_uses *uses, const struct actor *actor,
                         const struct actor_ground *ground)
{
    const struct history_entity *e = &ground->history->entities[actor->entities[0]];
    spells_collect(&uses->spells, ground->history, e, HISTORY_STATE_ON, ground->days,
                   ground->restarts);
    spells_find_ends(&uses->spells, actor);
    watchers_find(&uses->watchers, ground->history, e->area);
}

void hindsight_uses_release(struct hindsight_uses *uses)
{
    spells_release(&uses->spells);
    watchers_release(&uses->watchers);
}

/* The last one that began before that time; NULL = none. */
static const struct spell *find_use(const struct spells *spells, int64_t time_ms)
{
    size_t low = 0, high = spells->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (spells->list[middle].begin_ms < time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? &spells->list[low - 1] : NULL;
}

enum backtest_outcome hindsight_judge_use(const struct hindsight_uses *uses, int64_t time_ms,
                                          int64_t *end_ms)
{
    const struct spell *use = find_use(&uses->spells, time_ms);
    *end_ms = 0;
    if (use == NULL || use->end_ms <= time_ms)
        return BACKTEST_IDLE;
    *end_ms = use->end_ms;
    if (watchers_saw_all_along(&uses->watchers, time_ms, use->end_ms))
        return BACKTEST_MISS;
    if (use->end_ms - time_ms > LEFT_MS)
        return BACKTEST_HIT;
    return use->end == SPELL_BY_PERSON ? BACKTEST_MISS : BACKTEST_IDLE;
}
