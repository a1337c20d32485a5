/* The schema as text: one migration a version, in order. Never change one that was released: add.
 */
#ifndef HA_AI_STORE_SCHEMA_H
#define HA_AI_STORE_SCHEMA_H

enum { SCHEMA_APPLICATION_ID = 0x48414149 /* "HAAI" */ };

extern const char *const schema_migrations[]; /* [i] leads from user_version i to i + 1 */
extern const int schema_version;              /* number of migrations */

#endif
