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
#define MODP 0, sizeof(modp_key), ossl_modp_init, ossl_modp_fini, ossl_modp_public, ossl_modp_compute
#define ECP  0, sizeof(ecp_key),  ossl_ecp_init,  ossl_ecp_fini,  ossl_ecp_public,  ossl_ecp_compute
#define XDH  0, sizeof(xdh_key),  ossl_xdh_init,  ossl_xdh_fini,  ossl_xdh_public,  ossl_xdh_compute
static const dh_ops dhs[] = {
    {DH_CURVE25519, XDH},     {DH_CURVE448, XDH},       {DH_ECP_256, ECP},    {DH_ECP_384, ECP},
    {DH_ECP_521, ECP},        {DH_ECP_224, ECP},        {DH_ECP_192, ECP},    {DH_MODP_2048, MODP},
    {DH_MODP_3072, MODP},     {DH_MODP_4096, MODP},     {DH_MODP_6144, MODP}, {DH_MODP_8192, MODP},
    {DH_MODP_1536, MODP},     {DH_MODP_1024, MODP},     {DH_MODP_768, MODP},  {DH_MODP_1024_160, MODP},
    {DH_MODP_2048_224, MODP}, {DH_MODP_2048_256, MODP},
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
