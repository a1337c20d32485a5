/* The detectors of a change: what they promise without one, and how soon they tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "made_history.h"
#include "seeded.h"
#include "suggest/drift.h"

enum { RUNS = 2000, CASES = 400 };

/* The promise: without a change, `threshold` cases until the first alarm on average at least. Over
 * CASES cases that is CASES / threshold alarms at most (Shin et al.: P(alarm by t) <= t / A). */
static void test_alarms_are_rare(void **state)
{
    (void)state;
    seed_init();
    static const double usual[] = {.05, .15, .4};
    for (size_t u = 0; u < sizeof usual / sizeof *usual; u++) {
        int alarms = 0;
        const double threshold = 1000;
        for (int run = 0; run < RUNS; run++) {
            struct drift drift;
            drift_init(&drift, threshold, DRIFT_RATES);
            for (int i = 0; i < CASES; i++)
                drift_add_rate(&drift, made_uniform(&seed) < usual[u], usual[u]);
            alarms += drift.found != SIZE_MAX;
        }
        double most = RUNS * CASES / threshold; /* four standard deviations more by chance */
        print_message("usual %.2f: %d alarms in %d runs, at most %.0f\n", usual[u], alarms, RUNS,
                      most);
        assert_true(alarms <= most + 4 * sqrt(most));
        assert_true(alarms > 0); /* it can tell */
    }
}

static void test_one_is_never_enough(void **state)
{
    (void)state;
    struct drift drift;
    drift_init(&drift, 26 / .45 / 3, DRIFT_RATES); /* the least that a review asks */
    drift_add_rate(&drift, true, .05);
    assert_false(drift_stands(&drift));
    assert_true(drift.found == SIZE_MAX);
}

static void test_tells_since_when(void **state)
{
    (void)state;
    struct drift drift;
    drift_init(&drift, 365 / .45, DRIFT_RATES);
    for (int i = 0; i < 30; i++)
        drift_add_rate(&drift, i % 10 == 4, .15);
    assert_true(drift.found == SIZE_MAX);
    for (int i = 0; i < 6; i++)
        drift_add_rate(&drift, true, .15);
    assert_true(drift.found >= 32 && drift.found <= 35);
    assert_int_equal(drift_start(&drift), 30);
    assert_true(drift_stands(&drift));
}

/* What says nothing neither raises nor lowers anything, and keeps its number. */
static void test_skipped_cases(void **state)
{
    (void)state;
    struct drift with, without;
    drift_init(&with, 100, DRIFT_RATES);
    drift_init(&without, 100, DRIFT_RATES);
    for (int i = 0; i < 5; i++) {
        drift_skip(&with);
        drift_add_rate(&with, true, .2);
        drift_add_rate(&without, true, .2);
    }
    for (int i = 0; i < DRIFT_RATES; i++)
        assert_true(with.sums[i] == without.sums[i]);
    assert_int_equal(with.cases, 10);
    assert_int_equal(drift_start(&with), 1);
    assert_int_equal(with.found, 2 * without.found + 1);
}

static void test_passes_again(void **state)
{
    (void)state;
    struct drift drift;
    drift_init(&drift, 100, DRIFT_RATES);
    for (int i = 0; i < 8; i++)
        drift_add_rate(&drift, true, .2);
    size_t found = drift.found;
    assert_true(drift_stands(&drift));
    for (int i = 0; i < 60; i++)
        drift_add_rate(&drift, false, .2);
    assert_false(drift_stands(&drift));
    assert_int_equal(drift.found, found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alarms_are_rare),  cmocka_unit_test(test_one_is_never_enough),
        cmocka_unit_test(test_tells_since_when), cmocka_unit_test(test_skipped_cases),
        cmocka_unit_test(test_passes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
