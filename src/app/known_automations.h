/* The automations that Home Assistant has, for `ha-ai analyze`: from the file that was given, else
 * automations.yaml beside the database; with what a replay of them needs. */
#ifndef HA_AI_APP_KNOWN_AUTOMATIONS_H
#define HA_AI_APP_KNOWN_AUTOMATIONS_H

#include "app/offline.h"
#include "source/source.h"
#include "suggest/existing.h"

enum { KNOWN_BYTES_MAX = 32 * 1024 * 1024 /* of a file in JSON; YAML_BYTES_MAX of one in YAML */ };

struct known_automations {
    struct existing_list list;
    struct timeline timeline;
    bool is_known; /* there was a file */
};

/* Reads them. path: NULL = automations.yaml in the folder of `history`, which may be missing or
 * bad: that is told in list.problem. source: the opened history (or archive), whose timeline is
 * read; h: what was read of it. 0, or -1 with *err when the file given cannot be used. Release it
 * either way. */
int known_automations_read(struct known_automations *known, const char *path, const char *history,
                           struct source *source, const struct source_options *options,
                           const struct history *h, struct error *err);
void known_automations_release(struct known_automations *known);

#endif
