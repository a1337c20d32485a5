/* The sun condition (components/sun/condition.py of 2026.11). Where the sun does not rise or set on
 * a day 2025.4 stumbles: then nothing runs there, whatever the condition. */
#include "replay/engine.h"
#include "replay/parse.h"
#include "stats/sun.h"

static int parse_sun(struct parser *p, json_object *config, struct condition *c)
{
    static const char *const keys[] = {"before", "before_offset", "after", "after_offset", NULL};
    c->has_before = parse_has(config, "before");
    c->has_after = parse_has(config, "after");
    if (parse_condition_keys(p, config, keys) != 0 ||
        (c->has_before && parse_sun_event(p, config, "before", &c->is_before_set) != 0) ||
        (c->has_after && parse_sun_event(p, config, "after", &c->is_after_set) != 0) ||
        parse_period(p, config, "before_offset", true, &c->before_offset_us, NULL) != 0 ||
        parse_period(p, config, "after_offset", true, &c->after_offset_us, NULL) != 0)
        return -1;
    if (!c->has_before && !c->has_after)
        return parse_fail(p, config, "before or after");
    p->automation->needs_location = true;
    return 0;
}

/* Today's event; tomorrow's when today's came yesterday by the local calendar. */
static bool event_of_today(const struct replay *r, bool sets, int64_t today, int64_t *us)
{
    const struct timeline *t = r->timeline;
    struct sun_place place = {t->latitude, t->longitude, t->elevation_m};
    struct tz_local local;
    int64_t ms;
    if (!sun_event_of_date(&place, sets, today, &ms))
        return false;
    tz_to_local(t->tz, ms / 1000, &local);
    if (today > local.day && !sun_event_of_date(&place, sets, today + 1, &ms))
        return false;
    *us = ms * 1000;
    return true;
}

static enum verdict check_sun(const struct replay *r, const struct condition *c,
                              const struct occasion *o, int64_t now_us)
{
    (void)o;
    struct tz_local local;
    int64_t before_us = 0, after_us = 0;
    if (!r->timeline->has_location)
        return VERDICT_EXCEPTION;
    tz_to_local(r->timeline->tz, now_us / 1000000, &local);
    if ((c->has_before && !event_of_today(r, c->is_before_set, local.day, &before_us)) ||
        (c->has_after && !event_of_today(r, c->is_after_set, local.day, &after_us)))
        return VERDICT_FALSE;
    before_us += c->before_offset_us;
    after_us += c->after_offset_us;
    bool holds = (!c->has_before || now_us <= before_us) && (!c->has_after || now_us >= after_us);
    if (c->has_before && c->has_after && !c->is_before_set && c->is_after_set)
        holds = now_us < before_us || now_us > after_us; /* the night */
    return holds ? VERDICT_TRUE : VERDICT_FALSE;
}

const struct condition_type condition_sun = {"sun", parse_sun, check_sun};
