/* Scenes: what their state tells. Pure. */
#ifndef HA_AI_SOURCE_SCENE_H
#define HA_AI_SOURCE_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a row (UTC ms) of a scene tells that it was activated at that moment. Its state is the
 * time of its last activation: one that lies further back is what Home Assistant restored. */
bool scene_was_activated(const char *state, size_t length, int64_t time_ms);

#endif
