/* What a peer can feed the crypto objects: public values of every group, cipher text of every AEAD mode and
 * cipher. Input: what, which, then the octets.
 */
#include "libstrongswan/crypto/crypto.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const dh_group groups[] = {DH_CURVE25519, DH_CURVE448,      DH_ECP_256,      DH_ECP_384,
                                  DH_ECP_521,    DH_ECP_224,       DH_ECP_192,      DH_MODP_768,
                                  DH_MODP_1024,  DH_MODP_1024_160, DH_MODP_2048_256};
static const encr_alg aeads[] = {ENCR_AES_GCM_16, ENCR_AES_GCM_8,         ENCR_AES_CCM_16,
                                 ENCR_AES_CCM_8,  ENCR_CHACHA20_POLY1305, ENCR_NULL_AES_GMAC};
static const encr_alg ciphers[] = {ENCR_AES_CBC, ENCR_3DES, ENCR_AES_CTR, ENCR_NULL, ENCR_CAMELLIA_CBC};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static crypto *c;

static void try_group(dh_group group, span value)
{
    static dh *keys[64]; /* one key pair a group is enough */
    dh **d = &keys[group];
    secret s = {0};
    if (!*d && dh_new(c, d, group) != ST_OK)
        abort();
    status st = dh_compute(*d, value, &s);
    if ((st == ST_OK) != (s.n != 0) || (st != ST_OK && st != ST_INVALID))
        abort();
    secret_free(&s);
}

static void try_aead(encr_alg alg, span in)
{
    static const uint8_t key[64] = {1};
    aead *a;
    if (aead_new(c, &a, alg, span_of(key, encr_keymat_bytes(alg, 128))) != ST_OK)
        abort();
    span iv = span_take(in, 8), aad = span_take(span_skip(in, 8), 5), text = span_skip(in, 13);
    uint8_t *out = malloc(text.n + 1);
    if (out && iv.n == 8 && aead_open(a, iv, aad, text, out) == ST_OK && alg != ENCR_AES_GCM_8 &&
        alg != ENCR_AES_CCM_8)
        abort(); /* a forgery of 96 bits or more in a fuzzing run is a bug */
    free(out);
    aead_free(a);
}

static void try_cipher(encr_alg alg, span in)
{
    static const uint8_t key[64] = {1};
    crypter *x;
    if (crypter_new(c, &x, alg, span_of(key, encr_keymat_bytes(alg, 128))) != ST_OK)
        abort();
    span iv = span_take(in, encr_iv_bytes(alg)), text = span_skip(in, iv.n);
    uint8_t *out = malloc(text.n + 1);
    bool fits = iv.n == encr_iv_bytes(alg) && text.n % encr_block_bytes(alg) == 0;
    if (out && (crypter_decrypt(x, iv, text, out) == ST_OK) != fits)
        abort();
    free(out);
    crypter_free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!c && crypto_load(&c, "openssl random", NULL, NULL) != ST_OK)
        abort();
    if (n < 2)
        return 0;
    span rest = span_of(data + 2, n - 2);
    switch (data[0] % 3) {
    case 0:
        try_group(groups[data[1] % COUNT(groups)], rest);
        break;
    case 1:
        try_aead(aeads[data[1] % COUNT(aeads)], rest);
        break;
    default:
        try_cipher(ciphers[data[1] % COUNT(ciphers)], rest);
    }
    return 0;
}
