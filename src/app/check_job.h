/* The parts of `ha-ai check`. Only src/app/check*.c include this.
 *
 * A part is a plain blocking function on a thread of its own: what hangs in a name server or a dead
 * network file system is left behind when its time is over. */
#ifndef HA_AI_APP_CHECK_JOB_H
#define HA_AI_APP_CHECK_JOB_H

#include "core/options.h"

enum check_result { CHECK_OK, CHECK_FAILED, CHECK_OFF };

struct check_job;
typedef void (*check_fn)(struct check_job *job, const struct options *options);

/* Adds a row: what was found, and for a failure what to do. The part's thread. */
void check_add(struct check_job *job, const char *part, enum check_result result, const char *fmt,
               ...) __attribute__((format(printf, 4, 5)));

/* check_mqtt.c: rows broker, TLS, login, ha-ai/test. */
void check_mqtt(struct check_job *job, const struct options *options);

#endif
