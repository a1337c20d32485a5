/* One service for one INSTANCE on a broker: two would share a client id, topics and a device, and
 * throw each other out for ever. Who serves it says so in a retained message on
 * ha-ai/device/<INSTANCE>/owner, {"boot", "host", "started"}, and says it again when asked
 * ({"ask": ...}, not retained, same topic). Before the first connection of a start we ask, with a
 * client id of our own: an owner that answers is alive, and the start ends. Two that both started
 * while the broker was away find out when one throws the other out. Loop thread only. */
#ifndef HA_AI_APP_OWNER_H
#define HA_AI_APP_OWNER_H

#include "app/state.h"

enum {
    OWNER_STEP_MS = 3000,         /* for each answer of the broker */
    OWNER_ANSWER_MS = 5000,       /* for the answer of an owner that seems to be online */
    OWNER_GIVE_UP_MS = 15 * 1000, /* for all of it: a name server may hang */
    OWNER_PAYLOAD_MAX = 4096,
};

/* Asks in a thread of its own, then starts the connection: mqtt_start, or the loop stops with
 * app->exit_code 2 and the reason in the log. A broker that is away is no reason to wait. */
int owner_start(struct app *app, struct error *err);
void owner_stop(struct app *app);

/* Another client took over our id: an owner that answers ends this service as it would its start;
 * whoever else it was, the connection comes back by itself. */
void owner_ask_again(struct app *app);

/* Somebody asks who is there. True when the message was one of the owner's topic. */
bool owner_on_message(struct app *app, const struct inbox_message *message);

#endif
