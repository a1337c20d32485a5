/* What `analyze --archive` does first: brings what is new in the history into the archive. */
#ifndef HA_AI_APP_IMPORT_STEP_H
#define HA_AI_APP_IMPORT_STEP_H

#include <stdbool.h>

#include "core/error.h"

struct import_step {
    const char *history, *archive; /* paths */
    const char *exclude;           /* or NULL */
    int days;                      /* ARCHIVE_DAYS */
    void (*progress)(int percent, const char *phase, void *ctx);
    void *progress_ctx;

    bool is_usable;    /* out: the archive is to be analysed */
    char problem[512]; /* out: what failed, to be told; "" = nothing */
};

/* 0: analyse the archive if it is usable, else the history itself. -1 with *err: there is neither.
 */
int import_step_run(struct import_step *step, struct error *err);

#endif
