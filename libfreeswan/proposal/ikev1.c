/* The numbers of IKEv1 (RFC 2409, RFC 2407 and their IANA registries) and the suite's own, both ways. 0 = has
 * none. */
#include "libfreeswan/proposal/proposal.h"

typedef struct number_pair {
    uint16_t own, ikev1;
} number_pair;

// clang-format off
static const number_pair oakley_encr[] = {
    {ENCR_DES, 1}, {ENCR_BLOWFISH, 3}, {ENCR_3DES, 5}, {ENCR_CAST, 6}, {ENCR_AES_CBC, 7}, {ENCR_CAMELLIA_CBC, 8},
    {ENCR_SERPENT_CBC, 65004}, {ENCR_TWOFISH_CBC, 65005}, {ENCR_TWOFISH_CBC, 65289 /* as SSH numbered it */},
};
static const number_pair oakley_hash[] = {
    {HASH_MD5, 1}, {HASH_SHA1, 2}, {HASH_SHA2_256, 4}, {HASH_SHA2_384, 5}, {HASH_SHA2_512, 6},
};
static const number_pair esp_transform[] = {
    {ENCR_DES, 2}, {ENCR_3DES, 3}, {ENCR_CAST, 6}, {ENCR_BLOWFISH, 7}, {ENCR_NULL, 11}, {ENCR_AES_CBC, 12},
    {ENCR_AES_CTR, 13}, {ENCR_AES_CCM_8, 14}, {ENCR_AES_CCM_12, 15}, {ENCR_AES_CCM_16, 16}, {ENCR_AES_GCM_8, 18},
    {ENCR_AES_GCM_12, 19}, {ENCR_AES_GCM_16, 20}, {ENCR_CAMELLIA_CBC, 22}, {ENCR_NULL_AES_GMAC, 23},
    {ENCR_SERPENT_CBC, 252}, {ENCR_TWOFISH_CBC, 253},
};
static const number_pair auth_attribute[] = {
    {INTEG_HMAC_MD5_96, 1}, {INTEG_HMAC_SHA1_96, 2}, {INTEG_HMAC_SHA2_256_128, 5}, {INTEG_HMAC_SHA2_384_192, 6},
    {INTEG_HMAC_SHA2_512_256, 7}, {INTEG_HMAC_RIPEMD_160, 8}, {INTEG_AES_XCBC_96, 9}, {INTEG_AES128_GMAC, 11},
    {INTEG_AES192_GMAC, 12}, {INTEG_AES256_GMAC, 13},
    {INTEG_HMAC_SHA2_256_96, 5 /* same number, other truncation: only our configuration knows */},
};
static const number_pair ah_transform[] = {
    {INTEG_HMAC_MD5_96, 2}, {INTEG_HMAC_SHA1_96, 3}, {INTEG_HMAC_SHA2_256_128, 5}, {INTEG_HMAC_SHA2_384_192, 6},
    {INTEG_HMAC_SHA2_512_256, 7}, {INTEG_HMAC_RIPEMD_160, 8}, {INTEG_AES_XCBC_96, 9}, {INTEG_AES128_GMAC, 11},
    {INTEG_AES192_GMAC, 12}, {INTEG_AES256_GMAC, 13}, {INTEG_HMAC_SHA2_256_96, 5},
};
// clang-format on

static uint16_t pair_from(const number_pair *rows, size_t n, uint16_t own)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].own == own)
            return rows[i].ikev1;
    return 0;
}

static uint16_t pair_to(const number_pair *rows, size_t n, uint16_t ikev1)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].ikev1 == ikev1)
            return rows[i].own;
    return 0;
}
#define ROWS(table) (table), sizeof(table) / sizeof((table)[0])

uint16_t ikev1_encr_from(encr_alg alg)
{
    return pair_from(ROWS(oakley_encr), (uint16_t)alg);
}
uint16_t ikev1_encr_to(uint16_t oakley)
{
    return pair_to(ROWS(oakley_encr), oakley);
}
uint16_t ikev1_hash_from(hash_alg alg)
{
    return pair_from(ROWS(oakley_hash), (uint16_t)alg);
}
uint16_t ikev1_hash_to(uint16_t oakley)
{
    return pair_to(ROWS(oakley_hash), oakley);
}
uint16_t ikev1_esp_from(encr_alg alg)
{
    return pair_from(ROWS(esp_transform), (uint16_t)alg);
}
uint16_t ikev1_esp_to(uint16_t transform_id)
{
    return pair_to(ROWS(esp_transform), transform_id);
}
uint16_t ikev1_auth_from(integ_alg alg)
{
    return pair_from(ROWS(auth_attribute), (uint16_t)alg);
}
uint16_t ikev1_auth_to(uint16_t attr)
{
    return pair_to(ROWS(auth_attribute), attr);
}
uint16_t ikev1_ah_from(integ_alg alg)
{
    return pair_from(ROWS(ah_transform), (uint16_t)alg);
}
uint16_t ikev1_ah_to(uint16_t transform_id)
{
    return pair_to(ROWS(ah_transform), transform_id);
}
