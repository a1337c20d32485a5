#include "home/recorder_json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/tz.h"

/* Text that grows within a buffer; what does not fit is cut off, and the sizes are such that it
 * fits. */
struct text {
    char *out;
    size_t size, length;
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(t->out + t->length, t->size - t->length, format, args);
    va_end(args);
    if (n > 0)
        t->length += (size_t)n < t->size - t->length ? (size_t)n : t->size - t->length - 1;
}

/* "-12.50" of -1250 with two decimals, as Python prints it: "-12.5". Returns the length. */
static int format_number(char out[16], int32_t value, int decimals)
{
    char digits[16];
    int n = 0, at = 0;
    uint32_t rest = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
    while (rest > 0 || n <= decimals) {
        digits[n++] = (char)('0' + rest % 10);
        rest /= 10;
    }
    int last = 0; /* trailing zeros after the first decimal are not printed */
    while (last < decimals - 1 && digits[last] == '0')
        last++;
    if (value < 0)
        out[at++] = '-';
    for (int i = n - 1; i >= last; i--) {
        out[at++] = digits[i];
        if (i == decimals && decimals > 0)
            out[at++] = '.';
    }
    out[at] = '\0';
    return at;
}

/* As Python's isoformat() has it. */
static int format_stamp(char out[RECORDER_STATE_SIZE], int64_t time_us)
{
    const int64_t day_us = INT64_C(86400) * 1000000;
    const int within_s = (int)(time_us % day_us / 1000000);
    int year, month, day;
    tz_civil_from_days(time_us / day_us, &year, &month, &day);
    return snprintf(out, RECORDER_STATE_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%06d+00:00", year,
                    month % 100, day % 100, within_s / 3600 % 24, within_s / 60 % 60, within_s % 60,
                    (int)(time_us % 1000000));
}

int recorder_format_state(char out[RECORDER_STATE_SIZE], const struct home_entity *entity,
                          const struct home_change *change)
{
    const int32_t value = change->value;
    const bool is_there = value != HOME_UNAVAILABLE && value != HOME_UNKNOWN;
    if (is_there && entity->quantity != NULL)
        return format_number(out, value, entity->quantity->decimals);
    if (is_there && entity->domain == HOME_SCENE)
        return format_stamp(out, change->stamp_us);
    return snprintf(out, RECORDER_STATE_SIZE, "%s",
                    value == HOME_UNAVAILABLE ? "unavailable"
                    : value == HOME_UNKNOWN   ? "unknown"
                                              : home_word_name(entity->domain, value));
}

/* --- Attributes */

bool recorder_tells_level(const struct home_entity *e)
{
    return e->has_level && e->domain != HOME_LIGHT;
}

static void add_level(struct text *t, const struct home_entity *e, int level, int32_t reading)
{
    char now[16];
    switch (e->domain) {
    case HOME_FAN:
        add(t, "\"percentage\":%d,\"percentage_step\":1.0,\"preset_mode\":null,",
            level > 0 ? level : 0);
        break;
    case HOME_MEDIA_PLAYER:
        if (level > 0)
            add(t, "\"volume_level\":%g,\"is_volume_muted\":false,", level / 100.0);
        break;
    case HOME_COVER:
        if (level >= 0)
            add(t, "\"current_position\":%d,", level);
        break;
    case HOME_CLIMATE:
        format_number(now, reading, 1);
        if (level >= 0)
            add(t, "\"current_temperature\":%s,\"temperature\":%d.%d,\"hvac_action\":\"%s\",", now,
                level / 10, level % 10, reading < level ? "heating" : "idle");
        break;
    default:
        break;
    }
}

static void add_members(struct text *t, const struct home *home, uint32_t entity)
{
    for (size_t s = 0; s < home->scene_count; s++) {
        const struct home_scene *scene = &home->scenes[s];
        if (scene->entity != entity)
            continue;
        add(t, "\"entity_id\":[");
        for (int m = 0; m < scene->member_count; m++)
            add(t, "%s\"%s\"", m > 0 ? "," : "", home->entities[scene->members[m]].entity_id);
        add(t, "],");
    }
}

void recorder_format_attributes(char out[RECORDER_JSON_SIZE], const struct home *home,
                                uint32_t entity, int level, int32_t reading)
{
    const struct home_entity *e = &home->entities[entity];
    struct text t = {.out = out, .size = RECORDER_JSON_SIZE};
    add(&t, "{");
    if (e->quantity != NULL)
        add(&t,
            "\"state_class\":\"measurement\",\"unit_of_measurement\":\"%s\","
            "\"device_class\":\"%s\",",
            e->quantity->unit, e->quantity->device_class);
    if (recorder_tells_level(e))
        add_level(&t, e, level, reading);
    if (e->domain == HOME_SCENE)
        add_members(&t, home, entity);
    if (e->domain == HOME_INPUT_SELECT) {
        add(&t, "\"options\":[");
        for (int o = 0; o < HOME_OPTION_COUNT; o++)
            add(&t, "%s\"%s\"", o > 0 ? "," : "", home_word_name(e->domain, o));
        add(&t, "],");
    }
    if (e->device_class != NULL)
        add(&t, "\"device_class\":\"%s\",", e->device_class);
    add(&t, "\"friendly_name\":\"%s\"}", e->name);
}

/* --- Events */

/* The entities that a call is about: HA's own group of them, or each. */
static void add_targets(struct text *t, const struct home *home, uint32_t entity)
{
    const int index = home->entities[entity].group;
    const struct home_group *g = index >= 0 ? &home->groups[index] : NULL;
    const uint32_t known = g != NULL && g->entity >= 0 ? (uint32_t)g->entity : entity;
    add(t, "\"entity_id\":[\"%s\"", home->entities[known].entity_id);
    for (uint32_t m = 0; g != NULL && g->entity < 0 && m < g->member_count; m++)
        add(t, ",\"%s\"", home->entities[g->first_member + m].entity_id);
    add(t, "]");
}

static const char *service_of(const struct home_event *event, enum home_domain domain)
{
    const bool on = event->value != HOME_OFF;
    if (event->service == HOME_SETS) {
        switch (domain) {
        case HOME_FAN:
            return "set_percentage";
        case HOME_MEDIA_PLAYER:
            return "volume_set";
        case HOME_CLIMATE:
            return "set_temperature";
        case HOME_COVER:
            return event->level == 0     ? "close_cover"
                   : event->level == 100 ? "open_cover"
                                         : "set_cover_position";
        default:
            return "turn_on"; /* a lamp that is on */
        }
    }
    if (domain == HOME_INPUT_SELECT)
        return "select_option";
    if (domain == HOME_LOCK)
        return on ? "unlock" : "lock";
    return on ? "turn_on" : "turn_off";
}

static void add_fields(struct text *t, const struct home_entity *e, const struct home_event *event)
{
    const bool sets = event->service == HOME_SETS;
    const bool whole_way = e->domain == HOME_COVER && (event->level == 0 || event->level == 100);
    if (e->domain == HOME_INPUT_SELECT)
        add(t, ",\"option\":\"%s\"", home_word_name(e->domain, event->value));
    if (event->value == HOME_OFF || !e->has_level || event->level < 0 || whole_way)
        return;
    if (event->service == HOME_IN_SCENE)
        add(t, ",\"brightness\":%d", (int)lrint(event->level * 2.55));
    else if (sets || e->domain == HOME_LIGHT) /* what else is switched on is not asked how */
        add(t, ",\"%s\":%g", home_level_name(e->domain), home_level_value(e->domain, event->level));
    if (event->kelvin > 0)
        add(t, ",\"color_temp_kelvin\":%d", event->kelvin);
}

void recorder_format_call(char out[RECORDER_JSON_SIZE], const struct home *home,
                          const struct home_event *event)
{
    const struct home_entity *e = &home->entities[event->entity];
    struct text t = {.out = out, .size = RECORDER_JSON_SIZE};
    add(&t, "{\"domain\":\"%s\",\"service\":\"%s\",\"service_data\":{", home_domain_name(e->domain),
        service_of(event, e->domain));
    if (event->service == HOME_IN_SCENE)
        add(&t, "\"entity_id\":\"%s\"", e->entity_id);
    else
        add_targets(&t, home, event->entity);
    add_fields(&t, e, event);
    add(&t, "}}");
}

void recorder_format_triggered(char out[RECORDER_JSON_SIZE], const struct home *home,
                               const struct home_event *event)
{
    const struct home_entity *e = &home->entities[event->entity];
    const struct home_rule *rule = &home->rules[event->rule];
    struct text t = {.out = out, .size = RECORDER_JSON_SIZE};
    add(&t, "{\"name\":\"%s\",\"entity_id\":\"%s\",\"source\":\"%s%s\"}", e->name, e->entity_id,
        rule->trigger >= 0 ? "state of " : "time",
        rule->trigger >= 0 ? home->entities[rule->trigger].entity_id : "");
}
