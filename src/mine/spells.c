#include "mine/spells.h"

#include <stdlib.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "mine/groups.h"

/* The end of the recording that covers a time; the history's when none does. *span moves on. */
static int64_t covered_until(const struct history *h, size_t *span, int64_t time_ms)
{
    while (*span < h->covered_count && h->covered[*span].to_ms <= time_ms)
        (*span)++;
    return *span < h->covered_count && h->covered[*span].from_ms <= time_ms
               ? h->covered[*span].to_ms
               : h->to_ms;
}

void spells_collect(struct spells *spells, const struct history *h, const struct history_entity *e,
                    uint16_t state, const struct days *days, const struct restarts *restarts)
{
    *spells = (struct spells){.list = NULL};
    size_t span = 0;
    for (size_t i = 1; i < e->changes; i++) { /* when the first state began is not known */
        if (e->state[i] != state)
            continue;
        bool is_last = i + 1 == e->changes;
        int64_t until = covered_until(h, &span, e->time_ms[i]);
        struct spell spell = {.begin_ms = e->time_ms[i],
                              .end_ms = is_last ? h->to_ms : e->time_ms[i + 1],
                              .end = SPELL_CUT,
                              .is_resumed = acts_is_absent(e->state[i - 1]) ||
                                            restarts_hold(restarts, e->time_ms[i])};
        if (spell.end_ms > until)
            spell.end_ms = until > spell.begin_ms ? until : spell.begin_ms;
        else if (!is_last && !acts_is_absent(e->state[i + 1]) &&
                 !restarts_hold(restarts, spell.end_ms))
            spell.end = SPELL_ENDED;
        struct tz_local local;
        tz_to_local(days->tz, spell.begin_ms / 1000, &local);
        spell.day = (int)(local.day - days->first);
        spell.second = local.second_of_day;
        spells->list =
            grow_array(spells->list, spells->count, &spells->capacity, sizeof *spells->list);
        spells->list[spells->count++] = spell;
    }
}

void spells_release(struct spells *spells)
{
    free(spells->list);
    *spells = (struct spells){.list = NULL};
}

uint16_t spells_state_of_use(const struct history *h, const struct actor *actor)
{
    const struct history_entity *e = &h->entities[actor->entities[0]];
    const struct acts *acts = &actor->acts[RULE_TURN_OFF];
    size_t *ended = xcalloc(h->state_count, sizeof *ended);
    uint16_t best = HISTORY_STATE_ON;
    for (size_t i = 0; i < acts->count; i++) {
        size_t change = history_find_change(e, acts->list[i].time_ms);
        uint16_t before = change > 0 ? e->state[change - 1] : HISTORY_STATE_UNKNOWN;
        if (acts_is_free(before, RULE_TURN_OFF) && before != HISTORY_STATE_OTHER)
            best = ++ended[before] > ended[best] ? before : best;
    }
    free(ended);
    return best;
}

/* Whether one of the acts is what happened then: a group's counts from its first member on. */
static bool is_act(const struct act *list, size_t count, int64_t time_ms)
{
    size_t i = acts_find(list, count, time_ms - GROUPS_TOGETHER_MS);
    return i < count && list[i].time_ms <= time_ms + GROUPS_TOGETHER_MS;
}

void spells_find_ends(struct spells *spells, const struct actor *actor)
{
    const struct acts *acts = &actor->acts[RULE_TURN_OFF];
    for (size_t i = 0; i < spells->count; i++) {
        struct spell *spell = &spells->list[i];
        if (spell->end != SPELL_ENDED)
            continue;
        if (is_act(acts->list, acts->count, spell->end_ms))
            spell->end = SPELL_BY_PERSON;
        else if (is_act(acts->automatic, acts->automatic_count, spell->end_ms))
            spell->end = SPELL_BY_MACHINE;
        else
            spell->end = SPELL_CUT;
    }
}
