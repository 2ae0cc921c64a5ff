/* Signatures: RSA and ECDSA certificates with all sending policies, raw keys, refusals; road warriors and the
 * choice of a conn by the peer's ID; addresses behind NAT.
 */
#include "tests/unit/pluto/pair.h"
#include "libstrongswan/base/text.h"
#include "tests/unit/cred/certmaker.h"
#include <openssl/rsa.h>
#include <sys/stat.h>

static EVP_PKEY *ca_key, *keys[3];
static cert *ca_cert;
static char files[3][64];

static EVP_PKEY *rsa_key(void)
{
    return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
}

static void write_cert(const char *path, cert *c)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(cert_der(c).p, 1, cert_der(c).n, f), cert_der(c).n);
    fclose(f);
}

/* takes the key over */
static void make_cert(long k, EVP_PKEY *key)
{
    static const char *const names[] = {"a.test", "b.test", "c.test"};
    static const char *const alts[] = {"DNS:a.test", "DNS:b.test", "DNS:c.test"};
    EVP_PKEY_free(keys[k]);
    keys[k] = key;
    cert *c = order_cert(&(cert_order){.subject = names[k],
                                       .issuer = "Lab CA",
                                       .key = key,
                                       .signer = ca_key,
                                       .serial = 10 + k,
                                       .to = TEST_NOW + 1000000,
                                       .ext = {"subjectAltName", alts[k]}});
    write_cert(files[k], c);
    cert_unref(c);
}

static int make_pki(void **state)
{
    ca_key = rsa_key();
    ca_cert = order_cert(
        &(cert_order){.subject = "Lab CA",
                      .key = ca_key,
                      .to = TEST_NOW + 1000000,
                      .ext = {"basicConstraints", "critical,CA:TRUE", "keyUsage", "keyCertSign,cRLSign"}});
    for (long k = 0; k < 3; k++) {
        snprintf(files[k], sizeof(files[k]), "/tmp/pluto-rsa-%d-%ld.der", (int)getpid(), k);
        make_cert(k, rsa_key());
    }
    return 0;
}

static int drop_pki(void **state)
{
    for (int k = 0; k < 3; k++) {
        unlink(files[k]);
        EVP_PKEY_free(keys[k]);
    }
    EVP_PKEY_free(ca_key);
    cert_unref(ca_cert);
    return 0;
}

static void give_key(party *p, EVP_PKEY *key)
{
    uint8_t *der = NULL;
    privkey *k;
    msgbuf why = {0};
    int n = i2d_PrivateKey(key, &der);
    assert_true(n > 0);
    assert_int_equal(privkey_from_data(&k, span_of(der, (size_t)n), NULL, &why), ST_OK);
    assert_int_equal(credstore_add_privkey(p->env.cred, k), ST_OK);
    privkey_unref(k);
    OPENSSL_free(der);
}

static void equip(duo *d)
{
    for (unsigned k = 0; k < d->n; k++) {
        give_key(&d->p[k], keys[k]);
        assert_int_equal(credstore_add_cert(d->p[k].env.cred, ca_cert, DIR_CACERTS), ST_OK);
    }
}

/* `leftcert` of a and b, with further lines; each side knows only its own certificate */
static void add_pair(duo *d, const char *extra_a, const char *extra_b)
{
    char text[1024];
    for (unsigned k = 0; k < 2; k++) {
        snprintf(text, sizeof(text),
                 "conn net\n keyexchange=ikev1\n authby=rsasig\n left=10.0.0.%u\n right=10.0.0.%u\n "
                 "leftid=@%c.test\n rightid=@%c.test\n leftcert=%s\n"
                 " leftsubnet=10.%u.0.0/16\n rightsubnet=10.%u.0.0/16\n auto=add\n%s",
                 k + 1, 2 - k, 'a' + (int)k, 'b' - (int)k, files[k], k + 1, 2 - k, k ? extra_b : extra_a);
        duo_add(&d->p[k], text);
    }
}

static void test_certs(void **state)
{
    static const char *const policies[] = {"", " leftsendcert=always\n", " leftsendcert=ifasked\n"};
    for (size_t k = 0; k < 3; k++) {
        duo *d = duo_new();
        equip(d);
        add_pair(d, policies[k], policies[k]);
        up_ok(d, "net");
        assert_up(d, 1);
        assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
        assert_true(duo_logged(&d->p[0], k == 1 ? "we have a cert and are sending it\n"
                                                : "we have a cert and are sending it upon request"));
        assert_true(duo_logged(&d->p[1], "Peer ID is ID_FQDN: '@a.test'"));
        assert_true(duo_logged(&d->p[1], "preparse_isakmp_policy: peer requests RSASIG authentication"));
        duo_free(d);
    }
}

static void test_sendcert_never(void **state)
{
    duo *d = duo_new();
    duo_done done;
    equip(d);
    add_pair(d, " leftsendcert=never\n keyingtries=1\n", "");
    up(d, "net", &done);
    assert_true(duo_logged(&d->p[0], "we have a cert but are not sending it \n"));
    assert_true(duo_logged(&d->p[1], "no RSA public key known for '@a.test'"));
    assert_true(duo_logged(&d->p[0], "ignoring informational payload, type INVALID_KEY_INFORMATION"));
    assert_int_equal(duo_stats(&d->p[1]).isakmp, 0);
    duo_run(d, 100000);
    assert_int_equal(done.n, 1);
    assert_int_not_equal(done.exit_code, 0);
    buf_free(&done.text);
    duo_free(d);
}

static void test_untrusted(void **state)
{
    duo *d = duo_new();
    duo_done done;
    give_key(&d->p[0], keys[0]);
    give_key(&d->p[1], keys[1]);
    assert_int_equal(credstore_add_cert(d->p[0].env.cred, ca_cert, DIR_CACERTS), ST_OK);
    add_pair(d, " leftsendcert=always\n keyingtries=1\n", " leftsendcert=always\n");
    up(d, "net", &done);
    assert_true(duo_logged(&d->p[1], "X.509 certificate rejected"));
    assert_true(duo_logged(&d->p[1], "explain: "));
    assert_int_equal(duo_stats(&d->p[1]).isakmp, 0);
    duo_run(d, 100000);
    buf_free(&done.text);
    duo_free(d);
}

static void test_no_private_key(void **state)
{
    duo *d = duo_new();
    duo_done done;
    for (unsigned k = 0; k < 2; k++)
        assert_int_equal(credstore_add_cert(d->p[k].env.cred, ca_cert, DIR_CACERTS), ST_OK);
    give_key(&d->p[0], keys[0]);
    add_pair(d, " keyingtries=1\n", "");
    up(d, "net", &done);
    assert_true(duo_logged(&d->p[1], "unable to locate my private key for RSA Signature"));
    assert_true(duo_logged(&d->p[0], "ignoring informational payload, type AUTHENTICATION_FAILED"));
    assert_int_equal(duo_stats(&d->p[1]).isakmp, 0);
    duo_run(d, 100000);
    buf_free(&done.text);
    duo_free(d);
}

static void raw_key_text(EVP_PKEY *k, char *dst, size_t size)
{
    BIGNUM *n = NULL, *e = NULL;
    uint8_t data[600] = {3};
    buf b = {0};
    assert_true(EVP_PKEY_get_bn_param(k, "n", &n) && EVP_PKEY_get_bn_param(k, "e", &e));
    assert_int_equal(BN_num_bytes(e), 3);
    BN_bn2bin(e, data + 1);
    int len = BN_bn2bin(n, data + 4);
    buf_put_str(&b, "0s");
    text_put_base64(&b, span_of(data, (size_t)len + 4));
    snprintf(dst, size, "%s", buf_cstr(&b));
    buf_free(&b);
    BN_free(n);
    BN_free(e);
}

static void test_raw_keys(void **state)
{
    duo *d = duo_new();
    char a[800], b[800], text[2600];
    raw_key_text(keys[0], a, sizeof(a));
    raw_key_text(keys[1], b, sizeof(b));
    snprintf(text, sizeof(text),
             "conn net\n keyexchange=ikev1\n authby=rsasig\n left=10.0.0.1\n right=10.0.0.2\n "
             "leftid=@a.test\n rightid=@b.test\n leftrsasigkey=%s\n rightrsasigkey=%s\n"
             " leftsubnet=10.1.0.0/16\n rightsubnet=10.2.0.0/16\n auto=add\n",
             a, b);
    for (unsigned k = 0; k < 2; k++) {
        give_key(&d->p[k], keys[k]);
        duo_add(&d->p[k], text);
    }
    up_ok(d, "net");
    assert_up(d, 1);
    assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
    duo_free(d);
}

/* ---- road warriors ---- */

static void warrior(party *p, unsigned k, const char *gw, const char *extra)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "conn home\n keyexchange=ikev1\n authby=rsasig\n left=10.0.0.%u\n right=%s\n leftid=@%c.test\n "
             "rightid=@b.test\n leftcert=%s\n rightsubnet=10.2.0.0/16\n auto=add\n%s",
             k + 1, gw, 'a' + (int)k, files[k], extra);
    duo_add(p, text);
}

static void gateway(party *p, const char *conns)
{
    char text[2048];
    snprintf(text, sizeof(text),
             "conn %%default\n keyexchange=ikev1\n authby=rsasig\n left=10.0.0.2\n leftid=@b.test\n "
             "leftcert=%s\n leftsubnet=10.2.0.0/16\n right=%%any\n auto=add\n%s",
             files[1], conns);
    duo_add(p, text);
}

static void initiate(duo *d, unsigned k, const char *name)
{
    duo_done done;
    pluto_waiter w = duo_wait(&done);
    pluto_initiate(d->p[k].pl, name, false, &w);
    duo_run(d, 5000);
    assert_int_equal(done.n, 1);
    assert_int_equal(done.exit_code, 0);
    buf_free(&done.text);
}

static void test_road_warriors(void **state)
{
    duo *d = duo_new_with(NULL, 3);
    buf out = {0};
    equip(d);
    warrior(&d->p[0], 0, "10.0.0.2", "");
    warrior(&d->p[2], 2, "10.0.0.2", "");
    gateway(&d->p[1], "conn rw\n");
    initiate(d, 0, "home");
    initiate(d, 2, "home");
    const char *t = status_of(&d->p[1], true, &out);
    assert_non_null(strstr(t, "\"rw\": 10.2.0.0/16===10.0.0.2[@b.test]...%any; unrouted; eroute owner: #0"));
    assert_non_null(strstr(t, "\"rw\"[1]: 10.2.0.0/16===10.0.0.2[@b.test]...10.0.0.1[@a.test]; erouted"));
    assert_non_null(strstr(t, "\"rw\"[2]: 10.2.0.0/16===10.0.0.2[@b.test]...10.0.0.3[@c.test]; erouted"));
    assert_non_null(strstr(t, "#2: \"rw\"[1] 10.0.0.1 STATE_QUICK_R2 (IPsec SA established)"));
    assert_true(duo_logged(&d->p[1], "\"rw\"[2] 10.0.0.3 #4: IPsec SA established {ESP=>0x"));
    assert_true(duo_logged(&d->p[1], "responding to Main Mode from unknown peer 10.0.0.3"));
    assert_traffic(d, "10.0.0.1", "10.2.0.1", false);
    pluto_terminate(d->p[0].pl, "home", NULL);
    duo_run(d, 1000);
    assert_int_equal(duo_stats(&d->p[1]).instances, 1); /* the other one is gone with its states */
    buf_free(&out);
    duo_free(d);
}

static void test_switch(void **state)
{
    duo *d = duo_new_with(NULL, 3);
    equip(d);
    warrior(&d->p[0], 0, "10.0.0.2", "");
    warrior(&d->p[2], 2, "10.0.0.2", "");
    gateway(&d->p[1], "conn carol\n rightid=@a.test\nconn dave\n rightid=@c.test\n");
    initiate(d, 2, "home");
    initiate(d, 0, "home");
    assert_true(duo_logged(&d->p[1], "switched from \"carol\"[1] 10.0.0.3 to \"dave\"[1] 10.0.0.3"));
    assert_true(duo_logged(&d->p[1], "\"carol\"[1] 10.0.0.1 #4: IPsec SA established"));
    duo_free(d);
}

static void test_unwanted_peer(void **state)
{
    duo *d = duo_new_with(NULL, 3);
    duo_done done;
    equip(d);
    warrior(&d->p[2], 2, "10.0.0.2", " keyingtries=1\n");
    gateway(&d->p[1], "conn carol\n rightid=@a.test\n");
    pluto_waiter w = duo_wait(&done);
    pluto_initiate(d->p[2].pl, "home", false, &w);
    duo_run(d, 5000);
    assert_true(duo_logged(&d->p[1], "no suitable connection for peer '@c.test'. explain: \"carol\" came "
                                     "nearest, it wants peer ID '@a.test'"));
    assert_int_equal(duo_stats(&d->p[1]).isakmp, 0);
    assert_int_equal(duo_stats(&d->p[1]).instances, 0);
    duo_run(d, 100000);
    buf_free(&done.text);
    duo_free(d);
}

/* the same peer from another address: what it had before goes */
static void test_unique(void **state)
{
    duo *d = duo_new_with(NULL, 3);
    char text[1024];
    equip(d);
    give_key(&d->p[2], keys[0]);
    warrior(&d->p[0], 0, "10.0.0.2", "");
    snprintf(text, sizeof(text),
             "conn home\n keyexchange=ikev1\n authby=rsasig\n left=10.0.0.3\n right=10.0.0.2\n "
             "leftid=@a.test\n rightid=@b.test\n leftcert=%s\n rightsubnet=10.2.0.0/16\n auto=add\n",
             files[0]);
    duo_add(&d->p[2], text);
    gateway(&d->p[1], "conn rw\n");
    initiate(d, 0, "home");
    initiate(d, 2, "home");
    assert_true(
        duo_logged(&d->p[1], "deleting connection \"rw\" instance with peer 10.0.0.1 {isakmp=#1/ipsec=#2}"));
    assert_int_equal(duo_stats(&d->p[1]).isakmp, 1);
    assert_int_equal(duo_stats(&d->p[1]).quick, 1);
    duo_free(d);
}

/* ---- NAT ---- */

static duo *natted(const char *extra)
{
    duo *d = duo_new();
    equip(d);
    d->p[0].nat = duo_addr("192.0.2.1");
    warrior(&d->p[0], 0, "10.0.0.2", extra);
    return d;
}

static void test_nat(void **state)
{
    duo *d = natted(" leftsubnet=10.1.0.0/16\n");
    gateway(&d->p[1], "conn rw\n rightsubnet=10.1.0.0/16\n");
    initiate(d, 0, "home");
    assert_true(duo_logged(&d->p[0], "NAT-Traversal: Result using RFC 3947: i am NATed"));
    assert_true(duo_logged(&d->p[1], "NAT-Traversal: Result using RFC 3947: peer is NATed"));
    assert_true(duo_logged(&d->p[1], "\"rw\"[1] 192.0.2.1:14500 #2: IPsec SA established {ESP=>0x"));
    assert_true(duo_logged(&d->p[1], " NATOA=0.0.0.0}"));
    assert_up(d, 1);
    assert_traffic(d, "10.1.0.1", "10.2.0.1", true);
    unsigned sent = d->p[0].sent;
    duo_run(d, 65000);
    assert_true(d->p[0].sent >= sent + 3); /* keepalives of the one behind the NAT */
    pluto_terminate(d->p[1].pl, "rw", NULL);
    duo_run(d, 1000);
    assert_int_equal(duo_stats(&d->p[0]).isakmp, 0);
    duo_free(d);
}

/* a client that is its own net behind the NAT: vhost:%priv */
static void test_nat_vhost(void **state)
{
    duo *d = natted("");
    pluto_free(d->p[1].pl);
    d->p[1].opt.virtual_private = "%v4:10.0.0.0/24,%v4:!10.0.0.128/25";
    assert_int_equal(pluto_new(&d->p[1].pl, &d->p[1].env, &d->p[1].opt, NULL), ST_OK);
    gateway(&d->p[1], "conn rw\n rightsubnet=vhost:%no,%priv\n");
    initiate(d, 0, "home");
    assert_up(d, 1);
    assert_traffic(d, "10.0.0.1", "10.2.0.1", true);
    duo_free(d);
}

static void test_nat_transport(void **state)
{
    duo *d = duo_new();
    char text[1024];
    equip(d);
    d->p[0].nat = duo_addr("192.0.2.1");
    snprintf(text, sizeof(text),
             "conn home\n keyexchange=ikev1\n authby=rsasig\n type=transport\n left=10.0.0.1\n "
             "right=10.0.0.2\n leftid=@a.test\n rightid=@b.test\n leftcert=%s\n leftprotoport=udp/1701\n "
             "rightprotoport=udp/1701\n auto=add\n",
             files[0]);
    duo_add(&d->p[0], text);
    snprintf(text, sizeof(text),
             "conn l2tp\n keyexchange=ikev1\n authby=rsasig\n type=transport\n left=10.0.0.2\n right=%%any\n "
             "leftid=@b.test\n leftcert=%s\n leftprotoport=udp/1701\n rightprotoport=udp/%%any\n auto=add\n",
             files[1]);
    duo_add(&d->p[1], text);
    initiate(d, 0, "home");
    assert_true(duo_logged(&d->p[1], " NATOA=10.0.0.1}"));
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(duo_stats(&d->p[i]).quick_established, 1);
    duo_free(d);
}

/* Whoever knows only an older method is met there, whichever side it is. */
static void test_natt_drafts(void **state)
{
    static const struct {
        unsigned best;
        const char *name;
    } rows[] = {{VID_NATT_RFC, "RFC 3947"},
                {VID_NATT_03, "draft-ietf-ipsec-nat-t-ike-03"},
                {VID_NATT_02, "draft-ietf-ipsec-nat-t-ike-02"},
                {VID_NATT_02_N, "draft-ietf-ipsec-nat-t-ike-02"}};
    for (size_t k = 0; k < 8; k++) {
        char text[120];
        duo *d = natted(" leftsubnet=10.1.0.0/16\n");
        party *old = &d->p[k / 4];
        pluto_free(d->p[1].pl);
        if (old == &d->p[0])
            pluto_free(old->pl);
        old->opt.natt_best = rows[k % 4].best;
        assert_int_equal(pluto_new(&d->p[1].pl, &d->p[1].env, &d->p[1].opt, NULL), ST_OK);
        if (old == &d->p[0]) {
            assert_int_equal(pluto_new(&old->pl, &old->env, &old->opt, NULL), ST_OK);
            warrior(old, 0, "10.0.0.2", " leftsubnet=10.1.0.0/16\n");
        }
        gateway(&d->p[1], "conn rw\n rightsubnet=10.1.0.0/16\n");
        initiate(d, 0, "home");
        snprintf(text, sizeof(text), "NAT-Traversal: Result using %s: i am NATed", rows[k % 4].name);
        assert_true(duo_logged(&d->p[0], text));
        snprintf(text, sizeof(text), "NAT-Traversal: Result using %s: peer is NATed", rows[k % 4].name);
        assert_true(duo_logged(&d->p[1], text));
        assert_up(d, 1);
        assert_traffic(d, "10.1.0.1", "10.2.0.1", true);
        duo_free(d);
    }
}

/* ---- ECDSA ---- */

/* The authentication method that B answered with: attribute 3 of its first message. */
static uint8_t method_chosen;
static bool watch_method(duo *d, party *from, party *to, const packet *p)
{
    static const uint8_t attr[] = {0x80, 3, 0};
    for (size_t k = 0; from == &d->p[1] && !method_chosen && k + 4 <= p->n; k++) {
        if (memcmp(p->data + k, attr, 3) == 0)
            method_chosen = p->data[k + 3];
    }
    return true;
}

static void test_ecdsa(void **state)
{
    static const char *const curves[] = {"P-256", "P-384", "P-521"};
    static const char *const ike[] = {"aes128-sha256-ecp256!", "aes256-sha384-ecp384!",
                                      "aes256-sha512-modp2048!"};
    for (size_t k = 0; k < 3; k++) {
        char text[1024];
        duo *d = duo_new();
        for (long i = 0; i < 2; i++)
            make_cert(i, EVP_PKEY_Q_keygen(NULL, NULL, "EC", curves[k]));
        method_chosen = 0;
        d->filter = watch_method;
        equip(d);
        for (unsigned i = 0; i < 2; i++) {
            snprintf(text, sizeof(text),
                     "conn net\n keyexchange=ikev1\n authby=ecdsasig\n left=10.0.0.%u\n right=10.0.0.%u\n "
                     "leftid=@%c.test\n rightid=@%c.test\n leftcert=%s\n ike=%s\n"
                     " leftsubnet=10.%u.0.0/16\n rightsubnet=10.%u.0.0/16\n auto=add\n",
                     i + 1, 2 - i, 'a' + (int)i, 'b' - (int)i, files[i], ike[k], i + 1, 2 - i);
            duo_add(&d->p[i], text);
        }
        up_ok(d, "net");
        assert_up(d, 1);
        assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
        assert_int_equal(method_chosen, OAKLEY_ECDSA_256 + k);
        duo_free(d);
    }
    for (long i = 0; i < 2; i++)
        make_cert(i, rsa_key());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certs),       cmocka_unit_test(test_sendcert_never),
        cmocka_unit_test(test_untrusted),   cmocka_unit_test(test_no_private_key),
        cmocka_unit_test(test_raw_keys),    cmocka_unit_test(test_road_warriors),
        cmocka_unit_test(test_switch),      cmocka_unit_test(test_unwanted_peer),
        cmocka_unit_test(test_unique),      cmocka_unit_test(test_nat),
        cmocka_unit_test(test_nat_vhost),   cmocka_unit_test(test_nat_transport),
        cmocka_unit_test(test_natt_drafts), cmocka_unit_test(test_ecdsa),
    };
    return cmocka_run_group_tests(tests, make_pki, drop_pki);
}
