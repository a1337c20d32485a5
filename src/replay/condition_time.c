/* The time condition (helpers/condition.py, time). */
#include <string.h>

#include "replay/engine.h"
#include "replay/parse.h"

#define DAY_US INT64_C(86400000000)

static int parse_bound(struct parser *p, json_object *config, const char *key, struct clock_at *at,
                       bool *is_given)
{
    static const char expected[] =
        "a time in quotes (\"07:30:00\"), an input_datetime, a time or a timestamp sensor";
    json_object *value = parse_get(config, key);
    *is_given = parse_has(config, key);
    if (!*is_given)
        return 0;
    if (!json_object_is_type(value, json_type_string))
        return parse_fail_key(p, config, key, expected);
    at->second_of_day = parse_clock(json_object_get_string(value));
    return at->second_of_day >= 0 ? 0 : parse_fail_key(p, config, key, expected);
}

static int parse_time(struct parser *p, json_object *config, struct condition *c)
{
    static const char *const keys[] = {"condition", "alias",   "enabled", "before",
                                       "after",     "weekday", NULL};
    if (parse_keys(p, config, keys) != 0 ||
        parse_bound(p, config, "after", &c->after, &c->has_after) != 0 ||
        parse_bound(p, config, "before", &c->before, &c->has_before) != 0 ||
        parse_weekdays(p, config, "weekday", &c->weekdays) != 0)
        return -1;
    c->has_weekdays = parse_has(config, "weekday");
    if (!c->has_after && !c->has_before && !c->has_weekdays)
        return parse_fail(p, config, "after, before or weekday");
    return 0;
}

static enum verdict check_time(const struct replay *r, const struct condition *c,
                               const struct occasion *o, int64_t now_us)
{
    (void)o;
    struct tz_local local;
    int64_t utc_s = now_us / 1000000;
    tz_to_local(r->timeline->tz, utc_s, &local);
    int64_t now = local.second_of_day * INT64_C(1000000) + now_us % 1000000;
    int64_t after = c->has_after ? c->after.second_of_day * INT64_C(1000000) : 0;
    int64_t before = c->has_before ? c->before.second_of_day * INT64_C(1000000) : DAY_US - 1;
    /* Over midnight it is easier to say when it does not hold. */
    bool holds = after < before ? after <= now && now < before : !(before <= now && now < after);
    if (holds && c->has_weekdays)
        holds = c->weekdays >> local.weekday & 1U;
    return holds ? VERDICT_TRUE : VERDICT_FALSE;
}

const struct condition_type condition_time = {"time", parse_time, check_time};
