#include "suggest/overlap.h"

#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "suggest/fires.h"
#include "suggest/overlap_parts.h"

enum { TO_DO_MIN = 3 };

/* One suggestion under work. */
struct look {
    const struct overlap_book *book;
    const struct rule *rule;
    size_t *by; /* by existing: fires that it covers, or opposes */
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- covered -------------------------------------------------------------------------------- */

/* Whether in the history the entity left the step's state between the two times. */
static bool was_undone(const struct history *h, const char *entity_id, const struct rule_step *step,
                       int64_t from_ms, int64_t to_ms)
{
    const struct history_entity *e = history_find_entity(h, entity_id);
    const char *state = rule_state_of(step->verb, entity_id);
    if (e == NULL || state == NULL)
        return true;
    for (size_t i = history_find_change(e, from_ms); i < e->changes && e->time_ms[i] <= to_ms; i++)
        if (strcmp(h->states[e->state[i]], state) != 0)
            return true;
    return false;
}

/* The automation that did, or would do, the step's act to an entity about that time, or had done it
 * before so that it is still so; SIZE_MAX = none. */
static size_t find_cover(const struct look *look, const char *entity_id,
                         const struct rule_step *step, int64_t time_ms)
{
    bool is_of_state = look->rule->trigger.kind == RULE_TRIGGER_STATE;
    int64_t near_ms = is_of_state ? BACKTEST_STATE_MS : BACKTEST_HIT_MS;
    int64_t ahead_ms = is_of_state ? OVERLAP_STILL_MS : OVERLAP_AHEAD_MS;
    size_t count, found = SIZE_MAX;
    int64_t since_ms = 0;
    const struct overlap_event *events =
        overlap_events(look->book, entity_id, time_ms - ahead_ms, time_ms + near_ms, &count);
    for (size_t i = 0; i < count; i++) {
        const struct overlap_event *e = &events[i];
        if (e->is_sure && overlap_is_same(e->act, e->is_on, step)) {
            found = e->existing;
            since_ms = e->time_ms;
            if (e->time_ms >= time_ms - near_ms)
                return found;
        } else if (e->time_ms < time_ms && overlap_is_opposite(e->act, e->is_on, step)) {
            found = SIZE_MAX;
        }
    }
    return found != SIZE_MAX &&
                   !was_undone(look->book->history, entity_id, step, since_ms, time_ms - 1)
               ? found
               : SIZE_MAX;
}

/* The entity itself, or all members of a group. */
static size_t find_cover_of(const struct look *look, const char *entity_id,
                            const struct rule_step *step, int64_t time_ms)
{
    const struct history_entity *group = history_find_entity(look->book->history, entity_id);
    size_t found = find_cover(look, entity_id, step, time_ms);
    if (found != SIZE_MAX || group == NULL || group->members == NULL || rule_is_scene(entity_id))
        return found;
    for (const char *p = group->members + strspn(group->members, " "); *p != '\0';) {
        size_t length = strcspn(p, " ");
        char *id = xstrndup(p, length);
        found = find_cover(look, id, step, time_ms);
        free(id);
        if (found == SIZE_MAX)
            return SIZE_MAX;
        p += length + strspn(p + length, " ");
    }
    return found;
}

/* Whether all that it would do at a fire is done. */
static bool is_covered(const struct look *look, int64_t fire_ms)
{
    struct rule_step first;
    int64_t delay_ms = 0;
    size_t found = SIZE_MAX;
    const struct rule_step *step;
    for (size_t s = 0; (step = overlap_step(look->rule, s, &first, &delay_ms)) != NULL; s++)
        for (size_t i = 0; i < step->entity_count; i++) {
            found = find_cover_of(look, step->entity_ids[i], step, fire_ms + delay_ms);
            if (found == SIZE_MAX)
                return false;
        }
    look->by[found]++;
    return true;
}

struct times {
    int64_t *list;
    size_t count, capacity;
};

static void add_time(struct times *times, int64_t time_ms)
{
    times->list = grow_array(times->list, times->count, &times->capacity, sizeof *times->list);
    times->list[times->count++] = time_ms;
}

/* Of the hits those at which there was something to do: where the person was first, an automation
 * that asks for the state does nothing. Where these are few, all hits. */
static void keep_those_to_do(const struct backtest_input *on, const struct rule *rule,
                             struct times *times)
{
    size_t kept = 0;
    int64_t *list = xcalloc(times->count + 1, sizeof *list);
    for (size_t i = 0; i < times->count; i++)
        if (!backtest_was_in_state(on, rule->verb, times->list[i]))
            list[kept++] = times->list[i];
    if (kept >= TO_DO_MIN) {
        memcpy(times->list, list, kept * sizeof *list);
        times->count = kept;
    }
    free(list);
}

/* The fires that people's acts speak for; of what is left on, all. */
static void find_useful(const struct mine_input *input, const struct judged *judged,
                        const struct candidate *c, struct times *out)
{
    const struct rule *rule = &c->habit.rule;
    const struct backtest_input on = {.history = input->history,
                                      .days = input->days,
                                      .actor = &input->actors->list[c->habit.actor],
                                      .fires = judged->fires};
    static const enum day_role roles[2] = {DAY_TRAINING, DAY_HELD_OUT};
    *out = (struct times){.list = NULL};
    if (c->habit.lengths.is_of_lengths) {
        const struct fires fires = fires_of_rule(judged->fires, rule);
        for (size_t i = 0; i < fires.count; i++)
            add_time(out, fires.time_ms[i]);
        return;
    }
    for (int r = 0; r < 2; r++) {
        struct backtest_fires fires;
        backtest_replay(&on, &rule, 1, roles[r], &fires);
        for (size_t i = 0; i < fires.count; i++)
            if (fires.list[i].outcome == BACKTEST_HIT)
                add_time(out, fires.list[i].time_ms);
        backtest_fires_release(&fires);
    }
    keep_those_to_do(&on, rule, out);
}

static const struct existing *find_covering(const struct look *look, const struct times *useful)
{
    const struct existing_list *list = look->book->existing;
    size_t covered = 0, best = 0;
    memset(look->by, 0, list->count * sizeof *look->by);
    for (size_t i = 0; i < useful->count; i++)
        covered += is_covered(look, useful->list[i]);
    if (useful->count > 0 && (double)covered >= OVERLAP_COVERED * (double)useful->count) {
        for (size_t i = 1; i < list->count; i++)
            best = look->by[i] > look->by[best] ? i : best;
        return &list->list[best];
    }
    for (size_t i = 0; i < list->count; i++)
        if (overlap_static_covers(look->book->history, &list->list[i], look->rule))
            return &list->list[i];
    return NULL;
}

/* ---- conflicts ------------------------------------------------------------------------------ */

static void add_conflict(struct overlap *out, const struct overlap_conflict *conflict)
{
    if (out->count < OVERLAP_CONFLICTS_MAX)
        out->conflicts[out->count++] = *conflict;
}

/* The last ones. */
static void give_examples(struct overlap_conflict *conflict, const struct fires *fires)
{
    size_t first = fires->count > OVERLAP_EXAMPLES_MAX ? fires->count - OVERLAP_EXAMPLES_MAX : 0;
    for (size_t i = first; i < fires->count; i++)
        conflict->examples_ms[conflict->example_count++] = fires->time_ms[i];
}

/* Whether the automation would do the opposite about that fire. */
static bool opposes_at(const struct look *look, size_t existing, int64_t fire_ms)
{
    struct rule_step first;
    int64_t delay_ms = 0;
    const struct rule_step *step;
    for (size_t s = 0; (step = overlap_step(look->rule, s, &first, &delay_ms)) != NULL; s++)
        for (size_t i = 0; i < step->entity_count; i++) {
            int64_t at_ms = fire_ms + delay_ms;
            size_t count;
            const struct overlap_event *events =
                overlap_events(look->book, step->entity_ids[i], at_ms - OVERLAP_OPPOSES_MS,
                               at_ms + OVERLAP_OPPOSES_MS, &count);
            for (size_t k = 0; k < count; k++)
                if (events[k].existing == existing &&
                    overlap_is_opposite(events[k].act, events[k].is_on, step))
                    return true;
        }
    return false;
}

static bool find_opposing(const struct look *look, size_t existing, const struct fires *fires,
                          struct overlap_conflict *out)
{
    const struct existing *e = &look->book->existing->list[existing];
    int64_t last[OVERLAP_EXAMPLES_MAX];
    int times = 0;
    for (size_t i = fires->count; i-- > 0;)
        if (opposes_at(look, existing, fires->time_ms[i])) {
            if (times < OVERLAP_EXAMPLES_MAX)
                last[times] = fires->time_ms[i];
            times++;
        }
    bool is_often = times >= 2 && times >= OVERLAP_OPPOSED * (double)fires->count;
    bool is_told =
        overlap_static_opposes(e, look->rule) || overlap_undoes(look->book->history, e, look->rule);
    if (!is_often && !is_told)
        return false;
    *out = (struct overlap_conflict){.existing = e, .kind = OVERLAP_OPPOSES};
    if (times == 0) {
        give_examples(out, fires);
        return true;
    }
    out->times = times;
    out->of_times = (int)fires->count;
    for (int k = (int)smaller(times, OVERLAP_EXAMPLES_MAX); k-- > 0;)
        out->examples_ms[out->example_count++] = last[k];
    return true;
}

/* Whether what the automation does leads, by way of others, to the rule's trigger again. */
static bool leads_back(const struct existing_list *list, size_t from, const struct rule *rule)
{
    if (rule->trigger.kind != RULE_TRIGGER_STATE)
        return false;
    unsigned char *depth = xcalloc(list->count, sizeof *depth); /* 0 = not reached */
    bool is_back = false;
    depth[from] = 1;
    for (unsigned char d = 1; d <= OVERLAP_CHAIN_MAX && !is_back; d++)
        for (size_t i = 0; i < list->count && !is_back; i++) {
            if (depth[i] != d)
                continue;
            is_back = overlap_is_set_off(&list->list[i], rule);
            for (size_t k = 0; k < list->count && d < OVERLAP_CHAIN_MAX && !is_back; k++)
                if (depth[k] == 0 && overlap_sets_off_other(&list->list[i], &list->list[k]))
                    depth[k] = (unsigned char)(d + 1);
        }
    free(depth);
    return is_back;
}

/* Whether it ends, or follows up, the use of its own target: whoever began that is meant to. */
static bool is_about_itself(const struct rule *rule)
{
    for (size_t i = 0; i < rule->entity_count && rule->trigger.kind == RULE_TRIGGER_STATE; i++)
        if (strcmp(rule->entity_ids[i], rule->trigger.entity_id) == 0)
            return true;
    return false;
}

/* Loops first, then what opposes, then chains. */
static void find_conflicts(const struct look *look, const struct fires *fires, struct overlap *out)
{
    const struct existing_list *list = look->book->existing;
    const struct history *h = look->book->history;
    enum { FROM = 1, TO = 2, BACK = 4 };
    unsigned char *found = xcalloc(list->count + 1, sizeof *found);
    for (size_t i = 0; i < list->count; i++) {
        const struct existing *e = &list->list[i];
        found[i] = overlap_sets_off(h, look->rule, e) ? FROM : 0;
        found[i] |= !is_about_itself(look->rule) && overlap_is_set_off(e, look->rule) ? TO : 0;
        found[i] |= (found[i] & FROM) && leads_back(list, i, look->rule) ? BACK : 0;
        if (!(found[i] & BACK))
            continue;
        struct overlap_conflict loop = {.existing = e, .kind = OVERLAP_LOOP};
        give_examples(&loop, fires);
        add_conflict(out, &loop);
    }
    for (size_t i = 0; i < list->count; i++) {
        struct overlap_conflict conflict;
        if (find_opposing(look, i, fires, &conflict))
            add_conflict(out, &conflict);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (found[i] == 0 || (found[i] & BACK))
            continue;
        struct overlap_conflict chain = {
            .existing = &list->list[i], .kind = OVERLAP_CHAIN, .is_from_it = !(found[i] & FROM)};
        give_examples(&chain, fires);
        add_conflict(out, &chain);
    }
    free(found);
}

struct overlap *overlaps_find(const struct mine_input *input, const struct existing_list *existing,
                              struct judged *judged)
{
    struct overlap *overlaps = xcalloc(judged->count + 1, sizeof *overlaps);
    struct overlap_book book;
    overlap_book_init(&book, input, existing, judged);
    size_t *by = xcalloc(existing->count + 1, sizeof *by);
    for (size_t i = 0; i < judged->count; i++) {
        struct candidate *c = &judged->list[i];
        struct times useful;
        if (c->verdict != VERDICT_SUGGESTED)
            continue;
        const struct look look = {&book, &c->habit.rule, by};
        c->overlap = &overlaps[i];
        if (existing->count == 0)
            continue;
        find_useful(input, judged, c, &useful);
        overlaps[i].covered_by = find_covering(&look, &useful);
        free(useful.list);
        if (overlaps[i].covered_by != NULL) {
            c->verdict = VERDICT_DUPLICATE;
            continue;
        }
        const struct fires fires = fires_of_rule(judged->fires, &c->habit.rule);
        find_conflicts(&look, &fires, &overlaps[i]);
    }
    free(by);
    overlap_book_release(&book);
    return overlaps;
}

void overlaps_free(struct overlap *overlaps)
{
    free(overlaps);
}

const char *overlap_kind_name(enum overlap_kind kind)
{
    static const char *const names[] = {
        [OVERLAP_LOOP] = "loop", [OVERLAP_OPPOSES] = "opposes", [OVERLAP_CHAIN] = "chain"};
    return names[kind];
}

char *overlap_why(const struct overlap_conflict *c)
{
    char *name = existing_name(c->existing), *text;
    if (c->kind == OVERLAP_LOOP)
        text = xasprintf("The automation %s is set off by it and sets it off again: they may "
                         "switch to and fro without end.",
                         name);
    else if (c->kind == OVERLAP_CHAIN && c->is_from_it)
        text = xasprintf("What the automation %s does sets it off.", name);
    else if (c->kind == OVERLAP_CHAIN)
        text = xasprintf("It sets off the automation %s.", name);
    else if (c->of_times > 0)
        text =
            xasprintf("The automation %s does the opposite within %d minutes of it, at %d of its "
                      "%d times.",
                      name, OVERLAP_OPPOSES_MS / 60000, c->times, c->of_times);
    else
        text = xasprintf("The automation %s does the opposite within %d minutes of it.", name,
                         OVERLAP_OPPOSES_MS / 60000);
    free(name);
    return text;
}
