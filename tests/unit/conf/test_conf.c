/* ipsec.conf: lexing, sections, include, %default, also=, types, aliases of other suites, errors that cost
 * one section. */
#include "libfreeswan/conf/conf.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static config *cfg;

static status load(const char *text)
{
    config_free(cfg);
    return config_parse(&cfg, text, strlen(text), "t.conf", NULL);
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
    return NULL;
}

static const conf_message *message(const char *part)
{
    for (size_t i = 0; i < cfg->n_messages; i++)
        if (strstr(cfg->messages[i].text, part))
            return &cfg->messages[i];
    return NULL;
}

static void print_messages(void)
{
    for (size_t i = 0; i < cfg->n_messages; i++)
        print_message("%s:%u: %d %s\n", cfg->messages[i].file, cfg->messages[i].line,
                      cfg->messages[i].severity, cfg->messages[i].text);
}

static void must_load(const char *text)
{
    if (load(text) != ST_OK || cfg->n_errors) {
        print_messages();
        fail_msg("does not load: %.200s", text);
    }
}

/* A message with these words, at this line. */
static void must_say(const char *text, unsigned line, const char *part)
{
    (void)load(text);
    const conf_message *m = message(part);
    if (!m || m->line != line) {
        print_messages();
        fail_msg("no '%s' at line %u for: %s", part, line, text);
    }
}

#define HEAD "conn a\n left=192.0.2.1\n right=192.0.2.2\n auto=add\n"

static void words_and_lines(void **state)
{
    must_load("version 2.0\n\nconfig setup\n\tplutodebug = \"control parsing\"\n\n# a comment\nconn a\n"
              "  left=192.0.2.1 # comment\n  right = \"192.0.2.2\"\n\n# comment in column 1\n \n  "
              "leftid=\"C=CH, O=x, CN=y\"\n"
              "\tike=aes128-sha1-modp2048!#nocomment\n  also=\n  keylife=\n");
    assert_string_equal(cfg->setup.plutodebug, "control parsing");
    assert_int_equal(cfg->n_conns, 1);
    const conn *c = get("a");
    assert_string_equal(c->left.id_text, "C=CH, O=x, CN=y");
    assert_string_equal(c->ike, "aes128-sha1-modp2048!#nocomment");
    assert_int_equal(c->keylife_s, 3600);
    assert_string_equal(c->file, "t.conf");
    assert_int_equal(c->line, 7);
    /* CRLF, a byte-order mark, no newline at the end, a comment there */
    must_load("\xef\xbb\xbf"
              "conn a\r\n left=192.0.2.1\r\n right=192.0.2.2\r\n auto=add\r\n#end");
    assert_string_equal(get("a")->right.host_text, "192.0.2.2");
    must_load("");
    must_load("\n \n#x");
    must_load(HEAD " leftid=C=CH,CN=x"); /* '=' in a bare value */
    assert_string_equal(get("a")->left.id_text, "C=CH,CN=x");
    must_load(HEAD " LeftSendCert=Never\n keyingTries=%forever\n");
    assert_int_equal(get("a")->left.sendcert, SENDCERT_NEVER);
    assert_int_equal(get("a")->keyingtries, 0);
}

static void syntax_errors(void **state)
{
    must_say(HEAD " leftid=C=CH, O=x\nconn b\n", 5, "double quotes");
    must_say(HEAD " leftid=\"x\n", 5, "closing \"");
    must_say(HEAD " leftid=\"x\"y\n", 5, "double quotes");
    must_say(HEAD " leftid\n", 5, "'=' is expected behind 'leftid'");
    must_say(HEAD " leftid==x\n", 5, "second '='");
    must_say(HEAD " leftid 'x'\n", 5, "'=' is expected");
    must_say("  conn a\n", 1, "must stand in column 1");
    must_say("left=1.2.3.4\n", 1, "in column 1: config setup, conn NAME");
    must_say("  left=1.2.3.4\n", 1, "outside of any section");
    must_say("conn\n", 1, "one word is expected behind 'conn'");
    must_say("conn a b\n", 1, "one word is expected behind 'conn'");
    must_say("config x\n", 1, "'setup' is expected");
    config_free(cfg);
    assert_int_equal(config_parse(&cfg, "conn a\n\0x", 9, "t.conf", NULL), ST_INVALID);
    assert_non_null(message("NUL octet"));
}

static void a_bad_conn_costs_only_itself(void **state)
{
    assert_int_equal(
        load(HEAD
             "conn bad\n left=192.0.2.1\n right=%any\n atuo=add\nconn worse\n left=192.0.2.1\n auto=maybe\n"
             "conn b\n left=192.0.2.1\n right=192.0.2.3\n auto=start\n"),
        ST_OK);
    assert_int_equal(cfg->n_errors, 2);
    assert_int_equal(cfg->n_fatal, 0);
    assert_int_equal(cfg->n_conns, 2);
    assert_non_null(get("b"));
    assert_int_equal(message("unknown keyword 'atuo' in conn bad; did you mean 'auto'?")->line, 8);
    assert_int_equal(message("auto=maybe: ignore, add, route or start is expected")->line, 11);
    assert_non_null(message("conn bad is skipped"));
    must_say(HEAD " lefftsubnet=10.0.0.0/8\n", 5, "unknown keyword 'lefftsubnet'");
    must_say(HEAD " leftsubent=10.0.0.0/8\n", 5, "did you mean 'leftsubnet'?");
    must_say(HEAD " plutodebug=all\n", 5, "belongs to config setup");
    must_say("conn a\n left=192.0.2.1\n auto=add\n ike=aes129\n right=1.2.3.4\n", 1,
             "conn 'a': ike=: 'aes129'");
    must_say(HEAD " spi=0x200\n", 5, "manual keying is not supported");
    must_say("conn a\n auto=manual\n", 2, "manual keying is not supported");
}

static void setup_and_default_errors_are_fatal(void **state)
{
    assert_int_equal(load("config setup\n uniqueids=maybe\n"), ST_INVALID);
    assert_int_equal(cfg->n_fatal, 1);
    assert_int_equal(load("config setup\n nosuch=1\n"), ST_INVALID);
    assert_int_equal(load("conn %default\n keylife=x\n" HEAD), ST_INVALID);
    assert_int_equal(cfg->n_errors, 1);
    assert_int_equal(load("conn %default\n x-note=1\n _private=2\n" HEAD), ST_OK);
    assert_int_equal(load("config setup\n also=x\n"), ST_INVALID);
}

static void setup_sections_merge(void **state)
{
    must_load("config setup\n charonstart=no\n uniqueids=keep\n" HEAD
              "config setup\n uniqueids=no\n strictcrlpolicy=ifuri\n");
    assert_false(cfg->setup.charonstart);
    assert_true(cfg->setup.plutostart);
    assert_int_equal(cfg->setup.uniqueids, UNIQUE_NO);
    assert_non_null(message("takes the place of the one at t.conf:3"));
    assert_int_equal(get("a")->strictcrl, CRL_IFURI);
    assert_int_equal(get("a")->uniqueids, UNIQUE_NO);
}

static void default_sections(void **state)
{
    must_load("conn a\n left=192.0.2.1\n right=192.0.2.2\n auto=add\n keylife=20m\n"
              "conn %default\n keylife=30m\n keyingtries=1\n authby=secret\nconn %default\n leftid=@moon\n "
              "keyingtries=2\n"
              "conn b\n left=192.0.2.1\n right=192.0.2.3\n auto=add\n leftid=@other\n");
    assert_int_equal(get("a")->keylife_s, 1200);
    assert_int_equal(get("b")->keylife_s, 1800);
    assert_int_equal(get("a")->keyingtries, 2);
    assert_int_equal(get("a")->authby, AUTH_PSK);
    assert_string_equal(get("a")->left.id_text, "@moon");
    assert_string_equal(get("b")->left.id_text, "@other");
    assert_int_equal(cfg->n_conns, 2);
    must_load("ca %default\n crluri=http://x\nca r\n cacert=r.pem\n auto=start\n");
    assert_string_equal(cfg->cas[0]->crluri, "http://x");
    assert_true(cfg->cas[0]->autoadd);
}

static void also_sections(void **state)
{
    must_load("conn a\n also=ends\n also=life\n auto=add\n keylife=5m\nconn ends\n left=192.0.2.1\n "
              "right=192.0.2.2\n also=life\n"
              "conn life\n keylife=10m\n ikelifetime=2h\n rekeymargin=1m\n leftsubnet=10.1.0.0/16\n");
    const conn *c = get("a");
    assert_int_equal(c->keylife_s, 300); /* the includer wins */
    assert_int_equal(c->ikelifetime_s, 7200);
    assert_string_equal(c->right.host_text, "192.0.2.2");
    assert_int_equal(get("ends")->autostart, AUTO_IGNORE);
    assert_non_null(message("'keylife' takes the place"));
    must_load("conn a\n alsoflip=ends\n auto=add\n left=192.0.2.9\nconn ends\n left=192.0.2.1\n "
              "rightid=@sun\n right=192.0.2.2\n"
              " alsoflip=more\nconn more\n leftsubnet=10.1.0.0/16\n");
    c = get("a");
    assert_string_equal(c->left.host_text, "192.0.2.9");
    assert_string_equal(c->right.host_text, "192.0.2.1");
    assert_string_equal(c->left.id_text, "@sun");
    assert_int_equal(c->left.n_subnets, 1); /* turned twice */
    /* a diamond is no loop, a loop is one */
    must_load("conn a\n also=b\n also=c\n auto=add\n left=192.0.2.1\n right=192.0.2.2\nconn b\n also=d\nconn "
              "c\n also=d\nconn d\n "
              "keylife=7m\n");
    assert_int_equal(get("a")->keylife_s, 420);
    must_say("conn a\n also=b\nconn b\n also=a\n", 4, "conn 'a' cannot include 'a'");
    must_say("conn a\n also=a\n", 2, "cannot include 'a'");
    must_say("conn a\n also=nosuch\n", 2, "there is no conn of that name");
    must_load("ca a\n also=b\n auto=add\n cacert=a.pem\nca b\n crluri=http://x\n");
    assert_string_equal(cfg->cas[0]->crluri, "http://x");
    (void)load("conn a\n also=b\n also=c\n auto=add\n left=192.0.2.1\n right=192.0.2.2\nconn b\n "
               "keylife=1h\nconn c\n keylife=2h\n");
    assert_int_equal(get("a")->keylife_s, 3600); /* the first also= wins */
}

static void duplicates_and_names(void **state)
{
    must_load(HEAD "conn a\n left=192.0.2.1\n right=192.0.2.7\n auto=route\n");
    assert_int_equal(cfg->n_conns, 1);
    assert_string_equal(get("a")->right.host_text, "192.0.2.7");
    assert_non_null(message("conn 'a' takes the place"));
    must_load("conn %auto\n left=192.0.2.1\n right=192.0.2.7\n auto=add\nconn %auto\n left=192.0.2.1\n "
              "right=192.0.2.8\n auto=add\n");
    assert_non_null(get("conn_1"));
    assert_non_null(get("conn_2"));
    must_load("conn a;b\n auto=ignore\n");
    assert_non_null(message("odd name"));
    must_load(HEAD " keylife=1h\n keylife=2h\n");
    assert_int_equal(get("a")->keylife_s, 7200);
    assert_non_null(message("'keylife' stands twice"));
}

static void value_types(void **state)
{
    must_load(HEAD " pfs=no\n compress=true\n rekey=off\n mobike=0\n keylife=1.5h\n ikelifetime=2d\n "
                   "rekeymargin=90\n dpddelay=500ms\n"
                   " rekeyfuzz=150%\n lifebytes=5000000000\n leftikeport=4711\n reqid=7\n mark=5/0xff\n");
    const conn *c = get("a");
    assert_true(!c->pfs && c->compress && !c->rekey && !c->mobike);
    assert_int_equal(c->keylife_s, 5400);
    assert_int_equal(c->ikelifetime_s, 172800);
    assert_int_equal(c->rekeymargin_s, 90);
    assert_int_equal(c->dpddelay_s, 1);
    assert_int_equal(c->rekeyfuzz_pct, 150);
    assert_int_equal(c->lifebytes, 5000000000);
    assert_int_equal(c->left.ikeport, 4711);
    assert_true(c->mark_in == 5 && c->mark_out_mask == 0xff);
    static const char *const bad[] = {
        "pfs=maybe",         "keylife=1x",
        "keylife=h",         "keylife=-1",
        "keyingtries=many",  "rekeyfuzz=x%",
        "leftikeport=0",     "leftikeport=65536",
        "reqid=0",           "mark=5/",
        "type=tunnels",      "authby=nothing",
        "dpdaction=die",     "leftsubnet=10.0.0.0/33",
        "leftprotoport=foo", "leftsendcert=perhaps",
        "eap=nosuch",        "leftsourceip=x",
        "leftnexthop=%any",  "leftrsasigkey=abc",
        "leftauth=magic",    "modeconfig=throw",
        "keyexchange=ikev3", "leftsubnetwithin=10.0.0.0/8,11.0.0.0/8",
        "modecfgdns1=host",  "left=a;b",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text), HEAD " %s\n", bad[i]);
        if (load(text) != ST_OK || cfg->n_errors != 1 || cfg->n_conns)
            fail_msg("%s: %zu errors", bad[i], cfg->n_errors);
        const conf_message *m = message("is expected");
        if (!m && !message("is not") && !message("neither"))
            fail_msg("%s: %s", bad[i], cfg->messages[0].text);
        assert_int_equal(cfg->messages[0].line, 5);
    }
}

static void keywords_of_conns(void **state)
{
    must_load(HEAD " keyexchange=ikev2\n type=transport\n authby=secret|rsasig\n eap=mschapv2\n "
                   "dpdaction=restart\n modeconfig=push\n"
                   " xauth=server\n leftsubnet=10.1.0.0/16,10.2.0.0/16\n rightsourceip=%pool\n "
                   "leftfirewall=yes\n lefthostaccess=yes\n"
                   " leftprotoport=udp/l2tp\n leftcert=moon.pem\n rightca=%same\n leftgroups=\"a, b\"\n "
                   "me_peerid=bob@x.net\n"
                   " leftauth=eap-md5\n rightauth=ecdsa-256\n esp=aes128gcm16\n leftrsasigkey=0x0103c0ffee\n "
                   "connaddrfamily=ipv6\n");
    const conn *c = get("a");
    assert_int_equal(c->version, CONN_IKEV2);
    assert_int_equal(c->type, CONN_TUNNEL); /* a virtual address forces it */
    assert_int_equal(c->authby, AUTH_PSK | AUTH_PUBKEY);
    assert_string_equal(c->eap, "md5"); /* leftauth=eap-md5 */
    assert_true(c->dpdaction == DPD_RESTART && c->dpdaction_set && c->modecfg_push && c->xauth_server);
    assert_int_equal(c->left.n_subnets, 2);
    assert_true(c->left.firewall && c->left.hostaccess && c->left.port == 1701);
    assert_int_equal(c->left.auth, AUTH_EAP);
    assert_int_equal(c->right.auth, AUTH_PUBKEY | AUTH_ECDSA_ONLY);
    assert_int_equal(c->host_family, AF_INET6);
    must_load("conn a\n left=%defaultroute\n right=%any\n rightsubnet=vhost:%no,%priv\n auto=add\n");
    assert_true(get("a")->left.host_defaultroute && get("a")->right.host_any);
    assert_string_equal(get("a")->right.virt, "vhost:%no,%priv");
    must_load("conn a\n left=192.0.2.1\n right=%gw.example.net\n auto=add\n");
    assert_true(get("a")->right.allow_any);
    assert_string_equal(get("a")->right.host_text, "gw.example.net");
    must_load("conn a\n left=192.0.2.1\n right=192.0.2.2\n type=passthrough\n authby=never\n auto=route\n");
    assert_int_equal(get("a")->type, CONN_PASS);
    must_load(
        "config setup\n myid=@me\nconn a\n left=192.0.2.1\n right=192.0.2.2\n leftid=%myid\n auto=add\n");
    assert_string_equal(get("a")->left.id_text, "@me");
}

static void words_of_other_suites(void **state)
{
    must_load("version 2\nconfig setup\n protostack=netkey\n nhelpers=0\n "
              "virtual-private=%v4:10.0.0.0/8,%v4:!10.1.0.0/16\n"
              " interfaces=\"ipsec0=eth0\"\n klipsdebug=none\n logfile=/var/log/pluto.log\n oe=off\n "
              "keep-alive=30\n nat-ikeport=4501\n" HEAD
              " ikev2=insist\n salifetime=8h\n phase2=esp\n phase2alg=3des-md5;modp1024\n aggrmode=yes\n "
              "leftxauthserver=yes\n"
              " modecfgpull=no\n modecfgdns1=10.0.0.1\n modecfgdns2=10.0.0.2\n ike_frag=force\n "
              "sha2_truncbug=yes\n overlapip=no\n"
              " leftsendcert=alwayssend\n remote_peer_type=cisco\n narrowing=yes\n rightsubnets={10.3.0.0/16 "
              "10.4.0.0/16}\n"
              " replay-window=64\n auto=add\n rekeymargin=5m\n failureshunt=drop\n "
              "dpdaction=restart_by_peer\n leftid=%fromcert\n");
    const conn *c = get("a");
    assert_int_equal(c->version, CONN_IKEV2);
    assert_int_equal(c->keylife_s, 8 * 3600);
    assert_string_equal(c->esp, "3des-md5");
    assert_string_equal(c->pfsgroup, "modp1024");
    assert_true(c->aggressive && c->left.xauth_server && c->modecfg_push && c->sha256_96);
    assert_string_equal(c->dns, "10.0.0.1 10.0.0.2");
    assert_int_equal(c->fragmentation, FRAG_FORCE);
    assert_int_equal(c->right.n_subnets, 2);
    assert_int_equal(c->replay_window, 64);
    assert_null(c->left.id_text);
    assert_string_equal(cfg->setup.plutostderrlog, "/var/log/pluto.log");
    assert_int_equal(cfg->setup.keep_alive_s, 30);
    assert_int_equal(cfg->setup.nat_ikeport, 4501);
    assert_non_null(message("overlapip is accepted, but has no effect"));
    assert_null(message("klipsdebug"));
    must_load("conn a\n left=192.0.2.1\n right=192.0.2.2\n ikev2=permit\n auto=ondemand\n");
    assert_true(get("a")->version == CONN_IKE_BOTH && get("a")->autostart == AUTO_ROUTE);
    must_load("conn a\n left=192.0.2.1\n rightaddresspool=1.1.1.1-1.1.1.2\n "
              "leftaddresspool=10.9.0.1-10.9.0.9\n auto=keep\n right=%any\n");
    assert_string_equal(get("a")->right.sourceip, "10.9.0.1-10.9.0.9");
    assert_int_equal(get("a")->autostart, AUTO_KEEP);
    must_say("config setup\n protostack=klips\n", 2, "this stack is not supported");
    /* FreeS/WAN's way to switch opportunistic encryption off */
    must_load("conn block\n auto=ignore\nconn private\n auto=ignore\nconn clear-or-private\n "
              "auto=ignore\nconn packetdefault\n auto=ignore\n");
    must_load(HEAD " authby=rsa-sha2_256,ecdsa-sha2\n");
    assert_int_equal(get("a")->authby, AUTH_PUBKEY);
    must_load(HEAD " authby=secret,null\n");
    assert_non_null(message("'null' is left out"));
}

/* What a file of strongSwan 5 or 6 has besides. */
static void words_of_later_years(void **state)
{
    must_load("config setup\n uniqueids=never\n charondebug=\"ike 1, knl 1, cfg 0\"\n" HEAD
              " keyexchange=ikev2\n leftsubnet=10.1.0.0/16[tcp/443],10.2.0.1[6/443]\n "
              "rightdns=10.1.0.53,10.1.0.54\n leftdns=%config\n"
              " rightauth=eap-mschapv2\n leftauth=pubkey-sha256\n rightsourceip=10.9.0.0/24,2001:db8::/120\n "
              "eap_identity=%identity\n"
              " sha256_96=yes\n ikedscp=000000\n closeaction=restart\n dpdaction=trap\n "
              "fragmentation=accept\n margintime=5m\n"
              " lifetime=30m\n xauth_identity=carol\n tfc=%mtu\n leftcertpolicy=1.2.3,1.2.4\n");
    const conn *c = get("a");
    assert_int_equal(cfg->setup.uniqueids, UNIQUE_NO);
    assert_int_equal(c->left.n_subnets, 2);
    assert_true(c->left.proto == 6 && c->left.port == 443);
    assert_string_equal(c->dns, "10.1.0.53 10.1.0.54");
    assert_int_equal(c->right.auth, AUTH_EAP);
    assert_string_equal(c->eap, "mschapv2");
    assert_true(c->sha256_96 && c->dpdaction == DPD_HOLD && c->closeaction == DPD_RESTART);
    assert_int_equal(c->keylife_s, 1800);
    must_say(HEAD " leftsubnet=10.1.0.0/16[tcp\n", 5, "is not a subnet");
}

static void warnings_come_once(void **state)
{
    must_load(HEAD " mtu=1400\nconn b\n left=192.0.2.1\n right=192.0.2.3\n mtu=1400\n");
    size_t n = 0;
    for (size_t i = 0; i < cfg->n_messages; i++)
        n += strstr(cfg->messages[i].text, "mtu") != NULL;
    assert_int_equal(n, 1);
}

/* ---- include ---- */

static char dir[] = "/tmp/conf-test-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static status load_file(const char *name)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    config_free(cfg);
    return config_load(&cfg, path);
}

static void includes(void **state)
{
    strcpy(dir, "/tmp/conf-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    char sub[300];
    snprintf(sub, sizeof(sub), "%s/d", dir);
    assert_int_equal(mkdir(sub, 0700), 0);
    write_file("ipsec.conf", "config setup\n plutostart=no\ninclude d/*.conf\n" HEAD
                             "include none/*.conf\ninclude deep.conf\n");
    write_file("d/2.conf", "conn two\n left=192.0.2.1\n right=192.0.2.4\n auto=add");
    write_file("d/1.conf", "conn one\n left=192.0.2.1\n right=192.0.2.5\n auto=add\ninclude inner.inc\n");
    write_file("d/inner.inc", "conn inner\n left=192.0.2.1\n right=192.0.2.6\n auto=add\n");
    write_file("deep.conf", "conn deep\n left=192.0.2.1\n right=192.0.2.7\n nosuch=1\n");
    assert_int_equal(load_file("ipsec.conf"), ST_OK);
    assert_int_equal(cfg->n_conns, 4);
    assert_string_equal(cfg->conns[0]->name, "one"); /* ascending, relative to the including file */
    assert_string_equal(cfg->conns[1]->name, "inner");
    assert_string_equal(cfg->conns[2]->name, "two");
    assert_string_equal(cfg->conns[3]->name, "a");
    assert_non_null(strstr(message("unknown keyword 'nosuch'")->file, "/deep.conf"));
    assert_int_equal(message("no file matches")->severity, CONF_NOTE);
    write_file("ipsec.conf", HEAD "include nosuch.conf\n");
    assert_int_equal(load_file("ipsec.conf"), ST_INVALID);
    assert_int_equal(cfg->n_conns, 1);
    write_file("ipsec.conf", "include ipsec.conf\n" HEAD);
    assert_int_equal(load_file("ipsec.conf"), ST_INVALID);
    assert_non_null(message("20 deep"));
    write_file("ipsec.conf", HEAD " include d/1.conf\n");
    assert_int_equal(load_file("ipsec.conf"), ST_OK);
    assert_non_null(message("must stand in column 1"));
    assert_int_equal(load_file("missing.conf"), ST_NOT_FOUND);
    assert_int_equal(cfg->n_fatal, 1);
    must_say("include x\n", 1, "not allowed here");
    char cmd[320];
    snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
    assert_int_equal(system(cmd), 0);
}

static void ten_thousand_conns(void **state)
{
    buf text = {0};
    buf_put_str(&text, "conn %default\n authby=secret\n keylife=20m\nconn base\n ike=aes128-sha1-modp2048\n "
                       "esp=aes128-sha1\n");
    for (int i = 0; i < 10000; i++)
        buf_printf(&text,
                   "conn c%d\n also=base\n left=192.0.2.1\n right=10.%d.%d.1\n leftsubnet=10.1.0.0/16\n "
                   "rightid=@c%d\n auto=add\n",
                   i, i / 250, i % 250, i);
    config_free(cfg);
    assert_int_equal(config_parse(&cfg, (const char *)text.p, text.n, "big.conf", NULL), ST_OK);
    assert_int_equal(cfg->n_errors, 0);
    assert_int_equal(cfg->n_conns, 10001);
    assert_string_equal(cfg->conns[10000]->right.id_text, "@c9999");
    buf_free(&text);
}

#define TEST(fn) cmocka_unit_test_teardown(fn, done)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words_and_lines),
        TEST(syntax_errors),
        TEST(a_bad_conn_costs_only_itself),
        TEST(setup_and_default_errors_are_fatal),
        TEST(setup_sections_merge),
        TEST(default_sections),
        TEST(also_sections),
        TEST(duplicates_and_names),
        TEST(value_types),
        TEST(keywords_of_conns),
        TEST(words_of_other_suites),
        TEST(words_of_later_years),
        TEST(warnings_come_once),
        TEST(includes),
        TEST(ten_thousand_conns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
