/* Whether a rule's conditions held at a time, as Home Assistant would have seen it. Pure. */
#ifndef HA_AI_MINE_CONDITIONS_H
#define HA_AI_MINE_CONDITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/history.h"
#include "model/rule.h"

/* When the sun was up, over a whole history. */
struct daylight {
    int64_t *toggle_ms; /* sunrises and sunsets, UTC */
    size_t count;
    bool begins_up; /* before the first of them */
    bool is_known;  /* false without the home's place */
};

void daylight_init(struct daylight *daylight, const struct history *h);
void daylight_release(struct daylight *daylight);
bool daylight_at(const struct daylight *daylight, int64_t time_ms);

/* At time_ms (UTC), what changed at that very instant included. An entity that is absent, or not
 * known, holds nothing; of RULE_SUN_ENTITY and RULE_HOME_ENTITY the daylight and the people tell.
 * Any thread. */
bool condition_holds(const struct history *h, const struct daylight *daylight,
                     const struct rule_condition *condition, int64_t time_ms);

/* As zone.home counts them: the people whose state is `home` at that time (UTC ms), what changed at
 * that very instant included. NAN where the history has no people. */
double conditions_people_home(const struct history *h, int64_t time_ms);

/* All of the rule's conditions but its days of the week. */
bool conditions_hold(const struct history *h, const struct daylight *daylight,
                     const struct rule *rule, int64_t time_ms);

/* Whether conditions of the two rules can never hold at one time: an entity in two states, numbers
 * on either side, times of day apart. */
bool conditions_exclude(const struct rule *a, const struct rule *b);

#endif
