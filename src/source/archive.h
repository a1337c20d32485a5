/* Our own archive as a source: what was imported from Home Assistant's recorder, for longer than it
 * keeps it. The functions are those of struct source_backend. */
#ifndef HA_AI_SOURCE_ARCHIVE_H
#define HA_AI_SOURCE_ARCHIVE_H

#include "source/source.h"

void *archive_source_open(const char *path, struct error *err);
void archive_source_close(void *state);
const struct source_place *archive_source_place(const void *state);
/* As recorder_read. Of a UTC day that the period cuts, the rows are told by share, and the first
 * and last time as far as quarter hours tell. */
int archive_source_read(void *state, const struct source_options *options, struct history *h,
                        struct source_stats *stats, struct error *err);

#endif
