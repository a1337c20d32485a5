#include "source/builder.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "source/source.h"

enum {
    WORD_MAX = 255, /* bytes; Home Assistant's own limit */
    ENTITY_ID_MAX = 255,
};

static size_t slot_total(void)
{
    return (size_t)((BUILDER_TIME_MAX_MS - BUILDER_TIME_MIN_MS) / BUILDER_SLOT_MS);
}

void builder_init(struct builder *b, struct history *h)
{
    *b = (struct builder){.history = h};
    dictionary_init(&b->entity_ids);
    dictionary_init(&b->states);
    for (size_t i = 0; i < h->state_count; i++)
        dictionary_add(&b->states, h->states[i], strlen(h->states[i]), HISTORY_STATES_MAX);
    b->slots = xcalloc(slot_total(), 1);
    b->slot = b->slots;
    b->slot_begin_ms = BUILDER_TIME_MIN_MS;
    h->from_ms = INT64_MAX;
    h->to_ms = INT64_MIN;
}

void builder_release(struct builder *b)
{
    for (size_t i = 0; i < b->history->entity_count && b->series != NULL; i++)
        free(b->series[i].seen);
    free(b->series);
    free(b->slots);
    dictionary_release(&b->entity_ids);
    dictionary_release(&b->states);
}

/* --- entities --- */

/* Home Assistant's own rule, nearly: these ids go into automations and topics. */
static bool is_entity_id(const char *id, size_t length)
{
    size_t dots = 0;
    if (length < 3 || length > ENTITY_ID_MAX || id[0] == '.' || id[length - 1] == '.')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (id[i] == '.')
            dots++;
        else if (id[i] != '_' && !(id[i] >= 'a' && id[i] <= 'z') && !(id[i] >= '0' && id[i] <= '9'))
            return false;
    }
    return dots == 1;
}

int64_t builder_add_entity(struct builder *b, const char *entity_id, size_t length)
{
    struct history *h = b->history;
    if (!is_entity_id(entity_id, length))
        return -1;
    int64_t index = dictionary_add(&b->entity_ids, entity_id, length, HISTORY_ENTITIES_MAX);
    if (index < 0 || (size_t)index < h->entity_count)
        return index;
    h->entities =
        grow_array(h->entities, h->entity_count, &h->entity_capacity, sizeof *h->entities);
    b->series = grow_array(b->series, h->entity_count, &b->series_capacity, sizeof *b->series);
    b->series[h->entity_count] = (struct builder_series){.numbers = 0};
    h->entities[h->entity_count++] =
        (struct history_entity){.entity_id = xstrndup(entity_id, length)};
    return index;
}

/* --- states --- */

static void drop_series(struct builder *b, size_t entity)
{
    struct history_entity *e = &b->history->entities[entity];
    struct builder_series *s = &b->series[entity];
    b->changes -= e->changes;
    free(e->time_ms);
    free(e->state);
    free(e->cause);
    e->time_ms = NULL;
    e->state = NULL;
    e->cause = NULL;
    e->changes = e->capacity = 0;
    free(s->seen);
    s->seen = NULL;
    s->is_dropped = true;
}

/* Numbers and times: "21.5", "-3", "2026-11-23T…". */
static bool begins_like_number(const char *state, size_t length)
{
    size_t i = (state[0] == '-' || state[0] == '+' || state[0] == '.') ? 1 : 0;
    if (i < length && i == 1 && state[1] == '.')
        i = 2;
    return i < length && isdigit((unsigned char)state[i]);
}

/* Remembers one more distinct word of an entity; false when that makes too many. */
static bool note_word(struct builder_series *s, uint16_t word)
{
    for (size_t i = 0; i < s->seen_count; i++)
        if (s->seen[i] == word)
            return true;
    if (s->seen_count == BUILDER_ENTITY_WORDS_MAX)
        return false;
    if (s->seen == NULL)
        s->seen = xcalloc(BUILDER_ENTITY_WORDS_MAX, sizeof *s->seen);
    s->seen[s->seen_count++] = word;
    return true;
}

/* The state's word; HISTORY_STATE_OTHER when it is none. *keep false: the entity is no longer
 * worth keeping. */
static uint16_t classify(struct builder *b, struct builder_series *s, const char *state,
                         size_t length, bool *keep)
{
    *keep = true;
    if (state == NULL)
        return HISTORY_STATE_UNAVAILABLE;
    if (length == 0)
        return HISTORY_STATE_UNKNOWN;
    if (begins_like_number(state, length)) {
        s->numbers++;
        *keep = s->numbers < BUILDER_NUMBERS_MIN || s->numbers <= s->words;
        return HISTORY_STATE_OTHER;
    }
    int64_t word =
        length <= WORD_MAX ? dictionary_add(&b->states, state, length, HISTORY_STATES_MAX) : -1;
    if (word == HISTORY_STATE_UNAVAILABLE || word == HISTORY_STATE_UNKNOWN)
        return (uint16_t)word;
    s->words++;
    if (word < 0)
        word = HISTORY_STATE_OTHER;
    *keep = note_word(s, (uint16_t)word);
    return (uint16_t)word;
}

static void append_change(struct history_entity *e, int64_t time_ms, uint16_t state,
                          enum cause cause)
{
    if (e->changes == e->capacity) {
        e->capacity = e->capacity ? e->capacity + e->capacity / 2 : 16;
        e->time_ms = xreallocarray(e->time_ms, e->capacity, sizeof *e->time_ms);
        e->state = xreallocarray(e->state, e->capacity, sizeof *e->state);
        e->cause = xreallocarray(e->cause, e->capacity, sizeof *e->cause);
    }
    e->time_ms[e->changes] = time_ms;
    e->state[e->changes] = state;
    e->cause[e->changes] = (uint8_t)cause;
    e->changes++;
}

static int keep_change(struct builder *b, size_t entity, int64_t time_ms, uint16_t word,
                       enum cause cause, struct error *err)
{
    if (b->changes == SOURCE_CHANGES_MAX)
        return error_set(err, ERROR_LIMIT,
                         "more than %d state changes to keep: shorten the history (--since) or "
                         "leave entities out (EXCLUDE)",
                         SOURCE_CHANGES_MAX);
    append_change(&b->history->entities[entity], time_ms, word, cause);
    b->changes++;
    return 0;
}

int builder_add_state(struct builder *b, size_t entity, int64_t time_ms, const char *state,
                      size_t length, enum cause cause, struct error *err)
{
    const struct history_entity *e = &b->history->entities[entity];
    struct builder_series *s = &b->series[entity];
    bool keep = true;
    uint16_t word = classify(b, s, state, length, &keep);
    if (!keep) {
        drop_series(b, entity);
        return 0;
    }
    bool is_late = e->changes > 0 && time_ms < s->latest_ms;
    /* A row that came late may lie between the last kept one and one that repeated it. */
    if (is_late && !s->is_latest_kept) {
        uint16_t repeated = e->state[e->changes - 1];
        s->is_latest_kept = true;
        if (keep_change(b, entity, s->latest_ms, repeated, s->latest_cause, err) != 0)
            return -1;
    }
    if (is_late)
        return keep_change(b, entity, time_ms, word, cause, err);
    bool is_repeated = e->changes > 0 && e->state[e->changes - 1] == word &&
                       (!s->is_latest_kept || e->time_ms[e->changes - 1] == s->latest_ms);
    s->latest_ms = time_ms;
    s->latest_cause = cause;
    s->is_latest_kept = !is_repeated;
    return is_repeated ? 0 : keep_change(b, entity, time_ms, word, cause, err);
}

struct change {
    int64_t time_ms;
    size_t order;
    uint16_t state;
    uint8_t cause;
};

static int compare_changes(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    if (x->time_ms != y->time_ms)
        return x->time_ms < y->time_ms ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static bool is_sorted(const struct history_entity *e)
{
    for (size_t i = 1; i < e->changes; i++)
        if (e->time_ms[i] < e->time_ms[i - 1])
            return false;
    return true;
}

/* By time; equal times in order of arrival. */
static void sort_series(struct history_entity *e)
{
    if (is_sorted(e))
        return;
    struct change *changes = xreallocarray(NULL, e->changes, sizeof *changes);
    for (size_t i = 0; i < e->changes; i++)
        changes[i] = (struct change){e->time_ms[i], i, e->state[i], e->cause[i]};
    qsort(changes, e->changes, sizeof *changes, compare_changes);
    for (size_t i = 0; i < e->changes; i++) {
        e->time_ms[i] = changes[i].time_ms;
        e->state[i] = changes[i].state;
        e->cause[i] = changes[i].cause;
    }
    free(changes);
}

/* Of neighbours with the same state only the first is a change. */
static void merge_series(struct history_entity *e)
{
    size_t kept = 0;
    for (size_t i = 0; i < e->changes; i++) {
        if (kept > 0 && e->state[kept - 1] == e->state[i])
            continue;
        e->time_ms[kept] = e->time_ms[i];
        e->state[kept] = e->state[i];
        e->cause[kept] = e->cause[i];
        kept++;
    }
    e->changes = kept;
}

/* --- coverage --- */

static bool has_row_between(const struct builder *b, int64_t from_slot, int64_t to_slot)
{
    for (; from_slot < to_slot; from_slot++)
        if (b->slots[from_slot] != 0)
            return true;
    return false;
}

/* When the last row before to_ms was, rounded up a little; from_ms when there is none. */
static int64_t last_row_before(const struct builder *b, int64_t from_ms, int64_t to_ms)
{
    int64_t slot = (to_ms - 1 - BUILDER_TIME_MIN_MS) / BUILDER_SLOT_MS;
    int64_t first = (from_ms - BUILDER_TIME_MIN_MS) / BUILDER_SLOT_MS;
    for (; slot >= first; slot--) {
        if (b->slots[slot] == 0)
            continue;
        int64_t row_ms =
            BUILDER_TIME_MIN_MS + slot * BUILDER_SLOT_MS + b->slots[slot] * BUILDER_UNIT_MS;
        if (row_ms < to_ms) /* else a row of the next run, in the same quarter hour */
            return row_ms > from_ms ? row_ms : from_ms;
    }
    return from_ms;
}

void builder_add_span(struct builder *b, int64_t from_ms, int64_t to_ms, bool is_end_uncertain)
{
    struct history *h = b->history;
    if (h->state_changes == 0 || h->covered_count == BUILDER_SPANS_MAX)
        return;
    if (from_ms < h->from_ms)
        from_ms = h->from_ms;
    if (to_ms > h->to_ms + 1)
        to_ms = h->to_ms + 1;
    if (is_end_uncertain && from_ms < to_ms)
        to_ms = last_row_before(b, from_ms, to_ms);
    if (from_ms >= to_ms)
        return;
    h->covered = grow_array(h->covered, h->covered_count, &h->covered_capacity, sizeof *h->covered);
    h->covered[h->covered_count++] = (struct history_span){from_ms, to_ms};
}

static int compare_spans(const void *a, const void *b)
{
    const struct history_span *x = a, *y = b;
    return (x->from_ms > y->from_ms) - (x->from_ms < y->from_ms);
}

static void unite_spans(struct history *h)
{
    if (h->covered_count == 0)
        return;
    qsort(h->covered, h->covered_count, sizeof *h->covered, compare_spans);
    size_t last = 0;
    for (size_t i = 1; i < h->covered_count; i++) {
        if (h->covered[i].from_ms > h->covered[last].to_ms)
            h->covered[++last] = h->covered[i];
        else if (h->covered[i].to_ms > h->covered[last].to_ms)
            h->covered[last].to_ms = h->covered[i].to_ms;
    }
    h->covered_count = last + 1;
}

/* Appends the span without the local days on which nothing at all was recorded. */
static void add_without_empty_days(const struct builder *b, struct history_span span,
                                   struct history *out)
{
    const struct tz *tz = b->history->tz;
    struct tz_local local;
    tz_to_local(tz, span.from_ms / 1000, &local);
    int64_t day_ms = tz_day_start(tz, local.day) * 1000;
    for (int64_t day = local.day; day_ms < span.to_ms; day++) {
        int64_t next_ms = tz_day_start(tz, day + 1) * 1000;
        int64_t from = (day_ms - BUILDER_TIME_MIN_MS) / BUILDER_SLOT_MS;
        int64_t to = (next_ms - BUILDER_TIME_MIN_MS + BUILDER_SLOT_MS - 1) / BUILDER_SLOT_MS;
        if (from < 0)
            from = 0;
        if (to > (int64_t)slot_total())
            to = (int64_t)slot_total();
        struct history_span part = {day_ms > span.from_ms ? day_ms : span.from_ms,
                                    next_ms < span.to_ms ? next_ms : span.to_ms};
        day_ms = next_ms;
        if (part.from_ms >= part.to_ms || !has_row_between(b, from, to))
            continue;
        if (out->covered_count > 0 && out->covered[out->covered_count - 1].to_ms == part.from_ms) {
            out->covered[out->covered_count - 1].to_ms = part.to_ms;
            continue;
        }
        out->covered = grow_array(out->covered, out->covered_count, &out->covered_capacity,
                                  sizeof *out->covered);
        out->covered[out->covered_count++] = part;
    }
}

static void finish_coverage(struct builder *b)
{
    struct history *h = b->history;
    struct history cut = {.covered = NULL};
    unite_spans(h);
    for (size_t i = 0; i < h->covered_count; i++)
        add_without_empty_days(b, h->covered[i], &cut);
    free(h->covered);
    h->covered = cut.covered;
    h->covered_count = cut.covered_count;
    h->covered_capacity = cut.covered_capacity;
}

/* --- the end --- */

static int compare_entities(const void *a, const void *b)
{
    const struct history_entity *x = a, *y = b;
    return strcmp(x->entity_id, y->entity_id);
}

/* "light.kitchen_lamp": "Kitchen lamp". */
static char *readable_name(const char *entity_id)
{
    const char *dot = strchr(entity_id, '.');
    char *name = xstrdup(dot != NULL ? dot + 1 : entity_id);
    for (char *p = name; *p != '\0'; p++)
        if (*p == '_')
            *p = ' ';
    name[0] = (char)toupper((unsigned char)name[0]);
    return name;
}

static void finish_states(struct builder *b)
{
    struct history *h = b->history;
    for (size_t i = 0; i < h->state_count; i++)
        free(h->states[i]);
    free(h->states);
    h->states = b->states.keys;
    h->state_count = b->states.count;
    h->state_capacity = b->states.capacity;
    b->states.keys = NULL;
    b->states.count = b->states.capacity = 0;
}

void builder_finish(struct builder *b)
{
    struct history *h = b->history;
    if (h->state_changes == 0)
        h->from_ms = h->to_ms = 0;
    size_t used = 0;
    for (size_t i = 0; i < h->entity_count; i++) {
        struct history_entity *e = &h->entities[i];
        e->rows = b->series[i].rows;
        if (b->series[i].numbers > b->series[i].words)
            drop_series(b, i);
        free(b->series[i].seen);
        b->series[i].seen = NULL;
        if (e->rows == 0) { /* in the table of entities, but without a state in this time */
            free(e->entity_id);
            free(e->name);
            free(e->area);
            continue;
        }
        sort_series(e);
        merge_series(e);
        if (e->name == NULL)
            e->name = readable_name(e->entity_id);
        h->entities[used++] = *e;
    }
    h->entity_count = used;
    if (used > 0)
        qsort(h->entities, used, sizeof *h->entities, compare_entities);
    finish_states(b);
    finish_coverage(b);
}
