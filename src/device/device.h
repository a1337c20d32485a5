/* The face to Home Assistant: announces the entities of discovery/, publishes their states out of
 * the app's facts, and runs the commands that come back. Loop thread only. */
#ifndef HA_AI_DEVICE_DEVICE_H
#define HA_AI_DEVICE_DEVICE_H

#include "app/face.h"

/* Keys in the store: set while the person has removed the device; what HA was told last
 * ({"components": {id: {"platform", "options"}}}). */
#define DEVICE_KEY_REMOVED "discovery_removed"
#define DEVICE_KEY_ANNOUNCED "discovery_announced"

extern const struct face device_face;

#endif
