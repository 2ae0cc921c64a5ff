/* One key of each kind, made once for all tests of a program. */
#pragma once
#include "libstrongswan/cred/keys.h"
#include "libstrongswan/cred/sig.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static privkey *rsa, *rsa_e3, *ec256, *ec384, *ec521, *ed25519, *ed448;

static privkey *adopt(EVP_PKEY *pkey)
{
    privkey *k;
    msgbuf msg = {{0}};
    assert_non_null(pkey);
    if (privkey_adopt(&k, pkey, &msg) != ST_OK)
        fail_msg("%s", msg.text);
    return k;
}

static EVP_PKEY *rsa_with_exponent(unsigned e)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    BIGNUM *be = BN_new();
    BN_set_word(be, e);
    EVP_PKEY_keygen_init(ctx);
    EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048);
    EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, be);
    EVP_PKEY_keygen(ctx, &pkey);
    EVP_PKEY_CTX_free(ctx);
    BN_free(be);
    return pkey;
}

static int make_keys(void **state)
{
    rsa = adopt(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048));
    rsa_e3 = adopt(rsa_with_exponent(3));
    ec256 = adopt(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"));
    ec384 = adopt(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"));
    ec521 = adopt(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521"));
    ed25519 = adopt(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
    ed448 = adopt(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"));
    return 0;
}

static int free_keys(void **state)
{
    privkey *all[] = {rsa, rsa_e3, ec256, ec384, ec521, ed25519, ed448};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        privkey_unref(all[i]);
    return 0;
}

#define MESSAGE SPAN_LIT("octets that are signed, as long as you like")
#define HASH20  SPAN_LIT("01234567890123456789")

/* Signs, verifies, then verifies everything that is nearly the same. */
static void round_trip(const privkey *k, sig_scheme s, span data)
{
    const pubkey *pub = privkey_public(k);
    buf sig = {0};
    status st = privkey_sign(k, s, data, &sig);
    if (st != ST_OK)
        fail_msg("%s: %s", ENUM_STR(sig_scheme_names, s), status_text(st));
    for (int i = 0; i < 3; i++) /* the second time with a context that was used */
        assert_int_equal(pubkey_verify(pub, s, data, buf_span(&sig)), ST_OK);
    uint8_t other[64];
    memcpy(other, data.p, data.n);
    other[data.n - 1] ^= 1;
    assert_int_equal(pubkey_verify(pub, s, span_of(other, data.n), buf_span(&sig)), ST_CRYPTO);
    size_t n = sig.n;
    for (size_t i = 0; i < n; i += n / 8) {
        sig.p[i] ^= 1;
        assert_int_equal(pubkey_verify(pub, s, data, buf_span(&sig)), ST_CRYPTO);
        sig.p[i] ^= 1;
    }
    assert_int_equal(pubkey_verify(pub, s, data, span_take(buf_span(&sig), n - 1)), ST_CRYPTO); /* short */
    assert_int_equal(pubkey_verify(pub, s, data, span_skip(buf_span(&sig), 1)), ST_CRYPTO);
    buf_put_u8(&sig, 0);
    assert_int_equal(pubkey_verify(pub, s, data, buf_span(&sig)), ST_CRYPTO); /* long */
    sig.n = n;
    assert_int_equal(pubkey_verify(pub, s, data, SPAN_NULL), ST_CRYPTO); /* empty */
    assert_int_equal(pubkey_verify(pub, s, data, SPAN_LIT("")), ST_CRYPTO);
    uint8_t *zero = calloc(1, n);
    assert_int_equal(pubkey_verify(pub, s, data, span_of(zero, n)), ST_CRYPTO); /* zero */
    memset(zero, 0xff, n);
    assert_int_equal(pubkey_verify(pub, s, data, span_of(zero, n)),
                     ST_CRYPTO); /* at or above the modulus or order */
    free(zero);
    assert_int_equal(pubkey_verify(pub, s, data, buf_span(&sig)), ST_OK); /* still usable after all of that */
    buf_free(&sig);
}
