#define _GNU_SOURCE /* sched_getaffinity: a container's share of the processors */
#include "core/parallel.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

struct work {
    atomic_size_t next; /* the first index that nobody has taken */
    size_t count;
    void (*fn)(size_t index, void *ctx);
    void *ctx;
};

int parallel_default_threads(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1; /* more processors than the set holds: let somebody say --threads */
    int count = CPU_COUNT(&set);
    return count > PARALLEL_THREADS_MAX ? PARALLEL_THREADS_MAX : count;
}

static void *run(void *argument)
{
    struct work *work = argument;
    size_t index;
    while ((index = atomic_fetch_add(&work->next, 1)) < work->count)
        work->fn(index, work->ctx);
    return NULL;
}

void parallel_for(size_t count, void (*fn)(size_t index, void *ctx), void *ctx, int threads)
{
    assert(threads >= 0 && threads <= PARALLEL_THREADS_MAX);
    struct work work = {.count = count, .fn = fn, .ctx = ctx};
    pthread_t helpers[PARALLEL_THREADS_MAX];
    size_t wanted = (size_t)(threads > 0 ? threads : parallel_default_threads());
    size_t started = 0;
    if (wanted > count)
        wanted = count;
    while (started + 1 < wanted && pthread_create(&helpers[started], NULL, run, &work) == 0)
        started++;
    run(&work);
    while (started > 0)
        pthread_join(helpers[--started], NULL);
}
