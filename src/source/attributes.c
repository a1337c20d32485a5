#define _GNU_SOURCE /* memmem */
#include "source/attributes.h"

#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"

enum { CLASS_MAX = 64 }; /* bytes; Home Assistant's longest has 32 */

char *attributes_device_class(json_object *object)
{
    const char *name = json_get_string(object, "device_class");
    const char *unit = json_get_string(object, "unit_of_measurement");
    if (name == NULL)
        name = json_get_string(object, "original_device_class"); /* the registry's */
    if (name != NULL && name[0] != '\0' && strlen(name) <= CLASS_MAX)
        return xstrdup(name);
    return unit != NULL && strcmp(unit, "lx") == 0 ? xstrdup(ATTRIBUTES_ILLUMINANCE) : NULL;
}

bool attributes_may_be_light(const char *text, size_t length)
{
    static const char *const words[] = {"\"" ATTRIBUTES_ILLUMINANCE "\"", "\"lx\""};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (memmem(text, length, words[i], strlen(words[i])) != NULL)
            return true;
    return false;
}
