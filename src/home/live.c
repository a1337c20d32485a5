#include "home/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "home/deployed.h"
#include "home/play.h"
#include "home/recorder_db.h"

#define SECOND_US INT64_C(1000000)

enum { LIVE_SCHEMA = 50, LIVE_PACE_S = 300 };

struct rule {
    char id[96];
    struct home_deployed does;
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
        int64_t at_us = tz_to_utc(live->settings.tz, day, rule->does.at_s) * SECOND_US;
        if ((rule->does.weekdays >> weekday & 1) && at_us > from_us && at_us <= to_us)
            return at_us;
    }
    return INT64_MAX;
}

static void fire(struct live *live, const struct rule *rule, int64_t at_us)
{
    home_player_advance(live->player, at_us);
    if (home_world_command(home_player_world(live->player), at_us, rule->does.entity,
                           rule->does.value))
        live->settings.ran(rule->id, live->home.entities[rule->does.entity].entity_id,
                           rule->does.value == HOME_ON ? "on" : "off", at_us, live->settings.ctx);
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

int live_deploy(struct live *live, const char *automation_id, json_object *automation,
                struct error *err)
{
    struct rule rule = {.id = ""};
    snprintf(rule.id, sizeof(rule.id), "%s", automation_id);
    if (deployed_read(&live->home, automation, &rule.does, err) != 0)
        return -1;
    if (rule.does.by_sun)
        return error_set(err, ERROR_UNSUPPORTED, "a trigger that is not a time");
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
