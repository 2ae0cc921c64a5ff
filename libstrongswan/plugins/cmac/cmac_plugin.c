/* The cmac plugin: AES-CMAC-96 (RFC 4494) and AES-CMAC-PRF-128 (RFC 4615) over whichever AES-CBC is loaded.
 */
#include "libstrongswan/crypto/cbcmac.h"
#include "libstrongswan/crypto/plugin.h"

/* multiplication by x in GF(2^128), without a branch on the key's bits */
static void times_x(const uint8_t in[CBCMAC_BLOCK], uint8_t out[CBCMAC_BLOCK])
{
    unsigned top = in[0] >> 7;
    for (size_t i = 0; i < CBCMAC_BLOCK; i++)
        out[i] = (uint8_t)(in[i] << 1 | (i + 1 < CBCMAC_BLOCK ? in[i + 1] >> 7 : 0));
    out[CBCMAC_BLOCK - 1] ^= (uint8_t)(0x87 & -top);
}

static status set_key(cbcmac *m, const crypto *c, span key)
{
    uint8_t l[CBCMAC_BLOCK] = {0};
    status st = cbcmac_key(m, c, key);
    if (st == ST_OK)
        st = cbcmac_block(m, l, l);
    times_x(l, m->whole);
    times_x(m->whole, m->padded);
    wipe(l, sizeof l);
    return st;
}

/* RFC 4615: keys of any other length than 16 octets are hashed with the zero key. */
static status prf_init(void *self, const crypto *c, prf_alg alg, span key)
{
    uint8_t k[CBCMAC_BLOCK] = {0};
    status st = ST_OK;
    if (key.n != sizeof k) {
        st = set_key(self, c, SPAN_ARRAY(k));
        if (st == ST_OK)
            st = cbcmac_compute(self, &key, 1, k);
    } else {
        memcpy(k, key.p, key.n);
    }
    if (st == ST_OK)
        st = set_key(self, c, SPAN_ARRAY(k));
    wipe(k, sizeof k);
    return st;
}

static status signer_init(void *self, const crypto *c, integ_alg alg, span key)
{
    return set_key(self, c, key);
}

static const prf_ops prfs[] = {{PRF_AES128_CMAC, 0, sizeof(cbcmac), prf_init, cbcmac_fini, cbcmac_compute}};
static const signer_ops signers[] = {
    {INTEG_AES_CMAC_96, 0, sizeof(cbcmac), signer_init, cbcmac_fini, cbcmac_compute}};

const plugin_desc cmac_plugin = {
    .abi = PLUGIN_ABI, .name = "cmac", .prfs = OPS_ROWS(prfs), .signers = OPS_ROWS(signers)};
