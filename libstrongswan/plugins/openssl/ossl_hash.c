/* Hashes by OpenSSL's low-level functions. They are deprecated in favour of EVP, but their state is plain
 * memory: HMAC copies a keyed state for every message, and an EVP context makes each such copy an allocation
 * and each short hash several times dearer (IKE does dozens of tiny HMACs a handshake).
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "libstrongswan/plugins/openssl/openssl.h"
#include <openssl/md5.h>
#include <openssl/sha.h>

static status result(int ok)
{
    return ok == 1 ? ST_OK : ST_CRYPTO;
}

#define HASH(name, ctx, Init, Update, Final)                                                                 \
    static status name##_init(void *self)                                                                    \
    {                                                                                                        \
        return result(Init((ctx *)self));                                                                    \
    }                                                                                                        \
    static status name##_update(void *self, span in)                                                         \
    {                                                                                                        \
        return result(Update((ctx *)self, in.p, in.n));                                                      \
    }                                                                                                        \
    static status name##_final(void *self, uint8_t *out)                                                     \
    {                                                                                                        \
        return result(Final(out, (ctx *)self));                                                              \
    }                                                                                                        \
    _Static_assert(sizeof(ctx) <= HASH_STATE_MAX, "state fits")

HASH(md5, MD5_CTX, MD5_Init, MD5_Update, MD5_Final);
HASH(sha1, SHA_CTX, SHA1_Init, SHA1_Update, SHA1_Final);
HASH(sha224, SHA256_CTX, SHA224_Init, SHA224_Update, SHA224_Final);
HASH(sha256, SHA256_CTX, SHA256_Init, SHA256_Update, SHA256_Final);
HASH(sha384, SHA512_CTX, SHA384_Init, SHA384_Update, SHA384_Final);
HASH(sha512, SHA512_CTX, SHA512_Init, SHA512_Update, SHA512_Final);

// clang-format off
const hasher_ops ossl_hashers[OSSL_HASHERS] = {
    {HASH_MD5,       64, 0, sizeof(MD5_CTX),    md5_init,    md5_update,    md5_final},
    {HASH_SHA1,      64, 0, sizeof(SHA_CTX),    sha1_init,   sha1_update,   sha1_final},
    {HASH_SHA2_224,  64, 0, sizeof(SHA256_CTX), sha224_init, sha224_update, sha224_final},
    {HASH_SHA2_256,  64, 0, sizeof(SHA256_CTX), sha256_init, sha256_update, sha256_final},
    {HASH_SHA2_384, 128, 0, sizeof(SHA512_CTX), sha384_init, sha384_update, sha384_final},
    {HASH_SHA2_512, 128, 0, sizeof(SHA512_CTX), sha512_init, sha512_update, sha512_final},
};
// clang-format on
