/* Timelines and automations for tests of the replay, as they would be written by hand. */
#ifndef MADE_TIMELINE_H
#define MADE_TIMELINE_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "model/timeline.h"
#include "replay/automation.h"
#include "replay/replay.h"

/* "2026-03-28 07:30:00.250" of the timeline's own zone (the first of two) or, with a Z, of UTC. */
static inline int64_t at_ms(const struct tz *zone, const char *text)
{
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0;
    int fields =
        sscanf(text, "%d-%d-%d %d:%d:%d.%d", &year, &month, &day, &hour, &minute, &second, &ms);
    assert_true(fields >= 5);
    int64_t date = tz_days_from_civil(year, month, day);
    int second_of_day = hour * 3600 + minute * 60 + second;
    if (text[strlen(text) - 1] == 'Z')
        return (date * 86400 + second_of_day) * 1000 + ms;
    return tz_to_utc(zone, date, second_of_day) * 1000 + ms;
}

/* A state with attributes as JSON with ' for ", or NULL; state NULL = removed. */
static inline void put_row(struct timeline *t, const char *time, const char *entity_id,
                           const char *state, const char *attributes)
{
    struct error err;
    size_t series;
    uint32_t word = TIMELINE_REMOVED;
    struct timeline_row row = {.time_ms = at_ms(t->tz, time), .attributes = -1};
    assert_int_equal(timeline_add_series(t, entity_id, &series, &err), 0);
    if (state != NULL)
        assert_int_equal(timeline_add_word(t, state, strlen(state), &word, &err), 0);
    if (attributes != NULL) {
        char *json = xstrdup(attributes);
        for (char *c = json; *c != '\0'; c++)
            *c = *c == '\'' ? '"' : *c;
        assert_int_equal(timeline_add_attributes(t, json, strlen(json), &row.attributes, &err), 0);
        assert_true(row.attributes >= 0);
        free(json);
    }
    row.word = word & 0xFFFFFFF;
    assert_int_equal(timeline_add_row(t, series, &row, &err), 0);
}

/* JSON with ' for ". */
static inline json_object *made_json(const char *text)
{
    char *json = xstrdup(text);
    for (char *c = json; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    json_object *object = json_tokener_parse(json);
    if (object == NULL)
        fail_msg("test's own JSON is wrong: %s", json);
    free(json);
    return object;
}

static inline struct automation *made_automation(const char *text)
{
    struct automation *automation = NULL;
    struct error err = {.code = ERROR_NONE};
    json_object *config = made_json(text);
    if (automation_parse(config, &automation, &err) != 0)
        fail_msg("%s: %s", text, err.message);
    json_object_put(config);
    return automation;
}

/* The fires of one automation as "trigger@local time" with a space between; caller frees. */
static inline char *fires_of(const struct timeline *t, const char *text)
{
    struct automation *automation = made_automation(text);
    struct replay_input input = {t, t->from_ms, t->to_ms};
    struct replay_fires fires;
    replay_run(&input, &automation, 1, &fires);
    char *told = xstrdup("");
    for (size_t i = 0; i < fires.count; i++) {
        const struct replay_fire *fire = &fires.list[i];
        struct tz_local local;
        tz_to_local(t->tz, fire->time_ms / 1000, &local);
        char *more =
            xasprintf("%s%s%u@%02d-%02d %02d:%02d:%02d", told, i > 0 ? " " : "", fire->trigger,
                      local.month, local.day_of_month, local.hour, local.minute, local.second);
        if (fire->time_ms % 1000 != 0) {
            char *exact = xasprintf("%s.%03d", more, (int)(fire->time_ms % 1000));
            free(more);
            more = exact;
        }
        free(told);
        told = more;
    }
    replay_fires_release(&fires);
    automation_free(automation);
    return told;
}

static inline void expect_fires(const struct timeline *t, const char *automation,
                                const char *expected)
{
    char *told = fires_of(t, automation);
    if (strcmp(told, expected) != 0)
        fail_msg("%s\n  fires    %s\n  expected %s", automation, told, expected);
    free(told);
}

#endif
