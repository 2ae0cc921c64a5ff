/* The simulator itself: fates of packets, time, address translation, counted addresses. */
#include "tests/sim/lib/sim.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

typedef struct world {
    sim *s;
    sim_host *moon, *sun;
    char got[256]; /* first octet of each packet that sun has got, in order */
    endpoint from; /* of the last one */
    size_t n;
} world;

static void on_ike(void *ctx, packet *p)
{
    world *w = ctx;
    w->got[w->n++] = (char)p->data[0];
    w->from = p->remote;
    packet_free(p);
}

static world make(void)
{
    world w = {0};
    sim_config sc = {.seed = 7, .log_level = -1};
    assert_int_equal(sim_new(&w.s, &sc), ST_OK);
    sim_host_config moon = {.name = "moon", .addrs = "192.0.2.1 2001:db8::1"},
                    sun = {.name = "sun", .addrs = "192.0.2.2"};
    assert_int_equal(sim_host_new(&w.moon, w.s, &moon), ST_OK);
    assert_int_equal(sim_host_new(&w.sun, w.s, &sun), ST_OK);
    return w;
}

static endpoint at(const char *ip, uint16_t port)
{
    endpoint e = {.port = port};
    assert_int_equal(addr_from_text(&e.ip, ip, NULL), ST_OK);
    return e;
}

static void say(world *w, char c, uint16_t port)
{
    net *n = sim_env(w->moon)->net;
    endpoint from = at("192.0.2.1", port), to = at("192.0.2.2", port);
    assert_int_equal(net_send(n, &from, &to, port == IKE_NATT_PORT, span_of(&c, 1)), ST_OK);
}

static void listen_at_sun(world *w)
{
    net *n = sim_env(w->sun)->net;
    n->ops->set_ike(n, on_ike, w);
}

static void test_fates(void **state)
{
    world w = make();
    listen_at_sun(&w);
    sim_arm(w.s);
    sim_fate_of(w.s, 2, SIM_DROP);
    sim_fate_of(w.s, 3, SIM_DUP);
    sim_fate_of(w.s, 4, SIM_DELAY);
    sim_fate_of(w.s, 6, SIM_LATE);
    sim_fate_of(w.s, 8, SIM_DELAY); /* and none comes behind it */
    for (char c = '1'; c <= '8'; c++) {
        say(&w, c, IKE_PORT);
        sim_run(w.s, 100);
    }
    assert_string_equal(w.got, "133547");
    sim_run(w.s, 30000);
    assert_string_equal(w.got, "13354768");
    assert_int_equal(sim_sent(w.s), 8);
    sim_free(w.s);
}

static void test_time_stands_still_without_work(void **state)
{
    world w = make();
    int64_t from = sim_now_ms(w.s);
    sim_run(w.s, 3600 * 1000);
    assert_int_equal(sim_now_ms(w.s) - from, 3600 * 1000);
    assert_int_equal(runtime_wall_s(sim_runtime(w.s)), SIM_START_WALL_S + 3600);
    sim_free(w.s);
}

static void test_nat(void **state)
{
    world w = make();
    listen_at_sun(&w);
    sim_nat(w.moon, "198.51.100.7");
    say(&w, 'a', IKE_NATT_PORT);
    sim_run(w.s, 100);
    assert_string_equal(w.got, "a");
    char text[ADDR_TEXT];
    addr_text(&w.from.ip, text, sizeof(text));
    assert_string_equal(text, "198.51.100.7");
    assert_int_not_equal(w.from.port, IKE_NATT_PORT);
    /* the way back */
    net *m = sim_env(w.moon)->net, *n = sim_env(w.sun)->net;
    m->ops->set_ike(m, on_ike, &w);
    endpoint sun = at("192.0.2.2", IKE_NATT_PORT), old = w.from, inside = at("192.0.2.1", IKE_NATT_PORT);
    assert_int_equal(net_send(n, &sun, &w.from, true, SPAN_LIT("b")), ST_OK);
    assert_int_equal(net_send(n, &sun, &inside, true, SPAN_LIT("x")), ST_OK); /* nobody gets in like that */
    sim_run(w.s, 100);
    assert_string_equal(w.got, "ab");
    sim_nat(w.moon, "198.51.100.7"); /* a new mapping */
    assert_int_equal(net_send(n, &sun, &old, true, SPAN_LIT("y")), ST_OK);
    say(&w, 'c', IKE_NATT_PORT);
    sim_run(w.s, 100);
    assert_string_equal(w.got, "abc");
    assert_false(endpoint_equal(&old, &w.from));
    sim_free(w.s);
}

static void test_ports_and_plugs(void **state)
{
    world w = make();
    listen_at_sun(&w);
    net *n = sim_env(w.moon)->net;
    endpoint from = at("192.0.2.1", IKE_PORT), to = at("192.0.2.2", IKE_NATT_PORT),
             other = at("192.0.2.77", IKE_PORT);
    assert_int_equal(net_send(n, &from, &to, false, SPAN_LIT("x")), ST_OK); /* no marker on 4500 */
    assert_int_equal(net_send(n, &other, &to, true, SPAN_LIT("x")), ST_IO); /* not our address */
    assert_int_equal(n->ops->send_raw(n, &from, &to, SPAN_LIT("\xff")), ST_OK);
    sim_unplug(w.moon, true);
    say(&w, 'x', IKE_PORT);
    sim_run(w.s, 100);
    sim_unplug(w.moon, false);
    say(&w, 'a', IKE_PORT);
    sim_run(w.s, 100);
    assert_string_equal(w.got, "a");
    assert_int_equal(sim_keepalives(w.sun), 1);
    sim_free(w.s);
}

static void test_counted_addresses_and_routes(void **state)
{
    world w = make();
    host *h = sim_env(w.moon)->host;
    endpoint vip = at("10.3.0.1", 0), sun = at("192.0.2.2", 0);
    host_route r = {.dev = "eth0"};
    ip_addr src, gateway;
    char dev[HOST_IFNAME];
    assert_int_equal(h->ops->add_ip(h, &vip.ip, "eth0"), ST_OK);
    assert_int_equal(h->ops->add_ip(h, &vip.ip, "eth0"), ST_OK);
    assert_true(h->ops->is_local(h, &vip.ip, dev));
    assert_int_equal(h->ops->del_ip(h, &vip.ip), ST_OK);
    assert_int_equal(sim_host_leftovers(w.moon), 1);
    assert_int_equal(h->ops->del_ip(h, &vip.ip), ST_OK);
    assert_int_equal(h->ops->del_ip(h, &vip.ip), ST_NOT_FOUND);
    assert_int_equal(h->ops->add_route(h, &r), ST_OK);
    assert_int_equal(sim_host_leftovers(w.moon), 1);
    assert_int_equal(h->ops->del_route(h, &r), ST_OK);
    assert_int_equal(sim_host_leftovers(w.moon), 0);
    assert_int_equal(h->ops->route_to(h, &sun.ip, &src, &gateway, dev), ST_OK);
    assert_true(addr_is_any(&gateway));
    sim_free(w.s);
}

static void test_same_seed_same_numbers(void **state)
{
    uint8_t a[40], b[40];
    for (int round = 0; round < 2; round++) {
        world w = make();
        assert_int_equal(rng_bytes(sim_crypto(), RNG_STRONG, round ? b : a, sizeof(a)), ST_OK);
        sim_free(w.s);
    }
    assert_memory_equal(a, b, sizeof(a));
    sim_crypto_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fates),
        cmocka_unit_test(test_time_stands_still_without_work),
        cmocka_unit_test(test_nat),
        cmocka_unit_test(test_ports_and_plugs),
        cmocka_unit_test(test_counted_addresses_and_routes),
        cmocka_unit_test(test_same_seed_same_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
