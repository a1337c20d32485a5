/* What an automation does that a time or the sun triggered has no parent context: only the event
 * of its run shares its context. So the contexts of all runs are read first. */
#include "source/recorder_cause.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { CONTEXT_ID_SIZE = 16 };

void recorder_cause_init(struct recorder_cause *cause)
{
    id_map_init(&cause->triggers);
    cause->user_count = 0;
}

void recorder_cause_exclude(struct recorder_cause *cause, const char *users)
{
    for (const char *p = users;
         p != NULL && *p != '\0' && cause->user_count < RECORDER_USERS_MAX;) {
        size_t length = strcspn(p, ",");
        unsigned char *user = cause->users[cause->user_count];
        size_t read = 0;
        for (unsigned byte; length == 2 * RECORDER_USER_SIZE && read < RECORDER_USER_SIZE &&
                            sscanf(p + 2 * read, "%2x", &byte) == 1;
             read++)
            user[read] = (unsigned char)byte;
        cause->user_count += read == RECORDER_USER_SIZE;
        p += length + (p[length] == ',');
    }
}

static bool is_excluded(const struct recorder_cause *cause, sqlite3_stmt *stmt, int column)
{
    if (cause->user_count == 0 || sqlite3_column_bytes(stmt, column) != RECORDER_USER_SIZE)
        return false;
    const void *user = sqlite3_column_blob(stmt, column);
    for (size_t i = 0; i < cause->user_count; i++)
        if (memcmp(cause->users[i], user, RECORDER_USER_SIZE) == 0)
            return true;
    return false;
}

void recorder_cause_release(struct recorder_cause *cause)
{
    id_map_release(&cause->triggers);
}

static int64_t fold_context(const void *context_id)
{
    uint64_t half[2];
    memcpy(half, context_id, sizeof half);
    return (int64_t)(half[0] * 0x9E3779B97F4A7C15u ^ half[1]);
}

static int take_trigger(sqlite3_stmt *stmt, void *ctx, struct error *err)
{
    struct recorder_cause *cause = ctx;
    (void)err;
    if (sqlite3_column_type(stmt, 1) == SQLITE_BLOB &&
        sqlite3_column_bytes(stmt, 1) == CONTEXT_ID_SIZE &&
        cause->triggers.count < RECORDER_TRIGGERS_MAX)
        id_map_put(&cause->triggers, fold_context(sqlite3_column_blob(stmt, 1)), 0);
    return 0;
}

int recorder_cause_read(struct recorder_cause *cause, struct recorder *recorder, int64_t since_ms,
                        struct error *err)
{
    static const char sql[] =
        "SELECT event_id, context_id_bin, time_fired_ts FROM events WHERE event_type_id ="
        " (SELECT event_type_id FROM event_types WHERE event_type = 'automation_triggered')"
        " AND (time_fired_ts, event_id) > (?3, ?1) ORDER BY time_fired_ts, event_id LIMIT ?2";
    if (!recorder->has_triggers)
        return 0;
    double since = since_ms == INT64_MIN ? -HUGE_VAL : (double)since_ms / 1000;
    return recorder_read_pages(recorder, sql, since, take_trigger, cause, err);
}

enum cause recorder_cause_of_row(const struct recorder_cause *cause, sqlite3_stmt *stmt, int column)
{
    if (sqlite3_column_bytes(stmt, column + 2) > 0)
        return CAUSE_AUTOMATION;
    if (sqlite3_column_bytes(stmt, column + 1) > 0)
        return is_excluded(cause, stmt, column + 1) ? CAUSE_AUTOMATION : CAUSE_PERSON;
    if (cause->triggers.count > 0 && sqlite3_column_type(stmt, column) == SQLITE_BLOB &&
        sqlite3_column_bytes(stmt, column) == CONTEXT_ID_SIZE &&
        id_map_get(&cause->triggers, fold_context(sqlite3_column_blob(stmt, column))) == 0)
        return CAUSE_AUTOMATION;
    return CAUSE_PHYSICAL;
}
