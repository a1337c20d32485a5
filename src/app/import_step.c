#include "app/import_step.h"

#include <stdio.h>

#include "core/log.h"
#include "source/import.h"
#include "store/archive.h"

int import_step_run(struct import_step *step, struct error *err)
{
    struct import_stats stats = {.read = 0};
    struct import_options options = {.exclude = step->exclude,
                                     .days = step->days,
                                     .progress = step->progress,
                                     .progress_ctx = step->progress_ctx};
    step->is_usable = false;
    step->problem[0] = '\0';
    struct archive *archive = archive_open(step->archive, false, err);
    if (archive == NULL) { /* its fault, not the history's: that is still there */
        snprintf(step->problem, sizeof step->problem, "%s", err->message);
        return 0;
    }
    int rc = import_history(step->history, archive, &options, &stats, err);
    step->is_usable = rc == 0 || !archive_is_empty(archive); /* empty: all of it was forgotten */
    archive_close(archive);
    if (rc == 0)
        log_debug("app", "%llu rows read, %llu of them new to the archive",
                  (unsigned long long)stats.read, (unsigned long long)stats.imported);
    if (rc < 0 && !step->is_usable)
        return -1;
    if (rc < 0)
        snprintf(step->problem, sizeof step->problem, "%s", err->message);
    return 0;
}
