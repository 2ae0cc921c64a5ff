/* What the kernel's crypto calls our algorithms. RFC 4106 and its like are templates that take the salt with
 * the key. */
#include "libfreeswan/kernel/xfrm_priv.h"

// clang-format off
static const xfrm_alg encrs[] = {
    {ENCR_DES,               "cbc(des)",                        0,   false},
    {ENCR_3DES,              "cbc(des3_ede)",                   0,   false},
    {ENCR_CAST,              "cbc(cast5)",                      0,   false},
    {ENCR_BLOWFISH,          "cbc(blowfish)",                   0,   false},
    {ENCR_NULL,              "ecb(cipher_null)",                0,   false},
    {ENCR_AES_CBC,           "cbc(aes)",                        0,   false},
    {ENCR_AES_CTR,           "rfc3686(ctr(aes))",               0,   false},
    {ENCR_AES_CCM_8,         "rfc4309(ccm(aes))",               64,  true},
    {ENCR_AES_CCM_12,        "rfc4309(ccm(aes))",               96,  true},
    {ENCR_AES_CCM_16,        "rfc4309(ccm(aes))",               128, true},
    {ENCR_AES_GCM_8,         "rfc4106(gcm(aes))",               64,  true},
    {ENCR_AES_GCM_12,        "rfc4106(gcm(aes))",               96,  true},
    {ENCR_AES_GCM_16,        "rfc4106(gcm(aes))",               128, true},
    {ENCR_NULL_AES_GMAC,     "rfc4543(gcm(aes))",               128, true},
    {ENCR_CAMELLIA_CBC,      "cbc(camellia)",                   0,   false},
    {ENCR_CHACHA20_POLY1305, "rfc7539esp(chacha20,poly1305)",   128, true},
    {ENCR_SERPENT_CBC,       "cbc(serpent)",                    0,   false},
    {ENCR_TWOFISH_CBC,       "cbc(twofish)",                    0,   false},
};
static const xfrm_alg integs[] = {
    {INTEG_HMAC_MD5_96,       "hmac(md5)",    96,  false},
    {INTEG_HMAC_SHA1_96,      "hmac(sha1)",   96,  false},
    {INTEG_AES_XCBC_96,       "xcbc(aes)",    96,  false},
    {INTEG_HMAC_MD5_128,      "hmac(md5)",    128, false},
    {INTEG_HMAC_SHA1_160,     "hmac(sha1)",   160, false},
    {INTEG_AES_CMAC_96,       "cmac(aes)",    96,  false},
    {INTEG_HMAC_SHA2_256_128, "hmac(sha256)", 128, false},
    {INTEG_HMAC_SHA2_384_192, "hmac(sha384)", 192, false},
    {INTEG_HMAC_SHA2_512_256, "hmac(sha512)", 256, false},
    {INTEG_HMAC_SHA2_256_96,  "hmac(sha256)", 96,  false},
    {INTEG_HMAC_RIPEMD_160,   "hmac(rmd160)", 96,  false},
};
// clang-format on

static const xfrm_alg *find(const xfrm_alg *table, size_t n, uint16_t id)
{
    for (size_t i = 0; i < n; i++) {
        if (table[i].id == id)
            return &table[i];
    }
    return NULL;
}

const xfrm_alg *xfrm_encr(uint16_t id)
{
    return find(encrs, sizeof encrs / sizeof encrs[0], id);
}

const xfrm_alg *xfrm_integ(uint16_t id)
{
    return find(integs, sizeof integs / sizeof integs[0], id);
}

bool xfrm_has_alg(kernel *k, ipsec_proto proto, transform_type type, uint16_t alg, uint16_t key_bits)
{
    if (type == TRANSFORM_ENCR)
        return proto == PROTO_ESP && xfrm_encr(alg);
    if (type == TRANSFORM_INTEG)
        return (alg == INTEG_NONE && proto == PROTO_ESP) || xfrm_integ(alg);
    return type == TRANSFORM_ESN && (alg == ESN_NO || alg == ESN_YES);
}
