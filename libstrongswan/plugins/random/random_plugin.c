/* The random plugin: the kernel's generator. RNG_TRUE asks for the pool behind /dev/random, which on kernels
 * of today is the same generator once it is seeded.
 */
#include "libstrongswan/crypto/plugin.h"
#include <errno.h>
#include <sys/random.h>

static status kernel_bytes(rng_quality q, uint8_t *out, size_t n)
{
    while (n) {
        ssize_t got = getrandom(out, n, q == RNG_TRUE ? GRND_RANDOM : 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ST_IO;
        out += got;
        n -= (size_t)got;
    }
    return ST_OK;
}

static const rng_ops rngs[] = {{RNG_TRUE, 0, kernel_bytes}};

const plugin_desc random_plugin = {.abi = PLUGIN_ABI, .name = "random", .rngs = OPS_ROWS(rngs)};
