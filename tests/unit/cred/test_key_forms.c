/* Keys as they come: numbers nobody should use, SPKIs that lie, every wrapping of a private key in a file. */
#include "tests/unit/cred/keyset.h"
#include "libstrongswan/base/text.h"
#include "libstrongswan/cred/der.h"
#include "libstrongswan/cred/sig.h"
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_rsa_keys),
        cmocka_unit_test(rfc3110_form),
        cmocka_unit_test(spki_lies),
        cmocka_unit_test(explicit_curve),
        cmocka_unit_test(private_key_wrappings),
        cmocka_unit_test(inline_numbers),
        cmocka_unit_test(openpgp_keys),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
