/* What people set besides on and off: for each device and attribute, the values about which their
 * choices lie are actors of their own, whose acts are these choices. Pure. */
#ifndef HA_AI_MINE_SETTINGS_H
#define HA_AI_MINE_SETTINGS_H

#include "mine/actors.h"

enum {
    SETTINGS_MAX = 8,      /* of one device and attribute: those chosen on the most days */
    SETTINGS_DAYS_MIN = 3, /* training days on which a value was chosen: with fewer it is none, */
    SETTINGS_DAYS_SHARE = 30, /* and one of so many training days */
    /* What is chosen so soon after a device was switched on belongs to that use; the call that
     * switches it on comes a little before its state. */
    SETTINGS_OF_USE_MS = 2 * 60 * 1000,
    SETTINGS_BEFORE_MS = 5 * 1000,
};

/* How far from a value a choice may be that means the same, in the unit of the service's field: a
 * slider is let go near what was meant. */
double settings_tolerance(enum rule_attribute attribute);

/* The state in which that device (index into history.entities) is in use, by its own actor. */
uint16_t settings_state_of_use(const struct actors *actors, size_t entity, const struct history *h);

/* Adds the settings to the actors. Looks only at training days for what values there are. */
void settings_add(struct actors *actors, const struct actor_ground *ground);

#endif
