/* The triggers of the clock: time and time_pattern (components/homeassistant/triggers/time.py,
 * time_pattern.py). */
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "replay/engine.h"
#include "replay/parse.h"

enum { SECOND_US = 1000000 };

#define ALL_60 ((UINT64_C(1) << 60) - 1)
#define ALL_24 ((UINT32_C(1) << 24) - 1)

static int64_t floor_second(int64_t us)
{
    return us / SECOND_US - (us % SECOND_US < 0);
}

static int parse_at(struct parser *p, json_object *config, struct trigger *t, size_t index)
{
    static const char expected[] = "a time in quotes (\"07:30:00\")";
    json_object *value = parse_list_at(parse_get(config, "at"), index);
    struct clock_at *at = &t->at[t->at_count];
    if (!json_object_is_type(value, json_type_string))
        return parse_fail_key(p, config, "at", expected);
    at->second_of_day = parse_clock(json_object_get_string(value));
    if (at->second_of_day < 0)
        return parse_fail_key(p, config, "at", expected);
    t->at_count++;
    return 0;
}

static int parse_time(struct parser *p, json_object *config, struct trigger *t)
{
    static const char *const keys[] = {"platform",  "trigger", "id",      "alias", "enabled",
                                       "variables", "at",      "weekday", NULL};
    if (parse_keys(p, config, keys) != 0 || parse_weekdays(p, config, "weekday", &t->weekdays) != 0)
        return -1;
    if (!parse_has(config, "weekday"))
        t->weekdays = 0x7F;
    size_t count = parse_list_length(parse_get(config, "at"));
    if (!parse_has(config, "at"))
        return parse_fail_key(p, config, "at", "a time in quotes (\"07:30:00\")");
    if (count > PARSE_LIST_MAX)
        return error_set(p->err, ERROR_LIMIT, "%s.at: more than %d times", p->path, PARSE_LIST_MAX);
    t->at = xcalloc(count, sizeof *t->at);
    for (size_t i = 0; i < count; i++)
        if (parse_at(p, config, t, i) != 0)
            return -1;
    return 0;
}

static void set_next(struct replay *r, size_t trigger, size_t detail,
                     const struct wall_pattern *pattern, int64_t after_us)
{
    const struct tz *tz = r->timeline->tz;
    struct wall now = wall_from_utc(tz, floor_second(after_us));
    struct wall next = wall_next_match(tz, now, pattern);
    engine_set_timer(r, wall_to_utc(tz, next) * SECOND_US + REPLAY_SPREAD_US, trigger, detail);
}

static struct wall_pattern pattern_of_clock(int second_of_day)
{
    return (struct wall_pattern){.seconds = UINT64_C(1) << second_of_day % 60,
                                 .minutes = UINT64_C(1) << second_of_day / 60 % 60,
                                 .hours = UINT32_C(1) << second_of_day / 3600};
}

static void attach_time(struct replay *r, size_t trigger)
{
    const struct trigger *t = &r->automation->triggers[trigger];
    for (size_t i = 0; i < t->at_count; i++) {
        struct wall_pattern pattern = pattern_of_clock(t->at[i].second_of_day);
        set_next(r, trigger, i, &pattern, r->now_us);
    }
}

/* It is told with the full second that it means. */
static void fire_on_weekday(struct replay *r, size_t trigger, unsigned weekdays)
{
    struct tz_local local;
    tz_to_local(r->timeline->tz, floor_second(r->now_us), &local);
    r->event_ms -= r->event_ms % 1000;
    if (weekdays >> local.weekday & 1U)
        engine_fire(r, trigger, NULL);
}

static void on_time(struct replay *r, const struct timer *timer)
{
    const struct trigger *t = &r->automation->triggers[timer->trigger];
    struct wall_pattern pattern = pattern_of_clock(t->at[timer->detail].second_of_day);
    set_next(r, timer->trigger, timer->detail, &pattern, r->now_us + SECOND_US);
    fire_on_weekday(r, timer->trigger, t->weekdays);
}

const struct trigger_type trigger_time = {
    .name = "time", .parse = parse_time, .attach = attach_time, .on_timer = on_time};
