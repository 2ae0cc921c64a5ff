/* Certificates made to order for tests, good and bad. */
#pragma once
#include "libstrongswan/cred/cert.h"
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { TEST_NOW = 1700000000 };

typedef struct cert_order {
    const char *subject, *issuer; /* CN; NULL issuer = subject */
    EVP_PKEY *key, *signer;       /* NULL signer = key */
    long serial;                  /* 0 = 1 */
    int64_t from, to;             /* 0 = around TEST_NOW */
    const EVP_MD *md;             /* NULL = SHA-256 */
    const char *ext[12];          /* "name", "value", …, NULL */
} cert_order;

static inline EVP_PKEY *test_key(void)
{
    return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
}

static inline void set_name(X509_NAME *name, const char *cn)
{
    X509_NAME_add_entry_by_txt(name, "C", MBSTRING_ASC, (const uint8_t *)"CH", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)cn, -1, -1, 0);
}

static inline X509 *order_x509(const cert_order *o)
{
    X509 *x = X509_new();
    X509V3_CTX ctx;
    assert_non_null(x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), o->serial ? o->serial : 1);
    ASN1_TIME_set(X509_getm_notBefore(x), o->from ? o->from : TEST_NOW - 1000);
    ASN1_TIME_set(X509_getm_notAfter(x), o->to ? o->to : TEST_NOW + 1000);
    set_name(X509_get_subject_name(x), o->subject);
    set_name(X509_get_issuer_name(x), o->issuer ? o->issuer : o->subject);
    X509_set_pubkey(x, o->key);
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    for (size_t i = 0; i + 1 < 12 && o->ext[i]; i += 2) {
        X509_EXTENSION *e = X509V3_EXT_conf(NULL, &ctx, o->ext[i], o->ext[i + 1]);
        if (!e)
            fail_msg("extension %s=%s", o->ext[i], o->ext[i + 1]);
        X509_add_ext(x, e, -1);
        X509_EXTENSION_free(e);
    }
    return x;
}

static inline cert *cert_of_x509(X509 *x, msgbuf *msg)
{
    uint8_t *der = NULL;
    cert *c = NULL;
    int n = i2d_X509(x, &der);
    assert_true(n > 0);
    status st = cert_from_data(&c, span_of(der, (size_t)n), msg);
    assert_int_equal(st == ST_OK, c != NULL);
    OPENSSL_free(der);
    X509_free(x);
    return c;
}

/* NULL and msg if cert_from_data() refuses it */
static inline cert *try_order(const cert_order *o, msgbuf *msg)
{
    X509 *x = order_x509(o);
    assert_true(X509_sign(x, o->signer ? o->signer : o->key, o->md ? o->md : EVP_sha256()) > 0);
    return cert_of_x509(x, msg);
}

static inline cert *order_cert(const cert_order *o)
{
    msgbuf msg = {{0}};
    cert *c = try_order(o, &msg);
    if (!c)
        fail_msg("%s: %s", o->subject, msg.text);
    return c;
}
#define CA_EXT "basicConstraints", "critical,CA:TRUE"
