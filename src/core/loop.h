/* The one event loop: waits in curl_multi_poll for timers, file descriptors, HTTP transfers and
 * wake-ups from other threads. Everything here but loop_wake is for the loop's thread only. */
#ifndef HA_AI_CORE_LOOP_H
#define HA_AI_CORE_LOOP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;

enum { LOOP_TIMER_STOP = -1, LOOP_TIMERS_MAX = 256, LOOP_FDS_MAX = 256 };

/* Returns the delay in ms until it is wanted again, or LOOP_TIMER_STOP. */
typedef int64_t (*loop_timer_fn)(void *ctx);
/* events: the poll(2) bits that are ready. */
typedef void (*loop_fd_fn)(int fd, short events, void *ctx);
typedef void (*loop_fn)(void *ctx);

struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* Runs until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* One turn: waits at most max_ms. For tests and short-lived commands. */
void loop_turn(struct loop *loop, int64_t max_ms);

/* Calls fn once after delay_ms (again while it returns a delay). Returns an id > 0. */
int loop_add_timer(struct loop *loop, int64_t delay_ms, loop_timer_fn fn, void *ctx);
/* Forgets a timer; 0 and unknown ids are fine. */
void loop_remove_timer(struct loop *loop, int id);

/* Watches fd for events (POLLIN, POLLOUT). One watch per fd: adding again changes it. */
void loop_add_fd(struct loop *loop, int fd, short events, loop_fd_fn fn, void *ctx);
void loop_remove_fd(struct loop *loop, int fd);

/* Called once every turn, after a wait: for pull-style libraries and queues of other threads. */
void loop_add_turn(struct loop *loop, loop_fn fn, void *ctx);
void loop_remove_turn(struct loop *loop, loop_fn fn, void *ctx);

/* Any thread: ends the present wait. */
void loop_wake(struct loop *loop);

/* The multi handle that the loop drives, and its call-back for a finished transfer
 * (CURLOPT_PRIVATE must point to a struct loop_transfer). Used by core/http. */
struct loop_transfer {
    void (*done)(struct loop_transfer *transfer, CURLcode result);
};
CURLM *loop_multi(struct loop *loop);

#endif
