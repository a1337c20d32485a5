#include "mqtt/topics.h"

#include "core/xalloc.h"

char *topics_entity(const char *instance, const char *entity, const char *leaf)
{
    return xasprintf("ha-ai/device/%s/%s/%s", instance, entity, leaf);
}

char *topics_availability(const char *instance)
{
    return xasprintf("ha-ai/device/%s/availability", instance);
}

char *topics_owner(const char *instance)
{
    return xasprintf("ha-ai/device/%s/owner", instance);
}

char *topics_discovery(const char *prefix, const char *instance)
{
    return xasprintf("%s/device/%s/config", prefix, instance);
}

char *topics_announce(const char *instance)
{
    return topics_entity(instance, "announce", "set");
}
