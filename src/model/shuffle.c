#include "model/shuffle.h"

#include <stdlib.h>

#include "core/hash.h"
#include "core/tz.h"
#include "core/xalloc.h"

/* --- random numbers: splitmix64 --- */

static uint64_t next_random(uint64_t *state)
{
    *state += 0x9E3779B97F4A7C15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Even over [0, n). */
static uint64_t random_below(uint64_t *state, uint64_t n)
{
    uint64_t uneven = UINT64_MAX - UINT64_MAX % n, value; /* a multiple of n */
    do
        value = next_random(state);
    while (value >= uneven);
    return value % n;
}

/* The beginning of an entity's own stream. */
static uint64_t stream(const struct history_entity *e, uint64_t seed)
{
    uint64_t state = hash_text(HASH_START, e->entity_id) ^ seed * 0xD1342543DE82EF95u;
    return next_random(&state);
}

/* --- columns --- */

/* Room for the new columns of an entity, as long as the old ones. */
static struct history_entity like(const struct history_entity *e)
{
    return (struct history_entity){
        .time_ms = xreallocarray(NULL, e->changes, sizeof *e->time_ms),
        .state = xreallocarray(NULL, e->changes, sizeof *e->state),
        .cause = xreallocarray(NULL, e->changes, sizeof *e->cause),
    };
}

/* Appends one of e's changes at another time, no earlier than the last one; what repeats the last
 * state is left out. */
static void append(struct history_entity *out, const struct history_entity *e, size_t change,
                   int64_t time_ms)
{
    size_t n = out->changes;
    if (n > 0 && out->state[n - 1] == e->state[change])
        return;
    out->time_ms[n] = n > 0 && time_ms < out->time_ms[n - 1] ? out->time_ms[n - 1] : time_ms;
    out->state[n] = e->state[change];
    out->cause[n] = e->cause[change];
    out->changes++;
}

static void replace(struct history_entity *e, const struct history_entity *with)
{
    free(e->time_ms);
    free(e->state);
    free(e->cause);
    e->time_ms = with->time_ms;
    e->state = with->state;
    e->cause = with->cause;
    e->capacity = e->changes;
    e->changes = with->changes;
}

static int compare_values(const void *a, const void *b)
{
    const struct history_value *x = a, *y = b;
    if (x->time_ms != y->time_ms)
        return x->time_ms < y->time_ms ? -1 : 1;
    if (x->attribute != y->attribute)
        return x->attribute < y->attribute ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

static void sort_values(struct history_entity *e)
{
    if (e->value_count > 0)
        qsort(e->values, e->value_count, sizeof *e->values, compare_values);
}

/* --- days --- */

/* The first change from `from` on that is not before the time. */
static size_t first_since(const struct history_entity *e, size_t from, int64_t time_ms)
{
    while (from < e->changes && e->time_ms[from] < time_ms)
        from++;
    return from;
}

/* Where the changes of each given day begin and end. */
struct block {
    size_t begin, end;
};

static void find_blocks(const struct history_entity *e, const struct tz *tz, const int64_t *days,
                        size_t count, struct block *blocks)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        blocks[i].begin = first_since(e, at, tz_day_start(tz, days[i]) * 1000);
        at = blocks[i].end = first_since(e, blocks[i].begin, tz_day_start(tz, days[i] + 1) * 1000);
    }
}

/* A random order of 0 … count - 1. */
static void draw_order(size_t *order, size_t count, uint64_t *random)
{
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = count; i > 1; i--) {
        size_t k = (size_t)random_below(random, i), other = order[k];
        order[k] = order[i - 1];
        order[i - 1] = other;
    }
}

/* The same local clock time on another day. */
static int64_t move_to_day(const struct tz *tz, int64_t time_ms, int64_t day)
{
    struct tz_local local;
    tz_to_local(tz, time_ms / 1000, &local);
    return tz_to_utc(tz, day, local.second_of_day) * 1000 + time_ms % 1000;
}

/* What was chosen moves with its day. */
static void deal_values(struct history_entity *e, const struct tz *tz, const int64_t *days,
                        const size_t *order, size_t count)
{
    for (size_t i = 0; i < e->value_count; i++) {
        struct tz_local local;
        tz_to_local(tz, e->values[i].time_ms / 1000, &local);
        for (size_t to = 0; to < count; to++)
            if (days[order[to]] == local.day) {
                e->values[i].time_ms = move_to_day(tz, e->values[i].time_ms, days[to]);
                break;
            }
    }
    sort_values(e);
}

void shuffle_days(struct history *h, const int64_t *days, size_t count, uint64_t seed)
{
    struct block *blocks = xcalloc(count + 1, sizeof *blocks);
    size_t *order = xcalloc(count + 1, sizeof *order);
    for (size_t n = 0; n < h->entity_count; n++) {
        struct history_entity *e = &h->entities[n];
        if (e->changes == 0)
            continue;
        uint64_t random = stream(e, seed);
        struct history_entity out = like(e);
        size_t at = 0;
        find_blocks(e, h->tz, days, count, blocks);
        draw_order(order, count, &random);
        for (size_t i = 0; i < count; i++) {
            const struct block *moved = &blocks[order[i]];
            for (; at < blocks[i].begin; at++)
                append(&out, e, at, e->time_ms[at]);
            for (size_t k = moved->begin; k < moved->end; k++)
                append(&out, e, k, move_to_day(h->tz, e->time_ms[k], days[i]));
            at = blocks[i].end;
        }
        for (; at < e->changes; at++)
            append(&out, e, at, e->time_ms[at]);
        replace(e, &out);
        deal_values(e, h->tz, days, order, count);
    }
    free(blocks);
    free(order);
}

/* --- clock --- */

/* One entity's changes [begin, end), all of one local day, turned by a time. */
static void turn_day(const struct history_entity *e, size_t begin, size_t end, int64_t start_ms,
                     int64_t length_ms, int64_t by_ms, struct history_entity *out)
{
    size_t first = begin; /* that goes past midnight */
    while (first < end && e->time_ms[first] - start_ms + by_ms < length_ms)
        first++;
    for (size_t k = first; k < end; k++)
        append(out, e, k, e->time_ms[k] + by_ms - length_ms);
    for (size_t k = begin; k < first; k++)
        append(out, e, k, e->time_ms[k] + by_ms);
}

/* A local day, and by how much an entity's is turned. */
struct turn {
    int64_t start_ms, length_ms, by_ms;
};

static struct turn turn_of(const struct tz *tz, int64_t time_ms, uint64_t entity_stream)
{
    struct tz_local local;
    tz_to_local(tz, time_ms / 1000, &local);
    struct turn turn = {.start_ms = tz_day_start(tz, local.day) * 1000};
    turn.length_ms = tz_day_start(tz, local.day + 1) * 1000 - turn.start_ms;
    uint64_t random = entity_stream ^ (uint64_t)local.day * 0xA0761D6478BD642Fu;
    turn.by_ms = (int64_t)random_below(&random, (uint64_t)turn.length_ms);
    return turn;
}

static void turn_values(struct history_entity *e, const struct tz *tz, uint64_t entity_stream)
{
    for (size_t i = 0; i < e->value_count; i++) {
        struct turn turn = turn_of(tz, e->values[i].time_ms, entity_stream);
        int64_t moved_ms = e->values[i].time_ms - turn.start_ms + turn.by_ms;
        e->values[i].time_ms = turn.start_ms + moved_ms % turn.length_ms;
    }
    sort_values(e);
}

void shuffle_clock(struct history *h, uint64_t seed)
{
    for (size_t n = 0; n < h->entity_count; n++) {
        struct history_entity *e = &h->entities[n];
        if (e->changes == 0)
            continue;
        uint64_t entity_stream = stream(e, seed);
        struct history_entity out = like(e);
        for (size_t at = 0; at < e->changes;) {
            struct turn turn = turn_of(h->tz, e->time_ms[at], entity_stream);
            size_t end = first_since(e, at, turn.start_ms + turn.length_ms);
            turn_day(e, at, end, turn.start_ms, turn.length_ms, turn.by_ms, &out);
            at = end;
        }
        replace(e, &out);
        turn_values(e, h->tz, entity_stream);
    }
}
