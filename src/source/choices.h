/* What was chosen, out of what an attribute was seen to take. Pure. */
#ifndef HA_AI_SOURCE_CHOICES_H
#define HA_AI_SOURCE_CHOICES_H

#include "model/history.h"

enum {
    CHOICES_SETTLE_MS = 60 * 1000, /* values that follow each other sooner are on the way to one */
};

/* Turns an entity's values, in any order, into those that were chosen, in time order: a value that
 * stays for a minute, or to which others led within less; a cover's where it stops. Its time is
 * when that began. Who chose it: the last on the way who is known, else who began it. Of what rows
 * tell, only what differs from the value before is a choice; of what calls tell, all; the very
 * first is what was in force. The entity's states must be known. */
void choices_settle(const struct history *h, struct history_entity *entity);

#endif
