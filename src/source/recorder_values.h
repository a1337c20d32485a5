/* What a row of the recorder tells of an attribute that people set. */
#ifndef HA_AI_SOURCE_RECORDER_VALUES_H
#define HA_AI_SOURCE_RECORDER_VALUES_H

#include "source/attributes.h"
#include "source/recorder.h"

/* Finds attributes by their id, on one connection and thread. */
struct recorder_lookup {
    const struct recorder *recorder;
    sqlite3_stmt *stmt;
};

/* Borrows the recorder. 0, or -1 with *err; release it in either case. */
int recorder_lookup_init(struct recorder_lookup *lookup, const struct recorder *recorder,
                         struct error *err);
void recorder_lookup_release(struct recorder_lookup *lookup);

/* The value (attributes_value) by the statement's present row, which has the state and the
 * attributes_id in these columns; *value NAN = none. 0, or -1 with *err. */
int recorder_value_of_row(const struct recorder_lookup *lookup, sqlite3_stmt *row, int state,
                          int attributes, enum rule_attribute attribute,
                          struct attributes_latest *latest, double *value, struct error *err);

#endif
