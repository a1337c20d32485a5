#include "store/archive_codec.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/xalloc.h"
#include "model/rule.h"

enum { CHECKSUM_BYTES = 4, NUMBER_TEXT_MAX = 64, CAUSE_BITS = 3, DAY_DECIMALS_SURE = 3 };
enum { SETTING_TOLD = 4 }; /* beside a setting's cause */
enum { DIGITS_KEPT = 5 };

/* What a packed row is, besides its cause. */
enum row_head { HEAD_NUMBER, HEAD_NUMBERLIKE, HEAD_FIRST_WORD };

/* What a packed mean is. */
enum mean_token { TOKEN_SKIP, TOKEN_NONE, TOKEN_FIRST_DELTA };

static const double EXACT_MAX = 9007199254740992.0; /* 2^53 */
static const double powers[ARCHIVE_DECIMALS_MAX + 1] = {1,   1e1, 1e2, 1e3, 1e4,
                                                        1e5, 1e6, 1e7, 1e8, 1e9};

/* --- bytes --- */

static void put_byte(struct archive_blob *blob, uint8_t byte)
{
    blob->data = grow_array(blob->data, blob->size, &blob->capacity, 1);
    blob->data[blob->size++] = byte;
}

static void put_varint(struct archive_blob *blob, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_byte(blob, (uint8_t)(value | 0x80));
    put_byte(blob, (uint8_t)value);
}

static uint64_t zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

struct reader {
    const uint8_t *at, *end;
    bool failed; /* it ended too early, or a number is too long */
};

static uint64_t get_varint(struct reader *r)
{
    uint64_t value = 0;
    for (unsigned shift = 0; r->at < r->end && shift < 64; shift += 7) {
        uint8_t byte = *r->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    r->failed = true;
    return 0;
}

/* Over key and content, folded. */
static uint32_t checksum(const uint8_t *data, size_t size, int64_t key)
{
    uint8_t bytes[8]; /* low ones first on any machine */
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)key >> (8 * i));
    uint64_t hash = hash_bytes(hash_bytes(HASH_START, bytes, sizeof bytes), data, size);
    return (uint32_t)(hash ^ hash >> 32);
}

static void begin_blob(struct archive_blob *blob)
{
    blob->size = 0;
    put_byte(blob, ARCHIVE_FORMAT);
}

static void end_blob(struct archive_blob *blob, int64_t key)
{
    uint32_t sum = checksum(blob->data, blob->size, key);
    for (int i = 0; i < CHECKSUM_BYTES; i++)
        put_byte(blob, (uint8_t)(sum >> (8 * i)));
}

static bool open_blob(struct reader *r, const void *data, size_t size, int64_t key)
{
    const uint8_t *bytes = data;
    if (bytes == NULL || size < 1 + CHECKSUM_BYTES || bytes[0] != ARCHIVE_FORMAT)
        return false;
    size -= CHECKSUM_BYTES;
    uint32_t sum = 0;
    for (int i = 0; i < CHECKSUM_BYTES; i++)
        sum |= (uint32_t)bytes[size + (size_t)i] << (8 * i);
    *r = (struct reader){bytes + 1, bytes + size, false};
    return sum == checksum(bytes, size, key);
}

void archive_blob_release(struct archive_blob *blob)
{
    free(blob->data);
    *blob = (struct archive_blob){.data = NULL};
}

void archive_rows_add(struct archive_rows *rows, const struct archive_row *row)
{
    rows->items = grow_array(rows->items, rows->count, &rows->capacity, sizeof *rows->items);
    rows->items[rows->count++] = *row;
}

void archive_rows_release(struct archive_rows *rows)
{
    free(rows->items);
    *rows = (struct archive_rows){.items = NULL};
}

/* --- states --- */

/* "21.50": 2; "1e-3": 3. */
static uint8_t decimals_of(const char *text)
{
    const char *point = strchr(text, '.'), *exponent = strpbrk(text, "eE");
    long decimals = 0;
    if (point != NULL)
        decimals = (long)strspn(point + 1, "0123456789");
    long power = exponent != NULL ? strtol(exponent + 1, NULL, 10) : 0;
    decimals = power < -ARCHIVE_DECIMALS_MAX ? ARCHIVE_DECIMALS_MAX : decimals - power;
    return (uint8_t)(decimals < 0                      ? 0
                     : decimals > ARCHIVE_DECIMALS_MAX ? ARCHIVE_DECIMALS_MAX
                                                       : decimals);
}

static void parse_number(const char *state, size_t length, struct archive_row *row)
{
    char text[NUMBER_TEXT_MAX], *end;
    row->kind = ARCHIVE_NUMBERLIKE;
    row->word = HISTORY_STATE_OTHER;
    if (length >= sizeof text)
        return;
    memcpy(text, state, length);
    text[length] = '\0';
    if (strspn(text, "+-.0123456789eE") != length) /* no hexadecimal numbers, no blanks */
        return;
    double value = strtod(text, &end);
    if (*end != '\0' || !(fabs(value) < EXACT_MAX))
        return;
    row->kind = ARCHIVE_NUMBER;
    row->value = value;
    row->decimals = decimals_of(text);
}

bool archive_parse_state(const char *text, size_t length, struct archive_row *row)
{
    row->kind = ARCHIVE_WORD;
    if (text == NULL || length == 0) {
        row->word = text == NULL ? HISTORY_STATE_UNAVAILABLE : HISTORY_STATE_UNKNOWN;
        return true;
    }
    size_t i = text[0] == '-' || text[0] == '+' || text[0] == '.' ? 1 : 0;
    if (i < length && i == 1 && text[1] == '.')
        i = 2;
    if (i >= length || !isdigit((unsigned char)text[i]))
        return false;
    parse_number(text, length, row);
    return true;
}

/* So many that the scaled numbers are exact. */
static int fit_decimals(int decimals, double largest)
{
    while (decimals > 0 && largest * powers[decimals] >= EXACT_MAX)
        decimals--;
    return decimals;
}

int archive_decimals(const struct archive_rows *rows)
{
    int own = 0;
    double largest = 0;
    for (size_t i = 0; i < rows->count; i++) {
        const struct archive_row *row = &rows->items[i];
        if (row->kind != ARCHIVE_NUMBER)
            continue;
        own = row->decimals > own ? row->decimals : own;
        largest = fabs(row->value) > largest ? fabs(row->value) : largest;
    }
    if (own > DAY_DECIMALS_SURE) {
        int wanted = largest > 0 ? DIGITS_KEPT - (int)ceil(log10(largest)) : 0;
        wanted = wanted < DAY_DECIMALS_SURE ? DAY_DECIMALS_SURE : wanted;
        own = own < wanted ? own : wanted;
    }
    return fit_decimals(own, largest);
}

/* --- rows --- */

void archive_pack_rows(const struct archive_rows *rows, int64_t key, int64_t day_ms,
                       struct archive_blob *out)
{
    int decimals = archive_decimals(rows);
    int64_t time_ms = day_ms, value = 0;
    begin_blob(out);
    put_byte(out, (uint8_t)decimals);
    for (size_t i = 0; i < rows->count; i++) {
        const struct archive_row *row = &rows->items[i];
        unsigned head = row->kind == ARCHIVE_NUMBER       ? HEAD_NUMBER
                        : row->kind == ARCHIVE_NUMBERLIKE ? HEAD_NUMBERLIKE
                                                          : HEAD_FIRST_WORD + row->word;
        put_varint(out, zigzag(row->time_ms - time_ms));
        put_varint(out, head << CAUSE_BITS | row->cause);
        time_ms = row->time_ms;
        if (row->kind == ARCHIVE_NUMBER) {
            int64_t scaled = llround(row->value * powers[decimals]);
            put_varint(out, zigzag(scaled - value));
            value = scaled;
        }
    }
    end_blob(out, key);
}

static bool is_within(int64_t time_ms, int64_t day_ms)
{
    return time_ms >= day_ms && time_ms < day_ms + ARCHIVE_DAY_MS;
}

/* The head's word and cause. */
static void take_head(struct reader *r, struct archive_row *row, bool has_numbers)
{
    uint64_t head = get_varint(r);
    row->cause = (uint8_t)(head & (ARCHIVE_CAUSES_MAX - 1));
    head >>= CAUSE_BITS;
    row->kind = ARCHIVE_WORD;
    row->word = HISTORY_STATE_OTHER;
    if (has_numbers && head < HEAD_FIRST_WORD) {
        row->kind = head == HEAD_NUMBER ? ARCHIVE_NUMBER : ARCHIVE_NUMBERLIKE;
        return;
    }
    head -= has_numbers ? HEAD_FIRST_WORD : 0;
    r->failed = r->failed || head >= ARCHIVE_WORDS_MAX;
    row->word = (uint16_t)head;
}

int archive_unpack_rows(const void *data, size_t size, int64_t key, int64_t day_ms,
                        struct archive_rows *rows)
{
    struct reader r;
    if (!open_blob(&r, data, size, key) || r.at == r.end || *r.at > ARCHIVE_DECIMALS_MAX)
        return -1;
    uint8_t decimals = *r.at++;
    size_t before = rows->count;
    int64_t time_ms = day_ms, value = 0;
    while (r.at < r.end && !r.failed) {
        struct archive_row row = {.decimals = decimals};
        /* Unsigned: hostile numbers may overflow, and are refused below. */
        time_ms = (int64_t)((uint64_t)time_ms + (uint64_t)unzigzag(get_varint(&r)));
        row.time_ms = time_ms;
        take_head(&r, &row, true);
        if (row.kind == ARCHIVE_NUMBER) {
            value = (int64_t)((uint64_t)value + (uint64_t)unzigzag(get_varint(&r)));
            row.value = (double)value / powers[decimals];
            r.failed = r.failed || fabs((double)value) > EXACT_MAX;
        }
        r.failed =
            r.failed || !is_within(time_ms, day_ms) || rows->count - before == ARCHIVE_DAY_ROWS_MAX;
        if (!r.failed)
            archive_rows_add(rows, &row);
    }
    if (r.failed)
        rows->count = before;
    return r.failed ? -1 : 0;
}

struct ordered {
    struct archive_row row;
    size_t order;
};

static int compare_rows(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    if (x->row.time_ms != y->row.time_ms)
        return x->row.time_ms < y->row.time_ms ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

void archive_sort(struct archive_rows *rows)
{
    size_t i = 1;
    while (i < rows->count && rows->items[i].time_ms >= rows->items[i - 1].time_ms)
        i++;
    if (i >= rows->count)
        return;
    struct ordered *list = xreallocarray(NULL, rows->count, sizeof *list);
    for (i = 0; i < rows->count; i++)
        list[i] = (struct ordered){rows->items[i], i};
    qsort(list, rows->count, sizeof *list, compare_rows);
    for (i = 0; i < rows->count; i++)
        rows->items[i] = list[i].row;
    free(list);
}

/* --- changes --- */

void archive_collapse(struct archive_rows *sorted, struct archive_counts *counts)
{
    size_t kept = 0;
    for (size_t i = 0; i < sorted->count; i++) {
        struct archive_row row = sorted->items[i];
        counts->rows++;
        counts->numbers += row.kind != ARCHIVE_WORD;
        counts->words += row.kind == ARCHIVE_WORD && row.word != HISTORY_STATE_UNAVAILABLE &&
                         row.word != HISTORY_STATE_UNKNOWN;
        if (kept > 0 && sorted->items[kept - 1].word == row.word &&
            (row.cause & ARCHIVE_MOMENT) == 0)
            continue;
        row.kind = ARCHIVE_WORD;
        sorted->items[kept++] = row;
    }
    sorted->count = kept;
}

void archive_pack_changes(const struct archive_rows *changes, const struct archive_counts *counts,
                          int64_t key, int64_t day_ms, struct archive_blob *out)
{
    int64_t time_ms = day_ms;
    begin_blob(out);
    put_varint(out, counts->rows);
    put_varint(out, counts->numbers);
    put_varint(out, counts->words);
    for (size_t i = 0; i < changes->count; i++) {
        const struct archive_row *row = &changes->items[i];
        put_varint(out, (uint64_t)(row->time_ms - time_ms));
        put_varint(out, (unsigned)row->word << CAUSE_BITS | row->cause);
        time_ms = row->time_ms;
    }
    end_blob(out, key);
}

int archive_unpack_changes(const void *data, size_t size, int64_t key, int64_t day_ms,
                           struct archive_rows *changes, struct archive_counts *counts)
{
    struct reader r;
    if (!open_blob(&r, data, size, key))
        return -1;
    struct archive_counts day = {0};
    size_t before = changes->count;
    uint64_t offset_ms = 0;
    day.rows = get_varint(&r);
    day.numbers = get_varint(&r);
    day.words = get_varint(&r);
    while (r.at < r.end && !r.failed) {
        struct archive_row row = {.kind = ARCHIVE_WORD};
        uint64_t delta_ms = get_varint(&r);
        take_head(&r, &row, false);
        r.failed = r.failed || delta_ms >= ARCHIVE_DAY_MS - offset_ms;
        if (r.failed)
            break;
        offset_ms += delta_ms;
        row.time_ms = day_ms + (int64_t)offset_ms;
        archive_rows_add(changes, &row);
    }
    if (r.failed) {
        changes->count = before;
        return -1;
    }
    counts->rows += day.rows;
    counts->numbers += day.numbers;
    counts->words += day.words;
    return 0;
}

/* --- means --- */

struct weighing {
    double sum[ARCHIVE_BUCKETS], weight[ARCHIVE_BUCKETS];
};

/* The value was in force in [from, to), ms of the day. */
static void weigh(struct weighing *w, int64_t from, int64_t to, double value)
{
    if (isnan(value))
        return;
    while (from < to) {
        int64_t bucket = from / ARCHIVE_BUCKET_MS, end = (bucket + 1) * ARCHIVE_BUCKET_MS;
        double length = (double)((end < to ? end : to) - from);
        w->sum[bucket] += value * length;
        w->weight[bucket] += length;
        from = end;
    }
}

bool archive_means(const struct archive_rows *sorted, int64_t day_ms, double *value,
                   double means[ARCHIVE_BUCKETS])
{
    struct weighing w = {.sum = {0}};
    int64_t since = 0;
    bool any = false;
    for (size_t i = 0; i < sorted->count; i++) {
        const struct archive_row *row = &sorted->items[i];
        weigh(&w, since, row->time_ms - day_ms, *value);
        since = row->time_ms - day_ms;
        *value = row->kind == ARCHIVE_NUMBER ? row->value : NAN;
    }
    weigh(&w, since, ARCHIVE_DAY_MS, *value);
    for (int i = 0; i < ARCHIVE_BUCKETS; i++) {
        means[i] = w.weight[i] > 0 ? w.sum[i] / w.weight[i] : NAN;
        any = any || w.weight[i] > 0;
    }
    return any;
}

void archive_pack_means(const double means[ARCHIVE_BUCKETS], int decimals, int64_t key,
                        struct archive_blob *out)
{
    int64_t value = 0;
    bool is_none = true;
    unsigned skipped = 0;
    double largest = 0;
    for (int i = 0; i < ARCHIVE_BUCKETS; i++)
        largest = fmax(largest, fabs(means[i])); /* which ignores NAN */
    decimals = fit_decimals(decimals, largest);
    begin_blob(out);
    put_byte(out, (uint8_t)decimals);
    for (int i = 0; i < ARCHIVE_BUCKETS; i++) {
        bool none = isnan(means[i]);
        int64_t scaled = none ? value : llround(means[i] * powers[decimals]);
        if (none == is_none && scaled == value) {
            skipped++;
            continue;
        }
        if (skipped > 0) {
            put_varint(out, TOKEN_SKIP);
            put_varint(out, skipped);
            skipped = 0;
        }
        put_varint(out, none ? (uint64_t)TOKEN_NONE : TOKEN_FIRST_DELTA + zigzag(scaled - value));
        value = scaled;
        is_none = none;
    }
    end_blob(out, key);
}

int archive_unpack_means(const void *data, size_t size, int64_t key, double means[ARCHIVE_BUCKETS],
                         int *decimals)
{
    struct reader r;
    if (!open_blob(&r, data, size, key) || r.at == r.end || *r.at > ARCHIVE_DECIMALS_MAX)
        return -1;
    double scale = powers[*r.at];
    *decimals = *r.at++;
    int64_t value = 0;
    double now = NAN;
    uint64_t at = 0;
    while (r.at < r.end && !r.failed) {
        uint64_t token = get_varint(&r), run = 1;
        if (token == TOKEN_SKIP)
            run = get_varint(&r);
        if (token >= TOKEN_FIRST_DELTA)
            value = (int64_t)((uint64_t)value + (uint64_t)unzigzag(token - TOKEN_FIRST_DELTA));
        if (token != TOKEN_SKIP)
            now = token == TOKEN_NONE ? NAN : (double)value / scale;
        if (r.failed || run > ARCHIVE_BUCKETS - at)
            return -1;
        for (; run > 0; run--)
            means[at++] = now;
    }
    while (at < ARCHIVE_BUCKETS)
        means[at++] = now;
    return r.failed ? -1 : 0;
}

/* --- settings --- */

void archive_settings_add(struct archive_settings *settings, const struct history_value *value)
{
    settings->items =
        grow_array(settings->items, settings->count, &settings->capacity, sizeof *settings->items);
    settings->items[settings->count++] = *value;
}

void archive_settings_release(struct archive_settings *settings)
{
    free(settings->items);
    *settings = (struct archive_settings){.items = NULL};
}

static int compare_settings(const void *a, const void *b)
{
    const struct history_value *x = a, *y = b;
    if (x->time_ms != y->time_ms)
        return x->time_ms < y->time_ms ? -1 : 1;
    if (x->attribute != y->attribute)
        return x->attribute < y->attribute ? -1 : 1;
    if (x->cause != y->cause)
        return x->cause < y->cause ? -1 : 1;
    if (x->is_told != y->is_told)
        return x->is_told ? 1 : -1;
    return (x->value > y->value) - (x->value < y->value);
}

void archive_settings_sort(struct archive_settings *settings)
{
    size_t kept = 0;
    if (settings->count > 0)
        qsort(settings->items, settings->count, sizeof *settings->items, compare_settings);
    for (size_t i = 0; i < settings->count; i++)
        if (kept == 0 || compare_settings(&settings->items[kept - 1], &settings->items[i]) != 0)
            settings->items[kept++] = settings->items[i];
    settings->count = kept;
}

void archive_settings_thin(struct archive_settings *sorted)
{
    const struct history_value *last[RULE_ATTRIBUTE_COUNT] = {NULL};
    size_t kept = 0;
    for (size_t i = 0; i < sorted->count; i++) {
        const struct history_value value = sorted->items[i];
        const struct history_value *before = last[value.attribute];
        if (before != NULL && rule_attributes[value.attribute].is_recorded && !value.is_told &&
            !(before->value < value.value) && !(before->value > value.value))
            continue;
        sorted->items[kept] = value;
        last[value.attribute] = &sorted->items[kept++];
    }
    sorted->count = kept;
}

void archive_pack_settings(const struct archive_settings *sorted, int64_t key, int64_t day_ms,
                           struct archive_blob *out)
{
    int64_t time_ms = day_ms;
    begin_blob(out);
    for (size_t i = 0; i < sorted->count; i++) {
        const struct history_value *v = &sorted->items[i];
        put_varint(out, (uint64_t)(v->time_ms - time_ms));
        put_varint(out, (uint64_t)v->attribute << CAUSE_BITS | (v->is_told ? SETTING_TOLD : 0U) |
                            v->cause);
        put_varint(out, zigzag(llround(v->value / rule_attributes[v->attribute].step)));
        time_ms = v->time_ms;
    }
    end_blob(out, key);
}

int archive_unpack_settings(const void *data, size_t size, int64_t key, int64_t day_ms,
                            struct archive_settings *settings)
{
    struct reader r;
    if (!open_blob(&r, data, size, key))
        return -1;
    size_t before = settings->count;
    int64_t time_ms = day_ms;
    while (r.at < r.end && !r.failed) {
        time_ms = (int64_t)((uint64_t)time_ms + get_varint(&r));
        uint64_t head = get_varint(&r), attribute = head >> CAUSE_BITS;
        int64_t steps = unzigzag(get_varint(&r));
        r.failed = r.failed || !is_within(time_ms, day_ms) || attribute >= RULE_ATTRIBUTE_COUNT ||
                   settings->count - before == ARCHIVE_DAY_SETTINGS_MAX;
        if (r.failed)
            break;
        const struct rule_attribute_row *row = &rule_attributes[attribute];
        double value = (double)steps * row->step;
        r.failed = value < row->low || value > row->high;
        archive_settings_add(settings,
                             &(struct history_value){.time_ms = time_ms,
                                                     .value = value,
                                                     .attribute = (uint8_t)attribute,
                                                     .cause = (uint8_t)(head & (SETTING_TOLD - 1)),
                                                     .is_told = (head & SETTING_TOLD) != 0});
    }
    if (r.failed)
        settings->count = before;
    return r.failed ? -1 : 0;
}
