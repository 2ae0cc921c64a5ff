/* Keys and signatures: every scheme made and checked, and the forgeries of hazard class 5, one test each. */
#include "tests/unit/cred/keyset.h"
#include "libstrongswan/base/text.h"
#include "libstrongswan/cred/der.h"
#include "libstrongswan/cred/sig.h"
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>

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
        cmocka_unit_test(algorithm_identifiers),
        cmocka_unit_test(schemes_for_a_peer),
        cmocka_unit_test(many_threads),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
