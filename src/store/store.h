/* Our own SQLite database: the spine. Schema and migrations, transactions, small settings.
 * Each thread opens its own struct store on the same path. */
#ifndef HA_AI_STORE_STORE_H
#define HA_AI_STORE_STORE_H

#include <stdbool.h>

#include "core/error.h"

struct store;

enum {
    STORE_BUSY_TIMEOUT_MS = 2000,  /* how long a write waits for the other thread's transaction */
    STORE_SETTING_MAX = 64 * 1024, /* bytes of a value */
};

/* Opens or creates the database (0600 from the first byte, WAL, synchronous=FULL) and its folder
 * (0700), brings its schema up to date. Refuses a file that is no database of ours, a newer schema,
 * a folder that cannot be written, network storage: the message names which. Caller closes. */
struct store *store_open(const char *path, struct error *err);
void store_close(struct store *store);

/* Keeps a second service off the same database: an flock on "<path>.lock", held until the returned
 * descriptor is closed or the process ends. -1 with ERROR_BUSY when another one has it. */
int store_lock(const char *path, struct error *err);

/* Transactions: everything in store/ joins an open one, else is its own. No nesting. A function
 * that fails within one leaves nothing behind; the caller decides whether to roll back. */
int store_begin(struct store *store, struct error *err);
int store_commit(struct store *store, struct error *err);
void store_rollback(struct store *store);
bool store_in_transaction(const struct store *store);

/* Small lasting settings ("daily_analysis", "discovery_removed", "last_analysis").
 * store_get: a copy that the caller frees; NULL when unset. value NULL = unset it. */
char *store_get(struct store *store, const char *key);
int store_set(struct store *store, const char *key, const char *value, struct error *err);

/* Rewrites the file without what was deleted and empties its -wal: deleted is gone. Waits up to
 * wait_ms for others. No transaction may be open. */
int store_compact(struct store *store, int wait_ms, struct error *err);

/* True while the database answers; *err says why not. For /health. After a write has failed it
 * tries one, so that it turns true again by itself. */
bool store_is_healthy(struct store *store, struct error *err);

#endif
