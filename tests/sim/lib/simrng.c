/* One crypto registry for all worlds of the process (its self-tests run once) and the deterministic random
 * numbers it gives: splitmix64 from the seed of the present world.
 */
#include "tests/sim/lib/sim_priv.h"

static crypto *shared;
static uint64_t rng_state;

static uint64_t next_random(void)
{
    uint64_t z = (rng_state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static status fill(void *ctx, rng_quality q, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint64_t r = next_random();
        for (int k = 0; k < 8 && i < n; k++, r >>= 8)
            out[i++] = (uint8_t)r;
    }
    return ST_OK;
}

void sim_rng_seed(uint64_t seed)
{
    rng_state = seed ^ 0x6379676e65742121u;
}

const crypto *sim_crypto(void)
{
    if (shared)
        return shared;
    log_scope silent = {0};
    if (crypto_load(&shared, NULL, NULL, &silent) != ST_OK)
        return NULL;
    crypto_set_rng(shared, fill, NULL);
    return shared;
}

void sim_crypto_free(void)
{
    crypto_free(shared);
    shared = NULL;
}
