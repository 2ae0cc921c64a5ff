/* The table of words behind `ike=` and `esp=`. Names of FreeS/WAN, strongSwan and libreswan stand side by
 * side; a '*' in a name is the place of an optional key length. A word may have two rows when it means
 * something else for AH.
 */
#include "libfreeswan/proposal/tokens.h"

#include <ctype.h>

#define IE  (TOKEN_IKE | TOKEN_ESP)
#define IEH (TOKEN_IKE | TOKEN_ESP | TOKEN_HINT)
#define IEA (TOKEN_IKE | TOKEN_ESP | TOKEN_AH)
#define ALL (TOKEN_IKE | TOKEN_ESP | TOKEN_AH | TOKEN_HINT)

// clang-format off
static const proposal_token tokens[] = {
    {"aes*",             TRANSFORM_ENCR,  IEH, ENCR_AES_CBC,             128, 256},
    {"aes_cbc*",         TRANSFORM_ENCR,  IE,  ENCR_AES_CBC,             128, 256},
    {"aes*gcm16",        TRANSFORM_ENCR,  IEH, ENCR_AES_GCM_16,          128, 256},
    {"aes*gcm128",       TRANSFORM_ENCR,  IE,  ENCR_AES_GCM_16,          128, 256},
    {"aes*gcm12",        TRANSFORM_ENCR,  IE,  ENCR_AES_GCM_12,          128, 256},
    {"aes*gcm96",        TRANSFORM_ENCR,  IE,  ENCR_AES_GCM_12,          128, 256},
    {"aes*gcm8",         TRANSFORM_ENCR,  IE,  ENCR_AES_GCM_8,           128, 256},
    {"aes*gcm64",        TRANSFORM_ENCR,  IE,  ENCR_AES_GCM_8,           128, 256},
    {"aes*gcm",          TRANSFORM_ENCR,  IE,  ENCR_AES_GCM_16,          128, 256},
    {"aes_gcm*",         TRANSFORM_ENCR,  IE,  ENCR_AES_GCM_16,          128, 256},
    {"aes_gcm_c*",       TRANSFORM_ENCR,  IE,  ENCR_AES_GCM_16,          128, 256},
    {"aes_gcm_16*",      TRANSFORM_ENCR,  IE,  ENCR_AES_GCM_16,          128, 256},
    {"aes_gcm_b*",       TRANSFORM_ENCR,  IE,  ENCR_AES_GCM_12,          128, 256},
    {"aes_gcm_a*",       TRANSFORM_ENCR,  IE,  ENCR_AES_GCM_8,           128, 256},
    {"aes*ccm16",        TRANSFORM_ENCR,  IE,  ENCR_AES_CCM_16,          128, 256},
    {"aes*ccm128",       TRANSFORM_ENCR,  IE,  ENCR_AES_CCM_16,          128, 256},
    {"aes*ccm12",        TRANSFORM_ENCR,  IE,  ENCR_AES_CCM_12,          128, 256},
    {"aes*ccm96",        TRANSFORM_ENCR,  IE,  ENCR_AES_CCM_12,          128, 256},
    {"aes*ccm8",         TRANSFORM_ENCR,  IE,  ENCR_AES_CCM_8,           128, 256},
    {"aes*ccm64",        TRANSFORM_ENCR,  IE,  ENCR_AES_CCM_8,           128, 256},
    {"aes*ccm",          TRANSFORM_ENCR,  IE,  ENCR_AES_CCM_16,          128, 256},
    {"aes_ccm*",         TRANSFORM_ENCR,  IE,  ENCR_AES_CCM_16,          128, 256},
    {"aes_ccm_c*",       TRANSFORM_ENCR,  IE,  ENCR_AES_CCM_16,          128, 256},
    {"aes_ccm_b*",       TRANSFORM_ENCR,  IE,  ENCR_AES_CCM_12,          128, 256},
    {"aes_ccm_a*",       TRANSFORM_ENCR,  IE,  ENCR_AES_CCM_8,           128, 256},
    {"aes*ctr",          TRANSFORM_ENCR,  IE,  ENCR_AES_CTR,             128, 256},
    {"aes_ctr*",         TRANSFORM_ENCR,  IE,  ENCR_AES_CTR,             128, 256},
    {"aes*gmac",         TRANSFORM_ENCR,  TOKEN_ESP, ENCR_NULL_AES_GMAC, 128, 256},
    {"aes_gmac*",        TRANSFORM_ENCR,  TOKEN_ESP, ENCR_NULL_AES_GMAC, 128, 256},
    {"null_auth_aes_gmac*", TRANSFORM_ENCR, TOKEN_ESP, ENCR_NULL_AES_GMAC, 128, 256},
    {"chacha20poly1305", TRANSFORM_ENCR,  IEH, ENCR_CHACHA20_POLY1305,   0, 0},
    {"chacha20_poly1305", TRANSFORM_ENCR, IE,  ENCR_CHACHA20_POLY1305,   0, 0},
    {"camellia*",        TRANSFORM_ENCR,  IEH, ENCR_CAMELLIA_CBC,        128, 256},
    {"camellia_cbc*",    TRANSFORM_ENCR,  IE,  ENCR_CAMELLIA_CBC,        128, 256},
    {"3des",             TRANSFORM_ENCR,  IEH, ENCR_3DES,                0, 0},
    {"3des_cbc",         TRANSFORM_ENCR,  IE,  ENCR_3DES,                0, 0},
    {"des",              TRANSFORM_ENCR,  IE,  ENCR_DES,                 0, 0},
    {"cast",             TRANSFORM_ENCR,  IE,  ENCR_CAST,                0, 0},
    {"cast128",          TRANSFORM_ENCR,  IE,  ENCR_CAST,                0, 0},
    {"blowfish*",        TRANSFORM_ENCR,  IE,  ENCR_BLOWFISH,            128, 448},
    {"serpent*",         TRANSFORM_ENCR,  IE,  ENCR_SERPENT_CBC,         128, 256},
    {"twofish*",         TRANSFORM_ENCR,  IE,  ENCR_TWOFISH_CBC,         128, 256},
    {"twofish_ssh*",     TRANSFORM_ENCR,  IE,  ENCR_TWOFISH_CBC,         128, 256},
    {"null",             TRANSFORM_ENCR,  TOKEN_ESP, ENCR_NULL,          0, 0},

    {"sha256",           TRANSFORM_INTEG, ALL, INTEG_HMAC_SHA2_256_128,  0, 0},
    {"sha2_256",         TRANSFORM_INTEG, IEA, INTEG_HMAC_SHA2_256_128,  0, 0},
    {"sha2",             TRANSFORM_INTEG, IEA, INTEG_HMAC_SHA2_256_128,  0, 0},
    {"hmac_sha2_256",    TRANSFORM_INTEG, IEA, INTEG_HMAC_SHA2_256_128,  0, 0},
    {"sha256_96",        TRANSFORM_INTEG, ALL, INTEG_HMAC_SHA2_256_96,   0, 0},
    {"sha2_256_96",      TRANSFORM_INTEG, IEA, INTEG_HMAC_SHA2_256_96,   0, 0},
    {"sha384",           TRANSFORM_INTEG, ALL, INTEG_HMAC_SHA2_384_192,  0, 0},
    {"sha2_384",         TRANSFORM_INTEG, IEA, INTEG_HMAC_SHA2_384_192,  0, 0},
    {"hmac_sha2_384",    TRANSFORM_INTEG, IEA, INTEG_HMAC_SHA2_384_192,  0, 0},
    {"sha512",           TRANSFORM_INTEG, ALL, INTEG_HMAC_SHA2_512_256,  0, 0},
    {"sha2_512",         TRANSFORM_INTEG, IEA, INTEG_HMAC_SHA2_512_256,  0, 0},
    {"hmac_sha2_512",    TRANSFORM_INTEG, IEA, INTEG_HMAC_SHA2_512_256,  0, 0},
    {"sha1",             TRANSFORM_INTEG, ALL, INTEG_HMAC_SHA1_96,       0, 0},
    {"sha",              TRANSFORM_INTEG, IEA, INTEG_HMAC_SHA1_96,       0, 0},
    {"hmac_sha1",        TRANSFORM_INTEG, IEA, INTEG_HMAC_SHA1_96,       0, 0},
    {"sha1_160",         TRANSFORM_INTEG, IEA, INTEG_HMAC_SHA1_160,      0, 0},
    {"md5",              TRANSFORM_INTEG, ALL, INTEG_HMAC_MD5_96,        0, 0},
    {"hmac_md5",         TRANSFORM_INTEG, IEA, INTEG_HMAC_MD5_96,        0, 0},
    {"md5_128",          TRANSFORM_INTEG, IEA, INTEG_HMAC_MD5_128,       0, 0},
    {"aesxcbc",          TRANSFORM_INTEG, ALL, INTEG_AES_XCBC_96,        0, 0},
    {"aes_xcbc",         TRANSFORM_INTEG, IEA, INTEG_AES_XCBC_96,        0, 0},
    {"aes_xcbc_mac",     TRANSFORM_INTEG, IEA, INTEG_AES_XCBC_96,        0, 0},
    {"aescmac",          TRANSFORM_INTEG, ALL, INTEG_AES_CMAC_96,        0, 0},
    {"aes_cmac",         TRANSFORM_INTEG, IEA, INTEG_AES_CMAC_96,        0, 0},
    {"ripemd",           TRANSFORM_INTEG, TOKEN_ESP | TOKEN_AH, INTEG_HMAC_RIPEMD_160, 0, 0},
    {"ripemd160",        TRANSFORM_INTEG, TOKEN_ESP | TOKEN_AH, INTEG_HMAC_RIPEMD_160, 0, 0},
    {"aes128gmac",       TRANSFORM_INTEG, TOKEN_AH, INTEG_AES128_GMAC,   0, 0},
    {"aes192gmac",       TRANSFORM_INTEG, TOKEN_AH, INTEG_AES192_GMAC,   0, 0},
    {"aes256gmac",       TRANSFORM_INTEG, TOKEN_AH, INTEG_AES256_GMAC,   0, 0},

    {"prfsha256",        TRANSFORM_PRF,   TOKEN_IKE | TOKEN_HINT, PRF_HMAC_SHA2_256, 0, 0},
    {"prfsha384",        TRANSFORM_PRF,   TOKEN_IKE | TOKEN_HINT, PRF_HMAC_SHA2_384, 0, 0},
    {"prfsha512",        TRANSFORM_PRF,   TOKEN_IKE | TOKEN_HINT, PRF_HMAC_SHA2_512, 0, 0},
    {"prfsha1",          TRANSFORM_PRF,   TOKEN_IKE | TOKEN_HINT, PRF_HMAC_SHA1,     0, 0},
    {"prfmd5",           TRANSFORM_PRF,   TOKEN_IKE, PRF_HMAC_MD5,                   0, 0},
    {"prfaesxcbc",       TRANSFORM_PRF,   TOKEN_IKE, PRF_AES128_XCBC,                0, 0},
    {"prfaescmac",       TRANSFORM_PRF,   TOKEN_IKE, PRF_AES128_CMAC,                0, 0},

    {"curve25519",       TRANSFORM_DH,    ALL, DH_CURVE25519,    0, 0},
    {"x25519",           TRANSFORM_DH,    IEA, DH_CURVE25519,    0, 0},
    {"curve448",         TRANSFORM_DH,    ALL, DH_CURVE448,      0, 0},
    {"x448",             TRANSFORM_DH,    IEA, DH_CURVE448,      0, 0},
    {"ecp256",           TRANSFORM_DH,    ALL, DH_ECP_256,       0, 0},
    {"ecp384",           TRANSFORM_DH,    ALL, DH_ECP_384,       0, 0},
    {"ecp521",           TRANSFORM_DH,    ALL, DH_ECP_521,       0, 0},
    {"ecp224",           TRANSFORM_DH,    IEA, DH_ECP_224,       0, 0},
    {"ecp192",           TRANSFORM_DH,    IEA, DH_ECP_192,       0, 0},
    {"modp2048",         TRANSFORM_DH,    ALL, DH_MODP_2048,     0, 0},
    {"modp3072",         TRANSFORM_DH,    ALL, DH_MODP_3072,     0, 0},
    {"modp4096",         TRANSFORM_DH,    ALL, DH_MODP_4096,     0, 0},
    {"modp6144",         TRANSFORM_DH,    ALL, DH_MODP_6144,     0, 0},
    {"modp8192",         TRANSFORM_DH,    ALL, DH_MODP_8192,     0, 0},
    {"modp1536",         TRANSFORM_DH,    ALL, DH_MODP_1536,     0, 0},
    {"modp1024",         TRANSFORM_DH,    ALL, DH_MODP_1024,     0, 0},
    {"modp768",          TRANSFORM_DH,    IEA, DH_MODP_768,      0, 0},
    {"modp1024s160",     TRANSFORM_DH,    IEA, DH_MODP_1024_160, 0, 0},
    {"modp2048s224",     TRANSFORM_DH,    IEA, DH_MODP_2048_224, 0, 0},
    {"modp2048s256",     TRANSFORM_DH,    IEA, DH_MODP_2048_256, 0, 0},
    {"modpnone",         TRANSFORM_DH,    TOKEN_ESP | TOKEN_AH, DH_NONE, 0, 0},
    {"dh2",              TRANSFORM_DH,    IEA, DH_MODP_1024,     0, 0},
    {"dh5",              TRANSFORM_DH,    IEA, DH_MODP_1536,     0, 0},
    {"dh14",             TRANSFORM_DH,    IEA, DH_MODP_2048,     0, 0},
    {"dh15",             TRANSFORM_DH,    IEA, DH_MODP_3072,     0, 0},
    {"dh16",             TRANSFORM_DH,    IEA, DH_MODP_4096,     0, 0},
    {"dh17",             TRANSFORM_DH,    IEA, DH_MODP_6144,     0, 0},
    {"dh18",             TRANSFORM_DH,    IEA, DH_MODP_8192,     0, 0},
    {"dh19",             TRANSFORM_DH,    IEA, DH_ECP_256,       0, 0},
    {"dh20",             TRANSFORM_DH,    IEA, DH_ECP_384,       0, 0},
    {"dh21",             TRANSFORM_DH,    IEA, DH_ECP_521,       0, 0},
    {"dh22",             TRANSFORM_DH,    IEA, DH_MODP_1024_160, 0, 0},
    {"dh23",             TRANSFORM_DH,    IEA, DH_MODP_2048_224, 0, 0},
    {"dh24",             TRANSFORM_DH,    IEA, DH_MODP_2048_256, 0, 0},
    {"dh31",             TRANSFORM_DH,    IEA, DH_CURVE25519,    0, 0},
    {"dh32",             TRANSFORM_DH,    IEA, DH_CURVE448,      0, 0},

    {"noesn",            TRANSFORM_ESN,   TOKEN_ESP | TOKEN_AH | TOKEN_HINT, ESN_NO,  0, 0},
    {"esn",              TRANSFORM_ESN,   TOKEN_ESP | TOKEN_AH | TOKEN_HINT, ESN_YES, 0, 0},
};
// clang-format on

/* Matches word against a name with an optional number at its '*'. */
static bool token_matches(const char *name, span word, uint16_t *bits)
{
    const char *star = strchr(name, '*');
    if (!star)
        return span_equal(word, span_str(name));
    size_t head = (size_t)(star - name), tail = strlen(star + 1);
    if (word.n < head + tail || memcmp(word.p, name, head) != 0 ||
        memcmp(word.p + word.n - tail, star + 1, tail) != 0)
        return false;
    span digits = span_of(word.p + head, word.n - head - tail);
    uint64_t v = 0;
    if (digits.n > 1 && digits.p[0] == '_') /* libreswan's aes_cbc_256 */
        digits = span_skip(digits, 1);
    if (digits.n > 3)
        return false;
    for (size_t i = 0; i < digits.n; i++) {
        if (!isdigit(digits.p[i]))
            return false;
        v = v * 10 + (uint64_t)(digits.p[i] - '0');
    }
    *bits = (uint16_t)v;
    return true;
}

const proposal_token *proposal_token_find(span word, uint8_t where, uint16_t *bits)
{
    const proposal_token *elsewhere = NULL;
    uint16_t v;
    *bits = 0;
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        v = 0;
        if (!token_matches(tokens[i].name, word, &v))
            continue;
        if (tokens[i].where & where) {
            *bits = v;
            return &tokens[i];
        }
        if (!elsewhere) {
            elsewhere = &tokens[i];
            *bits = v;
        }
    }
    return elsewhere;
}

bool proposal_token_bits(const proposal_token *t, uint16_t *bits)
{
    uint16_t v = *bits;
    if (!t->max_bits)
        return false;
    if (encr_is_aead(t->id) && (v == 160 || v == 224 || v == 288))
        v = (uint16_t)(v - 32);
    if (v < t->min_bits || v > t->max_bits || v % (t->max_bits == 256 ? 64 : 8))
        return false;
    *bits = v;
    return true;
}

void proposal_token_hints(msgbuf *msg, uint8_t type, uint8_t where)
{
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        const proposal_token *t = &tokens[i];
        const char *star = strchr(t->name, '*');
        if (t->type != type || !(t->where & TOKEN_HINT) || !(t->where & where))
            continue;
        if (star)
            msg_add(msg, " %.*s128%s %.*s256%s", (int)(star - t->name), t->name, star + 1,
                    (int)(star - t->name), t->name, star + 1);
        else
            msg_add(msg, " %s", t->name);
    }
}
