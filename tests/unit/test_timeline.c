/* model/timeline: filling, order, maxima, and numbers as Python reads them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/xalloc.h"
#include "model/timeline.h"

static void add_row(struct timeline *t, const char *entity_id, int64_t time_ms, const char *state)
{
    size_t series;
    uint32_t word = TIMELINE_REMOVED;
    struct error err;
    assert_int_equal(timeline_add_series(t, entity_id, &series, &err), 0);
    if (state != NULL)
        assert_int_equal(timeline_add_word(t, state, strlen(state), &word, &err), 0);
    struct timeline_row row = {.time_ms = time_ms, .word = word & 0xFFFFFFF, .attributes = -1};
    assert_int_equal(timeline_add_row(t, series, &row, &err), 0);
}

static const char *state_at(const struct timeline *t, const char *entity_id, int64_t time_ms)
{
    const struct timeline_series *s = timeline_find(t, entity_id);
    size_t row = timeline_row_at(s, time_ms);
    return row == SIZE_MAX ? NULL : t->words[s->rows[row].word];
}

static void test_rows_are_sorted_and_found(void **state)
{
    (void)state;
    struct timeline t;
    timeline_init(&t);
    add_row(&t, "light.b", 3000, "on");
    add_row(&t, "light.b", 1000, "off");
    add_row(&t, "light.a", 2000, "21.5");
    add_row(&t, "light.b", 3000, "off");
    add_row(&t, "light.b", 2500, NULL);
    add_row(&t, "light.b", 2600, "");
    timeline_finish(&t);
    assert_string_equal(t.series[0].entity_id, "light.a");
    assert_null(timeline_find(&t, "light.c"));
    assert_null(state_at(&t, "light.b", 999));
    assert_string_equal(state_at(&t, "light.b", 1000), "off");
    assert_string_equal(state_at(&t, "light.b", 3000), "off"); /* the later of equal times */
    const struct timeline_series *b = timeline_find(&t, "light.b");
    assert_int_equal(b->count, 5);
    assert_int_equal(b->rows[1].word, TIMELINE_REMOVED);
    assert_int_not_equal(b->rows[2].word, TIMELINE_REMOVED); /* an empty state is a state */
    assert_string_equal(t.words[b->rows[3].word], "on");
    assert_true(fabs(t.numbers[timeline_find(&t, "light.a")->rows[0].word] - 21.5) < 1e-9);
    assert_int_equal(t.from_ms, 1000);
    assert_int_equal(t.to_ms, 3000);
    assert_int_equal(t.run_count, 1);
    assert_int_equal(t.runs[0].started_ms, 1000);
    timeline_release(&t);
}

static void test_many_rows_keep_the_order_of_writing(void **state)
{
    (void)state;
    enum { ROWS = 5000, TIMES = 700 };
    struct timeline t;
    timeline_init(&t);
    struct error err;
    size_t series;
    assert_int_equal(timeline_add_series(&t, "sensor.x", &series, &err), 0);
    for (int i = 0; i < ROWS; i++) {
        struct timeline_row row = {.time_ms = i * 7919 % TIMES, .attributes = i};
        assert_int_equal(timeline_add_row(&t, series, &row, &err), 0);
    }
    timeline_finish(&t);
    const struct timeline_row *rows = t.series[0].rows;
    assert_int_equal(t.series[0].count, ROWS);
    for (int i = 1; i < ROWS; i++) {
        assert_true(rows[i - 1].time_ms <= rows[i].time_ms);
        if (rows[i - 1].time_ms == rows[i].time_ms)
            assert_true(rows[i - 1].attributes < rows[i].attributes);
    }
    timeline_release(&t);
}

static void test_attributes_places_and_runs(void **state)
{
    (void)state;
    struct timeline t;
    struct error err;
    timeline_init(&t);
    int32_t a, b, c, d;
    assert_int_equal(timeline_add_attributes(&t, "{\"x\":1}", 7, &a, &err), 0);
    assert_int_equal(timeline_add_attributes(&t, "{\"x\":1}", 7, &b, &err), 0);
    assert_int_equal(timeline_add_attributes(&t, "[1]", 3, &c, &err), 0);
    assert_int_equal(timeline_add_attributes(&t, "{broken", 7, &d, &err), 0);
    assert_int_equal(a, 0);
    assert_int_equal(b, 0);
    assert_int_equal(c, -1);
    assert_int_equal(d, -1);
    assert_int_equal(t.attribute_count, 1);
    struct timeline_place kitchen = {.entity_id = (char[]){"light.k"}, .area_id = (char[]){"k"}};
    assert_int_equal(timeline_add_place(&t, &kitchen, &err), 0);
    assert_int_equal(timeline_add_run(&t, &(struct timeline_run){500, 400, 900, false}, &err), 0);
    assert_int_equal(timeline_add_run(&t, &(struct timeline_run){100, 150, 700, false}, &err), 0);
    timeline_finish(&t);
    assert_string_equal(timeline_find_place(&t, "light.k")->area_id, "k");
    assert_null(timeline_find_place(&t, "light.j"));
    assert_int_equal(t.runs[0].from_ms, 100);
    assert_int_equal(t.runs[0].to_ms, 500); /* cut where the next begins */
    assert_int_equal(t.runs[1].started_ms, 500);
    timeline_release(&t);
}

static void test_maxima(void **state)
{
    (void)state;
    struct timeline t;
    struct error err;
    size_t series;
    timeline_init(&t);
    for (int i = 0; i < TIMELINE_ENTITIES_MAX; i++) {
        char id[32];
        snprintf(id, sizeof id, "sensor.n%d", i);
        assert_int_equal(timeline_add_series(&t, id, &series, &err), 0);
    }
    assert_int_equal(timeline_add_series(&t, "sensor.more", &series, &err), -1);
    assert_non_null(strstr(err.message, "20000 entities"));
    for (int i = 0; i < TIMELINE_RUNS_MAX; i++)
        assert_int_equal(timeline_add_run(&t, &(struct timeline_run){i, i, i + 1, false}, &err), 0);
    assert_int_equal(timeline_add_run(&t, &(struct timeline_run){0, 0, 0, false}, &err), -1);
    struct timeline_place place = {.entity_id = (char[]){"light.k"}};
    for (int i = 0; i < TIMELINE_PLACES_MAX; i++)
        assert_int_equal(timeline_add_place(&t, &place, &err), 0);
    assert_int_equal(timeline_add_place(&t, &place, &err), -1);
    struct timeline_row row = {.attributes = -1};
    for (int i = 0; i < TIMELINE_ROWS_MAX; i++)
        if (timeline_add_row(&t, 0, &row, &err) != 0)
            fail_msg("%s", err.message);
    assert_int_equal(timeline_add_row(&t, 0, &row, &err), -1);
    assert_int_equal(err.code, ERROR_LIMIT);
    timeline_release(&t);
}

static void test_maxima_of_bytes(void **state)
{
    (void)state;
    enum { CHUNK = 1024 * 1024 };
    struct timeline t;
    struct error err;
    uint32_t word;
    int32_t attributes;
    timeline_init(&t);
    char *text = xmalloc(CHUNK);
    memset(text, 'x', CHUNK);
    for (int i = 0; i < TIMELINE_STATE_BYTES_MAX / CHUNK; i++) {
        text[snprintf(text, CHUNK, "%08d", i)] = 'x';
        assert_int_equal(timeline_add_word(&t, text, CHUNK, &word, &err), 0);
    }
    assert_int_equal(timeline_add_word(&t, "x", 1, &word, &err), -1);
    assert_int_equal(err.code, ERROR_LIMIT);
    for (int i = 0; i < TIMELINE_ATTRIBUTE_BYTES_MAX / CHUNK; i++) {
        text[snprintf(text, CHUNK, "%08d", i)] = 'x';
        assert_int_equal(timeline_add_attributes(&t, text, CHUNK, &attributes, &err), 0);
    }
    assert_int_equal(timeline_add_attributes(&t, "{}", 2, &attributes, &err), -1);
    assert_int_equal(err.code, ERROR_LIMIT);
    free(text);
    timeline_release(&t);
}

static void test_numbers_as_python_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = {{"21", 21},          {" -3.5e2\n", -350}, {"+.5", .5},    {"5.", 5},
                {"1_000.5", 1000.5}, {"007", 7},          {"1e-3", .001}, {"infinity", INFINITY},
                {"-INF", -INFINITY}, {"NaN", NAN}};
    static const char *const bad[] = {"",    " ",   "on",   "1__0", "_1", "1_",  "0x10", "1e", ".",
                                      "1 2", "--1", "1e1_", "infi", "5%", "+-1", "1._5", "e5"};
    double number;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!timeline_number(good[i].text, &number))
            fail_msg("'%s' is a number", good[i].text);
        if (isfinite(good[i].value))
            assert_true(fabs(number - good[i].value) < 1e-9);
        else
            assert_true(isnan(number) == isnan(good[i].value) &&
                        (isnan(number) || number == good[i].value));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (timeline_number(bad[i], &number))
            fail_msg("'%s' is no number", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_sorted_and_found),
        cmocka_unit_test(test_many_rows_keep_the_order_of_writing),
        cmocka_unit_test(test_attributes_places_and_runs),
        cmocka_unit_test(test_maxima),
        cmocka_unit_test(test_maxima_of_bytes),
        cmocka_unit_test(test_numbers_as_python_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
