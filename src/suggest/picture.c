/* The marks are texts of numbers: as JSON numbers the same would take ten times the memory in the
 * service, which reads every suggestion that waits. */
#include "suggest/picture.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/xalloc.h"
#include "suggest/chain_replay.h"
#include "suggest/judge_lengths.h"

enum { DAY_MINUTES = 24 * 60, MINUTE_DIGITS = 7 /* of 90 days, and a blank */ };
static const int64_t DAY_MS = INT64_C(86400000);

enum kind { ACT_HIT, ACT_OTHER, FIRE_HIT, FIRE_IDLE, FIRE_WRONG, KIND_COUNT };

static const char *const kind_names[KIND_COUNT] = {[ACT_HIT] = "acts_hit",
                                                   [ACT_OTHER] = "acts_other",
                                                   [FIRE_HIT] = "fires_hit",
                                                   [FIRE_IDLE] = "fires_idle",
                                                   [FIRE_WRONG] = "fires_wrong"};

static const enum kind kind_of_outcome[] = {
    [BACKTEST_HIT] = FIRE_HIT, [BACKTEST_IDLE] = FIRE_IDLE, [BACKTEST_MISS] = FIRE_WRONG};

static const enum day_role roles[] = {DAY_TRAINING, DAY_HELD_OUT};
enum { ROLE_COUNT = sizeof roles / sizeof roles[0] };

struct mark {
    int minute; /* local, from the beginning of days' first day on */
    enum kind kind;
};

struct drawing {
    const struct mine_input *input;
    const struct judged *judged;
    const struct candidate *candidate;
    struct mark *marks;
    size_t count, capacity;
};

/* Only on complete days: of the others nobody knows what else there was. */
static void add_mark(struct drawing *d, int64_t time_ms, enum kind kind)
{
    struct act at;
    if (!acts_place(&at, time_ms, d->input->days) ||
        days_role(d->input->days, at.day) == DAY_INCOMPLETE)
        return;
    d->marks = grow_array(d->marks, d->count, &d->capacity, sizeof *d->marks);
    d->marks[d->count++] = (struct mark){at.day * DAY_MINUTES + at.second / 60, kind};
}

static struct backtest_input replay_input(const struct drawing *d)
{
    return (struct backtest_input){d->input->history, d->input->days,
                                   &d->input->actors->list[d->candidate->habit.actor],
                                   d->judged->fires};
}

/* ---- what a person does at a fire ----------------------------------------------------------- */

/* What was replayed together with the candidate: the rules of its action that stand, it first. Of a
 * chain without its own first part. */
static const struct rule **rules_beside(const struct drawing *d, size_t *count)
{
    const struct candidate *own = d->candidate;
    size_t first_part = own->chain != NULL ? own->chain->acts[0].part : SIZE_MAX;
    const struct rule **rules = xcalloc(d->judged->count + 1, sizeof(*rules));
    rules[0] = &own->habit.rule;
    *count = 1;
    for (size_t i = 0; i < d->judged->count; i++) {
        const struct candidate *c = &d->judged->list[i];
        if (c != own && c->order != first_part && c->chain == NULL &&
            !c->habit.lengths.is_of_lengths &&
            (c->verdict == VERDICT_SUGGESTED || c->verdict == VERDICT_PART) &&
            c->habit.actor == own->habit.actor && c->habit.rule.verb == own->habit.rule.verb)
            rules[(*count)++] = &c->habit.rule;
    }
    return rules;
}

/* Those that no other rule's fire took. */
static void add_acts(struct drawing *d, const struct acts *acts, const bool *is_own,
                     const bool *is_others)
{
    for (size_t i = 0; i < acts->count; i++)
        if (is_own[i] || !is_others[i])
            add_mark(d, acts->list[i].time_ms, is_own[i] ? ACT_HIT : ACT_OTHER);
}

/* Which acts are whose. Draws the rule's own fires; of a chain others are drawn. */
static void find_acts(struct drawing *d, bool *is_own, bool *is_others)
{
    size_t count;
    const struct backtest_input input = replay_input(d);
    const struct rule **rules = rules_beside(d, &count);
    for (int r = 0; r < ROLE_COUNT; r++) {
        struct backtest_fires fires;
        backtest_replay(&input, rules, count, roles[r], &fires);
        for (size_t i = 0; i < fires.count; i++) {
            const struct backtest_fire *fire = &fires.list[i];
            if (fire->act != SIZE_MAX)
                (fire->rule == 0 ? is_own : is_others)[fire->act] = true;
            if (fire->rule == 0 && d->candidate->chain == NULL)
                add_mark(d, fire->time_ms, kind_of_outcome[fire->outcome]);
        }
        backtest_fires_release(&fires);
    }
    free(rules);
}

/* ---- several acts at a fire ----------------------------------------------------------------- */

static const struct habit *find_part(const struct drawing *d, size_t order)
{
    for (size_t i = 0; i < d->judged->count; i++)
        if (d->judged->list[i].order == order)
            return &d->judged->list[i].habit;
    return NULL;
}

/* Of the first act all that people did, of what follows only what followed. */
static void add_chain_fires(struct drawing *d, struct chain_replay *replay, bool *is_own)
{
    chain_replay_judge(replay);
    for (size_t f = 0; f < replay->fires.count; f++) {
        const struct backtest_fire *fire = &replay->fires.list[f];
        add_mark(d, fire->time_ms, kind_of_outcome[fire->outcome]);
        for (size_t act = 0; act < replay->count; act++) {
            const struct chain_outcome *outcome = chain_replay_at(replay, f, act);
            if (outcome->outcome != BACKTEST_HIT)
                continue;
            if (act == 0)
                is_own[outcome->act] = true;
            else
                add_mark(d, outcome->time_ms, ACT_HIT);
        }
    }
}

static void draw_chain_fires(struct drawing *d, bool *is_own)
{
    const struct chain *chain = d->candidate->chain;
    const struct backtest_input input = replay_input(d);
    for (int r = 0; r < ROLE_COUNT; r++) {
        struct chain_replay replay;
        chain_replay_init(&replay, &input, &d->candidate->habit.rule, roles[r]);
        for (size_t i = 1; i < chain->count; i++) {
            const struct habit *part = find_part(d, chain->acts[i].part);
            if (part == NULL)
                break;
            chain_replay_push(&replay,
                              &(struct chain_step){.actor = &d->input->actors->list[part->actor],
                                                   .verb = part->rule.verb,
                                                   .is_of_fire = chain->acts[i].is_of_fire});
        }
        add_chain_fires(d, &replay, is_own);
        chain_replay_release(&replay);
    }
}

static void draw_acts(struct drawing *d)
{
    const struct actor *actor = &d->input->actors->list[d->candidate->habit.actor];
    const struct acts *acts = &actor->acts[d->candidate->habit.rule.verb];
    bool *is_own = xcalloc(acts->count, sizeof *is_own);
    bool *is_others = xcalloc(acts->count, sizeof *is_others);
    find_acts(d, is_own, is_others);
    if (d->candidate->chain != NULL)
        draw_chain_fires(d, is_own);
    add_acts(d, acts, is_own, is_others);
    free(is_own);
    free(is_others);
}

/* ---- what is left on ------------------------------------------------------------------------ */

/* A use's end is the act, unless a machine or nobody knows who ended it. */
static void add_use(const struct spell *use, int64_t fire_ms, enum backtest_outcome outcome,
                    void *ctx)
{
    struct drawing *d = ctx;
    bool fires = fire_ms != INT64_MIN;
    if (fires)
        add_mark(d, fire_ms, kind_of_outcome[outcome]);
    if (use->end == SPELL_BY_PERSON)
        add_mark(d, use->end_ms, fires && outcome == BACKTEST_HIT ? ACT_HIT : ACT_OTHER);
}

/* ---- the object ----------------------------------------------------------------------------- */

static int compare_marks(const void *left, const void *right)
{
    const struct mark *a = left, *b = right;
    if (a->minute != b->minute)
        return a->minute < b->minute ? -1 : 1;
    return (a->kind > b->kind) - (a->kind < b->kind);
}

/* Several of a kind within a minute are one. */
static void sort_marks(struct drawing *d)
{
    size_t kept = 0;
    if (d->count > 0)
        qsort(d->marks, d->count, sizeof *d->marks, compare_marks);
    for (size_t i = 0; i < d->count; i++)
        if (i == 0 || compare_marks(&d->marks[i], &d->marks[i - 1]) != 0)
            d->marks[kept++] = d->marks[i];
    d->count = kept;
}

/* The first and last day drawn; false when no day is complete. A day of which not all marks have
 * room is left out, but for the last one. */
static bool find_days(const struct drawing *d, int *first, int *last)
{
    const struct days *days = d->input->days;
    for (*last = days->count - 1; *last >= 0; --*last)
        if (days_role(days, *last) != DAY_INCOMPLETE)
            break;
    *first = *last - PICTURE_DAYS_MAX + 1 > 0 ? *last - PICTURE_DAYS_MAX + 1 : 0;
    if (d->count > PICTURE_MARKS_MAX) {
        int full = d->marks[d->count - PICTURE_MARKS_MAX - 1].minute / DAY_MINUTES + 1;
        *first = full > *first ? full : *first;
        *first = *first < *last ? *first : *last;
    }
    while (*first < *last && days_role(days, *first) == DAY_INCOMPLETE)
        ++*first;
    return *last >= 0;
}

static char letter_of_day(const struct drawing *d, int day)
{
    static const char letters[] = {[DAY_TRAINING] = 't', [DAY_HELD_OUT] = 'h'};
    const struct days *days = d->input->days;
    enum day_role role = days_role(days, day);
    if (role == DAY_INCOMPLETE)
        return '-';
    return days_match(days, day, role, d->candidate->habit.rule.weekdays) ? letters[role] : '.';
}

static void add_days(const struct drawing *d, int first, int last, json_object *out)
{
    char text[PICTURE_DAYS_MAX + 1], date[CLOCK_RFC3339_SIZE];
    for (int day = first; day <= last; day++)
        text[day - first] = letter_of_day(d, day);
    text[last - first + 1] = '\0';
    clock_format_rfc3339(date, (d->input->days->first + first) * DAY_MS);
    date[10] = '\0'; /* "2026-11-23" */
    json_add_string(out, "from", date);
    json_add_string(out, "days", text);
}

/* Those of one kind from the `first` day on, in minutes from its beginning. */
static void add_marks(const struct drawing *d, enum kind kind, int first, json_object *out)
{
    char text[PICTURE_MARKS_MAX * MINUTE_DIGITS + 1];
    size_t used = 0;
    text[0] = '\0';
    size_t from = d->count > PICTURE_MARKS_MAX ? d->count - PICTURE_MARKS_MAX : 0;
    for (size_t i = from; i < d->count; i++) {
        int minute = d->marks[i].minute - first * DAY_MINUTES;
        if (d->marks[i].kind == kind && minute >= 0)
            used +=
                (size_t)snprintf(text + used, sizeof text - used, used > 0 ? " %d" : "%d", minute);
    }
    json_add_string(out, kind_names[kind], text);
}

json_object *picture_write(const struct mine_input *input, const struct judged *judged,
                           size_t index)
{
    const struct candidate *c = &judged->list[index];
    struct drawing d = {.input = input, .judged = judged, .candidate = c};
    int first, last;
    if (c->habit.lengths.is_of_lengths)
        judge_lengths_visit(input, &c->habit, add_use, &d);
    else
        draw_acts(&d);
    sort_marks(&d);
    json_object *object = json_object_new_object();
    json_add_string(object, "of", c->habit.lengths.is_of_lengths ? "uses" : "acts");
    if (find_days(&d, &first, &last)) {
        add_days(&d, first, last, object);
        for (int kind = 0; kind < KIND_COUNT; kind++)
            add_marks(&d, (enum kind)kind, first, object);
    }
    free(d.marks);
    return object;
}
