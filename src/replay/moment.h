/* Times that entities hold: an input_datetime's, a timestamp sensor's, a time entity's. Private to
 * replay/. */
#ifndef HA_AI_REPLAY_MOMENT_H
#define HA_AI_REPLAY_MOMENT_H

#include "replay/engine.h"

enum moment_kind {
    MOMENT_NONE,  /* there is no time in it */
    MOMENT_CLOCK, /* each day: second_of_day */
    MOMENT_WALL,  /* a date and a time of the home's zone, second_of_day too */
    MOMENT_UTC,   /* an instant */
    MOMENT_BROKEN /* Home Assistant stumbles over it */
};

struct moment {
    enum moment_kind kind;
    int second_of_day;
    struct wall wall;
    int64_t utc_us;
};

/* An input_datetime by its attributes, or by its state where those are not known. */
struct moment moment_of_input_datetime(const struct replay *r, struct state state);

/* A sensor of device class timestamp or uptime. */
struct moment moment_of_sensor(const struct replay *r, struct state state);

/* dt_util.parse_datetime: MOMENT_UTC with an offset in it, MOMENT_WALL without. */
struct moment moment_of_text(const char *text);

/* "sensor", "input_datetime", "time": whether the entity is one. */
bool moment_is_domain(const struct state *state, const char *domain);

#endif
