/* Diffie-Hellman: agreement in every group and by every plugin, and every value a peer must not send. */
#include "libstrongswan/crypto/modp.h"
#include "libstrongswan/crypto/plugin.h"
#include "libstrongswan/base/text.h"
#include <gmp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const dh_group modp[] = {DH_MODP_768,      DH_MODP_1024,     DH_MODP_1536,    DH_MODP_2048,
                                DH_MODP_3072,     DH_MODP_4096,     DH_MODP_6144,    DH_MODP_8192,
                                DH_MODP_1024_160, DH_MODP_2048_224, DH_MODP_2048_256};
static const dh_group ecp[] = {DH_ECP_192, DH_ECP_224, DH_ECP_256, DH_ECP_384, DH_ECP_521};
static const dh_group xdh[] = {DH_CURVE25519, DH_CURVE448};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static crypto *load(const char *plugins)
{
    crypto *c;
    assert_int_equal(crypto_load(&c, plugins, NULL, NULL), ST_OK);
    return c;
}

static void agree(const crypto *ca, const crypto *cb, dh_group group)
{
    dh *a, *b;
    secret sa = {0}, sb = {0};
    assert_int_equal(dh_new(ca, &a, group), ST_OK);
    assert_int_equal(dh_new(cb, &b, group), ST_OK);
    assert_int_equal(dh_public(a).n, dh_public_bytes(group));
    assert_false(span_equal(dh_public(a), dh_public(b)));
    assert_int_equal(dh_compute(a, dh_public(b), &sa), ST_OK);
    assert_int_equal(dh_compute(b, dh_public(a), &sb), ST_OK);
    assert_true(sa.n > 0);
    assert_true(secret_equal(secret_view(&sa), secret_view(&sb)));
    secret_free(&sa);
    secret_free(&sb);
    dh_free(a);
    dh_free(b);
}

static void test_agreement(void **state)
{
    crypto *openssl = load("openssl random"), *gmp = load("gmp random");
    for (size_t i = 0; i < COUNT(modp); i++) {
        agree(openssl, openssl, modp[i]);
        agree(openssl, gmp, modp[i]);
    }
    for (size_t i = 0; i < COUNT(ecp); i++)
        agree(openssl, openssl, ecp[i]);
    for (size_t i = 0; i < COUNT(xdh); i++)
        agree(openssl, openssl, xdh[i]);
    crypto_free(openssl);
    crypto_free(gmp);
}

/* The refused value leaves no secret behind, and the key pair can still be used. */
static void refused(dh *d, const uint8_t *p, size_t n)
{
    secret s = {0};
    assert_int_equal(dh_compute(d, span_of(p, n), &s), ST_INVALID);
    assert_null(s.p);
    assert_int_equal(s.n, 0);
}

static void refuse_lengths(dh *d, dh_group group)
{
    uint8_t *big = calloc(1, 65536);
    assert_non_null(big);
    memset(big, 7, 65536);
    size_t n = dh_public_bytes(group);
    refused(d, NULL, 0);
    refused(d, big, 1);
    refused(d, big, n - 1);
    refused(d, big, n + 1);
    refused(d, big, 65536);
    free(big);
}

static void modp_values(const char *plugins)
{
    crypto *c = load(plugins);
    for (size_t i = 0; i < COUNT(modp); i++) {
        size_t n = dh_public_bytes(modp[i]);
        dh *d;
        mpz_t p, v;
        uint8_t bytes[MAX_DH_BYTES];
        assert_int_equal(dh_new(c, &d, modp[i]), ST_OK);
        refuse_lengths(d, modp[i]);
        mpz_init_set_str(p, modp_find(modp[i])->p, 16);
        mpz_init(v);
        for (int bad = 0; bad < 6; bad++) {
            switch (bad) {
            case 0:
            case 1:
                mpz_set_ui(v, (unsigned long)bad);
                break;
            case 2:
            case 3:
            case 4:
                mpz_set(v, p);
                if (bad == 2)
                    mpz_sub_ui(v, v, 1);
                else
                    mpz_add_ui(v, v, (unsigned long)bad - 3);
                break;
            default: /* all ones */
                mpz_set_ui(v, 1);
                mpz_mul_2exp(v, v, 8 * n);
                mpz_sub_ui(v, v, 1);
            }
            size_t len = (mpz_sizeinbase(v, 2) + 7) / 8;
            memset(bytes, 0, sizeof bytes);
            if (mpz_sgn(v))
                mpz_export(bytes + n - len, NULL, 1, 1, 1, 0, v);
            refused(d, bytes, n);
        }
        /* 2 is a fine public value in groups of safe primes, and outside of the subgroup in RFC 5114's */
        memset(bytes, 0, sizeof bytes);
        bytes[n - 1] = 2;
        secret s = {0};
        assert_int_equal(dh_compute(d, span_of(bytes, n), &s), modp_find(modp[i])->q ? ST_INVALID : ST_OK);
        secret_free(&s);
        mpz_clear(p);
        mpz_clear(v);
        dh_free(d);
    }
    crypto_free(c);
}

static void test_modp_values_openssl(void **state)
{
    modp_values("openssl random");
}

static void test_modp_values_gmp(void **state)
{
    modp_values("gmp random");
}

static void test_ecp_values(void **state)
{
    crypto *c = load("openssl random");
    for (size_t i = 0; i < COUNT(ecp); i++) {
        size_t n = dh_public_bytes(ecp[i]);
        dh *d, *other;
        uint8_t bytes[2 * 66];
        assert_int_equal(dh_new(c, &d, ecp[i]), ST_OK);
        assert_int_equal(dh_new(c, &other, ecp[i]), ST_OK);
        refuse_lengths(d, ecp[i]);
        memset(bytes, 0, n); /* as some write infinity; (0, 0) is on none of these curves */
        refused(d, bytes, n);
        memset(bytes, 0xff, n); /* beyond the field */
        refused(d, bytes, n);
        for (size_t at = 0; at < n; at += 7) { /* off the curve */
            memcpy(bytes, dh_public(other).p, n);
            bytes[at] ^= 1;
            refused(d, bytes, n);
        }
        memcpy(bytes, dh_public(other).p, n / 2); /* y of another point */
        memcpy(bytes + n / 2, dh_public(d).p + n / 2, n / 2);
        refused(d, bytes, n);
        secret s = {0};
        assert_int_equal(dh_compute(d, dh_public(other), &s), ST_OK);
        assert_int_equal(s.n, n / 2);
        secret_free(&s);
        dh_free(d);
        dh_free(other);
    }
    crypto_free(c);
}

static void test_xdh_values(void **state)
{
    /* points of small order: the shared secret would be zero (RFC 7748 6.1) */
    static const char *const small[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    crypto *c = load("openssl random");
    dh *d;
    assert_int_equal(dh_new(c, &d, DH_CURVE25519), ST_OK);
    refuse_lengths(d, DH_CURVE25519);
    for (size_t i = 0; i < COUNT(small); i++) {
        buf b = {0};
        assert_int_equal(text_parse_hex(&b, span_str(small[i])), ST_OK);
        refused(d, b.p, b.n);
        buf_free(&b);
    }
    dh_free(d);
    assert_int_equal(dh_new(c, &d, DH_CURVE448), ST_OK);
    refuse_lengths(d, DH_CURVE448);
    uint8_t zero[56] = {0};
    refused(d, zero, sizeof zero);
    zero[0] = 1;
    refused(d, zero, sizeof zero);
    dh_free(d);
    crypto_free(c);
}

/* ---- the numbers themselves ---- */

/* atan(1/x) * 2^bits */
static void arctan_inverse(mpz_t out, unsigned long x, unsigned long bits)
{
    mpz_t term, part;
    mpz_init_set_ui(term, 1);
    mpz_init(part);
    mpz_mul_2exp(term, term, bits);
    mpz_tdiv_q_ui(term, term, x);
    mpz_set(out, term);
    for (unsigned long k = 1; mpz_sgn(term); k++) {
        mpz_tdiv_q_ui(term, term, x * x);
        mpz_tdiv_q_ui(part, term, 2 * k + 1);
        if (k % 2)
            mpz_sub(out, out, part);
        else
            mpz_add(out, out, part);
    }
    mpz_clear(term);
    mpz_clear(part);
}

/* p = 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) * pi) + c), as RFC 2409 and RFC 3526 define the groups */
static void test_modp_primes_from_pi(void **state)
{
    static const struct {
        dh_group group;
        unsigned long c;
    } rfc[] = {{DH_MODP_768, 149686},  {DH_MODP_1024, 129093},  {DH_MODP_1536, 741804},
               {DH_MODP_2048, 124476}, {DH_MODP_3072, 1690314}, {DH_MODP_4096, 240904},
               {DH_MODP_6144, 929484}, {DH_MODP_8192, 4743158}};
    const unsigned long precision = 8192 + 128;
    mpz_t pi, t, p;
    mpz_init(pi);
    mpz_init(t);
    mpz_init(p);
    arctan_inverse(pi, 5, precision);
    mpz_mul_ui(pi, pi, 16);
    arctan_inverse(t, 239, precision);
    mpz_submul_ui(pi, t, 4);
    for (size_t i = 0; i < COUNT(rfc); i++) {
        unsigned long n = 8ul * dh_public_bytes(rfc[i].group);
        mpz_tdiv_q_2exp(p, pi, precision - (n - 130));
        mpz_add_ui(p, p, rfc[i].c);
        mpz_mul_2exp(p, p, 64);
        mpz_set_ui(t, 1);
        mpz_mul_2exp(t, t, n);
        mpz_add(p, p, t);
        mpz_tdiv_q_2exp(t, t, 64);
        mpz_sub(p, p, t);
        mpz_sub_ui(p, p, 1);
        mpz_set_str(t, modp_find(rfc[i].group)->p, 16);
        assert_int_equal(mpz_cmp(p, t), 0);
    }
    mpz_clear(pi);
    mpz_clear(t);
    mpz_clear(p);
}

static void test_rfc5114_subgroups(void **state)
{
    static const dh_group groups[] = {DH_MODP_1024_160, DH_MODP_2048_224, DH_MODP_2048_256};
    for (size_t i = 0; i < COUNT(groups); i++) {
        const modp_group *m = modp_find(groups[i]);
        mpz_t p, q, g;
        mpz_init_set_str(p, m->p, 16);
        mpz_init_set_str(q, m->q, 16);
        mpz_init_set_str(g, m->g, 16);
        assert_true(mpz_probab_prime_p(p, 10) && mpz_probab_prime_p(q, 10));
        mpz_powm(g, g, q, p);
        assert_int_equal(mpz_cmp_ui(g, 1), 0);
        mpz_clear(p);
        mpz_clear(q);
        mpz_clear(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agreement),         cmocka_unit_test(test_modp_values_openssl),
        cmocka_unit_test(test_modp_values_gmp),   cmocka_unit_test(test_ecp_values),
        cmocka_unit_test(test_xdh_values),        cmocka_unit_test(test_modp_primes_from_pi),
        cmocka_unit_test(test_rfc5114_subgroups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
