/* Automations that were deployed to a home: how they are read, when they fire, and how the people
 * live with them. They do not do by hand what is done already, undo what is wrong, and do it at
 * their own time. */
#ifndef HA_AI_HOME_DEPLOYED_H
#define HA_AI_HOME_DEPLOYED_H

#include <json-c/json.h>

#include "core/error.h"
#include "home/plan.h"
#include "home/today.h"

enum { DEPLOYED_MAX = 500, DEPLOYED_CHANGES_MAX = 500, DEPLOYED_FILE_MAX = 16 << 20 };

/* Reads an automation in HA's syntax. Only what a simulated home knows: a time or the sun,
 * a condition on weekdays, turn_on (perhaps with a brightness) and turn_off of one of its entities.
 * -1 names what it does not. */
int deployed_read(const struct home *home, json_object *automation, struct home_deployed *out,
                  struct error *err);

/* Takes what a file says (docs/truth-format.md, "Deployed automations") into a plan: rules from
 * a time on, and habits that change on a day. */
int deployed_apply(struct home *home, json_object *file, struct error *err);

/* Second of the day at which it fires on this day; false when it does not. */
bool deployed_find_second(const struct today *today, const struct home_deployed *rule,
                          double *second);

/* After all uses of the day are known: adds the fires, and what people do about them. */
void deployed_collect(struct today *today);

#endif
