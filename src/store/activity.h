/* Counts of what was learned and done, for the device. */
#ifndef HA_AI_STORE_ACTIVITY_H
#define HA_AI_STORE_ACTIVITY_H

#include <stdint.h>

#include "store/store.h"

/* Runs of deployed automations from since_ms on (HA's clock), whoever told of them. */
int activity_run_count(struct store *store, int64_t since_ms, int64_t *out, struct error *err);

/* How often something that we did was taken back from since_ms on: steps of the audit that end in
 * `undone`, whoever took it. */
int activity_undo_count(struct store *store, int64_t since_ms, int64_t *out, struct error *err);

/* Habits that the last analyses know: every suggestion but those whose habit is gone, and what is
 * proposed about one that runs (store/proposal.h). */
int activity_habit_count(struct store *store, int64_t *out, struct error *err);

/* Days of which the archive at `path` has something; 0 without a file. Reads, changes nothing. */
int activity_archive_days(const char *path, int64_t *out, struct error *err);

#endif
