/* AEAD by EVP: GCM (RFC 4106, 5282), CCM (RFC 4309), ChaCha20-Poly1305 (RFC 7634) and GMAC (RFC 4543). The
 * nonce is salt | explicit IV. One context serves both directions: these modes run the block cipher forwards
 * only. (OpenSSL's CCM binds its code to the direction the key was set in, so for CCM the key is kept and set
 * again when that changes.)
 */
#include "libstrongswan/plugins/openssl/openssl.h"

typedef struct mode {
    EVP_CIPHER_CTX *ctx;
    uint16_t alg;
    uint8_t salt_n, icv, nonce[12];
    bool ccm;
    int enc; /* CCM: direction of the key schedule */
    uint8_t key[32];
} mode;

static encr_alg family(encr_alg alg)
{
    switch (alg) {
    case ENCR_AES_GCM_8:
    case ENCR_AES_GCM_12:
    case ENCR_NULL_AES_GMAC:
        return ENCR_AES_GCM_16;
    case ENCR_AES_CCM_8:
    case ENCR_AES_CCM_12:
        return ENCR_AES_CCM_16;
    default:
        return alg;
    }
}

static status mode_init(void *self, const crypto *c, encr_alg alg, span key)
{
    mode *m = self;
    m->alg = (uint16_t)alg;
    m->salt_n = (uint8_t)encr_salt_bytes(alg);
    m->icv = (uint8_t)encr_icv_bytes(alg);
    m->ccm = family(alg) == ENCR_AES_CCM_16;
    size_t n = key.n - m->salt_n;
    const EVP_CIPHER *cipher = ossl_cipher(family(alg), n);
    if (!cipher)
        return ST_UNSUPPORTED;
    memcpy(m->nonce, key.p + n, m->salt_n);
    if (m->ccm)
        memcpy(m->key, key.p, n);
    m->enc = 1;
    m->ctx = EVP_CIPHER_CTX_new();
    if (!m->ctx)
        return ST_NO_MEMORY;
    bool ok = EVP_EncryptInit_ex(m->ctx, cipher, NULL, NULL, NULL) == 1 &&
              EVP_CIPHER_CTX_ctrl(m->ctx, EVP_CTRL_AEAD_SET_IVLEN, m->salt_n + 8, NULL) == 1 &&
              (!m->ccm || EVP_CIPHER_CTX_ctrl(m->ctx, EVP_CTRL_AEAD_SET_TAG, m->icv, NULL) == 1) &&
              EVP_EncryptInit_ex(m->ctx, NULL, NULL, key.p, NULL) == 1;
    return ok ? ST_OK : ST_CRYPTO;
}

static void mode_fini(void *self)
{
    EVP_CIPHER_CTX_free(((mode *)self)->ctx);
}

/* ICV length, the ICV expected when decrypting, and the direction's key: all before the nonce. */
static bool ccm_begin(mode *m, int enc, uint8_t *icv)
{
    const uint8_t *key = m->enc == enc ? NULL : m->key;
    m->enc = enc;
    return EVP_CipherInit_ex(m->ctx, NULL, NULL, key, NULL, enc) == 1 &&
           (enc || EVP_CIPHER_CTX_ctrl(m->ctx, EVP_CTRL_AEAD_SET_TAG, m->icv, icv) == 1);
}

/* Sets the nonce and feeds what is authenticated only; CCM wants the length of the text beforehand. */
static bool mode_begin(mode *m, int enc, span iv, span aad, const span *text)
{
    int n;
    memcpy(m->nonce + m->salt_n, iv.p, 8);
    if (EVP_CipherInit_ex(m->ctx, NULL, NULL, NULL, m->nonce, enc) != 1)
        return false;
    if (m->ccm && EVP_CipherUpdate(m->ctx, NULL, &n, NULL, (int)text->n) != 1)
        return false;
    if (aad.n && EVP_CipherUpdate(m->ctx, NULL, &n, aad.p, (int)aad.n) != 1)
        return false;
    if (m->alg != ENCR_NULL_AES_GMAC)
        return true;
    /* GMAC authenticates the IV and the text like additional data */
    return EVP_CipherUpdate(m->ctx, NULL, &n, iv.p, 8) == 1 &&
           (text->n == 0 || EVP_CipherUpdate(m->ctx, NULL, &n, text->p, (int)text->n) == 1);
}

static bool mode_text(mode *m, span in, uint8_t *out)
{
    static const uint8_t nothing[1];
    int n = 0;
    if (m->alg == ENCR_NULL_AES_GMAC) {
        if (in.n)
            memmove(out, in.p, in.n);
        return true;
    }
    if (in.n == 0 && !m->ccm)
        return true;
    return EVP_CipherUpdate(m->ctx, out, &n, in.n ? in.p : nothing, (int)in.n) == 1 && (size_t)n == in.n;
}

static status mode_seal(void *self, span iv, span aad, span in, uint8_t *out)
{
    mode *m = self;
    int n;
    if (in.n > INT32_MAX || aad.n > INT32_MAX)
        return ST_LIMIT;
    bool ok = (!m->ccm || ccm_begin(m, 1, NULL)) && mode_begin(m, 1, iv, aad, &in) && mode_text(m, in, out) &&
              EVP_EncryptFinal_ex(m->ctx, out + in.n, &n) == 1 &&
              EVP_CIPHER_CTX_ctrl(m->ctx, EVP_CTRL_AEAD_GET_TAG, m->icv, out + in.n) == 1;
    return ok ? ST_OK : ST_CRYPTO;
}

static status mode_open(void *self, span iv, span aad, span in, uint8_t *out)
{
    mode *m = self;
    int n;
    if (in.n > INT32_MAX || aad.n > INT32_MAX)
        return ST_LIMIT;
    span text = span_take(in, in.n - m->icv);
    uint8_t icv[MAX_ICV_BYTES], unused[EVP_MAX_BLOCK_LENGTH];
    memcpy(icv, in.p + text.n, m->icv); /* before in-place decryption of anything, and not const for ctrl() */
    /* CCM takes the ICV before the nonce and checks it while it decrypts; the others check it at the end */
    bool ok = (!m->ccm || ccm_begin(m, 0, icv)) && mode_begin(m, 0, iv, aad, &text) &&
              mode_text(m, text, out);
    if (ok && !m->ccm)
        ok = EVP_CIPHER_CTX_ctrl(m->ctx, EVP_CTRL_AEAD_SET_TAG, m->icv, icv) == 1 &&
             EVP_DecryptFinal_ex(m->ctx, unused, &n) == 1;
    return ok ? ST_OK : ST_CRYPTO;
}

// clang-format off
#define MODE 0, sizeof(mode), mode_init, mode_fini, mode_seal, mode_open
const aead_ops ossl_aeads[OSSL_AEADS] = {
    {ENCR_AES_GCM_16,        20, 36, 8, MODE},
    {ENCR_AES_GCM_12,        20, 36, 8, MODE},
    {ENCR_AES_GCM_8,         20, 36, 8, MODE},
    {ENCR_AES_CCM_16,        19, 35, 8, MODE},
    {ENCR_AES_CCM_12,        19, 35, 8, MODE},
    {ENCR_AES_CCM_8,         19, 35, 8, MODE},
    {ENCR_CHACHA20_POLY1305, 36, 36, 0, MODE},
    {ENCR_NULL_AES_GMAC,     20, 36, 8, MODE},
};
// clang-format on
