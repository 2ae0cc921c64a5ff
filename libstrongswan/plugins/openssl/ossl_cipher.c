/* CBC, CTR and NULL ciphers by EVP. An object keeps its key and makes the context of a direction when that
 * direction is first used: an SA's cipher is used one way only, and a context with its key schedule is the
 * largest thing an SA holds.
 */
#include "libstrongswan/plugins/openssl/openssl.h"
#include <openssl/provider.h>
#include <pthread.h>

/* ---- handles
 * -------------------------------------------------------------------------------------------------------- */

typedef struct cipher_row {
    uint16_t alg;
    uint8_t key;
    bool legacy;
    const char *name;
    EVP_CIPHER *handle;
} cipher_row;

// clang-format off
static cipher_row ciphers[] = {
    {ENCR_AES_CBC,           16, false, "AES-128-CBC", NULL},
    {ENCR_AES_CBC,           24, false, "AES-192-CBC", NULL},
    {ENCR_AES_CBC,           32, false, "AES-256-CBC", NULL},
    {ENCR_AES_CTR,           16, false, "AES-128-CTR", NULL},
    {ENCR_AES_CTR,           24, false, "AES-192-CTR", NULL},
    {ENCR_AES_CTR,           32, false, "AES-256-CTR", NULL},
    {ENCR_AES_GCM_16,        16, false, "AES-128-GCM", NULL},
    {ENCR_AES_GCM_16,        24, false, "AES-192-GCM", NULL},
    {ENCR_AES_GCM_16,        32, false, "AES-256-GCM", NULL},
    {ENCR_AES_CCM_16,        16, false, "AES-128-CCM", NULL},
    {ENCR_AES_CCM_16,        24, false, "AES-192-CCM", NULL},
    {ENCR_AES_CCM_16,        32, false, "AES-256-CCM", NULL},
    {ENCR_CHACHA20_POLY1305, 32, false, "ChaCha20-Poly1305", NULL},
    {ENCR_CAMELLIA_CBC,      16, false, "CAMELLIA-128-CBC", NULL},
    {ENCR_CAMELLIA_CBC,      24, false, "CAMELLIA-192-CBC", NULL},
    {ENCR_CAMELLIA_CBC,      32, false, "CAMELLIA-256-CBC", NULL},
    {ENCR_3DES,              24, false, "DES-EDE3-CBC", NULL},
    {ENCR_BLOWFISH,           0, true,  "BF-CBC", NULL}, /* any key length */
    {ENCR_CAST,               0, true,  "CAST5-CBC", NULL},
};
// clang-format on
enum { CIPHERS = sizeof ciphers / sizeof ciphers[0] };

static pthread_once_t fetched = PTHREAD_ONCE_INIT, legacy_fetched = PTHREAD_ONCE_INIT;

static void fetch_ciphers(void)
{
    for (size_t i = 0; i < CIPHERS; i++)
        if (!ciphers[i].legacy)
            ciphers[i].handle = EVP_CIPHER_fetch(NULL, ciphers[i].name, NULL);
}

/* A library context of its own: loading a provider into the default one would switch its automatic default
 * off. */
static OSSL_LIB_CTX *legacy_ctx;

static void fetch_legacy(void)
{
    legacy_ctx = OSSL_LIB_CTX_new();
    if (!legacy_ctx || !OSSL_PROVIDER_load(legacy_ctx, "legacy"))
        return;
    for (size_t i = 0; i < CIPHERS; i++)
        if (ciphers[i].legacy)
            ciphers[i].handle = EVP_CIPHER_fetch(legacy_ctx, ciphers[i].name, NULL);
}

const EVP_CIPHER *ossl_cipher(encr_alg alg, size_t key_bytes)
{
    pthread_once(&fetched, fetch_ciphers);
    if (alg == ENCR_BLOWFISH || alg == ENCR_CAST)
        pthread_once(&legacy_fetched, fetch_legacy);
    for (size_t i = 0; i < CIPHERS; i++)
        if (ciphers[i].alg == alg && (ciphers[i].key == key_bytes || ciphers[i].key == 0))
            return ciphers[i].handle;
    return NULL;
}

/* ---- CBC
 * --------------------------------------------------------------------------------------------------------------
 */

enum { CBC_KEY_MAX = 56 }; /* Blowfish */

typedef struct cbc {
    const EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *dir[2]; /* [1] encrypts */
    uint8_t key[CBC_KEY_MAX];
    uint8_t key_n;
} cbc;

static status cbc_init(void *self, const crypto *c, encr_alg alg, span key)
{
    cbc *x = self;
    memcpy(x->key, key.p, key.n);
    x->key_n = (uint8_t)key.n;
    if (alg == ENCR_DES) {
        /* DES is 3DES with one key three times; that needs no legacy provider */
        memcpy(x->key + 8, key.p, 8);
        memcpy(x->key + 16, key.p, 8);
        x->key_n = 24;
        alg = ENCR_3DES;
    }
    x->cipher = ossl_cipher(alg, x->key_n);
    return x->cipher ? ST_OK : ST_UNSUPPORTED;
}

static void cbc_fini(void *self)
{
    cbc *x = self;
    EVP_CIPHER_CTX_free(x->dir[0]);
    EVP_CIPHER_CTX_free(x->dir[1]);
}

static status cbc_context(cbc *x, int enc)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (!ctx)
        return ST_NO_MEMORY;
    if (EVP_CipherInit_ex(ctx, x->cipher, NULL, NULL, NULL, enc) != 1 ||
        EVP_CIPHER_CTX_set_key_length(ctx, x->key_n) != 1 ||
        EVP_CipherInit_ex(ctx, NULL, NULL, x->key, NULL, enc) != 1 ||
        EVP_CIPHER_CTX_set_padding(ctx, 0) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        return ST_CRYPTO;
    }
    x->dir[enc] = ctx;
    return ST_OK;
}

static status cipher_run(EVP_CIPHER_CTX *ctx, const uint8_t *iv, span in, uint8_t *out)
{
    int n = 0;
    if (in.n > INT32_MAX)
        return ST_LIMIT;
    if (EVP_CipherInit_ex(ctx, NULL, NULL, NULL, iv, -1) != 1)
        return ST_CRYPTO;
    if (in.n && (EVP_CipherUpdate(ctx, out, &n, in.p, (int)in.n) != 1 || (size_t)n != in.n))
        return ST_CRYPTO;
    return ST_OK;
}

static status cbc_run(cbc *x, int enc, span iv, span in, uint8_t *out)
{
    status st = x->dir[enc] ? ST_OK : cbc_context(x, enc);
    return st == ST_OK ? cipher_run(x->dir[enc], iv.p, in, out) : st;
}

static status cbc_encrypt(void *self, span iv, span in, uint8_t *out)
{
    return cbc_run(self, 1, iv, in, out);
}

static status cbc_decrypt(void *self, span iv, span in, uint8_t *out)
{
    return cbc_run(self, 0, iv, in, out);
}

/* ---- CTR, RFC 3686
 * ------------------------------------------------------------------------------------------------------ */

typedef struct ctr {
    EVP_CIPHER_CTX *ctx;
    uint8_t nonce[4];
} ctr;

static status ctr_init(void *self, const crypto *c, encr_alg alg, span key)
{
    ctr *x = self;
    size_t n = key.n - sizeof x->nonce;
    const EVP_CIPHER *cipher = ossl_cipher(alg, n);
    if (!cipher)
        return ST_UNSUPPORTED;
    memcpy(x->nonce, key.p + n, sizeof x->nonce);
    x->ctx = EVP_CIPHER_CTX_new();
    if (!x->ctx)
        return ST_NO_MEMORY;
    return EVP_CipherInit_ex(x->ctx, cipher, NULL, key.p, NULL, 1) == 1 ? ST_OK : ST_CRYPTO;
}

static void ctr_fini(void *self)
{
    EVP_CIPHER_CTX_free(((ctr *)self)->ctx);
}

static status ctr_run(void *self, span iv, span in, uint8_t *out)
{
    ctr *x = self;
    uint8_t block[16] = {0};
    memcpy(block, x->nonce, 4);
    memcpy(block + 4, iv.p, 8);
    block[15] = 1;
    return cipher_run(x->ctx, block, in, out);
}

/* ---- NULL, RFC 2410
 * ----------------------------------------------------------------------------------------------------- */

static status null_init(void *self, const crypto *c, encr_alg alg, span key)
{
    return ST_OK;
}

static status null_run(void *self, span iv, span in, uint8_t *out)
{
    if (in.n)
        memmove(out, in.p, in.n);
    return ST_OK;
}

// clang-format off
#define CBC sizeof(cbc), cbc_init, cbc_fini, cbc_encrypt, cbc_decrypt
const crypter_ops ossl_crypters[OSSL_CRYPTERS] = {
    /*                key octets */
    {ENCR_AES_CBC,      16, 32, 8, 0, CBC},
    {ENCR_AES_CTR,      20, 36, 8, 0, sizeof(ctr), ctr_init, ctr_fini, ctr_run, ctr_run},
    {ENCR_CAMELLIA_CBC, 16, 32, 8, 0, CBC},
    {ENCR_3DES,         24, 24, 0, 0, CBC},
    {ENCR_DES,           8,  8, 0, 0, CBC},
    {ENCR_BLOWFISH,      5, 56, 1, OPS_ON_DEMAND, CBC},
    {ENCR_CAST,          5, 16, 1, OPS_ON_DEMAND, CBC},
    {ENCR_NULL,          0,  0, 0, 0, 0, null_init, NULL, null_run, null_run},
};
// clang-format on
