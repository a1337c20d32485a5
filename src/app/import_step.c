#include "app/import_step.h"

#include <stdio.h>

#include "core/log.h"
#include "source/import.h"
#include "store/archive.h"

void import_step_run(struct import_step *step)
{
    struct error err;
    struct import_stats stats = {.read = 0};
    struct import_options options = {.exclude = step->exclude,
                                     .exclude_users = step->exclude_users,
                                     .days = step->days,
                                     .progress = step->progress,
                                     .progress_ctx = step->progress_ctx};
    step->problem[0] = '\0';
    struct archive *archive = archive_open(step->archive, false, &err);
    int rc = -1;
    if (archive != NULL)
        rc = import_history(step->history, archive, &options, &stats, &err);
    if (rc == 0)
        log_debug("app", "%llu rows read, %llu of them new to the archive",
                  (unsigned long long)stats.read, (unsigned long long)stats.imported);
    else
        snprintf(step->problem, sizeof step->problem, "%s", err.message);
    step->is_usable = archive != NULL ? rc == 0 || archive_was_written(archive)
                                      : archive_is_file(step->archive); /* perhaps to be read */
    archive_close(archive);
}
