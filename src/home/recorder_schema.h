/* The tables of HA's recorder, as HA itself makes them. */
#ifndef HA_AI_HOME_RECORDER_SCHEMA_H
#define HA_AI_HOME_RECORDER_SCHEMA_H

#include <stddef.h>

struct recorder_schema {
    int version;            /* schema_changes.schema_version */
    const char *ha_version; /* a release that has it */
    const char *tables;     /* SQL */
    const char *indexes;    /* SQL; may be run after the rows are in, which is much faster */
    const char *migrations; /* SQL: rows of migration_changes that a new database has */
};

/* NULL when the version is not known. */
const struct recorder_schema *recorder_schema_find(int version);

#endif
