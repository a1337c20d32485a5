/* When would a rule have fired, and is that what the person did anyway? A replay over days, by the
 * definitions of docs/analyze-format.md. Pure; any thread. */
#ifndef HA_AI_SUGGEST_BACKTEST_H
#define HA_AI_SUGGEST_BACKTEST_H

#include "mine/actors.h"
#include "mine/acts.h"
#include "mine/days.h"
#include "model/history.h"
#include "model/rule.h"
#include "suggest/fires.h"

enum {
    BACKTEST_HIT_MS = 15 * 60 * 1000, /* a hit is an act this near to a time's or the sun's fire */
    BACKTEST_RECALL_MS = 60 * 60 * 1000, /* an act this near should have been covered */
    BACKTEST_STATE_MS = 5 * 60 * 1000,   /* both, for a state's fire */
    BACKTEST_NEIGHBOURS = 8, /* acts on either side that a fire is compared with: the nearest */
};

/* What all rules of one actor are replayed against; borrowed. */
struct backtest_input {
    const struct history *history;
    const struct days *days;
    const struct actor *actor;
    struct fires_book *fires; /* what is replayed is kept there */
};

enum backtest_outcome {
    BACKTEST_HIT,  /* a person's same act near it; each act serves one fire, the nearest */
    BACKTEST_IDLE, /* no hit, and every target that was available was in that state already */
    BACKTEST_MISS, /* a fire that nobody wanted */
};

struct backtest_fire {
    int64_t time_ms; /* UTC */
    size_t rule;     /* index into the rules replayed */
    int day;         /* index into days, of the fire */
    size_t act;      /* of a hit: index into the actor's acts of that verb; else SIZE_MAX */
    enum backtest_outcome outcome;
    bool is_support; /* a hit that speaks for the rule: of a state's, only when it came after */
    bool is_wanted;  /* an act within the recall window belongs to it: no other fire is nearer */
};

struct backtest_fires {
    struct backtest_fire *list; /* in time order */
    size_t count, capacity;
};

/* Replays rules of one actor and verb together (an act belongs to the nearest fire) on the days of
 * a role. Costs O((fires + acts) log(fires + acts)). Release `out`. */
void backtest_replay(const struct backtest_input *input, const struct rule *const *rules,
                     size_t count, enum day_role role, struct backtest_fires *out);
void backtest_fires_release(struct backtest_fires *fires);

/* The two halves of it, for fires that another replay found. A fire of a rule, as a miss: */
void backtest_add_fire(struct backtest_fires *fires, int64_t time_ms, int day, size_t rule);
/* Sorts them and holds them against what the actor's people did. Of the rules only the first one's
 * verb and the triggers' kinds count. */
void backtest_judge(const struct backtest_input *input, const struct rule *const *rules,
                    struct backtest_fires *fires);

/* Whether every target of the actor that was there was in the verb's state just before that time
 * (UTC ms). */
bool backtest_was_in_state(const struct backtest_input *input, enum rule_verb verb,
                           int64_t time_ms);

struct backtest {
    int days; /* of the role and the rule's class; with conditions: those with a fire */
    int fires, hits, idle, misses;
    /* Supporting hits, and what lacks one, by occasion: what a state fires again within
     * BACKTEST_STATE_MS (motion) is the same one, for by then the rule would have acted. */
    int right, wrong;
    int act_days; /* days on which an act belongs to a fire, near enough for recall */
    int hit_days; /* of those, days with a hit */
};

/* The fires of a replay in numbers; out[i] is of rules[i]. */
void backtest_count(const struct backtest_fires *fires, const struct rule *const *rules,
                    size_t count, const struct days *days, enum day_role role,
                    struct backtest *out);

/* Replays and counts. */
void backtest_run(const struct backtest_input *input, const struct rule *const *rules, size_t count,
                  enum day_role role, struct backtest *out);

/* hits / (hits + misses), hit_days / act_days; 0 when there is nothing to divide by. */
double backtest_precision(const struct backtest *b);
double backtest_recall(const struct backtest *b);

#endif
