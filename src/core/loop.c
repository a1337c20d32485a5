#include "core/loop.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/xalloc.h"

enum { LOOP_TURNS_MAX = 16 };

struct timer {
    int id; /* 0 = free */
    int64_t due_ms;
    loop_timer_fn fn;
    void *ctx;
};

struct watch {
    int fd; /* -1 = free */
    short events;
    loop_fd_fn fn;
    void *ctx;
};

struct turn {
    loop_fn fn; /* NULL = free */
    void *ctx;
};

struct loop {
    CURLM *multi;
    bool stopped;
    int next_timer_id;
    struct timer timers[LOOP_TIMERS_MAX];
    struct watch watches[LOOP_FDS_MAX];
    struct turn turns[LOOP_TURNS_MAX];
};

struct loop *loop_new(void)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));
    curl_global_init(CURL_GLOBAL_DEFAULT);
    loop->multi = curl_multi_init();
    if (loop->multi == NULL)
        abort();
    for (size_t i = 0; i < LOOP_FDS_MAX; i++)
        loop->watches[i].fd = -1;
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    curl_multi_cleanup(loop->multi);
    curl_global_cleanup();
    free(loop);
}

CURLM *loop_multi(struct loop *loop)
{
    return loop->multi;
}

void loop_wake(struct loop *loop)
{
    curl_multi_wakeup(loop->multi);
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

int loop_add_timer(struct loop *loop, int64_t delay_ms, loop_timer_fn fn, void *ctx)
{
    for (size_t i = 0; i < LOOP_TIMERS_MAX; i++) {
        struct timer *t = &loop->timers[i];
        if (t->id != 0)
            continue;
        if (++loop->next_timer_id <= 0)
            loop->next_timer_id = 1;
        *t = (struct timer){loop->next_timer_id, clock_monotonic_ms() + delay_ms, fn, ctx};
        return t->id;
    }
    assert(!"LOOP_TIMERS_MAX reached"); /* timers are few and ours: a leak of our own */
    abort();
}

void loop_remove_timer(struct loop *loop, int id)
{
    if (id == 0)
        return;
    for (size_t i = 0; i < LOOP_TIMERS_MAX; i++)
        if (loop->timers[i].id == id)
            loop->timers[i].id = 0;
}

void loop_add_fd(struct loop *loop, int fd, short events, loop_fd_fn fn, void *ctx)
{
    struct watch *w = NULL;
    for (size_t i = 0; i < LOOP_FDS_MAX; i++) {
        if (loop->watches[i].fd == fd) {
            w = &loop->watches[i];
            break;
        }
        if (w == NULL && loop->watches[i].fd < 0)
            w = &loop->watches[i];
    }
    if (w == NULL)
        abort(); /* LOOP_FDS_MAX: descriptors come from bounded owners */
    *w = (struct watch){fd, events, fn, ctx};
}

void loop_remove_fd(struct loop *loop, int fd)
{
    for (size_t i = 0; i < LOOP_FDS_MAX; i++)
        if (loop->watches[i].fd == fd)
            loop->watches[i].fd = -1;
}

void loop_add_turn(struct loop *loop, loop_fn fn, void *ctx)
{
    for (size_t i = 0; i < LOOP_TURNS_MAX; i++) {
        if (loop->turns[i].fn == NULL) {
            loop->turns[i] = (struct turn){fn, ctx};
            return;
        }
    }
    abort();
}

void loop_remove_turn(struct loop *loop, loop_fn fn, void *ctx)
{
    for (size_t i = 0; i < LOOP_TURNS_MAX; i++)
        if (loop->turns[i].fn == fn && loop->turns[i].ctx == ctx)
            loop->turns[i].fn = NULL;
}

/* How long to wait: at most max_ms, at most until the next timer. */
static int wait_ms(const struct loop *loop, int64_t max_ms)
{
    int64_t now = clock_monotonic_ms();
    int64_t wait = max_ms;
    for (size_t i = 0; i < LOOP_TIMERS_MAX; i++) {
        const struct timer *t = &loop->timers[i];
        if (t->id != 0 && t->due_ms - now < wait)
            wait = t->due_ms - now;
    }
    return wait < 0 ? 0 : (int)wait;
}

static void run_timers(struct loop *loop)
{
    int64_t now = clock_monotonic_ms();
    for (size_t i = 0; i < LOOP_TIMERS_MAX; i++) {
        struct timer *t = &loop->timers[i];
        if (t->id == 0 || t->due_ms > now)
            continue;
        int id = t->id;
        int64_t again = t->fn(t->ctx);
        if (t->id != id) /* it removed itself, or its place is another's now */
            continue;
        if (again == LOOP_TIMER_STOP)
            t->id = 0;
        else
            t->due_ms = clock_monotonic_ms() + again;
    }
}

static void finish_transfers(struct loop *loop)
{
    int left;
    struct CURLMsg *msg;
    while ((msg = curl_multi_info_read(loop->multi, &left)) != NULL) {
        if (msg->msg != CURLMSG_DONE)
            continue;
        struct loop_transfer *transfer = NULL;
        CURLcode result = msg->data.result;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        if (transfer != NULL)
            transfer->done(transfer, result);
    }
}

static void run_fds(struct loop *loop, const struct pollfd *fds, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        if (fds[k].revents == 0)
            continue;
        for (size_t i = 0; i < LOOP_FDS_MAX; i++) {
            if (loop->watches[i].fd == fds[k].fd) {
                loop->watches[i].fn(fds[k].fd, fds[k].revents, loop->watches[i].ctx);
                break;
            }
        }
    }
}

void loop_turn(struct loop *loop, int64_t max_ms)
{
    struct curl_waitfd waited[LOOP_FDS_MAX];
    struct pollfd fds[LOOP_FDS_MAX];
    size_t count = 0;
    int running = 0;
    curl_multi_perform(loop->multi, &running);
    finish_transfers(loop);
    for (size_t i = 0; i < LOOP_FDS_MAX; i++) {
        const struct watch *w = &loop->watches[i];
        if (w->fd < 0)
            continue;
        /* curl's CURL_WAIT_* bits are 1, 2, 4 = POLLIN, POLLPRI, POLLOUT on Linux */
        waited[count] = (struct curl_waitfd){.fd = w->fd, .events = w->events};
        fds[count++] = (struct pollfd){.fd = w->fd, .events = w->events};
    }
    curl_multi_poll(loop->multi, waited, (unsigned)count, wait_ms(loop, max_ms), NULL);
    if (poll(fds, count, 0) < 0) /* curl wakes up for POLLHUP and POLLERR, but does not tell them */
        count = 0;
    curl_multi_perform(loop->multi, &running);
    finish_transfers(loop);
    run_fds(loop, fds, count);
    for (size_t i = 0; i < LOOP_TURNS_MAX; i++)
        if (loop->turns[i].fn != NULL)
            loop->turns[i].fn(loop->turns[i].ctx);
    run_timers(loop);
}

void loop_run(struct loop *loop)
{
    enum { LONGEST_WAIT_MS = 60000 };

    loop->stopped = false;
    while (!loop->stopped)
        loop_turn(loop, LONGEST_WAIT_MS);
}
