/* When would a rule have fired, and is that what the person did anyway? A replay over days, by the
 * definitions of docs/analyze-format.md. Pure. */
#ifndef HA_AI_SUGGEST_BACKTEST_H
#define HA_AI_SUGGEST_BACKTEST_H

#include "mine/acts.h"
#include "mine/days.h"
#include "model/rule.h"

enum {
    BACKTEST_HIT_MS = 15 * 60 * 1000,    /* a hit is an act this near to the fire */
    BACKTEST_RECALL_MS = 60 * 60 * 1000, /* an act this near should have been covered */
};

struct backtest {
    int days; /* of the role and the rule's class */
    int fires;
    int hits;        /* a person's same act within a quarter of an hour; each act serves one fire */
    int idle;        /* no hit, and the target was in that state already: neither right nor wrong */
    int misses;      /* fires that nobody wanted: the rest */
    int act_days;    /* days on which the person did it within the hour around the fire */
    int recall_days; /* of those, days with a hit */
};

/* Replays rules of one entity and verb together (an act belongs to the nearest fire) on the days of
 * a role; out[i] is of rules[i]. acts are the people's acts of that entity and verb. */
void backtest_run(const struct rule *const *rules, size_t count, const struct acts *acts,
                  const struct history_entity *entity, const struct days *days, enum day_role role,
                  struct backtest *out);

/* hits / (hits + misses), hits / act_days; 0 when there is nothing to divide by. */
double backtest_precision(const struct backtest *b);
double backtest_recall(const struct backtest *b);

/* The instant at which HA fires a time trigger on that day (index into days), in UTC ms; INT64_MIN
 * when the clock skips that time on that day: HA then does not fire. */
int64_t backtest_fire_ms(const struct days *days, int day, int second_of_day);

#endif
