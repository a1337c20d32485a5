#include "home/deployed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/tz.h"
#include "core/xalloc.h"
#include "home/rng.h"
#include "home/streams.h"

/* --- Reading an automation in HA's syntax */

static json_object *first_of(json_object *object, const char *key)
{
    json_object *array = json_get_array(object, key);
    return array && json_object_array_length(array) > 0 ? json_object_array_get_idx(array, 0)
                                                        : NULL;
}

static bool read_clock(const char *text, int *out_s)
{
    int hour, minute, second = 0;
    const bool negative = text[0] == '-';
    if (sscanf(text + negative, "%2d:%2d:%2d", &hour, &minute, &second) < 2)
        return false;
    *out_s = hour * HOUR_S + minute * 60 + second;
    *out_s = negative ? -*out_s : *out_s;
    return true;
}

static int read_trigger(json_object *automation, struct home_deployed *rule, struct error *err)
{
    json_object *trigger = first_of(automation, "triggers");
    const char *at = json_get_string(trigger, "at"), *event = json_get_string(trigger, "event");
    const char *offset = json_get_string(trigger, "offset");
    if (at != NULL && read_clock(at, &rule->at_s))
        return 0;
    rule->by_sun = event != NULL;
    rule->at_sunset = event != NULL && strcmp(event, "sunset") == 0;
    if (rule->by_sun && (offset == NULL || read_clock(offset, &rule->at_s)))
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "a trigger that is neither a time nor the sun");
}

static int read_weekdays(json_object *automation, uint8_t *out, struct error *err)
{
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    json_object *conditions = json_get_array(automation, "conditions");
    json_object *days = json_get_array(first_of(automation, "conditions"), "weekday");
    *out = HOME_ALL_DAYS;
    if (conditions == NULL || json_object_array_length(conditions) == 0)
        return 0;
    if (days == NULL || json_object_array_length(conditions) > 1)
        return error_set(err, ERROR_UNSUPPORTED, "a condition that is not about weekdays");
    *out = 0;
    for (size_t i = 0; i < json_object_array_length(days); i++) {
        const char *day = json_object_get_string(json_object_array_get_idx(days, i));
        for (int d = 0; day != NULL && d < 7; d++)
            if (strcmp(day, names[d]) == 0)
                *out = (uint8_t)(*out | 1u << d);
    }
    return 0;
}

static int read_action(const struct home *home, json_object *automation, struct home_deployed *rule,
                       struct error *err)
{
    json_object *action = first_of(automation, "actions");
    const char *service = json_get_string(action, "action");
    const char *verb = service ? strchr(service, '.') : NULL;
    json_object *target = json_get_object(action, "target");
    const char *entity = json_get_string(target, "entity_id");
    if (entity == NULL && target != NULL)
        entity = json_object_get_string(first_of(target, "entity_id"));
    if (verb == NULL || entity == NULL ||
        (strcmp(verb, ".turn_on") != 0 && strcmp(verb, ".turn_off") != 0))
        return error_set(err, ERROR_UNSUPPORTED, "an action that is no turn_on or turn_off");
    rule->value = strcmp(verb, ".turn_on") == 0 ? HOME_ON : HOME_OFF;
    rule->level =
        (int16_t)json_get_int(json_get_object(action, "data"), "brightness_pct", HOME_NO_LEVEL);
    for (size_t e = 0; e < home->entity_count; e++) {
        if (strcmp(home->entities[e].entity_id, entity) == 0) {
            rule->entity = (uint32_t)e;
            return 0;
        }
    }
    return error_set(err, ERROR_NOT_FOUND, "no entity %.80s in this home", entity);
}

int deployed_read(const struct home *home, json_object *automation, struct home_deployed *out,
                  struct error *err)
{
    if (read_trigger(automation, out, err) < 0 ||
        read_weekdays(automation, &out->weekdays, err) < 0)
        return -1;
    return read_action(home, automation, out, err);
}

/* --- Reading the file */

static int read_rules(struct home *home, json_object *rules, struct error *err)
{
    const size_t count = rules != NULL ? json_object_array_length(rules) : 0;
    if (count > DEPLOYED_MAX)
        return error_set(err, ERROR_LIMIT, "%zu rules, at most %d", count, DEPLOYED_MAX);
    home->deployed = xcalloc(count + 1, sizeof *home->deployed);
    for (size_t i = 0; i < count; i++) {
        json_object *rule = json_object_array_get_idx(rules, i);
        const char *since = json_get_string(rule, "since");
        json_object *automation = json_get_object(rule, "automation");
        int64_t since_ms;
        if (since == NULL || clock_parse_rfc3339(since, &since_ms) != 0)
            return error_set(err, ERROR_INVALID, "rules[%zu].since is no RFC 3339 time", i);
        if (automation == NULL)
            return error_set(err, ERROR_INVALID, "rules[%zu] has no automation", i);
        struct home_deployed *out = &home->deployed[home->deployed_count];
        *out = (struct home_deployed){.since_us = since_ms * 1000};
        if (deployed_read(home, automation, out, err) != 0)
            return error_prefix(err, "rules[%zu]", i);
        home->deployed_count++;
    }
    return 0;
}

static int change_habit(struct home_habit *habit, json_object *change, struct error *err)
{
    const char *kind = json_get_string(change, "kind");
    if (kind != NULL && strcmp(kind, "moved") == 0)
        habit->at_s += 60 * json_get_double(change, "minutes", 0);
    else if (kind != NULL && strcmp(kind, "stopped") == 0)
        habit->to_day = habit->from_day - 1;
    else if (kind != NULL && strcmp(kind, "weekends") == 0)
        habit->weekdays &= HOME_WEEKEND;
    else if (kind != NULL && strcmp(kind, "value") == 0)
        habit->level = (int)json_get_int(change, "level", 50);
    else
        return error_set(err, ERROR_INVALID,
                         "kind: '%.40s' is not moved, stopped, weekends or value",
                         kind != NULL ? kind : "");
    if (habit->level != HOME_NO_LEVEL)
        habit->level_adherence = 1;
    return 0;
}

/* From that day on another habit takes its place. */
static int read_change(struct home *home, json_object *change, struct error *err)
{
    const int64_t index = json_get_int(change, "habit", -1);
    const char *text = json_get_string(change, "day");
    int year, month, day_of_month;
    if (index < 0 || index >= (int64_t)home->habit_count)
        return error_set(err, ERROR_INVALID, "habit: %lld is none of the %zu habits",
                         (long long)index, home->habit_count);
    if (text == NULL || sscanf(text, "%4d-%2d-%2d", &year, &month, &day_of_month) != 3)
        return error_set(err, ERROR_INVALID, "day: '%.40s' is no day such as 2026-11-23",
                         text != NULL ? text : "");
    home->habits = xreallocarray(home->habits, home->habit_count + 1, sizeof *home->habits);
    struct home_habit *before = &home->habits[index], *after = &home->habits[home->habit_count];
    *after = *before;
    after->from_day = tz_days_from_civil(year, month, day_of_month);
    before->to_day = after->from_day - 1;
    home->habit_count++;
    return change_habit(after, change, err);
}

static int read_changes(struct home *home, json_object *changes, struct error *err)
{
    const size_t count = changes != NULL ? json_object_array_length(changes) : 0;
    if (count > DEPLOYED_CHANGES_MAX)
        return error_set(err, ERROR_LIMIT, "%zu changes, at most %d", count, DEPLOYED_CHANGES_MAX);
    for (size_t i = 0; i < count; i++)
        if (read_change(home, json_object_array_get_idx(changes, i), err) != 0)
            return error_prefix(err, "changes[%zu]", i);
    return 0;
}

int deployed_apply(struct home *home, json_object *file, struct error *err)
{
    if (read_rules(home, json_get_array(file, "rules"), err) != 0)
        return -1;
    return read_changes(home, json_get_array(file, "changes"), err);
}

/* --- Its day */

bool deployed_find_second(const struct today *today, const struct home_deployed *rule,
                          double *second)
{
    double base = 0;
    if ((rule->weekdays & 1u << today->weekday) == 0 ||
        (rule->by_sun && !today_find_sun(today, rule->at_sunset, &base)))
        return false;
    *second = base + rule->at_s;
    return today_us(today, *second) >= rule->since_us;
}

/* Somebody is there and awake to see it. */
static bool is_seen(const struct today *today, int64_t time_us)
{
    for (int p = 0; p < today->home->people_count && !today->is_holiday; p++)
        if (today_is_home(today, p, time_us) && time_us >= today->people[p].wake_us &&
            time_us < today->people[p].bed_us)
            return true;
    return false;
}

/* How people are: who bothers to undo, how soon, and how many minutes too early are early enough.
 */
struct mood {
    bool bothers;
    int64_t reaction_us, patience_us, later_us;
};

static struct mood draw_mood(struct rng *rng)
{
    struct mood mood = {.bothers = rng_chance(rng, .85)};
    mood.reaction_us = (int64_t)(rng_between(rng, 20, 450) * 1e6);
    mood.patience_us = (int64_t)(rng_between(rng, 8, 16) * 60e6);
    mood.later_us = (int64_t)(rng_lognormal(rng, 5400, .5) * 1e6);
    return mood;
}

static void react(struct today *today, const struct home_deployed *rule, int64_t time_us,
                  enum home_wish_kind kind, int32_t value, uint64_t use, int level)
{
    const struct home_entity *e = &today->home->entities[rule->entity];
    struct rng rng;
    rng_init(&rng, today->home->seed, STREAM_DEPLOYED, rule->entity, time_us);
    const bool by_switch = kind != WISH_ADJUST && rng_chance(&rng, e->physical_share);
    today_add_wish(today, &(struct home_wish){.time_us = time_us,
                                              .use = use,
                                              .entity = rule->entity,
                                              .value = value,
                                              .habit = -1,
                                              .kind = (uint8_t)kind,
                                              .cause = by_switch ? HOME_BY_SWITCH : HOME_BY_PERSON,
                                              .person = (uint8_t)rng_below(
                                                  &rng, (uint32_t)today->home->people_count),
                                              .level = (int16_t)level});
}

/* The use that is under way at that time, else the next one of the day; -1 = none. */
static int find_use(const struct today *today, uint32_t entity, int64_t time_us)
{
    int best = -1;
    for (size_t i = 0; i < today->use_count; i++) {
        const struct home_use *use = &today->uses[i];
        if (use->entity == entity && !use->is_setting && use->end_us > time_us &&
            (best < 0 || use->begin_us < today->uses[best].begin_us))
            best = (int)i;
    }
    return best;
}

/* It went on. Who wants it on soon is content; who does not switches it off, now or later. */
static void live_with_on(struct today *today, const struct home_deployed *rule, int64_t fire_us,
                         const struct mood *mood)
{
    const int index = find_use(today, rule->entity, fire_us);
    const struct home_use *use = index >= 0 ? &today->uses[index] : NULL;
    const bool is_wanted = use != NULL && use->begin_us <= fire_us + mood->patience_us;
    if (is_wanted) {
        const int level = use->level;
        const int64_t from_us = use->begin_us > fire_us ? use->begin_us : fire_us;
        if (rule->level != HOME_NO_LEVEL && level != HOME_NO_LEVEL &&
            abs(level - rule->level) > 8 && mood->bothers)
            react(today, rule, from_us + mood->reaction_us / 2, WISH_ADJUST, HOME_ON,
                  home_use_id(today, (size_t)index), level);
        return;
    }
    const int64_t at_us = fire_us + mood->reaction_us;
    const bool is_undone = mood->bothers && is_seen(today, at_us);
    react(today, rule, is_undone ? at_us : fire_us + mood->later_us, WISH_UNDO, HOME_OFF, 0,
          HOME_NO_LEVEL);
}

/* It went off under somebody's hands. */
static void live_with_off(struct today *today, const struct home_deployed *rule, int64_t fire_us,
                          const struct mood *mood)
{
    const int index = find_use(today, rule->entity, fire_us);
    if (index < 0 || today->uses[index].begin_us > fire_us ||
        today->uses[index].end_us <= fire_us + mood->patience_us)
        return;
    const int64_t at_us = fire_us + mood->reaction_us;
    if (mood->bothers && is_seen(today, at_us) && at_us < today->uses[index].end_us)
        react(today, rule, at_us, WISH_UNDO, HOME_ON, home_use_id(today, (size_t)index),
              today->uses[index].level);
}

void deployed_collect(struct today *today)
{
    for (size_t r = 0; r < today->home->deployed_count; r++) {
        const struct home_deployed *rule = &today->home->deployed[r];
        double second;
        if (!deployed_find_second(today, rule, &second))
            continue;
        struct rng rng;
        rng_init(&rng, today->home->seed, STREAM_DEPLOYED, r, today->local_day);
        const struct mood mood = draw_mood(&rng);
        const int64_t fire_us = today_us(today, second) + 2500; /* HA's timers are a little late */
        today_add_wish(today, &(struct home_wish){.time_us = fire_us,
                                                  .entity = rule->entity,
                                                  .value = rule->value,
                                                  .habit = -1,
                                                  .kind = WISH_DEPLOYED,
                                                  .cause = HOME_BY_AUTOMATION,
                                                  .level = rule->level});
        if (rule->value == HOME_ON)
            live_with_on(today, rule, fire_us, &mood);
        else
            live_with_off(today, rule, fire_us, &mood);
    }
}
