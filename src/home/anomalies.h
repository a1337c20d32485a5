/* What is out of the ordinary when a history ends. */
#ifndef HA_AI_HOME_ANOMALIES_H
#define HA_AI_HOME_ANOMALIES_H

#include "home/today.h"

/* Draws a home's anomalies, of the kinds its settings allow; many homes have none. */
void anomalies_draw(struct home *home);

/* Adds them to the uses of a day. (What falls silent, dies; what is missed, does not come.) */
void anomalies_apply(struct today *today);

#endif
