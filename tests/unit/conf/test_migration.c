/* The files of doc/migration, as a site would bring them: they load without an error, and the conns mean what
 * they meant in the suite they come from. The guide (doc/migration.md) says the same in words. */
#include "libfreeswan/conf/conf.h"
#include "libstrongswan/cred/readfile.h"
#include "libstrongswan/cred/secrets.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

enum { SECONDS_PER_HOUR = 3600 };

static config *cfg;

static void load(const char *from)
{
    char path[200];
    config_free(cfg);
    snprintf(path, sizeof(path), "doc/migration/%s/ipsec.conf", from);
    status st = config_load(&cfg, path);
    for (size_t i = 0; cfg && i < cfg->n_messages; i++)
        if (st || cfg->messages[i].severity >= CONF_ERROR)
            print_message("%s:%u: %s\n", cfg->messages[i].file, cfg->messages[i].line, cfg->messages[i].text);
    assert_int_equal(st, ST_OK);
    assert_int_equal(cfg->n_errors, 0);
}

static int done(void **state)
{
    config_free(cfg);
    cfg = NULL;
    return 0;
}

static const conn *get(const char *name)
{
    for (size_t i = 0; i < cfg->n_conns; i++)
        if (strcmp(cfg->conns[i]->name, name) == 0)
            return cfg->conns[i];
    fail_msg("there is no conn %s", name);
    return NULL;
}

static size_t n_loaded(void)
{
    size_t n = 0;
    for (size_t i = 0; i < cfg->n_conns; i++)
        n += cfg->conns[i]->autostart != AUTO_IGNORE;
    return n;
}

static void expect_warning(const char *word)
{
    for (size_t i = 0; i < cfg->n_messages; i++)
        if (cfg->messages[i].severity == CONF_WARNING && strstr(cfg->messages[i].text, word))
            return;
    fail_msg("no warning about %s", word);
}

/* "10.1.0.0/16 10.3.0.0/16" */
static void expect_subnets(const conn_end *e, const char *want)
{
    buf b = {0};
    for (unsigned i = 0; i < e->n_subnets; i++)
        buf_printf(&b, "%s%s", i ? " " : "", SUBNET_STR(&e->subnets[i]));
    assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

/* What is offered first, read by the parser the daemons use. */
static void expect_first(const char *text, ipsec_proto proto, bool ikev1, const char *want)
{
    proposals list;
    msgbuf msg = {""};
    char shown[PROPOSAL_TEXT];
    assert_int_equal(proposals_from_text(&list, text, proto, ikev1, &msg), ST_OK);
    assert_true(list.n > 0);
    assert_string_equal(proposal_text(&list.p[0], false, shown, sizeof(shown)), want);
}

/* ---- secrets ---- */

typedef struct tally {
    size_t n[SECRET_PIN + 1], errors;
} tally;

static void count_entry(void *ctx, const secret_entry *e)
{
    ((tally *)ctx)->n[e->kind]++;
}

static void count_error(void *ctx, unsigned line, const char *why)
{
    print_message("line %u: %s\n", line, why);
    ((tally *)ctx)->errors++;
}

static void expect_secrets(const char *from, size_t psk, size_t rsa, size_t eap, size_t xauth)
{
    char path[200];
    secret text = {0};
    msgbuf msg = {""};
    tally t = {.errors = 0};
    snprintf(path, sizeof(path), "doc/migration/%s/ipsec.secrets", from);
    assert_int_equal(read_file(path, &text, NULL, &msg), ST_OK);
    secrets_parse(secret_view(&text), &(secrets_sink){count_entry, count_error, &t});
    secret_free(&text);
    assert_int_equal(t.errors, 0);
    assert_int_equal(t.n[SECRET_PSK], psk);
    assert_int_equal(t.n[SECRET_RSA], rsa);
    assert_int_equal(t.n[SECRET_EAP], eap);
    assert_int_equal(t.n[SECRET_XAUTH], xauth);
}

/* ---- where a site comes from ---- */

static void from_freeswan(void **state)
{
    load("freeswan");
    assert_int_equal(n_loaded(),
                     2); /* neither what is only included nor the conns of opportunistic encryption */
    assert_int_equal(get("block")->autostart, AUTO_IGNORE);
    const conn *c = get("office-branch");
    assert_int_equal(c->version, CONN_IKEV1);
    assert_int_equal(c->authby, AUTH_PUBKEY);
    assert_int_equal(c->autostart, AUTO_START);
    assert_int_equal(c->keyingtries, 0);
    assert_int_equal(c->keylife_s, 8 * SECONDS_PER_HOUR);
    assert_true(c->pfs);
    assert_string_equal(c->left.id_text, "@office.example.net");
    assert_memory_equal(c->left.rsasigkey, "0sAQO7", 6);
    assert_string_equal(ADDR_STR(&c->left.nexthop), "192.0.2.254");
    expect_subnets(&c->left, "10.1.0.0/16");
    expect_subnets(&c->right, "10.2.0.0/16");
    c = get("road");
    assert_true(c->right.host_any);
    assert_int_equal(c->right.n_subnets, 0);
    assert_int_equal(c->autostart, AUTO_ADD);
    expect_secrets("freeswan", 1, 1, 0, 0);
}

static void from_openswan(void **state)
{
    load("openswan");
    assert_true(cfg->setup.nat_traversal);
    expect_warning("oe ");
    const conn *c = get("cisco");
    assert_int_equal(c->version, CONN_IKEV1);
    assert_int_equal(c->authby, AUTH_PSK);
    expect_subnets(&c->left, "10.1.0.0/16 10.3.0.0/16");
    expect_subnets(&c->right, "172.16.0.0/24");
    expect_first(c->ike, PROTO_IKE, true, "3DES_CBC/PRF_HMAC_SHA1/MODP_1024");
    expect_first(c->esp, PROTO_ESP, true, "3DES_CBC/HMAC_MD5_96");
    assert_string_equal(c->pfsgroup, "modp1024");
    assert_int_equal(c->keylife_s, 8 * SECONDS_PER_HOUR);
    assert_int_equal(c->dpdaction, DPD_RESTART);
    c = get("clients");
    assert_true(c->left.xauth_server && c->right.xauth_client);
    assert_string_equal(c->right.virt, "vhost:%no,%priv");
    assert_string_equal(c->right.sourceip, "%modeconfig");
    assert_false(c->modecfg_push);
    assert_string_equal(c->dns, "10.1.0.53");
    assert_string_equal(c->nbns, "10.1.0.54");
    assert_true(c->sha256_96);
    assert_false(c->pfs || c->rekey || c->aggressive);
    c = get("partner");
    assert_int_equal(c->version, CONN_IKEV2);
    expect_first(c->ike, PROTO_IKE, false, "AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048");
    expect_first(c->esp, PROTO_ESP, false, "AES_CBC_256/HMAC_SHA2_256_128/NO_EXT_SEQ");
    expect_secrets("openswan", 3, 0, 0, 1);
}

static void from_strongswan(void **state)
{
    load("strongswan");
    assert_int_equal(cfg->n_messages, 0);
    assert_int_equal(cfg->n_cas, 1);
    assert_string_equal(cfg->cas[0]->crluri, "http://crl.example.net/strongswan.crl");
    assert_int_equal(cfg->setup.crlcheckinterval_s, 180);
    const conn *c = get("net-net");
    assert_int_equal(c->version, CONN_IKEV1);
    assert_int_equal(c->ikelifetime_s, SECONDS_PER_HOUR);
    assert_true(c->left.firewall);
    assert_string_equal(c->left.cert, "moonCert.pem");
    expect_first(c->ike, PROTO_IKE, true, "AES_CBC_128/PRF_HMAC_SHA1/MODP_2048");
    expect_first(c->esp, PROTO_ESP, true, "AES_CBC_128/HMAC_SHA1_96");
    c = get("net-net-v2");
    assert_int_equal(c->version, CONN_IKEV2);
    assert_int_equal(c->autostart, AUTO_ROUTE);
    assert_int_equal(c->dpdaction, DPD_RESTART);
    assert_int_equal(c->dpddelay_s, 60);
    expect_subnets(&c->left, "10.1.0.0/16 10.3.0.0/16");
    expect_first(c->ike, PROTO_IKE, false, "AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_4096");
    c = get("carol");
    assert_int_equal(c->right.auth, AUTH_EAP);
    assert_string_equal(c->eap, "md5");
    assert_string_equal(c->right.sourceip, "10.5.0.0/24");
    assert_int_equal(c->right.sendcert, SENDCERT_NEVER);
    expect_secrets("strongswan", 0, 1, 1, 0);
}

static void from_libreswan(void **state)
{
    load("libreswan");
    assert_string_equal(cfg->setup.plutostderrlog, "/var/log/pluto.log");
    assert_int_equal(cfg->setup.uniqueids, UNIQUE_NO);
    const conn *c = get("branch");
    assert_int_equal(c->version, CONN_IKEV2);
    assert_int_equal(c->autostart, AUTO_ROUTE);
    assert_int_equal(c->authby, AUTH_PSK);
    assert_int_equal(c->keylife_s, SECONDS_PER_HOUR);
    assert_int_equal(c->mark_in, 0x10);
    assert_int_equal(c->mark_out_mask, 0xff);
    assert_false(c->forceencaps);
    expect_first(c->ike, PROTO_IKE, false, "AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048");
    expect_first(c->esp, PROTO_ESP, false, "AES_CBC_256/HMAC_SHA2_256_128/NO_EXT_SEQ");
    c = get("clients");
    assert_int_equal(c->authby, AUTH_PUBKEY | AUTH_RSA_ONLY);
    assert_null(c->left.id_text); /* %fromcert */
    assert_string_equal(c->right.sourceip, "10.6.0.10-10.6.0.250");
    assert_null(c->left.sourceip);
    assert_string_equal(c->right.ca, "%same");
    expect_subnets(&c->left, "0.0.0.0/0");
    c = get("old");
    assert_int_equal(c->version, CONN_IKEV1);
    assert_int_equal(c->autostart, AUTO_START);
    assert_int_equal(c->dpdtimeout_s, 120);
    assert_string_equal(c->pfsgroup, "modp2048");
    expect_first(c->esp, PROTO_ESP, true, "AES_CBC_128/HMAC_SHA1_96");
    expect_secrets("libreswan", 2, 1, 0, 0);
}

/* What is read but does nothing yet is said once, unless it is switched off. */
static void missing_features_are_named(void **state)
{
    static const char text[] =
        "config setup\nconn a\n aggressive=no\n connalias=x\n left=10.0.0.1\n right=10.0.0.2\n"
        " auto=add\nconn b\n connalias=x\n left=10.0.0.1\n right=10.0.0.3\n auto=add\n";
    assert_int_equal(config_parse(&cfg, text, sizeof(text) - 1, "t.conf", NULL), ST_OK);
    assert_int_equal(cfg->n_messages, 1);
    expect_warning("connalias is accepted, but has no effect in this release");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(from_freeswan, done),
        cmocka_unit_test_teardown(from_openswan, done),
        cmocka_unit_test_teardown(from_strongswan, done),
        cmocka_unit_test_teardown(from_libreswan, done),
        cmocka_unit_test_teardown(missing_features_are_named, done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
