/* The daemon's table of conns: names, which end is ours, and who could be meant when a peer appears. */
#include "libfreeswan/conf/conntab.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

/* A host with one address, which may change. */
typedef struct one_host {
    host base;
    ip_addr ip;
} one_host;

static bool is_local(host *h, const ip_addr *a, char *dev)
{
    return addr_equal(&((one_host *)(void *)h)->ip, a);
}
static const host_ops ops = {.is_local = is_local};

static one_host moon;
static conntab *tab;

static ip_addr addr(const char *text)
{
    ip_addr a;
    assert_int_equal(addr_from_text(&a, text, NULL), ST_OK);
    return a;
}

static int setup_table(void **state)
{
    moon = (one_host){.base = {&ops}, .ip = addr("192.168.0.1")};
    return conntab_new(&tab, &moon.base) == ST_OK ? 0 : -1;
}

static int free_table(void **state)
{
    conntab_free(tab);
    return 0;
}

typedef struct spec {
    const char *name, *left, *right, *leftid, *rightid;
    conn_version version;
} spec;

static conn *make(const spec *s)
{
    conn *c;
    msgbuf msg = {""};
    assert_int_equal(conn_new(&c, s->name), ST_OK);
    c->version = s->version;
    assert_int_equal(conn_end_set_host(c, &c->left, s->left, &msg), ST_OK);
    assert_int_equal(conn_end_set_host(c, &c->right, s->right, &msg), ST_OK);
    assert_int_equal(conn_set_str(c, &c->left.id_text, s->leftid), ST_OK);
    assert_int_equal(conn_set_str(c, &c->right.id_text, s->rightid), ST_OK);
    if (conn_seal(c, &msg) != ST_OK)
        fail_msg("%s", msg.text);
    return c;
}

static void add(const spec *s)
{
    conn *c = make(s);
    assert_int_equal(conntab_add(tab, c), ST_OK);
    conn_unref(c);
}

/* Names of the candidates in order, blank-separated. */
static const char *match(const char *me, const char *peer, unsigned version, const char *my_id,
                         const char *peer_id)
{
    static char names[512];
    static msgbuf msg;
    ident *mine = NULL, *theirs = NULL;
    oriented *found;
    size_t n;
    if (my_id)
        assert_int_equal(ident_from_text(&mine, my_id, NULL), ST_OK);
    if (peer_id)
        assert_int_equal(ident_from_text(&theirs, peer_id, NULL), ST_OK);
    conn_query q = {addr(me), addr(peer), version, mine, theirs, 0};
    status st = conntab_match(tab, &q, &found, &n, &msg);
    names[0] = '\0';
    if (!st) {
        for (size_t i = 0; i < n; i++)
            snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? " " : "",
                     found[i].c->name);
        conntab_list_free(found, n);
    }
    ident_unref(mine);
    ident_unref(theirs);
    return st ? msg.text : names;
}

static void names_and_order(void **state)
{
    static const spec a = {"a", "192.168.0.1", "192.168.0.2", NULL, NULL, CONN_IKEV1};
    static const spec b = {"b", "192.168.0.9", "192.168.0.1", NULL, NULL, CONN_IKEV2};
    static const spec far = {"far", "192.168.0.7", "192.168.0.8", NULL, NULL, CONN_IKEV1};
    add(&a);
    add(&b);
    add(&far);
    conn *again = make(&a);
    assert_int_equal(conntab_add(tab, again), ST_EXISTS);
    oriented o, *rows;
    size_t n;
    assert_int_equal(conntab_find(tab, "a", &o), ST_OK);
    assert_true(o.oriented && !o.local_is_right && o.me == &o.c->left && o.peer == &o.c->right);
    uint64_t before = o.serial;
    conn_unref(o.c);
    assert_int_equal(conntab_find(tab, "b", &o), ST_OK);
    assert_true(o.oriented && o.local_is_right && o.me == &o.c->right && o.peer == &o.c->left);
    conn_unref(o.c);
    assert_int_equal(conntab_find(tab, "far", &o), ST_OK);
    assert_true(!o.oriented && o.me == &o.c->left);
    conn_unref(o.c);
    assert_int_equal(conntab_find(tab, "c", &o), ST_NOT_FOUND);
    assert_int_equal(conntab_replace(tab, again), ST_OK);
    conn_unref(again);
    assert_int_equal(conntab_list(tab, &rows, &n), ST_OK);
    assert_int_equal(n, 3);
    assert_string_equal(rows[0].c->name, "b");
    assert_string_equal(rows[2].c->name, "a");
    assert_true(rows[2].serial > before);
    conntab_list_free(rows, n);
    assert_int_equal(conntab_del(tab, "a"), ST_OK);
    assert_int_equal(conntab_del(tab, "a"), ST_NOT_FOUND);
    assert_string_equal(match("192.168.0.1", "192.168.0.2", CONN_IKE_BOTH, NULL, NULL),
                        "no conn for 192.168.0.1...192.168.0.2");
}

static void candidates_in_order(void **state)
{
    static const spec rows[] = {
        {"any", "192.168.0.1", "%any", NULL, NULL, CONN_IKEV2},
        {"carol", "192.168.0.1", "%any", NULL, "carol@example.net", CONN_IKEV2},
        {"dave", "192.168.0.1", "%any", NULL, "dave@example.net", CONN_IKE_BOTH},
        {"exact", "192.168.0.1", "192.168.0.2", NULL, NULL, CONN_IKEV2},
        {"route", "%defaultroute", "192.168.0.2", NULL, NULL, CONN_IKEV2},
        {"old", "192.168.0.1", "192.168.0.2", NULL, NULL, CONN_IKEV1},
        {"moving", "192.168.0.1", "%192.168.0.2", NULL, "@moving", CONN_IKEV2},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        add(&rows[i]);
    assert_string_equal(match("192.168.0.1", "192.168.0.2", CONN_IKEV2, NULL, NULL),
                        "exact moving route any carol dave");
    assert_string_equal(match("192.168.0.1", "192.168.0.2", CONN_IKEV1, NULL, NULL), "old dave");
    assert_string_equal(match("192.168.0.1", "10.9.9.9", CONN_IKEV2, NULL, "carol@example.net"), "carol any");
    assert_string_equal(match("192.168.0.1", "10.9.9.9", CONN_IKEV2, NULL, "@moving"), "moving any");
    assert_string_equal(match("192.168.0.1", "192.168.0.2", CONN_IKEV2, NULL, "192.168.0.2"),
                        "exact route any");
    assert_int_equal(conntab_del(tab, "any"), ST_OK);
    assert_non_null(strstr(match("192.168.0.1", "10.9.9.9", CONN_IKEV2, NULL, "eve@example.net"),
                           "it wants the peer's identity"));
    assert_non_null(strstr(match("192.168.0.1", "10.9.9.9", CONN_IKEV2, "@other", "eve@example.net"),
                           "it wants our identity 192.168.0.1, the peer has other"));
}

static void the_own_end_may_be_any(void **state)
{
    static const spec any = {"any", "%any", "%any", NULL, NULL, CONN_IKEV2};
    static const spec out = {"out", "%any", "192.168.0.2", "@me", NULL, CONN_IKEV2};
    add(&any);
    add(&out);
    assert_string_equal(match("192.168.0.1", "192.168.0.2", CONN_IKEV2, NULL, NULL), "out any");
    assert_string_equal(match("192.168.0.1", "192.168.0.3", CONN_IKEV2, NULL, NULL), "any");
    assert_string_equal(match("192.168.0.1", "192.168.0.2", CONN_IKEV2, "me", NULL), "out any");
}

static void addresses_come_and_go(void **state)
{
    static const spec a = {"a", "192.168.0.1", "192.168.0.2", NULL, NULL, CONN_IKEV1};
    oriented o;
    add(&a);
    moon.ip = addr("192.168.0.2");
    conntab_reorient(tab);
    assert_int_equal(conntab_find(tab, "a", &o), ST_OK);
    assert_true(o.oriented && o.local_is_right);
    conn_unref(o.c);
    assert_string_equal(match("192.168.0.2", "192.168.0.1", CONN_IKEV1, NULL, NULL), "a");
    moon.ip = addr("10.0.0.1");
    conntab_reorient(tab);
    assert_int_equal(conntab_find(tab, "a", &o), ST_OK);
    assert_false(o.oriented);
    conn_unref(o.c);
    assert_non_null(strstr(match("192.168.0.2", "192.168.0.1", CONN_IKEV1, NULL, NULL), "no conn for"));
}

static void ten_thousand_conns(void **state)
{
    char name[32], peer[32];
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        snprintf(peer, sizeof(peer), "10.%d.%d.1", i / 250, i % 250);
        const spec s = {name, "192.168.0.1", peer, NULL, NULL, CONN_IKEV2};
        add(&s);
    }
    for (int i = 0; i < 10000; i += 7) {
        snprintf(name, sizeof(name), "c%d", i);
        snprintf(peer, sizeof(peer), "10.%d.%d.1", i / 250, i % 250);
        assert_string_equal(match("192.168.0.1", peer, CONN_IKEV2, NULL, NULL), name);
    }
}

static void travellers_by_identity(void **state)
{
    static const spec rows[] = {
        {"carol", "192.168.0.1", "%any", NULL, "Carol@Example.NET", CONN_IKEV2},
        {"carol2", "192.168.0.1", "%any", NULL, "carol@example.net", CONN_IKEV2},
        {"host", "192.168.0.1", "%any", NULL, "@gw.example.net", CONN_IKEV2},
        {"dn", "192.168.0.1", "%any", NULL, "C=CH, O=Lab,  CN=Dave", CONN_IKEV2},
        {"dns", "192.168.0.1", "%any", NULL, "C=CH, O=Lab, CN=*", CONN_IKEV2},
        {"key", "192.168.0.1", "%any", NULL, "@#0a0b0c", CONN_IKEV2},
        {"multi", "192.168.0.1", "%any", NULL, "C=CH, O=Lab + OU=x", CONN_IKEV2},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        add(&rows[i]);
    assert_string_equal(match("192.168.0.1", "10.9.9.9", CONN_IKEV2, NULL, "carol@example.net"),
                        "carol carol2");
    assert_string_equal(match("192.168.0.1", "10.9.9.9", CONN_IKEV2, NULL, "CAROL@EXAMPLE.net"),
                        "carol carol2");
    assert_string_equal(match("192.168.0.1", "10.9.9.9", CONN_IKEV2, NULL, "gw.example.net"), "host");
    assert_string_equal(match("192.168.0.1", "10.9.9.9", CONN_IKEV2, NULL, "C=CH, O=Lab, CN=Dave"), "dn dns");
    assert_string_equal(match("192.168.0.1", "10.9.9.9", CONN_IKEV2, NULL, "C=CH, O=lab, CN=dave"), "dn dns");
    assert_string_equal(match("192.168.0.1", "10.9.9.9", CONN_IKEV2, NULL, "C=CH, O=Lab, CN=Eve"), "dns");
    assert_string_equal(match("192.168.0.1", "10.9.9.9", CONN_IKEV2, NULL, "@#0a0b0c"), "key");
    assert_non_null(strstr(match("192.168.0.1", "10.9.9.9", CONN_IKEV2, NULL, "eve@example.net"),
                           "it wants the peer's identity"));
    assert_int_equal(conntab_del(tab, "carol"), ST_OK);
    assert_string_equal(match("192.168.0.1", "10.9.9.9", CONN_IKEV2, NULL, "carol@example.net"), "carol2");
    assert_int_equal(conntab_del(tab, "carol2"), ST_OK);
    assert_non_null(
        strstr(match("192.168.0.1", "10.9.9.9", CONN_IKEV2, NULL, "carol@example.net"), "nearest"));
}

static void few_are_enough(void **state)
{
    char name[32];
    static const spec any = {"any", "%any", "%any", NULL, NULL, CONN_IKEV2};
    static const spec fixed = {"fixed", "192.168.0.1", "10.9.9.9", NULL, NULL, CONN_IKEV2};
    add(&any);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        const spec s = {name, "192.168.0.1", "%any", NULL, name, i % 2 ? CONN_IKEV2 : CONN_IKEV1};
        add(&s);
    }
    add(&fixed);
    conn_query q = {.me = addr("192.168.0.1"), .peer = addr("10.9.9.9"), .version = CONN_IKEV2, .max = 8};
    oriented *found;
    size_t n;
    assert_int_equal(conntab_match(tab, &q, &found, &n, NULL), ST_OK);
    assert_int_equal(n, 10); /* the fixed one, eight travellers, and one of the worse kind met on the way */
    assert_string_equal(found[0].c->name, "fixed");
    assert_string_equal(found[1].c->name, "t1");
    assert_string_equal(found[8].c->name, "t15");
    conntab_list_free(found, n);
    q.max = 0;
    assert_int_equal(conntab_match(tab, &q, &found, &n, NULL), ST_OK);
    assert_int_equal(n, 52);
    conntab_list_free(found, n);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup_table, free_table)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_and_order),        TEST(candidates_in_order), TEST(the_own_end_may_be_any),
        TEST(travellers_by_identity), TEST(few_are_enough),      TEST(addresses_come_and_go),
        TEST(ten_thousand_conns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
