/* Private keys: read from PEM or DER in any of the usual wrappings, or put together from the numbers of an
 * inline RSA block. A key is kept only after it has proved that it fits its public half: it signs once and
 * the public half verifies.
 */
#include "libstrongswan/base/refcount.h"
#include "libstrongswan/base/secret.h"
#include "libstrongswan/cred/pgp.h"
#include "libstrongswan/cred/readfile.h"
#include "libstrongswan/cred/sig.h"
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

struct privkey {
    refcount refs;
    EVP_PKEY *pkey;
    pubkey *pub;
    key_info info;
    sig_cache cache;
};

/* ---- making ---- */

static sig_scheme proof_scheme(const key_info *k)
{
    switch (k->type) {
    case KEY_RSA:
        return k->pss_only ? SIG_RSA_PSS_SHA2_256 : SIG_RSA_PKCS1_SHA2_256;
    case KEY_ECDSA:
        return SIG_ECDSA_DER_SHA2_256;
    case KEY_ED25519:
        return SIG_ED25519;
    case KEY_ED448:
        return SIG_ED448;
    case KEY_ANY:
        break;
    }
    return SIG_UNKNOWN;
}

static status prove(const privkey *k, msgbuf *msg)
{
    buf sig = {0};
    span text = SPAN_LIT("does the private key fit the public key");
    sig_scheme s = proof_scheme(&k->info);
    status st = privkey_sign(k, s, text, &sig);
    if (st == ST_OK)
        st = pubkey_verify(k->pub, s, text, buf_span(&sig));
    buf_free(&sig);
    if (st != ST_OK && st != ST_NO_MEMORY)
        st = msg_fail(msg, ST_INVALID, "the private key does not fit its public half");
    return st;
}

/* A key object that holds the public half only, so that nothing made from it can reach the private one. */
static EVP_PKEY *public_half(EVP_PKEY *pkey)
{
    uint8_t *der = NULL;
    int n = i2d_PUBKEY(pkey, &der);
    const uint8_t *p = der;
    EVP_PKEY *out = n > 0 ? d2i_PUBKEY(NULL, &p, n) : NULL;
    OPENSSL_free(der);
    return out;
}

status privkey_adopt(privkey **out, EVP_PKEY *pkey, msgbuf *msg)
{
    *out = NULL;
    privkey *k = calloc(1, sizeof(*k));
    if (!k) {
        EVP_PKEY_free(pkey);
        return ST_NO_MEMORY;
    }
    ref_init(&k->refs);
    k->pkey = pkey;
    status st = key_describe(pkey, &k->info, msg);
    if (st == ST_OK) {
        EVP_PKEY *half = public_half(pkey);
        st = half ? pubkey_adopt(&k->pub, half, msg)
                  : msg_fail(msg, ST_INVALID, "the private key has no public half");
    }
    if (st == ST_OK)
        st = prove(k, msg);
    ERR_clear_error();
    if (st != ST_OK) {
        privkey_unref(k);
        return st;
    }
    *out = k;
    return ST_OK;
}

typedef struct pass_asked {
    const char *pass;
    bool asked;
} pass_asked;

static int give_pass(char *dst, int size, int rw, void *ctx)
{
    pass_asked *p = ctx;
    p->asked = true;
    size_t n = p->pass ? strlen(p->pass) : 0;
    if (!p->pass || n > (size_t)size)
        return -1;
    memcpy(dst, p->pass, n);
    return (int)n;
}

static bool is_pem(span data)
{
    static const char begin[] = "-----BEGIN";
    return data.n && memmem(data.p, data.n, begin, sizeof(begin) - 1) != NULL;
}

static EVP_PKEY *decode(span data, pass_asked *pass)
{
    EVP_PKEY *pkey = NULL;
    BIO *bio = data.n <= INT32_MAX ? BIO_new_mem_buf(data.p, (int)data.n) : NULL;
    if (bio && is_pem(data)) {
        pkey = PEM_read_bio_PrivateKey(bio, NULL, give_pass, pass);
    } else if (bio) {
        const uint8_t *p = data.p;
        pkey = d2i_AutoPrivateKey(NULL, &p, (long)data.n);
        if (!pkey)
            pkey = d2i_PKCS8PrivateKey_bio(bio, NULL, give_pass, pass);
    }
    BIO_free(bio);
    ERR_clear_error();
    return pkey;
}

status privkey_from_data(privkey **out, span data, const char *pass, msgbuf *msg)
{
    *out = NULL;
    if (data.n == 0)
        return msg_fail(msg, ST_INVALID, "the private key is empty");
    if (pgp_is_key(data))
        return pgp_secret_key(out, data, msg);
    pass_asked p = {.pass = pass};
    EVP_PKEY *pkey = decode(data, &p);
    if (pkey)
        return privkey_adopt(out, pkey, msg);
    if (p.asked)
        return msg_fail(msg, ST_DENIED,
                        p.pass ? "invalid passphrase for the private key"
                               : "the private key is encrypted and there is no passphrase for it");
    return msg_fail(msg, ST_INVALID, "not a private key in a form known here (PEM or DER)");
}

status privkey_from_file(privkey **out, const char *path, const char *pass, msgbuf *msg)
{
    secret data = {0};
    *out = NULL;
    status st = read_file(path, &data, NULL, msg);
    if (st == ST_OK)
        st = privkey_from_data(out, secret_view(&data), pass, msg);
    secret_free(&data);
    return st;
}

/* ---- from numbers ---- */

static const char *const rsa_params[RSA_NUMBERS] = {
    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
    OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
    OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

/* d mod (p-1) must be what the block says, and e times it must be 1 */
static bool exponent_fits(const BIGNUM *prime, BIGNUM *const *n, const BIGNUM *dmod, BN_CTX *ctx)
{
    BIGNUM *less = BN_dup(prime), *t = BN_new();
    bool ok = less && t && BN_sub_word(less, 1) && !BN_is_zero(less) && BN_mod(t, n[RSA_D], less, ctx) &&
              BN_cmp(t, dmod) == 0 && BN_mod_mul(t, n[RSA_E], n[RSA_D], less, ctx) && BN_is_one(t);
    BN_clear_free(less);
    BN_clear_free(t);
    return ok;
}

static const char *why_inconsistent(BIGNUM *const *n)
{
    const char *why = NULL;
    BN_CTX *ctx = BN_CTX_secure_new();
    BIGNUM *t = BN_secure_new();
    if (!ctx || !t)
        why = "no memory for the check";
    else if (BN_is_zero(n[RSA_P]) || BN_is_zero(n[RSA_Q]) || !BN_mul(t, n[RSA_P], n[RSA_Q], ctx) ||
             BN_cmp(t, n[RSA_N]))
        why = "Modulus is not Prime1 times Prime2";
    else if (!exponent_fits(n[RSA_P], n, n[RSA_DP], ctx))
        why = "PrivateExponent, PublicExponent, Exponent1 and Prime1 do not fit together";
    else if (!exponent_fits(n[RSA_Q], n, n[RSA_DQ], ctx))
        why = "PrivateExponent, PublicExponent, Exponent2 and Prime2 do not fit together";
    else if (!BN_mod_mul(t, n[RSA_QINV], n[RSA_Q], n[RSA_P], ctx) || !BN_is_one(t))
        why = "Coefficient is not the inverse of Prime2";
    BN_clear_free(t);
    BN_CTX_free(ctx);
    return why;
}

static EVP_PKEY *rsa_from_numbers(BIGNUM *const *n)
{
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;
    bool ok = bld && ctx;
    for (size_t i = 0; i < RSA_NUMBERS && ok; i++)
        ok = OSSL_PARAM_BLD_push_BN(bld, rsa_params[i], n[i]);
    if (ok && (params = OSSL_PARAM_BLD_to_param(bld)) && EVP_PKEY_fromdata_init(ctx) > 0)
        (void)EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params);
    OSSL_PARAM_free(params); /* secure BIGNUMs went to the secure block, which this wipes */
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

status privkey_from_rsa_numbers(privkey **out, const span numbers[RSA_NUMBERS], msgbuf *msg)
{
    BIGNUM *n[RSA_NUMBERS] = {0};
    status st = ST_OK;
    *out = NULL;
    for (size_t i = 0; i < RSA_NUMBERS && st == ST_OK; i++) {
        if (numbers[i].n > 2100)
            st = msg_fail(msg, ST_LIMIT, "a number of the RSA key is too long");
        else if (!(n[i] = BN_secure_new()) || !BN_bin2bn(numbers[i].p, (int)numbers[i].n, n[i]))
            st = ST_NO_MEMORY;
    }
    const char *why = st == ST_OK ? why_inconsistent(n) : NULL;
    if (why)
        st = msg_fail(msg, ST_INVALID, "the RSA key is inconsistent: %s", why);
    EVP_PKEY *pkey = st == ST_OK ? rsa_from_numbers(n) : NULL;
    if (st == ST_OK)
        st = pkey ? privkey_adopt(out, pkey, msg)
                  : msg_fail(msg, ST_INVALID, "not the numbers of an RSA key");
    for (size_t i = 0; i < RSA_NUMBERS; i++)
        BN_clear_free(n[i]);
    ERR_clear_error();
    return st;
}

/* ---- using ---- */

privkey *privkey_ref(privkey *k)
{
    if (k)
        ref_get(&k->refs);
    return k;
}

void privkey_unref(privkey *k)
{
    if (!k || !ref_put(&k->refs))
        return;
    sig_cache_free(&k->cache);
    EVP_PKEY_free(k->pkey); /* OpenSSL wipes its numbers */
    pubkey_unref(k->pub);
    free(k);
}

pubkey *privkey_public(const privkey *k)
{
    return k->pub;
}

EVP_PKEY *privkey_evp(const privkey *k)
{
    EVP_PKEY_up_ref(k->pkey);
    return k->pkey;
}

status privkey_sign(const privkey *k, sig_scheme s, span data, buf *sig)
{
    return sig_make(k->pkey, &k->info, (sig_cache *)&k->cache, s, data, sig);
}

/* In order of preference for each kind of key; the hash that is as strong as the curve first. */
static const sig_scheme *preferred(const key_info *k)
{
    /* a peer tells which hashes it knows, not whether it knows PSS: what all of them know comes first */
    static const sig_scheme rsa[] = {
        SIG_RSA_PKCS1_SHA2_256, SIG_RSA_PKCS1_SHA2_384, SIG_RSA_PKCS1_SHA2_512, SIG_RSA_PSS_SHA2_256,
        SIG_RSA_PSS_SHA2_384,   SIG_RSA_PSS_SHA2_512,   SIG_RSA_PKCS1_SHA1,     SIG_UNKNOWN};
    static const sig_scheme ec256[] = {SIG_ECDSA_DER_SHA2_256, SIG_ECDSA_DER_SHA2_384, SIG_ECDSA_DER_SHA2_512,
                                       SIG_ECDSA_DER_SHA1, SIG_UNKNOWN};
    static const sig_scheme ec384[] = {SIG_ECDSA_DER_SHA2_384, SIG_ECDSA_DER_SHA2_512, SIG_ECDSA_DER_SHA2_256,
                                       SIG_ECDSA_DER_SHA1, SIG_UNKNOWN};
    static const sig_scheme ec512[] = {SIG_ECDSA_DER_SHA2_512, SIG_ECDSA_DER_SHA2_384, SIG_ECDSA_DER_SHA2_256,
                                       SIG_ECDSA_DER_SHA1, SIG_UNKNOWN};
    static const sig_scheme ed25519[] = {SIG_ED25519, SIG_UNKNOWN};
    static const sig_scheme ed448[] = {SIG_ED448, SIG_UNKNOWN};
    static const sig_scheme none[] = {SIG_UNKNOWN};
    switch (k->type) {
    case KEY_RSA:
        return rsa;
    case KEY_ECDSA:
        return k->bits <= 256 ? ec256 : (k->bits <= 384 ? ec384 : ec512);
    case KEY_ED25519:
        return ed25519;
    case KEY_ED448:
        return ed448;
    case KEY_ANY:
        break;
    }
    return none;
}

size_t privkey_schemes(const privkey *k, uint32_t peer_hashes, sig_scheme *out, size_t max)
{
    static const sig_scheme old[] = {SIG_RSA_PKCS1_SHA1, SIG_ECDSA_256, SIG_ECDSA_384, SIG_ECDSA_521};
    size_t n = 0;
    if (!peer_hashes) { /* only the methods of RFC 7296 and RFC 4754 */
        for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++)
            if (n < max && sig_fits(old[i], &k->info))
                out[n++] = old[i];
        return n;
    }
    for (const sig_scheme *s = preferred(&k->info); *s != SIG_UNKNOWN; s++)
        if (n < max && (peer_hashes >> sig_hash(*s) & 1) && sig_fits(*s, &k->info))
            out[n++] = *s;
    return n;
}
