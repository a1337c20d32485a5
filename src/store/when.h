/* When a habit happens, as far as it is about which result of an analysis is which known habit.
 * Pure. */
#ifndef HA_AI_STORE_WHEN_H
#define HA_AI_STORE_WHEN_H

#include <json-c/json.h>
#include <stdbool.h>

enum { WHEN_EVERY_DAY = 0x7f, WHEN_NO_TIME = -1 };

struct when {
    int second;              /* of the local day; WHEN_NO_TIME = none or not known */
    bool is_sun;             /* then WHEN_NO_TIME means not known */
    unsigned days;           /* bit 0 = Monday */
    const char *entity, *to; /* of a state trigger, borrowed from the content; else NULL */
};

/* From a suggestion's automation in Home Assistant's syntax; a sun trigger's time from its rule. */
struct when when_of(json_object *content);

/* How unlike two times of one habit are, in seconds; -1 = not the same habit. */
int when_distance(const struct when *a, const struct when *b);

/* Whether so much has changed that it is told. */
bool when_has_changed(const struct when *now, const struct when *said);

#endif
