/* The xcbc plugin: AES-XCBC-MAC-96 (RFC 3566) and AES-XCBC-PRF-128 (RFC 4434) over whichever AES-CBC is
 * loaded. */
#include "libstrongswan/crypto/cbcmac.h"
#include "libstrongswan/crypto/plugin.h"

/* K1 = AES(K, 0x01…), K2 = AES(K, 0x02…) for whole last blocks, K3 = AES(K, 0x03…) for padded ones; K1 does
 * the work */
static status set_key(cbcmac *m, const crypto *c, span key)
{
    uint8_t k1[CBCMAC_BLOCK];
    memset(k1, 1, sizeof k1);
    memset(m->whole, 2, sizeof m->whole);
    memset(m->padded, 3, sizeof m->padded);
    status st = cbcmac_key(m, c, key);
    if (st == ST_OK)
        st = cbcmac_block(m, k1, k1);
    if (st == ST_OK)
        st = cbcmac_block(m, m->whole, m->whole);
    if (st == ST_OK)
        st = cbcmac_block(m, m->padded, m->padded);
    if (st == ST_OK)
        st = cbcmac_key(m, c, SPAN_ARRAY(k1));
    wipe(k1, sizeof k1);
    return st;
}

/* RFC 4434: shorter keys are padded with zeros, longer ones are hashed with the zero key. */
static status prf_init(void *self, const crypto *c, prf_alg alg, span key)
{
    uint8_t k[CBCMAC_BLOCK] = {0};
    status st = ST_OK;
    if (key.n > sizeof k) {
        st = set_key(self, c, SPAN_ARRAY(k));
        if (st == ST_OK)
            st = cbcmac_compute(self, &key, 1, k);
    } else if (key.n) {
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

static const prf_ops prfs[] = {{PRF_AES128_XCBC, 0, sizeof(cbcmac), prf_init, cbcmac_fini, cbcmac_compute}};
static const signer_ops signers[] = {
    {INTEG_AES_XCBC_96, 0, sizeof(cbcmac), signer_init, cbcmac_fini, cbcmac_compute}};

const plugin_desc xcbc_plugin = {
    .abi = PLUGIN_ABI, .name = "xcbc", .prfs = OPS_ROWS(prfs), .signers = OPS_ROWS(signers)};
