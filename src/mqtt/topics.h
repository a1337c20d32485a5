/* The names of the device's topics: what device/ announces and app/ publishes on.
 * `instance` is the INSTANCE option, `entity` an entity's id. Results are the caller's to free. */
#ifndef HA_AI_MQTT_TOPICS_H
#define HA_AI_MQTT_TOPICS_H

/* "ha-ai/device/<instance>/<entity>/<leaf>"; leaf is "state", "attributes", "event" or "set". */
char *topics_entity(const char *instance, const char *entity, const char *leaf);

/* "ha-ai/device/<instance>/availability": "online" or "offline", retained; the last will. */
char *topics_availability(const char *instance);

/* "ha-ai/device/<instance>/owner": who serves it, retained. */
char *topics_owner(const char *instance);

/* "<prefix>/device/<instance>/config": the discovery message. */
char *topics_discovery(const char *prefix, const char *instance);

/* "ha-ai/device/<instance>/announce/set": `ha-ai discovery announce` asks the service. */
char *topics_announce(const char *instance);

#endif
