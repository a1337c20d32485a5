/* Work that falls into independent pieces, on all cores. Each piece writes its own slot only, so
 * that the result is the same whatever the number of threads. */
#ifndef HA_AI_CORE_PARALLEL_H
#define HA_AI_CORE_PARALLEL_H

#include <stddef.h>

enum { PARALLEL_THREADS_MAX = 16 };

/* How many threads pay on this machine: the processors that we may use, 1 to PARALLEL_THREADS_MAX.
 * Any thread. */
int parallel_default_threads(void);

/* Calls fn(index, ctx) for each index below count, once each, in no certain order, and returns when
 * all have returned. threads (1 to PARALLEL_THREADS_MAX; 0 = parallel_default_threads()) counts
 * the caller. fn may read what is shared and write what belongs to its index alone. When no more
 * threads can be had, fewer do it all. Any thread; fn may call it too. */
void parallel_for(size_t count, void (*fn)(size_t index, void *ctx), void *ctx, int threads);

#endif
