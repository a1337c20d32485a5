/* Draws the habits of a home whose entities are there. */
#ifndef HA_AI_HOME_HABITS_H
#define HA_AI_HOME_HABITS_H

#include "core/error.h"
#include "home/plan.h"

/* As many as the home's settings say, of the kinds they allow; devices that get one become
 * habitual. -1 with *err when there is no room for them. */
int habits_draw(struct home *home, struct error *err);

/* Whether a habit or an existing automation is about an entity, or hangs on it. */
bool habits_hang_on(const struct home *home, uint32_t entity);

#endif
