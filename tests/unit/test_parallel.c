/* core/parallel: every piece once, whatever the number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "core/parallel.h"

enum { PIECES = 1000, INNER = 20 };

struct pieces {
    atomic_int calls[PIECES];
    uint64_t result[PIECES]; /* not atomic: the thread sanitizer sees whoever shares one */
};

static void work_on(size_t index, void *ctx)
{
    struct pieces *p = ctx;
    atomic_fetch_add(&p->calls[index], 1);
    for (uint64_t n = 0; n < 100; n++)
        p->result[index] = p->result[index] * 31 + index + n;
}

static void every_piece_once(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, PIECES};
    static struct pieces one, many;
    for (int threads = 0; threads <= PARALLEL_THREADS_MAX; threads++) {
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            one = (struct pieces){.result = {0}};
            many = (struct pieces){.result = {0}};
            parallel_for(counts[c], work_on, &one, 1);
            parallel_for(counts[c], work_on, &many, threads);
            for (size_t i = 0; i < PIECES; i++)
                assert_int_equal(atomic_load(&many.calls[i]), i < counts[c]);
            assert_memory_equal(one.result, many.result, sizeof one.result);
        }
    }
}

/* Each of two pieces waits for the other: only two threads at once get done. */
static void meet(size_t index, void *ctx)
{
    atomic_int *arrived = ctx;
    (void)index;
    atomic_fetch_add(arrived, 1);
    for (int ms = 0; atomic_load(arrived) < 2 && ms < 10000; ms++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void two_threads_run_at_once(void **state)
{
    (void)state;
    atomic_int arrived = 0;
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    parallel_for(2, meet, &arrived, 2);
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_int_equal(arrived, 2);
    assert_true(to.tv_sec - from.tv_sec < 10);
}

static void within(size_t index, void *ctx)
{
    atomic_int *sum = ctx;
    atomic_fetch_add(sum, (int)index);
}

static void outer(size_t index, void *ctx)
{
    (void)index;
    parallel_for(INNER, within, ctx, 2);
}

static void pieces_may_have_pieces(void **state)
{
    (void)state;
    atomic_int sum = 0;
    parallel_for(INNER, outer, &sum, 3);
    assert_int_equal(sum, INNER * INNER * (INNER - 1) / 2);
}

static void the_default_is_a_number_of_threads(void **state)
{
    (void)state;
    assert_in_range(parallel_default_threads(), 1, PARALLEL_THREADS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_piece_once),
        cmocka_unit_test(two_threads_run_at_once),
        cmocka_unit_test(pieces_may_have_pieces),
        cmocka_unit_test(the_default_is_a_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
