/* The hmac plugin: HMAC PRFs and integrity algorithms over whichever hashers are loaded. */
#include "libstrongswan/crypto/hmac.h"

static status prf_init(void *self, const crypto *c, prf_alg alg, span key)
{
    return hmac_init(self, crypto_hasher_ops(c, prf_hash(alg)), key);
}

static status signer_init(void *self, const crypto *c, integ_alg alg, span key)
{
    return hmac_init(self, crypto_hasher_ops(c, hmac_integ_hash(alg)), key);
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
// clang-format on

const plugin_desc hmac_plugin = {
    .abi = PLUGIN_ABI,
    .name = "hmac",
    .prfs = OPS_ROWS(prfs),
    .signers = OPS_ROWS(signers),
};
