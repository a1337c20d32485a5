#include "home/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "home/play.h"
#include "home/recorder_db.h"

#define SECOND_US INT64_C(1000000)

enum { LIVE_SCHEMA = 50, LIVE_PACE_S = 300 };

struct rule {
    char id[96];
    int at_s;
    uint8_t weekdays; /* bit 0 = Monday */
    uint32_t entity;
    int32_t value;
};

struct live {
    struct live_settings settings;
    struct home home;
    struct home_pace pace;
    struct play play;
    struct home_sink sink;
    struct home_player *player;
    struct recorder_db *db;
    struct rule rules[LIVE_RULES_MAX];
    size_t rule_count;
    int64_t now_us;
};

/* A home to show: habits at a time of day alone, that neither change nor pause. */
static int make_home(struct live *live, struct error *err)
{
    const struct live_settings *given = &live->settings;
    struct tz_local end;
    tz_to_local(given->tz, given->end_us / SECOND_US, &end);
    struct home_settings s =
        home_settings_default(given->seed, given->entities, end.day - given->days, end.day - 1);
    s.kinds = 1u << HOME_TIME_OF_DAY;
    s.gates = 1u << HOME_UNGATED;
    s.trouble = 0;
    s.anomalies = 0;
    s.adherence_low = .70;
    s.sigma_high_min = 20;
    return home_init(&live->home, &s, err);
}

struct live *live_new(const char *path, const struct live_settings *settings, struct error *err)
{
    struct live *live = xcalloc(1, sizeof(*live));
    live->settings = *settings;
    live->now_us = settings->end_us;
    live->pace.seconds_per_reading = LIVE_PACE_S;
    if (make_home(live, err) < 0)
        goto failed;
    live->db = recorder_db_create(path, &live->home, LIVE_SCHEMA, err);
    if (live->db == NULL)
        goto failed;
    live->play = (struct play){.home = &live->home,
                               .tz = settings->tz,
                               .first_day = live->home.settings.first_day,
                               .end_us = settings->end_us,
                               .pace = &live->pace};
    recorder_db_bind(live->db, &live->sink);
    live->player = home_player_new(&live->play, &live->sink);
    for (int64_t left = settings->days; left >= 0; left--) {
        if (*settings->stop) {
            error_set(err, ERROR_IO, "interrupted");
            goto failed;
        }
        home_player_advance(live->player, settings->end_us - left * 86400 * SECOND_US);
    }
    if (recorder_db_finish(live->db, settings->end_us, err) < 0)
        goto failed;
    return live;

failed:
    live_free(live);
    return NULL;
}

void live_free(struct live *live)
{
    if (live == NULL)
        return;
    home_player_free(live->player);
    recorder_db_free(live->db);
    home_release(&live->home);
    free(live);
}

/* The first time after from_us and not after to_us at which the rule fires; INT64_MAX = none. */
static int64_t next_fire(const struct live *live, const struct rule *rule, int64_t from_us,
                         int64_t to_us)
{
    struct tz_local from, to;
    tz_to_local(live->settings.tz, from_us / SECOND_US, &from);
    tz_to_local(live->settings.tz, to_us / SECOND_US, &to);
    for (int64_t day = from.day; day <= to.day; day++) {
        int weekday = (int)((day + 3) % 7); /* 1970-01-01 was a Thursday */
        int64_t at_us = tz_to_utc(live->settings.tz, day, rule->at_s) * SECOND_US;
        if ((rule->weekdays >> weekday & 1) && at_us > from_us && at_us <= to_us)
            return at_us;
    }
    return INT64_MAX;
}

static void fire(struct live *live, const struct rule *rule, int64_t at_us)
{
    home_player_advance(live->player, at_us);
    if (home_world_command(home_player_world(live->player), at_us, rule->entity, rule->value))
        live->settings.ran(rule->id, live->home.entities[rule->entity].entity_id,
                           rule->value == HOME_ON ? "on" : "off", at_us, live->settings.ctx);
}

int live_advance(struct live *live, int64_t to_us, struct error *err)
{
    if (to_us <= live->now_us)
        return 0;
    recorder_db_begin(live->db);
    for (;;) {
        const struct rule *first = NULL;
        int64_t first_us = INT64_MAX;
        for (size_t i = 0; i < live->rule_count; i++) {
            int64_t at_us = next_fire(live, &live->rules[i], live->now_us, to_us);
            if (at_us < first_us) {
                first_us = at_us;
                first = &live->rules[i];
            }
        }
        if (first == NULL)
            break;
        for (size_t i = 0; i < live->rule_count; i++) /* several may share a minute */
            if (next_fire(live, &live->rules[i], live->now_us, first_us) == first_us)
                fire(live, &live->rules[i], first_us);
        live->now_us = first_us;
    }
    home_player_advance(live->player, to_us);
    live->now_us = to_us;
    return recorder_db_commit(live->db, err);
}

/* --- Reading an automation in HA's syntax ------------------------------------------------------
 */

static json_object *first_of(json_object *automation, const char *key)
{
    json_object *array = json_get_array(automation, key);
    return array && json_object_array_length(array) > 0 ? json_object_array_get_idx(array, 0)
                                                        : NULL;
}

static int read_weekdays(json_object *automation, uint8_t *out, struct error *err)
{
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    json_object *condition = first_of(automation, "conditions");
    *out = 0x7f;
    if (condition == NULL)
        return 0;
    json_object *days = json_get_array(condition, "weekday");
    if (days == NULL)
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

static int read_action(const struct live *live, json_object *automation, struct rule *rule,
                       struct error *err)
{
    json_object *action = first_of(automation, "actions");
    const char *service = action ? json_get_string(action, "action") : NULL;
    const char *verb = service ? strchr(service, '.') : NULL;
    json_object *target = action ? json_get_object(action, "target") : NULL;
    const char *entity = target ? json_get_string(target, "entity_id") : NULL;
    if (entity == NULL && target != NULL)
        entity = json_object_get_string(first_of(target, "entity_id"));
    if (verb == NULL || entity == NULL ||
        (strcmp(verb, ".turn_on") != 0 && strcmp(verb, ".turn_off") != 0))
        return error_set(err, ERROR_UNSUPPORTED, "an action that is no turn_on or turn_off");
    rule->value = strcmp(verb, ".turn_on") == 0 ? HOME_ON : HOME_OFF;
    for (size_t e = 0; e < live->home.entity_count; e++) {
        if (strcmp(live->home.entities[e].entity_id, entity) == 0) {
            rule->entity = (uint32_t)e;
            return 0;
        }
    }
    return error_set(err, ERROR_NOT_FOUND, "no entity %.80s in this home", entity);
}

int live_deploy(struct live *live, const char *automation_id, json_object *automation,
                struct error *err)
{
    struct rule rule = {0};
    int hour, minute, second = 0;
    json_object *trigger = first_of(automation, "triggers");
    const char *at = trigger ? json_get_string(trigger, "at") : NULL;
    snprintf(rule.id, sizeof(rule.id), "%s", automation_id);
    if (at == NULL || sscanf(at, "%2d:%2d:%2d", &hour, &minute, &second) < 2)
        return error_set(err, ERROR_UNSUPPORTED, "a trigger that is not a time");
    rule.at_s = hour * 3600 + minute * 60 + second;
    if (read_weekdays(automation, &rule.weekdays, err) < 0 ||
        read_action(live, automation, &rule, err) < 0)
        return -1;
    size_t i = 0;
    while (i < live->rule_count && strcmp(live->rules[i].id, rule.id) != 0)
        i++;
    if (i == LIVE_RULES_MAX)
        return error_set(err, ERROR_LIMIT, "the home has %d automations already", LIVE_RULES_MAX);
    live->rules[i] = rule;
    if (i == live->rule_count)
        live->rule_count++;
    return 0;
}
