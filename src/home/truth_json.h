/* Parts of the truth as JSON. All keys are static. */
#ifndef HA_AI_HOME_TRUTH_JSON_H
#define HA_AI_HOME_TRUTH_JSON_H

#include <json-c/json.h>
#include <stdint.h>

#include "home/plan.h"

/* RFC 3339, UTC; key NULL: to an array. */
void truth_add_time(json_object *obj, const char *key, int64_t time_us);

/* "HH:MM:SS" of a second of the day. */
void truth_add_clock(json_object *obj, const char *key, double second_of_day);

/* "YYYY-MM-DD" of a local day; key NULL: to an array. */
void truth_add_date(json_object *obj, const char *key, int64_t day);

/* entity_id and state: what an act is about, or a trigger. The state of what is set is null. */
json_object *truth_half(const struct home_entity *entity, int32_t word);

/* An array of an entity's id and those of all that act as one with it; NULL: it acts alone. */
json_object *truth_members(const struct home *home, const struct home_entity *entity);

#endif
