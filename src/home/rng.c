#include "home/rng.h"

#include <assert.h>
#include <math.h>

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void rng_init(struct rng *rng, uint64_t seed, uint64_t purpose, uint64_t a, int64_t b)
{
    const uint64_t parts[] = {seed, purpose, a, (uint64_t)b};
    uint64_t state = 0;
    /* Each part is mixed before the next one is added: (1, 2) and (2, 1) are different streams. */
    for (int i = 0; i < 4; i++) {
        state ^= parts[i];
        state = splitmix64(&state);
    }
    for (int i = 0; i < 4; i++)
        rng->s[i] = splitmix64(&state);
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t rng_next(struct rng *rng)
{
    uint64_t *s = rng->s;
    const uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    const uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

double rng_uniform(struct rng *rng)
{
    return (double)(rng_next(rng) >> 11) * 0x1p-53;
}

double rng_between(struct rng *rng, double low, double high)
{
    return low + (high - low) * rng_uniform(rng);
}

uint32_t rng_below(struct rng *rng, uint32_t n)
{
    assert(n > 0);
    /* The bias of one in 2^32 / n is of no consequence here. */
    return (uint32_t)(((rng_next(rng) >> 32) * n) >> 32);
}

bool rng_chance(struct rng *rng, double probability)
{
    return rng_uniform(rng) < probability;
}

double rng_normal(struct rng *rng, double mean, double sigma)
{
    const double two_pi = 6.283185307179586;
    const double u = 1.0 - rng_uniform(rng); /* (0, 1]: its logarithm exists */
    return mean + sigma * sqrt(-2.0 * log(u)) * cos(two_pi * rng_uniform(rng));
}

double rng_lognormal(struct rng *rng, double median, double spread)
{
    return median * exp(rng_normal(rng, 0, spread));
}

int rng_poisson(struct rng *rng, double mean)
{
    assert(mean <= 500); /* exp(-mean) must not vanish */
    const double limit = exp(-mean);
    int count = 0;
    for (double product = rng_uniform(rng); product > limit; product *= rng_uniform(rng))
        count++;
    return count;
}
