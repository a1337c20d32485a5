/* The demo's children: a broker and the service, each in a process group of its own (a Ctrl-C in
 * the terminal is the demo's to handle), gone when the demo is gone, however it ends. */
#ifndef HA_AI_HOME_CHILD_H
#define HA_AI_HOME_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"

/* Starts path with argv and envp (NULL: ours), its output into the file log_path. The pid, or -1.
 */
pid_t child_start(const char *path, char *const argv[], char *const envp[], const char *log_path,
                  struct error *err);
bool child_is_alive(pid_t *pid); /* reaps an ended one and sets *pid = 0 */
/* SIGTERM, then after wait_ms SIGKILL; waits. *pid = 0. */
void child_stop(pid_t *pid, int64_t wait_ms);

/* A TCP port on 127.0.0.1 that is free now: `wanted` or the next ones (at most 100 tried); 0 =
 * none. */
int child_free_port(int wanted);

/* Only one process of this machine holds it at a time, until the returned descriptor is closed: so
 * that two demos do not choose the same port. Waits for it; -1 after wait_ms or a signal. */
int child_lock_ports(int64_t wait_ms);

/* The full path of a program in PATH or the sbin folders; caller frees; NULL = not installed. */
char *child_find_program(const char *name);

#endif
