/* Text in an SVG: whatever comes in, what goes out is valid XML. Pure; any thread. */
#ifndef HA_AI_PLOT_SVG_H
#define HA_AI_PLOT_SVG_H

#include <stddef.h>
#include <stdio.h>

/* Writes at most `chars` characters (SIZE_MAX = all) of a text, escaped; what is cut ends in "…".
 * Control characters and what is no UTF-8 become '?'. NULL = nothing. */
void svg_text(FILE *out, const char *text, size_t chars);

struct svg_number {
    const char *name; /* "{days}"; NULL ends a list */
    int value;
};
/* Writes a text of our own with numbers in it, escaped. */
void svg_text_with(FILE *out, const char *text, const struct svg_number *numbers);

/* Breaks a text between words into two lines of about so many columns (a wide character has two);
 * what is longer is cut and ends in "…". lines[1] may be NULL. The caller frees both. */
void svg_wrap(const char *text, size_t columns, char *lines[2]);

#endif
