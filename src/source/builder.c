#include "source/builder.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "model/rule.h"
#include "source/attributes.h"
#include "source/choices.h"
#include "source/scene.h"
#include "source/source.h"

#define NUMBER_MAX 1e9

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
    b->slots = xcalloc(slot_total(), 1);
    b->slot = b->slots;
    b->slot_begin_ms = BUILDER_TIME_MIN_MS;
    h->from_ms = INT64_MAX;
    h->to_ms = INT64_MIN;
}

static void free_words(struct builder_series *s)
{
    for (size_t i = 0; i < s->own_count; i++)
        free(s->own_words[i]);
    free(s->own_words);
    s->own_words = NULL;
    s->own_count = 0;
}

void builder_release(struct builder *b)
{
    for (size_t i = 0; i < b->series_count; i++) {
        free_words(&b->series[i]);
        if (b->series[i].means != NULL)
            means_release(b->series[i].means);
        free(b->series[i].means);
    }
    free(b->series);
    free(b->slots);
    dictionary_release(&b->entity_ids);
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
    struct history_entity *e = &h->entities[h->entity_count++];
    *e = (struct history_entity){.entity_id = xstrndup(entity_id, length)};
    b->series[b->series_count++] =
        (struct builder_series){.recorded = (uint8_t)attributes_recorded(e->entity_id),
                                .is_scene = rule_is_scene(e->entity_id)};
    return index;
}

void builder_follow(struct builder *b, size_t entity, int step)
{
    struct builder_series *s = &b->series[entity];
    if (s->means != NULL || b->followed == HISTORY_LIGHT_SENSORS_MAX)
        return;
    b->followed++;
    s->means = xmalloc(sizeof *s->means);
    means_init(s->means, step);
}

void builder_add_number(struct builder_series *s, int64_t time_ms, const char *state, size_t length)
{
    if (time_ms < means_due_ms(s->means))
        return;
    char *end = NULL;
    double value = NAN; /* what is no number is none in the mean either */
    if (length > 0 && isdigit((unsigned char)state[length - 1]))
        value = strtod(state, &end);
    bool is_number = end == state + length && fabs(value) <= NUMBER_MAX;
    means_add(s->means, time_ms, is_number ? value : NAN);
}

/* --- states --- */

static void drop_series(struct builder *b, size_t entity)
{
    struct history_entity *e = &b->history->entities[entity];
    struct builder_series *s = &b->series[entity];
    free(e->time_ms);
    free(e->state);
    free(e->cause);
    e->time_ms = NULL;
    e->state = NULL;
    e->cause = NULL;
    e->changes = e->capacity = 0;
    free_words(s);
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

/* The fixed state of that name, or -1. */
static int find_fixed(const struct history *h, const char *state, size_t length)
{
    for (int i = 0; i < HISTORY_STATE_FIXED_COUNT; i++)
        if (strncmp(h->states[i], state, length) == 0 && h->states[i][length] == '\0')
            return i;
    return -1;
}

/* How many distinct words there are. */
static int count_words(const struct builder_series *s)
{
    int count = s->own_count;
    for (unsigned bits = s->fixed_seen; bits != 0; bits &= bits - 1)
        count++;
    return count;
}

/* The word's index among the entity's own, adding it; -1 when that makes too many. */
static int own_word(struct builder *b, struct builder_series *s, const char *state, size_t length)
{
    for (int i = 0; i < s->own_count; i++)
        if (strncmp(s->own_words[i], state, length) == 0 && s->own_words[i][length] == '\0')
            return i;
    if (count_words(s) == BUILDER_ENTITY_WORDS_MAX)
        return -1;
    if (s->own_words == NULL)
        s->own_words = xcalloc(BUILDER_ENTITY_WORDS_MAX, sizeof *s->own_words);
    s->own_words[s->own_count] = xstrndup(state, length);
    atomic_fetch_add_explicit(&b->word_bytes, length + 1, memory_order_relaxed);
    return s->own_count++;
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
    length = strnlen(state, length); /* a hostile row may hold a NUL */
    int word = length <= WORD_MAX ? find_fixed(b->history, state, length) : HISTORY_STATE_OTHER;
    if (word == HISTORY_STATE_UNAVAILABLE || word == HISTORY_STATE_UNKNOWN)
        return (uint16_t)word;
    s->words++;
    if (word < 0) {
        int own = own_word(b, s, state, length);
        *keep = own >= 0;
        return (uint16_t)(HISTORY_STATE_FIXED_COUNT + (own >= 0 ? own : 0));
    }
    s->fixed_seen |= (uint8_t)(1u << word);
    *keep = count_words(s) <= BUILDER_ENTITY_WORDS_MAX;
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

/* Both sums only grow, also when an entity is dropped: whether a maximum is reached depends on the
 * rows alone, not on who comes first. */
static int check_maxima(const struct builder *b, struct error *err)
{
    if (atomic_load_explicit(&b->changes, memory_order_relaxed) > SOURCE_CHANGES_MAX)
        return error_set(err, ERROR_LIMIT,
                         "more than %d state changes to keep: shorten the history (--since) or "
                         "leave entities out (EXCLUDE)",
                         SOURCE_CHANGES_MAX);
    if (atomic_load_explicit(&b->word_bytes, memory_order_relaxed) > BUILDER_WORD_BYTES_MAX)
        return error_set(err, ERROR_LIMIT,
                         "more than %d MB of distinct states: leave entities with free text out "
                         "(EXCLUDE)",
                         BUILDER_WORD_BYTES_MAX / (1024 * 1024));
    return 0;
}

static int keep_change(struct builder *b, size_t entity, int64_t time_ms, uint16_t word,
                       enum cause cause, struct error *err)
{
    append_change(&b->history->entities[entity], time_ms, word, cause);
    atomic_fetch_add_explicit(&b->changes, 1, memory_order_relaxed);
    return check_maxima(b, err);
}

/* Adds the word of a row. */
static int add_word(struct builder *b, size_t entity, int64_t time_ms, uint16_t word,
                    enum cause cause, struct error *err)
{
    const struct history_entity *e = &b->history->entities[entity];
    struct builder_series *s = &b->series[entity];
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

/* A scene's row: it was activated, it is not there, or neither. */
static int add_scene(struct builder *b, size_t entity, int64_t time_ms, const char *state,
                     size_t length, enum cause cause, struct error *err)
{
    struct builder_series *s = &b->series[entity];
    bool is_on = state != NULL && find_fixed(b->history, state, length) == HISTORY_STATE_ON;
    s->words++;
    if (is_on || (state != NULL && scene_was_activated(state, length, time_ms)))
        return add_word(b, entity, time_ms - 1, HISTORY_STATE_OFF, CAUSE_AUTOMATION, err) != 0 ||
                       add_word(b, entity, time_ms, HISTORY_STATE_ON, cause, err) != 0
                   ? -1
                   : add_word(b, entity, time_ms + 1, HISTORY_STATE_OFF, CAUSE_AUTOMATION, err);
    bool is_absent =
        state == NULL || find_fixed(b->history, state, length) == HISTORY_STATE_UNAVAILABLE;
    return add_word(b, entity, time_ms, is_absent ? HISTORY_STATE_UNAVAILABLE : HISTORY_STATE_OFF,
                    is_absent ? cause : CAUSE_AUTOMATION, err);
}

int builder_add_state(struct builder *b, size_t entity, int64_t time_ms, const char *state,
                      size_t length, enum cause cause, struct error *err)
{
    struct builder_series *s = &b->series[entity];
    bool keep = true;
    if (s->means != NULL)
        builder_add_number(s, time_ms, state, length);
    if (s->is_dropped)
        return 0;
    if (s->is_scene)
        return add_scene(b, entity, time_ms, state, length, cause, err);
    uint16_t word = classify(b, s, state, length, &keep);
    if (!keep) {
        drop_series(b, entity);
        return 0;
    }
    return add_word(b, entity, time_ms, word, cause, err);
}

int builder_add_value(struct builder *b, size_t entity, const struct history_value *value,
                      struct error *err)
{
    struct history_entity *e = &b->history->entities[entity];
    struct builder_series *s = &b->series[entity];
    if (s->has_too_many)
        return 0;
    if (e->value_count == HISTORY_VALUES_MAX) {
        free(e->values);
        e->values = NULL;
        e->value_count = e->value_capacity = 0;
        s->has_too_many = true;
        return 0;
    }
    e->values = grow_array(e->values, e->value_count, &e->value_capacity, sizeof *e->values);
    e->values[e->value_count++] = *value;
    atomic_fetch_add_explicit(&b->changes, 1, memory_order_relaxed);
    return check_maxima(b, err);
}

int builder_add_reading(struct builder *b, size_t entity, const struct history_value *value,
                        struct error *err)
{
    struct history_value kept[READINGS_KEPT_MAX];
    size_t count = readings_take(&b->series[entity].readings, value, kept);
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = builder_add_value(b, entity, &kept[i], err);
    return result;
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

int64_t builder_last_noted(const struct builder *b, int64_t from_ms, int64_t to_ms)
{
    if (from_ms < b->history->from_ms)
        from_ms = b->history->from_ms;
    if (to_ms > b->history->to_ms + 1)
        to_ms = b->history->to_ms + 1;
    if (from_ms >= to_ms)
        return from_ms;
    int64_t slot = (to_ms - 1 - BUILDER_TIME_MIN_MS) / BUILDER_SLOT_MS;
    int64_t first = (from_ms - BUILDER_TIME_MIN_MS) / BUILDER_SLOT_MS;
    for (; slot >= first; slot--) {
        if (b->slots[slot] == 0)
            continue;
        int64_t row_ms =
            BUILDER_TIME_MIN_MS + slot * BUILDER_SLOT_MS + b->slots[slot] * BUILDER_UNIT_MS;
        if (row_ms < to_ms) /* else a later row of the same quarter hour */
            return row_ms > from_ms ? row_ms : from_ms;
    }
    return from_ms;
}

void builder_add_span(struct builder *b, int64_t from_ms, int64_t to_ms)
{
    struct history *h = b->history;
    if (h->covered_count == BUILDER_SPANS_MAX)
        return;
    if (from_ms < h->from_ms)
        from_ms = h->from_ms;
    if (to_ms > h->to_ms + 1)
        to_ms = h->to_ms + 1;
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

/* The entity's own words become everyone's. */
static void share_words(struct history_entity *e, const struct builder_series *s,
                        struct dictionary *states)
{
    uint16_t shared[BUILDER_ENTITY_WORDS_MAX];
    for (size_t i = 0; i < s->own_count; i++) {
        const char *word = s->own_words[i];
        int64_t index = dictionary_add(states, word, strlen(word), HISTORY_STATES_MAX);
        shared[i] = index < 0 ? HISTORY_STATE_OTHER : (uint16_t)index;
    }
    for (size_t i = 0; i < e->changes; i++)
        if (e->state[i] >= HISTORY_STATE_FIXED_COUNT)
            e->state[i] = shared[e->state[i] - HISTORY_STATE_FIXED_COUNT];
}

/* Takes the words over. */
static void finish_states(struct history *h, struct dictionary *states)
{
    for (size_t i = 0; i < h->state_count; i++)
        free(h->states[i]);
    free(h->states);
    h->states = states->keys;
    h->state_count = states->count;
    h->state_capacity = states->capacity;
    states->keys = NULL;
    states->count = states->capacity = 0;
    dictionary_release(states);
}

void builder_finish(struct builder *b)
{
    struct history *h = b->history;
    struct dictionary states;
    if (h->from_ms > h->to_ms)
        h->from_ms = h->to_ms = 0;
    dictionary_init(&states);
    for (size_t i = 0; i < h->state_count; i++)
        dictionary_add(&states, h->states[i], strlen(h->states[i]), HISTORY_STATES_MAX);
    size_t used = 0;
    for (size_t i = 0; i < h->entity_count; i++) {
        struct history_entity *e = &h->entities[i];
        struct builder_series *s = &b->series[i];
        e->rows = s->rows;
        h->state_changes += s->rows;
        if (s->numbers > s->words && !s->is_scene)
            drop_series(b, i);
        if (e->rows == 0) { /* in the table of entities, but without a state in this time */
            free(e->entity_id);
            free(e->name);
            free(e->area);
            free(e->members);
            free(e->device_class);
            free(e->values);
            free(e->means);
            continue;
        }
        if (s->means != NULL)
            means_finish(s->means, h->from_ms, h->to_ms, e);
        sort_series(e);
        share_words(e, s, &states);
        merge_series(e);
        if (e->name == NULL)
            e->name = readable_name(e->entity_id);
        h->entities[used++] = *e;
    }
    h->entity_count = used;
    if (used > 0)
        qsort(h->entities, used, sizeof *h->entities, compare_entities);
    finish_states(h, &states);
    for (size_t i = 0; i < used; i++)
        choices_settle(h, &h->entities[i]);
    finish_coverage(b);
}
