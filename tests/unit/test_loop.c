/* The event loop: what wakes it, and that nothing keeps it awake. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/loop.h"

static struct loop *loop;

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

static void on_fd(int fd, short events, void *ctx)
{
    *(short *)ctx = events;
    if (events & (POLLHUP | POLLERR))
        loop_remove_fd(loop, fd);
}

/* A pipe whose writer is gone has only POLLHUP: unnoticed, it would keep the loop from sleeping. */
static void test_a_closed_pipe_is_told(void **state)
{
    (void)state;
    int fds[2];
    short events = 0;
    assert_int_equal(pipe(fds), 0);
    loop_add_fd(loop, fds[0], POLLIN, on_fd, &events);
    loop_turn(loop, 0);
    assert_int_equal(events, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    loop_turn(loop, 1000);
    assert_int_equal(events, POLLIN);
    char c;
    assert_int_equal(read(fds[0], &c, 1), 1);
    close(fds[1]);
    loop_turn(loop, 1000);
    assert_true(events & POLLHUP);
    int64_t begin = clock_monotonic_ms();
    loop_turn(loop, 50);
    assert_true(clock_monotonic_ms() - begin >= 40);
    close(fds[0]);
}

static int64_t count_calls(void *ctx)
{
    return ++*(int *)ctx < 3 ? 1 : LOOP_TIMER_STOP;
}

static int64_t remove_the_other(void *ctx)
{
    loop_remove_timer(loop, *(int *)ctx);
    return LOOP_TIMER_STOP;
}

static void test_timers(void **state)
{
    (void)state;
    int calls = 0, removed_calls = 0;
    loop_add_timer(loop, 0, count_calls, &calls);
    int other = 0;
    loop_add_timer(loop, 0, remove_the_other, &other);
    other = loop_add_timer(loop, 0, count_calls, &removed_calls);
    for (int64_t end = clock_monotonic_ms() + 100; clock_monotonic_ms() < end;)
        loop_turn(loop, 10);
    assert_int_equal(calls, 3);
    assert_int_equal(removed_calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_closed_pipe_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timers, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
