/* The sun trigger (components/sun/trigger.py). */
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

static void set_next(struct replay *r, size_t trigger)
{
    const struct trigger *t = &r->automation->triggers[trigger];
    const struct timeline *timeline = r->timeline;
    struct sun_place place = {timeline->latitude, timeline->longitude, timeline->elevation_m};
    int64_t next_ms;
    if (timeline->has_location &&
        sun_event_after(&place, timeline->tz, t->is_set, (int)(t->offset_us / 1000000),
                        r->now_us / 1000, &next_ms))
        engine_set_timer(r, next_ms * 1000, trigger, 0);
}

static void on_sun(struct replay *r, const struct timer *timer)
{
    set_next(r, timer->trigger);
    engine_fire(r, timer->trigger, NULL);
}

const struct trigger_type trigger_sun = {
    .name = "sun", .parse = parse_sun, .attach = set_next, .on_timer = on_sun};
