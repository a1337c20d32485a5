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

/* An archive has no registries. */
int archive_source_read_places(void *state, struct timeline *timeline, struct error *err);
/* Words are exact; a number is its five-minute mean, from the begin of the five minutes on, and the
 * series is approximate. There are no attributes. */
int archive_source_read_timeline(void *state, const struct source_options *options,
                                 const struct source_wanted *wanted, struct timeline *timeline,
                                 struct source_stats *stats, struct error *err);

#endif
