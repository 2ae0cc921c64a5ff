/* Keys of an ISAKMP SA: SKEYID and its daughters, the cipher and its chains of IVs, and the hashes that are
 * proofs. RFC 2409 5, appendix B
 *
 * Life: keymat_init() when the proposal is chosen -> isakmp_keymat_derive() when both KE and nonces are known
 * -> keymat_auth_hash() for messages 5 and 6, keymat_hash() for everything later. One thread at a time (the
 * mailbox of the SA).
 */
#pragma once
#include "libfreeswan/env/keylog.h"
#include "libstrongswan/base/secret.h"
#include "libstrongswan/crypto/crypto.h"

typedef struct keymat {
    const crypto *crypto;
    encr_alg encr;
    uint16_t key_bits;
    hash_alg hash;
    prf_alg prf_alg;
    size_t hash_n, block_n;
    secret skeyid, skeyid_d, skeyid_a, skeyid_e;
    crypter *crypter;
    uint8_t iv[MAX_IV_BYTES]; /* phase 1: last cipher block of main mode */
} keymat;

/* IV of one exchange: phase 1 uses the keymat's own, later exchanges start one with keymat_start_iv(). */
typedef struct iv_chain {
    uint8_t iv[MAX_IV_BYTES];
    bool started;
} iv_chain;

status keymat_init(keymat *k, const crypto *c, encr_alg encr, uint16_t key_bits, hash_alg hash) MUST_CHECK;
void keymat_fini(keymat *k);
bool keymat_ready(const keymat *k);
typedef struct keymat_input {
    span psk; /* empty: signatures */
    span ni, nr, gxi, gxr, gxy, cky_i, cky_r;
    keylog *save; /* NULL: none */
} keymat_input;
/* ST_CRYPTO, ST_UNSUPPORTED, ST_NO_MEMORY; on failure nothing is usable. */
status isakmp_keymat_derive(keymat *k, const keymat_input *in) MUST_CHECK;
/* HASH_I (initiator true) or HASH_R: out has k->hash_n octets */
status keymat_auth_hash(const keymat *k, const keymat_input *in, bool initiator, span sa_body, span id_body,
                        uint8_t *out) MUST_CHECK;
/* prf(SKEYID_a, parts…) */
status keymat_hash(const keymat *k, const span *parts, size_t n, uint8_t *out) MUST_CHECK;
status keymat_start_iv(const keymat *k, uint32_t msgid, iv_chain *out) MUST_CHECK;
/* In place; n is a multiple of the block. The new IV goes to next_iv; the caller commits it once the message
 * is believed. */
status keymat_encrypt(const keymat *k, const uint8_t *iv, uint8_t *data, size_t n,
                      uint8_t *next_iv) MUST_CHECK;
status keymat_decrypt(const keymat *k, const uint8_t *iv, uint8_t *data, size_t n,
                      uint8_t *next_iv) MUST_CHECK;
/* KEYMAT of one IPsec SA (RFC 2409 5.5); gxy empty without PFS */
status keymat_ipsec(const keymat *k, span gxy, uint8_t proto, uint32_t spi, span ni, span nr, secret *out,
                    size_t n) MUST_CHECK;
/* NAT-D: hash(CKY-I | CKY-R | IP | Port) */
status keymat_natd(const keymat *k, const uint8_t cookies[16], span addr, uint16_t port,
                   uint8_t *out) MUST_CHECK;
prf_alg prf_of_hash(hash_alg h);
