/* The time condition (helpers/condition.py, time). */
#include <string.h>

#include "replay/engine.h"
#include "replay/moment.h"
#include "replay/parse.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US INT64_C(86400000000)

static int parse_bound(struct parser *p, json_object *config, const char *key, struct clock_at *at,
                       bool *is_given)
{
    static const char expected[] =
        "a time in quotes (\"07:30:00\"), an input_datetime, a time or a sensor";
    json_object *value = parse_get(config, key);
    *is_given = parse_has(config, key);
    if (!*is_given)
        return 0;
    if (!json_object_is_type(value, json_type_string))
        return parse_fail_key(p, config, key, expected);
    at->second_of_day = parse_clock(json_object_get_string(value));
    at->is_entity = at->second_of_day < 0;
    if (!at->is_entity)
        return 0;
    if (parse_entity(p, config, key, &at->entity) != 0)
        return p->err->code == ERROR_LIMIT ? -1 : parse_fail_key(p, config, key, expected);
    const char *id = parse_entity_id(p, at->entity);
    if (strncmp(id, "input_datetime.", 15) != 0 && strncmp(id, "time.", 5) != 0 &&
        strncmp(id, "sensor.", 7) != 0)
        return parse_fail_key(p, config, key, expected);
    return 0;
}

static int parse_time(struct parser *p, json_object *config, struct condition *c)
{
    static const char *const keys[] = {"before", "after", "weekday", NULL};
    if (parse_condition_keys(p, config, keys) != 0 ||
        parse_bound(p, config, "after", &c->after, &c->has_after) != 0 ||
        parse_bound(p, config, "before", &c->before, &c->has_before) != 0 ||
        parse_weekdays(p, config, "weekday", &c->weekdays) != 0)
        return -1;
    c->has_weekdays = parse_has(config, "weekday");
    if (!c->has_after && !c->has_before && !c->has_weekdays)
        return parse_fail(p, config, "after, before or weekday");
    return 0;
}

/* An input_datetime: what it lacks is 23, 59, 59. */
static enum verdict bound_of_input(const struct replay *r, struct state state, int64_t *us)
{
    static const struct {
        const char *name;
        int missing, max;
    } parts[] = {{"hour", 23, 23}, {"minute", 59, 59}, {"second", 59, 59}};
    int64_t second = 0;
    if (state.row->attributes < 0) {
        struct moment m = moment_of_input_datetime(r, state);
        *us = m.second_of_day * SECOND_US;
        return m.kind == MOMENT_NONE ? VERDICT_FALSE : VERDICT_TRUE;
    }
    for (int i = 0; i < 3; i++) {
        json_object *value = state_attribute(r, state, parts[i].name);
        int64_t part = parts[i].missing;
        if (state_has_attribute(r, state, parts[i].name)) {
            if (!json_object_is_type(value, json_type_int))
                return VERDICT_EXCEPTION;
            part = json_object_get_int64(value);
        }
        if (part < 0 || part > parts[i].max)
            return VERDICT_EXCEPTION;
        second = second * 60 + part;
    }
    *us = second * SECOND_US;
    return VERDICT_TRUE;
}

/* VERDICT_TRUE and the time of day, or what the condition ends with. */
static enum verdict read_bound(const struct replay *r, const struct clock_at *at, bool is_before,
                               int64_t now_us, int64_t *us)
{
    *us = at->second_of_day * SECOND_US;
    if (!at->is_entity)
        return VERDICT_TRUE;
    struct state state = engine_state(r, at->entity, now_us);
    if (state.row == NULL)
        return VERDICT_ERROR;
    if (moment_is_domain(&state, "input_datetime"))
        return bound_of_input(r, state, us);
    if (moment_is_domain(&state, "time")) {
        const char *text = state_text(r, state);
        int second = strlen(text) == 8 ? parse_clock(text) : -1;
        *us = second * SECOND_US;
        if (second >= 0)
            return VERDICT_TRUE;
        return is_before || state_is_unknown(r, state) ? VERDICT_FALSE : VERDICT_EXCEPTION;
    }
    struct moment m = moment_of_sensor(r, state);
    if (m.kind == MOMENT_UTC) {
        struct tz_local local;
        tz_to_local(r->timeline->tz, m.utc_us / SECOND_US, &local);
        m.second_of_day = local.second_of_day;
    }
    *us = m.second_of_day * SECOND_US + (m.kind == MOMENT_UTC ? m.utc_us % SECOND_US : 0);
    return m.kind == MOMENT_NONE ? VERDICT_FALSE : VERDICT_TRUE;
}

static enum verdict check_time(const struct replay *r, const struct condition *c,
                               const struct occasion *o, int64_t now_us)
{
    (void)o;
    struct tz_local local;
    int64_t after = 0, before = DAY_US - 1;
    tz_to_local(r->timeline->tz, now_us / SECOND_US, &local);
    int64_t now = local.second_of_day * SECOND_US + now_us % SECOND_US;
    enum verdict verdict = VERDICT_TRUE;
    if (c->has_after)
        verdict = read_bound(r, &c->after, false, now_us, &after);
    if (verdict == VERDICT_TRUE && c->has_before)
        verdict = read_bound(r, &c->before, true, now_us, &before);
    if (verdict != VERDICT_TRUE)
        return verdict;
    /* Over midnight it is easier to say when it does not hold. */
    bool holds = after < before ? after <= now && now < before : !(before <= now && now < after);
    if (holds && c->has_weekdays)
        holds = c->weekdays >> local.weekday & 1U;
    return holds ? VERDICT_TRUE : VERDICT_FALSE;
}

const struct condition_type condition_time = {"time", parse_time, check_time};
