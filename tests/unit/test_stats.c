/* Statistics against reference vectors (computed with scipy 1.x; only the numbers are kept). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "stats/stats.h"

static void assert_close(double got, double want)
{
    double error = fabs(got - want);
    if (error > 1e-9 * fabs(want) + 1e-300 && error > 1e-12 * (want > 1e-6 ? 1 : want)) {
        print_error("got %.17g, want %.17g\n", got, want);
        fail();
    }
}

static void test_binomial(void **state)
{
    (void)state;
    static const struct {
        int k, n;
        double p, upper, lower;
    } rows[] = {
        {0, 5, 0.3, 1.0, 0.16807000000000002},
        {1, 1, 0.25, 0.25, 1.0},
        {5, 10, 0.5, 0.623046875, 0.623046875},
        {13, 15, 0.3333333333333333, 3.143096543869159e-05, 0.9999978395566993},
        {22, 22, 0.9, 0.09847709021836118, 1.0},
        {30, 365, 0.05, 0.005813243340169022, 0.9968140809945344},
        {200, 365, 0.5, 0.037495167086363544, 0.9703138355056712},
        {3, 4, 0.999, 0.999994007997, 0.003994003999000004},
        {40, 90, 0.1, 3.565537190022041e-17, 1.0},
        {1, 10000, 1e-06, 0.009950171201084403, 0.999950336987413},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_close(stats_binomial_upper(rows[i].k, rows[i].n, rows[i].p), rows[i].upper);
        assert_close(stats_binomial_lower(rows[i].k, rows[i].n, rows[i].p), rows[i].lower);
    }
    assert_true(stats_binomial_upper(3, 2, 0.5) == 0.0);
    assert_true(stats_binomial_upper(1, 2, 0.0) == 0.0);
    assert_true(stats_binomial_upper(2, 2, 1.0) == 1.0);
    assert_true(stats_binomial_lower(-1, 2, 0.5) == 0.0);
    assert_true(stats_binomial_lower(1, 2, 1.0) == 0.0);
}

static void test_wilson(void **state)
{
    (void)state;
    static const struct {
        int hits, n;
        double low;
    } rows[] = {
        {0, 5, 0.0},
        {1, 5, 0.036224108632430196},
        {5, 5, 0.5655175352168251},
        {6, 7, 0.4868721707256811},
        {20, 22, 0.7218505315839419},
        {180, 200, 0.8505941875672826},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_close(stats_wilson_low(rows[i].hits, rows[i].n, STATS_Z95), rows[i].low);
    }
    assert_true(stats_wilson_low(0, 0, STATS_Z95) == 0.0);
}

static void test_beta(void **state)
{
    (void)state;
    assert_close(stats_log_beta(1, 1), 0.0);
    assert_close(stats_log_beta(0.5, 0.5), 1.1447298858494);
    assert_close(stats_log_beta(4, 1.5), -2.2868367360259065);
    assert_close(stats_log_beta(20, 300.5), -75.38810075048718);
    assert_close(stats_log_beta_evidence(1, 1, 1, 1), log(0.5));
    assert_close(stats_beta_mean(3, 4, 1, 1), 4.0 / 6.0);
    static const struct {
        int k, n;
        double a, b, lower;
    } rows[] = {
        {0, 7, 20, 2, 6.756528495658933e-06}, {3, 7, 20, 2, 0.007692307692307693},
        {5, 7, 10.5, 3, 0.4566244566244566},  {7, 7, 1, 1, 1.0},
        {0, 2, 5, 1, 0.04761904761904764},    {10, 90, 40, 60, 3.2728024033430286e-06},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_close(stats_beta_binomial_lower(rows[i].k, rows[i].n, rows[i].a, rows[i].b),
                     rows[i].lower);
}

static void test_benjamini_hochberg(void **state)
{
    (void)state;
    const double p[] = {.01, .04, .03, .005, .5, 1, .2, .001};
    const double want[] = {0.026666666666666665, 0.064, 0.06, 0.02, 0.5714285714285714, 1.0,
                           0.26666666666666666,  0.008};
    double q[8];
    stats_benjamini_hochberg(p, q, 8);
    for (size_t i = 0; i < 8; i++)
        assert_close(q[i], want[i]);
    stats_benjamini_hochberg(p, q, 0);
}

static void test_circular(void **state)
{
    (void)state;
    assert_int_equal(stats_circular_difference(300, 86100), 600);
    assert_int_equal(stats_circular_difference(86100, 300), -600);
    assert_int_equal(stats_circular_difference(43200, 0), -43200);
    assert_int_equal(stats_circular_difference(7, 7), 0);
    assert_int_equal(stats_circular_wrap(-1), 86399);
    assert_int_equal(stats_circular_wrap(86400), 0);
    assert_int_equal(stats_circular_wrap(200000), 200000 - 2 * 86400);
}

/* Equal probabilities are the binomial distribution; three by hand; small tails keep their digits.
 */
static void test_poisson_binomial(void **state)
{
    (void)state;
    double equal[40], few[] = {0.5, 0.1, 0.2}, tiny[] = {1e-5, 2e-5, 1e-5, 3e-5};
    for (int i = 0; i < 40; i++)
        equal[i] = 0.07;
    for (int k = -1; k <= 41; k++)
        assert_close(stats_poisson_binomial_upper(k, equal, 40), stats_binomial_upper(k, 40, 0.07));
    assert_close(stats_poisson_binomial_upper(1, few, 3), 1 - 0.5 * 0.9 * 0.8);
    assert_close(stats_poisson_binomial_upper(2, few, 3),
                 0.5 * 0.1 * 0.8 + 0.5 * 0.9 * 0.2 + 0.5 * 0.1 * 0.2 + 0.5 * 0.1 * 0.2);
    assert_close(stats_poisson_binomial_upper(4, tiny, 4) / 6e-20, 1);
    assert_close(stats_poisson_binomial_upper(0, tiny, 4), 1);
    assert_close(stats_poisson_binomial_upper(5, tiny, 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_poisson_binomial),
        cmocka_unit_test(test_binomial),
        cmocka_unit_test(test_wilson),
        cmocka_unit_test(test_beta),
        cmocka_unit_test(test_benjamini_hochberg),
        cmocka_unit_test(test_circular),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
