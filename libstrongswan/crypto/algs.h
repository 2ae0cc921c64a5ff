/* Numbers of algorithms. The IKEv2 transform numbers (IANA) are the suite's own numbering; what only IKEv1 or
 * the kernel knows has a private number >= 1024. IKEv1's numbers are mapped in libfreeswan/proposal.
 */
#pragma once
#include "libstrongswan/base/enumname.h"
#include <stdbool.h>

typedef enum encr_alg {
    ENCR_UNDEFINED = 0,
    ENCR_DES = 2,
    ENCR_3DES = 3,
    ENCR_CAST = 6,
    ENCR_BLOWFISH = 7,
    ENCR_NULL = 11,
    ENCR_AES_CBC = 12,
    ENCR_AES_CTR = 13,
    ENCR_AES_CCM_8 = 14,
    ENCR_AES_CCM_12 = 15,
    ENCR_AES_CCM_16 = 16,
    ENCR_AES_GCM_8 = 18,
    ENCR_AES_GCM_12 = 19,
    ENCR_AES_GCM_16 = 20,
    ENCR_NULL_AES_GMAC = 21,
    ENCR_CAMELLIA_CBC = 23,
    ENCR_CHACHA20_POLY1305 = 28,
    ENCR_SERPENT_CBC = 1024,
    ENCR_TWOFISH_CBC = 1025,
} encr_alg;

typedef enum prf_alg {
    PRF_UNDEFINED = 0,
    PRF_HMAC_MD5 = 1,
    PRF_HMAC_SHA1 = 2,
    PRF_AES128_XCBC = 4,
    PRF_HMAC_SHA2_256 = 5,
    PRF_HMAC_SHA2_384 = 6,
    PRF_HMAC_SHA2_512 = 7,
    PRF_AES128_CMAC = 8,
    PRF_FIPS_SHA1_160 = 1025, /* FIPS 186-2 generator, for EAP-SIM */
    PRF_KEYED_SHA1 = 1026,    /* SHA1(key ^ 0-padded …) of EAP-AKA */
} prf_alg;

typedef enum integ_alg {
    INTEG_NONE = 0,
    INTEG_HMAC_MD5_96 = 1,
    INTEG_HMAC_SHA1_96 = 2,
    INTEG_AES_XCBC_96 = 5,
    INTEG_HMAC_MD5_128 = 6,
    INTEG_HMAC_SHA1_160 = 7,
    INTEG_AES_CMAC_96 = 8,
    INTEG_AES128_GMAC = 9,
    INTEG_AES192_GMAC = 10,
    INTEG_AES256_GMAC = 11,
    INTEG_HMAC_SHA2_256_128 = 12,
    INTEG_HMAC_SHA2_384_192 = 13,
    INTEG_HMAC_SHA2_512_256 = 14,
    INTEG_HMAC_SHA2_256_96 = 1026, /* draft truncation, peers of the 4.2 age: `sha256_96` */
    INTEG_HMAC_RIPEMD_160 = 1027,
} integ_alg;

typedef enum dh_group {
    DH_NONE = 0,
    DH_MODP_768 = 1,
    DH_MODP_1024 = 2,
    DH_MODP_1536 = 5,
    DH_MODP_2048 = 14,
    DH_MODP_3072 = 15,
    DH_MODP_4096 = 16,
    DH_MODP_6144 = 17,
    DH_MODP_8192 = 18,
    DH_ECP_256 = 19,
    DH_ECP_384 = 20,
    DH_ECP_521 = 21,
    DH_MODP_1024_160 = 22, /* RFC 5114 */
    DH_MODP_2048_224 = 23,
    DH_MODP_2048_256 = 24,
    DH_ECP_192 = 25,
    DH_ECP_224 = 26,
    DH_CURVE25519 = 31,
    DH_CURVE448 = 32,
} dh_group;

typedef enum esn_alg { ESN_NO = 0, ESN_YES = 1 } esn_alg;

typedef enum hash_alg { /* RFC 7427 numbers, private from 1024 */
                        HASH_UNDEFINED = 0,
                        HASH_SHA1 = 1,
                        HASH_SHA2_256 = 2,
                        HASH_SHA2_384 = 3,
                        HASH_SHA2_512 = 4,
                        HASH_IDENTITY = 5, /* Ed25519, Ed448 */
                        HASH_MD5 = 1024,
                        HASH_SHA2_224 = 1025,
                        HASH_MD4 = 1026,
} hash_alg;

typedef enum transform_type {
    TRANSFORM_ENCR = 1,
    TRANSFORM_PRF = 2,
    TRANSFORM_INTEG = 3,
    TRANSFORM_DH = 4,
    TRANSFORM_ESN = 5,
} transform_type;

enum { MAX_HASH_BYTES = 64, MAX_IV_BYTES = 16, MAX_ICV_BYTES = 32, MAX_DH_BYTES = 1024, MAX_KEY_BYTES = 72 };

/* Names as the field prints them: "AES_CBC", "HMAC_SHA1_96", "PRF_HMAC_SHA1", "MODP_2048" (charon's
 * spelling). */
extern const enum_names encr_names, prf_names, integ_names, dh_names, hash_names, esn_names,
    transform_type_names;
/* the table of a transform type; NULL for an unknown one */
const enum_names *transform_names(uint8_t type);
bool encr_is_aead(uint16_t alg);
/* The hash inside an HMAC PRF or signature, HASH_UNDEFINED if none. */
hash_alg prf_hash(prf_alg alg);
