/* Seeded random numbers (xoshiro256**, seeded by splitmix64). A stream is named by what it is for,
 * so that any day of any device can be drawn alone and in any order. Not for secrets. */
#ifndef HA_AI_HOME_RNG_H
#define HA_AI_HOME_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

/* Starts the stream (purpose, a, b) of a seed; equal arguments give equal numbers. */
void rng_init(struct rng *rng, uint64_t seed, uint64_t purpose, uint64_t a, int64_t b);

uint64_t rng_next(struct rng *rng);
double rng_uniform(struct rng *rng); /* [0, 1) */
double rng_between(struct rng *rng, double low, double high);
uint32_t rng_below(struct rng *rng, uint32_t n); /* [0, n), n > 0 */
bool rng_chance(struct rng *rng, double probability);
double rng_normal(struct rng *rng, double mean, double sigma);
/* exp of a normal around log(median). */
double rng_lognormal(struct rng *rng, double median, double spread);
int rng_poisson(struct rng *rng, double mean); /* mean <= 500 */

#endif
