/* A plugin of its own file for test_loader: random numbers that are not (they differ from call to call, no
 * more), and an integrity algorithm that is wrong.
 */
#include "libstrongswan/crypto/plugin.h"

static status ones_bytes(rng_quality q, uint8_t *out, size_t n)
{
    static uint8_t next;
    memset(out, ++next, n);
    return ST_OK;
}

static status ones_init(void *self, const crypto *c, integ_alg alg, span key)
{
    return ST_OK;
}

static status ones_mac(void *self, const span *parts, size_t n, uint8_t *mac)
{
    memset(mac, 1, MAX_HASH_BYTES);
    return ST_OK;
}

static const rng_ops rngs[] = {{RNG_WEAK, 0, ones_bytes}};
static const signer_ops signers[] = {{INTEG_HMAC_SHA1_96, 0, 0, ones_init, NULL, ones_mac}};

extern const plugin_desc ones_plugin;
const plugin_desc ones_plugin = {
    .abi = PLUGIN_ABI, .name = "ones", .rngs = OPS_ROWS(rngs), .signers = OPS_ROWS(signers)};
