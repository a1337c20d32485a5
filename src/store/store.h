/* Our own SQLite database: the spine. Schema and migrations, transactions, small settings.
 * Each thread opens its own struct store on the same path. */
#ifndef HA_AI_STORE_STORE_H
#define HA_AI_STORE_STORE_H

#include <stdbool.h>

#include "core/error.h"

struct store;

/* Opens or creates the database (0600 from the first byte, WAL, synchronous=FULL), brings its
 * schema up to date. Refuses a file that is no database, a newer schema, a folder that cannot be
 * written, network storage (named). Caller closes. */
struct store *store_open(const char *path, struct error *err);
void store_close(struct store *store);

/* Transactions: everything below joins an open one, else is its own. No nesting. */
int store_begin(struct store *store, struct error *err);
int store_commit(struct store *store, struct error *err);
void store_rollback(struct store *store);

/* Small lasting settings ("daily_analysis", "discovery_removed", "last_analysis").
 * store_get: a copy that the caller frees; NULL when unset. */
char *store_get(struct store *store, const char *key);
int store_set(struct store *store, const char *key, const char *value, struct error *err);

/* True while the database answers; *err says why not. For /health. */
bool store_is_healthy(struct store *store, struct error *err);

#endif
