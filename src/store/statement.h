/* For the files of store/ alone: prepared statements and the scope of a transaction. */
#ifndef HA_AI_STORE_STATEMENT_H
#define HA_AI_STORE_STATEMENT_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

enum { STORE_STATEMENTS_MAX = 96 };

struct schema;

/* store_open for any schema. readonly: an existing file of exactly this version, nothing is made or
 * changed. */
struct store *store_open_schema(const char *path, const struct schema *schema, bool readonly,
                                struct error *err);
/* For messages. Borrowed, until store_close. */
const char *store_path(const struct store *store);

/* The prepared statement of this SQL (a string literal: the cache compares addresses first), reset
 * and without bindings. NULL with *err. Borrowed; statement_done when its rows were read. */
sqlite3_stmt *statement(struct store *store, const char *sql, struct error *err);
void statement_done(sqlite3_stmt *stmt);

/* One step: 1 = a row, 0 = done, -1 = error. */
int statement_step(struct store *store, sqlite3_stmt *stmt, struct error *err);
/* Steps to the end and resets. 0 or -1. */
int statement_run(struct store *store, sqlite3_stmt *stmt, struct error *err);

/* Binds borrowed text (NULL = SQL NULL); it must live until statement_done. */
void bind_text(sqlite3_stmt *stmt, int index, const char *text);
void bind_int(sqlite3_stmt *stmt, int index, int64_t value);
/* A copy for the caller; NULL for SQL NULL. */
char *column_text(sqlite3_stmt *stmt, int column);

/* All or nothing of several statements, within the caller's transaction or in its own:
 *     int scope = scope_begin(store, err);
 *     return scope < 0 ? -1 : scope_end(store, scope, work(...), err);
 * scope_end gives back the work's result, or -1 when the commit failed. */
enum { SCOPE_NESTED = 0, SCOPE_OWN = 1 };
int scope_begin(struct store *store, struct error *err);
int scope_end(struct store *store, int scope, int rc, struct error *err);

/* Adds to a lasting counter ("outbox_expired"); statistics that outlive their rows. */
int counter_add(struct store *store, const char *name, int64_t n, struct error *err);
int counter_get(struct store *store, const char *name, int64_t *out, struct error *err);

#endif
