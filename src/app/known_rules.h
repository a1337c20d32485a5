/* The rules that an analysis is to review (`analyze --known`), as a file beside our database for
 * the time of the analysis. Loop thread only. */
#ifndef HA_AI_APP_KNOWN_RULES_H
#define HA_AI_APP_KNOWN_RULES_H

#include "core/error.h"
#include "store/store.h"

/* Writes those that are on trial, deployed or edited (life_known_rules) into a new file, 0600. Its
 * path (the caller frees), or NULL: there is none, or *err is set (its code is not 0). */
char *known_rules_write(struct store *store, const char *database_path, struct error *err);
/* Removes the file, also what a service that was killed left behind. */
void known_rules_remove(const char *database_path);

#endif
