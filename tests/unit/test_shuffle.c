/* model/shuffle: what a shuffled history keeps, and what it loses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "made_history.h"
#include "seeded.h"
#include "model/rule.h"
#include "model/shuffle.h"

enum { DAYS = 60, ENTITIES = 6, CHANGES_MAX = 40 };
/* Of the shuffled histories below: the same on every machine. */
static const uint64_t DAYS_HASH = 0x70c20238d2c06bde, CLOCK_HASH = 0xf041da8dba261bd8;

static struct tz *berlin;
static int64_t first_day; /* the last Sunday of March 2026 is the 29th, of October the 25th */

static int random_below(int n)
{
    return (int)(next_random() % (uint64_t)n);
}

static int compare_ints(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Days that begin and end "off", so that no change repeats another one wherever its day goes. */
static void make_history(struct history *h)
{
    made_init(h, berlin, first_day, DAYS);
    for (int n = 0; n < ENTITIES; n++) {
        char id[32];
        snprintf(id, sizeof id, "light.l%d", n);
        struct history_entity *e = made_entity(h, id);
        for (int day = 0; day < DAYS; day++) {
            int seconds[CHANGES_MAX], count = 2 * random_below(CHANGES_MAX / 2);
            for (int i = 0; i < count; i++)
                seconds[i] = 4 * 3600 + random_below(20 * 3600);
            qsort(seconds, (size_t)count, sizeof *seconds, compare_ints);
            for (int i = 0; i < count; i++)
                made_change(h, e, first_day + day, seconds[i],
                            i % 2 ? HISTORY_STATE_OFF : HISTORY_STATE_ON, random_below(3));
        }
    }
}

static int64_t local_day(int64_t time_ms, int *second)
{
    struct tz_local local;
    tz_to_local(berlin, time_ms / 1000, &local);
    *second = local.second_of_day;
    return local.day;
}

/* A day's changes as a text: clock times, states, causes; without the times if so wanted. */
static void describe_day(const struct history_entity *e, int64_t day, bool with_times, char *out,
                         size_t size)
{
    int second;
    out[0] = '\0';
    for (size_t i = 0, n = 0; i < e->changes; i++)
        if (local_day(e->time_ms[i], &second) == day)
            n += (size_t)snprintf(out + n, size - n, " %d:%d:%d", with_times ? second : 0,
                                  e->state[i], e->cause[i]);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What happened on the days of an entity, as sorted texts. Caller frees. */
static char **describe_days(const struct history_entity *e)
{
    char **texts = xcalloc(DAYS, sizeof *texts), text[2000];
    for (int i = 0; i < DAYS; i++) {
        describe_day(e, first_day + i, true, text, sizeof text);
        texts[i] = xstrdup(text);
    }
    qsort(texts, DAYS, sizeof *texts, compare_texts);
    return texts;
}

static void assert_in_order(const struct history *h)
{
    for (size_t n = 0; n < h->entity_count; n++) {
        const struct history_entity *e = &h->entities[n];
        for (size_t i = 1; i < e->changes; i++) {
            assert_true(e->time_ms[i] >= e->time_ms[i - 1]);
            assert_true(e->state[i] != e->state[i - 1]);
        }
    }
}

static void all_days(int64_t *days)
{
    for (int i = 0; i < DAYS; i++)
        days[i] = first_day + i;
}

static void days_stay_whole_and_change_places(void **state)
{
    (void)state;
    struct history before, h;
    int64_t days[DAYS];
    uint64_t made_with = seed;
    make_history(&before);
    seed = made_with;
    make_history(&h);
    all_days(days);
    shuffle_days(&h, days, DAYS, next_random());
    assert_in_order(&h);
    int same_order = 0;
    for (size_t n = 0; n < ENTITIES; n++) {
        char **was = describe_days(&before.entities[n]), **is = describe_days(&h.entities[n]);
        for (int i = 0; i < DAYS; i++) {
            assert_string_equal(was[i], is[i]);
            char one[2000], other[2000];
            describe_day(&before.entities[n], days[i], true, one, sizeof one);
            describe_day(&h.entities[n], days[i], true, other, sizeof other);
            same_order += strcmp(one, other) == 0;
        }
        for (int i = 0; i < DAYS; i++) {
            free(was[i]);
            free(is[i]);
        }
        free(was);
        free(is);
    }
    /* Days in their places: one an entity is to be expected; and the empty ones. */
    assert_true(same_order < ENTITIES * DAYS / 4);
    history_release(&before);
    history_release(&h);
}

/* Two lamps that follow each other every day do not any more, but each keeps its hours. */
static void what_entities_have_to_do_with_each_other_goes(void **state)
{
    (void)state;
    struct history h;
    int64_t days[DAYS];
    made_init(&h, berlin, first_day, DAYS);
    made_entity(&h, "light.a");
    made_entity(&h, "light.b");
    for (int day = 0; day < DAYS; day++) {
        int second = 6 * 3600 + random_below(12 * 3600);
        for (int n = 0; n < 2; n++) {
            made_change(&h, &h.entities[n], first_day + day, second + 30 * n, HISTORY_STATE_ON, 1);
            made_change(&h, &h.entities[n], first_day + day, second + 1800, HISTORY_STATE_OFF, 1);
        }
    }
    all_days(days);
    shuffle_days(&h, days, DAYS, next_random());
    int together = 0;
    const struct history_entity *a = &h.entities[0], *b = &h.entities[1];
    assert_int_equal(a->changes, 2 * DAYS);
    assert_int_equal(b->changes, 2 * DAYS);
    for (size_t i = 0; i < a->changes; i += 2)
        together += b->time_ms[i] == a->time_ms[i] + 30000;
    assert_true(together <= 8); /* 1 is to be expected; 9 once in a million times */
    history_release(&h);
}

/* Each value is still that of a use, in order. */
static size_t count_at_changes(const struct history_entity *e)
{
    size_t found = 0;
    for (size_t i = 0; i < e->value_count; i++) {
        size_t change = history_find_change(e, e->values[i].time_ms);
        found += change < e->changes && e->time_ms[change] == e->values[i].time_ms;
        assert_true(i == 0 || e->values[i].time_ms >= e->values[i - 1].time_ms);
    }
    return found;
}

static void what_was_chosen_moves_along(void **state)
{
    (void)state;
    for (int clock = 0; clock < 2; clock++) {
        struct history h;
        int64_t days[DAYS];
        size_t values = 0, found = 0;
        make_history(&h);
        for (size_t n = 0; n < h.entity_count; n++) {
            struct history_entity *e = &h.entities[n];
            for (size_t i = 0; i < e->changes; i++)
                if (e->state[i] == HISTORY_STATE_ON)
                    made_value_ms(e, e->time_ms[i], RULE_BRIGHTNESS, 1 + random_below(100),
                                  CAUSE_PERSON);
            values += e->value_count;
        }
        all_days(days);
        if (clock)
            shuffle_clock(&h, next_random());
        else
            shuffle_days(&h, days, DAYS, next_random());
        for (size_t n = 0; n < h.entity_count; n++)
            found += count_at_changes(&h.entities[n]);
        /* Where a turned day begins with what it was before, there is no change any more. */
        assert_true(clock ? 10 * found >= 8 * values && found < values : found == values);
        history_release(&h);
    }
}

static void other_days_stay(void **state)
{
    (void)state;
    struct history before, h;
    int64_t days[DAYS];
    uint64_t made_with = seed;
    make_history(&before);
    seed = made_with;
    make_history(&h);
    size_t count = 0;
    for (int i = 0; i < DAYS; i++)
        if (i % 3)
            days[count++] = first_day + i;
    shuffle_days(&h, days, count, next_random());
    assert_in_order(&h);
    for (size_t n = 0; n < ENTITIES; n++) {
        assert_int_equal(h.entities[n].changes, before.entities[n].changes);
        for (int i = 0; i < DAYS; i += 3) {
            char was[2000], is[2000];
            describe_day(&before.entities[n], first_day + i, true, was, sizeof was);
            describe_day(&h.entities[n], first_day + i, true, is, sizeof is);
            assert_string_equal(was, is);
        }
    }
    history_release(&before);
    history_release(&h);
}

/* On a day of 23 hours 02:30 is 03:00; what came in the second 02:30 of one of 25 keeps its turn.
 */
static void days_of_other_lengths_keep_the_order(void **state)
{
    (void)state;
    static const int64_t odd_days[] = {20541, 20751}; /* 2026-03-29, 2026-10-25 */
    for (int d = 0; d < 2; d++) {
        struct history h;
        int64_t day = odd_days[d], days[20];
        made_init(&h, berlin, day - 10, 20);
        struct history_entity *e = made_entity(&h, "light.a");
        for (int i = 0; i < 20; i++) {
            days[i] = day - 10 + i;
            for (int64_t t = tz_day_start(berlin, days[i]); t < tz_day_start(berlin, days[i] + 1);
                 t += 600)
                made_change_ms(&h, e, t * 1000, t / 600 % 2 ? HISTORY_STATE_ON : HISTORY_STATE_OFF,
                               1);
        }
        size_t changes = e->changes;
        shuffle_days(&h, days, 20, next_random());
        assert_in_order(&h);
        assert_true(e->changes > changes - 25); /* one a day at most repeats the evening's state */
        history_release(&h);
    }
}

static void the_clock_turns_each_day_alone(void **state)
{
    (void)state;
    struct history before, h;
    uint64_t made_with = seed;
    make_history(&before);
    seed = made_with;
    make_history(&h);
    shuffle_clock(&h, next_random());
    assert_in_order(&h);
    int early = 0, total = 0;
    for (size_t n = 0; n < ENTITIES; n++) {
        const struct history_entity *e = &h.entities[n];
        /* A day may begin or end with the state of its neighbour now: at most one goes each time.
         */
        assert_true(e->changes <= before.entities[n].changes);
        assert_true(e->changes >= before.entities[n].changes - 2 * DAYS);
        int count[2][DAYS] = {{0}}, second;
        for (int k = 0; k < 2; k++) {
            const struct history_entity *x = k ? e : &before.entities[n];
            for (size_t i = 0; i < x->changes; i++) {
                int64_t day = local_day(x->time_ms[i], &second) - first_day;
                assert_in_range(day, 0, DAYS - 1);
                count[k][day]++;
                if (k) {
                    early += second < 4 * 3600;
                    total++;
                }
            }
        }
        for (int i = 0; i < DAYS; i++) {
            assert_true(count[1][i] <= count[0][i]);
            assert_true(count[1][i] >= count[0][i] - 2);
        }
    }
    /* The first four hours were empty; now a sixth of all falls there. */
    assert_in_range(early * 100 / total, 8, 26);
    history_release(&before);
    history_release(&h);
}

static uint64_t hash_history(const struct history *h)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t n = 0; n < h->entity_count; n++)
        for (size_t i = 0; i < h->entities[n].changes; i++) {
            const struct history_entity *e = &h->entities[n];
            hash = (hash ^ (uint64_t)e->time_ms[i]) * 0x100000001B3u;
            hash = (hash ^ e->state[i]) * 0x100000001B3u;
            hash = (hash ^ e->cause[i]) * 0x100000001B3u;
        }
    return hash;
}

static uint64_t shuffled(uint64_t with, bool clock, const char *renamed)
{
    struct history h;
    int64_t days[DAYS];
    uint64_t kept = seed;
    int64_t kept_day = first_day;
    seed = 7;
    first_day = 20522; /* 2026-03-10 */
    make_history(&h);
    all_days(days);
    seed = kept;
    first_day = kept_day;
    if (renamed != NULL) {
        free(h.entities[0].entity_id);
        h.entities[0].entity_id = xstrdup(renamed);
    }
    if (clock)
        shuffle_clock(&h, with);
    else
        shuffle_days(&h, days, DAYS, with);
    uint64_t hash = hash_history(&h);
    history_release(&h);
    return hash;
}

static void a_seed_gives_the_same_bytes_everywhere(void **state)
{
    (void)state;
    for (int clock = 0; clock < 2; clock++) {
        assert_true(shuffled(1, clock, NULL) == shuffled(1, clock, NULL));
        assert_true(shuffled(1, clock, NULL) != shuffled(2, clock, NULL));
        assert_true(shuffled(1, clock, NULL) != shuffled(1, clock, "light.other"));
    }
    assert_true(shuffled(1, false, NULL) == DAYS_HASH);
    assert_true(shuffled(1, true, NULL) == CLOCK_HASH);
}

static void nothing_to_shuffle_is_no_trouble(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, berlin, first_day, DAYS);
    made_entity(&h, "sensor.numbers");
    shuffle_days(&h, NULL, 0, 1);
    shuffle_clock(&h, 1);
    made_change(&h, &h.entities[0], first_day, 100, HISTORY_STATE_ON, 1);
    shuffle_days(&h, NULL, 0, 1);
    assert_int_equal(h.entities[0].changes, 1);
    shuffle_clock(&h, 1);
    assert_int_equal(h.entities[0].changes, 1);
    history_release(&h);
}

int main(void)
{
    seed_init();
    struct error err;
    berlin = tz_load("Europe/Berlin", &err);
    first_day = tz_days_from_civil(2026, random_below(2) ? 3 : 9, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_stay_whole_and_change_places),
        cmocka_unit_test(what_entities_have_to_do_with_each_other_goes),
        cmocka_unit_test(what_was_chosen_moves_along),
        cmocka_unit_test(other_days_stay),
        cmocka_unit_test(days_of_other_lengths_keep_the_order),
        cmocka_unit_test(the_clock_turns_each_day_alone),
        cmocka_unit_test(a_seed_gives_the_same_bytes_everywhere),
        cmocka_unit_test(nothing_to_shuffle_is_no_trouble),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tz_free(berlin);
    return failed;
}
