#include "source/exclusion.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "source/source.h"

int exclusion_init(struct exclusion *exclusion, const char *list, struct error *err)
{
    static const char separators[] = ", \t\r\n";
    *exclusion = (struct exclusion){.patterns = NULL};
    for (const char *p = list; p != NULL && *p != '\0';) {
        size_t length = strcspn(p, separators);
        if (length > 0 && exclusion->count == SOURCE_EXCLUSIONS_MAX) {
            exclusion_release(exclusion);
            return error_set(err, ERROR_LIMIT, "EXCLUDE: more than %d entries",
                             SOURCE_EXCLUSIONS_MAX);
        }
        if (length > 0) {
            exclusion->patterns = grow_array(exclusion->patterns, exclusion->count,
                                             &exclusion->capacity, sizeof *exclusion->patterns);
            exclusion->patterns[exclusion->count++] = xstrndup(p, length);
        }
        p += length + strspn(p + length, separators);
    }
    return 0;
}

void exclusion_release(struct exclusion *exclusion)
{
    for (size_t i = 0; i < exclusion->count; i++)
        free(exclusion->patterns[i]);
    free(exclusion->patterns);
    *exclusion = (struct exclusion){.patterns = NULL};
}

bool exclusion_matches(const struct exclusion *exclusion, const char *entity_id)
{
    for (size_t i = 0; i < exclusion->count; i++)
        if (fnmatch(exclusion->patterns[i], entity_id, 0) == 0)
            return true;
    return false;
}
