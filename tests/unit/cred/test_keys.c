/* Keys and signatures: every scheme made and checked, and the forgeries of hazard class 5, one test each. */
#include "libstrongswan/base/text.h"
#include "libstrongswan/cred/der.h"
#include "libstrongswan/cred/keys.h"
#include "libstrongswan/cred/sig.h"
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
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

static void every_scheme(void **state)
{
    for (sig_scheme s = SIG_RSA_PKCS1_RAW; s <= SIG_RSA_PSS_SHA2_512; s++) {
        round_trip(rsa, s, s == SIG_RSA_PKCS1_RAW ? HASH20 : MESSAGE);
        round_trip(rsa_e3, s, s == SIG_RSA_PKCS1_RAW ? HASH20 : MESSAGE);
    }
    round_trip(ec256, SIG_ECDSA_256, MESSAGE);
    round_trip(ec384, SIG_ECDSA_384, MESSAGE);
    round_trip(ec521, SIG_ECDSA_521, MESSAGE);
    round_trip(ec256, SIG_ECDSA_RAW, HASH20);
    for (sig_scheme s = SIG_ECDSA_DER_SHA1; s <= SIG_ECDSA_DER_SHA2_512; s++) {
        round_trip(ec256, s, MESSAGE);
        round_trip(ec521, s, MESSAGE);
    }
    round_trip(ed25519, SIG_ED25519, MESSAGE);
    round_trip(ed448, SIG_ED448, MESSAGE);
}

/* A scheme is tied to a kind of key, and the RFC 4754 ones to a curve. */
static void scheme_does_not_fit_key(void **state)
{
    const privkey *keys[] = {rsa, ec256, ec384, ec521, ed25519, ed448};
    uint8_t sig[256];
    memset(sig, 1, sizeof(sig));
    for (size_t i = 0; i < 6; i++)
        for (sig_scheme s = SIG_UNKNOWN; s <= SIG_ED448; s++) {
            bool kind = s != SIG_UNKNOWN && sig_key_type(s) == pubkey_type(privkey_public(keys[i]));
            bool curve = (s != SIG_ECDSA_256 || i == 1) && (s != SIG_ECDSA_384 || i == 2) &&
                         (s != SIG_ECDSA_521 || i == 3);
            buf out = {0};
            if (kind && curve)
                continue;
            assert_int_equal(privkey_sign(keys[i], s, HASH20, &out), ST_UNSUPPORTED);
            for (size_t n = 0; n <= sizeof(sig); n++)
                assert_int_equal(pubkey_verify(privkey_public(keys[i]), s, HASH20, span_of(sig, n)),
                                 ST_CRYPTO);
            buf_free(&out);
        }
}

/* The hash given to a raw scheme must have the length of a hash. */
static void raw_hash_lengths(void **state)
{
    uint8_t data[65] = {0}, sig[256] = {0};
    for (size_t n = 0; n <= 65; n++) {
        buf out = {0};
        bool ok = n == 16 || n == 20 || n == 32 || n == 48 || n == 64;
        assert_int_equal(privkey_sign(rsa, SIG_RSA_PKCS1_RAW, span_of(data, n), &out),
                         ok ? ST_OK : ST_INVALID);
        buf_reset(&out);
        assert_int_equal(privkey_sign(ec256, SIG_ECDSA_RAW, span_of(data, n), &out), ok ? ST_OK : ST_INVALID);
        if (!ok)
            assert_int_equal(
                pubkey_verify(privkey_public(rsa), SIG_RSA_PKCS1_RAW, span_of(data, n), SPAN_ARRAY(sig)),
                ST_CRYPTO);
        buf_free(&out);
    }
}

/* ---- blocks of our own under the private key: what a careless parser of padding would take ---- */

static void private_op(const privkey *k, const uint8_t block[256], uint8_t sig[256])
{
    EVP_PKEY *pkey = privkey_evp(k);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    size_t n = 256;
    assert_true(EVP_PKEY_sign_init(ctx) > 0 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) > 0);
    assert_int_equal(EVP_PKEY_sign(ctx, sig, &n, block, 256), 1);
    assert_int_equal(n, 256);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(pkey);
}

/* 00 01 FF*pad 00 der garbage... in 256 octets */
static void build_block(uint8_t block[256], size_t pad, span der, uint8_t garbage)
{
    memset(block, garbage, 256);
    block[0] = 0;
    block[1] = 1;
    memset(block + 2, 0xff, pad);
    block[2 + pad] = 0;
    memcpy(block + 3 + pad, der.p, der.n);
}

static span digest_info(uint8_t out[128], const char *prefix_hex, span message)
{
    buf prefix = {0};
    assert_int_equal(text_parse_hex(&prefix, span_str(prefix_hex)), ST_OK);
    if (prefix.n)
        memcpy(out, prefix.p, prefix.n);
    size_t n = prefix.n;
    unsigned h = 0;
    EVP_Digest(message.p, message.n, out + n, &h, EVP_sha256(), NULL);
    buf_free(&prefix);
    return span_of(out, n + h);
}
#define DI_SHA256 "3031300d060960864801650304020105000420"

static void expect_block(const uint8_t block[256], status want, const char *what)
{
    uint8_t sig[256];
    private_op(rsa_e3, block, sig);
    status st = pubkey_verify(privkey_public(rsa_e3), SIG_RSA_PKCS1_SHA2_256, MESSAGE, SPAN_ARRAY(sig));
    if (st != want)
        fail_msg("%s: %s", what, status_text(st));
}

static void forged_padding(void **state)
{
    uint8_t block[256], di[128];
    span good = digest_info(di, DI_SHA256, MESSAGE);
    build_block(block, 256 - 3 - good.n, good, 0);
    expect_block(block, ST_OK, "the right block");
    build_block(block, 8, good, 0);
    expect_block(block, ST_CRYPTO, "Bleichenbacher: little padding, rubbish behind");
    build_block(block, 256 - 3 - good.n - 1, good, 0x5a);
    expect_block(block, ST_CRYPTO, "one octet behind");
    build_block(block, 7, good, 0xff);
    expect_block(block, ST_CRYPTO, "seven octets of padding");
    build_block(block, 0, good, 0xff);
    expect_block(block, ST_CRYPTO, "no padding");
    build_block(block, 256 - 3 - good.n, good, 0);
    block[1] = 2;
    expect_block(block, ST_CRYPTO, "block type 2");
    block[1] = 1;
    block[0] = 1; /* may reach the modulus: then signing fails, so keep it small */
    block[0] = 0;
    block[100] = 0xfe;
    expect_block(block, ST_CRYPTO, "a hole in the padding");
    block[100] = 0;
    expect_block(block, ST_CRYPTO, "padding ends early");
}

static void forged_digest_info(void **state)
{
    static const struct {
        const char *prefix, *what;
    } bad[] = {
        {"302f300b0609608648016503040201"
         "0420",
         "NULL absent"},
        {"3033300f06096086480165030402010502"
         "0000"
         "0420",
         "NULL with a body"},
        {"3031300d060960864801650304020205000420", "OID of SHA-384"},
        {"3031300d06096086480165030402010500"
         "0421",
         "hash too long"},
        {"303130"
         "0d060960864801650304020105000420",
         NULL},
        {"30323"
         "00e060a6086480165030402010105000420",
         "excess octet in the OID"},
        {"308131300d060960864801650304020105000420", "long form of a length"},
        {"3036301206096086480165030402010405"
         "0102030405"
         "0420",
         "parameters with content"},
        {"3030300c0608608648016503040205000420", "OID cut"},
        {"", "no DigestInfo at all"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t block[256], di[128];
        span info = digest_info(di, bad[i].prefix, MESSAGE);
        build_block(block, 256 - 3 - info.n, info, 0);
        expect_block(block, bad[i].what ? ST_CRYPTO : ST_OK, bad[i].what ? bad[i].what : "right");
    }
}

/* The classic: no private key at all, a cube root. 2048 bits, e = 3: choose a block 00 01 FF*8 00 DigestInfo
 * 00.. and take the root rounded up; the garbage at the end absorbs the difference. */
static void cube_root_forgery(void **state)
{
    uint8_t block[256], di[128], sig[256] = {0};
    span info = digest_info(di, DI_SHA256, MESSAGE);
    build_block(block, 8, info, 0);
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *target = BN_bin2bn(block, 256, NULL), *lo = BN_new(), *hi = BN_new(), *mid = BN_new(),
           *cube = BN_new();
    BN_zero(lo);
    BN_one(hi);
    BN_lshift(hi, hi, 700);
    while (BN_cmp(lo, hi) < 0) { /* smallest x with x^3 >= target */
        BN_add(mid, lo, hi);
        BN_rshift1(mid, mid);
        BN_sqr(cube, mid, ctx);
        BN_mul(cube, cube, mid, ctx);
        if (BN_cmp(cube, target) < 0) {
            BN_add_word(mid, 1);
            BN_copy(lo, mid);
        } else {
            BN_copy(hi, mid);
        }
    }
    BN_sqr(cube, lo, ctx);
    BN_mul(cube, cube, lo, ctx);
    uint8_t got[256];
    BN_bn2binpad(cube, got, 256);
    assert_memory_equal(got, block, 3 + 8 + info.n); /* it is the forgery it claims to be */
    BN_bn2binpad(lo, sig, 256);
    assert_int_equal(pubkey_verify(privkey_public(rsa_e3), SIG_RSA_PKCS1_SHA2_256, MESSAGE, SPAN_ARRAY(sig)),
                     ST_CRYPTO);
    /* the same against IKEv1's raw form */
    build_block(block, 8, HASH20, 0);
    BN_bin2bn(block, 256, target);
    assert_int_equal(pubkey_verify(privkey_public(rsa_e3), SIG_RSA_PKCS1_RAW, HASH20, SPAN_ARRAY(sig)),
                     ST_CRYPTO);
    BN_free(target);
    BN_free(lo);
    BN_free(hi);
    BN_free(mid);
    BN_free(cube);
    BN_CTX_free(ctx);
}

static void raw_blocks(void **state)
{
    uint8_t block[256], sig[256];
    static const struct {
        size_t pad;
        uint8_t garbage, type;
        status want;
    } rows[] = {{256 - 3 - 20, 0, 1, ST_OK},
                {8, 0, 1, ST_CRYPTO},
                {256 - 4 - 20, 0x41, 1, ST_CRYPTO},
                {256 - 3 - 20, 0, 2, ST_CRYPTO},
                {256 - 3 - 20, 0, 0, ST_CRYPTO}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        build_block(block, rows[i].pad, HASH20, rows[i].garbage);
        block[1] = rows[i].type;
        private_op(rsa, block, sig);
        assert_int_equal(pubkey_verify(privkey_public(rsa), SIG_RSA_PKCS1_RAW, HASH20, SPAN_ARRAY(sig)),
                         rows[i].want);
    }
    /* a hash that is the tail of the signed one */
    build_block(block, 256 - 3 - 20, HASH20, 0);
    private_op(rsa, block, sig);
    assert_int_equal(
        pubkey_verify(privkey_public(rsa), SIG_RSA_PKCS1_RAW, span_skip(HASH20, 4), SPAN_ARRAY(sig)),
        ST_CRYPTO);
}

/* sig + n is the same number modulo n, and must not be the same signature; n itself and n - 1 are none */
static void at_or_above_the_modulus(void **state)
{
    BIGNUM *n = NULL, *s = NULL;
    EVP_PKEY *pkey = privkey_evp(rsa);
    uint8_t bytes[257];
    assert_true(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n));
    EVP_PKEY_free(pkey);
    for (int tries = 0;; tries++) { /* a signature small enough that + n still has 256 octets */
        char text[64];
        buf sig = {0};
        int len = snprintf(text, sizeof(text), "message %d", tries);
        assert_true(tries < 2000);
        assert_int_equal(privkey_sign(rsa, SIG_RSA_PKCS1_SHA2_256, span_of(text, (size_t)len), &sig), ST_OK);
        s = BN_bin2bn(sig.p, (int)sig.n, s);
        buf_free(&sig);
        BN_add(s, s, n);
        if (BN_num_bytes(s) > 256)
            continue;
        BN_bn2binpad(s, bytes, 256);
        assert_int_equal(pubkey_verify(privkey_public(rsa), SIG_RSA_PKCS1_SHA2_256,
                                       span_of(text, (size_t)len), span_of(bytes, 256)),
                         ST_CRYPTO);
        break;
    }
    BN_bn2binpad(n, bytes, 256);
    assert_int_equal(pubkey_verify(privkey_public(rsa), SIG_RSA_PKCS1_SHA2_256, MESSAGE, span_of(bytes, 256)),
                     ST_CRYPTO);
    assert_int_equal(pubkey_verify(privkey_public(rsa), SIG_RSA_PKCS1_RAW, HASH20, span_of(bytes, 256)),
                     ST_CRYPTO);
    BN_sub_word(n, 1);
    BN_bn2binpad(n, bytes, 256);
    assert_int_equal(pubkey_verify(privkey_public(rsa), SIG_RSA_PKCS1_SHA2_256, MESSAGE, span_of(bytes, 256)),
                     ST_CRYPTO);
    BN_free(n);
    BN_free(s);
}

/* PSS blocks made by OpenSSL with another salt length or mask hash, and with a wrong trailer */
static void pss_oddities(void **state)
{
    static const struct {
        int salt;
        bool sha1_mask;
        status want;
    } rows[] = {{32, false, ST_OK},     {0, false, ST_CRYPTO},   {20, false, ST_CRYPTO},
                {33, false, ST_CRYPTO}, {222, false, ST_CRYPTO}, {32, true, ST_CRYPTO}};
    uint8_t hash[32], sig[256], block[256];
    EVP_PKEY *pkey = privkey_evp(rsa);
    EVP_Digest(MESSAGE.p, MESSAGE.n, hash, NULL, EVP_sha256(), NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
        size_t n = sizeof(sig);
        EVP_PKEY_sign_init(ctx);
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256());
        EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, rows[i].sha1_mask ? EVP_sha1() : EVP_sha256());
        EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, rows[i].salt);
        assert_int_equal(EVP_PKEY_sign(ctx, sig, &n, hash, sizeof(hash)), 1);
        assert_int_equal(pubkey_verify(privkey_public(rsa), SIG_RSA_PSS_SHA2_256, MESSAGE, SPAN_ARRAY(sig)),
                         rows[i].want);
        EVP_PKEY_CTX_free(ctx);
        if (i)
            continue;
        /* open the good one, change the trailer, close it again */
        ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
        EVP_PKEY_verify_recover_init(ctx);
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING);
        n = sizeof(block);
        assert_int_equal(EVP_PKEY_verify_recover(ctx, block, &n, sig, 256), 1);
        EVP_PKEY_CTX_free(ctx);
        assert_int_equal(block[255], 0xbc);
        block[255] = 0xcc;
        private_op(rsa, block, sig);
        assert_int_equal(pubkey_verify(privkey_public(rsa), SIG_RSA_PSS_SHA2_256, MESSAGE, SPAN_ARRAY(sig)),
                         ST_CRYPTO);
    }
    EVP_PKEY_free(pkey);
}

/* r and s of 0, n, n + r; DER with rubbish, negative numbers and needless zeros */
static void ecdsa_oddities(void **state)
{
    uint8_t order[32], sig[64];
    EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BN_bn2binpad(EC_GROUP_get0_order(g), order, 32);
    EC_GROUP_free(g);
    buf good = {0};
    assert_int_equal(privkey_sign(ec256, SIG_ECDSA_256, MESSAGE, &good), ST_OK);
    const pubkey *pub = privkey_public(ec256);
    for (int i = 0; i < 9; i++) { /* each of r, s: zero, order, as it was */
        memcpy(sig, good.p, 64);
        if (i % 3 < 2)
            memcpy(sig, i % 3 ? order : (const uint8_t[32]){0}, 32);
        if (i / 3 < 2)
            memcpy(sig + 32, i / 3 ? order : (const uint8_t[32]){0}, 32);
        assert_int_equal(pubkey_verify(pub, SIG_ECDSA_256, MESSAGE, SPAN_ARRAY(sig)),
                         i == 8 ? ST_OK : ST_CRYPTO);
    }
    buf_free(&good);
    assert_int_equal(privkey_sign(ec256, SIG_ECDSA_DER_SHA2_256, MESSAGE, &good), ST_OK);
    assert_int_equal(pubkey_verify(pub, SIG_ECDSA_DER_SHA2_256, MESSAGE, buf_span(&good)), ST_OK);
    buf odd = {0}, body = {0};
    span seq, r, s;
    assert_true(der_whole(buf_span(&good), DER_SEQUENCE, &seq) && der_next_is(&seq, DER_INTEGER, &r) &&
                der_next_is(&seq, DER_INTEGER, &s));
    for (int i = 0; i < 5; i++) {
        buf_reset(&odd);
        buf_reset(&body);
        buf number = {0};
        if (i == 0)
            buf_put_u8(&number, 0); /* needless zero */
        if (i == 1)
            buf_put_u8(&number, 0xff); /* negative */
        buf_put(&number, r);
        der_put(&body, DER_INTEGER, i == 2 ? SPAN_NULL : buf_span(&number));
        der_put(&body, DER_INTEGER, s);
        if (i == 3)
            der_put(&body, DER_INTEGER, s); /* a third number */
        der_put(&odd, DER_SEQUENCE, buf_span(&body));
        if (i == 4)
            buf_put_u8(&odd, 0); /* rubbish behind */
        buf_free(&number);
        assert_int_equal(pubkey_verify(pub, SIG_ECDSA_DER_SHA2_256, MESSAGE, buf_span(&odd)), ST_CRYPTO);
    }
    buf_free(&odd);
    buf_free(&body);
    buf_free(&good);
}

/* ---- keys nobody should use ---- */

static status rsa_of(size_t bytes, uint8_t first, uint8_t last, span e, msgbuf *msg)
{
    uint8_t n[2200];
    pubkey *k;
    memset(n, 0x55, sizeof(n));
    if (bytes) {
        n[0] = first;
        n[bytes - 1] = last;
    }
    status st = pubkey_from_rsa(&k, span_of(n, bytes), e, msg);
    pubkey_unref(k);
    return st;
}

static void bad_rsa_keys(void **state)
{
    span f4 = SPAN_LIT("\x01\x00\x01");
    msgbuf msg;
    assert_int_equal(rsa_of(256, 0x80, 1, f4, &msg), ST_OK);
    assert_int_equal(rsa_of(256, 0x80, 1, SPAN_LIT("\x03"), &msg), ST_OK);
    const struct {
        size_t bytes;
        uint8_t first, last;
        span e;
    } bad[] = {
        {256, 0x80, 2, f4},               /* even modulus */
        {256, 0x80, 1, SPAN_LIT("\x00")}, /* exponents 0, 1, 2 and none */
        {256, 0x80, 1, SPAN_LIT("\x01")},
        {256, 0x80, 1, SPAN_LIT("\x02")},
        {256, 0x80, 1, SPAN_NULL},
        {256, 0x80, 1, SPAN_LIT("\x01\x00\x00\x00\x00\x00\x00\x00\x01")}, /* exponent of 65 bits */
        {0, 0, 0, f4},                                                    /* no modulus */
        {1, 0, 0, f4},                                                    /* modulus 0 */
        {1, 1, 1, f4},                                                    /* modulus 1 */
        {2, 0x80, 1, f4},                                                 /* 16 bits */
        {64, 0x80, 1, f4},                                                /* 512 bits */
        {127, 0x80, 1, f4},
        {2100, 0x80, 1, f4}, /* endless */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        msg.text[0] = 0;
        if (rsa_of(bad[i].bytes, bad[i].first, bad[i].last, bad[i].e, &msg) == ST_OK)
            fail_msg("row %zu", i);
        assert_true(msg.text[0]);
    }
}

static void rfc3110_form(void **state)
{
    uint8_t data[300] = {3, 1, 0, 1};
    pubkey *k, *l;
    for (size_t i = 0; i < 256; i++)
        data[4 + i] = (uint8_t)(i * 7 | 1);
    data[4] = 0xbd;
    data[5] = 0xd7;
    assert_int_equal(pubkey_from_rfc3110(&k, span_of(data, 260), NULL), ST_OK);
    assert_int_equal(pubkey_bits(k), 2048);
    assert_string_equal(pubkey_freeswan_id(k), "AwEAAb3XD");
    uint8_t longer[300] = {0, 0, 3};
    memcpy(longer + 3, data + 1, 259);
    assert_int_equal(pubkey_from_rfc3110(&l, span_of(longer, 262), NULL), ST_OK);
    assert_true(pubkey_equal(k, l));
    assert_true(span_equal(pubkey_keyid(k), pubkey_keyid(l)));
    pubkey_unref(l);
    pubkey_unref(k);
    for (size_t n = 0; n < 5; n++)
        assert_int_not_equal(pubkey_from_rfc3110(&k, span_of(data, n), NULL), ST_OK);
    data[0] = 255;
    data[1] = 255;
    assert_int_not_equal(pubkey_from_rfc3110(&k, span_of(data, 200), NULL), ST_OK);
    data[0] = 0;
    assert_int_not_equal(pubkey_from_rfc3110(&k, span_of(data, 200), NULL), ST_OK);
}

static void spki_lies(void **state)
{
    const privkey *keys[] = {rsa, ec256, ed25519};
    for (size_t i = 0; i < 3; i++) {
        uint8_t *der = NULL;
        pubkey *k;
        int n = i2d_PUBKEY((EVP_PKEY *)(uintptr_t)pubkey_evp(privkey_public(keys[i])), &der);
        assert_int_equal(pubkey_from_spki(&k, span_of(der, (size_t)n), NULL), ST_OK);
        assert_true(pubkey_equal(k, privkey_public(keys[i])));
        assert_true(span_equal(pubkey_spki_hash(k), pubkey_spki_hash(privkey_public(keys[i]))));
        pubkey_unref(k);
        for (int cut = 0; cut < n; cut++)
            assert_int_not_equal(pubkey_from_spki(&k, span_of(der, (size_t)cut), NULL), ST_OK);
        uint8_t *more = malloc((size_t)n + 1);
        memcpy(more, der, (size_t)n);
        more[n] = 0;
        assert_int_not_equal(pubkey_from_spki(&k, span_of(more, (size_t)n + 1), NULL), ST_OK);
        if (i == 1) { /* a point that is not on the curve; the point at infinity */
            more[n - 1] ^= 1;
            assert_int_not_equal(pubkey_from_spki(&k, span_of(more, (size_t)n), NULL), ST_OK);
        }
        free(more);
        OPENSSL_free(der);
    }
    buf b = {0};
    pubkey *k;
    static const char *const bad[] = {
        "3015301306072a8648ce3d020106082a8648ce3d030107"
        "03020000",                                             /* infinity */
        "3018301306072a8648ce3d020106082a8648ce3d030107030100", /* no point */
        "308102",
        "30800000",
        "3084ffffffff",
        "3000",
        "30053000030100",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        buf_reset(&b);
        assert_int_equal(text_parse_hex(&b, span_str(bad[i])), ST_OK);
        assert_int_not_equal(pubkey_from_spki(&k, buf_span(&b), NULL), ST_OK);
    }
    buf_free(&b);
    /* curves of one's own, and curves too small */
    EVP_PKEY *small = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp192k1");
    privkey *p;
    if (small)
        assert_int_not_equal(privkey_adopt(&p, small, NULL), ST_OK);
    EVP_PKEY *x = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    assert_non_null(x);
    msgbuf msg;
    assert_int_equal(privkey_adopt(&p, x, &msg), ST_UNSUPPORTED);
}

static void explicit_curve(void **state)
{
    EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY *pkey = privkey_evp(ec256), *copy = NULL;
    EVP_PKEY_free(pkey);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY_keygen_init(ctx);
    EVP_PKEY_CTX_set_group_name(ctx, "P-256");
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_EC_ENCODING, (char *)(uintptr_t) "explicit", 0),
        OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX_set_params(ctx, params);
    EVP_PKEY_keygen(ctx, &copy);
    EVP_PKEY_CTX_free(ctx);
    EC_GROUP_free(g);
    assert_non_null(copy);
    uint8_t *der = NULL;
    int n = i2d_PUBKEY(copy, &der);
    assert_true(n > 150); /* the curve is spelled out */
    pubkey *k;
    assert_int_not_equal(pubkey_from_spki(&k, span_of(der, (size_t)n), NULL), ST_OK);
    OPENSSL_free(der);
    EVP_PKEY_free(copy);
}

/* ---- private keys in files ---- */

static span bio_span(BIO *b)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    return span_of(p, (size_t)n);
}

static void expect_key(BIO *b, const char *pass, const privkey *want, status st_want)
{
    privkey *k;
    msgbuf msg = {{0}};
    status st = privkey_from_data(&k, bio_span(b), pass, &msg);
    if (st != st_want)
        fail_msg("%s: %s", status_text(st), msg.text);
    if (st == ST_OK)
        assert_true(pubkey_equal(privkey_public(k), privkey_public(want)));
    else
        assert_true(msg.text[0]);
    privkey_unref(k);
}

static void private_key_wrappings(void **state)
{
    const privkey *keys[] = {rsa, ec256, ec384, ed25519};
    char pass[] = "geheim";
    for (size_t i = 0; i < 4; i++) {
        EVP_PKEY *pkey = privkey_evp(keys[i]);
        for (int form = 0; form < 8; form++) {
            BIO *b = BIO_new(BIO_s_mem());
            int ok = 0;
            bool encrypted = form >= 4;
            if (i == 3 && (form == 2 || form == 3 || form == 6 || form == 7)) { /* Ed25519 has only PKCS#8 */
                BIO_free(b);
                continue;
            }
            switch (form) {
            case 0:
                ok = PEM_write_bio_PKCS8PrivateKey(b, pkey, NULL, NULL, 0, NULL, NULL);
                break;
            case 1:
                ok = i2d_PKCS8PrivateKey_bio(b, pkey, NULL, NULL, 0, NULL, NULL);
                break;
            case 2:
                ok = PEM_write_bio_PrivateKey_traditional(b, pkey, NULL, NULL, 0, NULL, NULL);
                break;
            case 3:
                ok = i2d_PrivateKey_bio(b, pkey);
                break;
            case 4:
                ok = PEM_write_bio_PKCS8PrivateKey(b, pkey, EVP_aes_256_cbc(), pass, 6, NULL, NULL);
                break;
            case 5:
                ok = i2d_PKCS8PrivateKey_bio(b, pkey, EVP_aes_128_cbc(), pass, 6, NULL, NULL);
                break;
            case 6:
                ok = PEM_write_bio_PrivateKey_traditional(b, pkey, EVP_des_ede3_cbc(), (uint8_t *)pass, 6,
                                                          NULL, NULL);
                break;
            case 7:
                ok = PEM_write_bio_PrivateKey_traditional(b, pkey, EVP_aes_192_cbc(), (uint8_t *)pass, 6,
                                                          NULL, NULL);
                break;
            }
            assert_int_equal(ok, 1);
            expect_key(b, pass, keys[i], ST_OK);
            if (encrypted) {
                expect_key(b, NULL, keys[i], ST_DENIED);
                expect_key(b, "wrong", keys[i], ST_DENIED);
                expect_key(b, "", keys[i], ST_DENIED);
            }
            BIO_free(b);
        }
        EVP_PKEY_free(pkey);
    }
    privkey *k;
    static const char *const bad[] = {"",  "x",  "-----BEGIN", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n",
                                      "0", "04", "\x30\x80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(privkey_from_data(&k, span_str(bad[i]), NULL, NULL), ST_INVALID);
    msgbuf msg;
    assert_int_equal(privkey_from_file(&k, "/nonexistent/key", NULL, &msg), ST_NOT_FOUND);
    assert_non_null(strstr(msg.text, "/nonexistent/key"));
    assert_int_equal(privkey_from_file(&k, "/", NULL, &msg), ST_INVALID);
}

static void numbers_of(const privkey *k, span out[RSA_NUMBERS], uint8_t bytes[RSA_NUMBERS][256])
{
    static const char *const names[] = {
        "n", "e", "d", "rsa-factor1", "rsa-factor2", "rsa-exponent1", "rsa-exponent2", "rsa-coefficient1"};
    EVP_PKEY *pkey = privkey_evp(k);
    for (size_t i = 0; i < RSA_NUMBERS; i++) {
        BIGNUM *n = NULL;
        assert_true(EVP_PKEY_get_bn_param(pkey, names[i], &n));
        out[i] = span_of(bytes[i], (size_t)BN_bn2bin(n, bytes[i]));
        BN_clear_free(n);
    }
    EVP_PKEY_free(pkey);
}

static void inline_numbers(void **state)
{
    span n[RSA_NUMBERS];
    uint8_t bytes[RSA_NUMBERS][256];
    privkey *k;
    numbers_of(rsa_e3, n, bytes);
    assert_int_equal(privkey_from_rsa_numbers(&k, n, NULL), ST_OK);
    assert_true(pubkey_equal(privkey_public(k), privkey_public(rsa_e3)));
    round_trip(k, SIG_RSA_PKCS1_RAW, HASH20);
    privkey_unref(k);
    for (size_t i = 0; i < RSA_NUMBERS; i++) {
        msgbuf msg = {{0}};
        bytes[i][n[i].n - 1] ^= 4;
        assert_int_equal(privkey_from_rsa_numbers(&k, n, &msg), ST_INVALID);
        assert_true(msg.text[0]);
        bytes[i][n[i].n - 1] ^= 4;
        span was = n[i];
        n[i] = SPAN_NULL;
        assert_int_not_equal(privkey_from_rsa_numbers(&k, n, &msg), ST_OK);
        n[i] = was;
    }
}

static void put_mpi(buf *b, span s)
{
    unsigned bits = (unsigned)s.n * 8;
    for (uint8_t top = s.p[0]; !(top & 0x80); top = (uint8_t)(top << 1))
        bits--;
    buf_put_u16(b, (uint16_t)bits);
    buf_put(b, s);
}

/* An armored secret key: version and protection as told, header old (0x95) or new (0xc5), cut behind `keep`
 * octets. */
static status pgp_key(uint8_t version, uint8_t protection, uint8_t head, size_t keep, privkey **k)
{
    span n[RSA_NUMBERS];
    uint8_t bytes[RSA_NUMBERS][256];
    buf body = {0}, packet = {0}, text = {0};
    numbers_of(rsa, n, bytes);
    buf_put_u8(&body, version);
    buf_put_u32(&body, 1200000000);
    if (version == 3)
        buf_put_u16(&body, 0);
    buf_put_u8(&body, 1);
    put_mpi(&body, n[RSA_N]);
    put_mpi(&body, n[RSA_E]);
    buf_put_u8(&body, protection);
    put_mpi(&body, n[RSA_D]);
    put_mpi(&body, n[RSA_Q]);
    put_mpi(&body, n[RSA_P]);
    put_mpi(&body, n[RSA_QINV]);
    buf_put_u16(&body, 0);
    buf_put_u8(&packet, head);
    if (head == 0xc5)
        buf_put_u8(&packet, 255);
    if (head == 0xc5)
        buf_put_u32(&packet, (uint32_t)body.n);
    else
        buf_put_u16(&packet, (uint16_t)body.n);
    buf_put(&packet, buf_span(&body));
    packet.n = packet.n < keep ? packet.n : keep;
    buf_put_str(&text, "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: x\n\n");
    text_put_base64(&text, buf_span(&packet));
    buf_put_str(&text, "\n=abcd\n-----END PGP PRIVATE KEY BLOCK-----\n");
    msgbuf msg = {{0}};
    status st = privkey_from_data(k, buf_span(&text), NULL, &msg);
    assert_int_equal(st == ST_OK, msg.text[0] == 0);
    buf_free(&body);
    buf_free(&packet);
    buf_free(&text);
    return st;
}

static void openpgp_keys(void **state)
{
    privkey *k;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pgp_key(i ? 4 : 3, 0, i == 2 ? 0xc5 : 0x95, SIZE_MAX, &k), ST_OK);
        assert_true(pubkey_equal(privkey_public(k), privkey_public(rsa)));
        privkey_unref(k);
    }
    assert_int_equal(pgp_key(4, 254, 0x95, SIZE_MAX, &k), ST_DENIED); /* encrypted */
    assert_int_equal(pgp_key(5, 0, 0x95, SIZE_MAX, &k), ST_UNSUPPORTED);
    assert_int_equal(pgp_key(4, 0, 0x99, SIZE_MAX, &k), ST_INVALID); /* a public key */
    for (size_t n = 0; n < 900; n += 7)
        assert_int_not_equal(pgp_key(4, 0, 0x95, n, &k), ST_OK);
}

/* ---- RFC 7427 ---- */

static void algorithm_identifiers(void **state)
{
    for (sig_scheme s = SIG_UNKNOWN; s <= SIG_ED448; s++) {
        span id = sig_algorithm_identifier(s);
        bool none = s == SIG_UNKNOWN || s == SIG_RSA_PKCS1_RAW || s == SIG_RSA_PKCS1_MD5 ||
                    (s >= SIG_ECDSA_256 && s <= SIG_ECDSA_RAW);
        assert_int_equal(id.n == 0, none);
        if (none)
            continue;
        const uint8_t *p = id.p;
        X509_ALGOR *alg = d2i_X509_ALGOR(NULL, &p, (long)id.n); /* OpenSSL reads it to the end too */
        assert_non_null(alg);
        assert_ptr_equal(p, id.p + id.n);
        X509_ALGOR_free(alg);
        assert_int_equal(sig_from_algorithm_identifier(id), s);
        assert_int_equal(sig_from_algorithm_identifier(span_take(id, id.n - 1)), SIG_UNKNOWN);
    }
    static const struct {
        const char *hex;
        sig_scheme want;
    } rows[] = {
        /* PSS: trailer written out; hash identifiers without NULL; salt 20; parameters absent; SHA-1 by
           default */
        {"304606092a864886f70d01010a3039a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d0"
         "6096086480165030402010500a203020120a303020101",
         SIG_RSA_PSS_SHA2_256},
        {"304606092a864886f70d01010a3039a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d0"
         "6096086480165030402010500a203020120a303020102",
         SIG_UNKNOWN},
        {"303d06092a864886f70d01010a3030a00d300b0609608648016503040201a11a301806092a864886f70d010108300b06096"
         "08648016503040201a203020120",
         SIG_RSA_PSS_SHA2_256},
        {"304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d0"
         "6096086480165030402010500a203020114",
         SIG_UNKNOWN},
        {"304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d0"
         "6096086480165030402020500a203020120",
         SIG_UNKNOWN},
        {"300b06092a864886f70d01010a", SIG_UNKNOWN},
        {"300d06092a864886f70d01010a3000", SIG_UNKNOWN},
        {"300d06092a864886f70d01010a0500", SIG_UNKNOWN},
        {"300d06092a864886f70d0101010500", SIG_UNKNOWN},
        {"", SIG_UNKNOWN},
        {"30", SIG_UNKNOWN},
        {"3000", SIG_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buf b = {0};
        assert_int_equal(text_parse_hex(&b, span_str(rows[i].hex)), ST_OK);
        if (sig_from_algorithm_identifier(buf_span(&b)) != rows[i].want)
            fail_msg("row %zu", i);
        buf_free(&b);
    }
}

static void schemes_for_a_peer(void **state)
{
    sig_scheme s[10];
    uint32_t sha1_only = 1u << HASH_SHA1,
             all = 1u << HASH_SHA1 | 1u << HASH_SHA2_256 | 1u << HASH_SHA2_384 | 1u << HASH_SHA2_512;
    assert_int_equal(privkey_schemes(rsa, 0, s, 10), 1);
    assert_int_equal(s[0], SIG_RSA_PKCS1_SHA1);
    assert_int_equal(privkey_schemes(rsa, sha1_only, s, 10), 1);
    assert_int_equal(s[0], SIG_RSA_PKCS1_SHA1);
    assert_int_equal(privkey_schemes(rsa, all, s, 10), 7);
    assert_int_equal(s[0], SIG_RSA_PKCS1_SHA2_256);
    assert_int_equal(s[3], SIG_RSA_PSS_SHA2_256);
    assert_int_equal(privkey_schemes(rsa, all, s, 2), 2);
    assert_int_equal(privkey_schemes(ec384, all, s, 10), 4);
    assert_int_equal(s[0], SIG_ECDSA_DER_SHA2_384);
    assert_int_equal(privkey_schemes(ec384, 0, s, 10), 1);
    assert_int_equal(s[0], SIG_ECDSA_384);
    assert_int_equal(privkey_schemes(ed25519, all, s, 10), 0);
    assert_int_equal(privkey_schemes(ed25519, all | 1u << HASH_IDENTITY, s, 10), 1);
    assert_int_equal(privkey_schemes(ed448, 0, s, 10), 0);
}

/* One key, many threads: contexts are handed out to one at a time. */
static void *hammer(void *arg)
{
    intptr_t bad = 0;
    for (int i = 0; i < 50; i++) {
        buf sig = {0};
        sig_scheme s = i & 1 ? SIG_ECDSA_256 : SIG_ECDSA_DER_SHA2_256;
        if (privkey_sign(ec256, s, MESSAGE, &sig) != ST_OK ||
            pubkey_verify(privkey_public(ec256), s, MESSAGE, buf_span(&sig)) != ST_OK)
            bad++;
        buf_free(&sig);
    }
    return (void *)bad;
}

static void many_threads(void **state)
{
    pthread_t t[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, hammer, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        void *bad;
        pthread_join(t[i], &bad);
        assert_null(bad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scheme),
        cmocka_unit_test(scheme_does_not_fit_key),
        cmocka_unit_test(raw_hash_lengths),
        cmocka_unit_test(forged_padding),
        cmocka_unit_test(forged_digest_info),
        cmocka_unit_test(cube_root_forgery),
        cmocka_unit_test(raw_blocks),
        cmocka_unit_test(at_or_above_the_modulus),
        cmocka_unit_test(pss_oddities),
        cmocka_unit_test(ecdsa_oddities),
        cmocka_unit_test(bad_rsa_keys),
        cmocka_unit_test(rfc3110_form),
        cmocka_unit_test(spki_lies),
        cmocka_unit_test(explicit_curve),
        cmocka_unit_test(private_key_wrappings),
        cmocka_unit_test(inline_numbers),
        cmocka_unit_test(openpgp_keys),
        cmocka_unit_test(algorithm_identifiers),
        cmocka_unit_test(schemes_for_a_peer),
        cmocka_unit_test(many_threads),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
