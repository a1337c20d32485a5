#include "plot/svg.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"

#define ELLIPSIS "…"

enum { WIDE_FROM = 0x1100 /* Hangul, Chinese, emoji: about two columns each */ };

static size_t length_of_lead(unsigned char lead)
{
    return lead < 0x80             ? 1
           : (lead & 0xe0) == 0xc0 ? 2
           : (lead & 0xf0) == 0xe0 ? 3
           : (lead & 0xf8) == 0xf0 ? 4
                                   : 0;
}

/* What XML 1.0 knows, without what steers a terminal or the direction of writing. */
static bool is_shown(uint32_t c)
{
    return c >= ' ' && !(c >= 0x7f && c < 0xa0) && !(c >= 0xd800 && c < 0xe000) && c != 0xfffe &&
           c != 0xffff && c <= 0x10ffff && !(c >= 0x202a && c <= 0x202e) &&
           !(c >= 0x2066 && c <= 0x2069);
}

/* The character that begins there, and how many bytes it takes; '?' for what cannot be shown. */
static uint32_t next_character(const char *text, size_t *bytes)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = (const unsigned char *)text;
    size_t length = length_of_lead(at[0]);
    *bytes = 1;
    if (length == 0)
        return '?';
    uint32_t c = length == 1 ? at[0] : at[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return '?';
        c = c << 6 | (at[i] & 0x3fU);
    }
    if (c < least[length])
        return '?';
    *bytes = length;
    return is_shown(c) ? c : '?';
}

static void put_character(FILE *out, const char *text, size_t bytes, uint32_t c)
{
    switch (c) {
    case '&':
        fputs("&amp;", out);
        break;
    case '<':
        fputs("&lt;", out);
        break;
    case '>':
        fputs("&gt;", out);
        break;
    case '"':
        fputs("&quot;", out);
        break;
    case '?': /* perhaps in the place of something else */
        fputc('?', out);
        break;
    default:
        fwrite(text, 1, bytes, out);
    }
}

void svg_text(FILE *out, const char *text, size_t chars)
{
    for (size_t bytes; text != NULL && *text != '\0'; text += bytes) {
        if (chars-- == 0) {
            fputs(ELLIPSIS, out);
            return;
        }
        uint32_t c = next_character(text, &bytes);
        put_character(out, text, bytes, c);
    }
}

void svg_text_with(FILE *out, const char *text, const struct svg_number *numbers)
{
    for (size_t bytes; *text != '\0'; text += bytes) {
        const struct svg_number *n = numbers;
        while (n->name != NULL && strncmp(text, n->name, strlen(n->name)) != 0)
            n++;
        if (n->name != NULL) {
            fprintf(out, "%d", n->value);
            bytes = strlen(n->name);
            continue;
        }
        uint32_t c = next_character(text, &bytes);
        put_character(out, text, bytes, c);
    }
}

/* Where a line of so many columns ends: after its last whole word, unless that leaves little. */
static size_t line_length(const char *text, size_t columns)
{
    size_t used = 0, at = 0, blank = 0;
    for (size_t bytes; text[at] != '\0'; at += bytes) {
        uint32_t c = next_character(text + at, &bytes);
        used += c >= WIDE_FROM && !(c >= 0x2000 && c < 0x2e80) ? 2 : 1;
        if (used > columns)
            return blank > at / 2 ? blank : at;
        if (c == ' ')
            blank = at;
    }
    return at;
}

void svg_wrap(const char *text, size_t columns, char *lines[2])
{
    size_t first = line_length(text, columns);
    lines[0] = xstrndup(text, first);
    lines[1] = NULL;
    text += first;
    text += *text == ' ';
    if (*text == '\0')
        return;
    size_t second = line_length(text, columns - 1);
    lines[1] = text[second] == '\0' ? xstrdup(text) : xasprintf("%.*s" ELLIPSIS, (int)second, text);
}
