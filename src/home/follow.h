/* What follows on something else: sequences, chains, what a scene switches on. */
#ifndef HA_AI_HOME_FOLLOW_H
#define HA_AI_HOME_FOLLOW_H

#include "home/today.h"

/* Draws all of a day that follows on nothing: uses, who is home, who walks where. */
void follow_prepare(struct today *today);

/* After that: adds what follows. */
void follow_collect(struct today *today);

#endif
