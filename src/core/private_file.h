/* Files beside our database that nobody else may read. */
#ifndef HA_AI_CORE_PRIVATE_FILE_H
#define HA_AI_CORE_PRIVATE_FILE_H

#include <stdio.h>

#include "core/error.h"

/* A new file of mode 0600, open for writing; what is there already, a link too, is an error. NULL
 * with *err, which names the path. The caller closes it. */
FILE *private_file_create(const char *path, struct error *err);
/* Removes it; a file that is not there is no fault, another one is logged. */
void private_file_remove(const char *path);

#endif
