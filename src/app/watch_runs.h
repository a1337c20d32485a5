/* What becomes of each run of what is deployed. Loop thread only. */
#ifndef HA_AI_APP_WATCH_RUNS_H
#define HA_AI_APP_WATCH_RUNS_H

#include <json-c/json.h>
#include <stdint.h>

#include "core/error.h"
#include "store/suggestions.h"

struct app;

/* Deployed, and those that a person has changed since. */
enum { WATCH_RUNS_STATES = 1 << SUGGESTION_DEPLOYED | 1 << SUGGESTION_EDITED };

void watch_runs_setup(struct app *app);
void watch_runs_teardown(struct app *app); /* after ha_free */

/* Watches what these automations act on (WATCH_RUNS_STATES; borrowed); with app->ha alone. */
void watch_runs_set(struct app *app, const struct suggestion *deployed, size_t count);
void watch_runs_on_websocket(struct app *app); /* it opened or closed */
/* Now and then: settles the runs whose time is over. */
void watch_runs_continue(struct app *app);
/* A run of an automation that is not deployed as we wrote it: kept when a person has changed it. */
void watch_runs_on_theirs(struct app *app, const char *automation_id, const char *context_id,
                          int64_t at_ms);
/* Fills in from an analysis's reviews (NULL = none) what was not seen live. Within its transaction.
 */
int watch_runs_merge(struct app *app, json_object *reviews, struct error *err);

#endif
