/* Signature schemes on OpenSSL keys: what pubkey.c and privkey.c share. */
#pragma once
#include "libstrongswan/cred/keys.h"
#include <openssl/evp.h>
#include <stdatomic.h>

/* What one needs to know about a key to use it. */
typedef struct key_info {
    key_type type;
    unsigned bits; /* modulus, field */
    size_t half;   /* ECDSA: octets of r and of s */
    bool pss_only; /* the key says it is for RSASSA-PSS only */
} key_info;

/* Prepared contexts, a few per key: taken for one operation and put back, so that no operation sets one up
 * twice unless several threads use the key at once. Zero is empty. */
typedef struct sig_ctx sig_ctx;
typedef struct sig_cache {
    _Atomic(sig_ctx *) slots[2];
} sig_cache;

/* The schemes' hash in OpenSSL's terms; NULL if there is none. Fetched once per process. */
const EVP_MD *sig_md(hash_alg alg);
/* Can a key of this kind be used with the scheme at all (kind, curve, room for the padding)? */
bool sig_fits(sig_scheme s, const key_info *k);
status sig_verify(EVP_PKEY *pkey, const key_info *k, sig_cache *cache, sig_scheme s, span data,
                  span sig) MUST_CHECK;
status sig_make(EVP_PKEY *pkey, const key_info *k, sig_cache *cache, sig_scheme s, span data,
                buf *sig) MUST_CHECK;
void sig_cache_free(sig_cache *cache);

/* Checks a key and describes it; msg says what is wrong with it. */
status key_describe(EVP_PKEY *pkey, key_info *out, msgbuf *msg) MUST_CHECK;
/* Takes over pkey in any case. */
status pubkey_adopt(pubkey **out, EVP_PKEY *pkey, msgbuf *msg) MUST_CHECK;
status privkey_adopt(privkey **out, EVP_PKEY *pkey, msgbuf *msg) MUST_CHECK;
/* One more reference to the OpenSSL key, for signing certificates and requests. */
EVP_PKEY *privkey_evp(const privkey *k);
