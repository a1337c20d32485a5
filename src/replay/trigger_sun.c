/* The sun trigger (components/sun/trigger.py). */
#include <limits.h>
#include <string.h>

#include "replay/engine.h"
#include "replay/parse.h"
#include "stats/sun.h"

static int parse_sun(struct parser *p, json_object *config, struct trigger *t)
{
    static const char *const keys[] = {"event", "offset", NULL};
    if (parse_trigger_keys(p, config, keys) != 0 ||
        parse_sun_event(p, config, "event", &t->is_set) != 0)
        return -1;
    p->automation->needs_location = true;
    return parse_period(p, config, "offset", true, &t->offset_us, NULL);
}

/* Farther than any history, and within an int. */
static int offset_s(const struct trigger *t)
{
    int64_t s = t->offset_us / 1000000;
    return s > INT_MAX ? INT_MAX : s < -INT_MAX ? -INT_MAX : (int)s;
}

static void set_next(struct replay *r, size_t trigger)
{
    const struct trigger *t = &r->automation->triggers[trigger];
    const struct timeline *timeline = r->timeline;
    struct sun_place place = {timeline->latitude, timeline->longitude, timeline->elevation_m};
    int64_t next_ms;
    if (timeline->has_location &&
        sun_event_after(&place, timeline->tz, t->is_set, offset_s(t), r->now_us / 1000, &next_ms))
        engine_set_timer(r, next_ms * 1000, trigger, 0);
}

static void on_sun(struct replay *r, const struct timer *timer)
{
    set_next(r, timer->trigger);
    engine_fire(r, timer->trigger, NULL);
}

/* --- sun.sunrise, sun.sunset of 2026.11 --- */

static int parse_event(struct parser *p, json_object *config, struct trigger *t)
{
    static const char *const keys[] = {"offset", "offset_type", NULL};
    json_object *type = parse_get(config, "offset_type");
    const char *text =
        json_object_is_type(type, json_type_string) ? json_object_get_string(type) : "";
    bool is_before = strcmp(text, "before") == 0;
    p->automation->needs_location = true;
    if (parse_trigger_keys(p, config, keys) != 0 ||
        parse_period(p, config, "offset", true, &t->offset_us, NULL) != 0)
        return -1;
    if (parse_has(config, "offset_type") && !is_before && strcmp(text, "after") != 0)
        return parse_fail_key(p, config, "offset_type", "before or after");
    if (is_before)
        t->offset_us = -t->offset_us;
    t->is_set = t->type == &trigger_sunset;
    return 0;
}

const struct trigger_type trigger_sun = {
    .name = "sun", .parse = parse_sun, .attach = set_next, .on_timer = on_sun};
const struct trigger_type trigger_sunrise = {
    .name = "sun.sunrise", .parse = parse_event, .attach = set_next, .on_timer = on_sun};
const struct trigger_type trigger_sunset = {
    .name = "sun.sunset", .parse = parse_event, .attach = set_next, .on_timer = on_sun};
