/* What people did when an automation would have fired: fires that the replay found, held against
 * the acts of the history by the definitions of docs/backtest-format.md. Pure; any thread. */
#ifndef HA_AI_SUGGEST_HINDSIGHT_H
#define HA_AI_SUGGEST_HINDSIGHT_H

#include <json-c/json.h>

#include "mine/actors.h"
#include "model/timeline.h"
#include "replay/automation.h"
#include "replay/replay.h"
#include "suggest/backtest.h"

enum { HINDSIGHT_TARGETS_MAX = 1000, HINDSIGHT_CAUSES = 3 /* of enum cause */ };

/* What an automation switches first, whatever its triggers and conditions. */
struct hindsight_act {
    char **entity_ids; /* owned; in the order of the configuration, each once */
    size_t count, capacity;
    enum rule_verb verb;
    int64_t delay_ms; /* of the delays before it */
};

/* The first action that turns on or off something that rule_domain_is_switchable knows, beyond
 * branches and loops; a target by area, floor, label or device is looked up in places (sorted).
 * False when there is none. Release it. */
bool hindsight_find_act(json_object *config, const struct timeline *places,
                        struct hindsight_act *out);
void hindsight_act_release(struct hindsight_act *act);

struct hindsight_fire {
    int64_t time_ms;  /* UTC */
    uint32_t trigger; /* index */
    bool is_of_state; /* else of a clock */
    bool ends_use;    /* it switches off what had been on for some time, and for that */
    bool is_approximate;
    enum backtest_outcome outcome; /* if hindsight.is_judged */
    bool has_by;                   /* of a hit or an idle one, when it is known */
    enum cause by;
};

struct hindsight_day {
    bool is_complete;
    int fires, hits, idle, misses, uncovered;
};

struct hindsight {
    bool is_judged;               /* something of the act is in the history */
    struct hindsight_fire *fires; /* by time */
    size_t fire_count;
    int hits, idle, misses, right, wrong;
    size_t acts, uncovered;       /* of people, in the time replayed */
    size_t who[HINDSIGHT_CAUSES]; /* how many of the act's changes each caused then */
    int64_t first_day;            /* local, since 1970-01-01 */
    struct hindsight_day *days;
    size_t day_count;
};

/* What the fires of all automations are held against; borrowed. */
struct hindsight_input {
    struct actor_ground ground;
    int64_t from_ms, to_ms; /* that was replayed, UTC, [from, to) */
};

/* Judges the fires of one automation (copied). act: what hindsight_find_act found; NULL = none. */
void hindsight_judge(const struct hindsight_input *input, const struct automation *automation,
                     const struct replay_fire *fires, size_t count, const struct hindsight_act *act,
                     struct hindsight *out);
void hindsight_release(struct hindsight *hindsight);

/* Complete local days among those replayed. */
size_t hindsight_complete_days(const struct hindsight_input *input);

#endif
