/* What is fixed about every algorithm: its name and its sizes. Tables only; who implements it is the
 * registry's business (crypto.c).
 */
#include "libstrongswan/crypto/algs.h"
#include "libstrongswan/crypto/crypto.h"

// clang-format off
ENUM_NAMES(encr_names,
    {ENCR_DES, "DES_CBC"},
    {ENCR_3DES, "3DES_CBC"},
    {ENCR_CAST, "CAST_CBC"},
    {ENCR_BLOWFISH, "BLOWFISH_CBC"},
    {ENCR_NULL, "NULL"},
    {ENCR_AES_CBC, "AES_CBC"},
    {ENCR_AES_CTR, "AES_CTR"},
    {ENCR_AES_CCM_8, "AES_CCM_8"},
    {ENCR_AES_CCM_12, "AES_CCM_12"},
    {ENCR_AES_CCM_16, "AES_CCM_16"},
    {ENCR_AES_GCM_8, "AES_GCM_8"},
    {ENCR_AES_GCM_12, "AES_GCM_12"},
    {ENCR_AES_GCM_16, "AES_GCM_16"},
    {ENCR_NULL_AES_GMAC, "NULL_AES_GMAC"},
    {ENCR_CAMELLIA_CBC, "CAMELLIA_CBC"},
    {ENCR_CHACHA20_POLY1305, "CHACHA20_POLY1305"},
    {ENCR_SERPENT_CBC, "SERPENT_CBC"},
    {ENCR_TWOFISH_CBC, "TWOFISH_CBC"});
ENUM_NAMES(prf_names,
    {PRF_HMAC_MD5, "PRF_HMAC_MD5"},
    {PRF_HMAC_SHA1, "PRF_HMAC_SHA1"},
    {PRF_AES128_XCBC, "PRF_AES128_XCBC"},
    {PRF_HMAC_SHA2_256, "PRF_HMAC_SHA2_256"},
    {PRF_HMAC_SHA2_384, "PRF_HMAC_SHA2_384"},
    {PRF_HMAC_SHA2_512, "PRF_HMAC_SHA2_512"},
    {PRF_AES128_CMAC, "PRF_AES128_CMAC"},
    {PRF_FIPS_SHA1_160, "PRF_FIPS_SHA1_160"},
    {PRF_KEYED_SHA1, "PRF_KEYED_SHA1"});
ENUM_NAMES(integ_names,
    {INTEG_NONE, "NONE"},
    {INTEG_HMAC_MD5_96, "HMAC_MD5_96"},
    {INTEG_HMAC_SHA1_96, "HMAC_SHA1_96"},
    {INTEG_AES_XCBC_96, "AES_XCBC_96"},
    {INTEG_HMAC_MD5_128, "HMAC_MD5_128"},
    {INTEG_HMAC_SHA1_160, "HMAC_SHA1_160"},
    {INTEG_AES_CMAC_96, "AES_CMAC_96"},
    {INTEG_AES128_GMAC, "AES_128_GMAC"},
    {INTEG_AES192_GMAC, "AES_192_GMAC"},
    {INTEG_AES256_GMAC, "AES_256_GMAC"},
    {INTEG_HMAC_SHA2_256_128, "HMAC_SHA2_256_128"},
    {INTEG_HMAC_SHA2_384_192, "HMAC_SHA2_384_192"},
    {INTEG_HMAC_SHA2_512_256, "HMAC_SHA2_512_256"},
    {INTEG_HMAC_SHA2_256_96, "HMAC_SHA2_256_96"},
    {INTEG_HMAC_RIPEMD_160, "HMAC_RIPEMD_160"});
ENUM_NAMES(dh_names,
    {DH_NONE, "MODP_NONE"},
    {DH_MODP_768, "MODP_768"},
    {DH_MODP_1024, "MODP_1024"},
    {DH_MODP_1536, "MODP_1536"},
    {DH_MODP_2048, "MODP_2048"},
    {DH_MODP_3072, "MODP_3072"},
    {DH_MODP_4096, "MODP_4096"},
    {DH_MODP_6144, "MODP_6144"},
    {DH_MODP_8192, "MODP_8192"},
    {DH_ECP_256, "ECP_256"},
    {DH_ECP_384, "ECP_384"},
    {DH_ECP_521, "ECP_521"},
    {DH_MODP_1024_160, "MODP_1024_160"},
    {DH_MODP_2048_224, "MODP_2048_224"},
    {DH_MODP_2048_256, "MODP_2048_256"},
    {DH_ECP_192, "ECP_192"},
    {DH_ECP_224, "ECP_224"},
    {DH_CURVE25519, "CURVE_25519"},
    {DH_CURVE448, "CURVE_448"});
ENUM_NAMES(hash_names,
    {HASH_SHA1, "HASH_SHA1"},
    {HASH_SHA2_256, "HASH_SHA2_256"},
    {HASH_SHA2_384, "HASH_SHA2_384"},
    {HASH_SHA2_512, "HASH_SHA2_512"},
    {HASH_IDENTITY, "HASH_IDENTITY"},
    {HASH_MD5, "HASH_MD5"},
    {HASH_SHA2_224, "HASH_SHA2_224"},
    {HASH_MD4, "HASH_MD4"});
ENUM_NAMES(esn_names,
    {ESN_NO, "NO_EXT_SEQ"},
    {ESN_YES, "EXT_SEQ"});
ENUM_NAMES(transform_type_names,
    {TRANSFORM_ENCR, "ENCRYPTION_ALGORITHM"},
    {TRANSFORM_PRF, "PSEUDO_RANDOM_FUNCTION"},
    {TRANSFORM_INTEG, "INTEGRITY_ALGORITHM"},
    {TRANSFORM_DH, "DIFFIE_HELLMAN_GROUP"},
    {TRANSFORM_ESN, "EXTENDED_SEQUENCE_NUMBERS"});

typedef struct encr_sizes {
    uint16_t alg;
    uint8_t key;   /* octets without the salt when no key length is negotiated */
    bool variable; /* the negotiated key length decides */
    uint8_t salt, iv, block, icv;
} encr_sizes;

static const encr_sizes encr_table[] = {
    /*                        key  var   salt iv block icv */
    {ENCR_DES,                 8, false,  0,  8,  8,  0},
    {ENCR_3DES,               24, false,  0,  8,  8,  0},
    {ENCR_CAST,               16, true,   0,  8,  8,  0},
    {ENCR_BLOWFISH,           16, true,   0,  8,  8,  0},
    {ENCR_NULL,                0, false,  0,  0,  1,  0},
    {ENCR_AES_CBC,            16, true,   0, 16, 16,  0},
    {ENCR_AES_CTR,            16, true,   4,  8,  1,  0},
    {ENCR_AES_CCM_8,          16, true,   3,  8,  1,  8},
    {ENCR_AES_CCM_12,         16, true,   3,  8,  1, 12},
    {ENCR_AES_CCM_16,         16, true,   3,  8,  1, 16},
    {ENCR_AES_GCM_8,          16, true,   4,  8,  1,  8},
    {ENCR_AES_GCM_12,         16, true,   4,  8,  1, 12},
    {ENCR_AES_GCM_16,         16, true,   4,  8,  1, 16},
    {ENCR_NULL_AES_GMAC,      16, true,   4,  8,  1, 16},
    {ENCR_CAMELLIA_CBC,       16, true,   0, 16, 16,  0},
    {ENCR_CHACHA20_POLY1305,  32, false,  4,  8,  1, 16},
    {ENCR_SERPENT_CBC,        16, true,   0, 16, 16,  0},
    {ENCR_TWOFISH_CBC,        16, true,   0, 16, 16,  0},
};

typedef struct integ_sizes {
    uint16_t alg;
    uint8_t key, icv;
} integ_sizes;

static const integ_sizes integ_table[] = {
    {INTEG_HMAC_MD5_96,       16, 12},
    {INTEG_HMAC_SHA1_96,      20, 12},
    {INTEG_AES_XCBC_96,       16, 12},
    {INTEG_HMAC_MD5_128,      16, 16},
    {INTEG_HMAC_SHA1_160,     20, 20},
    {INTEG_AES_CMAC_96,       16, 12},
    {INTEG_AES128_GMAC,       20, 16},
    {INTEG_AES192_GMAC,       28, 16},
    {INTEG_AES256_GMAC,       36, 16},
    {INTEG_HMAC_SHA2_256_128, 32, 16},
    {INTEG_HMAC_SHA2_384_192, 48, 24},
    {INTEG_HMAC_SHA2_512_256, 64, 32},
    {INTEG_HMAC_SHA2_256_96,  32, 12},
    {INTEG_HMAC_RIPEMD_160,   20, 12},
};

typedef struct prf_row {
    uint16_t alg, hash;
    uint8_t out;
} prf_row;

static const prf_row prf_table[] = {
    {PRF_HMAC_MD5,      HASH_MD5,       16},
    {PRF_HMAC_SHA1,     HASH_SHA1,      20},
    {PRF_AES128_XCBC,   HASH_UNDEFINED, 16},
    {PRF_HMAC_SHA2_256, HASH_SHA2_256,  32},
    {PRF_HMAC_SHA2_384, HASH_SHA2_384,  48},
    {PRF_HMAC_SHA2_512, HASH_SHA2_512,  64},
    {PRF_AES128_CMAC,   HASH_UNDEFINED, 16},
    {PRF_FIPS_SHA1_160, HASH_UNDEFINED, 40},
    {PRF_KEYED_SHA1,    HASH_SHA1,      20},
};

typedef struct dh_sizes {
    uint16_t group, public_bytes;
} dh_sizes;

static const dh_sizes dh_table[] = {
    {DH_MODP_768, 96},       {DH_MODP_1024, 128},     {DH_MODP_1536, 192},     {DH_MODP_2048, 256},
    {DH_MODP_3072, 384},     {DH_MODP_4096, 512},     {DH_MODP_6144, 768},     {DH_MODP_8192, 1024},
    {DH_MODP_1024_160, 128}, {DH_MODP_2048_224, 256}, {DH_MODP_2048_256, 256},
    {DH_ECP_192, 48},        {DH_ECP_224, 56},        {DH_ECP_256, 64},        {DH_ECP_384, 96},
    {DH_ECP_521, 132},       {DH_CURVE25519, 32},     {DH_CURVE448, 56},
};
// clang-format on

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

const enum_names *transform_names(uint8_t type)
{
    switch (type) {
    case TRANSFORM_ENCR:
        return &encr_names;
    case TRANSFORM_PRF:
        return &prf_names;
    case TRANSFORM_INTEG:
        return &integ_names;
    case TRANSFORM_DH:
        return &dh_names;
    case TRANSFORM_ESN:
        return &esn_names;
    default:
        return NULL;
    }
}

static const encr_sizes *encr_find(uint16_t alg)
{
    static const encr_sizes none;
    for (size_t i = 0; i < ROWS(encr_table); i++)
        if (encr_table[i].alg == alg)
            return &encr_table[i];
    return &none;
}

bool encr_is_aead(uint16_t alg)
{
    return encr_find(alg)->icv != 0;
}

size_t encr_keymat_bytes(encr_alg alg, uint16_t key_bits)
{
    const encr_sizes *s = encr_find(alg);
    if (!s->alg)
        return 0;
    size_t key = s->variable && key_bits ? key_bits / 8u : s->key;
    return key + s->salt;
}

size_t encr_iv_bytes(encr_alg alg)
{
    return encr_find(alg)->iv;
}

size_t encr_block_bytes(encr_alg alg)
{
    return encr_find(alg)->block;
}

size_t encr_icv_bytes(encr_alg alg)
{
    return encr_find(alg)->icv;
}

size_t encr_salt_bytes(encr_alg alg)
{
    return encr_find(alg)->salt;
}

static const integ_sizes *integ_find(uint16_t alg)
{
    static const integ_sizes none;
    for (size_t i = 0; i < ROWS(integ_table); i++)
        if (integ_table[i].alg == alg)
            return &integ_table[i];
    return &none;
}

size_t integ_key_bytes(integ_alg alg)
{
    return integ_find(alg)->key;
}

size_t integ_icv_bytes(integ_alg alg)
{
    return integ_find(alg)->icv;
}

static const prf_row *prf_find(uint16_t alg)
{
    static const prf_row none;
    for (size_t i = 0; i < ROWS(prf_table); i++)
        if (prf_table[i].alg == alg)
            return &prf_table[i];
    return &none;
}

size_t prf_out_bytes(prf_alg alg)
{
    return prf_find(alg)->out;
}

size_t prf_key_bytes(prf_alg alg)
{
    /* the FIPS generator is keyed with 160 bits although it gives 320 a time */
    return alg == PRF_FIPS_SHA1_160 ? 20 : prf_find(alg)->out;
}

hash_alg prf_hash(prf_alg alg)
{
    return (hash_alg)prf_find(alg)->hash;
}

size_t dh_public_bytes(dh_group group)
{
    for (size_t i = 0; i < ROWS(dh_table); i++)
        if (dh_table[i].group == (uint16_t)group)
            return dh_table[i].public_bytes;
    return 0;
}

size_t hash_bytes_of(hash_alg alg)
{
    switch (alg) {
    case HASH_MD4:
    case HASH_MD5:
        return 16;
    case HASH_SHA1:
        return 20;
    case HASH_SHA2_224:
        return 28;
    case HASH_SHA2_256:
        return 32;
    case HASH_SHA2_384:
        return 48;
    case HASH_SHA2_512:
        return 64;
    default:
        return 0;
    }
}
