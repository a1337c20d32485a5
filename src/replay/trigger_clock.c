/* The triggers of the clock: time and time_pattern (components/homeassistant/triggers/time.py,
 * time_pattern.py). */
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "replay/engine.h"
#include "replay/moment.h"
#include "replay/parse.h"

enum { DAY_S = 86400 };

#define SECOND_US INT64_C(1000000)
#define ALL_60 ((UINT64_C(1) << 60) - 1)
#define ALL_24 ((UINT32_C(1) << 24) - 1)

static const char expected_at[] =
    "a time in quotes (\"07:30:00\"), an input_datetime or a sensor, or {entity_id, offset}";

static int64_t floor_second(int64_t us)
{
    return us / SECOND_US - (us % SECOND_US < 0);
}

static bool has_domain(const char *id)
{
    return strncmp(id, "input_datetime.", 15) == 0 || strncmp(id, "sensor.", 7) == 0;
}

/* An entity with an offset is listened to once, however often it is named. */
static void add_at(struct trigger *t, const struct clock_at *at)
{
    size_t i = 0;
    while (i < t->at_count &&
           !(t->at[i].is_entity && at->is_entity && t->at[i].entity == at->entity &&
             t->at[i].offset_us == at->offset_us))
        i++;
    if (i < t->at_count)
        return;
    t->at[t->at_count++] = *at;
    for (i = 0; at->is_entity && i < t->entity_count; i++)
        if (t->entities[i] == at->entity)
            return;
    if (at->is_entity) {
        t->entities = xreallocarray(t->entities, t->entity_count + 1, sizeof *t->entities);
        t->entities[t->entity_count++] = at->entity;
    }
}

static int parse_at(struct parser *p, json_object *value, struct trigger *t)
{
    static const char *const keys[] = {"entity_id", "offset", NULL};
    struct clock_at at = {.is_entity = true};
    if (parse_is_template(value)) {
        parse_note(p, value, NULL, "template for a time", "never fires");
        return 0;
    }
    if (json_object_is_type(value, json_type_object)) {
        if (parse_keys(p, value, keys) != 0 ||
            parse_entity(p, value, "entity_id", &at.entity) != 0 ||
            parse_period(p, value, "offset", true, &at.offset_us, NULL) != 0)
            return -1;
        if (!has_domain(parse_entity_id(p, at.entity)))
            return parse_fail_key(p, value, "entity_id", expected_at);
        add_at(t, &at);
        return 0;
    }
    if (!json_object_is_type(value, json_type_string))
        return parse_fail(p, value, expected_at);
    at.second_of_day = parse_clock(json_object_get_string(value));
    at.is_entity = at.second_of_day < 0;
    if (at.is_entity && parse_entity_of(p, value, &at.entity) != 0)
        return p->err->code == ERROR_LIMIT ? -1 : parse_fail(p, value, expected_at);
    if (at.is_entity && !has_domain(parse_entity_id(p, at.entity)))
        return parse_fail(p, value, expected_at);
    add_at(t, &at);
    return 0;
}

static int parse_time(struct parser *p, json_object *config, struct trigger *t)
{
    static const char *const keys[] = {"at", "weekday", NULL};
    json_object *list = parse_get(config, "at");
    if (parse_trigger_keys(p, config, keys) != 0 ||
        parse_weekdays(p, config, "weekday", &t->weekdays) != 0)
        return -1;
    if (!parse_has(config, "weekday"))
        t->weekdays = 0x7F;
    size_t count = parse_list_length(list);
    if (!parse_has(config, "at"))
        return parse_fail_key(p, config, "at", expected_at);
    if (count > PARSE_LIST_MAX)
        return error_set(p->err, ERROR_LIMIT, "%s.at: more than %d times", p->path, PARSE_LIST_MAX);
    t->at = xcalloc(count, sizeof *t->at);
    size_t mark = parse_enter_key(p, "at");
    int result = 0;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = parse_at(p, parse_list_at(list, i), t);
    parse_leave(p, mark);
    return result;
}

static int64_t next_us(const struct replay *r, const struct wall_pattern *pattern, int64_t after_us)
{
    const struct tz *tz = r->timeline->tz;
    struct wall now = wall_from_utc(tz, floor_second(after_us));
    struct wall next = wall_next_match(tz, now, pattern);
    return wall_to_utc(tz, next) * SECOND_US + REPLAY_SPREAD_US;
}

static void set_clock(struct replay *r, size_t trigger, size_t index, int second_of_day,
                      int64_t after_us)
{
    struct wall_pattern pattern = {.seconds = UINT64_C(1) << second_of_day % 60,
                                   .minutes = UINT64_C(1) << second_of_day / 60 % 60,
                                   .hours = UINT32_C(1) << second_of_day / 3600};
    struct slot *slot = engine_slot(r, trigger, index);
    slot->second_of_day = second_of_day;
    slot->timer = engine_set_timer(r, next_us(r, &pattern, after_us), trigger, index);
}

static int second_with_offset(int second_of_day, int64_t offset_us)
{
    int64_t second = (floor_second(second_of_day * SECOND_US + offset_us)) % DAY_S;
    return (int)(second < 0 ? second + DAY_S : second);
}

/* When an entity says that it is time. As HA a wall time is compared with the wall clock. */
static void set_entity(struct replay *r, size_t trigger, size_t index, struct state state)
{
    const struct clock_at *at = &r->automation->triggers[trigger].at[index];
    struct slot *slot = engine_slot(r, trigger, index);
    *slot = (struct slot){.timer = TIMER_NONE, .second_of_day = -1};
    if (state.row == NULL)
        return;
    bool is_input = moment_is_domain(&state, "input_datetime");
    struct moment m = is_input ? moment_of_input_datetime(r, state) : moment_of_sensor(r, state);
    if (m.kind == MOMENT_CLOCK) {
        set_clock(r, trigger, index, second_with_offset(m.second_of_day, at->offset_us), r->now_us);
    } else if (m.kind == MOMENT_WALL && is_input) {
        int64_t wall_us = m.wall.s * SECOND_US + at->offset_us;
        struct wall wall = {floor_second(wall_us), 0};
        int64_t sub_us = wall_us - wall.s * SECOND_US;
        struct wall now = wall_from_utc(r->timeline->tz, floor_second(r->now_us));
        if (wall_us >= now.s * SECOND_US + r->now_us % SECOND_US)
            slot->timer = engine_set_timer(
                r, wall_to_utc(r->timeline->tz, wall) * SECOND_US + sub_us, trigger, index);
    } else if (m.kind == MOMENT_UTC && m.utc_us + at->offset_us > r->now_us) {
        slot->timer = engine_set_timer(r, m.utc_us + at->offset_us, trigger, index);
    }
}

/* An input_datetime that had no attributes of its own when Home Assistant started: it is in the
 * registry only. Home Assistant fails at it (KeyError), and so do all times after it, and whatever
 * the entities say from then on is not heard. */
static bool is_broken(const struct replay *r, size_t entity)
{
    struct state state = engine_first_state(r, entity);
    return state.row != NULL && state.row->attributes >= 0 &&
           moment_is_domain(&state, "input_datetime") && !state_has_attribute(r, state, "has_date");
}

static void attach_time(struct replay *r, size_t trigger)
{
    const struct trigger *t = &r->automation->triggers[trigger];
    size_t count, i = 0;
    for (; i < t->at_count && !(t->at[i].is_entity && is_broken(r, t->at[i].entity)); i++)
        if (t->at[i].is_entity)
            set_entity(r, trigger, i, engine_state(r, t->at[i].entity, r->now_us));
        else
            set_clock(r, trigger, i, t->at[i].second_of_day, r->now_us);
    struct watch *watches = engine_watches(r, trigger, &count);
    for (size_t w = 0; w < count; w++)
        watches[w].is_out = i < t->at_count;
    for (; i < t->at_count; i++)
        *engine_slot(r, trigger, i) = (struct slot){.timer = TIMER_NONE, .second_of_day = -1};
}

static void on_entity(struct replay *r, struct watch *w, const struct change *c)
{
    const struct trigger *t = &r->automation->triggers[w->trigger];
    for (size_t i = 0; i < t->at_count && !w->is_out; i++)
        if (t->at[i].is_entity && t->at[i].entity == w->entity)
            set_entity(r, w->trigger, i, c->to);
}

/* A clock trigger is told with the full second that it means. */
static void fire_on_weekday(struct replay *r, size_t trigger, unsigned weekdays, bool is_clock)
{
    struct tz_local local;
    tz_to_local(r->timeline->tz, floor_second(r->now_us), &local);
    if (is_clock)
        r->event_ms -= r->event_ms % 1000;
    if (weekdays >> local.weekday & 1U)
        engine_fire(r, trigger, NULL);
}

static void on_time(struct replay *r, const struct timer *timer)
{
    const struct trigger *t = &r->automation->triggers[timer->trigger];
    struct slot *slot = engine_slot(r, timer->trigger, timer->detail);
    if (slot->timer != timer->order)
        return; /* the entity says another time now */
    slot->timer = TIMER_NONE;
    bool is_clock = slot->second_of_day >= 0;
    if (is_clock)
        set_clock(r, timer->trigger, timer->detail, slot->second_of_day, r->now_us + SECOND_US);
    fire_on_weekday(r, timer->trigger, t->weekdays, is_clock);
}

const struct trigger_type trigger_time = {.name = "time",
                                          .parse = parse_time,
                                          .attach = attach_time,
                                          .on_change = on_entity,
                                          .on_timer = on_time};

/* --- time_pattern --- */

/* "*", "/5" or a number as bits; 0 with *err. */
static uint64_t parse_unit(struct parser *p, json_object *config, const char *key, int max)
{
    json_object *value = parse_get(config, key);
    bool is_text = json_object_is_type(value, json_type_string);
    const char *text = is_text ? json_object_get_string(value) : "";
    bool is_step = text[0] == '/';
    double number = -1;
    uint64_t bits = 0;
    if (is_text && !parse_whole_number(text + is_step, &number))
        number = -1;
    else if (json_object_is_type(value, json_type_int) ||
             json_object_is_type(value, json_type_double))
        number = json_object_get_double(value);
    if (number >= 0 && number <= max && !(is_step && number < 1)) {
        for (int i = 0; i <= max; i++)
            if (is_step ? i % (int)number == 0 : i == (int)number)
                bits |= UINT64_C(1) << i;
        return bits;
    }
    parse_fail_key(p, config, key, "\"*\", \"/\" and a number, or a number within the unit");
    return 0;
}

static int parse_pattern(struct parser *p, json_object *config, struct trigger *t)
{
    static const struct {
        const char *key;
        int max;
    } units[] = {{"hours", 23}, {"minutes", 59}, {"seconds", 59}};
    static const char *const keys[] = {"hours", "minutes", "seconds", NULL};
    uint64_t bits[3] = {ALL_24, ALL_60, ALL_60};
    bool is_given = false, is_narrow = false;
    if (parse_trigger_keys(p, config, keys) != 0)
        return -1;
    for (int i = 0; i < 3; i++) {
        json_object *value = parse_get(config, units[i].key);
        bool is_any = json_object_is_type(value, json_type_string) &&
                      strcmp(json_object_get_string(value), "*") == 0;
        if (!parse_has(config, units[i].key)) {
            /* Smaller units than those that are given are 0. */
            if (is_given)
                bits[i] = 1, is_narrow = true;
            continue;
        }
        is_given = true;
        if (is_any)
            continue;
        is_narrow = true;
        bits[i] = parse_unit(p, config, units[i].key, units[i].max);
        if (bits[i] == 0)
            return -1;
    }
    if (!is_given)
        return parse_fail(p, config, "hours, minutes or seconds");
    t->pattern =
        (struct wall_pattern){.hours = (uint32_t)bits[0], .minutes = bits[1], .seconds = bits[2]};
    t->is_every_second = !is_narrow;
    return 0;
}

static void set_pattern(struct replay *r, size_t trigger, int64_t after_us)
{
    const struct trigger *t = &r->automation->triggers[trigger];
    if (t->is_every_second) /* no pattern, but an interval from now on */
        engine_set_timer(r, r->now_us + SECOND_US, trigger, 0);
    else
        engine_set_timer(r, next_us(r, &t->pattern, after_us), trigger, 0);
}

static void attach_pattern(struct replay *r, size_t trigger)
{
    set_pattern(r, trigger, r->now_us);
}

static void on_pattern(struct replay *r, const struct timer *timer)
{
    set_pattern(r, timer->trigger, r->now_us + SECOND_US);
    bool is_clock = !r->automation->triggers[timer->trigger].is_every_second;
    fire_on_weekday(r, timer->trigger, 0x7F, is_clock);
}

const struct trigger_type trigger_time_pattern = {.name = "time_pattern",
                                                  .parse = parse_pattern,
                                                  .attach = attach_pattern,
                                                  .on_timer = on_pattern};
