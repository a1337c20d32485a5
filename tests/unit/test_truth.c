/* What can be told of lengths of use, of which some are forgotten. SEED=n replays a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "home/rng.h"
#include "home/truth_lengths.h"
#include "seeded.h"

enum { USES = 60, TRIES = 200, HOUR = 3600 };

static const struct home_habit habit = {
    .kind = HOME_LEFT_ON, .duration_s = 1200, .duration_spread = .5, .long_share = .03};

/* Usual lengths, of which the first ones were forgotten. */
static void draw_lengths(struct rng *rng, double *lengths_s, int forgotten)
{
    for (int i = 0; i < USES; i++)
        lengths_s[i] = i < forgotten ? rng_between(rng, 3 * HOUR, 8 * HOUR)
                                     : rng_lognormal(rng, habit.duration_s, habit.duration_spread);
}

/* How often of TRIES the forgotten ones are told from a long tail, a thousand to one. */
static int count_told(int forgotten)
{
    struct rng rng;
    double lengths_s[USES];
    int told = 0;
    rng_init(&rng, next_random(), 0, 0, 0);
    for (int i = 0; i < TRIES; i++) {
        draw_lengths(&rng, lengths_s, forgotten);
        told += truth_gain_of_forgetting(&habit, lengths_s, USES, (size_t)forgotten) >= 7;
    }
    return told;
}

static void test_forgotten_ends_are_told(void **state)
{
    (void)state;
    assert_int_equal(count_told(0), 0);
    assert_true(count_told(1) < TRIES / 10);
    assert_true(count_told(3) > TRIES / 4);
    assert_true(count_told(6) > TRIES * 9 / 10);
}

/* Who now and then uses something much longer has forgotten nothing. */
static void test_a_long_tail_is_no_forgetting(void **state)
{
    (void)state;
    struct rng rng;
    double lengths_s[USES];
    int told = 0;
    rng_init(&rng, next_random(), 1, 0, 0);
    for (int i = 0; i < TRIES; i++) {
        size_t long_ones = 0;
        for (int k = 0; k < USES; k++) {
            lengths_s[k] = rng_lognormal(&rng, habit.duration_s, 1.1);
            long_ones += lengths_s[k] >= 3 * HOUR;
        }
        told += truth_gain_of_forgetting(&habit, lengths_s, USES, long_ones) >= 7;
    }
    assert_int_equal(told, 0);
}

static void test_nothing_to_tell(void **state)
{
    (void)state;
    const double one = 5 * HOUR;
    assert_true(truth_gain_of_forgetting(&habit, NULL, 0, 0) <= 0);
    assert_true(truth_gain_of_forgetting(&habit, &one, 1, 1) <= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forgotten_ends_are_told),
        cmocka_unit_test(test_a_long_tail_is_no_forgetting),
        cmocka_unit_test(test_nothing_to_tell),
    };
    seed_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
