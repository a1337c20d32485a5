/* What HA's recorder has as text: states, attributes, the data of events. */
#ifndef HA_AI_HOME_RECORDER_JSON_H
#define HA_AI_HOME_RECORDER_JSON_H

#include "home/plan.h"
#include "home/world.h"

enum { RECORDER_STATE_SIZE = 40, RECORDER_JSON_SIZE = 1024 };

/* The state of a change; returns its length. */
int recorder_format_state(char out[RECORDER_STATE_SIZE], const struct home_entity *entity,
                          const struct home_change *change);

/* Attributes, field by field in HA's order; what HA does not record is left out. The level may be
 * HOME_NO_LEVEL; the reading counts for climates. */
void recorder_format_attributes(char out[RECORDER_JSON_SIZE], const struct home *home,
                                uint32_t entity, int level, int32_t reading);

/* Whether the attributes of a change depend on its level and reading. */
bool recorder_tells_level(const struct home_entity *entity);

/* Of a call_service event. */
void recorder_format_call(char out[RECORDER_JSON_SIZE], const struct home *home,
                          const struct home_event *event);

/* Of an automation_triggered event. */
void recorder_format_triggered(char out[RECORDER_JSON_SIZE], const struct home *home,
                               const struct home_event *event);

#endif
