/* The installed child over two fake kernels: both ends agree, rekeying, moving, traps, scripts, and nothing
 * is left behind whichever call fails.
 */
#include "kernel_test.h"
#include "libfreeswan/kernel/child.h"
#include "libfreeswan/kernel/fake.h"
#include <stdio.h>
#include <stdlib.h>

static int64_t now_ms;
static int64_t mono(void *ctx)
{
    return now_ms;
}
static int64_t wall(void *ctx)
{
    return 1000000 + now_ms / 1000;
}
static const clock_source test_clock = {mono, wall, NULL};

typedef struct side {
    kernel *k;
    updown *u;
    conn *cn;
    kchild_env env;
} side;
static struct lab {
    runtime *rt;
    side a, b;
    unsigned acquires, soft, hard, mappings;
    uint32_t acquired_reqid;
    traffic_sel acquired_dst;
    endpoint mapped;
} lab;

static void on_acquire(void *ctx, uint32_t reqid, const traffic_sel *src, const traffic_sel *dst)
{
    lab.acquires++;
    lab.acquired_reqid = reqid;
    lab.acquired_dst = *dst;
}
static void on_expire(void *ctx, const kernel_sa_id *id, uint32_t reqid, bool hard)
{
    lab.soft += !hard;
    lab.hard += hard;
}
static void on_mapping(void *ctx, const kernel_sa_id *id, uint32_t reqid, const endpoint *peer)
{
    lab.mappings++;
    lab.mapped = *peer;
}

static void run_all(void)
{
    while (runtime_step(lab.rt))
        ;
}

static void run_until(int64_t ms)
{
    run_all();
    while (runtime_next_ms(lab.rt) <= ms) {
        now_ms = runtime_next_ms(lab.rt);
        run_all();
    }
    now_ms = ms;
}

static void side_up(side *s, const char *name, uint32_t spi)
{
    const kernel_events ev = {NULL, on_acquire, on_expire, on_mapping};

    assert_int_equal(kernel_fake_new(&s->k, &(kernel_fake_config){.rt = lab.rt, .first_spi = spi}), ST_OK);
    s->k->ops->set_events(s->k, &ev);
    assert_int_equal(updown_fake_new(&s->u, lab.rt), ST_OK);
    assert_int_equal(conn_new(&s->cn, name), ST_OK);
    s->cn->left.updown = "/bin/true";
    s->cn->right.updown = "/bin/true";
    s->env = (kchild_env){s->k, NULL, s->u};
}

static int lab_up(void **state)
{
    lab = (struct lab){0};
    now_ms = 5000;
    assert_int_equal(runtime_new(&lab.rt, &(runtime_config){.manual = true, .clock = &test_clock}), ST_OK);
    side_up(&lab.a, "net-net", 0xc0000010);
    side_up(&lab.b, "net-net", 0xc0000020);
    return 0;
}

static int lab_down(void **state)
{
    side *sides[] = {&lab.a, &lab.b};

    for (int i = 0; i < 2; i++) {
        sides[i]->k->ops->free(sides[i]->k);
        sides[i]->u->ops->free(sides[i]->u);
        conn_unref(sides[i]->cn);
    }
    runtime_free(lab.rt);
    return 0;
}

static const uint8_t key_ab[20] = {1}, key_ba[20] = {2}, mac_ab[32] = {3}, mac_ba[32] = {4};

static kchild *new_child(side *s, bool is_a, sa_mode mode, bool encap, bool auto_down)
{
    kchild *c;
    kchild_params p = {.conn = s->cn,
                       .right_is_me = !is_a,
                       .me = is_a ? ep("192.0.2.1", 4500) : ep("192.0.2.2", 4500),
                       .peer = is_a ? ep("192.0.2.2", 4500) : ep("192.0.2.1", 4500),
                       .mode = mode,
                       .udp_encap = encap,
                       .reqid = is_a ? 1 : 7,
                       .auto_down = auto_down,
                       .my_id = "moon",
                       .peer_id = "sun"};
    traffic_sel ta = mode == MODE_TUNNEL ? ts("10.1.0.0/16") : ts("192.0.2.1/32");
    traffic_sel tb = mode == MODE_TUNNEL ? ts("10.2.0.0/16") : ts("192.0.2.2/32");

    assert_int_equal(kchild_new(&c, &s->env, &p, (log_scope){0}), ST_OK);
    assert_int_equal(kchild_set_ts(c, is_a ? &ta : &tb, 1, is_a ? &tb : &ta, 1), ST_OK);
    return c;
}

static kchild_sa algs(bool is_a, uint32_t peer_spi, uint8_t proto)
{
    kchild_sa s = {.proto = proto,
                   .encr = proto == PROTO_ESP ? ENCR_AES_CBC : ENCR_UNDEFINED,
                   .integ = INTEG_HMAC_SHA2_256_128,
                   .peer_spi = peer_spi};

    s.integ_key_in = is_a ? SPAN_ARRAY(mac_ba) : SPAN_ARRAY(mac_ab);
    s.integ_key_out = is_a ? SPAN_ARRAY(mac_ab) : SPAN_ARRAY(mac_ba);
    if (proto == PROTO_ESP) {
        s.encr_key_in = is_a ? SPAN_ARRAY(key_ba) : SPAN_ARRAY(key_ab);
        s.encr_key_out = is_a ? SPAN_ARRAY(key_ab) : SPAN_ARRAY(key_ba);
    }
    return s;
}

static status bring_up(kchild *a, kchild *b, bool ah_too)
{
    uint32_t spi_a[2] = {0}, spi_b[2] = {0};
    size_t n = ah_too ? 2 : 1;
    kchild_sa sa_a[2], sa_b[2];
    status st = ST_OK;

    for (size_t i = 0; i < n && st == ST_OK; i++) {
        ipsec_proto proto = i ? PROTO_AH : PROTO_ESP;
        st = kchild_alloc_spi(a, proto, &spi_a[i]);
        if (st == ST_OK)
            st = kchild_alloc_spi(b, proto, &spi_b[i]);
        sa_a[i] = algs(true, spi_b[i], (uint8_t)proto);
        sa_b[i] = algs(false, spi_a[i], (uint8_t)proto);
    }
    st = st == ST_OK ? kchild_install_in(a, sa_a, n) : st;
    st = st == ST_OK ? kchild_install_in(b, sa_b, n) : st;
    st = st == ST_OK ? kchild_install_out(a, sa_a, n) : st;
    st = st == ST_OK ? kchild_install_out(b, sa_b, n) : st;
    st = st == ST_OK ? kchild_install_policies(a) : st;
    return st == ST_OK ? kchild_install_policies(b) : st;
}

static fake_fate send_packet(bool from_a, const char *src, const char *dst, msgbuf *why)
{
    fake_packet p = {.src = ip(src), .dst = ip(dst), .proto = 17, .sport = 1000, .dport = 2000, .bytes = 100};

    return from_a ? kernel_fake_send(lab.a.k, lab.b.k, &p, false, why)
                  : kernel_fake_send(lab.b.k, lab.a.k, &p, false, why);
}

static void assert_delivered(bool from_a, const char *src, const char *dst)
{
    msgbuf why;

    if (send_packet(from_a, src, dst, &why) != FAKE_DELIVERED)
        fail_msg("%s -> %s: %s", src, dst, why.text);
}

static void assert_clean(kernel *k)
{
    buf text = {0};

    if (kernel_fake_sas(k) || kernel_fake_reserved(k) || kernel_fake_policies(k)) {
        kernel_fake_dump(k, &text);
        fail_msg("left behind:\n%s", buf_cstr(&text));
    }
}

static void both_ends_agree(void **state)
{
    kchild *a = new_child(&lab.a, true, MODE_TUNNEL, false, true),
           *b = new_child(&lab.b, false, MODE_TUNNEL, false, true);
    kchild_stats stats;
    bool inbound;
    uint32_t again;

    assert_int_equal(bring_up(a, b, false), ST_OK);
    assert_int_equal(kernel_fake_orphans(lab.a.k, NULL), 0);
    assert_int_equal(kernel_fake_orphans(lab.b.k, NULL), 0);
    assert_int_equal(kernel_fake_policies(lab.a.k), 3);
    assert_delivered(true, "10.1.0.1", "10.2.0.1");
    assert_delivered(false, "10.2.0.1", "10.1.0.1");
    assert_delivered(false, "10.2.0.1", "10.1.0.1");
    assert_int_equal(send_packet(true, "10.3.0.1", "10.2.0.1", NULL), FAKE_CLEAR);
    assert_int_equal(kchild_query(a, &stats), ST_OK);
    assert_int_equal(stats.bytes_out, 100);
    assert_int_equal(stats.packets_in, 2);
    assert_int_equal(stats.use_in_s, wall(NULL));
    kernel_sa_id id = {.proto = PROTO_ESP, .spi = kchild_spi_in(a, PROTO_ESP), .dst = ip("192.0.2.1")};
    assert_true(kchild_owns(a, &id, &inbound) && inbound);
    assert_int_equal(kchild_alloc_spi(a, PROTO_ESP, &again), ST_OK);
    assert_int_equal(again, id.spi);
    assert_int_equal(kchild_spi_out(a, PROTO_ESP), kchild_spi_in(b, PROTO_ESP));
    kchild_free(a);
    kchild_free(b);
    assert_clean(lab.a.k);
    assert_clean(lab.b.k);
}

static void bundles(void **state)
{
    kchild *a = new_child(&lab.a, true, MODE_TUNNEL, false, true),
           *b = new_child(&lab.b, false, MODE_TUNNEL, false, true);
    uint32_t cpi_a, cpi_b;

    assert_int_equal(kchild_alloc_spi(a, PROTO_IPCOMP, &cpi_a), ST_OK);
    assert_int_equal(kchild_alloc_spi(b, PROTO_IPCOMP, &cpi_b), ST_OK);
    kchild_set_ipcomp(a, (uint16_t)cpi_b);
    kchild_set_ipcomp(b, (uint16_t)cpi_a);
    assert_int_equal(bring_up(a, b, true), ST_OK);
    assert_int_equal(kernel_fake_sas(lab.a.k), 6);
    assert_delivered(true, "10.1.0.1", "10.2.0.1");
    assert_int_equal(kernel_fake_orphans(lab.a.k, NULL), 0);
    kchild_free(a);
    kchild_free(b);
    assert_clean(lab.a.k);
}

static void differing_keys_show(void **state)
{
    kchild *a = new_child(&lab.a, true, MODE_TRANSPORT, true, false),
           *b = new_child(&lab.b, false, MODE_TRANSPORT, true, false);
    uint32_t spi_a, spi_b;
    msgbuf why;

    assert_int_equal(kchild_alloc_spi(a, PROTO_ESP, &spi_a), ST_OK);
    assert_int_equal(kchild_alloc_spi(b, PROTO_ESP, &spi_b), ST_OK);
    kchild_sa sa_a = algs(true, spi_b, PROTO_ESP),
              sa_b = algs(true, spi_a, PROTO_ESP); /* b has a's point of view */
    assert_int_equal(kchild_install_in(a, &sa_a, 1), ST_OK);
    assert_int_equal(kchild_install_out(a, &sa_a, 1), ST_OK);
    assert_int_equal(kchild_install_in(b, &sa_b, 1), ST_OK);
    assert_int_equal(kchild_install_out(b, &sa_b, 1), ST_OK);
    assert_int_equal(kchild_install_policies(a), ST_OK);
    assert_int_equal(kchild_install_policies(b), ST_OK);
    assert_int_equal(kernel_fake_policies(lab.a.k), 2); /* no fwd in transport mode */
    assert_int_equal(send_packet(true, "192.0.2.1", "192.0.2.2", &why), FAKE_LOST);
    assert_non_null(strstr(why.text, "keys"));
    kchild_free(a);
    assert_int_equal(send_packet(false, "192.0.2.2", "192.0.2.1", &why), FAKE_LOST);
    kchild_free(b);
    assert_clean(lab.b.k);
}

static void rekeying(void **state)
{
    kchild *a1 = new_child(&lab.a, true, MODE_TUNNEL, false, true),
           *b1 = new_child(&lab.b, false, MODE_TUNNEL, false, true);
    kchild *a2 = new_child(&lab.a, true, MODE_TUNNEL, false, true),
           *b2 = new_child(&lab.b, false, MODE_TUNNEL, false, true);
    kchild_stats stats;

    assert_int_equal(bring_up(a1, b1, false), ST_OK);
    assert_int_equal(kchild_script(a1, "up", NULL, NULL, 0), ST_OK);
    assert_delivered(true, "10.1.0.1", "10.2.0.1");
    assert_int_equal(bring_up(a2, b2, false), ST_OK);
    kchild_take_over(a2, a1);
    kchild_take_over(b2, b1);
    assert_true(kchild_is_up(a2));
    assert_false(kchild_is_up(a1));
    assert_delivered(true, "10.1.0.1", "10.2.0.1");
    assert_int_equal(kchild_query(a1, &stats), ST_OK); /* what is gone still counts */
    assert_int_equal(stats.packets_out, 1);
    assert_int_equal(kchild_query(a2, &stats), ST_OK);
    assert_int_equal(stats.packets_out, 1);
    kchild_free(a1);
    kchild_free(b1);
    assert_delivered(false, "10.2.0.1", "10.1.0.1");
    assert_int_equal(kernel_fake_orphans(lab.a.k, NULL), 0);
    kchild_free(a2);
    kchild_free(b2);
    run_all();
    assert_string_equal(updown_fake_log(lab.a.u), "up-client net-net\ndown-client net-net\n");
    assert_clean(lab.a.k);
}

static void new_addresses(void **state)
{
    kchild *a = new_child(&lab.a, true, MODE_TUNNEL, true, true),
           *b = new_child(&lab.b, false, MODE_TUNNEL, true, true);
    endpoint a_new = ep("198.51.100.9", 4500), b_end = ep("192.0.2.2", 4500);

    assert_int_equal(bring_up(a, b, false), ST_OK);
    assert_int_equal(kchild_script(a, "up", NULL, NULL, 0), ST_OK);
    assert_int_equal(kchild_update(a, &a_new, &b_end, true), ST_OK);
    assert_int_equal(send_packet(true, "10.1.0.1", "10.2.0.1", NULL),
                     FAKE_LOST); /* the other one does not know yet */
    assert_int_equal(kchild_update(b, &b_end, &a_new, true), ST_OK);
    assert_delivered(true, "10.1.0.1", "10.2.0.1");
    assert_delivered(false, "10.2.0.1", "10.1.0.1");
    assert_int_equal(kernel_fake_policies(lab.a.k), 3);
    run_all();
    assert_string_equal(updown_fake_log(lab.a.u),
                        "up-client net-net\ndown-client net-net\nup-client net-net\n");
    kchild_free(a);
    kchild_free(b);
    run_all();
    assert_clean(lab.a.k);
    assert_clean(lab.b.k);
}

static void traps(void **state)
{
    kchild *t = new_child(&lab.a, true, MODE_TUNNEL, false, true),
           *drop = new_child(&lab.b, false, MODE_TUNNEL, false, true);

    assert_int_equal(kchild_route(t, POLICY_IPSEC), ST_OK);
    assert_int_equal(send_packet(true, "10.1.0.1", "10.2.0.9", NULL), FAKE_ACQUIRED);
    ip_addr src = ip("10.1.0.1"), dst = ip("10.2.0.9");
    assert_true(kernel_fake_acquire(lab.a.k, &src, &dst, 6, 1, 2));
    run_all();
    assert_int_equal(lab.acquires, 2);
    assert_int_equal(lab.acquired_reqid, 1);
    assert_true(ts_is_host(&lab.acquired_dst, &dst));
    kchild *a = new_child(&lab.a, true, MODE_TUNNEL, false, true),
           *b = new_child(&lab.b, false, MODE_TUNNEL, false, true);
    assert_int_equal(bring_up(a, b, false), ST_OK);
    assert_delivered(true, "10.1.0.1", "10.2.0.9");
    kchild_free(a);
    kchild_free(b);
    assert_int_equal(send_packet(true, "10.1.0.1", "10.2.0.9", NULL), FAKE_ACQUIRED); /* the trap is back */
    kchild_unroute(t);
    assert_int_equal(kchild_route(drop, POLICY_DROP), ST_OK);
    assert_int_equal(send_packet(false, "10.2.0.9", "10.1.0.1", NULL), FAKE_DROPPED);
    kchild_free(drop);
    kchild_free(t);
    assert_clean(lab.a.k);
    assert_clean(lab.b.k);
}

static void lifetimes(void **state)
{
    uint32_t spi;
    kernel_sa sa = {.inbound = true,
                    .reqid = 3,
                    .mode = MODE_TUNNEL,
                    .encr = ENCR_AES_CBC,
                    .life = {.soft_s = 10, .hard_s = 20}};

    sa.id = (kernel_sa_id){.src = ip("192.0.2.2"), .dst = ip("192.0.2.1"), .proto = PROTO_ESP};
    assert_int_equal(lab.a.k->ops->get_spi(lab.a.k, &sa.id.src, &sa.id.dst, PROTO_ESP, 3, &spi), ST_OK);
    sa.id.spi = spi;
    assert_int_equal(lab.a.k->ops->add_sa(lab.a.k, &sa), ST_OK);
    assert_int_equal(lab.a.k->ops->add_sa(lab.a.k, &sa), ST_EXISTS);
    run_until(now_ms + 15000);
    assert_int_equal(lab.soft, 1);
    assert_int_equal(lab.hard, 0);
    run_until(now_ms + 15000);
    assert_int_equal(lab.hard, 1);
    assert_int_equal(kernel_fake_sas(lab.a.k), 0);
    assert_int_equal(lab.a.k->ops->del_sa(lab.a.k, &sa.id), ST_NOT_FOUND);
    /* an inbound SA needs a reserved SPI */
    assert_int_equal(lab.a.k->ops->add_sa(lab.a.k, &sa), ST_NOT_FOUND);
}

static void events_on_demand(void **state)
{
    kchild *a = new_child(&lab.a, true, MODE_TUNNEL, true, true),
           *b = new_child(&lab.b, false, MODE_TUNNEL, true, true);
    endpoint other = ep("203.0.113.5", 1234);

    assert_int_equal(bring_up(a, b, false), ST_OK);
    uint32_t spi = kchild_spi_in(a, PROTO_ESP);
    assert_true(kernel_fake_mapping(lab.a.k, spi, &other));
    assert_true(kernel_fake_expire(lab.a.k, spi, false));
    assert_true(kernel_fake_expire(lab.a.k, spi, true));
    assert_false(kernel_fake_expire(lab.a.k, spi, true));
    run_all();
    assert_int_equal(lab.mappings, 1);
    assert_true(endpoint_equal(&lab.mapped, &other));
    assert_int_equal(lab.soft, 1);
    assert_int_equal(lab.hard, 1);
    buf text = {0};
    assert_int_not_equal(kernel_fake_orphans(lab.a.k, &text), 0);
    assert_non_null(strstr(buf_cstr(&text), "outbound SA without inbound"));
    buf_free(&text);
    kchild_free(a); /* the hard expiry was first: no harm */
    kchild_free(b);
    assert_clean(lab.a.k);
}

/* Every changing call fails once; each time everything has to go away again. */
static void every_failure_is_undone(void **state)
{
    unsigned n = 1;

    for (;; n++) {
        kchild *a = new_child(&lab.a, true, MODE_TUNNEL, false, true),
               *b = new_child(&lab.b, false, MODE_TUNNEL, false, true);
        kernel_fake_fail(lab.a.k, n, 1, ST_IO);
        uint64_t before = kernel_fake_calls(lab.a.k);
        status st = bring_up(a, b, false);
        kernel_fake_fail(lab.a.k, 0, 0, ST_OK);
        assert_true(st == ST_OK || kernel_fake_calls(lab.a.k) - before >= n);
        kchild_free(a);
        kchild_free(b);
        assert_clean(lab.a.k);
        assert_clean(lab.b.k);
        if (st == ST_OK)
            break;
    }
    assert_int_equal(n, 1 + 2 + 3 + 1); /* SPI, two SAs, three policies were all tried */
}

static int done_status;
static unsigned done_calls;
static void on_done(void *ctx, uint64_t key, int exit_status)
{
    assert_int_equal(key, 77);
    done_calls++;
    done_status = exit_status;
}

static void scripts_answer_once(void **state)
{
    kchild *a = new_child(&lab.a, true, MODE_TUNNEL, false, false);
    traffic_sel mine[2] = {ts("10.1.0.0/16"), ts("10.9.0.0/16")}, theirs = ts("10.2.0.0/16");

    done_calls = 0;
    assert_int_equal(kchild_set_ts(a, mine, 2, &theirs, 1), ST_OK);
    updown_fake_exit(lab.a.u, "prepare", 3);
    assert_int_equal(kchild_script(a, "prepare", on_done, NULL, 77), ST_OK);
    assert_int_equal(done_calls, 0);
    run_all();
    assert_int_equal(done_calls, 1);
    assert_int_equal(done_status, 3);
    assert_int_equal(kchild_script(a, "down", on_done, NULL, 77), ST_OK); /* is not up: nothing runs */
    run_all();
    assert_int_equal(done_calls, 2);
    assert_int_equal(done_status, 0);
    assert_string_equal(updown_fake_log(lab.a.u), "prepare-client net-net\nprepare-client net-net\n");
    kchild_free(a);
}

static void reqids_are_shared_and_come_back(void **state)
{
    reqids *r;

    assert_int_equal(reqids_new(&r, REQID_PLUTO_FIRST, REQID_PLUTO_STEP), ST_OK);
    uint32_t one = reqids_get(r, SPAN_LIT("a")), two = reqids_get(r, SPAN_LIT("b")),
             anon = reqids_get(r, SPAN_NULL);
    assert_int_equal(one, 16384);
    assert_int_equal(two, 16388);
    assert_int_equal(anon, 16392);
    assert_int_equal(reqids_get(r, SPAN_LIT("a")), one);
    reqids_put(r, one);
    assert_int_equal(reqids_get(r, SPAN_LIT("a")), one);
    reqids_put(r, one);
    reqids_put(r, one);
    assert_int_not_equal(reqids_get(r, SPAN_LIT("a")), one); /* gone: a new number */
    reqids_free(r);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, lab_up, lab_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_ends_agree),
        TEST(bundles),
        TEST(differing_keys_show),
        TEST(rekeying),
        TEST(new_addresses),
        TEST(traps),
        TEST(lifetimes),
        TEST(events_on_demand),
        TEST(every_failure_is_undone),
        TEST(scripts_answer_once),
        TEST(reqids_are_shared_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
