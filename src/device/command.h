/* A command that HA (or a person with an MQTT client) sends to an entity: the payload
 * {"id", "ts", "value", "by"}, and whether it may be obeyed. Pure. */
#ifndef HA_AI_DEVICE_COMMAND_H
#define HA_AI_DEVICE_COMMAND_H

#include <json-c/json.h>
#include <stdint.h>

#include "core/error.h"
#include "store/inbox.h"

enum { COMMAND_BY_MAX = 100 /* bytes; a longer one is nobody's id */ };

struct command {
    json_object *payload; /* the whole; owned */
    json_object *value;   /* borrowed from payload; NULL without */
    const char *by;       /* HA's user id, else "mqtt"; borrowed from payload */
    int64_t ts_ms;        /* when it was given, on HA's clock; ha_now_ms where it does not say */
};

/* 0 = obey (release it); -1 = refuse, with the reason for the person: retained, repeated, too
 * large, not JSON, of a wrong type, or older than ttl_ms on HA's clock. */
int command_parse(struct command *out, const struct inbox_message *message, int64_t ha_now_ms,
                  int64_t ttl_ms, struct error *err);
void command_release(struct command *command);

#endif
