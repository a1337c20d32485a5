/* What people choose besides on and off: of some domains the rows tell it. */
#include "source/recorder_values.h"

#include <math.h>

int recorder_lookup_init(struct recorder_lookup *lookup, const struct recorder *recorder,
                         struct error *err)
{
    static const char sql[] = "SELECT shared_attrs FROM state_attributes WHERE attributes_id = ?1";
    *lookup = (struct recorder_lookup){.recorder = recorder};
    return sqlite3_prepare_v2(recorder->db, sql, -1, &lookup->stmt, NULL) == SQLITE_OK
               ? 0
               : recorder_error(recorder, err);
}

void recorder_lookup_release(struct recorder_lookup *lookup)
{
    sqlite3_finalize(lookup->stmt);
    lookup->stmt = NULL;
}

/* The number in the attributes of that id; one that is too large to load has none. 0 or -1. */
static int find_number(const struct recorder_lookup *lookup, int64_t id,
                       enum rule_attribute attribute, double *number, struct error *err)
{
    sqlite3_stmt *stmt = lookup->stmt;
    *number = NAN;
    sqlite3_bind_int64(stmt, 1, id);
    int rc = sqlite3_step(stmt), result = 0;
    if (rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) == SQLITE_TEXT)
        *number = attributes_number(attribute, (const char *)sqlite3_column_text(stmt, 0),
                                    (size_t)sqlite3_column_bytes(stmt, 0));
    else if (rc != SQLITE_ROW && rc != SQLITE_DONE && rc != SQLITE_TOOBIG)
        result = recorder_error(lookup->recorder, err);
    sqlite3_reset(stmt);
    return result;
}

int recorder_value_of_row(const struct recorder_lookup *lookup, sqlite3_stmt *row, int state,
                          int attributes, enum rule_attribute attribute,
                          struct attributes_latest *latest, double *value, struct error *err)
{
    int64_t id = sqlite3_column_int64(row, attributes); /* NULL = 0 */
    const char *text = sqlite3_column_type(row, state) == SQLITE_TEXT
                           ? (const char *)sqlite3_column_text(row, state)
                           : NULL;
    if (id != latest->id || id == 0) {
        latest->id = id;
        if (find_number(lookup, id, attribute, &latest->number, err) != 0)
            return -1;
    }
    *value = attributes_value(attribute, text, latest->number);
    return 0;
}
