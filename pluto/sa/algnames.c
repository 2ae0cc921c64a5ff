/* Tables of names; reference outputs.md 2. */
#include "pluto/sa/algnames.h"
#include <string.h>

// clang-format off
ENUM_NAMES(oakley_encr_names,
    {1, "OAKLEY_DES_CBC"}, {2, "OAKLEY_IDEA_CBC"}, {3, "OAKLEY_BLOWFISH_CBC"}, {4, "OAKLEY_RC5_R16_B64_CBC"},
    {5, "OAKLEY_3DES_CBC"}, {6, "OAKLEY_CAST_CBC"}, {7, "OAKLEY_AES_CBC"}, {8, "OAKLEY_CAMELLIA_CBC"},
    {65001, "OAKLEY_MARS_CBC"}, {65002, "OAKLEY_RC6_CBC"}, {65004, "OAKLEY_SERPENT_CBC"},
    {65005, "OAKLEY_TWOFISH_CBC"}, {65289, "OAKLEY_TWOFISH_CBC_SSH"});
ENUM_NAMES(oakley_hash_names,
    {1, "OAKLEY_MD5"}, {2, "OAKLEY_SHA"}, {3, "OAKLEY_TIGER"}, {4, "OAKLEY_SHA2_256"}, {5, "OAKLEY_SHA2_384"},
    {6, "OAKLEY_SHA2_512"});
ENUM_NAMES(oakley_group_names,
    {1, "OAKLEY_GROUP_MODP768"}, {2, "OAKLEY_GROUP_MODP1024"}, {3, "OAKLEY_GROUP_GP155"}, {4, "OAKLEY_GROUP_GP185"},
    {5, "OAKLEY_GROUP_MODP1536"}, {14, "OAKLEY_GROUP_MODP2048"}, {15, "OAKLEY_GROUP_MODP3072"},
    {16, "OAKLEY_GROUP_MODP4096"}, {17, "OAKLEY_GROUP_MODP6144"}, {18, "OAKLEY_GROUP_MODP8192"},
    {19, "OAKLEY_GROUP_ECP256"}, {20, "OAKLEY_GROUP_ECP384"}, {21, "OAKLEY_GROUP_ECP521"},
    {22, "OAKLEY_GROUP_MODP1024_160"}, {23, "OAKLEY_GROUP_MODP2048_224"}, {24, "OAKLEY_GROUP_MODP2048_256"},
    {25, "OAKLEY_GROUP_ECP192"}, {26, "OAKLEY_GROUP_ECP224"}, {31, "OAKLEY_GROUP_CURVE25519"},
    {32, "OAKLEY_GROUP_CURVE448"});
ENUM_NAMES(esp_transform_names,
    {1, "ESP_DES_IV64"}, {2, "ESP_DES"}, {3, "ESP_3DES"}, {4, "ESP_RC5"}, {5, "ESP_IDEA"}, {6, "ESP_CAST"},
    {7, "ESP_BLOWFISH"}, {8, "ESP_3IDEA"}, {9, "ESP_DES_IV32"}, {10, "ESP_RC4"}, {11, "ESP_NULL"}, {12, "ESP_AES"},
    {13, "ESP_AES-CTR"}, {14, "ESP_AES-CCM_8"}, {15, "ESP_AES-CCM_12"}, {16, "ESP_AES-CCM_16"}, {18, "ESP_AES_GCM_8"},
    {19, "ESP_AES_GCM_12"}, {20, "ESP_AES_GCM_16"}, {21, "ESP_SEED_CBC"}, {22, "ESP_CAMELLIA"},
    {23, "ESP_NULL_AUTH_AES_GMAC"}, {252, "ESP_SERPENT"}, {253, "ESP_TWOFISH"});
ENUM_NAMES(ah_transform_names,
    {2, "AH_MD5"}, {3, "AH_SHA"}, {4, "AH_DES"}, {5, "AH_SHA2_256"}, {6, "AH_SHA2_384"}, {7, "AH_SHA2_512"},
    {8, "AH_RIPEMD"}, {9, "AH_AES_XCBC_MAC"}, {10, "AH_RSA"});
ENUM_NAMES(auth_alg_names,
    {0, "AUTH_ALGORITHM_NONE"}, {1, "AUTH_ALGORITHM_HMAC_MD5"}, {2, "AUTH_ALGORITHM_HMAC_SHA1"},
    {3, "AUTH_ALGORITHM_DES_MAC"}, {4, "AUTH_ALGORITHM_KPDK"}, {5, "AUTH_ALGORITHM_HMAC_SHA2_256"},
    {6, "AUTH_ALGORITHM_HMAC_SHA2_384"}, {7, "AUTH_ALGORITHM_HMAC_SHA2_512"}, {8, "AUTH_ALGORITHM_HMAC_RIPEMD"},
    {9, "AUTH_ALGORITHM_AES_XCBC_MAC"}, {10, "AUTH_ALGORITHM_SIG_RSA"}, {11, "AUTH_ALGORITHM_AES_128_GMAC"},
    {12, "AUTH_ALGORITHM_AES_192_GMAC"}, {13, "AUTH_ALGORITHM_AES_256_GMAC"}, {251, "AUTH_ALGORITHM_NULL"},
    {252, "AUTH_ALGORITHM_HMAC_SHA2_256_96"});
// clang-format on

const char *short_alg_name(const enum_names *names, uint32_t value, char tmp[ENUM_TEXT_SIZE])
{
    static const char *const prefixes[] = {"OAKLEY_GROUP_", "OAKLEY_", "ESP_", "AUTH_ALGORITHM_", "AH_"};
    const char *name = enum_name(names, value, tmp);
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        size_t n = strlen(prefixes[i]);
        if (strncmp(name, prefixes[i], n) == 0)
            return name + n;
    }
    return name;
}
