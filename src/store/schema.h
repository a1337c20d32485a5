/* A schema as text: one migration a version, in order. Never change one that was released: add. */
#ifndef HA_AI_STORE_SCHEMA_H
#define HA_AI_STORE_SCHEMA_H

#include <stdbool.h>

struct schema {
    int application_id;
    const char *const *migrations; /* [i] leads from user_version i to i + 1 */
    int version;                   /* number of migrations */
    bool has_wal;                  /* else a rollback journal: one file at rest */
    const char *pragmas;           /* of every connection */
};

extern const struct schema schema_store; /* the spine: settings, queues, suggestions */

#endif
