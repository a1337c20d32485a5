#include "source/choices.h"

#include <stdlib.h>
#include <string.h>

#include "model/rule.h"

static int compare_values(const void *left, const void *right)
{
    const struct history_value *a = left, *b = right;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    if (a->attribute != b->attribute)
        return a->attribute < b->attribute ? -1 : 1;
    if (a->value < b->value || a->value > b->value)
        return a->value < b->value ? -1 : 1;
    /* Of what was read twice the first stays: the call rather than its row, whoever is known. */
    if (a->is_told != b->is_told)
        return a->is_told ? -1 : 1;
    if ((a->cause == CAUSE_PHYSICAL) != (b->cause == CAUSE_PHYSICAL))
        return a->cause == CAUSE_PHYSICAL ? 1 : -1;
    return (a->cause > b->cause) - (a->cause < b->cause);
}

static bool is_same(const struct history_value *a, const struct history_value *b)
{
    return !(a->value < b->value) && !(a->value > b->value);
}

/* The last one of that attribute among the first `count`; NULL = none. */
static struct history_value *find_last(struct history_value *list, size_t count, uint8_t attribute)
{
    while (count > 0)
        if (list[--count].attribute == attribute)
            return &list[count];
    return NULL;
}

/* Takes out what says nothing new: what repeats the value before, unless somebody asked for it
 * again; and what was read twice. */
static size_t drop_repeated(struct history_value *list, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const struct history_value *last = find_last(list, kept, list[i].attribute);
        bool is_chosen = list[i].is_told || !rule_attributes[list[i].attribute].is_recorded;
        if (last != NULL && is_same(last, &list[i]) &&
            (!is_chosen || last->time_ms == list[i].time_ms))
            continue;
        list[kept++] = list[i];
    }
    return kept;
}

/* ---- covers on their way ------------------------------------------------------------------- */

static bool is_moving(const struct history *h, uint16_t state)
{
    return strcmp(h->states[state], "opening") == 0 || strcmp(h->states[state], "closing") == 0;
}

enum { MOVEMENT_CHANGES_MAX = 64 }; /* of direction, one after another: more are no movement */

/* The change with which the movement began that brought the entity to where it was at a time;
 * SIZE_MAX = none. */
static size_t find_movement(const struct history *h, const struct history_entity *e,
                            int64_t time_ms)
{
    size_t change = history_find_change(e, time_ms + 1);
    if (change > 0 && !is_moving(h, e->state[change - 1]) &&
        time_ms - e->time_ms[change - 1] <= CHOICES_SETTLE_MS)
        change--; /* it has arrived */
    size_t begin = SIZE_MAX;
    size_t least = change > MOVEMENT_CHANGES_MAX ? change - MOVEMENT_CHANGES_MAX : 0;
    while (change > least && is_moving(h, e->state[change - 1]))
        begin = --change;
    return least > 0 && change == least ? SIZE_MAX : begin;
}

/* ---- choices ------------------------------------------------------------------------------- */

/* The way to one choice, attribute by attribute. */
struct way {
    int64_t last_ms[RULE_ATTRIBUTE_COUNT];
};

static void join(struct history_value *choice, const struct history_value *value)
{
    choice->value = value->value;
    choice->is_told = choice->is_told || value->is_told;
    if (value->cause != CAUSE_PHYSICAL)
        choice->cause = value->cause;
}

static size_t join_ways(const struct history *h, const struct history_entity *e)
{
    struct history_value *list = e->values;
    struct way way;
    size_t kept = 0;
    for (size_t i = 0; i < e->value_count; i++) {
        struct history_value value = list[i];
        struct history_value *last = find_last(list, kept, value.attribute);
        size_t movement =
            value.attribute == RULE_POSITION ? find_movement(h, e, value.time_ms) : SIZE_MAX;
        bool is_on_way =
            last != NULL && (value.time_ms - way.last_ms[value.attribute] <= CHOICES_SETTLE_MS ||
                             (movement != SIZE_MAX && last->time_ms >= e->time_ms[movement]));
        way.last_ms[value.attribute] = value.time_ms;
        if (is_on_way) {
            join(last, &value);
            continue;
        }
        if (movement != SIZE_MAX) {
            value.time_ms = e->time_ms[movement];
            value.cause = value.cause != CAUSE_PHYSICAL ? value.cause : e->cause[movement];
        }
        list[kept++] = value;
    }
    return kept;
}

void choices_settle(const struct history *h, struct history_entity *e)
{
    if (e->value_count == 0)
        return;
    qsort(e->values, e->value_count, sizeof *e->values, compare_values);
    e->value_count = drop_repeated(e->values, e->value_count);
    e->value_count = join_ways(h, e);
    e->value_count = drop_repeated(e->values, e->value_count);
    /* A movement may begin before a value that was told earlier. */
    qsort(e->values, e->value_count, sizeof *e->values, compare_values);
}
