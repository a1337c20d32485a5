/* The archive's tables. */
#ifndef HA_AI_STORE_ARCHIVE_SCHEMA_H
#define HA_AI_STORE_ARCHIVE_SCHEMA_H

#include "store/schema.h"

enum { ARCHIVE_APPLICATION_ID = 0x48414152 /* "HAAR" */ };

extern const struct schema schema_archive;

#endif
