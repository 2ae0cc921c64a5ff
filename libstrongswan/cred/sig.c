/* Making and checking signatures with OpenSSL. RSA blocks of type 1 without DigestInfo (IKEv1) are compared
 * as a whole with the one block that is right; everything else is OpenSSL's comparison, which rebuilds the
 * expected encoding too. Lengths are checked here first: a signature has exactly one right length.
 */
#include "libstrongswan/cred/sig.h"
#include "libstrongswan/base/secret.h"
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdlib.h>

enum { MAX_SIG_BYTES = 2048, MAX_HASH = 64 };

struct sig_ctx {
    sig_scheme scheme;
    EVP_PKEY_CTX *pctx; /* RSA, ECDSA */
    EVP_MD_CTX *mctx;   /* Ed25519, Ed448 */
};

/* ---- hashes ---- */

static struct {
    EVP_MD *md5, *sha1, *sha256, *sha384, *sha512;
} mds;

static void fetch_mds(void)
{
    mds.md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    mds.sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    mds.sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    mds.sha384 = EVP_MD_fetch(NULL, "SHA2-384", NULL);
    mds.sha512 = EVP_MD_fetch(NULL, "SHA2-512", NULL);
}

const EVP_MD *sig_md(hash_alg alg)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch_mds);
    switch (alg) {
    case HASH_MD5:
        return mds.md5;
    case HASH_SHA1:
        return mds.sha1;
    case HASH_SHA2_256:
        return mds.sha256;
    case HASH_SHA2_384:
        return mds.sha384;
    case HASH_SHA2_512:
        return mds.sha512;
    default:
        return NULL;
    }
}

/* ---- what fits ---- */

static bool is_pss(sig_scheme s)
{
    return s == SIG_RSA_PSS_SHA2_256 || s == SIG_RSA_PSS_SHA2_384 || s == SIG_RSA_PSS_SHA2_512;
}

static bool is_fixed_ecdsa(sig_scheme s)
{
    return s == SIG_ECDSA_256 || s == SIG_ECDSA_384 || s == SIG_ECDSA_521 || s == SIG_ECDSA_RAW;
}

bool sig_fits(sig_scheme s, const key_info *k)
{
    if (sig_key_type(s) != k->type || k->type == KEY_ANY)
        return false;
    if (is_pss(s)) {
        const EVP_MD *md = sig_md(sig_hash(s));
        return md && (k->bits - 1 + 7) / 8 >= 2 * (size_t)EVP_MD_get_size(md) + 2;
    }
    if (k->type == KEY_RSA)
        return !k->pss_only;
    if (s == SIG_ECDSA_256)
        return k->bits == 256;
    if (s == SIG_ECDSA_384)
        return k->bits == 384;
    if (s == SIG_ECDSA_521)
        return k->bits == 521;
    return true;
}

/* ---- contexts ---- */

static void ctx_free(sig_ctx *c)
{
    if (!c)
        return;
    EVP_PKEY_CTX_free(c->pctx);
    EVP_MD_CTX_free(c->mctx);
    free(c);
}

static bool setup_pctx(sig_ctx *c, EVP_PKEY *pkey, bool sign)
{
    sig_scheme s = c->scheme;
    bool raw_rsa = s == SIG_RSA_PKCS1_RAW;
    c->pctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    if (!c->pctx)
        return false;
    int ok = sign      ? EVP_PKEY_sign_init(c->pctx)
             : raw_rsa ? EVP_PKEY_verify_recover_init(c->pctx)
                       : EVP_PKEY_verify_init(c->pctx);
    if (ok > 0 && sig_key_type(s) == KEY_RSA)
        ok = EVP_PKEY_CTX_set_rsa_padding(c->pctx, is_pss(s)          ? RSA_PKCS1_PSS_PADDING
                                                   : raw_rsa && !sign ? RSA_NO_PADDING
                                                                      : RSA_PKCS1_PADDING);
    if (ok > 0 && is_pss(s))
        ok = EVP_PKEY_CTX_set_rsa_pss_saltlen(c->pctx, RSA_PSS_SALTLEN_DIGEST);
    if (ok > 0 && sig_hash(s) != HASH_UNDEFINED) {
        const EVP_MD *md = sig_md(sig_hash(s));
        ok = md ? EVP_PKEY_CTX_set_signature_md(c->pctx, md) : 0;
        if (ok > 0 && is_pss(s))
            ok = EVP_PKEY_CTX_set_rsa_mgf1_md(c->pctx, md);
    }
    return ok > 0;
}

static sig_ctx *ctx_take(sig_cache *cache, EVP_PKEY *pkey, sig_scheme s, bool sign)
{
    for (size_t i = 0; i < 2; i++) {
        sig_ctx *c = atomic_exchange(&cache->slots[i], NULL);
        if (c && c->scheme == s)
            return c;
        ctx_free(c); /* for another scheme: keys are used with one, hardly ever with two */
    }
    sig_ctx *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->scheme = s;
    bool ok;
    if (s == SIG_ED25519 || s == SIG_ED448) {
        c->mctx = EVP_MD_CTX_new();
        ok = c->mctx && (sign ? EVP_DigestSignInit(c->mctx, NULL, NULL, NULL, pkey)
                              : EVP_DigestVerifyInit(c->mctx, NULL, NULL, NULL, pkey)) > 0;
    } else {
        ok = setup_pctx(c, pkey, sign);
    }
    if (!ok) {
        ctx_free(c);
        return NULL;
    }
    return c;
}

static void ctx_give(sig_cache *cache, sig_ctx *c)
{
    for (size_t i = 0; i < 2; i++) {
        sig_ctx *empty = NULL;
        if (atomic_compare_exchange_strong(&cache->slots[i], &empty, c))
            return;
    }
    ctx_free(c);
}

void sig_cache_free(sig_cache *cache)
{
    for (size_t i = 0; i < 2; i++)
        ctx_free(atomic_exchange(&cache->slots[i], NULL));
}

/* ---- the octets that are signed ---- */

/* Raw schemes sign a hash they are given: it must be as long as some hash is. */
static bool hash_like(span data)
{
    return data.n == 16 || data.n == 20 || data.n == 32 || data.n == 48 || data.n == 64;
}

static status to_be_signed(sig_scheme s, span data, uint8_t hash[MAX_HASH], span *out)
{
    if (s == SIG_RSA_PKCS1_RAW || s == SIG_ECDSA_RAW) {
        *out = data;
        return hash_like(data) ? ST_OK : ST_INVALID;
    }
    const EVP_MD *md = sig_md(sig_hash(s));
    unsigned n = 0;
    if (!md)
        return ST_UNSUPPORTED;
    if (EVP_Digest(data.p ? data.p : (const uint8_t *)"", data.n, hash, &n, md, NULL) != 1)
        return ST_CRYPTO;
    *out = span_of(hash, n);
    return ST_OK;
}

/* ---- verify ---- */

/* 00 01 FF .. FF 00 hash, all of it */
static bool raw_rsa_ok(EVP_PKEY_CTX *ctx, size_t modulus, span hash, span sig)
{
    uint8_t block[MAX_SIG_BYTES], want[MAX_SIG_BYTES];
    size_t n = sizeof(block);
    if (modulus > sizeof(block) || modulus < hash.n + 11)
        return false;
    if (EVP_PKEY_verify_recover(ctx, block, &n, sig.p, sig.n) <= 0 || n != modulus)
        return false;
    memset(want, 0xff, modulus);
    want[0] = 0;
    want[1] = 1;
    want[modulus - hash.n - 1] = 0;
    memcpy(want + modulus - hash.n, hash.p, hash.n);
    return secret_equal(span_of(block, n), span_of(want, modulus));
}

/* r|s of fixed length to the DER that OpenSSL wants; returns its length, 0 = no memory */
static size_t fixed_to_der(span sig, uint8_t *der, size_t size)
{
    size_t n = 0, half = sig.n / 2;
    ECDSA_SIG *es = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(sig.p, (int)half, NULL), *s = BN_bin2bn(sig.p + half, (int)half, NULL);
    if (es && r && s && ECDSA_SIG_set0(es, r, s)) {
        r = s = NULL; /* es has them */
        int len = i2d_ECDSA_SIG(es, NULL);
        if (len > 0 && (size_t)len <= size)
            n = (size_t)i2d_ECDSA_SIG(es, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(es);
    return n;
}

static bool verify_with(sig_ctx *c, const key_info *k, span data, span sig, bool *broken)
{
    uint8_t hash[MAX_HASH], der[256];
    span tbs;
    int ok;
    if (c->mctx) {
        ok = EVP_DigestVerify(c->mctx, sig.p, sig.n, data.p ? data.p : (const uint8_t *)"", data.n);
        *broken = ok < 0;
        return ok == 1;
    }
    if (to_be_signed(c->scheme, data, hash, &tbs) != ST_OK)
        return false;
    if (c->scheme == SIG_RSA_PKCS1_RAW)
        return raw_rsa_ok(c->pctx, (k->bits + 7) / 8, tbs, sig);
    if (is_fixed_ecdsa(c->scheme)) {
        size_t n = fixed_to_der(sig, der, sizeof(der));
        if (!n)
            return false;
        sig = span_of(der, n);
    }
    ok = EVP_PKEY_verify(c->pctx, sig.p, sig.n, tbs.p, tbs.n);
    *broken = ok < 0;
    return ok == 1;
}

static bool right_length(sig_scheme s, const key_info *k, span sig)
{
    switch (k->type) {
    case KEY_RSA:
        return sig.n == (k->bits + 7) / 8;
    case KEY_ECDSA:
        return is_fixed_ecdsa(s) ? sig.n == 2 * k->half : sig.n >= 8 && sig.n <= 2 * k->half + 9;
    case KEY_ED25519:
        return sig.n == 64;
    case KEY_ED448:
        return sig.n == 114;
    case KEY_ANY:
        break;
    }
    return false;
}

status sig_verify(EVP_PKEY *pkey, const key_info *k, sig_cache *cache, sig_scheme s, span data, span sig)
{
    if (!sig_fits(s, k) || !sig.p || !right_length(s, k, sig))
        return ST_CRYPTO;
    sig_ctx *c = ctx_take(cache, pkey, s, false);
    if (!c) {
        ERR_clear_error();
        return ST_CRYPTO;
    }
    bool broken = false, ok = verify_with(c, k, data, sig, &broken);
    if (!ok)
        ERR_clear_error();
    if (broken)
        ctx_free(c);
    else
        ctx_give(cache, c);
    return ok ? ST_OK : ST_CRYPTO;
}

/* ---- sign ---- */

/* OpenSSL's DER signature to r|s of fixed length */
static status der_to_fixed(span der, size_t half, buf *sig)
{
    const uint8_t *p = der.p;
    status st = ST_CRYPTO;
    ECDSA_SIG *es = d2i_ECDSA_SIG(NULL, &p, (long)der.n);
    uint8_t *out = buf_reserve(sig, 2 * half);
    if (!out)
        st = ST_NO_MEMORY;
    else if (es && BN_bn2binpad(ECDSA_SIG_get0_r(es), out, (int)half) > 0 &&
             BN_bn2binpad(ECDSA_SIG_get0_s(es), out + half, (int)half) > 0) {
        sig->n += 2 * half;
        st = ST_OK;
    }
    ECDSA_SIG_free(es);
    return st;
}

static status sign_with(sig_ctx *c, const key_info *k, span data, buf *sig)
{
    uint8_t hash[MAX_HASH], out[MAX_SIG_BYTES];
    size_t n = sizeof(out);
    span tbs;
    if (c->mctx) {
        if (EVP_DigestSign(c->mctx, out, &n, data.p ? data.p : (const uint8_t *)"", data.n) != 1)
            return ST_CRYPTO;
        buf_put(sig, span_of(out, n));
        return buf_ok(sig) ? ST_OK : ST_NO_MEMORY;
    }
    status st = to_be_signed(c->scheme, data, hash, &tbs);
    if (st != ST_OK)
        return st;
    if (EVP_PKEY_sign(c->pctx, out, &n, tbs.p, tbs.n) != 1)
        return ST_CRYPTO;
    if (is_fixed_ecdsa(c->scheme))
        return der_to_fixed(span_of(out, n), k->half, sig);
    buf_put(sig, span_of(out, n));
    return buf_ok(sig) ? ST_OK : ST_NO_MEMORY;
}

status sig_make(EVP_PKEY *pkey, const key_info *k, sig_cache *cache, sig_scheme s, span data, buf *sig)
{
    if (!sig_fits(s, k))
        return ST_UNSUPPORTED;
    sig_ctx *c = ctx_take(cache, pkey, s, true);
    if (!c) {
        ERR_clear_error();
        return ST_CRYPTO;
    }
    status st = sign_with(c, k, data, sig);
    if (st == ST_CRYPTO) {
        ERR_clear_error();
        ctx_free(c);
    } else {
        ctx_give(cache, c);
    }
    return st;
}
