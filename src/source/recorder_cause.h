/* Who caused a row of the recorder: a person through Home Assistant, an automation or script, or
 * what has neither user nor parent (a wall switch, a device, a machine's schedule). */
#ifndef HA_AI_SOURCE_RECORDER_CAUSE_H
#define HA_AI_SOURCE_RECORDER_CAUSE_H

#include <sqlite3.h>
#include <stdint.h>

#include "core/error.h"
#include "model/history.h"
#include "source/id_map.h"
#include "source/recorder.h"

enum { RECORDER_TRIGGERS_MAX = 1000000 }; /* runs of automations that are looked at */

enum { RECORDER_USERS_MAX = 200, RECORDER_USER_SIZE = 16 };

struct recorder_cause {
    struct id_map triggers; /* context ids of automations' runs, folded */
    unsigned char users[RECORDER_USERS_MAX][RECORDER_USER_SIZE]; /* who is no evidence */
    size_t user_count;
};

void recorder_cause_init(struct recorder_cause *cause);
void recorder_cause_release(struct recorder_cause *cause);

/* What these users do (ids of 32 hex digits, commas between; NULL = nobody) counts as an
 * automation's from then on: no evidence for a habit. Beyond RECORDER_USERS_MAX they are left out;
 * who makes the list has fewer. */
void recorder_cause_exclude(struct recorder_cause *cause, const char *users);

/* Adds the runs of automations that began at since_ms (UTC) or later; INT64_MIN = all. A run may
 * act long after its begin: leave a margin. The newest beyond RECORDER_TRIGGERS_MAX are left out;
 * a database without events has none. 0, or -1 with *err. */
int recorder_cause_read(struct recorder_cause *cause, struct recorder *recorder, int64_t since_ms,
                        struct error *err);

/* The cause of the statement's present row, whose columns column, column + 1 and column + 2 are
 * context_id_bin, context_user_id_bin and context_parent_id_bin. Any thread, once it is read. */
enum cause recorder_cause_of_row(const struct recorder_cause *cause, sqlite3_stmt *stmt,
                                 int column);

#endif
