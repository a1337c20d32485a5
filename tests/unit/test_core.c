/* The small things below everything: JSON, clock, errors, arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/text.h"
#include "core/uuid.h"
#include "core/xalloc.h"

static json_object *parse(const char *text, struct error *err)
{
    *err = (struct error){0};
    return json_parse(text, strlen(text), err);
}

static void test_json_values(void **state)
{
    (void)state;
    static const char *const good[] = {"{}",   "[1,2]", " {\"a\":1} \n", "5",
                                       "true", "-1.5",  "\"x\""};
    static const char *const bad[] = {"",        "{",        "{} x",     "{}{}",  "null",
                                      "{\"a\":", "\"\xff\"", "[1,2,,3]", "truth", "{'a':1}x"};
    struct error err;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        json_object *obj = parse(good[i], &err);
        if (obj == NULL)
            fail_msg("%s: %s", good[i], err.message);
        json_object_put(obj);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_object *obj = parse(bad[i], &err);
        if (obj != NULL || err.message[0] == '\0')
            fail_msg("'%s' was taken", bad[i]);
    }
}

static void test_json_depth(void **state)
{
    (void)state;
    char text[2 * JSON_DEPTH_MAX + 8];
    struct error err;
    memset(text, '[', sizeof(text));
    for (int depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth += 2) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = '\0';
        json_object *obj = parse(text, &err);
        assert_int_equal(obj != NULL, depth < JSON_DEPTH_MAX);
        json_object_put(obj);
    }
}

static void test_json_file(void **state)
{
    (void)state;
    char path[] = "/tmp/ha-ai-json-XXXXXX";
    struct error err = {0};
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "{\"a\": {\"b\": 7}}", 15), 15);
    close(fd);
    json_object *obj = json_read_file(path, 15, &err);
    assert_non_null(obj);
    assert_int_equal(json_object_get_int(json_at(obj, "a.b")), 7);
    assert_null(json_at(obj, "a.b.c"));
    assert_null(json_at(obj, "a.x"));
    json_object_put(obj);
    assert_null(json_read_file(path, 14, &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    unlink(path);
    assert_null(json_read_file(path, 14, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void test_clock(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; /* -1 = refused */
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-23T12:34:56.789Z", 1795437296789},
        {"2026-11-23T13:34:56.789012+01:00", 1795437296789},
        {"2024-02-29 23:59:59-05:30", 1709270999000},
        {"2026-13-01T00:00:00Z", -1},
        {"2026-11-23T12:34:56", -1},
        {"2026-11-23T25:00:00Z", -1},
        {"2026-11-23T12:34:56Zx", -1},
        {"", -1},
        {"yesterday", -1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t ms = -1;
        int rc = clock_parse_rfc3339(rows[i].text, &ms);
        if ((rc < 0) != (rows[i].ms < 0) || (rc == 0 && ms != rows[i].ms))
            fail_msg("%s: %d, %lld", rows[i].text, rc, (long long)ms);
    }
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(text, 1795437296789);
    assert_string_equal(text, "2026-11-23T12:34:56.789Z");
    clock_format_rfc3339(text, -1);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
}

static void test_errors_are_cut_not_overrun(void **state)
{
    (void)state;
    struct error err;
    char long_text[1000];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    assert_int_equal(error_set(&err, ERROR_IO, "%s", long_text), -1);
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
    error_set(&err, ERROR_IO, "cause");
    error_prefix(&err, "file %d", 7);
    assert_string_equal(err.message, "file 7: cause");
    error_prefix(&err, "%s", long_text);
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
    assert_int_equal(error_set(NULL, ERROR_IO, "nobody listens"), -1);
}

static void test_uuids_sort_by_time(void **state)
{
    (void)state;
    char a[UUID_SIZE], b[UUID_SIZE];
    uuid_v7(a);
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    uuid_v7(b);
    assert_int_equal(strlen(a), 36);
    assert_int_equal(a[14], '7');
    assert_true(strcmp(a, b) < 0);
}

static void test_arrays_grow(void **state)
{
    (void)state;
    int *array = NULL;
    size_t capacity = 0;
    for (size_t n = 0; n < 1000; n++) {
        array = grow_array(array, n, &capacity, sizeof(*array));
        array[n] = (int)n;
    }
    assert_true(capacity >= 1000);
    assert_int_equal(array[999], 999);
    free(array);
    char *text = xasprintf("%s-%d", "a", 7);
    assert_string_equal(text, "a-7");
    free(text);
}

static void test_text_that_is_shown(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        const char *text, *shown;
        size_t taken;
    } rows[] = {
        {20, "plain", "plain", 5},
        {6, "plain", "plain", 5},
        {5, "plain", "plai", 4},
        {1, "plain", "", 0},
        {20, "a\x1b[31m\n\x7f", "a?[31m??", 8},
        {20, "caf\u00e9 \xc2\x85\xc2\x9b.", "caf\u00e9 ??.", 11},
        {6, "caf\u00e9", "caf\u00e9", 5},
        {5, "caf\u00e9", "caf", 3}, /* no half character */
        {4, "\U0001F600", "", 0},
        {5, "\U0001F600", "\U0001F600", 4},
        {2, "\xc2\x85", "?", 2},
        {9, "\x80\x80z", "\x80\x80z", 3}, /* no UTF-8: as it is, but no longer than there is room */
        {2, "\x80\x80z", "", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[20];
        memset(out, 'x', sizeof out);
        assert_int_equal(text_copy_shown(out, rows[i].size, rows[i].text), rows[i].taken);
        assert_string_equal(out, rows[i].shown);
        for (size_t k = rows[i].size; k < sizeof out; k++)
            assert_int_equal(out[k], 'x');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_values),
        cmocka_unit_test(test_json_depth),
        cmocka_unit_test(test_json_file),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_errors_are_cut_not_overrun),
        cmocka_unit_test(test_uuids_sort_by_time),
        cmocka_unit_test(test_arrays_grow),
        cmocka_unit_test(test_text_that_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
