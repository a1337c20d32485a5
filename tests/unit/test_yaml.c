/* core/yaml: what Home Assistant's loader makes of a text, positions, every maximum, and texts that
 * mean harm. The values are held against PyYAML itself in tests/e2e/test_yaml.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "core/yaml.h"
#include "seeded.h"

static json_object *parse(const char *text)
{
    json_object *value;
    struct error err = {ERROR_NONE, ""};
    if (yaml_parse("x.yaml", text, strlen(text), &value, &err) != 0)
        fail_msg("%s: %s", text, err.message);
    return value;
}

static void check(const char *text, const char *json)
{
    json_object *value = parse(text);
    assert_string_equal(json_text(value), json);
    json_object_put(value);
}

static void check_error(const char *text, size_t length, enum error_code code, const char *message)
{
    json_object *value;
    struct error err = {ERROR_NONE, ""};
    assert_int_equal(yaml_parse("x.yaml", text, length, &value, &err), -1);
    assert_null(value);
    assert_int_equal(err.code, code);
    if (strstr(err.message, message) == NULL)
        fail_msg("'%s' is not in '%s'", message, err.message);
}

static void refuse(const char *text, const char *message)
{
    check_error(text, strlen(text), ERROR_INVALID, message);
}

static void refuse_limit(const char *text, const char *message)
{
    check_error(text, strlen(text), ERROR_LIMIT, message);
}

/* --- values --- */

static void test_values(void **state)
{
    (void)state;
    check("[yes, No, ON, off, true, y, n, oN]", "[true,false,true,false,true,\"y\",\"n\",\"oN\"]");
    check("[7:00:00, 07:00:00, 23:59:59, 7:00, +5:30, -1:30, 1:60, 00:30]",
          "[25200,\"07:00:00\",86399,420,330,-90,\"1:60\",\"00:30\"]");
    check("[0x1F, 010, 09, 0b11, 1_000, -0x1f, 0o10, 0, -0]",
          "[31,8,\"09\",3,1000,-31,\"0o10\",0,0]");
    check("[5., .5, +.5, 1e3, 1.5e+3, 1:30.5, 1_0.5]",
          "[5.0,0.5,\"+.5\",\"1e3\",1500.0,90.5,10.5]");
    check("[~, null, Null, ]", "[null,null,null]");
    check("['5', \"on\", !!str 5, !!int '5', !!bool 'on', !!float 5, ! 5]",
          "[\"5\",\"on\",\"5\",5,true,5.0,5]");
    check("on: 1\n5: 2\n~: 3\n1.5: 4\n", "{\"true\":1,\"5\":2,\"null\":3,\"1.5\":4}");
    check("a: |\n  b\n  c\nd: >\n  e\n  f\n", "{\"a\":\"b\\nc\\n\",\"d\":\"e f\\n\"}");
    check("{\"a\": [1, true, null, \"\\u00e9\"]}", "{\"a\":[1,true,null,\"\xc3\xa9\"]}");
    check("0x10000000000000000", "1.8446744073709552e+19");
    check("!!set {a, b}", "{\"a\":null,\"b\":null}");
    check("\xef\xbb\xbf"
          "a: 1",
          "{\"a\":1}");
}

static void test_nothing_is_null(void **state)
{
    (void)state;
    const char *const texts[] = {"", "# only a comment\n", "---\n", "~", "null\n...\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_null(parse(texts[i]));
}

static void test_twins_and_merges(void **state)
{
    (void)state;
    check("a: 1\nb: 2\na: 3\n", "{\"a\":3,\"b\":2}");
    check("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  b: 3\n",
          "{\"a\":{\"b\":1,\"c\":2},\"d\":{\"b\":3,\"c\":2}}");
    check("<<: [{a: 1}, {a: 2, b: 3}]\nc: 4\n", "{\"a\":1,\"b\":3,\"c\":4}");
    check("a: 2\n<<: {a: 1}\n", "{\"a\":2}");
    check("'<<': 1\n", "{\"<<\":1}");
    check("= : 1\n", "{\"=\":1}");
    refuse("<<: 5\n", "'<<' takes a mapping");
    refuse("<<: [5]\n", "'<<' takes a mapping");
}

static void test_markers(void **state)
{
    (void)state;
    static const char *const tags[] = {"!secret",           "!input",
                                       "!env_var",          "!include",
                                       "!include_dir_list", "!include_dir_merge_named"};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        char *text = xasprintf("a: %s name\n", tags[i]);
        json_object *value = parse(text), *a = json_object_object_get(value, "a");
        assert_string_equal(json_object_get_string(a), "name");
        assert_string_equal(yaml_tag(a), tags[i]);
        json_object_put(value);
        free(text);
        text = xasprintf("%s\n", tags[i]);
        refuse(text, "needs a name behind it");
        free(text);
    }
    json_object *value = parse("[2026-11-25, 2026-11-25 07:00:00, '2026-11-25', plain]");
    assert_string_equal(yaml_tag(json_object_array_get_idx(value, 0)), "!!timestamp");
    assert_string_equal(yaml_tag(json_object_array_get_idx(value, 1)), "!!timestamp");
    assert_null(yaml_tag(json_object_array_get_idx(value, 2)));
    assert_null(yaml_tag(json_object_array_get_idx(value, 3)));
    json_object_put(value);
    assert_null(yaml_tag(NULL));
}

static void test_positions(void **state)
{
    (void)state;
    json_object *value = parse("a:\n  - b: on\n    c: [1, 2.5]\nd: &x text\ne: *x\n");
    json_object *list = json_object_object_get(value, "a");
    json_object *one = json_object_array_get_idx(list, 0);
    json_object *c = json_object_object_get(one, "c");
    struct {
        json_object *value;
        int line, column;
    } rows[] = {
        {value, 1, 1},
        {list, 2, 3},
        {one, 2, 5},
        {json_object_object_get(one, "b"), 2, 8},
        {c, 3, 8},
        {json_object_array_get_idx(c, 0), 3, 9},
        {json_object_array_get_idx(c, 1), 0, 0},
        {json_object_object_get(value, "e"), 4, 4},
        {NULL, 0, 0},
    };
    json_object *copy = yaml_copy(value);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(yaml_line(rows[i].value), rows[i].line);
        assert_int_equal(yaml_column(rows[i].value), rows[i].column);
    }
    assert_string_equal(json_text(copy), json_text(value));
    json_object *of_copy = json_object_array_get_idx(json_object_object_get(copy, "a"), 0);
    assert_ptr_not_equal(of_copy, one);
    assert_int_equal(yaml_column(json_object_object_get(of_copy, "b")), 8);
    json_object_put(copy);
    json_object_put(value);
    value = json_parse("{\"a\": 2.5}", 10, NULL); /* of json-c's own parser */
    assert_int_equal(yaml_line(json_object_object_get(value, "a")), 0);
    assert_int_equal(yaml_line(value), 0);
    json_object_put(value);
}

/* --- what is refused --- */

static void test_errors_say_where(void **state)
{
    (void)state;
    refuse("a: 1\nb: [1, 2\n", "x.yaml: line 3, column 1: did not find expected ',' or ']', while "
                               "parsing a flow sequence that begins in line 2");
    refuse("a: b: c\n", "line 1, column 5: mapping values are not allowed");
    refuse("a: 1\n\tb: 2\n", "line 2, column 1");
    refuse("--- a\n--- b\n", "line 2, column 1: a second document");
    refuse("a: *b\n", "line 1, column 4: there is no anchor 'b'");
    refuse("a: &b 1\nc: &b 2\n", "line 2, column 4: the anchor 'b' is there already");
    refuse("a: !foo 1\n", "line 1, column 4: unknown tag !foo");
    refuse("a: !foo\n  b: 1\n", "unknown tag !foo of a mapping");
    refuse("a: !include\n  - b\n", "unknown tag !include of a list");
    refuse("a: !!omap [b: 1]\n", "unknown tag");
    refuse("? [a, b]\n: 1\n", "a list or mapping cannot be a key");
    refuse("a: &x [1]\n? *x\n: 1\n", "a list or mapping cannot be a key");
    refuse("!secret a: 1\n", "!secret cannot be a key");
    refuse("a: =\n", "'=' alone is no value");
    refuse("a: 2026-13-01\n", "'2026-13-01' is no value of its kind");
    refuse("a: 2026-02-29\n", "no value of its kind");
    refuse("a: 2026-02-28 24:00:00\n", "no value of its kind");
    refuse("a: !!int x\n", "'x' is no value of its kind");
    refuse("a: !!bool maybe\n", "'maybe' is no value of its kind");
    refuse("a: 0x_\n", "no value of its kind");
    refuse("\"a\\0b\": 1\n", "a key with a NUL byte");
    refuse("a: !\x1b[2J 1\n", "line 1, column 5");
    refuse("a: !%1b%5b2J 1\n", "unknown tag !?[2J");
    check_error("a: 1\nb: \0\n", 10, ERROR_INVALID,
                "line 2, column 4: control characters are not allowed");
    refuse("a: 1\n\xc3\xa9: \xff\n", "line 2, column 4: invalid leading UTF-8 octet");
    refuse("a: \xc3", "incomplete UTF-8");
    check_error("\xff\xfe"
                "a\0:\0",
                6, ERROR_INVALID, "line 1, column 1"); /* UTF-16 */
}

static void test_cyclic_anchors(void **state)
{
    (void)state;
    refuse("a: &x [*x]\n", "line 1, column 8: the anchor 'x' (line 1, column 4) holds itself");
    refuse("a: &x\n  b: &y\n    c: *x\n", "line 3, column 8: the anchor 'x' (line 1, column 4)");
    refuse("a: &x\n  <<: *x\n", "holds itself");
}

/* --- maxima --- */

static char *repeat(const char *begin, const char *part, size_t count, const char *end)
{
    size_t a = strlen(begin), b = strlen(part), c = strlen(end);
    char *text = xmalloc(a + b * count + c + 1), *p = text;
    memcpy(p, begin, a);
    p += a;
    for (size_t i = 0; i < count; i++, p += b)
        memcpy(p, part, b);
    memcpy(p, end, c + 1);
    return text;
}

static void check_at_limit(const char *begin, const char *part, size_t max, const char *end,
                           const char *message)
{
    json_object *value;
    struct error err = {ERROR_NONE, ""};
    char *text = repeat(begin, part, max, end);
    if (yaml_parse("x.yaml", text, strlen(text), &value, &err) != 0)
        fail_msg("%s", err.message);
    json_object_put(value);
    free(text);
    text = repeat(begin, part, max + 1, end);
    refuse_limit(text, message);
    free(text);
}

static void test_maxima(void **state)
{
    (void)state;
    check_at_limit("#", "x", YAML_BYTES_MAX - 1, "", "x.yaml: larger than 16777216 bytes");
    check_at_limit("[", "1,", YAML_NODES_MAX - 1, "]", "more than 500000 values");
    check_at_limit("? ", "k", YAML_KEY_BYTES_MAX, "\n: 1\n", "a key of more than 1024 bytes");
    check_at_limit("", "- ", YAML_DEPTH_MAX, "1", "nested more than 64 deep");
}

static void test_anchors_max(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    for (int i = 0; i < YAML_ANCHORS_MAX; i++)
        fprintf(out, "- &a%d 1\n", i);
    fflush(out);
    json_object_put(parse(text));
    fputs("- &b 1\n", out);
    fclose(out);
    refuse_limit(text, "line 10001, column 3: more than 10000 anchors");
    free(text);
}

static void test_aliases_count_what_they_repeat(void **state)
{
    (void)state;
    /* Ten times ten times ten ... */
    char laughs[1024] = "- &a0 [1,1,1,1,1,1,1,1,1,1]\n";
    for (int i = 1; i < 10; i++) {
        size_t length = strlen(laughs);
        snprintf(laughs + length, sizeof laughs - length,
                 "- &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i - 1, i - 1,
                 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    }
    refuse_limit(laughs, "line 6, column 20: more than 500000 values, with what aliases repeat");

    char *big = repeat("- &x ", "y", 1024 * 1024, "\n");
    char *enough = repeat(big, "- *x\n", 63, ""), *many = repeat(big, "- *x\n", 64, "");
    json_object_put(parse(enough));
    refuse_limit(many, "line 65, column 3: more than 67108864 bytes of text");
    free(big);
    free(enough);
    free(many);

    char *deep = repeat("- &x ", "[", 40, ""), *closed = repeat(deep, "]", 40, "\n- ");
    char *holds = repeat(closed, "[", 23, "*x"), *whole = repeat(holds, "]", 23, "\n");
    json_object_put(parse(whole));
    free(holds);
    free(whole);
    holds = repeat(closed, "[", 24, "*x");
    whole = repeat(holds, "]", 24, "\n");
    refuse_limit(whole, "line 2, column 27: nested more than 64 deep");
    free(deep);
    free(closed);
    free(holds);
    free(whole);

    char *merges = repeat("- &x {<<: ", "[", 0, "{a: 1, b: 2}}\n");
    char *all = repeat(merges, "- {<<: *x}\n", YAML_NODES_MAX / 4, "");
    refuse_limit(all, "with what aliases repeat");
    free(merges);
    free(all);
}

static void test_nested_without_end(void **state)
{
    (void)state;
    static const char *const parts[] = {"[", "{", "{a: ", "- ", "? ", "&a [", "!!seq [", "[[{"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        json_object *value;
        struct error err = {ERROR_NONE, ""};
        char *text = repeat("", parts[i], 1000000, "");
        assert_int_equal(yaml_parse("x.yaml", text, strlen(text), &value, &err), -1);
        free(text);
    }
}

/* --- files --- */

static void check_file(const char *content, size_t length, int result, const char *message)
{
    char path[] = "/tmp/test_yaml_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, length), (ssize_t)length);
    close(fd);
    json_object *value;
    struct error err = {ERROR_NONE, ""};
    assert_int_equal(yaml_read_file(path, &value, &err), result);
    unlink(path);
    assert_non_null(strstr(err.message, message));
    json_object_put(value);
}

static void test_files(void **state)
{
    (void)state;
    json_object *value;
    struct error err = {ERROR_NONE, ""};
    check_file("", 0, 0, "");
    check_file("a: [", 4, -1, "/tmp/test_yaml_");
    char *large = repeat("#", "x", 70000, "\na: 1\n");
    check_file(large, strlen(large), 0, "");
    free(large);
    assert_int_equal(yaml_read_file("/nonexistent/x.yaml", &value, &err), -1);
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_int_equal(yaml_read_file("/tmp", &value, &err), -1);
    assert_non_null(strstr(err.message, "/tmp: Is a directory"));
    assert_int_equal(yaml_read_file("/dev/zero", &value, &err), -1); /* has no end */
    assert_non_null(strstr(err.message, "/dev/zero: larger than"));
}

/* --- chance --- */

static const char sample[] =
    "- id: '1'\n  alias: \"Light \\u00e9\"\n  triggers:\n  - &t {trigger: time, at: 07:00:00}\n"
    "  - <<: *t\n    at: 7:30\n  conditions: []\n  actions:\n  - action: light.turn_on\n"
    "    target: {entity_id: [light.a, light.b]}\n    data:\n      x: |\n        text\n"
    "      y: !secret z\n      ? k\n      : 5.5\n- *t\n# end\n";

static void mutate(char *text, size_t *length, size_t capacity)
{
    static const char bits[] = "-:?[]{}&*!|>'\"%@`,#\n\t <=~\\09ax.\xc3\xff";
    size_t at = next_random() % (*length + 1), from = next_random() % (*length + 1);
    size_t size = next_random() % 12;
    switch (next_random() % 4) {
    case 0: /* another byte */
        if (at < *length)
            text[at] =
                (next_random() & 3) ? bits[next_random() % (sizeof bits - 1)] : (char)next_random();
        break;
    case 1: /* a part less */
        if (at + size <= *length) {
            memmove(text + at, text + at + size, *length - at - size);
            *length -= size;
        }
        break;
    case 2: /* a byte more */
        if (*length < capacity) {
            memmove(text + at + 1, text + at, *length - at);
            text[at] = bits[next_random() % (sizeof bits - 1)];
            ++*length;
        }
        break;
    default: /* a part of it over another */
        if (at + size <= *length && from + size <= *length)
            memmove(text + at, text + from, size);
    }
}

static void test_mutations_never_crash(void **state)
{
    (void)state;
    enum { ROUNDS = 20000, CAPACITY = 1024 };
    char text[CAPACITY];
    unsigned good = 0;
    for (int i = 0; i < ROUNDS; i++) {
        size_t length = sizeof sample - 1;
        memcpy(text, sample, length);
        for (uint64_t changes = next_random() % 8 + 1; changes > 0; changes--)
            mutate(text, &length, sizeof text);
        char *exact = xmalloc(length + 1); /* so that ASan sees a byte too far */
        memcpy(exact, text, length);
        json_object *value;
        struct error err = {ERROR_NONE, ""};
        int result = yaml_parse("x.yaml", exact, length, &value, &err);
        if (result == 0) {
            json_object *copy = yaml_copy(value);
            assert_string_equal(json_text(copy), json_text(value));
            json_object_put(copy);
            good++;
        } else {
            assert_non_null(strstr(err.message, "x.yaml: line "));
            assert_null(value);
        }
        json_object_put(value);
        free(exact);
    }
    assert_true(good > ROUNDS / 50 && good < ROUNDS); /* else it tries nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_nothing_is_null),
        cmocka_unit_test(test_twins_and_merges),
        cmocka_unit_test(test_markers),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_errors_say_where),
        cmocka_unit_test(test_cyclic_anchors),
        cmocka_unit_test(test_maxima),
        cmocka_unit_test(test_anchors_max),
        cmocka_unit_test(test_aliases_count_what_they_repeat),
        cmocka_unit_test(test_nested_without_end),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_mutations_never_crash),
    };
    seed_init();
    log_set_level(LOG_LEVEL_ERROR); /* keys that stand twice */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
