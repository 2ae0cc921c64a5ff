/* What can happen while an IKE_SA is set up: other groups, cookies, refusals true and forged, NAT, modes,
 * compression, virtual addresses, uniqueness.
 */
#include "tests/unit/charon/duo.h"

#define BASE                                                                                                 \
    "conn net\n keyexchange=ikev2\n authby=secret\n left=10.0.0.1\n right=10.0.0.2\n leftid=@a.test\n "      \
    "rightid=@b.test\n"                                                                                      \
    " auto=add\n"
#define NETS " leftsubnet=10.1.0.0/16\n rightsubnet=10.2.0.0/16\n"

static duo *pair3(const char *a, const char *b, const char *set, unsigned n)
{
    duo *d = duo_new_with(set, n);

    duo_add(&d->p[0], a);
    duo_add(&d->p[1], b);
    for (unsigned i = 0; i < n; i++)
        duo_psk(&d->p[i], "%any", "%any", "a secret");
    return d;
}

static duo *pair(const char *a, const char *b)
{
    return pair3(a, b, NULL, 2);
}

static status try_up(duo *d, unsigned who)
{
    duo_done done;
    charon_wait w = duo_wait(&done);

    charon_initiate(d->p[who].ch, "net", &w);
    duo_run(d, 20000);
    assert_int_equal(done.n, 1);
    return done.result;
}

static void assert_up(duo *d, unsigned ikes, unsigned children)
{
    for (int i = 0; i < 2; i++) {
        charon_stats s = duo_stats(&d->p[i]);
        assert_int_equal(s.ike[IKE_ESTABLISHED], ikes);
        assert_int_equal(s.child[CHILD_INSTALLED], children);
        assert_int_equal(s.half_open, 0);
    }
    duo_assert_clean(d);
}

static void other_group(void **state)
{
    duo *d = pair(BASE NETS " ike=aes128-sha256-modp2048,aes256-sha256-ecp256!\n",
                  BASE NETS " ike=aes256-sha256-ecp256!\n");

    (void)state;
    assert_int_equal(try_up(d, 0), ST_OK);
    assert_up(d, 1, 1);
    assert_int_equal(d->frames, 6);
    assert_true(duo_logged(&d->p[0], "peer didn't accept DH group MODP_2048, it requested ECP_256"));
    duo_free(d);
}

/* Every algorithm that can be configured works from end to end. */
static void algorithms(void **state)
{
    const char *ike[] = {
        "aes128-sha1-modp2048",         "3des-md5-modp1024",          "aes256-sha512-modp3072",
        "aes192-sha384-ecp384",         "aes128-aesxcbc-modp2048",    "aes128gcm16-sha256-ecp521",
        "aes256gcm8-sha384-curve25519", "aes128ctr-sha256-ecp256",    "chacha20poly1305-sha256-curve448",
        "aes256ccm16-sha256-modp2048",  "camellia256-sha256-modp2048"};
    const char *esp[] = {"aes128-sha1",      "3des-md5",    "aes256-sha512",     "aes192-sha384",
                         "aes128-aesxcbc",   "aes128gcm16", "aes256gcm8",        "aes128ctr-sha256",
                         "chacha20poly1305", "aes256ccm16", "camellia256-sha256"};

    (void)state;
    for (unsigned i = 0; i < sizeof(ike) / sizeof(ike[0]); i++) {
        char conf[1024];
        duo *d;
        snprintf(conf, sizeof(conf), "%s ike=%s!\n esp=%s!\n", BASE NETS, ike[i], esp[i]);
        d = pair(conf, conf);
        if (try_up(d, 0) != ST_OK)
            fail_msg("%s, %s", ike[i], esp[i]);
        assert_up(d, 1, 1);
        charon_rekey(d->p[1].ch, "net", NULL);
        duo_run(d, 2000);
        assert_up(d, 1, 1);
        duo_free(d);
    }
}

static void no_proposal(void **state)
{
    duo *d = pair(BASE NETS " ike=aes128-sha256-modp2048!\n", BASE NETS " ike=aes256-sha256-modp2048!\n");

    (void)state;
    assert_int_not_equal(try_up(d, 0), ST_OK);
    assert_up(d, 0, 0);
    assert_true(duo_logged(&d->p[1], "no acceptable proposal found"));
    assert_true(duo_logged(&d->p[1], "*explain* conn 'net' came nearest: "));
    assert_true(duo_logged(&d->p[0], "received NO_PROPOSAL_CHOSEN notify error"));
    assert_true(duo_logged(&d->p[0], "what conn 'net' offers: IKE:AES_CBC_128/"));
    duo_free(d);
    d = pair(BASE NETS " esp=aes128-sha256!\n", BASE NETS " esp=aes256-sha256!\n");
    assert_int_not_equal(try_up(d, 0), ST_OK);
    assert_up(d, 1, 0);
    assert_true(duo_logged(&d->p[0], "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built"));
    assert_true(duo_logged(&d->p[0], "*explain* conn 'net' offered ESP:AES_CBC_128/"));
    duo_free(d);
}

static void no_selectors(void **state)
{
    duo *d = pair(BASE " leftsubnet=10.1.0.0/16\n rightsubnet=10.9.0.0/16\n", BASE NETS);

    (void)state;
    assert_int_not_equal(try_up(d, 0), ST_OK);
    assert_up(d, 1, 0);
    assert_true(duo_logged(&d->p[1], "traffic selectors 10.9.0.0/16 === 10.1.0.0/16 inacceptable"));
    assert_true(duo_logged(&d->p[0], "received TS_UNACCEPTABLE notify, no CHILD_SA built"));
    assert_true(duo_logged(&d->p[0], "*explain* conn 'net' asked for 10.1.0.0/16 === 10.9.0.0/16"));
    duo_free(d);
}

static void narrowing(void **state)
{
    duo *d = pair(BASE " leftsubnet=10.0.0.0/8\n rightsubnet=10.2.0.0/16,10.5.0.0/16\n", BASE NETS);
    buf text = {0};

    (void)state;
    assert_int_equal(try_up(d, 0), ST_OK);
    assert_up(d, 1, 1);
    charon_status(d->p[0].ch, NULL, false, &text);
    assert_non_null(strstr(buf_cstr(&text), "10.1.0.0/16 === 10.2.0.0/16 \n"));
    buf_free(&text);
    duo_free(d);
}

/* ---- forged refusals, in clear: they only delay ---- */
static bool forge(duo *d, party *from, party *to, const packet *p)
{
    ikev2_header h;

    if (from != &d->p[0] || ikev2_parse_header(&h, packet_span(p)) != ST_OK || h.exchange != IKE_SA_INIT ||
        d->row++)
        return true;
    for (int i = 0; i < 3; i++) {
        static const uint16_t types[] = {N_NO_PROPOSAL_CHOSEN, N_INVALID_SYNTAX, N_AUTHENTICATION_FAILED};
        ikev2_header a = {
            .spi_i = h.spi_i, .major = 2, .exchange = IKE_SA_INIT, .flags = IKEV2_FLAG_RESPONSE};
        ikev2_builder b = {0};
        buf out = {0};
        ikev2_add_notify(&b, types[i], SPAN_NULL);
        assert_int_equal(ikev2_emit(&a, &b, &out), ST_OK);
        assert_int_equal(net_send(&to->net, &p->local, &p->remote, false, buf_span(&out)), ST_OK);
        ikev2_builder_free(&b);
        buf_free(&out);
    }
    return true;
}

static void forged_refusals(void **state)
{
    duo *d = pair(BASE NETS, BASE NETS);

    (void)state;
    d->filter = forge;
    assert_int_equal(try_up(d, 0), ST_OK);
    assert_up(d, 1, 1);
    assert_int_equal(d->row > 0, 1);
    duo_free(d);
}

/* ---- cookies ---- */
static bool only_init(duo *d, party *from, party *to, const packet *p)
{
    ikev2_header h;

    (void)to;
    return from != &d->p[2] || ikev2_parse_header(&h, packet_span(p)) != ST_OK || h.exchange == IKE_SA_INIT;
}

static void cookies(void **state)
{
    const char *c_conf = "conn %default\n keyexchange=ikev2\n authby=secret\n left=10.0.0.3\n "
                         "leftid=@c.test\n rightid=@b.test\n right=10.0.0.2\n auto=add\n";
    duo *d = pair3(BASE NETS, BASE NETS,
                   "charon { cookie_threshold = 2\n block_threshold = 3\n reuse_ikesa = no\n }", 3);
    char conf[2048];

    (void)state;
    snprintf(conf, sizeof(conf), "%sconn c1\nconn c2\nconn c3\nconn c4\n", c_conf);
    duo_add(&d->p[2], conf);
    duo_add(&d->p[1], "conn any\n keyexchange=ikev2\n authby=secret\n left=10.0.0.2\n leftid=@b.test\n "
                      "right=%any\n auto=add\n");
    d->filter = only_init;
    for (int i = 1; i <= 4; i++) {
        char name[16];
        snprintf(name, sizeof(name), "c%d", i);
        charon_initiate(d->p[2].ch, name, NULL);
        duo_run(d, 100);
    }
    assert_int_equal(duo_stats(&d->p[1]).half_open, 3); /* the fourth is blocked, the third needed a cookie */
    assert_int_equal(duo_stats(&d->p[1]).cookies_sent, 1);
    charon_initiate(d->p[0].ch, "net", NULL);
    duo_run(d, 2000);
    assert_int_equal(duo_stats(&d->p[0]).ike[IKE_ESTABLISHED], 1);
    assert_int_equal(duo_stats(&d->p[1]).cookies_sent, 2);
    charon_terminate(d->p[2].ch, "[*]", NULL);
    duo_run(d, 35000); /* half-open ones are given up */
    assert_int_equal(duo_stats(&d->p[1]).half_open, 0);
    duo_free(d);
}

/* ---- NAT ---- */
static void behind_nat(void **state)
{
    duo *d = pair(BASE " leftsubnet=10.1.0.0/16\n rightsubnet=10.2.0.0/16\n",
                  "conn net\n keyexchange=ikev2\n authby=secret\n left=10.0.0.2\n leftid=@b.test\n "
                  "leftsubnet=10.2.0.0/16\n"
                  " right=%any\n rightid=@a.test\n rightsubnet=10.1.0.0/16\n auto=add\n");

    (void)state;
    d->p[0].nat = duo_addr("192.0.2.7");
    assert_int_equal(try_up(d, 0), ST_OK);
    assert_up(d, 1, 1);
    assert_true(duo_logged(&d->p[0], "local host is behind NAT, sending keep alives"));
    assert_true(duo_logged(&d->p[1], "remote host is behind NAT"));
    duo_run(d, 60000);
    assert_true(duo_logged(&d->p[0], "sending keep alive"));
    charon_rekey(d->p[1].ch, "net{1}", NULL);
    charon_rekey(d->p[0].ch, "net", NULL);
    duo_run(d, 60000);
    assert_up(d, 1, 1);
    duo_free(d);
}

static bool udp_encapsulated(void *ctx, const charon_child_info *i)
{
    *(bool *)ctx = i->udp_encap;
    return true;
}

static void forced_encapsulation(void **state)
{
    duo *d = pair(BASE NETS " forceencaps=yes\n", BASE NETS);
    bool encap[2] = {false, false};

    (void)state;
    assert_int_equal(try_up(d, 0), ST_OK);
    assert_up(d, 1, 1);
    assert_true(duo_logged(&d->p[0], "faking NAT situation to enforce UDP encapsulation"));
    for (int i = 0; i < 2; i++)
        charon_each_child(d->p[i].ch, udp_encapsulated, &encap[i]);
    assert_true(encap[0] && encap[1]);
    duo_free(d);
}

/* ---- modes ---- */
static bool first_child(void *ctx, const charon_child_info *i)
{
    *(charon_child_info *)ctx = *i;
    return false;
}

static charon_child_info child_of(party *p)
{
    charon_child_info i = {0};

    charon_each_child(p->ch, first_child, &i);
    return i;
}

static void transport(void **state)
{
    duo *d = pair(BASE " type=transport\n", BASE " type=transport\n");

    (void)state;
    assert_int_equal(try_up(d, 0), ST_OK);
    assert_up(d, 1, 1);
    assert_true(duo_logged(&d->p[0], "N(USE_TRANSP)"));
    assert_int_equal(child_of(&d->p[0]).mode, MODE_TRANSPORT);
    assert_int_equal(child_of(&d->p[1]).mode, MODE_TRANSPORT);
    duo_free(d);
    d = pair(BASE " type=transport\n", BASE " type=tunnel\n");
    assert_int_equal(try_up(d, 0), ST_OK);
    assert_int_equal(child_of(&d->p[0]).mode, MODE_TUNNEL);
    assert_int_equal(child_of(&d->p[1]).mode, MODE_TUNNEL);
    duo_free(d);
}

static void compression(void **state)
{
    duo *d = pair(BASE NETS " compress=yes\n", BASE NETS " compress=yes\n");

    (void)state;
    assert_int_equal(try_up(d, 0), ST_OK);
    assert_true(duo_logged(&d->p[1], "IKE_AUTH request 1 [ IDi N(INIT_CONTACT) IDr AUTH N(IPCOMP_SUPP)"));
    assert_int_not_equal(child_of(&d->p[0]).cpi_in, 0);
    assert_int_equal(child_of(&d->p[0]).cpi_in, child_of(&d->p[1]).cpi_out);
    assert_int_equal(child_of(&d->p[1]).cpi_in, child_of(&d->p[0]).cpi_out);
    duo_free(d);
    d = pair(BASE NETS " compress=yes\n", BASE NETS);
    assert_int_equal(try_up(d, 0), ST_OK);
    assert_int_equal(child_of(&d->p[0]).cpi_in, 0);
    duo_free(d);
}

static void extended_sequence_numbers(void **state)
{
    duo *d = pair(BASE NETS " esp=aes128-sha256-esn!\n", BASE NETS " esp=aes128-sha256-esn-noesn!\n");

    (void)state;
    assert_int_equal(try_up(d, 0), ST_OK);
    assert_true(child_of(&d->p[0]).esn && child_of(&d->p[1]).esn);
    duo_free(d);
}

/* ---- virtual addresses ---- */
static void virtual_address(void **state)
{
    duo *d = pair3("conn net\n keyexchange=ikev2\n authby=secret\n left=10.0.0.1\n leftid=@a.test\n "
                   "leftsourceip=%config\n"
                   " right=10.0.0.2\n rightid=@b.test\n rightsubnet=10.2.0.0/16\n auto=add\n",
                   "conn rw\n keyexchange=ikev2\n authby=secret\n left=10.0.0.2\n leftid=@b.test\n "
                   "leftsubnet=10.2.0.0/16\n"
                   " right=%any\n rightsourceip=10.3.0.0/28\n auto=add\n",
                   NULL, 2);
    buf text = {0};

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(try_up(d, 0), ST_OK);
        assert_up(d, 1, 1);
        assert_true(duo_logged(&d->p[1], "peer requested virtual IP %any"));
        assert_true(duo_logged(&d->p[1], "assigning virtual IP 10.3.0.1 to peer"));
        assert_true(duo_logged(&d->p[0], "installing new virtual IP 10.3.0.1"));
        buf_reset(&text);
        charon_status(d->p[0].ch, NULL, false, &text);
        assert_non_null(strstr(buf_cstr(&text), "10.3.0.1/32 === 10.2.0.0/16 \n"));
        charon_rekey(d->p[0].ch, "net", NULL);
        charon_rekey(d->p[1].ch, "rw{1}", NULL);
        duo_run(d, 30000);
        assert_up(d, 1, 1);
        assert_int_equal(charon_terminate_vip(d->p[1].ch, &(ip_addr){AF_INET, {10, 3, 0, 2}},
                                              &(ip_addr){AF_INET, {10, 3, 0, 9}}),
                         0);
        assert_int_equal(charon_terminate_vip(d->p[1].ch, &(ip_addr){AF_INET, {10, 3, 0, 1}},
                                              &(ip_addr){AF_INET, {10, 3, 0, 1}}),
                         1);
        duo_run(d, 1000);
        assert_up(d, 0, 0);
    }
    buf_free(&text);
    duo_free(d);
}

/* ---- uniqueness ---- */
static void newer_replaces_older(void **state)
{
    duo *d = pair3(BASE NETS, BASE NETS, "charon { reuse_ikesa = no\n }", 2);

    (void)state;
    assert_int_equal(try_up(d, 0), ST_OK);
    assert_int_equal(try_up(d, 0), ST_OK);
    duo_run(d, 2000);
    assert_up(d, 1, 1);
    duo_free(d);
}

/* The peer restarted and knows nothing: INITIAL_CONTACT makes the old one go. */
static void peer_restarted(void **state)
{
    duo *d = pair(BASE NETS, BASE NETS);
    msgbuf why;

    (void)state;
    assert_int_equal(try_up(d, 0), ST_OK);
    d->p[1].fn = NULL; /* its Delete gets lost */
    charon_free(d->p[0].ch);
    while (runtime_step(d->rt))
        ;
    assert_int_equal(charon_new(&d->p[0].ch, &d->p[0].env, &why), ST_OK);
    duo_add(&d->p[0], BASE NETS);
    d->p[1].fn = d->p[1].fn_saved;
    assert_int_equal(try_up(d, 0), ST_OK);
    assert_up(d, 1, 1);
    duo_free(d);
}

static void ipv6(void **state)
{
    static const char conf[] =
        "conn net\n keyexchange=ikev2\n authby=secret\n left=fd77::1\n right=fd77::2\n leftid=@a.test\n"
        " rightid=@b.test\n leftsubnet=fd01::/64\n rightsubnet=fd02::/64\n auto=add\n";
    duo *d = duo_new();
    buf text = {0};

    (void)state;
    for (int i = 0; i < 2; i++) {
        d->p[i].ip = duo_addr(i ? "fd77::2" : "fd77::1");
        duo_add(&d->p[i], conf);
        duo_psk(&d->p[i], "%any", "%any", "a secret");
    }
    assert_int_equal(try_up(d, 0), ST_OK);
    assert_up(d, 1, 1);
    charon_status(d->p[0].ch, NULL, false, &text);
    assert_non_null(
        strstr(buf_cstr(&text), "         net[1]: ESTABLISHED, fd77::1[a.test]...fd77::2[b.test]\n"));
    assert_non_null(strstr(buf_cstr(&text), "fd01::/64 === fd02::/64 \n"));
    buf_free(&text);
    duo_free(d);
}

static void close_action(void **state)
{
    duo *d = pair(BASE NETS " closeaction=restart\n", BASE NETS);

    (void)state;
    assert_int_equal(try_up(d, 0), ST_OK);
    charon_terminate(d->p[1].ch, "net{}", NULL);
    duo_run(d, 2000);
    assert_up(d, 1, 1); /* made again at once */
    charon_terminate(d->p[1].ch, "net", NULL);
    duo_run(d, 2000);
    assert_up(d, 1, 1);
    charon_terminate(d->p[0].ch, "net", NULL); /* one's own wish is respected */
    duo_run(d, 2000);
    assert_up(d, 0, 0);
    duo_free(d);
}

static void reconfiguration(void **state)
{
    duo *d = pair(BASE NETS, BASE NETS);
    msgbuf why;
    config *cfg = NULL;
    static const char other[] = BASE " leftsubnet=10.1.0.0/16\n rightsubnet=10.5.0.0/16\n";

    (void)state;
    assert_int_equal(try_up(d, 0), ST_OK);
    assert_int_equal(config_parse(&cfg, other, sizeof(other) - 1, "x", NULL), ST_OK);
    assert_int_equal(charon_add_conn(d->p[0].ch, cfg->conns[0], &why), ST_EXISTS);
    assert_int_equal(charon_del_conn(d->p[0].ch, "net", &why), ST_OK);
    assert_int_equal(charon_del_conn(d->p[0].ch, "net", &why), ST_NOT_FOUND);
    assert_up(d, 1, 1); /* what is up stays, and can still be rekeyed */
    charon_rekey(d->p[0].ch, "net{1}", NULL);
    charon_rekey(d->p[1].ch, "net", NULL);
    duo_run(d, 30000);
    assert_up(d, 1, 1);
    assert_int_equal(charon_add_conn(d->p[0].ch, cfg->conns[0], &why), ST_OK);
    config_free(cfg);
    duo_free(d);
}

static void statusall(void **state)
{
    duo *d = pair(BASE " leftsubnet=10.1.0.0/16\n ike=aes128-sha1-modp2048!\n esp=aes128-sha1!\n",
                  BASE " leftsubnet=10.1.0.0/16\n");
    buf text = {0};
    const char *t;

    (void)state;
    charon_status(d->p[0].ch, NULL, false, &text);
    assert_string_equal(buf_cstr(&text), "Security Associations:\n  none\n");
    assert_int_equal(try_up(d, 0), ST_OK);
    buf_reset(&text);
    charon_status(d->p[0].ch, NULL, true, &text);
    t = buf_cstr(&text);
    assert_non_null(strstr(t, "Performance:\n  uptime: 20 seconds, since "));
    assert_non_null(strstr(t, "Listening IP addresses:\n  10.0.0.1\nConnections:\n"));
    assert_non_null(strstr(t, "         net:  10.0.0.1[a.test]...10.0.0.2[b.test]\n         net:    "
                              "10.1.0.0/16 === dynamic/32 \n"));
    assert_non_null(strstr(
        t, "Security Associations:\n         net[1]: ESTABLISHED, 10.0.0.1[a.test]...10.0.0.2[b.test]\n"
           "         net[1]: IKE SPIs: "));
    assert_non_null(strstr(t, "         net{1}:  INSTALLED, TUNNEL, ESP SPIs: c"));
    assert_non_null(strstr(t, "         net{1}:  AES_CBC-128/HMAC_SHA1_96-160, rekeying in "));
    assert_non_null(strstr(t, ", last use: no_i no_o \n         net{1}:   10.1.0.0/16 === 10.0.0.2/32 \n"));
    buf_reset(&text);
    charon_status(d->p[0].ch, "other", false, &text);
    assert_string_equal(buf_cstr(&text), "Security Associations:\n  no match\n");
    buf_free(&text);
    duo_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_group),
        cmocka_unit_test(algorithms),
        cmocka_unit_test(no_proposal),
        cmocka_unit_test(no_selectors),
        cmocka_unit_test(narrowing),
        cmocka_unit_test(forged_refusals),
        cmocka_unit_test(cookies),
        cmocka_unit_test(behind_nat),
        cmocka_unit_test(forced_encapsulation),
        cmocka_unit_test(transport),
        cmocka_unit_test(compression),
        cmocka_unit_test(extended_sequence_numbers),
        cmocka_unit_test(virtual_address),
        cmocka_unit_test(newer_replaces_older),
        cmocka_unit_test(peer_restarted),
        cmocka_unit_test(statusall),
        cmocka_unit_test(ipv6),
        cmocka_unit_test(close_action),
        cmocka_unit_test(reconfiguration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
