#include "source/scene.h"

#include <stdlib.h>
#include <string.h>

#include "source/recorder.h"

enum {
    STAMP_MAX = 40, /* bytes: "2026-11-23T12:34:56.789012+00:00" */
    NEAR_MS = 1000, /* the row is written at once */
};

/* Cuts off the zone, which is always UTC; false when it is not. */
static bool cut_zone(char *stamp)
{
    static const char *const zones[] = {"+00:00", "Z"};
    size_t length = strlen(stamp);
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        size_t zone = strlen(zones[i]);
        if (length <= zone || strcmp(stamp + length - zone, zones[i]) != 0)
            continue;
        stamp[length - zone] = '\0';
        return true;
    }
    return false;
}

bool scene_was_activated(const char *state, size_t length, int64_t time_ms)
{
    char stamp[STAMP_MAX + 1];
    int64_t stamp_ms;
    if (length > STAMP_MAX)
        return false;
    memcpy(stamp, state, length);
    stamp[length] = '\0';
    return cut_zone(stamp) && recorder_parse_time(stamp, &stamp_ms) == 0 &&
           llabs(time_ms - stamp_ms) <= NEAR_MS;
}
