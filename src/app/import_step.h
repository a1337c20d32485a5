/* What `analyze --archive` does first: brings what is new in the history into the archive. */
#ifndef HA_AI_APP_IMPORT_STEP_H
#define HA_AI_APP_IMPORT_STEP_H

#include <stdbool.h>

struct import_step {
    const char *history, *archive; /* paths */
    const char *exclude;           /* or NULL */
    const char *exclude_users;     /* or NULL */
    int days;                      /* ARCHIVE_DAYS */
    void (*progress)(int percent, const char *phase, void *ctx);
    void *progress_ctx;

    bool is_usable;    /* out: the archive is to be analysed, else the history itself */
    char problem[512]; /* out: what failed, to be told; "" = nothing */
};

/* Whatever fails is told in step->problem. The archive is usable all the same when it has anything,
 * or when something was forgotten: the history itself would still tell that. */
void import_step_run(struct import_step *step);

#endif
