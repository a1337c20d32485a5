#include "core/text.h"

#include <stdbool.h>

/* C0, DEL, and C1 (two bytes in UTF-8). */
static bool is_control(const unsigned char *c)
{
    return c[0] < 0x20 || c[0] == 0x7F || (c[0] == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0);
}

size_t text_copy_shown(char *out, size_t size, const char *text)
{
    size_t taken = 0, written = 0;
    while (text[taken] != '\0') {
        const unsigned char *c = (const unsigned char *)text + taken;
        size_t length = 1;
        while ((c[length] & 0xC0) == 0x80)
            length++;
        bool is_shown = !is_control(c);
        if (written + (is_shown ? length : 1) >= size)
            break;
        for (size_t i = 0; i < length && is_shown; i++)
            out[written++] = text[taken + i];
        if (!is_shown)
            out[written++] = '?';
        taken += length;
    }
    out[written] = '\0';
    return taken;
}
