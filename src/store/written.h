/* What we wrote into HA, as HA reads it back, and what is to be taken back. An automation that is
 * not what stands here is a person's. */
#ifndef HA_AI_STORE_WRITTEN_H
#define HA_AI_STORE_WRITTEN_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

enum { WRITTEN_VERSIONS_MAX = 5 }; /* of one automation; the oldest go */

/* What was written last (depth 0), before that (1), ...: 1 = *out is the caller's, 0 = none, -1. */
int written_get(struct store *store, const char *automation_id, int depth, json_object **out,
                struct error *err);
/* A newer version. It replaces the one before unless that one ran (is_live): only what ran is ever
 * brought back. Replaces an equal one. */
int written_put(struct store *store, const char *automation_id, json_object *content, bool is_live,
                int64_t now_ms, struct error *err);
/* Whether the newest version never ran: what a deployment that failed left in HA, to be taken back.
 * 1, 0, -1. */
int written_has_remains(struct store *store, const char *automation_id, struct error *err);
/* Forgets the newest version: it was taken back. */
int written_drop(struct store *store, const char *automation_id, struct error *err);
/* Forgets all versions. */
int written_erase(struct store *store, const char *automation_id, struct error *err);

/* One that runs and whose label was not put on: 1 = *automation_id is the caller's to free, 0 =
 * none, -1. */
int written_next_unlabelled(struct store *store, char **automation_id, struct error *err);
int written_set_labelled(struct store *store, const char *automation_id, struct error *err);

/* Taking back is asked for here and done when HA can be asked: the wish survives a restart. who may
 * be NULL. Asking twice is asking once. */
int undo_ask(struct store *store, const char *suggestion_id, const char *who, int64_t now_ms,
             struct error *err);
/* The oldest: 1 = *suggestion_id and *who are the caller's to free, 0 = none, -1. */
int undo_next(struct store *store, char **suggestion_id, char **who, struct error *err);
/* Of this one, or of what would have taken its place. */
bool undo_is_asked(struct store *store, const char *suggestion_id);
int undo_end(struct store *store, const char *suggestion_id, struct error *err);

#endif
