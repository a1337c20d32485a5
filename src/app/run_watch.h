/* What becomes of each run of a deployed automation, from live changes of what it switches. Pure:
 * no clock, no database; what was not seen wholly is never guessed. Values that are set, scenes,
 * locks and players are left to the reviews of the analysis. */
#ifndef HA_AI_APP_RUN_WATCH_H
#define HA_AI_APP_RUN_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ha/ha.h"
#include "model/rule.h"
#include "store/run_outcome.h"

enum {
    RUN_WATCH_RUNS_MAX = 64, /* at once; more are left to the review */
    RUN_WATCH_RULES_MAX = 500,
    RUN_WATCH_EFFECT_MS = 70 * 1000,         /* within so much it has acted */
    RUN_WATCH_UNDONE_MS = 10 * 60 * 1000,    /* who reverses it so soon did not want it */
    RUN_WATCH_PREEMPTED_MS = 60 * 60 * 1000, /* who did it so shortly before did it instead */
    RUN_WATCH_MACHINE_MS = 5 * 1000,         /* until it is known whether an automation did it */
};

struct run_watch_rule {
    const char *automation_id;
    enum rule_verb verb; /* of those before RULE_SWITCHING_COUNT */
    const char *const *entity_ids;
    size_t count;
};

struct run_watch;

struct run_watch_settings {
    void (*on_settled)(const char *automation_id, const char *context_id, enum run_outcome outcome,
                       void *ctx);
    /* Whether an automation's run has this context, as far as is known. */
    bool (*is_machine)(const char *context_id, void *ctx);
    void *ctx;
};

struct run_watch *run_watch_new(const struct run_watch_settings *settings);
void run_watch_free(struct run_watch *watch); /* NULL is fine */

/* What is watched: everything is copied. Runs under way go on. More than RUN_WATCH_RULES_MAX, or
 * what cannot be watched (run_watch_can), is left out. */
void run_watch_set_rules(struct run_watch *watch, const struct run_watch_rule *rules, size_t count);
bool run_watch_can(enum rule_verb verb, const char *entity_id);

/* All times are HA's clock. */
void run_watch_run(struct run_watch *watch, const char *automation_id, const char *context_id,
                   int64_t at_ms);
void run_watch_change(struct run_watch *watch, const struct ha_change *change);
/* Now and then: settles what is due. */
void run_watch_tick(struct run_watch *watch, int64_t now_ms);
/* From now on all changes are seen (again): what was under way is forgotten. */
void run_watch_begin(struct run_watch *watch, int64_t now_ms);
/* Changes are missed from now on. */
void run_watch_end(struct run_watch *watch);

#endif
