/* Certificates: what is read from good ones, and that the ones of hazard class 7 are refused. */
#include "libstrongswan/base/text.h"
#include "libstrongswan/cred/der.h"
#include "tests/unit/cred/certmaker.h"
#include <openssl/pem.h>

static EVP_PKEY *key, *key2;

static int setup(void **state)
{
    key = test_key();
    key2 = test_key();
    return !key || !key2;
}

static int teardown(void **state)
{
    EVP_PKEY_free(key);
    EVP_PKEY_free(key2);
    return 0;
}

static void fields(void **state)
{
    cert *c = order_cert(
        &(cert_order){.subject = "gw",
                      .issuer = "Lab CA",
                      .key = key,
                      .signer = key2,
                      .serial = 175,
                      .ext = {"basicConstraints", "CA:TRUE,pathlen:2", "subjectAltName",
                              "DNS:gw.example.net,email:a@b,IP:192.0.2.1,IP:2001:db8::1,URI:http://x",
                              "keyUsage", "digitalSignature,keyCertSign,cRLSign", "extendedKeyUsage",
                              "serverAuth,1.3.6.1.5.5.8.2.2,OCSPSigning", "crlDistributionPoints",
                              "URI:http://crl.example.net/a.crl,URI:ldap://x/y", "authorityInfoAccess",
                              "OCSP;URI:http://ocsp.example.net"}});
    assert_string_equal(IDENT_STR(cert_subject(c)), "C=CH, CN=gw");
    assert_string_equal(IDENT_STR(cert_issuer(c)), "C=CH, CN=Lab CA");
    assert_true(span_equal(cert_serial(c), SPAN_LIT("\x00\xaf")));
    assert_int_equal(cert_pathlen(c), 2);
    assert_int_equal(cert_flags(c), CERT_CA | CERT_HAS_KEY_USAGE | CERT_DIGITAL_SIGNATURE | CERT_CERT_SIGN |
                                        CERT_CRL_SIGN | CERT_HAS_EKU | CERT_SERVER_AUTH |
                                        CERT_IKE_INTERMEDIATE | CERT_OCSP_SIGNER);
    assert_int_equal(cert_not_before(c), TEST_NOW - 1000);
    assert_int_equal(cert_not_after(c), TEST_NOW + 1000);
    assert_int_equal(cert_alt_names(c), 4);
    assert_string_equal(IDENT_STR(cert_alt_name(c, 0)), "gw.example.net");
    assert_int_equal(ident_type(cert_alt_name(c, 1)), ID_USER_FQDN);
    assert_string_equal(IDENT_STR(cert_alt_name(c, 2)), "192.0.2.1");
    assert_string_equal(IDENT_STR(cert_alt_name(c, 3)), "2001:db8::1");
    assert_null(cert_alt_name(c, 4));
    assert_int_equal(cert_crl_uris(c), 2);
    assert_string_equal(cert_crl_uri(c, 0), "http://crl.example.net/a.crl");
    assert_int_equal(cert_ocsp_uris(c), 1);
    assert_string_equal(cert_ocsp_uri(c, 0), "http://ocsp.example.net");
    cert_unref(c);
}

static ident *id_of(const char *text)
{
    ident *id;
    assert_int_equal(ident_from_text(&id, text, NULL), ST_OK);
    return id;
}

/* Names are literal: no wildcards of the certificate's own, no host names from CN, no prefix, no case games.
 */
static void whom_it_speaks_for(void **state)
{
    static const struct {
        const char *san, *id;
        bool has;
        int match;
    } rows[] = {
        {"DNS:gw.example.net", "gw.example.net", true, ID_MATCH_PERFECT},
        {"DNS:gw.example.net", "GW.example.net", true, ID_MATCH_PERFECT},
        {"DNS:gw.example.net", "*.example.net", false, ID_MATCH_MAX_WILDCARDS},
        {"DNS:gw.example.net", "%any", false, ID_MATCH_ANY},
        {"DNS:*.example.net", "gw.example.net", false, 0},
        {"DNS:gw.example.net", "C=CH, CN=gw", true, ID_MATCH_PERFECT},
        {"DNS:gw.example.net", "C=CH, CN=*", false, ID_MATCH_MAX_WILDCARDS},
        {"DNS:gw.example.net", "gw", false, 0},
        {"DNS:gw.example.net", "CN=gw", false, 0},
        {"email:carol@x", "carol@x", true, ID_MATCH_PERFECT},
        {"email:carol@x", "@carol@x", false, 0},
        {"IP:192.0.2.1", "192.0.2.1", true, ID_MATCH_PERFECT},
        {"DNS:192.0.2.1", "192.0.2.1", false, 0},
        {"IP:192.0.2.1", "192.0.2.2", false, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cert *c = order_cert(
            &(cert_order){.subject = "gw", .key = key, .ext = {"subjectAltName", rows[i].san}});
        ident *id = id_of(rows[i].id);
        if (cert_has_id(c, id) != rows[i].has || cert_match_id(c, id) != rows[i].match)
            fail_msg("%s and '%s'", rows[i].san, rows[i].id);
        ident_unref(id);
        cert_unref(c);
    }
    cert *c = order_cert(&(cert_order){.subject = "gw", .key = key, .ext = {"subjectKeyIdentifier", "hash"}});
    ident *id;
    assert_int_equal(ident_from_wire(&id, ID_KEY_ID, pubkey_keyid(cert_key(c)), NULL), ST_OK);
    assert_true(cert_has_id(c, id));
    ident_unref(id);
    cert_unref(c);
}

static void usage(void **state)
{
    static const struct {
        const char *name, *value;
        bool ok;
    } rows[] = {
        {"keyUsage", "digitalSignature", true},
        {"keyUsage", "nonRepudiation", true},
        {"keyUsage", "keyEncipherment", false},
        {"keyUsage", "keyCertSign", false},
        {"extendedKeyUsage", "serverAuth", true},
        {"extendedKeyUsage", "clientAuth", true},
        {"extendedKeyUsage", "codeSigning", false},
        {"extendedKeyUsage", "OCSPSigning", false},
        {"extendedKeyUsage", "anyExtendedKeyUsage", true},
        {"extendedKeyUsage", "1.3.6.1.5.5.7.3.17", true},
        {"subjectKeyIdentifier", "hash", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cert *c = order_cert(
            &(cert_order){.subject = "gw", .key = key, .ext = {rows[i].name, rows[i].value}});
        msgbuf msg = {{0}};
        if (cert_may_authenticate(c, &msg) != rows[i].ok || rows[i].ok == (msg.text[0] != 0))
            fail_msg("%s=%s", rows[i].name, rows[i].value);
        cert_unref(c);
    }
}

static void who_signed_it(void **state)
{
    cert *root = order_cert(&(cert_order){.subject = "CA", .key = key, .ext = {CA_EXT}});
    cert *imposter = order_cert(&(cert_order){.subject = "CA", .key = key2, .ext = {CA_EXT}});
    cert *named = order_cert(&(cert_order){.subject = "Other", .key = key, .ext = {CA_EXT}});
    cert *c = order_cert(&(cert_order){.subject = "gw", .issuer = "CA", .key = key2, .signer = key});
    cert *claims = order_cert(&(cert_order){.subject = "x", .issuer = "x", .key = key2, .signer = key});
    assert_true(cert_flags(root) & CERT_SELF_SIGNED);
    assert_false(cert_flags(c) & CERT_SELF_SIGNED);
    assert_false(cert_flags(claims) & CERT_SELF_SIGNED);
    for (int i = 0; i < 2; i++) { /* remembered the second time, and only for the one that did */
        assert_int_equal(cert_verify_signature(c, root), ST_OK);
        assert_int_equal(cert_verify_signature(c, imposter), ST_CRYPTO);
        assert_int_equal(cert_verify_signature(c, named), ST_CRYPTO);
        assert_int_equal(cert_verify_signature(root, root), ST_OK);
    }
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    cert *rsa_ca = order_cert(&(cert_order){.subject = "RSA", .key = rsa, .ext = {CA_EXT}, .md = EVP_md5()});
    cert *md5 = order_cert(
        &(cert_order){.subject = "gw", .issuer = "RSA", .key = key2, .signer = rsa, .md = EVP_md5()});
    cert *sha1 = order_cert(
        &(cert_order){.subject = "gw", .issuer = "RSA", .key = key2, .signer = rsa, .md = EVP_sha1()});
    assert_int_equal(cert_verify_signature(md5, rsa_ca), ST_CRYPTO);
    assert_int_equal(cert_verify_signature(sha1, rsa_ca), ST_OK);
    EVP_PKEY_free(rsa);
    cert_unref(rsa_ca);
    cert_unref(md5);
    cert_unref(sha1);
    cert_unref(root);
    cert_unref(imposter);
    cert_unref(named);
    cert_unref(c);
    cert_unref(claims);
}

/* ---- refused ---- */

static void bad_extensions(void **state)
{
    static const struct {
        const char *why, *ext[4];
    } rows[] = {
        {"unknown and critical", {"1.2.3.4", "critical,DER:0500"}},
        {"critical, known to OpenSSL, not honoured here",
         {"policyConstraints", "critical,requireExplicitPolicy:0"}},
        {"twice", {"basicConstraints", "CA:FALSE", "basicConstraints", "CA:TRUE"}},
        {"twice, unknown", {"1.2.3.4", "DER:0500", "1.2.3.4", "DER:0500"}},
        {"negative path length", {"basicConstraints", "DER:30060101ff0201ff"}},
        {"malformed basicConstraints", {"basicConstraints", "DER:3003"}},
        {"another type", {"basicConstraints", "DER:0400"}},
        {"keyUsage that is none", {"keyUsage", "DER:0500"}},
        {"empty subjectAltName", {"subjectAltName", "DER:3000"}},
        {"address of 3 octets", {"subjectAltName", "DER:30058703010203"}},
        {"address of 5 octets", {"subjectAltName", "DER:300787050102030405"}},
        {"NUL in a host name", {"subjectAltName", "DER:30058203610062"}},
        {"newline in a mail address", {"subjectAltName", "DER:30058103610a62"}},
        {"empty host name", {"subjectAltName", "DER:30028200"}},
        {"malformed name constraints", {"nameConstraints", "DER:3003a00130"}},
        {"malformed authority key identifier", {"authorityKeyIdentifier", "DER:3002"}},
        {"malformed distribution points", {"crlDistributionPoints", "DER:30023001"}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cert_order o = {.subject = "gw", .key = key};
        memcpy(o.ext, rows[i].ext, sizeof(rows[i].ext));
        msgbuf msg = {{0}};
        if (try_order(&o, &msg))
            fail_msg("taken: %s", rows[i].why);
        if (!msg.text[0])
            fail_msg("no explanation: %s", rows[i].why);
    }
    /* an unknown one that is not critical is no reason */
    cert_unref(order_cert(&(cert_order){.subject = "gw", .key = key, .ext = {"1.2.3.4", "DER:0500"}}));
}

static span good_der(void)
{
    static uint8_t copy[4096];
    cert *c = order_cert(
        &(cert_order){.subject = "gw", .issuer = "Lab", .key = key, .ext = {"subjectAltName", "DNS:gw"}});
    span der = cert_der(c);
    assert_true(der.n < sizeof(copy));
    memcpy(copy, der.p, der.n);
    der.p = copy;
    cert_unref(c);
    return der;
}

/* Every cut, and every octet of the frame changed: refused or a certificate, never a crash (the sanitizers
 * look). */
static void der_lies(void **state)
{
    span der = good_der();
    cert *c;
    for (size_t n = 0; n < der.n; n++)
        assert_int_not_equal(cert_from_data(&c, span_take(der, n), NULL), ST_OK);
    uint8_t *copy = malloc(der.n + 1);
    assert_non_null(copy);
    memcpy(copy, der.p, der.n);
    copy[der.n] = 0;
    assert_int_not_equal(cert_from_data(&c, span_of(copy, der.n + 1), NULL), ST_OK); /* something behind it */
    for (size_t i = 0; i < der.n; i++) {
        static const uint8_t values[] = {0x00, 0x7f, 0x80, 0x84, 0xff};
        for (size_t k = 0; k < sizeof(values); k++) {
            copy[i] = values[k];
            if (cert_from_data(&c, span_of(copy, der.n), NULL) == ST_OK)
                cert_unref(c);
        }
        copy[i] = der.p[i];
    }
    free(copy);
    static const char *const bad[] = {
        "3080",   "3084ffffffff", "30",
        "04",     "3000",         "30020500",
        "308101", "3003020100",   "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        buf b = {0};
        msgbuf msg = {{0}};
        if (bad[i][0] == '-')
            buf_put_str(&b, bad[i]);
        else
            assert_int_equal(text_parse_hex(&b, span_str(bad[i])), ST_OK);
        assert_int_not_equal(cert_from_data(&c, buf_span(&b), &msg), ST_OK);
        assert_true(msg.text[0]);
        buf_free(&b);
    }
}

static void nested_too_deep(void **state)
{
    buf b = {0}, outer = {0};
    der_put(&b, DER_NULL, SPAN_NULL);
    for (int i = 0; i < 200; i++) {
        buf_reset(&outer);
        der_put(&outer, DER_SEQUENCE, buf_span(&b));
        buf_reset(&b);
        buf_put(&b, buf_span(&outer));
    }
    cert *c;
    assert_int_equal(cert_from_data(&c, buf_span(&b), NULL), ST_INVALID);
    buf_free(&b);
    buf_free(&outer);
    uint8_t *big = calloc(1, 100000);
    big[0] = 0x30;
    assert_int_not_equal(cert_from_data(&c, span_of(big, 100000), NULL), ST_OK);
    free(big);
}

/* The validity replaced by other texts of the same or another length; the outer lengths are put right. */
static void bad_times(void **state)
{
    static const struct {
        uint8_t tag;
        const char *text;
        bool ok;
    } rows[] = {
        {V_ASN1_UTCTIME, "231114220000Z", true},
        {V_ASN1_UTCTIME, "2311142200000", false}, /* no Z */
        {V_ASN1_UTCTIME, "2311142200Z", false},
        {V_ASN1_UTCTIME, "231314220000Z", false}, /* month 13 */
        {V_ASN1_UTCTIME, "230014220000Z", false},
        {V_ASN1_UTCTIME, "999999999999Z", false},
        {V_ASN1_UTCTIME, "231114220000+0100", false},
        {V_ASN1_UTCTIME, "", false},
        {V_ASN1_UTCTIME, "23111422000-Z", false},
        {V_ASN1_GENERALIZEDTIME, "20231114220000Z", true},
        {V_ASN1_GENERALIZEDTIME, "99991231235959Z", true},
        {V_ASN1_GENERALIZEDTIME, "20231114220000.5Z", false},
        {V_ASN1_GENERALIZEDTIME, "231114220000Z", false},
        {DER_OCTET_STRING, "231114220000Z", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        span der = good_der(), whole, tbs, rest, part;
        uint8_t tag;
        buf fresh = {0}, outer = {0}, all = {0}, validity = {0};
        assert_true(der_whole(der, DER_SEQUENCE, &whole) && der_next_is(&whole, DER_SEQUENCE, &tbs));
        rest = tbs;
        for (int field = 0; rest.n; field++) {
            span at = rest;
            assert_true(der_next(&rest, &tag, &part));
            if (field != 4) {
                buf_put(&fresh, span_of(at.p, at.n - rest.n));
                continue;
            }
            der_put(&validity, V_ASN1_UTCTIME, SPAN_LIT("200101000000Z"));
            der_put(&validity, rows[i].tag, span_str(rows[i].text));
            der_put(&fresh, DER_SEQUENCE, buf_span(&validity));
        }
        der_put(&outer, DER_SEQUENCE, buf_span(&fresh));
        buf_put(&outer, whole);
        der_put(&all, DER_SEQUENCE, buf_span(&outer));
        cert *c = NULL;
        status st = cert_from_data(&c, buf_span(&all), NULL);
        if ((st == ST_OK) != rows[i].ok)
            fail_msg("'%s': %s", rows[i].text, status_text(st));
        cert_unref(c);
        buf_free(&fresh);
        buf_free(&outer);
        buf_free(&all);
        buf_free(&validity);
    }
}

/* Which algorithm signed is said twice: it must be the same. */
static void two_algorithms(void **state)
{
    span der = good_der();
    uint8_t copy[4096];
    memcpy(copy, der.p, der.n);
    static const uint8_t ecdsa_sha256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    uint8_t *inner = memmem(copy, der.n, ecdsa_sha256, sizeof(ecdsa_sha256));
    assert_non_null(inner);
    inner[7] = 3; /* SHA-384 in the part that is signed, SHA-256 outside */
    cert *c = NULL, *root = order_cert(&(cert_order){.subject = "Lab", .key = key, .ext = {CA_EXT}});
    if (cert_from_data(&c, span_of(copy, der.n), NULL) == ST_OK)
        assert_int_equal(cert_verify_signature(c, root), ST_CRYPTO);
    cert_unref(c);
    cert_unref(root);
}

static void name_constraints(void **state)
{
    static const struct {
        const char *constraint, *san;
        bool ok;
    } rows[] = {
        {"critical,permitted;DNS:.example.net", "DNS:gw.example.net", true},
        {"critical,permitted;DNS:.example.net", "DNS:gw.example.org", false},
        {"critical,excluded;DNS:bad.example.net", "DNS:gw.example.net", true},
        {"critical,excluded;DNS:bad.example.net", "DNS:bad.example.net", false},
        {"critical,excluded;DNS:bad.example.net", "DNS:BAD.Example.NET",
         false}, /* case is no way around it */
        {"critical,excluded;DNS:bad.example.net", "DNS:x.bad.example.net", false},
        {"critical,excluded;email:example.net", "email:a@EXAMPLE.net", false},
        {"critical,excluded;IP:192.0.2.0/255.255.255.0", "IP:192.0.2.7", false},
        {"critical,permitted;IP:192.0.2.0/255.255.255.0", "IP:192.0.2.7", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cert *ca = order_cert(&(cert_order){
            .subject = "CA", .key = key, .ext = {CA_EXT, "nameConstraints", rows[i].constraint}});
        cert *c = order_cert(&(cert_order){.subject = "gw",
                                           .issuer = "CA",
                                           .key = key2,
                                           .signer = key,
                                           .ext = {"subjectAltName", rows[i].san}});
        msgbuf msg = {{0}};
        if (cert_names_permitted(c, ca, &msg) != rows[i].ok)
            fail_msg("%s and %s", rows[i].constraint, rows[i].san);
        assert_int_equal(rows[i].ok, msg.text[0] == 0);
        cert_unref(ca);
        cert_unref(c);
    }
}

/* Keys of class 5 in certificates. */
static void bad_key_in_certificate(void **state)
{
    EVP_PKEY *small = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)512);
    if (!small)
        skip();
    msgbuf msg = {{0}};
    assert_null(try_order(&(cert_order){.subject = "gw", .key = small, .signer = key}, &msg));
    assert_non_null(strstr(msg.text, "512 bits"));
    EVP_PKEY_free(small);
}

static void pem_files(void **state)
{
    X509 *x = order_x509(&(cert_order){.subject = "gw", .key = key});
    X509_sign(x, key, EVP_sha256());
    BIO *b = BIO_new(BIO_s_mem());
    BIO_puts(b, "some text before\n");
    PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL); /* other blocks are stepped over */
    PEM_write_bio_X509(b, x);
    BIO_puts(b, "and behind\n");
    char *p;
    long n = BIO_get_mem_data(b, &p);
    cert *c, *d = cert_of_x509(x, NULL);
    assert_int_equal(cert_from_data(&c, span_of(p, (size_t)n), NULL), ST_OK);
    assert_true(cert_equal(c, d));
    cert_unref(c);
    cert_unref(d);
    BIO_free(b);
    msgbuf msg = {{0}};
    assert_int_equal(cert_from_file(&c, "/nonexistent/cert.pem", &msg), ST_NOT_FOUND);
    assert_non_null(strstr(msg.text, "/nonexistent/cert.pem"));
    assert_int_not_equal(cert_from_file(&c, "/dev/zero", &msg), ST_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields),
        cmocka_unit_test(whom_it_speaks_for),
        cmocka_unit_test(usage),
        cmocka_unit_test(who_signed_it),
        cmocka_unit_test(bad_extensions),
        cmocka_unit_test(der_lies),
        cmocka_unit_test(nested_too_deep),
        cmocka_unit_test(bad_times),
        cmocka_unit_test(two_algorithms),
        cmocka_unit_test(name_constraints),
        cmocka_unit_test(bad_key_in_certificate),
        cmocka_unit_test(pem_files),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
