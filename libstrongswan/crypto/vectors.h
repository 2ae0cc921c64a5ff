/* Published test vectors (NIST CAVP and SP 800-38, RFCs) for every algorithm; run by the registry when a
 * plugin is loaded. What has none published (MODP groups of RFC 2409 and 3526) is checked against values
 * computed independently.
 */
#pragma once
#include "libstrongswan/base/msgbuf.h"
#include "libstrongswan/crypto/registry.h"

/* ST_OK, ST_UNSUPPORTED (what it builds on is missing), ST_CRYPTO (wrong result), ST_NOT_FOUND (no vectors);
 * why gets the reason. */
status vectors_check(const crypto *c, const entry *e, msgbuf *why) MUST_CHECK;

/* Everything is hexadecimal text. */
typedef struct encr_vector {
    uint16_t alg;
    const char *key; /* salt at its end */
    const char *iv;  /* explicit part */
    const char *aad;
    const char *plain, *cipher; /* cipher: ICV at its end */
} encr_vector;
typedef struct hash_vector {
    uint16_t alg;
    const char *in, *out;
} hash_vector;
/* PRFs and integrity algorithms; out may be longer than the truncated MAC */
typedef struct mac_vector {
    uint16_t alg;
    const char *key, *in, *out;
} mac_vector;
typedef struct dh_vector {
    uint16_t group;
    const char *priv_a, *pub_a, *priv_b, *pub_b, *shared;
} dh_vector;

#define VECTOR_TABLE(type, name)                                                                             \
    extern const type name[];                                                                                \
    extern const size_t name##_n
VECTOR_TABLE(encr_vector, vectors_crypter);
VECTOR_TABLE(encr_vector, vectors_aead);
VECTOR_TABLE(hash_vector, vectors_hash);
VECTOR_TABLE(mac_vector, vectors_prf);
VECTOR_TABLE(mac_vector, vectors_signer);
VECTOR_TABLE(dh_vector, vectors_dh);
