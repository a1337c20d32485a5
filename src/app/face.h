/* A face shows the service to somebody: device/ to Home Assistant, web/ to people and machines.
 * The app keeps the facts and sets change bits; the faces pull. */
#ifndef HA_AI_APP_FACE_H
#define HA_AI_APP_FACE_H

#include <json-c/json.h>
#include <stdbool.h>

#include "core/error.h"

struct app;
struct inbox_message;

enum app_change {
    APP_CHANGED_FACTS = 1 << 0,     /* anything in app_facts() */
    APP_CHANGED_CONNECTED = 1 << 1, /* the broker connection came up (session new or not) */
    APP_CHANGED_HA = 1 << 2,        /* HA's version or reachability */
};

struct face {
    const char *name;
    /* Reads its files and joins the loop; no traffic yet. NULL with *err = the service does not
     * start. */
    void *(*start)(struct app *app, struct error *err);
    void (*changed)(void *face, unsigned changes); /* enum app_change bits; may be NULL */
    /* A message on one of the topics that the face subscribed to. True when it was the face's. */
    bool (*message)(void *face, const struct inbox_message *message); /* may be NULL */
    void (*stop)(void *face);
};

#endif
