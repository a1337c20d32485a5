/* What the existing automations would have done: each way through each that touches what a
 * suggestion touches, replayed. */
#include <stdlib.h>
#include <string.h>

#include "core/dictionary.h"
#include "core/xalloc.h"
#include "replay/replay.h"
#include "suggest/overlap_parts.h"

enum { ENTITIES_MAX = 20000 };

/* ---- the entities --------------------------------------------------------------------------- */

static void add_entity(struct overlap_book *book, const char *entity_id)
{
    const struct history_entity *e = history_find_entity(book->history, entity_id);
    dictionary_add(&book->entities, entity_id, strlen(entity_id), ENTITIES_MAX);
    for (const char *p = e != NULL && e->members != NULL && !rule_is_scene(entity_id) ? e->members
                                                                                      : "";
         *p != '\0';) {
        p += strspn(p, " ");
        size_t length = strcspn(p, " ");
        if (length > 0)
            dictionary_add(&book->entities, p, length, ENTITIES_MAX);
        p += length;
    }
}

static void add_targets(struct overlap_book *book, const struct rule *rule)
{
    struct rule_step first;
    int64_t delay_ms = 0;
    const struct rule_step *step;
    for (size_t s = 0; (step = overlap_step(rule, s, &first, &delay_ms)) != NULL; s++)
        for (size_t i = 0; i < step->entity_count; i++)
            add_entity(book, step->entity_ids[i]);
}

static int64_t find(const struct overlap_book *book, const char *entity_id)
{
    return dictionary_find(&book->entities, entity_id, strlen(entity_id));
}

/* ---- the replays ---------------------------------------------------------------------------- */

static bool is_touched(const struct overlap_book *book, const struct existing *e, size_t branch)
{
    for (size_t i = 0; i < e->act_count; i++)
        if ((branch == SIZE_MAX || e->acts[i].branch == branch) && !e->acts[i].is_late &&
            find(book, e->acts[i].entity_id) >= 0)
            return true;
    return false;
}

/* What a toggle at that time comes to; false when nobody knows. */
static bool toggled(const struct history *h, const char *entity_id, int64_t time_ms, bool *is_on)
{
    const struct history_entity *e = history_find_entity(h, entity_id);
    size_t change = e != NULL ? history_find_change(e, time_ms) : 0;
    if (change == 0)
        return false;
    *is_on = e->state[change - 1] == HISTORY_STATE_OFF;
    return *is_on || e->state[change - 1] == HISTORY_STATE_ON;
}

static void add_event(struct overlap_book *book, uint32_t existing, const struct existing_act *act,
                      int64_t time_ms, bool is_sure)
{
    int64_t entity = find(book, act->entity_id);
    bool is_on = act->effect == EXISTING_ON;
    if (entity < 0 || act->is_late || book->count == OVERLAP_EVENTS_MAX)
        return;
    if (act->effect == EXISTING_TOGGLE && !toggled(book->history, act->entity_id, time_ms, &is_on))
        return;
    book->events = grow_array(book->events, book->count, &book->capacity, sizeof *book->events);
    book->events[book->count++] = (struct overlap_event){.time_ms = time_ms + act->delay_ms,
                                                         .entity = (uint32_t)entity,
                                                         .existing = existing,
                                                         .act = act,
                                                         .is_on = is_on,
                                                         .is_sure = is_sure};
}

/* Whether a run that began at all.list[i] got as far as that: another one ends it in mode restart.
 */
static bool lives(const struct existing *e, const struct replay_fires *all, size_t i,
                  int64_t delay_ms)
{
    return !e->restarts || delay_ms == 0 || i + 1 >= all->count ||
           all->list[i + 1].time_ms > all->list[i].time_ms + delay_ms;
}

/* Both lists are in time order; a way's fires without a run of the whole are none. */
static void add_way(struct overlap_book *book, uint32_t existing, size_t branch,
                    const struct replay_fires *all, const struct replay_fires *way)
{
    const struct existing *e = &book->existing->list[existing];
    for (size_t i = 0, k = 0; i < all->count && k < way->count;) {
        int64_t a = all->list[i].time_ms, b = way->list[k].time_ms;
        if (a != b) {
            i += a < b;
            k += b < a;
            continue;
        }
        for (size_t n = 0; n < e->act_count; n++)
            if (e->acts[n].branch == branch && lives(e, all, i, e->acts[n].delay_ms))
                add_event(book, existing, &e->acts[n], a, e->branches[branch].is_sure);
        i++;
        while (k < way->count && way->list[k].time_ms == a)
            k++;
    }
}

static void replay_one(struct overlap_book *book, uint32_t existing)
{
    const struct existing *e = &book->existing->list[existing];
    const struct timeline *t = book->existing->timeline;
    const struct replay_input input = {t, book->history->from_ms, book->history->to_ms + 1};
    struct replay_fires all;
    if (e->automation == NULL || !is_touched(book, e, SIZE_MAX))
        return;
    replay_run(&input, &e->automation, 1, &all);
    for (size_t b = 0; b < e->branch_count; b++) {
        struct replay_fires way;
        if (!is_touched(book, e, b) || e->branches[b].automation == NULL)
            continue;
        if (b == 0) {
            add_way(book, existing, b, &all, &all);
            continue;
        }
        replay_run(&input, &e->branches[b].automation, 1, &way);
        add_way(book, existing, b, &all, &way);
        replay_fires_release(&way);
    }
    replay_fires_release(&all);
}

static int compare_events(const void *left, const void *right)
{
    const struct overlap_event *a = left, *b = right;
    if (a->entity != b->entity)
        return a->entity < b->entity ? -1 : 1;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    if (a->existing != b->existing)
        return a->existing < b->existing ? -1 : 1;
    return (a->act > b->act) - (a->act < b->act);
}

void overlap_book_init(struct overlap_book *book, const struct mine_input *input,
                       const struct existing_list *existing, const struct judged *judged)
{
    *book = (struct overlap_book){.history = input->history, .existing = existing};
    dictionary_init(&book->entities);
    for (size_t i = 0; i < judged->count; i++)
        if (judged->list[i].verdict == VERDICT_SUGGESTED)
            add_targets(book, &judged->list[i].habit.rule);
    for (size_t i = 0; i < existing->count && existing->timeline != NULL; i++)
        replay_one(book, (uint32_t)i);
    if (book->count > 0)
        qsort(book->events, book->count, sizeof *book->events, compare_events);
}

void overlap_book_release(struct overlap_book *book)
{
    dictionary_release(&book->entities);
    free(book->events);
}

/* First event of that entity at or after a time. */
static size_t first_at(const struct overlap_book *book, uint32_t entity, int64_t time_ms)
{
    size_t low = 0, high = book->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct overlap_event *e = &book->events[middle];
        if (e->entity < entity || (e->entity == entity && e->time_ms < time_ms))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct overlap_event *overlap_events(const struct overlap_book *book, const char *entity_id,
                                           int64_t from_ms, int64_t to_ms, size_t *count)
{
    int64_t entity = find(book, entity_id);
    *count = 0;
    if (entity < 0)
        return NULL;
    size_t first = first_at(book, (uint32_t)entity, from_ms);
    *count = first_at(book, (uint32_t)entity, to_ms + 1) - first;
    return *count > 0 ? &book->events[first] : NULL;
}
