/* A question to the running service from a command of its own: a client that publishes one message
 * and waits for the answer. Blocks; for the commands of the command line. */
#ifndef HA_AI_DEVICE_ASK_H
#define HA_AI_DEVICE_ASK_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "core/options.h"

/* The service may wait 5 s between two announcements. */
enum { ASK_CONNECT_MS = 10000, ASK_ANSWER_MS = 10000 };

/* By whom such a command is, in its "by". */
#define ASK_BY "command line"

struct ask {
    const char *topic;        /* of the question */
    const char *answer_topic; /* retained messages there are old ones: they answer nothing */
    json_object *body;        /* borrowed; "id", "ts" and "by" are added */
    /* Whether this message is the answer; NULL: any that is not empty. */
    bool (*is_answer)(const char *payload, size_t len, void *ctx);
    void *ctx;
};

/* 0 when it was answered; -1: ERROR_NOT_FOUND when nobody did within ASK_ANSWER_MS (the message
 * expires then: a service that is off does not find it later), else what the broker says. */
int ask_service(const struct ask *ask, const struct options *options, struct error *err);

#endif
