/* Devices that act as one: a group of Home Assistant or of the radio, a scene, one switch with
 * several relays. Only training days decide who belongs together; days after them can only tell
 * that a member is gone. Pure. */
#ifndef HA_AI_MINE_GROUPS_H
#define HA_AI_MINE_GROUPS_H

#include "mine/actors.h"

enum {
    GROUPS_MEMBERS_MAX = 64,   /* of one group; further ones stay alone */
    GROUPS_TOGETHER_MS = 5000, /* members switch within this */
};

/* Adds to actors, which hold one actor for each device, one actor for each group, and gives it the
 * acts of its members that they did together: at least two members, and half of those that were not
 * in that state already. What a member did alone stays with its own actor. */
void groups_gather(struct actors *actors, const struct history *h, const struct days *days);

#endif
