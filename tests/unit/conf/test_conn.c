/* Conns and ca sections: defaults, setters, encoding there and back, refusal of bad records, checks of the
 * whole. */
#include "libfreeswan/conf/conn.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

static conn *full_conn(void)
{
    conn *c;
    msgbuf msg;
    assert_int_equal(conn_new(&c, "lab"), ST_OK);
    assert_int_equal(conn_end_set_host(c, &c->left, "192.0.2.1", &msg), ST_OK);
    assert_int_equal(conn_end_set_host(c, &c->right, "%gw.example.net", &msg), ST_OK);
    assert_int_equal(conn_end_set_subnets(c, &c->left, "10.1.0.0/16,%dynamic,2001:db8::/32", &msg), ST_OK);
    assert_int_equal(conn_end_set_subnets(c, &c->right, "vhost:%no,%priv", &msg), ST_OK);
    assert_int_equal(conn_end_set_protoport(&c->left, "udp/%any", &msg), ST_OK);
    assert_int_equal(conn_set_str(c, &c->ike, "aes128-sha1-modp2048!"), ST_OK);
    assert_int_equal(conn_set_str(c, &c->left.id_text, "C=CH, O=Lab, CN=gw"), ST_OK);
    assert_int_equal(conn_set_str(c, &c->right.updown, ""), ST_OK);
    c->version = CONN_IKE_BOTH;
    c->lifebytes = 0x123456789abcULL;
    c->reqid = 0xfffffffe;
    c->left.ikeport = 4711;
    c->right.auth = AUTH_EAP;
    c->dpdaction = DPD_RESTART;
    return c;
}

static void defaults_of_ipsec_conf(void **state)
{
    conn *c;
    assert_int_equal(conn_new(&c, "x"), ST_OK);
    assert_int_equal(c->version, CONN_IKEV1);
    assert_int_equal(c->authby, AUTH_PUBKEY);
    assert_true(c->pfs && c->mobike && c->rekey && c->reauth && c->installpolicy && !c->compress &&
                !c->aggressive);
    assert_true(c->left.host_any && c->right.host_any);
    assert_int_equal(c->ikelifetime_s, 10800);
    assert_int_equal(c->keylife_s, 3600);
    assert_int_equal(c->rekeymargin_s, 540);
    assert_int_equal(c->keyingtries, 3);
    assert_int_equal(c->left.sendcert, SENDCERT_IFASKED);
    conn_unref(c);
}

static void there_and_back(void **state)
{
    conn *a = full_conn(), *b;
    buf body = {0};
    msgbuf msg;
    assert_int_equal(conn_encode(a, &body), ST_OK);
    assert_int_equal(conn_decode(&b, buf_span(&body), &msg), ST_OK);
    assert_true(conn_equal(a, b));
    assert_string_equal(b->name, "lab");
    assert_string_equal(b->left.host_text, "192.0.2.1");
    assert_string_equal(ADDR_STR(&b->left.host), "192.0.2.1");
    assert_true(!b->left.host_any && b->right.allow_any);
    assert_string_equal(b->right.host_text, "gw.example.net");
    assert_int_equal(b->left.n_subnets, 2);
    assert_true(b->left.subnet_dynamic && b->left.port_any);
    assert_string_equal(SUBNET_STR(&b->left.subnets[1]), "2001:db8::/32");
    assert_string_equal(b->right.virt, "vhost:%no,%priv");
    assert_string_equal(b->right.updown, "");
    assert_null(b->left.updown);
    assert_int_equal(b->lifebytes, 0x123456789abcULL);
    assert_int_equal(b->reqid, 0xfffffffe);
    assert_int_equal(b->left.ikeport, 4711);
    assert_int_equal(b->right.auth, AUTH_EAP);
    conn_unref(a);
    conn_unref(b);
    buf_free(&body);
}

static void every_difference_counts(void **state)
{
    conn *a = full_conn(), *b = full_conn();
    assert_true(conn_equal(a, b));
    b->line = 7;
    assert_true(conn_equal(a, b));
    b->rekeyfuzz_pct++;
    assert_false(conn_equal(a, b));
    b->rekeyfuzz_pct--;
    b->left.subnets[1].bits--;
    assert_false(conn_equal(a, b));
    b->left.subnets[1].bits++;
    b->right.updown = NULL;
    assert_false(conn_equal(a, b));
    b->right.updown = "";
    b->right.host_any = true;
    assert_false(conn_equal(a, b));
    conn_unref(a);
    conn_unref(b);
}

static void cut_records_are_refused(void **state)
{
    conn *a = full_conn(), *b;
    buf body = {0};
    msgbuf msg;
    size_t accepted = 0;
    assert_int_equal(conn_encode(a, &body), ST_OK);
    for (size_t n = 0; n < body.n; n++)
        if (conn_decode(&b, span_take(buf_span(&body), n), &msg) == ST_OK) {
            accepted++; /* cut between two fields: a shorter but whole record */
            conn_unref(b);
        }
    assert_true(accepted < body.n / 6);
    conn_unref(a);
    buf_free(&body);
}

static void put(buf *b, uint16_t tag, span value)
{
    buf_put_u16(b, tag);
    buf_put_u32(b, (uint32_t)value.n);
    buf_put(b, value);
}

static status decode_with(uint16_t tag, span value)
{
    buf b = {0};
    conn *c;
    msgbuf msg;
    put(&b, 1, SPAN_LIT("n"));
    put(&b, 3, SPAN_LIT("\0\0\0\1"));
    put(&b, tag, value);
    status st = conn_decode(&c, buf_span(&b), &msg);
    if (!st)
        conn_unref(c);
    buf_free(&b);
    return st;
}

static void bad_fields_are_refused(void **state)
{
    assert_int_equal(decode_with(0x7777, SPAN_LIT("unknown tags are skipped")), ST_OK);
    assert_int_equal(decode_with(99, SPAN_LIT("these too")), ST_OK);
    assert_int_equal(decode_with(1, SPAN_LIT("twice")), ST_INVALID);
    assert_int_equal(decode_with(24, SPAN_LIT("a\0b")), ST_INVALID);
    assert_int_equal(decode_with(8, SPAN_LIT("\1")), ST_OK);
    assert_int_equal(decode_with(8, SPAN_LIT("\2")), ST_INVALID);
    assert_int_equal(decode_with(8, SPAN_LIT("")), ST_INVALID);
    assert_int_equal(decode_with(4, SPAN_LIT("\0\0\0\7")), ST_INVALID);
    assert_int_equal(decode_with(27, SPAN_LIT("\x80\0\0\0\0\0\0\0")), ST_INVALID);
    assert_int_equal(decode_with(0x102, SPAN_LIT("\1\2\3")), ST_INVALID);
    assert_int_equal(decode_with(0x102, SPAN_LIT("\1\2\3\4")), ST_OK);
    assert_int_equal(decode_with(0x118, SPAN_LIT("\4\40\1\2\3\4")), ST_OK);
    assert_int_equal(decode_with(0x118, SPAN_LIT("\4\41\1\2\3\4")), ST_INVALID);
    assert_int_equal(decode_with(0x118, SPAN_LIT("\4\10\1\2\3\4")), ST_INVALID); /* host bits */
    assert_int_equal(decode_with(0x118, SPAN_LIT("\5\10\1\0\0\0")), ST_INVALID);
    buf many = {0};
    for (int i = 0; i < CONN_MAX_SUBNETS; i++)
        buf_put(&many, SPAN_LIT("\4\40\1\2\3\4"));
    assert_int_equal(decode_with(0x218, buf_span(&many)), ST_OK);
    buf_put(&many, SPAN_LIT("\4\40\1\2\3\4"));
    assert_int_equal(decode_with(0x218, buf_span(&many)), ST_INVALID);
    buf_free(&many);
    conn *c;
    msgbuf msg;
    assert_int_equal(conn_decode(&c, SPAN_NULL, &msg), ST_INVALID);
}

static void hosts_as_written(void **state)
{
    conn *c;
    msgbuf msg;
    assert_int_equal(conn_new(&c, "x"), ST_OK);
    conn_end *e = &c->left;
    assert_int_equal(conn_end_set_host(c, e, "%any", &msg), ST_OK);
    assert_true(e->host_any && !e->host.family);
    assert_int_equal(conn_end_set_host(c, e, "%defaultroute", &msg), ST_OK);
    assert_true(!e->host_any && e->host_defaultroute);
    assert_int_equal(conn_end_set_host(c, e, "%group", &msg), ST_OK);
    assert_true(e->host_any && e->host_group && !e->host_defaultroute);
    assert_int_equal(conn_end_set_host(c, e, "%any6", &msg), ST_OK);
    assert_true(e->host_any && c->host_family == AF_INET6);
    assert_int_equal(conn_end_set_host(c, e, "gw-1.example.net", &msg), ST_OK);
    assert_true(!e->host_any && !e->host.family && !e->allow_any);
    assert_int_equal(conn_end_set_host(c, e, "%2001:db8::1", &msg), ST_OK);
    assert_true(e->allow_any && !e->host_any && e->host.family == AF_INET6);
    assert_int_equal(conn_end_set_host(c, e, "a;rm -rf", &msg), ST_INVALID);
    assert_int_equal(conn_end_set_host(c, e, "%", &msg), ST_INVALID);
    assert_int_equal(conn_end_set_host(c, e, "", &msg), ST_INVALID);
    assert_int_equal(conn_end_set_subnets(c, e, "{10.0.0.0/8 11.0.0.0/8}", &msg), ST_OK);
    assert_int_equal(e->n_subnets, 2);
    assert_int_equal(conn_end_set_subnets(c, e, "10.0.0.0/8,x", &msg), ST_INVALID);
    assert_int_equal(conn_end_set_subnets(c, e, " , ", &msg), ST_INVALID);
    conn_unref(c);
}

static void numeric_hosts_resolve(void **state)
{
    conn *c;
    msgbuf msg;
    assert_int_equal(conn_new(&c, "x"), ST_OK);
    assert_int_equal(conn_end_set_host(c, &c->left, "192.0.2.1", &msg), ST_OK);
    assert_int_equal(conn_end_set_host(c, &c->right, "no-such-host.invalid", &msg), ST_OK);
    assert_int_equal(conn_resolve(c, &msg), ST_NOT_FOUND);
    assert_non_null(strstr(msg.text, "no-such-host.invalid"));
    c->right.allow_any = true;
    assert_int_equal(conn_resolve(c, &msg), ST_OK);
    assert_true(c->right.host_any);
    conn_unref(c);
}

/* One change to a good conn and a word of the complaint expected. */
typedef void change_fn(conn *c);
static void both_any(conn *c)
{
    c->left.host_any = c->right.host_any = true;
    c->version = CONN_IKEV1;
}
static void families(conn *c)
{
    c->right.host = addr_any(AF_INET6);
    c->right.host.b[0] = 0x20;
}
static void margin(conn *c)
{
    c->rekeymargin_s = c->keylife_s;
}
static void bad_dn(conn *c)
{
    c->left.id_text = "C=CH, =x";
}
static void bad_ike(conn *c)
{
    c->ike = "aes128-nosuch";
}
static void bad_esp(conn *c)
{
    c->esp = "prfsha1";
}
static void bad_group(conn *c)
{
    c->pfsgroup = "md5";
}
static void two_updowns(conn *c)
{
    c->left.firewall = true;
    c->left.updown = "x";
}
static void natip(conn *c)
{
    c->left.natip = "1.2.3.4";
    c->left.sourceip = "1.2.3.4";
}
static void no_auth(conn *c)
{
    c->authby = 0;
}
static void good_group(conn *c)
{
    c->pfsgroup = "modp1536";
    c->esp = "aes128-sha1,3des";
}

static void whole_conns_are_checked(void **state)
{
    static const struct {
        change_fn *change;
        const char *why;
    } row[] = {
        {both_any, "both %any"},     {families, "different families"},
        {margin, "rekeymargin"},     {bad_dn, "leftid: "},
        {bad_ike, "ike=: 'nosuch'"}, {bad_esp, "esp=: "},
        {bad_group, "pfsgroup=: "},  {two_updowns, "leftupdown"},
        {natip, "leftnatip"},        {no_auth, "authentication"},
        {good_group, NULL},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        conn *c;
        msgbuf msg;
        assert_int_equal(conn_new(&c, "lab"), ST_OK);
        assert_int_equal(conn_end_set_host(c, &c->left, "192.0.2.1", &msg), ST_OK);
        assert_int_equal(conn_seal(c, &msg), ST_OK);
        row[i].change(c);
        status st = conn_seal(c, &msg);
        assert_int_equal(st == ST_OK, row[i].why == NULL);
        if (row[i].why && (!strstr(msg.text, row[i].why) || strncmp(msg.text, "conn 'lab': ", 12) != 0))
            fail_msg("%s", msg.text);
        conn_unref(c);
    }
}

static void ca_sections_travel(void **state)
{
    ca_section *a, *b;
    buf body = {0};
    msgbuf msg;
    assert_int_equal(ca_section_new(&a, "root"), ST_OK);
    a->cacert = "ca.pem";
    a->ocspuri2 = "http://x";
    a->autoadd = true;
    assert_int_equal(ca_section_encode(a, &body), ST_OK);
    assert_int_equal(ca_section_decode(&b, buf_span(&body), &msg), ST_OK);
    assert_true(ca_section_equal(a, b));
    b->ldaphost = "h";
    assert_false(ca_section_equal(a, b));
    ca_section_unref(b);
    assert_int_equal(ca_section_decode(&b, span_take(buf_span(&body), body.n - 1), &msg), ST_INVALID);
    put(&body, 1, SPAN_LIT("again"));
    assert_int_equal(ca_section_decode(&b, buf_span(&body), &msg), ST_INVALID);
    ca_section_unref(a);
    buf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_of_ipsec_conf),  cmocka_unit_test(there_and_back),
        cmocka_unit_test(every_difference_counts), cmocka_unit_test(cut_records_are_refused),
        cmocka_unit_test(bad_fields_are_refused),  cmocka_unit_test(hosts_as_written),
        cmocka_unit_test(numeric_hosts_resolve),   cmocka_unit_test(whole_conns_are_checked),
        cmocka_unit_test(ca_sections_travel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
