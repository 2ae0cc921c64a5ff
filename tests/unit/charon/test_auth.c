/* Authentication: certificates of all key types, with and without RFC 7427, mixed methods, constraints,
 * failures that leave nothing behind; certificates large enough to need fragments.
 */
#include "tests/unit/cred/certmaker.h"
#include "tests/unit/charon/duo.h"

#define BASE                                                                                                 \
    "conn net\n keyexchange=ikev2\n left=10.0.0.1\n right=10.0.0.2\n leftid=a.test\n rightid=b.test\n"       \
    " leftsubnet=10.1.0.0/16\n rightsubnet=10.2.0.0/16\n auto=add\n"

typedef struct pki {
    EVP_PKEY *ca_key;
    cert *ca;
} pki;

static void pki_init(pki *p, const char *name)
{
    p->ca_key = test_key();
    p->ca = order_cert(&(cert_order){.subject = name,
                                     .key = p->ca_key,
                                     .ext = {CA_EXT, "subjectKeyIdentifier", "hash"},
                                     .to = TEST_NOW + 90000000});
}

static void pki_fini(pki *p)
{
    cert_unref(p->ca);
    EVP_PKEY_free(p->ca_key);
}

static void give_cert(party *p, const pki *ca, EVP_PKEY *key, const char *name, const char *comment)
{
    char san[64];
    uint8_t *der = NULL;
    int n = i2d_PrivateKey(key, &der);
    privkey *k = NULL;
    cert *c;

    snprintf(san, sizeof(san), "DNS:%s", name);
    c = order_cert(&(cert_order){.subject = name,
                                 .issuer = "CA",
                                 .key = key,
                                 .signer = ca->ca_key,
                                 .serial = 7,
                                 .to = TEST_NOW + 80000000,
                                 .ext = {"subjectAltName", san, comment ? "nsComment" : NULL, comment}});
    assert_true(n > 0);
    assert_int_equal(privkey_from_data(&k, span_of(der, (size_t)n), NULL, NULL), ST_OK);
    assert_int_equal(credstore_add_privkey(p->env.cred, k), ST_OK);
    assert_int_equal(credstore_add_cert(p->env.cred, c, DIR_CERTS), ST_OK);
    privkey_unref(k);
    cert_unref(c);
    OPENSSL_free(der);
}

static void trust(party *p, const pki *ca)
{
    assert_int_equal(credstore_add_cert(p->env.cred, ca->ca, DIR_CACERTS), ST_OK);
}

static status try_up(duo *d)
{
    duo_done done;
    charon_wait w = duo_wait(&done);

    charon_initiate(d->p[0].ch, "net", &w);
    duo_run(d, 20000);
    assert_int_equal(done.n, 1);
    return done.result;
}

static void assert_up(duo *d)
{
    assert_int_equal(try_up(d), ST_OK);
    for (int i = 0; i < 2; i++) {
        charon_stats s = duo_stats(&d->p[i]);
        assert_int_equal(s.ike[IKE_ESTABLISHED], 1);
        assert_int_equal(s.child[CHILD_INSTALLED], 1);
    }
    duo_assert_clean(d);
}

static void assert_nothing(duo *d)
{
    for (int i = 0; i < 2; i++) {
        charon_stats s = duo_stats(&d->p[i]);
        for (int k = 0; k < IKE_STATE_COUNT; k++)
            assert_int_equal(s.ike[k], 0);
        assert_int_equal(kernel_fake_sas(d->p[i].env.kernel), 0);
        assert_int_equal(kernel_fake_reserved(d->p[i].env.kernel), 0);
        assert_int_equal(s.half_open, 0);
    }
}

static duo *with_certs(const char *a, const char *b, EVP_PKEY *ka, EVP_PKEY *kb, const char *comment)
{
    duo *d = duo_new();
    pki ca;

    pki_init(&ca, "CA");
    for (int i = 0; i < 2; i++)
        trust(&d->p[i], &ca);
    if (ka)
        give_cert(&d->p[0], &ca, ka, "a.test", comment);
    if (kb)
        give_cert(&d->p[1], &ca, kb, "b.test", comment);
    duo_add(&d->p[0], a);
    duo_add(&d->p[1], b);
    pki_fini(&ca);
    EVP_PKEY_free(ka);
    EVP_PKEY_free(kb);
    return d;
}

static void all_key_types(void **state)
{
    EVP_PKEY *keys[] = {EVP_RSA_gen(2048), EVP_EC_gen("P-256"), EVP_EC_gen("P-384"), EVP_EC_gen("P-521"),
                        EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
    const char *text[] = {"RSA signature", "ECDSA signature", "ECDSA signature", "ECDSA signature",
                          "Ed25519 signature"};

    (void)state;
    for (int i = 0; i < 5; i++) {
        char line[128];
        duo *d = with_certs(BASE, BASE, keys[i], EVP_EC_gen("P-256"), NULL);
        assert_up(d);
        snprintf(line, sizeof(line), "authentication of 'a.test' with %s successful", text[i]);
        assert_true(duo_logged(&d->p[1], line));
        assert_true(duo_logged(&d->p[0], "sending end entity cert \"C=CH, CN=a.test\""));
        assert_true(duo_logged(&d->p[1], "received end entity cert \"C=CH, CN=a.test\""));
        assert_true(duo_logged(&d->p[1], "sending cert request for \"C=CH, CN=CA\""));
        assert_true(duo_logged(&d->p[0], "received cert request for \"C=CH, CN=CA\""));
        duo_free(d);
    }
}

static void mixed_methods(void **state)
{
    duo *d = with_certs(BASE " leftauth=psk\n rightauth=pubkey\n", BASE " leftauth=psk\n rightauth=pubkey\n",
                        NULL, EVP_EC_gen("P-256"), NULL);

    (void)state;
    for (int i = 0; i < 2; i++)
        duo_psk(&d->p[i], "@a.test", "@b.test", "a secret");
    assert_up(d);
    assert_true(duo_logged(&d->p[1], "authentication of 'a.test' with pre-shared key successful"));
    assert_true(duo_logged(&d->p[0], "authentication of 'b.test' with ECDSA signature successful"));
    duo_free(d);
}

/* The peer must not choose a weaker way than rightauth says. */
static void wrong_method(void **state)
{
    duo *d = with_certs(BASE " authby=secret\n", BASE " authby=secret\n leftauth=pubkey\n rightauth=psk\n",
                        EVP_EC_gen("P-256"), EVP_EC_gen("P-256"), NULL);

    (void)state;
    for (int i = 0; i < 2; i++)
        duo_psk(&d->p[i], "@a.test", "@b.test", "a secret");
    assert_int_not_equal(try_up(d), ST_OK);
    assert_nothing(d);
    assert_true(duo_logged(
        &d->p[1], "constraint check failed: conn 'net' wants the peer to authenticate by public key"));
    assert_true(duo_logged(&d->p[0], "received AUTHENTICATION_FAILED notify error"));
    duo_free(d);
}

static void wrong_psk(void **state)
{
    duo *d = duo_new();

    (void)state;
    for (int i = 0; i < 2; i++) {
        duo_add(&d->p[i], BASE " authby=secret\n");
        duo_psk(&d->p[i], "@a.test", "@b.test", i ? "one" : "another");
    }
    assert_int_not_equal(try_up(d), ST_OK);
    assert_nothing(d);
    assert_true(duo_logged(&d->p[1], "tried 1 shared key for 'b.test' - 'a.test', but MAC mismatched"));
    assert_true(duo_logged(&d->p[1], "authentication of 'a.test' with pre-shared key failed"));
    assert_true(duo_logged(&d->p[0], "received AUTHENTICATION_FAILED notify error"));
    duo_free(d);
}

static void no_psk(void **state)
{
    duo *d = duo_new();

    (void)state;
    duo_add(&d->p[0], BASE " authby=secret\n");
    duo_add(&d->p[1], BASE " authby=secret\n");
    duo_psk(&d->p[0], "@a.test", "@b.test", "one");
    assert_int_not_equal(try_up(d), ST_OK);
    assert_nothing(d);
    assert_true(duo_logged(&d->p[1], "no shared key found for 'b.test' - 'a.test'"));
    duo_free(d);
}

static void wrong_identity(void **state)
{
    duo *d = duo_new();

    (void)state;
    duo_add(&d->p[0], BASE " authby=secret\n");
    duo_add(
        &d->p[1],
        "conn net\n keyexchange=ikev2\n authby=secret\n left=10.0.0.1\n right=10.0.0.2\n leftid=other.test\n"
        " rightid=b.test\n auto=add\n");
    for (int i = 0; i < 2; i++)
        duo_psk(&d->p[i], "@a.test", "@b.test", "one");
    assert_int_not_equal(try_up(d), ST_OK);
    assert_nothing(d);
    assert_true(duo_logged(&d->p[1], "no matching config found for 'b.test'...'a.test'"));
    assert_true(duo_logged(&d->p[1], "*explain*"));
    duo_free(d);
}

/* The responder turns out to be somebody else: it must not keep its IKE_SA either. */
static void responder_is_another(void **state)
{
    duo *d = duo_new();

    (void)state;
    duo_add(&d->p[0],
            "conn net\n keyexchange=ikev2\n authby=secret\n left=10.0.0.1\n right=10.0.0.2\n leftid=a.test\n"
            " rightid=*.elsewhere\n leftsubnet=10.1.0.0/16\n rightsubnet=10.2.0.0/16\n auto=add\n");
    duo_add(&d->p[1], BASE " authby=secret\n");
    for (int i = 0; i < 2; i++)
        duo_psk(&d->p[i], "@a.test", "%any", "one");
    assert_int_not_equal(try_up(d), ST_OK);
    assert_nothing(d);
    assert_true(duo_logged(&d->p[0], "peer ID 'b.test' unacceptable, '*.elsewhere' required"));
    duo_free(d);
}

static void ca_constraint(void **state)
{
    duo *d = with_certs(BASE, BASE " leftca=\"C=CH, CN=Research CA\"\n", EVP_EC_gen("P-256"),
                        EVP_EC_gen("P-256"), NULL);

    (void)state;
    assert_int_not_equal(try_up(d), ST_OK);
    assert_nothing(d);
    assert_true(duo_logged(&d->p[1],
                           "constraint check failed: peer not authenticated by CA 'C=CH, CN=Research CA'."));
    duo_free(d);
}

static void untrusted(void **state)
{
    duo *d = duo_new();
    pki ca[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        EVP_PKEY *k = test_key();
        pki_init(&ca[i], "CA");
        give_cert(&d->p[i], &ca[i], k, i ? "b.test" : "a.test", NULL);
        trust(&d->p[i], &ca[i]);
        duo_add(&d->p[i], BASE " leftsendcert=always\n rightsendcert=always\n");
        EVP_PKEY_free(k);
    }
    assert_int_not_equal(try_up(d), ST_OK);
    assert_nothing(d);
    assert_true(duo_logged(&d->p[1], "authentication of 'a.test' with ECDSA signature failed"));
    for (int i = 0; i < 2; i++)
        pki_fini(&ca[i]);
    duo_free(d);
}

static void large_certificates_are_fragmented(void **state)
{
    static char comment[4000];
    duo *d;

    (void)state;
    memset(comment, 'x', sizeof(comment) - 1);
    d = with_certs(BASE, BASE, EVP_EC_gen("P-256"), EVP_EC_gen("P-256"), comment);
    assert_up(d);
    assert_true(d->frames > 8); /* 4 without fragments */
    duo_free(d);
    d = with_certs(BASE, BASE " fragmentation=no\n", EVP_EC_gen("P-256"), EVP_EC_gen("P-256"), comment);
    assert_up(d);
    duo_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_key_types), cmocka_unit_test(mixed_methods),
        cmocka_unit_test(wrong_method),  cmocka_unit_test(wrong_psk),
        cmocka_unit_test(no_psk),        cmocka_unit_test(wrong_identity),
        cmocka_unit_test(untrusted),     cmocka_unit_test(responder_is_another),
        cmocka_unit_test(ca_constraint), cmocka_unit_test(large_certificates_are_fragmented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
