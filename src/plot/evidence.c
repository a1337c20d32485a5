/* Each kind of mark is one path, so that a thousand of them stay small. */
#include "plot/evidence.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/xalloc.h"
#include "plot/svg.h"

enum { DAY_MINUTES = 24 * 60, HOUR = 60 };
static const int64_t DAY_MS = INT64_C(86400000);

/* Where things are, in the picture's own units: about those of a card on a dashboard. */
enum {
    WIDTH = 440,
    HEIGHT = 420,
    LEFT = 46,
    RIGHT = 428,
    TOP = 74,
    BOTTOM = 304,
    MARGIN = 14,
    LEGEND_TOP = 342,
    LEGEND_STEP = 16,
    LEGEND_MIDDLE = 206, /* its second column */
    DAYS_LINE = 408,
    LABEL_WIDTH = 52, /* "26 Oct" with some room */
    LINE_CHARS = 46,  /* of the title */
};
enum { SPAN_MIN = 6 * HOUR, TICKS_MAX = 8 };

enum kind { ACT_HIT, ACT_OTHER, FIRE_HIT, FIRE_IDLE, FIRE_WRONG, KIND_COUNT };

/* In the order of drawing: what a person did is on top. */
static const struct {
    const char *key, *class;
    const char *shape; /* from the mark's middle on; NULL = a bar as wide as its day */
} kinds[KIND_COUNT] = {
    [ACT_HIT] = {"acts_hit", "a", "h.01"},
    [ACT_OTHER] = {"acts_other", "o", "m0-3.5l3.5 3.5-3.5 3.5-3.5-3.5z"},
    [FIRE_HIT] = {"fires_hit", "h", NULL},
    [FIRE_IDLE] = {"fires_idle", "i", "m-2-2h4v4h-4z"},
    [FIRE_WRONG] = {"fires_wrong", "w", "m-3-3l6 6m0-6l-6 6"},
};
static const enum kind drawn_order[KIND_COUNT] = {FIRE_HIT, FIRE_IDLE, FIRE_WRONG, ACT_OTHER,
                                                  ACT_HIT};

static const char style[] =
    "<style>"
    "text{font:12px system-ui,Roboto,sans-serif;fill:#212121}"
    ".t{font-size:14px;font-weight:600}.b{font-weight:600}.m{fill:#5f5f5f}"
    ".p{fill:#fff;stroke:#c8c8c8}.g{stroke:#dcdcdc}.f{fill:none;stroke:#9a9a9a}"
    ".dh{fill:#dcebf8}.dx{fill:#ececec}.s{stroke:#8a8a8a}.u{fill:url(#n)}.dt{fill:#fff}"
    ".k{stroke:#9a9a9a}"
    "path{fill:none}.a{stroke:#0072b2;stroke-width:5.6;stroke-linecap:round}"
    ".o{stroke:#7b3294;stroke-width:1.4}.h{stroke:#00865f;stroke-width:2.4}"
    ".i{stroke:#6f6f6f;stroke-width:1.2}.w{stroke:#d04a00;stroke-width:1.8}"
    "@media(prefers-color-scheme:dark){"
    "text{fill:#e4e4e4}.m{fill:#a6a6a6}"
    ".p{fill:#1c1c1c;stroke:#3c3c3c}.g{stroke:#363636}.f{stroke:#707070}"
    ".dh{fill:#1b3247}.dx{fill:#2b2b2b}.s{stroke:#7a7a7a}.dt{fill:#1c1c1c}.k{stroke:#707070}"
    ".a{stroke:#56b4e9}.o{stroke:#d09ae8}.h{stroke:#2fc48d}.i{stroke:#a0a0a0}.w{stroke:#ff8c42}}"
    "</style>"
    "<pattern id=\"n\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">"
    "<path class=\"s\" d=\"M0 5L5 0\"/></pattern>";

struct marks {
    int *minutes; /* from the picture's first day on, in its order */
    size_t count;
};

struct plot {
    FILE *out;
    const struct plot_texts *texts;
    const struct plot_legend *legend;
    const char *days;  /* a letter each */
    int count;         /* of days */
    int64_t first_day; /* since 1970-01-01 */
    int low, high;     /* minutes of the day: the axis */
    struct marks marks[KIND_COUNT];
};

/* ---- reading the picture --------------------------------------------------------------------- */

/* "17 1457 …" Those that lie in the days drawn; `room` is what may still be taken. */
static void read_marks(const char *text, int skipped_days, int days, size_t *room,
                       struct marks *out)
{
    size_t capacity = 0;
    for (const char *at = text; at != NULL && *at != '\0' && *room > 0;) {
        char *end;
        long minute = strtol(at, &end, 10);
        if (end == at)
            return;
        at = end;
        minute -= (long)skipped_days * DAY_MINUTES;
        if (minute < 0 || minute >= (long)days * DAY_MINUTES)
            continue;
        out->minutes = grow_array(out->minutes, out->count, &capacity, sizeof *out->minutes);
        out->minutes[out->count++] = (int)minute;
        --*room;
    }
}

/* False when there is nothing to draw. */
static bool read_picture(struct plot *p, json_object *picture)
{
    const char *from = json_get_string(picture, "from"), *of = json_get_string(picture, "of");
    p->days = json_get_string(picture, "days");
    size_t length = p->days != NULL ? strlen(p->days) : 0, room = PLOT_MARKS_MAX;
    int64_t from_ms;
    char midnight[CLOCK_RFC3339_SIZE];
    snprintf(midnight, sizeof midnight, "%.10sT00:00:00Z", from != NULL ? from : "");
    if (length == 0 || clock_parse_rfc3339(midnight, &from_ms) != 0)
        return false;
    int skipped = length > PLOT_DAYS_MAX ? (int)(length - PLOT_DAYS_MAX) : 0;
    p->days += skipped;
    p->count = (int)length - skipped;
    p->first_day = from_ms / DAY_MS + skipped;
    p->legend = of != NULL && strcmp(of, "uses") == 0 ? &p->texts->uses : &p->texts->acts;
    for (int kind = 0; kind < KIND_COUNT; kind++)
        read_marks(json_get_string(picture, kinds[kind].key), skipped, p->count, &room,
                   &p->marks[kind]);
    return true;
}

/* The hours that hold all marks, with some room about them. */
static void find_span(struct plot *p)
{
    int low = DAY_MINUTES, high = 0;
    for (int kind = 0; kind < KIND_COUNT; kind++)
        for (size_t i = 0; i < p->marks[kind].count; i++) {
            int minute = p->marks[kind].minutes[i] % DAY_MINUTES;
            low = minute < low ? minute : low;
            high = minute > high ? minute : high;
        }
    low = low > HOUR / 2 ? (low - HOUR / 2) / HOUR * HOUR : 0;
    high = (high + HOUR / 2 + HOUR - 1) / HOUR * HOUR;
    while (high - low < SPAN_MIN) {
        low -= low > 0 ? HOUR : 0;
        high += high < DAY_MINUTES ? HOUR : 0;
    }
    p->low = low;
    p->high = high < DAY_MINUTES ? high : DAY_MINUTES;
}

/* ---- places ---------------------------------------------------------------------------------- */

static double width_of_day(const struct plot *p)
{
    return (double)(RIGHT - LEFT) / p->count;
}

static double x_of_day(const struct plot *p, double day)
{
    return LEFT + day * width_of_day(p);
}

static double y_of_minute(const struct plot *p, int minute)
{
    return TOP + (double)(BOTTOM - TOP) * (minute - p->low) / (p->high - p->low);
}

/* ---- drawing --------------------------------------------------------------------------------- */

static const char *class_of_day(char letter)
{
    return letter == 'h' ? "dh" : letter == '.' ? "dx" : letter == '-' ? "u" : NULL;
}

/* Days of one sort that follow each other are one area. */
static void draw_days(const struct plot *p)
{
    for (int from = 0, to; from < p->count; from = to) {
        for (to = from + 1; to < p->count && p->days[to] == p->days[from]; to++)
            ;
        const char *class = class_of_day(p->days[from]);
        if (class != NULL)
            fprintf(p->out, "<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
                    class, x_of_day(p, from), TOP, (to - from) * width_of_day(p), BOTTOM - TOP);
    }
}

static void draw_hours(const struct plot *p)
{
    int step = HOUR;
    while ((p->high - p->low) / step > TICKS_MAX)
        step += HOUR;
    for (int minute = (p->low + step - 1) / step * step; minute <= p->high; minute += step) {
        double y = y_of_minute(p, minute);
        fprintf(p->out, "<path class=\"g\" d=\"M%d %.1fH%d\"/>", LEFT, y, RIGHT);
        fprintf(p->out, "<text class=\"m\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%02d:00</text>",
                LEFT - 6, y + 4, minute / HOUR);
    }
}

/* How many days lie between two labels: whole weeks, from a Monday on, where there are many. */
static void draw_dates(const struct plot *p)
{
    int weekday = (int)((p->first_day + 3) % 7); /* 0 = Monday; 1970-01-01 was a Thursday */
    int step = (int)ceil(LABEL_WIDTH / width_of_day(p)), first = 0;
    if (p->count >= 14) {
        step = (step + 6) / 7 * 7;
        first = (7 - weekday) % 7;
    }
    for (int day = first; day < p->count; day += step) {
        char date[CLOCK_RFC3339_SIZE];
        clock_format_rfc3339(date, (p->first_day + day) * DAY_MS);
        long month = strtol(date + 5, NULL, 10), of_month = strtol(date + 8, NULL, 10);
        double x = x_of_day(p, day);
        if (x > RIGHT - LABEL_WIDTH + 16)
            break;
        fprintf(p->out,
                "<path class=\"f\" d=\"M%.1f %dv5\"/><text class=\"m\" x=\"%.1f\" y=\"%d\">", x,
                BOTTOM, x + 2, BOTTOM + 15);
        fprintf(p->out, "%ld ", of_month);
        svg_text(p->out, p->texts->months[(unsigned long)(month + 23) % 12], SIZE_MAX);
        fputs("</text>", p->out);
    }
}

static void draw_mark(const struct plot *p, enum kind kind, double x, double y, double width)
{
    if (kinds[kind].shape != NULL)
        fprintf(p->out, "M%.1f %.1f%s", x, y, kinds[kind].shape);
    else
        fprintf(p->out, "M%.1f %.1fh%.1f", x - width / 2, y, width);
}

static void draw_marks(const struct plot *p)
{
    for (int i = 0; i < KIND_COUNT; i++) {
        enum kind kind = drawn_order[i];
        const struct marks *marks = &p->marks[kind];
        if (marks->count == 0)
            continue;
        fprintf(p->out, "<path class=\"%s\" d=\"", kinds[kind].class);
        for (size_t k = 0; k < marks->count; k++)
            draw_mark(p, kind, x_of_day(p, marks->minutes[k] / DAY_MINUTES + 0.5),
                      y_of_minute(p, marks->minutes[k] % DAY_MINUTES), width_of_day(p));
        fputs("\"/>", p->out);
    }
}

/* ---- legend ---------------------------------------------------------------------------------- */

static void draw_heading(const struct plot *p, int x, const char *text)
{
    fprintf(p->out, "<text class=\"b\" x=\"%d\" y=\"%d\">", x, LEGEND_TOP);
    svg_text(p->out, text, SIZE_MAX);
    fputs("</text>", p->out);
}

static void draw_legend_mark(const struct plot *p, int x, int *row, enum kind kind,
                             const char *text)
{
    int y = LEGEND_TOP + ++*row * LEGEND_STEP;
    fprintf(p->out, "<path class=\"%s\" d=\"", kinds[kind].class);
    draw_mark(p, kind, x + 6, y - 4, 12);
    fprintf(p->out, "\"/><text x=\"%d\" y=\"%d\">", x + 18, y);
    svg_text(p->out, text, SIZE_MAX);
    fputs("</text>", p->out);
}

/* The kinds of days that there are, in one line. */
static void draw_legend_days(const struct plot *p)
{
    const struct {
        char letter;
        const char *class, *text;
    } sorts[] = {{'t', "dt", p->texts->learned},
                 {'h', "dh", p->texts->tested},
                 {'.', "dx", p->texts->other},
                 {'-', "u", p->texts->unknown}};
    for (int i = 0, x = MARGIN; i < 4; i++) {
        if (memchr(p->days, sorts[i].letter, (size_t)p->count) == NULL)
            continue;
        fprintf(p->out,
                "<rect class=\"%s k\" x=\"%d\" y=\"%d\" width=\"12\" height=\"10\"/>"
                "<text x=\"%d\" y=\"%d\">",
                sorts[i].class, x, DAYS_LINE - 9, x + 18, DAYS_LINE);
        svg_text(p->out, sorts[i].text, SIZE_MAX);
        fputs("</text>", p->out);
        x += 104;
    }
}

static void draw_legend(const struct plot *p)
{
    const struct plot_legend *l = p->legend;
    int left = 0, right = 0;
    draw_heading(p, MARGIN, l->you);
    draw_legend_mark(p, MARGIN, &left, ACT_HIT, l->you_hit);
    draw_legend_mark(p, MARGIN, &left, ACT_OTHER, l->you_other);
    draw_heading(p, LEGEND_MIDDLE, l->it);
    draw_legend_mark(p, LEGEND_MIDDLE, &right, FIRE_HIT, l->it_hit);
    draw_legend_mark(p, LEGEND_MIDDLE, &right, FIRE_IDLE, l->it_idle);
    draw_legend_mark(p, LEGEND_MIDDLE, &right, FIRE_WRONG, l->it_wrong);
    draw_legend_days(p);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void put_summary(const struct plot *p, FILE *out)
{
    int hits = (int)p->marks[FIRE_HIT].count, idle = (int)p->marks[FIRE_IDLE].count;
    int wrong = (int)p->marks[FIRE_WRONG].count;
    int complete = 0;
    for (int i = 0; i < p->count; i++)
        complete += p->days[i] != '-';
    const struct svg_number numbers[] = {{"{days}", complete}, {"{fires}", hits + idle + wrong},
                                         {"{hits}", hits},     {"{idle}", idle},
                                         {"{wrong}", wrong},   {NULL, 0}};
    svg_text_with(out, p->texts->summary, numbers);
}

static void begin(FILE *out, const char *title)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\" role=\"img\" aria-labelledby=\"l d\"><title id=\"l\">",
            WIDTH, HEIGHT, 2 * WIDTH, 2 * HEIGHT);
    svg_text(out, title, PLOT_TITLE_CHARS);
    fputs("</title><desc id=\"d\">", out);
}

static void draw_panel(FILE *out)
{
    fprintf(out,
            "</desc>%s<rect class=\"p\" x=\".5\" y=\".5\" width=\"%d\" height=\"%d\" rx=\"10\"/>",
            style, WIDTH - 1, HEIGHT - 1);
}

static void draw_title(FILE *out, const char *title)
{
    char *lines[2];
    svg_wrap(title, LINE_CHARS, lines);
    for (int i = 0; i < 2; i++) {
        if (lines[i] != NULL) {
            fprintf(out, "<text class=\"t\" x=\"%d\" y=\"%d\">", MARGIN,
                    (lines[1] != NULL ? 26 : 38) + 18 * i);
            svg_text(out, lines[i], SIZE_MAX);
            fputs("</text>", out);
        }
        free(lines[i]);
    }
}

static void draw_evidence(struct plot *p, const char *title)
{
    begin(p->out, title);
    put_summary(p, p->out);
    draw_panel(p->out);
    draw_title(p->out, title);
    fprintf(p->out, "<text class=\"m\" x=\"%d\" y=\"64\">", MARGIN);
    put_summary(p, p->out);
    fputs("</text>", p->out);
    find_span(p);
    draw_days(p);
    draw_hours(p);
    draw_marks(p);
    fprintf(p->out, "<rect class=\"f\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>", LEFT, TOP,
            RIGHT - LEFT, BOTTOM - TOP);
    draw_dates(p);
    draw_legend(p);
}

/* A panel that says why there is nothing on it. */
static void draw_nothing(FILE *out, const char *title, const char *why)
{
    begin(out, title != NULL ? title : why);
    svg_text(out, why, SIZE_MAX);
    draw_panel(out);
    if (title != NULL)
        draw_title(out, title);
    fprintf(out, "<text class=\"m\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">", WIDTH / 2,
            HEIGHT / 2);
    svg_text(out, why, SIZE_MAX);
    fputs("</text>", out);
}

char *plot_evidence(json_object *picture, const char *title, const struct plot_texts *texts)
{
    struct plot p = {.texts = texts != NULL ? texts : &plot_english};
    char *text = NULL;
    size_t size = 0;
    p.out = open_memstream(&text, &size);
    if (p.out == NULL)
        abort();
    if (title != NULL && read_picture(&p, picture))
        draw_evidence(&p, title);
    else
        draw_nothing(p.out, title, title != NULL ? p.texts->no_picture : p.texts->nothing);
    fputs("</svg>", p.out);
    if (fclose(p.out) != 0)
        abort();
    for (int kind = 0; kind < KIND_COUNT; kind++)
        free(p.marks[kind].minutes);
    return text;
}
