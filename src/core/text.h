/* Text from outside, made fit to be shown. */
#ifndef HA_AI_CORE_TEXT_H
#define HA_AI_CORE_TEXT_H

#include <stddef.h>

/* Copies whole characters (UTF-8) of the text, as many as fit with a NUL, with '?' in place of
 * control characters, which a terminal would obey. How many bytes of it were taken; size > 0. */
size_t text_copy_shown(char *out, size_t size, const char *text);

#endif
