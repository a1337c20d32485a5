#include "model/timeline.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/dictionary.h"
#include "core/json.h"
#include "core/xalloc.h"

enum { NUMBER_LENGTH_MAX = 255 }; /* of a state, in Home Assistant */

struct timeline_index {
    struct dictionary series, words, attributes;
    int32_t *attributes_of_text; /* parallel to the keys of attributes; -1 = no object */
    size_t attributes_capacity;
};

void timeline_init(struct timeline *t)
{
    *t = (struct timeline){.word_count = 1, .word_capacity = 1};
    t->words = xmalloc(sizeof *t->words);
    t->numbers = xmalloc(sizeof *t->numbers);
    t->words[TIMELINE_REMOVED] = xstrdup("");
    t->numbers[TIMELINE_REMOVED] = NAN;
    t->index = xcalloc(1, sizeof *t->index);
    dictionary_init(&t->index->series);
    dictionary_init(&t->index->words);
    dictionary_init(&t->index->attributes);
}

static void free_index(struct timeline *t)
{
    if (t->index == NULL)
        return;
    dictionary_release(&t->index->series);
    dictionary_release(&t->index->words);
    dictionary_release(&t->index->attributes);
    free(t->index->attributes_of_text);
    free(t->index);
    t->index = NULL;
}

static void release_place(struct timeline_place *place)
{
    free(place->entity_id);
    free(place->device_id);
    free(place->area_id);
    free(place->floor_id);
    free(place->labels);
    free(place->device_labels);
    free(place->area_labels);
    free(place->parent_device_id);
    free(place->registry_id);
    free(place->device_class);
}

void timeline_release(struct timeline *t)
{
    free_index(t);
    for (size_t i = 0; i < t->series_count; i++) {
        free(t->series[i].entity_id);
        free(t->series[i].rows);
    }
    for (size_t i = 0; i < t->word_count; i++)
        free(t->words[i]);
    for (size_t i = 0; i < t->attribute_count; i++)
        json_object_put(t->attributes[i]);
    for (size_t i = 0; i < t->place_count; i++)
        release_place(&t->places[i]);
    free(t->series);
    free(t->words);
    free(t->numbers);
    free(t->attributes);
    free(t->runs);
    free(t->places);
    *t = (struct timeline){.series = NULL};
}

/* --- filling --- */

static int too_many(struct error *err, const char *what, size_t max)
{
    return error_set(err, ERROR_LIMIT, "the history holds more than %zu %s", max, what);
}

int timeline_add_series(struct timeline *t, const char *entity_id, size_t *series,
                        struct error *err)
{
    int64_t index =
        dictionary_add(&t->index->series, entity_id, strlen(entity_id), TIMELINE_ENTITIES_MAX);
    if (index < 0)
        return too_many(err, "entities", TIMELINE_ENTITIES_MAX);
    *series = (size_t)index;
    if (*series < t->series_count)
        return 0;
    t->series = grow_array(t->series, t->series_count, &t->series_capacity, sizeof *t->series);
    t->series[t->series_count++] = (struct timeline_series){.entity_id = xstrdup(entity_id)};
    return 0;
}

static int count_bytes(size_t *bytes, size_t length, size_t max, const char *what,
                       struct error *err)
{
    if (length > max - *bytes)
        return too_many(err, what, max);
    *bytes += length;
    return 0;
}

int timeline_add_word(struct timeline *t, const char *state, size_t length, uint32_t *word,
                      struct error *err)
{
    length = strnlen(state, length);
    int64_t known = dictionary_find(&t->index->words, state, length);
    if (known >= 0) {
        *word = (uint32_t)known + 1; /* after TIMELINE_REMOVED */
        return 0;
    }
    if (t->word_count >= TIMELINE_WORDS_MAX)
        return too_many(err, "distinct states", TIMELINE_WORDS_MAX);
    if (count_bytes(&t->state_bytes, length, TIMELINE_STATE_BYTES_MAX, "bytes of states", err) != 0)
        return -1;
    dictionary_add(&t->index->words, state, length, TIMELINE_WORDS_MAX);
    size_t capacity = t->word_capacity;
    t->words = grow_array(t->words, t->word_count, &t->word_capacity, sizeof *t->words);
    if (t->word_capacity != capacity)
        t->numbers = xreallocarray(t->numbers, t->word_capacity, sizeof *t->numbers);
    char *text = xstrndup(state, length);
    double number = NAN;
    t->words[t->word_count] = text;
    t->numbers[t->word_count] = timeline_number(text, &number) ? number : NAN;
    *word = (uint32_t)t->word_count++;
    return 0;
}

/* -1 when the text is no object. */
static int32_t keep_attributes(struct timeline *t, const char *json, size_t length)
{
    json_object *object = json_parse(json, length, NULL);
    if (!json_object_is_type(object, json_type_object)) {
        json_object_put(object);
        return -1;
    }
    t->attributes = grow_array(t->attributes, t->attribute_count, &t->attribute_capacity,
                               sizeof *t->attributes);
    t->attributes[t->attribute_count++] = object;
    return (int32_t)t->attribute_count - 1;
}

int timeline_add_attributes(struct timeline *t, const char *json, size_t length,
                            int32_t *attributes, struct error *err)
{
    struct timeline_index *index = t->index;
    length = strnlen(json, length);
    int64_t known = dictionary_find(&index->attributes, json, length);
    if (known < 0) {
        if (count_bytes(&t->attribute_bytes, length, TIMELINE_ATTRIBUTE_BYTES_MAX,
                        "bytes of attributes", err) != 0)
            return -1;
        index->attributes_of_text =
            grow_array(index->attributes_of_text, index->attributes.count,
                       &index->attributes_capacity, sizeof *index->attributes_of_text);
        known = dictionary_add(&index->attributes, json, length, INT32_MAX);
        index->attributes_of_text[known] = keep_attributes(t, json, length);
    }
    *attributes = index->attributes_of_text[known];
    return 0;
}

int timeline_add_row(struct timeline *t, size_t series, const struct timeline_row *row,
                     struct error *err)
{
    if (t->row_count >= TIMELINE_ROWS_MAX)
        return too_many(err, "state changes of the entities asked for", TIMELINE_ROWS_MAX);
    struct timeline_series *s = &t->series[series];
    s->rows = grow_array(s->rows, s->count, &s->capacity, sizeof *s->rows);
    s->rows[s->count] = *row;
    t->row_count++;
    if (row->order == 0)
        s->rows[s->count].order = (uint32_t)t->row_count;
    s->count++;
    return 0;
}

int timeline_add_run(struct timeline *t, const struct timeline_run *run, struct error *err)
{
    if (t->run_count >= TIMELINE_RUNS_MAX)
        return too_many(err, "runs of Home Assistant", TIMELINE_RUNS_MAX);
    t->runs = grow_array(t->runs, t->run_count, &t->run_capacity, sizeof *t->runs);
    t->runs[t->run_count++] = *run;
    return 0;
}

static char *copy_text(const char *text)
{
    return text != NULL ? xstrdup(text) : NULL;
}

int timeline_add_place(struct timeline *t, const struct timeline_place *place, struct error *err)
{
    if (t->place_count >= TIMELINE_PLACES_MAX)
        return too_many(err, "entities in its registry", TIMELINE_PLACES_MAX);
    t->places = grow_array(t->places, t->place_count, &t->place_capacity, sizeof *t->places);
    struct timeline_place *copy = &t->places[t->place_count++];
    *copy = *place;
    copy->entity_id = xstrdup(place->entity_id);
    copy->device_id = copy_text(place->device_id);
    copy->area_id = copy_text(place->area_id);
    copy->floor_id = copy_text(place->floor_id);
    copy->labels = copy_text(place->labels);
    copy->device_labels = copy_text(place->device_labels);
    copy->area_labels = copy_text(place->area_labels);
    copy->parent_device_id = copy_text(place->parent_device_id);
    copy->registry_id = copy_text(place->registry_id);
    copy->device_class = copy_text(place->device_class);
    return 0;
}

static int compare_series(const void *a, const void *b)
{
    return strcmp(((const struct timeline_series *)a)->entity_id,
                  ((const struct timeline_series *)b)->entity_id);
}

static int compare_places(const void *a, const void *b)
{
    return strcmp(((const struct timeline_place *)a)->entity_id,
                  ((const struct timeline_place *)b)->entity_id);
}

static int compare_runs(const void *a, const void *b)
{
    const struct timeline_run *x = a, *y = b;
    return (x->from_ms > y->from_ms) - (x->from_ms < y->from_ms);
}

/* Merges the sorted [from, middle) and [middle, to) by way of spare. */
static void merge_rows(struct timeline_row *rows, size_t from, size_t middle, size_t to,
                       struct timeline_row *spare)
{
    size_t left = from, right = middle;
    for (size_t i = from; i < to; i++)
        if (right >= to || (left < middle && rows[left].time_ms <= rows[right].time_ms))
            spare[i] = rows[left++];
        else
            spare[i] = rows[right++];
    memcpy(rows + from, spare + from, (to - from) * sizeof *rows);
}

/* qsort would not keep the order of equal times. Rows mostly come in order: then nothing moves. */
static void sort_rows(struct timeline_row *rows, size_t count)
{
    size_t sorted = 1;
    while (sorted < count && rows[sorted - 1].time_ms <= rows[sorted].time_ms)
        sorted++;
    if (sorted >= count)
        return;
    struct timeline_row *spare = xreallocarray(NULL, count, sizeof *spare);
    for (size_t width = 1; width < count; width *= 2)
        for (size_t from = 0; from + width < count; from += 2 * width) {
            size_t middle = from + width, to = count - from < 2 * width ? count : from + 2 * width;
            if (rows[middle - 1].time_ms > rows[middle].time_ms)
                merge_rows(rows, from, middle, to, spare);
        }
    free(spare);
}

/* Puts right what a damaged table may say: runs that end before they begin, or overlap. */
static void sort_runs(struct timeline *t)
{
    qsort(t->runs, t->run_count, sizeof *t->runs, compare_runs);
    for (size_t i = 0; i < t->run_count; i++) {
        struct timeline_run *run = &t->runs[i];
        int64_t end_ms = i + 1 < t->run_count ? t->runs[i + 1].from_ms : INT64_MAX;
        if (run->to_ms < run->from_ms)
            run->to_ms = run->from_ms;
        if (run->to_ms > end_ms)
            run->to_ms = end_ms;
        if (run->started_ms < run->from_ms)
            run->started_ms = run->from_ms;
        if (run->started_ms > run->to_ms)
            run->started_ms = run->to_ms;
    }
}

void timeline_finish(struct timeline *t)
{
    free_index(t);
    int64_t first_ms = INT64_MAX, last_ms = INT64_MIN;
    for (size_t i = 0; i < t->series_count; i++) {
        struct timeline_series *s = &t->series[i];
        if (s->count == 0)
            continue;
        sort_rows(s->rows, s->count);
        first_ms = s->rows[0].time_ms < first_ms ? s->rows[0].time_ms : first_ms;
        last_ms = s->rows[s->count - 1].time_ms > last_ms ? s->rows[s->count - 1].time_ms : last_ms;
    }
    t->first_row_ms = first_ms;
    if (t->from_ms == 0 && first_ms != INT64_MAX)
        t->from_ms = first_ms;
    if (t->to_ms == 0 && last_ms != INT64_MIN)
        t->to_ms = last_ms;
    if (t->series_count > 0)
        qsort(t->series, t->series_count, sizeof *t->series, compare_series);
    if (t->place_count > 0)
        qsort(t->places, t->place_count, sizeof *t->places, compare_places);
    if (t->run_count == 0) {
        struct timeline_run all = {t->from_ms, t->from_ms, t->to_ms, false};
        if (first_ms < all.from_ms)
            all.from_ms = first_ms;
        timeline_add_run(t, &all, NULL);
    }
    sort_runs(t);
}

/* --- reading --- */

static int compare_id_to_series(const void *entity_id, const void *series)
{
    return strcmp(entity_id, ((const struct timeline_series *)series)->entity_id);
}

const struct timeline_series *timeline_find(const struct timeline *t, const char *entity_id)
{
    if (t->series_count == 0)
        return NULL;
    return bsearch(entity_id, t->series, t->series_count, sizeof *t->series, compare_id_to_series);
}

static int compare_id_to_place(const void *entity_id, const void *place)
{
    return strcmp(entity_id, ((const struct timeline_place *)place)->entity_id);
}

const struct timeline_place *timeline_find_place(const struct timeline *t, const char *entity_id)
{
    if (t->place_count == 0)
        return NULL;
    return bsearch(entity_id, t->places, t->place_count, sizeof *t->places, compare_id_to_place);
}

size_t timeline_row_at(const struct timeline_series *s, int64_t time_ms)
{
    size_t low = 0, high = s->count; /* the first row after the time lies in [low, high] */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->rows[middle].time_ms <= time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? SIZE_MAX : low - 1;
}

/* Digits with single underscores between them, copied to *out without those. */
static const char *copy_digits(const char *p, char **out)
{
    while (isdigit((unsigned char)*p)) {
        *(*out)++ = *p++;
        if (p[0] == '_' && isdigit((unsigned char)p[1]))
            p++;
    }
    return p;
}

static bool parse_special(const char *p, size_t length, double *out)
{
    double sign = *p == '-' ? -1 : 1;
    if (*p == '+' || *p == '-')
        p++, length--;
    bool is_inf = (length == 3 && strncasecmp(p, "inf", 3) == 0) ||
                  (length == 8 && strncasecmp(p, "infinity", 8) == 0);
    if (is_inf)
        *out = sign * (double)INFINITY;
    else if (length == 3 && strncasecmp(p, "nan", 3) == 0)
        *out = (double)NAN;
    else
        return false;
    return true;
}

bool timeline_number(const char *text, double *out)
{
    char plain[NUMBER_LENGTH_MAX + 1], *to = plain;
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    if (length == 0 || length > NUMBER_LENGTH_MAX)
        return false;
    const char *p = text, *end = text + length;
    if (*p == '+' || *p == '-')
        *to++ = *p++;
    const char *begin = to;
    p = copy_digits(p, &to);
    bool has_digits = to > begin;
    if (*p == '.') {
        *to++ = *p++;
        begin = to;
        p = copy_digits(p, &to);
        has_digits = has_digits || to > begin;
    }
    if (!has_digits)
        return parse_special(text, length, out);
    if (p < end && (*p == 'e' || *p == 'E')) {
        *to++ = *p++;
        if (*p == '+' || *p == '-')
            *to++ = *p++;
        begin = to;
        p = copy_digits(p, &to);
        if (to == begin)
            return false;
    }
    if (p != end)
        return false;
    *to = '\0';
    *out = strtod(plain, NULL);
    return true;
}
