/* The truth about a simulated home: what was planted, and which of it really happened
 * (docs/truth-format.md). */
#ifndef HA_AI_HOME_TRUTH_H
#define HA_AI_HOME_TRUTH_H

#include <json-c/json.h>
#include <stdint.h>

#include "core/error.h"
#include "core/tz.h"
#include "home/plan.h"
#include "home/world.h"

struct truth;

/* Borrows home and tz. The history has the complete local days first_day..last_day. */
struct truth *truth_new(const struct home *home, const struct tz *tz, int64_t first_day,
                        int64_t last_day);
void truth_free(struct truth *truth);

/* What a world's sink hears. */
void truth_note_change(struct truth *truth, const struct home_change *change);
void truth_note_event(struct truth *truth, const struct home_event *event);
void truth_note_occasion(struct truth *truth, const struct home_wish *note);
void truth_note_run(struct truth *truth, int64_t time_us, bool begins, bool clean);

/* Writes the file; arguments (borrowed) go in as they are. */
int truth_write(const struct truth *truth, json_object *arguments, const char *path,
                struct error *err);

#endif
