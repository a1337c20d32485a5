/* The tables of HA's recorder, as HA itself makes them. */
#ifndef HA_AI_HOME_RECORDER_SCHEMA_H
#define HA_AI_HOME_RECORDER_SCHEMA_H

#include <stddef.h>

struct recorder_schema {
    int version;                 /* schema_changes.schema_version */
    const char *tables;          /* SQL of all tables but one */
    const char *statistics_meta; /* SQL of that one */
    const char *indexes;         /* SQL; run after the rows are in, which is much faster */
};

/* NULL when the version is not known. */
const struct recorder_schema *recorder_schema_find(int version);

#endif
