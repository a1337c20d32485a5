/* What the commands that read a history by themselves (analyze, backtest) share: the period, the
 * home's zone and place, progress, memory. */
#ifndef HA_AI_APP_OFFLINE_H
#define HA_AI_APP_OFFLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/dictionary.h"
#include "core/error.h"
#include "core/tz.h"
#include "source/source.h"

/* As given on the command line; NULL = not given. */
struct offline_arguments {
    const char *history, *timezone, *location, *since, *until;
};

/* --<option>: got '<got>', takes <takes>. Always -1. */
int offline_wrong_use(struct error *err, const char *option, const char *got, const char *takes);

/* The variable's value; NULL when it is empty too. */
const char *offline_environment(const char *name);

/* Takes HISTORY where --history is not given, and checks the place and the period. 0, or -1 with
 * *err. */
int offline_check(struct offline_arguments *args, struct error *err);

/* [since, until) in the home's zone; until 0 = no end. 0, or -1 with *err. */
int offline_period(const struct offline_arguments *args, const struct tz *tz, int64_t *since_ms,
                   int64_t *until_ms, struct error *err);

/* The home's zone: --timezone, what the source knows, TZ. NULL with *err. Caller frees. */
struct tz *offline_zone(const struct offline_arguments *args, const struct source_place *place,
                        struct error *err);

struct offline_location {
    double latitude, longitude, elevation_m;
    bool is_known;
};

/* --location, what the source knows, LOCATION; else *out is not known. 0, or -1 with *err. */
int offline_find_location(const struct offline_arguments *args, const struct source_place *place,
                          struct offline_location *out, struct error *err);

/* What the recorder leaves out of a timeline that is not finished: of those wanted, the sun follows
 * from the place, the home's zone from the people. */
void offline_add_derived(struct timeline *timeline, const struct history *h,
                         const struct dictionary *wanted);

struct offline_progress {
    int fd; /* -1 = a line on the terminal, if stderr is one */
    bool on_terminal;
    int percent;     /* that is shown; -1 = none yet */
    int from, share; /* of the part that runs, in percent of the whole */
};

/* A callback for source_options and analysis_options; ctx is a struct offline_progress. */
void offline_show_progress(int percent, const char *phase, void *ctx);
void offline_end_progress(const struct offline_progress *progress);

/* The most memory that the process ever had, in kB. */
int64_t offline_peak_rss_kb(void);

/* Whatever the parent ignores or blocks, SIGTERM and a closed pipe end us; as the service's child
 * so does the service's end. */
void offline_obey_signals(bool is_child);

/* Flushes standard output; -1 when something of it could not be written. */
int offline_flush(void);

#endif
