/* An analysis as a child process: our own `ha-ai analyze`, niced, bounded in memory and time. A
 * hostile database cannot take the service down, and the service stays small. Loop thread only. */
#ifndef HA_AI_APP_ANALYSIS_JOB_H
#define HA_AI_APP_ANALYSIS_JOB_H

#include <json-c/json.h>
#include <stdint.h>

#include "core/error.h"
#include "core/loop.h"

enum {
    ANALYSIS_OUTPUT_MAX = 16 * 1024 * 1024,   /* a longer answer of the child is an error */
    ANALYSIS_DEADLINE_MS = 30 * 60 * 1000,    /* then it is killed */
    ANALYSIS_MEMORY_MAX = 1024 * 1024 * 1024, /* address space; none under ASan */
    ANALYSIS_NICE = 10,
};

struct analysis_job;

struct analysis_job_settings {
    const char *history;                               /* SOURCE */
    const char *archive;                               /* path */
    const char *archive_days;                          /* or NULL */
    const char *timezone;                              /* NULL = the child finds it itself */
    const char *location;                              /* "LAT,LON"; NULL likewise */
    const char *since;                                 /* as of --since, or NULL */
    const char *exclude;                               /* or NULL */
    const char *automations;                           /* HA's own, a file; NULL = none */
    const char *known;                                 /* rules to review, a file; NULL = none */
    const char *exclude_areas, *exclude_people;        /* or NULL */
    const char *fallback_timezone, *fallback_location; /* when the source has none either */
    void (*on_progress)(int percent, const char *phase, void *ctx);
    /* Once: the result (borrowed) or NULL and one line why. The job is freed by stop afterwards. */
    void (*on_done)(json_object *result, const char *error, int64_t duration_ms, void *ctx);
    void *ctx;
};

/* Strings are used during the call only. NULL with *err when no process could be started. */
struct analysis_job *analysis_job_start(struct loop *loop,
                                        const struct analysis_job_settings *settings,
                                        struct error *err);
/* Kills a running child and waits for it; frees. NULL is fine. */
void analysis_job_stop(struct analysis_job *job);

#endif
