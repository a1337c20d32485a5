/* The picture of evidence: what is drawn where, and that nothing that comes in can break it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "plot/evidence.h"
#include "plot/svg.h"

static char *draw(const char *picture, const char *title)
{
    json_object *object = picture != NULL ? json_parse(picture, strlen(picture), NULL) : NULL;
    assert_true(picture == NULL || object != NULL);
    char *svg = plot_evidence(object, title, NULL);
    json_object_put(object);
    assert_true(strlen(svg) <= PLOT_SVG_MAX);
    assert_int_equal(strncmp(svg, "<svg ", 5), 0);
    assert_string_equal(svg + strlen(svg) - 6, "</svg>");
    return svg;
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
        n++;
    return n;
}

static void assert_drawn(const char *picture, const char *title, const char *part, int times)
{
    char *svg = draw(picture, title);
    if (count(svg, part) != times)
        fail_msg("'%s' is there %d times, not %d: %s", part, count(svg, part), times, svg);
    free(svg);
}

/* ---- what is drawn -------------------------------------------------------------------------- */

/* One day, six hours about noon: 38.3 units an hour from 09:00 at 74 on, 382 wide from 46 on. */
static void test_places(void **state)
{
    (void)state;
    const char *picture = "{\"of\":\"acts\",\"from\":\"2026-11-23\",\"days\":\"t\","
                          "\"acts_hit\":\"720\",\"fires_hit\":\"725\"}";
    assert_drawn(picture, "A lamp", "M237.0 189.0h.01", 1);
    assert_drawn(picture, "A lamp", "M46.0 192.2h382.0", 1); /* as wide as its day */
    assert_drawn(picture, "A lamp", ">09:00<", 1);
    assert_drawn(picture, "A lamp", ">15:00<", 1);
    assert_drawn(picture, "A lamp", ">08:00<", 0);
    assert_drawn(picture, "A lamp", "23 Nov", 1);
    assert_drawn(picture, "A lamp", "1 days, 1 runs: 1 right, 0 idle, 0 wrong", 2);
}

/* Marks at both ends of the day need all of it; labels every third hour. */
static void test_whole_day(void **state)
{
    (void)state;
    const char *picture = "{\"from\":\"2026-02-27\",\"days\":\"tt\",\"acts_other\":\"3 2879\"}";
    assert_drawn(picture, "A", ">00:00<", 1);
    assert_drawn(picture, "A", ">24:00<", 1);
    assert_drawn(picture, "A", ">03:00<", 1);
    assert_drawn(picture, "A", ">02:00<", 0);
    assert_drawn(picture, "A", "28 Feb", 1);
}

/* Each sort of day has its area and its word; days of one sort side by side are one. */
static void test_days(void **state)
{
    (void)state;
    const char *picture = "{\"from\":\"2026-11-02\",\"days\":\"tt..-hh\",\"fires_wrong\":\"600\"}";
    assert_drawn(picture, "A", "class=\"dx\"", 1);
    assert_drawn(picture, "A", "class=\"u\"", 1);
    assert_drawn(picture, "A", "class=\"dh\"", 1);
    assert_drawn(picture, "A", "6 days,", 2); /* that were recorded */
    const char *const words[] = {plot_english.learned, plot_english.tested, plot_english.other,
                                 plot_english.unknown};
    for (int i = 0; i < 4; i++)
        assert_drawn(picture, "A", words[i], 1);
    assert_drawn("{\"from\":\"2026-11-02\",\"days\":\"t\"}", "A", plot_english.unknown, 0);
}

/* Of uses the same marks have other words. */
static void test_uses(void **state)
{
    (void)state;
    const char *picture = "{\"of\":\"uses\",\"from\":\"2026-11-02\",\"days\":\"t\"}";
    assert_drawn(picture, "A", plot_english.uses.you, 1);
    assert_drawn(picture, "A", plot_english.acts.you, 0);
}

static void test_nothing(void **state)
{
    (void)state;
    assert_drawn(NULL, NULL, plot_english.nothing, 3); /* title, description, text */
    assert_drawn(NULL, "A lamp", plot_english.no_picture, 2);
    assert_drawn(NULL, "A lamp", "A lamp", 2);
    assert_drawn("{\"days\":\"t\"}", "A lamp", plot_english.no_picture, 2);
    assert_drawn("{\"from\":\"2026-13-41\",\"days\":\"t\"}", "A lamp", plot_english.no_picture, 2);
    assert_drawn("{\"from\":\"2026-11-02\",\"days\":\"\"}", "A lamp", plot_english.no_picture, 2);
    assert_drawn("{\"from\":7,\"days\":[1]}", "A lamp", plot_english.no_picture, 2);
}

/* ---- what comes in -------------------------------------------------------------------------- */

/* Only its own references, whatever the title says. */
static void assert_harmless(const char *svg)
{
    assert_int_equal(count(svg, "http"), 1); /* the name of SVG */
    assert_int_equal(count(svg, "url("), count(svg, "url(#n)"));
    assert_int_equal(count(svg, "<svg"), 1);
    assert_null(strstr(svg, "<script"));
    assert_null(strstr(svg, "<!"));
    assert_null(strstr(svg, "href"));
    for (const char *at = svg; *at != '\0'; at++)
        assert_true((unsigned char)*at >= ' ');
}

static void test_hostile_titles(void **state)
{
    (void)state;
    const char *picture = "{\"from\":\"2026-11-02\",\"days\":\"t\",\"acts_hit\":\"600\"}";
    static const char *const titles[] = {
        "</title><script>alert(1)</script>",
        "]]><!-- & &lt; &amp; \"'`",
        "\x01\x1f\x7f\xc2\x85\t\n",
        "\xff\xfe\xc0\xaf\xe2\x82\xed\xa0\x80\xf5\x80\x80\x80\xef\xbf\xbf",
        "\xe2\x80\xae\xe2\x81\xa6turned around",
        "{days} %s %n",
        "",
    };
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
        char *svg = draw(picture, titles[i]);
        assert_harmless(svg);
        free(svg);
        svg = draw(NULL, titles[i]);
        assert_harmless(svg);
        free(svg);
    }
    assert_drawn(picture, titles[0], "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;", 2);
    assert_drawn(picture, "a\x01z\xff!", "a?z?!", 2);
    assert_drawn(picture, titles[4], "??turned around", 2);
    assert_drawn(picture, titles[5], "{days} %s %n", 2);
}

static void test_malformed_marks(void **state)
{
    (void)state;
    /* what no number can be read from ends a list; what lies outside of the days is not drawn */
    assert_drawn("{\"from\":\"2026-11-02\",\"days\":\"tt\",\"acts_hit\":\"600 x 700\"}", "A",
                 "h.01M", 0);
    assert_drawn("{\"from\":\"2026-11-02\",\"days\":\"tt\",\"acts_other\":\"-1 600 2880 "
                 "99999999999999999999 700\"}",
                 "A", "m0-3.5", 3); /* two, and the legend's */
    assert_drawn("{\"from\":\"2026-11-02\",\"days\":\"t\",\"acts_other\":[600]}", "A", "m0-3.5", 1);
    assert_drawn("{\"from\":\"2026-11-02\",\"days\":\"t?\xc3\xa4<\"}", "A", "tested", 0);
}

/* As much as it takes at most, and more. */
static void test_limits(void **state)
{
    (void)state;
    enum { DAYS = PLOT_DAYS_MAX + 30, EACH = PLOT_MARKS_MAX };
    char days[DAYS + 1], title[1200];
    for (int i = 0; i < DAYS; i++)
        days[i] = "th"[i % 2];
    days[DAYS] = '\0';
    char *marks = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&marks, &size);
    for (int i = 0; i < EACH; i++) /* all on days that are drawn */
        fprintf(out, "%d ", (30 + i % PLOT_DAYS_MAX) * 1440 + i % 1440);
    fclose(out);
    memset(title, '"', sizeof title - 1);
    title[sizeof title - 1] = '\0';

    json_object *picture = json_object_new_object();
    json_add_string(picture, "from", "2026-06-01");
    json_add_string(picture, "days", days);
    json_add_string(picture, "fires_wrong", marks);
    char *svg = plot_evidence(picture, title, NULL);
    assert_in_range(strlen(svg), PLOT_SVG_MAX / 2, PLOT_SVG_MAX);
    assert_int_equal(count(svg, "l6 6"), PLOT_MARKS_MAX + 1); /* and the legend's */
    assert_int_equal(count(svg, "class=\"dh\" x"), PLOT_DAYS_MAX / 2);
    free(svg);

    json_add_string(picture, "acts_hit", marks); /* comes first, and there is no room for more */
    svg = plot_evidence(picture, title, NULL);
    assert_int_equal(count(svg, "h.01"), PLOT_MARKS_MAX + 1);
    assert_int_equal(count(svg, "l6 6"), 1);
    assert_int_equal(count(svg, "\xe2\x80\xa6</title>"), 1); /* … */
    free(svg);
    json_object_put(picture);
    free(marks);
}

/* ---- lines ---------------------------------------------------------------------------------- */

static void assert_lines(const char *text, size_t columns, const char *first, const char *second)
{
    char *lines[2];
    svg_wrap(text, columns, lines);
    assert_string_equal(lines[0], first);
    if (second == NULL)
        assert_null(lines[1]);
    else
        assert_string_equal(lines[1], second);
    free(lines[0]);
    free(lines[1]);
}

static void test_wrap(void **state)
{
    (void)state;
    assert_lines("", 10, "", NULL);
    assert_lines("ten chars!", 10, "ten chars!", NULL);
    assert_lines("turn on the lamp", 12, "turn on the", "lamp");
    assert_lines("one two three four five six", 10, "one two", "three\xe2\x80\xa6");
    assert_lines("Donaudampfschiff", 10, "Donaudampf", "schiff");
    assert_lines("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6", 5,
                 "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6", NULL);
    assert_lines("\xe7\x81\xaf\xe7\x81\xaf\xe7\x81\xaf", 4, "\xe7\x81\xaf\xe7\x81\xaf",
                 "\xe7\x81\xaf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_whole_day),
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_uses),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_hostile_titles),
        cmocka_unit_test(test_malformed_marks),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
