/* The openssl plugin: everything OpenSSL 3's default provider has that IKE, ESP or EAP need, and Blowfish and
 * CAST from its legacy provider when a configuration asks for them.
 */
#include "libstrongswan/crypto/hmac.h"
#include "libstrongswan/plugins/openssl/openssl.h"
#include <openssl/rand.h>

static status ossl_rng_bytes(rng_quality q, uint8_t *out, size_t n)
{
    if (n > INT32_MAX)
        return ST_LIMIT;
    int ok = q == RNG_WEAK ? RAND_bytes(out, (int)n) : RAND_priv_bytes(out, (int)n);
    return ok == 1 ? ST_OK : ST_IO;
}

static const rng_ops rngs[] = {{RNG_TRUE, 0, ossl_rng_bytes}};

static const hasher_ops *own_hasher(const crypto *c, hash_alg alg)
{
    for (size_t i = 0; i < OSSL_HASHERS; i++)
        if (ossl_hashers[i].alg == alg)
            return &ossl_hashers[i];
    return NULL;
}

static status prf_init(void *self, const crypto *c, prf_alg alg, span key)
{
    return hmac_init(self, own_hasher(c, prf_hash(alg)), key);
}

static status signer_init(void *self, const crypto *c, integ_alg alg, span key)
{
    return hmac_init(self, own_hasher(c, hmac_integ_hash(alg)), key);
}

// clang-format off
#define PRF 0, sizeof(hmac_state), prf_init, NULL, hmac_compute
static const prf_ops prfs[] = {
    {PRF_HMAC_SHA2_256, PRF}, {PRF_HMAC_SHA2_384, PRF}, {PRF_HMAC_SHA2_512, PRF}, {PRF_HMAC_SHA1, PRF},
    {PRF_HMAC_MD5, PRF},
};
#define SIGNER 0, sizeof(hmac_state), signer_init, NULL, hmac_compute
static const signer_ops signers[] = {
    {INTEG_HMAC_SHA2_256_128, SIGNER}, {INTEG_HMAC_SHA2_384_192, SIGNER}, {INTEG_HMAC_SHA2_512_256, SIGNER},
    {INTEG_HMAC_SHA2_256_96, SIGNER},  {INTEG_HMAC_SHA1_96, SIGNER},      {INTEG_HMAC_SHA1_160, SIGNER},
    {INTEG_HMAC_MD5_96, SIGNER},       {INTEG_HMAC_MD5_128, SIGNER},
};
/* On demand: groups that cost milliseconds to test and are rarely chosen. */
#define MODP sizeof(modp_key), ossl_modp_init, ossl_modp_fini, ossl_modp_public, ossl_modp_compute
#define ECP  sizeof(ecp_key),  ossl_ecp_init,  ossl_ecp_fini,  ossl_ecp_public,  ossl_ecp_compute
#define XDH  sizeof(xdh_key),  ossl_xdh_init,  ossl_xdh_fini,  ossl_xdh_public,  ossl_xdh_compute
static const dh_ops dhs[] = {
    {DH_CURVE25519,    0, XDH},
    {DH_CURVE448,      0, XDH},
    {DH_ECP_256,       0, ECP},
    {DH_ECP_384,       OPS_ON_DEMAND, ECP},
    {DH_ECP_521,       OPS_ON_DEMAND, ECP},
    {DH_ECP_224,       OPS_ON_DEMAND, ECP},
    {DH_ECP_192,       OPS_ON_DEMAND, ECP},
    {DH_MODP_2048,     0, MODP},
    {DH_MODP_3072,     OPS_ON_DEMAND, MODP},
    {DH_MODP_4096,     OPS_ON_DEMAND, MODP},
    {DH_MODP_6144,     OPS_ON_DEMAND, MODP},
    {DH_MODP_8192,     OPS_ON_DEMAND, MODP},
    {DH_MODP_1536,     0, MODP},
    {DH_MODP_1024,     0, MODP},
    {DH_MODP_768,      OPS_ON_DEMAND, MODP},
    {DH_MODP_1024_160, OPS_ON_DEMAND, MODP},
    {DH_MODP_2048_224, OPS_ON_DEMAND, MODP},
    {DH_MODP_2048_256, OPS_ON_DEMAND, MODP},
};
// clang-format on

const plugin_desc openssl_plugin = {
    .abi = PLUGIN_ABI,
    .name = "openssl",
    .rngs = OPS_ROWS(rngs),
    .hashers = {ossl_hashers, OSSL_HASHERS},
    .crypters = {ossl_crypters, OSSL_CRYPTERS},
    .aeads = {ossl_aeads, OSSL_AEADS},
    .prfs = OPS_ROWS(prfs),
    .signers = OPS_ROWS(signers),
    .dhs = OPS_ROWS(dhs),
};
